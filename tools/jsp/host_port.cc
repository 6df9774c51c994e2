#include "tools/jsp/host_port.h"

#include <charconv>

namespace jsp::tool {

std::optional<HostPort> ParseHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  HostPort parsed{.host = std::string(text.substr(0, colon))};
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data() + colon + 1, end, parsed.port);
  if (error != std::errc() || last != end) return std::nullopt;
  if (parsed.host.front() == '[' && parsed.host.back() == ']') {
    parsed.host = parsed.host.substr(1, parsed.host.size() - 2);
  } else if (parsed.host.find(':') != std::string::npos) {
    return std::nullopt;
  }
  return parsed;
}

}  // namespace jsp::tool
