#include "stun/rto_cache.h"

#include <gtest/gtest.h>
namespace jsp::stun {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

Timestamp At(Duration d) { return Timestamp::FromEpoch(d); }
const IpAddress kServer = IpAddress::V4(192, 0, 2, 1);

TEST(RtoCacheTest, AnUnknownServerStartsAtTheFloor) {
  const RtoCache cache;
  EXPECT_EQ(cache.RtoFor(At(minutes(1)), kServer, milliseconds(500)), milliseconds(500));
}

TEST(RtoCacheTest,
     TheFirstSampleGivesThreeRoundTrips) {  // RFC 6298 §2.2: SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 RTTVAR
  RtoCache cache;
  cache.AddSample(At(minutes(1)), kServer, milliseconds(400));
  EXPECT_EQ(cache.RtoFor(At(minutes(1)), kServer, milliseconds(500)), milliseconds(1200));
}

TEST(RtoCacheTest, LaterSamplesAreSmoothed) {  // RFC 6298 §2.3
  RtoCache cache;
  cache.AddSample(At(minutes(1)), kServer, milliseconds(400));
  cache.AddSample(At(minutes(1)), kServer, milliseconds(800));
  // RTTVAR = 3/4 * 200 + 1/4 * 400 = 250; SRTT = 7/8 * 400 + 1/8 * 800 = 450.
  EXPECT_EQ(cache.RtoFor(At(minutes(1)), kServer, milliseconds(500)), milliseconds(450 + 4 * 250));
}

TEST(RtoCacheTest, AFastServerStaysAtTheFloor) {  // RFC 8489 §6.2.1: at least 500 ms
  RtoCache cache;
  cache.AddSample(At(minutes(1)), kServer, milliseconds(20));
  EXPECT_EQ(cache.RtoFor(At(minutes(1)), kServer, milliseconds(500)), milliseconds(500));
}

TEST(RtoCacheTest, ForgetsAfterTenIdleMinutes) {  // RFC 8489 §6.2.1
  RtoCache cache;
  cache.AddSample(At(minutes(1)), kServer, milliseconds(400));
  EXPECT_EQ(cache.RtoFor(At(minutes(11) - milliseconds(1)), kServer, milliseconds(500)), milliseconds(1200));
  EXPECT_EQ(cache.RtoFor(At(minutes(11)), kServer, milliseconds(500)), milliseconds(500));
}

TEST(RtoCacheTest, StaysBoundedAndDropsTheOneIdleForLongest) {
  RtoCache cache;
  for (uint32_t i = 0; i < 10 * RtoCache::kMaxServers; ++i) {
    cache.AddSample(At(minutes(1) + milliseconds(i)), IpAddress::V4(0x0a000000 + i), milliseconds(400));
    ASSERT_LE(cache.size(), RtoCache::kMaxServers);
  }
  const Timestamp now = At(minutes(2));
  EXPECT_EQ(cache.RtoFor(now, IpAddress::V4(0x0a000000), milliseconds(500)), milliseconds(500));
  EXPECT_EQ(cache.RtoFor(now, IpAddress::V4(0x0a000000 + 10 * RtoCache::kMaxServers - 1), milliseconds(500)),
            milliseconds(1200));
}

}  // namespace
}  // namespace jsp::stun
