#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer_pool.h"
#include "base/ecn_mark.h"
#include "base/expected.h"
#include "base/ip_fragmentation.h"
#include "base/payload.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "datachannel/channel_set.h"
#include "transport/description_error.h"
#include "transport/local_address.h"
#include "transport/peer_events.h"
#include "transport/peer_options.h"
#include "transport/stats.h"
namespace jsp::transport {

// One whole WebRTC peer with the shape of a core: gathering, ICE, DTLS, SCTP and data channels, composed. Owns the
// layers and carries output of one to the next in Pump(); sends nothing itself. Driven by transport/asio over real
// sockets and by netsim in virtual time, with the same Drain. `local` in Transmit and HandleDatagram is the bound
// address of the socket (one that AddLocalAddress named).
class Peer {
 public:
  struct Transmit {
    size_t size;
    SocketAddress local;
    SocketAddress remote;
    // Forbidden: to be sent with DF, and never cut by the own host (RFC 8899 §3 item 2).
    IpFragmentation fragmentation = IpFragmentation::kForbidden;
    // kEct0: routers may mark it (RFC 3168 §5). Data alone, and not over relays; docs/transport.md#ecn.
    EcnMark ecn = EcnMark::kNotEct;
    // Set: not from a socket of AddLocalAddress, but over this connection to a TURN server. A stream takes it whole.
    std::optional<RelayId> relay{};
    // Set: octets for this TCP connection (RFC 6544), which takes them whole; what is above is of no use then.
    std::optional<ice::TcpId> tcp{};
  };
  using Event = PeerEvent;

  // Octets of the largest datagram that it ever writes: a full DTLS record.
  static constexpr size_t kMaxDatagram = 16384 + 64;
  // What a connection is counted with besides its messages and paths (peer_accounting_test): before both descriptions
  // are known, and from then on; until OpenSSL's objects of the handshake are gone; until it rests, and again when it
  // is in use; and for each channel.
  static constexpr size_t kEarlyOctets = size_t{6} * 1024;
  static constexpr size_t kFixedOctets = size_t{12} * 1024;
  static constexpr size_t kHandshakeOctets = size_t{72} * 1024;
  static constexpr size_t kWorkingOctets = size_t{6} * 1024;
  // There must be room for these in PeerOptions::memory: all that it takes to become idle.
  static constexpr size_t kBirthOctets = kFixedOctets + kHandshakeOctets + kWorkingOctets;
  static constexpr size_t kChannelOctets = 832;

  // Where PeerOptions::memory has no room for another connection it is kFailed from the beginning, with that reason.
  Peer(const PeerOptions& options, Rng& rng, Timestamp now);
  // The same; not null. Peers may share it.
  Peer(std::shared_ptr<const SettledPeerOptions> options, Rng& rng, Timestamp now);
  ~Peer();
  Peer(Peer&&) noexcept;
  Peer& operator=(Peer&&) noexcept;

  // Gathering. Host candidates at once, server-reflexive ones as servers answer; GatheringComplete when all did, or at
  // the deadline.
  void AddLocalAddress(Timestamp now, const LocalAddress& address);
  void EndOfLocalAddresses(Timestamp now);
  // A TCP socket listens there, for this peer among others: a passive candidate, where PeerOptions::ice_tcp wants one.
  void AddTcpListener(Timestamp now, const LocalAddress& listener);
  // The owner keeps ports of the sockets mapped at their gateway (portmap/client.h). One that it has mapped becomes a
  // reflexive candidate; GatheringComplete waits for those that it said to await, though not beyond the deadline.
  void AwaitPortMappings();
  void HandlePortMapped(Timestamp now, const SocketAddress& local, const SocketAddress& external,
                        const SocketAddress& gateway);
  void HandlePortMappingsSettled(Timestamp now);
  // The network of this host changed: all sockets that there are now. Those that came are gathered from and told, paths
  // of those that went are given up. The session moves to another path by itself where both sides agreed on
  // renomination (MobilityOptions), else IceRestartNeeded follows.
  void HandleLocalAddresses(Timestamp now, std::span<const LocalAddress> present);

  // Signalling (RFC 9429). A description carries the candidates gathered so far. One side offers at a time.
  Expected<std::string, DescriptionError> CreateOffer(Timestamp now);
  Expected<std::string, DescriptionError> CreateAnswer(Timestamp now);
  Expected<void, DescriptionError> SetRemoteDescription(Timestamp now, SdpType type, std::string_view sdp);
  // RFC 8445 §9: begins a generation of ICE with new credentials; the next offer carries them. Channels and what was
  // sent on them stay, data goes on over the old path until the new one is nominated. After a complete round only. A
  // restart of the peer's needs no call: its offer begins ours.
  Expected<void, DescriptionError> RestartIce(Timestamp now);
  // The two descriptions of a restart as fragments (RFC 8840 §4.4), for signalling that sends no whole ones after the
  // first round (RFC 9725): credentials and candidates, all else as before. The caller of RestartIce makes the kOffer.
  Expected<std::string, DescriptionError> CreateRestartFragment(Timestamp now, SdpType type);
  Expected<void, DescriptionError> SetRemoteRestart(Timestamp now, SdpType type, std::string_view fragment);
  // RFC 9429 §4.1.10.2: when offers of both sides cross, one side forgets its own and takes the peer's. Not the first.
  bool Rollback();
  // "candidate:…", or an empty line for end-of-candidates (RFC 8838 §13). May come before the description: orphans
  // wait.
  Expected<void, DescriptionError> AddRemoteCandidate(Timestamp now, std::string_view line);
  // An application/trickle-ice-sdpfrag body (RFC 8840 §9).
  Expected<void, DescriptionError> AddRemoteFragment(Timestamp now, std::string_view fragment);
  void HandleNameResolved(Timestamp now, std::string_view name, std::optional<IpAddress> address);

  // Channels; see datachannel::ChannelSet.
  Expected<datachannel::ChannelId, datachannel::OpenError> OpenChannel(Timestamp now,
                                                                       datachannel::ChannelOptions options);
  Expected<void, datachannel::SendError> Send(Timestamp now, datachannel::ChannelId channel,
                                              datachannel::MessageKind kind, Payload payload,
                                              sctp::Part part = sctp::Part::kWhole);
  void SetDelivery(Timestamp now, datachannel::ChannelId channel, sctp::Delivery delivery);
  void CloseChannel(Timestamp now, datachannel::ChannelId channel);
  std::optional<datachannel::ReceivedMessage> PollMessage(Timestamp now, datachannel::ChannelId channel);
  std::optional<datachannel::ReceivedMessage> PollAnyMessage(Timestamp now);
  // Octets handed to Send and not transmitted for the first time yet; BufferedAmountLow when they fall to the threshold
  // from above it. No framing counts.
  size_t buffered_amount(datachannel::ChannelId channel) const;
  size_t send_buffer_room() const;  // octets before Send answers kQueueFull
  // Received payloads come from here, and payloads for Send may, so that a steady state allocates nothing.
  const BufferPool& pool() const;
  void SetBufferedAmountLowThreshold(datachannel::ChannelId channel, size_t bytes);
  const datachannel::ChannelOptions* channel_options(datachannel::ChannelId channel) const;
  datachannel::ChannelState channel_state(datachannel::ChannelId channel) const;

  // SCTP abort, DTLS close_notify, then kClosed; what they send is still to be polled.
  void Close(Timestamp now);

  // Inputs. `mark`: the ECN field of the IP packet that carried the datagram.
  void HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                      std::span<const uint8_t> datagram, EcnMark mark = EcnMark::kNotEct);
  // Datagrams that came together, as UDP_GRO has them: each of `segment` octets (more than 0), only the last may be
  // shorter.
  struct Train {
    std::span<const uint8_t> octets;
    size_t segment = 1;
    EcnMark mark = EcnMark::kNotEct;
  };
  // As HandleDatagram for each, but events and output may follow behind the last.
  void HandleTrain(Timestamp now, const SocketAddress& local, const SocketAddress& remote, const Train& train);
  void HandleTimeout(Timestamp now);
  // What the network says about a datagram from `local` to `remote`, by ICMP or by the own host: a link carries IP
  // packets of `mtu` octets only (RFC 8899 §4.6.1); or nothing arrives there (RFC 8489 §6.3.4: of our requests to that
  // STUN server nothing will come). Hints: anybody can forge them, so nothing fails by them that works.
  void HandlePacketTooBig(Timestamp now, const SocketAddress& local, const SocketAddress& remote, size_t mtu);
  void HandleUnreachable(Timestamp now, const SocketAddress& local, const SocketAddress& remote);

  // What event::ProbeSocketsWanted asked for: their bound addresses.
  void HandleProbeSockets(Timestamp now, std::span<const SocketAddress> sockets);
  // What event::RelayConnectionWanted asked for is there; `local` comes back in Transmit.
  void HandleRelayConnected(Timestamp now, RelayId id, const SocketAddress& local);
  // It could not be opened, or is gone; the reason is for people.
  void HandleRelayConnectionFailed(Timestamp now, RelayId id, std::string reason);
  // A datagram from it, or one whole message of a stream (turn/stream_framer.h). HandleDatagram takes those of UDP
  // connections too, by `local`.
  void HandleRelayMessage(Timestamp now, RelayId id, const SocketAddress& remote, std::span<const uint8_t> message);

  // What event::TcpConnectWanted asked for is there; it could not be opened, or is gone.
  void HandleTcpConnected(Timestamp now, ice::TcpId id);
  void HandleTcpClosed(Timestamp now, ice::TcpId id);
  // Somebody connected to the listener, and this is the first frame (ice/tcp_door.h). nullopt: it is no authentic check
  // of our peer's, or there are too many: close it.
  [[nodiscard]] std::optional<ice::TcpId> HandleTcpAccepted(Timestamp now, const SocketAddress& listener,
                                                            const SocketAddress& remote,
                                                            std::span<const uint8_t> check);
  void HandleTcpOctets(Timestamp now, ice::TcpId id, std::span<const uint8_t> octets);

  // Outputs. `out` should have 1500 octets, or as many as a path MTU to be found (kMaxDatagram is enough); successive
  // datagrams of a bulk transfer have equal size and addresses, so that the driver can send them as one.
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent();
  [[nodiscard]] Timestamp NextTimeout() const;

  ConnectionState state() const;
  const std::string& local_ufrag() const;
  // True when an authenticated ICE message came from there over that socket: a multiplexer may route by it.
  bool IsAuthenticated(const SocketAddress& local, const SocketAddress& remote) const;
  bool is_gathering() const;
  PeerStats stats() const;
  std::string TakeKeyLog();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
static_assert(SansIoCore<Peer>);

}  // namespace jsp::transport
