#include "transport/asio/error_category.h"

namespace jsp {
namespace {

const char* Describe(TransportErrc code) {
  switch (code) {
    case TransportErrc::kInvalidConfig:
      return "invalid configuration";
    case TransportErrc::kRelayUnavailable:
      return "relay candidates are not available in this version";
    case TransportErrc::kNoLocalAddress:
      return "no usable network interface";
    case TransportErrc::kNotInitialized:
      return "the transport is not initialized";
    case TransportErrc::kBadDescription:
      return "the session description was refused";
    case TransportErrc::kConnectionFailed:
      return "the connection failed";
    case TransportErrc::kConnectionClosed:
      return "the connection is closed";
    case TransportErrc::kTimedOut:
      return "not connected in time";
    case TransportErrc::kSignalingFailed:
      return "signalling failed";
    case TransportErrc::kMessageTooLarge:
      return "the message is too large";
    case TransportErrc::kBufferTooSmall:
      return "the buffer is smaller than the message";
    case TransportErrc::kQueueFull:
      return "the send queue is full";
    case TransportErrc::kChannelClosed:
      return "the channel is closed";
    case TransportErrc::kInvalidUtf8:
      return "not valid UTF-8";
    case TransportErrc::kLabelTooLong:
      return "label or protocol above 65535 octets";
    case TransportErrc::kTooManyChannels:
      return "too many channels";
    case TransportErrc::kIdInUse:
      return "the channel id is in use";
    case TransportErrc::kBadChannelOption:
      return "bad channel option";
    case TransportErrc::kMessageAborted:
      return "the message was given up";
    case TransportErrc::kBadPiece:
      return "the piece does not fit to the message in pieces";
    case TransportErrc::kOutOfMemory:
      return "the memory budget of all connections has no room";
    case TransportErrc::kNoStreaming:
      return "not connected, or the peer does not interleave messages: send them whole";
  }
  return "unknown error";
}

class Category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "jsp.transport"; }
  std::string message(int code) const override { return Describe(static_cast<TransportErrc>(code)); }
};

}  // namespace

const boost::system::error_category& transport_category() {
  static const Category category;
  return category;
}

boost::system::error_code make_error_code(TransportErrc code) { return {static_cast<int>(code), transport_category()}; }

boost::system::error_code ToErrorCode(datachannel::OpenError error) {
  switch (error) {
    case datachannel::OpenError::kLabelTooLong:
    case datachannel::OpenError::kProtocolTooLong:
      return TransportErrc::kLabelTooLong;
    case datachannel::OpenError::kInvalidUtf8:
      return TransportErrc::kInvalidUtf8;
    case datachannel::OpenError::kBothReliabilityLimits:
    case datachannel::OpenError::kBadLifetime:
    case datachannel::OpenError::kBadNegotiatedId:
      return TransportErrc::kBadChannelOption;
    case datachannel::OpenError::kIdInUse:
      return TransportErrc::kIdInUse;
    case datachannel::OpenError::kTooManyChannels:
      return TransportErrc::kTooManyChannels;
    case datachannel::OpenError::kOutOfMemory:
      return TransportErrc::kOutOfMemory;
    case datachannel::OpenError::kClosed:
      return TransportErrc::kConnectionClosed;
  }
  return TransportErrc::kConnectionClosed;
}

boost::system::error_code ToErrorCode(datachannel::SendError error) {
  switch (error) {
    case datachannel::SendError::kTooLarge:
      return TransportErrc::kMessageTooLarge;
    case datachannel::SendError::kQueueFull:
      return TransportErrc::kQueueFull;
    case datachannel::SendError::kInvalidUtf8:
      return TransportErrc::kInvalidUtf8;
    case datachannel::SendError::kMessageOpen:
    case datachannel::SendError::kNoOpenMessage:
    case datachannel::SendError::kEmptyPiece:
      return TransportErrc::kBadPiece;
    case datachannel::SendError::kMessageAbandoned:
      return TransportErrc::kMessageAborted;
    case datachannel::SendError::kOutOfMemory:
      return TransportErrc::kOutOfMemory;
    case datachannel::SendError::kNoStreaming:
      return TransportErrc::kNoStreaming;
    case datachannel::SendError::kUnknownChannel:
    case datachannel::SendError::kNotOpen:
    case datachannel::SendError::kClosed:
      return TransportErrc::kChannelClosed;
  }
  return TransportErrc::kChannelClosed;
}

}  // namespace jsp
