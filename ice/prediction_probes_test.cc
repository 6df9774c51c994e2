#include "ice/prediction_probes.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

Candidate Seen(std::string_view address, std::string_view base, uint32_t priority = 100) {
  Candidate candidate = Reflexive(address, base);
  candidate.related = candidate.base;
  candidate.priority = priority;
  return candidate;
}

const std::vector<Candidate> kStable = {Seen("203.0.113.2:6000", "10.0.2.2:6000")};
const std::vector<Candidate> kVarying = {Seen("203.0.113.1:40001", "10.0.1.2:5000"),
                                         Seen("203.0.113.1:51234", "10.0.1.2:5000", 99)};

class PortProbesTest : public testing::Test {
 protected:
  PortProbes Make(const ProbingOptions& options, const std::vector<Candidate>& theirs) {
    PortProbes probes(options, rng_);
    for (const Candidate& candidate : theirs) probes.HandleRemoteCandidate(candidate);
    probes.Begin(At(0s));
    return probes;
  }
  // Everything that leaves up to `until`, as a driver would ask for it.
  std::vector<std::pair<Timestamp, PortProbes::Shot>> Run(PortProbes& probes, const std::vector<Candidate>& ours,
                                                          Duration until) {
    std::vector<std::pair<Timestamp, PortProbes::Shot>> shots;
    for (Timestamp now = At(0s); now <= At(until); now = std::max(probes.NextTimeout(), now + 1us)) {
      probes.Update(now, ours);
      while (const auto shot = probes.PollShot(now)) shots.emplace_back(now, *shot);
      if (probes.NextTimeout() == Timestamp::Never()) break;
    }
    return shots;
  }
  static std::vector<SocketAddress> Sockets(size_t count) {
    std::vector<SocketAddress> sockets;
    for (size_t i = 0; i < count; ++i) sockets.push_back({IpAddress::V4(10, 0, 1, 2), static_cast<uint16_t>(2000 + i)});
    return sockets;
  }
  Rng rng_ = Rng::FromNumber(1);
};

TEST_F(PortProbesTest, SeesByTheCandidatesWhetherPortsDependOnTheDestination) {  // RFC 4787 §4.1
  EXPECT_FALSE(SeeNat(kStable).varies);
  EXPECT_EQ(SeeNat(kStable).address, Address("203.0.113.2:6000"));
  EXPECT_EQ(SeeNat(kStable).base, Address("10.0.2.2:6000"));
  EXPECT_TRUE(SeeNat(kVarying).varies);
  const std::vector<Candidate> two_sockets = {Seen("203.0.113.1:40001", "10.0.1.2:5000"),
                                              Seen("203.0.113.1:51234", "10.0.1.2:5001", 99)};
  EXPECT_FALSE(SeeNat(two_sockets).varies);
  EXPECT_FALSE(SeeNat(std::vector{Host("10.0.0.1:1"), Relayed("198.51.100.1:1")}).address)
      << "nothing that a NAT shows";
  EXPECT_EQ(SeeNat(std::vector{Host("203.0.113.9:7")}).address, Address("203.0.113.9:7")) << "behind a firewall";
}

TEST_F(PortProbesTest, OneSideOpensAndTheOtherProbes) {
  using Role = PortProbes::Role;
  EXPECT_EQ(PortProbes::ChooseRole(SeeNat(kVarying), SeeNat(kStable)), Role::kOpens);
  EXPECT_EQ(PortProbes::ChooseRole(SeeNat(kStable), SeeNat(kVarying)), Role::kProbes);
  EXPECT_EQ(PortProbes::ChooseRole(SeeNat(kStable), SeeNat(kStable)), Role::kNone) << "ordinary checks do";
  EXPECT_EQ(PortProbes::ChooseRole(SeeNat(kVarying), SeeNat(kVarying)), Role::kNone) << "hopeless";
  EXPECT_EQ(PortProbes::ChooseRole(SeeNat(kVarying), SeeNat({})), Role::kNone);
}

TEST_F(PortProbesTest, ProbesDistinctPortsInTheirPaceAfterTheDelay) {  // RFC 8445 §14.2
  ProbingOptions options;
  PortProbes probes = Make(options, kVarying);
  EXPECT_EQ(probes.NextTimeout(), At(options.delay));
  const auto shots = Run(probes, kStable, 60s);
  ASSERT_EQ(shots.size(), options.max_probes);
  EXPECT_EQ(shots.front().first, At(options.delay));
  std::set<uint16_t> ports;
  Timestamp last = At(0s);
  for (const auto& [at, shot] : shots) {
    EXPECT_GE(at - last, options.probe_interval);
    last = at;
    EXPECT_TRUE(shot.is_check);
    EXPECT_EQ(shot.local, Address("10.0.2.2:6000"));
    EXPECT_EQ(shot.remote.ip, Address("203.0.113.1:1").ip);
    EXPECT_GE(shot.remote.port, 1024);
    ports.insert(shot.remote.port);
  }
  EXPECT_EQ(ports.size(), shots.size());
  EXPECT_LE(last, At(options.delay + options.duration));
  EXPECT_FALSE(probes.is_active());
}

TEST_F(PortProbesTest, OpensEveryMappingTwice) {
  PortProbes probes = Make({}, kStable);
  probes.Update(At(500ms), kVarying);
  const auto wanted = probes.PollSocketsWanted();
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->count, 256u);
  EXPECT_EQ(wanted->address, Address("10.0.1.2:1").ip);
  EXPECT_FALSE(probes.PollSocketsWanted());
  probes.HandleSockets(At(500ms), Sockets(300));
  EXPECT_EQ(probes.TakeUnused().size(), 44u) << "more than were asked for";
  std::map<SocketAddress, int> opened;
  for (Timestamp now = At(500ms); probes.NextTimeout() < At(5s); now = probes.NextTimeout()) {
    while (const auto shot = probes.PollShot(now)) {
      EXPECT_FALSE(shot->is_check);
      EXPECT_EQ(shot->remote, Address("203.0.113.2:6000"));
      ++opened[shot->local];
    }
  }
  EXPECT_EQ(opened.size(), 256u);
  for (const auto& [socket, times] : opened) EXPECT_EQ(times, 2);
}

TEST_F(PortProbesTest, GivesUpAfterItsTimeAndReturnsTheSockets) {
  PortProbes probes = Make({}, kStable);
  probes.Update(At(500ms), kVarying);
  ASSERT_TRUE(probes.PollSocketsWanted());
  probes.HandleSockets(At(500ms), Sockets(8));
  EXPECT_TRUE(probes.Owns(Sockets(8)[3]));
  probes.Update(At(500ms + 11s), kVarying);
  EXPECT_FALSE(probes.is_active());
  EXPECT_EQ(probes.TakeUnused().size(), 8u);
  EXPECT_FALSE(probes.Owns(Sockets(8)[3]));
  EXPECT_EQ(probes.NextTimeout(), Timestamp::Never());
  probes.HandleSockets(At(12s), Sockets(8));
  EXPECT_EQ(probes.TakeUnused().size(), 8u) << "too late";
  probes.Begin(At(13s));
  EXPECT_EQ(probes.NextTimeout(), Timestamp::Never()) << "once in a generation";
  probes.HandleRestart();
  probes.Begin(At(14s));
  EXPECT_EQ(probes.NextTimeout(), At(14500ms));
}

TEST_F(PortProbesTest, AFewSocketsThatAreMetBecomeTheOwners) {
  PortProbes probes = Make({}, kStable);
  probes.Update(At(500ms), kVarying);
  ASSERT_TRUE(probes.PollSocketsWanted());
  const auto sockets = Sockets(8);
  probes.HandleSockets(At(500ms), sockets);
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(probes.Take(sockets[i]), i < 4) << i;
  EXPECT_FALSE(probes.Take(sockets[0])) << "it is no longer ours";
  EXPECT_FALSE(probes.Owns(sockets[0]));
  probes.Stop();
  EXPECT_EQ(probes.TakeUnused().size(), 4u);
}

TEST_F(PortProbesTest, WaitsForCandidatesThatComeLater) {  // RFC 8838 §4
  PortProbes probes = Make({}, {});
  probes.Update(At(600ms), kStable);
  EXPECT_FALSE(probes.is_active());
  EXPECT_EQ(probes.NextTimeout(), At(500ms + 11s)) << "it does not ask to be called at once, again and again";
  for (const Candidate& candidate : kVarying) probes.HandleRemoteCandidate(candidate);
  probes.Update(At(700ms), kStable);
  EXPECT_TRUE(probes.is_active());
}

TEST_F(PortProbesTest, IsOffWhenSwitchedOff) {
  PortProbes probes = Make({.is_enabled = false}, kVarying);
  EXPECT_EQ(probes.NextTimeout(), Timestamp::Never());
  EXPECT_TRUE(Run(probes, kStable, 60s).empty());
}

TEST_F(PortProbesTest, APeerWithThousandsOfCandidatesIsRememberedByAFew) {
  PortProbes probes = Make({}, {});
  for (int i = 0; i < 5000; ++i)
    probes.HandleRemoteCandidate(Seen("203.0.113.1:" + std::to_string(2000 + i), "10.0.1.2:5000"));
  probes.Update(At(500ms), kStable);
  EXPECT_TRUE(probes.is_active());
}

}  // namespace
}  // namespace jsp::ice
