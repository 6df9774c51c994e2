#include "transport/session_description.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "transport/sdp_line_reader.h"
#include "transport/sdp_section.h"
namespace jsp::transport {
namespace {

// RFC 8841 §4.3. declined: "TCP/DTLS/SCTP", which RFC 8841 §12.2 keeps out of offers, and the drafts' "DTLS/SCTP 5000".
bool IsDataChannelSection(const MediaLine& media) {
  return media.media == "application" && media.proto == "UDP/DTLS/SCTP" && media.format == "webrtc-datachannel";
}

// RFC 8866 §5.2: "o=<username> <sess-id> <sess-version> <nettype> <addrtype> <unicast-address>".
std::optional<Origin> ParseOrigin(std::string_view value) {
  if (std::ranges::count(value, ' ') != 5) return std::nullopt;
  Origin origin;
  const char* end = value.data() + value.size();
  const char* at = value.data() + value.find(' ') + 1;
  for (uint64_t* number : {&origin.session_id, &origin.session_version}) {
    const auto [stop, error] = std::from_chars(at, end, *number);
    if (error != std::errc{} || stop == end || *stop != ' ') return std::nullopt;
    at = stop + 1;
  }
  return origin;
}

// One description on its way from lines to levels to a SessionDescription. Used once.
class DescriptionParser {
 public:
  Expected<SessionDescription, SdpError> Parse(std::string_view sdp);

 private:
  std::optional<SdpError> ParseLine(const SdpLine& line);
  std::optional<SdpError> StartSection(const SdpLine& line);
  std::optional<SdpError> FindFault() const;
  Expected<SessionDescription, SdpError> Assemble();
  void AssembleRejected(SessionDescription& description) const;
  const SdpSection* FindTagged() const;
  bool IsBundled(const SdpSection& section) const {
    return section.mid && std::ranges::find(session_.bundle, *section.mid) != session_.bundle.end();
  }

  std::optional<Origin> origin_;
  bool has_version_ = false;
  SdpSection session_;
  std::vector<SdpSection> sections_;
  std::optional<size_t> ours_;
};

Expected<SessionDescription, SdpError> DescriptionParser::Parse(std::string_view sdp) {
  SdpLineReader reader(sdp);
  while (true) {
    auto line = reader.Next();
    if (!line) return Unexpected(std::move(line.error()));
    if (!*line) break;
    if (auto error = ParseLine(**line)) return Unexpected(std::move(*error));
  }
  return Assemble();
}

std::optional<SdpError> DescriptionParser::ParseLine(const SdpLine& line) {
  if (!has_version_) {
    // RFC 8866 §5.1: the description starts here, and there is one version.
    if (line.text != "v=0") return line.Refuse("a description starts with v=0");
    has_version_ = true;
    return std::nullopt;
  }
  if (line.type() == 'm') return StartSection(line);
  if (line.type() == 'o' && !origin_) {
    origin_ = ParseOrigin(line.value());
    if (!origin_) return line.Refuse("malformed origin");
  }
  if (line.type() != 'a') return std::nullopt;
  SdpSection& section = sections_.empty() ? session_ : sections_.back();
  const char* fault = ParseAttribute(line.value(), section);
  // What is wrong inside a section that we reject anyway does not matter.
  const bool matters = sections_.empty() || ours_ == sections_.size() - 1;
  return fault != nullptr && matters ? std::optional(line.Refuse(fault)) : std::nullopt;
}

std::optional<SdpError> DescriptionParser::StartSection(const SdpLine& line) {
  const auto media = ParseMediaLine(line);
  if (!media) return line.Refuse("malformed media description");
  if (sections_.size() >= kMaxMediaSections) return line.Refuse("too many media descriptions");
  if (!ours_ && IsDataChannelSection(*media)) ours_ = sections_.size();
  sections_.emplace_back().media = *media;
  return std::nullopt;
}

// RFC 9429 §5.2.1: inside a BUNDLE group the transport of the first mid is the transport of all.
const SdpSection* DescriptionParser::FindTagged() const {
  if (!IsBundled(sections_[*ours_])) return nullptr;
  const auto tagged = std::ranges::find_if(
      sections_, [&](const SdpSection& section) { return section.mid && *section.mid == session_.bundle.front(); });
  return tagged == sections_.end() ? nullptr : &*tagged;
}

std::optional<SdpError> DescriptionParser::FindFault() const {
  if (!has_version_) return SdpError{0, {}, "empty description"};
  if (!origin_) return SdpError{0, {}, "no o= line"};
  if (!ours_) return SdpError{0, {}, "no section m=application ... UDP/DTLS/SCTP webrtc-datachannel"};
  const SdpSection& ours = sections_[*ours_];
  const SdpLine& line = ours.media->line;
  if (ours.media->port == 0 && !ours.bundle_only) return line.Refuse("port 0: the peer rejected the data channels");
  // RFC 8841 §5.1: without the attribute "the associated "m=" line MUST be considered invalid".
  if (!ours.sctp.port) return line.Refuse("no a=sctp-port in this section");
  if (*ours.sctp.port == 0) return line.Refuse("a=sctp-port:0: the peer rejected the association");
  // RFC 8839 §5.3: ICE must not be used, and we use nothing else.
  if (ours.ice_mismatch) return line.Refuse("a=ice-mismatch: the peer does not use ICE");
  // RFC 8839 §5.4: "If two data streams have identical ice-ufrags, they MUST have identical ice-pwds."
  for (const SdpSection& other : sections_) {
    const bool is_same = ours.ufrag && other.ufrag == ours.ufrag;
    if (is_same && other.pwd && ours.pwd && *other.pwd != *ours.pwd) {
      return line.Refuse("another section has the same a=ice-ufrag and another a=ice-pwd");
    }
  }
  return std::nullopt;
}

// The first level of media, BUNDLE tag and session that has the attribute (RFC 8839 §5.4).
template <class T>
const std::optional<T>& FirstOf(const std::optional<T>& media, const std::optional<T>& tagged,
                                const std::optional<T>& session) {
  return media ? media : tagged ? tagged : session;
}

Expected<SessionDescription, SdpError> DescriptionParser::Assemble() {
  if (auto fault = FindFault()) return Unexpected(std::move(*fault));
  SdpSection& ours = sections_[*ours_];
  const SdpLine& line = ours.media->line;
  const SdpSection empty;
  const SdpSection* found = FindTagged();
  const SdpSection& tagged = found == nullptr ? empty : *found;

  const auto& ufrag = FirstOf(ours.ufrag, tagged.ufrag, session_.ufrag);
  const auto& pwd = FirstOf(ours.pwd, tagged.pwd, session_.pwd);
  if (!ufrag) return Unexpected(line.Refuse("no a=ice-ufrag for this section"));
  if (!pwd) return Unexpected(line.Refuse("no a=ice-pwd for this section"));
  const auto& setup = FirstOf(ours.setup, tagged.setup, session_.setup);
  if (!setup) return Unexpected(line.Refuse("no a=setup for this section"));

  SessionDescription description;
  description.origin = *origin_;
  description.mid = ours.mid.value_or("");
  description.bundle = IsBundled(ours);
  description.media_index = *ours_;
  AssembleRejected(description);
  description.ice = {*ufrag, *pwd};
  description.ice_lite = session_.ice_lite || ours.ice_lite;
  const auto options = FirstOf(ours.ice_options, tagged.ice_options, session_.ice_options);
  description.ice_options = options.value_or(IceOptionTags{});
  description.ice_pacing = session_.ice_pacing;
  // RFC 8122 §5: media level overrides session level.
  description.fingerprints = !ours.fingerprints.empty()     ? ours.fingerprints
                             : !tagged.fingerprints.empty() ? tagged.fingerprints
                                                            : session_.fingerprints;
  description.setup = *setup;
  description.sctp_port = *ours.sctp.port;
  description.max_message_size = ours.sctp.max_message_size;
  const SdpSection& transport = ours.ufrag || found == nullptr ? ours : tagged;
  description.candidates = transport.candidates;
  description.end_of_candidates = transport.end_of_candidates || session_.end_of_candidates;  // RFC 8840 §8.2
  return description;
}

void DescriptionParser::AssembleRejected(SessionDescription& description) const {
  for (size_t index = 0; index < sections_.size(); ++index) {
    if (index == *ours_) continue;
    const SdpSection& section = sections_[index];
    const MediaLine& media = *section.media;
    description.rejected.push_back({index, std::string(media.media), std::string(media.proto),
                                    std::string(media.format), section.mid.value_or("")});
  }
}

}  // namespace

Expected<SessionDescription, SdpError> ParseSessionDescription(std::string_view sdp) {
  return DescriptionParser().Parse(sdp);
}

// RFC 8840 §9.2. What comes before the first pseudo m= line holds for the session; of several sections the first
// counts.
Expected<TrickleFragment, SdpError> ParseTrickleFragment(std::string_view text) {
  SdpSection session;
  SdpSection media;
  size_t sections = 0;
  SdpLineReader reader(text);
  while (true) {
    auto line = reader.Next();
    if (!line) return Unexpected(std::move(line.error()));
    if (!*line) break;
    // RFC 8840 §4.4: the rest of a pseudo m= line is ignored.
    if ((*line)->type() == 'm') ++sections;
    if ((*line)->type() != 'a' || sections > 1) continue;
    const char* fault = ParseAttribute((*line)->value(), sections == 0 ? session : media);
    if (fault != nullptr) return Unexpected((*line)->Refuse(fault));
  }
  TrickleFragment fragment;
  const auto& ufrag = media.ufrag ? media.ufrag : session.ufrag;
  const auto& pwd = media.pwd ? media.pwd : session.pwd;
  if (ufrag) fragment.ice = ice::Credentials{*ufrag, pwd.value_or("")};
  const auto& mid = media.mid ? media.mid : session.mid;
  fragment.mid = mid.value_or("");
  fragment.candidates = std::move(session.candidates);
  std::ranges::move(media.candidates, std::back_inserter(fragment.candidates));
  fragment.end_of_candidates = session.end_of_candidates || media.end_of_candidates;
  return fragment;
}

}  // namespace jsp::transport
