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
Negotiation::Negotiation(Rng& rng) : session_id_(rng.Random<uint64_t>() >> 1) {}

Expected<std::string, DescriptionError> Negotiation::CreateOffer(const LocalParameters& local) {
  if (phase_ != Phase::kNew && phase_ != Phase::kHaveLocalOffer) {
    return Refuse(Code::kWrongState, "cannot offer: a remote description was already set");
  }
  phase_ = Phase::kHaveLocalOffer;
  ice_role_ = ice::Role::kControlling;    // RFC 8445 §6.1.1: the initiating agent controls
  return Render(local, Setup::kActpass);  // RFC 8842 §5.2
}

Expected<std::string, DescriptionError> Negotiation::CreateAnswer(const LocalParameters& local) {
  const bool answered_before = phase_ == Phase::kStable && ice_role_ == ice::Role::kControlled;
  if (phase_ != Phase::kHaveRemoteOffer && !answered_before) {
    return Refuse(Code::kWrongState, "cannot answer: no remote offer was set");
  }
  phase_ = Phase::kStable;
  return Render(local, dtls_role_ == dtls::Role::kClient ? Setup::kActive : Setup::kPassive);
}

Expected<void, DescriptionError> Negotiation::ApplyRemote(SdpType type, std::string_view sdp) {
  const Phase required = type == SdpType::kOffer ? Phase::kNew : Phase::kHaveLocalOffer;
  if (phase_ != required) {
    return Refuse(Code::kWrongState, type == SdpType::kOffer ? "an offer came although a description was made or set"
                                                             : "an answer came without an offer of ours");
  }
  auto parsed = ParseSessionDescription(sdp);
  if (!parsed) return Refuse(Code::kBadSdp, parsed.error().ToString());
  if (auto checked = CheckRemote(type, *parsed); !checked) return checked;
  // RFC 8842 §5.3: the answerer to actpass should be active; whoever is active is the DTLS client.
  const bool we_are_client =
      type == SdpType::kOffer ? parsed->setup != Setup::kActive : parsed->setup == Setup::kPassive;
  dtls_role_ = we_are_client ? dtls::Role::kClient : dtls::Role::kServer;
  // RFC 8445 §6.1.1: the offerer controls, but a lite agent never does against a full one.
  const bool we_control = type == SdpType::kAnswer || parsed->ice_lite;
  ice_role_ = we_control ? ice::Role::kControlling : ice::Role::kControlled;
  phase_ = type == SdpType::kOffer ? Phase::kHaveRemoteOffer : Phase::kStable;
  remote_ = std::move(*parsed);
  return {};
}

Expected<void, DescriptionError> Negotiation::CheckRemote(SdpType type, const SessionDescription& remote) const {
  // RFC 8842 §5.3: an answer is active or passive.
  if (type == SdpType::kAnswer && remote.setup == Setup::kActpass) {
    return Refuse(Code::kIncompatible, "the answer says a=setup:actpass; it must be active or passive");
  }
  if (remote.setup == Setup::kHoldconn) {
    return Refuse(Code::kIncompatible, "the description says a=setup:holdconn; no DTLS association would be made");
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
  description.origin = {session_id_, 1};
  if (remote_) {  // an answer mirrors the offer's m= sections (RFC 9429 §5.3.1)
    description.mid = remote_->mid;
    description.bundle = remote_->bundle;
    description.media_index = remote_->media_index;
    description.rejected = remote_->rejected;
  }
  description.ice = local.ice;
  description.fingerprints = {local.fingerprint};
  description.setup = setup;
  description.sctp_port = local.sctp_port;
  description.max_message_size = local.max_message_size;
  for (const auto& candidate : *local.candidates) description.candidates.push_back({candidate, {}, {}});
  description.end_of_candidates = local.end_of_candidates;
  return WriteSessionDescription(description);
}

}  // namespace jsp::transport
