#include "bench/natlab/scenario.h"

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <initializer_list>
#include <map>
#include <sstream>
#include <utility>

#include "bench/natlab/json_lines.h"
#include "bench/natlab/mixes.h"

namespace jsp::natlab {

// The files of scenarios/, by a genrule: names and texts in turn, nullptr at the end.
extern const char* const kScenarioTexts[];

namespace {

namespace json = boost::json;

constexpr size_t kMaxRuns = 100'000;
constexpr double kMaxDelayMs = 60'000;
constexpr double kMaxKbit = 10'000'000;

// Thrown within this file only.
struct Wrong {
  std::string path;
  std::string what;
};

std::string ToText(std::string_view prefix, const json::string& text) {
  return std::string(prefix) + std::string(text.data(), text.size());
}

// The values of one object, each looked at once.
class Reader {
 public:
  Reader(const json::value& value, std::string path) : path_(std::move(path)) {
    if (!value.is_object()) throw Wrong{path_, "it has to be an object"};
    object_ = &value.as_object();
  }

  void ExpectOnly(std::initializer_list<std::string_view> known) const {
    std::string list;
    for (const auto name : known) list += (list.empty() ? "" : ", ") + std::string(name);
    for (const auto& member : *object_) {
      const std::string_view key(member.key().data(), member.key().size());
      if (std::ranges::find(known, key) == known.end()) {
        throw Wrong{PathOf(key), "there is no such key; known are " + list};
      }
    }
  }
  const json::value* Find(std::string_view key) const {
    return object_->if_contains(json::string_view(key.data(), key.size()));
  }
  std::string PathOf(std::string_view key) const { return (path_.empty() ? "" : path_ + ".") + std::string(key); }

  std::string Text(std::string_view key) const {
    const auto* value = Find(key);
    if (value == nullptr) return {};
    if (!value->is_string()) throw Wrong{PathOf(key), "it has to be a string"};
    return ToText("", value->as_string());
  }
  bool Flag(std::string_view key, bool otherwise) const {
    const auto* value = Find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_bool()) throw Wrong{PathOf(key), "it has to be true or false"};
    return value->as_bool();
  }
  double Number(std::string_view key, double otherwise, double most) const {
    const auto* value = Find(key);
    if (value == nullptr) return otherwise;
    const double number = value->is_number() ? value->to_number<double>() : -1;
    if (!value->is_number() || number < 0 || number > most) {
      throw Wrong{PathOf(key), "it has to be a number from 0 to " + std::to_string(static_cast<uint64_t>(most))};
    }
    return number;
  }
  uint64_t Whole(std::string_view key, uint64_t otherwise, uint64_t most) const {
    const auto* value = Find(key);
    if (value == nullptr) return otherwise;
    error_code_ = {};
    const auto number = value->is_number() ? value->to_number<uint64_t>(error_code_) : 0;
    if (!value->is_number() || error_code_ || number < 1 || number > most) {
      throw Wrong{PathOf(key), "it has to be a whole number from 1 to " + std::to_string(most)};
    }
    return number;
  }
  // A list of strings, each with its path.
  std::vector<std::pair<std::string, std::string>> List(std::string_view key) const {
    const auto* value = Find(key);
    if (value == nullptr) return {};
    if (!value->is_array() || value->as_array().empty()) {
      throw Wrong{PathOf(key), "it has to be a list of at least one string"};
    }
    std::vector<std::pair<std::string, std::string>> list;
    for (const auto& item : value->as_array()) {
      const std::string path = PathOf(key) + "[" + std::to_string(list.size()) + "]";
      if (!item.is_string()) throw Wrong{path, "it has to be a string"};
      list.emplace_back(path, ToText("", item.as_string()));
    }
    return list;
  }

 private:
  const json::object* object_ = nullptr;
  std::string path_;
  mutable boost::system::error_code error_code_;
};

netsim::NatType ToType(const std::string& path, const std::string& name) {
  const auto type = netsim::ParseNatType(name);
  if (!type) throw Wrong{path, "unknown NAT type '" + name + "'; it is one of " + AllTypeNames()};
  return *type;
}

Duration ToDuration(double milliseconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(milliseconds));
}

netsim::LinkOptions ToLink(const Reader& reader) {
  reader.ExpectOnly({"delay_ms", "jitter_ms", "loss", "kbit_per_s"});
  netsim::LinkOptions link;
  link.delay = ToDuration(reader.Number("delay_ms", 10, kMaxDelayMs));
  link.jitter = ToDuration(reader.Number("jitter_ms", 0, kMaxDelayMs));
  if (link.jitter > link.delay) throw Wrong{reader.PathOf("jitter_ms"), "it is larger than the delay"};
  link.loss = netsim::UniformLoss{reader.Number("loss", 0, 1)};
  link.bytes_per_second = static_cast<uint64_t>(reader.Number("kbit_per_s", 0, kMaxKbit) * 125);
  return link;
}

void ReadLinks(const Reader& top, Network& network) {
  const auto* links = top.Find("links");
  if (links == nullptr) return;
  const Reader reader(*links, "links");
  reader.ExpectOnly({"a", "b", "server"});
  for (const auto& [key, link] :
       {std::pair{"a", &network.a_access}, {"b", &network.b_access}, {"server", &network.server_access}}) {
    if (const auto* value = reader.Find(key)) *link = ToLink(Reader(*value, reader.PathOf(key)));
  }
}

void ReadJoint(const Reader& reader, Joint& joint) {
  const std::string site = reader.Text("site");
  if (site == "same-lan") {
    joint.site = netsim::Site::kSameLan;
  } else if (site == "same-carrier") {
    joint.site = netsim::Site::kSameCarrier;
  } else if (!site.empty() && site != "apart") {
    throw Wrong{"site", "'" + site + "' is none of apart, same-lan, same-carrier"};
  }
  if (reader.Find("carrier") != nullptr) {
    joint.carrier = ToType("carrier", reader.Text("carrier"));
    if (!netsim::OptionsFor(*joint.carrier).translate || joint.carrier == netsim::NatType::kPortReject) {
      throw Wrong{"carrier", "a carrier's NAT translates and drops: none of public, fw, port-rej"};
    }
  } else if (joint.site == netsim::Site::kSameCarrier) {
    throw Wrong{"site", "same-carrier needs a carrier"};
  }
  joint.ice_tcp = reader.Flag("ice_tcp", false);
  joint.hairpin = reader.Flag("hairpin", false);
  if (joint.hairpin && joint.site != netsim::Site::kSameCarrier) {
    throw Wrong{"hairpin", "it matters only with the site same-carrier"};
  }
}

void ReadTypes(const Reader& reader, Scenario& scenario) {
  for (const auto& [path, name] : reader.List("types")) {
    const auto type = ToType(path, name);
    if (std::ranges::find(scenario.matrix.types, type) != scenario.matrix.types.end()) {
      throw Wrong{path, "'" + name + "' is there twice"};
    }
    scenario.matrix.types.push_back(type);
  }
  scenario.mix = reader.Text("mix");
  const auto& mixes = BuiltInMixes();
  const auto mix = std::ranges::find(mixes, scenario.mix, &Mix::name);
  if (!scenario.mix.empty() && mix == mixes.end()) {
    throw Wrong{"mix", "'" + scenario.mix + "' is none of home, mobile, enterprise"};
  }
  if (mix != mixes.end() && reader.Find("types") != nullptr) {
    throw Wrong{"types", "the mix says which types there are; leave one of the two out"};
  }
  if (mix != mixes.end()) {
    for (const auto& [type, weight] : mix->weights) scenario.matrix.types.push_back(type);
  }
  if (scenario.matrix.types.empty()) throw Wrong{"types", "the scenario needs types or a mix"};
}

Scenario ToScenario(const json::value& document) {
  const Reader reader(document, "");
  reader.ExpectOnly({"version", "name", "about", "types", "mix", "families", "runs", "relay", "site", "carrier",
                     "hairpin", "ice_tcp", "links"});
  if (reader.Find("version") == nullptr) throw Wrong{"version", "it is missing; it is 1"};
  if (reader.Whole("version", 1, kMaxRuns) != 1) throw Wrong{"version", "only 1 is known"};
  Scenario scenario;
  scenario.name = reader.Text("name");
  scenario.about = reader.Text("about");
  ReadTypes(reader, scenario);
  MatrixOptions& matrix = scenario.matrix;
  matrix.runs = reader.Whole("runs", 1, kMaxRuns);
  matrix.relay = reader.Flag("relay", true) ? RelayService::kPresent : RelayService::kNone;
  if (reader.Find("families") != nullptr) matrix.families.clear();
  for (const auto& [path, name] : reader.List("families")) {
    if (name != "ipv4" && name != "ipv6") throw Wrong{path, "'" + name + "' is neither ipv4 nor ipv6"};
    matrix.families.push_back(name == "ipv4" ? IpAddress::Family::kV4 : IpAddress::Family::kV6);
  }
  ReadJoint(reader, matrix.network.joint);
  ReadLinks(reader, matrix.network);
  return scenario;
}

}  // namespace

std::string AllTypeNames() {
  std::string names;
  for (const auto type : netsim::AllNatTypes()) {
    names += (names.empty() ? "" : ", ") + std::string(netsim::ToString(type));
  }
  return names;
}

Expected<Scenario, std::string> ParseScenario(std::string_view text, const std::string& file) {
  const auto lines = IndexJsonLines(text);
  if (!lines) return Unexpected(file + ":" + std::to_string(lines.error().line) + ": " + lines.error().what);
  try {
    Scenario scenario = ToScenario(json::parse(json::string_view(text.data(), text.size())));
    if (scenario.name.empty()) scenario.name = file;
    scenario.matrix.scenario = scenario.name;
    return scenario;
  } catch (const Wrong& wrong) {
    // What is missing is missing in the whole of the file.
    const auto line = lines->find(wrong.path);
    const size_t number = line == lines->end() ? 1 : line->second;
    const std::string key = wrong.path.empty() ? "the document" : "key '" + wrong.path + "'";
    return Unexpected(file + ":" + std::to_string(number) + ": " + key + ": " + wrong.what);
  } catch (const std::exception& error) {
    return Unexpected(file + ":1: " + error.what());
  }
}

const std::vector<Scenario>& ScenarioPresets() {
  static const std::vector<Scenario> presets = [] {
    std::vector<Scenario> all;
    for (const char* const* text = kScenarioTexts; *text != nullptr; text += 2) {
      if (auto scenario = ParseScenario(text[1], text[0])) all.push_back(*std::move(scenario));
    }
    return all;
  }();
  return presets;
}

Expected<Scenario, std::string> LoadScenario(const std::string& name_or_file) {
  std::string names;
  for (const Scenario& preset : ScenarioPresets()) {
    if (preset.name == name_or_file) return preset;
    names += (names.empty() ? "" : ", ") + preset.name;
  }
  std::ifstream file(name_or_file, std::ios::binary);
  std::stringstream content;
  if (!file || !(content << file.rdbuf())) {
    return Unexpected("'" + name_or_file + "' is neither a file that can be read nor one of " + names);
  }
  auto scenario = ParseScenario(content.str(), name_or_file);
  // What reproduces a run names the file, whatever it calls itself.
  if (scenario) scenario->matrix.scenario = name_or_file;
  return scenario;
}

}  // namespace jsp::natlab
