#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
#include "base/socket_address.h"
namespace jsp::transport {

// RFC 6762 §17: no multicast DNS message is longer.
inline constexpr size_t kMaxMdnsMessage = 9000;

enum class MdnsRecordType : uint16_t { kA = 1, kAaaa = 28 };

// RFC 6762 §5.4: who may hear the answer; with a unicast question only we.
enum class MdnsQuestionKind : uint8_t { kMulticast, kUnicast };

struct MdnsQuestion {
  std::string_view name;  // "label.local", without a final dot
  MdnsRecordType type = MdnsRecordType::kA;
  MdnsQuestionKind kind = MdnsQuestionKind::kMulticast;
  uint16_t id = 0;  // RFC 6762 §6.7: unicast answers to a simple resolver repeat it
};

// One question in one message: Chromium's responder reads no other. Octets written; nullopt when `out` is too small or
// the name cannot be written.
std::optional<size_t> WriteMdnsQuery(const MdnsQuestion& question, std::span<uint8_t> out);

// An address record of a response. The name is in lower case, "label.local"; octets that no host name has are "?".
struct MdnsAddress {
  std::string name;
  IpAddress address;
};

enum class MdnsParseErrc : uint8_t { kTooLong, kNotAResponse, kMalformed };
const char* ToString(MdnsParseErrc errc);

// The address records of a whole, well-formed response, of its answer and additional sections. Time and memory are
// linear in its size; compression pointers lead backwards, a bounded number of times (RFC 6762 §18.14).
Expected<std::vector<MdnsAddress>, MdnsParseErrc> ParseMdnsResponse(std::span<const uint8_t> message);

}  // namespace jsp::transport
