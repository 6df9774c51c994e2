// How long a kernel's NAT keeps a mapping (RFC 4787 §4.3). The peers of the cell are small programs that send datagrams
// and nothing else.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "bench/natlab/kernel_nat.h"
#include "bench/natlab/netns_runner.h"

namespace jsp::natlab {
namespace {

using netsim::NatType;

// b sends a datagram "SECONDS COUNT" back so many times, so far apart; a counts what comes of that, and says so
// with its last words. By the timer of two seconds.
constexpr const char* kPeers = R"(
import json, select, socket, sys
where = sys.argv[1]
udp = socket.socket(socket.AF_INET6 if ':' in where else socket.AF_INET, socket.SOCK_DGRAM)
def wait(seconds): select.select([], [], [], seconds)
def ask(interval, count):
    order = b'%f %d' % (interval, count)
    udp.sendto(order, (where, 9999))
    come = 0
    while select.select([udp], [], [], interval + 0.6)[0]:
        come += udp.recv(100) == order
    return come
def serve():
    udp.bind(('', 9999))
    while True:
        order, source = udp.recvfrom(100)
        interval, count = order.split()
        for _ in range(int(count)):
            wait(float(interval))
            udp.sendto(order, source)
for line in sys.stdin:
    order = json.loads(line)['do']
    if order in ('offer', 'answer'): print(json.dumps({order: order}), flush=True)
    if order == 'answer': serve()
    if order == 'accept':
        known, kept, late, again = ask(0, 1), ask(1.2, 3), ask(3.5, 1), ask(0, 1)
        sys.exit('known %d, kept %d, late %d, again %d' % (known, kept, late, again))
)";

class KernelTimersTest : public testing::Test {
 protected:
  void SetUp() override {
    const IpAddress::Family families[] = {IpAddress::Family::kV4};
    const auto able = CheckNetns({}, families);
    const bool has_python = std::system("python3 -c pass") == 0;
    if (able && has_python) return;
    const std::string why = able ? "there is no python3" : able.error();
    std::printf("JSP-SKIPPED: %s\n", why.c_str());
    GTEST_SKIP() << "JSP-SKIPPED: " << why;
  }

  static std::string LastWords(NatType type, const netsim::NatTimers& timers) {
    const std::string jsp = std::filesystem::absolute("tools/jsp/jsp");
    const std::string b = type == NatType::kNat64 ? "64:ff9b::203.0.113.2" : "203.0.113.2";
    const NetnsOptions netns{.peer_a = {"python3", "-c", kPeers, b},
                             .peer_b = {"python3", "-c", kPeers, "0.0.0.0"},
                             .turn_server = {jsp, "turn-server"}};
    CellOptions cell{.a = type, .b = NatType::kPublic};
    cell.network.joint.timers = timers;
    return RunCellInNamespaces(netns, cell).why;
  }
};

TEST_F(KernelTimersTest, AMappingLivesAsLongAsTheScenarioSaysAfterPacketsOfEitherSide) {  // RFC 4787 §4.3 REQ-6
  for (const NatType type : {NatType::kPort, NatType::kAddress, NatType::kNat64}) {
    const std::string words = LastWords(type, {netsim::Refresh::kBoth, std::chrono::seconds(2)});
    EXPECT_NE(words.find("known 1, kept 3, late 0, again 1"), std::string::npos) << words;
  }
}

TEST_F(KernelTimersTest, OrAfterPacketsFromInsideAlone) {  // RFC 4787 §4.3 REQ-6
  for (const NatType type :
       {NatType::kFirewall, NatType::kFullCone, NatType::kPortReject, NatType::kSymmetricOpen, NatType::kNat64}) {
    const std::string words = LastWords(type, {netsim::Refresh::kOutbound, std::chrono::seconds(2)});
    EXPECT_NE(words.find("known 1, kept 1, late 0, again 1"), std::string::npos)
        << netsim::ToString(type) << ": " << words;
  }
}

TEST_F(KernelTimersTest, WithoutTimersItOutlivesThat) {
  const std::string words = LastWords(NatType::kPort, {});
  EXPECT_NE(words.find("known 1, kept 3, late 1, again 1"), std::string::npos) << words;
}

TEST(KernelNatTimersTest, WhoMayComeInIsForgottenWithTheMapping) {  // RFC 4787 §5
  KernelNat nat{"addr", IpAddress::V4(198, 51, 100, 1), IpAddress::V4(10, 0, 0, 2), 1, false};
  nat.ports.pool = 7;
  nat.udp_timeout = std::chrono::seconds(33);
  const std::string rules = NftRules(nat);
  for (const char* set : {"map learnt", "set asked", "set pool_udp"}) {
    const size_t begin = rules.find(set);
    ASSERT_NE(begin, std::string::npos) << set;
    EXPECT_NE(rules.substr(begin, rules.find('\n', begin) - begin).find("timeout 33s"), std::string::npos) << set;
  }
  EXPECT_NE(rules.find("timeout 120s; size 7;"), std::string::npos) << "TCP has timers of its own";
}

TEST(KernelNatTimersTest, WhatKeepsAMappingAliveIsWhatLeavesItsOutside) {  // RFC 4787 §4.3 REQ-6
  KernelNat nat{"port", IpAddress::V4(198, 51, 100, 1), IpAddress::V4(10, 0, 0, 2), 1, false};
  EXPECT_EQ(NftRules(nat).find("@alive"), std::string::npos);
  nat.refresh = netsim::Refresh::kOutbound;
  nat.udp_timeout = std::chrono::seconds(33);
  const std::string rules = NftRules(nat);
  EXPECT_NE(rules.find("set alive { type ipv4_addr . inet_service; flags dynamic, timeout; timeout 33s;"),
            std::string::npos)
      << rules;
  EXPECT_NE(rules.find("ip saddr 198.51.100.1 meta l4proto udp update @alive { ip saddr . udp sport }"),
            std::string::npos)
      << rules;
  EXPECT_NE(rules.find("ip daddr 198.51.100.1 meta l4proto udp ip daddr . udp dport != @alive drop"), std::string::npos)
      << rules;
}

}  // namespace
}  // namespace jsp::natlab
