// TCP relays (RFC 6062) and mobility (RFC 8016) at the server.
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <vector>

#include "turn/server/testing/test_server.h"
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
using stun::AttributeType;
using stun::MessageBuilder;
using stun::MessageClass;
using stun::Method;

const SocketAddress kPeer = *SocketAddress::Parse("198.51.100.5:7000");
const auto kTcpRelay = [](MessageBuilder& b) { Add(b, RequestedTransport{RelayProtocol::kTcp}); };

class ServerTcpTest : public ::testing::Test {
 protected:
  void Allocate() {
    const auto response = control_.Ask(Method::kAllocate, kTcpRelay);
    ASSERT_EQ(response.code(), 0);
    relayed_ = *response.view().FindAddress(AttributeType::kXorRelayedAddress);
  }
  // A Connect request; its answer comes later.
  std::optional<TestServer::Message> Connect(const SocketAddress& peer) {
    return control_.Exchange(control_.Build(
        Method::kConnect, [&](MessageBuilder& b) { b.AddAddress(AttributeType::kXorPeerAddress, peer); }));
  }
  uint16_t Bind(TestClient& data, ConnectionId id) {
    return data.Ask(Method::kConnectionBind, [&](MessageBuilder& b) { Add(b, id); }).code();
  }
  ConnectionId Connected() {
    Connect(kPeer);
    const ConnectionId id = s_.connects.back().connection;
    s_.server.HandlePeerConnected(s_.now, id);
    (void)s_.Poll();
    return id;
  }

  TestServer s_;
  TestClient control_{s_, "203.0.113.9:4000", TestServer::kTcp};
  TestClient data_{s_, "203.0.113.9:4001", TestServer::kTcp};
  SocketAddress relayed_;
};

TEST_F(ServerTcpTest, AllocatesOverStreamsOnly) {  // RFC 6062 §5.1
  Allocate();
  EXPECT_EQ(s_.open.size(), 1u);
  TestClient udp(s_, "203.0.113.9:1");
  EXPECT_EQ(udp.Ask(Method::kAllocate, kTcpRelay).code(), 400);
  auto options = TestServer::DefaultOptions();
  options.relay_protocols = {RelayProtocol::kUdp};
  TestServer without(options);
  TestClient client(without, "203.0.113.9:1", TestServer::kTcp);
  EXPECT_EQ(client.Ask(Method::kAllocate, kTcpRelay).code(), 442);
  options.relay_protocols = {RelayProtocol::kTcp};
  TestServer only(options);
  TestClient other(only, "203.0.113.9:1", TestServer::kTcp);
  EXPECT_EQ(other.Allocate().code(), 403);  // UDP, by policy
}

TEST_F(ServerTcpTest, FeaturesOfUdpAre400) {  // RFC 6062 §5.1
  const auto with = [&](auto attribute) {
    return control_
        .Ask(Method::kAllocate,
             [&](MessageBuilder& b) {
               kTcpRelay(b);
               Add(b, attribute);
             })
        .code();
  };
  EXPECT_EQ(with(DontFragment{}), 400);
  EXPECT_EQ(with(EvenPort{}), 400);
  EXPECT_EQ(with(ReservationToken{}), 400);
}

TEST_F(ServerTcpTest, ConnectsBindsAndSplices) {  // RFC 6062 §5.2, §5.4
  Allocate();
  EXPECT_FALSE(Connect(kPeer));  // nothing until the peer answers
  ASSERT_EQ(s_.connects.size(), 1u);
  EXPECT_EQ(s_.connects[0].peer, kPeer);
  EXPECT_EQ(s_.connects[0].relay, s_.HandleOf(relayed_));
  const ConnectionId id = s_.connects[0].connection;
  s_.server.HandlePeerConnected(s_.now, id);
  const auto response = s_.Poll();
  ASSERT_TRUE(response);
  EXPECT_TRUE(response->view().Is(Method::kConnect, MessageClass::kSuccessResponse));
  EXPECT_EQ(Find<ConnectionId>(response->view()), id);
  EXPECT_EQ(Bind(data_, id), 0);
  ASSERT_EQ(s_.splices.size(), 1u);
  EXPECT_EQ(s_.splices[0].connection, id);
  EXPECT_EQ(s_.splices[0].client, data_.path);
  s_.Advance(60s);
  EXPECT_TRUE(s_.closed.empty());  // bound: no deadline
}

TEST_F(ServerTcpTest, OurOwnTcpRelaysAreReached) {
  Allocate();
  TestClient other(s_, "203.0.113.10:1", TestServer::kTcp, "other", "word");
  const auto response = other.Ask(Method::kAllocate, kTcpRelay);
  EXPECT_FALSE(Connect(*response.view().FindAddress(AttributeType::kXorRelayedAddress)));
  EXPECT_EQ(s_.connects.size(), 1u);
  EXPECT_EQ(Connect(*SocketAddress::Parse("192.0.2.1:22"))->code(), 403);  // nothing else there
}

TEST_F(ServerTcpTest, IdsAreUnique) {  // RFC 6062 §5.2
  Allocate();
  std::set<uint32_t> ids;
  for (uint16_t port = 1; port <= 32; ++port) {
    Connect({kPeer.ip, port});
    ids.insert(s_.connects.back().connection.value);
  }
  EXPECT_EQ(ids.size(), 32u);
  EXPECT_EQ(Connect({kPeer.ip, 99})->code(), 508);  // ServerLimits::connections
}

TEST_F(ServerTcpTest, ASecondConnectToAPeerIs446) {  // RFC 6062 §5.2
  Allocate();
  Connect(kPeer);
  EXPECT_EQ(Connect(kPeer)->code(), 446);  // pending
  s_.server.HandlePeerConnected(s_.now, s_.connects[0].connection);
  (void)s_.Poll();
  EXPECT_EQ(Connect(kPeer)->code(), 446);  // active
  s_.server.HandlePeerClosed(s_.now, s_.connects[0].connection);
  EXPECT_FALSE(Connect(kPeer));
  EXPECT_EQ(s_.connects.size(), 2u);
}

TEST_F(ServerTcpTest, BadConnectsAreRefused) {  // RFC 6062 §5.2
  Allocate();
  EXPECT_EQ(control_.Ask(Method::kConnect).code(), 400);
  EXPECT_EQ(Connect(*SocketAddress::Parse("127.0.0.1:80"))->code(), 403);  // T1
  EXPECT_EQ(Connect(*SocketAddress::Parse("[2001:db8:1::1]:80"))->code(), 443);
  TestClient udp(s_, "203.0.113.9:1");
  udp.Allocate();
  const auto peer = [](MessageBuilder& b) { b.AddAddress(AttributeType::kXorPeerAddress, kPeer); };
  EXPECT_EQ(udp.Ask(Method::kConnect, peer).code(), 400);
  EXPECT_EQ(control_.Bind({0x4000}, "198.51.100.5:1"), 400);
}

TEST_F(ServerTcpTest, AFailedConnectIs447) {  // RFC 6062 §5.2
  Allocate();
  Connect(kPeer);
  s_.server.HandlePeerFailed(s_.now, s_.connects[0].connection);
  EXPECT_EQ(s_.Poll()->code(), 447);
  Connect(kPeer);
  s_.Advance(29s);
  EXPECT_FALSE(s_.Poll());
  s_.Advance(1s);
  EXPECT_EQ(s_.Poll()->code(), 447);  // "The timeout value MUST be at least 30 seconds"
  ASSERT_EQ(s_.closed.size(), 1u);
  s_.server.HandlePeerConnected(s_.now, s_.connects[1].connection);  // too late
  EXPECT_FALSE(s_.Poll());
}

TEST_F(ServerTcpTest, AnUnboundConnectionIsClosedAfterHalfAMinute) {  // RFC 6062 §5.2
  Allocate();
  const ConnectionId id = Connected();
  s_.Advance(29s);
  EXPECT_TRUE(s_.closed.empty());
  s_.Advance(1s);
  ASSERT_EQ(s_.closed.size(), 1u);
  EXPECT_EQ(s_.closed[0].connection, id);
  EXPECT_FALSE(s_.closed[0].client);
  EXPECT_EQ(Bind(data_, id), 400);
}

TEST_F(ServerTcpTest, T3_OnlyPermittedPeersConnect) {  // RFC 6062 §5.3
  Allocate();
  const RelayHandle relay = s_.HandleOf(relayed_);
  EXPECT_FALSE(s_.server.HandlePeerAccepted(s_.now, relay, kPeer));
  EXPECT_FALSE(s_.Poll());
  ASSERT_EQ(control_.Permit("198.51.100.5:1"), 0);
  const auto id = s_.server.HandlePeerAccepted(s_.now, relay, kPeer);
  ASSERT_TRUE(id);
  const auto attempt = s_.Poll();
  ASSERT_TRUE(attempt);
  EXPECT_TRUE(attempt->view().Is(Method::kConnectionAttempt, MessageClass::kIndication));
  EXPECT_EQ(attempt->path, control_.path);
  EXPECT_EQ(attempt->view().FindAddress(AttributeType::kXorPeerAddress), kPeer);
  EXPECT_EQ(Find<ConnectionId>(attempt->view()), *id);
  EXPECT_EQ(Bind(data_, *id), 0);
  EXPECT_FALSE(s_.server.HandlePeerAccepted(s_.now, {}, kPeer));
}

TEST_F(ServerTcpTest, BadBindsAre400) {  // RFC 6062 §5.4
  Allocate();
  const ConnectionId id = Connected();
  TestClient udp(s_, "203.0.113.9:1");
  EXPECT_EQ(Bind(udp, id), 400);
  EXPECT_EQ(data_.Ask(Method::kConnectionBind).code(), 400);
  EXPECT_EQ(Bind(data_, {id.value + 1}), 400);
  EXPECT_EQ(Bind(control_, id), 400);  // not over the control connection
  TestClient other(s_, "203.0.113.9:4002", TestServer::kTcp, "other", "word");
  EXPECT_EQ(Bind(other, id), 441);
  EXPECT_EQ(Bind(data_, id), 0);
  TestClient second(s_, "203.0.113.9:4003", TestServer::kTcp);
  EXPECT_EQ(Bind(second, id), 400);  // bound already
}

TEST_F(ServerTcpTest, EitherSideClosesTheOther) {  // RFC 6062 §5.5
  Allocate();
  ConnectionId id = Connected();
  ASSERT_EQ(Bind(data_, id), 0);
  s_.server.HandleClientClosed(s_.now, data_.path);
  s_.Pump();
  ASSERT_EQ(s_.closed.size(), 1u);
  id = Connected();
  ASSERT_EQ(Bind(data_, id), 0);
  s_.server.HandlePeerClosed(s_.now, id);
  s_.Pump();
  ASSERT_EQ(s_.closed.size(), 2u);
  EXPECT_EQ(s_.closed[1].client, data_.path);
  id = Connected();
  ASSERT_EQ(Bind(data_, id), 0);
  s_.Advance(601s);  // the allocation expires
  EXPECT_EQ(s_.closed.size(), 3u);
  EXPECT_EQ(s_.server.allocations(), 0u);
}

class ServerMobilityTest : public ::testing::Test {
 protected:
  static ServerOptions Options() {
    auto options = TestServer::DefaultOptions();
    options.mobility = Mobility::kAllowed;
    return options;
  }
  void Allocate() {
    const auto response = client_.Allocate([](MessageBuilder& b) { Add(b, MobilityTicket{}); });
    ASSERT_EQ(response.code(), 0);
    Keep(response);
    ASSERT_EQ(client_.Bind({0x4000}, "198.51.100.5:7000"), 0);
  }
  void Keep(const TestServer::Message& response) {
    const auto ticket = Find<MobilityTicket>(response.view());
    ASSERT_TRUE(ticket);
    ticket_.assign(ticket->octets.begin(), ticket->octets.end());
  }
  TestServer::Message Move(TestClient& client) {
    return client.Ask(Method::kRefresh, [&](MessageBuilder& b) { Add(b, MobilityTicket{ticket_}); });
  }
  ClientPath Destination() { return s_.FromPeer(client_.relayed, kPeer, std::array<uint8_t, 1>{}).at(0).path; }
  bool SendFrom(const TestClient& client) {
    const std::array<uint8_t, 5> message{0x40, 0, 0, 1, 9};
    return !s_.FromClient(client.path, message).empty();
  }

  TestServer s_{Options()};
  TestClient client_{s_, "203.0.113.9:4000"};
  TestClient moved_{s_, "203.0.113.200:5000"};
  std::vector<uint8_t> ticket_;
};

TEST_F(ServerMobilityTest, FollowsTheClientOnceItSendsFromThere) {  // RFC 8016 §3.2.2
  Allocate();
  const auto old_ticket = ticket_;
  const auto response = Move(moved_);
  EXPECT_EQ(response.code(), 0);
  EXPECT_EQ(response.path, moved_.path);
  Keep(response);
  EXPECT_NE(ticket_, old_ticket);  // "MUST be different from the old ticket"
  EXPECT_EQ(Destination(), client_.path);
  EXPECT_TRUE(SendFrom(client_));  // the old 5-tuple goes on
  EXPECT_EQ(Destination(), client_.path);
  EXPECT_TRUE(SendFrom(moved_));
  EXPECT_EQ(Destination(), moved_.path);
  EXPECT_FALSE(SendFrom(client_));
  EXPECT_EQ(moved_.Refresh(600), 0);
  EXPECT_EQ(client_.Refresh(600), 437);
}

TEST_F(ServerMobilityTest, ARetransmissionWithTheOldTicketIsAnswered) {  // RFC 8016 §3.2.2
  Allocate();
  const auto first = Move(moved_);
  const auto second = Move(moved_);  // the response was lost
  EXPECT_EQ(second.code(), 0);
  EXPECT_TRUE(
      std::ranges::equal(Find<MobilityTicket>(first.view())->octets, Find<MobilityTicket>(second.view())->octets));
  s_.Advance(31s);
  EXPECT_EQ(Move(moved_).code(), 400);
}

TEST_F(ServerMobilityTest, AForgedOrMisplacedTicketIs400) {  // RFC 8016 §3.2.2
  Allocate();
  EXPECT_EQ(Move(client_).code(), 400);  // no move at all
  for (size_t i = 0; i < ticket_.size(); ++i) {
    ticket_[i] ^= 1;
    EXPECT_EQ(Move(moved_).code(), 400) << i;
    ticket_[i] ^= 1;
  }
  const auto good = ticket_;
  ticket_.pop_back();
  EXPECT_EQ(Move(moved_).code(), 400);
  ticket_.clear();
  EXPECT_EQ(Move(moved_).code(), 400);
  ticket_ = good;
  EXPECT_EQ(Move(moved_).code(), 0);
}

TEST_F(ServerMobilityTest, T8_AnotherUserWithTheTicketIs441) {  // RFC 8016 §3.2.2
  Allocate();
  TestClient thief(s_, "203.0.113.77:1", TestServer::kUdp, "other", "word");
  EXPECT_EQ(Move(thief).code(), 441);
  EXPECT_EQ(Destination(), client_.path);
}

TEST_F(ServerMobilityTest, ATicketOfAnEndedAllocationIs437) {  // RFC 8016 §3.2.2
  Allocate();
  ASSERT_EQ(client_.Refresh(0), 0);
  EXPECT_EQ(Move(moved_).code(), 437);
}

TEST_F(ServerMobilityTest, WhereItIsForbiddenItIs405) {  // RFC 8016 §3.1.2, §3.2.2
  TestServer fixed;
  TestClient client(fixed, "203.0.113.9:1");
  EXPECT_EQ(client.Allocate([](MessageBuilder& b) { Add(b, MobilityTicket{}); }).code(), 405);
  ticket_.resize(29);
  EXPECT_EQ(client.Ask(Method::kRefresh, [&](MessageBuilder& b) { Add(b, MobilityTicket{ticket_}); }).code(), 405);
  EXPECT_EQ(client_.Allocate([&](MessageBuilder& b) { Add(b, MobilityTicket{ticket_}); }).code(), 400);
}

TEST_F(ServerMobilityTest, APlaceThatIsTakenIs437) {
  Allocate();
  ASSERT_EQ(moved_.Allocate().code(), 0);
  EXPECT_EQ(Move(moved_).code(), 437);
}

TEST_F(ServerMobilityTest, T10_NobodyMovesIntoARelay) {
  Allocate();
  TestClient loop(s_, client_.relayed.ToString());
  EXPECT_EQ(Move(loop).code(), 403);
}

TEST_F(ServerMobilityTest, BreakBeforeMakeOverAStream) {  // RFC 8016 §3.2.2: "Break Before Make"
  client_.path.listener = TestServer::kTcp;
  Allocate();
  s_.server.HandleClientClosed(s_.now, client_.path);
  EXPECT_EQ(s_.server.allocations(), 1u);
  EXPECT_EQ(Move(moved_).code(), 0);
  s_.server.HandleClientClosed(s_.now, client_.path);  // the old one: the new one is the path now
  EXPECT_EQ(Destination(), moved_.path);
}

}  // namespace
}  // namespace jsp::turn
