#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dtls/certificate.h"
#include "netsim/host.h"
#include "netsim/two_sides.h"
#include "netsim/world.h"
#include "stun/server.h"
#include "transport/peer.h"
namespace jsp::integration {

struct Ignore {
  template <class Event>
  void operator()(Event&&) const {}
};

// Two whole peers in the standard internet, with a STUN server; a offers. What differs between tests is in Setup.
class WholePeers {
 public:
  struct Setup {
    uint64_t seed = 1;
    netsim::TwoSidesOptions layout{};
    transport::PeerOptions options{};
    bool use_stun = true;
    bool z_offers_ecn = true;
  };
  struct Side {
    struct Note {
      Side* side;
      void operator()(transport::Peer::Event event) const { side->events.push_back(std::move(event)); }
    };
    using Driver = netsim::HostDriver<transport::Peer, Note>;

    std::unique_ptr<Rng> rng;
    std::unique_ptr<transport::Peer> peer;
    std::unique_ptr<Driver> driver;
    SocketAddress address;
    std::vector<transport::Peer::Event> events;
    std::vector<datachannel::ReceivedMessage> messages;
  };

  explicit WholePeers(Setup setup) : world(setup.seed), sides_(netsim::TwoSides::Build(world, setup.layout)) {
    server_driver_ = std::make_unique<ServerDriver>(world, sides_.server_host, server_, Ignore{});
    const SocketAddress stun = server_driver_->Bind({sides_.server_address, 3478});
    if (setup.use_stun) setup.options.stun_servers = {stun};
    Open(a, sides_.a_host, sides_.a_address, setup.options);
    setup.options.ecn = setup.options.ecn && setup.z_offers_ecn;
    Open(z, sides_.z_host, sides_.z_address, setup.options);
  }

  // Exchanges descriptions after gathering; edit(is_offer, sdp) may change them on their way.
  template <class Edit>
  bool Signal(Edit&& edit) {
    const auto gathered = [&] { return !a.peer->is_gathering() && !z.peer->is_gathering(); };
    if (!world.RunUntil(gathered, std::chrono::seconds(10))) return false;
    const auto offer = a.peer->CreateOffer(world.now());
    if (!offer || !z.peer->SetRemoteDescription(world.now(), transport::SdpType::kOffer, edit(true, *offer)))
      return false;
    const auto answer = z.peer->CreateAnswer(world.now());
    z.driver->Kick();
    if (!answer || !a.peer->SetRemoteDescription(world.now(), transport::SdpType::kAnswer, edit(false, *answer))) {
      return false;
    }
    a.driver->Kick();
    return true;
  }
  bool Connect(Duration limit = std::chrono::seconds(60)) {
    const auto done = [&] { return IsUp(a) && IsUp(z); };
    return Signal([](bool, std::string sdp) { return sdp; }) && world.RunUntil(done, limit);
  }
  void SetLinks(const netsim::LinkOptions& access) {
    world.SetLink(sides_.a_host, access);
    world.SetLink(sides_.z_host, access);
  }
  // Of the way from a to z: the links of the hosts, which are not the access links behind NATs.
  const netsim::LinkStats& uplink() const { return world.uplink_stats(sides_.a_host); }
  const netsim::LinkStats& downlink() const { return world.downlink_stats(sides_.z_host); }
  static bool IsUp(const Side& side) { return side.peer->state() == transport::ConnectionState::kCompleted; }

  // Takes what has arrived.
  void Read(Side& side) {
    while (auto message = side.peer->PollAnyMessage(world.now())) side.messages.push_back(std::move(*message));
    side.driver->Kick();
  }
  // Runs until z has `count` messages.
  bool RunUntilRead(size_t count, Duration limit) {
    return world.RunUntil(
        [&] {
          Read(z);
          return z.messages.size() >= count;
        },
        limit);
  }
  // Queues one message, waiting in virtual time while the queue is full.
  bool Send(Side& side, datachannel::ChannelId channel, std::vector<uint8_t> payload,
            datachannel::MessageKind kind = datachannel::MessageKind::kBinary) {
    const size_t size = payload.size();
    if (!world.RunUntil([&] { return side.peer->send_buffer_room() >= size; }, std::chrono::minutes(5))) return false;
    const bool sent = side.peer->Send(world.now(), channel, kind, std::move(payload)).has_value();
    side.driver->Kick();
    return sent;
  }
  template <class Event>
  static const Event* Find(const Side& side) {
    for (const auto& event : side.events) {
      if (const auto* found = std::get_if<Event>(&event)) return found;
    }
    return nullptr;
  }

  netsim::World world;
  Side a;
  Side z;

 private:
  using ServerDriver = netsim::HostDriver<stun::Server, Ignore>;

  void Open(Side& side, netsim::NodeId host, IpAddress address, transport::PeerOptions options) {
    if (!options.certificate) options.certificate = *dtls::Certificate::Generate();
    if (!options.sctp.initial_tsn) options.sctp.initial_tsn = sctp::Tsn(0xfffffffe);  // C19: they wrap in every test
    side.rng = std::make_unique<Rng>(world.ForkRng());
    side.peer = std::make_unique<transport::Peer>(options, *side.rng, world.now());
    side.driver = std::make_unique<Side::Driver>(world, host, *side.peer, Side::Note{&side});
    side.address = side.driver->Bind({address, 0});
    side.peer->AddLocalAddress(world.now(), {side.address});
    side.peer->EndOfLocalAddresses(world.now());
    side.driver->Kick();
  }

  netsim::TwoSides sides_;
  stun::Server server_{stun::ServerOptions{}};
  std::unique_ptr<ServerDriver> server_driver_;
};

}  // namespace jsp::integration
