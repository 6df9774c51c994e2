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

// A question that was heard. Its name is in lower case; a type that is no address matches nothing of ours.
struct MdnsAsked {
  std::string name;
  uint16_t type = 0;
  MdnsQuestionKind kind = MdnsQuestionKind::kMulticast;
  bool WantsAddress(MdnsRecordType own) const;  // that type, or any (RFC 6762 §6)
};
struct MdnsQuery {
  uint16_t id = 0;
  std::vector<MdnsAsked> questions;
};

// The address of a name of ours, or that it has none of the type that was asked for (RFC 6762 §6.1).
struct MdnsResponse {
  std::string_view name;
  IpAddress address;
  bool is_negative = false;
  uint32_t ttl = 120;  // seconds; RFC 6762 §10
  // RFC 6762 §6.7: to a simple resolver, with its id and question, without the cache-flush bit.
  struct Legacy {
    uint16_t id;
    uint16_t type;
  };
  std::optional<Legacy> legacy{};
};
// Octets written; nullopt when `out` is too small or the name cannot be written.
std::optional<size_t> WriteMdnsResponse(const MdnsResponse& response, std::span<uint8_t> out);

enum class MdnsParseErrc : uint8_t { kTooLong, kNotAResponse, kMalformed, kNotAQuery };
const char* ToString(MdnsParseErrc errc);

// The address records of a whole, well-formed response, of its answer and additional sections. Time and memory are
// linear in its size; compression pointers lead backwards, a bounded number of times (RFC 6762 §18.14).
Expected<std::vector<MdnsAddress>, MdnsParseErrc> ParseMdnsResponse(std::span<const uint8_t> message);

// The questions of a query; what follows them (RFC 6762 §7.1: known answers) is not read.
Expected<MdnsQuery, MdnsParseErrc> ParseMdnsQuery(std::span<const uint8_t> message);

}  // namespace jsp::transport
