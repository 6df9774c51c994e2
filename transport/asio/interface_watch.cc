#include "transport/asio/interface_watch.h"

#if defined(__linux__)
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#endif

namespace jsp::transport::io {

#if defined(__linux__)

using boost::system::error_code;

// A change of one interface is a handful of messages; what is done about it is done once, after them.
constexpr auto kSettle = std::chrono::milliseconds(20);

struct InterfaceWatch::Impl : std::enable_shared_from_this<Impl> {
  Impl(const boost::asio::any_io_executor& executor, int fd, std::function<void()> tell)
      : socket(executor, fd), timer(executor), on_change(std::move(tell)) {}

  void Wait() {
    socket.async_wait(boost::asio::posix::stream_descriptor::wait_read, [weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (!self || error) return;
      self->Drain();
      self->Wait();
    });
  }
  // What the messages say is asked of the kernel again, so they are only counted; ENOBUFS means that some were lost.
  void Drain() {
    std::array<char, 8192> buffer;
    bool has_news = false;
    for (;;) {
      const ssize_t size = ::recv(socket.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) {
        has_news = has_news || errno == ENOBUFS;
        break;
      }
      if (size == 0) break;
      has_news = true;
    }
    if (!has_news || is_pending) return;
    is_pending = true;
    timer.expires_after(kSettle);
    timer.async_wait([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (!self || error) return;
      self->is_pending = false;
      self->on_change();
    });
  }

  boost::asio::posix::stream_descriptor socket;
  boost::asio::steady_timer timer;
  std::function<void()> on_change;
  bool is_pending = false;
};

std::unique_ptr<InterfaceWatch> InterfaceWatch::Open(const boost::asio::any_io_executor& executor,
                                                     std::function<void()> on_change) {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (fd < 0) return nullptr;
  sockaddr_nl local{};
  local.nl_family = AF_NETLINK;
  local.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&local), sizeof(local)) != 0) {
    ::close(fd);
    return nullptr;
  }
  auto impl = std::make_shared<Impl>(executor, fd, std::move(on_change));
  impl->Wait();
  return std::unique_ptr<InterfaceWatch>(new InterfaceWatch(std::move(impl)));
}

#else

struct InterfaceWatch::Impl {};

std::unique_ptr<InterfaceWatch> InterfaceWatch::Open(const boost::asio::any_io_executor&, std::function<void()>) {
  return nullptr;
}

#endif

InterfaceWatch::~InterfaceWatch() = default;

}  // namespace jsp::transport::io
