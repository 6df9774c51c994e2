#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/expected.h"
#include "ice/candidate.h"
namespace jsp::ice {

enum class CandidateParseErrc : uint8_t {
  kTooFewFields,
  kBadFoundation,
  kBadComponent,
  kUnknownTransport,  // not an error of the peer's: ignore the candidate (RFC 8839 §5.1)
  kBadPriority,
  kBadAddress,
  kBadPort,
  kBadType,
  kBadExtension,
  kTooLong,
};
const char* ToString(CandidateParseErrc errc);

// A parsed candidate-attribute. With `mdns_name` the address is a name "….local" still to be resolved, and
// `candidate.address.ip` is meaningless.
struct ParsedCandidate {
  Candidate candidate;
  std::string mdns_name;
  std::string ufrag;  // extension "ufrag", empty when absent
};

// "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host …" (RFC 8839 §5.1), with or without "a=" in front.
Expected<ParsedCandidate, CandidateParseErrc> ParseCandidate(std::string_view line);
// Without "a=" in front.
std::string WriteCandidate(const Candidate& candidate);

}  // namespace jsp::ice
