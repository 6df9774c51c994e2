#include "dtls/stream_test_support.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "dtls/openssl_ptr.h"
namespace jsp::dtls::testing {
namespace {

struct Signer {
  PkeyPtr key;
  X509Ptr certificate;
};

std::string ToString(const BioPtr& bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<size_t>(size));
}

std::string ToPem(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  JSP_CHECK(PEM_write_bio_X509(bio.get(), certificate) == 1);
  return ToString(bio);
}

std::string ToPem(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  JSP_CHECK(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return ToString(bio);
}

void AddExtension(X509* certificate, int kind, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
  JSP_CHECK(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

std::string Joined(const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : ",") + name;
  return joined;
}

// A fresh key and an unsigned certificate for it.
Signer Prepare(const std::string& common_name, const IssueOptions& options) {
  static int64_t serial = 1;
  Signer made{PkeyPtr(EVP_EC_gen("P-256")), X509Ptr(X509_new())};
  X509* certificate = made.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), serial++);
  ASN1_TIME_set(X509_getm_notBefore(certificate), options.not_before_unix);
  ASN1_TIME_set(X509_getm_notAfter(certificate), options.not_after_unix);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.data()),
                             static_cast<int>(common_name.size()), -1, 0);
  X509_set_pubkey(certificate, made.key.get());
  if (!options.names.empty()) AddExtension(certificate, NID_subject_alt_name, Joined(options.names));
  for (int i = 0; i < options.filler_extensions; ++i) {
    AddExtension(certificate, NID_netscape_comment, std::string(1024, 'x'));
  }
  return made;
}

void Sign(Signer& made, X509* issuer, EVP_PKEY* key) {
  X509_set_issuer_name(made.certificate.get(), X509_get_subject_name(issuer));
  JSP_CHECK(X509_sign(made.certificate.get(), key, EVP_sha256()) != 0);
}

Signer MakeAuthority(const std::string& name) {
  Signer made = Prepare(name, {});
  AddExtension(made.certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  return made;
}

}  // namespace

struct TestAuthority::Keys {
  Signer root;
  std::string pem;
};

TestAuthority::TestAuthority(const std::string& name) : keys_(std::make_unique<Keys>()) {
  keys_->root = MakeAuthority(name);
  Sign(keys_->root, keys_->root.certificate.get(), keys_->root.key.get());
  keys_->pem = ToPem(keys_->root.certificate.get());
}

TestAuthority::~TestAuthority() = default;

const std::string& TestAuthority::pem() const { return keys_->pem; }

Issued TestAuthority::Issue(const IssueOptions& options) const {
  Signer made = Prepare("leaf", options);
  Sign(made, keys_->root.certificate.get(), keys_->root.key.get());
  return {ToPem(made.certificate.get()), ToPem(made.key.get())};
}

Issued TestAuthority::IssueIndirectly(const IssueOptions& options) const {
  Signer middle = MakeAuthority("Test Intermediate CA");
  Sign(middle, keys_->root.certificate.get(), keys_->root.key.get());
  Signer made = Prepare("leaf", options);
  Sign(made, middle.certificate.get(), middle.key.get());
  return {ToPem(made.certificate.get()) + ToPem(middle.certificate.get()), ToPem(made.key.get())};
}

}  // namespace jsp::dtls::testing
