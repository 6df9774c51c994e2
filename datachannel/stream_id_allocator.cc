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
  slots_.clear();
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
    slots_.emplace(id, Slot{});
    return sctp::StreamId(id);
  }
  while (next_fresh_ < max_streams_) {
    const auto id = static_cast<uint16_t>(next_fresh_);
    next_fresh_ += 2;
    if (slots_.emplace(id, Slot{}).second) return sctp::StreamId(id);
  }
  return std::nullopt;
}

bool StreamIdAllocator::Take(sctp::StreamId id) {
  if (!Exists(id) || !slots_.emplace(id.value, Slot{}).second) return false;
  freed_.erase(id.value);
  return true;
}

void StreamIdAllocator::ReleaseUnused(sctp::StreamId id) { Free(id.value); }

bool StreamIdAllocator::RequestOutgoingReset(sctp::StreamId id) {
  const auto slot = slots_.find(id.value);
  if (slot == slots_.end() || slot->second.reset_requested) return false;
  slot->second.reset_requested = true;
  return true;
}

bool StreamIdAllocator::MarkReset(sctp::StreamId id, Direction direction) {
  const auto found = slots_.find(id.value);
  if (found == slots_.end()) return false;
  Slot& slot = found->second;
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
  const auto slot = slots_.find(id.value);
  if (slot != slots_.end()) slot->second.retired = true;
}

bool StreamIdAllocator::IsAwaitingOutgoingReset(sctp::StreamId id) const {
  const auto slot = slots_.find(id.value);
  return slot != slots_.end() && slot->second.incoming_reset && !slot->second.outgoing_reset && !slot->second.retired;
}

bool StreamIdAllocator::IsIncomingReset(sctp::StreamId id) const {
  const auto slot = slots_.find(id.value);
  return slot != slots_.end() && slot->second.incoming_reset;
}

bool StreamIdAllocator::IsOutgoingResetPending(sctp::StreamId id) const {
  const auto slot = slots_.find(id.value);
  return slot != slots_.end() && slot->second.reset_requested && !slot->second.outgoing_reset && !slot->second.retired;
}

bool StreamIdAllocator::HasPeerParity(sctp::StreamId id) const { return role_ && id.value % 2 != FirstOf(*role_); }

void StreamIdAllocator::Free(uint16_t id) {
  if (slots_.erase(id) == 0) return;
  if (role_ && id % 2 == FirstOf(*role_) && id < next_fresh_) freed_.insert(id);
}

}  // namespace jsp::datachannel
