#include "turn/server/shared_state.h"

#include <algorithm>
namespace jsp::turn {

class SharedState::Closed {
 public:
  explicit Closed(const Gate& gate) : gate_(gate) {
    if (gate_.close != nullptr) gate_.close(gate_.lock);
  }
  ~Closed() {
    if (gate_.open != nullptr) gate_.open(gate_.lock);
  }
  Closed(const Closed&) = delete;
  Closed& operator=(const Closed&) = delete;

 private:
  const Gate& gate_;
};

SharedState::SharedState(const ServerOptions& options, size_t workers, Rng& rng, const Gate& gate)
    : workers_(std::clamp<size_t>(workers, 1, kMaxWorkers)),
      key_(rng.Random<std::array<uint8_t, 32>>()),
      gate_(gate),
      limits_bandwidth_(options.quotas.bandwidth_per_user != 0 || options.quotas.total_bandwidth != 0),
      limits_strangers_(options.limits.unauthenticated_per_second != 0),
      quota_(options.quotas),
      strangers_(options.limits.unauthenticated_per_second, rng) {}

Expected<UserIndex, Quota::Refusal> SharedState::Enter(std::string_view user, uint64_t source) {
  const Closed closed(gate_);
  if (const auto refusal = quota_.Judge(user, source)) return Unexpected(*refusal);
  return quota_.Enter(user, source);
}

void SharedState::Leave(UserIndex user) {
  const Closed closed(gate_);
  quota_.Leave(user);
}

bool SharedState::TakeBandwidth(Timestamp now, UserIndex user, uint64_t octets) {
  if (!limits_bandwidth_) return true;
  const Closed closed(gate_);
  return quota_.TakeBandwidth(now, user, octets);
}

bool SharedState::TakeAnswer(Timestamp now, const IpAddress& source) {
  if (!limits_strangers_) return true;
  const Closed closed(gate_);
  return strangers_.Take(now, source);
}

void SharedState::Forgive(const IpAddress& source) {
  if (!limits_strangers_) return;
  const Closed closed(gate_);
  strangers_.Forgive(source);
}

void SharedState::AddRelay(const SocketAddress& address, RelayProtocol protocol) {
  const Closed closed(gate_);
  relays_.insert({address, protocol});
}

void SharedState::RemoveRelay(const SocketAddress& address, RelayProtocol protocol) {
  const Closed closed(gate_);
  relays_.erase({address, protocol});
}

bool SharedState::IsRelay(const SocketAddress& address, RelayProtocol protocol) {
  const Closed closed(gate_);
  return relays_.contains({address, protocol});
}

}  // namespace jsp::turn
