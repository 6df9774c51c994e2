// Whole peers whose networks change under them.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "transport/peer.h"
#include "transport/testing/peer_pair.h"

namespace jsp::transport {
namespace {

using datachannel::MessageKind;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::PeerPair;

// Two connected peers; addresses that are gone carry nothing.
class PeerMobilityTest : public ::testing::Test {
 protected:
  void Connect(const PeerOptions& a = {}, const PeerOptions& z = {}) {
    gone_.clear();
    pair_ = std::make_unique<PeerPair>(1, a, z);
    pair_->passes = [this](const PeerPair::Packet& packet) {
      return !gone_.contains(packet.from) && !gone_.contains(packet.to);
    };
    ASSERT_TRUE(pair_->Connect());
    for (PeerPair::Side* side : {&pair_->a, &pair_->z}) {
      channel_[side == &pair_->a ? 0 : 1] = *side->peer->OpenChannel(pair_->now, {.label = "x"});
    }
  }
  void Renumber(PeerPair::Side& side, const std::string& address) {
    gone_.insert(side.address);
    side.address = *SocketAddress::Parse(address);
    side.peer->HandleLocalAddresses(pair_->now, std::vector<LocalAddress>{{.address = side.address}});
  }
  // How long until a message that is sent now has arrived, in both directions.
  Duration Gap() {
    const size_t at_a = pair_->a.messages.size();
    const size_t at_z = pair_->z.messages.size();
    const Timestamp start = pair_->now;
    EXPECT_TRUE(pair_->a.peer->Send(pair_->now, channel_[0], MessageKind::kBinary, {1}));
    EXPECT_TRUE(pair_->z.peer->Send(pair_->now, channel_[1], MessageKind::kBinary, {1}));
    EXPECT_TRUE(pair_->RunUntil([&] { return pair_->a.messages.size() > at_a && pair_->z.messages.size() > at_z; },
                                seconds(60)));
    return pair_->now - start;
  }
  bool IsUp(const PeerPair::Side& side) const { return side.peer->state() == ConnectionState::kCompleted; }

  std::unique_ptr<PeerPair> pair_;
  std::set<SocketAddress> gone_;
  datachannel::ChannelId channel_[2] = {};
};

TEST_F(PeerMobilityTest, ARenumberedHostGoesOnWithinTwoSecondsAndLosesNothing) {
  for (const bool is_offerer : {true, false}) {
    Connect();
    PeerPair::Side& side = is_offerer ? pair_->a : pair_->z;
    EXPECT_LE(Gap(), milliseconds(60));
    Renumber(side, is_offerer ? "198.51.100.1:5000" : "198.51.100.2:6000");
    EXPECT_LE(Gap(), seconds(2)) << is_offerer;
    ASSERT_TRUE(pair_->RunUntil([&] { return IsUp(pair_->a) && IsUp(pair_->z); }, seconds(5)));
    EXPECT_EQ(side.peer->stats().selected_pair->local.base, side.address);
    EXPECT_EQ(PeerPair::Count<event::IceRestartNeeded>(side), 0u);
    (void)pair_->RunUntil([] { return false; }, seconds(1));  // what was sent twice is acknowledged (RFC 9260 §6.2)
    EXPECT_LE(Gap(), milliseconds(60));
  }
}

TEST_F(PeerMobilityTest, ASecondInterfaceIsGatheredAndTold) {
  Connect();
  const std::vector<LocalAddress> both{{.address = pair_->a.address},
                                       {.address = *SocketAddress::Parse("198.51.100.1:5000")}};
  const size_t before = PeerPair::Count<event::LocalCandidateGathered>(pair_->a);
  pair_->a.peer->HandleLocalAddresses(pair_->now, both);
  pair_->Settle();
  EXPECT_EQ(PeerPair::Count<event::LocalCandidateGathered>(pair_->a), before + 1);
  pair_->a.peer->HandleLocalAddresses(pair_->now, both);
  pair_->Settle();
  EXPECT_EQ(PeerPair::Count<event::LocalCandidateGathered>(pair_->a), before + 1) << "no news";
  EXPECT_LE(Gap(), milliseconds(60));
}

// Nothing was told to the peer, so nothing needs a restart, which there cannot be before the first round anyway.
TEST_F(PeerMobilityTest, AHostThatIsRenumberedBeforeItDescribesItselfTellsItsNewAddress) {
  for (const bool is_offerer : {true, false}) {
    pair_ = std::make_unique<PeerPair>();
    pair_->Settle();
    PeerPair::Side& side = is_offerer ? pair_->a : pair_->z;
    EXPECT_FALSE(side.peer->is_gathering());
    Renumber(side, "198.51.100.1:5000");
    EXPECT_FALSE(side.peer->is_gathering());
    bool is_told = false;
    pair_->Signal([&](bool is_offer, std::string sdp) {
      if (is_offer != is_offerer) return sdp;
      EXPECT_EQ(sdp.find("192.0.2."), std::string::npos) << sdp;
      is_told = sdp.find("198.51.100.1 5000 typ host") != std::string::npos;
      return sdp;
    });
    EXPECT_TRUE(is_told);
    ASSERT_TRUE(pair_->RunUntil([&] { return IsUp(pair_->a) && IsUp(pair_->z); }, seconds(5)));
    EXPECT_EQ(side.peer->stats().selected_pair->local.base, side.address);
  }
}

TEST_F(PeerMobilityTest, AHostThatIsRenumberedBetweenOfferAndAnswerTellsItsNewAddress) {
  pair_ = std::make_unique<PeerPair>();
  const auto offer = pair_->a.peer->CreateOffer(pair_->now);
  ASSERT_TRUE(pair_->z.peer->SetRemoteDescription(pair_->now, SdpType::kOffer, *offer));
  Renumber(pair_->z, "198.51.100.2:6000");
  const auto answer = pair_->z.peer->CreateAnswer(pair_->now);
  ASSERT_TRUE(pair_->a.peer->SetRemoteDescription(pair_->now, SdpType::kAnswer, *answer));
  ASSERT_TRUE(pair_->RunUntil([&] { return IsUp(pair_->a) && IsUp(pair_->z); }, seconds(5)));
  EXPECT_EQ(pair_->a.peer->stats().selected_pair->remote.address, pair_->z.address);
}

TEST_F(PeerMobilityTest, AnAddressThatTheFilterRefusesIsNoChange) {
  PeerOptions other;
  other.ice.mobility.renomination = false;  // a change would ask for a restart
  PeerOptions filtered;
  filtered.ice.filters.local.without = {*IpPrefix::Parse("172.17.0.0/16")};
  Connect(filtered, other);
  pair_->a.peer->HandleLocalAddresses(
      pair_->now, std::vector<LocalAddress>{{.address = pair_->a.address},
                                            {.address = *SocketAddress::Parse("172.17.0.1:5000")},
                                            {.address = *SocketAddress::Parse("169.254.3.4:5000")}});
  pair_->Settle();
  EXPECT_EQ(PeerPair::Count<event::IceRestartNeeded>(pair_->a), 0u);
  EXPECT_EQ(pair_->a.peer->stats().local_candidates.size(), 1u);
}

TEST_F(PeerMobilityTest, BothHostsAtOnceNeedARestart) {
  PeerOptions patient;
  patient.ice.mobility.restart_patience = seconds(120);
  Connect(patient, patient);
  Renumber(pair_->a, "198.51.100.1:5000");
  Renumber(pair_->z, "198.51.100.2:6000");
  (void)pair_->RunUntil([] { return false; }, seconds(40));
  EXPECT_EQ(pair_->a.peer->state(), ConnectionState::kDisconnected);
  ASSERT_TRUE(pair_->a.peer->RestartIce(pair_->now));
  ASSERT_TRUE(pair_->Signal());
  ASSERT_TRUE(pair_->RunUntil([&] { return IsUp(pair_->a) && IsUp(pair_->z); }, seconds(5)));
  EXPECT_LE(Gap(), seconds(61)) << "SCTP may have backed off that far (RFC 9260 §6.3.1)";
}

TEST_F(PeerMobilityTest, WithAnotherStackTheApplicationIsAskedToRestart) {  // RFC 8445 §9
  PeerOptions other;
  other.ice.mobility.renomination = false;
  Connect({}, other);
  Renumber(pair_->a, "198.51.100.1:5000");
  pair_->Settle();
  ASSERT_EQ(PeerPair::Count<event::IceRestartNeeded>(pair_->a), 1u);
  EXPECT_EQ(pair_->a.peer->state(), ConnectionState::kDisconnected);
  EXPECT_NE(pair_->a.peer->stats().state_reason.find("the local network is gone"), std::string::npos);
  ASSERT_TRUE(pair_->a.peer->RestartIce(pair_->now));
  ASSERT_TRUE(pair_->Signal());
  EXPECT_LE(Gap(), seconds(4));
  EXPECT_TRUE(IsUp(pair_->a) && IsUp(pair_->z));
}

TEST_F(PeerMobilityTest, AHostWithoutAnyNetworkFailsWhenConsentEndsAndSaysWhy) {  // RFC 7675 §5.1
  Connect();
  gone_.insert(pair_->a.address);
  pair_->a.peer->HandleLocalAddresses(pair_->now, {});
  pair_->Settle();
  EXPECT_EQ(pair_->a.peer->state(), ConnectionState::kDisconnected);
  const uint64_t sent = pair_->a.peer->stats().demux.datagrams_sent;
  ASSERT_TRUE(pair_->RunUntil([&] { return pair_->a.peer->state() == ConnectionState::kFailed; }, seconds(31)));
  EXPECT_EQ(pair_->a.peer->stats().demux.datagrams_sent, sent);
  EXPECT_NE(pair_->a.peer->stats().state_reason.find("consent expired"), std::string::npos);
}

TEST_F(PeerMobilityTest, X3_AHundredRenumberingsInARow) {
  constexpr size_t kMaxPairs = 10;  // what is old gives way
  PeerOptions few;
  few.ice.max_pairs = kMaxPairs;
  Connect(few, few);
  for (int i = 1; i <= 100; ++i) {
    PeerPair::Side& mover = i % 2 == 0 ? pair_->a : pair_->z;
    const PeerPair::Side& other = i % 2 == 0 ? pair_->z : pair_->a;
    Renumber(mover, "198.51.100." + std::to_string(i) + ":5000");
    const auto has_moved = [&] {
      const auto ours = mover.peer->stats().selected_pair;
      const auto theirs = other.peer->stats().selected_pair;
      return ours && theirs && ours->local.base == mover.address && theirs->remote.address == mover.address;
    };
    ASSERT_TRUE(pair_->RunUntil(has_moved, seconds(2))) << i;
    (void)Gap();
    ASSERT_TRUE(pair_->RunUntil([&] { return IsUp(pair_->a) && IsUp(pair_->z); }, seconds(5))) << i;
  }
  EXPECT_LE(pair_->a.peer->stats().pairs.size(), kMaxPairs);
}

}  // namespace
}  // namespace jsp::transport
