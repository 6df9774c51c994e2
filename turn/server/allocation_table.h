#pragma once
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "stun/long_term_key.h"
#include "stun/transaction_id.h"
#include "turn/server/options.h"
#include "turn/server/peer_table.h"
#include "turn/server/quota.h"
#include "turn/server/relay_table.h"
namespace jsp::turn {

// The 5-tuple (RFC 8656 §3.2): the listener stands for the server's address and the protocol.
struct ClientPath {
  SocketAddress client;
  ListenerId listener;
  bool operator==(const ClientPath&) const = default;
};

struct ClientPathHash {
  size_t operator()(const ClientPath& path) const { return HashValue(path.client) + path.listener.value; }
};

// How an allocation was asked for, until its relays are open.
struct PendingAllocate {
  stun::TransactionId id;
  stun::LongTermKey key;
  uint8_t with_fingerprint : 1 = 0;
  uint8_t partial_is_enough : 1 = 0;  // ADDITIONAL-ADDRESS-FAMILY: one of two will do
  uint8_t with_ticket : 1 = 0;
  uint8_t reserve_next : 1 = 0;
  uint8_t even : 1 = 0;
  uint8_t tries = 0;
  uint32_t lifetime_seconds = 0;
};

// One record (RFC 8656 §6). The relays are those of IPv4 and IPv6; either may be missing.
struct ServerAllocation {
  enum class State : uint8_t { kFree, kOpening, kActive };
  struct Family {
    RelayHandle relay;
    Timestamp expires{};
  };
  // RFC 8016 §3.2.2.
  struct Move {
    std::optional<ClientPath> next_path;  // where the client has moved, until it sends data from there
    uint32_t ticket = 0;                  // counts tickets; 0: none
    Timestamp old_ticket_until{};         // the one before is good for retransmissions
  };
  struct Slot {
    uint32_t generation = 0;  // which tenant of the place in the slab
    Timestamp armed{};        // the earliest deadline of this record in the heap
  };
  State state = State::kFree;
  RelayProtocol protocol = RelayProtocol::kUdp;
  // Of a client that answered PASSWORD-ALGORITHMS, or of any when the server takes no others: RFC 8656's channels only.
  ChannelRange channels = ChannelRange::kRfc8656;
  uint16_t missing_family_code = 0;  // RFC 8656 §7.2: ADDRESS-ERROR-CODE
  Slot slot;
  ClientPath path;
  Move move;
  UserIndex user;
  stun::LongTermKeys keys;         // of who allocated: whoever has another key is somebody else (RFC 8656 §5)
  PendingAllocate pending;         // while opening; the id is kept for retransmissions (RFC 8656 §7.2)
  std::array<Family, 2> families;  // IPv4, IPv6
  RelayHandle reserved;            // while opening: the next port
  std::optional<ReservationToken> token;
  PeerTable peers;
  std::vector<ConnectionId> connections;  // RFC 6062

  Family& family(const IpAddress& ip) { return families[ip.is_v4() ? 0 : 1]; }
  const Family& family(const IpAddress& ip) const { return families[ip.is_v4() ? 0 : 1]; }
};

// The allocations of a server: a slab, whose records keep their places, with O(1) look-up by 5-tuple, and a heap of
// deadlines with one entry for each record.
class AllocationTable {
 public:
  explicit AllocationTable(size_t limit) : limit_(limit) {}

  // A new record in state kOpening with that path; nullopt when there are `limit`.
  std::optional<uint32_t> Create(const ClientPath& path);
  // By either path of an allocation that moves.
  std::optional<uint32_t> Find(const ClientPath& path) const;
  ServerAllocation& at(uint32_t index) { return records_[index]; }
  const ServerAllocation& at(uint32_t index) const { return records_[index]; }
  bool IsLive(uint32_t index, uint32_t generation) const;
  // RFC 8016 §3.2.2. Another next path is forgotten.
  void SetNextPath(uint32_t index, const ClientPath& path);
  // The client has sent data from its next path, which becomes its path.
  void CommitNextPath(uint32_t index);
  void Remove(uint32_t index);

  // The record is to be looked at then, at the latest. Nothing happens when it will be looked at earlier, so that
  // refreshing does not let the heap grow.
  void ArmDeadline(uint32_t index, Timestamp at);
  // One whose deadline may have come; the caller looks at it, and arms it again if it lives on.
  std::optional<uint32_t> PopDue(Timestamp now);
  Timestamp NextTimeout() const { return deadlines_.empty() ? Timestamp::Never() : deadlines_.front().at; }
  size_t size() const { return records_.size() - free_.size(); }
  // Calls visit(index) for every record in use.
  template <class Visit>
  void ForEach(Visit&& visit) const {
    for (uint32_t i = 0; i < records_.size(); ++i) {
      if (records_[i].state != ServerAllocation::State::kFree) visit(i);
    }
  }

 private:
  struct Deadline {
    Timestamp at;
    uint32_t index;
    uint32_t generation;
  };

  size_t limit_;
  std::vector<ServerAllocation> records_;
  std::vector<uint32_t> free_;
  boost::unordered_flat_map<ClientPath, uint32_t, ClientPathHash> index_by_path_;
  std::vector<Deadline> deadlines_;  // a heap, the earliest in front
};

}  // namespace jsp::turn
