// Servers that are one to their clients: docs/turn.md.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "turn/server/testing/test_server.h"
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

constexpr ChannelNumber kChannel{0x4000};
const std::array<uint8_t, 3> kData{1, 2, 3};

// A gate that may be passed one at a time.
struct CountingGate {
  int inside = 0;
  int passed = 0;
  Gate gate() {
    return {this,
            [](void* lock) {
              auto& self = *static_cast<CountingGate*>(lock);
              EXPECT_EQ(self.inside++, 0);
              ++self.passed;
            },
            [](void* lock) { EXPECT_EQ(--static_cast<CountingGate*>(lock)->inside, 0); }};
  }
};

class ServerWorkersTest : public ::testing::Test {
 protected:
  explicit ServerWorkersTest(ServerOptions options = TestServer::DefaultOptions()) { Start(std::move(options)); }
  void Start(ServerOptions options) {
    options.mobility = Mobility::kAllowed;
    Rng rng = Rng::FromNumber(1);
    const auto shared = std::make_shared<SharedState>(options, 2, rng, gate_.gate());
    options.relay_ports = {50000, 54999};
    first_ = std::make_unique<TestServer>(options, 7, shared, WorkerIndex{0});
    options.relay_ports = {55000, 59999};
    second_ = std::make_unique<TestServer>(options, 8, shared, WorkerIndex{1});
  }
  ~ServerWorkersTest() override { EXPECT_EQ(gate_.inside, 0); }

  // Hands over what `from` says, as the owner does; how many messages it was.
  size_t HandOver(TestServer& from, TestServer& to) {
    const size_t count = from.handed_over.size();
    for (const auto& each : std::exchange(from.handed_over, {})) to.FromClient(each.path, each.octets);
    return count;
  }

  CountingGate gate_;
  std::unique_ptr<TestServer> first_;
  std::unique_ptr<TestServer> second_;
};

TEST_F(ServerWorkersTest, QuotasAreOfTheWholeServer) {  // RFC 8656 §7.2
  auto options = TestServer::DefaultOptions();
  options.quotas = {.total_allocations = 3, .allocations_per_user = 2, .allocations_per_source = 2};
  Start(options);
  TestClient a(*first_, "203.0.113.9:1");
  TestClient b(*second_, "203.0.113.10:1");
  EXPECT_EQ(a.Allocate().code(), 0);
  EXPECT_EQ(b.Allocate().code(), 0);
  TestClient c(*second_, "203.0.113.11:1");
  EXPECT_EQ(c.Allocate().code(), 486);  // the user's third
  TestClient other(*first_, "203.0.113.10:2", TestServer::kUdp, "other", "word");
  EXPECT_EQ(other.Allocate().code(), 0);
  TestClient fourth(*second_, "203.0.113.12:2", TestServer::kUdp, "other", "word");
  EXPECT_EQ(fourth.Allocate().code(), 508);  // the server's fourth
  EXPECT_EQ(a.Refresh(0), 0);
  EXPECT_EQ(fourth.Allocate().code(), 0);
  EXPECT_GT(gate_.passed, 0);
}

TEST_F(ServerWorkersTest, BandwidthIsOfAUserWhereverItsAllocationsAre) {  // RFC 8656 §5
  auto options = TestServer::DefaultOptions();
  options.quotas.bandwidth_per_user = 1000;
  Start(options);
  TestClient a(*first_, "203.0.113.9:1");
  TestClient b(*second_, "203.0.113.10:1");
  const std::vector<uint8_t> data(600);
  for (TestClient* client : {&a, &b}) {
    ASSERT_EQ(client->Allocate().code(), 0);
    ASSERT_EQ(client->Permit("198.51.100.5:1"), 0);
  }
  EXPECT_EQ(a.SendTo("198.51.100.5:1", data).size(), 1u);
  EXPECT_EQ(b.SendTo("198.51.100.5:1", data).size(), 1u);  // a debt of 200
  EXPECT_EQ(a.SendTo("198.51.100.5:1", data).size(), 0u);
  EXPECT_EQ(first_->server.dropped(ServerDrop::kBandwidth), 1u);
  // The clocks of two threads are not read at the same moment: a bucket does not fill by one that is behind.
  second_->now = second_->now + 300ms;
  EXPECT_EQ(b.SendTo("198.51.100.5:1", data).size(), 1u);
  EXPECT_EQ(a.SendTo("198.51.100.5:1", data).size(), 0u);
}

TEST_F(ServerWorkersTest, ANonceIsGoodForEveryWorker) {  // RFC 8489 §9.2: no 438 for a client that reaches another
  TestClient client(*first_, "203.0.113.9:1");
  ASSERT_EQ(client.Allocate().code(), 0);
  TestClient next(*second_, "203.0.113.9:2");
  next.credentials = client.credentials;
  const auto request = next.Build(Method::kAllocate, [](MessageBuilder& b) { Add(b, RequestedTransport{}); });
  const auto response = next.Exchange(request);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->code(), 0);
  EXPECT_EQ(second_->server.metrics().challenges, 0u);
}

TEST_F(ServerWorkersTest, S8_ASourceGetsSoManyAnswersOfAllTogether) {
  auto options = TestServer::DefaultOptions();
  options.limits.unauthenticated_per_second = 5;
  Start(options);
  int answers = 0;
  for (int i = 0; i < 200; ++i) {
    TestServer& s = i % 2 == 0 ? *first_ : *second_;
    TestClient stranger(s, "203.0.113.66:1", TestServer::kUdp, "who", "knows");
    answers += stranger.Exchange(stranger.Build(Method::kAllocate)).has_value();
  }
  EXPECT_EQ(answers, 50);
}

TEST_F(ServerWorkersTest, RelaysOfAnotherWorkerAreOurOwn) {  // docs/turn.md: own relays are always reached; T10
  TestClient a(*first_, "203.0.113.9:1");
  TestClient b(*second_, "203.0.113.10:1");
  ASSERT_EQ(a.Allocate().code(), 0);
  ASSERT_EQ(b.Allocate().code(), 0);
  EXPECT_EQ(a.Bind(kChannel, b.relayed.ToString()), 0);
  EXPECT_EQ(b.Permit(a.relayed.ToString()), 0);
  EXPECT_EQ(b.SendTo(a.relayed.ToString(), kData).size(), 1u);
  TestClient loop(*second_, a.relayed.ToString());
  EXPECT_EQ(loop.Allocate().code(), 403);
  EXPECT_EQ(a.Refresh(0), 0);
  EXPECT_EQ(b.Bind(kChannel, a.relayed.ToString()), 403);  // it is gone
}

TEST_F(ServerWorkersTest, AConnectionBindIsForTheWorkerWithTheConnection) {  // RFC 6062 §5.4
  TestClient client(*first_, "203.0.113.9:1", TestServer::kTcp);
  ASSERT_EQ(
      client.Ask(Method::kAllocate, [](MessageBuilder& b) { Add(b, RequestedTransport{RelayProtocol::kTcp}); }).code(),
      0);
  client.Permit("198.51.100.5:1");
  const auto id =
      first_->server.HandlePeerAccepted(first_->now, first_->open[0].second, *SocketAddress::Parse("198.51.100.5:7"));
  ASSERT_TRUE(id);
  (void)first_->Poll();  // ConnectionAttempt
  TestClient data(*second_, "203.0.113.9:2", TestServer::kTcp);
  data.credentials = client.credentials;
  const auto bind = data.Build(Method::kConnectionBind, [&](MessageBuilder& b) { Add(b, *id); });
  EXPECT_FALSE(data.Exchange(bind));
  ASSERT_EQ(HandOver(*second_, *first_), 1u);
  EXPECT_EQ(first_->Poll()->code(), 0);
  ASSERT_EQ(first_->splices.size(), 1u);
  EXPECT_EQ(first_->splices[0].client, data.path);
  // Nobody's: it stays where it is.
  const auto unknown =
      data.Exchange(data.Build(Method::kConnectionBind, [&](MessageBuilder& b) { Add(b, ConnectionId{0x12345601}); }));
  EXPECT_EQ(unknown->code(), 400);
  const auto far =
      data.Exchange(data.Build(Method::kConnectionBind, [&](MessageBuilder& b) { Add(b, ConnectionId{0x12345602}); }));
  EXPECT_EQ(far->code(), 400);
  EXPECT_TRUE(second_->handed_over.empty());
}

TEST_F(ServerWorkersTest, ATicketIsForTheWorkerThatGaveIt) {  // RFC 8016 §3.2.2
  TestClient client(*first_, "203.0.113.9:1");
  const auto allocated = client.Allocate([](MessageBuilder& b) { Add(b, MobilityTicket{}); });
  const auto value = allocated.view().Find(AttributeType::kMobilityTicket);
  ASSERT_TRUE(value);
  std::vector<uint8_t> ticket(value->begin(), value->end());
  ASSERT_EQ(client.Permit("198.51.100.5:1"), 0);
  TestClient moved(*second_, "203.0.113.77:9");
  moved.credentials = client.credentials;
  moved.Ask(Method::kRefresh);  // a nonce for its new address: 437
  const auto move = moved.Build(Method::kRefresh, [&](MessageBuilder& b) { Add(b, MobilityTicket{ticket}); });
  EXPECT_FALSE(moved.Exchange(move));
  ASSERT_EQ(HandOver(*second_, *first_), 1u);
  EXPECT_EQ(first_->Poll()->code(), 0);
  // Data of the new path, which the owner hands over from now on, goes out by the old relay, and back.
  TestClient there(*first_, "203.0.113.77:9");
  there.credentials = moved.credentials;
  EXPECT_EQ(there.SendTo("198.51.100.5:1", kData).size(), 1u);
  EXPECT_EQ(first_->FromPeer(client.relayed, *SocketAddress::Parse("198.51.100.5:1"), kData).at(0).path, moved.path);
  // A forged one goes nowhere (T8).
  ticket[12] ^= 1;
  EXPECT_EQ(moved.Ask(Method::kRefresh, [&](MessageBuilder& b) { Add(b, MobilityTicket{ticket}); }).code(), 400);
  EXPECT_TRUE(second_->handed_over.empty());
}

TEST_F(ServerWorkersTest, AMoveToWhereAnAllocationIsIs437) {  // RFC 8016 §3.2.2
  TestClient client(*first_, "203.0.113.9:1");
  const auto allocated = client.Allocate([](MessageBuilder& b) { Add(b, MobilityTicket{}); });
  const auto value = allocated.view().Find(AttributeType::kMobilityTicket);
  const MobilityTicket ticket{*value};
  TestClient moved(*second_, "203.0.113.77:9");
  ASSERT_EQ(moved.Allocate().code(), 0);
  EXPECT_EQ(moved.Ask(Method::kRefresh, [&](MessageBuilder& b) { Add(b, ticket); }).code(), 437);
  EXPECT_TRUE(second_->handed_over.empty());
}

TEST_F(ServerWorkersTest, AReservationIsForTheWorkerThatHoldsThePort) {  // RFC 8656 §7.2
  TestClient client(*second_, "203.0.113.9:1");
  const auto allocated = client.Allocate([](MessageBuilder& b) { Add(b, EvenPort{true}); });
  const auto token = Find<ReservationToken>(allocated.view());
  ASSERT_TRUE(token);
  TestClient next(*first_, "203.0.113.9:2");
  next.credentials = client.credentials;
  EXPECT_FALSE(next.Exchange(next.Build(Method::kAllocate, [&](MessageBuilder& b) {
    Add(b, RequestedTransport{});
    Add(b, *token);
  })));
  ASSERT_EQ(HandOver(*first_, *second_), 1u);
  const auto response = second_->Poll();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->code(), 0);
  EXPECT_EQ(response->path, next.path);
  EXPECT_EQ(second_->server.allocations(), 2u);
}

}  // namespace
}  // namespace jsp::turn
