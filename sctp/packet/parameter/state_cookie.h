#pragma once
#include "sctp/packet/parameter_header.h"
namespace jsp::sctp {

// State Cookie, RFC 9260 §3.3.3.1: opaque to the peer, which sends its value back in a COOKIE ECHO.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |            Type = 7           |             Length            |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                             Cookie                            /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
using StateCookieParameter = OpaqueTlv<ParameterView, ParameterType::kStateCookie>;

}  // namespace jsp::sctp
