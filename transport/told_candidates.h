#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/socket_address.h"
#include "ice/candidate_sdp.h"
namespace jsp::transport {

// What a peer is told of our host candidates, which are used all the same: RFC 8828 §5.2 and
// draft-ietf-mmusic-mdns-ice-candidates.
enum class HostExposure : uint8_t {
  kAddresses,  // RFC 8828 modes 1 and 2
  kNames,      // "….local" instead of the address, which only hosts of the same link can resolve
  kNothing,    // RFC 8828 mode 3
};

// Turns candidates of ours into what is signalled. Owns the names: one for each local address, unlike those of any
// other peer, so that they tell nothing but that.
class ToldCandidates {
 public:
  ToldCandidates(HostExposure hosts, Rng& rng) : hosts_(hosts), rng_(rng) {}

  // nullopt: the peer is told nothing.
  std::optional<ice::ParsedCandidate> Tell(const ice::Candidate& candidate);

  struct Named {
    std::string name;
    IpAddress address;
  };
  // A name that was given since the last call, for a responder to know.
  std::optional<Named> PollNewName();

 private:
  const std::string& NameOf(const IpAddress& address);

  HostExposure hosts_;
  Rng& rng_;
  std::vector<Named> names_;      // in order of age
  std::vector<Named> new_names_;  // likewise
};

}  // namespace jsp::transport
