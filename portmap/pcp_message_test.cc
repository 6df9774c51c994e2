#include "portmap/pcp_message.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <vector>
namespace jsp::portmap {
namespace {

// A request and its answer, as RFC 6887 §7.1, §7.2 and §11.1 draw them: 192.168.1.2 asks for UDP port 50000 for an hour
// and gets 203.0.113.7:50001.
const std::vector<uint8_t> kRequest{
    0x02, 0x01, 0x00, 0x00, 0x00, 0x00, 0x0e, 0x10,  // version, MAP, 3600
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xc0, 0xa8, 0x01, 0x02,  // client
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c,                          // nonce
    0x11, 0x00, 0x00, 0x00, 0xc3, 0x50, 0xc3, 0x51,                                                  // UDP, ports
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xcb, 0x00, 0x71, 0x07,  // external
};
const std::vector<uint8_t> kResponse{
    0x02, 0x81, 0x00, 0x00, 0x00, 0x00, 0x0e, 0x10, 0x00, 0x01, 0xe2, 0x40,                          // epoch 123456
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,                          // reserved
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c,                          // nonce
    0x11, 0x00, 0x00, 0x00, 0xc3, 0x50, 0xc3, 0x51,                                                  // UDP, ports
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xcb, 0x00, 0x71, 0x07,  // external
};
constexpr Nonce kNonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

TEST(PcpMessageTest, WritesTheRequestOfThePicture) {
  const MapRequest request{kNonce, IpAddress::V4(192, 168, 1, 2), 50000, 3600, {IpAddress::V4(203, 0, 113, 7), 50001}};
  std::array<uint8_t, kMapRequest> out{};
  ASSERT_TRUE(WriteMapRequest(request, out));
  EXPECT_EQ(std::vector<uint8_t>(out.begin(), out.end()), kRequest);
  for (size_t size = 0; size < kMapRequest; ++size) EXPECT_FALSE(WriteMapRequest(request, std::span(out).first(size)));
}

TEST(PcpMessageTest, ParsesTheResponseOfThePicture) {
  const auto response = ParsePcpResponse(kResponse);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->version, kPcpVersion);
  EXPECT_EQ(response->opcode, 1);
  EXPECT_EQ(response->result, ResultCode::kSuccess);
  EXPECT_EQ(response->lifetime, 3600u);
  EXPECT_EQ(response->epoch, 123456u);
  ASSERT_TRUE(response->map);
  EXPECT_EQ(response->map->nonce, kNonce);
  EXPECT_EQ(response->map->protocol, kUdp);
  EXPECT_EQ(response->map->internal_port, 50000);
  EXPECT_EQ(response->map->external, (SocketAddress{IpAddress::V4(203, 0, 113, 7), 50001}));
}

TEST(PcpMessageTest, RejectsEveryTruncation) {  // RFC 6887 §8.3
  for (size_t size = 0; size < kResponse.size(); ++size) {
    EXPECT_FALSE(ParsePcpResponse(std::span(kResponse).first(size))) << size;
  }
}

TEST(PcpMessageTest, RejectsBadLength) {  // RFC 6887 §7: a multiple of four, at most 1100
  std::vector<uint8_t> message = kResponse;
  for (const size_t size : {61, 62, 63, 1101, 1104}) {
    message.resize(size);
    EXPECT_FALSE(ParsePcpResponse(message)) << size;
  }
  message.resize(1100);
  EXPECT_TRUE(ParsePcpResponse(message));
}

TEST(PcpMessageTest, RejectsARequest) { EXPECT_FALSE(ParsePcpResponse(kRequest)); }

TEST(PcpMessageTest, OtherVersionsAndOpcodesHaveAHeaderOnly) {  // RFC 6887 §9
  std::vector<uint8_t> version = kResponse;
  version[0] = 3;
  version[3] = 1;
  const auto other = ParsePcpResponse(std::span<const uint8_t>(version).first(kPcpHeader));
  ASSERT_TRUE(other);
  EXPECT_EQ(other->result, ResultCode::kUnsupportedVersion);
  EXPECT_FALSE(other->map);
  std::vector<uint8_t> announce = kResponse;
  announce[1] = 0x80;
  ASSERT_TRUE(ParsePcpResponse(announce));
  EXPECT_FALSE(ParsePcpResponse(announce)->map);
}

TEST(PcpMessageTest, EveryResultHasAText) {  // RFC 6887 §7.4
  std::set<std::string> texts;
  for (uint8_t code = 0; code <= 13; ++code) texts.insert(ToString(ResultCode(code)));
  EXPECT_EQ(texts.size(), 13u);  // the two about options share theirs
  EXPECT_STREQ(ToString(ResultCode(200)), "an unknown result");
}

}  // namespace
}  // namespace jsp::portmap
