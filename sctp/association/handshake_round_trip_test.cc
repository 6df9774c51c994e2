// The handshake's round trip is the first measurement of the path (RFC 9260 §6.3.1), and the first window is paced by
// it.
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "sctp/testing/association_pair.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

AssociationPair::Config Path(Duration delay) {
  AssociationPair::Config config;
  config.link.delay = delay;
  return config;
}
bool Establish(AssociationPair& pair) {
  return pair.RunUntil(
      [&] { return pair.a().state() == State::kEstablished && pair.z().state() == State::kEstablished; }, 20s);
}

TEST(HandshakeRoundTripTest, BothSidesKnowIt) {
  AssociationPair pair(Path(40ms));
  ASSERT_TRUE(pair.Connect());
  EXPECT_EQ(pair.a().metrics().srtt_us, 80'000u);
  EXPECT_EQ(pair.z().metrics().srtt_us, 80'000u);
}

TEST(HandshakeRoundTripTest, TheSideThatOnlyAnsweredKnowsItByItsCookie) {
  AssociationPair pair(Path(40ms));
  pair.a().Connect(pair.now());
  ASSERT_TRUE(Establish(pair));
  EXPECT_EQ(pair.a().metrics().srtt_us, 80'000u);
  EXPECT_EQ(pair.z().metrics().srtt_us, 80'000u);
}

TEST(HandshakeRoundTripTest, ARepeatedChunkMeasuresNothing) {  // RFC 9260 §6.3.1 C5
  for (const ChunkType lost : {ChunkType::kInit, ChunkType::kCookieEcho}) {
    AssociationPair pair(Path(40ms));
    bool dropped = false;
    pair.set_filter([&](Side, std::span<const uint8_t> packet) {
      if (dropped || FirstChunk(packet) != lost) return false;
      return dropped = true;
    });
    pair.a().Connect(pair.now());
    ASSERT_TRUE(Establish(pair));
    // The other of the two exchanges was not repeated and counts; the 500 ms of T1 never show.
    EXPECT_EQ(pair.a().metrics().srtt_us, 80'000u);
    EXPECT_TRUE(pair.z().metrics().srtt_us == 80'000u || pair.z().metrics().srtt_us == 0u);
  }
}

TEST(HandshakeRoundTripTest, TheFirstWindowLeavesTenPacketsAtOnceAndTheRestPaced) {  // RFC 6928 §2
  AssociationPair pair(Path(50ms));
  ASSERT_TRUE(pair.Connect());
  std::vector<Timestamp> sent;
  pair.set_filter([&](Side from, std::span<const uint8_t> packet) {
    if (from == Side::kA && HasUserData(packet)) sent.push_back(pair.now());
    return false;
  });
  const Timestamp start = pair.now();
  ASSERT_TRUE(pair.a().Send(pair.now(), {StreamId(0), Ppid(53), std::vector<uint8_t>(200'000)}));
  pair.Run(99ms);  // before the first SACK
  const size_t window = Options{}.initial_window_packets;
  ASSERT_EQ(sent.size(), window);
  EXPECT_EQ(sent[9], start);
  EXPECT_GT(sent[12], start);
  // Twice the window in a round trip (slow start): 14 of 24 packets take 14/24 of half of it, 29 ms.
  EXPECT_GT(sent.back() - start, 20ms);
  EXPECT_LT(sent.back() - start, 40ms);
}

}  // namespace
}  // namespace jsp::sctp
