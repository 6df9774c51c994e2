// What Client's requests say, and what becomes of those that nobody answers.
#include <algorithm>

#include "stun/message_builder.h"
#include "stun/text_attribute.h"
#include "turn/client.h"
namespace jsp::turn {
namespace {

using stun::AttributeType;
using stun::MessageClass;
using stun::Method;

Method MethodOf(RequestKind kind) {
  switch (kind) {
    case RequestKind::kAllocate:
      return Method::kAllocate;
    case RequestKind::kRefresh:
    case RequestKind::kDelete:
    case RequestKind::kMove:
      return Method::kRefresh;
    case RequestKind::kCreatePermission:
      return Method::kCreatePermission;
    case RequestKind::kChannelBind:
      return Method::kChannelBind;
    case RequestKind::kConnect:
      return Method::kConnect;
    case RequestKind::kConnectionBind:
      break;
  }
  return Method::kConnectionBind;
}

bool SaysSoftware(RequestKind kind) {  // RFC 8656 §5: "in all Allocate and Refresh requests"
  const Method method = MethodOf(kind);
  return method == Method::kAllocate || method == Method::kRefresh;
}

}  // namespace

// RFC 8656 §7.1, RFC 6062 §4.1, RFC 8016 §3.1.1; Validate() has excluded what does not go together.
void Client::AddAllocateAttributes(stun::MessageBuilder& request) const {
  Add(request, RequestedTransport{options_.relay});
  if (options_.lifetime_seconds != 0) Add(request, Lifetime{options_.lifetime_seconds});
  if (options_.families == RelayFamilies::kV4) Add(request, RequestedAddressFamily{AddressFamily::kV4});
  if (options_.families == RelayFamilies::kV6) Add(request, RequestedAddressFamily{AddressFamily::kV6});
  if (options_.families == RelayFamilies::kBoth) Add(request, AdditionalAddressFamily{AddressFamily::kV6});
  if (options_.even_port) Add(request, *options_.even_port);
  if (options_.reservation) Add(request, *options_.reservation);
  if (options_.dont_fragment && !attempts_.without_dont_fragment) Add(request, DontFragment{});
  if (options_.mobility) Add(request, MobilityTicket{});
}

std::span<const uint8_t> Client::BuildRequest(const Transaction& transaction, std::span<uint8_t> out) const {
  stun::MessageBuilder request(out, {MethodOf(transaction.kind), MessageClass::kRequest}, transaction.id);
  switch (transaction.kind) {
    case RequestKind::kAllocate:
      AddAllocateAttributes(request);
      break;
    case RequestKind::kRefresh:
      if (options_.lifetime_seconds != 0) Add(request, Lifetime{options_.lifetime_seconds});
      break;
    case RequestKind::kDelete:
      Add(request, Lifetime{0});  // RFC 8656 §8.1
      break;
    case RequestKind::kMove:
      Add(request, MobilityTicket{allocation_->ticket()});
      break;
    case RequestKind::kChannelBind:
      Add(request, ChannelNumber{static_cast<uint16_t>(transaction.number)});
      request.AddAddress(AttributeType::kXorPeerAddress, transaction.peer);
      break;
    case RequestKind::kCreatePermission:
    case RequestKind::kConnect:
      request.AddAddress(AttributeType::kXorPeerAddress, transaction.peer);
      break;
    case RequestKind::kConnectionBind:
      Add(request, ConnectionId{transaction.number});
      break;
  }
  const bool may_say = stun::MaySendText(AttributeType::kSoftware, options_.software);
  if (may_say && SaysSoftware(transaction.kind)) request.AddText(AttributeType::kSoftware, options_.software);
  credentials_.AddCredentials(request);
  credentials_.AddIntegrity(request);
  return request.AddFingerprint().Finish();
}

// RFC 8489 §6.2.1: after the last retransmission the transaction has failed.
void Client::HandleTimedOut(const Transaction& transaction) {
  switch (transaction.kind) {
    case RequestKind::kAllocate: {
      const bool forged = transaction.bad_integrity;  // RFC 8489 §9.2.5: "the integrity protection was violated"
      FailAllocation(forged ? AllocationFailure::kIntegrity : AllocationFailure::kTimeout, 0, "");
      break;
    }
    case RequestKind::kRefresh:
      if (allocation_) allocation_->HandleRefreshFailed(now_);
      break;
    case RequestKind::kDelete:
      FinishDeletion();
      break;
    case RequestKind::kMove:
      events_.Push(event::MoveFailed{0});
      break;
    case RequestKind::kCreatePermission:
      permissions_.HandleTimedOut(now_, transaction.peer.ip);
      if (!permissions_.Accepts(now_, transaction.peer.ip)) {
        events_.Push(event::PermissionRefused{transaction.peer.ip, 0});
      }
      break;
    case RequestKind::kChannelBind: {
      const ChannelNumber number{static_cast<uint16_t>(transaction.number)};
      channels_.HandleTimedOut(now_, number);
      if (channels_.FindByNumber(now_, number) == nullptr) {
        events_.Push(event::ChannelRefused{transaction.peer, 0});
      }
      break;
    }
    case RequestKind::kConnect:
    case RequestKind::kConnectionBind:
      HandleRefused(transaction, 0);
      break;
  }
}

}  // namespace jsp::turn
