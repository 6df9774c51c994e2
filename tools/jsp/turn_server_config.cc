#include "tools/jsp/turn_server_config.h"

#include "base/crypto.h"
#include "stun/opaque_string.h"

namespace jsp::tool {

std::string TurnListenAddress::ToString() const {
  const char* scheme = transport == turn::ControlTransport::kUdp   ? "udp://"
                       : transport == turn::ControlTransport::kTcp ? "tcp://"
                                                                   : "tls://";
  return scheme + address.ToString();
}

std::string TurnServerConfig::RelayAddress::ToString() const {
  return advertised.ToString() + (bound == advertised ? "" : "/" + bound.ToString());
}

Expected<TurnUser, std::string> MakeTurnUser(const std::string& name_and_password, const std::string& realm) {
  const size_t colon = name_and_password.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == name_and_password.size()) {
    return Unexpected<std::string>("write NAME:PASSWORD, neither of them empty");
  }
  const auto name = stun::PrepareOpaqueString(name_and_password.substr(0, colon));
  const auto password = stun::PrepareOpaqueString(name_and_password.substr(colon + 1));
  if (!name) {
    return Unexpected<std::string>("not a user name: " + std::string(stun::Describe(name.error().code)));
  }
  if (!password) {
    return Unexpected<std::string>("not a password: " + std::string(stun::Describe(password.error().code)));
  }
  return TurnUser{*name, stun::LongTermKeys::Of(*name, realm, *password)};
}

std::string UserKeyText(const TurnUser& user, const std::string& realm) {
  return user.name + ":" + realm + ":" + crypto::Hex(user.keys.md5) + ":" + crypto::Hex(user.keys.sha256);
}

}  // namespace jsp::tool
