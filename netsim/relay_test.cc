// Whole peers through STUN and TURN servers in virtual time.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "dtls/certificate.h"
#include "dtls/stream_identity.h"
#include "netsim/peer_driver.h"
#include "netsim/relay_host.h"
#include "netsim/two_sides.h"

namespace jsp::netsim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using transport::ConnectionState;
using transport::Peer;
using turn::ControlTransport;

constexpr const char* kUser = "user";
constexpr const char* kPassword = "pass";
constexpr const char* kName = "relay.example";

const dtls::StreamIdentity& Identity() {
  static const dtls::StreamIdentity identity = *dtls::MakeStreamIdentity({.names = {"DNS:relay.example"}});
  return identity;
}

struct Side {
  Side(World& w, NodeId host, IpAddress address, const transport::PeerOptions& options)
      : world(w), tcp(w, host), rng(w.ForkRng()), peer(options, rng, w.now()), driver(w, host, tcp, peer, address) {
    driver.SetObserver({this, &Side::HandleEvent});
    driver.Gather();
  }
  static void HandleEvent(void* self, transport::PeerEvent event) {
    static_cast<Side*>(self)->events.push_back(std::move(event));
  }
  bool Has(ice::CandidateType type) const {
    return std::ranges::any_of(peer.stats().local_candidates, [&](const auto& c) { return c.type == type; });
  }

  World& world;
  TcpHost tcp;
  Rng rng;
  Peer peer;
  PeerDriver driver;
  std::vector<transport::PeerEvent> events;
};

// Two sides, a server host with a relay, and signalling in no time.
struct RelayTest : ::testing::Test {
  struct Setup {
    TwoSidesOptions layout{};
    std::vector<ControlTransport> relays{ControlTransport::kUdp};
    bool only_relays = false;
    std::string password = kPassword;
    std::string name = kName;
    uint64_t seed = 1;
  };
  void Build(const Setup& setup) {
    a.reset();
    z.reset();
    relay.reset();
    server_tcp.reset();
    world = std::make_unique<World>(setup.seed);
    const auto sides = TwoSides::Build(*world, setup.layout);
    server_tcp = std::make_unique<TcpHost>(*world, sides.server_host);
    auto relay_options = RelayHost::DefaultOptions(sides.server_address, kUser, kPassword);
    relay_options.tls = *dtls::StreamContext::ForServer(Identity().chain_pem, Identity().key_pem);
    relay = std::make_unique<RelayHost>(*world, sides.server_host, *server_tcp, std::move(relay_options));
    const auto trust = *dtls::StreamContext::ForClient({.ca_pem = Identity().chain_pem});
    transport::PeerOptions options;
    options.certificate = *dtls::Certificate::Generate();
    options.stun_servers = {relay->address()};
    options.only_relays = setup.only_relays;
    for (const auto transport : setup.relays) {
      options.relay_servers.push_back(
          {.address = transport == ControlTransport::kTls ? relay->tls_address() : relay->address(),
           .transport = transport,
           .host = setup.name,
           .username = kUser,
           .password = setup.password,
           .tls = trust});
    }
    a = std::make_unique<Side>(*world, sides.a_host, sides.a_address, options);
    z = std::make_unique<Side>(*world, sides.z_host, sides.z_address, options);
  }
  bool Connect(Duration limit = seconds(60)) {
    const auto gathered = [&] { return !a->peer.is_gathering() && !z->peer.is_gathering(); };
    if (!world->RunUntil(gathered, seconds(10))) return false;
    const auto offer = a->peer.CreateOffer(world->now());
    if (!offer || !z->peer.SetRemoteDescription(world->now(), transport::SdpType::kOffer, *offer)) return false;
    const auto answer = z->peer.CreateAnswer(world->now());
    z->driver.Kick();
    if (!answer || !a->peer.SetRemoteDescription(world->now(), transport::SdpType::kAnswer, *answer)) return false;
    a->driver.Kick();
    const auto up = [](const Side& side) { return side.peer.state() == ConnectionState::kCompleted; };
    return world->RunUntil([&] { return up(*a) && up(*z); }, limit);
  }
  // Sends `size` octets in messages of at most 16 KiB from a to z; what arrived.
  size_t Transfer(size_t size, Duration limit) {
    const auto channel = a->peer.OpenChannel(world->now(), {.label = "bulk"});
    size_t sent = 0, arrived = 0;
    (void)world->RunUntil(
        [&] {
          while (sent < size && a->peer.send_buffer_room() >= 16384) {
            const size_t part = std::min<size_t>(16384, size - sent);
            if (!a->peer.Send(world->now(), *channel, datachannel::MessageKind::kBinary, std::vector<uint8_t>(part))) {
              break;
            }
            sent += part;
            a->driver.Kick();
          }
          bool read = false;
          while (const auto message = z->peer.PollAnyMessage(world->now())) {
            arrived += message->payload.size();
            read = true;
          }
          if (read) z->driver.Kick();
          return arrived == size;
        },
        limit);
    return arrived;
  }

  std::unique_ptr<World> world;
  std::unique_ptr<TcpHost> server_tcp;
  std::unique_ptr<RelayHost> relay;
  std::unique_ptr<Side> a;
  std::unique_ptr<Side> z;
};

TEST_F(RelayTest, PeersMeetAtTheirRelaysOverEachTransport) {  // RFC 8656 §3.1
  for (const auto transport : {ControlTransport::kUdp, ControlTransport::kTcp, ControlTransport::kTls}) {
    SCOPED_TRACE(transport::RelayProtocolName(transport));
    Build({.layout = {.a = NatType::kSymmetric, .z = NatType::kSymmetric}, .relays = {transport}, .only_relays = true});
    ASSERT_TRUE(Connect());
    const auto stats = a->peer.stats();
    EXPECT_EQ(stats.selected_pair->local.type, ice::CandidateType::kRelayed);
    EXPECT_EQ(stats.selected_relay, transport);
    EXPECT_EQ(relay->server().allocations(), 2u);
    EXPECT_EQ(relay->connections(), transport == ControlTransport::kUdp ? 0u : 2u);
    EXPECT_EQ(Transfer(500'000, seconds(30)), 500'000u);
  }
}

TEST_F(RelayTest, OneRelayIsEnoughWhereTheDirectWayIsClosed) {
  Build({.layout = {.a = NatType::kSymmetric, .z = NatType::kSymmetric}});
  ASSERT_TRUE(Connect());
  const auto pair = *a->peer.stats().selected_pair;
  EXPECT_TRUE(pair.local.type == ice::CandidateType::kRelayed || pair.remote.type == ice::CandidateType::kRelayed);
}

TEST_F(RelayTest, WhereUdpIsBlockedOnlyTheRelayOverTcpIsLeft) {
  Build({.layout = {.a = NatType::kUdpBlocked, .z = NatType::kPort},
         .relays = {ControlTransport::kUdp, ControlTransport::kTcp}});
  ASSERT_TRUE(Connect());
  const auto stats = a->peer.stats();
  EXPECT_EQ(stats.selected_relay, ControlTransport::kTcp);
  ASSERT_EQ(stats.relay_failures.size(), 1u);
  EXPECT_EQ(stats.relay_failures[0].reason, "it does not answer; is it a TURN server, and is the way to it open?");
  EXPECT_FALSE(a->Has(ice::CandidateType::kServerReflexive));
}

TEST_F(RelayTest, OnlyRelaysGatherAndUseNothingElse) {  // RFC 8828 §5
  Build({.relays = {ControlTransport::kUdp}, .only_relays = true});
  ASSERT_TRUE(Connect());
  EXPECT_FALSE(a->Has(ice::CandidateType::kHost));
  EXPECT_EQ(a->peer.stats().selected_pair->local.type, ice::CandidateType::kRelayed);
  EXPECT_EQ(z->peer.stats().selected_pair->local.type, ice::CandidateType::kRelayed);
}

TEST_F(RelayTest, AWrongPasswordIsToldAsSuch) {  // RFC 8489 §9.2.4
  Build({.relays = {ControlTransport::kTcp}, .only_relays = true, .password = "guess"});
  world->RunFor(seconds(5));
  EXPECT_EQ(a->peer.state(), ConnectionState::kFailed);
  EXPECT_NE(a->peer.stats().state_reason.find("refuses the user name or the password"), std::string::npos)
      << a->peer.stats().state_reason;
  EXPECT_EQ(relay->server().allocations(), 0u);
}

TEST_F(RelayTest, ACertificateOfAnotherNameIsNotBelieved) {  // RFC 8489 §6.2.3
  Build({.relays = {ControlTransport::kTls}, .only_relays = true, .name = "turn.example"});
  world->RunFor(seconds(5));
  EXPECT_EQ(a->peer.state(), ConnectionState::kFailed);
  EXPECT_NE(a->peer.stats().state_reason.find("TLS: "), std::string::npos) << a->peer.stats().state_reason;
  EXPECT_EQ(relay->server().allocations(), 0u);
  EXPECT_EQ(relay->connections(), 0u);
}

TEST_F(RelayTest, WhenOnePeerClosesBothDeleteTheirAllocations) {  // RFC 8656 §8
  for (const auto transport : {ControlTransport::kUdp, ControlTransport::kTcp, ControlTransport::kTls}) {
    Build({.relays = {transport}, .only_relays = true});
    ASSERT_TRUE(Connect());
    EXPECT_EQ(relay->server().allocations(), 2u);
    a->peer.Close(world->now());
    a->driver.Kick();
    world->RunFor(seconds(2));
    EXPECT_EQ(relay->server().allocations(), 0u) << transport::RelayProtocolName(transport);
  }
}

TEST_F(RelayTest, SurvivesLossOnTheWayToTheRelay) {
  for (const auto transport : {ControlTransport::kUdp, ControlTransport::kTcp, ControlTransport::kTls}) {
    SCOPED_TRACE(transport::RelayProtocolName(transport));
    Setup setup{.layout = {.a = NatType::kSymmetric, .z = NatType::kSymmetric}, .relays = {transport}, .seed = 5};
    setup.layout.a_access.loss = UniformLoss{0.02};
    Build(setup);
    ASSERT_TRUE(Connect());
    EXPECT_EQ(Transfer(300'000, seconds(60)), 300'000u);
  }
}

TEST_F(RelayTest, AStreamThatIsFullHoldsThePeerBack) {
  Setup setup{.layout = {}, .relays = {ControlTransport::kTcp}, .only_relays = true};
  setup.layout.a_access.bytes_per_second = 125'000;
  Build(setup);
  ASSERT_TRUE(Connect());
  EXPECT_EQ(Transfer(2'000'000, seconds(60)), 2'000'000u);
  // 16 s for the payload alone; relaying, DTLS and TCP add about a tenth.
  EXPECT_EQ(a->peer.stats().relays.dropped_unsendable, 0u);
}

TEST_F(RelayTest, TheSameSeedGivesTheSameTimes) {
  const auto run = [&] {
    Build({.layout = {.a = NatType::kUdpBlocked, .z = NatType::kSymmetric},
           .relays = {ControlTransport::kUdp, ControlTransport::kTcp},
           .seed = 9});
    EXPECT_TRUE(Connect());
    return world->now();
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace jsp::netsim
