#include "ice/candidate_list.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "ice/agent_test_support.h"
#include "ice/priority.h"
namespace jsp::ice {
namespace {

constexpr auto kNobody = [](uint16_t) { return false; };
constexpr auto kEverybody = [](uint16_t) { return true; };

TEST(LocalCandidatesTest, GivesUniquePrioritiesAndInterleavesFamilies) {  // RFC 8445 §5.1.2.1, RFC 8421 §4
  LocalCandidates local(16);
  for (const char* address : {"[2001:db8::1]:1", "[2001:db8::2]:1", "192.0.2.1:1", "192.0.2.2:1"}) {
    ASSERT_TRUE(local.Add(Host(address)));
  }
  std::vector<std::pair<uint32_t, bool>> order;  // priority, is IPv6
  for (const Candidate& c : local.signalled()) order.emplace_back(c.priority, c.address.ip.is_v6());
  std::ranges::sort(order, std::greater<>());
  EXPECT_EQ(order[0].first, 2130706431u);
  EXPECT_TRUE(order[0].second);
  EXPECT_FALSE(order[1].second);
  EXPECT_TRUE(order[2].second);
  EXPECT_FALSE(order[3].second);
  for (size_t i = 1; i < order.size(); ++i) EXPECT_LT(order[i].first, order[i - 1].first);
}

TEST(LocalCandidatesTest, GivesUniquePrioritiesToSixtyFourOfAType) {
  LocalCandidates local(64);
  std::set<uint32_t> priorities;
  for (int port = 1; port <= 64; ++port) {
    Candidate candidate = Host("192.0.2.1:" + std::to_string(port));
    candidate.network_cost = static_cast<uint16_t>(port % 3 == 0 ? 999 : 0);
    priorities.insert(local.Get(*local.Add(candidate)).priority);
  }
  EXPECT_EQ(priorities.size(), 64u);
}

TEST(LocalCandidatesTest, GivesUniquePreferencesOfThirteenBitsToTcpCandidates) {  // RFC 6544 §4.2
  LocalCandidates local(64);
  std::set<uint32_t> priorities;
  for (int number = 1; number <= 64; ++number) {
    Candidate candidate = Host("192.0.2." + std::to_string(number) + ":5000");
    candidate.protocol = number % 2 == 0 ? TransportProtocol::kTcpActive : TransportProtocol::kTcpPassive;
    candidate.network_cost = static_cast<uint16_t>(number % 3 == 0 ? 999 : 0);
    const uint32_t priority = local.Get(*local.Add(candidate)).priority;
    const uint32_t preference = priority >> 8 & 0xffff;
    EXPECT_EQ(preference >> 13, number % 2 == 0 ? 6u : 4u);  // other-pref has the rest, 0 to 8191
    priorities.insert(priority);
  }
  EXPECT_EQ(priorities.size(), 64u);
}

TEST(LocalCandidatesTest, ARelayedCandidateThatIsAHostCandidateIsDropped) {  // RFC 8445 §5.1.1.2, §5.1.3
  LocalCandidates local(4);
  ASSERT_TRUE(local.Add(Host("192.0.2.1:49152")));
  EXPECT_EQ(local.Add(Relayed("192.0.2.1:49152")).error(), AddCandidateError::kDuplicate);
  EXPECT_TRUE(local.Add(Relayed("192.0.2.1:49153")));
}

TEST(LocalCandidatesTest, PrefersTheCheaperNetwork) {
  LocalCandidates local(4);
  Candidate cellular = Host("192.0.2.1:1");
  cellular.network_cost = 900;
  ASSERT_TRUE(local.Add(cellular));
  ASSERT_TRUE(local.Add(Host("192.0.2.2:1")));
  EXPECT_LT(local.Get(0).priority, local.Get(1).priority);
}

TEST(LocalCandidatesTest, KeepsWhatTheOwnerComputed) {
  LocalCandidates local(4);
  Candidate candidate = Host("192.0.2.1:1");
  candidate.priority = 5;
  candidate.foundation = "mine";
  ASSERT_TRUE(local.Add(candidate));
  EXPECT_EQ(local.Get(0).priority, 5u);
  EXPECT_EQ(local.Get(0).foundation, "mine");
  candidate.address.port = 2;
  candidate.priority = 0xffffffff;
  ASSERT_TRUE(local.Add(candidate));
  EXPECT_EQ(local.Get(1).priority, kMaxPriority);
}

TEST(LocalCandidatesTest, ComputesFoundations) {  // RFC 8445 §5.1.1.3
  LocalCandidates local(16);
  const auto foundation = [&](Candidate candidate) { return local.Get(*local.Add(std::move(candidate))).foundation; };
  const std::string host = foundation(Host("10.0.0.1:1"));
  EXPECT_EQ(foundation(Host("10.0.0.1:2")), host);
  EXPECT_NE(foundation(Host("10.0.0.2:1")), host);
  Candidate reflexive = Reflexive("203.0.113.1:1", "10.0.0.1:1");
  reflexive.server = Address("198.51.100.1:3478");
  const std::string srflx = foundation(reflexive);
  EXPECT_NE(srflx, host);
  reflexive.address.port = 2;
  reflexive.server = Address("198.51.100.1:3479");  // the server's IP address counts, not its port
  EXPECT_EQ(foundation(reflexive), srflx);
  reflexive.address.port = 3;
  reflexive.server = Address("198.51.100.2:3478");
  EXPECT_NE(foundation(reflexive), srflx);
  Candidate relayed = Relayed("198.51.100.1:50000");
  relayed.server = Address("198.51.100.1:3478");
  const std::string over_udp = foundation(relayed);
  relayed = Relayed("198.51.100.1:50001");
  relayed.server = Address("198.51.100.1:3478");
  relayed.server_protocol = TransportProtocol::kTcpActive;
  EXPECT_NE(foundation(relayed), over_udp) << "another protocol to the server";
}

TEST(LocalCandidatesTest, NeverReusesAFoundationOfTheOwner) {
  LocalCandidates local(4);
  Candidate candidate = Host("192.0.2.1:1");
  candidate.foundation = "1";
  ASSERT_TRUE(local.Add(candidate));
  ASSERT_TRUE(local.Add(Host("192.0.2.2:1")));
  EXPECT_NE(local.Get(1).foundation, "1");
}

TEST(LocalCandidatesTest, EliminatesRedundantCandidates) {  // RFC 8445 §5.1.3
  LocalCandidates local(16);
  ASSERT_TRUE(local.Add(Host("192.0.2.1:1")));
  EXPECT_EQ(local.Add(Reflexive("192.0.2.1:1", "192.0.2.1:1")).error(), AddCandidateError::kDuplicate);  // no NAT
  EXPECT_TRUE(local.Add(Reflexive("203.0.113.1:1", "192.0.2.1:1")));
  EXPECT_EQ(local.Add(Reflexive("203.0.113.1:1", "192.0.2.1:1")).error(), AddCandidateError::kDuplicate);
  EXPECT_TRUE(local.Add(Reflexive("203.0.113.1:1", "192.0.2.1:2")));  // same address, other base: not redundant
}

TEST(LocalCandidatesTest, HasALimit) {
  LocalCandidates local(2);
  EXPECT_TRUE(local.Add(Host("192.0.2.1:1")));
  EXPECT_TRUE(local.Add(Host("192.0.2.1:2")));
  EXPECT_EQ(local.Add(Host("192.0.2.1:3")).error(), AddCandidateError::kTooMany);
}

TEST(LocalCandidatesTest, FindsTheCandidateThatStandsForABase) {
  LocalCandidates local(4);
  ASSERT_TRUE(local.Add(Reflexive("203.0.113.1:1", "10.0.0.1:1")));
  EXPECT_EQ(local.FindByBase(Address("10.0.0.1:1")), 0);
  ASSERT_TRUE(local.Add(Host("10.0.0.1:1")));
  EXPECT_EQ(local.FindByBase(Address("10.0.0.1:1")), 1);
  EXPECT_EQ(local.FindByBase(Address("10.0.0.1:2")), std::nullopt);
}

TEST(LocalCandidatesTest, DiscoversAPeerReflexiveCandidateOnce) {  // RFC 8445 §7.2.5.3.1
  LocalCandidates local(4);
  ASSERT_TRUE(local.Add(Host("10.0.0.1:1")));
  const auto first = local.FindOrDiscover(Address("203.0.113.1:77"), 0);
  ASSERT_TRUE(first && first->is_new);
  const Candidate& discovered = local.Get(first->index);
  EXPECT_EQ(discovered.type, CandidateType::kPeerReflexive);
  EXPECT_EQ(discovered.base, Address("10.0.0.1:1"));
  EXPECT_EQ(discovered.related, Address("10.0.0.1:1"));
  EXPECT_EQ(discovered.priority, PeerReflexivePriority(local.Get(0).priority));
  EXPECT_NE(discovered.foundation, local.Get(0).foundation);
  const auto again = local.FindOrDiscover(Address("203.0.113.1:77"), 0);
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->is_new);
  EXPECT_EQ(again->index, first->index);
  EXPECT_EQ(local.signalled().size(), 1u);
}

TEST(LocalCandidatesTest, RecognisesMappedAddressesThatAreCandidates) {
  LocalCandidates local(4);
  ASSERT_TRUE(local.Add(Host("10.0.0.1:1")));
  ASSERT_TRUE(local.Add(Reflexive("203.0.113.1:1", "10.0.0.1:1")));
  ASSERT_TRUE(local.Add(Host("10.0.0.2:1")));
  EXPECT_EQ(local.FindOrDiscover(Address("10.0.0.1:1"), 0)->index, 0);
  EXPECT_EQ(local.FindOrDiscover(Address("203.0.113.1:1"), 0)->index, 1);
  EXPECT_EQ(local.FindOrDiscover(Address("10.0.0.2:1"), 0)->index, 0);  // another base cannot carry the pair
  EXPECT_EQ(local.FindOrDiscover(Address("0.0.0.0:0"), 0)->index, 0);   // nor can nonsense
  EXPECT_EQ(local.discovered(), 0u);
}

TEST(LocalCandidatesTest, I8_DiscoversNoMoreThanTheLimit) {
  LocalCandidates local(2);
  ASSERT_TRUE(local.Add(Host("10.0.0.1:1")));
  EXPECT_TRUE(local.FindOrDiscover(Address("203.0.113.1:1"), 0));
  EXPECT_TRUE(local.FindOrDiscover(Address("203.0.113.1:2"), 0));
  EXPECT_FALSE(local.FindOrDiscover(Address("203.0.113.1:3"), 0));
}

TEST(RemoteCandidatesTest, KeepsCandidatesAndRefusesDuplicates) {
  RemoteCandidates remote(4);
  Candidate candidate = Host("192.0.2.9:1");
  candidate.priority = 7;
  candidate.foundation = "f";
  const auto added = remote.Add(candidate, kEverybody);
  ASSERT_TRUE(added);
  EXPECT_EQ(remote.Get(added->index).priority, 7u);
  EXPECT_EQ(remote.Add(candidate, kEverybody).error(), AddCandidateError::kDuplicate);
  EXPECT_EQ(remote.Find(Address("192.0.2.9:1")), added->index);
  EXPECT_EQ(remote.Find(Address("192.0.2.9:2")), std::nullopt);
}

TEST(RemoteCandidatesTest, CompletesWhatWasNotSignalled) {
  RemoteCandidates remote(4);
  ASSERT_TRUE(remote.Add(Host("192.0.2.9:1"), kNobody));
  ASSERT_TRUE(remote.Add(Host("192.0.2.9:2"), kNobody));
  EXPECT_GT(remote.Get(0).priority, 0u);
  EXPECT_NE(remote.Get(0).foundation, remote.Get(1).foundation);  // nothing says that they are alike
}

TEST(RemoteCandidatesTest, LearnsAPeerReflexiveCandidateAndThenItsRealKind) {  // RFC 8838 §11
  RemoteCandidates remote(4);
  const auto learnt = remote.Learn(Address("192.0.2.9:1"), 55, kNobody);
  ASSERT_TRUE(learnt);
  EXPECT_EQ(remote.Get(*learnt).type, CandidateType::kPeerReflexive);
  Candidate signalled = Relayed("192.0.2.9:1");
  signalled.priority = 1;
  const auto added = remote.Add(signalled, kNobody);
  ASSERT_TRUE(added);
  EXPECT_TRUE(added->was_peer_reflexive);
  EXPECT_EQ(added->index, *learnt);
  EXPECT_EQ(remote.Get(*learnt).type, CandidateType::kRelayed);
  EXPECT_EQ(remote.Get(*learnt).priority, 55u);
}

TEST(RemoteCandidatesTest, KnowsARelayByItsAddressUnlessAHostIsThereToo) {
  RemoteCandidates remote(8);
  const uint16_t learnt = *remote.Learn(Address("192.0.2.9:1"), 55, kNobody);
  const auto standing = [&] { return remote.StandingOf(learnt); };
  EXPECT_FALSE(standing().is_relayed);
  EXPECT_EQ(standing().priority, 55u);
  uint16_t port = 2;
  for (const uint32_t priority : {3u, 7u, 5u}) {  // the best of several
    Candidate relayed = Relayed("192.0.2.9:" + std::to_string(port++));
    relayed.priority = priority;
    ASSERT_TRUE(remote.Add(relayed, kNobody));
  }
  ASSERT_TRUE(remote.Add(Host("192.0.2.10:1"), kNobody));
  EXPECT_TRUE(standing().is_relayed);
  EXPECT_EQ(standing().priority, 7u);
  ASSERT_TRUE(remote.Add(Host("192.0.2.9:9"), kNobody));
  EXPECT_FALSE(standing().is_relayed);
  EXPECT_EQ(standing().priority, 55u);
}

TEST(RemoteCandidatesTest, ARelayThatWasHeardFirstStandsAsItWasSignalled) {  // RFC 8838 §11
  RemoteCandidates remote(4);
  const uint16_t learnt = *remote.Learn(Address("192.0.2.9:1"), 0x6e000001, kNobody);
  Candidate signalled = Relayed("192.0.2.9:1");
  signalled.priority = 9;
  ASSERT_TRUE(remote.Add(signalled, kNobody));
  EXPECT_TRUE(remote.StandingOf(learnt).is_relayed);
  EXPECT_EQ(remote.StandingOf(learnt).priority, 9u);
  EXPECT_EQ(remote.Get(learnt).priority, 0x6e000001u);
}

TEST(RemoteCandidatesTest, GivesEveryPeerReflexiveCandidateItsOwnFoundation) {  // RFC 8445 §7.3.1.3
  RemoteCandidates remote(4);
  const auto a = remote.Learn(Address("192.0.2.9:1"), 55, kNobody);
  const auto b = remote.Learn(Address("192.0.2.9:2"), 0xffffffff, kNobody);
  EXPECT_NE(remote.Get(*a).foundation, remote.Get(*b).foundation);
  EXPECT_EQ(remote.Get(*b).priority, kMaxPriority);
}

TEST(RemoteCandidatesTest, I8_ReusesOnlyPeerReflexiveCandidatesThatNobodyNeeds) {
  RemoteCandidates remote(2);
  ASSERT_TRUE(remote.Add(Host("192.0.2.9:1"), kNobody));
  ASSERT_TRUE(remote.Learn(Address("192.0.2.9:2"), 1, kNobody));
  EXPECT_FALSE(remote.Learn(Address("192.0.2.9:3"), 1, kEverybody));
  EXPECT_EQ(remote.Add(Host("192.0.2.9:3"), kEverybody).error(), AddCandidateError::kTooMany);
  EXPECT_EQ(remote.Learn(Address("192.0.2.9:3"), 1, kNobody), 1);
  EXPECT_EQ(remote.Find(Address("192.0.2.9:2")), std::nullopt);
  EXPECT_EQ(remote.Add(Host("192.0.2.9:4"), kNobody)->index, 1);  // a signalled one comes in as well
  EXPECT_FALSE(remote.Learn(Address("192.0.2.9:5"), 1, kNobody));
  EXPECT_EQ(remote.size(), 2u);
}

TEST(RemoteCandidatesTest, ComparesAddressesWithoutScope) {
  RemoteCandidates remote(2);
  ASSERT_TRUE(remote.Add(Host("[fe80::9]:1"), kNobody));
  EXPECT_EQ(remote.Find(Address("[fe80::9%7]:1")), 0);
}

}  // namespace
}  // namespace jsp::ice
