#pragma once
#include <sys/epoll.h>

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/expected.h"
namespace jsp::transport::io {

// Many descriptors that an executor waits for as one: a server has a relay socket for each allocation, and re-arming a
// wait of Asio's costs a system call each time. Level-triggered: what was not read is reported again. Owns an epoll
// descriptor, not what is in it; a descriptor that is closed leaves by itself.
class ReadySet {
 public:
  static Expected<ReadySet, boost::system::error_code> Open(const boost::asio::any_io_executor& executor);

  // `tag` names the descriptor in what Poll() returns. False: the system refused.
  [[nodiscard]] bool Add(int descriptor, uint64_t tag);
  struct Ready {
    uint64_t tag;
    bool has_error;  // its error queue waits
  };
  // Some of those that can be read, each in its turn; valid until the next call.
  std::span<const Ready> Poll();
  // handler(error_code), once: Poll() will return something.
  template <class Handler>
  void Wait(Handler&& handler) {
    epoll_.async_wait(boost::asio::posix::stream_descriptor::wait_read, std::forward<Handler>(handler));
  }

 private:
  static constexpr size_t kEvents = 64;
  explicit ReadySet(boost::asio::posix::stream_descriptor epoll) : epoll_(std::move(epoll)) {}

  boost::asio::posix::stream_descriptor epoll_;
  std::array<epoll_event, kEvents> events_;
  std::array<Ready, kEvents> ready_;
};

}  // namespace jsp::transport::io
