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
#include "turn/types.h"
namespace jsp::natlab {

// An access link where a scenario does not say otherwise. Enough jitter for runs to differ.
inline netsim::LinkOptions UsualAccess() {
  return {.delay = std::chrono::milliseconds(10), .jitter = std::chrono::milliseconds(2)};
}

// What all cells of a run share: how the sides are joined, and their links where those are not the usual ones.
struct Network {
  Joint joint{};
  HardNats hard = HardNats::kLeft;
  std::optional<netsim::LinkOptions> a_access{};
  std::optional<netsim::LinkOptions> b_access{};
  std::optional<netsim::LinkOptions> server_access{};
  std::vector<NetworkEvent> events{};  // once a connection stands
};

// What peers of the netns engine measure of their path once it stands (path_runner.h).
struct PathProbe {
  std::optional<turn::ControlTransport> only_relay{};  // of a, which then uses nothing else
  size_t pings = 0;
  size_t octets = 0;
};

struct PathSample {
  double connect_ms = 0;
  std::vector<double> rtt_ms{};
  std::vector<double> loaded_rtt_ms{};
  double mbytes_per_s = 0;
  double cpu_ms = 0;  // of both peers' processes
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
  std::optional<PathProbe> probe{};  // of the netns engine; then there is no relay but what it says
};

// Of side a, from the moment that it began to gather, as far as it got.
struct RunTimes {
  std::optional<Duration> to_first_message{};  // until z had a's message
  std::optional<Duration> to_upgrade{};        // until a left a relayed pair for a direct one, when it did
  std::optional<Duration> to_first_valid{};
  std::optional<Duration> to_nominated{};
  std::optional<Duration> to_dtls{};
  // From the last event of the network until messages went both ways again.
  std::optional<Duration> to_recovery{};
};

struct RunResult : RunTimes {
  Outcome outcome = Outcome::kNone;  // of the pair that was nominated; none when events were not got over
  std::string pair_type;  // "host-srflx", as side a sees it, "-tcp" behind it over TCP; empty when nothing was selected
  std::string relay_protocol;  // of a relayed pair: "udp", "tcp" or "tls"
  uint64_t restarts = 0;       // what the recovery took: of ICE, and connections anew
  uint64_t reconnects = 0;
  uint64_t checks_sent = 0;       // by both sides
  uint64_t bytes_sent = 0;        // UDP payload, by both sides
  std::string why;                // in words, when there was no direct connection
  std::string capture_problem{};  // why there is no capture that was asked for
  std::optional<PathSample> path{};
};

// One connection attempt between a host behind `a` and a host behind `b`, each a whole peer, with a STUN server in the
// open, which also relays over UDP, TCP and TLS unless there is no relay. Ends when a message went both ways and a pair
// is nominated, and again after events, or both sides failed. Where hard NATs are crossed, a relayed pair has time to
// be left for a direct one.
RunResult RunCell(const CellOptions& options);

}  // namespace jsp::natlab
