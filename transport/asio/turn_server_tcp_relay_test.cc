// Connections with peers (RFC 6062).
#include <boost/asio/ip/tcp.hpp>

#include "transport/asio/turn_server_test_fixture.h"
namespace jsp::transport::io {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using testing::kLocalhost;
using testing::LoopbackServer;
using testing::RunUntil;
using testing::TestTcp;
using testing::TestTurnClient;

std::vector<uint8_t> Octets(std::string_view text) { return {text.begin(), text.end()}; }

class TurnServerTcpRelayTest : public testing::TurnServerFixture {
 protected:
  TurnServerTcpRelayTest() : acceptor_(io_, {boost::asio::ip::address_v4::loopback(), 0}) {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (!error) accepted_ = std::make_unique<TestTcp>(std::move(socket));
    });
  }
  SocketAddress peer() const { return {kLocalhost, acceptor_.local_endpoint().port()}; }
  std::unique_ptr<TestTurnClient> AllocateTcp() { return Allocate(tcp(), {.relay = turn::RelayProtocol::kTcp}); }
  // The id of the next connection with a peer.
  turn::ConnectionId Pending(TestTurnClient& client) {
    EXPECT_TRUE(RunUntil(io_, [&] { return client.Find<turn::event::ConnectionPending>() != nullptr; }));
    const auto id = client.Find<turn::event::ConnectionPending>()->id;
    std::erase_if(client.events,
                  [](const auto& e) { return std::holds_alternative<turn::event::ConnectionPending>(e); });
    return id;
  }
  // A data connection for it, bound.
  std::unique_ptr<TestTcp> BindConnection(TestTurnClient& client, turn::ConnectionId id) {
    auto data = std::make_unique<TestTcp>(io_, tcp().address);
    client.Do([&](turn::Client& c, Timestamp now) { c.BindConnection(now, id, data->local()); });
    data->Write(client.elsewhere.back());
    const auto size = [&] { return turn::FrameSize(data->received).value_or(0); };
    EXPECT_TRUE(RunUntil(io_, [&] { return size() > 0 && size() <= data->received.size(); }));
    const auto end = data->received.begin() + static_cast<ptrdiff_t>(size());
    client.Do([&](turn::Client& c, Timestamp now) {
      (void)c.HandleDatagram(now, data->local(), tcp().address, std::span(data->received.begin(), end));
    });
    data->received.erase(data->received.begin(), end);
    EXPECT_NE(client.Find<turn::event::ConnectionBound>(), nullptr);
    return data;
  }

  tcp::acceptor acceptor_;
  std::unique_ptr<TestTcp> accepted_;  // what connected to peer()
};

TEST_F(TurnServerTcpRelayTest, ConnectsToAPeerFromTheRelayedAddress) {  // RFC 6062 §5.2, §5.4
  Open();
  const auto client = AllocateTcp();
  client->Do([&](turn::Client& c, Timestamp now) { return c.Connect(now, peer()); });
  const auto id = Pending(*client);
  ASSERT_TRUE(RunUntil(io_, [&] { return accepted_ != nullptr; }));
  EXPECT_EQ(accepted_->remote(), client->relayed());
  const auto data = BindConnection(*client, id);
  data->Write(Octets("from the client"));
  ASSERT_TRUE(RunUntil(io_, [&] { return accepted_->received == Octets("from the client"); }));
  accepted_->Write(Octets("from the peer"));
  ASSERT_TRUE(RunUntil(io_, [&] { return data->received == Octets("from the peer"); }));
}

TEST_F(TurnServerTcpRelayTest, TheRelayedAddressTakesPeersAtOnce) {  // RFC 6062 §5.1, §5.3
  Open();
  const auto client = AllocateTcp();
  Permit(*client, kLocalhost);
  TestTcp from_peer(io_, client->relayed());
  const auto id = Pending(*client);
  const auto data = BindConnection(*client, id);
  from_peer.Write(Octets("hello"));
  ASSERT_TRUE(RunUntil(io_, [&] { return data->received == Octets("hello"); }));
  data->Write(Octets("hello to you"));
  ASSERT_TRUE(RunUntil(io_, [&] { return from_peer.received == Octets("hello to you"); }));
}

TEST_F(TurnServerTcpRelayTest, WhatThePeerSaysBeforeTheBindArrivesAfterIt) {  // RFC 6062 §5.2, §5.4
  Open();
  const auto client = AllocateTcp();
  Permit(*client, kLocalhost);
  TestTcp from_peer(io_, client->relayed());
  from_peer.Write(Octets("220 early"));
  const auto id = Pending(*client);
  RunUntil(
      io_, [] { return false; }, std::chrono::seconds(0));
  const auto data = BindConnection(*client, id);
  ASSERT_TRUE(RunUntil(io_, [&] { return data->received == Octets("220 early"); }));
}

TEST_F(TurnServerTcpRelayTest, WhatTheClientSaysBehindItsBindIsThePeers) {  // RFC 6062 §5.4
  Open();
  const auto client = AllocateTcp();
  Permit(*client, kLocalhost);
  TestTcp from_peer(io_, client->relayed());
  const auto id = Pending(*client);
  TestTcp data(io_, tcp().address);
  client->Do([&](turn::Client& c, Timestamp now) { c.BindConnection(now, id, data.local()); });
  auto octets = client->elsewhere.back();
  for (const uint8_t octet : Octets("GET /")) octets.push_back(octet);
  data.Write(octets);
  ASSERT_TRUE(RunUntil(io_, [&] { return from_peer.received == Octets("GET /"); }));
}

TEST_F(TurnServerTcpRelayTest, EitherSideClosesTheOtherAfterItsLastOctets) {  // RFC 6062 §5.5
  Open();
  const auto client = AllocateTcp();
  Permit(*client, kLocalhost);
  auto from_peer = std::make_unique<TestTcp>(io_, client->relayed());
  auto data = BindConnection(*client, Pending(*client));
  from_peer->Write(std::vector<uint8_t>(50000, 7));
  from_peer->Close();
  ASSERT_TRUE(RunUntil(io_, [&] { return data->is_closed; }));
  EXPECT_EQ(data->received.size(), 50000u);
  from_peer = std::make_unique<TestTcp>(io_, client->relayed());
  data = BindConnection(*client, Pending(*client));
  data->Write(std::vector<uint8_t>(50000, 8));
  data->Close();
  ASSERT_TRUE(RunUntil(io_, [&] { return from_peer->is_closed; }));
  EXPECT_EQ(from_peer->received.size(), 50000u);
  EXPECT_EQ(server_->allocations(), 1u);
}

TEST_F(TurnServerTcpRelayTest, AConnectionCarriesMegaoctetsAtTheReadersPace) {
  Open();
  const auto client = AllocateTcp();
  client->Do([&](turn::Client& c, Timestamp now) { return c.Connect(now, peer()); });
  const auto data = BindConnection(*client, Pending(*client));
  ASSERT_TRUE(RunUntil(io_, [&] { return accepted_ != nullptr; }));
  std::vector<uint8_t> file(20'000'000);
  for (size_t i = 0; i < file.size(); ++i) file[i] = static_cast<uint8_t>(i * 7 + i / 251);
  data->WriteAll(file);
  accepted_->WriteAll(file);
  ASSERT_TRUE(
      RunUntil(io_, [&] { return accepted_->received.size() == file.size() && data->received.size() == file.size(); }));
  EXPECT_TRUE(accepted_->received == file);
  EXPECT_TRUE(data->received == file);
}

TEST_F(TurnServerTcpRelayTest, ARefusedConnectIs447) {  // RFC 6062 §5.2
  Open();
  const auto client = AllocateTcp();
  const SocketAddress nobody = peer();
  acceptor_.close();
  client->Do([&](turn::Client& c, Timestamp now) { return c.Connect(now, nobody); });
  ASSERT_TRUE(RunUntil(io_, [&] { return client->Find<turn::event::ConnectFailed>() != nullptr; }));
  EXPECT_EQ(client->Find<turn::event::ConnectFailed>()->error_code, 447);
}

TEST_F(TurnServerTcpRelayTest, StrangePeersAreCutOff) {  // RFC 6062 §5.3, T3
  Open();
  const auto client = AllocateTcp();
  TestTcp from_peer(io_, client->relayed());
  ASSERT_TRUE(RunUntil(io_, [&] { return from_peer.is_closed; }));
  EXPECT_EQ(client->Find<turn::event::ConnectionPending>(), nullptr);
}

TEST_F(TurnServerTcpRelayTest, ConnectionsGoWithTheAllocation) {  // RFC 6062 §5.5
  Open();
  const auto client = AllocateTcp();
  Permit(*client, kLocalhost);
  TestTcp from_peer(io_, client->relayed());
  const auto data = BindConnection(*client, Pending(*client));
  TestTcp unbound(io_, client->relayed());
  Pending(*client);
  client->Disconnect();
  ASSERT_TRUE(RunUntil(io_, [&] { return from_peer.is_closed && data->is_closed && unbound.is_closed; }));
  EXPECT_EQ(server_->stats().relays_open, 0u);
}

}  // namespace
}  // namespace jsp::transport::io
