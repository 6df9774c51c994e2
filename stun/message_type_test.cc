#include "stun/message_type.h"

#include <gtest/gtest.h>
namespace jsp::stun {
namespace {

constexpr MessageClass kClasses[] = {MessageClass::kRequest, MessageClass::kIndication, MessageClass::kSuccessResponse,
                                     MessageClass::kErrorResponse};

TEST(MessageTypeTest, EncodesTheRfcsExamples) {  // RFC 8489 §5
  EXPECT_EQ((MessageType{Method::kBinding, MessageClass::kRequest}.ToWire()), 0x0001);
  EXPECT_EQ((MessageType{Method::kBinding, MessageClass::kIndication}.ToWire()), 0x0011);
  EXPECT_EQ((MessageType{Method::kBinding, MessageClass::kSuccessResponse}.ToWire()), 0x0101);
  EXPECT_EQ((MessageType{Method::kBinding, MessageClass::kErrorResponse}.ToWire()), 0x0111);
  EXPECT_EQ((MessageType{Method::kSend, MessageClass::kIndication}.ToWire()), 0x0016);  // RFC 8656 §17
  EXPECT_EQ((MessageType{Method::kData, MessageClass::kIndication}.ToWire()), 0x0017);
}

TEST(MessageTypeTest, RoundTripsEveryMethodAndClass) {
  for (uint16_t method = 0; method <= 0xfff; ++method) {
    for (const MessageClass c : kClasses) {
      const MessageType type{static_cast<Method>(method), c};
      ASSERT_EQ(type.ToWire() & 0xc000, 0);  // RFC 8489 §5: the two top bits are zero
      ASSERT_EQ(MessageType::FromWire(type.ToWire()), type) << method;
    }
  }
}

TEST(MessageTypeTest, EveryWireValueIsOneType) {
  for (uint32_t wire = 0; wire < 0x4000; ++wire) {
    ASSERT_EQ(MessageType::FromWire(static_cast<uint16_t>(wire)).ToWire(), wire);
  }
}

TEST(MessageTypeTest, TheTopBitsDoNotMatterToTheType) {
  EXPECT_EQ(MessageType::FromWire(0xc101), MessageType::FromWire(0x0101));
}

TEST(MessageTypeTest, AMethodAboveTwelveBitsCannotForgeTheTopBits) {
  EXPECT_EQ((MessageType{static_cast<Method>(0xf001), MessageClass::kRequest}.ToWire()), 0x0001);
}

}  // namespace
}  // namespace jsp::stun
