#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/socket_address.h"
#include "base/time.h"
namespace jsp::turn {

// What a client knows of its permissions (RFC 8656 §9): one for each peer address, whatever the port. Each is asked
// for, refreshed and refused on its own, so that one refused permission never harms another. Owns no transactions; the
// client starts a request for every address that PopDue returns.
class PermissionTable {
 public:
  enum class State : uint8_t {
    kRequested,  // a request is under way, and it has not been granted yet
    kGranted,
    kRefused,  // and not to be asked for again before kRetryRefused
  };
  // RFC 8656 §9: 300 seconds; a request has 39.5 s to succeed (RFC 8489 §6.2.1), so it begins a minute before. A
  // channel's refresh, which renews the permission too, comes first (channel_table.h).
  static constexpr Duration kRefreshAfter = std::chrono::seconds(250);
  static constexpr Duration kRetryRefused = std::chrono::seconds(30);

  explicit PermissionTable(size_t limit) : limit_(limit) {}

  enum class Added : uint8_t { kNew, kKnown, kRefused, kFull };
  // kNew: the caller sends a request.
  Added Add(Timestamp now, const IpAddress& peer);
  // nullopt: never asked for, or expired.
  std::optional<State> Find(Timestamp now, const IpAddress& peer) const;
  // Data from it is ours: granted, or asked for (the answer may be overtaken by data).
  bool Accepts(Timestamp now, const IpAddress& peer) const;
  void HandleGranted(Timestamp now, const IpAddress& peer);  // adds it if need be: ChannelBind grants one, too
  void HandleRefused(Timestamp now, const IpAddress& peer);
  // The request had no answer: unless it was granted before, it is as if it had never been asked for.
  void HandleTimedOut(Timestamp now, const IpAddress& peer);
  void Remove(const IpAddress& peer) { entries_.erase(peer); }
  void Clear() { entries_.clear(); }

  // One that is to be refreshed now; it is not returned again until its request ends. Call until nullopt.
  std::optional<IpAddress> PopDue(Timestamp now);
  Timestamp NextTimeout() const;
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    State state = State::kRequested;
    Timestamp refresh_at;  // Never: a request is under way
    Timestamp until;       // granted: expires; refused: may be asked again
  };
  struct Hash {
    size_t operator()(const IpAddress& ip) const { return HashValue(SocketAddress{ip, 0}); }
  };
  const Entry* FindEntry(Timestamp now, const IpAddress& peer) const;

  size_t limit_;
  boost::unordered_flat_map<IpAddress, Entry, Hash> entries_;
};

}  // namespace jsp::turn
