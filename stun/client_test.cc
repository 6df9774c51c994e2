#include "stun/client.h"

#include <gtest/gtest.h>

#include <array>
#include <bitset>
#include <set>
#include <vector>

#include "stun/change_request.h"
#include "stun/error_code.h"
#include "stun/message_builder.h"
#include "stun/server.h"
#include "stun/text_attribute.h"
namespace jsp::stun {
namespace {

using std::chrono::milliseconds;

Timestamp At(int64_t ms) { return Timestamp::FromEpoch(milliseconds(ms)); }
const SocketAddress kLocal = *SocketAddress::Parse("10.0.0.2:5000");
const SocketAddress kServer = *SocketAddress::Parse("192.0.2.1:3478");
const SocketAddress kMapped = *SocketAddress::Parse("203.0.113.7:40000");

constexpr MessageType kSuccess{Method::kBinding, MessageClass::kSuccessResponse};
constexpr MessageType kError{Method::kBinding, MessageClass::kErrorResponse};

struct Sent {
  std::vector<uint8_t> octets;
  Client::Transmit transmit;
  TransactionId id() const { return MessageView::Parse(octets)->transaction_id(); }
};

class ClientTest : public ::testing::Test {
 protected:
  std::vector<Sent> Drain(Timestamp now) {
    std::vector<Sent> sent;
    std::array<uint8_t, 1500> out;
    while (auto transmit = client_.PollTransmit(now, out)) {
      sent.push_back({{out.begin(), out.begin() + static_cast<std::ptrdiff_t>(transmit->size)}, *transmit});
    }
    return sent;
  }
  // Starts one request at time 0 and sends it.
  TransactionId StartAndSend() {
    handle_ = *client_.StartBinding(At(0), kLocal, kServer);
    return Drain(At(0)).at(0).id();
  }
  // Composes a response with `compose` and hands it to the client, as if from the server.
  template <class Compose>
  bool Respond(int64_t ms, const TransactionId& id, MessageType type, Compose&& compose) {
    std::array<uint8_t, 1500> out;
    MessageBuilder builder(out, type, id);
    compose(builder);
    return client_.HandleDatagram(At(ms), kLocal, kServer, builder.Finish());
  }
  bool Succeed(int64_t ms, const TransactionId& id) {
    return Respond(ms, id, kSuccess,
                   [](MessageBuilder& b) { b.AddAddress(AttributeType::kXorMappedAddress, kMapped); });
  }
  template <class T>
  T Expect() {
    auto event = client_.PollEvent();
    EXPECT_TRUE(event && std::holds_alternative<T>(*event));
    return event && std::holds_alternative<T>(*event) ? std::get<T>(*event) : T{};
  }
  RequestFailure ExpectFailure() { return Expect<event::BindingFailed>().reason; }

  Rng rng_ = Rng::FromNumber(1);
  Client client_{{}, rng_};
  RequestHandle handle_;
};

TEST_F(ClientTest, LearnsItsMappedAddress) {  // RFC 8489 §6.3.3
  const auto handle = client_.StartBinding(At(0), kLocal, kServer);
  ASSERT_TRUE(handle);
  const auto sent = Drain(At(0));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].transmit.local, kLocal);
  EXPECT_EQ(sent[0].transmit.remote, kServer);
  EXPECT_EQ(sent[0].octets.size(), kHeaderSize);
  EXPECT_TRUE(Respond(37, sent[0].id(), kSuccess, [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorMappedAddress, kMapped).AddText(AttributeType::kSoftware, "a server");
  }));
  const auto event = Expect<event::BindingSucceeded>();
  EXPECT_EQ(event.request, *handle);
  EXPECT_EQ(event.local, kLocal);
  EXPECT_EQ(event.server, kServer);
  EXPECT_EQ(event.mapped, kMapped);
  EXPECT_EQ(event.rtt, milliseconds(37));
  EXPECT_EQ(event.software, "a server");
  EXPECT_EQ(client_.NextTimeout(), Timestamp::Never());
  EXPECT_EQ(client_.transactions(), 0u);
  EXPECT_FALSE(client_.PollEvent());
}

TEST_F(ClientTest, RetransmitsTheSameOctetsAndTimesOutAt39500Milliseconds) {  // RFC 8489 §6.2.1
  const TransactionId id = StartAndSend();
  for (const int64_t due : {500, 1500, 3500, 7500, 15500, 31500}) {
    ASSERT_EQ(client_.NextTimeout(), At(due));
    client_.HandleTimeout(At(due - 1));
    EXPECT_TRUE(Drain(At(due - 1)).empty());
    client_.HandleTimeout(At(due));
    const auto sent = Drain(At(due));
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].id(), id);
    EXPECT_EQ(sent[0].octets.size(), kHeaderSize);
  }
  ASSERT_EQ(client_.NextTimeout(), At(39500));
  client_.HandleTimeout(At(39500));
  const auto failed = Expect<event::BindingFailed>();
  EXPECT_EQ(failed.reason, RequestFailure::kTimeout);
  EXPECT_EQ(failed.detail, "no response from 192.0.2.1:3478 to 7 requests");
  EXPECT_EQ(client_.metrics().requests_sent, 7u);
  EXPECT_EQ(client_.NextTimeout(), Timestamp::Never());
}

TEST_F(ClientTest, AResponseEndsTheRetransmissions) {
  const TransactionId id = StartAndSend();
  client_.HandleTimeout(At(500));
  EXPECT_EQ(Drain(At(500)).size(), 1u);
  EXPECT_TRUE(Succeed(530, id));
  EXPECT_EQ(Expect<event::BindingSucceeded>().rtt, milliseconds(30));
  client_.HandleTimeout(At(2000));
  EXPECT_TRUE(Drain(At(2000)).empty());
}

TEST_F(ClientTest, AResponseBeforeTheQueuedRetransmissionCancelsIt) {
  const TransactionId id = StartAndSend();
  client_.HandleTimeout(At(500));
  EXPECT_TRUE(Succeed(501, id));
  EXPECT_TRUE(Drain(At(502)).empty());
}

TEST_F(ClientTest, ADuplicateResponseIsCountedAndNotReportedTwice) {
  const TransactionId id = StartAndSend();
  EXPECT_TRUE(Succeed(10, id));
  EXPECT_FALSE(Succeed(11, id));
  EXPECT_EQ(client_.metrics().dropped_unknown_transaction, 1u);
  Expect<event::BindingSucceeded>();
  EXPECT_FALSE(client_.PollEvent());
}

TEST_F(ClientTest, S7_ResponseWithUnknownTransactionIdChangesNothing) {
  StartAndSend();
  EXPECT_FALSE(Succeed(10, TransactionId{}));
  EXPECT_EQ(client_.metrics().dropped_unknown_transaction, 1u);
  EXPECT_EQ(client_.transactions(), 1u);
  EXPECT_FALSE(client_.PollEvent());
}

TEST_F(ClientTest, S7_ResponseFromAnotherAddressIsNoSuccess) {
  const TransactionId id = StartAndSend();
  std::array<uint8_t, 100> out;
  const auto response =
      MessageBuilder(out, kSuccess, id).AddAddress(AttributeType::kXorMappedAddress, kMapped).Finish();
  SocketAddress other = kServer;
  ++other.port;
  EXPECT_TRUE(client_.HandleDatagram(At(10), kLocal, other, response));
  EXPECT_TRUE(client_.HandleDatagram(At(10), *SocketAddress::Parse("10.0.0.3:5000"), kServer, response));
  EXPECT_EQ(client_.metrics().dropped_wrong_address, 2u);
  EXPECT_FALSE(client_.PollEvent());
  EXPECT_TRUE(Succeed(20, id));
  EXPECT_EQ(Expect<event::BindingSucceeded>().mapped, kMapped);
}

TEST_F(ClientTest, S7_ResponseToARequestThatWasNeverSentIsUnknown) {
  Rng same = Rng::FromNumber(1);  // an attacker who guesses the generator
  const TransactionId id = TransactionId::Random(same);
  ASSERT_TRUE(client_.StartBinding(At(0), kLocal, kServer));
  EXPECT_FALSE(Succeed(1, id));
  EXPECT_EQ(client_.metrics().dropped_unknown_transaction, 1u);
  EXPECT_EQ(Drain(At(2)).at(0).id(), id);  // the guess was right
}

TEST_F(ClientTest, S1_GarbageIsCountedAndNotClaimed) {
  StartAndSend();
  const std::array<uint8_t, 3> garbage{1, 2, 3};
  EXPECT_FALSE(client_.HandleDatagram(At(1), kLocal, kServer, garbage));
  EXPECT_FALSE(client_.HandleDatagram(At(1), kLocal, kServer, {}));
  EXPECT_EQ(client_.metrics().dropped_unparsable, 2u);
  EXPECT_EQ(client_.transactions(), 1u);
}

TEST_F(ClientTest, RequestsAndIndicationsAreLeftToOthers) {
  const TransactionId id = StartAndSend();
  for (const MessageClass c : {MessageClass::kRequest, MessageClass::kIndication}) {
    EXPECT_FALSE(Respond(1, id, {Method::kBinding, c}, [](MessageBuilder&) {}));
  }
  EXPECT_EQ(client_.transactions(), 1u);
}

TEST_F(ClientTest, AResponseOfAnotherMethodIsNotOurs) {
  const TransactionId id = StartAndSend();
  EXPECT_FALSE(Respond(1, id, {Method::kAllocate, MessageClass::kSuccessResponse},
                       [](MessageBuilder& b) { b.AddAddress(AttributeType::kXorMappedAddress, kMapped); }));
  EXPECT_EQ(client_.metrics().dropped_unknown_transaction, 1u);
}

TEST_F(ClientTest, DropsABadFingerprintAndKeepsWaiting) {  // RFC 8489 §7
  const TransactionId id = StartAndSend();
  EXPECT_TRUE(Respond(10, id, kSuccess, [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorMappedAddress, kMapped).AddU32(AttributeType::kFingerprint, 0);
  }));
  EXPECT_EQ(client_.metrics().dropped_bad_fingerprint, 1u);
  EXPECT_EQ(client_.transactions(), 1u);
  EXPECT_TRUE(Respond(11, id, kSuccess, [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorMappedAddress, kMapped).AddFingerprint();
  }));
  EXPECT_EQ(Expect<event::BindingSucceeded>().mapped, kMapped);
}

TEST_F(ClientTest, FailsOnAnUnknownRequiredAttribute) {  // RFC 8489 §6.3.3
  const TransactionId id = StartAndSend();
  EXPECT_TRUE(Respond(10, id, kSuccess, [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorMappedAddress, kMapped).AddFlag(static_cast<AttributeType>(0x7777));
  }));
  const auto failed = Expect<event::BindingFailed>();
  EXPECT_EQ(failed.reason, RequestFailure::kUnknownRequiredAttribute);
  EXPECT_NE(failed.detail.find("30583"), std::string::npos) << failed.detail;
}

TEST_F(ClientTest, IgnoresUnknownOptionalAndHistoricalAttributes) {  // RFC 8489 §6.3, §18.3.1
  const TransactionId id = StartAndSend();
  EXPECT_TRUE(Respond(10, id, kSuccess, [](MessageBuilder& b) {
    b.AddAddress(static_cast<AttributeType>(0x0004), kServer)
        .AddAddress(static_cast<AttributeType>(0x0005), kServer)
        .AddFlag(static_cast<AttributeType>(0xbeef))
        .AddAddress(AttributeType::kXorMappedAddress, kMapped);
  }));
  EXPECT_EQ(Expect<event::BindingSucceeded>().mapped, kMapped);
}

TEST_F(ClientTest, FailsWithoutAUsableMappedAddress) {  // RFC 8489 §6.3.3
  TransactionId id = StartAndSend();
  EXPECT_TRUE(Respond(10, id, kSuccess, [](MessageBuilder&) {}));
  EXPECT_EQ(ExpectFailure(), RequestFailure::kMalformedResponse);
  id = StartAndSend();
  EXPECT_TRUE(Respond(10, id, kSuccess, [](MessageBuilder& b) {
    b.Add(AttributeType::kXorMappedAddress, std::array<uint8_t, 8>{0, 3, 1, 2, 3, 4, 5, 6});  // family 3
  }));
  EXPECT_EQ(ExpectFailure(), RequestFailure::kMalformedResponse);
}

TEST_F(ClientTest, ReportsTheErrorCodeAndReason) {  // RFC 8489 §6.3.4
  const TransactionId id = StartAndSend();
  EXPECT_TRUE(Respond(10, id, kError, [](MessageBuilder& b) { b.AddError(500, "Server Error"); }));
  const auto failed = Expect<event::BindingFailed>();
  EXPECT_EQ(failed.reason, RequestFailure::kErrorResponse);
  EXPECT_EQ(failed.error_code, 500);
  EXPECT_EQ(failed.detail, "Server Error");
}

TEST_F(ClientTest, AnErrorResponseWithoutErrorCodeFails) {  // RFC 8489 §6.3.4
  TransactionId id = StartAndSend();
  EXPECT_TRUE(Respond(10, id, kError, [](MessageBuilder&) {}));
  EXPECT_EQ(ExpectFailure(), RequestFailure::kMalformedResponse);
  id = StartAndSend();
  EXPECT_TRUE(Respond(10, id, kError,
                      [](MessageBuilder& b) { b.AddError(500, "").AddFlag(static_cast<AttributeType>(0x7777)); }));
  EXPECT_EQ(ExpectFailure(), RequestFailure::kUnknownRequiredAttribute);
}

TEST_F(ClientTest, S9_ARedirectionIsAFailureAndSendsNothing) {  // RFC 8489 §6.3.4: no ALTERNATE-SERVER here
  const TransactionId id = StartAndSend();
  EXPECT_TRUE(Respond(10, id, kError, [](MessageBuilder& b) {
    b.AddError(300, "").AddAddress(AttributeType::kAlternateServer, *SocketAddress::Parse("127.0.0.1:22"));
  }));
  EXPECT_EQ(Expect<event::BindingFailed>().error_code, 300);
  EXPECT_TRUE(Drain(At(10)).empty());
  EXPECT_EQ(client_.NextTimeout(), Timestamp::Never());
}

TEST_F(ClientTest, AHardIcmpErrorFailsOnlyThatServersRequests) {  // RFC 8489 §6.2.1
  const SocketAddress other = *SocketAddress::Parse("192.0.2.2:3478");
  StartAndSend();
  ASSERT_TRUE(client_.StartBinding(At(0), kLocal, other));
  Drain(At(0));
  client_.HandleUnreachable(At(5), kLocal, kServer);
  const auto failed = Expect<event::BindingFailed>();
  EXPECT_EQ(failed.reason, RequestFailure::kUnreachable);
  EXPECT_EQ(failed.server, kServer);
  EXPECT_EQ(client_.transactions(), 1u);
}

TEST_F(ClientTest, CancelForgetsWithoutAnEvent) {
  const TransactionId id = StartAndSend();
  client_.Cancel(handle_);
  client_.Cancel(handle_);
  client_.Cancel(RequestHandle{});
  EXPECT_EQ(client_.NextTimeout(), Timestamp::Never());
  EXPECT_FALSE(Succeed(10, id));
  EXPECT_FALSE(client_.PollEvent());
  ASSERT_TRUE(client_.StartBinding(At(20), kLocal, kServer));
  client_.Cancel(*client_.StartBinding(At(20), kLocal, kServer));
  EXPECT_EQ(Drain(At(20)).size(), 1u);
}

TEST_F(ClientTest, RefusesMoreTransactionsThanAllowed) {
  Client client({.max_transactions = 2}, rng_);
  ASSERT_TRUE(client.StartBinding(At(0), kLocal, kServer));
  ASSERT_TRUE(client.StartBinding(At(0), kLocal, kServer));
  const auto refused = client.StartBinding(At(0), kLocal, kServer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), StartError::kTooManyTransactions);
}

TEST_F(ClientTest, KeepsTenTransactionsInFlightToOneServerAndMoreWait) {  // RFC 8489 §6.2
  for (int i = 0; i < 25; ++i) ASSERT_TRUE(client_.StartBinding(At(0), kLocal, kServer));
  std::vector<Sent> in_flight = Drain(At(0));
  ASSERT_EQ(in_flight.size(), 10u);
  ASSERT_TRUE(client_.StartBinding(At(0), kLocal, *SocketAddress::Parse("192.0.2.9:3478")));
  EXPECT_EQ(Drain(At(0)).size(), 1u);  // another server has its own ten
  size_t answered = 0;
  while (!in_flight.empty()) {
    EXPECT_TRUE(Succeed(10, in_flight.back().id()));
    in_flight.pop_back();
    ++answered;
    for (auto& sent : Drain(At(10))) in_flight.push_back(std::move(sent));
    EXPECT_LE(in_flight.size(), 10u);
  }
  EXPECT_EQ(answered, 25u);
}

TEST_F(ClientTest, ATimeoutLetsTheNextOneGo) {
  Client client({.retransmit = {.rto = milliseconds(500), .rc = 1, .rm = 1}, .max_transactions_per_server = 1}, rng_);
  ASSERT_TRUE(client.StartBinding(At(0), kLocal, kServer));
  ASSERT_TRUE(client.StartBinding(At(0), kLocal, kServer));
  std::array<uint8_t, 100> out;
  EXPECT_TRUE(client.PollTransmit(At(0), out));
  EXPECT_FALSE(client.PollTransmit(At(0), out));
  client.HandleTimeout(At(500));
  EXPECT_TRUE(client.PollTransmit(At(500), out));
  EXPECT_EQ(client.NextTimeout(), At(1000));
}

TEST_F(ClientTest, ASlowServersNextTransactionStartsFromItsRoundTrip) {  // RFC 8489 §6.2.1
  const TransactionId id = StartAndSend();
  EXPECT_TRUE(Succeed(400, id));
  ASSERT_TRUE(client_.StartBinding(At(1000), kLocal, kServer));
  Drain(At(1000));
  EXPECT_EQ(client_.NextTimeout(), At(1000 + 1200));  // SRTT 400 + 4 * 200
}

TEST_F(ClientTest, ARetransmittedTransactionGivesNoEstimate) {  // RFC 8489 §6.2.1, Karn's algorithm
  const TransactionId id = StartAndSend();
  client_.HandleTimeout(At(500));
  Drain(At(500));
  EXPECT_TRUE(Succeed(900, id));
  ASSERT_TRUE(client_.StartBinding(At(1000), kLocal, kServer));
  Drain(At(1000));
  EXPECT_EQ(client_.NextTimeout(), At(1500));
}

TEST_F(ClientTest, ATimeThatRunsBackwardsIsTheLastTime) {
  ASSERT_TRUE(client_.StartBinding(At(1000), kLocal, kServer));
  Drain(At(0));
  EXPECT_EQ(client_.NextTimeout(), At(1500));
}

TEST_F(ClientTest, ATooSmallBufferLosesNothing) {
  ASSERT_TRUE(client_.StartBinding(At(0), kLocal, kServer));
  std::array<uint8_t, 19> small;
  EXPECT_FALSE(client_.PollTransmit(At(0), small));
  EXPECT_EQ(Drain(At(0)).size(), 1u);
}

TEST_F(ClientTest, NamesItsSoftwareWhenAsked) {  // RFC 8489 §6.1, §16.1.2
  std::array<uint8_t, 1500> out;
  Client named({.software = "jsp"}, rng_);
  ASSERT_TRUE(named.StartBinding(At(0), kLocal, kServer));
  const auto transmit = named.PollTransmit(At(0), out);
  ASSERT_TRUE(transmit);
  const auto view = MessageView::Parse(std::span(out).first(transmit->size));
  EXPECT_EQ(view->FindText(AttributeType::kSoftware), "jsp");

  Client too_long({.software = std::string(200, 'x')}, rng_);
  ASSERT_TRUE(too_long.StartBinding(At(0), kLocal, kServer));
  EXPECT_EQ(too_long.PollTransmit(At(0), out)->size, kHeaderSize);
}

TEST_F(ClientTest, ItsLargestRequestIsBelowTheMtuThatIpv4Promises) {  // RFC 8489 §6.1: 576 octets with their IP header
  std::string longest;
  for (size_t i = 0; i < kMaxSentCharacters; ++i) longest += "\U0001F9ED";  // four octets each
  Client named({.software = longest}, rng_);
  BehaviorRequest all{.change = kChangeIp | kChangePort, .answer_from = kServer};
  all.response_port = 40001;
  ASSERT_TRUE(named.StartBinding(At(0), kLocal, kServer, all));
  std::array<uint8_t, 1500> out;
  const auto transmit = named.PollTransmit(At(0), out);
  ASSERT_TRUE(transmit);
  const auto view = MessageView::Parse(std::span(out).first(transmit->size));
  EXPECT_EQ(view->FindText(AttributeType::kSoftware), longest);
  EXPECT_TRUE(view->Has(AttributeType::kResponsePort));
  EXPECT_LE(transmit->size, 576u - 20 - 8);
}

TEST_F(ClientTest, IsMovableInTheMiddleOfARequest) {
  const TransactionId id = StartAndSend();
  Client moved = std::move(client_);
  std::array<uint8_t, 100> out;
  const auto response =
      MessageBuilder(out, kSuccess, id).AddAddress(AttributeType::kXorMappedAddress, kMapped).Finish();
  EXPECT_TRUE(moved.HandleDatagram(At(10), kLocal, kServer, response));
  EXPECT_TRUE(moved.PollEvent());
}

// RFC 8489 §5: "uniformly and randomly chosen from the interval 0 .. 2**96-1".
TEST_F(ClientTest, TransactionIdsNeitherRepeatNorLeanToABit) {
  Client client({.max_transactions = 2000, .max_transactions_per_server = 2000}, rng_);
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(client.StartBinding(At(0), kLocal, kServer));
  std::set<std::array<uint8_t, 12>> seen;
  std::array<int, 96> ones{};
  std::array<uint8_t, 100> out;
  while (const auto transmit = client.PollTransmit(At(0), out)) {
    const auto id = MessageView::Parse(std::span(out).first(transmit->size))->transaction_id();
    EXPECT_TRUE(seen.insert(id.octets).second);
    for (size_t bit = 0; bit < 96; ++bit) ones[bit] += id.octets[bit / 8] >> bit % 8 & 1;
  }
  ASSERT_EQ(seen.size(), 2000u);
  // A fair bit of 2,000 has a standard deviation of 22.4; 6 of them happen once in 500 million.
  for (const int count : ones) EXPECT_NEAR(count, 1000, 6 * 22.4);
}

TEST_F(ClientTest, AgreesWithOurServerOverALossyPath) {
  Server server({.software = "jsp"});
  std::array<uint8_t, 1500> out;
  const SocketAddress v6 = *SocketAddress::Parse("[2001:db8::7]:40000");
  ASSERT_TRUE(client_.StartBinding(At(0), kLocal, kServer));
  Drain(At(0));  // lost
  client_.HandleTimeout(At(500));
  for (const auto& sent : Drain(At(500))) server.HandleDatagram(At(520), kServer, v6, sent.octets);
  const auto answer = server.PollTransmit(At(520), out);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->local, kServer);
  EXPECT_EQ(answer->remote, v6);
  EXPECT_TRUE(client_.HandleDatagram(At(540), kLocal, kServer, std::span(out).first(answer->size)));
  const auto event = Expect<event::BindingSucceeded>();
  EXPECT_EQ(event.mapped, v6);
  EXPECT_EQ(event.rtt, milliseconds(40));
  EXPECT_EQ(event.software, "jsp");
}

}  // namespace
}  // namespace jsp::stun
