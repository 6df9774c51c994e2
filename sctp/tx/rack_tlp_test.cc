#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "sctp/tx/tx_test_support.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Expiry = RetransmissionQueue::Expiry;
using Tsns = std::vector<uint32_t>;

// A sender with the default recovery that has measured a round trip of 100 ms.
class Measured : public Sender {
 public:
  explicit Measured(const Options& given = {}) : Sender(Config{.options = given}) {
    Send(100);
    DrainTsns();
    now = now + 100ms;
    Sack(1);
  }
  // Lets time pass up to `end`, timers included; what was sent, with pacing.
  Tsns RunUntil(Timestamp end) {
    Tsns tsns = DrainTsns();
    while (queue.NextTimeout() <= end) {
      now = std::max(now, queue.NextTimeout());
      last_expiry = queue.HandleTimeout(now);
      const Tsns more = DrainTsns();
      tsns.insert(tsns.end(), more.begin(), more.end());
    }
    now = end;
    return tsns;
  }
  Expiry last_expiry = Expiry::kNone;
};

TEST(RackTlpTest, ATailThatIsLostIsProbedAfterTwoRoundTrips) {  // RFC 8985 §7.2, §7.3
  Measured sender;
  sender.Send(100);
  sender.Send(100);
  EXPECT_EQ(sender.DrainTsns(), (Tsns{1, 2}));
  const Timestamp sent = sender.now;
  // One packet in flight: its receiver may wait 200 ms. T3-rtx would come at 300 ms.
  EXPECT_EQ(sender.RunUntil(sent + 299ms), Tsns{});
  Measured longer;
  for (int i = 0; i < 3; ++i) longer.Send(Sender::kFull);
  EXPECT_EQ(longer.RunUntil(longer.now + 50ms).size(), 3u);
  const Tsns probe = longer.RunUntil(longer.now + 180ms);
  EXPECT_EQ(probe, (Tsns{3}));
  EXPECT_EQ(longer.metrics.tail_probes, 1u);
  EXPECT_EQ(longer.metrics.t3_expiries, 0u);
}

TEST(RackTlpTest, AProbeCarriesNewDataWhereThereIsAny) {  // RFC 8985 §7.3
  Options options;
  options.initial_window_packets = 2;
  Measured sender(options);
  for (int i = 0; i < 8; ++i) sender.Send(Sender::kFull);
  const Timestamp sent = sender.now;
  const Tsns first = sender.RunUntil(sent + 100ms);
  ASSERT_LT(first.size(), 8u);
  const Tsns probe = sender.RunUntil(sent + 295ms);
  EXPECT_EQ(probe, (Tsns{static_cast<uint32_t>(first.size()) + 1}));
}

TEST(RackTlpTest, AProbeIsSentOnceThenT3Decides) {  // RFC 8985 §7.2
  Measured sender;
  for (int i = 0; i < 3; ++i) sender.Send(Sender::kFull);
  sender.RunUntil(sender.now + 5s);
  EXPECT_EQ(sender.metrics.tail_probes, 1u);
  EXPECT_GE(sender.metrics.t3_expiries, 2u);
}

TEST(RackTlpTest, TheAnswerToAProbeFindsTheLossesBeforeIt) {
  Measured sender;
  for (int i = 0; i < 4; ++i) sender.Send(Sender::kFull);
  sender.RunUntil(sender.now + 50ms);
  EXPECT_EQ(sender.RunUntil(sender.now + 180ms), (Tsns{4}));
  sender.now = sender.now + 100ms;
  sender.Sack(1, {{4, 4}});
  // 1 to 3 left long before the probe: no third miss indication is waited for.
  EXPECT_EQ(sender.RunUntil(sender.now + 100ms), (Tsns{1, 2, 3}));
  EXPECT_EQ(sender.metrics.t3_expiries, 0u);
}

TEST(RackTlpTest, ALostRepetitionIsSentAgainWithoutT3) {  // RFC 8985 §3: what miss indications cannot see
  Measured sender;
  for (int i = 0; i < 6; ++i) sender.Send(Sender::kFull);
  sender.RunUntil(sender.now + 20ms);
  sender.now = sender.now + 100ms;
  sender.Sack(1, {{2, 6}});
  EXPECT_EQ(sender.RunUntil(sender.now + 30ms), (Tsns{1}));
  for (int i = 0; i < 3; ++i) sender.Send(Sender::kFull);
  EXPECT_EQ(sender.RunUntil(sender.now + 20ms), (Tsns{7, 8, 9}));
  sender.now = sender.now + 90ms;
  sender.Sack(1, {{2, 9}});
  EXPECT_EQ(sender.RunUntil(sender.now + 30ms), (Tsns{1}));
  EXPECT_EQ(sender.metrics.t3_expiries, 0u);
}

TEST(RackTlpTest, OnAPathThatReordersMissIndicationsAreNotBelieved) {  // RFC 8985 §3.3.2
  Measured sender;
  for (int i = 0; i < 8; ++i) sender.Send(Sender::kFull);
  sender.RunUntil(sender.now + 20ms);
  sender.now = sender.now + 90ms;
  sender.Sack(1, {{2, 2}});
  sender.Sack(3);  // 1 was only late
  sender.Sack(3, {{4, 4}});
  sender.Sack(3, {{4, 5}});
  sender.Sack(3, {{4, 6}});
  sender.Sack(3, {{4, 7}});
  EXPECT_EQ(sender.DrainTsns(), Tsns{});
  EXPECT_EQ(sender.RunUntil(sender.now + 40ms), (Tsns{3}));
}

TEST(RackTlpTest, AMessageThatMayNotBeRepeatedIsNotProbed) {  // RFC 3758 §3.5 A2
  Measured sender;
  sender.Send(100, MaxRetransmits(0));
  sender.Send(Sender::kFull, MaxRetransmits(0));
  sender.RunUntil(sender.now + 290ms);
  EXPECT_EQ(sender.metrics.retransmitted_chunks, 0u);
}

TEST(RackTlpTest, AWindowIsSpreadOverTheRoundTrip) {
  Options options;
  options.initial_window_packets = 40;
  Measured sender(options);
  for (int i = 0; i < 40; ++i) sender.Send(Sender::kFull);
  const Timestamp start = sender.now;
  const size_t at_once = sender.DrainTsns().size();
  EXPECT_LE(at_once, 3u);
  // Slow start paces at twice the window a round trip.
  EXPECT_NEAR(static_cast<double>(at_once + sender.RunUntil(start + 25ms).size()), 20, 4);
  EXPECT_NEAR(static_cast<double>(sender.queue.outstanding().size()), 20, 4);
  sender.RunUntil(start + 60ms);
  EXPECT_EQ(sender.queue.outstanding().size(), 40u);
}

TEST(RackTlpTest, WithoutARoundTripTheFirstWindowIsABurst) {
  Sender sender(Sender::Config{.options = {}});
  for (int i = 0; i < 40; ++i) sender.Send(Sender::kFull);
  EXPECT_EQ(sender.Drain().size(), Options{}.initial_window_packets);
}

// RFC 6582 §3.2 step 4. SACKs of what arrived before the timeout make its repetitions look missing.
TEST(RackTlpTest, LossesAmidTheRepairAfterATimeoutReduceTheWindowNoFurther) {
  Options options;
  options.congestion_control = CongestionAlgorithm::kNewReno;
  options.initial_window_packets = 60;
  Measured sender(options);
  for (int i = 0; i < 40; ++i) sender.Send(Sender::kFull);
  ASSERT_EQ(sender.RunUntil(sender.now + 80ms).size(), 40u);
  sender.Sack(1, {{10, 12}});
  while (sender.metrics.t3_expiries == 0) sender.RunUntil(sender.queue.NextTimeout());
  const size_t ssthresh = sender.metrics.ssthresh;
  ASSERT_GT(ssthresh, 10 * Sender::kFull);
  for (uint32_t last = 13; last <= 20; ++last) {
    sender.Sack(1, {{10, last}});
    sender.RunUntil(sender.now + 5ms);
  }
  EXPECT_EQ(sender.metrics.ssthresh, ssthresh);
  EXPECT_GT(sender.metrics.cwnd, 4 * Sender::kFull);
  // The episode ends with its last TSN; what is lost after it counts.
  sender.Sack(41);
  for (int i = 0; i < 8; ++i) sender.Send(Sender::kFull);
  ASSERT_EQ(sender.RunUntil(sender.now + 100ms).size(), 8u);
  const size_t cwnd = sender.metrics.cwnd;
  sender.Sack(41, {{42, 44}});
  sender.RunUntil(sender.now + 40ms);
  EXPECT_LT(sender.metrics.cwnd, cwnd);
  EXPECT_EQ(sender.metrics.t3_expiries, 1u);
}

TEST(RackTlpTest, SwitchedOffNothingOfItHappens) {
  Measured sender(Options::Rfc9260());
  for (int i = 0; i < 5; ++i) sender.Send(Sender::kFull);
  EXPECT_EQ(sender.DrainTsns().size(), 5u);
  sender.now = sender.now + 100ms;
  sender.Sack(1, {{3, 3}});
  // One miss indication, and nothing by time: T3-rtx is all there is.
  const Duration rto = sender.queue.rto();
  EXPECT_EQ(sender.RunUntil(sender.now + (rto - 101ms)), Tsns{});
  EXPECT_EQ(sender.metrics.tail_probes, 0u);
}

}  // namespace
}  // namespace jsp::sctp
