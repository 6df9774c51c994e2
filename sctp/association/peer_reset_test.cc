// RFC 6525 §4.2, §5.1.3, §5.2.3: one end asks the other to reset the other's streams.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <vector>

#include "sctp/association/reconfig_state.h"
#include "sctp/association/reconfig_test_support.h"
#include "sctp/packet/chunk/error.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

Reconfig<IncomingSsnResetRequest> AskFor(const ScriptedPeer& peer, uint32_t ahead, std::span<const StreamId> streams) {
  return {{.request_sn = PeerSn(peer, ahead), .streams = streams}};
}

// The core has sent one message on stream 1 and one on stream 2, and the peer has both.
struct UsedPeer : EstablishedPeer {
  UsedPeer() {
    EXPECT_TRUE(core.Send(now, MakeMessage(1, 10)));
    EXPECT_TRUE(core.Send(now, MakeMessage(2, 10)));
    Drain();
    Deliver(SackUpTo(Plus(core_initial_tsn, 1)));
  }
};

TEST(PeerResetTest, AnswersWithARequestThatNamesIt) {  // RFC 6525 §5.2.3 F1, RFC 6525 §5.1.2 A4
  UsedPeer peer;
  const auto sent = peer.Deliver(AskFor(peer, 0, kOne));
  EXPECT_TRUE(ResultsOf(sent).empty());
  const auto requests = ParametersOf<OutgoingSsnResetRequest>(sent);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].request_sn, CoreSn(peer));
  EXPECT_EQ(requests[0].response_sn, PeerSn(peer));
  EXPECT_EQ(requests[0].last_assigned_tsn, Plus(peer.core_initial_tsn, 1));
  EXPECT_EQ(List(requests[0].streams), std::vector<StreamId>{StreamId(1)});
  EXPECT_EQ(peer.NextEvent<event::OutgoingResetRequested>()->streams, std::vector<StreamId>{StreamId(1)});
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(1, 10)).error(), SendError::kUnknownStream);
  peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kPerformed));
  EXPECT_EQ(peer.NextEvent<event::OutgoingStreamsReset>()->streams, std::vector<StreamId>{StreamId(1)});
  // Only the listed stream begins at 0 again.
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(2, 10)));
  const auto data = ChunksOf<DataChunk>(peer.Drain());
  ASSERT_EQ(data.size(), 2u);
  EXPECT_EQ(data[0].ssn, Ssn(0));
  EXPECT_EQ(data[1].ssn, Ssn(1));
}

TEST(PeerResetTest, SaysInProgressUntilWhatIsQueuedIsDelivered) {  // RFC 6525 §5.2.3, §4.4
  UsedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 3000)));
  peer.Drain();
  EXPECT_EQ(ResultsOf(peer.Deliver(AskFor(peer, 0, kOne))), Results{ReconfigResult::kInProgress});
  EXPECT_EQ(ResultsOf(peer.Deliver(AskFor(peer, 0, kOne))), Results{ReconfigResult::kInProgress});
  const auto sent = peer.Deliver(peer.SackUpTo(Plus(peer.core_initial_tsn, 4)));
  ASSERT_EQ(ParametersOf<OutgoingSsnResetRequest>(sent).size(), 1u);
  EXPECT_EQ(ParametersOf<OutgoingSsnResetRequest>(sent)[0].response_sn, PeerSn(peer));
}

TEST(PeerResetTest, C11_ARepeatedRequestIsAnsweredAlike) {  // RFC 6525 §5.2.1
  UsedPeer peer;
  peer.Deliver(AskFor(peer, 0, kOne));
  // While our request is the answer, it is sent again, the same.
  const auto again = ParametersOf<OutgoingSsnResetRequest>(peer.Deliver(AskFor(peer, 0, kOne)));
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].request_sn, CoreSn(peer));
  peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kPerformed));
  EXPECT_EQ(ResultsOf(peer.Deliver(AskFor(peer, 0, kOne))), Results{ReconfigResult::kPerformed});
  size_t asked = 0;
  while (auto event = peer.core.PollEvent()) asked += std::holds_alternative<event::OutgoingResetRequested>(*event);
  EXPECT_EQ(asked, 1u);
}

TEST(PeerResetTest, NewStreamsNeedNoReset) {  // RFC 6525 §5.2.3
  UsedPeer peer;
  const std::array<StreamId, 1> unused{StreamId(7)};
  EXPECT_EQ(ResultsOf(peer.Deliver(AskFor(peer, 0, unused))), Results{ReconfigResult::kNothingToDo});
  peer.Deliver(AskFor(peer, 1, kOne));
  peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kPerformed));
  // Just reset.
  EXPECT_EQ(ResultsOf(peer.Deliver(AskFor(peer, 2, kOne))), Results{ReconfigResult::kNothingToDo});
  EXPECT_TRUE(peer.core.Send(peer.now, MakeMessage(7, 10)));
}

TEST(PeerResetTest, AResetThatCrossesOursIsNothingToDo) {  // RFC 6525 §5.2.3
  UsedPeer peer;
  ASSERT_TRUE(peer.core.ResetStreams(peer.now, kOneAndTwo));
  peer.Drain();
  EXPECT_EQ(ResultsOf(peer.Deliver(AskFor(peer, 0, kOne))), Results{ReconfigResult::kNothingToDo});
  EXPECT_FALSE(peer.NextEvent<event::OutgoingResetRequested>());
}

TEST(PeerResetTest, AResetThatOverlapsOursIsPerformedAfterIt) {  // RFC 6525 §5.2.3
  UsedPeer peer;
  ASSERT_TRUE(peer.core.ResetStreams(peer.now, kOne));
  peer.Drain();
  EXPECT_EQ(ResultsOf(peer.Deliver(AskFor(peer, 0, kOneAndTwo))), Results{ReconfigResult::kInProgress});
  const auto sent = peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kPerformed));
  const auto requests = ParametersOf<OutgoingSsnResetRequest>(sent);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].request_sn, CoreSn(peer, 1));
  EXPECT_EQ(requests[0].response_sn, PeerSn(peer));
  EXPECT_EQ(List(requests[0].streams), (std::vector<StreamId>{StreamId(1), StreamId(2)}));
  // Between the two the stream takes nothing.
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(1, 10)).error(), SendError::kUnknownStream);
  peer.Deliver(Respond(CoreSn(peer, 1), ReconfigResult::kPerformed));
  EXPECT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
}

TEST(PeerResetTest, AnEmptyListAsksForAllStreams) {  // RFC 6525 §4.2, §5.1.2 A4
  UsedPeer peer;
  const auto sent = peer.Deliver(AskFor(peer, 0, {}));
  ASSERT_EQ(ParametersOf<OutgoingSsnResetRequest>(sent).size(), 1u);
  EXPECT_TRUE(ParametersOf<OutgoingSsnResetRequest>(sent)[0].streams.empty());
  EXPECT_TRUE(peer.NextEvent<event::OutgoingResetRequested>()->streams.empty());
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(9, 10)).error(), SendError::kUnknownStream);
  peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kPerformed));
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(2, 10)));
  EXPECT_EQ(ChunksOf<DataChunk>(peer.Drain())[0].ssn, Ssn(0));
  EXPECT_EQ(ResultsOf(peer.Deliver(AskFor(peer, 0, {}))), Results{ReconfigResult::kPerformed});
}

TEST(PeerResetTest, AnswersBothRequestsOfOneChunkInOneChunk) {  // RFC 6525 §3.1 items 3 and 9, RFC 6525 §5.2.1
  UsedPeer peer;
  peer.Deliver(peer.NextData(1, 0, kHello));
  const auto sent = peer.Deliver(ReconfigPair<OutgoingSsnResetRequest, IncomingSsnResetRequest>{
      Reset(peer, 0, Plus(peer.next_tsn, ~0u), kOne).parameter, AskFor(peer, 1, kOne).parameter});
  const auto chunks = ChunksOf<ReconfigChunk>(sent);
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(ResultsOf(sent), Results{ReconfigResult::kPerformed});
  ASSERT_EQ(ParametersOf<OutgoingSsnResetRequest>(sent).size(), 1u);
  EXPECT_EQ(ParametersOf<OutgoingSsnResetRequest>(sent)[0].response_sn, PeerSn(peer, 1));
  EXPECT_TRUE(peer.NextEvent<event::IncomingStreamsReset>());
}

TEST(PeerResetTest, C11_RefusesWhatItCannotAnswer) {  // RFC 6525 §4.4
  ScriptedPeer::Config config{.streams = 200, .parameters = ScriptedPeer::AllExtensions()};
  EstablishedPeer peer(config);
  const std::array<StreamId, 1> unknown{StreamId(200)};
  EXPECT_EQ(ResultsOf(peer.Deliver(AskFor(peer, 0, unknown))), Results{ReconfigResult::kWrongSsn});
  std::vector<StreamId> many;
  for (uint16_t i = 0; i <= kMaxStreamsPerRequest; ++i) many.emplace_back(i);
  EXPECT_EQ(ResultsOf(peer.Deliver(AskFor(peer, 1, many))), Results{ReconfigResult::kDenied});
  EXPECT_EQ(ResultsOf(peer.Deliver(AskFor(peer, 3, kOne))), Results{ReconfigResult::kBadSequenceNumber});
  EXPECT_FALSE(peer.NextEvent<event::OutgoingResetRequested>());
}

TEST(PeerResetTest, C11_OneResetIsAskedForAtATime) {  // RFC 6525 §5.1.1, §4.4
  UsedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  peer.Drain();
  EXPECT_EQ(ResultsOf(peer.Deliver(AskFor(peer, 0, kOne))), Results{ReconfigResult::kInProgress});
  for (uint32_t i = 1; i < 100; ++i) {
    EXPECT_EQ(ResultsOf(peer.Deliver(AskFor(peer, i, kOne))), Results{ReconfigResult::kRequestInProgress});
  }
}

TEST(PeerResetTest, AsksForAReset) {  // RFC 6525 §5.1.3
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.RequestPeerReset(peer.now, kOneAndTwo));
  EXPECT_EQ(peer.core.RequestPeerReset(peer.now, kOne).error(), ResetError::kAlreadyPending);
  const auto sent = peer.Drain();  // which the requests view
  const auto requests = ParametersOf<IncomingSsnResetRequest>(sent);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].request_sn, CoreSn(peer));
  EXPECT_EQ(List(requests[0].streams), (std::vector<StreamId>{StreamId(1), StreamId(2)}));
  EXPECT_EQ(ParametersOf<IncomingSsnResetRequest>(peer.Wait(600ms)).size(), 1u);  // RFC 6525 §5.1.1
  // The answer is a request of the peer's (RFC 6525 §5.2.2 E1).
  auto reset = Reset(peer, 0, Plus(peer.next_tsn, ~0u), kOneAndTwo);
  reset.parameter.response_sn = CoreSn(peer);
  EXPECT_EQ(ResultsOf(peer.Deliver(reset)), Results{ReconfigResult::kPerformed});
  const auto finished = peer.NextEvent<event::RequestFinished>();
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->kind, ReconfigKind::kIncomingReset);
  EXPECT_EQ(finished->outcome, ReconfigOutcome::kPerformed);
  EXPECT_TRUE(peer.NextEvent<event::IncomingStreamsReset>());
  EXPECT_TRUE(ParametersOf<IncomingSsnResetRequest>(peer.Wait(20s)).empty());
}

TEST(PeerResetTest, TellsWhatBecameOfIt) {  // RFC 6525 §5.2.7
  using enum ReconfigOutcome;
  for (const auto& [code, outcome] : {std::pair{0u, kNothingToDo},
                                      {1u, kPerformed},
                                      {2u, kRefused},
                                      {3u, kRefused},
                                      {5u, kRefused},
                                      {77u, kRefused}}) {
    EstablishedPeer peer;
    ASSERT_TRUE(peer.core.RequestPeerReset(peer.now, {}));
    EXPECT_TRUE(ParametersOf<IncomingSsnResetRequest>(peer.Drain())[0].streams.empty());  // RFC 6525 §5.1.3 B2
    peer.Deliver(Respond(CoreSn(peer), ReconfigResult{code}));
    EXPECT_EQ(peer.NextEvent<event::RequestFinished>()->outcome, outcome) << code;
    EXPECT_TRUE(peer.core.RequestPeerReset(peer.now, kOne));
  }
}

TEST(PeerResetTest, SendsBothRequestsInOneChunk) {  // RFC 6525 §3.1 item 3, RFC 6525 §5.1.2 A5
  EstablishedPeer peer;
  const std::array<StreamId, 1> zero{StreamId(0)};
  ASSERT_TRUE(peer.core.ResetStreams(peer.now, zero));
  // They wait for the first one together.
  ASSERT_TRUE(peer.core.RequestPeerReset(peer.now, kOne));
  ASSERT_TRUE(peer.core.ResetStreams(peer.now, kOne));
  peer.Drain();
  const auto sent = peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kPerformed));
  ASSERT_EQ(ChunksOf<ReconfigChunk>(sent).size(), 1u);
  EXPECT_EQ(ParametersOf<OutgoingSsnResetRequest>(sent)[0].request_sn, CoreSn(peer, 1));
  EXPECT_EQ(ParametersOf<IncomingSsnResetRequest>(sent)[0].request_sn, CoreSn(peer, 2));
  // Either may be answered first; the timer stops with the last (RFC 6525 §5.2.7 H1).
  peer.Deliver(Respond(CoreSn(peer, 2), ReconfigResult::kNothingToDo));
  EXPECT_EQ(ParametersOf<OutgoingSsnResetRequest>(peer.Wait(600ms)).size(), 1u);
  peer.Deliver(Respond(CoreSn(peer, 1), ReconfigResult::kPerformed));
  EXPECT_TRUE(ChunksOf<ReconfigChunk>(peer.Wait(20s)).empty());
}

TEST(PeerResetTest, RefusesWhatTheCallerDidWrong) {
  ScriptedPeer closed;
  EXPECT_EQ(closed.core.RequestPeerReset(closed.now, kOne).error(), ResetError::kNotConnected);
  EstablishedPeer bare(ScriptedPeer::Config{});
  EXPECT_EQ(bare.core.RequestPeerReset(bare.now, kOne).error(), ResetError::kNotSupportedByPeer);
  EstablishedPeer narrow(ScriptedPeer::Config{.streams = 2, .parameters = ScriptedPeer::AllExtensions()});
  EXPECT_EQ(narrow.core.RequestPeerReset(narrow.now, kOneAndTwo).error(), ResetError::kUnknownStream);
  const std::vector<StreamId> many(kMaxStreamsPerRequest + 1, StreamId(1));
  EXPECT_EQ(narrow.core.RequestPeerReset(narrow.now, many).error(), ResetError::kTooManyStreams);
}

TEST(PeerResetTest, C11_EndsThatAskEachOtherDoNotWaitForEachOther) {  // RFC 6525 §5.1.1, §5.2.3
  AssociationPair pair;
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 10)));
  ASSERT_TRUE(pair.z().Send(pair.now(), MakeMessage(2, 10)));
  pair.Run(1s);
  const std::array<StreamId, 1> two{StreamId(2)};
  ASSERT_TRUE(pair.a().RequestPeerReset(pair.now(), two));
  ASSERT_TRUE(pair.z().RequestPeerReset(pair.now(), kOne));
  const auto finished = [&] {
    return pair.CountEvents<event::RequestFinished>(Side::kA) == 1 &&
           pair.CountEvents<event::RequestFinished>(Side::kZ) == 1 &&
           pair.CountEvents<event::OutgoingStreamsReset>(Side::kA) == 1 &&
           pair.CountEvents<event::OutgoingStreamsReset>(Side::kZ) == 1;
  };
  EXPECT_TRUE(pair.RunUntil(finished, 5s));
  for (const Side side : {Side::kA, Side::kZ}) {
    EXPECT_EQ(pair.FindEvent<event::RequestFinished>(side)->outcome, ReconfigOutcome::kPerformed);
  }
  EXPECT_TRUE(pair.a().RequestPeerReset(pair.now(), two));
}

TEST(PeerResetTest, C11_TheOtherEndResetsItsStreamsOnAnyPath) {  // RFC 6525 §5.2.3, RFC 8260 §2.3.2
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    AssociationPair::Config config{.link = {.loss = 0.1, .duplicate = 0.2, .reorder = 0.5}, .seed = seed};
    config.a.interleaving = config.z.interleaving = seed % 2 == 0;
    AssociationPair pair(config);
    ASSERT_TRUE(pair.Connect());
    SendOptions unordered;
    unordered.unordered = true;
    for (size_t round = 1; round <= 4; ++round) {
      for (int i = 0; i < 3; ++i) ASSERT_TRUE(pair.z().Send(pair.now(), MakeMessage(1, 3000)));
      for (int i = 0; i < 3; ++i) ASSERT_TRUE(pair.z().Send(pair.now(), MakeMessage(1, 50), unordered));
      const bool all = round % 2 == 0;
      ASSERT_TRUE(pair.a().RequestPeerReset(pair.now(), all ? std::span<const StreamId>() : kOne));
      const auto is_reset = [&] {
        return pair.CountEvents<event::OutgoingStreamsReset>(Side::kZ) == round &&
               pair.CountEvents<event::IncomingStreamsReset>(Side::kA) == round &&
               pair.CountEvents<event::RequestFinished>(Side::kA) == round;
      };
      ASSERT_TRUE(pair.RunUntil(is_reset, 120s));
      // What was sent before arrived before.
      EXPECT_EQ(pair.received(Side::kA).size(), 6 * round);
    }
  }
}

}  // namespace
}  // namespace jsp::sctp
