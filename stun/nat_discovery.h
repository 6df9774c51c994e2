#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "stun/client.h"
#include "stun/message_view.h"
#include "stun/transaction_id.h"
namespace jsp::stun {

// RFC 4787 §4.1 and RFC 4787 §5. kUnknown has its reason beside it: a guess is worse than none.
enum class NatBehavior : uint8_t {
  kUnknown,
  kEndpointIndependent,
  kAddressDependent,
  kAddressAndPortDependent,
};
// "endpoint-independent", …
const char* ToString(NatBehavior behavior);

struct NatDiscoveryOptions {
  // The sockets, as the owner names them: with the address of the interface, not the wildcard, as it is compared with
  // the mapped one. RFC 5780 §4.1: without traffic before, on ports that the system did not just hand out again.
  SocketAddress mapping_socket;
  SocketAddress filtering_socket;  // another one: filtering looks at what was sent before
  SocketAddress server;
  bool hairpin = true;
  // One socket and one waiting time each: their bindings are made at the start and looked at once, all of them side by
  // side (RFC 5780 §4.6 waits for one after the other). In ascending order of time; empty: no lifetime.
  struct LifetimeProbe {
    SocketAddress socket;
    Duration after;
  };
  std::vector<LifetimeProbe> lifetime{};
  // RFC 5780 §5: "not ... more than ten new STUN transactions per second".
  Duration pacing = std::chrono::milliseconds(100);
  // Silence is an answer here, and this is how long it takes: 0.3, 0.9 and 2.1 s of sending, and one more second.
  RetransmitOptions retransmit{.rto = std::chrono::milliseconds(300), .rc = 4, .rm = 4};
};

struct NatReport {
  bool udp_blocked = false;  // the server did not answer; all else is unknown
  SocketAddress local;
  std::optional<SocketAddress> mapped;  // of the mapping socket, at the server's primary address
  std::optional<SocketAddress> other_address;
  bool translated = false;  // the mapped address is not the local one
  NatBehavior mapping = NatBehavior::kUnknown;
  NatBehavior filtering = NatBehavior::kUnknown;
  std::string mapping_reason;    // of kUnknown
  std::string filtering_reason;  // of kUnknown
  std::optional<bool> hairpin;   // RFC 4787 §6; nullopt: not asked, or there is no NAT
  // The longest time after which a binding was alive, and the shortest after which it was not. Both nullopt: not asked,
  // or the reason says why not.
  std::optional<Duration> lifetime_at_least;
  std::optional<Duration> lifetime_below;
  std::string lifetime_reason;
  std::string server_software;
};

namespace event {
struct NatDiscovered {
  NatReport report;
};
}  // namespace event

// The tests of RFC 5780 §4 against one server: mapping and filtering as separate results, hairpinning, lifetime of a
// binding. Owns its transactions, not the sockets; `jsp nat` and simulations drive it. It starts at once and tells one
// event in the end, after 2 to 10 s plus the longest lifetime.
//
//   filtering socket   I ──► II change IP and port ──► III change port           (silence ends a step as well)
//   mapping socket     I ──► II alternate IP ──► III alternate IP and port ──► hairpin, both ways
//   lifetime sockets   a binding each ──► after its time, a request from the mapping socket with RESPONSE-PORT
class NatDiscovery {
 public:
  using Transmit = Client::Transmit;
  using Event = std::variant<event::NatDiscovered>;

  // `rng` must outlive the core. More than 32 lifetime probes: the first 32 count.
  NatDiscovery(const NatDiscoveryOptions& options, Rng& rng, Timestamp now);

  // True when the datagram was one of ours.
  bool HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                      std::span<const uint8_t> datagram);
  // A hard ICMP error for what was sent from `local` to `server`.
  void HandleUnreachable(Timestamp now, const SocketAddress& local, const SocketAddress& server);
  void HandleTimeout(Timestamp now);
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent();
  [[nodiscard]] Timestamp NextTimeout() const;
  const Client::Metrics& metrics() const { return client_.metrics(); }

 private:
  enum class Test : uint8_t {
    kMapping1,
    kMapping2,
    kMapping3,
    kFiltering1,
    kFiltering2,
    kFiltering3,
    kHairpin,       // both sockets to each other's mapped address: nobody answers, it arrives or not
    kLifetimeOpen,  // from a lifetime socket
    kLifetimeLook,  // from the mapping socket
  };
  struct Step {
    Test test;
    size_t probe = 0;  // of the lifetime tests
    Timestamp due;
  };
  struct Running {
    RequestHandle request;
    Step step;
  };
  struct Probe {
    NatDiscoveryOptions::LifetimeProbe what;
    uint16_t mapped_port = 0;
    std::optional<bool> alive{};
  };
  // The two requests of the hairpin test, which no transaction of the client waits for. Both are sent, so that neither
  // meets a filter that was not opened.
  struct HairpinProbe {
    TransactionId id;
    SocketAddress from;
    SocketAddress to;
    SocketAddress expected_at;
  };

  void Queue(Timestamp now, Test test, size_t probe = 0, Duration after = Duration::zero());
  void StartDue(Timestamp now);
  void Start(Timestamp now, const Step& step);
  // Where a step's request goes, from which socket, and what it asks for.
  struct Plan {
    SocketAddress local;
    SocketAddress server;
    BehaviorRequest behavior;
  };
  Plan PlanOf(const Step& step) const;
  void DrainClient(Timestamp now);
  void HandleSuccess(Timestamp now, const Step& step, const event::BindingSucceeded& success);
  void HandleFailure(Timestamp now, const Step& step, const event::BindingFailed& failure);
  void HandleMapping1(Timestamp now, const event::BindingSucceeded& success);
  void HandleFiltering1(Timestamp now, const SocketAddress& mapped);
  void HandleLifetimeLook(Probe& probe, const event::BindingFailed& failure);
  void QueueHairpin(Timestamp now);
  bool HandleHairpin(const SocketAddress& local, const MessageView& request);
  void MaybeFinish(Timestamp now);
  void ConcludeLifetime();

  NatDiscoveryOptions options_;
  Client client_;
  Rng* rng_;
  NatReport report_;
  std::optional<SocketAddress> second_mapped_;     // of the mapping socket, at the alternate IP
  std::optional<SocketAddress> filtering_mapped_;  // of the filtering socket
  std::vector<Step> waiting_;
  std::vector<Running> running_;
  std::vector<Probe> probes_;
  std::vector<HairpinProbe> hairpin_;
  Timestamp hairpin_deadline_;
  Timestamp next_start_;
  EventQueue<HairpinProbe> hairpin_to_send_;
  bool finished_ = false;
  EventQueue<Event> events_;
};
static_assert(SansIoCore<NatDiscovery>);

}  // namespace jsp::stun
