// Clients over TLS (RFC 8656 §3.1, RFC 8489 §6.2.3), with our own connection and client.
#include "dtls/stream_test_support.h"
#include "transport/asio/stream_connection.h"
#include "transport/asio/turn_server_test_fixture.h"
#include "transport/asio/turn_workers.h"
namespace jsp::transport::io {
namespace {

using dtls::testing::Issued;
using dtls::testing::TestAuthority;
using testing::kLocalhost;
using testing::LoopbackServer;
using testing::RunUntil;
using testing::TestDatagram;
using testing::TestPeerSocket;

class TlsTurnClient : StreamObserver {
 public:
  TlsTurnClient(boost::asio::io_context& io, const SocketAddress& server, const TestAuthority& trusted,
                turn::ClientOptions options = {})
      : rng_(SystemRng()), options_(std::move(options)) {
    const auto context = dtls::StreamContext::ForClient({.ca_pem = trusted.pem()});
    options_.server = server;
    options_.transport = turn::ControlTransport::kTls;
    options_.credentials.username = "user";
    options_.credentials.password = "pass";
    connection_ =
        StreamConnection::Open(io.get_executor(), {.server = server, .tls = *context, .host = "127.0.0.1"}, *this);
  }
  ~TlsTurnClient() override { connection_->Close(); }
  bool is_allocated() const { return client && client->is_allocated(); }
  void Flush() {
    std::vector<uint8_t> out(turn::Client::kMaxRequest);
    while (const auto transmit = client->PollTransmit(Now(), out))
      connection_->Send(std::span(out).first(transmit->size));
  }
  void Send(const SocketAddress& peer, const std::vector<uint8_t>& data) {
    std::vector<uint8_t> out(data.size() + turn::Client::kMaxOverhead);
    const auto size = client->Send(Now(), peer, data, out);
    ASSERT_TRUE(size);
    Flush();
    connection_->Send(std::span(out).first(*size));
  }

  std::optional<turn::Client> client;
  std::vector<TestDatagram> received;
  std::string failure;

 private:
  void HandleStreamConnected(const SocketAddress& local) override {
    options_.local = local;
    client.emplace(options_, rng_);
    client->Start(Now());
    Flush();
  }
  void HandleStreamReceived(std::span<const uint8_t> octets) override {
    while (const auto message = framer_.Next(octets)) {
      const auto handled = client->HandleDatagram(Now(), client->local(), client->server(), *message);
      if (handled.data)
        received.push_back({handled.data->peer, {handled.data->data.begin(), handled.data->data.end()}});
    }
    Flush();
  }
  void HandleStreamFailed(std::string reason) override { failure = std::move(reason); }

  Rng rng_;
  turn::ClientOptions options_;
  turn::StreamFramer framer_;
  std::shared_ptr<StreamConnection> connection_;
};

class TurnServerTlsTest : public testing::TurnServerFixture {
 protected:
  void OpenWith(const Issued& certificate) {
    TurnServerOptions options = LoopbackServer();
    options.listen = {{turn::ControlTransport::kTls, {kLocalhost, 0}}};
    options.certificate_pem = certificate.chain_pem;
    options.key_pem = certificate.key_pem;
    Open(options);
  }
  const SocketAddress& tls() const { return server_->listening()[0].address; }

  TestAuthority authority_;
};

TEST_F(TurnServerTlsTest, RelaysBothWaysOverTls) {  // RFC 8656 §3.1
  OpenWith(authority_.Issue({.names = {"IP:127.0.0.1"}}));
  TlsTurnClient client(io_, tls(), authority_);
  ASSERT_TRUE(RunUntil(io_, [&] { return client.is_allocated(); })) << client.failure;
  TestPeerSocket peer(io_);
  // Larger than a record, in many messages, and bound on the way.
  for (size_t i = 0; i < 200; ++i) client.Send(peer.local(), std::vector<uint8_t>(1 + 7 * i, static_cast<uint8_t>(i)));
  ASSERT_TRUE(RunUntil(io_, [&] { return peer.received.size() == 200; }));
  for (size_t i = 0; i < 200; ++i) {
    ASSERT_EQ(peer.received[i].data, std::vector<uint8_t>(1 + 7 * i, static_cast<uint8_t>(i)));
  }
  const SocketAddress relayed = *client.client->allocation()->relayed_v4();
  peer.SendTrain(relayed, std::vector<size_t>(120, 1201));
  ASSERT_TRUE(RunUntil(io_, [&] { return client.received.size() == 120; }));
  testing::ExpectNumbered(client.received, std::vector<size_t>(120, 1201));
}

// docs/turn.md#workers: a stream moves to the worker that holds the port, its TLS session as well. Both hold some of
// ten but once in 512 runs.
TEST_F(TurnServerTlsTest, AStreamMovesBetweenWorkersWithItsSession) {
  const Issued certificate = authority_.Issue({.names = {"IP:127.0.0.1"}});
  TurnServerOptions options = LoopbackServer();
  options.listen = {{turn::ControlTransport::kTls, {kLocalhost, 0}}};
  options.certificate_pem = certificate.chain_pem;
  options.key_pem = certificate.key_pem;
  options.workers = std::make_shared<TurnWorkers>(options.core, 2);
  options.core.relay_ports = {50000, 54999};
  Open(options);
  options.listen.assign(server_->listening().begin(), server_->listening().end());
  options.worker = turn::WorkerIndex{1};
  options.core.relay_ports = {55000, 59999};
  auto second = TurnServer::Open(io_.get_executor(), options);
  ASSERT_TRUE(second) << second.error();
  uint64_t accepted = 0;
  for (size_t i = 0; i < 10; ++i) {
    TlsTurnClient first(io_, tls(), authority_, {.even_port = turn::EvenPort{true}});
    ASSERT_TRUE(RunUntil(io_, [&] { return first.is_allocated(); })) << first.failure;
    const auto token = std::get<turn::event::Allocated>(*first.client->PollEvent()).reservation;
    ASSERT_TRUE(token);
    TlsTurnClient next(io_, tls(), authority_, {.reservation = token});
    ASSERT_TRUE(RunUntil(io_, [&] { return next.is_allocated(); })) << next.failure;
    TestPeerSocket peer(io_);
    next.Send(peer.local(), std::vector<uint8_t>(1000, 1));
    ASSERT_TRUE(RunUntil(io_, [&] { return peer.received.size() == 1; }));
    peer.Send(peer.received[0].from, std::vector<uint8_t>(900, 2));
    ASSERT_TRUE(RunUntil(io_, [&] { return next.received.size() == 1; }));
    EXPECT_EQ(next.received[0].data, std::vector<uint8_t>(900, 2));
    accepted = server_->stats().streams.accepted + (*second)->stats().streams.accepted;
  }
  EXPECT_GT(accepted, 20u);  // some more than once
}

TEST_F(TurnServerTlsTest, TheEndOfTheStreamEndsTheAllocation) {
  OpenWith(authority_.Issue({.names = {"IP:127.0.0.1"}}));
  {
    TlsTurnClient client(io_, tls(), authority_);
    ASSERT_TRUE(RunUntil(io_, [&] { return client.is_allocated(); })) << client.failure;
    EXPECT_EQ(server_->allocations(), 1u);
  }
  ASSERT_TRUE(RunUntil(io_, [&] { return server_->allocations() == 0 && server_->stats().streams.open == 0; }));
}

TEST_F(TurnServerTlsTest, ANewCertificateIsForNewHandshakes) {
  OpenWith(authority_.Issue({.names = {"DNS:old.example"}}));
  TlsTurnClient refused(io_, tls(), authority_);
  ASSERT_TRUE(RunUntil(io_, [&] { return !refused.failure.empty(); }));  // the certificate is for another name
  EXPECT_TRUE(server_->SetCertificate("nonsense", "").error().size() > 0);
  const Issued issued = authority_.Issue({.names = {"IP:127.0.0.1"}});
  ASSERT_TRUE(server_->SetCertificate(issued.chain_pem, issued.key_pem));
  TlsTurnClient client(io_, tls(), authority_);
  ASSERT_TRUE(RunUntil(io_, [&] { return client.is_allocated(); })) << client.failure;
}

TEST_F(TurnServerTlsTest, WhoSpeaksNoTlsIsSentAway) {
  OpenWith(authority_.Issue({.names = {"IP:127.0.0.1"}}));
  testing::TestTcp plain(io_, tls());
  plain.Write(std::vector<uint8_t>(64, 0));
  ASSERT_TRUE(RunUntil(io_, [&] { return plain.is_closed; }));
  ASSERT_TRUE(RunUntil(io_, [&] { return server_->stats().streams.open == 0; }));
}

TEST_F(TurnServerTlsTest, NeedsACertificate) {
  TurnServerOptions options = LoopbackServer();
  options.listen = {{turn::ControlTransport::kTls, {kLocalhost, 0}}};
  const auto opened = TurnServer::Open(io_.get_executor(), options);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), "a TLS listener needs a certificate and its key");
}

}  // namespace
}  // namespace jsp::transport::io
