#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "netsim/link.h"
#include "sctp/association.h"
namespace jsp::bench {

// The path that all flows share: one link each way, the forward one being the bottleneck.
struct PathOptions {
  Duration rtt = std::chrono::milliseconds(50);
  double bits_per_s = 100e6;
  double queue_bdp = 1;  // the forward queue, in rate × rtt
  double loss = 0;       // uniform, forward only
  uint64_t seed = 1;
};

// Pairs of associations over one bottleneck in virtual time: `a` of each pair sends through it, `z` receives. Owns the
// associations, both links and the clock. The same options give the same run.
class SharedPath {
 public:
  struct Flow {
    Rng rng;
    sctp::Association a;
    sctp::Association z;
    // Called for each message that `z` received, and for each that came back to `a`.
    std::function<void(Timestamp, const sctp::Message&)> on_z_message;
    std::function<void(Timestamp, const sctp::Message&)> on_a_message;
    // Octets of user data that `z` received.
    uint64_t delivered = 0;
    // Keeps this many octets in messages of `bulk_message` waiting at `a`, once established; 0: no bulk.
    size_t bulk_backlog = 0;
    size_t bulk_message = 65536;
    sctp::StreamId bulk_stream{1};

    Flow(const sctp::Options& options, Rng random, Timestamp now)
        : rng(std::move(random)), a(options, rng, now), z(options, rng, now) {}
  };

  explicit SharedPath(const PathOptions& options);

  // Established when it returns.
  Flow& AddFlow(const sctp::Options& options);
  void Send(Flow& flow, sctp::StreamId stream, size_t octets, const sctp::SendOptions& options = {});
  // Calls `call` at `at`.
  void At(Timestamp at, std::function<void(Timestamp)> call);
  void RunUntil(Timestamp end);
  bool RunUntil(const std::function<bool()>& done, Duration limit);
  Timestamp now() const { return now_; }
  const netsim::LinkStats& forward_stats() const { return forward_.stats(); }

 private:
  enum class Side : uint8_t { kA, kZ };
  struct Packet {
    Timestamp at;
    uint64_t order;
    Flow* flow;
    Side to;
    std::vector<uint8_t> bytes;
  };
  struct Later {
    bool operator()(const Packet& a, const Packet& z) const { return a.at != z.at ? a.at > z.at : a.order > z.order; }
  };
  struct Call {
    Timestamp at;
    uint64_t order;
    std::function<void(Timestamp)> call;
    bool operator<(const Call& other) const { return at != other.at ? at > other.at : order > other.order; }
  };

  bool Step(Timestamp end);
  void Drain(Flow& flow);
  void DrainSide(Flow& flow, Side side);
  void TopUp(Flow& flow);

  Rng rng_;
  Timestamp now_ = Timestamp::FromEpoch(std::chrono::seconds(100));
  netsim::Link forward_;
  netsim::Link backward_;
  std::vector<std::unique_ptr<Flow>> flows_;
  std::priority_queue<Packet, std::vector<Packet>, Later> packets_;
  std::priority_queue<Call> calls_;
  uint64_t order_ = 0;
  std::vector<uint8_t> scratch_;
};

}  // namespace jsp::bench
