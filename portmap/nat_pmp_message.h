#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/socket_address.h"
#include "portmap/types.h"
namespace jsp::portmap {

// NAT-PMP (RFC 6886 §3), version 0, as a client writes and reads it: the external address, and mappings of UDP ports.

constexpr uint8_t kNatPmpVersion = 0;
constexpr size_t kNatPmpAddressRequest = 2;
constexpr size_t kNatPmpMapRequest = 12;

// RFC 6886 §3.2. False when `out` is too small.
bool WriteNatPmpAddressRequest(std::span<uint8_t> out);

struct NatPmpMapRequest {
  uint16_t internal_port = 0;
  uint16_t suggested_port = 0;  // external; with lifetime 0 has to be 0 (RFC 6886 §3.4)
  uint32_t lifetime = 0;        // seconds; 0 deletes
};
// RFC 6886 §3.3. False when `out` is too small.
bool WriteNatPmpMapRequest(const NatPmpMapRequest& request, std::span<uint8_t> out);

struct NatPmpResponse {
  ResultCode result = ResultCode::kSuccess;
  uint32_t epoch = 0;  // seconds (RFC 6886 §3.6)
  std::optional<IpAddress> external;
  struct Map {
    uint16_t internal_port = 0;
    uint16_t external_port = 0;
    uint32_t lifetime = 0;  // seconds
  };
  std::optional<Map> map;  // of a mapping response, also when it refuses
};
// nullopt: another version, no response, or shorter than what its opcode and result call for. "Unsupported version" may
// be the bare eight octets (RFC 6886 §3.5).
std::optional<NatPmpResponse> ParseNatPmpResponse(std::span<const uint8_t> message);

}  // namespace jsp::portmap
