#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "base/wire_layout.h"
#include "sctp/types.h"
namespace jsp::sctp {

// RFC 9260 §3.1, without the checksum: CRC-32C goes on the wire in little-endian order (RFC 9260 §6.8, §A), so
// PacketView and PacketBuilder handle it by themselves.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |      Source Port Number       |    Destination Port Number    |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                       Verification Tag                        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                           Checksum                            |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct CommonHeader {
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  VerificationTag verification_tag;
  bool operator==(const CommonHeader&) const = default;
};

inline constexpr size_t kChecksumOffset = 8;
inline constexpr size_t kChecksumSize = 4;
// The whole header with its checksum.
inline constexpr size_t kCommonHeaderSize = kChecksumOffset + kChecksumSize;

}  // namespace jsp::sctp

template <>
struct jsp::wire::Layout<jsp::sctp::CommonHeader> {
  using H = jsp::sctp::CommonHeader;
  static constexpr std::tuple kFields{&H::source_port, &H::destination_port, &H::verification_tag};
};
static_assert(jsp::wire::kSize<jsp::sctp::CommonHeader> == jsp::sctp::kChecksumOffset);
