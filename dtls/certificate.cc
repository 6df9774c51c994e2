#include "dtls/certificate.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <limits>
#include <utility>

#include "dtls/certificate_native.h"
#include "dtls/context.h"
#include "dtls/datagram_bio.h"
#include "dtls/openssl_error.h"
namespace jsp::dtls {
namespace {

using CertificateResult = Expected<std::shared_ptr<const Certificate>, std::string>;
using BignumPtr = std::unique_ptr<BIGNUM, OpenSslDeleter<BN_free>>;

constexpr int64_t kYear9999 = 253402300799;  // 9999-12-31 23:59:59 UTC, the last time that X.509 can say
constexpr int kSerialBits = 127;             // positive, and at most the 20 octets that X.509 allows

bool SetSerialNumber(X509* certificate) {
  const BignumPtr serial(BN_new());
  return serial && BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool SetName(X509* certificate, const std::string& common_name) {
  X509_NAME* name = X509_get_subject_name(certificate);
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.data()),
                                    static_cast<int>(common_name.size()), -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1;
}

bool SetValidity(X509* certificate, const CertificateOptions& options) {
  const bool is_unset = options.not_before_unix == 0 && options.not_after_unix == 0;
  const int64_t not_after = is_unset ? kYear9999 : options.not_after_unix;
  return ASN1_TIME_set(X509_getm_notBefore(certificate), options.not_before_unix) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), not_after) != nullptr;
}

// Never asks a terminal: an encrypted key is refused.
int NoPassword(char*, int, int, void*) { return -1; }

BioPtr ReadOnlyBio(std::string_view text) {
  if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max())) return nullptr;
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Unexpected<std::string> Refuse(const char* what) {
  return Unexpected<std::string>(std::string(what) + ": " + TakeOpenSslError().text);
}

// Fills in all that follows from the key and the certificate.
std::optional<std::string> Complete(Certificate::Native& native) {
  native.der = EncodeDer(native.certificate.get());
  if (native.der.empty()) return "the certificate cannot be encoded: " + TakeOpenSslError().text;
  native.fingerprint = ComputeFingerprint(HashFunction::kSha256, native.der);
  native.bio_method = DatagramBio::CreateMethod();
  auto context = CreateContext(native.certificate.get(), native.key.get());
  if (!context) return context.error();
  native.context = std::move(*context);
  return std::nullopt;
}

}  // namespace

std::vector<uint8_t> EncodeDer(X509* certificate) {
  const int size = i2d_X509(certificate, nullptr);
  if (size <= 0) return {};
  std::vector<uint8_t> der(static_cast<size_t>(size));
  uint8_t* end = der.data();
  if (i2d_X509(certificate, &end) != size) return {};
  return der;
}

Certificate::Certificate(std::unique_ptr<Native> native) : native_(std::move(native)) {}
Certificate::~Certificate() = default;

std::span<const uint8_t> Certificate::der() const { return native_->der; }
const Fingerprint& Certificate::fingerprint() const { return native_->fingerprint; }

// RFC 8827 §6.5: all implementations support ECDHE_ECDSA with the P-256 curve.
CertificateResult Certificate::Generate(const CertificateOptions& options) {
  ERR_clear_error();
  auto native = std::make_unique<Native>();
  native->key.reset(EVP_EC_gen("P-256"));
  native->certificate.reset(X509_new());
  X509* certificate = native->certificate.get();
  if (!native->key || certificate == nullptr) return Refuse("no key");
  const bool is_set = X509_set_version(certificate, X509_VERSION_3) == 1 && SetSerialNumber(certificate) &&
                      SetValidity(certificate, options) && SetName(certificate, options.common_name) &&
                      X509_set_pubkey(certificate, native->key.get()) == 1;
  if (!is_set) return Refuse("the certificate's fields are not acceptable");
  if (X509_sign(certificate, native->key.get(), EVP_sha256()) == 0) return Refuse("signing failed");
  if (auto error = Complete(*native)) return Unexpected<std::string>(std::move(*error));
  return std::shared_ptr<const Certificate>(new Certificate(std::move(native)));
}

CertificateResult Certificate::FromPem(std::string_view certificate, std::string_view private_key) {
  ERR_clear_error();
  const BioPtr certificate_bio = ReadOnlyBio(certificate);
  const BioPtr key_bio = ReadOnlyBio(private_key);
  if (!certificate_bio || !key_bio) return Refuse("no memory for the PEM text");
  auto native = std::make_unique<Native>();
  native->certificate.reset(PEM_read_bio_X509(certificate_bio.get(), nullptr, &NoPassword, nullptr));
  if (!native->certificate) return Refuse("no certificate in the PEM text");
  native->key.reset(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, &NoPassword, nullptr));
  if (!native->key) return Refuse("no private key in the PEM text");
  if (X509_check_private_key(native->certificate.get(), native->key.get()) != 1) {
    return Refuse("the private key is not the certificate's");
  }
  if (auto error = Complete(*native)) return Unexpected<std::string>(std::move(*error));
  return std::shared_ptr<const Certificate>(new Certificate(std::move(native)));
}

}  // namespace jsp::dtls
