#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "sctp/tx/congestion_controller.h"
namespace jsp::sctp {

// Keeps our own bulk from filling the queue of the path's bottleneck while small messages of other streams wait behind
// it there: bounds what is in flight by the measured rate times the round trip without a queue, and a few
// milliseconds. It stands beside the congestion controller, whose window remains the upper bound (RFC 9260 §6.1 B), so
// a sender is never more aggressive for it.
//
// The round trip without a queue is measured by a drain: for about two round trips less is in flight than the path
// itself holds. A round trip that stays long then is not of our making: others fill the queue, or the path became
// longer. Who limited itself would leave the path to them, so the limit is lifted, and tried again later. So it is when
// the rate fell and a little more in flight brings it back: that is taken from others, or they took it.
// RetransmissionQueue owns it and tells it each SACK. O(1).
class QueueLimiter {
 public:
  // What the sender did between two SACKs.
  struct Use {
    Timestamp last_thin;       // when a small message last overtook bulk; Never: not yet
    bool is_starting = false;  // the congestion window is in slow start
  };
  // `pmdcs` as of the controllers.
  explicit QueueLimiter(size_t pmdcs) : pmdcs_(pmdcs) {}

  void HandleAck(const AckSample& ack, const Use& use);
  // The limit, not the congestion window, held back data.
  void HandleHeldBack() { round_.held_back = true; }
  void SetPmdcs(size_t pmdcs) { pmdcs_ = pmdcs; }

  // Octets that may be in flight; SIZE_MAX: as many as the controller wants.
  size_t limit() const { return limit_; }
  // Octets a second; UINT64_MAX: as fast as the controller wants. A drain leaves no gap behind that what follows would
  // fill at once, and the path is filled again slowly enough that it does not overshoot.
  uint64_t pacing_rate() const;

 private:
  enum class Phase : uint8_t {
    kOpen,      // nobody waits, or there is no queue
    kDraining,  // measuring the round trip without our queue
    kHolding,
    kPushing,   // is the rate lower because others take it?
    kYielding,  // to others in the queue, or to a longer path
  };
  // Counted by delivered octets, as in ModelBased.
  struct Round {
    uint64_t end = 0;
    uint64_t count = 0;
    Duration min_rtt = Duration::max();
    bool started = false;
    bool held_back = false;
  };
  // The largest delivery rate of the current and the previous few rounds.
  struct Rate {
    std::array<uint64_t, 2> maxima{};
    uint64_t window_start = 0;  // round
    uint64_t Get() const { return maxima[0] > maxima[1] ? maxima[0] : maxima[1]; }
  };
  // The round trip without a queue, as far as known; zero: unknown.
  struct Base {
    Duration rtt{};
    Timestamp seen_at;  // when it was last that short
  };
  struct Drain {
    double gain = 0;  // of what the path holds
    Duration rtt_before{};
    uint64_t sent_from = 0;  // what left when this much was delivered found no queue of ours; 0: not there yet
    uint64_t round_end = 0;
    Duration min_rtt = Duration::max();
  };
  struct Hold {
    int rounds_long = 0;
    int rounds_short = 0;
    uint64_t best_rate = 0;
  };
  struct Push {
    uint64_t rate = 0;  // before
    int rounds = 0;
  };
  struct Yield {
    Timestamp until;
    Duration next{};
  };

  void UpdateRound(const AckSample& ack);
  void UpdateRate(const AckSample& ack);
  void UpdateBase(const AckSample& ack);
  void HandleOpen(const AckSample& ack, const Use& use);
  void HandleDraining(const AckSample& ack);
  void HandleHolding(const AckSample& ack, const Round& last);
  void HandlePushing(Timestamp now);
  void FinishDrain(Timestamp now);
  void StartHolding();
  void StartDrain(double gain);
  void StartYielding(Timestamp now);
  void UpdateLimit();
  size_t PathHolds(Duration rtt) const;
  Duration SendingTime(size_t packets) const;
  Duration Allowance() const;
  Duration Margin() const;

  size_t pmdcs_;
  size_t limit_ = SIZE_MAX;
  Phase phase_ = Phase::kOpen;
  Round round_;
  Rate rate_;
  Base base_;
  Drain drain_;
  Hold hold_;
  Push push_;
  Yield yield_;
  int long_samples_ = 0;
};

}  // namespace jsp::sctp
