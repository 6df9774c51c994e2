#include "bench/natlab/lab.h"

#include <utility>
#include <variant>

#include "dtls/clock_shim.h"
#include "dtls/stream_identity.h"

namespace jsp::natlab {
namespace {

using transport::ConnectionState;

constexpr uint16_t kTcpPortsOfAPeer = 100;  // more than it opens
constexpr const char* kUser = "natlab";
constexpr const char* kPassword = "natlab";
constexpr const char* kName = "relay.example";

// The server's certificate and who believes it, once for all labs of the process.
struct Tls {
  std::shared_ptr<const dtls::StreamContext> server;
  std::shared_ptr<const dtls::StreamContext> trust;
  std::string error;
};

Tls MakeTls() {
  (void)dtls::SeedOpenSslRandomForSimulation(0);
  const auto identity = dtls::MakeStreamIdentity({.names = {std::string("DNS:") + kName}});
  if (!identity) return {nullptr, nullptr, identity.error()};
  const auto server = dtls::StreamContext::ForServer(identity->chain_pem, identity->key_pem);
  const auto trust = dtls::StreamContext::ForClient({.ca_pem = identity->chain_pem});
  if (!server || !trust) return {nullptr, nullptr, server ? trust.error() : server.error()};
  return {*server, *trust, {}};
}

const Tls& SharedTls() {
  static const Tls tls = MakeTls();
  return tls;
}

}  // namespace

LabSide::LabSide(netsim::World& world, netsim::NodeId host, IpAddress address, const transport::PeerOptions& options,
                 uint16_t tcp_port)
    : tcp(world, host, tcp_port),
      rng(world.ForkRng()),
      peer(options, rng, world.now()),
      driver(world, host, tcp, peer, address),
      world_(world) {
  driver.SetObserver({this, &LabSide::HandleEvent});
  if (options.ice_tcp.is_passive()) driver.ListenForIceTcp(kIceTcpPort);
  driver.Gather();
}

void LabSide::HandleEvent(void* self, transport::PeerEvent event) {
  auto& side = *static_cast<LabSide*>(self);
  const auto* changed = std::get_if<transport::event::StateChanged>(&event);
  if (changed != nullptr && changed->state == ConnectionState::kCompleted && !side.nominated_at) {
    side.nominated_at = side.world_.now();
  }
  const auto* pair = std::get_if<transport::event::SelectedPairChanged>(&event);
  side.wants_restart |= std::holds_alternative<transport::event::IceRestartNeeded>(event);
  if (pair != nullptr) side.selections.push_back({side.world_.now(), pair->local.type, pair->remote.type});
}

bool LabSide::IsOver() const {
  return peer.state() == ConnectionState::kFailed || peer.state() == ConnectionState::kClosed;
}

PathEnd LabSide::path() const {
  const auto stats = peer.stats();
  const auto& pair = stats.selected_pair;
  if (!pair) return {};
  PathEnd end{.local = ice::ToString(pair->local.type), .remote = ice::ToString(pair->remote.type)};
  if (pair->local.protocol != ice::TransportProtocol::kUdp) end.protocol = "tcp";
  if (const char* relay = transport::RelayProtocolName(stats.selected_relay)) end.relay_protocol = relay;
  return end;
}

Lab::Lab(const LabOptions& options) : world(options.seed), layout(options.layout), start(world.now()) {
  const Tls& tls = SharedTls();
  making_.trust = tls.trust;
  error_ = tls.error;
  if (!error_.empty()) return;
  (void)dtls::SeedOpenSslRandomForSimulation(options.seed);
  sides = netsim::TwoSides::Build(world, layout);
  server_tcp_ = std::make_unique<netsim::TcpHost>(world, sides.server_host);
  auto server_options = netsim::RelayHost::DefaultOptions(sides.server_address, kUser, kPassword);
  server_options.tls = tls.server;
  server_ = std::make_unique<netsim::RelayHost>(world, sides.server_host, *server_tcp_, std::move(server_options));
  if (options.capture) {
    a_capture = std::make_unique<Capture>(world, sides.a_host);
    z_capture = std::make_unique<Capture>(world, sides.z_host);
  }
  making_.collects_keys = options.capture;
  making_.signalling = options.signalling;
  making_.restart_patience = options.restart_patience;
  making_.release_spare_relays = options.release_spare_relays;
  if (options.crosses_hard_nats) AddSecondServer();
  const auto certificate = dtls::Certificate::Generate();
  if (!certificate) {
    error_ = "no certificate: " + certificate.error();
    return;
  }
  making_.certificate = *certificate;
  making_.a = options.a;
  making_.z = options.z;
  Renew();
}

void Lab::AddSecondServer() {
  const IpAddress ip =
      sides.server_address.is_v4() ? IpAddress::V4(198, 51, 100, 2) : *IpAddress::Parse("2001:db8:b::2");
  world.AddAddress(sides.server_host, ip);
  second_driver_ = std::make_unique<StunDriver>(world, sides.server_host, second_, Ignore{});
  second_address_ = second_driver_->Bind({ip, netsim::RelayHost::kPort});
}

void Lab::Renew() {
  if (a && a_capture) a_capture->AddKeys(a->peer.TakeKeyLog());
  if (z && z_capture) z_capture->AddKeys(z->peer.TakeKeyLog());
  a.reset();
  z.reset();
  a = std::make_unique<LabSide>(world, sides.a_host, sides.a_address, PeerOptionsFor(making_.a, layout.a),
                                making_.tcp_port);
  z = std::make_unique<LabSide>(world, sides.z_host, sides.z_address, PeerOptionsFor(making_.z, layout.z),
                                making_.tcp_port);
  making_.tcp_port += kTcpPortsOfAPeer;
  error_.clear();
}

transport::PeerOptions Lab::PeerOptionsFor(const SideSetup& setup, netsim::NatType nat) const {
  transport::PeerOptions options;
  options.certificate = making_.certificate;
  // RFC 7050 §3 would find it.
  if (nat == netsim::NatType::kNat64) options.nat64 = transport::Nat64Prefix::Make(netsim::WellKnownNat64Prefix(), 96);
  options.stun_servers = {ThroughNat64(options.nat64, server_->address())};
  if (second_address_) options.stun_servers.push_back(ThroughNat64(options.nat64, *second_address_));
  options.prediction.is_enabled = options.probing.is_enabled = options.hole_opening.is_enabled =
      second_address_.has_value();
  options.only_relays = setup.only_relays;
  options.collect_keylog = making_.collects_keys;
  options.ice.mobility.restart_patience = making_.restart_patience;
  options.release_spare_relays = making_.release_spare_relays;
  options.ice_tcp.mode = setup.ice_tcp;
  for (const auto transport : setup.relays) {
    options.relay_servers.push_back(
        {.address = ThroughNat64(
             options.nat64, transport == turn::ControlTransport::kTls ? server_->tls_address() : server_->address()),
         .transport = transport,
         .host = kName,
         .username = kUser,
         .password = kPassword,
         .tls = making_.trust});
  }
  return options;
}

Duration SignallingTime(const netsim::LinkOptions& a, const netsim::LinkOptions& z) {
  constexpr uint64_t kFewPackets = 1024;  // octets
  Duration time{}, sending{};
  for (const auto* link : {&a, &z}) {
    time += link->delay + link->jitter;
    if (link->bytes_per_second > 0) {
      sending += Duration(static_cast<int64_t>(kFewPackets * 1'000'000 / link->bytes_per_second));
    }
  }
  return time + std::max<Duration>(std::chrono::milliseconds(5), sending);
}

bool Lab::Signal() {
  if (!error_.empty()) return false;
  const auto gathered = [&] { return !a->peer.is_gathering() && !z->peer.is_gathering(); };
  const auto fail = [&](std::string why) {
    error_ = std::move(why);
    return false;
  };
  if (!world.RunUntil(gathered, kGatheringDeadline)) return fail("gathering did not end");
  const auto offer = a->peer.CreateOffer(world.now());
  a->driver.Kick();  // what an offer sends by itself: openings of fresh sockets, before it can arrive
  if (!offer) return fail("no offer: " + offer.error().message);
  world.RunFor(making_.signalling);
  const auto taken = z->peer.SetRemoteDescription(world.now(), transport::SdpType::kOffer, *offer);
  if (!taken) return fail("z takes no offer: " + taken.error().message);
  // An offer that restarts ICE has z gather anew, and nothing trickles here.
  z->driver.Kick();
  if (!world.RunUntil(gathered, kGatheringDeadline)) return fail("z's gathering did not end");
  const auto answer = z->peer.CreateAnswer(world.now());
  z->driver.Kick();
  if (!answer) return fail("no answer: " + answer.error().message);
  world.RunFor(making_.signalling);
  const auto accepted = a->peer.SetRemoteDescription(world.now(), transport::SdpType::kAnswer, *answer);
  a->driver.Kick();
  if (!accepted) return fail("a takes no answer: " + accepted.error().message);
  return true;
}

bool Lab::RestartIfWanted() {
  for (LabSide* side : {a.get(), z.get()}) {
    if (!std::exchange(side->wants_restart, false) || !side->peer.RestartIce(world.now())) continue;
    side->driver.Kick();
    return Signal();
  }
  return true;
}

bool Lab::Restart() {
  error_.clear();
  a->wants_restart = z->wants_restart = false;
  if (const auto begun = a->peer.RestartIce(world.now()); !begun) {
    error_ = "no restart: " + begun.error().message;
    return false;
  }
  a->driver.Kick();
  return Signal();
}

}  // namespace jsp::natlab
