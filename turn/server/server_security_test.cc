// What a server must not be talked into: ATTACKS S4, S8, S9, T1 to T3, T6 to T10.
#include <gtest/gtest.h>

#include <array>
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

constexpr ChannelNumber kChannel{0x4000};
const std::array<uint8_t, 3> kData{1, 2, 3};

class ServerSecurityTest : public ::testing::Test {
 protected:
  TestServer s_;
  TestClient client_{s_, "203.0.113.9:4000"};
};

TEST_F(ServerSecurityTest, T1_NothingThatIsNotPublicIsReached) {  // RFC 8656 §10.2, §12.2
  client_.Allocate([](MessageBuilder& b) { Add(b, AdditionalAddressFamily{}); });
  for (const char* peer :
       {"127.0.0.1:80",   "127.255.0.1:80",     "0.0.0.0:80",   "10.0.0.1:80",        "172.16.0.1:80", "192.168.1.1:80",
        "100.64.0.1:80",  "169.254.169.254:80", "224.0.0.1:80", "255.255.255.255:80", "240.0.0.1:80",  "198.18.0.1:80",
        "203.0.113.1:80", "[::1]:80",           "[::]:80",      "[fe80::1]:80",       "[fc00::1]:80",  "[fd12::1]:80",
        "[ff02::1]:80",   "[2001:db8:2::1]:80", "[100::1]:80"}) {
    EXPECT_EQ(client_.Permit(peer), 403) << peer;
    EXPECT_EQ(client_.Bind(kChannel, peer), 403) << peer;
  }
}

TEST_F(ServerSecurityTest, T2_NorInAnyIpv6Dress) {
  client_.Allocate([](MessageBuilder& b) { Add(b, AdditionalAddressFamily{}); });
  for (const char* peer : {"[::ffff:127.0.0.1]:80", "[::ffff:10.0.0.1]:80", "[::127.0.0.1]:80", "[64:ff9b::7f00:1]:80",
                           "[64:ff9b:1::a00:1]:80", "[2002:7f00:1::1]:80", "[2002:a00:1::1]:80",
                           "[2001:0:5ef5:79fb::80ff:fffe]:80", "[::ffff:0:127.0.0.1]:80"}) {
    EXPECT_EQ(client_.Permit(peer), 403) << peer;
    EXPECT_EQ(client_.Bind(kChannel, peer), 403) << peer;
  }
}

TEST_F(ServerSecurityTest, T1_OurListenersAreNotReached) {
  client_.Allocate();
  EXPECT_EQ(client_.Bind(kChannel, "192.0.2.1:3478"), 403);
  ASSERT_EQ(client_.Permit("192.0.2.1:1"), 0);  // the address of relays: see below
  EXPECT_TRUE(client_.SendTo("192.0.2.1:3478", kData).empty());
  EXPECT_TRUE(client_.SendTo("192.0.2.1:22", kData).empty());  // nor anything else on it
  EXPECT_EQ(s_.server.dropped(ServerDrop::kForbiddenPeer), 2u);
  auto options = TestServer::DefaultOptions();
  options.policy.Allow(*Prefix::Parse("127.0.0.0/8"));
  options.listeners[0].address = *SocketAddress::Parse("0.0.0.0:3478");
  TestServer wildcard(options);
  TestClient client(wildcard, "203.0.113.9:1");
  client.Allocate();
  EXPECT_EQ(client.Bind(kChannel, "127.0.0.1:3478"), 403);
  EXPECT_EQ(client.Bind(kChannel, "127.0.0.1:3479"), 0);
}

TEST_F(ServerSecurityTest, OurOwnRelaysAreReached) {  // two of our clients, one for the other
  TestClient other(s_, "203.0.113.10:4000", TestServer::kTcp, "other", "word");
  client_.Allocate();
  other.Allocate();
  const std::string to_other = other.relayed.ToString();
  ASSERT_EQ(client_.Permit(to_other), 0);
  ASSERT_EQ(other.Bind(kChannel, client_.relayed.ToString()), 0);
  EXPECT_EQ(client_.SendTo(to_other, kData).at(0).to.peer, other.relayed);
  EXPECT_EQ(s_.FromPeer(other.relayed, client_.relayed, kData).at(0).path, other.path);
  EXPECT_EQ(client_.Bind(kChannel, "192.0.2.1:1"), 403);  // no relay there
}

TEST_F(ServerSecurityTest, T10_ARelayIsNobodysClient) {
  client_.Allocate();
  TestClient loop(s_, client_.relayed.ToString());
  EXPECT_EQ(loop.Allocate().code(), 403);
  EXPECT_EQ(s_.server.allocations(), 1u);
}

// The port numbers of TCP and UDP are different ones. A TCP client's port, which its system picks, may be the number of
// a UDP relay on the same host: it is no relay, and gets what it asks for.
TEST_F(ServerSecurityTest, T10_ATcpClientWithTheNumberOfAUdpRelayIsNone) {
  client_.Allocate();
  const std::string relayed = client_.relayed.ToString();
  TestClient other(s_, relayed, TestServer::kTcp);
  EXPECT_EQ(other.Allocate().code(), 0);
  TestClient tcp_owner(s_, "203.0.113.10:4000", TestServer::kTcp);
  tcp_owner.Ask(Method::kAllocate, [](MessageBuilder& b) { Add(b, RequestedTransport{RelayProtocol::kTcp}); });
  ASSERT_EQ(s_.open.size(), 3u);
  TestClient loop(s_, s_.open.back().first.ToString(), TestServer::kTcp);
  EXPECT_EQ(loop.Allocate().code(), 403);  // a TCP relay may well connect to us
}

TEST_F(ServerSecurityTest, T1_ARelayMayHaveTheNumberOfAListenerOfTheOtherTransport) {
  auto options = TestServer::DefaultOptions();
  options.listeners[1].address.port = 50000;
  options.relay_ports = {50000, 50000};
  TestServer s(options);
  TestClient other(s, "203.0.113.10:4000");
  ASSERT_EQ(other.Allocate().code(), 0);
  ASSERT_EQ(other.relayed.port, 50000);
  TestClient tcp(s, "203.0.113.9:4000", TestServer::kTcp);
  tcp.Ask(Method::kAllocate, [](MessageBuilder& b) { Add(b, RequestedTransport{RelayProtocol::kTcp}); });
  // To the other one's relay by UDP, and by TCP to the listener.
  EXPECT_EQ(other.Bind(kChannel, "192.0.2.1:50000"), 0);
  EXPECT_EQ(tcp.Ask(Method::kConnect,
                    [](MessageBuilder& b) {
                      b.AddAddress(AttributeType::kXorPeerAddress, *SocketAddress::Parse("192.0.2.1:50000"));
                    })
                .code(),
            403);
}

TEST_F(ServerSecurityTest, T6_StrangersLeaveNothingBehind) {
  for (uint32_t i = 0; i < 2000; ++i) {
    TestClient stranger(s_, IpAddress::V4(0x0b000000 + i * 1021).ToString() + ":1", TestServer::kUdp, "who", "knows");
    const auto response =
        stranger.Exchange(stranger.Build(Method::kAllocate, [](MessageBuilder& b) { Add(b, RequestedTransport{}); }));
    ASSERT_TRUE(response);
    EXPECT_EQ(response->code(), 401);
  }
  EXPECT_EQ(s_.server.allocations(), 0u);
  EXPECT_EQ(s_.server.NextTimeout(), Timestamp::Never());
  EXPECT_TRUE(s_.open.empty());
}

TEST_F(ServerSecurityTest, S8_AnAnswerToAStrangerIsSmall) {
  TestClient stranger(s_, "203.0.113.66:1");
  const auto request = stranger.Build(Method::kAllocate, [](MessageBuilder& b) { Add(b, RequestedTransport{}); });
  const auto response = stranger.Exchange(request);
  // Header, ERROR-CODE without a phrase, REALM, NONCE, PASSWORD-ALGORITHMS: what RFC 8489 §9.2.4 asks for.
  EXPECT_EQ(response->octets.size(), 20u + 8 + 16 + 40 + 12);
  EXPECT_TRUE(response->view().FindError()->reason.empty());
  const auto bare = stranger.Exchange(stranger.Build(Method::kAllocate, [](MessageBuilder& b) {
    b.AddText(AttributeType::kUsername, "user").AddIntegrity(crypto::HmacSha1Key(crypto::AsBytes("x")));
  }));
  EXPECT_EQ(bare->code(), 400);
  EXPECT_EQ(bare->octets.size(), 28u);
}

TEST_F(ServerSecurityTest, S8_ASourceGetsSoManyAnswersAndNoMore) {
  auto options = TestServer::DefaultOptions();
  options.limits.unauthenticated_per_second = 5;
  TestServer s(options);
  const auto answered = [&](std::string_view address, int requests) {
    int answers = 0;
    for (int i = 0; i < requests; ++i) {
      TestClient stranger(s, std::string(address) + ":" + std::to_string(i + 1));
      answers += stranger.Exchange(stranger.Build(Method::kAllocate)).has_value();
    }
    return answers;
  };
  EXPECT_EQ(answered("203.0.113.66", 200), 50);  // ten seconds' worth
  EXPECT_EQ(s.server.dropped(ServerDrop::kRateLimited), 150u);
  s.Advance(2s);
  EXPECT_EQ(answered("203.0.113.66", 200), 10);
  EXPECT_EQ(answered("203.0.113.67", 20), 20);                                       // another source
  EXPECT_EQ(answered("[2001:db8:5::1]", 40) + answered("[2001:db8:5::2]", 40), 50);  // one /64
}

TEST_F(ServerSecurityTest, S8_UsersAreNotLimited) {
  auto options = TestServer::DefaultOptions();
  options.limits.unauthenticated_per_second = 1;
  TestServer s(options);
  TestClient client(s, "203.0.113.9:1");
  client.Allocate();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.Refresh(600), 0);
}

TEST_F(ServerSecurityTest, S8_ManyUsersBehindOneAddressAreNotLimited) {  // each has answered its challenge
  auto options = TestServer::DefaultOptions();
  options.limits.unauthenticated_per_second = 1;
  TestServer s(options);
  for (int i = 1; i <= 200; ++i) {
    TestClient client(s, "203.0.113.9:" + std::to_string(i));
    ASSERT_EQ(client.Allocate().code(), 0) << i;
  }
}

TEST_F(ServerSecurityTest, UnpolledAnswersAreBounded) {
  auto options = TestServer::DefaultOptions();
  options.limits.queued_responses = 10;
  options.limits.unauthenticated_per_second = 0;
  TestServer s(options);
  TestClient stranger(s, "203.0.113.66:1");
  for (int i = 0; i < 50; ++i) s.FromClient(stranger.path, stranger.Build(Method::kAllocate));
  EXPECT_EQ(s.server.dropped(ServerDrop::kOverload), 40u);
  int answers = 0;
  while (s.Poll()) ++answers;
  EXPECT_EQ(answers, 10);
}

TEST_F(ServerSecurityTest, T9_OverlongTextsAreRefusedBeforeTheyAreCopied) {
  const std::vector<uint8_t> overlong(735, 'x');
  for (const auto type : {AttributeType::kUsername, AttributeType::kRealm, AttributeType::kNonce}) {
    for (const size_t size : {735u, 763u, 764u, 5000u}) {
      std::vector<uint8_t> out(65535);
      MessageBuilder b(out, {Method::kAllocate, MessageClass::kRequest}, {});
      b.Add(type, std::vector<uint8_t>(size, 'x')).AddIntegrity(crypto::HmacSha1Key(crypto::AsBytes("x")));
      const auto response = client_.Exchange(b.Finish());
      ASSERT_TRUE(response);
      EXPECT_EQ(response->code(), 400);
      EXPECT_LE(response->octets.size(), Server::kMaxResponse);
    }
  }
}

TEST_F(ServerSecurityTest, S9_AReplayFromAnotherHostIsStale) {  // RFC 8489 §9.2.4
  client_.Allocate();
  const auto request = client_.Build(Method::kAllocate, [](MessageBuilder& b) { Add(b, RequestedTransport{}); });
  TestClient thief(s_, "203.0.113.77:1");
  const auto response = thief.Exchange(request);
  EXPECT_EQ(response->code(), 438);
  EXPECT_EQ(s_.server.allocations(), 1u);
}

TEST_F(ServerSecurityTest, S6_EveryFlippedOctetOfARequestIsNoticed) {
  client_.Allocate();
  const auto good = client_.Build(Method::kCreatePermission, [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorPeerAddress, *SocketAddress::Parse("198.51.100.5:1"));
  });
  for (size_t i = 0; i < good.size(); ++i) {
    auto request = good;
    request[i] ^= 0x21;
    const auto response = client_.Exchange(request);
    EXPECT_TRUE(!response || response->code() >= 400) << i;
  }
  EXPECT_TRUE(client_.SendTo("198.51.100.5:1", kData).empty());
  EXPECT_EQ(client_.Exchange(good)->code(), 0);
}

TEST_F(ServerSecurityTest, OtherMessagesHaveNoAnswer) {
  std::array<uint8_t, 40> out;
  for (const auto& type : {stun::MessageType{Method::kAllocate, MessageClass::kSuccessResponse},
                           {Method::kAllocate, MessageClass::kErrorResponse},
                           {Method::kAllocate, MessageClass::kIndication},
                           {Method::kData, MessageClass::kIndication},
                           {Method::kSend, MessageClass::kRequest},
                           {static_cast<Method>(0x00d), MessageClass::kRequest}}) {
    s_.FromClient(client_.path, MessageBuilder(out, type, {}).Finish());
  }
  EXPECT_FALSE(s_.Poll());
  EXPECT_EQ(s_.server.dropped(ServerDrop::kUnexpected), 6u);
  MessageBuilder b(out, {Method::kAllocate, MessageClass::kRequest}, {});
  s_.FromClient(client_.path, b.AddU32(AttributeType::kFingerprint, 1).Finish());
  EXPECT_EQ(s_.server.dropped(ServerDrop::kBadFingerprint), 1u);
}

TEST_F(ServerSecurityTest, AnonymousUsersAreFound) {  // RFC 8489 §14.4
  auto options = TestServer::DefaultOptions();
  options.features.username_anonymity = true;
  TestServer s(options);
  TestClient client(s, "203.0.113.9:1");
  EXPECT_EQ(client.Allocate().code(), 0);
  TestClient nobody(s, "203.0.113.9:2", TestServer::kUdp, "nobody", "pass");
  EXPECT_EQ(nobody.Allocate().code(), 401);
}

TEST_F(ServerSecurityTest, ARemovedUserMakesNoNewAllocation) {
  client_.Allocate();
  s_.server.SetCredentials({});
  EXPECT_EQ(client_.Refresh(600), 0);  // what exists lives on
  TestClient next(s_, "203.0.113.9:4001");
  EXPECT_EQ(next.Allocate().code(), 401);
}

}  // namespace
}  // namespace jsp::turn
