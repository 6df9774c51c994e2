#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "base/strong_types.h"
#include "ice/candidate_pair.h"
#include "ice/tcp_framing.h"
namespace jsp::ice {

// RFC 6544 §4.5: the port that every active candidate has. No listener has it, so it says that a path is of our making.
inline constexpr uint16_t kTcpActivePort = 9;
// The port of a passive candidate's base, whatever its listener's is, which the candidate's address has: paths are
// named by addresses, and UDP may have the same port as TCP.
inline constexpr uint16_t kTcpPassivePort = 1;
// No UDP socket has one of these.
inline bool IsTcpBase(const SocketAddress& base) { return base.port == kTcpActivePort || base.port == kTcpPassivePort; }

struct TcpOptions {
  size_t max_connections = 64;       // all together
  size_t max_accepted = 16;          // of those: beyond it the oldest one that is not selected gives way
  size_t max_connects_per_host = 5;  // RFC 6544 §12: outstanding ones to one address; the others wait for their turn
  size_t max_waiting = 4096;         // octets that wait for one connection: a few checks
  Duration connect_timeout = std::chrono::seconds(10);
  // One that we opened and on which the peer proved nothing: as long as a check over TCP may take (RFC 6544 §7.1).
  Duration proof_timeout = std::chrono::milliseconds(39500);
  // After ICE has completed here the peer may still need the others for a round trip, until it has completed too.
  Duration closing_delay = std::chrono::seconds(3);
  // One that came after ICE had completed, and was not selected since.
  Duration spare_timeout = std::chrono::seconds(30);
  // The connection of the selected pair is opened again at once, then after this, and twice as long after each failure.
  Duration reopen_min = std::chrono::milliseconds(250);
  Duration reopen_max = std::chrono::seconds(8);
  bool operator==(const TcpOptions&) const = default;
};

enum class TcpDrop : uint8_t {
  kNoConnection,  // of a passive candidate: the peer has to open one (RFC 6544 §11.1); or an answer to what came over
                  // it
  kNotVerified,   // data on a connection that no authentic check has come over
  kTooMuchWaits,  // for a connection
  kTooMany,       // connections
  kNotStunFirst,  // what came first was not STUN (RFC 6544 §7.1)
  kUnknown,       // octets of a connection that is closed already
  kCount
};

struct TcpMetrics {
  uint64_t connects = 0;
  uint64_t accepts = 0;
  uint64_t reopened = 0;
  std::array<uint64_t, static_cast<size_t>(TcpDrop::kCount)> dropped{};
};

// Names one connection of a TcpConnections; never used again.
using TcpId = StrongId<struct TcpIdTag, uint32_t>;

namespace tcp_event {
// Connect from the local address, any port, to `remote`; then HandleConnected or HandleClosed.
struct ConnectWanted {
  TcpId id;
  SocketAddress local;  // with kTcpActivePort
  SocketAddress remote;
};
// What was sent still goes out. HandleClosed does not follow.
struct CloseWanted {
  TcpId id;
};
// No connection: what the agent has under way over this path has failed (RFC 6544 §7.1).
struct PathFailed {
  AddressPair path;
};
// The selected connection is there again after it broke: the agent must check it (RFC 6544 §11.1).
struct Reopened {
  AddressPair path;
};
}  // namespace tcp_event

// The TCP connections of one agent (RFC 6544): which to open, when, and which to close; frames on them (RFC 4571 §2).
// To the agent a connection is a path like any other, named by the local candidate's base and the remote address: an
// active candidate's base has kTcpActivePort, a passive one's has not. Strangers are TcpDoor's business: what is
// accepted here has shown an authentic check. Owns no socket; whoever owns the agent and the sockets calls it.
// Simultaneous open is declined: no operating system of ours does it behind today's NATs, and active and passive
// candidates reach wherever it would (docs/ice.md).
class TcpConnections {
 public:
  struct Transmit {
    size_t size;
    TcpId id;
  };
  using Event =
      std::variant<tcp_event::ConnectWanted, tcp_event::CloseWanted, tcp_event::PathFailed, tcp_event::Reopened>;
  struct Received {
    AddressPair path;
    std::span<const uint8_t> datagram;  // a view, good until the next call
  };

  explicit TcpConnections(const TcpOptions& options) : options_(options) {}

  // Frames a datagram for `path` into `out`, which has datagram.size() + kTcpFrameHeader octets and may begin with the
  // datagram. nullopt: it waits for the connection that is opened for it, or was dropped and counted.
  std::optional<Transmit> Send(Timestamp now, const AddressPair& path, std::span<const uint8_t> datagram,
                               std::span<uint8_t> out);
  // What waited for a connection that is there now.
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  // A connection of ours is there.
  void HandleConnected(Timestamp now, TcpId id);
  // It could not be opened, or is gone.
  void HandleClosed(Timestamp now, TcpId id);
  // Somebody connected to a passive candidate and sent an authentic check, which does not come out of Next. nullopt:
  // close it.
  [[nodiscard]] std::optional<TcpId> HandleAccepted(Timestamp now, const SocketAddress& listener,
                                                    const SocketAddress& remote);
  // The next frame in what was read, from whose front it takes what it used; nullopt when all was used.
  [[nodiscard]] std::optional<Received> Next(Timestamp now, TcpId id, std::span<const uint8_t>& octets);
  // Agent::IsAuthenticated of this path: what came over it was the peer's.
  void HandleAuthenticated(Timestamp now, const AddressPair& path);
  // The pair that data goes over; its connection stays, and is opened again when it breaks and is ours to open
  // (RFC 6544 §11.1). nullopt, or a path that is not TCP: none.
  void Select(Timestamp now, const std::optional<AddressPair>& path);
  // RFC 6544 §8: ICE has completed. All connections but the selected one are closed, soon.
  void CloseOthers(Timestamp now);
  // RFC 6544 §9: ICE begins anew; what is there is used again where it is of use.
  void BeginGeneration() { has_completed_ = false; }
  // The address is none of this host's any more: what goes from or came to it is closed, and not opened again.
  void LoseAddress(const IpAddress& address);
  // The session is over.
  void Close();

  void HandleTimeout(Timestamp now);
  [[nodiscard]] std::optional<Event> PollEvent() { return events_.Pop(); }
  [[nodiscard]] Timestamp NextTimeout() const;

  // Data may go over it now.
  bool IsReady(const AddressPair& path) const;
  size_t size() const { return connections_.size(); }
  const TcpMetrics& metrics() const { return metrics_; }

 private:
  enum class State : uint8_t { kQueued, kConnecting, kOpen };
  struct Connection {
    AddressPair path;
    State state = State::kQueued;
    Timestamp deadline{};  // kQueued: not before; of connecting; of proving who it is, or of being selected
    TcpFrameReader reader{};
    std::vector<uint8_t> waiting{};  // frames
    bool is_verified = false;
    bool has_read = false;  // a frame has come
    bool is_again = false;  // the selected one, which broke
    bool is_ours() const { return path.local.port == kTcpActivePort; }
  };
  struct Reopening {
    uint32_t failures = 0;
    Timestamp verified_at{};
  };

  Connection* Find(TcpId id);
  const Connection* Find(const AddressPair& path) const;
  bool IsSelected(const Connection& connection) const { return selected_ == connection.path; }
  std::optional<TcpId> Open(const AddressPair& path);
  TcpId Add(Connection connection);
  void BeginConnects(Timestamp now);
  void Reopen(Timestamp now);
  size_t ConnectsTo(const IpAddress& host) const;
  bool MakeRoomForAccepted();
  void HandleGone(Timestamp now, TcpId id);
  enum class Ending : uint8_t { kQuiet, kClose };
  void Remove(TcpId id, Ending ending);
  void Wait(Connection& connection, std::span<const uint8_t> datagram);
  void Drop(TcpDrop reason) { ++metrics_.dropped[static_cast<size_t>(reason)]; }

  TcpOptions options_;
  std::map<TcpId, Connection> connections_;  // the oldest first
  std::unordered_map<AddressPair, TcpId, AddressPairHash> by_path_;
  std::optional<AddressPair> selected_;
  Reopening reopening_;
  bool has_completed_ = false;
  EventQueue<TcpId> ready_;  // connections with frames to poll
  EventQueue<Event> events_;
  TcpMetrics metrics_;
  uint32_t next_id_ = 1;
};
static_assert(SansIoCore<TcpConnections>);

}  // namespace jsp::ice
