#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "sctp/association.h"
#include "sctp/packet/sctp_packet.h"
namespace jsp::sctp {

// Two associations, `a` and `z`, over a lossy pipe in virtual time. Everything follows from the seed. Unless the
// options say where they begin, TSNs of both directions wrap at the third (C19).
class AssociationPair {
 public:
  struct Link {
    Duration delay = std::chrono::milliseconds(10);
    double loss = 0;
    double duplicate = 0;
    double reorder = 0;        // share of packets that take up to three delays longer
    double corrupt = 0;        // share of packets with some octets changed
    double bits_per_s = 0;     // 0: no limit; the queue in front of it is 256 packets long
    size_t mark_above = 0;     // packets in that queue from which on ECT ones are marked (RFC 3168 §5). 0: never
    size_t mtu = 0;            // octets of SCTP packet; larger ones are lost unless IP may fragment them. 0: no limit
    double fragment_loss = 0;  // share of what IP fragmented that is lost, as behind some firewalls
  };
  struct Config {
    Options a = {};
    Options z = {};
    Link link = {};
    uint64_t seed = 1;
    size_t consume = 1;  // 0: received messages are not consumed
  };
  enum class Side : uint8_t { kA = 0, kZ = 1 };
  struct Received {
    Timestamp at;
    Message message;
  };
  // Decides about one packet by its sender: true drops it.
  using Filter = std::function<bool(Side from, std::span<const uint8_t> packet)>;

  AssociationPair() : AssociationPair(Config{}) {}
  explicit AssociationPair(const Config& config);

  Association& a() { return *ends_[0].core; }
  Association& z() { return *ends_[1].core; }
  Association& core(Side side) { return *ends_[static_cast<size_t>(side)].core; }
  const std::vector<Received>& received(Side side) const { return ends_[static_cast<size_t>(side)].received; }
  // All events but MessageReceived.
  const std::vector<Event>& events(Side side) const { return ends_[static_cast<size_t>(side)].events; }
  template <class E>
  size_t CountEvents(Side side) const {
    size_t count = 0;
    for (const Event& event : events(side)) count += std::holds_alternative<E>(event);
    return count;
  }
  template <class E>
  std::optional<E> FindEvent(Side side) const {
    for (const Event& event : events(side)) {
      if (const auto* found = std::get_if<E>(&event)) return *found;
    }
    return std::nullopt;
  }

  // Both sides connect, and run until they are established.
  bool Connect();
  void Run(Duration duration);
  // Runs until `done` or `limit` is over; whether it was done.
  bool RunUntil(const std::function<bool()>& done, Duration limit);
  // No packet is under way and no timer but heartbeats is armed within the next second.
  Timestamp now() const { return now_; }
  void set_filter(Filter filter) { filter_ = std::move(filter); }
  void set_link(const Link& link) { config_.link = link; }
  uint64_t packets_sent() const { return packets_sent_; }
  uint64_t marked() const { return marked_; }                // as congestion experienced
  uint64_t overflowed() const { return overflowed_; }        // lost to a full queue
  Duration longest_queue() const { return longest_queue_; }  // that a packet waited in
  uint64_t too_large() const { return too_large_; }          // lost to the MTU

 private:
  struct End {
    std::optional<Rng> rng;
    std::optional<Association> core;
    std::vector<Received> received;
    std::vector<Event> events;
    Timestamp busy_until = Timestamp::FromEpoch(Duration::zero());
  };
  struct InFlight {
    Timestamp at;
    uint64_t order;
    Side to;
    std::vector<uint8_t> packet;
    EcnMark mark;
  };

  void DrainAll();
  void Drain(Side side);
  void Transmit(Side from, std::span<const uint8_t> packet, const Association::Transmit& how);
  // When the packet leaves the queue, and with which mark; nullopt when that is full.
  std::optional<Timestamp> Queue(Side from, size_t size, EcnMark& mark);
  void Schedule(Side from, std::vector<uint8_t> packet, EcnMark mark, Timestamp at);
  // Moves on to the next thing that happens, if it happens by `end`.
  bool Step(Timestamp end);

  Config config_;
  Rng rng_;
  Timestamp now_ = Timestamp::FromEpoch(std::chrono::seconds(100));
  std::array<End, 2> ends_;
  std::vector<InFlight> in_flight_;  // a heap, earliest first
  Filter filter_;
  uint64_t order_ = 0;
  size_t steps_at_now_ = 0;
  uint64_t packets_sent_ = 0;
  uint64_t too_large_ = 0;
  uint64_t marked_ = 0;
  uint64_t overflowed_ = 0;
  Duration longest_queue_{};
};

// The first chunk's type, for filters.
ChunkType FirstChunk(std::span<const uint8_t> packet);
bool HasChunk(std::span<const uint8_t> packet, ChunkType type);
// DATA or I-DATA.
bool HasUserData(std::span<const uint8_t> packet);

}  // namespace jsp::sctp
