#include "datachannel/stream_id_allocator.h"
namespace jsp::datachannel {
namespace {

constexpr uint16_t FirstOf(DtlsRole role) { return role == DtlsRole::kClient ? 0 : 1; }

}  // namespace

void StreamIdAllocator::SetRole(DtlsRole role, uint16_t max_streams) {
  role_ = role;
  max_streams_ = max_streams;
  next_fresh_ = FirstOf(role);
  freed_.clear();
}

void StreamIdAllocator::Clear() {
  slots_.Clear();
  freed_.clear();
  role_.reset();
  next_fresh_ = 0;
  max_streams_ = 65535;
}

std::optional<sctp::StreamId> StreamIdAllocator::Allocate() {
  if (!role_) return std::nullopt;
  if (!freed_.empty()) {
    const uint16_t id = *freed_.begin();
    freed_.erase(freed_.begin());
    slots_.TryEmplace(id);
    return sctp::StreamId(id);
  }
  while (next_fresh_ < max_streams_) {
    const auto id = static_cast<uint16_t>(next_fresh_);
    next_fresh_ += 2;
    if (slots_.TryEmplace(id).second) return sctp::StreamId(id);
  }
  return std::nullopt;
}

bool StreamIdAllocator::Take(sctp::StreamId id) {
  if (!Exists(id) || !slots_.TryEmplace(id.value).second) return false;
  freed_.erase(id.value);
  return true;
}

void StreamIdAllocator::ReleaseUnused(sctp::StreamId id) { Free(id.value); }

bool StreamIdAllocator::RequestOutgoingReset(sctp::StreamId id) {
  Slot* slot = slots_.Find(id.value);
  if (slot == nullptr || slot->reset_requested) return false;
  slot->reset_requested = true;
  return true;
}

bool StreamIdAllocator::MarkReset(sctp::StreamId id, Direction direction) {
  Slot* found = slots_.Find(id.value);
  if (found == nullptr) return false;
  Slot& slot = *found;
  if (direction == Direction::kIncoming) {
    slot.incoming_reset = true;
  } else if (slot.reset_requested) {
    slot.outgoing_reset = true;
  }
  // RFC 8831 §6.7: the channel is closed, and its identifier free, when both of its streams are reset.
  if (!slot.incoming_reset || !slot.outgoing_reset || slot.retired) return false;
  Free(id.value);
  return true;
}

void StreamIdAllocator::Retire(sctp::StreamId id) {
  Slot* slot = slots_.Find(id.value);
  if (slot != nullptr) slot->retired = true;
}

bool StreamIdAllocator::IsAwaitingOutgoingReset(sctp::StreamId id) const {
  const Slot* slot = slots_.Find(id.value);
  return slot != nullptr && slot->incoming_reset && !slot->outgoing_reset && !slot->retired;
}

bool StreamIdAllocator::IsIncomingReset(sctp::StreamId id) const {
  const Slot* slot = slots_.Find(id.value);
  return slot != nullptr && slot->incoming_reset;
}

bool StreamIdAllocator::IsOutgoingResetPending(sctp::StreamId id) const {
  const Slot* slot = slots_.Find(id.value);
  return slot != nullptr && slot->reset_requested && !slot->outgoing_reset && !slot->retired;
}

bool StreamIdAllocator::HasPeerParity(sctp::StreamId id) const { return role_ && id.value % 2 != FirstOf(*role_); }

void StreamIdAllocator::Free(uint16_t id) {
  if (!slots_.Erase(id)) return;
  if (role_ && id % 2 == FirstOf(*role_) && id < next_fresh_) freed_.insert(id);
}

}  // namespace jsp::datachannel
