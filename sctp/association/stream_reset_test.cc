// RFC 6525: resets of streams, in both directions, with what is lost, repeated and made up.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <vector>

#include "sctp/association/reconfig_test_support.h"
#include "sctp/packet/chunk/abort.h"
#include "sctp/packet/chunk/forward_tsn.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

TEST(StreamResetTest, AsksForAResetOnceEverythingIsDelivered) {  // RFC 6525 §5.1.2, RFC 8831 §6.7
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 2000)));
  ASSERT_TRUE(peer.core.ResetStreams(peer.now, kOne));
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(1, 10)).error(), SendError::kUnknownStream);
  EXPECT_TRUE(ChunksOf<ReconfigChunk>(peer.Drain()).empty());
  const auto sent = peer.Deliver(peer.SackUpTo(Plus(peer.core_initial_tsn, 1)));
  const auto requests = ParametersOf<OutgoingSsnResetRequest>(sent);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].request_sn, ReconfigSn(peer.core_initial_tsn.value));  // RFC 6525 §4.1
  EXPECT_EQ(requests[0].response_sn, ReconfigSn(peer.config.initial_tsn.value - 1));
  EXPECT_EQ(requests[0].last_assigned_tsn, Plus(peer.core_initial_tsn, 1));
  EXPECT_EQ(List(requests[0].streams), std::vector<StreamId>{StreamId(1)});
  EXPECT_TRUE(ChunksOf<ReconfigChunk>(sent)[0].Size() == 4u + 18u);

  peer.Deliver(Respond(requests[0].request_sn, ReconfigResult::kPerformed));
  EXPECT_EQ(peer.NextEvent<event::OutgoingStreamsReset>()->streams, std::vector<StreamId>{StreamId(1)});
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  const auto data = ChunksOf<DataChunk>(peer.Drain());
  EXPECT_EQ(data[0].ssn, Ssn(0));  // RFC 6525 §5.2.7 H4
  EXPECT_EQ(peer.core.NextTimeout() - peer.now <= 3s, true);
}

TEST(StreamResetTest, RefusesWhatCannotBeReset) {  // RFC 6525 §5.1.1
  ScriptedPeer closed;
  EXPECT_EQ(closed.core.ResetStreams(closed.now, kOne).error(), ResetError::kNotConnected);
  EstablishedPeer bare(ScriptedPeer::Config{});
  EXPECT_EQ(bare.core.ResetStreams(bare.now, kOne).error(), ResetError::kNotSupportedByPeer);
  EXPECT_TRUE(ChunksOf<ReconfigChunk>(bare.Wait(10s)).empty());
  ScriptedPeer::Config config{.streams = 2, .parameters = ScriptedPeer::AllExtensions()};
  EstablishedPeer narrow(config);
  EXPECT_EQ(narrow.core.ResetStreams(narrow.now, kOneAndTwo).error(), ResetError::kUnknownStream);
  EXPECT_TRUE(narrow.core.Send(narrow.now, MakeMessage(1, 10)));
}

TEST(StreamResetTest, HasOneRequestInFlightAndCombinesTheRest) {  // RFC 6525 §5.1.1
  EstablishedPeer peer;
  std::vector<SentPacket> sent;
  for (uint16_t stream = 0; stream < 100; ++stream) {
    const std::array<StreamId, 1> one{StreamId(stream)};
    ASSERT_TRUE(peer.core.ResetStreams(peer.now, one));
    for (SentPacket& packet : peer.Drain()) sent.push_back(std::move(packet));
  }
  ASSERT_EQ(ParametersOf<OutgoingSsnResetRequest>(sent).size(), 1u);
  sent = peer.Deliver(Respond(ReconfigSn(peer.core_initial_tsn.value), ReconfigResult::kPerformed));
  const auto second = ParametersOf<OutgoingSsnResetRequest>(sent);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].streams.size(), 99u);
  EXPECT_EQ(second[0].request_sn, ReconfigSn(peer.core_initial_tsn.value + 1));
}

TEST(StreamResetTest, RepeatsTheSameRequestWithBackoffAndCountsErrors) {  // RFC 6525 §5.1.1
  ScriptedPeer::Config config{.parameters = ScriptedPeer::AllExtensions()};
  config.options.heartbeat_interval = Duration::zero();
  EstablishedPeer peer(config);
  ASSERT_TRUE(peer.core.ResetStreams(peer.now, kOne));
  const auto sent = peer.Wait(600s);
  const auto requests = ParametersOf<OutgoingSsnResetRequest>(sent);
  EXPECT_EQ(requests.size(), Options{}.association_max_retransmits + 1);
  for (const auto& request : requests) EXPECT_EQ(request.request_sn, requests[0].request_sn);
  EXPECT_EQ(sent[1].at - sent[0].at, 500ms);
  EXPECT_EQ(sent[2].at - sent[1].at, 1s);
  EXPECT_EQ(peer.NextEvent<event::Aborted>()->cause, AbortCause::kTooManyRetransmissions);
}

TEST(StreamResetTest, C11_EndlessInProgressIsNoErrorAndNoStorm) {  // RFC 6525 §5.2.7 H2
  EstablishedPeer peer;
  // Data of another stream is outstanding: the peer has a reason to wait.
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(2, 10)));
  peer.Drain();
  peer.Deliver(peer.SackUpTo(Plus(peer.core_initial_tsn, ~0u)));
  ASSERT_TRUE(peer.core.ResetStreams(peer.now, kOne));
  size_t requests = 0;
  for (int i = 0; i < 60 && peer.core.state() == State::kEstablished; ++i) {
    for (const auto& request : ParametersOf<OutgoingSsnResetRequest>(peer.Wait(500ms))) {
      ++requests;
      EXPECT_EQ(request.request_sn, CoreSn(peer));
      peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kInProgress));
    }
  }
  EXPECT_EQ(peer.core.state(), State::kEstablished);
  EXPECT_GE(requests, 4u);  // the RTO of the outstanding DATA grows, and with it the timer
  EXPECT_LE(requests, 61u);
}

TEST(StreamResetTest, C11_APeerThatRepeatsItsOldAnswerIsAskedUnderANewNumber) {  // RFC 6525 §5.2.7 H2
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.ResetStreams(peer.now, kOne));
  std::vector<uint32_t> numbers;
  for (int i = 0; i < 60; ++i) {
    for (const auto& request : ParametersOf<OutgoingSsnResetRequest>(i == 0 ? peer.Drain() : peer.Wait(500ms))) {
      numbers.push_back(request.request_sn.value - peer.core_initial_tsn.value);
      EXPECT_EQ(request.last_assigned_tsn, Plus(peer.core_initial_tsn, ~0u));
    }
    peer.Deliver(Respond(CoreSn(peer, numbers.back()), ReconfigResult::kInProgress));
  }
  EXPECT_EQ(peer.core.state(), State::kEstablished);
  EXPECT_GT(numbers.size(), 10u);
  EXPECT_LE(numbers.size(), 61u);
  // The same number again first: the peer may have changed its mind since.
  EXPECT_EQ(std::vector<uint32_t>(numbers.begin(), numbers.begin() + 4), (std::vector<uint32_t>{0, 0, 1, 1}));
  peer.Deliver(Respond(CoreSn(peer, numbers.back()), ReconfigResult::kPerformed));
  EXPECT_TRUE(peer.NextEvent<event::OutgoingStreamsReset>());
}

TEST(StreamResetTest, C11_ABusyPeerIsAskedAgainUnderANewNumberNotForEver) {  // RFC 6525 §4.4, §5.2.7 H3
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.ResetStreams(peer.now, kOne));
  uint32_t number = 0;
  size_t requests = 0;
  for (int i = 0; i < 40; ++i) {
    for (const auto& request : ParametersOf<OutgoingSsnResetRequest>(i == 0 ? peer.Drain() : peer.Wait(500ms))) {
      EXPECT_EQ(request.request_sn, CoreSn(peer, number));
      ++requests;
    }
    peer.Deliver(Respond(CoreSn(peer, number), ReconfigResult::kRequestInProgress));
    ++number;
  }
  EXPECT_EQ(requests, Options{}.association_max_retransmits + 1);
  EXPECT_TRUE(peer.NextEvent<event::OutgoingStreamsResetFailed>());
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(StreamResetTest, ReportsARefusalAndOpensTheStreamAgain) {  // RFC 6525 §5.2.7 H3
  for (const uint32_t code : {2u, 3u, 5u, 99u}) {
    EstablishedPeer peer;
    ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
    peer.Drain();
    peer.Deliver(peer.SackUpTo(peer.core_initial_tsn));
    ASSERT_TRUE(peer.core.ResetStreams(peer.now, kOne));
    peer.Drain();
    peer.Deliver(Respond(ReconfigSn(peer.core_initial_tsn.value), ReconfigResult{code}));
    EXPECT_TRUE(peer.NextEvent<event::OutgoingStreamsResetFailed>()) << code;
    ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
    EXPECT_EQ(ChunksOf<DataChunk>(peer.Drain())[0].ssn, Ssn(1));
  }
}

TEST(StreamResetTest, C11_IgnoresResponsesToNothing) {  // RFC 6525 §5.2.7
  EstablishedPeer peer;
  peer.Deliver(Respond(ReconfigSn(peer.core_initial_tsn.value), ReconfigResult::kPerformed));
  ASSERT_TRUE(peer.core.ResetStreams(peer.now, kOne));
  peer.Drain();
  peer.Deliver(Respond(ReconfigSn(peer.core_initial_tsn.value + 1), ReconfigResult::kPerformed));
  EXPECT_FALSE(peer.NextEvent<event::OutgoingStreamsReset>());
  EXPECT_EQ(peer.dropped(DropReason::kUnexpectedReconfig), 2u);
}

TEST(StreamResetTest, ResetsIncomingStreamsAndTellsSo) {  // RFC 6525 §5.2.2
  EstablishedPeer peer;
  peer.Deliver(peer.NextData(1, 0, kHello));
  peer.Deliver(peer.NextData(2, 0, kHello));
  const auto sent = peer.Deliver(Reset(peer, 0, Plus(peer.next_tsn, ~0u), kOne));
  EXPECT_EQ(ResultsOf(sent), Results{ReconfigResult::kPerformed});
  EXPECT_EQ(ParametersOf<ReconfigResponse>(sent)[0].response_sn, ReconfigSn(peer.config.initial_tsn.value));
  EXPECT_FALSE(ParametersOf<ReconfigResponse>(sent)[0].next_tsns);
  EXPECT_EQ(ChunksOf<SackChunk>(sent).size(), 1u);  // RFC 6525 §5.2.1
  EXPECT_EQ(peer.NextEvent<event::IncomingStreamsReset>()->streams, std::vector<StreamId>{StreamId(1)});
  // Only the listed stream begins at 0 again.
  peer.Deliver(peer.NextData(1, 0, kHello));
  peer.Deliver(peer.NextData(2, 1, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 4u);
}

TEST(StreamResetTest, AnEmptyListResetsAllStreams) {  // RFC 6525 §5.2.2 E3
  EstablishedPeer peer;
  peer.Deliver(peer.NextData(1, 0, kHello));
  peer.Deliver(peer.NextData(2, 0, kHello));
  EXPECT_EQ(ResultsOf(peer.Deliver(Reset(peer, 0, Plus(peer.next_tsn, ~0u), {}))), Results{ReconfigResult::kPerformed});
  EXPECT_TRUE(peer.NextEvent<event::IncomingStreamsReset>()->streams.empty());
  peer.Deliver(peer.NextData(1, 0, kHello));
  peer.Deliver(peer.NextData(2, 0, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 4u);
}

TEST(StreamResetTest, C11_ARepeatedRequestIsAnsweredAgainAndNotExecutedAgain) {  // RFC 6525 §5.2.1
  EstablishedPeer peer;
  const auto request = Reset(peer, 0, Plus(peer.next_tsn, ~0u), kOne);
  peer.Deliver(request);
  peer.Deliver(peer.NextData(1, 0, kHello));
  EXPECT_EQ(ResultsOf(peer.Deliver(request)), Results{ReconfigResult::kPerformed});
  peer.Deliver(peer.NextData(1, 1, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 2u);
  size_t resets = 0;
  while (auto event = peer.core.PollEvent()) resets += std::holds_alternative<event::IncomingStreamsReset>(*event);
  EXPECT_EQ(resets, 1u);
}

TEST(StreamResetTest, C11_RefusesWrongSequenceNumbers) {  // RFC 6525 §4.4
  EstablishedPeer peer;
  for (const uint32_t ahead : {1u, 10u, 0x80000000u, ~0u}) {
    EXPECT_EQ(ResultsOf(peer.Deliver(Reset(peer, ahead, Plus(peer.next_tsn, ~0u), kOne))),
              Results{ReconfigResult::kBadSequenceNumber});
  }
  EXPECT_FALSE(peer.NextEvent<event::IncomingStreamsReset>());
}

TEST(StreamResetTest, C11_RefusesStreamsThatDoNotExist) {  // RFC 6525 §4.4
  ScriptedPeer::Config config{.parameters = ScriptedPeer::AllExtensions()};
  config.options.max_incoming_streams = 2;
  EstablishedPeer peer(config);
  EXPECT_EQ(ResultsOf(peer.Deliver(Reset(peer, 0, Plus(peer.next_tsn, ~0u), kOneAndTwo))),
            Results{ReconfigResult::kWrongSsn});
  EXPECT_FALSE(peer.NextEvent<event::IncomingStreamsReset>());
}

TEST(StreamResetTest, C11_ALongListIsOneRequest) {
  EstablishedPeer peer;
  std::vector<StreamId> streams;
  for (uint16_t i = 0; i < 30000; ++i) streams.push_back(StreamId(i));
  EXPECT_EQ(ResultsOf(peer.Deliver(Reset(peer, 0, Plus(peer.next_tsn, ~0u), streams))),
            Results{ReconfigResult::kPerformed});
}

TEST(StreamResetTest, AnswersAnIllegalCombinationWithAnError) {  // RFC 6525 §3.1
  EstablishedPeer peer;
  // SSN/TSN reset together with an outgoing reset.
  const auto sent =
      peer.Deliver(RawChunk{130, 0, {0, 15, 0, 8, 0, 0, 3, 232, 0, 13, 0, 16, 0, 0, 3, 233, 0, 0, 0, 0, 0, 0, 0, 0}});
  ASSERT_EQ(ChunksOf<ErrorChunk>(sent).size(), 1u);
  EXPECT_EQ(CausesOf(ChunksOf<ErrorChunk>(sent)[0]), std::vector<CauseCode>{CauseCode::kProtocolViolation});
  EXPECT_TRUE(ChunksOf<ReconfigChunk>(sent).empty());
}

TEST(StreamResetTest, C10_DefersAResetUntilTheLastTsnArrived) {  // RFC 6525 §5.2.2 E2
  EstablishedPeer peer;
  const DataChunk lost = peer.NextData(1, 0, kHello);
  const auto request = Reset(peer, 0, lost.tsn, kOne);
  EXPECT_EQ(ResultsOf(peer.Deliver(request)), Results{ReconfigResult::kInProgress});
  EXPECT_EQ(ResultsOf(peer.Deliver(request)), Results{ReconfigResult::kInProgress});
  // Data beyond the reset on that stream is held, on others it is not.
  peer.Deliver(peer.NextData(1, 0, kHello));
  peer.Deliver(peer.NextData(2, 0, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 1u);
  EXPECT_FALSE(peer.NextEvent<event::IncomingStreamsReset>());
  // Then all at once, in the right order, and the peer is told.
  EXPECT_EQ(ResultsOf(peer.Deliver(lost)), Results{ReconfigResult::kPerformed});
  EXPECT_EQ(peer.core.metrics().messages_received, 3u);
  EXPECT_TRUE(std::holds_alternative<event::MessageReceived>(*peer.core.PollEvent()));
  EXPECT_TRUE(std::holds_alternative<event::IncomingStreamsReset>(*peer.core.PollEvent()));
  EXPECT_TRUE(std::holds_alternative<event::MessageReceived>(*peer.core.PollEvent()));
  EXPECT_EQ(ResultsOf(peer.Deliver(request)), Results{ReconfigResult::kPerformed});
}

TEST(StreamResetTest, C10_ASecondRequestWhileOneIsDeferredIsAnError) {  // RFC 6525 §5.1.1, §4.4
  EstablishedPeer peer;
  const DataChunk lost = peer.NextData(1, 0, kHello);
  peer.Deliver(Reset(peer, 0, lost.tsn, kOne));
  EXPECT_EQ(ResultsOf(peer.Deliver(Reset(peer, 1, lost.tsn, kOneAndTwo))), Results{ReconfigResult::kRequestInProgress});
  EXPECT_EQ(ResultsOf(peer.Deliver(Reconfig<SsnTsnResetRequest>{{.request_sn = PeerSn(peer, 2)}})),
            Results{ReconfigResult::kRequestInProgress});
  peer.Deliver(lost);
  // The numbers are used up, and the answers stand.
  EXPECT_EQ(ResultsOf(peer.Deliver(Reconfig<SsnTsnResetRequest>{{.request_sn = PeerSn(peer, 2)}})),
            Results{ReconfigResult::kRequestInProgress});
  EXPECT_EQ(ResultsOf(peer.Deliver(Reset(peer, 3, lost.tsn, kOneAndTwo))), Results{ReconfigResult::kPerformed});
}

TEST(StreamResetTest, C11_ADeferredResetThatIsAskedForUnderANewNumberIsOneReset) {  // RFC 6525 §5.2.2 E2
  for (const bool overtaken : {false, true}) {
    SCOPED_TRACE(overtaken);
    EstablishedPeer peer;
    const DataChunk lost = peer.NextData(2, 0, kHello);
    EXPECT_EQ(ResultsOf(peer.Deliver(Reset(peer, 0, lost.tsn, kOne))), Results{ReconfigResult::kInProgress});
    if (overtaken) peer.Deliver(lost);
    const auto second = peer.Deliver(Reset(peer, 1, lost.tsn, kOne));
    EXPECT_EQ(ResultsOf(second), Results{overtaken ? ReconfigResult::kPerformed : ReconfigResult::kInProgress});
    if (!overtaken) {
      const auto done = ParametersOf<ReconfigResponse>(peer.Deliver(lost));
      ASSERT_EQ(done.size(), 1u);
      EXPECT_EQ(done[0].response_sn, PeerSn(peer, 1));
      EXPECT_EQ(done[0].result(), ReconfigResult::kPerformed);
    }
    size_t resets = 0;
    while (auto event = peer.core.PollEvent()) resets += std::holds_alternative<event::IncomingStreamsReset>(*event);
    EXPECT_EQ(resets, 1u);
  }
}

TEST(StreamResetTest, ResetsAllStreamsWithAnEmptyList) {  // RFC 6525 §5.1.2 A4
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  ASSERT_TRUE(peer.core.ResetStreams(peer.now, {}));
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(9, 10)).error(), SendError::kUnknownStream);
  EXPECT_TRUE(ChunksOf<ReconfigChunk>(peer.Drain()).empty());
  const auto requests = ParametersOf<OutgoingSsnResetRequest>(peer.Deliver(peer.SackUpTo(peer.core_initial_tsn)));
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_TRUE(requests[0].streams.empty());
  peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kPerformed));
  EXPECT_TRUE(peer.NextEvent<event::OutgoingStreamsReset>()->streams.empty());
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  EXPECT_EQ(ChunksOf<DataChunk>(peer.Drain())[0].ssn, Ssn(0));
}

TEST(StreamResetTest, ARefusedResetOfAllStreamsOpensThemAndCountsOn) {  // RFC 6525 §5.2.7 H3
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  peer.Drain();
  peer.Deliver(peer.SackUpTo(peer.core_initial_tsn));
  ASSERT_TRUE(peer.core.ResetStreams(peer.now, {}));
  peer.Drain();
  peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kDenied));
  EXPECT_TRUE(peer.NextEvent<event::OutgoingStreamsResetFailed>()->streams.empty());
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  EXPECT_EQ(ChunksOf<DataChunk>(peer.Drain())[0].ssn, Ssn(1));
}

TEST(StreamResetTest, C10_ForwardTsnOverADeferredResetReleasesEverything) {
  EstablishedPeer peer;
  const DataChunk lost = peer.NextData(1, 7, kHello);
  EXPECT_EQ(ResultsOf(peer.Deliver(Reset(peer, 0, lost.tsn, kOne))), Results{ReconfigResult::kInProgress});
  peer.Deliver(peer.NextData(1, 0, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 0u);
  const std::array<SkippedStream, 1> skipped{SkippedStream{StreamId(1), Ssn(7)}};
  const auto sent = peer.Deliver(ForwardTsnChunk{lost.tsn, std::span<const SkippedStream>(skipped)});
  EXPECT_EQ(ResultsOf(sent), Results{ReconfigResult::kPerformed});
  EXPECT_EQ(peer.core.metrics().messages_received, 1u);
  peer.Deliver(peer.NextData(1, 1, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 2u);
}

TEST(StreamResetTest, C10_WhatIsHeldIsBoundedByTheWindow) {
  ScriptedPeer::Config config{.parameters = ScriptedPeer::AllExtensions()};
  config.options.receive_window = 100000;
  config.options.max_message_size = 10000;
  EstablishedPeer peer(config);
  const DataChunk lost = peer.NextData(1, 0, kHello);
  peer.Deliver(Reset(peer, 0, lost.tsn, kOne));
  const auto payload = MakeMessage(0, 1000).payload;
  for (uint16_t i = 0; i < 500; ++i) peer.Deliver(peer.NextData(1, i, payload));
  EXPECT_GT(peer.dropped(DropReason::kReceiveWindowFull), 350u);
  peer.Deliver(lost);
  EXPECT_GT(peer.core.metrics().messages_received, 50u);
}

TEST(StreamResetTest, C10_AResetThatCouldNeverHappenIsDenied) {
  EstablishedPeer peer;
  EXPECT_EQ(ResultsOf(peer.Deliver(Reset(peer, 0, Plus(peer.next_tsn, 100000), kOne))),
            Results{ReconfigResult::kDenied});
  EXPECT_EQ(ResultsOf(peer.Deliver(Reset(peer, 1, Plus(peer.next_tsn, 0x7fffff00), kOne))),
            Results{ReconfigResult::kDenied});
}

TEST(StreamResetTest, C11_BrokenParametersAreCountedAndHarmless) {  // RFC 6525 §4.1
  EstablishedPeer peer;
  peer.Deliver(RawChunk{130, 0, {0, 13, 0, 17, 0, 0, 3, 232, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}});
  peer.Deliver(RawChunk{130, 0, {0, 13, 0, 8, 0, 0, 3, 232}});
  peer.Deliver(RawChunk{130, 0, {}});
  EXPECT_GE(peer.dropped(DropReason::kBadChunk), 3u);
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(StreamResetTest, P29_ClosedStreamsAreReusableOnAnyPath) {  // RFC 6525 §5.1.2, §5.2.2
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    AssociationPair pair({.link = {.loss = 0.1, .duplicate = 0.2, .reorder = 0.5}, .seed = seed});
    ASSERT_TRUE(pair.Connect());
    for (size_t round = 1; round <= 5; ++round) {
      for (int i = 0; i < 3; ++i) ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 3000)));
      ASSERT_TRUE(pair.a().ResetStreams(pair.now(), kOne));
      ASSERT_TRUE(pair.z().ResetStreams(pair.now(), kOne));
      const auto both_reset = [&] {
        return pair.CountEvents<event::OutgoingStreamsReset>(Side::kA) == round &&
               pair.CountEvents<event::OutgoingStreamsReset>(Side::kZ) == round &&
               pair.CountEvents<event::IncomingStreamsReset>(Side::kZ) == round;
      };
      ASSERT_TRUE(pair.RunUntil(both_reset, 120s));
      // All that was sent before arrived before.
      EXPECT_EQ(pair.received(Side::kZ).size(), 3 * round);
    }
  }
}

}  // namespace
}  // namespace jsp::sctp
