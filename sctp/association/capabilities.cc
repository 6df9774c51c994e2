#include "sctp/association/capabilities.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/byte_writer.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/packet/parameter/forward_tsn_supported.h"
#include "sctp/packet/parameter/supported_extensions.h"
#include "sctp/packet/tlv.h"
namespace jsp::sctp {
namespace {

constexpr std::array<uint8_t, 2> kExtensions{static_cast<uint8_t>(ChunkType::kReconfig),
                                             static_cast<uint8_t>(ChunkType::kForwardTsn)};

// Room beyond one message of the largest size, for what its fragments' bookkeeping counts.
constexpr size_t kWindowSlack = 64 * 1024;

void ReadExtensions(std::span<const uint8_t> chunk_types, Capabilities& capabilities) {
  for (uint8_t type : chunk_types) {
    if (ChunkType{type} == ChunkType::kReconfig) capabilities.stream_reset = true;
    if (ChunkType{type} == ChunkType::kForwardTsn) capabilities.partial_reliability = true;
  }
}

void Report(const ParameterView& parameter, std::vector<uint8_t>& unrecognized) {
  const size_t padded = PaddedSize(parameter.octets.size());
  if (unrecognized.size() + padded > kMaxReportedOctets) return;
  unrecognized.insert(unrecognized.end(), parameter.octets.begin(), parameter.octets.end());
  unrecognized.resize(PaddedSize(unrecognized.size()));
}

}  // namespace

InitParameters ReadParameters(const ParameterRange& parameters) {
  InitParameters result;
  for (const ParameterView parameter : parameters) {
    switch (parameter.type) {
      case ParameterType::kForwardTsnSupported:
        result.capabilities.partial_reliability = true;
        break;
      case ParameterType::kSupportedExtensions:
        ReadExtensions(parameter.value, result.capabilities);
        break;
      case ParameterType::kStateCookie:
        result.cookie = parameter.value;
        break;
      case ParameterType::kHostNameAddress:
        result.has_host_name = true;
        break;
      // RFC 8261 §6.1: no addresses above DTLS. They are tolerated and mean nothing.
      case ParameterType::kIpv4Address:
      case ParameterType::kIpv6Address:
      case ParameterType::kSupportedAddressTypes:
      case ParameterType::kCookiePreservative:
      case ParameterType::kEcnCapable:
      // What a responder did not recognize of our INIT: all of it is optional.
      case ParameterType::kUnrecognizedParameter:
        break;
      default: {
        const UnknownAction action = UnknownActionOf(parameter.type);
        if (action.report) Report(parameter, result.unrecognized);
        if (action.stop) return result;
      }
    }
  }
  return result;
}

std::vector<uint8_t> OwnParameters() {
  const ForwardTsnSupported forward;
  const SupportedExtensions extensions{kExtensions};
  std::vector<uint8_t> octets(PaddedSize(forward.Size() + extensions.Size()));
  ByteWriter writer(octets);
  forward.Write(writer);
  extensions.Write(writer);
  writer.Pad4();
  return octets;
}

size_t ReceiveWindowSize(const Options& options) {
  const size_t window = std::max(options.receive_window, options.max_message_size + kWindowSlack);
  return std::min<size_t>(window, std::numeric_limits<uint32_t>::max());
}

size_t ReceiveMessageLimit(const Options& options) {
  return options.max_message_size != 0 ? options.max_message_size : ReceiveWindowSize(options) - kWindowSlack;
}

Announcement Announce(const Options& options, VerificationTag tag, Tsn initial_tsn) {
  return {.tag = tag,
          .initial_tsn = initial_tsn,
          .a_rwnd = static_cast<uint32_t>(ReceiveWindowSize(options)),
          .outbound_streams = options.outgoing_streams,
          .inbound_streams = options.max_incoming_streams};
}

Agreement Agree(const Options& options, const Announcement& mine, const Announcement& peer,
                const Capabilities& peer_capabilities) {
  return {.my_tag = mine.tag,
          .peer_tag = peer.tag,
          .my_initial_tsn = mine.initial_tsn,
          .peer_initial_tsn = peer.initial_tsn,
          .peer_a_rwnd = peer.a_rwnd,
          // RFC 9260 §5.1.1.
          .outgoing_streams = std::min(options.outgoing_streams, peer.inbound_streams),
          .incoming_streams = std::min(options.max_incoming_streams, peer.outbound_streams),
          .capabilities = peer_capabilities};
}

}  // namespace jsp::sctp
