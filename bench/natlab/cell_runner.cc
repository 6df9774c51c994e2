#include "bench/natlab/cell_runner.h"

#include <memory>
#include <utility>
#include <vector>

#include "dtls/certificate.h"
#include "netsim/host.h"
#include "netsim/two_sides.h"
#include "stun/server.h"
#include "transport/peer.h"

namespace jsp::natlab {
namespace {

using netsim::NatType;
using netsim::World;
using transport::ConnectionState;
using transport::Peer;

constexpr Duration kAccessDelay = std::chrono::milliseconds(10);
constexpr Duration kDeadline = std::chrono::seconds(90);  // beyond ICE's own (RFC 8863 §3: 39.5 s)
constexpr uint16_t kStunPort = 3478;

struct Ignore {
  template <class Event>
  void operator()(Event&&) const {}
};

// One side: a peer, its generator and its driver.
struct Side {
  Side(World& world, netsim::NodeId host, IpAddress address, const transport::PeerOptions& options)
      : rng(world.ForkRng()), peer(options, rng, world.now()), driver(world, host, peer, Ignore{}) {
    const SocketAddress bound = driver.Bind({address, 0});
    peer.AddLocalAddress(world.now(), {bound});
    peer.EndOfLocalAddresses(world.now());
    driver.Kick();
  }
  bool IsOver() const { return peer.state() == ConnectionState::kFailed || peer.state() == ConnectionState::kClosed; }

  Rng rng;
  Peer peer;
  netsim::HostDriver<Peer, Ignore> driver;
};

transport::PeerOptions PeerOptionsFor(const std::shared_ptr<const dtls::Certificate>& certificate,
                                      const SocketAddress& stun_server) {
  transport::PeerOptions options;
  options.certificate = certificate;
  options.stun_servers = {stun_server};
  return options;
}

// Offer and answer travel as text, each as long as an access link takes. False when a side gave up.
bool Signal(World& world, Side& a, Side& z) {
  const auto gathered = [&] { return !a.peer.is_gathering() && !z.peer.is_gathering(); };
  if (!world.RunUntil(gathered, kDeadline)) return false;
  const auto offer = a.peer.CreateOffer(world.now());
  world.RunFor(kAccessDelay);
  if (!offer || !z.peer.SetRemoteDescription(world.now(), transport::SdpType::kOffer, *offer)) return false;
  const auto answer = z.peer.CreateAnswer(world.now());
  z.driver.Kick();
  world.RunFor(kAccessDelay);
  if (!answer || !a.peer.SetRemoteDescription(world.now(), transport::SdpType::kAnswer, *answer)) return false;
  a.driver.Kick();
  return true;
}

std::string PairType(const Peer& peer) {
  const auto stats = peer.stats();
  if (!stats.selected_pair) return {};
  return std::string(ice::ToString(stats.selected_pair->local.type)) + "-" +
         ice::ToString(stats.selected_pair->remote.type);
}

std::string Explain(NatType a, NatType b, const Side& side) {
  using M = netsim::MappingBehavior;
  const bool a_moves = netsim::OptionsFor(a).mapping != M::kEndpointIndependent;
  const bool b_moves = netsim::OptionsFor(b).mapping != M::kEndpointIndependent;
  std::string why;
  if (a_moves && b_moves) {
    why = "both sides map per destination, so neither's signalled address is where its checks come from";
  } else if (a_moves || b_moves) {
    why = std::string(a_moves ? "a" : "b") +
          " maps per destination, and the other side's filter admits only the port that it sent to";
  } else {
    why = "the checks did not get through";
  }
  return why + "; no relay is available (" + side.peer.stats().state_reason + ")";
}

}  // namespace

RunResult RunCell(NatType a_type, NatType b_type, uint64_t seed) {
  World world(seed);
  netsim::TwoSidesOptions layout;
  layout.a = a_type;
  layout.z = b_type;
  const auto sides = netsim::TwoSides::Build(world, layout);
  stun::Server server{stun::ServerOptions{}};
  netsim::HostDriver<stun::Server, Ignore> server_driver(world, sides.server_host, server, Ignore{});
  const SocketAddress stun_server = server_driver.Bind({sides.server_address, kStunPort});

  RunResult result;
  const auto certificate = dtls::Certificate::Generate();
  if (!certificate) {
    result.why = "no certificate: " + certificate.error();
    return result;
  }
  const auto options = PeerOptionsFor(*certificate, stun_server);
  const Timestamp start = world.now();
  Side a(world, sides.a_host, sides.a_address, options);
  Side z(world, sides.z_host, sides.z_address, options);
  const auto channel = a.peer.OpenChannel(world.now(), {.label = "natlab"});
  const std::vector<uint8_t> text = {'h', 'i'};
  if (channel) (void)a.peer.Send(world.now(), *channel, datachannel::MessageKind::kString, text);

  bool echoed = false;
  std::optional<Duration> first;
  const auto done = [&] {
    while (auto message = z.peer.PollAnyMessage(world.now())) {
      if (!first) first = world.now() - start;
      (void)z.peer.Send(world.now(), message->channel, message->kind, std::move(message->payload));
      z.driver.Kick();
    }
    while (a.peer.PollAnyMessage(world.now())) echoed = true;
    return echoed || (a.IsOver() && z.IsOver());
  };
  const bool signalled = Signal(world, a, z);
  if (signalled) (void)world.RunUntil(done, kDeadline);
  result.checks_sent = a.peer.stats().ice.checks_sent + z.peer.stats().ice.checks_sent;
  if (!echoed) {
    result.why = signalled ? Explain(a_type, b_type, a) : "signalling failed";
    return result;
  }
  result.outcome = Outcome::kDirect;
  result.pair_type = PairType(a.peer);
  result.to_first_message = first;
  return result;
}

}  // namespace jsp::natlab
