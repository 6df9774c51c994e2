#pragma once
#include "sctp/packet/parameter_header.h"
namespace jsp::sctp {

// ECN Capable: type 0x8000, length 4. RFC 9260 §3.2 only reserves what belongs to it; see docs/sctp.md#ecn.
using EcnCapable = EmptyTlv<ParameterView, ParameterType::kEcnCapable>;

}  // namespace jsp::sctp
