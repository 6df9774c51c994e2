#pragma once
#include <cstddef>
#include <cstdint>
#include "base/time.h"
namespace jsp::ice {

enum class Role : uint8_t { kControlling, kControlled };

// Every timer and limit by its name; nothing is hidden in the code.
struct Options {
  Role role = Role::kControlling;
  // RFC 8445 §14.2: Ta between new checks; at least 5 ms.
  Duration pacing_interval = std::chrono::milliseconds(50);
  // RFC 8445 §14.3: lower bound of a check's RTO, and how often a check is sent (Rc of RFC 8489 §6.2.1).
  Duration check_rto_min = std::chrono::milliseconds(500);
  uint32_t check_max_transmissions = 7;
  // RFC 8863 §3: no failure before this long after the remote description, while candidates may still come.
  Duration pac_timeout = std::chrono::milliseconds(39500);
  // Controlling side: how long to prefer a better pair over the first valid one before nominating (0 = at once when
  // no better pair is still in progress).
  Duration nomination_delay = std::chrono::milliseconds(0);
  // RFC 7675 §5.1: consent checks every 5 s (randomised 0.8–1.2), consent expires after 30 s.
  Duration consent_interval = std::chrono::seconds(5);
  Duration consent_timeout = std::chrono::seconds(30);
  // Disconnected (recoverable) when nothing authenticated arrived for this long.
  Duration disconnected_timeout = std::chrono::seconds(10);
  // RFC 8445 §11: Tr, at least 15 s.
  Duration keepalive_interval = std::chrono::seconds(15);
  size_t max_local_candidates = 64;
  size_t max_remote_candidates = 256;  // signalled and peer-reflexive together
  size_t max_pairs = 100;              // RFC 8445 §6.1.2.5
  size_t max_early_checks = 16;        // checks that arrive before the remote description
};

}  // namespace jsp::ice
