// RFC 9260 §5.2.6, §3.3.2.1.3: cookies that are called stale, and cookies that live longer on request.
#include "sctp/packet/error_cause/stale_cookie.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <vector>

#include "sctp/association/handshake.h"
#include "sctp/packet/chunk/error.h"
#include "sctp/packet/parameter/cookie_preservative.h"
#include "sctp/packet/parameter/state_cookie.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

const RawChunk kStale{9, 0, {0, 3, 0, 8, 0, 0, 0, 1}};

std::optional<uint32_t> IncrementOf(const InitChunk& init) {
  for (const ParameterView parameter : init.parameters) {
    if (const auto preservative = CookiePreservative::Parse(parameter)) return preservative->increment_ms;
  }
  return std::nullopt;
}

// The peer answers the core's INIT in `sent`, and lets the COOKIE ECHO travel for 150 ms in all.
std::vector<SentPacket> AnswerInit(ScriptedPeer& peer, const std::vector<SentPacket>& sent) {
  const auto inits = ChunksOf<InitChunk>(sent);
  EXPECT_EQ(inits.size(), 1u);
  if (inits.empty()) return {};
  peer.core_tag = inits[0].initiate_tag;
  peer.core_initial_tsn = inits[0].initial_tsn;
  const auto parameters = peer.WithCookie("a cookie");
  auto echo = peer.Deliver(peer.OwnInitAck(parameters));
  EXPECT_EQ(ChunksOf<CookieEchoChunk>(echo).size(), 1u);
  peer.now = peer.now + 150ms;
  return echo;
}

TEST(StaleCookieTest, AsksForACookieThatLivesLonger) {  // RFC 9260 §5.2.6, alternative 3
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  auto init = peer.Drain();
  EXPECT_FALSE(IncrementOf(ChunksOf<InitChunk>(init)[0]));
  AnswerInit(peer, init);
  const VerificationTag tag = peer.core_tag;
  const Tsn initial_tsn = peer.core_initial_tsn;
  init = peer.Deliver(kStale);
  EXPECT_EQ(peer.core.state(), State::kCookieWait);
  ASSERT_EQ(init.size(), 1u);
  EXPECT_EQ(init[0].header().verification_tag, VerificationTag(0));
  // The round trip and a second.
  EXPECT_EQ(IncrementOf(ChunksOf<InitChunk>(init)[0]), 1150u);
  // The answer may come from another incarnation of the peer's.
  peer.config.tag = VerificationTag(4711);
  peer.config.initial_tsn = peer.next_tsn = Tsn(77);
  const auto echo = AnswerInit(peer, init);
  EXPECT_EQ(echo[0].header().verification_tag, VerificationTag(4711));
  EXPECT_EQ(peer.core_tag, tag);
  EXPECT_EQ(peer.core_initial_tsn, initial_tsn);
  peer.Deliver(CookieAckChunk{});
  EXPECT_EQ(peer.core.state(), State::kEstablished);
  EXPECT_TRUE(peer.NextEvent<event::Connected>());
  peer.Deliver(peer.NextData(1, 0, kHello));
  EXPECT_TRUE(peer.NextEvent<event::MessageReceived>());
}

TEST(StaleCookieTest, LosesNothingThatWasSentBehindTheStaleCookie) {  // RFC 9260 §5.1 C, RFC 9260 §5.2.6
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 100)));
  const auto echo = AnswerInit(peer, peer.Drain());
  ASSERT_EQ(ChunksOf<DataChunk>(echo).size(), 1u);
  const auto init = peer.Deliver(kStale);
  EXPECT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 100)));
  AnswerInit(peer, init);
  peer.Deliver(CookieAckChunk{});
  // The first one is repeated after T3-rtx, under the TSN that it had.
  std::vector<Tsn> tsns;
  const auto sent = peer.Wait(3s);
  for (const DataChunk& data : ChunksOf<DataChunk>(sent)) tsns.push_back(data.tsn);
  EXPECT_NE(std::find(tsns.begin(), tsns.end(), peer.core_initial_tsn), tsns.end());
  peer.Deliver(peer.SackUpTo(Tsn(peer.core_initial_tsn.value + 1)));
  EXPECT_EQ(peer.core.metrics().outstanding_bytes, 0u);
  EXPECT_EQ(peer.core.send_buffer_room(), Options{}.max_send_buffer);
}

TEST(StaleCookieTest, C13_GivesUpAfterThreeNewCookies) {  // RFC 9260 §5.2.6
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  auto init = peer.Drain();
  for (int i = 0; i < 3; ++i) {
    AnswerInit(peer, init);
    init = peer.Deliver(kStale);
  }
  AnswerInit(peer, init);
  EXPECT_TRUE(peer.Deliver(kStale).empty());
  EXPECT_EQ(peer.NextEvent<event::Aborted>()->cause, AbortCause::kNoHandshake);
}

TEST(StaleCookieTest, IgnoresTheErrorInOtherStates) {  // RFC 9260 §5.2.6
  EstablishedPeer established;
  EXPECT_TRUE(established.Deliver(kStale).empty());
  EXPECT_EQ(established.core.state(), State::kEstablished);
  ScriptedPeer waiting;
  waiting.core.Connect(waiting.now);
  waiting.core_tag = ChunksOf<InitChunk>(waiting.Drain())[0].initiate_tag;
  EXPECT_TRUE(waiting.Deliver(kStale).empty());
  EXPECT_EQ(waiting.core.state(), State::kCookieWait);
}

TEST(StaleCookieTest, FailsWhenThePeerIsNotWhatItWas) {  // RFC 9260 §5.1.1
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  AnswerInit(peer, peer.Drain());
  const auto init = peer.Deliver(kStale);
  peer.config.streams = 5;
  const auto parameters = peer.WithCookie("a cookie");
  peer.Deliver(peer.OwnInitAck(parameters));
  EXPECT_EQ(peer.NextEvent<event::Aborted>()->cause, AbortCause::kNoHandshake);
}

TEST(StaleCookieTest, C14_APeersOwnCookieEndsTheRetry) {  // RFC 9260 §5.2.1, §5.2.4 B
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  AnswerInit(peer, peer.Drain());
  peer.Deliver(kStale);
  const auto answer = peer.DeliverWithTag(VerificationTag(0), peer.OwnInit());
  const auto init_acks = ChunksOf<InitAckChunk>(answer);
  ASSERT_EQ(init_acks.size(), 1u);
  for (const ParameterView parameter : init_acks[0].parameters) {
    if (const auto cookie = StateCookieParameter::Parse(parameter)) peer.Deliver(CookieEchoChunk{cookie->value});
  }
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(StaleCookieTest, ACookieLivesLongerOnRequestButNotForEver) {  // RFC 9260 §3.3.2.1.3
  struct Case {
    uint32_t increment_ms;
    Duration age;
    bool accepted;
  };
  for (const Case& c : {Case{2000, 61500ms, true}, Case{2000, 62500ms, false}, Case{0, 60500ms, false},
                        Case{0xffffffff, 69500ms, true}, Case{0xffffffff, 70500ms, false}}) {
    SCOPED_TRACE(c.increment_ms);
    ScriptedPeer peer;
    peer.config.parameters.resize(8);
    ByteWriter writer(peer.config.parameters);
    CookiePreservative{.increment_ms = c.increment_ms}.Write(writer);
    const auto answer = peer.DeliverWithTag(VerificationTag(0), peer.OwnInit());
    const auto init_acks = ChunksOf<InitAckChunk>(answer);
    ASSERT_EQ(init_acks.size(), 1u);
    peer.core_tag = init_acks[0].initiate_tag;
    peer.Wait(c.age);
    for (const ParameterView parameter : init_acks[0].parameters) {
      const auto cookie = StateCookieParameter::Parse(parameter);
      if (!cookie) continue;
      const auto sent = peer.Deliver(CookieEchoChunk{cookie->value});
      EXPECT_EQ(ChunksOf<CookieAckChunk>(sent).size(), c.accepted ? 1u : 0u);
      EXPECT_EQ(ChunksOf<ErrorChunk>(sent).size(), c.accepted ? 0u : 1u);
    }
  }
}

TEST(StaleCookieTest, TwoEndsAgreeOnALongerLifeByThemselves) {  // RFC 9260 §5.2.6
  AssociationPair::Config config{.link = {.delay = 200ms}};
  config.z.cookie_lifetime = 100ms;  // less than a round trip
  AssociationPair pair(config);
  pair.a().Connect(pair.now());
  ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 5000)));
  ASSERT_TRUE(pair.RunUntil([&] { return pair.received(Side::kZ).size() == 1; }, 30s));
  EXPECT_GT(pair.z().metrics().dropped[static_cast<size_t>(DropReason::kStaleCookie)], 0u);
  EXPECT_EQ(pair.a().state(), State::kEstablished);
}

}  // namespace
}  // namespace jsp::sctp
