#include <openssl/ssl.h>
#include <sys/time.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "dtls/certificate_native.h"
#include "dtls/openssl_error.h"
#include "dtls/session_impl.h"
namespace jsp::dtls {
namespace {

// OpenSSL does not count the nonce and the tag of an AEAD (RFC 5288 §3: 8 + 16 octets) when it fills a datagram.
constexpr size_t kAeadExpansion = 24;
// RFC 6347 §4.1.1.1: "subsequent retransmissions SHOULD back off to a smaller record size, fragmenting the handshake
// message as appropriate. This standard does not specify an exact number of retransmits to attempt before backing off,
// but 2-3 seems appropriate." RFC 8261 §5: every host reassembles 576 octets; without the longest IPv4 and a UDP
// header.
constexpr int kRetransmissionsBeforeBackingOff = 2;
constexpr size_t kFallbackDatagram = 576 - 60 - 8;
// How long a plaintext alert or an unacceptable ClientHello, which anybody could have forged, waits for the genuine
// peer to prove it wrong (RFC 6347 §4.1.2.7). More than one retransmission of a ClientHello.
constexpr Duration kObjectionGrace = std::chrono::seconds(1);

}  // namespace

std::vector<uint8_t> PeerCertificate(const SSL* ssl) {
  X509* certificate = SSL_get0_peer_certificate(ssl);
  return certificate != nullptr ? EncodeDer(certificate) : std::vector<uint8_t>();
}

std::string AlertName(int description) { return SSL_alert_desc_string_long(description); }

Session::Impl::Impl(const Options& given, Timestamp now) : options(given), time(now) {
  options.max_datagram = std::clamp(options.max_datagram, Options::kMinMaxDatagram, Options::kMaxMaxDatagram);
  if (!options.remote_fingerprints.empty()) record.remote_fingerprints = std::move(options.remote_fingerprints);
  record.initial_timeout = std::max(options.initial_retransmission_timeout, Duration(std::chrono::milliseconds(1)));
  record.collect_keylog = options.collect_keylog;
  bio = std::make_unique<DatagramBio>(options.certificate->native().bio_method.get(),
                                      DatagramBio::Surroundings{filter, outbound, metrics});
  if (options.own_record_layer) bio->DivertData(&records.received);
  CreateSsl();
}

void Session::Impl::CreateSsl() {
  ERR_clear_error();
  ssl.reset(SSL_new(options.certificate->native().context.get()));
  JSP_CHECK(ssl != nullptr);  // out of memory
  AttachRecord(ssl.get(), record);
  bio->AttachTo(ssl.get());
  SetDatagramLimit(options.max_datagram);
  if (options.role == Role::kClient) {
    filter.BeginAsClient();
    SSL_set_connect_state(ssl.get());
  } else {
    filter.BeginAsServer();
    SSL_set_accept_state(ssl.get());
  }
}

void Session::Impl::SetDatagramLimit(size_t limit) {
  JSP_CHECK(SSL_set_mtu(ssl.get(), static_cast<long>(limit - kAeadExpansion)) != 0);
}

void Session::Impl::Start() {
  if (!std::holds_alternative<Idle>(state)) return;
  state = Handshaking{.deadline = time + options.handshake_timeout, .suspicion = std::nullopt};
  Advance();
}

// Lets OpenSSL read all that there is and go as far as it can.
void Session::Impl::Advance() {
  while (true) {
    const auto before = SSL_get_state(ssl.get());
    const int result = Call([](SSL* s) { return SSL_do_handshake(s); });
    if (result == 1) return CompleteHandshake();
    if (SSL_get_error(ssl.get(), result) == SSL_ERROR_WANT_READ) {
      if (SSL_get_state(ssl.get()) != before) NoteProgress();
      break;
    }
    if (!SurvivesBadClientHello()) return FailHandshake();
  }
  SuspectObjection();
  UpdateTimer();
}

void Session::Impl::NoteProgress() {
  auto& handshaking = std::get<Handshaking>(state);
  handshaking.retransmissions = 0;
  handshaking.suspicion.reset();
  if (filter.expects_client_hello() && !outbound.empty()) filter.ClientHelloAccepted();
}

void Session::Impl::Suspect(FailureReason reason, std::string detail, std::vector<uint8_t> alert) {
  auto& suspicion = std::get<Handshaking>(state).suspicion;
  if (suspicion) return;  // the first one's time counts, or a repetition could postpone the end
  suspicion = Suspicion{time + kObjectionGrace, reason, std::move(detail), std::move(alert)};
}

void Session::Impl::SuspectObjection() {
  const auto objection = bio->TakeObjection();
  if (!objection) return;
  if (objection->verdict == RecordFilter::Verdict::kPlaintextAlert) {
    Suspect(FailureReason::kPeerAlert, AlertName(objection->alert), {});
  } else {
    Suspect(FailureReason::kUnacceptableCertificate, "a handshake message above 16 KiB", {});
  }
}

// A server that has answered nothing yet forgets a ClientHello that it cannot accept: the genuine one may follow.
bool Session::Impl::SurvivesBadClientHello() {
  if (!filter.expects_client_hello()) return false;
  auto error = TakeOpenSslError();
  std::vector<uint8_t> alert;
  if (!outbound.empty()) alert.assign(outbound.front().begin(), outbound.front().end());
  outbound.Clear();
  Suspect(FailureReason::kProtocolError, "ClientHello: " + error.text, std::move(alert));
  CreateSsl();
  return true;
}

void Session::Impl::FailHandshake() {
  if (record.refusal) return Fail(record.refusal->reason, record.refusal->detail);
  const auto error = TakeOpenSslError();
  if (error.peer_alert) return Fail(FailureReason::kPeerAlert, AlertName(*error.peer_alert));
  if (error.is_ssl && error.reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    return Fail(FailureReason::kNoPeerCertificate, error.text);
  }
  Fail(FailureReason::kProtocolError, error.text);
}

void Session::Impl::CompleteHandshake() {
  const Timestamp deadline = std::get<Handshaking>(state).deadline;
  filter.HandshakeFinished();
  (void)bio->TakeObjection();
  StartOwnRecords();
  state = Unverified{deadline};
  UpdateTimer();
  VerifyPeer(deadline);
  if (!is_ended()) PullPlaintext();
  if (!is_ended()) HandleAlertsInFront();
}

// RFC 8842 §5.2: the handshake may finish before the answer brings the fingerprint; nothing is delivered until then.
// When the fingerprint came during the handshake, the verifier may have run without it, so it is compared here always.
void Session::Impl::VerifyPeer(Timestamp deadline) {
  const auto certificate = has_shed_handshake() ? records.peer_certificate : PeerCertificate(ssl.get());
  if (certificate.empty()) return NotifyAndFail(FailureReason::kNoPeerCertificate, "no certificate");
  if (!record.remote_fingerprints) {
    state = Unverified{deadline};
    return;
  }
  if (auto refusal = VerifyFingerprint(*record.remote_fingerprints, certificate)) {
    return NotifyAndFail(refusal->reason, std::move(refusal->detail));
  }
  if (is_connected()) return;
  state = Connected{};
  events.Push(event::Connected{SSL_get_version(ssl.get()), SSL_get_cipher_name(ssl.get())});
}

// DTLS 1.2 has no timer after the handshake; DTLS 1.3 waits for acknowledgements.
void Session::Impl::UpdateTimer() {
  retransmit_at = Timestamp::Never();
  if (!std::holds_alternative<Handshaking>(state) && SSL_version(ssl.get()) == DTLS1_2_VERSION) return;
  timeval left = {};
  const long has_timer = Call([&](SSL* s) { return DTLSv1_get_timeout(s, &left); });
  if (has_timer == 1)
    retransmit_at = time + std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
}

void Session::Impl::Retransmit() {
  auto* handshaking = std::get_if<Handshaking>(&state);
  const bool backs_off = handshaking != nullptr && handshaking->retransmissions >= kRetransmissionsBeforeBackingOff;
  SetDatagramLimit(backs_off ? std::min(options.max_datagram, kFallbackDatagram) : options.max_datagram);
  const long result = Call([](SSL* s) { return DTLSv1_handle_timeout(s); });
  if (result < 0) return Fail(FailureReason::kHandshakeTimeout, TakeOpenSslError().text);
  if (result > 0) {
    ++metrics.retransmissions;
    if (handshaking != nullptr) ++handshaking->retransmissions;
  }
  UpdateTimer();
}

void Session::Impl::HandleTimeout() {
  if (time >= records.handshake_until && is_connected()) ShedHandshake();
  if (const auto* unverified = std::get_if<Unverified>(&state); unverified != nullptr && time >= unverified->deadline) {
    return NotifyAndFail(FailureReason::kHandshakeTimeout, "the peer's fingerprint never came");
  }
  if (auto* handshaking = std::get_if<Handshaking>(&state)) {
    if (handshaking->suspicion && time >= handshaking->suspicion->until) {
      Suspicion suspicion = std::move(*handshaking->suspicion);
      if (!suspicion.alert.empty()) (void)outbound.Push(suspicion.alert);
      return Fail(suspicion.reason, std::move(suspicion.detail));
    }
    if (time >= handshaking->deadline) return Fail(FailureReason::kHandshakeTimeout, "the handshake took too long");
  }
  if (time >= retransmit_at) Retransmit();
}

Timestamp Session::Impl::NextTimeout() const {
  if (const auto* unverified = std::get_if<Unverified>(&state)) return std::min(unverified->deadline, retransmit_at);
  const auto* handshaking = std::get_if<Handshaking>(&state);
  if (handshaking == nullptr) return is_ended() ? retransmit_at : std::min(retransmit_at, records.handshake_until);
  const Timestamp next = std::min(handshaking->deadline, retransmit_at);
  return handshaking->suspicion ? std::min(next, handshaking->suspicion->until) : next;
}

}  // namespace jsp::dtls
