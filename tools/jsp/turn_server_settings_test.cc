#include "tools/jsp/turn_server_settings.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tools/jsp/turn_server_reload.h"

namespace jsp::tool {
namespace {

using turn::ControlTransport;

Expected<TurnServerConfig, std::string> FromToml(const std::string& toml, const SettingValues& command_line = {}) {
  const auto file = ParseSettings(toml, "t.toml");
  if (!file) return Unexpected<std::string>(file.error());
  return MakeTurnServerConfig(*file, command_line);
}

std::string ErrorOf(const std::string& toml) {
  const auto config = FromToml(toml);
  EXPECT_FALSE(config) << toml;
  return config ? "" : config.error();
}

std::string CommandLineError(const std::string& name, const std::string& value) {
  const auto config = MakeTurnServerConfig({}, {{name, {{value, "--" + name}}}});
  EXPECT_FALSE(config) << name << " " << value;
  return config ? "" : config.error();
}

// Every setting, each with a value that is not its default.
constexpr const char* kEverything = R"(
listen = ["udp://192.0.2.1:3478", "tcp://[2001:db8::1]:3478", "tls://192.0.2.1:5349", "udp://127.0.0.1:1"]
realm = "example.org"
software = "a \"server\""
alternate-address = "192.0.2.2"
cert = "/etc/jsp/cert.pem"
key = "/etc/jsp/key.pem"
user = ["alice:wonderland", "bob:a:b"]
shared-secret = ["one \\ two", "second"]
relay-address = ["192.0.2.3/10.0.0.3", "2001:db8::3"]
relay-ports = "50000-50999"
allow-peer = ["10.0.0.0/8", "fd00::/8"]
deny-peer = ["192.0.2.99", "198.51.100.0/24"]
legacy-channels = false
default-lifetime = 700
max-lifetime = 1800
permission-lifetime = 30
channel-lifetime = 60
user-quota = 10
source-quota = 7
total-quota = 5000
bandwidth = 1000000
total-bandwidth = 100000000
max-allocations = 1000
stranger-rate = 0
workers = 4
metrics = "[::1]:9641"
drain-time = 5
drain-alternate = ["192.0.2.9:3478"]
)";

TEST(TurnServerSettingsTest, ReadsEverySettingOfAFile) {
  const auto config = FromToml(kEverything);
  ASSERT_TRUE(config) << config.error();
  ASSERT_EQ(config->listen.size(), 4u);
  EXPECT_EQ(config->listen[1].transport, ControlTransport::kTcp);
  EXPECT_EQ(config->listen[1].ToString(), "tcp://[2001:db8::1]:3478");
  EXPECT_EQ(config->listen[2].transport, ControlTransport::kTls);
  EXPECT_EQ(config->realm, "example.org");
  EXPECT_EQ(config->software, "a \"server\"");
  ASSERT_EQ(config->access.users.size(), 2u);
  EXPECT_EQ(config->access.users[1].keys, stun::LongTermKeys::Of("bob", "example.org", "a:b"));
  EXPECT_EQ(config->access.shared_secrets.front(), "one \\ two");
  EXPECT_EQ(config->relaying.addresses[0].bound, IpAddress::V4(10, 0, 0, 3));
  EXPECT_EQ(config->relaying.addresses[1].bound, config->relaying.addresses[1].advertised);
  EXPECT_EQ(config->relaying.ports.last, 50999);
  EXPECT_EQ(config->relaying.allowed_peers.size(), 2u);
  EXPECT_EQ(config->relaying.denied_peers.front().length, 32);
  EXPECT_FALSE(config->relaying.legacy_channels);
  EXPECT_EQ(config->lifetimes.permission, std::chrono::seconds(30));
  EXPECT_EQ(config->quotas.allocations_per_source, 7u);
  EXPECT_EQ(config->quotas.bandwidth_per_user, 1'000'000u);
  EXPECT_EQ(config->operation.strangers_per_second, 0u);
  EXPECT_EQ(config->operation.metrics->host, "::1");
  EXPECT_EQ(config->operation.drain_alternates.front().port, 3478);
}

TEST(TurnServerSettingsTest, PrintsAFileThatReadsBackToTheSameAndHoldsNoPassword) {
  const auto config = FromToml(kEverything);
  ASSERT_TRUE(config) << config.error();
  const std::string printed = PrintTurnServerConfig(*config);
  EXPECT_EQ(printed.find("wonderland"), std::string::npos);
  EXPECT_NE(printed.find("alice:example.org:"), std::string::npos);
  const auto again = FromToml(printed);
  ASSERT_TRUE(again) << again.error() << "\n" << printed;
  EXPECT_EQ(PrintTurnServerConfig(*again), printed);
  for (const Setting& setting : TurnServerSettings()) {
    EXPECT_EQ(setting.show(*again), setting.show(*config)) << setting.name;
  }
  EXPECT_EQ(again->access.users, config->access.users);
}

TEST(TurnServerSettingsTest, DefaultsReadBackToo) {
  const auto defaults = MakeTurnServerConfig({}, {});
  ASSERT_TRUE(defaults) << defaults.error();
  ASSERT_EQ(defaults->listen.size(), 2u);
  EXPECT_EQ(defaults->listen.front().ToString(), "udp://0.0.0.0:3478");
  EXPECT_EQ(defaults->quotas.total_allocations, 0u) << "quotas are unlimited unless set";
  EXPECT_EQ(defaults->quotas.allocations_per_user, 0u);
  const std::string printed = PrintTurnServerConfig(*defaults);
  const auto again = FromToml(printed);
  ASSERT_TRUE(again) << again.error() << "\n" << printed;
  EXPECT_EQ(PrintTurnServerConfig(*again), printed);
}

TEST(TurnServerSettingsTest, TheCommandLineReplacesWhatTheFileSays) {
  const SettingValues command_line{{"realm", {{"other", "--realm"}}}, {"user", {{"carol:pw", "--user"}}}};
  const auto config = FromToml("realm = \"example.org\"\nuser = [\"alice:a\", \"bob:b\"]\n", command_line);
  ASSERT_TRUE(config) << config.error();
  EXPECT_EQ(config->realm, "other");
  ASSERT_EQ(config->access.users.size(), 1u);
  EXPECT_EQ(config->access.users.front().name, "carol");
}

TEST(TurnServerSettingsTest, ErrorsOfAFileNameThePlaceTheKeyAndTheRemedy) {
  const std::pair<const char*, std::vector<std::string>> kCases[] = {
      {"realm = \"a\"\nrelay_port = \"1-2\"\n", {"t.toml:2:1: relay_port: ", "nearest is relay-ports"}},
      {"lisen = []\n", {"t.toml:1:1: lisen: ", "nearest is listen"}},
      {"[listen]\nudp = 1\n", {"t.toml:1:1: listen: ", "array of strings"}},
      {"realm = \"a\"\nrealm = \"b\"\n", {"t.toml:2:", "not TOML"}},
      {"realm = \n", {"t.toml:1:", "not TOML"}},
      {"realm = 3\n", {"t.toml:1:9: realm: ", "string in double quotes"}},
      {"user-quota = \"3\"\n", {"t.toml:1:14: user-quota: ", "whole number without quotes"}},
      {"user-quota = -3\n", {"t.toml:1:14: user-quota", "whole number from 0"}},
      {"mobility = 1\n", {"t.toml:1:12: mobility: ", "true or false"}},
      {"listen = \"udp://1.2.3.4:5\"\n", {"t.toml:1:10: listen: ", "array"}},
      {"listen = [\n  \"udp://192.0.2.1:1\",\n  \"sctp://192.0.2.1:1\",\n]\n",
       {"t.toml:3:3: listen sctp://192.0.2.1:1: ", "write udp://"}},
      {"listen = [\"udp://localhost:1\"]\n", {"t.toml:1:11: listen udp://localhost:1: ", "ADDRESS:PORT"}},
      {"listen = [\"udp://192.0.2.1:1\", \"udp://192.0.2.1:1\"]\n", {"t.toml:1:32: ", "twice"}},
      {"listen = [\"tls://192.0.2.1:1\"]\n", {"t.toml:1:11: listen", "--cert FILE and --key FILE"}},
      {"cert = \"c.pem\"\n", {"t.toml:1:8: cert", "--key FILE"}},
      {"relay-address = [\"0.0.0.0\"]\n", {"t.toml:1:18: relay-address", "address of this machine"}},
      {"relay-address = [\"192.0.2.1/::1\"]\n", {"t.toml:1:18: relay-address", "one family"}},
      {"workers = 2\nlisten = [\"udp://192.0.2.1:0\"]\nalternate-address = \"192.0.2.2\"\n",
       {"t.toml:1:11: workers", "port 0"}},
      {"relay-ports = \"80-90\"\n", {"t.toml:1:15: relay-ports", "LO-HI"}},
      {"allow-peer = [\"10.0.0.1/8\"]\n", {"t.toml:1:15: allow-peer", "10.0.0.0/8"}},
      {"default-lifetime = 900\nmax-lifetime = 600\n", {"t.toml:1:20: default-lifetime", "max-lifetime"}},
      {"permission-lifetime = 301\n", {"t.toml:1:23: permission-lifetime", "from 1 to 300"}},
      {"workers = 4\nrelay-ports = \"5000-5006\"\n", {"t.toml:2:15: relay-ports", "4 workers"}},
      {"metrics = \"9641\"\n", {"t.toml:1:11: metrics", "HOST:PORT"}},
      {"shared-secret = [\"\"]\n", {"t.toml:1:18: shared-secret", "is empty"}},
      {"drain-alternate = [\"192.0.2.1:0\"]\n", {"t.toml:1:20: drain-alternate", "ADDRESS:PORT"}},
      {"realm = \"\\u0007\"\n", {"t.toml:1:9: realm", "printable"}},
  };
  for (const auto& [toml, parts] : kCases) {
    const std::string error = ErrorOf(toml);
    EXPECT_TRUE(error.starts_with(parts.front())) << toml << error;
    for (const auto& part : parts) EXPECT_NE(error.find(part), std::string::npos) << toml << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  }
}

TEST(TurnServerSettingsTest, ErrorsOfTheCommandLineNameTheOptionAndNoSecret) {
  EXPECT_TRUE(CommandLineError("listen", "nonsense").starts_with("--listen nonsense: write udp://"));
  const std::string user = CommandLineError("user", "hunter2");
  EXPECT_TRUE(user.starts_with("--user: write NAME:PASSWORD")) << user;
  EXPECT_EQ(user.find("hunter2"), std::string::npos);
  const auto twice = MakeTurnServerConfig({}, {{"realm", {{"a", "--realm"}, {"b", "--realm"}}}});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error(), "--realm: is given twice; remove one");
}

TEST(TurnServerSettingsTest, KeysOfUsersAreBoundToTheirRealm) {
  const auto user = MakeTurnUser("a:b", "one");
  ASSERT_TRUE(user);
  const std::string key = UserKeyText({"x:y", user->keys}, "one");
  const auto config = FromToml("realm = \"one\"\nuser-key = [\"" + key + "\"]\n");
  ASSERT_TRUE(config) << config.error();
  EXPECT_EQ(config->access.users.front().name, "x:y") << "a name may hold colons, a file can say so";
  EXPECT_EQ(config->access.users.front().keys, user->keys);
  EXPECT_NE(ErrorOf("realm = \"two\"\nuser-key = [\"" + key + "\"]\n").find("another realm"), std::string::npos);
  EXPECT_NE(ErrorOf("user-key = [\"" + key.substr(1) + "0\"]\n").find("--hash-user"), std::string::npos);
  EXPECT_NE(ErrorOf("realm = \"one\"\nuser = [\"x:1\", \"x:2\"]\n").find("twice"), std::string::npos);
}

TEST(TurnServerSettingsTest, OneLifetimeAloneMovesTheOther) {
  const auto shorter = FromToml("max-lifetime = 60\n");
  ASSERT_TRUE(shorter) << shorter.error();
  EXPECT_EQ(shorter->lifetimes.default_allocation, std::chrono::seconds(60));
  const auto longer = FromToml("default-lifetime = 7200\n");
  ASSERT_TRUE(longer) << longer.error();
  EXPECT_EQ(longer->lifetimes.max_allocation, std::chrono::seconds(7200));
}

TEST(TurnServerReloadTest, SaysWhatChangedAndWhatWaitsForARestart) {
  const auto before = FromToml("user = [\"a:1\", \"b:2\"]\nshared-secret = [\"s\"]\n");
  const auto after =
      FromToml("user = [\"b:3\", \"c:4\", \"d:5\"]\nshared-secret = [\"t\", \"s\"]\nworkers = 2\nuser-quota = 1\n");
  ASSERT_TRUE(before && after);
  const auto plan = PlanReload(*before, *after);
  ASSERT_TRUE(plan) << plan.error();
  EXPECT_EQ(plan->report,
            "users 3 (2 added, 1 removed, 1 changed), shared secrets 2 (1 added); waiting for a restart: user-quota, "
            "workers");
  EXPECT_EQ(plan->config.access.users, after->access.users);
  EXPECT_EQ(plan->config.operation.workers, 1u) << "the next reload says so again";
  const auto again = PlanReload(plan->config, *after);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->report, "users 3, shared secrets 2; waiting for a restart: user-quota, workers");
}

TEST(TurnServerReloadTest, AnotherRealmIsRefused) {
  const auto before = FromToml("realm = \"a\"\n");
  const auto after = FromToml("realm = \"b\"\n");
  ASSERT_TRUE(before && after);
  const auto plan = PlanReload(*before, *after);
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().find("restart"), std::string::npos);
}

TEST(NearestSettingTest, FindsATypingMistake) {
  EXPECT_EQ(NearestSetting("relay_address"), "relay-address");
  EXPECT_EQ(NearestSetting("permision-lifetime"), "permission-lifetime");
  EXPECT_EQ(NearestSetting(std::string(100'000, 'x')).empty(), false);
}

}  // namespace
}  // namespace jsp::tool
