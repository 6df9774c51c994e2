#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "stun/retransmit_schedule.h"
#include "stun/transaction_id.h"
#include "turn/attributes.h"
namespace jsp::turn {

enum class RequestKind : uint8_t {
  kAllocate,
  kRefresh,
  kDelete,  // Refresh with a lifetime of zero
  kMove,    // Refresh with a ticket, from another address (RFC 8016 §3.2.1)
  kCreatePermission,
  kChannelBind,
  kConnect,         // RFC 6062 §4.3
  kConnectionBind,  // on its own connection
};

// One request under way. What it says follows from its kind and subject, so that a retransmission is built anew and no
// octets are kept.
struct Transaction {
  stun::TransactionId id;
  RequestKind kind;
  SocketAddress peer;   // of a permission (port 0), a channel or a connection
  uint32_t number = 0;  // of the channel or the connection
  SocketAddress local;  // where it is sent from, and the only place where its response may arrive
  stun::RetransmitSchedule schedule;
  uint32_t generation = 0;     // of the credentials that it was built with; 0: without
  uint8_t stale_nonces = 0;    // 438 in a row
  bool to_send = true;         // waits for PollTransmit
  bool bad_integrity = false;  // an answer that was not the server's came
};

// The requests of one client (RFC 8489 §6.2): matched by id, sent again by schedule, in the order in which they were
// started. Small: bounded by the client's tables, so that a walk is cheaper than a hash.
class TransactionTable {
 public:
  // `rng` must outlive the table.
  TransactionTable(const stun::RetransmitOptions& retransmit, Rng& rng) : retransmit_(retransmit), rng_(&rng) {}

  Transaction& Start(RequestKind kind, const SocketAddress& peer, uint32_t number, const SocketAddress& local);
  // The same request in a new transaction (RFC 8489 §9.2.5).
  void Renew(Transaction& transaction);
  // One that was sent at least once.
  Transaction* FindSent(const stun::TransactionId& id);
  // One of that kind about that peer, sent or not.
  Transaction* Find(RequestKind kind, const SocketAddress& peer);
  bool Has(RequestKind kind) const;
  void Remove(const stun::TransactionId& id);
  void Clear() { transactions_.clear(); }

  // The next that waits to be sent; nullptr when there is none.
  Transaction* NextToSend();
  void HandleSent(Timestamp now, Transaction& transaction);
  // At its deadline a transaction is sent again, or it is removed and returned: it had no answer. Call until nullopt.
  std::optional<Transaction> PopTimedOut(Timestamp now);
  Timestamp NextTimeout() const;
  size_t size() const { return transactions_.size(); }

 private:
  stun::RetransmitOptions retransmit_;
  Rng* rng_;
  std::vector<Transaction> transactions_;
};

}  // namespace jsp::turn
