#include "tools/jsp/natlab_table.h"

#include <gtest/gtest.h>

namespace jsp::tool {
namespace {

using natlab::CellReport;
using natlab::Outcome;
using netsim::NatType;

natlab::Report ReportOf(CellReport cell) {
  natlab::Report report;
  report.types = {cell.a};
  report.cells = {std::move(cell)};
  return report;
}

CellReport DirectCell() {
  CellReport cell;
  cell.a = cell.b = NatType::kPort;
  cell.expected = Outcome::kDirect;
  cell.direct = 1;
  cell.times_ms = {142.4};
  return cell;
}

TEST(NatlabTableTest, ShowsOutcomeAndMedianTimeOfEachCell) {
  const std::string text = FormatMatrix(ReportOf(DirectCell()), Color::kOff);
  EXPECT_NE(text.find("port         D 142\n"), std::string::npos) << text;
  EXPECT_NE(text.find("1 cells, 0 mismatches"), std::string::npos) << text;
  EXPECT_EQ(text.find('\033'), std::string::npos);
}

TEST(NatlabTableTest, ColorsOnlyWhenAsked) {
  EXPECT_NE(FormatMatrix(ReportOf(DirectCell()), Color::kOn).find("\033[32m    D 142\033[0m"), std::string::npos);
}

TEST(NatlabTableTest, MarksAndExplainsMismatches) {
  CellReport cell = DirectCell();
  cell.direct = 0;
  cell.none = 1;
  cell.times_ms.clear();
  cell.mismatches = 1;
  cell.why = "every check timed out";
  const std::string text = FormatMatrix(ReportOf(cell), Color::kOff);
  EXPECT_NE(text.find("    !none\n"), std::string::npos) << text;
  EXPECT_NE(text.find("! port - port: expected direct in every run, but 1 of 1 differ: every check timed out"),
            std::string::npos)
      << text;
}

TEST(NatlabTableTest, SaysWhatBadLuckIsTakenFor) {
  CellReport cell = DirectCell();
  cell.won = true;
  cell.direct = 19;
  cell.relayed = 1;
  cell.miss_chance = 0.0004;
  natlab::Report report = ReportOf(cell);
  report.runs = 20;
  const std::string luck = "~ port - port: no probe met a mapping in 1 of 20 runs, as happens to one of 2500; 2 may\n";
  EXPECT_NE(FormatMatrix(report, Color::kOff).find(luck), std::string::npos) << FormatMatrix(report, Color::kOff);
  report.cells[0].mismatches = 3;
  EXPECT_EQ(FormatMatrix(report, Color::kOff).find("~"), std::string::npos);
  EXPECT_NE(FormatMatrix(report, Color::kOff).find("expected direct in almost every run"), std::string::npos);
}

TEST(NatlabTableTest, SaysHowLongConnectionsWereGoneAfterEvents) {
  CellReport cell = DirectCell();
  EXPECT_EQ(FormatMatrix(ReportOf(cell), Color::kOff).find("Gap"), std::string::npos);
  cell.samples.recovery_ms = {700, 9700, 12000};
  cell.samples.restarts = {0, 1, 2};
  cell.samples.reconnects = {0, 0, 1};
  const std::string text = FormatMatrix(ReportOf(cell), Color::kOff);
  EXPECT_NE(text.find("Gap after events: median 9700 ms, 95 % within 12000 ms, at most 12000 ms; 3 restarts of ICE, 1 "
                      "connections made anew in 3 runs"),
            std::string::npos)
      << text;
}

TEST(NatlabTableTest, ListsPathsOnlyWhenThereAreSome) {
  natlab::Report report;
  EXPECT_EQ(FormatPaths(report), "");
  report.paths.push_back(
      {.path = "host", .connect_ms = {.p50 = 12.5, .p95 = 20, .max = 21, .count = 20}, .mbytes_per_s = 321.5});
  const std::string text = FormatPaths(report);
  EXPECT_NE(text.find("host"), std::string::npos);
  EXPECT_NE(text.find("12.5"), std::string::npos);
  EXPECT_NE(text.find("321.5"), std::string::npos);
}

}  // namespace
}  // namespace jsp::tool
