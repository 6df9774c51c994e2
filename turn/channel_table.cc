#include "turn/channel_table.h"

#include <algorithm>

#include "turn/types.h"
namespace jsp::turn {

ChannelTable::ChannelTable(size_t limit) : limit_(std::min(limit, kChannelCount)) {}

bool ChannelTable::IsLive(const Channel& channel, Timestamp now) {
  return channel.state == State::kRequested || (channel.state == State::kBound && now < channel.until);
}

ChannelTable::Channel* ChannelTable::At(ChannelNumber number) {
  const size_t index = size_t{number.value} - kFirstChannel.value;  // wraps below the first, which is out of range too
  return index < channels_.size() ? &channels_[index] : nullptr;
}

const ChannelTable::Channel* ChannelTable::FindByPeer(Timestamp now, const SocketAddress& peer) const {
  const auto found = index_by_peer_.find(peer);
  if (found == index_by_peer_.end()) return nullptr;
  const Channel& channel = channels_[found->second];
  return IsLive(channel, now) ? &channel : nullptr;
}

const ChannelTable::Channel* ChannelTable::FindByNumber(Timestamp now, ChannelNumber number) const {
  const size_t index = size_t{number.value} - kFirstChannel.value;
  if (index >= channels_.size() || !IsLive(channels_[index], now)) return nullptr;
  return &channels_[index];
}

const ChannelTable::Channel* ChannelTable::Add(Timestamp now, const SocketAddress& peer) {
  if (const auto found = index_by_peer_.find(peer); found != index_by_peer_.end()) {
    Channel& channel = channels_[found->second];
    if (IsLive(channel, now)) return &channel;
    // A bound channel that expired, or that was forgotten, may be bound again: it is the same pair. A refused one
    // waits.
    if (channel.state == State::kCooling && channel.until > now) return nullptr;
    channel.state = State::kRequested;
    channel.refresh_at = Timestamp::Never();
    return &channel;
  }
  if (channels_.size() < limit_) {
    const auto index = static_cast<uint16_t>(channels_.size());
    channels_.push_back({.peer = peer, .number = {static_cast<uint16_t>(kFirstChannel.value + index)}});
    index_by_peer_.emplace(peer, index);
    return &channels_.back();
  }
  // RFC 8656 §12: "the client MUST wait 5 minutes after the channel binding expires" before it gives the number away.
  const auto reusable = std::ranges::find_if(channels_, [&](const Channel& c) {
    return (c.state == State::kCooling && c.until <= now) ||
           (c.state == State::kBound && c.until + kChannelCoolDown <= now);
  });
  if (reusable == channels_.end()) return nullptr;
  index_by_peer_.erase(reusable->peer);
  index_by_peer_.emplace(peer, static_cast<uint16_t>(reusable - channels_.begin()));
  *reusable = {.peer = peer, .number = reusable->number};
  return &*reusable;
}

void ChannelTable::HandleBound(Timestamp now, ChannelNumber number) {
  Channel* channel = At(number);
  if (channel == nullptr) return;
  channel->state = State::kBound;
  channel->refresh_at = now + kRefreshAfter;
  channel->until = now + kChannelLifetime;
}

void ChannelTable::Cool(Timestamp now, Channel& channel) {
  const Timestamp expires =
      channel.state == State::kBound ? std::max(channel.until, now + kChannelLifetime) : now + kChannelLifetime;
  channel.state = State::kCooling;
  channel.refresh_at = Timestamp::Never();
  channel.until = expires + kChannelCoolDown;
}

void ChannelTable::HandleRefused(Timestamp now, ChannelNumber number) {
  if (Channel* channel = At(number)) Cool(now, *channel);
}

void ChannelTable::HandleTimedOut(Timestamp now, ChannelNumber number) {
  Channel* channel = At(number);
  if (channel == nullptr) return;
  if (channel->state == State::kBound && now < channel->until) {
    channel->refresh_at = now;  // once more, while it lasts
  } else {
    Cool(now, *channel);
  }
}

void ChannelTable::Forget(Timestamp now, const SocketAddress& peer) {
  const auto found = index_by_peer_.find(peer);
  if (found == index_by_peer_.end()) return;
  Channel& channel = channels_[found->second];
  if (channel.state == State::kBound && now < channel.until) {
    channel.refresh_at = Timestamp::Never();  // and expires
  } else if (channel.state == State::kRequested) {
    Cool(now, channel);
  }
}

void ChannelTable::Clear() {
  channels_.clear();
  index_by_peer_.clear();
}

const ChannelTable::Channel* ChannelTable::PopDue(Timestamp now) {
  const auto due = std::ranges::find_if(
      channels_, [&](const Channel& c) { return c.state == State::kBound && c.refresh_at <= now; });
  if (due == channels_.end()) return nullptr;
  due->refresh_at = Timestamp::Never();
  return &*due;
}

Timestamp ChannelTable::NextTimeout() const {
  Timestamp next;
  for (const Channel& channel : channels_) next = std::min(next, channel.refresh_at);
  return next;
}

}  // namespace jsp::turn
