#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "base/token_bucket.h"
#include "ice/role.h"
namespace jsp::transport::io {

struct UnknownRequestOptions {
  // Of one IPv4 address or one IPv6 /64; ten seconds' worth at once. A check is repeated until it is answered, so that
  // a few a second are one peer. 0: no limit.
  uint32_t per_source_per_second = 5;
  uint32_t per_second = 500;  // of all sources together, which forgers have many of; 0: no limit
  size_t max_waiting = 64;    // admitted, and not yet told
};

struct UnknownRequestStats {
  uint64_t admitted = 0;
  uint64_t not_a_check = 0;  // no whole connectivity check: RFC 8445 §7.1, FINGERPRINT included
  uint64_t source_limited = 0;
  uint64_t limited = 0;  // all sources together
  uint64_t no_room = 0;  // max_waiting
};

// A connectivity check for a ufrag that no peer here has. Nothing of it is authentic, nor is its source: only who knows
// the password of that ufrag can tell.
struct UnknownRequest {
  SocketAddress local;
  SocketAddress remote;
  std::string ufrag;         // whom it is for: local_credentials of a peer that would take it
  std::string remote_ufrag;  // who sent it, by its own word, as all that follows
  uint32_t priority = 0;     // of the peer-reflexive candidate (RFC 8445 §7.1.1)
  std::optional<ice::Role> remote_role;
  bool use_candidate = false;
  std::vector<uint8_t> datagram;  // the whole request
};

// How many of them are let through; several loops may share one. From any thread.
class UnknownRequestLimit {
 public:
  enum class Verdict : uint8_t { kAdmitted, kSourceLimited, kLimited };

  UnknownRequestLimit(const UnknownRequestOptions& options, Rng& rng);
  Verdict Take(Timestamp now, const IpAddress& source);

 private:
  std::mutex mutex_;
  StrangerLimit by_source_;
  TokenBucket total_;
};

// The requests for nobody that the application is asked about: those that look like checks, as many as the limits let
// through. Refusing costs no memory. Told the time; knows no sockets.
class UnknownRequests {
 public:
  UnknownRequests(const UnknownRequestOptions& options, Rng& rng);
  UnknownRequests(const UnknownRequestOptions& options, std::shared_ptr<UnknownRequestLimit> limit);

  // `request` is for a ufrag that is nobody's. It waits for Poll(), or is dropped and counted.
  void Handle(Timestamp now, const SocketAddress& local, const SocketAddress& remote, std::span<const uint8_t> request);
  std::optional<UnknownRequest> Poll();
  bool HasWaiting() const { return !waiting_.empty(); }
  const UnknownRequestStats& stats() const { return stats_; }

 private:
  UnknownRequestOptions options_;
  std::shared_ptr<UnknownRequestLimit> limit_;
  std::deque<UnknownRequest> waiting_;
  UnknownRequestStats stats_;
};

}  // namespace jsp::transport::io
