#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "sctp/association.h"
#include "sctp/packet/sctp_packet.h"
#include "test/interop/usrsctp_peer.h"
namespace jsp::interop {

enum class Sender : uint8_t { kOurs, kUsrsctp };

// Our association and one of usrsctp over a pipe that loses, reorders and duplicates, in virtual time. What the pipe
// and our end do follows from the seed; usrsctp draws its own random numbers.
class UsrsctpPair {
 public:
  struct Link {
    Duration delay = std::chrono::milliseconds(10);
    double loss = 0;
    double duplicate = 0;
    double reorder = 0;  // share of packets that take up to three delays longer
    double marks = 0;    // share of packets marked as congestion experienced (RFC 3168 §5); ours only if they may be
  };
  struct Config {
    sctp::Options ours = {};
    UsrsctpOptions usrsctp = {};
    Link link = {};
    uint64_t seed = 1;
  };
  enum class Begins : uint8_t { kOurs, kUsrsctp, kBoth };
  // True drops the packet.
  using Filter = std::function<bool(Sender from, std::span<const uint8_t> packet)>;

  UsrsctpPair() : UsrsctpPair(Config{}) {}
  explicit UsrsctpPair(const Config& config);

  sctp::Association& ours() { return *ours_; }
  UsrsctpPeer& usrsctp() { return *usrsctp_; }
  Timestamp now() const { return now_; }

  // Runs until both are established.
  bool Connect(Begins begins = Begins::kBoth);
  void Run(Duration duration);
  bool RunUntil(const std::function<bool()>& done, Duration limit);
  // The other end forgets everything, without a word, and is there anew.
  void ReplaceOurs();
  void ReplaceUsrsctp();

  void set_link(const Link& link) { config_.link = link; }
  void set_filter(Filter filter) { filter_ = std::move(filter); }
  size_t chunks(Sender from, sctp::ChunkType type) const;

  std::vector<sctp::Message> received;  // by our end
  template <class E>
  std::optional<E> Event() const {
    for (const sctp::Event& event : events_) {
      if (const auto* found = std::get_if<E>(&event)) return *found;
    }
    return std::nullopt;
  }
  template <class E>
  size_t CountEvents() const {
    size_t count = 0;
    for (const sctp::Event& event : events_) count += std::holds_alternative<E>(event);
    return count;
  }
  // Streams, over all events.
  size_t OutgoingResets() const;
  size_t IncomingResets() const;

 private:
  struct InFlight {
    Timestamp at;
    uint64_t order;
    Sender from;
    std::vector<uint8_t> packet;
    EcnMark mark;
    bool operator>(const InFlight& other) const { return std::pair(at, order) > std::pair(other.at, other.order); }
  };

  bool Step(Timestamp end);
  void Drain();
  void Transmit(Sender from, std::span<const uint8_t> packet, EcnMark mark);
  void Schedule(Sender from, std::span<const uint8_t> packet, EcnMark mark, Timestamp at);

  Config config_;
  Rng rng_;
  Timestamp now_;
  std::unique_ptr<Rng> our_rng_;
  std::optional<sctp::Association> ours_;
  std::unique_ptr<UsrsctpPeer> usrsctp_;
  std::vector<sctp::Event> events_;
  std::vector<InFlight> in_flight_;  // a heap, earliest first
  uint64_t order_ = 0;
  Filter filter_;
  std::map<std::pair<Sender, sctp::ChunkType>, size_t> chunks_;
};

// `size` octets that differ from one `fill` to the next.
std::vector<uint8_t> Payload(size_t size, size_t fill);

}  // namespace jsp::interop
