// No allocation on the packet path: this binary counts every operator new.
#include <gtest/gtest.h>

#include <array>

#include "stun/message_builder.h"
#include "stun/message_view.h"
#include "stun/server.h"
#include "test/support/allocations.h"

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

TEST(MessageAllocationTest, BuildingParsingAndVerifyingACheckAllocatesNothing) {
  const crypto::HmacSha1Key key(crypto::AsBytes("secret"));
  std::array<uint8_t, 200> buffer;
  ASSERT_EQ(BuildCheck(buffer, key).size(), 100u);  // and whatever is set up once is set up now
  const size_t before = CountAllocations().count;
  bool good = true;
  for (int i = 0; i < 100; ++i) {
    const auto view = MessageView::Parse(BuildCheck(buffer, key));
    good = good && view && view->VerifyIntegrity(key) == IntegrityStatus::kValid &&
           view->VerifyFingerprint() == IntegrityStatus::kValid && view->FindText(AttributeType::kUsername) &&
           view->FindU32(AttributeType::kPriority) && view->FindU64(AttributeType::kIceControlling);
  }
  EXPECT_EQ(CountAllocations().count, before);
  EXPECT_TRUE(good);
}

TEST(MessageAllocationTest, RefusalsWithAddressesAllocateNothing) {
  const SocketAddress v4 = *SocketAddress::Parse("192.0.2.1:3478");
  const SocketAddress v6 = *SocketAddress::Parse("[2001:db8::1]:3478");
  std::array<uint8_t, 300> buffer;
  const auto refuse = [&] {
    return MessageBuilder(buffer, {Method::kBinding, MessageClass::kErrorResponse}, {})
        .AddError(420, "Unknown Attribute")
        .AddUnknownAttributes(std::array{AttributeType(0x7001), AttributeType(0x7002)})
        .AddAddress(AttributeType::kXorMappedAddress, v4)
        .AddAddress(AttributeType::kMappedAddress, v6)
        .Finish();
  };
  ASSERT_FALSE(refuse().empty());
  const size_t before = CountAllocations().count;
  const auto view = MessageView::Parse(refuse());
  const auto error = view ? view->FindError() : std::nullopt;
  const bool good = view && view->FindAddress(AttributeType::kXorMappedAddress) == v4 &&
                    view->FindAddress(AttributeType::kMappedAddress) == v6;
  EXPECT_EQ(CountAllocations().count, before);
  EXPECT_TRUE(good);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, 420);
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
  const size_t before = CountAllocations().count;
  for (int i = 0; i < 10; ++i) burst();
  EXPECT_EQ(CountAllocations().count, before);
  EXPECT_EQ(server.metrics().requests, 11u * 32u);
}

}  // namespace
}  // namespace jsp::stun
