#include "stun/error_code.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/crypto.h"
namespace jsp::stun {
namespace {

std::vector<uint8_t> Write(uint16_t code, std::string_view reason) {
  std::vector<uint8_t> out(4 + reason.size(), 0xee);
  WriteErrorCode(code, reason, out);
  return out;
}

TEST(ErrorCodeTest, WritesClassAndNumber) {  // RFC 8489 §14.8
  EXPECT_EQ(crypto::Hex(Write(438, "no")), "000004266e6f");
  EXPECT_EQ(crypto::Hex(Write(699, "")), "00000663");
}

TEST(ErrorCodeTest, RoundTripsEveryCode) {
  for (uint16_t code = 300; code <= 699; ++code) {
    ASSERT_TRUE(MaySendError(code, "reason"));
    const auto value = Write(code, "reason");
    const auto error = ParseErrorCode(value);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, code);
    EXPECT_EQ(error->reason, "reason");
  }
}

TEST(ErrorCodeTest, ReservedBitsAreIgnored) {  // RFC 8489 §14.8
  const auto error = ParseErrorCode(std::array<uint8_t, 4>{0xff, 0xff, 0xf8 | 4, 1});
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, 401);
}

TEST(ErrorCodeTest, S2_RejectsImpossibleClassesAndNumbers) {
  for (const uint8_t hundreds : std::array<uint8_t, 4>{0, 1, 2, 7}) {
    EXPECT_FALSE(ParseErrorCode(std::array<uint8_t, 4>{0, 0, hundreds, 0})) << int{hundreds};
  }
  EXPECT_TRUE(ParseErrorCode(std::array<uint8_t, 4>{0, 0, 4, 99}));
  EXPECT_FALSE(ParseErrorCode(std::array<uint8_t, 4>{0, 0, 4, 100}));
  EXPECT_FALSE(ParseErrorCode(std::array<uint8_t, 4>{0, 0, 4, 255}));
}

TEST(ErrorCodeTest, S2_RejectsEveryTruncation) {
  const auto value = Write(400, "");
  for (size_t size = 0; size < value.size(); ++size) EXPECT_FALSE(ParseErrorCode(std::span(value).first(size)));
  EXPECT_TRUE(ParseErrorCode(value));
}

TEST(ErrorCodeTest, AReasonIsReadUpTo763OctetsAndSentBelow128Characters) {  // RFC 8489 §14.8
  EXPECT_EQ(ParseErrorCode(Write(400, std::string(763, 'x')))->reason.size(), 763u);
  EXPECT_FALSE(ParseErrorCode(Write(400, std::string(764, 'x'))));
  EXPECT_TRUE(MaySendError(400, std::string(127, 'x')));
  EXPECT_FALSE(MaySendError(400, std::string(128, 'x')));
  EXPECT_TRUE(MaySendError(400, ""));
  EXPECT_FALSE(MaySendError(400, "\xff"));
  EXPECT_FALSE(MaySendError(299, ""));
  EXPECT_FALSE(MaySendError(700, ""));
}

TEST(ErrorCodeTest, AMalformedReasonDoesNotHideTheCode) {
  const std::vector<uint8_t> value{0, 0, 4, 20, 0xff, 0xfe};
  const auto error = ParseErrorCode(value);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, 420);
  EXPECT_EQ(error->reason, "");
}

TEST(ErrorCodeTest, RegisteredCodesHavePhrasesThatMayBeSent) {
  for (const uint16_t code :
       {error_code::kTryAlternate, error_code::kBadRequest, error_code::kUnauthenticated, error_code::kForbidden,
        error_code::kMobilityForbidden, error_code::kUnknownAttribute, error_code::kAllocationMismatch,
        error_code::kStaleNonce, error_code::kAddressFamilyNotSupported, error_code::kWrongCredentials,
        error_code::kUnsupportedTransportProtocol, error_code::kPeerAddressFamilyMismatch,
        error_code::kConnectionAlreadyExists, error_code::kConnectionTimeoutOrFailure,
        error_code::kAllocationQuotaReached, error_code::kRoleConflict, error_code::kServerError,
        error_code::kInsufficientCapacity}) {
    EXPECT_FALSE(ReasonPhrase(code).empty()) << code;
    EXPECT_TRUE(MaySendError(code, ReasonPhrase(code))) << code;
  }
  EXPECT_EQ(ReasonPhrase(420), "Unknown Attribute");
  EXPECT_EQ(ReasonPhrase(499), "");
}

TEST(UnknownAttributesTest, ParsesTheListWithinTheCallersBound) {  // RFC 8489 §14.13
  const std::array<uint8_t, 7> value{0x77, 0x77, 0x00, 0x31, 0x00, 0x32, 0x99};
  std::array<AttributeType, 8> out;
  ASSERT_EQ(ParseUnknownAttributes(value, out), 3u);
  EXPECT_EQ(static_cast<uint16_t>(out[0]), 0x7777);
  EXPECT_EQ(static_cast<uint16_t>(out[2]), 0x0032);
  EXPECT_EQ(ParseUnknownAttributes(value, std::span(out).first(2)), 2u);
  EXPECT_EQ(ParseUnknownAttributes({}, out), 0u);
  EXPECT_EQ(ParseUnknownAttributes(std::span(value).first(1), out), 0u);
}

}  // namespace
}  // namespace jsp::stun
