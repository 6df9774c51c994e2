#include "bench/natlab/matrix_processes.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace jsp::natlab {
namespace {

using netsim::NatType;

MatrixOptions FourCells() {
  MatrixOptions options;
  options.types = {NatType::kPort, NatType::kSymmetric};
  options.runs = 2;
  options.seed = 11;
  options.families = {IpAddress::Family::kV4, IpAddress::Family::kV6};
  return options;
}

TEST(MatrixProcessesTest, GiveTheSameReportWhateverTheirNumber) {
  const std::string alone = ToJson(RunMatrix(FourCells()));
  for (const size_t jobs : {1u, 3u, 20u}) EXPECT_EQ(ToJson(RunMatrixInProcesses(FourCells(), {.jobs = jobs})), alone);
}

TEST(MatrixProcessesTest, TellProgressOfEachCell) {
  size_t told = 0;
  Progress progress;
  progress.context = &told;
  progress.cell_done = [](void* context, const CellReport&, size_t done, size_t total) {
    EXPECT_EQ(done, ++*static_cast<size_t*>(context));
    EXPECT_EQ(total, 8u);
  };
  (void)RunMatrixInProcesses(FourCells(), {.jobs = 2}, progress);
  EXPECT_EQ(told, 8u);
}

TEST(MatrixProcessesTest, ACrashLosesOneCellAndNoOther) {
  ProcessOptions processes{.jobs = 2};
  processes.before_cell = [](size_t index) {
    if (index == 2) ::raise(SIGKILL);
  };
  const Report report = RunMatrixInProcesses(FourCells(), processes);
  ASSERT_EQ(report.cells.size(), 8u);
  EXPECT_EQ(report.mismatches(), 2u);
  EXPECT_EQ(report.cells[2].none, 2u);
  EXPECT_EQ(report.cells[2].why, "its process died of signal 9");
  EXPECT_EQ(report.cells[3].mismatches, 0u);
  EXPECT_EQ(report.cells[4].mismatches, 0u) << "the same process would have run it";
}

TEST(MatrixProcessesTest, ACellThatHangsIsCutAtItsDeadline) {
  ProcessOptions processes{.jobs = 2, .cell_deadline = std::chrono::seconds(2)};
  processes.before_cell = [](size_t index) {
    while (index == 0) ::pause();
  };
  const Report report = RunMatrixInProcesses(FourCells(), processes);
  EXPECT_EQ(report.mismatches(), 2u);
  EXPECT_EQ(report.cells[0].why, "it took longer than its deadline in real time");
  EXPECT_EQ(report.cells[1].mismatches, 0u);
}

TEST(CellJsonTest, RoundTrips) {
  MatrixOptions options = FourCells();
  const CellReport cell = RunPlan(options, {NatType::kSymmetric, NatType::kUdpBlocked, IpAddress::Family::kV6});
  const auto parsed = ParseCell(ToJson(cell));
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_EQ(ToJson(*parsed), ToJson(cell));
  EXPECT_EQ(parsed->family, IpAddress::Family::kV6);
  for (const char* bad : {"", "[]", "{}", R"({"a":"port","b":"nonsense"})"}) EXPECT_FALSE(ParseCell(bad)) << bad;
}

}  // namespace
}  // namespace jsp::natlab
