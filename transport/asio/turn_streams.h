#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "transport/asio/turn_connection.h"
#include "transport/asio/turn_workers.h"
#include "turn/server/server.h"
#include "turn/stream_framer.h"
namespace jsp::transport::io {

struct TurnServerCore;
class TurnPeerConnection;

// A client's connection: one for messages, until ConnectionBind makes it a data connection (RFC 6062 §5.4).
class TurnStream final : public TurnConnection {
 public:
  TurnStream(TurnServerCore& core, Socket socket, const turn::ClientPath& path);

  const turn::ClientPath& path() const { return path_; }
  // Relayed data: dropped while the client reads too slowly, a message at a time.
  void SendSegments(std::span<const turn::Segment> segments);
  // A message of the server's own. Whoever does not read its answers is not read either, so that this is bounded.
  void SendMessage(std::span<const uint8_t> message) { Write(message); }
  // What another worker has read of it, before anything else of it is.
  void Continue(Timestamp now, std::span<const uint8_t> octets);
  // From now on its octets are the peer's.
  void Splice(const std::shared_ptr<TurnPeerConnection>& peer);

  bool is_stranger = true;  // counts for TurnStreamLimits::strangers_per_source
  // When the last whole message came, and since when the next one is incomplete: Never() when nothing of it came.
  Timestamp last_message() const { return last_message_; }
  Timestamp partial_since() const { return partial_since_; }

 protected:
  void HandleOctets(Timestamp now, std::span<const uint8_t> octets) override;
  void HandleEnd(Timestamp now) override;
  void HandleDrained(Timestamp now) override;
  void HandleRead(Timestamp now) override;

 private:
  struct Move {
    turn::WorkerIndex worker;
    std::vector<uint8_t> octets;  // the message that said so, and what came behind it
  };
  bool HandleMessage(Timestamp now, std::span<const uint8_t> message);
  void SendToPeer(std::span<const uint8_t> octets);

  TurnServerCore& core_;
  turn::ClientPath path_;
  turn::StreamFramer framer_;
  Timestamp last_message_;
  Timestamp partial_since_ = Timestamp::Never();
  bool is_spliced_ = false;
  std::optional<Move> move_;
  std::weak_ptr<TurnPeerConnection> peer_;
};

// The TCP and TLS listeners of a TURN server, and the streams of its clients. Owns both; part of a TurnServerCore.
class TurnStreams {
 public:
  explicit TurnStreams(TurnServerCore& core);

  void Start();
  void AddListener(turn::ListenerId id, boost::asio::ip::tcp::acceptor acceptor);
  // Of TLS listeners; for streams that come from now on.
  void SetCertificate(std::shared_ptr<const dtls::StreamContext> certificate) { certificate_ = std::move(certificate); }
  bool IsOf(turn::ListenerId id) const;
  // nullptr: closed meanwhile.
  std::shared_ptr<TurnStream> Find(const turn::ClientPath& path) const;
  // The stream is done with: what was written still goes. The core is told.
  void Close(Timestamp now, TurnStream& stream);
  // For another worker: nothing of it stays here.
  MovingStream Release(TurnStream& stream);
  // From another worker.
  void Adopt(Timestamp now, MovingStream moving);
  // Whether it is a stranger's may have changed.
  void Judge(TurnStream& stream);
  // Until the other side has ended, but not long.
  void KeepFinishing(std::shared_ptr<TurnConnection> connection);
  size_t size() const { return streams_.size(); }

 private:
  struct Listener {
    turn::ListenerId id;
    boost::asio::ip::tcp::acceptor acceptor;
    bool accepts = false;
  };
  struct Finishing {
    std::shared_ptr<TurnConnection> connection;
    Timestamp until;
  };

  void Accept(Listener& listener);
  void HandleAccepted(turn::ListenerId id, boost::asio::ip::tcp::socket socket);
  std::shared_ptr<TurnStream> Enter(const turn::ClientPath& path, boost::asio::ip::tcp::socket socket);
  void Sweep();
  bool IsExpired(Timestamp now, TurnStream& stream);
  void SetStanding(TurnStream& stream, bool is_stranger);

  TurnServerCore& core_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<const dtls::StreamContext> certificate_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  boost::unordered_flat_map<turn::ClientPath, std::shared_ptr<TurnStream>, turn::ClientPathHash> streams_;
  boost::unordered_flat_map<SocketAddress, size_t, std::hash<SocketAddress>> strangers_;  // by source, port 0
  std::vector<Finishing> finishing_;
};

}  // namespace jsp::transport::io
