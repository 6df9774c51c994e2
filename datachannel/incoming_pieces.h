#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/expected.h"
#include "base/payload.h"
#include "datachannel/message_codec.h"
#include "datachannel/utf8.h"
#include "sctp/message.h"
namespace jsp::datachannel {

// What the reader of a channel gets: an application message, a piece of one, or the mark that it was aborted.
struct DecodedPiece {
  MessageKind kind;
  Payload payload;
  sctp::Part part = sctp::Part::kWhole;
  size_t octets = 0;             // of user messages in it, which the receive window still counts
  bool ignored_payload = false;  // "empty", yet with more than the one placeholder octet
};

enum class PieceError : uint8_t {
  kUnknownPpid,
  kInvalidUtf8,
  kTooLarge,  // than our own a=max-message-size (RFC 8841 §6.1)
  kBadOrder,  // what belongs to no message, or to one of another kind
};

// The deprecated fragments of RFC 8831 §6.6 belong to reliable and ordered channels only.
enum class PpidFragments : uint8_t { kRefused, kAccepted };

// Turns the user messages of one channel that are not DCEP into application messages: what SCTP delivered in pieces,
// and what the peer split by the deprecated identifiers 52 and 54, becomes one message, or, when the application asked
// for it, pieces in their order. Keeps at most one message, of at most our max-message-size; its octets still count
// against the receive window. Channel owns it; ChannelSet closes the channel on any error.
class IncomingPieces {
 public:
  // Without a limit of our own, what is put together here still ends at this size.
  static constexpr size_t kMaxJoined = 256 * 1024;

  explicit IncomingPieces(PpidFragments fragments) : fragments_(fragments) {}

  void SetDelivery(sctp::Delivery delivery) { delivery_ = delivery; }
  sctp::Delivery delivery() const { return delivery_; }

  // nullopt: nothing to read yet. `max_message_size` in octets, 0: none. After an error call Abort.
  Expected<std::optional<DecodedPiece>, PieceError> Add(sctp::Message message, size_t max_message_size);
  // Nothing more of the message under way will come. The mark for the reader, if it has a part of the message.
  std::optional<DecodedPiece> Abort();
  // Octets that were kept here and dropped, since the last call: nobody will read them.
  size_t TakeDropped() { return std::exchange(dropped_, 0); }

 private:
  struct Current {
    MessageKind kind;
    Payload kept;
    size_t kept_octets = 0;
    uint64_t size = 0;
    bool is_given = false;  // in part: then the rest comes in pieces, too
    Utf8Checker utf8;
  };

  enum class Extent : uint8_t { kGoesOn, kEnds };

  bool Check(const sctp::Message& message, size_t max_message_size, PieceError& error);
  std::optional<DecodedPiece> Take(sctp::Message message, Extent extent);

  PpidFragments fragments_;
  sctp::Delivery delivery_ = sctp::Delivery::kWhole;
  std::optional<Current> current_;
  size_t dropped_ = 0;
};

}  // namespace jsp::datachannel
