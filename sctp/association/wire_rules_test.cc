// Rules about every packet of an association, held against captures of whole ones: what stands alone, which tag and
// ports a packet bears, what INIT and INIT ACK may carry.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <vector>

#include "sctp/packet/chunk/i_data.h"
#include "sctp/packet/chunk/init.h"
#include "sctp/packet/chunk/init_ack.h"
#include "sctp/packet/chunk/shutdown_ack.h"
#include "sctp/packet/chunk/shutdown_complete.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

struct Captured {
  Side from;
  SentPacket packet;
};

SendOptions Once() {
  SendOptions options;
  options.max_retransmits = 0;
  return options;
}

// All packets of one association from INIT to its graceful end: messages of many sizes both ways, with and without
// loss, every fourth of `a` sent as `fourth` says, and a stream that is reset.
std::vector<Captured> CaptureWholeAssociation(uint64_t seed, const Options& options = {},
                                              const SendOptions& fourth = Once()) {
  AssociationPair pair(
      {.a = options, .z = options, .link = {.loss = seed % 2 == 0 ? 0.05 : 0, .reorder = 0.1}, .seed = seed});
  std::vector<Captured> capture;
  pair.set_filter([&](Side from, std::span<const uint8_t> packet) {
    capture.push_back({from, {pair.now(), {packet.begin(), packet.end()}, ChecksumPolicy::kAcceptZero}});
    return false;
  });
  EXPECT_TRUE(pair.Connect());
  for (uint16_t i = 0; i < 40; ++i) {
    EXPECT_TRUE(pair.a().Send(pair.now(), MakeMessage(i % 3, 1 + i * 300u), i % 4 == 0 ? fourth : SendOptions{}));
    EXPECT_TRUE(pair.z().Send(pair.now(), MakeMessage(i % 5, 1 + i * 77u)));
    pair.Run(5ms);
  }
  const std::array<StreamId, 1> streams{StreamId(1)};
  EXPECT_TRUE(pair.a().ResetStreams(pair.now(), streams));
  pair.Run(5s);
  pair.a().Shutdown(pair.now());
  pair.Run(60s);
  EXPECT_EQ(pair.CountEvents<event::Closed>(Side::kA), 1u);
  EXPECT_EQ(pair.CountEvents<event::Closed>(Side::kZ), 1u);
  return capture;
}

Options WithoutInterleaving() {
  Options options;
  options.interleaving = false;
  return options;
}

TEST(WireRulesTest, InitInitAckAndShutdownCompleteStandAlone) {  // RFC 9260 §3
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    std::map<ChunkType, size_t> seen;
    for (const Captured& captured : CaptureWholeAssociation(seed)) {
      const auto types = captured.packet.types();
      for (const ChunkType type : types) {
        ++seen[type];
        if (type == ChunkType::kInit || type == ChunkType::kInitAck || type == ChunkType::kShutdownComplete) {
          EXPECT_EQ(types.size(), 1u) << "seed " << seed;
        }
        // RFC 9260 §3.2.2 and RFC 9260 §5.1: these come first.
        if (type == ChunkType::kCookieEcho || type == ChunkType::kCookieAck) {
          EXPECT_EQ(types[0], type);
        }
      }
    }
    EXPECT_TRUE(seen.contains(ChunkType::kInit) && seen.contains(ChunkType::kInitAck));
    EXPECT_TRUE(seen.contains(ChunkType::kShutdownComplete));
  }
}

TEST(WireRulesTest, EveryPacketBearsThePeersTagFromBeginningToEnd) {  // RFC 9260 §3.1, §5.3.1, §8.5
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const auto capture = CaptureWholeAssociation(seed);
    std::map<Side, VerificationTag> tags;  // by who chose it
    for (const Captured& captured : capture) {
      const std::vector<SentPacket> packet{captured.packet};
      for (const InitChunk& init : ChunksOf<InitChunk>(packet)) tags.emplace(captured.from, init.initiate_tag);
      for (const InitAckChunk& init_ack : ChunksOf<InitAckChunk>(packet)) {
        EXPECT_EQ(tags.emplace(captured.from, init_ack.initiate_tag).first->second, init_ack.initiate_tag);
      }
    }
    ASSERT_EQ(tags.size(), 2u);
    for (const Captured& captured : capture) {
      const std::vector<SentPacket> packet{captured.packet};
      VerificationTag expected = tags[captured.from == Side::kA ? Side::kZ : Side::kA];
      if (!ChunksOf<InitChunk>(packet).empty()) expected = VerificationTag(0);
      // RFC 9260 §8.4: who is gone reflects the tag of a late SHUTDOWN ACK.
      for (const ShutdownCompleteChunk& complete : ChunksOf<ShutdownCompleteChunk>(packet)) {
        if (complete.tag == TagMode::kReflected) expected = tags[captured.from];
      }
      EXPECT_EQ(captured.packet.header().verification_tag, expected) << "seed " << seed;
    }
  }
}

TEST(WireRulesTest, PacketsFitAndNewTsnsRiseWithoutGaps) {  // RFC 9260 §6.10, §3.3.1
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const Options options = seed % 3 == 0 ? WithoutInterleaving() : Options{};
    std::map<Side, Tsn> next{{Side::kA, Tsn(0xfffffffe)}, {Side::kZ, Tsn(0xfffffffe)}};
    for (const Captured& captured : CaptureWholeAssociation(seed, options, {})) {
      EXPECT_LE(captured.packet.octets.size(), Options{}.max_packet_size);
      EXPECT_EQ(captured.packet.octets.size() % 4, 0u);  // no chunk is partial, and padding is there
      std::vector<Tsn> tsns;
      const std::vector<SentPacket> packet{captured.packet};
      for (const DataChunk& data : ChunksOf<DataChunk>(packet)) tsns.push_back(data.tsn);
      for (const IDataChunk& data : ChunksOf<IDataChunk>(packet)) tsns.push_back(data.data.tsn);
      for (size_t i = 0; i < tsns.size(); ++i) {
        if (i > 0) {
          EXPECT_LT(tsns[i].value - tsns[i - 1].value, 0x80000000u) << "seed " << seed;
        }
        if (tsns[i] == next[captured.from]) next[captured.from] = Tsn(tsns[i].value + 1);
        // Whatever is not the next new one was sent before.
        EXPECT_LT(tsns[i].value + 2, next[captured.from].value + 2) << "seed " << seed;
      }
    }
    EXPECT_GT(next[Side::kA].value, 100u);
    EXPECT_LT(next[Side::kA].value, 10000u);  // it wrapped
  }
}

// The types of all parameters.
std::vector<ParameterType> TypesOf(const ParameterRange& parameters) {
  std::vector<ParameterType> types;
  for (const ParameterView parameter : parameters) types.push_back(parameter.type);
  return types;
}

TEST(WireRulesTest, InitAndInitAckCarryOurExtensionsOnceAndNoAddress) {
  // RFC 9260 §3.3.2 (no Host Name Address), RFC 8261 §6.1 (no addresses, no Supported Address Types), RFC 3758 §3.1,
  // RFC 6525 §5.1.1, RFC 9653 §4, RFC 8831 §6.1.
  constexpr std::array kOurs{ParameterType::kForwardTsnSupported, ParameterType::kSupportedExtensions,
                             ParameterType::kZeroChecksumAcceptable};
  size_t inits = 0;
  size_t init_acks = 0;
  for (const Captured& captured : CaptureWholeAssociation(1)) {
    const std::vector<SentPacket> packet{captured.packet};
    std::vector<ParameterType> types;
    for (const InitChunk& init : ChunksOf<InitChunk>(packet)) {
      types = TypesOf(init.parameters);
      ++inits;
    }
    for (const InitAckChunk& init_ack : ChunksOf<InitAckChunk>(packet)) {
      types = TypesOf(init_ack.parameters);
      ASSERT_FALSE(types.empty());
      EXPECT_EQ(types[0], ParameterType::kStateCookie);
      types.erase(types.begin());
      ++init_acks;
    }
    if (types.empty()) continue;
    EXPECT_TRUE(std::ranges::is_permutation(types, kOurs));
  }
  EXPECT_GE(inits, 1u);
  EXPECT_GE(init_acks, 1u);
}

TEST(WireRulesTest, OffersAndAcceptsAllStreams) {  // RFC 8831 §6.2
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  const auto sent = peer.Drain();
  const auto init = ChunksOf<InitChunk>(sent)[0];
  EXPECT_EQ(init.outbound_streams, 65535u);
  EXPECT_EQ(init.inbound_streams, 65535u);
}

TEST(WireRulesTest, PacketsBearTheSignalledPorts) {  // RFC 8261 §6.1, RFC 8841 §9.3
  AssociationPair::Config config;
  config.a.local_port = config.z.remote_port = 6000;
  config.a.remote_port = config.z.local_port = 7001;
  AssociationPair pair(config);
  pair.set_filter([&](Side from, std::span<const uint8_t> octets) {
    const auto header = PacketView::Parse(octets, ChecksumPolicy::kAcceptZero)->header;
    EXPECT_EQ(header.source_port, from == Side::kA ? 6000 : 7001);
    EXPECT_EQ(header.destination_port, from == Side::kA ? 7001 : 6000);
    return false;
  });
  ASSERT_TRUE(pair.Connect());
}

TEST(WireRulesTest, AnswersOutOfTheBlueHaveTheirCrc) {  // RFC 9653 §5.2
  // Also to a peer that takes zero: there is no association that could have agreed on it.
  ScriptedPeer peer({.parameters = {0x80, 0x01, 0, 8, 0, 0, 0, 1}});
  for (const bool established : {false, true}) {
    if (established) {
      peer.EstablishAsServer();
      peer.core.Abort(peer.now, "gone");
      peer.Drain();
    }
    const auto abort = peer.DeliverWithTag(VerificationTag(77), peer.NextData(0, 0, kHello));
    const auto complete = peer.DeliverWithTag(VerificationTag(77), ShutdownAckChunk{});
    ASSERT_EQ(abort.size(), 1u);
    ASSERT_EQ(complete.size(), 1u);
    for (const auto* sent : {&abort, &complete}) {
      EXPECT_TRUE(PacketView::Parse((*sent)[0].octets, ChecksumPolicy::kRequireCrc32c)) << established;
    }
  }
}

TEST(WireRulesTest, ASmallMessageWaitsForNoAcknowledgement) {  // RFC 8831 §6.6: no Nagle
  EstablishedPeer peer;
  for (uint16_t i = 0; i < 8; ++i) {
    ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 1)));
    EXPECT_EQ(ChunksOf<DataChunk>(peer.Drain()).size(), 1u) << i;
  }
}

}  // namespace
}  // namespace jsp::sctp
