#include "dtls/openssl_error.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
namespace jsp::dtls {
namespace {

// RFC 5246 §7.2: an alert's description is one octet; OpenSSL adds it to this offset to form a reason.
constexpr int kMaxAlert = 255;

std::string Describe(unsigned long code) {
  if (const char* reason = ERR_reason_error_string(code)) return reason;
  return "error " + std::to_string(code);
}

}  // namespace

OpenSslError TakeOpenSslError() {
  OpenSslError error;
  bool first = true;
  while (const unsigned long code = ERR_get_error()) {
    if (!first) {
      error.text += "; " + Describe(code);
      continue;
    }
    first = false;
    error.text = Describe(code);
    error.reason = ERR_GET_REASON(code);
    error.is_ssl = ERR_GET_LIB(code) == ERR_LIB_SSL;
    if (error.is_ssl && error.reason >= SSL_AD_REASON_OFFSET && error.reason <= SSL_AD_REASON_OFFSET + kMaxAlert) {
      error.peer_alert = error.reason - SSL_AD_REASON_OFFSET;
    }
  }
  return error;
}

}  // namespace jsp::dtls
