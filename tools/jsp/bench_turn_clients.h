#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/expected.h"
#include "base/rng.h"
#include "base/socket_address.h"
#include "tools/jsp/bench_sockets.h"
#include "turn/client.h"
namespace jsp::tool {

struct BenchTurnServer {
  SocketAddress address;
  std::string username;
  std::string password;
};

// TURN clients of a load generator, each on a socket of its own, all on one thread. Every step is done for all of them,
// a bounded number at a time; its error is one line that says what the server answered.
class BenchTurnClients {
 public:
  // `ports` outlives the clients.
  static Expected<std::unique_ptr<BenchTurnClients>, std::string> Open(
      const BenchTurnServer& server, size_t count, BenchPorts& ports,
      transport::io::Segmentation segmentation = transport::io::Segmentation::kKernel);

  // An allocation for each: as a client that comes for the first time, so through a 401. Returns the seconds that it
  // took.
  Expected<double, std::string> Allocate();
  // A channel to the peer for each.
  Expected<void, std::string> BindChannels(const SocketAddress& peer);
  // Deletes the allocations.
  Expected<void, std::string> Close();

  size_t size() const { return clients_.size(); }
  BenchSockets& sockets() { return *sockets_; }
  turn::ChannelNumber channel(size_t i) const { return clients_[i].channel; }
  const SocketAddress& relay(size_t i) const { return clients_[i].relay; }

 private:
  enum class Step : uint8_t { kAllocate, kBindChannel, kClose };
  struct Entry {
    std::optional<turn::Client> client{};
    SocketAddress relay{};
    turn::ChannelNumber channel{};
    bool is_done = false;
  };

  BenchTurnClients(BenchTurnServer server, std::unique_ptr<BenchSockets> sockets, size_t count);
  Expected<void, std::string> Run(Step step);
  void Begin(Step step, size_t i);
  void Pump(size_t i);
  void HandleEvent(size_t i, const turn::ClientEvent& event);
  void HandleTimeouts();

  BenchTurnServer server_;
  std::unique_ptr<BenchSockets> sockets_;
  Rng rng_;
  std::vector<Entry> clients_;
  SocketAddress peer_;
  size_t done_ = 0;
  std::string error_;
};

}  // namespace jsp::tool
