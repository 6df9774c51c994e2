// What a SACK costs, and what it earns.
#include <gtest/gtest.h>

#include <vector>

#include "sctp/tx/outstanding_data.h"
#include "sctp/tx/sack_test_support.h"
namespace jsp::sctp {
namespace {

using Phase = OutstandingData::RecoveryPhase;
using AckResult = OutstandingData::AckResult;

// Octets of a chunk with one octet of payload: its header and its padding.
constexpr size_t kSmallChunk = 20;

class OutstandingDataCostTest : public testing::Test {
 protected:
  OutstandingDataCostTest() { data_.SetReliability(Reliability::kPartial); }
  ~OutstandingDataCostTest() override { EXPECT_TRUE(data_.IsConsistent()); }

  // Sends a message of `octets` in pieces of `piece`.
  MessageHandle Send(size_t octets = 1, const SendOptions& options = {}, uint16_t stream = 1, size_t piece = 1000) {
    messages_.Add(At(0), MakeMessage(stream, octets), options);
    const MessageHandle handle = messages_.Front(At(0), Reliability::kFull).value();
    for (size_t left = octets; left > 0; left -= std::min(left, piece)) {
      data_.Add(messages_.Take(std::min(left, piece)));
    }
    return handle;
  }
  void SendMany(int count) {
    for (int i = 0; i < count; ++i) Send();
  }
  AckResult Apply(const Sack& sack, Phase phase = Phase::kNone, int64_t at = 0) {
    EXPECT_EQ(data_.Validate(sack.chunk()), SackVerdict::kValid);
    const AckResult result = data_.Apply(At(at), sack.chunk(), phase);
    EXPECT_TRUE(data_.IsConsistent());
    return result;
  }

  Metrics metrics_;
  SendQueue messages_{1 << 24, StreamScheduler::Policy::kFirstComeFirstServed, metrics_};
  OutstandingData data_{kFirstTsn, messages_, metrics_};
};

// C22: a SACK costs its blocks and what it changes, not the whole window. Counted in TSNs looked at.
TEST_F(OutstandingDataCostTest, C22_ManyGapsCostOnlyWhatChanges) {
  constexpr int kOutstanding = 20000;
  SendMany(kOutstanding);
  std::vector<GapAckBlock> blocks;
  for (uint16_t i = 2; i < kOutstanding - 2000; i = static_cast<uint16_t>(i + 2)) blocks.push_back({i, i});
  // Three SACKs lose every second chunk; each looks at the window once.
  for (int i = 0; i < 3; ++i) {
    blocks.push_back({static_cast<uint16_t>(blocks.back().end + 2), static_cast<uint16_t>(blocks.back().end + 2)});
    Apply(Sack(-1, blocks));
  }
  EXPECT_LE(data_.tsns_visited(), 5u * kOutstanding);
  const uint64_t before = data_.tsns_visited();
  constexpr int kSacks = 100;
  for (int i = 0; i < kSacks; ++i) {
    blocks.push_back({static_cast<uint16_t>(blocks.back().end + 2), static_cast<uint16_t>(blocks.back().end + 2)});
    ASSERT_EQ(data_.Validate(Sack(-1, blocks).chunk()), SackVerdict::kValid);
    data_.Apply(At(0), Sack(-1, blocks).chunk(), Phase::kNone);
  }
  // Each: one newly acknowledged, and the last few chunks that are not lost yet.
  EXPECT_LE(data_.tsns_visited() - before, 10u * kSacks);
}

TEST_F(OutstandingDataCostTest, C22_RepeatedSacksCostNothingBeyondTheirBlocks) {
  SendMany(10000);
  std::vector<GapAckBlock> blocks;
  for (uint16_t i = 2; i < 9000; i = static_cast<uint16_t>(i + 2)) blocks.push_back({i, i});
  Apply(Sack(-1, blocks));
  const uint64_t before = data_.tsns_visited();
  for (int i = 0; i < 50; ++i) data_.Apply(At(0), Sack(-1, blocks).chunk(), Phase::kNone);
  EXPECT_EQ(data_.tsns_visited(), before);
}

// Acknowledging, taking back and acknowledging again must not open the window twice.
TEST_F(OutstandingDataCostTest, C5_TakingBackAndAcknowledgingAgainEarnsNothing) {
  SendMany(6);
  EXPECT_EQ(Apply(Sack(0, {{2, 4}})).octets_acknowledged, 4 * kSmallChunk);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Apply(Sack(0)).octets_acknowledged, 0u);
    EXPECT_EQ(Apply(Sack(0, {{2, 4}})).octets_acknowledged, 0u);
  }
  EXPECT_EQ(Apply(Sack(5)).octets_acknowledged, 2 * kSmallChunk);
}

}  // namespace
}  // namespace jsp::sctp
