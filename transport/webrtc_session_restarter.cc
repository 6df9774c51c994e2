#include "transport/webrtc_session_restarter.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/overloaded.h"

namespace jsp {
namespace {

using std::chrono::milliseconds;
using transport::Peer;

// Between peers that agreed on renomination ICE may find another path by itself.
constexpr milliseconds kPatience(1000);
// A host that lost its network asks in vain until it has another one; a request costs it little.
constexpr milliseconds kFirstRetry(250);
constexpr milliseconds kLastRetry(2000);
constexpr milliseconds kRequestTimeout(4000);

}  // namespace

SessionRestarter::SessionRestarter(const std::shared_ptr<TransportCore>& core, std::string session_url)
    : core_(core), session_url_(std::move(session_url)), timer_(core->executor), retry_after_(kFirstRetry) {}

void SessionRestarter::Start() {
  const auto core = core_.lock();
  if (!core) return;
  core->handlers.watcher = [weak = weak_from_this()](const transport::PeerEvent& event) {
    if (const auto self = weak.lock()) self->HandlePeerEvent(event);
  };
  HandleState(core->state());
}

void SessionRestarter::Stop() {
  timer_.cancel();
  session_url_.clear();
  if (const auto core = core_.lock()) core->handlers.watcher = nullptr;
}

void SessionRestarter::HandlePeerEvent(const transport::PeerEvent& event) {
  std::visit(Overloaded{
                 [&](const transport::event::StateChanged& e) { HandleState(e.state); },
                 [&](const transport::event::IceRestartNeeded&) { Begin(); },
                 [&](const transport::event::IceRestartFailed&) { After(kFirstRetry, &SessionRestarter::Begin); },
                 [&](const transport::event::GatheringComplete&) {
                   if (step_ == Step::kGathering) Ask();
                 },
                 // Of the next network, perhaps the first that there is again.
                 [&](const transport::event::LocalCandidateGathered&) {
                   if (step_ == Step::kWaiting) After(milliseconds(0), &SessionRestarter::Ask);
                   if (step_ == Step::kAsking) once_more_ = true;
                 },
                 [](const auto&) {},
             },
             event);
}

void SessionRestarter::HandleState(transport::ConnectionState state) {
  if (step_ != Step::kIdle) return;
  if (state == transport::ConnectionState::kDisconnected) return After(kPatience, &SessionRestarter::Begin);
  timer_.cancel();
}

void SessionRestarter::After(milliseconds delay, void (SessionRestarter::*then)()) {
  timer_.expires_after(delay);
  timer_.async_wait([weak = weak_from_this(), then](boost::system::error_code error) {
    const auto self = weak.lock();
    if (self && !error && !self->session_url_.empty()) ((*self).*then)();
  });
}

void SessionRestarter::Begin() {
  const auto core = core_.lock();
  if (!core || !core->peer || session_url_.empty()) return;
  if (step_ != Step::kIdle) {
    once_more_ = true;
    return;
  }
  const auto begun = core->peer.Call([](Peer& p, Timestamp now) { return p.RestartIce(now); });
  if (!begun) return;  // over, or in a round of the application's
  ++restarts_;
  once_more_ = false;
  retry_after_ = kFirstRetry;
  step_ = Step::kGathering;
  if (!core->peer.peer().is_gathering()) Ask();
}

void SessionRestarter::Ask() {
  const auto core = core_.lock();
  if (!core || !core->peer) return;
  timer_.cancel();
  const auto fragment =
      core->peer.Call([](Peer& p, Timestamp now) { return p.CreateRestartFragment(now, transport::SdpType::kOffer); });
  if (!fragment) return Stop();  // the connection is over
  step_ = Step::kAsking;
  signaling::RestartSession(core->executor, session_url_, *fragment, kRequestTimeout,
                            [self = shared_from_this()](Expected<std::string, signaling::ClientError> answer) {
                              self->HandleAnswer(answer);
                            });
}

void SessionRestarter::HandleAnswer(const Expected<std::string, signaling::ClientError>& fragment) {
  const auto core = core_.lock();
  if (!core || !core->peer || session_url_.empty()) return;
  if (!fragment) {
    core->error_detail = "ICE restart: " + fragment.error().message;
    constexpr unsigned kConflict = 409;  // an answer is under way
    const unsigned status = fragment.error().http_status;
    if (status / 100 == 4 && status != kConflict) return Stop();
    step_ = Step::kWaiting;
    After(std::exchange(retry_after_, std::min(2 * retry_after_, kLastRetry)), &SessionRestarter::Ask);
    return;
  }
  const auto applied = core->peer.Call(
      [&](Peer& p, Timestamp now) { return p.SetRemoteRestart(now, transport::SdpType::kAnswer, *fragment); });
  if (!applied) {
    core->error_detail = "ICE restart: " + applied.error().message;
    return Stop();
  }
  step_ = Step::kIdle;
  // A candidate that came while the peer was asked is not in what it was told.
  if (once_more_) After(kFirstRetry, &SessionRestarter::Begin);
}

}  // namespace jsp
