#include "bench/natlab/network_events.h"

#include <gtest/gtest.h>

#include <optional>
#include <tuple>

#include "bench/natlab/cell_runner.h"

namespace jsp::natlab {
namespace {

using netsim::NatType;
using std::chrono::milliseconds;
using std::chrono::seconds;
using What = NetworkEvent::What;
using Where = NetworkEvent::Where;

RunResult RunWith(NatType a, NatType b, const NetworkEvent& event, std::optional<NatType> carrier = {}) {
  CellOptions options{.a = a, .b = b, .seed = 5};
  options.network.joint.carrier = carrier;
  options.network.events = {event};
  return RunCell(options);
}

TEST(NetworkEventsTest, APreservedPortOutlivesARebootWithoutAnotherConnection) {  // RFC 4787 §4.2.1
  const auto result = RunWith(NatType::kPort, NatType::kPort, {seconds(2), What::kReboot, Where::kNatA, seconds(1)});
  ASSERT_EQ(result.outcome, Outcome::kDirect) << result.why;
  ASSERT_TRUE(result.to_recovery);
  EXPECT_GE(*result.to_recovery, seconds(1)) << "nothing passes while it is down";
  EXPECT_LT(*result.to_recovery, seconds(10));
  EXPECT_EQ(result.restarts, 0u);
  EXPECT_EQ(result.reconnects, 0u);
}

TEST(NetworkEventsTest, X3_EveryKindOfConnectionOutlivesARebootAndARenumbering) {
  for (const auto what : {What::kReboot, What::kRenumber}) {
    for (const auto where : {Where::kNatA, Where::kNatB}) {
      for (const auto& [a, b, expected] : {std::tuple{NatType::kPort, NatType::kPort, Outcome::kDirect},
                                           {NatType::kSymmetric, NatType::kAddress, Outcome::kDirect},
                                           {NatType::kFirewall, NatType::kFullCone, Outcome::kDirect},
                                           {NatType::kSymmetric, NatType::kPort, Outcome::kRelay},
                                           {NatType::kUdpBlocked, NatType::kPortRandom, Outcome::kRelay}}) {
        const auto result = RunWith(a, b, {seconds(2), what, where, milliseconds(500)});
        EXPECT_EQ(result.outcome, expected) << netsim::ToString(a) << " - " << netsim::ToString(b) << ", " << int(what)
                                            << int(where) << ": " << result.why;
        ASSERT_TRUE(result.to_recovery);
        EXPECT_LT(*result.to_recovery, seconds(15)) << "a silence of 10 s, and a restart";
        EXPECT_LE(result.restarts, 1u);
        EXPECT_EQ(result.reconnects, 0u);
      }
    }
  }
}

TEST(NetworkEventsTest, ASideWithoutThatNatNoticesNothing) {
  const auto result =
      RunWith(NatType::kPublic, NatType::kPort, {seconds(1), What::kRenumber, Where::kNatA, seconds(20)});
  ASSERT_TRUE(result.to_recovery) << result.why;
  EXPECT_LT(*result.to_recovery, seconds(1)) << "a message and its echo";
}

TEST(NetworkEventsTest, ACarrierRenumbersTheSubscribersBehindIt) {  // RFC 6888 §3
  const auto result = RunWith(NatType::kPort, NatType::kPort, {seconds(1), What::kRenumber, Where::kCarrierB, {}},
                              NatType::kPortRandom);
  EXPECT_EQ(result.outcome, Outcome::kDirect) << result.why;
  ASSERT_TRUE(result.to_recovery);
  EXPECT_GT(*result.to_recovery, seconds(9)) << "silence is one of 10 s, the last that was heard is up to 1 s old";
  EXPECT_LT(*result.to_recovery, seconds(15));
  EXPECT_EQ(result.restarts, 1u);
  EXPECT_EQ(result.reconnects, 0u);
}

TEST(NetworkEventsTest, WhatNeverComesBackIsNoConnection) {
  const auto result = RunWith(NatType::kPort, NatType::kPort, {seconds(1), What::kReboot, Where::kNatA, seconds(600)});
  EXPECT_EQ(result.outcome, Outcome::kNone);
  EXPECT_FALSE(result.to_recovery);
  EXPECT_NE(result.why.find("did not come back"), std::string::npos) << result.why;
  EXPECT_TRUE(result.to_first_message) << "it had been there";
}

}  // namespace
}  // namespace jsp::natlab
