#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "sctp/options.h"
#include "sctp/packet/chunk/init.h"
#include "sctp/packet/chunk/init_ack.h"
#include "sctp/packet/parameter_header.h"
#include "sctp/types.h"
namespace jsp::sctp {

// The extensions that an end announces in its INIT or INIT ACK.
struct Capabilities {
  bool partial_reliability = false;  // RFC 3758 §3.1
  bool stream_reset = false;         // RFC 6525 §5.1.1
  bool interleaving = false;         // RFC 8260 §2.2.1
  bool zero_checksum = false;        // RFC 9653 §5.1, with DTLS as the other method
  bool ecn = false;                  // RFC 3168; docs/sctp.md#ecn
  bool operator==(const Capabilities&) const = default;
};

// What the parameters of a received INIT or INIT ACK say. Views the chunk.
struct InitParameters {
  Capabilities capabilities;
  std::optional<std::span<const uint8_t>> cookie = std::nullopt;     // RFC 9260 §3.3.3.1
  std::optional<std::span<const uint8_t>> host_name = std::nullopt;  // RFC 9260 §3.3.2: must be refused; its parameter
  Duration cookie_increment{};     // RFC 9260 §3.3.2.1.3: by which the cookie should live longer
  bool has_i_forward_tsn = false;  // RFC 8260 §2.3.1
  // Whole parameters to report (RFC 9260 §3.2.1), each padded to four octets.
  std::vector<uint8_t> unrecognized = {};
};

// Octets of unrecognized parameters that are reported: RFC 9260 §12.4 lets the receiver leave some out, so that a small
// INIT cannot ask for a large answer.
inline constexpr size_t kMaxReportedOctets = 256;

InitParameters ReadParameters(const ParameterRange& parameters);

// The optional parameters of our own INIT and INIT ACK: Forward-TSN-Supported and Supported Extensions.
std::vector<uint8_t> OwnParameters(const Options& options);

// One end's half of the handshake: what its INIT or INIT ACK announces beyond the parameters.
struct Announcement {
  VerificationTag tag;
  Tsn initial_tsn;
  uint32_t a_rwnd = 0;
  uint16_t outbound_streams = 0;
  uint16_t inbound_streams = 0;
};

// What both ends know after the handshake. Everything is from our point of view.
struct Agreement {
  VerificationTag my_tag;
  VerificationTag peer_tag;
  Tsn my_initial_tsn;
  Tsn peer_initial_tsn;
  uint32_t peer_a_rwnd = 0;
  uint16_t outgoing_streams = 0;  // RFC 9260 §5.1.1: the lesser of what we want and what the peer takes
  uint16_t incoming_streams = 0;
  Capabilities capabilities;
  Framing framing() const { return capabilities.interleaving ? Framing::kIData : Framing::kData; }
  bool operator==(const Agreement&) const = default;
};

// Octets of the receive window. A message above it could never arrive whole, so it is raised above max_message_size.
size_t ReceiveWindowSize(const Options& options);
// Octets of the largest message that we accept.
size_t ReceiveMessageLimit(const Options& options);

Announcement Announce(const Options& options, VerificationTag tag, Tsn initial_tsn);
Agreement Agree(const Options& options, const Announcement& mine, const Announcement& peer,
                const InitParameters& peer_parameters);

template <ChunkType kType>
Announcement AnnouncementOf(const BasicInitChunk<kType>& chunk) {
  return {chunk.initiate_tag, chunk.initial_tsn, chunk.a_rwnd, chunk.outbound_streams, chunk.inbound_streams};
}

}  // namespace jsp::sctp
