// Sockets and checks beyond those of pairs, where both NATs would keep them apart: ice/prediction_probes.h.
#include <algorithm>
#include <utility>
#include <vector>

#include "ice/stun_attributes.h"
#include "stun/transaction_id.h"
#include "transport/peer_impl.h"

namespace jsp::transport {

// What is hit becomes a candidate at any time, which is what renomination is for.
bool Peer::Impl::SaysPortProbes() const {
  return options->probing.is_enabled && !options->only_relays && options->ice.mobility.renomination &&
         options->ice.implementation == ice::Implementation::kFull;
}

void Peer::Impl::BeginProbes(Timestamp now) {
  if (SaysPortProbes() && agent.CanMove() && negotiation.remote()->ice_options.port_probes) {
    gathering.probes.Begin(now);
  } else {
    gathering.probes.Stop();
  }
}

bool Peer::Impl::HasDirectPair() const {
  const auto& pair = agent.selected_pair();
  const auto is_relayed = [](const ice::Candidate& c) { return c.type == ice::CandidateType::kRelayed; };
  return pair && !is_relayed(pair->local) && !is_relayed(pair->remote);
}

// Early-inbound poison: transport/hole_opener.h. The restart is signalled, and so the application's to carry out.
void Peer::Impl::MaybeRecover(Timestamp now) {
  if (!gathering.holes.PollRecovery(now) || options->only_relays) return;
  const ice::SeenNat ours = ice::SeeNat(agent.local_candidates());
  if (!ours.address || ours.varies) return;
  events.Push(event::FreshSocketsWanted{});
  events.Push(event::IceRestartNeeded{"no direct path; fresh sockets may find one"});
}

void Peer::Impl::PumpProbes(Timestamp now) {
  ice::PortProbes& probes = gathering.probes;
  if (HasDirectPair()) {
    probes.Stop();
    gathering.holes.HandleDirectPair();
  } else {
    probes.Update(now, agent.local_candidates());
    MaybeRecover(now);
  }
  if (auto wanted = probes.PollSocketsWanted()) {
    events.Push(event::ProbeSocketsWanted{wanted->address, wanted->count});
  }
  if (auto unused = probes.TakeUnused(); !unused.empty()) events.Push(event::ProbeSocketsDone{std::move(unused)});
}

// A socket that a check of the peer's found its way to.
bool Peer::Impl::TakeProbed(Timestamp now, const SocketAddress& local, std::span<const uint8_t> datagram) {
  if (!agent.IsAuthenticCheck(datagram) || !gathering.probes.Take(local)) return false;
  ice::Candidate candidate;
  candidate.address = local;
  candidate.base = local;
  return agent.AddLocalCandidate(now, candidate).has_value();
}

// They are none of the gatherer's, and go with the address that they share with one that is.
void Peer::Impl::LoseProbedSockets(Timestamp now, std::span<const LocalAddress> present) {
  std::vector<SocketAddress> lost;
  for (const ice::Candidate& candidate : agent.local_candidates()) {
    const bool is_socket =
        candidate.type == ice::CandidateType::kHost && candidate.protocol == ice::TransportProtocol::kUdp;
    const auto shares = [&](const LocalAddress& local) { return local.address.ip == candidate.base.ip; };
    if (is_socket && std::ranges::none_of(present, shares)) lost.push_back(candidate.base);
  }
  for (const SocketAddress& base : lost) agent.LoseLocalBase(now, base);
}

std::optional<Peer::Transmit> Peer::Impl::PollProbe(Timestamp now, std::span<uint8_t> out) {
  if (out.size() < ice::kMaxMessageSize) return std::nullopt;
  const auto shot = gathering.probes.PollShot(now);
  if (!shot) return std::nullopt;
  const size_t size =
      shot->is_check ? agent.WriteProbe(shot->local, out) : ice::WriteKeepalive(out, stun::TransactionId::Random(rng));
  if (size == 0) return std::nullopt;
  return Transmit{size, shot->local, shot->remote};
}

void Peer::HandleProbeSockets(Timestamp now, std::span<const SocketAddress> sockets) {
  impl_->gathering.probes.HandleSockets(now, sockets);
  impl_->Pump(now);
}

}  // namespace jsp::transport
