#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "transport/asio/driver.h"
#include "transport/signaling/server.h"
namespace jsp::signaling {

// One accepted peer, seen by its service. Outlives the service.
class Session {
 public:
  virtual ~Session() = default;
  virtual const std::string& id() const = 0;
  virtual transport::io::PeerHandle& peer() = 0;
  // Ends the session, also inside a handler of its own service; the service is destroyed at the end of the turn.
  virtual void Close() = 0;
};

// What a session's channels do; one is made by SessionHostOptions::make_service for every session and destroyed with
// it. HandlePeerEvent sees every event of the peer: ChannelOpenedByPeer, MessagesWaiting (then PollMessage until
// nullopt, or stop: SCTP's window holds the sender), ChannelClosed. HandleRoom answers
// Session::peer().WaitForRoom(octets).
class SessionService : public transport::io::PeerObserver {};

struct SessionHostOptions {
  transport::PeerOptions peer;  // without a certificate one is made; servers are resolved already
  size_t max_sessions = 1024;
  unsigned retry_after_s = 5;  // of a 503
  // An answered session that did not connect by then is given up, and so is a disconnected one.
  Duration connect_timeout = std::chrono::seconds(60);
  std::string page = "<!doctype html><title>jsp</title>";
  std::function<std::unique_ptr<SessionService>(Session&)> make_service;  // required
  // May be empty: an offer got 503, as the budget of the driver's peers has no room for another beside these.
  std::function<void(size_t sessions)> on_memory_refusal;
  std::function<void(const Session&)> on_session_end;  // may be empty; the peer's stats are still there
};

struct SessionHostStats {
  size_t sessions = 0;
  uint64_t accepted = 0;
  uint64_t refused_full = 0;
  uint64_t refused_bad_sdp = 0;
  uint64_t ended = 0;
};

// The peers behind a signalling server: one Peer per offer, all on one Driver (one UDP port). Owns sessions and their
// services; removes those that failed, closed, or never connected. Lives on the driver's executor.
class SessionHost final : public Resources {
 public:
  SessionHost(std::shared_ptr<transport::io::Driver> driver, SessionHostOptions options);
  ~SessionHost() override;

  void HandleOffer(std::string sdp, std::function<void(Reply)> done) override;
  Reply HandleFragment(std::string_view session_id, std::string_view fragment) override;
  void HandleRestart(std::string_view session_id, std::string_view fragment, std::function<void(Reply)> done) override;
  Reply HandleDelete(std::string_view session_id) override;
  std::string StatsJson() override;
  std::string Page() override;
  const SessionHostStats& stats() const;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace jsp::signaling
