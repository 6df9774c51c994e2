// Clients over TCP, and connections with peers (RFC 6062).
#include <boost/asio/read.hpp>

#include "stun/message_builder.h"
#include "stun/message_view.h"
#include "transport/asio/turn_server_test_fixture.h"
namespace jsp::transport::io {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using testing::kLocalhost;
using testing::LoopbackServer;
using testing::RunUntil;
using testing::TestPeerSocket;
using testing::TestTcp;
using testing::TestTurnClient;

class TurnServerStreamTest : public testing::TurnServerFixture {};

TEST_F(TurnServerStreamTest, RelaysBothWaysOverTcp) {
  Open();
  const auto client = Allocate(tcp());
  TestPeerSocket peer(io_);
  Bind(*client, peer.local());
  std::vector<size_t> sizes(300);
  for (size_t i = 0; i < sizes.size(); ++i) sizes[i] = 1 + i * 4;  // with and without padding
  client->SendTrain(peer.local(), sizes);
  ASSERT_TRUE(RunUntil(io_, [&] { return peer.received.size() == sizes.size(); }));
  testing::ExpectNumbered(peer.received, sizes);
  peer.SendTrain(client->relayed(), sizes);
  ASSERT_TRUE(RunUntil(io_, [&] { return client->received.size() == sizes.size(); }));
  testing::ExpectNumbered(client->received, sizes);
}

TEST_F(TurnServerStreamTest, AnswersBindingOverTcp) {  // RFC 8489 §12: "It MUST support UDP and TCP"
  Open();
  TestTcp stream(io_, tcp().address);
  std::array<uint8_t, 64> buffer;
  stun::MessageBuilder request(buffer, {stun::Method::kBinding, stun::MessageClass::kRequest}, {});
  const auto octets = request.Finish();
  // Two in one segment and a third in pieces.
  for (int i = 0; i < 2; ++i) stream.Write({octets.begin(), octets.end()});
  stream.Write({octets.begin(), octets.begin() + 7});
  ASSERT_TRUE(RunUntil(io_, [&] { return stream.received.size() >= 64; }));
  stream.Write({octets.begin() + 7, octets.end()});
  ASSERT_TRUE(RunUntil(io_, [&] { return stream.received.size() >= 96; }));
  const auto answer = stun::MessageView::Parse(std::span(stream.received).first(32));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->FindAddress(stun::AttributeType::kXorMappedAddress), stream.local());
}

TEST_F(TurnServerStreamTest, AnswersAllThatWasAskedBeforeTheEnd) {  // RFC 8489 §6.2.2
  Open();
  TestTcp stream(io_, tcp().address);
  std::vector<uint8_t> all;
  for (uint8_t i = 0; i < 10; ++i) {
    std::array<uint8_t, 64> buffer;
    stun::MessageBuilder request(buffer, {stun::Method::kBinding, stun::MessageClass::kRequest}, {{i}});
    const auto octets = request.Finish();
    all.insert(all.end(), octets.begin(), octets.end());
  }
  stream.Write(all);
  stream.EndWriting();
  ASSERT_TRUE(RunUntil(io_, [&] { return stream.is_closed; }));
  EXPECT_EQ(stream.received.size(), 10u * 32);
}

TEST_F(TurnServerStreamTest, NeverConnectsToItsClient) {  // RFC 8489 §6.2.2
  Open();
  auto client = Allocate(tcp());
  const SocketAddress local = client->client().local();
  client->Do([](turn::Client& c, Timestamp now) { return c.AddPermission(now, kLocalhost); });
  client->tcp().set_option(tcp::socket::linger(true, 0));  // the port is free at once
  client->Disconnect();                                    // before the answer
  tcp::acceptor acceptor(io_);
  acceptor.open(tcp::v4());
  acceptor.set_option(tcp::acceptor::reuse_address(true));
  acceptor.bind({boost::asio::ip::address_v4::loopback(), local.port});
  acceptor.listen();
  bool was_called = false;
  acceptor.async_accept([&](error_code error, tcp::socket) { was_called = !error; });
  ASSERT_TRUE(RunUntil(io_, [&] { return server_->allocations() == 0; }));
  const auto late = Allocate(tcp());  // whatever the server was about to do is done
  EXPECT_FALSE(was_called);
}

TEST_F(TurnServerStreamTest, TheAllocationGoesWithItsStream) {
  Open();
  const auto client = Allocate(tcp());
  EXPECT_EQ(server_->allocations(), 1u);
  client->Disconnect();
  ASSERT_TRUE(RunUntil(io_, [&] { return server_->allocations() == 0; }));
  EXPECT_EQ(server_->stats().relays_open, 0u);
  EXPECT_EQ(server_->stats().streams.open, 0u);
}

TEST_F(TurnServerStreamTest, ASlowReaderHoldsNobodyUp) {
  TurnServerOptions options = LoopbackServer();
  options.streams.unsent_octets = 64 * 1024;
  Open(options);
  const auto slow = Allocate(tcp());
  const auto other = Allocate(tcp());
  TestPeerSocket peer(io_);
  Bind(*slow, peer.local());
  Bind(*other, peer.local());
  slow->StopReading();
  const std::vector<size_t> train(60, 1000);
  // 24 MB: more than loopback's TCP buffers take.
  for (int i = 0; i < 400; ++i) {
    const size_t before = other->received.size();
    peer.SendTrain(slow->relayed(), train);
    peer.sent = before;
    peer.SendTrain(other->relayed(), train);
    ASSERT_TRUE(RunUntil(io_, [&] { return other->received.size() == before + train.size(); }));
  }
  EXPECT_GT(server_->stats().streams.dropped, 0u);
  // What comes after that is whole messages, and the stream goes on.
  slow->ReadAgain();
  slow->received.clear();
  ASSERT_TRUE(RunUntil(io_, [&] { return slow->received.size() > 60; }));
  for (const auto& datagram : slow->received) ASSERT_EQ(datagram.data.size(), 1000u);
  ASSERT_TRUE(RunUntil(io_, [&] {
    slow->received.clear();
    peer.SendTrain(slow->relayed(), std::vector<size_t>{7});
    RunUntil(
        io_, [&] { return !slow->received.empty(); }, std::chrono::seconds(1));
    return !slow->received.empty() && slow->received.back().data.size() == 7;
  }));
}

TEST_F(TurnServerStreamTest, IdleStrangersAreSentAway) {
  TurnServerOptions options = LoopbackServer();
  options.streams.idle = std::chrono::milliseconds(200);
  Open(options);
  const auto client = Allocate(tcp());
  TestTcp silent(io_, tcp().address);
  TestTcp slow(io_, tcp().address);
  slow.Write({0x00, 0x03, 0x00});  // the beginning of an Allocate request
  ASSERT_TRUE(RunUntil(io_, [&] { return silent.is_closed && slow.is_closed; }));
  EXPECT_EQ(server_->stats().streams.expired, 2u);
  EXPECT_FALSE(client->is_closed());
  EXPECT_EQ(server_->stats().streams.open, 1u);
}

TEST_F(TurnServerStreamTest, StrangersOfOneSourceAreFew) {  // T6
  TurnServerOptions options = LoopbackServer();
  options.streams.strangers_per_source = 3;
  Open(options);
  // Who has an allocation is no stranger.
  std::vector<std::unique_ptr<TestTurnClient>> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(Allocate(tcp()));
  std::vector<std::unique_ptr<TestTcp>> strangers;
  for (int i = 0; i < 5; ++i) strangers.push_back(std::make_unique<TestTcp>(io_, tcp().address));
  const auto closed = [&] { return std::ranges::count_if(strangers, [](const auto& s) { return s->is_closed; }); };
  ASSERT_TRUE(RunUntil(io_, [&] { return closed() == 2; }));
  EXPECT_EQ(server_->stats().streams.refused, 2u);
  EXPECT_EQ(server_->stats().streams.open, 7u);
  // One goes, one comes.
  strangers.erase(std::ranges::find_if(strangers, [](const auto& s) { return !s->is_closed; }));
  ASSERT_TRUE(RunUntil(io_, [&] { return server_->stats().streams.open == 6; }));
  const auto again = Allocate(tcp());
  EXPECT_EQ(server_->allocations(), 5u);
}

TEST_F(TurnServerStreamTest, WhatIsNoTurnEndsTheStream) {
  Open();
  TestTcp hello(io_, tcp().address);  // of TLS
  hello.Write({0x16, 0x03, 0x01, 0x02, 0x00});
  TestTcp large(io_, tcp().address);
  large.Write({0x40, 0x00, 0xff, 0xff});
  large.Write(std::vector<uint8_t>(9000));
  ASSERT_TRUE(RunUntil(io_, [&] { return hello.is_closed && large.is_closed; }));
  EXPECT_EQ(server_->stats().streams.broken, 2u);
}

TEST_F(TurnServerStreamTest, DrainingSendsNewClientsAwayAndKeepsOldOnes) {  // RFC 8489 §10
  Open();
  const auto old = Allocate(tcp());
  const SocketAddress alternate{kLocalhost, 9};
  server_->Drain({alternate});
  TestTurnClient late(io_, tcp());
  late.Start();
  ASSERT_TRUE(RunUntil(io_, [&] { return late.Find<turn::event::Redirected>() != nullptr; }));
  EXPECT_EQ(late.Find<turn::event::Redirected>()->server, alternate);
  TestPeerSocket peer(io_);
  Bind(*old, peer.local());
  EXPECT_EQ(server_->allocations(), 1u);
  old->Disconnect();
  ASSERT_TRUE(RunUntil(io_, [&] { return server_->allocations() == 0; }));
}

TEST_F(TurnServerStreamTest, DestroyingTheServerClosesEverything) {
  Open();
  const auto client = Allocate(tcp());
  TestTcp stranger(io_, tcp().address);
  ASSERT_TRUE(RunUntil(io_, [&] { return server_->stats().streams.open == 2; }));
  server_.reset();
  ASSERT_TRUE(RunUntil(io_, [&] { return client->is_closed() && stranger.is_closed; }));
}

}  // namespace
}  // namespace jsp::transport::io
