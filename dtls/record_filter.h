#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dtls/record.h"
#include "dtls/session.h"
namespace jsp::dtls {

// The largest handshake message a peer may announce. The longest legitimate one is a Certificate, and
// kMaxCertificateMessage bounds that.
inline constexpr size_t kMaxHandshakeMessage = 1 << 14;

// Decides which received records OpenSSL gets to see. OpenSSL ends the association for many a malformed or misplaced
// plaintext record, which anybody could forge; RFC 6347 §4.1.2.7 wants those discarded silently. Records that are
// protected go through, because OpenSSL itself discards those that do not authenticate (RFC 6347 §4.1.2.1).
// A value, owned by its Session.
class RecordFilter {
 public:
  enum class Verdict : uint8_t {
    kAdmit,
    kBadRecord,         // malformed, or not possible at this point
    kOldEpoch,          // RFC 6347 §4.1: earlier epoch than the current one, after the handshake
    kPlaintextAlert,    // fatal alert or close_notify that nothing authenticates
    kOversizedMessage,  // announces a handshake message above kMaxHandshakeMessage
  };

  RecordFilter() = default;  // as after BeginAsClient()

  // A client, whose handshake has begun. Both of these forget what was seen of an earlier handshake.
  void BeginAsClient() { *this = RecordFilter(Role::kClient, Phase::kHandshake); }
  // A server, which admits nothing but a ClientHello until ClientHelloAccepted().
  void BeginAsServer() { *this = RecordFilter(Role::kServer, Phase::kClientHello); }
  // The ClientHello was accepted; the rest of the handshake follows.
  void ClientHelloAccepted() { phase_ = Phase::kHandshake; }
  bool expects_client_hello() const { return phase_ == Phase::kClientHello; }
  // Both Finished messages are verified: nothing in plaintext is admitted any more.
  void HandshakeFinished() { *this = RecordFilter(role_, Phase::kFinished); }
  bool has_finished() const { return phase_ == Phase::kFinished; }

  Verdict Judge(const Record& record);

 private:
  enum class Phase : uint8_t { kClientHello, kHandshake, kFinished };
  struct Announced {
    uint16_t message_seq;
    uint32_t length;
  };

  RecordFilter(Role role, Phase phase) : role_(role), phase_(phase) {}
  Verdict JudgePlaintext(const Record& record);
  Verdict JudgeHandshake(std::span<const uint8_t> content);
  bool IsPossible(const HandshakeFragment& fragment) const;
  bool IsConsistent(const HandshakeFragment& fragment);

  Role role_ = Role::kClient;
  Phase phase_ = Phase::kHandshake;
  // Lengths that fragments announced, by message_seq modulo kAnnounced, as far as the handshake had fragments at all; a
  // handshake has fewer messages than that.
  static constexpr size_t kAnnounced = 16;
  std::vector<std::optional<Announced>> announced_{};
};

}  // namespace jsp::dtls
