#include "stun/credentials.h"

#include <array>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
namespace jsp::stun {
namespace {

constexpr std::string_view kCookiePrefix = "obMatJos2";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
// RFC 8489 §18.1: bit 0 is the most significant of 24.
constexpr uint32_t kPasswordAlgorithmsBit = 1u << 23;
constexpr uint32_t kUsernameAnonymityBit = 1u << 22;

std::string_view WithoutTrailingNuls(std::string_view text) {
  while (text.ends_with('\0')) text.remove_suffix(1);
  return text;
}

// RFC 8489 §9.2.2: "with any quotes and trailing nulls removed".
std::string_view Unquoted(std::string_view text) {
  text = WithoutTrailingNuls(text);
  if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"')) text = text.substr(1, text.size() - 2);
  return text;
}

std::string KeyText(std::string_view username, std::string_view realm, std::string_view password) {
  std::string text;
  text.append(Unquoted(username)).append(":").append(Unquoted(realm)).append(":");
  return text.append(WithoutTrailingNuls(password));
}

// RFC 8489 §14.11:
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |         Algorithm             |  Algorithm Parameters Length  |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |                    Algorithm Parameters (variable), padded
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
PasswordAlgorithmEntry ReadEntry(ByteReader& reader) {
  const auto algorithm = static_cast<PasswordAlgorithm>(reader.Read<uint16_t>());
  const auto parameters = reader.ReadBytes(reader.Read<uint16_t>());
  reader.SkipPadding4();
  return {algorithm, parameters};
}

bool IsSupported(const PasswordAlgorithmEntry& entry) {
  const bool known = entry.algorithm == PasswordAlgorithm::kMd5 || entry.algorithm == PasswordAlgorithm::kSha256;
  return known && entry.parameters.empty();
}

}  // namespace

crypto::Md5Digest LongTermKeyMd5(std::string_view username, std::string_view realm, std::string_view password) {
  return crypto::Md5(crypto::AsBytes(KeyText(username, realm, password)));
}

crypto::Sha256Digest LongTermKeySha256(std::string_view username, std::string_view realm, std::string_view password) {
  return crypto::Sha256(crypto::AsBytes(KeyText(username, realm, password)));
}

crypto::Sha256Digest Userhash(std::string_view username, std::string_view realm) {
  std::string text;
  text.append(username).append(":").append(realm);
  return crypto::Sha256(crypto::AsBytes(text));
}

std::optional<PasswordAlgorithmList> ParsePasswordAlgorithms(std::span<const uint8_t> value) {
  PasswordAlgorithmList list;
  ByteReader reader(value);
  while (reader.ok() && reader.remaining() > 0) {
    const PasswordAlgorithmEntry entry = ReadEntry(reader);
    if (list.size() < list.capacity()) list.push_back(entry);
  }
  if (!reader.ok() || list.empty()) return std::nullopt;
  return list;
}

std::optional<PasswordAlgorithmEntry> ParsePasswordAlgorithm(std::span<const uint8_t> value) {
  ByteReader reader(value);
  const PasswordAlgorithmEntry entry = ReadEntry(reader);
  if (!reader.ok() || reader.remaining() > 0) return std::nullopt;
  return entry;
}

std::span<const uint8_t> WritePasswordAlgorithms(std::span<const PasswordAlgorithm> algorithms,
                                                 std::span<uint8_t> out) {
  ByteWriter writer(out);
  for (const PasswordAlgorithm algorithm : algorithms) {
    writer.Write(static_cast<uint16_t>(algorithm));
    writer.Write(uint16_t{0});
  }
  return writer.ok() ? writer.written() : std::span<const uint8_t>{};
}

std::string NonceCookie(SecurityFeatures features) {
  const uint32_t bits = (features.password_algorithms ? kPasswordAlgorithmsBit : 0) |
                        (features.username_anonymity ? kUsernameAnonymityBit : 0);
  std::string cookie(kCookiePrefix);
  for (const int shift : {18, 12, 6, 0}) cookie += kBase64[bits >> shift & 0x3f];
  return cookie;
}

std::optional<SecurityFeatures> ParseNonceCookie(std::string_view nonce) {
  if (nonce.size() < kNonceCookieSize || !nonce.starts_with(kCookiePrefix)) return std::nullopt;
  uint32_t bits = 0;
  for (const char c : nonce.substr(kCookiePrefix.size(), kNonceCookieSize - kCookiePrefix.size())) {
    const size_t digit = kBase64.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
  }
  return SecurityFeatures{(bits & kPasswordAlgorithmsBit) != 0, (bits & kUsernameAnonymityBit) != 0};
}

std::optional<PasswordAlgorithm> ChoosePasswordAlgorithm(std::string_view nonce,
                                                         std::optional<std::span<const uint8_t>> offer) {
  const auto features = ParseNonceCookie(nonce);
  const bool promised = features && features->password_algorithms;
  if (!offer) return promised ? std::nullopt : std::optional(PasswordAlgorithm::kMd5);
  const auto list = ParsePasswordAlgorithms(*offer);
  if (!list) return std::nullopt;
  for (const PasswordAlgorithmEntry& entry : *list) {
    if (IsSupported(entry)) return entry.algorithm;
  }
  return std::nullopt;
}

}  // namespace jsp::stun
