#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dtls/fingerprint.h"
#include "ice/candidate_sdp.h"
#include "transport/sdp_line_reader.h"
#include "transport/session_description.h"
namespace jsp::transport {

// What a description may make us keep (ATTACKS I8, I19).
inline constexpr size_t kMaxMediaSections = 64;
inline constexpr size_t kMaxCandidates = 256;  // of one section; more than any agent pairs
inline constexpr size_t kMaxFingerprints = 16;
inline constexpr size_t kMaxMidSize = 64;

// "m=<media> <port> <proto> <fmt> ..." (RFC 8866 §5.14).
struct MediaLine {
  SdpLine line;
  std::string_view media;
  uint16_t port = 0;
  std::string_view proto;
  std::string_view format;
};
// nullopt when it is malformed; a port past 65535 is.
std::optional<MediaLine> ParseMediaLine(const SdpLine& line);

// RFC 8841 §5, §6.
struct SctpAttributes {
  std::optional<uint16_t> port;
  std::optional<uint64_t> max_message_size;
};

// The attributes of one level of a description, session or media, as they came: absent is not the same as default.
struct SdpSection {
  std::optional<MediaLine> media;  // nullopt at session level
  std::optional<std::string> mid;
  std::vector<std::string_view> bundle;  // session level: the mids of the BUNDLE groups, one group after the other
  bool bundle_only = false;
  bool ice_lite = false;
  bool ice_mismatch = false;
  std::optional<std::string> ufrag;
  std::optional<std::string> pwd;
  std::optional<IceOptionTags> ice_options;
  std::optional<Duration> ice_pacing;
  std::vector<dtls::Fingerprint> fingerprints;  // with a known hash function
  std::optional<Setup> setup;
  SctpAttributes sctp;
  std::vector<ice::ParsedCandidate> candidates;
  bool end_of_candidates = false;
};

// Reads the value of an a= line into `section`. nullptr, or why the line is refused. Unknown attributes, candidates of
// unknown kinds (RFC 8839 §5.1) and fingerprints of unknown hash functions (RFC 8122 §5) are passed over; of an
// attribute that came twice the first counts.
const char* ParseAttribute(std::string_view attribute, SdpSection& section);

}  // namespace jsp::transport
