#include "bench/natlab/path_runner.h"

#include <gtest/gtest.h>

#include <string>

namespace jsp::natlab {
namespace {

class PathRunnerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto result = RunPaths({.seed = 3, .runs = 3, .octets = 2'000'000});
    ASSERT_TRUE(result) << result.error();
    paths_ = *std::move(result);
  }
  static const PathReport& Find(const std::string& name) {
    for (const auto& path : paths_) {
      if (path.path == name) return path;
    }
    ADD_FAILURE() << name;
    return paths_.front();
  }
  static std::vector<PathReport> paths_;
};
std::vector<PathReport> PathRunnerTest::paths_;

TEST_F(PathRunnerTest, RoundTripsAreThoseOfTheLinks) {
  // Two accesses of 10 ms there and back; a relay adds the server's access of 10 ms, twice each way. Every link jitters
  // by half a millisecond, a LAN behind a NAT takes 0.2 ms.
  for (const char* name : {"host", "srflx", "ice-tcp"}) {
    EXPECT_GT(Find(name).rtt_ms.p50, 38) << name;
    EXPECT_LT(Find(name).rtt_ms.p50, 43) << name;
  }
  for (const char* name : {"relay-udp", "relay-tcp", "relay-tls"}) {
    EXPECT_GT(Find(name).rtt_ms.p50, 78) << name;
    EXPECT_LT(Find(name).rtt_ms.p50, 84) << name;
  }
}

TEST_F(PathRunnerTest, EachHandshakeMoreTakesARoundTripLongerToConnect) {  // RFC 9293 §3.5, RFC 8446 §2
  EXPECT_GT(Find("relay-tls").connect_ms.p50, Find("relay-tcp").connect_ms.p50 + 30);
  EXPECT_GT(Find("relay-tcp").connect_ms.p50, Find("relay-udp").connect_ms.p50 + 30);
  EXPECT_GT(Find("relay-udp").connect_ms.p50, Find("srflx").connect_ms.p50);
}

TEST_F(PathRunnerTest, ThroughputIsBelowTheLinkAndNotFarBelow) {
  for (const auto& path : paths_) {
    EXPECT_LT(path.mbytes_per_s, 6.25) << path.path;
    EXPECT_GT(path.mbytes_per_s, 0.6) << path.path << ": a slow start of 2 MB at 40 to 80 ms takes half the time";
    EXPECT_GE(path.loaded_rtt_ms.p50, path.rtt_ms.p50) << path.path;
  }
}

TEST(PathRunnerSeedTest, AStreamThatIsFullDoesNotStopTheClock) {
  const auto paths = RunPaths({.seed = 2, .runs = 1});  // where the stream fills while a datagram is due
  EXPECT_TRUE(paths) << paths.error();
}

}  // namespace
}  // namespace jsp::natlab
