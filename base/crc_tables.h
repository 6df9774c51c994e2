#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
// The table-driven engine of crc32.cc and crc32c.cc, for reflected 32-bit polynomials. Not for other directories.
namespace jsp::crc {

// Row 0 advances the register by one octet; row k by one octet followed by k zero octets ("slicing by 8").
using Tables = std::array<std::array<uint32_t, 256>, 8>;

// Multiplies the reflected polynomial `v` by x.
constexpr uint32_t TimesX(uint32_t v, uint32_t polynomial) { return (v >> 1) ^ ((v & 1) != 0 ? polynomial : 0); }

constexpr Tables MakeTables(uint32_t polynomial) {
  Tables tables{};
  for (uint32_t octet = 0; octet < 256; ++octet) {
    uint32_t v = octet;
    for (int bit = 0; bit < 8; ++bit) v = TimesX(v, polynomial);
    tables[0][octet] = v;
  }
  for (size_t row = 1; row < tables.size(); ++row) {
    for (size_t octet = 0; octet < 256; ++octet) {
      const uint32_t v = tables[row - 1][octet];
      tables[row][octet] = (v >> 8) ^ tables[0][v & 0xff];
    }
  }
  return tables;
}

constexpr uint32_t LoadLittleEndian32(const uint8_t* p) {
  return uint32_t{p[0]} | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24;
}

// Runs the register `state` (no initial value, no final XOR) over `data`.
constexpr uint32_t Update(const Tables& t, uint32_t state, std::span<const uint8_t> data) {
  const uint8_t* p = data.data();
  size_t left = data.size();
  for (; left >= 8; left -= 8, p += 8) {
    const uint32_t low = state ^ LoadLittleEndian32(p);
    const uint32_t high = LoadLittleEndian32(p + 4);
    state = t[7][low & 0xff] ^ t[6][(low >> 8) & 0xff] ^ t[5][(low >> 16) & 0xff] ^ t[4][low >> 24] ^
            t[3][high & 0xff] ^ t[2][(high >> 8) & 0xff] ^ t[1][(high >> 16) & 0xff] ^ t[0][high >> 24];
  }
  for (; left > 0; --left, ++p) state = (state >> 8) ^ t[0][(state ^ *p) & 0xff];
  return state;
}

}  // namespace jsp::crc
