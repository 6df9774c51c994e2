#include "sctp/tx/pacer.h"

#include <gtest/gtest.h>
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;

Timestamp At(Duration d) { return Timestamp::FromEpoch(1s + d); }

// Sends packets of 1,200 octets whenever the pacer allows; how many until `end`.
int SendUntil(Pacer& pacer, Timestamp now, Timestamp end, uint64_t rate) {
  int sent = 0;
  while (now < end) {
    if (pacer.MaySend(now)) {
      pacer.HandleSent(now, 1200, rate);
      ++sent;
    } else {
      now = std::max(pacer.NextTimeout(), now + 1us);
    }
  }
  return sent;
}

TEST(PacerTest, HoldsItsRate) {
  // 1.2 MB/s: one packet a millisecond. What a quantum may catch up is one packet more.
  Pacer pacer;
  const int sent = SendUntil(pacer, At(0ms), At(100ms), 1'200'000);
  EXPECT_GE(sent, 99);
  EXPECT_LE(sent, 102);
}

TEST(PacerTest, KeepsARateThatNeedsLessThanAMicrosecondAPacket) {
  // 2.4 GB/s: half a microsecond a packet; rounding each down to nothing would not pace at all.
  Pacer pacer;
  const int sent = SendUntil(pacer, At(0ms), At(10ms), 2'400'000'000);
  EXPECT_GE(sent, 20000 - 10);
  EXPECT_LE(sent, 20000 + 2100);
}

TEST(PacerTest, LetsAQuantumGoTogether) {
  // 120 MB/s: 100 packets a millisecond. Waking for each would be 100,000 timers a second.
  Pacer pacer;
  Timestamp now = At(0ms);
  int wakes = 0;
  while (now < At(100ms)) {
    while (pacer.MaySend(now)) pacer.HandleSent(now, 1200, 120'000'000);
    now = pacer.NextTimeout();
    ++wakes;
  }
  EXPECT_LE(wakes, 210);
}

TEST(PacerTest, SavesNoMoreThanAQuantumWhileItIsIdle) {
  Pacer pacer;
  pacer.HandleSent(At(0ms), 1200, 12'000'000);
  int burst = 0;
  for (const Timestamp later = At(10s); pacer.MaySend(later); ++burst) pacer.HandleSent(later, 1200, 12'000'000);
  EXPECT_GE(burst, 10);
  EXPECT_LE(burst, 11);
}

// How many packets leave at once when the owner comes `late` after the pacer would have let the next one go.
int BurstAfter(Pacer& pacer, Duration late) {
  while (pacer.MaySend(At(0ms))) pacer.HandleSent(At(0ms), 1200, 12'000'000);
  int burst = 0;
  for (const Timestamp now = At(late); pacer.MaySend(now); ++burst) pacer.HandleSent(now, 1200, 12'000'000);
  return burst;
}

TEST(PacerTest, MakesUpForAnOwnerThatComesLate) {
  Pacer busy;  // ten packets a millisecond
  EXPECT_GE(BurstAfter(busy, 5ms), 49);
  Pacer stalled;
  EXPECT_LE(BurstAfter(stalled, 500ms), 101);
  Pacer asleep;
  EXPECT_LE(BurstAfter(asleep, 1h), 11);
}

TEST(PacerTest, MakesUpForNoSilenceOfTheApplication) {
  Pacer pacer;
  while (pacer.MaySend(At(0ms))) pacer.HandleSent(At(0ms), 1200, 12'000'000);
  pacer.HandleNothingToSend();
  int burst = 0;
  for (const Timestamp now = At(5ms); pacer.MaySend(now); ++burst) pacer.HandleSent(now, 1200, 12'000'000);
  EXPECT_LE(burst, 11);
}

TEST(PacerTest, WithoutARateNothingWaits) {
  Pacer pacer;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(pacer.MaySend(At(0ms)));
    pacer.HandleSent(At(0ms), 1200, 0);
  }
}

}  // namespace
}  // namespace jsp::sctp
