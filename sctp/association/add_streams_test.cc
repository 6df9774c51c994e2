// RFC 6525 §4.5, §4.6, §5.1.5, §5.1.6, §5.2.5, §5.2.6: more streams, in both directions, at either end's request.
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "sctp/association/reconfig_test_support.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

Reconfig<AddOutgoingStreams> More(const ScriptedPeer& peer, uint32_t ahead, uint16_t streams) {
  return {{.request_sn = PeerSn(peer, ahead), .new_streams = streams}};
}
Reconfig<AddIncomingStreams> AskForMore(const ScriptedPeer& peer, uint32_t ahead, uint16_t streams) {
  return {{.request_sn = PeerSn(peer, ahead), .new_streams = streams}};
}

// Ten streams in each direction, and at most twenty.
ScriptedPeer::Config TenStreams() {
  ScriptedPeer::Config config{.streams = 10, .parameters = ScriptedPeer::AllExtensions()};
  config.options.max_incoming_streams = config.options.max_outgoing_streams = 20;
  return config;
}

TEST(AddStreamsTest, TakesMoreStreamsOfThePeer) {  // RFC 6525 §5.2.5
  EstablishedPeer peer(TenStreams());
  peer.Deliver(peer.NextData(10, 0, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 0u);
  const auto sent = peer.Deliver(More(peer, 0, 5));
  EXPECT_EQ(ResultsOf(sent), Results{ReconfigResult::kPerformed});
  EXPECT_FALSE(ParametersOf<ReconfigResponse>(sent)[0].next_tsns);  // RFC 6525 §5.1.7 D3
  const auto added = peer.NextEvent<event::StreamsAdded>();
  ASSERT_TRUE(added);
  EXPECT_EQ(added->incoming_streams, 15u);
  EXPECT_EQ(added->outgoing_streams, 10u);
  peer.Deliver(peer.NextData(14, 0, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 1u);
  peer.Deliver(peer.NextData(15, 0, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 1u);
}

TEST(AddStreamsTest, C11_AddsOncePerRequestAndNoMoreThanTheLimit) {  // RFC 6525 §5.2.1, §5.2.5
  EstablishedPeer peer(TenStreams());
  EXPECT_EQ(ResultsOf(peer.Deliver(More(peer, 0, 5))), Results{ReconfigResult::kPerformed});
  EXPECT_EQ(ResultsOf(peer.Deliver(More(peer, 0, 5))), Results{ReconfigResult::kPerformed});
  EXPECT_EQ(ResultsOf(peer.Deliver(More(peer, 1, 6))), Results{ReconfigResult::kDenied});
  EXPECT_EQ(ResultsOf(peer.Deliver(More(peer, 2, 65535))), Results{ReconfigResult::kDenied});
  EXPECT_EQ(ResultsOf(peer.Deliver(More(peer, 3, 0))), Results{ReconfigResult::kNothingToDo});
  EXPECT_EQ(ResultsOf(peer.Deliver(More(peer, 4, 5))), Results{ReconfigResult::kPerformed});
  for (uint32_t i = 5; i < 50; ++i) {
    EXPECT_EQ(ResultsOf(peer.Deliver(More(peer, i, 1))), Results{ReconfigResult::kDenied});
  }
  peer.Deliver(peer.NextData(19, 0, kHello));
  peer.Deliver(peer.NextData(20, 0, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 1u);
}

TEST(AddStreamsTest, C11_TheDefaultLimitIsNotPassedEither) {  // RFC 6525 §5.2.5
  EstablishedPeer peer;
  EXPECT_EQ(ResultsOf(peer.Deliver(More(peer, 0, 1))), Results{ReconfigResult::kDenied});
  EXPECT_EQ(ResultsOf(peer.Deliver(AskForMore(peer, 1, 65535))), Results{ReconfigResult::kDenied});
  EXPECT_FALSE(peer.NextEvent<event::StreamsAdded>());
}

TEST(AddStreamsTest, UsesNewStreamsOnlyOnceThePeerAgreed) {  // RFC 6525 §5.1.5, §5.2.7 H6
  EstablishedPeer peer(TenStreams());
  ASSERT_TRUE(peer.core.AddOutgoingStreams(peer.now, 4));
  const auto requests = ParametersOf<AddOutgoingStreams>(peer.Drain());
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].request_sn, CoreSn(peer));
  EXPECT_EQ(requests[0].new_streams, 4u);
  EXPECT_EQ(requests[0].reserved, 0u);
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(10, 10)).error(), SendError::kUnknownStream);
  EXPECT_EQ(ParametersOf<AddOutgoingStreams>(peer.Wait(600ms)).size(), 1u);  // RFC 6525 §5.1.1
  peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kInProgress));
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(10, 10)).error(), SendError::kUnknownStream);
  peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kPerformed));
  EXPECT_EQ(peer.NextEvent<event::StreamsAdded>()->outgoing_streams, 14u);
  EXPECT_EQ(peer.NextEvent<event::RequestFinished>()->kind, ReconfigKind::kMoreOutgoing);
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(13, 10)));
  EXPECT_EQ(ChunksOf<DataChunk>(peer.Drain())[0].ssn, Ssn(0));
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(14, 10)).error(), SendError::kUnknownStream);
}

TEST(AddStreamsTest, ARefusalAddsNothing) {  // RFC 6525 §5.2.7 H3
  for (const uint32_t code : {0u, 2u, 5u, 9u}) {
    EstablishedPeer peer(TenStreams());
    ASSERT_TRUE(peer.core.AddOutgoingStreams(peer.now, 4));
    peer.Drain();
    peer.Deliver(Respond(CoreSn(peer), ReconfigResult{code}));
    const auto outcome = code == 0 ? ReconfigOutcome::kNothingToDo : ReconfigOutcome::kRefused;
    EXPECT_EQ(peer.NextEvent<event::RequestFinished>()->outcome, outcome);
    EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(10, 10)).error(), SendError::kUnknownStream);
  }
}

TEST(AddStreamsTest, AnswersARequestForMoreWithARequestOfItsOwn) {  // RFC 6525 §5.2.6
  EstablishedPeer peer(TenStreams());
  const auto sent = peer.Deliver(AskForMore(peer, 0, 3));
  EXPECT_EQ(ResultsOf(sent), Results{ReconfigResult::kPerformed});
  const auto requests = ParametersOf<AddOutgoingStreams>(sent);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].new_streams, 3u);
  // RFC 6525 §3.1: no chunk may hold both.
  EXPECT_EQ(ChunksOf<ReconfigChunk>(sent).size(), 2u);
  // Again, while it is not answered: nothing is added twice.
  EXPECT_TRUE(ParametersOf<AddOutgoingStreams>(peer.Deliver(AskForMore(peer, 0, 3))).empty());
  peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kPerformed));
  EXPECT_EQ(peer.NextEvent<event::StreamsAdded>()->outgoing_streams, 13u);
  EXPECT_EQ(ResultsOf(peer.Deliver(AskForMore(peer, 1, 8))), Results{ReconfigResult::kDenied});
  EXPECT_EQ(ResultsOf(peer.Deliver(AskForMore(peer, 2, 0))), Results{ReconfigResult::kNothingToDo});
}

TEST(AddStreamsTest, C11_WhatIsPlannedCountsAgainstTheLimit) {  // RFC 6525 §5.2.6
  EstablishedPeer peer(TenStreams());
  EXPECT_EQ(ResultsOf(peer.Deliver(AskForMore(peer, 0, 6))), Results{ReconfigResult::kPerformed});
  EXPECT_EQ(ResultsOf(peer.Deliver(AskForMore(peer, 1, 6))), Results{ReconfigResult::kDenied});
  EXPECT_EQ(peer.core.AddOutgoingStreams(peer.now, 5).error(), AddStreamsError::kBadNumber);
  EXPECT_TRUE(peer.core.AddOutgoingStreams(peer.now, 4));
}

TEST(AddStreamsTest, AsksThePeerForMore) {  // RFC 6525 §5.1.6
  EstablishedPeer peer(TenStreams());
  ASSERT_TRUE(peer.core.AddIncomingStreams(peer.now, 3));
  EXPECT_EQ(peer.core.AddIncomingStreams(peer.now, 3).error(), AddStreamsError::kAlreadyPending);
  EXPECT_EQ(ParametersOf<AddIncomingStreams>(peer.Drain())[0].new_streams, 3u);
  // The request for just so many is the answer, with or without a response.
  EXPECT_EQ(ResultsOf(peer.Deliver(More(peer, 0, 3))), Results{ReconfigResult::kPerformed});
  const auto finished = peer.NextEvent<event::RequestFinished>();
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->kind, ReconfigKind::kMoreIncoming);
  EXPECT_EQ(peer.NextEvent<event::StreamsAdded>()->incoming_streams, 13u);
  EXPECT_TRUE(ChunksOf<ReconfigChunk>(peer.Wait(20s)).empty());
}

TEST(AddStreamsTest, AsksForBothInOneChunk) {  // RFC 6525 §3.1 item 7
  EstablishedPeer peer(TenStreams());
  ASSERT_TRUE(peer.core.ResetStreams(peer.now, kOne));
  ASSERT_TRUE(peer.core.AddOutgoingStreams(peer.now, 1));
  ASSERT_TRUE(peer.core.AddIncomingStreams(peer.now, 2));
  peer.Drain();
  const auto sent = peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kPerformed));
  EXPECT_EQ(ChunksOf<ReconfigChunk>(sent).size(), 1u);
  EXPECT_EQ(ParametersOf<AddOutgoingStreams>(sent)[0].request_sn, CoreSn(peer, 1));
  EXPECT_EQ(ParametersOf<AddIncomingStreams>(sent)[0].request_sn, CoreSn(peer, 2));
}

TEST(AddStreamsTest, RefusesWhatTheCallerDidWrong) {
  ScriptedPeer closed;
  EXPECT_EQ(closed.core.AddOutgoingStreams(closed.now, 1).error(), AddStreamsError::kNotConnected);
  EXPECT_EQ(closed.core.AddIncomingStreams(closed.now, 1).error(), AddStreamsError::kNotConnected);
  EstablishedPeer bare(ScriptedPeer::Config{});
  EXPECT_EQ(bare.core.AddOutgoingStreams(bare.now, 1).error(), AddStreamsError::kNotSupportedByPeer);
  EstablishedPeer peer(TenStreams());
  EXPECT_EQ(peer.core.AddOutgoingStreams(peer.now, 11).error(), AddStreamsError::kBadNumber);
  EXPECT_EQ(peer.core.AddOutgoingStreams(peer.now, 0).error(), AddStreamsError::kBadNumber);
  EXPECT_EQ(peer.core.AddIncomingStreams(peer.now, 11).error(), AddStreamsError::kBadNumber);
}

TEST(AddStreamsTest, C11_BothEndsAddStreamsAndUseThemOnAnyPath) {  // RFC 6525 §5.1.5, §5.1.6
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    AssociationPair::Config config{.link = {.loss = 0.15, .duplicate = 0.2, .reorder = 0.5}, .seed = seed};
    config.a.outgoing_streams = config.z.outgoing_streams = 4;
    AssociationPair pair(config);
    ASSERT_TRUE(pair.Connect());
    ASSERT_TRUE(pair.a().AddOutgoingStreams(pair.now(), 2));
    ASSERT_TRUE(pair.a().AddIncomingStreams(pair.now(), 3));
    ASSERT_TRUE(pair.z().AddIncomingStreams(pair.now(), 4));
    const auto finished = [&] {
      return pair.CountEvents<event::RequestFinished>(Side::kA) == 3 &&
             pair.CountEvents<event::RequestFinished>(Side::kZ) == 2;
    };
    ASSERT_TRUE(pair.RunUntil(finished, 120s));
    ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(9, 100)));
    ASSERT_TRUE(pair.z().Send(pair.now(), MakeMessage(6, 100)));
    EXPECT_FALSE(pair.a().Send(pair.now(), MakeMessage(10, 100)));
    EXPECT_FALSE(pair.z().Send(pair.now(), MakeMessage(7, 100)));
    const auto received = [&] { return pair.received(Side::kA).size() + pair.received(Side::kZ).size() == 2; };
    EXPECT_TRUE(pair.RunUntil(received, 60s));
  }
}

}  // namespace
}  // namespace jsp::sctp
