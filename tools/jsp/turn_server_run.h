#pragma once
#include <functional>
#include <string>

#include "base/expected.h"
#include "tools/jsp/turn_server_config.h"
namespace jsp::tool {

// Serves until a signal ends it, and returns the exit code: SIGTERM and SIGINT drain, a second one ends at once; SIGHUP
// reads the configuration anew through `load`. Prints a "listening on" line for each listener when all are open.
int RunTurnServer(const TurnServerConfig& config, std::function<Expected<TurnServerConfig, std::string>()> load);

}  // namespace jsp::tool
