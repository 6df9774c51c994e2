#include "transport/negotiation.h"

#include <utility>

namespace jsp::transport {
namespace {

using Code = DescriptionError::Code;

Unexpected<DescriptionError> Refuse(Code code, std::string message) {
  return Unexpected<DescriptionError>(DescriptionError{code, std::move(message)});
}

}  // namespace

// RFC 9429 §5.2.1: a 64-bit session id whose top bit is zero.
Negotiation::Negotiation(Rng& rng, ice::Implementation implementation)
    : implementation_(implementation), session_id_(rng.Random<uint64_t>() >> 1) {}

Expected<std::string, DescriptionError> Negotiation::CreateOffer(const LocalParameters& local) {
  if (phase_ == Phase::kHaveRemoteOffer) {
    return Refuse(Code::kWrongState, "cannot offer: a remote description was already set");
  }
  if (phase_ != Phase::kHaveLocalOffer) ++version_;
  phase_ = Phase::kHaveLocalOffer;
  offered_ice_ = local.ice;
  if (!IsAgreed()) ice_role_ = ice::Role::kControlling;  // RFC 8445 §6.1.1: the initiating agent controls
  return Render(local, Setup::kActpass);                 // RFC 8842 §5.2
}

Expected<std::string, DescriptionError> Negotiation::CreateAnswer(const LocalParameters& local) {
  const bool answered_before = phase_ == Phase::kStable && answers_;
  if (phase_ != Phase::kHaveRemoteOffer && !answered_before) {
    return Refuse(Code::kWrongState, "cannot answer: no remote offer was set");
  }
  // RFC 8838 §5: towards a peer without trickle we are an ordinary agent, whose answer has all candidates.
  if (!remote_->ice_options.trickle && !local.end_of_candidates) {
    return Refuse(Code::kWrongState, "cannot answer yet: the peer does not trickle; answer when gathering is complete");
  }
  if (!answered_before) ++version_;
  phase_ = Phase::kStable;
  answers_ = true;
  agreed_ice_ = local.ice;
  return Render(local, dtls_role_ == dtls::Role::kClient ? Setup::kActive : Setup::kPassive);
}

Expected<Negotiation::Applied, DescriptionError> Negotiation::ApplyRemote(SdpType type, std::string_view sdp) {
  const bool is_offer = type == SdpType::kOffer;
  const bool fits = is_offer ? phase_ == Phase::kNew || phase_ == Phase::kStable : phase_ == Phase::kHaveLocalOffer;
  if (!fits) {
    return Refuse(Code::kWrongState, is_offer ? "an offer came although a description was made or set"
                                              : "an answer came without an offer of ours");
  }
  auto parsed = ParseSessionDescription(sdp);
  if (!parsed) return Refuse(Code::kBadSdp, parsed.error().ToString());
  if (auto checked = CheckRemote(type, *parsed); !checked) return Unexpected<DescriptionError>(checked.error());
  Applied applied = Applied::kFirst;
  if (IsAgreed()) {
    const auto later = CheckLater(type, *parsed);
    if (!later) return later;
    applied = *later;
  } else {
    // RFC 8842 §5.3: the answerer to actpass should be active; whoever is active is the DTLS client.
    const bool we_are_client = is_offer ? parsed->setup != Setup::kActive : parsed->setup == Setup::kPassive;
    dtls_role_ = we_are_client ? dtls::Role::kClient : dtls::Role::kServer;
    // RFC 8445 §6.1.1: the offerer controls, but a lite agent never does against a full one.
    const bool we_control = (!is_offer || parsed->ice_lite) && implementation_ == ice::Implementation::kFull;
    ice_role_ = we_control ? ice::Role::kControlling : ice::Role::kControlled;
  }
  phase_ = is_offer ? Phase::kHaveRemoteOffer : Phase::kStable;
  if (!is_offer) {
    agreed_ice_ = offered_ice_;
    answers_ = false;
  }
  remote_ = std::move(*parsed);
  return applied;
}

bool Negotiation::Rollback() {
  if (phase_ != Phase::kHaveLocalOffer || !IsAgreed()) return false;
  phase_ = Phase::kStable;
  answers_ = false;
  return true;
}

// What may change after the first round: candidates, and both ICE credentials at once (RFC 8839 §4.4).
Expected<Negotiation::Applied, DescriptionError> Negotiation::CheckLater(SdpType type,
                                                                         const SessionDescription& remote) const {
  const SessionDescription& before = *remote_;
  const bool new_ufrag = remote.ice.ufrag != before.ice.ufrag;
  if (new_ufrag != (remote.ice.pwd != before.ice.pwd)) {
    return Refuse(Code::kIncompatible, "only one of a=ice-ufrag and a=ice-pwd changed; an ICE restart changes both");
  }
  const bool is_options_same = remote.ice_options == before.ice_options && remote.ice_lite == before.ice_lite &&
                               remote.ice_pacing == before.ice_pacing;
  // RFC 8839 §4.4.2.1
  if (!new_ufrag && !is_options_same) {
    return Refuse(Code::kIncompatible, "a=ice-options, a=ice-lite or a=ice-pacing changed without an ICE restart");
  }
  const bool is_own_restart = offered_ice_ != agreed_ice_;
  if (type == SdpType::kAnswer && new_ufrag != is_own_restart) {
    return Refuse(Code::kIncompatible, new_ufrag ? "the answer restarts ICE, which our offer did not"
                                                 : "our offer restarts ICE and the answer does not");
  }
  // RFC 8842 §5.5: a new DTLS association would end every channel.
  const bool is_client = dtls_role_ == dtls::Role::kClient;
  const Setup kept = is_client ? Setup::kPassive : Setup::kActive;
  const bool is_role_kept = remote.setup == kept || (type == SdpType::kOffer && remote.setup == Setup::kActpass);
  if (!is_role_kept || remote.fingerprints != before.fingerprints || remote.sctp_port != before.sctp_port) {
    return Refuse(Code::kIncompatible,
                  "the DTLS role, the fingerprints or the SCTP port changed; that needs another connection");
  }
  return new_ufrag ? Applied::kRestart : Applied::kSame;
}

Expected<void, DescriptionError> Negotiation::CheckRemote(SdpType type, const SessionDescription& remote) const {
  // RFC 8842 §5.3: an answer is active or passive.
  if (type == SdpType::kAnswer && remote.setup == Setup::kActpass) {
    return Refuse(Code::kIncompatible, "the answer says a=setup:actpass; it must be active or passive");
  }
  if (remote.setup == Setup::kHoldconn) {
    return Refuse(Code::kIncompatible, "the description says a=setup:holdconn; no DTLS association would be made");
  }
  if (remote.ice_lite && implementation_ == ice::Implementation::kLite) {
    return Refuse(Code::kIncompatible, "both sides are a=ice-lite; nobody would check a path");
  }
  // RFC 8122 §5: without a fingerprint of a known hash nobody can be authenticated.
  if (remote.fingerprints.empty()) {
    return Refuse(Code::kIncompatible, "the description has no a=fingerprint line with a known hash function");
  }
  return {};
}

uint64_t Negotiation::remote_max_message_size() const {
  constexpr uint64_t kDefault = 65536;  // RFC 8841 §6.1
  return remote_ ? remote_->max_message_size.value_or(kDefault) : kDefault;
}

std::string Negotiation::Render(const LocalParameters& local, Setup setup) {
  SessionDescription description;
  description.origin = {session_id_, version_};
  if (remote_) {  // an answer mirrors the offer's m= sections (RFC 9429 §5.3.1)
    description.mid = remote_->mid;
    description.bundle = remote_->bundle;
    description.media_index = remote_->media_index;
    description.rejected = remote_->rejected;
  }
  description.ice = local.ice;
  description.ice_lite = implementation_ == ice::Implementation::kLite;
  description.ice_options.renomination = local.renomination;
  description.ice_options.port_probes = local.port_probes;
  if (local.pacing_interval != ice::kDefaultPacingInterval) description.ice_pacing = local.pacing_interval;
  description.fingerprints = {local.fingerprint};
  description.setup = setup;
  description.sctp_port = local.sctp_port;
  description.max_message_size = local.max_message_size;
  description.candidates = local.candidates;
  description.end_of_candidates = local.end_of_candidates;
  return WriteSessionDescription(description);
}

}  // namespace jsp::transport
