#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/expected.h"
namespace jsp::dtls {

// Whom a client believes.
struct StreamTrust {
  // Certificates in PEM: a chain that ends in one of them is believed, and nothing else is. Empty: the system's roots.
  std::string ca_pem{};
};

// What TLS sessions over streams share: a client's trust, or a server's certificate. Immutable and reference counted,
// also across threads. A server gets a new certificate by giving new sessions a new context; sessions that are under
// way keep theirs.
class StreamContext {
 public:
  using Result = Expected<std::shared_ptr<const StreamContext>, std::string>;

  static Result ForClient(const StreamTrust& trust = {});
  // PEM: the server's certificate, then those that lead to a root; the key is not encrypted. The error is one line.
  static Result ForServer(std::string_view chain_pem, std::string_view key_pem);
  ~StreamContext();

  struct Native;  // OpenSSL's objects; complete in stream_context_native.h, for dtls/ only
  const Native& native() const { return *native_; }

 private:
  explicit StreamContext(std::unique_ptr<Native> native);
  std::unique_ptr<Native> native_;
};

}  // namespace jsp::dtls
