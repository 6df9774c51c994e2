#include "bench/natlab/scenario.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>

#include "bench/natlab/json_lines.h"

namespace jsp::natlab {
namespace {

using netsim::NatType;
using netsim::Site;

std::string ErrorOf(const std::string& text) {
  const auto scenario = ParseScenario(text, "s.json");
  return scenario ? "none" : scenario.error();
}

TEST(ScenarioTest, SaysWhatIsMeasured) {
  const auto scenario = ParseScenario(R"({
    "version": 1, "name": "n", "about": "x", "types": ["port", "sym"], "families": ["ipv6"], "runs": 7, "relay": false,
    "site": "same-carrier", "carrier": "addr", "hairpin": true, "ice_tcp": true,
    "links": {"a": {"delay_ms": 5, "jitter_ms": 1.5, "loss": 0.25, "kbit_per_s": 8}}
  })",
                                      "s.json");
  ASSERT_TRUE(scenario) << scenario.error();
  const MatrixOptions& matrix = scenario->matrix;
  EXPECT_EQ(scenario->name, "n");
  EXPECT_EQ(matrix.types, (std::vector{NatType::kPort, NatType::kSymmetric}));
  EXPECT_EQ(matrix.families, std::vector{IpAddress::Family::kV6});
  EXPECT_EQ(matrix.runs, 7u);
  EXPECT_EQ(matrix.relay, RelayService::kNone);
  EXPECT_EQ(matrix.network.joint.site, Site::kSameCarrier);
  EXPECT_EQ(matrix.network.joint.carrier, NatType::kAddress);
  EXPECT_TRUE(matrix.network.joint.hairpin);
  EXPECT_TRUE(matrix.network.joint.ice_tcp);
  ASSERT_TRUE(matrix.network.a_access);
  EXPECT_EQ(matrix.network.a_access->delay, std::chrono::milliseconds(5));
  EXPECT_EQ(matrix.network.a_access->jitter, std::chrono::microseconds(1500));
  EXPECT_EQ(matrix.network.a_access->bytes_per_second, 1000u);
  EXPECT_FALSE(matrix.network.b_access);
}

TEST(ScenarioTest, AnErrorNamesFileLineAndKey) {
  EXPECT_EQ(ErrorOf("{\n\"version\": 1,\n\"types\": [\"port\",\n\"nonsense\"]}"),
            "s.json:4: key 'types[1]': unknown NAT type 'nonsense'; it is one of " + netsim::NatTypeNames());
  EXPECT_EQ(ErrorOf("{\n\"version\": 1,\n\"typos\": []}").substr(0, 48),
            "s.json:3: key 'typos': there is no such key; kno");
  EXPECT_EQ(ErrorOf("{\"version\": 1, \"types\": [\"port\"],\n\"links\": {\n\"b\": {\"loss\": 2}}}"),
            "s.json:3: key 'links.b.loss': it has to be a number from 0 to 1");
  EXPECT_EQ(ErrorOf("{\"version\": 1,\n\"runs\": 1.5, \"types\": [\"port\"]}"),
            "s.json:2: key 'runs': it has to be a whole number from 1 to 100000");
  EXPECT_EQ(ErrorOf("{\"version\": 1,\n\n\"version\": 1}"), "s.json:3: key 'version' is there twice");
  EXPECT_EQ(ErrorOf("{\"version\": 1,\n\"types\": [\"port\"]"), "s.json:2: incomplete JSON");
  EXPECT_EQ(ErrorOf("[]"), "s.json:1: the document: it has to be an object");
}

TEST(ScenarioTest, RefusesWhatDoesNotFitTogether) {
  const auto with = [](const std::string& rest) { return ErrorOf("{\"version\": 1, " + rest + "}"); };
  EXPECT_NE(with(R"("types": ["port"], "site": "same-carrier")").find("needs a carrier"), std::string::npos);
  EXPECT_NE(with(R"("types": ["port"], "carrier": "fw")").find("translates"), std::string::npos);
  EXPECT_NE(with(R"("types": ["port"], "hairpin": true)").find("same-carrier"), std::string::npos);
  EXPECT_NE(with(R"("types": ["port"], "mix": "home")").find("leave one"), std::string::npos);
  EXPECT_NE(with(R"("types": ["port", "port"])").find("twice"), std::string::npos);
  EXPECT_NE(with(R"("types": [])").find("at least one"), std::string::npos);
  EXPECT_NE(with(R"("runs": 1)").find("types or a mix"), std::string::npos);
  EXPECT_NE(with(R"("types": ["port"], "links": {"a": {"delay_ms": 1, "jitter_ms": 2}})").find("larger"),
            std::string::npos);
}

TEST(ScenarioTest, AnotherVersionIsNamedBeforeAllThatItMayHave) {
  const std::string reads = "key 'version': this program reads version 1, a number, not ";
  EXPECT_EQ(ErrorOf(R"({"types": ["port"]})"), "s.json:1: key 'version': it is missing; this program reads version 1");
  EXPECT_EQ(ErrorOf("{\n\"version\": 2, \"news\": []}"), "s.json:2: " + reads + "2");
  EXPECT_EQ(ErrorOf("{\n\n\"version\": \"1\"}"), "s.json:3: " + reads + "\"1\"");
  EXPECT_EQ(ErrorOf("{\"version\": 1.5}"), "s.json:1: " + reads + "1.5");
  EXPECT_EQ(ErrorOf("{\"version\": null}"), "s.json:1: " + reads + "null");
  EXPECT_EQ(ErrorOf("{\"version\": \"" + std::string(1000, 'x') + "\"}"),
            "s.json:1: " + reads + "\"" + std::string(39, 'x') + "…");
}

TEST(ScenarioTest, FewPortsAndEventsAreReadAndWhatIsWrongWithThemIsNamed) {
  const auto scenario = ParseScenario(R"({"version": 1, "types": ["port"], "carrier": "sym",
      "ports": {"pool": 64, "quota": 4}, "events": [
      {"after_ms": 100, "what": "reboot", "nat": "a", "down_ms": 7}, {"what": "renumber", "nat": "carrier-b"}]})",
                                      "s.json");
  ASSERT_TRUE(scenario) << scenario.error();
  const Network& network = scenario->matrix.network;
  EXPECT_EQ(network.joint.ports.pool, 64);
  EXPECT_EQ(network.joint.ports.quota, 4);
  ASSERT_EQ(network.events.size(), 2u);
  EXPECT_EQ(network.events[0].after, std::chrono::milliseconds(100));
  EXPECT_EQ(network.events[0].down, std::chrono::milliseconds(7));
  EXPECT_EQ(network.events[1].what, NetworkEvent::What::kRenumber);
  EXPECT_EQ(network.events[1].where, NetworkEvent::Where::kCarrierB);
  const auto error = [](const std::string& rest) {
    const auto parsed = ParseScenario("{\"version\": 1, \"types\": [\"port\"],\n" + rest + "}", "s.json");
    return parsed ? std::string("none") : parsed.error();
  };
  EXPECT_EQ(error("\"ports\": {\"pool\": 0}"),
            "s.json:2: key 'ports.pool': it has to be a whole number from 1 to 64512");
  EXPECT_EQ(error("\"ports\": {\"size\": 9}"),
            "s.json:2: key 'ports.size': there is no such key; known are pool, quota, overload");
  EXPECT_EQ(error("\"events\": [{\"what\": \"flood\", \"nat\": \"a\"}]"),
            "s.json:2: key 'events[0].what': 'flood' is none of reboot, renumber");
  EXPECT_EQ(error("\"events\": [{\"what\": \"reboot\"}]"),
            "s.json:2: key 'events[0].nat': '' is none of a, b, carrier-a, carrier-b");
  EXPECT_EQ(error("\"events\": [{\"what\": \"reboot\", \"nat\": \"carrier-a\"}]"),
            "s.json:2: key 'events[0].nat': the scenario has no carrier");
  EXPECT_EQ(error("\"events\": {}"), "s.json:2: key 'events': it has to be a list of at most 100 objects");
  EXPECT_EQ(error("\"ports\": {\"quota\": 3},\n\"ice_tcp\": true"),
            "s.json:2: key 'ports': with ice_tcp there have to be 16 at least: who gets the last ones is a matter of "
            "time");
}

TEST(ScenarioTest, OverloadedPortsAndTimersAreReadAndWhatIsWrongWithThemIsNamed) {  // RFC 4787 §12 REQ-3, REQ-5, REQ-6
  const auto parse = [](const std::string& rest) {
    return ParseScenario("{\"version\": 1, \"types\": [\"port\"],\n" + rest + "}", "s.json");
  };
  const auto scenario = parse(R"("ports": {"overload": true}, "timers": {"refresh": "both", "udp_ms": 30000})");
  ASSERT_TRUE(scenario) << scenario.error();
  const Joint& joint = scenario->matrix.network.joint;
  EXPECT_TRUE(joint.ports.overload);
  EXPECT_EQ(joint.timers.refresh, netsim::Refresh::kBoth);
  EXPECT_EQ(joint.timers.udp, std::chrono::seconds(30));
  const auto error = [&](const std::string& rest) {
    const auto parsed = parse(rest);
    return parsed ? std::string("none") : parsed.error();
  };
  EXPECT_EQ(error("\"ports\": {\"overload\": 1}"), "s.json:2: key 'ports.overload': it has to be true or false");
  EXPECT_EQ(error("\"ports\": {\"overload\": true, \"pool\": 99}"),
            "s.json:2: key 'ports': overloaded ports are those of the inside, and no pool has them");
  EXPECT_EQ(error("\"carrier\": \"sym\", \"site\": \"same-carrier\", \"ports\": {\"overload\": true}"),
            "s.json:2: key 'ports': what comes to an overloaded port of one carrier's NAT is for whoever sent last");
  EXPECT_EQ(error("\"timers\": {\"refresh\": \"inbound\"}"),
            "s.json:2: key 'timers.refresh': 'inbound' is none of outbound, both");
  EXPECT_EQ(error("\"timers\": {\"udp_ms\": 1000}"),
            "s.json:2: key 'timers.udp_ms': less than 20000 is less than what peers send to keep a mapping");
  EXPECT_EQ(error("\"timers\": {\"tcp_ms\": 1}"),
            "s.json:2: key 'timers.tcp_ms': there is no such key; known are refresh, udp_ms");
}

TEST(ScenarioTest, ANat64LeadsToIpv4Only) {
  const auto error = [](const std::string& rest) {
    return ParseScenario("{\"version\": 1, \"types\": [\"nat64\"],\n" + rest + "}", "s.json").error();
  };
  EXPECT_EQ(error("\"families\": [\"ipv6\"]"),
            "s.json:2: key 'families': nat64 is a way from IPv6 to IPv4: with it there is ipv4 only");
  EXPECT_EQ(error("\"carrier\": \"port\""), "s.json:2: key 'carrier': nobody's NAT64 is behind a carrier's NAT");
}

TEST(ScenarioTest, APresetIsKnownByItsName) {
  std::set<std::string> names;
  for (const Scenario& preset : ScenarioPresets()) names.insert(preset.name);
  const std::set<std::string> expected = {"home",        "office",    "mobile-cgn",  "enterprise",
                                          "udp-blocked", "ipv6-only", "crowded-cgn", "renumbering",
                                          "same-lan",    "hairpin",   "all"};
  EXPECT_EQ(names, expected);
  EXPECT_EQ(LoadScenario("home")->mix, "home");
  EXPECT_NE(LoadScenario("hom").error().find("home"), std::string::npos) << "the known ones are listed";
}

TEST(ScenarioTest, AFileIsKnownByItsPath) {
  const std::string path = testing::TempDir() + "/mine.json";
  std::ofstream(path) << R"({"version": 1, "name": "x", "types": ["port"]})";
  EXPECT_EQ(LoadScenario(path)->matrix.scenario, path);
}

TEST(ScenarioTest, EveryPresetEndsAsTheOracleSays) {
  for (const Scenario& preset : ScenarioPresets()) {
    if (preset.name == "all") continue;  // MatrixTest's, and //bench/natlab:matrix
    MatrixOptions options = preset.matrix;
    options.runs = 1;
    const Report report = RunMatrix(options);
    EXPECT_FALSE(report.cells.empty()) << preset.name;
    for (const CellReport& cell : report.cells) {
      EXPECT_EQ(cell.mismatches, 0u) << preset.name << ": " << ToString(cell.a) << " - " << ToString(cell.b) << ": "
                                     << cell.why;
    }
  }
}

// All types against each other, behind each kind of carrier: apart, and behind the same one, which hairpins or not.
TEST(ScenarioTest, CarriersEndAsTheOracleSays) {  // RFC 6888 §3, RFC 4787 §6
  for (const auto carrier : {NatType::kFullCone, NatType::kAddress, NatType::kPort, NatType::kSymmetric}) {
    for (const auto& [site, hairpin] :
         {std::pair{Site::kApart, false}, {Site::kSameCarrier, false}, {Site::kSameCarrier, true}}) {
      MatrixOptions options;
      options.types = {NatType::kPublic, NatType::kFirewall,  NatType::kFullCone,   NatType::kAddress,
                       NatType::kPort,   NatType::kSymmetric, NatType::kPortReject, NatType::kUdpBlocked};
      options.network.joint = {site, carrier, hairpin};
      const Report report = RunMatrix(options);
      for (const CellReport& cell : report.cells) {
        EXPECT_EQ(cell.mismatches, 0u) << ToString(carrier) << (site == Site::kApart ? " apart" : " same")
                                       << (hairpin ? " hairpin" : "") << ": " << ToString(cell.a) << " - "
                                       << ToString(cell.b) << ": " << cell.why;
      }
    }
  }
}

TEST(JsonLinesTest, GiveTheLineOfEveryValue) {
  const auto lines = IndexJsonLines("{\n\"a\":[1,\n2],\n\"b\":{\"c\":true\n}}\n");
  ASSERT_TRUE(lines);
  EXPECT_EQ(*lines, (std::map<std::string, size_t>{{"", 1}, {"a", 2}, {"a[0]", 2}, {"a[1]", 3}, {"b", 4}, {"b.c", 4}}));
  EXPECT_EQ(IndexJsonLines("[1]\n\n3").error().line, 3u);
  EXPECT_EQ(IndexJsonLines("").error().line, 1u);
}

}  // namespace
}  // namespace jsp::natlab
