#pragma once
#include <cstdint>
#include <memory>

#include "transport/asio/driver_core.h"
namespace jsp::transport::io {

// A connection of one peer to a TURN server (event::RelayConnectionWanted): a UDP socket of its own, or TCP. Feeds the
// peer with what arrives, and tells it when the connection is there or gone. Owned by its DrivenPeer; what runs in the
// background holds it weakly, but for last octets that are on their way.
class RelayConnection {
 public:
  // Outlives neither the driver nor the peer: with either gone it does nothing.
  static std::shared_ptr<RelayConnection> Open(const std::shared_ptr<DriverCore>& core,
                                               const std::shared_ptr<DrivenPeer>& driven, RelayId id,
                                               const RelayServer& server);
  virtual ~RelayConnection() = default;

  // The datagram stands in batch.room().
  virtual void Send(SendBatch& batch, const Peer::Transmit& transmit) = 0;
  // After the batch was sent: waits until the socket takes more, where it did not take all.
  virtual void HandleFlushed() = 0;
  // It holds as much as it may: the peer keeps the rest, until DriverCore::Touch.
  virtual bool is_blocked() const = 0;
  // Takes what has arrived, where that can be asked for: timers of the peer are late.
  virtual void CatchUp() {}
  // What was sent still goes out; nothing is taken any more.
  virtual void Close() = 0;
  RelayId id() const { return id_; }

 protected:
  RelayConnection(const std::shared_ptr<DriverCore>& core, const std::shared_ptr<DrivenPeer>& driven, RelayId id)
      : core_(core), driven_(driven), id_(id) {}
  // call(core, peer, now) inside a turn, and then what it caused; nothing when the driver or the peer is gone. Returns
  // whether this connection is still the peer's.
  template <class Call>
  bool InTurn(Call&& call) {
    const auto core = core_.lock();
    const auto driven = driven_.lock();
    if (!core || !driven || driven->observer == nullptr) return false;
    return core->RelayTurn(*driven, id_, [&](Timestamp now) { call(*core, driven->peer, now); });
  }

 private:
  std::weak_ptr<DriverCore> core_;
  std::weak_ptr<DrivenPeer> driven_;
  RelayId id_;
};

}  // namespace jsp::transport::io
