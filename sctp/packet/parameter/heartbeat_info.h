#pragma once
#include "sctp/packet/parameter_header.h"
namespace jsp::sctp {

// Heartbeat Info, RFC 9260 §3.3.5: opaque to all but its sender, which has a nonce of 64 bits or more in it.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |    Heartbeat Info Type = 1    |         HB Info Length        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                 Sender-Specific Heartbeat Info                /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
using HeartbeatInfo = OpaqueTlv<ParameterView, ParameterType::kHeartbeatInfo>;

}  // namespace jsp::sctp
