#include "bench/natlab/demands.h"

#include <gtest/gtest.h>

namespace jsp::natlab {
namespace {

using netsim::NatType;

CellReport Cell(NatType a, NatType b, size_t direct, size_t relayed, size_t none) {
  CellReport cell;
  cell.a = a;
  cell.b = b;
  cell.direct = direct;
  cell.relayed = relayed;
  cell.none = none;
  return cell;
}

// Four cells of two runs: half direct, a quarter relayed.
Report Sample() {
  Report report;
  report.cells = {Cell(NatType::kPort, NatType::kPort, 2, 0, 0), Cell(NatType::kPort, NatType::kSymmetric, 0, 2, 0),
                  Cell(NatType::kSymmetric, NatType::kPort, 2, 0, 0),
                  Cell(NatType::kSymmetric, NatType::kSymmetric, 0, 0, 2)};
  report.cells[0].times_ms = {100, 300};
  report.cells[1].times_ms = {500, 700};
  return report;
}

TEST(DemandsTest, AreMetAtTheirBounds) {
  EXPECT_TRUE(Unmet({}, Sample(), nullptr).empty());
  EXPECT_TRUE(Unmet({.max_none = 0.25, .min_direct = 0.5, .p95_connect_ms = 700}, Sample(), nullptr).empty());
}

TEST(DemandsTest, SayWhatIsAndWhatHadToBe) {
  EXPECT_EQ(Unmet({.max_none = 0.1}, Sample(), nullptr),
            std::vector<std::string>{"0.2500 of the connections do not come about; at most 0.1000 may"});
  EXPECT_EQ(Unmet({.min_direct = 0.6}, Sample(), nullptr),
            std::vector<std::string>{"0.5000 of the connections are direct; at least 0.6000 have to be"});
  EXPECT_EQ(Unmet({.p95_connect_ms = 699}, Sample(), nullptr),
            std::vector<std::string>{"95 % of the runs had the first message within 700.0 ms, not within 699.0"});
}

TEST(DemandsTest, WeighByTheMix) {
  const Mix mix{"m", "", {}, {{NatType::kPort, 0.9}, {NatType::kSymmetric, 0.1}}};
  EXPECT_NEAR(Rates(Sample(), &mix).direct, 0.81 + 0.09, 1e-9);
  EXPECT_NEAR(Rates(Sample(), &mix).none, 0.01, 1e-9);
  EXPECT_TRUE(Unmet({.max_none = 0.02}, Sample(), &mix).empty());
}

TEST(DemandsTest, AMismatchAndAnEmptyReportAreNeverEnough) {
  Report report = Sample();
  report.cells[3].mismatches = 1;
  report.cells[3].why = "expected relay, observed none (seed 7)";
  EXPECT_EQ(Unmet({}, report, nullptr),
            std::vector<std::string>{"sym - sym over ipv4: expected relay, observed none (seed 7)"});
  EXPECT_FALSE(Unmet({}, {}, nullptr).empty());
  Report silent;
  silent.cells = {Cell(NatType::kPort, NatType::kPort, 0, 0, 1)};
  EXPECT_FALSE(Unmet({.p95_connect_ms = 1000}, silent, nullptr).empty());
}

}  // namespace
}  // namespace jsp::natlab
