#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "stun/server.h"
#include "transport/asio/turn_datagrams.h"
#include "transport/asio/turn_handover.h"
#include "transport/asio/turn_listen.h"
#include "transport/asio/turn_server.h"
#include "transport/asio/turn_streams.h"
#include "transport/asio/turn_tcp_relays.h"
#include "turn/server/server.h"
namespace jsp::transport::io {

// What the parts of a TurnServer share; kept alive by it, and by no operation in the background. See turn_server.h.
//
// A turn: what is ready is read and handed to the cores, which forward it; then the queue leaves, and Drain() does what
// the cores want: answers, and sockets to open and close.
struct TurnServerCore : std::enable_shared_from_this<TurnServerCore> {
  struct Deadline {
    boost::asio::steady_timer timer;
    Timestamp armed;  // Never(): the timer does not run
  };

  struct Phase {
    bool stopped = false;
    bool is_draining = false;
  };

  TurnServerCore(boost::asio::any_io_executor ex, TurnServerOptions server_options, const BoundListeners& listeners,
                 ReadySet ready);
  // An error in one line. Listeners take clients from now on.
  [[nodiscard]] std::optional<std::string> Start(BoundListeners& listeners);
  void Stop();
  // At the end of every turn.
  void Drain(Timestamp now);
  // Where a relay's socket is bound (TurnServerOptions::relay_mappings).
  SocketAddress BoundAddressOf(const SocketAddress& relay) const;
  // There is mail of other workers.
  void ReadMail();
  // A Binding message of a stream.
  void AnswerBinding(Timestamp now, TurnStream& stream, std::span<const uint8_t> message);

  boost::asio::any_io_executor executor;
  TurnServerOptions options;
  std::vector<TurnListen> listening;
  Rng rng;
  turn::Server server;
  stun::Server binding;
  stun::Server stream_binding;  // RFC 5780 is for datagrams
  std::vector<uint8_t> buffer;  // what is read of streams, each at its time
  TurnDatagrams datagrams;
  TurnStreams streams;
  TurnTcpRelays tcp_relays;
  TurnHandover handover;
  Deadline deadline;
  TurnServerStats stats;  // but for what `datagrams` counts
  Phase phase;

 private:
  void WaitDatagrams();
  void HandleEvent(Timestamp now, const turn::Server::Event& event);
  void SendToClient(const turn::ClientPath& path, std::span<const uint8_t> message);
  void ArmTimer();
  void HandleTimer();
};

}  // namespace jsp::transport::io
