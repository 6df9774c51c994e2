#pragma once
#include <cstdint>
#include <span>
namespace jsp {

// CRC-32C (Castagnoli), RFC 9260 §A; as a number whose little-endian octets go on the wire. Uses the CPU's instruction
// where it has one: found at run time on x86-64, compiled in on ARMv8.
uint32_t Crc32c(std::span<const uint8_t> data);
// Continues from an earlier result: Crc32c(b, Crc32c(a)) == Crc32c(ab).
uint32_t Crc32c(std::span<const uint8_t> data, uint32_t previous);
// The table-driven version: the oracle of the other one, and what runs where there is no instruction.
uint32_t Crc32cPortable(std::span<const uint8_t> data, uint32_t previous = 0);

}  // namespace jsp
