#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/expected.h"
namespace jsp::stun {

// Why a string is no user name, realm or password.
enum class OpaqueStringErrc : uint8_t {
  kEmpty,
  kNotUtf8,
  kDisallowed,          // a control character, an invisible or unassigned code point, a private one, …
  kNeedsNormalisation,  // not in Normalization Form C: refused, see PrepareOpaqueString
};
struct OpaqueStringError {
  OpaqueStringErrc code;
  size_t offset;  // octets into the string, of the code point at fault
  bool operator==(const OpaqueStringError&) const = default;
};

// The OpaqueString profile (RFC 8265 §4.2.2), which USERNAME, REALM and passwords go through before they are sent or
// hashed: printable ASCII comes back as it is, every other space becomes U+0020, and what the FreeformClass forbids is
// an error. Case is kept.
//
// RFC 8265 §4.2.2 rule 4 is half declined: a string that may not be in Normalization Form C already is refused, not
// normalised; keyboards produce that form, and the tables of the other one would be larger than the rest of STUN. An
// error is better than a key that differs from the server's.
Expected<std::string, OpaqueStringError> PrepareOpaqueString(std::string_view text);
// One phrase for a person: "the string is empty".
std::string_view Describe(OpaqueStringErrc code);

}  // namespace jsp::stun
