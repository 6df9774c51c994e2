#pragma once
#include "sctp/association/context.h"
#include "sctp/packet/parameter/reconfig_response.h"
namespace jsp::sctp {

// RFC 6525 §5.1.4, §5.2.4, §5.2.7 H5: SSN/TSN resets, the same on both sides. User data is never lost by one of ours:
// it is asked for, and performed, only while nothing of ours is queued or outstanding.

// The peer asks for it. kInProgress: not yet, and nothing was changed.
ReconfigResponder::Answer HandleAssociationResetRequest(Context& context, Tcb& tcb, ReconfigSn sn);
// The peer has performed ours and says with which TSNs both go on.
Flow FinishAssociationReset(Context& context, Tcb& tcb, const NextTsns& next);

}  // namespace jsp::sctp
