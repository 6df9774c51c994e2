#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "bench/natlab/network_events.h"
#include "bench/natlab/oracle.h"
#include "netsim/link.h"
#include "netsim/nat_type.h"
namespace jsp::natlab {

// What all cells of a run share: how the sides are joined, and their links where those are not the usual ones.
struct Network {
  Joint joint{};
  HardNats hard = HardNats::kLeft;
  std::optional<netsim::LinkOptions> a_access{};
  std::optional<netsim::LinkOptions> b_access{};
  std::optional<netsim::LinkOptions> server_access{};
  std::vector<NetworkEvent> events{};  // once a connection stands
};

struct CellOptions {
  netsim::NatType a = netsim::NatType::kPublic;
  netsim::NatType b = netsim::NatType::kPublic;
  RelayService relay = RelayService::kPresent;
  IpAddress::Family family = IpAddress::Family::kV4;
  uint64_t seed = 1;
  Network network{};
  // Where captures go: "-a.pcapng" and "-b.pcapng" are added, of what both hosts sent and got; with the keys
  // of their DTLS. Empty: none.
  std::string capture{};
};

struct RunResult {
  Outcome outcome = Outcome::kNone;  // of the pair that was nominated; none when events were not got over
  std::string pair_type;  // "host-srflx", as side a sees it, "-tcp" behind it over TCP; empty when nothing was selected
  std::string relay_protocol;                // of a relayed pair: "udp", "tcp" or "tls"
  std::optional<Duration> to_first_message;  // from the moment that a began to gather, until z had a's message
  // From the same moment until a left a relayed pair for a direct one, when it did.
  std::optional<Duration> to_upgrade;
  // Of side a, from the same moment, as far as it got.
  std::optional<Duration> to_first_valid{};
  std::optional<Duration> to_nominated{};
  std::optional<Duration> to_dtls{};
  // From the last event of the network until messages went both ways again, and what that took.
  std::optional<Duration> to_recovery{};
  uint64_t restarts = 0;
  uint64_t reconnects = 0;
  uint64_t checks_sent = 0;       // by both sides
  uint64_t bytes_sent = 0;        // UDP payload, by both sides
  std::string why;                // in words, when there was no direct connection
  std::string capture_problem{};  // why there is no capture that was asked for
};

// One connection attempt between a host behind `a` and a host behind `b`, each a whole peer, with a STUN server in the
// open, which also relays over UDP, TCP and TLS unless there is no relay. Ends when a message went both ways and a pair
// is nominated, and again after events, or both sides failed. Where hard NATs are crossed, a relayed pair has time to
// be left for a direct one.
RunResult RunCell(const CellOptions& options);

}  // namespace jsp::natlab
