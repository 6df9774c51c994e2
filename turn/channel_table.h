#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "turn/attributes.h"
namespace jsp::turn {

// A client's channels (RFC 8656 §12): which number stands for which peer. Numbers are given out in order, so that a
// number finds its channel by index. Owns no transactions; the client starts a ChannelBind for every channel that
// PopDue returns.
class ChannelTable {
 public:
  enum class State : uint8_t {
    kRequested,  // ChannelData is accepted once the request was sent (RFC 8656 §12)
    kBound,
    kCooling,  // refused, expired or forgotten: the pair stays as it is until nobody can remember it (RFC 8656 §12)
  };
  struct Channel {
    SocketAddress peer;
    State state = State::kRequested;
    Timestamp refresh_at{};  // Never: a request is under way
    Timestamp until{};       // bound: expires; cooling: may be another pair
    ChannelNumber number{};
  };
  // The binding lasts 600 seconds, but the permission behind it 300 (RFC 8656 §9): one refresh keeps both.
  static constexpr Duration kRefreshAfter = std::chrono::seconds(240);

  // At most kChannelCount channels.
  explicit ChannelTable(size_t limit);

  // A channel for the peer, new or known; nullptr when all numbers are taken or the peer's was refused. The caller
  // sends a request when it is in state kRequested and there is none under way.
  const Channel* Add(Timestamp now, const SocketAddress& peer);
  // Only what is requested or bound at `now`. Valid until the next call that changes the table.
  const Channel* FindByPeer(Timestamp now, const SocketAddress& peer) const;
  const Channel* FindByNumber(Timestamp now, ChannelNumber number) const;
  void HandleBound(Timestamp now, ChannelNumber number);
  // The server may or may not have it: the pair cools down.
  void HandleRefused(Timestamp now, ChannelNumber number);
  // The request had no answer: like refused, unless it was bound before and still is.
  void HandleTimedOut(Timestamp now, ChannelNumber number);
  // Lets the binding expire.
  void Forget(Timestamp now, const SocketAddress& peer);
  void Clear();

  // One that is to be refreshed now; not returned again until its request ends. Call until nullptr.
  const Channel* PopDue(Timestamp now);
  Timestamp NextTimeout() const;
  size_t size() const { return channels_.size(); }

 private:
  Channel* At(ChannelNumber number);
  static bool IsLive(const Channel& channel, Timestamp now);
  void Cool(Timestamp now, Channel& channel);

  size_t limit_;
  std::vector<Channel> channels_;  // the i-th has number kFirstChannel + i
  boost::unordered_flat_map<SocketAddress, uint16_t, std::hash<SocketAddress>> index_by_peer_;
};

}  // namespace jsp::turn
