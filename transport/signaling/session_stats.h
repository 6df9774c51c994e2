#pragma once
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "transport/asio/driver.h"
#include "transport/signaling/session_host.h"
#include "transport/stats.h"
namespace jsp::signaling {

// The JSON document of GET /stats: every session's id, states, selected pair, counters of each layer, and channels.
// Octets, milliseconds.
std::string WriteStatsJson(const SessionHostStats& host, const transport::io::DriverStats& driver,
                           std::span<const std::pair<std::string, transport::PeerStats>> sessions);

}  // namespace jsp::signaling
