#include "transport/webrtc_core.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <utility>

#include "base/overloaded.h"
#include "transport/asio/resolver.h"
#include "transport/asio/steady_clock.h"
#include "transport/webrtc_turn_servers.h"

namespace jsp {
namespace {

// A shared driver decides where everything runs; otherwise a strand keeps several threads of one io_context apart.
boost::asio::any_io_executor ChooseExecutor(boost::asio::any_io_executor executor, const WebRtcConfig& config) {
  if (config.driver) return config.driver->executor();
  return boost::asio::make_strand(std::move(executor));
}

// For servers with TLS of which nobody said whom to trust. Returns what went wrong.
std::optional<std::string> AddSystemTrust(std::vector<TurnServer>& servers) {
  std::shared_ptr<const dtls::StreamContext> system;
  for (TurnServer& server : servers) {
    const bool uses_tls =
        std::ranges::any_of(server.urls, [](const std::string& url) { return stun::ParseUri(url)->IsSecure(); });
    if (server.tls || !uses_tls) continue;
    if (!system) {
      auto made = dtls::StreamContext::ForClient();
      if (!made) return made.error();
      system = *made;
    }
    server.tls = system;
  }
  return std::nullopt;
}

}  // namespace

TransportCore::TransportCore(boost::asio::any_io_executor ex, WebRtcConfig webrtc_config)
    : executor(ChooseExecutor(std::move(ex), webrtc_config)),
      config(std::move(webrtc_config)),
      connect_timer(executor) {}

void TransportCore::Initialize(Completion<error_code> done) {
  if (phase == Phase::kDestroyed) return done.Complete(boost::asio::error::operation_aborted);
  if (phase != Phase::kNew) return done.Complete(boost::asio::error::already_started);
  if (const auto valid = config.Validate(); !valid) {
    Fail(TransportErrc::kInvalidConfig, valid.error().ToString());
    return done.Complete(TransportErrc::kInvalidConfig);
  }
  phase = Phase::kInitializing;
  AddWaiter(
      [this]() -> std::optional<error_code> {
        if (init_error) return init_error;
        if (peer && !peer.peer().is_gathering()) return error_code();
        return std::nullopt;
      },
      std::move(done));
  OpenDriver();
  CheckWaiters();
}

void TransportCore::OpenDriver() {
  if (!config.certificate) {
    auto certificate = dtls::Certificate::Generate();
    if (!certificate) return Fail(TransportErrc::kInvalidConfig, "no certificate: " + certificate.error());
    config.certificate = *certificate;
  }
  if (const auto error = AddSystemTrust(config.turn_servers)) return Fail(TransportErrc::kInvalidConfig, *error);
  driver = config.driver;
  if (!driver) {
    auto opened = transport::io::Driver::Open(executor, config.driver_options);
    if (!opened) {
      return Fail(TransportErrc::kNoLocalAddress, "no UDP socket could be opened: " + opened.error().message());
    }
    driver = *opened;
  }
  FindNat64();
}

void TransportCore::FindNat64() {
  if (config.peer_options.nat64) return ResolveServers();
  driver->FindNat64(config.peer_options.gathering_timeout,
                    [weak = weak_from_this()](std::optional<transport::Nat64Prefix> prefix) {
                      const auto core = weak.lock();
                      if (!core || core->phase != Phase::kInitializing) return;
                      core->config.peer_options.nat64 = prefix;
                      core->ResolveServers();
                    });
}

void TransportCore::ResolveServers() {
  std::vector<stun::Uri> servers;
  for (const auto& text : config.stun_servers) servers.push_back(*stun::ParseUri(text));
  ResolveAll(servers);
}

// Both kinds of servers at the same time, so that names that do not resolve cost one deadline and not two.
void TransportCore::ResolveAll(const std::vector<stun::Uri>& stun_servers) {
  struct Resolved {
    std::optional<std::vector<SocketAddress>> stun;
    std::optional<std::vector<transport::RelayServer>> turn;
  };
  const auto resolved = std::make_shared<Resolved>();
  const auto proceed = [weak = weak_from_this(), resolved] {
    const auto core = weak.lock();
    if (!core || core->phase != Phase::kInitializing || !resolved->stun || !resolved->turn) return;
    const auto& nat64 = core->config.peer_options.nat64;
    for (auto& address : *resolved->stun) address = transport::ThroughNat64(nat64, address);
    core->config.peer_options.stun_servers = std::move(*resolved->stun);
    core->AddPeer(std::move(*resolved->turn));
  };
  const Duration deadline = config.peer_options.gathering_timeout;
  transport::io::ResolveServers(executor, stun_servers, {.deadline = deadline},
                                [resolved, proceed](std::vector<SocketAddress> addresses) {
                                  resolved->stun = std::move(addresses);
                                  proceed();
                                });
  ResolveTurnServers(executor, config.turn_servers, deadline,
                     [resolved, proceed](std::vector<transport::RelayServer> servers) {
                       resolved->turn = std::move(servers);
                       proceed();
                     });
}

void TransportCore::AddPeer(std::vector<transport::RelayServer> turn_servers) {
  transport::PeerOptions options = config.peer_options;
  options.certificate = config.certificate;
  options.relay_servers = std::move(turn_servers);
  for (auto& relay : options.relay_servers) {
    relay.address = transport::ThroughNat64(options.nat64, relay.address);
    for (auto& other : relay.alternatives) other = transport::ThroughNat64(options.nat64, other);
  }
  options.ice_tcp.mode = config.ice_tcp;
  options.only_relays = config.ice_transport_policy == IceTransportPolicy::kRelay;
  if (options.only_relays && options.relay_servers.empty()) {
    Fail(TransportErrc::kRelayUnavailable, "turn_servers: no name resolves; check the names and the name server");
    return CheckWaiters();
  }
  options.sctp.max_send_buffer = config.send_queue_bytes;
  options.channels.max_queued_bytes = config.send_queue_bytes;
  peer = driver->AddPeer(options, *this);
  phase = Phase::kReady;
  if (config.negotiated_id) OpenOwnChannel();
}

void TransportCore::Fail(error_code code, std::string detail) {
  init_error = code;
  error_detail = std::move(detail);
}

void TransportCore::Connect(Completion<error_code> done) {
  if (phase == Phase::kDestroyed) return done.Complete(boost::asio::error::operation_aborted);
  if (phase != Phase::kReady) return done.Complete(TransportErrc::kNotInitialized);
  AddWaiter(
      [this]() -> std::optional<error_code> {
        if (const auto error = FinalError()) return error;
        if (own_channel && StateOf(*own_channel) == ChannelState::kOpen) return error_code();
        return std::nullopt;
      },
      std::move(done));
  connect_timer.expires_after(config.connect_timeout);
  connect_timer.async_wait([weak = weak_from_this()](error_code error) {
    const auto core = weak.lock();
    if (error || !core || core->phase != Phase::kReady) return;
    if (core->own_channel && core->StateOf(*core->own_channel) == ChannelState::kOpen) return;
    core->error_detail = "not connected in time; " + core->WhyNotConnected();
    core->init_error = TransportErrc::kTimedOut;
    core->CheckWaiters();
  });
  CheckWaiters();
}

void TransportCore::Close(Completion<error_code> done) {
  if (phase != Phase::kReady) return done.Complete(error_code());
  peer.Call([](transport::Peer& p, Timestamp now) { p.Close(now); });
  AddWaiter(
      [this]() -> std::optional<error_code> {
        const bool is_final = state() == ConnectionState::kClosed || state() == ConnectionState::kFailed;
        return is_final && sends.empty() ? std::optional(error_code()) : std::nullopt;
      },
      std::move(done));
  FailSends([](const PendingSend&) { return true; }, TransportErrc::kConnectionClosed);
  CheckWaiters();
}

void TransportCore::Destroy() {
  if (phase == Phase::kDestroyed) return;
  phase = Phase::kDestroyed;
  const auto self = shared_from_this();
  const Handlers dropped = std::exchange(handlers, {});  // what they capture may refer to this
  connect_timer.cancel();
  peer = {};
  driver.reset();
  config.driver.reset();
  auto stopped = std::exchange(waiters, {});
  for (auto& waiter : stopped) waiter.done.Complete(boost::asio::error::operation_aborted);
  FailSends([](const PendingSend&) { return true; }, boost::asio::error::operation_aborted);
  auto boxes = std::exchange(inboxes, {});
  for (auto& [id, inbox] : boxes) FailReaders(inbox, boost::asio::error::operation_aborted);
}

void TransportCore::HandlePeerEvent(transport::PeerEvent& peer_event) {
  const auto self = shared_from_this();  // a handler may destroy the transport
  if (const auto watcher = handlers.watcher) watcher(peer_event);
  namespace dc = datachannel::event;
  std::visit(Overloaded{
                 [&](transport::event::StateChanged& e) {
                   if (e.state == ConnectionState::kFailed) error_detail = e.reason;
                   if (const auto handler = handlers.state_change) handler(e.state, e.reason);
                 },
                 [&](transport::event::LocalCandidateGathered& e) {
                   if (!handlers.local_candidate) return early_candidates.push_back(std::move(e.line));
                   const auto handler = handlers.local_candidate;
                   handler(e.line);
                 },
                 [&](transport::event::GatheringComplete&) {
                   std::erase(early_candidates, std::string());  // it went on, if it was complete before
                   if (!handlers.local_candidate) return early_candidates.push_back({});
                   const auto handler = handlers.local_candidate;
                   handler({});
                 },
                 [](transport::event::NamePublished&) {},  // the driver's affair, as the next five
                 [](transport::event::ResolveName&) {},
                 [](transport::event::RelayConnectionWanted&) {},
                 [](transport::event::RelayConnectionDone&) {},
                 [](transport::event::TcpConnectWanted&) {},
                 [](transport::event::TcpCloseWanted&) {},
                 [](transport::event::ProbeSocketsWanted&) {},
                 [](transport::event::ProbeSocketsDone&) {},
                 [](transport::event::FreshSocketsWanted&) {},
                 [&](transport::event::SelectedPairChanged& e) {
                   if (const auto handler = handlers.selected_pair) handler(e.local, e.remote);
                 },
                 [](transport::event::IceRestarted&) {},
                 [&](transport::event::IceRestartNeeded& e) {
                   if (const auto handler = handlers.restart_needed) handler(e.reason);
                 },
                 [&](transport::event::IceRestartFailed& e) { error_detail = "ICE restart: " + e.reason; },
                 [&](dc::ChannelOpenedByPeer& e) { HandleOpenedByPeer(e.channel); },
                 [](dc::ChannelOpen&) {},
                 [&](dc::ChannelClosed& e) { HandleClosedChannel(e.channel); },
                 [&](dc::MessagesWaiting& e) { PumpReceives(Key(e.channel)); },
                 [](dc::BufferedAmountLow&) {},
             },
             peer_event);
  if (phase != Phase::kDestroyed) CheckWaiters();
}

void TransportCore::HandleRoom() {
  const auto self = shared_from_this();
  PumpSends();
}

void TransportCore::AddWaiter(std::function<std::optional<error_code>()> check, Completion<error_code> done) {
  const uint64_t id = next_id++;
  done.OnCancel([weak = weak_from_this(), id] {
    const auto core = weak.lock();
    if (core) boost::asio::post(core->executor, [core, id] { core->Cancel(id); });
  });
  waiters.push_back({id, std::move(check), std::move(done)});
}

void TransportCore::CheckWaiters() {
  for (size_t i = 0; i < waiters.size();) {
    const auto result = waiters[i].check();
    if (!result) {
      ++i;
      continue;
    }
    auto done = std::move(waiters[i].done);
    waiters.erase(waiters.begin() + static_cast<std::ptrdiff_t>(i));
    done.Complete(*result);
  }
}

void TransportCore::Cancel(uint64_t id) {
  for (auto it = waiters.begin(); it != waiters.end(); ++it) {
    if (it->id != id) continue;
    auto done = std::move(it->done);
    waiters.erase(it);
    return done.Complete(boost::asio::error::operation_aborted);
  }
  FailSends([id](const PendingSend& send) { return send.id == id; }, boost::asio::error::operation_aborted);
  for (auto& [channel, inbox] : inboxes) {
    const auto found = std::ranges::find(inbox.readers, id, &PendingReceive::id);
    if (found == inbox.readers.end()) continue;
    PendingReceive reader = std::move(*found);
    inbox.readers.erase(found);
    return CompleteReader(reader, boost::asio::error::operation_aborted);
  }
}

// Why nothing can be waited for any more; nullopt while there is hope.
std::optional<boost::system::error_code> TransportCore::FinalError() const {
  if (phase == Phase::kDestroyed) return boost::asio::error::operation_aborted;
  if (state() == ConnectionState::kFailed) return TransportErrc::kConnectionFailed;
  if (state() == ConnectionState::kClosed) return TransportErrc::kConnectionClosed;
  if (init_error) return init_error;
  return std::nullopt;
}

ConnectionState TransportCore::state() const {
  if (phase == Phase::kDestroyed) return ConnectionState::kClosed;
  return peer ? peer.peer().state() : ConnectionState::kNew;
}

std::string TransportCore::WhyNotConnected() const {
  std::string text = "the state is " + std::string(ToString(state()));
  if (!peer) return text;
  const transport::PeerStats stats = peer.peer().stats();
  for (const auto& failure : stats.relay_failures) {
    text += "; the TURN server " + failure.server.ToString() + ": " + failure.reason;
  }
  for (const auto& refusal : stats.relay_refusals) {
    text += "; the TURN server " + refusal.server.ToString() + " does not relay to " + refusal.peer.ToString() + " (" +
            std::to_string(refusal.error_code) + ")";
  }
  return text;
}

Expected<void, DescriptionError> TransportCore::RequirePeer() const {
  if (peer) return {};
  return Unexpected<DescriptionError>(
      {DescriptionError::Code::kWrongState, "async_initialize() has not completed; wait for it"});
}

}  // namespace jsp
