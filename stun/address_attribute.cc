#include "stun/address_attribute.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/wire_layout.h"
namespace jsp::stun {
namespace {

// RFC 8489 §14.1:
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |0 0 0 0 0 0 0 0|    Family     |           Port                |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |                 Address (32 bits or 128 bits)                 |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
constexpr uint8_t kFamilyV4 = 0x01;
constexpr uint8_t kFamilyV6 = 0x02;
constexpr size_t kAddressOffset = 4;

using Mask = std::array<uint8_t, 16>;

// RFC 8489 §14.2: the magic cookie, then the transaction id; zeros for the plain coding.
Mask MaskFor(AttributeType type, const TransactionId& id) {
  Mask mask{};
  if (!IsXorAddress(type)) return mask;
  mask = {0x21, 0x12, 0xa4, 0x42};
  std::ranges::copy(id.octets, mask.begin() + 4);
  return mask;
}

}  // namespace

std::optional<SocketAddress> ParseAddress(AttributeType type, std::span<const uint8_t> value, const TransactionId& id) {
  if (value.size() < kAddressOffset) return std::nullopt;
  const uint8_t family = value[1];  // the octet before it is ignored
  const size_t size = family == kFamilyV4 ? 4 : family == kFamilyV6 ? 16 : 0;
  if (size == 0 || value.size() != kAddressOffset + size) return std::nullopt;

  const Mask mask = MaskFor(type, id);
  Mask octets{};
  for (size_t i = 0; i < size; ++i) octets[i] = value[kAddressOffset + i] ^ mask[i];
  const uint16_t port = wire::Codec<uint16_t>::Load(value.data() + 2) ^ wire::Codec<uint16_t>::Load(mask.data());
  const IpAddress ip = size == 4 ? IpAddress::V4(wire::Codec<uint32_t>::Load(octets.data())) : IpAddress::V6(octets);
  return SocketAddress{ip, port};
}

void WriteAddress(AttributeType type, const SocketAddress& address, const TransactionId& id, std::span<uint8_t> out) {
  JSP_CHECK(out.size() == AddressValueSize(address));
  const Mask mask = MaskFor(type, id);
  out[0] = 0;
  out[1] = address.ip.is_v4() ? kFamilyV4 : kFamilyV6;
  wire::Codec<uint16_t>::Store(out.data() + 2, address.port ^ wire::Codec<uint16_t>::Load(mask.data()));
  const auto octets = address.ip.octets();
  for (size_t i = 0; i < octets.size(); ++i) out[kAddressOffset + i] = octets[i] ^ mask[i];
}

}  // namespace jsp::stun
