// Several workers that are one server to their clients (docs/turn.md#workers), here in one loop. The system gives a
// client to any of them, so that these tests have many: what is said of both holds but once in 2^15 runs.
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <thread>

#include "transport/asio/turn_server_test_fixture.h"
#include "transport/asio/turn_workers.h"
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

class TurnServerWorkersTest : public testing::TurnServerFixture {
 protected:
  static constexpr size_t kMany = 16;

  void OpenBoth(TurnServerOptions options = LoopbackServer()) { OpenBoth(io_, std::move(options)); }
  // The second one in a loop of its own.
  void OpenBoth(boost::asio::io_context& second_loop, TurnServerOptions options = LoopbackServer()) {
    options.workers = std::make_shared<TurnWorkers>(options.core, 2);
    options.core.relay_ports = {50000, 54999};
    Open(options);
    options.listen.assign(server_->listening().begin(), server_->listening().end());
    options.worker = turn::WorkerIndex{1};
    options.core.relay_ports = {55000, 59999};
    auto opened = TurnServer::Open(second_loop.get_executor(), options);
    ASSERT_TRUE(opened) << opened.error();
    second_ = std::move(*opened);
  }
  // Data both ways.
  void Relay(TestTurnClient& client) {
    TestPeerSocket peer(io_);
    TurnServerFixture::Bind(client, peer.local());
    const std::vector<size_t> sizes(20, 900);
    client.SendTrain(peer.local(), sizes);
    ASSERT_TRUE(RunUntil(io_, [&] { return peer.received.size() == sizes.size(); }));
    testing::ExpectNumbered(peer.received, sizes);
    peer.SendTrain(client.relayed(), sizes);
    ASSERT_TRUE(RunUntil(io_, [&] { return client.received.size() == sizes.size(); }));
    testing::ExpectNumbered(client.received, sizes);
  }
  size_t allocations() const { return server_->allocations() + second_->allocations(); }

  std::unique_ptr<TurnServer> second_;
};

TEST_F(TurnServerWorkersTest, ServeClientsOfOnePort) {
  OpenBoth();
  std::vector<std::unique_ptr<TestTurnClient>> clients;
  for (size_t i = 0; i < kMany; ++i) {
    clients.push_back(Allocate(i % 2 == 0 ? udp() : tcp()));
    Relay(*clients.back());
  }
  EXPECT_EQ(allocations(), kMany);
  EXPECT_GT(server_->allocations(), 0u);
  EXPECT_GT(second_->allocations(), 0u);
}

TEST_F(TurnServerWorkersTest, QuotasAreOfTheServer) {  // RFC 8656 §7.2
  TurnServerOptions options = LoopbackServer();
  options.core.quotas.allocations_per_user = kMany;
  OpenBoth(options);
  std::vector<std::unique_ptr<TestTurnClient>> clients;
  for (size_t i = 0; i < kMany; ++i) clients.push_back(Allocate(udp()));
  for (size_t i = 0; i < kMany; ++i) {
    TestTurnClient refused(io_, udp());
    refused.Start();
    ASSERT_TRUE(RunUntil(io_, [&] { return refused.Find<turn::event::AllocationFailed>() != nullptr; }));
    EXPECT_EQ(refused.Find<turn::event::AllocationFailed>()->error_code, 486);
  }
  EXPECT_EQ(allocations(), kMany);
}

TEST_F(TurnServerWorkersTest, AReservedPortIsFoundFromAnywhere) {  // RFC 8656 §7.2
  OpenBoth();
  for (size_t i = 0; i < kMany; ++i) {
    const TurnListen& listener = i % 2 == 0 ? udp() : tcp();
    const auto first = Allocate(listener, {.even_port = turn::EvenPort{true}});
    const auto token = first->Find<turn::event::Allocated>()->reservation;
    ASSERT_TRUE(token);
    const auto next = Allocate(listener, {.reservation = token});
    EXPECT_EQ(next->relayed().port, first->relayed().port + 1);
    Relay(*next);
    next->Do([](turn::Client& c, Timestamp now) { c.Close(now); });
    ASSERT_TRUE(RunUntil(io_, [&] { return allocations() == 1; }));
    first->Do([](turn::Client& c, Timestamp now) { c.Close(now); });
    ASSERT_TRUE(RunUntil(io_, [&] { return allocations() == 0; }));
  }
  EXPECT_EQ(server_->stats().handovers_dropped + second_->stats().handovers_dropped, 0u);
}

TEST_F(TurnServerWorkersTest, ADataConnectionIsFoundFromAnywhere) {  // RFC 6062 §4.3, §5.4
  OpenBoth();
  boost::asio::ip::tcp::acceptor acceptor(io_, {boost::asio::ip::address_v4::loopback(), 0});
  const SocketAddress peer{kLocalhost, acceptor.local_endpoint().port()};
  for (size_t i = 0; i < kMany; ++i) {
    std::unique_ptr<TestTcp> accepted;
    acceptor.async_accept([&](error_code error, boost::asio::ip::tcp::socket socket) {
      if (!error) accepted = std::make_unique<TestTcp>(std::move(socket));
    });
    const auto client = Allocate(tcp(), {.relay = turn::RelayProtocol::kTcp});
    client->Do([&](turn::Client& c, Timestamp now) { return c.Connect(now, peer); });
    ASSERT_TRUE(RunUntil(io_, [&] { return client->Find<turn::event::ConnectionPending>() && accepted; }));
    const auto id = client->Find<turn::event::ConnectionPending>()->id;
    TestTcp data(io_, tcp().address);
    client->Do([&](turn::Client& c, Timestamp now) { c.BindConnection(now, id, data.local()); });
    data.Write(client->elsewhere.back());
    const auto size = [&] { return turn::FrameSize(data.received).value_or(0); };
    ASSERT_TRUE(RunUntil(io_, [&] { return size() > 0 && size() <= data.received.size(); }));
    client->Do([&](turn::Client& c, Timestamp now) {
      (void)c.HandleDatagram(now, data.local(), tcp().address, std::span(data.received).first(size()));
    });
    ASSERT_NE(client->Find<turn::event::ConnectionBound>(), nullptr);
    data.received.erase(data.received.begin(), data.received.begin() + static_cast<ptrdiff_t>(size()));
    data.Write({1, 2, 3});
    ASSERT_TRUE(RunUntil(io_, [&] { return accepted->received.size() == 3; }));
    accepted->Write({4, 5, 6, 7});
    ASSERT_TRUE(RunUntil(io_, [&] { return data.received.size() == 4; }));
    client->Disconnect();
    ASSERT_TRUE(RunUntil(io_, [&] { return data.is_closed && accepted->is_closed; }));
  }
}

// As in the program: a thread each. What one has goes to the other while both are busy with clients of their own.
TEST_F(TurnServerWorkersTest, HaveThreadsOfTheirOwn) {
  boost::asio::io_context loop(1);
  TurnServerOptions options = LoopbackServer();
  options.core.quotas.bandwidth_per_user = 1'000'000'000;  // so that the counters are shared
  OpenBoth(loop, options);
  std::thread thread([&] {
    const auto guard = boost::asio::make_work_guard(loop);
    loop.run();
  });
  std::vector<std::unique_ptr<TestTurnClient>> clients;
  for (size_t i = 0; i < kMany; ++i) {
    const TurnListen& listener = i % 2 == 0 ? udp() : tcp();
    clients.push_back(Allocate(listener, {.even_port = turn::EvenPort{true}}));
    const auto token = clients.back()->Find<turn::event::Allocated>()->reservation;
    EXPECT_TRUE(token);
    clients.push_back(Allocate(listener, {.reservation = token}));
  }
  for (const auto& client : clients) Relay(*client);
  loop.stop();
  thread.join();
  EXPECT_EQ(allocations(), clients.size());
  EXPECT_GT(server_->allocations(), 0u);
  EXPECT_GT(second_->allocations(), 0u);
  second_.reset();
  clients.clear();
}

TEST_F(TurnServerWorkersTest, ClientsOfTwoWorkersReachEachOther) {  // docs/turn.md: own relays are always reached
  TurnServerOptions options = LoopbackServer();
  options.core.policy = {};
  OpenBoth(options);
  std::vector<std::unique_ptr<TestTurnClient>> clients;
  for (size_t i = 0; i < kMany; ++i) clients.push_back(Allocate(udp()));
  for (size_t i = 1; i < kMany; ++i) TurnServerFixture::Bind(*clients[i], clients[0]->relayed());
}

TEST(TurnWorkersTest, MailIsBounded) {
  boost::asio::io_context io;
  TurnWorkers workers({}, 2);
  const turn::WorkerIndex to{1};
  const std::vector<uint8_t> train(1000);
  EXPECT_FALSE(workers.Send(to, TurnWorkers::Letter{}, train));  // nobody reads
  workers.Join(to, io.get_executor(), {});
  size_t sent = 0;
  while (workers.Send(to, TurnWorkers::Letter{}, train)) ++sent;
  EXPECT_EQ(sent, TurnWorkers::kMaxLetters);
  TurnWorkers::Mail mail;
  workers.Take(to, mail);
  EXPECT_EQ(mail.trains.letters.size(), sent);
  EXPECT_EQ(mail.trains.octets.size(), sent * train.size());
  EXPECT_TRUE(workers.Send(to, TurnWorkers::Letter{}, train));
  workers.Leave(to);
  EXPECT_FALSE(workers.Send(to, TurnWorkers::Letter{}, train));
}

}  // namespace
}  // namespace jsp::transport::io
