#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "netsim/loss_model.h"
#include "netsim/queue.h"
namespace jsp::netsim {

// What one direction of a link does to packets.
struct LinkOptions {
  Duration delay = std::chrono::milliseconds(10);
  Duration jitter{};              // uniform in ±jitter; order is kept unless `reordering` strikes
  uint64_t bytes_per_second = 0;  // 0: unlimited
  size_t queue_bytes = 256 * 1024;
  LossModel loss = UniformLoss{};
  double reordering = 0;   // probability that a packet overtakes: it skips the delay's second half
  double duplication = 0;  // probability of a second copy
  double corruption = 0;   // probability that one bit flips
};

struct LinkStats {
  uint64_t entered = 0;
  uint64_t lost = 0;
  uint64_t overflowed = 0;
  uint64_t duplicated = 0;
  uint64_t reordered = 0;
  uint64_t corrupted = 0;
};

// One direction of a link. Owns its random process, so that other links' traffic does not change its fate.
class Link {
 public:
  Link(const LinkOptions& options, Rng rng);

  // The arrival times of the copies that arrive: none when lost, two when duplicated. May flip a bit of `bytes`.
  struct Fate {
    size_t copies = 0;
    Timestamp arrival[2];
  };
  Fate Transmit(Timestamp now, std::vector<uint8_t>& bytes);
  void SetOptions(const LinkOptions& options);
  const LinkStats& stats() const { return stats_; }

 private:
  Timestamp Arrival(Timestamp departure);

  LinkOptions options_;
  Rng rng_;
  LossProcess loss_;
  DropTailQueue queue_;
  Timestamp last_arrival_ = Timestamp::FromEpoch(Duration::zero());
  LinkStats stats_;
};

}  // namespace jsp::netsim
