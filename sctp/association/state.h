#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/backoff.h"
#include "base/time.h"
#include "sctp/association/capabilities.h"
#include "sctp/association/tcb.h"
namespace jsp::sctp {

// The states of RFC 9260 §4 with the data that exists in each of them only. Whoever changes the state moves the Tcb.
namespace state {

// Nothing begun. A COOKIE ECHO of ours makes an association out of it; INITs leave no trace (RFC 9260 §5.1 B).
struct Closed {};
struct CookieWait {
  // RFC 9260 §5.2.6: the association whose cookie the peer called stale goes on under the same tag and TSNs of ours.
  struct Retry {
    std::unique_ptr<Tcb> suspended;  // with what was sent behind the COOKIE ECHO
    Duration increment{};            // to ask for in a Cookie Preservative
    uint32_t stale_cookies = 0;
  };
  Announcement mine;
  Backoff t1;
  bool init_due = true;
  std::optional<Retry> retry{};
  Timestamp sent_at{};  // the last INIT
};
struct CookieEchoed {
  std::unique_ptr<Tcb> tcb;
  std::vector<uint8_t> cookie;
  std::vector<uint8_t> unrecognized;  // parameters of the INIT ACK to report behind the cookie (RFC 9260 §3.2.2)
  Backoff t1;
  bool echo_due = true;
  Timestamp sent_at{};         // the last COOKIE ECHO
  uint32_t stale_cookies = 0;  // of earlier tries
};
struct Established {
  std::unique_ptr<Tcb> tcb;
};
struct ShutdownPending {
  std::unique_ptr<Tcb> tcb;
};
struct ShutdownSent {
  std::unique_ptr<Tcb> tcb;
  uint32_t retransmissions = 0;
  bool due = true;
};
struct ShutdownReceived {
  std::unique_ptr<Tcb> tcb;
};
struct ShutdownAckSent {
  std::unique_ptr<Tcb> tcb;
  uint32_t retransmissions = 0;
  bool due = true;
};
// Closed or aborted for good; the last event is out. Late packets of a peer that closed gracefully get no ABORT: it
// would turn the peer's own graceful end, still under way, into a failure.
struct Dead {
  bool was_graceful = false;
};

}  // namespace state
using StateData =
    std::variant<state::Closed, state::CookieWait, state::CookieEchoed, state::Established, state::ShutdownPending,
                 state::ShutdownSent, state::ShutdownReceived, state::ShutdownAckSent, state::Dead>;

// The Tcb of the states that have one, else null.
inline std::unique_ptr<Tcb>* FindTcb(StateData& data) {
  return std::visit(
      [](auto& s) -> std::unique_ptr<Tcb>* {
        if constexpr (requires { s.tcb; }) return &s.tcb;
        return nullptr;
      },
      data);
}
template <class S>
bool Is(const StateData& data) {
  return std::holds_alternative<S>(data);
}

}  // namespace jsp::sctp
