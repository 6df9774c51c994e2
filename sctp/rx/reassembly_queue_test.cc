#include "sctp/rx/reassembly_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sctp/rx/rx_test_support.h"
namespace jsp::sctp {
namespace {

using Result = ReassemblyQueue::AddResult;

class ReassemblyQueueTest : public testing::Test {
 protected:
  using Texts = std::vector<std::string>;

  Result Add(int64_t offset, std::string_view text, const ChunkOptions& options = {}) {
    const Result result = queue_.Add(TsnAt(offset), Chunk(TsnAt(offset), text, options));
    EXPECT_TRUE(queue_.IsConsistent());
    return result;
  }
  void Accept(int64_t offset, std::string_view text, const ChunkOptions& options = {}) {
    EXPECT_EQ(Add(offset, text, options), Result::kAccepted) << offset;
  }
  void Forward(int64_t offset, std::vector<SkippedStream> skipped) {
    queue_.HandleForwardTsn(TsnAt(offset), std::span<const SkippedStream>(skipped));
  }
  Texts PopAll() {
    Texts texts;
    while (auto message = queue_.PopMessage()) texts.push_back(Text(*message));
    return texts;
  }
  // The next SSN of stream 0 becomes 65534.
  void StartBeforeTheWrap() {
    for (Ssn skip : kSkipsToInitialSsn) Forward(-1, {{StreamId(0), skip}});
  }

  ReassemblyQueue queue_{ReassemblyQueue::Limits{}};
};

TEST_F(ReassemblyQueueTest, GivesMessagesWithStreamAndPpid) {
  Accept(0, "hello", {.stream = 5, .ppid = 53});
  const auto message = queue_.PopMessage();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->stream, StreamId(5));
  EXPECT_EQ(message->ppid, Ppid(53));
  EXPECT_EQ(Text(*message), "hello");
  EXPECT_FALSE(queue_.PopMessage());
}

TEST_F(ReassemblyQueueTest, C19_FragmentsAndOrderOverBothWraps) {
  StartBeforeTheWrap();
  Accept(3, "d", {.ssn = 65535, .flags = "E"});
  Accept(4, "e", {.ssn = 0});
  Accept(2, "c", {.ssn = 65535, .flags = "B"});
  Accept(1, "b", {.ssn = 65534, .flags = "E"});
  EXPECT_EQ(PopAll(), Texts{});
  Accept(0, "a", {.ssn = 65534, .flags = "B"});
  EXPECT_EQ(PopAll(), (Texts{"ab", "cd", "e"}));
  EXPECT_EQ(queue_.buffered_bytes(), 0u);
}

TEST_F(ReassemblyQueueTest, OtherStreamsOvertakeTheOneThatWaits) {  // RFC 9260 §6.6
  Accept(1, "b", {.stream = 0, .ssn = 1});
  Accept(2, "c", {.stream = 1, .ssn = 0, .flags = "B"});
  Accept(3, "d", {.stream = 1, .ssn = 0, .flags = "E"});
  Accept(4, "e", {.flags = "UBE"});
  EXPECT_EQ(PopAll(), (Texts{"cd", "e"}));
  Accept(0, "a", {.stream = 0, .ssn = 0});
  EXPECT_EQ(PopAll(), (Texts{"a", "b"}));
}

TEST_F(ReassemblyQueueTest, RefusesAnEmptyPayload) {  // RFC 9260 §6.2
  EXPECT_EQ(Add(0, ""), Result::kNoUserData);
  EXPECT_EQ(Add(0, "", {.flags = "B"}), Result::kNoUserData);
  EXPECT_EQ(queue_.buffered_bytes(), 0u);
}

TEST_F(ReassemblyQueueTest, DropsChunksOfInvalidStreams) {  // RFC 9260 §6.5
  queue_ = ReassemblyQueue({.max_message_size = 0, .incoming_streams = 10});
  Accept(0, "a", {.stream = 9});
  EXPECT_EQ(Add(1, "b", {.stream = 10}), Result::kInvalidStream);
  EXPECT_EQ(Add(2, "c", {.stream = 65535}), Result::kInvalidStream);
  EXPECT_EQ(PopAll(), (Texts{"a"}));
  EXPECT_EQ(queue_.buffered_bytes(), 0u);
}

TEST_F(ReassemblyQueueTest, AddedStreamsAreValid) {  // RFC 6525 §5.2.5
  queue_ = ReassemblyQueue({.max_message_size = 0, .incoming_streams = 10});
  queue_.SetIncomingStreams(11);
  Accept(0, "b", {.stream = 10});
  EXPECT_EQ(PopAll(), (Texts{"b"}));
}

TEST_F(ReassemblyQueueTest, R5_RefusesAMessageAboveTheLimit) {
  queue_ = ReassemblyQueue({.max_message_size = 3, .incoming_streams = 65536});
  Accept(0, "abc");
  EXPECT_EQ(Add(1, "abcd"), Result::kMessageTooLarge);
  Accept(1, "ab", {.ssn = 1, .flags = "B"});
  EXPECT_EQ(Add(2, "cd", {.ssn = 1, .flags = ""}), Result::kMessageTooLarge);
}

TEST_F(ReassemblyQueueTest, R5_NoLimitIsNoLimit) {
  const std::string piece(60000, 'x');
  Accept(0, piece, {.flags = "B"});
  for (int64_t offset = 1; offset < 50; ++offset) Accept(offset, piece, {.flags = ""});
  Accept(50, piece, {.flags = "E"});
  EXPECT_EQ(queue_.PopMessage()->payload.size(), 51u * 60000);
}

TEST_F(ReassemblyQueueTest, C6_CountsEverythingThatItHolds) {
  for (int64_t offset = 1; offset < 2000; offset += 2) Accept(offset, "x", {.flags = "B"});
  EXPECT_GE(queue_.buffered_bytes(), 1000u * 100);  // one octet each, and yet more than a hundred in memory
  Forward(1999, {});
  Forward(2000, {});
  EXPECT_LE(queue_.buffered_bytes(), MessageAssembler::kRunOverhead + 1);
}

TEST_F(ReassemblyQueueTest, C6_ReadyMessagesCountUntilTheyArePopped) {
  Accept(0, "abc");
  EXPECT_GE(queue_.buffered_bytes(), 3u);
  EXPECT_EQ(PopAll().size(), 1u);
  EXPECT_EQ(queue_.buffered_bytes(), 0u);
}

TEST_F(ReassemblyQueueTest, C8_BWithoutEForeverIsBoundedByTheLimit) {
  queue_ = ReassemblyQueue({.max_message_size = 1000, .incoming_streams = 65536});
  Accept(0, "x", {.flags = "B"});
  int64_t offset = 1;
  while (Add(offset, "x", {.flags = ""}) == Result::kAccepted) ++offset;
  EXPECT_EQ(offset, 1000);
  EXPECT_EQ(Add(offset, "x", {.flags = ""}), Result::kMessageTooLarge);
}

TEST_F(ReassemblyQueueTest, C8_ContradictionsBetweenFragmentsAreViolations) {
  Accept(0, "a", {.flags = "B"});
  EXPECT_EQ(Add(1, "b", {.flags = "B"}), Result::kProtocolViolation);
  EXPECT_EQ(Add(1, "b", {.ssn = 1, .flags = ""}), Result::kProtocolViolation);
  EXPECT_EQ(Add(1, "b", {.stream = 1, .flags = ""}), Result::kProtocolViolation);
  EXPECT_EQ(Add(1, "b", {.flags = "U"}), Result::kProtocolViolation);
}

TEST_F(ReassemblyQueueTest, C8_EWithoutBIsNoticedWhenTheCumulativeAckPasses) {
  Accept(0, "a");
  EXPECT_EQ(queue_.CheckProgress(TsnAt(0)), Result::kAccepted);
  Accept(1, "b", {.ssn = 1, .flags = "E"});
  EXPECT_EQ(queue_.CheckProgress(TsnAt(1)), Result::kProtocolViolation);
}

TEST_F(ReassemblyQueueTest, C8_RepeatedSsnIsAViolation) {
  Accept(0, "a", {.ssn = 0});
  EXPECT_EQ(Add(1, "b", {.ssn = 0}), Result::kProtocolViolation);
}

TEST_F(ReassemblyQueueTest, ForwardTsnReleasesTheStreamsBehindTheSkippedMessage) {  // RFC 3758 §3.6
  StartBeforeTheWrap();
  Accept(2, "c", {.ssn = 65535});
  Accept(3, "d", {.ssn = 0});
  Accept(5, "f", {.stream = 1, .ssn = 1});
  EXPECT_EQ(PopAll(), Texts{});
  Forward(1, {{StreamId(0), Ssn(65534)}});
  EXPECT_EQ(PopAll(), (Texts{"c", "d"}));
  Forward(4, {{StreamId(1), Ssn(0)}});
  EXPECT_EQ(PopAll(), (Texts{"f"}));
  EXPECT_EQ(queue_.buffered_bytes(), 0u);
}

TEST_F(ReassemblyQueueTest, ForwardTsnDropsThePartialMessage) {  // RFC 3758 §3.6
  Accept(0, "a", {.flags = "B"});
  Accept(2, "c", {.flags = "E"});
  Accept(3, "d", {.ssn = 1});
  Forward(2, {{StreamId(0), Ssn(0)}});
  EXPECT_EQ(PopAll(), (Texts{"d"}));
  EXPECT_EQ(queue_.dropped_fragments(), 2u);
  EXPECT_EQ(queue_.buffered_bytes(), 0u);
}

TEST_F(ReassemblyQueueTest, C9_ForwardTsnIgnoresUnknownStreams) {
  queue_ = ReassemblyQueue({.max_message_size = 0, .incoming_streams = 2});
  Forward(0, {{StreamId(2), Ssn(4)}, {StreamId(65535), Ssn(65535)}});
  Accept(1, "a", {.stream = 1});
  EXPECT_EQ(PopAll(), (Texts{"a"}));
}

TEST_F(ReassemblyQueueTest, C9_ForwardTsnOfManyStreamsCostsWhatItLists) {
  std::vector<SkippedStream> skipped;
  for (int id = 0; id < 16000; ++id) skipped.push_back({StreamId(static_cast<uint16_t>(id)), Ssn(3)});
  for (int64_t round = 0; round < 20; ++round) Forward(round, skipped);
  Accept(30, "x", {.stream = 15999, .ssn = 4});
  EXPECT_EQ(PopAll(), (Texts{"x"}));
}

TEST_F(ReassemblyQueueTest, C9_RepeatedForwardTsnChangesNothing) {
  Accept(1, "b", {.ssn = 1});
  Forward(0, {{StreamId(0), Ssn(0)}});
  EXPECT_EQ(PopAll(), (Texts{"b"}));
  Forward(0, {{StreamId(0), Ssn(0)}});
  Accept(2, "c", {.ssn = 2});
  EXPECT_EQ(PopAll(), (Texts{"c"}));
}

TEST_F(ReassemblyQueueTest, C10_ForwardTsnForAStreamThatIsResetLaterReleasesIt) {
  Accept(1, "b", {.stream = 4, .ssn = 1});
  Forward(0, {{StreamId(4), Ssn(0)}});
  EXPECT_EQ(PopAll(), (Texts{"b"}));
  const std::vector<StreamId> streams{StreamId(4)};
  queue_.ResetStreams(streams);
  EXPECT_EQ(queue_.buffered_bytes(), 0u);
  Accept(2, "c", {.stream = 4, .ssn = 0});
  EXPECT_EQ(PopAll(), (Texts{"c"}));
}

TEST_F(ReassemblyQueueTest, ResetTouchesTheListedStreamsOnly) {  // RFC 6525 §5.2.2
  Accept(0, "a", {.stream = 1});
  Accept(1, "b", {.stream = 2});
  const std::vector<StreamId> streams{StreamId(1)};
  queue_.ResetStreams(streams);
  Accept(2, "c", {.stream = 1, .ssn = 0});
  Accept(3, "d", {.stream = 2, .ssn = 1});
  EXPECT_EQ(PopAll(), (Texts{"a", "b", "c", "d"}));
}

TEST_F(ReassemblyQueueTest, ResetOfNoStreamIsResetOfAll) {  // RFC 6525 §4.1
  Accept(0, "a", {.stream = 1});
  Accept(1, "b", {.stream = 2});
  queue_.ResetStreams({});
  Accept(2, "c", {.stream = 1, .ssn = 0});
  Accept(3, "d", {.stream = 2, .ssn = 0});
  EXPECT_EQ(PopAll().size(), 4u);
}

TEST_F(ReassemblyQueueTest, C10_ResetDropsAndCountsWhatWaits) {
  Accept(1, "b", {.stream = 4, .ssn = 1});
  const std::vector<StreamId> streams{StreamId(4)};
  queue_.ResetStreams(streams);
  EXPECT_EQ(queue_.dropped_messages(), 1u);
  EXPECT_EQ(queue_.buffered_bytes(), 0u);
}

}  // namespace
}  // namespace jsp::sctp
