#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/socket_address.h"
#include "ice/candidate_sdp.h"
namespace jsp::transport {

// The peer's candidates on their way to the agent (RFC 8838): those that come before the description of their
// generation wait for it, those with a "….local" name wait for its address, and end-of-candidates waits for both.
// Those of a generation that is over are dropped. Bounded; what is over is dropped
// and counted. Owns only what waits; transport::Peer moves ready candidates to the agent.
class RemoteCandidates {
 public:
  struct Limits {
    size_t max_orphans = 64;
    size_t max_unresolved_names = 8;
  };
  explicit RemoteCandidates(const Limits& limits) : limits_(limits) {}

  void Add(ice::ParsedCandidate candidate);
  // The first generation, or the next after a restart; what waits for it is routed, the rest is stale (RFC 8839 §5.1).
  void HandleDescription(std::string ufrag);
  void HandleResolved(std::string_view name, std::optional<IpAddress> address);
  // RFC 8838 §13: of the generation that `ufrag` names, empty: of the present one.
  void HandleEnd(std::string_view ufrag = {});

  // A candidate with an address that the agent may have; call until nullopt.
  std::optional<ice::Candidate> PollReady();
  // A name that the owner should resolve; each is given once.
  std::optional<std::string> PollNameToResolve();
  // True once, when everything before end-of-candidates was polled or failed to resolve.
  bool PollEnd();
  // Gives back what empty lists hold.
  void Trim();

  uint64_t dropped() const { return dropped_; }

 private:
  struct Unresolved {
    ice::ParsedCandidate candidate;
    bool asked = false;
  };

  void Route(ice::ParsedCandidate candidate);
  void KeepOrphan(ice::ParsedCandidate candidate);
  bool IsPast(std::string_view ufrag) const;

  Limits limits_;
  std::optional<std::string> ufrag_;  // set with the description
  std::vector<ice::ParsedCandidate> orphans_;
  std::vector<Unresolved> unresolved_;
  std::vector<ice::Candidate> ready_;
  std::vector<std::string> past_ufrags_;  // the last kMaxPast
  std::string early_end_;                 // the end of a generation to come
  bool end_signalled_ = false;
  bool end_polled_ = false;
  uint64_t dropped_ = 0;
};

}  // namespace jsp::transport
