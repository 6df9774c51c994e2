#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/rng.h"
#include "base/socket_address.h"
#include "base/strong_types.h"
#include "base/time.h"
#include "netsim/link.h"
#include "netsim/nat.h"
#include "netsim/tcp_header.h"
namespace jsp::netsim {

using NodeId = StrongId<struct NodeIdTag, uint32_t>;
using EndpointId = StrongId<struct EndpointIdTag, uint32_t>;

// What a host runs, as plain functions; HostDriver makes one from any core. Each function may send and set the timer.
struct Endpoint {
  void* self = nullptr;
  void (*handle_datagram)(void* self, const SocketAddress& local, const SocketAddress& remote,
                          std::span<const uint8_t> datagram, EcnMark mark) = nullptr;
  void (*handle_timeout)(void* self) = nullptr;
  // A datagram of this endpoint was larger than a link of `mtu` octets that reports. Optional.
  void (*handle_packet_too_big)(void* self, const SocketAddress& local, const SocketAddress& remote,
                                size_t mtu) = nullptr;
  // A NAT on the way rejected a datagram of this endpoint (Unsolicited::kReject), as by ICMP. Optional.
  void (*handle_unreachable)(void* self, const SocketAddress& local, const SocketAddress& remote) = nullptr;
  // Every TCP segment for the host, whatever its port: at most one endpoint of a host has this (TcpHost).
  void (*handle_segment)(void* self, const SocketAddress& local, const SocketAddress& remote, const TcpHeader& header,
                         std::span<const uint8_t> payload) = nullptr;
};

// One datagram or segment as it arrived at (or left) a host.
struct TranscriptEntry {
  Timestamp at;
  SocketAddress from;
  SocketAddress to;
  size_t size = 0;
  bool operator==(const TranscriptEntry&) const = default;
};

// A datagram or, with a header, a segment.
struct Sight {
  const SocketAddress& from;
  const SocketAddress& to;
  std::span<const uint8_t> payload;
  const TcpHeader* tcp = nullptr;
};

// Sees what a host sends and gets, as it is on its own link.
struct Watcher {
  void* self = nullptr;
  void (*see)(void* self, const Sight& sight) = nullptr;
};

struct WorldStats {
  uint64_t sent = 0;
  uint64_t delivered = 0;
  uint64_t unroutable = 0;
  uint64_t unbound = 0;  // no socket at the destination
  uint64_t down = 0;     // at a NAT that was rebooting
  uint64_t steps = 0;
};

// An internet in virtual time: a tree whose root routes, whose inner nodes are NATs or firewalls, whose leaves are
// hosts. Everything random comes from one seed, ties in time are broken by order of creation: the same seed gives the
// same run. Owns nodes, links, packets in flight and the clock; borrows the endpoints.
class World {
 public:
  explicit World(uint64_t seed);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // The internet itself: routes to whatever is attached.
  static constexpr NodeId kInternet{0};
  // A NAT or firewall below `parent`, with `external` as its address there.
  NodeId AddNat(NodeId parent, IpAddress external, const NatOptions& nat, const LinkOptions& link);
  NodeId AddHost(NodeId parent, IpAddress address, const LinkOptions& link);
  // The NAT goes down for `down`, forgets its mappings, and has another address then: a reboot, or what some access
  // networks do every night. No address of an inside host changes.
  void Renumber(NodeId nat, IpAddress external, Duration down = Duration::zero());
  // A second address of the same host, on the same link.
  void AddAddress(NodeId host, IpAddress address);
  void SetLink(NodeId node, const LinkOptions& both_directions);

  void Watch(NodeId host, const Watcher& watcher) { nodes_[host.value].watcher = watcher; }
  EndpointId Attach(NodeId host, const Endpoint& endpoint);
  void Detach(EndpointId endpoint);
  // `address.ip` must be one of the host's. Port 0 picks a free one. Returns the bound address.
  SocketAddress Bind(EndpointId endpoint, const SocketAddress& address);
  bool IsBound(EndpointId endpoint, const SocketAddress& address) const;
  void Unbind(EndpointId endpoint, const SocketAddress& address);
  // Sends now. `local` must be bound.
  void Send(EndpointId endpoint, const SocketAddress& local, const SocketAddress& remote,
            std::span<const uint8_t> datagram, const IpFields& fields = {});
  // A TCP segment, which is never cut. `local.ip` must be one of the host's.
  void SendSegment(EndpointId endpoint, const SocketAddress& local, const SocketAddress& remote,
                   const TcpHeader& header, std::span<const uint8_t> payload);
  // One deadline per endpoint; Never() clears it.
  void SetTimer(EndpointId endpoint, Timestamp at);

  Timestamp now() const { return now_; }
  // The next event; false when nothing will ever happen again.
  bool Step();
  void RunFor(Duration duration);
  // Runs until done() or for at most `limit`; returns done().
  template <class Done>
  bool RunUntil(Done&& done, Duration limit) {
    const Timestamp end = now_ + limit;
    while (!done()) {
      if (NextEvent() > end) {
        now_ = end;
        return done();
      }
      (void)Step();
    }
    return true;
  }

  // A generator for what runs in this world.
  Rng ForkRng() { return rng_.Fork(); }
  Nat& nat(NodeId node);
  const LinkStats& uplink_stats(NodeId node) const;
  const LinkStats& downlink_stats(NodeId node) const;
  const WorldStats& stats() const { return stats_; }
  // Every datagram that arrived at a host, once switched on.
  void RecordTranscript() { record_ = true; }
  const std::vector<TranscriptEntry>& transcript() const { return transcript_; }

 private:
  struct Packet {
    SocketAddress from;
    SocketAddress to;
    std::vector<uint8_t> bytes;
    // As the sender addressed it: what a report quotes.
    EndpointId sender{};
    SocketAddress local{};
    SocketAddress remote{};
    IpFields fields{};
    size_t reported_mtu = 0;
    std::optional<TcpHeader> tcp{};  // of a segment; else it is a UDP datagram
  };
  struct Node {
    NodeId parent;
    std::optional<Nat> nat;
    std::unique_ptr<Link> up;
    std::unique_ptr<Link> down;
    std::map<IpAddress, NodeId> routes;  // downwards
    std::unordered_map<SocketAddress, EndpointId> sockets;
    std::optional<EndpointId> tcp;
    Watcher watcher{};
    uint16_t next_port = 49152;
  };
  struct Attached {
    Endpoint endpoint;
    NodeId host;
    Timestamp deadline;
    bool live = true;
  };
  // Either a packet at a node, coming from above or below, or an endpoint's timer.
  struct Scheduled {
    Timestamp at;
    uint64_t sequence = 0;
    uint32_t target = 0;  // node or endpoint
    enum class Kind : uint8_t { kFromAbove, kFromBelow, kTimer, kTooBig, kUnreachable } kind = Kind::kTimer;
    uint32_t packet = 0;
    bool operator>(const Scheduled& other) const { return at != other.at ? at > other.at : sequence > other.sequence; }
  };

  NodeId AddNode(NodeId parent, const LinkOptions& link);
  void Announce(NodeId from, IpAddress address, NodeId via);
  void Withdraw(NodeId from, IpAddress address);
  static bool PassesUntranslated(const Node& node, const IpAddress& address);
  bool IsDown(const Node& node);
  Timestamp NextEvent();
  void Schedule(Timestamp at, Scheduled::Kind kind, uint32_t target, uint32_t packet);
  uint32_t Store(Packet packet);
  Packet Take(uint32_t index);
  void Forward(Packet packet, NodeId from, NodeId to);
  void RouteFromBelow(NodeId at, Packet packet);
  void RouteFromAbove(NodeId at, Packet packet);
  void Hairpin(NodeId at, Packet packet);
  // False: the NAT lets it not in, and it is as it was.
  bool GoInside(NodeId at, Packet& packet);
  void RouteDown(NodeId at, Packet packet);
  void Deliver(NodeId host, Packet packet);
  void Show(NodeId host, const Packet& packet);
  static PacketKind KindOf(const Packet& packet);
  void Launch(EndpointId endpoint, Packet packet, std::span<const uint8_t> bytes);
  void ReportTooBig(EndpointId endpoint, const Packet& packet);
  void Reject(NodeId at, Packet packet);
  void ReportUnreachable(EndpointId endpoint, const Packet& packet);
  void FireTimer(EndpointId endpoint, Timestamp at);

  Rng rng_;
  Timestamp now_ = Timestamp::FromEpoch(std::chrono::seconds(1));
  std::vector<Node> nodes_;
  std::vector<Attached> endpoints_;
  std::priority_queue<Scheduled, std::vector<Scheduled>, std::greater<>> schedule_;
  uint64_t next_sequence_ = 0;
  std::vector<Packet> packets_;  // slots, their buffers are reused
  std::vector<uint32_t> free_slots_;
  bool record_ = false;
  std::vector<TranscriptEntry> transcript_;
  WorldStats stats_;
};

}  // namespace jsp::netsim
