#include "bench/natlab/run_result.h"

#include <boost/json.hpp>
#include <utility>

#include "bench/natlab/json_values.h"

namespace jsp::natlab {
namespace {

namespace json = boost::json;

constexpr std::pair<const char*, std::optional<Duration> RunResult::*> kTimes[] = {
    {"first_message", &RunResult::to_first_message},
    {"first_valid", &RunResult::to_first_valid},
    {"nominated", &RunResult::to_nominated},
    {"dtls", &RunResult::to_dtls},
    {"upgrade", &RunResult::to_upgrade},
    {"recovery", &RunResult::to_recovery}};

constexpr std::pair<const char*, std::string RunResult::*> kTexts[] = {
    {"pair_type", &RunResult::pair_type},
    {"relay_protocol", &RunResult::relay_protocol},
    {"why", &RunResult::why},
    {"capture_problem", &RunResult::capture_problem}};

constexpr std::pair<const char*, uint64_t RunResult::*> kCounts[] = {{"restarts", &RunResult::restarts},
                                                                     {"reconnects", &RunResult::reconnects},
                                                                     {"checks_sent", &RunResult::checks_sent},
                                                                     {"bytes_sent", &RunResult::bytes_sent}};

// Throws what Boost.JSON throws.
RunResult ToResult(const json::object& object) {
  RunResult result;
  const std::string outcome(object.at("outcome").as_string());
  result.outcome = outcome == "direct" ? Outcome::kDirect : outcome == "relay" ? Outcome::kRelay : Outcome::kNone;
  for (const auto& [name, text] : kTexts) result.*text = std::string(object.at(name).as_string());
  for (const auto& [name, count] : kCounts) result.*count = object.at(name).to_number<uint64_t>();
  for (const auto& [name, time] : kTimes) {
    if (const auto* value = object.if_contains(name)) result.*time = Duration(value->to_number<int64_t>());
  }
  if (const auto* path = object.if_contains("path")) {
    const auto& sample = path->as_object();
    result.path = PathSample{.connect_ms = ToNumber(sample, "connect_ms", 0),
                             .rtt_ms = ToSample(sample, "rtt_ms"),
                             .loaded_rtt_ms = ToSample(sample, "loaded_rtt_ms"),
                             .mbytes_per_s = ToNumber(sample, "mbytes_per_s", 0),
                             .cpu_ms = ToNumber(sample, "cpu_ms", 0)};
  }
  return result;
}

}  // namespace

std::string ToJson(const RunResult& result) {
  json::object object{{"outcome", ToString(result.outcome)}};
  for (const auto& [name, text] : kTexts) object[name] = result.*text;
  for (const auto& [name, count] : kCounts) object[name] = result.*count;
  for (const auto& [name, time] : kTimes) {
    if (result.*time) object[name] = (result.*time)->count();
  }
  if (result.path) {
    object["path"] = {{"connect_ms", result.path->connect_ms},
                      {"rtt_ms", ToArray(result.path->rtt_ms)},
                      {"loaded_rtt_ms", ToArray(result.path->loaded_rtt_ms)},
                      {"mbytes_per_s", result.path->mbytes_per_s},
                      {"cpu_ms", result.path->cpu_ms}};
  }
  return json::serialize(object);
}

Expected<RunResult, std::string> ParseRunResult(std::string_view text) {
  try {
    return ToResult(json::parse(json::string_view(text.data(), text.size())).as_object());
  } catch (const std::exception& error) {
    return Unexpected<std::string>(error.what());
  }
}

}  // namespace jsp::natlab
