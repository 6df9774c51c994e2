#include "datachannel/incoming_pieces.h"

#include "datachannel/ppid.h"
namespace jsp::datachannel {
namespace {

using sctp::Part;

// RFC 8831 §8.
struct Format {
  MessageKind kind;
  bool is_fragment = false;  // another user message goes on with it
};
std::optional<Format> FormatOf(sctp::Ppid ppid, PpidFragments fragments) {
  switch (ppid.value) {
    case kPpidString.value:
      return Format{MessageKind::kString};
    case kPpidBinary.value:
      return Format{MessageKind::kBinary};
    case kPpidStringPartial.value:
    case kPpidBinaryPartial.value:
      if (fragments == PpidFragments::kRefused) return std::nullopt;
      return Format{ppid == kPpidStringPartial ? MessageKind::kString : MessageKind::kBinary, true};
    default:
      return std::nullopt;
  }
}

bool IsEmptyPpid(sctp::Ppid ppid) { return ppid == kPpidStringEmpty || ppid == kPpidBinaryEmpty; }

}  // namespace

Expected<std::optional<DecodedPiece>, PieceError> IncomingPieces::Add(sctp::Message message, size_t max_message_size) {
  if (message.part == Part::kAborted) return Abort();
  const size_t octets = message.payload.size();
  if (IsEmptyPpid(message.ppid)) {
    // RFC 8831 §6.6: "the receiver MUST ignore the SCTP user message and process it as an empty message."
    if (current_ || message.part != Part::kWhole) return Unexpected(PieceError::kBadOrder);
    const auto kind = message.ppid == kPpidStringEmpty ? MessageKind::kString : MessageKind::kBinary;
    return DecodedPiece{kind, {}, Part::kWhole, octets, octets > 1};
  }
  const auto format = FormatOf(message.ppid, fragments_);
  if (!format) return Unexpected(PieceError::kUnknownPpid);
  const bool ends = sctp::Ends(message.part) && !format->is_fragment;
  if (!current_ && ends) {
    if (!sctp::Begins(message.part)) return Unexpected(PieceError::kBadOrder);
    if (format->kind == MessageKind::kString && !IsValidUtf8(message.payload)) {
      return Unexpected(PieceError::kInvalidUtf8);
    }
    return DecodedPiece{format->kind, std::move(message.payload), Part::kWhole, octets};
  }
  if (!current_ && !sctp::Begins(message.part)) return Unexpected(PieceError::kBadOrder);
  if (!current_) current_.emplace(Current{.kind = format->kind, .kept = {}, .utf8 = {}});
  if (current_->kind != format->kind) return Unexpected(PieceError::kBadOrder);
  if (PieceError error; !Check(message, max_message_size, error)) return Unexpected(error);
  if (ends && !current_->utf8.IsComplete()) return Unexpected(PieceError::kInvalidUtf8);
  return Take(std::move(message), ends ? Extent::kEnds : Extent::kGoesOn);
}

// Counts the piece to the message under way.
bool IncomingPieces::Check(const sctp::Message& message, size_t max_message_size, PieceError& error) {
  Current& current = *current_;
  current.size += message.payload.size();
  const bool is_joined = delivery_ == sctp::Delivery::kWhole && !current.is_given;
  const size_t limit = max_message_size == 0 && is_joined ? kMaxJoined : max_message_size;
  error = PieceError::kTooLarge;
  if (limit != 0 && current.size > limit) return false;
  error = PieceError::kInvalidUtf8;
  return current.kind == MessageKind::kBinary || current.utf8.Accept(message.payload);
}

// Gives the piece out, with what was kept before it, or keeps it.
std::optional<DecodedPiece> IncomingPieces::Take(sctp::Message message, Extent extent) {
  Current& current = *current_;
  const size_t octets = message.payload.size();
  if (current.kept.empty()) {
    current.kept = std::move(message.payload);
  } else {
    current.kept.append(message.payload);
  }
  current.kept_octets += octets;
  const bool ends = extent == Extent::kEnds;
  if (!ends && delivery_ == sctp::Delivery::kWhole && !current.is_given) return std::nullopt;
  Part part = ends ? Part::kWhole : Part::kBegin;
  if (current.is_given) part = ends ? Part::kEnd : Part::kMiddle;
  DecodedPiece piece{current.kind, std::exchange(current.kept, {}), part, std::exchange(current.kept_octets, 0)};
  current.is_given = true;
  if (ends) current_.reset();
  return piece;
}

std::optional<DecodedPiece> IncomingPieces::Abort() {
  if (!current_) return std::nullopt;
  dropped_ += current_->kept_octets;
  const Current ended = *std::exchange(current_, std::nullopt);
  if (!ended.is_given) return std::nullopt;
  return DecodedPiece{ended.kind, {}, Part::kAborted};
}

}  // namespace jsp::datachannel
