#include "datachannel/dcep_message.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace jsp::datachannel {
namespace {

using Code = DcepError::Code;

std::vector<uint8_t> FromHex(std::string_view hex) {
  std::vector<uint8_t> out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

struct Vector {
  const char* hex;
  ChannelType type;
  uint16_t priority;
  uint32_t reliability;
  const char* label;
  const char* protocol;
};

// One of each channel type, derived by hand from RFC 8832 §5.1; no official octets exist.
const Vector kVectors[] = {
    {"03000100000000000004000063686174", ChannelType::kReliable, 256, 0, "chat", ""},
    {"03800100000000000004000063686174", ChannelType::kReliableUnordered, 256, 0, "chat", ""},
    {"0301008000000003000100016170", ChannelType::kRexmit, 128, 3, "a", "p"},
    {"038100800000000000030000756470", ChannelType::kRexmitUnordered, 128, 0, "udp", ""},
    {"03020200000001f400000000", ChannelType::kTimed, 512, 500, "", ""},
    {"03820400000001f400050009c3bce4b8ad7375622e70726f746f", ChannelType::kTimedUnordered, 1024, 500,
     "\xC3\xBC\xE4\xB8\xAD", "sub.proto"},
};

Code ErrorOf(std::span<const uint8_t> in) {
  auto parsed = ParseDcepMessage(in);
  EXPECT_FALSE(parsed.has_value());
  return parsed ? Code{} : parsed.error().code;
}

TEST(DcepMessageTest, ParsesEveryChannelType) {  // RFC 8832 §5.1
  for (const Vector& vector : kVectors) {
    const auto octets = FromHex(vector.hex);
    auto parsed = ParseDcepMessage(octets);
    ASSERT_TRUE(parsed.has_value()) << vector.hex;
    const auto* open = std::get_if<OpenMessage>(&*parsed);
    ASSERT_NE(open, nullptr);
    EXPECT_EQ(open->type, vector.type);
    EXPECT_EQ(open->priority, vector.priority);
    EXPECT_EQ(open->reliability, vector.reliability);
    EXPECT_EQ(open->label, vector.label);
    EXPECT_EQ(open->protocol, vector.protocol);
  }
}

TEST(DcepMessageTest, RoundTripsEveryChannelType) {
  for (const Vector& vector : kVectors) {
    const auto octets = FromHex(vector.hex);
    auto parsed = ParseDcepMessage(octets);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(WriteOpen(std::get<OpenMessage>(*parsed)), octets);
    const ChannelOptions options = std::get<OpenMessage>(*parsed).ToOptions();
    EXPECT_EQ(WriteOpen(OpenMessage::FromOptions(options)), octets) << vector.hex;
  }
}

TEST(DcepMessageTest, GivesEveryChannelTypeItsOptions) {  // RFC 8832 §5.1
  const auto options_of = [](const Vector& vector) {
    const auto octets = FromHex(vector.hex);
    return std::get<OpenMessage>(*ParseDcepMessage(octets)).ToOptions();
  };
  EXPECT_TRUE(options_of(kVectors[0]).ordered);
  EXPECT_FALSE(options_of(kVectors[0]).max_retransmits || options_of(kVectors[0]).max_lifetime);
  EXPECT_FALSE(options_of(kVectors[1]).ordered);
  EXPECT_EQ(options_of(kVectors[2]).max_retransmits, 3);
  EXPECT_TRUE(options_of(kVectors[2]).ordered);
  EXPECT_EQ(options_of(kVectors[3]).max_retransmits, 0);
  EXPECT_FALSE(options_of(kVectors[3]).ordered);
  EXPECT_EQ(options_of(kVectors[4]).max_lifetime, std::chrono::milliseconds(500));
  EXPECT_TRUE(options_of(kVectors[4]).ordered);
  EXPECT_EQ(options_of(kVectors[5]).max_lifetime, std::chrono::milliseconds(500));
  EXPECT_FALSE(options_of(kVectors[5]).ordered);
  EXPECT_EQ(options_of(kVectors[5]).priority, 1024);
}

TEST(DcepMessageTest, RejectsEveryTruncation) {
  for (const Vector& vector : kVectors) {
    const auto octets = FromHex(vector.hex);
    for (size_t length = 0; length < octets.size(); ++length) {
      EXPECT_FALSE(ParseDcepMessage(std::span(octets).first(length)).has_value()) << vector.hex << " to " << length;
    }
  }
}

TEST(DcepMessageTest, R1_RejectsLengthsBeyondTheMessage) {
  auto octets = FromHex(kVectors[0].hex);
  octets[8] = 0xFF;
  octets[9] = 0xFF;
  EXPECT_EQ(ErrorOf(octets), Code::kBadLength);
  octets[10] = 0xFF;  // both lengths together overflow 16 bits
  octets[11] = 0xFF;
  EXPECT_EQ(ErrorOf(octets), Code::kBadLength);
  octets = FromHex(kVectors[0].hex);
  octets[11] = 1;
  EXPECT_EQ(ErrorOf(octets), Code::kBadLength);
}

TEST(DcepMessageTest, R1_RejectsLengthsShortOfTheMessage) {  // RFC 8832 §7
  auto octets = FromHex(kVectors[0].hex);
  octets.push_back('!');
  EXPECT_EQ(ErrorOf(octets), Code::kBadLength);
  EXPECT_EQ(ErrorOf(FromHex("0200")), Code::kBadLength);
}

TEST(DcepMessageTest, R4_RejectsUnknownTypes) {  // RFC 8832 §8.2.1, §8.2.2
  for (unsigned type = 0; type < 256; ++type) {
    auto octets = FromHex(kVectors[0].hex);
    octets[0] = static_cast<uint8_t>(type);
    if (type == 2) {
      EXPECT_EQ(ErrorOf(octets), Code::kBadLength);
    } else if (type != 3) {
      EXPECT_EQ(ErrorOf(octets), Code::kUnknownType) << type;
    }
    octets[0] = 3;
    octets[1] = static_cast<uint8_t>(type);
    if ((type & 0x7F) > 2) {
      EXPECT_EQ(ErrorOf(octets), Code::kUnknownChannelType) << type;
    } else {
      EXPECT_TRUE(ParseDcepMessage(octets).has_value()) << type;
    }
  }
}

TEST(DcepMessageTest, R4_RejectsTextsThatAreNotUtf8) {
  EXPECT_EQ(ErrorOf(FromHex("03000100000000000001000080")), Code::kInvalidUtf8);
  EXPECT_EQ(ErrorOf(FromHex("03000100000000000000000180")), Code::kInvalidUtf8);
  // A character split between label and protocol is valid in neither.
  EXPECT_EQ(ErrorOf(FromHex("030001000000000000010001C3A9")), Code::kInvalidUtf8);
}

TEST(DcepMessageTest, IgnoresTheReliabilityParameterOfReliableChannels) {  // RFC 8832 §5.1
  for (const char* hex : {"030001000000000500000000", "038001000000000500000000"}) {
    const auto octets = FromHex(hex);
    auto parsed = ParseDcepMessage(octets);
    ASSERT_TRUE(parsed.has_value());
    const ChannelOptions options = std::get<OpenMessage>(*parsed).ToOptions();
    EXPECT_FALSE(options.max_retransmits.has_value());
    EXPECT_FALSE(options.max_lifetime.has_value());
    EXPECT_EQ(WriteOpen(std::get<OpenMessage>(*parsed))[7], 0) << "and never sends one";
  }
}

TEST(DcepMessageTest, TakesTextsOfTheGreatestLength) {  // RFC 8832 §7
  const std::string longest(kMaxTextSize, 'l');
  const OpenMessage open{.label = longest, .protocol = longest};
  const auto octets = WriteOpen(open);
  EXPECT_EQ(octets.size(), kOpenFixedSize + 2 * kMaxTextSize);
  auto parsed = ParseDcepMessage(octets);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(std::get<OpenMessage>(*parsed).label, longest);
  EXPECT_EQ(std::get<OpenMessage>(*parsed).protocol, longest);
}

TEST(DcepMessageTest, KeepsTextsAsViewsOfTheParsedOctets) {
  const auto octets = FromHex(kVectors[5].hex);
  auto parsed = ParseDcepMessage(octets);
  ASSERT_TRUE(parsed.has_value());
  const auto& open = std::get<OpenMessage>(*parsed);
  EXPECT_EQ(static_cast<const void*>(open.label.data()), static_cast<const void*>(octets.data() + kOpenFixedSize));
}

TEST(DcepMessageTest, ClampsNumbersThatOptionsCannotHold) {
  const auto octets = FromHex("03010100FFFFFFFF00000000");
  auto parsed = ParseDcepMessage(octets);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(std::get<OpenMessage>(*parsed).ToOptions().max_retransmits, 65535);
  const auto timed = FromHex("03020100FFFFFFFF00000000");
  EXPECT_EQ(std::get<OpenMessage>(*ParseDcepMessage(timed)).ToOptions().max_lifetime,
            std::chrono::milliseconds(0xFFFFFFFF));
}

TEST(DcepMessageTest, RoundsAFractionOfAMillisecondUp) {
  ChannelOptions options;
  options.max_lifetime = std::chrono::microseconds(1);
  EXPECT_EQ(OpenMessage::FromOptions(options).reliability, 1u);
  options.max_lifetime = std::chrono::microseconds(2000);
  EXPECT_EQ(OpenMessage::FromOptions(options).reliability, 2u);
}

TEST(DcepMessageTest, AcknowledgesWithASingleOctet) {  // RFC 8832 §5.2
  EXPECT_EQ(WriteAck(), std::vector<uint8_t>{2});
  auto parsed = ParseDcepMessage(WriteAck());
  ASSERT_TRUE(parsed.has_value());
  EXPECT_TRUE(std::holds_alternative<AckMessage>(*parsed));
}

TEST(DcepMessageTest, PrintsSizesAndNotTheTextsOfThePeer) {
  const OpenMessage open{.type = ChannelType::kRexmit, .reliability = 3, .label = "secret", .protocol = ""};
  EXPECT_EQ(open.ToString(), "OPEN rexmit priority=256 reliability=3 label=6B protocol=0B");
}

}  // namespace
}  // namespace jsp::datachannel
