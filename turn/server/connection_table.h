#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/rng.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "stun/long_term_key.h"
#include "stun/transaction_id.h"
#include "turn/attributes.h"
#include "turn/server/allocation_table.h"
namespace jsp::turn {

// One connection with a peer (RFC 6062 §5.2, §5.3).
struct RelayedConnection {
  enum class State : uint8_t {
    kConnecting,  // the owner was asked
    kPending,     // waits for a ConnectionBind
    kBound,
  };
  uint32_t allocation = 0;
  SocketAddress peer{};
  State state = State::kConnecting;
  Timestamp until{};                 // connecting: 447; pending: closed; bound: Never
  stun::TransactionId connect_id{};  // of the Connect request, until it is answered
  stun::LongTermKey connect_key{};
  std::optional<ClientPath> client{};  // bound: the data connection
};

// The peer connections of all allocations, by an id that nobody can guess (RFC 6062 §5.2: "MUST uniquely identify the
// peer data connection"), and by their data connection. Each allocation keeps a list of its own, which bounds them.
class ConnectionTable {
 public:
  // Ids have `worker` in their lowest octet, if it is given.
  explicit ConnectionTable(Rng& rng, std::optional<uint8_t> worker = std::nullopt) : rng_(&rng), worker_(worker) {}

  ConnectionId Add(const RelayedConnection& connection);
  RelayedConnection* Find(ConnectionId id);
  std::optional<ConnectionId> FindByClient(const ClientPath& client) const;
  void SetDeadline(ConnectionId id, Timestamp at);
  void SetClient(ConnectionId id, const ClientPath& client);
  void Remove(ConnectionId id);
  // One whose time is over.
  std::optional<ConnectionId> FindDue(Timestamp now);
  // Not after the next deadline; it may be before it.
  Timestamp NextTimeout() const { return earliest_; }
  size_t size() const { return by_id_.size(); }

 private:
  Rng* rng_;
  std::optional<uint8_t> worker_;
  Timestamp earliest_{};
  boost::unordered_flat_map<uint32_t, RelayedConnection> by_id_;
  boost::unordered_flat_map<ClientPath, uint32_t, ClientPathHash> id_by_client_;
};

}  // namespace jsp::turn
