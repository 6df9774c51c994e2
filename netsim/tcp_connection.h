#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/sans_io.h"
#include "base/time.h"
#include "netsim/tcp_header.h"
namespace jsp::netsim {

struct TcpOptions {
  size_t mss = 1440;             // octets of payload in a segment: of an IPv6 packet of 1500 octets
  uint32_t window = 512 * 1024;  // what the receiver takes; it always reads at once, so that it never closes
  size_t initial_segments = 10;  // RFC 6928 §2
  Duration initial_rto = std::chrono::seconds(1);     // RFC 6298 §2 (2.1)
  Duration min_rto = std::chrono::milliseconds(200);  // Linux's; RFC 6298 §2 (2.4) would have a second
  Duration max_rto = std::chrono::seconds(60);        // RFC 6298 §2 (2.5)
  uint32_t max_syn_retries = 6;                       // Linux's: gives up after two minutes
  uint32_t max_retries = 15;                          // Linux's
};

enum class TcpEnd : uint8_t {
  kClosed,    // both sides have finished
  kReset,     // or refused
  kTimedOut,  // retransmissions were not answered
  kAborted,   // by this side
};
const char* ToString(TcpEnd end);

namespace tcp_event {
struct Connected {};
struct PeerFinished {};  // nothing more will come
struct Ended {
  TcpEnd end;
};
}  // namespace tcp_event

// One side of a TCP connection (RFC 9293): handshake, also simultaneous open, in-order delivery, retransmission by
// timer (RFC 6298) and by duplicate acknowledgments, congestion control of NewReno (RFC 5681, RFC 6582), FIN and RST.
// It has no Nagle algorithm, as production sets TCP_NODELAY, acknowledges each data segment at once, and has no SACK,
// timestamps, keepalives or TIME-WAIT: what is lost in bursts takes longer to repair than with SACK, a late FIN is
// answered with RST. A value; TcpHost owns one for each connection and is told when to open it.
class TcpConnection {
 public:
  struct Transmit {
    size_t size;  // of the payload
    TcpHeader header;
  };
  using Event = std::variant<tcp_event::Connected, tcp_event::PeerFinished, tcp_event::Ended>;

  explicit TcpConnection(const TcpOptions& options);

  // One of the two, once. `syn` has come from the peer.
  void Connect();
  void Accept(const TcpHeader& syn);
  // Queues octets; before the connection is there, too. Ignored after Close().
  void Write(std::span<const uint8_t> octets);
  // FIN after what was written.
  void Close();
  // RST at once; what was written and not acknowledged is lost.
  void Abort();

  void HandleSegment(Timestamp now, const TcpHeader& header, std::span<const uint8_t> payload);
  void HandleTimeout(Timestamp now);
  // `out` has room for `mss` octets.
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent() { return events_.Pop(); }
  [[nodiscard]] Timestamp NextTimeout() const { return rtt_.deadline; }
  // What has arrived in order since the last call.
  std::vector<uint8_t> TakeReceived();

  bool is_ended() const { return state_ == State::kEnded; }
  size_t unacknowledged() const { return sender_.buffer.size() - sender_.buffer_head; }
  uint64_t retransmissions() const { return sender_.retransmissions; }

 private:
  enum class State : uint8_t { kIdle, kSynSent, kSynReceived, kEstablished, kEnded };
  // RFC 9293 §3.3.1: SYN is number 0, the first octet number 1, FIN follows the last octet.
  struct Sender {
    uint64_t una = 0;
    uint64_t next = 0;
    uint64_t max = 0;       // what was sent once: `next` goes back on a timeout
    uint64_t data_end = 1;  // of what was written; the number of the FIN
    uint64_t peer_window = 0;
    std::vector<uint8_t> buffer;  // from buffer_head on: octets from max(una, 1)
    size_t buffer_head = 0;
    bool fin_wanted = false;
    bool resend_first = false;
    bool rst_wanted = false;
    uint64_t retransmissions = 0;
  };
  struct Receiver {
    uint64_t next = 0;
    bool ack_wanted = false;
    bool fin_taken = false;
    std::optional<uint64_t> fin;
    std::vector<uint8_t> in_order;
    std::map<uint64_t, std::vector<uint8_t>> early;
  };
  struct Congestion {
    size_t window = 0;
    size_t threshold = SIZE_MAX;
    uint32_t duplicates = 0;
    std::optional<uint64_t> recover;  // in fast recovery until this is acknowledged (RFC 6582 §3.2)
    uint64_t no_recovery_before = 0;  // RFC 6582 §4: duplicates that a timeout caused
  };
  struct Rtt {
    std::optional<Duration> smoothed;
    Duration variation{};
    Duration rto;
    uint32_t retries = 0;
    Timestamp deadline{};
    std::optional<uint64_t> timed;  // RFC 6298 §3: one segment at a time, never a retransmitted one
    Timestamp timed_at{};
  };

  void HandleSynSent(Timestamp now, const TcpHeader& header);
  bool HandleSynReceived(const TcpHeader& header);
  void HandleAck(Timestamp now, const TcpHeader& header, bool is_bare);
  void HandleNewAck(Timestamp now, uint64_t acknowledgment);
  void HandleDuplicateAck();
  void HandlePayload(const TcpHeader& header, std::span<const uint8_t> payload);
  void Establish();
  void End(TcpEnd end);
  void MaybeFinish();
  std::optional<Transmit> PollHandshake(Timestamp now);
  std::optional<Transmit> PollData(Timestamp now, std::span<uint8_t> out);
  Transmit Make(size_t size, uint64_t sequence);
  Transmit SendData(Timestamp now, uint64_t sequence, size_t size, std::span<uint8_t> out);
  void NoteSent(Timestamp now, uint64_t sequence, uint64_t end);
  void Measure(Duration sample);
  uint64_t data_end() const { return sender_.data_end; }
  uint64_t in_flight() const { return sender_.max - sender_.una; }

  TcpOptions options_;
  State state_ = State::kIdle;
  Sender sender_;
  Receiver receiver_;
  Congestion congestion_;
  Rtt rtt_;
  EventQueue<Event> events_;
};
static_assert(SansIoCore<TcpConnection>);

}  // namespace jsp::netsim
