#include "turn/stream_framer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/rng.h"
#include "stun/message_builder.h"
namespace jsp::turn {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes StunMessage(size_t data) {
  Bytes out(data + 40);
  const Bytes payload(data, 0xaa);
  const auto message = stun::MessageBuilder(out, {stun::Method::kSend, stun::MessageClass::kIndication}, {})
                           .Add(stun::AttributeType::kData, payload)
                           .Finish();
  return {message.begin(), message.end()};
}

Bytes ChannelMessage(size_t data) {
  Bytes out(data + 8);
  const Bytes payload(data, 0xbb);
  const auto message = WriteChannelData(Framing::kStream, {kFirstChannel, payload}, out);
  return {message.begin(), message.end()};
}

// Everything that comes out when `stream` arrives in pieces of `step` octets.
std::vector<Bytes> Cut(StreamFramer& framer, const Bytes& stream, size_t step) {
  std::vector<Bytes> messages;
  for (size_t at = 0; at < stream.size(); at += step) {
    std::span<const uint8_t> input = std::span(stream).subspan(at, std::min(step, stream.size() - at));
    while (const auto message = framer.Next(input)) messages.emplace_back(message->begin(), message->end());
    EXPECT_TRUE(input.empty() || framer.error());
  }
  return messages;
}

TEST(StreamFramerTest, KnowsTheSizeFromFourOctets) {  // RFC 8489 §5, RFC 8656 §12.5
  EXPECT_EQ(*FrameSize(StunMessage(8)), 32u);
  EXPECT_EQ(*FrameSize(ChannelMessage(5)), 12u);
  const auto message = StunMessage(8);
  for (size_t n = 0; n < 4; ++n) EXPECT_EQ(*FrameSize(std::span(message).first(n)), 0u) << n;
  EXPECT_EQ(*FrameSize(std::span(message).first(4)), 32u);
}

TEST(StreamFramerTest, RefusesWhatIsNeitherStunNorChannelData) {                       // RFC 8656 §12, table 3
  EXPECT_EQ(FrameSize(std::array<uint8_t, 1>{0x16}).error(), FrameError::kNotTurn);    // TLS where we read plain text
  EXPECT_EQ(FrameSize(std::array<uint8_t, 4>{'G', 'E', 'T', ' '}).has_value(), true);  // 'G' is 0x47: a channel
  EXPECT_EQ(FrameSize(std::array<uint8_t, 4>{'P', 'O', 'S', 'T'}).error(), FrameError::kNotTurn);
  EXPECT_EQ(FrameSize(std::array<uint8_t, 4>{0, 1, 0, 3}).error(), FrameError::kBadLength);
}

TEST(StreamFramerTest, TheLegacyRangeIsAnOption) {
  const std::array<uint8_t, 8> message{0x6f, 0x22, 0, 4, 1, 2, 3, 4};
  EXPECT_EQ(FrameSize(message).error(), FrameError::kNotTurn);
  EXPECT_EQ(*FrameSize(message, ChannelRange::kLegacy), 8u);
  StreamFramer framer(ChannelRange::kLegacy);
  std::span<const uint8_t> input(message);
  EXPECT_EQ(framer.Next(input)->size(), 8u);
}

TEST(StreamFramerTest, CutsAtEveryGranularity) {
  const std::vector<Bytes> sent{StunMessage(0), ChannelMessage(1), ChannelMessage(0), StunMessage(100),
                                ChannelMessage(33)};
  Bytes stream;
  for (const Bytes& message : sent) stream.insert(stream.end(), message.begin(), message.end());
  for (size_t step = 1; step <= stream.size(); ++step) {
    StreamFramer framer;
    EXPECT_EQ(Cut(framer, stream, step), sent) << step;
    EXPECT_EQ(framer.pending(), 0u);
    EXPECT_FALSE(framer.error());
  }
}

TEST(StreamFramerTest, WholeMessagesAreViewsOfTheInput) {
  const Bytes stream = ChannelMessage(40);
  StreamFramer framer;
  std::span<const uint8_t> input(stream);
  const auto message = framer.Next(input);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->data(), stream.data());
  EXPECT_TRUE(input.empty());
  EXPECT_FALSE(framer.Next(input));
}

TEST(StreamFramerTest, AnErrorIsForGood) {
  Bytes stream = ChannelMessage(4);
  stream.push_back(0x80);
  const auto more = StunMessage(0);
  stream.insert(stream.end(), more.begin(), more.end());
  for (size_t step = 1; step <= stream.size(); ++step) {
    StreamFramer framer;
    EXPECT_EQ(Cut(framer, stream, step).size(), 1u) << step;
    EXPECT_EQ(framer.error(), FrameError::kNotTurn);
  }
}

TEST(StreamFramerTest, I15_HoldsNoMoreThanOneMessage) {
  StreamFramer framer;
  const Bytes head{0x40, 0x00, 0xff, 0xff};
  std::span<const uint8_t> input(head);
  EXPECT_FALSE(framer.Next(input));
  EXPECT_EQ(framer.pending(), 4u);
  const Bytes flood(3 * kMaxFrame, 0x40);
  input = flood;
  size_t messages = 0;
  while (framer.Next(input)) ++messages;
  EXPECT_GE(messages, 1u);
  EXPECT_LE(framer.pending(), kMaxFrame);
}

TEST(StreamFramerTest, RandomStreamsInRandomPieces) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng = Rng::FromNumber(seed);
    Bytes stream;
    std::vector<Bytes> sent;
    for (int i = 0; i < 20; ++i) {
      sent.push_back(rng.Below(2) == 0 ? StunMessage(4 * rng.Below(50)) : ChannelMessage(rng.Below(200)));
      stream.insert(stream.end(), sent.back().begin(), sent.back().end());
    }
    StreamFramer framer;
    std::vector<Bytes> received;
    for (size_t at = 0; at < stream.size();) {
      const size_t n = std::min<size_t>(1 + rng.Below(300), stream.size() - at);
      std::span<const uint8_t> input = std::span(stream).subspan(at, n);
      while (const auto message = framer.Next(input)) received.emplace_back(message->begin(), message->end());
      at += n;
    }
    EXPECT_EQ(received, sent);
  }
}

}  // namespace
}  // namespace jsp::turn
