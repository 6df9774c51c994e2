#include "turn/permission_table.h"

#include <gtest/gtest.h>
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
using Added = PermissionTable::Added;
const IpAddress kPeer = *IpAddress::Parse("198.51.100.5");

class PermissionTableTest : public ::testing::Test {
 protected:
  static IpAddress Peer(uint8_t i) { return IpAddress::V4(198, 51, 100, i); }
  Timestamp now_ = Timestamp::FromEpoch(100s);
  PermissionTable table_{3};
};

TEST_F(PermissionTableTest, IsAskedForOnceAndLastsFiveMinutes) {  // RFC 8656 §9
  EXPECT_EQ(table_.Add(now_, kPeer), Added::kNew);
  EXPECT_EQ(table_.Add(now_, kPeer), Added::kKnown);
  EXPECT_TRUE(table_.Accepts(now_, kPeer));  // data may overtake the answer
  table_.HandleGranted(now_, kPeer);
  EXPECT_EQ(table_.Find(now_ + 299s, kPeer), PermissionTable::State::kGranted);
  EXPECT_FALSE(table_.Find(now_ + 300s, kPeer));
  EXPECT_EQ(table_.Add(now_ + 300s, kPeer), Added::kNew);
}

TEST_F(PermissionTableTest, IsDueOnceBeforeItEnds) {
  table_.Add(now_, kPeer);
  table_.HandleGranted(now_, kPeer);
  EXPECT_EQ(table_.NextTimeout(), now_ + 250s);
  EXPECT_FALSE(table_.PopDue(now_ + 249s));
  EXPECT_EQ(table_.PopDue(now_ + 250s), kPeer);
  EXPECT_FALSE(table_.PopDue(now_ + 250s));
  table_.HandleTimedOut(now_ + 289s, kPeer);
  EXPECT_EQ(table_.PopDue(now_ + 289s), kPeer);
  table_.HandleTimedOut(now_ + 329s, kPeer);
  EXPECT_FALSE(table_.Accepts(now_ + 329s, kPeer));
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(PermissionTableTest, ARefusalIsRememberedForAWhile) {
  table_.Add(now_, kPeer);
  table_.HandleRefused(now_, kPeer);
  EXPECT_FALSE(table_.Accepts(now_, kPeer));
  EXPECT_EQ(table_.Add(now_ + 29s, kPeer), Added::kRefused);
  EXPECT_EQ(table_.Add(now_ + 30s, kPeer), Added::kNew);
}

TEST_F(PermissionTableTest, IsBoundedAndWhatExpiredMakesRoom) {
  for (uint8_t i = 1; i <= 3; ++i) {
    EXPECT_EQ(table_.Add(now_, Peer(i)), Added::kNew);
    table_.HandleGranted(now_, Peer(i));
  }
  EXPECT_EQ(table_.Add(now_, Peer(4)), Added::kFull);
  table_.HandleGranted(now_, Peer(4));  // a channel's: not kept, and not needed
  EXPECT_EQ(table_.size(), 3u);
  EXPECT_EQ(table_.Add(now_ + 300s, Peer(4)), Added::kNew);
  EXPECT_EQ(table_.size(), 1u);
}

TEST_F(PermissionTableTest, UnknownPeersAreIgnored) {
  table_.HandleRefused(now_, kPeer);
  table_.HandleTimedOut(now_, kPeer);
  table_.Remove(kPeer);
  EXPECT_EQ(table_.size(), 0u);
  EXPECT_EQ(table_.NextTimeout(), Timestamp::Never());
}

}  // namespace
}  // namespace jsp::turn
