// Rules of RFC 9260 at the edges of its procedures, one association against scripted packets.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "sctp/association/capabilities.h"
#include "sctp/packet/chunk/abort.h"
#include "sctp/packet/chunk/heartbeat.h"
#include "sctp/packet/chunk/heartbeat_ack.h"
#include "sctp/packet/chunk/i_forward_tsn.h"
#include "sctp/packet/chunk/shutdown.h"
#include "sctp/packet/chunk/shutdown_ack.h"
#include "sctp/packet/parameter/state_cookie.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Types = std::vector<ChunkType>;

Tsn Before(Tsn tsn) { return Tsn(tsn.value - 1); }

std::vector<uint8_t> CookieOf(const std::vector<SentPacket>& sent) {
  for (const InitAckChunk& init_ack : ChunksOf<InitAckChunk>(sent)) {
    for (const ParameterView parameter : init_ack.parameters) {
      if (const auto cookie = StateCookieParameter::Parse(parameter)) {
        return {cookie->value.begin(), cookie->value.end()};
      }
    }
  }
  return {};
}

// Puts the association into COOKIE-ECHOED; its tag.
VerificationTag EchoCookie(ScriptedPeer& peer) {
  peer.core.Connect(peer.now);
  const auto sent = peer.Drain();
  const VerificationTag tag = ChunksOf<InitChunk>(sent)[0].initiate_tag;
  const auto parameters = peer.WithCookie("c");
  peer.DeliverWithTag(tag, peer.OwnInitAck(parameters));
  EXPECT_EQ(peer.core.state(), State::kCookieEchoed);
  return tag;
}

void FixChecksum(std::vector<uint8_t>& packet) {
  const uint32_t crc = PacketChecksum(packet);
  for (size_t i = 0; i < 4; ++i) packet[8 + i] = static_cast<uint8_t>(crc >> (8 * i));
}

TEST(EndpointRulesTest, TheLengthOfInitMayCountItsFinalPadding) {  // RFC 9260 §3.2
  for (const int length : {26, 28}) {
    ScriptedPeer peer({.parameters = {0xbf, 0xff, 0, 6, 1, 2}});  // an unknown parameter of six octets, to be skipped
    auto packet = peer.Compose(VerificationTag(0), peer.OwnInit());
    ASSERT_EQ(packet.size(), kCommonHeaderSize + 28);
    packet[kCommonHeaderSize + 3] = static_cast<uint8_t>(length);
    FixChecksum(packet);
    peer.HandOver(packet);
    EXPECT_EQ(ChunksOf<InitAckChunk>(peer.Drain()).size(), 1u) << length;
  }
}

TEST(EndpointRulesTest, TheFlagsOfInitMeanNothing) {  // RFC 9260 §3.3.2
  ScriptedPeer peer;
  auto packet = peer.Compose(VerificationTag(0), peer.OwnInit());
  packet[kCommonHeaderSize + 1] = 0xff;
  FixChecksum(packet);
  peer.HandOver(packet);
  EXPECT_EQ(ChunksOf<InitAckChunk>(peer.Drain()).size(), 1u);
}

TEST(EndpointRulesTest, TakesALargeInitAckButNoCookieThatFitsNoPacket) {  // RFC 9260 §3.3.3
  for (const bool fits : {true, false}) {
    ScriptedPeer peer;
    peer.core.Connect(peer.now);
    const auto init = peer.Drain();
    const VerificationTag tag = ChunksOf<InitChunk>(init)[0].initiate_tag;
    std::vector<uint8_t> parameters = peer.WithCookie(fits ? "c" : std::string(3000, 'c'));
    if (fits) {
      parameters.insert(parameters.end(), {0xbf, 0xff, 0x0b, 0xb8});  // 3000 octets to be skipped
      parameters.resize(parameters.size() + 2996);
    }
    const auto sent = peer.DeliverWithTag(tag, peer.OwnInitAck(parameters));
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].types(), Types{fits ? ChunkType::kCookieEcho : ChunkType::kAbort});
    EXPECT_EQ(peer.core.state(), fits ? State::kCookieEchoed : State::kClosed);
  }
}

TEST(EndpointRulesTest, EveryHeartbeatHasANonceOfItsOwn) {  // RFC 9260 §3.3.5
  ScriptedPeer::Config config;
  config.options.association_max_retransmits = 1000;
  config.options.heartbeat_interval = 1s;
  EstablishedPeer peer(config);
  std::set<std::vector<uint8_t>> infos;
  const auto sent = peer.Wait(600s);
  const auto heartbeats = ChunksOf<HeartbeatChunk>(sent);
  for (const HeartbeatChunk& heartbeat : heartbeats) {
    infos.emplace(heartbeat.info.value.begin(), heartbeat.info.value.end());
  }
  EXPECT_GT(heartbeats.size(), 20u);
  EXPECT_EQ(infos.size(), heartbeats.size());
}

TEST(EndpointRulesTest, NothingIsTakenFromTheUserOnceThePeerShutDown) {  // RFC 9260 §4
  EstablishedPeer peer;
  EXPECT_EQ(ChunksOf<ShutdownAckChunk>(peer.Deliver(ShutdownChunk{Before(peer.core_initial_tsn)})).size(), 1u);
  ASSERT_EQ(peer.core.state(), State::kShutdownAckSent);
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(0, 10)).error(), SendError::kShuttingDown);
  EXPECT_TRUE(ChunksOf<DataChunk>(peer.Wait(60s)).empty());
}

TEST(EndpointRulesTest, C20_ARestartWhileItShutsDownIsRefused) {  // RFC 9260 §5.2.4
  // The peer restarts and gets a cookie while the association stands; by the time it echoes it, SHUTDOWN ACK is out.
  EstablishedPeer peer;
  InitChunk restart = peer.OwnInit();
  restart.initiate_tag = VerificationTag(4711);
  const auto answer = peer.DeliverWithTag(VerificationTag(0), restart);
  const auto cookie = CookieOf(answer);
  ASSERT_FALSE(cookie.empty());
  peer.Deliver(ShutdownChunk{Before(peer.core_initial_tsn)});
  ASSERT_EQ(peer.core.state(), State::kShutdownAckSent);
  const auto sent = peer.DeliverWithTag(ChunksOf<InitAckChunk>(answer)[0].initiate_tag, CookieEchoChunk{cookie});
  EXPECT_EQ(peer.core.state(), State::kShutdownAckSent);
  EXPECT_EQ(ChunksOf<ShutdownAckChunk>(sent).size(), 1u);
  const auto errors = ChunksOf<ErrorChunk>(sent);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(CausesOf(errors[0]), std::vector<CauseCode>{CauseCode::kCookieReceivedWhileShuttingDown});
  EXPECT_FALSE(peer.NextEvent<event::Restarted>());
}

TEST(EndpointRulesTest, C13_ACookieUnderTheTagZeroIsDropped) {  // RFC 9260 §5.1.5, §8.5.1
  ScriptedPeer peer;
  const auto answer = peer.DeliverWithTag(VerificationTag(0), peer.OwnInit());
  const auto cookie = CookieOf(answer);
  EXPECT_TRUE(peer.DeliverWithTag(VerificationTag(0), CookieEchoChunk{cookie}, peer.NextData(0, 0, kHello)).empty());
  EXPECT_EQ(peer.core.state(), State::kClosed);
  EXPECT_EQ(peer.dropped(DropReason::kBadCookie), 1u);
}

TEST(EndpointRulesTest, WhatCannotBeDeliveredYetShrinksTheWindow) {  // RFC 9260 §6.2
  EstablishedPeer peer;
  const auto payload = MakeMessage(0, 1000).payload;
  std::vector<uint32_t> windows;
  for (int i = 0; i < 20; ++i) {
    DataChunk data = peer.NextData(0, 0, payload);
    data.beginning = i == 0;
    data.end = false;
    peer.Deliver(data);
    for (const SackChunk& sack : ChunksOf<SackChunk>(peer.Wait(1s))) windows.push_back(sack.a_rwnd);
  }
  ASSERT_GE(windows.size(), 2u);
  for (size_t i = 1; i < windows.size(); ++i) EXPECT_LT(windows[i], windows[i - 1]);
  EXPECT_LE(windows.back() + 18000, windows.front());
}

TEST(EndpointRulesTest, AcknowledgedDataStartsTheErrorCountAnew) {  // RFC 9260 §8.1
  // Eight transmissions of each message are lost, the ninth arrives: ten losses in a row never come together.
  EstablishedPeer peer;
  for (uint32_t message = 0; message < 5; ++message) {
    ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 10)));
    size_t transmissions = ChunksOf<DataChunk>(peer.Drain()).size();
    while (transmissions < 9 && peer.core.state() == State::kEstablished) {
      transmissions += ChunksOf<DataChunk>(peer.Wait(100ms)).size();
    }
    peer.Deliver(peer.SackUpTo(Tsn(peer.core_initial_tsn.value + message)));
    EXPECT_EQ(peer.core.metrics().outstanding_bytes, 0u);
  }
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(EndpointRulesTest, AnswersHeartbeatsFromCookieEchoedUntilItShutsDown) {  // RFC 9260 §8.3
  const std::vector<uint8_t> info{1, 2, 3, 4, 5};
  // What comes in COOKIE-ECHOED is answered with the first packet that may follow COOKIE ECHO (RFC 9260 §5.1 C).
  ScriptedPeer early;
  const VerificationTag tag = EchoCookie(early);
  EXPECT_TRUE(early.DeliverWithTag(tag, HeartbeatChunk{.info = {info}}).empty());
  EXPECT_EQ(ChunksOf<HeartbeatAckChunk>(early.DeliverWithTag(tag, CookieAckChunk{})).size(), 1u);
  // SHUTDOWN-PENDING and SHUTDOWN-RECEIVED: data is outstanding.
  for (const bool we_began : {true, false}) {
    EstablishedPeer peer;
    ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 10)));
    peer.Drain();
    if (we_began) {
      peer.core.Shutdown(peer.now);
    } else {
      peer.Deliver(ShutdownChunk{Before(peer.core_initial_tsn)});
    }
    EXPECT_EQ(ChunksOf<HeartbeatAckChunk>(peer.Deliver(HeartbeatChunk{.info = {info}})).size(), 1u) << we_began;
  }
  // Before COOKIE-ECHOED there is nobody to answer.
  ScriptedPeer waiting;
  waiting.core.Connect(waiting.now);
  const auto init = waiting.Drain();
  EXPECT_TRUE(
      waiting.DeliverWithTag(ChunksOf<InitChunk>(init)[0].initiate_tag, HeartbeatChunk{.info = {info}}).empty());
}

TEST(EndpointRulesTest, ShutdownInCookieEchoedIsIgnored) {  // RFC 9260 §9.2
  ScriptedPeer peer;
  const VerificationTag tag = EchoCookie(peer);
  EXPECT_TRUE(peer.DeliverWithTag(tag, ShutdownChunk{Tsn(1)}).empty());
  EXPECT_EQ(peer.core.state(), State::kCookieEchoed);
}

TEST(EndpointRulesTest, IForwardTsnIsAViolationWhereDataWasNegotiated) {  // RFC 8260 §2.3.1
  EstablishedPeer peer;
  const auto sent = peer.Deliver(IForwardTsnChunk{peer.config.initial_tsn, {}});
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].types(), Types{ChunkType::kAbort});
  EXPECT_EQ(CausesOf(ChunksOf<AbortChunk>(sent)[0]), std::vector<CauseCode>{CauseCode::kProtocolViolation});
}

}  // namespace
}  // namespace jsp::sctp
