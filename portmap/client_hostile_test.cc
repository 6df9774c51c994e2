#include <gtest/gtest.h>

#include "portmap/client.h"
#include "portmap/testing/gateway_bench.h"
namespace jsp::portmap {
namespace {

using namespace testing;  // NOLINT: the bench of these tests

TEST(PortMappingHostileTest, HearsOnlyTheGatewaysPort) {  // RFC 6887 §8.3
  GatewayBench bench;
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  const Octets answer = PcpAnswer{}.To(bench.Sent().at(0));
  for (const char* elsewhere : {"10.0.0.9:5351", "10.0.0.1:5350", "203.0.113.1:5351"}) {
    EXPECT_FALSE(bench.client.HandleDatagram(bench.now, kLocal, *SocketAddress::Parse(elsewhere), answer));
  }
  EXPECT_FALSE(bench.client.HandleDatagram(bench.now, *SocketAddress::Parse("10.0.0.2:1"), kGateway, answer));
  EXPECT_FALSE(bench.client.PollEvent());
  EXPECT_EQ(bench.Dropped(DropReason::kWrongAddress), 4u);
}

TEST(PortMappingHostileTest, ANonceThatIsWrongInOneBitProvesNothing) {  // RFC 6887 §11.4
  GatewayBench bench;
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  const Octets answer = PcpAnswer{}.To(bench.Sent().at(0));
  for (size_t octet = 24; octet < 42; ++octet) {  // nonce, protocol, (reserved), port
    if (octet >= 37 && octet < 40) continue;
    for (int bit = 0; bit < 8; ++bit) {
      Octets forged = answer;
      forged[octet] = static_cast<uint8_t>(forged[octet] ^ (1 << bit));
      bench.Hear(forged);
    }
  }
  EXPECT_FALSE(bench.client.PollEvent());
  EXPECT_EQ(bench.Dropped(DropReason::kBadNonce), 15u * 8u);
  bench.Hear(answer);
  EXPECT_TRUE(bench.Take<event::Mapped>());
}

TEST(PortMappingHostileTest, AForgedAnswerDoesNotMoveTheEpoch) {  // verify, then act
  GatewayBench bench;
  const Octets request = bench.MapByPcp();
  ASSERT_TRUE(bench.Take<event::Mapped>());
  Octets forged = PcpAnswer{.epoch = 0}.To(request);
  forged[30] ^= 1;
  bench.Hear(forged);
  EXPECT_EQ(bench.client.metrics().gateway_resets, 0u);
  EXPECT_FALSE(bench.client.PollEvent());
}

TEST(PortMappingHostileTest, EveryTruncationIsDropped) {  // RFC 6887 §8.3
  GatewayBench bench;
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  const Octets answer = PcpAnswer{}.To(bench.Sent().at(0));
  for (size_t size = 0; size < answer.size(); ++size) {
    bench.Hear(Octets(answer.begin(), answer.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  Octets huge = answer;
  huge.resize(1104);
  bench.Hear(huge);
  EXPECT_EQ(bench.Dropped(DropReason::kUnparsable), answer.size() + 1);
  EXPECT_FALSE(bench.client.PollEvent());
  // Options behind it are passed over.
  Octets with_option = answer;
  with_option.resize(answer.size() + 8);
  bench.Hear(with_option);
  EXPECT_TRUE(bench.Take<event::Mapped>());
}

TEST(PortMappingHostileTest, OurOwnRequestSentBackIsNoAnswer) {
  GatewayBench bench;
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  bench.Hear(bench.Sent().at(0));
  EXPECT_EQ(bench.Dropped(DropReason::kUnparsable), 1u);
  EXPECT_FALSE(bench.client.PollEvent());
}

TEST(PortMappingHostileTest, NoAddressThatNobodyCanSendToIsBelieved) {
  GatewayBench bench;
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  const Octets request = bench.Sent().at(0);
  for (const IpAddress ip : {IpAddress::V4(0, 0, 0, 0), IpAddress::V4(127, 0, 0, 1), IpAddress::V4(224, 0, 0, 1),
                             IpAddress::V4(255, 255, 255, 255), IpAddress::V4(169, 254, 0, 1)}) {
    bench.Hear(PcpAnswer{.external = ip}.To(request));
  }
  bench.Hear(PcpAnswer{.external_port = 0}.To(request));
  EXPECT_EQ(bench.Dropped(DropReason::kBadExternal), 6u);
  EXPECT_FALSE(bench.client.PollEvent());
}

TEST(PortMappingHostileTest, ALifetimeOfOneSecondCausesOneRequestInFourSeconds) {  // RFC 6887 §11.2.1
  GatewayBench bench;
  bench.MapByPcp({.lifetime = 1});
  const Timestamp start = bench.now;
  uint32_t epoch = 1000;
  for (size_t asked = 0; bench.now < start + seconds(400);) {
    const auto sent = bench.Next(seconds(1));
    asked += sent.size();
    epoch = 1000 + static_cast<uint32_t>(std::chrono::duration_cast<seconds>(bench.now - start).count());
    for (const auto& request : sent) bench.Hear(PcpAnswer{.lifetime = 1, .epoch = epoch}.To(request));
    while (bench.client.PollEvent()) {
    }
    EXPECT_LE(asked, 401u);
  }
}

TEST(PortMappingHostileTest, AnEndlessLifetimeIsRenewedDaily) {  // RFC 6887 §15
  GatewayBench bench;
  bench.MapByPcp({.lifetime = 0xffffffff});
  const Timestamp granted = bench.now;
  ASSERT_EQ(bench.Next().size(), 1u);
  EXPECT_LE(bench.now - granted, std::chrono::hours(15));
}

TEST(PortMappingHostileTest, AMappingTakenAwayIsLost) {  // RFC 6887 §15
  GatewayBench bench;
  const Octets request = bench.MapByPcp();
  ASSERT_TRUE(bench.Take<event::Mapped>());
  bench.Hear(PcpAnswer{.lifetime = 0}.To(request));
  EXPECT_TRUE(bench.Take<event::Lost>());
  EXPECT_TRUE(bench.Take<event::Failed>());
  EXPECT_TRUE(bench.Sent().empty());
  EXPECT_EQ(bench.Next().size(), 1u);
  EXPECT_GE(bench.now, Timestamp::FromEpoch(seconds(1030)));
}

TEST(PortMappingHostileTest, AForgedVersionIsNotBelievedAfterAProvenAnswer) {  // RFC 6887 §9
  GatewayBench bench;
  bench.MapByPcp();
  ASSERT_TRUE(bench.Take<event::Mapped>());
  bench.Hear({0, 129, 0, 1, 0, 0, 0, 9});
  EXPECT_EQ(bench.Dropped(DropReason::kUnexpected), 1u);
  EXPECT_TRUE(bench.Sent().empty());
  bench.client.HandleUnreachable(bench.now, kGateway);
  EXPECT_FALSE(bench.client.PollEvent());
  EXPECT_EQ(bench.Next().size(), 1u);  // the renewal
}

TEST(PortMappingHostileTest, AGatewayThatContradictsItselfIsNotFollowedForEver) {
  GatewayBench bench;
  ASSERT_TRUE(bench.client.Map(bench.now, 40000));
  size_t sent = bench.Sent().size();
  for (int i = 0; i < 1000; ++i) {
    bench.Hear({0, 129, 0, 1, 0, 0, 0, 9});
    sent += bench.Sent().size();
    bench.Hear(PcpAnswer{.result = 1}.To(Octets(60)));
    sent += bench.Sent().size();
  }
  EXPECT_LE(sent, 4u);
}

TEST(PortMappingHostileTest, RandomOctetsChangeNothing) {
  GatewayBench bench;
  bench.MapByPcp();
  ASSERT_TRUE(bench.Take<event::Mapped>());
  Rng rng = Rng::FromNumber(77);
  for (int i = 0; i < 20000; ++i) {
    Octets noise(rng.Below(80));
    rng.Fill(noise);
    if (!noise.empty() && rng.Below(2) == 0) noise[0] = static_cast<uint8_t>(rng.Below(3));
    if (noise.size() > 1 && rng.Below(2) == 0) noise[1] |= 0x80;
    bench.Hear(noise);
  }
  EXPECT_FALSE(bench.client.PollEvent());
  EXPECT_TRUE(bench.Sent().empty());
}

}  // namespace
}  // namespace jsp::portmap
