#include <boost/json.hpp>
#include <cmath>

#include "bench/natlab/report.h"

namespace jsp::natlab {
namespace {

namespace json = boost::json;

double Rounded(double value) { return std::round(value * 1000) / 1000; }

json::object ToObject(const Distribution& d) {
  return {{"p50", Rounded(d.p50)}, {"p95", Rounded(d.p95)}, {"max", Rounded(d.max)}};
}

json::object ToObject(const std::map<std::string, size_t>& counts) {
  json::object object;
  for (const auto& [name, count] : counts) object[name] = count;
  return object;
}

json::object ToObject(const CellReport& cell) {
  json::object object;
  object["a"] = netsim::ToString(cell.a);
  object["b"] = netsim::ToString(cell.b);
  object["relay"] = cell.relay;
  object["expected"] = ToString(cell.expected);
  object["observed"] = {{"direct", cell.direct}, {"relay", cell.relayed}, {"none", cell.none}};
  object["pair_types"] = ToObject(cell.pair_types);
  object["relay_protocols"] = ToObject(cell.relay_protocols);
  object["time_to_first_message_ms"] = ToObject(Distribution::Of(cell.times_ms));
  json::object upgrades = ToObject(Distribution::Of(cell.upgrades_ms));
  upgrades["count"] = cell.upgrades_ms.size();
  object["upgrade_to_direct_ms"] = std::move(upgrades);
  object["checks_sent"] = {{"p50", Distribution::Of(cell.checks_sent).p50}};
  object["why"] = cell.why.empty() ? json::value(nullptr) : json::value(cell.why);
  return object;
}

json::object ToObject(const PathReport& path) {
  return {{"path", path.path},
          {"connect_ms", ToObject(path.connect_ms)},
          {"rtt_ms", ToObject(path.rtt_ms)},
          {"mbytes_per_s", Rounded(path.mbytes_per_s)},
          {"loaded_rtt_ms", ToObject(path.loaded_rtt_ms)}};
}

}  // namespace

std::string ToJson(const Report& report) {
  json::array types, cells, paths;
  for (const auto type : report.types) types.emplace_back(netsim::ToString(type));
  for (const auto& cell : report.cells) cells.push_back(ToObject(cell));
  for (const auto& path : report.paths) paths.push_back(ToObject(path));
  json::object document;
  document["engine"] = report.engine;
  document["seed"] = report.seed;
  document["runs"] = report.runs;
  document["types"] = std::move(types);
  document["cells"] = std::move(cells);
  document["paths"] = std::move(paths);
  document["mixes"] = json::array();
  document["mismatches"] = report.mismatches();
  return json::serialize(document) + "\n";
}

}  // namespace jsp::natlab
