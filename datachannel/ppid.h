#pragma once
#include "sctp/types.h"
namespace jsp::datachannel {

// RFC 8831 §8: what an SCTP user message of a data channel carries, in its payload protocol identifier.
inline constexpr sctp::Ppid kPpidDcep{50};  // RFC 8832 §8.1
inline constexpr sctp::Ppid kPpidString{51};
inline constexpr sctp::Ppid kPpidBinary{53};
inline constexpr sctp::Ppid kPpidStringEmpty{56};
inline constexpr sctp::Ppid kPpidBinaryEmpty{57};

// RFC 8831 §6.6: deprecated. Fragments of messages on reliable and ordered channels, which end with one of the above;
// understood, never sent.
inline constexpr sctp::Ppid kPpidBinaryPartial{52};
inline constexpr sctp::Ppid kPpidStringPartial{54};

}  // namespace jsp::datachannel
