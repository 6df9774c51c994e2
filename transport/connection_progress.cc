#include "transport/connection_progress.h"

#include <utility>

namespace jsp::transport {

const char* ToString(ConnectionState state) {
  switch (state) {
    case ConnectionState::kNew:
      return "new";
    case ConnectionState::kChecking:
      return "checking";
    case ConnectionState::kConnected:
      return "connected";
    case ConnectionState::kCompleted:
      return "completed";
    case ConnectionState::kFailed:
      return "failed";
    case ConnectionState::kDisconnected:
      return "disconnected";
    case ConnectionState::kClosed:
      return "closed";
  }
  return "unknown";
}

ConnectionProgress::Change ConnectionProgress::HandleIce(Timestamp now, ice::State state, ice::StateReason reason) {
  ice_state_ = state;
  const bool up = state == ice::State::kConnected || state == ice::State::kCompleted;
  if (up) Note(timings_.ice_connected, now);
  switch (state) {
    case ice::State::kFailed:
      return Enter(ConnectionState::kFailed, std::string("ICE: ") + ice::ToString(reason));
    case ice::State::kDisconnected:
      return sctp_up_ ? Enter(ConnectionState::kDisconnected, std::string("ICE: ") + ice::ToString(reason))
                      : std::nullopt;
    case ice::State::kChecking:
      return Enter(ConnectionState::kChecking, ice::ToString(reason));
    case ice::State::kConnected:
    case ice::State::kCompleted:
      if (!sctp_up_) return std::nullopt;
      return Enter(state == ice::State::kCompleted ? ConnectionState::kCompleted : ConnectionState::kConnected,
                   std::string("ICE: ") + ice::ToString(reason));
    case ice::State::kNew:
    case ice::State::kClosed:
      return std::nullopt;
  }
  return std::nullopt;
}

ConnectionProgress::Change ConnectionProgress::HandleSctpConnected(Timestamp now) {
  Note(timings_.sctp_connected, now);
  sctp_up_ = true;
  return Enter(ice_state_ == ice::State::kCompleted ? ConnectionState::kCompleted : ConnectionState::kConnected,
               "data channels are up");
}

ConnectionProgress::Change ConnectionProgress::HandlePathStalled(size_t mtu) {
  if (is_final()) return std::nullopt;
  reason_ = "stalled: the path carries small packets but none of " + std::to_string(mtu) +
            " octets: raise the MTU of the tunnel or VPN on it to 1280, or let it pass IP fragments";
  return event::StateChanged{state_, reason_};
}

ConnectionProgress::Change ConnectionProgress::HandlePathRecovered(size_t packet_size) {
  if (is_final()) return std::nullopt;
  reason_ = "the path carries packets again, of " + std::to_string(packet_size) + " octets of SCTP";
  return event::StateChanged{state_, reason_};
}

ConnectionProgress::Change ConnectionProgress::Enter(ConnectionState state, std::string reason) {
  if (is_final() || state == state_) return std::nullopt;
  state_ = state;
  reason_ = std::move(reason);
  return event::StateChanged{state_, reason_};
}

}  // namespace jsp::transport
