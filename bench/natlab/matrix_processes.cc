#include "bench/natlab/matrix_processes.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace jsp::natlab {
namespace {

using Clock = std::chrono::steady_clock;

// All of it; false when the reader is gone.
bool WriteAll(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// One child and the cells that it has not reported yet, the current one first.
struct Worker {
  std::vector<size_t> cells;  // indices, the next one at the back
  pid_t pid = -1;
  int pipe = -1;
  std::string received;
  Clock::time_point started;
};

class Pool {
 public:
  Pool(const MatrixOptions& options, const ProcessOptions& processes, const Progress& progress)
      : options_(options), processes_(processes), progress_(progress), plans_(PlanMatrix(options)) {
    cells_.resize(plans_.size());
    const size_t jobs = std::clamp<size_t>(processes.jobs, 1, std::max<size_t>(plans_.size(), 1));
    workers_.resize(jobs);
    for (size_t i = plans_.size(); i-- > 0;) workers_[i % jobs].cells.push_back(i);
  }

  std::vector<CellReport> Run() {
    for (Worker& worker : workers_) Start(worker);
    while (done_ < plans_.size() && !IsStopped()) {
      WaitForSome();
      for (Worker& worker : workers_) {
        if (worker.pid >= 0 && Clock::now() - worker.started > processes_.cell_deadline) {
          ::kill(worker.pid, SIGKILL);
          timed_out_ = worker.pid;
        }
      }
    }
    const bool is_cut = done_ < plans_.size();
    for (Worker& worker : workers_) {
      if (is_cut && worker.pid >= 0) ::kill(worker.pid, SIGKILL);
      Reap(worker);
    }
    std::vector<CellReport> done;
    for (auto& cell : cells_) {
      if (cell) done.push_back(*std::move(cell));
    }
    return done;
  }

 private:
  void Start(Worker& worker) {
    if (worker.cells.empty()) return;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return LoseAll(worker, "there is no pipe for its process");
    std::fflush(nullptr);  // or the child has what is buffered, too
    worker.pid = ::fork();
    if (worker.pid == 0) {
      ::close(ends[0]);
      Work(worker.cells, ends[1]);
    }
    ::close(ends[1]);
    worker.pipe = ends[0];
    worker.received.clear();
    worker.started = Clock::now();
    if (worker.pid < 0) {
      ::close(std::exchange(worker.pipe, -1));
      LoseAll(worker, "there is no process for it");
    }
  }

  bool IsStopped() const { return processes_.stop != nullptr && *processes_.stop != 0; }

  [[noreturn]] void Work(const std::vector<size_t>& cells, int out) {
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = cells.size(); i-- > 0;) {
      if (processes_.before_cell != nullptr) processes_.before_cell(cells[i]);
      if (!WriteAll(out, ToJson(RunPlan(options_, plans_[cells[i]])) + "\n")) break;
    }
    ::_exit(0);
  }

  void WaitForSome() {
    std::vector<pollfd> descriptors;
    for (const Worker& worker : workers_) descriptors.push_back({worker.pipe, POLLIN, 0});
    if (::poll(descriptors.data(), descriptors.size(), 100) <= 0) return;
    for (size_t i = 0; i < workers_.size(); ++i) {
      if (workers_[i].pipe >= 0 && descriptors[i].revents != 0) Read(workers_[i]);
    }
  }

  void Read(Worker& worker) {
    char buffer[65536];
    const ssize_t size = ::read(worker.pipe, buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) return;
    if (size <= 0) return HandleEnd(worker);
    worker.received.append(buffer, static_cast<size_t>(size));
    for (size_t end; (end = worker.received.find('\n')) != std::string::npos;) {
      auto cell = ParseCell(std::string_view(worker.received).substr(0, end));
      worker.received.erase(0, end + 1);
      if (worker.cells.empty()) return;
      if (cell) {
        Finish(worker, *std::move(cell));
      } else {
        Lose(worker, "its process said nonsense: " + cell.error());
      }
    }
  }

  // The process is gone: normally, or in the middle of a cell. What it had not begun gets another one.
  void HandleEnd(Worker& worker) {
    const bool was_killed = timed_out_ == worker.pid;
    const int status = Reap(worker);
    if (worker.cells.empty() || IsStopped()) return;
    std::string why = "its process ended early";
    if (WIFSIGNALED(status)) why = "its process died of signal " + std::to_string(WTERMSIG(status));
    if (was_killed) why = "it took longer than its deadline in real time";
    Lose(worker, std::move(why));
    Start(worker);
  }

  int Reap(Worker& worker) {
    int status = 0;
    if (worker.pipe >= 0) ::close(std::exchange(worker.pipe, -1));
    if (worker.pid >= 0) {
      while (::waitpid(worker.pid, &status, 0) < 0 && errno == EINTR) {
      }
    }
    worker.pid = -1;
    return status;
  }

  void LoseAll(Worker& worker, const std::string& why) {
    while (!worker.cells.empty()) Lose(worker, why);
  }

  void Lose(Worker& worker, std::string why) {
    const CellPlan& plan = plans_[worker.cells.back()];
    CellReport cell;
    cell.a = plan.a;
    cell.b = plan.b;
    cell.family = plan.family;
    cell.relay = options_.relay == RelayService::kPresent;
    cell.expected = ExpectedOutcome(plan.a, plan.b, options_.relay, options_.network.joint);
    cell.none = cell.mismatches = options_.runs;
    cell.why = std::move(why);
    Finish(worker, std::move(cell));
  }

  void Finish(Worker& worker, CellReport cell) {
    const size_t index = worker.cells.back();
    worker.cells.pop_back();
    worker.started = Clock::now();
    cells_[index] = std::move(cell);
    ++done_;
    if (progress_.cell_done != nullptr) {
      progress_.cell_done(progress_.context, *cells_[index], done_, plans_.size());
    }
  }

  const MatrixOptions& options_;
  const ProcessOptions& processes_;
  const Progress& progress_;
  std::vector<CellPlan> plans_;
  std::vector<std::optional<CellReport>> cells_;  // nullopt: not done
  std::vector<Worker> workers_;
  size_t done_ = 0;
  pid_t timed_out_ = -1;
};

}  // namespace

Report RunMatrixInProcesses(const MatrixOptions& options, const ProcessOptions& processes, const Progress& progress) {
  Report report;
  report.seed = options.seed;
  report.runs = options.runs;
  report.types = options.types;
  report.scenario = options.scenario;
  report.ways = WaysOf(options.network);
  report.engine = options.engine.name;
  const size_t planned = PlanMatrix(options).size();
  report.cells = Pool(options, processes, progress).Run();
  report.interrupted = report.cells.size() < planned;
  return report;
}

}  // namespace jsp::natlab
