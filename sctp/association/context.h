#pragma once
#include <boost/circular_buffer.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/buffer_pool.h"
#include "base/event_queue.h"
#include "base/rng.h"
#include "base/time.h"
#include "base/timer_table.h"
#include "sctp/association/control_queue.h"
#include "sctp/association/state.h"
#include "sctp/association/state_cookie.h"
#include "sctp/events.h"
#include "sctp/metrics.h"
#include "sctp/options.h"
#include "sctp/packet/common_header.h"
#include "sctp/packet/packet_builder.h"
#include "sctp/tx/send_queue.h"
#include "sctp/types.h"
namespace jsp::sctp {

enum class Timer : uint8_t {
  kT1,             // INIT or COOKIE ECHO (RFC 9260 §5.1)
  kT2,             // SHUTDOWN or SHUTDOWN ACK (RFC 9260 §9.2)
  kShutdownGuard,  // T5 of RFC 9260 §9.2
  kHeartbeat,      // RFC 9260 §8.3
  kReconfig,       // RFC 6525 §5.1.1
  kDelayedAck,     // RFC 9260 §6.2
  kPathMtu,        // PROBE_TIMER, PMTU_RAISE_TIMER (RFC 8899 §5.1.1)
  kCount,
};

// What happens to the rest of a packet after one of its chunks.
enum class Flow : uint8_t { kContinue, kStop };

// One association: its options, its state, and what outlives states. association.cc owns it; the functions of this
// directory are its behaviour, each file one procedure of the RFC. `now` is the time of the input being handled and
// never goes back.
struct Context {
  // Whole packets that answer without a Tcb wait here; more are dropped, so that nobody makes us queue (RFC 9260
  // §12.4).
  static constexpr size_t kMaxReplies = 4;

  Context(std::shared_ptr<const Options> given, Rng& generator, Timestamp created, const BufferPool& buffers)
      : shared(std::move(given)),
        options(*shared),
        assumed{{options.remote_port, options.remote_max_message_size}, {options.path_overhead, options.min_path_mtu}},
        rng(generator),
        now(created),
        pool(buffers),
        jar(generator),
        messages(options.max_send_buffer, options.scheduling, metrics, pool),
        control(options.max_packet_size - kCommonHeaderSize),
        replies(kMaxReplies) {}

  void Drop(DropReason reason) { ++metrics.dropped[static_cast<size_t>(reason)]; }
  Tcb* tcb() {
    auto* found = FindTcb(state);
    return found == nullptr ? nullptr : found->get();
  }
  CommonHeader HeaderTo(VerificationTag tag) const { return {options.local_port, assumed.remote.port, tag}; }
  // Queues a packet with one chunk to an end that `tag` names.
  template <class Chunk>
  void Reply(VerificationTag tag, const Chunk& chunk) {
    if (replies.full()) return;
    std::vector<uint8_t> packet(options.max_packet_size);
    PacketBuilder builder(packet, HeaderTo(tag));
    builder.Add(chunk);
    packet.resize(builder.Finish());
    if (!packet.empty()) replies.push_back(std::move(packet));
  }
  // Leaves the current state for one that takes over its Tcb.
  template <class S>
  S& Enter() {
    std::unique_ptr<Tcb> tcb = std::move(*FindTcb(state));
    S& entered = state.emplace<S>();
    entered.tcb = std::move(tcb);
    return entered;
  }

  struct Remote {
    uint16_t port;
    size_t max_message_size;  // 0 = no limit
  };
  // What the options say at first, until more is known.
  struct Assumed {
    Remote remote;
    PathProperties path;
  };

  std::shared_ptr<const Options> shared;  // among associations of one kind
  const Options& options;
  Assumed assumed;
  Rng& rng;
  Timestamp now;
  BufferPool pool;  // of payloads and of what grows with them; outlives all that takes from it
  CookieJar jar;
  Metrics metrics;
  SendQueue messages;
  EventQueue<Event> events;
  TimerTable<Timer> timers;
  StateData state;
  ControlQueue control;
  boost::circular_buffer<std::vector<uint8_t>> replies;
  std::unique_ptr<Tcb> retired;  // of the association that ended in this input: callers may still look at it
};

}  // namespace jsp::sctp
