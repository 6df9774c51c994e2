#include "dtls/stream_identity.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "dtls/openssl_error.h"
#include "dtls/openssl_ptr.h"

namespace jsp::dtls {
namespace {

std::string Contents(const BioPtr& bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : std::string();
}

bool AddNames(X509* certificate, const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : ",") + name;
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, joined.c_str());
  const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

// RFC 5280 §4.1: issuer and subject are the same, the names are in the extension.
bool Fill(X509* certificate, EVP_PKEY* key, const StreamIdentityOptions& options) {
  static constexpr unsigned char kName[] = "self-signed";
  X509_NAME* name = X509_get_subject_name(certificate);
  return X509_set_version(certificate, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), 1) == 1 &&
         ASN1_TIME_set(X509_getm_notBefore(certificate), options.not_before_unix) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), options.not_after_unix) != nullptr &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, kName, -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
         AddNames(certificate, options.names) && X509_sign(certificate, key, EVP_sha256()) > 0;
}

}  // namespace

Expected<StreamIdentity, std::string> MakeStreamIdentity(const StreamIdentityOptions& options) {
  ERR_clear_error();
  const PkeyPtr key(EVP_EC_gen("P-256"));
  const X509Ptr certificate(X509_new());
  const BioPtr chain(BIO_new(BIO_s_mem()));
  const BioPtr secret(BIO_new(BIO_s_mem()));
  const bool made = key && certificate && chain && secret && Fill(certificate.get(), key.get(), options) &&
                    PEM_write_bio_X509(chain.get(), certificate.get()) == 1 &&
                    PEM_write_bio_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1;
  if (!made) return Unexpected("no certificate could be made: " + TakeOpenSslError().text);
  return StreamIdentity{Contents(chain), Contents(secret)};
}

}  // namespace jsp::dtls
