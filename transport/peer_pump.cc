#include <algorithm>

#include "base/overloaded.h"
#include "transport/peer_impl.h"

namespace jsp::transport {
namespace {

constexpr size_t kMaxRecordPlaintext = 16384;  // RFC 6347 §4.1
constexpr size_t kMaxPlaintextPacket = 16384;  // of ours: one record
constexpr size_t kMaxBasePacket = 2048;        // sctp::Options::max_packet_size is at most this
constexpr size_t kTurnChannelHeader = 4;       // RFC 8656 §12.4

GathererOptions ToGathererOptions(const PeerOptions& options) {
  GathererOptions gatherer;
  // RFC 8445 §5.2: a lite agent has host candidates only.
  if (options.ice.implementation == ice::Implementation::kFull) gatherer.stun_servers = options.stun_servers;
  gatherer.retransmit = options.stun_retransmit;
  gatherer.timeout = options.gathering_timeout;
  gatherer.pacing_interval = options.ice.pacing_interval;
  gatherer.keepalive_interval = options.ice.keepalive_interval;
  gatherer.waits_for_relays = !options.relay_servers.empty() && options.ice.filters.local.relayed;
  gatherer.filter = options.ice.filters.local;
  gatherer.only_relays = options.only_relays;
  gatherer.prediction = options.prediction;
  return gatherer;
}

RelaySetOptions ToRelayOptions(const PeerOptions& options) {
  // Of what no candidate may be made no allocation is asked for either.
  const bool wants_any = options.ice.filters.local.relayed;
  return {.servers = wants_any ? options.relay_servers : std::vector<RelayServer>(),
          .retransmit = options.stun_retransmit,
          .hide_mapped = options.only_relays};
}

std::unique_ptr<ice::TcpConnections> MakeTcpConnections(const IceTcpOptions& options) {
  return options.mode == IceTcp::kOff ? nullptr : std::make_unique<ice::TcpConnections>(options.limits);
}

datachannel::Options ToChannelOptions(const PeerOptions& options) {
  datachannel::Options channels = options.channels;
  channels.max_message_size = options.sctp.max_message_size;
  return channels;
}

}  // namespace

SettledPeerOptions::SettledPeerOptions(const PeerOptions& given) : PeerOptions(WithinMemory(given)) {
  ice = ice::Sanitized(ice);
  sctp.max_packet_size = std::min(sctp.max_packet_size, kMaxBasePacket);
  sctp.path_mtu_discovery = path_mtu_discovery;
  sctp.ecn = ecn;
  sctp.delivery = sctp::Delivery::kWhole;  // DCEP needs it; channels ask for pieces on their own
}

Peer::Impl::Impl(std::shared_ptr<const SettledPeerOptions> given, Rng& random, Timestamp now)
    : options(std::move(given)),
      rng(random),
      memory{MemoryShare(options->memory.source)},
      negotiation(random, options->ice.implementation),
      // RFC 8828 §5: with relays only no name of the link is asked for.
      remote_candidates({options->max_orphan_candidates, options->only_relays ? 0 : options->max_unresolved_names}),
      gathering{Gatherer(ToGathererOptions(*options), random), RelaySet(ToRelayOptions(*options), random),
                HoleOpener(options->hole_opening, random),     ice::PortProbes(options->probing, random),
                ToldCandidates(options->hosts, random),        MakeTcpConnections(options->ice_tcp)},
      agent(std::shared_ptr<const ice::Options>(options, &options->ice), random, now),
      channels(ToChannelOptions(*options)),
      progress(now),
      early(options->max_early_datagrams) {
  if (!memory.share.Cover(kBirthOctets)) {
    TearDown(now, progress.HandleFailure("out of memory: the budget of all connections has no room for another"));
    return;
  }
  if (options->local_credentials) (void)agent.SetLocalCredentials(*options->local_credentials);
  gathering.relays.Start(now);
}

void Peer::Impl::Pump(Timestamp now) {
  Wake();
  gathering.had_nothing_at.reset();
  PumpRelays(now);
  PumpGatherer(now);
  PumpRemoteCandidates(now);
  PumpTcp(now);
  PumpAgent(now);
  PumpProbes(now);
  PumpDtls(now);
  PumpSctp(now);
  PumpChannels(now);
}

void Peer::Impl::PumpGatherer(Timestamp now) {
  while (auto polled = gathering.gatherer.PollEvent()) {
    if (auto* found = std::get_if<gather_event::CandidateGathered>(&*polled)) {
      AddCandidate(now, found->candidate);
      AddActiveCandidate(now, found->candidate);
    } else {
      gathering.relays.GiveUpUnsettled(now);
      PumpRelays(now);
      if (gathering.is_described) agent.EndOfLocalCandidates(now);
      progress.HandleGathered(now);
      events.Push(event::GatheringComplete{});
      FailWithoutRelays(now);
    }
  }
}

void Peer::Impl::PumpRemoteCandidates(Timestamp now) {
  while (auto candidate = remote_candidates.PollReady()) {
    if (!options->ice.filters.remote.Admits(*candidate)) {
      (void)agent.AddRemoteCandidate(now, std::move(*candidate));  // which counts it
      continue;
    }
    gathering.holes.HandleRemoteCandidate(*candidate);
    gathering.probes.HandleRemoteCandidate(*candidate);
    if (auto other = ThroughNat64(options->nat64, *candidate)) (void)agent.AddRemoteCandidate(now, std::move(*other));
    (void)agent.AddRemoteCandidate(now, std::move(*candidate));  // refusals are counted by the agent
  }
  while (auto name = remote_candidates.PollNameToResolve()) events.Push(event::ResolveName{std::move(*name)});
  if (remote_candidates.PollEnd()) agent.EndOfRemoteCandidates(now);
}

void Peer::Impl::PumpAgent(Timestamp now) {
  while (auto polled = agent.PollEvent()) HandleIceEvent(now, *polled);
  FollowTcp(now);
  if (!early.empty()) {
    early.Release([&](const auto& local, const auto& remote) { return agent.IsValidated(local, remote); },
                  [&](std::span<const uint8_t> datagram) { HandleRecords(now, datagram, EcnMark::kNotEct); });
  }
}

void Peer::Impl::HandleIceEvent(Timestamp now, const ice::Event& ice_event) {
  std::visit(Overloaded{
                 [&](const ice::event::StateChanged& e) {
                   const auto change = progress.HandleIce(now, e.state, e.reason);
                   if (e.state == ice::State::kFailed) return TearDown(now, change);
                   Report(change);
                   // What the path was like, and how far SCTP has backed off, says nothing of a path that comes back.
                   const bool is_lost = e.state == ice::State::kDisconnected;
                   if (is_lost) ReclaimSpares(now);
                   if (secured && is_lost) secured->path.remote = {};
                   if (secured && !is_lost) FollowPath(now, secured->path.record_overhead);
                 },
                 [&](const ice::event::PairSelected& e) {
                   ExplainRelay(e.local, e.remote);
                   events.Push(event::SelectedPairChanged{e.local, e.remote});
                   if (secured) FollowPath(now, secured->path.record_overhead);
                   MaybeStartDtls(now);
                 },
                 [](const ice::event::CandidateDiscovered&) {},
                 [](const ice::event::RoleChanged&) {},
                 [&](const ice::event::RestartFailed& e) {
                   events.Push(event::IceRestartFailed{ice::ToString(e.reason)});
                   GiveUpSpares(now);
                 },
                 [&](const ice::event::SparesDropped&) { GiveUpSpares(now); },
             },
             ice_event);
}

// The DTLS server listens at once; the client needs a path first. No byte leaves before a pair is valid (RFC 8445
// §12.1).
void Peer::Impl::MaybeStartDtls(Timestamp now) {
  if (!secured || secured->started || !agent.selected_pair()) return;
  secured->started = true;
  secured->dtls.Start(now);
}

// RFC 8261 §6.1: SCTP is told when its packets take another path. The size of IP's header follows the address family of
// the pair; that of the record is measured.
void Peer::Impl::FollowPath(Timestamp now, size_t record_overhead) {
  if (!agent.selected_pair()) return;
  const auto& pair = *agent.selected_pair();
  Path& path = secured->path;
  if (path.local == pair.local.base && path.remote == pair.remote.address && path.record_overhead == record_overhead) {
    return;
  }
  path = {pair.local.base, pair.remote.address, record_overhead};
  const bool is_v4 = path.local.ip.is_v4();
  const size_t relay = pair.local.type == ice::CandidateType::kRelayed ? kTurnChannelHeader : 0;
  constexpr size_t kUdpHeader = 8;
  constexpr size_t kTcpHeaders = 32 + ice::kTcpFrameHeader;  // with timestamps: a packet of SCTP fits one segment
  const size_t transport = ice::IsTcpBase(path.local) ? kTcpHeaders : kUdpHeader;
  // RFC 8200 §5; RFC 1122 §3.3.3 for IPv4, as discovery has to find what is above.
  secured->sctp.HandlePathChanged(
      now, {.overhead = (is_v4 ? 20u : 40u) + transport + record_overhead + relay, .min_mtu = is_v4 ? 576u : 1280u});
}

void Peer::Impl::Secure(Timestamp now) {
  dtls::Options dtls_options;
  dtls_options.role = negotiation.dtls_role();
  dtls_options.certificate = options->certificate;
  dtls_options.remote_fingerprints = negotiation.remote()->fingerprints;
  dtls_options.max_datagram = options->max_datagram;
  dtls_options.handshake_timeout = options->dtls_handshake_timeout;
  dtls_options.collect_keylog = options->collect_keylog;
  secured.emplace(dtls_options, *this, now);
  secured->sctp.SetRemoteLimits(negotiation.remote()->sctp_port,
                                static_cast<size_t>(negotiation.remote_max_message_size()));
  channels.SetRemoteMaxMessageSize(static_cast<size_t>(negotiation.remote_max_message_size()));
  FollowPath(now, secured->path.record_overhead);
  MaybeStartDtls(now);
}

void Peer::Impl::HandleRecords(Timestamp now, std::span<const uint8_t> datagram, EcnMark mark) {
  if (!secured) return;
  std::array<uint8_t, kMaxRecordPlaintext> plaintext;  // not initialised: written before it is read
  for (auto size = secured->dtls.Open(now, datagram, plaintext); size;
       size = secured->dtls.PollPlaintext(now, plaintext)) {
    secured->NoteRecord(now);
    secured->sctp.HandlePacket(now, std::span(plaintext).first(*size), mark);
  }
}

void Peer::Impl::PumpDtls(Timestamp now) {
  if (!secured) return;
  while (auto polled = secured->dtls.PollEvent()) {
    if (auto* connected = std::get_if<dtls::event::Connected>(&*polled)) {
      secured->parameters = {connected->protocol, connected->cipher};
      progress.HandleDtlsConnected(now);
      secured->sctp.Connect(now);
    } else if (auto* failed = std::get_if<dtls::event::Failed>(&*polled)) {
      std::string reason = dtls::ToString(failed->reason);
      if (failed->reason != dtls::FailureReason::kFingerprintMismatch)
        reason = "DTLS: " + reason + ": " + failed->detail;
      return TearDown(now, progress.HandleFailure(std::move(reason)));
    } else {
      return TearDown(now, progress.HandleClosed("the peer closed the connection"));
    }
  }
}

void Peer::Impl::PumpSctp(Timestamp now) {
  while (secured) {
    auto polled = secured->sctp.PollEvent();
    if (!polled) return;
    HandleSctpEvent(now, std::move(*polled));
  }
}

void Peer::Impl::HandleSctpEvent(Timestamp now, sctp::Event sctp_event) {
  std::visit(
      Overloaded{
          [&](const sctp::event::Connected& e) {
            const auto role = negotiation.dtls_role() == dtls::Role::kClient ? datachannel::DtlsRole::kClient
                                                                             : datachannel::DtlsRole::kServer;
            channels.HandleConnected(
                now, role, std::min(e.incoming_streams, e.outgoing_streams),
                e.interleaving ? datachannel::Streaming::kPossible : datachannel::Streaming::kImpossible);
            secured->negotiated = e;
            Report(progress.HandleSctpConnected(now));
          },
          [&](const sctp::event::Closed&) { TearDown(now, progress.HandleClosed("the peer closed the connection")); },
          [&](const sctp::event::Aborted& e) {
            const bool closed = e.cause == sctp::AbortCause::kPeerAborted || e.cause == sctp::AbortCause::kLocalClose;
            TearDown(now, closed ? progress.HandleClosed("the peer closed the connection")
                                 : progress.HandleFailure("SCTP: " + std::string(sctp::ToString(e.cause)) + ": " +
                                                          e.detail));
          },
          [&](sctp::event::MessageReceived& e) { channels.HandleMessage(now, std::move(e.message)); },
          [&](const sctp::event::BufferedAmountLow& e) {
            if (channels.HandleBufferedAmountLow(now, e.stream)) return;
            auto& low = secured->low_streams;
            if (std::ranges::find(low, e.stream) == low.end()) low.push_back(e.stream);
          },
          [&](const sctp::event::OutgoingStreamsReset& e) {
            // The next channel on the stream has a threshold of its own.
            for (const auto stream : e.streams) secured->sctp.SetBufferedAmountLowThreshold(stream, 0);
            channels.HandleOutgoingReset(now, e.streams);
          },
          [&](const sctp::event::OutgoingStreamsResetFailed& e) { channels.HandleOutgoingResetFailed(now, e.streams); },
          [&](const sctp::event::IncomingStreamsReset& e) { channels.HandleIncomingReset(now, e.streams); },
          [&](const sctp::event::OutgoingResetRequested& e) { channels.HandleOutgoingResetRequested(now, e.streams); },
          [&](const sctp::event::StreamsAdded& e) {
            channels.HandleStreamsAdded(now, std::min(e.incoming_streams, e.outgoing_streams));
          },
          // Channels stay, with all that was sent on them: only numbers begin anew (RFC 6525 §5.2.4). We ask for
          // nothing, so no request finishes. How they are read is asked for anew, as after any reset.
          [&](const sctp::event::AssociationReset&) {
            for (const auto& channel : channels.stats()) {
              if (channel.stream) secured->sctp.SetDelivery(now, *channel.stream, channels.delivery(channel.id));
            }
          },
          [](const sctp::event::RequestFinished&) {},
          [&](const sctp::event::PathStalled& e) { Report(progress.HandlePathStalled(e.mtu)); },
          [&](const sctp::event::PathRecovered& e) { Report(progress.HandlePathRecovered(e.packet_size)); },
          // A restart under one DTLS association means that the other side lost its streams: nothing of ours is valid.
          [&](const sctp::event::Restarted&) {
            TearDown(now, progress.HandleFailure("SCTP: the peer restarted its association"));
          },
      },
      sctp_event);
}

void Peer::Impl::PumpChannels(Timestamp now) {
  Wake();
  if (secured) {
    HandOver(now);
    // What SCTP called low while octets still waited above it. Where it is not low with them, it will call again.
    std::erase_if(secured->low_streams, [&](sctp::StreamId stream) {
      return !secured->sctp.IsBufferedAmountLow(stream) || channels.HandleBufferedAmountLow(now, stream);
    });
    if (const auto streams = channels.TakeStreamsToReset(); !streams.empty()) {
      if (!secured->sctp.ResetStreams(now, streams)) channels.HandleOutgoingResetFailed(now, streams);
    }
    if (const size_t consumed = channels.TakeConsumedBytes(); consumed > 0) secured->sctp.HandleConsumed(now, consumed);
  }
  while (auto polled = channels.PollEvent()) {
    if (const auto* open = std::get_if<datachannel::event::ChannelOpen>(&*polled)) {
      ApplyLowThreshold(open->channel);
      ApplyDelivery(now, open->channel);
    }
    if (const auto* closed = std::get_if<datachannel::event::ChannelClosed>(&*polled))
      low_thresholds.erase(closed->channel);
    std::visit([&](auto& e) { events.Push(std::move(e)); }, *polled);
  }
  AccountMemory(now);
}

// Messages wait in the channel set until SCTP has a stream and room for them; none that was accepted is lost. A closing
// channel asks for its reset only when its last message was polled (RFC 8831 §6.7), so none is polled without room.
void Peer::Impl::HandOver(Timestamp now) {
  while (const size_t size = channels.NextTransmitSize(now)) {
    if (secured->sctp.send_buffer_room() < size) return;
    auto next = channels.PollTransmit(now, {});
    if (!next) return;
    const auto sent = secured->sctp.Send(now, std::move(next->message), next->options);
    if (sent) continue;
    if (sent.error() == sctp::SendError::kMessageAbandoned) {
      channels.HandleAbandoned(now, next->channel);
    } else {
      channels.CloseChannel(now, next->channel);
    }
  }
}

// Closes all layers; what they still have to say (an ABORT, an alert) is kept for PollTransmit.
void Peer::Impl::TearDown(Timestamp now, ConnectionProgress::Change change) {
  if (!change) return;
  farewell.emplace();
  if (secured && agent.HasConsent(now)) {
    const Transmit transmit{0, agent.selected_pair()->local.base, agent.selected_pair()->remote.address};
    std::array<uint8_t, kMaxPlaintextPacket> plain;
    std::array<uint8_t, kMaxPlaintextPacket> sealed;
    secured->sctp.Abort(now, "closed");
    while (auto packet = secured->sctp.PollTransmit(now, std::span(plain).first(kMaxPlaintextPacket - 64))) {
      auto size = secured->dtls.Seal(now, std::span(plain).first(packet->size), sealed);
      if (!size) break;
      SayGoodbye(now, transmit, std::span(sealed).first(*size));
    }
    secured->dtls.Close(now);
    while (auto alert = secured->dtls.PollTransmit(now, sealed)) {
      SayGoodbye(now, transmit, std::span(sealed).first(alert->size));
    }
  }
  gathering.relays.Close(now);
  gathering.holes.Clear();
  gathering.probes.Stop();
  PumpProbes(now);
  agent.Close(now);
  while (agent.PollEvent()) {
  }
  early.Clear();
  channels.HandleDisconnected(now);
  PumpChannels(now);
  events.Push(std::move(*change));
}

// A stream id is known only when the DTLS role is; until then the threshold waits here.
void Peer::Impl::ApplyLowThreshold(datachannel::ChannelId channel) {
  const auto stream = channels.stream(channel);
  const auto threshold = low_thresholds.find(channel);
  if (!secured || !stream || threshold == low_thresholds.end()) return;
  secured->sctp.SetBufferedAmountLowThreshold(*stream, threshold->second);
}

// Likewise. What of a message is here already follows at once.
void Peer::Impl::ApplyDelivery(Timestamp now, datachannel::ChannelId channel) {
  const auto stream = channels.stream(channel);
  const auto* channel_options = channels.options(channel);
  if (!secured || !stream || channel_options == nullptr || !channel_options->ordered) return;
  secured->sctp.SetDelivery(now, *stream, channels.delivery(channel));
  PumpSctp(now);
}

size_t Peer::Impl::SendRoom() const {
  const size_t waiting = channels.total_queued_bytes();
  const size_t room = secured ? secured->sctp.send_buffer_room() : options->sctp.max_send_buffer;
  return room > waiting ? room - waiting : 0;
}

std::optional<Peer::Transmit> Peer::Impl::PollFarewell(std::span<uint8_t> out) {
  if (farewell->datagrams.empty() || farewell->datagrams.front().second.size() > out.size()) return std::nullopt;
  const auto [transmit, datagram] = std::move(farewell->datagrams.front());
  farewell->datagrams.pop_front();
  std::ranges::copy(datagram, out.begin());
  return transmit;
}

std::optional<Peer::Transmit> Peer::Impl::PollSecured(Timestamp now, std::span<uint8_t> out) {
  // RFC 7675 §5.1: without consent there is no selected pair, and nothing is sent.
  if (!secured || !agent.HasConsent(now)) return std::nullopt;
  const auto& pair = *agent.selected_pair();
  if (IsTcpBlocked(pair)) return std::nullopt;
  if (auto flight = secured->dtls.PollTransmit(now, out)) {
    return Transmit{flight->size, pair.local.base, pair.remote.address, IpFragmentation::kAllowed};
  }
  if (!secured->dtls.is_connected() || out.size() < dtls::Session::kMaxRecordOverhead) return std::nullopt;
  std::array<uint8_t, kMaxPlaintextPacket> plain;  // not initialised: written before it is read
  const size_t room = std::min(plain.size(), out.size() - dtls::Session::kMaxRecordOverhead);
  const auto packet = secured->sctp.PollTransmit(now, std::span(plain).first(room));
  if (!packet) return std::nullopt;
  const auto sealed = secured->dtls.Seal(now, std::span(plain).first(packet->size), out);
  if (!sealed) return std::nullopt;
  agent.HandleDataSent(now);
  secured->NoteRecord(now);
  // Relays need not carry the ECN field of what they relay (RFC 8656 §14, RFC 8656 §16), and a mark that is
  // lost is a congestion that nobody answers.
  const bool is_relayed =
      pair.local.type == ice::CandidateType::kRelayed || pair.remote.type == ice::CandidateType::kRelayed;
  const EcnMark ecn = is_relayed || ice::IsTcpBase(pair.local.base) ? EcnMark::kNotEct : packet->ecn;
  const Transmit transmit{*sealed, pair.local.base, pair.remote.address, packet->fragmentation, ecn};
  // The first record tells what the cipher adds; it does not change.
  if (const size_t overhead = *sealed - packet->size; overhead != secured->path.record_overhead) {
    FollowPath(now, overhead);
  }
  return transmit;
}

std::optional<Peer::Transmit> Peer::Impl::Count(std::optional<Transmit> transmit) {
  if (transmit) {
    ++demux.datagrams_sent;
    demux.bytes_sent += transmit->size;
  }
  return transmit;
}

}  // namespace jsp::transport
