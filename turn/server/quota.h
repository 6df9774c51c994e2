#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "base/token_bucket.h"
#include "turn/server/options.h"
namespace jsp::turn {

// Names a user of the Quota table while it has allocations, and the source that one of them is counted at.
struct UserIndex {
  uint32_t value = 0;
  uint64_t source = 0;
  bool operator==(const UserIndex&) const = default;
};

// Where a client is, as far as it can choose no other: its IPv4 address or IPv6 /64.
uint64_t QuotaSourceOf(const IpAddress& client);

// Allocations and bandwidth, of each user and in all (RFC 8656 §5, §7.2). Keyed by the user's name; the address is only
// a limit beside it. A user or a source is known while it has allocations, so that the tables are as large as the
// allocations are many.
class Quota {
 public:
  explicit Quota(const Quotas& quotas);

  enum class Refusal : uint8_t { kUser, kSource, kTotal };
  // nullopt: there is room.
  std::optional<Refusal> Judge(std::string_view user, uint64_t source = 0) const;
  UserIndex Enter(std::string_view user, uint64_t source = 0);
  void Leave(UserIndex user);
  // False: these octets are beyond the bandwidth, and "it should discard application data traffic that exceeds the
  // bandwidth quota" (RFC 8656 §5).
  bool TakeBandwidth(Timestamp now, UserIndex user, uint64_t octets);

  size_t allocations() const { return allocations_; }
  size_t users() const { return index_by_name_.size(); }

 private:
  struct User {
    std::string name;
    size_t allocations = 0;
    TokenBucket bandwidth;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  Quotas quotas_;
  size_t allocations_ = 0;
  TokenBucket total_bandwidth_;
  std::vector<User> users_;
  std::vector<uint32_t> free_;
  boost::unordered_flat_map<std::string, uint32_t, Hash, std::equal_to<>> index_by_name_;
  boost::unordered_flat_map<uint64_t, size_t> allocations_by_source_;
};

}  // namespace jsp::turn
