#pragma once
#include <cstdint>
#include <vector>

#include "dtls/certificate.h"
#include "dtls/openssl_ptr.h"
namespace jsp::dtls {

// OpenSSL's side of a Certificate, for dtls/ only. `context` and `bio_method` are here because sessions share them.
struct Certificate::Native {
  PkeyPtr key;
  X509Ptr certificate;
  std::vector<uint8_t> der;
  Fingerprint fingerprint;
  BioMethodPtr bio_method;
  SslCtxPtr context;
};

// The DER form of `certificate`; empty when it cannot be encoded.
std::vector<uint8_t> EncodeDer(X509* certificate);

}  // namespace jsp::dtls
