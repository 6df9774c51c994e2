#pragma once
#include <boost/container/static_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/crypto.h"
namespace jsp::stun {

// What the credential mechanisms of RFC 8489 §9 compute and exchange. Who the users are and when a nonce is stale is
// not known here; turn/ and ice/ decide. Every text has been through PrepareOpaqueString (opaque_string.h).

// The key of the short-term mechanism is the password itself (RFC 8489 §9.1.1).
inline crypto::Bytes ShortTermKey(std::string_view password) { return crypto::AsBytes(password); }
// The keys of the long-term mechanism (RFC 8489 §9.2.2, §18.5.1.1, §18.5.1.2). Quotes around the user name and the
// realm, and trailing NULs of all three, do not count.
crypto::Md5Digest LongTermKeyMd5(std::string_view username, std::string_view realm, std::string_view password);
crypto::Sha256Digest LongTermKeySha256(std::string_view username, std::string_view realm, std::string_view password);
// The value of USERHASH (RFC 8489 §14.4).
crypto::Sha256Digest Userhash(std::string_view username, std::string_view realm);

// RFC 8489 §18.5; other numbers may arrive.
enum class PasswordAlgorithm : uint16_t { kMd5 = 0x0001, kSha256 = 0x0002 };

struct PasswordAlgorithmEntry {
  PasswordAlgorithm algorithm;
  std::span<const uint8_t> parameters;  // a view into the value; empty for both known algorithms
};
// Two are registered; further entries of a longer list are read over.
constexpr size_t kMaxPasswordAlgorithms = 8;
using PasswordAlgorithmList = boost::container::static_vector<PasswordAlgorithmEntry, kMaxPasswordAlgorithms>;

// PASSWORD-ALGORITHMS (RFC 8489 §14.11), in the sender's order; nullopt when the value is empty or malformed.
std::optional<PasswordAlgorithmList> ParsePasswordAlgorithms(std::span<const uint8_t> value);
// PASSWORD-ALGORITHM (RFC 8489 §14.12): exactly one entry.
std::optional<PasswordAlgorithmEntry> ParsePasswordAlgorithm(std::span<const uint8_t> value);
// Writes the value of either attribute, without parameters: four octets each. Returns a view of what was written; empty
// when `out` is too small.
std::span<const uint8_t> WritePasswordAlgorithms(std::span<const PasswordAlgorithm> algorithms, std::span<uint8_t> out);

// RFC 8489 §18.1: what a server's nonce promises, so that nobody on the path can take it away (RFC 8489 §9.2.1).
struct SecurityFeatures {
  bool password_algorithms = false;  // bit 0
  bool username_anonymity = false;   // bit 1
  bool operator==(const SecurityFeatures&) const = default;
};
constexpr size_t kNonceCookieSize = 13;
// The 13 characters that a server's NONCE begins with (RFC 8489 §9.2): "obMatJos2" and the features in base64.
std::string NonceCookie(SecurityFeatures features);
// nullopt when the nonce does not begin with a cookie, as those of servers that do not know RFC 8489. Unassigned bits
// are ignored.
std::optional<SecurityFeatures> ParseNonceCookie(std::string_view nonce);

// What a client does with a 401 or 438 (RFC 8489 §9.2.5), from the nonce and the value of PASSWORD-ALGORITHMS, if there
// is one. kMd5 without an offer means the key of LongTermKeyMd5 and no PASSWORD-ALGORITHM in the request. nullopt: the
// request must not be tried again (the offer was stripped, is malformed, or holds nothing that we support).
std::optional<PasswordAlgorithm> ChoosePasswordAlgorithm(std::string_view nonce,
                                                         std::optional<std::span<const uint8_t>> offer);

}  // namespace jsp::stun
