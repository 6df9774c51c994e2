// Datagrams on their way in and out of Peer: over its own sockets, and over relays, which ICE takes for sockets.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "base/overloaded.h"
#include "ice/stun_attributes.h"
#include "transport/demux.h"
#include "transport/peer_impl.h"

namespace jsp::transport {
namespace {

constexpr size_t kMaxRelayed = 2048;  // of ours; what is larger is a path MTU probe that no relay should carry

}  // namespace

const char* RelayProtocolName(const std::optional<turn::ControlTransport>& relay) {
  if (!relay) return nullptr;
  switch (*relay) {
    case turn::ControlTransport::kUdp:
      return "udp";
    case turn::ControlTransport::kTcp:
      return "tcp";
    case turn::ControlTransport::kTls:
      return "tls";
  }
  return nullptr;
}

void Peer::HandleRelayConnected(Timestamp now, RelayId id, const SocketAddress& local) {
  if (impl_->progress.is_final()) return;
  impl_->gathering.relays.HandleConnected(now, id, local);
  impl_->Pump(now);
}

void Peer::HandleRelayConnectionFailed(Timestamp now, RelayId id, std::string reason) {
  if (impl_->progress.is_final()) return;
  impl_->gathering.relays.HandleConnectionFailed(now, id, std::move(reason));
  impl_->Pump(now);
}

void Peer::HandleRelayMessage(Timestamp now, RelayId id, const SocketAddress& remote,
                              std::span<const uint8_t> message) {
  Impl& impl = *impl_;
  ++impl.demux.datagrams_received;
  impl.demux.bytes_received += message.size();
  if (impl.progress.is_final()) return;
  const auto received = impl.gathering.relays.HandleMessage(now, id, remote, message);
  if (received) {
    impl.HandlePeerDatagram(now, received->relayed, received->peer, received->data, EcnMark::kNotEct);
  } else {
    impl.Pump(now);
  }
}

void Peer::HandleTrain(Timestamp now, const SocketAddress& local, const SocketAddress& remote, const Train& train) {
  Train rest = train;
  while (!rest.octets.empty()) {
    size_t done = impl_->HandleRecordTrain(now, local, remote, rest);
    if (done == 0) {
      done = std::min(rest.segment, rest.octets.size());
      HandleDatagram(now, local, remote, rest.octets.first(done), rest.mark);
    }
    rest.octets = rest.octets.subspan(done);
  }
}

// The records in front, of a path that bears data: what is the same for all of them is found out once, and the layers
// above hear of them together. Returns how many octets that were.
size_t Peer::Impl::HandleRecordTrain(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                                     const Train& train) {
  const bool is_path = secured && !progress.is_final() && !options->only_relays && !gathering.relays.FindUdp(local) &&
                       agent.IsValidated(local, remote);
  if (!is_path) return 0;
  size_t done = 0;
  uint64_t count = 0;
  while (done < train.octets.size()) {
    const auto datagram = train.octets.subspan(done, std::min(train.segment, train.octets.size() - done));
    if (ClassifyPacket(datagram) != PacketKind::kDtls) break;
    HandleRecords(now, datagram, train.mark);
    done += datagram.size();
    ++count;
  }
  if (count == 0) return 0;
  demux.datagrams_received += count;
  demux.bytes_received += done;
  PathTraffic& traffic = TrafficOf(local);
  traffic.datagrams_received += count;
  traffic.bytes_received += done;
  Pump(now);
  return done;
}

void Peer::Impl::HandlePeerDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                                    std::span<const uint8_t> datagram, EcnMark mark) {
  const PacketKind kind = ClassifyPacket(datagram);
  gathering.had_nothing_at.reset();
  switch (kind) {
    case PacketKind::kStun:
      if (gathering.probes.Owns(local) && !TakeProbed(now, local, datagram)) {
        ++demux.dropped_stun;
        return;
      }
      if (agent.HandleDatagram(now, local, remote, datagram)) {
        MaybeRest(now);  // what consent answers may come before any timer is due
        break;
      }
      if (!gathering.gatherer.HandleDatagram(now, local, remote, datagram)) {
        ++demux.dropped_stun;
        return;
      }
      return Pump(now);
    case PacketKind::kDtls:
      if (agent.IsValidated(local, remote)) {
        HandleRecords(now, datagram, mark);
      } else if (!agent.IsAuthenticated(local, remote) || !early.Keep(local, remote, datagram)) {
        ++demux.dropped_not_validated;
        return;
      }
      break;
    default:  // RFC 7983 §7: ZRTP, TURN channels outside of a relay's connection and RTP are not for us
      ++demux.dropped_unknown_kind;
      return;
  }
  PathTraffic& traffic = TrafficOf(local);
  ++traffic.datagrams_received;
  traffic.bytes_received += datagram.size();
  if (kind != PacketKind::kStun || !IsUnmoved()) Pump(now);
}

void Peer::Impl::PumpRelays(Timestamp now) {
  while (auto polled = gathering.relays.PollEvent()) {
    std::visit(Overloaded{
                   [&](relay_event::ConnectionWanted& e) {
                     events.Push(event::RelayConnectionWanted{e.id, std::move(e.server)});
                   },
                   [&](const relay_event::ConnectionDone& e) { events.Push(event::RelayConnectionDone{e.id}); },
                   [&](const relay_event::CandidateGathered& e) { AddCandidate(now, e.candidate); },
                   [&](const relay_event::AddressLost& e) { agent.LoseLocalBase(now, e.relayed); },
                   [&](const relay_event::Exhausted& e) { gathering.gatherer.AddServer(now, e.server); },
                   [&](const relay_event::Settled&) { gathering.gatherer.HandleRelaysSettled(); },
               },
               *polled);
  }
}

void Peer::Impl::AddCandidate(Timestamp now, const ice::Candidate& candidate) {
  if (!agent.AddLocalCandidate(now, candidate)) return;
  const ice::Candidate& added = agent.local_candidates().back();
  const auto as_told = gathering.told.Tell(added);
  while (auto named = gathering.told.PollNewName())
    events.Push(event::NamePublished{std::move(named->name), named->address});
  if (as_told) events.Push(event::LocalCandidateGathered{added, WriteCandidateLine(*as_told)});
}

// Nothing can come of it, and the servers have said why: no need to wait for a timer of ICE.
void Peer::Impl::FailWithoutRelays(Timestamp now) {
  if (!options->only_relays || !agent.local_candidates().empty()) return;
  std::string reason = "no relayed address";
  for (const RelayFailure& failure : gathering.relays.failures()) {
    reason += "; " + failure.server.ToString() + ": " + failure.reason;
  }
  TearDown(now, progress.HandleFailure(std::move(reason)));
}

// Asked when a pair is selected: at the nomination the pairs that did not answer are forgotten.
void Peer::Impl::ExplainRelay(const ice::Candidate& local, const ice::Candidate& remote) {
  const auto is_relayed = [](const ice::Candidate& a, const ice::Candidate& b) {
    return a.type == ice::CandidateType::kRelayed || b.type == ice::CandidateType::kRelayed;
  };
  if (!is_relayed(local, remote)) return gathering.relay_reason.clear();
  if (options->only_relays) {
    gathering.relay_reason = "only relays are to be used";
    return;
  }
  size_t direct = 0;
  size_t failed = 0;
  for (const ice::PairStats& pair : agent.pair_stats()) {
    if (is_relayed(pair.local, pair.remote)) continue;
    ++direct;
    failed += pair.state == std::string_view("failed") ? 1 : 0;
  }
  if (direct > 0) {
    gathering.relay_reason = "no direct path has answered: of " + std::to_string(direct) + " pairs " +
                             std::to_string(failed) + " failed, the others were still unanswered";
  } else if (gathering.relay_reason.empty()) {
    gathering.relay_reason = "no two addresses make a direct pair";
  }
}

// What ICE and the layers above it want sent, in their order.
std::optional<Peer::Transmit> Peer::Impl::PollDatagram(Timestamp now, std::span<uint8_t> out) {
  if (farewell) return PollFarewell(out);
  if (progress.is_final()) return std::nullopt;
  if (gathering.had_nothing_at != now) {
    if (auto datagram = PollPath(now, out)) return datagram;
    if (out.size() >= ice::kMaxMessageSize) gathering.had_nothing_at = now;
  }
  auto datagram = PollData(now, out);
  if (datagram) NoteSent(*datagram);
  return datagram;
}

// What finds paths and keeps them.
std::optional<Peer::Transmit> Peer::Impl::PollPath(Timestamp now, std::span<uint8_t> out) {
  if (auto stun = gathering.gatherer.PollTransmit(now, out)) return Transmit{stun->size, stun->local, stun->remote};
  if (auto hole = gathering.holes.PollTransmit(out)) return Transmit{hole->size, hole->local, hole->remote};
  if (auto probe = PollProbe(now, out)) return probe;
  return PollCheck(now, out);
}

std::optional<Peer::Transmit> Peer::Impl::PollCheck(Timestamp now, std::span<uint8_t> out) {
  const auto check = agent.PollTransmit(now, out);
  if (!check) return std::nullopt;
  progress.HandleFirstCheck(now);
  const Transmit transmit{check->size, check->local, check->remote};
  NoteSent(transmit);
  return transmit;
}

std::optional<Peer::Transmit> Peer::Impl::PollData(Timestamp now, std::span<uint8_t> out) {
  if (auto datagram = PollSecured(now, out)) return datagram;
  // What left made room: messages that waited for it are handed over, and low-water events become visible.
  PumpSctp(now);
  PumpChannels(now);
  return PollSecured(now, out);
}

void Peer::Impl::NoteSent(const Transmit& transmit) {
  PathTraffic& traffic = TrafficOf(transmit.local);
  ++traffic.datagrams_sent;
  traffic.bytes_sent += transmit.size;
}

std::optional<Peer::Transmit> Peer::Impl::Wrap(Timestamp now, const Transmit& transmit, std::span<uint8_t> out) {
  if (transmit.size > kMaxRelayed) return std::nullopt;
  std::array<uint8_t, kMaxRelayed> datagram;  // not initialised: written before it is read
  std::ranges::copy(out.first(transmit.size), datagram.begin());
  const auto wrapped =
      gathering.relays.Send(now, transmit.local, transmit.remote, std::span(datagram).first(transmit.size), out);
  if (!wrapped) return std::nullopt;
  return Transmit{.size = wrapped->size,
                  .local = wrapped->local,
                  .remote = wrapped->remote,
                  .fragmentation = transmit.fragmentation,
                  .relay = wrapped->relay};
}

std::optional<Peer::Transmit> Peer::Impl::PollRelayRequest(Timestamp now, std::span<uint8_t> out) {
  const auto request = gathering.relays.PollTransmit(now, out);
  if (!request) return std::nullopt;
  return Transmit{.size = request->size,
                  .local = request->local,
                  .remote = request->remote,
                  .fragmentation = IpFragmentation::kAllowed,
                  .relay = request->relay};
}

// Wrapped now where it is relayed: when it is polled, the allocation is being deleted.
void Peer::Impl::SayGoodbye(Timestamp now, const Transmit& transmit, std::span<const uint8_t> datagram) {
  if (!gathering.relays.IsRelayed(transmit.local)) {
    Transmit last = transmit;
    last.size = datagram.size();
    farewell->datagrams.emplace_back(last, std::vector<uint8_t>(datagram.begin(), datagram.end()));
    return;
  }
  std::vector<uint8_t> wrapped(datagram.size() + turn::Client::kMaxOverhead);
  const auto sent = gathering.relays.Send(now, transmit.local, transmit.remote, datagram, wrapped);
  if (!sent) return;
  wrapped.resize(sent->size);
  const Transmit last{.size = sent->size,
                      .local = sent->local,
                      .remote = sent->remote,
                      .fragmentation = IpFragmentation::kAllowed,
                      .relay = sent->relay};
  farewell->datagrams.emplace_back(last, std::move(wrapped));
}

}  // namespace jsp::transport
