#pragma once
#include <boost/system/error_code.hpp>
#include <string>
#include <string_view>
#include <type_traits>

#include "datachannel/channel_set.h"
namespace jsp {

// What the façade's operations answer besides the operating system's own errors. Zero is success.
enum class TransportErrc {
  kInvalidConfig = 1,  // WebRtcConfig::Validate() names the field
  kRelayUnavailable,   // relay-only policy, and no name of a TURN server resolves
  kNoLocalAddress,     // no usable interface
  kNotInitialized,     // async_initialize() has not completed
  kBadDescription,     // a session description was refused
  kConnectionFailed,   // ICE, DTLS or SCTP failed; state_reason() says which
  kConnectionClosed,
  kTimedOut,
  kSignalingFailed,  // the signalling server refused or cannot be reached
  kMessageTooLarge,  // for the peer, or for the send queue
  kBufferTooSmall,   // of async_receive; the message stays
  kQueueFull,        // try_send: no room now
  kChannelClosed,    // closing, closed, or never existed
  kInvalidUtf8,      // a string message, a label or a protocol
  kLabelTooLong,     // label or protocol above 65535 octets
  kTooManyChannels,
  kIdInUse,
  kBadChannelOption,  // lifetime, id, or both reliability limits
  kMessageAborted,    // received: the peer gave the message up; sent: its lifetime is over, or SCTP gave it up
  kBadPiece,          // a piece of no message, an empty one, or a message before the one in pieces has ended
  kOutOfMemory,       // the budget of the process's connections has no room (DriverOptions::memory)
  kNoStreaming,       // messages in pieces need a connection, and a peer that interleaves messages (RFC 8260)
};

const boost::system::error_category& transport_category();
boost::system::error_code make_error_code(TransportErrc code);
boost::system::error_code ToErrorCode(datachannel::OpenError error);
boost::system::error_code ToErrorCode(datachannel::SendError error);

}  // namespace jsp

template <>
struct boost::system::is_error_code_enum<jsp::TransportErrc> : std::true_type {};
