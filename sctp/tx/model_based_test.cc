#include "sctp/tx/model_based.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "base/rng.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;

constexpr size_t kMtu = 1200;

// A bulk sender with this controller over a bottleneck, packet by packet: each is answered a round trip after it leaves
// the queue, or found lost a round trip after it left.
class Bottleneck {
 public:
  struct Options {
    double packets_per_ms = 10;  // 96 Mbit/s
    Duration rtt = 40ms;
    size_t queue = 400;  // packets; one bandwidth-delay product
    double loss = 0;
  };
  explicit Bottleneck(const Options& options)
      : controller(kMtu, 20 * kMtu), options_(options), rng_(Rng::FromNumber(5)) {}

  void Run(Duration time) {
    for (const Timestamp end = now_ + time; now_ < end; now_ = now_ + 100us) {
      Answer();
      Send();
    }
  }
  double delivered_per_ms(Duration time) {
    const uint64_t before = delivered_;
    Run(time);
    return static_cast<double>(delivered_ - before) / kMtu / (static_cast<double>(time.count()) / 1e3);
  }
  double loss_share() const { return static_cast<double>(lost_) / static_cast<double>(sent_); }
  size_t queue_length() const {
    return static_cast<size_t>(static_cast<double>((free_at_ - now_).count()) / 1e3 * options_.packets_per_ms);
  }
  size_t flight_packets() const { return flight_ / kMtu; }
  void set_rate(double packets_per_ms) { options_.packets_per_ms = packets_per_ms; }

  ModelBased controller;

 private:
  struct Packet {
    Timestamp sent;
    Timestamp answered;
    uint64_t delivered;
    Timestamp delivered_at;
    bool lost;
  };

  void Send() {
    const uint64_t rate = controller.pacing_rate(options_.rtt);
    budget_ += static_cast<double>(rate) * 100 / 1e6;
    budget_ = std::min(budget_, static_cast<double>(rate) / 1e3 + kMtu);
    while (flight_ + kMtu <= controller.cwnd() && budget_ >= kMtu) {
      budget_ -= kMtu;
      free_at_ = std::max(free_at_, now_);
      const bool full = queue_length() >= options_.queue;
      const bool lost = full || rng_.Uniform() < options_.loss;
      if (!full) free_at_ = free_at_ + Duration(static_cast<int64_t>(1e3 / options_.packets_per_ms));
      packets_.push_back({now_, free_at_ + options_.rtt, delivered_, delivered_at_, lost});
      flight_ += kMtu;
      ++sent_;
    }
  }
  void Answer() {
    while (!packets_.empty() && packets_.front().answered <= now_) {
      const Packet packet = packets_.front();
      packets_.pop_front();
      flight_ -= kMtu;
      AckSample ack;
      ack.now = now_;
      ack.window_was_full = true;
      ack.cumulative_tsn = UnwrappedTsn(static_cast<int64_t>(++answered_));
      ack.flight = flight_;
      ack.min_rtt = options_.rtt;
      if (packet.lost) {
        ++lost_;
        ack.octets_lost = kMtu;
        ack.delivered = delivered_;
        controller.HandleAck(ack);
        controller.HandleLoss(UnwrappedTsn(static_cast<int64_t>(sent_)));
        continue;
      }
      delivered_ += kMtu;
      delivered_at_ = now_;
      ack.octets_acknowledged = kMtu;
      ack.rtt = now_ - packet.sent;
      ack.delivered = delivered_;
      ack.prior_delivered = packet.delivered;
      const Duration interval = now_ - packet.delivered_at;
      if (interval > Duration::zero()) {
        ack.octets_per_second = (delivered_ - packet.delivered) * 1'000'000 / static_cast<uint64_t>(interval.count());
      }
      controller.HandleAck(ack);
    }
  }

  Options options_;
  Rng rng_;
  Timestamp now_ = Timestamp::FromEpoch(1s);
  Timestamp free_at_ = Timestamp::FromEpoch(1s);
  Timestamp delivered_at_ = Timestamp::FromEpoch(1s);
  std::deque<Packet> packets_;
  double budget_ = 0;
  size_t flight_ = 0;
  uint64_t delivered_ = 1;
  uint64_t sent_ = 0;
  uint64_t lost_ = 0;
  uint64_t answered_ = 0;
};

TEST(ModelBasedTest, FindsTheRateOfThePath) {
  Bottleneck path({});
  path.Run(1s);
  EXPECT_GE(path.delivered_per_ms(2s), 9.5);
  EXPECT_LE(path.loss_share(), 0.005);
}

TEST(ModelBasedTest, LeavesTheQueueShort) {
  // One round trip in eight at 1.2 of the rate, the next at 0.8: a fifth of 400 packets at the most, plus bursts.
  Bottleneck path({.queue = 4000});
  path.Run(1s);
  size_t longest = 0;
  for (int i = 0; i < 200; ++i) {
    path.Run(10ms);
    longest = std::max(longest, path.queue_length());
  }
  EXPECT_LE(longest, 160u);
}

TEST(ModelBasedTest, HoldsItsRateUnderRandomLoss) {
  for (const double loss : {0.01, 0.03, 0.05}) {
    Bottleneck path({.loss = loss});
    path.Run(2s);
    // All but what is lost, and what the probing of the round trip costs.
    EXPECT_GE(path.delivered_per_ms(4s), 10 * (1 - loss) * 0.94) << loss;
    EXPECT_LE(path.loss_share(), loss * 1.3 + 0.002) << loss;
  }
}

TEST(ModelBasedTest, BacksOffFromAQueueThatIsTooShort) {
  // A twentieth of the bandwidth-delay product: every probe upwards overflows it.
  Bottleneck path({.queue = 20});
  path.Run(4s);
  EXPECT_GE(path.delivered_per_ms(2s), 8.0);
  EXPECT_LE(path.loss_share(), 0.08);
}

TEST(ModelBasedTest, FollowsAPathThatBecomesSlower) {
  Bottleneck path({});
  path.Run(2s);
  path.set_rate(2);
  path.Run(4s);
  EXPECT_GE(path.delivered_per_ms(1s), 1.8);
  EXPECT_LE(path.flight_packets(), 400u);
}

TEST(ModelBasedTest, FollowsAPathThatBecomesFaster) {
  Bottleneck path({.packets_per_ms = 2, .queue = 100});
  path.Run(2s);
  path.set_rate(10);
  // A fifth more every eight round trips: 2 to 10 takes 8.8 steps of 0.32 s.
  path.Run(4s);
  EXPECT_GE(path.delivered_per_ms(1s), 9);
}

TEST(ModelBasedTest, ATimeoutLeavesOnePacketAndForgetsNothing) {  // RFC 9260 §7.2.3
  Bottleneck path({});
  path.Run(2s);
  const uint64_t rate = path.controller.pacing_rate(40ms);
  path.controller.HandleTimeout();
  EXPECT_EQ(path.controller.cwnd(), kMtu);
  EXPECT_EQ(path.controller.pacing_rate(40ms), rate);
  path.Run(500ms);
  EXPECT_GE(path.delivered_per_ms(1s), 9);
}

TEST(ModelBasedTest, AnApplicationThatSendsLittleSaysNothingAboutThePath) {
  Bottleneck path({});
  path.Run(2s);
  const uint64_t rate = path.controller.pacing_rate(40ms);
  AckSample ack;
  ack.octets_acknowledged = kMtu;
  ack.now = Timestamp::FromEpoch(4s);
  ack.rtt = 40ms;
  ack.app_limited = true;
  ack.octets_per_second = 1000;
  path.controller.HandleAck(ack);
  EXPECT_GE(path.controller.pacing_rate(40ms), rate * 3 / 4);
}

}  // namespace
}  // namespace jsp::sctp
