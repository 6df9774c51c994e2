#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
#include "dtls/fingerprint.h"
namespace jsp::dtls {

struct CertificateOptions {
  std::string common_name = "jsp";
  int64_t not_before_unix = 0;  // seconds since 1970; the caller knows the time
  int64_t not_after_unix = 0;   // both zero: valid from 1970 to 9999, which the fingerprint makes harmless
};

// A private key with its self-signed certificate, and the DTLS context built from them; shared by many sessions
// (PITFALLS P15). Immutable, reference counted.
class Certificate {
 public:
  // ECDSA P-256, SHA-256, random serial number. About 0.2 ms.
  static Expected<std::shared_ptr<const Certificate>, std::string> Generate(const CertificateOptions& options = {});
  // PEM, e.g. an RSA pair of the user's.
  static Expected<std::shared_ptr<const Certificate>, std::string> FromPem(std::string_view certificate,
                                                                           std::string_view private_key);
  ~Certificate();

  std::span<const uint8_t> der() const;
  const Fingerprint& fingerprint() const;  // SHA-256

  struct Native;  // OpenSSL's objects; complete in certificate_native.h, for dtls/ only
  const Native& native() const { return *native_; }

 private:
  explicit Certificate(std::unique_ptr<Native> native);
  std::unique_ptr<Native> native_;
};

}  // namespace jsp::dtls
