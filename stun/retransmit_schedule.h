#pragma once
#include <cstdint>

#include "base/time.h"
namespace jsp::stun {

// RFC 8489 §6.2.1: over UDP a request is sent Rc times, at 0, RTO, 3 RTO, 7 RTO, …; after the last one the transaction
// fails when Rm × RTO more have passed. All three are settable.
struct RetransmitOptions {
  Duration rto = std::chrono::milliseconds(500);
  uint32_t rc = 7;
  uint32_t rm = 16;

  // RFC 8489 §6.2.2: over a reliable transport a request is sent once and fails after Ti = 39.5 s.
  static RetransmitOptions Reliable() { return {.rto = std::chrono::milliseconds(39500), .rc = 1, .rm = 1}; }
  bool operator==(const RetransmitOptions&) const = default;
};

// The state of one request's retransmissions. Owned by a transaction; told the time.
class RetransmitSchedule {
 public:
  explicit RetransmitSchedule(const RetransmitOptions& options) : options_(options) {}
  // Counts one sending at `now`, which sets the next deadline.
  void HandleSent(Timestamp now);
  // When to send again, or, after the last sending, when to give up.
  Timestamp NextDeadline() const { return deadline_; }
  // At the deadline: true = send again, false = the transaction has timed out.
  bool MaySendAgain() const { return sent_ < options_.rc; }
  uint32_t sent() const { return sent_; }

 private:
  RetransmitOptions options_;
  uint32_t sent_ = 0;
  Timestamp deadline_;
};

}  // namespace jsp::stun
