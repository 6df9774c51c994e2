#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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
  uint64_t max_message_size = 0;  // 0 = no limit
  const std::vector<ice::Candidate>* candidates = nullptr;
  bool end_of_candidates = false;
};

// The offer/answer state of one peer (RFC 9429 §3.2, one round): which side offers, what the other side said, and the
// DTLS role that follows. Owns the remote description; builds and checks descriptions, performs nothing.
class Negotiation {
 public:
  explicit Negotiation(Rng& rng);

  // May be repeated to render candidates that were gathered since.
  Expected<std::string, DescriptionError> CreateOffer(const LocalParameters& local);
  Expected<std::string, DescriptionError> CreateAnswer(const LocalParameters& local);
  // On success remote() is set, and dtls_role() and ice_role() are final.
  Expected<void, DescriptionError> ApplyRemote(SdpType type, std::string_view sdp);

  const std::optional<SessionDescription>& remote() const { return remote_; }
  dtls::Role dtls_role() const { return dtls_role_; }
  ice::Role ice_role() const { return ice_role_; }
  // RFC 8841 §6.1: what the peer accepts in one message; 0 = no limit.
  uint64_t remote_max_message_size() const;

 private:
  enum class Phase : uint8_t { kNew, kHaveLocalOffer, kHaveRemoteOffer, kStable };

  std::string Render(const LocalParameters& local, Setup setup);
  Expected<void, DescriptionError> CheckRemote(SdpType type, const SessionDescription& remote) const;

  uint64_t session_id_;
  Phase phase_ = Phase::kNew;
  dtls::Role dtls_role_ = dtls::Role::kServer;
  ice::Role ice_role_ = ice::Role::kControlling;
  std::optional<SessionDescription> remote_;
};

}  // namespace jsp::transport
