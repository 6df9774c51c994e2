#include "base/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#include "base/crc_tables.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define JSP_CRC32C_X86 1
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#define JSP_CRC32C_ARM 1
#include <arm_acle.h>
#endif

namespace jsp {
namespace {

// 0x1edc6f41, reflected; RFC 9260 §A.
constexpr uint32_t kPolynomial = 0x82f63b78u;
constexpr crc::Tables kTables = crc::MakeTables(kPolynomial);

#if defined(JSP_CRC32C_X86) || defined(JSP_CRC32C_ARM)

[[maybe_unused]] inline uint64_t LoadWord(const uint8_t* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

#endif

#if defined(JSP_CRC32C_X86)

// The instruction has a latency of three cycles and a throughput of one, so that three independent lanes run at three
// times the speed of one. Each lane has `n` words; n at most kMaxLaneWords in one go.
constexpr size_t kMaxLaneWords = 128;
// Below this the joining of the lanes costs more than it saves (measured; 24 words = 192 octets).
constexpr size_t kMinWordsForLanes = 24;

// kShift[n] multiplies a register by x^(64 n), i.e. appends n zero words: a carry-less product of two reflected 32-bit
// values carries a factor of x, and the CRC instruction that reduces it one of x^32, hence x^(64 n - 33).
constexpr auto kShift = [] {
  std::array<uint32_t, 2 * kMaxLaneWords + 1> shift{};
  uint32_t v = 1;  // x^31, reflected: one word less 33
  for (size_t n = 1; n < shift.size(); ++n) {
    shift[n] = v;
    for (int bit = 0; bit < 64; ++bit) v = crc::TimesX(v, kPolynomial);
  }
  return shift;
}();

__attribute__((target("sse4.2,pclmul"))) inline __m128i Shift(uint64_t state, size_t words) {
  return _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<int64_t>(state)),
                              _mm_cvtsi32_si128(static_cast<int32_t>(kShift[words])), 0);
}

// Runs the register over 3 * n words at `p`.
__attribute__((target("sse4.2,pclmul"))) inline uint64_t UpdateLanes(uint64_t state, const uint8_t* p, size_t n) {
  uint64_t a = state;
  uint64_t b = 0;
  uint64_t c = 0;
  const uint8_t* const end = p + 8 * n;
  for (; p != end; p += 8) {
    a = _mm_crc32_u64(a, LoadWord(p));
    b = _mm_crc32_u64(b, LoadWord(p + 8 * n));
    c = _mm_crc32_u64(c, LoadWord(p + 16 * n));
  }
  const __m128i joined = _mm_xor_si128(Shift(a, 2 * n), Shift(b, n));
  return _mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(joined))) ^ c;
}

__attribute__((target("sse4.2,pclmul"))) uint32_t UpdateWithInstruction(uint32_t start, std::span<const uint8_t> data) {
  const uint8_t* p = data.data();
  size_t words = data.size() / 8;
  uint64_t state = start;
  while (words >= kMinWordsForLanes) {
    const size_t n = words / 3 < kMaxLaneWords ? words / 3 : kMaxLaneWords;
    state = UpdateLanes(state, p, n);
    p += 24 * n;
    words -= 3 * n;
  }
  for (; words > 0; --words, p += 8) state = _mm_crc32_u64(state, LoadWord(p));
  auto narrow = static_cast<uint32_t>(state);
  for (size_t tail = data.size() % 8; tail > 0; --tail, ++p) narrow = _mm_crc32_u8(narrow, *p);
  return narrow;
}

// Reads a constant that the compiler's runtime fills before any constructor of ours runs.
inline bool HasInstruction() { return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"); }

#elif defined(JSP_CRC32C_ARM)

uint32_t UpdateWithInstruction(uint32_t state, std::span<const uint8_t> data) {
  const uint8_t* p = data.data();
  for (size_t words = data.size() / 8; words > 0; --words, p += 8) state = __crc32cd(state, LoadWord(p));
  for (size_t tail = data.size() % 8; tail > 0; --tail, ++p) state = __crc32cb(state, *p);
  return state;
}

constexpr bool HasInstruction() { return true; }

#else

uint32_t UpdateWithInstruction(uint32_t state, std::span<const uint8_t> data) {
  return crc::Update(kTables, state, data);
}

constexpr bool HasInstruction() { return false; }

#endif

}  // namespace

uint32_t Crc32c(std::span<const uint8_t> data) { return Crc32c(data, 0); }

uint32_t Crc32c(std::span<const uint8_t> data, uint32_t previous) {
  return HasInstruction() ? ~UpdateWithInstruction(~previous, data) : Crc32cPortable(data, previous);
}

uint32_t Crc32cPortable(std::span<const uint8_t> data, uint32_t previous) {
  return ~crc::Update(kTables, ~previous, data);
}

}  // namespace jsp
