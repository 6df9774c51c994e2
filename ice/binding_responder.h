#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "base/event_queue.h"
#include "base/expected.h"
#include "ice/candidate_pair.h"
#include "ice/credentials.h"
#include "ice/metrics.h"
#include "ice/stun_attributes.h"
#include "stun/message_view.h"
namespace jsp::ice {

// Answers that wait for the owner to poll; a request that finds the queue full is not answered, like one that was lost.
constexpr size_t kMaxPendingAnswers = 64;

// A check that was answered before the remote description was known (RFC 8445 §7.3), to be acted upon then.
struct EarlyCheck {
  AddressPair path;
  std::string sender_ufrag;
  uint32_t priority = 0;
  bool use_candidate = false;
  std::optional<uint32_t> nomination{};
};

// The server side of connectivity checks (RFC 8445 §7.3): authenticates requests with our own credentials, answers
// them, and keeps the early ones. Knows no pairs. An unauthenticated request gets no answer at all: RFC 8489 §9.1.3's
// 400 and 401 would go to whatever source address a stranger wrote on it; see docs/ice.md#refusals.
class BindingResponder {
 public:
  struct Transmit {
    size_t size;
    AddressPair path;
  };

  BindingResponder(const Credentials& local, size_t max_early_checks, Metrics& metrics);

  // nullopt when the request is genuine, else why it is dropped.
  std::optional<DropReason> FindForgery(const stun::MessageView& request) const;
  void AnswerSuccess(const stun::TransactionId& id, const AddressPair& path);
  void AnswerError(const stun::TransactionId& id, const AddressPair& path, const RequestFault& fault);

  // One per path; false when there are too many, counted.
  bool Remember(const AddressPair& path, const ReceivedCheck& check);
  std::vector<EarlyCheck> TakeEarly();
  bool HasEarly(const AddressPair& path) const;

  std::optional<Transmit> PollTransmit(std::span<uint8_t> out);
  void Clear();
  // Instead of those that it began with; no request has been answered yet.
  void SetCredentials(const Credentials& local);
  // Gives back what a burst took.
  void Trim() { answers_.Trim(); }
  const Credentials& credentials() const { return credentials_; }

 private:
  struct Answer {
    stun::TransactionId id;
    AddressPair path;
    RequestFault fault;  // code 0: success
  };
  void Queue(Answer answer);
  void Drop(DropReason reason) { ++metrics_.dropped[static_cast<size_t>(reason)]; }

  Metrics& metrics_;
  Credentials credentials_;
  crypto::HmacSha1Key key_;
  size_t max_early_checks_;
  std::vector<EarlyCheck> early_;
  EventQueue<Answer> answers_;
};

}  // namespace jsp::ice
