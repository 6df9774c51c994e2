// RFC 8899 §5: the state machine of path MTU discovery, against a path that is one number.
#include "sctp/association/path_mtu.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "base/rng.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Change = PathMtu::Change;
using State = PathMtuState;

constexpr size_t kOverhead = 65;  // IPv4, UDP, a record of AES-GCM
constexpr Duration kRoundTrip = 40ms;

PathMtu::Limits Ipv4() {
  return {.smallest = 576 - kOverhead,
          .base = 1191,
          .largest = 1500 - kOverhead,
          .overhead = kOverhead,
          .probe_timer = 1s,
          .raise_timer = 600s,
          .max_probes = 3};
}

constexpr size_t PacketIn(size_t mtu) { return (mtu - kOverhead) & ~size_t{3}; }

// Answers probes as a path of `mtu` octets of IP packet would, 40 ms after they left.
struct Path {
  explicit Path(PathMtu::Limits given, size_t path_mtu) : limits(given), mtu(path_mtu), pmtu(given.base) {
    pmtu.Start(limits);
    // RFC 8899 §5.2: the base is probed immediately.
    EXPECT_EQ(pmtu.state(), State::kBase);
    EXPECT_EQ(pmtu.due(), limits.base & ~size_t{3});
  }
  void RunFor(Duration duration) {
    const Timestamp end = now + duration;
    while (true) {
      if (pmtu.due() != 0) {
        SendProbe();
        continue;
      }
      if (pmtu.NextTimeout() > end) break;
      now = std::max(now, pmtu.NextTimeout());
      Note(pmtu.HandleTimeout(now));
    }
    now = end;
  }
  void SendProbe() {
    const size_t size = pmtu.due();
    sent.push_back(size);
    const uint64_t nonce = pmtu.nonce() ? *pmtu.nonce() : ++last_nonce;
    pmtu.HandleProbeSent(now, nonce, kRoundTrip);
    if (loss && loss(size)) return;
    if (size + kOverhead > mtu && !(size == PathMtu::kSmallProbe && mtu > 0)) return;
    now = now + 40ms;
    Note(pmtu.HandleProbeAcknowledged(now, nonce));
  }
  void Note(Change change) {
    if (change != Change::kNone) changes.push_back(change);
  }

  PathMtu::Limits limits;
  size_t mtu;
  PathMtu pmtu;
  Timestamp now = Timestamp::FromEpoch(100s);
  uint64_t last_nonce = 0;
  std::vector<size_t> sent;
  std::vector<Change> changes;
  bool (*loss)(size_t size) = nullptr;
};

TEST(PathMtuTest, FindsEthernetWithTwoProbes) {  // RFC 8899 §5.3.1
  Path path(Ipv4(), 1500);
  path.RunFor(10s);
  EXPECT_EQ(path.pmtu.state(), State::kSearchComplete);
  EXPECT_EQ(path.pmtu.size(), PacketIn(1500));
  EXPECT_EQ(path.sent, (std::vector<size_t>{1188, PacketIn(1500)}));
}

TEST(PathMtuTest, C24_FindsEveryMtuFromBaseToItsCeilingWithinTheLeastGain) {  // RFC 8899 §5.3.2
  PathMtu::Limits limits = Ipv4();
  limits.largest = 9000 - kOverhead;
  for (size_t mtu = 1280; mtu <= 9000; mtu += mtu < 1600 ? 4 : 100) {
    Path path(limits, mtu);
    path.RunFor(120s);
    ASSERT_EQ(path.pmtu.state(), State::kSearchComplete) << mtu;
    ASSERT_LE(path.pmtu.size(), PacketIn(mtu)) << mtu;
    ASSERT_GE(path.pmtu.size() + 2 * PathMtu::kLeastGain, PacketIn(mtu)) << mtu;
    ASSERT_LE(path.sent.size(), 40u) << mtu;
  }
}

TEST(PathMtuTest, FindsCommonTunnelsExactly) {
  for (const size_t mtu : {1280, 1400, 1420, 1440, 1460, 1480, 1492, 1500}) {
    Path path(Ipv4(), mtu);
    path.RunFor(60s);
    EXPECT_EQ(path.pmtu.size(), std::max<size_t>(PacketIn(mtu), 1188)) << mtu;
  }
}

TEST(PathMtuTest, KeepsTheBaseWhereNothingMorePasses) {
  Path path(Ipv4(), 1191 + kOverhead);
  path.RunFor(60s);
  EXPECT_EQ(path.pmtu.state(), State::kSearchComplete);
  EXPECT_EQ(path.pmtu.size(), 1188u);
  EXPECT_FALSE(path.pmtu.is_stalled());
}

TEST(PathMtuTest, FindsTheSmallestIpv4Path) {  // RFC 8899 §5.2, ERROR, and RFC 8899 §5.1.2 MIN_PLPMTU
  Path path(Ipv4(), 576);
  path.RunFor(3500ms);
  EXPECT_EQ(path.pmtu.state(), State::kSearching);
  EXPECT_EQ(path.pmtu.size(), PacketIn(576));
  EXPECT_FALSE(path.pmtu.is_stalled());
  path.RunFor(60s);
  path.mtu = 1280;
  path.pmtu.HandleFullPacketSent();
  path.RunFor(700s);
  EXPECT_GE(path.pmtu.size() + 2 * PathMtu::kLeastGain, PacketIn(1280));
}

TEST(PathMtuTest, P11_SaysThatThePathIsStalledWhenOnlySmallPacketsPass) {
  Path path(Ipv4(), 300);
  path.RunFor(8s);
  EXPECT_EQ(path.pmtu.state(), State::kError);
  EXPECT_TRUE(path.pmtu.is_stalled());
  EXPECT_TRUE(path.pmtu.needs_ip_fragmentation());
  EXPECT_EQ(path.changes, (std::vector{Change::kSize, Change::kStalled}));
  // It goes on trying, more and more rarely, and says once only that it stalled.
  const size_t before = path.sent.size();
  path.RunFor(600s);
  EXPECT_LE(path.sent.size() - before, 80u);
  EXPECT_EQ(path.changes.size(), 2u);
  path.mtu = 1500;
  path.RunFor(70s);
  EXPECT_EQ(path.changes[2], Change::kRecovered);
  EXPECT_FALSE(path.pmtu.is_stalled());
  EXPECT_GE(path.pmtu.size(), PacketIn(576));
}

TEST(PathMtuTest, P11_OnIpv6TheBaseIsTheSmallest) {  // RFC 8899 §5.1.2
  PathMtu::Limits limits = Ipv4();
  limits.smallest = 1191;
  Path path(limits, 1200);
  path.RunFor(5s);
  EXPECT_TRUE(path.pmtu.is_stalled());
  EXPECT_EQ(path.pmtu.size(), 1188u);
}

TEST(PathMtuTest, ADeadPathIsNoMatterOfSizes) {
  Path path(Ipv4(), 0);
  path.RunFor(300s);
  EXPECT_EQ(path.pmtu.state(), State::kError);
  EXPECT_FALSE(path.pmtu.is_stalled());
}

TEST(PathMtuTest, ToleratesTwoLostProbesOfASize) {  // RFC 8899 §5.1.2 MAX_PROBES
  static int left;
  left = 2;
  Path path(Ipv4(), 1500);
  path.loss = [](size_t size) { return size > 1188 && left-- > 0; };
  path.RunFor(10s);
  EXPECT_EQ(path.pmtu.size(), PacketIn(1500));
  EXPECT_EQ(path.sent.size(), 4u);
}

TEST(PathMtuTest, WaitsForTheProbeTimerButNeverLessThanTwoRoundTrips) {  // RFC 8899 §5.1.1, RFC 8899 §3 item 7
  PathMtu path(1191);
  path.Start(Ipv4());
  const Timestamp now = Timestamp::FromEpoch(100s);
  path.HandleProbeSent(now, 1, 300ms);
  EXPECT_EQ(path.NextTimeout(), now + 1s);
  EXPECT_EQ(path.due(), 0u);
  (void)path.HandleTimeout(now + 1s);
  path.HandleProbeSent(now + 1s, 1, 4s);
  EXPECT_EQ(path.NextTimeout(), now + 9s);
}

TEST(PathMtuTest, CountsALateAcknowledgementOfAnEarlierProbeOfThisSize) {  // RFC 8899 §3: delay and duplication
  PathMtu path(1191);
  path.Start(Ipv4());
  Timestamp now = Timestamp::FromEpoch(100s);
  path.HandleProbeSent(now, 77, kRoundTrip);
  now = now + 1s;
  (void)path.HandleTimeout(now);
  EXPECT_EQ(path.nonce(), 77u);
  (void)path.HandleProbeAcknowledged(now, 77);
  EXPECT_EQ(path.state(), State::kSearching);
  // Once only, and no other nonce: what is acknowledged twice, or forged, raises nothing.
  path.HandleProbeSent(now, 78, kRoundTrip);
  (void)path.HandleProbeAcknowledged(now, 77);
  (void)path.HandleProbeAcknowledged(now, 0);
  EXPECT_EQ(path.size(), 1188u);
}

TEST(PathMtuTest, RaisesAfterTenMinutesIfFullPacketsWereSentMeanwhile) {  // RFC 8899 §5.1.1 PMTU_RAISE_TIMER
  Path path(Ipv4(), 1400);
  path.RunFor(60s);
  const size_t idle = path.sent.size();
  path.mtu = 1500;
  path.RunFor(3600s);
  EXPECT_EQ(path.sent.size(), idle);
  path.pmtu.HandleFullPacketSent();
  path.RunFor(601s);
  EXPECT_EQ(path.sent.size(), idle + 1);
  EXPECT_EQ(path.pmtu.size(), PacketIn(1500));
}

TEST(PathMtuTest, FallsBackToTheBaseAfterThreeLargeLossesInARow) {  // RFC 8899 §4.3
  Path path(Ipv4(), 1500);
  path.RunFor(5s);
  EXPECT_EQ(path.pmtu.HandleLargeLoss(), Change::kNone);
  EXPECT_EQ(path.pmtu.HandleLargeLoss(), Change::kNone);
  path.pmtu.HandleLargeAcknowledged();
  EXPECT_EQ(path.pmtu.HandleLargeLoss(), Change::kNone);
  EXPECT_EQ(path.pmtu.HandleLargeLoss(), Change::kNone);
  EXPECT_EQ(path.pmtu.HandleLargeLoss(), Change::kSize);
  EXPECT_EQ(path.pmtu.size(), 1188u);
  EXPECT_EQ(path.pmtu.state(), State::kBase);
  path.mtu = 1400;
  path.RunFor(60s);
  EXPECT_EQ(path.pmtu.size(), PacketIn(1400));
}

TEST(PathMtuTest, C24_UsesARoutersWordAsTheNextProbeOnly) {  // RFC 8899 §4.6.2, PLPMTU < PL_PTB_SIZE < PROBED_SIZE
  Path path(Ipv4(), 1420);
  path.SendProbe();  // the base
  ASSERT_EQ(path.pmtu.due(), PacketIn(1500));
  path.pmtu.HandleProbeSent(path.now, 99, kRoundTrip);
  (void)path.pmtu.HandlePacketTooBig(path.now, 1420 - kOverhead);
  EXPECT_EQ(path.pmtu.size(), 1188u);
  EXPECT_EQ(path.pmtu.due(), PacketIn(1420));
  path.SendProbe();
  EXPECT_EQ(path.pmtu.size(), PacketIn(1420));
  // Asked once more, the router says what is known: the search is over.
  ASSERT_EQ(path.pmtu.due(), PacketIn(1500));
  path.pmtu.HandleProbeSent(path.now, 100, kRoundTrip);
  (void)path.pmtu.HandlePacketTooBig(path.now, 1420 - kOverhead);
  EXPECT_EQ(path.pmtu.state(), State::kSearchComplete);
}

TEST(PathMtuTest, C24_AForgedHintCostsASearchAndNeverGoesBelowTheBase) {  // RFC 8899 §4.6.2
  Path path(Ipv4(), 1500);
  path.RunFor(5s);
  for (const size_t forged : {0, 28, 68, 400, 600, 1000, 1187, 1188, 1300, 1434, 1436, 9000, 65535}) {
    (void)path.pmtu.HandlePacketTooBig(path.now, forged);
    EXPECT_GE(path.pmtu.size(), 1188u) << forged;
    EXPECT_NE(path.pmtu.state(), State::kError) << forged;
    path.RunFor(5s);
    EXPECT_EQ(path.pmtu.size(), PacketIn(1500)) << forged;
  }
}

TEST(PathMtuTest, AHintAboveWhatIsProbedIsIgnored) {  // RFC 8899 §4.6.2, PL_PTB_SIZE >= PROBED_SIZE
  PathMtu path(1191);
  path.Start(Ipv4());
  const Timestamp now = Timestamp::FromEpoch(100s);
  path.HandleProbeSent(now, 1, kRoundTrip);
  (void)path.HandlePacketTooBig(now, 1300);
  (void)path.HandlePacketTooBig(now, 700);  // BASE is settled by its own probes
  EXPECT_EQ(path.state(), State::kBase);
  EXPECT_EQ(path.nonce(), 1u);
}

TEST(PathMtuTest, StopsForGood) {  // RFC 8899 §5.2, DISABLED
  PathMtu path(1191);
  EXPECT_EQ(path.state(), State::kDisabled);
  EXPECT_EQ(path.size(), 1191u);
  path.Start(Ipv4());
  path.Stop();
  EXPECT_EQ(path.due(), 0u);
  EXPECT_EQ(path.NextTimeout(), Timestamp::Never());
  EXPECT_EQ(path.HandleLargeLoss(), Change::kNone);
  EXPECT_EQ(path.HandlePacketTooBig(Timestamp::FromEpoch(1s), 1200), Change::kNone);
}

TEST(PathMtuTest, AnOwnersBufferBoundsTheSearch) {
  PathMtu::Limits limits = Ipv4();
  limits.largest = 9000;
  Path path(limits, 9000);
  path.SendProbe();
  ASSERT_EQ(path.pmtu.due(), 9000u);
  path.pmtu.HandleNoRoom(path.now, 1463);
  EXPECT_EQ(path.pmtu.due(), 1460u);
  path.RunFor(5s);
  EXPECT_EQ(path.pmtu.size(), 1460u);
}

// Any order of answers, losses, hints, expiries and data: the size in use stays within its limits, what is probed is
// never beyond the ceiling, and there is always a way on: a probe, a timer, or nothing left to find.
TEST(PathMtuTest, HoldsItsLimitsUnderAnySequenceOfEvents) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng = Rng::FromNumber(seed);
    PathMtu path(1191);
    path.Start(Ipv4());
    Timestamp now = Timestamp::FromEpoch(100s);
    for (int step = 0; step < 2000; ++step) {
      switch (rng.Below(7)) {
        case 0:
          (void)path.HandlePacketTooBig(now, rng.Below(2000));
          break;
        case 1:
          (void)path.HandleLargeLoss();
          break;
        case 2:
          path.HandleLargeAcknowledged();
          path.HandleFullPacketSent();
          break;
        case 3:
          if (path.nonce()) (void)path.HandleProbeAcknowledged(now, *path.nonce());
          break;
        case 4:
          (void)path.HandleProbeAcknowledged(now, rng.Below(1000));
          break;
        default:
          if (path.due() != 0) {
            ASSERT_LE(path.due(), 1500 - kOverhead) << seed;
            path.HandleProbeSent(now, path.nonce() ? *path.nonce() : rng.Random<uint64_t>() | 1024, kRoundTrip);
          } else {
            now = std::max(now, path.NextTimeout());
            (void)path.HandleTimeout(now);
          }
      }
      ASSERT_GE(path.size(), (576 - kOverhead) & ~size_t{3}) << seed;
      ASSERT_LE(path.size(), 1500 - kOverhead) << seed;
      ASSERT_TRUE(path.due() != 0 || path.NextTimeout() != Timestamp::Never()) << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace jsp::sctp
