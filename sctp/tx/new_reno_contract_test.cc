#include <gtest/gtest.h>

#include <vector>

#include "base/rng.h"
#include "sctp/tx/new_reno.h"
namespace jsp::sctp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kPmdcs = 1000;
constexpr size_t kInitialCwnd = 10 * kPmdcs;
constexpr size_t kPeerWindow = 100 * kPmdcs;
constexpr UnwrappedTsn kExit{5000};

NewReno Fresh() { return NewReno(kPmdcs, kInitialCwnd, kPeerWindow); }

// A SACK for `octets` that came while the window was full.
AckSample FullAck(size_t octets) {
  return {.octets_acknowledged = octets, .window_was_full = true, .cumulative_tsn = UnwrappedTsn(1)};
}

// A window in congestion avoidance: ssthresh 10 packets, cwnd one more.
NewReno Avoiding() {
  NewReno reno(kPmdcs, 2 * kInitialCwnd, kPeerWindow);
  reno.HandleLoss(kExit);
  reno.HandleAck({.window_was_full = false, .cumulative_tsn = kExit});
  reno.HandleAck(FullAck(kPmdcs));
  return reno;
}

TEST(NewRenoContractTest, BeginsInSlowStartWithTheInitialWindow) {
  const NewReno reno = Fresh();
  EXPECT_EQ(reno.cwnd(), kInitialCwnd);
  EXPECT_EQ(reno.ssthresh(), kPeerWindow);
  EXPECT_FALSE(reno.in_fast_recovery());
}

// RFC 9260 §7.2.1: "The initial value of ssthresh SHOULD be arbitrarily high", also for a peer with a small window.
TEST(NewRenoContractTest, ASmallPeerWindowDoesNotEndSlowStartBeforeItBegan) {
  NewReno reno(kPmdcs, kInitialCwnd, 1500);
  EXPECT_EQ(reno.ssthresh(), kInitialCwnd);
  reno.HandleAck(FullAck(2 * kPmdcs));
  EXPECT_EQ(reno.cwnd(), kInitialCwnd + 2 * kPmdcs);
}

// The initiator has the peer's window from INIT ACK, the responder from INIT: the same transfer opens the same windows.
TEST(NewRenoContractTest, P37_BothRolesOpenTheWindowAlike) {
  for (const size_t peer_window : {size_t{4} << 20, size_t{128} << 10}) {
    SCOPED_TRACE(peer_window);
    NewReno reno(kPmdcs, kInitialCwnd, peer_window);
    EXPECT_EQ(reno.ssthresh(), peer_window);
    // Every SACK acknowledges two packets while the window is full: doubles each round trip.
    for (const size_t expected : {20u, 40u, 80u}) {
      const size_t sacks = reno.cwnd() / (2 * kPmdcs);
      for (size_t i = 0; i < sacks; ++i) reno.HandleAck(FullAck(2 * kPmdcs));
      EXPECT_EQ(reno.cwnd(), expected * kPmdcs);
    }
    // A loss halves, recovery keeps, then one packet per window.
    reno.HandleLoss(kExit);
    EXPECT_EQ(reno.cwnd(), 40 * kPmdcs);
    EXPECT_EQ(reno.ssthresh(), 40 * kPmdcs);
    reno.HandleAck({.octets_acknowledged = kPmdcs, .window_was_full = true, .cumulative_tsn = kExit});
    EXPECT_EQ(reno.cwnd(), 40 * kPmdcs);
    reno.HandleAck(FullAck(kPmdcs));
    EXPECT_EQ(reno.cwnd(), 41 * kPmdcs);
    for (int i = 0; i < 41; ++i) reno.HandleAck(FullAck(kPmdcs));
    EXPECT_EQ(reno.cwnd(), 42 * kPmdcs);
  }
}

TEST(NewRenoContractTest, SlowStartAddsWhatWasAcknowledged) {
  NewReno reno = Fresh();
  reno.HandleAck(FullAck(1));
  EXPECT_EQ(reno.cwnd(), kInitialCwnd + 1);
  reno.HandleAck(FullAck(2345));
  EXPECT_EQ(reno.cwnd(), kInitialCwnd + 2346);
}

// RFC 9260 §7.2.1: at most L × PMDCS, which bounds what one SACK for very much can do.
TEST(NewRenoContractTest, OneSackOpensTheWindowByAtMostEightPackets) {
  NewReno reno = Fresh();
  reno.HandleAck(FullAck(500 * kPmdcs));
  EXPECT_EQ(reno.cwnd(), kInitialCwnd + 8 * kPmdcs);
}

// ACK splitting: many SACKs for little open the window no further than one for all of it.
TEST(NewRenoContractTest, SplittingAcknowledgementsGainsNothing) {
  NewReno split = Fresh();
  NewReno whole = Fresh();
  for (int i = 0; i < 40; ++i) split.HandleAck(FullAck(50));
  whole.HandleAck(FullAck(2000));
  EXPECT_EQ(split.cwnd(), whole.cwnd());
}

TEST(NewRenoContractTest, AWindowThatIsNotFullDoesNotGrow) {
  NewReno reno = Fresh();
  reno.HandleAck({.octets_acknowledged = kPmdcs, .window_was_full = false, .cumulative_tsn = kExit});
  EXPECT_EQ(reno.cwnd(), kInitialCwnd);
  // Less than a packet was free: it counts as full.
  reno.HandleAck({.octets_acknowledged = kPmdcs, .window_was_full = true, .cumulative_tsn = kExit});
  EXPECT_EQ(reno.cwnd(), kInitialCwnd + kPmdcs);
}

TEST(NewRenoContractTest, ASackThatAcknowledgesNothingNewDoesNotGrowTheWindow) {
  NewReno reno = Fresh();
  for (int i = 0; i < 100; ++i) reno.HandleAck(FullAck(0));
  EXPECT_EQ(reno.cwnd(), kInitialCwnd);
}

// RFC 9260 §7.2.3.
TEST(NewRenoContractTest, ALossHalvesTheWindow) {
  NewReno reno(kPmdcs, 20 * kPmdcs, kPeerWindow);
  reno.HandleLoss(kExit);
  EXPECT_EQ(reno.ssthresh(), 10 * kPmdcs);
  EXPECT_EQ(reno.cwnd(), 10 * kPmdcs);
  EXPECT_TRUE(reno.in_fast_recovery());
}

TEST(NewRenoContractTest, ALossLeavesAtLeastFourPackets) {
  NewReno reno(kPmdcs, 5 * kPmdcs, kPeerWindow);
  reno.HandleLoss(kExit);
  EXPECT_EQ(reno.cwnd(), 4 * kPmdcs);
  EXPECT_EQ(reno.ssthresh(), 4 * kPmdcs);
}

// RFC 9260 §7.2.4 item 6.
TEST(NewRenoContractTest, FastRecoveryReducesOnce) {
  NewReno reno(kPmdcs, 20 * kPmdcs, kPeerWindow);
  reno.HandleLoss(kExit);
  reno.HandleLoss(UnwrappedTsn(6000));
  reno.HandleLoss(UnwrappedTsn(7000));
  EXPECT_EQ(reno.cwnd(), 10 * kPmdcs);
  // The exit point is still the first one.
  reno.HandleAck({.cumulative_tsn = kExit});
  EXPECT_FALSE(reno.in_fast_recovery());
}

TEST(NewRenoContractTest, FastRecoveryLastsUntilTheExitPointIsAcknowledged) {
  NewReno reno(kPmdcs, 20 * kPmdcs, kPeerWindow);
  reno.HandleLoss(kExit);
  reno.HandleAck({.octets_acknowledged = kPmdcs, .cumulative_tsn = UnwrappedTsn(4999)});
  EXPECT_TRUE(reno.in_fast_recovery());
  reno.HandleAck({.octets_acknowledged = kPmdcs, .cumulative_tsn = kExit});
  EXPECT_FALSE(reno.in_fast_recovery());
}

TEST(NewRenoContractTest, TheWindowDoesNotGrowInFastRecovery) {
  NewReno reno(kPmdcs, 20 * kPmdcs, kPeerWindow);
  reno.HandleLoss(kExit);
  for (int i = 0; i < 50; ++i) reno.HandleAck(FullAck(8 * kPmdcs));
  EXPECT_EQ(reno.cwnd(), 10 * kPmdcs);
}

TEST(NewRenoContractTest, ANewEpisodeReducesAgain) {
  NewReno reno(kPmdcs, 40 * kPmdcs, kPeerWindow);
  reno.HandleLoss(kExit);
  reno.HandleAck({.cumulative_tsn = kExit});
  reno.HandleLoss(UnwrappedTsn(6000));
  EXPECT_EQ(reno.cwnd(), 10 * kPmdcs);
}

// RFC 9260 §7.2.2.
TEST(NewRenoContractTest, CongestionAvoidanceAddsOnePacketPerWindow) {
  NewReno reno = Avoiding();
  ASSERT_EQ(reno.cwnd(), 11 * kPmdcs);
  ASSERT_EQ(reno.ssthresh(), 10 * kPmdcs);
  for (int i = 0; i < 10; ++i) reno.HandleAck(FullAck(kPmdcs));
  EXPECT_EQ(reno.cwnd(), 11 * kPmdcs);
  reno.HandleAck(FullAck(kPmdcs));
  EXPECT_EQ(reno.cwnd(), 12 * kPmdcs);
  // What exceeded the window counts for the next round.
  reno.HandleAck(FullAck(13 * kPmdcs));
  EXPECT_EQ(reno.cwnd(), 13 * kPmdcs);
  reno.HandleAck(FullAck(12 * kPmdcs));
  EXPECT_EQ(reno.cwnd(), 14 * kPmdcs);
}

// RFC 9260 §7.2.2: "MUST NOT increment cwnd by more than PMDCS per RTT".
TEST(NewRenoContractTest, CongestionAvoidanceAddsAtMostOnePacketPerSack) {
  NewReno reno = Avoiding();
  reno.HandleAck(FullAck(1000 * kPmdcs));
  EXPECT_EQ(reno.cwnd(), 12 * kPmdcs);
}

TEST(NewRenoContractTest, CongestionAvoidanceSavesNoMoreThanAWindowWhileItIsNotFull) {
  NewReno reno = Avoiding();
  for (int i = 0; i < 100; ++i) {
    reno.HandleAck({.octets_acknowledged = kPmdcs, .window_was_full = false, .cumulative_tsn = kExit});
  }
  EXPECT_EQ(reno.cwnd(), 11 * kPmdcs);
  // One full window later the window grows by one packet, and not by a hundred.
  for (int i = 0; i < 11; ++i) reno.HandleAck(FullAck(kPmdcs));
  EXPECT_EQ(reno.cwnd(), 12 * kPmdcs);
}

TEST(NewRenoContractTest, CongestionAvoidanceForgetsItsCountWhenAllIsAcknowledged) {
  NewReno reno = Avoiding();
  for (int i = 0; i < 10; ++i) reno.HandleAck(FullAck(kPmdcs));
  reno.HandleAck({.window_was_full = false, .cumulative_tsn = kExit, .all_acknowledged = true});
  for (int i = 0; i < 10; ++i) reno.HandleAck(FullAck(kPmdcs));
  EXPECT_EQ(reno.cwnd(), 11 * kPmdcs);
  reno.HandleAck(FullAck(kPmdcs));
  EXPECT_EQ(reno.cwnd(), 12 * kPmdcs);
}

// RFC 9260 §7.2.1, §7.2.3.
TEST(NewRenoContractTest, ATimeoutLeavesOnePacket) {
  NewReno reno(kPmdcs, 20 * kPmdcs, kPeerWindow);
  reno.HandleTimeout();
  EXPECT_EQ(reno.cwnd(), kPmdcs);
  EXPECT_EQ(reno.ssthresh(), 10 * kPmdcs);
}

TEST(NewRenoContractTest, TimeoutsInARowKeepTheThresholdAtItsFloor) {
  NewReno reno(kPmdcs, 20 * kPmdcs, kPeerWindow);
  for (int i = 0; i < 5; ++i) reno.HandleTimeout();
  EXPECT_EQ(reno.cwnd(), kPmdcs);
  EXPECT_EQ(reno.ssthresh(), 4 * kPmdcs);
}

TEST(NewRenoContractTest, ATimeoutEndsFastRecovery) {
  NewReno reno(kPmdcs, 20 * kPmdcs, kPeerWindow);
  reno.HandleLoss(kExit);
  reno.HandleTimeout();
  EXPECT_FALSE(reno.in_fast_recovery());
  reno.HandleAck(FullAck(kPmdcs));
  EXPECT_EQ(reno.cwnd(), 2 * kPmdcs);
}

// RFC 9260 §7.2.1: what a SACK covers after a timeout left the network long ago; L is 1 until slow start is over.
TEST(NewRenoContractTest, SlowStartAfterATimeoutOpensByOnePacketPerSack) {
  NewReno reno(kPmdcs, 8 * kPmdcs, kPeerWindow);
  reno.HandleTimeout();
  ASSERT_EQ(reno.ssthresh(), 4 * kPmdcs);
  for (const size_t expected : {2u, 3u, 4u, 5u}) {
    reno.HandleAck(FullAck(8 * kPmdcs));
    EXPECT_EQ(reno.cwnd(), expected * kPmdcs);
  }
  // Above ssthresh: congestion avoidance.
  reno.HandleAck(FullAck(kPmdcs));
  EXPECT_EQ(reno.cwnd(), 5 * kPmdcs);
}

// RFC 9260 §7.2.1.
TEST(NewRenoContractTest, AnIdleWindowHalvesOncePerRto) {
  NewReno reno(kPmdcs, 40 * kPmdcs, kPeerWindow);
  reno.HandleIdle(milliseconds(999), seconds(1));
  EXPECT_EQ(reno.cwnd(), 40 * kPmdcs);
  reno.HandleIdle(seconds(1), seconds(1));
  EXPECT_EQ(reno.cwnd(), 20 * kPmdcs);
  EXPECT_EQ(reno.ssthresh(), 40 * kPmdcs);
  reno.HandleIdle(milliseconds(2900), seconds(1));
  EXPECT_EQ(reno.cwnd(), 5 * kPmdcs);
  EXPECT_EQ(reno.ssthresh(), 20 * kPmdcs);
}

TEST(NewRenoContractTest, AnIdleWindowKeepsFourPackets) {
  NewReno reno(kPmdcs, 40 * kPmdcs, kPeerWindow);
  reno.HandleIdle(seconds(3600), milliseconds(220));
  EXPECT_EQ(reno.cwnd(), 4 * kPmdcs);
  EXPECT_EQ(reno.ssthresh(), 40 * kPmdcs);
  // It is there already: the threshold stays.
  reno.HandleIdle(seconds(3600), milliseconds(220));
  EXPECT_EQ(reno.ssthresh(), 40 * kPmdcs);
}

TEST(NewRenoContractTest, IdlingDoesNotRaiseAWindowThatATimeoutClosed) {
  NewReno reno = Fresh();
  reno.HandleTimeout();
  reno.HandleIdle(seconds(100), seconds(1));
  EXPECT_EQ(reno.cwnd(), kPmdcs);
}

TEST(NewRenoContractTest, SurvivesAnRtoOfZero) {
  NewReno reno = Fresh();
  reno.HandleIdle(seconds(1), Duration::zero());
  EXPECT_EQ(reno.cwnd(), kInitialCwnd);
}

// Whatever happens, the window is at least one packet, and one event raises it by at most L packets.
TEST(NewRenoContractTest, KeepsItsBoundsUnderRandomEvents) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Rng rng = Rng::FromNumber(seed);
    NewReno reno = Fresh();
    UnwrappedTsn cumulative(1);
    for (int step = 0; step < 3000; ++step) {
      const size_t before = reno.cwnd();
      const uint64_t event = rng.Below(100);
      if (event < 80) {
        cumulative = UnwrappedTsn(cumulative.DistanceFrom(UnwrappedTsn(0)) + static_cast<int64_t>(rng.Below(20)));
        const size_t acknowledged = rng.Below(20 * kPmdcs);
        reno.HandleAck({.octets_acknowledged = acknowledged,
                        .window_was_full = rng.Below(2) == 0,
                        .cumulative_tsn = cumulative,
                        .all_acknowledged = rng.Below(10) == 0});
        ASSERT_LE(reno.cwnd(), before + std::min(acknowledged + kPmdcs, 8 * kPmdcs));
        ASSERT_GE(reno.cwnd(), before);
      } else if (event < 90) {
        reno.HandleLoss(UnwrappedTsn(cumulative.DistanceFrom(UnwrappedTsn(0)) + 50));
        ASSERT_TRUE(reno.in_fast_recovery());
      } else if (event < 95) {
        reno.HandleTimeout();
        ASSERT_EQ(reno.cwnd(), kPmdcs);
      } else {
        reno.HandleIdle(milliseconds(rng.Below(5000)), milliseconds(500));
        ASSERT_LE(reno.cwnd(), before);
      }
      ASSERT_GE(reno.cwnd(), kPmdcs);
      ASSERT_GE(reno.ssthresh(), 4 * kPmdcs);
    }
  }
}

}  // namespace
}  // namespace jsp::sctp
