#include "transport/asio/turn_server.h"

#include "transport/asio/turn_server_test_fixture.h"
namespace jsp::transport::io {
namespace {

using testing::kLocalhost;
using testing::LoopbackServer;
using testing::RunUntil;
using testing::TestPeerSocket;
using testing::TestTurnClient;

class TurnServerTest : public testing::TurnServerFixture {};

TEST_F(TurnServerTest, RelaysBothWaysOverUdp) {  // RFC 8656 §5: UDP to clients
  Open();
  const auto client = Allocate(udp());
  EXPECT_EQ(client->relayed().ip, kLocalhost);
  TestPeerSocket peer(io_);
  client->Do([&](turn::Client& c, Timestamp now) { return c.AddPermission(now, kLocalhost); });
  ASSERT_TRUE(RunUntil(io_, [&] { return client->Find<turn::event::PermissionGranted>() != nullptr; }));
  peer.Send(client->relayed(), {1, 2, 3});
  ASSERT_TRUE(RunUntil(io_, [&] { return client->received.size() == 1; }));
  EXPECT_EQ(client->received[0].from, peer.local());
  EXPECT_EQ(client->received[0].data, (std::vector<uint8_t>{1, 2, 3}));
  client->Send(peer.local(), 5);
  ASSERT_TRUE(RunUntil(io_, [&] { return peer.received.size() == 1; }));
  EXPECT_EQ(peer.received[0].from, client->relayed());
  EXPECT_EQ(peer.received[0].data, std::vector<uint8_t>(5, 0));
}

TEST_F(TurnServerTest, WhatCameBeforeTheFirstPermissionIsNotRelayed) {  // RFC 8656 §9
  Open();
  const auto client = Allocate(udp());
  TestPeerSocket peer(io_);
  for (int i = 0; i < 100; ++i) peer.Send(client->relayed(), std::vector<uint8_t>(1000, 1));
  Permit(*client, kLocalhost);
  peer.Send(client->relayed(), {2});
  ASSERT_TRUE(RunUntil(io_, [&] { return !client->received.empty(); }));
  EXPECT_EQ(client->received[0].data, std::vector<uint8_t>{2});
  // Nor is the port's room for them what it has from then on.
  peer.SendTrain(client->relayed(), std::vector<size_t>(300, 1000));
  ASSERT_TRUE(RunUntil(io_, [&] { return client->received.size() == 301; }));
}

TEST_F(TurnServerTest, DataThatComesWithItsPermissionIsRelayed) {
  Open();
  const auto client = Allocate(udp());
  TestPeerSocket peer(io_);
  client->Do([&](turn::Client& c, Timestamp now) { return c.AddPermission(now, kLocalhost); });
  client->Send(peer.local(), 7);  // on the way at once: the server may read both in one turn
  ASSERT_TRUE(RunUntil(io_, [&] { return peer.received.size() == 1; }));
  peer.Send(client->relayed(), {3});
  ASSERT_TRUE(RunUntil(io_, [&] { return client->received.size() == 1; }));
}

TEST_F(TurnServerTest, TrainsArriveWholeAndInOrder) {
  Open();
  const auto client = Allocate(udp());
  TestPeerSocket peer(io_);
  Bind(*client, peer.local());
  std::vector<size_t> sizes(200, 1100);
  for (size_t i = 0; i < sizes.size(); i += 17) sizes[i] = 300 + i;  // ends a train
  client->SendTrain(peer.local(), sizes);
  ASSERT_TRUE(RunUntil(io_, [&] { return peer.received.size() == sizes.size(); }));
  testing::ExpectNumbered(peer.received, sizes);
  peer.SendTrain(client->relayed(), sizes);
  ASSERT_TRUE(RunUntil(io_, [&] { return client->received.size() == sizes.size(); }));
  testing::ExpectNumbered(client->received, sizes);
  // As trains they came and went: far fewer calls than datagrams.
  const TrainIoStats stats = server_->stats().datagrams;
  EXPECT_GT(stats.datagrams_sent, 2 * sizes.size());
  EXPECT_LT(stats.trains_sent, stats.datagrams_sent / 2);
}

TEST_F(TurnServerTest, TheAllocationEndsWithItsSocket) {
  Open();
  const auto client = Allocate(udp());
  EXPECT_EQ(server_->allocations(), 1u);
  EXPECT_EQ(server_->stats().relays_open, 1u);
  client->Do([](turn::Client& c, Timestamp now) { c.Close(now); });
  ASSERT_TRUE(RunUntil(io_, [&] { return client->Find<turn::event::Closed>() != nullptr; }));
  EXPECT_EQ(server_->allocations(), 0u);
  EXPECT_EQ(server_->stats().relays_open, 0u);
}

}  // namespace
}  // namespace jsp::transport::io
