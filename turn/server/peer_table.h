#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "turn/attributes.h"
namespace jsp::turn {

// The permissions and channels of one allocation at the server (RFC 8656 §9, §12). Both are sorted vectors: a look-up
// is a binary search in at most ServerLimits::permissions or ::channels entries, one for a train of datagrams, and an
// allocation with one peer costs 80 octets here. Entries expire by being looked at; expired ones make room for new
// ones.
class PeerTable {
 public:
  // Installs or refreshes. False: `limit` are in force, and this is not one of them.
  bool Permit(Timestamp now, const IpAddress& peer, Duration lifetime, size_t limit);
  // RFC 8656 §9: "only addresses are compared and port numbers are not considered" (T4).
  bool IsPermitted(Timestamp now, const IpAddress& peer) const;
  // How many more permissions would fit.
  size_t PermissionRoom(Timestamp now, size_t limit);

  enum class BindResult : uint8_t { kBound, kConflict, kFull };
  // RFC 8656 §12.2: kConflict when the number has another peer, or the peer another number.
  BindResult Bind(Timestamp now, ChannelNumber number, const SocketAddress& peer, Duration lifetime, size_t limit);
  std::optional<SocketAddress> PeerOf(Timestamp now, ChannelNumber number) const;
  std::optional<ChannelNumber> ChannelOf(Timestamp now, const SocketAddress& peer) const;

  // RFC 8656 §8.1: one family of a dual allocation goes, and all that belongs to it.
  void RemoveFamily(IpAddress::Family family);
  size_t permissions() const { return permissions_.size(); }
  size_t channels() const { return channels_.size(); }
  bool IsConsistent() const;

 private:
  struct Permission {
    IpAddress peer;
    Timestamp expires;
  };
  struct Channel {
    SocketAddress peer;
    ChannelNumber number;
    Timestamp expires;
  };
  struct NumberEntry {
    ChannelNumber number;
    uint16_t index;  // into channels_
  };
  const Channel* FindByPeer(const SocketAddress& peer) const;
  const Channel* FindByNumber(ChannelNumber number) const;
  void IndexNumbers();

  std::vector<Permission> permissions_;  // by address
  std::vector<Channel> channels_;        // by peer
  std::vector<NumberEntry> numbers_;     // by number
};

}  // namespace jsp::turn
