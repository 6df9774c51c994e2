#include "stun/client.h"

#include <algorithm>
#include <array>
#include <utility>

#include "stun/attribute_type.h"
#include "stun/message_builder.h"
#include "stun/message_view.h"
#include "stun/text_attribute.h"
namespace jsp::stun {
namespace {

// What a response may carry without failing: the attributes of RFC 8489, and the reserved ones of RFC 8489 §18.3.1 that
// old servers still add beside XOR-MAPPED-ADDRESS (SOURCE-ADDRESS, CHANGED-ADDRESS, REFLECTED-FROM).
constexpr auto kKnownInResponse = [] {
  std::array<AttributeType, kBaseRequiredAttributes.size() + 3> known{};
  auto end = std::ranges::copy(kBaseRequiredAttributes, known.begin()).out;
  for (const unsigned old : {0x0004u, 0x0005u, 0x000bu}) *end++ = static_cast<AttributeType>(old);
  return known;
}();

size_t RequestSize(const ClientOptions& options) {
  constexpr size_t kBehaviorSize = 8 + 8;  // CHANGE-REQUEST and RESPONSE-PORT
  return kHeaderSize + kBehaviorSize +
         (options.software.empty() ? 0 : 4 + ((options.software.size() + 3) & ~size_t{3}));
}

}  // namespace

Client::Client(const ClientOptions& options, Rng& rng)
    : options_(options), rng_(&rng), now_(Timestamp::FromEpoch(Duration::zero())) {
  if (!MaySendText(AttributeType::kSoftware, options_.software)) options_.software.clear();
}

// base/sans_io.h, rule 1: an earlier `now` than last time is treated as last time.
void Client::Advance(Timestamp now) {
  if (now != Timestamp::Never()) now_ = std::max(now_, now);
}

void Client::QueueSend(Transaction& transaction) {
  transaction.phase = Phase::kToSend;
  to_send_.Push(transaction.id);
}

size_t Client::ActiveTo(const SocketAddress& server) const {
  return static_cast<size_t>(std::ranges::count_if(
      transactions_, [&](const Transaction& t) { return t.server == server && t.phase != Phase::kWaiting; }));
}

Expected<RequestHandle, StartError> Client::StartBinding(Timestamp now, const SocketAddress& local,
                                                         const SocketAddress& server) {
  Advance(now);
  RetransmitOptions retransmit = options_.retransmit;
  retransmit.rto = rto_cache_.RtoFor(now_, server.ip, retransmit.rto);
  return Start(local, server, retransmit, std::nullopt);
}

Expected<RequestHandle, StartError> Client::StartBinding(Timestamp now, const SocketAddress& local,
                                                         const SocketAddress& server, const BehaviorRequest& behavior) {
  Advance(now);
  return Start(local, server, behavior.retransmit, behavior);
}

Expected<RequestHandle, StartError> Client::Start(const SocketAddress& local, const SocketAddress& server,
                                                  const RetransmitOptions& retransmit,
                                                  const std::optional<BehaviorRequest>& behavior) {
  if (transactions_.size() >= options_.max_transactions)
    return Unexpected<StartError>(StartError::kTooManyTransactions);
  const bool may_send = ActiveTo(server) < options_.max_transactions_per_server;
  const RequestHandle handle{next_handle_};
  if (++next_handle_ == 0) next_handle_ = 1;
  transactions_.push_back({handle, local, server, TransactionId::Random(*rng_), RetransmitSchedule(retransmit), now_,
                           Phase::kWaiting, behavior});
  index_by_id_.emplace(transactions_.back().id, transactions_.size() - 1);
  if (may_send) {
    QueueSend(transactions_.back());
  } else {
    ++waiting_;
  }
  return handle;
}

void Client::Cancel(RequestHandle request) {
  const auto found = std::ranges::find(transactions_, request, &Transaction::handle);
  if (found != transactions_.end()) Remove(static_cast<size_t>(found - transactions_.begin()));
}

void Client::Remove(size_t index) {
  const SocketAddress server = transactions_[index].server;
  if (transactions_[index].phase == Phase::kWaiting) --waiting_;
  index_by_id_.erase(transactions_[index].id);
  if (index + 1 < transactions_.size()) {
    transactions_[index] = std::move(transactions_.back());
    index_by_id_[transactions_[index].id] = index;
  }
  transactions_.pop_back();

  if (waiting_ == 0 || ActiveTo(server) >= options_.max_transactions_per_server) return;
  const auto next = std::ranges::find_if(
      transactions_, [&](const Transaction& t) { return t.server == server && t.phase == Phase::kWaiting; });
  if (next == transactions_.end()) return;
  --waiting_;
  QueueSend(*next);
}

void Client::Fail(size_t index, RequestFailure reason, uint16_t error_code, std::string detail) {
  const Transaction& t = transactions_[index];
  events_.Push(event::BindingFailed{t.handle, t.local, t.server, reason, error_code, std::move(detail)});
  Remove(index);
}

bool Client::MayAnswer(const Transaction& transaction, const SocketAddress& local, const SocketAddress& remote) {
  const auto& behavior = transaction.behavior;
  if (!behavior) return remote == transaction.server && local == transaction.local;
  const SocketAddress& from = behavior->change != 0 ? behavior->answer_from : transaction.server;
  const SocketAddress& to = behavior->response_port != 0 ? behavior->answer_to : transaction.local;
  // A refusal comes from where the request went, and goes to where it came from.
  return (remote == from || remote == transaction.server) && (local == to || local == transaction.local);
}

bool Client::HandleDatagram(Timestamp now, const SocketAddress& local, const SocketAddress& remote,
                            std::span<const uint8_t> datagram) {
  Advance(now);
  const auto message = MessageView::Parse(datagram);
  if (!message) {
    ++metrics_.dropped_unparsable;
    return false;
  }
  const MessageClass message_class = message->message_class();
  if (message_class == MessageClass::kRequest || message_class == MessageClass::kIndication) return false;

  const auto found = index_by_id_.find(message->transaction_id());
  if (found == index_by_id_.end() || message->method() != Method::kBinding ||
      transactions_[found->second].schedule.sent() == 0) {
    ++metrics_.dropped_unknown_transaction;
    return false;
  }
  const size_t index = found->second;
  if (!MayAnswer(transactions_[index], local, remote)) {
    ++metrics_.dropped_wrong_address;
    return true;
  }
  if (message->VerifyFingerprint() == IntegrityStatus::kInvalid) {
    ++metrics_.dropped_bad_fingerprint;
    return true;
  }
  const auto& behavior = transactions_[index].behavior;
  if (message_class == MessageClass::kSuccessResponse) {
    // A server that ignores CHANGE-REQUEST would make every NAT look unrestricted.
    const bool ignored = behavior && ((behavior->change != 0 && remote != behavior->answer_from) ||
                                      (behavior->response_port != 0 && local != behavior->answer_to));
    if (ignored) {
      FailIgnored(index, *message);
    } else {
      HandleSuccess(index, *message);
    }
  } else {
    HandleError(index, *message);
  }
  return true;
}

void Client::FailIgnored(size_t index, const MessageView& response) {
  const BehaviorRequest& behavior = *transactions_[index].behavior;
  const auto mapped = response.FindAddress(AttributeType::kXorMappedAddress);
  if (behavior.response_port != 0 && mapped && mapped->port == behavior.response_port) {
    // RFC 5780 §4.6: the old binding is gone, and the NAT gave its port to this request.
    Fail(index, RequestFailure::kTimeout, 0, "the answer came to the socket of the request, which has the port now");
  } else {
    Fail(index, RequestFailure::kChangeIgnored, 0, "the server does not answer from or to where it was asked");
  }
}

// RFC 8489 §6.3.3.
void Client::HandleSuccess(size_t index, const MessageView& response) {
  std::array<AttributeType, 1> unknown;
  if (response.UnknownAttributes(kKnownInResponse, unknown) > 0) {
    return Fail(index, RequestFailure::kUnknownRequiredAttribute, 0,
                "the response has attribute " + std::to_string(static_cast<uint16_t>(unknown[0])) +
                    ", which must be understood and is not");
  }
  const auto mapped = response.FindAddress(AttributeType::kXorMappedAddress);
  if (!mapped) return Fail(index, RequestFailure::kMalformedResponse, 0, "the response has no XOR-MAPPED-ADDRESS");

  const Transaction& t = transactions_[index];
  const Duration rtt = now_ - t.last_sent;
  // RFC 8489 §6.2.1: no estimate from a transaction that was retransmitted (Karn's algorithm).
  if (t.schedule.sent() == 1) rto_cache_.AddSample(now_, t.server.ip, rtt);
  events_.Push(event::BindingSucceeded{
      t.handle, t.local, t.server, *mapped, rtt, std::string(response.FindText(AttributeType::kSoftware).value_or("")),
      response.FindAddress(AttributeType::kOtherAddress), response.FindAddress(AttributeType::kResponseOrigin)});
  Remove(index);
}

// RFC 8489 §6.3.4. Its resending after a 5xx is declined: see docs/stun.md.
void Client::HandleError(size_t index, const MessageView& response) {
  std::array<AttributeType, 1> unknown;
  if (response.UnknownAttributes(kKnownInResponse, unknown) > 0) {
    return Fail(index, RequestFailure::kUnknownRequiredAttribute, 0,
                "the error response has an attribute that must be understood and is not");
  }
  const auto error = response.FindError();
  if (!error) return Fail(index, RequestFailure::kMalformedResponse, 0, "the error response has no ERROR-CODE");
  Fail(index, RequestFailure::kErrorResponse, error->code, std::string(error->reason));
}

void Client::HandleUnreachable(Timestamp now, const SocketAddress& local, const SocketAddress& server) {
  Advance(now);
  for (size_t i = transactions_.size(); i-- > 0;) {
    const Transaction& t = transactions_[i];
    if (t.server != server || t.local != local || t.schedule.sent() == 0) continue;
    Fail(i, RequestFailure::kUnreachable, 0, "the network reports " + server.ToString() + " unreachable");
  }
}

void Client::HandleTimeout(Timestamp now) {
  Advance(now);
  for (size_t i = 0; i < transactions_.size();) {
    Transaction& t = transactions_[i];
    if (t.phase != Phase::kSent || t.schedule.NextDeadline() > now_) {
      ++i;
    } else if (t.schedule.MaySendAgain()) {
      QueueSend(t);
      ++i;
    } else {
      Fail(i, RequestFailure::kTimeout, 0,
           "no response from " + t.server.ToString() + " to " + std::to_string(t.schedule.sent()) + " requests");
    }
  }
}

std::optional<Client::Transmit> Client::PollTransmit(Timestamp now, std::span<uint8_t> out) {
  Advance(now);
  if (out.size() < RequestSize(options_)) return std::nullopt;
  while (const auto id = to_send_.Pop()) {
    const auto found = index_by_id_.find(*id);
    if (found == index_by_id_.end()) continue;  // cancelled or answered meanwhile
    Transaction& t = transactions_[found->second];
    MessageBuilder request(out, {Method::kBinding, MessageClass::kRequest}, t.id);
    if (t.behavior && t.behavior->change != 0) request.AddU32(AttributeType::kChangeRequest, t.behavior->change);
    if (t.behavior && t.behavior->response_port != 0) {  // RFC 5780 §7.5: 16 bits, and 16 of padding
      const uint16_t port = t.behavior->response_port;
      request.Add(AttributeType::kResponsePort,
                  std::array<uint8_t, 4>{static_cast<uint8_t>(port >> 8), static_cast<uint8_t>(port & 0xff), 0, 0});
    }
    if (!options_.software.empty()) request.AddText(AttributeType::kSoftware, options_.software);
    t.phase = Phase::kSent;
    t.last_sent = now_;
    t.schedule.HandleSent(now_);
    ++metrics_.requests_sent;
    return Transmit{request.Finish().size(), t.local, t.server};
  }
  return std::nullopt;
}

std::optional<Client::Event> Client::PollEvent() { return events_.Pop(); }

Timestamp Client::NextTimeout() const {
  Timestamp next;
  for (const Transaction& t : transactions_) {
    if (t.phase == Phase::kSent) next = std::min(next, t.schedule.NextDeadline());
  }
  return next;
}

}  // namespace jsp::stun
