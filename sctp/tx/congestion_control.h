#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <variant>

#include "sctp/options.h"
#include "sctp/tx/congestion_controller.h"
#include "sctp/tx/cubic.h"
#include "sctp/tx/model_based.h"
#include "sctp/tx/new_reno.h"
namespace jsp::sctp {

// The controller that Options::congestion_control names. Owned by RetransmissionQueue.
class CongestionControl {
 public:
  struct Start {
    size_t pmdcs;
    size_t initial_cwnd;
    size_t initial_ssthresh;
  };
  CongestionControl(CongestionAlgorithm algorithm, const Start& start) : controller_(Make(algorithm, start)) {}

  void HandleAck(const AckSample& ack) {
    std::visit([&](auto& c) { c.HandleAck(ack); }, controller_);
  }
  void HandleLoss(UnwrappedTsn highest_outstanding) {
    if (!in_fast_recovery()) reduced_until_ = highest_outstanding;
    only_marked_ = false;
    std::visit([&](auto& c) { c.HandleLoss(highest_outstanding); }, controller_);
  }
  void HandleCongestionExperienced(UnwrappedTsn highest_outstanding) {
    only_marked_ = !in_fast_recovery();
    reduced_until_ = highest_outstanding;
    std::visit([&](auto& c) { c.HandleCongestionExperienced(highest_outstanding); }, controller_);
  }
  void HandleTimeout() {
    std::visit([](auto& c) { c.HandleTimeout(); }, controller_);
  }
  void HandleIdle(Duration idle, Duration rto) {
    std::visit([&](auto& c) { c.HandleIdle(idle, rto); }, controller_);
  }
  void SetPmdcs(size_t pmdcs) {
    std::visit([&](auto& c) { c.SetPmdcs(pmdcs); }, controller_);
  }
  // `before`: of the same association.
  void Undo(const CongestionControl& before) {
    std::visit([&](auto& c) { c.Undo(std::get<std::decay_t<decltype(c)>>(before.controller_)); }, controller_);
    reduced_until_ = before.reduced_until_;
  }
  bool in_fast_recovery() const {
    return std::visit([](const auto& c) { return c.in_fast_recovery(); }, controller_);
  }
  // In Fast Recovery, and not for marks alone, after which nothing has to be sent again.
  bool is_repairing() const { return in_fast_recovery() && !only_marked_; }
  // RFC 3168 §6.1.2: one reduction for all that was outstanding when it was made, whatever it was made for.
  void IgnoreMarksUpTo(UnwrappedTsn highest_outstanding) { reduced_until_ = highest_outstanding; }
  bool HasReducedSince(UnwrappedTsn sent) const { return sent <= reduced_until_; }
  size_t cwnd() const {
    return std::visit([](const auto& c) { return c.cwnd(); }, controller_);
  }
  size_t ssthresh() const {
    return std::visit([](const auto& c) { return c.ssthresh(); }, controller_);
  }
  uint64_t pacing_rate(Duration srtt) const {
    return std::visit([&](const auto& c) { return c.pacing_rate(srtt); }, controller_);
  }

 private:
  using Controller = std::variant<NewReno, Cubic, ModelBased>;
  static Controller Make(CongestionAlgorithm algorithm, const Start& start) {
    switch (algorithm) {
      case CongestionAlgorithm::kNewReno:
        return NewReno(start.pmdcs, start.initial_cwnd, start.initial_ssthresh);
      case CongestionAlgorithm::kModelBased:
        return ModelBased(start.pmdcs, start.initial_cwnd);
      case CongestionAlgorithm::kCubic:
        break;
    }
    return Cubic(start.pmdcs, start.initial_cwnd, start.initial_ssthresh);
  }

  Controller controller_;
  UnwrappedTsn reduced_until_{0};
  bool only_marked_ = false;
};
static_assert(CongestionController<CongestionControl>);

}  // namespace jsp::sctp
