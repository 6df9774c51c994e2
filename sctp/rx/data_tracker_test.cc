#include "sctp/rx/data_tracker.h"

#include <gtest/gtest.h>

#include <vector>

#include "sctp/rx/rx_test_support.h"
namespace jsp::sctp {
namespace {

constexpr size_t kRoom = 1024;

std::vector<GapAckBlock> Gaps(const SackChunk& sack) {
  std::vector<GapAckBlock> gaps;
  for (GapAckBlock block : sack.gap_ack_blocks) gaps.push_back(block);
  return gaps;
}
std::vector<Tsn> Duplicates(const SackChunk& sack) {
  std::vector<Tsn> duplicates;
  for (Tsn tsn : sack.duplicate_tsns) duplicates.push_back(tsn);
  return duplicates;
}

// Each test: the peer's initial TSN is 2^32 − 2.
class DataTrackerTest : public testing::Test {
 protected:
  // One packet with these chunks.
  SackDecision Packet(std::initializer_list<int64_t> offsets, AckRequest request = AckRequest::kNormal) {
    for (int64_t offset : offsets) tracker_.Observe(TsnAt(offset), request);
    EXPECT_TRUE(tracker_.IsConsistent());
    return tracker_.HandlePacketEnd();
  }
  void Send() {
    (void)tracker_.MakeSack(0, kRoom);
    tracker_.HandleSackSent();
  }
  // Receives TSNs 0 … `last` in order and acknowledges them.
  void ReceiveUpTo(int64_t last) {
    for (int64_t offset = 0; offset <= last; ++offset) Packet({offset});
    Send();
  }

  DataTracker tracker_{kInitialTsn};
};

TEST_F(DataTrackerTest, BeforeAnyDataTheCumulativeAckIsTheInitialTsnMinusOne) {  // RFC 9260 §3.3.4
  const SackChunk sack = tracker_.MakeSack(4711, kRoom);
  EXPECT_EQ(sack.cumulative_tsn_ack, Tsn(0xfffffffd));
  EXPECT_EQ(sack.a_rwnd, 4711u);
  EXPECT_TRUE(sack.gap_ack_blocks.empty());
  EXPECT_TRUE(sack.duplicate_tsns.empty());
  EXPECT_EQ(tracker_.HandlePacketEnd(), SackDecision::kNone);
}

TEST_F(DataTrackerTest, C19_CumulativeAckMovesOverTheWrap) {
  for (int64_t offset = 0; offset < 5; ++offset) EXPECT_EQ(tracker_.Observe(TsnAt(offset)), Arrival::kNext);
  EXPECT_EQ(tracker_.MakeSack(0, kRoom).cumulative_tsn_ack, Tsn(2));
  EXPECT_FALSE(tracker_.has_gaps());
}

TEST_F(DataTrackerTest, C19_UnwrapsAroundTheCumulativeAck) {
  EXPECT_EQ(tracker_.Unwrap(Tsn(0xfffffffe)), TsnAt(0));
  EXPECT_EQ(tracker_.Unwrap(Tsn(0xffffffff)), TsnAt(1));
  EXPECT_EQ(tracker_.Unwrap(Tsn(0)), TsnAt(2));
  EXPECT_EQ(tracker_.Unwrap(Tsn(0xfffffffd)), TsnAt(-1));
  EXPECT_EQ(tracker_.Unwrap(Tsn(0x80000000)), TsnAt(0x80000000LL - 0xfffffffeLL));
  ReceiveUpTo(9);
  EXPECT_EQ(tracker_.Unwrap(Tsn(0xffffffff)), TsnAt(1));
  EXPECT_EQ(tracker_.Unwrap(Tsn(100)), TsnAt(102));
}

TEST_F(DataTrackerTest, C19_UnwrapsATsnOfEveryCycle) {
  UnwrappedTsn last = TsnAt(-1);
  // Two and a half cycles in strides of what FORWARD TSN may skip.
  for (int step = 0; step < 170000; ++step) {
    const UnwrappedTsn next = tracker_.Unwrap(Tsn(last.Wrap().value + 0xffff));
    ASSERT_EQ(next.DistanceFrom(last), 0xffff);
    ASSERT_TRUE(tracker_.HandleForwardTsn(next));
    last = next;
  }
  EXPECT_EQ(tracker_.cumulative(), last);
  EXPECT_TRUE(tracker_.IsConsistent());
}

TEST_F(DataTrackerTest, ReportsTheGapsOfTheExample) {  // RFC 9260 §3.3.4: 10, 11, 12, 14, 15 and 17 arrived
  for (int64_t offset : {0, 1, 2, 4, 5, 7}) tracker_.Observe(TsnAt(offset));
  const SackChunk sack = tracker_.MakeSack(4660, kRoom);
  EXPECT_EQ(sack.cumulative_tsn_ack, Tsn(0));
  EXPECT_EQ(Gaps(sack), (std::vector<GapAckBlock>{{2, 3}, {5, 5}}));
}

TEST_F(DataTrackerTest, FillingTheGapMovesOverAllThatWasReceived) {
  for (int64_t offset : {3, 1, 2, 5}) tracker_.Observe(TsnAt(offset));
  EXPECT_EQ(tracker_.cumulative(), TsnAt(-1));
  EXPECT_EQ(tracker_.Observe(TsnAt(0)), Arrival::kNext);
  EXPECT_EQ(tracker_.cumulative(), TsnAt(3));
  EXPECT_EQ(Gaps(tracker_.MakeSack(0, kRoom)), (std::vector<GapAckBlock>{{2, 2}}));
  EXPECT_EQ(tracker_.Observe(TsnAt(4)), Arrival::kNext);
  EXPECT_EQ(tracker_.cumulative(), TsnAt(5));
  EXPECT_FALSE(tracker_.has_gaps());
  EXPECT_TRUE(tracker_.IsConsistent());
}

TEST_F(DataTrackerTest, ClassifiesWithoutRecording) {
  for (int64_t offset : {0, 3, 5}) tracker_.Observe(TsnAt(offset));
  for (int repeat = 0; repeat < 2; ++repeat) {
    EXPECT_EQ(tracker_.Classify(TsnAt(-7)), Arrival::kDuplicate);
    EXPECT_EQ(tracker_.Classify(TsnAt(0)), Arrival::kDuplicate);
    EXPECT_EQ(tracker_.Classify(TsnAt(1)), Arrival::kNext);
    EXPECT_EQ(tracker_.Classify(TsnAt(2)), Arrival::kFillsGap);
    EXPECT_EQ(tracker_.Classify(TsnAt(3)), Arrival::kDuplicate);
    EXPECT_EQ(tracker_.Classify(TsnAt(4)), Arrival::kFillsGap);
    EXPECT_EQ(tracker_.Classify(TsnAt(5)), Arrival::kDuplicate);
    EXPECT_EQ(tracker_.Classify(TsnAt(6)), Arrival::kAhead);
  }
}

TEST_F(DataTrackerTest, C22_RefusesATsnThatNoSackCouldReport) {  // offsets of 16 bits, RFC 9260 §3.3.4
  EXPECT_EQ(tracker_.Observe(TsnAt(0xffff)), Arrival::kTooFar);
  EXPECT_EQ(tracker_.HandlePacketEnd(), SackDecision::kNone);
  EXPECT_FALSE(tracker_.has_gaps());
  EXPECT_EQ(tracker_.Observe(TsnAt(0xfffe)), Arrival::kAhead);
  EXPECT_EQ(Gaps(tracker_.MakeSack(0, kRoom)), (std::vector<GapAckBlock>{{0xffff, 0xffff}}));
  EXPECT_EQ(tracker_.Observe(tracker_.Unwrap(Tsn(0x7ffffffc))), Arrival::kTooFar);
  EXPECT_TRUE(tracker_.IsConsistent());
}

TEST_F(DataTrackerTest, C22_EveryOtherTsnMakesNoMoreBlocksThanTheLimit) {
  for (int64_t offset = 1; offset < DataTracker::kMaxDistance; offset += 2) tracker_.Observe(TsnAt(offset));
  const SackChunk sack = tracker_.MakeSack(0, 65535);
  ASSERT_EQ(sack.gap_ack_blocks.size(), DataTracker::kMaxGapAckBlocks);
  EXPECT_EQ(sack.gap_ack_blocks[0], (GapAckBlock{2, 2}));
  EXPECT_EQ(sack.gap_ack_blocks[1023], (GapAckBlock{2048, 2048}));
  EXPECT_TRUE(tracker_.IsConsistent());
}

TEST_F(DataTrackerTest, C22_TheLongestGapsMergeIntoOneBlock) {
  for (int64_t offset = DataTracker::kMaxDistance - 1; offset > 0; --offset) tracker_.Observe(TsnAt(offset));
  EXPECT_EQ(Gaps(tracker_.MakeSack(0, kRoom)), (std::vector<GapAckBlock>{{2, 0xffff}}));
  tracker_.Observe(TsnAt(0));
  EXPECT_EQ(tracker_.cumulative(), TsnAt(0xfffe));
  EXPECT_TRUE(tracker_.IsConsistent());
}

TEST_F(DataTrackerTest, ReportsTheLowestGapsThatFit) {  // RFC 9260 §6.7
  for (int64_t offset : {1, 3, 5, 7}) tracker_.Observe(TsnAt(offset));
  for (size_t room = 0; room < 6; ++room) {
    const size_t size = SackChunk::kHeaderSize + room * 4 + 3;
    const SackChunk sack = tracker_.MakeSack(0, size);
    EXPECT_LE(sack.Size(), size);
    ASSERT_EQ(sack.gap_ack_blocks.size(), std::min<size_t>(room, 4));
    for (size_t i = 0; i < sack.gap_ack_blocks.size(); ++i) EXPECT_EQ(sack.gap_ack_blocks[i].start, 2 + 2 * i);
  }
}

TEST_F(DataTrackerTest, GapsGoBeforeDuplicatesWhenRoomIsShort) {
  for (int64_t offset : {1, 1, 3, 3}) tracker_.Observe(TsnAt(offset));
  const SackChunk sack = tracker_.MakeSack(0, SackChunk::kHeaderSize + 3 * 4);
  EXPECT_EQ(Gaps(sack).size(), 2u);
  EXPECT_EQ(Duplicates(sack), (std::vector<Tsn>{Tsn(0xffffffff)}));
}

TEST_F(DataTrackerTest, ListsADuplicateEveryTimeItArrivesUntilASackIsSent) {  // RFC 9260 §3.3.4: TSN 19 three times
  for (int repeat = 0; repeat < 3; ++repeat) tracker_.Observe(TsnAt(0));
  EXPECT_EQ(Duplicates(tracker_.MakeSack(0, kRoom)), (std::vector<Tsn>{kInitialTsn, kInitialTsn}));
  tracker_.HandleSackSent();
  EXPECT_TRUE(tracker_.MakeSack(0, kRoom).duplicate_tsns.empty());
  tracker_.Observe(TsnAt(0));
  EXPECT_EQ(Duplicates(tracker_.MakeSack(0, kRoom)).size(), 1u);
}

TEST_F(DataTrackerTest, C22_ListOfDuplicatesIsBounded) {
  tracker_.Observe(TsnAt(0));
  for (int repeat = 0; repeat < 1000; ++repeat) tracker_.Observe(TsnAt(0));
  EXPECT_EQ(tracker_.MakeSack(0, 65535).duplicate_tsns.size(), DataTracker::kMaxDuplicates);
}

TEST_F(DataTrackerTest, AcknowledgesEverySecondPacket) {  // RFC 9260 §6.2
  EXPECT_EQ(Packet({0}), SackDecision::kDelayed);
  EXPECT_TRUE(tracker_.has_unacknowledged());
  EXPECT_EQ(Packet({1}), SackDecision::kNow);
  Send();
  EXPECT_FALSE(tracker_.has_unacknowledged());
  EXPECT_EQ(Packet({2}), SackDecision::kDelayed);
  EXPECT_EQ(Packet({3}), SackDecision::kNow);
}

TEST_F(DataTrackerTest, CountsPacketsNotChunks) {  // RFC 9260 §6.2: "not every second DATA chunk"
  EXPECT_EQ(Packet({0, 1, 2, 3}), SackDecision::kDelayed);
  EXPECT_EQ(Packet({4}), SackDecision::kNow);
}

TEST_F(DataTrackerTest, PacketsWithoutDataDoNotCount) {
  EXPECT_EQ(Packet({0}), SackDecision::kDelayed);
  EXPECT_EQ(Packet({}), SackDecision::kNone);
  EXPECT_FALSE(tracker_.sack_now());
}

TEST_F(DataTrackerTest, StaysDueUntilTheSackIsSent) {
  Packet({0});
  EXPECT_EQ(Packet({1}), SackDecision::kNow);
  EXPECT_EQ(Packet({2}), SackDecision::kNow);
  EXPECT_EQ(Packet({}), SackDecision::kNow);
}

TEST_F(DataTrackerTest, DelayedAckTimeoutMakesTheSackDue) {
  Packet({0});
  EXPECT_FALSE(tracker_.sack_now());
  tracker_.HandleDelayedAckTimeout();
  EXPECT_TRUE(tracker_.sack_now());
  Send();
  tracker_.HandleDelayedAckTimeout();
  EXPECT_FALSE(tracker_.sack_now());
}

TEST_F(DataTrackerTest, AcknowledgesAtOnceOnTheIBit) {  // RFC 9260 §6.2
  EXPECT_EQ(Packet({0}, AckRequest::kImmediate), SackDecision::kNow);
}

TEST_F(DataTrackerTest, AcknowledgesAtOnceWhileThereIsAGap) {  // RFC 9260 §6.7
  ReceiveUpTo(0);
  EXPECT_EQ(Packet({2}), SackDecision::kNow);
  Send();
  EXPECT_EQ(Packet({3}), SackDecision::kNow);
  Send();
  EXPECT_EQ(Packet({1}), SackDecision::kNow);  // it fills the gap: RFC 5681 §4.2
  Send();
  EXPECT_EQ(Packet({4}), SackDecision::kDelayed);
}

TEST_F(DataTrackerTest, AcknowledgesADuplicateAtOnce) {  // RFC 9260 §6.2
  ReceiveUpTo(3);
  EXPECT_EQ(Packet({2}), SackDecision::kNow);
  Send();
  EXPECT_EQ(Packet({4, 4}), SackDecision::kNow);
}

TEST_F(DataTrackerTest, RequestedSackIsDueAtOnce) {
  tracker_.RequestSack();
  EXPECT_TRUE(tracker_.sack_now());
  EXPECT_TRUE(tracker_.has_unacknowledged());
  EXPECT_EQ(tracker_.HandlePacketEnd(), SackDecision::kNow);
  Send();
  EXPECT_FALSE(tracker_.sack_now());
}

TEST_F(DataTrackerTest, ForwardTsnMovesAndAdvancesFurther) {  // RFC 3758 §3.6, its example with 102 … 107
  ReceiveUpTo(2);
  for (int64_t offset : {4, 5, 7}) tracker_.Observe(TsnAt(offset));
  EXPECT_TRUE(tracker_.HandleForwardTsn(TsnAt(3)));
  EXPECT_EQ(tracker_.cumulative(), TsnAt(5));
  EXPECT_EQ(Gaps(tracker_.MakeSack(0, kRoom)), (std::vector<GapAckBlock>{{2, 2}}));
  EXPECT_TRUE(tracker_.IsConsistent());
}

TEST_F(DataTrackerTest, ForwardTsnForgetsTheGapsBelow) {
  for (int64_t offset : {1, 3, 64, 65, 130, 200}) tracker_.Observe(TsnAt(offset));
  EXPECT_TRUE(tracker_.HandleForwardTsn(TsnAt(131)));
  EXPECT_EQ(tracker_.cumulative(), TsnAt(131));
  EXPECT_EQ(Gaps(tracker_.MakeSack(0, kRoom)), (std::vector<GapAckBlock>{{69, 69}}));
  EXPECT_TRUE(tracker_.IsConsistent());
  EXPECT_TRUE(tracker_.HandleForwardTsn(TsnAt(300)));
  EXPECT_FALSE(tracker_.has_gaps());
  EXPECT_TRUE(tracker_.IsConsistent());
}

TEST_F(DataTrackerTest, SkippedTsnThatArrivesLateIsADuplicate) {  // RFC 3758 §3.6
  EXPECT_TRUE(tracker_.HandleForwardTsn(TsnAt(4)));
  EXPECT_EQ(tracker_.Observe(TsnAt(4)), Arrival::kDuplicate);
  EXPECT_EQ(tracker_.Observe(TsnAt(5)), Arrival::kNext);
}

TEST_F(DataTrackerTest, C9_OldForwardTsnIsAnsweredAndChangesNothing) {  // RFC 3758 §3.6
  ReceiveUpTo(4);
  EXPECT_FALSE(tracker_.HandleForwardTsn(TsnAt(4)));
  EXPECT_EQ(tracker_.HandlePacketEnd(), SackDecision::kNow);
  Send();
  EXPECT_FALSE(tracker_.HandleForwardTsn(TsnAt(-1)));
  EXPECT_EQ(tracker_.HandlePacketEnd(), SackDecision::kNow);
  EXPECT_EQ(tracker_.cumulative(), TsnAt(4));
}

TEST_F(DataTrackerTest, C9_ForwardTsnBeyondTheWindowHasNoEffect) {
  EXPECT_FALSE(tracker_.HandleForwardTsn(TsnAt(0xffff)));
  EXPECT_FALSE(tracker_.HandleForwardTsn(TsnAt(0x7ffffff0)));
  EXPECT_EQ(tracker_.cumulative(), TsnAt(-1));
  EXPECT_EQ(tracker_.HandlePacketEnd(), SackDecision::kNone);
  EXPECT_TRUE(tracker_.HandleForwardTsn(TsnAt(0xfffe)));
  EXPECT_EQ(tracker_.cumulative(), TsnAt(0xfffe));
}

TEST_F(DataTrackerTest, C9_ForwardTsnMoreThanHalfTheSpaceAheadIsOld) {
  const UnwrappedTsn far = tracker_.Unwrap(Tsn(0x80000000));
  EXPECT_LT(far, tracker_.cumulative());
  EXPECT_FALSE(tracker_.HandleForwardTsn(far));
}

TEST_F(DataTrackerTest, ForwardTsnFollowsTheRulesOfData) {  // RFC 3758 §3.6: "as if a DATA chunk had been received"
  EXPECT_TRUE(tracker_.HandleForwardTsn(TsnAt(0)));
  EXPECT_EQ(tracker_.HandlePacketEnd(), SackDecision::kDelayed);
  EXPECT_TRUE(tracker_.HandleForwardTsn(TsnAt(1)));
  EXPECT_EQ(tracker_.HandlePacketEnd(), SackDecision::kNow);
}

}  // namespace
}  // namespace jsp::sctp
