#include "transport/asio/ipv4_gateway.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>

#include "transport/asio/interface_list.h"

namespace jsp::transport::io {
namespace {

// Interface, destination, gateway, flags, reference count, use, metric, mask.
constexpr size_t kColumns = 8;
constexpr uint32_t kUpAndGateway = 0x3;  // RTF_UP, RTF_GATEWAY

std::optional<uint32_t> ParseNumber(std::string_view text, int base) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// False when the line has fewer columns.
bool Split(std::string_view line, std::array<std::string_view, kColumns>& columns) {
  for (auto& column : columns) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    column = line.substr(0, line.find_first_of(" \t"));
    line.remove_prefix(column.size());
    if (column.empty()) return false;
  }
  return true;
}

}  // namespace

std::optional<IpAddress> FindGatewayIn(std::string_view routes, std::string_view interface) {
  std::optional<IpAddress> best;
  uint32_t best_metric = 0;
  while (!routes.empty()) {
    const std::string_view line = routes.substr(0, routes.find('\n'));
    routes.remove_prefix(std::min(line.size() + 1, routes.size()));
    std::array<std::string_view, kColumns> columns;
    if (!Split(line, columns) || columns[0] != interface) continue;
    const auto destination = ParseNumber(columns[1], 16);
    const auto gateway = ParseNumber(columns[2], 16);
    const auto flags = ParseNumber(columns[3], 16);
    const auto metric = ParseNumber(columns[6], 10);
    const auto mask = ParseNumber(columns[7], 16);
    if (!destination || !gateway || !flags || !metric || !mask) continue;
    if (*destination != 0 || *mask != 0 || *gateway == 0 || (*flags & kUpAndGateway) != kUpAndGateway) continue;
    if (best && *metric >= best_metric) continue;
    best_metric = *metric;
    // The kernel prints the four octets as a number of the host's order: little-endian wherever we run.
    const uint32_t g = *gateway;
    best = IpAddress::V4(static_cast<uint8_t>(g), static_cast<uint8_t>(g >> 8), static_cast<uint8_t>(g >> 16),
                         static_cast<uint8_t>(g >> 24));
  }
  return best;
}

std::optional<IpAddress> FindIpv4Gateway(const IpAddress& local) {
  const auto interfaces = ListInterfaces();
  const auto owner = std::ranges::find(interfaces, local, &InterfaceAddress::ip);
  std::ifstream file("/proc/net/route");
  if (owner == interfaces.end() || !file) return std::nullopt;
  const std::string routes{std::istreambuf_iterator<char>(file), {}};
  return FindGatewayIn(routes, owner->name);
}

}  // namespace jsp::transport::io
