#pragma once
#include <cstdint>
namespace jsp::transport::io {

// A train is one call's datagrams of one size to or from one address; a single datagram is one, too.
struct TrainIoStats {
  uint64_t receive_calls = 0;
  uint64_t send_calls = 0;
  uint64_t trains_received = 0;
  uint64_t datagrams_received = 0;
  uint64_t trains_sent = 0;
  uint64_t datagrams_sent = 0;
  uint64_t receive_errors = 0;
  uint64_t dropped_full = 0;    // the kernel had no room: what a relay cannot send now is late anyway
  uint64_t dropped_errors = 0;  // refused, unreachable, too large, not permitted (ATTACKS X1)
  uint64_t gso_refused = 0;     // trains that were sent one by one
};

}  // namespace jsp::transport::io
