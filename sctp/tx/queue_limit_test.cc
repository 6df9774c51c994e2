// RetransmissionQueue with its QueueLimiter, over a bottleneck in virtual time.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "sctp/tx/tx_test_support.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kOctetsPerSecond = 2'500'000;
constexpr Duration kRtt = 50ms;
constexpr uint16_t kBulk = 1;
constexpr uint16_t kPing = 2;

Sender::Config ConfigOf(const Options& options) {
  return {.options = options, .peer_a_rwnd = 32 << 20, .reliability = Reliability::kFull, .framing = Framing::kIData};
}
Options Without() {
  Options options;
  options.limit_queue = false;
  return options;
}
Options With(CongestionAlgorithm algorithm) {
  Options options;
  options.congestion_control = algorithm;
  return options;
}

// Bulk on one stream without end and, if wanted, a small message on another ten times a second. The queue in front of
// the bottleneck takes a megabyte and a half; one SACK for each packet.
class Bottleneck {
 public:
  explicit Bottleneck(const Options& options) : sender(ConfigOf(options)) { sender.a_rwnd = 32 << 20; }

  void RunFor(Duration time) {
    const Timestamp end = sender.now + time;
    longest_ = Duration::zero();
    while (sender.now < end) {
      Supply();
      for (const SentChunks& packet : sender.Drain()) Enqueue(packet);
      const Timestamp acknowledged_at = in_flight_.empty() ? end : in_flight_.front().acknowledged_at;
      sender.now = std::max(sender.now, std::min({acknowledged_at, end, sender.queue.NextTimeout()}));
      if (sender.queue.NextTimeout() <= sender.now) (void)sender.queue.HandleTimeout(sender.now);
      if (in_flight_.empty() || sender.now < acknowledged_at) continue;
      longest_ = std::max(longest_, sender.now - in_flight_.front().sent_at);
      const uint32_t acknowledged = in_flight_.front().last_tsn + 1;
      in_flight_.pop_front();
      ASSERT_EQ(sender.Sack(acknowledged).verdict, SackVerdict::kValid);
    }
  }
  Duration longest_round_trip() const { return longest_; }
  bool IsLimited() const { return sender.metrics.flight_limit > 0; }

  Sender sender;
  bool has_pings = true;

 private:
  struct Packet {
    uint32_t last_tsn;
    Timestamp sent_at;
    Timestamp acknowledged_at;
  };
  void Supply() {
    while (sender.messages.total_buffered_amount() < 512 * 1024) sender.Send(65536, {}, kBulk);
    if (!has_pings || sender.now < next_ping_) return;
    sender.Send(64, {}, kPing);
    next_ping_ = sender.now + 100ms;
  }
  void Enqueue(const SentChunks& packet) {
    size_t octets = 60;
    for (const SentChunk& chunk : packet) octets += chunk.size;
    free_at_ = std::max(free_at_, sender.now) + Duration(static_cast<int64_t>(octets * 1'000'000 / kOctetsPerSecond));
    in_flight_.push_back({packet.back().tsn, sender.now, free_at_ + kRtt});
  }

  std::deque<Packet> in_flight_;
  Timestamp free_at_ = At(Duration::zero());
  Timestamp next_ping_ = At(Duration::zero());
  Duration longest_{};
};

TEST(QueueLimitTest, BulkKeepsTheQueueShortForSmallMessages) {
  for (const auto algorithm : {CongestionAlgorithm::kCubic, CongestionAlgorithm::kNewReno}) {
    Bottleneck path(With(algorithm));
    path.RunFor(3s);
    const uint64_t before = path.sender.metrics.bytes_sent;
    path.RunFor(20s);
    EXPECT_TRUE(path.IsLimited());
    EXPECT_LE(path.longest_round_trip(), kRtt + 12ms);
    // 1,156 octets of 1,216 are payload; two drains cost no more than a hundredth.
    EXPECT_GE(path.sender.metrics.bytes_sent - before, 0.99 * 20 * kOctetsPerSecond * 1156 / 1216);
  }
}

TEST(QueueLimitTest, WithoutItTheyWaitInTheQueue) {
  Bottleneck path(Without());
  path.RunFor(20s);
  EXPECT_FALSE(path.IsLimited());
  EXPECT_GE(path.longest_round_trip(), 2 * kRtt);
}

TEST(QueueLimitTest, BulkAloneIsNotLimited) {
  Bottleneck path((Options()));
  path.has_pings = false;
  path.RunFor(20s);
  EXPECT_FALSE(path.IsLimited());
  EXPECT_GE(path.longest_round_trip(), 2 * kRtt);
}

TEST(QueueLimitTest, AWindowThatTheLimitHoldsBackDoesNotGrow) {  // RFC 9260 §7.2.1, §7.2.2
  for (const auto algorithm : {CongestionAlgorithm::kCubic, CongestionAlgorithm::kNewReno}) {
    Bottleneck path(With(algorithm));
    path.RunFor(3s);
    const size_t before = path.sender.metrics.cwnd;
    EXPECT_LT(path.sender.metrics.flight_limit, before);
    path.RunFor(20s);
    EXPECT_EQ(path.sender.metrics.cwnd, before);
  }
}

TEST(QueueLimitTest, TheModelBasedControllerAndTheSenderOfTheRfcHaveNoLimit) {
  EXPECT_FALSE(Options::Rfc9260().limit_queue);
  for (Options options : {With(CongestionAlgorithm::kModelBased), Options::Rfc9260()}) {
    Bottleneck path(options);
    path.RunFor(10s);
    EXPECT_FALSE(path.IsLimited());
  }
}

TEST(QueueLimitTest, AnotherPathBeginsWithoutALimit) {  // RFC 8261 §6.1
  Bottleneck path((Options()));
  path.RunFor(3s);
  ASSERT_TRUE(path.IsLimited());
  path.sender.queue.ResetPath(path.sender.now);
  EXPECT_FALSE(path.IsLimited());
}

}  // namespace
}  // namespace jsp::sctp
