// A connection that is idle: what it gives back, and how little of it is looked at. Ten thousand of them do not fit the
// caches of a processor: what consent touches has to come from memory each time.
#include <algorithm>
#include <chrono>

#include "transport/peer_impl.h"

namespace jsp::transport {
namespace {

// Without a record: a connection is idle. Consent checks wake it often enough to notice.
constexpr Duration kRestAfter = std::chrono::seconds(3);
// Kept of the budget of all connections beyond what an idle one holds and works with: so that messages of 16 KiB go on
// when others have taken the rest.
constexpr size_t kReceiveReserve = size_t{20} * 1024;

}  // namespace

// The layers keep what their largest moment took, as long as such moments may follow.
void Peer::Impl::MaybeRest(Timestamp now) {
  if (!secured || secured->is_resting || now - secured->last_record < kRestAfter || !secured->dtls.is_connected())
    return;
  secured->is_resting = true;
  gathering.gatherer.Trim();
  remote_candidates.Trim();
  gathering.relays.Trim();
  agent.Trim();
  secured->dtls.Trim();
  secured->sctp.Trim();
  channels.Trim();
  events.Trim();
  if (memory.share.is_limited()) memory.share.Settle(HeldMemory().total() + kWorkingOctets + kReceiveReserve);
}

// What an idle connection hears is consent, which concerns the agent alone.
bool Peer::Impl::IsUnmoved() const {
  return secured && secured->is_resting && !agent.has_events() && HasDirectPair() && early.empty() && !gathering.tcp;
}

// After everything was asked and had nothing to send.
void Peer::Impl::MaybeBeQuiet() {
  if (farewell || progress.is_final() || !IsUnmoved()) return;
  secured->quiet_until = NextTimeoutBesidesIce();
}

bool Peer::Impl::IsQuiet(Timestamp now) const { return secured && secured->quiet_until && now < *secured->quiet_until; }

void Peer::Impl::Wake() {
  if (secured) secured->quiet_until.reset();
}

Timestamp Peer::Impl::NextTimeoutBesidesIce() const {
  Timestamp next = std::min({gathering.gatherer.NextTimeout(), channels.NextTimeout(), gathering.relays.NextTimeout(),
                             gathering.holes.NextTimeout(), gathering.probes.NextTimeout()});
  if (gathering.tcp) next = std::min(next, gathering.tcp->NextTimeout());
  if (!secured) return next;
  // Without a path SCTP's pacing would be due for as long as there is none; its other timers wait as well.
  const auto& pair = agent.selected_pair();
  const bool has_path = pair && !IsTcpBlocked(*pair);
  next = std::min(next, secured->dtls.NextTimeout());
  return has_path ? std::min(next, secured->sctp.NextTimeout()) : next;
}

}  // namespace jsp::transport
