// ICE restarts of whole peers: RFC 8445 §9, RFC 8839 §4.4.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "transport/peer.h"
#include "transport/testing/peer_pair.h"

namespace jsp::transport {
namespace {

using datachannel::MessageKind;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::PeerPair;

std::string ValueOf(std::string_view sdp, std::string_view name) {
  const size_t at = sdp.find("\r\na=" + std::string(name) + ":");
  if (at == std::string_view::npos) return {};
  const size_t start = at + 5 + name.size();
  return std::string(sdp.substr(start, sdp.find("\r\n", start) - start));
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

PeerOptions Patient(Duration patience) {
  PeerOptions options;
  options.ice.mobility.restart_patience = patience;
  return options;
}

// A restart begun by `from`; false when a description was refused.
bool Restart(PeerPair& pair, PeerPair::Side& from, PeerPair::Side& to, Duration answer_takes = {}) {
  if (!from.peer->RestartIce(pair.now)) return false;
  const auto offer = from.peer->CreateOffer(pair.now);
  if (!offer || !to.peer->SetRemoteDescription(pair.now, SdpType::kOffer, *offer)) return false;
  const auto answer = to.peer->CreateAnswer(pair.now);
  (void)pair.RunUntil([] { return false; }, answer_takes);
  return answer && from.peer->SetRemoteDescription(pair.now, SdpType::kAnswer, *answer);
}

bool IsUp(const PeerPair::Side& side) { return side.peer->state() == ConnectionState::kCompleted; }
bool HasMoved(const PeerPair::Side& side) { return side.peer->stats().pairs.size() == 1; }

// Numbers as messages, to see that none is lost or out of order.
class Numbers {
 public:
  Numbers(PeerPair& pair, PeerPair::Side& from, PeerPair::Side& to)
      : pair_(pair), from_(from), to_(to), channel_(*from.peer->OpenChannel(pair.now, {.label = "numbers"})) {}
  void Send(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string text = std::to_string(sent_);
      if (from_.peer->Send(pair_.now, channel_, MessageKind::kString, std::vector<uint8_t>(text.begin(), text.end())))
        ++sent_;
    }
  }
  bool ArriveWithin(Duration limit) {
    if (!pair_.RunUntil([&] { return to_.messages.size() == sent_; }, limit)) return false;
    for (size_t i = 0; i < sent_; ++i) {
      const auto& payload = to_.messages[i].payload;
      if (std::string(payload.begin(), payload.end()) != std::to_string(i)) return false;
    }
    return true;
  }

 private:
  PeerPair& pair_;
  PeerPair::Side& from_;
  PeerPair::Side& to_;
  datachannel::ChannelId channel_;
  size_t sent_ = 0;
};

TEST(PeerRestartTest, NeitherSidesRestartLosesAMessage) {  // RFC 8445 §9
  for (const bool answerer_restarts : {false, true}) {
    PeerPair pair(answerer_restarts ? 2 : 1);
    ASSERT_TRUE(pair.Connect());
    Numbers numbers(pair, pair.a, pair.z);
    PeerPair::Side& from = answerer_restarts ? pair.z : pair.a;
    PeerPair::Side& to = answerer_restarts ? pair.a : pair.z;
    const ice::Role role = from.peer->stats().ice_role;
    for (int round = 0; round < 3; ++round) {
      numbers.Send(50);
      ASSERT_TRUE(Restart(pair, from, to, milliseconds(300)));
      numbers.Send(50);
      ASSERT_TRUE(pair.RunUntil([&] { return HasMoved(pair.a) && HasMoved(pair.z); }, seconds(10)));
      numbers.Send(50);
      ASSERT_TRUE(numbers.ArriveWithin(seconds(10)));
    }
    EXPECT_EQ(from.peer->stats().ice_role, role);  // RFC 8445 §6.1.1
    for (const auto* side : {&pair.a, &pair.z}) {
      EXPECT_EQ(PeerPair::Count<event::IceRestarted>(*side), 3u);
      for (const auto& event : side->events) {
        const auto* changed = std::get_if<event::StateChanged>(&event);
        EXPECT_TRUE(changed == nullptr || changed->state != ConnectionState::kDisconnected);
      }
    }
  }
}

TEST(PeerRestartTest, BothDescriptionsHaveNewUfragsAndPasswords) {  // RFC 8445 §9, RFC 8839 §4.4.1.1.1, §4.4.2.1
  PeerPair pair;
  std::string offer;
  std::string answer;
  pair.Signal([&](bool is_offer, std::string sdp) { return (is_offer ? offer : answer) = std::move(sdp); });
  ASSERT_TRUE(pair.RunUntil([&] { return IsUp(pair.a) && IsUp(pair.z); }));
  ASSERT_TRUE(pair.a.peer->RestartIce(pair.now));
  const auto second = *pair.a.peer->CreateOffer(pair.now);
  ASSERT_TRUE(pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, second));
  const auto second_answer = *pair.z.peer->CreateAnswer(pair.now);
  for (const std::string_view name : {"ice-ufrag", "ice-pwd"}) {
    EXPECT_NE(ValueOf(second, name), ValueOf(offer, name));
    EXPECT_NE(ValueOf(second_answer, name), ValueOf(answer, name));
  }
  EXPECT_EQ(ValueOf(second, "fingerprint"), ValueOf(offer, "fingerprint"));
  EXPECT_NE(second.find("a=candidate:"), std::string::npos);
  EXPECT_NE(second_answer.find("a=candidate:"), std::string::npos);
  EXPECT_NE(second.find(" 2 IN IP4 127.0.0.1"), std::string::npos) << "the session version counts (RFC 8866 §5.2)";
}

TEST(PeerRestartTest, ASlowAnswerLeavesTheOldPairInUseWithItsConsent) {  // RFC 8839 §4.4.3.1.1, RFC 7675 §5.1
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  Numbers numbers(pair, pair.z, pair.a);
  numbers.Send(10);
  const uint64_t asked = pair.a.peer->stats().ice.consent_requests_sent;
  ASSERT_TRUE(Restart(pair, pair.a, pair.z, seconds(60)));
  EXPECT_GE(pair.a.peer->stats().ice.consent_requests_sent - asked, 9u);
  numbers.Send(10);
  EXPECT_TRUE(numbers.ArriveWithin(seconds(2)));
  EXPECT_TRUE(pair.RunUntil([&] { return HasMoved(pair.a) && HasMoved(pair.z); }, seconds(10)));
}

TEST(PeerRestartTest, OffersThatCrossAreRolledBack) {  // RFC 9429 §4.1.10.2
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  EXPECT_FALSE(pair.a.peer->Rollback());
  ASSERT_TRUE(pair.a.peer->RestartIce(pair.now) && pair.z.peer->RestartIce(pair.now));
  const auto from_a = pair.a.peer->CreateOffer(pair.now);
  const auto from_z = pair.z.peer->CreateOffer(pair.now);
  EXPECT_FALSE(pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, *from_a));
  ASSERT_TRUE(pair.z.peer->Rollback());
  ASSERT_TRUE(pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, *from_a));
  const auto answer = pair.z.peer->CreateAnswer(pair.now);
  ASSERT_TRUE(answer);
  ASSERT_TRUE(pair.a.peer->SetRemoteDescription(pair.now, SdpType::kAnswer, *answer));
  EXPECT_TRUE(pair.RunUntil([&] { return HasMoved(pair.a) && HasMoved(pair.z); }, seconds(10)));
  Numbers numbers(pair, pair.a, pair.z);
  numbers.Send(3);
  EXPECT_TRUE(numbers.ArriveWithin(seconds(1)));
}

TEST(PeerRestartTest, LostConsentResumesByARestartAndDeliversWhatWaited) {  // RFC 7675 §5.1
  PeerPair pair(1, Patient(minutes(10)), Patient(minutes(10)));
  ASSERT_TRUE(pair.Connect());
  Numbers numbers(pair, pair.a, pair.z);
  pair.cut = true;
  numbers.Send(20);
  (void)pair.RunUntil([] { return false; }, seconds(60));
  EXPECT_EQ(pair.a.peer->state(), ConnectionState::kDisconnected);
  EXPECT_FALSE(pair.a.peer->stats().selected_pair);
  pair.cut = false;
  (void)pair.RunUntil([] { return false; }, seconds(30));
  EXPECT_EQ(pair.a.peer->state(), ConnectionState::kDisconnected) << "a network that is back is not consent";
  ASSERT_TRUE(Restart(pair, pair.z, pair.a));
  EXPECT_TRUE(numbers.ArriveWithin(seconds(60)));
  EXPECT_TRUE(pair.RunUntil([&] { return IsUp(pair.a) && IsUp(pair.z); }, seconds(5)));
}

TEST(PeerRestartTest, X2_AnHourAsleepIsSurvivedByARestart) {  // RFC 7675 §5.1
  PeerPair pair(1, Patient(minutes(120)), Patient(minutes(120)));
  ASSERT_TRUE(pair.Connect());
  pair.cut = true;
  pair.now = pair.now + minutes(60);  // nobody ran meanwhile
  (void)pair.RunUntil([] { return false; }, seconds(1));
  EXPECT_EQ(pair.a.peer->state(), ConnectionState::kDisconnected);
  EXPECT_NE(pair.a.peer->stats().state_reason.find("consent expired"), std::string::npos);
  pair.cut = false;
  Numbers numbers(pair, pair.a, pair.z);
  numbers.Send(5);
  ASSERT_TRUE(Restart(pair, pair.a, pair.z));
  EXPECT_TRUE(numbers.ArriveWithin(seconds(60)));
}

TEST(PeerRestartTest, ARestartThatFindsNothingKeepsTheOldPathAndSaysSo) {
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a.peer->RestartIce(pair.now));
  // Other passwords than theirs: no check of the new generation succeeds.
  const auto forged = [](const std::string& sdp) {
    return Replaced(sdp, ValueOf(sdp, "ice-pwd"), "anotherPasswordThanTheirs");
  };
  const std::string offer = forged(*pair.a.peer->CreateOffer(pair.now));
  ASSERT_TRUE(pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, offer));
  const std::string answer = forged(*pair.z.peer->CreateAnswer(pair.now));
  ASSERT_TRUE(pair.a.peer->SetRemoteDescription(pair.now, SdpType::kAnswer, answer));
  ASSERT_TRUE(pair.RunUntil([&] { return PeerPair::Count<event::IceRestartFailed>(pair.a) == 1; }, minutes(2)));
  Numbers numbers(pair, pair.a, pair.z);
  numbers.Send(3);
  EXPECT_TRUE(numbers.ArriveWithin(seconds(1)));
  EXPECT_TRUE(IsUp(pair.a));
}

TEST(PeerRestartTest, I14_AStormOfRestartsLeavesMemoryFlatAndTheDataFlowing) {
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  Numbers numbers(pair, pair.a, pair.z);
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(Restart(pair, pair.a, pair.z));
    numbers.Send(1);
    pair.Settle();
    ASSERT_LE(pair.a.peer->stats().pairs.size(), 3u);
  }
  EXPECT_TRUE(numbers.ArriveWithin(seconds(5)));
  EXPECT_TRUE(pair.RunUntil([&] { return HasMoved(pair.a) && HasMoved(pair.z); }, seconds(10)));
}

TEST(PeerRestartTest, CandidatesOfTheNextGenerationMayOvertakeItsDescription) {  // RFC 8838 §11, RFC 8839 §5.1
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a.peer->RestartIce(pair.now));
  const auto offer = pair.a.peer->CreateOffer(pair.now);
  const std::string ufrag = ValueOf(*offer, "ice-ufrag");
  const size_t at = offer->find("a=candidate:");
  const std::string line = offer->substr(at + 2, offer->find("\r\n", at) - at - 2) + " ufrag " + ufrag;
  ASSERT_TRUE(pair.z.peer->AddRemoteCandidate(pair.now, line));
  const std::string bare = offer->substr(0, at) + offer->substr(offer->find("\r\n", at) + 2);
  ASSERT_TRUE(pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, bare));
  ASSERT_TRUE(pair.a.peer->SetRemoteDescription(pair.now, SdpType::kAnswer, *pair.z.peer->CreateAnswer(pair.now)));
  EXPECT_TRUE(pair.RunUntil([&] { return HasMoved(pair.a) && HasMoved(pair.z); }, seconds(10)));
}

TEST(PeerRestartTest, NeedsACompleteRound) {
  PeerPair pair;
  EXPECT_EQ(pair.a.peer->RestartIce(pair.now).error().code, DescriptionError::Code::kWrongState);
  ASSERT_TRUE(pair.a.peer->CreateOffer(pair.now));
  EXPECT_EQ(pair.a.peer->RestartIce(pair.now).error().code, DescriptionError::Code::kWrongState);
  pair.a.peer->Close(pair.now);
  EXPECT_EQ(pair.a.peer->RestartIce(pair.now).error().code, DescriptionError::Code::kClosed);
}

// What a later offer may not change, and what means nothing. `edit` spoils the second offer of a.
template <class Edit>
Expected<void, DescriptionError> SecondOffer(PeerPair& pair, Edit&& edit) {
  const auto offer = pair.a.peer->CreateOffer(pair.now);
  return pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, edit(*offer));
}

TEST(PeerRestartTest, HalfARestartIsRefused) {  // RFC 8839 §4.4.1.1.1
  for (const std::string_view name : {"ice-ufrag", "ice-pwd"}) {
    PeerPair pair;
    ASSERT_TRUE(pair.Connect());
    const auto refused = SecondOffer(
        pair, [&](const std::string& sdp) { return Replaced(sdp, ValueOf(sdp, name), "anotherValueOfTwentyFour"); });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, DescriptionError::Code::kIncompatible);
    EXPECT_TRUE(IsUp(pair.z));
  }
}

TEST(PeerRestartTest, AnOfferWithoutRestartKeepsIceAsItIs) {  // RFC 8839 §4.4.1.2.1, §4.4.1.1.1
  PeerPair pair;
  std::string first;
  pair.Signal([&](bool is_offer, std::string sdp) { return is_offer ? first = std::move(sdp) : sdp; });
  ASSERT_TRUE(pair.RunUntil([&] { return IsUp(pair.a) && IsUp(pair.z); }));
  const auto again = *pair.a.peer->CreateOffer(pair.now);
  for (const std::string_view name : {"ice-ufrag", "ice-pwd", "ice-options", "candidate"}) {
    EXPECT_EQ(ValueOf(again, name), ValueOf(first, name)) << name;
  }
  // c=0.0.0.0 is neither a restart nor a hold.
  const size_t at = again.find("c=IN IP4 ");
  const std::string held = again.substr(0, at) + "c=IN IP4 0.0.0.0" + again.substr(again.find("\r\n", at));
  ASSERT_TRUE(pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, held));
  ASSERT_TRUE(pair.a.peer->SetRemoteDescription(pair.now, SdpType::kAnswer, *pair.z.peer->CreateAnswer(pair.now)));
  EXPECT_EQ(PeerPair::Count<event::IceRestarted>(pair.z), 0u);
  Numbers numbers(pair, pair.a, pair.z);
  numbers.Send(3);
  EXPECT_TRUE(numbers.ArriveWithin(seconds(1)));
}

TEST(PeerRestartTest, OptionsChangeWithARestartOnly) {  // RFC 8839 §4.4.1.1.1, §4.4.2.1
  using Edit = std::string (*)(const std::string&);
  const Edit edits[] = {
      [](const std::string& sdp) { return Replaced(sdp, "a=ice-options:trickle ", "a=ice-options:"); },
      [](const std::string& sdp) { return Replaced(sdp, "t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"); },
      [](const std::string& sdp) { return Replaced(sdp, "t=0 0\r\n", "t=0 0\r\na=ice-pacing:20\r\n"); },
  };
  for (const Edit edit : edits) {
    PeerPair pair;
    ASSERT_TRUE(pair.Connect());
    EXPECT_FALSE(SecondOffer(pair, edit));
    ASSERT_TRUE(pair.a.peer->Rollback() && pair.a.peer->RestartIce(pair.now));
    EXPECT_TRUE(SecondOffer(pair, edit)) << "with a restart it may";
  }
}

TEST(PeerRestartTest, WhatNeedsAnotherDtlsAssociationIsRefused) {  // RFC 8842 §5.5
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  EXPECT_FALSE(SecondOffer(pair, [](std::string sdp) {
    const size_t at = sdp.find("a=fingerprint:sha-256 ") + 22;
    sdp[at] = sdp[at] == 'A' ? 'B' : 'A';
    return sdp;
  }));
  EXPECT_FALSE(
      SecondOffer(pair, [](const std::string& sdp) { return Replaced(sdp, "a=sctp-port:5000", "a=sctp-port:5001"); }));
  EXPECT_FALSE(
      SecondOffer(pair, [](const std::string& sdp) { return Replaced(sdp, "a=setup:actpass", "a=setup:active"); }));
  EXPECT_TRUE(IsUp(pair.z));
}

TEST(PeerRestartTest, AnAnswerFitsItsOffer) {  // RFC 8839 §4.4.2.1
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  const auto plain = *pair.a.peer->CreateOffer(pair.now);
  ASSERT_TRUE(pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, plain));
  const std::string kept = *pair.z.peer->CreateAnswer(pair.now);
  const std::string restarted = Replaced(Replaced(kept, ValueOf(kept, "ice-ufrag"), "fresh"), ValueOf(kept, "ice-pwd"),
                                         "aFreshPasswordOfTwentySome");
  EXPECT_FALSE(pair.a.peer->SetRemoteDescription(pair.now, SdpType::kAnswer, restarted)) << "nobody asked for it";
  ASSERT_TRUE(pair.a.peer->Rollback() && pair.a.peer->RestartIce(pair.now));
  ASSERT_TRUE(pair.a.peer->CreateOffer(pair.now));
  EXPECT_FALSE(pair.a.peer->SetRemoteDescription(pair.now, SdpType::kAnswer, kept)) << "the restart was ignored";
}

TEST(PeerRestartTest, GoesThroughFragmentsToo) {  // RFC 8840 §4.4
  PeerPair pair;
  EXPECT_FALSE(pair.z.peer->SetRemoteRestart(pair.now, SdpType::kOffer, "a=ice-ufrag:abcd\r\n")) << "no first round";
  ASSERT_TRUE(pair.Connect());
  Numbers numbers(pair, pair.a, pair.z);
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(pair.a.peer->RestartIce(pair.now));
    const auto offer = pair.a.peer->CreateRestartFragment(pair.now, SdpType::kOffer);
    ASSERT_TRUE(offer);
    EXPECT_EQ(offer->find("a=fingerprint"), std::string::npos);
    ASSERT_TRUE(pair.z.peer->SetRemoteRestart(pair.now, SdpType::kOffer, *offer));
    const auto answer = pair.z.peer->CreateRestartFragment(pair.now, SdpType::kAnswer);
    ASSERT_TRUE(answer);
    EXPECT_FALSE(pair.a.peer->SetRemoteRestart(pair.now, SdpType::kAnswer, "a=ice-ufrag:abcd\r\n")) << "no password";
    EXPECT_FALSE(pair.a.peer->SetRemoteRestart(pair.now, SdpType::kAnswer, "a=candidate:x\r\n"));
    ASSERT_TRUE(pair.a.peer->SetRemoteRestart(pair.now, SdpType::kAnswer, *answer));
    numbers.Send(10);
    ASSERT_TRUE(pair.RunUntil([&] { return HasMoved(pair.a) && HasMoved(pair.z); }, seconds(10)));
    EXPECT_TRUE(numbers.ArriveWithin(seconds(1)));
  }
  EXPECT_EQ(PeerPair::Count<event::IceRestarted>(pair.z), 2u);
}

}  // namespace
}  // namespace jsp::transport
