#include "netsim/world.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "netsim/nat64.h"

namespace jsp::netsim {

World::World(uint64_t seed) : rng_(Rng::FromNumber(seed)) { nodes_.emplace_back(); }

NodeId World::AddNode(NodeId parent, const LinkOptions& link) {
  const NodeId id(static_cast<uint32_t>(nodes_.size()));
  Node& node = nodes_.emplace_back();
  node.parent = parent;
  node.up = std::make_unique<Link>(link, rng_.Fork());
  node.down = std::make_unique<Link>(link, rng_.Fork());
  return id;
}

// A firewall translates nothing, and a NAT64 no IPv6 that has nothing to do with IPv4.
bool World::PassesUntranslated(const Node& node, const IpAddress& address) {
  const NatOptions& nat = node.nat->options();
  return !nat.translate || (nat.nat64_prefix && address.is_v6());
}

// Makes `address` known at `from`, and further up as long as nothing between translates it.
void World::Announce(NodeId from, IpAddress address, NodeId via) {
  Node& node = nodes_[from.value];
  node.routes.insert_or_assign(address, via);
  if (node.nat && PassesUntranslated(node, address)) Announce(node.parent, address, from);
}

void World::Withdraw(NodeId from, IpAddress address) {
  Node& node = nodes_[from.value];
  node.routes.erase(address);
  if (node.nat && PassesUntranslated(node, address)) Withdraw(node.parent, address);
}

void World::Renumber(NodeId nat, IpAddress external, Duration down) {
  Node& node = nodes_[nat.value];
  Withdraw(node.parent, node.nat->external());
  node.nat->Renumber(external, now_ + down);
  Announce(node.parent, external, nat);
}

NodeId World::AddNat(NodeId parent, IpAddress external, const NatOptions& nat, const LinkOptions& link) {
  const NodeId id = AddNode(parent, link);
  nodes_[id.value].nat.emplace(nat, external, rng_.Fork());
  Announce(parent, external, id);
  return id;
}

NodeId World::AddHost(NodeId parent, IpAddress address, const LinkOptions& link) {
  const NodeId id = AddNode(parent, link);
  Announce(parent, address, id);
  return id;
}

void World::AddAddress(NodeId host, IpAddress address) { Announce(nodes_[host.value].parent, address, host); }

void World::SetLink(NodeId node, const LinkOptions& both_directions) {
  nodes_[node.value].up->SetOptions(both_directions);
  nodes_[node.value].down->SetOptions(both_directions);
}

EndpointId World::Attach(NodeId host, const Endpoint& endpoint) {
  endpoints_.push_back({endpoint, host, Timestamp::Never(), true});
  const EndpointId id(static_cast<uint32_t>(endpoints_.size() - 1));
  if (endpoint.handle_segment != nullptr) {
    JSP_CHECK(!nodes_[host.value].tcp);
    nodes_[host.value].tcp = id;
  }
  return id;
}

void World::Detach(EndpointId endpoint) {
  Attached& attached = endpoints_[endpoint.value];
  attached.live = false;
  Node& host = nodes_[attached.host.value];
  std::erase_if(host.sockets, [&](const auto& entry) { return entry.second == endpoint; });
  if (host.tcp == endpoint) host.tcp.reset();
}

bool World::IsBound(EndpointId endpoint, const SocketAddress& address) const {
  return nodes_[endpoints_[endpoint.value].host.value].sockets.contains(address);
}

void World::Unbind(EndpointId endpoint, const SocketAddress& address) {
  auto& sockets = nodes_[endpoints_[endpoint.value].host.value].sockets;
  const auto found = sockets.find(address);
  if (found != sockets.end() && found->second == endpoint) sockets.erase(found);
}

SocketAddress World::Bind(EndpointId endpoint, const SocketAddress& address) {
  Node& host = nodes_[endpoints_[endpoint.value].host.value];
  SocketAddress bound = address;
  while (bound.port == 0 || (address.port == 0 && host.sockets.contains(bound))) {
    bound.port = host.next_port++;
    if (host.next_port == 0) host.next_port = 49152;
  }
  JSP_CHECK(!host.sockets.contains(bound));
  host.sockets.emplace(bound, endpoint);
  return bound;
}

void World::Send(EndpointId endpoint, const SocketAddress& local, const SocketAddress& remote,
                 std::span<const uint8_t> datagram, const IpFields& fields) {
  Packet packet{.from = local, .to = remote, .bytes = {}, .fields = fields};
  Launch(endpoint, std::move(packet), datagram);
}

void World::SendSegment(EndpointId endpoint, const SocketAddress& local, const SocketAddress& remote,
                        const TcpHeader& header, std::span<const uint8_t> payload) {
  Packet packet{.from = local, .to = remote, .bytes = {}, .tcp = header};
  Launch(endpoint, std::move(packet), payload);
}

void World::Launch(EndpointId endpoint, Packet packet, std::span<const uint8_t> bytes) {
  ++stats_.sent;
  packet.sender = endpoint;
  packet.local = packet.from;
  packet.remote = packet.to;
  if (!free_slots_.empty()) packet.bytes.swap(packets_[free_slots_.back()].bytes);
  packet.bytes.assign(bytes.begin(), bytes.end());
  const NodeId host = endpoints_[endpoint.value].host;
  Show(host, packet);
  Forward(std::move(packet), host, nodes_[host.value].parent);
}

void World::Show(NodeId host, const Packet& packet) {
  const Watcher& watcher = nodes_[host.value].watcher;
  if (watcher.see == nullptr) return;
  watcher.see(watcher.self, {packet.from, packet.to, packet.bytes, packet.tcp ? &*packet.tcp : nullptr});
}

void World::SetTimer(EndpointId endpoint, Timestamp at) {
  Attached& attached = endpoints_[endpoint.value];
  if (attached.deadline == at) return;
  attached.deadline = at;
  if (at != Timestamp::Never()) Schedule(std::max(at, now_), Scheduled::Kind::kTimer, endpoint.value, 0);
}

void World::Schedule(Timestamp at, Scheduled::Kind kind, uint32_t target, uint32_t packet) {
  schedule_.push({at, next_sequence_++, target, kind, packet});
}

uint32_t World::Store(Packet packet) {
  if (free_slots_.empty()) {
    packets_.push_back(std::move(packet));
    return static_cast<uint32_t>(packets_.size() - 1);
  }
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  packets_[slot] = std::move(packet);
  return slot;
}

World::Packet World::Take(uint32_t index) {
  free_slots_.push_back(index);
  return std::move(packets_[index]);
}

Timestamp World::NextEvent() { return schedule_.empty() ? Timestamp::Never() : schedule_.top().at; }

bool World::Step() {
  if (schedule_.empty()) return false;
  const Scheduled next = schedule_.top();
  schedule_.pop();
  ++stats_.steps;
  now_ = std::max(now_, next.at);
  switch (next.kind) {
    case Scheduled::Kind::kFromAbove:
      RouteFromAbove(NodeId(next.target), Take(next.packet));
      break;
    case Scheduled::Kind::kFromBelow:
      RouteFromBelow(NodeId(next.target), Take(next.packet));
      break;
    case Scheduled::Kind::kTooBig:
      ReportTooBig(EndpointId(next.target), Take(next.packet));
      break;
    case Scheduled::Kind::kUnreachable:
      ReportUnreachable(EndpointId(next.target), Take(next.packet));
      break;
    case Scheduled::Kind::kTimer:
      FireTimer(EndpointId(next.target), next.at);
      break;
  }
  return true;
}

void World::RunFor(Duration duration) {
  (void)RunUntil([] { return false; }, duration);
}

void World::FireTimer(EndpointId endpoint, Timestamp at) {
  Attached& attached = endpoints_[endpoint.value];
  // An entry of a deadline that was moved since is stale.
  if (!attached.live || attached.deadline > now_ || attached.deadline > at) return;
  attached.deadline = Timestamp::Never();
  const Endpoint called = attached.endpoint;
  called.handle_timeout(called.self);
}

void World::ReportTooBig(EndpointId endpoint, const Packet& packet) {
  const Attached& attached = endpoints_[endpoint.value];
  if (!attached.live || attached.endpoint.handle_packet_too_big == nullptr) return;
  const Endpoint called = attached.endpoint;
  called.handle_packet_too_big(called.self, packet.local, packet.remote, packet.reported_mtu);
}

// The report takes as long back as the packet took across the NAT's own link, wherever the sender is.
void World::Reject(NodeId at, Packet packet) {
  const Node& node = nodes_[at.value];
  if (packet.tcp || node.nat->options().unsolicited != Unsolicited::kReject) return;
  const uint32_t sender = packet.sender.value;
  Schedule(now_ + node.up->delay(), Scheduled::Kind::kUnreachable, sender, Store(std::move(packet)));
}

void World::ReportUnreachable(EndpointId endpoint, const Packet& packet) {
  const Attached& attached = endpoints_[endpoint.value];
  if (!attached.live || attached.endpoint.handle_unreachable == nullptr) return;
  const Endpoint called = attached.endpoint;
  called.handle_unreachable(called.self, packet.local, packet.remote);
}

PacketKind World::KindOf(const Packet& packet) {
  if (!packet.tcp) return PacketKind::kUdp;
  if (packet.tcp->fin || packet.tcp->rst) return PacketKind::kTcpFinOrRst;
  return packet.tcp->syn && !packet.tcp->ack ? PacketKind::kTcpSyn : PacketKind::kTcp;
}

void World::Forward(Packet packet, NodeId from, NodeId to) {
  const bool upwards = nodes_[from.value].parent == to && from != kInternet;
  Link& link = upwards ? *nodes_[from.value].up : *nodes_[to.value].down;
  const size_t udp = packet.to.ip.is_v4() ? Link::kIpv4UdpOctets : Link::kIpv6UdpOctets;
  const size_t header = packet.tcp ? udp + Link::kTcpBeyondUdp : udp;
  const Link::Fate fate = link.Transmit(now_, packet.bytes, header, packet.fields);
  packet.fields.ecn = fate.ecn;
  if (fate.mtu_to_report != 0) {
    // The report takes as long back as a packet takes across this link, wherever on the way that is.
    const uint32_t sender = packet.sender.value;
    packet.reported_mtu = fate.mtu_to_report;
    Schedule(now_ + link.delay(), Scheduled::Kind::kTooBig, sender, Store(std::move(packet)));
    return;
  }
  const auto kind = upwards ? Scheduled::Kind::kFromBelow : Scheduled::Kind::kFromAbove;
  for (size_t copy = 0; copy < fate.copies; ++copy) {
    const bool last = copy + 1 == fate.copies;
    const uint32_t slot = Store(last ? std::move(packet) : packet);
    Schedule(fate.arrival[copy], kind, to.value, slot);
  }
}

void World::RouteDown(NodeId at, Packet packet) {
  const auto route = nodes_[at.value].routes.find(packet.to.ip);
  if (route == nodes_[at.value].routes.end()) {
    ++stats_.unroutable;
    return;
  }
  Forward(std::move(packet), at, route->second);
}

bool World::IsDown(const Node& node) {
  if (!node.nat || !node.nat->IsDown(now_)) return false;
  ++stats_.down;
  return true;
}

void World::RouteFromBelow(NodeId at, Packet packet) {
  Node& node = nodes_[at.value];
  if (IsDown(node)) return;
  if (!node.nat || node.routes.contains(packet.to.ip)) return RouteDown(at, std::move(packet));
  if (const auto& prefix = node.nat->options().nat64_prefix) {
    const auto v4 = ExtractIpv4(*prefix, packet.to.ip);
    if (!v4) return Forward(std::move(packet), at, node.parent);
    packet.to.ip = *v4;
  }
  if (packet.to.ip == node.nat->external()) return Hairpin(at, std::move(packet));
  const auto outside = node.nat->Outbound(now_, packet.from, packet.to, KindOf(packet));
  if (!outside) return;
  packet.from = *outside;
  Forward(std::move(packet), at, node.parent);
}

// RFC 4787 §6 REQ-9: the inside receiver sees the sender's external address.
void World::Hairpin(NodeId at, Packet packet) {
  Nat& nat = *nodes_[at.value].nat;
  if (!nat.options().hairpin) return;
  const auto outside = nat.Outbound(now_, packet.from, packet.to, KindOf(packet));
  if (!outside) return;
  packet.from = *outside;
  (void)GoInside(at, packet);
}

// RFC 6146 §3.5 for NAT64s: IPv6 hosts see IPv4 sources under the prefix.
bool World::GoInside(NodeId at, Packet& packet) {
  Nat& nat = *nodes_[at.value].nat;
  const auto inside = nat.Inbound(now_, packet.to, packet.from, KindOf(packet));
  if (!inside) return false;
  packet.to = *inside;
  if (const auto& prefix = nat.options().nat64_prefix) packet.from.ip = EmbedIpv4(*prefix, packet.from.ip);
  RouteDown(at, std::move(packet));
  return true;
}

void World::RouteFromAbove(NodeId at, Packet packet) {
  const Node& node = nodes_[at.value];
  if (!node.nat) return Deliver(at, std::move(packet));
  if (IsDown(node)) return;
  if (node.nat->options().nat64_prefix && packet.to.ip.is_v6()) return RouteDown(at, std::move(packet));
  if (!GoInside(at, packet)) Reject(at, std::move(packet));
}

void World::Deliver(NodeId host, Packet packet) {
  Show(host, packet);
  const Node& node = nodes_[host.value];
  const auto socket = node.sockets.find(packet.to);
  if (packet.tcp ? !node.tcp : socket == node.sockets.end()) {
    ++stats_.unbound;
    return;
  }
  ++stats_.delivered;
  if (record_) transcript_.push_back({now_, packet.from, packet.to, packet.bytes.size()});
  const Endpoint called = endpoints_[(packet.tcp ? *node.tcp : socket->second).value].endpoint;
  if (packet.tcp) {
    called.handle_segment(called.self, packet.to, packet.from, *packet.tcp, packet.bytes);
  } else {
    called.handle_datagram(called.self, packet.to, packet.from, packet.bytes, packet.fields.ecn);
  }
  // The buffer goes back to a free slot, so that a steady state allocates nothing.
  if (!free_slots_.empty()) packets_[free_slots_.back()].bytes.swap(packet.bytes);
}

Nat& World::nat(NodeId node) { return *nodes_[node.value].nat; }
const LinkStats& World::uplink_stats(NodeId node) const { return nodes_[node.value].up->stats(); }
const LinkStats& World::downlink_stats(NodeId node) const { return nodes_[node.value].down->stats(); }

}  // namespace jsp::netsim
