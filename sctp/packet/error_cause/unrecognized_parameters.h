#pragma once
#include "sctp/packet/cause_header.h"
namespace jsp::sctp {

// Unrecognized Parameters, RFC 9260 §3.3.10.8: `value` is whole parameters of the INIT ACK.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |         Cause Code = 8        |          Cause Length         |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                    Unrecognized Parameters                    /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
using UnrecognizedParametersCause = OpaqueTlv<CauseView, CauseCode::kUnrecognizedParameters>;

}  // namespace jsp::sctp
