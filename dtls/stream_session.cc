#include "dtls/stream_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/event_queue.h"
#include "base/overloaded.h"
#include "dtls/openssl_error.h"
#include "dtls/openssl_ptr.h"
#include "dtls/stream_context_native.h"
#include "dtls/stream_verification.h"
namespace jsp::dtls {
namespace {

constexpr size_t kMaxPlaintext = size_t{1} << 14;  // of a record, RFC 8446 §5.1
// RFC 8446 §5.2: what a record has beside its plaintext; 256 octets bound what any version and suite adds.
constexpr size_t kMaxRecordOverhead = 5 + 256;
static_assert(kMaxPlaintext + kMaxRecordOverhead <= StreamSession::kBuffer);

// RFC 8446 §5.1: the content types of a first record.
constexpr uint8_t kAlert = 21;
constexpr uint8_t kHandshake = 22;
constexpr const char* kNotTls = "what the other side sends is not TLS; is this the port for TLS?";

// RFC 5246 §7.2 and RFC 8446 §6.2, in words that say what to do.
std::string DescribeAlert(int description, Role role) {
  const std::string who = role == Role::kClient ? "the server" : "the client";
  switch (description) {
    case SSL3_AD_HANDSHAKE_FAILURE:
      return who + " finds no cipher suite, group or signature algorithm in common";
    case SSL3_AD_BAD_CERTIFICATE:
    case SSL3_AD_CERTIFICATE_UNKNOWN:
    case SSL3_AD_UNSUPPORTED_CERTIFICATE:
      return who + " does not accept the certificate";
    case SSL3_AD_CERTIFICATE_EXPIRED:
      return who + " says that the certificate has expired";
    case TLS1_AD_UNKNOWN_CA:
      return who + " does not know the CA of the certificate";
    case TLS1_AD_PROTOCOL_VERSION:
      return who + " speaks neither TLS 1.2 nor TLS 1.3";
    case TLS1_AD_UNRECOGNIZED_NAME:
      return who + " has no certificate for that name";
    case TLS1_AD_NO_APPLICATION_PROTOCOL:
      return who + " speaks TLS but neither TURN nor STUN behind it";
    default:
      return who + " ended the connection: " + SSL_alert_desc_string_long(description);
  }
}

std::string DescribeError(const OpenSslError& error) {
  if (!error.is_ssl) return error.text;
  switch (error.reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
      return kNotTls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
      return "the other side speaks neither TLS 1.2 nor TLS 1.3";
    case SSL_R_NO_SHARED_CIPHER:
      return "no cipher suite in common with the other side";
    default:
      return error.text;
  }
}

std::string_view NameOf(StreamProtocol protocol) {
  return protocol == StreamProtocol::kTurn ? "stun.turn" : "stun.nat-discovery";  // RFC 7443 §2
}

}  // namespace

const char* ToString(StreamFailure failure) {
  switch (failure) {
    case StreamFailure::kUntrusted:
      return "untrusted certificate";
    case StreamFailure::kExpired:
      return "certificate out of date";
    case StreamFailure::kWrongName:
      return "certificate of somebody else";
    case StreamFailure::kHandshakeTimeout:
      return "handshake timeout";
    case StreamFailure::kPeerAlert:
      return "alert from the peer";
    case StreamFailure::kProtocolError:
      return "protocol error";
    case StreamFailure::kTruncated:
      return "truncated";
  }
  return "unknown";
}

struct StreamSession::Impl {
  struct Handshaking {
    Timestamp deadline;
  };
  struct Open {};
  // close_notify is to be written, but there was no room for it yet.
  struct Closing {};
  struct Ended {};
  using State = std::variant<Handshaking, Open, Closing, Ended>;

  Impl(const StreamOptions& options, Timestamp now);
  void Tick(Timestamp now) { time = std::max(time, now); }
  bool is_handshaking() const { return std::holds_alternative<Handshaking>(state); }
  bool is_open() const { return std::holds_alternative<Open>(state); }
  bool takes_nothing() const { return !is_handshaking() && !is_open(); }
  void SetUp(const StreamOptions& options);
  size_t Receive(std::span<const uint8_t> octets);
  void Advance();
  void SayGoodbye();
  void HandleError(int result);
  void Fail(StreamFailure failure, std::string detail);
  std::optional<size_t> ReadPlaintext(std::span<uint8_t> out);

  template <class F>
  int Call(F&& function) {
    ERR_clear_error();
    return function(ssl.get());
  }

  std::shared_ptr<const StreamContext> context;
  StreamVerification verification;
  SslPtr ssl;     // has the near end of the BIO pair
  BioPtr stream;  // its far end
  State state;
  EventQueue<Event> events;
  Timestamp time;
  bool has_input = false;
  bool has_stream_ended = false;
};

StreamSession::Impl::Impl(const StreamOptions& options, Timestamp now)
    : context(options.context),
      verification{.host = options.host},
      ssl(SSL_new(context->native().context.get())),
      state(Handshaking{now + options.handshake_timeout}),
      time(now) {
  BIO* near_end = nullptr;
  BIO* far_end = nullptr;
  JSP_CHECK(ssl != nullptr && BIO_new_bio_pair(&near_end, kBuffer, &far_end, kBuffer) == 1);  // out of memory
  SSL_set_bio(ssl.get(), near_end, near_end);
  stream.reset(far_end);
  SetUp(options);
}

void StreamSession::Impl::SetUp(const StreamOptions& options) {
  if (context->native().role == Role::kServer) return SSL_set_accept_state(ssl.get());
  SSL_set_connect_state(ssl.get());
  if (!ExpectPeer(ssl.get(), verification, options.unix_time)) {
    return Fail(StreamFailure::kWrongName, "a certificate cannot be for \"" + verification.host + "\"");
  }
  const std::string_view name = NameOf(options.protocol);
  std::vector<unsigned char> offer{static_cast<unsigned char>(name.size())};  // RFC 7301 §3.1
  offer.insert(offer.end(), name.begin(), name.end());
  JSP_CHECK(SSL_set_alpn_protos(ssl.get(), offer.data(), static_cast<unsigned int>(offer.size())) == 0);
  Advance();
}

size_t StreamSession::Impl::Receive(std::span<const uint8_t> octets) {
  if (takes_nothing() || octets.empty()) return octets.size();
  // OpenSSL takes the begin of a STUN message for a record of TLS, and waits for the rest of it.
  if (!std::exchange(has_input, true) && octets[0] != kHandshake && octets[0] != kAlert) {
    Fail(StreamFailure::kProtocolError, kNotTls);
    return octets.size();
  }
  size_t taken = 0;
  while (taken < octets.size() && !takes_nothing()) {
    const size_t room = BIO_ctrl_get_write_guarantee(stream.get());
    const size_t size = std::min(room, octets.size() - taken);
    if (size == 0) return taken;
    const int written = BIO_write(stream.get(), octets.data() + taken, static_cast<int>(size));
    JSP_CHECK(written == static_cast<int>(size));
    taken += size;
    if (is_handshaking()) Advance();
  }
  return takes_nothing() ? octets.size() : taken;
}

void StreamSession::Impl::Advance() {
  const int result = Call([](SSL* s) { return SSL_do_handshake(s); });
  if (result != 1) return HandleError(result);
  state = Open{};
  const unsigned char* application = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl.get(), &application, &size);
  events.Push(Connected{SSL_get_version(ssl.get()), SSL_get_cipher_name(ssl.get()),
                        std::string(reinterpret_cast<const char*>(application), size)});
}

// RFC 5246 §7.2.1: "each party is required to send a close_notify alert before closing the write side".
void StreamSession::Impl::SayGoodbye() {
  const int result = Call([](SSL* s) { return SSL_shutdown(s); });
  const bool is_waiting = result < 0 && SSL_get_error(ssl.get(), result) == SSL_ERROR_WANT_WRITE;
  if (is_waiting) {
    state = Closing{};
  } else {
    state = Ended{};
  }
}

void StreamSession::Impl::HandleError(int result) {
  const int error = SSL_get_error(ssl.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    const bool is_short = error == SSL_ERROR_WANT_READ && has_stream_ended;
    if (!is_short) return;
    return Fail(StreamFailure::kTruncated, is_handshaking()
                                               ? "the other side closed the connection during the TLS handshake"
                                               : "the other side closed the connection without saying so in TLS");
  }
  if (error == SSL_ERROR_ZERO_RETURN) {
    events.Push(Closed{});
    return SayGoodbye();
  }
  if (verification.refusal) return Fail(verification.refusal->failure, std::move(verification.refusal->detail));
  const auto description = TakeOpenSslError();
  if (description.peer_alert) {
    return Fail(StreamFailure::kPeerAlert, DescribeAlert(*description.peer_alert, context->native().role));
  }
  Fail(StreamFailure::kProtocolError, DescribeError(description));
}

void StreamSession::Impl::Fail(StreamFailure failure, std::string detail) {
  events.Push(Failed{failure, std::move(detail)});
  state = Ended{};
}

std::optional<size_t> StreamSession::Impl::ReadPlaintext(std::span<uint8_t> out) {
  if (!is_open() || out.empty()) return std::nullopt;
  const size_t size = std::min(out.size(), kMaxPlaintext);
  const int result = Call([&](SSL* s) { return SSL_read(s, out.data(), static_cast<int>(size)); });
  if (result > 0) return static_cast<size_t>(result);
  HandleError(result);
  return std::nullopt;
}

StreamSession::StreamSession(const StreamOptions& options, Timestamp now)
    : impl_(std::make_unique<Impl>(options, now)) {}
StreamSession::~StreamSession() = default;
StreamSession::StreamSession(StreamSession&&) noexcept = default;
StreamSession& StreamSession::operator=(StreamSession&&) noexcept = default;

size_t StreamSession::HandleReceived(Timestamp now, std::span<const uint8_t> octets) {
  impl_->Tick(now);
  HandleTimeout(now);
  return impl_->Receive(octets);
}

void StreamSession::HandleEnd(Timestamp now) {
  impl_->Tick(now);
  impl_->has_stream_ended = true;
  if (impl_->is_handshaking()) impl_->Advance();
}

void StreamSession::HandleTimeout(Timestamp now) {
  impl_->Tick(now);
  if (impl_->time < NextTimeout()) return;
  impl_->Fail(StreamFailure::kHandshakeTimeout, "the other side does not complete the TLS handshake");
}

Expected<size_t, StreamSendError> StreamSession::Send(Timestamp now, std::span<const uint8_t> plaintext) {
  impl_->Tick(now);
  if (impl_->is_handshaking()) return Unexpected(StreamSendError::kNotConnected);
  if (!impl_->is_open()) return Unexpected(StreamSendError::kClosed);
  const size_t size = std::min(plaintext.size(), kMaxPlaintext);
  BIO* near_end = SSL_get_wbio(impl_->ssl.get());
  if (size == 0 || BIO_ctrl_get_write_guarantee(near_end) < size + kMaxRecordOverhead) return size_t{0};
  const int result = impl_->Call([&](SSL* s) { return SSL_write(s, plaintext.data(), static_cast<int>(size)); });
  if (result > 0) return static_cast<size_t>(result);
  impl_->HandleError(result);
  if (!impl_->is_open()) return Unexpected(StreamSendError::kClosed);
  return size_t{0};
}

void StreamSession::Close(Timestamp now) {
  impl_->Tick(now);
  if (impl_->is_open()) return impl_->SayGoodbye();
  if (impl_->is_handshaking()) impl_->state = Impl::Ended{};
}

std::optional<StreamSession::Transmit> StreamSession::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  impl_->Tick(now);
  const auto read = [&] {
    const size_t size = std::min(out.size(), kBuffer);
    return out.empty() ? 0 : BIO_read(impl_->stream.get(), out.data(), static_cast<int>(size));
  };
  int size = read();
  if (size <= 0 && impl_->is_handshaking() && SSL_want_write(impl_->ssl.get())) {
    impl_->Advance();
    size = read();
  }
  if (size <= 0 && std::holds_alternative<Impl::Closing>(impl_->state)) {
    impl_->SayGoodbye();
    size = read();
  }
  if (size <= 0) return std::nullopt;
  return Transmit{static_cast<size_t>(size)};
}

std::optional<size_t> StreamSession::PollPlaintext(Timestamp now, std::span<uint8_t> out) {
  impl_->Tick(now);
  return impl_->ReadPlaintext(out);
}

std::optional<StreamSession::Event> StreamSession::PollEvent() { return impl_->events.Pop(); }

Timestamp StreamSession::NextTimeout() const {
  const auto* handshaking = std::get_if<Impl::Handshaking>(&impl_->state);
  return handshaking == nullptr ? Timestamp::Never() : handshaking->deadline;
}

bool StreamSession::is_connected() const { return impl_->is_open(); }
bool StreamSession::is_ended() const { return std::holds_alternative<Impl::Ended>(impl_->state); }

}  // namespace jsp::dtls
