#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <cstdlib>

#include "dtls/datagram_queue.h"
#include "dtls/session_test_support.h"
#include "test/support/allocations.h"

namespace {

uint64_t of_openssl = 0;

void* CountedMalloc(size_t size, const char*, int) {
  ++of_openssl;
  return std::malloc(size);
}
void* CountedRealloc(void* memory, size_t size, const char*, int) {
  ++of_openssl;
  return std::realloc(memory, size);
}
void CountedFree(void* memory, const char*, int) { std::free(memory); }

// Before main(), because OpenSSL allows it only before its first allocation.
const bool counts_openssl = CRYPTO_set_mem_functions(&CountedMalloc, &CountedRealloc, &CountedFree) == 1;

}  // namespace

namespace jsp::dtls {
namespace {

using testing::Bytes;
using testing::SessionPair;

uint64_t Count() { return of_openssl + CountAllocations().count; }

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
  const uint64_t before = Count();
  ASSERT_TRUE(pass(10000));
  EXPECT_EQ(Count(), before);
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
  const uint64_t before = Count();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(burst(), 32);
  EXPECT_EQ(Count(), before);
}

TEST(SessionAllocationTest, AQueueThatIsReleasedHoldsNothing) {
  const uint64_t before = CountAllocations().live;
  DatagramQueue queue({.datagrams = 160, .octets = 40'000});
  ASSERT_TRUE(queue.Push(Bytes(1200, 1)));
  queue.Release();
  EXPECT_EQ(CountAllocations().live, before);
  ASSERT_TRUE(queue.Push(Bytes(1200, 2)));  // and may be used again
  EXPECT_EQ(queue.front()[0], 2);
}

}  // namespace
}  // namespace jsp::dtls
