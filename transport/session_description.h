#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
#include "base/time.h"
#include "dtls/fingerprint.h"
#include "ice/candidate_sdp.h"
#include "ice/credentials.h"
namespace jsp::transport {

// RFC 8842 §5, RFC 4145 §4.
enum class Setup : uint8_t { kActpass, kActive, kPassive, kHoldconn };

// An m= section of an offer that is not ours: it is answered with port 0 (RFC 9429 §5.3.1).
struct RejectedMedia {
  size_t index = 0;    // among all m= sections, from 0
  std::string media;   // "audio"
  std::string proto;   // "UDP/TLS/RTP/SAVPF"
  std::string format;  // the format list, as it came
  std::string mid;
};

// RFC 8866 §5.2, the part of it that identifies the session.
struct Origin {
  uint64_t session_id = 0;
  uint64_t session_version = 0;
};

// RFC 8839 §5.6: the tags that mean something here.
struct IceOptionTags {
  bool trickle = false;
  bool ice2 = false;
  bool renomination = false;  // draft-thatcher-ice-renomination
  bool port_probes = false;   // ours: ice/prediction_probes.h
  bool operator==(const IceOptionTags&) const = default;
};

// What a WebRTC data-channel session signals (RFC 9429, 8839, 8841, 8842, 8122), parsed or to be written. One m=
// section of the kind "application … UDP/DTLS/SCTP webrtc-datachannel".
struct SessionDescription {
  Origin origin;
  std::string mid = "0";   // empty: none
  bool bundle = true;      // a=group:BUNDLE names our mid
  size_t media_index = 0;  // of our m= section among all
  std::vector<RejectedMedia> rejected;
  ice::Credentials ice;
  bool ice_lite = false;
  IceOptionTags ice_options{.trickle = true, .ice2 = true};
  std::optional<Duration> ice_pacing;  // RFC 8839 §5.5: the Ta that the sender wants; absent means 50 ms
  std::vector<dtls::Fingerprint> fingerprints;
  Setup setup = Setup::kActpass;
  uint16_t sctp_port = 5000;
  std::optional<uint64_t> max_message_size;  // RFC 8841 §6.1: absent means 65536, 0 means no limit
  std::vector<ice::ParsedCandidate> candidates;
  bool end_of_candidates = false;
};

// Why a description was refused; ToString() is one line: `line 7: "a=candidate:…": bad port`.
struct SdpError {
  size_t line = 0;   // from 1; 0: the description as a whole
  std::string text;  // the offending line, shortened and made printable
  std::string reason;
  std::string ToString() const;
};

constexpr size_t kMaxSdpSize = 64 * 1024;

// CRLF or LF; unknown lines and attributes are passed over, malformed known ones are errors. Attributes of the m=
// section precede those of its BUNDLE tag, and those precede the session's (RFC 8839 §5.4). The ICE credentials, setup
// and sctp-port of the result are valid; whether there is a fingerprint of a known hash function (RFC 8122 §5), and
// whether `setup` suits an answer (RFC 8842 §5.3), is for the caller to check.
Expected<SessionDescription, SdpError> ParseSessionDescription(std::string_view sdp);
// An offer, or an answer to the offer whose `rejected` and `media_index` were copied into `description`.
std::string WriteSessionDescription(const SessionDescription& description);

// "candidate:…", of a candidate with a name too. Without "a=" in front.
std::string WriteCandidateLine(const ice::ParsedCandidate& candidate);

// An application/trickle-ice-sdpfrag body (RFC 8840 §9): of one m= section, the first that is named.
struct TrickleFragment {
  std::optional<ice::Credentials> ice;  // `pwd` is empty when only the ufrag was given
  std::string mid;
  std::vector<ice::ParsedCandidate> candidates;
  bool end_of_candidates = false;
};
Expected<TrickleFragment, SdpError> ParseTrickleFragment(std::string_view fragment);
std::string WriteTrickleFragment(const TrickleFragment& fragment);

}  // namespace jsp::transport
