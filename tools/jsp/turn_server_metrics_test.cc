#include "tools/jsp/turn_server_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string>

namespace jsp::tool {
namespace {

TEST(TurnServerMetricsTest, EveryNameHasItsHelpAndTypeBeforeItsSamples) {
  TurnServerTotals totals;
  totals.allocations = 9;
  totals.core.packets_to_peers = 7;
  totals.core.errors[401 - 300] = 3;
  totals.core.dropped[static_cast<size_t>(turn::ServerDrop::kNoPermission)] = 5;
  totals.sockets.streams.dropped = 6;
  totals.sockets.binding.requests = 11;
  totals.sockets.binding.unknown_attribute = 12;
  totals.sockets.binding.dropped_bad_fingerprint = 13;
  MetricsText text;
  WriteTurnMetrics(totals, text);
  const std::string page = text.Take();
  std::set<std::string> typed;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) {
      const std::string name = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(typed.insert(name).second) << name << " twice";
      EXPECT_TRUE(name.starts_with("jsp_turn_")) << name;
    } else if (!line.starts_with("# HELP ")) {
      EXPECT_TRUE(typed.contains(line.substr(0, line.find_first_of(" {")))) << line;
    }
  }
  EXPECT_NE(page.find("jsp_turn_allocations 9\n"), std::string::npos);
  EXPECT_NE(page.find("jsp_turn_dropped_total{reason=\"slow_reader\"} 6\n"), std::string::npos);
  EXPECT_NE(page.find("jsp_turn_relayed_packets_total{direction=\"to_peer\"} 7\n"), std::string::npos);
  EXPECT_NE(page.find("jsp_turn_error_responses_total{code=\"401\"} 3\n"), std::string::npos);
  EXPECT_EQ(page.find("jsp_turn_error_responses_total{code=\"400\"}"), std::string::npos);
  EXPECT_NE(page.find("jsp_turn_binding_requests_total 11\n"), std::string::npos);
  EXPECT_NE(page.find("jsp_turn_binding_refused_total{code=\"420\"} 12\n"), std::string::npos);
  EXPECT_NE(page.find("jsp_turn_binding_dropped_total{reason=\"bad_fingerprint\"} 13\n"), std::string::npos);
  EXPECT_NE(page.find("jsp_turn_dropped_total{reason=\"no_permission\"} 5\n"), std::string::npos);
  EXPECT_NE(page.find("jsp_turn_dropped_total{reason=\"too_long\"} 0\n"), std::string::npos);
}

TEST(TurnServerMetricsTest, EveryReasonOfADropHasItsOwnName) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < static_cast<size_t>(turn::ServerDrop::kCount); ++i) {
    names.insert(NameOf(static_cast<turn::ServerDrop>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(turn::ServerDrop::kCount));
  EXPECT_EQ(NameOf(turn::ServerDrop::kForbiddenPeer), "forbidden_peer");
}

TEST(TurnServerMetricsTest, WorkersAddUp) {
  turn::ServerMetrics a, sum;
  a.requests = 1;
  a.octets_to_clients = 10;
  a.errors[0] = 2;
  a.dropped[3] = 4;
  Add(sum, a);
  Add(sum, a);
  EXPECT_EQ(sum.requests, 2u);
  EXPECT_EQ(sum.octets_to_clients, 20u);
  EXPECT_EQ(sum.error(300), 4u);
  EXPECT_EQ(sum.dropped[3], 8u);
  transport::io::TurnServerStats one, both;
  one.binding = {.requests = 1, .indications = 2, .dropped_unparsable = 3, .dropped_bad_fingerprint = 4};
  one.binding.dropped_not_request = 5;
  one.binding.dropped_overload = 6;
  one.binding.unknown_attribute = 7;
  one.binding.bad_request = 8;
  Add(both, one);
  Add(both, one);
  EXPECT_EQ(both.binding.requests, 2u);
  EXPECT_EQ(both.binding.indications, 4u);
  EXPECT_EQ(both.binding.dropped_unparsable, 6u);
  EXPECT_EQ(both.binding.dropped_bad_fingerprint, 8u);
  EXPECT_EQ(both.binding.dropped_not_request, 10u);
  EXPECT_EQ(both.binding.dropped_overload, 12u);
  EXPECT_EQ(both.binding.unknown_attribute, 14u);
  EXPECT_EQ(both.binding.bad_request, 16u);
}

}  // namespace
}  // namespace jsp::tool
