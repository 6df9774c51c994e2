#pragma once
#include <cstdint>
#include <string>
namespace jsp::transport {

enum class SdpType : uint8_t { kOffer, kAnswer };

// What was wrong with a description or a call of the signalling verbs, in one line that names the offending line.
struct DescriptionError {
  enum class Code : uint8_t { kBadSdp, kWrongState, kIncompatible, kClosed };
  Code code;
  std::string message;
};

}  // namespace jsp::transport
