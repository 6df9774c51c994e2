#pragma once
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "turn/server/options.h"
namespace jsp::turn {

// Tokens that come at a rate and are kept for a while. Whoever takes more than there are is let pass while there is
// one, and its debt is paid before the next: a train of datagrams may be larger than a small quota's burst.
class TokenBucket {
 public:
  TokenBucket() = default;
  // `rate` tokens a second, at most `burst`; it begins full. A rate of 0 is no limit.
  TokenBucket(uint64_t rate, uint64_t burst)
      : rate_(rate), burst_(static_cast<int64_t>(burst)), tokens_(static_cast<int64_t>(burst)) {}
  bool Take(Timestamp now, uint64_t tokens);
  void Fill() { tokens_ = burst_; }

 private:
  uint64_t rate_ = 0;
  int64_t burst_ = 0;
  int64_t tokens_ = 0;
  Timestamp filled_ = Timestamp::FromEpoch(Duration::zero());
};

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

// How many answers strangers get (S8, T6): a bucket for each source, an IPv4 address or an IPv6 /64, in a table of
// fixed size. Two sources may share a bucket; which ones, only the key knows.
class StrangerLimit {
 public:
  static constexpr size_t kBuckets = 4096;
  StrangerLimit(uint32_t per_second, Rng& rng);
  bool Take(Timestamp now, const IpAddress& source);
  // The source has answered a challenge: it is where it says, and no victim of a forger. Its bucket is full again, so
  // that many users behind one address do not slow each other down.
  void Forgive(const IpAddress& source) { buckets_[BucketOf(source)].Fill(); }

 private:
  size_t BucketOf(const IpAddress& source) const;

  uint32_t per_second_;
  uint64_t key_;
  std::vector<TokenBucket> buckets_;
};

}  // namespace jsp::turn
