#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/ecn_mark.h"
#include "base/ip_fragmentation.h"
#include "base/rng.h"
#include "base/time.h"
#include "netsim/loss_model.h"
#include "netsim/queue.h"
namespace jsp::netsim {

// What becomes of an IP packet that is larger than the link's MTU and must not be fragmented.
enum class TooBig : uint8_t {
  kDrop,    // silently: a black hole (RFC 8899 §1.1)
  kReport,  // dropped, and the sender is told the MTU, as by ICMP (RFC 1191, RFC 8201)
};

// What a link does to the ECN field (RFC 3168 §5).
enum class EcnTreatment : uint8_t {
  kKeep,
  kClear,  // it leaves as not-ECT (RFC 3168 §19.1)
  kDrop,   // packets that may be marked are lost (RFC 3168 §6.1.1.1)
};

// Of an IP packet, besides its addresses.
struct IpFields {
  IpFragmentation fragmentation = IpFragmentation::kForbidden;
  EcnMark ecn = EcnMark::kNotEct;
};

// What one direction of a link does to packets.
struct LinkOptions {
  Duration delay = std::chrono::milliseconds(10);
  Duration jitter{};              // uniform in ±jitter; order is kept unless `reordering` strikes
  uint64_t bytes_per_second = 0;  // 0: unlimited
  size_t queue_bytes = 256 * 1024;
  LossModel loss = UniformLoss{};
  double reordering = 0;   // probability that a packet overtakes: it skips the delay's second half
  double duplication = 0;  // probability of a second copy
  double corruption = 0;   // probability that one bit flips
  size_t mtu = 0;          // octets of an IP packet; 0: no limit. What may be fragmented is, and crosses as a whole
  TooBig too_big = TooBig::kDrop;
  // Octets in the queue from which on a packet that may be marked is, so that its sender slows down before any is
  // dropped (RFC 3168 §5). 0: never.
  size_t mark_above_bytes = 0;
  EcnTreatment ecn = EcnTreatment::kKeep;
};

struct LinkStats {
  uint64_t entered = 0;
  uint64_t lost = 0;
  uint64_t overflowed = 0;
  uint64_t duplicated = 0;
  uint64_t reordered = 0;
  uint64_t corrupted = 0;
  uint64_t too_big = 0;
  uint64_t fragmented = 0;
  uint64_t marked = 0;
  uint64_t markable_dropped = 0;
};

// One direction of a link. Owns its random process, so that other links' traffic does not change its fate.
class Link {
 public:
  Link(const LinkOptions& options, Rng rng);

  // The arrival times of the copies that arrive: none when lost, two when duplicated. May flip a bit of `bytes`.
  struct Fate {
    size_t copies = 0;
    Timestamp arrival[2];
    size_t mtu_to_report = 0;  // the packet was too big, and its sender is to know
    EcnMark ecn = EcnMark::kNotEct;
  };
  // `header_octets`: of IP and UDP or TCP.
  Fate Transmit(Timestamp now, std::vector<uint8_t>& bytes, size_t header_octets = kIpv4UdpOctets,
                const IpFields& fields = {});
  static constexpr size_t kIpv4UdpOctets = 28;
  static constexpr size_t kIpv6UdpOctets = 48;
  static constexpr size_t kTcpBeyondUdp = 12;  // 20 octets of header instead of 8
  void SetOptions(const LinkOptions& options);
  Duration delay() const { return options_.delay; }
  const LinkStats& stats() const { return stats_; }

 private:
  Timestamp Arrival(Timestamp departure);

  LinkOptions options_;
  Rng rng_;
  LossProcess loss_;
  DropTailQueue queue_;
  Timestamp last_arrival_ = Timestamp::FromEpoch(Duration::zero());
  LinkStats stats_;
};

}  // namespace jsp::netsim
