#include "ice/candidate_filter.h"

#include <gtest/gtest.h>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

IpAddress Ip(std::string_view text) { return *IpAddress::Parse(text); }
IpPrefix Prefix(std::string_view text) { return *IpPrefix::Parse(text); }

TEST(AddressFilterTest, I10_AdmitsAllButLinkLocalAddressesByDefault) {
  const AddressFilter filter;
  for (const char* ip : {"192.0.2.1", "10.1.2.3", "127.0.0.1", "::1", "2001:db8::1", "fd00::1"}) {
    EXPECT_TRUE(filter.Admits(Ip(ip))) << ip;
  }
  for (const char* ip : {"169.254.169.254", "fe80::1", "febf::1%3"}) {
    EXPECT_FALSE(filter.Admits(Ip(ip))) << ip;
    EXPECT_TRUE((AddressFilter{.link_local = true}).Admits(Ip(ip))) << ip;
  }
}

TEST(AddressFilterTest, AdmitsWhatSomePrefixHoldsAndNoneExcludes) {
  const AddressFilter filter{.only = {Prefix("10.0.0.0/8"), Prefix("2001:db8::/32")},
                             .without = {Prefix("10.9.0.0/16")}};
  for (const char* ip : {"10.0.0.1", "10.8.255.255", "10.10.0.0", "2001:db8::1"}) {
    EXPECT_TRUE(filter.Admits(Ip(ip))) << ip;
  }
  for (const char* ip : {"10.9.0.1", "11.0.0.1", "2001:db9::1", "::"}) EXPECT_FALSE(filter.Admits(Ip(ip))) << ip;
  // The order of an exclusion and what it excludes from means nothing, and an exclusion alone leaves the rest.
  EXPECT_FALSE(
      (AddressFilter{.only = {Prefix("10.9.1.0/24")}, .without = {Prefix("10.9.0.0/16")}}).Admits(Ip("10.9.1.1")));
  EXPECT_TRUE((AddressFilter{.without = {Prefix("10.0.0.0/8")}}).Admits(Ip("11.0.0.1")));
}

TEST(CandidateFilterTest, JudgesTypeCostAndAddressEach) {
  CandidateFilter filter;
  filter.max_network_cost = 50;
  filter.relayed = false;
  filter.without = {Prefix("198.51.100.0/24")};
  Candidate candidate = Host("192.0.2.1:5000");
  EXPECT_TRUE(filter.Admits(candidate));
  candidate.network_cost = 50;
  EXPECT_TRUE(filter.Admits(candidate));
  candidate.network_cost = 51;
  EXPECT_FALSE(filter.Admits(candidate));
  EXPECT_FALSE(filter.Admits(Relayed("192.0.2.1:5000")));
  EXPECT_FALSE(filter.Admits(Host("198.51.100.3:5000")));
}

TEST(CandidateFilterTest, EachTypeHasItsSwitch) {
  using Type = CandidateType;
  const std::pair<Type, bool CandidateFilter::*> kSwitches[] = {
      {Type::kHost, &CandidateFilter::host},
      {Type::kServerReflexive, &CandidateFilter::server_reflexive},
      {Type::kPeerReflexive, &CandidateFilter::peer_reflexive},
      {Type::kRelayed, &CandidateFilter::relayed}};
  for (const auto& [off, of_off] : kSwitches) {
    CandidateFilter filter;
    filter.*of_off = false;
    for (const auto& [type, ignored] : kSwitches) EXPECT_EQ(filter.Admits(type), type != off) << ToString(type);
  }
}

}  // namespace
}  // namespace jsp::ice
