#pragma once
#include <openssl/err.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "dtls/clock_shim.h"
#include "dtls/context.h"
#include "dtls/datagram_bio.h"
#include "dtls/openssl_ptr.h"
#include "dtls/record_layer.h"
#include "dtls/session.h"
namespace jsp::dtls {

// The inside of a Session, which is its only user. session_handshake.cc has the way to Connected and the timers,
// session_records.cc the records that are ours, session.cc those that are OpenSSL's, and the end.
struct Session::Impl {
  // Something unauthenticated that ends the handshake unless the handshake goes on.
  struct Suspicion {
    Timestamp until;
    FailureReason reason;
    std::string detail;
    std::vector<uint8_t> alert;  // what to tell the peer then
  };

  struct Idle {};
  struct Handshaking {
    Timestamp deadline;
    int retransmissions = 0;  // of the present flight
    std::optional<Suspicion> suspicion;
  };
  // The handshake is complete, but the fingerprint that the peer must have is not known.
  struct Unverified {
    Timestamp deadline;
  };
  struct Connected {};
  struct Ended {};
  using State = std::variant<Idle, Handshaking, Unverified, Connected, Ended>;

  // Application data and alerts with the layer of ours.
  struct Records {
    DatagramQueue received{kInboundLimits};  // one record each, still protected
    DatagramQueue early{kInboundLimits};     // plaintexts of records that came before the handshake was complete
    std::optional<RecordLayer> layer;        // from the end of the handshake on, unless OpenSSL goes on
    bool may_seal = false;                   // the peer has our Finished
    // Once the peer sent an authentic record it has finished, and what of its handshake is late comes before this.
    Timestamp handshake_until = Timestamp::Never();
    std::vector<uint8_t> peer_certificate;  // DER, from then on
  };

  Impl(const Options& given, Timestamp now);

  void Tick(Timestamp now) { time = std::max(time, now); }
  bool is_ended() const { return std::holds_alternative<Ended>(state); }
  bool is_connected() const { return std::holds_alternative<Connected>(state); }
  // OpenSSL's part was over, and its objects were given back: they hold several times what the rest does.
  bool has_shed_handshake() const { return ssl == nullptr && !is_ended(); }
  void Drop(DropReason reason) { ++metrics.dropped[static_cast<size_t>(reason)]; }

  void CreateSsl();
  void SetDatagramLimit(size_t limit);
  void Start();
  void Receive(std::span<const uint8_t> datagram);
  void Advance();
  void NoteProgress();
  void Suspect(FailureReason reason, std::string detail, std::vector<uint8_t> alert);
  void SuspectObjection();
  bool SurvivesBadClientHello();
  void FailHandshake();
  void CompleteHandshake();
  void VerifyPeer(Timestamp deadline);
  void PullPlaintext();
  void EndAfterError(int result);
  std::optional<size_t> ReadPlaintext(std::span<uint8_t> out);
  void UpdateTimer();
  void Retransmit();
  void HandleTimeout();
  Timestamp NextTimeout() const;
  void StartOwnRecords();
  void OpenEarlyRecords();
  void ReceiveRecords(std::span<const uint8_t> datagram);
  void GiveToOpenSsl(std::span<const uint8_t> bytes);
  void HandleAlertsInFront();
  void HandleAlert(std::span<const uint8_t> alert);
  std::optional<size_t> OpenFront(std::span<uint8_t> out);
  std::optional<size_t> TakeEarly(std::span<uint8_t> out);
  std::optional<size_t> ReadRecord(std::span<uint8_t> out);
  Expected<size_t, SealError> SealRecord(std::span<const uint8_t> plaintext, std::span<uint8_t> out);
  void SendAlert(uint8_t level, uint8_t description);
  std::optional<size_t> OpenDatagram(std::span<const uint8_t> datagram, std::span<uint8_t> out);
  std::optional<size_t> OpenRecord(const Record& opened, std::span<uint8_t> out);
  void HandleLateHandshake(const Record& late);
  void ShedHandshake();
  Expected<size_t, SealError> Seal(std::span<const uint8_t> plaintext, std::span<uint8_t> out);
  void NotifyAndFail(FailureReason reason, std::string detail);
  void SendCloseNotify();
  void Fail(FailureReason reason, std::string detail);
  void End();

  // Every call into the TLS library goes through here: its clock follows ours, and its error queue is empty before.
  template <class F>
  auto Call(F&& function) {
    const ScopedOpenSslClock clock(time);
    ERR_clear_error();
    return function(ssl.get());
  }

  Options options;
  HandshakeRecord record;
  Metrics metrics;
  Records records;
  RecordFilter filter;
  DatagramQueue outbound{kOutboundLimits};
  std::unique_ptr<DatagramBio> bio;  // as long as `ssl` is there, and until the end of a session that failed
  SslPtr ssl;
  State state = Idle{};
  EventQueue<Event> events;
  Timestamp time;
  Timestamp retransmit_at = Timestamp::Never();
  bool is_plaintext_ready = false;  // OpenSSL holds a decrypted record
  std::vector<uint8_t> scratch;     // for callers of PollPlaintext with little room
};

// DER; empty when it sent none.
std::vector<uint8_t> PeerCertificate(const SSL* ssl);
// RFC 5246 §7.2: the name of an alert's description.
std::string AlertName(int description);

}  // namespace jsp::dtls
