#include "portmap/pcp_message.h"

#include <algorithm>
#include <array>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
namespace jsp::portmap {
namespace {

constexpr uint8_t kMapOpcode = 1;  // RFC 6887 §19.2
constexpr uint8_t kResponse = 0x80;

// RFC 6887 §5: an IPv4 address is written IPv4-mapped, also the unspecified one (RFC 6887 §11.1).
void WriteAddress(ByteWriter& writer, const IpAddress& ip) {
  if (ip.is_v4()) {
    writer.WriteZeros(10);
    writer.Write<uint16_t>(0xffff);
  }
  writer.WriteBytes(ip.octets());
}

IpAddress ReadAddress(ByteReader& reader) {
  std::array<uint8_t, 16> octets{};
  std::ranges::copy(reader.ReadBytes(octets.size()), octets.begin());
  return IpAddress::V6(octets);  // IPv4-mapped becomes IPv4
}

}  // namespace

const char* ToString(ResultCode code) {
  switch (code) {
    case ResultCode::kSuccess:
      return "success";
    case ResultCode::kUnsupportedVersion:
      return "it speaks another version";
    case ResultCode::kNotAuthorized:
      return "it forbids mappings";
    case ResultCode::kMalformedRequest:
      return "it calls the request malformed";
    case ResultCode::kUnsupportedOpcode:
      return "it makes no mappings";
    case ResultCode::kUnsupportedOption:
    case ResultCode::kMalformedOption:
      return "it refuses an option";
    case ResultCode::kNetworkFailure:
      return "it has no external address";
    case ResultCode::kNoResources:
      return "it has no room for mappings";
    case ResultCode::kUnsupportedProtocol:
      return "it maps no UDP";
    case ResultCode::kUserExceededQuota:
      return "this host has all the mappings that it may have";
    case ResultCode::kCannotProvideExternal:
      return "it cannot give that external address";
    case ResultCode::kAddressMismatch:
      return "there is another NAT between it and this host";
    case ResultCode::kExcessiveRemotePeers:
      return "too many filters";
  }
  return "an unknown result";
}

//   0                   1                   2                   3      RFC 6887 §7.1, the common request header
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// |  Version = 2  |R|   Opcode    |         Reserved              |
// |                 Requested Lifetime (32 bits)                  |
// |            PCP Client's IP Address (128 bits)                 |    RFC 6887 §11.1, the MAP opcode's data
// |                 Mapping Nonce (96 bits)                       |
// |   Protocol    |          Reserved (24 bits)                   |
// |        Internal Port          |    Suggested External Port    |
// |           Suggested External IP Address (128 bits)            |
bool WriteMapRequest(const MapRequest& request, std::span<uint8_t> out) {
  ByteWriter writer(out);
  writer.Write<uint8_t>(kPcpVersion);
  writer.Write<uint8_t>(kMapOpcode);
  writer.WriteZeros(2);
  writer.Write<uint32_t>(request.lifetime);
  WriteAddress(writer, request.client);
  writer.WriteBytes(request.nonce);
  writer.Write<uint8_t>(kUdp);
  writer.WriteZeros(3);
  writer.Write<uint16_t>(request.internal_port);
  writer.Write<uint16_t>(request.suggested.port);
  WriteAddress(writer, request.suggested.ip);
  return writer.ok();
}

//   0                   1                   2                   3      RFC 6887 §7.2, the common response header
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// |  Version = 2  |R|   Opcode    |   Reserved    |  Result Code  |
// |                      Lifetime (32 bits)                       |
// |                     Epoch Time (32 bits)                      |
// |                      Reserved (96 bits)                       |
std::optional<PcpResponse> ParsePcpResponse(std::span<const uint8_t> message) {
  if (message.size() < kPcpHeader || message.size() > kMaxPcpMessage || message.size() % 4 != 0) return std::nullopt;
  ByteReader reader(message);
  PcpResponse response;
  response.version = reader.Read<uint8_t>();
  const auto opcode = reader.Read<uint8_t>();
  if ((opcode & kResponse) == 0) return std::nullopt;
  response.opcode = opcode & 0x7f;
  reader.Skip(1);
  response.result = ResultCode(reader.Read<uint8_t>());
  response.lifetime = reader.Read<uint32_t>();
  response.epoch = reader.Read<uint32_t>();
  reader.Skip(12);
  if (response.version != kPcpVersion || response.opcode != kMapOpcode) return response;
  PcpResponse::Map map;
  std::ranges::copy(reader.ReadBytes(map.nonce.size()), map.nonce.begin());
  map.protocol = reader.Read<uint8_t>();
  reader.Skip(3);
  map.internal_port = reader.Read<uint16_t>();
  map.external.port = reader.Read<uint16_t>();
  map.external.ip = ReadAddress(reader);
  if (!reader.ok()) return std::nullopt;
  response.map = map;
  return response;
}

}  // namespace jsp::portmap
