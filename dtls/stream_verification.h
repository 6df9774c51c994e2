#pragma once
#include <openssl/ssl.h>

#include <optional>
#include <string>

#include "dtls/stream_session.h"
namespace jsp::dtls {

// What the verifier of a client's session reads and writes. The SSL's application data points to it.
struct StreamVerification {
  std::string host{};
  std::optional<StreamSession::Failed> refusal{};
};

// RFC 8489 §6.2.3: whom `ssl` expects: the name that the certificate must have, which is also told to the server
// (RFC 6066 §3), and the time at which it must be valid. False when `verification.host` is neither a name nor an
// address. `verification` must outlive the SSL object.
bool ExpectPeer(SSL* ssl, StreamVerification& verification, int64_t unix_time);

// OpenSSL's callback: notes in the session's StreamVerification, for people, why a certificate is refused.
int VerifyStreamCertificate(int preverified, X509_STORE_CTX* store);

}  // namespace jsp::dtls
