#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "transport/asio/turn_server.h"
#include "turn/server/metrics.h"
namespace jsp::tool {

// What all workers of a server have and did.
struct TurnServerTotals {
  size_t workers = 0;
  size_t allocations = 0;
  turn::ServerMetrics core;
  transport::io::TurnServerStats sockets;
};

// Adds counter by counter.
void Add(turn::ServerMetrics& sum, const turn::ServerMetrics& part);
void Add(transport::io::TurnServerStats& sum, const transport::io::TurnServerStats& part);

// "no_permission"
std::string_view NameOf(turn::ServerDrop reason);

// Writes metrics in Prometheus' text format 0.0.4: HELP and TYPE once for each name, then its samples.
class MetricsText {
 public:
  void Gauge(std::string_view name, std::string_view help, uint64_t value);
  void Counter(std::string_view name, std::string_view help, uint64_t value);
  // A counter with one label; Sample follows for each of its values.
  void LabelledCounter(std::string_view name, std::string_view help, std::string_view label);
  void Sample(std::string_view label_value, uint64_t value);
  std::string Take() { return std::move(text_); }

 private:
  void Begin(std::string_view name, std::string_view help, std::string_view type);

  std::string text_;
  std::string name_;
  std::string label_;
};

// What a TURN server counted, under names that begin with jsp_turn_. Every reason of a drop is there, also at 0; of the
// error codes only those that were sent.
void WriteTurnMetrics(const TurnServerTotals& totals, MetricsText& text);

}  // namespace jsp::tool
