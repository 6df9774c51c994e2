#include "stun/message_view.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <unordered_set>
#include <vector>

#include "stun/message_builder.h"
namespace jsp::stun {
namespace {

constexpr MessageType kRequest{Method::kBinding, MessageClass::kRequest};
constexpr TransactionId kId{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
const crypto::HmacSha1Key kKey(crypto::AsBytes("secret"));
const crypto::HmacSha256Key kKey256(crypto::AsBytes("secret"));
constexpr auto kUnknownRequired = static_cast<AttributeType>(0x7777);

template <class Compose>
std::vector<uint8_t> Build(Compose&& compose) {
  std::vector<uint8_t> out(65535);
  MessageBuilder builder(out, kRequest, kId);
  compose(builder);
  out.resize(builder.Finish().size());
  return out;
}
std::vector<uint8_t> Empty() {
  return Build([](MessageBuilder&) {});
}
void SetLength(std::vector<uint8_t>& message, size_t length) {
  message[2] = static_cast<uint8_t>(length >> 8);
  message[3] = static_cast<uint8_t>(length);
}
void ExpectError(std::span<const uint8_t> datagram, ParseErrc code, uint16_t offset) {
  const auto view = MessageView::Parse(datagram);
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().code, code);
  EXPECT_EQ(view.error().offset, offset);
}

TEST(MessageViewTest, ReadsTheHeader) {  // RFC 8489 §5
  const auto message = Empty();
  const auto view = MessageView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->type(), kRequest);
  EXPECT_EQ(view->method(), Method::kBinding);
  EXPECT_EQ(view->message_class(), MessageClass::kRequest);
  EXPECT_EQ(view->transaction_id(), kId);
  EXPECT_EQ(view->datagram().data(), message.data());  // a view, not a copy
}

TEST(MessageViewTest, S1_RejectsEveryDatagramShorterThanTheHeader) {
  const auto message = Empty();
  for (uint16_t size = 0; size < kHeaderSize; ++size) {
    ExpectError(std::span(message).first(size), ParseErrc::kTruncated, size);
    EXPECT_FALSE(MessageView::LooksLikeStun(std::span(message).first(size)));
  }
}

TEST(MessageViewTest, S1_RejectsALengthOtherThanTheDatagrams) {  // RFC 8489 §6.3
  auto message = Build([](MessageBuilder& b) { b.AddU32(AttributeType::kPriority, 1); });
  for (size_t length = 0; length <= 0xffff; ++length) {
    SetLength(message, length);
    EXPECT_EQ(MessageView::Parse(message).has_value(), length == 8) << length;
  }
}

TEST(MessageViewTest, S1_RejectsTrailingOctets) {
  auto message = Empty();
  for (int i = 1; i <= 8; ++i) {
    message.push_back(0);
    ExpectError(message, ParseErrc::kBadLength, 2);
  }
}

TEST(MessageViewTest, S1_IntegrityAndFingerprintCoverTheDeclaredLengthOnly) {
  const auto message = Build([](MessageBuilder& b) { b.AddIntegrity(kKey).AddFingerprint(); });
  std::vector<uint8_t> buffer(2048, 0xab);  // a receive buffer with old octets behind the datagram
  std::ranges::copy(message, buffer.begin());
  const auto view = MessageView::Parse(std::span(buffer).first(message.size()));
  ASSERT_TRUE(view);
  EXPECT_EQ(view->VerifyIntegrity(kKey), IntegrityStatus::kValid);
  EXPECT_EQ(view->VerifyFingerprint(), IntegrityStatus::kValid);
}

TEST(MessageViewTest, RejectsTheTopBits) {  // RFC 8489 §5
  for (const uint8_t first : {uint8_t{0x40}, uint8_t{0x80}, uint8_t{0xc0}}) {
    auto message = Empty();
    message[0] = first;
    ExpectError(message, ParseErrc::kNotStun, 0);
  }
}

TEST(MessageViewTest, S11_RejectsClassicStunWithoutTheCookie) {
  auto message = Build([](MessageBuilder& b) { b.AddAddress(AttributeType::kMappedAddress, SocketAddress{}); });
  for (size_t i = 4; i < 8; ++i) {
    auto classic = message;
    classic[i] ^= 1;
    ExpectError(classic, ParseErrc::kBadCookie, 4);
    EXPECT_FALSE(MessageView::LooksLikeStun(classic));
  }
}

TEST(MessageViewTest, S3_RejectsAttributeLengthPastTheEnd) {
  auto message = Build([](MessageBuilder& b) { b.AddU32(AttributeType::kPriority, 1); });
  for (const uint16_t length : std::array<uint16_t, 8>{5, 8, 100, 0x7fff, 0xfffc, 0xfffd, 0xfffe, 0xffff}) {
    message[22] = static_cast<uint8_t>(length >> 8);
    message[23] = static_cast<uint8_t>(length);
    ExpectError(message, ParseErrc::kBadAttribute, 20);
  }
}

TEST(MessageViewTest, S3_PaddedLengthDoesNotWrapAround) {  // 0xfffd is padded to 0x10000, which has no 16 bits
  std::vector<uint8_t> message(kHeaderSize + 8);
  std::ranges::copy(Empty(), message.begin());
  SetLength(message, 8);
  message[20] = 0x80;
  message[22] = 0xff;
  message[23] = 0xfd;
  ExpectError(message, ParseErrc::kBadAttribute, 20);
}

TEST(MessageViewTest, S3_AMessageBeyond16BitsIsRefused) {
  std::vector<uint8_t> message(kHeaderSize + 0xfffc);
  std::ranges::copy(Empty(), message.begin());
  SetLength(message, 0xfffc);
  ExpectError(message, ParseErrc::kBadLength, 2);
}

TEST(MessageViewTest, S4_ManyTinyAttributesAreRefusedAtTheLimit) {
  const auto many = [](size_t count) {
    return Build([count](MessageBuilder& b) {
      for (size_t i = 0; i < count; ++i) b.AddFlag(static_cast<AttributeType>(0x4000 + i % 0x3000));
    });
  };
  const auto at_limit = many(kMaxAttributes);
  const auto view = MessageView::Parse(at_limit);
  ASSERT_TRUE(view);
  std::array<AttributeType, 16> unknown;
  EXPECT_EQ(view->UnknownAttributes({}, unknown), unknown.size());
  ExpectError(many(kMaxAttributes + 1), ParseErrc::kTooManyAttributes, kHeaderSize + 4 * kMaxAttributes);
  EXPECT_FALSE(MessageView::Parse(many(16000)));
}

TEST(MessageViewTest, S2_ValuesOfAnImpossibleSizeReadAsAbsent) {
  for (size_t size = 0; size <= 24; ++size) {
    const std::vector<uint8_t> value(size, 1);
    const auto message = Build([&](MessageBuilder& b) {
      b.Add(AttributeType::kPriority, value).Add(AttributeType::kIceControlling, value);
      b.Add(AttributeType::kXorMappedAddress, value).Add(AttributeType::kErrorCode, value);
    });
    const auto view = MessageView::Parse(message);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->FindU32(AttributeType::kPriority).has_value(), size == 4);
    EXPECT_EQ(view->FindU64(AttributeType::kIceControlling).has_value(), size == 8);
    EXPECT_EQ(view->FindAddress(AttributeType::kXorMappedAddress).has_value(), size == 8);  // family 1
    EXPECT_FALSE(view->FindError());                                                        // class 1
    EXPECT_TRUE(view->Has(AttributeType::kPriority));
  }
}

TEST(MessageViewTest, S2_AnEmptyUsernameReadsAsAbsent) {
  const auto message = Build([](MessageBuilder& b) { b.AddFlag(AttributeType::kUsername); });
  const auto view = MessageView::Parse(message);
  EXPECT_TRUE(view->Has(AttributeType::kUsername));
  EXPECT_FALSE(view->FindText(AttributeType::kUsername));
}

TEST(MessageViewTest, ReadsAUsernameOf763Octets) {  // RFC 8489 §14.3
  const std::string name(763, 'u');
  const auto message = Build([&](MessageBuilder& b) { b.Add(AttributeType::kUsername, crypto::AsBytes(name)); });
  EXPECT_EQ(MessageView::Parse(message)->FindText(AttributeType::kUsername), name);
}

TEST(MessageViewTest, S5_TheFirstOfDuplicatesWins) {  // RFC 8489 §14
  const auto message =
      Build([](MessageBuilder& b) { b.AddU32(AttributeType::kPriority, 1).AddU32(AttributeType::kPriority, 2); });
  EXPECT_EQ(MessageView::Parse(message)->FindU32(AttributeType::kPriority), 1u);
}

TEST(MessageViewTest, S5_AttributesAfterMessageIntegrityDoNotCount) {  // RFC 8489 §9
  const auto message = Build([](MessageBuilder& b) {
    b.AddU32(AttributeType::kPriority, 1)
        .AddIntegrity(kKey)
        .AddFlag(AttributeType::kUseCandidate)
        .AddFlag(kUnknownRequired)
        .AddFingerprint();
  });
  const auto view = MessageView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->Has(AttributeType::kPriority));
  EXPECT_FALSE(view->Has(AttributeType::kUseCandidate));
  std::array<AttributeType, 4> unknown;
  EXPECT_EQ(view->UnknownAttributes(std::array{AttributeType::kPriority}, unknown), 0u);
  EXPECT_EQ(view->VerifyIntegrity(kKey), IntegrityStatus::kValid);
  EXPECT_EQ(view->VerifyFingerprint(), IntegrityStatus::kValid);
}

TEST(MessageViewTest, S5_AttributesAfterSha256IntegrityDoNotCount) {  // RFC 8489 §9
  const auto message = Build([](MessageBuilder& b) {
    b.AddIntegritySha256(kKey256).AddFlag(AttributeType::kUseCandidate).AddIntegrity(kKey).AddFingerprint();
  });
  const auto view = MessageView::Parse(message);
  EXPECT_FALSE(view->Has(AttributeType::kUseCandidate));
  EXPECT_EQ(view->VerifyIntegritySha256(kKey256), IntegrityStatus::kValid);
  EXPECT_EQ(view->VerifyIntegrity(kKey), IntegrityStatus::kAbsent);  // it follows, so it is ignored
  EXPECT_EQ(view->VerifyFingerprint(), IntegrityStatus::kValid);
}

TEST(MessageViewTest, S5_OnlyTheFirstMessageIntegrityCounts) {
  const auto message = Build(
      [](MessageBuilder& b) { b.AddIntegrity(crypto::HmacSha1Key(crypto::AsBytes("forged"))).AddIntegrity(kKey); });
  EXPECT_EQ(MessageView::Parse(message)->VerifyIntegrity(kKey), IntegrityStatus::kInvalid);
}

TEST(MessageViewTest, S5_AFingerprintThatIsNotLastIsInvalid) {  // RFC 8489 §14.7
  const auto message = Build([](MessageBuilder& b) { b.AddFingerprint().AddU32(AttributeType::kPriority, 1); });
  const auto view = MessageView::Parse(message);
  EXPECT_EQ(view->VerifyFingerprint(), IntegrityStatus::kInvalid);
  EXPECT_FALSE(view->Has(AttributeType::kPriority));
  const auto twice = Build([](MessageBuilder& b) { b.AddFingerprint().AddFingerprint(); });
  EXPECT_EQ(MessageView::Parse(twice)->VerifyFingerprint(), IntegrityStatus::kInvalid);
  const auto early = Build([](MessageBuilder& b) { b.AddFingerprint().AddIntegrity(kKey); });
  EXPECT_EQ(MessageView::Parse(early)->VerifyIntegrity(kKey), IntegrityStatus::kAbsent);
}

TEST(MessageViewTest, S6_BothIntegritiesAreJudgedApart) {
  const crypto::HmacSha1Key other(crypto::AsBytes("other"));
  const crypto::HmacSha256Key other256(crypto::AsBytes("other"));
  const auto message = Build([&](MessageBuilder& b) { b.AddIntegrity(kKey).AddIntegritySha256(other256); });
  const auto view = MessageView::Parse(message);
  EXPECT_EQ(view->VerifyIntegrity(kKey), IntegrityStatus::kValid);
  EXPECT_EQ(view->VerifyIntegritySha256(kKey256), IntegrityStatus::kInvalid);
  const auto reverse = Build([&](MessageBuilder& b) { b.AddIntegrity(other).AddIntegritySha256(kKey256); });
  EXPECT_EQ(MessageView::Parse(reverse)->VerifyIntegrity(kKey), IntegrityStatus::kInvalid);
  EXPECT_EQ(MessageView::Parse(reverse)->VerifyIntegritySha256(kKey256), IntegrityStatus::kValid);
}

TEST(MessageViewTest, S6_IntegrityOfAnImpossibleSizeIsInvalidRatherThanAbsent) {
  for (const size_t size : {0u, 4u, 12u, 16u, 19u, 21u, 24u, 32u}) {
    const std::vector<uint8_t> mac(size);
    const auto sha1 = Build(
        [&](MessageBuilder& b) { b.Add(AttributeType::kMessageIntegrity, mac).AddFlag(AttributeType::kUseCandidate); });
    EXPECT_EQ(MessageView::Parse(sha1)->VerifyIntegrity(kKey), IntegrityStatus::kInvalid) << size;
    EXPECT_FALSE(MessageView::Parse(sha1)->Has(AttributeType::kUseCandidate)) << size;
    const auto sha256 = Build([&](MessageBuilder& b) { b.Add(AttributeType::kMessageIntegritySha256, mac); });
    EXPECT_EQ(MessageView::Parse(sha256)->VerifyIntegritySha256(kKey256), IntegrityStatus::kInvalid) << size;
  }
}

// What lets an agent answer 400 for what is missing and 401 for what is wrong (RFC 8489 §9.1.3).
TEST(MessageViewTest, S10_MissingAndWrongCredentialsAreToldApart) {
  const auto bare = Build([](MessageBuilder& b) { b.AddText(AttributeType::kUsername, "a:z"); });
  EXPECT_EQ(MessageView::Parse(bare)->VerifyIntegrity(kKey), IntegrityStatus::kAbsent);
  const auto signed_alone = Build([](MessageBuilder& b) { b.AddIntegrity(kKey); });
  EXPECT_FALSE(MessageView::Parse(signed_alone)->FindText(AttributeType::kUsername));
  EXPECT_EQ(MessageView::Parse(signed_alone)->VerifyIntegrity(kKey), IntegrityStatus::kValid);
  const auto wrong = Build([](MessageBuilder& b) {
    b.AddText(AttributeType::kUsername, "a:z").AddIntegrity(crypto::HmacSha1Key(crypto::AsBytes("wrong")));
  });
  EXPECT_EQ(MessageView::Parse(wrong)->FindText(AttributeType::kUsername), "a:z");
  EXPECT_EQ(MessageView::Parse(wrong)->VerifyIntegrity(kKey), IntegrityStatus::kInvalid);
}

TEST(MessageViewTest, S6_TruncatedSha256NeedsTheUsagesConsent) {  // RFC 8489 §14.6
  const auto body = Empty();
  const auto digest = ComputeIntegritySha256(kKey256, body, 16);
  const auto message =
      Build([&](MessageBuilder& b) { b.Add(AttributeType::kMessageIntegritySha256, std::span(digest).first(16)); });
  const auto view = MessageView::Parse(message);
  EXPECT_EQ(view->VerifyIntegritySha256(kKey256), IntegrityStatus::kInvalid);
  EXPECT_EQ(view->VerifyIntegritySha256(kKey256, 16), IntegrityStatus::kValid);
}

TEST(MessageViewTest, AFingerprintOfAnImpossibleSizeIsInvalid) {
  for (const size_t size : {0u, 3u, 5u, 8u}) {
    const std::vector<uint8_t> value(size);
    const auto message = Build([&](MessageBuilder& b) { b.Add(AttributeType::kFingerprint, value); });
    EXPECT_EQ(MessageView::Parse(message)->VerifyFingerprint(), IntegrityStatus::kInvalid) << size;
  }
}

TEST(MessageViewTest, EveryFlippedBitBreaksTheFingerprint) {  // RFC 8489 §7
  const auto original = Build([](MessageBuilder& b) { b.AddU32(AttributeType::kPriority, 1).AddFingerprint(); });
  for (size_t bit = 0; bit < original.size() * 8; ++bit) {
    auto message = original;
    message[bit / 8] = static_cast<uint8_t>(message[bit / 8] ^ 1u << bit % 8);
    const auto view = MessageView::Parse(message);
    if (view) {
      EXPECT_NE(view->VerifyFingerprint(), IntegrityStatus::kValid) << bit;
    }
  }
}

TEST(MessageViewTest, PaddingIsIgnoredWhateverItHolds) {  // RFC 8489 §14
  auto message = Build(
      [](MessageBuilder& b) { b.AddText(AttributeType::kUsername, "abcde").AddText(AttributeType::kRealm, "r"); });
  message[29] = message[30] = message[31] = 0xff;
  const auto view = MessageView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->FindText(AttributeType::kUsername), "abcde");
  EXPECT_EQ(view->FindText(AttributeType::kRealm), "r");
}

TEST(MessageViewTest, ListsEachUnknownRequiredAttributeOnce) {  // RFC 8489 §6.3.1
  const auto message = Build([](MessageBuilder& b) {
    b.AddFlag(kUnknownRequired)
        .AddFlag(static_cast<AttributeType>(0x8777))
        .AddFlag(kUnknownRequired)
        .AddFlag(AttributeType::kUsername)
        .AddFlag(static_cast<AttributeType>(0x0031))
        .AddIntegrity(kKey)
        .AddIntegritySha256(kKey256);
  });
  const auto view = MessageView::Parse(message);
  std::array<AttributeType, 4> unknown;
  ASSERT_EQ(view->UnknownAttributes(kBaseRequiredAttributes, unknown), 2u);
  EXPECT_EQ(unknown[0], kUnknownRequired);
  EXPECT_EQ(static_cast<uint16_t>(unknown[1]), 0x0031);
  EXPECT_EQ(view->UnknownAttributes(kBaseRequiredAttributes, std::span(unknown).first(1)), 1u);
  EXPECT_EQ(view->UnknownAttributes(kBaseRequiredAttributes, {}), 0u);
}

TEST(MessageViewTest, VisitsAttributesInOrderWithTheirOffsets) {
  const auto message = Build([](MessageBuilder& b) {
    b.AddText(AttributeType::kSoftware, "jsp").AddFlag(AttributeType::kUseCandidate).AddIntegrity(kKey);
  });
  std::vector<std::pair<AttributeType, uint16_t>> seen;
  MessageView::Parse(message)->ForEachAttribute([&](const Attribute& a) { seen.emplace_back(a.type, a.offset); });
  const std::vector<std::pair<AttributeType, uint16_t>> expected{{AttributeType::kSoftware, 20},
                                                                 {AttributeType::kUseCandidate, 28}};
  EXPECT_EQ(seen, expected);
}

TEST(MessageViewTest, FindsTheIntegrityAttributesThemselves) {
  const auto message =
      Build([](MessageBuilder& b) { b.AddIntegrity(kKey).AddIntegritySha256(kKey256).AddFingerprint(); });
  const auto view = MessageView::Parse(message);
  EXPECT_EQ(view->Find(AttributeType::kMessageIntegrity)->size(), 20u);
  EXPECT_EQ(view->Find(AttributeType::kMessageIntegritySha256)->size(), 32u);
  EXPECT_EQ(view->Find(AttributeType::kFingerprint)->size(), 4u);
  const auto bare = Empty();
  EXPECT_FALSE(MessageView::Parse(bare)->Has(AttributeType::kMessageIntegrity));
  EXPECT_FALSE(MessageView::Parse(bare)->Has(AttributeType::kFingerprint));
}

TEST(MessageViewTest, LooksLikeStunFollowsTheDemultiplexingRange) {  // RFC 7983 §7
  auto message = Empty();
  for (unsigned first = 0; first <= 0xff; ++first) {
    message[0] = static_cast<uint8_t>(first);
    EXPECT_EQ(MessageView::LooksLikeStun(message), first <= 3) << first;
  }
}

TEST(TransactionIdTest, HashesSpread) {
  Rng rng = Rng::FromNumber(5);
  std::unordered_set<TransactionId> ids;
  std::unordered_set<size_t> hashes;
  for (int i = 0; i < 1000; ++i) {
    const auto id = TransactionId::Random(rng);
    EXPECT_TRUE(ids.insert(id).second);
    hashes.insert(std::hash<TransactionId>{}(id));
  }
  EXPECT_EQ(hashes.size(), 1000u);
}

}  // namespace
}  // namespace jsp::stun
