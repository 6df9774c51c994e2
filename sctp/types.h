#pragma once
#include <cstdint>

#include "base/strong_types.h"
namespace jsp::sctp {

using StreamId = StrongId<struct StreamIdTag, uint16_t>;
using Ppid = StrongId<struct PpidTag, uint32_t>;
using VerificationTag = StrongId<struct VerificationTagTag, uint32_t>;

// RFC 9260 §1.6: serial numbers of 32 and 16 bits.
using Tsn = SerialNumber<struct TsnTag, uint32_t>;
using Ssn = SerialNumber<struct SsnTag, uint16_t>;
// RFC 8260 §2.1: the message identifier of I-DATA.
using Mid = SerialNumber<struct MidTag, uint32_t>;
// RFC 6525 §4.1: re-configuration request sequence number.
using ReconfigSn = SerialNumber<struct ReconfigSnTag, uint32_t>;

// Which chunks carry user data: all of an association the same (RFC 8260 §2.2.1).
enum class Framing : uint8_t { kData, kIData };

using UnwrappedTsn = Unwrapped<Tsn>;
using UnwrappedSsn = Unwrapped<Ssn>;

}  // namespace jsp::sctp
