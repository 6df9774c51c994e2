// DataTracker against the naive receiver that remembers every TSN, under seeded random commands.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "base/rng.h"
#include "sctp/rx/data_tracker.h"
#include "sctp/rx/rx_test_support.h"
namespace jsp::sctp {
namespace {

class Oracle {
 public:
  Arrival Observe(int64_t offset) {
    if (offset - cumulative_ > DataTracker::kMaxDistance) return Arrival::kTooFar;
    if (offset <= cumulative_ || received_.count(offset) == 1) {
      duplicates_.push_back(TsnAt(offset).Wrap());
      return Arrival::kDuplicate;
    }
    const Arrival arrival = offset == cumulative_ + 1 ? Arrival::kNext
                            : offset > highest()      ? Arrival::kAhead
                                                      : Arrival::kFillsGap;
    received_.insert(offset);
    Advance();
    return arrival;
  }
  bool Forward(int64_t offset) {
    if (offset <= cumulative_ || offset - cumulative_ > DataTracker::kMaxDistance) return false;
    cumulative_ = offset;
    received_.erase(received_.begin(), received_.upper_bound(offset));
    Advance();
    return true;
  }
  std::vector<GapAckBlock> Gaps(size_t limit) const {
    std::vector<GapAckBlock> gaps;
    int64_t last = cumulative_;
    for (int64_t offset : received_) {
      const auto distance = static_cast<uint16_t>(offset - cumulative_);
      if (!gaps.empty() && offset == last + 1) {
        gaps.back().end = distance;
      } else {
        if (gaps.size() == limit) break;
        gaps.push_back({distance, distance});
      }
      last = offset;
    }
    return gaps;
  }
  int64_t cumulative() const { return cumulative_; }
  int64_t highest() const { return received_.empty() ? cumulative_ : *received_.rbegin(); }
  std::vector<Tsn>& duplicates() { return duplicates_; }

 private:
  void Advance() {
    while (received_.erase(cumulative_ + 1) == 1) ++cumulative_;
  }

  int64_t cumulative_ = -1;
  std::set<int64_t> received_;
  std::vector<Tsn> duplicates_;
};

class Simulation {
 public:
  Simulation(uint64_t seed, uint64_t spread) : rng_(Rng::FromNumber(seed)), spread_(spread) {}

  void Step() {
    const uint64_t command = rng_.Below(100);
    if (command < 80) {
      const int64_t offset = oracle_.cumulative() - 3 + static_cast<int64_t>(rng_.Below(spread_));
      const Arrival classified = tracker_.Classify(TsnAt(offset));
      ASSERT_EQ(classified, oracle_.Observe(offset));
      ASSERT_EQ(tracker_.Observe(TsnAt(offset)), classified);
    } else if (command < 90) {
      const int64_t offset = oracle_.cumulative() + 1;
      ASSERT_EQ(tracker_.Observe(TsnAt(offset)), oracle_.Observe(offset));
    } else if (command < 94) {
      const int64_t offset = oracle_.cumulative() - 2 + static_cast<int64_t>(rng_.Below(spread_));
      ASSERT_EQ(tracker_.HandleForwardTsn(TsnAt(offset)), oracle_.Forward(offset));
    } else {
      CompareSack();
    }
    ASSERT_EQ(tracker_.cumulative(), TsnAt(oracle_.cumulative()));
    ASSERT_EQ(tracker_.highest(), TsnAt(oracle_.highest()));
  }

  void CompareSack() {
    const size_t room = rng_.Below(40);
    const SackChunk sack = tracker_.MakeSack(1, SackChunk::kHeaderSize + room * 4);
    const auto expected = oracle_.Gaps(room);
    ASSERT_EQ(sack.gap_ack_blocks.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(sack.gap_ack_blocks[i], expected[i]);
    const size_t listed = std::min({oracle_.duplicates().size(), DataTracker::kMaxDuplicates, room - expected.size()});
    ASSERT_EQ(sack.duplicate_tsns.size(), listed);
    for (size_t i = 0; i < listed; ++i) ASSERT_EQ(sack.duplicate_tsns[i], oracle_.duplicates()[i]);
    tracker_.HandleSackSent();
    oracle_.duplicates().clear();
    ASSERT_TRUE(tracker_.IsConsistent());
  }

 private:
  Rng rng_;
  uint64_t spread_;
  DataTracker tracker_{kInitialTsn};
  Oracle oracle_;
};

TEST(DataTrackerOracleTest, AgreesUnderRandomCommands) {
  for (const uint64_t spread : {8u, 100u, 3000u, 70000u}) {
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << " spread " << spread);
      Simulation run(seed, spread);
      for (int step = 0; step < 2000 && !testing::Test::HasFatalFailure(); ++step) run.Step();
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace jsp::sctp
