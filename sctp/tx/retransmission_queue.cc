#include "sctp/tx/retransmission_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "sctp/packet/common_header.h"
namespace jsp::sctp {
namespace {

size_t MaxChunk(size_t packet_size) {
  JSP_CHECK(packet_size > kCommonHeaderSize + IDataChunk::kHeaderSize);
  return (packet_size - kCommonHeaderSize) & ~size_t{3};
}

}  // namespace

RetransmissionQueue::RetransmissionQueue(const Options& options, const Start& start, SendQueue& messages,
                                         Metrics& metrics)
    : limits_{.max_chunk = MaxChunk(options.max_packet_size),
              .large_chunk = MaxChunk(options.max_packet_size),
              .algorithm = options.congestion_control,
              .initial_packets = options.initial_window_packets,
              .max_burst = std::max<size_t>(options.max_burst_packets, 1),
              .pacing = options.pacing,
              .rack_tlp = options.rack_tlp || options.congestion_control != CongestionAlgorithm::kNewReno,
              .framing = start.framing,
              .chunk_header = start.framing == Framing::kIData ? IDataChunk::kHeaderSize : DataChunk::kHeaderSize},
      messages_(messages),
      metrics_(metrics),
      outstanding_(start.initial_tsn, messages, metrics),
      rto_({options.rto_initial, options.rto_min, options.rto_max}),
      congestion_(options.congestion_control, {.pmdcs = limits_.max_chunk,
                                               .initial_cwnd = options.initial_window_packets * limits_.max_chunk,
                                               .initial_ssthresh = start.peer_a_rwnd}),
      peer_{start.peer_a_rwnd, start.reliability} {
  outstanding_.SetReliability(peer_.reliability);
  outstanding_.SetFraming(start.framing);
  messages_.SetFraming(start.framing);
  // The first flight is the initial window, not Max.Burst.
  permission_.burst = std::max(options.initial_window_packets, limits_.max_burst);
  PublishMetrics();
}

void RetransmissionQueue::UpdatePeer(uint32_t peer_a_rwnd, Reliability reliability) {
  peer_.a_rwnd = peer_a_rwnd;
  peer_.reliability = reliability;
  outstanding_.SetReliability(reliability);
}

void RetransmissionQueue::RestartAt(Tsn next_tsn) {
  outstanding_.RestartAt(next_tsn);
  losses_.Reset();
  t3_ = {.at = Timestamp::Never(), .timed = {}};
  probe_ = {};
  forward_ = {};
}

OutstandingData::RecoveryPhase RetransmissionQueue::Phase() const {
  using enum OutstandingData::RecoveryPhase;
  if (limits_.rack_tlp && losses_.has_seen_reordering()) return kReordering;
  return congestion_.in_fast_recovery() ? kFastRecovery : kNone;
}

RetransmissionQueue::SackOutcome RetransmissionQueue::HandleSack(Timestamp now, const SackChunk& sack) {
  // The whole SACK is judged before any of it is believed.
  const SackVerdict verdict = outstanding_.Validate(sack);
  if (verdict != SackVerdict::kValid) return {verdict};
  const auto result = outstanding_.Apply(now, sack, Phase());
  // RFC 9260 §6.2.1 D ii: the rest of that rule is WindowAllows.
  peer_.a_rwnd = sack.a_rwnd;
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
  const LossDetector::Sample sample =
      losses_.HandleAcknowledged(now, {.newest = result.newest_transmission,
                                       .newest_was_repeated = result.newest_was_repeated,
                                       .out_of_order = result.out_of_order,
                                       .cut_short = outstanding_.is_sack_cut_short(),
                                       .octets = result.octets_acknowledged});
  const Losses losses = FindLosses(now, {.chunks = result.newly_lost, .octets = result.octets_lost});
  AckSample ack = SampleNow(now, losses);
  ack.octets_acknowledged = result.octets_acknowledged;
  ack.rtt = sample.rtt;
  ack.delivered = sample.delivered;
  ack.prior_delivered = sample.prior_delivered;
  ack.octets_per_second = sample.octets_per_second;
  ack.app_limited = sample.app_limited;
  // RFC 9260 §7.2.4, note: growth comes before the adjustment for losses.
  congestion_.HandleAck(ack);
  ReportLosses(losses);
  UpdateProbe(now);
  UpdateForwardTsn(now);
  if (outstanding_.empty()) {
    // RFC 9260 §6.3.2 R2.
    t3_.at = Timestamp::Never();
  } else if (result.cumulative_advanced || t3_.at == Timestamp::Never()) {
    // RFC 9260 §6.3.2 R3, R4.
    t3_.at = now + rto_.rto();
  }
  if (progress) permission_.only_one_packet = false;
  // What was acknowledged may be replaced; Max.Burst bounds what goes out beyond that (RFC 9260 §6.1 D). Several SACKs
  // may arrive before the owner polls, and each of them is an opportunity.
  permission_.burst += (result.octets_acknowledged + limits_.max_chunk - 1) / limits_.max_chunk + limits_.max_burst;
  if (progress) ArmTailProbe(now);
  PublishMetrics();
  return {SackVerdict::kValid, progress, result.largest_acknowledged > limits_.large_chunk};
}

AckSample RetransmissionQueue::SampleNow(Timestamp now, const Losses& losses) const {
  AckSample sample;
  sample.window_was_full = permission_.window_was_full;
  sample.cumulative_tsn = UnwrappedTsn(outstanding_.first_tsn().DistanceFrom(UnwrappedTsn(1)));
  sample.all_acknowledged = outstanding_.empty();
  sample.now = now;
  sample.octets_lost = losses.octets;
  sample.flight = outstanding_.flight_octets();
  sample.min_rtt = losses_.min_rtt();
  sample.delivered = losses_.delivered();
  return sample;
}

RetransmissionQueue::Losses RetransmissionQueue::FindLosses(Timestamp now, Losses losses) {
  if (!limits_.rack_tlp) return losses;
  // Besides those by miss indications, those by time (RFC 8985 §6.2 step 5).
  const auto is_in_flight = [this](UnwrappedTsn tsn, uint32_t number) { return outstanding_.IsInFlight(tsn, number); };
  while (const auto tsn = losses_.NextLost(now, is_in_flight)) {
    ++losses.chunks;
    const OutstandingData::Chunk& chunk = outstanding_.at(*tsn);
    losses.octets += chunk.size();
    if (chunk.transmissions > 1 && chunk.size() > limits_.large_chunk) ++metrics_.large_repetitions_lost;
    outstanding_.MarkLost(now, *tsn);
  }
  return losses;
}

void RetransmissionQueue::ReportLosses(const Losses& losses) {
  if (losses.chunks == 0) return;
  if (!congestion_.in_fast_recovery()) {
    // RFC 9260 §7.2.4 item 3.
    permission_.fast_retransmit = true;
    ++metrics_.fast_retransmits;
  }
  congestion_.HandleLoss(UnwrappedTsn(outstanding_.next_tsn().DistanceFrom(UnwrappedTsn(1))));
}

void RetransmissionQueue::HandleLossDeadlines(Timestamp now) {
  if (const Losses losses = FindLosses(now, {}); losses.chunks > 0) {
    congestion_.HandleAck(SampleNow(now, losses));
    ReportLosses(losses);
  }
  UpdateForwardTsn(now);
  if (!losses_.TakeProbe(now)) return;
  // RFC 8985 §7.3: new data where there is any, else what was sent last, once more.
  ++metrics_.tail_probes;
  permission_.tail_probe = true;
  if (messages_.Front(now, peer_.reliability) && outstanding_.flight_payload() + limits_.max_chunk <= peer_.a_rwnd)
    return;
  if (const auto last = outstanding_.LastRepeatable(now)) outstanding_.MarkLost(now, *last);
}

void RetransmissionQueue::ArmTailProbe(Timestamp now) {
  if (!limits_.rack_tlp) return;
  losses_.ArmProbe(now,
                   {.in_recovery = congestion_.in_fast_recovery() || permission_.only_one_packet,
                    .one_packet = outstanding_.flight_octets() <= limits_.max_chunk,
                    .empty = outstanding_.flight_octets() == 0},
                   rto_.srtt());
}

Timestamp RetransmissionQueue::NextTimeout() const {
  const Timestamp next = std::min(t3_.at, losses_.NextTimeout());
  return permission_.paced ? std::min(next, pacer_.NextTimeout()) : next;
}

void RetransmissionQueue::UpdateRoundTrip(Timestamp now) {
  if (!t3_.timed || !outstanding_.IsAcknowledged(t3_.timed->tsn)) return;
  rto_.Measure(now - t3_.timed->sent_at);
  t3_.timed.reset();
}

void RetransmissionQueue::SetPacketSize(size_t packet, size_t large) {
  limits_.max_chunk = MaxChunk(packet);
  limits_.large_chunk = large - std::min(large, kCommonHeaderSize);
  congestion_.SetPmdcs(limits_.max_chunk);
}

void RetransmissionQueue::ResetCongestion() {
  congestion_ = CongestionControl(limits_.algorithm, {.pmdcs = limits_.max_chunk,
                                                      .initial_cwnd = limits_.initial_packets * limits_.max_chunk,
                                                      .initial_ssthresh = peer_.a_rwnd});
  pacer_.Reset();
  PublishMetrics();
}

size_t RetransmissionQueue::OversizedRepetition(Timestamp now) {
  const auto lost = NextLost(now);
  const size_t size = lost ? outstanding_.at(*lost).size() : 0;
  return size > limits_.max_chunk ? size : 0;
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
  if (peer_.a_rwnd < outstanding_.at(*probe_.tsn).length) return;
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
  if (losses_.NextTimeout() <= now) HandleLossDeadlines(now);
  if (t3_.at > now) return Expiry::kNone;
  t3_.at = Timestamp::Never();
  AllowBurst();
  rto_.BackOff();
  t3_.timed.reset();
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
  losses_.Reset();
  pacer_.Reset();
  permission_.tail_probe = false;
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
  // What no SACK had room to report has left the network, by all that is known, but is sent again only when it is known
  // to be missing: each round trip reveals more, while anything is in flight.
  if (lost && !outstanding_.IsReported(*lost) && outstanding_.flight_octets() > 0) return std::nullopt;
  return lost;
}

bool RetransmissionQueue::BeginPacket(Timestamp now) {
  packet_ = {};
  if (permission_.fast_retransmit && NextLost(now)) {
    packet_.only_lost = outstanding_.flight_octets() >= congestion_.cwnd();
    return true;
  }
  permission_.fast_retransmit = false;
  permission_.paced = false;
  if (permission_.only_one_packet && outstanding_.flight_octets() > 0) return false;
  const bool has_lost = NextLost(now).has_value();
  if (permission_.tail_probe && (has_lost || messages_.Front(now, peer_.reliability))) return true;
  if (!has_lost && !MaySendNew(now)) return false;
  // RFC 9260 §6.1 B: a flight below cwnd may exceed it by the rest of one packet.
  if (outstanding_.flight_octets() >= congestion_.cwnd()) return false;
  permission_.paced = !pacer_.MaySend(now);
  return !permission_.paced;
}

bool RetransmissionQueue::MaySendNew(Timestamp now) {
  // RFC 9260 §6.1 D: Max.Burst, until a round trip is known; then packets are paced.
  if (!IsPaced() && permission_.burst == 0) return false;
  if (!messages_.Front(now, peer_.reliability)) {
    // An opportunity that is not used is gone, except for the first flight.
    if (last_sent_ != Timestamp::Never()) permission_.burst = 0;
    const bool has_room = outstanding_.flight_octets() + limits_.max_chunk <= congestion_.cwnd();
    if (IsPaced() && has_room) permission_.window_was_full = false;
    return false;
  }
  DecayWhenIdle(now);
  return true;
}

void RetransmissionQueue::DecayWhenIdle(Timestamp now) {
  if (!outstanding_.empty() || last_sent_ == Timestamp::Never()) return;
  congestion_.HandleIdle(now - last_sent_, rto_.rto());
  last_sent_ = now;
}

std::optional<DataChunk> RetransmissionQueue::NextChunk(Timestamp now, size_t room) {
  if (room <= limits_.chunk_header) return std::nullopt;
  // RFC 9260 §6.1 C: what is lost goes before what is new.
  if (const auto lost = NextLost(now)) {
    if (outstanding_.at(*lost).size() > room) return std::nullopt;
    const size_t flight = outstanding_.flight_octets();
    outstanding_.MarkRetransmitted(*lost);
    NoteSent(now, *lost, flight);
    // RFC 9260 §6.3.1 C5.
    if (t3_.timed && *lost <= t3_.timed->tsn) t3_.timed.reset();
    packet_.has_chunk = true;
    packet_.has_lowest = packet_.has_lowest || *lost == outstanding_.first_tsn();
    ++metrics_.retransmitted_chunks;
    return Compose(*lost);
  }
  if (packet_.only_lost || (!IsPaced() && permission_.burst == 0)) return std::nullopt;
  return NextNewChunk(now, room);
}

std::optional<DataChunk> RetransmissionQueue::NextNewChunk(Timestamp now, size_t room) {
  while (const auto handle = messages_.Front(now, peer_.reliability)) {
    const OutgoingMessage& message = messages_.message(*handle);
    // RFC 3758 §4.1, for a message that has begun; Front drops those that have not.
    if (peer_.reliability == Reliability::kPartial && message.expires_at <= now) {
      outstanding_.AbandonMessage(*handle);
      UpdateForwardTsn(now);
      continue;
    }
    const size_t length = NextFragmentLength(message.size() - message.fragmented, room - limits_.chunk_header,
                                             limits_.max_chunk - limits_.chunk_header);
    if (length == 0 || !WindowAllows(now, length)) return std::nullopt;
    const size_t flight = outstanding_.flight_octets();
    const Fragment fragment = messages_.Take(length);
    const UnwrappedTsn tsn = outstanding_.Add(fragment);
    NoteSent(now, tsn, flight);
    if (!t3_.timed) t3_.timed = Timed{tsn, now};
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

void RetransmissionQueue::NoteSent(Timestamp now, UnwrappedTsn tsn, size_t flight_before) {
  packet_.octets += outstanding_.at(tsn).size();
  if (!limits_.rack_tlp) return;
  const auto supply = messages_.empty() ? LossDetector::Supply::kRunDry : LossDetector::Supply::kMoreWaits;
  outstanding_.NoteTransmission(tsn, losses_.HandleSent(now, tsn, flight_before, supply));
}

bool RetransmissionQueue::WindowAllows(Timestamp now, size_t length) {
  // RFC 9260 §6.2.1 B, C, D: the peer's window is what it advertised, less what is in flight.
  if (outstanding_.flight_payload() + length <= peer_.a_rwnd) {
    probe_.allowed = false;
    return true;
  }
  if (IsPaced()) permission_.window_was_full = false;
  if (!outstanding_.empty()) return false;
  // RFC 9260 §6.1 A: a probe "SHOULD only be sent when all outstanding DATA chunks have been cumulatively
  // acknowledged".
  if (probe_.allowed) return true;
  if (t3_.at == Timestamp::Never()) t3_.at = now + rto_.rto();
  return false;
}

void RetransmissionQueue::EndPacket(Timestamp now) {
  if (!packet_.has_chunk) return;
  permission_.fast_retransmit = permission_.tail_probe = false;
  if (packet_.has_new && permission_.burst > 0) --permission_.burst;
  last_sent_ = now;
  NoteWindow();
  pacer_.HandleSent(now, packet_.octets, IsPaced() ? congestion_.pacing_rate(rto_.srtt()) : 0);
  ArmTailProbe(now);
  // RFC 9260 §6.3.2 R1, RFC 9260 §6.1: restarted when the earliest outstanding TSN is sent again.
  if (t3_.at == Timestamp::Never() || packet_.has_lowest) t3_.at = now + rto_.rto();
  PublishMetrics();
}

void RetransmissionQueue::NoteWindow() {
  const bool is_full = outstanding_.flight_octets() + limits_.max_chunk > congestion_.cwnd();
  // A paced sender reaches its window only at the end of each round trip, and is limited by it all the time, unless the
  // application runs dry or the peer's window closes.
  permission_.window_was_full = is_full || (IsPaced() && permission_.window_was_full);
}

std::optional<ForwardTsnChunk> RetransmissionQueue::TakeForwardTsn(Timestamp now, size_t room) {
  if (!forward_.due || room < ForwardTsnChunk::kHeaderSize + ForwardTsnChunk::kItemSize) return std::nullopt;
  const ForwardTsnChunk chunk = outstanding_.BuildForwardTsn(room);
  NoteForwardTsn(now);
  return chunk;
}

std::optional<IForwardTsnChunk> RetransmissionQueue::TakeIForwardTsn(Timestamp now, size_t room) {
  if (!forward_.due || room < IForwardTsnChunk::kHeaderSize + IForwardTsnChunk::kItemSize) return std::nullopt;
  const IForwardTsnChunk chunk = outstanding_.BuildIForwardTsn(room);
  NoteForwardTsn(now);
  return chunk;
}

void RetransmissionQueue::NoteForwardTsn(Timestamp now) {
  forward_ = {.due = false, .sent_point = outstanding_.peer_ack_point(), .sent_at = now};
  // RFC 3758 §3.5 C5.
  if (t3_.at == Timestamp::Never()) t3_.at = now + rto_.rto();
}

DataChunk RetransmissionQueue::Compose(UnwrappedTsn tsn) const {
  const OutstandingData::Chunk& chunk = outstanding_.at(tsn);
  const OutgoingMessage& message = messages_.message(chunk.message);
  return {.tsn = tsn.Wrap(),
          .stream = message.message.stream,
          .ssn = message.unordered ? Ssn(0) : message.ssn(),
          .ppid = message.message.ppid,
          .mid = message.mid,
          .fsn = chunk.fsn,
          .unordered = message.unordered,
          .beginning = chunk.begins,
          .end = chunk.ends,
          .payload = std::span(message.message.payload).subspan(chunk.offset, chunk.length)};
}

void RetransmissionQueue::PublishMetrics() {
  metrics_.cwnd = congestion_.cwnd();
  metrics_.ssthresh = congestion_.ssthresh();
  metrics_.outstanding_bytes = outstanding_.flight_payload();
  metrics_.peer_rwnd = peer_.a_rwnd > outstanding_.flight_payload() ? peer_.a_rwnd - outstanding_.flight_payload() : 0;
  metrics_.srtt_us = static_cast<uint64_t>(rto_.srtt().count());
  metrics_.rto_us = static_cast<uint64_t>(rto_.rto().count());
}

}  // namespace jsp::sctp
