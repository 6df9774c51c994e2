#pragma once
#include "sctp/types.h"
namespace jsp::datachannel {

// RFC 8831 §8: what an SCTP user message of a data channel carries, in its payload protocol identifier.
inline constexpr sctp::Ppid kPpidDcep{50};  // RFC 8832 §8.1
inline constexpr sctp::Ppid kPpidString{51};
inline constexpr sctp::Ppid kPpidBinary{53};
inline constexpr sctp::Ppid kPpidStringEmpty{56};
inline constexpr sctp::Ppid kPpidBinaryEmpty{57};

// RFC 8831 §6.6 declined: the deprecated fragments are not put together, they close their channel like any unsupported
// identifier; see docs/datachannel.md#refusals
inline constexpr sctp::Ppid kPpidBinaryPartial{52};
inline constexpr sctp::Ppid kPpidStringPartial{54};

}  // namespace jsp::datachannel
