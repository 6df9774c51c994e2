#include "stun/integrity.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/wire_layout.h"
namespace jsp::stun {
namespace {

constexpr size_t kHeader = 20;
constexpr size_t kAttributeHeader = 4;

// The HMAC's input in two parts: the first hash block is copied, because its length field has to be other than what the
// message says (RFC 8489 §14.5); the rest is a view.
class HmacInput {
 public:
  HmacInput(std::span<const uint8_t> prefix, size_t value_size) {
    JSP_CHECK(prefix.size() >= kHeader);
    const size_t head = std::min(prefix.size(), block_.size());
    std::copy_n(prefix.begin(), head, block_.begin());
    wire::Codec<uint16_t>::Store(block_.data() + 2,
                                 static_cast<uint16_t>(prefix.size() - kHeader + kAttributeHeader + value_size));
    parts_ = {crypto::Bytes(block_).first(head), prefix.subspan(head)};
  }
  HmacInput(const HmacInput&) = delete;
  HmacInput& operator=(const HmacInput&) = delete;

  std::span<const crypto::Bytes> parts() const { return parts_; }

 private:
  std::array<uint8_t, 64> block_;
  std::array<crypto::Bytes, 2> parts_;
};

}  // namespace

crypto::Sha1Digest ComputeIntegrity(const crypto::HmacSha1Key& key, std::span<const uint8_t> prefix) {
  const HmacInput input(prefix, kIntegritySize);
  return key.Sign(input.parts());
}

crypto::Sha256Digest ComputeIntegritySha256(const crypto::HmacSha256Key& key, std::span<const uint8_t> prefix,
                                            size_t value_size) {
  const HmacInput input(prefix, value_size);
  return key.Sign(input.parts());
}

bool IsIntegrityValid(const crypto::HmacSha1Key& key, std::span<const uint8_t> prefix, std::span<const uint8_t> mac) {
  if (mac.size() != kIntegritySize) return false;
  return crypto::EqualConstantTime(ComputeIntegrity(key, prefix), mac);
}

bool IsIntegritySha256Valid(const crypto::HmacSha256Key& key, std::span<const uint8_t> prefix,
                            std::span<const uint8_t> mac, size_t min_size) {
  // RFC 8489 §14.6: "at most 32 bytes, but it MUST be at least 16 bytes and MUST be a multiple of 4 bytes".
  if (mac.size() < std::max(min_size, kMinIntegritySha256Size)) return false;
  if (mac.size() > kIntegritySha256Size || mac.size() % 4 != 0) return false;
  const crypto::Sha256Digest digest = ComputeIntegritySha256(key, prefix, mac.size());
  return crypto::EqualConstantTime(crypto::Bytes(digest).first(mac.size()), mac);
}

}  // namespace jsp::stun
