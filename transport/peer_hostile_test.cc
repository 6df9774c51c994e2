// Whole peers against bad days and strangers (numbers of test/conformance/hostile.tsv).
#include <gtest/gtest.h>

#include <string>

#include "transport/demux.h"
#include "transport/peer.h"
#include "transport/testing/peer_pair.h"

namespace jsp::transport {
namespace {

using datachannel::MessageKind;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::PeerPair;

bool IsConnected(const PeerPair& pair) {
  return pair.a.peer->state() == ConnectionState::kCompleted && pair.z.peer->state() == ConnectionState::kCompleted;
}

bool IsDtls(const PeerPair::Packet& packet) { return ClassifyPacket(packet.bytes) == PacketKind::kDtls; }

TEST(PeerHostileTest, I4_AClientHelloThatOvertakesTheAnswerIsKept) {  // RFC 8842 §5.2
  PeerPair pair;
  const auto offer = pair.a.peer->CreateOffer(pair.now);
  ASSERT_TRUE(offer && pair.z.peer->SetRemoteDescription(pair.now, SdpType::kOffer, *offer));
  const auto answer = pair.z.peer->CreateAnswer(pair.now);
  ASSERT_TRUE(answer);
  // The answerer checks, is answered, and says ClientHello; its answer is still under way.
  bool has_arrived = false;
  (void)pair.RunUntil(
      [&] {
        if (!pair.wire.empty()) has_arrived = has_arrived || IsDtls(pair.wire.front());
        return has_arrived && pair.wire.empty();
      },
      milliseconds(80));
  ASSERT_TRUE(has_arrived);
  ASSERT_TRUE(pair.a.peer->SetRemoteDescription(pair.now, SdpType::kAnswer, *answer));
  pair.Settle();
  const Timestamp start = pair.now;
  ASSERT_TRUE(pair.RunUntil([&] { return IsConnected(pair); }, seconds(5)));
  // Two round trips of 20 ms for the rest of the handshake, two of SCTP, two of checks; a lost ClientHello would be
  // repeated after a timeout only.
  EXPECT_LE(pair.now - start, milliseconds(120));
  EXPECT_EQ(pair.z.peer->stats().dtls.retransmissions, 0u);
}

TEST(PeerHostileTest, I6_NothingButStunBeforeAPairIsValidAndNoSctpBeforeDtls) {  // RFC 8445 §12, RFC 8261 §6.1
  PeerPair pair;
  ASSERT_TRUE(pair.a.peer->OpenChannel(pair.now, {.label = "x"}));
  ASSERT_TRUE(pair.Signal());
  const auto check = [](const PeerPair::Side& side) {
    const auto stats = side.peer->stats();
    if (stats.dtls.datagrams_sent > 0) {
      EXPECT_TRUE(stats.timings.ice_connected);
    }
    if (stats.sctp.packets_sent > 0) {
      EXPECT_TRUE(stats.timings.dtls_connected);
    }
  };
  ASSERT_TRUE(pair.RunUntil([&] {
    check(pair.a);
    check(pair.z);
    return IsConnected(pair);
  }));
  // Where no check is ever answered, nothing else leaves for half a minute.
  PeerPair dead;
  dead.Signal([](bool, std::string sdp) {
    const size_t at = sdp.find("a=ice-pwd:") + 10;
    sdp[at] = sdp[at] == 'A' ? 'B' : 'A';
    return sdp;
  });
  (void)dead.RunUntil([] { return false; }, seconds(30));
  EXPECT_GT(dead.a.peer->stats().demux.datagrams_sent, 3u);
  EXPECT_EQ(dead.a.peer->stats().dtls.datagrams_sent + dead.z.peer->stats().dtls.datagrams_sent, 0u);
}

TEST(PeerHostileTest, I7_DataFromElsewhereMovesNothing) {  // RFC 8445 §12.1
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "x"});
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a.peer->channel_state(channel) == datachannel::ChannelState::kOpen; }));
  pair.Settle();
  pair.wire.clear();
  // A genuine record of `a`, which somebody on the path sends from an address of their own before it arrives.
  ASSERT_TRUE(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, {1, 2, 3}));
  pair.Settle();
  ASSERT_FALSE(pair.wire.empty());
  const PeerPair::Packet genuine = pair.wire.front();
  ASSERT_TRUE(genuine.to_z && IsDtls(genuine));
  pair.wire.clear();
  const SocketAddress stranger = *SocketAddress::Parse("203.0.113.9:9");
  const uint64_t before = pair.z.peer->stats().demux.dropped_not_validated;
  pair.z.peer->HandleDatagram(pair.now, genuine.to, stranger, genuine.bytes);
  EXPECT_EQ(pair.z.peer->stats().demux.dropped_not_validated, before + 1);
  bool all_to_a = true;
  const auto look = [&] {
    for (const auto& packet : pair.wire) all_to_a = all_to_a && (packet.to_z || packet.to == pair.a.address);
    return pair.z.messages.size() == 1;
  };
  EXPECT_TRUE(pair.RunUntil(look)) << "the repetition arrives";
  EXPECT_TRUE(all_to_a);
}

TEST(PeerHostileTest, X2_AnHourAsleepEndsTheConnectionWithoutAStorm) {  // RFC 7675 §5.1
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "x"});
  ASSERT_TRUE(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, std::vector<uint8_t>(100'000)));
  pair.Settle();
  const uint64_t before = pair.a.peer->stats().demux.datagrams_sent;
  pair.now = pair.now + std::chrono::hours(1);
  pair.wire.clear();
  (void)pair.RunUntil([] { return false; }, seconds(10));
  EXPECT_EQ(pair.a.peer->state(), ConnectionState::kFailed);
  EXPECT_EQ(pair.z.peer->state(), ConnectionState::kFailed);
  EXPECT_LT(pair.a.peer->stats().demux.datagrams_sent - before, 10u);
  // A clock that runs backwards is the last time.
  pair.a.peer->HandleTimeout(Timestamp::FromEpoch(seconds(1)));
  EXPECT_EQ(pair.a.peer->state(), ConnectionState::kFailed);
}

}  // namespace
}  // namespace jsp::transport
