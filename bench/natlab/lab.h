#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "bench/natlab/capture.h"
#include "bench/natlab/judgement.h"
#include "dtls/certificate.h"
#include "netsim/host.h"
#include "netsim/peer_driver.h"
#include "netsim/relay_host.h"
#include "netsim/two_sides.h"
#include "stun/server.h"
#include "transport/peer.h"
namespace jsp::natlab {

// How a side may reach the TURN server, all ways at once; none: there is only STUN.
struct SideSetup {
  std::vector<turn::ControlTransport> relays{};
  bool only_relays = false;
  transport::IceTcp ice_tcp = transport::IceTcp::kOff;  // passive: a listener at kIceTcpPort
};

// RFC 6544: of both sides; one that firewalls let out to, where they let anything out.
constexpr uint16_t kIceTcpPort = 443;

struct LabOptions {
  netsim::TwoSidesOptions layout{};
  SideSetup a{};
  SideSetup z{};
  uint64_t seed = 1;
  Duration signalling = std::chrono::milliseconds(25);  // of one description
  bool capture = false;                                 // what both hosts see, and the peers' keys
  // What crosses hard NATs beyond RFC 8445 (docs/ice.md): a second STUN server, by which they are known, prediction,
  // probes, and fresh sockets where a check came too early.
  bool crosses_hard_nats = false;
  Duration restart_patience{};        // ice::MobilityOptions
  bool release_spare_relays = false;  // transport::PeerOptions
};

// One side: a whole peer with its driver, and what it went through.
struct LabSide {
  // The peer's TCP connections leave from `tcp_port` and up.
  LabSide(netsim::World& world, netsim::NodeId host, IpAddress address, const transport::PeerOptions& options,
          uint16_t tcp_port = netsim::TcpHost::kFirstPort);
  bool IsOver() const;
  // Nothing was heard of the other side for a while, which may change.
  bool IsSilent() const { return peer.state() == transport::ConnectionState::kDisconnected; }
  bool IsNominated() const { return peer.state() == transport::ConnectionState::kCompleted; }
  // The selected pair, as far as this side knows of it.
  PathEnd path() const;
  // It is relayed at one end at least.
  bool IsRelayed() const { return path().IsRelayed(); }
  // How its own relay is reached, where the pair has one.
  std::optional<turn::ControlTransport> relay() const { return peer.stats().selected_relay; }

  struct Selection {
    Timestamp at;
    ice::CandidateType local;
    ice::CandidateType remote;
    bool is_relayed() const { return local == ice::CandidateType::kRelayed || remote == ice::CandidateType::kRelayed; }
  };

  netsim::TcpHost tcp;
  Rng rng;
  transport::Peer peer;
  netsim::PeerDriver driver;
  std::vector<Selection> selections;      // in their order
  std::optional<Timestamp> nominated_at;  // first
  bool wants_restart = false;             // the peer asked for one

 private:
  static void HandleEvent(void* self, transport::PeerEvent event);
  netsim::World& world_;
};

// Of a description from one access to the other, over a server of its own: as slow as both get, and 5 ms in between, or
// what a few packets take at their rates. So a packet that the answerer sends with its answer is at the offerer's NAT
// before the offerer sends its first. Links of 10 ms without jitter: 25 ms.
Duration SignallingTime(const netsim::LinkOptions& a, const netsim::LinkOptions& z);

// A world with two peers, a host that serves STUN and TURN, and signalling. The same options give the same run, to the
// octet: OpenSSL's randomness is seeded too, for the whole process.
class Lab {
 public:
  static constexpr Duration kGatheringDeadline = std::chrono::seconds(10);

  explicit Lab(const LabOptions& options);

  // Gathers, and exchanges offer (by a) and answer. False when a side gave up; error() then says why.
  bool Signal();
  // Another round, if a peer asked for a restart since; false as Signal.
  bool RestartIfWanted();
  // Another round that a begins, whatever became of the one before; false as Signal.
  bool Restart();
  // Two new peers on the same hosts, which gather.
  void Renew();
  const std::string& error() const { return error_; }
  const turn::Server& turn_server() const { return server_->server(); }

  netsim::World world;
  netsim::TwoSidesOptions layout;
  netsim::TwoSides sides{};
  Timestamp start;
  std::unique_ptr<LabSide> a;
  std::unique_ptr<LabSide> z;
  std::unique_ptr<Capture> a_capture;  // as LabOptions::capture says
  std::unique_ptr<Capture> z_capture;

 private:
  struct Ignore {
    template <class Event>
    void operator()(Event&&) const {}
  };
  using StunDriver = netsim::HostDriver<stun::Server, Ignore>;
  // What peers are made of, and brought together by.
  struct Making {
    SideSetup a{};
    SideSetup z{};
    std::shared_ptr<const dtls::Certificate> certificate{};
    std::shared_ptr<const dtls::StreamContext> trust{};
    uint16_t tcp_port = netsim::TcpHost::kFirstPort;  // of the next ones
    bool collects_keys = false;
    Duration signalling{};
    Duration restart_patience{};
    bool release_spare_relays = false;
  };
  transport::PeerOptions PeerOptionsFor(const SideSetup& setup, netsim::NatType nat) const;
  void AddSecondServer();

  std::unique_ptr<netsim::TcpHost> server_tcp_;
  std::unique_ptr<netsim::RelayHost> server_;
  stun::Server second_{stun::ServerOptions{}};
  std::unique_ptr<StunDriver> second_driver_;
  std::optional<SocketAddress> second_address_;  // with crosses_hard_nats
  Making making_;
  std::string error_;
};

}  // namespace jsp::natlab
