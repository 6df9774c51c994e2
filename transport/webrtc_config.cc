#include "transport/webrtc_config.h"

#include <algorithm>
#include <utility>

#include "datachannel/message_codec.h"
#include "stun/opaque_string.h"
#include "stun/uri.h"

namespace jsp {
namespace {

using Result = Expected<void, ConfigError>;

constexpr size_t kMaxLabel = 65535;                            // RFC 8832 §5.1: a 16-bit length
constexpr std::chrono::milliseconds kMaxLifetime(4294967295);  // RFC 8832 §5.1: a 32-bit parameter
constexpr uint16_t kMaxChannelId = 65534;                      // RFC 8832 §6

Result Refuse(std::string field, std::string message) {
  return Unexpected<ConfigError>({std::move(field), std::move(message)});
}

Result CheckUri(const std::string& field, const std::string& text, bool turn) {
  const auto uri = stun::ParseUri(text);
  if (!uri) return Refuse(field, "\"" + text + "\": " + std::string(stun::Describe(uri.error().code)));
  if (uri->IsTurn() != turn) {
    return Refuse(field, "\"" + text + "\": " +
                             (turn ? "a TURN server has a turn: or turns: URI" : "a STUN server has a stun: URI"));
  }
  if (uri->scheme == stun::UriScheme::kStuns) {
    return Refuse(field, "\"" + text + "\": STUN over TLS finds no UDP address; use stun:");
  }
  return {};
}

bool IsStream(const std::string& url) {
  const auto uri = stun::ParseUri(url);
  return uri && (uri->IsSecure() || uri->transport == stun::UriTransport::kTcp);
}

Result CheckServers(const WebRtcConfig& config) {
  for (size_t i = 0; i < config.stun_servers.size(); ++i) {
    auto checked = CheckUri("stun_servers[" + std::to_string(i) + "]", config.stun_servers[i], false);
    if (!checked) return checked;
  }
  for (size_t i = 0; i < config.turn_servers.size(); ++i) {
    const std::string field = "turn_servers[" + std::to_string(i) + "]";
    const TurnServer& server = config.turn_servers[i];
    if (server.urls.empty()) return Refuse(field + ".urls", "a TURN server needs at least one URI");
    for (const auto& url : server.urls) {
      if (auto checked = CheckUri(field + ".urls", url, true); !checked) return checked;
      const auto uri = stun::ParseUri(url);
      if (uri->IsSecure() && uri->transport == stun::UriTransport::kUdp) {
        return Refuse(field + ".urls", "\"" + url + "\": TURN over DTLS is not supported; use ?transport=tcp");
      }
    }
    // RFC 8656 §5: allocations are authenticated by long-term credentials.
    if (server.username.empty()) return Refuse(field + ".username", "a TURN server needs a user name");
    if (server.credential.empty()) return Refuse(field + ".credential", "a TURN server needs a credential");
    if (const auto name = stun::PrepareOpaqueString(server.username); !name) {
      return Refuse(field + ".username", std::string(stun::Describe(name.error().code)));
    }
    if (const auto password = stun::PrepareOpaqueString(server.credential); !password) {
      return Refuse(field + ".credential", std::string(stun::Describe(password.error().code)));
    }
  }
  if (config.ice_transport_policy == IceTransportPolicy::kRelay && config.turn_servers.empty()) {
    return Refuse("ice_transport_policy", "kRelay needs a TURN server in turn_servers");
  }
  if (config.ice_transport_policy == IceTransportPolicy::kRelay && !config.peer_options.ice.filters.local.relayed) {
    return Refuse("peer_options.ice.filters.local", "refuses relayed candidates, and ice_transport_policy all others");
  }
  return {};
}

Result CheckChannel(const WebRtcConfig& config) {
  if (config.data_channel_label.size() > kMaxLabel) return Refuse("data_channel_label", "longer than 65535 octets");
  if (!datachannel::IsValidUtf8(config.data_channel_label)) return Refuse("data_channel_label", "not valid UTF-8");
  if (config.data_channel_protocol.size() > kMaxLabel)
    return Refuse("data_channel_protocol", "longer than 65535 octets");
  if (!datachannel::IsValidUtf8(config.data_channel_protocol))
    return Refuse("data_channel_protocol", "not valid UTF-8");
  if (config.max_retransmits && config.max_lifetime) {
    return Refuse("max_lifetime", "max_retransmits is set too; a channel has one of them (RFC 8832 §5.1)");
  }
  if (config.max_lifetime && (config.max_lifetime->count() < 0 || *config.max_lifetime > kMaxLifetime)) {
    return Refuse("max_lifetime", "not between 0 and 4294967295 ms");
  }
  if (config.negotiated_id.value_or(0) > kMaxChannelId) return Refuse("negotiated_id", "above 65534");
  return {};
}

}  // namespace

WebRtcConfig WebRtcConfig::RelayOnly(TurnServer server) {
  WebRtcConfig config;
  config.turn_servers.push_back(std::move(server));
  config.ice_transport_policy = IceTransportPolicy::kRelay;
  return config;
}

Result WebRtcConfig::UseIpHandling(IpHandling mode) {
  if (mode == IpHandling::kAllAddresses) return {};
  driver_options.interfaces.default_route_only = true;
  if (mode == IpHandling::kDefaultRoute) return {};
  peer_options.hosts = transport::HostExposure::kNothing;
  if (mode == IpHandling::kDefaultRouteOnly) return {};
  const auto has_stream = [](const TurnServer& server) { return std::ranges::any_of(server.urls, IsStream); };
  if (std::ranges::none_of(turn_servers, has_stream)) {
    return Refuse("turn_servers", "kProxy needs a TURN server over TCP or TLS");
  }
  stun_servers.clear();
  ice_transport_policy = IceTransportPolicy::kRelay;
  ice_tcp = transport::IceTcp::kOff;
  for (TurnServer& server : turn_servers) {
    std::erase_if(server.urls, [](const std::string& url) { return !IsStream(url); });
  }
  std::erase_if(turn_servers, [](const TurnServer& server) { return server.urls.empty(); });
  return {};
}

Result WebRtcConfig::Validate() const {
  if (auto checked = CheckServers(*this); !checked) return checked;
  if (auto checked = CheckChannel(*this); !checked) return checked;
  if (send_queue_bytes == 0) return Refuse("send_queue_bytes", "0 octets would hold no message");
  if (connect_timeout.count() <= 0) return Refuse("connect_timeout", "must be positive");
  const auto& ports = driver_options.mux.ports;
  if (ports.high != 0 && ports.high < ports.low) return Refuse("driver_options.mux.ports", "high is below low");
  const auto& tcp_ports = driver_options.ice_tcp.ports;
  if (tcp_ports.high != 0 && tcp_ports.high < tcp_ports.low) {
    return Refuse("driver_options.ice_tcp.ports", "high is below low");
  }
  return {};
}

}  // namespace jsp
