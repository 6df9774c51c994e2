#include "dtls/certificate.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>

#include "dtls/certificate_native.h"
#include "dtls/context.h"
#include "dtls/session_test_support.h"
namespace jsp::dtls {
namespace {

std::string SerialNumber(const Certificate& certificate) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate.native().certificate.get());
  return {reinterpret_cast<const char*>(serial->data), static_cast<size_t>(serial->length)};
}

TEST(CertificateTest, GeneratesASelfSignedP256Certificate) {  // RFC 8827 §6.5
  const auto certificate = Certificate::Generate({.common_name = "somebody"});
  ASSERT_TRUE(certificate) << certificate.error();
  X509* x509 = (*certificate)->native().certificate.get();
  EXPECT_EQ(X509_verify(x509, X509_get0_pubkey(x509)), 1);
  EXPECT_EQ(X509_get_version(x509), X509_VERSION_3);
  EXPECT_EQ(EVP_PKEY_get_bits(X509_get0_pubkey(x509)), 256);
  char name[32] = {};
  EXPECT_EQ(X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName, name, sizeof(name)), 8);
  EXPECT_STREQ(name, "somebody");
  EXPECT_EQ((*certificate)->fingerprint(), ComputeFingerprint(HashFunction::kSha256, (*certificate)->der()));
}

TEST(CertificateTest, IsValidFrom1970To9999UnlessToldOtherwise) {
  const auto forever = *Certificate::Generate();
  EXPECT_EQ(X509_cmp_time(X509_get0_notBefore(forever->native().certificate.get()), nullptr), -1);
  EXPECT_EQ(X509_cmp_time(X509_get0_notAfter(forever->native().certificate.get()), nullptr), 1);
  const auto expired = *Certificate::Generate({.not_before_unix = 1000, .not_after_unix = 2000});
  ASN1_TIME* at_2000 = ASN1_TIME_set(nullptr, 2000);
  EXPECT_EQ(ASN1_TIME_compare(X509_get0_notAfter(expired->native().certificate.get()), at_2000), 0);
  ASN1_TIME_free(at_2000);
}

TEST(CertificateTest, EveryCertificateHasItsOwnKeyAndSerialNumber) {  // RFC 8827 §6.5
  const auto first = *Certificate::Generate();
  const auto second = *Certificate::Generate();
  EXPECT_NE(first->fingerprint(), second->fingerprint());
  EXPECT_NE(SerialNumber(*first), SerialNumber(*second));
  EXPECT_EQ(EVP_PKEY_eq(first->native().key.get(), second->native().key.get()), 0);
  EXPECT_GE(SerialNumber(*first).size(), 15u);
}

TEST(CertificateTest, RefusesANameThatX509CannotHave) {
  EXPECT_FALSE(Certificate::Generate({.common_name = std::string(65, 'x')}));
  EXPECT_FALSE(Certificate::Generate({.common_name = std::string("\xff\xfe", 2)}));
  EXPECT_TRUE(Certificate::Generate({.common_name = std::string(64, 'x')}));
}

TEST(CertificateTest, ImportsPem) {
  const auto made = testing::MakeCertificate(testing::Rsa4096Key());
  const auto imported = Certificate::FromPem(made.CertificatePem(), made.KeyPem());
  ASSERT_TRUE(imported) << imported.error();
  EXPECT_TRUE(std::ranges::equal((*imported)->der(), EncodeDer(made.certificate.get())));
}

TEST(CertificateTest, RefusesPemThatIsNotAPair) {
  const auto made = testing::MakeCertificate(PkeyPtr(EVP_EC_gen("P-256")));
  const auto other = testing::MakeCertificate(PkeyPtr(EVP_EC_gen("P-256")));
  EXPECT_FALSE(Certificate::FromPem(made.CertificatePem(), other.KeyPem()));
  EXPECT_FALSE(Certificate::FromPem(made.CertificatePem(), ""));
  EXPECT_FALSE(Certificate::FromPem("", made.KeyPem()));
  EXPECT_FALSE(Certificate::FromPem(made.KeyPem(), made.CertificatePem()));
  std::string damaged = made.CertificatePem();
  damaged[60] = '!';
  EXPECT_FALSE(Certificate::FromPem(damaged, made.KeyPem()));
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST(CertificateTest, RefusesAnEncryptedKeyInsteadOfAskingForAPassword) {
  const auto made = testing::MakeCertificate(PkeyPtr(EVP_EC_gen("P-256")));
  const BioPtr bio(BIO_new(BIO_s_mem()));
  unsigned char password[] = "secret";
  ASSERT_EQ(PEM_write_bio_PrivateKey(bio.get(), made.key.get(), EVP_aes_128_cbc(), password, 6, nullptr, nullptr), 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  const auto imported = Certificate::FromPem(made.CertificatePem(), {data, static_cast<size_t>(size)});
  EXPECT_FALSE(imported);
}

TEST(CertificateTest, RefusesAKeyThatTheTlsLibraryFindsTooWeak) {
  const auto made = testing::MakeCertificate(PkeyPtr(EVP_RSA_gen(1024)));
  const auto imported = Certificate::FromPem(made.CertificatePem(), made.KeyPem());
  ASSERT_FALSE(imported);
  EXPECT_NE(imported.error().find("too small"), std::string::npos) << imported.error();
}

TEST(ContextTest, OffersOnlyForwardSecrecyWithAead) {  // RFC 8827 §6.5
  const auto certificate = *Certificate::Generate();
  SSL_CTX* context = certificate->native().context.get();
  EXPECT_EQ(SSL_CTX_get_min_proto_version(context), DTLS1_2_VERSION);
  const SslPtr ssl(SSL_new(context));
  STACK_OF(SSL_CIPHER)* suites = SSL_get1_supported_ciphers(ssl.get());
  ASSERT_NE(suites, nullptr);
  EXPECT_EQ(sk_SSL_CIPHER_num(suites), 6);
  for (int i = 0; i < sk_SSL_CIPHER_num(suites); ++i) {
    const SSL_CIPHER* suite = sk_SSL_CIPHER_value(suites, i);
    EXPECT_EQ(SSL_CIPHER_is_aead(suite), 1) << SSL_CIPHER_get_name(suite);
    EXPECT_EQ(SSL_CIPHER_get_kx_nid(suite), NID_kx_ecdhe) << SSL_CIPHER_get_name(suite);
  }
  sk_SSL_CIPHER_free(suites);
}

TEST(ContextTest, SaysWhichCertificateDidNotMatch) {
  const auto certificate = *Certificate::Generate();
  const auto other = *Certificate::Generate();
  EXPECT_EQ(VerifyFingerprint({certificate->fingerprint()}, certificate->der()), std::nullopt);
  const auto refusal = VerifyFingerprint({other->fingerprint()}, certificate->der());
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reason, FailureReason::kFingerprintMismatch);
  EXPECT_NE(refusal->detail.find(certificate->fingerprint().ToString()), std::string::npos);
}

}  // namespace
}  // namespace jsp::dtls
