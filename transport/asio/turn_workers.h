#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "dtls/stream_session.h"
#include "transport/asio/mailbox.h"
#include "turn/server/server.h"
#include "turn/server/shared_state.h"
namespace jsp::transport::io {

struct TurnServerCore;

// A TCP connection on its way to another thread. Owns the descriptor.
struct MovingSocket {
  explicit MovingSocket(int native) : descriptor(native) {}
  MovingSocket(MovingSocket&& other) noexcept : descriptor(other.Release()) {}
  MovingSocket& operator=(MovingSocket&&) = delete;
  ~MovingSocket();
  int Release() {
    const int native = descriptor;
    descriptor = -1;
    return native;
  }
  int descriptor;
};

// A client's stream that another worker goes on with.
struct MovingStream {
  turn::ClientPath path;
  MovingSocket socket;
  std::optional<dtls::StreamSession> tls;
  std::vector<uint8_t> unsent;  // to the client
  std::vector<uint8_t> octets;  // from the client, not handled yet
};

// The workers of one TURN server: each a TurnServer on a thread of its own, with the same listeners (SO_REUSEPORT). The
// system gives a 5-tuple to any of them, and a core says so when a request names what another one has
// (Server::FromClient::worker). Then a stream moves there as a whole, and datagrams of its path are handed over, also
// those to come; what goes to the client leaves from the worker that relays. Owns what they share and a mailbox each.
//
// Every call may come from any of their threads.
class TurnWorkers {
 public:
  // `options` have the quotas and limits of all of them together.
  TurnWorkers(const turn::ServerOptions& options, size_t count);
  TurnWorkers(const TurnWorkers&) = delete;
  TurnWorkers& operator=(const TurnWorkers&) = delete;

  // Of the cores. It lives as long as this does.
  std::shared_ptr<turn::SharedState> state() { return state_; }

  // Mail for `worker` is announced to `core` on its executor, from now on until Leave().
  void Join(turn::WorkerIndex worker, const boost::asio::any_io_executor& executor, std::weak_ptr<TurnServerCore> core);
  void Leave(turn::WorkerIndex worker);

  struct Letter {
    enum class Kind : uint8_t {
      kDatagrams,  // a train of that path, for the core
      kReturned,   // that path is nobody's here any more: the reader's own again
    };
    Kind kind = Kind::kDatagrams;
    turn::WorkerIndex from;
    turn::ClientPath path;
    size_t size = 0;  // of the train, in Mail::octets
    size_t segment_size = 0;
  };
  using Letters = Mailbox<Letter, TurnServerCore>;
  using Streams = Mailbox<MovingStream, TurnServerCore>;
  struct Mail {
    Letters::Mail trains;
    Streams::Mail streams;
  };
  // More than so much of waiting mail is dropped: a worker that is slower than its clients (docs/turn.md).
  static constexpr size_t kMaxOctets = 4 * 1024 * 1024;
  static constexpr size_t kMaxLetters = 4096;
  static constexpr size_t kMaxStreams = 1024;
  // False: there is no room, or nobody.
  bool Send(turn::WorkerIndex to, const Letter& letter, std::span<const uint8_t> train);
  // The stream is closed then.
  bool Send(turn::WorkerIndex to, MovingStream stream);
  // What waits for `worker`, in exchange for an empty one.
  void Take(turn::WorkerIndex worker, Mail& mail);

 private:
  struct Box {
    Letters letters{{kMaxLetters, kMaxOctets}};
    Streams streams{{kMaxStreams, 0}};
  };

  std::mutex state_mutex_;
  Rng rng_;
  std::shared_ptr<turn::SharedState> state_;
  std::vector<std::unique_ptr<Box>> boxes_;
};

}  // namespace jsp::transport::io
