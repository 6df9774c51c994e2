#include "sctp/tx/queue_limiter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "sctp/tx/pacer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;

constexpr size_t kPacket = 1200;

// A bulk sender whose controller would fill any queue, a bottleneck in front of it, and one SACK a packet. Losses are
// no subject here: the queue takes everything.
class Path {
 public:
  struct Config {
    Duration rtt = 50ms;
    uint64_t octets_per_second = 2'500'000;
    size_t cwnd = 1'250'000;  // ten times what the path holds
    bool has_thin = true;     // small messages, ten a second
    bool is_starting = false;
  };
  explicit Path(const Config& given) : config(given) {}

  void RunFor(Duration time) {
    const Timestamp end = now_ + time;
    window_ = {.begin = now_, .delivered_before = delivered_};
    while (now_ < end) {
      Send();
      const Timestamp acknowledged_at = in_flight_.front().acknowledged_at;
      now_ = std::min({acknowledged_at, end, paced_ ? pacer_.NextTimeout() : end});
      if (now_ < acknowledged_at) continue;
      const Packet packet = in_flight_.front();
      in_flight_.pop_front();
      Acknowledge(packet);
    }
  }

  // Of the last RunFor.
  double Goodput() const {
    return static_cast<double>(delivered_ - window_.delivered_before) * 1e6 /
           static_cast<double>((now_ - window_.begin).count());
  }
  Duration shortest() const { return window_.shortest; }
  Duration longest() const { return window_.longest; }
  bool IsLimited() const { return limiter.limit() != SIZE_MAX; }

  Config config;
  Duration others{};      // what others have in the queue
  size_t competitor = 0;  // octets that others have in flight: they get their share of the rate, and leave no queue
  QueueLimiter limiter{kPacket};

 private:
  struct Packet {
    Timestamp sent_at;
    Timestamp acknowledged_at;
    uint64_t delivered;
    Timestamp delivered_at;
  };

  // The last RunFor.
  struct Window {
    Timestamp begin;
    uint64_t delivered_before = 0;
    Duration shortest = Duration::max();
    Duration longest{};
  };

  void Send() {
    if (config.has_thin) last_thin_ = now_;
    while (true) {
      const size_t flight = in_flight_.size() * kPacket;
      paced_ = false;
      if (flight >= config.cwnd) return pacer_.HandleNothingToSend();
      if (flight >= limiter.limit()) {
        pacer_.HandleNothingToSend();
        return limiter.HandleHeldBack();
      }
      paced_ = !pacer_.MaySend(now_);
      if (paced_) return;
      pacer_.HandleSent(now_, kPacket, std::min<uint64_t>(limiter.pacing_rate(), 10 * config.octets_per_second));
      const uint64_t rate = config.octets_per_second * (flight + kPacket) / (flight + kPacket + competitor);
      free_at_ = std::max(free_at_, now_) + Duration(static_cast<int64_t>(kPacket * 1'000'000 / rate));
      const Timestamp arrival = free_at_ + config.rtt + others;
      last_arrival_ = std::max(last_arrival_, arrival);
      in_flight_.push_back({now_, last_arrival_, delivered_, delivered_at_});
    }
  }
  void Acknowledge(const Packet& packet) {
    delivered_ += kPacket;
    delivered_at_ = now_;
    const Duration rtt = now_ - packet.sent_at;
    window_.shortest = std::min(window_.shortest, rtt);
    window_.longest = std::max(window_.longest, rtt);
    AckSample ack;
    ack.octets_acknowledged = kPacket;
    ack.now = now_;
    ack.flight = in_flight_.size() * kPacket;
    ack.rtt = rtt;
    ack.delivered = delivered_;
    ack.prior_delivered = packet.delivered;
    const Duration interval = now_ - packet.delivered_at;
    if (packet.delivered > 0) {
      ack.octets_per_second = (delivered_ - packet.delivered) * 1'000'000 / static_cast<uint64_t>(interval.count());
    }
    limiter.HandleAck(ack, {.last_thin = last_thin_, .is_starting = config.is_starting});
  }

  Timestamp now_ = Timestamp::FromEpoch(1s);
  Timestamp last_thin_;
  Pacer pacer_;
  bool paced_ = false;
  Timestamp free_at_ = Timestamp::FromEpoch(0s);
  Timestamp last_arrival_ = Timestamp::FromEpoch(0s);
  std::deque<Packet> in_flight_;
  uint64_t delivered_ = 0;
  Timestamp delivered_at_ = Timestamp::FromEpoch(0s);
  Window window_;
};

constexpr double kRate = 2'500'000;

TEST(QueueLimiterTest, KeepsOurQueueWithinTwelveMillisecondsAtTheFullRate) {
  Path path({});
  path.RunFor(3s);
  path.RunFor(60s);
  // The allowance of 8 ms, half a millisecond for the packet itself, and what remains of the waves that a drain makes.
  EXPECT_LE(path.longest(), 62ms);
  // Every ten seconds a quarter of two or three round trips is not used: 0.4 %.
  EXPECT_GE(path.Goodput(), 0.99 * kRate);
}

TEST(QueueLimiterTest, LeavesBulkAloneThatNobodyWaitsBehind) {
  Path path({.has_thin = false});
  path.RunFor(10s);
  EXPECT_FALSE(path.IsLimited());
  EXPECT_GE(path.longest(), 400ms);
}

TEST(QueueLimiterTest, StopsAMinuteAfterTheLastSmallMessage) {
  Path path({});
  path.RunFor(5s);
  path.config.has_thin = false;
  path.RunFor(59s);
  EXPECT_TRUE(path.IsLimited());
  path.RunFor(2s);
  EXPECT_FALSE(path.IsLimited());
}

TEST(QueueLimiterTest, LeavesSmallMessagesAloneThatNoBulkRunsBeside) {
  // A window of two packets: nothing is ever in the queue.
  Path path({.cwnd = 2 * kPacket});
  path.RunFor(30s);
  EXPECT_FALSE(path.IsLimited());
}

TEST(QueueLimiterTest, ADrainFindsTheRoundTripThatAFullQueueHid) {
  Path path({.has_thin = false});
  path.RunFor(3s);
  path.RunFor(30s);
  EXPECT_GE(path.shortest(), 400ms);
  path.config.has_thin = true;
  // The queue of half a second has to leave first.
  path.RunFor(1s);
  path.RunFor(5s);
  EXPECT_LE(path.longest(), 62ms);
}

TEST(QueueLimiterTest, ADrainEveryTenSecondsKeepsTheRoundTripTrue) {
  Path path({});
  path.RunFor(3s);
  for (int i = 0; i < 6; ++i) {
    path.RunFor(11s);
    EXPECT_LE(path.shortest(), 51ms);
    EXPECT_GE(path.longest(), 57ms);
  }
}

TEST(QueueLimiterTest, HoldsALittleLongerRoundTripFromTheNextDrainOn) {
  Path path({});
  path.RunFor(5s);
  path.config.rtt = 54ms;
  path.RunFor(12s);
  path.RunFor(5s);
  EXPECT_TRUE(path.IsLimited());
  EXPECT_LE(path.longest(), 66ms);
  EXPECT_GE(path.Goodput(), 0.98 * kRate);
}

TEST(QueueLimiterTest, GrowsIntoAPathThatBecameFaster) {
  Path path({});
  path.RunFor(5s);
  path.config.octets_per_second = 10'000'000;
  // A sixth a round trip, and after three of them that and a quarter: eight of 55 ms, and some.
  path.RunFor(800ms);
  path.RunFor(5s);
  EXPECT_TRUE(path.IsLimited());
  EXPECT_GE(path.Goodput(), 0.98 * 10'000'000);
  EXPECT_LE(path.longest(), 62ms);
}

TEST(QueueLimiterTest, FollowsAPathThatBecameSlower) {
  Path path({});
  path.RunFor(5s);
  path.config.octets_per_second = 1'000'000;
  // The rate of before is forgotten after eight rounds, which are two and a half times as long meanwhile. It takes
  // eight more to see that half as much again in flight brings nothing.
  path.RunFor(3s);
  path.RunFor(3s);
  EXPECT_TRUE(path.IsLimited());
  EXPECT_LE(path.longest(), 66ms);
}

TEST(QueueLimiterTest, GivesWayToOthersWhoFillTheQueue) {
  Path path({});
  path.RunFor(5s);
  path.others = 50ms;
  path.RunFor(2s);
  EXPECT_FALSE(path.IsLimited());
  // The controller has what it wants: all of its window.
  path.RunFor(3s);
  EXPECT_GE(path.longest(), 400ms);
}

TEST(QueueLimiterTest, GivesWayToOthersWhoTakeTheRateWithoutAQueue) {
  Path path({});
  path.RunFor(5s);
  path.competitor = 145'000;
  // Half of the rate is gone, and with half as much again in flight three fifths of it would be ours.
  path.RunFor(3s);
  EXPECT_FALSE(path.IsLimited());
}

TEST(QueueLimiterTest, TriesAgainAtTwiceTheIntervalEachTime) {
  // Who drains beside others loses a part of its share.
  Path path({});
  path.RunFor(5s);
  path.others = 50ms;
  path.RunFor(1500ms);
  std::vector<int> tries;
  bool was_limited = false;
  for (int tenth = 0; tenth < 1800; ++tenth) {
    path.RunFor(100ms);
    // They fill what we leave, up to what the queue takes.
    path.others = path.IsLimited() ? std::min<Duration>(path.others + 30ms, 450ms) : 50ms;
    if (path.IsLimited() && !was_limited) tries.push_back(tenth / 10);
    was_limited = path.IsLimited();
  }
  ASSERT_EQ(tries.size(), 4u);
  for (size_t i = 1; i < tries.size(); ++i) EXPECT_NEAR(tries[i] - tries[i - 1], 10 << i, 7);
}

TEST(QueueLimiterTest, HoldsAgainWhenTheOthersHaveLeft) {
  Path path({});
  path.RunFor(5s);
  path.others = 50ms;
  path.RunFor(5s);
  path.others = {};
  path.RunFor(12s);
  path.RunFor(5s);
  EXPECT_TRUE(path.IsLimited());
  EXPECT_LE(path.longest(), 62ms);
}

TEST(QueueLimiterTest, ALongerPathIsNotStarvedAndThenHeld) {
  Path path({});
  path.RunFor(5s);
  path.config.rtt = 150ms;
  // At most ten rounds at a third, until the round trip is known not to be a queue of ours.
  path.RunFor(2s);
  path.RunFor(5s);
  EXPECT_GE(path.Goodput(), 0.99 * kRate);
  path.RunFor(10s);
  path.RunFor(5s);
  EXPECT_TRUE(path.IsLimited());
  EXPECT_LE(path.longest(), 170ms);
  EXPECT_GE(path.Goodput(), 0.98 * kRate);
}

TEST(QueueLimiterTest, ASlowStartIsNotHeldBackByItsBursts) {
  // A queue of 12 ms: more than the allowance, less than what ends slow start.
  Path path({.cwnd = 155'000, .is_starting = true});
  path.RunFor(3s);
  EXPECT_FALSE(path.IsLimited());
  path.config.is_starting = false;
  path.RunFor(3s);
  EXPECT_TRUE(path.IsLimited());
}

TEST(QueueLimiterTest, ASlowPathKeepsThreePacketsInItsQueue) {
  // A packet takes 24 ms. With the 8 ms alone it would idle between two SACKs (RFC 9260 §6.2).
  Path path({.octets_per_second = 50'000, .cwnd = 100'000});
  path.RunFor(10s);
  path.RunFor(30s);
  EXPECT_TRUE(path.IsLimited());
  EXPECT_GE(path.Goodput(), 0.98 * 50'000);
  EXPECT_LE(path.longest(), 50ms + 24ms * 6);
}

TEST(QueueLimiterTest, TheLimitFollowsTheSizeOfPackets) {
  Path path({.octets_per_second = 50'000, .cwnd = 100'000});
  path.RunFor(10s);
  const size_t before = path.limiter.limit();
  path.limiter.SetPmdcs(2 * kPacket);
  path.RunFor(1s);
  EXPECT_GE(path.limiter.limit(), before + 3 * kPacket - 100);
}

}  // namespace
}  // namespace jsp::sctp
