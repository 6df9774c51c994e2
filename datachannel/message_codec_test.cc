#include "datachannel/message_codec.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace jsp::datachannel {
namespace {

constexpr sctp::StreamId kStream{6};

std::vector<uint8_t> Octets(std::string_view text) { return {text.begin(), text.end()}; }

TEST(MessageCodecTest, MarksStringsAndBinaryByTheirIdentifiers) {  // RFC 8831 §8
  const auto text = EncodeMessage(kStream, MessageKind::kString, Octets("hi"));
  EXPECT_EQ(text.ppid.value, 51u);
  EXPECT_EQ(text.payload, Octets("hi"));
  EXPECT_EQ(text.stream, kStream);
  EXPECT_EQ(EncodeMessage(kStream, MessageKind::kBinary, Octets("hi")).ppid.value, 53u);
}

TEST(MessageCodecTest, SendsAnEmptyMessageAsOneZeroOctet) {  // RFC 8831 §6.6
  const auto text = EncodeMessage(kStream, MessageKind::kString, {});
  EXPECT_EQ(text.ppid.value, 56u);
  EXPECT_EQ(text.payload, std::vector<uint8_t>{0});
  const auto binary = EncodeMessage(kStream, MessageKind::kBinary, {});
  EXPECT_EQ(binary.ppid.value, 57u);
  EXPECT_EQ(binary.payload, std::vector<uint8_t>{0});
}

TEST(MessageCodecTest, PiecesKeepTheirPart) {
  EXPECT_EQ(EncodeMessage(kStream, MessageKind::kBinary, Octets("x"), sctp::Part::kMiddle).part, sctp::Part::kMiddle);
  EXPECT_EQ(EncodeMessage(kStream, MessageKind::kBinary, Octets("x")).part, sctp::Part::kWhole);
}

}  // namespace
}  // namespace jsp::datachannel
