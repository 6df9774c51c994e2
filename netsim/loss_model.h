#pragma once
#include <variant>

#include "base/rng.h"
namespace jsp::netsim {

// Each packet is lost with the same probability.
struct UniformLoss {
  double probability = 0;
};

// Gilbert–Elliott: a good and a bad state; each packet moves between them, then is lost with the state's probability.
// Mean burst: 1 / bad_to_good packets.
struct GilbertElliottLoss {
  double good_to_bad = 0;
  double bad_to_good = 1;
  double loss_in_good = 0;
  double loss_in_bad = 1;
};

using LossModel = std::variant<UniformLoss, GilbertElliottLoss>;

// One direction's loss, with the state of its model.
class LossProcess {
 public:
  explicit LossProcess(const LossModel& model) : model_(model) {}
  bool IsLost(Rng& rng);

 private:
  LossModel model_;
  bool bad_ = false;
};

}  // namespace jsp::netsim
