#include <gtest/gtest.h>

#include <chrono>

#include "test/interop/usrsctp_pair.h"
namespace jsp::interop {
namespace {

using namespace std::chrono_literals;
using sctp::ChunkType;
using sctp::Ppid;
using sctp::StreamId;

// Explicit Congestion Notification (RFC 3168), which usrsctp offers by itself, over a path that marks.
class UsrsctpEcnTest : public testing::Test {
 protected:
  static UsrsctpPair::Config Config(double marks) {
    UsrsctpPair::Config config;
    config.ours.ecn = true;
    config.link = {.marks = marks};
    config.seed = 71;
    return config;
  }
};

TEST_F(UsrsctpEcnTest, ItEchoesOurMarksUntilWeAnswer) {  // RFC 3168 §6.1.3
  UsrsctpPair pair(Config(0.05));
  ASSERT_TRUE(pair.Connect());
  EXPECT_TRUE(pair.Event<sctp::event::Connected>()->ecn);
  for (size_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(1), Ppid(53), Payload(50'000, i)}));
  }
  ASSERT_TRUE(pair.RunUntil([&] { return pair.usrsctp().received.size() == 20; }, 1min));
  EXPECT_GT(pair.chunks(Sender::kUsrsctp, ChunkType::kEcne), 0u);
  EXPECT_GT(pair.chunks(Sender::kOurs, ChunkType::kCwr), 0u);
  EXPECT_GT(pair.ours().metrics().ecn_reductions, 0u);
  EXPECT_EQ(pair.ours().metrics().dropped[static_cast<size_t>(sctp::DropReason::kBadEcne)], 0u);
  EXPECT_EQ(pair.ours().metrics().dropped[static_cast<size_t>(sctp::DropReason::kBadChunk)], 0u);
  pair.set_link({});
  const size_t echoes = pair.chunks(Sender::kUsrsctp, ChunkType::kEcne);
  ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(1), Ppid(53), Payload(50'000, 0)}));
  pair.Run(5s);
  EXPECT_LE(pair.chunks(Sender::kUsrsctp, ChunkType::kEcne), echoes + 8);
}

TEST_F(UsrsctpEcnTest, ItSlowsDownAtOurEchoesAndAnswersThem) {  // RFC 3168 §6.1.2
  UsrsctpPair pair(Config(0.05));
  ASSERT_TRUE(pair.Connect());
  for (size_t i = 0; i < 20; ++i) ASSERT_TRUE(pair.usrsctp().Send(1, 53, Payload(50'000, i)));
  ASSERT_TRUE(pair.RunUntil([&] { return pair.received.size() == 20; }, 1min));
  EXPECT_GT(pair.ours().metrics().ce_received, 10u);
  EXPECT_GT(pair.chunks(Sender::kOurs, ChunkType::kEcne), 0u);
  EXPECT_GT(pair.chunks(Sender::kUsrsctp, ChunkType::kCwr), 0u);
  EXPECT_GT(UsrsctpStack::Get().Statistics().sctps_ecnereducedcwnd, 0u);
  // With its last answer the echoes end.
  pair.set_link({});
  pair.Run(5s);
  const size_t echoes = pair.chunks(Sender::kOurs, ChunkType::kEcne);
  ASSERT_TRUE(pair.usrsctp().Send(1, 53, Payload(50'000, 0)));
  ASSERT_TRUE(pair.RunUntil([&] { return pair.received.size() == 21; }, 1min));
  EXPECT_LE(pair.chunks(Sender::kOurs, ChunkType::kEcne), echoes + 1);
}

}  // namespace
}  // namespace jsp::interop
