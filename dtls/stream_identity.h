#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/expected.h"
namespace jsp::dtls {

// A certificate for a TLS server (StreamContext::ForServer) with its key, in PEM.
struct StreamIdentity {
  std::string chain_pem;
  std::string key_pem;
};

struct StreamIdentityOptions {
  std::vector<std::string> names;  // "DNS:turn.example", "IP:192.0.2.1" (RFC 5280 §4.2.1.6)
  int64_t not_before_unix = 0;
  int64_t not_after_unix = 4102444800;  // 2100-01-01
};

// A fresh P-256 key, and a certificate for it that it has signed itself: a client believes it when StreamTrust names
// it. For servers that nobody else vouches for, as in a simulation. The error is one line.
Expected<StreamIdentity, std::string> MakeStreamIdentity(const StreamIdentityOptions& options);

}  // namespace jsp::dtls
