#pragma once
#include <optional>
#include <string>
namespace jsp::dtls {

// What OpenSSL put into its thread's error queue: the first entry, which is the cause, and all of them as text.
struct OpenSslError {
  int reason = 0;                         // SSL_R_…, valid when `is_ssl`
  bool is_ssl = false;                    // the first entry came from the TLS library
  std::optional<int> peer_alert;          // RFC 5246 §7.2: the alert's description, when the peer sent a fatal one
  std::string text = "no OpenSSL error";  // reasons, first to last, separated by "; "
};

// Empties the thread's queue. Every call into OpenSSL that may fail is preceded by ERR_clear_error(), because an entry
// left behind by somebody else would be taken for ours.
OpenSslError TakeOpenSslError();

}  // namespace jsp::dtls
