#include "stun/server.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "stun/message_builder.h"
namespace jsp::stun {
namespace {

const Timestamp kNow = Timestamp::FromEpoch(std::chrono::seconds(1));
const SocketAddress kLocal = *SocketAddress::Parse("192.0.2.1:3478");
const SocketAddress kClient = *SocketAddress::Parse("203.0.113.7:40000");
constexpr MessageType kRequest{Method::kBinding, MessageClass::kRequest};
constexpr TransactionId kId{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};

class ServerTest : public ::testing::Test {
 protected:
  // Hands a message to the server as the client's.
  template <class Compose>
  size_t Send(MessageType type, Compose&& compose) {
    std::vector<uint8_t> buffer(65535);
    MessageBuilder builder(buffer, type, kId);
    compose(builder);
    const auto datagram = builder.Finish();
    server_.HandleDatagram(kNow, kLocal, kClient, datagram);
    return datagram.size();
  }
  size_t Send(MessageType type) {
    return Send(type, [](MessageBuilder&) {});
  }
  std::optional<MessageView> Answer() {
    const auto transmit = server_.PollTransmit(kNow, out_);
    if (!transmit) return std::nullopt;
    EXPECT_EQ(transmit->local, kLocal);
    EXPECT_EQ(transmit->remote, kClient);
    const auto view = MessageView::Parse(std::span(out_).first(transmit->size));
    EXPECT_TRUE(view);
    return *view;
  }

  Server server_{{}};
  std::array<uint8_t, 1500> out_;
};

TEST_F(ServerTest, AnswersWithTheAddressItSees) {  // RFC 8489 §6.3.1.1, §6.3.1.2
  Send(kRequest);
  const auto answer = Answer();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->Is(Method::kBinding, MessageClass::kSuccessResponse));
  EXPECT_EQ(answer->transaction_id(), kId);
  EXPECT_EQ(answer->FindAddress(AttributeType::kXorMappedAddress), kClient);
  EXPECT_FALSE(Answer());
  EXPECT_EQ(server_.metrics().requests, 1u);
  EXPECT_EQ(server_.NextTimeout(), Timestamp::Never());
  EXPECT_FALSE(server_.PollEvent());
}

TEST_F(ServerTest, ARetransmissionIsAnsweredAlike) {  // RFC 8489 §6.3.1
  Send(kRequest);
  Send(kRequest);
  const auto first = Answer();
  ASSERT_TRUE(first);
  const std::vector<uint8_t> octets(first->datagram().begin(), first->datagram().end());
  const auto second = Answer();
  ASSERT_TRUE(second);
  EXPECT_TRUE(std::ranges::equal(octets, second->datagram()));
}

TEST_F(ServerTest, S8_AnAnswerCarriesOnlyTheAddress) {
  EXPECT_EQ(Send(kRequest), 20u);
  EXPECT_EQ(Answer()->datagram().size(), 32u);
  const SocketAddress v6 = *SocketAddress::Parse("[2001:db8::7]:40000");
  std::array<uint8_t, 20> request;
  server_.HandleDatagram(kNow, kLocal, v6, MessageBuilder(request, kRequest, kId).Finish());
  EXPECT_EQ(server_.PollTransmit(kNow, out_)->size, 44u);
}

TEST_F(ServerTest, ListsUnknownRequiredAttributesIn420) {  // RFC 8489 §6.3.1, §14.13
  Send(kRequest, [](MessageBuilder& b) {
    b.AddFlag(static_cast<AttributeType>(0x7777))
        .AddFlag(static_cast<AttributeType>(0x8777))
        .AddU32(static_cast<AttributeType>(0x0031), 1)
        .AddFlag(static_cast<AttributeType>(0x7777))
        .AddFlag(static_cast<AttributeType>(0x0032));
  });
  const auto answer = Answer();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->Is(Method::kBinding, MessageClass::kErrorResponse));
  EXPECT_EQ(answer->FindError()->code, 420);
  const auto listed = answer->Find(AttributeType::kUnknownAttributes);
  ASSERT_TRUE(listed);
  const std::vector<uint8_t> expected{0x77, 0x77, 0x00,
                                      0x31, 0x00, 0x32};  // an odd number of them: padded, not counted
  EXPECT_EQ(std::vector<uint8_t>(listed->begin(), listed->end()), expected);
  EXPECT_EQ(server_.metrics().unknown_attribute, 1u);
}

TEST_F(ServerTest, S4_ThousandsOfUnknownAttributesNeverAmplify) {
  for (const size_t count : {1u, 2u, 16u, 17u, 256u}) {
    const size_t sent = Send(kRequest, [&](MessageBuilder& b) {
      for (size_t i = 0; i < count; ++i) b.AddFlag(static_cast<AttributeType>(0x4000 + i));
    });
    const auto answer = Answer();
    ASSERT_TRUE(answer) << count;
    EXPECT_EQ(answer->FindError()->code, 420);
    EXPECT_EQ(answer->Find(AttributeType::kUnknownAttributes)->size(),
              2 * std::min(count, Server::kMaxUnknownAttributes));
    EXPECT_LE(answer->datagram().size(), sent + 12) << count;
  }
  Send(kRequest, [&](MessageBuilder& b) {
    for (uint32_t i = 0; i < 16000; ++i) b.AddFlag(static_cast<AttributeType>(0x4000 + i % 0x3000));
  });
  EXPECT_FALSE(Answer());
  EXPECT_EQ(server_.metrics().dropped_unparsable, 1u);
}

TEST_F(ServerTest, IgnoresAttributesOfOtherUsages) {  // RFC 8489 §6.3: known but unexpected
  Send(kRequest, [](MessageBuilder& b) {
    b.AddU32(AttributeType::kLifetime, 600)
        .AddAddress(AttributeType::kXorMappedAddress, kLocal)
        .AddU32(AttributeType::kPriority, 1)
        .AddFlag(static_cast<AttributeType>(0xbeef));
  });
  EXPECT_EQ(Answer()->FindAddress(AttributeType::kXorMappedAddress), kClient);
}

TEST_F(ServerTest, RefusesChangeRequestRatherThanIgnoreIt) {  // RFC 5780 §7.2 is not offered here
  Send(kRequest, [](MessageBuilder& b) { b.AddU32(AttributeType::kChangeRequest, 6); });
  EXPECT_EQ(Answer()->FindError()->code, 420);
}

TEST_F(ServerTest, S5_AttributesAfterMessageIntegrityAreNotUnknown) {  // RFC 8489 §9
  Send(kRequest, [](MessageBuilder& b) {
    b.AddIntegrity(crypto::HmacSha1Key(crypto::AsBytes("x"))).AddFlag(static_cast<AttributeType>(0x7777));
  });
  EXPECT_TRUE(Answer()->Is(Method::kBinding, MessageClass::kSuccessResponse));
}

TEST_F(ServerTest, RequiresNoFingerprintButChecksAndMirrorsOne) {  // RFC 8489 §12, §7
  Send(kRequest, [](MessageBuilder& b) { b.AddFingerprint(); });
  EXPECT_EQ(Answer()->VerifyFingerprint(), IntegrityStatus::kValid);
  Send(kRequest);
  EXPECT_EQ(Answer()->VerifyFingerprint(), IntegrityStatus::kAbsent);
  Send(kRequest, [](MessageBuilder& b) { b.AddU32(AttributeType::kFingerprint, 7); });
  EXPECT_FALSE(Answer());
  EXPECT_EQ(server_.metrics().dropped_bad_fingerprint, 1u);
}

TEST_F(ServerTest, IndicationsAreNeverAnswered) {  // RFC 8489 §6.3.2
  Send({Method::kBinding, MessageClass::kIndication});
  Send({Method::kBinding, MessageClass::kIndication},
       [](MessageBuilder& b) { b.AddFlag(static_cast<AttributeType>(0x7777)); });
  EXPECT_FALSE(Answer());
  EXPECT_EQ(server_.metrics().indications, 2u);
}

TEST_F(ServerTest,
       ResponsesAndOtherMethodsAreDropped) {  // RFC 8489 §6.3; two servers cannot be made to answer each other
  Send({Method::kBinding, MessageClass::kSuccessResponse});
  Send({Method::kBinding, MessageClass::kErrorResponse});
  Send({Method::kAllocate, MessageClass::kRequest});
  EXPECT_FALSE(Answer());
  EXPECT_EQ(server_.metrics().dropped_not_request, 3u);
}

TEST_F(ServerTest, S11_ClassicStunWithoutTheCookieIsDropped) {
  std::array<uint8_t, 20> classic{0x00, 0x01};
  server_.HandleDatagram(kNow, kLocal, kClient, classic);
  EXPECT_FALSE(Answer());
  EXPECT_EQ(server_.metrics().dropped_unparsable, 1u);
}

TEST_F(ServerTest, S8_AFloodFillsABoundedQueue) {
  server_ = Server({.max_pending = 4});
  for (int i = 0; i < 10; ++i) Send(kRequest);
  int answered = 0;
  while (Answer()) ++answered;
  EXPECT_EQ(answered, 4);
  EXPECT_EQ(server_.metrics().dropped_overload, 6u);
  EXPECT_EQ(server_.metrics().requests, 4u);
}

TEST_F(ServerTest, ATooSmallBufferLosesNothing) {
  Send(kRequest);
  std::array<uint8_t, 40> small;
  EXPECT_FALSE(server_.PollTransmit(kNow, small));
  EXPECT_TRUE(Answer());
}

TEST_F(ServerTest, TheLargestAnswerFitsTheAnnouncedBuffer) {
  server_ = Server({.software = std::string(127, 'x')});
  Send(kRequest, [](MessageBuilder& b) {
    for (size_t i = 0; i < 40; ++i) b.AddFlag(static_cast<AttributeType>(0x4000 + i));
    b.AddFingerprint();
  });
  std::array<uint8_t, 72 + 132> exact;
  const auto transmit = server_.PollTransmit(kNow, exact);
  ASSERT_TRUE(transmit);
  EXPECT_EQ(transmit->size, exact.size());
}

}  // namespace
}  // namespace jsp::stun
