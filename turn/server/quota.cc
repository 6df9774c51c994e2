#include "turn/server/quota.h"

#include <utility>
namespace jsp::turn {
namespace {

constexpr size_t kV6PrefixOctets = 8;  // whoever has one address of a /64 has all of it

}  // namespace

Quota::Quota(const Quotas& quotas)
    : quotas_(quotas), total_bandwidth_(quotas.total_bandwidth, quotas.total_bandwidth) {}

uint64_t QuotaSourceOf(const IpAddress& client) {
  uint64_t source = client.is_v4() ? 4 : 6;  // so that an IPv4 address is no prefix
  for (const uint8_t octet : client.octets().first(client.is_v4() ? 4 : kV6PrefixOctets)) source = source << 8 ^ octet;
  return source;
}

std::optional<Quota::Refusal> Quota::Judge(std::string_view user, uint64_t source) const {
  if (quotas_.total_allocations != 0 && allocations_ >= quotas_.total_allocations) return Refusal::kTotal;
  const auto found = index_by_name_.find(user);
  const size_t own = found == index_by_name_.end() ? 0 : users_[found->second].allocations;
  if (quotas_.allocations_per_user != 0 && own >= quotas_.allocations_per_user) return Refusal::kUser;
  const auto here = allocations_by_source_.find(source);
  const size_t around = here == allocations_by_source_.end() ? 0 : here->second;
  if (quotas_.allocations_per_source != 0 && around >= quotas_.allocations_per_source) return Refusal::kSource;
  return std::nullopt;
}

UserIndex Quota::Enter(std::string_view user, uint64_t source) {
  ++allocations_;
  ++allocations_by_source_[source];
  if (const auto found = index_by_name_.find(user); found != index_by_name_.end()) {
    ++users_[found->second].allocations;
    return {found->second, source};
  }
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(users_.size()));
    users_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  users_[index] = {std::string(user), 1, TokenBucket(quotas_.bandwidth_per_user, quotas_.bandwidth_per_user)};
  index_by_name_.emplace(user, index);
  return {index, source};
}

void Quota::Leave(UserIndex user) {
  --allocations_;
  const auto here = allocations_by_source_.find(user.source);
  if (--here->second == 0) allocations_by_source_.erase(here);
  User& left = users_[user.value];
  if (--left.allocations > 0) return;
  index_by_name_.erase(left.name);
  left = {};
  free_.push_back(user.value);
}

bool Quota::TakeBandwidth(Timestamp now, UserIndex user, uint64_t octets) {
  return users_[user.value].bandwidth.Take(now, octets) && total_bandwidth_.Take(now, octets);
}

}  // namespace jsp::turn
