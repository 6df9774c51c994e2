#include "sctp/testing/scripted_peer.h"

#include <algorithm>
#include <array>

#include "base/byte_writer.h"
#include "base/crypto.h"
#include "sctp/packet/parameter/forward_tsn_supported.h"
#include "sctp/packet/parameter/state_cookie.h"
#include "sctp/packet/parameter/supported_extensions.h"
namespace jsp::sctp {

ScriptedPeer::ScriptedPeer() : ScriptedPeer(Config{}) {}

namespace {

ScriptedPeer::Config WithInitialTsn(ScriptedPeer::Config config) {
  if (!config.options.initial_tsn) config.options.initial_tsn = config.core_initial_tsn;
  return config;
}

}  // namespace

ScriptedPeer::ScriptedPeer(Config given)
    : config(WithInitialTsn(std::move(given))),
      rng(Rng::FromNumber(config.seed)),
      core(config.options, rng, now),
      next_tsn(config.initial_tsn) {}

std::vector<uint8_t> ScriptedPeer::AllExtensions() {
  const std::array<uint8_t, 2> types{static_cast<uint8_t>(ChunkType::kReconfig),
                                     static_cast<uint8_t>(ChunkType::kForwardTsn)};
  std::vector<uint8_t> octets(12);
  ByteWriter writer(octets);
  ForwardTsnSupported{}.Write(writer);
  SupportedExtensions{types}.Write(writer);
  writer.Pad4();
  octets.resize(writer.size());
  return octets;
}

InitChunk ScriptedPeer::OwnInit() const {
  return {.initiate_tag = config.tag,
          .a_rwnd = config.a_rwnd,
          .outbound_streams = config.streams,
          .inbound_streams = config.streams,
          .initial_tsn = config.initial_tsn,
          .parameters = ParameterRange(config.parameters)};
}

InitAckChunk ScriptedPeer::OwnInitAck(std::span<const uint8_t> parameters) const {
  return {.initiate_tag = config.tag,
          .a_rwnd = config.a_rwnd,
          .outbound_streams = config.streams,
          .inbound_streams = config.streams,
          .initial_tsn = config.initial_tsn,
          .parameters = ParameterRange(parameters)};
}

std::vector<uint8_t> ScriptedPeer::WithCookie(std::string_view cookie) const {
  const StateCookieParameter parameter{crypto::AsBytes(cookie)};
  std::vector<uint8_t> octets(PaddedSize(parameter.Size()));
  ByteWriter writer(octets);
  parameter.Write(writer);
  writer.Pad4();
  octets.insert(octets.end(), config.parameters.begin(), config.parameters.end());
  return octets;
}

void ScriptedPeer::EstablishAsServer() {
  core.Connect(now);
  const auto sent = Drain();
  ASSERT_EQ(sent.size(), 1u);
  const auto init = ChunksOf<InitChunk>(sent);
  ASSERT_EQ(init.size(), 1u);
  core_tag = init[0].initiate_tag;
  core_initial_tsn = init[0].initial_tsn;
  const auto parameters = WithCookie("a cookie");
  HandOver(Compose(core_tag, OwnInitAck(parameters)));
  const auto echo = Drain();
  ASSERT_EQ(ChunksOf<CookieEchoChunk>(echo).size(), 1u);
  HandOver(Compose(core_tag, CookieAckChunk{}));
  ASSERT_EQ(core.state(), State::kEstablished);
}

void ScriptedPeer::EstablishAsClient() {
  const auto answer = DeliverWithTag(VerificationTag(0), OwnInit());
  const auto init_ack = ChunksOf<InitAckChunk>(answer);
  ASSERT_EQ(init_ack.size(), 1u);
  core_tag = init_ack[0].initiate_tag;
  core_initial_tsn = init_ack[0].initial_tsn;
  for (const ParameterView parameter : init_ack[0].parameters) {
    if (const auto cookie = StateCookieParameter::Parse(parameter)) {
      const auto ack = Deliver(CookieEchoChunk{cookie->value});
      ASSERT_EQ(ChunksOf<CookieAckChunk>(ack).size(), 1u);
    }
  }
  ASSERT_EQ(core.state(), State::kEstablished);
}

std::vector<SentPacket> ScriptedPeer::Drain() {
  std::vector<SentPacket> packets;
  std::array<uint8_t, 16384> buffer;
  const Options& options = config.options;
  const size_t limit = std::max(options.max_packet_size, options.path_mtu_discovery ? options.max_path_mtu : 0);
  while (const auto transmit = core.PollTransmit(now, buffer)) {
    EXPECT_LE(transmit->size, limit);
    packets.push_back({.at = now,
                       .octets = {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(transmit->size)},
                       .fragmentation = transmit->fragmentation,
                       .ecn = transmit->ecn});
    // Nothing that a core does may go on for ever.
    EXPECT_LT(packets.size(), 100000u);
    if (packets.size() >= 100000u) break;
  }
  return packets;
}

std::vector<SentPacket> ScriptedPeer::Wait(Duration duration) {
  std::vector<SentPacket> packets = Drain();
  const Timestamp end = now + duration;
  while (core.NextTimeout() <= end) {
    now = std::max(now, core.NextTimeout());
    core.HandleTimeout(now);
    for (SentPacket& packet : Drain()) packets.push_back(std::move(packet));
  }
  now = end;
  return packets;
}

DataChunk ScriptedPeer::NextData(uint16_t stream, uint16_t ssn, std::span<const uint8_t> payload) {
  DataChunk data;
  data.tsn = next_tsn;
  data.stream = StreamId(stream);
  data.ssn = Ssn(ssn);
  data.ppid = Ppid(53);
  data.beginning = data.end = true;
  data.payload = payload;
  next_tsn = Tsn(next_tsn.value + 1);
  return data;
}

SackChunk ScriptedPeer::SackUpTo(Tsn tsn) const {
  SackChunk sack;
  sack.cumulative_tsn_ack = tsn;
  sack.a_rwnd = config.a_rwnd;
  return sack;
}

Message MakeMessage(uint16_t stream, size_t size, uint8_t fill) {
  Message message;
  message.stream = StreamId(stream);
  message.ppid = Ppid(53);
  message.payload.resize(size);
  for (size_t i = 0; i < size; ++i) message.payload[i] = static_cast<uint8_t>(fill + i * 31);
  return message;
}

}  // namespace jsp::sctp
