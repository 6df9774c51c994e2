#include "transport/asio/unknown_requests.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "ice/ice_char.h"
#include "ice/stun_attributes.h"
#include "stun/message_view.h"

namespace jsp::transport::io {
namespace {

// RFC 8839 §5.4: what can be the ufrag of an agent.
bool CanBeUfrag(std::string_view text) {
  return text.size() >= 4 && text.size() <= 256 && std::ranges::all_of(text, ice::IsIceChar);
}

struct Check {
  ice::CheckUsername names;
  ice::ReceivedCheck content;
};
// RFC 8445 §7.1, RFC 8445 §7.3; nullopt: something else.
std::optional<Check> ReadUnknownCheck(std::span<const uint8_t> request) {
  const auto message = stun::MessageView::Parse(request);
  if (!message || !message->Is(stun::Method::kBinding, stun::MessageClass::kRequest)) return std::nullopt;
  if (message->VerifyFingerprint() != stun::IntegrityStatus::kValid) return std::nullopt;
  const auto username = message->FindText(stun::AttributeType::kUsername);
  const auto names = username ? ice::SplitUsername(*username) : std::nullopt;
  const auto content = ice::ReadCheck(*message);
  if (!names || !content || !CanBeUfrag(names->receiver) || !CanBeUfrag(names->sender)) return std::nullopt;
  return Check{*names, *content};
}

}  // namespace

UnknownRequestLimit::UnknownRequestLimit(const UnknownRequestOptions& options, Rng& rng)
    : by_source_(options.per_source_per_second, rng), total_(options.per_second, options.per_second) {}

// A source that is over its own limit takes nothing from the others.
UnknownRequestLimit::Verdict UnknownRequestLimit::Take(Timestamp now, const IpAddress& source) {
  const std::lock_guard lock(mutex_);
  if (!by_source_.Take(now, source)) return Verdict::kSourceLimited;
  return total_.Take(now, 1) ? Verdict::kAdmitted : Verdict::kLimited;
}

UnknownRequests::UnknownRequests(const UnknownRequestOptions& options, Rng& rng)
    : UnknownRequests(options, std::make_shared<UnknownRequestLimit>(options, rng)) {}
UnknownRequests::UnknownRequests(const UnknownRequestOptions& options, std::shared_ptr<UnknownRequestLimit> limit)
    : options_(options), limit_(std::move(limit)) {}

void UnknownRequests::Handle(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                             std::span<const uint8_t> request) {
  const auto check = ReadUnknownCheck(request);
  if (!check) {
    ++stats_.not_a_check;
    return;
  }
  if (waiting_.size() >= options_.max_waiting) {
    ++stats_.no_room;
    return;
  }
  const auto verdict = limit_->Take(now, remote.ip);
  if (verdict == UnknownRequestLimit::Verdict::kSourceLimited) {
    ++stats_.source_limited;
    return;
  }
  if (verdict == UnknownRequestLimit::Verdict::kLimited) {
    ++stats_.limited;
    return;
  }
  ++stats_.admitted;
  UnknownRequest& admitted = waiting_.emplace_back();
  admitted.local = local;
  admitted.remote = remote;
  admitted.ufrag = check->names.receiver;
  admitted.remote_ufrag = check->names.sender;
  admitted.priority = check->content.priority;
  if (check->content.role) admitted.remote_role = check->content.role->role;
  admitted.use_candidate = check->content.use_candidate;
  admitted.datagram.assign(request.begin(), request.end());
}

std::optional<UnknownRequest> UnknownRequests::Poll() {
  if (waiting_.empty()) return std::nullopt;
  UnknownRequest first = std::move(waiting_.front());
  waiting_.pop_front();
  return first;
}

}  // namespace jsp::transport::io
