#pragma once
#include <cstdint>
namespace jsp {

// The ECN field of an IP packet (RFC 3168 §5, figure 1), by its value on the wire.
enum class EcnMark : uint8_t {
  kNotEct = 0,  // the sender does not react to marks
  kEct1 = 1,
  kEct0 = 2,  // it does: a router may mark instead of dropping
  kCe = 3,    // a router met congestion
};

}  // namespace jsp
