#include "transport/asio/turn_server.h"

#include <numeric>

#include "transport/asio/turn_test_support.h"
namespace jsp::transport::io {
namespace {

using testing::kLocalhost;
using testing::LoopbackServer;
using testing::RunUntil;
using testing::TestPeerSocket;
using testing::TestTurnClient;

class TurnServerTest : public ::testing::Test {
 protected:
  void Open(TurnServerOptions options = LoopbackServer()) {
    auto opened = TurnServer::Open(io_.get_executor(), std::move(options));
    ASSERT_TRUE(opened) << opened.error();
    server_ = std::move(*opened);
  }
  const TurnListen& udp() const { return server_->listening()[0]; }
  std::unique_ptr<TestTurnClient> Allocate(turn::ClientOptions options = {}) {
    auto client = std::make_unique<TestTurnClient>(io_, udp(), std::move(options));
    client->Start();
    EXPECT_TRUE(RunUntil(io_, [&] { return client->client().is_allocated(); }));
    return client;
  }
  void Bind(TestTurnClient& client, const SocketAddress& peer) {
    const size_t before = client.Count<turn::event::ChannelBound>();
    client.Do([&](turn::Client& c, Timestamp now) { return c.BindChannel(now, peer); });
    EXPECT_TRUE(RunUntil(io_, [&] { return client.Count<turn::event::ChannelBound>() > before; }));
  }

  boost::asio::io_context io_;
  std::unique_ptr<TurnServer> server_;
};

// Datagram i has sizes[i] octets, each of them i.
void ExpectNumbered(const std::vector<testing::TestDatagram>& got, std::span<const size_t> sizes) {
  ASSERT_EQ(got.size(), sizes.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].data, std::vector<uint8_t>(sizes[i], static_cast<uint8_t>(i))) << i;
  }
}

TEST_F(TurnServerTest, RelaysBothWaysOverUdp) {  // RFC 8656 §5: UDP to clients
  Open();
  const auto client = Allocate();
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

TEST_F(TurnServerTest, TrainsArriveWholeAndInOrder) {
  Open();
  const auto client = Allocate();
  TestPeerSocket peer(io_);
  Bind(*client, peer.local());
  std::vector<size_t> sizes(200, 1100);
  for (size_t i = 0; i < sizes.size(); i += 17) sizes[i] = 300 + i;  // ends a train
  client->SendTrain(peer.local(), sizes);
  ASSERT_TRUE(RunUntil(io_, [&] { return peer.received.size() == sizes.size(); }));
  ExpectNumbered(peer.received, sizes);
  peer.SendTrain(client->relayed(), sizes);
  ASSERT_TRUE(RunUntil(io_, [&] { return client->received.size() == sizes.size(); }));
  ExpectNumbered(client->received, sizes);
  // As trains they came and went: far fewer calls than datagrams.
  const TrainIoStats stats = server_->stats().datagrams;
  EXPECT_GT(stats.datagrams_sent, 2 * sizes.size());
  EXPECT_LT(stats.trains_sent, stats.datagrams_sent / 2);
}

TEST_F(TurnServerTest, TheAllocationEndsWithItsSocket) {
  Open();
  const auto client = Allocate();
  EXPECT_EQ(server_->allocations(), 1u);
  EXPECT_EQ(server_->stats().relays_open, 1u);
  client->Do([](turn::Client& c, Timestamp now) { c.Close(now); });
  ASSERT_TRUE(RunUntil(io_, [&] { return client->Find<turn::event::Closed>() != nullptr; }));
  EXPECT_EQ(server_->allocations(), 0u);
  EXPECT_EQ(server_->stats().relays_open, 0u);
}

}  // namespace
}  // namespace jsp::transport::io
