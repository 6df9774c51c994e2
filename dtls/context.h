#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/expected.h"
#include "base/time.h"
#include "dtls/fingerprint.h"
#include "dtls/openssl_ptr.h"
#include "dtls/session.h"
namespace jsp::dtls {

// Limits of a peer's certificate (ATTACKS D13), all far above what any WebRTC endpoint sends.
inline constexpr size_t kMaxCertificateMessage = 16 * 1024;  // RFC 5246 §7.4.2, the whole Certificate message
inline constexpr size_t kMaxCertificateChain = 8;
inline constexpr size_t kMaxCertificateSize = 8 * 1024;
inline constexpr int kMaxCertificateExtensions = 32;
inline constexpr int kMinRsaBits = 2048;
inline constexpr int kMaxRsaBits = 8192;

// What OpenSSL's callbacks read and write during one session's handshake. The SSL's application data points to it.
struct HandshakeRecord {
  struct Refusal {
    FailureReason reason;
    std::string detail;
  };
  // nullopt: not known yet, so the certificate is accepted for now and verified before any data is delivered.
  std::optional<std::vector<Fingerprint>> remote_fingerprints;
  std::optional<Refusal> refusal;  // why the verifier refused the peer's certificate
  Duration initial_timeout{};
  bool collect_keylog = false;
  std::string keylog;
};

// A context for both roles that presents `certificate` and requires one of the peer, with the callbacks below
// installed.
Expected<SslCtxPtr, std::string> CreateContext(X509* certificate, EVP_PKEY* key);

// Lets `ssl` find `record`, which must outlive it.
void AttachRecord(SSL* ssl, HandshakeRecord& record);

// RFC 8842 §5.1: the certificate must match a signalled fingerprint. nullopt when it does.
std::optional<HandshakeRecord::Refusal> VerifyFingerprint(const std::vector<Fingerprint>& signalled,
                                                          std::span<const uint8_t> der);

}  // namespace jsp::dtls
