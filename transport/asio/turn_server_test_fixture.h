#pragma once
#include "transport/asio/turn_test_support.h"
namespace jsp::transport::io::testing {

// A server on loopback and the loop that it runs in.
class TurnServerFixture : public ::testing::Test {
 protected:
  void Open(TurnServerOptions options = LoopbackServer()) {
    auto opened = TurnServer::Open(io_.get_executor(), std::move(options));
    ASSERT_TRUE(opened) << opened.error();
    server_ = std::move(*opened);
  }
  const TurnListen& udp() const { return server_->listening()[0]; }
  const TurnListen& tcp() const { return server_->listening()[1]; }
  std::unique_ptr<TestTurnClient> Allocate(const TurnListen& listener, turn::ClientOptions options = {}) {
    auto client = std::make_unique<TestTurnClient>(io_, listener, std::move(options));
    client->Start();
    EXPECT_TRUE(RunUntil(io_, [&] { return client->client().is_allocated(); }));
    return client;
  }
  void Bind(TestTurnClient& client, const SocketAddress& peer) {
    const size_t before = client.Count<turn::event::ChannelBound>();
    client.Do([&](turn::Client& c, Timestamp now) { return c.BindChannel(now, peer); });
    EXPECT_TRUE(RunUntil(io_, [&] { return client.Count<turn::event::ChannelBound>() > before; }));
  }
  void Permit(TestTurnClient& client, const IpAddress& peer) {
    const size_t before = client.Count<turn::event::PermissionGranted>();
    client.Do([&](turn::Client& c, Timestamp now) { return c.AddPermission(now, peer); });
    EXPECT_TRUE(RunUntil(io_, [&] { return client.Count<turn::event::PermissionGranted>() > before; }));
  }

  boost::asio::io_context io_;
  std::unique_ptr<TurnServer> server_;
};

// Datagram i has sizes[i] octets, each of them i.
inline void ExpectNumbered(const std::vector<TestDatagram>& got, std::span<const size_t> sizes) {
  ASSERT_EQ(got.size(), sizes.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].data, std::vector<uint8_t>(sizes[i], static_cast<uint8_t>(i))) << i;
  }
}

}  // namespace jsp::transport::io::testing
