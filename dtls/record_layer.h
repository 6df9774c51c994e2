#pragma once
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/expected.h"
#include "dtls/openssl_ptr.h"
#include "dtls/record.h"
#include "dtls/replay_window.h"
#include "dtls/session.h"
namespace jsp::dtls {

// Protects and opens the records of epoch 1 (RFC 6347 §4.1) with the keys of a handshake that OpenSSL completed, and
// with less work a record than SSL_write and SSL_read do. Suites: AES-GCM (RFC 5288) and ChaCha20-Poly1305 (RFC 7905).
// Owns a cipher context for each direction and the replay window; knows no time, no alerts and no queues. Session owns
// it. No allocation a record.
class RecordLayer {
 public:
  // OpenSSL has used the first numbers of this epoch for Finished, and uses more when it repeats it; a nonce that
  // repeats would give away the key of GCM (RFC 5288 §3). It repeats a flight 12 times at most.
  static constexpr uint64_t kFirstSequenceNumber = uint64_t{1} << 16;
  // RFC 6347 §4.1: "implementations MUST NOT allow the sequence number to wrap".
  static constexpr uint64_t kEndOfSequenceNumbers = uint64_t{1} << 48;

  // After the handshake. nullopt: another version, or a suite that is none of the six we negotiate.
  static std::optional<RecordLayer> Create(const SSL* ssl, Role role);

  // Octets that a record is longer than its content: header, explicit nonce, tag.
  size_t overhead() const { return kRecordHeaderSize + explicit_nonce_size_ + kTagSize; }

  enum class SealError : uint8_t { kNoRoom, kExhausted, kCipher };
  // Writes one record into `out` and returns its size. `content` may stand in `out` where the record will have it,
  // content_offset() octets in, so that it is encrypted in place; no other overlap.
  Expected<size_t, SealError> Seal(ContentType type, std::span<const uint8_t> content, std::span<uint8_t> out);
  size_t content_offset() const { return kRecordHeaderSize + explicit_nonce_size_; }
  uint64_t next_sequence_number() const { return next_sequence_number_; }
  // For tests of what comes before the end of the numbers.
  void SkipTo(uint64_t sequence_number) { next_sequence_number_ = sequence_number; }

  enum class OpenError : uint8_t {
    kBadRecord,  // of another epoch or version, or too short for its protection
    kReplayed,   // seen before, or too old to know (RFC 6347 §4.1.2.6)
    kForged,     // does not authenticate: to be dropped silently (RFC 6347 §4.1.2.7)
    kNoRoom,
  };
  // Writes the content into `out`, which may begin where the record's ciphertext stands, and returns its size. What is
  // not authentic moves no window.
  Expected<size_t, OpenError> Open(const Record& record, std::span<uint8_t> out);
  // Gives the cipher contexts back, 4 KB, until the next record of their direction.
  void Trim();

 private:
  static constexpr size_t kTagSize = 16;
  static constexpr size_t kNonceSize = 12;
  static constexpr size_t kMaxKeySize = 32;
  using Nonce = std::array<uint8_t, kNonceSize>;
  using ContextPtr = std::unique_ptr<EVP_CIPHER_CTX, OpenSslDeleter<EVP_CIPHER_CTX_free>>;
  // Wiped when it goes.
  struct Key {
    Key() = default;
    Key(const Key&) = default;
    Key& operator=(const Key&) = default;
    ~Key() { OPENSSL_cleanse(octets.data(), octets.size()); }
    std::array<uint8_t, kMaxKeySize> octets{};
  };
  struct Direction {
    const EVP_CIPHER* cipher;
    bool encrypts;
    Key key{};
    Nonce iv{};  // of GCM the first four octets
    ContextPtr context{};
  };

  RecordLayer(Direction seal, Direction open, size_t explicit_nonce_size)
      : seal_(std::move(seal)), open_(std::move(open)), explicit_nonce_size_(explicit_nonce_size) {}
  static EVP_CIPHER_CTX* ContextOf(Direction& direction);
  Nonce NonceOf(const Direction& direction, std::span<const uint8_t, 8> explicit_nonce) const;

  Direction seal_;
  Direction open_;
  size_t explicit_nonce_size_;  // 8 with GCM, none with ChaCha20-Poly1305
  uint64_t next_sequence_number_ = kFirstSequenceNumber;
  ReplayWindow received_;
};

}  // namespace jsp::dtls
