#pragma once
#include <string>
#include <string_view>

#include "base/rng.h"
namespace jsp::ice {

// ice-ufrag and ice-pwd of one side (RFC 8839 §5.4): 4–256 and 22–256 ice-chars.
struct Credentials {
  std::string ufrag;
  std::string pwd;
  bool operator==(const Credentials&) const = default;
  // 8 and 24 characters: 48 and 144 random bits (RFC 8445 §5.3 asks for 24 and 128).
  static Credentials Random(Rng& rng);
  bool IsValid() const;
};

}  // namespace jsp::ice
