#pragma once
#include <cstdint>

#include "base/time.h"
#include "ice/candidate.h"
namespace jsp::ice {

// Where data goes now.
struct SelectedPair {
  Candidate local;
  Candidate remote;
  bool nominated = false;
  Duration rtt{};  // of the check that made it valid
};

// One line of the checklist, for people and reports.
struct PairStats {
  Candidate local;
  Candidate remote;
  uint64_t priority = 0;
  const char* state = "";  // frozen, waiting, in-progress, succeeded, failed
  bool nominated = false;
  bool selected = false;
  uint32_t requests_sent = 0;
  uint32_t responses_received = 0;
  Duration rtt{};
};

}  // namespace jsp::ice
