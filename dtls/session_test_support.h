#pragma once
#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "dtls/certificate.h"
#include "dtls/openssl_ptr.h"
#include "dtls/session.h"
namespace jsp::dtls::testing {

using Bytes = std::vector<uint8_t>;

// Generated once per process.
std::shared_ptr<const Certificate> CertificateA();
std::shared_ptr<const Certificate> CertificateZ();

// Options of a (the client) and of z (the server), who know each other's fingerprints. Records are those of
// RecordLayer.
Options OptionsA();
Options OptionsZ();

// Two sessions in virtual time, with a network between them that the test may replace.
class SessionPair {
 public:
  struct Sent {
    int index;  // 1 for the first datagram of that sender
    Role from;
    Timestamp at;
    Bytes bytes;
  };
  struct Arrival {
    Duration delay;
    Bytes bytes;
  };
  using Network = std::function<std::vector<Arrival>(const Sent&)>;

  explicit SessionPair(const Options& a = OptionsA(), const Options& z = OptionsZ());

  static std::vector<Arrival> Deliver(const Sent& sent) { return {{std::chrono::milliseconds(10), sent.bytes}}; }
  void set_network(Network network) { network_ = std::move(network); }

  void Start();
  // Runs until `done` or until nothing is left to happen before `limit` from now; returns whether `done` holds.
  bool RunUntil(const std::function<bool()>& done, Duration limit = std::chrono::seconds(60));
  bool Connect(Duration limit = std::chrono::seconds(60));
  // Start() and Connect(), and fails the test when that fails.
  void MustConnect();
  void RunFor(Duration duration);

  Session& a() { return a_; }
  Session& z() { return z_; }
  Timestamp now() const { return now_; }
  const std::vector<Session::Event>& events_a() const { return events_a_; }
  const std::vector<Session::Event>& events_z() const { return events_z_; }
  const std::vector<Sent>& sent() const { return sent_; }
  Bytes SealA(std::span<const uint8_t> plaintext);
  Bytes SealZ(std::span<const uint8_t> plaintext);
  std::optional<Bytes> ReadA();
  std::optional<Bytes> ReadZ();

 private:
  void DrainBoth();
  void DrainOne(Session& session, Role role, std::vector<Session::Event>& events);

  Timestamp now_ = Timestamp::FromEpoch(std::chrono::seconds(1000));
  Session a_;
  Session z_;
  Network network_ = &Deliver;
  std::vector<Session::Event> events_a_;
  std::vector<Session::Event> events_z_;
  std::vector<Sent> sent_;
  std::map<Role, int> counts_;
  std::multimap<Timestamp, std::pair<Role, Bytes>> in_flight_;  // by arrival; the role is the receiver's
};

// The last Failed event's reason.
std::optional<FailureReason> FailureOf(const std::vector<Session::Event>& events);
std::string DetailOf(const std::vector<Session::Event>& events);
bool HasConnected(const std::vector<Session::Event>& events);
bool HasClosed(const std::vector<Session::Event>& events);

// A peer that is plain OpenSSL, misconfigured as a test wants it. Each of its records travels as a datagram.
class RawPeer {
 public:
  explicit RawPeer(Role role, const std::function<void(SSL_CTX*)>& configure = {});
  static void UseCertificate(SSL_CTX* context, EVP_PKEY* key, X509* certificate);

  // Handshakes and reads as far as it can; what came out as application data is appended to data().
  void Step(Timestamp now);
  std::vector<Bytes> TakeRecords();
  void Give(std::span<const uint8_t> datagram);
  bool is_connected() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  // The description of the last alert that was received, -1 when there was none.
  int alert() const { return alert_; }
  SSL* ssl() { return ssl_.get(); }
  const Bytes& data() const { return data_; }

 private:
  static void NoteAlert(const SSL* ssl, int where, int value);

  SslCtxPtr context_;
  SslPtr ssl_;
  Bytes data_;
  int alert_ = -1;
};

// Exchanges datagrams without loss until neither has any left; `now` grows by the time that timers need, at most
// `limit`.
void Exchange(Session& session, RawPeer& peer, Timestamp& now, Duration limit = std::chrono::seconds(5));

struct KeyAndCertificate {
  PkeyPtr key;
  X509Ptr certificate;
  std::string KeyPem() const;
  std::string CertificatePem() const;
};
// Always the same one.
PkeyPtr Rsa4096Key();
// Self-signed, expired long ago; `extensions` is a number of meaningless ones.
KeyAndCertificate MakeCertificate(PkeyPtr key, int extensions = 0);

// A plaintext record (RFC 6347 §4.1) and a handshake fragment (RFC 6347 §4.2.2), for forgers.
Bytes MakeRecord(uint8_t type, uint16_t epoch, uint64_t sequence, std::span<const uint8_t> content);
struct FragmentFields {
  uint8_t type = 1;
  uint32_t length = 0;
  uint16_t message_seq = 0;
  uint32_t offset = 0;
  uint32_t fragment_length = 0;
};
Bytes MakeFragment(const FragmentFields& fields, std::span<const uint8_t> body);

}  // namespace jsp::dtls::testing
