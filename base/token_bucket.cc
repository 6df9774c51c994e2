#include "base/token_bucket.h"

#include <algorithm>
namespace jsp {
namespace {

constexpr uint64_t kMicroseconds = 1'000'000;
constexpr uint32_t kStrangerBurstSeconds = 10;
constexpr size_t kV6PrefixOctets = 8;  // whoever has one address of a /64 has all of it

}  // namespace

bool TokenBucket::Take(Timestamp now, uint64_t tokens) {
  if (rate_ == 0) return true;
  // Another thread's `now` may be behind: shared_state.h.
  const auto elapsed = static_cast<uint64_t>(std::max(now - filled_, Duration::zero()).count());
  const auto missing = static_cast<uint64_t>(burst_ - tokens_);
  if (elapsed / kMicroseconds >= missing / rate_ + 1) {
    tokens_ = burst_;
    filled_ = std::max(filled_, now);
  } else {
    // Whole tokens only; the time that makes no whole one is kept.
    const uint64_t fresh = std::min(missing, elapsed * rate_ / kMicroseconds);
    tokens_ += static_cast<int64_t>(fresh);
    filled_ = filled_ + Duration(static_cast<Duration::rep>(fresh * kMicroseconds / rate_));
  }
  if (tokens_ <= 0) return false;
  tokens_ -= static_cast<int64_t>(tokens);
  return true;
}

StrangerLimit::StrangerLimit(uint32_t per_second, Rng& rng)
    : per_second_(per_second),
      key_(rng.Random<uint64_t>() | 1),
      buckets_(kBuckets, TokenBucket(per_second, uint64_t{per_second} * kStrangerBurstSeconds)) {}

size_t StrangerLimit::BucketOf(const IpAddress& source) const {
  const auto octets = source.octets().first(source.is_v4() ? 4 : kV6PrefixOctets);
  uint64_t hash = key_;
  for (const uint8_t octet : octets) {
    hash = (hash ^ octet) * 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
    hash ^= hash >> 29;
  }
  return hash * key_ >> 52;  // the upper 12 bits
}

bool StrangerLimit::Take(Timestamp now, const IpAddress& source) {
  return per_second_ == 0 || buckets_[BucketOf(source)].Take(now, 1);
}

}  // namespace jsp
