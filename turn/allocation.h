#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/expected.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "stun/message_view.h"
#include "turn/attributes.h"
#include "turn/client_options.h"
namespace jsp::turn {

// What an Allocate success response says (RFC 8656 §7.3), checked.
struct AllocateResult {
  std::optional<SocketAddress> relayed_v4;
  std::optional<SocketAddress> relayed_v6;
  SocketAddress mapped;
  uint32_t lifetime_seconds = 0;
  std::optional<ReservationToken> reservation;
  uint16_t missing_family_code = 0;
  std::span<const uint8_t> ticket;  // a view into the response; empty: none
};
enum class AllocateResultError : uint8_t {
  kMalformed,       // something is missing, zero, or cannot be relayed from
  kUnusableFamily,  // RFC 8656 §7.3: a family that was not asked for
};
// T11: a relayed address that is unspecified, multicast, broadcast or has port 0 is malformed; a loopback address is,
// too, unless the server itself is on one.
Expected<AllocateResult, AllocateResultError> ParseAllocateResult(const stun::MessageView& response,
                                                                  const ClientOptions& options);

// A client's copy of its allocation (RFC 8656 §6, §7.3): relayed addresses, and when to refresh it. Permissions and
// channels have tables of their own.
class Allocation {
 public:
  // A server that says less would be asked every second; one that says more may say so, but is asked every hour, in
  // case that it forgets (T11).
  static constexpr Duration kMinLifetime = std::chrono::seconds(10);
  static constexpr Duration kMaxLifetime = std::chrono::hours(1);

  Allocation(Timestamp now, const AllocateResult& result);

  // RFC 8656 §8.3. Zero is taken for the shortest.
  void HandleRefreshed(Timestamp now, uint32_t lifetime_seconds);
  // The request ended without an answer: another one, as long as there is time.
  void HandleRefreshFailed(Timestamp now) { refresh_at_ = now; }
  void HandleTicket(std::span<const uint8_t> ticket) { ticket_.assign(ticket.begin(), ticket.end()); }

  // True once, when a Refresh is due.
  bool PopRefreshDue(Timestamp now);
  bool IsExpired(Timestamp now) const { return now >= expires_at_; }
  Timestamp NextTimeout() const { return std::min(refresh_at_, expires_at_); }

  bool HasFamily(const IpAddress& peer) const {
    return peer.is_v4() ? relayed_v4_.has_value() : relayed_v6_.has_value();
  }
  const std::optional<SocketAddress>& relayed_v4() const { return relayed_v4_; }
  const std::optional<SocketAddress>& relayed_v6() const { return relayed_v6_; }
  const SocketAddress& mapped() const { return mapped_; }
  std::span<const uint8_t> ticket() const { return ticket_; }

 private:
  std::optional<SocketAddress> relayed_v4_;
  std::optional<SocketAddress> relayed_v6_;
  SocketAddress mapped_;
  std::vector<uint8_t> ticket_;
  Timestamp refresh_at_;
  Timestamp expires_at_;
};

}  // namespace jsp::turn
