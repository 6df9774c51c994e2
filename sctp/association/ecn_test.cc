// Explicit Congestion Notification (RFC 3168), packet by packet; docs/sctp.md#ecn.
#include "sctp/association/ecn.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "sctp/packet/chunk/cwr.h"
#include "sctp/packet/chunk/ecne.h"
#include "sctp/packet/chunk/sack.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;

Tsn Plus(Tsn tsn, uint32_t n) { return Tsn(tsn.value + n); }

enum class Offers : uint8_t { kEcn, kNothing };

ScriptedPeer::Config Offering(Offers core, Offers peer) {
  ScriptedPeer::Config config;
  config.options.ecn = core == Offers::kEcn;
  config.parameters = ScriptedPeer::AllExtensions();
  if (peer == Offers::kEcn) config.parameters.insert(config.parameters.end(), {0x80, 0x00, 0, 4});
  return config;
}

struct EcnPeer : EstablishedPeer {
  EcnPeer() : EcnPeer(Offers::kEcn, Offers::kEcn) {}
  EcnPeer(Offers core_offers, Offers peer_offers) : EstablishedPeer(Offering(core_offers, peer_offers)) {
    (void)Deliver(Next());  // whose SACK would not wait (RFC 9260 §5.1)
  }
  DataChunk Next() { return NextData(1, ssn++, kHello); }
  std::vector<Tsn> Echoes(const std::vector<SentPacket>& sent) const {
    std::vector<Tsn> tsns;
    for (const EcneChunk& echo : ChunksOf<EcneChunk>(sent)) tsns.push_back(echo.lowest_tsn);
    return tsns;
  }
  // What the core sent of `size` octets without waiting for us.
  std::vector<SentPacket> Sends(size_t size) {
    EXPECT_TRUE(core.Send(now, MakeMessage(1, size)));
    return Drain();
  }
  size_t cwnd() const { return core.metrics().cwnd; }
  uint16_t ssn = 0;
};

TEST(EcnTest, IsUsedIfBothOfferIt) {
  for (const Offers core : {Offers::kEcn, Offers::kNothing}) {
    for (const Offers peer : {Offers::kEcn, Offers::kNothing}) {
      const bool both = core == Offers::kEcn && peer == Offers::kEcn;
      ScriptedPeer client(Offering(core, peer));
      client.EstablishAsClient();
      EXPECT_EQ(client.NextEvent<event::Connected>()->ecn, both);
      EcnPeer server(core, peer);
      EXPECT_EQ(server.NextEvent<event::Connected>()->ecn, both);
      for (const SentPacket& sent : server.Sends(3000)) {
        EXPECT_EQ(sent.ecn, both ? EcnMark::kEct0 : EcnMark::kNotEct);  // RFC 3168 §6.1.1
      }
      EXPECT_EQ(server.DeliverMarked(server.Next()).size(), both ? 1u : 0u);
    }
  }
}

TEST(EcnTest, EchoesAMarkWithEverySackUntilTheAnswer) {  // RFC 3168 §6.1.3
  EcnPeer peer;
  const DataChunk marked = peer.Next();
  const auto at_once = peer.DeliverMarked(marked, peer.Next());
  ASSERT_EQ(at_once.size(), 1u);
  EXPECT_EQ(at_once[0].types(), (std::vector{ChunkType::kEcne, ChunkType::kSack}));
  EXPECT_EQ(peer.Echoes(at_once), std::vector{marked.tsn});
  EXPECT_EQ(peer.core.metrics().ce_received, 1u);
  for (int i = 0; i < 3; ++i) {
    (void)peer.Deliver(peer.Next());
    EXPECT_EQ(peer.Echoes(peer.Deliver(peer.Next())), std::vector{marked.tsn});
  }
  (void)peer.Deliver(CwrChunk{marked.tsn}, peer.Next());
  const auto after = peer.Deliver(peer.Next());
  EXPECT_EQ(ChunksOf<SackChunk>(after).size(), 1u);
  EXPECT_TRUE(peer.Echoes(after).empty());
}

TEST(EcnTest, TellsHowManyPacketsWereMarkedSinceTheLastAnswer) {
  EcnPeer peer;
  const auto count = [&](const std::vector<SentPacket>& sent) {
    const auto echoes = ChunksOf<EcneChunk>(sent);
    return echoes.size() == 1 ? echoes[0].marked_packets : 0;
  };
  const DataChunk first = peer.Next();
  EXPECT_EQ(count(peer.DeliverMarked(first)), 1u);
  const DataChunk second = peer.Next();
  (void)peer.DeliverMarked(second);
  EXPECT_EQ(count(peer.DeliverMarked(second)), 2u) << "a duplicate says nothing";
  EXPECT_EQ(count(peer.Deliver(CwrChunk{second.tsn}, peer.Next())), 0u);
  EXPECT_EQ(count(peer.DeliverMarked(peer.Next())), 1u);
}

TEST(EcnTest, AnAnswerToAnEarlierMarkLeavesALaterOneOpen) {  // RFC 3168 §6.1.3
  EcnPeer peer;
  const DataChunk first = peer.Next();
  const DataChunk second = peer.Next();
  (void)peer.DeliverMarked(first);
  (void)peer.DeliverMarked(second);
  EXPECT_EQ(peer.Echoes(peer.Deliver(CwrChunk{first.tsn}, peer.Next())), std::vector{second.tsn});
  (void)peer.Deliver(CwrChunk{second.tsn}, peer.Next());
  const auto after = peer.Deliver(peer.Next());
  EXPECT_EQ(ChunksOf<SackChunk>(after).size(), 1u);
  EXPECT_TRUE(peer.Echoes(after).empty());
}

TEST(EcnTest, MarksOutsideOfTheWindowMeanNothing) {  // RFC 3168 §6.1.5
  EcnPeer peer;
  const DataChunk data = peer.Next();
  (void)peer.Deliver(data);
  EXPECT_TRUE(peer.Echoes(peer.DeliverMarked(data)).empty());
  DataChunk far = peer.Next();
  far.tsn = Plus(far.tsn, 1 << 20);
  EXPECT_TRUE(peer.Echoes(peer.DeliverMarked(far)).empty());
  // Nor do those of packets without DATA: no window of the peer's carries them.
  EXPECT_TRUE(peer.Echoes(peer.DeliverMarked(peer.SackUpTo(Plus(peer.core_initial_tsn, 0xffffffff)))).empty());
  EXPECT_EQ(peer.core.metrics().ce_received, 0u);
}

TEST(EcnTest, ReducesOncePerWindowAndAnswersEveryEcho) {  // RFC 3168 §6.1.2
  for (const auto algorithm : {CongestionAlgorithm::kNewReno, CongestionAlgorithm::kCubic}) {
    auto config = Offering(Offers::kEcn, Offers::kEcn);
    config.options.congestion_control = algorithm;
    EstablishedPeer peer(config);
    ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 100'000)));
    ASSERT_GE(peer.Drain().size(), 4u);
    const Tsn first = peer.core_initial_tsn;
    const size_t cwnd = peer.core.metrics().cwnd;
    const auto answer = peer.Deliver(EcneChunk{first}, peer.SackUpTo(first));
    const size_t reduced = peer.core.metrics().cwnd;
    EXPECT_LT(reduced, cwnd * 3 / 4);
    ASSERT_EQ(ChunksOf<CwrChunk>(answer).size(), 1u);
    EXPECT_EQ(ChunksOf<CwrChunk>(answer)[0].lowest_tsn, first);
    // The echo again, and one of another packet of that window.
    for (const Tsn tsn : {first, Plus(first, 2)}) {
      const auto again = peer.Deliver(EcneChunk{tsn}, peer.SackUpTo(Plus(first, 1)));
      ASSERT_EQ(ChunksOf<CwrChunk>(again).size(), 1u);
      EXPECT_EQ(ChunksOf<CwrChunk>(again)[0].lowest_tsn, tsn);
      EXPECT_EQ(peer.core.metrics().cwnd, reduced);
    }
    EXPECT_EQ(peer.core.metrics().ecn_reductions, 1u);
    EXPECT_EQ(peer.core.metrics().ecne_received, 3u);
    EXPECT_EQ(peer.core.metrics().retransmitted_chunks, 0u);
  }
}

TEST(EcnTest, ReducesAgainForWhatWasSentAfterwards) {  // RFC 3168 §6.1.2
  EcnPeer peer;
  const Tsn first = peer.core_initial_tsn;
  const auto flight = ChunksOf<DataChunk>(peer.Sends(5000));
  (void)peer.Deliver(EcneChunk{first}, peer.SackUpTo(flight.back().tsn));
  const size_t reduced = peer.cwnd();
  const auto next = ChunksOf<DataChunk>(peer.Sends(1000));
  ASSERT_FALSE(next.empty());
  (void)peer.Deliver(EcneChunk{next[0].tsn}, peer.SackUpTo(next[0].tsn));
  EXPECT_LT(peer.cwnd(), reduced);
  EXPECT_EQ(peer.core.metrics().ecn_reductions, 2u);
}

TEST(EcnTest, RepetitionsAreNotMarkable) {  // RFC 3168 §6.1.5
  EcnPeer peer;
  ASSERT_EQ(peer.Sends(500).size(), 1u);
  const auto repeated = peer.Wait(5s);
  ASSERT_GT(peer.core.metrics().retransmitted_chunks, 0u);
  for (const SentPacket& sent : repeated) EXPECT_EQ(sent.ecn, EcnMark::kNotEct);
}

TEST(EcnTest, AcknowledgementsAreNotMarkable) {  // RFC 3168 §6.1.4
  EcnPeer peer;
  (void)peer.Deliver(peer.Next());
  const auto sent = peer.Deliver(peer.Next());
  ASSERT_EQ(ChunksOf<SackChunk>(sent).size(), 1u);
  EXPECT_EQ(sent[0].ecn, EcnMark::kNotEct);
}

// What may be marked is lost, and only that: some middleboxes do so (RFC 3168 §6.1.1.1).
TEST(EcnTest, GivesUpOnAPathThatLosesAllThatMayBeMarked) {
  EcnPeer peer;
  Tsn acknowledged = Plus(peer.core_initial_tsn, 0xffffffff);
  size_t markable = 0;
  const auto lose_markable = [&](const std::vector<SentPacket>& sent) {
    for (const SentPacket& packet : sent) {
      if (packet.ecn == EcnMark::kEct0) {
        ++markable;
        continue;
      }
      for (const DataChunk& data : ChunksOf<DataChunk>({packet})) {
        if (data.tsn == Plus(acknowledged, 1)) acknowledged = data.tsn;
      }
    }
  };
  for (int i = 0; i < 20; ++i) {
    lose_markable(peer.Sends(100));
    for (int wait = 0; wait < 4; ++wait) lose_markable(peer.Wait(300ms));
    lose_markable(peer.Deliver(peer.SackUpTo(acknowledged)));
  }
  EXPECT_EQ(acknowledged, Plus(peer.core_initial_tsn, 19)) << "all was delivered";
  EXPECT_GE(markable, 4u);
  EXPECT_LE(markable, 6u);
  // Another path is tried anew (RFC 8261 §6.1).
  peer.core.HandlePathChanged(peer.now, {});
  EXPECT_EQ(peer.Sends(100).at(0).ecn, EcnMark::kEct0);
}

TEST(EcnTest, LossesOfSomePacketsAreNoReasonToGiveUp) {
  EcnPeer peer;
  Tsn acknowledged = Plus(peer.core_initial_tsn, 0xffffffff);
  for (int i = 0; i < 40; ++i) {
    auto sent = peer.Sends(100);
    while (sent.empty()) sent = peer.Wait(10ms);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].ecn, EcnMark::kEct0) << i;
    const uint64_t repeated = peer.core.metrics().retransmitted_chunks;
    while (i % 3 == 1 && peer.core.metrics().retransmitted_chunks == repeated) (void)peer.Wait(20ms);  // lost
    acknowledged = Plus(acknowledged, 1);
    (void)peer.Deliver(peer.SackUpTo(acknowledged));
  }
  EXPECT_GE(peer.core.metrics().retransmitted_chunks, 10u);
}

TEST(EcnTest, AnEchoOfWhatWasNeverSentChangesNothing) {
  EcnPeer peer;
  const auto flight = ChunksOf<DataChunk>(peer.Sends(3000));
  const size_t cwnd = peer.cwnd();
  const Tsn next = Plus(flight.back().tsn, 1);
  uint64_t dropped = 0;
  for (const Tsn tsn : {next, Plus(next, 1000), Plus(next, 0x7ffffff0)}) {
    EXPECT_TRUE(peer.Deliver(EcneChunk{tsn}).empty());
    EXPECT_EQ(peer.dropped(DropReason::kBadEcne), ++dropped);
  }
  // Before the first TSN: as if it had been answered long ago.
  for (const uint32_t before : {1u, 70'000u, 0x7fffff00u}) {
    EXPECT_EQ(ChunksOf<CwrChunk>(peer.Deliver(EcneChunk{Tsn(peer.core_initial_tsn.value - before)})).size(), 1u);
  }
  EXPECT_EQ(peer.cwnd(), cwnd);
  EXPECT_EQ(peer.core.metrics().ecn_reductions, 0u);
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(EcnTest, ChunksOfBadLengthAreDropped) {
  EcnPeer peer;
  for (const uint8_t type : {uint8_t{12}, uint8_t{13}}) {
    const uint64_t before = peer.dropped(DropReason::kBadChunk);
    EXPECT_TRUE(peer.Deliver(RawChunk{.type = type, .value = {1, 2}}).empty());
    EXPECT_EQ(peer.dropped(DropReason::kBadChunk), before + 1);
  }
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(EcnTest, WithoutConsentTheChunksAreUnknown) {  // RFC 9260 §3.2
  EcnPeer peer(Offers::kEcn, Offers::kNothing);
  (void)peer.Sends(3000);
  const size_t cwnd = peer.cwnd();
  EXPECT_TRUE(peer.Deliver(EcneChunk{peer.core_initial_tsn}).empty());
  EXPECT_TRUE(peer.Deliver(CwrChunk{peer.core_initial_tsn}).empty());
  EXPECT_EQ(peer.dropped(DropReason::kUnknownChunk), 2u);
  EXPECT_EQ(peer.cwnd(), cwnd);
}

}  // namespace
}  // namespace jsp::sctp
