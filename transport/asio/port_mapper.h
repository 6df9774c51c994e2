#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "transport/local_address.h"
namespace jsp::transport::io {

struct PortMappingOptions {
  // Off unless asked for: it opens a port of the user's router to everybody, for as long as the driver lives, and tells
  // the router which host has a peer; behind most NATs ICE gets through without.
  bool is_enabled = false;
  std::optional<SocketAddress> gateway;  // instead of the default route's of each interface, port 5351
};

// Keeps the ports of a driver's IPv4 sockets mapped at their gateways, each by a portmap::Client with a socket of its
// own. Destroying it deletes the mappings.
class PortMapper {
 public:
  struct Mapped {
    SocketAddress local;
    SocketAddress external;
    SocketAddress gateway;
  };

  // `on_change` is called, on the executor, when mappings() or is_settled() has changed; not from here.
  static std::unique_ptr<PortMapper> Open(const boost::asio::any_io_executor& executor,
                                          const std::vector<LocalAddress>& locals, const PortMappingOptions& options,
                                          Rng& rng, std::function<void()> on_change);
  ~PortMapper();

  std::vector<Mapped> mappings() const;
  // Every gateway has granted or refused, or has had 500 ms to: one on the own link answers within a few.
  bool is_settled() const;

 private:
  struct Impl;
  explicit PortMapper(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace jsp::transport::io
