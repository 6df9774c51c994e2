#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/expected.h"
#include "tools/jsp/bench_link.h"
#include "tools/jsp/bench_report.h"
#include "transport/asio/driver.h"
#include "transport/asio/driver_group.h"
#include "transport/peer_options.h"
namespace jsp::tool {

// One of the two processes: loops with drivers on loopback, and the link to the other process. The first loop is its
// owner's thread, which has the link too; each other one has a thread of its own. Two connections between the same two
// ports could not be told apart: the sender has a port for each, and each of those ports is on one loop; the receiver's
// port is on all of them.
class BenchLoops {
 public:
  using Clock = std::chrono::steady_clock;
  using HandleMessage = std::function<void(LinkMessage&)>;

  struct Options {
    size_t loops = 1;
    size_t processor = 0;  // of the first loop, by its number among those that the process may use; then the next ones
    size_t ports = 0;      // drivers alone, in turns on the loops; 0: one port, on all loops
    Duration busy_poll{};
  };
  static constexpr auto kHoldUp = std::chrono::milliseconds(50);
  static Expected<std::unique_ptr<BenchLoops>, std::string> Open(BenchLink link, const Options& options);
  ~BenchLoops();

  // What comes over the link; also once with kFailed when the other process is gone.
  void Listen(HandleMessage handle);
  // Runs the first loop until done() or `limit`; returns done().
  template <class Done>
  bool RunUntil(Done&& done, Clock::time_point limit) {
    while (!done()) {
      if (RunOne(limit) == 0) return done();
    }
    return true;
  }
  // The other loops stop for good, after what was given to them by now; what they had is for the caller's thread to
  // destroy.
  void Stop();

  size_t size() const { return loops_.size(); }
  // Calls there: at once on the loop's own thread, else later and in order.
  template <class Call>
  void On(size_t loop, Call&& call) {
    if (std::this_thread::get_id() == loops_[loop]->thread_id) return call();
    boost::asio::post(loops_[loop]->io, std::forward<Call>(call));
  }
  // done(results) on the first loop with what collect(loop) returned on each of them.
  template <class Collect, class Done>
  void Gather(Collect collect, Done done) {
    using Result = decltype(collect(size_t{0}));
    struct Gathered {
      std::vector<Result> results;
      size_t missing;
      Done done;
    };
    const auto gathered = std::make_shared<Gathered>(Gathered{std::vector<Result>(size()), size(), std::move(done)});
    for (size_t loop = 0; loop < size(); ++loop) {
      On(loop, [this, gathered, collect, loop] {
        On(0, [gathered, loop, result = collect(loop)]() mutable {
          gathered->results[loop] = std::move(result);
          if (--gathered->missing == 0) gathered->done(gathered->results);
        });
      });
    }
  }

  // All loops do nothing for kHoldUp, as when the system gives their processors to others: what comes meanwhile waits.
  void HoldUp() {
    for (size_t loop = 0; loop < size(); ++loop) On(loop, [] { std::this_thread::sleep_for(kHoldUp); });
  }

  BenchLink& link() { return link_; }
  // On its loop.
  size_t LoopOfPort(size_t port) const { return port % drivers_.size() % size(); }
  transport::io::Driver& driver(size_t port) { return *drivers_[port % drivers_.size()]; }
  // Of the port that is on all loops: where the peer belongs whose offer this is.
  size_t LoopOfOffer(std::string_view offer) const;
  transport::io::Driver& driver_of(size_t loop) { return group_ ? *group_->driver(loop) : *drivers_[loop]; }
  const transport::PeerOptions& peer_options() const { return peer_options_; }
  // Of the process, without what was received: on the first loop, when all others have told.
  void Measure(std::function<void(const BenchCounters&)> done);

 private:
  struct Loop {
    boost::asio::io_context io{1};
    std::thread thread;
    std::thread::id thread_id;
  };
  struct OfLoop {
    uint64_t allocations = 0;
    uint64_t system_calls = 0;
  };

  explicit BenchLoops(BenchLink link) : link_(std::move(link)) {}
  std::optional<std::string> Start(const Options& options);
  std::optional<std::string> OpenDrivers(const Options& given);
  size_t RunOne(Clock::time_point limit);
  void WaitForLink();
  void ReadLink();
  OfLoop MeasureLoop(size_t loop);

  BenchLink link_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::optional<boost::asio::posix::stream_descriptor> waiter_;
  std::vector<std::shared_ptr<transport::io::Driver>> drivers_;  // by port
  std::shared_ptr<transport::io::DriverGroup> group_;            // of the port that is on several loops
  transport::PeerOptions peer_options_;
  HandleMessage handle_;
};

}  // namespace jsp::tool
