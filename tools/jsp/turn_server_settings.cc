#include "tools/jsp/turn_server_settings.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "base/crypto.h"
#include "stun/opaque_string.h"

namespace jsp::tool {
namespace {

using Applied = Expected<void, std::string>;
using Texts = std::vector<std::string>;
using Config = TurnServerConfig;

Unexpected<std::string> Wrong(std::string what) { return Unexpected<std::string>(std::move(what)); }

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <class Value>
Applied SetCount(const std::string& text, uint64_t least, uint64_t most, Value& value) {
  const auto number = ParseNumber(text);
  if (!number || *number < least || *number > most) {
    return Wrong("must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  value = static_cast<Value>(*number);
  return {};
}

Applied SetSeconds(const std::string& text, uint64_t least, uint64_t most, Duration& value) {
  uint64_t seconds = 0;
  if (const auto set = SetCount(text, least, most, seconds); !set) return set;
  value = std::chrono::seconds(seconds);
  return {};
}

Applied SetFlag(const std::string& text, bool& value) {
  if (text != "true" && text != "false") return Wrong("must be true or false");
  value = text == "true";
  return {};
}

Texts ShowFlag(bool value) { return {value ? "true" : "false"}; }
Texts ShowCount(uint64_t value) { return {std::to_string(value)}; }
Texts ShowSeconds(Duration value) {
  return {std::to_string(std::chrono::duration_cast<std::chrono::seconds>(value).count())};
}
Texts ShowText(const std::string& text) { return text.empty() ? Texts() : Texts{text}; }

Applied AddListen(Config& config, const std::string& text) {
  const size_t colon = text.find("://");
  const std::string scheme = text.substr(0, colon == std::string::npos ? 0 : colon);
  const auto address = colon == std::string::npos ? std::nullopt : SocketAddress::Parse(text.substr(colon + 3));
  const bool known = scheme == "udp" || scheme == "tcp" || scheme == "tls";
  if (!known || !address) {
    return Wrong("write udp://, tcp:// or tls:// and ADDRESS:PORT, such as udp://192.0.2.1:3478 or udp://[::1]:3478");
  }
  const TurnListenAddress listen{scheme == "udp"   ? turn::ControlTransport::kUdp
                                 : scheme == "tcp" ? turn::ControlTransport::kTcp
                                                   : turn::ControlTransport::kTls,
                                 *address};
  if (address->port != 0 && std::ranges::count(config.listen, listen) > 0) return Wrong("is listed twice; remove one");
  config.listen.push_back(listen);
  return {};
}

Applied SetOpaque(const std::string& text, std::string& value) {
  constexpr size_t kLimit = 127;  // characters, RFC 8489 §14.9 and §14.14; we count octets
  const auto prepared = stun::PrepareOpaqueString(text);
  if (!prepared) return Wrong(std::string(stun::Describe(prepared.error().code)) + "; use printable characters");
  if (prepared->size() > kLimit) return Wrong("has more than 127 octets; shorten it");
  value = *prepared;
  return {};
}

Applied AddUser(Config& config, TurnUser user) {
  if (std::ranges::any_of(config.access.users, [&](const TurnUser& other) { return other.name == user.name; })) {
    return Wrong("user " + user.name + " is there twice; remove one");
  }
  config.access.users.push_back(std::move(user));
  return {};
}

bool ParseHex(std::string_view text, std::span<uint8_t> octets) {
  if (text.size() != octets.size() * 2) return false;
  for (size_t i = 0; i < octets.size(); ++i) {
    const char* from = text.data() + i * 2;
    const auto [end, error] = std::from_chars(from, from + 2, octets[i], 16);
    if (error != std::errc() || end != from + 2) return false;
  }
  return true;
}

Applied AddUserKey(Config& config, const std::string& text) {
  constexpr const char* kForm = "write NAME:REALM:MD5:SHA256, as --hash-user NAME:PASSWORD prints it";
  TurnUser user;
  std::string_view rest = text;
  for (const std::span<uint8_t> key : {std::span<uint8_t>(user.keys.sha256), std::span<uint8_t>(user.keys.md5)}) {
    const size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos || !ParseHex(rest.substr(colon + 1), key)) return Wrong(kForm);
    rest = rest.substr(0, colon);
  }
  const std::string realm = ":" + config.realm;
  if (rest.find(':') == std::string_view::npos) return Wrong(kForm);
  if (!rest.ends_with(realm)) {
    return Wrong("the key was made for another realm than \"" + config.realm + "\"; make it again with --hash-user");
  }
  const auto name = stun::PrepareOpaqueString(rest.substr(0, rest.size() - realm.size()));
  if (!name) return Wrong(kForm);
  user.name = *name;
  return AddUser(config, std::move(user));
}

Applied AddSecret(Config& config, const std::string& text) {
  if (text.empty()) return Wrong("is empty; a secret of 32 random characters is a good one");
  if (config.access.shared_secrets.size() >= turn::Credentials::kMaxSecrets) {
    return Wrong("there are more than " + std::to_string(turn::Credentials::kMaxSecrets) +
                 " secrets; several are for the time of a change only");
  }
  config.access.shared_secrets.push_back(text);
  return {};
}

Expected<IpAddress, std::string> ParseUsableAddress(const std::string& text) {
  const auto ip = IpAddress::Parse(text);
  if (!ip || ip->IsUnspecified() || ip->IsMulticast() || ip->IsBroadcast()) {
    return Wrong("must be an address of this machine, such as 192.0.2.1 or 2001:db8::1");
  }
  return *ip;
}

Applied AddRelayAddress(Config& config, const std::string& text) {
  const size_t slash = std::min(text.find('/'), text.size());
  const auto advertised = ParseUsableAddress(text.substr(0, slash));
  const auto bound = slash < text.size() ? ParseUsableAddress(text.substr(slash + 1)) : advertised;
  if (!advertised || !bound) return Wrong(advertised ? bound.error() : advertised.error());
  if (advertised->family() != bound->family()) return Wrong("the two addresses must be of one family");
  config.relaying.addresses.push_back({*advertised, *bound});
  return {};
}

Applied SetRelayPorts(Config& config, const std::string& text) {
  const size_t dash = std::min(text.find('-'), text.size());
  const uint64_t low = ParseNumber(text.substr(0, dash)).value_or(0);
  const uint64_t high = dash < text.size() ? ParseNumber(text.substr(dash + 1)).value_or(0) : 0;
  // RFC 8656 §7.2: never below 1024.
  if (low < 1024 || high > 65535 || low > high) {
    return Wrong("write LO-HI, both from 1024 to 65535, such as 49152-65535");
  }
  config.relaying.ports = {static_cast<uint16_t>(low), static_cast<uint16_t>(high)};
  return {};
}

Applied AddPrefix(std::vector<turn::Prefix>& prefixes, const std::string& text) {
  const auto prefix = turn::Prefix::Parse(text);
  if (!prefix) {
    return Wrong("write a prefix with zeros behind its length, such as 10.0.0.0/8 or 2001:db8::/32, or one address");
  }
  prefixes.push_back(*prefix);
  return {};
}

Texts ShowPrefixes(const std::vector<turn::Prefix>& prefixes) {
  Texts texts;
  for (const auto& prefix : prefixes) texts.push_back(prefix.ip.ToString() + "/" + std::to_string(prefix.length));
  return texts;
}

Applied SetMetrics(Config& config, const std::string& text) {
  config.operation.metrics = ParseHostPort(text);
  if (!config.operation.metrics) {
    return Wrong("write HOST:PORT, such as 127.0.0.1:9641 (port 0 picks a free one)");
  }
  return {};
}

Applied AddAlternate(Config& config, const std::string& text) {
  constexpr size_t kMost = 16;
  const auto address = SocketAddress::Parse(text);
  if (!address || address->port == 0) return Wrong("write ADDRESS:PORT of another server, such as 192.0.2.9:3478");
  if (config.operation.drain_alternates.size() >= kMost) return Wrong("there are more than 16; remove some");
  config.operation.drain_alternates.push_back(*address);
  return {};
}

template <class Values>
Texts ShowAll(const Values& values) {
  Texts texts;
  for (const auto& value : values) texts.push_back(value.ToString());
  return texts;
}

constexpr uint64_t kAnyCount = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());  // what TOML can write
constexpr uint64_t kDay = 86400;

const Setting kListenSettings[] = {
    {.name = "listen",
     .placeholder = "udp://ADDRESS:PORT",
     .help = "where clients come: udp://, tcp:// or tls:// (port 0 picks a free one; 0.0.0.0 and [::] stand for all "
             "addresses of this machine)",
     .arity = SettingArity::kMany,
     .apply = AddListen,
     .show = [](const Config& c) { return ShowAll(c.listen); }},
    {.name = "realm",
     .placeholder = "REALM",
     .help = "the realm of user names and passwords",
     .apply = [](Config& c, const std::string& text) { return SetOpaque(text, c.realm); },
     .show = [](const Config& c) { return ShowText(c.realm); }},
    {.name = "software",
     .placeholder = "TEXT",
     .help = "name of the server in answers to clients that have authenticated",
     .apply = [](Config& c, const std::string& text) { return SetOpaque(text, c.software); },
     .show = [](const Config& c) { return ShowText(c.software); }},
    {.name = "alternate-address",
     .placeholder = "ADDRESS",
     .help = "second address for NAT behaviour discovery (RFC 5780)",
     .apply = [](Config& c, const std::string& text) -> Applied {
       const auto ip = ParseUsableAddress(text);
       if (!ip) return Wrong(ip.error());
       c.alternate_address = *ip;
       return {};
     },
     .show = [](const Config& c) { return c.alternate_address ? Texts{c.alternate_address->ToString()} : Texts(); }},
    {.name = "cert",
     .placeholder = "FILE",
     .help = "certificate chain for tls://, PEM",
     .reload = SettingReload::kTakesEffect,
     .apply = [](Config& c, const std::string& text) -> Applied {
       c.tls.certificate_file = text;
       return {};
     },
     .show = [](const Config& c) { return ShowText(c.tls.certificate_file); }},
    {.name = "key",
     .placeholder = "FILE",
     .help = "private key for tls://, PEM",
     .reload = SettingReload::kTakesEffect,
     .apply = [](Config& c, const std::string& text) -> Applied {
       c.tls.key_file = text;
       return {};
     },
     .show = [](const Config& c) { return ShowText(c.tls.key_file); }},
};

const Setting kAccessSettings[] = {
    {.name = "user",
     .placeholder = "NAME:PASSWORD",
     .help = "a static user; user-key keeps the password out of the file",
     .arity = SettingArity::kMany,
     .reload = SettingReload::kTakesEffect,
     .secrecy = SettingSecrecy::kSecret,
     .apply = [](Config& c, const std::string& text) -> Applied {
       auto user = MakeTurnUser(text, c.realm);
       if (!user) return Wrong(user.error());
       return AddUser(c, std::move(*user));
     },
     .show = [](const Config&) { return Texts(); }},
    {.name = "user-key",
     .placeholder = "NAME:REALM:MD5:SHA256",
     .help = "a static user without the password, as --hash-user prints it",
     .arity = SettingArity::kMany,
     .reload = SettingReload::kTakesEffect,
     .secrecy = SettingSecrecy::kSecret,
     .apply = AddUserKey,
     .show =
         [](const Config& c) {
           Texts texts;
           for (const auto& user : c.access.users) texts.push_back(UserKeyText(user, c.realm));
           return texts;
         }},
    {.name = "shared-secret",
     .placeholder = "SECRET",
     .help = "makes passwords of ephemeral users EXPIRY:NAME (\"TURN REST API\"); several while it changes",
     .arity = SettingArity::kMany,
     .reload = SettingReload::kTakesEffect,
     .secrecy = SettingSecrecy::kSecret,
     .apply = AddSecret,
     .show = [](const Config& c) { return c.access.shared_secrets; }},
};

const Setting kRelaySettings[] = {
    {.name = "relay-address",
     .placeholder = "ADDRESS[/LOCAL]",
     .help =
         "addresses that relays are opened on, by default those that are listened on; behind a static NAT the public "
         "address, a slash, and the local one",
     .arity = SettingArity::kMany,
     .apply = AddRelayAddress,
     .show = [](const Config& c) { return ShowAll(c.relaying.addresses); }},
    {.name = "relay-ports",
     .placeholder = "LO-HI",
     .help = "ports of relays",
     .apply = SetRelayPorts,
     .show =
         [](const Config& c) {
           return Texts{std::to_string(c.relaying.ports.first) + "-" + std::to_string(c.relaying.ports.last)};
         }},
    {.name = "allow-peer",
     .placeholder = "CIDR",
     .help = "peers that relays may reach beside the public internet; the longest prefix decides",
     .arity = SettingArity::kMany,
     .apply = [](Config& c, const std::string& text) { return AddPrefix(c.relaying.allowed_peers, text); },
     .show = [](const Config& c) { return ShowPrefixes(c.relaying.allowed_peers); }},
    {.name = "deny-peer",
     .placeholder = "CIDR",
     .help = "peers that relays must not reach; the longest prefix decides, and of two alike deny",
     .arity = SettingArity::kMany,
     .apply = [](Config& c, const std::string& text) { return AddPrefix(c.relaying.denied_peers, text); },
     .show = [](const Config& c) { return ShowPrefixes(c.relaying.denied_peers); }},
    {.name = "tcp-relays",
     .placeholder = "BOOL",
     .help = "TCP between server and peer (RFC 6062)",
     .kind = SettingKind::kFlag,
     .apply = [](Config& c, const std::string& text) { return SetFlag(text, c.relaying.tcp); },
     .show = [](const Config& c) { return ShowFlag(c.relaying.tcp); }},
    {.name = "mobility",
     .placeholder = "BOOL",
     .help = "allocations that follow a client to another address (RFC 8016)",
     .kind = SettingKind::kFlag,
     .apply = [](Config& c, const std::string& text) { return SetFlag(text, c.relaying.mobility); },
     .show = [](const Config& c) { return ShowFlag(c.relaying.mobility); }},
    {.name = "legacy-channels",
     .placeholder = "BOOL",
     .help = "channel numbers 0x5000 to 0x7FFF for clients that know neither RFC 8489 nor RFC 8656",
     .kind = SettingKind::kFlag,
     .apply = [](Config& c, const std::string& text) { return SetFlag(text, c.relaying.legacy_channels); },
     .show = [](const Config& c) { return ShowFlag(c.relaying.legacy_channels); }},
};

const Setting kLimitSettings[] = {
    {.name = "default-lifetime",
     .placeholder = "SECONDS",
     .help = "of an allocation whose client asks for none (RFC 8656 §3.2)",
     .kind = SettingKind::kCount,
     .apply = [](Config& c,
                 const std::string& text) { return SetSeconds(text, 1, kDay, c.lifetimes.default_allocation); },
     .show = [](const Config& c) { return ShowSeconds(c.lifetimes.default_allocation); }},
    {.name = "max-lifetime",
     .placeholder = "SECONDS",
     .help = "the longest lifetime that a client gets (RFC 8656 §7.2: at most 3600 is recommended)",
     .kind = SettingKind::kCount,
     .apply = [](Config& c, const std::string& text) { return SetSeconds(text, 1, kDay, c.lifetimes.max_allocation); },
     .show = [](const Config& c) { return ShowSeconds(c.lifetimes.max_allocation); }},
    {.name = "permission-lifetime",
     .placeholder = "SECONDS",
     .help = "300 but in tests (RFC 8656 §9)",
     .kind = SettingKind::kCount,
     .apply = [](Config& c, const std::string& text) { return SetSeconds(text, 1, 300, c.lifetimes.permission); },
     .show = [](const Config& c) { return ShowSeconds(c.lifetimes.permission); }},
    {.name = "channel-lifetime",
     .placeholder = "SECONDS",
     .help = "600 but in tests (RFC 8656 §12)",
     .kind = SettingKind::kCount,
     .apply = [](Config& c, const std::string& text) { return SetSeconds(text, 1, 600, c.lifetimes.channel); },
     .show = [](const Config& c) { return ShowSeconds(c.lifetimes.channel); }},
    {.name = "user-quota",
     .placeholder = "N",
     .help = "allocations of one user at a time; 0: unlimited",
     .kind = SettingKind::kCount,
     .apply = [](Config& c,
                 const std::string& text) { return SetCount(text, 0, kAnyCount, c.quotas.allocations_per_user); },
     .show = [](const Config& c) { return ShowCount(c.quotas.allocations_per_user); }},
    {.name = "source-quota",
     .placeholder = "N",
     .help = "allocations of one client address, an IPv4 address or an IPv6 /64; 0: unlimited",
     .kind = SettingKind::kCount,
     .apply = [](Config& c,
                 const std::string& text) { return SetCount(text, 0, kAnyCount, c.quotas.allocations_per_source); },
     .show = [](const Config& c) { return ShowCount(c.quotas.allocations_per_source); }},
    {.name = "total-quota",
     .placeholder = "N",
     .help = "allocations of all users at a time; 0: unlimited",
     .kind = SettingKind::kCount,
     .apply = [](Config& c,
                 const std::string& text) { return SetCount(text, 0, kAnyCount, c.quotas.total_allocations); },
     .show = [](const Config& c) { return ShowCount(c.quotas.total_allocations); }},
    {.name = "bandwidth",
     .placeholder = "BYTES/S",
     .help = "payload of one user, both directions together; 0: unlimited",
     .kind = SettingKind::kCount,
     .apply = [](Config& c,
                 const std::string& text) { return SetCount(text, 0, kAnyCount, c.quotas.bandwidth_per_user); },
     .show = [](const Config& c) { return ShowCount(c.quotas.bandwidth_per_user); }},
    {.name = "total-bandwidth",
     .placeholder = "BYTES/S",
     .help = "payload of all users; 0: unlimited",
     .kind = SettingKind::kCount,
     .apply = [](Config& c, const std::string& text) { return SetCount(text, 0, kAnyCount, c.quotas.total_bandwidth); },
     .show = [](const Config& c) { return ShowCount(c.quotas.total_bandwidth); }},
    {.name = "max-allocations",
     .placeholder = "N",
     .help = "allocations that a worker has room for, whatever the quotas say",
     .kind = SettingKind::kCount,
     .apply = [](Config& c,
                 const std::string& text) { return SetCount(text, 1, 1 << 20, c.operation.max_allocations); },
     .show = [](const Config& c) { return ShowCount(c.operation.max_allocations); }},
    {.name = "stranger-rate",
     .placeholder = "N",
     .help = "answers a second to one address that has not authenticated; 0: unlimited",
     .kind = SettingKind::kCount,
     .apply = [](Config& c,
                 const std::string& text) { return SetCount(text, 0, 1 << 30, c.operation.strangers_per_second); },
     .show = [](const Config& c) { return ShowCount(c.operation.strangers_per_second); }},
};

const Setting kOperationSettings[] = {
    {.name = "workers",
     .placeholder = "N",
     .help = "threads, each with a loop and sockets of its own",
     .kind = SettingKind::kCount,
     .apply = [](Config& c, const std::string& text) { return SetCount(text, 1, 256, c.operation.workers); },
     .show = [](const Config& c) { return ShowCount(c.operation.workers); }},
    {.name = "metrics",
     .placeholder = "HOST:PORT",
     .help = "HTTP: /metrics for Prometheus, and /healthz",
     .apply = SetMetrics,
     .show = [](const Config& c) -> Texts {
       const auto& metrics = c.operation.metrics;
       if (!metrics) return {};
       const bool is_v6 = metrics->host.find(':') != std::string::npos;
       return {(is_v6 ? "[" + metrics->host + "]" : metrics->host) + ":" + std::to_string(metrics->port)};
     }},
    {.name = "drain-time",
     .placeholder = "SECONDS",
     .help = "how long SIGTERM waits for allocations to end",
     .kind = SettingKind::kCount,
     .reload = SettingReload::kTakesEffect,
     .apply = [](Config& c, const std::string& text) -> Applied {
       uint64_t seconds = 0;
       if (const auto set = SetCount(text, 0, kDay, seconds); !set) return set;
       c.operation.drain_time = std::chrono::seconds(seconds);
       return {};
     },
     .show = [](const Config& c) { return ShowSeconds(c.operation.drain_time); }},
    {.name = "drain-alternate",
     .placeholder = "ADDRESS:PORT",
     .help = "server that new clients are sent to meanwhile (300 Try Alternate)",
     .arity = SettingArity::kMany,
     .reload = SettingReload::kTakesEffect,
     .apply = AddAlternate,
     .show = [](const Config& c) { return ShowAll(c.operation.drain_alternates); }},
};

std::vector<Setting> AllSettings() {
  using Part = std::span<const Setting>;
  std::vector<Setting> all;
  for (const Part part : {Part(kListenSettings), Part(kAccessSettings), Part(kRelaySettings), Part(kLimitSettings),
                          Part(kOperationSettings)}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace

std::span<const Setting> TurnServerSettings() {
  static const std::vector<Setting> settings = AllSettings();
  return settings;
}

const Setting* FindSetting(std::string_view name) {
  const auto settings = TurnServerSettings();
  const auto found = std::ranges::find(settings, name, &Setting::name);
  return found == settings.end() ? nullptr : &*found;
}

}  // namespace jsp::tool
