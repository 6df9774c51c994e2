#include "sctp/tx/cubic.h"

#include <gtest/gtest.h>

#include <cmath>
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;

constexpr size_t kMtu = 1200;
constexpr Duration kRtt = 100ms;

// A window-full sender on a path of constant round trip: one SACK for each window a round trip.
class Path {
 public:
  explicit Path(size_t packets, size_t ssthresh = SIZE_MAX / 2) : cubic(kMtu, packets * kMtu, ssthresh) {}

  void Round() {
    now_ = now_ + kRtt;
    const uint64_t prior = delivered_;
    const size_t window = cubic.cwnd();
    for (size_t i = 0; i < window; i += kMtu) {
      AckSample ack;
      ack.octets_acknowledged = kMtu;
      ack.window_was_full = true;
      ack.cumulative_tsn = UnwrappedTsn(++tsn_);
      ack.now = now_;
      ack.rtt = ack.min_rtt = kRtt;
      ack.delivered = delivered_ += kMtu;
      ack.prior_delivered = prior;
      cubic.HandleAck(ack);
    }
  }
  void Lose() {
    cubic.HandleLoss(UnwrappedTsn(tsn_ + 1));
    AckSample ack;
    ack.cumulative_tsn = UnwrappedTsn(tsn_ + 1);
    ack.now = now_;
    cubic.HandleAck(ack);
  }
  size_t packets() const { return cubic.cwnd() / kMtu; }

  Cubic cubic;

 private:
  Timestamp now_ = Timestamp::FromEpoch(1s);
  uint64_t delivered_ = 1;
  int64_t tsn_ = 100;
};

TEST(CubicTest, AMarkReducesAsALossDoes) {  // RFC 3168 §6.1.2, RFC 9438 §4.6
  Cubic cubic(kMtu, 100 * kMtu, 1000 * kMtu);
  cubic.HandleCongestionExperienced(UnwrappedTsn(30));
  EXPECT_EQ(cubic.cwnd(), 70 * kMtu);
  cubic.HandleCongestionExperienced(UnwrappedTsn(40));
  EXPECT_EQ(cubic.cwnd(), 70 * kMtu);
  cubic.HandleTimeout();
  cubic.HandleCongestionExperienced(UnwrappedTsn(50));
  EXPECT_EQ(cubic.cwnd(), kMtu);
}

TEST(CubicTest, DoublesEveryRoundTripInSlowStart) {
  Path path(10);
  for (size_t expected = 20; expected <= 1280; expected *= 2) {
    path.Round();
    EXPECT_EQ(path.packets(), expected);
  }
}

TEST(CubicTest, ALossMultipliesTheWindowByBeta) {  // RFC 9438 §4.6
  Path path(1000);
  path.Lose();
  EXPECT_EQ(path.packets(), 700u);
  EXPECT_EQ(path.cubic.ssthresh(), 700 * kMtu);
}

TEST(CubicTest, OneEpisodeReducesOnce) {  // RFC 9260 §7.2.4 item 6
  Path path(1000);
  path.cubic.HandleLoss(UnwrappedTsn(5000));
  path.cubic.HandleLoss(UnwrappedTsn(5001));
  EXPECT_TRUE(path.cubic.in_fast_recovery());
  EXPECT_EQ(path.packets(), 700u);
}

TEST(CubicTest, IsBackAtItsOldWindowAfterK) {  // RFC 9438 §4.2 figure 2: K = cbrt(W_max (1 − beta) / C)
  Path path(1000);
  path.Lose();
  const double k = std::cbrt(1000 * 0.3 / 0.4);
  const int rounds = static_cast<int>(k * 1e6 / static_cast<double>(kRtt.count()));
  for (int i = 0; i < rounds / 2; ++i) path.Round();
  // Concave: most of the way is made in the first half. Cubed, half the time leaves an eighth.
  EXPECT_GE(path.packets(), 950u);
  for (int i = rounds / 2; i < rounds; ++i) path.Round();
  EXPECT_NEAR(static_cast<double>(path.packets()), 1000, 10);
}

TEST(CubicTest, ThenProbesConvexly) {  // RFC 9438 §4.5
  Path path(1000);
  path.Lose();
  for (int i = 0; i < 91; ++i) path.Round();
  const size_t plateau = path.packets();
  for (int i = 0; i < 30; ++i) path.Round();
  const size_t first = path.packets() - plateau;
  for (int i = 0; i < 30; ++i) path.Round();
  EXPECT_GT(path.packets() - plateau - first, 2 * first);
}

TEST(CubicTest, ASecondLossBelowTheOldWindowGivesRoomToOthers) {  // RFC 9438 §4.7
  Path path(1000);
  path.Lose();
  path.Lose();
  EXPECT_EQ(path.packets(), 490u);
  // W_max is 700 × 1.7 / 2 = 595 now, not 700.
  for (int i = 0; i < 60; ++i) path.Round();
  EXPECT_NEAR(static_cast<double>(path.packets()), 595, 15);
}

TEST(CubicTest, IsNoSlowerThanRenoInSmallWindows) {  // RFC 9438 §4.3
  Path path(20);
  path.Lose();
  const size_t start = path.packets();
  // Alone, 14 packets would need K = 2.5 s to gain 6; Reno's share is 0.53 packets a round trip.
  for (int i = 0; i < 8; ++i) path.Round();
  EXPECT_GE(path.packets(), start + 4);
}

TEST(CubicTest, TheFriendlyIncreaseIsRenosOnlyAboveTheWindowBeforeTheReduction) {  // RFC 9438 §4.3
  // Two reductions: 20 to 14 to 9.8, and W_max is 14 × 0.85 = 11.9. From there to 14 it still takes 0.53 a round trip.
  Path path(20);
  path.Lose();
  path.Lose();
  int rounds = 0;
  while (path.packets() < 12) path.Round(), ++rounds;
  EXPECT_GE(rounds, 4);
  rounds = 0;
  while (path.packets() < 14) path.Round(), ++rounds;
  EXPECT_GE(rounds, 3);
}

TEST(CubicTest, ATimeoutLeavesOnePacketAndSlowStartFollows) {  // RFC 9438 §4.8
  Path path(1000);
  path.cubic.HandleTimeout();
  EXPECT_EQ(path.packets(), 1u);
  EXPECT_EQ(path.cubic.ssthresh(), 700 * kMtu);
  for (int i = 0; i < 9; ++i) path.Round();
  EXPECT_EQ(path.packets(), 512u);
}

TEST(CubicTest, AWindowThatIsNotFullDoesNotGrow) {  // RFC 9438 §4.2
  Cubic cubic(kMtu, 10 * kMtu, SIZE_MAX);
  AckSample ack;
  ack.octets_acknowledged = kMtu;
  for (int i = 0; i < 100; ++i) cubic.HandleAck(ack);
  EXPECT_EQ(cubic.cwnd(), 10 * kMtu);
}

TEST(CubicTest, TheWindowDecaysWhileNothingIsSent) {  // RFC 9260 §7.2.1
  Path path(1000);
  path.cubic.HandleIdle(300ms, 200ms);
  EXPECT_EQ(path.packets(), 500u);
  path.cubic.HandleIdle(10s, 200ms);
  EXPECT_EQ(path.packets(), 4u);
}

TEST(CubicTest, PacesFasterThanTheWindowTurnsOver) {
  Path path(100, 100 * kMtu);
  // 120 kB in 100 ms, a quarter more.
  EXPECT_EQ(path.cubic.pacing_rate(kRtt), 1'500'000u);
  EXPECT_EQ(path.cubic.pacing_rate(Duration::zero()), 0u);
}

}  // namespace
}  // namespace jsp::sctp
