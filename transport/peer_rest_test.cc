// While a connection rests only consent is looked at; nothing else may be forgotten over it.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "transport/testing/peer_pair.h"

namespace jsp::transport {
namespace {

using datachannel::MessageKind;
using testing::PeerPair;
using namespace std::chrono_literals;

class PeerRestTest : public ::testing::Test {
 protected:
  void SetUp() override {
    channel_ = *pair_.a.peer->OpenChannel(pair_.now, {.label = "rest"});
    ASSERT_TRUE(pair_.Connect());
    Rest(10min);
    pair_.a.events.clear();
    pair_.z.events.clear();
  }
  void Rest(Duration duration) {
    (void)pair_.RunUntil([] { return false; }, duration);
  }
  void Send(Peer& from) {
    const Payload octets(std::vector<uint8_t>(10'000, 7));
    ASSERT_TRUE(from.Send(pair_.now, channel_, MessageKind::kBinary, octets.Clone()));
  }

  PeerPair pair_;
  datachannel::ChannelId channel_{};
};

TEST_F(PeerRestTest, ConsentAndHeartbeatsGoOn) {
  for (const auto* side : {&pair_.a, &pair_.z}) {
    const PeerStats stats = side->peer->stats();
    EXPECT_EQ(stats.state, ConnectionState::kCompleted);
    EXPECT_GT(stats.ice.consent_requests_sent, 100u);  // one every 4 to 6 s, RFC 7675 §5.1
    // HEARTBEAT and HEARTBEAT ACK, one every 30 s and RTO (RFC 9260 §8.3), of both sides.
    EXPECT_GT(stats.sctp.packets_sent, 30u);
    EXPECT_EQ(stats.sctp.retransmitted_chunks, 0u);
  }
}

TEST_F(PeerRestTest, MessagesLeaveAndArriveAtOnce) {
  for (int i = 0; i < 3; ++i) {
    const Timestamp sent = pair_.now;
    Send(*pair_.a.peer);
    ASSERT_TRUE(pair_.RunUntil([&] { return !pair_.z.messages.empty(); }, 5s));
    EXPECT_LT(pair_.now - sent, 200ms);
    pair_.z.messages.clear();
    Rest(1min + i * 7s);
  }
  const Timestamp sent = pair_.now;
  Send(*pair_.z.peer);
  ASSERT_TRUE(pair_.RunUntil([&] { return !pair_.a.messages.empty(); }, 5s));
  EXPECT_LT(pair_.now - sent, 200ms);
}

TEST_F(PeerRestTest, ChannelsOpenAndClose) {
  const auto other = pair_.z.peer->OpenChannel(pair_.now, {.label = "later"});
  ASSERT_TRUE(other);
  EXPECT_TRUE(
      pair_.RunUntil([&] { return PeerPair::Count<datachannel::event::ChannelOpenedByPeer>(pair_.a) == 1; }, 1s));
  Rest(1min);
  pair_.a.peer->CloseChannel(pair_.now, channel_);
  EXPECT_TRUE(pair_.RunUntil([&] { return PeerPair::Count<datachannel::event::ChannelClosed>(pair_.z) == 1; }, 1s));
}

TEST_F(PeerRestTest, ALostPathIsNoticedAndComesBack) {
  pair_.cut = true;
  EXPECT_TRUE(pair_.RunUntil([&] { return pair_.a.peer->state() == ConnectionState::kDisconnected; }, 30s));
  pair_.cut = false;
  const auto is_back = [&] { return pair_.a.peer->state() == ConnectionState::kCompleted; };
  EXPECT_TRUE(pair_.RunUntil(is_back, 10s));
  Send(*pair_.a.peer);
  EXPECT_TRUE(pair_.RunUntil([&] { return !pair_.z.messages.empty(); }, 10s));
}

TEST_F(PeerRestTest, AnOwnerThatWasHeldUpSendsNothingWithoutConsent) {  // RFC 7675 §5.1
  pair_.now = pair_.now + 31s;
  Peer& a = *pair_.a.peer;
  Send(a);
  std::array<uint8_t, Peer::kMaxDatagram> datagram;
  while (a.PollTransmit(pair_.now, datagram)) EXPECT_LT(datagram[0], 4) << "STUN, RFC 7983 §7";
  EXPECT_EQ(a.state(), ConnectionState::kCompleted) << "an answer may have arrived";
  a.HandleTimeout(pair_.now);
  EXPECT_EQ(a.state(), ConnectionState::kFailed);
  EXPECT_FALSE(a.PollTransmit(pair_.now, datagram));
}

TEST_F(PeerRestTest, AGoodbyeIsHeard) {
  pair_.z.peer->Close(pair_.now);
  pair_.Settle();
  EXPECT_TRUE(pair_.RunUntil([&] { return pair_.a.peer->state() == ConnectionState::kClosed; }, 1s));
}

TEST_F(PeerRestTest, IceRestarts) {
  ASSERT_TRUE(pair_.a.peer->RestartIce(pair_.now));
  ASSERT_TRUE(pair_.Signal());
  Rest(1min);
  EXPECT_EQ(pair_.a.peer->state(), ConnectionState::kCompleted);
  Send(*pair_.a.peer);
  EXPECT_TRUE(pair_.RunUntil([&] { return !pair_.z.messages.empty(); }, 1s));
}

}  // namespace
}  // namespace jsp::transport
