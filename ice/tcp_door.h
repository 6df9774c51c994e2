#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "base/event_queue.h"
#include "base/socket_address.h"
#include "base/strong_types.h"
#include "base/time.h"
#include "ice/tcp_framing.h"
namespace jsp::ice {

struct TcpDoorOptions {
  // Connections that have not said who they are. One that is too many takes the place of the oldest, so that a flood
  // of silent ones keeps nobody out who speaks at once.
  size_t max_visitors = 256;
  size_t max_per_source = 16;                  // of one IPv4 address, or one IPv6 /64: beyond it the new one is refused
  size_t max_first_frame = 1024;               // octets; a check has a few hundred
  Duration timeout = std::chrono::seconds(5);  // from the connection to the whole first frame
};

enum class TcpRefusal : uint8_t {
  kTooManyOfSource,
  kMadeRoom,  // the oldest, for a new one
  kTooSlow,
  kTooLong,  // announces more than a check has
  kNotStun,  // or not a request, which a check is
  kGone,     // closed before it said anything
  kCount
};

struct TcpDoorMetrics {
  uint64_t visitors = 0;
  uint64_t checks = 0;  // came whole; whose they are, and whether they are authentic, is not for the door to say
  std::array<uint64_t, static_cast<size_t>(TcpRefusal::kCount)> refused{};
};

using TcpVisitorId = StrongId<struct TcpVisitorIdTag, uint64_t>;

// Stands before all passive candidates of a host (RFC 6544 §7.2), which anybody can connect to: what a connection may
// cost until it has shown one STUN request is bounded here, per connection, per source and in time, however slowly it
// speaks. Nothing of a session is touched before. Whoever owns the sockets calls it.
class TcpDoor {
 public:
  explicit TcpDoor(const TcpDoorOptions& options) : options_(options) {}

  // nullopt: close it at once.
  std::optional<TcpVisitorId> HandleAccepted(Timestamp now, const IpAddress& source);
  enum class Verdict : uint8_t {
    kWait,    // read on
    kRefuse,  // close it
    kCheck,   // `check` is a STUN request, a view good until the next call; what follows it was left in the input
  };
  struct Heard {
    Verdict verdict;
    std::span<const uint8_t> check{};
  };
  // After kRefuse it is forgotten; after kCheck HandleLeft is due, once the check was looked at.
  Heard HandleOctets(TcpVisitorId id, std::span<const uint8_t>& octets);
  // It was let in, or turned away.
  void HandleLeft(TcpVisitorId id);
  // The other side closed it.
  void HandleGone(TcpVisitorId id);

  void HandleTimeout(Timestamp now);
  // Whom to close.
  std::optional<TcpVisitorId> PollRefused() { return refused_.Pop(); }
  Timestamp NextTimeout() const;

  size_t size() const { return visitors_.size(); }
  const TcpDoorMetrics& metrics() const { return metrics_; }

 private:
  struct Visitor {
    IpAddress source;  // without what one host may choose of it
    Timestamp deadline;
    TcpFrameReader reader;
  };

  void Forget(std::map<TcpVisitorId, Visitor>::iterator visitor);
  void Count(TcpRefusal reason) { ++metrics_.refused[static_cast<size_t>(reason)]; }

  TcpDoorOptions options_;
  std::map<TcpVisitorId, Visitor> visitors_;  // the oldest first
  std::map<IpAddress, size_t> by_source_;
  EventQueue<TcpVisitorId> refused_;
  TcpDoorMetrics metrics_;
  uint64_t next_id_ = 1;
};

}  // namespace jsp::ice
