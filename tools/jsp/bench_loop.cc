#include "tools/jsp/bench_loop.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "dtls/certificate.h"
#include "tools/jsp/bench_allocations.h"
#include "tools/jsp/bench_polls.h"

namespace jsp::tool {
namespace {

void PinTo(size_t index) {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  size_t last = CPU_SETSIZE;
  size_t seen = 0;
  for (size_t i = 0; i < CPU_SETSIZE && seen <= index; ++i) {
    if (!CPU_ISSET(i, &allowed)) continue;
    last = i;
    ++seen;
  }
  if (last == CPU_SETSIZE) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(last, &one);
  (void)::sched_setaffinity(0, sizeof(one), &one);
}

// As many sockets as the system lets us have.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Expected<std::unique_ptr<BenchLoop>, std::string> BenchLoop::Open(BenchLink link, size_t processor,
                                                                  const BenchLoopOptions& options) {
  std::unique_ptr<BenchLoop> loop(new BenchLoop(std::move(link)));
  if (auto error = loop->Start(processor, options)) return Unexpected<std::string>(std::move(*error));
  return loop;
}

std::optional<std::string> BenchLoop::Start(size_t processor, const BenchLoopOptions& given) {
  PinTo(processor);
  RaiseDescriptorLimit();
  const int copy = ::dup(link_.descriptor());
  if (copy < 0) return "no descriptor is left";
  boost::system::error_code error;
  if (waiter_.assign(copy, error); error) return "the loop: " + error.message();
  transport::io::DriverOptions options;
  options.bind = {{IpAddress::V4(127, 0, 0, 1), 0}};
  options.busy_poll = given.busy_poll;
  while (drivers_.size() < given.ports) {
    auto driver = transport::io::Driver::Open(io_.get_executor(), options);
    if (!driver) return "a socket on 127.0.0.1: " + driver.error().message();
    drivers_.push_back(std::move(*driver));
  }
  auto certificate = dtls::Certificate::Generate();
  if (!certificate) return certificate.error();
  peer_options_.certificate = std::move(*certificate);
  return std::nullopt;
}

void BenchLoop::Listen(HandleMessage handle) {
  handle_ = std::move(handle);
  WaitForLink();
}

void BenchLoop::WaitForLink() {
  waiter_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
    if (!error) ReadLink();
  });
}

void BenchLoop::ReadLink() {
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

size_t BenchLoop::RunOne(Clock::time_point limit) { return io_.run_one_until(limit); }

BenchCounters BenchLoop::Measure() const {
  BenchCounters counters;
  MeasureProcess(counters);
  counters.system_calls = CountedPolls();
  for (const auto& driver : drivers_) {
    const auto stats = driver->stats();
    counters.system_calls += stats.waits + stats.timer_moves + stats.sockets.receive_calls + stats.sockets.send_calls;
  }
  return counters;
}

}  // namespace jsp::tool
