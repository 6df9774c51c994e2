#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "base/expected.h"
#include "base/sans_io.h"
#include "dtls/session.h"
#include "dtls/stream_context.h"
namespace jsp::dtls {

// The application protocols of RFC 7443 §2.
enum class StreamProtocol : uint8_t { kTurn, kNatDiscovery };

struct StreamOptions {
  std::shared_ptr<const StreamContext> context{};  // which also says whether this is the client or the server
  // Client: the DNS name or IP address that the server's certificate must have (RFC 8489 §6.2.3), as the user wrote it.
  std::string host{};
  StreamProtocol protocol = StreamProtocol::kTurn;  // client: what it offers
  int64_t unix_time = 0;                            // client: the time of day at which certificates must be valid
  Duration handshake_timeout = std::chrono::seconds(10);
};

enum class StreamFailure : uint8_t {
  kUntrusted,  // the certificate leads to no root that the client trusts, or is malformed
  kExpired,    // or not valid yet
  kWrongName,  // the certificate is somebody else's
  kHandshakeTimeout,
  kPeerAlert,
  kProtocolError,
  kTruncated,  // the stream ended without close_notify: the end may be an attacker's (RFC 8446 §6.1)
};
const char* ToString(StreamFailure failure);

enum class StreamSendError : uint8_t { kNotConnected, kClosed };

// One TLS 1.2 or 1.3 session (RFC 8446, RFC 8489 §6.2.3) over OpenSSL, between a BIO pair: the stream's octets in and
// out, plaintext in and out. Owns the SSL object and two buffers of kBuffer octets, which bound what a peer can make it
// hold; the owner has the socket. Takes randomness from OpenSSL, like Session. After each input the owner takes all
// that PollPlaintext gives, which may cause output, then all of PollTransmit, then PollEvent; what the peer says last
// (close_notify, the end) is noticed when the data before it was polled.
//   std::span<const uint8_t> rest = received;
//   do {
//     rest = rest.subspan(tls.HandleReceived(now, rest));
//     while (const auto size = tls.PollPlaintext(now, buffer)) Use(std::span(buffer).first(*size));
//     while (const auto transmit = tls.PollTransmit(now, buffer)) Write(std::span(buffer).first(transmit->size));
//   } while (!rest.empty());
class StreamSession {
 public:
  static constexpr size_t kBuffer = 17 * 1024;  // one whole record (RFC 8446 §5.2) and some; OpenSSL's default too

  struct Transmit {
    size_t size;
  };
  struct Connected {
    std::string protocol;     // "TLSv1.3"
    std::string cipher;       // "TLS_AES_256_GCM_SHA384"
    std::string application;  // what ALPN agreed on (RFC 7301 §3.2), "" when the other side has no ALPN
  };
  // The last event: nothing is delivered or taken after it, but PollTransmit may still have an alert.
  struct Failed {
    StreamFailure failure;
    std::string detail;  // one line, printable, for a person who can do something about it
  };
  // The peer said close_notify, and so did we; the last event.
  struct Closed {};
  using Event = std::variant<Connected, Failed, Closed>;

  StreamSession(const StreamOptions& options, Timestamp now);
  ~StreamSession();
  StreamSession(StreamSession&&) noexcept;
  StreamSession& operator=(StreamSession&&) noexcept;

  // Octets of the stream; returns how many it took. Fewer than all means that plaintext, or output, is to be polled
  // first. After the end all are taken and forgotten.
  [[nodiscard]] size_t HandleReceived(Timestamp now, std::span<const uint8_t> octets);
  // The stream ended (TCP's FIN, or a reset).
  void HandleEnd(Timestamp now);
  void HandleTimeout(Timestamp now);
  // Takes from the front of `plaintext` at most one record; returns how many octets it took, 0 when PollTransmit is to
  // be polled first.
  [[nodiscard]] Expected<size_t, StreamSendError> Send(Timestamp now, std::span<const uint8_t> plaintext);
  // close_notify, which PollTransmit gives last. Makes no event.
  void Close(Timestamp now);

  // Octets for the stream, as many as `out` has room for.
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  // Plaintext, as much of a record as `out` has room for; never 0.
  [[nodiscard]] std::optional<size_t> PollPlaintext(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent();
  [[nodiscard]] Timestamp NextTimeout() const;

  bool is_connected() const;
  // Nothing is delivered any more; once PollTransmit is empty the stream may be closed.
  bool is_ended() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
static_assert(SansIoCore<StreamSession>);

}  // namespace jsp::dtls
