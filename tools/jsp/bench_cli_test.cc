// `jsp bench turn` and `jsp bench stun` against `jsp turn-server` over loopback, and `jsp bench datachannel`.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "tools/jsp/child_process.h"

namespace jsp::tool {
namespace {

namespace json = boost::json;

std::string Jsp() { return std::filesystem::absolute("tools/jsp/jsp"); }

// A server on a free port whose peers may be on loopback.
class BenchedServer {
 public:
  explicit BenchedServer(std::vector<std::string> options = {"--allow-peer", "127.0.0.0/8"})
      : process_(Arguments(std::move(options))) {
    const std::string line = process_.ReadLine();
    const std::string prefix = "listening on udp://";
    EXPECT_TRUE(line.starts_with(prefix)) << line;
    address_ = line.substr(std::min(line.size(), prefix.size()));
  }
  ChildProcess::Result Bench(const std::string& what, std::vector<std::string> options) const {
    options.insert(options.begin(), {Jsp(), "bench", what, (what == "turn" ? "turn:" : "stun:") + address_});
    return ChildProcess::Run(options);
  }

 private:
  static std::vector<std::string> Arguments(std::vector<std::string> options) {
    options.insert(options.begin(), {Jsp(), "turn-server", "--listen", "udp://127.0.0.1:0", "--user", "u:p"});
    return options;
  }

  ChildProcess process_;
  std::string address_;
};

double Number(const json::object& document, const char* name) { return document.at(name).to_number<double>(); }

TEST(BenchCliTest, RelaysInBothDirectionsAndReportsJson) {
  const BenchedServer server;
  for (const char* direction : {"up", "down"}) {
    const auto result =
        server.Bench("turn", {"--username", "u", "--credential", "p", "--direction", direction, "--size", "200",
                              "--allocations", "5", "--seconds", "0.2", "--rate-seconds", "0.1", "--json", "-"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto document = json::parse(result.out).as_object();
    EXPECT_GT(Number(document, "relayed_per_s"), 100) << result.out;
    EXPECT_NEAR(Number(document, "bytes_per_s"), Number(document, "relayed_per_s") * 200, 1);
    EXPECT_GT(Number(document, "allocations_per_s"), 10);
    EXPECT_LE(Number(document, "lost"), Number(document, "sent") / 2) << result.out;
    EXPECT_GE(Number(document.at("added_delay_us").as_object(), "p99"),
              Number(document.at("added_delay_us").as_object(), "p50"));
    EXPECT_EQ(Number(document, "size"), 200);
    EXPECT_EQ(Number(document, "allocations"), 5);
    EXPECT_NE(result.err.find("relayed packets/s"), std::string::npos) << "human text goes to standard error";
  }
}

TEST(BenchCliTest, CountsBindingRequestsAndTheirRoundTrip) {
  const BenchedServer server;
  const auto result = server.Bench("stun", {"--seconds", "0.2", "--json", "-"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto document = json::parse(result.out).as_object();
  EXPECT_GT(Number(document, "requests_per_s"), 100) << result.out;
  const auto& rtt = document.at("rtt_us").as_object();
  EXPECT_GT(Number(rtt, "p50"), 0);
  EXPECT_GE(Number(rtt, "p99"), Number(rtt, "p50"));
}

TEST(BenchCliTest, HoldsAllocationsForSomebodyWhoLooksAtTheServer) {
  const BenchedServer server;
  const auto result =
      server.Bench("turn", {"--username", "u", "--credential", "p", "--allocations", "300", "--hold", "0.01"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "holding 300 allocations\n");
}

TEST(BenchCliTest, MeasuresDataChannelsBetweenTwoProcesses) {
  const auto result =
      ChildProcess::Run({Jsp(), "bench", "datachannel", "--size", "1000", "--seconds", "0.3", "--connections", "3",
                         "--setups", "5", "--storm", "0.3", "--ping", "0.3", "--busy-poll", "50", "--json", "-"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto document = json::parse(result.out).as_object();
  EXPECT_GT(Number(document, "mbytes_per_s"), 0.1) << result.out;
  EXPECT_NEAR(Number(document, "messages_per_s") * 1000 / 1e6, Number(document, "mbytes_per_s"), 0.01);
  EXPECT_EQ(Number(document, "size"), 1000);
  EXPECT_EQ(Number(document, "connections"), 3);
  EXPECT_EQ(Number(document, "busy_poll_us"), 50);
  EXPECT_EQ(Number(document, "loops"), 1);
  EXPECT_GT(Number(document, "jain"), 1.0 / 3);
  EXPECT_LE(Number(document, "jain"), 1.0001);
  EXPECT_GT(Number(document, "syscalls_per_mb"), 0);
  EXPECT_GE(Number(document, "allocations_per_message"), 0);
  const auto& cpu = document.at("cpu_s_per_gb").as_object();
  EXPECT_GT(Number(cpu, "sender"), 0);
  EXPECT_NEAR(Number(cpu, "sender") + Number(cpu, "receiver"), Number(cpu, "both"), 1e-6);
  for (const char* spread : {"connect_ms", "ping_us"}) {
    EXPECT_GT(Number(document.at(spread).as_object(), "p50"), 0) << spread;
    EXPECT_GE(Number(document.at(spread).as_object(), "p99"), Number(document.at(spread).as_object(), "p50"));
  }
  EXPECT_GT(Number(document, "setups_per_s"), 1);
  EXPECT_TRUE(document.at("idle").is_null());
  EXPECT_NE(result.err.find("system calls per MB"), std::string::npos) << "human text goes to standard error";
}

// Each peer is on the loop to which the system gives its datagrams (docs/asio.md#several-loops).
TEST(BenchCliTest, MeasuresSeveralLoopsOfEachProcess) {
  const std::vector<std::string> loops = {Jsp(), "bench", "datachannel", "--loops", "3", "--json", "-"};
  auto bulk = loops;
  bulk.insert(bulk.end(), {"--size", "1000", "--seconds", "0.3", "--connections", "8", "--setups", "3", "--storm", "1",
                           "--ping", "0.1"});
  const auto result = ChildProcess::Run(bulk);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto document = json::parse(result.out).as_object();
  EXPECT_EQ(Number(document, "loops"), 3);
  EXPECT_GT(Number(document, "mbytes_per_s"), 0.1) << result.out;
  EXPECT_GT(Number(document, "jain"), 1.0 / 8);
  EXPECT_GT(Number(document, "syscalls_per_mb"), 0);
  EXPECT_GT(Number(document, "setups_per_s"), 1);
  EXPECT_EQ(Number(document, "handed_over"), 0);
  auto idle = loops;
  idle.insert(idle.end(), {"--idle", "--connections", "40", "--settle", "0.1", "--seconds", "0.2"});
  const auto rest = ChildProcess::Run(idle);
  ASSERT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_EQ(Number(json::parse(rest.out).at("idle").as_object(), "connections"), 40);
  EXPECT_EQ(ChildProcess::Run({Jsp(), "bench", "datachannel", "--loops", "65"}).exit_code, 2);
}

TEST(BenchCliTest, MeasuresWhatIdleConnectionsHold) {
  const auto result = ChildProcess::Run({Jsp(), "bench", "datachannel", "--idle", "--connections", "40", "--settle",
                                         "0.1", "--seconds", "0.2", "--json", "-"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto document = json::parse(result.out).as_object();
  const auto& idle = document.at("idle").as_object();
  EXPECT_EQ(Number(idle, "connections"), 40);
  EXPECT_GT(Number(idle, "heap_bytes_per_connection"), 1000);
  EXPECT_GE(Number(idle, "cpu_share"), 0);
  EXPECT_TRUE(document.at("connect_ms").is_null());
}

TEST(BenchCliTest, ErrorsAreOneLineThatNamesTheRemedy) {
  const BenchedServer server(std::vector<std::string>{});
  const struct {
    const char* what;
    std::vector<std::string> options;
    int exit_code;
    std::string says;
  } kCases[] = {
      {"turn", {"--username", "u", "--credential", "wrong", "--rate-seconds", "0"}, 1, "error 401"},
      {"turn", {"--username", "u", "--credential", "p", "--rate-seconds", "0"}, 1, "--allow-peer"},
      {"turn", {"--username", "u"}, 2, "--credential"},
      {"turn", {"--username", "u", "--credential", "p", "--burst", "9", "--window", "8"}, 2, "--burst"},
      {"stun", {"--burst", "9", "--window", "8"}, 2, "--burst"},
      {"stun", {"--json", "/no/such/directory/x"}, 1, "/no/such/directory/x"},
  };
  for (const auto& c : kCases) {
    const auto result = server.Bench(c.what, c.options);
    EXPECT_EQ(result.exit_code, c.exit_code) << c.says << ": " << result.err;
    EXPECT_NE(result.err.find(c.says), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
  EXPECT_EQ(
      ChildProcess::Run({Jsp(), "bench", "turn", "turns:127.0.0.1", "--username", "u", "--credential", "p"}).exit_code,
      2);
}

}  // namespace
}  // namespace jsp::tool
