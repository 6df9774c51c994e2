// Rules about ICE under session descriptions, held against whole peers: RFC 8838, RFC 8839, RFC 7675.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "stun/message_view.h"
#include "transport/peer.h"
#include "transport/testing/peer_pair.h"

namespace jsp::transport {
namespace {

using datachannel::MessageKind;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::PeerPair;

constexpr std::string_view kOwnOptions = "a=ice-options:trickle ice2";

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

std::string WithoutTrickle(std::string sdp) { return Replaced(std::move(sdp), "ice-options:trickle ", "ice-options:"); }

std::vector<std::string> LinesOf(std::string_view sdp, std::string_view prefix) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < sdp.size();) {
    const size_t end = sdp.find("\r\n", at);
    if (sdp.substr(at).starts_with(prefix)) lines.emplace_back(sdp.substr(at, end - at));
    at = end == std::string_view::npos ? sdp.size() : end + 2;
  }
  return lines;
}

bool IsUp(const PeerPair& pair) {
  return pair.a.peer->state() == ConnectionState::kCompleted && pair.z.peer->state() == ConnectionState::kCompleted;
}

// A server that never answers, so that gathering takes its whole time.
PeerOptions WithDeadServer() {
  PeerOptions options;
  options.stun_servers = {*SocketAddress::Parse("203.0.113.1:3478")};
  return options;
}

TEST(PeerIceRulesTest, APeerWithoutTrickleGetsAnAnswerWithAllCandidates) {  // RFC 8838 §3, §5
  PeerPair pair(1, {}, WithDeadServer());
  const auto offer = pair.a.peer->CreateOffer(pair.now);
  ASSERT_TRUE(pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, WithoutTrickle(*offer)));
  const auto early = pair.z.peer->CreateAnswer(pair.now);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, DescriptionError::Code::kWrongState);
  ASSERT_TRUE(pair.RunUntil([&] { return PeerPair::Count<event::GatheringComplete>(pair.z) == 1; }, seconds(4)));
  const auto answer = pair.z.peer->CreateAnswer(pair.now);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(LinesOf(*answer, "a=candidate:").size(), 1u);
  EXPECT_EQ(LinesOf(*answer, "a=end-of-candidates").size(), 1u);
  ASSERT_TRUE(pair.a.peer->SetRemoteDescription(pair.now, SdpType::kAnswer, *answer));
  EXPECT_TRUE(pair.RunUntil([&] { return IsUp(pair); }));
}

TEST(PeerIceRulesTest, HalfTrickleAFullOfferConnectsToAPeerThatDoesNotTrickle) {  // RFC 8838 §16
  PeerOptions options;
  options.ice.mobility.renomination = false;  // which would let candidates come after the end
  PeerPair pair(1, options);
  pair.Signal([](bool is_offer, std::string sdp) {
    EXPECT_EQ(LinesOf(sdp, "a=end-of-candidates").size(), 1u);
    return is_offer ? sdp : WithoutTrickle(Replaced(std::move(sdp), "a=end-of-candidates\r\n", ""));
  });
  EXPECT_TRUE(pair.RunUntil([&] { return IsUp(pair); }));
  // All that it has was in its description: a later candidate comes after the end.
  EXPECT_TRUE(pair.a.peer->AddRemoteCandidate(pair.now, "candidate:9 1 udp 1 192.0.2.77 9 typ host"));
  EXPECT_EQ(pair.a.peer->stats().pairs.size(), 1u);
}

TEST(PeerIceRulesTest, FullTrickleConnectsFromDescriptionsWithoutCandidates) {  // RFC 8838 §4, §9
  PeerPair pair;
  std::vector<std::string> lines[2];
  pair.Signal([&](bool is_offer, std::string sdp) {
    auto& own = lines[is_offer ? 0 : 1];
    own = LinesOf(sdp, "a=candidate:");
    for (const auto& line : own) sdp = Replaced(std::move(sdp), line + "\r\n", "");
    return Replaced(std::move(sdp), "a=end-of-candidates\r\n", "");
  });
  (void)pair.RunUntil([] { return false; }, seconds(2));
  EXPECT_FALSE(IsUp(pair));
  ASSERT_EQ(lines[0].size(), 1u);
  ASSERT_TRUE(pair.z.peer->AddRemoteCandidate(pair.now, std::string_view(lines[0][0]).substr(2)));
  ASSERT_TRUE(pair.a.peer->AddRemoteCandidate(pair.now, std::string_view(lines[1][0]).substr(2)));
  ASSERT_TRUE(pair.a.peer->AddRemoteCandidate(pair.now, ""));
  const Timestamp start = pair.now;
  ASSERT_TRUE(pair.RunUntil([&] { return IsUp(pair); }));
  EXPECT_LE(pair.now - start, milliseconds(300));
}

TEST(PeerIceRulesTest, TheTrickleOptionStandsOnceForTheOnlySection) {  // RFC 8838 §3
  PeerPair pair;
  pair.Signal([](bool, std::string sdp) {
    EXPECT_EQ(LinesOf(sdp, "m=").size(), 1u);
    EXPECT_EQ(LinesOf(sdp, "a=ice-options:").size(), 1u);
    EXPECT_EQ(LinesOf(sdp, kOwnOptions).size(), 1u);
    return sdp;
  });
}

TEST(PeerIceRulesTest, ACandidateIsToldBeforeItsFirstCheckLeaves) {  // RFC 8838 §10
  PeerPair pair(1, WithDeadServer());
  const auto offer = *pair.a.peer->CreateOffer(pair.now);
  ASSERT_EQ(LinesOf(offer, "a=candidate:").size(), 1u) << "the host candidate, while the server is asked";
  ASSERT_TRUE(pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, offer));
  ASSERT_TRUE(pair.a.peer->SetRemoteDescription(pair.now, SdpType::kAnswer, *pair.z.peer->CreateAnswer(pair.now)));
  pair.Settle();
  size_t checks = 0;
  for (const auto& packet : pair.wire) {
    if (!packet.to_z || packet.to != pair.z.address) continue;
    ++checks;
    EXPECT_EQ(packet.from, pair.a.address) << "from nothing but what the offer told";
  }
  EXPECT_GE(checks, 1u);
  EXPECT_EQ(PeerPair::Count<event::LocalCandidateGathered>(pair.a), 1u);
}

TEST(PeerIceRulesTest, TheEndOfCandidatesNamesItsGeneration) {  // RFC 8838 §13
  PeerPair pair(1, {}, WithDeadServer());
  std::string answer;
  pair.Signal([&](bool is_offer, std::string sdp) { return is_offer ? sdp : answer = std::move(sdp); });
  EXPECT_TRUE(LinesOf(answer, "a=end-of-candidates").empty()) << "the answerer still gathers";
  ASSERT_TRUE(pair.RunUntil([&] { return PeerPair::Count<event::GatheringComplete>(pair.z) == 1; }, seconds(4)));
  const std::string again = *pair.z.peer->CreateAnswer(pair.now);
  const size_t section = again.find("m=application");
  EXPECT_GT(again.find("a=end-of-candidates"), section);
  EXPECT_GT(again.find("a=ice-ufrag:"), section) << "both of one section";
  const std::string foreign = "a=ice-ufrag:foreign0\r\na=ice-pwd:passwordOfAnotherPeerNow\r\na=end-of-candidates\r\n";
  EXPECT_FALSE(pair.a.peer->AddRemoteFragment(pair.now, foreign));
}

TEST(PeerIceRulesTest, CandidatesAreOfComponentOneAndInTheOrderOfTheirGathering) {  // RFC 8838 §17
  PeerPair pair(1, WithDeadServer());
  for (int i = 2; i < 6; ++i) {
    pair.a.peer->AddLocalAddress(pair.now, {*SocketAddress::Parse("192.0.2.1" + std::to_string(i) + ":5000")});
  }
  pair.Settle();
  const auto lines = LinesOf(*pair.a.peer->CreateOffer(pair.now), "a=candidate:");
  std::vector<std::string> told;
  for (const auto& event : pair.a.events) {
    const auto* gathered = std::get_if<event::LocalCandidateGathered>(&event);
    if (gathered != nullptr) told.push_back("a=" + gathered->line);
  }
  EXPECT_EQ(lines, told);
  ASSERT_EQ(lines.size(), 5u);
  for (const auto& line : lines) EXPECT_NE(line.find(" 1 udp "), std::string::npos);
}

TEST(PeerIceRulesTest, AnAnswerCarriesIceAsTheOfferDoes) {  // RFC 8839 §4.3.2
  PeerPair pair;
  std::string sdp[2];
  pair.Signal([&](bool is_offer, std::string text) { return sdp[is_offer ? 0 : 1] = std::move(text); });
  for (const std::string& text : sdp) {
    for (const std::string_view line : {"a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=ice-options:"}) {
      EXPECT_EQ(LinesOf(text, line).size(), 1u) << line;
    }
    EXPECT_TRUE(LinesOf(text, "a=ice-lite").empty()) << "we are full (RFC 8839 §4.2.1.4)";
    EXPECT_TRUE(LinesOf(text, "a=ice-pacing").empty()) << "50 ms needs no word (RFC 8839 §5.5)";
    EXPECT_TRUE(LinesOf(text, "a=remote-candidates").empty());  // RFC 8839 §5.2
    ASSERT_EQ(LinesOf(text, "m=").size(), 1u);
    EXPECT_NE(LinesOf(text, "m=")[0].find(" UDP/DTLS/SCTP "), std::string::npos);
  }
}

TEST(PeerIceRulesTest, AnOfferWithoutIceIsRefusedAndAnsweredWithNothing) {  // RFC 8839 §4.3.2
  for (const std::string_view name : {"a=ice-ufrag:", "a=ice-pwd:"}) {
    PeerPair pair;
    const auto offer = *pair.a.peer->CreateOffer(pair.now);
    const std::string bare = Replaced(offer, LinesOf(offer, name)[0] + "\r\n", "");
    EXPECT_FALSE(pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, bare));
    EXPECT_FALSE(pair.z.peer->CreateAnswer(pair.now));
  }
}

TEST(PeerIceRulesTest, ANameAsDefaultDestinationIsNoFailure) {  // RFC 8839 §4.2.5
  PeerPair pair;
  pair.Signal([](bool, std::string sdp) { return Replaced(sdp, LinesOf(sdp, "c=")[0], "c=IN IP4 host.example.org"); });
  EXPECT_TRUE(pair.RunUntil([&] { return IsUp(pair); }));
}

TEST(PeerIceRulesTest, ChecksAreSpacedByTheSlowerSidesPacing) {  // RFC 8839 §5.5, RFC 8445 §14.2
  struct Row {
    int ours;
    const char* theirs;
    int expected;
  };
  for (const Row& row : {Row{50, nullptr, 50}, Row{50, "a=ice-pacing:100\r\n", 100}, Row{5, "a=ice-pacing:5\r\n", 5},
                         Row{5, nullptr, 50}, Row{20, "a=ice-pacing:10\r\n", 20}}) {
    PeerOptions options;
    options.ice.pacing_interval = milliseconds(row.ours);
    PeerPair pair(1, options);
    const auto offer = *pair.a.peer->CreateOffer(pair.now);
    EXPECT_EQ(LinesOf(offer, "a=ice-pacing:" + std::to_string(row.ours)).size(), row.ours == 50 ? 0u : 1u);
    ASSERT_TRUE(pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, offer));
    std::string answer = *pair.z.peer->CreateAnswer(pair.now);
    // Pairs of several foundations, all waiting.
    answer = Replaced(answer, LinesOf(answer, "a=candidate:")[0] + "\r\n", "");
    if (row.theirs != nullptr) answer = Replaced(answer, "t=0 0\r\n", "t=0 0\r\n" + std::string(row.theirs));
    for (int i = 1; i <= 4; ++i) {
      const std::string n = std::to_string(i);
      answer += "a=candidate:" + n + " 1 udp " + n + "000 198.51.100." + n + " 9 typ host\r\n";
    }
    ASSERT_TRUE(pair.a.peer->SetRemoteDescription(pair.now, SdpType::kAnswer, answer));
    std::vector<Timestamp> sent;
    const auto note = [&] {
      for (const auto& packet : pair.wire) {
        if (packet.to_z && packet.to.port == 9) sent.push_back(packet.due);
      }
      pair.wire.clear();
      return sent.size() >= 4;
    };
    ASSERT_TRUE(pair.RunUntil(note, seconds(2)));
    for (size_t i = 1; i < 4; ++i) EXPECT_EQ(sent[i] - sent[i - 1], milliseconds(row.expected));
  }
}

TEST(PeerIceRulesTest, WhatTheNetworkSaysWithoutProofRevokesNoConsent) {  // RFC 7675 §5.2
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  for (int i = 0; i < 100; ++i) pair.a.peer->HandleUnreachable(pair.now, pair.a.address, pair.z.address);
  EXPECT_TRUE(IsUp(pair));
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "x"});
  ASSERT_TRUE(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, {1}));
  EXPECT_TRUE(pair.RunUntil([&] { return pair.z.messages.size() == 1; }, seconds(1)));
}

TEST(PeerIceRulesTest, AnIdlePeerSendsWithFreshConsentWheneverItResumes) {  // RFC 7675 §5.1
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "x"});
  for (int i = 0; i < 20; ++i) {
    const uint64_t asked = pair.a.peer->stats().ice.responses_received;
    (void)pair.RunUntil([] { return false; }, seconds(31));
    EXPECT_GT(pair.a.peer->stats().ice.responses_received, asked) << "consent is kept although nothing is sent";
    ASSERT_TRUE(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, {1}));
  }
  EXPECT_TRUE(pair.RunUntil([&] { return pair.z.messages.size() == 20; }, seconds(1)));
}

TEST(PeerIceRulesTest, I16_WithRelaysOnlyNoNameIsAskedFor) {  // RFC 8828 §5
  PeerOptions options;
  options.only_relays = true;
  options.relay_servers.resize(1);
  options.relay_servers[0].address = *SocketAddress::Parse("203.0.113.1:3478");
  PeerPair pair(1, {}, options);
  const auto offer = pair.a.peer->CreateOffer(pair.now);
  ASSERT_TRUE(pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, *offer));
  ASSERT_TRUE(pair.z.peer->AddRemoteCandidate(
      pair.now, "candidate:1 1 udp 2113937151 2b3a6a0d-0e0c-4a6e-9e19-2f1f8f2c7d11.local 50000 typ host"));
  pair.Settle();
  EXPECT_EQ(PeerPair::Count<event::ResolveName>(pair.z), 0u);
}

TEST(PeerIceRulesTest, NamesStandForTheAddressesOfHostsEverywhere) {  // draft-ietf-mmusic-mdns-ice-candidates
  PeerOptions hidden;
  hidden.hosts = HostExposure::kNames;
  PeerPair pair(1, hidden);
  std::string name;
  pair.Settle();
  for (const auto& event : pair.a.events) {
    const auto* named = std::get_if<event::NamePublished>(&event);
    if (named == nullptr) continue;
    EXPECT_TRUE(name.empty()) << "one for each address";
    name = named->name;
    EXPECT_EQ(named->address, pair.a.address.ip);
  }
  ASSERT_EQ(name.size(), 42u);
  EXPECT_TRUE(name.ends_with(".local"));
  pair.Signal([&](bool is_offer, std::string sdp) {
    if (!is_offer) return sdp;
    EXPECT_EQ(sdp.find(pair.a.address.ip.ToString()), std::string::npos) << sdp;
    EXPECT_NE(sdp.find(" " + name + " 5000 typ host"), std::string::npos) << sdp;
    EXPECT_NE(sdp.find("c=IN IP4 0.0.0.0"), std::string::npos) << "nor in the default destination";
    return sdp;
  });
  for (const auto& event : pair.a.events) {
    const auto* gathered = std::get_if<event::LocalCandidateGathered>(&event);
    if (gathered == nullptr) continue;
    EXPECT_EQ(gathered->line.find("192.0.2.1"), std::string::npos) << gathered->line;
  }
  ASSERT_EQ(PeerPair::Count<event::ResolveName>(pair.z), 1u);
  pair.z.peer->HandleNameResolved(pair.now, name, pair.a.address.ip);
  EXPECT_TRUE(pair.RunUntil([&] { return pair.a.peer->state() == ConnectionState::kCompleted; }));
}

TEST(PeerIceRulesTest, I17_AReflexiveCandidateTellsNoHiddenBase) {  // draft-ietf-mmusic-mdns-ice-candidates
  ice::Candidate reflexive;
  reflexive.type = ice::CandidateType::kServerReflexive;
  reflexive.address = *SocketAddress::Parse("203.0.113.7:40000");
  reflexive.base = *SocketAddress::Parse("10.0.0.2:5000");
  reflexive.related = reflexive.base;
  reflexive.foundation = "1";
  Rng rng = Rng::FromNumber(1);
  for (const auto hosts : {HostExposure::kAddresses, HostExposure::kNames, HostExposure::kNothing}) {
    const auto told = ToldCandidates(hosts, rng).Tell(reflexive);
    ASSERT_TRUE(told);
    const std::string line = ice::WriteCandidate(told->candidate);
    const bool is_hidden = hosts != HostExposure::kAddresses;
    EXPECT_EQ(line.find("10.0.0.2") == std::string::npos, is_hidden) << line;
    EXPECT_EQ(line.find("raddr 0.0.0.0 rport 9") != std::string::npos, is_hidden) << line;
  }
}

TEST(PeerIceRulesTest, WhatIsNotToldIsUsedAllTheSame) {  // RFC 8828 §5.2, mode 3
  PeerOptions hidden;
  hidden.hosts = HostExposure::kNothing;
  PeerPair pair(1, hidden);
  pair.Signal([&](bool is_offer, std::string sdp) {
    if (is_offer) {
      EXPECT_EQ(sdp.find("a=candidate"), std::string::npos) << sdp;
    }
    return sdp;
  });
  EXPECT_TRUE(pair.RunUntil([&] { return pair.z.peer->state() == ConnectionState::kCompleted; }));
  EXPECT_EQ(PeerPair::Count<event::LocalCandidateGathered>(pair.a), 0u);
  EXPECT_EQ(PeerPair::Count<event::NamePublished>(pair.a), 0u);
}

TEST(PeerIceRulesTest, AFilterOfOneSideKeepsBothApartAndSaysHow) {
  for (const bool is_offerer : {true, false}) {
    PeerOptions filtered;
    filtered.ice.filters.remote.only = {*IpPrefix::Parse("198.51.100.0/24")};  // where the other side is not
    PeerPair pair(1, is_offerer ? filtered : PeerOptions(), is_offerer ? PeerOptions() : filtered);
    ASSERT_TRUE(pair.Signal());
    const PeerPair::Side& side = is_offerer ? pair.a : pair.z;
    ASSERT_TRUE(pair.RunUntil([&] { return side.peer->state() == ConnectionState::kFailed; }));
    const auto& ice = side.peer->stats().ice;
    EXPECT_GT(ice.dropped[static_cast<size_t>(ice::DropReason::kFiltered)], 1u) << "the candidate, and checks";
    EXPECT_EQ(ice.checks_sent, 0u);
    EXPECT_NE(side.peer->stats().state_reason.find("no candidate pairs"), std::string::npos)
        << side.peer->stats().state_reason;
  }
}

TEST(PeerIceRulesTest, WithoutRelayedCandidatesNoAllocationIsAskedFor) {
  PeerOptions options;
  options.ice.filters.local.relayed = false;
  options.relay_servers.resize(1);
  options.relay_servers[0].address = *SocketAddress::Parse("203.0.113.1:3478");
  PeerPair pair(1, options);
  pair.Settle();
  EXPECT_EQ(PeerPair::Count<event::RelayConnectionWanted>(pair.a), 0u);
  EXPECT_FALSE(pair.a.peer->is_gathering());
}

}  // namespace
}  // namespace jsp::transport
