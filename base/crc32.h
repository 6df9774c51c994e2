#pragma once
#include <cstdint>
#include <span>
namespace jsp {

// CRC-32 of ITU V.42 (IEEE 802.3), reflected, initial value and final XOR 0xffffffff; STUN FINGERPRINT, RFC 8489 §14.7.
uint32_t Crc32(std::span<const uint8_t> data);
// Continues from an earlier result: Crc32(b, Crc32(a)) == Crc32(ab).
uint32_t Crc32(std::span<const uint8_t> data, uint32_t previous);
// The same without the processor's help, for other processors and as the oracle of tests.
uint32_t Crc32Portable(std::span<const uint8_t> data, uint32_t previous);

}  // namespace jsp
