#include "dtls/context.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "dtls/certificate_native.h"
#include "dtls/openssl_error.h"
namespace jsp::dtls {
namespace {

using Refusal = HandshakeRecord::Refusal;

// RFC 8261 §5 declined: it asks for DTLS 1.0 as well, which RFC 8996 has deprecated since.
#ifdef DTLS1_3_VERSION
constexpr int kMaxVersion = DTLS1_3_VERSION;
#else
constexpr int kMaxVersion = DTLS1_2_VERSION;
#endif

// RFC 8827 §6.5: forward secrecy and AEAD only; ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 is the one everybody has.
constexpr const char* kCipherSuites =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
// RFC 8422 §5.1.1. X25519 first: the cheapest.
constexpr const char* kGroups = "X25519:P-256:P-384";
// RFC 5246 §7.4.1.4.1, without SHA-1.
constexpr const char* kSignatureAlgorithms =
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:"
    "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512";
constexpr int kSecurityLevel = 2;  // OpenSSL's: 112 bits

// RFC 6347 §4.2.4.1 declined: its maximum of 60 s leaves five sendings of a flight in the 30 s that a handshake has,
// and 30 % loss then fails one handshake in forty. ICE has checked the path and bounds what is sent; see docs/dtls.md.
constexpr Duration kMaxRetransmissionTimeout = std::chrono::seconds(3);

HandshakeRecord& RecordOf(const SSL* ssl) {
  auto* record = static_cast<HandshakeRecord*>(SSL_get_app_data(ssl));
  JSP_CHECK(record != nullptr);
  return *record;
}

std::optional<Refusal> Refuse(std::string detail) {
  return Refusal{FailureReason::kUnacceptableCertificate, std::move(detail)};
}

std::optional<Refusal> CheckKey(EVP_PKEY* key) {
  if (key == nullptr) return Refuse("the certificate's key cannot be read");
  const int bits = EVP_PKEY_get_bits(key);
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:  // RFC 8422 §5.1.1: the curves that remain have at most 521 bits
    case EVP_PKEY_ED25519:
      return std::nullopt;
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
      if (bits >= kMinRsaBits && bits <= kMaxRsaBits) return std::nullopt;
      return Refuse("an RSA key of " + std::to_string(bits) + " bits");
    default:
      return Refuse("a certificate for an unsupported kind of key");
  }
}

// RFC 8122 §6.1: a self-signed certificate with any name and validity is fine; the fingerprint says whose it is. What
// remains to be checked is that it costs little.
std::optional<Refusal> CheckLimits(X509* certificate, size_t chain_length, size_t der_size) {
  if (chain_length > kMaxCertificateChain) return Refuse(std::to_string(chain_length) + " certificates in the chain");
  if (der_size == 0 || der_size > kMaxCertificateSize) {
    return Refuse("a certificate of " + std::to_string(der_size) + " octets");
  }
  const int extensions = X509_get_ext_count(certificate);
  if (extensions > kMaxCertificateExtensions) return Refuse(std::to_string(extensions) + " certificate extensions");
  return CheckKey(X509_get0_pubkey(certificate));
}

std::optional<Refusal> Verify(X509_STORE_CTX* store, const HandshakeRecord& record) {
  X509* certificate = X509_STORE_CTX_get0_cert(store);
  if (certificate == nullptr) return Refusal{FailureReason::kNoPeerCertificate, "no certificate"};
  const int chain_length = std::max(sk_X509_num(X509_STORE_CTX_get0_untrusted(store)), 0);
  const int der_size = i2d_X509(certificate, nullptr);
  if (auto refusal =
          CheckLimits(certificate, static_cast<size_t>(chain_length), static_cast<size_t>(std::max(der_size, 0)))) {
    return refusal;
  }
  if (!record.remote_fingerprints) return std::nullopt;
  return VerifyFingerprint(*record.remote_fingerprints, EncodeDer(certificate));
}

int VerifyCertificate(X509_STORE_CTX* store, void*) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  HandshakeRecord& record = RecordOf(ssl);
  record.refusal = Verify(store, record);
  // RFC 8122 §6.2: the alert is bad_certificate, which OpenSSL makes of this error.
  X509_STORE_CTX_set_error(store, record.refusal ? X509_V_ERR_CERT_REJECTED : X509_V_OK);
  return record.refusal ? 0 : 1;
}

void CollectKeyLog(const SSL* ssl, const char* line) {
  HandshakeRecord& record = RecordOf(ssl);
  if (!record.collect_keylog) return;
  record.keylog += line;
  record.keylog += '\n';
}

// RFC 6347 §4.2.4.1
unsigned int NextTimeout(SSL* ssl, unsigned int previous_us) {
  const Duration next = previous_us == 0 ? RecordOf(ssl).initial_timeout : 2 * Duration(previous_us);
  return static_cast<unsigned int>(std::min(next, kMaxRetransmissionTimeout).count());
}

bool Configure(SSL_CTX* context) {
  SSL_CTX_set_security_level(context, kSecurityLevel);
  // RFC 8261 §5: no compression. RFC 8827 §6.5: no renegotiation. RFC 7627 §5.2: the extended master secret is
  // OpenSSL's default. No tickets and no cache: every association has its own full handshake.
  SSL_CTX_set_options(context,
                      SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(context, static_cast<long>(kMaxCertificateMessage));
  SSL_CTX_set_keylog_callback(context, &CollectKeyLog);
  // RFC 8122 §6.2: the server requests the client's certificate, and goes on with none but the right one.
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &VerifyCertificate, nullptr);
  return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, kMaxVersion) == 1 &&
         SSL_CTX_set_cipher_list(context, kCipherSuites) == 1 && SSL_CTX_set1_groups_list(context, kGroups) == 1 &&
         SSL_CTX_set1_sigalgs_list(context, kSignatureAlgorithms) == 1;
}

}  // namespace

Expected<SslCtxPtr, std::string> CreateContext(X509* certificate, EVP_PKEY* key) {
  ERR_clear_error();
  SslCtxPtr context(SSL_CTX_new(DTLS_method()));
  const bool is_ready = context && Configure(context.get()) &&
                        SSL_CTX_use_certificate(context.get(), certificate) == 1 &&
                        SSL_CTX_use_PrivateKey(context.get(), key) == 1;
  if (!is_ready) return Unexpected<std::string>("the TLS library refuses the certificate: " + TakeOpenSslError().text);
  return context;
}

void AttachRecord(SSL* ssl, HandshakeRecord& record) {
  SSL_set_app_data(ssl, &record);
  DTLS_set_timer_cb(ssl, &NextTimeout);
}

std::optional<Refusal> VerifyFingerprint(const std::vector<Fingerprint>& signalled, std::span<const uint8_t> der) {
  if (MatchesFingerprints(signalled, der)) return std::nullopt;
  return Refusal{FailureReason::kFingerprintMismatch,
                 "the peer's certificate is " + ComputeFingerprint(HashFunction::kSha256, der).ToString()};
}

}  // namespace jsp::dtls
