#include "transport/webrtc_config.h"

#include <gtest/gtest.h>

namespace jsp {
namespace {

std::string FieldOf(const WebRtcConfig& config) {
  const auto valid = config.Validate();
  return valid ? "" : valid.error().field;
}

TEST(WebRtcConfigTest, DefaultsAreValid) { EXPECT_EQ(FieldOf({}), ""); }

TEST(WebRtcConfigTest, BadUrisNameTheirField) {
  WebRtcConfig config;
  config.stun_servers = {"stun:192.0.2.1", "stun:host:99999"};
  EXPECT_EQ(FieldOf(config), "stun_servers[1]");
  config.stun_servers = {"turn:192.0.2.1"};
  EXPECT_EQ(FieldOf(config), "stun_servers[0]");
  config.stun_servers = {"stuns:example.org"};
  EXPECT_EQ(FieldOf(config), "stun_servers[0]");
}

TEST(WebRtcConfigTest, TurnServersNeedUrlsAndCredentials) {  // RFC 8656 §5
  WebRtcConfig config;
  config.turn_servers = {{{}, "u", "p"}};
  EXPECT_EQ(FieldOf(config), "turn_servers[0].urls");
  config.turn_servers = {{{"stun:example.org"}, "u", "p"}};
  EXPECT_EQ(FieldOf(config), "turn_servers[0].urls");
  config.turn_servers = {{{"turn:example.org"}, "", "p"}};
  EXPECT_EQ(FieldOf(config), "turn_servers[0].username");
  config.turn_servers = {{{"turn:example.org"}, "u", ""}};
  EXPECT_EQ(FieldOf(config), "turn_servers[0].credential");
}

TEST(WebRtcConfigTest, ModesOfIpHandlingBecomeOptions) {  // RFC 8828 §5.2
  using transport::HostExposure;
  WebRtcConfig config;
  config.stun_servers = {"stun:192.0.2.1"};
  config.turn_servers = {{{"turn:192.0.2.1", "turns:example.org"}, "u", "p"}, {{"turn:192.0.2.2"}, "u", "p"}};
  const auto applied = [&](IpHandling mode, bool names = false) {
    WebRtcConfig copy = config;
    if (names) copy.peer_options.hosts = HostExposure::kNames;
    EXPECT_TRUE(copy.UseIpHandling(mode));
    EXPECT_EQ(FieldOf(copy), "");
    return copy;
  };
  EXPECT_FALSE(applied(IpHandling::kAllAddresses).driver_options.interfaces.default_route_only);
  EXPECT_EQ(applied(IpHandling::kAllAddresses).peer_options.hosts, HostExposure::kAddresses);
  EXPECT_EQ(applied(IpHandling::kAllAddresses, true).peer_options.hosts, HostExposure::kNames);
  EXPECT_TRUE(applied(IpHandling::kDefaultRoute).driver_options.interfaces.default_route_only);
  EXPECT_EQ(applied(IpHandling::kDefaultRoute).peer_options.hosts, HostExposure::kAddresses);
  EXPECT_EQ(applied(IpHandling::kDefaultRoute, true).peer_options.hosts, HostExposure::kNames);
  EXPECT_TRUE(applied(IpHandling::kDefaultRouteOnly).driver_options.interfaces.default_route_only);
  EXPECT_EQ(applied(IpHandling::kDefaultRouteOnly, true).peer_options.hosts, HostExposure::kNothing);
  const WebRtcConfig proxy = applied(IpHandling::kProxy);
  EXPECT_EQ(proxy.ice_transport_policy, IceTransportPolicy::kRelay);
  EXPECT_TRUE(proxy.stun_servers.empty());
  ASSERT_EQ(proxy.turn_servers.size(), 1u);
  EXPECT_EQ(proxy.turn_servers[0].urls, std::vector<std::string>{"turns:example.org"});
  config.turn_servers.erase(config.turn_servers.begin());
  const auto refused = config.UseIpHandling(IpHandling::kProxy);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().field, "turn_servers") << "no relay by a stream";
}

TEST(WebRtcConfigTest, RelayOnlyNeedsATurnServer) {
  WebRtcConfig config;
  config.ice_transport_policy = IceTransportPolicy::kRelay;
  EXPECT_EQ(FieldOf(config), "ice_transport_policy");
  WebRtcConfig relayed = WebRtcConfig::RelayOnly({{"turn:example.org"}, "u", "p"});
  EXPECT_EQ(FieldOf(relayed), "");
  relayed.peer_options.ice.filters.local.relayed = false;
  EXPECT_EQ(FieldOf(relayed), "peer_options.ice.filters.local") << "nothing would be left";
}

TEST(WebRtcConfigTest, BothReliabilityLimitsAreAnError) {  // RFC 8832 §5.1
  WebRtcConfig config;
  config.max_retransmits = 3;
  EXPECT_EQ(FieldOf(config), "");
  config.max_lifetime = std::chrono::milliseconds(100);
  EXPECT_EQ(FieldOf(config), "max_lifetime");
}

TEST(WebRtcConfigTest, ChannelFieldsAreChecked) {
  WebRtcConfig config;
  config.data_channel_label = std::string(65536, 'x');
  EXPECT_EQ(FieldOf(config), "data_channel_label");
  config.data_channel_label = "\xff";
  EXPECT_EQ(FieldOf(config), "data_channel_label");
  config = {};
  config.negotiated_id = uint16_t{65535};
  EXPECT_EQ(FieldOf(config), "negotiated_id");
  config = {};
  config.max_lifetime = std::chrono::milliseconds(-1);
  EXPECT_EQ(FieldOf(config), "max_lifetime");
  config = {};
  config.send_queue_bytes = 0;
  EXPECT_EQ(FieldOf(config), "send_queue_bytes");
}

TEST(WebRtcConfigTest, PortsOfTcpAreARange) {
  WebRtcConfig config;
  config.ice_tcp = transport::IceTcp::kBoth;
  config.driver_options.ice_tcp.ports = {5000, 5000};
  EXPECT_EQ(FieldOf(config), "");
  config.driver_options.ice_tcp.ports = {5001, 5000};
  EXPECT_EQ(FieldOf(config), "driver_options.ice_tcp.ports");
}

}  // namespace
}  // namespace jsp
