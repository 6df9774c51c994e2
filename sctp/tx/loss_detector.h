#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "sctp/tx/transmission_log.h"
#include "sctp/types.h"
namespace jsp::sctp {

// Loss detection by time, RFC 8985 (RACK-TLP) applied to TSNs: what left sufficiently long before something that has
// been acknowledged is lost, be it a first transmission or a repetition; and a tail that nothing follows is probed
// after two round trips. Besides the miss indications of RFC 9260 §7.2.4, which see first transmissions only. Owns the
// log of transmissions and two deadlines; knows no chunk state: RetransmissionQueue asks and tells. O(1) amortised per
// transmission.
class LossDetector {
 public:
  // What the newest transmission that a SACK acknowledged says about the path.
  struct Sample {
    std::optional<Duration> rtt;     // absent where a repetition makes it ambiguous
    uint64_t delivered = 0;          // octets acknowledged so far, this SACK included
    uint64_t prior_delivered = 0;    // when that transmission left
    uint64_t octets_per_second = 0;  // delivery rate; 0: unknown
    bool app_limited = false;        // it left while there was nothing more to send
  };
  struct Acknowledged {
    std::optional<uint32_t> newest = std::nullopt;  // transmission
    bool newest_was_repeated = false;
    bool out_of_order = false;  // a first transmission below one that was acknowledged before
    bool cut_short = false;     // the SACK had no room for all gaps: later ones will tell what arrived long ago
    size_t octets = 0;
  };

  // A chunk left. `has_more`: further data waits behind it.
  enum class Supply : uint8_t { kMoreWaits, kRunDry };
  uint32_t HandleSent(Timestamp now, UnwrappedTsn tsn, size_t flight_before, Supply supply);
  Sample HandleAcknowledged(Timestamp now, const Acknowledged& acknowledged);

  // The next transmission that is lost by now; call until nullopt. `is_in_flight(tsn, number)`: that transmission is
  // the chunk's latest and unanswered. Sets the deadline of what may be lost soon.
  template <class IsInFlight>
  std::optional<UnwrappedTsn> NextLost(Timestamp now, IsInFlight&& is_in_flight) {
    reorder_deadline_ = Timestamp::Never();
    while (!log_.empty()) {
      const TransmissionLog::Record& record = log_.front();
      const uint32_t number = log_.front_number();
      if (!is_in_flight(record.tsn, number)) {
        log_.PopFront();
        continue;
      }
      if (!latest_ || !IsBefore(number, latest_->number)) return std::nullopt;
      const Timestamp lost_at = record.sent_at + latest_->rtt + ReorderWindow();
      if (lost_at > now) {
        reorder_deadline_ = lost_at;
        return std::nullopt;
      }
      const UnwrappedTsn tsn = record.tsn;
      log_.PopFront();
      return tsn;
    }
    return std::nullopt;
  }

  // Tail loss probe (RFC 8985 §7.2): armed again whenever data leaves or is acknowledged, while `flight` is not empty.
  struct Tail {
    bool in_recovery = false;
    bool one_packet = false;  // in flight: the peer may delay its acknowledgement
    bool empty = false;
  };
  void ArmProbe(Timestamp now, const Tail& tail, Duration srtt);
  // True once, when the probe is due: one packet may go out. Another follows only after an acknowledgement.
  bool TakeProbe(Timestamp now);

  Timestamp NextTimeout() const { return reorder_deadline_ < probe_at_ ? reorder_deadline_ : probe_at_; }
  // T3-rtx expired: everything is lost, unless Settle is not called because that turns out to be wrong.
  void HandleTimeout();
  // Forgets what left before the last HandleTimeout.
  void Settle();
  // Fast recovery begins; what it repeated had arrived, so the window for reordering was too small (RFC 8985 §6.2 step
  // 4).
  void HandleRecovery();
  void HandleSpuriousRecovery(Timestamp now);
  // The smallest round trip of the last 10 to 20 seconds; zero before the first.
  Duration min_rtt() const { return min_rtt_; }
  void Trim() { log_.Trim(); }
  bool has_seen_reordering() const { return reordering_.seen; }
  uint64_t delivered() const { return delivered_; }

 private:
  struct Latest {
    uint32_t number;
    Duration rtt;
  };
  // RFC 8985 §6.2 step 4: a window of so many quarters of the round trip, for so many recoveries.
  struct Reordering {
    bool seen = false;
    int quarters = 1;
    int recoveries_left = 0;
    Timestamp widened_at;
  };
  void MeasureRate(Timestamp now, const TransmissionLog::Record& record, Sample& sample) const;
  static bool IsBefore(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }
  Duration ReorderWindow() const;
  void MeasureMinRtt(Timestamp now, Duration rtt);

  TransmissionLog log_;
  std::optional<Latest> latest_;  // RACK.xmit_ts and RACK.rtt, RFC 8985 §5.2
  Timestamp reorder_deadline_;
  Timestamp probe_at_;
  bool probe_sent_ = false;
  Reordering reordering_;
  uint32_t expired_before_ = 0;   // the first transmission after the last timeout
  uint32_t rate_known_from_ = 0;  // what left before was, in part, acknowledged late
  Duration min_rtt_{};
  Duration next_min_rtt_{};  // of the window that has begun
  Timestamp min_rtt_since_;
  uint64_t delivered_ = 0;
  Timestamp delivered_at_;
  Timestamp first_sent_at_;
};

}  // namespace jsp::sctp
