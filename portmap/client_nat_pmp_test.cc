#include <gtest/gtest.h>

#include "portmap/client.h"
#include "portmap/testing/gateway_bench.h"
namespace jsp::portmap {
namespace {

using namespace testing;  // NOLINT: the bench of these tests

const Octets kUnsupportedVersion{0, 129, 0, 1, 0, 0, 0, 9};  // RFC 6886 §3.5
const Octets kAskAddress{0, 0};                              // RFC 6886 §3.2

// A bench whose gateway knows NAT-PMP only and has said so.
struct NatPmpBench : GatewayBench {
  NatPmpBench() {
    (void)client.Map(now, 40000);
    (void)Sent();
    Hear(kUnsupportedVersion);
  }
};

TEST(NatPmpTest, IsSpokenWhenTheGatewayKnowsNoPcp) {  // RFC 6887 §9, RFC 6886 §9
  NatPmpBench bench;
  auto sent = bench.Sent();
  ASSERT_EQ(sent, std::vector<Octets>{kAskAddress});
  bench.Hear(NatPmpAddress(0, 100));
  sent = bench.Sent();
  ASSERT_EQ(sent.size(), 1u);
  // RFC 6886 §3.3: version 0, opcode 1, the internal port as the wish, two hours.
  EXPECT_EQ(sent[0], (Octets{0, 1, 0, 0, 0x9c, 0x40, 0x9c, 0x40, 0, 0, 0x1c, 0x20}));
  bench.Hear(NatPmpMapping(0, 100, 40000, 50000));
  const auto mapped = bench.Take<event::Mapped>();
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->external, (SocketAddress{kOutside, 50000}));
}

TEST(NatPmpTest, IsTriedWhenPcpFindsSilence) {
  GatewayBench bench;
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  (void)bench.Sent();
  EXPECT_EQ(bench.Next(), std::vector<Octets>{kAskAddress});
}

TEST(NatPmpTest, SendsNineTimesFromAQuarterOfASecondOnAndGivesUp) {  // RFC 6886 §3.1
  NatPmpBench bench;
  EXPECT_EQ(bench.Sent().size(), 1u);
  Duration wait = milliseconds(250);
  for (int i = 1; i < 9; ++i, wait *= 2) {
    const Timestamp before = bench.now;
    ASSERT_EQ(bench.Next(), std::vector<Octets>{kAskAddress}) << i;
    EXPECT_EQ(bench.now - before, wait) << i;
  }
  const Timestamp before = bench.now;
  EXPECT_TRUE(bench.Next().empty());
  EXPECT_EQ(bench.now - before, seconds(64));
  const auto failed = bench.Take<event::Failed>();
  ASSERT_TRUE(failed);
  EXPECT_FALSE(failed->code);
  EXPECT_EQ(bench.client.NextTimeout(), Timestamp::Never());
}

TEST(NatPmpTest, APcpServerBringsItBack) {  // RFC 6887 §9
  GatewayBench bench;
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  const auto request = bench.Sent();  // lost
  ASSERT_EQ(bench.Next(), std::vector<Octets>{kAskAddress});
  bench.Hear(PcpAnswer{.result = 1}.To(request.at(0)));
  const auto sent = bench.Sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0], request[0]);
}

TEST(NatPmpTest, RenewsHalfwayAndAsksForTheAddressAgain) {  // RFC 6886 §3.3
  NatPmpBench bench;
  (void)bench.Sent();
  bench.Hear(NatPmpAddress(0, 100));
  (void)bench.Sent();
  bench.Hear(NatPmpMapping(0, 100, 40000, 50000));
  ASSERT_TRUE(bench.Take<event::Mapped>());
  const Timestamp granted = bench.now;
  const auto sent = bench.Next();
  EXPECT_GE(bench.now - granted, seconds(3600));
  EXPECT_LE(bench.now - granted, seconds(4500));
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0], kAskAddress);
  EXPECT_EQ(Get(sent[1], 6, 2), 50000u);  // the port that it has
  // The provider gave another address meanwhile.
  const auto epoch = static_cast<uint32_t>(100 + std::chrono::duration_cast<seconds>(bench.now - granted).count());
  bench.Hear(NatPmpAddress(0, epoch, IpAddress::V4(203, 0, 113, 77)));
  const auto moved = bench.Take<event::Mapped>();
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->external, (SocketAddress{IpAddress::V4(203, 0, 113, 77), 50000}));
  bench.Hear(NatPmpMapping(0, epoch, 40000, 50000));
  EXPECT_FALSE(bench.client.PollEvent());
}

TEST(NatPmpTest, DeletesOnClose) {  // RFC 6886 §3.4
  NatPmpBench bench;
  (void)bench.Sent();
  bench.Hear(NatPmpAddress(0, 100));
  (void)bench.Sent();
  bench.Hear(NatPmpMapping(0, 100, 40000, 50000));
  bench.client.Close(bench.now);
  EXPECT_EQ(bench.Sent(), (std::vector<Octets>{{0, 1, 0, 0, 0x9c, 0x40, 0, 0, 0, 0, 0, 0}}));
}

TEST(NatPmpTest, ReportsARefusal) {  // RFC 6886 §3.5
  NatPmpBench bench;
  (void)bench.Sent();
  bench.Hear(NatPmpAddress(0, 100));
  (void)bench.Sent();
  bench.Hear(NatPmpMapping(2, 100, 40000, 0, 0));
  const auto failed = bench.Take<event::Failed>();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->code, ResultCode::kNotAuthorized);
  bench.Next();
  EXPECT_EQ(bench.now, Timestamp::FromEpoch(seconds(1030)));
}

TEST(NatPmpTest, ReportsAGatewayWithoutAnAddress) {  // RFC 6886 §3.5: network failure
  NatPmpBench bench;
  (void)bench.Sent();
  bench.Hear(NatPmpAddress(3, 100, IpAddress()));
  const auto failed = bench.Take<event::Failed>();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->code, ResultCode::kNetworkFailure);
}

TEST(NatPmpTest, NoticesARebootByTheSeconds) {  // RFC 6886 §3.6, §3.7
  NatPmpBench bench;
  (void)bench.Sent();
  bench.Hear(NatPmpAddress(0, 100));
  (void)bench.Sent();
  bench.Hear(NatPmpMapping(0, 100, 40000, 50000));
  ASSERT_TRUE(bench.Take<event::Mapped>());
  ASSERT_EQ(bench.Next().size(), 2u);
  bench.Hear(NatPmpAddress(0, 7));
  EXPECT_EQ(bench.client.metrics().gateway_resets, 1u);
  EXPECT_TRUE(bench.Take<event::Lost>());
  const auto sent = bench.Sent();
  ASSERT_EQ(sent.size(), 1u);
  bench.Hear(NatPmpMapping(0, 7, 40000, 50000));
  EXPECT_TRUE(bench.Take<event::Mapped>());
}

TEST(NatPmpTest, HearsOnlyWhatItAskedFor) {  // there is no nonce
  NatPmpBench bench;
  bench.Hear(NatPmpAddress(0, 100));  // not asked yet
  (void)bench.Sent();
  bench.Hear(NatPmpMapping(0, 100, 40000, 50000));  // nor that
  EXPECT_EQ(bench.Dropped(DropReason::kUnexpected), 2u);
  bench.Hear(NatPmpAddress(0, 100));
  (void)bench.Sent();
  bench.Hear(NatPmpMapping(0, 100, 40001, 50000));  // another port
  bench.Hear(NatPmpMapping(0, 100, 40000, 0));
  EXPECT_EQ(bench.Dropped(DropReason::kUnexpected), 3u);
  EXPECT_EQ(bench.Dropped(DropReason::kBadExternal), 1u);
  bench.Hear(NatPmpMapping(0, 100, 40000, 50000));
  ASSERT_TRUE(bench.Take<event::Mapped>());
  bench.Hear(NatPmpMapping(0, 100, 40000, 50009));  // a second answer to one question
  EXPECT_EQ(bench.Dropped(DropReason::kUnexpected), 4u);
  EXPECT_FALSE(bench.client.PollEvent());
}

TEST(NatPmpTest, EveryTruncationIsDropped) {
  NatPmpBench bench;
  (void)bench.Sent();
  const Octets address = NatPmpAddress(0, 100);
  for (size_t size = 1; size < address.size(); ++size) {
    bench.Hear(Octets(address.begin(), address.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  bench.Hear(address);
  (void)bench.Sent();
  const Octets mapping = NatPmpMapping(0, 100, 40000, 50000);
  for (size_t size = 1; size < mapping.size(); ++size) {
    bench.Hear(Octets(mapping.begin(), mapping.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  EXPECT_EQ(bench.Dropped(DropReason::kUnparsable), address.size() - 1 + mapping.size() - 1);
  EXPECT_FALSE(bench.client.PollEvent());
}

TEST(NatPmpTest, AnErrorOfTheNetworkEndsItBeforeTheFirstAnswerOnly) {
  GatewayBench bench;
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  (void)bench.Sent();
  bench.client.HandleUnreachable(bench.now, *SocketAddress::Parse("10.0.0.9:5351"));
  EXPECT_FALSE(bench.client.PollEvent());
  bench.client.HandleUnreachable(bench.now, kGateway);
  EXPECT_TRUE(bench.Take<event::Failed>());
  EXPECT_EQ(bench.client.NextTimeout(), Timestamp::Never());
  EXPECT_TRUE(bench.client.Map(bench.now, 40001));
  EXPECT_TRUE(bench.Take<event::Failed>());
  EXPECT_TRUE(bench.Sent().empty());
}

TEST(EpochTest, BelievesTheFirstAndToleratesASecondBackAndDrift) {  // RFC 6887 §8.5
  const auto at = [](int64_t s) { return Timestamp::FromEpoch(seconds(s)); };
  Epoch epoch;
  EXPECT_TRUE(epoch.AcceptPcp(at(0), 5000));
  EXPECT_TRUE(epoch.AcceptPcp(at(0), 4999));
  EXPECT_FALSE(epoch.AcceptPcp(at(0), 4997));
  EXPECT_TRUE(epoch.AcceptPcp(at(1600), 4997 + 1500 + 2));  // 1/16 slower, and two seconds
  EXPECT_FALSE(epoch.AcceptPcp(at(3200), 4997 + 1500 + 2 + 1490));
  EXPECT_FALSE(epoch.AcceptPcp(at(3200), 4997 + 1500 + 2 + 1490 + 100));  // far ahead
}

TEST(EpochTest, NatPmpToleratesAnEighth) {  // RFC 6886 §3.6
  const auto at = [](int64_t s) { return Timestamp::FromEpoch(seconds(s)); };
  Epoch epoch;
  EXPECT_TRUE(epoch.AcceptNatPmp(at(0), 100));
  EXPECT_TRUE(epoch.AcceptNatPmp(at(800), 100 + 700 - 2));
  EXPECT_FALSE(epoch.AcceptNatPmp(at(1600), 798 + 697));
  EXPECT_TRUE(epoch.AcceptNatPmp(at(1600), 99999));
}

}  // namespace
}  // namespace jsp::portmap
