#include "sctp/packet/packet_builder.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "sctp/packet/chunk/cookie_ack.h"
#include "sctp/packet/chunk/cookie_echo.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/packet/chunk/shutdown.h"
#include "sctp/packet/sctp_packet.h"
#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

constexpr CommonHeader kHeader{5000, 5000, VerificationTag(0x01020304)};

DataChunk Hello(std::span<const uint8_t> payload) {
  DataChunk data;
  data.tsn = Tsn(1);
  data.ppid = Ppid(51);
  data.beginning = data.end = true;
  data.payload = payload;
  return data;
}

TEST(PacketBuilderTest, WritesThePacketOfTheCapture) {
  std::array<uint8_t, 64> buffer;
  buffer.fill(0xee);
  PacketBuilder builder(buffer, kHeader);
  ASSERT_TRUE(builder.Add(Hello(Hex("68656c6c6f"))));
  const size_t size = builder.Finish();
  EXPECT_EQ(Copy(std::span(buffer).first(size)),
            Hex("13881388010203042defce880003001500000001000000000000003368656c6c6f000000"));
}

TEST(PacketBuilderTest, WritesTheChecksumLeastSignificantOctetFirst) {  // RFC 9260 §A
  std::array<uint8_t, 16> buffer;
  PacketBuilder builder(buffer, kHeader);
  ASSERT_TRUE(builder.Add(CookieAckChunk{}));
  ASSERT_EQ(builder.Finish(), 16u);
  const uint32_t checksum = PacketChecksum(buffer);
  EXPECT_EQ(buffer[8], checksum & 0xff);
  EXPECT_EQ(buffer[11], checksum >> 24);
}

TEST(PacketBuilderTest, ParsesBackWithAllChunks) {
  std::array<uint8_t, 128> buffer;
  PacketBuilder builder(buffer, kHeader);
  const auto cookie = Hex("aabbcc");
  ASSERT_TRUE(builder.Add(CookieEchoChunk{cookie}));
  ASSERT_TRUE(builder.Add(Hello(Hex("01"))));
  ASSERT_TRUE(builder.Add(ShutdownChunk{Tsn(7)}));
  const size_t size = builder.Finish();
  const auto packet = PacketView::Parse(std::span(buffer).first(size), ChecksumPolicy::kRequireCrc32c);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->header, kHeader);
  EXPECT_EQ(packet->octets_after, 0u);
  std::vector<ChunkType> types;
  for (const ChunkView& chunk : packet->chunks) types.push_back(chunk.type);
  EXPECT_EQ(types, (std::vector{ChunkType::kCookieEcho, ChunkType::kData, ChunkType::kShutdown}));
}

TEST(PacketBuilderTest, PadsEveryChunkWithZeros) {  // RFC 9260 §3.2
  std::array<uint8_t, 64> buffer;
  buffer.fill(0xee);
  PacketBuilder builder(buffer, kHeader);
  const auto cookie = Hex("aa");
  ASSERT_TRUE(builder.Add(CookieEchoChunk{cookie}));
  EXPECT_EQ(builder.size(), 20u);
  EXPECT_EQ(Copy(std::span(buffer).subspan(12, 8)), Hex("0a000005 aa000000"));
}

TEST(PacketBuilderTest, CountsRoomInWholeMultiplesOfFour) {
  std::array<uint8_t, 31> buffer;
  PacketBuilder builder(buffer, kHeader);
  EXPECT_EQ(builder.bytes_remaining(), 16u);
  const std::array<uint8_t, 13> cookie{};
  EXPECT_FALSE(builder.Add(CookieEchoChunk{cookie}));
  EXPECT_TRUE(builder.empty());
  EXPECT_TRUE(builder.Add(CookieEchoChunk{std::span(cookie).first(12)}));
  EXPECT_EQ(builder.bytes_remaining(), 0u);
}

TEST(PacketBuilderTest, AChunkThatDoesNotFitChangesNothing) {
  std::array<uint8_t, 24> buffer;
  PacketBuilder builder(buffer, kHeader);
  ASSERT_TRUE(builder.Add(CookieAckChunk{}));
  EXPECT_FALSE(builder.Add(Hello(Hex("01"))));
  EXPECT_TRUE(builder.Add(ShutdownChunk{Tsn(1)}));
  const size_t size = builder.Finish();
  EXPECT_EQ(size, 24u);
  EXPECT_TRUE(PacketView::Parse(std::span(buffer).first(size), ChecksumPolicy::kRequireCrc32c));
}

TEST(PacketBuilderTest, GivesNothingWithoutAChunk) {
  std::array<uint8_t, 64> buffer;
  PacketBuilder builder(buffer, kHeader);
  EXPECT_TRUE(builder.empty());
  EXPECT_EQ(builder.Finish(), 0u);
}

TEST(PacketBuilderTest, GivesNothingWhenTheBufferIsTooSmall) {
  for (size_t size = 0; size < 16; ++size) {
    std::vector<uint8_t> buffer(size);
    PacketBuilder builder(buffer, kHeader);
    EXPECT_FALSE(builder.Add(CookieAckChunk{})) << size;
    EXPECT_EQ(builder.Finish(), 0u) << size;
  }
}

TEST(PacketBuilderTest, RefusesAChunkLongerThanItsLengthField) {
  std::vector<uint8_t> buffer(70000);
  PacketBuilder builder(buffer, kHeader);
  const std::vector<uint8_t> cookie(65532);
  EXPECT_FALSE(builder.Add(CookieEchoChunk{cookie}));
  EXPECT_TRUE(builder.Add(CookieEchoChunk{std::span(cookie).first(65531)}));
}

}  // namespace
}  // namespace jsp::sctp
