#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/expected.h"
#include "base/sans_io.h"
#include "dtls/certificate.h"
#include "dtls/fingerprint.h"
namespace jsp::dtls {

enum class Role : uint8_t { kClient, kServer };

struct Options {
  Role role = Role::kClient;
  std::shared_ptr<const Certificate> certificate;
  // What the peer's certificate must match (RFC 8122 §5.1). May be left empty and set with SetRemoteFingerprints: the
  // handshake then goes on, but Connected waits, and no octet is delivered or sealed before (RFC 8842 §5.2).
  std::vector<Fingerprint> remote_fingerprints;
  // Octets of UDP payload a handshake datagram may have; taken into [kMinMaxDatagram, kMaxMaxDatagram]. A flight that
  // stays unanswered is sent again in smaller datagrams (RFC 6347 §4.1.1.1).
  static constexpr size_t kMinMaxDatagram = 256;
  static constexpr size_t kMaxMaxDatagram = 4000;
  size_t max_datagram = 1200;
  Duration handshake_timeout = std::chrono::seconds(30);
  // RFC 9147 §5.8.2 recommends 400 ms to real-time protocols; doubles at each retransmission, up to 3 s.
  Duration initial_retransmission_timeout = std::chrono::milliseconds(400);
  // Records that may be sealed before the session ends: the 48-bit sequence number must not wrap (RFC 6347 §4.1).
  uint64_t max_records = (uint64_t{1} << 48) - (uint64_t{1} << 17);
  // After the handshake records are protected by dtls::RecordLayer and not by SSL_write and SSL_read, which cost more,
  // and OpenSSL's objects are given back after a while; docs/dtls.md#records. With a suite or a version that it does
  // not know, OpenSSL goes on.
  bool own_record_layer = true;
  bool collect_keylog = false;  // NSS key log lines in TakeKeyLog(), for captures
};

enum class FailureReason : uint8_t {
  kFingerprintMismatch,
  kNoPeerCertificate,
  kHandshakeTimeout,
  kPeerAlert,
  kProtocolError,
  kUnacceptableCertificate,  // too large, too many, unsupported
};
const char* ToString(FailureReason reason);  // "fingerprint mismatch", …

enum class SealError : uint8_t {
  kNotConnected,
  kTooLarge,  // plaintext above 2^14 octets, or `out` without room for it and kMaxRecordOverhead
  kClosed,
  kEmpty,  // a record without content would only be padding; SCTP has no such packet
};

enum class DropReason : uint8_t {
  kNotDtls,      // first octet outside 20..63 (RFC 7983 §7)
  kTooLarge,     // a datagram above what one record and its headers can fill, or output that did not fit `out`
  kBadRecord,    // malformed or misplaced record (RFC 6347 §4.1.2.7)
  kOldEpoch,     // plaintext record after the handshake
  kBeforeStart,  // more datagrams before Start() than are kept
  kAfterClose,
  kReplayed,      // received before, or too late to know (RFC 6347 §4.1.2.6); OpenSSL does not say so
  kNotAuthentic,  // RFC 6347 §4.1.2.7; OpenSSL does not say so
  kQueueFull,     // received faster than PollPlaintext(), or sent faster than PollTransmit(), was called
  kCount
};
struct Metrics {
  uint64_t datagrams_received = 0;
  uint64_t datagrams_sent = 0;
  uint64_t records_sealed = 0;
  uint64_t records_opened = 0;
  uint64_t retransmissions = 0;
  std::array<uint64_t, static_cast<size_t>(DropReason::kCount)> dropped{};
};

namespace event {
struct Connected {
  std::string protocol;  // "DTLSv1.2"
  std::string cipher;
};
// The last event: nothing is delivered or sent after it.
struct Failed {
  FailureReason reason;
  std::string detail;
};
// The peer said close_notify; the last event.
struct Closed {};
}  // namespace event

// One DTLS association (RFC 6347, RFC 8842) over OpenSSL, with datagrams in memory. The peer's fingerprint is verified
// inside the handshake, before one octet of data is delivered. Owns the SSL object; the certificate is shared. The
// owner must have verified by ICE that datagrams come from the peer. Unlike other cores it takes randomness from
// OpenSSL, not from an Rng. The owner, after each input, drains PollTransmit, PollPlaintext and PollEvent: a
// close_notify behind data is noticed when the data was polled.
class Session {
 public:
  struct Transmit {
    size_t size;
  };
  using Event = std::variant<event::Connected, event::Failed, event::Closed>;

  Session(const Options& options, Timestamp now);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // The client sends its ClientHello; the server starts to listen. Datagrams that came before are kept (bounded).
  void Start(Timestamp now);
  void SetRemoteFingerprints(Timestamp now, std::vector<Fingerprint> fingerprints);
  // Sends close_notify; nothing is delivered afterwards.
  void Close(Timestamp now);

  void HandleDatagram(Timestamp now, std::span<const uint8_t> datagram);
  void HandleTimeout(Timestamp now);

  // Handshake flights and alerts, one datagram a call.
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent();
  [[nodiscard]] Timestamp NextTimeout() const;

  // The hot path. Encrypts `plaintext` as one record straight into `out`; returns the datagram's size. `out` must
  // have room for plaintext.size() + kMaxRecordOverhead.
  static constexpr size_t kMaxRecordOverhead = 64;
  [[nodiscard]] Expected<size_t, SealError> Seal(Timestamp now, std::span<const uint8_t> plaintext,
                                                 std::span<uint8_t> out);
  // The plaintext of the next record received, in order of arrival; nullopt when there is none. `out` should have
  // 16 KiB; a record that does not fit is dropped and counted.
  [[nodiscard]] std::optional<size_t> PollPlaintext(Timestamp now, std::span<uint8_t> out);

  // HandleDatagram, and then PollPlaintext, in one: what a driver calls for each datagram, and then PollPlaintext until
  // it has no more. A datagram with one record costs no copy.
  [[nodiscard]] std::optional<size_t> Open(Timestamp now, std::span<const uint8_t> datagram, std::span<uint8_t> out);

  // Gives back what only records need, as long as there are none: for a connection that is idle.
  void Trim();

  bool is_connected() const;
  // OpenSSL's objects are there. With the record layer of ours they go a while after the peer proved that it has
  // finished.
  bool holds_handshake() const;
  const Metrics& metrics() const;
  std::string TakeKeyLog();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
static_assert(SansIoCore<Session>);

}  // namespace jsp::dtls
