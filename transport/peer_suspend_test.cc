// Whole peers whose host sleeps: no timer runs meanwhile, and on waking all are due at once.
#include <gtest/gtest.h>

#include <string>

#include "transport/peer.h"
#include "transport/testing/peer_pair.h"

namespace jsp::transport {
namespace {

using datachannel::MessageKind;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::PeerPair;

PeerOptions Patient(Duration patience) {
  PeerOptions options;
  options.ice.mobility.restart_patience = patience;
  return options;
}

bool IsUp(const PeerPair::Side& side) { return side.peer->state() == ConnectionState::kCompleted; }

TEST(PeerSuspendTest, AnHourAsleepFailsWithItsReasonWhereNobodyWaits) {  // RFC 7675 §5.1
  PeerPair pair;
  ASSERT_TRUE(pair.Connect());
  pair.now = pair.now + hours(1);
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a.peer->state() == ConnectionState::kFailed; }, seconds(1)));
  EXPECT_NE(pair.a.peer->stats().state_reason.find("consent expired"), std::string::npos);
  const uint64_t sent = pair.a.peer->stats().demux.datagrams_sent;
  (void)pair.RunUntil([] { return false; }, seconds(60));
  EXPECT_EQ(pair.a.peer->stats().demux.datagrams_sent, sent) << "what has failed says nothing any more";
}

TEST(PeerSuspendTest, AnHourAsleepLosesNothingWhereARestartFollows) {  // RFC 7675 §5.1, RFC 8445 §9
  PeerPair pair(1, Patient(seconds(30)), Patient(seconds(30)));
  ASSERT_TRUE(pair.Connect());
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "x"});
  ASSERT_TRUE(pair.RunUntil([&] { return PeerPair::Count<datachannel::event::ChannelOpenedByPeer>(pair.z) > 0; }));
  pair.cut = true;
  ASSERT_TRUE(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, {1, 2, 3}));
  pair.Settle();  // and is lost
  pair.now = pair.now + hours(1);
  pair.cut = false;
  (void)pair.RunUntil([] { return false; }, milliseconds(100));
  EXPECT_EQ(pair.a.peer->state(), ConnectionState::kDisconnected);
  EXPECT_EQ(pair.z.peer->state(), ConnectionState::kDisconnected);
  ASSERT_TRUE(pair.a.peer->RestartIce(pair.now));
  ASSERT_TRUE(pair.Signal());
  ASSERT_TRUE(pair.RunUntil([&] { return IsUp(pair.a) && IsUp(pair.z) && !pair.z.messages.empty(); }, seconds(10)));
  EXPECT_EQ(pair.z.messages[0].payload, (std::vector<uint8_t>{1, 2, 3}));
}

TEST(PeerSuspendTest, AnHourWithoutAnyNetworkIsOverAfterARestart) {  // RFC 7675 §5.1, RFC 8445 §9
  PeerPair pair(1, Patient(hours(2)), Patient(hours(2)));
  ASSERT_TRUE(pair.Connect());
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "x"});
  ASSERT_TRUE(pair.RunUntil([&] { return PeerPair::Count<datachannel::event::ChannelOpenedByPeer>(pair.z) > 0; }));
  pair.cut = true;
  (void)pair.RunUntil([] { return false; }, hours(1));
  pair.cut = false;
  EXPECT_EQ(pair.a.peer->state(), ConnectionState::kDisconnected) << pair.a.peer->stats().state_reason;
  EXPECT_EQ(pair.z.peer->state(), ConnectionState::kDisconnected) << pair.z.peer->stats().state_reason;
  ASSERT_TRUE(pair.a.peer->RestartIce(pair.now));
  ASSERT_TRUE(pair.Signal());
  ASSERT_TRUE(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, {4}));
  ASSERT_TRUE(pair.RunUntil([&] { return IsUp(pair.a) && IsUp(pair.z) && !pair.z.messages.empty(); }, seconds(10)));
}

}  // namespace
}  // namespace jsp::transport
