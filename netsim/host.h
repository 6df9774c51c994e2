#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "base/sans_io.h"
#include "base/socket_address.h"
#include "netsim/world.h"
namespace jsp::netsim {

// A core whose datagrams carry their addresses: a whole peer, a STUN client or server.
template <class C>
concept AddressedCore = SansIoCore<C> &&
    requires(C c, Timestamp now, const SocketAddress& a, std::span<const uint8_t> datagram, typename C::Transmit t) {
  c.HandleDatagram(now, a, a, datagram);
  t.local;
  t.remote;
};

// Runs one core on one host of a world, with the same Drain as production: feeds datagrams and time, sends what it
// wants sent, keeps its timer, and gives its events to `on_event(Event)`. Borrows world and core, which outlive it.
// After a command on the core, call Kick().
template <AddressedCore Core, class OnEvent>
class HostDriver {
 public:
  HostDriver(World& world, NodeId host, Core& core, OnEvent on_event)
      : world_(world), core_(core), on_event_(std::move(on_event)) {
    id_ = world.Attach(host, {.self = this,
                              .handle_datagram = &HostDriver::HandleDatagram,
                              .handle_timeout = &HostDriver::HandleTimeout,
                              .handle_packet_too_big = &HostDriver::HandlePacketTooBig,
                              .handle_unreachable = &HostDriver::HandleUnreachable});
  }
  ~HostDriver() { world_.Detach(id_); }
  HostDriver(const HostDriver&) = delete;
  HostDriver& operator=(const HostDriver&) = delete;

  SocketAddress Bind(const SocketAddress& address) { return world_.Bind(id_, address); }
  void Kick() {
    std::array<uint8_t, 16384> scratch;  // not initialised: written before it is read
    const Timestamp next = Drain(
        core_, world_.now(), scratch,
        [&](const typename Core::Transmit& t, std::span<const uint8_t> bytes) {
          IpFields fields;
          if constexpr (requires { t.fragmentation; }) fields.fragmentation = t.fragmentation;
          if constexpr (requires { t.ecn; }) fields.ecn = t.ecn;
          world_.Send(id_, t.local, t.remote, bytes.first(t.size), fields);
        },
        on_event_);
    world_.SetTimer(id_, next);
  }

 private:
  static void HandleDatagram(void* self, const SocketAddress& local, const SocketAddress& remote,
                             std::span<const uint8_t> datagram, EcnMark mark) {
    auto& driver = *static_cast<HostDriver*>(self);
    if constexpr (requires { driver.core_.HandleDatagram(driver.world_.now(), local, remote, datagram, mark); }) {
      driver.core_.HandleDatagram(driver.world_.now(), local, remote, datagram, mark);
    } else {
      driver.core_.HandleDatagram(driver.world_.now(), local, remote, datagram);
    }
    driver.Kick();
  }
  static void HandleTimeout(void* self) {
    auto& driver = *static_cast<HostDriver*>(self);
    driver.core_.HandleTimeout(driver.world_.now());
    driver.Kick();
  }

  static void HandlePacketTooBig(void* self, const SocketAddress& local, const SocketAddress& remote, size_t mtu) {
    auto& driver = *static_cast<HostDriver*>(self);
    if constexpr (requires { driver.core_.HandlePacketTooBig(driver.world_.now(), local, remote, mtu); }) {
      driver.core_.HandlePacketTooBig(driver.world_.now(), local, remote, mtu);
      driver.Kick();
    }
  }

  static void HandleUnreachable(void* self, const SocketAddress& local, const SocketAddress& remote) {
    auto& driver = *static_cast<HostDriver*>(self);
    if constexpr (requires { driver.core_.HandleUnreachable(driver.world_.now(), local, remote); }) {
      driver.core_.HandleUnreachable(driver.world_.now(), local, remote);
      driver.Kick();
    }
  }

  World& world_;
  Core& core_;
  OnEvent on_event_;
  EndpointId id_;
};

}  // namespace jsp::netsim
