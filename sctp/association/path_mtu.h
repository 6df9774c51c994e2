#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "sctp/metrics.h"
namespace jsp::sctp {

// Datagram packetization layer path MTU discovery, the state machine of RFC 8899 §5.2. Sizes are octets of SCTP
// packets, multiples of four, as every SCTP packet is. It sends nothing, draws no nonce and knows no chunk: path_probe
// makes packets of what it asks for and tells it what became of them. One per association, as there is one path
// (RFC 9260 §7.3 item 1).
class PathMtu {
 public:
  using State = PathMtuState;

  struct Limits {
    size_t smallest;  // MIN_PLPMTU (RFC 8899 §5.1.2)
    size_t base;      // BASE_PLPMTU
    size_t largest;   // MAX_PLPMTU
    size_t overhead;  // octets around a packet, by which common MTUs become sizes of packets
    Duration probe_timer;
    Duration raise_timer;
    uint32_t max_probes;
  };
  // What `HandleProbeAcknowledged` and others changed, for the one who sends data.
  enum class Change : uint8_t { kNone, kSize, kStalled, kRecovered };

  // RFC 8899 §5.3.2: a gain below this is not worth another probe, but where an MTU is common.
  static constexpr size_t kLeastGain = 16;
  // ERROR tries again after this, then twice as long, and so on up to the second (RFC 8899 §5.2 leaves it open).
  static constexpr Duration kFirstRetry = std::chrono::seconds(2);
  static constexpr Duration kLastRetry = std::chrono::seconds(60);

  // DISABLED: packets of `size`, no probes.
  explicit PathMtu(size_t size) : size_(size) {}

  // The path is there, or another one is: DISABLED to BASE.
  void Start(const Limits& limits);
  // "PL indicates loss of connectivity", or the association ends: no more probes.
  void Stop();

  // ---- probes. Octets of the one to be sent now; 0: none. kSmallProbe stands for a packet without padding.
  static constexpr size_t kSmallProbe = 4;
  size_t due() const { return is_due_ ? probe_.size : 0; }
  // `nonce` names the probes of this size, so that a late acknowledgement of an earlier one counts as well.
  std::optional<uint64_t> nonce() const { return probe_.nonce; }
  void HandleProbeSent(Timestamp now, uint64_t nonce, Duration round_trip);
  // The probe could not be composed: the owner's buffer ends at `octets`.
  void HandleNoRoom(Timestamp now, size_t octets);
  Change HandleProbeAcknowledged(Timestamp now, uint64_t nonce);
  Change HandleTimeout(Timestamp now);
  Timestamp NextTimeout() const { return deadline_; }

  // ---- hints and signs.
  // RFC 8899 §4.6.2, for a message that the owner matched with a datagram of ours. `octets`: PL_PTB_SIZE. It never sets
  // the size that is used, except back to the base, and never below it: it may be forged.
  Change HandlePacketTooBig(Timestamp now, size_t octets);
  // Something large was lost more than once, or T3-rtx expired (RFC 8899 §4.3, third indicator).
  Change HandleLargeLoss();
  void HandleLargeAcknowledged() { large_losses_ = 0; }
  // A full packet of data was sent: PMTU_RAISE_TIMER is worth its probes (RFC 8899 §5.1.1).
  void HandleFullPacketSent() { is_used_ = true; }

  // PLPMTU: octets that a packet may have, probes excepted.
  size_t size() const { return size_; }
  State state() const { return state_; }
  // Not even the smallest size is known to pass: what is larger than a small packet may be cut by IP (RFC 8899 §5.2,
  // ERROR).
  bool needs_ip_fragmentation() const { return state_ == State::kError; }
  bool is_stalled() const { return is_stalled_; }
  // Losses of chunks in packets above this tell about the size.
  size_t large() const { return size_ > limits_.base ? limits_.base : size_ / 2; }

 private:
  struct Probe {
    size_t size = 0;  // PROBED_SIZE
    uint32_t count = 0;
    std::optional<uint64_t> nonce = std::nullopt;
  };

  Change EnterBase();
  Change EnterError();
  void EnterSearchComplete(Timestamp now);
  void Ask(size_t size);
  void Search(Timestamp now);
  size_t NextCandidate() const;
  size_t NextCommonSize() const;
  Change HandleProbeFailed(Timestamp now);
  Change SetSize(size_t size);
  Change Recover(Change change);

  Limits limits_{};
  State state_ = State::kDisabled;
  size_t size_;
  size_t too_large_ = 0;  // the smallest size that failed in this search; 0: none
  size_t hint_ = 0;       // a size that a router named; the first one of the next search
  Probe probe_;
  bool is_due_ = false;
  bool is_used_ = false;
  bool is_stalled_ = false;
  uint32_t large_losses_ = 0;
  Duration retry_ = kFirstRetry;
  Timestamp deadline_;  // PROBE_TIMER, PMTU_RAISE_TIMER or the next try of ERROR: never two of them
};

}  // namespace jsp::sctp
