#pragma once
#include <string>

#include "bench/natlab/oracle.h"
namespace jsp::natlab {

// What one side says of its selected pair; all empty when it says nothing.
struct PathEnd {
  std::string local{};  // types of the pair's candidates, as in SDP: "host", "srflx", "prflx", "relay"
  std::string remote{};
  std::string protocol{};        // "tcp", or nothing
  std::string relay_protocol{};  // "udp", "tcp", "tls": how its own relay is reached, whatever the candidate's type
  bool IsRelayed() const { return local == "relay" || remote == "relay" || !relay_protocol.empty(); }
};

struct Judgement {
  Outcome outcome = Outcome::kNone;
  std::string pair_type{};       // RunResult::pair_type
  std::string relay_protocol{};  // of a relayed pair: "udp" where nobody says
};

// What a connection that stands goes over, by the ends of its path together: to a side whose NAT gives the packets of
// the other side's relay another port, or that heard them before the relay was signalled, they come from a
// peer-reflexive candidate (RFC 8445 §7.3.1.3). Only the relay's owner knows.
Judgement Judge(const PathEnd& a, const PathEnd& b);

}  // namespace jsp::natlab
