#include "sctp/tx/loss_detector.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Supply = LossDetector::Supply;

Timestamp At(Duration d) { return Timestamp::FromEpoch(1s + d); }

// Chunks by TSN with their latest transmission, while unanswered.
class Flight {
 public:
  void Send(Duration at, int64_t tsn, Supply supply = Supply::kMoreWaits) {
    latest_[tsn] = detector.HandleSent(At(at), UnwrappedTsn(tsn), latest_.size() * 1200, supply);
    ++times_[tsn];
  }
  LossDetector::Sample Acknowledge(Duration at, int64_t tsn) {
    const LossDetector::Acknowledged acknowledged{
        .newest = latest_.at(tsn), .newest_was_repeated = times_[tsn] > 1, .octets = 1200};
    latest_.erase(tsn);
    return detector.HandleAcknowledged(At(at), acknowledged);
  }
  std::vector<int64_t> Lost(Duration at) {
    std::vector<int64_t> lost;
    const auto is_in_flight = [this](UnwrappedTsn tsn, uint32_t number) {
      const auto found = latest_.find(tsn.DistanceFrom(UnwrappedTsn(0)));
      return found != latest_.end() && found->second == number;
    };
    while (const auto tsn = detector.NextLost(At(at), is_in_flight)) {
      lost.push_back(tsn->DistanceFrom(UnwrappedTsn(0)));
      latest_.erase(lost.back());
    }
    return lost;
  }

  LossDetector detector;

 private:
  std::map<int64_t, uint32_t> latest_;
  std::map<int64_t, int> times_;
};

using Tsns = std::vector<int64_t>;

TEST(LossDetectorTest, WhatLeftBeforeTheAcknowledgedIsLostAfterAReorderingWindow) {  // RFC 8985 §6.2 step 5
  Flight flight;
  flight.Send(0ms, 1);
  flight.Send(10ms, 2);
  flight.Acknowledge(110ms, 2);
  // Round trip 100 ms, a quarter of it for reordering: 1 left at 0 ms.
  EXPECT_EQ(flight.Lost(110ms), Tsns{});
  EXPECT_EQ(flight.detector.NextTimeout(), At(125ms));
  EXPECT_EQ(flight.Lost(124ms), Tsns{});
  EXPECT_EQ(flight.Lost(125ms), Tsns{1});
  EXPECT_EQ(flight.detector.NextTimeout(), Timestamp::Never());
}

TEST(LossDetectorTest, AReorderedChunkIsNotLost) {
  Flight flight;
  flight.Send(0ms, 1);
  flight.Send(10ms, 2);
  flight.Acknowledge(110ms, 2);
  EXPECT_EQ(flight.Lost(110ms), Tsns{});
  flight.Acknowledge(120ms, 1);
  EXPECT_EQ(flight.Lost(200ms), Tsns{});
}

TEST(LossDetectorTest, ALostRepetitionIsFound) {  // what miss indications cannot see
  Flight flight;
  flight.Send(0ms, 1);
  flight.Send(10ms, 2);
  flight.Acknowledge(110ms, 2);
  ASSERT_EQ(flight.Lost(125ms), Tsns{1});
  flight.Send(125ms, 1);
  flight.Send(130ms, 3);
  flight.Acknowledge(230ms, 3);
  EXPECT_EQ(flight.Lost(230ms), Tsns{});
  EXPECT_EQ(flight.Lost(250ms), Tsns{1});
}

TEST(LossDetectorTest, WhatLeftAfterTheAcknowledgedIsNotJudged) {
  Flight flight;
  flight.Send(0ms, 1);
  flight.Send(10ms, 2);
  flight.Acknowledge(100ms, 1);
  EXPECT_EQ(flight.Lost(10s), Tsns{});
}

TEST(LossDetectorTest, AnAnswerTooSoonAfterARepetitionBelongsToTheFirst) {  // RFC 8985 §6.2 step 2
  Flight flight;
  flight.Send(0ms, 1);
  flight.Acknowledge(100ms, 1);
  flight.Send(100ms, 2);
  flight.Send(110ms, 3);
  flight.Send(190ms, 2);  // repeated before its time
  const auto sample = flight.Acknowledge(205ms, 2);
  EXPECT_FALSE(sample.rtt);
  EXPECT_EQ(flight.detector.min_rtt(), 100ms);
  EXPECT_EQ(flight.Lost(205ms), Tsns{});
}

TEST(LossDetectorTest, MeasuresTheRateOfDelivery) {
  // A packet a millisecond is 1.2 MB/s.
  Flight flight;
  for (int i = 0; i < 400; ++i) {
    flight.Send(Duration(1000 * i), i);
    if (i < 100) continue;
    const auto sample = flight.Acknowledge(Duration(1000 * i), i - 100);
    EXPECT_EQ(sample.rtt, 100ms);
    if (i <= 200) continue;  // what left before the first answer spans the silence before it
    EXPECT_NEAR(static_cast<double>(sample.octets_per_second), 1.2e6, 0.03e6);
    EXPECT_FALSE(sample.app_limited);
  }
}

TEST(LossDetectorTest, ACompressedBurstOfAcknowledgementsIsNoHigherRate) {
  Flight flight;
  for (int i = 0; i < 100; ++i) flight.Send(Duration(1000 * i), i);
  LossDetector::Sample sample;
  for (int i = 0; i < 100; ++i) sample = flight.Acknowledge(200ms, i);
  // 100 packets left over 99 ms; that all answers came at once says nothing.
  EXPECT_LE(sample.octets_per_second, 1'250'000u);
}

TEST(LossDetectorTest, MarksWhatTheApplicationLimited) {
  Flight flight;
  flight.Send(0ms, 1, Supply::kRunDry);
  EXPECT_TRUE(flight.Acknowledge(100ms, 1).app_limited);
}

TEST(LossDetectorTest, ASackThatWasCutShortGivesNoRate) {
  Flight flight;
  flight.Send(0ms, 1);
  flight.Acknowledge(100ms, 1);
  flight.Send(100ms, 2);
  flight.Send(100ms, 3);
  (void)flight.detector.HandleAcknowledged(At(150ms), {.cut_short = true, .octets = 1200});
  EXPECT_EQ(flight.Acknowledge(210ms, 2).octets_per_second, 0u);
  flight.Send(220ms, 4);
  EXPECT_GT(flight.Acknowledge(320ms, 4).octets_per_second, 0u);
}

TEST(LossDetectorTest, ForgetsAnOldMinimumOfTheRoundTrip) {
  Flight flight;
  flight.Send(0ms, 1);
  flight.Acknowledge(50ms, 1);
  for (int i = 1; i < 30; ++i) {
    flight.Send(Duration(1s) * i, 1 + i);
    flight.Acknowledge(Duration(1s) * i + 80ms, 1 + i);
  }
  EXPECT_EQ(flight.detector.min_rtt(), 80ms);
}

TEST(LossDetectorTest, ProbesATailAfterTwoRoundTripsOnce) {  // RFC 8985 §7.2
  LossDetector detector;
  detector.ArmProbe(At(0ms), {}, 50ms);
  EXPECT_EQ(detector.NextTimeout(), At(100ms));
  EXPECT_FALSE(detector.TakeProbe(At(99ms)));
  EXPECT_TRUE(detector.TakeProbe(At(100ms)));
  detector.ArmProbe(At(100ms), {}, 50ms);
  EXPECT_EQ(detector.NextTimeout(), Timestamp::Never());
}

TEST(LossDetectorTest, GivesASinglePacketTheTimeOfADelayedAcknowledgement) {  // RFC 8985 §7.2
  LossDetector detector;
  detector.ArmProbe(At(0ms), {.one_packet = true}, 50ms);
  EXPECT_EQ(detector.NextTimeout(), At(300ms));
}

TEST(LossDetectorTest, ProbesNothingInRecoveryWithoutFlightOrWithoutARoundTrip) {  // RFC 8985 §7.2
  LossDetector detector;
  detector.ArmProbe(At(0ms), {.in_recovery = true}, 50ms);
  EXPECT_EQ(detector.NextTimeout(), Timestamp::Never());
  detector.ArmProbe(At(0ms), {.empty = true}, 50ms);
  EXPECT_EQ(detector.NextTimeout(), Timestamp::Never());
  detector.ArmProbe(At(0ms), {}, Duration::zero());
  EXPECT_EQ(detector.NextTimeout(), Timestamp::Never());
}

}  // namespace
}  // namespace jsp::sctp
