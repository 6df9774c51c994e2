// What arrives at RetransmissionQueue: SACKs and time. What leaves it is in retransmission_queue.cc.
#include <algorithm>
#include <utility>

#include "sctp/tx/retransmission_queue.h"
namespace jsp::sctp {

OutstandingData::RecoveryPhase RetransmissionQueue::Phase() const {
  using enum OutstandingData::RecoveryPhase;
  if (limits_.rack_tlp && losses_.has_seen_reordering()) return kReordering;
  return congestion_.is_repairing() ? kFastRecovery : kNone;
}

RetransmissionQueue::SackOutcome RetransmissionQueue::HandleSack(Timestamp now, const SackChunk& sack) {
  // The whole SACK is judged before any of it is believed.
  const SackVerdict verdict = outstanding_.Validate(sack);
  if (verdict != SackVerdict::kValid) return {verdict};
  const auto result = outstanding_.Apply(now, sack, Phase());
  // RFC 9260 §6.2.1 D ii: the rest of that rule is WindowAllows.
  peer_.a_rwnd = sack.a_rwnd;
  probe_.answered = true;
  return HandleAcknowledgement(now, sack, result);
}

RetransmissionQueue::SackOutcome RetransmissionQueue::HandleCumulativeAck(Timestamp now, Tsn cumulative_tsn_ack) {
  SackChunk sack;
  sack.cumulative_tsn_ack = cumulative_tsn_ack;
  const SackVerdict verdict = outstanding_.Validate(sack);
  if (verdict != SackVerdict::kValid) return {verdict};
  return HandleAcknowledgement(now, sack, outstanding_.ApplyCumulative(cumulative_tsn_ack));
}

RetransmissionQueue::SackOutcome RetransmissionQueue::HandleAcknowledgement(Timestamp now, const SackChunk& sack,
                                                                            const OutstandingData::AckResult& result) {
  const bool progress = result.cumulative_advanced || result.octets_acknowledged > 0;
  MaybeUndo(now, sack, result);
  UpdateRoundTrip(now);
  const LossDetector::Sample sample =
      losses_.HandleAcknowledged(now, {.newest = result.newest_transmission,
                                       .newest_was_repeated = result.newest_was_repeated,
                                       .out_of_order = result.out_of_order,
                                       .cut_short = outstanding_.is_sack_cut_short(),
                                       .octets = result.octets_acknowledged});
  const Losses losses =
      FindLosses(now, {.chunks = result.newly_lost, .octets = result.octets_lost, .by_misses = result.newly_lost > 0});
  AckSample ack = SampleNow(now, losses);
  ack.octets_acknowledged = result.octets_acknowledged;
  ack.rtt = sample.rtt;
  ack.delivered = sample.delivered;
  ack.prior_delivered = sample.prior_delivered;
  ack.octets_per_second = sample.octets_per_second;
  ack.app_limited = sample.app_limited;
  // RFC 9260 §7.2.4, note: growth comes before the adjustment for losses.
  if (pace_.limiter) {
    pace_.limiter->HandleAck(
        ack, {.last_thin = messages_.last_overtaking(), .is_starting = congestion_.cwnd() < congestion_.ssthresh()});
  }
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
  if (progress) permission_.unpaced = 0;
  // What was acknowledged may be replaced; Max.Burst bounds what goes out beyond that (RFC 9260 §6.1 D). Several SACKs
  // may arrive before the owner polls, and each of them is an opportunity.
  permission_.burst += (result.octets_acknowledged + limits_.max_chunk - 1) / limits_.max_chunk + limits_.max_burst;
  if (progress) ArmTailProbe(now);
  PublishMetrics();
  return {SackVerdict::kValid, progress, result.largest_acknowledged > limits_.large_chunk};
}

void RetransmissionQueue::MaybeUndo(Timestamp now, const SackChunk& sack, const OutstandingData::AckResult& result) {
  const bool progress = result.cumulative_advanced || result.octets_acknowledged > 0;
  if (t3_.recovery_exit && outstanding_.first_tsn() > *t3_.recovery_exit) t3_.recovery_exit.reset();
  if (progress && spurious_.is_unanswered_timeout()) {
    if (t3_.suspended && outstanding_.IsAcknowledged(t3_.suspended->tsn)) {
      t3_.late_rtt = now - t3_.suspended->sent_at;
    }
    if (spurious_.HandleAnswer(now, result.cumulative_advanced, losses_.min_rtt())) {
      // Late, not lost; and so, by all that is known, is what followed it.
      outstanding_.RestorePresumedLost();
      if (!t3_.late_rtt) t3_.timed = t3_.suspended;
      return UndoReduction();
    }
    losses_.Settle();
  }
  // Of miss indications, a wider window would not have helped.
  const bool was_impatient = spurious_.cause() == SpuriousRecovery::Cause::kTime;
  if (!spurious_.HandleDuplicates(sack.duplicate_tsns, outstanding_.has_lost())) return;
  if (was_impatient) losses_.HandleSpuriousRecovery(now);
  UndoReduction();
}

void RetransmissionQueue::UndoReduction() {
  congestion_.Undo(spurious_.before());
  t3_.recovery_exit.reset();
  spurious_.Close();
  // The timer was too short: with what it did not wait for it is longer (RFC 9260 §6.3.1 C3).
  if (t3_.late_rtt) rto_.Measure(*t3_.late_rtt);
  t3_.late_rtt.reset();
  ++metrics_.spurious_recoveries;
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
  // RFC 6582 §3.2 step 4: what a timeout took for lost is one episode, for which the window was reduced already. SACKs
  // of what arrived before the timeout make its repetitions look missing.
  if (limits_.rack_tlp && t3_.recovery_exit) return;
  if (!congestion_.is_repairing()) {
    // RFC 9260 §7.2.4 item 3.
    permission_.fast_retransmit = true;
    ++metrics_.fast_retransmits;
    losses_.HandleRecovery();
    if (limits_.rack_tlp) {
      using enum SpuriousRecovery::Cause;
      spurious_.Begin(losses.by_misses ? kMisses : kTime, congestion_);
    }
  }
  congestion_.HandleLoss(HighestSent());
}

RetransmissionQueue::EchoOutcome RetransmissionQueue::HandleEcnEcho(Tsn lowest_tsn) {
  const UnwrappedTsn tsn = outstanding_.Lift(lowest_tsn);
  if (tsn > HighestSent()) return EchoOutcome::kNeverSent;
  if (congestion_.HasReducedSince(tsn)) return EchoOutcome::kKnown;
  if (congestion_.in_fast_recovery()) return EchoOutcome::kLater;
  // Marks are no guess, so nothing of this reduction may be undone with an earlier one.
  spurious_.Close();
  congestion_.HandleCongestionExperienced(HighestSent());
  PublishMetrics();
  return EchoOutcome::kReduced;
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
                   {.in_recovery = congestion_.is_repairing() || permission_.only_one_packet,
                    .one_packet = outstanding_.flight_octets() <= limits_.max_chunk,
                    .empty = outstanding_.flight_octets() == 0},
                   rto_.srtt());
}

Timestamp RetransmissionQueue::NextTimeout() const {
  const Timestamp next = std::min(t3_.at, losses_.NextTimeout());
  // With nothing left to send the pacer waits for nobody: an association that is ending does not ask again.
  return permission_.paced && !is_idle() ? std::min(next, pace_.pacer.NextTimeout()) : next;
}

void RetransmissionQueue::UpdateRoundTrip(Timestamp now) {
  if (!t3_.timed || !outstanding_.IsAcknowledged(t3_.timed->tsn)) return;
  rto_.Measure(now - t3_.timed->sent_at);
  t3_.timed.reset();
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

void RetransmissionQueue::AbandonOpenMessage(Timestamp now, StreamId stream) {
  const auto piece = messages_.CloseOpen(stream);
  if (!piece) return;
  outstanding_.AbandonMessage(*piece);
  UpdateForwardTsn(now);
  PublishMetrics();
}

bool RetransmissionQueue::MakeRoom(Timestamp now, size_t octets, const SendOptions& options) {
  if (octets <= messages_.room()) return true;
  if (peer_.reliability == Reliability::kFull) return false;
  // All or nothing: what would not help is not given up.
  const uint64_t floor = YieldingMessages::FloorFor(options);
  if (!messages_.yielding().CanFree(floor, octets - messages_.room())) return false;
  while (octets > messages_.room()) {
    const MessageHandle handle = *messages_.yielding().Next(floor);
    if (messages_.message(handle).fragmented == 0) {
      messages_.DropUnsent(handle);
    } else {
      outstanding_.AbandonMessage(handle);
    }
  }
  UpdateForwardTsn(now);
  PublishMetrics();
  return true;
}

void RetransmissionQueue::AllowBurst() { permission_.burst = std::max(permission_.burst, limits_.max_burst); }

RetransmissionQueue::Expiry RetransmissionQueue::HandleTimeout(Timestamp now) {
  if (losses_.NextTimeout() <= now) HandleLossDeadlines(now);
  if (t3_.at > now) return Expiry::kNone;
  t3_.at = Timestamp::Never();
  AllowBurst();
  rto_.BackOff();
  t3_.suspended = t3_.timed;
  t3_.late_rtt.reset();
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
  if (!is_probe) {
    // Amid losses that are known, a timeout is for them; whether it came too early does not matter then.
    const bool is_plain = limits_.rack_tlp && !outstanding_.has_gaps() && !outstanding_.has_lost();
    if (is_plain || spurious_.is_unanswered_timeout()) {
      spurious_.Begin(SpuriousRecovery::Cause::kTimeout, congestion_);
    } else {
      spurious_.Close();
    }
    congestion_.HandleTimeout();
    t3_.recovery_exit = UnwrappedTsn(outstanding_.next_tsn().DistanceFrom(UnwrappedTsn(1)));
    congestion_.IgnoreMarksUpTo(HighestSent());
  }
  outstanding_.MarkAllLost(now);
  losses_.HandleTimeout();
  if (!spurious_.is_unanswered_timeout()) losses_.Settle();
  pace_.pacer.Reset();
  permission_.tail_probe = false;
  permission_.fast_retransmit = false;
  permission_.only_one_packet = true;
  // RFC 3758 §3.5 A5: it is repeated here, too.
  forward_.due = outstanding_.AdvancePeerAckPoint();
  PublishMetrics();
  return is_probe ? Expiry::kWindowProbe : Expiry::kLoss;
}

}  // namespace jsp::sctp
