#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/candidate.h"
#include "transport/description_error.h"
#include "transport/local_address.h"
namespace jsp::transport {

// Recovers from early-inbound poison. An offerer hears of the answerer's addresses later than the answerer's checks
// reach its NAT. One that rejects them remembers the session (RFC 4787 §4.3 leaves that open), and gives what the
// offerer then sends there another mapping than the one that it told: the two never meet, although both NATs map
// independently of the destination. A socket that no check has come for yet is not poisoned, if it speaks first: when
// the peer is offered a restart with addresses of fresh sockets, these send a Binding indication (RFC 8445 §11) each to
// the peer's known reflexive addresses, before the offer can arrive there. A part of Peer, which calls it; owns what is
// to be sent.
class HoleOpener {
 public:
  struct Transmit {
    size_t size;
    SocketAddress local;
    SocketAddress remote;
  };
  struct Limits {
    bool is_enabled = true;
    size_t max_remotes = 8;  // addresses of the peer, the latest ones
    size_t max_bases = 4;    // fresh sockets of one restart
    // So long after the answer to our offer a session without a direct pair asks for that restart, once.
    Duration patience = std::chrono::seconds(2);
    bool operator==(const Limits&) const = default;
  };

  HoleOpener(const Limits& limits, Rng& rng) : limits_(limits), rng_(&rng) {}

  // A candidate that the peer signalled. Remembered when it is what a NAT shows: reflexive, and of the open internet.
  void HandleRemoteCandidate(const ice::Candidate& candidate);
  // A description of ours is made, with these sockets in it. In an offer those that were in none before open their way:
  // as the answerer we know the peer's addresses first, and our checks are the opening.
  void HandleDescription(Timestamp now, SdpType type, const std::vector<LocalAddress>& locals);
  // The peer's description is there. In an answer to our offer: the time for a direct pair begins.
  void HandleRemoteDescription(Timestamp now, SdpType type);
  void HandleDirectPair() { recover_at_ = Timestamp::Never(); }
  // True once, when that time is over and both sides' NATs showed an address that does not depend on the destination,
  // as far as the peer's candidates tell: two that map independently of it, and yet nothing came through.
  bool PollRecovery(Timestamp now);
  void Clear();

  void HandleTimeout(Timestamp now);
  // nullopt also when `out` holds fewer than 28 octets; nothing is lost then.
  [[nodiscard]] std::optional<Transmit> PollTransmit(std::span<uint8_t> out);
  [[nodiscard]] Timestamp NextTimeout() const { return std::min(again_at_, recover_at_); }

 private:
  using Path = std::pair<SocketAddress, SocketAddress>;

  Limits limits_;
  Rng* rng_;
  std::vector<SocketAddress> remotes_;
  std::vector<SocketAddress> described_;  // sockets
  std::vector<Path> paths_;               // of the last restart
  std::vector<Path> to_send_;
  Timestamp again_at_;    // once more, for a loss
  Timestamp recover_at_;  // then a restart would help
  bool has_recovered_ = false;
};

}  // namespace jsp::transport
