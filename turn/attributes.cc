#include "turn/attributes.h"

#include <algorithm>
#include <tuple>

#include "base/wire_layout.h"
#include "stun/error_code.h"
#include "stun/text_attribute.h"
namespace jsp::turn {
namespace {

// RFC 8656 §18.1:
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |        Channel Number         |         RFFU = 0              |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct ChannelFields {
  uint16_t number = 0;
  uint16_t reserved = 0;
};

// RFC 8656 §18.6, §18.11 and §18.8, a family or a protocol:
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   | Family or Protocol            Reserved                        |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct OctetFields {
  uint8_t octet = 0;
  uint8_t reserved_high = 0;
  uint16_t reserved_low = 0;
};

// RFC 8656 §18.13:
//       0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//      +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//      |  Reserved                     |  ICMP Type  |  ICMP Code      |
//      +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//      |                          Error Data                           |
//      +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// The figure draws the type with 7 bits and the code with 9; as in coturn, libwebrtc and ICMP itself, each has 8.
struct IcmpFields {
  uint16_t reserved = 0;
  uint8_t type = 0;
  uint8_t code = 0;
  uint32_t data = 0;
};

}  // namespace
}  // namespace jsp::turn

namespace jsp::wire {

template <>
struct Layout<turn::ChannelFields> {
  static constexpr std::tuple kFields{&turn::ChannelFields::number, &turn::ChannelFields::reserved};
};
template <>
struct Layout<turn::OctetFields> {
  static constexpr std::tuple kFields{&turn::OctetFields::octet, &turn::OctetFields::reserved_high,
                                      &turn::OctetFields::reserved_low};
};
template <>
struct Layout<turn::IcmpFields> {
  static constexpr std::tuple kFields{&turn::IcmpFields::reserved, &turn::IcmpFields::type, &turn::IcmpFields::code,
                                      &turn::IcmpFields::data};
};

}  // namespace jsp::wire

namespace jsp::turn {
namespace {

// Fixed-size values: any other size is malformed.
template <class Fields>
std::optional<Fields> ReadExactly(std::span<const uint8_t> in) {
  return in.size() == wire::kSize<Fields> ? wire::Read<Fields>(in) : std::nullopt;
}

template <class Fields>
std::span<const uint8_t> WriteFields(std::span<uint8_t> out, const Fields& fields) {
  const auto room = out.first<wire::kSize<Fields>>();
  wire::Write(room, fields);
  return room;
}

std::optional<uint32_t> ReadU32(std::span<const uint8_t> in) {
  if (in.size() != sizeof(uint32_t)) return std::nullopt;
  return wire::Codec<uint32_t>::Load(in.data());
}

std::span<const uint8_t> WriteU32(std::span<uint8_t> out, uint32_t value) {
  wire::Codec<uint32_t>::Store(out.data(), value);
  return out.first(sizeof(value));
}

}  // namespace

std::optional<ChannelNumber> ChannelNumber::Parse(std::span<const uint8_t> in) {
  const auto fields = ReadExactly<ChannelFields>(in);
  if (!fields) return std::nullopt;
  return ChannelNumber{fields->number};
}
std::span<const uint8_t> ChannelNumber::Write(std::span<uint8_t> out) const {
  return WriteFields(out, ChannelFields{.number = value});
}

std::optional<Lifetime> Lifetime::Parse(std::span<const uint8_t> in) {
  const auto value = ReadU32(in);
  if (!value) return std::nullopt;
  return Lifetime{*value};
}
std::span<const uint8_t> Lifetime::Write(std::span<uint8_t> out) const { return WriteU32(out, seconds); }

std::optional<RequestedAddressFamily> RequestedAddressFamily::Parse(std::span<const uint8_t> in) {
  const auto fields = ReadExactly<OctetFields>(in);
  if (!fields) return std::nullopt;
  return RequestedAddressFamily{static_cast<AddressFamily>(fields->octet)};
}
std::span<const uint8_t> RequestedAddressFamily::Write(std::span<uint8_t> out) const {
  return WriteFields(out, OctetFields{.octet = static_cast<uint8_t>(family)});
}

std::optional<AdditionalAddressFamily> AdditionalAddressFamily::Parse(std::span<const uint8_t> in) {
  const auto fields = ReadExactly<OctetFields>(in);
  if (!fields) return std::nullopt;
  return AdditionalAddressFamily{static_cast<AddressFamily>(fields->octet)};
}
std::span<const uint8_t> AdditionalAddressFamily::Write(std::span<uint8_t> out) const {
  return WriteFields(out, OctetFields{.octet = static_cast<uint8_t>(family)});
}

// RFC 8656 §18.7:
//      0
//      0 1 2 3 4 5 6 7
//     +-+-+-+-+-+-+-+-+
//     |R|    RFFU     |
//     +-+-+-+-+-+-+-+-+
std::optional<EvenPort> EvenPort::Parse(std::span<const uint8_t> in) {
  if (in.size() != 1) return std::nullopt;
  return EvenPort{(in[0] & 0x80) != 0};
}
std::span<const uint8_t> EvenPort::Write(std::span<uint8_t> out) const {
  out[0] = reserve_next ? 0x80 : 0;
  return out.first(1);
}

std::optional<RequestedTransport> RequestedTransport::Parse(std::span<const uint8_t> in) {
  const auto fields = ReadExactly<OctetFields>(in);
  if (!fields) return std::nullopt;
  return RequestedTransport{static_cast<RelayProtocol>(fields->octet)};
}
std::span<const uint8_t> RequestedTransport::Write(std::span<uint8_t> out) const {
  return WriteFields(out, OctetFields{.octet = static_cast<uint8_t>(protocol)});
}

std::optional<DontFragment> DontFragment::Parse(std::span<const uint8_t> in) {
  if (!in.empty()) return std::nullopt;
  return DontFragment{};
}
std::span<const uint8_t> DontFragment::Write(std::span<uint8_t> out) const { return out.first(0); }

std::optional<ReservationToken> ReservationToken::Parse(std::span<const uint8_t> in) {
  ReservationToken token;
  if (in.size() != token.octets.size()) return std::nullopt;
  std::ranges::copy(in, token.octets.begin());
  return token;
}
std::span<const uint8_t> ReservationToken::Write(std::span<uint8_t> out) const {
  std::ranges::copy(octets, out.begin());
  return out.first(octets.size());
}

// RFC 8656 §18.12:
//       0                   1                   2                   3
//       0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//      +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//      |  Family       |    Reserved             |Class|     Number    |
//      +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//      |      Reason Phrase (variable)                                ..
//      +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// But for the family, that is ERROR-CODE (RFC 8489 §14.8), whose reserved bits stand where the family stands.
std::optional<AddressErrorCode> AddressErrorCode::Parse(std::span<const uint8_t> in) {
  const auto error = stun::ParseErrorCode(in);
  if (!error) return std::nullopt;
  return AddressErrorCode{static_cast<AddressFamily>(in[0]), error->code, error->reason};
}
std::span<const uint8_t> AddressErrorCode::Write(std::span<uint8_t> out) const {
  const std::string_view text = stun::MaySendError(code, reason) ? reason : std::string_view();
  const auto value = out.first(4 + text.size());
  stun::WriteErrorCode(code, text, value);
  value[0] = static_cast<uint8_t>(family);
  return value;
}

std::optional<Icmp> Icmp::Parse(std::span<const uint8_t> in) {
  const auto fields = ReadExactly<IcmpFields>(in);
  if (!fields) return std::nullopt;
  return Icmp{fields->type, fields->code, fields->data};
}
std::span<const uint8_t> Icmp::Write(std::span<uint8_t> out) const {
  return WriteFields(out, IcmpFields{.type = type, .code = code, .data = data});
}

std::optional<ConnectionId> ConnectionId::Parse(std::span<const uint8_t> in) {
  const auto value = ReadU32(in);
  if (!value) return std::nullopt;
  return ConnectionId{*value};
}
std::span<const uint8_t> ConnectionId::Write(std::span<uint8_t> out) const { return WriteU32(out, value); }

std::optional<MobilityTicket> MobilityTicket::Parse(std::span<const uint8_t> in) {
  if (in.size() > kMaxSize) return std::nullopt;
  return MobilityTicket{in};
}
std::span<const uint8_t> MobilityTicket::Write(std::span<uint8_t> out) const {
  if (octets.size() > kMaxSize) return out.first(0);
  std::copy_n(octets.data(), octets.size(), out.data());
  return out.first(octets.size());
}

}  // namespace jsp::turn
