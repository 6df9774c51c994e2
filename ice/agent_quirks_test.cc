// Peers as other implementations are: what they do against the letter of RFC 8445 costs no connection.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ice/agent_test_support.h"
#include "stun/error_code.h"
namespace jsp::ice {
namespace {

// An old agent of the aggressive kind (RFC 8445 §8.1.1 tells of them), controlling: nominates with every check, tells
// no ice2, gives all its candidates the same priority, and signals its loopback address. The network between loses
// some.
class AggressivePeer {
 public:
  AggressivePeer(uint64_t seed, double loss)
      : rng_(Rng::FromNumber(seed)), loss_(loss), lone_({.role = Role::kControlled}, seed) {
    RemoteDescription description{lone_.peer()};
    description.ice2 = false;
    EXPECT_TRUE(lone_.agent().SetRemoteDescription(lone_.now(), description));
    for (const char* address : {"127.0.0.1:9000", "192.0.2.9:1", "192.0.2.9:2", "192.0.2.10:3"}) {
      Candidate candidate = Host(address);
      candidate.priority = 0x7effffff;
      (void)lone_.agent().AddRemoteCandidate(lone_.now(), candidate);
    }
    lone_.agent().EndOfRemoteCandidates(lone_.now());
  }
  void RunFor(Duration duration) {
    for (const Timestamp end = lone_.now() + duration; lone_.now() < end;) {
      lone_.Advance(50ms);
      for (const auto& check : lone_.TakeChecks()) {
        EXPECT_FALSE(check.remote.ip.IsLoopback()) << "a peer cannot point us at ourselves";
        EXPECT_FALSE(check.Nominates());
        if (IsLost()) continue;
        lone_.Answer(check);
        Nominate(check.remote.ToString());
      }
      // It keeps up what it uses, and tries the others now and then.
      if (const auto& selected = lone_.agent().selected_pair(); selected && rng_.Below(10) == 0) {
        Nominate(selected->remote.address.ToString());
      }
      if (rng_.Below(20) == 0)
        Nominate("192.0.2." + std::to_string(9 + rng_.Below(2)) + ":" + std::to_string(1 + rng_.Below(3)));
    }
  }
  LoneAgent& lone() { return lone_; }

 private:
  bool IsLost() { return rng_.Uniform() < loss_; }
  void Nominate(const std::string& from) {
    CheckDraft draft = lone_.Draft();
    draft.use_candidate = true;
    draft.priority = 0x6effffff;
    if (!IsLost()) lone_.Deliver(from, lone_.Write(draft));
  }
  Rng rng_;
  double loss_;
  LoneAgent lone_;
};

TEST(AgentQuirksTest, AnAggressivePeerWithEqualPrioritiesIsFollowedAndComesToRest) {  // RFC 8445 §8.1.1
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    // With loss it takes longer until every pair was nominated, as each is once in eight seconds then.
    const bool has_loss = seed % 3 == 0;
    AggressivePeer peer(seed, has_loss ? 0.15 : 0);
    peer.RunFor(has_loss ? 120s : 3s);
    Agent& agent = peer.lone().agent();
    ASSERT_EQ(agent.state(), State::kCompleted) << "seed " << seed;
    const auto selected = agent.selected_pair()->remote.address;
    const size_t selections = peer.lone().log().selections.size();
    peer.RunFor(60s);
    ASSERT_EQ(agent.state(), State::kCompleted) << "seed " << seed;
    EXPECT_EQ(agent.selected_pair()->remote.address, selected) << "seed " << seed << ": data moves for no reason";
    EXPECT_LE(peer.lone().log().selections.size(), selections + 1) << "seed " << seed;
    EXPECT_TRUE(agent.IsValidated(agent.selected_pair()->local.base, selected));
  }
}

// Safari's peer: what it signals is a name that nobody resolved, so that none of its candidates is known, and its
// checks come from each of its source addresses, of which any may carry data (ATTACKS I3).
TEST(AgentQuirksTest, APeerOfSeveralSourceAddressesIsTakenFromEachOfThem) {
  for (const Role role : {Role::kControlling, Role::kControlled}) {
    LoneAgent lone({.role = role});
    lone.Describe();
    const std::vector<std::string> sources = {"192.0.2.9:40000", "192.0.2.9:40001", "198.51.100.7:40000"};
    for (int round = 0; round < 20; ++round) {
      for (const std::string& source : sources) {
        CheckDraft draft = lone.Draft();
        draft.use_candidate = role == Role::kControlled && source == sources[1] && round > 2;
        lone.Deliver(source, lone.Write(draft));
      }
      lone.Advance(50ms);
      for (const auto& check : lone.TakeChecks()) lone.Answer(check);
    }
    EXPECT_EQ(lone.agent().state(), State::kCompleted);
    for (const std::string& source : sources) {
      EXPECT_TRUE(lone.agent().IsValidated(Address(LoneAgent::kLocal), Address(source))) << source;
    }
    if (role == Role::kControlled) {
      EXPECT_EQ(lone.agent().selected_pair()->remote.address, Address(sources[1]));
    }
  }
}

// One that ends each generation by silence: it never says end-of-candidates, and answers its first check late.
TEST(AgentQuirksTest, APeerThatIsLateAndNeverSaysItsEndIsWaitedFor) {  // RFC 8863 §4
  LoneAgent lone;
  lone.Describe();
  ASSERT_TRUE(lone.agent().AddRemoteCandidate(lone.now(), Host("192.0.2.9:1")));
  lone.Advance(30s);
  std::vector<SentDatagram> checks = lone.TakeChecks();
  ASSERT_FALSE(checks.empty());
  EXPECT_EQ(lone.agent().state(), State::kChecking);
  lone.Answer(checks.back());
  lone.Advance(100ms);
  for (const auto& check : lone.TakeChecks()) lone.Answer(check);
  EXPECT_EQ(lone.agent().state(), State::kCompleted);
}

}  // namespace
}  // namespace jsp::ice
