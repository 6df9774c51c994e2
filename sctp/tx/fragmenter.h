#pragma once
#include <cstddef>
#include <cstdint>

#include "sctp/tx/message_pool.h"
namespace jsp::sctp {

// A piece of a queued message that becomes one DATA chunk (RFC 9260 §6.9). Refers to the payload, does not hold it.
struct Fragment {
  MessageHandle message;
  uint32_t offset = 0;
  uint32_t fsn = 0;  // which fragment of its user message (RFC 8260 §2.1)
  uint16_t length = 0;
  bool begins = false;  // the B bit
  bool ends = false;    // the E bit
};

// Octets of user data that the next fragment takes from a message of which `remaining` are left, when the packet has
// room for `room` and an empty one has room for `max_length`. 0: it is better to begin the next packet.
//
// RFC 9260 §6.9 lets the sender choose. What fits goes whole; what does not fit fills the packet, except that a piece
// below a quarter of the largest one is not worth its headers (the sender's side of the silly window, RFC 9260 §6.1 A).
// Behind a full packet of the same moment it is: packets of one size pass the kernel as one.
enum class Follows : uint8_t { kNothing, kFullPacket };
constexpr size_t kMinTrainPiece = 16;  // less than the headers of the chunk
constexpr size_t NextFragmentLength(size_t remaining, size_t room, size_t max_length,
                                    Follows follows = Follows::kNothing) {
  if (remaining <= room && remaining <= max_length) return remaining;
  if (room >= max_length) return max_length;
  if (room < (follows == Follows::kFullPacket ? kMinTrainPiece : max_length / 4)) return 0;
  return room & ~size_t{3};
}

}  // namespace jsp::sctp
