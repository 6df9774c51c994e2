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

TEST(WebRtcConfigTest, RelayOnlyNeedsATurnServer) {
  WebRtcConfig config;
  config.ice_transport_policy = IceTransportPolicy::kRelay;
  EXPECT_EQ(FieldOf(config), "ice_transport_policy");
  EXPECT_EQ(FieldOf(WebRtcConfig::RelayOnly({{"turn:example.org"}, "u", "p"})), "");
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
