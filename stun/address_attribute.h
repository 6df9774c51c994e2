#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/socket_address.h"
#include "stun/attribute_type.h"
#include "stun/transaction_id.h"
namespace jsp::stun {

// The value of MAPPED-ADDRESS (RFC 8489 §14.1) and of every attribute that is coded like it or like
// XOR-MAPPED-ADDRESS (RFC 8489 §14.2): 8 octets for IPv4, 20 for IPv6.
constexpr size_t kMaxAddressValue = 20;

// True for the types of RFC 8489 and RFC 8656 §18 whose port and address are XORed.
constexpr bool IsXorAddress(AttributeType type) {
  return type == AttributeType::kXorMappedAddress || type == AttributeType::kXorPeerAddress ||
         type == AttributeType::kXorRelayedAddress;
}

// Reads a value, plain or XOR by `type`; nullopt for an unknown family or a size that does not fit the family.
std::optional<SocketAddress> ParseAddress(AttributeType type, std::span<const uint8_t> value, const TransactionId& id);
// 8 or 20.
inline size_t AddressValueSize(const SocketAddress& address) { return address.ip.is_v4() ? 8 : 20; }
// Writes a value; `out` has exactly AddressValueSize(address) octets. A scope id is not sent.
void WriteAddress(AttributeType type, const SocketAddress& address, const TransactionId& id, std::span<uint8_t> out);

}  // namespace jsp::stun
