#include "base/ip_prefix.h"

#include <gtest/gtest.h>

#include <string_view>
namespace jsp {
namespace {

IpAddress Ip(std::string_view text) { return *IpAddress::Parse(text); }

TEST(IpPrefixTest, ParsesAndRefuses) {
  EXPECT_EQ(IpPrefix::Parse("10.0.0.0/8"), (IpPrefix{Ip("10.0.0.0"), 8}));
  EXPECT_EQ(IpPrefix::Parse("192.0.2.1"), (IpPrefix{Ip("192.0.2.1"), 32}));
  EXPECT_EQ(IpPrefix::Parse("2001:db8::/32"), (IpPrefix{Ip("2001:db8::"), 32}));
  EXPECT_EQ(IpPrefix::Parse("::/0"), (IpPrefix{Ip("::"), 0}));
  for (const std::string_view text : {"", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.1/8",
                                      "2001:db8::/129", "2001:db8::1/64", "x/8", "fe80::1%2/64", "10/8"}) {
    EXPECT_FALSE(IpPrefix::Parse(text)) << text;
  }
}

TEST(IpPrefixTest, ContainsByBits) {
  const IpPrefix prefix = *IpPrefix::Parse("172.16.0.0/12");
  EXPECT_TRUE(prefix.Contains(Ip("172.16.0.0")));
  EXPECT_TRUE(prefix.Contains(Ip("172.31.255.255")));
  EXPECT_FALSE(prefix.Contains(Ip("172.32.0.0")));
  EXPECT_FALSE(prefix.Contains(Ip("::")));
  EXPECT_TRUE(IpPrefix::Parse("0.0.0.0/0")->Contains(Ip("8.8.8.8")));
  EXPECT_TRUE(IpPrefix::Parse("2001:db8::1")->Contains(Ip("2001:db8::1")));
  EXPECT_FALSE(IpPrefix::Parse("2001:db8::1")->Contains(Ip("2001:db8::2")));
  EXPECT_TRUE(IpPrefix::Parse("fe80::/10")->Contains(Ip("fe80::1%3")));  // a scope is no part of it
}

}  // namespace
}  // namespace jsp
