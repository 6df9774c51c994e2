#include "dtls/stream_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <limits>
#include <utility>

#include "base/check.h"
#include "dtls/openssl_error.h"
#include "dtls/stream_context_native.h"
#include "dtls/stream_verification.h"
namespace jsp::dtls {
namespace {

// RFC 8489 §6.2.3 requires ECDHE_RSA_WITH_AES_128_GCM_SHA256 below TLS 1.3. The other suite that it names, of DHE, is
// declined by RFC 9325 §4.1: "TLS 1.2 implementations SHOULD NOT negotiate cipher suites based on ephemeral
// finite-field Diffie-Hellman key agreement". No RC4, no DES, nothing without forward secrecy.
constexpr const char* kCipherSuites =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kGroups = "X25519:P-256:P-384";  // RFC 8422 §5.1.1
constexpr int kSecurityLevel = 2;                      // OpenSSL's: 112 bits, RFC 9325 §4.1
// RFC 5246 §7.4.2: what a Certificate message may have. Chains on the Web have 3 to 8 KB.
constexpr long kMaxCertificateMessage = 64 * 1024;
// RFC 8446 §4.6.1: one ticket is enough for a client that connects once.
constexpr size_t kTickets = 1;

// RFC 7301 §3.1: a list of names, each behind its length.
constexpr unsigned char kProtocols[] = "\x09stun.turn\x12stun.nat-discovery";

Unexpected<std::string> Refuse(const char* what) {
  return Unexpected<std::string>(std::string(what) + ": " + TakeOpenSslError().text);
}

// Never asks a terminal: an encrypted key is refused.
int NoPassword(char*, int, int, void*) { return -1; }

BioPtr ReadOnlyBio(std::string_view text) {
  if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max())) return nullptr;
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Gives each certificate of the PEM text to `take`. Returns what is wrong with the text.
template <class Take>
std::optional<std::string> ReadCertificates(std::string_view pem, Take&& take) {
  const BioPtr bio = ReadOnlyBio(pem);
  if (!bio) return "the PEM text is too long";
  for (int count = 0;; ++count) {
    const X509Ptr certificate(PEM_read_bio_X509_AUX(bio.get(), nullptr, &NoPassword, nullptr));
    if (!certificate) {
      const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
      const std::string error = TakeOpenSslError().text;
      if (count == 0 && is_end) return "there is no certificate in the PEM text";
      if (!is_end) return "certificate " + std::to_string(count + 1) + " of the PEM text cannot be read: " + error;
      return std::nullopt;
    }
    if (!take(certificate.get())) return TakeOpenSslError().text;
  }
}

bool Configure(SSL_CTX* context) {
  SSL_CTX_set_security_level(context, kSecurityLevel);
  // RFC 8489 §6.2.3: "Implementations MUST disable TLS-level compression." RFC 9325 §3.5: renegotiation has no use
  // here.
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // nothing that a peer could grow; tickets do without
  SSL_CTX_set_max_cert_list(context, kMaxCertificateMessage);
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(context, kCipherSuites) == 1 && SSL_CTX_set1_groups_list(context, kGroups) == 1;
}

// RFC 7301 §3.2: of what the client offers, the first that we know; "no_application_protocol" when there is none.
void SelectProtocols(SSL_CTX* context) {
  const auto select = [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                         unsigned int offered_size, void*) {
    unsigned char* selected = nullptr;
    const int result =
        SSL_select_next_proto(&selected, size, offered, offered_size, kProtocols, sizeof(kProtocols) - 1);
    *out = selected;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
  };
  SSL_CTX_set_alpn_select_cb(context, select, nullptr);
}

std::optional<std::string> SetTrust(SSL_CTX* context, const StreamTrust& trust) {
  if (trust.ca_pem.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) == 1) return std::nullopt;
    return "the system's CA certificates cannot be found: " + TakeOpenSslError().text;
  }
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  // What the user names is believed, also where it is not a root itself.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  return ReadCertificates(trust.ca_pem,
                          [&](X509* certificate) { return X509_STORE_add_cert(store, certificate) == 1; });
}

std::optional<std::string> SetCertificate(SSL_CTX* context, std::string_view chain_pem, std::string_view key_pem) {
  bool is_first = true;
  auto error = ReadCertificates(chain_pem, [&](X509* certificate) {
    if (!std::exchange(is_first, false)) return SSL_CTX_add1_chain_cert(context, certificate) == 1;
    return SSL_CTX_use_certificate(context, certificate) == 1;
  });
  if (error) return "the server's certificate: " + *error;
  const BioPtr key_bio = ReadOnlyBio(key_pem);
  const PkeyPtr key(key_bio ? PEM_read_bio_PrivateKey(key_bio.get(), nullptr, &NoPassword, nullptr) : nullptr);
  if (!key) return "there is no private key without a password in the PEM text: " + TakeOpenSslError().text;
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return "the private key is not the certificate's: " + TakeOpenSslError().text;
  }
  return std::nullopt;
}

}  // namespace

StreamContext::StreamContext(std::unique_ptr<Native> native) : native_(std::move(native)) {}
StreamContext::~StreamContext() = default;

StreamContext::Result StreamContext::ForClient(const StreamTrust& trust) {
  ERR_clear_error();
  auto native = std::make_unique<Native>(Native{Role::kClient, SslCtxPtr(SSL_CTX_new(TLS_client_method()))});
  SSL_CTX* context = native->context.get();
  if (context == nullptr || !Configure(context)) return Refuse("the TLS library cannot be set up");
  // RFC 8489 §6.2.3: "the client MUST verify the certificate and inspect the site identified by the certificate".
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, &VerifyStreamCertificate);
  if (auto error = SetTrust(context, trust)) return Unexpected<std::string>("trusted CA certificates: " + *error);
  return std::shared_ptr<const StreamContext>(new StreamContext(std::move(native)));
}

StreamContext::Result StreamContext::ForServer(std::string_view chain_pem, std::string_view key_pem) {
  ERR_clear_error();
  auto native = std::make_unique<Native>(Native{Role::kServer, SslCtxPtr(SSL_CTX_new(TLS_server_method()))});
  SSL_CTX* context = native->context.get();
  if (context == nullptr || !Configure(context)) return Refuse("the TLS library cannot be set up");
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_num_tickets(context, kTickets);
  SelectProtocols(context);
  if (auto error = SetCertificate(context, chain_pem, key_pem)) return Unexpected<std::string>(std::move(*error));
  return std::shared_ptr<const StreamContext>(new StreamContext(std::move(native)));
}

}  // namespace jsp::dtls
