#include "turn/allocation.h"

#include <algorithm>

#include "stun/address_attribute.h"
namespace jsp::turn {
namespace {

using stun::AttributeType;

bool CanBeRelayed(const SocketAddress& address, const SocketAddress& server) {
  const IpAddress& ip = address.ip;
  if (address.port == 0 || ip.IsUnspecified() || ip.IsMulticast() || ip.IsBroadcast()) return false;
  return !ip.IsLoopback() || server.ip.IsLoopback();
}

bool WasAskedFor(const IpAddress& ip, const ClientOptions& options) {
  if (options.reservation || options.families == RelayFamilies::kBoth) return true;
  return ip.is_v6() == (options.families == RelayFamilies::kV6);
}

}  // namespace

Expected<AllocateResult, AllocateResultError> ParseAllocateResult(const stun::MessageView& response,
                                                                  const ClientOptions& options) {
  using Error = Unexpected<AllocateResultError>;
  AllocateResult result;
  bool malformed = false;
  bool unusable = false;
  // One XOR-RELAYED-ADDRESS of each family at most; the first of each counts (RFC 8656 §7.2).
  response.ForEachAttribute([&](const stun::Attribute& attribute) {
    if (attribute.type != AttributeType::kXorRelayedAddress) return;
    const auto address = stun::ParseAddress(attribute.type, attribute.value, response.transaction_id());
    if (!address || !CanBeRelayed(*address, options.server)) {
      malformed = true;
    } else if (!WasAskedFor(address->ip, options)) {
      unusable = true;
    } else if (auto& slot = address->ip.is_v4() ? result.relayed_v4 : result.relayed_v6; !slot) {
      slot = *address;
    }
  });
  const auto mapped = response.FindAddress(AttributeType::kXorMappedAddress);
  const auto lifetime = Find<Lifetime>(response);
  const bool has_relayed = result.relayed_v4 || result.relayed_v6 || unusable;
  if (malformed || !has_relayed || !mapped || !lifetime || lifetime->seconds == 0) {
    return Error(AllocateResultError::kMalformed);
  }
  if (unusable) return Error(AllocateResultError::kUnusableFamily);
  result.mapped = *mapped;
  result.lifetime_seconds = lifetime->seconds;
  result.reservation = Find<ReservationToken>(response);
  if (const auto error = Find<AddressErrorCode>(response)) result.missing_family_code = error->code;
  if (const auto ticket = Find<MobilityTicket>(response)) result.ticket = ticket->octets;
  return result;
}

Allocation::Allocation(Timestamp now, const AllocateResult& result)
    : relayed_v4_(result.relayed_v4), relayed_v6_(result.relayed_v6), mapped_(result.mapped) {
  HandleTicket(result.ticket);
  HandleRefreshed(now, result.lifetime_seconds);
}

void Allocation::HandleRefreshed(Timestamp now, uint32_t lifetime_seconds) {
  const Duration lifetime = std::clamp<Duration>(std::chrono::seconds(lifetime_seconds), kMinLifetime, kMaxLifetime);
  // RFC 8656 §8: "roughly 1 minute before it expires"; of a short lifetime, half.
  refresh_at_ = now + std::max<Duration>(lifetime - std::chrono::minutes(1), lifetime / 2);
  expires_at_ = now + lifetime;
}

bool Allocation::PopRefreshDue(Timestamp now) {
  if (now < refresh_at_) return false;
  refresh_at_ = Timestamp::Never();
  return true;
}

}  // namespace jsp::turn
