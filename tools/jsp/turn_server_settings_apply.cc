#include <algorithm>
#include <numeric>
#include <optional>

#include "tools/jsp/turn_server_settings.h"

namespace jsp::tool {
namespace {

using Checked = Expected<void, std::string>;

// What the file and the command line say together, and where each value comes from.
class Sources {
 public:
  Sources(const SettingValues& file, const SettingValues& command_line) : file_(&file), command_line_(&command_line) {}

  std::span<const SettingValue> ValuesOf(std::string_view name) const {
    for (const SettingValues* values : {command_line_, file_}) {
      const auto found = values->find(name);
      if (found != values->end()) return found->second;
    }
    return {};
  }
  bool IsSet(std::string_view name) const { return !ValuesOf(name).empty(); }
  // A complaint about a setting, which may be missing.
  Unexpected<std::string> Complain(std::string_view name, const std::string& what) const {
    const auto values = ValuesOf(name);
    return Unexpected<std::string>((values.empty() ? "--" + std::string(name) : values.front().origin) + ": " + what);
  }

 private:
  const SettingValues* file_;
  const SettingValues* command_line_;
};

Checked ApplyAll(const Sources& sources, TurnServerConfig& config) {
  for (const Setting& setting : TurnServerSettings()) {
    const auto values = sources.ValuesOf(setting.name);
    if (setting.arity == SettingArity::kOne && values.size() > 1) {
      return Unexpected<std::string>(values[1].origin + ": is given twice; remove one");
    }
    for (const SettingValue& value : values) {
      const auto applied = setting.apply(config, value.text);
      if (applied) continue;
      const bool repeat = setting.secrecy == SettingSecrecy::kPublic;
      return Unexpected<std::string>(value.origin + (repeat ? " " + value.text : "") + ": " + applied.error());
    }
  }
  return {};
}

Checked CheckTls(const Sources& sources, const TurnServerConfig& config) {
  const bool has_tls = std::ranges::any_of(
      config.listen, [](const TurnListenAddress& listen) { return listen.transport == turn::ControlTransport::kTls; });
  const auto& tls = config.tls;
  if (tls.certificate_file.empty() != tls.key_file.empty()) {
    return tls.key_file.empty() ? sources.Complain("cert", "needs the private key too; add --key FILE")
                                : sources.Complain("key", "needs the certificate too; add --cert FILE");
  }
  if (has_tls && tls.certificate_file.empty()) {
    return sources.Complain("listen", "tls:// needs a certificate; add --cert FILE and --key FILE");
  }
  return {};
}

Checked CheckLifetimes(const Sources& sources, TurnServerConfig& config) {
  auto& lifetimes = config.lifetimes;
  if (lifetimes.default_allocation <= lifetimes.max_allocation) return {};
  if (sources.IsSet("default-lifetime") && sources.IsSet("max-lifetime")) {
    return sources.Complain("default-lifetime", "is longer than max-lifetime; lower it, or raise the other");
  }
  // Only one of them was given, and the other's default follows.
  if (sources.IsSet("max-lifetime")) {
    lifetimes.default_allocation = lifetimes.max_allocation;
  } else {
    lifetimes.max_allocation = lifetimes.default_allocation;
  }
  return {};
}

Checked CheckWorkers(const Sources& sources, const TurnServerConfig& config) {
  const size_t workers = config.operation.workers;
  if (workers == 1) return {};
  const bool picked = std::ranges::any_of(config.listen, [](const auto& listen) { return listen.address.port == 0; });
  if (picked && config.alternate_address) {
    return sources.Complain("workers", "alternate-address needs fixed ports then; write them instead of port 0");
  }
  const size_t ports = config.relaying.ports.last - config.relaying.ports.first + size_t{1};
  if (ports < 2 * workers) {
    return sources.Complain("relay-ports",
                            "too few for " + std::to_string(workers) + " workers; give each at least two");
  }
  return {};
}

// A basic string of TOML.
std::string Quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (octet < 0x20 || octet == 0x7f) {
      constexpr char kHex[] = "0123456789abcdef";
      quoted += std::string("\\u00") + kHex[octet >> 4] + kHex[octet & 15];
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string PrintValue(const Setting& setting, const std::vector<std::string>& values) {
  if (setting.arity == SettingArity::kOne) {
    return setting.kind == SettingKind::kText ? Quote(values.front()) : values.front();
  }
  std::string text = "[";
  for (const auto& value : values) text += "\n  " + Quote(value) + ",";
  return text + (values.empty() ? "]" : "\n]");
}

// Levenshtein's distance.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string_view NearestSetting(std::string_view name) {
  constexpr size_t kLongest = 64;  // of a name that can be like one of ours
  const auto settings = TurnServerSettings();
  return std::ranges::min_element(
             settings, {}, [&](const Setting& setting) { return Distance(name.substr(0, kLongest), setting.name); })
      ->name;
}

Expected<TurnServerConfig, std::string> MakeTurnServerConfig(const SettingValues& file,
                                                             const SettingValues& command_line) {
  TurnServerConfig config;
  const Sources sources(file, command_line);
  if (const auto applied = ApplyAll(sources, config); !applied) return Unexpected<std::string>(applied.error());
  if (config.listen.empty()) {
    for (const auto transport : {turn::ControlTransport::kUdp, turn::ControlTransport::kTcp}) {
      config.listen.push_back({transport, {IpAddress(), 3478}});  // RFC 8656 §3.1: the default port
    }
  }
  if (const auto checked = CheckTls(sources, config); !checked) return Unexpected<std::string>(checked.error());
  if (const auto checked = CheckLifetimes(sources, config); !checked) return Unexpected<std::string>(checked.error());
  if (const auto checked = CheckWorkers(sources, config); !checked) return Unexpected<std::string>(checked.error());
  return config;
}

std::string PrintTurnServerConfig(const TurnServerConfig& config) {
  std::string text;
  for (const Setting& setting : TurnServerSettings()) {
    const auto values = setting.show(config);
    const std::string name(setting.name);
    // A user is printed as its keys.
    if (name == "user") continue;
    text += "# " + std::string(setting.help) + "\n";
    const bool is_set = setting.arity == SettingArity::kMany || !values.empty();
    text += (is_set ? name + " = " + PrintValue(setting, values)
                    : "# " + name + " = \"" + std::string(setting.placeholder) + "\"") +
            "\n\n";
  }
  text.pop_back();
  return text;
}

}  // namespace jsp::tool
