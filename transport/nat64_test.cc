#include "transport/nat64.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>
namespace jsp::transport {
namespace {

IpAddress Ip(const char* text) { return *IpAddress::Parse(text); }
Nat64Prefix Prefix(const char* address, uint8_t length) { return *Nat64Prefix::Make(Ip(address), length); }

struct Vector {
  const char* prefix;
  uint8_t length;
  const char* embedded;  // 192.0.2.33 in it
};
// RFC 6052 §2.4, Tables 1 and 2. The Well-Known Prefix stands apart there only in its text form.
const std::vector<Vector> kVectors = {
    {"2001:db8::", 32, "2001:db8:c000:221::"},
    {"2001:db8:100::", 40, "2001:db8:1c0:2:21::"},
    {"2001:db8:122::", 48, "2001:db8:122:c000:2:2100::"},
    {"2001:db8:122:300::", 56, "2001:db8:122:3c0:0:221::"},
    {"2001:db8:122:344::", 64, "2001:db8:122:344:c0:2:2100::"},
    {"2001:db8:122:344::", 96, "2001:db8:122:344::192.0.2.33"},
    {"64:ff9b::", 96, "64:ff9b::192.0.2.33"},
};

TEST(Nat64PrefixTest, EmbedsAsTheTablesOfTheRfc) {  // RFC 6052 §2.4
  for (const auto& v : kVectors) {
    EXPECT_EQ(Prefix(v.prefix, v.length).Embed(IpAddress::V4(192, 0, 2, 33)), Ip(v.embedded)) << v.prefix;
  }
}

TEST(Nat64PrefixTest, ExtractsWhatItEmbedded) {  // RFC 6052 §2.3
  for (const auto& v : kVectors) {
    const Nat64Prefix prefix = Prefix(v.prefix, v.length);
    EXPECT_EQ(prefix.Extract(Ip(v.embedded)), IpAddress::V4(192, 0, 2, 33)) << v.prefix;
    for (uint32_t bit = 0; bit < 32; ++bit) {
      const IpAddress v4 = IpAddress::V4(0x42424242u ^ (1u << bit));
      const auto v6 = prefix.Embed(v4);
      ASSERT_TRUE(v6) << v4.ToString();
      EXPECT_EQ(prefix.Extract(*v6), v4) << v.prefix;
    }
  }
}

TEST(Nat64PrefixTest, HasOneOfSixLengthsAndIsIpv6) {  // RFC 6052 §2.2
  for (uint32_t length = 0; length <= 128; ++length) {
    const bool is_legal = length == 32 || length == 40 || length == 48 || length == 56 || length == 64 || length == 96;
    EXPECT_EQ(Nat64Prefix::Make(Ip("2001:db8::"), static_cast<uint8_t>(length)).has_value(), is_legal) << length;
  }
  EXPECT_FALSE(Nat64Prefix::Make(Ip("192.0.2.1"), 96));
  EXPECT_FALSE(Nat64Prefix::Make(Ip("::"), 96));                // IPv4-compatible, no network's
  EXPECT_FALSE(Nat64Prefix::Make(Ip("::ffff:192.0.2.1"), 96));  // IPv4-mapped
  EXPECT_FALSE(Nat64Prefix::Make(Ip("ff02::"), 96));
  EXPECT_FALSE(Nat64Prefix::Make(Ip("fe80::"), 64));
}

TEST(Nat64PrefixTest, KeepsTheReservedOctetZero) {  // RFC 6052 §2.2: bits 64 to 71
  EXPECT_FALSE(Nat64Prefix::Make(Ip("2001:db8:122:344:100::"), 96));
  EXPECT_TRUE(Nat64Prefix::Make(Ip("2001:db8:122:344:1::"), 96));
  EXPECT_FALSE(Prefix("2001:db8::", 32).Extract(Ip("2001:db8:c000:221:100::")));
}

TEST(Nat64PrefixTest, DropsBitsBehindThePrefix) {
  EXPECT_EQ(Prefix("2001:db8:122:344::1", 64), Prefix("2001:db8:122:344::", 64));
}

TEST(Nat64PrefixTest, ExtractsNothingFromElsewhere) {
  const Nat64Prefix well_known = Prefix("64:ff9b::", 96);
  EXPECT_FALSE(well_known.Extract(Ip("2001:db8::192.0.2.33")));
  EXPECT_FALSE(well_known.Extract(Ip("192.0.2.33")));
}

TEST(Nat64PrefixTest, CarriesPrivateAddressesOnlyUnderAPrefixOfTheNetwork) {  // RFC 6052 §3.1
  for (const char* text : {"10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1"}) {
    EXPECT_FALSE(Prefix("64:ff9b::", 96).Embed(Ip(text))) << text;
    EXPECT_TRUE(Prefix("2001:db8::", 96).Embed(Ip(text))) << text;
  }
}

TEST(Nat64PrefixTest, CarriesNothingOfOneHostOrLink) {
  for (const char* text : {"127.0.0.1", "0.0.0.0", "169.254.1.1", "224.0.0.1", "255.255.255.255", "2001:db8::1"}) {
    EXPECT_FALSE(Prefix("2001:db8::", 96).Embed(Ip(text))) << text;
  }
}

std::vector<IpAddress> RecordsOf(const Nat64Prefix& prefix) {
  return {*prefix.Embed(IpAddress::V4(192, 0, 0, 170)), *prefix.Embed(IpAddress::V4(192, 0, 0, 171))};
}

TEST(Nat64DiscoveryTest, FindsThePrefixOfEveryLength) {  // RFC 7050 §3
  for (const auto& v : kVectors) {
    const Nat64Prefix prefix = Prefix(v.prefix, v.length);
    EXPECT_EQ(FindNat64Prefixes(RecordsOf(prefix)), std::vector{prefix}) << v.prefix;
  }
}

TEST(Nat64DiscoveryTest, NeedsOneRecordOnly) {  // RFC 7050 §3
  const Nat64Prefix prefix = Prefix("64:ff9b::", 96);
  for (const IpAddress& record : RecordsOf(prefix)) {
    EXPECT_EQ(FindNat64Prefixes(std::vector{record}), std::vector{prefix});
  }
}

TEST(Nat64DiscoveryTest, FindsNothingWithoutDns64) {
  EXPECT_TRUE(FindNat64Prefixes({}).empty());
  // The A records of the name, and what a hotel's portal answers to everything.
  const std::vector<IpAddress> lies = {Ip("192.0.0.170"), Ip("192.0.0.171"), Ip("2001:db8::1"), Ip("::1"),
                                       Ip("64:ff9b::192.0.0.172")};
  EXPECT_TRUE(FindNat64Prefixes(lies).empty());
}

TEST(Nat64DiscoveryTest, KeepsSeveralPrefixesInOrder) {  // RFC 7050 §3
  const Nat64Prefix first = Prefix("2001:db8:1::", 96);
  const Nat64Prefix second = Prefix("2001:db8:2::", 48);
  std::vector<IpAddress> records = RecordsOf(first);
  for (const auto& record : RecordsOf(second)) records.push_back(record);
  EXPECT_EQ(FindNat64Prefixes(records), (std::vector{first, second}));
}

TEST(Nat64DiscoveryTest, IsNotDeceivedByAPrefixThatHoldsTheAddress) {  // RFC 7050 §3
  // 192.0.0.170 stands where a 32-bit prefix would have it, and again at the end.
  const Nat64Prefix prefix = Prefix("2001:db8:c000:aa::", 96);
  EXPECT_EQ(FindNat64Prefixes(RecordsOf(prefix)), std::vector{prefix});
  // One such record alone says nothing.
  EXPECT_TRUE(FindNat64Prefixes(std::vector{RecordsOf(prefix).front()}).empty());
}

TEST(Nat64DiscoveryTest, KeepsFewOfManyRecords) {
  std::vector<IpAddress> records;
  for (uint32_t i = 0; i < 1000; ++i) {
    const Nat64Prefix prefix = Prefix(("2001:db8:" + std::to_string(i + 1) + "::").c_str(), 96);
    for (const auto& record : RecordsOf(prefix)) records.push_back(record);
  }
  EXPECT_EQ(FindNat64Prefixes(records).size(), kMaxNat64Prefixes);
}

TEST(ThroughNat64Test, TranslatesServersGivenAsIpv4Literals) {  // RFC 8305 §7.1
  const std::optional<Nat64Prefix> prefix = Prefix("64:ff9b::", 96);
  EXPECT_EQ(ThroughNat64(prefix, SocketAddress{Ip("198.51.100.1"), 3478}),
            (SocketAddress{Ip("64:ff9b::198.51.100.1"), 3478}));
  const SocketAddress v6{Ip("2001:db8::1"), 3478};
  EXPECT_EQ(ThroughNat64(prefix, v6), v6);
  const SocketAddress loopback{Ip("127.0.0.1"), 3478};
  EXPECT_EQ(ThroughNat64(prefix, loopback), loopback);
  const SocketAddress v4{Ip("198.51.100.1"), 3478};
  EXPECT_EQ(ThroughNat64(std::nullopt, v4), v4);
}

TEST(ThroughNat64Test, AddsToAPublicCandidateOfThePeer) {
  const std::optional<Nat64Prefix> prefix = Prefix("2001:db8:64::", 96);
  ice::Candidate candidate;
  candidate.type = ice::CandidateType::kServerReflexive;
  candidate.address = {Ip("203.0.113.9"), 40000};
  candidate.priority = 7;
  candidate.foundation = "f";
  const auto other = ThroughNat64(prefix, candidate);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->address, (SocketAddress{Ip("2001:db8:64::203.0.113.9"), 40000}));
  EXPECT_EQ(other->priority, 7u);
  EXPECT_EQ(other->foundation, "f");
  EXPECT_FALSE(ThroughNat64(std::nullopt, candidate));
  for (const char* text : {"192.168.1.2", "127.0.0.1", "169.254.0.9", "2001:db8::1"}) {
    candidate.address.ip = Ip(text);
    EXPECT_FALSE(ThroughNat64(prefix, candidate)) << text;
  }
}

}  // namespace
}  // namespace jsp::transport
