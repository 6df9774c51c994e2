#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>

#include "base/socket_address.h"
#include "base/strong_types.h"
#include "netsim/tcp_connection.h"
#include "netsim/world.h"
namespace jsp::netsim {

using TcpSocketId = StrongId<struct TcpSocketIdTag, uint32_t>;

// Who uses a connection, as plain functions. Each may call the host, also Close or Abort of the same connection.
// handle_closed comes at most once and last: the other side finished, or the connection is gone.
struct TcpObserver {
  void* self = nullptr;
  void (*handle_connected)(void* self, TcpSocketId id) = nullptr;
  void (*handle_octets)(void* self, TcpSocketId id, std::span<const uint8_t> octets) = nullptr;
  void (*handle_closed)(void* self, TcpSocketId id, TcpEnd end) = nullptr;
  // What waited for acknowledgments has fallen below half of kBusy after it had been above. Optional.
  void (*handle_writable)(void* self, TcpSocketId id) = nullptr;
};

// Who listens at a port. accept() gives the new connection, whose handshake is under way, its observer.
struct TcpListener {
  void* self = nullptr;
  TcpObserver (*accept)(void* self, TcpSocketId id, const SocketAddress& local, const SocketAddress& remote) = nullptr;
};

struct TcpHostStats {
  uint64_t accepted = 0;
  uint64_t refused = 0;  // answered with RST: no such connection, nobody listens (RFC 9293 §3.5.2)
  uint64_t bad_checksum = 0;
  uint64_t retransmissions = 0;  // of connections that are gone
};

// TCP of one host of a world: its connections and listeners. At most one for a host. Owns the connections, borrows the
// world and the observers, which outlive it or have closed theirs.
class TcpHost {
 public:
  // A connection with more that is not acknowledged is_busy(): a sender with a choice waits.
  static constexpr size_t kBusy = 256 * 1024;
  static constexpr uint16_t kFirstPort = 49152;  // RFC 4787 §4.2.1: dynamic ports begin there

  // Connections leave from ports of `first_port` and up. The next TcpHost of a host takes other ones, as a kernel
  // would: the far ends of the last one's connections may not know yet that it is gone.
  TcpHost(World& world, NodeId host, uint16_t first_port = kFirstPort);
  ~TcpHost();
  TcpHost(const TcpHost&) = delete;
  TcpHost& operator=(const TcpHost&) = delete;

  void Listen(const SocketAddress& address, const TcpListener& listener);
  // From a free port of `local`, an address of the host.
  TcpSocketId Connect(const IpAddress& local, const SocketAddress& remote, const TcpObserver& observer);
  void Write(TcpSocketId id, std::span<const uint8_t> octets);
  bool IsBusy(TcpSocketId id) const;
  // FIN after what was written; the observer hears nothing more.
  void Close(TcpSocketId id);
  void Abort(TcpSocketId id);
  // What a middlebox does that ends connections: their sockets hear of a reset, and so does the other side.
  void AbortAll();
  // The same, and the other side hears nothing: it finds out when it sends.
  void ForgetAll();
  SocketAddress LocalAddress(TcpSocketId id) const;

  size_t connections() const { return sockets_.size(); }
  const TcpHostStats& stats() const { return stats_; }

 private:
  struct Pair {
    SocketAddress local;
    SocketAddress remote;
    auto operator<=>(const Pair&) const = default;
  };
  struct Socket {
    Pair pair;
    TcpConnection connection;
    TcpObserver observer;
    bool was_busy = false;
  };

  static void HandleSegment(void* self, const SocketAddress& local, const SocketAddress& remote,
                            const TcpHeader& header, std::span<const uint8_t> payload);
  static void HandleTimeout(void* self);
  TcpSocketId Add(const Pair& pair, const TcpObserver& observer);
  Socket* Find(TcpSocketId id);
  void Accept(const Pair& pair, const TcpHeader& header);
  void Refuse(const Pair& pair, const TcpHeader& header, size_t payload);
  // Tells the observer what happened and sends what there is. The socket may be gone afterwards.
  void Drive(TcpSocketId id);
  void Notify(TcpSocketId id);
  void Flush(Socket& socket);
  // Removes what is over, unless an observer is being told something, and sets the timer.
  void Settle();

  World& world_;
  EndpointId endpoint_;
  std::map<uint32_t, std::unique_ptr<Socket>> sockets_;
  std::map<Pair, TcpSocketId> by_pair_;
  std::unordered_map<SocketAddress, TcpListener> listeners_;
  uint32_t next_id_ = 1;
  uint16_t next_port_;
  int depth_ = 0;  // of observers that are being told something
  TcpHostStats stats_;
};

}  // namespace jsp::netsim
