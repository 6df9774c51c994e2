#include "base/packet_tap.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <tuple>

#include "base/byte_reader.h"
#include "base/crypto.h"

namespace jsp {
namespace {

using std::chrono_literals::operator""us;

struct Block {
  uint32_t type;
  std::vector<uint8_t> body;
};

// Reads a big-endian pcapng stream; empty when its framing is wrong.
std::vector<Block> ReadBlocks(std::span<const uint8_t> stream) {
  std::vector<Block> blocks;
  ByteReader in(stream);
  while (in.remaining() > 0) {
    const auto type = in.Read<uint32_t>();
    const auto length = in.Read<uint32_t>();
    if (!in.ok() || length < 12 || length % 4 != 0) return {};
    const auto body = in.ReadBytes(length - 12);
    if (in.Read<uint32_t>() != length || !in.ok()) return {};
    blocks.push_back({type, {body.begin(), body.end()}});
  }
  return blocks;
}

struct Packet {
  uint64_t microseconds = 0;
  uint32_t original_size = 0;
  std::vector<uint8_t> octets;  // from the IP header on
};

std::optional<Packet> ReadPacket(const Block& block) {
  if (block.type != 6) return std::nullopt;
  ByteReader in(block.body);
  Packet packet;
  if (in.Read<uint32_t>() != 0) return std::nullopt;
  packet.microseconds = in.Read<uint64_t>();
  const auto captured = in.Read<uint32_t>();
  packet.original_size = in.Read<uint32_t>();
  const auto octets = in.ReadBytes(captured);
  if (!in.ok() || in.remaining() >= 4) return std::nullopt;
  packet.octets.assign(octets.begin(), octets.end());
  return packet;
}

// The ones' complement sum of 16-bit words, RFC 1071 §1: 0xffff over data that includes its own valid checksum.
uint32_t OnesSum(std::span<const uint8_t> data, uint32_t start = 0) {
  uint32_t sum = start;
  for (size_t i = 0; i < data.size(); ++i) sum += static_cast<uint32_t>(data[i]) << (i % 2 == 0 ? 8 : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

// The last packet of a tap that recorded `datagram`.
Packet RecordOne(std::string_view from, std::string_view to, std::span<const uint8_t> datagram) {
  PacketTap tap;
  tap.Record(Timestamp::FromEpoch(7us), *SocketAddress::Parse(from), *SocketAddress::Parse(to), datagram);
  const auto blocks = ReadBlocks(tap.Take());
  EXPECT_EQ(blocks.size(), 3u);
  return blocks.size() == 3 ? ReadPacket(blocks[2]).value_or(Packet()) : Packet();
}

TEST(PacketTapTest, BeginsWithASectionAndARawInterface) {
  PacketTap tap;
  const auto blocks = ReadBlocks(tap.Take());
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks[0].type, 0x0a0d0d0au);
  EXPECT_EQ(crypto::Hex(blocks[0].body), "1a2b3c4d00010000ffffffffffffffff");
  EXPECT_EQ(blocks[1].type, 1u);
  EXPECT_EQ(crypto::Hex(blocks[1].body), "0065000000000000");
}

TEST(PacketTapTest, RecordsAnIpv4DatagramWithValidChecksums) {
  const auto data = crypto::AsBytes("hello");
  const Packet packet = RecordOne("192.0.2.1:1234", "198.51.100.2:3478", data);
  ASSERT_EQ(packet.octets.size(), 20u + 8 + 5);
  EXPECT_EQ(packet.original_size, packet.octets.size());
  EXPECT_EQ(packet.microseconds, 7u);
  ByteReader in(packet.octets);
  EXPECT_EQ(in.Read<uint16_t>(), 0x4500u);
  EXPECT_EQ(in.Read<uint16_t>(), 33u);  // total length
  in.Skip(5);
  EXPECT_EQ(in.Read<uint8_t>(), 17u);
  in.Skip(2);
  EXPECT_EQ(in.Read<uint32_t>(), 0xc0000201u);
  EXPECT_EQ(in.Read<uint32_t>(), 0xc6336402u);
  EXPECT_EQ(in.Read<uint16_t>(), 1234u);
  EXPECT_EQ(in.Read<uint16_t>(), 3478u);
  EXPECT_EQ(in.Read<uint16_t>(), 13u);
  in.Skip(2);
  EXPECT_TRUE(std::ranges::equal(in.rest(), data));
  const std::span<const uint8_t> all(packet.octets);
  EXPECT_EQ(OnesSum(all.first(20)), 0xffffu);
  EXPECT_EQ(OnesSum(all.subspan(12), 17 + 13), 0xffffu);  // RFC 768: addresses, protocol, length, UDP
}

TEST(PacketTapTest, RecordsAnIpv6DatagramWithAValidChecksum) {
  const Packet packet = RecordOne("[2001:db8::1]:1", "[2001:db8::2]:2", crypto::AsBytes("odd"));
  ASSERT_EQ(packet.octets.size(), 40u + 8 + 3);
  ByteReader in(packet.octets);
  EXPECT_EQ(in.Read<uint32_t>(), 0x60000000u);
  EXPECT_EQ(in.Read<uint16_t>(), 11u);
  EXPECT_EQ(in.Read<uint8_t>(), 17u);
  in.Skip(1);
  EXPECT_EQ(crypto::Hex(in.ReadBytes(16)), "20010db8000000000000000000000001");
  EXPECT_EQ(crypto::Hex(in.ReadBytes(16)), "20010db8000000000000000000000002");
  EXPECT_EQ(OnesSum(std::span(packet.octets).subspan(8), 17 + 11), 0xffffu);  // RFC 8200 §8.1
}

TEST(PacketTapTest, ShowsMixedFamiliesAsMapped) {
  const Packet packet = RecordOne("192.0.2.1:1", "[2001:db8::2]:2", {});
  ASSERT_EQ(packet.octets.size(), 48u);
  EXPECT_EQ(crypto::Hex(std::span(packet.octets).subspan(8, 16)), "00000000000000000000ffffc0000201");
}

TEST(PacketTapTest, NeverWritesAUdpChecksumOfZero) {  // RFC 8200 §8.1
  // Chosen so that the sum of all words is 0xffff before the checksum is put in.
  const Packet plain = RecordOne("0.0.0.0:0", "0.0.0.0:0", std::array<uint8_t, 2>{0, 0});
  const uint32_t sum = OnesSum(std::span(plain.octets).subspan(20, 6), 17 + 10);
  const auto rest = static_cast<uint16_t>(0xffff - sum);
  const std::array<uint8_t, 2> filler = {static_cast<uint8_t>(rest >> 8), static_cast<uint8_t>(rest)};
  const Packet packet = RecordOne("0.0.0.0:0", "0.0.0.0:0", filler);
  EXPECT_EQ(packet.octets[26], 0xffu);
  EXPECT_EQ(packet.octets[27], 0xffu);
}

TEST(PacketTapTest, PadsEveryPayloadSizeAndCutsWhatUdpCannotCarry) {
  for (size_t n : {0u, 1u, 2u, 3u, 4u, 1200u, 65507u}) {
    const Packet packet = RecordOne("192.0.2.1:1", "192.0.2.2:2", std::vector<uint8_t>(n, 0xab));
    EXPECT_EQ(packet.octets.size(), 28 + n);
    EXPECT_EQ(packet.original_size, 28 + n);
  }
  const Packet cut = RecordOne("192.0.2.1:1", "192.0.2.2:2", std::vector<uint8_t>(70000, 0xab));
  EXPECT_EQ(cut.octets.size(), 65535u);
  EXPECT_EQ(cut.original_size, 70028u);
}

TEST(PacketTapTest, WritesKeysAsADecryptionSecretsBlock) {
  PacketTap tap;
  tap.RecordKeyLog("CLIENT_RANDOM 00 11\n");
  const auto blocks = ReadBlocks(tap.Take());
  ASSERT_EQ(blocks.size(), 3u);
  EXPECT_EQ(blocks[2].type, 10u);
  ByteReader in(blocks[2].body);
  EXPECT_EQ(in.Read<uint32_t>(), 0x544c534bu);
  EXPECT_EQ(in.Read<uint32_t>(), 20u);
  EXPECT_TRUE(std::ranges::equal(in.ReadBytes(20), crypto::AsBytes("CLIENT_RANDOM 00 11\n")));
  EXPECT_EQ(in.remaining(), 0u);
}

TEST(PacketTapTest, RecordsSegmentsWithValidChecksums) {  // RFC 9293 §3.1
  for (const auto& [from, to, header] :
       {std::tuple{"192.0.2.1:1", "192.0.2.2:3478", 20u}, {"[2001:db8::1]:1", "[2001:db8::2]:3478", 40u}}) {
    PacketTap tap;
    tap.RecordSegment(Timestamp::FromEpoch(7us), *SocketAddress::Parse(from), *SocketAddress::Parse(to),
                      {.sequence = 0x01020304, .acknowledgment = 9, .window = 0xfffe, .ack = true, .fin = true},
                      crypto::AsBytes("odd"));
    const auto blocks = ReadBlocks(tap.Take());
    ASSERT_EQ(blocks.size(), 3u);
    const auto packet = ReadPacket(blocks[2]);
    ASSERT_TRUE(packet);
    ASSERT_EQ(packet->octets.size(), header + 20 + 3);
    const std::span<const uint8_t> all(packet->octets);
    EXPECT_EQ(crypto::Hex(all.subspan(header, 16)), "00010d9601020304000000095011fffe");
    EXPECT_EQ(OnesSum(all.subspan(header == 20 ? 12 : 8), 6 + 23), 0xffffu);
    EXPECT_TRUE(std::ranges::equal(all.last(3), crypto::AsBytes("odd")));
  }
}

TEST(PacketTapTest, RecordsAPacketAsItWas) {
  PacketTap tap;
  const std::vector<uint8_t> octets = {0x45, 1, 2, 3, 4};
  tap.RecordPacket(Timestamp::FromEpoch(7us), octets);
  const auto blocks = ReadBlocks(tap.Take());
  ASSERT_EQ(blocks.size(), 3u);
  EXPECT_EQ(ReadPacket(blocks[2])->octets, octets);
}

TEST(PacketTapTest, TakeContinuesTheSameStream) {
  PacketTap tap;
  auto stream = tap.Take();
  EXPECT_TRUE(tap.Take().empty());
  const SocketAddress a = *SocketAddress::Parse("192.0.2.1:1");
  for (int i = 0; i < 2; ++i) {
    tap.Record(Timestamp::FromEpoch(Duration(i)), a, a, {});
    const auto more = tap.Take();
    stream.insert(stream.end(), more.begin(), more.end());
  }
  const auto blocks = ReadBlocks(stream);
  ASSERT_EQ(blocks.size(), 4u);
  EXPECT_EQ(ReadPacket(blocks[3])->microseconds, 1u);
}

TEST(PacketTapTest, CountsWhatItLeavesOutWhileTheBufferIsFull) {
  PacketTap tap;
  const SocketAddress a = *SocketAddress::Parse("192.0.2.1:1");
  const std::vector<uint8_t> datagram(65507);
  const size_t fit = PacketTap::kMaxBufferedOctets / (65507 + 60) + 1;
  for (size_t i = 0; i < fit; ++i) tap.Record(Timestamp::FromEpoch(1us), a, a, datagram);
  EXPECT_EQ(tap.dropped(), 1u);
  const auto stream = tap.Take();
  EXPECT_LE(stream.size(), PacketTap::kMaxBufferedOctets);
  EXPECT_EQ(ReadBlocks(stream).size(), 2 + fit - 1);
  tap.Record(Timestamp::FromEpoch(1us), a, a, datagram);
  EXPECT_EQ(tap.dropped(), 1u) << "there is room again";
}

}  // namespace
}  // namespace jsp
