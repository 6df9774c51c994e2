#pragma once
#include <sys/epoll.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/expected.h"
#include "base/rng.h"
#include "base/socket_address.h"
#include "transport/asio/train_io.h"
#include "transport/asio/train_socket.h"
namespace jsp::tool {

using BenchClock = std::chrono::steady_clock;

// Local ports in turn, from anywhere on: none comes again before all the others have. A server that keeps what was
// deleted for a while refuses an Allocate over the 5-tuple of another (437, RFC 8656 §7.4), and the system's choice of
// ports soon repeats itself. Below where relays are (RFC 8656 §7.2).
class BenchPorts {
 public:
  static constexpr uint16_t kFirst = 10000;
  static constexpr uint16_t kLast = 49151;
  static constexpr size_t kCount = kLast - kFirst + size_t{1};
  explicit BenchPorts(Rng& rng) : next_(rng.Below(kCount)) {}
  uint16_t Next() { return static_cast<uint16_t>(kFirst + next_++ % kCount); }

 private:
  uint64_t next_;
};

// Many UDP sockets on this machine's address towards a server, waited for as one and served by one TrainIo: a load
// generator must not be slower than what it measures.
class BenchSockets {
 public:
  // `server` decides the local address; without segmentation every datagram passes the kernel by itself. `ports`
  // outlives the sockets; without it the system picks. The error is one line.
  static Expected<std::unique_ptr<BenchSockets>, std::string> Open(
      const SocketAddress& server, size_t count,
      transport::io::Segmentation segmentation = transport::io::Segmentation::kKernel, BenchPorts* ports = nullptr);
  ~BenchSockets();

  size_t size() const { return sockets_.size(); }
  transport::io::TrainSocket& operator[](size_t i) { return *sockets_[i]; }
  transport::io::TrainIo& io() { return io_; }
  const SocketAddress& server() const { return server_; }

  // A new socket, on another port, in the place of that one.
  Expected<void, std::string> Replace(size_t i);

  // Indices of sockets that can be read; waits for one, at most that long.
  std::span<const size_t> Wait(std::chrono::milliseconds longest);
  // Calls take(datagram, remote) for each datagram that waits at a socket.
  template <class Take>
  void Receive(size_t i, Take&& take) {
    bool is_all = false;
    while (!is_all) {
      const auto trains = io_.Receive(*sockets_[i]);
      is_all = trains.size() < transport::io::TrainIo::kMinReceive;
      for (const auto& received : trains) {
        auto rest = received.train.octets;
        const size_t segment = received.train.segment_size == 0 ? rest.size() : received.train.segment_size;
        do {
          const size_t size = std::min(segment, rest.size());
          take(rest.first(size), received.remote);
          rest = rest.subspan(size);
        } while (!rest.empty());
      }
    }
  }

 private:
  static constexpr size_t kEvents = 64;
  BenchSockets(const SocketAddress& server, transport::io::Segmentation segmentation, BenchPorts* ports)
      : server_(server), segmentation_(segmentation), ports_(ports) {}
  Expected<void, std::string> OpenAll(size_t count);
  Expected<std::unique_ptr<transport::io::TrainSocket>, boost::system::error_code> Bind();
  Expected<std::unique_ptr<transport::io::TrainSocket>, std::string> OpenOne(size_t i);

  SocketAddress server_;
  transport::io::Segmentation segmentation_;
  BenchPorts* ports_;
  IpAddress local_;
  boost::asio::io_context loop_{1};  // never runs: sockets want an executor
  transport::io::TrainIo io_;
  std::vector<std::unique_ptr<transport::io::TrainSocket>> sockets_;
  int epoll_ = -1;
  std::array<epoll_event, kEvents> events_{};
  std::array<size_t, kEvents> ready_{};
};

// How datagrams leave that are sent `burst` at a time.
transport::io::Segmentation SegmentationFor(size_t burst);
// Of `sorted`, which is not empty; share from 0 to 1.
double Percentile(std::span<const double> sorted, double share);
// Processor seconds that this process has used.
double CpuSeconds();

}  // namespace jsp::tool
