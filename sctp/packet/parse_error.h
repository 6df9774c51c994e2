#pragma once
#include <cstdint>

#include "base/expected.h"
namespace jsp::sctp {

// Why octets are not what they should be. Parsers return it and change nothing; a core counts it and drops.
enum class ParseErrc : uint8_t {
  kTruncated,    // shorter than its fixed part
  kBadType,      // another type of chunk, parameter or cause
  kBadLength,    // a length field that its surroundings or its own contents contradict
  kBadChecksum,  // RFC 9260 §6.8
  kBadValue,     // well formed, but forbidden
};

struct ParseError {
  ParseErrc code;
  uint16_t offset;  // octets into what was given to Parse; for a chunk, parameter or cause counted from its header
  bool operator==(const ParseError&) const = default;
};

}  // namespace jsp::sctp
