#include "transport/peer.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "transport/demux.h"
#include "transport/peer_impl.h"

namespace jsp::transport {

Peer::Peer(const PeerOptions& options, Rng& rng, Timestamp now)
    : Peer(std::make_shared<const SettledPeerOptions>(options), rng, now) {}
Peer::Peer(std::shared_ptr<const SettledPeerOptions> options, Rng& rng, Timestamp now)
    : impl_(std::make_unique<Impl>(std::move(options), rng, now)) {}
Peer::~Peer() = default;
Peer::Peer(Peer&&) noexcept = default;
Peer& Peer::operator=(Peer&&) noexcept = default;

void Peer::AddLocalAddress(Timestamp now, const LocalAddress& address) {
  if (impl_->progress.is_final()) return;
  // Ports that say "TCP" are of no use for UDP.
  const bool is_reserved = impl_->options->ice_tcp.mode != IceTcp::kOff && ice::IsTcpBase(address.address);
  if (!is_reserved) impl_->gathering.gatherer.AddLocalAddress(now, address);
  impl_->Pump(now);
}

void Peer::EndOfLocalAddresses(Timestamp now) {
  if (impl_->progress.is_final()) return;
  impl_->gathering.gatherer.EndOfLocalAddresses(now);
  impl_->Pump(now);
}

void Peer::AwaitPortMappings() { impl_->gathering.gatherer.AwaitPortMappings(); }

void Peer::HandlePortMapped(Timestamp now, const SocketAddress& local, const SocketAddress& external,
                            const SocketAddress& gateway) {
  impl_->gathering.gatherer.HandlePortMapped(local, external, gateway);
  impl_->Pump(now);
}

void Peer::HandlePortMappingsSettled(Timestamp now) {
  impl_->gathering.gatherer.HandlePortMappingsSettled();
  impl_->Pump(now);
}

void Peer::HandleLocalAddresses(Timestamp now, std::span<const LocalAddress> present) {
  Impl& impl = *impl_;
  if (impl.progress.is_final()) return;
  const auto has = [](std::span<const LocalAddress> list, const SocketAddress& address) {
    return std::ranges::find(list, address, &LocalAddress::address) != list.end();
  };
  Gatherer& gatherer = impl.gathering.gatherer;
  const std::vector<LocalAddress> known = gatherer.local_addresses();
  bool has_changed = false;
  // What came first: a session that loses its path may have the next one by then.
  for (const LocalAddress& address : present) {
    if (has(known, address.address) || !gatherer.Admits(address)) continue;
    has_changed = true;
    gatherer.AddLocalAddress(now, address);
  }
  if (has_changed) impl.gathering.relays.HandleAddressAdded(now);
  impl.Pump(now);
  for (const LocalAddress& address : known) {
    if (has(present, address.address)) continue;
    has_changed = true;
    gatherer.RemoveLocalAddress(address.address);
    impl.agent.LoseLocalBase(now, address.address);
    const auto has_ip = [&](const LocalAddress& other) { return other.address.ip == address.address.ip; };
    if (std::ranges::none_of(present, has_ip)) impl.LoseAddress(now, address.address.ip);
  }
  impl.LoseProbedSockets(now, present);
  if (has_changed && !impl.gathering.is_described && gatherer.is_complete()) {
    gatherer.Reopen(now);
    impl.gathering.relays.Restart(now);
  }
  if (has_changed && impl.negotiation.remote() && !impl.agent.CanMove()) {
    impl.events.Push(event::IceRestartNeeded{"the local network changed"});
  }
  impl.Pump(now);
}

// The last socket of that address is gone: its connections over TCP go as well, and those to relays.
void Peer::Impl::LoseAddress(Timestamp now, const IpAddress& ip) {
  for (const uint16_t port : {ice::kTcpActivePort, ice::kTcpPassivePort}) agent.LoseLocalBase(now, {ip, port});
  if (gathering.tcp) gathering.tcp->LoseAddress(ip);
  gathering.relays.HandleAddressLost(now, ip);
}

Expected<std::string, DescriptionError> Peer::CreateOffer(Timestamp now) {
  impl_->Pump(now);
  if (impl_->progress.is_final()) return Unexpected<DescriptionError>(impl_->ClosedError());
  auto offer = impl_->negotiation.CreateOffer(impl_->LocalForDescription());
  if (offer) impl_->NoteDescribed(now, SdpType::kOffer);
  return offer;
}

Expected<std::string, DescriptionError> Peer::CreateAnswer(Timestamp now) {
  impl_->Pump(now);
  if (impl_->progress.is_final()) return Unexpected<DescriptionError>(impl_->ClosedError());
  auto answer = impl_->negotiation.CreateAnswer(impl_->LocalForDescription());
  if (answer) impl_->NoteDescribed(now, SdpType::kAnswer);
  return answer;
}

Expected<void, DescriptionError> Peer::SetRemoteDescription(Timestamp now, SdpType type, std::string_view sdp) {
  if (impl_->progress.is_final()) return Unexpected<DescriptionError>(impl_->ClosedError());
  const auto applied = impl_->negotiation.ApplyRemote(type, sdp);
  if (!applied) return Unexpected<DescriptionError>(applied.error());
  impl_->HandleRemoteDescription(now, type, *applied);
  return {};
}

Expected<void, DescriptionError> Peer::RestartIce(Timestamp now) {
  if (impl_->progress.is_final()) return Unexpected<DescriptionError>(impl_->ClosedError());
  if (!impl_->negotiation.IsStable()) {
    return Unexpected<DescriptionError>(
        {DescriptionError::Code::kWrongState, "cannot restart: a round of offer and answer is not complete"});
  }
  impl_->BeginGeneration(now);
  impl_->Pump(now);
  return {};
}

Expected<std::string, DescriptionError> Peer::CreateRestartFragment(Timestamp now, SdpType type) {
  const auto whole = type == SdpType::kOffer ? CreateOffer(now) : CreateAnswer(now);
  if (!whole) return whole;
  const auto own = ParseSessionDescription(*whole);
  JSP_CHECK(own);  // it is ours
  return WriteTrickleFragment({own->ice, own->mid, own->candidates, own->end_of_candidates});
}

Expected<void, DescriptionError> Peer::SetRemoteRestart(Timestamp now, SdpType type, std::string_view fragment) {
  auto parsed = ParseTrickleFragment(fragment);
  if (!parsed) {
    return Unexpected<DescriptionError>({DescriptionError::Code::kBadSdp, parsed.error().ToString()});
  }
  const Negotiation& negotiation = impl_->negotiation;
  if (!negotiation.remote()) {
    return Unexpected<DescriptionError>(
        {DescriptionError::Code::kWrongState, "a restart came before the first round of offer and answer"});
  }
  if (!parsed->ice || parsed->ice->pwd.empty()) {
    return Unexpected<DescriptionError>(
        {DescriptionError::Code::kBadSdp, "a restart needs a=ice-ufrag and a=ice-pwd in its fragment"});
  }
  SessionDescription whole = *negotiation.remote();
  whole.ice = std::move(*parsed->ice);
  whole.candidates = std::move(parsed->candidates);
  whole.end_of_candidates = parsed->end_of_candidates;
  // RFC 8842 §5.5: the roles of the association that goes on.
  whole.setup = negotiation.dtls_role() == dtls::Role::kClient ? Setup::kPassive : Setup::kActive;
  return SetRemoteDescription(now, type, WriteSessionDescription(whole));
}

bool Peer::Rollback() { return impl_->negotiation.Rollback(); }

Expected<void, DescriptionError> Peer::AddRemoteCandidate(Timestamp now, std::string_view line) {
  if (impl_->progress.is_final()) return Unexpected<DescriptionError>(impl_->ClosedError());
  if (line.empty()) {  // RFC 8838 §13
    impl_->remote_candidates.HandleEnd();
  } else {
    auto parsed = ice::ParseCandidate(line);
    if (!parsed) {
      // RFC 8839 §5.1: a transport that we do not know is no mistake of the peer's.
      if (parsed.error() == ice::CandidateParseErrc::kUnknownTransport) return {};
      return Unexpected<DescriptionError>(
          {DescriptionError::Code::kBadSdp,
           SdpError{0, std::string(line.substr(0, 80)), ice::ToString(parsed.error())}.ToString()});
    }
    impl_->remote_candidates.Add(std::move(*parsed));
  }
  impl_->Pump(now);
  return {};
}

Expected<void, DescriptionError> Peer::AddRemoteFragment(Timestamp now, std::string_view fragment) {
  if (impl_->progress.is_final()) return Unexpected<DescriptionError>(impl_->ClosedError());
  auto parsed = ParseTrickleFragment(fragment);
  if (!parsed) {
    return Unexpected<DescriptionError>({DescriptionError::Code::kBadSdp, parsed.error().ToString()});
  }
  const auto& remote = impl_->negotiation.remote();
  const std::string ufrag = parsed->ice ? parsed->ice->ufrag : std::string();
  // RFC 8840 §4.4: another generation; while an answer to our restart is on its way it may be the next.
  const bool is_other = !ufrag.empty() && remote && ufrag != remote->ice.ufrag;
  if (is_other && !impl_->agent.IsAwaitingDescription()) {
    return Unexpected<DescriptionError>(
        {DescriptionError::Code::kIncompatible,
         "the fragment's ice-ufrag is not the description's; ICE restart needs an offer"});
  }
  for (auto& candidate : parsed->candidates) {
    if (candidate.ufrag.empty()) candidate.ufrag = ufrag;
    impl_->remote_candidates.Add(std::move(candidate));
  }
  if (parsed->end_of_candidates) impl_->remote_candidates.HandleEnd(ufrag);
  impl_->Pump(now);
  return {};
}

void Peer::HandleNameResolved(Timestamp now, std::string_view name, std::optional<IpAddress> address) {
  impl_->remote_candidates.HandleResolved(name, address);
  impl_->Pump(now);
}

Expected<datachannel::ChannelId, datachannel::OpenError> Peer::OpenChannel(Timestamp now,
                                                                           datachannel::ChannelOptions options) {
  if (impl_->progress.is_final()) return Unexpected<datachannel::OpenError>(datachannel::OpenError::kClosed);
  if (!impl_->HasMemoryFor(kChannelOctets)) {
    return Unexpected<datachannel::OpenError>(datachannel::OpenError::kOutOfMemory);
  }
  auto opened = impl_->channels.OpenChannel(now, std::move(options));
  impl_->Pump(now);
  return opened;
}

Expected<void, datachannel::SendError> Peer::Send(Timestamp now, datachannel::ChannelId channel,
                                                  datachannel::MessageKind kind, Payload payload, sctp::Part part) {
  if (impl_->progress.is_final()) return Unexpected<datachannel::SendError>(datachannel::SendError::kClosed);
  if (payload.size() > impl_->options->sctp.max_send_buffer) {  // there will never be room
    return Unexpected<datachannel::SendError>(datachannel::SendError::kTooLarge);
  }
  if (payload.size() > impl_->SendRoom()) {
    return Unexpected<datachannel::SendError>(datachannel::SendError::kQueueFull);
  }
  if (!impl_->HasMemoryFor(payload.size())) {
    return Unexpected<datachannel::SendError>(datachannel::SendError::kOutOfMemory);
  }
  // An empty message travels as one octet (RFC 8831 §6.6), whose storage is the pool's, too.
  if (payload.empty()) payload = Payload(impl_->memory.pool);
  auto sent = impl_->channels.Send(now, channel, kind, std::move(payload), part);
  if (sent) impl_->PumpChannels(now);
  return sent;
}

void Peer::SetDelivery(Timestamp now, datachannel::ChannelId channel, sctp::Delivery delivery) {
  impl_->channels.SetDelivery(channel, delivery);
  impl_->ApplyDelivery(now, channel);
  impl_->Pump(now);
}

void Peer::CloseChannel(Timestamp now, datachannel::ChannelId channel) {
  impl_->channels.CloseChannel(now, channel);
  impl_->Pump(now);
}

std::optional<datachannel::ReceivedMessage> Peer::PollMessage(Timestamp now, datachannel::ChannelId channel) {
  auto message = impl_->channels.PollMessage(channel);
  if (message) impl_->PumpChannels(now);
  return message;
}

std::optional<datachannel::ReceivedMessage> Peer::PollAnyMessage(Timestamp now) {
  auto message = impl_->channels.PollAnyMessage();
  if (message) impl_->PumpChannels(now);
  return message;
}

size_t Peer::buffered_amount(datachannel::ChannelId channel) const {
  const size_t here = impl_->channels.queued_bytes(channel);
  const auto stream = impl_->channels.stream(channel);
  return impl_->secured && stream ? here + impl_->secured->sctp.buffered_amount(*stream) : here;
}

size_t Peer::send_buffer_room() const { return impl_->SendRoom(); }

const BufferPool& Peer::pool() const { return impl_->memory.pool; }

void Peer::SetBufferedAmountLowThreshold(datachannel::ChannelId channel, size_t bytes) {
  impl_->Wake();
  impl_->low_thresholds.insert_or_assign(channel, bytes);
  impl_->ApplyLowThreshold(channel);
}

const datachannel::ChannelOptions* Peer::channel_options(datachannel::ChannelId channel) const {
  return impl_->channels.options(channel);
}

datachannel::ChannelState Peer::channel_state(datachannel::ChannelId channel) const {
  return impl_->channels.state(channel);
}

void Peer::Close(Timestamp now) { impl_->TearDown(now, impl_->progress.HandleClosed("closed locally")); }

void Peer::HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                          std::span<const uint8_t> datagram, EcnMark mark) {
  Impl& impl = *impl_;
  if (const auto relay = impl.gathering.relays.FindUdp(local)) return HandleRelayMessage(now, *relay, remote, datagram);
  ++impl.demux.datagrams_received;
  impl.demux.bytes_received += datagram.size();
  if (impl.progress.is_final()) return;
  if (impl.options->only_relays) {  // RFC 8828 §5: no answer, to nobody
    ++impl.demux.dropped_not_relayed;
    return;
  }
  impl.HandlePeerDatagram(now, local, remote, datagram, mark);
}

void Peer::HandleTimeout(Timestamp now) {
  Impl& impl = *impl_;
  if (impl.progress.is_final()) return;
  if (impl.IsQuiet(now)) {
    impl.agent.HandleTimeout(now);
    if (impl.agent.has_events()) impl.Pump(now);
    return;
  }
  impl.gathering.gatherer.HandleTimeout(now);
  impl.gathering.relays.HandleTimeout(now);
  impl.gathering.holes.HandleTimeout(now);
  if (impl.gathering.tcp) impl.gathering.tcp->HandleTimeout(now);
  impl.agent.HandleTimeout(now);
  if (impl.secured) {
    impl.secured->dtls.HandleTimeout(now);
    // Without a path nothing of SCTP's is lost, and none of its counts of losses goes on (RFC 9260 §8.1): how long to
    // wait for another one is ICE's affair.
    if (impl.agent.selected_pair()) impl.secured->sctp.HandleTimeout(now);
    impl.MaybeRest(now);
  }
  impl.channels.HandleTimeout(now);
  impl.Pump(now);
}

void Peer::HandlePacketTooBig(Timestamp now, const SocketAddress& local, const SocketAddress& remote, size_t mtu) {
  Impl& impl = *impl_;
  if (impl.progress.is_final() || !impl.secured) return;
  const auto& pair = impl.agent.selected_pair();
  if (!pair || pair->local.base != local || pair->remote.address != remote) return;
  impl.Wake();
  impl.secured->sctp.HandlePacketTooBig(now, mtu);
}

void Peer::HandleUnreachable(Timestamp now, const SocketAddress& local, const SocketAddress& remote) {
  if (impl_->progress.is_final()) return;
  impl_->gathering.gatherer.HandleUnreachable(now, local, remote);
  impl_->Pump(now);
}

std::optional<Peer::Transmit> Peer::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  Impl& impl = *impl_;
  // A datagram for TCP gets a header.
  const bool may_frame = impl.options->ice_tcp.mode != IceTcp::kOff && out.size() > ice::kTcpFrameHeader;
  const auto room = may_frame ? out.first(out.size() - ice::kTcpFrameHeader) : out;
  while (const auto transmit = impl.IsQuiet(now) ? impl.PollCheck(now, room) : impl.PollDatagram(now, room)) {
    if (may_frame && !transmit->relay && ice::IsTcpBase(transmit->local)) {
      if (const auto framed = impl.FrameForTcp(now, *transmit, out)) return impl.Count(framed);
      continue;
    }
    if (transmit->relay || !impl.gathering.relays.IsRelayed(transmit->local)) return impl.Count(transmit);
    impl.Wake();  // the relay may have requests for it
    if (const auto wrapped = impl.Wrap(now, *transmit, out)) return impl.Count(wrapped);
  }
  if (impl.IsQuiet(now)) return std::nullopt;
  if (const auto octets = impl.PollTcp(now, out)) return impl.Count(octets);
  if (const auto request = impl.PollRelayRequest(now, out)) return impl.Count(request);
  impl.MaybeBeQuiet();
  return std::nullopt;
}

std::optional<Peer::Event> Peer::PollEvent() { return impl_->events.Pop(); }

Timestamp Peer::NextTimeout() const {
  const Impl& impl = *impl_;
  if (impl.progress.is_final()) return Timestamp::Never();
  const bool is_quiet = impl.secured && impl.secured->quiet_until;
  return std::min(impl.agent.NextTimeout(), is_quiet ? *impl.secured->quiet_until : impl.NextTimeoutBesidesIce());
}

ConnectionState Peer::state() const { return impl_->progress.state(); }
const std::string& Peer::local_ufrag() const { return impl_->agent.local_credentials().ufrag; }
bool Peer::IsAuthenticated(const SocketAddress& local, const SocketAddress& remote) const {
  return impl_->agent.IsAuthenticated(local, remote);
}
bool Peer::is_gathering() const { return !impl_->gathering.gatherer.is_complete(); }
std::string Peer::TakeKeyLog() { return impl_->secured ? impl_->secured->dtls.TakeKeyLog() : std::string(); }

PeerStats Peer::stats() const {
  const Impl& impl = *impl_;
  PeerStats stats;
  stats.state = impl.progress.state();
  stats.state_reason = impl.progress.reason();
  stats.timings = impl.progress.timings();
  stats.ice_state = impl.agent.state();
  stats.ice_role = impl.agent.role();
  stats.selected_pair = impl.agent.selected_pair();
  if (stats.selected_pair) {
    stats.selected_relay = impl.gathering.relays.TransportOf(stats.selected_pair->local.base);
  }
  stats.relay_reason = impl.gathering.relay_reason;
  stats.paths = impl.gathering.traffic;
  if (impl.gathering.tcp) stats.ice_tcp = impl.gathering.tcp->metrics();
  stats.relays = impl.gathering.relays.metrics();
  stats.relay_failures = impl.gathering.relays.failures();
  stats.relay_refusals = impl.gathering.relays.refusals();
  stats.pairs = impl.agent.pair_stats();
  stats.local_candidates = impl.agent.local_candidates();
  stats.demux = impl.demux;
  stats.ice = impl.agent.metrics();
  if (impl.secured) {
    stats.dtls = impl.secured->dtls.metrics();
    stats.dtls_parameters = impl.secured->parameters;
    stats.sctp = {impl.secured->sctp.metrics(), impl.secured->negotiated};
  }
  stats.memory = impl.HeldMemory();
  stats.channels_metrics = impl.channels.metrics();
  stats.channels = impl.channels.stats();
  for (auto& channel : stats.channels) {
    if (!impl.secured || !channel.stream) continue;
    channel.messages_abandoned = impl.secured->sctp.abandoned(*channel.stream).total();
    channel.buffered_amount += impl.secured->sctp.buffered_amount(*channel.stream);
  }
  return stats;
}

}  // namespace jsp::transport
