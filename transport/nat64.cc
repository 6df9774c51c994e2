#include "transport/nat64.h"

#include <algorithm>
#include <array>
#include <utility>
namespace jsp::transport {
namespace {

using Octets = std::array<uint8_t, 16>;

constexpr std::array<uint8_t, 6> kLengths{32, 40, 48, 56, 64, 96};  // RFC 6052 §2.2
// RFC 6052 §2.2: octet 8 ("u", bits 64 to 71) is reserved, and no octet of the IPv4 address is put there.
constexpr size_t kReservedOctet = 8;
const IpAddress kWellKnownPrefix = *IpAddress::Parse("64:ff9b::");
constexpr size_t kMaxRecords = 16;  // two to a prefix are usual
// RFC 7050 §2.2: the Well-Known IPv4 Addresses.
const std::array<IpAddress, 2> kWellKnownAddresses{IpAddress::V4(192, 0, 0, 170), IpAddress::V4(192, 0, 0, 171)};

Octets OctetsOf(const IpAddress& v6) {
  Octets octets;
  std::ranges::copy(v6.octets(), octets.begin());
  return octets;
}

// Where the four octets of the IPv4 address stand (RFC 6052 §2.2).
std::array<size_t, 4> PlacesFor(uint8_t length) {
  std::array<size_t, 4> places{};
  size_t octet = length / 8;
  for (size_t& place : places) {
    if (octet == kReservedOctet) ++octet;
    place = octet++;
  }
  return places;
}

bool IsOfOneHostOrLink(const IpAddress& v4) {
  return v4.IsUnspecified() || v4.IsLoopback() || v4.IsLinkLocal() || v4.IsMulticast() || v4.IsBroadcast();
}

// A place in a record where a Well-Known Address stands.
struct Reading {
  Nat64Prefix prefix;
  IpAddress well_known;
};

std::vector<Reading> ReadingsOf(const IpAddress& record) {
  std::vector<Reading> readings;
  for (const uint8_t length : kLengths) {
    const auto prefix = Nat64Prefix::Make(record, length);
    const auto v4 = prefix ? prefix->Extract(record) : std::nullopt;
    if (v4 && std::ranges::find(kWellKnownAddresses, *v4) != kWellKnownAddresses.end()) {
      readings.push_back({*prefix, *v4});
    }
  }
  return readings;
}

}  // namespace

std::optional<Nat64Prefix> Nat64Prefix::Make(const IpAddress& address, uint8_t length) {
  if (!address.is_v6() || std::ranges::find(kLengths, length) == kLengths.end()) return std::nullopt;
  Octets octets = OctetsOf(address);
  if (length == 96 && octets[kReservedOctet] != 0) return std::nullopt;
  std::fill(octets.begin() + length / 8, octets.end(), uint8_t{0});
  const IpAddress prefix = IpAddress::V6(octets);
  if (!prefix.is_v6() || prefix.IsUnspecified() || prefix.IsMulticast() || prefix.IsLinkLocal()) return std::nullopt;
  return Nat64Prefix(prefix, length);
}

bool Nat64Prefix::IsWellKnown() const { return length_ == 96 && address_ == kWellKnownPrefix; }

std::optional<IpAddress> Nat64Prefix::Embed(const IpAddress& v4) const {
  if (!v4.is_v4() || IsOfOneHostOrLink(v4)) return std::nullopt;
  if (IsWellKnown() && v4.IsPrivate()) return std::nullopt;
  Octets octets = OctetsOf(address_);
  const auto places = PlacesFor(length_);
  for (size_t i = 0; i < places.size(); ++i) octets[places[i]] = v4.octets()[i];
  return IpAddress::V6(octets);
}

std::optional<IpAddress> Nat64Prefix::Extract(const IpAddress& v6) const {
  if (!v6.is_v6()) return std::nullopt;
  const Octets octets = OctetsOf(v6);
  if (octets[kReservedOctet] != 0 && length_ <= 64) return std::nullopt;
  const auto prefix = Make(v6, length_);
  if (!prefix || *prefix != *this) return std::nullopt;
  std::array<uint8_t, 4> v4{};
  const auto places = PlacesFor(length_);
  for (size_t i = 0; i < places.size(); ++i) v4[i] = octets[places[i]];
  return IpAddress::V4(v4[0], v4[1], v4[2], v4[3]);
}

std::vector<Nat64Prefix> FindNat64Prefixes(std::span<const IpAddress> records) {
  std::vector<std::vector<Reading>> all;
  for (const IpAddress& record : records.first(std::min(records.size(), kMaxRecords)))
    all.push_back(ReadingsOf(record));
  // RFC 7050 §3: where a record can be read in several ways, that one is meant under which another record has the other
  // Well-Known Address; a prefix that holds one by chance holds the same in all of them.
  const auto is_confirmed = [&](const Reading& reading) {
    return std::ranges::any_of(all, [&](const auto& readings) {
      return std::ranges::any_of(readings, [&](const Reading& other) {
        return other.prefix == reading.prefix && other.well_known != reading.well_known;
      });
    });
  };
  std::vector<Nat64Prefix> found;
  for (const auto& readings : all) {
    for (const Reading& reading : readings) {
      if (found.size() >= kMaxNat64Prefixes || std::ranges::find(found, reading.prefix) != found.end()) continue;
      if (readings.size() == 1 || is_confirmed(reading)) found.push_back(reading.prefix);
    }
  }
  return found;
}

SocketAddress ThroughNat64(const std::optional<Nat64Prefix>& prefix, const SocketAddress& address) {
  const auto embedded = prefix ? prefix->Embed(address.ip) : std::nullopt;
  return embedded ? SocketAddress{*embedded, address.port} : address;
}

std::optional<ice::Candidate> ThroughNat64(const std::optional<Nat64Prefix>& prefix, const ice::Candidate& candidate) {
  if (!prefix || candidate.address.ip.IsPrivate()) return std::nullopt;
  const auto embedded = prefix->Embed(candidate.address.ip);
  if (!embedded) return std::nullopt;
  ice::Candidate synthesized = candidate;
  synthesized.address.ip = *embedded;
  return synthesized;
}

}  // namespace jsp::transport
