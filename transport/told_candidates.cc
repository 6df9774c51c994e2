#include "transport/told_candidates.h"

#include <algorithm>

#include "transport/mdns_responder.h"

namespace jsp::transport {
namespace {

// Addresses of a host that moves on and on; who still asks for older ones asks in vain.
constexpr size_t kMaxNames = 64;

}  // namespace

std::optional<ice::ParsedCandidate> ToldCandidates::Tell(const ice::Candidate& candidate) {
  ice::ParsedCandidate told{candidate, {}, {}};
  if (hosts_ == HostExposure::kAddresses) return told;
  if (candidate.type == ice::CandidateType::kHost) {
    if (hosts_ == HostExposure::kNothing) return std::nullopt;
    told.mdns_name = NameOf(candidate.address.ip);
  }
  // What was hidden does not come out as the related address of a reflexive candidate; that of a relayed one is no
  // host's.
  if (candidate.type == ice::CandidateType::kServerReflexive) told.candidate.related.reset();
  return told;
}

const std::string& ToldCandidates::NameOf(const IpAddress& address) {
  const auto known = std::ranges::find(names_, address, &Named::address);
  if (known != names_.end()) return known->name;
  if (names_.size() == kMaxNames) names_.erase(names_.begin());
  names_.push_back({MakeMdnsName(rng_), address});
  new_names_.push_back(names_.back());
  return names_.back().name;
}

std::optional<ToldCandidates::Named> ToldCandidates::PollNewName() {
  if (new_names_.empty()) return std::nullopt;
  Named next = std::move(new_names_.front());
  new_names_.erase(new_names_.begin());
  return next;
}

}  // namespace jsp::transport
