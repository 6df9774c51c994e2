// ICE over TCP (RFC 6544): connections that ICE takes for paths like others.
#include <utility>

#include "base/overloaded.h"
#include "transport/peer_impl.h"

namespace jsp::transport {

void Peer::AddTcpListener(Timestamp now, const LocalAddress& listener) {
  Impl& impl = *impl_;
  if (!impl.options->ice_tcp.is_passive() || impl.options->only_relays || impl.progress.is_final()) return;
  ice::Candidate candidate;
  candidate.protocol = ice::TransportProtocol::kTcpPassive;
  candidate.address = listener.address;
  candidate.base = {listener.address.ip, ice::kTcpPassivePort};
  candidate.network_id = listener.network_id;
  candidate.network_cost = listener.network_cost;
  impl.Pump(now);  // what goes over UDP comes first
  impl.AddCandidate(now, candidate);
  impl.Pump(now);
}

// RFC 6544 §4.1: one for each address; the port says nothing. A lite agent opens nothing (RFC 8445 §2.5).
void Peer::Impl::AddActiveCandidate(Timestamp now, const ice::Candidate& host) {
  const bool is_wanted = options->ice_tcp.is_active() && options->ice.implementation == ice::Implementation::kFull;
  if (!is_wanted || host.type != ice::CandidateType::kHost) return;
  ice::Candidate candidate;
  candidate.protocol = ice::TransportProtocol::kTcpActive;
  candidate.address = {host.address.ip, ice::kTcpActivePort};
  candidate.base = candidate.address;
  candidate.network_id = host.network_id;
  candidate.network_cost = host.network_cost;
  AddCandidate(now, candidate);  // of a second socket of the same address it is a duplicate
}

void Peer::HandleTcpConnected(Timestamp now, ice::TcpId id) {
  if (!impl_->gathering.tcp || impl_->progress.is_final()) return;
  impl_->gathering.tcp->HandleConnected(now, id);
  impl_->Pump(now);
}

void Peer::HandleTcpClosed(Timestamp now, ice::TcpId id) {
  if (!impl_->gathering.tcp || impl_->progress.is_final()) return;
  impl_->gathering.tcp->HandleClosed(now, id);
  impl_->Pump(now);
}

std::optional<ice::TcpId> Peer::HandleTcpAccepted(Timestamp now, const SocketAddress& listener,
                                                  const SocketAddress& remote, std::span<const uint8_t> check) {
  Impl& impl = *impl_;
  if (!impl.options->ice_tcp.is_passive() || impl.options->only_relays || impl.progress.is_final()) return std::nullopt;
  if (!impl.agent.IsAuthenticCheck(check)) {
    ++impl.demux.dropped_stun;
    return std::nullopt;
  }
  const SocketAddress base{listener.ip, ice::kTcpPassivePort};
  const auto id = impl.gathering.tcp->HandleAccepted(now, base, remote);
  if (!id) return std::nullopt;
  ++impl.demux.datagrams_received;
  impl.demux.bytes_received += check.size();
  impl.HandlePeerDatagram(now, base, remote, check, EcnMark::kNotEct);
  return id;
}

void Peer::HandleTcpOctets(Timestamp now, ice::TcpId id, std::span<const uint8_t> octets) {
  Impl& impl = *impl_;
  while (impl.gathering.tcp && !impl.progress.is_final()) {
    const auto received = impl.gathering.tcp->Next(now, id, octets);
    if (!received) break;
    const ice::AddressPair path = received->path;
    ++impl.demux.datagrams_received;
    impl.demux.bytes_received += received->datagram.size();
    impl.HandlePeerDatagram(now, path.local, path.remote, received->datagram, EcnMark::kNotEct);
    if (impl.gathering.tcp->IsReady(path) || !impl.agent.IsAuthenticated(path.local, path.remote)) continue;
    impl.gathering.tcp->HandleAuthenticated(now, path);
  }
  impl.Pump(now);
}

void Peer::Impl::PumpTcp(Timestamp now) {
  if (!gathering.tcp) return;
  while (auto polled = gathering.tcp->PollEvent()) {
    std::visit(
        Overloaded{
            [&](const ice::tcp_event::ConnectWanted& e) {
              events.Push(event::TcpConnectWanted{e.id, e.local.ip, e.remote});
            },
            [&](const ice::tcp_event::CloseWanted& e) { events.Push(event::TcpCloseWanted{e.id}); },
            [&](const ice::tcp_event::PathFailed& e) { agent.HandlePathFailed(now, e.path.local, e.path.remote); },
            [&](const ice::tcp_event::Reopened& e) { agent.HandlePathReopened(now, e.path.local, e.path.remote); },
        },
        *polled);
  }
}

// The selected pair's connection is the one that is kept; the others go once ICE has completed (RFC 6544 §8). While a
// restart is under way the pairs of both generations are in use (RFC 6544 §9.2).
void Peer::Impl::FollowTcp(Timestamp now) {
  if (!gathering.tcp || progress.is_final()) return;
  const auto& pair = agent.selected_pair();
  const auto path = pair ? std::optional(ice::AddressPair{pair->local.base, pair->remote.address}) : std::nullopt;
  gathering.tcp->Select(now, path);
  const bool is_between = agent.HasTwo() || agent.IsAwaitingDescription();
  if (agent.state() != ice::State::kCompleted || is_between || gathering.tcp_has_concluded) return;
  gathering.tcp_has_concluded = true;
  gathering.tcp->CloseOthers(now);
}

// RFC 6544 §11.1: nothing but checks on a connection that has to be opened again. What SCTP holds back is not lost.
bool Peer::Impl::IsTcpBlocked(const ice::SelectedPair& pair) const {
  if (!ice::IsTcpBase(pair.local.base)) return false;
  return !gathering.tcp || !gathering.tcp->IsReady({pair.local.base, pair.remote.address});
}

std::optional<Peer::Transmit> Peer::Impl::FrameForTcp(Timestamp now, const Transmit& transmit, std::span<uint8_t> out) {
  if (!gathering.tcp) return std::nullopt;
  const auto framed = gathering.tcp->Send(now, {transmit.local, transmit.remote}, out.first(transmit.size), out);
  PumpTcp(now);
  if (!framed) return std::nullopt;
  return Transmit{.size = framed->size, .local = transmit.local, .remote = transmit.remote, .tcp = framed->id};
}

// What waited for a connection. After the last words of a session that is over its connections are closed.
std::optional<Peer::Transmit> Peer::Impl::PollTcp(Timestamp now, std::span<uint8_t> out) {
  if (!gathering.tcp) return std::nullopt;
  if (farewell && gathering.tcp->size() > 0) {
    gathering.tcp->Close();
    PumpTcp(now);
  }
  const auto octets = gathering.tcp->PollTransmit(now, out);
  if (!octets) return std::nullopt;
  return Transmit{.size = octets->size, .local = {}, .remote = {}, .tcp = octets->id};
}

PathTraffic& Peer::Impl::TrafficOf(const SocketAddress& local) {
  return ice::IsTcpBase(local) ? gathering.traffic.tcp : gathering.traffic.Of(gathering.relays.TransportOf(local));
}

}  // namespace jsp::transport
