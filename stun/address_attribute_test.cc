#include "stun/address_attribute.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/crypto.h"
namespace jsp::stun {
namespace {

constexpr TransactionId kId{{0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae}};
const SocketAddress kV4 = *SocketAddress::Parse("192.0.2.1:32853");
const SocketAddress kV6 = *SocketAddress::Parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853");

std::vector<uint8_t> Write(AttributeType type, const SocketAddress& address) {
  std::vector<uint8_t> out(AddressValueSize(address), 0xee);
  WriteAddress(type, address, kId, out);
  return out;
}

TEST(AddressAttributeTest, WritesThePlainCoding) {  // RFC 8489 §14.1
  EXPECT_EQ(crypto::Hex(Write(AttributeType::kMappedAddress, kV4)), "00018055c0000201");
  EXPECT_EQ(crypto::Hex(Write(AttributeType::kMappedAddress, kV6)), "0002805520010db8123456780011223344556677");
}

TEST(AddressAttributeTest, WritesTheXorCoding) {  // RFC 8489 §14.2, octets of RFC 5769 §2.2 and §2.3
  EXPECT_EQ(crypto::Hex(Write(AttributeType::kXorMappedAddress, kV4)), "0001a147e112a643");
  EXPECT_EQ(crypto::Hex(Write(AttributeType::kXorMappedAddress, kV6)), "0002a1470113a9faa5d3f179bc25f4b5bed2b9d9");
}

TEST(AddressAttributeTest, KnowsWhichTypesAreXored) {
  for (const auto type :
       {AttributeType::kXorMappedAddress, AttributeType::kXorPeerAddress, AttributeType::kXorRelayedAddress}) {
    EXPECT_TRUE(IsXorAddress(type));
  }
  for (const auto type : {AttributeType::kMappedAddress, AttributeType::kAlternateServer, AttributeType::kOtherAddress,
                          AttributeType::kResponseOrigin}) {
    EXPECT_FALSE(IsXorAddress(type));
  }
}

TEST(AddressAttributeTest, RoundTrips) {
  for (const auto type : {AttributeType::kXorMappedAddress, AttributeType::kMappedAddress}) {
    for (const auto& address : {kV4, kV6, SocketAddress{}, *SocketAddress::Parse("255.255.255.255:65535"),
                                *SocketAddress::Parse("[ff02::1]:1")}) {
      EXPECT_EQ(ParseAddress(type, Write(type, address), kId), address);
    }
  }
}

TEST(AddressAttributeTest, TheFirstOctetIsIgnored) {  // RFC 8489 §14.1: "MUST be ignored by receivers"
  auto value = Write(AttributeType::kXorMappedAddress, kV4);
  value[0] = 0xff;
  EXPECT_EQ(ParseAddress(AttributeType::kXorMappedAddress, value, kId), kV4);
}

TEST(AddressAttributeTest, S2_RejectsEveryTruncation) {
  for (const auto& address : {kV4, kV6}) {
    const auto value = Write(AttributeType::kXorMappedAddress, address);
    for (size_t size = 0; size < value.size(); ++size) {
      EXPECT_FALSE(ParseAddress(AttributeType::kXorMappedAddress, std::span(value).first(size), kId)) << size;
    }
  }
}

TEST(AddressAttributeTest, S2_RejectsBadLength) {
  auto v4 = Write(AttributeType::kMappedAddress, kV4);
  v4.push_back(0);
  EXPECT_FALSE(ParseAddress(AttributeType::kMappedAddress, v4, kId));
  v4.resize(20);
  EXPECT_FALSE(ParseAddress(AttributeType::kMappedAddress, v4, kId));  // IPv4 in an IPv6 coat
  auto v6 = Write(AttributeType::kMappedAddress, kV6);
  v6[1] = 1;
  EXPECT_FALSE(ParseAddress(AttributeType::kMappedAddress, v6, kId));
}

TEST(AddressAttributeTest, RejectsAnUnknownFamily) {
  auto value = Write(AttributeType::kMappedAddress, kV4);
  for (const uint8_t family : {uint8_t{0}, uint8_t{3}, uint8_t{0xff}}) {
    value[1] = family;
    EXPECT_FALSE(ParseAddress(AttributeType::kMappedAddress, value, kId));
  }
}

TEST(AddressAttributeTest, AMappedIpv4AddressIsIpv4) {  // one host, one name: see IpAddress
  std::vector<uint8_t> value(20);
  value[1] = 2;
  value[14] = value[15] = 0xff;
  value[16] = 192;
  value[18] = 2;
  value[19] = 1;
  EXPECT_EQ(ParseAddress(AttributeType::kMappedAddress, value, kId)->ip, kV4.ip);
}

TEST(AddressAttributeTest, XorDependsOnTheTransactionForIpv6Only) {
  const TransactionId other{};
  const auto v4 = Write(AttributeType::kXorMappedAddress, kV4);
  const auto v6 = Write(AttributeType::kXorMappedAddress, kV6);
  EXPECT_EQ(ParseAddress(AttributeType::kXorMappedAddress, v4, other), kV4);
  EXPECT_NE(ParseAddress(AttributeType::kXorMappedAddress, v6, other), kV6);
}

}  // namespace
}  // namespace jsp::stun
