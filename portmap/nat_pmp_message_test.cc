#include "portmap/nat_pmp_message.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>
namespace jsp::portmap {
namespace {

const std::vector<uint8_t> kAddress{0, 128, 0, 0, 0, 0, 0x30, 0x39, 203, 0, 113, 7};
const std::vector<uint8_t> kMapping{0, 129, 0, 0, 0, 0, 0x30, 0x39, 0xc3, 0x50, 0xc3, 0x51, 0, 0, 0x1c, 0x20};

TEST(NatPmpMessageTest, WritesTheRequestsOfThePictures) {  // RFC 6886 §3.2, §3.3
  std::array<uint8_t, 16> out{0xff, 0xff};
  ASSERT_TRUE(WriteNatPmpAddressRequest(out));
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(out[1], 0);
  EXPECT_FALSE(WriteNatPmpAddressRequest(std::span(out).first(1)));
  ASSERT_TRUE(WriteNatPmpMapRequest({50000, 50001, 7200}, out));
  EXPECT_EQ(std::vector<uint8_t>(out.begin(), out.begin() + 12),
            (std::vector<uint8_t>{0, 1, 0, 0, 0xc3, 0x50, 0xc3, 0x51, 0, 0, 0x1c, 0x20}));
  EXPECT_FALSE(WriteNatPmpMapRequest({50000, 50001, 7200}, std::span(out).first(11)));
}

TEST(NatPmpMessageTest, ParsesTheResponsesOfThePictures) {  // RFC 6886 §3.2, §3.3
  const auto address = ParseNatPmpResponse(kAddress);
  ASSERT_TRUE(address);
  EXPECT_EQ(address->epoch, 12345u);
  EXPECT_EQ(address->external, IpAddress::V4(203, 0, 113, 7));
  const auto mapping = ParseNatPmpResponse(kMapping);
  ASSERT_TRUE(mapping && mapping->map);
  EXPECT_EQ(mapping->map->internal_port, 50000);
  EXPECT_EQ(mapping->map->external_port, 50001);
  EXPECT_EQ(mapping->map->lifetime, 7200u);
}

TEST(NatPmpMessageTest, RejectsEveryTruncation) {
  for (const auto& message : {kAddress, kMapping}) {
    for (size_t size = 0; size < message.size(); ++size) {
      EXPECT_FALSE(ParseNatPmpResponse(std::span(message).first(size))) << size;
    }
  }
}

TEST(NatPmpMessageTest, RejectsRequestsOtherVersionsAndTcp) {
  std::vector<uint8_t> request = kMapping, version = kMapping, tcp = kMapping;
  request[1] = 1;
  version[0] = 2;
  tcp[1] = 130;
  for (const auto& message : {request, version, tcp}) EXPECT_FALSE(ParseNatPmpResponse(message));
}

TEST(NatPmpMessageTest, TranslatesItsResults) {  // RFC 6886 §3.5
  const std::array<ResultCode, 6> expected{ResultCode::kSuccess,       ResultCode::kUnsupportedVersion,
                                           ResultCode::kNotAuthorized, ResultCode::kNetworkFailure,
                                           ResultCode::kNoResources,   ResultCode::kUnsupportedOpcode};
  for (uint8_t code = 0; code < expected.size(); ++code) {
    std::vector<uint8_t> message = kMapping;
    message[3] = code;
    ASSERT_TRUE(ParseNatPmpResponse(message));
    EXPECT_EQ(ParseNatPmpResponse(message)->result, expected[code]);
  }
}

TEST(NatPmpMessageTest, AnAddressThatComesWithAnErrorIsNone) {  // RFC 6886 §3.2
  std::vector<uint8_t> message = kAddress;
  message[3] = 3;
  ASSERT_TRUE(ParseNatPmpResponse(message));
  EXPECT_FALSE(ParseNatPmpResponse(message)->external);
}

}  // namespace
}  // namespace jsp::portmap
