#include "bench/natlab/compare.h"

#include <gtest/gtest.h>

namespace jsp::natlab {
namespace {

Report Before() {
  Report report;
  CellReport cell;
  cell.a = netsim::NatType::kPort;
  cell.b = netsim::NatType::kSymmetric;
  cell.expected = Outcome::kRelay;
  cell.relayed = 2;
  cell.times_ms = {780, 800};
  report.cells = {cell};
  report.paths = {{.path = "host", .connect_ms = Distribution::Of({300}), .mbytes_per_s = 5}};
  return report;
}

TEST(CompareTest, SaysNothingWhereNothingHasChangedEnough) {
  EXPECT_TRUE(Compare(Before(), Before()).empty());
  Report now = Before();
  now.cells[0].times_ms = {790, 810};
  now.paths[0].mbytes_per_s = 5.4;
  EXPECT_TRUE(Compare(Before(), now).empty());
}

TEST(CompareTest, NamesEachCellAndPathWithBothFigures) {
  Report now = Before();
  now.cells[0].relayed = 1;
  now.cells[0].none = 1;
  now.cells[0].times_ms = {500};
  now.paths[0].connect_ms = Distribution::Of({360});
  now.paths[0].mbytes_per_s = 4;
  const std::vector<std::string> expected = {"port - sym: 0 direct, 2 relayed, 0 none; now 0 direct, 1 relayed, 1 none",
                                             "port - sym: first message 780.0 to 500.0 ms (-35.9 %)",
                                             "path host: connect 300.0 to 360.0 ms (+20.0 %)",
                                             "path host: throughput 5.0 to 4.0 MB/s (-20.0 %)"};
  EXPECT_EQ(Compare(Before(), now), expected);
}

TEST(CompareTest, ComparesSharesWhereTheRunsDiffer) {
  Report now = Before();
  now.cells[0].relayed = 20;
  EXPECT_TRUE(Compare(Before(), now).empty());
}

TEST(CompareTest, CountsCellsThatTheOldReportLacks) {
  Report before = Before();
  before.cells.clear();
  EXPECT_EQ(Compare(before, Before()), std::vector<std::string>{"1 cells are not in the old report"});
}

TEST(ReportCsvTest, QuotesWhatHasCommas) {
  Report report = Before();
  report.cells[0].why = "b maps, \"so\" they say";
  const std::string csv = ToCsv(report);
  EXPECT_NE(csv.find("\r\nport,sym,ipv4,false,relay,0,2,0,780.000,800.000,800.000,,,,,0,0.000,,,\"b maps, \"\"so\"\" "
                     "they say\"\r\n"),
            std::string::npos)
      << csv;
}

TEST(ReportJsonTest, IsReadBackAsItWas) {
  Report report = Before();
  report.types = {netsim::NatType::kPort, netsim::NatType::kSymmetric};
  report.seed = 9;
  report.runs = 2;
  report.mixes = {{.name = "home", .about = "homes", .sources = {"somebody"}, .direct = 0.75, .relay = 0.25}};
  const auto parsed = ParseReport(ToJson(report));
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_EQ(ToJson(*parsed), ToJson(report));
  EXPECT_FALSE(ParseReport("{\"cells\":[]"));
  EXPECT_FALSE(ParseReport("{}"));
}

}  // namespace
}  // namespace jsp::natlab
