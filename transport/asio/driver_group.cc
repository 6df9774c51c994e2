#include "transport/asio/driver_group.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "transport/asio/driver_core.h"
#include "transport/asio/system_rng.h"

namespace jsp::transport::io {

using boost::asio::any_io_executor;
using boost::system::error_code;

namespace {

Unexpected<error_code> Fail(boost::asio::error::basic_errors error) { return Unexpected<error_code>(error); }

void Add(HandoverStats& sum, const HandoverStats& one) {
  sum.sent += one.sent;
  sum.letters += one.letters;
  sum.received += one.received;
  sum.full += one.full;
  sum.gone += one.gone;
  sum.astray += one.astray;
  sum.routes_contested += one.routes_contested;
  sum.mail_room += one.mail_room;
}

}  // namespace

Expected<std::shared_ptr<DriverGroup>, error_code> DriverGroup::Open(std::span<const any_io_executor> executors,
                                                                     const DriverOptions& options, Steering steering) {
  if (executors.empty() || executors.size() > kMaxLoops) return Fail(boost::asio::error::invalid_argument);
  // Each would map the same ports, and undo what the others did (RFC 6887 §11.3); docs/asio.md#several-loops.
  if (options.port_mapping.is_enabled) return Fail(boost::asio::error::operation_not_supported);
  std::vector<LocalAddress> addresses;
  for (const auto& address : options.bind) addresses.push_back({.address = address});
  if (options.bind.empty()) addresses = SelectAddresses(options.interfaces);

  Rng rng = SystemRng();
  const SharedPorts::Options ports{executors.size(), rng.Random<uint32_t>(), steering};
  const auto shared = std::make_shared<LoopGroup>(ports, options.unknown_requests, rng);
  std::shared_ptr<DriverGroup> group(new DriverGroup(shared));
  std::vector<std::shared_ptr<DriverCore>> cores;
  for (size_t loop = 0; loop < executors.size(); ++loop) {
    auto core = DriverCore::Open(executors[loop], options, addresses, {shared, loop});
    if (!core) return Unexpected<error_code>(core.error());
    if (loop == 0) addresses = (*core)->mux->local_addresses();  // for the others exactly those
    if ((*core)->mux->socket_count() != addresses.size()) return Fail(boost::asio::error::address_in_use);
    cores.push_back(std::move(*core));
  }
  for (size_t loop = 0; loop < executors.size(); ++loop) {
    const auto& core = cores[loop];
    group->slots_.push_back({executors[loop], core, std::make_shared<Driver>(core)});
    boost::asio::dispatch(executors[loop], [core] { core->Start(); });
  }
  return group;
}

DriverGroup::~DriverGroup() {
  for (Slot& slot : slots_) {
    if (slot.driver) boost::asio::dispatch(slot.executor, [driver = std::move(slot.driver)] {});
  }
}

size_t DriverGroup::LoopOf(const SocketAddress& remote) const { return group_->ports()->LoopOf(remote); }

void DriverGroup::SetAddresses(const std::vector<LocalAddress>& addresses) {
  for (const Slot& slot : slots_) {
    if (slot.core.expired()) continue;
    boost::asio::post(slot.executor, [weak = slot.core, addresses] {
      if (const auto core = weak.lock()) core->SetAddresses(addresses);
    });
  }
}

DriverGroupStats DriverGroup::stats() const {
  DriverGroupStats stats;
  stats.is_steered = group_->ports()->is_steered();
  stats.directory = group_->directory().size();
  for (size_t loop = 0; loop < size(); ++loop) Add(stats.handover, group_->stats(loop));
  return stats;
}

}  // namespace jsp::transport::io
