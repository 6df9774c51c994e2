#include "bench/natlab/judgement.h"

namespace jsp::natlab {
namespace {

std::string PairType(const PathEnd& a, const PathEnd& b) {
  if (a.local.empty() && a.remote.empty()) return {};
  const std::string local = a.relay_protocol.empty() ? a.local : "relay";
  const bool is_relay_of_b = a.remote == "prflx" && !b.relay_protocol.empty();
  return local + "-" + (is_relay_of_b ? "relay" : a.remote) + (a.protocol.empty() ? "" : "-" + a.protocol);
}

}  // namespace

Judgement Judge(const PathEnd& a, const PathEnd& b) {
  Judgement judgement{.outcome = Outcome::kDirect, .pair_type = PairType(a, b)};
  if (!a.IsRelayed() && !b.IsRelayed()) return judgement;
  judgement.outcome = Outcome::kRelay;
  judgement.relay_protocol = !a.relay_protocol.empty() ? a.relay_protocol : b.relay_protocol;
  if (judgement.relay_protocol.empty()) judgement.relay_protocol = "udp";
  return judgement;
}

}  // namespace jsp::natlab
