#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "base/socket_address.h"
#include "base/time.h"
namespace jsp {

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

}  // namespace jsp
