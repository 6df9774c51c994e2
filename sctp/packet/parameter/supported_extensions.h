#pragma once
#include "sctp/packet/parameter_header.h"
namespace jsp::sctp {

// Supported Extensions, RFC 5061 §4.2.7: `value` has one octet per chunk type that the sender supports beyond the base
// protocol. It is what announces RE-CONFIG (RFC 6525 §5.1.1).
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |    Parameter Type = 0x8008    |        Parameter Length       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                  Chunk types, one octet each                  /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
using SupportedExtensions = OpaqueTlv<ParameterView, ParameterType::kSupportedExtensions>;

}  // namespace jsp::sctp
