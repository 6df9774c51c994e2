// ReassemblyQueue against a naive oracle that knows the sender's messages: a simulated sender fragments random messages
// on random streams; the network reorders them and the sender abandons some; what comes out must be what the oracle
// says, in its order.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "sctp/rx/data_tracker.h"
#include "sctp/rx/reassembly_queue.h"
#include "sctp/rx/rx_test_support.h"
namespace jsp::sctp {
namespace {

constexpr uint16_t kStreams = 4;

struct Sent {
  uint16_t stream;
  uint16_t ssn;
  bool unordered;
  int64_t first;  // TSN offsets
  int64_t last;
  std::string text;  // one octet per fragment
  std::set<int64_t> missing;
  bool dead = false;       // skipped by a FORWARD TSN
  bool delivered = false;  // by the oracle
};

class Oracle {
 public:
  // Messages in the order of their TSNs, so that a scan finds what is next.
  void Receive(std::deque<Sent>& sent, Sent& message, int64_t offset) {
    message.missing.erase(offset);
    if (message.dead || !message.missing.empty()) return;
    if (message.unordered) {
      Deliver(message);
    } else {
      Release(sent, message.stream);
    }
  }
  void Skip(std::deque<Sent>& sent, int64_t new_cumulative, const std::vector<SkippedStream>& skipped) {
    for (Sent& message : sent) {
      const bool misses = !message.missing.empty() && *message.missing.begin() <= new_cumulative;
      if (misses) message.dead = true;
    }
    for (const SkippedStream& skip : skipped) {
      if (Ssn(next_ssn_[skip.stream.value]).IsNewerThan(skip.ssn)) continue;  // skipped or delivered before
      for (Sent& message : sent) {
        const bool listed = !message.unordered && message.stream == skip.stream.value && !message.delivered &&
                            !message.dead && message.missing.empty();
        if (listed && !Ssn(message.ssn).IsNewerThan(skip.ssn)) Deliver(message);
      }
      next_ssn_[skip.stream.value] = static_cast<uint16_t>(skip.ssn.value + 1);
      Release(sent, skip.stream.value);
    }
  }
  std::vector<std::string> Take() { return std::move(ready_); }
  uint16_t& next_ssn(uint16_t stream) { return next_ssn_[stream]; }

 private:
  void Deliver(Sent& message) {
    message.delivered = true;
    ready_.push_back(message.text);
  }
  void Release(std::deque<Sent>& sent, uint16_t stream) {
    for (Sent& message : sent) {
      const bool next = !message.unordered && message.stream == stream && !message.delivered && !message.dead &&
                        message.missing.empty() && message.ssn == next_ssn_[stream];
      if (!next) continue;
      Deliver(message);
      ++next_ssn_[stream];
    }
  }

  std::map<uint16_t, uint16_t> next_ssn_;
  std::vector<std::string> ready_;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : rng_(Rng::FromNumber(seed)) {
    // C19: the first SSN of every stream is just before its wrap.
    for (uint16_t stream = 0; stream < kStreams; ++stream) {
      for (Ssn skip : kSkipsToInitialSsn) {
        const std::array<SkippedStream, 1> skipped{{{StreamId(stream), skip}}};
        queue_.HandleForwardTsn(TsnAt(-1), WireList<SkippedStream>(skipped));
      }
      oracle_.next_ssn(stream) = kInitialSsn;
      sender_ssn_.push_back(kInitialSsn);
    }
  }

  void Step() {
    while (in_flight_.size() < 40) SendMessage();
    const uint64_t command = rng_.Below(100);
    if (command < 97) {
      // Mostly in order, at times from anywhere.
      const size_t index = rng_.Below(3) == 0 ? rng_.Below(in_flight_.size()) : 0;
      const int64_t offset = in_flight_[index];
      in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(index));
      Receive(offset);
    } else {
      Abandon();
    }
    Compare();
  }

  // Everything that is still in flight arrives.
  void Finish() {
    while (!in_flight_.empty() && !testing::Test::HasFatalFailure()) {
      const int64_t offset = in_flight_.front();
      in_flight_.pop_front();
      Receive(offset);
      Compare();
    }
    EXPECT_EQ(queue_.buffered_bytes(), 0u);
    EXPECT_EQ(queue_.dropped_messages(), 0u);
  }

 private:
  void SendMessage() {
    Sent message;
    message.stream = static_cast<uint16_t>(rng_.Below(kStreams));
    message.unordered = rng_.Below(4) == 0;
    message.ssn = message.unordered ? static_cast<uint16_t>(rng_.Below(65536)) : sender_ssn_[message.stream]++;
    const auto fragments = static_cast<int64_t>(rng_.Below(2) == 0 ? 1 : 1 + rng_.Below(12));
    message.first = next_offset_;
    message.last = next_offset_ + fragments - 1;
    next_offset_ += fragments;
    for (int64_t offset = message.first; offset <= message.last; ++offset) {
      message.text.push_back(static_cast<char>('a' + rng_.Below(26)));
      message.missing.insert(offset);
      in_flight_.push_back(offset);
    }
    sent_.push_back(std::move(message));
  }

  Sent& MessageAt(int64_t offset) {
    const auto after = std::upper_bound(sent_.begin(), sent_.end(), offset,
                                        [](int64_t value, const Sent& message) { return value < message.first; });
    return *(after - 1);
  }

  void Receive(int64_t offset) {
    const Arrival arrival = tracker_.Classify(TsnAt(offset));
    ASSERT_NE(arrival, Arrival::kTooFar);
    if (arrival == Arrival::kDuplicate) return;  // late, after a FORWARD TSN
    Sent& message = MessageAt(offset);
    DataChunk chunk =
        Chunk(TsnAt(offset), std::string_view(message.text).substr(static_cast<size_t>(offset - message.first), 1),
              {.stream = message.stream, .ssn = message.ssn, .flags = ""});
    chunk.unordered = message.unordered;
    chunk.beginning = offset == message.first;
    chunk.end = offset == message.last;
    ASSERT_EQ(queue_.Add(TsnAt(offset), chunk), ReassemblyQueue::AddResult::kAccepted);
    tracker_.Observe(TsnAt(offset));
    ASSERT_EQ(queue_.CheckProgress(tracker_.cumulative()), ReassemblyQueue::AddResult::kAccepted);
    oracle_.Receive(sent_, message, offset);
    // What is done does not slow the oracle down.
    while (!sent_.empty() && TsnAt(sent_.front().last) < tracker_.cumulative() &&
           (sent_.front().delivered || sent_.front().dead)) {
      sent_.pop_front();
    }
  }

  // The sender gives up all up to some TSN, at times in the middle of a message: that message is dead as a whole.
  void Abandon() {
    const int64_t cumulative = tracker_.cumulative().DistanceFrom(TsnAt(0));
    const auto reach = static_cast<int64_t>(rng_.Below(30));
    const int64_t target = std::min(cumulative + 1 + reach, next_offset_ - 1);
    Sent& at = MessageAt(target);
    const int64_t new_cumulative = rng_.Below(4) == 0 ? target : at.last;
    if (new_cumulative <= cumulative) return;
    std::map<uint16_t, uint16_t> largest;
    for (const Sent& message : sent_) {
      const bool skipped = !message.missing.empty() && *message.missing.begin() <= new_cumulative && !message.delivered;
      if (skipped && !message.unordered) largest[message.stream] = message.ssn;
    }
    std::vector<SkippedStream> list;
    for (const auto& [stream, ssn] : largest) list.push_back({StreamId(stream), Ssn(ssn)});
    ASSERT_TRUE(tracker_.HandleForwardTsn(TsnAt(new_cumulative)));
    queue_.HandleForwardTsn(TsnAt(new_cumulative), std::span<const SkippedStream>(list));
    ASSERT_EQ(queue_.CheckProgress(tracker_.cumulative()), ReassemblyQueue::AddResult::kAccepted);
    oracle_.Skip(sent_, new_cumulative, list);
  }

  void Compare() {
    std::vector<std::string> popped;
    while (auto message = queue_.PopMessage()) popped.push_back(Text(*message));
    ASSERT_EQ(popped, oracle_.Take());
    ASSERT_TRUE(queue_.IsConsistent());
  }

  Rng rng_;
  int64_t next_offset_ = 0;
  std::vector<uint16_t> sender_ssn_;
  std::deque<int64_t> in_flight_;
  std::deque<Sent> sent_;
  DataTracker tracker_{kInitialTsn};
  ReassemblyQueue queue_{ReassemblyQueue::Limits{}};
  Oracle oracle_;
};

TEST(ReassemblyOracleTest, C19_AgreesUnderReorderingAndAbandonment) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Simulation run(seed);
    for (int step = 0; step < 2000 && !testing::Test::HasFatalFailure(); ++step) run.Step();
    run.Finish();
    if (testing::Test::HasFatalFailure()) return;
  }
}

// A peer that breaks every rule: nothing but the invariants and the accounting is promised, until the first violation,
// where the association aborts.
TEST(ReassemblyHostileTest, C8_AnyChunksKeepTheInvariants) {
  static constexpr std::string_view kPayload = "0123456789";
  int violations = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Rng rng = Rng::FromNumber(seed);
    DataTracker tracker(kInitialTsn);
    ReassemblyQueue queue({.max_message_size = 40, .incoming_streams = 3});
    for (int step = 0; step < 300; ++step) {
      const int64_t offset = tracker.cumulative().DistanceFrom(TsnAt(0)) + 1 + static_cast<int64_t>(rng.Below(12));
      if (rng.Below(30) == 0) {
        const std::vector<SkippedStream> list{
            {StreamId(static_cast<uint16_t>(rng.Below(4))), Ssn(static_cast<uint16_t>(rng.Below(4)))}};
        if (tracker.HandleForwardTsn(TsnAt(offset))) {
          queue.HandleForwardTsn(TsnAt(offset), std::span<const SkippedStream>(list));
        }
      } else if (tracker.Classify(TsnAt(offset)) != Arrival::kDuplicate) {
        DataChunk chunk = Chunk(
            TsnAt(offset), kPayload.substr(0, rng.Below(11)),
            {.stream = static_cast<uint16_t>(rng.Below(4)), .ssn = static_cast<uint16_t>(rng.Below(2)), .flags = ""});
        chunk.beginning = rng.Below(3) != 0;
        chunk.end = rng.Below(3) != 0;
        chunk.unordered = rng.Below(2) == 0;
        const auto result = queue.Add(TsnAt(offset), chunk);
        const bool fatal =
            result != ReassemblyQueue::AddResult::kAccepted && result != ReassemblyQueue::AddResult::kInvalidStream;
        violations += fatal ? 1 : 0;
        if (fatal) break;
        tracker.Observe(TsnAt(offset));
      }
      if (queue.CheckProgress(tracker.cumulative()) != ReassemblyQueue::AddResult::kAccepted) break;
      ASSERT_TRUE(queue.IsConsistent());
      if (rng.Below(4) == 0) (void)queue.PopMessage();
    }
    ASSERT_TRUE(queue.IsConsistent());
  }
  EXPECT_GT(violations, 200);
}

}  // namespace
}  // namespace jsp::sctp
