#include "turn/server/peer_policy.h"

#include <gtest/gtest.h>

#include <string_view>
namespace jsp::turn {
namespace {

IpAddress Ip(std::string_view text) { return *IpAddress::Parse(text); }

TEST(PeerPolicyTest, ThePublicInternetIsReached) {  // RFC 8656 §10.2
  const PeerPolicy policy;
  for (const char* ip : {"8.8.8.8", "1.1.1.1", "100.63.255.255", "172.15.0.1", "172.32.0.1", "192.169.0.1",
                         "223.255.255.1", "2606:4700::1111", "2a00::1", "2001:4860:4860::8888", "2003::1"}) {
    EXPECT_TRUE(policy.IsAllowed(Ip(ip))) << ip;
  }
}

TEST(PeerPolicyTest, T1_NothingElseIs) {
  const PeerPolicy policy;
  for (const char* ip : {"0.0.0.0",      "0.1.2.3",     "10.1.2.3",    "100.64.0.1",  "127.0.0.1",   "169.254.169.254",
                         "172.16.0.1",   "192.0.0.1",   "192.0.2.1",   "192.88.99.1", "192.168.1.1", "198.18.0.1",
                         "198.51.100.1", "203.0.113.1", "224.0.0.251", "239.1.2.3",   "240.0.0.1",   "255.255.255.255",
                         "::",           "::1",         "100::1",      "2001:2::1",   "2001:db8::1", "3fff::1",
                         "fc00::1",      "fdff::1",     "fe80::1",     "febf::1",     "fec0::1",     "ff02::1"}) {
    EXPECT_FALSE(policy.IsAllowed(Ip(ip))) << ip;
  }
}

TEST(PeerPolicyTest, T2_NorWhatCarriesIpv4Inside) {  // RFC 8656 §21.4
  const PeerPolicy policy;
  for (const char* ip : {"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::8.8.8.8", "::ffff:0:8.8.8.8", "64:ff9b::8.8.8.8",
                         "64:ff9b:1::808:808", "2002:808:808::1", "2001:0:4136:e378:8000:63bf:f7f7:f7f7"}) {
    EXPECT_FALSE(policy.IsAllowed(Ip(ip))) << ip;
  }
  EXPECT_TRUE(policy.IsAllowed(Ip("::ffff:8.8.8.8")));  // which is 8.8.8.8
}

TEST(PeerPolicyTest, T2_AnAllowedFormHasItsInnerAddressJudged) {
  PeerPolicy policy;
  policy.Allow(*Prefix::Parse("64:ff9b::/96"));
  EXPECT_TRUE(policy.IsAllowed(Ip("64:ff9b::8.8.8.8")));
  EXPECT_FALSE(policy.IsAllowed(Ip("64:ff9b::127.0.0.1")));
  EXPECT_FALSE(policy.IsAllowed(Ip("64:ff9b::a9fe:a9fe")));
  policy.Allow(*Prefix::Parse("127.0.0.0/8"));
  EXPECT_TRUE(policy.IsAllowed(Ip("64:ff9b::127.0.0.1")));
}

TEST(PeerPolicyTest, T2_IsatapOfAPrivateHostIsJudged) {
  const PeerPolicy policy;
  EXPECT_FALSE(policy.IsAllowed(Ip("2a00::5efe:a00:1")));       // 10.0.0.1
  EXPECT_FALSE(policy.IsAllowed(Ip("2a00::200:5efe:7f00:1")));  // 127.0.0.1, the globally unique form
  EXPECT_TRUE(policy.IsAllowed(Ip("2a00::200:5efe:808:808")));
}

TEST(PeerPolicyTest, FindsTheEmbeddedAddress) {
  EXPECT_EQ(EmbeddedV4(Ip("2002:c000:201::1")), Ip("192.0.2.1"));
  EXPECT_EQ(EmbeddedV4(Ip("2001:0:4136:e378:8000:63bf:3fff:fdd2")), Ip("192.0.2.45"));  // RFC 4380, inverted
  EXPECT_EQ(EmbeddedV4(Ip("64:ff9b::c000:221")), Ip("192.0.2.33"));
  EXPECT_FALSE(EmbeddedV4(Ip("2001:4860::1")));
  EXPECT_FALSE(EmbeddedV4(Ip("192.0.2.1")));
}

TEST(PeerPolicyTest, TheLongestRuleDecides) {
  PeerPolicy policy;
  policy.Allow(*Prefix::Parse("10.0.0.0/8"));
  policy.Deny(*Prefix::Parse("10.1.0.0/16"));
  policy.Allow(*Prefix::Parse("10.1.2.0/24"));
  EXPECT_TRUE(policy.IsAllowed(Ip("10.2.0.1")));
  EXPECT_FALSE(policy.IsAllowed(Ip("10.1.0.1")));
  EXPECT_TRUE(policy.IsAllowed(Ip("10.1.2.3")));
  policy.Deny(*Prefix::Parse("10.1.2.0/24"));  // of one length: deny
  EXPECT_FALSE(policy.IsAllowed(Ip("10.1.2.3")));
  policy.Allow(*Prefix::Parse("10.1.2.0/24"));  // whatever the order
  EXPECT_FALSE(policy.IsAllowed(Ip("10.1.2.3")));
  policy.Deny(*Prefix::Parse("8.8.8.0/24"));
  EXPECT_FALSE(policy.IsAllowed(Ip("8.8.8.8")));
}

TEST(PeerPolicyTest, AllowingEverythingIsNotAllowingLoopback) {
  PeerPolicy policy;
  policy.Allow(*Prefix::Parse("0.0.0.0/0"));
  policy.Allow(*Prefix::Parse("::/0"));
  EXPECT_FALSE(policy.IsAllowed(Ip("127.0.0.1")));
  EXPECT_FALSE(policy.IsAllowed(Ip("::1")));
  EXPECT_FALSE(policy.IsAllowed(Ip("2002:808:808::1")));
  policy.Allow(*Prefix::Parse("127.0.0.0/8"));
  EXPECT_TRUE(policy.IsAllowed(Ip("127.0.0.1")));
}

}  // namespace
}  // namespace jsp::turn
