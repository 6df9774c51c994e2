#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
namespace jsp::stun {

constexpr size_t kFingerprintSize = 4;  // RFC 8489 §14.7, octets of the value

// FINGERPRINT of a message that ends with it. `prefix` is the message up to, but without, the attribute: at least the
// 20 octets of the header. What its length field says does not matter: the length with the attribute is what is summed.
uint32_t ComputeFingerprint(std::span<const uint8_t> prefix);

}  // namespace jsp::stun
