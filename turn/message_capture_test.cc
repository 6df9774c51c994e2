// What coturn 4.6.1 and its turnutils_uclient say to each other, captured on loopback: user "user", password "pass",
// realm "example.org". Every attribute of ours must be found in their octets, and their integrity must hold.
#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "stun/credentials.h"
#include "stun/message_view.h"
#include "turn/attributes.h"
#include "turn/channel_data.h"
namespace jsp::turn {
namespace {

using stun::AttributeType;
using stun::IntegrityStatus;
using stun::MessageClass;
using stun::Method;

std::vector<uint8_t> FromHex(std::string_view text) {
  const auto digit = [](char c) { return static_cast<uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); };
  std::vector<uint8_t> octets;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    octets.push_back(static_cast<uint8_t>(digit(text[i]) << 4 | digit(text[i + 1])));
  }
  return octets;
}

class MessageCaptureTest : public ::testing::Test {
 protected:
  // A captured message, which must carry a good FINGERPRINT.
  stun::MessageView Read(std::string_view hex) {
    octets_ = FromHex(hex);
    const auto message = stun::MessageView::Parse(octets_);
    EXPECT_TRUE(message);
    EXPECT_EQ(message->VerifyFingerprint(), IntegrityStatus::kValid);
    return *message;
  }
  IntegrityStatus Verify(const stun::MessageView& message) {
    return message.VerifyIntegrity(crypto::HmacSha1Key(stun::LongTermKeyMd5("user", "example.org", "pass")));
  }

  std::vector<uint8_t> octets_;
  const SocketAddress peer_ = *SocketAddress::Parse("127.0.0.1:61702");
};

TEST_F(MessageCaptureTest, TheFirstAllocateRequest) {  // RFC 8656 §7.1
  const auto message =
      Read("000300202112a442a07b20fc35c35cee048f63110019000411000000000d0004000003090018000100000000802800041af1e6c7");
  EXPECT_TRUE(message.Is(Method::kAllocate, MessageClass::kRequest));
  EXPECT_EQ(Find<RequestedTransport>(message), RequestedTransport{RelayProtocol::kUdp});
  EXPECT_EQ(Find<Lifetime>(message), Lifetime{777});
  EXPECT_EQ(Find<EvenPort>(message), EvenPort{false});
  EXPECT_EQ(Verify(message), IntegrityStatus::kAbsent);
}

TEST_F(MessageCaptureTest, TheChallenge) {  // RFC 8489 §9.2.4
  const auto message = Read(
      "011300582112a442a07b20fc35c35cee048f63110009001000000401556e617574686f72697a656400150010663964663463663766356162"
      "373765640014000b6578616d706c652e6f72670080220014436f7475726e2d342e362e312027476f727374278028000435e8b3d7");
  EXPECT_TRUE(message.Is(Method::kAllocate, MessageClass::kErrorResponse));
  EXPECT_EQ(message.FindError()->code, 401);
  EXPECT_EQ(message.FindText(AttributeType::kRealm), "example.org");
  EXPECT_EQ(message.FindText(AttributeType::kNonce), "f9df4cf7f5ab77ed");
}

TEST_F(MessageCaptureTest, TheAllocation) {  // RFC 8656 §7.2
  const auto message = Read(
      "010300582112a4425bfd048b965c601526257046001600080001ebe65e12a44300200008000196e25e12a443000d00040000030980220014"
      "4"
      "36f7475726e2d342e362e312027476f727374270008001429a581d220dc9078cdb4d41678498148190ca893802800049022500f");
  EXPECT_TRUE(message.Is(Method::kAllocate, MessageClass::kSuccessResponse));
  EXPECT_EQ(message.FindAddress(AttributeType::kXorRelayedAddress)->ToString(), "127.0.0.1:51956");
  EXPECT_EQ(message.FindAddress(AttributeType::kXorMappedAddress)->ToString(), "127.0.0.1:47088");
  EXPECT_EQ(Find<Lifetime>(message), Lifetime{777});
  EXPECT_EQ(Verify(message), IntegrityStatus::kValid);
}

TEST_F(MessageCaptureTest, ARefresh) {  // RFC 8656 §8.1
  const auto message = Read(
      "000400542112a442a6b01362297ee9b6ea715a2d000d00040000030900060004757365720015001066396466346366376635616237376564"
      "0014000b6578616d706c652e6f726700000800145a01d0e5cf9327bc1b830192bdc444da4af136f4802800042934b492");
  EXPECT_TRUE(message.Is(Method::kRefresh, MessageClass::kRequest));
  EXPECT_EQ(message.FindText(AttributeType::kUsername), "user");
  EXPECT_EQ(Verify(message), IntegrityStatus::kValid);
}

TEST_F(MessageCaptureTest,
       AChannelBindOfTheObsoleteRange) {  // RFC 8656 §12.1; the number is one of RFC 5766 (obsolete)
  const auto message = Read(
      "000900602112a44282373f6c8baa0ed90e00ac03000c00046f220000001200080001d0145e12a44300060004757365720015001066323331"
      "3839343331636632356136640014000b6578616d706c652e6f72670000080014addc58faa58fca6d44c926762daf8923d5c6823580280004"
      "1c5fa308");
  EXPECT_TRUE(message.Is(Method::kChannelBind, MessageClass::kRequest));
  const auto channel = Find<ChannelNumber>(message);
  ASSERT_TRUE(channel);
  EXPECT_EQ(channel->value, 0x6f22);
  EXPECT_FALSE(channel->IsUsable());
  EXPECT_TRUE(Contains(ChannelRange::kLegacy, *channel));
  EXPECT_EQ(message.FindAddress(AttributeType::kXorPeerAddress), peer_);
}

TEST_F(MessageCaptureTest, APermission) {  // RFC 8656 §10.1
  const auto message = Read(
      "000800582112a442e04bfac21e7d092f3959bf79001200080001d0145e12a443000600047573657200150010663233313839343331636632"
      "356136640014000b6578616d706c652e6f72670000080014f0dc315560d9f16f17cfc123ac3de1897c477b78802800044df35f9e");
  EXPECT_TRUE(message.Is(Method::kCreatePermission, MessageClass::kRequest));
  EXPECT_EQ(message.FindAddress(AttributeType::kXorPeerAddress), peer_);
  EXPECT_EQ(Verify(message), IntegrityStatus::kValid);
}

TEST_F(MessageCaptureTest, TheResponsesToARefreshAndAPermission) {  // RFC 8656 §8.2, §10.2
  const auto refreshed = Read(
      "010400402112a442a6b01362297ee9b6ea715a2d000d00040000030980220014436f7475726e2d342e362e312027476f7273742700080014"
      "c00e12f205ad123d12536c2e7759303e084d1ad780280004e7630993");
  EXPECT_TRUE(refreshed.Is(Method::kRefresh, MessageClass::kSuccessResponse));
  EXPECT_EQ(Find<Lifetime>(refreshed), Lifetime{777});
  EXPECT_EQ(Verify(refreshed), IntegrityStatus::kValid);
  const auto permitted = Read(
      "010800382112a442a6de2013dee2a6042bb0d34780220014436f7475726e2d342e362e312027476f7273742700080014d38f37a9f474ae69"
      "8831545f98e9655a718e4544802800040bd4c166");
  EXPECT_TRUE(permitted.Is(Method::kCreatePermission, MessageClass::kSuccessResponse));
  EXPECT_EQ(permitted.FindText(AttributeType::kSoftware), "Coturn-4.6.1 'Gorst'");
  EXPECT_EQ(Verify(permitted), IntegrityStatus::kValid);
}

TEST_F(MessageCaptureTest, EveryTruncationIsRefused) {
  (void)Read(
      "000300202112a442a07b20fc35c35cee048f63110019000411000000000d0004000003090018000100000000802800041af1e6c7");
  for (size_t n = 0; n < octets_.size(); ++n) {
    EXPECT_FALSE(stun::MessageView::Parse(std::span(octets_).first(n))) << n;
  }
}

// Every octet of a captured request flipped: whatever still parses, no read goes out of bounds, and integrity fails.
TEST_F(MessageCaptureTest, EveryFlippedOctetIsHarmless) {
  (void)Read(
      "000900602112a44282373f6c8baa0ed90e00ac03000c00046f220000001200080001d0145e12a44300060004757365720015001066323331"
      "3839343331636632356136640014000b6578616d706c652e6f72670000080014addc58faa58fca6d44c926762daf8923d5c6823580280004"
      "1c5fa308");
  const auto good = octets_;
  for (size_t i = 0; i < good.size(); ++i) {
    octets_ = good;
    octets_[i] ^= 0xff;
    const auto message = stun::MessageView::Parse(octets_);
    if (!message) continue;
    (void)Find<ChannelNumber>(*message);
    (void)Find<Lifetime>(*message);
    (void)message->FindAddress(AttributeType::kXorPeerAddress);
    const bool protected_octet = i < octets_.size() - 12;  // what follows MESSAGE-INTEGRITY is FINGERPRINT
    EXPECT_TRUE(!protected_octet || Verify(*message) != IntegrityStatus::kValid) << i;
  }
}

TEST_F(MessageCaptureTest, ChannelDataOverUdp) {  // RFC 8656 §12.4
  const auto message = FromHex("6f22001000000000070707075713000000000000");
  EXPECT_FALSE(ParseChannelData(message));
  const auto data = ParseChannelData(message, ChannelRange::kLegacy);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->data.size(), 16u);
  std::vector<uint8_t> out(20);
  EXPECT_TRUE(std::ranges::equal(WriteChannelData(Framing::kDatagram, *data, out), message));
}

}  // namespace
}  // namespace jsp::turn
