#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"
#include "bench/natlab/oracle.h"
#include "netsim/nat_type.h"
namespace jsp::natlab {

struct RunResult {
  Outcome outcome = Outcome::kNone;
  std::string pair_type;                     // "host-srflx", as side a sees it; empty when nothing was selected
  std::optional<Duration> to_first_message;  // from the moment that a began to gather, until z had a's message
  uint64_t checks_sent = 0;                  // by both sides
  std::string why;                           // in words, when there was no connection
};

// One connection attempt between a host behind `a` and a host behind `b`, each a whole peer, with a STUN server in the
// open and signalling that takes one access delay each way. Ends when a message went both ways, or both sides failed.
RunResult RunCell(netsim::NatType a, netsim::NatType b, uint64_t seed);

}  // namespace jsp::natlab
