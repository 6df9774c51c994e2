#include "netsim/world.h"

#include <gtest/gtest.h>

#include <string>

#include "netsim/host.h"
#include "netsim/two_sides.h"
#include "stun/client.h"
#include "stun/server.h"

namespace jsp::netsim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A host that remembers what it got, and answers when told to.
struct Recorder {
  explicit Recorder(World& w, NodeId host) : world(w) {
    id = world.Attach(host, {.self = this,
                             .handle_datagram = &Recorder::HandleDatagram,
                             .handle_timeout = &Recorder::HandleTimeout,
                             .handle_packet_too_big = &Recorder::HandlePacketTooBig,
                             .handle_unreachable = &Recorder::HandleUnreachable});
  }
  static void HandleUnreachable(void* self, const SocketAddress&, const SocketAddress& remote) {
    static_cast<Recorder*>(self)->unreachable.push_back(remote);
  }
  static void HandlePacketTooBig(void* self, const SocketAddress& local, const SocketAddress& remote, size_t mtu) {
    auto& recorder = *static_cast<Recorder*>(self);
    recorder.reports.push_back({local, remote, mtu});
  }
  static void HandleDatagram(void* self, const SocketAddress& local, const SocketAddress& remote,
                             std::span<const uint8_t> datagram, EcnMark mark) {
    auto& recorder = *static_cast<Recorder*>(self);
    ++recorder.received;
    recorder.last_from = remote;
    recorder.last_mark = mark;
    recorder.arrived = recorder.world.now();
    if (recorder.echo) recorder.world.Send(recorder.id, local, remote, datagram);
  }
  static void HandleTimeout(void* self) { ++static_cast<Recorder*>(self)->timeouts; }

  struct Report {
    SocketAddress local;
    SocketAddress remote;
    size_t mtu;
  };

  World& world;
  EndpointId id;
  std::vector<Report> reports;
  std::vector<SocketAddress> unreachable;
  bool echo = false;
  int received = 0;
  int timeouts = 0;
  SocketAddress last_from;
  EcnMark last_mark = EcnMark::kNotEct;
  Timestamp arrived;
};

const std::vector<uint8_t> kPing = {1, 2, 3};

TEST(WorldTest, CarriesDatagramsBetweenHosts) {
  World world(1);
  const IpAddress a = IpAddress::V4(192, 0, 2, 1);
  const IpAddress z = IpAddress::V4(192, 0, 2, 2);
  Recorder at_a(world, world.AddHost(World::kInternet, a, {.delay = milliseconds(5)}));
  Recorder at_z(world, world.AddHost(World::kInternet, z, {.delay = milliseconds(7)}));
  const auto from = world.Bind(at_a.id, {a, 0});
  const auto to = world.Bind(at_z.id, {z, 80});
  const Timestamp start = world.now();
  world.Send(at_a.id, from, to, kPing);
  world.RunFor(seconds(1));
  EXPECT_EQ(at_z.received, 1);
  EXPECT_EQ(at_z.last_from, from);
  EXPECT_EQ(at_z.arrived - start, milliseconds(12));
  EXPECT_EQ(world.now() - start, seconds(1));
}

TEST(WorldTest, CountsWhatHasNoWay) {
  World world(1);
  const IpAddress a = IpAddress::V4(192, 0, 2, 1);
  Recorder at_a(world, world.AddHost(World::kInternet, a, {}));
  const auto from = world.Bind(at_a.id, {a, 0});
  world.Send(at_a.id, from, *SocketAddress::Parse("192.0.2.77:1"), kPing);
  world.Send(at_a.id, from, {a, 9999}, kPing);
  world.RunFor(seconds(1));
  EXPECT_EQ(world.stats().unroutable, 1u);
  EXPECT_EQ(world.stats().unbound, 1u);
}

TEST(WorldTest, ANatHidesItsHostAndLetsAnswersIn) {  // RFC 4787 §5
  World world(1);
  const IpAddress server = IpAddress::V4(198, 51, 100, 1);
  const IpAddress inside = IpAddress::V4(10, 0, 0, 2);
  const NodeId nat = world.AddNat(World::kInternet, IpAddress::V4(203, 0, 113, 1), OptionsFor(NatType::kPort), {});
  Recorder at_host(world, world.AddHost(nat, inside, {}));
  Recorder at_server(world, world.AddHost(World::kInternet, server, {}));
  at_server.echo = true;
  const auto from = world.Bind(at_host.id, {inside, 5000});
  const auto to = world.Bind(at_server.id, {server, 80});
  world.Send(at_host.id, from, to, kPing);
  world.RunFor(seconds(1));
  EXPECT_EQ(at_server.last_from.ToString(), "203.0.113.1:5000");
  EXPECT_EQ(at_host.received, 1);
  EXPECT_EQ(at_host.last_from, to);
}

TEST(WorldTest, HairpinShowsTheExternalAddressAndOnlyWhereItIsOn) {  // RFC 4787 §6 REQ-9
  for (const bool hairpin : {false, true}) {
    World world(1);
    NatOptions options = OptionsFor(NatType::kFullCone);
    options.hairpin = hairpin;
    const NodeId nat = world.AddNat(World::kInternet, IpAddress::V4(203, 0, 113, 1), options, {});
    const IpAddress one = IpAddress::V4(10, 0, 0, 2);
    const IpAddress two = IpAddress::V4(10, 0, 0, 3);
    Recorder at_one(world, world.AddHost(nat, one, {}));
    Recorder at_two(world, world.AddHost(nat, two, {}));
    const auto from = world.Bind(at_one.id, {one, 5000});
    const auto to = world.Bind(at_two.id, {two, 6000});
    world.Send(at_two.id, to, *SocketAddress::Parse("198.51.100.1:9"), kPing);  // opens the mapping
    world.RunFor(seconds(1));
    world.Send(at_one.id, from, *SocketAddress::Parse("203.0.113.1:6000"), kPing);
    world.RunFor(seconds(1));
    EXPECT_EQ(at_two.received, hairpin ? 1 : 0);
    if (!hairpin) continue;
    EXPECT_EQ(at_two.last_from.ToString(), "203.0.113.1:5000");
  }
}

TEST(WorldTest, HostsOfOneLanReachEachOtherWithoutTheNat) {
  World world(1);
  const NodeId nat = world.AddNat(World::kInternet, IpAddress::V4(203, 0, 113, 1), OptionsFor(NatType::kSymmetric), {});
  const IpAddress one = IpAddress::V4(10, 0, 0, 2);
  const IpAddress two = IpAddress::V4(10, 0, 0, 3);
  Recorder at_one(world, world.AddHost(nat, one, {}));
  Recorder at_two(world, world.AddHost(nat, two, {}));
  const auto from = world.Bind(at_one.id, {one, 0});
  const auto to = world.Bind(at_two.id, {two, 0});
  world.Send(at_one.id, from, to, kPing);
  world.RunFor(seconds(1));
  EXPECT_EQ(at_two.last_from, from);
}

TEST(WorldTest, NatsStack) {
  World world(1);
  const NodeId carrier = world.AddNat(World::kInternet, IpAddress::V4(203, 0, 113, 1), OptionsFor(NatType::kPort), {});
  const NodeId home = world.AddNat(carrier, IpAddress::V4(100, 64, 0, 2), OptionsFor(NatType::kPort), {});
  const IpAddress inside = IpAddress::V4(10, 0, 0, 2);
  const IpAddress server = IpAddress::V4(198, 51, 100, 1);
  Recorder at_host(world, world.AddHost(home, inside, {}));
  Recorder at_server(world, world.AddHost(World::kInternet, server, {}));
  at_server.echo = true;
  const auto from = world.Bind(at_host.id, {inside, 5000});
  const auto to = world.Bind(at_server.id, {server, 80});
  world.Send(at_host.id, from, to, kPing);
  world.RunFor(seconds(1));
  EXPECT_EQ(at_server.last_from.ip.ToString(), "203.0.113.1");
  EXPECT_EQ(at_host.received, 1);
}

TEST(WorldTest, TimersFireOnceAndMoveWhenSetAnew) {
  World world(1);
  Recorder host(world, world.AddHost(World::kInternet, IpAddress::V4(192, 0, 2, 1), {}));
  world.SetTimer(host.id, world.now() + seconds(1));
  world.SetTimer(host.id, world.now() + seconds(3));
  world.RunFor(seconds(2));
  EXPECT_EQ(host.timeouts, 0);
  world.RunFor(seconds(2));
  EXPECT_EQ(host.timeouts, 1);
  world.SetTimer(host.id, world.now() + seconds(1));
  world.SetTimer(host.id, Timestamp::Never());
  world.RunFor(seconds(2));
  EXPECT_EQ(host.timeouts, 1);
}

TEST(WorldTest, NothingReachesADetachedEndpoint) {
  World world(1);
  const IpAddress a = IpAddress::V4(192, 0, 2, 1);
  Recorder host(world, world.AddHost(World::kInternet, a, {}));
  const auto bound = world.Bind(host.id, {a, 80});
  world.SetTimer(host.id, world.now() + seconds(1));
  world.Send(host.id, bound, bound, kPing);
  world.Detach(host.id);
  world.RunFor(seconds(2));
  EXPECT_EQ(host.received, 0);
  EXPECT_EQ(host.timeouts, 0);
}

struct Ignore {
  template <class Event>
  void operator()(Event&&) const {}
};

TEST(HostDriverTest, RunsStunClientsThroughEveryKindOfNat) {  // RFC 8489 §6
  for (const auto type : AllNatTypes()) {
    World world(3);
    const auto sides = TwoSides::Build(world, {.a = type});
    stun::Server server{stun::ServerOptions{}};
    HostDriver<stun::Server, Ignore> at_server(world, sides.server_host, server, Ignore{});
    const auto server_address = at_server.Bind({sides.server_address, 3478});
    Rng rng = world.ForkRng();
    stun::Client client(stun::ClientOptions{}, rng);
    std::optional<SocketAddress> mapped;
    auto note = [&](const stun::Client::Event& event) {
      if (const auto* ok = std::get_if<stun::event::BindingSucceeded>(&event)) mapped = ok->mapped;
    };
    HostDriver<stun::Client, decltype(note)> at_client(world, sides.a_host, client, note);
    const auto local = at_client.Bind({sides.a_address, 5000});
    ASSERT_TRUE(client.StartBinding(world.now(), local, server_address));
    at_client.Kick();
    const bool answered = world.RunUntil([&] { return mapped.has_value(); }, seconds(5));
    ASSERT_EQ(answered, type != NatType::kUdpBlocked) << ToString(type);
    if (!answered) continue;
    EXPECT_EQ(*mapped == local, type == NatType::kPublic || type == NatType::kFirewall) << ToString(type);
  }
}

TEST(HostDriverTest, RecoversFromLossByItsTimer) {  // RFC 8489 §6.2.1
  World world(5);
  LinkOptions lossy;
  lossy.loss = UniformLoss{0.5};
  const auto sides = TwoSides::Build(world, {.a_access = lossy});
  stun::Server server{stun::ServerOptions{}};
  HostDriver<stun::Server, Ignore> at_server(world, sides.server_host, server, Ignore{});
  const auto server_address = at_server.Bind({sides.server_address, 3478});
  Rng rng = world.ForkRng();
  stun::Client client(stun::ClientOptions{}, rng);
  int succeeded = 0;
  auto note = [&](const stun::Client::Event& event) {
    succeeded += std::holds_alternative<stun::event::BindingSucceeded>(event) ? 1 : 0;
  };
  HostDriver<stun::Client, decltype(note)> at_client(world, sides.a_host, client, note);
  const auto local = at_client.Bind({sides.a_address, 5000});
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(client.StartBinding(world.now(), local, server_address));
  at_client.Kick();
  world.RunFor(std::chrono::minutes(2));
  EXPECT_GE(succeeded, 6) << "each of seven sendings comes through with 25 %: 13 % of the requests fail";
}

TEST(WorldTest, TheSameSeedGivesTheSameTranscript) {
  const auto run = [](uint64_t seed) {
    World world(seed);
    world.RecordTranscript();
    LinkOptions rough;
    rough.jitter = milliseconds(4);
    rough.loss = UniformLoss{0.2};
    rough.duplication = 0.1;
    rough.reordering = 0.1;
    const auto sides = TwoSides::Build(world, {.a_access = rough});
    Recorder at_server(world, sides.server_host);
    at_server.echo = true;
    const auto server = world.Bind(at_server.id, {sides.server_address, 80});
    Recorder at_a(world, sides.a_host);
    const auto local = world.Bind(at_a.id, {sides.a_address, 0});
    for (int i = 0; i < 200; ++i) {
      world.Send(at_a.id, local, server, kPing);
      world.RunFor(milliseconds(3));
    }
    return world.transcript();
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(WorldTest, ANatThatRejectsTellsTheSender) {  // RFC 4787 §9 REQ-12
  for (const auto type : {NatType::kPort, NatType::kPortReject}) {
    World world(1);
    const TwoSides sides = TwoSides::Build(world, {.a = type});
    Recorder z(world, sides.z_host);
    const SocketAddress from = world.Bind(z.id, {sides.z_address, 0});
    const SocketAddress closed = *SocketAddress::Parse("203.0.113.1:7000");
    const Timestamp start = world.now();
    world.Send(z.id, from, closed, kPing);
    world.RunFor(milliseconds(35));
    EXPECT_EQ(z.unreachable, type == NatType::kPortReject ? std::vector{closed} : std::vector<SocketAddress>{});
    EXPECT_EQ(world.now() - start, milliseconds(35));
  }
}

TEST(WorldTest, TellsTheReceiverWhatTheLinksMadeOfTheMark) {  // RFC 3168 §5
  World world(1);
  TwoSidesOptions options;
  options.a = NatType::kPort;
  options.z_access.bytes_per_second = 100'000;
  options.z_access.mark_above_bytes = 1000;
  const TwoSides sides = TwoSides::Build(world, options);
  Recorder a(world, sides.a_host);
  Recorder z(world, sides.z_host);
  const SocketAddress from = world.Bind(a.id, {sides.a_address, 0});
  const SocketAddress to = world.Bind(z.id, {sides.z_address, 0});
  world.Send(a.id, from, to, std::vector<uint8_t>(1400), {.ecn = EcnMark::kEct0});
  world.RunFor(seconds(1));
  EXPECT_EQ(z.last_mark, EcnMark::kEct0);
  for (int i = 0; i < 3; ++i) world.Send(a.id, from, to, std::vector<uint8_t>(1400), {.ecn = EcnMark::kEct0});
  world.RunFor(seconds(1));
  EXPECT_EQ(z.received, 4);
  EXPECT_EQ(z.last_mark, EcnMark::kCe);
}

TEST(WorldTest, TellsTheSenderOfWhatWasTooBigInItsOwnAddresses) {  // RFC 8201 §3
  World world(1);
  TwoSidesOptions options;
  options.a = NatType::kPort;
  options.a_access.mtu = 1280;
  options.a_access.too_big = TooBig::kReport;
  const TwoSides sides = TwoSides::Build(world, options);
  Recorder a(world, sides.a_host);
  Recorder z(world, sides.z_host);
  const SocketAddress from = world.Bind(a.id, {sides.a_address, 0});
  const SocketAddress to = world.Bind(z.id, {sides.z_address, 0});
  world.Send(a.id, from, to, std::vector<uint8_t>(1400));
  world.Send(a.id, from, to, std::vector<uint8_t>(1400), {IpFragmentation::kAllowed});
  world.Send(a.id, from, to, std::vector<uint8_t>(1000));
  world.RunFor(seconds(1));
  ASSERT_EQ(a.reports.size(), 1u);
  EXPECT_EQ(a.reports[0].local, from);
  EXPECT_EQ(a.reports[0].remote, to);
  EXPECT_EQ(a.reports[0].mtu, 1280u);
  EXPECT_EQ(z.received, 2);
}

}  // namespace
}  // namespace jsp::netsim
