#pragma once
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/set.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "transport/asio/driver.h"
#include "transport/asio/interface_watch.h"
#include "transport/asio/loop_buffers.h"
#include "transport/asio/mdns_driver.h"
#include "transport/asio/port_mapper.h"
#include "transport/asio/read_ahead.h"
namespace jsp::transport::io {

class IceTcpConnection;
class IceTcpListeners;
class RelayConnection;

// A Peer and what its driver knows about it. Owned by its PeerHandle, and by a turn that is under way.
struct DrivenPeer : boost::intrusive::set_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>,
                    std::enable_shared_from_this<DrivenPeer> {
  DrivenPeer(std::shared_ptr<const SettledPeerOptions> options, Rng& rng, Timestamp now, PeerObserver& who)
      : peer(std::move(options), rng, now), observer(&who) {}

  Peer peer;
  PeerObserver* observer;  // nullptr: released
  Timestamp deadline;      // the key in DriverCore::deadlines while linked
  std::optional<size_t> wanted_room;
  bool dirty = false;              // in DriverCore::dirty
  std::vector<std::string> names;  // answered by Helpers::mdns
  size_t fresh_sets = 0;           // of Helpers::fresh, that it was given
  std::vector<std::shared_ptr<RelayConnection>> relays;
  std::vector<std::shared_ptr<IceTcpConnection>> tcp;

  bool IsUsingPath() const {
    return peer.state() == ConnectionState::kConnected || peer.state() == ConnectionState::kCompleted;
  }
  // driver_relays.cc
  RelayConnection* FindRelay(RelayId id) const;
  bool IsRelayBlocked() const;
  void CloseRelays();
  // driver_tcp.cc
  IceTcpConnection* FindTcp(ice::TcpId id) const;
  bool IsTcpBlocked() const;
  void CloseTcp();
  // A stream holds as much as it may.
  bool IsBlocked() const { return IsRelayBlocked() || IsTcpBlocked(); }
};

struct EarlierDeadline {
  bool operator()(const DrivenPeer& a, const DrivenPeer& z) const { return a.deadline < z.deadline; }
};

// Datagrams of one turn, written by the peers into one contiguous buffer, so that runs leave as one segmented send. The
// buffer is the loop's, from the first room() until Send().
class SendBatch {
 public:
  static constexpr size_t kMaxDatagram = Peer::kMaxDatagram;

  explicit SendBatch(LoopBuffers& buffers) : buffers_(&buffers) {}
  std::span<uint8_t> room() {
    if (!buffer_) buffer_ = LoopBuffers::Lease(*buffers_, LoopBuffers::Kind::kSend);
    return std::span(buffer_.data() + used_, kMaxDatagram);
  }
  // The datagram was written to room().
  void Append(UdpSocket& socket, const Peer::Transmit& transmit);
  void Send();

 private:
  std::span<const uint8_t> written() const { return {buffer_.data(), used_}; }

  LoopBuffers* buffers_;
  LoopBuffers::Lease buffer_;
  std::vector<OutgoingDatagram> datagrams_;
  UdpSocket* socket_ = nullptr;
  size_t used_ = 0;
};

// What Driver and PeerHandles share; kept alive by them. See driver.h.
struct DriverCore : std::enable_shared_from_this<DriverCore> {
  using Deadlines = boost::intrusive::multiset<DrivenPeer, boost::intrusive::compare<EarlierDeadline>,
                                               boost::intrusive::constant_time_size<false>>;
  struct Pending {
    std::shared_ptr<DrivenPeer> driven;
    std::optional<PeerEvent> event;  // nullopt: there is room
  };
  // Both keep their storage, which begins with what a busy turn needs.
  struct Events {
    static constexpr size_t kFirst = 8;
    void Push(Pending next) {
      if (pending.capacity() == 0) pending.reserve(kFirst);
      pending.push_back(std::move(next));
    }
    std::vector<Pending> pending;
    std::vector<Pending> dispatching;
  };
  // To and from the other loops of a group.
  struct Post {
    std::vector<LoopGroup::Parcel> outgoing;  // of the batch that is being read; views
    LoopGroup::Box::Mail mail;
    MailRest rest;
  };
  // What peers need besides sockets; each exists once it is needed.
  struct Helpers {
    std::unique_ptr<MdnsDriver> mdns;
    std::unique_ptr<PortMapper> ports;
    std::unique_ptr<InterfaceWatch> watch;
    std::vector<std::weak_ptr<DrivenPeer>> awaiting_ports;
    std::unique_ptr<IceTcpListeners> tcp_listeners;
    std::vector<uint8_t> tcp_input;
    std::vector<std::vector<LocalAddress>> fresh;  // sets of sockets that a peer gets when it asks for the next one
    std::vector<SocketAddress> probes;             // opened when a peer needs them, and kept for the next one
    std::unique_ptr<UnknownRequests> unknown;
    std::function<void(const UnknownRequest&)> unknown_handler;
    Post post;
  };
  struct Arrival {
    size_t socket;
    SocketAddress remote;
    std::span<const uint8_t> datagram;
    EcnMark mark = EcnMark::kNotEct;
  };
  struct Phase {
    bool in_turn = false;
    bool scheduled = false;
    bool congested = false;  // a socket has a backlog: peers wait with their output until it is writable
    ReadAhead read_ahead;
  };

  // Not started yet.
  static Expected<std::shared_ptr<DriverCore>, boost::system::error_code> Open(boost::asio::any_io_executor executor,
                                                                               const DriverOptions& options,
                                                                               std::span<const LocalAddress> addresses,
                                                                               const LoopMembership& membership = {});
  DriverCore(boost::asio::any_io_executor ex, const DriverOptions& driver_options, std::unique_ptr<UdpMux> udp_mux);
  ~DriverCore();

  void Start();
  void WaitReadable(size_t socket);
  void WaitWritable(size_t socket);
  bool IsSame(size_t socket, const UdpSocket* opened) const;
  void HandleReadable(size_t socket);
  void BusyPoll(size_t socket, const UdpSocket* opened);
  bool ReadTurn(size_t socket, UdpSocket::Occasion occasion);
  void HandleWritable(size_t socket);
  void FeedTrain(Timestamp now, size_t socket, const ReceivedTrain& train);
  bool RouteTrain(Timestamp now, size_t socket, const ReceivedTrain& train);
  void DeliverTrain(Timestamp now, UdpMux::Key peer, size_t socket, const ReceivedTrain& train);
  void Feed(Timestamp now, size_t socket, const SocketAddress& remote, std::span<const uint8_t> datagram, EcnMark mark);
  void Deliver(Timestamp now, const UdpMux::Match& match, const Arrival& arrival);
  void FeedError(Timestamp now, size_t socket, const NetworkError& error);
  void MaybeAddRoute(DrivenPeer& driven, const UdpMux::Match& match, size_t socket, const SocketAddress& remote);
  // driver_networks.cc
  void WatchInterfaces();
  void Rescan();
  void SetAddresses(const std::vector<LocalAddress>& wanted);
  // The sockets that there are for a peer that was given so many sets of fresh ones.
  std::vector<LocalAddress> AddressesOf(size_t fresh_sets) const;
  size_t OpenMissing(const std::vector<LocalAddress>& wanted);
  size_t CloseOthers(const std::vector<LocalAddress>& wanted);
  void ArmTimer();
  void CatchUp(Timestamp now);
  void HandleTimer();

  void Touch(DrivenPeer& driven);
  void ScheduleTurn();
  void EndTurn(Timestamp now);
  void FlushDirty(Timestamp now);
  void FlushPeer(Timestamp now, DrivenPeer& driven);
  bool TakeOutput(Timestamp now, DrivenPeer& driven);
  void TakeEvents(Timestamp now, DrivenPeer& driven);
  void CheckCongestion();
  // driver_names.cc
  MdnsDriver* Mdns();
  void ResolveName(Timestamp now, DrivenPeer& driven, const std::string& name);
  void PublishName(DrivenPeer& driven, const event::NamePublished& named);
  void WithdrawNames(DrivenPeer& driven);
  // driver_ports.cc
  void OpenPorts();
  // What is mapped already becomes a candidate of the peer; the rest follows when it comes.
  void OfferPorts(Timestamp now, DrivenPeer& driven);
  void HandlePortsChanged();
  // driver_fresh.cc
  bool AddFreshSockets(DrivenPeer& driven);
  std::vector<LocalAddress> OpenFreshSockets();
  void OpenProbeSockets(DrivenPeer& driven, const event::ProbeSocketsWanted& wanted);
  // driver_relays.cc
  void OpenRelay(DrivenPeer& driven, const event::RelayConnectionWanted& wanted);
  void CloseRelay(DrivenPeer& driven, RelayId id);
  // A turn that a relay's connection begins. Returns whether the connection still exists after it.
  bool RelayTurn(DrivenPeer& driven, RelayId id, const std::function<void(Timestamp)>& call);
  // driver_tcp.cc
  void OfferTcpListeners(Timestamp now, DrivenPeer& driven);
  void OpenTcp(DrivenPeer& driven, const event::TcpConnectWanted& wanted);
  void CloseTcp(DrivenPeer& driven, ice::TcpId id);
  // A turn that a connection begins.
  void TcpTurn(DrivenPeer& driven, const std::function<void(Timestamp)>& call);
  // driver_unknown.cc
  void SetUnknownRequestHandler(std::function<void(const UnknownRequest&)> handler);
  bool HasUnknownRequests() const { return helpers.unknown && helpers.unknown->HasWaiting(); }
  void TellUnknownRequests();
  bool HandleRequest(const UnknownRequest& request);
  // driver_loops.cc
  void JoinLoops();
  void LeaveLoops();
  void HandOver(size_t loop, size_t socket, const ReceivedTrain& train);
  void SendPost();
  void ReadMail();
  bool ReadTrain(Timestamp now, const SocketAddress& local, const ReceivedTrain& train);
  void MaybeTrimMail(Timestamp now);
  void ReadRouteWanted(const LoopRoute& route);
  void Dispatch();
  void Release(DrivenPeer& driven);
  void SetDeadline(DrivenPeer& driven, Timestamp deadline);

  struct Peers {
    size_t count = 0;
    std::weak_ptr<const SettledPeerOptions> options;  // of the latest one: the next is likely to share them
  };

  boost::asio::any_io_executor executor;
  DriverOptions options;
  Rng rng;
  std::unique_ptr<UdpMux> mux;
  boost::asio::steady_timer timer;
  Timestamp armed_at;
  Deadlines deadlines;
  std::vector<std::shared_ptr<DrivenPeer>> dirty;
  std::vector<std::shared_ptr<DrivenPeer>> flushing;
  Events events;
  SendBatch batch;
  Phase phase;
  Peers peers;
  DriverStats counters;
  Helpers helpers;
};

}  // namespace jsp::transport::io
