#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <utility>
namespace jsp::transport::io {

// Hears from the kernel (rtnetlink, RFC 3549) that an interface or an address came, went or changed, and says so: once
// for a burst, a moment later. What changed is for ListInterfaces to find out. Owns the netlink socket.
class InterfaceWatch {
 public:
  // nullptr where there is no netlink; then the owner calls Driver::SetAddresses by other means, or not at all.
  // `on_change` is called on the executor, never from inside Open.
  static std::unique_ptr<InterfaceWatch> Open(const boost::asio::any_io_executor& executor,
                                              std::function<void()> on_change);
  ~InterfaceWatch();

 private:
  struct Impl;
  explicit InterfaceWatch(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace jsp::transport::io
