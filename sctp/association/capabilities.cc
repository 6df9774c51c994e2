#include "sctp/association/capabilities.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/byte_writer.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/packet/parameter/cookie_preservative.h"
#include "sctp/packet/parameter/ecn_capable.h"
#include "sctp/packet/parameter/forward_tsn_supported.h"
#include "sctp/packet/parameter/supported_extensions.h"
#include "sctp/packet/parameter/zero_checksum_acceptable.h"
#include "sctp/packet/tlv.h"
namespace jsp::sctp {
namespace {

// Those of interleaving come last, so that they can be left out.
constexpr std::array<uint8_t, 4> kExtensions{
    static_cast<uint8_t>(ChunkType::kReconfig), static_cast<uint8_t>(ChunkType::kForwardTsn),
    static_cast<uint8_t>(ChunkType::kIData), static_cast<uint8_t>(ChunkType::kIForwardTsn)};
constexpr size_t kWithoutInterleaving = 2;

// Room beyond one message of the largest size, for what its fragments' bookkeeping counts.
constexpr size_t kWindowSlack = 64 * 1024;

void ReadExtensions(std::span<const uint8_t> chunk_types, Capabilities& capabilities) {
  const auto lists = [&](ChunkType type) {
    return std::ranges::find(chunk_types, static_cast<uint8_t>(type)) != chunk_types.end();
  };
  capabilities.stream_reset = lists(ChunkType::kReconfig);
  capabilities.interleaving = lists(ChunkType::kIData);
  if (lists(ChunkType::kForwardTsn)) capabilities.partial_reliability = true;
}

// RFC 8260 §2.3.1: partial reliability with I-DATA needs I-FORWARD-TSN.
bool ListsIForwardTsn(std::span<const uint8_t> chunk_types) {
  return std::ranges::find(chunk_types, static_cast<uint8_t>(ChunkType::kIForwardTsn)) != chunk_types.end();
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
  size_t zero_checksums = 0;
  for (const ParameterView parameter : parameters) {
    switch (parameter.type) {
      case ParameterType::kForwardTsnSupported:
        result.capabilities.partial_reliability = true;
        break;
      case ParameterType::kSupportedExtensions:
        ReadExtensions(parameter.value, result.capabilities);
        result.has_i_forward_tsn = ListsIForwardTsn(parameter.value);
        break;
      case ParameterType::kZeroChecksumAcceptable: {
        // RFC 9653 §4: once at most, and only a method that we support; otherwise it is not used.
        const auto acceptable = ZeroChecksumAcceptable::Parse(parameter);
        result.capabilities.zero_checksum =
            ++zero_checksums == 1 && acceptable && acceptable->method == ZeroChecksumAcceptable::kDtls;
        break;
      }
      case ParameterType::kEcnCapable:
        result.capabilities.ecn = true;
        break;
      case ParameterType::kStateCookie:
        result.cookie = parameter.value;
        break;
      case ParameterType::kHostNameAddress:
        result.host_name = parameter.octets;
        break;
      case ParameterType::kCookiePreservative:
        if (const auto preservative = CookiePreservative::Parse(parameter)) {
          result.cookie_increment = std::chrono::milliseconds(preservative->increment_ms);
        }
        break;
      // RFC 8261 §6.1: no addresses above DTLS. They are tolerated and mean nothing.
      case ParameterType::kIpv4Address:
      case ParameterType::kIpv6Address:
      case ParameterType::kSupportedAddressTypes:
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

std::vector<uint8_t> OwnParameters(const Options& options) {
  const ForwardTsnSupported forward;
  const std::span<const uint8_t> all(kExtensions);
  const SupportedExtensions extensions{options.interleaving ? all : all.first(kWithoutInterleaving)};
  const ZeroChecksumAcceptable zero_checksum;
  const EcnCapable ecn;
  std::vector<uint8_t> octets(forward.Size() + PaddedSize(extensions.Size()) + zero_checksum.Size() + ecn.Size());
  ByteWriter writer(octets);
  forward.Write(writer);
  extensions.Write(writer);
  if (options.zero_checksum) zero_checksum.Write(writer);
  if (options.ecn) ecn.Write(writer);
  // RFC 9260 §3.2: the padding of the last parameter does not count in the chunk's length.
  octets.resize(writer.size());
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
                const InitParameters& peer_parameters) {
  Capabilities capabilities = peer_parameters.capabilities;
  capabilities.interleaving = capabilities.interleaving && options.interleaving;
  capabilities.zero_checksum = capabilities.zero_checksum && options.zero_checksum;
  capabilities.ecn = capabilities.ecn && options.ecn;
  if (capabilities.interleaving && !peer_parameters.has_i_forward_tsn) capabilities.partial_reliability = false;
  return {.my_tag = mine.tag,
          .peer_tag = peer.tag,
          .my_initial_tsn = mine.initial_tsn,
          .peer_initial_tsn = peer.initial_tsn,
          .peer_a_rwnd = peer.a_rwnd,
          // RFC 9260 §5.1.1.
          .outgoing_streams = std::min(options.outgoing_streams, peer.inbound_streams),
          .incoming_streams = std::min(options.max_incoming_streams, peer.outbound_streams),
          .capabilities = capabilities};
}

}  // namespace jsp::sctp
