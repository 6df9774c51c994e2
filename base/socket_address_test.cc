#include "base/socket_address.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <unordered_set>

namespace jsp {
namespace {

IpAddress Ip(std::string_view text) {
  const auto ip = IpAddress::Parse(text);
  EXPECT_TRUE(ip.has_value()) << text;
  return ip.value_or(IpAddress());
}

std::string Canonical(std::string_view text) { return Ip(text).ToString(); }

TEST(IpAddressTest, DefaultsToUnspecifiedIpv4) {
  EXPECT_TRUE(IpAddress().is_v4());
  EXPECT_TRUE(IpAddress().IsUnspecified());
  EXPECT_EQ(IpAddress().ToString(), "0.0.0.0");
}

TEST(IpAddressTest, ParsesAndPrintsIpv4) {
  const IpAddress ip = Ip("192.0.2.1");
  EXPECT_EQ(ip, IpAddress::V4(192, 0, 2, 1));
  EXPECT_EQ(ip, IpAddress::V4(0xc0000201));
  EXPECT_EQ(ip.v4_host_order(), 0xc0000201u);
  EXPECT_EQ(ip.octets().size(), 4u);
  EXPECT_EQ(Canonical("255.255.255.255"), "255.255.255.255");
  EXPECT_EQ(Canonical("0.0.0.0"), "0.0.0.0");
}

TEST(IpAddressTest, RejectsBadIpv4Text) {
  for (const char* bad : {"",          ".",         "1",         "1.2",       "1.2.3",
                          "1.2.3.",    ".1.2.3",    "1.2.3.4.",  "1.2.3.4.5", "1..2.3",
                          "256.1.1.1", "1.1.1.999", "01.2.3.4",  "1.2.3.04",  "00.0.0.0",
                          "0x1.2.3.4", "1.2.3.a",   " 1.2.3.4",  "1.2.3.4 ",  "+1.2.3.4",
                          "-1.2.3.4",  "1.2.3.4%1", "1.2.3.4/8", "[1.2.3.4]", "99999999999.1.1.1",
                          "localhost", "1,2,3,4"}) {
    EXPECT_FALSE(IpAddress::Parse(bad)) << bad;
  }
  EXPECT_FALSE(IpAddress::Parse(std::string_view("1.2.3.4\0", 8)));
}

TEST(IpAddressTest, ParsesEveryFormOfIpv6AndPrintsTheCanonicalOne) {  // RFC 4291 §2.2, RFC 5952 §4
  EXPECT_EQ(Canonical("2001:db8:0:0:8:800:200c:417a"), "2001:db8::8:800:200c:417a");
  EXPECT_EQ(Canonical("2001:DB8::8:800:200C:417A"), "2001:db8::8:800:200c:417a");
  EXPECT_EQ(Canonical("0:0:0:0:0:0:0:1"), "::1");
  EXPECT_EQ(Canonical("::"), "::");
  EXPECT_EQ(Canonical("::1"), "::1");
  EXPECT_EQ(Canonical("1::"), "1::");
  EXPECT_EQ(Canonical("0001:0002::"), "1:2::");
  EXPECT_EQ(Canonical("1:2:3:4:5:6:7:8"), "1:2:3:4:5:6:7:8");
  EXPECT_EQ(Canonical("1:2:3:4:5:6:7::"), "1:2:3:4:5:6:7:0");
  EXPECT_EQ(Canonical("::2:3:4:5:6:7:8"), "0:2:3:4:5:6:7:8");
  EXPECT_EQ(Canonical("64:ff9b::192.0.2.33"), "64:ff9b::c000:221");
  EXPECT_EQ(Canonical("1:2:3:4:5:6:1.2.3.4"), "1:2:3:4:5:6:102:304");
  EXPECT_EQ(Canonical("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

TEST(IpAddressTest, PrintsTheLongestRunOfZerosOnceAndTheFirstOfEquals) {  // RFC 5952 §4.2.2, §4.2.3
  EXPECT_EQ(Canonical("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1");
  EXPECT_EQ(Canonical("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1");
  EXPECT_EQ(Canonical("2001:db8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");
  EXPECT_EQ(Canonical("0:0:1:0:0:0:0:0"), "0:0:1::");
}

TEST(IpAddressTest, RejectsBadIpv6Text) {
  for (const char* bad : {":",
                          ":::",
                          ":1",
                          "1:",
                          "1:2",
                          "1:2:3:4:5:6:7",
                          "1:2:3:4:5:6:7:8:9",
                          "1:2:3:4:5:6:7:8::",
                          "::1:2:3:4:5:6:7:8",
                          "1:2:3:4::5:6:7:8",
                          "1::2::3",
                          ":1::2",
                          "1::2:",
                          "12345::",
                          "g::",
                          "::-1",
                          "::+1",
                          "::0x1",
                          " ::1",
                          "::1 ",
                          "[::1]",
                          "::1/64",
                          "::1.2.3",
                          "::1.2.3.4.5",
                          "::256.1.1.1",
                          "1.2.3.4::",
                          "::1.2.3.4:5",
                          "1:2:3:4:5:6:7:1.2.3.4",
                          "::%",
                          "fe80::1%",
                          "fe80::1%eth0",
                          "fe80::1%-1",
                          "fe80::1%01",
                          "fe80::1%4294967296",
                          "fe80::1%1%2",
                          "%1"}) {
    EXPECT_FALSE(IpAddress::Parse(bad)) << bad;
  }
}

TEST(IpAddressTest, I5_MappedAddressIsTheIpv4Address) {
  const IpAddress v4 = IpAddress::V4(192, 0, 2, 1);
  EXPECT_EQ(Ip("::ffff:192.0.2.1"), v4);
  EXPECT_EQ(Ip("::FFFF:c000:201"), v4);
  EXPECT_EQ(Ip("0:0:0:0:0:ffff:192.0.2.1"), v4);
  EXPECT_EQ(Ip("::ffff:192.0.2.1%7"), v4);
  const std::array<uint8_t, 16> octets = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
  EXPECT_EQ(IpAddress::V6(octets, 3), v4);
  EXPECT_EQ(Ip("::ffff:192.0.2.1").ToString(), "192.0.2.1");
  EXPECT_TRUE(Ip("::ffff:127.0.0.1").IsLoopback());
  EXPECT_TRUE(Ip("::ffff:10.0.0.1").IsPrivate());
  EXPECT_EQ(HashValue({Ip("::ffff:192.0.2.1"), 80}), HashValue({v4, 80}));
}

TEST(IpAddressTest, I5_OnlyTheMappedPrefixIsMapped) {
  for (const char* v6 : {"::192.0.2.1", "::fffe:192.0.2.1", "::1:ffff:192.0.2.1", "::ffff:0:192.0.2.1", "::"}) {
    EXPECT_TRUE(Ip(v6).is_v6()) << v6;
  }
  EXPECT_NE(Ip("::"), Ip("0.0.0.0"));
}

TEST(IpAddressTest, KeepsAScopeForLinkLocalAddressesOnly) {  // RFC 4007 §6
  EXPECT_EQ(Ip("fe80::1%3").scope_id(), 3u);
  EXPECT_EQ(Canonical("fe80::1%4294967295"), "fe80::1%4294967295");
  EXPECT_EQ(Canonical("fe80::1%0"), "fe80::1");
  EXPECT_NE(Ip("fe80::1%3"), Ip("fe80::1%4"));
  EXPECT_EQ(Ip("ff02::fb%3").scope_id(), 3u);
  EXPECT_EQ(Ip("2001:db8::1%3"), Ip("2001:db8::1"));
  EXPECT_EQ(Ip("ff05::1%3"), Ip("ff05::1"));
}

TEST(IpAddressTest, ClassifiesAtTheEdgesOfEachRange) {
  const auto v = [](const char* text) { return Ip(text); };
  EXPECT_TRUE(v("127.0.0.0").IsLoopback() && v("127.255.255.255").IsLoopback() && v("::1").IsLoopback());
  EXPECT_FALSE(v("126.255.255.255").IsLoopback() || v("128.0.0.0").IsLoopback() || v("::2").IsLoopback());
  EXPECT_FALSE(v("1::1").IsLoopback());
  EXPECT_TRUE(v("169.254.0.0").IsLinkLocal() && v("fe80::").IsLinkLocal() && v("febf::1").IsLinkLocal());
  EXPECT_FALSE(v("169.253.255.255").IsLinkLocal() || v("fec0::").IsLinkLocal() || v("fe7f::").IsLinkLocal());
  EXPECT_TRUE(v("224.0.0.0").IsMulticast() && v("239.255.255.255").IsMulticast() && v("ff02::1").IsMulticast());
  EXPECT_FALSE(v("223.255.255.255").IsMulticast() || v("240.0.0.0").IsMulticast() || v("fe80::1").IsMulticast());
  EXPECT_TRUE(v("255.255.255.255").IsBroadcast());
  EXPECT_FALSE(v("255.255.255.254").IsBroadcast() || v("ffff::ffff:ffff").IsBroadcast());
  EXPECT_TRUE(v("0.0.0.0").IsUnspecified() && v("::").IsUnspecified());
  EXPECT_FALSE(v("0.0.0.1").IsUnspecified() || v("::1").IsUnspecified());
}

TEST(IpAddressTest, ClassifiesPrivateRanges) {  // RFC 1918 §3, RFC 6598 §7, RFC 4193 §3.1
  for (const char* text : {"10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0",
                           "192.168.255.255", "100.64.0.0", "100.127.255.255", "fc00::", "fdff::1"}) {
    EXPECT_TRUE(Ip(text).IsPrivate()) << text;
  }
  for (const char* text : {"9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
                           "192.169.0.0", "100.63.255.255", "100.128.0.0", "fbff::", "fe00::", "2001:db8::1"}) {
    EXPECT_FALSE(Ip(text).IsPrivate()) << text;
  }
}

TEST(SocketAddressTest, ParsesAndPrintsBothFamilies) {
  for (const char* text :
       {"192.0.2.1:80", "0.0.0.0:0", "255.255.255.255:65535", "[2001:db8::1]:80", "[::]:0", "[fe80::1%2]:5353"}) {
    const auto address = SocketAddress::Parse(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_EQ(address->ToString(), text);
  }
  EXPECT_EQ(SocketAddress::Parse("[::ffff:192.0.2.1]:80"), SocketAddress::Parse("192.0.2.1:80"));
}

TEST(SocketAddressTest, RejectsBadText) {
  for (const char* bad : {"",
                          ":",
                          ":80",
                          "192.0.2.1",
                          "192.0.2.1:",
                          "192.0.2.1:65536",
                          "192.0.2.1:-1",
                          "192.0.2.1:+1",
                          "192.0.2.1:080",
                          "192.0.2.1:80x",
                          "192.0.2.1: 80",
                          "192.0.2.1:80:80",
                          "2001:db8::1:80",
                          "[2001:db8::1]",
                          "[2001:db8::1]:",
                          "[2001:db8::1]80",
                          "[2001:db8::1:80",
                          "2001:db8::1]:80",
                          "[192.0.2.1]:80",
                          "[]:80",
                          "[:80",
                          "[",
                          "]",
                          "[[::1]]:80",
                          "host:80",
                          "[::1]:99999999999"}) {
    EXPECT_FALSE(SocketAddress::Parse(bad)) << bad;
  }
}

TEST(SocketAddressTest, IsOrderedAndComparesAllParts) {
  const SocketAddress a = *SocketAddress::Parse("192.0.2.1:80");
  EXPECT_EQ(a, (SocketAddress{IpAddress::V4(192, 0, 2, 1), 80}));
  EXPECT_NE(a, (SocketAddress{IpAddress::V4(192, 0, 2, 1), 81}));
  EXPECT_NE(a, (SocketAddress{IpAddress::V4(192, 0, 2, 2), 80}));
  EXPECT_LT(a, (SocketAddress{IpAddress::V4(192, 0, 2, 1), 81}));
  EXPECT_EQ(std::set<SocketAddress>({a, a}).size(), 1u);
}

TEST(SocketAddressTest, HashSpreadsNeighboursOverTheLowBits) {
  // 4,096 neighbours into 4,096 buckets: random hashing leaves about 1 - 1/e of the buckets in use, 2,589.
  std::set<size_t> by_port;
  std::set<size_t> by_host;
  for (uint32_t i = 0; i < 4096; ++i) {
    by_port.insert(HashValue({IpAddress::V4(192, 0, 2, 1), static_cast<uint16_t>(i)}) % 4096);
    by_host.insert(HashValue({IpAddress::V4(0x0a000000 + i), 80}) % 4096);
  }
  EXPECT_GT(by_port.size(), 2450u);
  EXPECT_GT(by_host.size(), 2450u);
}

TEST(SocketAddressTest, HashSeesEveryPart) {
  const std::unordered_set<SocketAddress> all = {
      *SocketAddress::Parse("192.0.2.1:80"), *SocketAddress::Parse("192.0.2.1:81"), *SocketAddress::Parse("[::1]:80"),
      *SocketAddress::Parse("[fe80::1%1]:80"), *SocketAddress::Parse("[fe80::1%2]:80")};
  EXPECT_EQ(all.size(), 5u);
  std::set<size_t> hashes;
  for (const SocketAddress& a : all) hashes.insert(HashValue(a));
  EXPECT_EQ(hashes.size(), 5u);
}

}  // namespace
}  // namespace jsp
