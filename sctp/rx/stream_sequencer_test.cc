#include "sctp/rx/stream_sequencer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sctp/rx/rx_test_support.h"
#include "test/support/allocations.h"
namespace jsp::sctp {
namespace {

constexpr StreamId kStream{7};

// Each test: the next SSN of kStream is 65534.
class StreamSequencerTest : public testing::Test {
 protected:
  StreamSequencerTest() {
    for (Ssn skip : kSkipsToInitialSsn) sequencer_.Skip(kStream, skip);
  }

  // The ordered message with the SSN `offset` after the first one, at the TSN with that offset.
  bool Add(int offset, StreamId stream = kStream) {
    return AddAt(TsnAt(offset), static_cast<uint16_t>(kInitialSsn + offset), std::to_string(offset), stream);
  }
  bool AddAt(UnwrappedTsn tsn, uint16_t ssn, const std::string& text, StreamId stream = kStream) {
    const bool added =
        sequencer_.Add({{stream, Ppid(51), {text.begin(), text.end()}}, tsn, Ssn(ssn), /*unordered=*/false});
    EXPECT_TRUE(sequencer_.IsConsistent());
    return added;
  }
  void AddUnordered(const std::string& text, StreamId stream = kStream) {
    EXPECT_TRUE(sequencer_.Add({{stream, Ppid(51), {text.begin(), text.end()}}, TsnAt(0), Ssn(0), true}));
  }
  std::vector<std::string> PopAll() {
    std::vector<std::string> texts;
    while (auto message = sequencer_.Pop()) texts.push_back(Text(*message));
    return texts;
  }
  using Texts = std::vector<std::string>;

  StreamSequencer sequencer_;
};

TEST_F(StreamSequencerTest, C19_DeliversInOrderOverTheWrap) {  // RFC 9260 §6.5: after 65535 comes 0
  for (int offset = 0; offset < 4; ++offset) EXPECT_TRUE(Add(offset));
  EXPECT_EQ(PopAll(), (Texts{"0", "1", "2", "3"}));
}

TEST_F(StreamSequencerTest, C19_HoldsLaterMessagesForTheFirstOneOverTheWrap) {  // RFC 9260 §6.6
  for (int offset : {3, 1, 2}) EXPECT_TRUE(Add(offset));
  EXPECT_EQ(PopAll(), Texts{});
  EXPECT_EQ(sequencer_.waiting_count(), 3u);
  EXPECT_TRUE(Add(0));
  EXPECT_EQ(PopAll(), (Texts{"0", "1", "2", "3"}));
  EXPECT_EQ(sequencer_.waiting_count(), 0u);
  EXPECT_EQ(sequencer_.buffered_bytes(), 0u);
}

TEST_F(StreamSequencerTest, ReleasesUpToTheNextGapOnly) {
  for (int offset : {1, 3, 0}) EXPECT_TRUE(Add(offset));
  EXPECT_EQ(PopAll(), (Texts{"0", "1"}));
  EXPECT_TRUE(Add(2));
  EXPECT_EQ(PopAll(), (Texts{"2", "3"}));
}

TEST_F(StreamSequencerTest, StreamsDoNotWaitForEachOther) {  // RFC 9260 §6.6
  EXPECT_TRUE(Add(1));
  EXPECT_TRUE(AddAt(TsnAt(5), 0, "other", StreamId(8)));
  EXPECT_TRUE(AddAt(TsnAt(6), 0, "third", StreamId(6)));
  EXPECT_EQ(PopAll(), (Texts{"other", "third"}));
}

TEST_F(StreamSequencerTest, UnorderedMessagesDoNotWait) {  // RFC 9260 §6.6
  EXPECT_TRUE(Add(1));
  AddUnordered("now");
  EXPECT_EQ(PopAll(), (Texts{"now"}));
  EXPECT_TRUE(Add(0));
  EXPECT_EQ(PopAll(), (Texts{"0", "1"}));
}

TEST_F(StreamSequencerTest, UnorderedMessagesDoNotMoveTheSsn) {  // RFC 9260 §6.5
  AddUnordered("a");
  AddUnordered("b");
  EXPECT_TRUE(Add(0));
  EXPECT_EQ(PopAll(), (Texts{"a", "b", "0"}));
}

TEST_F(StreamSequencerTest, C8_RefusesAnSsnThatWasDelivered) {
  EXPECT_TRUE(Add(0));
  EXPECT_FALSE(AddAt(TsnAt(1), kInitialSsn, "again"));
  EXPECT_EQ(PopAll(), (Texts{"0"}));
}

TEST_F(StreamSequencerTest, C8_RefusesASecondMessageWithAWaitingSsn) {
  EXPECT_TRUE(Add(1));
  EXPECT_FALSE(AddAt(TsnAt(2), static_cast<uint16_t>(kInitialSsn + 1), "again"));
  EXPECT_TRUE(Add(0));
  EXPECT_EQ(PopAll(), (Texts{"0", "1"}));
}

TEST_F(StreamSequencerTest, SkipReleasesWhatHasArrivedAndWhatFollows) {  // RFC 3758 §3.6
  for (int offset : {1, 3, 4, 6}) EXPECT_TRUE(Add(offset));
  sequencer_.Skip(kStream, Ssn(static_cast<uint16_t>(kInitialSsn + 2)));
  EXPECT_EQ(PopAll(), (Texts{"1", "3", "4"}));
  EXPECT_TRUE(Add(5));
  EXPECT_EQ(PopAll(), (Texts{"5", "6"}));
  EXPECT_TRUE(sequencer_.IsConsistent());
}

TEST_F(StreamSequencerTest, SkipOfAnOldSsnChangesNothing) {
  for (int offset : {0, 1}) EXPECT_TRUE(Add(offset));
  sequencer_.Skip(kStream, Ssn(kInitialSsn));
  sequencer_.Skip(kStream, Ssn(static_cast<uint16_t>(kInitialSsn + 1)));
  EXPECT_TRUE(Add(2));
  EXPECT_EQ(PopAll(), (Texts{"0", "1", "2"}));
}

// One FORWARD TSN may list hundreds of streams (RFC 3758 §3.2), each with as far an SSN as there is.
TEST_F(StreamSequencerTest, C22_FarSkipsOfQuietStreamsTakeNothing) {
  for (int i = 0; i < 2000; ++i) EXPECT_TRUE(AddAt(TsnAt(i), static_cast<uint16_t>(i + 1), "x", StreamId(1)));
  const uint64_t before = CountAllocations().count;
  for (int round = 0; round < 100; ++round) {
    for (uint16_t id = 2; id < 5; ++id) sequencer_.Skip(StreamId(id), Ssn(static_cast<uint16_t>(round * 32000)));
  }
  EXPECT_LE(CountAllocations().count - before, 3u);  // the streams' next SSNs
  sequencer_.Skip(StreamId(1), Ssn(32000));
  EXPECT_EQ(PopAll().size(), 2000u);
  EXPECT_TRUE(sequencer_.IsConsistent());
}

TEST_F(StreamSequencerTest, SkipOfAStreamWithoutMessagesSetsItsNextSsn) {
  sequencer_.Skip(StreamId(3), Ssn(9));
  EXPECT_FALSE(AddAt(TsnAt(0), 9, "skipped", StreamId(3)));
  EXPECT_TRUE(AddAt(TsnAt(1), 10, "next", StreamId(3)));
  EXPECT_EQ(PopAll(), (Texts{"next"}));
}

TEST_F(StreamSequencerTest, SkipTouchesOneStreamOnly) {
  EXPECT_TRUE(AddAt(TsnAt(1), 1, "six", StreamId(6)));
  EXPECT_TRUE(Add(1));
  EXPECT_TRUE(AddAt(TsnAt(2), 1, "eight", StreamId(8)));
  sequencer_.Skip(kStream, Ssn(kInitialSsn));
  EXPECT_EQ(PopAll(), (Texts{"1"}));
  EXPECT_EQ(sequencer_.waiting_count(), 2u);
}

TEST_F(StreamSequencerTest, ResetBeginsAtZeroAgain) {  // RFC 6525 §5.2.2
  EXPECT_TRUE(Add(0));
  sequencer_.Reset(kStream);
  EXPECT_TRUE(AddAt(TsnAt(1), 0, "new"));
  EXPECT_EQ(PopAll(), (Texts{"0", "new"}));
}

TEST_F(StreamSequencerTest, ResetDropsWhatStillWaitsAndCountsIt) {
  for (int offset : {1, 2}) EXPECT_TRUE(Add(offset));
  EXPECT_TRUE(AddAt(TsnAt(9), 1, "eight", StreamId(8)));
  sequencer_.Reset(kStream);
  EXPECT_EQ(sequencer_.dropped_messages(), 2u);
  EXPECT_EQ(sequencer_.waiting_count(), 1u);
  EXPECT_TRUE(sequencer_.IsConsistent());
}

TEST_F(StreamSequencerTest, ResetKeepsWhatIsReady) {
  EXPECT_TRUE(Add(0));
  sequencer_.Reset(kStream);
  EXPECT_EQ(PopAll(), (Texts{"0"}));
}

TEST_F(StreamSequencerTest, ResetAllBeginsEveryStreamAtZero) {
  EXPECT_TRUE(Add(1));
  EXPECT_TRUE(AddAt(TsnAt(5), 0, "a", StreamId(8)));
  sequencer_.ResetAll();
  EXPECT_EQ(sequencer_.dropped_messages(), 1u);
  EXPECT_TRUE(AddAt(TsnAt(6), 0, "b", StreamId(8)));
  EXPECT_TRUE(AddAt(TsnAt(7), 0, "c"));
  EXPECT_EQ(PopAll(), (Texts{"a", "b", "c"}));
  EXPECT_EQ(sequencer_.buffered_bytes(), 0u);
}

TEST_F(StreamSequencerTest, C6_CountsPayloadAndOverheadUntilPopped) {
  EXPECT_TRUE(Add(1));
  EXPECT_EQ(sequencer_.buffered_bytes(), 1 + StreamSequencer::kMessageOverhead);
  EXPECT_TRUE(Add(0));
  EXPECT_EQ(sequencer_.buffered_bytes(), 2 * (1 + StreamSequencer::kMessageOverhead));
  EXPECT_TRUE(sequencer_.Pop());
  EXPECT_EQ(sequencer_.buffered_bytes(), 1 + StreamSequencer::kMessageOverhead);
  EXPECT_TRUE(sequencer_.Pop());
  EXPECT_EQ(sequencer_.buffered_bytes(), 0u);
  EXPECT_FALSE(sequencer_.Pop());
}

TEST_F(StreamSequencerTest, C22_EveryStreamWorksAtOnce) {
  for (int id = 0; id < 65536; ++id) {
    EXPECT_TRUE(sequencer_.Add({{StreamId(static_cast<uint16_t>(id)), Ppid(51), {1}},
                                TsnAt(id),
                                id == kStream.value ? Ssn(kInitialSsn) : Ssn(0),
                                false}));
  }
  EXPECT_EQ(PopAll().size(), 65536u);
  EXPECT_TRUE(sequencer_.IsConsistent());
}

}  // namespace
}  // namespace jsp::sctp
