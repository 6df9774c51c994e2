#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "sctp/association.h"
#include "sctp/packet/chunk/cookie_ack.h"
#include "sctp/packet/chunk/cookie_echo.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/packet/chunk/error.h"
#include "sctp/packet/chunk/init.h"
#include "sctp/packet/chunk/init_ack.h"
#include "sctp/packet/chunk/sack.h"
#include "sctp/packet/common_header.h"
#include "sctp/packet/packet_builder.h"
#include "sctp/packet/sctp_packet.h"
namespace jsp::sctp {

// One packet that the core sent, and when.
struct SentPacket {
  Timestamp at;
  std::vector<uint8_t> octets;
  ChecksumPolicy checksum = ChecksumPolicy::kRequireCrc32c;
  IpFragmentation fragmentation = IpFragmentation::kForbidden;
  EcnMark ecn = EcnMark::kNotEct;

  CommonHeader header() const { return view().header; }
  PacketView view() const { return *PacketView::Parse(octets, checksum); }
  std::vector<ChunkView> chunks() const {
    std::vector<ChunkView> result;
    const PacketView packet = view();
    for (const ChunkView chunk : packet.chunks) result.push_back(chunk);
    return result;
  }
  std::vector<ChunkType> types() const {
    std::vector<ChunkType> result;
    for (const ChunkView& chunk : chunks()) result.push_back(chunk.type);
    return result;
  }
};

// The chunks of one type in all packets, in order. They view the packets.
template <class Chunk>
std::vector<Chunk> ChunksOf(const std::vector<SentPacket>& packets) {
  std::vector<Chunk> result;
  for (const SentPacket& packet : packets) {
    for (const ChunkView& chunk : packet.chunks()) {
      if (chunk.type != Chunk::kType) continue;
      const auto parsed = Chunk::Parse(chunk);
      EXPECT_TRUE(parsed.has_value());
      if (parsed) result.push_back(*parsed);
    }
  }
  return result;
}

// The error causes of an ABORT or ERROR.
template <class Chunk>
std::vector<CauseCode> CausesOf(const Chunk& chunk) {
  std::vector<CauseCode> result;
  for (const CauseView cause : chunk.causes) result.push_back(cause.type);
  return result;
}

// One association (`core`) against a peer that the test plays by hand, packet by packet, in virtual time.
class ScriptedPeer {
 public:
  struct Config {
    Options options = {};
    uint64_t seed = 1;
    VerificationTag tag{0x5ca1ab1e};
    // C19: both directions wrap at their third TSN. Without `core_initial_tsn` the core draws its own.
    Tsn initial_tsn{0xfffffffe};
    std::optional<Tsn> core_initial_tsn = Tsn(0xfffffffe);
    uint32_t a_rwnd = 1 << 20;
    uint16_t streams = 65535;
    std::vector<uint8_t> parameters = {};  // of our INIT or INIT ACK
  };
  ScriptedPeer();
  explicit ScriptedPeer(Config config);
  ScriptedPeer(const ScriptedPeer&) = delete;  // the core refers to `rng`
  ScriptedPeer& operator=(const ScriptedPeer&) = delete;

  // Forward-TSN-Supported and Supported Extensions with RE-CONFIG.
  static std::vector<uint8_t> AllExtensions();

  // Completes a handshake; events are left in the queue.
  void EstablishAsServer();  // the core connects to us
  void EstablishAsClient();  // we connect to the core
  // The steps, for tests that look at them.
  InitChunk OwnInit() const;
  InitAckChunk OwnInitAck(std::span<const uint8_t> parameters) const;
  // INIT ACK parameters: `cookie`, then the configured ones.
  std::vector<uint8_t> WithCookie(std::string_view cookie) const;

  // Everything the core has to send now.
  std::vector<SentPacket> Drain();
  // Lets time pass and the core's timers run; what it sends meanwhile.
  std::vector<SentPacket> Wait(Duration duration);
  // A packet to the core with these chunks and the core's tag, then what the core answers.
  template <class... Chunks>
  std::vector<SentPacket> Deliver(const Chunks&... chunks) {
    HandOver(Compose(core_tag, chunks...));
    return Drain();
  }
  // The same in a packet that a router marked.
  template <class... Chunks>
  std::vector<SentPacket> DeliverMarked(const Chunks&... chunks) {
    core.HandlePacket(now, Compose(core_tag, chunks...), EcnMark::kCe);
    return Drain();
  }
  // The same with another verification tag.
  template <class... Chunks>
  std::vector<SentPacket> DeliverWithTag(VerificationTag packet_tag, const Chunks&... chunks) {
    HandOver(Compose(packet_tag, chunks...));
    return Drain();
  }
  template <class... Chunks>
  std::vector<uint8_t> Compose(VerificationTag packet_tag, const Chunks&... chunks) const {
    std::vector<uint8_t> packet(65536);
    PacketBuilder builder(packet, {config.options.remote_port, config.options.local_port, packet_tag});
    (void)(builder.Add(chunks) && ...);
    packet.resize(builder.Finish());
    return packet;
  }
  void HandOver(std::span<const uint8_t> packet) { core.HandlePacket(now, packet); }

  // A whole message in one chunk, with the next TSN of ours.
  DataChunk NextData(uint16_t stream, uint16_t ssn, std::span<const uint8_t> payload);
  // Acknowledges everything up to `tsn`.
  SackChunk SackUpTo(Tsn tsn) const;

  template <class E>
  std::optional<E> NextEvent() {
    while (auto event = core.PollEvent()) {
      if (auto* found = std::get_if<E>(&*event)) return std::move(*found);
    }
    return std::nullopt;
  }
  uint64_t dropped(DropReason reason) const { return core.metrics().dropped[static_cast<size_t>(reason)]; }

  Config config;
  Rng rng;
  Timestamp now = Timestamp::FromEpoch(std::chrono::seconds(100));
  Association core;
  VerificationTag core_tag;
  Tsn core_initial_tsn;
  Tsn next_tsn;  // of ours
};

// The same, with the handshake done; by default the peer has all extensions.
class EstablishedPeer : public ScriptedPeer {
 public:
  EstablishedPeer() : EstablishedPeer(Config{.parameters = AllExtensions()}) {}
  explicit EstablishedPeer(Config given) : ScriptedPeer(std::move(given)) { EstablishAsServer(); }
};

// A chunk of any type and content, also such that no chunk struct can express.
struct RawChunk {
  uint8_t type;
  uint8_t flags = 0;
  std::vector<uint8_t> value;
  size_t Size() const { return kTlvHeaderSize + value.size(); }
  void Write(ByteWriter& writer) const {
    WriteChunkHeader(writer, ChunkType{type}, flags, Size());
    writer.WriteBytes(value);
  }
};

Message MakeMessage(uint16_t stream, size_t size, uint8_t fill = 0);

inline const std::vector<uint8_t> kHello{'h', 'e', 'l', 'l', 'o'};

}  // namespace jsp::sctp
