#include "transport/asio/ready_set.h"

#include <unistd.h>

#include <cerrno>

namespace jsp::transport::io {

using boost::system::error_code;

Expected<ReadySet, error_code> ReadySet::Open(const boost::asio::any_io_executor& executor) {
  const int descriptor = ::epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) return Unexpected<error_code>(error_code(errno, boost::system::system_category()));
  boost::asio::posix::stream_descriptor epoll(executor);
  error_code error;
  epoll.assign(descriptor, error);
  if (error) {
    ::close(descriptor);
    return Unexpected<error_code>(error);
  }
  return ReadySet(std::move(epoll));
}

bool ReadySet::Add(int descriptor, uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  return ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

std::span<const ReadySet::Ready> ReadySet::Poll() {
  const int count = ::epoll_wait(epoll_.native_handle(), events_.data(), kEvents, 0);
  if (count <= 0) return {};
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    ready_[i] = {events_[i].data.u64, (events_[i].events & EPOLLERR) != 0};
  }
  return std::span(ready_).first(static_cast<size_t>(count));
}

}  // namespace jsp::transport::io
