// NATs that give few ports, and NAT64s, in whole cells: each ends as the oracle says.
#include <gtest/gtest.h>

#include "bench/natlab/matrix.h"
#include "bench/natlab/oracle.h"

namespace jsp::natlab {
namespace {

using netsim::NatType;

void ExpectAgreement(const MatrixOptions& options, const std::string& what) {
  for (const auto& cell : RunMatrix(options).cells) {
    EXPECT_EQ(cell.mismatches, 0u) << what << ": " << ToString(cell.a) << " - " << ToString(cell.b) << ": " << cell.why;
  }
}

TEST(PortsTest, FewPortsEndAsTheOracleSaysFromOneUpToEnough) {  // RFC 4787 §4.2, RFC 6888 §3 REQ-4
  for (const auto relay : {RelayService::kNone, RelayService::kPresent}) {
    for (uint16_t count = 1; count <= 5; ++count) {
      MatrixOptions options;
      options.types = {NatType::kPublic,         NatType::kAddress,   NatType::kPort,
                       NatType::kAddressMapping, NatType::kSymmetric, NatType::kSymmetricOpen};
      options.relay = relay;
      options.network.joint.ports.quota = count;
      ExpectAgreement(options, std::to_string(count) + " by quota");
      options.types = {NatType::kPublic, NatType::kPort, NatType::kSymmetric};
      options.network.joint.ports = {.pool = count};
      ExpectAgreement(options, "pool of " + std::to_string(count));
      options.network.joint.carrier = NatType::kSymmetricOpen;
      ExpectAgreement(options, "carrier's pool of " + std::to_string(count));
      options.network.joint = {netsim::Site::kSameCarrier, NatType::kSymmetricOpen, true};
      options.network.joint.ports.quota = count;
      ExpectAgreement(options, "one carrier's quota of " + std::to_string(count));
    }
  }
}

TEST(PortsTest, TheOracleSaysWhatIsMissing) {
  Joint joint;
  joint.ports.quota = 3;
  EXPECT_EQ(WhyNotDirect(NatType::kSymmetric, NatType::kAddress, joint),
            "a's NAT maps per destination and gives 3 of the 4 ports that this takes");
  EXPECT_EQ(WhyNotDirect(NatType::kSymmetric, NatType::kAddress, joint, RelayService::kNone), "");
  EXPECT_EQ(WhyNotDirect(NatType::kSymmetric, NatType::kPublic, joint), "") << "one address to check";
  EXPECT_EQ(WhyNotDirect(NatType::kPort, NatType::kPort, joint), "") << "one port for all";
  joint.ports = {.pool = 4};
  EXPECT_EQ(WhyNotDirect(NatType::kSymmetric, NatType::kAddress, joint), "");
}

TEST(Nat64CellsTest, AreAsTheOracleSaysWithARelayAndWithout) {  // RFC 6146 §3.5, RFC 6052 §2.3
  for (const auto relay : {RelayService::kNone, RelayService::kPresent}) {
    MatrixOptions options;
    options.types.assign(netsim::AllNatTypes().begin(), netsim::AllNatTypes().end());
    options.types.push_back(NatType::kNat64);
    options.relay = relay;
    const auto all = PlanMatrix(options);
    for (const auto& plan : all) {
      if (plan.a != NatType::kNat64 && plan.b != NatType::kNat64) continue;
      const CellReport cell = RunPlan(options, plan);
      EXPECT_EQ(cell.mismatches, 0u) << ToString(cell.a) << " - " << ToString(cell.b) << ": " << cell.why;
    }
  }
  EXPECT_EQ(ExpectedOutcome(NatType::kNat64, NatType::kNat64, RelayService::kNone), Outcome::kDirect);
  EXPECT_EQ(ExpectedOutcome(NatType::kNat64, NatType::kSymmetric, RelayService::kNone), Outcome::kDirect);
  EXPECT_EQ(ExpectedOutcome(NatType::kNat64, NatType::kUdpBlocked, RelayService::kPresent), Outcome::kRelay);
}

}  // namespace
}  // namespace jsp::natlab
