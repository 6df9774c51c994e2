// A naughty peer: valid, spoilt, repeated, reordered and random messages, and every call of the owner in any order. The
// agent may refuse everything, but stays consistent and within its bounds. Every failure prints its seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

class NaughtyPeer {
 public:
  explicit NaughtyPeer(uint64_t seed) : rng_(Rng::FromNumber(seed)), lone_(MakeOptions(), seed) {}

  void Play(int steps) {
    for (int i = 0; i < steps; ++i) {
      Step();
      Check();
    }
    // A session that is not over never asks to be woken in the past, and comes to rest.
    lone_.Advance(200s);
    Check();
  }
  LoneAgent& lone() { return lone_; }

 private:
  Options MakeOptions() {
    Options options;
    options.role = rng_.Below(2) == 0 ? Role::kControlling : Role::kControlled;
    options.max_pairs = 1 + rng_.Below(12);
    options.max_remote_candidates = 1 + rng_.Below(20);
    options.max_local_candidates = 4;
    options.max_early_checks = 3;
    options.check.max_transmissions = static_cast<uint32_t>(1 + rng_.Below(4));
    if (rng_.Below(2) == 0) options.mobility.drop_spares_after = 3s;
    return options;
  }

  std::string RandomAddress() {
    constexpr std::array kHosts{"192.0.2.", "10.0.0.", "224.0.0.", "127.0.0.", "169.254.0.", "0.0.0."};
    const bool is_plain = rng_.Below(4) != 0;
    const char* network = is_plain ? kHosts[0] : kHosts[rng_.Below(kHosts.size())];
    return network + std::to_string(rng_.Below(4)) + ":" + std::to_string(rng_.Below(3) * 1000);
  }

  void Step() {
    Collect();
    switch (rng_.Below(12)) {
      case 0:
        return (void)lone_.agent().AddRemoteCandidate(lone_.now(), RandomCandidate());
      case 1:
        return (void)lone_.agent().AddLocalCandidate(lone_.now(), RandomCandidate());
      case 2:
        return Describe();
      case 3:
        if (rng_.Below(40) == 0) lone_.agent().EndOfRemoteCandidates(lone_.now());
        return;
      case 4:
        return lone_.Advance(rng_.Below(10) == 0 ? Duration(4s) : std::chrono::milliseconds(rng_.Below(700)));
      case 5:
      case 6:
        return SendCheck();
      case 7:
        return SendGarbage();
      default:
        return SendAnswer();
    }
  }

  void Describe() {
    RemoteDescription description{lone_.peer(), rng_.Below(8) == 0, true};
    description.renomination = rng_.Below(2) == 0;
    (void)lone_.agent().SetRemoteDescription(lone_.now(), description);
  }

  Candidate RandomCandidate() {
    Candidate candidate = Host(RandomAddress());
    candidate.type = static_cast<CandidateType>(rng_.Below(4));
    candidate.priority = rng_.Random<uint32_t>() >> rng_.Below(32);
    candidate.foundation = rng_.IceChars(1);
    if (rng_.Below(2) == 0) candidate.base = Address(LoneAgent::kLocal);
    return candidate;
  }

  void SendCheck() {
    CheckDraft draft = lone_.Draft();
    draft.use_candidate = rng_.Below(3) == 0;
    if (rng_.Below(4) == 0) draft.role->role = Opposite(draft.role->role);
    draft.role->tie_breaker = rng_.Below(2) == 0 ? rng_.Random<uint64_t>() : rng_.Below(2) * UINT64_MAX;
    if (rng_.Below(10) == 0) draft.priority.reset();
    if (rng_.Below(10) == 0) draft.role.reset();
    if (rng_.Below(10) == 0) draft.pwd += "x";
    if (rng_.Below(10) == 0) draft.username = rng_.IceChars(rng_.Below(12));
    if (rng_.Below(10) == 0) draft.integrity = false;
    if (rng_.Below(10) == 0) draft.extra = static_cast<stun::AttributeType>(rng_.Random<uint16_t>() | 0x0100);
    Mutate(lone_.Write(draft));
  }

  void SendAnswer() {
    if (requests_.empty()) return;
    const SentDatagram& request = requests_[rng_.Below(requests_.size())];
    constexpr std::array<uint16_t, 5> kCodes{400, 401, 403, 487, 500};
    const std::string pwd = lone_.peer().pwd + (rng_.Below(8) == 0 ? "x" : "");
    auto answer = rng_.Below(4) == 0 ? ErrorFor(request, kCodes[rng_.Below(kCodes.size())], pwd)
                                     : SuccessFor(request, Address(RandomAddress()), pwd);
    if (rng_.Below(4) == 0) return Mutate(std::move(answer));
    lone_.Deliver(request.remote.ToString(), answer, request.local.ToString());
  }

  void SendGarbage() {
    std::vector<uint8_t> bytes(rng_.Below(80));
    rng_.Fill(bytes);
    Mutate(std::move(bytes));
  }

  void Mutate(std::vector<uint8_t> bytes) {
    const uint64_t changes = rng_.Below(3) == 0 ? rng_.Below(4) : 0;
    for (uint64_t i = 0; i < changes && !bytes.empty(); ++i) {
      bytes[rng_.Below(bytes.size())] = rng_.Random<uint8_t>();
      if (rng_.Below(6) == 0) bytes.resize(rng_.Below(bytes.size() + 1));
    }
    const std::string from = RandomAddress();
    lone_.Deliver(from, bytes, rng_.Below(8) == 0 ? RandomAddress() : std::string(LoneAgent::kLocal));
  }

  void Collect() {
    for (SentDatagram& datagram : lone_.TakeSent()) {
      if (!datagram.IsCheck()) continue;
      requests_.push_back(std::move(datagram));
      if (requests_.size() > 20) requests_.erase(requests_.begin());
    }
  }

  void Check() {
    Agent& agent = lone_.agent();
    const auto stats = agent.pair_stats();
    ASSERT_LE(stats.size(), 12u);
    ASSERT_LE(std::ranges::count_if(stats, &PairStats::selected), 1);
    const bool has_data_path = agent.selected_pair().has_value();
    const State state = agent.state();
    const bool should_have = state == State::kConnected || state == State::kCompleted || state == State::kDisconnected;
    ASSERT_EQ(has_data_path, should_have) << ToString(state);
    if (has_data_path) {
      const SelectedPair& pair = *agent.selected_pair();
      ASSERT_TRUE(agent.IsValidated(pair.local.base, pair.remote.address));
    }
  }

  Rng rng_;
  LoneAgent lone_;
  std::vector<SentDatagram> requests_;
};

TEST(AgentFuzzTest, SurvivesANaughtyPeerFromEverySeed) {
  size_t connected = 0;
  uint64_t conflicts = 0;
  uint64_t dropped = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    NaughtyPeer peer(seed);
    peer.Play(150);
    if (HasFatalFailure()) return;
    connected += peer.lone().log().Saw(State::kConnected) ? 1 : 0;
    conflicts += peer.lone().agent().metrics().role_conflicts;
    dropped += peer.lone().log().spares_dropped;
    EXPECT_LE(peer.lone().log().roles.size(), kMaxRoleSwitches);
  }
  // The game is only worth playing when it reaches the inside.
  EXPECT_GT(connected, 100u);
  EXPECT_GT(conflicts, 100u);
  EXPECT_GT(dropped, 10u);
}

}  // namespace
}  // namespace jsp::ice
