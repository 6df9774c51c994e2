#include "turn/permission_table.h"

#include <algorithm>

#include "turn/types.h"
namespace jsp::turn {

const PermissionTable::Entry* PermissionTable::FindEntry(Timestamp now, const IpAddress& peer) const {
  const auto found = entries_.find(peer);
  if (found == entries_.end()) return nullptr;
  const Entry& entry = found->second;
  return entry.state != State::kRequested && entry.until <= now ? nullptr : &entry;
}

PermissionTable::Added PermissionTable::Add(Timestamp now, const IpAddress& peer) {
  if (const Entry* entry = FindEntry(now, peer)) {
    return entry->state == State::kRefused ? Added::kRefused : Added::kKnown;
  }
  if (!entries_.contains(peer) && entries_.size() >= limit_) {
    // What has expired makes room.
    boost::unordered::erase_if(entries_, [&](const auto& item) { return !FindEntry(now, item.first); });
    if (entries_.size() >= limit_) return Added::kFull;
  }
  entries_[peer] = Entry{};
  return Added::kNew;
}

std::optional<PermissionTable::State> PermissionTable::Find(Timestamp now, const IpAddress& peer) const {
  const Entry* entry = FindEntry(now, peer);
  if (entry == nullptr) return std::nullopt;
  return entry->state;
}

bool PermissionTable::Accepts(Timestamp now, const IpAddress& peer) const {
  const Entry* entry = FindEntry(now, peer);
  return entry != nullptr && entry->state != State::kRefused;
}

void PermissionTable::HandleGranted(Timestamp now, const IpAddress& peer) {
  if (!entries_.contains(peer) && entries_.size() >= limit_) return;
  entries_[peer] = Entry{State::kGranted, now + kRefreshAfter, now + kPermissionLifetime};
}

void PermissionTable::HandleRefused(Timestamp now, const IpAddress& peer) {
  const auto found = entries_.find(peer);
  if (found != entries_.end()) found->second = Entry{State::kRefused, Timestamp::Never(), now + kRetryRefused};
}

void PermissionTable::HandleTimedOut(Timestamp now, const IpAddress& peer) {
  const auto found = entries_.find(peer);
  if (found == entries_.end()) return;
  if (found->second.state == State::kGranted && found->second.until > now) {
    found->second.refresh_at = now;  // once more, while it lasts
  } else {
    entries_.erase(found);
  }
}

std::optional<IpAddress> PermissionTable::PopDue(Timestamp now) {
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    Entry& entry = it->second;
    if (entry.state != State::kGranted || entry.refresh_at > now) continue;
    entry.refresh_at = Timestamp::Never();
    return it->first;
  }
  return std::nullopt;
}

Timestamp PermissionTable::NextTimeout() const {
  Timestamp next;
  for (const auto& [peer, entry] : entries_) next = std::min(next, entry.refresh_at);
  return next;
}

}  // namespace jsp::turn
