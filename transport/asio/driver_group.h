#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/expected.h"
#include "transport/asio/driver.h"
#include "transport/asio/loop_group.h"
namespace jsp::transport::io {

struct DriverGroupStats {
  // By the formula of LoopOf(). False: the system refused it, or was not asked, and peers are where its own hash puts
  // them only by chance; what arrives elsewhere is handed over.
  bool is_steered = false;
  HandoverStats handover;  // sums
  size_t directory = 0;    // ufrags, addresses and requests on their way, of all loops: by these they find each other
};

// Several drivers, each on an executor of its own, at the same local addresses and ports (SO_REUSEPORT): one for each
// core. To others they are one. Each stays without concurrency, and each peer is one driver's. The kernel gives all
// datagrams of a source to one loop, so that a peer that is added there has no thread but its own; what arrives at
// another loop is handed over, and counted. Owns the drivers and what they share; no threads.
//
//   auto group = *DriverGroup::Open(executors, options);
//   const size_t loop = group->LoopOf(remote);           // or anywhere, with the cost of handing over
//   asio::post(executors[loop], [&] { group->driver(loop)->AddPeer(peer_options, observer); });
class DriverGroup {
 public:
  static constexpr size_t kMaxLoops = SharedPorts::kMaxLoops;

  // One driver for each executor. Errors: invalid_argument for no executor or more than kMaxLoops;
  // operation_not_supported with DriverOptions::port_mapping; no_protocol_option where ports cannot be shared; those of
  // Driver::Open. `executors` may run already; a driver is used on its own, from a handler that was posted after this
  // returned.
  static Expected<std::shared_ptr<DriverGroup>, boost::system::error_code> Open(
      std::span<const boost::asio::any_io_executor> executors, const DriverOptions& options = {},
      Steering steering = Steering::kBySource);
  // Drivers that were not closed are closed on their executors, all of which must outlive the group and its drivers.
  ~DriverGroup();
  DriverGroup(const DriverGroup&) = delete;
  DriverGroup& operator=(const DriverGroup&) = delete;

  size_t size() const { return slots_.size(); }
  // On its executor, until Close(); copies of it, as WebRtcConfig::driver takes one, go there too.
  const std::shared_ptr<Driver>& driver(size_t loop) const { return slots_[loop].driver; }
  // On its executor. The others go on; the next one gets what would have been for it. Its PeerHandles keep it open as
  // they keep a Driver.
  void Close(size_t loop) { slots_[loop].driver.reset(); }

  // From any thread, as all that follows. The loop to which the kernel gives what comes from `remote`, so the best
  // place for a peer whose remote is there. In the handler of unknown requests that is the driver which was asked.
  size_t LoopOf(const SocketAddress& remote) const;
  // Driver::SetAddresses on all loops, each in its own time.
  void SetAddresses(const std::vector<LocalAddress>& addresses);
  DriverGroupStats stats() const;
  HandoverStats stats(size_t loop) const { return group_->stats(loop); }

 private:
  struct Slot {
    boost::asio::any_io_executor executor;
    std::weak_ptr<DriverCore> core;
    std::shared_ptr<Driver> driver;
  };
  explicit DriverGroup(std::shared_ptr<LoopGroup> group) : group_(std::move(group)) {}

  std::shared_ptr<LoopGroup> group_;
  std::vector<Slot> slots_;
};

}  // namespace jsp::transport::io
