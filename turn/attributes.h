#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/socket_address.h"
#include "stun/attribute_type.h"
#include "stun/message_builder.h"
#include "stun/message_view.h"
namespace jsp::turn {

// The attributes of RFC 8656 §18, RFC 6062 §6.2 and RFC 8016 §3.3 whose values stun/ does not know. Each is a struct
// with its type, Parse (nullopt for a value of an impossible size) and Write (a view of what was written into `out`,
// which has at least kMaxSize octets). Reserved bits are zero when written and ignored when read. XOR-PEER-ADDRESS and
// XOR-RELAYED-ADDRESS are MessageView::FindAddress and MessageBuilder::AddAddress, DATA is Find and Add.

// RFC 8656 §18.6, §18.12: the numbers of RFC 8489 §14.1; others may arrive.
enum class AddressFamily : uint8_t { kV4 = 0x01, kV6 = 0x02 };
constexpr AddressFamily ToAddressFamily(IpAddress::Family family) {
  return family == IpAddress::Family::kV4 ? AddressFamily::kV4 : AddressFamily::kV6;
}
inline AddressFamily FamilyOf(const IpAddress& ip) { return ToAddressFamily(ip.family()); }

// CHANNEL-NUMBER (RFC 8656 §18.1). Also the first field of a ChannelData message.
struct ChannelNumber {
  static constexpr auto kType = stun::AttributeType::kChannelNumber;
  static constexpr size_t kMaxSize = 4;
  uint16_t value = 0;
  auto operator<=>(const ChannelNumber&) const = default;
  // RFC 8656 §12: 0x4000 to 0x4FFF; 0x5000 to 0x7FFF, which RFC 5766 (obsolete) had, are reserved now.
  constexpr bool IsUsable() const { return value >= 0x4000 && value <= 0x4fff; }
  static std::optional<ChannelNumber> Parse(std::span<const uint8_t> in);
  std::span<const uint8_t> Write(std::span<uint8_t> out) const;
};
constexpr ChannelNumber kFirstChannel{0x4000};
constexpr size_t kChannelCount = 0x1000;

// LIFETIME (RFC 8656 §18.2).
struct Lifetime {
  static constexpr auto kType = stun::AttributeType::kLifetime;
  static constexpr size_t kMaxSize = 4;
  uint32_t seconds = 0;
  bool operator==(const Lifetime&) const = default;
  static std::optional<Lifetime> Parse(std::span<const uint8_t> in);
  std::span<const uint8_t> Write(std::span<uint8_t> out) const;
};

// REQUESTED-ADDRESS-FAMILY (RFC 8656 §18.6).
struct RequestedAddressFamily {
  static constexpr auto kType = stun::AttributeType::kRequestedAddressFamily;
  static constexpr size_t kMaxSize = 4;
  AddressFamily family = AddressFamily::kV4;
  bool operator==(const RequestedAddressFamily&) const = default;
  static std::optional<RequestedAddressFamily> Parse(std::span<const uint8_t> in);
  std::span<const uint8_t> Write(std::span<uint8_t> out) const;
};

// ADDITIONAL-ADDRESS-FAMILY (RFC 8656 §18.11), coded alike.
struct AdditionalAddressFamily {
  static constexpr auto kType = stun::AttributeType::kAdditionalAddressFamily;
  static constexpr size_t kMaxSize = 4;
  AddressFamily family = AddressFamily::kV6;
  bool operator==(const AdditionalAddressFamily&) const = default;
  static std::optional<AdditionalAddressFamily> Parse(std::span<const uint8_t> in);
  std::span<const uint8_t> Write(std::span<uint8_t> out) const;
};

// EVEN-PORT (RFC 8656 §18.7).
struct EvenPort {
  static constexpr auto kType = stun::AttributeType::kEvenPort;
  static constexpr size_t kMaxSize = 1;
  bool reserve_next = false;  // the R bit
  bool operator==(const EvenPort&) const = default;
  static std::optional<EvenPort> Parse(std::span<const uint8_t> in);
  std::span<const uint8_t> Write(std::span<uint8_t> out) const;
};

// REQUESTED-TRANSPORT (RFC 8656 §18.8): numbers of the IP header; others may arrive.
enum class RelayProtocol : uint8_t { kTcp = 6, kUdp = 17 };
struct RequestedTransport {
  static constexpr auto kType = stun::AttributeType::kRequestedTransport;
  static constexpr size_t kMaxSize = 4;
  RelayProtocol protocol = RelayProtocol::kUdp;
  bool operator==(const RequestedTransport&) const = default;
  static std::optional<RequestedTransport> Parse(std::span<const uint8_t> in);
  std::span<const uint8_t> Write(std::span<uint8_t> out) const;
};

// DONT-FRAGMENT (RFC 8656 §18.9).
struct DontFragment {
  static constexpr auto kType = stun::AttributeType::kDontFragment;
  static constexpr size_t kMaxSize = 1;  // nothing is written
  bool operator==(const DontFragment&) const = default;
  static std::optional<DontFragment> Parse(std::span<const uint8_t> in);
  std::span<const uint8_t> Write(std::span<uint8_t> out) const;
};

// RESERVATION-TOKEN (RFC 8656 §18.10).
struct ReservationToken {
  static constexpr auto kType = stun::AttributeType::kReservationToken;
  static constexpr size_t kMaxSize = 8;
  std::array<uint8_t, 8> octets{};
  bool operator==(const ReservationToken&) const = default;
  static std::optional<ReservationToken> Parse(std::span<const uint8_t> in);
  std::span<const uint8_t> Write(std::span<uint8_t> out) const;
};

// ADDRESS-ERROR-CODE (RFC 8656 §18.12). The reason is a view into the value; of 128 characters or more, or none of
// UTF-8, it reads as empty, and Write leaves it out.
struct AddressErrorCode {
  static constexpr auto kType = stun::AttributeType::kAddressErrorCode;
  static constexpr size_t kMaxSize = 4 + 509;
  AddressFamily family = AddressFamily::kV4;
  uint16_t code = 0;  // 300 to 699
  std::string_view reason;
  bool operator==(const AddressErrorCode&) const = default;
  static std::optional<AddressErrorCode> Parse(std::span<const uint8_t> in);
  std::span<const uint8_t> Write(std::span<uint8_t> out) const;
};

// ICMP (RFC 8656 §18.13). The family of XOR-PEER-ADDRESS says which ICMP it is.
struct Icmp {
  static constexpr auto kType = stun::AttributeType::kIcmp;
  static constexpr size_t kMaxSize = 8;
  uint8_t type = 0;
  uint8_t code = 0;
  uint32_t data = 0;  // the next hop's MTU when the packet was too big, else 0
  bool operator==(const Icmp&) const = default;
  static std::optional<Icmp> Parse(std::span<const uint8_t> in);
  std::span<const uint8_t> Write(std::span<uint8_t> out) const;
};

// CONNECTION-ID (RFC 6062 §6.2).
struct ConnectionId {
  static constexpr auto kType = stun::AttributeType::kConnectionId;
  static constexpr size_t kMaxSize = 4;
  uint32_t value = 0;
  bool operator==(const ConnectionId&) const = default;
  static std::optional<ConnectionId> Parse(std::span<const uint8_t> in);
  std::span<const uint8_t> Write(std::span<uint8_t> out) const;
};

// MOBILITY-TICKET (RFC 8016 §3.3): opaque; empty in an Allocate request. A longer one than a server has reason to
// give is refused, because a client stores it: RFC 8016 §3.1.2 asks for less than the path's MTU.
struct MobilityTicket {
  static constexpr auto kType = stun::AttributeType::kMobilityTicket;
  static constexpr size_t kMaxSize = 512;
  std::span<const uint8_t> octets;
  static std::optional<MobilityTicket> Parse(std::span<const uint8_t> in);
  std::span<const uint8_t> Write(std::span<uint8_t> out) const;  // empty when it is longer than kMaxSize
};

// The first attribute of that type; nullopt when there is none or its value does not parse.
template <class T>
std::optional<T> Find(const stun::MessageView& message) {
  const auto value = message.Find(T::kType);
  return value ? T::Parse(*value) : std::nullopt;
}
template <class T>
stun::MessageBuilder& Add(stun::MessageBuilder& builder, const T& attribute) {
  std::array<uint8_t, T::kMaxSize> octets;
  return builder.Add(T::kType, attribute.Write(octets));
}

// Every comprehension-required attribute that a TURN agent understands: those of RFC 8489 §18.3, of RFC 8656 §18 and
// of RFC 6062 §6.2. What MessageView::UnknownAttributes is given.
inline constexpr auto kKnownAttributes = [] {
  constexpr std::array kTurn{
      stun::AttributeType::kChannelNumber,     stun::AttributeType::kLifetime,
      stun::AttributeType::kXorPeerAddress,    stun::AttributeType::kData,
      stun::AttributeType::kXorRelayedAddress, stun::AttributeType::kRequestedAddressFamily,
      stun::AttributeType::kEvenPort,          stun::AttributeType::kRequestedTransport,
      stun::AttributeType::kDontFragment,      stun::AttributeType::kReservationToken,
      stun::AttributeType::kConnectionId,
  };
  std::array<stun::AttributeType, stun::kBaseRequiredAttributes.size() + kTurn.size()> known{};
  size_t n = 0;
  for (const auto type : stun::kBaseRequiredAttributes) known[n++] = type;
  for (const auto type : kTurn) known[n++] = type;
  return known;
}();

}  // namespace jsp::turn
