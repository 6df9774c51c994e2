#pragma once
#include "sctp/packet/cause_header.h"
namespace jsp::sctp {

// User-Initiated Abort, RFC 9260 §3.3.10.12: `value` is the reason in the words of the upper layer.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |        Cause Code = 12        |          Cause Length         |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                    Upper Layer Abort Reason                   /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
using UserInitiatedAbortCause = OpaqueTlv<CauseView, CauseCode::kUserInitiatedAbort>;

}  // namespace jsp::sctp
