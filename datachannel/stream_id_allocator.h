#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>

#include "base/few_map.h"
#include "sctp/types.h"
namespace jsp::datachannel {

enum class DtlsRole : uint8_t {
  kClient,
  kServer
};  // RFC 8832 §6: the client takes even stream ids, the server odd ones

enum class Direction : uint8_t { kIncoming, kOutgoing };

// Which stream identifiers of one association are in use, and which halves of them were reset. An identifier becomes
// free only when both of its streams are reset (RFC 8831 §6.7), so that no message of one channel can arrive on the
// next. Owns no channel and asks for no reset; ChannelSet calls it. Memory grows with the identifiers in use only.
class StreamIdAllocator {
 public:
  // Identifiers from `max_streams` on do not exist; 65535 never does (RFC 8831 §6.2: at most 65535 streams). Before
  // this call any identifier below 65535 can be taken, and none can be allocated.
  void SetRole(DtlsRole role, uint16_t max_streams);
  // There are more streams than SetRole said; those in use stay so.
  void AddStreams(uint16_t max_streams) { max_streams_ = std::max(max_streams_, max_streams); }
  // Every identifier is free again: the association is gone.
  void Clear();

  // The smallest free identifier of our parity; nullopt when there is none.
  std::optional<sctp::StreamId> Allocate();
  // A given identifier of either parity; false when it is in use or does not exist.
  bool Take(sctp::StreamId id);
  // Frees an identifier on which nothing was ever sent.
  void ReleaseUnused(sctp::StreamId id);

  // True, once, when our reset of the outgoing stream should now be asked for.
  bool RequestOutgoingReset(sctp::StreamId id);
  // Our reset was refused: the identifier stays in use for ever.
  void Retire(sctp::StreamId id);
  // Notes that one stream of an identifier in use was reset; true when that freed it. An outgoing reset that was not
  // requested changes nothing.
  bool MarkReset(sctp::StreamId id, Direction direction);

  bool Exists(sctp::StreamId id) const { return id.value < max_streams_; }
  bool IsInUse(sctp::StreamId id) const { return slots_.Contains(id.value); }
  // The peer has reset its stream and we have not: what it sends now is for the next user of the identifier.
  bool IsAwaitingOutgoingReset(sctp::StreamId id) const;
  bool IsIncomingReset(sctp::StreamId id) const;
  bool IsOutgoingResetPending(sctp::StreamId id) const;
  // RFC 8832 §6: true when the peer may open a channel on it.
  bool HasPeerParity(sctp::StreamId id) const;
  size_t size() const { return slots_.size(); }

 private:
  struct Slot {
    bool incoming_reset = false;
    bool outgoing_reset = false;
    bool reset_requested = false;
    bool retired = false;
  };

  void Free(uint16_t id);

  FewMap<uint16_t, Slot> slots_;
  // Identifiers of our parity below `next_fresh_` that are free; the rest up to there is in use.
  std::set<uint16_t> freed_;
  uint32_t next_fresh_ = 0;
  uint16_t max_streams_ = 65535;
  std::optional<DtlsRole> role_;
};

}  // namespace jsp::datachannel
