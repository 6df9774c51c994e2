// RFC 9260 §9.2: graceful ends in every state, and that all of them end.
#include "sctp/association/shutdown.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <vector>

#include "sctp/packet/chunk/abort.h"
#include "sctp/packet/chunk/heartbeat.h"
#include "sctp/packet/chunk/shutdown.h"
#include "sctp/packet/chunk/shutdown_ack.h"
#include "sctp/packet/chunk/shutdown_complete.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;
using Types = std::vector<ChunkType>;

Tsn Before(Tsn tsn) { return Tsn(tsn.value - 1); }

TEST(ShutdownTest, SendsShutdownWithItsCumulativeTsnAndCompletes) {  // RFC 9260 §9.2
  EstablishedPeer peer;
  peer.Deliver(peer.NextData(0, 0, kHello));
  peer.core.Shutdown(peer.now);
  const auto sent = peer.Drain();
  ASSERT_EQ(ChunksOf<ShutdownChunk>(sent).size(), 1u);
  EXPECT_EQ(ChunksOf<ShutdownChunk>(sent)[0].cumulative_tsn_ack, Before(peer.next_tsn));
  EXPECT_EQ(peer.core.state(), State::kShutdownSent);
  const auto complete = peer.Deliver(ShutdownAckChunk{});
  ASSERT_EQ(complete.size(), 1u);
  EXPECT_EQ(complete[0].types(), Types{ChunkType::kShutdownComplete});
  EXPECT_EQ(ChunksOf<ShutdownCompleteChunk>(complete)[0].tag, TagMode::kExpected);
  EXPECT_EQ(complete[0].header().verification_tag, peer.config.tag);
  EXPECT_TRUE(peer.NextEvent<event::Closed>());
  EXPECT_FALSE(peer.core.PollEvent());
  EXPECT_EQ(peer.core.NextTimeout(), Timestamp::Never());
}

TEST(ShutdownTest, WaitsUntilAllDataIsAcknowledged) {  // RFC 9260 §9.2
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 2000)));
  peer.core.Shutdown(peer.now);
  const auto sent = peer.Drain();
  EXPECT_EQ(ChunksOf<DataChunk>(sent).size(), 2u);
  EXPECT_TRUE(ChunksOf<ShutdownChunk>(sent).empty());
  EXPECT_EQ(peer.core.state(), State::kShutdownPending);
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(0, 10)).error(), SendError::kShuttingDown);
  EXPECT_TRUE(ChunksOf<ShutdownChunk>(peer.Deliver(peer.SackUpTo(peer.core_initial_tsn))).empty());
  const auto after = peer.Deliver(peer.SackUpTo(Tsn(peer.core_initial_tsn.value + 1)));
  EXPECT_EQ(ChunksOf<ShutdownChunk>(after).size(), 1u);
}

TEST(ShutdownTest, RepeatsShutdownWithDoublingTimeoutsAndThenFails) {  // RFC 9260 §9.2
  EstablishedPeer peer;
  peer.core.Shutdown(peer.now);
  const auto sent = peer.Wait(600s);
  const auto shutdowns = ChunksOf<ShutdownChunk>(sent);
  ASSERT_GE(shutdowns.size(), 8u);
  EXPECT_LE(shutdowns.size(), Options{}.association_max_retransmits + 1);
  EXPECT_EQ(sent[1].at - sent[0].at, 500ms);
  EXPECT_EQ(sent[2].at - sent[1].at, 1s);
  EXPECT_TRUE(peer.NextEvent<event::Aborted>());
  EXPECT_EQ(peer.core.NextTimeout(), Timestamp::Never());
}

TEST(ShutdownTest, FinishesItsDataBeforeItAnswersShutdown) {  // RFC 9260 §9.2
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 30000)));
  std::vector<SentPacket> sent = peer.Drain();
  const auto more = peer.Deliver(ShutdownChunk{Before(peer.core_initial_tsn)});
  EXPECT_EQ(peer.core.state(), State::kShutdownReceived);
  EXPECT_TRUE(ChunksOf<ShutdownAckChunk>(more).empty());
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(0, 10)).error(), SendError::kShuttingDown);
  Tsn last = ChunksOf<DataChunk>(sent).back().tsn;
  for (int i = 0; i < 100 && peer.core.state() == State::kShutdownReceived; ++i) {
    sent = peer.Deliver(peer.SackUpTo(last));
    for (const DataChunk& data : ChunksOf<DataChunk>(sent)) last = data.tsn;
  }
  EXPECT_EQ(ChunksOf<ShutdownAckChunk>(sent).size(), 1u);
  EXPECT_EQ(last.value - peer.core_initial_tsn.value + 1, 26u);  // 30000 octets in pieces of 1160
  peer.Deliver(ShutdownCompleteChunk{});
  EXPECT_TRUE(peer.NextEvent<event::Closed>());
}

TEST(ShutdownTest, TheCumulativeTsnOfShutdownAcknowledges) {  // RFC 9260 §9.2
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 10)));
  peer.Drain();
  const auto sent = peer.Deliver(ShutdownChunk{peer.core_initial_tsn});
  EXPECT_EQ(ChunksOf<ShutdownAckChunk>(sent).size(), 1u);
  EXPECT_EQ(peer.core.state(), State::kShutdownAckSent);
}

TEST(ShutdownTest, C5_AbortsOnAShutdownThatAcknowledgesWhatWasNeverSent) {  // RFC 9260 §12.4
  EstablishedPeer peer;
  const auto sent = peer.Deliver(ShutdownChunk{Tsn(peer.core_initial_tsn.value + 5)});
  EXPECT_EQ(ChunksOf<AbortChunk>(sent).size(), 1u);
  EXPECT_EQ(peer.core.state(), State::kClosed);
}

TEST(ShutdownTest, C20_AnswersDataInShutdownSentWithShutdownAndSack) {  // RFC 9260 §9.2, §4
  EstablishedPeer peer;
  peer.core.Shutdown(peer.now);
  peer.Drain();
  for (uint16_t i = 0; i < 5; ++i) {
    const auto sent = peer.Deliver(peer.NextData(0, i, kHello));
    ASSERT_EQ(ChunksOf<ShutdownChunk>(sent).size(), 1u);
    EXPECT_EQ(ChunksOf<ShutdownChunk>(sent)[0].cumulative_tsn_ack, Before(peer.next_tsn));
    EXPECT_EQ(ChunksOf<SackChunk>(sent).size(), 1u);
  }
  EXPECT_EQ(peer.core.metrics().messages_received, 5u);
}

TEST(ShutdownTest, C20_APeerThatSendsForEverIsCutOffByTheGuard) {  // RFC 9260 §9.2, T5-shutdown-guard
  EstablishedPeer peer;
  peer.core.Shutdown(peer.now);
  uint16_t ssn = 0;
  for (int i = 0; i < 120 && peer.core.state() == State::kShutdownSent; ++i) {
    peer.Deliver(peer.NextData(0, ssn++, kHello));
    peer.Wait(500ms);
  }
  EXPECT_EQ(peer.core.state(), State::kClosed);
  EXPECT_EQ(peer.NextEvent<event::Aborted>()->cause, AbortCause::kLocalClose);
}

TEST(ShutdownTest, C20_CrossingShutdownsBothComplete) {  // RFC 9260 §9.2
  EstablishedPeer peer;
  peer.core.Shutdown(peer.now);
  peer.Drain();
  const auto sent = peer.Deliver(ShutdownChunk{Before(peer.core_initial_tsn)});
  EXPECT_EQ(ChunksOf<ShutdownAckChunk>(sent).size(), 1u);
  EXPECT_EQ(peer.core.state(), State::kShutdownAckSent);
  const auto complete = peer.Deliver(ShutdownAckChunk{});
  EXPECT_EQ(ChunksOf<ShutdownCompleteChunk>(complete).size(), 1u);
  EXPECT_TRUE(peer.NextEvent<event::Closed>());
}

TEST(ShutdownTest, RepeatsShutdownAckAndThenFails) {  // RFC 9260 §9.2
  EstablishedPeer peer;
  peer.Deliver(ShutdownChunk{Before(peer.core_initial_tsn)});
  const auto sent = peer.Wait(600s);
  EXPECT_EQ(ChunksOf<ShutdownAckChunk>(sent).size(), Options{}.association_max_retransmits);
  EXPECT_EQ(peer.NextEvent<event::Aborted>()->cause, AbortCause::kTooManyRetransmissions);
}

TEST(ShutdownTest, C20_InShutdownAckSentItIgnoresDataAndRepeatsItsAnswerToInit) {  // RFC 9260 §6, §9.2
  EstablishedPeer peer;
  peer.Deliver(ShutdownChunk{Before(peer.core_initial_tsn)});
  EXPECT_TRUE(peer.Deliver(peer.NextData(0, 0, kHello)).empty());
  EXPECT_EQ(peer.dropped(DropReason::kOutOfState), 1u);
  const auto init = peer.DeliverWithTag(VerificationTag(0), peer.OwnInit());
  EXPECT_EQ(ChunksOf<ShutdownAckChunk>(init).size(), 1u);
  EXPECT_TRUE(ChunksOf<InitAckChunk>(init).empty());
  EXPECT_EQ(ChunksOf<ShutdownAckChunk>(peer.Deliver(ShutdownChunk{Before(peer.core_initial_tsn)})).size(), 1u);
}

TEST(ShutdownTest, C20_ShutdownAckOutOfStateIsIgnored) {
  EstablishedPeer peer;
  EXPECT_TRUE(peer.Deliver(ShutdownAckChunk{}).empty());
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(ShutdownTest, C20_LostShutdownCompleteIsRepeatedAsOutOfTheBlue) {  // RFC 9260 §8.4
  EstablishedPeer peer;
  peer.core.Shutdown(peer.now);
  peer.Drain();
  peer.Deliver(ShutdownAckChunk{});
  const auto again = peer.Deliver(ShutdownAckChunk{});
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(ChunksOf<ShutdownCompleteChunk>(again)[0].tag, TagMode::kReflected);
  EXPECT_EQ(again[0].header().verification_tag, peer.core_tag);
  // Other late packets get no ABORT, which would spoil the peer's own graceful end.
  EXPECT_TRUE(peer.Deliver(peer.SackUpTo(Before(peer.core_initial_tsn))).empty());
}

TEST(ShutdownTest, SendsNoHeartbeatsOnceItShutsDown) {  // RFC 9260 §8.3
  EstablishedPeer peer;
  peer.core.Shutdown(peer.now);
  EXPECT_TRUE(ChunksOf<HeartbeatChunk>(peer.Wait(600s)).empty());
}

TEST(ShutdownTest, C20_TerminatesFromEveryStateWhateverThePeerDoes) {
  using Prepare = std::function<void(ScriptedPeer&)>;
  const std::vector<Prepare> states{
      [](ScriptedPeer&) {},
      [](ScriptedPeer& peer) { peer.core.Connect(peer.now); },
      [](ScriptedPeer& peer) {
        peer.core.Connect(peer.now);
        const auto init = ChunksOf<InitChunk>(peer.Drain())[0];
        const auto parameters = peer.WithCookie("c");
        peer.DeliverWithTag(init.initiate_tag, peer.OwnInitAck(parameters));
      },
      [](ScriptedPeer& peer) { peer.EstablishAsServer(); },
      [](ScriptedPeer& peer) {
        peer.EstablishAsClient();
        (void)peer.core.Send(peer.now, MakeMessage(0, 100000));
      },
      [](ScriptedPeer& peer) {
        peer.EstablishAsServer();
        (void)peer.core.Send(peer.now, MakeMessage(0, 100000));
        peer.Deliver(ShutdownChunk{Before(peer.core_initial_tsn)});
      },
      [](ScriptedPeer& peer) {
        peer.EstablishAsServer();
        peer.Deliver(ShutdownChunk{Before(peer.core_initial_tsn)});
      },
  };
  for (size_t i = 0; i < states.size(); ++i) {
    SCOPED_TRACE(i);
    ScriptedPeer peer;
    states[i](peer);
    peer.core.Shutdown(peer.now);
    peer.core.Shutdown(peer.now);
    peer.Wait(3600s);
    EXPECT_EQ(peer.core.state(), State::kClosed);
    size_t ends = 0;
    bool last_is_end = false;
    while (auto event = peer.core.PollEvent()) {
      last_is_end = std::holds_alternative<event::Closed>(*event) || std::holds_alternative<event::Aborted>(*event);
      ends += last_is_end;
    }
    EXPECT_EQ(ends, 1u);
    EXPECT_TRUE(last_is_end);
    EXPECT_EQ(peer.core.NextTimeout(), Timestamp::Never());
  }
}

TEST(ShutdownTest, C20_AbortDuringAWriteDropsEverything) {
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 100000)));
  peer.Drain();
  peer.Deliver(AbortChunk{});
  EXPECT_TRUE(peer.Wait(60s).empty());
  EXPECT_EQ(peer.core.total_buffered_amount(), 0u);
}

TEST(ShutdownTest, BothSidesCloseOnACleanPath) {
  AssociationPair pair;
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(0, 100000)));
  pair.a().Shutdown(pair.now());
  pair.Run(5s);
  EXPECT_EQ(pair.received(Side::kZ).size(), 1u);
  EXPECT_EQ(pair.CountEvents<event::Closed>(Side::kA), 1u);
  EXPECT_EQ(pair.CountEvents<event::Closed>(Side::kZ), 1u);
}

}  // namespace
}  // namespace jsp::sctp
