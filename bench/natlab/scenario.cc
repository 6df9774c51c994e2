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

constexpr int kVersion = 1;
constexpr size_t kMaxQuoted = 40;
constexpr size_t kMaxRuns = 100'000;
constexpr uint64_t kMaxPorts = 64'512;  // without the well-known ones
constexpr double kMaxDelayMs = 60'000;
constexpr double kMaxKbit = 10'000'000;
constexpr size_t kEnoughPorts = 16;        // for two sides with their relays and checks
constexpr size_t kEnoughForProbes = 1024;  // ice::ProbingOptions: 256 sockets, and as much again to spare
constexpr size_t kMaxEvents = 100;
constexpr uint64_t kMaxUdpTimerMs = 3'600'000;
// Reflexive candidates are kept alive every 15 s (RFC 8445 §5.1.1.4), pairs by consent every 5 s (RFC 7675 §5.1).
constexpr Duration kMinUdpTimer = std::chrono::seconds(20);

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
  if (!type) throw Wrong{path, "unknown NAT type '" + name + "'; it is one of " + netsim::NatTypeNames()};
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
    if (!netsim::OptionsFor(*joint.carrier).translate || joint.carrier == netsim::NatType::kPortReject ||
        joint.carrier == netsim::NatType::kNat64) {
      throw Wrong{"carrier", "a carrier's NAT translates and drops: none of public, fw, port-rej, nat64"};
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

void ReadPorts(const Reader& top, netsim::PortLimits& ports) {
  const auto* value = top.Find("ports");
  if (value == nullptr) return;
  const Reader reader(*value, "ports");
  reader.ExpectOnly({"pool", "quota", "overload"});
  ports.overload = reader.Flag("overload", false);
  if (reader.Find("pool") != nullptr) ports.pool = static_cast<uint16_t>(reader.Whole("pool", 1, kMaxPorts));
  if (reader.Find("quota") != nullptr) ports.quota = static_cast<uint16_t>(reader.Whole("quota", 1, kMaxPorts));
}

// The words of a file and what they mean.
template <class Value, size_t kCount>
Value OneOf(const Reader& reader, std::string_view key, const std::pair<std::string_view, Value> (&known)[kCount]) {
  const std::string text = reader.Text(key);
  std::string list;
  for (const auto& [word, value] : known) {
    if (word == text) return value;
    list += (list.empty() ? "" : ", ") + std::string(word);
  }
  throw Wrong{reader.PathOf(key), "'" + text + "' is none of " + list};
}

void ReadTimers(const Reader& top, netsim::NatTimers& timers) {
  const auto* value = top.Find("timers");
  if (value == nullptr) return;
  const Reader reader(*value, "timers");
  reader.ExpectOnly({"refresh", "udp_ms"});
  if (reader.Find("refresh") != nullptr) {
    timers.refresh = OneOf<netsim::Refresh>(
        reader, "refresh", {{"outbound", netsim::Refresh::kOutbound}, {"both", netsim::Refresh::kBoth}});
  }
  if (reader.Find("udp_ms") == nullptr) return;
  timers.udp = std::chrono::milliseconds(reader.Whole("udp_ms", 1, kMaxUdpTimerMs));
  if (*timers.udp < kMinUdpTimer) {
    throw Wrong{reader.PathOf("udp_ms"), "less than 20000 is less than what peers send to keep a mapping"};
  }
}

NetworkEvent ToEvent(const Reader& reader, const Joint& joint) {
  using Where = NetworkEvent::Where;
  reader.ExpectOnly({"after_ms", "what", "nat", "down_ms"});
  NetworkEvent event;
  event.after = ToDuration(reader.Number("after_ms", 0, kMaxDelayMs));
  event.down = ToDuration(reader.Number("down_ms", 0, kMaxDelayMs));
  event.what = OneOf<NetworkEvent::What>(
      reader, "what", {{"reboot", NetworkEvent::What::kReboot}, {"renumber", NetworkEvent::What::kRenumber}});
  event.where = OneOf<Where>(
      reader, "nat",
      {{"a", Where::kNatA}, {"b", Where::kNatB}, {"carrier-a", Where::kCarrierA}, {"carrier-b", Where::kCarrierB}});
  const bool is_carriers = event.where == Where::kCarrierA || event.where == Where::kCarrierB;
  if (is_carriers && !joint.carrier) throw Wrong{reader.PathOf("nat"), "the scenario has no carrier"};
  return event;
}

void ReadEvents(const Reader& top, Network& network) {
  const auto* value = top.Find("events");
  if (value == nullptr) return;
  if (!value->is_array() || value->as_array().size() > kMaxEvents) {
    throw Wrong{"events", "it has to be a list of at most " + std::to_string(kMaxEvents) + " objects"};
  }
  for (const auto& item : value->as_array()) {
    const std::string path = "events[" + std::to_string(network.events.size()) + "]";
    network.events.push_back(ToEvent(Reader(item, path), network.joint));
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

// As people write it.
std::string Plain(double number) {
  std::ostringstream text;
  text << number;
  return text.str();
}

// Before all else: what another version has is not known here.
void CheckVersion(const Reader& reader) {
  const std::string reads = "this program reads version " + std::to_string(kVersion);
  const auto* version = reader.Find("version");
  if (version == nullptr) throw Wrong{"version", "it is missing; " + reads};
  if (version->is_number() && version->to_number<double>() == kVersion) return;
  std::string found = version->is_double() ? Plain(version->as_double()) : json::serialize(*version);
  if (found.size() > kMaxQuoted) found = found.substr(0, kMaxQuoted) + "…";
  throw Wrong{"version", reads + ", a number, not " + found};
}

Scenario ToScenario(const json::value& document) {
  const Reader reader(document, "");
  CheckVersion(reader);
  reader.ExpectOnly({"version", "name", "about", "types", "mix", "families", "runs", "relay", "site", "carrier",
                     "hairpin", "ice_tcp", "links", "ports", "timers", "events"});
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
  ReadPorts(reader, matrix.network.joint.ports);
  ReadTimers(reader, matrix.network.joint.timers);
  ReadEvents(reader, matrix.network);
  if (const auto fit = CheckFit(matrix); !fit) throw Wrong{fit.error().key, fit.error().what};
  return scenario;
}

}  // namespace

Expected<void, Misfit> CheckFit(const MatrixOptions& matrix) {
  const Joint& joint = matrix.network.joint;
  const bool has_nat64 = std::ranges::find(matrix.types, netsim::NatType::kNat64) != matrix.types.end();
  const bool has_v6 = std::ranges::find(matrix.families, IpAddress::Family::kV6) != matrix.families.end();
  if (has_nat64 && has_v6) {
    return Unexpected(Misfit{"families", "nat64 is a way from IPv6 to IPv4: with it there is ipv4 only"});
  }
  if (has_nat64 && joint.carrier) return Unexpected(Misfit{"carrier", "nobody's NAT64 is behind a carrier's NAT"});
  const bool is_probing = matrix.network.hard == HardNats::kCrossed;
  if (is_probing && joint.ports.least() < kEnoughForProbes) {
    return Unexpected(Misfit{"ports", "probes of random ports take more of them than there are"});
  }
  if (joint.ports.overload && joint.ports.pool) {
    return Unexpected(Misfit{"ports", "overloaded ports are those of the inside, and no pool has them"});
  }
  if (joint.ports.overload && joint.site == netsim::Site::kSameCarrier) {
    return Unexpected(
        Misfit{"ports", "what comes to an overloaded port of one carrier's NAT is for whoever sent last"});
  }
  const bool is_shared = joint.site == netsim::Site::kSameCarrier && joint.ports.pool;
  if ((is_shared || joint.ice_tcp) && joint.ports.least() < kEnoughPorts) {
    return Unexpected(Misfit{"ports", std::string(is_shared ? "of one carrier's NAT" : "with ice_tcp") +
                                          " there have to be " + std::to_string(kEnoughPorts) +
                                          " at least: who gets the last ones is a matter of time"});
  }
  return {};
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
    // What is missing is missing in what is around it: the object, at the end the whole of the file.
    auto line = lines->find(wrong.path);
    for (std::string path = wrong.path; line == lines->end() && path.find('.') != std::string::npos;) {
      path.resize(path.rfind('.'));
      line = lines->find(path);
    }
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
  // Of an empty file nothing is copied, which is no failure to read it.
  const bool is_empty = file && file.peek() == std::ifstream::traits_type::eof() && !file.bad();
  if (!file.is_open() || (!is_empty && !(content << file.rdbuf()))) {
    return Unexpected("'" + name_or_file + "' is neither a file that can be read nor one of " + names);
  }
  auto scenario = ParseScenario(content.str(), name_or_file);
  // What reproduces a run names the file, whatever it calls itself.
  if (scenario) scenario->matrix.scenario = name_or_file;
  return scenario;
}

}  // namespace jsp::natlab
