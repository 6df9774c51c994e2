#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/expected.h"
#include "tools/jsp/bench_sockets.h"
#include "tools/jsp/bench_turn_clients.h"
namespace jsp::tool {

enum class FlowDirection : uint8_t { kUp, kDown };  // client to peer, peer to client

struct FlowOptions {
  FlowDirection direction = FlowDirection::kUp;
  size_t size = 100;     // octets of payload
  size_t burst = 16;     // datagrams that a client, or the peer, sends at once
  size_t window = 1024;  // datagrams on the way at a time, of all allocations: what is lost is the server's fault
  double seconds = 3;    // measured, after a short warm-up
};

struct FlowResult {
  uint64_t received = 0;  // while it was measured
  double seconds = 0;
  uint64_t sent = 0;     // in all
  uint64_t lost = 0;     // of those
  double cpu_share = 0;  // of one processor, of the generator
};

struct DelayResult {  // microseconds
  double p50 = 0;
  double p99 = 0;
};

// Sends datagrams through relays and counts those that come out. Every client has a channel to the peer, which is one
// socket of `peer`.
class TurnFlow {
 public:
  TurnFlow(BenchTurnClients& clients, BenchSockets& peer) : clients_(&clients), peer_(&peer) {}

  FlowResult Run(const FlowOptions& options);
  // One datagram at a time: how much later it comes through the relay than straight to the peer, in the median and in
  // the slowest hundredth, each less the median of the straight way. The error: nothing came.
  Expected<DelayResult, std::string> MeasureDelay(size_t size, size_t probes);

 private:
  void SendBurst(const FlowOptions& options);
  uint64_t ReceiveAll(const FlowOptions& options);
  Expected<double, std::string> ProbeOnce(const SocketAddress& to, size_t prefix);

  BenchTurnClients* clients_;
  BenchSockets* peer_;
  std::vector<uint8_t> payload_;
  size_t next_ = 0;  // whose turn it is to send
};

}  // namespace jsp::tool
