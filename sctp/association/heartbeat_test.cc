// RFC 9260 §8.1, §8.3: heartbeats of an idle association, and answers to the peer's.
#include "sctp/association/heartbeat.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <vector>

#include "sctp/packet/chunk/heartbeat.h"
#include "sctp/packet/chunk/heartbeat_ack.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;

std::vector<uint8_t> InfoOf(const HeartbeatChunk& heartbeat) {
  return {heartbeat.info.value.begin(), heartbeat.info.value.end()};
}

TEST(HeartbeatTest, ProbesAnIdlePathEveryIntervalPlusRtoWithJitter) {  // RFC 9260 §8.3
  std::set<Timestamp> times;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    ScriptedPeer peer({.seed = seed});
    peer.EstablishAsServer();
    const auto sent = peer.Wait(32s);
    ASSERT_EQ(ChunksOf<HeartbeatChunk>(sent).size(), 1u);
    const Duration after = sent[0].at - Timestamp::FromEpoch(100s);
    EXPECT_GE(after, 30s + 250ms);  // RTO.Initial is 500 ms
    EXPECT_LE(after, 30s + 750ms);
    times.insert(sent[0].at);
  }
  EXPECT_GE(times.size(), 4u) << "they fall on common instants, 100 ms apart, and are still spread";
}

TEST(HeartbeatTest, DoesNotProbeWhileDataIsSent) {  // RFC 9260 §8.3: not idle
  ScriptedPeer peer;
  peer.EstablishAsServer();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 10)));
    const auto sent = peer.Wait(100ms);
    EXPECT_TRUE(ChunksOf<HeartbeatChunk>(sent).empty());
    for (const DataChunk& data : ChunksOf<DataChunk>(sent)) peer.Deliver(peer.SackUpTo(data.tsn));
    EXPECT_TRUE(ChunksOf<HeartbeatChunk>(peer.Wait(900ms)).empty());
  }
}

TEST(HeartbeatTest, C16_StopsCountingOnlyForTheRightNonce) {  // RFC 9260 §8.3, §3.3.5
  ScriptedPeer peer;
  peer.EstablishAsServer();
  const auto sent = peer.Wait(31s);
  ASSERT_EQ(ChunksOf<HeartbeatChunk>(sent).size(), 1u);
  const auto info = InfoOf(ChunksOf<HeartbeatChunk>(sent)[0]);
  ASSERT_GE(info.size(), 8u);
  for (size_t i = 0; i < info.size(); ++i) {
    auto forged = info;
    forged[i] ^= 1;
    peer.Deliver(HeartbeatAckChunk{.info = {forged}});
  }
  auto longer = info;
  longer.push_back(0);
  peer.Deliver(HeartbeatAckChunk{.info = {longer}});
  peer.Deliver(HeartbeatAckChunk{.info = {std::span(info).first(4)}});
  EXPECT_EQ(peer.dropped(DropReason::kBadNonce), info.size() + 2);
  EXPECT_EQ(peer.core.metrics().srtt_us, 0u);
  peer.now = peer.now + 40ms;
  peer.Deliver(HeartbeatAckChunk{.info = {info}});
  EXPECT_GT(peer.core.metrics().srtt_us, 0u);
  // Once only: a replay has nothing to answer.
  peer.Deliver(HeartbeatAckChunk{.info = {info}});
  EXPECT_EQ(peer.dropped(DropReason::kBadNonce), info.size() + 3);
}

TEST(HeartbeatTest, ClosesTheAssociationWhenNothingIsAnswered) {  // RFC 9260 §8.1
  ScriptedPeer peer;
  peer.EstablishAsServer();
  const auto sent = peer.Wait(3600s);
  EXPECT_EQ(ChunksOf<HeartbeatChunk>(sent).size(), Options{}.association_max_retransmits + 1);
  EXPECT_EQ(peer.NextEvent<event::Aborted>()->cause, AbortCause::kTooManyRetransmissions);
  EXPECT_EQ(peer.core.NextTimeout(), Timestamp::Never());
}

TEST(HeartbeatTest, AnAnswerStartsTheErrorCountAnew) {  // RFC 9260 §8.1
  ScriptedPeer peer;
  peer.EstablishAsServer();
  for (int i = 0; i < 30; ++i) {
    const auto sent = peer.Wait(31s);
    if (i % 9 != 8) continue;  // eight are lost, the ninth is answered
    for (const HeartbeatChunk& heartbeat : ChunksOf<HeartbeatChunk>(sent)) {
      const auto info = InfoOf(heartbeat);
      peer.Deliver(HeartbeatAckChunk{.info = {info}});
    }
  }
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(HeartbeatTest, ZeroIntervalTurnsThemOff) {
  ScriptedPeer peer;
  peer.config.options.heartbeat_interval = Duration::zero();
  ScriptedPeer quiet(peer.config);
  quiet.EstablishAsServer();
  EXPECT_TRUE(quiet.Wait(600s).empty());
  EXPECT_EQ(quiet.core.NextTimeout(), Timestamp::Never());
}

TEST(HeartbeatTest, ReturnsTheInfoByteForByte) {  // RFC 9260 §3.3.6
  ScriptedPeer peer;
  peer.EstablishAsServer();
  for (size_t size = 1; size <= 1000; ++size) {
    const auto info = MakeMessage(0, size, static_cast<uint8_t>(size)).payload;
    const auto sent = peer.Deliver(HeartbeatChunk{.info = {info}});
    const auto acks = ChunksOf<HeartbeatAckChunk>(sent);
    ASSERT_EQ(acks.size(), 1u);
    ASSERT_EQ(std::vector<uint8_t>(acks[0].info.value.begin(), acks[0].info.value.end()), info);
  }
}

TEST(HeartbeatTest, C16_DoesNotEchoWhatExceedsAPacket) {
  ScriptedPeer peer;
  peer.EstablishAsServer();
  for (const size_t size : {1180, 4000, 60000}) {
    const auto info = MakeMessage(0, size).payload;
    EXPECT_TRUE(peer.Deliver(HeartbeatChunk{.info = {info}}).empty()) << size;
  }
  EXPECT_EQ(peer.dropped(DropReason::kBadChunk), 3u);
}

TEST(HeartbeatTest, FiftyHeartbeatsInOnePacketAreAnsweredInOnePacket) {  // RFC 9260 §12.4
  ScriptedPeer peer;
  peer.EstablishAsServer();
  std::vector<uint8_t> packet(10000);
  PacketBuilder builder(packet, {5000, 5000, peer.core_tag});
  const auto info = MakeMessage(0, 100).payload;
  for (int i = 0; i < 50; ++i) builder.Add(HeartbeatChunk{.info = {info}});
  packet.resize(builder.Finish());
  peer.HandOver(packet);
  EXPECT_EQ(peer.Drain().size(), 1u);
}

}  // namespace
}  // namespace jsp::sctp
