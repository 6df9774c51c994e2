#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/ecn_mark.h"
#include "base/rng.h"
#include "transport/asio/loop_directory.h"
#include "transport/asio/mailbox.h"
#include "transport/asio/shared_ports.h"
#include "transport/asio/udp_socket.h"
#include "transport/asio/unknown_requests.h"
namespace jsp::transport::io {

struct DriverCore;

// What one loop handed to others, and got from them.
struct HandoverStats {
  uint64_t sent = 0;              // datagrams for another loop's peers
  uint64_t letters = 0;           // of those: a train that goes as one counts once
  uint64_t received = 0;          // datagrams for peers here
  uint64_t full = 0;              // dropped: the other loop had too much to read
  uint64_t gone = 0;              // dropped: the other loop is closed
  uint64_t astray = 0;            // dropped: the peer is not here, or not any more
  uint64_t routes_contested = 0;  // addresses that a peer was denied, as another loop's peer has them
  uint64_t mail_room = 0;         // octets that it keeps for what others hand to it
};

// What the drivers of a DriverGroup share. From any thread, all of it. A loop is its index.
class LoopGroup {
 public:
  struct Letter {
    enum class Kind : uint8_t {
      kTrain,        // from `route.remote`, for a peer of the reader; several are all records
      kRouteWanted,  // another loop's peer is authenticated there; has the reader's left?
    };
    Kind kind = Kind::kTrain;
    EcnMark mark = EcnMark::kNotEct;
    LoopRoute route;
    uint32_t size = 0;     // of the train, in Mail::octets
    uint32_t segment = 1;  // of each of its datagrams, as in ReceivedTrain
    ReceivedTrain Train(std::span<const uint8_t> octets) const { return {route.remote, octets, segment, mark}; }
  };
  // A letter that is to be sent, and what is in it.
  struct Parcel {
    size_t to;
    Letter letter;
    std::span<const uint8_t> octets;
  };
  using Box = Mailbox<Letter, DriverCore>;
  // Waiting mail of one loop; more is dropped. As many trains as it reads itself in four turns, by default.
  static constexpr size_t kMaxOctets = 4 * 1024 * 1024;
  static constexpr size_t kMaxLetters = 4096;

  LoopGroup(const SharedPorts::Options& ports, const UnknownRequestOptions& unknown, Rng& rng);

  size_t size() const { return loops_.size(); }
  const std::shared_ptr<SharedPorts>& ports() const { return ports_; }
  LoopDirectory& directory() { return directory_; }
  // Of checks for nobody, of all loops together.
  const std::shared_ptr<UnknownRequestLimit>& unknown_limit() const { return unknown_limit_; }

  // Mail for `loop` is announced to `core` on its executor from now on, until Leave().
  void Join(size_t loop, const boost::asio::any_io_executor& executor, std::weak_ptr<DriverCore> core);
  // It has no peers any more, and gets neither mail nor, once its sockets are closed, datagrams.
  void Leave(size_t loop);

  // What `from` got for peers of others, kTrain all of it: for each of them it is one delivery. Dropped and counted
  // when it cannot be.
  void HandOver(size_t from, std::span<const Parcel> parcels);
  void Take(size_t loop, Box::Mail& mail) { loops_[loop]->box.Take(mail); }
  // Datagrams of a mail; what the reader keeps for the next one.
  void NoteRead(size_t loop, uint64_t received, uint64_t astray, size_t room);
  // The reader keeps nothing; nor does its box, unless letters wait.
  void TrimMail(size_t loop);
  // For a peer that is authenticated there. False: another loop's has it. That loop is asked, and lets it go when that
  // peer does not live on it: the next check of the new one succeeds then.
  bool ClaimRoute(size_t loop, const LoopRoute& route);

  HandoverStats stats(size_t loop) const;

 private:
  struct Counters {
    std::atomic<uint64_t> sent{0};
    std::atomic<uint64_t> letters{0};
    std::atomic<uint64_t> received{0};
    std::atomic<uint64_t> full{0};
    std::atomic<uint64_t> gone{0};
    std::atomic<uint64_t> astray{0};
    std::atomic<uint64_t> routes_contested{0};
    std::atomic<uint64_t> reader_room{0};
  };
  struct alignas(64) Loop {
    Box box{{kMaxLetters, kMaxOctets}};
    Counters counters;
  };
  void HandOver(size_t from, size_t to, std::span<const Parcel> parcels);

  std::shared_ptr<SharedPorts> ports_;
  LoopDirectory directory_;
  std::shared_ptr<UnknownRequestLimit> unknown_limit_;
  std::vector<std::unique_ptr<Loop>> loops_;
};

// Which loop of which group a driver is; of none, a driver alone.
struct LoopMembership {
  std::shared_ptr<LoopGroup> group;
  size_t loop = 0;
  explicit operator bool() const { return group != nullptr; }
};

}  // namespace jsp::transport::io
