#include "sctp/packet/chunk/reconfig.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <utility>

#include "sctp/packet/parameter/outgoing_ssn_reset_request.h"
#include "sctp/packet/parameter/reconfig_response.h"
#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

constexpr char kCapture[] = "82000016 000d0012 00000007 00000000 00000009 0001";

// A RE-CONFIG of empty parameters of these types: the combination is judged by types alone.
std::vector<uint8_t> Combination(std::initializer_list<uint16_t> types) {
  std::vector<uint8_t> octets = Hex("82000000");
  for (uint16_t type : types) {
    octets.insert(octets.end(), {static_cast<uint8_t>(type >> 8), static_cast<uint8_t>(type), 0, 4});
  }
  octets[3] = static_cast<uint8_t>(octets.size());
  return octets;
}

TEST(ReconfigChunkTest, ParsesCapture) {  // RFC 6525 §3.1
  const auto octets = Hex(kCapture);
  const auto reconfig = ParseOctets<ReconfigChunk, ChunkView>(octets);
  ASSERT_TRUE(reconfig);
  const auto request = OutgoingSsnResetRequest::Parse(*reconfig->parameters.begin());
  ASSERT_TRUE(request);
  EXPECT_EQ(request->request_sn, ReconfigSn(7));
  EXPECT_EQ(request->last_assigned_tsn, Tsn(9));
  ASSERT_EQ(request->streams.size(), 1u);
  EXPECT_EQ(request->streams[0], StreamId(1));
}

TEST(ReconfigChunkTest, RoundTripsRequestAfterResponse) {
  std::array<uint8_t, 64> buffer;
  ByteWriter writer(buffer);
  ReconfigResponse response;
  response.response_sn = ReconfigSn(0xffffffff);
  response.result_code = static_cast<uint32_t>(ReconfigResult::kPerformed);
  response.Write(writer);
  OutgoingSsnResetRequest request;
  request.request_sn = ReconfigSn(1);
  const std::array<StreamId, 1> streams{StreamId(3)};
  request.streams = WireList<StreamId>(streams);
  request.Write(writer);
  const auto octets = Written(ReconfigChunk{ParameterRange(writer.written())});
  EXPECT_EQ(octets.size(), 4u + 12 + 18);
  const auto parsed = ParseOctets<ReconfigChunk, ChunkView>(octets);
  ASSERT_TRUE(parsed);
  auto parameter = parsed->parameters.begin();
  EXPECT_EQ(ReconfigResponse::Parse(*parameter)->result(), ReconfigResult::kPerformed);
  ++parameter;
  EXPECT_EQ(OutgoingSsnResetRequest::Parse(*parameter)->streams[0], StreamId(3));
}

TEST(ReconfigChunkTest, RejectsEveryTruncation) {
  const auto octets = Hex(kCapture);
  ExpectEveryTruncationRefused<ReconfigChunk, ChunkView>(octets, octets.size());
  ExpectOtherTypeRefused<ReconfigChunk, ChunkView>(octets);
}

TEST(ReconfigChunkTest, RejectsBadLength) {
  EXPECT_EQ((ParseOctets<ReconfigChunk, ChunkView>(Hex("82000004")).error().code), ParseErrc::kBadLength);
  EXPECT_EQ((ParseOctets<ReconfigChunk, ChunkView>(Hex("82000008 000d0003")).error().code), ParseErrc::kBadLength);
}

TEST(ReconfigChunkTest, C11_AcceptsTheTenCombinationsOnly) {  // RFC 6525 §3.1
  const std::set<std::pair<int, int>> allowed{{13, 14}, {17, 18}, {16, 13}, {16, 16}, {14, 13}, {18, 17}, {13, 16}};
  for (uint16_t first = 12; first <= 19; ++first) {
    const bool known = first >= 13 && first <= 18;
    EXPECT_EQ((ParseOctets<ReconfigChunk, ChunkView>(Combination({first})).has_value()), known) << first;
    for (uint16_t second = 12; second <= 19; ++second) {
      const auto parsed = ParseOctets<ReconfigChunk, ChunkView>(Combination({first, second}));
      EXPECT_EQ(parsed.has_value(), allowed.count({first, second}) == 1) << first << " " << second;
      if (!parsed) {
        EXPECT_EQ(parsed.error(), (ParseError{ParseErrc::kBadValue, 4}));
      }
    }
  }
}

TEST(ReconfigChunkTest, C11_RejectsThreeParameters) {
  EXPECT_FALSE((ParseOctets<ReconfigChunk, ChunkView>(Combination({16, 16, 16}))));
  EXPECT_FALSE((ParseOctets<ReconfigChunk, ChunkView>(Combination({13, 14, 16}))));
}

}  // namespace
}  // namespace jsp::sctp
