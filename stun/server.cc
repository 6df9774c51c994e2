#include "stun/server.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/wire_layout.h"
#include "stun/change_request.h"
#include "stun/error_code.h"
#include "stun/message_builder.h"
#include "stun/text_attribute.h"
namespace jsp::stun {
namespace {

// Attributes that other usages put into requests: known but unexpected, hence ignored (RFC 8489 §6.3). Those of
// RFC 5780 §7 are known only where they are obeyed: a server that ignores CHANGE-REQUEST makes every NAT look
// unrestricted.
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
constexpr auto kKnownWithBehavior = [] {
  constexpr std::array kBehavior{AttributeType::kChangeRequest, AttributeType::kResponsePort, AttributeType::kPadding};
  std::array<AttributeType, kKnownInRequest.size() + kBehavior.size()> known{};
  std::ranges::copy(kBehavior, std::ranges::copy(kKnownInRequest, known.begin()).out);
  return known;
}();

// Header, ERROR-CODE without a reason, UNKNOWN-ATTRIBUTES and FINGERPRINT; a success is smaller.
constexpr size_t kMaxAnswer = kHeaderSize + 8 + (4 + 2 * Server::kMaxUnknownAttributes) + 8;
// RFC 5780 §6.1: four addresses, of IPv6 at most, the header of PADDING, and FINGERPRINT.
constexpr size_t kMaxBehaviorAnswer = kHeaderSize + 4 * (4 + 20) + 4 + 8;

size_t SoftwareSize(const std::string& software) {
  return software.empty() ? 0 : 4 + ((software.size() + 3) & ~size_t{3});
}

}  // namespace

Server::Metrics& Server::Metrics::operator+=(const Metrics& other) {
  requests += other.requests;
  indications += other.indications;
  dropped_unparsable += other.dropped_unparsable;
  dropped_bad_fingerprint += other.dropped_bad_fingerprint;
  dropped_not_request += other.dropped_not_request;
  dropped_overload += other.dropped_overload;
  unknown_attribute += other.unknown_attribute;
  bad_request += other.bad_request;
  return *this;
}

Server::Server(const ServerOptions& options) : options_(options) {
  if (!MaySendText(AttributeType::kSoftware, options_.software)) options_.software.clear();
  std::erase_if(options_.behavior, [](const BehaviorAddresses& b) {
    return b.primary.ip == b.alternate.ip || b.primary.port == b.alternate.port ||
           b.primary.ip.is_v4() != b.alternate.ip.is_v4();
  });
}

size_t Server::LargestAnswer() const {
  const size_t plain = kMaxAnswer + SoftwareSize(options_.software);
  if (options_.behavior.empty()) return plain;
  return std::max(plain, kMaxBehaviorAnswer + SoftwareSize(options_.software));
}

// RFC 5780 §6.1: Ca:Cp, the address and the port that `local` is not.
std::optional<SocketAddress> Server::OtherAddress(const SocketAddress& local) const {
  for (const auto& [primary, alternate] : options_.behavior) {
    if (local.ip != primary.ip && local.ip != alternate.ip) continue;
    if (local.port != primary.port && local.port != alternate.port) continue;
    return SocketAddress{local.ip == primary.ip ? alternate.ip : primary.ip,
                         local.port == primary.port ? alternate.port : primary.port};
  }
  return std::nullopt;
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
  const auto other = OtherAddress(local);
  const std::span<const AttributeType> known =
      other ? std::span<const AttributeType>(kKnownWithBehavior) : std::span<const AttributeType>(kKnownInRequest);
  std::array<AttributeType, kMaxUnknownAttributes> unknown;
  const size_t count = request.UnknownAttributes(known, unknown);
  if (count > 0) ++metrics_.unknown_attribute;
  Answer answer{.local = local, .remote = remote, .id = request.transaction_id()};
  answer.with_fingerprint = request.VerifyFingerprint() == IntegrityStatus::kValid;
  answer.unknown.assign(unknown.begin(), unknown.begin() + count);
  if (other && count == 0) ApplyBehavior(*other, request, answer);
  answers_.Push(std::move(answer));
}

void Server::ApplyBehavior(const SocketAddress& other, const MessageView& request, Answer& answer) {
  const auto response_port = request.Find(AttributeType::kResponsePort);
  const auto padding = request.Find(AttributeType::kPadding);
  const auto change = request.Find(AttributeType::kChangeRequest);
  // RFC 5780 §6.1: both at once would send many octets where nobody asked for them. RFC 8489 §6.3.1: an attribute that
  // cannot be read is a bad request, not one that is not there.
  answer.bad_request =
      (response_port && padding) || (response_port && response_port->size() < 2) || (change && change->size() != 4);
  if (answer.bad_request) {
    ++metrics_.bad_request;
    return;
  }
  answer.other = other;
  if (response_port) answer.response_port = wire::Codec<uint16_t>::Load(response_port->data());
  if (padding) answer.padding = std::min(padding->size(), options_.max_padding);
  if (!change) return;
  // RFC 5780 §7.2: all bits but two are ignored.
  const uint32_t flags = wire::Codec<uint32_t>::Load(change->data());
  if ((flags & kChangeIp) != 0) answer.local.ip = other.ip;
  if ((flags & kChangePort) != 0) answer.local.port = other.port;
}

std::optional<Server::Transmit> Server::PollTransmit(Timestamp, std::span<uint8_t> out) {
  if (out.size() < LargestAnswer()) return std::nullopt;
  const auto answer = answers_.Pop();
  if (!answer) return std::nullopt;
  const bool failed = !answer->unknown.empty() || answer->bad_request;
  const MessageType type{Method::kBinding, failed ? MessageClass::kErrorResponse : MessageClass::kSuccessResponse};
  MessageBuilder response(out, type, answer->id);
  if (answer->bad_request) {
    response.AddError(error_code::kBadRequest, "");
  } else if (failed) {
    response.AddError(error_code::kUnknownAttribute, "").AddUnknownAttributes(answer->unknown);
  } else {
    response.AddAddress(AttributeType::kXorMappedAddress, answer->remote);
  }
  if (answer->other) {  // RFC 5780 §6.1
    response.AddAddress(AttributeType::kMappedAddress, answer->remote)
        .AddAddress(AttributeType::kResponseOrigin, answer->local)
        .AddAddress(AttributeType::kOtherAddress, *answer->other);
    const size_t room = out.size() - LargestAnswer();
    if (answer->padding > 0) response.AddPadding(std::min(answer->padding, room & ~size_t{3}));
  }
  if (!options_.software.empty()) response.AddText(AttributeType::kSoftware, options_.software);
  if (answer->with_fingerprint) response.AddFingerprint();
  SocketAddress remote = answer->remote;
  if (answer->response_port != 0) remote.port = answer->response_port;
  return Transmit{response.Finish().size(), answer->local, remote};
}

void Server::HandleTimeout(Timestamp) {}
std::optional<Server::Event> Server::PollEvent() { return std::nullopt; }
Timestamp Server::NextTimeout() const { return Timestamp::Never(); }

}  // namespace jsp::stun
