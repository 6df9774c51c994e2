#pragma once
#include <boost/container/static_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "stun/long_term_key.h"
namespace jsp::turn {

// Who may use a server. Static users are kept as keys, not as passwords (RFC 8656 §6). Ephemeral ones need no list: the
// user name is "EXPIRY:NAME" or "EXPIRY", in seconds of Unix time, and the password is the base64 of the HMAC-SHA1 of
// the user name under a secret that the server shares with whoever hands credentials out ("TURN REST API"). Several
// secrets allow for a change of them. A value; the server owns one.
class Credentials {
 public:
  static constexpr size_t kMaxSecrets = 4;
  using Keys = boost::container::static_vector<stun::LongTermKeys, kMaxSecrets>;

  // A key of a long-term credential (RFC 8489 §9.2.2) of that realm. The same name again replaces it.
  void AddUser(std::string_view username, std::string_view realm, const stun::LongTermKeys& keys);
  // False when there are kMaxSecrets.
  bool AddSharedSecret(std::string secret);

  // The keys that the user may have: none for a stranger or an expired name; several only while secrets change.
  Keys Find(std::string_view username, std::string_view realm, uint64_t unix_seconds) const;
  // The user whose USERHASH (RFC 8489 §14.4) that is; only static users can be found so.
  std::optional<std::string_view> FindByUserhash(std::span<const uint8_t, 32> userhash) const;

  // Whose quota an allocation of `username` counts against: with a shared secret, what follows the expiry.
  std::string_view QuotaName(std::string_view username) const;
  size_t users() const { return users_.size(); }
  bool has_shared_secret() const { return !secrets_.empty(); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  template <class Value>
  using Map = boost::unordered_flat_map<std::string, Value, Hash, std::equal_to<>>;
  Map<stun::LongTermKeys> users_;
  Map<std::string> names_by_userhash_;
  std::vector<std::string> secrets_;
};

// The password that goes with an ephemeral user name: for those who hand them out, and for tests.
std::string EphemeralPassword(std::string_view secret, std::string_view username);

}  // namespace jsp::turn
