#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "base/crypto.h"
#include "base/event_queue.h"
#include "base/rng.h"
#include "base/time.h"
#include "ice/candidate.h"
#include "ice/candidate_pair.h"
#include "ice/credentials.h"
#include "ice/metrics.h"
#include "ice/options.h"
#include "ice/role.h"
#include "stun/message_view.h"
#include "stun/retransmit_schedule.h"
#include "stun/transaction_id.h"
namespace jsp::ice {

// Transactions of one pair at a time. Each received check may cancel one and begin the next (RFC 8445 §7.3.1.4); a
// cancelled one is still waited for, but not more of them than this.
constexpr size_t kMaxTransactionsPerPair = 4;
// Messages that wait for the owner to poll; one that does not fit counts as lost on the way.
constexpr size_t kMaxQueuedMessages = 256;

enum class CheckPurpose : uint8_t { kCheck, kNomination, kConsent };

// What a request is about; kept with its transaction, so that a response is judged by what was really asked.
struct CheckPlan {
  AddressPair pair;
  CheckPurpose purpose = CheckPurpose::kCheck;
  RoleAttribute role;
  uint32_t priority = 0;
  Duration rto{};
  TransportProtocol protocol = TransportProtocol::kUdp;
  uint32_t nomination = 0;  // the count that a renomination carries
};
struct CheckTransaction {
  CheckPlan plan;
  stun::RetransmitSchedule schedule;
  Timestamp expires_at;  // when a cancelled one is forgotten
  Timestamp sent_at;     // last sending
  uint64_t sequence = 0;
  bool is_cancelled = false;
  bool is_queued = false;
};

// The Binding transactions that the agent began (RFC 8445 §7.2): retransmission, timeout, matching, authentication, and
// the octets. Knows the remote credentials, not the checklist: what an outcome means is the agent's business.
class ConnectivityChecks {
 public:
  struct Transmit {
    size_t size;
    AddressPair path;
  };

  ConnectivityChecks(const Options& options, Metrics& metrics);

  // Before this nothing can be sent (RFC 8445 §7.2.2).
  void SetCredentials(const Credentials& local, const Credentials& remote);
  bool HasCredentials() const { return key_.has_value(); }
  const std::string& remote_ufrag() const { return remote_.ufrag; }
  bool IsRemote(const Credentials& credentials) const { return remote_ == credentials; }

  void Start(Timestamp now, const CheckPlan& plan, Rng& rng);
  void StartKeepalive(const AddressPair& pair, Rng& rng);
  // A check whose answer nobody waits for; 0 without credentials.
  size_t WriteOnce(const CheckPlan& plan, Rng& rng, std::span<uint8_t> out) const;
  // RFC 8445 §7.3.1.4: no more retransmissions, no failure, but a response still counts.
  void Cancel(const AddressPair& pair);
  void CancelAll();
  // A check of the pair waits for the owner to poll.
  bool IsQueued(const AddressPair& pair) const;
  // A consent request was begun since the last poll.
  bool HasConsentQueued() const { return has_consent_queued_; }
  // Its interface is gone: nothing is sent from there any more, and no answer awaited.
  void ForgetBase(const SocketAddress& base);
  // Forgets those of pairs that `is_kept(pair)` does not name: nobody will ask for their answers.
  template <class IsKept>
  void ForgetOthers(IsKept&& is_kept) {
    std::erase_if(transactions_, [&](const auto& entry) { return !is_kept(entry.second.plan.pair); });
    transactions_.rehash(0);
    UpdateTimeout();
  }
  void Clear();
  // Until Trim(), and again once data flows, what a transaction took is kept for the next one, so that consent costs no
  // allocation.
  void HandleDataSent() { is_busy_ = true; }
  // Gives back what a burst took; nobody waits for the next transaction.
  void Trim() {
    queue_.Trim();
    spare_ = {};
    is_busy_ = false;
  }

  // The transaction that a response names; null when it is none of ours.
  const CheckTransaction* Find(const stun::TransactionId& id);
  bool IsAuthentic(const stun::MessageView& response) const;
  // Ends the transaction; it must exist.
  CheckTransaction Take(const stun::TransactionId& id);
  // Retransmits what is due and returns one transaction that has timed out; call until it returns nullopt. Cancelled
  // ones are forgotten silently.
  std::optional<CheckPlan> PopTimedOut(Timestamp now);
  Timestamp NextTimeout() const { return next_timeout_; }

  std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  size_t size() const { return transactions_.size(); }
  // With what the table takes for each.
  size_t held_octets() const {
    constexpr size_t kNode = sizeof(Table::value_type) + 2 * sizeof(void*);
    return (transactions_.size() + (spare_.empty() ? 0 : 1)) * kNode + transactions_.bucket_count() * sizeof(void*);
  }

 private:
  struct Keepalive {
    stun::TransactionId id;
    AddressPair path;
  };
  using Table = std::unordered_map<stun::TransactionId, CheckTransaction>;

  Table::iterator Locate(const stun::TransactionId& id);
  CheckTransaction& Keep(const stun::TransactionId& id, const CheckTransaction& transaction);
  void Queue(const stun::TransactionId& id, CheckTransaction& transaction);
  void ForgetOldest(const AddressPair& pair);
  Table::iterator FirstDue(Timestamp now);
  void UpdateTimeout();
  size_t Write(const stun::TransactionId& id, const CheckPlan& plan, std::span<uint8_t> out) const;

  Metrics& metrics_;
  uint32_t max_transmissions_;
  Duration consent_timeout_;
  Credentials remote_;
  std::string username_;
  std::optional<crypto::HmacSha1Key> key_;
  Table transactions_;
  Table::node_type spare_;
  bool is_busy_ = true;
  bool has_consent_queued_ = false;
  EventQueue<stun::TransactionId> queue_;
  std::optional<Keepalive> keepalive_;
  uint64_t next_sequence_ = 0;
  Timestamp next_timeout_;
};

}  // namespace jsp::ice
