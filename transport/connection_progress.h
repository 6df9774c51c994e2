#pragma once
#include <optional>
#include <string>

#include "base/time.h"
#include "ice/events.h"
#include "transport/peer_events.h"
#include "transport/stats.h"
namespace jsp::transport {

// Derives the one state that users see from what the layers report, with its reason, and notes when each step was
// reached. kFailed and kClosed are final. Owns no layer; transport::Peer reports to it.
class ConnectionProgress {
 public:
  explicit ConnectionProgress(Timestamp start) : start_(start) {}

  // Each returns the new state when it changed.
  using Change = std::optional<event::StateChanged>;
  void HandleGathered(Timestamp now) { Note(timings_.gathered, now); }
  void HandleFirstCheck(Timestamp now) { Note(timings_.first_check, now); }
  Change HandleIce(Timestamp now, ice::State state, ice::StateReason reason);
  void HandleDtlsConnected(Timestamp now) { Note(timings_.dtls_connected, now); }
  Change HandleSctpConnected(Timestamp now);
  // RFC 8899 §5.2, ERROR: the state stays, what users can do about it is its reason.
  Change HandlePathStalled(size_t mtu);
  Change HandlePathRecovered(size_t packet_size);
  Change HandleFailure(std::string reason) { return Enter(ConnectionState::kFailed, std::move(reason)); }
  Change HandleClosed(std::string reason) { return Enter(ConnectionState::kClosed, std::move(reason)); }

  ConnectionState state() const { return state_; }
  const std::string& reason() const { return reason_; }
  const Timings& timings() const { return timings_; }
  bool is_final() const { return state_ == ConnectionState::kFailed || state_ == ConnectionState::kClosed; }

 private:
  void Note(std::optional<Duration>& slot, Timestamp now) {
    if (!slot) slot = now - start_;
  }
  Change Enter(ConnectionState state, std::string reason);

  Timestamp start_;
  ConnectionState state_ = ConnectionState::kNew;
  std::string reason_;
  Timings timings_;
  ice::State ice_state_ = ice::State::kNew;
  bool sctp_up_ = false;
};

}  // namespace jsp::transport
