#include "bench/natlab/mixes.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <optional>
#include <stdexcept>

#include "bench/natlab/json_lines.h"

namespace jsp::natlab {

extern const char kMixesJson[];  // mixes.json, by a genrule

namespace {

namespace json = boost::json;

std::string ToText(const json::value& value) { return std::string(value.as_string()); }

const json::value& At(const json::object& object, const char* key) {
  if (const auto* value = object.if_contains(key)) return *value;
  throw std::runtime_error(std::string("key '") + key + "' is missing");
}

Mix ToMix(std::string_view name, const json::object& object) {
  Mix mix;
  mix.name = name;
  if (const auto* about = object.if_contains("about")) mix.about = ToText(*about);
  for (const auto& source : At(object, "sources").as_array()) mix.sources.push_back(ToText(source));
  if (mix.sources.empty()) throw std::runtime_error("it names no source");
  double sum = 0;
  for (const auto& [type, weight] : At(object, "weights").as_object()) {
    const auto known = netsim::ParseNatType(std::string_view(type.data(), type.size()));
    if (!known)
      throw std::runtime_error("unknown NAT type '" + std::string(type) + "'; it is one of " + netsim::NatTypeNames());
    mix.weights.emplace_back(*known, weight.to_number<double>());
    if (mix.weights.back().second < 0)
      throw std::runtime_error("the weight of '" + std::string(type) + "' is negative");
    sum += mix.weights.back().second;
  }
  if (std::abs(sum - 1) > 0.001)
    throw std::runtime_error("its weights add up to " + std::to_string(sum) + ", not to 1");
  return mix;
}

const CellReport* Find(const Report& report, netsim::NatType a, netsim::NatType b) {
  const auto found = std::ranges::find_if(report.cells, [&](const CellReport& cell) {
    return cell.a == a && cell.b == b && cell.family == IpAddress::Family::kV4;
  });
  return found == report.cells.end() ? nullptr : &*found;
}

}  // namespace

Expected<std::vector<Mix>, std::string> ParseMixes(std::string_view text) {
  const auto lines = IndexJsonLines(text);
  if (!lines) return Unexpected("line " + std::to_string(lines.error().line) + ": " + lines.error().what);
  std::vector<Mix> mixes;
  std::string where;
  try {
    const auto document = json::parse(json::string_view(text.data(), text.size())).as_object();
    const auto* version = document.if_contains("version");
    if (version == nullptr || *version != 1) {
      throw std::runtime_error("key 'version' has to be there; this program reads version 1");
    }
    for (const auto& [name, mix] : At(document, "mixes").as_object()) {
      where = "mix '" + std::string(name) + "': ";
      mixes.push_back(ToMix(std::string_view(name.data(), name.size()), mix.as_object()));
    }
  } catch (const boost::system::system_error& error) {
    return Unexpected(where + error.code().message());  // of the parser, without its source
  } catch (const std::exception& error) {
    return Unexpected(where + error.what());
  }
  return mixes;
}

const std::vector<Mix>& BuiltInMixes() {
  static const std::vector<Mix> mixes = ParseMixes(kMixesJson).value_or(std::vector<Mix>{});
  return mixes;
}

std::optional<MixReport> Weigh(const Mix& mix, const Report& report) {
  MixReport weighed{.name = mix.name, .about = mix.about, .sources = mix.sources};
  for (const auto& [a, weight_a] : mix.weights) {
    for (const auto& [b, weight_b] : mix.weights) {
      const CellReport* cell = Find(report, a, b);
      if (cell == nullptr) return std::nullopt;
      const auto runs = static_cast<double>(cell->direct + cell->relayed + cell->none);
      if (runs == 0) return std::nullopt;
      const double share = weight_a * weight_b / runs;
      weighed.direct += share * static_cast<double>(cell->direct);
      weighed.relay += share * static_cast<double>(cell->relayed);
      weighed.none += share * static_cast<double>(cell->none);
    }
  }
  return weighed;
}

}  // namespace jsp::natlab
