#include "turn/channel_data.h"

#include <gtest/gtest.h>

#include <array>
#include <utility>
#include <vector>

#include "base/crypto.h"
namespace jsp::turn {
namespace {

constexpr ChannelNumber kChannel{0x4001};

std::vector<uint8_t> Message(Framing framing, std::vector<uint8_t> data) {
  std::vector<uint8_t> out(data.size() + 8, 0xee);
  const auto written = WriteChannelData(framing, {kChannel, data}, out);
  return {written.begin(), written.end()};
}

TEST(ChannelDataTest, WritesADatagramWithoutPadding) {  // RFC 8656 §12.5: "Over UDP, the padding is not required"
  EXPECT_EQ(crypto::Hex(Message(Framing::kDatagram, {1, 2, 3, 4, 5})), "400100050102030405");
  EXPECT_EQ(crypto::Hex(Message(Framing::kDatagram, {})), "40010000");
}

TEST(ChannelDataTest, PadsInAStreamWithZeros) {  // RFC 8656 §12.5
  EXPECT_EQ(crypto::Hex(Message(Framing::kStream, {1, 2, 3, 4, 5})), "400100050102030405000000");
  EXPECT_EQ(crypto::Hex(Message(Framing::kStream, {1, 2, 3, 4})), "4001000401020304");
  EXPECT_EQ(ChannelDataSize(Framing::kStream, 0), 4u);
  EXPECT_EQ(ChannelDataSize(Framing::kStream, 1), 8u);
}

TEST(ChannelDataTest, T5_NoOctetOfTheBufferLeaksIntoThePadding) {
  for (size_t n = 0; n < 9; ++n) {
    const auto message = Message(Framing::kStream, std::vector<uint8_t>(n, 0x55));
    for (size_t i = kChannelDataHeader + n; i < message.size(); ++i) EXPECT_EQ(message[i], 0) << n;
  }
}

TEST(ChannelDataTest, RoundTrips) {
  for (const Framing framing : {Framing::kDatagram, Framing::kStream}) {
    for (size_t n = 0; n < 70; ++n) {
      const std::vector<uint8_t> data(n, static_cast<uint8_t>(n));
      const auto parsed = ParseChannelData(Message(framing, data));
      ASSERT_TRUE(parsed) << n;
      EXPECT_EQ(parsed->channel, kChannel);
      EXPECT_EQ(parsed->data.size(), n);
    }
  }
}

TEST(ChannelDataTest, T5_RejectsEveryTruncation) {  // RFC 8656 §12.6
  const auto message = Message(Framing::kDatagram, {1, 2, 3, 4, 5, 6, 7});
  for (size_t n = 0; n < message.size(); ++n) EXPECT_FALSE(ParseChannelData(std::span(message).first(n))) << n;
}

TEST(ChannelDataTest, T5_PaddingOverUdpIsCutOff) {  // RFC 8656 §12.5, §12.6
  auto message = Message(Framing::kDatagram, {1, 2, 3, 4, 5});
  message.insert(message.end(), {9, 9, 9});
  const auto parsed = ParseChannelData(message);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(crypto::Hex(parsed->data), "0102030405");
}

TEST(ChannelDataTest, T5_ReservedChannelsAreNotParsed) {  // RFC 8656 §12.6
  for (const unsigned number : {0x3fffu, 0x5000u, 0x7fffu, 0x8000u, 0xffffu}) {
    std::array<uint8_t, 8> message{};
    WriteChannelDataHeader({static_cast<uint16_t>(number)}, 4, std::span(message).first<4>());
    EXPECT_FALSE(ParseChannelData(message)) << number;
  }
}

TEST(ChannelDataTest, TheLegacyRangeEndsAt0x7fff) {  // docs/turn.md, for clients of the obsolete RFC 5766
  for (const auto& [number, in_range] : {std::pair{0x3fffu, false},
                                         {0x4000u, true},
                                         {0x5000u, true},
                                         {0x6f22u, true},
                                         {0x7fffu, true},
                                         {0x8000u, false}}) {
    std::array<uint8_t, 4> message{};
    WriteChannelDataHeader({static_cast<uint16_t>(number)}, 0, message);
    EXPECT_EQ(ParseChannelData(message, ChannelRange::kLegacy).has_value(), in_range) << number;
    const bool is_channel_data = KindOf(message[0], ChannelRange::kLegacy) == MessageKind::kChannelData;
    EXPECT_EQ(is_channel_data, in_range) << number;
  }
}

TEST(ChannelDataTest, DoesNotWriteWhatDoesNotFit) {
  std::array<uint8_t, 8> out;
  const std::array<uint8_t, 5> data{};
  EXPECT_TRUE(WriteChannelData(Framing::kDatagram, {kChannel, data}, out).empty());
  const std::vector<uint8_t> huge(kMaxChannelDataPayload + 1);
  std::vector<uint8_t> room(huge.size() + 8);
  EXPECT_TRUE(WriteChannelData(Framing::kStream, {kChannel, huge}, room).empty());
  EXPECT_EQ(WriteChannelData(Framing::kStream, {kChannel, std::span(huge).first(kMaxChannelDataPayload)}, room).size(),
            65540u);
}

TEST(ChannelDataTest, TellsMessagesApartByTheFirstOctet) {  // RFC 8656 §12, table 3
  for (unsigned octet = 0; octet < 256; ++octet) {
    const MessageKind expected = octet <= 3                   ? MessageKind::kStun
                                 : octet >= 64 && octet <= 79 ? MessageKind::kChannelData
                                                              : MessageKind::kOther;
    EXPECT_EQ(KindOf(static_cast<uint8_t>(octet)), expected) << octet;
  }
}

}  // namespace
}  // namespace jsp::turn
