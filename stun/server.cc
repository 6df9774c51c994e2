#include "stun/server.h"

#include <algorithm>
#include <array>

#include "stun/error_code.h"
#include "stun/message_builder.h"
#include "stun/text_attribute.h"
namespace jsp::stun {
namespace {

// Attributes that other usages put into requests: known but unexpected, hence ignored (RFC 8489 §6.3). Those of
// RFC 5780 §7 are not among them: a server that ignores CHANGE-REQUEST makes every NAT look unrestricted.
constexpr std::array kOtherUsages{
    AttributeType::kPriority,     AttributeType::kUseCandidate,           AttributeType::kChannelNumber,
    AttributeType::kLifetime,     AttributeType::kXorPeerAddress,         AttributeType::kData,
    AttributeType::kEvenPort,     AttributeType::kXorRelayedAddress,      AttributeType::kRequestedTransport,
    AttributeType::kDontFragment, AttributeType::kRequestedAddressFamily, AttributeType::kReservationToken,
    AttributeType::kConnectionId,
};
constexpr auto kKnownInRequest = [] {
  std::array<AttributeType, kBaseRequiredAttributes.size() + kOtherUsages.size()> known{};
  std::ranges::copy(kOtherUsages, std::ranges::copy(kBaseRequiredAttributes, known.begin()).out);
  return known;
}();

// Header, ERROR-CODE without a reason, UNKNOWN-ATTRIBUTES and FINGERPRINT; a success is smaller.
constexpr size_t kMaxAnswer = kHeaderSize + 8 + (4 + 2 * Server::kMaxUnknownAttributes) + 8;

size_t SoftwareSize(const std::string& software) {
  return software.empty() ? 0 : 4 + ((software.size() + 3) & ~size_t{3});
}

}  // namespace

Server::Server(const ServerOptions& options) : options_(options) {
  if (!MaySendText(AttributeType::kSoftware, options_.software)) options_.software.clear();
}

void Server::HandleDatagram(Timestamp, const SocketAddress& local, const SocketAddress& remote,
                            std::span<const uint8_t> datagram) {
  const auto message = MessageView::Parse(datagram);
  if (!message) {
    ++metrics_.dropped_unparsable;
  } else if (message->VerifyFingerprint() == IntegrityStatus::kInvalid) {
    ++metrics_.dropped_bad_fingerprint;
  } else if (message->Is(Method::kBinding, MessageClass::kIndication)) {
    ++metrics_.indications;  // RFC 8489 §6.3.2: no response
  } else if (message->Is(Method::kBinding, MessageClass::kRequest)) {
    HandleRequest(local, remote, *message);
  } else {
    ++metrics_.dropped_not_request;
  }
}

// RFC 8489 §6.3.1: Binding is idempotent, so a retransmission is simply answered again.
void Server::HandleRequest(const SocketAddress& local, const SocketAddress& remote, const MessageView& request) {
  if (answers_.size() >= options_.max_pending) {
    ++metrics_.dropped_overload;
    return;
  }
  ++metrics_.requests;
  std::array<AttributeType, kMaxUnknownAttributes> unknown;
  const size_t count = request.UnknownAttributes(kKnownInRequest, unknown);
  if (count > 0) ++metrics_.unknown_attribute;
  const bool with_fingerprint = request.VerifyFingerprint() == IntegrityStatus::kValid;
  answers_.Push(
      {local, remote, request.transaction_id(), with_fingerprint, {unknown.begin(), unknown.begin() + count}});
}

std::optional<Server::Transmit> Server::PollTransmit(Timestamp, std::span<uint8_t> out) {
  if (out.size() < kMaxAnswer + SoftwareSize(options_.software)) return std::nullopt;
  const auto answer = answers_.Pop();
  if (!answer) return std::nullopt;
  const bool failed = !answer->unknown.empty();
  const MessageType type{Method::kBinding, failed ? MessageClass::kErrorResponse : MessageClass::kSuccessResponse};
  MessageBuilder response(out, type, answer->id);
  if (failed) {
    response.AddError(error_code::kUnknownAttribute, "").AddUnknownAttributes(answer->unknown);
  } else {
    response.AddAddress(AttributeType::kXorMappedAddress, answer->remote);
  }
  if (!options_.software.empty()) response.AddText(AttributeType::kSoftware, options_.software);
  if (answer->with_fingerprint) response.AddFingerprint();
  return Transmit{response.Finish().size(), answer->local, answer->remote};
}

void Server::HandleTimeout(Timestamp) {}
std::optional<Server::Event> Server::PollEvent() { return std::nullopt; }
Timestamp Server::NextTimeout() const { return Timestamp::Never(); }

}  // namespace jsp::stun
