#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/socket_address.h"
#include "portmap/types.h"
namespace jsp::portmap {

// PCP's MAP opcode, version 2 (RFC 6887 §7, §11.1), as a client writes and reads it. UDP only, no options.

constexpr uint8_t kPcpVersion = 2;
constexpr size_t kPcpHeader = 24;
constexpr size_t kMapRequest = kPcpHeader + 36;

struct MapRequest {
  Nonce nonce{};
  IpAddress client;            // the request's source address (RFC 6887 §8.1)
  uint16_t internal_port = 0;  // not 0: that would be all ports
  uint32_t lifetime = 0;       // seconds; 0 deletes (RFC 6887 §15)
  SocketAddress suggested{};   // the external address to have again; unspecified and 0: any (RFC 6887 §11.2)
};
// False when `out` holds fewer than kMapRequest octets.
bool WriteMapRequest(const MapRequest& request, std::span<uint8_t> out);

// What of a response stands in the common header (RFC 6887 §7.2).
struct PcpResponse {
  uint8_t version = 0;
  uint8_t opcode = 0;  // without R
  ResultCode result = ResultCode::kSuccess;
  uint32_t lifetime = 0;  // of the mapping, or how long the error will last; seconds
  uint32_t epoch = 0;     // seconds (RFC 6887 §8.5)
  // Of a MAP response of version 2.
  struct Map {
    Nonce nonce{};
    uint8_t protocol = 0;
    uint16_t internal_port = 0;
    SocketAddress external;
  };
  std::optional<Map> map;
};
// RFC 6887 §8.3. nullopt: shorter or longer than allowed, no multiple of four, no response, or a MAP response of our
// version without MAP data. Options behind the data are passed over: we ask for none.
std::optional<PcpResponse> ParsePcpResponse(std::span<const uint8_t> message);

}  // namespace jsp::portmap
