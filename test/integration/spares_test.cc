// What a connection gives up half a minute after it was made, and that it recovers as if it had not: in virtual time,
// over NATs and relays.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bench/natlab/lab.h"

namespace jsp {
namespace {

using natlab::Lab;
using natlab::LabOptions;
using natlab::LabSide;
using netsim::NatType;
using netsim::OutboundPolicy;
using std::chrono::seconds;
using transport::ConnectionState;
using turn::ControlTransport;

LabOptions Options(NatType a, NatType z, uint64_t seed = 1) {
  LabOptions options;
  options.layout = {.a = a, .z = z};
  options.seed = seed;
  options.a.relays = {ControlTransport::kTcp};
  options.z.relays = {ControlTransport::kUdp};
  return options;
}

bool IsUp(const Lab& lab) { return lab.a->IsNominated() && lab.z->IsNominated(); }

// Directly, for so long.
void ConnectAndWait(Lab& lab, Duration wait) {
  ASSERT_EQ(lab.error(), "");
  ASSERT_TRUE(lab.Signal()) << lab.error();
  ASSERT_TRUE(lab.world.RunUntil([&] { return IsUp(lab); }, seconds(30)));
  ASSERT_TRUE(lab.world.RunUntil([&] { return !lab.a->IsRelayed() && !lab.z->IsRelayed(); }, seconds(10)));
  lab.world.RunFor(wait);
  ASSERT_TRUE(IsUp(lab));
}

// A message each way arrives.
bool Talk(Lab& lab) {
  for (LabSide* side : {lab.a.get(), lab.z.get()}) {
    LabSide* other = side == lab.a.get() ? lab.z.get() : lab.a.get();
    const auto channel = side->peer.OpenChannel(lab.world.now(), {.label = "talk"});
    if (!channel) return false;
    (void)side->peer.Send(lab.world.now(), *channel, datachannel::MessageKind::kString, {'x'});
    side->driver.Kick();
    const auto is_heard = [&] { return other->peer.PollAnyMessage(lab.world.now()).has_value(); };
    if (!lab.world.RunUntil(is_heard, seconds(90))) return false;
  }
  return true;
}

TEST(SparesTest, AfterHalfAMinuteNothingIsSentButConsent) {  // RFC 8445 §8.3.1, RFC 7675 §5.1
  Lab lab(Options(NatType::kPort, NatType::kPort));
  ConnectAndWait(lab, seconds(40));
  for (LabSide* side : {lab.a.get(), lab.z.get()}) {
    EXPECT_EQ(side->peer.stats().pairs.size(), 1u);
    const auto before = side->peer.stats();
    lab.world.RunFor(seconds(120));
    const auto after = side->peer.stats();
    EXPECT_EQ(after.ice.checks_sent, before.ice.checks_sent);
    const uint64_t consent = after.ice.consent_requests_sent - before.ice.consent_requests_sent;
    EXPECT_GE(consent, 20u);
    EXPECT_LE(consent, 30u);
  }
}

// Without a word of signalling: the allocation is still there.
TEST(SparesTest, ADirectPathThatFailsIsReplacedByTheSpareRelay) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Lab lab(Options(NatType::kPort, NatType::kPort, seed));
    ConnectAndWait(lab, seconds(60));
    EXPECT_EQ(lab.turn_server().allocations(), 2u);
    lab.world.nat(*lab.sides.a_nat).SetOutboundPolicy(OutboundPolicy::kNoUdp);
    ASSERT_TRUE(lab.world.RunUntil([&] { return IsUp(lab) && lab.a->IsRelayed(); }, seconds(30))) << seed;
    EXPECT_EQ(lab.a->relay(), ControlTransport::kTcp);
    EXPECT_TRUE(Talk(lab)) << seed;
  }
}

TEST(SparesTest, AllocationsThatCarryNothingAreDeletedWhereThatIsAskedFor) {  // RFC 8656 §8
  LabOptions options = Options(NatType::kPort, NatType::kPort);
  options.release_spare_relays = true;
  Lab lab(options);
  ConnectAndWait(lab, seconds(25));
  EXPECT_EQ(lab.turn_server().allocations(), 2u);
  lab.world.RunFor(seconds(10));
  EXPECT_EQ(lab.turn_server().allocations(), 0u);
  for (const LabSide* side : {lab.a.get(), lab.z.get()}) {
    EXPECT_TRUE(side->peer.stats().relay_failures.empty());
    for (const auto& candidate : side->peer.stats().local_candidates) {
      EXPECT_NE(candidate.type, ice::CandidateType::kRelayed);
    }
  }
  EXPECT_TRUE(Talk(lab));
}

TEST(SparesTest, ARelayThatIsUsedIsNotDeleted) {
  LabOptions options = Options(NatType::kSymmetric, NatType::kSymmetric);
  options.release_spare_relays = true;
  Lab lab(options);
  ASSERT_TRUE(lab.Signal()) << lab.error();
  ASSERT_TRUE(lab.world.RunUntil([&] { return IsUp(lab) && lab.a->IsRelayed(); }, seconds(30)));
  lab.world.RunFor(seconds(60));
  EXPECT_GE(lab.turn_server().allocations(), 1u);
  EXPECT_TRUE(IsUp(lab));
  EXPECT_TRUE(Talk(lab));
}

// What was released is asked for again as soon as the path is silent: the peer that stands in the open needs no
// signalling to learn of it.
TEST(SparesTest, AReleasedRelayComesBackWhenThePathFails) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    LabOptions options = Options(NatType::kPort, NatType::kPublic, seed);
    options.release_spare_relays = true;
    Lab lab(options);
    ConnectAndWait(lab, seconds(60));
    ASSERT_EQ(lab.turn_server().allocations(), 0u);
    lab.world.nat(*lab.sides.a_nat).SetOutboundPolicy(OutboundPolicy::kNoUdp);
    ASSERT_TRUE(lab.world.RunUntil([&] { return IsUp(lab) && lab.a->IsRelayed(); }, seconds(30))) << seed;
    EXPECT_TRUE(Talk(lab)) << seed;
  }
}

// Behind a NAT that filters the peer has to be told, which a restart does.
TEST(SparesTest, ARestartRecoversWithRelaysThatWereReleased) {  // RFC 8445 §9
  for (const bool releases : {true, false}) {
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      LabOptions options = Options(NatType::kPort, NatType::kPort, seed);
      options.release_spare_relays = releases;
      Lab lab(options);
      ConnectAndWait(lab, seconds(60));
      lab.world.nat(*lab.sides.a_nat).SetOutboundPolicy(OutboundPolicy::kNoUdp);
      const auto is_silent = [&] { return lab.a->IsSilent() || lab.z->IsSilent(); };
      ASSERT_TRUE(lab.world.RunUntil(is_silent, seconds(15)));
      lab.world.RunFor(std::chrono::milliseconds(500));
      ASSERT_TRUE(lab.Restart()) << lab.error() << " seed " << seed;
      ASSERT_TRUE(lab.world.RunUntil([&] { return IsUp(lab) && lab.a->IsRelayed(); }, seconds(10))) << seed;
      EXPECT_TRUE(Talk(lab)) << seed;
    }
  }
}

// The direct path stays; a restart gathers what was given up, and gives it up again.
TEST(SparesTest, ARestartOfAPathThatWorksLeavesNothingBehind) {
  LabOptions options = Options(NatType::kPort, NatType::kPort);
  options.release_spare_relays = true;
  Lab lab(options);
  ConnectAndWait(lab, seconds(60));
  const size_t octets = lab.a->peer.stats().memory.total();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(lab.Restart()) << lab.error();
    EXPECT_EQ(lab.turn_server().allocations(), 2u);
    ASSERT_TRUE(lab.world.RunUntil([&] { return IsUp(lab); }, seconds(10)));
    lab.world.RunFor(seconds(45));
    EXPECT_TRUE(IsUp(lab));
    EXPECT_FALSE(lab.a->IsRelayed());
    EXPECT_EQ(lab.turn_server().allocations(), 0u);
    EXPECT_EQ(lab.a->peer.stats().pairs.size(), 1u);
    EXPECT_LE(lab.a->peer.stats().memory.total(), octets + octets / 10);
  }
  EXPECT_TRUE(Talk(lab));
}

// On a relay the way to a direct path stays open: what servers said of us is kept alive.
TEST(SparesTest, ADirectPathIsFoundAfterAMinuteOnTheRelay) {
  LabOptions options = Options(NatType::kPort, NatType::kPort);
  Lab lab(options);
  lab.world.nat(*lab.sides.a_nat).SetOutboundPolicy(OutboundPolicy::kNoUdp);
  ASSERT_TRUE(lab.Signal()) << lab.error();
  ASSERT_TRUE(lab.world.RunUntil([&] { return IsUp(lab) && lab.a->IsRelayed(); }, seconds(30)));
  lab.world.RunFor(seconds(90));
  ASSERT_TRUE(IsUp(lab));
  lab.world.nat(*lab.sides.a_nat).SetOutboundPolicy(OutboundPolicy::kAll);
  ASSERT_TRUE(lab.Restart()) << lab.error();
  ASSERT_TRUE(lab.world.RunUntil([&] { return IsUp(lab) && !lab.a->IsRelayed(); }, seconds(10)));
  EXPECT_TRUE(Talk(lab));
}

}  // namespace
}  // namespace jsp
