#pragma once
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/payload.h"
#include "datachannel/channel_set.h"
#include "transport/asio/error_category.h"
#include "transport/webrtc_completion.h"
namespace jsp {

using ChannelOptions = datachannel::ChannelOptions;
using ChannelState = datachannel::ChannelState;
using MessageKind = datachannel::MessageKind;

using Part = sctp::Part;
using Delivery = sctp::Delivery;

// A message, or a piece of one that is larger than anybody wants to hold: see DataChannel::set_delivery, async_send.
// Moved, not copied. The payload of a received message is plain memory: it may go to any thread and stay there.
struct Message {
  Message() = default;
  // No aggregate: gcc 12 destroys the temporaries of one twice in a co_await expression.
  Message(MessageKind message_kind, Payload message_payload, Part message_part = Part::kWhole)
      : kind(message_kind), payload(std::move(message_payload)), part(message_part) {}

  MessageKind kind = MessageKind::kBinary;
  Payload payload;  // a std::vector<uint8_t> can be moved in
  Part part = Part::kWhole;
  std::string_view text() const { return payload.text(); }
};

// What async_receive_some put into the buffer: octets of one message, in their order.
struct ReceivedSome {
  size_t size = 0;
  MessageKind kind = MessageKind::kBinary;
  Part part = Part::kWhole;  // kEnd or kWhole: the message ends with them
};

struct TransportCore;

// One data channel of a WebRtcTransport: a light, copyable reference. It outlives the transport safely: operations then
// answer kChannelClosed. Messages that arrive before anybody reads queue, bounded by SCTP's receive window. The async_
// verbs may be called from any thread; the others on the transport's executor only.
class DataChannel {
 public:
  DataChannel() = default;
  DataChannel(const std::shared_ptr<TransportCore>& core, datachannel::ChannelId id);

  datachannel::ChannelId id() const { return id_; }
  ChannelState state() const;
  std::string label() const;
  ChannelOptions options() const;
  size_t buffered_amount() const;

  // void(error_code, size_t): completes when the message has its place in the bounded queue. kMessageTooLarge and
  // kChannelClosed concern this call only; the connection is unharmed. The buffer is copied before this returns.
  template <class Token>
  auto async_send(boost::asio::const_buffer message, Token&& token) {
    return async_send(message, MessageKind::kBinary, std::forward<Token>(token));
  }
  template <class Token>
  auto async_send(boost::asio::const_buffer message, MessageKind kind, Token&& token) {
    const auto* octets = static_cast<const uint8_t*>(message.data());
    return async_send(Message{kind, {octets, octets + message.size()}}, std::forward<Token>(token));
  }
  // The payload is moved, not copied. A message of any size goes in pieces, in so many calls: Part::kBegin, kMiddle …,
  // kEnd, each with at least one octet and each completing when it has its place in the queue; kAborted gives it up.
  // Until its end other messages of this channel are kBadPiece; those of other channels pass between the pieces.
  template <class Token>
  auto async_send(Message message, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, size_t)>(
        [](auto handler, DataChannel self, Message m) {
          self.StartSend(std::move(m), {std::move(handler), self.executor()});
        },
        token, *this, std::move(message));
  }
  // kQueueFull when there is no room now.
  boost::system::error_code try_send(Message message);
  boost::system::error_code try_send(std::span<const uint8_t> binary);
  boost::system::error_code try_send_text(std::string_view text);

  // void(error_code, Message); kChannelClosed after the last message of a closed channel.
  template <class Token>
  auto async_receive(Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, Message)>(
        [](auto handler, DataChannel self) {
          self.StartReceive({std::move(handler), self.executor()});
        },
        token, *this);
  }
  // void(error_code, size_t); kBufferTooSmall with the message's size leaves the message in the queue.
  template <class Token>
  auto async_receive(boost::asio::mutable_buffer buffer, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, size_t)>(
        [](auto handler, DataChannel self, boost::asio::mutable_buffer b) {
          self.StartReceiveInto(b, {std::move(handler), self.executor()});
        },
        token, *this, buffer);
  }
  // void(error_code, ReceivedSome): whatever is here of one message, as much as the buffer holds; waits for the first
  // octet of a piece only. kMessageAborted: the peer gave up the message that was read in part; the next call begins
  // with the next one. Works for whole messages of any size as well.
  template <class Token>
  auto async_receive_some(boost::asio::mutable_buffer buffer, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, ReceivedSome)>(
        [](auto handler, DataChannel self, boost::asio::mutable_buffer b) {
          self.StartReceiveSome(b, {std::move(handler), self.executor()});
        },
        token, *this, buffer);
  }
  // kPieces: messages of an ordered channel are given out as they arrive, so that neither this side nor the receive
  // window ever holds a whole one; async_receive then gives Messages that are pieces. With
  // peer_options.sctp.max_message_size = 0 the peer's messages may have any size.
  void set_delivery(Delivery delivery);
  // void(error_code): the channel is open, or kChannelClosed.
  template <class Token>
  auto async_wait_open(Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code)>(
        [](auto handler, DataChannel self) {
          self.StartWaitOpen({std::move(handler), self.executor()});
        },
        token, *this);
  }
  // RFC 8831 §6.7: what was sent before is still delivered.
  void close();

 private:
  const boost::asio::any_io_executor& executor() const { return executor_; }
  void StartSend(Message message, Completion<boost::system::error_code, size_t> done);
  void StartReceive(Completion<boost::system::error_code, Message> done);
  void StartReceiveInto(boost::asio::mutable_buffer buffer, Completion<boost::system::error_code, size_t> done);
  void StartReceiveSome(boost::asio::mutable_buffer buffer, Completion<boost::system::error_code, ReceivedSome> done);
  void StartWaitOpen(Completion<boost::system::error_code> done);

  boost::asio::any_io_executor executor_;
  std::weak_ptr<TransportCore> core_;
  datachannel::ChannelId id_;
};

}  // namespace jsp
