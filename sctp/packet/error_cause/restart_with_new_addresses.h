#pragma once
#include "sctp/packet/cause_header.h"
namespace jsp::sctp {

// Restart of an Association with New Addresses, RFC 9260 §3.3.10.11: `value` is whole address parameters.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |        Cause Code = 11        |          Cause Length         |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                        New Address TLVs                       /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
using RestartWithNewAddressesCause = OpaqueTlv<CauseView, CauseCode::kRestartWithNewAddresses>;

}  // namespace jsp::sctp
