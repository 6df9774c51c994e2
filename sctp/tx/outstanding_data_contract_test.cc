#include <gtest/gtest.h>

#include <vector>

#include "sctp/tx/outstanding_data.h"
#include "sctp/tx/sack_test_support.h"
namespace jsp::sctp {
namespace {

using State = OutstandingData::Chunk::State;
using Phase = OutstandingData::RecoveryPhase;
using AckResult = OutstandingData::AckResult;

// Octets of a chunk with one octet of payload: its header and its padding.
constexpr size_t kSmallChunk = 20;

class OutstandingDataContractTest : public testing::Test {
 protected:
  OutstandingDataContractTest() { data_.SetReliability(Reliability::kPartial); }
  ~OutstandingDataContractTest() override { EXPECT_TRUE(data_.IsConsistent()); }

  // Sends a message of `octets` in pieces of `piece`.
  MessageHandle Send(size_t octets = 1, const SendOptions& options = {}, uint16_t stream = 1, size_t piece = 1000) {
    messages_.Add(At(0), MakeMessage(stream, octets), options);
    const MessageHandle handle = messages_.Front(At(0), Reliability::kFull).value();
    for (size_t left = octets; left > 0; left -= std::min(left, piece)) {
      data_.Add(messages_.Take(std::min(left, piece)));
    }
    return handle;
  }
  void SendMany(int count) {
    for (int i = 0; i < count; ++i) Send();
  }
  AckResult Apply(const Sack& sack, Phase phase = Phase::kNone, int64_t at = 0) {
    EXPECT_EQ(data_.Validate(sack.chunk()), SackVerdict::kValid);
    const AckResult result = data_.Apply(At(at), sack.chunk(), phase);
    EXPECT_TRUE(data_.IsConsistent());
    return result;
  }
  SackVerdict Validate(const Sack& sack) const { return data_.Validate(sack.chunk()); }
  const OutstandingData::Chunk& at(int64_t offset) const { return data_.at(TsnAt(offset)); }
  // What a FORWARD TSN would say, as new cumulative offset and the number of streams that it names.
  std::vector<SkippedStream> Skipped(size_t room = 1000) {
    EXPECT_TRUE(data_.AdvancePeerAckPoint());
    const ForwardTsnChunk chunk = data_.BuildForwardTsn(room);
    forward_point_ = chunk.new_cumulative_tsn;
    return {chunk.skipped.begin(), chunk.skipped.end()};
  }

  Metrics metrics_;
  SendQueue messages_{1 << 24, StreamScheduler::Policy::kFirstComeFirstServed, metrics_};
  OutstandingData data_{kFirstTsn, messages_};
  Tsn forward_point_;
};

using Skips = std::vector<SkippedStream>;

TEST_F(OutstandingDataContractTest, C19_NumbersChunksConsecutivelyAcrossTheWrap) {
  SendMany(4);
  EXPECT_EQ(data_.first_tsn(), TsnAt(0));
  EXPECT_EQ(data_.first_tsn().Wrap(), kFirstTsn);
  EXPECT_EQ(data_.next_tsn().Wrap(), Tsn(2));
  EXPECT_EQ(data_.size(), 4u);
}

// RFC 9260 §7.2: the flight counts header and padding; a_rwnd counts user data.
TEST_F(OutstandingDataContractTest, CountsTheFlightWithAndWithoutHeaders) {
  Send(1);
  Send(4);
  Send(5);
  EXPECT_EQ(data_.flight_payload(), 10u);
  EXPECT_EQ(data_.flight_octets(), 20u + 20 + 24);
}

TEST_F(OutstandingDataContractTest, C19_ACumulativeAckAcrossTheWrapReleasesMessages) {
  SendMany(5);
  const AckResult result = Apply(Sack(3));
  EXPECT_EQ(result.octets_acknowledged, 4 * kSmallChunk);
  EXPECT_TRUE(result.cumulative_advanced);
  EXPECT_EQ(result.highest_newly_acknowledged, TsnAt(3));
  EXPECT_EQ(data_.first_tsn(), TsnAt(4));
  EXPECT_EQ(data_.flight_octets(), kSmallChunk);
  EXPECT_EQ(messages_.room(), (1u << 24) - 1);
  Apply(Sack(4));
  EXPECT_TRUE(data_.empty());
  EXPECT_TRUE(messages_.is_idle());
}

TEST_F(OutstandingDataContractTest, AMessageIsKeptUntilItsLastPieceIsAcknowledgedCumulatively) {
  Send(3000);
  Apply(Sack(1));
  EXPECT_FALSE(messages_.is_idle());
  Apply(Sack(2));
  EXPECT_TRUE(messages_.is_idle());
}

TEST_F(OutstandingDataContractTest, AMessageThatIsNotAllInPiecesIsKeptThoughItsPiecesAreAcknowledged) {
  messages_.Add(At(0), MakeMessage(1, 20), {});
  messages_.Front(At(0), Reliability::kFull);
  data_.Add(messages_.Take(10));
  Apply(Sack(0));
  EXPECT_FALSE(messages_.is_idle());
  data_.Add(messages_.Take(10));
  Apply(Sack(1));
  EXPECT_TRUE(messages_.is_idle());
}

TEST_F(OutstandingDataContractTest, GapBlocksAcknowledgeWithoutReleasing) {
  SendMany(6);
  const AckResult result = Apply(Sack(0, {{2, 3}, {5, 5}}));
  EXPECT_EQ(result.octets_acknowledged, 4 * kSmallChunk);
  EXPECT_EQ(result.highest_newly_acknowledged, TsnAt(5));
  EXPECT_TRUE(data_.IsAcknowledged(TsnAt(0)));
  EXPECT_FALSE(data_.IsAcknowledged(TsnAt(1)));
  EXPECT_TRUE(data_.IsAcknowledged(TsnAt(2)));
  EXPECT_TRUE(data_.IsAcknowledged(TsnAt(5)));
  EXPECT_FALSE(data_.IsAcknowledged(TsnAt(6)));
  EXPECT_EQ(data_.flight_octets(), 2 * kSmallChunk);
  EXPECT_EQ(data_.size(), 5u);
}

TEST_F(OutstandingDataContractTest, TheSameSackTwiceAcknowledgesNothingNew) {
  SendMany(6);
  Apply(Sack(0, {{2, 3}}));
  const AckResult again = Apply(Sack(0, {{2, 3}}));
  EXPECT_EQ(again.octets_acknowledged, 0u);
  EXPECT_FALSE(again.cumulative_advanced);
  EXPECT_FALSE(again.highest_newly_acknowledged);
  EXPECT_FALSE(again.reneged);
}

TEST_F(OutstandingDataContractTest, OctetsOfAGapAreNotCountedAgainWhenTheyAreCumulative) {
  SendMany(3);
  Apply(Sack(0, {{2, 2}}));
  EXPECT_EQ(Apply(Sack(2)).octets_acknowledged, kSmallChunk);
}

TEST_F(OutstandingDataContractTest, AShutdownAcknowledgesCumulativelyAndLeavesGapsAlone) {
  SendMany(5);
  Apply(Sack(0, {{3, 3}}));
  const AckResult result = data_.ApplyCumulative(TsnAt(1).Wrap());
  EXPECT_EQ(result.octets_acknowledged, kSmallChunk);
  EXPECT_FALSE(result.reneged);
  EXPECT_TRUE(data_.IsAcknowledged(TsnAt(3)));
}

// ---- validation: all or nothing

TEST_F(OutstandingDataContractTest, C4_AnOldCumulativeAckIsOutOfOrder) {
  SendMany(5);
  Apply(Sack(3));
  EXPECT_EQ(Validate(Sack(2)), SackVerdict::kOutOfOrder);
  EXPECT_EQ(Validate(Sack(-100)), SackVerdict::kOutOfOrder);
  EXPECT_EQ(Validate(Sack(3)), SackVerdict::kValid);
}

TEST_F(OutstandingDataContractTest, C5_ACumulativeAckOfAnUnsentTsnIsAViolation) {
  EXPECT_EQ(Validate(Sack(0)), SackVerdict::kAcksUnsent);
  SendMany(5);
  EXPECT_EQ(Validate(Sack(4)), SackVerdict::kValid);
  EXPECT_EQ(Validate(Sack(5)), SackVerdict::kAcksUnsent);
  EXPECT_EQ(Validate(Sack(int64_t{1} << 30)), SackVerdict::kAcksUnsent);
  EXPECT_EQ(Validate(Sack(0x7fffffff)), SackVerdict::kAcksUnsent);
}

TEST_F(OutstandingDataContractTest, C4_HalfTheNumberSpaceAwayIsOldAndNotNew) {
  SendMany(5);
  EXPECT_EQ(Validate(Sack(int64_t{1} << 31)), SackVerdict::kOutOfOrder);
}

TEST_F(OutstandingDataContractTest, C5_AGapBlockOverAnUnsentTsnIsAViolation) {
  SendMany(5);
  EXPECT_EQ(Validate(Sack(0, {{2, 4}})), SackVerdict::kValid);
  EXPECT_EQ(Validate(Sack(0, {{2, 5}})), SackVerdict::kAcksUnsent);
  EXPECT_EQ(Validate(Sack(0, {{2, 65535}})), SackVerdict::kAcksUnsent);
  EXPECT_EQ(Validate(Sack(0, {{2, 2}, {4, 4}, {5, 5}})), SackVerdict::kAcksUnsent);
  // The SACK from just before the first TSN has all of them above it.
  EXPECT_EQ(Validate(Sack(-1, {{2, 5}})), SackVerdict::kValid);
  EXPECT_EQ(Validate(Sack(-1, {{2, 6}})), SackVerdict::kAcksUnsent);
}

TEST_F(OutstandingDataContractTest, C4_BlocksThatAreNoBlocksAreMalformed) {
  SendMany(20);
  EXPECT_EQ(Validate(Sack(0, {{0, 0}})), SackVerdict::kMalformed);
  EXPECT_EQ(Validate(Sack(0, {{0, 3}})), SackVerdict::kMalformed);
  EXPECT_EQ(Validate(Sack(0, {{5, 4}})), SackVerdict::kMalformed);
  EXPECT_EQ(Validate(Sack(0, {{2, 5}, {5, 7}})), SackVerdict::kMalformed);
  EXPECT_EQ(Validate(Sack(0, {{5, 6}, {2, 3}})), SackVerdict::kMalformed);
  EXPECT_EQ(Validate(Sack(0, {{2, 3}, {2, 3}})), SackVerdict::kMalformed);
}

TEST_F(OutstandingDataContractTest, AcceptsWhatIsUnusualButMeaningful) {
  SendMany(20);
  // Blocks that touch, and one that touches the cumulative TSN.
  EXPECT_EQ(Validate(Sack(0, {{2, 3}, {4, 5}})), SackVerdict::kValid);
  EXPECT_EQ(Validate(Sack(0, {{1, 2}})), SackVerdict::kValid);
}

TEST_F(OutstandingDataContractTest, C4_TheLastBlockIsLookedAtBeforeTheFirstIsBelieved) {
  SendMany(20);
  std::vector<GapAckBlock> blocks;
  for (uint16_t i = 2; i < 16; i = static_cast<uint16_t>(i + 2)) blocks.push_back({i, i});
  blocks.push_back({18, 60});
  EXPECT_EQ(Validate(Sack(0, blocks)), SackVerdict::kAcksUnsent);
  EXPECT_EQ(data_.flight_octets(), 20 * kSmallChunk);
  EXPECT_EQ(data_.first_tsn(), TsnAt(0));
}

// ---- miss indications, RFC 9260 §7.2.4

TEST_F(OutstandingDataContractTest, TheThirdMissIndicationLosesAChunk) {
  SendMany(6);
  EXPECT_EQ(Apply(Sack(0, {{2, 2}})).newly_lost, 0u);
  EXPECT_EQ(Apply(Sack(0, {{2, 3}})).newly_lost, 0u);
  EXPECT_FALSE(data_.has_lost());
  EXPECT_EQ(Apply(Sack(0, {{2, 4}})).newly_lost, 1u);
  EXPECT_EQ(data_.NextLost(At(0)), TsnAt(1));
  EXPECT_EQ(at(1).state, State::kLost);
  EXPECT_EQ(data_.flight_octets(), kSmallChunk);
}

// The HTNA rule: only what is below the highest TSN newly acknowledged is missing.
TEST_F(OutstandingDataContractTest, ARepeatedSackIsNoMissIndication) {
  SendMany(6);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Apply(Sack(0, {{2, 2}})).newly_lost, 0u);
  EXPECT_EQ(at(1).misses, 1u);
}

TEST_F(OutstandingDataContractTest, WhatIsAboveTheHighestNewlyAcknowledgedIsNotMissing) {
  SendMany(10);
  Apply(Sack(0, {{8, 8}}));
  Apply(Sack(0, {{3, 3}, {8, 8}}));
  EXPECT_EQ(at(1).misses, 2u);
  EXPECT_EQ(at(2).misses, 2u);
  EXPECT_EQ(at(4).misses, 1u);
  EXPECT_EQ(at(9).misses, 0u);
}

TEST_F(OutstandingDataContractTest, InFastRecoveryAnAdvanceCountsAllThatIsReportedMissing) {
  SendMany(10);
  Apply(Sack(-1, {{9, 9}}));
  EXPECT_EQ(at(5).misses, 1u);
  // Nothing new but the cumulative TSN: HTNA is 0, and yet all below the block counts.
  Apply(Sack(0, {{8, 8}}), Phase::kFastRecovery);
  EXPECT_EQ(at(5).misses, 2u);
  EXPECT_EQ(at(9).misses, 0u);
  // Without an advance, nothing.
  Apply(Sack(0, {{8, 8}}), Phase::kFastRecovery);
  EXPECT_EQ(at(5).misses, 2u);
}

// RFC 9260 §7.2.4 item 5.
TEST_F(OutstandingDataContractTest, AChunkIsFastRetransmittedOnce) {
  SendMany(20);
  for (uint16_t i = 2; i <= 4; ++i) Apply(Sack(0, {{2, i}}));
  ASSERT_EQ(data_.NextLost(At(0)), TsnAt(1));
  data_.MarkRetransmitted(TsnAt(1));
  EXPECT_EQ(at(1).state, State::kInFlight);
  EXPECT_EQ(at(1).transmissions, 2u);
  for (uint16_t i = 5; i <= 15; ++i) EXPECT_EQ(Apply(Sack(0, {{2, i}})).newly_lost, 0u);
  EXPECT_FALSE(data_.has_lost());
}

TEST_F(OutstandingDataContractTest, ATimeoutMakesAChunkEligibleAgain) {
  SendMany(20);
  for (uint16_t i = 2; i <= 4; ++i) Apply(Sack(0, {{2, i}}));
  data_.MarkRetransmitted(TsnAt(1));
  data_.MarkAllLost(At(0));
  while (const auto lost = data_.NextLost(At(0))) data_.MarkRetransmitted(*lost);
  size_t lost = 0;
  for (uint16_t i = 5; i <= 7; ++i) lost += Apply(Sack(0, {{2, i}})).newly_lost;
  EXPECT_EQ(lost, 1u);
}

TEST_F(OutstandingDataContractTest, SeveralChunksAreLostByTheSameSack) {
  SendMany(12);
  for (uint16_t i = 8; i <= 10; ++i) {
    EXPECT_EQ(Apply(Sack(0, {{4, 4}, {8, i}})).newly_lost, i == 10 ? 6u : 0u);
  }
  std::vector<UnwrappedTsn> lost;
  while (const auto next = data_.NextLost(At(0))) {
    lost.push_back(*next);
    data_.MarkRetransmitted(*next);
  }
  EXPECT_EQ(lost, (std::vector<UnwrappedTsn>{TsnAt(1), TsnAt(2), TsnAt(3), TsnAt(5), TsnAt(6), TsnAt(7)}));
}

TEST_F(OutstandingDataContractTest, ALostChunkThatArrivesAfterAllIsNotSentAgain) {
  SendMany(6);
  for (uint16_t i = 2; i <= 4; ++i) Apply(Sack(0, {{2, i}}));
  const AckResult result = Apply(Sack(4));
  EXPECT_EQ(result.octets_acknowledged, kSmallChunk);
  EXPECT_FALSE(data_.NextLost(At(0)));
}

// RFC 9260 §6.2.1 D iii.
TEST_F(OutstandingDataContractTest, WhatThePeerTakesBackIsInFlightAgain) {
  SendMany(6);
  Apply(Sack(0, {{2, 4}}));
  const AckResult result = Apply(Sack(0, {{2, 2}}));
  EXPECT_TRUE(result.reneged);
  EXPECT_EQ(result.octets_acknowledged, 0u);
  EXPECT_FALSE(data_.IsAcknowledged(TsnAt(3)));
  EXPECT_EQ(data_.flight_octets(), 4 * kSmallChunk);
}

// Acknowledging, taking back and acknowledging again must not open the window twice.
TEST_F(OutstandingDataContractTest, C5_TakingBackAndAcknowledgingAgainEarnsNothing) {
  SendMany(6);
  EXPECT_EQ(Apply(Sack(0, {{2, 4}})).octets_acknowledged, 4 * kSmallChunk);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Apply(Sack(0)).octets_acknowledged, 0u);
    EXPECT_EQ(Apply(Sack(0, {{2, 4}})).octets_acknowledged, 0u);
  }
  EXPECT_EQ(Apply(Sack(5)).octets_acknowledged, 2 * kSmallChunk);
}

// ---- timeouts

TEST_F(OutstandingDataContractTest, ATimeoutLosesWhatIsInFlightAndNothingElse) {
  SendMany(6);
  Apply(Sack(0, {{2, 3}}));
  data_.MarkAllLost(At(0));
  EXPECT_EQ(data_.flight_octets(), 0u);
  EXPECT_EQ(data_.flight_payload(), 0u);
  std::vector<UnwrappedTsn> lost;
  while (const auto next = data_.NextLost(At(0))) {
    lost.push_back(*next);
    data_.MarkRetransmitted(*next);
  }
  EXPECT_EQ(lost, (std::vector<UnwrappedTsn>{TsnAt(1), TsnAt(4), TsnAt(5)}));
  EXPECT_EQ(data_.flight_octets(), 3 * kSmallChunk);
}

// ---- abandonment, RFC 3758

TEST_F(OutstandingDataContractTest, ZeroRetransmissionsAbandonAtTheFirstLoss) {
  Send(1, Retransmits(0));
  data_.MarkAllLost(At(0));
  EXPECT_EQ(at(0).state, State::kAbandoned);
  EXPECT_FALSE(data_.has_lost());
  EXPECT_EQ(metrics_.messages_abandoned, 1u);
}

TEST_F(OutstandingDataContractTest, TheNumberOfRetransmissionsIsExact) {
  Send(1, Retransmits(3));
  for (int i = 0; i < 3; ++i) {
    data_.MarkAllLost(At(0));
    ASSERT_EQ(data_.NextLost(At(0)), TsnAt(0)) << i;
    data_.MarkRetransmitted(TsnAt(0));
  }
  EXPECT_EQ(at(0).transmissions, 4u);
  data_.MarkAllLost(At(0));
  EXPECT_EQ(at(0).state, State::kAbandoned);
}

TEST_F(OutstandingDataContractTest, ALossByMissIndicationsCanAbandon) {
  Send(1, Retransmits(0));
  SendMany(4);
  for (uint16_t i = 2; i <= 4; ++i) Apply(Sack(-1, {{2, i}}));
  EXPECT_EQ(at(0).state, State::kAbandoned);
  EXPECT_FALSE(data_.has_lost());
}

TEST_F(OutstandingDataContractTest, ALifetimeEndsAtItsInstant) {
  Send(1, Lifetime(100));
  data_.MarkAllLost(At(99));
  EXPECT_EQ(data_.NextLost(At(99)), TsnAt(0));
  EXPECT_FALSE(data_.NextLost(At(100)));
  EXPECT_EQ(at(0).state, State::kAbandoned);
}

TEST_F(OutstandingDataContractTest, FullReliabilityNeverAbandons) {
  data_.SetReliability(Reliability::kFull);
  Send(1, Retransmits(0));
  Send(1, Lifetime(1));
  for (int i = 0; i < 10; ++i) {
    data_.MarkAllLost(At(1000));
    while (const auto lost = data_.NextLost(At(1000))) data_.MarkRetransmitted(*lost);
  }
  EXPECT_EQ(metrics_.messages_abandoned, 0u);
  EXPECT_EQ(data_.flight_octets(), 2 * kSmallChunk);
}

// RFC 3758 §3.5 A3: all fragments of the message, whatever their state.
TEST_F(OutstandingDataContractTest, AbandonsTheWholeMessage) {
  SendMany(1);
  const MessageHandle handle = Send(4000, Retransmits(0));
  SendMany(1);
  Apply(Sack(0, {{2, 2}}));
  data_.AbandonMessage(handle);
  for (int64_t i = 1; i <= 4; ++i) EXPECT_EQ(at(i).state, State::kAbandoned) << i;
  EXPECT_EQ(at(5).state, State::kInFlight);
  EXPECT_EQ(data_.flight_octets(), kSmallChunk);
  // Twice is once.
  data_.AbandonMessage(handle);
  EXPECT_EQ(metrics_.messages_abandoned, 1u);
  EXPECT_EQ(data_.size(), 5u);
}

// The peer may have all that was sent and wait for more: one TSN stands for the rest.
TEST_F(OutstandingDataContractTest, OneTsnStandsForTheRestThatIsNeverSent) {
  messages_.Add(At(0), MakeMessage(1, 5000), {});
  messages_.Front(At(0), Reliability::kFull);
  const Fragment begun = messages_.Take(1000);
  data_.Add(begun);
  data_.AbandonMessage(begun.message);
  EXPECT_EQ(data_.size(), 2u);
  EXPECT_EQ(at(1).length, 0u);
  EXPECT_EQ(at(1).transmissions, 0u);
  EXPECT_TRUE(messages_.empty());
  EXPECT_EQ(messages_.total_buffered_amount(), 0u);
  EXPECT_EQ(Skipped(), (Skips{{StreamId(1), Ssn(0)}}));
  EXPECT_EQ(forward_point_, TsnAt(1).Wrap());
  Apply(Sack(1));
  EXPECT_TRUE(data_.empty());
  EXPECT_TRUE(messages_.is_idle());
}

// RFC 3758 §3.5 A2: what is abandoned opens no window.
TEST_F(OutstandingDataContractTest, AcknowledgingWhatIsAbandonedCountsForNothing) {
  const MessageHandle handle = Send();
  Send();
  data_.AbandonMessage(handle);
  const AckResult result = Apply(Sack(0));
  EXPECT_EQ(result.octets_acknowledged, 0u);
  EXPECT_TRUE(result.cumulative_advanced);
}

TEST_F(OutstandingDataContractTest, ThePeerAckPointMovesOverWhatIsAbandonedAndNoFurther) {
  const MessageHandle a = Send();
  const MessageHandle b = Send();
  Send();
  const MessageHandle d = Send();
  EXPECT_FALSE(data_.AdvancePeerAckPoint());
  data_.AbandonMessage(b);
  data_.AbandonMessage(d);
  EXPECT_FALSE(data_.AdvancePeerAckPoint());
  data_.AbandonMessage(a);
  EXPECT_TRUE(data_.AdvancePeerAckPoint());
  EXPECT_EQ(data_.peer_ack_point(), TsnAt(1));
  Apply(Sack(2));
  EXPECT_TRUE(data_.AdvancePeerAckPoint());
  EXPECT_EQ(data_.peer_ack_point(), TsnAt(3));
  Apply(Sack(3));
  EXPECT_FALSE(data_.AdvancePeerAckPoint());
}

// RFC 3758 §3.5 C4: each ordered stream with the largest SSN skipped.
TEST_F(OutstandingDataContractTest, AForwardTsnNamesEachOrderedStreamOnceWithItsLargestSsn) {
  std::vector<MessageHandle> all;
  for (const int stream : {1, 2, 1, 3, 1}) all.push_back(Send(1, {}, static_cast<uint16_t>(stream)));
  all.push_back(Send(1, Unordered(), 9));
  for (const MessageHandle handle : all) data_.AbandonMessage(handle);
  EXPECT_EQ(Skipped(), (Skips{{StreamId(1), Ssn(2)}, {StreamId(2), Ssn(0)}, {StreamId(3), Ssn(0)}}));
  EXPECT_EQ(forward_point_, TsnAt(5).Wrap());
}

TEST_F(OutstandingDataContractTest, AForwardTsnForUnorderedMessagesNamesNoStream) {
  data_.AbandonMessage(Send(1, Unordered()));
  EXPECT_EQ(Skipped(), Skips{});
  EXPECT_EQ(forward_point_, TsnAt(0).Wrap());
}

TEST_F(OutstandingDataContractTest, AForwardTsnStopsBeforeTheStreamThatDoesNotFit) {
  for (uint16_t stream = 1; stream <= 10; ++stream) data_.AbandonMessage(Send(1, {}, stream));
  EXPECT_EQ(Skipped(ForwardTsnChunk::kHeaderSize + 4 * ForwardTsnChunk::kItemSize + 3).size(), 4u);
  EXPECT_EQ(forward_point_, TsnAt(3).Wrap());
  EXPECT_EQ(data_.peer_ack_point(), TsnAt(3));
  // The next one goes on from what the peer has confirmed.
  Apply(Sack(3));
  EXPECT_EQ(Skipped().size(), 6u);
  EXPECT_EQ(forward_point_, TsnAt(9).Wrap());
}

TEST_F(OutstandingDataContractTest, AForwardTsnWithoutRoomForAnyStreamSaysNothingNew) {
  data_.AbandonMessage(Send());
  EXPECT_EQ(Skipped(0), Skips{});
  EXPECT_EQ(forward_point_, TsnAt(-1).Wrap());
}

// ---- cost

// RFC 3758 §3.5: counted in TSNs looked at. Each skipped TSN once, and repetitions of the chunk not at all.
TEST_F(OutstandingDataContractTest, AForwardTsnCostsItsStreamsNotTheTsnsThatItSkips) {
  constexpr uint64_t kMessages = 4000;
  std::vector<MessageHandle> all;
  for (uint64_t i = 0; i < kMessages; ++i) all.push_back(Send(1, {}, static_cast<uint16_t>(i % 200)));
  for (const MessageHandle handle : all) data_.AbandonMessage(handle);
  EXPECT_EQ(Skipped().size(), 200u);
  EXPECT_EQ(data_.tsns_visited(), kMessages);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Skipped().size(), 200u);
  EXPECT_EQ(data_.tsns_visited(), kMessages);
  // The next ones go on from there.
  data_.AbandonMessage(Send(1, {}, 900));
  EXPECT_EQ(Skipped().size(), 201u);
  EXPECT_EQ(data_.tsns_visited(), kMessages + 1);
}

// C22: a SACK costs its blocks and what it changes, not the whole window. Counted in TSNs looked at.
TEST_F(OutstandingDataContractTest, C22_ManyGapsCostOnlyWhatChanges) {
  constexpr int kOutstanding = 20000;
  SendMany(kOutstanding);
  std::vector<GapAckBlock> blocks;
  for (uint16_t i = 2; i < kOutstanding - 2000; i = static_cast<uint16_t>(i + 2)) blocks.push_back({i, i});
  // Three SACKs lose every second chunk; each looks at the window once.
  for (int i = 0; i < 3; ++i) {
    blocks.push_back({static_cast<uint16_t>(blocks.back().end + 2), static_cast<uint16_t>(blocks.back().end + 2)});
    Apply(Sack(-1, blocks));
  }
  EXPECT_LE(data_.tsns_visited(), 5u * kOutstanding);
  const uint64_t before = data_.tsns_visited();
  constexpr int kSacks = 100;
  for (int i = 0; i < kSacks; ++i) {
    blocks.push_back({static_cast<uint16_t>(blocks.back().end + 2), static_cast<uint16_t>(blocks.back().end + 2)});
    ASSERT_EQ(data_.Validate(Sack(-1, blocks).chunk()), SackVerdict::kValid);
    data_.Apply(At(0), Sack(-1, blocks).chunk(), Phase::kNone);
  }
  // Each: one newly acknowledged, and the last few chunks that are not lost yet.
  EXPECT_LE(data_.tsns_visited() - before, 10u * kSacks);
}

TEST_F(OutstandingDataContractTest, C22_RepeatedSacksCostNothingBeyondTheirBlocks) {
  SendMany(10000);
  std::vector<GapAckBlock> blocks;
  for (uint16_t i = 2; i < 9000; i = static_cast<uint16_t>(i + 2)) blocks.push_back({i, i});
  Apply(Sack(-1, blocks));
  const uint64_t before = data_.tsns_visited();
  for (int i = 0; i < 50; ++i) data_.Apply(At(0), Sack(-1, blocks).chunk(), Phase::kNone);
  EXPECT_EQ(data_.tsns_visited(), before);
}

}  // namespace
}  // namespace jsp::sctp
