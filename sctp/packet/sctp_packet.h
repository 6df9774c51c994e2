#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/expected.h"
#include "sctp/packet/chunk_header.h"
#include "sctp/packet/common_header.h"
#include "sctp/packet/parse_error.h"
namespace jsp::sctp {

// What a receiver accepts in the checksum field.
enum class ChecksumPolicy : uint8_t {
  kRequireCrc32c,  // RFC 9260 §6.8: always, unless the ends agreed otherwise. Zero is right only where the CRC is zero.
  kAcceptZero,     // RFC 9653 §5.3, negotiated: zero, or a right CRC-32C
};

// A view of one received packet. Owns nothing; the datagram must outlive it. Association parses each datagram once.
struct PacketView {
  CommonHeader header;
  ChunkRange chunks;        // at least one; all of them whole, in their order on the wire
  size_t octets_after = 0;  // RFC 9260 §6.10: what follows the last whole chunk is a partial chunk, to be dropped

  // Refused: less than a header and one chunk header (kTruncated), a wrong checksum (kBadChecksum), a first chunk whose
  // length is below 4 or beyond the datagram (kBadLength).
  static Expected<PacketView, ParseError> Parse(std::span<const uint8_t> datagram, ChecksumPolicy policy);
};

// RFC 9260 §6.8: CRC-32C of the packet with zeros in its checksum field. `packet` has at least kCommonHeaderSize
// octets.
uint32_t PacketChecksum(std::span<const uint8_t> packet);

}  // namespace jsp::sctp
