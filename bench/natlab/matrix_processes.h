#pragma once
#include <csignal>
#include <cstddef>
#include <string>

#include "bench/natlab/matrix.h"
namespace jsp::natlab {

struct ProcessOptions {
  size_t jobs = 1;
  // Of real time, for all runs of one cell: a process that takes longer is killed.
  Duration cell_deadline = std::chrono::seconds(120);
  // Not zero: no more cells; those that are done are in the report. A signal handler may set it.
  const volatile std::sig_atomic_t* stop = nullptr;
  // Called in the process that is about to run the cell with that index; for tests.
  void (*before_cell)(size_t index) = nullptr;
};

// RunMatrix with the cells spread over child processes: the same report, whatever their number. A cell whose process
// crashes or hangs counts as failed in all its runs, and says so; the others are run all the same.
Report RunMatrixInProcesses(const MatrixOptions& options, const ProcessOptions& processes,
                            const Progress& progress = {});

}  // namespace jsp::natlab
