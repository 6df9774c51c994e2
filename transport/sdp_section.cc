#include "transport/sdp_section.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>
namespace jsp::transport {
namespace {

constexpr const char* kFine = nullptr;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool EqualsIgnoringCase(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, Lower, Lower); }

// RFC 8839 §5.1, ice-char.
bool IsIceChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

bool IsIceString(std::string_view text, size_t least) {
  constexpr size_t kMost = 256;  // RFC 8839 §5.4
  return text.size() >= least && text.size() <= kMost && std::ranges::all_of(text, IsIceChar);
}

// Decimal digits without sign; no leading zero (RFC 8841 §5.2, §6.2).
std::optional<uint64_t> ParseNumber(std::string_view text, uint64_t most) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

// The part of `rest` before the first of `separators`, which is removed with it.
std::string_view TakeToken(std::string_view& rest, std::string_view separators) {
  const size_t end = rest.find_first_of(separators);
  const std::string_view token = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return token;
}

const char* ParseMid(std::string_view value, SdpSection& section) {
  if (value.empty() || value.size() > kMaxMidSize || value.find(' ') != std::string_view::npos) return "bad mid";
  if (!section.mid) section.mid = value;
  return kFine;
}

// RFC 9429 §5.2.1: "a=group:BUNDLE" with the mids; other semantics are passed over.
const char* ParseGroup(std::string_view value, SdpSection& section) {
  if (TakeToken(value, " ") != "BUNDLE") return kFine;
  while (!value.empty()) {
    const std::string_view mid = TakeToken(value, " ");
    if (section.bundle.size() >= kMaxMediaSections) return "too many mids in a group";
    if (!mid.empty()) section.bundle.push_back(mid);
  }
  return kFine;
}

// RFC 8839 §5.4
const char* ParseUfrag(std::string_view value, SdpSection& section) {
  if (!IsIceString(value, 4)) return "ice-ufrag is not 4 to 256 ice-chars";
  if (!section.ufrag) section.ufrag = value;
  return kFine;
}

const char* ParsePwd(std::string_view value, SdpSection& section) {
  if (!IsIceString(value, 22)) return "ice-pwd is not 22 to 256 ice-chars";
  if (!section.pwd) section.pwd = value;
  return kFine;
}

// RFC 8839 §5.6, with spaces between the tags; commas are seen too.
const char* ParseIceOptions(std::string_view value, SdpSection& section) {
  IceOptionTags tags = section.ice_options.value_or(IceOptionTags{});
  while (!value.empty()) {
    const std::string_view tag = TakeToken(value, " ,");
    tags.trickle |= tag == "trickle";
    tags.ice2 |= tag == "ice2";
    tags.renomination |= tag == "renomination";
    tags.port_probes |= tag == "port-probes";
  }
  section.ice_options = tags;
  return kFine;
}

// RFC 8839 §5.5: 1 to 10 digits of milliseconds. More than a minute would be the end of checks (ATTACKS I9 the other
// way round), so that is the most.
const char* ParseIcePacing(std::string_view value, SdpSection& section) {
  constexpr uint64_t kMost = 60'000;
  uint64_t milliseconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), milliseconds);
  const bool is_number = !value.empty() && value.size() <= 10 && value.front() >= '0' && value.front() <= '9';
  if (!is_number || error != std::errc{} || end != value.data() + value.size()) {
    return "ice-pacing is not a number of 1 to 10 digits";
  }
  if (!section.ice_pacing) section.ice_pacing = std::chrono::milliseconds(std::min(milliseconds, kMost));
  return kFine;
}

// RFC 8122 §5: hash functions that we do not know are passed over, damaged ones that we know are not.
const char* ParseFingerprint(std::string_view value, SdpSection& section) {
  constexpr std::array<std::string_view, 5> kKnown{"sha-1", "sha-224", "sha-256", "sha-384", "sha-512"};
  auto fingerprint = dtls::Fingerprint::Parse(value);
  if (!fingerprint) {
    const std::string_view name = TakeToken(value, " ");
    const bool known = std::ranges::any_of(kKnown, [&](auto hash) { return EqualsIgnoringCase(hash, name); });
    return known || name.empty() || value.empty() ? "malformed fingerprint" : kFine;
  }
  if (section.fingerprints.size() >= kMaxFingerprints) return "too many fingerprints";
  section.fingerprints.push_back(std::move(*fingerprint));
  return kFine;
}

// RFC 8842 §5.1
const char* ParseSetup(std::string_view value, SdpSection& section) {
  constexpr std::pair<std::string_view, Setup> kRoles[] = {{"actpass", Setup::kActpass},
                                                           {"active", Setup::kActive},
                                                           {"passive", Setup::kPassive},
                                                           {"holdconn", Setup::kHoldconn}};
  const auto* role = std::ranges::find(kRoles, value, &std::pair<std::string_view, Setup>::first);
  if (role == std::end(kRoles)) return "unknown setup role";
  if (!section.setup) section.setup = role->second;
  return kFine;
}

// RFC 8841 §5.2
const char* ParseSctpPort(std::string_view value, SdpSection& section) {
  const auto port = ParseNumber(value, std::numeric_limits<uint16_t>::max());
  if (!port) return "sctp-port is not a number from 0 to 65535";
  if (!section.sctp.port) section.sctp.port = static_cast<uint16_t>(*port);
  return kFine;
}

// RFC 8841 §6.2
const char* ParseMaxMessageSize(std::string_view value, SdpSection& section) {
  const auto size = ParseNumber(value, std::numeric_limits<uint64_t>::max());
  if (!size) return "max-message-size is not a number";
  if (!section.sctp.max_message_size) section.sctp.max_message_size = *size;
  return kFine;
}

const char* ParseCandidateAttribute(std::string_view value, SdpSection& section) {
  constexpr size_t kMaxLine = 2048;
  if (value.size() > kMaxLine) return ToString(ice::CandidateParseErrc::kTooLong);
  auto parsed = ice::ParseCandidate("candidate:" + std::string(value));
  if (!parsed) {
    switch (parsed.error()) {
      // RFC 8839 §5.1: transports, address forms and types from the future are passed over, and so are names.
      case ice::CandidateParseErrc::kUnknownTransport:
      case ice::CandidateParseErrc::kBadAddress:
      case ice::CandidateParseErrc::kBadType:
        return kFine;
      default:
        return ToString(parsed.error());
    }
  }
  // RFC 8841 §12.2: one component; others belong to RTP.
  if (parsed->candidate.component != 1) return kFine;
  if (section.candidates.size() >= kMaxCandidates) return "too many candidates";
  section.candidates.push_back(std::move(*parsed));
  return kFine;
}

template <bool SdpSection::*kFlag>
const char* SetFlag(std::string_view, SdpSection& section) {
  section.*kFlag = true;
  return kFine;
}

struct Attribute {
  std::string_view name;
  const char* (*parse)(std::string_view value, SdpSection& section);
};

constexpr std::array<Attribute, 15> kAttributes{{
    {"candidate", ParseCandidateAttribute},
    {"end-of-candidates", SetFlag<&SdpSection::end_of_candidates>},
    {"ice-ufrag", ParseUfrag},
    {"ice-pwd", ParsePwd},
    {"ice-options", ParseIceOptions},
    {"ice-pacing", ParseIcePacing},
    {"ice-lite", SetFlag<&SdpSection::ice_lite>},
    {"ice-mismatch", SetFlag<&SdpSection::ice_mismatch>},
    {"fingerprint", ParseFingerprint},
    {"setup", ParseSetup},
    {"mid", ParseMid},
    {"group", ParseGroup},
    {"bundle-only", SetFlag<&SdpSection::bundle_only>},
    {"sctp-port", ParseSctpPort},
    {"max-message-size", ParseMaxMessageSize},
}};

}  // namespace

std::optional<MediaLine> ParseMediaLine(const SdpLine& line) {
  MediaLine media{line, {}, 0, {}, {}};
  std::string_view rest = line.value();
  media.media = TakeToken(rest, " ");
  std::string_view port = TakeToken(rest, " ");
  media.proto = TakeToken(rest, " ");
  media.format = rest;
  if (media.media.empty() || media.proto.empty() || media.format.empty()) return std::nullopt;
  // RFC 8866 §5.14: "<port>/<number of ports>"
  const auto number = ParseNumber(TakeToken(port, "/"), std::numeric_limits<uint16_t>::max());
  if (!number) return std::nullopt;
  media.port = static_cast<uint16_t>(*number);
  return media;
}

const char* ParseAttribute(std::string_view attribute, SdpSection& section) {
  std::string_view value = attribute;
  const std::string_view name = TakeToken(value, ":");
  // RFC 8840 §9.2: a receiver treats the names as case insensitive.
  const auto* known = std::ranges::find_if(kAttributes, [&](auto& a) { return EqualsIgnoringCase(a.name, name); });
  return known == kAttributes.end() ? kFine : known->parse(value, section);
}

}  // namespace jsp::transport
