#include "transport/signaling/session_host.h"

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "transport/signaling/session_stats.h"

namespace jsp::signaling {

using transport::ConnectionState;
using transport::Peer;
using transport::PeerEvent;
using transport::SdpType;
using transport::io::Driver;

namespace {

// 128 random bits: who does not know the Location cannot guess it (RFC 9725).
std::string MakeId(Rng& rng) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string id;
  for (const uint8_t octet : rng.Random<std::array<uint8_t, 16>>()) {
    id += kHex[octet >> 4];
    id += kHex[octet & 15];
  }
  return id;
}

bool IsUp(ConnectionState state) {
  return state == ConnectionState::kConnected || state == ConnectionState::kCompleted;
}

}  // namespace

struct HostedSession;

struct SessionHost::Impl : std::enable_shared_from_this<SessionHost::Impl> {
  Impl(std::shared_ptr<Driver> on_driver, SessionHostOptions host_options)
      : driver(std::move(on_driver)), options(std::move(host_options)) {
    if (options.peer.certificate) return;
    if (auto made = dtls::Certificate::Generate()) options.peer.certificate = *made;
  }
  void HandleOffer(std::string sdp, std::function<void(Reply)> done);
  void End(const std::string& id);

  std::shared_ptr<Driver> driver;
  SessionHostOptions options;
  std::map<std::string, std::shared_ptr<HostedSession>, std::less<>> sessions;
  SessionHostStats stats;
};

// One session: the peer, its service, and the answer that waits for the end of gathering.
struct HostedSession final : Session, transport::io::PeerObserver, std::enable_shared_from_this<HostedSession> {
  HostedSession(const std::shared_ptr<SessionHost::Impl>& owner, std::string session_id)
      : host(owner), name(std::move(session_id)), timer(owner->driver->executor()) {
    handle = owner->driver->AddPeer(owner->options.peer, *this);
  }

  const std::string& id() const override { return name; }
  transport::io::PeerHandle& peer() override { return handle; }
  void Close() override {
    if (const auto owner = host.lock()) owner->End(name);
  }

  void HandlePeerEvent(PeerEvent& event) override {
    const auto self = shared_from_this();
    if (std::holds_alternative<transport::event::GatheringComplete>(event)) MaybeAnswer();
    if (service) service->HandlePeerEvent(event);
    const ConnectionState state = handle ? handle.peer().state() : ConnectionState::kClosed;
    if (IsUp(state)) timer.cancel();
    if (state == ConnectionState::kFailed || state == ConnectionState::kClosed) Close();
  }
  void HandleRoom() override {
    const auto self = shared_from_this();
    if (service) service->HandleRoom();
  }

  // RFC 9725: the answer carries all candidates, so it waits for the last one.
  void MaybeAnswer() {
    if (!answer_to || handle.peer().is_gathering()) return;
    const auto answer = handle.Call([&](Peer& p, Timestamp now) {
      return is_restart ? p.CreateRestartFragment(now, SdpType::kAnswer) : p.CreateAnswer(now);
    });
    const auto done = std::exchange(answer_to, nullptr);
    if (answer && is_restart) return done({.status = 200, .body = *answer});
    if (answer) return done({.status = 201, .body = *answer, .session_id = name});
    done({.status = 500, .body = answer.error().message});
    Close();
  }
  void HandleRestart(std::string_view fragment, std::function<void(Reply)> done) {
    if (answer_to) return done({.status = 409, .body = "an answer of this session is under way; try again"});
    const auto applied =
        handle.Call([&](Peer& p, Timestamp now) { return p.SetRemoteRestart(now, SdpType::kOffer, fragment); });
    if (!applied) return done({.status = 400, .body = applied.error().message});
    is_restart = true;
    answer_to = std::move(done);
    MaybeAnswer();
  }
  void StartTimer(Duration timeout) {
    timer.expires_after(timeout);
    timer.async_wait([weak = weak_from_this()](boost::system::error_code error) {
      const auto self = weak.lock();
      if (!error && self && !IsUp(self->handle.peer().state())) self->Close();
    });
  }

  std::weak_ptr<SessionHost::Impl> host;
  std::string name;
  transport::io::PeerHandle handle;
  std::unique_ptr<SessionService> service;  // destroyed before the peer
  std::function<void(Reply)> answer_to;
  bool is_restart = false;  // the answer is one to a restart
  boost::asio::steady_timer timer;
};

void SessionHost::Impl::HandleOffer(std::string sdp, std::function<void(Reply)> done) {
  if (sessions.size() >= options.max_sessions) {
    ++stats.refused_full;
    return done({.status = 503, .body = "too many sessions; try again later", .retry_after_s = options.retry_after_s});
  }
  if (!options.peer.certificate) return done({.status = 500, .body = "no certificate could be made"});
  const auto session = std::make_shared<HostedSession>(shared_from_this(), MakeId(driver->rng()));
  if (session->handle.peer().state() == ConnectionState::kFailed) {
    ++stats.refused_full;
    if (options.on_memory_refusal) options.on_memory_refusal(sessions.size());
    return done({.status = 503, .body = "out of memory for another session", .retry_after_s = options.retry_after_s});
  }
  const auto applied =
      session->handle.Call([&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kOffer, sdp); });
  if (!applied) {
    ++stats.refused_bad_sdp;
    return done({.status = 400, .body = applied.error().message});
  }
  ++stats.accepted;
  sessions.emplace(session->name, session);
  session->service = options.make_service(*session);
  session->answer_to = std::move(done);
  session->StartTimer(options.connect_timeout);
  session->MaybeAnswer();
}

// The session leaves the table at once and dies when the handlers that are under way have returned.
void SessionHost::Impl::End(const std::string& id) {
  auto node = sessions.extract(id);
  if (node.empty()) return;
  ++stats.ended;
  const auto session = node.mapped();
  session->timer.cancel();
  if (auto done = std::exchange(session->answer_to, nullptr)) done({.status = 500, .body = "the session ended"});
  if (options.on_session_end) options.on_session_end(*session);
  boost::asio::post(driver->executor(), [session]() mutable {
    session->service.reset();
    session->handle = {};
  });
}

SessionHost::SessionHost(std::shared_ptr<Driver> driver, SessionHostOptions options)
    : impl_(std::make_shared<Impl>(std::move(driver), std::move(options))) {}

SessionHost::~SessionHost() {
  auto sessions = std::exchange(impl_->sessions, {});
  for (auto& [id, session] : sessions) {
    session->timer.cancel();
    session->answer_to = nullptr;
    session->service.reset();
    session->handle = {};
  }
}

void SessionHost::HandleOffer(std::string sdp, std::function<void(Reply)> done) {
  impl_->HandleOffer(std::move(sdp), std::move(done));
}

Reply SessionHost::HandleFragment(std::string_view session_id, std::string_view fragment) {
  const auto found = impl_->sessions.find(session_id);
  if (found == impl_->sessions.end()) return {.status = 404, .body = "no such session"};
  const auto added =
      found->second->handle.Call([&](Peer& p, Timestamp now) { return p.AddRemoteFragment(now, fragment); });
  if (!added) return {.status = 400, .body = added.error().message};
  return {.status = 204};
}

void SessionHost::HandleRestart(std::string_view session_id, std::string_view fragment,
                                std::function<void(Reply)> done) {
  const auto found = impl_->sessions.find(session_id);
  if (found == impl_->sessions.end()) return done({.status = 404, .body = "no such session"});
  const auto session = found->second;  // outlives its end
  session->HandleRestart(fragment, std::move(done));
}

Reply SessionHost::HandleDelete(std::string_view session_id) {
  const auto found = impl_->sessions.find(session_id);
  if (found == impl_->sessions.end()) return {.status = 404, .body = "no such session"};
  impl_->End(std::string(session_id));
  return {.status = 200, .body = "closed"};
}

std::string SessionHost::StatsJson() {
  std::vector<std::pair<std::string, transport::PeerStats>> sessions;
  for (const auto& [id, session] : impl_->sessions) sessions.emplace_back(id, session->handle.peer().stats());
  return WriteStatsJson(stats(), impl_->driver->stats(), sessions);
}

std::string SessionHost::Page() { return impl_->options.page; }

const SessionHostStats& SessionHost::stats() const {
  impl_->stats.sessions = impl_->sessions.size();
  return impl_->stats;
}

}  // namespace jsp::signaling
