#pragma once
#include <cstdint>
#include <span>
namespace jsp::transport {

// RFC 7983 §7: what a datagram on a shared port is, by its first octet.
enum class PacketKind : uint8_t { kStun, kZrtp, kDtls, kTurnChannel, kRtp, kUnknown };

// kUnknown for an empty datagram.
PacketKind ClassifyPacket(std::span<const uint8_t> datagram);

}  // namespace jsp::transport
