#pragma once
#include "sctp/packet/parameter_header.h"
namespace jsp::sctp {

// Forward-TSN-Supported, RFC 3758 §3.1: type 0xC000, length 4.
using ForwardTsnSupported = EmptyTlv<ParameterView, ParameterType::kForwardTsnSupported>;

}  // namespace jsp::sctp
