#pragma once
#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/expected.h"
#include "transport/asio/udp_socket.h"
namespace jsp::transport::io {

// Who decides which loop of a group a datagram goes to.
enum class Steering : uint8_t {
  kBySource,  // its source's address and port, by our formula; by the system's where it does not take ours
  kBySystem,
};

// The sockets of several loops that are bound to the same addresses and ports (SO_REUSEPORT), and which loop gets whose
// datagrams. Whoever binds an address first decides its port, which is nobody's else; the others follow. Owns none of
// the sockets. From any thread, all of it.
class SharedPorts {
 public:
  static constexpr size_t kMaxLoops = 64;
  struct Options {
    size_t loops = 1;  // 1 to kMaxLoops
    uint32_t seed = 0;
    Steering steering = Steering::kBySource;
  };
  // Of a socket that is one of those, or of one that is shared with nobody.
  class Closer {
   public:
    Closer() = default;
    explicit Closer(std::shared_ptr<SharedPorts> ports) : ports_(std::move(ports)) {}
    void Close(UdpSocket& socket) const { ports_ ? ports_->Close(socket) : socket.Close(); }
    void operator()(UdpSocket* socket) const {
      Close(*socket);
      delete socket;
    }

   private:
    std::shared_ptr<SharedPorts> ports_;
  };
  using Socket = std::unique_ptr<UdpSocket, Closer>;

  explicit SharedPorts(const Options& options);

  // At `address`; with port 0, and where that port is not there, on the one that the group has for that IP address.
  static Expected<Socket, boost::system::error_code> Open(const std::shared_ptr<SharedPorts>& ports, size_t loop,
                                                          const boost::asio::any_io_executor& executor,
                                                          const SocketAddress& address,
                                                          const UdpSocketOptions& options);
  // No socket of that loop will be opened any more: the next one stands in for it.
  void CloseLoop(size_t loop) { open_loops_ &= ~(uint64_t{1} << loop); }

  // Whose datagrams from `source` are while all is well: what the kernel computes. 0 when no loop is open.
  size_t LoopOf(const SocketAddress& source) const;
  // False: the system refused the formula, or was not asked.
  bool is_steered() const { return !is_refused_; }
  const Options& options() const { return options_; }

 private:
  struct Member {
    size_t loop;
    int descriptor;
  };
  // In the kernel's order.
  struct Port {
    SocketAddress address;
    std::vector<Member> members;
    bool Has(size_t loop) const;
  };

  Port* Find(size_t loop, const SocketAddress& address);
  void Close(UdpSocket& socket);
  void Steer(const Port& port);

  const Options options_;
  std::mutex mutex_;
  std::vector<Port> ports_;
  std::atomic<uint64_t> open_loops_;
  std::atomic<bool> is_refused_;
};

}  // namespace jsp::transport::io
