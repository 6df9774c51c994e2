#include "netsim/nat.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace jsp::netsim {
namespace {

constexpr uint16_t kLowestAllocated = 40000;                 // of a NAT that has all ports
constexpr int kTries = 64;                                   // random ones, before the pool is gone through
constexpr size_t kSessionsPerMapping = 4;                    // on average, those begun from outside included
constexpr auto kRejectedTimeout = std::chrono::seconds(30);  // Linux's, for a session without an answer
constexpr uint16_t kHttpsPort = 443;

uint16_t LowestAllocated(const NatOptions& options) {
  return options.pool == PortRange{} ? kLowestAllocated : options.pool.low;
}

}  // namespace

Nat::Nat(const NatOptions& options, IpAddress external, Rng rng)
    : options_(options), external_(external), rng_(std::move(rng)), next_port_(LowestAllocated(options)) {}

bool Nat::Table::Has(const SocketAddress& external) const {
  const auto first = by_external.lower_bound({external, {}});
  return first != by_external.end() && first->first.first == external;
}

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
  if (mapping == nullptr) return std::nullopt;
  // A packet that belongs to no connection that this NAT has seen opens one as far as timeouts go.
  if (kind == PacketKind::kTcpSyn || (kind == PacketKind::kTcp && mapping->phase == Phase::kUdp)) {
    mapping->phase = Phase::kPartiallyOpen;
  }
  if (kind == PacketKind::kTcpFinOrRst) mapping->phase = Phase::kClosing;
  // RFC 4787 §4.3 REQ-6: outbound traffic refreshes the mapping.
  mapping->refreshed = now;
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
  const auto rejected = rejected_.find({known->second.first, destination});
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

// RFC 6888 §3 REQ-4: a subscriber that has used up its share gets no other mapping, while others still do.
bool Nat::HasRoom(Timestamp now, Table& table, const IpAddress& subscriber) {
  if (table.by_external.size() >= options_.max_mappings) DropExpired(now, table);
  if (table.by_external.size() >= options_.max_mappings) {
    ++stats_.exhausted;
    return false;
  }
  if (options_.subscriber_quota == SIZE_MAX) return true;
  const auto is_over = [&] {
    const auto has = [&](const auto& entry) { return entry.first.second.ip == subscriber; };
    return static_cast<size_t>(std::ranges::count_if(table.by_external, has)) >= options_.subscriber_quota;
  };
  if (is_over()) DropExpired(now, table);
  if (!is_over()) return true;
  ++stats_.over_quota;
  return false;
}

Nat::Mapping* Nat::Allocate(Timestamp now, Table& table, const Key& key) {
  if (!HasRoom(now, table, key.inside.ip)) return nullptr;
  auto external = ChooseExternal(table, key.inside);
  if (!external) {
    DropExpired(now, table);
    external = ChooseExternal(table, key.inside);
  }
  if (!external) {
    ++stats_.exhausted;
    return nullptr;
  }
  const Slot slot{*external, key.inside};
  table.by_key.insert_or_assign(key, slot);
  // Overloaded: one mapping for all destinations, whatever the mapping behaviour says.
  const auto known = table.by_external.find(slot);
  if (known != table.by_external.end() && !IsExpired(now, known->second)) return &known->second;
  ++stats_.mappings;
  if (key != KeyFor(key.inside, key.destination)) ++stats_.moved;
  return &table.by_external.insert_or_assign(slot, Mapping{key, *external, now}).first->second;
}

// RFC 4787 §4.2.1: preservation where the port is free, else another one.
std::optional<SocketAddress> Nat::ChooseExternal(const Table& table, const SocketAddress& inside) {
  if (!options_.translate) return inside;
  const SocketAddress preserved{external_, inside.port};
  if (options_.pool.Contains(inside.port)) {
    if (options_.ports == PortAllocation::kOverload) return preserved;
    if (options_.ports == PortAllocation::kPreserve && !table.Has(preserved)) return preserved;
  }
  if (options_.ports == PortAllocation::kRandom) {
    for (int i = 0; i < kTries; ++i) {
      const auto port = static_cast<uint16_t>(options_.pool.low + rng_.Below(options_.pool.size()));
      if (!table.Has({external_, port})) return SocketAddress{external_, port};
      next_port_ = port;
    }
  }
  return NextFree(table);
}

std::optional<SocketAddress> Nat::NextFree(const Table& table) {
  for (size_t i = 0; i < options_.pool.size(); ++i) {
    const SocketAddress candidate{external_, next_port_};
    next_port_ = next_port_ >= options_.pool.high ? LowestAllocated(options_) : static_cast<uint16_t>(next_port_ + 1);
    if (!table.Has(candidate)) return candidate;
  }
  return std::nullopt;
}

std::optional<SocketAddress> Nat::Inbound(Timestamp now, const SocketAddress& external, const SocketAddress& source,
                                          PacketKind kind) {
  Table& table = TableFor(kind);
  Mapping* mapping = FindInbound(now, table, external, source);
  if (mapping == nullptr) {
    ++stats_.no_mapping;
    return std::nullopt;
  }
  if (!Admits(*mapping, source)) {
    ++stats_.filtered;
    if (kind == PacketKind::kUdp && options_.unsolicited == Unsolicited::kReject) NoteRejected(now, external, source);
    return std::nullopt;
  }
  // RFC 5382 §5: the answer makes the connection established. A SYN from outside (RFC 5382 §4.2 REQ-2) does not.
  if (kind == PacketKind::kTcp && mapping->phase == Phase::kPartiallyOpen) mapping->phase = Phase::kEstablished;
  if (kind == PacketKind::kTcpFinOrRst) mapping->phase = Phase::kClosing;
  if (options_.refresh == Refresh::kBoth) mapping->refreshed = now;  // RFC 4787 §4.3 REQ-6 a
  ++stats_.inbound;
  BindSession(table, *mapping, source);
  return mapping->key.inside;
}

// The only one, unless ports are overloaded: then of those that sent to the source the one that sent last, else the
// first that admits it.
Nat::Mapping* Nat::FindInbound(Timestamp now, Table& table, const SocketAddress& external,
                               const SocketAddress& source) {
  Mapping* best = nullptr;
  const auto rank = [&](const Mapping& mapping) {
    const bool is_asked = mapping.sent_to.contains(source);
    return std::tuple(Admits(mapping, source), is_asked, is_asked ? mapping.refreshed : Timestamp::FromEpoch({}));
  };
  for (auto at = table.by_external.lower_bound({external, {}}); at != table.by_external.end(); ++at) {
    if (at->first.first != external) break;
    Mapping& mapping = at->second;
    if (!IsExpired(now, mapping) && (best == nullptr || rank(mapping) > rank(*best))) best = &mapping;
  }
  return best;
}

// A real NAT tracks the session that an inbound packet begins: what goes back to its source leaves by the mapping that
// the packet came in by, whatever the mapping behaviour says of new destinations (RFC 4787 §4.1 speaks of sessions that
// the inside begins). The latest one counts.
void Nat::BindSession(Table& table, const Mapping& mapping, const SocketAddress& source) {
  if (mapping.key == Key{mapping.key.inside, source}) return;  // its own session already, also when it had to move
  const Key back = KeyFor(mapping.key.inside, source);
  if (table.by_key.size() < kSessionsPerMapping * options_.max_mappings || table.by_key.contains(back)) {
    table.by_key.insert_or_assign(back, Slot{mapping.external, mapping.key.inside});
  }
}

std::optional<SocketAddress> Nat::ExternalOf(Timestamp now, const SocketAddress& inside,
                                             const SocketAddress& destination, PacketKind kind) {
  const Mapping* mapping = Find(now, TableFor(kind), KeyFor(inside, destination));
  return mapping != nullptr ? std::optional(mapping->external) : std::nullopt;
}

std::optional<SocketAddress> Nat::InsideOf(Timestamp now, const SocketAddress& external, const SocketAddress& source,
                                           PacketKind kind) {
  const Mapping* mapping = FindInbound(now, TableFor(kind), external, source);
  return mapping != nullptr && Admits(*mapping, source) ? std::optional(mapping->key.inside) : std::nullopt;
}

std::optional<SocketAddress> Nat::MapPort(Timestamp now, const SocketAddress& inside, uint16_t wish,
                                          Duration lifetime) {
  DropExpired(now, udp_);
  const auto known = std::ranges::find_if(udp_.by_external, [&](const auto& entry) {
    return entry.second.mapped_until && entry.second.key.inside == inside;
  });
  if (known != udp_.by_external.end()) {
    known->second.mapped_until = now + lifetime;
    if (lifetime > Duration::zero()) return known->second.external;
    Remove(udp_, known->first);
    return std::nullopt;
  }
  if (lifetime == Duration::zero() || !HasRoom(now, udp_, inside.ip)) return std::nullopt;
  std::optional<SocketAddress> external = SocketAddress{external_, wish};
  if (!options_.pool.Contains(wish) || udp_.Has(*external)) external = ChooseExternal(udp_, inside);
  if (!external) return std::nullopt;
  Mapping mapping{{inside, {}}, *external, now};
  mapping.mapped_until = now + lifetime;
  udp_.by_external.insert_or_assign({*external, inside}, std::move(mapping));
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
  return now - mapping.refreshed >= timeout();
}

void Nat::Remove(Table& table, Slot slot) {
  std::erase_if(table.by_key, [&](const auto& entry) { return entry.second == slot; });
  table.by_external.erase(slot);
}

void Nat::DropExpired(Timestamp now, Table& table) {
  std::vector<Slot> expired;
  for (const auto& [slot, mapping] : table.by_external) {
    if (IsExpired(now, mapping)) expired.push_back(slot);
  }
  for (const Slot& slot : expired) Remove(table, slot);
}

void Nat::Renumber(IpAddress external, Timestamp back) {
  Reboot(back);
  external_ = external;
}

void Nat::Reboot(Timestamp back) {
  back_ = back;
  udp_ = {};
  tcp_ = {};
  rejected_.clear();
}

}  // namespace jsp::netsim
