// The sample messages of RFC 5769 §2 and of RFC 8489 §B.1, octet for octet.
#include <gtest/gtest.h>

#include <array>
#include <string_view>
#include <vector>

#include "stun/message_builder.h"
#include "stun/message_view.h"
namespace jsp::stun {
namespace {

std::vector<uint8_t> FromHex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::vector<uint8_t> out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<uint8_t>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  }
  return out;
}

constexpr std::string_view kRequest =
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b1"
    "51263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
constexpr std::string_view kResponseV4 =
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599"
    "fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
constexpr std::string_view kResponseV6 =
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5"
    "bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";
constexpr std::string_view kLongTermRequest =
    "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b900000015001c662f2f3439396b39"
    "353464364f4c33346f4c394653547679363473410014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a2"
    "8ca89666";
constexpr std::string_view kSha256AsPrinted =
    "0001009c2112a44278ad3433c6ad72c029da412e001e00204a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"
    "001500296f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c394653547679363473410000000014000b6578616d"
    "706c652e6f726700001c0020e4686c8f0edeb59013e07090010a93efccbccc544c0a45d9f830aa6d6f735a01";
constexpr std::string_view kSha256CorrectedLength =
    "000100882112a44278ad3433c6ad72c029da412e001e00204a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"
    "001500296f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c394653547679363473410000000014000b6578616d"
    "706c652e6f726700001c0020234112fbd4e27f983eb4032836f998216f5b23f8d927753fbc4f882bfbdf0dec";
constexpr std::string_view kSha256WithAlgorithms =
    "0001009c2112a44278ad3433c6ad72c029da412e001e00204a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"
    "001500296f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c394653547679363473410000000014000b6578616d"
    "706c652e6f726700800200080002000000010000001d000400020000001c0020951025abe335277ff4e54642298dc2567a12b9bae19138ed"
    "31eccb6a24fbc66c";
constexpr std::string_view kPassword = "VOkJxbRl1RmTxUk/WvJxBt";
constexpr std::string_view kMatrixMd5 = "e8ca7ad59d5eb0518e312911d2dab2a9";
constexpr std::string_view kMatrixSha256 = "dd295a613b9058c3c23d6dc7165bda072304d989c9d0af3a8c7e184b4f9bb4a1";

crypto::HmacSha1Key ShortTerm() { return crypto::HmacSha1Key(crypto::AsBytes(kPassword)); }

TEST(Rfc5769VectorTest, ParsesTheRequest) {  // RFC 5769 §2.1
  const auto octets = FromHex(kRequest);
  const auto view = MessageView::Parse(octets);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->Is(Method::kBinding, MessageClass::kRequest));
  EXPECT_EQ(crypto::Hex(view->transaction_id().octets), "b7e7a701bc34d686fa87dfae");
  EXPECT_EQ(view->FindText(AttributeType::kSoftware), "STUN test client");
  EXPECT_EQ(view->FindU32(AttributeType::kPriority), 0x6e0001ffu);
  EXPECT_EQ(view->FindU64(AttributeType::kIceControlled), 0x932ff9b151263b36u);
  EXPECT_EQ(view->FindText(AttributeType::kUsername), "evtj:h6vY");
  EXPECT_EQ(view->VerifyIntegrity(ShortTerm()), IntegrityStatus::kValid);
  EXPECT_EQ(view->VerifyIntegrity(crypto::HmacSha1Key(crypto::AsBytes("other"))), IntegrityStatus::kInvalid);
  EXPECT_EQ(view->VerifyFingerprint(), IntegrityStatus::kValid);
}

TEST(Rfc5769VectorTest, ParsesTheIpv4Response) {  // RFC 5769 §2.2
  const auto octets = FromHex(kResponseV4);
  const auto view = MessageView::Parse(octets);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->Is(Method::kBinding, MessageClass::kSuccessResponse));
  EXPECT_EQ(view->FindText(AttributeType::kSoftware), "test vector");
  EXPECT_EQ(view->FindAddress(AttributeType::kXorMappedAddress), SocketAddress::Parse("192.0.2.1:32853"));
  EXPECT_EQ(view->VerifyIntegrity(ShortTerm()), IntegrityStatus::kValid);
  EXPECT_EQ(view->VerifyFingerprint(), IntegrityStatus::kValid);
}

TEST(Rfc5769VectorTest, ParsesTheIpv6Response) {  // RFC 5769 §2.3
  const auto octets = FromHex(kResponseV6);
  const auto view = MessageView::Parse(octets);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->FindAddress(AttributeType::kXorMappedAddress),
            SocketAddress::Parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
  EXPECT_EQ(view->VerifyIntegrity(ShortTerm()), IntegrityStatus::kValid);
  EXPECT_EQ(view->VerifyFingerprint(), IntegrityStatus::kValid);
}

TEST(Rfc5769VectorTest, ParsesTheLongTermRequest) {  // RFC 5769 §2.4
  const auto octets = FromHex(kLongTermRequest);
  const auto view = MessageView::Parse(octets);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->FindText(AttributeType::kUsername), "\u30de\u30c8\u30ea\u30c3\u30af\u30b9");
  EXPECT_EQ(view->FindText(AttributeType::kRealm), "example.org");
  EXPECT_EQ(view->FindText(AttributeType::kNonce), "f//499k954d6OL34oL9FSTvy64sA");
  EXPECT_EQ(view->VerifyIntegrity(crypto::HmacSha1Key(FromHex(kMatrixMd5))), IntegrityStatus::kValid);
  EXPECT_EQ(view->VerifyFingerprint(), IntegrityStatus::kAbsent);
}

// Everything but the padding, which RFC 5769 fills with spaces to prove that receivers ignore it.
TEST(Rfc5769VectorTest, BuildsTheLongTermRequestOctetForOctet) {
  const auto expected = FromHex(kLongTermRequest);
  TransactionId id;
  std::copy_n(expected.begin() + 8, id.octets.size(), id.octets.begin());
  std::array<uint8_t, 200> buffer;
  const auto built = MessageBuilder(buffer, {Method::kBinding, MessageClass::kRequest}, id)
                         .AddText(AttributeType::kUsername, "\u30de\u30c8\u30ea\u30c3\u30af\u30b9")
                         .AddText(AttributeType::kNonce, "f//499k954d6OL34oL9FSTvy64sA")
                         .AddText(AttributeType::kRealm, "example.org")
                         .AddIntegrity(crypto::HmacSha1Key(FromHex(kMatrixMd5)))
                         .Finish();
  EXPECT_EQ(crypto::Hex(built), kLongTermRequest);
}

// RFC 8489 §B.1 as printed counts 20 octets of attributes that are not there.
TEST(Rfc8489VectorTest, S1_DropsTheMisprintedSha256Request) {
  const auto octets = FromHex(kSha256AsPrinted);
  const auto view = MessageView::Parse(octets);
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().code, ParseErrc::kBadLength);
}

TEST(Rfc8489VectorTest, VerifiesTheCorrectedSha256Requests) {  // derived from RFC 8489 §B.1
  for (const std::string_view hex : {kSha256CorrectedLength, kSha256WithAlgorithms}) {
    const auto octets = FromHex(hex);
    const auto view = MessageView::Parse(octets);
    ASSERT_TRUE(view);
    const crypto::HmacSha256Key key(FromHex(kMatrixSha256));
    EXPECT_EQ(view->VerifyIntegritySha256(key), IntegrityStatus::kValid);
    EXPECT_EQ(view->VerifyIntegrity(ShortTerm()), IntegrityStatus::kAbsent);
    EXPECT_EQ(view->FindText(AttributeType::kRealm), "example.org");
    EXPECT_EQ(view->Find(AttributeType::kUserhash)->size(), 32u);
  }
}

TEST(Rfc5769VectorTest, RejectsEveryTruncation) {
  for (const std::string_view hex : {kRequest, kResponseV4, kResponseV6, kLongTermRequest, kSha256WithAlgorithms}) {
    const auto octets = FromHex(hex);
    for (size_t size = 0; size < octets.size(); ++size) {
      EXPECT_FALSE(MessageView::Parse(std::span(octets).first(size))) << size;
    }
  }
}

TEST(Rfc5769VectorTest, NoFlippedBitSurvivesIntegrity) {
  const auto original = FromHex(kRequest);
  const size_t protected_octets = original.size() - 8 - 24;  // without FINGERPRINT and MESSAGE-INTEGRITY
  for (size_t bit = 0; bit < protected_octets * 8; ++bit) {
    auto octets = original;
    octets[bit / 8] = static_cast<uint8_t>(octets[bit / 8] ^ 1u << bit % 8);
    const auto view = MessageView::Parse(octets);
    if (view) {
      EXPECT_NE(view->VerifyIntegrity(ShortTerm()), IntegrityStatus::kValid) << bit;
    }
  }
}

}  // namespace
}  // namespace jsp::stun
