#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/rng.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/candidate.h"
namespace jsp::ice {

// Budgets, and the off switch. Both sides must say the ICE option.
struct ProbingOptions {
  bool is_enabled = true;
  // How long ordinary checks have first.
  Duration delay = std::chrono::milliseconds(500);
  // From then on; what has not been hit by then is given up until the next restart.
  Duration duration = std::chrono::seconds(11);
  // Of the side whose NAT maps each destination to a random port: so many mappings stand open (RFC 4787 §4.1).
  size_t max_sockets = 256;
  Duration socket_interval = std::chrono::milliseconds(1);
  // Of the other side: so many ports are tried, this far apart (RFC 8445 §14.2: at least 5 ms). With 256 mappings among
  // 64,512 ports, n probes miss all with probability (1 - n / 64512)^256: 2 % of 1,000, 0.03 % of 2,048.
  size_t max_probes = 2048;
  Duration probe_interval = std::chrono::milliseconds(5);
  bool operator==(const ProbingOptions&) const = default;
};

// What the candidates of one side say of its NAT.
struct SeenNat {
  // Where the other side sends to; only its IP address means something where the ports vary. nullopt: nothing to meet.
  std::optional<SocketAddress> address;
  SocketAddress base;   // what sends; meaningless of remote candidates
  bool varies = false;  // two mappings of one socket have different ports: a mapping per destination
};
SeenNat SeeNat(std::span<const Candidate> candidates);

// Between own peers, of which one is behind a NAT that maps every destination to a random port, and the other behind
// one that maps independently of it and filters by address and port: no signalled address is where either's checks come
// from. The first opens many sockets that each send a Binding indication to the other's address; the other one sends
// checks to random ports. One that meets a mapping comes out at its socket, which becomes a candidate, and ICE does the
// rest (the birthday problem). Runs beside the agent while data goes over a relay, if there is one. Decides when, from
// where and where to; the owner has the sockets and writes the datagrams.
class PortProbes {
 public:
  struct SocketsWanted {
    IpAddress address;
    size_t count;
  };
  // An indication that opens a mapping, or a check.
  struct Shot {
    SocketAddress local;
    SocketAddress remote;
    bool is_check;
  };
  enum class Role : uint8_t { kNone, kOpens, kProbes };
  // Who does what, by what both sides told: nobody where both vary, or none.
  static Role ChooseRole(const SeenNat& ours, const SeenNat& theirs);

  PortProbes(const ProbingOptions& options, Rng& rng) : options_(options), rng_(&rng) {}

  // A candidate that the peer signalled.
  void HandleRemoteCandidate(const Candidate& candidate);
  // Checks of a generation begin.
  void Begin(Timestamp now);
  // Another generation is to begin, whose candidates are yet to come.
  void HandleRestart();
  // There is a direct pair, or the session is over: until the next restart.
  void Stop();
  // What the owner opened for SocketsWanted.
  void HandleSockets(Timestamp now, std::span<const SocketAddress> sockets);
  bool Owns(const SocketAddress& socket) const;
  // An authentic check came to one that we own: it is the owner's now, for a candidate. False when there were enough.
  bool Take(const SocketAddress& socket);

  // Time passed, or candidates came: begins and ends when that is due.
  void Update(Timestamp now, std::span<const Candidate> local);
  [[nodiscard]] std::optional<SocketsWanted> PollSocketsWanted();
  // Sockets that are not needed any more.
  [[nodiscard]] std::vector<SocketAddress> TakeUnused();
  // What leaves now.
  [[nodiscard]] std::optional<Shot> PollShot(Timestamp now);
  [[nodiscard]] Timestamp NextTimeout() const;

  bool is_active() const { return std::holds_alternative<Opening>(state_) || std::holds_alternative<Probing>(state_); }

 private:
  struct Idle {};  // candidates may come
  struct Waiting {
    Timestamp start_at;
    bool is_due = false;  // and yet nobody knows who should do what
  };
  // Our NAT varies.
  struct Opening {
    Timestamp end_at;
    SocketAddress target;
    std::optional<SocketsWanted> wanted;
    std::vector<SocketAddress> sockets{};
    size_t sent = 0;  // of two rounds: one for a loss
    Timestamp next_at{};
    size_t taken = 0;
  };
  // Theirs does.
  struct Probing {
    Timestamp end_at;
    SocketAddress base;
    IpAddress target;
    std::vector<uint16_t> ports;  // those left, in a random order
    Timestamp next_at;
  };
  struct Done {};

  void Start(Timestamp now, const SeenNat& ours, const SeenNat& theirs, Role role);
  std::vector<uint16_t> DrawPorts();

  ProbingOptions options_;
  Rng* rng_;
  std::vector<Candidate> remotes_;
  std::variant<Idle, Waiting, Opening, Probing, Done> state_;
  std::vector<SocketAddress> unused_;
};

}  // namespace jsp::ice
