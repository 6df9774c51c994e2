#include "transport/asio/shared_ports.h"

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>

#include "transport/asio/reuseport_steering.h"

namespace jsp::transport::io {
namespace {

using boost::system::error_code;

uint64_t Bits(size_t count) { return count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1; }

}  // namespace

SharedPorts::SharedPorts(const Options& options)
    : options_(options), open_loops_(Bits(options.loops)), is_refused_(options.steering == Steering::kBySystem) {}

bool SharedPorts::Port::Has(size_t loop) const {
  return std::ranges::find(members, loop, &Member::loop) != members.end();
}

// The port that this loop is to join: that very one, or the address's.
SharedPorts::Port* SharedPorts::Find(size_t loop, const SocketAddress& address) {
  const auto exact = std::ranges::find(ports_, address, &Port::address);
  if (exact != ports_.end()) return &*exact;
  const auto same =
      std::ranges::find_if(ports_, [&](const Port& port) { return port.address.ip == address.ip && !port.Has(loop); });
  return same == ports_.end() ? nullptr : &*same;
}

// The first socket is bound as if it were alone, and shares its port only then: with SO_REUSEPORT the kernel would let
// it have a port that another group of ours has, even when asked for any that is free.
Expected<SharedPorts::Socket, error_code> SharedPorts::Open(const std::shared_ptr<SharedPorts>& ports, size_t loop,
                                                            const boost::asio::any_io_executor& executor,
                                                            const SocketAddress& address,
                                                            const UdpSocketOptions& options) {
  const std::lock_guard lock(ports->mutex_);
  Port* port = ports->Find(loop, address);
  UdpSocketOptions own = options;
  own.port_use = port == nullptr ? PortUse::kExclusive : PortUse::kShared;
  auto opened = UdpSocket::Open(executor, port == nullptr ? address : port->address, own);
  if (!opened) return Unexpected<error_code>(opened.error());
  if (port == nullptr) {
    if (!(*opened)->SharePort()) return Unexpected<error_code>(boost::asio::error::no_protocol_option);
    port = &ports->ports_.emplace_back(Port{(*opened)->local(), {}});
  }
  port->members.push_back({loop, (*opened)->socket().native_handle()});
  ports->Steer(*port);
  return Socket(opened->release(), Closer(ports));
}

// Under the lock, so that our order of the sockets is the kernel's.
void SharedPorts::Close(UdpSocket& socket) {
  const std::lock_guard lock(mutex_);
  if (!socket.socket().is_open()) return;
  const int descriptor = socket.socket().native_handle();
  socket.Close();
  const auto port = std::ranges::find(ports_, socket.local(), &Port::address);
  if (port == ports_.end()) return;
  const auto member = std::ranges::find(port->members, descriptor, &Member::descriptor);
  if (member == port->members.end()) return;
  *member = port->members.back();  // as the kernel does
  port->members.pop_back();
  if (port->members.empty()) {
    ports_.erase(port);
  } else {
    Steer(*port);
  }
}

// A loop without a socket here is stood in for by the next one that has one.
void SharedPorts::Steer(const Port& port) {
  if (options_.steering == Steering::kBySystem || port.members.size() < 2) return;
  std::array<uint16_t, kMaxLoops> indices{};
  for (size_t loop = 0; loop < options_.loops; ++loop) {
    size_t at = loop;
    while (!port.Has(at)) at = (at + 1) % options_.loops;
    const auto member = std::ranges::find(port.members, at, &Member::loop);
    indices[loop] = static_cast<uint16_t>(member - port.members.begin());
  }
  const bool attached = AttachSteering(port.members.front().descriptor, port.address.ip.family(), options_.seed,
                                       std::span(indices).first(options_.loops));
  if (!attached) is_refused_ = true;
}

size_t SharedPorts::LoopOf(const SocketAddress& source) const {
  const uint64_t open = open_loops_;
  size_t loop = SteeringHash(options_.seed, source) % options_.loops;
  for (size_t tried = 0; tried < options_.loops; ++tried, loop = (loop + 1) % options_.loops) {
    if ((open >> loop & 1) != 0) return loop;
  }
  return 0;
}

}  // namespace jsp::transport::io
