#include "transport/remote_candidates.h"

#include <gtest/gtest.h>

namespace jsp::transport {
namespace {

ice::ParsedCandidate At(const char* address, std::string mdns_name = {}, std::string ufrag = {}) {
  ice::ParsedCandidate parsed;
  parsed.candidate.address = *SocketAddress::Parse(address);
  parsed.mdns_name = std::move(mdns_name);
  parsed.ufrag = std::move(ufrag);
  return parsed;
}

constexpr RemoteCandidates::Limits kLimits{.max_orphans = 2, .max_unresolved_names = 2};

TEST(RemoteCandidatesTest, KeepsOrphansUntilTheDescriptionComes) {  // RFC 8838 §11
  RemoteCandidates candidates(kLimits);
  candidates.Add(At("192.0.2.1:1"));
  EXPECT_FALSE(candidates.PollReady());
  candidates.HandleDescription("abcd");
  ASSERT_TRUE(candidates.PollReady());
  EXPECT_FALSE(candidates.PollReady());
}

TEST(RemoteCandidatesTest, BoundsOrphansAndCountsTheRest) {
  RemoteCandidates candidates(kLimits);
  for (int i = 0; i < 10; ++i) candidates.Add(At("192.0.2.1:1"));
  EXPECT_EQ(candidates.dropped(), 8u);
}

TEST(RemoteCandidatesTest, I14_DropsCandidatesOfAnotherGeneration) {  // RFC 8839 §5.1
  RemoteCandidates candidates(kLimits);
  candidates.HandleDescription("old1");
  candidates.HandleDescription("abcd");
  candidates.Add(At("192.0.2.1:1", "", "old1"));
  EXPECT_FALSE(candidates.PollReady());
  EXPECT_EQ(candidates.dropped(), 1u);
  candidates.Add(At("192.0.2.1:1", "", "abcd"));
  EXPECT_TRUE(candidates.PollReady());
}

TEST(RemoteCandidatesTest, CandidatesOfTheNextGenerationWaitForItsDescription) {  // RFC 8838 §11, RFC 8839 §5.1
  RemoteCandidates candidates(kLimits);
  candidates.HandleDescription("abcd");
  for (int port = 1; port <= 4; ++port) candidates.Add(At("192.0.2.1:1", "", port % 2 == 0 ? "next" : "none"));
  EXPECT_FALSE(candidates.PollReady());
  EXPECT_EQ(candidates.dropped(), 2u) << "more than two wait for nothing";
  candidates.HandleDescription("next");
  EXPECT_TRUE(candidates.PollReady());
  EXPECT_FALSE(candidates.PollReady());
  EXPECT_EQ(candidates.dropped(), 3u);
}

TEST(RemoteCandidatesTest, AnEndBelongsToItsGeneration) {  // RFC 8838 §13
  RemoteCandidates candidates(kLimits);
  candidates.HandleDescription("abcd");
  candidates.HandleEnd("next");
  EXPECT_FALSE(candidates.PollEnd());
  candidates.HandleEnd("abcd");
  EXPECT_TRUE(candidates.PollEnd());
  candidates.HandleDescription("next");
  EXPECT_TRUE(candidates.PollEnd()) << "said early";
  candidates.HandleEnd("abcd");
  EXPECT_FALSE(candidates.PollEnd());
  candidates.HandleDescription("last");
  EXPECT_FALSE(candidates.PollEnd());
}

TEST(RemoteCandidatesTest, WithoutRoomForNamesNoneIsAskedFor) {  // RFC 8828 §5
  RemoteCandidates candidates({.max_orphans = 2, .max_unresolved_names = 0});
  candidates.HandleDescription("abcd");
  candidates.Add(At("0.0.0.0:5", "a.local"));
  EXPECT_FALSE(candidates.PollNameToResolve());
  EXPECT_EQ(candidates.dropped(), 1u);
}

TEST(RemoteCandidatesTest, AsksForEachNameOnceAndFillsInTheAddress) {
  RemoteCandidates candidates(kLimits);
  candidates.HandleDescription("abcd");
  candidates.Add(At("0.0.0.0:5", "a.local"));
  candidates.Add(At("0.0.0.0:6", "a.local"));
  EXPECT_EQ(candidates.PollNameToResolve(), "a.local");
  EXPECT_FALSE(candidates.PollNameToResolve());
  candidates.HandleResolved("a.local", IpAddress::V4(192, 0, 2, 9));
  EXPECT_EQ(candidates.PollReady()->address.ToString(), "192.0.2.9:5");
  EXPECT_EQ(candidates.PollReady()->address.ToString(), "192.0.2.9:6");
}

TEST(RemoteCandidatesTest, I16_BoundsNamesUnderResolution) {
  RemoteCandidates candidates(kLimits);
  candidates.HandleDescription("abcd");
  for (char c = 'a'; c < 'k'; ++c) candidates.Add(At("0.0.0.0:5", std::string(1, c) + ".local"));
  int asked = 0;
  while (candidates.PollNameToResolve()) ++asked;
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(candidates.dropped(), 8u);
}

TEST(RemoteCandidatesTest, EndWaitsForTheDescriptionAndForNames) {  // RFC 8838 §13
  RemoteCandidates candidates(kLimits);
  candidates.HandleEnd();
  EXPECT_FALSE(candidates.PollEnd());
  candidates.Add(At("0.0.0.0:5", "a.local"));
  candidates.HandleDescription("abcd");
  EXPECT_FALSE(candidates.PollEnd());
  candidates.HandleResolved("a.local", std::nullopt);
  EXPECT_TRUE(candidates.PollEnd());
  EXPECT_FALSE(candidates.PollEnd()) << "told once";
}

}  // namespace
}  // namespace jsp::transport
