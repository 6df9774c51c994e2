#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "bench/natlab/kernel_lab.h"
#include "bench/natlab/kernel_nat.h"
#include "bench/natlab/matrix_processes.h"
#include "bench/natlab/netns_runner.h"
#include "bench/natlab/path_netns.h"

namespace jsp::natlab {
namespace {

using netsim::NatType;
using netsim::Site;

std::string Jsp() { return std::filesystem::absolute("tools/jsp/jsp"); }

class NetnsTest : public testing::Test {
 protected:
  void SetUp() override {
    const IpAddress::Family families[] = {IpAddress::Family::kV4};
    const auto able = CheckNetns({}, families);
    if (able) return;
    std::printf("JSP-SKIPPED: %s\n", able.error().c_str());
    GTEST_SKIP() << "JSP-SKIPPED: " << able.error();
  }
  Engine engine() const {
    const auto run = [](const void* context, const CellOptions& cell) {
      return RunCellInNamespaces(*static_cast<const NetnsOptions*>(context), cell);
    };
    return {"netns", run, &netns_};
  }
  // Each cell by both engines; both have to come to the same, and to what the oracle says. The kernel's cells.
  std::vector<CellReport> ExpectAgreement(MatrixOptions options) {
    const Report simulated = RunMatrixInProcesses(options, {.jobs = 2});
    options.engine = engine();
    const Report real = RunMatrixInProcesses(options, {.jobs = 3});
    EXPECT_EQ(real.cells.size(), simulated.cells.size());
    for (size_t i = 0; i < std::min(real.cells.size(), simulated.cells.size()); ++i) {
      const CellReport& cell = real.cells[i];
      const std::string name = std::string(ToString(cell.a)) + " - " + std::string(ToString(cell.b)) + " over " +
                               FamilyName(cell.family) + ": " + cell.why;
      EXPECT_EQ(cell.mismatches, 0u) << name;
      EXPECT_EQ(simulated.cells[i].mismatches, 0u) << name;
      EXPECT_EQ(cell.direct, simulated.cells[i].direct) << name;
      EXPECT_EQ(cell.relayed, simulated.cells[i].relayed) << name;
      EXPECT_EQ(cell.samples.recovery_ms.size(), simulated.cells[i].samples.recovery_ms.size()) << name;
    }
    return real.cells;
  }

  NetnsOptions netns_{.peer_a = {Jsp(), "peer"}, .peer_b = {Jsp(), "peer"}, .turn_server = {Jsp(), "turn-server"}};
};

TEST_F(NetnsTest, TheCoreGridIsAsInTheSimulation) {
  MatrixOptions options;
  options.types = {NatType::kPublic, NatType::kFirewall,  NatType::kFullCone,     NatType::kAddress,
                   NatType::kPort,   NatType::kSymmetric, NatType::kSymmetricOpen};
  ExpectAgreement(options);
}

TEST_F(NetnsTest, TheOtherTypesAreAsInTheSimulation) {
  MatrixOptions options;
  options.types = {NatType::kPortReject, NatType::kPortRandom, NatType::kAddressMapping, NatType::kSymmetricSequential,
                   NatType::kUdpBlocked};
  options.shard = {0, 2};
  ExpectAgreement(options);
}

TEST_F(NetnsTest, WhereOnlyPort443IsOpenTheRelayIsReachedOverTlsAsInTheSimulation) {  // RFC 8656 §3.1
  MatrixOptions options;
  options.types = {NatType::kTcp443, NatType::kUdpBlocked, NatType::kPublic};
  for (const CellReport& cell : ExpectAgreement(options)) {
    if (cell.a != NatType::kTcp443) continue;
    EXPECT_EQ(cell.relay_protocols, (std::map<std::string, size_t>{{"tls", 1}})) << ToString(cell.b);
  }
  options.types = {NatType::kTcp443, NatType::kPublic};
  options.network.joint.ice_tcp = true;
  ExpectAgreement(options);
}

TEST_F(NetnsTest, OverIpV6ItIsAsInTheSimulation) {
  MatrixOptions options;
  options.types = {NatType::kFirewall, NatType::kFullCone, NatType::kSymmetric};
  options.families = {IpAddress::Family::kV6};
  ExpectAgreement(options);
}

TEST_F(NetnsTest, BehindANat64ItIsAsInTheSimulation) {  // RFC 6146 §3.5
  MatrixOptions options;
  options.types = {NatType::kNat64, NatType::kPublic, NatType::kPort, NatType::kSymmetric, NatType::kUdpBlocked};
  ExpectAgreement(options);
  options.types = {NatType::kNat64};
  options.network.joint.site = Site::kSameLan;
  ExpectAgreement(options);
}

TEST_F(NetnsTest, ANat64IsLimitedTimedAndRenumberedAsInTheSimulation) {
  MatrixOptions options;
  options.types = {NatType::kNat64, NatType::kAddress};
  options.network.joint.ports.quota = 1;
  ExpectAgreement(options);
  options.types = {NatType::kNat64, NatType::kPublic};
  options.network.joint.ports = {};
  options.network.events = {
      {std::chrono::seconds(1), NetworkEvent::What::kRenumber, NetworkEvent::Where::kNatA, std::chrono::seconds(1)}};
  ExpectAgreement(options);
}

TEST_F(NetnsTest, TheResolverBehindANat64TellsItsPrefixAndNoOther) {  // RFC 7050 §2.2
  const std::vector<std::string> asks = {"/bin/sh", "-c", "getent ahostsv6 ipv4only.arpa >&2; exit 3"};
  netns_.peer_a = asks;
  const std::string told = RunCellInNamespaces(netns_, {.a = NatType::kNat64, .b = NatType::kPublic}).why;
  EXPECT_NE(told.find("64:ff9b::c000:aa "), std::string::npos) << told;
  EXPECT_NE(told.find("64:ff9b::c000:ab "), std::string::npos) << told;
  const std::string elsewhere = RunCellInNamespaces(netns_, {.a = NatType::kPort, .b = NatType::kNat64}).why;
  EXPECT_EQ(elsewhere, "peer a: it ended with exit code 3");
}

TEST_F(NetnsTest, CarriersAndSitesAreAsInTheSimulation) {  // RFC 6888 §3, RFC 4787 §6
  MatrixOptions options;
  options.types = {NatType::kPublic, NatType::kPort};
  options.network.joint = {Site::kApart, NatType::kSymmetric, false};
  ExpectAgreement(options);
  options.network.joint = {Site::kSameCarrier, NatType::kFullCone, true};
  ExpectAgreement(options);
  options.types = {NatType::kUdpBlocked};
  options.network.joint = {Site::kSameLan, std::nullopt, false};
  ExpectAgreement(options);
}

TEST_F(NetnsTest, WithIceTcpItIsAsInTheSimulation) {  // RFC 6544 §1
  MatrixOptions options;
  options.types = {NatType::kPublic, NatType::kUdpBlocked};
  options.network.joint.ice_tcp = true;
  for (const CellReport& cell : ExpectAgreement(options)) {
    const bool is_blocked = cell.a != cell.b;
    for (const auto& [pair, count] : cell.pair_types) EXPECT_EQ(pair.ends_with("-tcp"), is_blocked) << pair;
  }
}

TEST_F(NetnsTest, FewPortsEndAsInTheSimulation) {  // RFC 6888 §3 REQ-4
  MatrixOptions options;
  options.types = {NatType::kPublic, NatType::kAddress, NatType::kSymmetric};
  options.network.joint.ports.quota = 3;
  ExpectAgreement(options);
  options.types = {NatType::kPort, NatType::kSymmetric};
  options.network.joint.ports = {.pool = 2};
  ExpectAgreement(options);
  options.network.joint.ports = {.overload = true};
  ExpectAgreement(options);
  options.families = {IpAddress::Family::kV6};
  options.network.joint.ports = {.pool = 1};
  ExpectAgreement(options);
}

TEST_F(NetnsTest, AfterARenumberingItIsBackAsInTheSimulation) {
  MatrixOptions options;
  options.types = {NatType::kPort, NatType::kUdpBlocked};
  options.network.events = {
      {std::chrono::seconds(1), NetworkEvent::What::kRenumber, NetworkEvent::Where::kNatA, std::chrono::seconds(1)}};
  for (const CellReport& cell : ExpectAgreement(options)) {
    ASSERT_EQ(cell.samples.recovery_ms.size(), 1u);
    EXPECT_GT(cell.samples.recovery_ms[0], 1000) << "nothing passes while it is down";
  }
}

TEST_F(NetnsTest, AfterARebootOfACarrierItIsBackAsInTheSimulation) {  // RFC 6888 §3
  MatrixOptions options;
  options.types = {NatType::kAddress};
  options.families = {IpAddress::Family::kV4, IpAddress::Family::kV6};
  options.network.joint.carrier = NatType::kPortRandom;
  options.network.events = {{std::chrono::seconds(1), NetworkEvent::What::kReboot, NetworkEvent::Where::kCarrierB, {}}};
  ExpectAgreement(options);
}

TEST_F(NetnsTest, LinksDelayAndLose) {
  CellOptions options{.a = NatType::kPort, .b = NatType::kPort, .relay = RelayService::kNone};
  const RunResult quick = RunCellInNamespaces(netns_, options);
  ASSERT_EQ(quick.outcome, Outcome::kDirect) << quick.why;
  netsim::LinkOptions slow;
  slow.delay = std::chrono::milliseconds(100);
  options.network.a_access = slow;
  const RunResult slowed = RunCellInNamespaces(netns_, options);
  ASSERT_EQ(slowed.outcome, Outcome::kDirect) << slowed.why;
  // A round trip each for STUN, a check, and at least two flights there and back of DTLS and of SCTP.
  EXPECT_GT(*slowed.to_first_message, std::chrono::milliseconds(900));
  slow.loss = netsim::UniformLoss{1};
  options.network.a_access = slow;
  netns_.deadline = std::chrono::seconds(3);
  EXPECT_EQ(RunCellInNamespaces(netns_, options).outcome, Outcome::kNone);
}

// Over links like those of the simulation, so that a relayed pair is there before the direct one.
TEST_F(NetnsTest, ThePathThatLeavesARelayIsTimedAsInTheSimulation) {
  MatrixOptions options;
  options.types = {NatType::kAddress, NatType::kSymmetric};
  options.runs = 3;
  options.network.a_access = options.network.b_access = options.network.server_access = netsim::LinkOptions{};
  for (const CellReport& cell : ExpectAgreement(options)) {
    if (cell.a != NatType::kAddress || cell.b != NatType::kSymmetric) continue;
    ASSERT_FALSE(cell.samples.upgrades_ms.empty());
    // Gathering takes an allocation's three round trips of 40 ms, signalling 50 ms, and checks begin then.
    EXPECT_GT(cell.samples.upgrades_ms.front(), 200);
  }
}

// What is measured depends on the machine, but no machine is faster than the links.
TEST_F(NetnsTest, PathsAreMeasuredWithRealSocketsToo) {
  const auto paths = RunPathsInNamespaces(netns_, {.octets = 400'000, .cpu = CpuMeter::kOn});
  ASSERT_TRUE(paths) << paths.error();
  ASSERT_EQ(paths->size(), 14u) << "seven over both families";
  for (const PathReport& path : *paths) {
    const std::string name = path.path + " over " + FamilyName(path.family);
    const bool is_relayed = path.path.starts_with("relay");
    EXPECT_EQ(path.pair.find("relay") != std::string::npos, is_relayed) << name << ": " << path.pair;
    EXPECT_EQ(path.pair.ends_with("-tcp"), path.path == "ice-tcp") << name << ": " << path.pair;
    EXPECT_GT(path.rtt_ms.p50, is_relayed ? 76 : 36) << name;
    EXPECT_GT(path.loaded_rtt_ms.count, 0u) << name;
    EXPECT_GT(path.connect_ms.p50, 100) << name;
    EXPECT_GT(path.mbytes_per_s, 0) << name;
    EXPECT_LT(path.mbytes_per_s, 6.25) << name;
    ASSERT_TRUE(path.cpu_ms_per_mb) << name;
    EXPECT_GT(*path.cpu_ms_per_mb, 0) << name;
  }
}

// RFC 8656 §3.1: the certificate is the lab's own, and a peer that trusts another authority has no relay.
TEST_F(NetnsTest, ARelayOverTlsIsOnlyForThoseWhoTrustIt) {
  CellOptions options;
  options.probe = PathProbe{.only_relay = turn::ControlTransport::kTls, .pings = 1, .octets = 1000};
  const RunResult trusted = RunCellInNamespaces(netns_, options);
  EXPECT_EQ(trusted.outcome, Outcome::kRelay) << trusted.why;
  EXPECT_EQ(trusted.relay_protocol, "tls");
  // What it is told is left out of what it hears.
  netns_.peer_a = {"/bin/sh", "-c", "sed -u 's/,\"ca\":\"[^\"]*\"//' | " + Jsp() + " peer"};
  netns_.deadline = std::chrono::seconds(10);
  EXPECT_EQ(RunCellInNamespaces(netns_, options).outcome, Outcome::kNone);
}

TEST_F(NetnsTest, ACrashedPeerIsAFailedRunWithWhatItSaid) {
  netns_.peer_b = {"/bin/sh", "-c", "echo it hurts >&2; kill -SEGV $$"};
  const RunResult result = RunCellInNamespaces(netns_, {});
  EXPECT_EQ(result.outcome, Outcome::kNone);
  EXPECT_EQ(result.why, "peer b: it died of signal 11; it said: it hurts");
  netns_.peer_b = {"/bin/sh", "-c", "echo nonsense; cat >/dev/null"};
  EXPECT_EQ(RunCellInNamespaces(netns_, {}).why, "peer b: it wrote what is no JSON object: nonsense");
  netns_.peer_b = {"/nowhere/peer"};
  EXPECT_EQ(RunCellInNamespaces(netns_, {}).why,
            "peer b: it ended with exit code 127; it said: cannot run /nowhere/peer: No such file or directory");
}

TEST_F(NetnsTest, WhatAPeerSaysCanBeAnythingAndIsQuotedAllTheSame) {
  netns_.peer_b = {"/bin/sh", "-c", R"(printf 'a\033[31m\377\n')"};
  EXPECT_EQ(RunCellInNamespaces(netns_, {}).why, "peer b: it wrote what is no JSON object: a?[31m?");
  netns_.peer_b = {"/bin/sh", "-c", R"(printf 'one\ntwo \303\274\n' >&2; exit 3)"};
  EXPECT_EQ(RunCellInNamespaces(netns_, {}).why, "peer b: it ended with exit code 3; it said: one | two ü");
}

TEST_F(NetnsTest, APeerThatFloodsItsOutputsIsAFailedRun) {
  netns_.deadline = std::chrono::seconds(20);
  netns_.peer_b = {"/bin/cat", "/dev/zero"};
  EXPECT_EQ(RunCellInNamespaces(netns_, {}).why, "peer b: it wrote a line that does not end");
  netns_.peer_b = {"/bin/sh", "-c", "cat /dev/zero >&2"};
  netns_.deadline = std::chrono::seconds(3);
  const std::string why = RunCellInNamespaces(netns_, {}).why;
  EXPECT_NE(why.find("it took longer than its deadline"), std::string::npos) << why.substr(0, 200);
}

TEST_F(NetnsTest, APeerThatHangsIsCutAtTheDeadline) {
  netns_.peer_b = {"/bin/sh", "-c", "cat >/dev/null"};
  netns_.deadline = std::chrono::seconds(2);
  const auto start = std::chrono::steady_clock::now();
  const RunResult result = RunCellInNamespaces(netns_, {});
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  EXPECT_EQ(result.why, "it took longer than its deadline: peer b has no answer");
}

TEST_F(NetnsTest, TsharkReadsWhatBothHostsSaw) {
  if (std::system("tshark -v >/dev/null 2>&1") != 0) {
    std::printf("JSP-SKIPPED: tshark is not installed\n");
    GTEST_SKIP() << "JSP-SKIPPED: tshark is not installed";
  }
  const std::string prefix = testing::TempDir() + "/real";
  const RunResult result =
      RunCellInNamespaces(netns_, {.a = NatType::kUdpBlocked, .b = NatType::kPort, .capture = prefix});
  ASSERT_EQ(result.outcome, Outcome::kRelay) << result.why;
  EXPECT_EQ(result.capture_problem, "");
  const auto count = [&](const std::string& side, const std::string& filter) {
    const std::string command = "test $(tshark -r " + prefix + side + " -Y '" + filter + "' 2>/dev/null | wc -l) -gt 0";
    return std::system(command.c_str()) == 0;
  };
  EXPECT_TRUE(count("-a.pcapng", "tcp && stun.type.method == 3")) << "an allocation over TCP";
  EXPECT_TRUE(count("-b.pcapng", "dtls.handshake.type == 1")) << "a Client Hello";
  const std::string decrypted = "tshark -x -V -r " + prefix + "-b.pcapng 2>/dev/null | grep -q 'Decrypted DTLS'";
  EXPECT_EQ(std::system(decrypted.c_str()), 0);
  EXPECT_FALSE(std::filesystem::exists(prefix + "-b.keys")) << "they are in the capture";
  for (const char* side : {"-a.pcapng", "-b.pcapng"}) EXPECT_FALSE(count(side, "_ws.malformed")) << side;
  const RunResult nowhere =
      RunCellInNamespaces(netns_, {.a = NatType::kPublic, .b = NatType::kPublic, .capture = "/nowhere/run"});
  EXPECT_EQ(nowhere.capture_problem, "cannot write /nowhere/run-a.pcapng");
}

TEST_F(NetnsTest, ARunLeavesNoProcessBehind) {
  const std::string mark = "natlab-mark-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
  netns_.peer_b = {"/bin/sh", "-c", ": " + mark + "; cat >/dev/null & cat >/dev/null & exec cat"};
  netns_.deadline = std::chrono::seconds(1);
  (void)RunCellInNamespaces(netns_, {});
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::FILE* file = std::fopen((entry.path() / "cmdline").c_str(), "r");
    if (file == nullptr) continue;
    std::string text(4096, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    EXPECT_EQ(text.find(mark), std::string::npos) << entry.path();
  }
}

TEST(KernelLabTest, SaysWhatAKernelCannotBe) {
  constexpr auto kV4 = IpAddress::Family::kV4;
  constexpr auto kV6 = IpAddress::Family::kV6;
  const auto supports = [](const Joint& joint, IpAddress::Family family) {
    return KernelLab::Supports({.joint = joint}, family, {}).has_value();
  };
  EXPECT_TRUE(supports({Site::kSameCarrier, NatType::kFullCone, true}, kV4));
  EXPECT_FALSE(supports({Site::kSameCarrier, NatType::kPort, true}, kV4));
  EXPECT_FALSE(supports({Site::kSameCarrier, NatType::kFullCone, true}, kV6));
  EXPECT_TRUE(supports({Site::kSameCarrier, NatType::kPort, false}, kV6));
  EXPECT_TRUE(supports({.ice_tcp = true, .ports = {.quota = 40}}, kV4));
  EXPECT_TRUE(KernelLab::Supports({.events = {NetworkEvent{}}}, kV4, {}));
  EXPECT_TRUE(supports({.timers = {netsim::Refresh::kBoth, std::chrono::seconds(20)}}, kV6));
  EXPECT_FALSE(supports({.timers = {netsim::Refresh::kBoth, std::chrono::milliseconds(20'500)}}, kV4));
  EXPECT_TRUE(supports({.timers = {netsim::Refresh::kOutbound, std::chrono::seconds(20)}}, kV4));
  EXPECT_FALSE(KernelLab::Supports({.hard = HardNats::kCrossed}, kV4, {}));
  const NatType rejecting[] = {NatType::kPortReject};
  EXPECT_TRUE(KernelLab::Supports({}, kV4, rejecting));
  EXPECT_FALSE(KernelLab::Supports({.joint = {.ports = {.overload = true}}}, kV4, rejecting));
}

TEST(KernelNatTest, FewPortsAreSetsOfWhatMakesAMapping) {  // RFC 4787 §4.1
  KernelNat nat{"sym", IpAddress::V4(198, 51, 100, 1), IpAddress::V4(10, 0, 0, 2), 1, false};
  EXPECT_EQ(NftRules(nat).find("limit_"), std::string::npos);
  nat.ports = {.pool = 7, .quota = 3};
  nat.subscribers = {IpAddress::V4(10, 0, 0, 2)};
  const std::string rules = NftRules(nat);
  EXPECT_NE(rules.find("update @pool_udp { ip saddr . udp sport . ip daddr . udp dport } return"), std::string::npos)
      << rules;
  EXPECT_NE(rules.find("timeout 120s; size 7;"), std::string::npos);
  EXPECT_NE(rules.find("oif wan ct state new meta l4proto tcp ip saddr 10.0.0.2 jump limit_quota0_tcp"),
            std::string::npos)
      << rules;
  nat.type = "port";
  EXPECT_NE(NftRules(nat).find("update @pool_udp { ip saddr . udp sport } return"), std::string::npos);
}

TEST(KernelNatTest, EveryTypeHasRules) {
  for (const std::string& type : KernelNatTypes()) {
    const KernelNat nat{type, IpAddress::V4(198, 51, 100, 1), IpAddress::V4(10, 0, 0, 2), 1, false};
    EXPECT_NE(NftRules(nat).find("table ip natlab {"), std::string::npos) << type;
    EXPECT_EQ(NftRules(nat).find("snat to 198.51.100.1") == std::string::npos, type == "fw") << type;
  }
  EXPECT_TRUE(IsKernelNatType("tcp443"));
  EXPECT_FALSE(IsKernelNatType("public"));
}

}  // namespace
}  // namespace jsp::natlab
