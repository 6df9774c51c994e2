// No allocation on the packet path: this binary counts every operator new.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <new>

#include "stun/message_builder.h"
#include "stun/message_view.h"
#include "stun/server.h"

namespace {
size_t g_allocations = 0;
}  // namespace

void* operator new(std::size_t size) {
  ++g_allocations;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace jsp::stun {
namespace {

// A connectivity check as ICE sends it (RFC 8445 §7.1).
std::span<const uint8_t> BuildCheck(std::span<uint8_t> out, const crypto::HmacSha1Key& key) {
  return MessageBuilder(out, {Method::kBinding, MessageClass::kRequest}, {})
      .AddText(AttributeType::kUsername, "evtjevtj:h6vYh6vY")
      .AddU32(AttributeType::kPriority, 0x6e0001ff)
      .AddU64(AttributeType::kIceControlling, 0x932ff9b151263b36)
      .AddFlag(AttributeType::kUseCandidate)
      .AddIntegrity(key)
      .AddFingerprint()
      .Finish();
}

TEST(MessageAllocationTest, ThisBinaryCountsAllocations) {
  const size_t before = g_allocations;
  ::operator delete(::operator new(1));  // a call, which the compiler may not elide as it may a new-expression
  EXPECT_EQ(g_allocations, before + 1);
}

TEST(MessageAllocationTest, BuildingParsingAndVerifyingACheckAllocatesNothing) {
  const crypto::HmacSha1Key key(crypto::AsBytes("secret"));
  std::array<uint8_t, 200> buffer;
  ASSERT_EQ(BuildCheck(buffer, key).size(), 100u);  // and whatever is set up once is set up now
  const size_t before = g_allocations;
  bool good = true;
  for (int i = 0; i < 100; ++i) {
    const auto view = MessageView::Parse(BuildCheck(buffer, key));
    good = good && view && view->VerifyIntegrity(key) == IntegrityStatus::kValid &&
           view->VerifyFingerprint() == IntegrityStatus::kValid && view->FindText(AttributeType::kUsername) &&
           view->FindU32(AttributeType::kPriority) && view->FindU64(AttributeType::kIceControlling);
  }
  EXPECT_EQ(g_allocations, before);
  EXPECT_TRUE(good);
}

TEST(MessageAllocationTest, AServerInItsSteadyStateAllocatesNothing) {
  Server server({});
  const SocketAddress address = *SocketAddress::Parse("192.0.2.1:3478");
  std::array<uint8_t, 20> request;
  std::array<uint8_t, 200> out;
  const auto datagram = MessageBuilder(request, {Method::kBinding, MessageClass::kRequest}, {}).Finish();
  const Timestamp now = Timestamp::FromEpoch(std::chrono::seconds(1));
  const auto burst = [&] {
    for (int i = 0; i < 32; ++i) server.HandleDatagram(now, address, address, datagram);
    while (server.PollTransmit(now, out)) {
    }
  };
  burst();
  const size_t before = g_allocations;
  for (int i = 0; i < 10; ++i) burst();
  EXPECT_EQ(g_allocations, before);
  EXPECT_EQ(server.metrics().requests, 11u * 32u);
}

}  // namespace
}  // namespace jsp::stun
