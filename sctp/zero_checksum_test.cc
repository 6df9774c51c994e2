#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <vector>

#include "sctp/packet/chunk/data.h"
#include "sctp/packet/common_header.h"
#include "sctp/packet/parameter/zero_checksum_acceptable.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

// Zero Checksum Acceptable with this method.
std::vector<uint8_t> Parameter(uint8_t method) { return {0x80, 0x01, 0, 8, 0, 0, 0, method}; }

bool HasZeroChecksum(std::span<const uint8_t> packet) {
  return std::ranges::all_of(packet.subspan(kChecksumOffset, kChecksumSize), [](uint8_t octet) { return octet == 0; });
}
bool HasRightCrc(std::span<const uint8_t> packet) {
  return PacketView::Parse(packet, ChecksumPolicy::kRequireCrc32c).has_value();
}

struct Peer : ScriptedPeer {
  explicit Peer(const std::vector<uint8_t>& parameters, const Options& options = {})
      : ScriptedPeer({.options = options, .parameters = parameters}) {}
  DataChunk Data() { return NextData(0, ssn++, payload); }
  std::vector<uint8_t> WithChecksum(uint32_t value) {
    std::vector<uint8_t> packet = Compose(core_tag, Data());
    for (size_t i = 0; i < kChecksumSize; ++i) packet[kChecksumOffset + i] = static_cast<uint8_t>(value >> (8 * i));
    return packet;
  }
  std::vector<uint8_t> payload{1, 2, 3};
  uint16_t ssn = 0;
};

TEST(ZeroChecksumTest, BothAnnounceItAndWhatFollowsTheHandshakeHasNone) {  // RFC 9653 §5.2
  AssociationPair pair;
  std::set<ChunkType> with_crc;
  std::set<ChunkType> with_zero;
  pair.set_filter([&](Side, std::span<const uint8_t> packet) {
    (HasZeroChecksum(packet) ? with_zero : with_crc).insert(FirstChunk(packet));
    EXPECT_TRUE(HasZeroChecksum(packet) || HasRightCrc(packet));
    return false;
  });
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a().Send(pair.now(), {StreamId(1), Ppid(53), std::vector<uint8_t>(5000)}));
  pair.Run(1s);
  ASSERT_EQ(pair.received(Side::kZ).size(), 1u);
  EXPECT_TRUE(pair.FindEvent<event::Connected>(Side::kA)->zero_checksum);
  EXPECT_TRUE(pair.FindEvent<event::Connected>(Side::kZ)->zero_checksum);
  EXPECT_TRUE(with_crc.contains(ChunkType::kInit));
  EXPECT_TRUE(with_crc.contains(ChunkType::kCookieEcho));
  EXPECT_FALSE(with_zero.contains(ChunkType::kInit));
  EXPECT_FALSE(with_zero.contains(ChunkType::kCookieEcho));
  EXPECT_TRUE(with_zero.contains(ChunkType::kIData));
  EXPECT_TRUE(with_zero.contains(ChunkType::kSack));
}

TEST(ZeroChecksumTest, APeerThatDoesNotAnnounceItGetsCrcsOnly) {  // RFC 9653 §5.2
  AssociationPair::Config config;
  config.z.zero_checksum = false;
  AssociationPair pair(config);
  pair.set_filter([&](Side, std::span<const uint8_t> packet) {
    EXPECT_TRUE(HasRightCrc(packet));
    return false;
  });
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a().Send(pair.now(), {StreamId(1), Ppid(53), std::vector<uint8_t>(5000)}));
  pair.Run(1s);
  EXPECT_EQ(pair.received(Side::kZ).size(), 1u);
  EXPECT_FALSE(pair.FindEvent<event::Connected>(Side::kA)->zero_checksum);
  EXPECT_FALSE(pair.FindEvent<event::Connected>(Side::kZ)->zero_checksum);
}

TEST(ZeroChecksumTest, TakesZeroAndARightCrcAndNothingElse) {  // RFC 9653 §5.3
  Peer peer({});
  peer.EstablishAsServer();
  peer.HandOver(peer.WithChecksum(0));
  peer.HandOver(peer.Compose(peer.core_tag, peer.Data()));
  EXPECT_EQ(peer.core.metrics().messages_received, 2u);
  peer.HandOver(peer.WithChecksum(0x12345678));
  EXPECT_EQ(peer.core.metrics().messages_received, 2u);
  EXPECT_EQ(peer.dropped(DropReason::kBadChecksum), 1u);
}

TEST(ZeroChecksumTest, C18_AnEndThatDidNotAnnounceItDropsZero) {  // RFC 9653 §5.3
  Options options;
  options.zero_checksum = false;
  Peer peer(Parameter(1), options);
  peer.EstablishAsServer();
  peer.HandOver(peer.WithChecksum(0));
  EXPECT_EQ(peer.core.metrics().messages_received, 0u);
  EXPECT_EQ(peer.dropped(DropReason::kBadChecksum), 1u);
}

TEST(ZeroChecksumTest, AnUnknownMethodOrTwoParametersAreNoConsent) {  // RFC 9653 §4
  std::vector<uint8_t> twice = Parameter(1);
  twice.insert(twice.end(), {0x80, 0x01, 0, 8, 0, 0, 0, 1});
  for (const auto& parameters : {Parameter(2), twice}) {
    Peer peer(parameters);
    peer.EstablishAsServer();
    for (const SentPacket& sent : peer.Deliver(peer.Data())) EXPECT_TRUE(HasRightCrc(sent.octets));
  }
  Peer peer(Parameter(1));
  peer.EstablishAsServer();
  peer.HandOver(peer.Compose(peer.core_tag, peer.Data()));
  const auto sent = peer.Drain();
  ASSERT_FALSE(sent.empty());
  EXPECT_TRUE(HasZeroChecksum(sent[0].octets));
}

}  // namespace
}  // namespace jsp::sctp
