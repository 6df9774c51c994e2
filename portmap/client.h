#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/expected.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "portmap/epoch.h"
#include "portmap/nat_pmp_message.h"
#include "portmap/pcp_message.h"
#include "portmap/types.h"
namespace jsp::portmap {

struct ClientOptions {
  SocketAddress gateway;                      // of IPv4; kServerPort
  SocketAddress local;                        // the socket that requests leave from; its IP is the internal address
  Duration lifetime = std::chrono::hours(2);  // to ask for, in whole seconds: RFC 6886 §3.3
  size_t max_mappings = 8;
};

enum class MapError : uint8_t { kTooMany, kBadPort, kClosed };

namespace event {
// Packets to `external` reach `internal_port`. Comes again only when `external` is another one.
struct Mapped {
  uint16_t internal_port;
  SocketAddress external;
};
// The mapping was not renewed in time, or the gateway says that it is gone. It is asked for again.
struct Lost {
  uint16_t internal_port;
};
// There is none; `code` is absent when nobody answers. It is asked for again after what the gateway says, but for the
// latter. Once until a Mapped.
struct Failed {
  uint16_t internal_port;
  std::optional<ResultCode> code;
};
}  // namespace event

enum class DropReason : uint8_t {
  kWrongAddress,  // not from the gateway's port (RFC 6887 §8.3)
  kUnparsable,
  kUnexpected,   // nothing of that kind was asked for, or another protocol was
  kBadNonce,     // no mapping of ours (RFC 6887 §11.4)
  kBadExternal,  // success with an address that nobody can send to
  kCount,
};

// Keeps UDP ports of this host mapped at its gateway: PCP's MAP (RFC 6887 §11), or NAT-PMP (RFC 6886) where that is all
// the gateway speaks. Asks, sends again, renews, notices when the gateway lost its state, and deletes on Close. Owns
// the mappings, not the socket; driven like every core. Declined: announcements by multicast (RFC 6887 §14.1), for
// want of a socket of their own: renewals find out; THIRD_PARTY, FILTER, PREFER_FAILURE, PEER; IPv6 firewalls.
class Client {
 public:
  struct Transmit {
    size_t size;
    SocketAddress local;
    SocketAddress remote;
  };
  using Event = std::variant<event::Mapped, event::Lost, event::Failed>;
  struct Metrics {
    uint64_t requests_sent = 0;
    uint64_t gateway_resets = 0;  // noticed by its epoch
    std::array<uint64_t, static_cast<size_t>(DropReason::kCount)> dropped{};
  };

  // `rng` must outlive the client.
  Client(const ClientOptions& options, Rng& rng) : options_(options), rng_(&rng) {}

  // A port that is mapped already changes nothing.
  Expected<void, MapError> Map(Timestamp now, uint16_t internal_port);
  // Final: every mapping is deleted (RFC 6887 §15, RFC 6886 §3.4); what says so is still to be polled, and sent once.
  void Close(Timestamp now);

  // True when the datagram came from the gateway's port.
  bool HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                      std::span<const uint8_t> message);
  // By ICMP: the gateway has nothing at that port. A hint, taken only while it has never answered.
  void HandleUnreachable(Timestamp now, const SocketAddress& remote);
  void HandleTimeout(Timestamp now);
  // nullopt also when `out` is smaller than kMapRequest; nothing is lost then.
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent() { return events_.Pop(); }
  [[nodiscard]] Timestamp NextTimeout() const;

  const Metrics& metrics() const { return metrics_; }

 private:
  enum class Protocol : uint8_t { kPcp, kNatPmp };
  // Sendings of one request: when the next is due, and whether it is.
  struct Schedule {
    Timestamp next = Timestamp::Never();
    Duration interval{};
    uint32_t sent = 0;
    bool is_due = false;
  };
  struct Grant {
    SocketAddress external;
    Timestamp since;
    Duration lifetime;
    uint32_t renewals = 0;  // attempts
  };
  struct Mapping {
    uint16_t internal_port;
    Nonce nonce;
    SocketAddress wish{};  // what it had before
    std::optional<Grant> grant{};
    Schedule schedule{};
    bool is_failed = false;  // Failed was said
  };
  struct Gateway {
    Protocol protocol = Protocol::kPcp;
    bool has_answered = false;
    bool is_silent = false;  // given up
    uint32_t switches = 0;
    Epoch epoch{};
  };
  struct NatPmpAddress {
    std::optional<IpAddress> external;
    Schedule schedule{};
  };

  void Advance(Timestamp now);
  void Advance(Timestamp now, Mapping& mapping);
  void Begin(Timestamp now, Schedule& schedule) const;
  void NoteSent(Timestamp now, Schedule& schedule);
  void ScheduleRenewal(Timestamp now, Mapping& mapping);
  void SwitchTo(Timestamp now, Protocol protocol);
  void GiveUp(Timestamp now);
  void HandlePcp(Timestamp now, std::span<const uint8_t> message);
  void HandleNatPmp(Timestamp now, std::span<const uint8_t> message);
  void HandleVersion(Timestamp now, uint8_t version);
  void HandleEpoch(Timestamp now, bool is_valid, const Mapping* heard_of);
  void HandleGranted(Timestamp now, Mapping& mapping, const SocketAddress& external, uint32_t lifetime);
  void HandleRefused(Timestamp now, Mapping& mapping, ResultCode code, uint32_t lifetime);
  void Fail(Mapping& mapping, std::optional<ResultCode> code);
  void Lose(Timestamp now, Mapping& mapping);
  bool Write(const Mapping& mapping, uint32_t lifetime, std::span<uint8_t> out, size_t& size) const;
  void Drop(DropReason reason) { ++metrics_.dropped[static_cast<size_t>(reason)]; }

  ClientOptions options_;
  Rng* rng_;
  Gateway gateway_;
  NatPmpAddress address_;
  std::vector<Mapping> mappings_;
  std::vector<Mapping> farewell_;  // to be deleted
  bool is_closed_ = false;
  EventQueue<Event> events_;
  Metrics metrics_;
};
static_assert(SansIoCore<Client>);

}  // namespace jsp::portmap
