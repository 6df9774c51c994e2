#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "sctp/tx/congestion_controller.h"
#include "sctp/tx/hystart.h"
namespace jsp::sctp {

// A controller that sends at the rate it measures instead of probing for loss: it keeps a model of the path (its
// bottleneck's rate and its round trip) and paces at that rate, so that random loss costs no more than what is lost. In
// the manner of BBR; a share of losses that only a full queue explains bounds what is in flight. Rounds are counted by
// delivered octets. See CongestionController for who calls it.
class ModelBased {
 public:
  ModelBased(size_t pmdcs, size_t initial_cwnd);

  void HandleAck(const AckSample& ack);
  void HandleLoss(UnwrappedTsn highest_outstanding);
  void HandleCongestionExperienced(UnwrappedTsn highest_outstanding);
  void HandleTimeout();
  void HandleIdle(Duration idle, Duration rto);
  void Undo(const ModelBased& before);

  void SetPmdcs(size_t pmdcs) { pmdcs_ = pmdcs; }
  bool in_fast_recovery() const { return recovery_exit_.has_value(); }
  size_t cwnd() const { return cwnd_; }
  size_t ssthresh() const { return SIZE_MAX; }
  uint64_t pacing_rate(Duration srtt) const;

 private:
  enum class Phase : uint8_t { kStartup, kDrain, kProbeBandwidth, kProbeRtt };
  // Octets delivered and lost in the current round, and the rounds so far.
  struct Round {
    uint64_t end = 0;
    uint64_t count = 0;
    uint64_t cut_at = 0;  // the round in which losses last cut the bound
    size_t acknowledged = 0;
    size_t lost = 0;
    bool started = false;
    bool marked = false;  // a router reported a queue (RFC 3168 §5)
  };
  // The largest delivery rate of the current and the previous window of rounds.
  struct Bandwidth {
    std::array<uint64_t, 2> maxima{};
    uint64_t window_start = 0;  // round
    uint64_t Get() const { return std::max(maxima[0], maxima[1]); }
  };
  struct Startup {
    uint64_t full_bandwidth = 0;
    int rounds_without_growth = 0;
    HyStart hystart;
  };
  struct Cycle {
    size_t index = 0;
    Timestamp since;
  };
  struct RttProbe {
    Duration min{};
    Duration latest{};
    Timestamp measured_at;
    Timestamp done_at;
  };

  void UpdateRound(const AckSample& ack);
  void UpdateBandwidth(const AckSample& ack);
  void UpdateMinRtt(const AckSample& ack);
  void UpdateLossBound(const AckSample& ack);
  void UpdatePhase(const AckSample& ack);
  void AdvanceCycle(const AckSample& ack);
  void UpdateWindow(const AckSample& ack);
  size_t Bdp(double gain) const;
  double PacingGain() const;
  size_t Floor() const { return 4 * pmdcs_; }

  size_t pmdcs_;
  size_t initial_cwnd_;
  size_t cwnd_;
  Phase phase_ = Phase::kStartup;
  Round round_;
  Bandwidth bandwidth_;
  Startup startup_;
  Cycle cycle_;
  RttProbe rtt_;
  size_t inflight_bound_ = SIZE_MAX;  // what losses have shown to be too much
  Timestamp now_ = Timestamp::FromEpoch(Duration::zero());
  std::optional<UnwrappedTsn> recovery_exit_;
};
static_assert(CongestionController<ModelBased>);

}  // namespace jsp::sctp
