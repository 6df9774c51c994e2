#include <cstdio>
#include <string>
#include <string_view>

#include "bench/natlab/report.h"

namespace jsp::natlab {
namespace {

// RFC 4180 §2: quoted when it has to be.
std::string Field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string Number(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.3f", value);
  return text;
}

}  // namespace

std::string ToCsv(const Report& report) {
  std::string csv =
      "a,b,family,relay,expected,direct,relayed,none,first_message_ms_p50,first_message_ms_p95,first_message_ms_max,"
      "first_valid_ms_p50,nominated_ms_p50,dtls_ms_p50,bytes_sent_p50,upgrades,checks_sent_p50,pair_types,relay_"
      "protocols,why\r\n";
  for (const CellReport& cell : report.cells) {
    const auto times = Distribution::Of(cell.times_ms);
    std::string pairs, protocols;
    for (const auto& [name, count] : cell.pair_types) pairs += (pairs.empty() ? "" : " ") + name;
    for (const auto& [name, count] : cell.relay_protocols) protocols += (protocols.empty() ? "" : " ") + name;
    csv += std::string(netsim::ToString(cell.a)) + "," + std::string(netsim::ToString(cell.b)) + "," +
           FamilyName(cell.family) + "," + (cell.relay ? "true" : "false") + "," + ToString(cell.expected) + "," +
           std::to_string(cell.direct) + "," + std::to_string(cell.relayed) + "," + std::to_string(cell.none) + ",";
    csv += times.count == 0 ? ",,," : Number(times.p50) + "," + Number(times.p95) + "," + Number(times.max) + ",";
    for (const auto* sample :
         {&cell.samples.first_valid_ms, &cell.samples.nominated_ms, &cell.samples.dtls_ms, &cell.samples.bytes_sent}) {
      csv += (sample->empty() ? std::string() : Number(Distribution::Of(*sample).p50)) + ",";
    }
    csv += std::to_string(cell.samples.upgrades_ms.size()) + "," +
           Number(Distribution::Of(cell.samples.checks_sent).p50) + "," + pairs + "," + protocols + "," +
           Field(cell.why) + "\r\n";
  }
  return csv;
}

}  // namespace jsp::natlab
