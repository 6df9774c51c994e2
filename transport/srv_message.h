#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
namespace jsp::transport {

// What a name server is told that we take over UDP: what passes everywhere in one packet.
inline constexpr uint16_t kMaxDnsMessage = 1232;

// One SRV record (RFC 2782).
struct SrvRecord {
  uint16_t priority = 0;  // the lowest first
  uint16_t weight = 0;    // the share among those of one priority
  uint16_t port = 0;
  std::string target{};  // "" is the root: the service is not offered
  bool operator==(const SrvRecord&) const = default;
};

// Asks a recursive name server for the SRV records of `name`, such as "_turn._udp.example.org"; with EDNS, so that the
// answer may be larger than 512 octets. Octets written; nullopt when `out` is too small or the name cannot be written.
std::optional<size_t> WriteSrvQuery(uint16_t id, std::string_view name, std::span<uint8_t> out);

struct SrvResponse {
  uint16_t id = 0;
  uint8_t response_code = 0;  // 0 no error, 3 the name does not exist; anything else is the server's trouble
  std::string question{};     // the name asked for
  std::vector<SrvRecord> records{};
};

enum class DnsParseErrc : uint8_t { kNotAResponse, kMalformed };

// The SRV records of the answer section. A truncated response counts with the records that are whole in it:
// kMaxDnsMessage holds a dozen, and more than four are not tried.
Expected<SrvResponse, DnsParseErrc> ParseSrvResponse(std::span<const uint8_t> message);

}  // namespace jsp::transport
