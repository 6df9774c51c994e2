#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/expected.h"
#include "transport/webrtc_config.h"
namespace jsp::tool {

// Which candidates of one side are used, as typed; see ice/candidate_filter.h.
struct FilterArguments {
  std::vector<std::string> only;
  std::vector<std::string> without;
  std::vector<std::string> types;  // empty: all
  uint16_t max_cost = UINT16_MAX;
};

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
  FilterArguments local;
  FilterArguments remote;
};

void AddIceOptions(CLI::App& command, IceArguments& arguments);
// Fills servers, policy, interfaces, filters and ports; the error is one line that names the option.
Expected<void, std::string> ApplyIceArguments(const IceArguments& arguments, WebRtcConfig& config);

}  // namespace jsp::tool
