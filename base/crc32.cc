#include "base/crc32.h"

#include <array>
#include <cstddef>

#include "base/crc_tables.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define JSP_CRC32_X86 1
#include <immintrin.h>
#endif

namespace jsp {
namespace {

// 0x04c11db7, reflected: the ITU V.42 polynomial that RFC 8489 §14.7 names.
constexpr uint32_t kPolynomial = 0xedb88320u;
constexpr crc::Tables kTables = crc::MakeTables(kPolynomial);

#if defined(JSP_CRC32_X86)

constexpr size_t kBlock = 16;
// Below two blocks there is nothing to fold.
constexpr size_t kMinToFold = 2 * kBlock;

// x^n, reflected; shifted because a carry-less product of reflected values lacks a factor of x.
constexpr uint64_t FoldingConstant(int n) {
  uint32_t v = 0x80000000u;
  for (; n > 0; --n) v = crc::TimesX(v, kPolynomial);
  return uint64_t{v} << 1;
}
// What moves a block's first and second word over the 128 bits of the next block.
constexpr uint64_t kFirstWord = FoldingConstant(128 + 32);
constexpr uint64_t kSecondWord = FoldingConstant(128 - 32);

// Folds each block into the next by two carry-less products; the last one, which then stands for all, and the rest go
// through the tables.
__attribute__((target("sse4.1,pclmul"))) uint32_t UpdateByFolding(uint32_t state, std::span<const uint8_t> data) {
  const __m128i constants = _mm_set_epi64x(static_cast<int64_t>(kSecondWord), static_cast<int64_t>(kFirstWord));
  const auto load = [](const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); };
  __m128i folded = _mm_xor_si128(load(data.data()), _mm_cvtsi32_si128(static_cast<int32_t>(state)));
  size_t at = kBlock;
  for (; at + kBlock <= data.size(); at += kBlock) {
    const __m128i first = _mm_clmulepi64_si128(folded, constants, 0x00);
    const __m128i second = _mm_clmulepi64_si128(folded, constants, 0x11);
    folded = _mm_xor_si128(_mm_xor_si128(first, second), load(data.data() + at));
  }
  std::array<uint8_t, kBlock> block;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(block.data()), folded);
  return crc::Update(kTables, crc::Update(kTables, 0, block), data.subspan(at));
}

inline bool MayFold(size_t size) { return size >= kMinToFold && __builtin_cpu_supports("pclmul"); }

#else

uint32_t UpdateByFolding(uint32_t state, std::span<const uint8_t> data) { return crc::Update(kTables, state, data); }
constexpr bool MayFold(size_t) { return false; }

#endif

}  // namespace

uint32_t Crc32(std::span<const uint8_t> data) { return Crc32(data, 0); }

uint32_t Crc32(std::span<const uint8_t> data, uint32_t previous) {
  return MayFold(data.size()) ? ~UpdateByFolding(~previous, data) : Crc32Portable(data, previous);
}

uint32_t Crc32Portable(std::span<const uint8_t> data, uint32_t previous) {
  return ~crc::Update(kTables, ~previous, data);
}

}  // namespace jsp
