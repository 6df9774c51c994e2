#include "turn/channel_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/rng.h"
#include "turn/types.h"
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
const SocketAddress kPeer = *SocketAddress::Parse("198.51.100.5:7000");
const SocketAddress kOther = *SocketAddress::Parse("198.51.100.6:7000");

class ChannelTableTest : public ::testing::Test {
 protected:
  Timestamp now_ = Timestamp::FromEpoch(100s);
  ChannelTable table_{2};
};

TEST_F(ChannelTableTest, APeerHasOneNumber) {  // RFC 8656 §12
  const auto* first = table_.Add(now_, kPeer);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->number, kFirstChannel);
  EXPECT_EQ(table_.Add(now_, kPeer)->number, kFirstChannel);
  EXPECT_EQ(table_.Add(now_, kOther)->number.value, 0x4001);
  EXPECT_EQ(table_.size(), 2u);
  EXPECT_EQ(table_.FindByNumber(now_, {0x4001})->peer, kOther);
  EXPECT_EQ(table_.FindByNumber(now_, {0x4002}), nullptr);
  EXPECT_EQ(table_.FindByNumber(now_, {0x3fff}), nullptr);
}

TEST_F(ChannelTableTest, ABindingLastsTenMinutes) {  // RFC 8656 §12
  table_.Add(now_, kPeer);
  table_.HandleBound(now_, kFirstChannel);
  EXPECT_EQ(table_.FindByPeer(now_ + 599s, kPeer)->state, ChannelTable::State::kBound);
  EXPECT_EQ(table_.FindByPeer(now_ + 600s, kPeer), nullptr);
}

TEST_F(ChannelTableTest, IsRefreshedOnceForItsPermission) {  // RFC 8656 §9, §12.1
  table_.Add(now_, kPeer);
  table_.HandleBound(now_, kFirstChannel);
  EXPECT_EQ(table_.NextTimeout(), now_ + 240s);
  EXPECT_EQ(table_.PopDue(now_ + 239s), nullptr);
  EXPECT_NE(table_.PopDue(now_ + 240s), nullptr);
  EXPECT_EQ(table_.PopDue(now_ + 240s), nullptr);
  table_.HandleTimedOut(now_ + 280s, kFirstChannel);
  EXPECT_NE(table_.PopDue(now_ + 280s), nullptr);  // once more, while it lasts
}

TEST_F(ChannelTableTest, ANumberWaitsFiveMinutesForAnotherPeer) {  // RFC 8656 §12
  table_.Add(now_, kPeer);
  table_.HandleBound(now_, kFirstChannel);
  table_.Add(now_, kOther);
  const SocketAddress third = *SocketAddress::Parse("198.51.100.7:7000");
  EXPECT_EQ(table_.Add(now_ + 601s, third), nullptr);
  EXPECT_EQ(table_.Add(now_ + 899s, third), nullptr);
  EXPECT_EQ(table_.Add(now_ + 900s, third)->number, kFirstChannel);
  EXPECT_EQ(table_.FindByPeer(now_ + 900s, kPeer), nullptr);
}

TEST_F(ChannelTableTest, TheSamePairMayBeBoundAgainAtOnce) {  // RFC 8656 §12: only another pair has to wait
  table_.Add(now_, kPeer);
  table_.HandleBound(now_, kFirstChannel);
  const auto* again = table_.Add(now_ + 700s, kPeer);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->number, kFirstChannel);
  EXPECT_EQ(again->state, ChannelTable::State::kRequested);
}

TEST_F(ChannelTableTest, ARefusedPairCoolsDown) {  // the answer to a ChannelBind may have been lost
  table_.Add(now_, kPeer);
  table_.HandleRefused(now_, kFirstChannel);
  EXPECT_EQ(table_.FindByNumber(now_, kFirstChannel), nullptr);
  EXPECT_EQ(table_.Add(now_ + 899s, kPeer), nullptr);
  EXPECT_NE(table_.Add(now_ + 900s, kPeer), nullptr);
}

TEST_F(ChannelTableTest, AForgottenChannelExpires) {
  table_.Add(now_, kPeer);
  table_.HandleBound(now_, kFirstChannel);
  table_.Forget(now_, kPeer);
  EXPECT_EQ(table_.NextTimeout(), Timestamp::Never());
  EXPECT_NE(table_.FindByPeer(now_ + 599s, kPeer), nullptr);
  EXPECT_EQ(table_.FindByPeer(now_ + 600s, kPeer), nullptr);
  table_.Forget(now_, kOther);  // unknown: nothing
}

TEST_F(ChannelTableTest, RandomCommandsKeepItConsistent) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng = Rng::FromNumber(seed);
    ChannelTable table(8);
    Timestamp now = now_;
    for (int i = 0; i < 2000; ++i) {
      now = now + std::chrono::seconds(rng.Below(120));
      const SocketAddress peer{IpAddress::V4(10, 0, 0, static_cast<uint8_t>(rng.Below(16))), 1};
      const ChannelNumber number{static_cast<uint16_t>(kFirstChannel.value + rng.Below(10))};
      switch (rng.Below(6)) {
        case 0:
          table.HandleBound(now, number);
          break;
        case 1:
          table.HandleRefused(now, number);
          break;
        case 2:
          table.HandleTimedOut(now, number);
          break;
        case 3:
          table.Forget(now, peer);
          break;
        case 4:
          while (table.PopDue(now)) {
          }
          break;
        default:
          (void)table.Add(now, peer);
      }
      ASSERT_LE(table.size(), 8u);
      for (uint16_t n = 0; n < 8; ++n) {
        const auto* channel = table.FindByNumber(now, {static_cast<uint16_t>(kFirstChannel.value + n)});
        if (channel == nullptr) continue;
        ASSERT_EQ(table.FindByPeer(now, channel->peer), channel);
      }
    }
  }
}

}  // namespace
}  // namespace jsp::turn
