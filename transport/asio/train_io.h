#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/socket_address.h"
#include "transport/asio/native_socket.h"
#include "transport/asio/train_socket.h"
#include "transport/asio/train_stats.h"
#include "turn/server/server.h"
namespace jsp::transport::io {

// Moves trains of datagrams for all UDP sockets of a server: recvmmsg and UDP_GRO into one slab, UDP_SEGMENT and
// sendmmsg out of a queue that gathers prefixes and payloads where they are, without a copy. Owns the slab and the
// queue, not the sockets. What is queued views the slab: a train that came is good until the next Receive(), a queue
// until Flush().
//
// Segments to one destination join into one segmented send, also when they came apart or among others; the order of
// what goes from one socket to one destination is kept.
class TrainIo {
 public:
  static constexpr size_t kMaxSegments = 64;  // UDP_MAX_SEGMENTS of the kernel
  static constexpr size_t kMinReceive = 16;   // fewer slots than that: the slab begins anew
  TrainIo();

  struct Received {
    SocketAddress remote;
    turn::Train train;
  };
  // What has come to the socket; fewer than kMinReceive trains: all of it. Every train of the call before was handled.
  std::span<const Received> Receive(TrainSocket& socket);

  // Room for the next call of Append(): kMaxSegments.
  std::span<turn::Segment> room();
  enum class Fragmenting : uint8_t { kAllowed, kForbidden };  // kForbidden: with DF (RFC 8656 §14)
  // Queues the first `count` segments of room().
  void Append(TrainSocket& socket, const SocketAddress& remote, size_t count, Fragmenting fragmenting);
  // Queues a copy of a message of the server's own, at most kMaxCopy octets.
  void AppendCopy(TrainSocket& socket, const SocketAddress& remote, std::span<const uint8_t> message);
  static constexpr size_t kMaxCopy = 2048;
  // Sends all of the queue; also before a socket goes for which something is queued.
  void Flush();
  bool IsQueued(const TrainSocket& socket) const { return socket.tail_.batch == batch_; }

  const TrainIoStats& stats() const { return stats_; }

 private:
  static constexpr size_t kMessages = 64;
  static constexpr size_t kSlotSize = 65536;
  static constexpr size_t kSlotStride = kSlotSize + 33 * 64;  // slots 64 KiB apart share a few lines of the caches
  static constexpr size_t kMaxQueued = 64;
  static constexpr size_t kMaxRunOctets = 65000;  // a segmented send is one IP packet to the kernel
  static constexpr size_t kQueuedSegments = 1024;
  static constexpr size_t kCopies = 64 * 1024;
  static constexpr size_t kPieces = 3 * kMaxSegments;  // prefix, payload, padding

  struct Slot {
    NativeAddress address;
    iovec vector;
    alignas(cmsghdr) std::array<char, kSegmentControlSize> control;
  };
  struct Outgoing {
    TrainSocket* socket;
    SocketAddress remote;
    NativeAddress address;
    socklen_t address_size;
    Fragmenting fragmenting;
    bool is_closed;  // its last segment is shorter than the others, or it cannot be segmented
    size_t segment_size;
    size_t segments;
    size_t octets;
    size_t pieces;
    std::array<iovec, kPieces> vectors;
    alignas(cmsghdr) std::array<char, kSegmentControlSize> control;
  };

  Outgoing& MessageFor(TrainSocket& socket, const SocketAddress& remote, Fragmenting fragmenting, size_t size);
  void AppendSegment(TrainSocket& socket, const SocketAddress& remote, const turn::Segment& segment,
                     Fragmenting fragmenting);
  void Send(std::span<Outgoing> messages);
  void SendOneByOne(Outgoing& message);
  void HandleRefused(Outgoing& message, int error);

  std::unique_ptr<uint8_t[]> slab_;  // touched only as far as datagrams reach
  std::unique_ptr<std::array<Slot, kMessages>> slots_;
  std::array<mmsghdr, kMessages> incoming_{};
  std::array<Received, kMessages> received_;
  size_t next_slot_ = 0;
  std::unique_ptr<std::array<Outgoing, kMaxQueued>> queue_;
  std::vector<turn::Segment> segments_;
  std::vector<uint8_t> copies_;
  size_t queued_ = 0;
  size_t used_segments_ = 0;
  size_t used_copies_ = 0;
  uint64_t batch_ = 1;
  TrainIoStats stats_;
};

}  // namespace jsp::transport::io
