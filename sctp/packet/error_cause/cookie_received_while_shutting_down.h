#pragma once
#include "sctp/packet/cause_header.h"
namespace jsp::sctp {

// Cookie Received While Shutting Down, RFC 9260 §3.3.10.10: code 10, length 4.
using CookieReceivedWhileShuttingDownCause = EmptyTlv<CauseView, CauseCode::kCookieReceivedWhileShuttingDown>;

}  // namespace jsp::sctp
