// What a connection holds, and may hold.
#include <algorithm>
#include <limits>

#include "transport/peer_impl.h"

namespace jsp::transport {

// Half of the limit for what is received, a quarter each for messages that SCTP has, and that wait for it.
PeerOptions WithinMemory(PeerOptions options) {
  if (options.memory.limit == 0) return options;
  const size_t part = (std::max(options.memory.limit, MemoryOptions::kLeast) - Peer::kBirthOctets) / 4;
  const auto lower = [](size_t& value, size_t bound) { value = std::min(value, bound); };
  lower(options.sctp.max_receive_window, 2 * part);
  lower(options.sctp.receive_window, 2 * part);
  lower(options.sctp.max_send_buffer, part);
  lower(options.channels.max_queued_bytes, part);
  // A whole message must fit (docs/sctp.md); the peer is told (RFC 8841 §6.1).
  if (options.sctp.max_message_size != 0) lower(options.sctp.max_message_size, part);
  return options;
}

MemoryStats Peer::Impl::HeldMemory() const {
  MemoryStats held;
  held.fixed = secured ? kFixedOctets : kEarlyOctets;
  held.paths = agent.held_octets() + gathering.gatherer.held_octets() + gathering.relays.held_octets();
  held.channels = channels.channel_count() * kChannelOctets;
  held.sending = channels.total_queued_bytes();
  held.pooled = memory.pool.kept_octets();
  if (secured) {
    if (secured->started && secured->dtls.holds_handshake()) held.handshake = kHandshakeOctets;
    if (!secured->is_resting) held.working = kWorkingOctets;
    held.sending += options->sctp.max_send_buffer - secured->sctp.send_buffer_room();
    held.received = secured->sctp.received_octets();
  }
  return held;
}

bool Peer::Impl::HasMemoryFor(size_t octets) {
  if (!memory.share.is_limited() || memory.share.Cover(HeldMemory().total() + octets)) return true;
  memory.pool.Trim();
  return memory.share.Cover(HeldMemory().total() + octets);
}

// Received data may come before its memory is covered, by one datagram: what follows it is not taken then. All that is
// not new data is, so that what fills the memory can leave.
void Peer::Impl::AccountMemory(Timestamp now) {
  if (!memory.share.is_limited() || progress.is_final()) return;
  const bool is_covered = HasMemoryFor(0);
  if (!secured) return;
  secured->sctp.SetReceiveAllowance(now,
                                    is_covered ? std::numeric_limits<size_t>::max() : secured->sctp.received_octets());
}

}  // namespace jsp::transport
