#include "sctp/rx/interleaved_streams.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
namespace jsp::sctp {
namespace {

using Order = InterleavedStreams::Order;
using Result = InterleavedStreams::Result;

// What one fragment says; "B" and "E" in `flags`, "U" for unordered.
DataChunk Fragment(uint16_t stream, uint32_t mid, uint32_t fsn, std::string_view flags, std::string_view payload) {
  DataChunk chunk;
  chunk.stream = StreamId(stream);
  chunk.mid = Mid(mid);
  chunk.beginning = flags.find('B') != flags.npos;
  chunk.end = flags.find('E') != flags.npos;
  chunk.unordered = flags.find('U') != flags.npos;
  chunk.fsn = chunk.beginning ? 0 : fsn;
  if (chunk.beginning) chunk.ppid = Ppid(53);
  chunk.payload = {reinterpret_cast<const uint8_t*>(payload.data()), payload.size()};
  return chunk;
}

class InterleavedStreamsTest : public testing::Test {
 protected:
  Result Add(uint16_t stream, uint32_t mid, uint32_t fsn, std::string_view flags, std::string_view payload) {
    const Result result = streams_.Add(Fragment(stream, mid, fsn, flags, payload), limit_);
    EXPECT_TRUE(streams_.IsConsistent());
    return result;
  }
  // Everything that is ready, as "stream:payload".
  std::vector<std::string> Popped() {
    std::vector<std::string> popped;
    while (auto message = streams_.Pop()) {
      popped.push_back(std::to_string(message->stream.value) + ":" +
                       std::string(message->payload.begin(), message->payload.end()));
      EXPECT_EQ(message->ppid, Ppid(53));
    }
    EXPECT_TRUE(streams_.IsConsistent());
    return popped;
  }
  using Messages = std::vector<std::string>;

  InterleavedStreams streams_;
  size_t limit_ = 0;
};

TEST_F(InterleavedStreamsTest, JoinsFragmentsOfTwoStreamsThatInterleave) {  // RFC 8260 §2.2.3
  EXPECT_EQ(Add(1, 0, 0, "B", "ab"), Result::kAccepted);
  EXPECT_EQ(Add(2, 0, 0, "B", "xy"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 1, "", "cd"), Result::kAccepted);
  EXPECT_EQ(Add(2, 0, 1, "E", "z"), Result::kAccepted);
  EXPECT_EQ(Popped(), Messages{"2:xyz"});
  EXPECT_EQ(Add(1, 0, 2, "E", "e"), Result::kAccepted);
  EXPECT_EQ(Popped(), Messages{"1:abcde"});
  EXPECT_EQ(streams_.buffered_bytes(), 0u);
}

TEST_F(InterleavedStreamsTest, JoinsFragmentsInAnyOrder) {  // RFC 8260 §2.2.3
  EXPECT_EQ(Add(1, 0, 3, "E", "g"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 1, "", "cd"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 2, "", "ef"), Result::kAccepted);
  EXPECT_EQ(Popped(), Messages{});
  EXPECT_EQ(Add(1, 0, 0, "B", "ab"), Result::kAccepted);
  EXPECT_EQ(Popped(), Messages{"1:abcdefg"});
}

TEST_F(InterleavedStreamsTest, OrderedMessagesWaitForTheirTurn) {  // RFC 8260 §2.1
  EXPECT_EQ(Add(1, 2, 0, "BE", "c"), Result::kAccepted);
  EXPECT_EQ(Add(1, 1, 0, "B", "b1"), Result::kAccepted);
  EXPECT_EQ(Add(1, 1, 1, "E", "b2"), Result::kAccepted);
  EXPECT_EQ(Popped(), Messages{});
  EXPECT_EQ(Add(1, 0, 0, "BE", "a"), Result::kAccepted);
  EXPECT_EQ(Popped(), (Messages{"1:a", "1:b1b2", "1:c"}));
}

TEST_F(InterleavedStreamsTest, UnorderedMessagesHaveTheirOwnCounterAndDoNotWait) {  // RFC 8260 §2.1
  EXPECT_EQ(Add(1, 5, 0, "BEU", "late"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 0, "BU", "fi"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 0, "BE", "ordered"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 1, "EU", "rst"), Result::kAccepted);
  EXPECT_EQ(Popped(), (Messages{"1:late", "1:ordered", "1:first"}));
}

TEST_F(InterleavedStreamsTest, MessageIdentifiersWrap) {  // RFC 8260 §2.1: serial numbers of 32 bits
  streams_.Skip(StreamId(1), Order::kOrdered, Mid(0x7fffffff));
  streams_.Skip(StreamId(1), Order::kOrdered, Mid(0xfffffffd));
  EXPECT_EQ(Add(1, 0, 0, "BE", "third"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0xffffffff, 0, "BE", "second"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0xfffffffe, 0, "BE", "first"), Result::kAccepted);
  EXPECT_EQ(Popped(), (Messages{"1:first", "1:second", "1:third"}));
}

TEST_F(InterleavedStreamsTest, AFragmentTwiceIsAViolation) {
  EXPECT_EQ(Add(1, 0, 0, "B", "a"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 0, "B", "a"), Result::kProtocolViolation);
  EXPECT_EQ(Add(2, 0, 4, "", "a"), Result::kAccepted);
  EXPECT_EQ(Add(2, 0, 4, "", "a"), Result::kProtocolViolation);
}

TEST_F(InterleavedStreamsTest, AFragmentBeyondTheEndIsAViolation) {
  EXPECT_EQ(Add(1, 0, 3, "E", "a"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 4, "", "a"), Result::kProtocolViolation);
  EXPECT_EQ(Add(2, 0, 3, "", "a"), Result::kAccepted);
  EXPECT_EQ(Add(2, 0, 2, "E", "a"), Result::kProtocolViolation);
}

TEST_F(InterleavedStreamsTest, ASecondBeginningOrEndIsAViolation) {
  EXPECT_EQ(Add(1, 0, 2, "E", "a"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 1, "E", "a"), Result::kProtocolViolation);
  EXPECT_EQ(Add(2, 0, 0, "B", "a"), Result::kAccepted);
  EXPECT_EQ(Add(2, 0, 1, "", "b"), Result::kAccepted);
  EXPECT_EQ(Add(2, 0, 0, "B", "a"), Result::kProtocolViolation);
  EXPECT_EQ(Add(3, 0, 0, "B", "a"), Result::kAccepted);
  EXPECT_EQ(Add(3, 0, 0, "BE", "a"), Result::kProtocolViolation);
}

TEST_F(InterleavedStreamsTest, AFragmentWithoutBeginningCannotBeTheFirst) {  // RFC 8260 §2.1
  EXPECT_EQ(Add(1, 0, 0, "", "a"), Result::kProtocolViolation);
}

TEST_F(InterleavedStreamsTest, RefusesAMessageThatIsTooLarge) {
  limit_ = 4;
  EXPECT_EQ(Add(1, 0, 0, "BE", "abcde"), Result::kMessageTooLarge);
  EXPECT_EQ(Add(1, 1, 7, "", "abc"), Result::kAccepted);
  EXPECT_EQ(Add(1, 1, 5, "", "ab"), Result::kMessageTooLarge);
}

TEST_F(InterleavedStreamsTest, SkippingReleasesWhatWaited) {  // RFC 8260 §2.3.1
  EXPECT_EQ(Add(1, 0, 0, "B", "a"), Result::kAccepted);
  EXPECT_EQ(Add(1, 1, 0, "BE", "whole"), Result::kAccepted);
  EXPECT_EQ(Add(1, 2, 0, "BE", "next"), Result::kAccepted);
  streams_.Skip(StreamId(1), Order::kOrdered, Mid(1));
  EXPECT_EQ(Popped(), (Messages{"1:whole", "1:next"}));
  EXPECT_EQ(streams_.dropped_messages(), 1u);
  // The rest of the skipped message was still under way.
  EXPECT_EQ(Add(1, 0, 1, "E", "late"), Result::kAccepted);
  EXPECT_EQ(streams_.dropped_fragments(), 1u);
  EXPECT_EQ(streams_.buffered_bytes(), 0u);
}

TEST_F(InterleavedStreamsTest, SkippingUnorderedMessagesDropsOnlyThem) {  // RFC 8260 §2.3.1
  EXPECT_EQ(Add(1, 0, 0, "BU", "a"), Result::kAccepted);
  EXPECT_EQ(Add(1, 4, 0, "BU", "b"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 0, "B", "o"), Result::kAccepted);
  streams_.Skip(StreamId(1), Order::kUnordered, Mid(3));
  EXPECT_EQ(Add(1, 0, 1, "EU", "late"), Result::kAccepted);
  EXPECT_EQ(Add(1, 4, 1, "EU", "c"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 1, "E", "p"), Result::kAccepted);
  EXPECT_EQ(Popped(), (Messages{"1:bc", "1:op"}));
}

TEST_F(InterleavedStreamsTest, AnOldSkipChangesNothing) {
  streams_.Skip(StreamId(1), Order::kOrdered, Mid(9));
  streams_.Skip(StreamId(1), Order::kOrdered, Mid(3));
  EXPECT_EQ(Add(1, 10, 0, "BE", "a"), Result::kAccepted);
  EXPECT_EQ(Popped(), Messages{"1:a"});
}

TEST_F(InterleavedStreamsTest, AResetZeroesBothCounters) {  // RFC 8260 §2.3.2
  EXPECT_EQ(Add(1, 0, 0, "BE", "a"), Result::kAccepted);
  EXPECT_EQ(Add(1, 0, 0, "BEU", "u"), Result::kAccepted);
  EXPECT_EQ(Add(1, 2, 0, "BE", "waits"), Result::kAccepted);
  streams_.Reset(StreamId(1));
  EXPECT_EQ(Add(1, 0, 0, "BE", "again"), Result::kAccepted);
  EXPECT_EQ(Popped(), (Messages{"1:a", "1:u", "1:again"}));
  EXPECT_EQ(streams_.buffered_bytes(), 0u);
}

TEST_F(InterleavedStreamsTest, C6_CountsWhatAPeerMakesUsHold) {
  // One octet each: the bookkeeping counts, or a peer would fill memory with a window of headers.
  for (uint32_t mid = 1; mid <= 100; ++mid) Add(1, mid, 5, "", "x");
  EXPECT_GE(streams_.buffered_bytes(),
            100 * (InterleavedStreams::kPartialOverhead + InterleavedStreams::kEarlyOverhead));
}

TEST(InterleavedStreamsFuzzTest, DeliversEveryMessageOnceInOrderHoweverFragmentsArrive) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng = Rng::FromNumber(seed);
    struct Piece {
      uint16_t stream;
      uint32_t mid;
      uint32_t fsn;
      std::string flags;
      std::string payload;
    };
    std::vector<Piece> pieces;
    for (uint16_t stream = 0; stream < 4; ++stream) {
      for (uint32_t mid = 0; mid < 12; ++mid) {
        const auto count = static_cast<uint32_t>(1 + rng.Below(6));
        for (uint32_t fsn = 0; fsn < count; ++fsn) {
          std::string flags = fsn == 0 ? "B" : "";
          if (fsn + 1 == count) flags += "E";
          pieces.push_back({stream, mid, fsn, flags, std::to_string(mid) + "." + std::to_string(fsn) + ","});
        }
      }
    }
    for (size_t i = pieces.size(); i > 1; --i) std::swap(pieces[i - 1], pieces[rng.Below(i)]);
    InterleavedStreams streams;
    std::vector<uint32_t> next(4, 0);
    size_t messages = 0;
    for (const Piece& piece : pieces) {
      ASSERT_EQ(streams.Add(Fragment(piece.stream, piece.mid, piece.fsn, piece.flags, piece.payload), 0),
                Result::kAccepted);
      ASSERT_TRUE(streams.IsConsistent());
      while (const auto message = streams.Pop()) {
        const std::string text(message->payload.begin(), message->payload.end());
        const uint32_t mid = next[message->stream.value]++;
        std::string expected;
        for (uint32_t fsn = 0; expected.size() < text.size(); ++fsn) {
          expected += std::to_string(mid) + "." + std::to_string(fsn) + ",";
        }
        ASSERT_EQ(text, expected);
        ++messages;
      }
    }
    EXPECT_EQ(messages, 48u);
    EXPECT_EQ(streams.buffered_bytes(), 0u);
  }
}

TEST(InterleavedStreamsFuzzTest, SurvivesWhateverAPeerSends) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng = Rng::FromNumber(seed);
    InterleavedStreams streams;
    for (int i = 0; i < 400; ++i) {
      const auto stream = static_cast<uint16_t>(rng.Below(3));
      const auto mid = static_cast<uint32_t>(rng.Below(6)) - 3;
      switch (rng.Below(12)) {
        case 0:
          streams.Skip(StreamId(stream), rng.Below(2) == 0 ? Order::kOrdered : Order::kUnordered, Mid(mid));
          break;
        case 1:
          streams.Reset(StreamId(stream));
          break;
        case 2:
          (void)streams.Pop();
          break;
        default: {
          std::string flags;
          if (rng.Below(3) == 0) flags += "B";
          if (rng.Below(3) == 0) flags += "E";
          if (rng.Below(2) == 0) flags += "U";
          (void)streams.Add(Fragment(stream, mid, static_cast<uint32_t>(rng.Below(5)) - 1, flags, "xyz"), 12);
        }
      }
      ASSERT_TRUE(streams.IsConsistent()) << i;
    }
  }
}

}  // namespace
}  // namespace jsp::sctp
