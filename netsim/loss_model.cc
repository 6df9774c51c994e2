#include "netsim/loss_model.h"

#include "base/overloaded.h"

namespace jsp::netsim {

bool LossProcess::IsLost(Rng& rng) {
  return std::visit(Overloaded{
                        [&](const UniformLoss& m) { return m.probability > 0 && rng.Uniform() < m.probability; },
                        [&](const GilbertElliottLoss& m) {
                          const double move = bad_ ? m.bad_to_good : m.good_to_bad;
                          if (rng.Uniform() < move) bad_ = !bad_;
                          return rng.Uniform() < (bad_ ? m.loss_in_bad : m.loss_in_good);
                        },
                    },
                    model_);
}

}  // namespace jsp::netsim
