// What a peer holds that nobody uses: ten thousand of them are to fit into one process. OpenSSL's objects, which
// SessionTest counts, are not among it.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>

#include "test/support/allocations.h"
#include "transport/testing/peer_pair.h"

namespace jsp::transport {
namespace {

using std::chrono::seconds;
using testing::PeerPair;

// Octets that go with the peer.
size_t Held(std::unique_ptr<Peer>& peer) {
  const size_t before = CountAllocations().octets;
  peer.reset();
  return before - CountAllocations().octets;
}

class PeerIdleMemoryTest : public ::testing::Test {
 protected:
  // Connected, with one channel, of which `messages` have come and gone; then left alone.
  bool LeaveIdle(size_t messages) {
    const auto channel = pair_.a.peer->OpenChannel(pair_.now, {.label = "idle"});
    if (!channel || !pair_.Connect()) return false;
    const auto is_open = [&] { return pair_.a.peer->channel_state(*channel) == datachannel::ChannelState::kOpen; };
    if (!pair_.RunUntil(is_open)) return false;
    for (size_t i = 0; i < messages; ++i) {
      Payload payload(pair_.a.peer->pool());
      payload.assign(1000, 'a');
      (void)pair_.a.peer->Send(pair_.now, *channel, datachannel::MessageKind::kBinary, std::move(payload));
    }
    (void)pair_.RunUntil([&] { return pair_.z.messages.size() == messages; });
    pair_.z.messages.clear();
    (void)pair_.RunUntil([] { return false; }, seconds(40));
    return pair_.a.peer->state() == ConnectionState::kCompleted;
  }

  PeerPair pair_;
};

constexpr size_t kBudget = 16 * 1024;  // with options of its own, which peers of one driver share

TEST_F(PeerIdleMemoryTest, AnIdlePeerHoldsLittle) {
  ASSERT_TRUE(LeaveIdle(0));
  EXPECT_LE(Held(pair_.a.peer), kBudget);
  EXPECT_LE(Held(pair_.z.peer), kBudget);
}

TEST_F(PeerIdleMemoryTest, WhatMessagesTookIsGivenBack) {
  ASSERT_TRUE(LeaveIdle(2000));
  EXPECT_LE(Held(pair_.a.peer), kBudget);
  EXPECT_LE(Held(pair_.z.peer), kBudget);
}

TEST(PeerOptionsTest, PeersThatShareTheirOptionsHoldNoCopyOfThem) {
  const Timestamp now = Timestamp::FromEpoch(seconds(100));
  Rng rng = Rng::FromNumber(1);
  PeerOptions options;
  options.certificate = *dtls::Certificate::Generate();
  auto own = std::make_unique<Peer>(options, rng, now);
  const auto shared = std::make_shared<const SettledPeerOptions>(options);
  auto sharing = std::make_unique<Peer>(shared, rng, now);
  EXPECT_GE(Held(own), Held(sharing) + sizeof(PeerOptions));
}

TEST(PeerOptionsTest, WhatPeersDoWithOptionsIsDoneOnce) {
  PeerOptions options;
  options.path_mtu_discovery = true;
  options.ecn = false;
  options.sctp.ecn = true;
  options.sctp.max_packet_size = 9000;
  options.ice.pacing_interval = std::chrono::milliseconds(1);
  const SettledPeerOptions settled(options);
  EXPECT_TRUE(settled.sctp.path_mtu_discovery);
  EXPECT_FALSE(settled.sctp.ecn);
  EXPECT_EQ(settled.sctp.max_packet_size, 2048u);
  EXPECT_EQ(settled.ice.pacing_interval, std::chrono::milliseconds(5));  // RFC 8445 §14.2
  EXPECT_EQ(SettledPeerOptions(settled), settled);
  EXPECT_NE(SettledPeerOptions(options), static_cast<const PeerOptions&>(options));
}

}  // namespace
}  // namespace jsp::transport
