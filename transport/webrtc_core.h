#pragma once
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "stun/uri.h"
#include "transport/asio/driver.h"
#include "transport/webrtc_transport.h"
namespace jsp {

// What a WebRtcTransport and its DataChannels share: the Peer, and the operations that wait. Everything runs on
// `executor`; the façade's async_ verbs dispatch to it. Not part of the interface.
struct TransportCore final : transport::io::PeerObserver, std::enable_shared_from_this<TransportCore> {
  using error_code = boost::system::error_code;
  using ChannelId = datachannel::ChannelId;
  // Names the own channel before it has an id.
  static constexpr ChannelId kOwn{0xffffffff};

  enum class Phase : uint8_t { kNew, kInitializing, kReady, kDestroyed };
  // Completes when check() gives a result.
  struct Waiter {
    uint64_t id;
    std::function<std::optional<error_code>()> check;
    Completion<error_code> done;
  };
  struct PendingSend {
    uint64_t id;
    ChannelId channel;
    Message message;
    Completion<error_code, size_t> done;
  };
  struct PendingReceive {
    uint64_t id;
    boost::asio::mutable_buffer buffer;
    std::variant<Completion<error_code, Message>, Completion<error_code, size_t>, Completion<error_code, ReceivedSome>>
        done;
  };
  struct Inbox {
    std::deque<PendingReceive> readers;
    std::optional<Message> held;  // did not fit a reader's buffer
    size_t held_from = 0;         // octets of it that were read already
  };
  struct Handlers {
    std::function<void(const std::string&)> local_candidate;
    std::function<void(ConnectionState, const std::string&)> state_change;
    std::function<void(DataChannel)> channel;
    std::function<void(const std::string&)> restart_needed;
    std::function<void(const ice::Candidate&, const ice::Candidate&)> selected_pair;
    std::function<void(const transport::PeerEvent&)> watcher;  // of a Connection; sees all before the others
  };

  TransportCore(boost::asio::any_io_executor ex, WebRtcConfig webrtc_config);

  // webrtc_core.cc: life.
  void Initialize(Completion<error_code> done);
  void OpenDriver();
  void FindNat64();
  void ResolveServers();
  void ResolveAll(const std::vector<stun::Uri>& stun_servers);
  void AddPeer(std::vector<transport::RelayServer> turn_servers);
  void Connect(Completion<error_code> done);
  void Close(Completion<error_code> done);
  void Destroy();
  void HandlePeerEvent(transport::PeerEvent& event) override;
  void HandleRoom() override;
  void AddWaiter(std::function<std::optional<error_code>()> check, Completion<error_code> done);
  void CheckWaiters();
  void Cancel(uint64_t id);
  std::optional<error_code> FinalError() const;
  ConnectionState state() const;
  std::string WhyNotConnected() const;  // so far; for people
  Expected<void, DescriptionError> RequirePeer() const;
  void Fail(error_code code, std::string detail);

  // webrtc_core_channels.cc: channels and messages.
  Expected<DataChannel, error_code> OpenChannel(ChannelOptions options);
  void OpenOwnChannel();
  void HandleOpenedByPeer(ChannelId id);
  void HandleClosedChannel(ChannelId id);
  std::optional<ChannelId> Real(ChannelId id) const { return id == kOwn ? own_channel : std::optional(id); }
  ChannelId Key(ChannelId id) const { return own_channel == id ? kOwn : id; }
  ChannelState StateOf(ChannelId id) const;
  error_code TrySend(ChannelId id, Message& message);
  void Send(ChannelId id, Message message, Completion<error_code, size_t> done);
  void PumpSends();
  void FailSends(const std::function<bool(const PendingSend&)>& which, error_code error);
  void Receive(ChannelId id, PendingReceive reader);
  void PumpReceives(ChannelId id);
  bool Deliver(PendingReceive& reader, Inbox& inbox, Message message);
  ReceivedSome FillBuffer(ChannelId id, Inbox& inbox, boost::asio::mutable_buffer buffer, Message message);
  void FailReaders(Inbox& inbox, error_code error);
  std::optional<Message> NextMessage(ChannelId id, Inbox& inbox);
  error_code ClosedError(ChannelId id) const;

  boost::asio::any_io_executor executor;
  WebRtcConfig config;
  Phase phase = Phase::kNew;
  std::shared_ptr<transport::io::Driver> driver;
  transport::io::PeerHandle peer;
  std::string error_detail;
  error_code init_error;
  Handlers handlers;
  std::vector<std::string> early_candidates;  // gathered before anybody listened
  std::optional<ChannelId> own_channel;
  std::vector<Waiter> waiters;
  std::deque<PendingSend> sends;
  std::map<ChannelId, Inbox> inboxes;
  uint64_t next_id = 1;
  boost::asio::steady_timer connect_timer;
};

// Completes `reader` with an error and nothing else.
void CompleteReader(TransportCore::PendingReceive& reader, boost::system::error_code error);

}  // namespace jsp
