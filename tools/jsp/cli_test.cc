// Runs the program against itself over loopback: what users type, and what they get.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "tools/jsp/child_process.h"

namespace jsp::tool {
namespace {

namespace json = boost::json;

std::string Jsp() { return std::filesystem::absolute("tools/jsp/jsp"); }

std::string TemporaryFile(const std::string& name) { return testing::TempDir() + "/" + name; }

std::string MakeFile(const std::string& name, size_t size) {
  const std::string path = TemporaryFile(name);
  std::string content(size, '\0');
  for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 7 % 253);
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

std::string Content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string Sha256Of(const std::string& path) {
  const std::string content = Content(path);
  return crypto::Hex(crypto::Sha256(crypto::AsBytes(content)));
}

std::string Text(const json::value& value) { return std::string(value.as_string()); }

ChildProcess::Result RunJsp(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), Jsp());
  return ChildProcess::Run(arguments);
}

// Connects to `server` with `options`; the JSON document of standard output.
json::object Connect(const ServeProcess& server, std::vector<std::string> options, int exit_code = 0) {
  options.insert(options.begin(), {"connect", server.url(), "--json", "-"});
  const auto result = RunJsp(options);
  EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
  boost::system::error_code error;
  const auto document = json::parse(result.out, error);
  EXPECT_FALSE(error) << result.out << result.err;
  return error ? json::object() : document.as_object();
}

TEST(CliTest, ConnectEchoesMessagesAndReportsEverythingAsJson) {
  const ServeProcess server(Jsp());
  ASSERT_TRUE(server.url().starts_with("http://127.0.0.1:")) << server.url();
  const auto report = Connect(server, {"--message", "hello", "--message", "grüße"});
  EXPECT_TRUE(report.at("ok").as_bool());
  EXPECT_EQ(Text(report.at("state")), "completed");
  EXPECT_TRUE(report.at("error").is_null());
  const auto& timings = report.at("timings_ms").as_object();
  double last = 0;
  for (const char* step : {"first_check", "ice_connected", "dtls_connected", "sctp_connected", "channel_open"}) {
    const double at = timings.at(step).to_number<double>();
    EXPECT_GE(at, last) << step;
    last = at;
  }
  EXPECT_GT(timings.at("first_message").to_number<double>(), last);
  EXPECT_GE(timings.at("gathered").to_number<double>(), 0);
  const auto& local = report.at("selected_pair").at("local").as_object();
  EXPECT_EQ(Text(local.at("type")), "host");
  EXPECT_EQ(Text(local.at("protocol")), "udp");
  EXPECT_TRUE(local.at("relay_protocol").is_null());
  EXPECT_GT(local.at("port").to_number<int>(), 0);
  EXPECT_EQ(Text(report.at("selected_pair").at("remote").at("type")), "host");
  EXPECT_GT(report.at("selected_pair").at("rtt_ms").to_number<double>(), 0);
  EXPECT_EQ(report.at("job").at("messages").to_number<int>(), 2);
  EXPECT_EQ(report.at("job").at("bytes").to_number<int>(), 12);
}

TEST(CliTest, SentFilesComeBackEqualOrAreCountedBySink) {
  const ServeProcess server(Jsp());
  for (const size_t size : {size_t{0}, size_t{1}, size_t{65536}, size_t{3'000'001}}) {
    const std::string file = MakeFile("sent.bin", size);
    const std::string back = TemporaryFile("back.bin");
    const auto echoed = Connect(server, {"--send", file, "--receive", back});
    EXPECT_EQ(echoed.at("job").at("bytes").to_number<size_t>(), size);
    EXPECT_EQ(Text(echoed.at("job").at("sha256")), Sha256Of(file));
    EXPECT_EQ(Content(back), Content(file)) << size;
    const auto sunk = Connect(server, {"--send", file});
    EXPECT_EQ(sunk.at("job").at("bytes").to_number<size_t>(), size);
    EXPECT_EQ(Text(sunk.at("job").at("sha256")), Sha256Of(file));
  }
}

TEST(CliTest, BenchmarksBothDirections) {
  const ServeProcess server(Jsp());
  for (const char* direction : {"up", "down"}) {
    const auto report = Connect(server, {"--bench", "1", "--size", "16384", "--direction", direction});
    EXPECT_GT(report.at("job").at("mbytes_per_s").to_number<double>(), 0.1) << direction;
    EXPECT_GT(report.at("job").at("messages").to_number<int>(), 10) << direction;
  }
}

TEST(CliTest, ChannelOptionsReachThePeer) {
  const ServeProcess server(Jsp(), {"--negotiated", "7"});
  for (const std::vector<std::string>& options : {std::vector<std::string>{"--unordered"},
                                                  {"--max-retransmits", "0"},
                                                  {"--max-lifetime", "1000", "--unordered"},
                                                  {"--label", "echo of mine", "--protocol", "p"},
                                                  {"--negotiated", "7"}}) {
    auto arguments = options;
    arguments.insert(arguments.end(), {"--message", "x"});
    EXPECT_TRUE(Connect(server, arguments).at("ok").as_bool()) << options.front();
  }
}

TEST(CliTest, ServeStopsCleanlyAtBothSignals) {
  for (const int signal : {SIGINT, SIGTERM}) {
    ServeProcess server(Jsp());
    server.process().Signal(signal);
    EXPECT_EQ(server.process().Wait().exit_code, 0);
  }
}

TEST(CliTest, ErrorsAreOneLineThatNamesTheThing) {
  const ServeProcess server(Jsp());
  const std::string taken = server.url().substr(std::string("http://").size());
  const std::string missing = TemporaryFile("no/such/directory/file");
  const struct {
    std::vector<std::string> arguments;
    int exit_code;
    std::string says;
  } kCases[] = {
      {{}, 2, "subcommand"},
      {{"no-such-command"}, 2, "no-such-command"},
      {{"serve", "--http", "nonsense"}, 2, "--http nonsense"},
      {{"serve", "--http", "127.0.0.1:99999"}, 2, "127.0.0.1:99999"},
      {{"serve", "--http", taken}, 1, taken},
      {{"serve", "--http", "host.invalid:0"}, 1, "host.invalid"},
      {{"serve", "--http", "127.0.0.1:0", "--policy", "relay"}, 2, "--policy relay"},
      {{"connect", server.url(), "--ice-server", "turn:127.0.0.1:9", "--username", "u", "--credential", "p", "--policy",
        "relay", "--message", "x"},
       1,
       "127.0.0.1:9"},
      {{"serve", "--http", "127.0.0.1:0", "--port-range", "9-1"}, 2, "--port-range 9-1"},
      {{"serve", "--http", "127.0.0.1:0", "--interface", "nonet9"}, 2, "nonet9"},
      {{"serve", "--http", "127.0.0.1:0", "--without-prefix", "10.0.0.1/8"}, 2, "--without-prefix 10.0.0.1/8"},
      {{"connect", server.url(), "--peer-only-prefix", "10.0.0.0/8", "--timeout", "2", "--message", "x"},
       1,
       "the state is checking"},
      {{"connect"}, 2, "URL"},
      {{"connect", "ftp://127.0.0.1"}, 2, "ftp://127.0.0.1"},
      {{"connect", "http://127.0.0.1:1"}, 1, "127.0.0.1:1"},
      {{"connect", "http://host.invalid:1"}, 1, "host.invalid"},
      {{"connect", server.url() + "/nothing-here"}, 1, "404"},
      {{"connect", server.url(), "--ice-server", "stun://h"}, 2, "stun://h"},
      {{"connect", server.url(), "--ice-server", "turn:h"}, 2, "--username"},
      {{"connect", server.url(), "--max-retransmits", "1", "--max-lifetime", "1"}, 2, "--max-"},
      {{"connect", server.url(), "--send", missing}, 2, missing},
      {{"connect", server.url(), "--json", missing}, 1, missing},
      {{"connect", server.url(), "--timeout", "1", "--label", "sink", "--message", "x"}, 1, "nothing came"},
      {{"stun", "http://x"}, 2, "http://x"},
      {{"stun", "stun:host.invalid"}, 1, "host.invalid"},
      {{"stun", "stun:127.0.0.1:1", "--timeout", "2"}, 1, "127.0.0.1:1"},
      {{"natlab", "--types", "port,none"}, 2, "'none'"},
      {{"natlab", "--engine", "ns"}, 2, "--engine"},
      {{"natlab", "--quick", "--html", missing}, 1, missing},
  };
  for (const auto& c : kCases) {
    const auto result = RunJsp(c.arguments);
    const std::string name = c.arguments.empty() ? "(nothing)" : c.arguments.back();
    EXPECT_EQ(result.exit_code, c.exit_code) << name << ": " << result.err;
    EXPECT_NE(result.err.find(c.says), std::string::npos) << name << ": " << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << name << ": " << result.err;
    EXPECT_EQ(result.out, "") << name;
  }
}

TEST(CliTest, FailedConnectStillWritesItsJson) {
  const auto result = RunJsp({"connect", "http://127.0.0.1:1", "--json", "-"});
  EXPECT_EQ(result.exit_code, 1);
  const auto report = json::parse(result.out).as_object();
  EXPECT_FALSE(report.at("ok").as_bool());
  EXPECT_TRUE(report.at("selected_pair").is_null());
  EXPECT_TRUE(report.at("error").is_string());
}

TEST(CliTest, HelpListsExactlyTheCommandsThatExist) {
  const auto result = RunJsp({"--help"});
  EXPECT_EQ(result.exit_code, 0);
  for (const char* command : {"serve", "connect", "turn-server", "stun", "natlab"}) {
    EXPECT_NE(result.out.find(command), std::string::npos);
    EXPECT_EQ(RunJsp({command, "--help"}).exit_code, 0);
  }
}

TEST(CliTest, NatlabWritesTheSameJsonTwiceAndOnePage) {
  const std::string page = TemporaryFile("natlab.html");
  const std::vector<std::string> arguments{"natlab", "--types", "public,port,sym", "--seed", "7",
                                           "--json", "-",       "--html",          page};
  const auto first = RunJsp(arguments);
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(first.out, RunJsp(arguments).out);
  const auto report = json::parse(first.out).as_object();
  EXPECT_EQ(Text(report.at("engine")), "sim");
  EXPECT_EQ(report.at("seed").to_number<int>(), 7);
  EXPECT_EQ(report.at("cells").as_array().size(), 9u);
  EXPECT_EQ(report.at("mismatches").to_number<int>(), 0);
  EXPECT_NE(first.err.find("0 mismatches"), std::string::npos) << "human text goes to standard error";
  EXPECT_NE(Content(page).find("<html"), std::string::npos);
}

// But for the processor's time, which --paths asks for, and nothing else does.
TEST(CliTest, NatlabMeasuresThePathsAlikeEachTime) {
  const auto measure = [](const std::string& flag) {
    const auto result = RunJsp({"natlab", "--types", "public", "--runs", "1", flag, "--json", "-"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(result.out).as_object().at("paths").as_array();
  };
  json::array metered = measure("--paths");
  std::string names;
  for (auto& item : metered) {
    auto& path = item.as_object();
    names += Text(path.at("family")) == "ipv4" ? " " + Text(path.at("path")) : "";
    EXPECT_GT(path.at("connect_ms").at("p50").to_number<double>(), 0);
    EXPECT_GT(path.at("rtt_ms").at("p50").to_number<double>(), 0);
    EXPECT_GT(path.at("mbytes_per_s").to_number<double>(), 0);
    EXPECT_GT(path.at("cpu_ms_per_mb").to_number<double>(), 0);
    path["cpu_ms_per_mb"] = nullptr;
  }
  EXPECT_EQ(names, " host srflx prflx ice-tcp relay-udp relay-tcp relay-tls");
  const json::array full = measure("--full");
  EXPECT_EQ(full, measure("--full"));
  EXPECT_EQ(full, metered);
}

}  // namespace
}  // namespace jsp::tool
