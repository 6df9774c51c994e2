#include "ice/stun_attributes.h"

#include "stun/error_code.h"
#include "stun/message_builder.h"
namespace jsp::ice {
namespace {

using stun::AttributeType;
using stun::MessageClass;
using stun::Method;

// Comprehension-required attributes that a check may carry: those of RFC 8445 §16.1, and those of RFC 8489 §14 that we
// know but do not expect, which are ignored (RFC 8489 §6.3).
constexpr std::array kUnderstood{
    AttributeType::kMappedAddress,
    AttributeType::kUsername,
    AttributeType::kMessageIntegrity,
    AttributeType::kErrorCode,
    AttributeType::kUnknownAttributes,
    AttributeType::kLifetime,
    AttributeType::kRealm,
    AttributeType::kNonce,
    AttributeType::kXorMappedAddress,
    AttributeType::kMessageIntegritySha256,
    AttributeType::kPasswordAlgorithm,
    AttributeType::kUserhash,
    AttributeType::kPriority,
    AttributeType::kUseCandidate,
};

size_t SizeOf(stun::MessageBuilder& builder) { return builder.Finish().size(); }

}  // namespace

std::optional<CheckUsername> SplitUsername(std::string_view username) {
  const size_t colon = username.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return CheckUsername{username.substr(0, colon), username.substr(colon + 1)};
}

Expected<ReceivedCheck, RequestFault> ReadCheck(const stun::MessageView& message) {
  RequestFault fault;
  fault.unknown_count = message.UnknownAttributes(kUnderstood, fault.unknown);
  fault.code = stun::error_code::kUnknownAttribute;
  if (fault.unknown_count > 0) return Unexpected(fault);
  fault.code = stun::error_code::kBadRequest;
  const auto username = message.FindText(AttributeType::kUsername);
  const auto split = username ? SplitUsername(*username) : std::nullopt;
  const auto priority = message.FindU32(AttributeType::kPriority);
  const auto controlling = message.FindU64(AttributeType::kIceControlling);
  const auto controlled = message.FindU64(AttributeType::kIceControlled);
  if (!split || !priority || (controlling && controlled)) return Unexpected(fault);
  ReceivedCheck check;
  check.sender_ufrag = split->sender;
  check.priority = *priority;
  if (controlling) check.role = RoleAttribute{Role::kControlling, *controlling};
  if (controlled) check.role = RoleAttribute{Role::kControlled, *controlled};
  // RFC 8445 §16.1: USE-CANDIDATE has no content.
  const auto use_candidate = message.Find(AttributeType::kUseCandidate);
  if (use_candidate && !use_candidate->empty()) return Unexpected(fault);
  check.use_candidate = use_candidate.has_value();
  check.nomination = message.FindU32(kNominationAttribute);
  return check;
}

size_t WriteCheck(std::span<uint8_t> out, const CheckContent& content, const crypto::HmacSha1Key& key) {
  stun::MessageBuilder builder(out, {Method::kBinding, MessageClass::kRequest}, content.id);
  builder.AddText(AttributeType::kUsername, content.username).AddU32(AttributeType::kPriority, content.priority);
  // RFC 8445 §7.1.3: one of the two, with the tie-breaker.
  const bool is_controlling = content.role.role == Role::kControlling;
  builder.AddU64(is_controlling ? AttributeType::kIceControlling : AttributeType::kIceControlled,
                 content.role.tie_breaker);
  if (content.use_candidate) builder.AddFlag(AttributeType::kUseCandidate);
  if (content.use_candidate && content.nomination != 0) builder.AddU32(kNominationAttribute, content.nomination);
  builder.AddIntegrity(key).AddFingerprint();
  return SizeOf(builder);
}

size_t WriteSuccess(std::span<uint8_t> out, const stun::TransactionId& id, const SocketAddress& mapped,
                    const crypto::HmacSha1Key& key) {
  stun::MessageBuilder builder(out, {Method::kBinding, MessageClass::kSuccessResponse}, id);
  builder.AddAddress(AttributeType::kXorMappedAddress, mapped).AddIntegrity(key).AddFingerprint();
  return SizeOf(builder);
}

size_t WriteError(std::span<uint8_t> out, const stun::TransactionId& id, const RequestFault& fault,
                  const crypto::HmacSha1Key& key) {
  stun::MessageBuilder builder(out, {Method::kBinding, MessageClass::kErrorResponse}, id);
  builder.AddError(fault.code, stun::ReasonPhrase(fault.code));
  if (fault.unknown_count > 0) builder.AddUnknownAttributes(std::span(fault.unknown).first(fault.unknown_count));
  builder.AddIntegrity(key).AddFingerprint();
  return SizeOf(builder);
}

size_t WriteKeepalive(std::span<uint8_t> out, const stun::TransactionId& id) {
  stun::MessageBuilder builder(out, {Method::kBinding, MessageClass::kIndication}, id);
  builder.AddFingerprint();
  return SizeOf(builder);
}

}  // namespace jsp::ice
