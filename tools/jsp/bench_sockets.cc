#include "tools/jsp/bench_sockets.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/udp.hpp>
#include <cerrno>
#include <cstring>

#include "transport/asio/endpoint.h"

namespace jsp::tool {
namespace {

// As many descriptors as the system allows: one for each socket.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Expected<std::unique_ptr<BenchSockets>, std::string> BenchSockets::Open(const SocketAddress& server, size_t count,
                                                                        transport::io::Segmentation segmentation,
                                                                        BenchPorts* ports) {
  std::unique_ptr<BenchSockets> opened(new BenchSockets(server, segmentation, ports));
  if (const auto all = opened->OpenAll(count); !all) return Unexpected<std::string>(all.error());
  return opened;
}

BenchSockets::~BenchSockets() {
  if (epoll_ >= 0) ::close(epoll_);
}

Expected<void, std::string> BenchSockets::OpenAll(size_t count) {
  RaiseDescriptorLimit();
  boost::asio::ip::udp::socket probe(loop_);
  boost::system::error_code error;
  const auto remote = transport::io::ToEndpoint(server_);
  probe.open(remote.protocol(), error);
  if (!error) probe.connect(remote, error);
  if (error) return Unexpected<std::string>("cannot reach " + server_.ToString() + ": " + error.message());
  local_ = transport::io::FromEndpoint(probe.local_endpoint()).ip;
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  for (size_t i = 0; i < count; ++i) {
    auto socket = OpenOne(i);
    if (!socket) {
      return Unexpected<std::string>("cannot open socket " + std::to_string(i + 1) + " of " + std::to_string(count) +
                                     ": " + socket.error() + "; see ulimit -n");
    }
    sockets_.push_back(std::move(*socket));
  }
  return {};
}

// Ports of others are passed over.
Expected<std::unique_ptr<transport::io::TrainSocket>, boost::system::error_code> BenchSockets::Bind() {
  for (size_t tries = 1;; ++tries) {
    const uint16_t port = ports_ == nullptr ? uint16_t{0} : ports_->Next();
    auto socket = transport::io::TrainSocket::Open({local_, port}, {.segmentation = segmentation_});
    const bool is_taken = !socket && socket.error() == boost::asio::error::address_in_use;
    if (!is_taken || port == 0 || tries == BenchPorts::kCount) return socket;
  }
}

Expected<std::unique_ptr<transport::io::TrainSocket>, std::string> BenchSockets::OpenOne(size_t i) {
  auto socket = Bind();
  if (!socket) return Unexpected<std::string>(socket.error().message());
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = i;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, (*socket)->descriptor(), &event) != 0) {
    return Unexpected<std::string>(std::strerror(errno));
  }
  return std::move(*socket);
}

Expected<void, std::string> BenchSockets::Replace(size_t i) {
  io_.Flush();  // the queue may hold something of the old one
  auto socket = OpenOne(i);
  if (!socket) return Unexpected<std::string>("cannot open another socket: " + socket.error());
  sockets_[i] = std::move(*socket);
  return {};
}

std::span<const size_t> BenchSockets::Wait(std::chrono::milliseconds longest) {
  const int count = ::epoll_wait(epoll_, events_.data(), kEvents, static_cast<int>(longest.count()));
  const size_t ready = count > 0 ? static_cast<size_t>(count) : 0;
  for (size_t i = 0; i < ready; ++i) ready_[i] = events_[i].data.u64;
  return std::span(ready_).first(ready);
}

transport::io::Segmentation SegmentationFor(size_t burst) {
  return burst > 1 ? transport::io::Segmentation::kKernel : transport::io::Segmentation::kNone;
}

double Percentile(std::span<const double> sorted, double share) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<size_t>(share * last)];
}

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace jsp::tool
