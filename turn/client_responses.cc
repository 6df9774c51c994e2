// What Client makes of success and error responses (RFC 8489 §9.2.5, RFC 8656 §7.3, §7.4, §8.3, §10.3, §12.3).
#include <algorithm>
#include <array>

#include "stun/error_code.h"
#include "turn/client.h"
namespace jsp::turn {
namespace {

using stun::AttributeType;
using stun::IntegrityStatus;
namespace error_code = stun::error_code;

// S9: one 438 in a row. A request that was built before the nonce changed does not count: that is no fault of its own.
constexpr uint8_t kMaxStaleNonces = 1;
constexpr uint32_t kMaxPorts = 3;                                        // RFC 8656 §7.4, 437
constexpr Duration kWaitAfterPorts = std::chrono::minutes(2);            // RFC 8656 §7.4, 437
constexpr Duration kWaitForCapacity = std::chrono::minutes(1);           // RFC 8656 §7.4, 486 and 508
constexpr Duration kWaitAfterConnectFailure = std::chrono::seconds(10);  // RFC 6062 §4.3

AllocationFailure ReasonOf(uint16_t code) {
  switch (code) {
    case error_code::kUnauthenticated:
    case error_code::kWrongCredentials:
      return AllocationFailure::kWrongCredentials;
    case error_code::kMobilityForbidden:
      return AllocationFailure::kMobilityForbidden;
    case error_code::kAddressFamilyNotSupported:
    case error_code::kUnsupportedTransportProtocol:
      return AllocationFailure::kUnsupported;
    case error_code::kAllocationQuotaReached:
      return AllocationFailure::kQuota;
    case error_code::kInsufficientCapacity:
      return AllocationFailure::kCapacity;
    default:
      return AllocationFailure::kRefused;
  }
}

}  // namespace

void Client::HandleResponse(const SocketAddress& local, const stun::MessageView& response) {
  Transaction* found = transactions_.FindSent(response.transaction_id());
  if (found == nullptr) return Drop(ClientDrop::kUnknownTransaction);
  if (found->local != local) return Drop(ClientDrop::kWrongAddress);  // S7
  uint16_t code = 0;
  if (response.message_class() == stun::MessageClass::kErrorResponse) {
    const auto error = response.FindError();
    if (!error) return Drop(ClientDrop::kMalformed);
    code = error->code;
    const bool challenge = code == error_code::kUnauthenticated || code == error_code::kStaleNonce;
    if (challenge && HandleChallenge(*found, response, code)) return;
  }
  if (!IsAuthentic(*found, response, code)) return;
  const Transaction transaction = *found;
  transactions_.Remove(transaction.id);
  if (code == 0) {
    HandleSuccess(transaction, response);
  } else {
    HandleError(transaction, response, code);
  }
}

// RFC 8489 §9.2.5. A request without credentials has an answer without integrity; 401 and 438 have none either, which
// HandleChallenge has acted upon.
bool Client::IsAuthentic(Transaction& transaction, const stun::MessageView& response, uint16_t code) {
  if (transaction.generation == 0) return true;
  const IntegrityStatus status = credentials_.Verify(response);
  if (status == IntegrityStatus::kValid) return true;
  Drop(ClientDrop::kBadIntegrity);
  // RFC 8489 §9.2.5: a 400 without integrity "MUST be discarded, as if it were never received", over a stream too.
  const bool is_signed =
      response.Has(AttributeType::kMessageIntegrity) || response.Has(AttributeType::kMessageIntegritySha256);
  if (code == error_code::kBadRequest && !is_signed) return false;
  transaction.bad_integrity = true;
  if (!IsStream(options_.transport)) return false;
  // "If the request was sent over a reliable transport, the response MUST be discarded, and the layer MUST immediately
  // end the transaction".
  const Transaction ended = transaction;
  transactions_.Remove(ended.id);
  HandleTimedOut(ended);
  return false;
}

// True when the response has been dealt with: the request is sent again, or has failed.
bool Client::HandleChallenge(Transaction& transaction, const stun::MessageView& response, uint16_t code) {
  using stun::ChallengeVerdict;
  const bool stale = code == error_code::kStaleNonce;
  auto verdict = ChallengeVerdict::kWrongCredentials;
  bool limit_reached = false;
  if (options_.credentials.username.empty()) {
    verdict = ChallengeVerdict::kWrongCredentials;  // the server wants what we do not have
  } else if (stale && transaction.generation != 0 && transaction.generation != credentials_.generation()) {
    verdict = ChallengeVerdict::kRetry;  // another answer has brought a newer nonce already
  } else if (stale && transaction.stale_nonces >= kMaxStaleNonces) {
    limit_reached = true;
  } else {
    verdict = credentials_.HandleChallenge(response, code, transaction.generation);
    if (stale) ++transaction.stale_nonces;
  }
  if (verdict == ChallengeVerdict::kRetry && !limit_reached) {
    transactions_.Renew(transaction);
    return true;
  }
  const Transaction failed = transaction;
  transactions_.Remove(failed.id);
  if (failed.kind != RequestKind::kAllocate) {
    HandleError(failed, response, code);
    return true;
  }
  const AllocationFailure reason = limit_reached ? AllocationFailure::kStaleNonce
                                   : verdict == ChallengeVerdict::kWrongCredentials
                                       ? AllocationFailure::kWrongCredentials
                                       : AllocationFailure::kBadChallenge;
  FailAllocation(reason, code, response.FindError()->reason);
  return true;
}

void Client::HandleSuccess(const Transaction& transaction, const stun::MessageView& response) {
  const ChannelNumber number{static_cast<uint16_t>(transaction.number)};
  switch (transaction.kind) {
    case RequestKind::kAllocate:
      HandleAllocated(response);
      break;
    case RequestKind::kRefresh:
      // RFC 8656 §8.3.
      if (allocation_) allocation_->HandleRefreshed(now_, Find<Lifetime>(response).value_or(Lifetime{0}).seconds);
      break;
    case RequestKind::kDelete:
      FinishDeletion();
      break;
    case RequestKind::kMove:
      HandleMoved(transaction, response);
      break;
    case RequestKind::kCreatePermission:  // RFC 8656 §10.3
      permissions_.HandleGranted(now_, transaction.peer.ip);
      events_.Push(event::PermissionGranted{transaction.peer.ip});
      break;
    case RequestKind::kChannelBind:  // RFC 8656 §12.3
      channels_.HandleBound(now_, number);
      permissions_.HandleGranted(now_, transaction.peer.ip);
      events_.Push(event::ChannelBound{transaction.peer, number});
      break;
    case RequestKind::kConnect: {  // RFC 6062 §4.3
      const auto id = Find<ConnectionId>(response);
      const auto found = std::ranges::find(connections_, transaction.peer, &PeerConnection::peer);
      if (!id || FindConnection(*id) != nullptr || found == connections_.end()) return HandleRefused(transaction, 0);
      *found = {.peer = transaction.peer,
                .state = PeerConnection::State::kPending,
                .id = *id,
                .until = now_ + kConnectionBindTimeout};
      events_.Push(event::ConnectionPending{*id, transaction.peer, event::ConnectionOrigin::kConnect});
      break;
    }
    case RequestKind::kConnectionBind:
      if (PeerConnection* connection = FindConnection({transaction.number})) {
        connection->state = PeerConnection::State::kBound;
        events_.Push(event::ConnectionBound{connection->id, connection->peer});
      }
      break;
  }
}

void Client::HandleAllocated(const stun::MessageView& response) {
  const auto result = ParseAllocateResult(response, options_);
  if (state_ == State::kClosing || !result) {
    // RFC 8656 §7.3: what we cannot use is deleted. The deletion ends in Closed when that is what was asked for.
    const bool closing = state_ == State::kClosing;
    if (!closing) {
      const bool malformed = result.error() == AllocateResultError::kMalformed;
      FailAllocation(malformed ? AllocationFailure::kMalformedResponse : AllocationFailure::kUnusableFamily, 0, "");
    }
    return DeleteAllocation();
  }
  allocation_.emplace(now_, *result);
  state_ = State::kAllocated;
  const bool dont_fragment = options_.dont_fragment && !attempts_.without_dont_fragment;
  events_.Push(
      event::Allocated{.relayed_v4 = result->relayed_v4,
                       .relayed_v6 = result->relayed_v6,
                       .mapped = result->mapped,
                       .lifetime = std::chrono::seconds(result->lifetime_seconds),
                       .reservation = result->reservation,
                       .missing_family_code = result->missing_family_code,
                       .dont_fragment = dont_fragment,
                       .server_software = std::string(response.FindText(AttributeType::kSoftware).value_or(""))});
}

// RFC 8016 §3.2.3.
void Client::HandleMoved(const Transaction& transaction, const stun::MessageView& response) {
  if (!allocation_) return;
  options_.local = transaction.local;
  allocation_->HandleRefreshed(now_, Find<Lifetime>(response).value_or(Lifetime{0}).seconds);
  if (const auto ticket = Find<MobilityTicket>(response)) allocation_->HandleTicket(ticket->octets);
  events_.Push(event::Moved{options_.local});
}

void Client::HandleError(const Transaction& transaction, const stun::MessageView& response, uint16_t code) {
  if (transaction.kind == RequestKind::kAllocate) {
    if (state_ != State::kClosing) return HandleAllocateError(response, code);
    state_ = State::kEnded;  // there is nothing to delete
    events_.Push(event::Closed{});
    return;
  }
  if (transaction.kind == RequestKind::kDelete) {
    // RFC 8656 §8.3: after a 437 "it should consider its request as having effectively succeeded"; nor is there
    // anything left to do after any other error.
    return FinishDeletion();
  }
  // RFC 8656 §5: after a 437 "MUST assume the allocation no longer exists". A ticket's 437 is about the ticket.
  const bool own_path = transaction.kind != RequestKind::kMove && transaction.kind != RequestKind::kConnectionBind;
  if (code == error_code::kAllocationMismatch && own_path) return LoseAllocation(AllocationFailure::kMismatch, code);
  HandleRefused(transaction, code);
}

// One request was refused: what it was about is refused, and nothing else (T12).
void Client::HandleRefused(const Transaction& transaction, uint16_t code) {
  const ChannelNumber number{static_cast<uint16_t>(transaction.number)};
  const SocketAddress& peer = transaction.peer;
  switch (transaction.kind) {
    case RequestKind::kRefresh:
      LoseAllocation(ReasonOf(code), code);
      break;
    case RequestKind::kMove:
      events_.Push(event::MoveFailed{code});
      break;
    case RequestKind::kCreatePermission:
      permissions_.HandleRefused(now_, peer.ip);
      events_.Push(event::PermissionRefused{peer.ip, code});
      break;
    case RequestKind::kChannelBind: {
      const auto* channel = channels_.FindByNumber(now_, number);
      const bool was_bound = channel != nullptr && channel->state == ChannelTable::State::kBound;
      channels_.HandleRefused(now_, number);
      // RFC 8656 §12.3: "it is RECOMMENDED that the client immediately delete the allocation".
      if (was_bound && code == error_code::kBadRequest) {
        LoseAllocation(AllocationFailure::kOutOfSync, code);
        return DeleteAllocation();
      }
      if (code == error_code::kForbidden && permissions_.Add(now_, peer.ip) == PermissionTable::Added::kNew) {
        permissions_.HandleRefused(now_, peer.ip);
      }
      events_.Push(event::ChannelRefused{peer, code});
      break;
    }
    case RequestKind::kConnect: {
      const auto found = std::ranges::find(connections_, peer, &PeerConnection::peer);
      if (found == connections_.end()) break;
      const bool failed = code == error_code::kConnectionTimeoutOrFailure || code == 0;
      *found = {.peer = peer, .state = PeerConnection::State::kFailed, .id = {}, .until = now_};
      if (failed) found->until = now_ + kWaitAfterConnectFailure;
      events_.Push(event::ConnectFailed{peer, code, failed ? kWaitAfterConnectFailure : Duration::zero()});
      break;
    }
    case RequestKind::kConnectionBind: {
      const ConnectionId id{transaction.number};
      std::erase_if(connections_,
                    [&](const PeerConnection& c) { return c.id == id && c.state == PeerConnection::State::kBinding; });
      events_.Push(event::ConnectionBindFailed{id, code});
      break;
    }
    case RequestKind::kAllocate:
    case RequestKind::kDelete:
      break;
  }
}

// RFC 8656 §7.4.
void Client::HandleAllocateError(const stun::MessageView& response, uint16_t code) {
  const std::string_view detail = response.FindError()->reason;
  switch (code) {
    case error_code::kTryAlternate:
      return HandleRedirect(response);
    case error_code::kUnknownAttribute: {
      // "MAY choose to retry the Allocate request without the DONT-FRAGMENT attribute".
      std::array<AttributeType, 16> listed;
      const auto value = response.Find(AttributeType::kUnknownAttributes);
      const size_t count = value ? stun::ParseUnknownAttributes(*value, listed) : 0;
      const auto end = listed.begin() + static_cast<std::ptrdiff_t>(count);
      const bool names_it = std::find(listed.begin(), end, AttributeType::kDontFragment) != end;
      if (!names_it || !options_.dont_fragment || attempts_.without_dont_fragment) break;
      attempts_.without_dont_fragment = true;
      StartRequest(RequestKind::kAllocate, {}, 0);
      return;
    }
    case error_code::kAllocationMismatch:
      if (attempts_.ports >= kMaxPorts) return FailAllocation(AllocationFailure::kPortsInUse, code, detail);
      state_ = State::kWaitingForOwner;
      events_.Push(event::NeedsNewPort{attempts_.ports++});
      return;
    default:
      break;
  }
  FailAllocation(ReasonOf(code), code, detail);
}

// RFC 8489 §10. RFC 8489 §14.8: receivers "MUST validate the MESSAGE-INTEGRITY … of this response before redirecting
// themselves": IsAuthentic has, if the request had credentials; a 300 to one that had none is not followed.
void Client::HandleRedirect(const stun::MessageView& response) {
  const auto alternate = response.FindAddress(AttributeType::kAlternateServer);
  const bool usable = alternate && alternate->port != 0 && alternate->ip.family() == options_.server.ip.family() &&
                      !alternate->ip.IsUnspecified() && !alternate->ip.IsMulticast() && !alternate->ip.IsBroadcast() &&
                      (!alternate->ip.IsLoopback() || options_.server.ip.IsLoopback()) && *alternate != options_.server;
  if (!credentials_.has_challenge() || attempts_.redirected || !usable) {
    return FailAllocation(AllocationFailure::kTooManyRedirects, error_code::kTryAlternate, "");
  }
  attempts_.redirected = true;
  options_.server = *alternate;
  events_.Push(
      event::Redirected{*alternate, std::string(response.FindText(AttributeType::kAlternateDomain).value_or(""))});
  if (IsStream(options_.transport)) {
    state_ = State::kWaitingForOwner;
  } else {
    StartRequest(RequestKind::kAllocate, {}, 0);
  }
}

void Client::FailAllocation(AllocationFailure reason, uint16_t code, std::string_view detail) {
  const bool closing = state_ == State::kClosing;
  state_ = State::kEnded;
  ForgetAllocation();
  if (closing) {
    events_.Push(event::Closed{});
    return;
  }
  Duration retry_after{};
  const bool asked_for_port = options_.even_port || options_.reservation;  // "MAY choose to remove … and try again"
  if (reason == AllocationFailure::kPortsInUse) retry_after = kWaitAfterPorts;
  if (reason == AllocationFailure::kQuota) retry_after = kWaitForCapacity;
  if (reason == AllocationFailure::kCapacity && !asked_for_port) retry_after = kWaitForCapacity;
  events_.Push(event::AllocationFailed{reason, code, std::string(detail), retry_after});
}

void Client::LoseAllocation(AllocationFailure reason, uint16_t code) {
  const bool had_one = state_ == State::kAllocated;
  state_ = State::kEnded;
  ForgetAllocation();
  if (had_one) events_.Push(event::AllocationLost{reason, code});
}

// The server has an allocation that we do not want. Its deletion is sent as any request; nobody waits for it but Close.
void Client::DeleteAllocation() {
  transactions_.Clear();
  if (state_ == State::kEnded) state_ = State::kDeleting;
  StartRequest(RequestKind::kDelete, {}, 0);
}

void Client::FinishDeletion() {
  const bool closing = state_ == State::kClosing;
  state_ = State::kEnded;
  if (closing) events_.Push(event::Closed{});
}

void Client::ForgetAllocation() {
  transactions_.Clear();
  allocation_.reset();
  permissions_.Clear();
  channels_.Clear();
  connections_.clear();
  for (size_t i = 0; i < queued_.size(); ++i) Drop(ClientDrop::kQueuedDataDropped);
  queued_.clear();
}

}  // namespace jsp::turn
