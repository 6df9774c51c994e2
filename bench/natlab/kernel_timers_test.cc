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

// b answers a datagram "SECONDS COUNT" with so many of its own, so far apart; a counts what comes of that, and says so
// with its last words. By the timer of two seconds.
constexpr const char* kPeers = R"(
import json, select, socket, sys
is_a = sys.argv[1] == 'a'
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def wait(seconds): select.select([], [], [], seconds)
def ask(interval, count):
    udp.sendto(b'%f %d' % (interval, count), ('203.0.113.2', 9999))
    come = 0
    while select.select([udp], [], [], interval + 0.6)[0]:
        udp.recv(100)
        come += 1
    return come
def serve():
    udp.bind(('', 9999))
    while True:
        order, source = udp.recvfrom(100)
        interval, count = order.split()
        for _ in range(int(count)):
            wait(float(interval))
            udp.sendto(b'x', source)
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
    const NetnsOptions netns{.peer_a = {"python3", "-c", kPeers, "a"},
                             .peer_b = {"python3", "-c", kPeers, "b"},
                             .turn_server = {jsp, "turn-server"}};
    CellOptions cell{.a = type, .b = NatType::kPublic};
    cell.network.joint.timers = timers;
    return RunCellInNamespaces(netns, cell).why;
  }
};

TEST_F(KernelTimersTest, AMappingLivesAsLongAsTheScenarioSaysAfterPacketsOfEitherSide) {  // RFC 4787 §4.3 REQ-6
  for (const NatType type : {NatType::kPort, NatType::kAddress}) {
    const std::string words = LastWords(type, {netsim::Refresh::kBoth, std::chrono::seconds(2)});
    EXPECT_NE(words.find("known 1, kept 3, late 0, again 1"), std::string::npos) << words;
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

}  // namespace
}  // namespace jsp::natlab
