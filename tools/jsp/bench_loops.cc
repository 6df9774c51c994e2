#include "tools/jsp/bench_loops.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <utility>

#include "dtls/certificate.h"
#include "tools/jsp/bench_allocations.h"
#include "tools/jsp/bench_polls.h"
#include "transport/session_description.h"

namespace jsp::tool {
namespace {

// Those that the process may use.
std::vector<size_t> Processors() {
  cpu_set_t allowed;
  std::vector<size_t> processors;
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return processors;
  for (size_t i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &allowed)) processors.push_back(i);
  }
  return processors;
}

// The calling thread; where there are too few of them several share one.
void PinTo(size_t number, const std::vector<size_t>& processors) {
  if (processors.empty()) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processors[number % processors.size()], &one);
  (void)::sched_setaffinity(0, sizeof(one), &one);
}

// As many sockets as the system lets us have.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

std::string SocketFailure(const boost::system::error_code& error) {
  return "a socket on 127.0.0.1: " + error.message();
}

}  // namespace

Expected<std::unique_ptr<BenchLoops>, std::string> BenchLoops::Open(BenchLink link, const Options& options) {
  std::unique_ptr<BenchLoops> loops(new BenchLoops(std::move(link)));
  if (auto error = loops->Start(options)) return Unexpected<std::string>(std::move(*error));
  return loops;
}

std::optional<std::string> BenchLoops::Start(const Options& options) {
  const std::vector<size_t> processors = Processors();
  PinTo(options.processor, processors);
  RaiseDescriptorLimit();
  while (loops_.size() < options.loops) loops_.push_back(std::make_unique<Loop>());
  for (const auto& loop : loops_) loop->thread_id = std::this_thread::get_id();
  const int copy = ::dup(link_.descriptor());
  if (copy < 0) return "no descriptor is left";
  boost::system::error_code error;
  waiter_.emplace(loops_[0]->io);
  if (waiter_->assign(copy, error); error) return "the loop: " + error.message();
  if (auto failure = OpenDrivers(options)) return failure;
  auto certificate = dtls::Certificate::Generate();
  if (!certificate) return certificate.error();
  peer_options_.certificate = std::move(*certificate);
  for (size_t i = 1; i < loops_.size(); ++i) {
    Loop& loop = *loops_[i];
    loop.thread = std::thread([&loop, processors, number = options.processor + i] {
      PinTo(number, processors);
      const auto guard = boost::asio::make_work_guard(loop.io);
      loop.io.run();
    });
    loop.thread_id = loop.thread.get_id();
  }
  return std::nullopt;
}

std::optional<std::string> BenchLoops::OpenDrivers(const Options& given) {
  transport::io::DriverOptions options;
  options.bind = {{IpAddress::V4(127, 0, 0, 1), 0}};
  options.busy_poll = given.busy_poll;
  if (given.ports == 0 && size() > 1) {
    std::vector<boost::asio::any_io_executor> executors;
    for (const auto& loop : loops_) executors.emplace_back(loop->io.get_executor());
    auto group = transport::io::DriverGroup::Open(executors, options);
    if (!group) return SocketFailure(group.error());
    group_ = std::move(*group);
    return std::nullopt;
  }
  for (size_t port = 0; port < std::max<size_t>(given.ports, 1); ++port) {
    auto driver = transport::io::Driver::Open(loops_[port % size()]->io.get_executor(), options);
    if (!driver) return SocketFailure(driver.error());
    drivers_.push_back(std::move(*driver));
  }
  return std::nullopt;
}

BenchLoops::~BenchLoops() { Stop(); }

void BenchLoops::Stop() {
  for (size_t i = 0; i < size(); ++i) {
    Loop& loop = *loops_[i];
    On(i, [this, i, &loop] {
      if (group_) group_->Close(i);
      if (i > 0) loop.io.stop();
    });
    if (!loop.thread.joinable()) continue;
    loop.thread.join();
    loop.thread_id = std::this_thread::get_id();
  }
}

void BenchLoops::Listen(HandleMessage handle) {
  handle_ = std::move(handle);
  WaitForLink();
}

void BenchLoops::WaitForLink() {
  waiter_->async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
    if (!error) ReadLink();
  });
}

void BenchLoops::ReadLink() {
  const UncountedAllocations of_the_benchmark;
  // A few, so that datagrams get their turn.
  bool is_gone = false;
  for (int i = 0; i < 8; ++i) {
    auto message = link_.Receive(is_gone);
    if (!message) break;
    handle_(*message);
  }
  if (!is_gone) return WaitForLink();
  LinkMessage gone{.body = "the other process of the benchmark ended"};
  handle_(gone);
}

size_t BenchLoops::RunOne(Clock::time_point limit) { return loops_[0]->io.run_one_until(limit); }

size_t BenchLoops::LoopOfOffer(std::string_view offer) const {
  if (!group_) return 0;
  const auto parsed = transport::ParseSessionDescription(offer);
  return parsed && !parsed->candidates.empty() ? group_->LoopOf(parsed->candidates[0].candidate.address) : 0;
}

BenchLoops::OfLoop BenchLoops::MeasureLoop(size_t loop) {
  OfLoop sum{CountedAllocations(), 0};
  const auto add = [&](const transport::io::DriverStats& stats) {
    sum.system_calls += stats.waits + stats.timer_moves + stats.sockets.receive_calls + stats.sockets.send_calls;
  };
  if (group_) add(group_->driver(loop)->stats());
  for (size_t port = loop; port < drivers_.size(); port += size()) add(drivers_[port]->stats());
  return sum;
}

void BenchLoops::Measure(std::function<void(const BenchCounters&)> done) {
  Gather([this](size_t loop) { return MeasureLoop(loop); },
         [this, done = std::move(done)](const std::vector<OfLoop>& all) {
           BenchCounters counters;
           MeasureProcess(counters);
           counters.allocations = 0;
           counters.system_calls = CountedPolls();
           for (const OfLoop& one : all) {
             counters.allocations += one.allocations;
             counters.system_calls += one.system_calls;
           }
           if (group_) counters.handed_over = group_->stats().handover.sent;
           done(counters);
         });
}

}  // namespace jsp::tool
