// Packets that a hostile or broken peer could send, inside the checksum: mutations of real traffic, and chunks of
// random types and contents in every state. Nothing may crash, loop, grow without bound, or end twice.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "sctp/association.h"
#include "sctp/packet/chunk/shutdown.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

void FixChecksum(std::vector<uint8_t>& packet) {
  if (packet.size() < kCommonHeaderSize) return;
  const uint32_t crc = PacketChecksum(packet);
  for (size_t i = 0; i < 4; ++i) packet[8 + i] = static_cast<uint8_t>(crc >> (8 * i));
}

// One to four octets set, or a chunk cut, doubled or stretched; the tag is left alone most of the time.
void Mutate(std::vector<uint8_t>& packet, Rng& rng) {
  for (uint64_t i = 0; i <= rng.Below(4); ++i) {
    const size_t from = rng.Below(20) == 0 ? 0 : kCommonHeaderSize;
    switch (rng.Below(6)) {
      case 0:
        packet.resize(std::max(packet.size() - std::min<size_t>(packet.size(), rng.Below(20)), kCommonHeaderSize));
        break;
      case 1: {
        const std::vector<uint8_t> chunks(packet.begin() + kCommonHeaderSize, packet.end());
        packet.insert(packet.end(), chunks.begin(), chunks.end());
      } break;
      case 2:
        packet.resize(packet.size() + rng.Below(40), static_cast<uint8_t>(rng.Below(256)));
        break;
      default:
        if (packet.size() > from) {
          constexpr std::array<uint8_t, 6> kInteresting{0, 1, 0x7f, 0x80, 0xfe, 0xff};
          uint8_t& octet = packet[from + rng.Below(packet.size() - from)];
          octet = rng.Below(2) == 0 ? kInteresting[rng.Below(6)] : static_cast<uint8_t>(rng.Below(256));
        }
    }
    if (packet.size() > 4000) packet.resize(4000);
  }
  FixChecksum(packet);
}

// Counts last events; more than one, or anything after it, is wrong.
struct Ending {
  size_t ends = 0;
  void Check(Association& core) {
    while (auto event = core.PollEvent()) {
      EXPECT_EQ(ends, 0u) << "an event after the last one";
      ends += std::holds_alternative<event::Closed>(*event) || std::holds_alternative<event::Aborted>(*event);
    }
    EXPECT_EQ(ends > 0, core.state() == State::kClosed && ends > 0);
  }
};

TEST(AssociationFuzzTest, SurvivesMutationsOfRealTraffic) {
  for (uint64_t seed = 1; seed <= 250; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng = Rng::FromNumber(seed);
    std::vector<std::vector<uint8_t>> recorded;
    AssociationPair::Config config{.link = {.loss = 0.05, .reorder = 0.2}, .seed = seed};
    config.a.receive_window = config.z.receive_window = 200000;
    config.a.outgoing_streams = config.z.outgoing_streams = 4;
    config.a.max_message_size = config.z.max_message_size = 30000;
    config.a.max_send_buffer = config.z.max_send_buffer = 200000;
    AssociationPair pair(config);
    pair.set_filter([&](Side, std::span<const uint8_t> packet) {
      if (recorded.size() < 200) recorded.emplace_back(packet.begin(), packet.end());
      return false;
    });
    pair.a().Connect(pair.now());
    pair.z().Connect(pair.now());
    for (int step = 0; step < 120; ++step) {
      const Side side = rng.Below(2) == 0 ? Side::kA : Side::kZ;
      Association& core = pair.core(side);
      SendOptions options;
      options.unordered = rng.Below(3) == 0;
      if (rng.Below(3) == 0) options.max_retransmits = static_cast<uint16_t>(rng.Below(3));
      const auto stream = static_cast<uint16_t>(rng.Below(4));
      Message message = MakeMessage(stream, 1 + rng.Below(5000));
      if (rng.Below(2) == 0) message.part = static_cast<Part>(rng.Below(5));
      (void)core.Send(pair.now(), std::move(message), options);
      if (rng.Below(10) == 0) {
        core.SetDelivery(pair.now(), StreamId(stream), rng.Below(2) == 0 ? Delivery::kPieces : Delivery::kWhole);
      }
      if (rng.Below(15) == 0) {
        const std::array<StreamId, 1> streams{StreamId(stream)};
        (void)core.ResetStreams(pair.now(), streams);
      }
      const std::array<StreamId, 1> asked{StreamId(stream)};
      if (rng.Below(20) == 0) (void)core.RequestPeerReset(pair.now(), asked);
      if (rng.Below(40) == 0) (void)core.ResetAssociation(pair.now());
      if (rng.Below(40) == 0) (void)core.ResetStreams(pair.now(), {});
      if (rng.Below(40) == 0) (void)core.AddOutgoingStreams(pair.now(), 1);
      if (rng.Below(40) == 0) (void)core.AddIncomingStreams(pair.now(), 1);
      if (!recorded.empty()) {
        auto packet = recorded[rng.Below(recorded.size())];
        if (rng.Below(4) != 0) Mutate(packet, rng);
        core.HandlePacket(pair.now(), packet);
      }
      if (rng.Below(200) == 0) core.Shutdown(pair.now());
      pair.Run(Duration(static_cast<Duration::rep>(rng.Below(60000))));
      ASSERT_LE(core.metrics().outstanding_bytes, 200000u);
      // A window and one message: what is taken beyond the window when the next TSN is missing.
    }
    pair.a().Abort(pair.now(), "done");
    pair.Run(1s);
    EXPECT_EQ(pair.CountEvents<event::Closed>(Side::kA) + pair.CountEvents<event::Aborted>(Side::kA), 1u);
    EXPECT_LE(pair.CountEvents<event::Closed>(Side::kZ) + pair.CountEvents<event::Aborted>(Side::kZ), 1u);
  }
}

// A chunk of a random type with a value that is plausible for nothing in particular.
RawChunk RandomChunk(Rng& rng, const ScriptedPeer& peer) {
  constexpr std::array<uint8_t, 17> kTypes{0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 130, 192, 0xfe};
  RawChunk chunk{kTypes[rng.Below(kTypes.size())], static_cast<uint8_t>(rng.Below(16)), {}};
  // ABORT would end most runs at once.
  if (chunk.type == 6 && rng.Below(10) != 0) chunk.type = 3;
  chunk.value.resize(rng.Below(60));
  for (uint8_t& octet : chunk.value) octet = static_cast<uint8_t>(rng.Below(4) == 0 ? rng.Below(256) : rng.Below(4));
  // Half of them begin with a number close to a real TSN.
  if (chunk.value.size() >= 4 && rng.Below(2) == 0) {
    const Tsn base = chunk.type == 3 || chunk.type == 7 ? peer.core_initial_tsn : peer.next_tsn;
    wire::Codec<uint32_t>::Store(chunk.value.data(), base.value + static_cast<uint32_t>(rng.Below(20)) - 5);
  }
  if (chunk.type == 3 && chunk.value.size() >= 12) {
    // Counts that make up the length.
    const size_t items = (chunk.value.size() - 12) / 4;
    chunk.value.resize(12 + items * 4);
    const size_t blocks = rng.Below(items + 1);
    wire::Codec<uint16_t>::Store(chunk.value.data() + 8, static_cast<uint16_t>(blocks));
    wire::Codec<uint16_t>::Store(chunk.value.data() + 10, static_cast<uint16_t>(items - blocks));
  }
  return chunk;
}

TEST(AssociationFuzzTest, SurvivesRandomChunksInEveryState) {
  for (uint64_t seed = 1; seed <= 600; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng = Rng::FromNumber(seed);
    ScriptedPeer::Config config{.seed = seed, .initial_tsn = Tsn(0xfffffff0)};
    config.parameters = ScriptedPeer::AllExtensions();
    config.options.receive_window = 100000;
    config.options.max_message_size = 20000;
    ScriptedPeer peer(config);
    const uint64_t start = rng.Below(6);
    if (start == 1) {
      peer.core.Connect(peer.now);
      peer.core_tag = ChunksOf<InitChunk>(peer.Drain())[0].initiate_tag;
    }
    if (start >= 2) peer.EstablishAsServer();
    if (start == 3) peer.core.Shutdown(peer.now);
    if (start == 4) peer.Deliver(ShutdownChunk{Tsn(peer.core_initial_tsn.value - 1)});
    Ending ending;
    size_t answers = 0;
    for (int step = 0; step < 150; ++step) {
      if (rng.Below(4) == 0) (void)peer.core.Send(peer.now, MakeMessage(1, 1 + rng.Below(3000)));
      std::vector<uint8_t> packet(4000);
      PacketBuilder builder(packet, {5000, 5000, peer.core_tag});
      for (uint64_t i = 0; i <= rng.Below(4); ++i) builder.Add(RandomChunk(rng, peer));
      packet.resize(builder.Finish());
      peer.HandOver(packet);
      ending.Check(peer.core);
      answers += peer.Drain().size();
      if (rng.Below(10) == 0) answers += peer.Wait(Duration(static_cast<Duration::rep>(rng.Below(2000000)))).size();
      ASSERT_LE(peer.core.metrics().bytes_received, 10u << 20);
      if (rng.Below(3) == 0) peer.core.HandleConsumed(peer.now, rng.Below(20000));
    }
    EXPECT_LT(answers, 10000u);
    peer.core.Abort(peer.now, "done");
    ending.Check(peer.core);
    EXPECT_EQ(ending.ends, 1u);
    EXPECT_EQ(peer.core.NextTimeout(), Timestamp::Never());
  }
}

TEST(AssociationFuzzTest, SurvivesEveryTruncationAndOneOctetChangeOfAHandshake) {
  // The packets of one handshake with data, each octet of each of them changed in turn.
  std::vector<std::vector<uint8_t>> recorded;
  AssociationPair pair;
  pair.set_filter([&](Side from, std::span<const uint8_t> packet) {
    if (from == Side::kA) recorded.emplace_back(packet.begin(), packet.end());
    return false;
  });
  pair.a().Connect(pair.now());
  ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 100)));
  pair.Run(1s);
  ASSERT_GE(recorded.size(), 2u);
  for (const auto& packet : recorded) {
    for (size_t i = kCommonHeaderSize; i < packet.size(); ++i) {
      ScriptedPeer fresh;
      auto changed = packet;
      changed[i] ^= 0xff;
      FixChecksum(changed);
      fresh.HandOver(changed);
      changed.resize(i);
      FixChecksum(changed);
      fresh.HandOver(changed);
      fresh.Wait(10ms);
      EXPECT_NE(fresh.core.state(), State::kEstablished);  // the cookie is another association's
    }
  }
}

}  // namespace
}  // namespace jsp::sctp
