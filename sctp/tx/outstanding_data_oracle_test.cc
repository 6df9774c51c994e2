// OutstandingData against a map of every TSN, under seeded random commands.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "base/rng.h"
#include "sctp/tx/outstanding_data.h"
#include "sctp/tx/sack_test_support.h"
namespace jsp::sctp {
namespace {

using State = OutstandingData::Chunk::State;
using Phase = OutstandingData::RecoveryPhase;
using AckResult = OutstandingData::AckResult;

// The plainest sender: looks at every TSN for everything. TSNs are offsets from kFirstTsn.
class Oracle {
 public:
  struct Entry {
    int message;
    size_t size;
    State state = State::kInFlight;
    int misses = 0;
    int transmissions = 1;
    bool fast_retransmitted = false;
    bool credited = false;
  };
  struct MessageInfo {
    int max_retransmits = -1;  // -1: any number
    Timestamp expires_at;
    bool whole = false;
    bool abandoned = false;
  };

  AckResult Apply(Timestamp now, int64_t cumulative, const std::set<int64_t>& gaps, Phase phase) {
    AckResult result;
    for (auto& [tsn, entry] : entries_) {
      if (tsn <= cumulative || gaps.contains(tsn)) Acknowledge(tsn, entry, result);
    }
    while (!entries_.empty() && entries_.begin()->first <= cumulative) {
      entries_.erase(entries_.begin());
      result.cumulative_advanced = true;
    }
    for (auto& [tsn, entry] : entries_) {
      if (entry.state != State::kAcknowledged || gaps.contains(tsn)) continue;
      entry.state = State::kInFlight;
      entry.misses = 0;
      entry.fast_retransmitted = false;
      result.reneged = true;
    }
    if (!gaps.empty()) CountMisses(now, *gaps.rbegin(), phase, result);
    return result;
  }
  void MarkAllLost(Timestamp now) {
    for (auto& [tsn, entry] : entries_) {
      entry.misses = 0;
      entry.fast_retransmitted = false;
      Lose(now, entry);
    }
  }
  std::optional<int64_t> NextLost(Timestamp now) {
    for (auto& [tsn, entry] : entries_) {
      if (entry.state != State::kLost) continue;
      if (messages[entry.message].expires_at > now) return tsn;
      Abandon(entry.message);
    }
    return std::nullopt;
  }
  void MarkRetransmitted(int64_t tsn) {
    Entry& entry = entries_.at(tsn);
    entry.state = State::kInFlight;
    entry.misses = 0;
    ++entry.transmissions;
  }
  void Add(int message, size_t size) { entries_[next++] = {.message = message, .size = size}; }
  void Abandon(int id) {
    MessageInfo& message = messages[id];
    if (message.abandoned) return;
    message.abandoned = true;
    for (auto& [tsn, entry] : entries_) {
      if (entry.message == id) entry.state = State::kAbandoned;
    }
    if (message.whole) return;
    entries_[next++] = {.message = id, .size = 16, .state = State::kAbandoned, .transmissions = 0};
  }
  size_t Flight() const {
    size_t octets = 0;
    for (const auto& [tsn, entry] : entries_) octets += entry.state == State::kInFlight ? entry.size : 0;
    return octets;
  }
  int64_t PeerAckPoint() const {
    int64_t point = first() - 1;
    while (entries_.contains(point + 1) && entries_.at(point + 1).state == State::kAbandoned) ++point;
    return point;
  }
  int64_t first() const { return entries_.empty() ? next : entries_.begin()->first; }
  const std::map<int64_t, Entry>& entries() const { return entries_; }

  int64_t next = 0;
  std::map<int, MessageInfo> messages;

 private:
  void Acknowledge(int64_t tsn, Entry& entry, AckResult& result) {
    if (entry.state != State::kInFlight && entry.state != State::kLost) return;
    entry.state = State::kAcknowledged;
    if (!entry.credited) result.octets_acknowledged += entry.size;
    entry.credited = true;
    result.highest_newly_acknowledged = TsnAt(tsn);
  }
  void CountMisses(Timestamp now, int64_t highest, Phase phase, AckResult& result) {
    int64_t limit = highest;
    if (!result.reneged && !(phase == Phase::kFastRecovery && result.cumulative_advanced)) {
      if (!result.highest_newly_acknowledged) return;
      limit = result.highest_newly_acknowledged->DistanceFrom(TsnAt(0));
    }
    for (auto& [tsn, entry] : entries_) {
      if (tsn >= limit || entry.state != State::kInFlight || entry.fast_retransmitted) continue;
      if (++entry.misses < 3) continue;
      entry.fast_retransmitted = true;
      ++result.newly_lost;
      Lose(now, entry);
    }
  }
  void Lose(Timestamp now, Entry& entry) {
    if (entry.state != State::kInFlight) return;
    const MessageInfo& message = messages[entry.message];
    const bool too_often = message.max_retransmits >= 0 && entry.transmissions > message.max_retransmits;
    if (too_often || message.expires_at <= now) {
      Abandon(entry.message);
    } else {
      entry.state = State::kLost;
    }
  }

  std::map<int64_t, Entry> entries_;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : rng_(Rng::FromNumber(seed)) { data_.SetReliability(Reliability::kPartial); }

  void Step() {
    const uint64_t command = rng_.Below(100);
    if (command < 40) {
      if (oracle_.entries().size() < 100) Send();
    } else if (command < 70) {
      ReceiveSack();
    } else if (command < 75) {
      RefuseSack();
    } else if (command < 90) {
      Retransmit();
    } else if (command < 92) {
      data_.MarkAllLost(now_);
      oracle_.MarkAllLost(now_);
    } else if (command < 96) {
      ForwardTsn();
    } else {
      now_ = now_ + std::chrono::milliseconds(rng_.Below(40));
    }
    Compare();
  }
  // The peer has everything, or is told to do without.
  void Finish() {
    while (messages_.Front(now_, Reliability::kPartial)) Send();
    const Sack all(oracle_.next - 1);
    data_.Apply(now_, all.chunk(), Phase::kNone);
    ASSERT_TRUE(data_.empty());
    ASSERT_TRUE(messages_.is_idle());
    ASSERT_EQ(data_.flight_octets(), 0u);
  }

 private:
  void Send() {
    if (messages_.empty()) QueueMessage();
    const auto handle = messages_.Front(now_, Reliability::kPartial);
    if (!handle) return;
    const OutgoingMessage& message = messages_.message(*handle);
    const auto id = static_cast<int>(message.message.ppid.value);
    const size_t left = message.size() - message.fragmented;
    const Fragment fragment = messages_.Take(1 + rng_.Below(std::min<size_t>(left, 50)));
    ASSERT_EQ(data_.Add(fragment), TsnAt(oracle_.next));
    oracle_.Add(id, PaddedSize(DataChunk::kHeaderSize + fragment.length));
    oracle_.messages[id].whole = fragment.ends;
  }
  void QueueMessage() {
    SendOptions options;
    options.unordered = rng_.Below(3) == 0;
    Oracle::MessageInfo info;
    if (rng_.Below(3) == 0) {
      options.max_retransmits = static_cast<uint16_t>(rng_.Below(3));
      info.max_retransmits = *options.max_retransmits;
    } else if (rng_.Below(3) == 0) {
      options.lifetime = std::chrono::milliseconds(1 + rng_.Below(300));
      info.expires_at = now_ + *options.lifetime;
    }
    Message message = MakeMessage(static_cast<uint16_t>(rng_.Below(5)), 1 + rng_.Below(200));
    message.ppid = Ppid(static_cast<uint32_t>(++last_message_));
    oracle_.messages[last_message_] = info;
    messages_.Add(now_, std::move(message), options);
  }
  // Mostly what a real peer says, sometimes less than it said before.
  void ReceiveSack() {
    if (oracle_.entries().empty()) return;
    int64_t cumulative = oracle_.first() - 1;
    if (rng_.Below(2) == 0) {
      cumulative += static_cast<int64_t>(rng_.Below(std::min<uint64_t>(oracle_.entries().size(), 4) + 1));
    }
    std::set<int64_t> gaps;
    const uint64_t density = rng_.Below(10);
    for (int64_t tsn = cumulative + 2; tsn < oracle_.next; ++tsn) {
      const auto& entry = oracle_.entries().at(tsn);
      const bool had = entry.state == State::kAcknowledged;
      if (had ? rng_.Below(60) > 0 : rng_.Below(10) < density && entry.transmissions > 0) gaps.insert(tsn);
    }
    const Sack sack(cumulative, Blocks(cumulative, gaps));
    const Phase phase = rng_.Below(2) == 0 ? Phase::kNone : Phase::kFastRecovery;
    ASSERT_EQ(data_.Validate(sack.chunk()), SackVerdict::kValid);
    const AckResult expected = oracle_.Apply(now_, cumulative, gaps, phase);
    const AckResult result = data_.Apply(now_, sack.chunk(), phase);
    ASSERT_EQ(result.octets_acknowledged, expected.octets_acknowledged);
    ASSERT_EQ(result.highest_newly_acknowledged, expected.highest_newly_acknowledged);
    ASSERT_EQ(result.newly_lost, expected.newly_lost);
    ASSERT_EQ(result.cumulative_advanced, expected.cumulative_advanced);
    ASSERT_EQ(result.reneged, expected.reneged);
  }
  static std::vector<GapAckBlock> Blocks(int64_t cumulative, const std::set<int64_t>& gaps) {
    std::vector<GapAckBlock> blocks;
    for (const int64_t tsn : gaps) {
      const auto offset = static_cast<uint16_t>(tsn - cumulative);
      if (!blocks.empty() && blocks.back().end + 1 == offset) {
        blocks.back().end = offset;
      } else {
        blocks.push_back({offset, offset});
      }
    }
    return blocks;
  }
  // C4, C5: refused, and nothing of it is left behind; Compare looks.
  void RefuseSack() {
    const int64_t beyond = oracle_.next - oracle_.first() + 1;
    const auto end = static_cast<uint16_t>(beyond + 1 + static_cast<int64_t>(rng_.Below(100)));
    ASSERT_EQ(data_.Validate(Sack(oracle_.first() - 1, {{1, end}}).chunk()), SackVerdict::kAcksUnsent);
    ASSERT_EQ(data_.Validate(Sack(oracle_.next).chunk()), SackVerdict::kAcksUnsent);
    ASSERT_EQ(data_.Validate(Sack(oracle_.first() - 2).chunk()), SackVerdict::kOutOfOrder);
    ASSERT_EQ(data_.Validate(Sack(oracle_.first() - 1, {{0, 1}}).chunk()), SackVerdict::kMalformed);
  }
  void Retransmit() {
    const auto lost = data_.NextLost(now_);
    const auto expected = oracle_.NextLost(now_);
    ASSERT_EQ(lost.has_value(), expected.has_value());
    if (!lost) return;
    ASSERT_EQ(*lost, TsnAt(*expected));
    data_.MarkRetransmitted(*lost);
    oracle_.MarkRetransmitted(*expected);
  }
  void ForwardTsn() {
    const int64_t expected = oracle_.PeerAckPoint();
    ASSERT_EQ(data_.AdvancePeerAckPoint(), expected >= oracle_.first());
    ASSERT_EQ(data_.peer_ack_point(), TsnAt(expected));
    const size_t streams = rng_.Below(7);
    const ForwardTsnChunk chunk =
        data_.BuildForwardTsn(ForwardTsnChunk::kHeaderSize + streams * ForwardTsnChunk::kItemSize);
    ASSERT_LE(chunk.skipped.size(), streams);
    const int64_t point = data_.peer_ack_point().DistanceFrom(TsnAt(0));
    ASSERT_LE(point, expected);
    ASSERT_EQ(chunk.new_cumulative_tsn, TsnAt(point).Wrap());
    std::map<uint16_t, Ssn> skipped;
    for (int64_t tsn = oracle_.first(); tsn <= point; ++tsn) {
      const OutgoingMessage& message = messages_.message(data_.at(TsnAt(tsn)).message);
      if (!message.unordered) skipped[message.message.stream.value] = message.ssn();
    }
    ASSERT_EQ(chunk.skipped.size(), skipped.size());
    for (const SkippedStream& skip : chunk.skipped) ASSERT_EQ(skipped.at(skip.stream.value), skip.ssn);
    if (point < expected) {
      ASSERT_EQ(skipped.size(), streams);
    }
  }
  void Compare() {
    ASSERT_TRUE(data_.IsConsistent());
    ASSERT_EQ(data_.first_tsn(), TsnAt(oracle_.first()));
    ASSERT_EQ(data_.next_tsn(), TsnAt(oracle_.next));
    ASSERT_EQ(data_.flight_octets(), oracle_.Flight());
    for (const auto& [tsn, entry] : oracle_.entries()) {
      const OutstandingData::Chunk& chunk = data_.at(TsnAt(tsn));
      ASSERT_EQ(chunk.state, entry.state) << tsn;
      ASSERT_EQ(chunk.transmissions, entry.transmissions) << tsn;
      ASSERT_EQ(chunk.size(), entry.size) << tsn;
      if (entry.state == State::kInFlight) {
        ASSERT_EQ(chunk.misses, entry.misses) << tsn;
      }
      ASSERT_EQ(data_.IsAcknowledged(TsnAt(tsn)), entry.state == State::kAcknowledged);
    }
  }

  Rng rng_;
  Timestamp now_ = At(0);
  Metrics metrics_;
  SendQueue messages_{1 << 24, StreamScheduler::Policy::kRoundRobin, metrics_};
  OutstandingData data_{kFirstTsn, messages_};
  Oracle oracle_;
  int last_message_ = 0;
};

TEST(OutstandingDataOracleTest, AgreesWithAMapOfEveryTsnUnderRandomCommands) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Simulation run(seed);
    for (int step = 0; step < 1000 && !testing::Test::HasFatalFailure(); ++step) run.Step();
    if (testing::Test::HasFatalFailure()) return;
    run.Finish();
  }
}

}  // namespace
}  // namespace jsp::sctp
