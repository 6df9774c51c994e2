#include "transport/connection_race.h"

#include <gtest/gtest.h>
namespace jsp::transport {
namespace {

using std::chrono::milliseconds;

const SocketAddress kV4a = *SocketAddress::Parse("192.0.2.1:3478");
const SocketAddress kV4b = *SocketAddress::Parse("192.0.2.2:3478");
const SocketAddress kV4c = *SocketAddress::Parse("192.0.2.3:3478");
const SocketAddress kV6a = *SocketAddress::Parse("[2001:db8::1]:3478");
const SocketAddress kV6b = *SocketAddress::Parse("[2001:db8::2]:3478");

Timestamp At(int ms) { return Timestamp::FromEpoch(milliseconds(1000 + ms)); }

TEST(InterleaveFamiliesTest, TakesTurnsAndKeepsTheOrderOfEachFamily) {  // RFC 8305 §4
  EXPECT_EQ(InterleaveFamilies({kV6a, kV6b, kV4a, kV4b, kV4c}),
            (std::vector<SocketAddress>{kV6a, kV4a, kV6b, kV4b, kV4c}));
  EXPECT_EQ(InterleaveFamilies({kV4a, kV6a}), (std::vector<SocketAddress>{kV4a, kV6a}));
  EXPECT_EQ(InterleaveFamilies({kV4b, kV4a}), (std::vector<SocketAddress>{kV4b, kV4a}));
  EXPECT_TRUE(InterleaveFamilies({}).empty());
}

TEST(ConnectionRaceTest, StartsOneAttemptEvery250Milliseconds) {  // RFC 8305 §5, §8
  ConnectionRace race(3);
  EXPECT_FALSE(race.PollAttempt(At(0)));  // not started
  race.Start(At(0));
  EXPECT_EQ(race.PollAttempt(At(0)), 0u);
  EXPECT_FALSE(race.PollAttempt(At(0)));
  EXPECT_EQ(race.NextTimeout(), At(250));
  EXPECT_FALSE(race.PollAttempt(At(249)));
  EXPECT_EQ(race.PollAttempt(At(250)), 1u);
  EXPECT_EQ(race.PollAttempt(At(500)), 2u);
  EXPECT_FALSE(race.has_more());
  EXPECT_EQ(race.NextTimeout(), Timestamp::Never());
  EXPECT_FALSE(race.PollAttempt(At(10000)));
}

TEST(ConnectionRaceTest, AFailureStartsTheNextAtOnce) {
  ConnectionRace race(3);
  race.Start(At(0));
  EXPECT_EQ(race.PollAttempt(At(0)), 0u);
  race.HandleFailed(At(30));
  EXPECT_EQ(race.PollAttempt(At(30)), 1u);
  EXPECT_EQ(race.NextTimeout(), At(280));
}

TEST(ConnectionRaceTest, NothingIsBegunAfterOneHasWonUnlessItFails) {
  ConnectionRace race(2);
  race.Start(At(0));
  EXPECT_EQ(race.PollAttempt(At(0)), 0u);
  race.HandleWon();
  EXPECT_EQ(race.NextTimeout(), Timestamp::Never());
  EXPECT_FALSE(race.PollAttempt(At(5000)));
  race.HandleFailed(At(5000));
  EXPECT_EQ(race.PollAttempt(At(5000)), 1u);
}

}  // namespace
}  // namespace jsp::transport
