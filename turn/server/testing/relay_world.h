#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "turn/client.h"
#include "turn/server/testing/test_server.h"
namespace jsp::turn {

// Clients, a server and peers over links with delay and loss, in virtual time and from a seed. A datagram to a relay's
// address reaches the server's relay, wherever it comes from; any other address is a peer's, and what it gets is kept.
class RelayWorld {
 public:
  struct Config {
    ServerOptions server = TestServer::DefaultOptions();
    Duration delay = std::chrono::milliseconds(20);
    double loss = 0;  // of every datagram, in every direction
    uint64_t seed = 1;
  };
  explicit RelayWorld(const Config& config);

  // A client of the world; valid as long as the world.
  Client& AddClient(ClientOptions options, std::string_view address);
  // Runs until `time` has passed.
  void Run(Duration time);
  // Runs until `done`, at most `time`. False: it never was.
  bool RunUntil(const std::function<bool()>& done, Duration time);

  void Send(Client& client, const SocketAddress& peer, std::span<const uint8_t> data);
  void SendFromPeer(const SocketAddress& peer, const SocketAddress& to, std::span<const uint8_t> data);
  struct Datagram {
    SocketAddress from;
    std::vector<uint8_t> data;
  };
  std::vector<Datagram>& received(const Client& client) { return received_by_client_[&client]; }
  std::vector<Datagram>& received(const SocketAddress& peer) { return received_by_peer_[peer]; }
  std::vector<ClientEvent>& events(const Client& client) { return events_[&client]; }
  template <class E>
  size_t Count(const Client& client) {
    size_t count = 0;
    for (const auto& event : events(client)) count += std::holds_alternative<E>(event);
    return count;
  }

  TestServer s;
  Timestamp now() const { return s.now; }

 private:
  struct InFlight {
    SocketAddress from;
    SocketAddress to;
    std::vector<uint8_t> data;
  };
  void Post(const SocketAddress& from, const SocketAddress& to, std::vector<uint8_t> data);
  void Arrive(const InFlight& datagram);
  void Drain();

  Config config_;
  Rng rng_;
  std::multimap<Timestamp, InFlight> in_flight_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::map<const Client*, std::vector<Datagram>> received_by_client_;
  std::map<const Client*, std::vector<ClientEvent>> events_;
  std::map<SocketAddress, std::vector<Datagram>> received_by_peer_;
};

}  // namespace jsp::turn
