#include "netsim/tcp_connection.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace jsp::netsim {
namespace {

constexpr uint32_t kDuplicateThreshold = 3;  // RFC 5681 §3.2
constexpr size_t kCompactAt = 64 * 1024;     // acknowledged octets that are kept before they are removed

}  // namespace

const char* ToString(TcpEnd end) {
  switch (end) {
    case TcpEnd::kClosed:
      return "closed";
    case TcpEnd::kReset:
      return "reset by the other side";
    case TcpEnd::kTimedOut:
      return "timed out";
    case TcpEnd::kAborted:
      return "aborted";
  }
  return "unknown";
}

TcpConnection::TcpConnection(const TcpOptions& options) : options_(options) {
  congestion_.window = options_.initial_segments * options_.mss;
  rtt_.rto = options_.initial_rto;
  sender_.peer_window = options_.window;
}

void TcpConnection::Connect() {
  JSP_CHECK(state_ == State::kIdle);
  state_ = State::kSynSent;
}

void TcpConnection::Accept(const TcpHeader& syn) {
  JSP_CHECK(state_ == State::kIdle);
  state_ = State::kSynReceived;
  sender_.peer_window = syn.window;
  receiver_.next = 1;
}

void TcpConnection::Write(std::span<const uint8_t> octets) {
  if (sender_.fin_wanted || state_ == State::kEnded) return;
  sender_.buffer.insert(sender_.buffer.end(), octets.begin(), octets.end());
  sender_.data_end += octets.size();
}

void TcpConnection::Close() {
  // RFC 9293 §3.10.4: nothing has been sent to anybody who would have to be told.
  if (state_ == State::kSynSent) return End(TcpEnd::kClosed);
  sender_.fin_wanted = true;
}

void TcpConnection::Abort() {
  if (state_ == State::kEnded) return;
  sender_.rst_wanted = state_ != State::kSynSent;
  End(TcpEnd::kAborted);
}

std::vector<uint8_t> TcpConnection::TakeReceived() { return std::exchange(receiver_.in_order, {}); }

void TcpConnection::End(TcpEnd end) {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  rtt_.deadline = Timestamp::Never();
  events_.Push(tcp_event::Ended{end});
}

void TcpConnection::Establish() {
  state_ = State::kEstablished;
  events_.Push(tcp_event::Connected{});
}

void TcpConnection::HandleSegment(Timestamp now, const TcpHeader& header, std::span<const uint8_t> payload) {
  switch (state_) {
    case State::kIdle:
    case State::kEnded:
      return;
    case State::kSynSent:
      return HandleSynSent(now, header);
    case State::kSynReceived:
      if (!HandleSynReceived(header)) return;
      break;
    case State::kEstablished:
      // RFC 9293 §3.10.7.4: a RST counts inside the window only.
      if (header.rst && header.sequence >= receiver_.next && header.sequence <= receiver_.next + options_.window) {
        return End(TcpEnd::kReset);
      }
      if (header.rst) return;
      if (header.syn) receiver_.ack_wanted = true;  // our answer to its SYN was lost
      break;
  }
  HandleAck(now, header, payload.empty() && !header.fin && !header.syn);
  HandlePayload(header, payload);
  MaybeFinish();
}

// RFC 9293 §3.10.7.3.
void TcpConnection::HandleSynSent(Timestamp now, const TcpHeader& header) {
  const bool acknowledges = header.ack && header.acknowledgment == 1 && sender_.max == 1;
  if (header.rst) {
    if (acknowledges) End(TcpEnd::kReset);
    return;
  }
  if (!header.syn) return;
  sender_.peer_window = header.window;
  receiver_.next = 1;
  if (!acknowledges) {  // simultaneous open (RFC 9293 §3.5)
    state_ = State::kSynReceived;
    sender_.next = 0;
    return;
  }
  HandleNewAck(now, 1);
  receiver_.ack_wanted = true;
  Establish();
}

bool TcpConnection::HandleSynReceived(const TcpHeader& header) {
  if (header.rst) {
    End(TcpEnd::kReset);
    return false;
  }
  if (!header.ack || header.acknowledgment == 0) {
    sender_.next = 0;  // its SYN again: our answer was lost
    return false;
  }
  Establish();
  return true;
}

void TcpConnection::HandleAck(Timestamp now, const TcpHeader& header, bool is_bare) {
  if (!header.ack || header.acknowledgment > sender_.max) return;
  sender_.peer_window = header.window;
  if (header.acknowledgment > sender_.una) {
    HandleNewAck(now, header.acknowledgment);
  } else if (header.acknowledgment == sender_.una && is_bare && in_flight() > 0) {
    HandleDuplicateAck();
  }
}

void TcpConnection::HandleNewAck(Timestamp now, uint64_t acknowledgment) {
  const uint64_t before = sender_.una;
  const uint64_t octets_end = std::min(acknowledgment, data_end());
  const uint64_t octets_begin = std::max<uint64_t>(before, 1);
  const size_t octets = octets_end > octets_begin ? static_cast<size_t>(octets_end - octets_begin) : 0;
  sender_.buffer_head += octets;
  if (sender_.buffer_head >= kCompactAt || sender_.buffer_head == sender_.buffer.size()) {
    sender_.buffer.erase(sender_.buffer.begin(),
                         sender_.buffer.begin() + static_cast<std::ptrdiff_t>(sender_.buffer_head));
    sender_.buffer_head = 0;
  }
  sender_.una = acknowledgment;
  sender_.next = std::max(sender_.next, acknowledgment);
  if (rtt_.timed && acknowledgment > *rtt_.timed) {
    Measure(now - rtt_.timed_at);
    rtt_.timed.reset();
  }
  rtt_.retries = 0;
  rtt_.deadline = in_flight() > 0 ? now + rtt_.rto : Timestamp::Never();  // RFC 6298 §5 (5.2), (5.3)

  Congestion& c = congestion_;
  c.duplicates = 0;
  if (c.recover && acknowledgment < *c.recover) {
    // RFC 6582 §3.2 step 3: a partial acknowledgment, so the next one is lost too.
    sender_.resend_first = true;
    c.window = std::max(c.window - std::min(c.window, octets), options_.mss) + options_.mss;
    return;
  }
  if (c.recover) {
    c.recover.reset();
    c.window = c.threshold;
    return;
  }
  // RFC 5681 §3.1: slow start, then congestion avoidance.
  c.window += c.window < c.threshold ? std::min(octets, options_.mss)
                                     : std::max<size_t>(options_.mss * options_.mss / c.window, 1);
}

void TcpConnection::HandleDuplicateAck() {
  Congestion& c = congestion_;
  ++c.duplicates;
  if (c.recover) {
    c.window += options_.mss;  // RFC 5681 §3.2 step 4
    return;
  }
  if (c.duplicates != kDuplicateThreshold || sender_.una < c.no_recovery_before) return;
  // RFC 5681 §3.2 steps 2 and 3.
  c.threshold = std::max<size_t>(static_cast<size_t>(in_flight()) / 2, 2 * options_.mss);
  c.window = c.threshold + kDuplicateThreshold * options_.mss;
  c.recover = sender_.max;
  sender_.resend_first = true;
}

// RFC 9293 §3.10.7.4: in order, or kept until what is missing has come.
void TcpConnection::HandlePayload(const TcpHeader& header, std::span<const uint8_t> payload) {
  Receiver& r = receiver_;
  if (!payload.empty() || header.fin) r.ack_wanted = true;
  if (header.fin) r.fin = header.sequence + payload.size();
  if (!payload.empty() && header.sequence <= r.next + options_.window) {
    auto& kept = r.early[header.sequence];
    if (kept.size() < payload.size()) kept.assign(payload.begin(), payload.end());
  }
  while (!r.early.empty() && r.early.begin()->first <= r.next) {
    const auto& [sequence, octets] = *r.early.begin();
    const size_t known = static_cast<size_t>(r.next - sequence);
    if (known < octets.size()) {
      r.in_order.insert(r.in_order.end(), octets.begin() + static_cast<std::ptrdiff_t>(known), octets.end());
      r.next += octets.size() - known;
    }
    r.early.erase(r.early.begin());
  }
  if (r.fin == r.next && !r.fin_taken) {
    r.fin_taken = true;
    ++r.next;
    events_.Push(tcp_event::PeerFinished{});
  }
}

void TcpConnection::MaybeFinish() {
  if (sender_.fin_wanted && receiver_.fin_taken && sender_.una == data_end() + 1) End(TcpEnd::kClosed);
}

void TcpConnection::HandleTimeout(Timestamp now) {
  if (rtt_.deadline > now || state_ == State::kEnded) return;
  ++rtt_.retries;
  if (rtt_.retries > (state_ == State::kEstablished ? options_.max_retries : options_.max_syn_retries)) {
    return End(TcpEnd::kTimedOut);
  }
  // RFC 6298 §5 (5.5), RFC 5681 §3.1: the window of one segment, and all over again from the first that is missing.
  rtt_.rto = std::min(rtt_.rto * 2, options_.max_rto);
  rtt_.timed.reset();
  congestion_.threshold = std::max<size_t>(static_cast<size_t>(in_flight()) / 2, 2 * options_.mss);
  congestion_.window = options_.mss;
  congestion_.recover.reset();
  congestion_.no_recovery_before = sender_.max;
  sender_.next = sender_.una;
  rtt_.deadline = now + rtt_.rto;
}

std::optional<TcpConnection::Transmit> TcpConnection::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  if (sender_.rst_wanted) {
    sender_.rst_wanted = false;
    Transmit reset = Make(0, sender_.max);
    reset.header.rst = true;
    return reset;
  }
  if (state_ == State::kSynSent || state_ == State::kSynReceived) return PollHandshake(now);
  if (state_ == State::kEstablished) {
    if (auto data = PollData(now, out)) return data;
  }
  if (!receiver_.ack_wanted) return std::nullopt;
  return Make(0, sender_.max);
}

std::optional<TcpConnection::Transmit> TcpConnection::PollHandshake(Timestamp now) {
  if (sender_.next != 0) return std::nullopt;
  Transmit syn = Make(0, 0);
  syn.header.syn = true;
  syn.header.ack = state_ == State::kSynReceived;
  NoteSent(now, 0, 1);
  return syn;
}

std::optional<TcpConnection::Transmit> TcpConnection::PollData(Timestamp now, std::span<uint8_t> out) {
  const uint64_t end = data_end();
  if (std::exchange(sender_.resend_first, false) && sender_.una < sender_.max) {
    if (sender_.una < end) {
      return SendData(now, sender_.una, std::min<size_t>(options_.mss, static_cast<size_t>(end - sender_.una)), out);
    }
    sender_.next = std::min(sender_.next, end);  // the FIN
  }
  const uint64_t limit = sender_.una + std::min<uint64_t>(congestion_.window, sender_.peer_window);
  if (sender_.next < end && sender_.next < limit) {
    const uint64_t room = std::min(end, limit) - sender_.next;
    const size_t size = std::min<size_t>(options_.mss, static_cast<size_t>(room));
    // RFC 9293 §3.8.6.2.1: no small segment because the window is almost full.
    const bool is_silly = size < options_.mss && sender_.next + size < end && in_flight() > 0;
    if (!is_silly) return SendData(now, sender_.next, size, out);
  }
  if (sender_.fin_wanted && sender_.next == end) {
    Transmit fin = Make(0, end);
    fin.header.fin = true;
    NoteSent(now, end, end + 1);
    return fin;
  }
  return std::nullopt;
}

TcpConnection::Transmit TcpConnection::Make(size_t size, uint64_t sequence) {
  receiver_.ack_wanted = false;
  return {size, {.sequence = sequence, .acknowledgment = receiver_.next, .window = options_.window, .ack = true}};
}

TcpConnection::Transmit TcpConnection::SendData(Timestamp now, uint64_t sequence, size_t size, std::span<uint8_t> out) {
  const auto first = static_cast<std::ptrdiff_t>(sender_.buffer_head + (sequence - std::max<uint64_t>(sender_.una, 1)));
  const auto begin = sender_.buffer.begin() + first;
  std::copy(begin, begin + static_cast<std::ptrdiff_t>(size), out.begin());
  NoteSent(now, sequence, sequence + size);
  return Make(size, sequence);
}

void TcpConnection::NoteSent(Timestamp now, uint64_t sequence, uint64_t end) {
  if (sequence < sender_.max) {
    ++sender_.retransmissions;
    if (rtt_.timed && *rtt_.timed >= sequence) rtt_.timed.reset();  // RFC 6298 §3: Karn's algorithm
  } else if (!rtt_.timed) {
    rtt_.timed = sequence;
    rtt_.timed_at = now;
  }
  sender_.next = std::max(sender_.next, end);
  sender_.max = std::max(sender_.max, end);
  if (rtt_.deadline == Timestamp::Never()) rtt_.deadline = now + rtt_.rto;  // RFC 6298 §5 (5.1)
}

// RFC 6298 §2.
void TcpConnection::Measure(Duration sample) {
  if (!rtt_.smoothed) {
    rtt_.smoothed = sample;
    rtt_.variation = sample / 2;
  } else {
    const Duration error = *rtt_.smoothed > sample ? *rtt_.smoothed - sample : sample - *rtt_.smoothed;
    rtt_.variation = (rtt_.variation * 3 + error) / 4;
    rtt_.smoothed = (*rtt_.smoothed * 7 + sample) / 8;
  }
  rtt_.rto = std::clamp(*rtt_.smoothed + rtt_.variation * 4, options_.min_rto, options_.max_rto);
}

}  // namespace jsp::netsim
