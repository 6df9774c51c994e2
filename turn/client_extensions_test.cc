// TCP allocations (RFC 6062) and mobility (RFC 8016).
#include <gtest/gtest.h>

#include <array>

#include "turn/client.h"
#include "turn/testing/scripted_server.h"
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

const SocketAddress kPeer = *SocketAddress::Parse("198.51.100.5:7000");
const SocketAddress kSecond = *SocketAddress::Parse("10.0.0.2:40001");  // another socket of ours

class ClientTcpTest : public ::testing::Test {
 protected:
  static ClientOptions Options() {
    auto options = ScriptedServer::DefaultOptions();
    options.transport = ControlTransport::kTcp;
    options.relay = RelayProtocol::kTcp;
    options.limits.max_connections = 3;
    return options;
  }
  ClientTcpTest() { s_.Allocate(); }
  // The server has connected to the peer.
  void Connected(ConnectionId id) {
    ASSERT_TRUE(s_.client.Connect(s_.now, kPeer));
    s_.Succeed(s_.OnlySent(), [&](MessageBuilder& b) { Add(b, id); });
  }
  void Attempt(ConnectionId id, const SocketAddress& peer) {
    s_.Indicate(Method::kConnectionAttempt, [&](MessageBuilder& b) {
      b.AddAddress(AttributeType::kXorPeerAddress, peer);
      Add(b, id);
    });
  }

  ScriptedServer s_{Options()};
};

TEST_F(ClientTcpTest, AsksForATcpRelay) {  // RFC 6062 §4.1
  ScriptedServer fresh(Options());
  fresh.client.Start(fresh.now);
  const auto request = fresh.OnlySent();
  EXPECT_EQ(Find<RequestedTransport>(request.view()), RequestedTransport{RelayProtocol::kTcp});
  EXPECT_FALSE(request.view().Has(AttributeType::kDontFragment));
  EXPECT_FALSE(request.view().Has(AttributeType::kEvenPort));
}

TEST_F(ClientTcpTest, ConnectsAndBindsOnAnotherConnection) {  // RFC 6062 §4.3
  ASSERT_TRUE(s_.client.Connect(s_.now, kPeer));
  const auto connect = s_.OnlySent();
  EXPECT_EQ(connect.method(), Method::kConnect);
  EXPECT_EQ(connect.local, s_.client.local());  // the control connection
  EXPECT_EQ(connect.view().FindAddress(AttributeType::kXorPeerAddress), kPeer);
  s_.Succeed(connect, [](MessageBuilder& b) { Add(b, ConnectionId{77}); });
  const auto pending = s_.Expect<event::ConnectionPending>();
  EXPECT_EQ(pending.id, ConnectionId{77});
  EXPECT_EQ(pending.origin, event::ConnectionOrigin::kConnect);
  s_.client.BindConnection(s_.now, pending.id, kSecond);
  const auto bind = s_.OnlySent();
  EXPECT_EQ(bind.method(), Method::kConnectionBind);
  EXPECT_EQ(bind.local, kSecond);
  EXPECT_EQ(Find<ConnectionId>(bind.view()), ConnectionId{77});
  EXPECT_EQ(s_.key.Verify(bind.view()), stun::IntegrityStatus::kValid);  // "the same … credentials"
  auto wrong = bind;
  wrong.local = s_.client.local();
  s_.Succeed(wrong);
  EXPECT_EQ(s_.client.dropped(ClientDrop::kWrongAddress), 1u);
  s_.Succeed(bind);
  EXPECT_EQ(s_.Expect<event::ConnectionBound>().peer, kPeer);
}

TEST_F(ClientTcpTest, NeverConnectsTwiceToOnePeer) {  // RFC 6062 §4.3
  Connected({1});
  EXPECT_EQ(s_.client.Connect(s_.now, kPeer).error(), ConnectError::kAlreadyConnecting);
  s_.client.HandleConnectionClosed({1});
  EXPECT_TRUE(s_.client.Connect(s_.now, kPeer));
}

TEST_F(ClientTcpTest, WaitsTenSecondsAfterAFailure) {  // RFC 6062 §4.3
  ASSERT_TRUE(s_.client.Connect(s_.now, kPeer));
  s_.Refuse(s_.OnlySent(), 447);
  const auto failed = s_.Expect<event::ConnectFailed>();
  EXPECT_EQ(failed.error_code, 447);
  EXPECT_EQ(failed.retry_after, 10s);
  EXPECT_EQ(s_.client.Connect(s_.now, kPeer).error(), ConnectError::kTooSoon);
  s_.now = s_.now + 10s;
  EXPECT_TRUE(s_.client.Connect(s_.now, kPeer));
}

TEST_F(ClientTcpTest, AcceptsAPermittedPeersConnection) {  // RFC 6062 §4.4
  Attempt({5}, kPeer);
  EXPECT_EQ(s_.client.dropped(ClientDrop::kNoPermission), 1u);  // T3
  ASSERT_TRUE(s_.client.AddPermission(s_.now, kPeer.ip));
  s_.Succeed(s_.OnlySent());
  s_.Expect<event::PermissionGranted>();
  Attempt({5}, kPeer);
  const auto pending = s_.Expect<event::ConnectionPending>();
  EXPECT_EQ(pending.origin, event::ConnectionOrigin::kPeer);
  EXPECT_EQ(pending.peer, kPeer);
  s_.client.BindConnection(s_.now, pending.id, kSecond);
  EXPECT_EQ(Find<ConnectionId>(s_.OnlySent().view()), ConnectionId{5});
}

TEST_F(ClientTcpTest, T11_AFloodOfAttemptsIsBounded) {
  ASSERT_TRUE(s_.client.AddPermission(s_.now, kPeer.ip));
  s_.Succeed(s_.OnlySent());
  s_.Expect<event::PermissionGranted>();
  for (uint32_t i = 0; i < 1000; ++i) Attempt({i}, kPeer);
  EXPECT_EQ(s_.client.dropped(ClientDrop::kTooManyConnections), 997u);
  Attempt({0}, kPeer);  // the same again
  EXPECT_EQ(s_.client.dropped(ClientDrop::kMalformed), 1u);
  s_.Run(30s);  // nobody binds them: forgotten, as the server forgets them
  Attempt({2000}, kPeer);
  EXPECT_EQ(s_.client.dropped(ClientDrop::kTooManyConnections), 997u);
}

TEST_F(ClientTcpTest, ARefusedBindingIsReported) {  // RFC 6062 §5.4
  Connected({9});
  s_.Expect<event::ConnectionPending>();
  s_.client.BindConnection(s_.now, {9}, kSecond);
  s_.Refuse(s_.OnlySent(), 400);
  const auto failed = s_.Expect<event::ConnectionBindFailed>();
  EXPECT_EQ(failed.id, ConnectionId{9});
  EXPECT_TRUE(s_.client.is_allocated());
  s_.client.BindConnection(s_.now, {9}, kSecond);
  EXPECT_TRUE(s_.Sent().empty());
}

TEST_F(ClientTcpTest, AClosedDataConnectionForgetsItsRequest) {
  Connected({9});
  s_.client.BindConnection(s_.now, {9}, kSecond);
  s_.client.HandleConnectionClosed({9});
  EXPECT_TRUE(s_.Sent().empty());
}

TEST_F(ClientTcpTest, DataGoesOverConnectionsOnly) {  // RFC 6062 §4.5
  std::array<uint8_t, 100> out;
  EXPECT_EQ(s_.client.Send(s_.now, kPeer, {}, out).error(), SendError::kNotAllocated);
  EXPECT_EQ(s_.client.Connect(s_.now, *SocketAddress::Parse("[2001:db8::1]:1")).error(), ConnectError::kWrongFamily);
}

TEST_F(ClientTcpTest, KeepsItsAllocation) {  // RFC 6062 §4.2, §4.6
  const auto sent = s_.Run(540s);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].method(), Method::kRefresh);
  EXPECT_EQ(sent[0].local, s_.client.local());
}

class ClientMobilityTest : public ::testing::Test {
 protected:
  static ClientOptions Options() {
    auto options = ScriptedServer::DefaultOptions();
    options.mobility = true;
    return options;
  }
  ClientMobilityTest() {
    s_.Allocate([](MessageBuilder& b) {
      ScriptedServer::AddAllocation(b);
      Add(b, MobilityTicket{kTicket});
    });
  }
  static constexpr std::array<uint8_t, 3> kTicket{7, 8, 9};
  ScriptedServer s_{Options()};
};

TEST_F(ClientMobilityTest, TakesItsAllocationAlong) {  // RFC 8016 §3.2
  const SocketAddress old = s_.client.local();
  ASSERT_TRUE(s_.client.Move(s_.now, kSecond));
  const auto request = s_.OnlySent();
  EXPECT_EQ(request.method(), Method::kRefresh);
  EXPECT_EQ(request.local, kSecond);
  EXPECT_TRUE(std::ranges::equal(Find<MobilityTicket>(request.view())->octets, kTicket));
  EXPECT_EQ(s_.client.local(), old);  // "can continue to exchange data on the old 5-tuple"
  EXPECT_EQ(s_.client.Move(s_.now, kSecond).error(), MoveError::kAlreadyMoving);
  const std::array<uint8_t, 2> next{1, 1};
  s_.Succeed(request, [&](MessageBuilder& b) {
    Add(b, Lifetime{600});
    Add(b, MobilityTicket{next});
  });
  EXPECT_EQ(s_.Expect<event::Moved>().local, kSecond);
  EXPECT_EQ(s_.client.local(), kSecond);
  ASSERT_TRUE(s_.client.Move(s_.now, old));  // with the new ticket
  EXPECT_TRUE(std::ranges::equal(Find<MobilityTicket>(s_.OnlySent().view())->octets, next));
}

TEST_F(ClientMobilityTest, ARefusedMoveLeavesTheAllocation) {  // RFC 8016 §3.2.2
  for (const uint16_t code : {uint16_t{400}, uint16_t{405}, uint16_t{437}, uint16_t{441}}) {
    ASSERT_TRUE(s_.client.Move(s_.now, kSecond));
    s_.Refuse(s_.OnlySent(), code);
    EXPECT_EQ(s_.Expect<event::MoveFailed>().error_code, code);
    EXPECT_TRUE(s_.client.is_allocated());
  }
}

TEST_F(ClientMobilityTest, AUsualRefreshHasNoTicket) {  // RFC 8016 §3.2.1
  const auto sent = s_.Run(540s);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_FALSE(sent[0].view().Has(AttributeType::kMobilityTicket));
}

TEST_F(ClientMobilityTest, WithoutATicketThereIsNoMove) {  // RFC 8016 §3.2.1
  EXPECT_EQ(s_.client.Move(s_.now, s_.client.local()).error(), MoveError::kNoTicket);
  ScriptedServer immobile;
  EXPECT_EQ(immobile.client.Move(immobile.now, kSecond).error(), MoveError::kNotAllocated);
  immobile.Allocate();
  EXPECT_EQ(immobile.client.Move(immobile.now, kSecond).error(), MoveError::kNoTicket);
}

}  // namespace
}  // namespace jsp::turn
