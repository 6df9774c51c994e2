#include "netsim/nat.h"

#include <algorithm>
#include <utility>

namespace jsp::netsim {
namespace {

constexpr uint16_t kLowestPort = 1024;  // RFC 4787 §4.2.1: the well-known range is left alone
constexpr uint16_t kLowestAllocated = 40000;
constexpr int kTries = 4096;
constexpr size_t kSessionsPerMapping = 4;                    // on average, those begun from outside included
constexpr auto kRejectedTimeout = std::chrono::seconds(30);  // Linux's, for a session without an answer
constexpr uint16_t kHttpsPort = 443;

}  // namespace

Nat::Nat(const NatOptions& options, IpAddress external, Rng rng)
    : options_(options), external_(external), rng_(std::move(rng)) {}

Nat::Key Nat::KeyFor(const SocketAddress& inside, const SocketAddress& destination) const {
  switch (options_.mapping) {
    case MappingBehavior::kEndpointIndependent:
      return {inside, {}};
    case MappingBehavior::kAddressDependent:
      return {inside, {destination.ip, 0}};
    case MappingBehavior::kAddressAndPortDependent:
      return {inside, destination};
  }
  return {inside, destination};
}

bool Nat::MayLeave(const SocketAddress& destination, PacketKind kind) const {
  switch (options_.outbound) {
    case OutboundPolicy::kAll:
      return true;
    case OutboundPolicy::kNoUdp:
      return kind != PacketKind::kUdp;
    case OutboundPolicy::kOnlyTcp443:
      return kind != PacketKind::kUdp && destination.port == kHttpsPort;
  }
  return true;
}

std::optional<SocketAddress> Nat::Outbound(Timestamp now, const SocketAddress& inside, const SocketAddress& destination,
                                           PacketKind kind) {
  if (!MayLeave(destination, kind)) {
    ++stats_.blocked;
    return std::nullopt;
  }
  Table& table = TableFor(kind);
  Key key = KeyFor(inside, destination);
  if (kind == PacketKind::kUdp && MustMove(now, inside, destination)) key = {inside, destination};
  Mapping* mapping = Find(now, table, key);
  if (mapping == nullptr) mapping = Allocate(now, table, key);
  if (mapping == nullptr) {
    ++stats_.exhausted;
    return std::nullopt;
  }
  // A packet that belongs to no connection that this NAT has seen opens one as far as timeouts go.
  if (kind == PacketKind::kTcpSyn || (kind == PacketKind::kTcp && mapping->phase == Phase::kUdp)) {
    mapping->phase = Phase::kPartiallyOpen;
  }
  if (kind == PacketKind::kTcpFinOrRst) mapping->phase = Phase::kClosing;
  // RFC 4787 §4.3 REQ-6: outbound traffic refreshes the mapping.
  mapping->last_outbound = now;
  mapping->sent_to.insert(destination);
  ++stats_.outbound;
  return mapping->external;
}

// The session that a rejected packet left behind holds our port for that destination (Unsolicited::kReject).
bool Nat::MustMove(Timestamp now, const SocketAddress& inside, const SocketAddress& destination) const {
  if (rejected_.empty() || options_.mapping != MappingBehavior::kEndpointIndependent) return false;
  if (udp_.by_key.contains({inside, destination})) return true;
  const auto known = udp_.by_key.find(KeyFor(inside, destination));
  if (known == udp_.by_key.end() || udp_.by_external.at(known->second).sent_to.contains(destination)) return false;
  const auto rejected = rejected_.find({known->second, destination});
  return rejected != rejected_.end() && now - rejected->second < kRejectedTimeout;
}

void Nat::NoteRejected(Timestamp now, const SocketAddress& external, const SocketAddress& source) {
  if (rejected_.size() >= options_.max_mappings) {
    std::erase_if(rejected_, [&](const auto& entry) { return now - entry.second >= kRejectedTimeout; });
  }
  if (rejected_.size() < options_.max_mappings) rejected_.insert_or_assign({external, source}, now);
}

Nat::Mapping* Nat::Find(Timestamp now, Table& table, const Key& key) {
  const auto known = table.by_key.find(key);
  if (known == table.by_key.end()) return nullptr;
  Mapping& mapping = table.by_external.at(known->second);
  if (!IsExpired(now, mapping)) return &mapping;
  Remove(table, known->second);
  return nullptr;
}

Nat::Mapping* Nat::Allocate(Timestamp now, Table& table, const Key& key) {
  if (table.by_external.size() >= options_.max_mappings) DropExpired(now, table);
  if (table.by_external.size() >= options_.max_mappings) return nullptr;
  const auto external = ChooseExternal(table, key.inside);
  if (!external) return nullptr;
  ++stats_.mappings;
  if (key != KeyFor(key.inside, key.destination)) ++stats_.moved;
  table.by_key.insert_or_assign(key, *external);
  const auto placed = table.by_external.insert_or_assign(*external, Mapping{key, *external, now});
  return &placed.first->second;
}

// RFC 4787 §4.2.1: preservation where the port is free, else another one.
std::optional<SocketAddress> Nat::ChooseExternal(const Table& table, const SocketAddress& inside) {
  if (!options_.translate) return inside;
  const auto is_free = [&](uint16_t port) { return !table.by_external.contains({external_, port}); };
  if (options_.ports == PortAllocation::kPreserve && inside.port >= kLowestPort && is_free(inside.port)) {
    return SocketAddress{external_, inside.port};
  }
  for (int i = 0; i < kTries; ++i) {
    uint16_t port = 0;
    if (options_.ports == PortAllocation::kRandom) {
      port = static_cast<uint16_t>(kLowestPort + rng_.Below(65536 - kLowestPort));
    } else {
      port = next_port_;
      next_port_ = next_port_ == 65535 ? kLowestAllocated : static_cast<uint16_t>(next_port_ + 1);
    }
    if (is_free(port)) return SocketAddress{external_, port};
  }
  return std::nullopt;
}

std::optional<SocketAddress> Nat::Inbound(Timestamp now, const SocketAddress& external, const SocketAddress& source,
                                          PacketKind kind) {
  Table& table = TableFor(kind);
  const auto found = table.by_external.find(external);
  if (found == table.by_external.end() || IsExpired(now, found->second)) {
    ++stats_.no_mapping;
    return std::nullopt;
  }
  Mapping& mapping = found->second;
  if (!Admits(mapping, source)) {
    ++stats_.filtered;
    if (kind == PacketKind::kUdp && options_.unsolicited == Unsolicited::kReject) NoteRejected(now, external, source);
    return std::nullopt;
  }
  // RFC 5382 §5: the answer makes the connection established. A SYN from outside (RFC 5382 §4.2 REQ-2) does not.
  if (kind == PacketKind::kTcp && mapping.phase == Phase::kPartiallyOpen) mapping.phase = Phase::kEstablished;
  if (kind == PacketKind::kTcpFinOrRst) mapping.phase = Phase::kClosing;
  ++stats_.inbound;
  BindSession(table, mapping, source);
  return mapping.key.inside;
}

// A real NAT tracks the session that an inbound packet begins: what goes back to its source leaves by the mapping that
// the packet came in by, whatever the mapping behaviour says of new destinations (RFC 4787 §4.1 speaks of sessions that
// the inside begins). The latest one counts.
void Nat::BindSession(Table& table, const Mapping& mapping, const SocketAddress& source) {
  if (mapping.key == Key{mapping.key.inside, source}) return;  // its own session already, also when it had to move
  const Key back = KeyFor(mapping.key.inside, source);
  if (table.by_key.size() < kSessionsPerMapping * options_.max_mappings || table.by_key.contains(back)) {
    table.by_key.insert_or_assign(back, mapping.external);
  }
}

std::optional<SocketAddress> Nat::MapPort(Timestamp now, const SocketAddress& inside, uint16_t wish,
                                          Duration lifetime) {
  DropExpired(now, udp_);
  const auto known = std::ranges::find_if(udp_.by_external, [&](const auto& entry) {
    return entry.second.mapped_until && entry.second.key.inside == inside;
  });
  if (known != udp_.by_external.end()) {
    known->second.mapped_until = now + lifetime;
    if (lifetime > Duration::zero()) return known->first;
    Remove(udp_, known->first);
    return std::nullopt;
  }
  if (lifetime == Duration::zero() || udp_.by_external.size() >= options_.max_mappings) return std::nullopt;
  std::optional<SocketAddress> external = SocketAddress{external_, wish};
  if (wish < kLowestPort || udp_.by_external.contains(*external)) external = ChooseExternal(udp_, inside);
  if (!external) return std::nullopt;
  Mapping mapping{{inside, {}}, *external, now};
  mapping.mapped_until = now + lifetime;
  udp_.by_external.insert_or_assign(*external, std::move(mapping));
  return external;
}

bool Nat::Admits(const Mapping& mapping, const SocketAddress& source) const {
  if (mapping.mapped_until) return true;
  switch (options_.filtering) {
    case FilteringBehavior::kEndpointIndependent:
      return true;
    case FilteringBehavior::kAddressDependent: {
      const auto first = mapping.sent_to.lower_bound({source.ip, 0});
      return first != mapping.sent_to.end() && first->ip == source.ip;
    }
    case FilteringBehavior::kAddressAndPortDependent:
      return mapping.sent_to.contains(source);
  }
  return false;
}

bool Nat::IsExpired(Timestamp now, const Mapping& mapping) const {
  if (mapping.mapped_until) return now >= *mapping.mapped_until;
  const auto timeout = [&] {
    switch (mapping.phase) {
      case Phase::kUdp:
        return options_.mapping_timeout;
      case Phase::kEstablished:
        return options_.tcp_timeout;
      default:
        return options_.tcp_transitory_timeout;
    }
  };
  return now - mapping.last_outbound >= timeout();
}

void Nat::Remove(Table& table, SocketAddress external) {
  const auto found = table.by_external.find(external);
  if (found == table.by_external.end()) return;
  std::erase_if(table.by_key, [&](const auto& entry) { return entry.second == external; });
  table.by_external.erase(found);
}

void Nat::DropExpired(Timestamp now, Table& table) {
  std::vector<SocketAddress> expired;
  for (const auto& [external, mapping] : table.by_external) {
    if (IsExpired(now, mapping)) expired.push_back(external);
  }
  for (const auto& external : expired) Remove(table, external);
}

void Nat::Reboot() {
  udp_ = {};
  tcp_ = {};
  rejected_.clear();
}

}  // namespace jsp::netsim
