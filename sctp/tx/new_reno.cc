#include "sctp/tx/new_reno.h"

#include <algorithm>

namespace jsp::sctp {

NewReno::NewReno(size_t pmdcs, size_t initial_cwnd, size_t initial_ssthresh)
    : pmdcs_(pmdcs), cwnd_(initial_cwnd), ssthresh_(std::max(initial_ssthresh, initial_cwnd)) {}

void NewReno::HandleAck(const AckSample& ack) {
  // The window grows only while it is the limit, and not in Fast Recovery (RFC 9260 §7.2.1, §7.2.2).
  if (!in_fast_recovery() && ack.octets_acknowledged > 0) {
    if (cwnd_ <= ssthresh_) {
      SlowStart(ack);
    } else {
      AvoidCongestion(ack);
    }
  }
  // RFC 9260 §7.2.2: "When all of the data transmitted by the sender has been acknowledged by the receiver,
  // partial_bytes_acked is initialized to 0."
  if (ack.all_acknowledged) partial_bytes_acked_ = 0;
  // RFC 9260 §7.2.4 item 6: everything up to the exit point is acknowledged.
  if (recovery_exit_ && ack.cumulative_tsn >= *recovery_exit_) recovery_exit_.reset();
}

void NewReno::HandleLoss(UnwrappedTsn highest_outstanding) {
  // RFC 9260 §7.2.4 item 6: one reduction per episode.
  if (in_fast_recovery()) return;
  recovery_exit_ = highest_outstanding;
  // RFC 9260 §7.2.3.
  ssthresh_ = std::max(cwnd_ / 2, Floor());
  cwnd_ = ssthresh_;
  partial_bytes_acked_ = 0;
}

void NewReno::HandleCongestionExperienced(UnwrappedTsn highest_outstanding) {
  // RFC 3168 §6.1.2. After a timeout the window is below what a reduction leaves.
  const size_t before = cwnd_;
  HandleLoss(highest_outstanding);
  cwnd_ = std::min(cwnd_, before);
}

void NewReno::HandleTimeout() {
  // RFC 9260 §7.2.3, §6.3.3 E1. A second expiry in a row keeps the threshold at its floor, not below.
  ssthresh_ = std::max(cwnd_ / 2, Floor());
  cwnd_ = pmdcs_;
  partial_bytes_acked_ = 0;
  l_ = kLAfterTimeout;
  recovery_exit_.reset();
}

void NewReno::HandleIdle(Duration idle, Duration rto) {
  // RFC 9260 §7.2.1: "the cwnd of the transport address SHOULD be adjusted to max(cwnd / 2, 4 * PMDCS) once per RTO.
  // Before the first cwnd adjustment, the ssthresh of the transport address SHOULD be set to the cwnd."
  if (rto <= Duration::zero() || idle < rto || cwnd_ <= Floor()) return;
  ssthresh_ = cwnd_;
  for (auto periods = idle / rto; periods > 0 && cwnd_ > Floor(); --periods) cwnd_ = std::max(cwnd_ / 2, Floor());
  partial_bytes_acked_ = 0;
}

void NewReno::SlowStart(const AckSample& ack) {
  if (!ack.window_was_full) return;
  cwnd_ += std::min(ack.octets_acknowledged, l_ * pmdcs_);
  if (cwnd_ > ssthresh_) l_ = kL;
}

void NewReno::AvoidCongestion(const AckSample& ack) {
  partial_bytes_acked_ += ack.octets_acknowledged;
  if (partial_bytes_acked_ < cwnd_) return;
  if (!ack.window_was_full) {
    partial_bytes_acked_ = cwnd_;
    return;
  }
  // RFC 9260 §7.2.2: "MUST NOT increment cwnd by more than PMDCS per RTT": one window's worth was acknowledged.
  partial_bytes_acked_ -= cwnd_;
  cwnd_ += pmdcs_;
}

void NewReno::Undo(const NewReno& before) {
  recovery_exit_.reset();
  if (cwnd_ >= before.cwnd_) return;
  cwnd_ = before.cwnd_;
  ssthresh_ = before.ssthresh_;
  partial_bytes_acked_ = before.partial_bytes_acked_;
  l_ = before.l_;
}

}  // namespace jsp::sctp
