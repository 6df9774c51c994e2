// The server half of NAT behaviour discovery, RFC 5780 §6.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "stun/change_request.h"
#include "stun/message_builder.h"
#include "stun/server.h"
namespace jsp::stun {
namespace {

const Timestamp kNow = Timestamp::FromEpoch(std::chrono::seconds(1));
const SocketAddress kPrimary = *SocketAddress::Parse("192.0.2.1:3478");
const SocketAddress kAlternate = *SocketAddress::Parse("192.0.2.2:3479");
const SocketAddress kClient = *SocketAddress::Parse("203.0.113.7:40000");
constexpr MessageType kRequest{Method::kBinding, MessageClass::kRequest};
constexpr TransactionId kId{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};

class BehaviorServerTest : public ::testing::Test {
 protected:
  struct Answer {
    Server::Transmit transmit;
    MessageView view;
  };
  template <class Compose>
  std::optional<Answer> Ask(const SocketAddress& at, Compose&& compose) {
    std::vector<uint8_t> buffer(65535);
    MessageBuilder builder(buffer, kRequest, kId);
    compose(builder);
    server_.HandleDatagram(kNow, at, kClient, builder.Finish());
    const auto transmit = server_.PollTransmit(kNow, out_);
    if (!transmit) return std::nullopt;
    return Answer{*transmit, *MessageView::Parse(std::span(out_).first(transmit->size))};
  }
  std::optional<Answer> Ask(const SocketAddress& at) {
    return Ask(at, [](MessageBuilder&) {});
  }
  std::optional<Answer> AskChange(const SocketAddress& at, uint32_t flags) {
    return Ask(at, [&](MessageBuilder& b) { b.AddU32(AttributeType::kChangeRequest, flags); });
  }

  Server server_{{.behavior = {{kPrimary, kAlternate}}}};
  std::array<uint8_t, 4096> out_;
};

TEST_F(BehaviorServerTest, AnswersFromWhereTable1Says) {  // RFC 5780 §6.1, Table 1
  for (const IpAddress& ip : {kPrimary.ip, kAlternate.ip}) {
    for (const uint16_t port : {kPrimary.port, kAlternate.port}) {
      const SocketAddress at{ip, port};
      const SocketAddress other{ip == kPrimary.ip ? kAlternate.ip : kPrimary.ip,
                                port == kPrimary.port ? kAlternate.port : kPrimary.port};
      for (const uint32_t flags : {0u, kChangeIp, kChangePort, kChangeIp | kChangePort}) {
        const auto answer = flags == 0 ? Ask(at) : AskChange(at, flags);
        ASSERT_TRUE(answer);
        const SocketAddress from{(flags & kChangeIp) != 0 ? other.ip : ip,
                                 (flags & kChangePort) != 0 ? other.port : port};
        EXPECT_EQ(answer->transmit.local, from) << at.ToString() << " flags " << flags;
        EXPECT_EQ(answer->transmit.remote, kClient);
        EXPECT_EQ(answer->view.FindAddress(AttributeType::kResponseOrigin), from);
        EXPECT_EQ(answer->view.FindAddress(AttributeType::kOtherAddress), other);
        EXPECT_EQ(answer->view.FindAddress(AttributeType::kXorMappedAddress), kClient);
        EXPECT_EQ(answer->view.FindAddress(AttributeType::kMappedAddress), kClient);
      }
    }
  }
}

TEST_F(BehaviorServerTest, OnlyTwoBitsOfChangeRequestMatter) {  // RFC 5780 §7.2
  EXPECT_EQ(AskChange(kPrimary, 0xfffffff9)->transmit.local, kPrimary);
  EXPECT_EQ(AskChange(kPrimary, 0xfffffffb)->transmit.local, (SocketAddress{kPrimary.ip, kAlternate.port}));
}

TEST_F(BehaviorServerTest, AChangeRequestOfAnotherSizeIsABadRequest) {  // RFC 5780 §7.2
  const auto answer = Ask(kPrimary, [](MessageBuilder& b) {
    b.Add(AttributeType::kChangeRequest, std::array<uint8_t, 2>{0, 6});
  });
  EXPECT_EQ(answer->view.FindError()->code, 400);
  EXPECT_EQ(server_.metrics().bad_request, 1u);
}

TEST_F(BehaviorServerTest, AnswersToTheResponsePort) {  // RFC 5780 §7.5
  const auto answer = Ask(kPrimary, [](MessageBuilder& b) {
    b.Add(AttributeType::kResponsePort, std::array<uint8_t, 4>{0xc3, 0x50, 0, 0})
        .AddU32(AttributeType::kChangeRequest, 2);
  });
  EXPECT_EQ(answer->transmit.remote, (SocketAddress{kClient.ip, 50000}));
  EXPECT_EQ(answer->transmit.local, (SocketAddress{kPrimary.ip, kAlternate.port}));
  EXPECT_EQ(answer->view.FindAddress(AttributeType::kXorMappedAddress), kClient);
}

TEST_F(BehaviorServerTest, PadsWhatIsPaddedAndNoMore) {  // RFC 5780 §6.1, §7.6
  for (const size_t size : {4u, 1000u, 1500u, 20000u}) {
    const auto answer = Ask(kPrimary, [&](MessageBuilder& b) { b.AddPadding(size); });
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->view.Find(AttributeType::kPadding)->size(), std::min<size_t>(size, 1500));
  }
}

TEST_F(BehaviorServerTest, PaddingTakesWhatTheBufferHas) {  // RFC 5780 §7.6
  std::vector<uint8_t> request(2000);
  MessageBuilder builder(request, kRequest, kId);
  server_.HandleDatagram(kNow, kPrimary, kClient, builder.AddPadding(1500).AddFingerprint().Finish());
  std::array<uint8_t, 1280> small;
  const auto transmit = server_.PollTransmit(kNow, small);
  ASSERT_TRUE(transmit);
  EXPECT_LE(transmit->size, small.size());
  EXPECT_EQ(MessageView::Parse(std::span(small).first(transmit->size))->VerifyFingerprint(), IntegrityStatus::kValid);
}

TEST_F(BehaviorServerTest, PaddingWithAResponsePortIsRefused) {  // RFC 5780 §6.1: 400
  const auto answer = Ask(kPrimary, [](MessageBuilder& b) {
    b.Add(AttributeType::kResponsePort, std::array<uint8_t, 4>{0xc3, 0x50, 0, 0}).AddPadding(100);
  });
  EXPECT_EQ(answer->view.FindError()->code, 400);
  EXPECT_EQ(answer->transmit.remote, kClient);
  EXPECT_FALSE(answer->view.Has(AttributeType::kOtherAddress));
}

TEST_F(BehaviorServerTest, AnUnknownAttributeIsStillRefused) {  // RFC 8489 §6.3.1
  const auto answer = Ask(kPrimary, [](MessageBuilder& b) {
    b.AddU32(AttributeType::kChangeRequest, 6).AddFlag(static_cast<AttributeType>(0x7777));
  });
  EXPECT_EQ(answer->view.FindError()->code, 420);
  EXPECT_EQ(answer->transmit.local, kPrimary);
}

TEST_F(BehaviorServerTest, SocketsOutsideTheFourOfferNothing) {  // RFC 5780 §6
  const SocketAddress elsewhere = *SocketAddress::Parse("192.0.2.9:3478");
  const auto plain = Ask(elsewhere);
  EXPECT_FALSE(plain->view.Has(AttributeType::kOtherAddress));
  EXPECT_EQ(plain->transmit.size, 32u);
  EXPECT_EQ(AskChange(elsewhere, 6)->view.FindError()->code, 420);
}

TEST_F(BehaviorServerTest, APairThatDoesNotDifferIsNotOffered) {  // RFC 5780 §6
  const SocketAddress same_ip = *SocketAddress::Parse("192.0.2.1:3479");
  const SocketAddress same_port = *SocketAddress::Parse("192.0.2.2:3478");
  const SocketAddress other_family = *SocketAddress::Parse("[2001:db8::1]:3479");
  for (const SocketAddress& alternate : {same_ip, same_port, other_family}) {
    server_ = Server({.behavior = {{kPrimary, alternate}}});
    EXPECT_FALSE(Ask(kPrimary)->view.Has(AttributeType::kOtherAddress)) << alternate.ToString();
    EXPECT_EQ(AskChange(kPrimary, 6)->view.FindError()->code, 420);
  }
}

TEST_F(BehaviorServerTest, BothFamiliesEachHaveTheirFour) {  // RFC 5780 §6
  const SocketAddress primary6 = *SocketAddress::Parse("[2001:db8::1]:3478");
  const SocketAddress alternate6 = *SocketAddress::Parse("[2001:db8::2]:3479");
  server_ = Server({.software = std::string(127, 'x'), .behavior = {{kPrimary, kAlternate}, {primary6, alternate6}}});
  EXPECT_EQ(Ask(primary6)->view.FindAddress(AttributeType::kOtherAddress), alternate6);
  EXPECT_EQ(Ask(kPrimary)->view.FindAddress(AttributeType::kOtherAddress), kAlternate);
}

TEST_F(BehaviorServerTest, TheLargestAnswerFitsTheAnnouncedBuffer) {
  const SocketAddress primary6 = *SocketAddress::Parse("[2001:db8::1]:3478");
  const SocketAddress client6 = *SocketAddress::Parse("[2001:db8::7]:40000");
  server_ = Server(
      {.software = std::string(127, 'x'), .behavior = {{primary6, *SocketAddress::Parse("[2001:db8::2]:3479")}}});
  std::array<uint8_t, 64> request;
  MessageBuilder builder(request, kRequest, kId);
  server_.HandleDatagram(kNow, primary6, client6, builder.AddPadding(8).AddFingerprint().Finish());
  std::array<uint8_t, 128 + 132> exact;
  const auto transmit = server_.PollTransmit(kNow, exact);
  ASSERT_TRUE(transmit);
  EXPECT_LE(transmit->size, exact.size());
}

}  // namespace
}  // namespace jsp::stun
