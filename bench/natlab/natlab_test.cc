#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "bench/natlab/cell_runner.h"
#include "bench/natlab/matrix.h"
#include "bench/natlab/matrix_processes.h"
#include "bench/natlab/oracle.h"
#include "bench/natlab/report.h"

namespace jsp::natlab {
namespace {

using netsim::NatType;

constexpr auto kAlone = RelayService::kNone;
constexpr auto kRelayed = RelayService::kPresent;

TEST(OracleTest, KnowsTheMeasuredCells) {  // RFC 4787 §4.1, §5
  EXPECT_EQ(ExpectedOutcome(NatType::kPort, NatType::kPort, kAlone), Outcome::kDirect);
  EXPECT_EQ(ExpectedOutcome(NatType::kPort, NatType::kSymmetric, kAlone), Outcome::kNone);
  EXPECT_EQ(ExpectedOutcome(NatType::kSymmetric, NatType::kPort, kAlone), Outcome::kNone);
  EXPECT_EQ(ExpectedOutcome(NatType::kSymmetric, NatType::kSymmetric, kAlone), Outcome::kNone);
  EXPECT_EQ(ExpectedOutcome(NatType::kSymmetric, NatType::kAddress, kAlone), Outcome::kDirect);
  EXPECT_EQ(ExpectedOutcome(NatType::kSymmetric, NatType::kPublic, kAlone), Outcome::kDirect);
  EXPECT_EQ(ExpectedOutcome(NatType::kSymmetric, NatType::kSymmetric, kRelayed), Outcome::kRelay);
  EXPECT_EQ(ExpectedOutcome(NatType::kPort, NatType::kSymmetricOpen, kAlone), Outcome::kDirect);
  EXPECT_EQ(ExpectedOutcome(NatType::kSymmetricOpen, NatType::kSymmetricOpen, kAlone), Outcome::kDirect);
  EXPECT_EQ(ExpectedOutcome(NatType::kUdpBlocked, NatType::kPublic, kAlone), Outcome::kNone);
  EXPECT_EQ(ExpectedOutcome(NatType::kUdpBlocked, NatType::kUdpBlocked, kRelayed), Outcome::kRelay);
}

TEST(OracleTest, ARejectingNatLosesWhenItsSideOffers) {
  EXPECT_EQ(ExpectedOutcome(NatType::kPortReject, NatType::kPort, kRelayed), Outcome::kRelay);
  EXPECT_EQ(ExpectedOutcome(NatType::kPort, NatType::kPortReject, kRelayed), Outcome::kDirect);
  EXPECT_EQ(ExpectedOutcome(NatType::kPortReject, NatType::kAddress, kRelayed), Outcome::kDirect)
      << "ports do not matter";
  EXPECT_EQ(ExpectedOutcome(NatType::kPortReject, NatType::kFirewall, kRelayed), Outcome::kDirect)
      << "a fires first there";
  EXPECT_EQ(ExpectedOutcome(NatType::kPortReject, NatType::kPublic, kRelayed), Outcome::kDirect);
}

TEST(OracleTest, IsSymmetricWhereNothingRaces) {
  for (const auto a : netsim::AllNatTypes()) {
    for (const auto b : netsim::AllNatTypes()) {
      if (a == NatType::kPortReject || b == NatType::kPortReject) continue;
      EXPECT_EQ(ExpectedOutcome(a, b, kAlone), ExpectedOutcome(b, a, kAlone));
    }
  }
}

TEST(OracleTest, SaysWhyOnlyWhereThereIsNoDirectWay) {
  for (const auto a : netsim::AllNatTypes()) {
    for (const auto b : netsim::AllNatTypes()) {
      EXPECT_EQ(WhyNotDirect(a, b).empty(), ExpectedOutcome(a, b, kAlone) == Outcome::kDirect);
    }
  }
  EXPECT_EQ(WhyNotDirect(NatType::kUdpBlocked, NatType::kPort), "a's network blocks UDP");
  EXPECT_EQ(WhyNotDirect(NatType::kPort, NatType::kSymmetric),
            "b maps per destination, and a's filter admits only the port that it sent to");
}

TEST(MatrixTest, EveryCellIsAsTheOracleSaysWithARelayAndWithout) {
  for (const auto relay : {kAlone, kRelayed}) {
    MatrixOptions options;
    options.families = {IpAddress::Family::kV4, IpAddress::Family::kV6};
    options.types.assign(netsim::AllNatTypes().begin(), netsim::AllNatTypes().end());
    options.relay = relay;
    const Report report = RunMatrix(options);
    ASSERT_EQ(report.cells.size(), 288u);
    EXPECT_EQ(report.mismatches(), 0u);
    for (const auto& cell : report.cells) {
      EXPECT_EQ(cell.mismatches, 0u) << ToString(cell.a) << " - " << ToString(cell.b) << ": " << cell.why;
      EXPECT_TRUE(relay == kAlone || cell.none == 0);
    }
  }
}

// Where UDP is blocked and the other side is in the open there is a direct way, with a relay at hand and without.
TEST(MatrixTest, WithIceTcpEveryCellIsAsTheOracleSaysToo) {  // RFC 6544 §1
  for (const auto relay : {kAlone, kRelayed}) {
    MatrixOptions options;
    options.types.assign(netsim::AllNatTypes().begin(), netsim::AllNatTypes().end());
    options.relay = relay;
    options.network.joint.ice_tcp = true;
    size_t over_tcp = 0;
    for (const auto& cell : RunMatrix(options).cells) {
      EXPECT_EQ(cell.mismatches, 0u) << ToString(cell.a) << " - " << ToString(cell.b) << ": " << cell.why;
      const bool is_blocked = cell.a == NatType::kUdpBlocked || cell.b == NatType::kUdpBlocked;
      for (const auto& [pair, count] : cell.pair_types) {
        const bool is_tcp = pair.ends_with("-tcp");
        over_tcp += is_tcp ? count : 0;
        EXPECT_TRUE(!is_tcp || is_blocked) << pair << ": UDP is preferred";
      }
    }
    EXPECT_EQ(over_tcp, 2u);  // udpblock and public, either way
  }
  Joint joint{.carrier = NatType::kPort, .ice_tcp = true};
  EXPECT_EQ(ExpectedOutcome(NatType::kUdpBlocked, NatType::kPublic, kAlone, joint), Outcome::kNone);
  joint.site = netsim::Site::kSameCarrier;
  EXPECT_EQ(ExpectedOutcome(NatType::kUdpBlocked, NatType::kPublic, kAlone, joint), Outcome::kDirect);
}

TEST(MatrixTest, HardNatsAreCrossedWhereTheOracleSaysSo) {
  MatrixOptions options;
  options.types = {NatType::kFirewall,       NatType::kPort,      NatType::kPortReject,
                   NatType::kAddressMapping, NatType::kSymmetric, NatType::kSymmetricSequential};
  options.relay = kAlone;
  options.runs = 3;
  options.network.hard = HardNats::kCrossed;
  const Report report = RunMatrix(options);
  size_t won = 0;
  for (const auto& cell : report.cells) {
    EXPECT_EQ(cell.mismatches, 0u) << ToString(cell.a) << " - " << ToString(cell.b) << ": " << cell.why;
    won += cell.won ? 1 : 0;
  }
  EXPECT_EQ(won, 2 * 2 * 3 + 2 + 1u)
      << "two easy filters with three mappings, either way; a rejecting one with ports that "
         "are predicted, either way; and a rejecting one that offers";
}

TEST(MatrixTest, AReportKeepsTheOptionsThatReproduceIt) {
  EXPECT_EQ(WaysOf({}), "");
  const Network network{.joint = {.ice_tcp = true}, .hard = HardNats::kCrossed};
  EXPECT_EQ(WaysOf(network), "--ice-tcp --prediction");
  MatrixOptions options;
  options.types = {NatType::kPublic};
  options.network = network;
  EXPECT_EQ(RunMatrix(options).ways, "--ice-tcp --prediction");
  EXPECT_EQ(RunMatrixInProcesses(options, {.jobs = 1}).ways, "--ice-tcp --prediction");
}

TEST(MatrixTest, TheSameSeedGivesTheSameReport) {
  MatrixOptions options;
  options.types = {NatType::kPort, NatType::kSymmetric};
  options.seed = 42;
  EXPECT_EQ(ToJson(RunMatrix(options)), ToJson(RunMatrix(options)));
}

TEST(CellRunnerTest, SaysWhyThereIsNoConnection) {
  const RunResult result = RunCell({NatType::kSymmetric, NatType::kSymmetric, kAlone});
  EXPECT_EQ(result.outcome, Outcome::kNone);
  EXPECT_FALSE(result.to_first_message);
  EXPECT_NE(result.why.find("both sides map per destination"), std::string::npos) << result.why;
  EXPECT_NE(result.why.find("no relay is available"), std::string::npos) << result.why;
}

TEST(CellRunnerTest, NamesThePairThatWasSelected) {
  const RunResult result = RunCell({NatType::kPort, NatType::kPort, kRelayed});
  ASSERT_EQ(result.outcome, Outcome::kDirect) << result.why;
  EXPECT_TRUE(result.pair_type == "srflx-srflx" || result.pair_type == "host-srflx") << result.pair_type;
  EXPECT_LT(result.to_first_message, std::chrono::seconds(2));
  EXPECT_EQ(result.why, "");
}

TEST(CellRunnerTest, SaysHowAndWhyARelayIsUsed) {
  const RunResult over_udp = RunCell({NatType::kSymmetric, NatType::kPort, kRelayed});
  EXPECT_EQ(over_udp.outcome, Outcome::kRelay);
  EXPECT_EQ(over_udp.relay_protocol, "udp");
  EXPECT_NE(over_udp.pair_type.find("relay"), std::string::npos);
  EXPECT_NE(over_udp.why.find("a maps per destination"), std::string::npos) << over_udp.why;
  const RunResult over_tcp = RunCell({NatType::kUdpBlocked, NatType::kUdpBlocked, kRelayed});
  EXPECT_EQ(over_tcp.outcome, Outcome::kRelay);
  EXPECT_EQ(over_tcp.relay_protocol, "tcp");
  EXPECT_EQ(over_tcp.why, "both networks block UDP; relayed over tcp");
  const RunResult over_tls = RunCell({NatType::kTcp443, NatType::kUdpBlocked, kRelayed});
  EXPECT_EQ(over_tls.outcome, Outcome::kRelay);
  EXPECT_EQ(over_tls.relay_protocol, "tls") << "of a's relay, RFC 8656 §3.1";
}

TEST(DistributionTest, TakesNearestRanks) {
  const auto d = Distribution::Of({5, 1, 4, 2, 3});
  EXPECT_EQ(d.p50, 3);
  EXPECT_EQ(d.p95, 5);
  EXPECT_EQ(d.max, 5);
  EXPECT_EQ(Distribution::Of({}).count, 0u);
}

TEST(DistributionTest, AQuantilesIntervalIsBetweenOrderStatistics) {
  std::vector<double> twenty;
  for (int i = 1; i <= 20; ++i) twenty.push_back(i);
  const auto d = Distribution::Of(twenty);
  // The classical ranks of n = 20: P(6 <= Binomial(20, 1/2) < 15) = 0.9586.
  ASSERT_TRUE(d.p50_interval);
  EXPECT_EQ(d.p50_interval->low, 6);
  EXPECT_EQ(d.p50_interval->high, 15);
  EXPECT_FALSE(d.p95_interval) << "no rank of twenty is surely above the 95th percentile";
  EXPECT_FALSE(Distribution::Of({1, 2, 3, 4, 5}).p50_interval) << "2 * (1/2)^5 > 0.05";
  EXPECT_TRUE(Distribution::Of({1, 2, 3, 4, 5, 6}).p50_interval);
}

TEST(DistributionTest, AShareHasWilsonsInterval) {
  const auto all = ShareInterval(20, 20);  // 20 / (20 + 1.96²)
  EXPECT_NEAR(all.low, 0.8389, 0.0001);
  EXPECT_EQ(all.high, 1);
  const auto half = ShareInterval(10, 20);
  EXPECT_NEAR(half.low, 0.2993, 0.0001);
  EXPECT_NEAR(half.high, 0.7007, 0.0001);
  EXPECT_EQ(ShareInterval(0, 0).high, 1);
}

TEST(CellRunnerTest, SaysWhenEachStepWasReached) {
  const RunResult result = RunCell({NatType::kPort, NatType::kPort, kRelayed});
  ASSERT_TRUE(result.to_first_valid && result.to_dtls && result.to_nominated && result.to_first_message);
  EXPECT_LT(*result.to_first_valid, *result.to_dtls);
  EXPECT_LT(*result.to_dtls, *result.to_first_message);
  EXPECT_GE(*result.to_nominated, *result.to_first_valid);
  EXPECT_GT(result.bytes_sent, 2000u) << "two handshakes' flights at least";
}

Report Sample() {
  Report report;
  report.types = {NatType::kPort, NatType::kSymmetric};
  CellReport good;
  good.a = good.b = NatType::kPort;
  good.expected = Outcome::kDirect;
  good.direct = 2;
  good.pair_types["srflx-srflx"] = 2;
  good.times_ms = {101.5, 120};
  good.samples.checks_sent = {8, 10};
  CellReport bad;
  bad.a = NatType::kPort;
  bad.b = NatType::kSymmetric;
  bad.none = 2;
  bad.why = "<b maps & moves>";
  report.cells = {good, bad};
  report.paths = {{.path = "host", .connect_ms = Distribution::Of({12}), .rtt_ms = Distribution::Of({0.2})}};
  report.paths[0].mbytes_per_s = 150;
  return report;
}

TEST(ReportTest, WritesTheDocumentOfTheContract) {
  const auto document = boost::json::parse(ToJson(Sample())).as_object();
  EXPECT_EQ(document.at("engine").as_string(), "sim");
  EXPECT_EQ(document.at("mismatches").as_int64(), 0);
  const auto& cell = document.at("cells").as_array().at(0).as_object();
  EXPECT_EQ(cell.at("a").as_string(), "port");
  EXPECT_EQ(cell.at("expected").as_string(), "direct");
  EXPECT_EQ(cell.at("observed").at("direct").as_int64(), 2);
  EXPECT_EQ(cell.at("pair_types").at("srflx-srflx").as_int64(), 2);
  EXPECT_EQ(cell.at("time_to_first_message_ms").at("max").as_double(), 120);
  EXPECT_TRUE(cell.at("why").is_null());
  EXPECT_EQ(document.at("paths").as_array().at(0).at("path").as_string(), "host");
}

TEST(ReportTest, ReadsWhatItWrote) {
  Report report = Sample();
  report.paths[0].family = IpAddress::Family::kV6;
  report.paths[0].pair = "host-host";
  report.paths[0].cpu_ms_per_mb = 12.25;
  report.ways = "--ice-tcp";
  const auto again = ParseReport(ToJson(report));
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(ToJson(*again), ToJson(report));
}

TEST(ReportTest, TellsWhatAKernelsNatsDidOrWhyTheyDidNot) {
  Report report = Sample();
  EXPECT_TRUE(boost::json::parse(ToJson(report)).at("kernel").is_null());
  EXPECT_EQ(ToHtml(report).find("With a kernel's NATs"), std::string::npos);
  report.kernel.not_run = "not permitted: <nobody>";
  EXPECT_EQ(boost::json::parse(ToJson(report)).at("kernel").at("not_run").as_string(), "not permitted: <nobody>");
  EXPECT_NE(ToHtml(report).find("Not run: not permitted: &lt;nobody&gt;"), std::string::npos);
  report.kernel = {.cells = {report.cells[0], report.cells[1]}, .not_run = {}};
  report.kernel.cells[1].mismatches = 1;
  EXPECT_EQ(report.mismatches(), 1u);
  const auto cells = boost::json::parse(ToJson(report)).at("kernel").at("cells").as_array();
  ASSERT_EQ(cells.size(), 2u);
  EXPECT_TRUE(cells[0].at("why").is_null());
  EXPECT_EQ(cells[1].at("why").as_string(), "<b maps & moves>");
  EXPECT_NE(ToHtml(report).find("1 of 2 cells with real sockets"), std::string::npos);
}

TEST(ReportTest, TheHtmlIsSelfContainedAndEscaped) {
  const std::string html = ToHtml(Sample());
  EXPECT_NE(html.find("&lt;b maps &amp; moves&gt;"), std::string::npos);
  EXPECT_EQ(html.find("<b maps"), std::string::npos);
  EXPECT_NE(html.find("<svg"), std::string::npos);
  for (const char* outside : {"http://", "https://", "src=", "@import", "url("}) {
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
  }
}

}  // namespace
}  // namespace jsp::natlab
