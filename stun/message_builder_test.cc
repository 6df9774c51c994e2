#include "stun/message_builder.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "stun/credentials.h"
#include "stun/error_code.h"
#include "stun/message_view.h"
namespace jsp::stun {
namespace {

constexpr MessageType kRequest{Method::kBinding, MessageClass::kRequest};
constexpr TransactionId kId{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
const crypto::HmacSha1Key kKey(crypto::AsBytes("secret"));
const crypto::HmacSha256Key kKey256(crypto::AsBytes("secret"));
const SocketAddress kV4 = *SocketAddress::Parse("192.0.2.1:32853");
const SocketAddress kV6 = *SocketAddress::Parse("[2001:db8::7]:1");

// One attribute of RFC 8489 §14: how it is written, and that it reads back as it was.
struct Case {
  const char* name;
  AttributeType type;
  void (*write)(MessageBuilder&);
  bool (*reads)(const MessageView&);
};

std::vector<Case> ProtocolAttributes() {
  return {
      {"MAPPED-ADDRESS", AttributeType::kMappedAddress,
       [](MessageBuilder& b) { b.AddAddress(AttributeType::kMappedAddress, kV4); },
       [](const MessageView& v) { return v.FindAddress(AttributeType::kMappedAddress) == kV4; }},
      {"XOR-MAPPED-ADDRESS", AttributeType::kXorMappedAddress,
       [](MessageBuilder& b) { b.AddAddress(AttributeType::kXorMappedAddress, kV6); },
       [](const MessageView& v) { return v.FindAddress(AttributeType::kXorMappedAddress) == kV6; }},
      {"FINGERPRINT", AttributeType::kFingerprint, [](MessageBuilder& b) { b.AddFingerprint(); },
       [](const MessageView& v) { return v.VerifyFingerprint() == IntegrityStatus::kValid; }},
      {"ERROR-CODE", AttributeType::kErrorCode, [](MessageBuilder& b) { b.AddError(438, "Stale Nonce"); },
       [](const MessageView& v) {
         const auto error = v.FindError();
         return error && error->code == 438 && error->reason == "Stale Nonce";
       }},
      {"UNKNOWN-ATTRIBUTES", AttributeType::kUnknownAttributes,
       [](MessageBuilder& b) { b.AddUnknownAttributes(std::array{static_cast<AttributeType>(0x7777)}); },
       [](const MessageView& v) {
         std::array<AttributeType, 4> out;
         const auto value = v.Find(AttributeType::kUnknownAttributes);
         return value && ParseUnknownAttributes(*value, out) == 1 && static_cast<uint16_t>(out[0]) == 0x7777;
       }},
      {"SOFTWARE", AttributeType::kSoftware, [](MessageBuilder& b) { b.AddText(AttributeType::kSoftware, "jsp"); },
       [](const MessageView& v) { return v.FindText(AttributeType::kSoftware) == "jsp"; }},
      {"ALTERNATE-SERVER", AttributeType::kAlternateServer,
       [](MessageBuilder& b) { b.AddAddress(AttributeType::kAlternateServer, kV6); },
       [](const MessageView& v) { return v.FindAddress(AttributeType::kAlternateServer) == kV6; }},
      {"ALTERNATE-DOMAIN", AttributeType::kAlternateDomain,
       [](MessageBuilder& b) { b.AddText(AttributeType::kAlternateDomain, "stun.example.org"); },
       [](const MessageView& v) { return v.FindText(AttributeType::kAlternateDomain) == "stun.example.org"; }},
  };
}

std::vector<Case> CredentialAttributes() {
  return {
      {"USERNAME", AttributeType::kUsername, [](MessageBuilder& b) { b.AddText(AttributeType::kUsername, "a:z"); },
       [](const MessageView& v) { return v.FindText(AttributeType::kUsername) == "a:z"; }},
      {"USERHASH", AttributeType::kUserhash,
       [](MessageBuilder& b) { b.Add(AttributeType::kUserhash, Userhash("user", "realm")); },
       [](const MessageView& v) {
         const auto hash = v.Find(AttributeType::kUserhash);
         return hash && std::ranges::equal(*hash, Userhash("user", "realm"));
       }},
      {"MESSAGE-INTEGRITY", AttributeType::kMessageIntegrity, [](MessageBuilder& b) { b.AddIntegrity(kKey); },
       [](const MessageView& v) { return v.VerifyIntegrity(kKey) == IntegrityStatus::kValid; }},
      {"MESSAGE-INTEGRITY-SHA256", AttributeType::kMessageIntegritySha256,
       [](MessageBuilder& b) { b.AddIntegritySha256(kKey256); },
       [](const MessageView& v) { return v.VerifyIntegritySha256(kKey256) == IntegrityStatus::kValid; }},
      {"REALM", AttributeType::kRealm, [](MessageBuilder& b) { b.AddText(AttributeType::kRealm, "example.org"); },
       [](const MessageView& v) { return v.FindText(AttributeType::kRealm) == "example.org"; }},
      {"NONCE", AttributeType::kNonce, [](MessageBuilder& b) { b.AddText(AttributeType::kNonce, NonceCookie({})); },
       [](const MessageView& v) { return v.FindText(AttributeType::kNonce) == "obMatJos2AAAA"; }},
      {"PASSWORD-ALGORITHMS", AttributeType::kPasswordAlgorithms,
       [](MessageBuilder& b) {
         std::array<uint8_t, 8> value;
         b.Add(AttributeType::kPasswordAlgorithms,
               WritePasswordAlgorithms(std::array{PasswordAlgorithm::kSha256, PasswordAlgorithm::kMd5}, value));
       },
       [](const MessageView& v) {
         const auto value = v.Find(AttributeType::kPasswordAlgorithms);
         const auto list = value ? ParsePasswordAlgorithms(*value) : std::nullopt;
         return list && list->size() == 2 && list->front().algorithm == PasswordAlgorithm::kSha256;
       }},
      {"PASSWORD-ALGORITHM", AttributeType::kPasswordAlgorithm,
       [](MessageBuilder& b) {
         std::array<uint8_t, 4> value;
         b.Add(AttributeType::kPasswordAlgorithm, WritePasswordAlgorithms(std::array{PasswordAlgorithm::kMd5}, value));
       },
       [](const MessageView& v) {
         const auto value = v.Find(AttributeType::kPasswordAlgorithm);
         const auto entry = value ? ParsePasswordAlgorithm(*value) : std::nullopt;
         return entry && entry->algorithm == PasswordAlgorithm::kMd5;
       }},
  };
}

std::vector<Case> EveryAttribute() {
  std::vector<Case> all = ProtocolAttributes();
  for (const Case& c : CredentialAttributes()) all.push_back(c);
  return all;
}

std::vector<uint8_t> Build(void (*write)(MessageBuilder&)) {
  std::array<uint8_t, 1500> buffer;
  MessageBuilder builder(buffer, kRequest, kId);
  write(builder);
  const auto message = builder.Finish();
  return {message.begin(), message.end()};
}

TEST(EveryAttributeTest, RoundTrips) {
  EXPECT_EQ(EveryAttribute().size(), 16u);
  for (const Case& c : EveryAttribute()) {
    const auto message = Build(c.write);
    ASSERT_FALSE(message.empty()) << c.name;
    const auto view = MessageView::Parse(message);
    ASSERT_TRUE(view) << c.name;
    EXPECT_TRUE(view->Has(c.type)) << c.name;
    EXPECT_TRUE(c.reads(*view)) << c.name;
  }
}

TEST(EveryAttributeTest, RejectsEveryTruncation) {
  for (const Case& c : EveryAttribute()) {
    const auto message = Build(c.write);
    for (size_t size = 0; size < message.size(); ++size) {
      EXPECT_FALSE(MessageView::Parse(std::span(message).first(size))) << c.name << " " << size;
    }
    // Truncated with a length to match: the attribute runs past the end, or it is gone.
    for (size_t size = kHeaderSize; size < message.size(); size += 4) {
      auto shorter = message;
      shorter.resize(size);
      shorter[3] = static_cast<uint8_t>(size - kHeaderSize);
      const auto view = MessageView::Parse(shorter);
      EXPECT_TRUE(!view || !view->Has(c.type)) << c.name << " " << size;
    }
  }
}

TEST(EveryAttributeTest, IsFourOctetsAligned) {  // RFC 8489 §14
  for (const Case& c : EveryAttribute()) {
    const auto message = Build(c.write);
    EXPECT_EQ(message.size() % 4, 0u) << c.name;
    EXPECT_EQ(message.size() - kHeaderSize, message[2] * 256u + message[3]) << c.name;
  }
}

TEST(EveryAttributeTest, DoesNotFitIntoOneOctetLess) {
  for (const Case& c : EveryAttribute()) {
    const size_t size = Build(c.write).size();
    std::vector<uint8_t> buffer(size + 4, 0xee);
    MessageBuilder tight(std::span<uint8_t>(buffer).first(size - 1), kRequest, kId);
    c.write(tight);
    EXPECT_FALSE(tight.ok()) << c.name;
    EXPECT_TRUE(tight.Finish().empty()) << c.name;
    EXPECT_EQ(buffer[size - 1], 0xee) << c.name;  // nothing behind the caller's buffer is touched
    MessageBuilder exact(std::span<uint8_t>(buffer).first(size), kRequest, kId);
    c.write(exact);
    EXPECT_EQ(exact.Finish().size(), size) << c.name;
    EXPECT_EQ(buffer[size], 0xee) << c.name;
  }
}

TEST(MessageBuilderTest, WritesTheHeader) {  // RFC 8489 §5
  std::array<uint8_t, 20> buffer;
  buffer.fill(0xee);
  const auto message = MessageBuilder(buffer, kRequest, kId).Finish();
  EXPECT_EQ(crypto::Hex(message), "000100002112a4420102030405060708090a0b0c");
}

TEST(MessageBuilderTest, PaddingIsZeroInADirtyBuffer) {  // RFC 8489 §14: "MUST be set to zero on sending"
  std::array<uint8_t, 100> buffer;
  buffer.fill(0xee);
  const auto message = MessageBuilder(buffer, kRequest, kId).AddText(AttributeType::kUsername, "abcde").Finish();
  EXPECT_EQ(crypto::Hex(message.subspan(20)), "000600056162636465000000");
}

TEST(MessageBuilderTest, AFailureSticks) {
  std::array<uint8_t, 40> buffer;
  MessageBuilder builder(buffer, kRequest, kId);
  builder.AddText(AttributeType::kUsername, "longer than the buffer").AddFlag(AttributeType::kUseCandidate);
  EXPECT_FALSE(builder.ok());
  EXPECT_TRUE(builder.Finish().empty());
  builder.AddIntegrity(kKey).AddIntegritySha256(kKey256).AddFingerprint().AddError(400, "");
  builder.AddAddress(AttributeType::kMappedAddress, kV4).AddU32(AttributeType::kPriority, 1);
  EXPECT_TRUE(builder.Finish().empty());
}

TEST(MessageBuilderTest, ABufferWithoutRoomForTheHeaderFails) {
  std::array<uint8_t, 19> buffer;
  for (size_t size = 0; size <= buffer.size(); ++size) {
    MessageBuilder builder(std::span<uint8_t>(buffer).first(size), kRequest, kId);
    EXPECT_FALSE(builder.ok());
    EXPECT_TRUE(builder.AddFingerprint().Finish().empty());
  }
}

TEST(MessageBuilderTest, RefusesWhatMayNotBeSent) {
  std::vector<uint8_t> buffer(4000);
  const auto ok = [&](auto&& write) {
    MessageBuilder builder(buffer, kRequest, kId);
    write(builder);
    return builder.ok();
  };
  EXPECT_FALSE(ok([](MessageBuilder& b) { b.AddText(AttributeType::kUsername, std::string(509, 'u')); }));
  EXPECT_FALSE(ok([](MessageBuilder& b) { b.AddText(AttributeType::kRealm, std::string(128, 'r')); }));
  EXPECT_FALSE(ok([](MessageBuilder& b) { b.AddText(AttributeType::kSoftware, ""); }));
  EXPECT_FALSE(ok([](MessageBuilder& b) { b.AddText(AttributeType::kSoftware, "\xff"); }));
  EXPECT_FALSE(ok([](MessageBuilder& b) { b.AddError(200, "OK"); }));
  EXPECT_FALSE(ok([](MessageBuilder& b) { b.AddError(400, std::string(128, 'x')); }));
  EXPECT_TRUE(ok([](MessageBuilder& b) { b.AddText(AttributeType::kUsername, std::string(508, 'u')); }));
}

TEST(MessageBuilderTest, PadsWithZerosUpToTheRoomThereIs) {  // RFC 5780 §7.6
  std::array<uint8_t, kHeaderSize + 4 + 8> out;
  out.fill(0xff);
  MessageBuilder fits(out, kRequest, kId);
  const auto message = fits.AddPadding(5).Finish();
  ASSERT_EQ(message.size(), out.size());
  const auto padding = MessageView::Parse(message)->Find(AttributeType::kPadding);
  ASSERT_TRUE(padding);
  EXPECT_EQ(std::vector<uint8_t>(padding->begin(), padding->end()), std::vector<uint8_t>(5, 0));
  EXPECT_EQ(message.back(), 0u);

  MessageBuilder too_large(out, kRequest, kId);
  EXPECT_TRUE(too_large.AddPadding(9).Finish().empty());
  EXPECT_FALSE(too_large.ok());
}

TEST(MessageBuilderTest, NeverComposesMoreThanTheViewReads) {
  std::vector<uint8_t> buffer(200000);
  MessageBuilder builder(buffer, kRequest, kId);
  const std::vector<uint8_t> value(996);
  while (builder.ok() && builder.size() < 64000) builder.Add(AttributeType::kData, value);
  ASSERT_TRUE(builder.ok());
  EXPECT_TRUE(MessageView::Parse(builder.Finish()));
  for (int i = 0; i < 4; ++i) builder.Add(AttributeType::kData, value);
  EXPECT_FALSE(builder.ok());
  MessageBuilder huge(buffer, kRequest, kId);
  huge.Add(AttributeType::kData, std::vector<uint8_t>(70000));
  EXPECT_FALSE(huge.ok());
}

TEST(MessageBuilderTest, IntegrityThenFingerprintAsRfc8489Orders) {  // RFC 8489 §14.5, §14.6, §14.7
  std::array<uint8_t, 300> buffer;
  const auto message = MessageBuilder(buffer, kRequest, kId)
                           .AddText(AttributeType::kUsername, "a:z")
                           .AddU64(AttributeType::kIceControlling, 0x0102030405060708)
                           .AddFlag(AttributeType::kUseCandidate)
                           .AddIntegrity(kKey)
                           .AddIntegritySha256(kKey256)
                           .AddFingerprint()
                           .Finish();
  const auto view = MessageView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->VerifyIntegrity(kKey), IntegrityStatus::kValid);
  EXPECT_EQ(view->VerifyIntegritySha256(kKey256), IntegrityStatus::kValid);
  EXPECT_EQ(view->VerifyFingerprint(), IntegrityStatus::kValid);
  EXPECT_EQ(view->FindU64(AttributeType::kIceControlling), 0x0102030405060708u);
  EXPECT_TRUE(view->Has(AttributeType::kUseCandidate));
}

}  // namespace
}  // namespace jsp::stun
