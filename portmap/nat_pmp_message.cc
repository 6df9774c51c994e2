#include "portmap/nat_pmp_message.h"

#include "base/byte_reader.h"
#include "base/byte_writer.h"
namespace jsp::portmap {
namespace {

constexpr uint8_t kAddressOpcode = 0;  // RFC 6886 §3.2
constexpr uint8_t kMapUdpOpcode = 1;   // RFC 6886 §3.3
constexpr uint8_t kResponse = 0x80;

ResultCode Translate(uint16_t code) {  // RFC 6886 §3.5
  switch (code) {
    case 0:
      return ResultCode::kSuccess;
    case 1:
      return ResultCode::kUnsupportedVersion;
    case 2:
      return ResultCode::kNotAuthorized;
    case 3:
      return ResultCode::kNetworkFailure;
    case 4:
      return ResultCode::kNoResources;
    case 5:
      return ResultCode::kUnsupportedOpcode;
    default:
      return ResultCode(0xff);
  }
}

}  // namespace

//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5      RFC 6886 §3.2
// |    Vers = 0   |     OP = 0    |
bool WriteNatPmpAddressRequest(std::span<uint8_t> out) {
  ByteWriter writer(out);
  writer.Write<uint8_t>(kNatPmpVersion);
  writer.Write<uint8_t>(kAddressOpcode);
  return writer.ok();
}

//   0                   1                   2                   3      RFC 6886 §3.3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// |    Vers = 0   |     OP = 1    |           Reserved            |
// |         Internal Port         |    Suggested External Port    |
// |           Requested Port Mapping Lifetime in Seconds          |
bool WriteNatPmpMapRequest(const NatPmpMapRequest& request, std::span<uint8_t> out) {
  ByteWriter writer(out);
  writer.Write<uint8_t>(kNatPmpVersion);
  writer.Write<uint8_t>(kMapUdpOpcode);
  writer.WriteZeros(2);
  writer.Write<uint16_t>(request.internal_port);
  writer.Write<uint16_t>(request.suggested_port);
  writer.Write<uint32_t>(request.lifetime);
  return writer.ok();
}

//   0                   1                   2                   3      RFC 6886 §3.2, §3.3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// |    Vers = 0   | OP = 128 + x  |         Result Code           |
// |                Seconds Since Start of Epoch                   |
// |   External IPv4 Address, or:  Internal Port  | External Port  |
// |   nothing, or:     Port Mapping Lifetime in Seconds           |
std::optional<NatPmpResponse> ParseNatPmpResponse(std::span<const uint8_t> message) {
  ByteReader reader(message);
  const auto version = reader.Read<uint8_t>();
  const auto opcode = reader.Read<uint8_t>();
  NatPmpResponse response;
  response.result = Translate(reader.Read<uint16_t>());
  response.epoch = reader.Read<uint32_t>();
  if (!reader.ok() || version != kNatPmpVersion || (opcode & kResponse) == 0) return std::nullopt;
  if (response.result == ResultCode::kUnsupportedVersion) return response;
  switch (opcode & 0x7f) {
    case kAddressOpcode: {
      const auto external = reader.Read<uint32_t>();
      // RFC 6886 §3.2: undefined unless the result is zero.
      if (response.result != ResultCode::kSuccess) return response;
      response.external = IpAddress::V4(external);
      break;
    }
    case kMapUdpOpcode: {
      NatPmpResponse::Map map;
      map.internal_port = reader.Read<uint16_t>();
      map.external_port = reader.Read<uint16_t>();
      map.lifetime = reader.Read<uint32_t>();
      response.map = map;
      break;
    }
    default:
      return std::nullopt;
  }
  if (!reader.ok()) return std::nullopt;
  return response;
}

}  // namespace jsp::portmap
