#include "ice/tcp_framing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/rng.h"
namespace jsp::ice {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes Frame(const Bytes& body) {
  const auto header = TcpFrameHeader(body.size());
  Bytes out(header.begin(), header.end());
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

void ReadAll(TcpFrameReader& reader, std::span<const uint8_t> input, std::vector<Bytes>& frames) {
  while (const auto frame = reader.Next(input)) frames.emplace_back(frame->begin(), frame->end());
  EXPECT_TRUE(input.empty());
}

TEST(TcpFramingTest, PutsTheLengthBeforeTheMessage) {  // RFC 4571 §2
  EXPECT_EQ(Frame({1, 2, 3}), (Bytes{0, 3, 1, 2, 3}));
  EXPECT_EQ(TcpFrameHeader(0x1234), (std::array<uint8_t, 2>{0x12, 0x34}));
  EXPECT_EQ(TcpFrameHeader(kMaxTcpFrame), (std::array<uint8_t, 2>{0xff, 0xff}));
}

TEST(TcpFramingTest, ReadsSeveralFramesOfOneSegment) {
  Bytes stream = Frame({1});
  const Bytes second = Frame({2, 3});
  stream.insert(stream.end(), second.begin(), second.end());
  TcpFrameReader reader;
  std::vector<Bytes> frames;
  ReadAll(reader, stream, frames);
  EXPECT_EQ(frames, (std::vector<Bytes>{{1}, {2, 3}}));
}

TEST(TcpFramingTest, ReassemblesAFrameThatDribbles) {
  const Bytes stream = Frame({9, 8, 7, 6});
  TcpFrameReader reader;
  std::vector<Bytes> frames;
  for (const uint8_t octet : stream) ReadAll(reader, std::span(&octet, 1), frames);
  EXPECT_EQ(frames, (std::vector<Bytes>{{9, 8, 7, 6}}));
}

TEST(TcpFramingTest, PassesOverEmptyFrames) {  // RFC 6544 §10.2
  TcpFrameReader reader;
  std::vector<Bytes> frames;
  ReadAll(reader, Bytes{0, 0, 0, 0, 0, 1, 5, 0, 0, 0}, frames);
  EXPECT_EQ(frames, (std::vector<Bytes>{{5}}));
  ReadAll(reader, Bytes{0, 0, 1, 6}, frames);  // its first octet ends one more empty frame
  EXPECT_EQ(frames, (std::vector<Bytes>{{5}, {6}}));
}

TEST(TcpFramingTest, TakesTheLargestFrame) {
  const Bytes body(kMaxTcpFrame, 4);
  TcpFrameReader reader;
  std::vector<Bytes> frames;
  const Bytes stream = Frame(body);
  ReadAll(reader, std::span(stream).first(30'000), frames);
  ReadAll(reader, std::span(stream).subspan(30'000), frames);
  EXPECT_EQ(frames, std::vector<Bytes>{body});
}

TEST(TcpFramingTest, CutsAnyStreamTheSameWayHoweverItArrives) {
  constexpr uint64_t kSeed = 4;
  Rng rng = Rng::FromNumber(kSeed);
  Bytes stream;
  std::vector<Bytes> expected;
  for (int i = 0; i < 300; ++i) {
    Bytes body(rng.Below(40));
    rng.Fill(body);
    const Bytes frame = Frame(body);
    stream.insert(stream.end(), frame.begin(), frame.end());
    if (!body.empty()) expected.push_back(body);
  }
  for (int round = 0; round < 50; ++round) {
    TcpFrameReader reader;
    std::vector<Bytes> frames;
    std::span<const uint8_t> rest(stream);
    while (!rest.empty()) {
      const size_t size = std::min<size_t>(rest.size(), 1 + rng.Below(70));
      ReadAll(reader, rest.first(size), frames);
      rest = rest.subspan(size);
    }
    EXPECT_EQ(frames, expected) << "seed " << kSeed << " round " << round;
  }
}

// I15: a giant frame.
TEST(TcpFramingTest, I15_AnnouncesNoMoreThanTheReaderTakes) {
  for (const bool is_whole : {true, false}) {
    TcpFrameReader reader(100);
    std::vector<Bytes> frames;
    ReadAll(reader, Frame(Bytes(100, 7)), frames);
    EXPECT_EQ(frames.size(), 1u);
    EXPECT_FALSE(reader.is_broken());
    const Bytes giant = is_whole ? Frame(Bytes(101, 7)) : Bytes{0xff};
    ReadAll(reader, giant, frames);
    if (!is_whole) ReadAll(reader, Bytes{0xff}, frames);
    EXPECT_TRUE(reader.is_broken());
    ReadAll(reader, Frame({1}), frames);  // nothing can be cut any more
    EXPECT_EQ(frames.size(), 1u);
  }
}

}  // namespace
}  // namespace jsp::ice
