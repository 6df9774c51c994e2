// Messages that are given out in pieces (RFC 9260 §6.9), of both framings.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "sctp/rx/reassembly_queue.h"
#include "sctp/rx/rx_test_support.h"
namespace jsp::sctp {
namespace {

using Result = ReassemblyQueue::AddResult;

// What was popped, as "part:text ".
std::string PopAll(ReassemblyQueue& queue) {
  constexpr const char* kParts[] = {"whole:", "begin:", "middle:", "end:", "aborted:"};
  std::string all;
  while (auto message = queue.PopMessage()) {
    all += kParts[static_cast<size_t>(message->part)] + Text(*message) + " ";
  }
  EXPECT_TRUE(queue.IsConsistent());
  return all;
}

class DataPiecesTest : public testing::Test {
 protected:
  Result Add(int64_t offset, std::string_view text, const ChunkOptions& options) {
    const Result result = queue_.Add(TsnAt(offset), Chunk(TsnAt(offset), text, options));
    EXPECT_TRUE(result != Result::kAccepted || queue_.IsConsistent());
    return result;
  }
  void Forward(int64_t offset, std::vector<SkippedStream> skipped) {
    queue_.HandleForwardTsn(TsnAt(offset), std::span<const SkippedStream>(skipped));
  }

  ReassemblyQueue queue_{{.max_size_in_pieces = 20, .delivery = Delivery::kPieces}};
};

TEST_F(DataPiecesTest, GivesOutWhatIsHereOfTheNextMessage) {  // RFC 9260 §6.9
  EXPECT_EQ(Add(0, "ab", {.flags = "B"}), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "begin:ab ");
  EXPECT_EQ(queue_.buffered_bytes(), MessageAssembler::kRunOverhead);
  EXPECT_EQ(Add(2, "ef", {.flags = ""}), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "");
  EXPECT_EQ(Add(1, "cd", {.flags = ""}), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "middle:cdef ");
  EXPECT_EQ(Add(3, "g", {.flags = "E"}), Result::kAccepted);
  EXPECT_EQ(Add(4, "whole", {.ssn = 1}), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "end:g whole:whole ");
  EXPECT_EQ(queue_.buffered_bytes(), 0u);
}

TEST_F(DataPiecesTest, WaitsForItsTurn) {  // RFC 9260 §6.6
  EXPECT_EQ(Add(1, "later", {.ssn = 1, .flags = "B"}), Result::kAccepted);
  EXPECT_EQ(Add(3, "other", {.stream = 2, .flags = "B"}), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "begin:other ");
  EXPECT_EQ(Add(0, "first", {.ssn = 0}), Result::kAccepted);
  EXPECT_EQ(Add(2, "!", {.ssn = 1, .flags = "E"}), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "whole:first whole:later! ");
}

TEST_F(DataPiecesTest, UnorderedMessagesAreWhole) {
  EXPECT_EQ(Add(0, "ab", {.flags = "UB"}), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "");
  EXPECT_EQ(Add(1, "c", {.flags = "UE"}), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "whole:abc ");
}

TEST_F(DataPiecesTest, R5_TheLimitCountsWhatWasGivenOut) {
  EXPECT_EQ(Add(0, "0123456789", {.flags = "B"}), Result::kAccepted);
  EXPECT_EQ(Add(1, "0123456789", {.flags = ""}), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "begin:0123456789 middle:0123456789 ");
  EXPECT_EQ(Add(2, "x", {.flags = "E"}), Result::kMessageTooLarge);
}

TEST_F(DataPiecesTest, ASkippedMessageEndsWithAMark) {  // RFC 3758 §3.6
  EXPECT_EQ(Add(0, "ab", {.flags = "B"}), Result::kAccepted);
  EXPECT_EQ(Add(4, "next", {.ssn = 1}), Result::kAccepted);
  Forward(3, {{StreamId(0), Ssn(0)}});
  EXPECT_EQ(PopAll(queue_), "begin:ab aborted: whole:next ");
  EXPECT_EQ(queue_.buffered_bytes(), 0u);
}

TEST_F(DataPiecesTest, TheRestOfASkippedMessageIsNotSomebodyElses) {  // RFC 3758 §3.6
  queue_.SetDelivery(StreamId(9), Delivery::kWhole);
  EXPECT_EQ(Add(5, "kept", {.stream = 9, .flags = "B"}), Result::kAccepted);
  EXPECT_EQ(Add(0, "ab", {.flags = "B"}), Result::kAccepted);
  Forward(2, {{StreamId(0), Ssn(0)}});
  EXPECT_EQ(Add(3, "rest", {.flags = ""}), Result::kAccepted);
  EXPECT_EQ(Add(4, "end", {.flags = "E"}), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "begin:ab aborted: ") << "and nothing of stream 9";
  EXPECT_EQ(Add(6, "!", {.stream = 9, .flags = "E"}), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "whole:kept! ");
}

TEST_F(DataPiecesTest, AResetEndsItWithAMarkAndAsksAnew) {  // RFC 6525 §5.2.2
  queue_.SetDelivery(StreamId(1), Delivery::kPieces);
  EXPECT_EQ(Add(0, "ab", {.stream = 1, .flags = "B"}), Result::kAccepted);
  const StreamId other(2);
  queue_.ResetStreams({&other, 1});
  EXPECT_EQ(PopAll(queue_), "begin:ab ");
  const StreamId stream(1);
  queue_.ResetStreams({&stream, 1});
  EXPECT_EQ(PopAll(queue_), "aborted: ");
  EXPECT_EQ(queue_.buffered_bytes(), 0u);
}

TEST_F(DataPiecesTest, C8_WhatCanNeverGetItsEndIsStillAViolation) {  // RFC 9260 §6.9
  EXPECT_EQ(Add(0, "ab", {.flags = "B"}), Result::kAccepted);
  EXPECT_EQ(Add(1, "cd", {.ssn = 1, .flags = "B"}), Result::kProtocolViolation);
  EXPECT_EQ(queue_.CheckProgress(TsnAt(1)), Result::kProtocolViolation);
}

TEST_F(DataPiecesTest, R5_FirstPiecesReserveNoMoreThanThoseBeforeThem) {
  queue_ = ReassemblyQueue({.delivery = Delivery::kPieces});
  const std::string large(100'000, 'x');
  queue_.SetDelivery(StreamId(7), Delivery::kWhole);
  EXPECT_EQ(Add(0, large, {.stream = 7, .flags = "B"}), Result::kAccepted);
  EXPECT_EQ(Add(1, large, {.stream = 7, .flags = "E"}), Result::kAccepted);
  EXPECT_EQ(queue_.PopMessage()->payload.size(), 200'000u);
  for (int64_t ssn = 0; ssn < 3; ++ssn) {
    EXPECT_EQ(Add(2 + 2 * ssn, "a", {.ssn = static_cast<uint16_t>(ssn), .flags = "B"}), Result::kAccepted);
    const auto piece = queue_.PopMessage();
    ASSERT_EQ(piece->part, Part::kBegin);
    EXPECT_LE(piece->payload.capacity(), BufferPool::RoundUp(ssn == 0 ? 200'000 : 1)) << "the window counts that";
    EXPECT_EQ(Add(3 + 2 * ssn, "z", {.ssn = static_cast<uint16_t>(ssn), .flags = "E"}), Result::kAccepted);
    EXPECT_EQ(PopAll(queue_), "end:z ");
  }
}

class IDataPiecesTest : public testing::Test {
 protected:
  Result Add(uint16_t stream, uint32_t mid, uint32_t fsn, std::string_view flags, std::string_view text) {
    DataChunk chunk = Chunk(TsnAt(next_tsn_), text, {.stream = stream, .ppid = 53, .flags = flags});
    chunk.mid = Mid(mid);
    chunk.fsn = fsn;
    const Result result = queue_.Add(TsnAt(next_tsn_++), chunk);
    EXPECT_TRUE(result != Result::kAccepted || queue_.IsConsistent());
    return result;
  }
  void Skip(uint16_t stream, uint32_t mid) {
    const std::vector<SkippedMessages> skipped{{StreamId(stream), 0, Mid(mid)}};
    queue_.HandleIForwardTsn(std::span<const SkippedMessages>(skipped));
    EXPECT_TRUE(queue_.IsConsistent());
  }

  ReassemblyQueue queue_{{.max_size_in_pieces = 20, .framing = Framing::kIData}};
  int64_t next_tsn_ = 0;
};

TEST_F(IDataPiecesTest, GivesOutTheNextMessageOfEachStreamThatAsked) {  // RFC 8260 §2.2.3
  queue_.SetDelivery(StreamId(1), Delivery::kPieces);
  EXPECT_EQ(Add(1, 0, 0, "B", "ab"), Result::kAccepted);
  EXPECT_EQ(Add(2, 0, 0, "B", "xy"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 2, "", "ef"), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "begin:ab ");
  EXPECT_EQ(Add(1, 0, 1, "", "cd"), Result::kAccepted);
  EXPECT_EQ(Add(2, 0, 1, "E", "z"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 3, "E", "g"), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "middle:cdef whole:xyz end:g ");
  EXPECT_EQ(queue_.buffered_bytes(), 0u);
}

TEST_F(IDataPiecesTest, WhatBecomesNextIsGivenOutAtOnce) {
  queue_.SetDelivery(StreamId(1), Delivery::kPieces);
  EXPECT_EQ(Add(1, 1, 0, "B", "cd"), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "");
  EXPECT_EQ(Add(1, 0, 0, "BE", "ab"), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "whole:ab begin:cd ");
  EXPECT_EQ(Add(1, 1, 1, "E", "e"), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "end:e ");
}

TEST_F(IDataPiecesTest, ALateRequestGivesOutWhatIsHere) {
  EXPECT_EQ(Add(1, 0, 0, "B", "ab"), Result::kAccepted);
  queue_.SetDelivery(StreamId(1), Delivery::kPieces);
  EXPECT_EQ(PopAll(queue_), "begin:ab ");
  queue_.SetDelivery(StreamId(1), Delivery::kWhole);
  EXPECT_EQ(Add(1, 0, 1, "", "c"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 2, "E", "d"), Result::kAccepted);
  EXPECT_EQ(Add(1, 1, 0, "B", "e"), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "middle:c end:d ");
}

TEST_F(IDataPiecesTest, ASkippedMessageEndsWithAMark) {  // RFC 8260 §2.3.1
  queue_.SetDelivery(StreamId(1), Delivery::kPieces);
  EXPECT_EQ(Add(1, 0, 0, "B", "ab"), Result::kAccepted);
  EXPECT_EQ(Add(1, 1, 0, "BE", "whole"), Result::kAccepted);
  EXPECT_EQ(Add(1, 2, 0, "B", "half"), Result::kAccepted);
  EXPECT_EQ(Add(1, 3, 0, "B", "next"), Result::kAccepted);
  Skip(1, 2);
  EXPECT_EQ(PopAll(queue_), "begin:ab aborted: whole:whole begin:next ") << "nothing of what was not begun";
  EXPECT_EQ(Add(1, 0, 1, "E", "late"), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "");
  Skip(1, 3);
  EXPECT_EQ(PopAll(queue_), "aborted: ");
  EXPECT_EQ(queue_.buffered_bytes(), 0u);
}

TEST_F(IDataPiecesTest, AResetEndsItWithAMark) {  // RFC 8260 §2.3.2
  for (const bool all : {false, true}) {
    const StreamId stream(1);
    queue_.SetDelivery(stream, Delivery::kPieces);
    EXPECT_EQ(Add(1, 0, 0, "B", "ab"), Result::kAccepted);
    queue_.ResetStreams({&stream, all ? size_t{0} : size_t{1}});
    EXPECT_EQ(PopAll(queue_), "begin:ab aborted: ");
    EXPECT_EQ(Add(1, 0, 0, "B", "ab"), Result::kAccepted);
    EXPECT_EQ(PopAll(queue_), "") << "the next user of the stream asks anew";
    queue_.ResetStreams({&stream, 1});
    EXPECT_EQ(PopAll(queue_), "");
  }
}

TEST_F(IDataPiecesTest, R5_TheLimitCountsWhatWasGivenOut) {
  queue_.SetDelivery(StreamId(1), Delivery::kPieces);
  EXPECT_EQ(Add(1, 0, 0, "B", "0123456789"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 1, "", "0123456789"), Result::kAccepted);
  EXPECT_EQ(PopAll(queue_), "begin:0123456789 middle:0123456789 ");
  EXPECT_EQ(Add(1, 0, 2, "E", "x"), Result::kMessageTooLarge);
}

TEST_F(IDataPiecesTest, C8_FragmentsTwiceAndSecondBeginningsAreStillViolations) {
  queue_.SetDelivery(StreamId(1), Delivery::kPieces);
  EXPECT_EQ(Add(1, 0, 0, "B", "ab"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 0, "B", "ab"), Result::kProtocolViolation);
  EXPECT_EQ(Add(1, 0, 1, "", "ab"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 1, "", "ab"), Result::kProtocolViolation);
  EXPECT_EQ(Add(1, 0, 0, "BE", "ab"), Result::kProtocolViolation);
}

// Whatever the order in which fragments arrive, the pieces of each message make the message.
TEST_F(IDataPiecesTest, PiecesMakeUpTheMessagesInAnyOrderOfArrival) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng = Rng::FromNumber(seed);
    ReassemblyQueue queue({.delivery = Delivery::kPieces, .framing = Framing::kIData});
    struct Sent {
      uint32_t mid;
      uint32_t fsn;
      std::string text;
      std::string flags;
    };
    std::vector<Sent> sent;
    std::string expected;
    for (uint32_t mid = 0; mid < 5; ++mid) {
      const auto count = static_cast<uint32_t>(1 + rng.Below(6));
      for (uint32_t fsn = 0; fsn < count; ++fsn) {
        std::string flags = fsn == 0 ? "B" : "";
        if (fsn + 1 == count) flags += "E";
        sent.push_back({mid, fsn, std::to_string(mid) + "." + std::to_string(fsn) + ",", flags});
        expected += sent.back().text;
      }
      expected += "|";
    }
    for (size_t i = sent.size(); i > 1; --i) std::swap(sent[i - 1], sent[rng.Below(i)]);
    std::string got;
    for (size_t i = 0; i < sent.size(); ++i) {
      DataChunk chunk = Chunk(TsnAt(static_cast<int64_t>(i)), sent[i].text, {.flags = sent[i].flags});
      chunk.mid = Mid(sent[i].mid);
      chunk.fsn = sent[i].fsn;
      ASSERT_EQ(queue.Add(TsnAt(static_cast<int64_t>(i)), chunk), Result::kAccepted);
      while (auto message = queue.PopMessage()) {
        ASSERT_EQ(Begins(message->part), got.empty() || got.back() == '|') << "seed " << seed;
        got += Text(*message);
        if (Ends(message->part)) got += "|";
      }
      ASSERT_TRUE(queue.IsConsistent()) << "seed " << seed;
    }
    ASSERT_EQ(got, expected) << "seed " << seed;
    ASSERT_EQ(queue.buffered_bytes(), 0u) << "seed " << seed;
  }
}

}  // namespace
}  // namespace jsp::sctp
