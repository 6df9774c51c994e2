#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/time.h"
#include "sctp/association/capabilities.h"
#include "sctp/association/path_mtu.h"
#include "sctp/association/reconfig_state.h"
#include "sctp/association/state_cookie.h"
#include "sctp/rx/data_tracker.h"
#include "sctp/rx/reassembly_queue.h"
#include "sctp/tx/retransmission_queue.h"
#include "sctp/types.h"
namespace jsp::sctp {

// RFC 9260 §6.2: what of the receive window is taken beyond what ReassemblyQueue holds.
struct ReceiveWindow {
  // What a message that waits in the event queue costs beyond its payload, so that a peer cannot fill memory with small
  // messages while the owner does not poll.
  static constexpr size_t kUnpolledOverhead = 128;

  size_t size = 0;
  size_t limit = 0;                                       // up to which `size` may grow
  size_t consumed_of_it = 0;                              // since it last grew, or did not: a whole window decides
  bool has_backed_up = false;                             // meanwhile, more than half of it was taken
  size_t unconsumed = 0;                                  // octets of delivered messages until HandleConsumed
  size_t unpolled = 0;                                    // messages in the event queue
  size_t advertised = 0;                                  // the last a_rwnd sent
  size_t allowance = std::numeric_limits<size_t>::max();  // the owner's, whatever `size` is

  size_t bound() const { return std::min(size, allowance); }
};

// RFC 9260 §8.3: the HEARTBEAT that is not answered yet.
struct Heartbeat {
  struct Outstanding {
    uint64_t nonce;
    Timestamp sent_at;
    bool is_late = false;  // counted as an error after one RTO; an answer still counts
  };
  std::optional<Outstanding> outstanding;
  uint64_t chunks_sent_before = 0;      // Metrics::chunks_sent when the period began: unchanged means idle
  uint64_t octets_received_before = 0;  // Metrics::bytes_received at that time
};

// docs/sctp.md#ecn.
struct EcnState {
  // The lowest TSN of the packet marked last: with every SACK, until CWR says that the peer knows.
  std::optional<UnwrappedTsn> echo;
  uint32_t marked_packets = 0;  // since then
  std::optional<Tsn> cwr_due;
  // Whether the path lets through what may be marked.
  enum class Path : uint8_t { kUntried, kTrying, kGood, kBad };
  Path path = Path::kUntried;
  UnwrappedTsn tried_from{0};    // kTrying: the first TSN that counts
  uint64_t repeated_before = 0;  // Metrics::retransmitted_chunks when it began
};

// `hash_key` is a random number.
inline ReassemblyQueue::Limits ReassemblyLimits(const Options& options, const Agreement& agreed, uint64_t hash_key) {
  return {.max_message_size = ReceiveMessageLimit(options),
          .max_size_in_pieces = options.max_message_size,
          .delivery = options.delivery,
          .incoming_streams = agreed.incoming_streams,
          .framing = agreed.framing(),
          .hash_key = hash_key};
}

// The transmission control block of RFC 9260 §13: what exists once both ends' INIT and INIT ACK are known. Owned by the
// state; the functions of association/ work on its parts.
struct Tcb {
  // What outlives it.
  struct Surroundings {
    SendQueue& messages;
    Metrics& metrics;
    const BufferPool& pool;
    uint64_t hash_key;  // a random number
  };
  Tcb(const Options& options, const Agreement& agreed, const TieTags& ties, const Surroundings& around)
      : agreement(agreed),
        tie_tags(ties),
        tracker(agreed.peer_initial_tsn),
        reassembly(ReassemblyLimits(options, agreed, around.hash_key), around.pool),
        sender(options,
               {.initial_tsn = agreed.my_initial_tsn,
                .peer_a_rwnd = agreed.peer_a_rwnd,
                .reliability = agreed.capabilities.partial_reliability ? Reliability::kPartial : Reliability::kFull,
                .framing = agreed.framing()},
               around.messages, around.metrics),
        reconfig(agreed),
        path_mtu(options.max_packet_size) {
    window.size = window.advertised = ReceiveWindowSize(options);
    window.limit = std::max(window.size, options.max_receive_window);
  }

  Agreement agreement;
  TieTags tie_tags;
  DataTracker tracker;
  ReassemblyQueue reassembly;
  RetransmissionQueue sender;
  ReconfigState reconfig;
  Heartbeat heartbeat;
  ReceiveWindow window;
  PathMtu path_mtu;
  EcnState ecn;
  uint64_t large_losses_seen = 0;  // of Metrics::large_repetitions_lost
  uint32_t error_count = 0;        // RFC 9260 §8.1
  bool cookie_ack_due = false;
  bool has_received_data = false;
};

}  // namespace jsp::sctp
