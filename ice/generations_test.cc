#include "ice/generations.h"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <functional>
#include <vector>

#include "ice/agent_test_support.h"

namespace jsp::ice {
namespace {

// Two sessions, a (controlling) and z, on a wire of 10 ms; every packet passes `filter`.
class GenerationsTest : public ::testing::Test {
 protected:
  struct End {
    Rng rng;
    Generations session;
    SocketAddress address;
    EventLog log;
    std::vector<StateReason> failed_restarts;
    std::vector<SentDatagram> sent;
  };
  struct Flight {
    Timestamp at;
    End* to;
    SentDatagram packet;
  };

  static Options With(Role role, Duration patience = {}) {
    Options options;
    options.role = role;
    options.mobility.restart_patience = patience;
    return options;
  }
  void Open(Duration patience = {}) {
    Open(a_, With(Role::kControlling, patience), "192.0.2.1:5000");
    Open(z_, With(Role::kControlled, patience), "192.0.2.2:6000");
  }
  void Open(std::optional<End>& end, const Options& options, const char* address) {
    Rng seed = Rng::FromNumber(end.has_value() ? 9 : next_seed_++);
    end.emplace(End{seed.Fork(), Generations(options, rng_, now_), Address(address), {}, {}, {}});
    ASSERT_TRUE(end->session.AddLocalCandidate(now_, Host(address)));
    end->session.EndOfLocalCandidates(now_);
  }
  // Tells `to` the present generation of `from`.
  void Describe(End& to, End& from) {
    from.session.EndOfLocalCandidates(now_);
    ASSERT_TRUE(to.session.SetRemoteDescription(now_, {from.session.local_credentials(), false, true}));
    for (Candidate candidate : from.session.local_candidates()) {
      candidate.base = {};
      (void)to.session.AddRemoteCandidate(now_, candidate);
    }
    to.session.EndOfRemoteCandidates(now_);
  }
  void Connect(Duration patience = {}) {
    Open(patience);
    Describe(*a_, *z_);
    Describe(*z_, *a_);
    ASSERT_TRUE(RunUntil([&] { return BothAre(State::kCompleted); }));
  }
  bool BothAre(State state) { return a_->session.state() == state && z_->session.state() == state; }

  void Drain(End& from) {
    std::array<uint8_t, 1500> buffer;
    while (const auto transmit = from.session.PollTransmit(now_, buffer)) {
      SentDatagram packet{now_, transmit->local, transmit->remote, {buffer.begin(), buffer.begin() + transmit->size}};
      from.sent.push_back(packet);
      if (filter_(from, packet)) wire_.push_back({now_ + 10ms, &from == &*a_ ? &*z_ : &*a_, packet});
    }
    while (auto event = from.session.PollEvent()) {
      if (const auto* failed = std::get_if<event::RestartFailed>(&*event))
        from.failed_restarts.push_back(failed->reason);
      from.log.Add(*event);
    }
  }
  bool RunUntil(const std::function<bool()>& done, Duration limit = 120s) {
    const Timestamp end = now_ + limit;
    Drain(*a_);
    Drain(*z_);
    while (!done()) {
      const Timestamp arrival = wire_.empty() ? Timestamp::Never() : wire_.front().at;
      const Timestamp next = std::min({arrival, a_->session.NextTimeout(), z_->session.NextTimeout()});
      if (next > end) {
        now_ = end;
        return done();
      }
      now_ = std::max(now_, next);
      while (!wire_.empty() && wire_.front().at <= now_) {
        const Flight flight = wire_.front();
        wire_.pop_front();
        if (flight.packet.remote != flight.to->address) continue;
        flight.to->session.HandleDatagram(now_, flight.packet.remote, flight.packet.local, flight.packet.bytes);
      }
      a_->session.HandleTimeout(now_);
      z_->session.HandleTimeout(now_);
      Drain(*a_);
      Drain(*z_);
    }
    return true;
  }
  void RunFor(Duration duration) {
    (void)RunUntil([] { return false; }, duration);
  }

  Rng rng_ = Rng::FromNumber(1);
  uint64_t next_seed_ = 1;
  Timestamp now_ = At(0s);
  std::optional<End> a_;
  std::optional<End> z_;
  std::deque<Flight> wire_;
  std::function<bool(End&, const SentDatagram&)> filter_ = [](End&, const SentDatagram&) { return true; };
};

TEST_F(GenerationsTest, OneGenerationIsAnAgent) {
  Connect();
  EXPECT_TRUE(a_->log.Saw(State::kChecking));
  EXPECT_EQ(a_->log.ReasonOf(State::kCompleted), StateReason::kNominated);
  EXPECT_TRUE(a_->session.selected_pair());
  EXPECT_FALSE(a_->session.IsOldInCharge());
  EXPECT_EQ(a_->session.pair_stats().size(), 1u);
}

TEST_F(GenerationsTest, ARestartChangesBothCredentialsAndKeepsCandidates) {  // RFC 8445 §9
  Connect();
  const Credentials before = a_->session.local_credentials();
  ASSERT_TRUE(a_->session.Restart(now_));
  EXPECT_NE(a_->session.local_credentials().ufrag, before.ufrag);
  EXPECT_NE(a_->session.local_credentials().pwd, before.pwd);
  ASSERT_EQ(a_->session.local_candidates().size(), 1u);
  EXPECT_EQ(a_->session.local_candidates()[0].address, a_->address);
}

TEST_F(GenerationsTest, RolesSurviveARestartOfEitherSide) {  // RFC 8445 §6.1.1
  for (const bool controlled_begins : {true, false}) {
    Connect();
    ASSERT_TRUE((controlled_begins ? *z_ : *a_).session.Restart(now_));
    ASSERT_TRUE((controlled_begins ? *a_ : *z_).session.Restart(now_));
    Describe(*a_, *z_);
    Describe(*z_, *a_);
    ASSERT_TRUE(RunUntil([&] { return !a_->session.IsOldInCharge() && !z_->session.IsOldInCharge(); }));
    EXPECT_EQ(a_->session.role(), Role::kControlling);
    EXPECT_EQ(z_->session.role(), Role::kControlled);
    EXPECT_EQ(a_->session.metrics().role_conflicts + z_->session.metrics().role_conflicts, 0u);
  }
}

TEST_F(GenerationsTest, TheOldPairCarriesDataUntilTheNewOneIsNominated) {  // RFC 8445 §12.1, §9
  Connect();
  ASSERT_TRUE(a_->session.Restart(now_));
  ASSERT_TRUE(z_->session.Restart(now_));
  size_t gaps = 0;
  Describe(*z_, *a_);
  RunFor(5s);  // the answer is slow
  EXPECT_TRUE(a_->session.IsOldInCharge());
  Describe(*a_, *z_);
  const auto moved = [&] {
    gaps += !a_->session.selected_pair() || !z_->session.selected_pair() ? 1 : 0;
    return !a_->session.IsOldInCharge() && !z_->session.IsOldInCharge();
  };
  ASSERT_TRUE(RunUntil(moved));
  EXPECT_EQ(gaps, 0u);
  EXPECT_TRUE(BothAre(State::kCompleted));
  EXPECT_FALSE(a_->log.Saw(State::kDisconnected));
}

TEST_F(GenerationsTest, ConsentOfTheOldPairIsKeptDuringASlowRestart) {  // RFC 7675 §5.1
  Connect();
  const std::string old = z_->session.local_credentials().ufrag;
  ASSERT_TRUE(a_->session.Restart(now_));
  a_->sent.clear();
  RunFor(60s);  // nobody answers the offer
  size_t asked = 0;
  for (const SentDatagram& packet : a_->sent) {
    const auto username = packet.View().FindText(stun::AttributeType::kUsername);
    asked += packet.IsCheck() && username && username->starts_with(old + ":") ? 1 : 0;
  }
  EXPECT_GE(asked, 9u);
  EXPECT_TRUE(a_->session.selected_pair());
  EXPECT_EQ(a_->session.state(), State::kCompleted);
}

TEST_F(GenerationsTest, ChecksOfTheOldGenerationAreAnsweredUntilTheSwitchAndNotLongAfter) {  // RFC 8445 §9
  Connect();
  CheckDraft draft;
  draft.username = z_->session.local_credentials().ufrag + ":" + a_->session.local_credentials().ufrag;
  draft.pwd = z_->session.local_credentials().pwd;
  draft.role = RoleAttribute{Role::kControlling, 1};
  const auto answers = [&] {
    const size_t before = z_->sent.size();
    z_->session.HandleDatagram(now_, z_->address, a_->address, WriteDraft(draft, rng_));
    Drain(*z_);
    for (size_t i = before; i < z_->sent.size(); ++i) {
      if (z_->sent[i].Is(stun::MessageClass::kSuccessResponse)) return true;
    }
    return false;
  };
  ASSERT_TRUE(a_->session.Restart(now_));
  ASSERT_TRUE(z_->session.Restart(now_));
  EXPECT_TRUE(answers());
  Describe(*a_, *z_);
  Describe(*z_, *a_);
  ASSERT_TRUE(RunUntil([&] { return !z_->session.IsOldInCharge(); }));
  EXPECT_TRUE(answers()) << "the peer may be a round trip behind";
  RunFor(10s);
  const uint64_t unknown = z_->session.metrics().dropped[static_cast<size_t>(DropReason::kUnknownUfrag)];
  EXPECT_FALSE(answers());
  EXPECT_EQ(z_->session.metrics().dropped[static_cast<size_t>(DropReason::kUnknownUfrag)], unknown + 1);
}

TEST_F(GenerationsTest, ARestartThatFailsLeavesTheOldPairInUse) {  // RFC 8445 §9
  Connect();
  ASSERT_TRUE(a_->session.Restart(now_));
  ASSERT_TRUE(z_->session.Restart(now_));
  const std::string fresh_a = a_->session.local_credentials().ufrag;
  const std::string fresh_z = z_->session.local_credentials().ufrag;
  filter_ = [&](End&, const SentDatagram& packet) {
    const auto username = packet.View().FindText(stun::AttributeType::kUsername);
    return !username || (!username->starts_with(fresh_a + ":") && !username->starts_with(fresh_z + ":"));
  };
  Describe(*a_, *z_);
  Describe(*z_, *a_);
  ASSERT_TRUE(RunUntil([&] { return !a_->failed_restarts.empty() && !z_->failed_restarts.empty(); }));
  EXPECT_EQ(a_->failed_restarts[0], StateReason::kAllPairsFailed);
  RunFor(60s);
  EXPECT_TRUE(BothAre(State::kCompleted));
  EXPECT_TRUE(a_->session.selected_pair() && z_->session.selected_pair());
  ASSERT_TRUE(a_->session.Restart(now_)) << "and it may be tried again";
}

TEST_F(GenerationsTest, AfterConsentIsLostOnlyARestartResumes) {  // RFC 7675 §5.1
  Connect(600s);
  filter_ = [](End&, const SentDatagram&) { return false; };
  ASSERT_TRUE(RunUntil([&] { return !a_->session.selected_pair() && !z_->session.selected_pair(); }, 31s));
  EXPECT_TRUE(BothAre(State::kDisconnected));
  filter_ = [](End&, const SentDatagram&) { return true; };
  a_->sent.clear();
  RunFor(60s);
  EXPECT_TRUE(a_->sent.empty()) << "the credentials are not used again on that path";
  EXPECT_TRUE(BothAre(State::kDisconnected));
  ASSERT_TRUE(a_->session.Restart(now_));
  ASSERT_TRUE(z_->session.Restart(now_));
  Describe(*z_, *a_);
  Describe(*a_, *z_);
  ASSERT_TRUE(RunUntil([&] { return BothAre(State::kCompleted); }, 5s));
}

TEST_F(GenerationsTest, WithoutPatienceLostConsentIsFailureAndSaysSo) {  // RFC 7675 §5.1
  Connect();
  filter_ = [](End&, const SentDatagram&) { return false; };
  ASSERT_TRUE(RunUntil([&] { return BothAre(State::kFailed); }, 36s));
  EXPECT_EQ(a_->log.ReasonOf(State::kFailed), StateReason::kConsentExpired);
  EXPECT_EQ(a_->session.Restart(now_).error(), RestartError::kClosed);
}

TEST_F(GenerationsTest, PatienceEndsInFailure) {
  Connect(50s);
  filter_ = [](End&, const SentDatagram&) { return false; };
  ASSERT_TRUE(RunUntil([&] { return BothAre(State::kDisconnected); }, 36s));
  ASSERT_TRUE(RunUntil([&] { return BothAre(State::kFailed); }, 81s));
  EXPECT_EQ(a_->log.ReasonOf(State::kFailed), StateReason::kConsentExpired);
}

TEST_F(GenerationsTest, ARestartThatNobodyAnswersEndsWithItsReason) {
  Connect();
  filter_ = [](End&, const SentDatagram&) { return false; };
  RunFor(15s);
  ASSERT_TRUE(a_->session.Restart(now_));
  RunFor(20s);
  EXPECT_EQ(a_->session.state(), State::kDisconnected) << "consent is gone, the answer may still come";
  ASSERT_TRUE(RunUntil([&] { return a_->session.state() == State::kFailed; }, 31s));
  EXPECT_EQ(a_->log.ReasonOf(State::kFailed), StateReason::kRestartUnanswered);
}

TEST_F(GenerationsTest, I14_AStormOfRestartsKeepsTwoGenerationsAndTheData) {
  Connect();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(a_->session.Restart(now_));
    ASSERT_TRUE(a_->session.selected_pair());
    ASSERT_LE(a_->session.pair_stats().size(), 2u);
  }
  ASSERT_TRUE(z_->session.Restart(now_));
  Describe(*a_, *z_);
  Describe(*z_, *a_);
  ASSERT_TRUE(RunUntil([&] { return !a_->session.IsOldInCharge() && !z_->session.IsOldInCharge(); }));
  EXPECT_TRUE(BothAre(State::kCompleted));
}

TEST_F(GenerationsTest, AnEarlyCheckOfTheNewGenerationIsAnswered) {  // RFC 8445 §7.3
  Connect();
  ASSERT_TRUE(a_->session.Restart(now_));
  ASSERT_TRUE(z_->session.Restart(now_));
  Describe(*z_, *a_);  // z checks while its answer is still on its way
  RunFor(200ms);
  EXPECT_TRUE(z_->session.IsOldInCharge());
  Describe(*a_, *z_);
  const Timestamp start = now_;
  ASSERT_TRUE(RunUntil([&] { return !a_->session.IsOldInCharge(); }));
  EXPECT_LE(now_ - start, 60ms);
}

TEST_F(GenerationsTest, NothingIsRestartedBeforeItBegan) {
  Open();
  EXPECT_EQ(a_->session.Restart(now_).error(), RestartError::kNotNegotiated);
  Describe(*a_, *z_);
  EXPECT_TRUE(a_->session.Restart(now_)) << "while it checks";
  EXPECT_EQ(a_->session.state(), State::kChecking);
  a_->session.Close(now_);
  EXPECT_EQ(a_->session.Restart(now_).error(), RestartError::kClosed);
}

}  // namespace
}  // namespace jsp::ice
