#include "dtls/session.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "dtls/openssl_error.h"
#include "dtls/record.h"
#include "dtls/session_impl.h"
namespace jsp::dtls {
namespace {

// A datagram with one full record of application data; more would be several records glued together.
constexpr size_t kMaxReceivedDatagram = kRecordHeaderSize + kMaxCiphertext;

}  // namespace

const char* ToString(FailureReason reason) {
  switch (reason) {
    case FailureReason::kFingerprintMismatch:
      return "fingerprint mismatch";
    case FailureReason::kNoPeerCertificate:
      return "no peer certificate";
    case FailureReason::kHandshakeTimeout:
      return "handshake timeout";
    case FailureReason::kPeerAlert:
      return "alert from the peer";
    case FailureReason::kProtocolError:
      return "protocol error";
    case FailureReason::kUnacceptableCertificate:
      return "unacceptable certificate";
  }
  return "unknown";
}

void Session::Impl::Receive(std::span<const uint8_t> datagram) {
  ++metrics.datagrams_received;
  if (time >= NextTimeout()) HandleTimeout();
  if (is_ended()) return Drop(DropReason::kAfterClose);
  if (!IsDtls(datagram)) return Drop(DropReason::kNotDtls);
  if (datagram.size() > kMaxReceivedDatagram) return Drop(DropReason::kTooLarge);
  if (records.layer) return ReceiveRecords(datagram);
  const bool is_idle = std::holds_alternative<Idle>(state);
  // Data waits for PollPlaintext: one copy here costs less than to enter OpenSSL twice.
  const bool is_data = filter.has_finished() && datagram[0] == static_cast<uint8_t>(ContentType::kApplicationData);
  if (is_idle || is_data || is_plaintext_ready || bio->has_inbound()) {
    if (!bio->Enqueue(datagram)) Drop(is_idle ? DropReason::kBeforeStart : DropReason::kQueueFull);
    return;
  }
  bio->Present(datagram);
  if (std::holds_alternative<Handshaking>(state)) {
    Advance();
  } else {
    PullPlaintext();
  }
  bio->KeepUnread();
}

// Lets OpenSSL read until it holds a decrypted record of application data. What else it reads, it acts upon: alerts,
// and a repeated Finished, which it answers with our last flight (RFC 6347 §4.2.4).
void Session::Impl::PullPlaintext() {
  while (!is_plaintext_ready) {
    uint8_t octet = 0;
    const int result = Call([&](SSL* s) { return SSL_peek(s, &octet, 1); });
    if (result > 0) {
      is_plaintext_ready = true;
    } else if (SSL_get_error(ssl.get(), result) == SSL_ERROR_WANT_READ) {
      UpdateTimer();
      return;
    } else {
      EndAfterError(result);
      if (is_ended() || !bio->has_inbound()) return;
    }
  }
}

// RFC 5246 §7.2.1: a close_notify is answered with one. RFC 5246 §7.2.2: a fatal alert ends the connection at once.
void Session::Impl::EndAfterError(int result) {
  const int error = SSL_get_error(ssl.get(), result);
  if (error == SSL_ERROR_ZERO_RETURN) {
    SendCloseNotify();
    events.Push(event::Closed{});
    return End();
  }
  // RFC 5246 §6.2.1: "Zero-length fragments of Application data MAY be sent". OpenSSL reports them as no error at all.
  if (error == SSL_ERROR_SYSCALL && ERR_peek_error() == 0) return;
  const auto description = TakeOpenSslError();
  if (description.peer_alert) return Fail(FailureReason::kPeerAlert, AlertName(*description.peer_alert));
  Fail(FailureReason::kProtocolError, description.text);
}

std::optional<size_t> Session::Impl::ReadPlaintext(std::span<uint8_t> out) {
  if (records.layer) return ReadRecord(out);
  while (is_connected() && (is_plaintext_ready || bio->has_inbound())) {
    std::span<uint8_t> target = out;
    // Read in part, a record would look like two.
    if (out.size() < std::min(bio->longest_record(), kMaxPlaintext)) {
      scratch.resize(kMaxPlaintext);
      target = scratch;
    }
    const int result = Call([&](SSL* s) { return SSL_read(s, target.data(), static_cast<int>(target.size())); });
    if (result <= 0) {
      is_plaintext_ready = false;
      if (SSL_get_error(ssl.get(), result) != SSL_ERROR_WANT_READ) EndAfterError(result);
      continue;
    }
    is_plaintext_ready = SSL_pending(ssl.get()) > 0 || SSL_has_pending(ssl.get()) == 1;
    ++metrics.records_opened;
    const auto size = static_cast<size_t>(result);
    if (size > out.size()) {
      Drop(DropReason::kTooLarge);
      continue;
    }
    if (target.data() != out.data()) std::memcpy(out.data(), target.data(), size);
    return size;
  }
  return std::nullopt;
}

Expected<size_t, SealError> Session::Impl::Seal(std::span<const uint8_t> plaintext, std::span<uint8_t> out) {
  if (is_ended()) return Unexpected(SealError::kClosed);
  if (!is_connected()) return Unexpected(SealError::kNotConnected);
  if (plaintext.empty()) return Unexpected(SealError::kEmpty);
  if (plaintext.size() > kMaxPlaintext || out.size() < plaintext.size() + kMaxRecordOverhead) {
    return Unexpected(SealError::kTooLarge);
  }
  if (metrics.records_sealed >= options.max_records) {
    NotifyAndFail(FailureReason::kProtocolError, "the record sequence numbers are used up");
    return Unexpected(SealError::kClosed);
  }
  if (records.may_seal) return SealRecord(plaintext, out);
  bio->LendOutput(out);
  const int result = Call([&](SSL* s) { return SSL_write(s, plaintext.data(), static_cast<int>(plaintext.size())); });
  const size_t size = bio->TakeOutput();
  if (result <= 0 || size == 0) {
    Fail(FailureReason::kProtocolError, TakeOpenSslError().text);
    return Unexpected(SealError::kClosed);
  }
  ++metrics.records_sealed;
  ++metrics.datagrams_sent;
  return size;
}

void Session::Impl::SendCloseNotify() {
  if (records.may_seal) return SendAlert(kWarning, kCloseNotify);
  Call([](SSL* s) { return SSL_shutdown(s); });
}

// After a complete handshake there is no call for another alert than close_notify.
void Session::Impl::NotifyAndFail(FailureReason reason, std::string detail) {
  SendCloseNotify();
  Fail(reason, std::move(detail));
}

void Session::Impl::Fail(FailureReason reason, std::string detail) {
  events.Push(event::Failed{reason, std::move(detail)});
  End();
}

// What OpenSSL wrote before, such as an alert, can still be polled.
void Session::Impl::End() {
  state = Ended{};
  retransmit_at = Timestamp::Never();
  is_plaintext_ready = false;
  if (bio) bio->DropInbound();
  records.received.Release();
  records.early.Release();
  records.layer.reset();
  records.may_seal = false;
  ssl.reset();
}

Session::Session(const Options& options, Timestamp now) : impl_(std::make_unique<Impl>(options, now)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::Start(Timestamp now) {
  impl_->Tick(now);
  impl_->Start();
}

void Session::SetRemoteFingerprints(Timestamp now, std::vector<Fingerprint> fingerprints) {
  impl_->Tick(now);
  if (impl_->is_ended()) return;
  impl_->record.remote_fingerprints = std::move(fingerprints);
  if (const auto* unverified = std::get_if<Impl::Unverified>(&impl_->state)) {
    impl_->VerifyPeer(unverified->deadline);
  } else if (impl_->is_connected()) {
    impl_->VerifyPeer(Timestamp::Never());
  }
}

void Session::Close(Timestamp now) {
  impl_->Tick(now);
  if (impl_->is_ended()) return;
  if (!impl_->ssl || SSL_is_init_finished(impl_->ssl.get())) impl_->SendCloseNotify();
  impl_->End();
}

void Session::HandleDatagram(Timestamp now, std::span<const uint8_t> datagram) {
  impl_->Tick(now);
  impl_->Receive(datagram);
}

void Session::HandleTimeout(Timestamp now) {
  impl_->Tick(now);
  impl_->HandleTimeout();
}

std::optional<Session::Transmit> Session::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  impl_->Tick(now);
  auto& outbound = impl_->outbound;
  while (!outbound.empty()) {
    const auto datagram = outbound.front();
    const size_t size = datagram.size();
    const bool fits = size <= out.size();
    if (fits) std::memcpy(out.data(), datagram.data(), size);
    outbound.Pop();
    if (fits) {
      ++impl_->metrics.datagrams_sent;
      return Transmit{size};
    }
    impl_->Drop(DropReason::kTooLarge);
  }
  if (!std::holds_alternative<Impl::Handshaking>(impl_->state)) outbound.Release();
  return std::nullopt;
}

std::optional<Session::Event> Session::PollEvent() { return impl_->events.Pop(); }

Timestamp Session::NextTimeout() const { return impl_->NextTimeout(); }

Expected<size_t, SealError> Session::Seal(Timestamp now, std::span<const uint8_t> plaintext, std::span<uint8_t> out) {
  impl_->Tick(now);
  return impl_->Seal(plaintext, out);
}

std::optional<size_t> Session::PollPlaintext(Timestamp now, std::span<uint8_t> out) {
  impl_->Tick(now);
  return impl_->ReadPlaintext(out);
}

std::optional<size_t> Session::Open(Timestamp now, std::span<const uint8_t> datagram, std::span<uint8_t> out) {
  impl_->Tick(now);
  return impl_->OpenDatagram(datagram, out);
}

void Session::Trim() {
  if (impl_->records.layer) impl_->records.layer->Trim();
  impl_->events.Trim();
  if (impl_->records.received.empty()) impl_->records.received.Release();
  if (impl_->outbound.empty()) impl_->outbound.Release();
}

bool Session::holds_handshake() const { return impl_->ssl != nullptr; }
bool Session::is_connected() const { return impl_->is_connected(); }
const Metrics& Session::metrics() const { return impl_->metrics; }
std::string Session::TakeKeyLog() { return std::exchange(impl_->record.keylog, {}); }

}  // namespace jsp::dtls
