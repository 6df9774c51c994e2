#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <cstdlib>
#include <new>

#include "dtls/session_test_support.h"

namespace {

uint64_t allocations = 0;

void* CountedMalloc(size_t size, const char*, int) {
  ++allocations;
  return std::malloc(size);
}
void* CountedRealloc(void* memory, size_t size, const char*, int) {
  ++allocations;
  return std::realloc(memory, size);
}
void CountedFree(void* memory, const char*, int) { std::free(memory); }

// Before main(), because OpenSSL allows it only before its first allocation.
const bool counts_openssl = CRYPTO_set_mem_functions(&CountedMalloc, &CountedRealloc, &CountedFree) == 1;

}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace jsp::dtls {
namespace {

using testing::Bytes;
using testing::SessionPair;

TEST(SessionAllocationTest, TenThousandRecordsAllocateNothingInTheSessionNorInOpenSsl) {
  ASSERT_TRUE(counts_openssl);
  SessionPair pair;
  pair.MustConnect();
  const Bytes plaintext(1200, 1);
  Bytes datagram(1400);
  Bytes received(1 << 14);
  const auto pass = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const auto size = pair.a().Seal(pair.now(), plaintext, datagram);
      if (!size) return false;
      pair.z().HandleDatagram(pair.now(), std::span(datagram).first(*size));
      if (pair.z().PollPlaintext(pair.now(), received) != 1200u) return false;
      if (pair.z().PollPlaintext(pair.now(), received)) return false;
      if (pair.z().PollTransmit(pair.now(), received) || pair.z().PollEvent()) return false;
    }
    return true;
  };
  ASSERT_TRUE(pass(10));
  const uint64_t before = allocations;
  ASSERT_TRUE(pass(10000));
  EXPECT_EQ(allocations, before);
}

TEST(SessionAllocationTest, BurstsThatArePolledLateReuseTheirStorage) {
  SessionPair pair;
  pair.MustConnect();
  const Bytes plaintext(1200, 1);
  Bytes datagram(1400);
  Bytes received(1 << 14);
  const auto burst = [&] {
    for (int i = 0; i < 32; ++i) {
      const auto size = pair.a().Seal(pair.now(), plaintext, datagram);
      pair.z().HandleDatagram(pair.now(), std::span(datagram).first(size.value_or(0)));
    }
    int count = 0;
    while (pair.z().PollPlaintext(pair.now(), received)) ++count;
    return count;
  };
  for (int i = 0; i < 5; ++i) ASSERT_EQ(burst(), 32);
  const uint64_t before = allocations;
  for (int i = 0; i < 100; ++i) ASSERT_EQ(burst(), 32);
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace jsp::dtls
