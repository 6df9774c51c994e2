// NAT behaviour discovery (RFC 5780) through every NAT of the simulator, against a server of two addresses.
#include "stun/nat_discovery.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "netsim/host.h"
#include "netsim/nat_type.h"
#include "netsim/world.h"
#include "stun/server.h"
namespace jsp {
namespace {

using netsim::NatType;
using std::chrono::milliseconds;
using std::chrono::seconds;
using stun::NatBehavior;
using stun::NatReport;

const SocketAddress kPrimary = *SocketAddress::Parse("198.51.100.1:3478");
const SocketAddress kAlternate = *SocketAddress::Parse("198.51.100.2:3479");
const IpAddress kOutside = IpAddress::V4(203, 0, 113, 1);

struct Ignore {
  template <class Event>
  void operator()(Event&&) const {}
};
struct Keep {
  std::optional<NatReport>* report;
  void operator()(stun::NatDiscovery::Event&& event) const {
    *report = std::get<stun::event::NatDiscovered>(event).report;
  }
};

struct Site {
  netsim::NatOptions nat;
  bool has_nat = true;
  netsim::LinkOptions access{};
  stun::ServerOptions server{.behavior = {{kPrimary, kAlternate}}};
  bool server_runs = true;
  std::vector<Duration> lifetime{};
  uint64_t seed = 1;
};

// One discovery on a host behind `site.nat`; the report, and how long it took.
struct Outcome {
  NatReport report;
  Duration took;
};

Outcome Discover(const Site& site) {
  netsim::World world(site.seed);
  netsim::NodeId parent = netsim::World::kInternet;
  IpAddress inside = kOutside;
  if (site.has_nat) {
    if (site.nat.translate) inside = IpAddress::V4(10, 0, 1, 2);
    const IpAddress nat_address = site.nat.translate ? kOutside : IpAddress::V4(203, 0, 113, 101);
    parent = world.AddNat(netsim::World::kInternet, nat_address, site.nat, site.access);
  }
  const netsim::NodeId host = world.AddHost(parent, inside, {.delay = milliseconds(1)});
  const netsim::NodeId server_host = world.AddHost(netsim::World::kInternet, kPrimary.ip, {.delay = milliseconds(10)});
  world.AddAddress(server_host, kAlternate.ip);

  stun::Server server(site.server);
  netsim::HostDriver<stun::Server, Ignore> server_driver(world, server_host, server, Ignore{});
  if (site.server_runs) {
    for (const IpAddress& ip : {kPrimary.ip, kAlternate.ip}) {
      for (const uint16_t port : {kPrimary.port, kAlternate.port}) server_driver.Bind({ip, port});
    }
  }

  stun::NatDiscoveryOptions options;
  options.mapping_socket = {inside, 50000};
  options.filtering_socket = {inside, 50001};
  options.server = kPrimary;
  for (size_t i = 0; i < site.lifetime.size(); ++i) {
    options.lifetime.push_back({{inside, static_cast<uint16_t>(51000 + i)}, site.lifetime[i]});
  }
  Rng rng = world.ForkRng();
  const Timestamp start = world.now();
  stun::NatDiscovery discovery(options, rng, start);
  std::optional<NatReport> report;
  netsim::HostDriver<stun::NatDiscovery, Keep> driver(world, host, discovery, Keep{&report});
  driver.Bind(options.mapping_socket);
  driver.Bind(options.filtering_socket);
  for (const auto& probe : options.lifetime) driver.Bind(probe.socket);
  driver.Kick();
  EXPECT_TRUE(world.RunUntil([&] { return report.has_value(); }, seconds(1000)));
  return {report.value_or(NatReport{}), world.now() - start};
}

NatBehavior Expected(netsim::MappingBehavior behavior) {
  return static_cast<NatBehavior>(static_cast<int>(behavior) + 1);
}
NatBehavior Expected(netsim::FilteringBehavior behavior) {
  return static_cast<NatBehavior>(static_cast<int>(behavior) + 1);
}

TEST(NatDiscoveryTest, MappingAndFilteringOfEveryTypeAreRight) {  // RFC 5780 §4.3, §4.4
  for (const NatType type : netsim::AllNatTypes()) {
    for (const bool hairpin : {false, true}) {
      SCOPED_TRACE(std::string(ToString(type)) + (hairpin ? " with hairpin" : ""));
      Site site{.nat = OptionsFor(type), .has_nat = type != NatType::kPublic};
      site.nat.hairpin = hairpin;
      const auto [report, took] = Discover(site);
      EXPECT_EQ(report.udp_blocked, type == NatType::kUdpBlocked);
      if (report.udp_blocked) continue;
      EXPECT_EQ(report.mapping, Expected(site.nat.mapping)) << report.mapping_reason;
      EXPECT_EQ(report.filtering, Expected(site.nat.filtering)) << report.filtering_reason;
      const bool translated = site.has_nat && site.nat.translate;
      EXPECT_EQ(report.translated, translated);
      EXPECT_EQ(report.hairpin.has_value(), translated);
      EXPECT_EQ(report.mapped->ip, kOutside);
      EXPECT_LT(took, seconds(10));
    }
  }
}

TEST(NatDiscoveryTest, HairpinIsToldForEndpointIndependentMapping) {  // RFC 4787 §6
  for (const NatType type : {NatType::kFullCone, NatType::kAddress, NatType::kPort, NatType::kPortRandom}) {
    for (const bool hairpin : {false, true}) {
      Site site{.nat = OptionsFor(type)};
      site.nat.hairpin = hairpin;
      EXPECT_EQ(Discover(site).report.hairpin, hairpin) << ToString(type);
    }
  }
}

TEST(NatDiscoveryTest, LossOfThirtyPercentMakesNoWrongAnswerForOpenFilters) {
  // Silence says "filtered", so that loss can only make a filter look stricter: four sendings at 30 % each way leave
  // (1 - 0.49)^4 = 7 % for each step. Mapping never comes out wrong.
  int right = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Site site{.nat = OptionsFor(NatType::kFullCone), .seed = seed};
    site.access.loss = netsim::UniformLoss{0.3};
    const NatReport report = Discover(site).report;
    EXPECT_TRUE(report.mapping == NatBehavior::kEndpointIndependent || report.mapping == NatBehavior::kUnknown)
        << "seed " << seed;
    right += report.filtering == NatBehavior::kEndpointIndependent;
  }
  EXPECT_GE(right, 28);
}

TEST(NatDiscoveryTest, AServerWithOneAddressLeavesBothUnknownWithAReason) {  // RFC 5780 §6
  Site site{.nat = OptionsFor(NatType::kPort)};
  site.server.behavior.clear();
  const NatReport report = Discover(site).report;
  EXPECT_EQ(report.mapping, NatBehavior::kUnknown);
  EXPECT_EQ(report.filtering, NatBehavior::kUnknown);
  EXPECT_NE(report.mapping_reason.find("OTHER-ADDRESS"), std::string::npos);
  EXPECT_NE(report.filtering_reason.find("OTHER-ADDRESS"), std::string::npos);
  EXPECT_TRUE(report.mapped);
}

TEST(NatDiscoveryTest, ASilentServerIsReportedAsBlockedUdp) {  // RFC 5780 §4.2
  Site site{.nat = OptionsFor(NatType::kPort)};
  site.server_runs = false;
  const auto [report, took] = Discover(site);
  EXPECT_TRUE(report.udp_blocked);
  EXPECT_FALSE(report.mapped);
  EXPECT_LT(took, seconds(10));
}

TEST(NatDiscoveryTest, FindsTheLifetimeOfABinding) {  // RFC 5780 §4.6
  Site site{.nat = OptionsFor(NatType::kPort)};
  site.nat.mapping_timeout = seconds(47);
  site.lifetime = {seconds(15), seconds(30), seconds(45), seconds(60), seconds(90)};
  const auto [report, took] = Discover(site);
  EXPECT_EQ(report.lifetime_at_least, seconds(45)) << report.lifetime_reason;
  EXPECT_EQ(report.lifetime_below, seconds(60));
  EXPECT_LT(took, seconds(100));
}

TEST(NatDiscoveryTest, ALifetimeBeyondTheLongestProbeHasNoUpperBound) {
  Site site{.nat = OptionsFor(NatType::kAddress)};
  site.nat.mapping_timeout = seconds(300);
  site.lifetime = {seconds(30), seconds(60)};
  const NatReport report = Discover(site).report;
  EXPECT_EQ(report.lifetime_at_least, seconds(60));
  EXPECT_FALSE(report.lifetime_below);
}

}  // namespace
}  // namespace jsp
