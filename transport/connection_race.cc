#include "transport/connection_race.h"

namespace jsp::transport {

std::vector<SocketAddress> InterleaveFamilies(const std::vector<SocketAddress>& addresses) {
  std::vector<SocketAddress> first;
  std::vector<SocketAddress> second;
  for (const SocketAddress& address : addresses) {
    (address.ip.family() == addresses.front().ip.family() ? first : second).push_back(address);
  }
  std::vector<SocketAddress> sorted;
  for (size_t i = 0; i < first.size() || i < second.size(); ++i) {
    if (i < first.size()) sorted.push_back(first[i]);
    if (i < second.size()) sorted.push_back(second[i]);
  }
  return sorted;
}

void ConnectionRace::Start(Timestamp now) { next_at_ = now; }

// RFC 8305 §5: "one connection attempt to a single address is started first, followed by the others in the list, one at
// a time".
std::optional<size_t> ConnectionRace::PollAttempt(Timestamp now) {
  if (!has_more() || now < next_at_) return std::nullopt;
  next_at_ = now + kAttemptDelay;
  return next_++;
}

void ConnectionRace::HandleFailed(Timestamp now) { next_at_ = now; }

void ConnectionRace::HandleWon() { next_at_ = Timestamp::Never(); }

Timestamp ConnectionRace::NextTimeout() const { return has_more() ? next_at_ : Timestamp::Never(); }

}  // namespace jsp::transport
