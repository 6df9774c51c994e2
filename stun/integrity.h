#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/crypto.h"
namespace jsp::stun {

// MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 over a message whose length field may say anything: what is hashed is
// the length up to the end of the integrity attribute.

constexpr size_t kIntegritySize = 20;           // RFC 8489 §14.5
constexpr size_t kIntegritySha256Size = 32;     // RFC 8489 §14.6
constexpr size_t kMinIntegritySha256Size = 16;  // where a usage allows truncation; always a multiple of four

// `prefix` is the message up to, but without, the integrity attribute: at least the 20 octets of the header.
crypto::Sha1Digest ComputeIntegrity(const crypto::HmacSha1Key& key, std::span<const uint8_t> prefix);
// `value_size`: octets of the attribute's value, which the length counts: 32 unless truncated.
crypto::Sha256Digest ComputeIntegritySha256(const crypto::HmacSha256Key& key, std::span<const uint8_t> prefix,
                                            size_t value_size);

// Constant time in the content. A MAC of any other size than 20 octets is wrong.
bool IsIntegrityValid(const crypto::HmacSha1Key& key, std::span<const uint8_t> prefix, std::span<const uint8_t> mac);
// A MAC shorter than `min_size`, longer than 32 octets or not a multiple of four is wrong.
bool IsIntegritySha256Valid(const crypto::HmacSha256Key& key, std::span<const uint8_t> prefix,
                            std::span<const uint8_t> mac, size_t min_size);

}  // namespace jsp::stun
