#include "sctp/packet/chunk/data.h"

#include <gtest/gtest.h>

#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

constexpr char kCapture[] = "0003001500000001000000000000003368656c6c6f";

TEST(DataChunkTest, ParsesCapture) {  // RFC 9260 §3.3.1
  const auto octets = Hex(kCapture);
  const auto data = ParseOctets<DataChunk, ChunkView>(octets);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->tsn, Tsn(1));
  EXPECT_EQ(data->stream, StreamId(0));
  EXPECT_EQ(data->ssn, Ssn(0));
  EXPECT_EQ(data->ppid, Ppid(51));
  EXPECT_FALSE(data->immediate);
  EXPECT_FALSE(data->unordered);
  EXPECT_TRUE(data->beginning);
  EXPECT_TRUE(data->end);
  EXPECT_EQ(Copy(data->payload), Hex("68656c6c6f"));
}

TEST(DataChunkTest, PayloadIsAViewOfTheDatagram) {
  const auto octets = Hex(kCapture);
  const auto data = ParseOctets<DataChunk, ChunkView>(octets);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->payload.data(), octets.data() + 16);
}

TEST(DataChunkTest, RoundTripsEveryFlag) {
  for (int flags = 0; flags < 16; ++flags) {
    DataChunk data;
    data.tsn = Tsn(0xfffffffe);
    data.stream = StreamId(65534);
    data.ssn = Ssn(65535);
    data.ppid = Ppid(0x80000001);
    data.immediate = (flags & 8) != 0;
    data.unordered = (flags & 4) != 0;
    data.beginning = (flags & 2) != 0;
    data.end = (flags & 1) != 0;
    const auto payload = Hex("0102");
    data.payload = payload;
    const auto octets = Written(data);
    EXPECT_EQ(octets[1], flags);
    EXPECT_EQ(octets[3], 18);
    const auto parsed = ParseOctets<DataChunk, ChunkView>(octets);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->tsn, data.tsn);
    EXPECT_EQ(parsed->stream, data.stream);
    EXPECT_EQ(parsed->ssn, data.ssn);
    EXPECT_EQ(parsed->ppid, data.ppid);
    EXPECT_EQ(parsed->immediate, data.immediate);
    EXPECT_EQ(parsed->unordered, data.unordered);
    EXPECT_EQ(parsed->beginning, data.beginning);
    EXPECT_EQ(parsed->end, data.end);
    EXPECT_EQ(Copy(parsed->payload), payload);
  }
}

TEST(DataChunkTest, IgnoresReservedFlags) {
  auto octets = Hex(kCapture);
  octets[1] = 0xf0;
  const auto data = ParseOctets<DataChunk, ChunkView>(octets);
  ASSERT_TRUE(data);
  EXPECT_FALSE(data->immediate || data->unordered || data->beginning || data->end);
  EXPECT_EQ(Written(*data)[1], 0);
}

TEST(DataChunkTest, RejectsEveryTruncation) {
  ExpectEveryTruncationRefused<DataChunk, ChunkView>(Hex(kCapture), 16);
  ExpectOtherTypeRefused<DataChunk, ChunkView>(Hex(kCapture));
}

TEST(DataChunkTest, RejectsBadLength) {
  const auto cut = CutTo(Hex(kCapture), 15);
  const auto data = ParseOctets<DataChunk, ChunkView>(cut);
  ASSERT_FALSE(data);
  EXPECT_EQ(data.error(), (ParseError{ParseErrc::kTruncated, 2}));
}

TEST(DataChunkTest, ParsesAnEmptyPayloadForItsTsn) {  // RFC 9260 §6.2: the answer, No User Data, names the TSN
  const auto cut = CutTo(Hex(kCapture), 16);
  const auto data = ParseOctets<DataChunk, ChunkView>(cut);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->tsn, Tsn(1));
  EXPECT_TRUE(data->payload.empty());
}

}  // namespace
}  // namespace jsp::sctp
