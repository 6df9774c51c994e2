// `jsp natlab` as users run it: shards and merging, the engine of a kernel, and what is left when it is stopped.
#include <gtest/gtest.h>
#include <poll.h>

#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tools/jsp/child_process.h"

namespace jsp::tool {
namespace {

namespace json = boost::json;

std::string Jsp() { return std::filesystem::absolute("tools/jsp/jsp"); }

std::string TemporaryFile(const std::string& name) { return testing::TempDir() + "/" + name; }

std::string Content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

ChildProcess::Result RunJsp(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), Jsp());
  return ChildProcess::Run(arguments);
}

// Processes with `mark` on their command line.
size_t CountProcesses(const std::string& mark) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    std::stringstream text;
    if (file && (text << file.rdbuf())) count += text.str().find(mark) != std::string::npos ? 1 : 0;
  }
  return count;
}

bool IsWithin(std::chrono::seconds limit, const auto& condition) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::poll(nullptr, 0, 20);
  }
  return true;
}

TEST(NatlabCliTest, ShardsMergeToTheReportOfOneRun) {
  const std::string whole = TemporaryFile("whole.json");
  ASSERT_EQ(RunJsp({"natlab", "--types", "port,sym,public", "--json", whole}).exit_code, 0);
  std::vector<std::string> merge{"natlab", "merge"};
  for (const char* shard : {"1/2", "2/2"}) {
    merge.push_back(TemporaryFile(std::string("shard") + shard[0] + ".json"));
    ASSERT_EQ(RunJsp({"natlab", "--types", "port,sym,public", "--shard", shard, "--json", merge.back()}).exit_code, 0);
  }
  const std::string merged = TemporaryFile("merged.json");
  merge.insert(merge.end(), {"--json", merged});
  const auto result = RunJsp(merge);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(Content(merged), Content(whole));
  const auto bad = RunJsp({"natlab", "merge", whole, whole});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_NE(bad.err.find("two reports have the cell port - port"), std::string::npos) << bad.err;
  EXPECT_EQ(RunJsp({"natlab", "--types", "port", "--shard", "3/2"}).exit_code, 2);
}

TEST(NatlabCliTest, PrintsTheRulesOfAKernelsNat) {
  const auto rules = RunJsp({"natlab", "nft", "addr", "198.18.0.2", "10.0.0.2"});
  EXPECT_EQ(rules.exit_code, 0);
  EXPECT_NE(rules.out.find("snat to 198.18.0.2"), std::string::npos);
  const auto unknown = RunJsp({"natlab", "nft", "cone", "198.18.0.2", "10.0.0.2"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_NE(unknown.err.find("sym-linux"), std::string::npos) << "the known ones are listed: " << unknown.err;
}

TEST(NatlabCliTest, AScenarioErrorNamesFileLineAndKey) {
  const std::string file = TemporaryFile("scenario.json");
  std::ofstream(file) << "{\"version\": 1,\n \"types\": [\"prot\"]}";
  const auto result = RunJsp({"natlab", "--scenario", file});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("scenario.json:2: key 'types[0]': unknown NAT type 'prot'"), std::string::npos)
      << result.err;
}

TEST(NatlabCliTest, AnUnknownTypeListsTheKnownOnes) {
  const auto result = RunJsp({"natlab", "--types", "port,cone"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(
      result.err.find("--types: unknown NAT type 'cone'; it is one of public, fw, fullcone, addr, port, port-rej, "
                      "port-rnd, adm, sym, sym-seq, sym-eif, udpblock, tcp443, nat64"),
      std::string::npos)
      << result.err;
}

TEST(NatlabCliTest, ATypeThatIsThereTwiceIsOneAndAnEmptyScenarioIsNamed) {
  const auto twice = RunJsp({"natlab", "--types", "port,port"});
  EXPECT_NE(twice.out.find("1 cells, 0 mismatches"), std::string::npos) << twice.out;
  const std::string file = TemporaryFile("empty.json");
  std::ofstream(file).close();
  EXPECT_NE(RunJsp({"natlab", "--scenario", file}).err.find("empty.json:1: incomplete JSON"), std::string::npos);
  EXPECT_NE(RunJsp({"natlab", "--scenario", testing::TempDir()}).err.find("neither a file"), std::string::npos);
}

TEST(NatlabCliTest, WhatDoesNotFitTogetherIsRefused) {
  const auto result = RunJsp({"natlab", "--types", "nat64", "--families", "ipv4,ipv6"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("--families: nat64 is a way from IPv6 to IPv4"), std::string::npos) << result.err;
  const auto kernel = RunJsp({"natlab", "--engine", "netns", "--types", "port", "--prediction"});
  EXPECT_EQ(kernel.exit_code, 1);
  EXPECT_NE(kernel.err.find("--prediction takes two"), std::string::npos) << kernel.err;
}

TEST(NatlabCliTest, WithoutPermissionForNamespacesItSaysSoAndOffersTheSimulation) {
  const std::string forbid = "echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set -all ";
  const std::vector<std::string> around = {"unshare", "-Ur", "sh", "-c"};
  const auto run = [&](const std::string& command) {
    auto arguments = around;
    arguments.push_back(forbid + command);
    return ChildProcess::Run(arguments);
  };
  if (run("true").exit_code != 0) {
    std::printf("JSP-SKIPPED: user namespaces cannot be made, and so not be forbidden\n");
    GTEST_SKIP() << "JSP-SKIPPED: user namespaces cannot be made, and so not be forbidden";
  }
  const auto result = run(Jsp() + " natlab --engine netns --types public");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err,
            "error: --engine netns: not permitted: namespaces: this user may have none (user.max_user_namespaces); "
            "--engine sim needs no permission\n");
  EXPECT_EQ(run(Jsp() + " natlab --engine sim --types public").exit_code, 0);
  const auto quick = run(Jsp() + " natlab --quick");
  EXPECT_EQ(quick.exit_code, 0) << quick.err;
  EXPECT_NE(quick.out.find("With a kernel's NATs: not run, not permitted"), std::string::npos) << quick.out;
}

TEST(NatlabCliTest, ForeignPeersNeedRealSockets) {
  EXPECT_EQ(RunJsp({"natlab", "--types", "port", "--peer-a", "true"}).exit_code, 2);
}

class StoppedNatlabTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto result = RunJsp({"natlab", "--engine", "netns", "--types", "public"});
    if (result.exit_code == 0) return;
    EXPECT_NE(result.err.find("--engine sim needs no permission"), std::string::npos) << result.err;
    std::printf("JSP-SKIPPED: %s", result.err.c_str());
    GTEST_SKIP() << "JSP-SKIPPED: " << result.err;
  }
  // A matrix whose second cell never ends: peer b of it waits for the end of its input.
  std::vector<std::string> HangingMatrix() const {
    const std::string answer =
        "if mkdir " + first_ + " 2>/dev/null; then exec " + Jsp() + " peer; fi; mkdir " + first_ + ".hangs; cat";
    return {Jsp(),    "natlab", "--engine", "netns", "--types",  "public,port",
            "--jobs", "1",      "--json",   json_,   "--peer-b", "sh -c '" + answer + "'"};
  }
  bool Hangs() const { return std::filesystem::exists(first_ + ".hangs"); }

  const std::string mark_ =
      "natlab-mark-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
  const std::string first_ = TemporaryFile(mark_);
  const std::string json_ = TemporaryFile(mark_ + ".json");
};

TEST_F(StoppedNatlabTest, AnInterruptWritesWhatIsDoneAndLeavesNothing) {
  ChildProcess natlab(HangingMatrix());
  ASSERT_TRUE(IsWithin(std::chrono::seconds(60), [&] { return Hangs(); }));
  natlab.Signal(SIGINT);
  const auto result = natlab.Wait();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.err.find("interrupted after 1 cells"), std::string::npos) << result.err;
  const auto report = json::parse(Content(json_)).as_object();
  EXPECT_TRUE(report.at("interrupted").as_bool());
  EXPECT_EQ(report.at("cells").as_array().size(), 1u);
  EXPECT_TRUE(IsWithin(std::chrono::seconds(20), [&] { return CountProcesses(mark_) == 0; }));
}

// One crash is one failed cell with what it said, and the report has the others.
TEST_F(StoppedNatlabTest, APeerThatCrashesIsAFailedCellAndTheRunGoesOn) {
  const std::string peer =
      "sh -c 'if mkdir " + first_ + " 2>/dev/null; then echo it hurts >&2; kill -SEGV $$; fi; exec " + Jsp() + " peer'";
  const auto result =
      RunJsp({"natlab", "--engine", "netns", "--types", "public,fw", "--jobs", "1", "--json", json_, "--peer-b", peer});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.err.find("1 run did not end as their NAT types demand"), std::string::npos) << result.err;
  const auto cells = json::parse(Content(json_)).as_object().at("cells").as_array();
  ASSERT_EQ(cells.size(), 4u);
  EXPECT_NE(std::string(cells[0].at("why").as_string()).find("peer b: it died of signal 11; it said: it hurts"),
            std::string::npos)
      << cells[0].at("why");
  for (size_t i = 1; i < cells.size(); ++i) EXPECT_EQ(cells[i].at("mismatches").as_int64(), 0) << cells[i];
}

TEST_F(StoppedNatlabTest, QuickTriesAKernelsNatsToo) {
  const auto result = RunJsp({"natlab", "--quick", "--json", json_});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("9 of 9 cells end as in the simulation"), std::string::npos) << result.out;
  const auto report = json::parse(Content(json_)).as_object();
  EXPECT_EQ(report.at("cells").as_array().size(), 49u);
  EXPECT_EQ(report.at("runs").as_int64(), 20);
  const auto& times = report.at("cells").as_array()[0].at("time_to_first_message_ms");
  EXPECT_LT(times.at("p50").as_double(), times.at("max").as_double()) << "usual links have jitter";
  EXPECT_EQ(report.at("kernel").at("cells").as_array().size(), 9u);
}

TEST_F(StoppedNatlabTest, NothingOutlivesAKill) {
  ChildProcess natlab(HangingMatrix());
  ASSERT_TRUE(IsWithin(std::chrono::seconds(60), [&] { return Hangs(); }));
  natlab.Signal(SIGKILL);
  EXPECT_EQ(natlab.Wait().exit_code, -1);
  EXPECT_TRUE(IsWithin(std::chrono::seconds(20), [&] { return CountProcesses(mark_) == 0; }));
}

}  // namespace
}  // namespace jsp::tool
