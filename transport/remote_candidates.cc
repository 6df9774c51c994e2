#include "transport/remote_candidates.h"

#include <algorithm>
#include <utility>

namespace jsp::transport {

namespace {

constexpr size_t kMaxPast = 4;  // generations whose late candidates are known for what they are

}  // namespace

bool RemoteCandidates::IsPast(std::string_view ufrag) const {
  return std::ranges::find(past_ufrags_, ufrag) != past_ufrags_.end();
}

void RemoteCandidates::Add(ice::ParsedCandidate candidate) {
  if (!ufrag_) return KeepOrphan(std::move(candidate));
  if (candidate.ufrag.empty() || candidate.ufrag == *ufrag_) return Route(std::move(candidate));
  if (!IsPast(candidate.ufrag)) return KeepOrphan(std::move(candidate));
  ++dropped_;
}

void RemoteCandidates::KeepOrphan(ice::ParsedCandidate candidate) {
  if (orphans_.size() >= limits_.max_orphans) {
    ++dropped_;
    return;
  }
  orphans_.push_back(std::move(candidate));
}

void RemoteCandidates::HandleDescription(std::string ufrag) {
  if (ufrag_ == ufrag) return;
  if (ufrag_) {
    past_ufrags_.push_back(std::move(*ufrag_));
    if (past_ufrags_.size() > kMaxPast) past_ufrags_.erase(past_ufrags_.begin());
    dropped_ += unresolved_.size() + ready_.size();
    unresolved_.clear();
    ready_.clear();
    end_signalled_ = false;
    end_polled_ = false;
  }
  ufrag_ = std::move(ufrag);
  if (!early_end_.empty()) end_signalled_ = early_end_ == *ufrag_;
  early_end_.clear();
  for (auto& orphan : std::exchange(orphans_, {})) Route(std::move(orphan));
}

void RemoteCandidates::HandleEnd(std::string_view ufrag) {
  if (ufrag.empty() || ufrag == ufrag_) {
    end_signalled_ = true;
  } else if (!IsPast(ufrag)) {
    early_end_ = ufrag;
  }
}

void RemoteCandidates::Route(ice::ParsedCandidate candidate) {
  if (!candidate.ufrag.empty() && candidate.ufrag != *ufrag_) {
    ++dropped_;
    return;
  }
  if (candidate.mdns_name.empty()) {
    ready_.push_back(std::move(candidate.candidate));
    return;
  }
  if (unresolved_.size() >= limits_.max_unresolved_names) {
    ++dropped_;
    return;
  }
  unresolved_.push_back({std::move(candidate)});
}

void RemoteCandidates::HandleResolved(std::string_view name, std::optional<IpAddress> address) {
  const auto is_it = [&](const Unresolved& u) { return u.candidate.mdns_name == name; };
  if (address) {
    for (auto& entry : unresolved_) {
      if (!is_it(entry)) continue;
      entry.candidate.candidate.address.ip = *address;
      ready_.push_back(std::move(entry.candidate.candidate));
    }
  }
  std::erase_if(unresolved_, is_it);
}

std::optional<ice::Candidate> RemoteCandidates::PollReady() {
  if (ready_.empty()) return std::nullopt;
  ice::Candidate first = std::move(ready_.front());
  ready_.erase(ready_.begin());
  return first;
}

std::optional<std::string> RemoteCandidates::PollNameToResolve() {
  const auto next = std::ranges::find(unresolved_, false, &Unresolved::asked);
  if (next == unresolved_.end()) return std::nullopt;
  const std::string name = next->candidate.mdns_name;
  for (auto& entry : unresolved_) {
    if (entry.candidate.mdns_name == name) entry.asked = true;
  }
  return name;
}

bool RemoteCandidates::PollEnd() {
  if (!end_signalled_ || end_polled_ || !ufrag_ || !unresolved_.empty() || !ready_.empty()) return false;
  end_polled_ = true;
  return true;
}

void RemoteCandidates::Trim() {
  orphans_.shrink_to_fit();
  unresolved_.shrink_to_fit();
  ready_.shrink_to_fit();
}

}  // namespace jsp::transport
