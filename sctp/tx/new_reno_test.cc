#include "sctp/tx/new_reno.h"

#include <gtest/gtest.h>

#include <chrono>

#include "sctp/tx/rto_estimator.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;

constexpr size_t kMtu = 1000;

AckSample Full(size_t octets, int64_t cumulative = 1) {
  return {.octets_acknowledged = octets, .window_was_full = true, .cumulative_tsn = UnwrappedTsn(cumulative)};
}

TEST(NewRenoTest, StartsWithTheInitialWindowAndAnArbitrarilyHighThreshold) {  // RFC 9260 §7.2.1
  const NewReno cc(kMtu, 4 * kMtu, 100 * kMtu);
  EXPECT_EQ(cc.cwnd(), 4 * kMtu);
  EXPECT_EQ(cc.ssthresh(), 100 * kMtu);
  EXPECT_FALSE(cc.in_fast_recovery());
}

TEST(NewRenoTest, P37_AWindowSmallerThanTheFirstFlightDoesNotEndSlowStart) {
  NewReno cc(kMtu, 10 * kMtu, 1500);
  EXPECT_EQ(cc.ssthresh(), 10 * kMtu);
  cc.HandleAck(Full(kMtu));
  EXPECT_EQ(cc.cwnd(), 11 * kMtu);
}

TEST(NewRenoTest, GrowsInSlowStartByWhatWasAcknowledgedUpToL) {  // RFC 9260 §7.2.1
  NewReno cc(kMtu, 20 * kMtu, 1000 * kMtu);
  cc.HandleAck(Full(300));
  EXPECT_EQ(cc.cwnd(), 20 * kMtu + 300);
  cc.HandleAck(Full(2 * kMtu));
  EXPECT_EQ(cc.cwnd(), 22 * kMtu + 300);
  cc.HandleAck(Full(20 * kMtu));
  EXPECT_EQ(cc.cwnd(), 30 * kMtu + 300);
}

TEST(NewRenoTest, AMarkReducesAsALossDoes) {  // RFC 3168 §6.1.2
  NewReno cc(kMtu, 20 * kMtu, 1000 * kMtu);
  cc.HandleCongestionExperienced(UnwrappedTsn(30));
  EXPECT_EQ(cc.cwnd(), 10 * kMtu);
  EXPECT_EQ(cc.ssthresh(), 10 * kMtu);
  // Neither another mark nor an acknowledgement of the same window changes it.
  cc.HandleCongestionExperienced(UnwrappedTsn(40));
  cc.HandleAck(Full(kMtu, 29));
  EXPECT_EQ(cc.cwnd(), 10 * kMtu);
}

TEST(NewRenoTest, AMarkAfterATimeoutDoesNotWidenTheWindow) {  // RFC 3168 §6.1.2
  NewReno cc(kMtu, 20 * kMtu, 1000 * kMtu);
  cc.HandleTimeout();
  cc.HandleCongestionExperienced(UnwrappedTsn(30));
  EXPECT_EQ(cc.cwnd(), kMtu);
}

TEST(NewRenoTest, DoesNotGrowAnIdleWindow) {  // RFC 9260 §7.2.1: only if fully utilized
  NewReno cc(kMtu, 20 * kMtu, 1000 * kMtu);
  cc.HandleAck({.octets_acknowledged = kMtu, .window_was_full = false});
  EXPECT_EQ(cc.cwnd(), 20 * kMtu);
  cc.HandleAck({.octets_acknowledged = kMtu, .window_was_full = true});
  EXPECT_EQ(cc.cwnd(), 21 * kMtu);
  // Above the threshold, octets are collected up to one window at most.
  cc.HandleLoss(UnwrappedTsn(1));
  cc.HandleAck(Full(kMtu, 1));
  cc.HandleAck(Full(kMtu, 2));
  const size_t cwnd = cc.cwnd();
  for (int i = 0; i < 100; ++i) cc.HandleAck({.octets_acknowledged = kMtu, .window_was_full = false});
  EXPECT_EQ(cc.cwnd(), cwnd);
}

TEST(NewRenoTest, C5_GrowsNotFromWhatWasAcknowledgedBefore) {
  NewReno cc(kMtu, 20 * kMtu, 1000 * kMtu);
  cc.HandleAck(Full(0));
  EXPECT_EQ(cc.cwnd(), 20 * kMtu);
}

TEST(NewRenoTest, GrowsByOneChunkPerRoundTripAboveTheThreshold) {  // RFC 9260 §7.2.2
  NewReno cc(kMtu, 20 * kMtu, 1000 * kMtu);
  cc.HandleLoss(UnwrappedTsn(10));
  cc.HandleAck(Full(kMtu, 10));
  EXPECT_FALSE(cc.in_fast_recovery());
  ASSERT_EQ(cc.cwnd(), 10 * kMtu);
  cc.HandleAck(Full(kMtu, 11));  // at the threshold it is still slow start
  ASSERT_EQ(cc.cwnd(), 11 * kMtu);
  for (int i = 0; i < 10; ++i) {
    cc.HandleAck(Full(kMtu, 12 + i));
    EXPECT_EQ(cc.cwnd(), 11 * kMtu);
  }
  cc.HandleAck(Full(kMtu, 30));
  EXPECT_EQ(cc.cwnd(), 12 * kMtu);
}

TEST(NewRenoTest, ForgetsPartialOctetsWhenEverythingIsAcknowledged) {  // RFC 9260 §7.2.2
  NewReno cc(kMtu, 20 * kMtu, 1000 * kMtu);
  cc.HandleLoss(UnwrappedTsn(1));
  cc.HandleAck(Full(kMtu, 1));
  cc.HandleAck(Full(kMtu, 2));  // above the threshold now
  const size_t cwnd = cc.cwnd();
  AckSample all = Full(cwnd - 1, 3);
  all.all_acknowledged = true;
  cc.HandleAck(all);
  cc.HandleAck(Full(cwnd / 2, 4));
  EXPECT_EQ(cc.cwnd(), cwnd);
  cc.HandleAck(Full(cwnd / 2, 5));
  EXPECT_EQ(cc.cwnd(), cwnd + kMtu);
}

TEST(NewRenoTest, HalvesOncePerEpisodeAndRecoversAtTheExitPoint) {  // RFC 9260 §7.2.3, §7.2.4
  NewReno cc(kMtu, 40 * kMtu, 1000 * kMtu);
  cc.HandleLoss(UnwrappedTsn(100));
  EXPECT_EQ(cc.cwnd(), 20 * kMtu);
  EXPECT_EQ(cc.ssthresh(), 20 * kMtu);
  cc.HandleLoss(UnwrappedTsn(120));
  EXPECT_EQ(cc.cwnd(), 20 * kMtu);
  cc.HandleAck(Full(10 * kMtu, 99));
  EXPECT_TRUE(cc.in_fast_recovery());
  EXPECT_EQ(cc.cwnd(), 20 * kMtu);
  cc.HandleAck(Full(kMtu, 100));
  EXPECT_FALSE(cc.in_fast_recovery());
  cc.HandleLoss(UnwrappedTsn(200));
  EXPECT_EQ(cc.cwnd(), 10 * kMtu);
}

TEST(NewRenoTest, NeverHalvesBelowFourChunks) {  // RFC 9260 §7.2.3
  NewReno cc(kMtu, 5 * kMtu, 1000 * kMtu);
  cc.HandleLoss(UnwrappedTsn(1));
  EXPECT_EQ(cc.cwnd(), 4 * kMtu);
}

TEST(NewRenoTest, CollapsesToOneChunkOnTimeoutAndStartsSlowly) {  // RFC 9260 §7.2.3, §6.3.3 E1
  NewReno cc(kMtu, 40 * kMtu, 1000 * kMtu);
  cc.HandleTimeout();
  EXPECT_EQ(cc.cwnd(), kMtu);
  EXPECT_EQ(cc.ssthresh(), 20 * kMtu);
  // L is 1 until the threshold is reached: a SACK may cover what left the network long ago.
  cc.HandleAck(Full(8 * kMtu));
  EXPECT_EQ(cc.cwnd(), 2 * kMtu);
  cc.HandleTimeout();
  EXPECT_EQ(cc.ssthresh(), 4 * kMtu);
}

TEST(NewRenoTest, ATimeoutEndsFastRecovery) {
  NewReno cc(kMtu, 40 * kMtu, 1000 * kMtu);
  cc.HandleLoss(UnwrappedTsn(100));
  cc.HandleTimeout();
  EXPECT_FALSE(cc.in_fast_recovery());
}

TEST(NewRenoTest, DecaysOncePerRtoWhileIdleAndRemembersTheThreshold) {  // RFC 9260 §7.2.1
  NewReno cc(kMtu, 64 * kMtu, 1000 * kMtu);
  cc.HandleIdle(99ms, 100ms);
  EXPECT_EQ(cc.cwnd(), 64 * kMtu);
  cc.HandleIdle(250ms, 100ms);
  EXPECT_EQ(cc.cwnd(), 16 * kMtu);
  EXPECT_EQ(cc.ssthresh(), 64 * kMtu);
  cc.HandleIdle(24h, 100ms);
  EXPECT_EQ(cc.cwnd(), 4 * kMtu);
}

TEST(NewRenoTest, AWindowAfterATimeoutIsNotRaisedByIdling) {  // RFC 9260 §7.2.1
  NewReno cc(kMtu, 64 * kMtu, 1000 * kMtu);
  cc.HandleTimeout();
  cc.HandleIdle(10s, 100ms);
  EXPECT_EQ(cc.cwnd(), kMtu);
}

RtoEstimator::Limits Limits() { return {500ms, 220ms, 10s}; }

TEST(RtoEstimatorTest, BeginsWithRtoInitial) {  // RFC 9260 §6.3.1 C1
  const RtoEstimator rto(Limits());
  EXPECT_EQ(rto.rto(), 500ms);
  EXPECT_EQ(rto.srtt(), 0ms);
}

TEST(RtoEstimatorTest, TakesTheFirstMeasurementWhole) {  // RFC 9260 §6.3.1 C2
  RtoEstimator rto(Limits());
  rto.Measure(200ms);
  EXPECT_EQ(rto.srtt(), 200ms);
  EXPECT_EQ(rto.rto(), 600ms);  // 200 + 4 * 100
}

TEST(RtoEstimatorTest, SmoothsTheOthers) {  // RFC 9260 §6.3.1 C3
  RtoEstimator rto(Limits());
  rto.Measure(200ms);
  rto.Measure(280ms);
  // RTTVAR = 3/4 * 100 + 1/4 * 80 = 95; SRTT = 7/8 * 200 + 1/8 * 280 = 210.
  EXPECT_EQ(rto.srtt(), 210ms);
  EXPECT_EQ(rto.rto(), 590ms);
}

TEST(RtoEstimatorTest, StaysWithinItsLimits) {  // RFC 9260 §6.3.1 C6, C7
  RtoEstimator rto(Limits());
  rto.Measure(1ms);
  EXPECT_EQ(rto.rto(), 220ms);
  rto.Measure(3600s);
  EXPECT_EQ(rto.rto(), 10s);
}

TEST(RtoEstimatorTest, AConstantRoundTripKeepsTheGranularity) {  // RFC 9260 §6.3.1 G1
  RtoEstimator rto({500ms, 1us, 10s});
  for (int i = 0; i < 200; ++i) rto.Measure(10ms);
  EXPECT_EQ(rto.rto(), 10ms + 4 * 1ms);
}

TEST(RtoEstimatorTest, DoublesOnT3ExpiryUpToRtoMax) {  // RFC 9260 §6.3.3 E2
  RtoEstimator rto(Limits());
  rto.BackOff();
  EXPECT_EQ(rto.rto(), 1s);
  for (int i = 0; i < 10; ++i) rto.BackOff();
  EXPECT_EQ(rto.rto(), 10s);
  rto.Measure(300ms);
  EXPECT_EQ(rto.rto(), 900ms);
}

TEST(RtoEstimatorTest, ABackOffIsUndoneToWhatWasMeasured) {
  RtoEstimator rto(Limits());
  rto.BackOff();
  rto.UndoBackOff();
  EXPECT_EQ(rto.rto(), 500ms);
  rto.Measure(300ms);
  rto.BackOff();
  rto.UndoBackOff();
  EXPECT_EQ(rto.rto(), 900ms);
}

}  // namespace
}  // namespace jsp::sctp
