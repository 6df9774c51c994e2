#pragma once
#include "sctp/packet/chunk/heartbeat.h"
namespace jsp::sctp {

// HEARTBEAT ACK, RFC 9260 §3.3.6: the Heartbeat Info of the HEARTBEAT, sent back unchanged.
using HeartbeatAckChunk = BasicHeartbeatChunk<ChunkType::kHeartbeatAck>;

}  // namespace jsp::sctp
