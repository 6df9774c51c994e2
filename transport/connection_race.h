#pragma once
#include <cstddef>
#include <optional>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
namespace jsp::transport {

// RFC 8305 §4: the addresses of both families in turns, beginning with the first one's; otherwise their order stays.
std::vector<SocketAddress> InterleaveFamilies(const std::vector<SocketAddress>& addresses);

// When to try which of a server's addresses (Happy Eyeballs, RFC 8305 §5): the first at once, the next when an attempt
// fails or when nothing was heard for the connection attempt delay; none any more once one has won. Names attempts by
// their place in the list; who makes them is the owner's affair.
class ConnectionRace {
 public:
  // RFC 8305 §8: "Recommended to be 250 milliseconds."
  static constexpr Duration kAttemptDelay = std::chrono::milliseconds(250);

  explicit ConnectionRace(size_t addresses) : count_(addresses) {}

  void Start(Timestamp now);
  // The attempt that is to begin now, one a call.
  [[nodiscard]] std::optional<size_t> PollAttempt(Timestamp now);
  // One of them cannot be reached: nobody waits for it. Also one that had won, which sets the race going again.
  void HandleFailed(Timestamp now);
  // One was reached: what is under way beside it is to be given up.
  void HandleWon();
  [[nodiscard]] Timestamp NextTimeout() const;
  // Some have not been begun.
  bool has_more() const { return next_ < count_; }

 private:
  size_t count_;
  size_t next_ = 0;
  Timestamp next_at_;
};

}  // namespace jsp::transport
