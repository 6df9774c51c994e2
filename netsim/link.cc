#include "netsim/link.h"

#include <algorithm>
#include <utility>

namespace jsp::netsim {
namespace {

bool Strikes(Rng& rng, double probability) { return probability > 0 && rng.Uniform() < probability; }

}  // namespace

Link::Link(const LinkOptions& options, Rng rng)
    : options_(options),
      rng_(std::move(rng)),
      loss_(options.loss),
      queue_(options.bytes_per_second, options.queue_bytes) {}

void Link::SetOptions(const LinkOptions& options) {
  options_ = options;
  loss_ = LossProcess(options.loss);
  queue_ = DropTailQueue(options.bytes_per_second, options.queue_bytes);
}

Link::Fate Link::Transmit(Timestamp now, std::vector<uint8_t>& bytes, size_t header_octets, const IpFields& fields) {
  ++stats_.entered;
  Fate fate;
  const size_t packet = bytes.size() + header_octets;
  if (options_.mtu != 0 && packet > options_.mtu) {
    if (fields.fragmentation == IpFragmentation::kForbidden) {
      ++stats_.too_big;
      if (options_.too_big == TooBig::kReport) fate.mtu_to_report = options_.mtu;
      return fate;
    }
    ++stats_.fragmented;
  }
  fate.ecn = options_.ecn == EcnTreatment::kClear ? EcnMark::kNotEct : fields.ecn;
  if (options_.ecn == EcnTreatment::kDrop && fields.ecn != EcnMark::kNotEct) {
    ++stats_.markable_dropped;
    return fate;
  }
  if (loss_.IsLost(rng_)) {
    ++stats_.lost;
    return fate;
  }
  const bool is_congested = options_.mark_above_bytes != 0 && queue_.Waiting(now) > options_.mark_above_bytes;
  const auto departure = queue_.Enter(now, packet);
  if (!departure) {
    ++stats_.overflowed;
    return fate;
  }
  if (is_congested && fate.ecn != EcnMark::kNotEct) {
    fate.ecn = EcnMark::kCe;
    ++stats_.marked;
  }
  if (!bytes.empty() && Strikes(rng_, options_.corruption)) {
    ++stats_.corrupted;
    bytes[rng_.Below(bytes.size())] ^= static_cast<uint8_t>(1u << rng_.Below(8));
  }
  fate.arrival[fate.copies++] = Arrival(*departure);
  if (Strikes(rng_, options_.duplication)) {
    ++stats_.duplicated;
    fate.arrival[fate.copies++] = Arrival(*departure);
  }
  return fate;
}

Timestamp Link::Arrival(Timestamp departure) {
  if (Strikes(rng_, options_.reordering)) {
    ++stats_.reordered;
    return departure + options_.delay / 2;
  }
  Duration delay = options_.delay;
  if (options_.jitter > Duration::zero()) {
    const auto spread = static_cast<uint64_t>(options_.jitter.count()) * 2 + 1;
    delay += Duration(static_cast<int64_t>(rng_.Below(spread))) - options_.jitter;
  }
  delay = std::max(delay, Duration::zero());
  last_arrival_ = std::max(last_arrival_, departure + delay);
  return last_arrival_;
}

}  // namespace jsp::netsim
