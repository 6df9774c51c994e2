// What the Binding client adds for NAT behaviour discovery: CHANGE-REQUEST and RESPONSE-PORT (RFC 5780 §7).
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "stun/change_request.h"
#include "stun/client.h"
#include "stun/error_code.h"
#include "stun/message_builder.h"
namespace jsp::stun {
namespace {

using std::chrono::milliseconds;

Timestamp At(int64_t ms) { return Timestamp::FromEpoch(milliseconds(ms)); }
const SocketAddress kLocal = *SocketAddress::Parse("10.0.0.2:5000");
const SocketAddress kOtherLocal = *SocketAddress::Parse("10.0.0.2:5001");
const SocketAddress kServer = *SocketAddress::Parse("192.0.2.1:3478");
const SocketAddress kAlternate = *SocketAddress::Parse("192.0.2.2:3479");
const SocketAddress kElsewhere = *SocketAddress::Parse("192.0.2.66:3479");
const SocketAddress kMapped = *SocketAddress::Parse("203.0.113.7:40000");

class ClientBehaviorTest : public ::testing::Test {
 protected:
  // Starts and sends one request; its octets are in `request_` then.
  TransactionId Start(const BehaviorRequest& behavior) {
    EXPECT_TRUE(client_.StartBinding(At(0), kLocal, kServer, behavior));
    std::array<uint8_t, 1500> out;
    const auto transmit = client_.PollTransmit(At(0), out);
    EXPECT_TRUE(transmit);
    request_.assign(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(transmit->size));
    return MessageView::Parse(request_)->transaction_id();
  }
  BehaviorRequest ChangeBoth() const { return {.change = kChangeIp | kChangePort, .answer_from = kAlternate}; }
  BehaviorRequest ToPort() const { return {.response_port = 40001, .answer_to = kOtherLocal}; }
  bool Answer(const TransactionId& id, const SocketAddress& local, const SocketAddress& remote, uint16_t error = 0,
              const SocketAddress& mapped = kMapped) {
    std::array<uint8_t, 256> out;
    const MessageClass message_class = error == 0 ? MessageClass::kSuccessResponse : MessageClass::kErrorResponse;
    MessageBuilder builder(out, {Method::kBinding, message_class}, id);
    if (error == 0) {
      builder.AddAddress(AttributeType::kXorMappedAddress, mapped)
          .AddAddress(AttributeType::kResponseOrigin, remote)
          .AddAddress(AttributeType::kOtherAddress, kAlternate);
    } else {
      builder.AddError(error, "");
    }
    return client_.HandleDatagram(At(10), local, remote, builder.Finish());
  }
  template <class T>
  T Expect() {
    const auto event = client_.PollEvent();
    EXPECT_TRUE(event && std::holds_alternative<T>(*event));
    return event && std::holds_alternative<T>(*event) ? std::get<T>(*event) : T{};
  }

  Rng rng_ = Rng::FromNumber(3);
  Client client_{{}, rng_};
  std::vector<uint8_t> request_;
};

TEST_F(ClientBehaviorTest, AsksToBeAnsweredFromElsewhere) {  // RFC 5780 §7.2
  const auto id = Start(ChangeBoth());
  EXPECT_EQ(MessageView::Parse(request_)->FindU32(AttributeType::kChangeRequest), 6u);
  EXPECT_TRUE(Answer(id, kLocal, kAlternate));
  const auto success = Expect<event::BindingSucceeded>();
  EXPECT_EQ(success.mapped, kMapped);
  EXPECT_EQ(success.response_origin, kAlternate);  // RFC 5780 §7.3
  EXPECT_EQ(success.other_address, kAlternate);    // RFC 5780 §7.4
}

TEST_F(ClientBehaviorTest, AnAnswerFromTheServerItselfTellsThatTheChangeWasIgnored) {  // RFC 5780 §6.1
  const auto id = Start(ChangeBoth());
  EXPECT_TRUE(Answer(id, kLocal, kServer));
  EXPECT_EQ(Expect<event::BindingFailed>().reason, RequestFailure::kChangeIgnored);
}

TEST_F(ClientBehaviorTest, ARefusalComesFromTheServerItself) {  // RFC 5780 §5: 420
  const auto id = Start(ChangeBoth());
  EXPECT_TRUE(Answer(id, kLocal, kServer, error_code::kUnknownAttribute));
  const auto failed = Expect<event::BindingFailed>();
  EXPECT_EQ(failed.reason, RequestFailure::kErrorResponse);
  EXPECT_EQ(failed.error_code, error_code::kUnknownAttribute);
}

TEST_F(ClientBehaviorTest, S7_AnswersFromOrToAnywhereElseAreDropped) {
  const auto id = Start(ChangeBoth());
  EXPECT_TRUE(Answer(id, kLocal, kElsewhere));
  EXPECT_TRUE(Answer(id, kOtherLocal, kAlternate));
  EXPECT_FALSE(client_.PollEvent());
  EXPECT_EQ(client_.metrics().dropped_wrong_address, 2u);
}

TEST_F(ClientBehaviorTest, ACommonRequestTakesNoAnswerFromTheAlternateAddress) {
  const auto id = Start({});
  EXPECT_TRUE(Answer(id, kLocal, kAlternate));
  EXPECT_FALSE(client_.PollEvent());
  EXPECT_TRUE(Answer(id, kLocal, kServer));
  Expect<event::BindingSucceeded>();
}

TEST_F(ClientBehaviorTest, AsksToBeAnsweredAtAnotherPort) {  // RFC 5780 §7.5
  const auto id = Start(ToPort());
  const auto value = MessageView::Parse(request_)->Find(AttributeType::kResponsePort);
  ASSERT_TRUE(value);
  EXPECT_EQ(std::vector<uint8_t>(value->begin(), value->end()), (std::vector<uint8_t>{0x9c, 0x41, 0, 0}));
  EXPECT_TRUE(Answer(id, kOtherLocal, kServer));
  Expect<event::BindingSucceeded>();
}

TEST_F(ClientBehaviorTest, AnAnswerToTheRequestsOwnPortTellsThatResponsePortWasIgnored) {  // RFC 5780 §7.5
  const auto id = Start(ToPort());
  EXPECT_TRUE(Answer(id, kLocal, kServer));
  EXPECT_EQ(Expect<event::BindingFailed>().reason, RequestFailure::kChangeIgnored);
}

TEST_F(ClientBehaviorTest, APortThatTheRequestItselfGotIsNotTheOldBinding) {  // RFC 5780 §4.6
  const auto id = Start(ToPort());
  EXPECT_TRUE(Answer(id, kLocal, kServer, 0, {kMapped.ip, 40001}));
  EXPECT_EQ(Expect<event::BindingFailed>().reason, RequestFailure::kTimeout);
}

TEST_F(ClientBehaviorTest, HasItsOwnRetransmissions) {  // RFC 8489 §6.2.1: RTO, Rc and Rm are settable
  BehaviorRequest behavior = ChangeBoth();
  behavior.retransmit = {.rto = milliseconds(100), .rc = 2, .rm = 3};
  (void)Start(behavior);
  EXPECT_EQ(client_.NextTimeout(), At(100));
  client_.HandleTimeout(At(100));
  std::array<uint8_t, 1500> out;
  const auto again = client_.PollTransmit(At(100), out);
  ASSERT_TRUE(again);
  EXPECT_TRUE(std::ranges::equal(request_, std::span(out).first(again->size)));  // RFC 8489 §6.2.1: the same octets
  client_.HandleTimeout(At(400));
  EXPECT_EQ(Expect<event::BindingFailed>().reason, RequestFailure::kTimeout);
  EXPECT_EQ(client_.NextTimeout(), Timestamp::Never());
}

TEST_F(ClientBehaviorTest, ABufferTooSmallForBothAttributesLosesNothing) {
  BehaviorRequest behavior = ChangeBoth();
  behavior.response_port = 40001;
  ASSERT_TRUE(client_.StartBinding(At(0), kLocal, kServer, behavior));
  std::array<uint8_t, 36> exact;
  EXPECT_FALSE(client_.PollTransmit(At(0), std::span(exact).first(35)));
  EXPECT_EQ(client_.PollTransmit(At(0), exact)->size, 36u);
}

}  // namespace
}  // namespace jsp::stun
