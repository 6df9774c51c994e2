#include "portmap/client.h"

#include <algorithm>
#include <utility>
namespace jsp::portmap {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// RFC 6887 §8.1.1: IRT, MRT; MRC and MRD are 0, without end.
constexpr Duration kPcpInitial = seconds(3);
constexpr Duration kPcpMaximum = seconds(1024);
// RFC 6886 §3.1: nine times, the waits doubling from 250 ms to 64 s.
constexpr Duration kNatPmpInitial = milliseconds(250);
constexpr uint32_t kNatPmpAttempts = 9;
// RFC 6887 §11.2.1: "never less than four seconds apart".
constexpr Duration kRenewalSpacing = seconds(4);
// RFC 6887 §7.4: short lifetime errors last 30 s, long ones 30 minutes; what a gateway says is taken between these.
constexpr Duration kShortError = seconds(30);
constexpr Duration kLongError = minutes(30);
// RFC 6887 §15: servers grant up to 24 hours; what claims more is renewed as if it had said that.
constexpr Duration kMaxLifetime = std::chrono::hours(24);
constexpr uint32_t kMaxSwitches = 2;  // to NAT-PMP, and back when it speaks PCP after all

bool IsUsable(const SocketAddress& external) {
  return external.ip.is_v4() && external.port != 0 && !external.ip.IsUnspecified() && !external.ip.IsLoopback() &&
         !external.ip.IsLinkLocal() && !external.ip.IsMulticast() && !external.ip.IsBroadcast();
}

}  // namespace

Expected<void, MapError> Client::Map(Timestamp now, uint16_t internal_port) {
  if (is_closed_) return Unexpected(MapError::kClosed);
  if (internal_port == 0) return Unexpected(MapError::kBadPort);
  if (std::ranges::find(mappings_, internal_port, &Mapping::internal_port) != mappings_.end()) return {};
  if (mappings_.size() >= options_.max_mappings) return Unexpected(MapError::kTooMany);
  mappings_.push_back({internal_port, rng_->Random<Nonce>()});
  if (gateway_.is_silent) {
    Fail(mappings_.back(), std::nullopt);
  } else {
    Begin(now, mappings_.back().schedule);
  }
  return {};
}

void Client::Close(Timestamp) {
  if (std::exchange(is_closed_, true)) return;
  for (Mapping& mapping : mappings_) {
    // Asked for counts as made: the answer may be on its way.
    if (mapping.grant || mapping.schedule.sent > 0) farewell_.push_back(std::move(mapping));
  }
  mappings_.clear();
  address_.schedule = {};
}

void Client::Begin(Timestamp now, Schedule& schedule) const {
  schedule = {.next = now + Duration::zero(), .is_due = true};
}

// When to send again if no answer comes.
void Client::NoteSent(Timestamp now, Schedule& schedule) {
  schedule.is_due = false;
  ++schedule.sent;
  if (gateway_.protocol == Protocol::kNatPmp) {
    schedule.interval = schedule.sent == 1 ? kNatPmpInitial : schedule.interval * 2;
  } else {
    // RFC 6887 §8.1.1: RAND is uniform between -0.1 and 0.1, drawn for each.
    const Duration base = schedule.sent == 1 ? kPcpInitial : std::min(schedule.interval * 2, kPcpMaximum);
    schedule.interval = std::chrono::duration_cast<Duration>(base * (0.9 + 0.2 * rng_->Uniform()));
  }
  schedule.next = now + schedule.interval;
}

// RFC 6887 §11.2.1: the first at a random moment between 1/2 and 5/8 of the lifetime, without an answer another between
// 3/4 and 3/4 + 1/16, then between 7/8 and 7/8 + 1/32, and so on. RFC 6886 §3.3 begins halfway, too.
void Client::ScheduleRenewal(Timestamp now, Mapping& mapping) {
  const Grant& grant = *mapping.grant;
  double left = 1;
  for (uint32_t i = 0; i <= std::min<uint32_t>(grant.renewals, 32); ++i) left /= 2;
  const double fraction = 1 - left + left / 4 * rng_->Uniform();
  const Timestamp due = grant.since + std::chrono::duration_cast<Duration>(grant.lifetime * fraction);
  mapping.schedule = {.next = std::max(due, now + kRenewalSpacing)};
}

void Client::SwitchTo(Timestamp now, Protocol protocol) {
  if (gateway_.protocol == protocol || gateway_.switches >= kMaxSwitches) return;
  ++gateway_.switches;
  gateway_.protocol = protocol;
  gateway_.epoch = {};
  address_ = {};
  if (protocol == Protocol::kNatPmp) Begin(now, address_.schedule);
  for (Mapping& mapping : mappings_) {
    mapping.schedule = {};
    // NAT-PMP says nothing of the address when it maps: that is asked for first.
    if (protocol == Protocol::kPcp) Begin(now, mapping.schedule);
  }
}

// Nobody answers. A gateway that did once may be back some time.
void Client::GiveUp(Timestamp now) {
  gateway_.is_silent = !gateway_.has_answered;
  address_.schedule = {};
  for (Mapping& mapping : mappings_) {
    if (mapping.grant) continue;
    mapping.schedule = {};
    if (gateway_.has_answered) mapping.schedule.next = now + kLongError;
    Fail(mapping, std::nullopt);
  }
}

void Client::Fail(Mapping& mapping, std::optional<ResultCode> code) {
  if (std::exchange(mapping.is_failed, true)) return;
  events_.Push(event::Failed{mapping.internal_port, code});
}

void Client::Lose(Timestamp now, Mapping& mapping) {
  mapping.wish = mapping.grant->external;
  mapping.grant.reset();
  Begin(now, mapping.schedule);
  events_.Push(event::Lost{mapping.internal_port});
}

void Client::HandleTimeout(Timestamp now) {
  if (!is_closed_) Advance(now);
}

void Client::Advance(Timestamp now) {
  Schedule& address = address_.schedule;
  if (address.next <= now && !address.is_due) {
    if (address.sent >= kNatPmpAttempts) return GiveUp(now);
    address.is_due = true;
  }
  for (size_t i = 0; i < mappings_.size() && !gateway_.is_silent; ++i) Advance(now, mappings_[i]);
}

void Client::Advance(Timestamp now, Mapping& mapping) {
  if (mapping.grant && now >= mapping.grant->since + mapping.grant->lifetime) Lose(now, mapping);
  Schedule& schedule = mapping.schedule;
  if (schedule.next > now || schedule.is_due) return;
  if (mapping.grant || schedule.sent == 0) {
    schedule.is_due = true;
    // The address may have changed with it (RFC 6886 §3.2).
    if (gateway_.protocol == Protocol::kNatPmp) Begin(now, address_.schedule);
    return;
  }
  // RFC 6887 §9 has a gateway answer "unsupported version"; some that know NAT-PMP only are silent instead.
  if (gateway_.protocol == Protocol::kPcp && !gateway_.has_answered && gateway_.switches == 0) {
    return SwitchTo(now, Protocol::kNatPmp);
  }
  if (gateway_.protocol == Protocol::kNatPmp && schedule.sent >= kNatPmpAttempts) return GiveUp(now);
  schedule.is_due = true;
}

bool Client::HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                            std::span<const uint8_t> message) {
  // RFC 6887 §8.3: the source must be the server's address and port.
  if (remote != options_.gateway || local != options_.local) {
    Drop(DropReason::kWrongAddress);
    return false;
  }
  if (is_closed_ || gateway_.is_silent) return true;
  if (message.empty()) return Drop(DropReason::kUnparsable), true;
  message.front() == kNatPmpVersion ? HandleNatPmp(now, message) : HandlePcp(now, message);
  return true;
}

// Of all versions: what "unsupported version" in another one tells (RFC 6887 §9, RFC 6886 §3.5). Nothing proves it, so
// it is believed only before anything proven has come.
void Client::HandleVersion(Timestamp now, uint8_t version) {
  if (gateway_.has_answered) return Drop(DropReason::kUnexpected);
  if (version == kNatPmpVersion && gateway_.protocol == Protocol::kPcp) return SwitchTo(now, Protocol::kNatPmp);
  if (version == kPcpVersion && gateway_.protocol == Protocol::kNatPmp) return SwitchTo(now, Protocol::kPcp);
  for (Mapping& mapping : mappings_) HandleRefused(now, mapping, ResultCode::kUnsupportedVersion, UINT32_MAX);
}

void Client::HandlePcp(Timestamp now, std::span<const uint8_t> message) {
  const auto response = ParsePcpResponse(message);
  if (!response) return Drop(DropReason::kUnparsable);
  const bool is_version_fault = response->result == ResultCode::kUnsupportedVersion;
  if (is_version_fault && (response->version != kPcpVersion || gateway_.protocol == Protocol::kNatPmp)) {
    return HandleVersion(now, response->version);
  }
  if (!response->map || gateway_.protocol != Protocol::kPcp) return Drop(DropReason::kUnexpected);
  // RFC 6887 §11.4: the protocol, the port and the nonce must be those of a request. Answers that nobody asked for are
  // legal updates (RFC 6887 §14.2) when they know the nonce.
  const PcpResponse::Map& map = *response->map;
  const auto mapping = std::ranges::find_if(mappings_, [&](const Mapping& m) {
    return map.protocol == kUdp && m.internal_port == map.internal_port && m.nonce == map.nonce;
  });
  if (mapping == mappings_.end()) return Drop(DropReason::kBadNonce);
  const bool is_granted = response->result == ResultCode::kSuccess && response->lifetime > 0;
  if (is_granted && !IsUsable(map.external)) return Drop(DropReason::kBadExternal);
  gateway_.has_answered = true;
  HandleEpoch(now, gateway_.epoch.AcceptPcp(now, response->epoch), &*mapping);
  if (is_granted) return HandleGranted(now, *mapping, map.external, response->lifetime);
  // RFC 6887 §15: a success with lifetime zero is what a deletion gets; the gateway has taken it away.
  const bool is_deleted = response->result == ResultCode::kSuccess;
  if (is_deleted && mapping->grant) Lose(now, *mapping);
  HandleRefused(now, *mapping, is_deleted ? ResultCode::kNoResources : response->result, response->lifetime);
}

void Client::HandleNatPmp(Timestamp now, std::span<const uint8_t> message) {
  const auto response = ParseNatPmpResponse(message);
  if (!response) return Drop(DropReason::kUnparsable);
  if (response->result == ResultCode::kUnsupportedVersion && gateway_.protocol == Protocol::kPcp) {
    return HandleVersion(now, kNatPmpVersion);
  }
  if (gateway_.protocol != Protocol::kNatPmp) return Drop(DropReason::kUnexpected);
  if (!response->map) {
    // The address. It has no nonce: only what was asked for is heard.
    if (address_.schedule.sent == 0) return Drop(DropReason::kUnexpected);
    if (response->external && !IsUsable({*response->external, 1})) return Drop(DropReason::kBadExternal);
    gateway_.has_answered = true;
    address_.schedule = {};
    HandleEpoch(now, gateway_.epoch.AcceptNatPmp(now, response->epoch), nullptr);
    address_.external = response->external;
    for (Mapping& mapping : mappings_) {
      if (!response->external) {
        HandleRefused(now, mapping, response->result, 0);
      } else if (mapping.grant) {
        HandleGranted(now, mapping, {*response->external, mapping.grant->external.port}, 0);
      } else if (mapping.schedule.next == Timestamp::Never()) {
        Begin(now, mapping.schedule);
      }
    }
    return;
  }
  const auto mapping = std::ranges::find(mappings_, response->map->internal_port, &Mapping::internal_port);
  if (mapping == mappings_.end() || mapping->schedule.sent == 0 || !address_.external) {
    return Drop(DropReason::kUnexpected);
  }
  const bool is_granted = response->result == ResultCode::kSuccess && response->map->lifetime > 0;
  const SocketAddress external{*address_.external, response->map->external_port};
  if (is_granted && !IsUsable(external)) return Drop(DropReason::kBadExternal);
  HandleEpoch(now, gateway_.epoch.AcceptNatPmp(now, response->epoch), &*mapping);
  if (is_granted) return HandleGranted(now, *mapping, external, response->map->lifetime);
  const bool is_deleted = response->result == ResultCode::kSuccess;
  HandleRefused(now, *mapping, is_deleted ? ResultCode::kNoResources : response->result, 0);
}

// RFC 6887 §8.5, RFC 6886 §3.7: a gateway that lost its state is asked for every mapping again, in the same terms.
void Client::HandleEpoch(Timestamp now, bool is_valid, const Mapping* heard_of) {
  if (is_valid) return;
  ++metrics_.gateway_resets;
  for (Mapping& mapping : mappings_) {
    if (&mapping != heard_of && mapping.grant) Lose(now, mapping);
  }
}

// `lifetime` 0: only the address is news.
void Client::HandleGranted(Timestamp now, Mapping& mapping, const SocketAddress& external, uint32_t lifetime) {
  const bool is_news = !mapping.grant || mapping.grant->external != external;
  if (lifetime > 0) {
    mapping.grant = Grant{external, now, std::min<Duration>(seconds(lifetime), kMaxLifetime)};
    ScheduleRenewal(now, mapping);
  } else {
    mapping.grant->external = external;
  }
  mapping.is_failed = false;
  if (is_news) events_.Push(event::Mapped{mapping.internal_port, external});
}

void Client::HandleRefused(Timestamp now, Mapping& mapping, ResultCode code, uint32_t lifetime) {
  if (mapping.grant) return ScheduleRenewal(now, mapping);  // it lasts as long as was promised
  const Duration wait = std::clamp<Duration>(seconds(std::min<uint32_t>(lifetime, 86400)), kShortError, kLongError);
  mapping.schedule = {.next = now + wait};
  Fail(mapping, code);
}

void Client::HandleUnreachable(Timestamp now, const SocketAddress& remote) {
  if (remote != options_.gateway || gateway_.has_answered || is_closed_ || gateway_.is_silent) return;
  GiveUp(now);
}

bool Client::Write(const Mapping& mapping, uint32_t lifetime, std::span<uint8_t> out, size_t& size) const {
  SocketAddress wish = mapping.grant ? mapping.grant->external : mapping.wish;
  if (lifetime == 0) wish = {};
  if (gateway_.protocol == Protocol::kPcp) {
    size = kMapRequest;
    return WriteMapRequest({mapping.nonce, options_.local.ip, mapping.internal_port, lifetime, wish}, out);
  }
  size = kNatPmpMapRequest;
  // RFC 6886 §3.3: without a port of before, the internal one is to be wished for.
  const uint16_t port = lifetime > 0 && wish.port == 0 ? mapping.internal_port : wish.port;
  return WriteNatPmpMapRequest({mapping.internal_port, port, lifetime}, out);
}

std::optional<Client::Transmit> Client::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  if (out.size() < kMapRequest) return std::nullopt;
  size_t size = 0;
  if (!farewell_.empty()) {
    (void)Write(farewell_.back(), 0, out, size);
    farewell_.pop_back();
  } else if (address_.schedule.is_due) {
    (void)WriteNatPmpAddressRequest(out);
    size = kNatPmpAddressRequest;
    NoteSent(now, address_.schedule);
  } else {
    const auto due = std::ranges::find_if(mappings_, [](const Mapping& m) { return m.schedule.is_due; });
    if (due == mappings_.end()) return std::nullopt;
    const auto lifetime =
        std::chrono::duration_cast<seconds>(std::clamp<Duration>(options_.lifetime, seconds(1), kMaxLifetime));
    (void)Write(*due, static_cast<uint32_t>(lifetime.count()), out, size);
    if (due->grant) {
      ++due->grant->renewals;
      const uint32_t sent = due->schedule.sent + 1;
      ScheduleRenewal(now, *due);
      due->schedule.sent = sent;
    } else {
      NoteSent(now, due->schedule);
    }
  }
  ++metrics_.requests_sent;
  return Transmit{size, options_.local, options_.gateway};
}

Timestamp Client::NextTimeout() const {
  if (is_closed_) return Timestamp::Never();
  const auto of = [](const Schedule& schedule) { return schedule.is_due ? Timestamp::Never() : schedule.next; };
  Timestamp next = of(address_.schedule);
  for (const Mapping& mapping : mappings_) {
    next = std::min(next, of(mapping.schedule));
    if (mapping.grant) next = std::min(next, mapping.grant->since + mapping.grant->lifetime);
  }
  return next;
}

}  // namespace jsp::portmap
