#pragma once
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/expected.h"
#include "transport/peer_events.h"
#include "transport/signaling/client.h"
#include "transport/webrtc_core.h"
namespace jsp {

// Restarts ICE (RFC 8445 §9) over the URL of a session when the network changed and the connection does not follow by
// itself: when its Peer asks for it, and when it was disconnected for a moment. Tries again until the peer answers, the
// server knows no such session, or the connection has ended. Kept alive by its Connection and by its requests.
class SessionRestarter : public std::enable_shared_from_this<SessionRestarter> {
 public:
  SessionRestarter(const std::shared_ptr<TransportCore>& core, std::string session_url);

  // Hears of the peer from now on.
  void Start();
  void Stop();
  uint64_t restarts() const { return restarts_; }

 private:
  enum class Step : uint8_t { kIdle, kGathering, kAsking, kWaiting };

  void HandlePeerEvent(const transport::PeerEvent& event);
  void HandleState(transport::ConnectionState state);
  void Begin();
  void Ask();
  void HandleAnswer(const Expected<std::string, signaling::ClientError>& fragment);
  void After(std::chrono::milliseconds delay, void (SessionRestarter::*then)());

  std::weak_ptr<TransportCore> core_;
  std::string session_url_;
  boost::asio::steady_timer timer_;
  Step step_ = Step::kIdle;
  bool once_more_ = false;  // the network changed while the peer was asked
  std::chrono::milliseconds retry_after_;
  uint64_t restarts_ = 0;
};

}  // namespace jsp
