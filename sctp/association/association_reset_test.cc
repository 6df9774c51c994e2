// RFC 6525 §4.3, §5.1.4, §5.2.4: SSN/TSN resets.
#include "sctp/association/association_reset.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "sctp/association/reconfig_test_support.h"
#include "sctp/packet/chunk/abort.h"
#include "sctp/packet/chunk/forward_tsn.h"
#include "sctp/packet/chunk/shutdown.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

constexpr uint32_t kLeap = uint32_t{1} << 31;

Reconfig<SsnTsnResetRequest> AskForAnew(const ScriptedPeer& peer, uint32_t ahead) {
  return {{.request_sn = PeerSn(peer, ahead)}};
}
// The peer has performed the core's reset: it goes on with `sender_next`, and wants `receiver_next` from the core.
Reconfig<ReconfigResponse> Performed(ReconfigSn sn, Tsn sender_next, Tsn receiver_next) {
  return {{.response_sn = sn,
           .result_code = static_cast<uint32_t>(ReconfigResult::kPerformed),
           .next_tsns = NextTsns{sender_next, receiver_next}}};
}

TEST(AssociationResetTest, PerformsOneAndTellsBothNextTsns) {  // RFC 6525 §5.2.4, §5.1.7 D3 and D4
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  peer.Drain();
  peer.Deliver(peer.SackUpTo(peer.core_initial_tsn), peer.NextData(1, 0, kHello));
  const auto sent = peer.Deliver(AskForAnew(peer, 0));
  const auto responses = ParametersOf<ReconfigResponse>(sent);
  ASSERT_EQ(responses.size(), 1u);
  EXPECT_EQ(responses[0].response_sn, PeerSn(peer));
  EXPECT_EQ(responses[0].result(), ReconfigResult::kPerformed);
  ASSERT_TRUE(responses[0].next_tsns);
  EXPECT_EQ(responses[0].next_tsns->sender_next_tsn, Plus(peer.core_initial_tsn, 1));
  EXPECT_EQ(responses[0].next_tsns->receiver_next_tsn, Plus(peer.next_tsn, kLeap));
  EXPECT_EQ(responses[0].Size(), 20u);  // RFC 6525 §4.4
  EXPECT_TRUE(peer.NextEvent<event::AssociationReset>());
  // Both directions go on there, from SSN 0.
  peer.next_tsn = Plus(peer.next_tsn, kLeap);
  const auto sack = ChunksOf<SackChunk>(peer.Deliver(peer.NextData(1, 0, kHello)));
  ASSERT_EQ(sack.size(), 0u);
  EXPECT_EQ(peer.core.metrics().messages_received, 2u);
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  const auto data = ChunksOf<DataChunk>(peer.Drain());
  ASSERT_EQ(data.size(), 1u);
  EXPECT_EQ(data[0].tsn, Plus(peer.core_initial_tsn, 1));
  EXPECT_EQ(data[0].ssn, Ssn(0));
}

TEST(AssociationResetTest, C11_ARepeatedRequestIsAnsweredAlikeAndNotExecutedAgain) {  // RFC 6525 §5.2.1
  EstablishedPeer peer;
  const auto first = ParametersOf<ReconfigResponse>(peer.Deliver(AskForAnew(peer, 0)));
  peer.next_tsn = Plus(peer.next_tsn, kLeap);
  peer.Deliver(peer.NextData(1, 0, kHello));
  const auto second = ParametersOf<ReconfigResponse>(peer.Deliver(AskForAnew(peer, 0)));
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].next_tsns, first[0].next_tsns);
  peer.Deliver(peer.NextData(1, 1, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 2u);
}

TEST(AssociationResetTest, OldTsnsAreNotTakenForNewOnes) {  // RFC 6525 §5.2.4 G1
  EstablishedPeer peer;
  const DataChunk before = peer.NextData(1, 0, kHello);
  peer.Deliver(before);
  const DataChunk late = peer.NextData(2, 0, kHello);  // given up by the peer: RFC 6525 §5.1.4 C2
  peer.Deliver(AskForAnew(peer, 0));
  peer.Deliver(before);
  peer.Deliver(late);
  peer.Deliver(ForwardTsnChunk{late.tsn, {}});
  EXPECT_EQ(peer.core.metrics().messages_received, 1u);
  peer.next_tsn = Plus(late.tsn, kLeap);
  peer.Deliver(peer.NextData(1, 0, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 2u);
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(AssociationResetTest, GivesUpWhatIsIncomplete) {  // RFC 6525 §5.2.4 G4
  EstablishedPeer peer;
  DataChunk fragment = peer.NextData(1, 0, kHello);
  fragment.end = false;
  peer.Deliver(fragment);
  peer.next_tsn = Plus(peer.next_tsn, 1);
  peer.Deliver(peer.NextData(1, 5, kHello));  // ordered behind ones that never come
  peer.Deliver(AskForAnew(peer, 0));
  peer.next_tsn = Plus(fragment.tsn, 1 + kLeap);
  peer.Deliver(peer.NextData(1, 0, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 1u);
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(AssociationResetTest, WaitsUntilNothingOfItsOwnIsOutstanding) {  // RFC 6525 §5.2.4 G3, RFC 6525 §5.2.7 H2
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  peer.Drain();
  EXPECT_EQ(ResultsOf(peer.Deliver(AskForAnew(peer, 0))), Results{ReconfigResult::kInProgress});
  peer.Deliver(peer.NextData(1, 0, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 1u);
  peer.Deliver(peer.SackUpTo(peer.core_initial_tsn));
  EXPECT_FALSE(peer.NextEvent<event::AssociationReset>());
  const auto responses = ParametersOf<ReconfigResponse>(peer.Deliver(AskForAnew(peer, 0)));
  ASSERT_EQ(responses.size(), 1u);
  EXPECT_EQ(responses[0].result(), ReconfigResult::kPerformed);
  EXPECT_EQ(responses[0].next_tsns->receiver_next_tsn, Plus(peer.next_tsn, kLeap));
}

TEST(AssociationResetTest, AsksOnceEverythingIsDelivered) {  // RFC 6525 §5.1.4 C1 to C4
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  peer.Drain();
  ASSERT_TRUE(peer.core.ResetAssociation(peer.now));
  EXPECT_EQ(peer.core.ResetAssociation(peer.now).error(), ResetError::kAlreadyPending);
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(1, 10)).error(), SendError::kUnknownStream);
  EXPECT_TRUE(ChunksOf<ReconfigChunk>(peer.Drain()).empty());
  const auto sent = peer.Deliver(peer.SackUpTo(peer.core_initial_tsn));
  ASSERT_EQ(ChunksOf<ReconfigChunk>(sent).size(), 1u);
  EXPECT_EQ(ChunksOf<ReconfigChunk>(sent)[0].Size(), 12u);
  EXPECT_EQ(ParametersOf<SsnTsnResetRequest>(sent)[0].request_sn, CoreSn(peer));
  EXPECT_EQ(ParametersOf<SsnTsnResetRequest>(peer.Wait(600ms)).size(), 1u);  // RFC 6525 §5.1.1
  peer.Deliver(Performed(CoreSn(peer), Tsn(77), Tsn(123456789)));
  EXPECT_TRUE(peer.NextEvent<event::AssociationReset>());
  EXPECT_EQ(peer.NextEvent<event::RequestFinished>()->outcome, ReconfigOutcome::kPerformed);
  // RFC 6525 §5.2.7 H5.
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  const auto data = ChunksOf<DataChunk>(peer.Drain());
  ASSERT_EQ(data.size(), 1u);
  EXPECT_EQ(data[0].tsn, Tsn(123456789));
  EXPECT_EQ(data[0].ssn, Ssn(0));
  peer.Deliver(peer.SackUpTo(Tsn(123456789)));
  EXPECT_EQ(peer.core.metrics().outstanding_bytes, 0u);
  peer.next_tsn = Tsn(77);
  peer.Deliver(peer.NextData(1, 0, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 1u);
}

TEST(AssociationResetTest, ARefusalChangesNothing) {  // RFC 6525 §5.2.7 H3
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  peer.Drain();
  peer.Deliver(peer.SackUpTo(peer.core_initial_tsn));
  ASSERT_TRUE(peer.core.ResetAssociation(peer.now));
  peer.Drain();
  peer.Deliver(peer.NextData(1, 0, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 0u);  // on which side of the reset is not known yet
  peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kDenied));
  EXPECT_EQ(peer.core.metrics().messages_received, 1u);
  EXPECT_EQ(peer.NextEvent<event::RequestFinished>()->outcome, ReconfigOutcome::kRefused);
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  const auto data = ChunksOf<DataChunk>(peer.Drain());
  EXPECT_EQ(data[0].tsn, Plus(peer.core_initial_tsn, 1));
  EXPECT_EQ(data[0].ssn, Ssn(1));
}

TEST(AssociationResetTest, OneWithin30Seconds) {  // RFC 6525 §5.1.4
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.ResetAssociation(peer.now));
  peer.Drain();
  peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kDenied));
  EXPECT_EQ(peer.core.ResetAssociation(peer.now).error(), ResetError::kTooSoon);
  peer.Wait(30s);
  EXPECT_TRUE(peer.core.ResetAssociation(peer.now));
}

TEST(AssociationResetTest, DataThatOvertakesTheAnswerIsBehindTheReset) {  // RFC 6525 §5.2.7 H5
  EstablishedPeer peer;
  peer.Deliver(peer.NextData(1, 0, kHello));
  ASSERT_TRUE(peer.core.ResetAssociation(peer.now));
  peer.Drain();
  peer.Deliver(peer.NextData(1, 1, kHello));  // sent before the peer heard of it
  const Tsn sender_next = peer.next_tsn;
  peer.Deliver(peer.NextData(1, 0, kHello));  // and after
  peer.Deliver(peer.NextData(1, 1, kHello));
  peer.Deliver(Performed(CoreSn(peer), sender_next, Plus(peer.core_initial_tsn, kLeap)));
  EXPECT_EQ(peer.core.state(), State::kEstablished);
  EXPECT_EQ(peer.core.metrics().messages_received, 4u);
  peer.Deliver(peer.NextData(1, 2, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 5u);
}

TEST(AssociationResetTest, InProgressReleasesWhatWasHeld) {  // RFC 6525 §5.2.7 H2
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.ResetAssociation(peer.now));
  peer.Drain();
  peer.Deliver(peer.NextData(1, 0, kHello));
  peer.Deliver(ForwardTsnChunk{peer.next_tsn, {}});
  EXPECT_EQ(peer.core.metrics().messages_received, 0u);
  peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kInProgress));
  EXPECT_EQ(peer.core.metrics().messages_received, 1u);
  peer.Deliver(peer.NextData(1, 1, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 2u);
  // Asked again, it may have been performed again.
  EXPECT_EQ(ParametersOf<SsnTsnResetRequest>(peer.Wait(600ms)).size(), 1u);
  peer.Deliver(peer.NextData(1, 2, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 2u);
}

TEST(AssociationResetTest, C11_SacksFromTheOtherSideOfTheLeapMeanNothing) {  // RFC 9260 §6.2.1 D i
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 10)));
  peer.Drain();
  peer.Deliver(peer.SackUpTo(peer.core_initial_tsn));
  ASSERT_TRUE(peer.core.ResetAssociation(peer.now));
  peer.Drain();
  const Tsn receiver_next = Plus(peer.core_initial_tsn, kLeap + 1);
  peer.Deliver(peer.SackUpTo(Plus(receiver_next, ~0u)));  // overtakes the answer
  peer.Deliver(Performed(CoreSn(peer), peer.next_tsn, receiver_next));
  peer.Deliver(peer.SackUpTo(peer.core_initial_tsn));  // an old one
  EXPECT_EQ(peer.core.state(), State::kEstablished);
  // One that is near and still acknowledges what was never sent is what it always was.
  peer.Deliver(peer.SackUpTo(receiver_next));
  EXPECT_EQ(peer.NextEvent<event::Aborted>()->cause, AbortCause::kProtocolViolation);
}

TEST(AssociationResetTest, C11_AnAnswerWithoutTsnsEndsTheAssociation) {  // RFC 6525 §5.1.7 D3
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.ResetAssociation(peer.now));
  peer.Drain();
  const auto sent = peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kPerformed));
  ASSERT_EQ(ChunksOf<AbortChunk>(sent).size(), 1u);
  EXPECT_EQ(peer.NextEvent<event::Aborted>()->cause, AbortCause::kProtocolViolation);
}

TEST(AssociationResetTest, C11_WhatIsHeldIsBoundedByTheWindow) {
  ScriptedPeer::Config config{.parameters = ScriptedPeer::AllExtensions()};
  config.options.receive_window = 100000;
  config.options.max_message_size = 10000;
  EstablishedPeer peer(config);
  ASSERT_TRUE(peer.core.ResetAssociation(peer.now));
  peer.Drain();
  const auto payload = MakeMessage(0, 1000).payload;
  for (uint16_t i = 0; i < 500; ++i) peer.Deliver(peer.NextData(1, i, payload));
  EXPECT_GT(peer.dropped(DropReason::kReceiveWindowFull), 350u);
  peer.Deliver(Respond(CoreSn(peer), ReconfigResult::kDenied));
  EXPECT_GT(peer.core.metrics().messages_received, 50u);
}

TEST(AssociationResetTest, C11_NothingIsLostOrTwiceOnAnyPath) {  // RFC 6525 §5.1.4, §5.2.4, RFC 8260 §2.3.2
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    AssociationPair::Config config{.link = {.loss = 0.1, .reorder = 0.5}, .seed = seed};
    config.a.interleaving = config.z.interleaving = seed % 2 == 0;
    AssociationPair pair(config);
    ASSERT_TRUE(pair.Connect());
    size_t sent = 0;
    for (size_t round = 1; round <= 3; ++round) {
      for (int i = 0; i < 3; ++i, ++sent) {
        ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 3000)));
        ASSERT_TRUE(pair.z().Send(pair.now(), MakeMessage(2, 3000)));
      }
      ASSERT_TRUE(pair.a().ResetAssociation(pair.now()));
      // Both at once in some rounds.
      const bool crosses = round == 2;
      if (crosses) {
        ASSERT_TRUE(pair.z().ResetAssociation(pair.now()));
      }
      const auto finished = [&] {
        return pair.CountEvents<event::RequestFinished>(Side::kA) == round &&
               pair.CountEvents<event::RequestFinished>(Side::kZ) == (round >= 2 ? 1u : 0u);
      };
      const bool is_finished = pair.RunUntil(finished, 120s);
      if (const auto aborted = pair.FindEvent<event::Aborted>(Side::kZ)) FAIL() << "z: " << aborted->detail;
      if (const auto aborted = pair.FindEvent<event::Aborted>(Side::kA)) FAIL() << "a: " << aborted->detail;
      ASSERT_TRUE(is_finished) << round << " " << pair.CountEvents<event::RequestFinished>(Side::kA)
                               << pair.CountEvents<event::RequestFinished>(Side::kZ)
                               << pair.CountEvents<event::AssociationReset>(Side::kA);
      EXPECT_EQ(pair.CountEvents<event::AssociationReset>(Side::kA),
                pair.CountEvents<event::AssociationReset>(Side::kZ));
      EXPECT_GE(pair.CountEvents<event::AssociationReset>(Side::kA), round);
      EXPECT_EQ(pair.received(Side::kZ).size(), sent);
      EXPECT_EQ(pair.received(Side::kA).size(), sent);
      pair.Run(31s);
    }
    ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 5000)));
    ASSERT_TRUE(pair.z().Send(pair.now(), MakeMessage(2, 5000)));
    const auto received = [&] {
      return pair.received(Side::kA).size() == sent + 1 && pair.received(Side::kZ).size() == sent + 1;
    };
    EXPECT_TRUE(pair.RunUntil(received, 60s));
    EXPECT_EQ(pair.a().state(), State::kEstablished);
  }
}

}  // namespace
}  // namespace jsp::sctp
