#pragma once
#include "sctp/packet/cause_header.h"
namespace jsp::sctp {

// Invalid Mandatory Parameter, RFC 9260 §3.3.10.7: code 7, length 4.
using InvalidMandatoryParameterCause = EmptyTlv<CauseView, CauseCode::kInvalidMandatoryParameter>;

}  // namespace jsp::sctp
