#include "portmap/client.h"

#include <gtest/gtest.h>

#include "portmap/testing/gateway_bench.h"
namespace jsp::portmap {
namespace {

using namespace testing;  // NOLINT: the bench of these tests

TEST(PortMappingTest, AsksPcpFirst) {  // RFC 6887 §7.1, §11.1, §11.2
  GatewayBench bench;
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  const auto sent = bench.Sent();
  ASSERT_EQ(sent.size(), 1u);
  const Octets& request = sent[0];
  ASSERT_EQ(request.size(), 60u);
  EXPECT_EQ(Get(request, 0, 4), 0x02010000u);             // version 2, opcode MAP
  EXPECT_EQ(Get(request, 4, 4), 7200u);                   // lifetime
  EXPECT_EQ(Get(request, 18, 2), 0xffffu);                // the client, IPv4-mapped (RFC 6887 §5)
  EXPECT_EQ(Get(request, 20, 4), 0x0a000002u);            // 10.0.0.2
  EXPECT_EQ(Get(request, 36, 4), 0x11000000u);            // UDP
  EXPECT_EQ(Get(request, 40, 2), 40000u);                 // internal port
  EXPECT_EQ(Get(request, 42, 2), 0u);                     // any external one
  EXPECT_EQ(Octets(request.begin() + 44, request.end()),  // ::ffff:0.0.0.0
            (Octets{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}));
}

TEST(PortMappingTest, SaysWhatTheGatewayGranted) {  // RFC 6887 §11.4
  GatewayBench bench;
  bench.MapByPcp();
  const auto mapped = bench.Take<event::Mapped>();
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->internal_port, 40000);
  EXPECT_EQ(mapped->external, (SocketAddress{kOutside, 50000}));
}

TEST(PortMappingTest, EveryMappingHasANonceOfItsOwn) {  // RFC 6887 §11.2
  GatewayBench bench;
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  ASSERT_TRUE(bench.client.Map(bench.now, 40001));
  const auto sent = bench.Sent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_FALSE(std::equal(sent[0].begin() + 24, sent[0].begin() + 36, sent[1].begin() + 24));
}

TEST(PortMappingTest, SendsAgainAfterThreeSecondsAndThenTwiceAsLongEachTime) {  // RFC 6887 §8.1.1
  GatewayBench bench(9);
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  const Octets first = bench.Sent().at(0);
  // One proven answer, so that the silence after it is not that of a gateway without PCP.
  bench.Hear(PcpAnswer{.result = 8, .lifetime = 30}.To(first));
  bench.Next();  // the error is over
  double expected = 3;
  for (int i = 0; i < 12; ++i) {
    const Timestamp before = bench.now;
    const auto sent = bench.Next();
    ASSERT_EQ(sent.size(), 1u) << i;
    EXPECT_EQ(sent[0], first) << i;
    const double waited = std::chrono::duration<double>(bench.now - before).count();
    EXPECT_GE(waited, expected * 0.899) << i;
    EXPECT_LE(waited, expected * 1.101) << i;
    expected = std::min(waited * 2, 1024.0);  // MRT
  }
}

TEST(PortMappingTest, RenewsBetweenHalfAndFiveEighths) {  // RFC 6887 §11.2.1
  Duration least = std::chrono::hours(9), most{};
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    GatewayBench bench(seed);
    const Octets first = bench.MapByPcp();
    const Timestamp granted = bench.now;
    const auto sent = bench.Next();
    ASSERT_EQ(sent.size(), 1u);
    // In the same terms, with what it has as the wish.
    EXPECT_TRUE(std::equal(first.begin(), first.begin() + 42, sent[0].begin()));
    EXPECT_EQ(Get(sent[0], 42, 2), 50000u);
    EXPECT_EQ(Get(sent[0], 56, 4), kOutside.v4_host_order());
    least = std::min(least, bench.now - granted);
    most = std::max(most, bench.now - granted);
  }
  EXPECT_GE(least, seconds(3600));
  EXPECT_LE(most, seconds(4500));
  EXPECT_LE(least, seconds(3650));  // 200 draws come near both ends
  EXPECT_GE(most, seconds(4450));
}

TEST(PortMappingTest, RenewsAgainAtThreeQuartersAndSevenEighthsAndThenLosesIt) {  // RFC 6887 §11.2.1
  GatewayBench bench;
  bench.MapByPcp();
  ASSERT_TRUE(bench.Take<event::Mapped>());
  const Timestamp granted = bench.now;
  bench.Next();
  ASSERT_EQ(bench.Next().size(), 1u);
  EXPECT_GE(bench.now - granted, seconds(5400));
  EXPECT_LE(bench.now - granted, seconds(5850));
  ASSERT_EQ(bench.Next().size(), 1u);
  EXPECT_GE(bench.now - granted, seconds(6300));
  EXPECT_LE(bench.now - granted, seconds(6525));
  Timestamp last = bench.now;
  for (int i = 0; i < 100; ++i) {
    const auto sent = bench.Next();
    if (bench.now >= granted + seconds(7200)) {
      EXPECT_EQ(sent.size(), 1u);  // asked for anew
      break;
    }
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_GE(bench.now - last, seconds(4));
    last = bench.now;
  }
  EXPECT_EQ(bench.now, granted + seconds(7200));
  EXPECT_TRUE(bench.Take<event::Lost>());
}

TEST(PortMappingTest, ARenewalIsNoNewsUnlessTheAddressChanges) {
  GatewayBench bench;
  bench.MapByPcp();
  ASSERT_TRUE(bench.Take<event::Mapped>());
  auto sent = bench.Next();
  bench.Hear(PcpAnswer{
      .epoch = 1000 + static_cast<uint32_t>(
                          std::chrono::duration_cast<seconds>(bench.now - Timestamp::FromEpoch(seconds(1000))).count())}
                 .To(sent.at(0)));
  EXPECT_FALSE(bench.client.PollEvent());
  EXPECT_EQ(bench.client.metrics().gateway_resets, 0u);
  // RFC 6887 §14.2: an update that nobody asked for, proven by the nonce.
  bench.Hear(PcpAnswer{
      .epoch = 1000 + static_cast<uint32_t>(
                          std::chrono::duration_cast<seconds>(bench.now - Timestamp::FromEpoch(seconds(1000))).count()),
      .external_port = 50001}
                 .To(sent.at(0)));
  const auto moved = bench.Take<event::Mapped>();
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->external.port, 50001);
}

TEST(PortMappingTest, DeletesOnClose) {  // RFC 6887 §15
  GatewayBench bench;
  const Octets first = bench.MapByPcp();
  bench.client.Close(bench.now);
  const auto sent = bench.Sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(Get(sent[0], 4, 4), 0u);                                                      // lifetime
  EXPECT_TRUE(std::equal(first.begin() + 24, first.begin() + 42, sent[0].begin() + 24));  // nonce, protocol, port
  EXPECT_EQ(bench.client.NextTimeout(), Timestamp::Never());
  EXPECT_EQ(bench.client.Map(bench.now, 1), Unexpected(MapError::kClosed));
}

TEST(PortMappingTest, DeletesWhatMayHaveBeenMadeMeanwhile) {
  GatewayBench bench;
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  (void)bench.Sent();
  ASSERT_TRUE(bench.client.Map(bench.now, 40001));  // nobody heard of this one
  bench.client.Close(bench.now);
  const auto sent = bench.Sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(Get(sent[0], 40, 2), 40000u);
}

TEST(PortMappingTest, ReportsARefusalOnceAndAsksAgainWhenItIsOver) {  // RFC 6887 §7.4, §8.3
  GatewayBench bench;
  bench.MapByPcp({.result = 2, .lifetime = 600});
  const auto failed = bench.Take<event::Failed>();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->code, ResultCode::kNotAuthorized);
  const Timestamp before = bench.now;
  const auto sent = bench.Next();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(bench.now - before, seconds(600));
  bench.Hear(PcpAnswer{.result = 2, .lifetime = 0xffffffff, .epoch = 1600}.To(sent[0]));
  EXPECT_FALSE(bench.client.PollEvent());
  bench.Next();
  EXPECT_EQ(bench.now - before, seconds(600 + 1800));  // nobody is waited for longer
}

TEST(PortMappingTest, ARefusedRenewalLeavesWhatWasPromised) {
  GatewayBench bench;
  bench.MapByPcp();
  ASSERT_TRUE(bench.Take<event::Mapped>());
  const Timestamp granted = bench.now;
  const auto sent = bench.Next();
  bench.Hear(PcpAnswer{.result = 8, .epoch = 1000 + 3600}.To(sent.at(0)));
  while (bench.now < granted + seconds(7200)) {
    EXPECT_FALSE(bench.client.PollEvent());
    bench.Next();
  }
  EXPECT_TRUE(bench.Take<event::Lost>());
}

TEST(PortMappingTest, AsksForAllAgainWhenTheEpochSaysThatTheGatewayForgot) {  // RFC 6887 §8.5
  GatewayBench bench;
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  ASSERT_TRUE(bench.client.Map(bench.now, 40001));
  const auto first = bench.Sent();
  bench.Hear(PcpAnswer{}.To(first.at(0)));
  bench.Hear(PcpAnswer{.external_port = 50001}.To(first.at(1)));
  while (bench.client.PollEvent()) {
  }
  const auto renewal = bench.Next();
  ASSERT_EQ(renewal.size(), 1u);
  const bool is_first = Get(renewal[0], 40, 2) == 40000;
  bench.Hear(PcpAnswer{.epoch = 5, .external_port = static_cast<uint16_t>(is_first ? 50000 : 50001)}.To(renewal[0]));
  EXPECT_EQ(bench.client.metrics().gateway_resets, 1u);
  const auto lost = bench.Take<event::Lost>();
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->internal_port, is_first ? 40001 : 40000);
  const auto again = bench.Sent();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(Get(again[0], 42, 2), is_first ? 50001u : 50000u);  // its port is wished for
  bench.Hear(PcpAnswer{.epoch = 5, .external_port = static_cast<uint16_t>(is_first ? 50001 : 50000)}.To(again[0]));
  EXPECT_TRUE(bench.Take<event::Mapped>());
}

TEST(PortMappingTest, KeepsFewMappings) {
  GatewayBench bench(1, {.gateway = kGateway, .local = kLocal, .max_mappings = 2});
  EXPECT_TRUE(bench.client.Map(bench.now, 1));
  EXPECT_TRUE(bench.client.Map(bench.now, 1));
  EXPECT_TRUE(bench.client.Map(bench.now, 2));
  EXPECT_EQ(bench.client.Map(bench.now, 3), Unexpected(MapError::kTooMany));
  EXPECT_EQ(bench.client.Map(bench.now, 0), Unexpected(MapError::kBadPort));
  EXPECT_EQ(bench.Sent().size(), 2u);
}

TEST(PortMappingTest, WritesNothingIntoTooSmallABufferAndLosesNothing) {
  GatewayBench bench;
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  std::array<uint8_t, 59> small;
  EXPECT_FALSE(bench.client.PollTransmit(bench.now, small));
  EXPECT_EQ(bench.Sent().size(), 1u);
}

}  // namespace
}  // namespace jsp::portmap
