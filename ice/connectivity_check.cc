#include "ice/connectivity_check.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "ice/stun_attributes.h"
namespace jsp::ice {
namespace {

constexpr uint32_t kRm = 16;  // RFC 8489 §6.2.1

Timestamp DeadlineOf(const CheckTransaction& transaction) {
  return transaction.is_cancelled ? transaction.expires_at : transaction.schedule.NextDeadline();
}

// RFC 8489 §6.2.1: with RTO 500 ms, Rc 7 and Rm 16 a transaction is given up after 39,500 ms.
Duration TransactionTimeout(const stun::RetransmitOptions& options) {
  constexpr uint32_t kMaxDoublings = 20;  // as RetransmitSchedule
  const int64_t doublings = (int64_t{1} << std::min(options.rc - 1, kMaxDoublings)) - 1;
  return options.rto * (doublings + static_cast<int64_t>(options.rm));
}

}  // namespace

ConnectivityChecks::ConnectivityChecks(const Options& options, Metrics& metrics)
    : metrics_(metrics),
      max_transmissions_(options.check.max_transmissions),
      consent_timeout_(options.consent_timeout) {}

void ConnectivityChecks::SetCredentials(const Credentials& local, const Credentials& remote) {
  remote_ = remote;
  username_ = remote.ufrag + ":" + local.ufrag;  // RFC 8445 §7.2.2
  key_.emplace(crypto::AsBytes(remote.pwd));
}

void ConnectivityChecks::Start(Timestamp now, const CheckPlan& plan, Rng& rng) {
  JSP_DCHECK(HasCredentials());
  ForgetOldest(plan.pair);
  // RFC 7675 §5.1: "Each STUN binding request for consent is transmitted once only."
  const bool is_consent = plan.purpose == CheckPurpose::kConsent;
  stun::RetransmitOptions options{plan.rto, max_transmissions_, kRm};
  // RFC 6544 §7.1: "retransmissions of the STUN connectivity check messages are not needed".
  if (plan.protocol != TransportProtocol::kUdp) options = stun::RetransmitOptions::Reliable();
  if (is_consent) options = {consent_timeout_, 1, 1};
  CheckTransaction transaction{
      .plan = plan, .schedule = stun::RetransmitSchedule(options), .expires_at = {}, .sent_at = now};
  transaction.schedule.HandleSent(now);
  transaction.expires_at = now + TransactionTimeout(options);
  transaction.sequence = next_sequence_++;
  const auto id = stun::TransactionId::Random(rng);
  Queue(id, Keep(id, transaction));
  has_consent_queued_ = has_consent_queued_ || is_consent;
  ++(is_consent ? metrics_.consent_requests_sent : metrics_.checks_sent);
  UpdateTimeout();
}

CheckTransaction& ConnectivityChecks::Keep(const stun::TransactionId& id, const CheckTransaction& transaction) {
  if (spare_.empty()) return transactions_.insert_or_assign(id, transaction).first->second;
  spare_.key() = id;
  auto kept = transactions_.insert(std::move(spare_));
  kept.position->second = transaction;
  return kept.position->second;
}

void ConnectivityChecks::StartKeepalive(const AddressPair& pair, Rng& rng) {
  keepalive_ = Keepalive{stun::TransactionId::Random(rng), pair};
  ++metrics_.keepalives_sent;
}

void ConnectivityChecks::Queue(const stun::TransactionId& id, CheckTransaction& transaction) {
  if (transaction.is_queued) return;
  if (queue_.size() >= kMaxQueuedMessages) {
    ++metrics_.dropped[static_cast<size_t>(DropReason::kQueueFull)];
    return;
  }
  transaction.is_queued = true;
  queue_.Push(id);
}

void ConnectivityChecks::ForgetOldest(const AddressPair& pair) {
  size_t count = 0;
  auto oldest = transactions_.end();
  for (auto it = transactions_.begin(); it != transactions_.end(); ++it) {
    if (it->second.plan.pair != pair || it->second.plan.purpose == CheckPurpose::kConsent) continue;
    ++count;
    if (oldest == transactions_.end() || it->second.sequence < oldest->second.sequence) oldest = it;
  }
  if (count >= kMaxTransactionsPerPair) transactions_.erase(oldest);
}

void ConnectivityChecks::Cancel(const AddressPair& pair) {
  for (auto& [id, transaction] : transactions_) {
    if (transaction.plan.pair == pair && transaction.plan.purpose == CheckPurpose::kCheck) {
      transaction.is_cancelled = true;
    }
  }
  UpdateTimeout();
}

bool ConnectivityChecks::IsQueued(const AddressPair& pair) const {
  return std::ranges::any_of(transactions_, [&](const auto& entry) {
    const CheckTransaction& transaction = entry.second;
    return transaction.is_queued && !transaction.is_cancelled && transaction.plan.purpose == CheckPurpose::kCheck &&
           transaction.plan.pair == pair;
  });
}

void ConnectivityChecks::CancelAll() {
  for (auto& [id, transaction] : transactions_) {
    if (transaction.plan.purpose != CheckPurpose::kConsent) transaction.is_cancelled = true;
  }
  UpdateTimeout();
}

void ConnectivityChecks::ForgetBase(const SocketAddress& base) {
  std::erase_if(transactions_, [&](const auto& entry) { return entry.second.plan.pair.local == base; });
  if (keepalive_ && keepalive_->path.local == base) keepalive_.reset();
  UpdateTimeout();
}

void ConnectivityChecks::Clear() {
  transactions_.clear();
  keepalive_.reset();
  while (queue_.Pop()) continue;
  UpdateTimeout();
}

// The one transaction that an idle session has is found without its hash and its bucket.
ConnectivityChecks::Table::iterator ConnectivityChecks::Locate(const stun::TransactionId& id) {
  if (transactions_.size() != 1) return transactions_.find(id);
  const auto only = transactions_.begin();
  return only->first == id ? only : transactions_.end();
}

const CheckTransaction* ConnectivityChecks::Find(const stun::TransactionId& id) {
  const auto found = Locate(id);
  return found == transactions_.end() ? nullptr : &found->second;
}

bool ConnectivityChecks::IsAuthentic(const stun::MessageView& response) const {
  return key_ && response.VerifyIntegrity(*key_) == stun::IntegrityStatus::kValid;
}

CheckTransaction ConnectivityChecks::Take(const stun::TransactionId& id) {
  const auto found = Locate(id);
  JSP_CHECK(found != transactions_.end());
  auto ended = transactions_.extract(found);
  const CheckTransaction taken = ended.mapped();
  if (is_busy_) spare_ = std::move(ended);
  UpdateTimeout();
  return taken;
}

ConnectivityChecks::Table::iterator ConnectivityChecks::FirstDue(Timestamp now) {
  auto first = transactions_.end();
  const auto key = [](const CheckTransaction& t) { return std::pair(DeadlineOf(t), t.sequence); };
  for (auto it = transactions_.begin(); it != transactions_.end(); ++it) {
    if (DeadlineOf(it->second) > now) continue;
    if (first == transactions_.end() || key(it->second) < key(first->second)) first = it;
  }
  return first;
}

std::optional<CheckPlan> ConnectivityChecks::PopTimedOut(Timestamp now) {
  while (next_timeout_ <= now) {
    const auto due = FirstDue(now);
    if (due == transactions_.end()) break;
    CheckTransaction& transaction = due->second;
    if (!transaction.is_cancelled && transaction.schedule.MaySendAgain()) {
      transaction.schedule.HandleSent(now);
      Queue(due->first, transaction);
      ++metrics_.checks_retransmitted;
      UpdateTimeout();
      continue;
    }
    const bool is_failure = !transaction.is_cancelled;
    CheckPlan plan = std::move(transaction.plan);
    transactions_.erase(due);
    UpdateTimeout();
    if (is_failure) return plan;
  }
  return std::nullopt;
}

void ConnectivityChecks::UpdateTimeout() {
  next_timeout_ = Timestamp::Never();
  for (const auto& [id, transaction] : transactions_) next_timeout_ = std::min(next_timeout_, DeadlineOf(transaction));
}

std::optional<ConnectivityChecks::Transmit> ConnectivityChecks::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  if (out.size() < kMaxMessageSize) return std::nullopt;
  has_consent_queued_ = false;
  while (auto id = queue_.Pop()) {
    const auto found = Locate(*id);
    if (found == transactions_.end()) continue;
    CheckTransaction& transaction = found->second;
    transaction.is_queued = false;
    if (transaction.is_cancelled) continue;
    transaction.sent_at = now;
    return Transmit{Write(*id, transaction.plan, out), transaction.plan.pair};
  }
  if (!keepalive_) return std::nullopt;
  const Transmit transmit{WriteKeepalive(out, keepalive_->id), keepalive_->path};
  keepalive_.reset();
  return transmit;
}

size_t ConnectivityChecks::WriteOnce(const CheckPlan& plan, Rng& rng, std::span<uint8_t> out) const {
  return HasCredentials() ? Write(stun::TransactionId::Random(rng), plan, out) : 0;
}

size_t ConnectivityChecks::Write(const stun::TransactionId& id, const CheckPlan& plan, std::span<uint8_t> out) const {
  // RFC 8445 §7.1.2: only a controlling agent nominates.
  const bool nominates = plan.purpose == CheckPurpose::kNomination && plan.role.role == Role::kControlling;
  return WriteCheck(out, {id, username_, plan.priority, plan.role, nominates, plan.nomination}, *key_);
}

}  // namespace jsp::ice
