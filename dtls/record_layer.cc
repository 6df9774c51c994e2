#include "dtls/record_layer.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>
namespace jsp::dtls {
namespace {

using KdfPtr = std::unique_ptr<EVP_KDF, OpenSslDeleter<EVP_KDF_free>>;
using KdfContextPtr = std::unique_ptr<EVP_KDF_CTX, OpenSslDeleter<EVP_KDF_CTX_free>>;

constexpr uint16_t kDtls12 = 0xFEFD;
constexpr uint16_t kEpoch = 1;
constexpr size_t kRandomSize = 32;        // RFC 5246 §7.4.1.2
constexpr size_t kMasterSecretSize = 48;  // RFC 5246 §8.1
constexpr size_t kAadSize = 13;

struct Suite {
  const EVP_CIPHER* cipher;
  size_t key_size;
  size_t fixed_iv_size;        // of the key block
  size_t explicit_nonce_size;  // in each record
};

std::optional<Suite> SuiteOf(const SSL* ssl) {
  switch (SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl))) {
    case 0xC02B:  // RFC 5289 §3.2: ECDHE_ECDSA and ECDHE_RSA, AES-128-GCM, then AES-256-GCM
    case 0xC02F:
      return Suite{EVP_aes_128_gcm(), 16, 4, 8};
    case 0xC02C:
    case 0xC030:
      return Suite{EVP_aes_256_gcm(), 32, 4, 8};
    case 0xCCA8:  // RFC 7905 §2
    case 0xCCA9:
      return Suite{EVP_chacha20_poly1305(), 32, 12, 0};
    default:
      return std::nullopt;
  }
}

// RFC 5246 §6.3: key_block = PRF(master_secret, "key expansion", server_random + client_random). The master secret is
// the extended one where that was agreed on (RFC 7627 §4); OpenSSL has made it.
bool ExpandKeys(const SSL* ssl, std::span<uint8_t> key_block) {
  std::array<uint8_t, kMasterSecretSize> secret;
  std::array<uint8_t, 2 * kRandomSize> randoms;
  const EVP_MD* digest = SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(ssl));
  const KdfPtr kdf(EVP_KDF_fetch(nullptr, "TLS1-PRF", nullptr));
  const KdfContextPtr context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  const SSL_SESSION* session = SSL_get0_session(ssl);
  if (!context || digest == nullptr || session == nullptr) return false;
  const bool is_complete = SSL_SESSION_get_master_key(session, secret.data(), secret.size()) == secret.size() &&
                           SSL_get_server_random(ssl, randoms.data(), kRandomSize) == kRandomSize &&
                           SSL_get_client_random(ssl, randoms.data() + kRandomSize, kRandomSize) == kRandomSize;
  std::string_view label = "key expansion";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, const_cast<char*>(EVP_MD_get0_name(digest)), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, secret.data(), secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, const_cast<char*>(label.data()), label.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, randoms.data(), randoms.size()), OSSL_PARAM_END};
  const bool is_done =
      is_complete && EVP_KDF_derive(context.get(), key_block.data(), key_block.size(), parameters) == 1;
  OPENSSL_cleanse(secret.data(), secret.size());
  return is_done;
}

// RFC 6347 §4.1.2.1: epoch and sequence number together are what TLS's sequence number is.
void StoreNumber(uint64_t sequence_number, uint8_t* out) {
  wire::Codec<uint64_t>::Store(out, uint64_t{kEpoch} << 48 | sequence_number);
}

// RFC 5246 §6.2.3.3: seq_num + type + version + length of the plaintext.
std::array<uint8_t, kAadSize> AdditionalData(std::span<const uint8_t> header, size_t size) {
  std::array<uint8_t, kAadSize> data;
  std::memcpy(data.data(), header.data() + 3, 8);
  std::memcpy(data.data() + 8, header.data(), 3);
  wire::Codec<uint16_t>::Store(data.data() + 11, static_cast<uint16_t>(size));
  return data;
}

}  // namespace

std::optional<RecordLayer> RecordLayer::Create(const SSL* ssl, Role role) {
  if (SSL_version(ssl) != DTLS1_2_VERSION) return std::nullopt;
  const auto suite = SuiteOf(ssl);
  if (!suite) return std::nullopt;
  // RFC 5246 §6.3: client's key, server's key, client's IV, server's IV; an AEAD has no MAC keys.
  std::array<uint8_t, 2 * (kMaxKeySize + kNonceSize)> storage;
  const auto block = std::span(storage).first(2 * (suite->key_size + suite->fixed_iv_size));
  if (!ExpandKeys(ssl, block)) return std::nullopt;
  const auto make = [&](bool is_client, bool encrypts) {
    const size_t index = is_client ? 0 : 1;
    Direction direction{.cipher = suite->cipher, .encrypts = encrypts};
    std::copy_n(&block[index * suite->key_size], suite->key_size, direction.key.octets.begin());
    std::copy_n(&block[2 * suite->key_size + index * suite->fixed_iv_size], suite->fixed_iv_size, direction.iv.begin());
    return direction;
  };
  const bool is_client = role == Role::kClient;
  RecordLayer layer(make(is_client, true), make(!is_client, false), suite->explicit_nonce_size);
  OPENSSL_cleanse(storage.data(), storage.size());
  if (ContextOf(layer.seal_) == nullptr || ContextOf(layer.open_) == nullptr) return std::nullopt;
  return layer;
}

EVP_CIPHER_CTX* RecordLayer::ContextOf(Direction& direction) {
  if (direction.context) return direction.context.get();
  ContextPtr context(EVP_CIPHER_CTX_new());
  const bool is_ready = context && EVP_CipherInit_ex(context.get(), direction.cipher, nullptr,
                                                     direction.key.octets.data(), nullptr, direction.encrypts) == 1;
  if (is_ready) direction.context = std::move(context);
  return direction.context.get();
}

void RecordLayer::Trim() {
  seal_.context.reset();
  open_.context.reset();
}

RecordLayer::Nonce RecordLayer::NonceOf(const Direction& direction, std::span<const uint8_t, 8> explicit_nonce) const {
  Nonce nonce = direction.iv;
  // RFC 5288 §3: salt and explicit part. RFC 7905 §2: the padded number, XORed with the IV.
  uint64_t last;
  uint64_t given;
  std::memcpy(&last, &nonce[4], sizeof(last));
  std::memcpy(&given, explicit_nonce.data(), sizeof(given));
  last = explicit_nonce_size_ > 0 ? given : last ^ given;
  std::memcpy(&nonce[4], &last, sizeof(last));
  return nonce;
}

Expected<size_t, RecordLayer::SealError> RecordLayer::Seal(ContentType type, std::span<const uint8_t> content,
                                                           std::span<uint8_t> out) {
  const size_t size = content.size() + overhead();
  if (content.size() > kMaxPlaintext || out.size() < size) return Unexpected(SealError::kNoRoom);
  if (next_sequence_number_ >= kEndOfSequenceNumbers) return Unexpected(SealError::kExhausted);
  const uint64_t number = next_sequence_number_++;
  const RecordHeader header{.type = type,
                            .version = kDtls12,
                            .epoch = kEpoch,
                            .sequence_high = static_cast<uint16_t>(number >> 32),
                            .sequence_low = static_cast<uint32_t>(number),
                            .length = static_cast<uint16_t>(size - kRecordHeaderSize)};
  wire::Write(out.first<kRecordHeaderSize>(), header);
  std::array<uint8_t, 8> explicit_nonce;
  StoreNumber(number, explicit_nonce.data());
  std::memcpy(&out[kRecordHeaderSize], explicit_nonce.data(), explicit_nonce_size_);
  const Nonce nonce = NonceOf(seal_, explicit_nonce);
  const auto data = AdditionalData(out, content.size());
  EVP_CIPHER_CTX* context = ContextOf(seal_);
  uint8_t* ciphertext = &out[content_offset()];
  int written = 0;
  const bool is_done =
      context != nullptr && EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, nonce.data(), -1) == 1 &&
      EVP_CipherUpdate(context, nullptr, &written, data.data(), static_cast<int>(data.size())) == 1 &&
      EVP_CipherUpdate(context, ciphertext, &written, content.data(), static_cast<int>(content.size())) == 1 &&
      EVP_CipherFinal_ex(context, ciphertext + written, &written) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagSize, ciphertext + content.size()) == 1;
  if (!is_done) return Unexpected(SealError::kCipher);
  return size;
}

Expected<size_t, RecordLayer::OpenError> RecordLayer::Open(const Record& record, std::span<uint8_t> out) {
  const RecordHeader& header = record.header;
  const size_t protection = explicit_nonce_size_ + kTagSize;
  const bool is_well_formed = header.version == kDtls12 && header.epoch == kEpoch &&
                              record.fragment.size() >= protection &&
                              record.fragment.size() - protection <= kMaxPlaintext;
  if (!is_well_formed) return Unexpected(OpenError::kBadRecord);
  if (!received_.IsNew(header.sequence_number())) return Unexpected(OpenError::kReplayed);
  const size_t size = record.fragment.size() - protection;
  if (size > out.size()) return Unexpected(OpenError::kNoRoom);
  // RFC 5288 §3: the peer chooses the explicit part; without one it is the number.
  std::array<uint8_t, 8> explicit_nonce;
  StoreNumber(header.sequence_number(), explicit_nonce.data());
  std::memcpy(explicit_nonce.data(), record.fragment.data(), explicit_nonce_size_);
  const Nonce nonce = NonceOf(open_, explicit_nonce);
  const auto data = AdditionalData(record.bytes, size);
  std::array<uint8_t, kTagSize> tag;
  std::memcpy(tag.data(), record.fragment.last(kTagSize).data(), kTagSize);
  EVP_CIPHER_CTX* context = ContextOf(open_);
  const uint8_t* ciphertext = record.fragment.data() + explicit_nonce_size_;
  // A record without content authenticates all the same, and needs somewhere to not write to.
  std::array<uint8_t, 1> nothing;
  uint8_t* plaintext = size > 0 ? out.data() : nothing.data();
  int written = 0;
  const bool is_authentic =
      context != nullptr && EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, nonce.data(), -1) == 1 &&
      EVP_CipherUpdate(context, nullptr, &written, data.data(), static_cast<int>(data.size())) == 1 &&
      EVP_CipherUpdate(context, plaintext, &written, ciphertext, static_cast<int>(size)) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1 &&
      EVP_CipherFinal_ex(context, plaintext + written, &written) == 1;
  if (!is_authentic) {
    OPENSSL_cleanse(out.data(), size);
    return Unexpected(OpenError::kForged);
  }
  received_.Mark(header.sequence_number());
  return size;
}

}  // namespace jsp::dtls
