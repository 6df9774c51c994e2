#include "transport/asio/train_io.h"

#include <algorithm>
#include <cerrno>

#include "base/check.h"
namespace jsp::transport::io {
namespace {

// Of Data indications: at most three octets behind each payload (RFC 8489 §14).
constexpr std::array<uint8_t, 4> kZeros{};

iovec VectorOf(std::span<const uint8_t> octets) { return {const_cast<uint8_t*>(octets.data()), octets.size()}; }

}  // namespace

TrainIo::TrainIo()
    : slab_(new uint8_t[kMessages * kSlotStride]),
      slots_(std::make_unique<std::array<Slot, kMessages>>()),
      queue_(std::make_unique<std::array<Outgoing, kMaxQueued>>()),
      segments_(kQueuedSegments),
      copies_(kCopies) {
  for (size_t i = 0; i < kMessages; ++i) {
    Slot& slot = (*slots_)[i];
    slot.vector = {slab_.get() + i * kSlotStride, kSlotSize};
    msghdr& header = incoming_[i].msg_hdr;
    header.msg_name = &slot.address;
    header.msg_namelen = sizeof(slot.address);
    header.msg_iov = &slot.vector;
    header.msg_iovlen = 1;
    header.msg_control = slot.control.data();
    header.msg_controllen = slot.control.size();
  }
}

std::span<const TrainIo::Received> TrainIo::Receive(TrainSocket& socket) {
  if (queued_ > 0 && kMessages - next_slot_ < kMinReceive) Flush();
  if (queued_ == 0) next_slot_ = 0;
  const size_t first = next_slot_;
  const auto room = static_cast<unsigned>(kMessages - first);
  int count = ::recvmmsg(socket.descriptor(), &incoming_[first], room, MSG_DONTWAIT, nullptr);
  ++stats_.receive_calls;
  if (count < 0 && MayBeOfEarlierDatagram(errno)) {
    // It tells of an earlier send, as the error queue does: the socket goes on (ATTACKS X1).
    count = ::recvmmsg(socket.descriptor(), &incoming_[first], room, MSG_DONTWAIT, nullptr);
    ++stats_.receive_calls;
  }
  if (count < 0) {
    if (!IsBusy(errno)) ++stats_.receive_errors;
    return {};
  }
  next_slot_ += static_cast<size_t>(count);
  for (size_t i = first; i < next_slot_; ++i) {
    Slot& slot = (*slots_)[i];
    msghdr& header = incoming_[i].msg_hdr;
    const size_t size = incoming_[i].msg_len;
    const size_t segment = GroSegmentSize(header);
    received_[i] = {FromNative(slot.address),
                    {{slab_.get() + i * kSlotStride, size}, segment < size ? segment : size_t{0}}};
    stats_.datagrams_received += segment > 0 && segment < size ? (size + segment - 1) / segment : 1;
    header.msg_namelen = sizeof(slot.address);
    header.msg_controllen = slot.control.size();
    header.msg_flags = 0;
  }
  stats_.trains_received += static_cast<uint64_t>(count);
  return std::span(received_).subspan(first, static_cast<size_t>(count));
}

std::span<turn::Segment> TrainIo::room() {
  if (segments_.size() - used_segments_ < kMaxSegments) Flush();
  return std::span(segments_).subspan(used_segments_, kMaxSegments);
}

void TrainIo::Append(TrainSocket& socket, const SocketAddress& remote, size_t count, Fragmenting fragmenting) {
  const size_t first = used_segments_;
  for (size_t i = 0; i < count; ++i) AppendSegment(socket, remote, segments_[first + i], fragmenting);
  used_segments_ = first + count;  // also when the queue was full on the way, and was sent
}

void TrainIo::AppendCopy(TrainSocket& socket, const SocketAddress& remote, std::span<const uint8_t> message) {
  JSP_DCHECK(message.size() <= kMaxCopy);
  const bool has_room = copies_.size() - used_copies_ >= message.size() && used_segments_ < segments_.size();
  if (!has_room || queued_ == kMaxQueued) Flush();
  const auto copy = std::span(copies_).subspan(used_copies_, message.size());
  std::ranges::copy(message, copy.begin());
  used_copies_ += message.size();
  turn::Segment& segment = segments_[used_segments_++];
  segment.prefix_size = segment.padding = 0;
  segment.payload = copy;
  AppendSegment(socket, remote, segment, Fragmenting::kAllowed);
}

// The message that a segment of that size joins, or a new one.
TrainIo::Outgoing& TrainIo::MessageFor(TrainSocket& socket, const SocketAddress& remote, Fragmenting fragmenting,
                                       size_t size) {
  if (socket.tail_.batch == batch_) {
    Outgoing& last = (*queue_)[socket.tail_.message];
    const bool fits = !last.is_closed && size > 0 && size <= last.segment_size && last.segments < kMaxSegments &&
                      last.octets + size <= kMaxRunOctets;
    if (fits && last.fragmenting == fragmenting && last.remote == remote) return last;
  }
  if (queued_ == kMaxQueued) Flush();
  Outgoing& message = (*queue_)[queued_];
  message.socket = &socket;
  message.remote = remote;
  message.address_size = ToNative(remote, message.address);
  message.fragmenting = fragmenting;
  message.is_closed = size == 0 || socket.segmentation_ == Segmentation::kNone;
  message.segment_size = size;
  message.segments = message.octets = message.pieces = 0;
  socket.tail_ = {batch_, queued_++};
  return message;
}

void TrainIo::AppendSegment(TrainSocket& socket, const SocketAddress& remote, const turn::Segment& segment,
                            Fragmenting fragmenting) {
  const size_t size = segment.size();
  Outgoing& message = MessageFor(socket, remote, fragmenting, size);
  iovec* at = message.vectors.data() + message.pieces;
  if (segment.prefix_size > 0) *at++ = VectorOf(std::span(segment.prefix).first(segment.prefix_size));
  if (!segment.payload.empty()) *at++ = VectorOf(segment.payload);
  if (segment.padding > 0) *at++ = VectorOf(std::span(kZeros).first(segment.padding));
  message.pieces = static_cast<size_t>(at - message.vectors.data());
  message.octets += size;
  ++message.segments;
  message.is_closed = message.is_closed || size < message.segment_size;
}

void TrainIo::Flush() {
  for (size_t done = 0; done < queued_;) {
    const Outgoing& first = (*queue_)[done];
    const auto joins = [&](const Outgoing& m) {
      return m.socket == first.socket && m.fragmenting == first.fragmenting;
    };
    size_t count = 1;
    while (done + count < queued_ && joins((*queue_)[done + count])) ++count;
    const auto group = std::span(*queue_).subspan(done, count);
    if (first.fragmenting == Fragmenting::kForbidden) {
      first.socket->ForbidFragments();
      Send(group);
      first.socket->AllowFragments();
    } else {
      Send(group);
    }
    done += count;
  }
  queued_ = used_segments_ = used_copies_ = 0;
  ++batch_;
}

// All of one socket.
void TrainIo::Send(std::span<Outgoing> messages) {
  std::array<mmsghdr, kMaxQueued> headers{};
  for (size_t i = 0; i < messages.size(); ++i) {
    msghdr& header = headers[i].msg_hdr;
    header.msg_name = &messages[i].address;
    header.msg_namelen = messages[i].address_size;
    header.msg_iov = messages[i].vectors.data();
    header.msg_iovlen = messages[i].pieces;
    if (messages[i].segments < 2) continue;
    header.msg_control = messages[i].control.data();
    SetGsoSegmentSize(header, static_cast<uint16_t>(messages[i].segment_size));
  }
  const int descriptor = messages.front().socket->descriptor();
  bool is_retry = false;
  for (size_t done = 0; done < messages.size();) {
    const auto rest = static_cast<unsigned>(messages.size() - done);
    const int sent = ::sendmmsg(descriptor, &headers[done], rest, MSG_DONTWAIT);
    ++stats_.send_calls;
    if (sent > 0) {
      for (const Outgoing& message : messages.subspan(done, static_cast<size_t>(sent))) {
        stats_.datagrams_sent += message.segments;
      }
      stats_.trains_sent += static_cast<uint64_t>(sent);
      done += static_cast<size_t>(sent);
      is_retry = false;
    } else if (!is_retry && MayBeOfEarlierDatagram(errno)) {
      is_retry = true;
    } else {
      HandleRefused(messages[done++], errno);
      is_retry = false;
    }
  }
}

void TrainIo::HandleRefused(Outgoing& message, int error) {
  if (IsBusy(error)) {
    stats_.dropped_full += message.segments;
  } else if (message.segments < 2 || (error != EIO && error != EINVAL && error != EMSGSIZE)) {
    stats_.dropped_errors += message.segments;
  } else {
    // EIO: the device cannot segment, and will not. Otherwise the segments are too large for this one path.
    if (error == EIO) message.socket->segmentation_ = Segmentation::kNone;
    ++stats_.gso_refused;
    SendOneByOne(message);
  }
}

void TrainIo::SendOneByOne(Outgoing& message) {
  std::array<mmsghdr, kMaxSegments> headers{};
  size_t piece = 0;
  for (size_t i = 0; i < message.segments; ++i) {
    msghdr& header = headers[i].msg_hdr;
    header.msg_name = &message.address;
    header.msg_namelen = message.address_size;
    header.msg_iov = &message.vectors[piece];
    for (size_t left = std::min(message.segment_size, message.octets - i * message.segment_size); left > 0; ++piece) {
      left -= message.vectors[piece].iov_len;
      ++header.msg_iovlen;
    }
  }
  for (size_t done = 0; done < message.segments;) {
    const auto rest = static_cast<unsigned>(message.segments - done);
    const int sent = ::sendmmsg(message.socket->descriptor(), &headers[done], rest, MSG_DONTWAIT);
    ++stats_.send_calls;
    if (sent > 0) {
      stats_.datagrams_sent += static_cast<uint64_t>(sent);
      stats_.trains_sent += static_cast<uint64_t>(sent);
      done += static_cast<size_t>(sent);
      continue;
    }
    ++(IsBusy(errno) ? stats_.dropped_full : stats_.dropped_errors);
    ++done;
  }
}

}  // namespace jsp::transport::io
