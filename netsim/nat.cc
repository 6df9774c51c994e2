#include "netsim/nat.h"

#include <algorithm>
#include <utility>

namespace jsp::netsim {
namespace {

constexpr uint16_t kLowestPort = 1024;  // RFC 4787 §4.2.1: the well-known range is left alone
constexpr uint16_t kLowestAllocated = 40000;
constexpr int kTries = 4096;
constexpr size_t kSessionsPerMapping = 4;  // on average, those begun from outside included

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

std::optional<SocketAddress> Nat::Outbound(Timestamp now, const SocketAddress& inside,
                                           const SocketAddress& destination) {
  const Key key = KeyFor(inside, destination);
  Mapping* mapping = nullptr;
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    mapping = &by_external_.at(known->second);
    if (IsExpired(now, *mapping)) {
      Remove(known->second);
      mapping = nullptr;
    }
  }
  if (mapping == nullptr) mapping = Allocate(now, key);
  if (mapping == nullptr) {
    ++stats_.exhausted;
    return std::nullopt;
  }
  // RFC 4787 §4.3 REQ-6: outbound traffic refreshes the mapping.
  mapping->last_outbound = now;
  mapping->sent_to.insert(destination);
  ++stats_.outbound;
  return mapping->external;
}

Nat::Mapping* Nat::Allocate(Timestamp now, const Key& key) {
  if (by_external_.size() >= options_.max_mappings) DropExpired(now);
  if (by_external_.size() >= options_.max_mappings) return nullptr;
  const auto external = ChooseExternal(key.inside);
  if (!external) return nullptr;
  ++stats_.mappings;
  by_key_.insert_or_assign(key, *external);
  const auto placed = by_external_.insert_or_assign(*external, Mapping{key, *external, now, {}});
  return &placed.first->second;
}

// RFC 4787 §4.2.1: preservation where the port is free, else another one.
std::optional<SocketAddress> Nat::ChooseExternal(const SocketAddress& inside) {
  if (!options_.translate) return inside;
  const auto is_free = [&](uint16_t port) { return !by_external_.contains({external_, port}); };
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

std::optional<SocketAddress> Nat::Inbound(Timestamp now, const SocketAddress& external, const SocketAddress& source) {
  const auto found = by_external_.find(external);
  if (found == by_external_.end() || IsExpired(now, found->second)) {
    ++stats_.no_mapping;
    return std::nullopt;
  }
  if (!Admits(found->second, source)) {
    ++stats_.filtered;
    return std::nullopt;
  }
  ++stats_.inbound;
  BindSession(found->second, source);
  return found->second.key.inside;
}

// A real NAT tracks the session that an inbound packet begins: what goes back to its source leaves by the mapping that
// the packet came in by, whatever the mapping behaviour says of new destinations (RFC 4787 §4.1 speaks of sessions that
// the inside begins). The latest one counts.
void Nat::BindSession(const Mapping& mapping, const SocketAddress& source) {
  const Key back = KeyFor(mapping.key.inside, source);
  if (by_key_.size() < kSessionsPerMapping * options_.max_mappings || by_key_.contains(back)) {
    by_key_.insert_or_assign(back, mapping.external);
  }
}

bool Nat::Admits(const Mapping& mapping, const SocketAddress& source) const {
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
  return now - mapping.last_outbound >= options_.mapping_timeout;
}

void Nat::Remove(SocketAddress external) {
  const auto found = by_external_.find(external);
  if (found == by_external_.end()) return;
  std::erase_if(by_key_, [&](const auto& entry) { return entry.second == external; });
  by_external_.erase(found);
}

void Nat::DropExpired(Timestamp now) {
  std::vector<SocketAddress> expired;
  for (const auto& [external, mapping] : by_external_) {
    if (IsExpired(now, mapping)) expired.push_back(external);
  }
  for (const auto& external : expired) Remove(external);
}

void Nat::Reboot() {
  by_external_.clear();
  by_key_.clear();
}

}  // namespace jsp::netsim
