// RFC 8899 §6.2, RFC 9260 §7.3: probes of the path MTU on the wire, and what their answers change.
#include "sctp/association/path_probe.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "sctp/packet/chunk/heartbeat.h"
#include "sctp/packet/chunk/heartbeat_ack.h"
#include "sctp/packet/chunk/pad.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;

ScriptedPeer::Config Discovering() {
  ScriptedPeer::Config config{.parameters = ScriptedPeer::AllExtensions()};
  config.options.path_mtu_discovery = true;
  config.options.path_overhead = 65;
  config.options.min_path_mtu = 576;
  return config;
}

std::vector<SentPacket> ProbesIn(const std::vector<SentPacket>& packets) {
  std::vector<SentPacket> probes;
  for (const SentPacket& packet : packets) {
    if (packet.types() == std::vector{ChunkType::kHeartbeat, ChunkType::kPad}) probes.push_back(packet);
  }
  return probes;
}

std::vector<uint8_t> InfoOf(const SentPacket& packet) {
  const auto heartbeat = HeartbeatChunk::Parse(packet.chunks()[0]);
  return {heartbeat->info.value.begin(), heartbeat->info.value.end()};
}

std::vector<SentPacket> Acknowledge(ScriptedPeer& peer, const SentPacket& probe) {
  const auto info = InfoOf(probe);
  return peer.Deliver(HeartbeatAckChunk{.info = {info}});
}

// Established, with the probe of the base size sent and not answered.
struct DiscoveringPeer : EstablishedPeer {
  explicit DiscoveringPeer(Config given = Discovering()) : EstablishedPeer(std::move(given)) {
    const auto probes = ProbesIn(Drain());
    EXPECT_EQ(probes.size(), 1u);
    base_probe = probes.at(0);
  }
  SentPacket base_probe;
};

TEST(PathProbeTest, IsAHeartbeatOfMinimumLengthAndPaddingUpToTheSize) {  // RFC 8899 §6.2, RFC 4820 §3
  DiscoveringPeer peer;
  EXPECT_EQ(peer.base_probe.octets.size(), 1188u);
  EXPECT_EQ(ChunksOf<HeartbeatChunk>({peer.base_probe})[0].Size(), 16u);
  EXPECT_EQ(ChunksOf<PadChunk>({peer.base_probe})[0].size, 1188u - 12 - 16);
  EXPECT_EQ(peer.base_probe.fragmentation, IpFragmentation::kForbidden);  // RFC 8899 §3 item 2
  const auto next = ProbesIn(Acknowledge(peer, peer.base_probe));
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].octets.size(), 1432u);
  EXPECT_TRUE(Acknowledge(peer, next[0]).empty());
  EXPECT_EQ(peer.core.metrics().packet_size, 1432u);
  EXPECT_EQ(peer.core.metrics().path_mtu_state, PathMtuState::kSearchComplete);
}

TEST(PathProbeTest, NothingIsProbedUnlessTheOwnerAsks) {  // RFC 8261 §5: a safe size where DF is not under control
  EstablishedPeer peer;
  EXPECT_TRUE(ProbesIn(peer.Wait(29s)).empty());
  EXPECT_EQ(peer.core.metrics().packet_size, Options{}.max_packet_size);
  EXPECT_EQ(peer.core.metrics().path_mtu_state, PathMtuState::kDisabled);
}

TEST(PathProbeTest, SendsNewDataInPacketsOfTheSizeThatWasFound) {  // RFC 9260 §6.9
  DiscoveringPeer peer;
  for (const auto& probe : ProbesIn(Acknowledge(peer, peer.base_probe))) Acknowledge(peer, probe);
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 20000)));
  const auto sent = peer.Drain();
  ASSERT_GE(sent.size(), 14u);
  for (size_t i = 0; i + 1 < sent.size(); ++i) EXPECT_EQ(sent[i].octets.size(), 1432u);
  EXPECT_EQ(sent.size(), (20000 + 1403) / 1404);
}

TEST(PathProbeTest, AGreaterSizeDoesNotOpenTheWindow) {  // RFC 8899 §3 item 7
  DiscoveringPeer peer;
  const auto before = peer.core.metrics();
  for (const auto& probe : ProbesIn(Acknowledge(peer, peer.base_probe))) Acknowledge(peer, probe);
  EXPECT_EQ(peer.core.metrics().cwnd, before.cwnd);
  EXPECT_EQ(peer.core.metrics().ssthresh, before.ssthresh);
}

TEST(PathProbeTest, ALostProbeIsNoSignOfCongestionAndNoError) {  // RFC 8899 §3 item 7, RFC 9260 §8.1
  DiscoveringPeer peer;
  const auto before = peer.core.metrics();
  auto first = ProbesIn(Acknowledge(peer, peer.base_probe));
  const auto sent = peer.Wait(25s);
  EXPECT_GE(ProbesIn(sent).size(), 5u);
  EXPECT_EQ(peer.core.metrics().cwnd, before.cwnd);
  EXPECT_EQ(peer.core.metrics().rto_us, before.rto_us);
  EXPECT_EQ(peer.core.metrics().t3_expiries, 0u);
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(PathProbeTest, PassesAFullCongestionWindow) {  // RFC 8899 §6.2: "without being limited by congestion control"
  DiscoveringPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 200000)));
  EXPECT_FALSE(peer.Drain().empty());
  EXPECT_EQ(ProbesIn(Acknowledge(peer, peer.base_probe)).size(), 1u);
}

TEST(PathProbeTest, C16_BelievesOnlyTheNonceOfTheProbeUnderWay) {
  DiscoveringPeer peer;
  const auto info = InfoOf(peer.base_probe);
  for (size_t i = 0; i < info.size(); ++i) {
    auto forged = info;
    forged[i] ^= 1;
    EXPECT_TRUE(peer.Deliver(HeartbeatAckChunk{.info = {forged}}).empty());
  }
  auto longer = info;
  longer.push_back(0);
  peer.Deliver(HeartbeatAckChunk{.info = {longer}});
  EXPECT_EQ(peer.dropped(DropReason::kBadNonce), info.size() + 1);
  EXPECT_EQ(peer.core.metrics().path_mtu_state, PathMtuState::kBase);
  // A replay does not confirm the next size.
  Acknowledge(peer, peer.base_probe);
  Acknowledge(peer, peer.base_probe);
  EXPECT_EQ(peer.dropped(DropReason::kBadNonce), info.size() + 2);
  EXPECT_EQ(peer.core.metrics().packet_size, 1188u);
}

TEST(PathProbeTest, C16_AnswersTheProbesOfAPeerWithoutTheirPadding) {  // RFC 4820 §3, RFC 8899 §6.2
  EstablishedPeer peer;
  const auto info = MakeMessage(0, 8).payload;
  for (const size_t padding : {4, 1160, 8000, 16000}) {
    const auto sent = peer.Deliver(HeartbeatChunk{.info = {info}}, PadChunk{padding});
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].octets.size(), 28u);
    EXPECT_EQ(sent[0].types(), std::vector{ChunkType::kHeartbeatAck});
  }
  EXPECT_EQ(peer.dropped(DropReason::kUnknownChunk), 0u);
}

TEST(PathProbeTest, P11_SaysOnceThatThePathCarriesOnlySmallPackets) {  // RFC 8899 §5.2, ERROR
  DiscoveringPeer peer;
  std::vector<SentPacket> sent;
  for (int i = 0; i < 100; ++i) {
    for (const SentPacket& packet : peer.Wait(100ms)) {
      sent.push_back(packet);
      if (packet.octets.size() < 200 && !ChunksOf<HeartbeatChunk>({packet}).empty()) Acknowledge(peer, packet);
    }
  }
  const auto stalled = peer.NextEvent<event::PathStalled>();
  ASSERT_TRUE(stalled.has_value());
  EXPECT_EQ(stalled->mtu, 573u);  // 508 octets of packet and 65 around it
  EXPECT_FALSE(peer.NextEvent<event::PathStalled>().has_value());
  EXPECT_TRUE(peer.core.metrics().path_stalled);
  // Data now goes out in packets that IP may cut.
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 1000)));
  for (const SentPacket& packet : peer.Drain()) {
    const bool has_data = !ChunksOf<DataChunk>({packet}).empty();
    EXPECT_EQ(packet.fragmentation, has_data ? IpFragmentation::kAllowed : IpFragmentation::kForbidden);
  }
  bool recovered = false;
  for (int i = 0; i < 700 && !recovered; ++i) {
    for (const SentPacket& packet : peer.Wait(100ms)) {
      if (!ChunksOf<HeartbeatChunk>({packet}).empty()) Acknowledge(peer, packet);
    }
    recovered = peer.NextEvent<event::PathRecovered>().has_value();
  }
  EXPECT_TRUE(recovered);
  EXPECT_FALSE(peer.core.metrics().path_stalled);
}

TEST(PathProbeTest, AnIdleAssociationSendsItsSearchAndThenHeartbeatsOnly) {  // RFC 8899 §5.1.1
  DiscoveringPeer peer;
  for (const auto& probe : ProbesIn(Acknowledge(peer, peer.base_probe))) Acknowledge(peer, probe);
  size_t packets = 0;
  for (int minute = 0; minute < 60; ++minute) {
    for (const SentPacket& packet : peer.Wait(60s)) {
      ++packets;
      EXPECT_EQ(packet.types(), std::vector{ChunkType::kHeartbeat});
      Acknowledge(peer, packet);
    }
  }
  EXPECT_LE(packets, 3600u / 30);
}

TEST(PathProbeTest, NothingIsProbedAfterAShutdownWasSent) {  // RFC 9260 §8.3
  DiscoveringPeer peer;
  peer.core.Shutdown(peer.now);
  EXPECT_TRUE(ProbesIn(peer.Wait(30s)).empty());
}

TEST(PathProbeTest, AnotherPathIsMeasuredAnewAndCongestionControlBegins) {  // RFC 8261 §6.1
  DiscoveringPeer peer;
  const size_t initial = peer.core.metrics().cwnd;
  for (const auto& probe : ProbesIn(Acknowledge(peer, peer.base_probe))) Acknowledge(peer, probe);
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 100000)));
  const auto sent = ChunksOf<DataChunk>(peer.Drain());
  peer.now = peer.now + 20ms;
  peer.Deliver(peer.SackUpTo(sent.back().tsn));
  EXPECT_GT(peer.core.metrics().cwnd, initial);
  peer.core.HandlePathChanged(peer.now, {.overhead = 85, .min_mtu = 1280});
  EXPECT_EQ(peer.core.metrics().packet_size, 1188u);
  EXPECT_EQ(peer.core.metrics().path_mtu_state, PathMtuState::kBase);
  const auto probes = ProbesIn(peer.Drain());
  ASSERT_EQ(probes.size(), 1u);
  EXPECT_EQ(peer.core.metrics().cwnd, initial);
  EXPECT_EQ(ProbesIn(Acknowledge(peer, probes[0])).at(0).octets.size(), (1500u - 85) & ~3u);
}

TEST(PathProbeTest, AHintOfARouterIsProbedAndForgedOnesStayAtTheBase) {  // RFC 8899 §4.6.2
  DiscoveringPeer peer;
  const auto largest = ProbesIn(Acknowledge(peer, peer.base_probe));
  peer.core.HandlePacketTooBig(peer.now, 1400);
  const auto hinted = ProbesIn(peer.Drain());
  ASSERT_EQ(hinted.size(), 1u);
  EXPECT_EQ(hinted[0].octets.size(), (1400u - 65) & ~3u);
  for (const auto& probe : ProbesIn(Acknowledge(peer, hinted[0]))) EXPECT_EQ(probe.octets.size(), 1432u);
  for (size_t forged = 0; forged < 1256; forged += 50) peer.core.HandlePacketTooBig(peer.now, forged);
  EXPECT_EQ(peer.core.metrics().packet_size, 1188u);
  EXPECT_GT(peer.core.metrics().packet_too_big_hints, 20u);
}

}  // namespace
}  // namespace jsp::sctp
