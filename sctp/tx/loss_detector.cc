#include "sctp/tx/loss_detector.h"

#include <algorithm>
namespace jsp::sctp {
namespace {

// RFC 8985 §7.2: "TLP_max_ack_delay": what a receiver may wait with a single packet (RFC 9260 §6.2: 200 ms).
constexpr Duration kPeerAckDelay = std::chrono::milliseconds(200);
constexpr Duration kMinProbeTimeout = std::chrono::milliseconds(10);
constexpr int kWideRecoveries = 16;  // RFC 8985 §6.2 step 4
constexpr Duration kMinRttWindow = std::chrono::seconds(10);

}  // namespace

uint32_t LossDetector::HandleSent(Timestamp now, UnwrappedTsn tsn, size_t flight_before, Supply supply) {
  // The first packet after a silence starts a new measurement.
  if (flight_before == 0 || first_sent_at_ == Timestamp::Never()) first_sent_at_ = delivered_at_ = now;
  return log_.Add({.tsn = tsn,
                   .sent_at = now,
                   .first_sent_at = first_sent_at_,
                   .delivered_at = delivered_at_,
                   .delivered = delivered_,
                   .app_limited = supply == Supply::kRunDry});
}

LossDetector::Sample LossDetector::HandleAcknowledged(Timestamp now, const Acknowledged& acknowledged) {
  Sample sample;
  if (acknowledged.out_of_order) reordering_.seen = true;
  if (acknowledged.octets > 0) {
    delivered_ += acknowledged.octets;
    delivered_at_ = now;
  }
  sample.delivered = delivered_;
  if (acknowledged.cut_short) rate_known_from_ = log_.next_number();
  if (!acknowledged.newest) return sample;
  probe_sent_ = false;
  const TransmissionLog::Record* record = log_.Find(*acknowledged.newest);
  if (record == nullptr) return sample;
  const Duration rtt = now - record->sent_at;
  // RFC 8985 §6.2 step 2: an acknowledgement that comes sooner than a round trip after a repetition belongs to the
  // transmission before.
  const bool is_ambiguous = acknowledged.newest_was_repeated && rtt < min_rtt_;
  if (is_ambiguous) return sample;
  if (!latest_ || IsBefore(latest_->number, *acknowledged.newest)) latest_ = Latest{*acknowledged.newest, rtt};
  if (!acknowledged.newest_was_repeated) {
    sample.rtt = rtt;
    MeasureMinRtt(now, rtt);
  }
  sample.prior_delivered = record->delivered;
  sample.app_limited = record->app_limited;
  if (!IsBefore(*acknowledged.newest, rate_known_from_)) MeasureRate(now, *record, sample);
  first_sent_at_ = record->sent_at;
  return sample;
}

void LossDetector::MeasureRate(Timestamp now, const TransmissionLog::Record& record, Sample& sample) const {
  // The slower of sending and acknowledging is what the path can do; an interval below the round trip means nothing.
  const Duration interval = std::max(record.sent_at - record.first_sent_at, now - record.delivered_at);
  if (interval <= Duration::zero() || interval < min_rtt_) return;
  sample.octets_per_second = (delivered_ - record.delivered) * 1'000'000 / static_cast<uint64_t>(interval.count());
}

void LossDetector::MeasureMinRtt(Timestamp now, Duration rtt) {
  rtt = std::max(rtt, Duration(1));
  const bool first = min_rtt_ == Duration::zero();
  if (first || rtt <= min_rtt_) min_rtt_ = rtt;
  next_min_rtt_ = next_min_rtt_ == Duration::zero() ? rtt : std::min(next_min_rtt_, rtt);
  if (first || min_rtt_since_ == Timestamp::Never()) min_rtt_since_ = now;
  if (now - min_rtt_since_ < kMinRttWindow) return;
  min_rtt_ = next_min_rtt_;
  next_min_rtt_ = rtt;
  min_rtt_since_ = now;
}

Duration LossDetector::ReorderWindow() const {
  // RFC 8985 §6.2 step 4: nothing while no reordering was seen would be allowed in recovery; a quarter of the smallest
  // round trip costs little and forgives a jittery path. More where repetitions were needless, up to a round trip.
  const Duration window = min_rtt_ / 4 * reordering_.quarters;
  return latest_ ? std::min(window, std::max(latest_->rtt, min_rtt_ / 4)) : window;
}

void LossDetector::ArmProbe(Timestamp now, const Tail& tail, Duration srtt) {
  probe_at_ = Timestamp::Never();
  // RFC 8985 §7.2: not in recovery, one probe per tail, and only with a measured round trip.
  if (tail.empty || tail.in_recovery || probe_sent_ || srtt == Duration::zero()) return;
  probe_at_ = now + std::max(2 * srtt + (tail.one_packet ? kPeerAckDelay : Duration::zero()), kMinProbeTimeout);
}

bool LossDetector::TakeProbe(Timestamp now) {
  if (probe_at_ > now) return false;
  probe_at_ = Timestamp::Never();
  probe_sent_ = true;
  return true;
}

void LossDetector::HandleTimeout() {
  expired_before_ = log_.next_number();
  latest_.reset();
  reorder_deadline_ = probe_at_ = Timestamp::Never();
  probe_sent_ = false;
}

void LossDetector::Settle() {
  while (!log_.empty() && IsBefore(log_.front_number(), expired_before_)) log_.PopFront();
}

void LossDetector::HandleRecovery() {
  if (reordering_.recoveries_left > 0 && --reordering_.recoveries_left == 0) reordering_.quarters = 1;
}

void LossDetector::HandleSpuriousRecovery(Timestamp now) {
  reordering_.seen = true;
  reordering_.recoveries_left = kWideRecoveries;
  // RFC 8985 §6.2 step 4: once a round trip.
  const bool is_new_round = reordering_.widened_at == Timestamp::Never() || now - reordering_.widened_at >= min_rtt_;
  if (!is_new_round) return;
  ++reordering_.quarters;
  reordering_.widened_at = now;
}

}  // namespace jsp::sctp
