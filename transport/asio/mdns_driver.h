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

// Resolves "….local" names by multicast DNS (RFC 6762 §5.1) on all interfaces, best effort, and answers for those that
// are published (RFC 6762 §6).
class MdnsDriver {
 public:
  using Done = std::function<void(std::optional<IpAddress>)>;
  // nullptr when no multicast socket can be opened.
  static std::unique_ptr<MdnsDriver> Open(const boost::asio::any_io_executor& executor,
                                          const std::vector<LocalAddress>& interfaces, Rng& rng);
  ~MdnsDriver();
  // `done` is called once, later; not at all when the driver is destroyed before.
  void Resolve(const std::string& name, Done done);
  // False when the port of multicast DNS cannot be had, or there are too many names.
  bool Publish(const std::string& name, const IpAddress& address);
  void Withdraw(const std::string& name);
  // The network changed: these from now on.
  void SetInterfaces(const std::vector<LocalAddress>& interfaces);

 private:
  struct Impl;
  explicit MdnsDriver(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace jsp::transport::io
