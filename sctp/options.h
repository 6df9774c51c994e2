#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "sctp/message.h"
#include "sctp/types.h"
namespace jsp::sctp {

// RFC 9260 §16, adapted to a path whose liveness ICE guards.
struct TimerOptions {
  Duration rto_initial = std::chrono::milliseconds(500);
  Duration rto_min = std::chrono::milliseconds(220);
  Duration rto_max = std::chrono::seconds(10);
  Duration cookie_lifetime = std::chrono::seconds(60);
  Duration max_cookie_extension = std::chrono::seconds(10);  // at the peer's wish (RFC 9260 §3.3.2.1.3)
  Duration heartbeat_interval = std::chrono::seconds(30);
  Duration delayed_ack = std::chrono::milliseconds(20);
  bool operator==(const TimerOptions&) const = default;
};

// How the congestion window is found; sctp/tx/congestion_controller.h.
enum class CongestionAlgorithm : uint8_t {
  kNewReno,     // RFC 9260 §7.2
  kCubic,       // RFC 9438, with HyStart++ (RFC 9406)
  kModelBased,  // by measured rate and round trip: holds throughput under random loss
};

// Which stream sends next, RFC 8260 §3.
enum class StreamScheduling : uint8_t {
  kFirstComeFirstServed,  // the order of Send calls, over all streams
  kRoundRobin,            // each stream in turn
  kPriority,              // the highest priority that has something to send; equals in turn
  kWeightedFair,          // octets in proportion to the priorities
};

// How the sender finds losses and its rate. With NewReno and both switches off it is the sender of RFC 9260 and nothing
// else, for conformance tests and comparisons.
struct RecoveryOptions {
  CongestionAlgorithm congestion_control = CongestionAlgorithm::kCubic;
  bool pacing = true;  // instead of Max.Burst, once a round trip is known
  // Losses by time and tail probes (RFC 8985), besides miss indications and T3-rtx. Always on but with NewReno: the
  // others need its measurements.
  bool rack_tlp = true;
  // RFC 9260 §7.2.1 recommends about 4,400 octets; RFC 6928 §2 ten packets. With pacing off, ten are a burst of ten.
  size_t initial_window_packets = 24;
  // While small messages pass bulk of other streams, that bulk is kept from filling the path's queue, in which they
  // would wait behind it after all; sctp/tx/queue_limiter.h. With pacing and rack_tlp only; kModelBased needs no such
  // limit.
  bool limit_queue = true;
  bool operator==(const RecoveryOptions&) const = default;
};

// Octets that one association may hold.
struct BufferOptions {
  // a_rwnd at first. While the application keeps up it doubles with each window that was received, up to the second:
  // a window smaller than rate × round trip is what bounds the rate.
  size_t receive_window = 4 * 1024 * 1024;
  size_t max_receive_window = 32 * 1024 * 1024;
  size_t max_send_buffer = 16 * 1024 * 1024;  // queued and outstanding; more is kQueueFull
  bool operator==(const BufferOptions&) const = default;
};

// For tests and simulations, which begin close to the wrap.
struct NumberingOptions {
  // Our first TSN. Unset it is drawn at random, as RFC 9260 §3.3.2 wants it: who knows it can forge acknowledgements.
  std::optional<Tsn> initial_tsn = std::nullopt;
  bool operator==(const NumberingOptions&) const = default;
};

// How many streams there are at first, and how many there may be (RFC 6525 §5.2.5, §5.2.6).
struct StreamOptions {
  uint16_t outgoing_streams = 65535;  // announced in the handshake
  uint16_t max_outgoing_streams = 65535;
  uint16_t max_incoming_streams = 65535;  // also announced
  bool operator==(const StreamOptions&) const = default;
};

// What is known of the path; octets.
struct PathProperties {
  // Around an SCTP packet: 40 (IPv6) or 20, 8 (UDP), 13 + 24 (DTLS 1.2 record with AES-GCM), 4 (a TURN channel header).
  size_t overhead = 89;
  size_t min_mtu = 1280;  // of IP packets: RFC 8200 §5; 576 for IPv4, where smaller ones are hardly found
};

// Path MTU discovery, RFC 8899.
struct PathMtuOptions {
  // Only for an owner that sends datagrams unfragmented where Transmit says so; RFC 8261 §5 wants a safe size else.
  bool path_mtu_discovery = false;
  size_t path_overhead = PathProperties{}.overhead;
  size_t min_path_mtu = PathProperties{}.min_mtu;
  // Octets of the largest IP packet that is tried. Beyond 1500 only where jumbo frames, or loopback, are known to be;
  // up to 16,384 less a DTLS record's room.
  size_t max_path_mtu = 1500;
  // PROBE_TIMER, but never below two round trips. RFC 8899 §5.1.1: at least 1 s; its 15 s are for those who measure no
  // round trip.
  Duration probe_timer = std::chrono::seconds(1);
  Duration path_mtu_raise_interval = std::chrono::seconds(600);  // PMTU_RAISE_TIMER (RFC 8899 §5.1.1)
  uint32_t max_probes = 3;                                       // MAX_PROBES (RFC 8899 §5.1.2)
  bool operator==(const PathMtuOptions&) const = default;
};

// Per association; every timer and limit by its name.
struct Options : TimerOptions, RecoveryOptions, BufferOptions, NumberingOptions, StreamOptions, PathMtuOptions {
  uint16_t local_port = 5000;
  uint16_t remote_port = 5000;
  // Octets of one SCTP packet: 1280 − 40 (IPv6) − 8 (UDP) − 13 − 24 (DTLS 1.2 record) − 4 (a TURN channel header). With
  // path MTU discovery it is where that begins and falls back to: BASE_PLPMTU.
  size_t max_packet_size = 1191;
  // Largest message that may be sent and received; 0 = no limit, but a whole one must fit into the receive window.
  size_t max_message_size = 256 * 1024;         // ours: what we accept
  size_t remote_max_message_size = 256 * 1024;  // the peer's, from its description; 0 = no limit
  Delivery delivery = Delivery::kWhole;         // of all streams, until Association::SetDelivery
  uint32_t max_init_retransmits = 8;
  uint32_t association_max_retransmits = 10;
  size_t max_burst_packets = 4;  // RFC 9260 §6.1 D
  StreamScheduling scheduling = StreamScheduling::kWeightedFair;
  // RFC 9653: offered to the peer, as DTLS is below. A test that corrupts packets without DTLS switches it off.
  bool zero_checksum = true;
  // Offered to the peer; docs/sctp.md#ecn. Only for an owner that tells HandlePacket the marks of packets and sends
  // with those that Transmit names.
  bool ecn = false;
  bool interleaving = true;  // RFC 8260: offered to the peer; small messages then pass between pieces of large ones

  // The sender of RFC 9260 and nothing else.
  static Options Rfc9260() {
    Options options;
    static_cast<RecoveryOptions&>(options) = {CongestionAlgorithm::kNewReno, false, false, 10, false};
    return options;
  }
  bool operator==(const Options&) const = default;
};

}  // namespace jsp::sctp
