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

TEST(PortsTest, X3_FewPortsEndAsTheOracleSaysFromOneUpToEnough) {  // RFC 4787 §4.2, RFC 6888 §3 REQ-4
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

TEST(PortsTest, OverloadedPortsAreThoseOfTheInsideWhateverTheType) {  // RFC 4787 §12 REQ-3, RFC 7857 §3
  MatrixOptions options;
  options.types.assign(netsim::AllNatTypes().begin(), netsim::AllNatTypes().end());
  options.network.joint.ports.overload = true;
  options.relay = RelayService::kNone;
  ExpectAgreement(options, "overloaded");
  options.network.joint.carrier = NatType::kSymmetric;
  ExpectAgreement(options, "overloaded by a carrier");
  EXPECT_EQ(ExpectedOutcome(NatType::kSymmetric, NatType::kSymmetric, RelayService::kNone), Outcome::kNone);
  EXPECT_EQ(
      ExpectedOutcome(NatType::kSymmetric, NatType::kSymmetric, RelayService::kNone, {.ports = {.overload = true}}),
      Outcome::kDirect);
}

TEST(PortsTest, TimersChangeNoOutcomeOfPeersThatKeepTheirMappings) {  // RFC 4787 §12 REQ-5, REQ-6
  MatrixOptions options;
  options.types = {NatType::kPort, NatType::kPortRandom, NatType::kSymmetric, NatType::kUdpBlocked};
  options.network.joint.timers.udp = std::chrono::seconds(20);
  for (const auto refresh : {netsim::Refresh::kOutbound, netsim::Refresh::kBoth}) {
    options.network.joint.timers.refresh = refresh;
    ExpectAgreement(options, "timers");
  }
}

TEST(PortsTest, WhatAScenarioSaysIsWhatItsNatsDo) {
  netsim::World world(1);
  netsim::TwoSidesOptions layout{.a = NatType::kPort, .z = NatType::kPort};
  layout.ports.overload = true;
  layout.timers = {netsim::Refresh::kBoth, std::chrono::seconds(40)};
  const auto sides = netsim::TwoSides::Build(world, layout);
  const netsim::NatOptions& options = world.nat(*sides.a_nat).options();
  EXPECT_EQ(options.ports, netsim::PortAllocation::kOverload);
  EXPECT_EQ(options.refresh, netsim::Refresh::kBoth);
  EXPECT_EQ(options.mapping_timeout, std::chrono::seconds(40));
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
