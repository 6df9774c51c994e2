#include "turn/server/peer_table.h"

#include <algorithm>
namespace jsp::turn {

bool PeerTable::Permit(Timestamp now, const IpAddress& peer, Duration lifetime, size_t limit) {
  auto at = std::ranges::lower_bound(permissions_, peer, {}, &Permission::peer);
  if (at != permissions_.end() && at->peer == peer) {
    at->expires = now + lifetime;
    return true;
  }
  if (PermissionRoom(now, limit) == 0) return false;
  at = std::ranges::lower_bound(permissions_, peer, {}, &Permission::peer);
  permissions_.insert(at, {peer, now + lifetime});
  return true;
}

size_t PeerTable::PermissionRoom(Timestamp now, size_t limit) {
  if (permissions_.size() >= limit) {
    std::erase_if(permissions_, [&](const Permission& p) { return p.expires <= now; });
  }
  return limit - std::min(limit, permissions_.size());
}

bool PeerTable::IsPermitted(Timestamp now, const IpAddress& peer) const {
  const auto at = std::ranges::lower_bound(permissions_, peer, {}, &Permission::peer);
  return at != permissions_.end() && at->peer == peer && now < at->expires;
}

const PeerTable::Channel* PeerTable::FindByPeer(const SocketAddress& peer) const {
  const auto at = std::ranges::lower_bound(channels_, peer, {}, &Channel::peer);
  return at != channels_.end() && at->peer == peer ? &*at : nullptr;
}

const PeerTable::Channel* PeerTable::FindByNumber(ChannelNumber number) const {
  const auto at = std::ranges::lower_bound(numbers_, number, {}, &NumberEntry::number);
  return at != numbers_.end() && at->number == number ? &channels_[at->index] : nullptr;
}

void PeerTable::IndexNumbers() {
  numbers_.clear();
  for (size_t i = 0; i < channels_.size(); ++i) numbers_.push_back({channels_[i].number, static_cast<uint16_t>(i)});
  std::ranges::sort(numbers_, {}, &NumberEntry::number);
}

PeerTable::BindResult PeerTable::Bind(Timestamp now, ChannelNumber number, const SocketAddress& peer, Duration lifetime,
                                      size_t limit) {
  // RFC 8656 §12: an expired binding leaves both free.
  if (std::erase_if(channels_, [&](const Channel& c) { return c.expires <= now; }) > 0) IndexNumbers();
  const Channel* of_number = FindByNumber(number);
  const Channel* of_peer = FindByPeer(peer);
  if (of_number != of_peer) return BindResult::kConflict;
  if (of_number != nullptr) {
    channels_[static_cast<size_t>(of_number - channels_.data())].expires = now + lifetime;
    return BindResult::kBound;
  }
  if (channels_.size() >= limit) return BindResult::kFull;
  const auto at = std::ranges::lower_bound(channels_, peer, {}, &Channel::peer);
  channels_.insert(at, {peer, number, now + lifetime});
  IndexNumbers();
  return BindResult::kBound;
}

std::optional<SocketAddress> PeerTable::PeerOf(Timestamp now, ChannelNumber number) const {
  const Channel* channel = FindByNumber(number);
  if (channel == nullptr || channel->expires <= now) return std::nullopt;
  return channel->peer;
}

std::optional<ChannelNumber> PeerTable::ChannelOf(Timestamp now, const SocketAddress& peer) const {
  const Channel* channel = FindByPeer(peer);
  if (channel == nullptr || channel->expires <= now) return std::nullopt;
  return channel->number;
}

void PeerTable::RemoveFamily(IpAddress::Family family) {
  std::erase_if(permissions_, [&](const Permission& p) { return p.peer.family() == family; });
  std::erase_if(channels_, [&](const Channel& c) { return c.peer.ip.family() == family; });
  IndexNumbers();
}

bool PeerTable::IsConsistent() const {
  const auto by_peer = [](const auto& a, const auto& b) { return a.peer < b.peer; };
  return std::is_sorted(permissions_.begin(), permissions_.end(), by_peer) &&
         std::is_sorted(channels_.begin(), channels_.end(), by_peer) && numbers_.size() == channels_.size() &&
         std::ranges::all_of(numbers_, [&](const NumberEntry& e) { return channels_[e.index].number == e.number; });
}

}  // namespace jsp::turn
