#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "netsim/nat_type.h"
#include "netsim/tcp_connection.h"
#include "netsim/tcp_host.h"
#include "netsim/two_sides.h"
#include "netsim/world.h"

namespace jsp::netsim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Remembers what its connection did; echoes what comes when told to.
struct Application {
  explicit Application(World& w, NodeId node) : world(w), tcp(w, node) {}
  TcpObserver observer() {
    return {this, &Application::HandleConnected, &Application::HandleOctets, &Application::HandleClosed,
            &Application::HandleWritable};
  }
  TcpListener listener() { return {this, &Application::Accept}; }

  static TcpObserver Accept(void* self, TcpSocketId id, const SocketAddress&, const SocketAddress& remote) {
    auto& app = *static_cast<Application*>(self);
    app.accepted.push_back(id);
    app.remote = remote;
    return app.observer();
  }
  static void HandleConnected(void* self, TcpSocketId) {
    auto& app = *static_cast<Application*>(self);
    app.connected_at = app.world.now();
  }
  static void HandleOctets(void* self, TcpSocketId id, std::span<const uint8_t> octets) {
    auto& app = *static_cast<Application*>(self);
    app.received.insert(app.received.end(), octets.begin(), octets.end());
    if (app.echo) app.tcp.Write(id, octets);
  }
  static void HandleClosed(void* self, TcpSocketId, TcpEnd end) {
    auto& app = *static_cast<Application*>(self);
    app.end = end;
    app.ended_at = app.world.now();
  }
  static void HandleWritable(void* self, TcpSocketId) { ++static_cast<Application*>(self)->writable; }

  World& world;
  TcpHost tcp;
  bool echo = false;
  std::vector<TcpSocketId> accepted;
  SocketAddress remote;
  std::vector<uint8_t> received;
  Timestamp connected_at;
  std::optional<TcpEnd> end;
  Timestamp ended_at;
  int writable = 0;
};

std::vector<uint8_t> Pattern(size_t size) {
  std::vector<uint8_t> octets(size);
  for (size_t i = 0; i < size; ++i) octets[i] = static_cast<uint8_t>(i * 7 + i / 251);
  return octets;
}

// A client behind side a, a server in the open that listens at 443 and 3478.
struct TcpTest : ::testing::Test {
  void Build(const TwoSidesOptions& options, uint64_t seed = 1) {
    client.reset();
    server.reset();
    world = std::make_unique<World>(seed);
    sides = TwoSides::Build(*world, options);
    client = std::make_unique<Application>(*world, sides.a_host);
    server = std::make_unique<Application>(*world, sides.server_host);
    for (const uint16_t port : {uint16_t{443}, uint16_t{3478}})
      server->tcp.Listen({sides.server_address, port}, server->listener());
  }
  void Connect(uint16_t port = 443) {
    start = world->now();
    id = client->tcp.Connect(sides.a_address, {sides.server_address, port}, client->observer());
  }
  bool RunUntilReceived(const Application& app, size_t octets, Duration limit) {
    return world->RunUntil([&] { return app.received.size() >= octets; }, limit);
  }

  std::unique_ptr<World> world;
  TwoSides sides;
  std::unique_ptr<Application> client;
  std::unique_ptr<Application> server;
  Timestamp start;
  TcpSocketId id;
};

TEST_F(TcpTest, ConnectsInOneRoundTripAndEchoesInAnother) {  // RFC 9293 §3.5
  Build({});
  server->echo = true;
  Connect();
  world->RunFor(seconds(1));
  EXPECT_EQ(client->connected_at - start, milliseconds(40));
  ASSERT_EQ(server->accepted.size(), 1u);
  EXPECT_EQ(server->connected_at - start, milliseconds(60));
  const Timestamp sent = world->now();
  client->tcp.Write(id, Pattern(100));
  ASSERT_TRUE(RunUntilReceived(*client, 100, seconds(1)));
  EXPECT_EQ(world->now() - sent, milliseconds(40));
  EXPECT_EQ(client->received, Pattern(100));
}

TEST_F(TcpTest, DeliversEverythingInOrderOverLinksThatLoseReorderAndCorrupt) {  // RFC 9293 §3.10.7.4
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    LinkOptions rough;
    rough.loss = UniformLoss{0.05};
    rough.jitter = milliseconds(3);
    rough.reordering = 0.05;
    rough.duplication = 0.05;
    rough.corruption = 0.02;
    Build({.a = NatType::kPort, .a_access = rough}, seed);
    server->echo = true;
    Connect();
    const auto sent = Pattern(300'000);
    client->tcp.Write(id, sent);  // before the connection is there
    ASSERT_TRUE(RunUntilReceived(*client, sent.size(), seconds(600)));
    EXPECT_EQ(client->received, sent);
    EXPECT_GT(client->tcp.stats().bad_checksum + server->tcp.stats().bad_checksum, 0u);
    client->tcp.Close(id);
    ASSERT_TRUE(
        world->RunUntil([&] { return client->tcp.connections() + server->tcp.connections() == 0; }, seconds(300)));
    EXPECT_GT(client->tcp.stats().retransmissions, 0u);
    EXPECT_EQ(server->end, TcpEnd::kClosed);
  }
}

TEST_F(TcpTest, FillsABottleneckWithoutLoss) {  // RFC 5681 §3.1
  LinkOptions slow;
  slow.bytes_per_second = 1'250'000;  // 10 Mbit/s, with a queue of 256 KiB
  Build({.a_access = slow});
  Connect();
  const auto sent = Pattern(4'000'000);
  client->tcp.Write(id, sent);
  ASSERT_TRUE(RunUntilReceived(*server, sent.size(), seconds(60)));
  const double took = static_cast<double>((world->now() - start).count()) / 1e6;
  // 4 MB and 2740 headers of 40 octets at 1.25 MB/s are 3.29 s. Slow start idles for about five round trips; the queue
  // overflows once in slow start, and NewReno repairs one segment each round trip, which the full queue hides in part.
  EXPECT_GT(took, 3.29);
  EXPECT_LT(took, 3.29 * 3);
  EXPECT_EQ(server->received, sent);
}

TEST_F(TcpTest, ThroughputUnderLossIsAboutWhatTheoryAllows) {
  LinkOptions lossy;
  lossy.loss = UniformLoss{0.01};
  Build({.a_access = lossy}, 3);
  Connect();
  const auto sent = Pattern(2'000'000);
  client->tcp.Write(id, sent);
  ASSERT_TRUE(RunUntilReceived(*server, sent.size(), seconds(120)));
  const double rate = 2'000'000.0 / (static_cast<double>((world->now() - start).count()) / 1e6);
  // Mathis: MSS / RTT * sqrt(3 / 2p) = 1460 / 0.04 * 12.2 = 447 kB/s; acknowledgments of every segment help, several
  // losses in a window and timeouts hurt: a factor of two either way.
  EXPECT_GT(rate, 200'000);
  EXPECT_LT(rate, 900'000);
}

TEST_F(TcpTest, ALostSynIsSentAgainAfterASecond) {  // RFC 6298 §2
  Build({});
  LinkOptions dead;
  dead.loss = UniformLoss{1};
  world->SetLink(sides.a_host, dead);
  Connect();
  world->RunFor(milliseconds(500));
  world->SetLink(sides.a_host, {});
  world->RunFor(seconds(2));
  EXPECT_EQ(client->connected_at - start, milliseconds(1040));
}

TEST_F(TcpTest, GivesUpOnAServerThatIsSilent) {
  Build({});
  LinkOptions dead;
  dead.loss = UniformLoss{1};
  world->SetLink(sides.server_host, dead);
  Connect();
  world->RunFor(seconds(200));
  EXPECT_EQ(client->end, TcpEnd::kTimedOut);
  EXPECT_EQ(client->ended_at - start, seconds(1 + 2 + 4 + 8 + 16 + 32 + 60));
  EXPECT_EQ(client->tcp.connections(), 0u);
}

TEST_F(TcpTest, AClosedPortRefusesAtOnce) {  // RFC 9293 §3.5.2
  Build({});
  Connect(80);
  world->RunFor(seconds(1));
  EXPECT_EQ(client->end, TcpEnd::kReset);
  EXPECT_EQ(client->ended_at - start, milliseconds(40));
}

TEST_F(TcpTest, CloseDeliversWhatWasWrittenFirst) {  // RFC 9293 §3.6
  Build({});
  Connect();
  client->tcp.Write(id, Pattern(50'000));
  world->RunFor(milliseconds(45));
  client->tcp.Close(id);
  world->RunFor(seconds(5));
  EXPECT_EQ(server->received, Pattern(50'000));
  EXPECT_EQ(server->end, TcpEnd::kClosed);
  EXPECT_FALSE(client->end) << "who closes hears nothing";
  EXPECT_EQ(client->tcp.connections() + server->tcp.connections(), 0u);
}

TEST_F(TcpTest, AbortResetsTheOtherSide) {  // RFC 9293 §3.5.2
  Build({});
  Connect();
  world->RunFor(seconds(1));
  client->tcp.Abort(id);
  world->RunFor(seconds(1));
  EXPECT_EQ(server->end, TcpEnd::kReset);
  EXPECT_EQ(client->tcp.connections() + server->tcp.connections(), 0u);
}

TEST_F(TcpTest, TellsWhenThereIsRoomAgain) {
  Build({});
  Connect();
  world->RunFor(seconds(1));
  client->tcp.Write(id, Pattern(TcpHost::kBusy + 1));
  EXPECT_TRUE(client->tcp.IsBusy(id));
  world->RunFor(seconds(10));
  EXPECT_FALSE(client->tcp.IsBusy(id));
  EXPECT_EQ(client->writable, 1);
}

TEST_F(TcpTest, GoesThroughEveryKindOfNatThatLetsTcpOut) {  // RFC 5382 §4.2 REQ-2
  for (const auto type : AllNatTypes()) {
    SCOPED_TRACE(ToString(type));
    Build({.a = type});
    server->echo = true;
    Connect(3478);
    client->tcp.Write(id, Pattern(1000));
    ASSERT_TRUE(RunUntilReceived(*client, 1000, seconds(2)));
    EXPECT_EQ(server->remote.ip, IpAddress::V4(203, 0, 113, 1));
  }
}

TEST_F(TcpTest, AFirewallForHttpsOnlyLetsPort443Pass) {
  for (const uint16_t port : {uint16_t{443}, uint16_t{3478}}) {
    World w(1);
    NatOptions options = OptionsFor(NatType::kUdpBlocked);
    options.outbound = OutboundPolicy::kOnlyTcp443;
    const IpAddress inside = IpAddress::V4(10, 0, 0, 2);
    const IpAddress outside = IpAddress::V4(198, 51, 100, 1);
    const NodeId nat = w.AddNat(World::kInternet, IpAddress::V4(203, 0, 113, 1), options, {});
    Application at_host(w, w.AddHost(nat, inside, {}));
    Application at_server(w, w.AddHost(World::kInternet, outside, {}));
    at_server.tcp.Listen({outside, port}, at_server.listener());
    at_host.tcp.Connect(inside, {outside, port}, at_host.observer());
    w.RunFor(seconds(1));
    EXPECT_EQ(at_server.accepted.size(), port == 443 ? 1u : 0u);
    EXPECT_EQ(w.nat(nat).stats().blocked > 0, port != 443);
  }
}

TEST_F(TcpTest, ANatForgetsAnIdleConnectionAfterTwoHoursAndFourMinutes) {  // RFC 5382 §5 REQ-5
  for (const auto idle : {std::chrono::minutes(123), std::chrono::minutes(125)}) {
    Build({.a = NatType::kSymmetric});
    server->echo = true;
    Connect();
    world->RunFor(idle);
    client->tcp.Write(id, Pattern(10));
    // Another mapping: the server does not know that connection, and resets it.
    EXPECT_EQ(RunUntilReceived(*client, 10, seconds(2)), idle < std::chrono::minutes(124));
  }
}

// Two connections that talk to each other through a test's hands.
struct Wire {
  TcpConnection a{TcpOptions{}};
  TcpConnection z{TcpOptions{}};
  Timestamp now = Timestamp::FromEpoch(seconds(1));
  std::vector<uint8_t> out = std::vector<uint8_t>(1500);
};

TEST(TcpConnectionTest, OpensWhenBothSidesConnectAtOnce) {  // RFC 9293 §3.5, RFC 5382 §4.2 REQ-2
  Wire w;
  w.a.Connect();
  w.z.Connect();
  for (int round = 0; round < 4; ++round) {
    std::vector<TcpHeader> from_a, from_z;
    while (auto t = w.a.PollTransmit(w.now, w.out)) from_a.push_back(t->header);
    while (auto t = w.z.PollTransmit(w.now, w.out)) from_z.push_back(t->header);
    for (const auto& header : from_a) w.z.HandleSegment(w.now, header, {});
    for (const auto& header : from_z) w.a.HandleSegment(w.now, header, {});
  }
  const auto at_a = w.a.PollEvent();
  const auto at_z = w.z.PollEvent();
  EXPECT_TRUE(at_a && std::holds_alternative<tcp_event::Connected>(*at_a));
  EXPECT_TRUE(at_z && std::holds_alternative<tcp_event::Connected>(*at_z));
}

TEST(TcpConnectionTest, AResetOutsideOfTheWindowDoesNothing) {  // RFC 9293 §3.10.7.4
  Wire w;
  w.a.Connect();
  const auto syn = w.a.PollTransmit(w.now, w.out);
  ASSERT_TRUE(syn);
  w.z.Accept(syn->header);
  w.a.HandleSegment(w.now, w.z.PollTransmit(w.now, w.out)->header, {});
  w.a.HandleSegment(w.now, {.sequence = 0, .rst = true}, {});
  EXPECT_FALSE(w.a.is_ended());
  w.a.HandleSegment(w.now, {.sequence = 1, .rst = true}, {});
  EXPECT_TRUE(w.a.is_ended());
}

}  // namespace
}  // namespace jsp::netsim
