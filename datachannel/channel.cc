#include "datachannel/channel.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "datachannel/dcep_message.h"
#include "datachannel/ppid.h"
namespace jsp::datachannel {
namespace {

constexpr size_t kFirstCapacity = 8;
// A queue that grew past this gives its storage back when it runs empty. Below, it keeps it until Trim(): a reader that
// takes what a batch brought runs empty thousands of times a second.
constexpr size_t kKeptCapacity = 16 * 1024;

template <class T>
void Push(boost::circular_buffer<T>& queue, T value) {
  if (queue.full()) queue.set_capacity(std::max(kFirstCapacity, queue.capacity() * 2));
  queue.push_back(std::move(value));
}

template <class T>
T Pop(boost::circular_buffer<T>& queue) {
  T front = std::move(queue.front());
  queue.pop_front();
  if (queue.empty() && queue.capacity() > kKeptCapacity) queue.set_capacity(0);
  return front;
}

}  // namespace

const char* ToString(ChannelState state) {
  switch (state) {
    case ChannelState::kConnecting:
      return "connecting";
    case ChannelState::kOpen:
      return "open";
    case ChannelState::kClosing:
      return "closing";
    case ChannelState::kClosed:
      return "closed";
  }
  return "unknown";
}

Channel::Channel(ChannelId id, ChannelOptions options, Opener opener)
    : id_(id),
      options_(std::move(options)),
      owed_(opener == Opener::kLocal  ? Owed::kOpen
            : opener == Opener::kPeer ? Owed::kAck
                                      : Owed::kNothing),
      answered_(opener != Opener::kLocal),
      incoming_(options_.ordered && !options_.max_retransmits && !options_.max_lifetime ? PpidFragments::kAccepted
                                                                                        : PpidFragments::kRefused) {}

void Channel::Attach(sctp::StreamId stream) {
  stream_ = stream;
  if (answered_ && state_ == ChannelState::kConnecting) state_ = ChannelState::kOpen;
}

bool Channel::MarkAnswered() {
  // Before our OPEN left, nothing that arrives can be its answer.
  if (answered_ || IsUnannounced()) return false;
  answered_ = true;
  if (state_ != ChannelState::kConnecting) return false;
  state_ = ChannelState::kOpen;
  return true;
}

void Channel::Queue(Timestamp now, MessageKind kind, Payload payload, sctp::Part part) {
  queued_bytes_ += payload.size();
  Push(outgoing_, Outgoing{std::move(payload), now, kind, part});
}

size_t Channel::DiscardPieces() {
  size_t octets = 0;
  has_handed_part_ = false;
  while (!outgoing_.empty() && !sctp::Begins(outgoing_.front().part)) octets += Pop(outgoing_).payload.size();
  queued_bytes_ -= octets;
  // Were it ended already, the message that is open now would not have begun here.
  if (open_ && outgoing_.empty()) open_->abandoned = true;
  return octets;
}

void Channel::Trim() {
  if (outgoing_.empty()) outgoing_.set_capacity(0);
  if (unread_.empty()) unread_.set_capacity(0);
}

size_t Channel::DiscardOutput() {
  owed_ = Owed::kNothing;
  outgoing_.clear();
  outgoing_.set_capacity(0);
  return std::exchange(queued_bytes_, 0);
}

bool Channel::IsExpired(const Outgoing& outgoing, Timestamp now) const {
  // A message that has begun to leave is SCTP's to give up.
  return options_.max_lifetime && sctp::Begins(outgoing.part) && now - outgoing.queued_at > *options_.max_lifetime;
}

size_t Channel::DiscardExpired(Timestamp now) {
  size_t octets = 0;
  while (!outgoing_.empty() && IsExpired(outgoing_.front(), now)) {
    const bool is_whole = outgoing_.front().part == sctp::Part::kWhole;
    const size_t size = Pop(outgoing_).payload.size();
    ++counters_.messages_expired;
    queued_bytes_ -= size;
    octets += size;
    if (!is_whole) octets += DiscardPieces();
  }
  return octets;
}

size_t Channel::NextOutputSize() const {
  switch (owed_) {
    case Owed::kOpen:
      return kOpenFixedSize + options_.label.size() + options_.protocol.size();
    case Owed::kAck:
      return 1;
    case Owed::kNothing:
      break;
  }
  return std::max<size_t>(outgoing_.front().payload.size(), 1);
}

Channel::Output Channel::TakeDcep() {
  // RFC 8832 §6: "All DCEP messages MUST be sent using ordered delivery and reliable transmission", on the channel's
  // own stream.
  auto payload = owed_ == Owed::kOpen ? WriteOpen(OpenMessage::FromOptions(options_)) : WriteAck();
  ack_awaited_ = owed_ == Owed::kOpen;
  owed_ = Owed::kNothing;
  Output output{{*stream_, kPpidDcep, std::move(payload)}, {}};
  output.options.control = true;
  return output;
}

Channel::Output Channel::TakeOutput(Timestamp now) {
  JSP_CHECK(stream_ && HasOutput());
  if (owed_ != Owed::kNothing) return TakeDcep();
  Outgoing next = Pop(outgoing_);
  queued_bytes_ -= next.payload.size();
  has_handed_part_ = !sctp::Ends(next.part);
  if (sctp::Ends(next.part) && next.part != sctp::Part::kAborted) ++counters_.messages_sent;
  counters_.bytes_sent += next.payload.size();

  Output output;
  // RFC 8832 §6: ordered until the channel was answered, "no matter whether the data channel is ordered or not".
  output.options.unordered = answered_ && !options_.ordered;
  output.options.priority = options_.priority;
  output.options.max_retransmits = options_.max_retransmits;
  // RFC 8832 §5.1: the lifetime "starts when providing the user message to the protocol stack", that is in Queue().
  if (options_.max_lifetime) output.options.lifetime = *options_.max_lifetime - (now - next.queued_at);
  if (next.part == sctp::Part::kAborted) {
    output.message = {*stream_, {}, {}, sctp::Part::kAborted};
    return output;
  }
  output.options.control = next.payload.empty();
  output.message = EncodeMessage(*stream_, next.kind, std::move(next.payload), next.part);
  return output;
}

void Channel::Receive(DecodedPiece piece) {
  if (piece.part == sctp::Part::kAborted) {
    ++counters_.messages_aborted;
  } else if (sctp::Ends(piece.part)) {
    ++counters_.messages_received;
  }
  counters_.bytes_received += piece.payload.size();
  Push(unread_, Unread{{id_, piece.kind, std::move(piece.payload), piece.part}, piece.octets});
}

std::optional<Channel::Unread> Channel::TakeUnread() {
  if (unread_.empty()) return std::nullopt;
  return Pop(unread_);
}

ChannelStats Channel::stats() const {
  return {.id = id_,
          .stream = stream_,
          .options = options_,
          .state = state_,
          .messages_sent = counters_.messages_sent,
          .bytes_sent = counters_.bytes_sent,
          .messages_received = counters_.messages_received,
          .bytes_received = counters_.bytes_received,
          .messages_expired = counters_.messages_expired,
          .buffered_amount = queued_bytes_,
          .messages_aborted = counters_.messages_aborted};
}

}  // namespace jsp::datachannel
