#pragma once
#include "sctp/packet/cause_header.h"
namespace jsp::sctp {

// Out of Resource, RFC 9260 §3.3.10.4: code 4, length 4.
using OutOfResourceCause = EmptyTlv<CauseView, CauseCode::kOutOfResource>;

}  // namespace jsp::sctp
