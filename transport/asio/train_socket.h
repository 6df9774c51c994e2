#pragma once
#include <array>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/expected.h"
#include "base/socket_address.h"
#include "transport/asio/port_use.h"
#include "turn/attributes.h"
namespace jsp::transport::io {

enum class Segmentation : uint8_t { kNone, kKernel };
enum class ErrorQueue : uint8_t { kIgnored, kRead };

struct TrainSocketOptions {
  int buffer_bytes = 4 * 1024 * 1024;                 // asked of SO_RCVBUF and SO_SNDBUF (PITFALLS P25)
  Segmentation segmentation = Segmentation::kKernel;  // UDP_SEGMENT and UDP_GRO, where the kernel has them
  PortUse port_use = PortUse::kExclusive;
  ErrorQueue errors = ErrorQueue::kIgnored;  // kRead: what ICMP says is for ReceiveError()
};

// Whether a socket is used at once, or only holds its port until Use().
enum class OpenFor : uint8_t { kUse, kPort };

// A bound, non-blocking UDP socket that a TrainIo reads and writes. Datagrams leave without DF but where a send says so
// (RFC 8656 §14), and ICMP errors may wait in its error queue. Owns the descriptor, and no buffer: a server has one for
// each allocation.
class TrainSocket {
 public:
  static Expected<std::unique_ptr<TrainSocket>, boost::system::error_code> Open(const SocketAddress& bind_to,
                                                                                const TrainSocketOptions& options = {},
                                                                                OpenFor use = OpenFor::kUse);
  ~TrainSocket();
  TrainSocket(const TrainSocket&) = delete;
  TrainSocket& operator=(const TrainSocket&) = delete;

  // Of one that was opened for its port: forgets what has come, and sets the options.
  void Use(const TrainSocketOptions& options);

  int descriptor() const { return descriptor_; }
  const SocketAddress& local() const { return local_; }

  // What ICMP says about a datagram that was sent to `remote`.
  struct NetworkError {
    SocketAddress remote;
    turn::Icmp icmp;
  };
  // The next one of the error queue; nullopt: there is none. Errors of this host's own are passed over.
  std::optional<NetworkError> ReceiveError();

 private:
  friend class TrainIo;
  // Where its last message stands in the queue of a TrainIo, if that is still the same batch.
  struct Tail {
    uint64_t batch = 0;
    size_t message = 0;
  };

  TrainSocket(int descriptor, const SocketAddress& local) : descriptor_(descriptor), local_(local) {}
  void Configure(const TrainSocketOptions& options);
  // RFC 8656 §14: DF, and the path's MTU is the client's affair. Linux has no such flag for one datagram.
  void ForbidFragments();
  void AllowFragments();

  int descriptor_;
  SocketAddress local_;
  Segmentation segmentation_ = Segmentation::kNone;
  Tail tail_;
};

}  // namespace jsp::transport::io
