#include "sctp/rx/message_assembler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <vector>

#include "base/rng.h"
#include "sctp/rx/rx_test_support.h"
namespace jsp::sctp {
namespace {

class MessageAssemblerTest : public testing::Test {
 protected:
  using Result = Expected<std::optional<AssembledMessage>, AssemblyError>;

  Result AddChunk(int64_t offset, const DataChunk& chunk) {
    auto result = assembler_.Add(TsnAt(offset), chunk, limit_);
    EXPECT_TRUE(assembler_.IsConsistent());
    return result;
  }
  Result Add(int64_t offset, std::string_view text, std::string_view flags) {
    return AddChunk(offset, Chunk(TsnAt(offset), text, {.flags = flags}));
  }
  // Adds a fragment that completes nothing.
  void Hold(int64_t offset, std::string_view text, std::string_view flags) {
    const auto result = Add(offset, text, flags);
    ASSERT_TRUE(result) << offset;
    EXPECT_FALSE(result->has_value()) << offset;
  }
  // Adds the fragment that completes a message.
  std::string Complete(int64_t offset, std::string_view text, std::string_view flags) {
    auto result = Add(offset, text, flags);
    if (!result || !result->has_value()) return "not complete";
    return Text((*result)->message);
  }
  AssemblyError Refused(int64_t offset, std::string_view text, const ChunkOptions& options) {
    const auto result = AddChunk(offset, Chunk(TsnAt(offset), text, options));
    EXPECT_FALSE(result);
    return result ? AssemblyError{255} : result.error();
  }

  MessageAssembler assembler_;
  size_t limit_ = 0;
};

TEST_F(MessageAssemblerTest, OneChunkIsAMessage) {
  const auto result = AddChunk(0, Chunk(TsnAt(0), "hello", {.stream = 9, .ssn = 3, .ppid = 53, .flags = "BE"}));
  ASSERT_TRUE(result);
  ASSERT_TRUE(result->has_value());
  const AssembledMessage& assembled = **result;
  EXPECT_EQ(Text(assembled.message), "hello");
  EXPECT_EQ(assembled.message.stream, StreamId(9));
  EXPECT_EQ(assembled.message.ppid, Ppid(53));
  EXPECT_EQ(assembled.ssn, Ssn(3));
  EXPECT_EQ(assembled.first_tsn, TsnAt(0));
  EXPECT_FALSE(assembled.unordered);
  EXPECT_EQ(assembler_.buffered_bytes(), 0u);
}

TEST_F(MessageAssemblerTest, C19_JoinsFragmentsInOrderOverTheWrap) {  // RFC 9260 §6.9
  Hold(0, "a", "B");
  Hold(1, "b", "");
  Hold(2, "c", "");
  EXPECT_EQ(Complete(3, "d", "E"), "abcd");
  EXPECT_EQ(assembler_.run_count(), 0u);
  EXPECT_EQ(assembler_.buffered_bytes(), 0u);
}

TEST_F(MessageAssemblerTest, C19_JoinsFragmentsInEveryOrder) {
  const std::string text = "abcde";
  std::vector<int> order(5);
  std::iota(order.begin(), order.end(), 0);
  int64_t base = 0;
  do {
    for (size_t i = 0; i < order.size(); ++i) {
      const int at = order[i];
      const std::string_view flags = at == 0 ? "B" : at == 4 ? "E" : "";
      const std::string_view piece = std::string_view(text).substr(static_cast<size_t>(at), 1);
      if (i + 1 < order.size()) {
        Hold(base + at, piece, flags);
      } else {
        ASSERT_EQ(Complete(base + at, piece, flags), text);
      }
    }
    ASSERT_EQ(assembler_.buffered_bytes(), 0u);
    base += 5;
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(MessageAssemblerTest, MessagesBehindAGapComeOutWhole) {
  Hold(3, "c", "B");
  EXPECT_EQ(Complete(4, "d", "E"), "cd");
  EXPECT_EQ(Complete(5, "e", "BE"), "e");
  Hold(0, "a", "B");
  Hold(2, "b", "E");
  EXPECT_EQ(Complete(1, "-", ""), "a-b");
}

TEST_F(MessageAssemblerTest, UnorderedFragmentsJoinWhateverTheirSsn) {  // RFC 9260 §3.3.1: the SSN has no meaning
  ASSERT_TRUE(AddChunk(0, Chunk(TsnAt(0), "a", {.ssn = 5, .flags = "UB"})));
  const auto result = AddChunk(1, Chunk(TsnAt(1), "b", {.ssn = 77, .flags = "UE"}));
  ASSERT_TRUE(result && result->has_value());
  EXPECT_EQ(Text((*result)->message), "ab");
  EXPECT_TRUE((*result)->unordered);
}

TEST_F(MessageAssemblerTest, C8_RefusesBAfterAnUnfinishedMessage) {
  Hold(0, "a", "B");
  EXPECT_EQ(Refused(1, "b", {.flags = "B"}), AssemblyError::kProtocolViolation);
  EXPECT_EQ(Refused(1, "b", {.flags = "BE"}), AssemblyError::kProtocolViolation);
}

TEST_F(MessageAssemblerTest, C8_RefusesAnUnfinishedFragmentBeforeB) {
  Hold(1, "b", "B");
  EXPECT_EQ(Refused(0, "a", {.flags = "B"}), AssemblyError::kProtocolViolation);
  EXPECT_EQ(Refused(0, "a", {.flags = ""}), AssemblyError::kProtocolViolation);
  EXPECT_EQ(Complete(0, "a", "BE"), "a");
}

TEST_F(MessageAssemblerTest, C8_RefusesAContinuationAfterE) {
  Hold(1, "b", "E");
  EXPECT_EQ(Refused(2, "c", {.flags = ""}), AssemblyError::kProtocolViolation);
  EXPECT_EQ(Refused(2, "c", {.flags = "E"}), AssemblyError::kProtocolViolation);
  EXPECT_EQ(Complete(2, "c", "BE"), "c");
}

TEST_F(MessageAssemblerTest, C8_RefusesEBeforeAContinuation) {
  Hold(1, "b", "");
  EXPECT_EQ(Refused(0, "a", {.flags = "BE"}), AssemblyError::kProtocolViolation);
  EXPECT_EQ(Refused(0, "a", {.flags = "E"}), AssemblyError::kProtocolViolation);
}

TEST_F(MessageAssemblerTest, C8_RefusesAnotherStreamSsnOrOrderInsideOfAMessage) {
  Hold(0, "a", "B");
  EXPECT_EQ(Refused(1, "b", {.stream = 1, .flags = "E"}), AssemblyError::kProtocolViolation);
  EXPECT_EQ(Refused(1, "b", {.ssn = 1, .flags = "E"}), AssemblyError::kProtocolViolation);
  EXPECT_EQ(Refused(1, "b", {.flags = "UE"}), AssemblyError::kProtocolViolation);
  EXPECT_EQ(Complete(1, "b", "E"), "ab");
}

TEST_F(MessageAssemblerTest, TheFirstFragmentsPpidIsTheMessages) {  // RFC 9260 §3.3.1: SCTP does not use it
  const std::array chunks{Chunk(TsnAt(0), "a", {.ppid = 51, .flags = "B"}),
                          Chunk(TsnAt(1), "b", {.ppid = 0, .flags = ""}),
                          Chunk(TsnAt(2), "c", {.ppid = 99, .flags = "E"})};
  std::array<int64_t, 3> order{0, 1, 2};
  do {
    for (size_t i = 0; i < order.size(); ++i) {
      const auto result = AddChunk(order[i], chunks[static_cast<size_t>(order[i])]);
      ASSERT_TRUE(result);
      ASSERT_EQ(result->has_value(), i == 2);
      if (result->has_value()) {
        EXPECT_EQ((*result)->message.ppid, Ppid(51));
      }
    }
  } while (std::ranges::next_permutation(order).found);
}

TEST_F(MessageAssemblerTest, C8_RefusesAnotherStreamAlsoFromTheRight) {
  Hold(1, "b", "E");
  EXPECT_EQ(Refused(0, "a", {.stream = 1, .flags = "B"}), AssemblyError::kProtocolViolation);
  EXPECT_EQ(Refused(0, "a", {.ssn = 1, .flags = "B"}), AssemblyError::kProtocolViolation);
  EXPECT_EQ(Complete(0, "a", "B"), "ab");
}

TEST_F(MessageAssemblerTest, C8_NoticesEWithoutB) {
  Hold(0, "a", "E");
  EXPECT_TRUE(assembler_.CheckProgress(TsnAt(-1)));
  EXPECT_FALSE(assembler_.CheckProgress(TsnAt(0)));
}

TEST_F(MessageAssemblerTest, C8_NoticesAContinuationOfADeliveredMessage) {
  EXPECT_EQ(Complete(0, "a", "BE"), "a");
  EXPECT_TRUE(assembler_.CheckProgress(TsnAt(0)));
  Hold(1, "b", "");
  EXPECT_FALSE(assembler_.CheckProgress(TsnAt(1)));
}

TEST_F(MessageAssemblerTest, C8_NoticesAMessageThatWasCutOffByADeliveredOne) {
  EXPECT_EQ(Complete(2, "c", "BE"), "c");
  Hold(0, "a", "B");
  EXPECT_TRUE(assembler_.CheckProgress(TsnAt(0)));
  Hold(1, "b", "");
  EXPECT_FALSE(assembler_.CheckProgress(TsnAt(2)));
}

TEST_F(MessageAssemblerTest, RunsThatMayStillBecomeWholeAreFine) {
  Hold(0, "a", "B");
  Hold(1, "b", "");
  Hold(5, "f", "");
  EXPECT_TRUE(assembler_.CheckProgress(TsnAt(1)));
}

TEST_F(MessageAssemblerTest, R5_RefusesAMessageAboveTheLimitFromTheFirstOctetTooMany) {
  limit_ = 4;
  EXPECT_EQ(Refused(0, "abcde", {.flags = "BE"}), AssemblyError::kMessageTooLarge);
  EXPECT_EQ(Complete(0, "abcd", "BE"), "abcd");
  Hold(1, "ab", "B");
  EXPECT_EQ(Refused(2, "cde", {.flags = ""}), AssemblyError::kMessageTooLarge);
  EXPECT_EQ(Complete(2, "cd", "E"), "abcd");
}

TEST_F(MessageAssemblerTest, R5_CountsBothNeighboursAgainstTheLimit) {
  limit_ = 4;
  Hold(0, "ab", "B");
  Hold(2, "cd", "");
  EXPECT_EQ(Refused(1, "x", {.flags = ""}), AssemblyError::kMessageTooLarge);
  EXPECT_EQ(Refused(3, "abc", {.flags = "E"}), AssemblyError::kMessageTooLarge);
}

TEST_F(MessageAssemblerTest, C6_ChargesEveryRunAndEveryPiece) {
  constexpr size_t kRun = MessageAssembler::kRunOverhead;
  constexpr size_t kPiece = MessageAssembler::kPieceOverhead;
  Hold(0, "aa", "B");
  EXPECT_EQ(assembler_.buffered_bytes(), 2 + kRun);
  Hold(1, "bb", "");
  EXPECT_EQ(assembler_.buffered_bytes(), 4 + kRun) << "it has room for that";
  Hold(4, "ee", "");
  EXPECT_EQ(assembler_.buffered_bytes(), 6 + 2 * kRun);
  Hold(3, "dd", "");
  EXPECT_EQ(assembler_.buffered_bytes(), 8 + 2 * kRun + kPiece);
  Hold(2, "cc", "");
  EXPECT_EQ(assembler_.run_count(), 1u);
  EXPECT_EQ(assembler_.buffered_bytes(), 10 + kRun + 2 * kPiece);
  EXPECT_EQ(Complete(5, "ff", "E"), "aabbccddeeff");
  EXPECT_EQ(assembler_.buffered_bytes(), 0u);
}

TEST_F(MessageAssemblerTest, C8_OneOctetFragmentsInReverseCostLinearTime) {
  // A quadratic assembler would copy 2 · 10^9 octets here.
  const int64_t count = 65000;
  for (int64_t offset = count - 1; offset > 0; --offset) {
    const auto chunk = Chunk(TsnAt(offset), "x", {.flags = offset == count - 1 ? "E" : ""});
    ASSERT_TRUE(assembler_.Add(TsnAt(offset), chunk, 0));
  }
  EXPECT_EQ(assembler_.run_count(), 1u);
  EXPECT_GE(assembler_.buffered_bytes(), static_cast<size_t>(count - 1) * MessageAssembler::kPieceOverhead);
  const auto whole = assembler_.Add(TsnAt(0), Chunk(TsnAt(0), "x", {.flags = "B"}), 0);
  ASSERT_TRUE(whole && whole->has_value());
  EXPECT_EQ((*whole)->message.payload.size(), static_cast<size_t>(count));
  EXPECT_EQ(assembler_.buffered_bytes(), 0u);
}

// In pieces a message may be longer than any window: the ring of TSNs does not stretch with it.
TEST_F(MessageAssemblerTest, AMessageInPiecesMayHaveMoreFragmentsThanTheRingHasRoom) {
  const auto count = static_cast<int64_t>(TsnRing::kMaxSpan) + 1000;
  for (int64_t offset = 0; offset < count; ++offset) {
    ASSERT_TRUE(assembler_.Add(TsnAt(offset), Chunk(TsnAt(offset), "x", {.flags = offset == 0 ? "B" : ""}), 0));
    ASSERT_TRUE(assembler_.TakePiece(TsnAt(offset)));
    ASSERT_TRUE(assembler_.CheckProgress(TsnAt(offset)));
  }
  ASSERT_TRUE(assembler_.IsConsistent());
  const auto end = assembler_.Add(TsnAt(count), Chunk(TsnAt(count), "x", {.flags = "E"}), 0);
  ASSERT_TRUE(end && end->has_value());
  EXPECT_EQ((*end)->first_tsn, TsnAt(0));
  EXPECT_EQ(assembler_.run_count(), 0u);
}

// No tracker lets such TSNs through; nothing is kept of them here either.
TEST_F(MessageAssemblerTest, R5_RefusesTsnsFurtherApartThanAnyWindow) {
  Hold(0, "aa", "B");
  const auto far = static_cast<int64_t>(TsnRing::kMaxSpan);
  const auto refused = assembler_.Add(TsnAt(far), Chunk(TsnAt(far), "x", {.flags = "B"}), 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), AssemblyError::kProtocolViolation);
  EXPECT_EQ(assembler_.run_count(), 1u);
  EXPECT_EQ(Complete(1, "bb", "E"), "aabb");
}

TEST_F(MessageAssemblerTest, AGrowingMessageHasFewPieces) {
  const size_t count = 20000;
  for (size_t offset = 0; offset < count; ++offset) {
    const auto at = static_cast<int64_t>(offset);
    ASSERT_TRUE(assembler_.Add(TsnAt(at), Chunk(TsnAt(at), "0123456789", {.flags = offset == 0 ? "B" : ""}), 0));
  }
  // Doubling up to 64 KiB, then one per 64 KiB.
  EXPECT_LE(assembler_.buffered_bytes(),
            10 * count + MessageAssembler::kRunOverhead + 18 * MessageAssembler::kPieceOverhead);
  EXPECT_TRUE(assembler_.IsConsistent());
}

TEST_F(MessageAssemblerTest, R5_DoesNotReserveByClaim) {
  const std::string big(100000, 'x');
  Hold(0, big, "B");
  EXPECT_EQ(Complete(1, big, "E").size(), 200000u);
  // Beginnings of many messages: what they hold is what they brought, but for one reservation.
  for (int64_t offset = 10; offset < 210; offset += 2) Hold(offset, "y", "B");
  EXPECT_EQ(assembler_.buffered_bytes(), 100 * (1 + MessageAssembler::kRunOverhead));
}

TEST_F(MessageAssemblerTest, SkipDropsWhatMissesTsnsBelow) {  // RFC 3758 §3.6
  Hold(0, "a", "B");
  Hold(2, "c", "");
  Hold(8, "i", "B");
  assembler_.Skip(TsnAt(3));
  EXPECT_TRUE(assembler_.IsConsistent());
  EXPECT_EQ(assembler_.run_count(), 1u);
  EXPECT_EQ(assembler_.dropped_fragments(), 2u);
  EXPECT_EQ(Complete(9, "j", "E"), "ij");
}

TEST_F(MessageAssemblerTest, SkipKeepsAMessageThatMissesNothingBelow) {  // RFC 3758 §3.6
  Hold(0, "a", "B");
  Hold(1, "b", "");
  Hold(2, "c", "");
  assembler_.Skip(TsnAt(1));
  EXPECT_EQ(Complete(3, "d", "E"), "abcd");
}

TEST_F(MessageAssemblerTest, SkipDropsTheRestOfTheMessageAsItArrives) {
  assembler_.Skip(TsnAt(2));
  Hold(3, "x", "");
  Hold(4, "y", "E");
  EXPECT_EQ(assembler_.dropped_fragments(), 2u);
  EXPECT_EQ(assembler_.run_count(), 0u);
  EXPECT_TRUE(assembler_.CheckProgress(TsnAt(4)));
  EXPECT_EQ(Complete(5, "z", "BE"), "z");
}

TEST_F(MessageAssemblerTest, SkipDropsTheRestOfTheMessageThatHasArrived) {
  Hold(2, "c", "");
  Hold(3, "d", "");
  Hold(5, "f", "");
  Hold(6, "g", "E");
  assembler_.Skip(TsnAt(2));
  EXPECT_EQ(assembler_.run_count(), 1u);
  Hold(4, "e", "");
  EXPECT_EQ(assembler_.run_count(), 0u);
  EXPECT_TRUE(assembler_.CheckProgress(TsnAt(6)));
  EXPECT_EQ(assembler_.buffered_bytes(), 0u);
}

TEST_F(MessageAssemblerTest, MessageRightAfterTheSkippedOneIsNotDropped) {
  Hold(3, "d", "B");
  assembler_.Skip(TsnAt(2));
  EXPECT_EQ(Complete(4, "e", "E"), "de");
  assembler_.Skip(TsnAt(7));
  EXPECT_EQ(Complete(8, "x", "BE"), "x");
}

TEST_F(MessageAssemblerTest, NextMessageMayFollowOneThatWasSkippedAtItsLastFragmentSent) {
  Hold(0, "a", "B");
  assembler_.Skip(TsnAt(0));
  EXPECT_EQ(Complete(1, "next", "BE"), "next");
  EXPECT_EQ(assembler_.run_count(), 0u);
  EXPECT_EQ(assembler_.dropped_fragments(), 1u);
}

TEST_F(MessageAssemblerTest, SkippedMessageBeforeADeliveredOneIsDroppedLater) {
  EXPECT_EQ(Complete(2, "next", "BE"), "next");
  Hold(0, "a", "B");
  assembler_.Skip(TsnAt(0));
  ASSERT_TRUE(assembler_.Add(TsnAt(1), Chunk(TsnAt(1), "b", {.flags = ""}), 0));
  EXPECT_TRUE(assembler_.CheckProgress(TsnAt(2)));
  EXPECT_EQ(assembler_.run_count(), 0u);
}

TEST_F(MessageAssemblerTest, KeepsWorkingAfterItWasMoved) {
  Hold(0, "a", "B");
  MessageAssembler moved = std::move(assembler_);
  const auto whole = moved.Add(TsnAt(1), Chunk(TsnAt(1), "b", {.flags = "E"}), 0);
  ASSERT_TRUE(whole && whole->has_value());
  EXPECT_EQ(Text((*whole)->message), "ab");
}

}  // namespace
}  // namespace jsp::sctp
