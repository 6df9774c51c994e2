#pragma once
#include <array>
#include <cstdint>
namespace jsp::stun {

// RFC 8489 §18.3 and the registries of the RFCs named beside each group.
enum class AttributeType : uint16_t {
  kMappedAddress = 0x0001,
  kChangeRequest = 0x0003,  // RFC 5780 §7.2
  kUsername = 0x0006,
  kMessageIntegrity = 0x0008,
  kErrorCode = 0x0009,
  kUnknownAttributes = 0x000a,
  kChannelNumber = 0x000c,  // RFC 8656 §18
  kLifetime = 0x000d,
  kXorPeerAddress = 0x0012,
  kData = 0x0013,
  kRealm = 0x0014,
  kNonce = 0x0015,
  kXorRelayedAddress = 0x0016,
  kRequestedAddressFamily = 0x0017,
  kEvenPort = 0x0018,
  kRequestedTransport = 0x0019,
  kDontFragment = 0x001a,
  kMessageIntegritySha256 = 0x001c,
  kPasswordAlgorithm = 0x001d,
  kUserhash = 0x001e,
  kXorMappedAddress = 0x0020,
  kReservationToken = 0x0022,
  kPriority = 0x0024,  // RFC 8445 §16.1
  kUseCandidate = 0x0025,
  kPadding = 0x0026,       // RFC 5780 §7.6
  kResponsePort = 0x0027,  // RFC 5780 §7.5
  kConnectionId = 0x002a,  // RFC 6062 §6.2
  kAdditionalAddressFamily = 0x8000,
  kAddressErrorCode = 0x8001,
  kPasswordAlgorithms = 0x8002,
  kAlternateDomain = 0x8003,
  kIcmp = 0x8004,
  kSoftware = 0x8022,
  kAlternateServer = 0x8023,
  kFingerprint = 0x8028,
  kIceControlled = 0x8029,  // RFC 8445 §16.1
  kIceControlling = 0x802a,
  kResponseOrigin = 0x802b,  // RFC 5780 §7.3
  kOtherAddress = 0x802c,    // RFC 5780 §7.4
  kMobilityTicket = 0x8030,  // RFC 8016 §4
};

// The comprehension-required attributes of RFC 8489 §18.3, without the integrity attributes, which MessageView always
// knows: what an agent of the bare protocol passes to MessageView::UnknownAttributes.
inline constexpr std::array kBaseRequiredAttributes{
    AttributeType::kMappedAddress, AttributeType::kUsername,          AttributeType::kErrorCode,
    AttributeType::kRealm,         AttributeType::kUnknownAttributes, AttributeType::kNonce,
    AttributeType::kUserhash,      AttributeType::kPasswordAlgorithm, AttributeType::kXorMappedAddress,
};

// RFC 8489 §14: types below 0x8000 must be understood by the receiver.
constexpr bool IsComprehensionRequired(AttributeType type) { return static_cast<uint16_t>(type) < 0x8000; }

}  // namespace jsp::stun
