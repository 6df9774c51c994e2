#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/expected.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "transport/mdns_message.h"
namespace jsp::transport {

// RFC 6762 §3: where queries go, and the port that answers come from.
inline constexpr uint16_t kMdnsPort = 5353;
inline constexpr SocketAddress kMdnsGroup{IpAddress::V4(224, 0, 0, 251), kMdnsPort};

struct MdnsOptions {
  // A name that has no answer by then has failed; a browser's responder on the same link needs milliseconds.
  Duration deadline = std::chrono::milliseconds(1500);
  // After the query and after its first repetition.
  std::array<Duration, 2> retransmit_after{std::chrono::milliseconds(250), std::chrono::milliseconds(500)};
  size_t max_names = 16;  // at once (ATTACKS I16)
  // Only names that are a UUID, as browsers make them: a peer shall not use us to reach "printer.local"
  // (draft-ietf-mmusic-mdns-ice-candidates, implementation guidance of candidate processing).
  bool uuid_names_only = true;
};

enum class MdnsDropReason : uint8_t {
  kTooLong,
  kNotAResponse,
  kMalformed,
  kBadSourcePort,
  kUnasked,     // no record of the message answers a question of ours
  kBadAddress,  // unspecified, multicast, broadcast, or link-local without a scope
  kCount,
};
const char* ToString(MdnsDropReason reason);

struct MdnsMetrics {
  uint64_t queries_sent = 0;
  uint64_t resolved = 0;
  uint64_t failed = 0;
  std::array<uint64_t, static_cast<size_t>(MdnsDropReason::kCount)> dropped{};
};

enum class MdnsResolveError : uint8_t { kBadName, kTooManyNames };
const char* ToString(MdnsResolveError error);

namespace event {
struct MdnsResolved {
  std::string name;  // as it was given to Resolve
  IpAddress address;
};
// No answer in time, or several addresses at once.
struct MdnsFailed {
  std::string name;
};
}  // namespace event

// Resolves the "<uuid>.local" names of ICE candidates by one-shot multicast DNS queries (RFC 6762 §5.1), for A and
// AAAA. Owns the questions that are open; keeps no cache and answers no questions. Its owner, the driver of a Peer,
// sends what PollTransmit writes to kMdnsGroup on every interface, from a port other than 5353 or from a socket shared
// with a responder, and gives it what arrives there; RFC 6762 §11: only from the local link. Answers are not
// authenticated: who forges one gains that a connectivity check goes astray.
class MdnsResolver {
 public:
  struct Transmit {
    size_t size;  // to kMdnsGroup
  };
  using Event = std::variant<event::MdnsResolved, event::MdnsFailed>;

  MdnsResolver(const MdnsOptions& options, Rng& rng) : options_(options), rng_(rng) {}

  // `name` has one dot, the one of ".local". Asking again for an open name changes nothing.
  Expected<void, MdnsResolveError> Resolve(Timestamp now, std::string_view name);
  // Forgets the name; no event comes.
  void Cancel(std::string_view name);

  void HandlePacket(Timestamp now, const SocketAddress& from, std::span<const uint8_t> packet);
  void HandleTimeout(Timestamp now);

  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent() { return events_.Pop(); }
  [[nodiscard]] Timestamp NextTimeout() const;

  const MdnsMetrics& metrics() const { return metrics_; }

 private:
  struct Question {
    std::string name;
    std::string key;  // in lower case
    uint16_t id;
    Timestamp deadline;
    Timestamp next_attempt;  // Never() after the last
    size_t attempts = 0;     // begun
    std::vector<MdnsRecordType> unsent;
  };
  struct Answer {
    std::string_view key;
    IpAddress address;
    bool ambiguous = false;
  };

  bool IsValidName(std::string_view name) const;
  void BeginAttempt(Question& question, Timestamp now);
  std::vector<Answer> CollectAnswers(std::span<const MdnsAddress> addresses);
  void Drop(MdnsDropReason reason) { ++metrics_.dropped[static_cast<size_t>(reason)]; }

  MdnsOptions options_;
  Rng& rng_;
  std::vector<Question> questions_;
  EventQueue<Event> events_;
  MdnsMetrics metrics_;
};
static_assert(SansIoCore<MdnsResolver>);

}  // namespace jsp::transport
