#include "sctp/tx/skipped_streams.h"

#include <gtest/gtest.h>

#include <vector>

#include "sctp/tx/sack_test_support.h"
namespace jsp::sctp {
namespace {

SkippedMessages Ordered(uint16_t stream, uint32_t mid) { return {StreamId(stream), 0, Mid(mid)}; }
SkippedMessages Unordered(uint16_t stream, uint32_t mid) {
  return {StreamId(stream), SkippedMessages::kUnordered, Mid(mid)};
}

TEST(SkippedStreamsTest, NamesTheLastMessageOfEachStreamAndKind) {  // RFC 8260 §2.3.1
  SkippedStreams skipped;
  EXPECT_TRUE(skipped.Note(TsnAt(0), Ordered(1, 7)));
  EXPECT_TRUE(skipped.Note(TsnAt(1), Unordered(1, 3)));
  EXPECT_TRUE(skipped.Note(TsnAt(2), Ordered(2, 0)));
  EXPECT_TRUE(skipped.Note(TsnAt(3), Ordered(1, 8)));
  const auto listed = skipped.Messages();
  ASSERT_EQ(listed.size(), 3u);
  EXPECT_EQ(listed[0].mid, Mid(8));
  EXPECT_EQ(listed[1].mid, Mid(3));
  EXPECT_TRUE(listed[1].is_unordered());
  EXPECT_EQ(listed[2].stream, StreamId(2));
}

TEST(SkippedStreamsTest, SaysTheSsnInTheLow16BitsOfTheMid) {  // RFC 3758 §3.2
  SkippedStreams skipped;
  skipped.Note(TsnAt(0), Ordered(5, 0x10002));
  ASSERT_EQ(skipped.Streams().size(), 1u);
  EXPECT_EQ(skipped.Streams()[0].ssn, Ssn(2));
}

TEST(SkippedStreamsTest, TakesNoMoreStreamsThanAllowedButNewsOfThoseItHas) {  // RFC 3758 §3.5 C4
  SkippedStreams skipped;
  EXPECT_FALSE(skipped.Note(TsnAt(0), Ordered(1, 0), 0));
  EXPECT_TRUE(skipped.Note(TsnAt(0), Ordered(1, 0), 1));
  EXPECT_FALSE(skipped.Note(TsnAt(1), Ordered(2, 0), 1));
  EXPECT_TRUE(skipped.Note(TsnAt(2), Ordered(1, 1), 1));
  EXPECT_EQ(skipped.size(), 1u);
  EXPECT_EQ(skipped.Streams()[0].ssn, Ssn(1));
}

TEST(SkippedStreamsTest, ForgetsWhatThePeerKnows) {
  SkippedStreams skipped;
  for (uint16_t stream = 0; stream < 10; ++stream) skipped.Note(TsnAt(stream), Ordered(stream, 0));
  skipped.Note(TsnAt(10), Ordered(3, 1));
  skipped.ForgetBelow(TsnAt(8));
  ASSERT_EQ(skipped.size(), 3u);  // 3, 8 and 9
  // What is left is still found.
  skipped.Note(TsnAt(11), Ordered(8, 5));
  skipped.Note(TsnAt(12), Ordered(3, 2));
  ASSERT_EQ(skipped.size(), 3u);
  EXPECT_EQ(skipped.Streams()[0].ssn, Ssn(2));
  EXPECT_EQ(skipped.Streams()[1].ssn, Ssn(5));
  skipped.Clear();
  EXPECT_TRUE(skipped.Messages().empty());
}

}  // namespace
}  // namespace jsp::sctp
