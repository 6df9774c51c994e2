#pragma once
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/event_queue.h"
#include "dtls/session.h"
#include "ice/generations.h"
#include "sctp/association.h"
#include "transport/connection_progress.h"
#include "transport/early_datagrams.h"
#include "transport/gatherer.h"
#include "transport/hole_opener.h"
#include "transport/negotiation.h"
#include "transport/path_traffic.h"
#include "transport/peer.h"
#include "transport/relay_set.h"
#include "transport/remote_candidates.h"
namespace jsp::transport {

// The layers, and the pump that carries output of one to the next. Bottom up: gathering, ICE, DTLS, SCTP, channels.
struct Peer::Impl {
  Impl(std::shared_ptr<const SettledPeerOptions> given, Rng& random, Timestamp now);

  // What path MTU discovery must know: where packets go, and how they are wrapped.
  struct Path {
    SocketAddress local;
    SocketAddress remote;
    size_t record_overhead = 37;  // AES-GCM's until a record was sealed
  };
  // The part above ICE; exists once both descriptions are known.
  struct Secured {
    Secured(const dtls::Options& dtls_options, Impl& peer, Timestamp now)
        : dtls(dtls_options, now),
          sctp(std::shared_ptr<const sctp::Options>(peer.options, &peer.options->sctp), peer.rng, now,
               peer.memory.pool),
          last_record(now) {}
    void NoteRecord(Timestamp now) {
      last_record = now;
      is_resting = false;
    }

    dtls::Session dtls;
    sctp::Association sctp;
    bool started = false;
    DtlsParameters parameters;
    Path path;
    std::optional<sctp::event::Connected> negotiated;
    std::vector<sctp::StreamId> low_streams;  // low for SCTP, while their channels still hold octets
    Timestamp last_record;                    // sent or received
    bool is_resting = false;                  // since then what an idle connection does not need was given back
    // While it rests, and nothing but consent has happened since all layers were asked: until then only ICE is.
    std::optional<Timestamp> quiet_until;
  };
  // What it may hold, and what it keeps.
  struct Memory {
    MemoryShare share;
    BufferPool pool{};
  };
  // What is still to leave after Close or a failure: an ABORT, an alert.
  struct Farewell {
    std::deque<std::pair<Transmit, std::vector<uint8_t>>> datagrams;
  };
  // Where candidates come from.
  struct Gathering {
    Gatherer gatherer;
    RelaySet relays;
    HoleOpener holes;
    ice::PortProbes probes;
    ToldCandidates told;
    std::unique_ptr<ice::TcpConnections> tcp;  // unless PeerOptions::ice_tcp is kOff
    bool tcp_has_concluded = false;            // for this generation
    bool is_described = false;                 // this generation, to the peer
    // Then PollPath had nothing, and nothing has happened since: between the packets of a burst it need not be asked.
    // Here, as an idle connection that hears a consent request touches this line of the cache anyway.
    std::optional<Timestamp> had_nothing_at{};
    PathsTraffic traffic{};
    std::string relay_reason{};
  };

  void Pump(Timestamp now);
  void PumpGatherer(Timestamp now);
  void PumpRelays(Timestamp now);
  void PumpTcp(Timestamp now);
  void PumpRemoteCandidates(Timestamp now);
  void PumpAgent(Timestamp now);
  void PumpDtls(Timestamp now);
  void PumpSctp(Timestamp now);
  void PumpChannels(Timestamp now);

  // peer_relay.cc: datagrams of either kind of path, and relayed ones on their way.
  size_t HandleRecordTrain(Timestamp now, const SocketAddress& local, const SocketAddress& remote, const Train& train);
  void HandlePeerDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                          std::span<const uint8_t> datagram, EcnMark mark);
  std::optional<Transmit> PollDatagram(Timestamp now, std::span<uint8_t> out);
  std::optional<Transmit> Wrap(Timestamp now, const Transmit& transmit, std::span<uint8_t> out);
  std::optional<Transmit> PollRelayRequest(Timestamp now, std::span<uint8_t> out);
  void SayGoodbye(Timestamp now, const Transmit& transmit, std::span<const uint8_t> datagram);
  void AddCandidate(Timestamp now, const ice::Candidate& candidate);
  void FailWithoutRelays(Timestamp now);
  std::optional<Transmit> PollPath(Timestamp now, std::span<uint8_t> out);
  std::optional<Transmit> PollCheck(Timestamp now, std::span<uint8_t> out);
  std::optional<Transmit> PollData(Timestamp now, std::span<uint8_t> out);
  void NoteSent(const Transmit& transmit);
  void ExplainRelay(const ice::Candidate& local, const ice::Candidate& remote);

  // peer_rest.cc
  void MaybeRest(Timestamp now);
  bool IsUnmoved() const;
  void MaybeBeQuiet();
  bool IsQuiet(Timestamp now) const;
  void Wake();
  Timestamp NextTimeoutBesidesIce() const;

  // peer_spares.cc
  void GiveUpSpares(Timestamp now);
  void ReclaimSpares(Timestamp now);

  // peer_tcp.cc
  void LoseAddress(Timestamp now, const IpAddress& ip);
  void AddActiveCandidate(Timestamp now, const ice::Candidate& host);
  std::optional<Transmit> FrameForTcp(Timestamp now, const Transmit& transmit, std::span<uint8_t> out);
  std::optional<Transmit> PollTcp(Timestamp now, std::span<uint8_t> out);
  void FollowTcp(Timestamp now);
  bool IsTcpBlocked(const ice::SelectedPair& pair) const;
  PathTraffic& TrafficOf(const SocketAddress& local);

  // peer_probes.cc: sockets and checks beyond those of pairs.
  void BeginProbes(Timestamp now);
  void PumpProbes(Timestamp now);
  bool TakeProbed(Timestamp now, const SocketAddress& local, std::span<const uint8_t> datagram);
  std::optional<Transmit> PollProbe(Timestamp now, std::span<uint8_t> out);
  void LoseProbedSockets(Timestamp now, std::span<const LocalAddress> present);
  bool SaysPortProbes() const;
  bool HasDirectPair() const;
  void MaybeRecover(Timestamp now);

  void HandleIceEvent(Timestamp now, const ice::Event& event);
  void HandleSctpEvent(Timestamp now, sctp::Event event);
  void HandleRecords(Timestamp now, std::span<const uint8_t> datagram, EcnMark mark);
  void Secure(Timestamp now);
  void MaybeStartDtls(Timestamp now);
  void FollowPath(Timestamp now, size_t record_overhead);
  void HandOver(Timestamp now);
  void TearDown(Timestamp now, ConnectionProgress::Change change);
  void ApplyLowThreshold(datachannel::ChannelId channel);
  void ApplyDelivery(Timestamp now, datachannel::ChannelId channel);
  void Report(ConnectionProgress::Change change) {
    if (change) events.Push(std::move(*change));
  }
  std::optional<Transmit> PollFarewell(std::span<uint8_t> out);
  std::optional<Transmit> PollSecured(Timestamp now, std::span<uint8_t> out);
  std::optional<Transmit> Count(std::optional<Transmit> transmit);
  size_t SendRoom() const;
  // peer_descriptions.cc
  void HandleRemoteDescription(Timestamp now, SdpType type, Negotiation::Applied applied);
  void BeginGeneration(Timestamp now);
  void NoteDescribed(Timestamp now, SdpType type);
  LocalParameters LocalForDescription();
  DescriptionError ClosedError() const;
  // peer_memory.cc
  MemoryStats HeldMemory() const;
  // Whether so many octets more may be held.
  bool HasMemoryFor(size_t octets);
  void AccountMemory(Timestamp now);

  std::shared_ptr<const SettledPeerOptions> options;  // shared among peers of one kind
  Rng& rng;
  Memory memory;
  Negotiation negotiation;
  RemoteCandidates remote_candidates;
  Gathering gathering;
  ice::Generations agent;
  std::optional<Secured> secured;
  datachannel::ChannelSet channels;
  ConnectionProgress progress;
  EarlyDatagrams early;
  std::optional<Farewell> farewell;
  std::map<datachannel::ChannelId, size_t> low_thresholds;
  DemuxMetrics demux;
  EventQueue<Event> events;
};

// With the limits of all layers lowered to what PeerOptions::memory allows; peer_memory.cc.
PeerOptions WithinMemory(PeerOptions options);

}  // namespace jsp::transport
