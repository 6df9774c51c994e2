#include "turn/server/credentials.h"

#include <charconv>
#include <utility>
namespace jsp::turn {
namespace {

// The digits before the first colon, or all of the name; nullopt when there is anything else.
std::optional<uint64_t> ExpiryOf(std::string_view username) {
  const std::string_view digits = username.substr(0, username.find(':'));
  uint64_t seconds = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return seconds;
}

}  // namespace

std::string EphemeralPassword(std::string_view secret, std::string_view username) {
  return crypto::Base64(crypto::HmacSha1Key(crypto::AsBytes(secret)).Sign(crypto::AsBytes(username)));
}

void Credentials::AddUser(std::string_view username, std::string_view realm, const stun::LongTermKeys& keys) {
  users_.insert_or_assign(std::string(username), keys);
  const crypto::Sha256Digest userhash = stun::Userhash(username, realm);
  names_by_userhash_.insert_or_assign(std::string(userhash.begin(), userhash.end()), std::string(username));
}

bool Credentials::AddSharedSecret(std::string secret) {
  if (secrets_.size() >= kMaxSecrets) return false;
  secrets_.push_back(std::move(secret));
  return true;
}

Credentials::Keys Credentials::Find(std::string_view username, std::string_view realm, uint64_t unix_seconds) const {
  Keys keys;
  if (const auto user = users_.find(username); user != users_.end()) {
    keys.push_back(user->second);
    return keys;
  }
  const auto expiry = secrets_.empty() ? std::nullopt : ExpiryOf(username);
  if (!expiry || *expiry < unix_seconds) return keys;
  for (const std::string& secret : secrets_) {
    keys.push_back(stun::LongTermKeys::Of(username, realm, EphemeralPassword(secret, username)));
  }
  return keys;
}

std::optional<std::string_view> Credentials::FindByUserhash(std::span<const uint8_t, 32> userhash) const {
  const std::string_view key(reinterpret_cast<const char*>(userhash.data()), userhash.size());
  const auto found = names_by_userhash_.find(key);
  if (found == names_by_userhash_.end()) return std::nullopt;
  return found->second;
}

std::string_view Credentials::QuotaName(std::string_view username) const {
  if (secrets_.empty() || users_.contains(username) || !ExpiryOf(username)) return username;
  const size_t colon = username.find(':');
  return colon == std::string_view::npos ? username : username.substr(colon + 1);
}

}  // namespace jsp::turn
