#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/expected.h"
#include "tools/jsp/bench_link.h"
#include "tools/jsp/bench_report.h"
#include "transport/asio/driver.h"
#include "transport/peer_options.h"
namespace jsp::tool {

struct BenchLoopOptions {
  size_t ports = 1;
  Duration busy_poll{};
};

// One of the two processes: a loop with drivers on loopback, one to a port, and the link to the other process. Two
// connections between the same two ports could not be told apart: the sender has a port for each.
class BenchLoop {
 public:
  using Clock = std::chrono::steady_clock;
  using HandleMessage = std::function<void(LinkMessage&)>;

  // Pins the process to the n-th of the processors that it may use, or to the last of them.
  static Expected<std::unique_ptr<BenchLoop>, std::string> Open(BenchLink link, size_t processor,
                                                                const BenchLoopOptions& options);

  // What comes over the link; also once with kFailed when the other process is gone.
  void Listen(HandleMessage handle);
  // Runs until done() or `limit`; returns done().
  template <class Done>
  bool RunUntil(Done&& done, Clock::time_point limit) {
    while (!done()) {
      if (RunOne(limit) == 0) return done();
    }
    return true;
  }
  BenchLink& link() { return link_; }
  boost::asio::io_context& io() { return io_; }
  transport::io::Driver& driver(size_t port) { return *drivers_[port % drivers_.size()]; }
  size_t port_count() const { return drivers_.size(); }
  const transport::PeerOptions& peer_options() const { return peer_options_; }
  // Without what was received.
  BenchCounters Measure() const;

 private:
  explicit BenchLoop(BenchLink link) : link_(std::move(link)), waiter_(io_) {}
  std::optional<std::string> Start(size_t processor, const BenchLoopOptions& options);
  size_t RunOne(Clock::time_point limit);
  void WaitForLink();
  void ReadLink();

  boost::asio::io_context io_{1};
  BenchLink link_;
  boost::asio::posix::stream_descriptor waiter_;
  std::vector<std::shared_ptr<transport::io::Driver>> drivers_;
  transport::PeerOptions peer_options_;
  HandleMessage handle_;
};

}  // namespace jsp::tool
