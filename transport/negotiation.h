#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/expected.h"
#include "base/rng.h"
#include "dtls/session.h"
#include "ice/agent.h"
#include "transport/description_error.h"
#include "transport/session_description.h"
namespace jsp::transport {

// What of ours goes into a description.
struct LocalParameters {
  ice::Credentials ice;
  dtls::Fingerprint fingerprint;
  uint16_t sctp_port = 5000;
  uint64_t max_message_size = 0;                 // 0 = no limit
  std::vector<ice::ParsedCandidate> candidates;  // as the peer is told
  bool end_of_candidates = false;
  bool renomination = false;
  bool port_probes = false;
  Duration pacing_interval = ice::kDefaultPacingInterval;
};

// The offer/answer state of one peer (RFC 9429 §3.2): which side offers, what the other side said last, and the DTLS
// and ICE roles that the first round decided. Later rounds may restart ICE or add candidates; whatever would need
// another DTLS association is refused. Owns the remote description; builds and checks descriptions, performs nothing.
class Negotiation {
 public:
  explicit Negotiation(Rng& rng, ice::Implementation implementation = ice::Implementation::kFull);

  // May be repeated to render candidates that were gathered since. Other credentials than those of the last round in
  // `local` are a restart of ours.
  Expected<std::string, DescriptionError> CreateOffer(const LocalParameters& local);
  // Refused while we gather for a peer that does not trickle (RFC 8838 §5).
  Expected<std::string, DescriptionError> CreateAnswer(const LocalParameters& local);
  // kFirst: of the session. kSame: nothing new but candidates. kRestart: the peer's credentials are new (RFC 8839
  // §4.4.1.1.1).
  enum class Applied : uint8_t { kFirst, kSame, kRestart };
  // On success remote() is set, and dtls_role() and ice_role() are final. A refusal changes nothing.
  Expected<Applied, DescriptionError> ApplyRemote(SdpType type, std::string_view sdp);
  // RFC 9429 §4.1.10.2: forgets an offer of ours, after the first round, so that the peer's can be taken. False when
  // there is none.
  bool Rollback();

  bool IsStable() const { return phase_ == Phase::kStable; }
  const std::optional<SessionDescription>& remote() const { return remote_; }
  // Those of the last description, once: who has them needs no other copy.
  std::vector<ice::ParsedCandidate> TakeRemoteCandidates() { return std::exchange(remote_->candidates, {}); }
  dtls::Role dtls_role() const { return dtls_role_; }
  ice::Role ice_role() const { return ice_role_; }
  // RFC 8841 §6.1: what the peer accepts in one message; 0 = no limit.
  uint64_t remote_max_message_size() const;

 private:
  enum class Phase : uint8_t { kNew, kHaveLocalOffer, kHaveRemoteOffer, kStable };

  std::string Render(const LocalParameters& local, Setup setup);
  Expected<void, DescriptionError> CheckRemote(SdpType type, const SessionDescription& remote) const;
  Expected<Applied, DescriptionError> CheckLater(SdpType type, const SessionDescription& remote) const;
  bool IsAgreed() const { return !agreed_ice_.ufrag.empty(); }

  ice::Implementation implementation_;
  uint64_t session_id_;
  uint64_t version_ = 0;
  ice::Credentials agreed_ice_;   // ours of the last complete round
  ice::Credentials offered_ice_;  // ours of this one
  Phase phase_ = Phase::kNew;
  bool answers_ = false;  // the last round was the peer's
  dtls::Role dtls_role_ = dtls::Role::kServer;
  ice::Role ice_role_ = ice::Role::kControlling;
  std::optional<SessionDescription> remote_;
};

}  // namespace jsp::transport
