// Who connects, what ends a connection, and that a run replays.
#include <gtest/gtest.h>

#include "dtls/clock_shim.h"
#include "test/integration/whole_peers.h"

namespace jsp::integration {
namespace {

using netsim::NatType;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using transport::ConnectionState;

WholePeers::Setup Behind(NatType a, NatType z, uint64_t seed = 1) {
  WholePeers::Setup setup;
  setup.seed = seed;
  setup.layout.a = a;
  setup.layout.z = z;
  return setup;
}

TEST(ConnectionTest, PeersInTheOpenConnectHostToHost) {
  WholePeers peers(Behind(NatType::kPublic, NatType::kPublic));
  ASSERT_TRUE(peers.Connect(seconds(2)));
  const auto pair = peers.a.peer->stats().selected_pair;
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->local.type, ice::CandidateType::kHost);
  EXPECT_EQ(pair->remote.type, ice::CandidateType::kHost);
  EXPECT_TRUE(pair->nominated);
}

TEST(ConnectionTest, PeersBehindNatsConnectByReflexiveAddresses) {  // RFC 8445 §5.1.1.2
  WholePeers peers(Behind(NatType::kPort, NatType::kPort));
  ASSERT_TRUE(peers.Connect(seconds(5)));
  EXPECT_EQ(peers.a.peer->stats().selected_pair->remote.type, ice::CandidateType::kServerReflexive);
}

TEST(ConnectionTest, ASymmetricNatIsLearntFromItsChecks) {  // RFC 8445 §7.3.1.3
  WholePeers peers(Behind(NatType::kSymmetric, NatType::kAddress));
  ASSERT_TRUE(peers.Connect(seconds(5)));
  EXPECT_EQ(peers.z.peer->stats().selected_pair->remote.type, ice::CandidateType::kPeerReflexive);
}

TEST(ConnectionTest, WithoutAPathTheStateIsFailedAndSaysWhy) {  // RFC 8863 §4
  WholePeers peers(Behind(NatType::kSymmetric, NatType::kSymmetric));
  EXPECT_FALSE(peers.Connect(minutes(2)));
  EXPECT_EQ(peers.a.peer->state(), ConnectionState::kFailed);
  EXPECT_NE(peers.a.peer->stats().state_reason, "");
}

TEST(ConnectionTest, ConnectsUnderThirtyPercentLossWithManySeeds) {
  int connected = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    auto setup = Behind(NatType::kPort, NatType::kAddress, seed);
    setup.layout.a_access.loss = netsim::UniformLoss{0.15};
    setup.layout.z_access.loss = netsim::UniformLoss{0.15};
    WholePeers peers(setup);
    const bool up = peers.Connect(minutes(2));
    connected += up ? 1 : 0;
    EXPECT_TRUE(up) << "seed " << seed << ": " << peers.a.peer->stats().state_reason << " / "
                    << peers.z.peer->stats().state_reason;
  }
  EXPECT_EQ(connected, 40);
}

TEST(ConnectionTest, D11_AForgedFingerprintInTheSdpFailsBothSidesWithoutAByte) {  // RFC 8122 §6.2
  for (const bool forge_offer : {true, false}) {
    WholePeers peers({});
    const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), {.label = "secret"});
    ASSERT_TRUE(peers.a.peer->Send(peers.world.now(), channel, datachannel::MessageKind::kString, {'s'}));
    ASSERT_TRUE(peers.Signal([&](bool is_offer, std::string sdp) {
      if (is_offer != forge_offer) return sdp;
      const size_t at = sdp.find("a=fingerprint:sha-256 ") + 22;
      sdp[at] = sdp[at] == '0' ? '1' : '0';
      return sdp;
    }));
    const auto over = [](const WholePeers::Side& s) { return s.peer->state() == ConnectionState::kFailed; };
    WholePeers::Side& victim = forge_offer ? peers.z : peers.a;
    ASSERT_TRUE(peers.world.RunUntil([&] { return over(victim); }, seconds(5)));
    EXPECT_EQ(victim.peer->stats().state_reason, "fingerprint mismatch");
    EXPECT_TRUE(peers.world.RunUntil([&] { return over(peers.a) && over(peers.z); }, seconds(5)));
    peers.Read(peers.z);
    EXPECT_TRUE(peers.z.messages.empty());
    EXPECT_EQ(peers.z.peer->stats().sctp.bytes_received, 0u);
  }
}

TEST(ConnectionTest, ForgedAndGarbledDatagramsAreCountedAndHarmless) {
  WholePeers peers({});
  ASSERT_TRUE(peers.Connect());
  const auto remote = peers.a.peer->stats().selected_pair->local.base;
  Rng rng = Rng::FromNumber(5);
  const auto before = peers.z.peer->stats();
  for (int i = 0; i < 3000; ++i) {
    std::vector<uint8_t> datagram(rng.Below(1400));
    rng.Fill(datagram);
    if (!datagram.empty()) datagram[0] = static_cast<uint8_t>(i % 2 == 0 ? 20 + i % 44 : i % 20);
    peers.z.peer->HandleDatagram(peers.world.now(), peers.z.address, remote, datagram);
  }
  const auto after = peers.z.peer->stats();
  EXPECT_EQ(after.demux.datagrams_received - before.demux.datagrams_received, 3000u);
  const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), {.label = "after"});
  ASSERT_TRUE(peers.Send(peers.a, channel, {1}));
  EXPECT_TRUE(peers.RunUntilRead(1, seconds(5)));
}

TEST(ConnectionTest, ReplayedDatagramsDeliverNothingTwice) {  // RFC 6347 §4.1.2.6
  netsim::LinkOptions twice;
  twice.duplication = 1;
  WholePeers::Setup setup;
  setup.layout.a_access = twice;
  setup.layout.z_access = twice;
  WholePeers peers(setup);
  ASSERT_TRUE(peers.Connect());
  const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), {.label = "once"});
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(peers.Send(peers.a, channel, std::vector<uint8_t>(2000)));
  peers.world.RunFor(seconds(20));
  peers.Read(peers.z);
  EXPECT_EQ(peers.z.messages.size(), 50u);
}

TEST(ConnectionTest, I11_ADeadPathEndsInFailedWithinThirtySeconds) {  // RFC 7675 §5.1
  WholePeers peers({});
  ASSERT_TRUE(peers.Connect());
  const Timestamp cut = peers.world.now();
  peers.z.driver.reset();
  ASSERT_TRUE(peers.world.RunUntil([&] { return peers.a.peer->state() == ConnectionState::kFailed; }, minutes(2)));
  EXPECT_LE(peers.world.now() - cut, seconds(31));
  EXPECT_GE(peers.world.now() - cut, seconds(20));
}

TEST(ConnectionTest, AnIdleConnectionStaysUpForAnHour) {  // RFC 7675 §5.1
  WholePeers peers(Behind(NatType::kPort, NatType::kPort));
  ASSERT_TRUE(peers.Connect());
  peers.world.RunFor(minutes(60));
  EXPECT_TRUE(WholePeers::IsUp(peers.a));
  EXPECT_TRUE(WholePeers::IsUp(peers.z));
}

TEST(ConnectionTest, R9_APeerMayBeDestroyedAtAnyMoment) {
  for (int step = 0; step < 120; ++step) {
    WholePeers peers(Behind(NatType::kPort, NatType::kPublic, 2));
    (void)peers.Signal([](bool, std::string sdp) { return sdp; });
    for (int i = 0; i < step && peers.world.Step(); ++i) {
    }
    peers.z.driver.reset();
    peers.z.peer.reset();
    peers.world.RunFor(seconds(1));
  }
}

// Lengths and times of every datagram of a run; with OpenSSL's randomness seeded too, signatures have the same lengths.
std::vector<netsim::TranscriptEntry> Transcript(uint64_t seed) {
  EXPECT_TRUE(dtls::SeedOpenSslRandomForSimulation(seed));
  auto setup = Behind(NatType::kPort, NatType::kAddress, seed);
  setup.layout.a_access.jitter = milliseconds(3);
  setup.layout.z_access.loss = netsim::UniformLoss{0.05};
  WholePeers peers(setup);
  peers.world.RecordTranscript();
  EXPECT_TRUE(peers.Connect());
  const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), {.label = "replay"});
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(peers.Send(peers.a, channel, std::vector<uint8_t>(static_cast<size_t>(i) * 37)));
    peers.world.RunFor(milliseconds(10));
  }
  peers.world.RunFor(seconds(10));
  return peers.world.transcript();
}

TEST(ReplayTest, TheSameSeedGivesTheSameTranscriptOfWholePeers) {
  for (const uint64_t seed : {1, 7, 99}) {
    const auto first = Transcript(seed);
    const auto second = Transcript(seed);
    ASSERT_GT(first.size(), 200u);
    ASSERT_EQ(first.size(), second.size());
    for (size_t i = 0; i < first.size(); ++i) ASSERT_EQ(first[i], second[i]) << "datagram " << i << ", seed " << seed;
  }
  EXPECT_NE(Transcript(1), Transcript(2));
}

TEST(ReplayTest, AMinuteOfTwoPeersUnderLossDeliversEveryMessage) {
  WholePeers::Setup setup;
  setup.layout.a_access.loss = netsim::UniformLoss{0.05};
  WholePeers peers(setup);
  ASSERT_TRUE(peers.Connect());
  const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), {.label = "minute"});
  for (int i = 0; i < 6000; ++i) {
    ASSERT_TRUE(peers.Send(peers.a, channel, std::vector<uint8_t>(100)));
    peers.world.RunFor(milliseconds(10));
  }
  EXPECT_TRUE(peers.RunUntilRead(6000, seconds(30))) << peers.z.messages.size();
}

}  // namespace
}  // namespace jsp::integration
