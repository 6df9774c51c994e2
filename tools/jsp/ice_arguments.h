#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/expected.h"
#include "transport/webrtc_config.h"
namespace jsp::tool {

// The ICE options that serve and connect share, as typed.
struct IceArguments {
  std::vector<std::string> servers;
  std::string username;
  std::string credential;
  std::string ca_file;
  std::string policy = "all";
  std::vector<std::string> interfaces;
  std::string port_range;
  bool map_port = false;
  std::string ice_tcp = "off";
  std::string tcp_port_range;
  int ip_handling = 1;
  bool mdns = false;
};

void AddIceOptions(CLI::App& command, IceArguments& arguments);
// Fills servers, policy, interfaces and ports; the error is one line that names the option.
Expected<void, std::string> ApplyIceArguments(const IceArguments& arguments, WebRtcConfig& config);

}  // namespace jsp::tool
