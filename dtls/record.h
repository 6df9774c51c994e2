#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <tuple>

#include "base/wire_layout.h"
namespace jsp::dtls {

// RFC 5246 §6.2.1
enum class ContentType : uint8_t { kChangeCipherSpec = 20, kAlert = 21, kHandshake = 22, kApplicationData = 23 };

// RFC 6347 §4.1, DTLSPlaintext and DTLSCiphertext:
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+-------------------------------+---------------+
//   |     type      |            version            |     epoch     |
//   +---------------+---------------+---------------+---------------+
//   |    (epoch)    |            sequence number (48 bits)          |
//   +---------------+-------------------------------+---------------+
//   |                               |            length             |
//   +-------------------------------+-------------------------------+
struct RecordHeader {
  ContentType type{};  // may hold a value that has no name
  uint16_t version = 0;
  uint16_t epoch = 0;
  uint16_t sequence_high = 0;
  uint32_t sequence_low = 0;
  uint16_t length = 0;

  // Per epoch, starting at 0 (RFC 6347 §4.1).
  uint64_t sequence_number() const { return uint64_t{sequence_high} << 32 | sequence_low; }
  bool operator==(const RecordHeader&) const = default;
};

inline constexpr size_t kRecordHeaderSize = 13;
// RFC 6347 §4.1: "As in TLS 1.2, the length should not exceed 2^14", of plaintext.
inline constexpr size_t kMaxPlaintext = 1 << 14;
// RFC 5246 §6.2.3: "The length MUST NOT exceed 2^14 + 2048", of ciphertext.
inline constexpr size_t kMaxCiphertext = (1 << 14) + 2048;

struct Record {
  RecordHeader header;
  std::span<const uint8_t> bytes;     // header and fragment
  std::span<const uint8_t> fragment;  // header.length octets
};

// The first record of `datagram`; nullopt when it is cut short, too long or of another protocol's version.
// RFC 6347 §4.1.1: "Multiple DTLS records may be placed in a single datagram. They are simply encoded consecutively."
std::optional<Record> ParseRecord(std::span<const uint8_t> datagram);

// RFC 5246 §7.2: an alert's level, the description that ends an association in good order, and the refusal of another
// handshake.
inline constexpr uint8_t kWarning = 1;
inline constexpr uint8_t kFatal = 2;
inline constexpr uint8_t kCloseNotify = 0;
inline constexpr uint8_t kNoRenegotiation = 100;

// RFC 7983 §7: a first octet of 20 to 63 is DTLS.
constexpr bool IsDtls(std::span<const uint8_t> datagram) {
  return !datagram.empty() && datagram[0] >= 20 && datagram[0] <= 63;
}

// RFC 9147 §4: the DTLS 1.3 record header begins with the bits 001. Its length is optional and its number encrypted.
constexpr bool IsUnifiedHeader(std::span<const uint8_t> datagram) {
  return !datagram.empty() && (datagram[0] & 0xE0) == 0x20;
}

// RFC 5246 §7.4
enum class HandshakeType : uint8_t {
  kHelloRequest = 0,
  kClientHello = 1,
  kServerHello = 2,
  kHelloVerifyRequest = 3,
  kCertificate = 11,
  kServerKeyExchange = 12,
  kCertificateRequest = 13,
  kServerHelloDone = 14,
  kCertificateVerify = 15,
  kClientKeyExchange = 16,
  kFinished = 20,
};

// RFC 6347 §4.2.2:
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+-----------------------------------------------+
//   |   msg_type    |                    length                     |
//   +---------------+---------------+-------------------------------+
//   |          message_seq          |        fragment_offset        |
//   +---------------+---------------+-------------------------------+
//   |   (offset)    |                fragment_length                |
//   +---------------+-----------------------------------------------+
struct HandshakeFragment {
  HandshakeType type{};
  uint32_t length = 0;  // of the whole message
  uint16_t message_seq = 0;
  uint32_t fragment_offset = 0;
  std::span<const uint8_t> body;  // fragment_length octets

  bool is_complete() const { return body.size() == length; }
};

inline constexpr size_t kHandshakeHeaderSize = 12;

// The first fragment in `bytes`, which are the content of a plaintext handshake record; nullopt unless it lies inside
// the record and inside its message, and is not an empty part of a message that has content (RFC 6347 §4.2.3).
std::optional<HandshakeFragment> ParseHandshakeFragment(std::span<const uint8_t> bytes);

}  // namespace jsp::dtls

template <>
struct jsp::wire::Codec<jsp::dtls::ContentType> {
  static constexpr size_t kSize = 1;
  static constexpr dtls::ContentType Load(const uint8_t* p) { return static_cast<dtls::ContentType>(*p); }
  static constexpr void Store(uint8_t* p, dtls::ContentType v) { *p = static_cast<uint8_t>(v); }
};

template <>
struct jsp::wire::Layout<jsp::dtls::RecordHeader> {
  using H = dtls::RecordHeader;
  static constexpr std::tuple kFields{&H::type,          &H::version,      &H::epoch,
                                      &H::sequence_high, &H::sequence_low, &H::length};
};
