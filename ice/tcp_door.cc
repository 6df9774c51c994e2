#include "ice/tcp_door.h"

#include <algorithm>

#include "stun/message_view.h"
namespace jsp::ice {
namespace {

// Who has an IPv6 address has its /64 (RFC 4291 §2.5.1).
IpAddress SourceOf(const IpAddress& address) {
  if (address.is_v4()) return address;
  std::array<uint8_t, 16> prefix{};
  std::ranges::copy(address.octets().first(8), prefix.begin());
  return IpAddress::V6(prefix);
}

bool IsRequest(std::span<const uint8_t> frame) {
  if (!stun::MessageView::LooksLikeStun(frame)) return false;
  const auto message = stun::MessageView::Parse(frame);
  return message && message->message_class() == stun::MessageClass::kRequest;
}

}  // namespace

std::optional<TcpVisitorId> TcpDoor::HandleAccepted(Timestamp now, const IpAddress& source) {
  const IpAddress key = SourceOf(source);
  const auto known = by_source_.find(key);
  if (known != by_source_.end() && known->second >= options_.max_per_source) {
    Count(TcpRefusal::kTooManyOfSource);
    return std::nullopt;
  }
  if (visitors_.size() >= options_.max_visitors) {
    Count(TcpRefusal::kMadeRoom);
    refused_.Push(visitors_.begin()->first);
    Forget(visitors_.begin());
  }
  ++metrics_.visitors;
  ++by_source_[key];
  const TcpVisitorId id(next_id_++);
  visitors_.emplace(id, Visitor{key, now + options_.timeout, TcpFrameReader(options_.max_first_frame)});
  return id;
}

TcpDoor::Heard TcpDoor::HandleOctets(TcpVisitorId id, std::span<const uint8_t>& octets) {
  const auto visitor = visitors_.find(id);
  if (visitor == visitors_.end()) return {Verdict::kRefuse};
  const auto frame = visitor->second.reader.Next(octets);
  if (frame && IsRequest(*frame)) {
    ++metrics_.checks;
    return {Verdict::kCheck, *frame};
  }
  if (!frame && !visitor->second.reader.is_broken()) return {Verdict::kWait};
  Count(frame ? TcpRefusal::kNotStun : TcpRefusal::kTooLong);
  Forget(visitor);
  return {Verdict::kRefuse};
}

void TcpDoor::HandleLeft(TcpVisitorId id) {
  if (const auto visitor = visitors_.find(id); visitor != visitors_.end()) Forget(visitor);
}

void TcpDoor::HandleGone(TcpVisitorId id) {
  const auto visitor = visitors_.find(id);
  if (visitor == visitors_.end()) return;
  Count(TcpRefusal::kGone);
  Forget(visitor);
}

void TcpDoor::Forget(std::map<TcpVisitorId, Visitor>::iterator visitor) {
  const auto source = by_source_.find(visitor->second.source);
  if (--source->second == 0) by_source_.erase(source);
  visitors_.erase(visitor);
}

// All wait equally long: the oldest is the first.
void TcpDoor::HandleTimeout(Timestamp now) {
  while (!visitors_.empty() && visitors_.begin()->second.deadline <= now) {
    Count(TcpRefusal::kTooSlow);
    refused_.Push(visitors_.begin()->first);
    Forget(visitors_.begin());
  }
}

Timestamp TcpDoor::NextTimeout() const {
  return visitors_.empty() ? Timestamp::Never() : visitors_.begin()->second.deadline;
}

}  // namespace jsp::ice
