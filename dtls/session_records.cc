// The records of a Session that dtls::RecordLayer protects: application data and alerts. Handshake records, such as a
// repeated Finished, remain OpenSSL's.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "dtls/record.h"
#include "dtls/session_impl.h"
namespace jsp::dtls {
namespace {

constexpr size_t kAlertSize = 2;  // RFC 5246 §7.2
// How long after the peer's first authentic record OpenSSL still answers handshake records. A peer that seals has
// finished and repeats no flight that needs an answer (RFC 6347 §4.2.4): only what the network delivers late comes in
// it. In a storm of set-ups, each second of it is thousands of sessions with 80 KB.
constexpr Duration kHandshakeGrace = std::chrono::milliseconds(250);

}  // namespace

// The handshake is complete.
void Session::Impl::StartOwnRecords() {
  if (!options.own_record_layer) return;
  records.layer = RecordLayer::Create(ssl.get(), options.role);
  if (!records.layer) {
    bio->DivertData(nullptr);
    for (; !records.received.empty(); records.received.Pop()) {
      if (!bio->Enqueue(records.received.front())) Drop(DropReason::kQueueFull);
    }
    records.received.Release();
    return;
  }
  OpenEarlyRecords();
  // The server's Finished is the last message (RFC 6347 §4.2.4, figure 1): it may be lost, and OpenSSL then repeats it
  // with a number that our first record would make too old for the peer's window. So a server leaves sealing to OpenSSL
  // until the client has shown, by a record of its own, that it is done.
  records.may_seal = options.role == Role::kClient;
}

// Anybody could have filled the queue before there were keys; what is forged leaves it now.
void Session::Impl::OpenEarlyRecords() {
  if (records.received.empty()) return;
  std::vector<uint8_t> plaintext(kMaxPlaintext);
  while (!records.received.empty()) {
    const auto size = OpenFront(plaintext);
    if (size && !records.early.Push(std::span(plaintext).first(*size))) Drop(DropReason::kQueueFull);
  }
}

void Session::Impl::ReceiveRecords(std::span<const uint8_t> datagram) {
  // RFC 6347 §4.1.1: several records may share a datagram.
  while (!datagram.empty()) {
    const auto next = ParseRecord(datagram);
    if (!next) return Drop(DropReason::kBadRecord);
    datagram = datagram.subspan(next->bytes.size());
    const auto verdict = filter.Judge(*next);
    if (verdict != RecordFilter::Verdict::kAdmit) {
      Drop(verdict == RecordFilter::Verdict::kOldEpoch ? DropReason::kOldEpoch : DropReason::kBadRecord);
    } else if (next->header.type == ContentType::kHandshake) {
      if (has_shed_handshake()) {
        HandleLateHandshake(*next);
      } else {
        GiveToOpenSsl(next->bytes);
      }
      if (is_ended()) return;
    } else if (!records.received.Push(next->bytes)) {
      Drop(DropReason::kQueueFull);
    }
  }
  HandleAlertsInFront();
}

// A repeated Finished is answered with our last flight (RFC 6347 §4.2.4), a renegotiation with no_renegotiation.
void Session::Impl::GiveToOpenSsl(std::span<const uint8_t> bytes) {
  if (!bio->has_inbound()) {
    bio->Present(bytes);
  } else if (!bio->Enqueue(bytes)) {
    Drop(DropReason::kQueueFull);
  }
  PullPlaintext();
  bio->KeepUnread();
}

// Alerts behind data wait until that data was polled.
void Session::Impl::HandleAlertsInFront() {
  std::array<uint8_t, kAlertSize> alert;
  while (!is_ended() && records.early.empty() && !records.received.empty() &&
         records.received.front()[0] == static_cast<uint8_t>(ContentType::kAlert)) {
    if (const auto size = OpenFront(alert)) HandleAlert(std::span(alert).first(*size));
  }
}

void Session::Impl::HandleAlert(std::span<const uint8_t> alert) {
  if (alert.size() != kAlertSize) return Drop(DropReason::kBadRecord);
  // RFC 5246 §7.2.1: a close_notify is answered with one. RFC 5246 §7.2.2: a fatal alert ends the connection at once;
  // other warnings say nothing that changes what we do.
  if (alert[1] == kCloseNotify) {
    SendCloseNotify();
    events.Push(event::Closed{});
    return End();
  }
  if (alert[0] == kFatal) Fail(FailureReason::kPeerAlert, AlertName(alert[1]));
}

// Opens the first record and forgets it. nullopt: it was dropped.
std::optional<size_t> Session::Impl::OpenFront(std::span<uint8_t> out) {
  const auto size = OpenRecord(*ParseRecord(records.received.front()), out);
  records.received.Pop();
  return size;
}

std::optional<size_t> Session::Impl::OpenRecord(const Record& opened, std::span<uint8_t> out) {
  const auto size = records.layer->Open(opened, out);
  if (size) {
    records.may_seal = true;
    if (records.handshake_until == Timestamp::Never() && ssl) records.handshake_until = time + kHandshakeGrace;
    return *size;
  }
  switch (size.error()) {
    case RecordLayer::OpenError::kReplayed:
      Drop(DropReason::kReplayed);
      break;
    case RecordLayer::OpenError::kForged:
      Drop(DropReason::kNotAuthentic);
      break;
    case RecordLayer::OpenError::kNoRoom:
      Drop(DropReason::kTooLarge);
      break;
    case RecordLayer::OpenError::kBadRecord:
      Drop(DropReason::kBadRecord);
      break;
  }
  return std::nullopt;
}

// HandleDatagram and PollPlaintext in one. A datagram with one record of data, and nothing before it, is not copied.
std::optional<size_t> Session::Impl::OpenDatagram(std::span<const uint8_t> datagram, std::span<uint8_t> out) {
  const bool is_first = records.layer && is_connected() && records.early.empty() && records.received.empty();
  const auto only = is_first && time < NextTimeout() ? ParseRecord(datagram) : std::nullopt;
  const bool is_data = only && only->bytes.size() == datagram.size() &&
                       only->header.type == ContentType::kApplicationData &&
                       filter.Judge(*only) == RecordFilter::Verdict::kAdmit;
  if (!is_data) {
    Receive(datagram);
    return ReadPlaintext(out);
  }
  ++metrics.datagrams_received;
  const auto size = OpenRecord(*only, out);
  // RFC 5246 §6.2.1: "Zero-length fragments of Application data MAY be sent".
  if (!size || *size == 0) return std::nullopt;
  ++metrics.records_opened;
  return size;
}

// OpenSSL is gone. Repetitions of the handshake need no answer any more; one to begin another gets that of OpenSSL.
// RFC 5246 §7.4.1.1: "the client may, if it wishes, respond with a no_renegotiation alert."
void Session::Impl::HandleLateHandshake(const Record& late) {
  std::vector<uint8_t> message(late.fragment.size());
  const auto size = OpenRecord(late, message);
  if (!size || *size == 0) return;
  constexpr uint8_t kHelloRequest = 0, kClientHello = 1;  // RFC 5246 §7.4
  if (message[0] == (options.role == Role::kClient ? kHelloRequest : kClientHello)) {
    SendAlert(kWarning, kNoRenegotiation);
  }
}

// What of it is needed later stays: the certificate, which may have to match other fingerprints.
void Session::Impl::ShedHandshake() {
  records.handshake_until = Timestamp::Never();
  records.peer_certificate = PeerCertificate(ssl.get());
  retransmit_at = Timestamp::Never();
  is_plaintext_ready = false;
  if (records.received.empty()) records.received.Release();  // OpenDatagram leads past it
  std::vector<uint8_t>().swap(scratch);
  events.Trim();
  ssl.reset();
  bio.reset();
}

std::optional<size_t> Session::Impl::TakeEarly(std::span<uint8_t> out) {
  const auto plaintext = records.early.front();
  const size_t size = plaintext.size();
  const bool fits = size <= out.size();
  if (fits) std::ranges::copy(plaintext, out.begin());
  records.early.Pop();
  if (records.early.empty()) records.early.Release();
  if (fits) return size;
  Drop(DropReason::kTooLarge);
  return std::nullopt;
}

std::optional<size_t> Session::Impl::ReadRecord(std::span<uint8_t> out) {
  while (is_connected() && (!records.early.empty() || !records.received.empty())) {
    const bool is_early = !records.early.empty();
    if (!is_early && records.received.front()[0] == static_cast<uint8_t>(ContentType::kAlert)) {
      HandleAlertsInFront();
      continue;
    }
    const auto size = is_early ? TakeEarly(out) : OpenFront(out);
    // RFC 5246 §6.2.1: "Zero-length fragments of Application data MAY be sent".
    if (!size || *size == 0) continue;
    ++metrics.records_opened;
    return size;
  }
  return std::nullopt;
}

Expected<size_t, SealError> Session::Impl::SealRecord(std::span<const uint8_t> plaintext, std::span<uint8_t> out) {
  const auto size = records.layer->Seal(ContentType::kApplicationData, plaintext, out);
  if (!size) {
    const bool is_exhausted = size.error() == RecordLayer::SealError::kExhausted;
    Fail(FailureReason::kProtocolError,
         is_exhausted ? "the record sequence numbers are used up" : "the cipher does not work");
    return Unexpected(SealError::kClosed);
  }
  ++metrics.records_sealed;
  ++metrics.datagrams_sent;
  return *size;
}

void Session::Impl::SendAlert(uint8_t level, uint8_t description) {
  std::array<uint8_t, kAlertSize + kMaxRecordOverhead> out;
  const auto size = records.layer->Seal(ContentType::kAlert, std::array{level, description}, out);
  // As if the network had lost it.
  if (!size || !outbound.Push(std::span(out).first(*size))) Drop(DropReason::kQueueFull);
}

}  // namespace jsp::dtls
