#include "transport/hole_opener.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>
#include <string>

#include "stun/message_view.h"
namespace jsp::transport {
namespace {

using std::chrono::milliseconds;

const LocalAddress kFirst{.address = *SocketAddress::Parse("10.0.0.2:5000")};
const LocalAddress kFresh{.address = *SocketAddress::Parse("10.0.0.2:5001")};

ice::Candidate Reflexive(const char* address) {
  ice::Candidate candidate;
  candidate.type = ice::CandidateType::kServerReflexive;
  candidate.address = *SocketAddress::Parse(address);
  return candidate;
}

class HoleOpenerTest : public ::testing::Test {
 protected:
  // Where to, by socket.
  std::multimap<SocketAddress, std::string> Sent(HoleOpener& opener) {
    std::multimap<SocketAddress, std::string> sent;
    std::array<uint8_t, 64> buffer;
    while (const auto transmit = opener.PollTransmit(buffer)) {
      const auto message = stun::MessageView::Parse(std::span<const uint8_t>(buffer).first(transmit->size));
      EXPECT_TRUE(message && message->message_class() == stun::MessageClass::kIndication);
      EXPECT_EQ(message->VerifyFingerprint(), stun::IntegrityStatus::kValid);
      sent.emplace(transmit->local, transmit->remote.ToString());
    }
    return sent;
  }
  Rng rng_ = Rng::FromNumber(1);
  Timestamp now_ = Timestamp::FromEpoch(std::chrono::seconds(1));
};

TEST_F(HoleOpenerTest, FreshSocketsSpeakFirstWhenARestartIsOffered) {  // RFC 8445 §9, §11
  HoleOpener opener({}, rng_);
  opener.HandleDescription(now_, SdpType::kOffer, {kFirst});
  opener.HandleRemoteCandidate(Reflexive("203.0.113.2:6000"));
  EXPECT_TRUE(Sent(opener).empty());
  opener.HandleDescription(now_, SdpType::kOffer, {kFirst, kFresh});
  EXPECT_EQ(Sent(opener), (std::multimap<SocketAddress, std::string>{{kFresh.address, "203.0.113.2:6000"}}));
  // Once more, for a loss.
  EXPECT_EQ(opener.NextTimeout(), now_ + milliseconds(30));
  opener.HandleTimeout(now_ + milliseconds(29));
  EXPECT_TRUE(Sent(opener).empty());
  opener.HandleTimeout(now_ + milliseconds(30));
  EXPECT_EQ(Sent(opener).size(), 1u);
  EXPECT_EQ(opener.NextTimeout(), Timestamp::Never());
}

TEST_F(HoleOpenerTest, SocketsThatWereDescribedBeforeAreNotFresh) {
  HoleOpener opener({}, rng_);
  opener.HandleRemoteCandidate(Reflexive("203.0.113.2:6000"));
  opener.HandleDescription(now_, SdpType::kAnswer, {kFirst});  // an answerer's checks are the opening
  EXPECT_TRUE(Sent(opener).empty());
  opener.HandleDescription(now_, SdpType::kOffer, {kFirst});
  EXPECT_TRUE(Sent(opener).empty());
  opener.HandleDescription(now_, SdpType::kOffer, {kFirst, kFresh});
  opener.HandleDescription(now_, SdpType::kOffer, {kFirst, kFresh});  // the same offer, asked for twice
  EXPECT_EQ(Sent(opener).size(), 1u);
}

TEST_F(HoleOpenerTest, OnlyWhatANatShowsIsSpokenTo) {
  HoleOpener opener({}, rng_);
  ice::Candidate host = Reflexive("203.0.113.3:6000");
  host.type = ice::CandidateType::kHost;
  opener.HandleRemoteCandidate(host);
  ice::Candidate relay = Reflexive("203.0.113.4:6000");
  relay.type = ice::CandidateType::kRelayed;
  opener.HandleRemoteCandidate(relay);
  for (const char* address : {"10.0.0.9:1", "127.0.0.1:1", "169.254.0.1:1", "224.0.0.1:1", "203.0.113.2:0",
                              "[fe80::1]:1", "[2001:db8::9]:1"}) {
    opener.HandleRemoteCandidate(Reflexive(address));
  }
  opener.HandleDescription(now_, SdpType::kOffer, {kFresh});  // IPv4, which no IPv6 address is spoken to from
  EXPECT_TRUE(Sent(opener).empty());
}

TEST_F(HoleOpenerTest, APeerCannotMakeItSpeakToMany) {
  HoleOpener opener({}, rng_);
  for (int i = 1; i <= 200; ++i) {
    opener.HandleRemoteCandidate(Reflexive(("203.0.113." + std::to_string(i) + ":6000").c_str()));
    opener.HandleRemoteCandidate(Reflexive(("203.0.113." + std::to_string(i) + ":6000").c_str()));
  }
  std::vector<LocalAddress> locals;
  for (uint16_t port = 1; port <= 100; ++port) locals.push_back({.address = {IpAddress::V4(10, 0, 0, 2), port}});
  opener.HandleDescription(now_, SdpType::kOffer, locals);
  const auto sent = Sent(opener);
  EXPECT_EQ(sent.size(), 8u * 4u);
  std::set<std::string> remotes;
  for (const auto& [local, remote] : sent) remotes.insert(remote);
  EXPECT_EQ(remotes.size(), 8u);
  EXPECT_TRUE(remotes.contains("203.0.113.200:6000"));  // the latest
}

TEST_F(HoleOpenerTest, MayBeSwitchedOffAndEndsWithThePeer) {
  HoleOpener off({.is_enabled = false}, rng_);
  off.HandleRemoteCandidate(Reflexive("203.0.113.2:6000"));
  off.HandleDescription(now_, SdpType::kOffer, {kFresh});
  EXPECT_TRUE(Sent(off).empty());
  HoleOpener closed({}, rng_);
  closed.HandleRemoteCandidate(Reflexive("203.0.113.2:6000"));
  closed.HandleDescription(now_, SdpType::kOffer, {kFresh});
  closed.Clear();
  EXPECT_TRUE(Sent(closed).empty());
  EXPECT_EQ(closed.NextTimeout(), Timestamp::Never());
}

TEST_F(HoleOpenerTest, WritesNothingIntoTooSmallABufferAndLosesNothing) {
  HoleOpener opener({}, rng_);
  opener.HandleRemoteCandidate(Reflexive("203.0.113.2:6000"));
  opener.HandleDescription(now_, SdpType::kOffer, {kFresh});
  std::array<uint8_t, 27> small;
  EXPECT_FALSE(opener.PollTransmit(small));
  EXPECT_EQ(Sent(opener).size(), 1u);
}

}  // namespace
}  // namespace jsp::transport
