#include "turn/transaction_table.h"

#include <algorithm>
#include <utility>
namespace jsp::turn {

Transaction& TransactionTable::Start(RequestKind kind, const SocketAddress& peer, uint32_t number,
                                     const SocketAddress& local) {
  transactions_.push_back(Transaction{.id = stun::TransactionId::Random(*rng_),
                                      .kind = kind,
                                      .peer = peer,
                                      .number = number,
                                      .local = local,
                                      .schedule = stun::RetransmitSchedule(retransmit_)});
  return transactions_.back();
}

void TransactionTable::Renew(Transaction& transaction) {
  transaction.id = stun::TransactionId::Random(*rng_);
  transaction.schedule = stun::RetransmitSchedule(retransmit_);
  transaction.to_send = true;
  transaction.bad_integrity = false;
}

Transaction* TransactionTable::FindSent(const stun::TransactionId& id) {
  const auto found = std::ranges::find(transactions_, id, &Transaction::id);
  return found == transactions_.end() || found->schedule.sent() == 0 ? nullptr : &*found;
}

Transaction* TransactionTable::Find(RequestKind kind, const SocketAddress& peer) {
  const auto found =
      std::ranges::find_if(transactions_, [&](const Transaction& t) { return t.kind == kind && t.peer == peer; });
  return found == transactions_.end() ? nullptr : &*found;
}

bool TransactionTable::Has(RequestKind kind) const {
  return std::ranges::find(transactions_, kind, &Transaction::kind) != transactions_.end();
}

void TransactionTable::Remove(const stun::TransactionId& id) {
  std::erase_if(transactions_, [&](const Transaction& t) { return t.id == id; });
}

Transaction* TransactionTable::NextToSend() {
  const auto found = std::ranges::find(transactions_, true, &Transaction::to_send);
  return found == transactions_.end() ? nullptr : &*found;
}

void TransactionTable::HandleSent(Timestamp now, Transaction& transaction) {
  transaction.to_send = false;
  transaction.schedule.HandleSent(now);
}

std::optional<Transaction> TransactionTable::PopTimedOut(Timestamp now) {
  for (size_t i = 0; i < transactions_.size(); ++i) {
    Transaction& t = transactions_[i];
    if (t.to_send || t.schedule.NextDeadline() > now) continue;
    if (t.schedule.MaySendAgain()) {
      t.to_send = true;
      continue;
    }
    std::optional<Transaction> expired(t);
    transactions_.erase(transactions_.begin() + static_cast<std::ptrdiff_t>(i));
    return expired;
  }
  return std::nullopt;
}

Timestamp TransactionTable::NextTimeout() const {
  Timestamp next;
  for (const Transaction& t : transactions_) {
    if (!t.to_send) next = std::min(next, t.schedule.NextDeadline());
  }
  return next;
}

}  // namespace jsp::turn
