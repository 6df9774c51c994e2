#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
#include "base/socket_address.h"
#include "bench/natlab/oracle.h"
#include "netsim/nat_type.h"
namespace jsp::natlab {

// Where the true value is with a confidence of 95 %.
struct Interval {
  double low = 0;
  double high = 0;
};

// Of a share of `count` runs: Wilson's interval.
Interval ShareInterval(size_t hits, size_t count);

// Percentiles of a sample, in the sample's unit; all zero when it is empty.
struct Distribution {
  double p50 = 0;
  double p95 = 0;
  double max = 0;
  size_t count = 0;
  // By order statistics, whatever the distribution; nullopt when the sample is too small to have one.
  std::optional<Interval> p50_interval{};
  std::optional<Interval> p95_interval{};
  static Distribution Of(std::vector<double> sample);
};

// What the runs of a cell took, besides the time to the first message: of the runs that got so far, in their order.
// Milliseconds from the moment that side a began to gather.
struct CellSamples {
  std::vector<double> first_valid_ms{};  // a's first valid pair
  std::vector<double> nominated_ms{};    // a's pair is final
  std::vector<double> dtls_ms{};         // a's handshake is done
  std::vector<double> upgrades_ms{};     // a relayed pair gave way to a direct one
  std::vector<double> recovery_ms{};     // from the last event of the network until messages went both ways again
  std::vector<double> restarts{};        // of ICE that this took
  std::vector<double> reconnects{};      // and connections that were made anew
  std::vector<double> checks_sent{};     // by both sides, of all runs
  std::vector<double> bytes_sent{};      // UDP payload, by both sides, of all runs
};

// Which cell of the matrix.
struct CellName {
  netsim::NatType a = netsim::NatType::kPublic;
  netsim::NatType b = netsim::NatType::kPublic;
  IpAddress::Family family = IpAddress::Family::kV4;
  bool relay = false;  // a relay was available
};

// One cell over all its runs.
struct CellReport : CellName {
  Outcome expected = Outcome::kNone;
  bool won = false;                     // direct by what crosses hard NATs (oracle.h), and not without
  std::optional<double> miss_chance{};  // where that is left to chance (chance.h): of a run that is not direct
  size_t direct = 0;
  size_t relayed = 0;
  size_t none = 0;
  std::map<std::string, size_t> pair_types{};       // "srflx-prflx": how often, as side a saw its selected pair
  std::map<std::string, size_t> relay_protocols{};  // "udp": how often, of relayed runs
  std::vector<double> times_ms{};                   // to the first message, of the runs that connected
  CellSamples samples{};
  std::string why{};      // of the first run that was not direct, or of the mismatch; empty when all is well
  size_t mismatches = 0;  // runs whose outcome was not the expected one, and that bad luck does not explain
};

// One way between two peers.
struct PathReport {
  std::string path;  // "host", "srflx", "prflx", "ice-tcp", "relay-udp", "relay-tcp", "relay-tls"
  IpAddress::Family family = IpAddress::Family::kV4;
  std::string pair{};            // the selected one of the first connection, as CellReport::pair_types
  Distribution connect_ms{};     // from the start of gathering until the channel is open
  Distribution rtt_ms{};         // of a small message and its echo, while nothing else is sent
  double mbytes_per_s = 0;       // of one bulk transfer
  Distribution loaded_rtt_ms{};  // as rtt_ms, on another channel during the bulk transfer
  // Processor time for each megabyte of the bulk, where it was measured: no two runs have the same.
  std::optional<double> cpu_ms_per_mb{};
};

// What becomes of a connection between two hosts of a mix of NATs (mixes.h); shares of 1.
struct MixReport {
  std::string name;
  std::string about;
  std::vector<std::string> sources;
  double direct = 0;
  double relay = 0;
  double none = 0;
};

// Cells in which a kernel's NATs were tried beside the simulation. Only what is the same on every machine counts, so no
// times.
struct KernelCheck {
  std::vector<CellReport> cells{};
  std::string not_run{};  // why there are none; empty as well: nobody asked
};

struct Report {
  std::string engine = "sim";
  std::string scenario{};     // preset or file; empty: none
  std::string ways{};         // options besides, by which cells are run: "--ice-tcp --prediction"
  std::string environment{};  // kernel and machine, where they matter; empty in virtual time
  uint64_t seed = 1;
  size_t runs = 1;
  std::vector<netsim::NatType> types;
  bool interrupted = false;  // there are cells that were not run
  std::vector<CellReport> cells;
  std::vector<PathReport> paths;
  std::vector<MixReport> mixes;
  std::vector<std::string> changes;  // since another report (compare.h)
  KernelCheck kernel{};
  size_t mismatches() const;  // a kernel's too
};

const char* FamilyName(IpAddress::Family family);  // "ipv4", "ipv6"
// One cell of that document on one line, and back: what a process that ran it says. The error is one line.
std::string ToJson(const CellReport& cell);
Expected<CellReport, std::string> ParseCell(std::string_view text);
// The cells as a table (RFC 4180), with a line of names.
std::string ToCsv(const Report& report);
// What ToJson wrote. The error is one line.
Expected<Report, std::string> ParseReport(std::string_view text);
// The document of `jsp natlab --json`, ending with a newline.
std::string ToJson(const Report& report);
// One self-contained page: heat map with the details of each cell, distributions, paths, mixes. It needs no network,
// and works without a mouse.
std::string ToHtml(const Report& report);

}  // namespace jsp::natlab
