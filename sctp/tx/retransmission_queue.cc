#include "sctp/tx/retransmission_queue.h"

#include <algorithm>

#include "base/check.h"
#include "sctp/packet/common_header.h"
namespace jsp::sctp {
namespace {

size_t MaxChunk(const Options& options) {
  JSP_CHECK(options.max_packet_size > kCommonHeaderSize + DataChunk::kHeaderSize);
  return (options.max_packet_size - kCommonHeaderSize) & ~size_t{3};
}

}  // namespace

RetransmissionQueue::RetransmissionQueue(const Options& options, const Start& start, SendQueue& messages,
                                         Metrics& metrics)
    : limits_{.max_chunk = MaxChunk(options), .max_burst = std::max<size_t>(options.max_burst_packets, 1)},
      messages_(messages),
      metrics_(metrics),
      outstanding_(start.initial_tsn, messages, metrics),
      rto_({options.rto_initial, options.rto_min, options.rto_max}),
      congestion_(limits_.max_chunk, options.initial_window_packets * limits_.max_chunk, start.peer_a_rwnd),
      a_rwnd_(start.peer_a_rwnd),
      reliability_(start.reliability) {
  outstanding_.SetReliability(reliability_);
  // The first flight is the initial window, not Max.Burst.
  permission_.burst = std::max(options.initial_window_packets, limits_.max_burst);
  PublishMetrics();
}

void RetransmissionQueue::UpdatePeer(uint32_t peer_a_rwnd, Reliability reliability) {
  a_rwnd_ = peer_a_rwnd;
  reliability_ = reliability;
  outstanding_.SetReliability(reliability);
}

RetransmissionQueue::SackOutcome RetransmissionQueue::HandleSack(Timestamp now, const SackChunk& sack) {
  // The whole SACK is judged before any of it is believed.
  const SackVerdict verdict = outstanding_.Validate(sack);
  if (verdict != SackVerdict::kValid) return {verdict};
  using Phase = OutstandingData::RecoveryPhase;
  const auto result =
      outstanding_.Apply(now, sack, congestion_.in_fast_recovery() ? Phase::kFastRecovery : Phase::kNone);
  // RFC 9260 §6.2.1 D ii: the rest of that rule is WindowAllows.
  a_rwnd_ = sack.a_rwnd;
  probe_.answered = true;
  return HandleAcknowledgement(now, result);
}

RetransmissionQueue::SackOutcome RetransmissionQueue::HandleCumulativeAck(Timestamp now, Tsn cumulative_tsn_ack) {
  SackChunk sack;
  sack.cumulative_tsn_ack = cumulative_tsn_ack;
  const SackVerdict verdict = outstanding_.Validate(sack);
  if (verdict != SackVerdict::kValid) return {verdict};
  return HandleAcknowledgement(now, outstanding_.ApplyCumulative(cumulative_tsn_ack));
}

RetransmissionQueue::SackOutcome RetransmissionQueue::HandleAcknowledgement(Timestamp now,
                                                                            const OutstandingData::AckResult& result) {
  const bool progress = result.cumulative_advanced || result.octets_acknowledged > 0;
  UpdateRoundTrip(now);
  // RFC 9260 §7.2.4, note: growth comes before the adjustment for losses.
  const UnwrappedTsn next = outstanding_.next_tsn();
  const UnwrappedTsn cumulative(outstanding_.first_tsn().DistanceFrom(UnwrappedTsn(1)));
  congestion_.HandleAck({.octets_acknowledged = result.octets_acknowledged,
                         .window_was_full = permission_.window_was_full,
                         .cumulative_tsn = cumulative,
                         .all_acknowledged = outstanding_.empty()});
  if (result.newly_lost > 0) {
    if (!congestion_.in_fast_recovery()) {
      // RFC 9260 §7.2.4 item 3.
      permission_.fast_retransmit = true;
      ++metrics_.fast_retransmits;
    }
    congestion_.HandleLoss(UnwrappedTsn(next.DistanceFrom(UnwrappedTsn(1))));
  }
  UpdateProbe(now);
  UpdateForwardTsn(now);
  if (outstanding_.empty()) {
    // RFC 9260 §6.3.2 R2.
    t3_ = Timestamp::Never();
  } else if (result.cumulative_advanced || t3_ == Timestamp::Never()) {
    // RFC 9260 §6.3.2 R3, R4.
    t3_ = now + rto_.rto();
  }
  if (progress) permission_.only_one_packet = false;
  // What was acknowledged may be replaced; Max.Burst bounds what goes out beyond that (RFC 9260 §6.1 D). Several SACKs
  // may arrive before the owner polls, and each of them is an opportunity.
  permission_.burst += (result.octets_acknowledged + limits_.max_chunk - 1) / limits_.max_chunk + limits_.max_burst;
  PublishMetrics();
  return {SackVerdict::kValid, progress};
}

void RetransmissionQueue::UpdateRoundTrip(Timestamp now) {
  if (!timed_ || !outstanding_.IsAcknowledged(timed_->tsn)) return;
  rto_.Measure(now - timed_->sent_at);
  timed_.reset();
}

void RetransmissionQueue::MeasureRoundTrip(Duration rtt) {
  rto_.Measure(rtt);
  PublishMetrics();
}

void RetransmissionQueue::UpdateProbe(Timestamp now) {
  if (!probe_.tsn) return;
  if (outstanding_.IsAcknowledged(*probe_.tsn)) {
    probe_.tsn.reset();
    return;
  }
  // The window opened, and the peer does not have the probe: it was dropped for want of room, so it is no sign of
  // congestion, and waiting for a timer that has backed off would only cost time.
  if (a_rwnd_ < outstanding_.at(*probe_.tsn).length) return;
  outstanding_.MarkLost(now, *probe_.tsn);
  probe_.tsn.reset();
}

void RetransmissionQueue::UpdateForwardTsn(Timestamp now) {
  if (!outstanding_.AdvancePeerAckPoint()) {
    forward_.due = false;
    return;
  }
  // RFC 3758 §3.5 F2: a duplicate waits a round trip.
  const bool moved = !forward_.sent_point || outstanding_.peer_ack_point() > *forward_.sent_point;
  if (moved || now - forward_.sent_at >= rto_.srtt()) forward_.due = true;
}

void RetransmissionQueue::AllowBurst() { permission_.burst = std::max(permission_.burst, limits_.max_burst); }

RetransmissionQueue::Expiry RetransmissionQueue::HandleTimeout(Timestamp now) {
  if (t3_ > now) return Expiry::kNone;
  t3_ = Timestamp::Never();
  AllowBurst();
  rto_.BackOff();
  timed_.reset();
  if (outstanding_.empty()) {
    // RFC 9260 §6.1 A: "The sender SHOULD send the first zero window probe after 1 RTO when it detects that the
    // receiver has closed its window and SHOULD increase the probe interval exponentially afterwards."
    probe_.allowed = true;
    return Expiry::kWindowProbe;
  }
  ++metrics_.t3_expiries;
  const bool is_probe = probe_.tsn.has_value() && probe_.answered;
  probe_.answered = false;
  // "Zero window probing does not affect the calculation of cwnd." Everything else does: RFC 9260 §6.3.3 E1.
  if (!is_probe) congestion_.HandleTimeout();
  outstanding_.MarkAllLost(now);
  permission_.fast_retransmit = false;
  permission_.only_one_packet = true;
  // RFC 3758 §3.5 A5: it is repeated here, too.
  forward_.due = outstanding_.AdvancePeerAckPoint();
  PublishMetrics();
  return is_probe ? Expiry::kWindowProbe : Expiry::kLoss;
}

std::optional<UnwrappedTsn> RetransmissionQueue::NextLost(Timestamp now) {
  const uint64_t abandoned = metrics_.messages_abandoned;
  const auto lost = outstanding_.NextLost(now);
  // RFC 3758 §3.5 C3: what expired while it waited for its turn is forwarded now; no SACK and no timer may follow.
  if (metrics_.messages_abandoned != abandoned) UpdateForwardTsn(now);
  return lost;
}

bool RetransmissionQueue::BeginPacket(Timestamp now) {
  packet_ = {};
  if (permission_.fast_retransmit && NextLost(now)) {
    packet_.only_lost = outstanding_.flight_octets() >= congestion_.cwnd();
    return true;
  }
  permission_.fast_retransmit = false;
  if (permission_.only_one_packet && outstanding_.flight_octets() > 0) return false;
  if (NextLost(now)) return outstanding_.flight_octets() < congestion_.cwnd();
  if (permission_.burst == 0) return false;
  if (!messages_.Front(now, reliability_)) {
    // An opportunity that is not used is gone, except for the first flight.
    if (last_sent_ != Timestamp::Never()) permission_.burst = 0;
    return false;
  }
  DecayWhenIdle(now);
  // RFC 9260 §6.1 B: a flight below cwnd may exceed it by the rest of one packet.
  return outstanding_.flight_octets() < congestion_.cwnd();
}

void RetransmissionQueue::DecayWhenIdle(Timestamp now) {
  if (!outstanding_.empty() || last_sent_ == Timestamp::Never()) return;
  congestion_.HandleIdle(now - last_sent_, rto_.rto());
  last_sent_ = now;
}

std::optional<DataChunk> RetransmissionQueue::NextChunk(Timestamp now, size_t room) {
  if (room <= DataChunk::kHeaderSize) return std::nullopt;
  // RFC 9260 §6.1 C: what is lost goes before what is new.
  if (const auto lost = NextLost(now)) {
    if (outstanding_.at(*lost).size() > room) return std::nullopt;
    outstanding_.MarkRetransmitted(*lost);
    // RFC 9260 §6.3.1 C5.
    if (timed_ && *lost <= timed_->tsn) timed_.reset();
    packet_.has_chunk = true;
    packet_.has_lowest = packet_.has_lowest || *lost == outstanding_.first_tsn();
    ++metrics_.retransmitted_chunks;
    return Compose(*lost);
  }
  if (packet_.only_lost || permission_.burst == 0) return std::nullopt;
  return NextNewChunk(now, room);
}

std::optional<DataChunk> RetransmissionQueue::NextNewChunk(Timestamp now, size_t room) {
  while (const auto handle = messages_.Front(now, reliability_)) {
    const OutgoingMessage& message = messages_.message(*handle);
    // RFC 3758 §4.1, for a message that has begun; Front drops those that have not.
    if (reliability_ == Reliability::kPartial && message.expires_at <= now) {
      outstanding_.AbandonMessage(*handle);
      UpdateForwardTsn(now);
      continue;
    }
    const size_t length = NextFragmentLength(message.size() - message.fragmented, room - DataChunk::kHeaderSize,
                                             limits_.max_chunk - DataChunk::kHeaderSize);
    if (length == 0 || !WindowAllows(now, length)) return std::nullopt;
    const Fragment fragment = messages_.Take(length);
    const UnwrappedTsn tsn = outstanding_.Add(fragment);
    if (!timed_) timed_ = Timed{tsn, now};
    if (probe_.allowed) {
      probe_ = {.allowed = false, .answered = false, .tsn = tsn};
    }
    packet_.has_chunk = packet_.has_new = true;
    ++metrics_.chunks_sent;
    metrics_.bytes_sent += length;
    if (fragment.ends) ++metrics_.messages_sent;
    return Compose(tsn);
  }
  return std::nullopt;
}

bool RetransmissionQueue::WindowAllows(Timestamp now, size_t length) {
  // RFC 9260 §6.2.1 B, C, D: the peer's window is what it advertised, less what is in flight.
  if (outstanding_.flight_payload() + length <= a_rwnd_) {
    probe_.allowed = false;
    return true;
  }
  if (!outstanding_.empty()) return false;
  // RFC 9260 §6.1 A: a probe "SHOULD only be sent when all outstanding DATA chunks have been cumulatively
  // acknowledged".
  if (probe_.allowed) return true;
  if (t3_ == Timestamp::Never()) t3_ = now + rto_.rto();
  return false;
}

void RetransmissionQueue::EndPacket(Timestamp now) {
  if (!packet_.has_chunk) return;
  permission_.fast_retransmit = false;
  if (packet_.has_new && permission_.burst > 0) --permission_.burst;
  last_sent_ = now;
  permission_.window_was_full = outstanding_.flight_octets() + limits_.max_chunk > congestion_.cwnd();
  // RFC 9260 §6.3.2 R1, RFC 9260 §6.1: restarted when the earliest outstanding TSN is sent again.
  if (t3_ == Timestamp::Never() || packet_.has_lowest) t3_ = now + rto_.rto();
  PublishMetrics();
}

std::optional<ForwardTsnChunk> RetransmissionQueue::TakeForwardTsn(Timestamp now, size_t room) {
  if (!forward_.due || room < ForwardTsnChunk::kHeaderSize + ForwardTsnChunk::kItemSize) return std::nullopt;
  const ForwardTsnChunk chunk = outstanding_.BuildForwardTsn(room);
  forward_ = {.due = false, .sent_point = outstanding_.peer_ack_point(), .sent_at = now};
  // RFC 3758 §3.5 C5.
  if (t3_ == Timestamp::Never()) t3_ = now + rto_.rto();
  return chunk;
}

DataChunk RetransmissionQueue::Compose(UnwrappedTsn tsn) const {
  const OutstandingData::Chunk& chunk = outstanding_.at(tsn);
  const OutgoingMessage& message = messages_.message(chunk.message);
  return {.tsn = tsn.Wrap(),
          .stream = message.message.stream,
          .ssn = message.ssn,
          .ppid = message.message.ppid,
          .unordered = message.unordered,
          .beginning = chunk.begins,
          .end = chunk.ends,
          .payload = std::span(message.message.payload).subspan(chunk.offset, chunk.length)};
}

void RetransmissionQueue::PublishMetrics() {
  metrics_.cwnd = congestion_.cwnd();
  metrics_.ssthresh = congestion_.ssthresh();
  metrics_.outstanding_bytes = outstanding_.flight_payload();
  metrics_.peer_rwnd = a_rwnd_ > outstanding_.flight_payload() ? a_rwnd_ - outstanding_.flight_payload() : 0;
  metrics_.srtt_us = static_cast<uint64_t>(rto_.srtt().count());
  metrics_.rto_us = static_cast<uint64_t>(rto_.rto().count());
}

}  // namespace jsp::sctp
