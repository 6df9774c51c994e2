#include "sctp/tx/outstanding_data.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "sctp/tx/tx_test_support.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Phase = OutstandingData::RecoveryPhase;
using State = OutstandingData::Chunk::State;

constexpr uint32_t kFirst = 0xfffffffe;  // every test crosses the wrap

// TSNs are counted from 0 at kFirst.
struct Outstanding {
  explicit Outstanding(Reliability reliability = Reliability::kPartial)
      : messages(1 << 24, StreamScheduler::Policy::kRoundRobin, metrics), data(Tsn(kFirst), messages) {
    data.SetReliability(reliability);
  }
  // Sends a message in pieces of 100 octets; all of them, or only the first `pieces`.
  void Send(size_t pieces, const SendOptions& options = {}, uint16_t stream = 0, size_t send_pieces = SIZE_MAX) {
    messages.Add(now, MessageOf(stream, pieces * 100), options);
    SendMore(std::min(pieces, send_pieces));
  }
  void SendMore(size_t pieces) {
    for (size_t i = 0; i < pieces; ++i) {
      ASSERT_TRUE(messages.Front(now, Reliability::kFull));
      data.Add(messages.Take(100));
    }
  }
  using Blocks = std::vector<std::pair<uint32_t, uint32_t>>;
  SackVerdict Validate(uint32_t count, const Blocks& blocks = {}) {
    Make(count, blocks);
    return data.Validate(sack);
  }
  OutstandingData::AckResult Sack(uint32_t count, const Blocks& blocks = {}, Phase phase = Phase::kNone) {
    Make(count, blocks);
    EXPECT_EQ(data.Validate(sack), SackVerdict::kValid);
    const auto result = data.Apply(now, sack, phase);
    EXPECT_TRUE(data.IsConsistent());
    return result;
  }
  UnwrappedTsn TsnAt(uint32_t n) const { return UnwrappedTsn((int64_t{1} << 32) + kFirst + n); }
  State StateOf(uint32_t n) const { return data.at(TsnAt(n)).state; }
  uint32_t NextLost() {
    const auto lost = data.NextLost(now);
    return lost ? static_cast<uint32_t>(lost->DistanceFrom(TsnAt(0))) : UINT32_MAX;
  }

  Metrics metrics;
  SendQueue messages;
  OutstandingData data;
  Timestamp now = At(0ms);
  SackChunk sack;
  std::vector<GapAckBlock> gaps;

 private:
  void Make(uint32_t count, const Blocks& blocks) {
    gaps.clear();
    for (const auto& [first, last] : blocks) {
      gaps.push_back({static_cast<uint16_t>(first - count + 1), static_cast<uint16_t>(last - count + 1)});
    }
    sack.cumulative_tsn_ack = Tsn(kFirst + count - 1);
    sack.gap_ack_blocks = std::span<const GapAckBlock>(gaps);
  }
};

TEST(OutstandingDataTest, CountsFlightInChunksAndInUserData) {  // RFC 9260 §7.2, §6.2.1 B
  Outstanding o;
  o.Send(3);
  EXPECT_EQ(o.data.flight_octets(), 3 * 116u);
  EXPECT_EQ(o.data.flight_payload(), 300u);
  EXPECT_EQ(o.data.next_tsn().Wrap(), Tsn(1));
}

TEST(OutstandingDataTest, C19_AcknowledgesCumulativelyAcrossTheWrap) {  // RFC 9260 §1.6
  Outstanding o;
  o.Send(10);
  const auto result = o.Sack(4);
  EXPECT_TRUE(result.cumulative_advanced);
  EXPECT_EQ(result.octets_acknowledged, 4 * 116u);
  EXPECT_EQ(o.data.first_tsn(), o.TsnAt(4));
  EXPECT_EQ(o.data.flight_payload(), 600u);
  o.Sack(10);
  EXPECT_TRUE(o.data.empty());
  EXPECT_TRUE(o.messages.is_idle());
}

TEST(OutstandingDataTest, C4_JudgesTheWholeSackBeforeAnyOfIt) {  // RFC 9260 §6.2.1, §12.4, §3.3.4
  Outstanding o;
  o.Send(10);
  EXPECT_EQ(o.Validate(0), SackVerdict::kValid);
  EXPECT_EQ(o.Validate(10), SackVerdict::kValid);
  EXPECT_EQ(o.Validate(11), SackVerdict::kAcksUnsent);
  EXPECT_EQ(o.Validate(0x7fffffff), SackVerdict::kAcksUnsent);
  EXPECT_EQ(o.Validate(0x80000002), SackVerdict::kOutOfOrder);
  EXPECT_EQ(o.Validate(~0u), SackVerdict::kOutOfOrder);
  EXPECT_EQ(o.Validate(2, {{3, 9}}), SackVerdict::kValid);
  EXPECT_EQ(o.Validate(2, {{3, 10}}), SackVerdict::kAcksUnsent);
  EXPECT_EQ(o.Validate(2, {{3, 4}, {6, 30000}}), SackVerdict::kAcksUnsent);
  EXPECT_EQ(o.Validate(2, {{5, 4}}), SackVerdict::kMalformed);
  EXPECT_EQ(o.Validate(2, {{1, 4}}), SackVerdict::kMalformed);  // block start 0
  EXPECT_EQ(o.Validate(2, {{3, 5}, {5, 6}}), SackVerdict::kMalformed);
  EXPECT_EQ(o.Validate(2, {{6, 7}, {3, 4}}), SackVerdict::kMalformed);
  o.Sack(5);
  EXPECT_EQ(o.Validate(4), SackVerdict::kOutOfOrder);
}

TEST(OutstandingDataTest, CountsOnlyWhatIsNewInEachSack) {
  Outstanding o;
  o.Send(10);
  EXPECT_EQ(o.Sack(0, {{2, 3}}).octets_acknowledged, 2 * 116u);
  EXPECT_EQ(o.Sack(0, {{2, 3}}).octets_acknowledged, 0u);
  EXPECT_EQ(o.Sack(0, {{2, 3}, {5, 6}}).octets_acknowledged, 2 * 116u);
  EXPECT_EQ(o.Sack(0, {{1, 6}}).octets_acknowledged, 2 * 116u);
  const auto result = o.Sack(8);
  EXPECT_EQ(result.octets_acknowledged, 2 * 116u);  // 0 and 7
  EXPECT_EQ(o.data.flight_payload(), 200u);
}

TEST(OutstandingDataTest, LosesAChunkAtItsThirdMissIndication) {  // RFC 9260 §7.2.4
  Outstanding o;
  o.Send(10);
  EXPECT_EQ(o.Sack(0, {{1, 1}}).newly_lost, 0u);
  EXPECT_EQ(o.Sack(0, {{1, 2}}).newly_lost, 0u);
  EXPECT_EQ(o.NextLost(), UINT32_MAX);
  EXPECT_EQ(o.Sack(0, {{1, 3}}).newly_lost, 1u);
  EXPECT_EQ(o.NextLost(), 0u);
  EXPECT_EQ(o.data.flight_payload(), 600u);
}

TEST(OutstandingDataTest, CountsMissesOnlyBelowTheHighestNewlyAcknowledged) {  // RFC 9260 §7.2.4, HTNA
  Outstanding o;
  o.Send(20);
  o.Sack(0, {{10, 10}});
  // 5 and above are missing, but what is newly acknowledged lies below them.
  for (uint32_t i = 1; i <= 4; ++i) o.Sack(0, {{1, i}, {10, 10}});
  EXPECT_EQ(o.StateOf(0), State::kLost);
  EXPECT_EQ(o.StateOf(5), State::kInFlight);
  // A SACK that acknowledges nothing new counts nothing.
  for (int i = 0; i < 5; ++i) o.Sack(0, {{1, 4}, {10, 10}});
  EXPECT_EQ(o.StateOf(5), State::kInFlight);
}

TEST(OutstandingDataTest, CountsAllMissesWhileFastRecoveryMakesProgress) {  // RFC 9260 §7.2.4
  Outstanding o;
  o.Send(20);
  o.Sack(0, {{10, 10}});
  for (uint32_t i = 1; i <= 3; ++i) o.Sack(i, {{10, 10}}, Phase::kFastRecovery);
  EXPECT_EQ(o.StateOf(5), State::kLost);
}

TEST(OutstandingDataTest, FastRetransmitsAChunkOnlyOnce) {  // RFC 9260 §7.2.4 item 5
  Outstanding o;
  o.Send(20);
  for (uint32_t i = 1; i <= 3; ++i) o.Sack(0, {{1, i}});
  ASSERT_EQ(o.NextLost(), 0u);
  o.data.MarkRetransmitted(o.TsnAt(0));
  for (uint32_t i = 4; i <= 15; ++i) EXPECT_EQ(o.Sack(0, {{1, i}}).newly_lost, 0u);
  EXPECT_EQ(o.NextLost(), UINT32_MAX);
  // After a timeout it may be again.
  o.data.MarkAllLost(o.now);
  ASSERT_EQ(o.NextLost(), 0u);
  o.data.MarkRetransmitted(o.TsnAt(0));
  for (uint32_t i = 16; i <= 18; ++i) o.Sack(0, {{1, i}});
  EXPECT_EQ(o.NextLost(), 0u);
}

TEST(OutstandingDataTest, NoticesWhenThePeerTakesBackAnAcknowledgement) {  // RFC 9260 §6.2.1 D iii
  Outstanding o;
  o.Send(10);
  o.Sack(0, {{1, 8}});
  EXPECT_EQ(o.data.flight_payload(), 200u);
  const auto result = o.Sack(0, {{1, 3}, {6, 8}});
  EXPECT_TRUE(result.reneged);
  EXPECT_EQ(o.StateOf(4), State::kInFlight);
  EXPECT_EQ(o.data.flight_payload(), 400u);
  // Acknowledged again, it does not count again.
  EXPECT_EQ(o.Sack(0, {{1, 8}}).octets_acknowledged, 0u);
  // The highest one, too: otherwise nobody would ever send it again.
  o.Sack(0, {{1, 7}});
  EXPECT_EQ(o.StateOf(8), State::kInFlight);
  o.data.MarkAllLost(o.now);
  EXPECT_EQ(o.StateOf(8), State::kLost);
}

TEST(OutstandingDataTest, GivesWhatIsLostInOrder) {
  Outstanding o;
  o.Send(10);
  o.Sack(0, {{3, 3}});
  o.data.MarkAllLost(o.now);
  EXPECT_EQ(o.data.flight_octets(), 0u);
  std::vector<uint32_t> order;
  for (uint32_t lost = o.NextLost(); lost != UINT32_MAX; lost = o.NextLost()) {
    order.push_back(lost);
    o.data.MarkRetransmitted(o.TsnAt(lost));
  }
  EXPECT_EQ(order, (std::vector<uint32_t>{0, 1, 2, 4, 5, 6, 7, 8, 9}));
  EXPECT_TRUE(o.data.IsConsistent());
}

TEST(OutstandingDataTest, AbandonsAllFragmentsOfAMessage) {  // RFC 3758 §3.5 A3
  Outstanding o;
  o.Send(2);
  o.Send(4, MaxRetransmits(0), 1);
  o.Send(2);
  for (uint32_t i = 0; i < 3; ++i) o.Sack(2, {{4, 5 + i}});  // 3 is missing thrice: its message is given up
  EXPECT_EQ(o.StateOf(2), State::kAbandoned);
  EXPECT_EQ(o.StateOf(4), State::kAbandoned);
  EXPECT_EQ(o.StateOf(5), State::kAbandoned);
  EXPECT_EQ(o.NextLost(), UINT32_MAX);
  EXPECT_EQ(o.metrics.messages_abandoned, 1u);
  ASSERT_TRUE(o.data.AdvancePeerAckPoint());
  EXPECT_EQ(o.data.peer_ack_point(), o.TsnAt(5));
  const ForwardTsnChunk forward = o.data.BuildForwardTsn(1176);
  EXPECT_EQ(forward.new_cumulative_tsn, o.TsnAt(5).Wrap());
  ASSERT_EQ(forward.skipped.size(), 1u);
  EXPECT_EQ(forward.skipped[0], (SkippedStream{StreamId(1), Ssn(0)}));
}

TEST(OutstandingDataTest, AllowsAsManyRetransmissionsAsWereAskedFor) {  // RFC 3758 §3.5 A2
  for (const uint16_t n : std::initializer_list<uint16_t>{0, 1, 3}) {
    Outstanding o;
    o.Send(1, MaxRetransmits(n));
    int copies = 1;
    for (int i = 0; i < 10; ++i) {
      o.data.MarkAllLost(o.now);
      if (o.NextLost() == UINT32_MAX) break;
      o.data.MarkRetransmitted(o.TsnAt(0));
      ++copies;
    }
    EXPECT_EQ(copies, n + 1);
    EXPECT_EQ(o.StateOf(0), State::kAbandoned);
  }
}

TEST(OutstandingDataTest, LooksAtTheLifetimeBeforeEveryRetransmission) {  // RFC 3758 §4.1
  Outstanding o;
  o.Send(2, Lifetime(100ms));
  o.now = At(99ms);
  o.data.MarkAllLost(o.now);
  EXPECT_EQ(o.NextLost(), 0u);
  o.now = At(100ms);
  EXPECT_EQ(o.NextLost(), UINT32_MAX);
  EXPECT_EQ(o.StateOf(1), State::kAbandoned);
}

TEST(OutstandingDataTest, AbandonsNothingWithoutThePeersConsent) {  // RFC 3758 §3.3.2
  Outstanding o(Reliability::kFull);
  o.Send(2, MaxRetransmits(0));
  o.Send(2, Lifetime(1ms));
  o.now = At(10s);
  for (int i = 0; i < 10; ++i) {
    o.data.MarkAllLost(o.now);
    EXPECT_EQ(o.NextLost(), 0u);
    o.data.MarkRetransmitted(o.TsnAt(0));
  }
  EXPECT_FALSE(o.data.AdvancePeerAckPoint());
}

TEST(OutstandingDataTest, NamesAnAbandonedMessageAlthoughAllItsSentFragmentsArrived) {  // RFC 3758 §3.5 A3
  Outstanding o;
  o.Send(4, Lifetime(100ms), 7, 2);
  o.Sack(2);
  EXPECT_TRUE(o.data.empty());
  o.data.AbandonMessage(*o.messages.Front(o.now, Reliability::kPartial));
  ASSERT_TRUE(o.data.AdvancePeerAckPoint());
  const ForwardTsnChunk forward = o.data.BuildForwardTsn(1176);
  EXPECT_EQ(forward.new_cumulative_tsn, o.TsnAt(2).Wrap());
  EXPECT_EQ(forward.skipped[0], (SkippedStream{StreamId(7), Ssn(0)}));
  EXPECT_EQ(o.messages.buffered_amount(StreamId(7)), 0u);
  o.Sack(3);
  EXPECT_TRUE(o.messages.is_idle());
  o.Send(1);
  EXPECT_EQ(o.data.next_tsn(), o.TsnAt(4));
}

TEST(OutstandingDataTest, AbandonedChunksEarnNoCredit) {  // RFC 3758 §3.5 A2
  Outstanding o;
  o.Send(3, MaxRetransmits(0));
  o.data.MarkAllLost(o.now);
  const auto result = o.Sack(3);
  EXPECT_EQ(result.octets_acknowledged, 0u);
  EXPECT_TRUE(result.cumulative_advanced);
}

TEST(OutstandingDataTest, ListsTheHighestSsnOfEachOrderedStreamOnly) {  // RFC 3758 §3.5 C4
  Outstanding o;
  for (int i = 0; i < 3; ++i) o.Send(1, MaxRetransmits(0), 1);
  SendOptions unordered = UnorderedOptions();
  unordered.max_retransmits = 0;
  o.Send(1, unordered, 2);
  o.Send(1, MaxRetransmits(0), 3);
  o.data.MarkAllLost(o.now);
  ASSERT_TRUE(o.data.AdvancePeerAckPoint());
  const ForwardTsnChunk forward = o.data.BuildForwardTsn(1176);
  ASSERT_EQ(forward.skipped.size(), 2u);
  EXPECT_EQ(forward.skipped[0], (SkippedStream{StreamId(1), Ssn(2)}));
  EXPECT_EQ(forward.skipped[1], (SkippedStream{StreamId(3), Ssn(0)}));
}

TEST(OutstandingDataTest, LowersThePointToWhatFitsOnePacket) {  // RFC 3758 §3.5 C4
  Outstanding o;
  for (uint16_t stream = 0; stream < 1000; ++stream) o.Send(1, MaxRetransmits(0), stream);
  o.data.MarkAllLost(o.now);
  ASSERT_TRUE(o.data.AdvancePeerAckPoint());
  EXPECT_EQ(o.data.peer_ack_point(), o.TsnAt(999));
  const ForwardTsnChunk forward = o.data.BuildForwardTsn(1176);
  EXPECT_LE(forward.Size(), 1176u);
  EXPECT_EQ(forward.skipped.size(), 292u);
  EXPECT_EQ(o.data.peer_ack_point(), o.TsnAt(291));
  EXPECT_EQ(forward.new_cumulative_tsn, o.TsnAt(291).Wrap());
  ASSERT_TRUE(o.data.AdvancePeerAckPoint());
  EXPECT_EQ(o.data.peer_ack_point(), o.TsnAt(999));
}

TEST(OutstandingDataTest, StopsThePeerAckPointBeforeWhatIsNotAbandoned) {  // RFC 3758 §3.5 C2
  Outstanding o;
  o.Send(2, MaxRetransmits(0));
  o.Send(1);
  o.Send(1, MaxRetransmits(0));
  o.data.MarkAllLost(o.now);
  ASSERT_TRUE(o.data.AdvancePeerAckPoint());
  EXPECT_EQ(o.data.peer_ack_point(), o.TsnAt(1));
}

// An oracle that is slow and obvious, against random SACKs, losses and abandonments.
TEST(OutstandingDataTest, GoesOnBeyondALeapAndIgnoresSacksFromBeforeIt) {  // RFC 6525 §5.2.7 H5
  Outstanding o;
  o.Send(3);
  o.Sack(3);
  EXPECT_EQ(o.Validate(uint32_t{1} << 31), SackVerdict::kAcksUnsent);
  o.data.ExpectRestart();
  EXPECT_EQ(o.Validate(uint32_t{1} << 31), SackVerdict::kOutOfOrder);
  EXPECT_EQ(o.Validate(4), SackVerdict::kAcksUnsent);
  const Tsn next(kFirst + 3 + (uint32_t{1} << 31));
  o.data.RestartAt(next);
  EXPECT_EQ(o.data.next_tsn().Wrap(), next);
  EXPECT_EQ(o.Validate(3), SackVerdict::kOutOfOrder);
  o.Send(2);
  EXPECT_EQ(o.Validate(3), SackVerdict::kOutOfOrder);
  SackChunk sack;
  sack.cumulative_tsn_ack = Tsn(next.value + 1);
  ASSERT_EQ(o.data.Validate(sack), SackVerdict::kValid);
  const size_t chunk_size = o.data.at(o.data.first_tsn()).size();
  EXPECT_EQ(o.data.Apply(o.now, sack, Phase::kNone).octets_acknowledged, 2 * chunk_size);
  EXPECT_TRUE(o.data.empty());
  EXPECT_TRUE(o.data.IsConsistent());
}

TEST(OutstandingDataTest, AgreesWithASlowModelUnderRandomOperations) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng = Rng::FromNumber(seed);
    Outstanding o;
    uint32_t cumulative = 0;
    std::set<uint32_t> gap;  // acknowledged by the last SACK, above `cumulative`
    uint32_t sent = 0;
    for (int step = 0; step < 300; ++step) {
      switch (rng.Below(6)) {
        case 0: {
          const auto pieces = static_cast<uint32_t>(1 + rng.Below(5));
          o.Send(pieces, rng.Below(4) == 0 ? MaxRetransmits(1) : SendOptions{}, static_cast<uint16_t>(rng.Below(3)));
          sent = static_cast<uint32_t>(o.data.next_tsn().DistanceFrom(o.TsnAt(0)));
          break;
        }
        case 1:
          o.data.MarkAllLost(o.now);
          break;
        case 2:
          if (const uint32_t lost = o.NextLost(); lost != UINT32_MAX) o.data.MarkRetransmitted(o.TsnAt(lost));
          break;
        default: {
          if (sent == cumulative) break;
          if (rng.Below(3) == 0) cumulative += static_cast<uint32_t>(rng.Below(sent - cumulative + 1));
          std::erase_if(gap, [&](uint32_t tsn) { return tsn <= cumulative; });
          if (rng.Below(10) == 0) gap.clear();  // the peer reneges
          for (int i = 0; i < 5 && cumulative + 2 < sent; ++i) {
            gap.insert(cumulative + 1 + static_cast<uint32_t>(rng.Below(sent - cumulative - 1)));
          }
          Outstanding::Blocks blocks;
          for (const uint32_t tsn : gap) {
            if (!blocks.empty() && blocks.back().second + 1 == tsn) {
              blocks.back().second = tsn;
            } else {
              blocks.emplace_back(tsn, tsn);
            }
          }
          o.Sack(cumulative, blocks, rng.Below(2) == 0 ? Phase::kNone : Phase::kFastRecovery);
          for (uint32_t tsn = cumulative; tsn < sent; ++tsn) {
            if (o.StateOf(tsn) == State::kAbandoned) continue;
            ASSERT_EQ(o.StateOf(tsn) == State::kAcknowledged, gap.contains(tsn)) << tsn;
          }
        }
      }
      ASSERT_TRUE(o.data.IsConsistent()) << "step " << step;
      ASSERT_EQ(o.data.first_tsn(), o.TsnAt(cumulative));
    }
  }
}

TEST(OutstandingDataTest, C22_AWindowFullOfGapsCostsLittlePerSack) {
  // 60,000 chunks, every second one lost: 290 blocks a SACK, as many as fit a packet.
  Outstanding o;
  o.Send(60000);
  Outstanding::Blocks blocks;
  for (uint32_t i = 0; i < 290; ++i) blocks.emplace_back(2 * i + 1, 2 * i + 1);
  for (uint32_t i = 0; i < 2000; ++i) {
    blocks.back().second = blocks.back().first + i;
    Outstanding::Blocks copy = blocks;
    ASSERT_EQ(o.Validate(0, copy), SackVerdict::kValid);
    o.data.Apply(o.now, o.sack, Phase::kNone);
  }
  EXPECT_TRUE(o.data.IsConsistent());
  EXPECT_EQ(o.NextLost(), 0u);
}

}  // namespace
}  // namespace jsp::sctp
