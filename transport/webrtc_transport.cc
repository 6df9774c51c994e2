#include "transport/webrtc_transport.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "transport/webrtc_core.h"

namespace jsp {

using boost::system::error_code;
using transport::Peer;

namespace {

// Runs `step(core)` on the core's executor, keeping the core until then.
template <class Step>
void OnCore(std::shared_ptr<TransportCore> core, Step step) {
  auto& executor = core->executor;
  boost::asio::dispatch(executor, [core = std::move(core), s = std::move(step)]() mutable { s(*core); });
}

}  // namespace

WebRtcTransport::WebRtcTransport(boost::asio::any_io_executor executor, WebRtcConfig config)
    : core_(std::make_shared<TransportCore>(std::move(executor), std::move(config))) {}

WebRtcTransport& WebRtcTransport::operator=(WebRtcTransport&& other) noexcept {
  std::swap(core_, other.core_);
  return *this;
}

WebRtcTransport::~WebRtcTransport() {
  if (core_) OnCore(std::move(core_), [](TransportCore& core) { core.Destroy(); });
}

boost::asio::any_io_executor WebRtcTransport::get_executor() const { return core_->executor; }
boost::asio::any_io_executor WebRtcTransport::ExecutorOf(const std::shared_ptr<TransportCore>& core) {
  return core->executor;
}

void WebRtcTransport::StartInitialize(std::shared_ptr<TransportCore> core, Done done) {
  OnCore(std::move(core), [d = std::move(done)](TransportCore& c) mutable { c.Initialize(std::move(d)); });
}

void WebRtcTransport::StartConnect(std::shared_ptr<TransportCore> core, Done done) {
  OnCore(std::move(core), [d = std::move(done)](TransportCore& c) mutable { c.Connect(std::move(d)); });
}

void WebRtcTransport::StartClose(std::shared_ptr<TransportCore> core, Done done) {
  OnCore(std::move(core), [d = std::move(done)](TransportCore& c) mutable { c.Close(std::move(d)); });
}

void WebRtcTransport::StartWaitState(std::shared_ptr<TransportCore> core,
                                     std::function<bool(ConnectionState)> predicate, Done done) {
  OnCore(std::move(core), [p = std::move(predicate), d = std::move(done)](TransportCore& c) mutable {
    if (c.phase == TransportCore::Phase::kDestroyed) return d.Complete(boost::asio::error::operation_aborted);
    TransportCore* raw = &c;  // the waiter lives in it
    c.AddWaiter(
        [raw, p = std::move(p)]() -> std::optional<error_code> {
          if (p(raw->state())) return error_code();
          return raw->FinalError();
        },
        std::move(d));
    c.CheckWaiters();
  });
}

Expected<std::string, DescriptionError> WebRtcTransport::create_offer() {
  if (const auto ready = core_->RequirePeer(); !ready) return Unexpected<DescriptionError>(ready.error());
  core_->OpenOwnChannel();
  return core_->peer.Call([](Peer& p, Timestamp now) { return p.CreateOffer(now); });
}

Expected<std::string, DescriptionError> WebRtcTransport::create_answer() {
  if (const auto ready = core_->RequirePeer(); !ready) return Unexpected<DescriptionError>(ready.error());
  return core_->peer.Call([](Peer& p, Timestamp now) { return p.CreateAnswer(now); });
}

Expected<void, DescriptionError> WebRtcTransport::set_remote_description(SdpType type, std::string_view sdp) {
  if (const auto ready = core_->RequirePeer(); !ready) return ready;
  return core_->peer.Call([&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, type, sdp); });
}

Expected<void, DescriptionError> WebRtcTransport::add_remote_candidate(std::string_view line) {
  if (const auto ready = core_->RequirePeer(); !ready) return ready;
  return core_->peer.Call([&](Peer& p, Timestamp now) { return p.AddRemoteCandidate(now, line); });
}

Expected<void, DescriptionError> WebRtcTransport::add_remote_fragment(std::string_view fragment) {
  if (const auto ready = core_->RequirePeer(); !ready) return ready;
  return core_->peer.Call([&](Peer& p, Timestamp now) { return p.AddRemoteFragment(now, fragment); });
}

void WebRtcTransport::on_local_candidate(std::function<void(const std::string& line)> handler) {
  core_->handlers.local_candidate = std::move(handler);
  boost::asio::post(core_->executor, [weak = std::weak_ptr(core_)] {
    const auto core = weak.lock();
    if (!core || !core->handlers.local_candidate) return;
    for (const auto& line : std::exchange(core->early_candidates, {})) {
      if (const auto call = core->handlers.local_candidate) call(line);
    }
  });
}

void WebRtcTransport::on_state_change(std::function<void(ConnectionState, const std::string&)> handler) {
  core_->handlers.state_change = std::move(handler);
}

void WebRtcTransport::on_restart_needed(std::function<void(const std::string&)> handler) {
  core_->handlers.restart_needed = std::move(handler);
}

void WebRtcTransport::on_selected_pair(std::function<void(const ice::Candidate&, const ice::Candidate&)> handler) {
  core_->handlers.selected_pair = std::move(handler);
}

void WebRtcTransport::on_channel(std::function<void(DataChannel)> handler) {
  core_->handlers.channel = std::move(handler);
}

DataChannel WebRtcTransport::channel() const { return DataChannel(core_, TransportCore::kOwn); }

Expected<DataChannel, error_code> WebRtcTransport::open_channel(ChannelOptions options) {
  return core_->OpenChannel(std::move(options));
}

ConnectionState WebRtcTransport::connection_state() const { return core_->state(); }

std::string WebRtcTransport::state_reason() const {
  return core_->peer ? core_->peer.peer().stats().state_reason : std::string();
}

std::string WebRtcTransport::error_detail() const { return core_->error_detail; }

transport::PeerStats WebRtcTransport::stats() const {
  return core_->peer ? core_->peer.peer().stats() : transport::PeerStats{};
}

std::string WebRtcTransport::take_key_log() {
  return core_->peer ? core_->peer.Call([](Peer& p, Timestamp) { return p.TakeKeyLog(); }) : std::string();
}

error_code WebRtcTransport::restart_ice() {
  if (!core_->RequirePeer()) return TransportErrc::kNotInitialized;
  const auto begun = core_->peer.Call([](Peer& p, Timestamp now) { return p.RestartIce(now); });
  if (begun) return {};
  core_->error_detail = begun.error().message;
  return make_error_code(boost::system::errc::operation_not_permitted);
}

}  // namespace jsp
