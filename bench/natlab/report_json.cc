#include <boost/json.hpp>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "bench/natlab/report.h"

namespace jsp::natlab {
namespace {

namespace json = boost::json;

double Rounded(double value) { return std::round(value * 1000) / 1000; }

json::object ToObject(const Distribution& d) {
  return {{"p50", Rounded(d.p50)}, {"p95", Rounded(d.p95)}, {"max", Rounded(d.max)}};
}

json::value ToValue(const std::optional<Interval>& interval) {
  if (!interval) return nullptr;
  return json::array{Rounded(interval->low), Rounded(interval->high)};
}

// The same with the intervals of confidence, and how many runs there are to it.
json::object ToFullObject(const std::vector<double>& sample) {
  const auto d = Distribution::Of(sample);
  json::object object = ToObject(d);
  object["count"] = d.count;
  object["p50_ci95"] = ToValue(d.p50_interval);
  object["p95_ci95"] = ToValue(d.p95_interval);
  return object;
}

json::object Share(size_t hits, size_t count) {
  const auto interval = ShareInterval(hits, count);
  const double share = count == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(count);
  return {{"share", Rounded(share)}, {"ci95", json::array{Rounded(interval.low), Rounded(interval.high)}}};
}

// The samples by their names in the document.
constexpr std::pair<const char*, std::vector<double> CellSamples::*> kSamples[] = {
    {"first_valid_ms", &CellSamples::first_valid_ms},
    {"nominated_ms", &CellSamples::nominated_ms},
    {"dtls_ms", &CellSamples::dtls_ms},
    {"upgrade_to_direct_ms", &CellSamples::upgrades_ms},
    {"recovery_ms", &CellSamples::recovery_ms},
    {"restarts", &CellSamples::restarts},
    {"reconnects", &CellSamples::reconnects},
    {"checks_sent", &CellSamples::checks_sent},
    {"bytes_sent", &CellSamples::bytes_sent}};

json::object ToObject(const std::map<std::string, size_t>& counts) {
  json::object object;
  for (const auto& [name, count] : counts) object[name] = count;
  return object;
}

json::array ToArray(const std::vector<double>& sample) {
  json::array array;
  for (const double value : sample) array.emplace_back(Rounded(value));
  return array;
}

json::object ToObject(const CellReport& cell) {
  json::object object;
  object["a"] = netsim::ToString(cell.a);
  object["b"] = netsim::ToString(cell.b);
  object["family"] = FamilyName(cell.family);
  object["relay"] = cell.relay;
  object["expected"] = ToString(cell.expected);
  object["won"] = cell.won;
  const auto rounded = [](double chance) { return std::round(chance * 1e9) / 1e9; };
  object["miss_chance"] = cell.miss_chance ? json::value(rounded(*cell.miss_chance)) : json::value(nullptr);
  object["observed"] = {{"direct", cell.direct}, {"relay", cell.relayed}, {"none", cell.none}};
  object["pair_types"] = ToObject(cell.pair_types);
  object["relay_protocols"] = ToObject(cell.relay_protocols);
  const size_t runs = cell.direct + cell.relayed + cell.none;
  object["rates"] = {
      {"direct", Share(cell.direct, runs)}, {"relay", Share(cell.relayed, runs)}, {"none", Share(cell.none, runs)}};
  object["time_to_first_message_ms"] = ToFullObject(cell.times_ms);
  json::object samples{{"time_to_first_message_ms", ToArray(cell.times_ms)}};
  for (const auto& [name, sample] : kSamples) {
    object[name] = ToFullObject(cell.samples.*sample);
    samples[name] = ToArray(cell.samples.*sample);
  }
  object["mismatches"] = cell.mismatches;
  object["samples"] = std::move(samples);
  object["why"] = cell.why.empty() ? json::value(nullptr) : json::value(cell.why);
  return object;
}

json::object ToObject(const PathReport& path) {
  return {{"path", path.path},
          {"family", FamilyName(path.family)},
          {"pair", path.pair},
          {"connect_ms", ToObject(path.connect_ms)},
          {"rtt_ms", ToObject(path.rtt_ms)},
          {"mbytes_per_s", Rounded(path.mbytes_per_s)},
          {"loaded_rtt_ms", ToObject(path.loaded_rtt_ms)},
          {"cpu_ms_per_mb", path.cpu_ms_per_mb ? json::value(Rounded(*path.cpu_ms_per_mb)) : json::value(nullptr)}};
}

json::object ToObject(const MixReport& mix) {
  json::array sources;
  for (const auto& source : mix.sources) sources.emplace_back(source);
  const auto share = [](double value) { return std::round(value * 10000) / 10000; };
  return {{"name", mix.name},        {"direct", share(mix.direct)}, {"relay", share(mix.relay)},
          {"none", share(mix.none)}, {"about", mix.about},          {"sources", std::move(sources)}};
}

std::vector<double> ToSample(const json::value& array) {
  std::vector<double> sample;
  for (const auto& value : array.as_array()) sample.push_back(value.to_number<double>());
  return sample;
}

std::map<std::string, size_t> ToCounts(const json::value& object) {
  std::map<std::string, size_t> counts;
  for (const auto& [name, count] : object.as_object()) counts[std::string(name)] = count.to_number<size_t>();
  return counts;
}

std::string ToText(const json::value& value) { return std::string(value.as_string()); }

// Throws what Boost.JSON throws.
CellReport ToCell(const json::object& object) {
  CellReport cell;
  const auto a = netsim::ParseNatType(ToText(object.at("a")));
  const auto b = netsim::ParseNatType(ToText(object.at("b")));
  if (!a || !b) throw std::runtime_error("a type that does not exist");
  cell.a = *a;
  cell.b = *b;
  const auto* family = object.if_contains("family");
  if (family != nullptr && *family == "ipv6") cell.family = IpAddress::Family::kV6;
  cell.relay = object.at("relay").as_bool();
  const std::string expected = ToText(object.at("expected"));
  cell.expected = expected == "direct" ? Outcome::kDirect : expected == "relay" ? Outcome::kRelay : Outcome::kNone;
  const auto* won = object.if_contains("won");
  cell.won = won != nullptr && won->as_bool();
  const auto* chance = object.if_contains("miss_chance");
  if (chance != nullptr && !chance->is_null()) cell.miss_chance = chance->to_number<double>();
  const auto& observed = object.at("observed").as_object();
  cell.direct = observed.at("direct").to_number<size_t>();
  cell.relayed = observed.at("relay").to_number<size_t>();
  cell.none = observed.at("none").to_number<size_t>();
  cell.pair_types = ToCounts(object.at("pair_types"));
  cell.relay_protocols = ToCounts(object.at("relay_protocols"));
  const auto& samples = object.at("samples").as_object();
  cell.times_ms = ToSample(samples.at("time_to_first_message_ms"));
  // Reports of before lack some.
  for (const auto& [name, sample] : kSamples) {
    if (const auto* array = samples.if_contains(name)) cell.samples.*sample = ToSample(*array);
  }
  cell.mismatches = object.at("mismatches").to_number<size_t>();
  if (!object.at("why").is_null()) cell.why = ToText(object.at("why"));
  return cell;
}

Distribution ToDistribution(const json::value& value) {
  const auto& object = value.as_object();
  return {object.at("p50").to_number<double>(), object.at("p95").to_number<double>(),
          object.at("max").to_number<double>()};
}

PathReport ToPath(const json::object& object) {
  PathReport path;
  path.path = ToText(object.at("path"));
  path.connect_ms = ToDistribution(object.at("connect_ms"));
  path.rtt_ms = ToDistribution(object.at("rtt_ms"));
  path.loaded_rtt_ms = ToDistribution(object.at("loaded_rtt_ms"));
  path.mbytes_per_s = object.at("mbytes_per_s").to_number<double>();
  // Reports of before lack the rest.
  const auto* family = object.if_contains("family");
  if (family != nullptr && *family == "ipv6") path.family = IpAddress::Family::kV6;
  if (const auto* pair = object.if_contains("pair")) path.pair = ToText(*pair);
  const auto* cpu = object.if_contains("cpu_ms_per_mb");
  if (cpu != nullptr && !cpu->is_null()) path.cpu_ms_per_mb = cpu->to_number<double>();
  return path;
}

MixReport ToMix(const json::object& object) {
  MixReport mix;
  mix.name = ToText(object.at("name"));
  mix.about = ToText(object.at("about"));
  for (const auto& source : object.at("sources").as_array()) mix.sources.push_back(ToText(source));
  mix.direct = object.at("direct").to_number<double>();
  mix.relay = object.at("relay").to_number<double>();
  mix.none = object.at("none").to_number<double>();
  return mix;
}

Report ToReport(const json::object& object) {
  Report report;
  report.engine = ToText(object.at("engine"));
  const auto* scenario = object.if_contains("scenario");
  if (scenario != nullptr && scenario->is_string()) report.scenario = ToText(*scenario);
  const auto* ways = object.if_contains("ways");
  if (ways != nullptr && ways->is_string()) report.ways = ToText(*ways);
  const auto* environment = object.if_contains("environment");
  if (environment != nullptr && environment->is_string()) report.environment = ToText(*environment);
  report.seed = object.at("seed").to_number<uint64_t>();
  report.runs = object.at("runs").to_number<size_t>();
  if (const auto* interrupted = object.if_contains("interrupted")) report.interrupted = interrupted->as_bool();
  for (const auto& name : object.at("types").as_array()) {
    const auto type = netsim::ParseNatType(ToText(name));
    if (!type) throw std::runtime_error("there is no NAT type '" + ToText(name) + "'");
    report.types.push_back(*type);
  }
  for (const auto& cell : object.at("cells").as_array()) report.cells.push_back(ToCell(cell.as_object()));
  for (const auto& path : object.at("paths").as_array()) report.paths.push_back(ToPath(path.as_object()));
  for (const auto& mix : object.at("mixes").as_array()) report.mixes.push_back(ToMix(mix.as_object()));
  return report;
}

json::object ToObjectOf(std::string_view text) {
  return json::parse(json::string_view(text.data(), text.size())).as_object();
}

json::value ToValue(const KernelCheck& kernel) {
  if (kernel.cells.empty() && kernel.not_run.empty()) return nullptr;
  json::array cells;
  for (const CellReport& cell : kernel.cells) {
    const bool is_as_expected = cell.mismatches == 0;
    cells.push_back(json::object{{"a", netsim::ToString(cell.a)},
                                 {"b", netsim::ToString(cell.b)},
                                 {"expected", ToString(cell.expected)},
                                 {"observed", {{"direct", cell.direct}, {"relay", cell.relayed}, {"none", cell.none}}},
                                 {"mismatches", cell.mismatches},
                                 {"why", is_as_expected ? json::value(nullptr) : json::value(cell.why)}});
  }
  return json::object{{"cells", std::move(cells)},
                      {"not_run", kernel.not_run.empty() ? json::value(nullptr) : json::value(kernel.not_run)}};
}

}  // namespace

const char* FamilyName(IpAddress::Family family) { return family == IpAddress::Family::kV4 ? "ipv4" : "ipv6"; }

std::string ToJson(const CellReport& cell) { return json::serialize(ToObject(cell)); }

Expected<CellReport, std::string> ParseCell(std::string_view text) {
  try {
    return ToCell(ToObjectOf(text));
  } catch (const std::exception& error) {
    return Unexpected<std::string>(error.what());
  }
}

Expected<Report, std::string> ParseReport(std::string_view text) {
  try {
    return ToReport(ToObjectOf(text));
  } catch (const boost::system::system_error& error) {
    return Unexpected("it is no report that --json wrote: " + error.code().message());  // without the parser's source
  } catch (const std::exception& error) {
    return Unexpected(std::string("it is no report that --json wrote: ") + error.what());
  }
}

std::string ToJson(const Report& report) {
  json::array types, cells, paths, mixes, changes;
  for (const auto type : report.types) types.emplace_back(netsim::ToString(type));
  for (const auto& cell : report.cells) cells.push_back(ToObject(cell));
  for (const auto& path : report.paths) paths.push_back(ToObject(path));
  for (const auto& mix : report.mixes) mixes.push_back(ToObject(mix));
  for (const auto& change : report.changes) changes.emplace_back(change);
  json::object document;
  document["engine"] = report.engine;
  document["scenario"] = report.scenario.empty() ? json::value(nullptr) : json::value(report.scenario);
  document["ways"] = report.ways.empty() ? json::value(nullptr) : json::value(report.ways);
  document["environment"] = report.environment.empty() ? json::value(nullptr) : json::value(report.environment);
  document["seed"] = report.seed;
  document["runs"] = report.runs;
  document["types"] = std::move(types);
  document["interrupted"] = report.interrupted;
  document["cells"] = std::move(cells);
  document["paths"] = std::move(paths);
  document["mixes"] = std::move(mixes);
  document["changes"] = std::move(changes);
  document["kernel"] = ToValue(report.kernel);
  document["mismatches"] = report.mismatches();
  return json::serialize(document) + "\n";
}

}  // namespace jsp::natlab
