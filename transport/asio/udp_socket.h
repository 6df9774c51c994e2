#pragma once
#include <algorithm>
#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/ecn_mark.h"
#include "base/expected.h"
#include "base/ip_fragmentation.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "transport/asio/loop_buffers.h"
#include "transport/asio/port_use.h"
namespace jsp::transport::io {

struct UdpSocketOptions {
  int buffer_bytes = 16 * 1024 * 1024;  // asked of SO_RCVBUF and SO_SNDBUF: a hundred peers of one port send at once
  bool use_gso = true;                  // UDP_SEGMENT
  bool use_gro = true;                  // UDP_GRO
  size_t max_backlog_datagrams = 1024;  // kept when the kernel's buffer is full; more are dropped and counted
  PortUse port_use = PortUse::kExclusive;
};

struct UdpSocketStats {
  uint64_t receive_calls = 0;
  uint64_t send_calls = 0;
  uint64_t datagrams_received = 0;
  uint64_t datagrams_sent = 0;
  uint64_t receive_dropped = 0;  // by the kernel, as the buffer was full; a train counts once
  uint64_t receive_errors = 0;
  uint64_t send_errors = 0;     // refused, unreachable, too large, not permitted: counted, never fatal (ATTACKS X1)
  uint64_t too_large = 0;       // of those: for the interface (EMSGSIZE), as some probes of a path MTU are
  uint64_t fragmentable = 0;    // sent for IP to cut where it must
  uint64_t network_errors = 0;  // ICMP and its like, from the error queue
  uint64_t backlog_dropped = 0;
  uint64_t no_buffer_space = 0;  // sends that were put off as an interface's queue was full (ENOBUFS)
  uint64_t gso_refused = 0;      // destinations for which segmentation was switched off
  int receive_buffer = 0;        // octets granted by the kernel
  int send_buffer = 0;
};

// Datagrams that came together from one address (UDP_GRO), or one alone, which may be empty.
struct ReceivedTrain {
  SocketAddress remote;
  std::span<const uint8_t> octets;
  size_t segment = 1;               // octets of each datagram; only the last may be shorter
  EcnMark mark = EcnMark::kNotEct;  // of all of them: the kernel joins only equal ones

  size_t count() const { return octets.empty() ? 1 : (octets.size() + segment - 1) / segment; }
  // take(datagram) for each.
  template <class Take>
  void ForEach(Take&& take) const {
    std::span<const uint8_t> rest = octets;
    do {
      const auto datagram = rest.first(std::min(segment, rest.size()));
      rest = rest.subspan(datagram.size());
      take(datagram);
    } while (!rest.empty());
  }
};

// One outgoing datagram inside a batch's buffer.
struct OutgoingDatagram {
  SocketAddress remote;
  uint32_t offset = 0;
  uint32_t size = 0;
  IpFragmentation fragmentation = IpFragmentation::kForbidden;
  EcnMark ecn = EcnMark::kNotEct;
};

// What the network, or the own host, says about a datagram that was sent to `remote`.
struct NetworkError {
  enum class Kind : uint8_t { kTooBig, kUnreachable };
  Kind kind = Kind::kUnreachable;
  SocketAddress remote;
  size_t mtu = 0;                     // kTooBig: octets of IP packet that would have passed
  std::span<const uint8_t> datagram;  // what is quoted of it, maybe nothing
};

// A non-blocking UDP socket that reads and writes in batches: recvmmsg with UDP_GRO, UDP_SEGMENT for runs of equal size
// to one address, sendmmsg for the rest. The only file with Linux's batch calls; elsewhere plain calls do the same job.
// Owns the descriptor; borrows a receive slab of its loop. The driver waits on socket() and calls Receive() and Send().
class UdpSocket {
 public:
  using Native = boost::asio::ip::udp::socket;

  static Expected<std::unique_ptr<UdpSocket>, boost::system::error_code> Open(boost::asio::any_io_executor executor,
                                                                              const SocketAddress& bind_to,
                                                                              const UdpSocketOptions& options = {});

  Native& socket() { return socket_; }
  // Others may bind its port from now on, if they share it too.
  bool SharePort();
  const SocketAddress& local() const { return local_; }
  // receive_dropped is read with its own call of the kernel.
  UdpSocketStats stats();

  // kWoken: where nothing is there it was for an error. kAhead: perhaps something has come already.
  enum class Occasion : uint8_t { kWoken, kAhead };
  // Reads one batch and calls take(train) for what came from one address together, or take(remote, datagram) for each
  // datagram; then finish(), until which all of it stays where it is. Returns how many datagrams there were; 0 means
  // that the socket is drained, which is_drained() may have said before.
  template <class Take, class Finish>
  size_t Receive(Take&& take, Occasion occasion, Finish&& finish) {
    const LoopBuffers::Lease slab(*buffers_, LoopBuffers::Kind::kReceive);
    const size_t trains = ReceiveBatch(slab.data());
    is_drained_ = trains < kMessages;
    has_error_ = has_error_ || (trains == 0 && occasion == Occasion::kWoken);
    size_t datagrams = 0;
    for (const ReceivedTrain& train : std::span(received_).first(trains)) {
      if constexpr (std::is_invocable_v<Take, const ReceivedTrain&>) {
        take(train);
      } else {
        train.ForEach([&](std::span<const uint8_t> datagram) { take(train.remote, datagram); });
      }
      datagrams += train.count();
    }
    finish();
    stats_.datagrams_received += datagrams;
    return datagrams;
  }
  template <class Take>
  size_t Receive(Take&& take, Occasion occasion = Occasion::kWoken) {
    return Receive(std::forward<Take>(take), occasion, [] {});
  }
  // The last batch was not full: what is there now has come since.
  bool is_drained() const { return is_drained_; }
  // Takes what waits in the socket's error queue, up to a bound, and calls take(NetworkError) for each. Looks there
  // only when a call has failed since, by which the kernel gives notice, or nothing was received.
  template <class Take>
  void ReceiveErrors(Take&& take) {
    if (!std::exchange(has_error_, false)) return;
    for (size_t i = 0; i < kMaxErrors; ++i) {
      const auto error = ReceiveError();
      if (!error) return;
      ++stats_.network_errors;
      take(*error);
    }
    has_error_ = true;
  }
  // Datagrams leave with DF and the kernel's own path MTU is not looked at (RFC 8899 §4.5), unless they say otherwise.
  bool controls_fragmentation() const { return controls_fragmentation_; }
  // Marks of datagrams that arrive are told (RFC 3168 §5), and OutgoingDatagram::ecn is obeyed.
  bool carries_ecn() const { return carries_ecn_; }
  // Sends the datagrams in order; what the kernel has no room for is kept and sent by Flush().
  void Send(std::span<const uint8_t> buffer, std::span<const OutgoingDatagram> datagrams);
  // True while datagrams wait for the socket to become writable.
  bool has_backlog() const { return !backlog_.empty(); }
  void Flush();
  // Calls handler(error_code) when Flush() may get further: when the socket is writable, or, where an interface's queue
  // was full, which no socket waits for, after a pause that grows from 1 ms to 32 ms until something leaves. The
  // handler gets an error when the socket is gone.
  template <class Handler>
  void WaitForRoom(Handler&& handler) {
    if (!starvation_.is_starved) return socket_.async_wait(Native::wait_write, std::forward<Handler>(handler));
    starvation_.pause = std::clamp(2 * starvation_.pause, kMinPause, kMaxPause);
    starvation_.timer.expires_after(starvation_.pause);
    starvation_.timer.async_wait(std::forward<Handler>(handler));
  }
  // Its address is gone: nothing is sent or received any more; what waits is dropped.
  void Close();

 private:
  static constexpr size_t kMessages = 16;
  static constexpr size_t kMaxErrors = 64;
  static constexpr size_t kMessageSize = 65536;
  // A millisecond is 1,500 octets at 12 Mbit/s; a queue that is full for longer is one of seconds.
  static constexpr Duration kMinPause = std::chrono::milliseconds(1);
  static constexpr Duration kMaxPause = std::chrono::milliseconds(32);
  static_assert(kMessages * kMessageSize <= LoopBuffers::kReceiveOctets);
  struct Waiting {
    SocketAddress remote;
    std::vector<uint8_t> bytes;
    IpFragmentation fragmentation;
    EcnMark ecn;
  };

  struct Starvation {
    explicit Starvation(const Native::executor_type& executor) : timer(executor) {}
    boost::asio::steady_timer timer;
    Duration pause{};
    bool is_starved = false;
  };

  UdpSocket(Native socket, const UdpSocketOptions& options);
  void Configure();
  void ConfigureFragmentation();
  void ConfigureEcn();
  size_t ReceiveBatch(uint8_t* slab);
  std::optional<NetworkError> ReceiveError();
  // Each returns how many of `datagrams` were consumed; of all but SendRuns fewer only when the kernel is full.
  size_t SendSome(std::span<const uint8_t> buffer, std::span<const OutgoingDatagram> datagrams);
  size_t SendFragmentable(std::span<const uint8_t> buffer, const OutgoingDatagram& datagram);
  size_t SendOneByOne(std::span<const uint8_t> buffer, std::span<const OutgoingDatagram> run);
  // One call for the first runs, up to the next datagram that IP may cut; a run is at most `max_run` datagrams. Nothing
  // was consumed: the kernel is full.
  size_t SendRuns(std::span<const uint8_t> buffer, std::span<const OutgoingDatagram> datagrams, size_t max_run);
  // What is to become of `run`, which the kernel refused with that error; of it, how many are consumed.
  size_t HandleRefused(int error, std::span<const uint8_t> buffer, std::span<const OutgoingDatagram> run);
  size_t RunLength(std::span<const OutgoingDatagram> datagrams) const;
  void Keep(std::span<const uint8_t> buffer, std::span<const OutgoingDatagram> datagrams);
  void NoteSent(size_t datagrams);
  void NoteFull(bool is_starved);

  Native socket_;
  UdpSocketOptions options_;
  SocketAddress local_;
  UdpSocketStats stats_;
  LoopBuffers* buffers_;
  std::array<ReceivedTrain, kMessages> received_;
  std::deque<Waiting> backlog_;
  std::unordered_set<SocketAddress> no_gso_;  // bounded by kMaxNoGso
  bool controls_fragmentation_ = false;
  bool carries_ecn_ = false;
  bool is_drained_ = false;
  bool has_error_ = false;
  SocketAddress refused_as_too_large_;  // by the own host, last; IPv4's report of it does not name the port
  std::vector<uint8_t> quoted_;         // what the last NetworkError views
  Starvation starvation_;
};

}  // namespace jsp::transport::io
