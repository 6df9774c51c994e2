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
  static const PathReport& Find(const std::string& name, IpAddress::Family family) {
    for (const auto& path : paths_) {
      if (path.path == name && path.family == family) return path;
    }
    ADD_FAILURE() << name;
    return paths_.front();
  }
  static std::vector<PathReport> paths_;
};
std::vector<PathReport> PathRunnerTest::paths_;

constexpr IpAddress::Family kFamilies[] = {IpAddress::Family::kV4, IpAddress::Family::kV6};

TEST_F(PathRunnerTest, EachPathIsThePairThatItIsNamedFor) {  // RFC 8445 §5.1.1
  ASSERT_EQ(paths_.size(), 14u);
  for (const auto family : kFamilies) {
    EXPECT_EQ(Find("host", family).pair, "host-host");
    const std::string& between_nats = Find("srflx", family).pair;
    EXPECT_TRUE(between_nats == "srflx-srflx" || between_nats == "host-srflx") << between_nats;
    EXPECT_EQ(Find("prflx", family).pair, "prflx-srflx");
    EXPECT_TRUE(Find("ice-tcp", family).pair.ends_with("-tcp")) << Find("ice-tcp", family).pair;
    for (const char* name : {"relay-udp", "relay-tcp", "relay-tls"}) {
      EXPECT_TRUE(Find(name, family).pair.starts_with("relay-")) << name << ": " << Find(name, family).pair;
    }
  }
}

TEST_F(PathRunnerTest, RoundTripsAreThoseOfTheLinks) {
  // Two accesses of 10 ms there and back; a relay adds the server's access of 10 ms, twice each way. Every link jitters
  // by half a millisecond, a LAN behind a NAT takes 0.2 ms.
  for (const auto family : kFamilies) {
    for (const char* name : {"host", "srflx", "prflx", "ice-tcp"}) {
      EXPECT_GT(Find(name, family).rtt_ms.p50, 38) << name;
      EXPECT_LT(Find(name, family).rtt_ms.p50, 43) << name;
    }
    for (const char* name : {"relay-udp", "relay-tcp", "relay-tls"}) {
      EXPECT_GT(Find(name, family).rtt_ms.p50, 78) << name;
      EXPECT_LT(Find(name, family).rtt_ms.p50, 84) << name;
    }
  }
}

TEST_F(PathRunnerTest, EachHandshakeMoreTakesARoundTripLongerToConnect) {  // RFC 9293 §3.5, RFC 8446 §2
  for (const auto family : kFamilies) {
    const auto connect = [&](const char* name) { return Find(name, family).connect_ms.p50; };
    EXPECT_GT(connect("relay-tls"), connect("relay-tcp") + 30);
    EXPECT_GT(connect("relay-tcp"), connect("relay-udp") + 30);
    EXPECT_GT(connect("relay-udp"), connect("srflx"));
  }
}

TEST_F(PathRunnerTest, ThroughputIsBelowTheLinkAndNotFarBelow) {
  for (const auto& path : paths_) {
    EXPECT_LT(path.mbytes_per_s, 6.25) << path.path;
    EXPECT_GT(path.mbytes_per_s, 0.6) << path.path << ": a slow start of 2 MB at 40 to 80 ms takes half the time";
    EXPECT_GE(path.loaded_rtt_ms.p50, path.rtt_ms.p50) << path.path;
  }
}

std::string ToJsonOf(std::vector<PathReport> paths) {
  Report report;
  report.paths = std::move(paths);
  return ToJson(report);
}

TEST(PathRunnerSeedTest, TheSameSeedGivesTheSamePathsButForTheProcessorsTime) {
  const auto measure = [](CpuMeter cpu) {
    return RunPaths({.seed = 4, .runs = 1, .octets = 200'000, .cpu = cpu}).value_or(std::vector<PathReport>{});
  };
  auto metered = measure(CpuMeter::kOn);
  ASSERT_EQ(metered.size(), 14u);
  for (PathReport& path : metered) {
    ASSERT_TRUE(path.cpu_ms_per_mb) << path.path;
    EXPECT_GT(*path.cpu_ms_per_mb, 0) << path.path;
    EXPECT_LT(*path.cpu_ms_per_mb, 60'000) << path.path;
    path.cpu_ms_per_mb.reset();
  }
  const std::string without = ToJsonOf(measure(CpuMeter::kOff));
  EXPECT_NE(without.find("\"cpu_ms_per_mb\":null"), std::string::npos);
  EXPECT_EQ(ToJsonOf(metered), without);
}

TEST(PathRunnerSeedTest, AStreamThatIsFullDoesNotStopTheClock) {
  const auto paths = RunPaths({.seed = 2, .runs = 1});  // where the stream fills while a datagram is due
  EXPECT_TRUE(paths) << paths.error();
}

}  // namespace
}  // namespace jsp::natlab
