#include "dtls/stream_verification.h"

#include <openssl/asn1.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <array>
#include <utility>

#include "base/check.h"
#include "base/socket_address.h"
#include "dtls/openssl_ptr.h"
namespace jsp::dtls {
namespace {

using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, OpenSslDeleter<GENERAL_NAMES_free>>;

constexpr size_t kMaxText = 200;  // of a name that the other side chose, in an error for people
constexpr int kMaxNames = 4;      // listed; the rest is counted

// What the other side chose is cut, and made printable.
std::string Printable(const unsigned char* text, int size) {
  std::string printable;
  for (int i = 0; i < size && printable.size() < kMaxText; ++i) {
    printable += text[i] >= ' ' && text[i] <= '~' ? static_cast<char>(text[i]) : '?';
  }
  return printable;
}

std::string ToText(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253) < 0) return "?";
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return Printable(reinterpret_cast<const unsigned char*>(text), static_cast<int>(size));
}

std::string ToText(const ASN1_TIME* time) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || ASN1_TIME_print(bio.get(), time) != 1) return "?";
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return Printable(reinterpret_cast<const unsigned char*>(text), static_cast<int>(size));
}

std::string ToText(const GENERAL_NAME* name) {
  if (name->type == GEN_DNS)
    return Printable(ASN1_STRING_get0_data(name->d.dNSName), ASN1_STRING_length(name->d.dNSName));
  if (name->type != GEN_IPADD) return "";
  const unsigned char* octets = ASN1_STRING_get0_data(name->d.iPAddress);
  const int size = ASN1_STRING_length(name->d.iPAddress);
  if (size == 4) return IpAddress::V4(octets[0], octets[1], octets[2], octets[3]).ToString();
  if (size == 16) return IpAddress::V6(std::span<const uint8_t, 16>(octets, 16)).ToString();
  return "";
}

// Whose certificate it is: the names in it, or its subject.
std::string NamesOf(X509* certificate) {
  const GeneralNamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string text;
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  for (int i = 0; i < count && i < kMaxNames; ++i) {
    const std::string name = ToText(sk_GENERAL_NAME_value(names.get(), i));
    if (!name.empty()) text += (text.empty() ? "" : ", ") + name;
  }
  if (text.empty()) return ToText(X509_get_subject_name(certificate));
  return count > kMaxNames ? text + " and " + std::to_string(count - kMaxNames) + " more" : text;
}

StreamSession::Failed Describe(int error, X509* certificate, const std::string& host) {
  switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return {StreamFailure::kWrongName,
              "the server's certificate is for " + NamesOf(certificate) + ", not for " + host};
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return {StreamFailure::kExpired,
              "the certificate of " + NamesOf(certificate) + " expired on " + ToText(X509_get0_notAfter(certificate))};
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return {StreamFailure::kExpired, "the certificate of " + NamesOf(certificate) + " is not valid before " +
                                           ToText(X509_get0_notBefore(certificate)) + "; is the clock right?"};
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return {StreamFailure::kUntrusted, "the certificate of " + NamesOf(certificate) + " was issued by " +
                                             ToText(X509_get_issuer_name(certificate)) +
                                             ", which is not trusted here; a private CA has to be given"};
    default:
      return {StreamFailure::kUntrusted,
              "the certificate of " + NamesOf(certificate) + ": " + X509_verify_cert_error_string(error)};
  }
}

}  // namespace

bool ExpectPeer(SSL* ssl, StreamVerification& verification, int64_t unix_time) {
  SSL_set_app_data(ssl, &verification);
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_time(parameters, static_cast<time_t>(unix_time));
  std::string host = verification.host;
  if (!host.empty() && host.back() == '.') host.pop_back();  // a name with its root is the same name
  if (host.empty()) return false;
  if (const auto ip = IpAddress::Parse(host)) {
    // RFC 6066 §3: "Literal IPv4 and IPv6 addresses are not permitted in "HostName"."
    return X509_VERIFY_PARAM_set1_ip(parameters, ip->octets().data(), ip->octets().size()) == 1;
  }
  // RFC 8489 §6.2.3: "optionally with a wildcard character as the leftmost label".
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(parameters, host.data(), host.size()) == 1 &&
         SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

int VerifyStreamCertificate(int preverified, X509_STORE_CTX* store) {
  if (preverified == 1) return 1;
  const auto* ssl = static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* verification = static_cast<StreamVerification*>(SSL_get_app_data(ssl));
  JSP_CHECK(verification != nullptr);
  X509* certificate = X509_STORE_CTX_get_current_cert(store);
  if (certificate == nullptr) certificate = X509_STORE_CTX_get0_cert(store);
  verification->refusal = Describe(X509_STORE_CTX_get_error(store), certificate, verification->host);
  return 0;
}

}  // namespace jsp::dtls
