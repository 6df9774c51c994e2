#include <algorithm>
#include <string>
#include <string_view>

#include "transport/session_description.h"
namespace jsp::transport {
namespace {

constexpr std::string_view kEnd = "\r\n";
// RFC 8840 §4.1.1: what stands for a default destination while there is no candidate.
constexpr const char* kNoAddress = "IN IP4 0.0.0.0";
constexpr uint16_t kDiscardPort = 9;

class Lines {
 public:
  template <class... Parts>
  void Add(const Parts&... parts) {
    (text_.append(parts), ...);
    text_.append(kEnd);
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

const char* ToString(Setup setup) {
  switch (setup) {
    case Setup::kActpass:
      return "actpass";
    case Setup::kActive:
      return "active";
    case Setup::kPassive:
      return "passive";
    case Setup::kHoldconn:
      return "holdconn";
  }
  return "holdconn";
}

// RFC 8839 §4.2.1.2 leaves the choice of the default to us: relayed before reflexive before host, as the most likely to
// work without ICE.
int DefaultRank(const ice::ParsedCandidate& parsed) {
  const ice::Candidate& candidate = parsed.candidate;
  if (!parsed.mdns_name.empty() || candidate.protocol != ice::TransportProtocol::kUdp) return 0;
  if (candidate.address.port == 0) return 0;  // in an m= line it would reject the section
  switch (candidate.type) {
    case ice::CandidateType::kRelayed:
      return 3;
    case ice::CandidateType::kServerReflexive:
    case ice::CandidateType::kPeerReflexive:
      return 2;
    case ice::CandidateType::kHost:
      return 1;
  }
  return 0;
}

const ice::Candidate* FindDefault(const std::vector<ice::ParsedCandidate>& candidates) {
  const auto best = std::ranges::max_element(candidates, {}, DefaultRank);
  return best == candidates.end() || DefaultRank(*best) == 0 ? nullptr : &best->candidate;
}

// A line that WriteCandidate wrote, with the connection-address, its fifth field, replaced by the name.
std::string WithName(const std::string& line, const std::string& name) {
  size_t start = 0;
  for (int field = 0; field < 4; ++field) start = line.find(' ', start) + 1;
  return line.substr(0, start) + name + line.substr(line.find(' ', start));
}

void AddCandidates(const std::vector<ice::ParsedCandidate>& candidates, Lines& lines) {
  for (const auto& parsed : candidates) lines.Add("a=", WriteCandidateLine(parsed));
}

// RFC 9429 §5.3.1: port zero, and the media and format of the offer.
void AddRejected(const RejectedMedia& rejected, Lines& lines) {
  lines.Add("m=", rejected.media, " 0 ", rejected.proto, " ", rejected.format);
  lines.Add("c=", kNoAddress);
  if (!rejected.mid.empty()) lines.Add("a=mid:", rejected.mid);
  lines.Add("a=inactive");
}

void AddIceOptions(const SessionDescription& description, Lines& lines) {
  std::string tags;
  if (description.ice_options.trickle) tags += " trickle";
  if (description.ice_options.ice2) tags += " ice2";
  if (description.ice_options.renomination) tags += " renomination";
  if (description.ice_options.port_probes) tags += " port-probes";
  if (!tags.empty()) lines.Add("a=ice-options:", tags.substr(1));
}

void AddOurs(const SessionDescription& description, Lines& lines) {
  // RFC 8839 §4.2.1.2: the m= and c= lines carry the default candidate.
  const ice::Candidate* chosen = FindDefault(description.candidates);
  const uint16_t port = chosen == nullptr ? kDiscardPort : chosen->address.port;
  lines.Add("m=application ", std::to_string(port), " UDP/DTLS/SCTP webrtc-datachannel");
  if (chosen == nullptr) {
    lines.Add("c=", kNoAddress);
  } else {
    lines.Add("c=IN ", chosen->address.ip.is_v4() ? "IP4 " : "IP6 ", chosen->address.ip.ToString());
  }
  AddCandidates(description.candidates, lines);
  if (description.end_of_candidates) lines.Add("a=end-of-candidates");
  lines.Add("a=ice-ufrag:", description.ice.ufrag);
  lines.Add("a=ice-pwd:", description.ice.pwd);
  AddIceOptions(description, lines);
  for (const auto& fingerprint : description.fingerprints) lines.Add("a=fingerprint:", fingerprint.ToString());
  lines.Add("a=setup:", ToString(description.setup));
  if (!description.mid.empty()) lines.Add("a=mid:", description.mid);
  lines.Add("a=sctp-port:", std::to_string(description.sctp_port));
  if (description.max_message_size) lines.Add("a=max-message-size:", std::to_string(*description.max_message_size));
}

}  // namespace

std::string WriteCandidateLine(const ice::ParsedCandidate& candidate) {
  const std::string line = ice::WriteCandidate(candidate.candidate);
  return candidate.mdns_name.empty() ? line : WithName(line, candidate.mdns_name);
}

// RFC 9429 §5.2.1: the order of its session part; the order inside the section is free.
std::string WriteSessionDescription(const SessionDescription& description) {
  Lines lines;
  lines.Add("v=0");
  lines.Add("o=- ", std::to_string(description.origin.session_id), " ",
            std::to_string(description.origin.session_version), " IN IP4 127.0.0.1");
  lines.Add("s=-");
  lines.Add("t=0 0");
  if (description.bundle && !description.mid.empty()) lines.Add("a=group:BUNDLE ", description.mid);
  if (description.ice_lite) lines.Add("a=ice-lite");
  // RFC 8839 §4.3.1: a lite agent, which checks nothing, leaves it out.
  if (description.ice_pacing && !description.ice_lite) {
    const auto pacing = std::chrono::duration_cast<std::chrono::milliseconds>(*description.ice_pacing);
    lines.Add("a=ice-pacing:", std::to_string(pacing.count()));
  }
  // RFC 9429 §5.3.1: as many m= sections as the offer has, in its order.
  size_t index = 0;
  for (const RejectedMedia& rejected : description.rejected) {
    if (index++ == description.media_index) AddOurs(description, lines);
    AddRejected(rejected, lines);
  }
  if (index <= description.media_index) AddOurs(description, lines);
  return lines.Take();
}

// RFC 8840 §4.4: the credentials stand at media level, where they stand in our descriptions, and the mid directly
// before the candidates.
std::string WriteTrickleFragment(const TrickleFragment& fragment) {
  Lines lines;
  lines.Add("m=application 9 UDP/DTLS/SCTP webrtc-datachannel");
  if (fragment.ice) {
    lines.Add("a=ice-ufrag:", fragment.ice->ufrag);
    lines.Add("a=ice-pwd:", fragment.ice->pwd);
  }
  if (!fragment.mid.empty()) lines.Add("a=mid:", fragment.mid);
  AddCandidates(fragment.candidates, lines);
  if (fragment.end_of_candidates) lines.Add("a=end-of-candidates");
  return lines.Take();
}

}  // namespace jsp::transport
