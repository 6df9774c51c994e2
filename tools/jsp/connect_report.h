#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "tools/jsp/connect_job.h"
#include "transport/stats.h"
namespace jsp::tool {

// What one run of connect came to.
struct ConnectReport {
  bool ok = false;
  std::string state = "new";
  std::string error;  // one line, when not ok
  std::optional<transport::PeerStats> stats;
  std::optional<double> channel_open_ms;   // from the start of gathering
  std::optional<double> first_message_ms;  // the first message received, likewise
  std::optional<JobResult> job;
  uint64_t ice_restarts = 0;  // that we began
};

// The document of `jsp connect --json`, ending with a newline.
std::string ToJson(const ConnectReport& report);
// The same for people.
std::string ToText(const ConnectReport& report);

}  // namespace jsp::tool
