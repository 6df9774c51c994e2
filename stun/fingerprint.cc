#include "stun/fingerprint.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/crc32.h"
#include "base/wire_layout.h"
namespace jsp::stun {

uint32_t ComputeFingerprint(std::span<const uint8_t> prefix) {
  constexpr uint32_t kXor = 0x5354554e;  // RFC 8489 §14.7
  constexpr size_t kHeader = 20;
  constexpr size_t kAttributeHeader = 4;
  JSP_CHECK(prefix.size() >= kHeader);
  std::array<uint8_t, 4> head{prefix[0], prefix[1]};
  wire::Codec<uint16_t>::Store(head.data() + 2,
                               static_cast<uint16_t>(prefix.size() - kHeader + kAttributeHeader + kFingerprintSize));
  return Crc32(prefix.subspan(head.size()), Crc32(head)) ^ kXor;
}

}  // namespace jsp::stun
