#include "sctp/packet/sctp_packet.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/crc32c.h"
#include "base/rng.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

constexpr auto kStrict = ChecksumPolicy::kRequireCrc32c;

// A datagram with a right checksum around `chunks`.
std::vector<uint8_t> Datagram(std::string_view chunks) {
  auto octets = Hex("1388 1388 01020304 00000000");
  const auto body = Hex(chunks);
  octets.insert(octets.end(), body.begin(), body.end());
  const uint32_t checksum = Crc32c(octets);
  for (size_t i = 0; i < 4; ++i) octets[8 + i] = static_cast<uint8_t>(checksum >> (8 * i));
  return octets;
}

std::vector<ChunkView> Chunks(const PacketView& packet) {
  std::vector<ChunkView> chunks;
  for (const ChunkView& chunk : packet.chunks) chunks.push_back(chunk);
  return chunks;
}

TEST(SctpPacketTest, ParsesCapture) {
  const auto datagram = Hex("13881388010203042defce880003001500000001000000000000003368656c6c6f000000");
  const auto packet = PacketView::Parse(datagram, kStrict);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->header, (CommonHeader{5000, 5000, VerificationTag(0x01020304)}));
  EXPECT_EQ(packet->octets_after, 0u);
  const auto chunks = Chunks(*packet);
  ASSERT_EQ(chunks.size(), 1u);
  const auto data = DataChunk::Parse(chunks[0]);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->ppid, Ppid(51));
  EXPECT_EQ(Copy(data->payload), Hex("68656c6c6f"));
}

TEST(SctpPacketTest, GivesChunksInTheirOrder) {  // RFC 9260 §6.10
  const auto datagram = Datagram("0b000004 08000004 0700000800000009");
  const auto packet = PacketView::Parse(datagram, kStrict);
  ASSERT_TRUE(packet);
  const auto chunks = Chunks(*packet);
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_EQ(chunks[0].type, ChunkType::kCookieAck);
  EXPECT_EQ(chunks[1].type, ChunkType::kShutdownAck);
  EXPECT_EQ(chunks[2].type, ChunkType::kShutdown);
}

TEST(SctpPacketTest, RejectsEveryTruncation) {
  const auto datagram = Datagram("0b000004 0700000800000009");
  for (size_t size = 0; size < datagram.size(); ++size) {
    const auto packet = PacketView::Parse(std::span(datagram).first(size), kStrict);
    ASSERT_FALSE(packet) << size;
    EXPECT_EQ(packet.error().code, size < 16 ? ParseErrc::kTruncated : ParseErrc::kBadChecksum) << size;
  }
}

TEST(SctpPacketTest, C1_FirstChunkLengthBelowFourIsRefused) {
  for (const char* chunk : {"0b000000", "0b000001", "0b000002", "0b000003"}) {
    const auto packet = PacketView::Parse(Datagram(chunk), kStrict);
    ASSERT_FALSE(packet) << chunk;
    EXPECT_EQ(packet.error(), (ParseError{ParseErrc::kBadLength, 14}));
  }
}

TEST(SctpPacketTest, C1_LaterChunkLengthBelowFourEndsThePacket) {
  for (const char* length : {"00", "01", "02", "03"}) {
    const auto datagram = Datagram(std::string("0b000004 0b0000") + length + "0b000004");
    const auto packet = PacketView::Parse(datagram, kStrict);
    ASSERT_TRUE(packet) << length;
    EXPECT_EQ(Chunks(*packet).size(), 1u);
    EXPECT_EQ(packet->octets_after, 8u);
  }
}

TEST(SctpPacketTest, DropsAPartialChunkOnly) {  // RFC 9260 §6.10: "it MUST drop the chunk"
  const auto datagram = Datagram("0b000004 07000009 00000009");
  const auto packet = PacketView::Parse(datagram, kStrict);
  ASSERT_TRUE(packet);
  EXPECT_EQ(Chunks(*packet).size(), 1u);
  EXPECT_EQ(packet->octets_after, 8u);
}

TEST(SctpPacketTest, RejectsBadLength) {
  const auto packet = PacketView::Parse(Datagram("07000009 00000009"), kStrict);
  ASSERT_FALSE(packet);
  EXPECT_EQ(packet.error().code, ParseErrc::kBadLength);
}

TEST(SctpPacketTest, AcceptsMissingAndNonzeroFinalPadding) {  // RFC 9260 §3.2
  EXPECT_TRUE(PacketView::Parse(Datagram("0a000005 aa"), kStrict));
  const auto datagram = Datagram("0a000005 aaffffff 0b000004");
  const auto packet = PacketView::Parse(datagram, kStrict);
  ASSERT_TRUE(packet);
  EXPECT_EQ(Chunks(*packet).size(), 2u);
}

TEST(SctpPacketTest, C18_RefusesEverySingleBitError) {  // RFC 9260 §6.8
  const auto right = Datagram("0700000800000009");
  ASSERT_TRUE(PacketView::Parse(right, kStrict));
  for (size_t bit = 0; bit < right.size() * 8; ++bit) {
    auto wrong = right;
    wrong[bit / 8] = static_cast<uint8_t>(wrong[bit / 8] ^ (1 << (bit % 8)));
    const auto packet = PacketView::Parse(wrong, kStrict);
    ASSERT_FALSE(packet) << bit;
    EXPECT_EQ(packet.error(), (ParseError{ParseErrc::kBadChecksum, 8}));
  }
}

TEST(SctpPacketTest, C18_RefusesZeroChecksumUnlessNegotiated) {  // RFC 9653 §5.3
  auto datagram = Datagram("0700000800000009");
  std::fill_n(datagram.begin() + 8, 4, uint8_t{0});
  EXPECT_FALSE(PacketView::Parse(datagram, kStrict));
  EXPECT_TRUE(PacketView::Parse(datagram, ChecksumPolicy::kAcceptZero));
}

TEST(SctpPacketTest, C18_NegotiatedZeroStillRefusesAWrongChecksum) {
  auto datagram = Datagram("0700000800000009");
  EXPECT_TRUE(PacketView::Parse(datagram, ChecksumPolicy::kAcceptZero));
  datagram[8] ^= 1;
  EXPECT_FALSE(PacketView::Parse(datagram, ChecksumPolicy::kAcceptZero));
}

TEST(SctpPacketTest, AcceptsAPacketWhoseRightChecksumIsZero) {  // RFC 9653 §1 figure 1
  const auto datagram = Hex("13891389000000000000000001000014fcb75cca000005dc0001000100000000");
  EXPECT_EQ(PacketChecksum(datagram), 0u);
  EXPECT_TRUE(PacketView::Parse(datagram, kStrict));
}

TEST(SctpPacketTest, ChecksumOfTheKnownPacketsIsRight) {
  for (const char* capture :
       {"13881388010203045952e861c000000c0000000a00010003",
        "13881388010203041a9e1b9b82000016000d001200000007000000000000000900010000",
        "138813880102030484fd4742820000100010000c0000000700000001",
        "1388138800000000eb77edce010000281122334400020000ffffffff00000001c0000004800100080000000180080008"
        "82c040c2",
        "13881388deadbeef40914a9d06010004"}) {
    EXPECT_TRUE(PacketView::Parse(Hex(capture), kStrict)) << capture;
  }
}

TEST(SctpPacketTest, AnyOctetsAreParsedOrRefusedWithinTheirBounds) {
  Rng rng = Rng::FromNumber(23);
  for (int round = 0; round < 2000; ++round) {
    std::vector<uint8_t> datagram(rng.Below(80));
    rng.Fill(datagram);
    if (datagram.size() >= 16) {
      std::fill_n(datagram.begin() + 8, 4, uint8_t{0});
      datagram[14] = 0;
      datagram[15] = static_cast<uint8_t>(rng.Below(40));
    }
    const auto packet = PacketView::Parse(datagram, ChecksumPolicy::kAcceptZero);
    if (!packet) continue;
    size_t covered = 0;
    for (const ChunkView& chunk : packet->chunks) {
      ASSERT_GE(chunk.octets.data(), datagram.data() + 12);
      ASSERT_LE(chunk.octets.data() + chunk.octets.size(), datagram.data() + datagram.size());
      covered += std::min(PaddedSize(chunk.octets.size()), datagram.size() - 12 - covered);
    }
    ASSERT_EQ(12 + covered + packet->octets_after, datagram.size()) << "round " << round;
  }
}

}  // namespace
}  // namespace jsp::sctp
