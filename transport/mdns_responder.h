#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>

#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "transport/mdns_message.h"
namespace jsp::transport {

struct MdnsResponderOptions {
  size_t max_names = 4096;  // more are not published; each local address of a peer has one
  size_t max_waiting = 64;  // responses; whoever asks faster than we send gets none (ATTACKS I16)
};

struct MdnsResponderMetrics {
  uint64_t queries = 0;    // with a question for a name of ours
  uint64_t responses = 0;  // announcements too
  uint64_t too_often = 0;  // RFC 6762 §6: multicast within the last second
  uint64_t waiting_full = 0;
  uint64_t malformed = 0;
};

// A name that nobody guesses, for a local address: a version 4 UUID and ".local"
// (draft-ietf-mmusic-mdns-ice-candidates).
std::string MakeMdnsName(Rng& rng);

// Answers multicast DNS queries (RFC 6762 §6) for the names of our own host candidates, and announces them when they
// are published (RFC 6762 §8.3). They are random, so nothing probes for conflicts (RFC 6762 §8.1). Owns the names; the
// driver owns the sockets, and gives it what comes to kMdnsGroup.
class MdnsResponder {
 public:
  struct Transmit {
    size_t size;
    SocketAddress remote;  // kMdnsGroup, on every interface, or who asked; from kMdnsPort
  };
  using Event = std::variant<std::monostate>;  // none

  explicit MdnsResponder(const MdnsResponderOptions& options = {}) : options_(options) {}

  // False when there are too many names, or when it is none.
  bool Publish(Timestamp now, std::string_view name, const IpAddress& address);
  void Withdraw(std::string_view name);
  size_t size() const { return names_.size(); }

  void HandlePacket(Timestamp now, const SocketAddress& from, std::span<const uint8_t> packet);
  void HandleTimeout(Timestamp now);
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent() { return std::nullopt; }
  [[nodiscard]] Timestamp NextTimeout() const;

  const MdnsResponderMetrics& metrics() const { return metrics_; }

 private:
  struct Record {
    IpAddress address;
    // The last time, of the address and of the denial of the other one: two records (RFC 6762 §6.1).
    Timestamp multicast_at = Timestamp::Never();
    Timestamp denied_at = Timestamp::Never();
  };
  struct Response {
    std::string name;
    SocketAddress remote;
    bool is_negative = false;
    std::optional<MdnsResponse::Legacy> legacy{};
  };

  void Answer(Timestamp now, const SocketAddress& from, uint16_t id, const MdnsAsked& asked);
  void Multicast(Timestamp now, const std::string& name, bool is_negative);
  void Queue(Response response);

  MdnsResponderOptions options_;
  std::unordered_map<std::string, Record> names_;
  std::deque<Response> waiting_;
  std::deque<std::pair<Timestamp, std::string>> announcements_;  // the second ones, in the order of their time
  MdnsResponderMetrics metrics_;
};
static_assert(SansIoCore<MdnsResponder>);

}  // namespace jsp::transport
