#pragma once
#include "sctp/packet/cause_header.h"
namespace jsp::sctp {

// Unresolvable Address, RFC 9260 §3.3.10.5: `value` is the whole address parameter.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |         Cause Code = 5        |          Cause Length         |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                      Unresolvable Address                     /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
using UnresolvableAddressCause = OpaqueTlv<CauseView, CauseCode::kUnresolvableAddress>;

}  // namespace jsp::sctp
