#include "ice/agent.h"

#include <gtest/gtest.h>

#include "ice/agent_test_support.h"
#include "ice/priority.h"
namespace jsp::ice {
namespace {

using Side = AgentPair::Side;

TEST(AgentTest, ConnectsOnALanInOneRoundTripOfChecksAndOneOfNomination) {
  AgentPair pair;
  pair.Start();
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a().selected_pair().has_value(); }, 1s));
  EXPECT_EQ(pair.now(), At(20ms));  // one round trip: the first check did not wait for Ta
  EXPECT_EQ(pair.a().state(), State::kConnected);
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a().state() == State::kCompleted; }, 1s));
  EXPECT_EQ(pair.now(), At(40ms));
  ASSERT_TRUE(pair.RunUntilCompleted(10ms));
  EXPECT_TRUE(pair.a().selected_pair()->nominated);
  EXPECT_TRUE(pair.z().selected_pair()->nominated);
  EXPECT_EQ(pair.a().selected_pair()->remote.address, Address("192.0.2.2:6000"));
  EXPECT_EQ(pair.z().selected_pair()->remote.address, Address("192.0.2.1:5000"));
}

}  // namespace
}  // namespace jsp::ice
