// RFC 9260 §5: establishment, collisions, restarts, and cookies that nobody should believe.
#include "sctp/association/handshake.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string_view>
#include <vector>

#include "sctp/packet/chunk/abort.h"
#include "sctp/packet/chunk/shutdown.h"
#include "sctp/packet/chunk/shutdown_ack.h"
#include "sctp/packet/parameter/state_cookie.h"
#include "sctp/packet/parameter/unrecognized_parameter.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;
using Types = std::vector<ChunkType>;

std::vector<uint8_t> CookieOf(const InitAckChunk& init_ack) {
  for (const ParameterView parameter : init_ack.parameters) {
    if (const auto cookie = StateCookieParameter::Parse(parameter)) return {cookie->value.begin(), cookie->value.end()};
  }
  return {};
}

// The INIT ACK to an INIT of `peer`, copied out of its packet.
struct Offer {
  VerificationTag tag;
  Tsn initial_tsn;
  std::vector<uint8_t> cookie;
};
Offer AskForCookie(ScriptedPeer& peer, const InitChunk& init) {
  const auto answer = peer.DeliverWithTag(VerificationTag(0), init);
  const auto init_ack = ChunksOf<InitAckChunk>(answer);
  if (init_ack.size() != 1) return {};
  EXPECT_EQ(answer[0].header().verification_tag, init.initiate_tag);  // RFC 9260 §5.1 B
  return {init_ack[0].initiate_tag, init_ack[0].initial_tsn, CookieOf(init_ack[0])};
}

TEST(HandshakeTest, SendsInitAloneWithTagZeroAndItsExtensions) {  // RFC 9260 §8.5.1 A, RFC 3758 §3.1, RFC 6525 §5.1.1
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  const auto sent = peer.Drain();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].types(), Types{ChunkType::kInit});
  EXPECT_EQ(sent[0].header().verification_tag, VerificationTag(0));
  const auto init = ChunksOf<InitChunk>(sent)[0];
  EXPECT_FALSE(init.Defect());
  const InitParameters parameters = ReadParameters(init.parameters);
  EXPECT_EQ(
      parameters.capabilities,
      (Capabilities{.partial_reliability = true, .stream_reset = true, .interleaving = true, .zero_checksum = true}));
  for (const ParameterView parameter : init.parameters) {  // RFC 8261 §6.1
    EXPECT_NE(parameter.type, ParameterType::kIpv4Address);
    EXPECT_NE(parameter.type, ParameterType::kSupportedAddressTypes);
  }
}

TEST(HandshakeTest, DoesNotCountThePaddingOfTheLastParameter) {  // RFC 9260 §3.2
  Options options;
  options.interleaving = options.zero_checksum = false;
  ScriptedPeer peer({.options = options});
  peer.core.Connect(peer.now);
  const auto sent = peer.Drain();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].chunks()[0].octets.size(), 20u + 4 + 6);  // Supported Extensions with two types
  EXPECT_EQ(sent[0].octets.size(), 12u + 32);
}

TEST(HandshakeTest, DoesNotCountThePaddingOfTheLastCause) {  // RFC 9260 §3.2, §3.3.7
  EstablishedPeer peer;
  peer.core.Abort(peer.now, "abc");
  const auto sent = peer.Drain();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].chunks()[0].octets.size(), 4u + 4 + 3);
  EXPECT_EQ(sent[0].octets.size(), 12u + 12);
}

TEST(HandshakeTest, DrawsAFreshTagAndTsnForEveryAssociation) {  // RFC 9260 §3.3.2
  std::set<uint32_t> tags;
  std::set<uint32_t> tsns;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    ScriptedPeer peer({.seed = seed, .core_initial_tsn = std::nullopt});
    peer.core.Connect(peer.now);
    const auto sent = peer.Drain();
    const auto init = ChunksOf<InitChunk>(sent)[0];
    tags.insert(init.initiate_tag.value);
    tsns.insert(init.initial_tsn.value);
  }
  EXPECT_EQ(tags.size(), 100u);
  EXPECT_EQ(tsns.size(), 100u);
}

TEST(HandshakeTest, RepeatsTheSameInitWithDoublingTimeoutsAndThenFails) {  // RFC 9260 §4
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  const auto sent = peer.Wait(300s);
  ASSERT_EQ(sent.size(), 9u);  // one, and Max.Init.Retransmits
  EXPECT_EQ(sent[1].at - sent[0].at, 500ms);
  EXPECT_EQ(sent[2].at - sent[1].at, 1s);
  EXPECT_EQ(sent[3].at - sent[2].at, 2s);
  EXPECT_EQ(sent[8].at - sent[7].at, 10s);
  for (const SentPacket& packet : sent) EXPECT_EQ(packet.octets, sent[0].octets);
  const auto aborted = peer.NextEvent<event::Aborted>();
  ASSERT_TRUE(aborted);
  EXPECT_EQ(aborted->cause, AbortCause::kNoHandshake);
  EXPECT_EQ(peer.core.NextTimeout(), Timestamp::Never());
}

TEST(HandshakeTest, AnswersInitAckWithTheCookieByteForByteAndDataBehindIt) {  // RFC 9260 §5.1 C
  ScriptedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 100)));
  peer.core.Connect(peer.now);
  const auto init = ChunksOf<InitChunk>(peer.Drain())[0];
  const auto parameters = peer.WithCookie("any cookie, of any length!");
  const auto sent = peer.DeliverWithTag(init.initiate_tag, peer.OwnInitAck(parameters));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].types(), (Types{ChunkType::kCookieEcho, ChunkType::kData}));
  EXPECT_EQ(sent[0].header().verification_tag, peer.config.tag);
  const auto cookie = ChunksOf<CookieEchoChunk>(sent)[0].cookie;
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(cookie.data()), cookie.size()),
            "any cookie, of any length!");
  EXPECT_EQ(peer.core.state(), State::kCookieEchoed);
}

TEST(HandshakeTest, SendsNothingButCookieEchoUntilCookieAck) {  // RFC 9260 §5.1 C, RFC 9260 §4
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  const auto init = ChunksOf<InitChunk>(peer.Drain())[0];
  const auto parameters = peer.WithCookie("c");
  peer.DeliverWithTag(init.initiate_tag, peer.OwnInitAck(parameters));
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 5000)));
  EXPECT_TRUE(peer.Drain().empty());
  const auto sent = peer.Wait(300s);
  ASSERT_EQ(sent.size(), 8u);
  for (const SentPacket& packet : sent) EXPECT_EQ(packet.types()[0], ChunkType::kCookieEcho);
  EXPECT_EQ(peer.NextEvent<event::Aborted>()->cause, AbortCause::kNoHandshake);
}

TEST(HandshakeTest, FlushesQueuedDataOnCookieAck) {
  ScriptedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 3000)));
  peer.core.Connect(peer.now);
  const auto init = ChunksOf<InitChunk>(peer.Drain())[0];
  const auto parameters = peer.WithCookie("c");
  const auto echo = peer.DeliverWithTag(init.initiate_tag, peer.OwnInitAck(parameters));
  const auto sent = peer.DeliverWithTag(init.initiate_tag, CookieAckChunk{});
  EXPECT_EQ(ChunksOf<DataChunk>(echo).size() + ChunksOf<DataChunk>(sent).size(), 3u);
  ASSERT_TRUE(peer.NextEvent<event::Connected>());
}

TEST(HandshakeTest, AnswersInitWithoutKeepingAnything) {  // RFC 9260 §5.1 B
  ScriptedPeer peer;
  std::set<uint32_t> tags;
  for (int i = 0; i < 1000; ++i) tags.insert(AskForCookie(peer, peer.OwnInit()).tag.value);
  EXPECT_EQ(tags.size(), 1000u);
  EXPECT_EQ(peer.core.state(), State::kClosed);
  EXPECT_EQ(peer.core.NextTimeout(), Timestamp::Never());
  EXPECT_FALSE(peer.core.PollEvent());
  peer.EstablishAsClient();
  EXPECT_TRUE(peer.NextEvent<event::Connected>());
}

TEST(HandshakeTest, SendsCookieAckFirstAndAcknowledgesBundledData) {  // RFC 9260 §5.1, §5.1.5
  ScriptedPeer peer;
  const Offer offer = AskForCookie(peer, peer.OwnInit());
  const auto sent = peer.DeliverWithTag(offer.tag, CookieEchoChunk{offer.cookie}, peer.NextData(0, 0, kHello));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].types(), (Types{ChunkType::kCookieAck, ChunkType::kSack}));
  EXPECT_EQ(peer.NextEvent<event::MessageReceived>()->message.payload, kHello);
}

TEST(HandshakeTest, UsesTheLesserNumberOfStreams) {  // RFC 9260 §5.1.1
  ScriptedPeer peer({.streams = 10});
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(9, 10)));
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(10, 10)));
  peer.EstablishAsClient();
  const auto connected = peer.NextEvent<event::Connected>();
  EXPECT_EQ(connected->outgoing_streams, 10u);
  EXPECT_EQ(connected->incoming_streams, 10u);
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(10, 10)).error(), SendError::kUnknownStream);
  EXPECT_TRUE(peer.core.Send(peer.now, MakeMessage(9, 10)));
  for (const DataChunk& data : ChunksOf<DataChunk>(peer.Wait(1s))) EXPECT_LT(data.stream.value, 10);
}

TEST(HandshakeTest, ReportsWhatThePeerSupports) {
  ScriptedPeer bare;
  bare.EstablishAsServer();
  EXPECT_FALSE(bare.NextEvent<event::Connected>()->partial_reliability);
  ScriptedPeer full({.parameters = ScriptedPeer::AllExtensions()});
  full.EstablishAsServer();
  const auto connected = full.NextEvent<event::Connected>();
  EXPECT_TRUE(connected->partial_reliability);
  EXPECT_TRUE(connected->stream_reset);
}

TEST(HandshakeTest, C12_DropsInitWithTagZero) {  // RFC 9260 §3.3.2
  ScriptedPeer peer({.tag = VerificationTag(0)});
  EXPECT_TRUE(peer.DeliverWithTag(VerificationTag(0), peer.OwnInit()).empty());
}

TEST(HandshakeTest, C12_RefusesInitWithoutStreamsOrWithATinyWindow) {  // RFC 9260 §3.3.2
  for (int defect = 0; defect < 3; ++defect) {
    ScriptedPeer peer;
    InitChunk init = peer.OwnInit();
    if (defect == 0) init.outbound_streams = 0;
    if (defect == 1) init.inbound_streams = 0;
    if (defect == 2) init.a_rwnd = 1499;
    const auto sent = peer.DeliverWithTag(VerificationTag(0), init);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].types(), Types{ChunkType::kAbort});
    EXPECT_EQ(sent[0].header().verification_tag, peer.config.tag);
    EXPECT_EQ(peer.core.state(), State::kClosed);
  }
}

TEST(HandshakeTest, C12_DropsInitThatIsBundledOrCarriesATag) {  // RFC 9260 §3, §8.5.1 A
  ScriptedPeer peer;
  EXPECT_TRUE(peer.DeliverWithTag(VerificationTag(0), peer.OwnInit(), peer.NextData(0, 0, kHello)).empty());
  EXPECT_TRUE(peer.DeliverWithTag(VerificationTag(77), peer.OwnInit()).empty());
  EXPECT_TRUE(peer.DeliverWithTag(VerificationTag(0), peer.NextData(0, 0, kHello), peer.OwnInit()).empty());
  EXPECT_EQ(peer.dropped(DropReason::kBadVerificationTag), 3u);
}

TEST(HandshakeTest, C17_HandlesUnknownParametersByTheirHighBits) {  // RFC 9260 §3.2.1
  struct Case {
    uint16_t type;
    bool reported;
    bool stops;
  };
  for (const Case& c :
       {Case{0x3fff, false, true}, Case{0x7fff, true, true}, Case{0xbfff, false, false}, Case{0xffff, true, false}}) {
    const std::vector<uint8_t> unknown{
        static_cast<uint8_t>(c.type >> 8), static_cast<uint8_t>(c.type), 0, 5, 9, 0, 0, 0};
    ScriptedPeer peer;
    peer.config.parameters = unknown;
    const auto extensions = ScriptedPeer::AllExtensions();
    peer.config.parameters.insert(peer.config.parameters.end(), extensions.begin(), extensions.end());
    const auto answer = peer.DeliverWithTag(VerificationTag(0), peer.OwnInit());
    const auto init_ack = ChunksOf<InitAckChunk>(answer);
    ASSERT_EQ(init_ack.size(), 1u) << c.type;
    bool reported = false;
    for (const ParameterView parameter : init_ack[0].parameters) {
      if (const auto report = UnrecognizedParameter::Parse(parameter)) {
        reported = true;
        EXPECT_EQ(std::vector<uint8_t>(report->value.begin(), report->value.end()),
                  std::vector<uint8_t>(unknown.begin(), unknown.begin() + 5));
      }
    }
    EXPECT_EQ(reported, c.reported) << c.type;
    peer.EstablishAsClient();
    EXPECT_EQ(peer.NextEvent<event::Connected>()->partial_reliability, !c.stops) << c.type;
  }
}

TEST(HandshakeTest, C17_ReportsUnknownParametersOfInitAckBehindTheCookie) {  // RFC 9260 §3.2.2
  ScriptedPeer peer({.parameters = {0xc1, 0x23, 0, 4}});
  peer.core.Connect(peer.now);
  const auto init = ChunksOf<InitChunk>(peer.Drain())[0];
  const auto parameters = peer.WithCookie("cook");
  const auto sent = peer.DeliverWithTag(init.initiate_tag, peer.OwnInitAck(parameters));
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(sent[0].types(), (Types{ChunkType::kCookieEcho, ChunkType::kError}));
  EXPECT_EQ(CausesOf(ChunksOf<ErrorChunk>(sent)[0]), std::vector<CauseCode>{CauseCode::kUnrecognizedParameters});
}

TEST(HandshakeTest, BoundsTheReportOfUnknownParameters) {  // RFC 9260 §12.4
  ScriptedPeer peer;
  for (int i = 0; i < 200; ++i) {
    for (int octet : {0xff, 0xff, 0, 4}) peer.config.parameters.push_back(static_cast<uint8_t>(octet));
  }
  const auto answer = peer.DeliverWithTag(VerificationTag(0), peer.OwnInit());
  ASSERT_EQ(answer.size(), 1u);
  EXPECT_LT(answer[0].octets.size(), 32 + CookieJar::kSize + 3 * kMaxReportedOctets);
}

TEST(HandshakeTest, IgnoresAddressParameters) {  // RFC 8261 §6.1
  ScriptedPeer peer({.parameters = {0, 5, 0, 8, 192, 0, 2, 1, 0, 12, 0, 6, 0, 5, 0, 0}});
  peer.EstablishAsClient();
  EXPECT_TRUE(peer.NextEvent<event::Connected>());
}

TEST(HandshakeTest, RefusesHostNames) {  // RFC 9260 §3.3.2
  ScriptedPeer peer({.parameters = {0, 11, 0, 8, 'a', '.', 'b', 0}});
  const auto sent = peer.DeliverWithTag(VerificationTag(0), peer.OwnInit());
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].types(), Types{ChunkType::kAbort});
  // RFC 9260 §3.3.10.5: with the parameter.
  const auto abort = ChunksOf<AbortChunk>(sent)[0];
  ASSERT_EQ(CausesOf(abort), std::vector<CauseCode>{CauseCode::kUnresolvableAddress});
  const auto value = (*abort.causes.begin()).value;
  EXPECT_EQ(std::vector<uint8_t>(value.begin(), value.end()), peer.config.parameters);
  // A very long one is not sent back.
  ScriptedPeer other({.parameters = std::vector<uint8_t>(1000)});
  other.config.parameters[1] = 11;
  other.config.parameters[2] = 1000 >> 8;
  other.config.parameters[3] = 1000 & 0xff;
  const auto bare = other.DeliverWithTag(VerificationTag(0), other.OwnInit());
  ASSERT_EQ(ChunksOf<AbortChunk>(bare).size(), 1u);
  EXPECT_TRUE(CausesOf(ChunksOf<AbortChunk>(bare)[0]).empty());
}

TEST(HandshakeTest, C14_ARestartInShutdownAckSentIsTurnedDown) {  // RFC 9260 §5.2.4 A, RFC 9260 §3.3.10.10
  ScriptedPeer peer;
  peer.EstablishAsClient();
  InitChunk init = peer.OwnInit();
  init.initiate_tag = VerificationTag(4711);
  const Offer offer = AskForCookie(peer, init);
  peer.Deliver(ShutdownChunk{Tsn(peer.core_initial_tsn.value - 1)});
  ASSERT_EQ(peer.core.state(), State::kShutdownAckSent);
  const auto sent = peer.DeliverWithTag(offer.tag, CookieEchoChunk{offer.cookie});
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].types(), (Types{ChunkType::kError, ChunkType::kShutdownAck}));
  EXPECT_EQ(CausesOf(ChunksOf<ErrorChunk>(sent)[0]),
            std::vector<CauseCode>{CauseCode::kCookieReceivedWhileShuttingDown});
  EXPECT_EQ(peer.core.state(), State::kShutdownAckSent);
  EXPECT_FALSE(peer.NextEvent<event::Restarted>());
}

TEST(HandshakeTest, AbortsOnInitAckWithoutACookie) {  // RFC 9260 §3.3.3
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  const auto init = ChunksOf<InitChunk>(peer.Drain())[0];
  const auto sent = peer.DeliverWithTag(init.initiate_tag, peer.OwnInitAck({}));
  ASSERT_EQ(ChunksOf<AbortChunk>(sent).size(), 1u);
  EXPECT_EQ(CausesOf(ChunksOf<AbortChunk>(sent)[0]), std::vector<CauseCode>{CauseCode::kMissingMandatoryParameter});
  EXPECT_EQ(peer.NextEvent<event::Aborted>()->cause, AbortCause::kProtocolViolation);
}

TEST(HandshakeTest, C12_DestroysTheAssociationOnInitAckOutOfRange) {  // RFC 9260 §3.3.3
  for (int defect = 0; defect < 3; ++defect) {
    ScriptedPeer peer;
    peer.core.Connect(peer.now);
    const auto init = ChunksOf<InitChunk>(peer.Drain())[0];
    const auto parameters = peer.WithCookie("c");
    InitAckChunk init_ack = peer.OwnInitAck(parameters);
    if (defect == 0) init_ack.initiate_tag = VerificationTag(0);
    if (defect == 1) init_ack.outbound_streams = 0;
    if (defect == 2) init_ack.inbound_streams = 0;
    const auto sent = peer.DeliverWithTag(init.initiate_tag, init_ack);
    EXPECT_EQ(sent.size(), defect == 0 ? 0u : 1u);
    EXPECT_TRUE(peer.NextEvent<event::Aborted>());
  }
}

TEST(HandshakeTest, IgnoresUnexpectedInitAckAndCookieAck) {  // RFC 9260 §5.2.3, §5.2.5
  ScriptedPeer peer;
  peer.EstablishAsServer();
  const auto parameters = peer.WithCookie("another");
  EXPECT_TRUE(peer.Deliver(peer.OwnInitAck(parameters)).empty());
  EXPECT_TRUE(peer.Deliver(CookieAckChunk{}).empty());
  EXPECT_EQ(peer.core.state(), State::kEstablished);
  EXPECT_EQ(peer.dropped(DropReason::kOutOfState), 2u);
}

TEST(HandshakeTest, C13_DropsEveryForgedCookieWithItsBundledData) {  // RFC 9260 §5.1.5
  ScriptedPeer peer;
  const Offer offer = AskForCookie(peer, peer.OwnInit());
  const DataChunk data = peer.NextData(0, 0, kHello);
  for (size_t bit = 0; bit < offer.cookie.size() * 8; ++bit) {
    auto forged = offer.cookie;
    forged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    ASSERT_TRUE(peer.DeliverWithTag(offer.tag, CookieEchoChunk{forged}, data).empty()) << bit;
  }
  for (size_t size = 1; size < offer.cookie.size(); ++size) {
    ASSERT_TRUE(peer.DeliverWithTag(offer.tag, CookieEchoChunk{std::span(offer.cookie).first(size)}, data).empty());
  }
  EXPECT_EQ(peer.core.state(), State::kClosed);
  EXPECT_FALSE(peer.core.PollEvent());
  EXPECT_EQ(peer.dropped(DropReason::kBadCookie), offer.cookie.size() * 9 - 1);
}

TEST(HandshakeTest, C13_DropsCookiesOfAnotherAssociationAndUnderAnotherTag) {  // RFC 9260 §5.1.5
  ScriptedPeer peer;
  ScriptedPeer other({.seed = 2});
  const Offer offer = AskForCookie(peer, peer.OwnInit());
  EXPECT_TRUE(other.DeliverWithTag(offer.tag, CookieEchoChunk{offer.cookie}).empty());
  EXPECT_TRUE(peer.DeliverWithTag(VerificationTag(offer.tag.value + 1), CookieEchoChunk{offer.cookie}).empty());
  EXPECT_EQ(peer.core.state(), State::kClosed);
}

TEST(HandshakeTest, C13_DropsACookieThatNamesAnotherPort) {  // RFC 9260 §5.1.5
  ScriptedPeer peer;
  const Offer offer = AskForCookie(peer, peer.OwnInit());
  peer.core.SetRemoteLimits(5001, 1 << 20);
  peer.config.options.remote_port = 5001;
  EXPECT_TRUE(peer.DeliverWithTag(offer.tag, CookieEchoChunk{offer.cookie}).empty());
  EXPECT_EQ(peer.dropped(DropReason::kBadCookie), 1u);
}

TEST(HandshakeTest, C13_AnswersAStaleCookieWithItsStaleness) {  // RFC 9260 §5.1.5
  ScriptedPeer peer;
  const Offer offer = AskForCookie(peer, peer.OwnInit());
  peer.Wait(60s + 5ms);
  const auto sent = peer.DeliverWithTag(offer.tag, CookieEchoChunk{offer.cookie});
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].header().verification_tag, peer.config.tag);
  const auto error = ChunksOf<ErrorChunk>(sent)[0];
  EXPECT_EQ(CausesOf(error), std::vector<CauseCode>{CauseCode::kStaleCookie});
  EXPECT_EQ(wire::Codec<uint32_t>::Load((*error.causes.begin()).value.data()), 5000u);
  EXPECT_EQ(peer.core.state(), State::kClosed);
}

TEST(HandshakeTest, C13_AnswersAReplayedCookieWithoutTouchingTheAssociation) {  // RFC 9260 §5.2.4 D
  ScriptedPeer peer;
  const Offer offer = AskForCookie(peer, peer.OwnInit());
  peer.core_tag = offer.tag;
  peer.Deliver(CookieEchoChunk{offer.cookie});
  peer.Deliver(peer.NextData(0, 0, kHello));
  peer.Wait(120s);  // also when it is stale
  const auto sent = peer.Deliver(CookieEchoChunk{offer.cookie});
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].types(), Types{ChunkType::kCookieAck});
  peer.Deliver(peer.NextData(0, 1, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 2u);
  size_t restarts = 0;
  while (auto event = peer.core.PollEvent()) restarts += std::holds_alternative<event::Restarted>(*event);
  EXPECT_EQ(restarts, 0u);
}

TEST(HandshakeTest, C14_AnswersACrossingInitWithItsOwnParameters) {  // RFC 9260 §5.2.1
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  const auto init = ChunksOf<InitChunk>(peer.Drain())[0];
  const Offer offer = AskForCookie(peer, peer.OwnInit());
  EXPECT_EQ(offer.tag, init.initiate_tag);
  EXPECT_EQ(offer.initial_tsn, init.initial_tsn);
  EXPECT_EQ(peer.core.state(), State::kCookieWait);
  // The peer's COOKIE ECHO finishes it, from COOKIE-WAIT (RFC 9260 §5.2.4 B).
  peer.core_tag = offer.tag;
  const auto sent = peer.Deliver(CookieEchoChunk{offer.cookie});
  EXPECT_EQ(sent[0].types(), Types{ChunkType::kCookieAck});
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(HandshakeTest, C14_JoinsCollidingHandshakesInCookieEchoed) {  // RFC 9260 §5.2.1, §5.2.4 B and D
  for (const uint32_t second_tag : {0x5ca1ab1eu, 0x0ddba11u}) {
    ScriptedPeer peer;
    ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 10)));
    peer.core.Connect(peer.now);
    const auto init = ChunksOf<InitChunk>(peer.Drain())[0];
    const auto parameters = peer.WithCookie("c");
    peer.DeliverWithTag(init.initiate_tag, peer.OwnInitAck(parameters));
    ASSERT_EQ(peer.core.state(), State::kCookieEchoed);
    // A delayed INIT of the peer, perhaps with a newer tag and TSN.
    peer.config.tag = VerificationTag(second_tag);
    peer.config.initial_tsn = peer.next_tsn = Tsn(second_tag);
    const Offer offer = AskForCookie(peer, peer.OwnInit());
    EXPECT_EQ(offer.tag, init.initiate_tag);
    peer.core_tag = offer.tag;
    const auto sent = peer.Deliver(CookieEchoChunk{offer.cookie});
    ASSERT_FALSE(sent.empty());
    EXPECT_EQ(sent[0].header().verification_tag, VerificationTag(second_tag));
    EXPECT_EQ(sent[0].types()[0], ChunkType::kCookieAck);
    EXPECT_TRUE(peer.NextEvent<event::Connected>());
    if (second_tag != 0x5ca1ab1eu) {
      peer.Deliver(peer.NextData(0, 0, kHello));
      EXPECT_EQ(peer.core.metrics().messages_received, 1u);
    }
    // What went out with our COOKIE ECHO was lost with it: it comes again.
    EXPECT_EQ(ChunksOf<DataChunk>(peer.Wait(2s)).front().tsn, init.initial_tsn);
  }
}

TEST(HandshakeTest, C14_DropsALateCookieOfAnEarlierTag) {  // RFC 9260 §5.2.4 C
  ScriptedPeer peer;
  const Offer early = AskForCookie(peer, peer.OwnInit());  // while CLOSED, so under another tag of ours
  peer.EstablishAsServer();
  EXPECT_TRUE(peer.DeliverWithTag(early.tag, CookieEchoChunk{early.cookie}).empty());
  EXPECT_EQ(peer.core.state(), State::kEstablished);
  EXPECT_EQ(peer.dropped(DropReason::kBadCookie), 1u);
}

TEST(HandshakeTest, C14_AnswersInitInEstablishedWithANewTagAndChangesNothing) {  // RFC 9260 §5.2.2
  ScriptedPeer peer;
  peer.EstablishAsClient();
  InitChunk init = peer.OwnInit();
  init.initiate_tag = VerificationTag(4711);
  const Offer offer = AskForCookie(peer, init);
  EXPECT_NE(offer.tag, peer.core_tag);
  peer.Deliver(peer.NextData(0, 0, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 1u);
}

TEST(HandshakeTest, C14_RestartsWithFewerStreamsAndForgetsOldData) {  // RFC 9260 §5.2.4 A
  ScriptedPeer peer;
  peer.EstablishAsClient();
  peer.Deliver(peer.NextData(3, 0, kHello));
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(9, 200000)));
  peer.Drain();
  InitChunk init = peer.OwnInit();
  init.initiate_tag = peer.config.tag = VerificationTag(4711);
  init.inbound_streams = 5;
  init.initial_tsn = peer.next_tsn = Tsn(0xfffffffe);
  const Offer offer = AskForCookie(peer, init);
  peer.core_tag = offer.tag;
  const auto sent = peer.Deliver(CookieEchoChunk{offer.cookie});
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].types(), Types{ChunkType::kCookieAck});
  EXPECT_EQ(sent[0].header().verification_tag, VerificationTag(4711));
  EXPECT_TRUE(peer.NextEvent<event::Restarted>());
  EXPECT_EQ(peer.core.send_buffer_room(), Options{}.max_send_buffer);
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(9, 10)).error(), SendError::kUnknownStream);
  // Both directions begin anew: SSN 0, the new TSNs, the initial window.
  peer.Deliver(peer.NextData(3, 0, kHello));
  EXPECT_TRUE(peer.NextEvent<event::MessageReceived>());
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(3, 10)));
  const auto data = ChunksOf<DataChunk>(peer.Drain());
  ASSERT_EQ(data.size(), 1u);
  EXPECT_EQ(data[0].tsn, offer.initial_tsn);
  EXPECT_EQ(data[0].ssn, Ssn(0));
}

TEST(HandshakeTest, C14_DropsACookieWithTheTieTagsOfNobody) {  // RFC 9260 §5.2.4, not in table 12
  ScriptedPeer peer;
  InitChunk early = peer.OwnInit();
  early.initiate_tag = VerificationTag(4711);
  const Offer offer = AskForCookie(peer, early);  // made while there was no association: tie tags of zero
  peer.EstablishAsServer();
  EXPECT_TRUE(peer.DeliverWithTag(offer.tag, CookieEchoChunk{offer.cookie}).empty());
  EXPECT_EQ(peer.dropped(DropReason::kBadCookie), 1u);
}

TEST(HandshakeTest, C14_SimultaneousConnectsMakeOneAssociationOnAnyPath) {  // RFC 9260 §5.2.1
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    AssociationPair pair({.link = {.loss = 0.2, .duplicate = 0.2, .reorder = 0.5}, .seed = seed});
    ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 5000)));
    ASSERT_TRUE(pair.z().Send(pair.now(), MakeMessage(2, 5000)));
    ASSERT_TRUE(pair.Connect());
    ASSERT_TRUE(pair.RunUntil(
        [&] { return pair.received(Side::kA).size() == 1 && pair.received(Side::kZ).size() == 1; }, 120s));
    EXPECT_EQ(pair.CountEvents<event::Connected>(Side::kA), 1u);
    EXPECT_EQ(pair.CountEvents<event::Restarted>(Side::kA), 0u);
  }
}

TEST(HandshakeTest, ConnectIsIdempotent) {
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  peer.core.Connect(peer.now);
  EXPECT_EQ(peer.Drain().size(), 1u);
  peer.core.Connect(peer.now);
  EXPECT_TRUE(peer.Drain().empty());
}

}  // namespace
}  // namespace jsp::sctp
