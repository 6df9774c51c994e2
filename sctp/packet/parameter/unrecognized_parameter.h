#pragma once
#include "sctp/packet/parameter_header.h"
namespace jsp::sctp {

// Unrecognized Parameter, RFC 9260 §3.2.2 and §3.3.3: `value` is one whole parameter of the INIT, header included.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |            Type = 8           |             Length            |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \           Unrecognized Parameter, complete with TLV           /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
using UnrecognizedParameter = OpaqueTlv<ParameterView, ParameterType::kUnrecognizedParameter>;

}  // namespace jsp::sctp
