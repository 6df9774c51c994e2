#include "ice/credentials.h"

#include <algorithm>

#include "ice/ice_char.h"
namespace jsp::ice {
namespace {

// RFC 8839 §5.4: "ice-ufrag" has 4 to 256 ice-chars, "ice-pwd" 22 to 256.
constexpr size_t kMinUfrag = 4;
constexpr size_t kMinPwd = 22;
constexpr size_t kMaxLength = 256;
// RFC 8445 §5.3: at least 24 and 128 bits; 6 bits a character. RFC 8839 §5.4: not more than 32 characters are sent.
constexpr size_t kOwnUfrag = 8;
constexpr size_t kOwnPwd = 24;

}  // namespace

Credentials Credentials::Random(Rng& rng) {
  Credentials credentials;
  credentials.ufrag = rng.IceChars(kOwnUfrag);
  credentials.pwd = rng.IceChars(kOwnPwd);
  return credentials;
}

bool Credentials::IsValid() const {
  return ufrag.size() >= kMinUfrag && ufrag.size() <= kMaxLength && pwd.size() >= kMinPwd && pwd.size() <= kMaxLength &&
         std::ranges::all_of(ufrag, IsIceChar) && std::ranges::all_of(pwd, IsIceChar);
}

}  // namespace jsp::ice
