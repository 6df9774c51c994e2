#pragma once
#include <string>
#include <vector>

#include "base/expected.h"
#include "tools/jsp/turn_server_config.h"
namespace jsp::tool {

// What a reload makes of a running server.
struct TurnReload {
  TurnServerConfig config;  // what is in force afterwards
  std::string report;       // one line for the operator
};

// Users, secrets, files and drain settings of `wanted` take effect; every other change waits for a restart, and the
// report names it. Refused as a whole with another realm, since the keys of users would be those of the new one.
Expected<TurnReload, std::string> PlanReload(const TurnServerConfig& running, const TurnServerConfig& wanted);

}  // namespace jsp::tool
