// What a peer says of itself, and what follows from what the other side says (RFC 8839 §4.2).
#include "transport/peer_impl.h"

namespace jsp::transport {

void Peer::Impl::HandleRemoteDescription(Timestamp now, SdpType type, Negotiation::Applied applied) {
  const SessionDescription& remote = *negotiation.remote();
  const bool is_first = applied == Negotiation::Applied::kFirst;
  if (is_first) agent.SetRole(negotiation.ice_role());
  // A restart of the peer's is answered by one of ours (RFC 8839 §4.4.2.1), unless it is the answer to ours.
  if (applied == Negotiation::Applied::kRestart && !agent.IsAwaitingDescription()) BeginGeneration(now);
  if (applied != Negotiation::Applied::kSame) {
    (void)agent.SetRemoteDescription(
        now, {remote.ice, remote.ice_lite, remote.ice_options.ice2,
              remote.ice_pacing.value_or(ice::kDefaultPacingInterval), remote.ice_options.renomination});
    BeginProbes(now);
    gathering.holes.HandleRemoteDescription(now, type);
  }
  if (is_first) Secure(now);
  remote_candidates.HandleDescription(remote.ice.ufrag);
  for (auto& candidate : negotiation.TakeRemoteCandidates()) remote_candidates.Add(std::move(candidate));
  // RFC 8838 §3: a peer that does not trickle has said all that it will say.
  if (remote.end_of_candidates || !remote.ice_options.trickle) remote_candidates.HandleEnd();
  Pump(now);
}

void Peer::Impl::BeginGeneration(Timestamp now) {
  if (!agent.Restart(now)) return;
  if (gathering.tcp) gathering.tcp->BeginGeneration();
  gathering.tcp_has_concluded = false;
  gathering.is_described = false;
  events.Push(event::IceRestarted{agent.local_credentials().ufrag});
  gathering.probes.HandleRestart();
  gathering.gatherer.Restart(now);
  gathering.relays.Restart(now);
}

// RFC 8838 §8: from here on the peer knows that there are no more; before, an address that came took its place.
void Peer::Impl::NoteDescribed(Timestamp now, SdpType type) {
  gathering.is_described = true;
  if (gathering.gatherer.is_complete()) agent.EndOfLocalCandidates(now);
  gathering.holes.HandleDescription(now, type, gathering.gatherer.local_addresses());
}

DescriptionError Peer::Impl::ClosedError() const {
  return {DescriptionError::Code::kClosed,
          "the connection is " + std::string(ToString(progress.state())) + ": " + progress.reason()};
}

LocalParameters Peer::Impl::LocalForDescription() {
  LocalParameters local;
  local.ice = agent.local_credentials();
  local.fingerprint = options->certificate->fingerprint();
  local.sctp_port = options->sctp.local_port;
  local.max_message_size = options->sctp.max_message_size;
  for (const ice::Candidate& candidate : agent.local_candidates()) {
    if (auto as_told = gathering.told.Tell(candidate)) local.candidates.push_back(std::move(*as_told));
  }
  local.end_of_candidates = gathering.gatherer.is_complete();
  local.pacing_interval = options->ice.pacing_interval;
  local.renomination = options->ice.mobility.renomination && options->ice.implementation == ice::Implementation::kFull;
  local.port_probes = SaysPortProbes();
  return local;
}

}  // namespace jsp::transport
