// Refresh, permissions, channels, and who may ask: RFC 8656 §5, §8, §10, §12.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "stun/error_code.h"
#include "turn/server/testing/test_server.h"
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

constexpr ChannelNumber kChannel{0x4000};

class ServerRequestsTest : public ::testing::Test {
 protected:
  void AllocateBoth() {
    ASSERT_EQ(client_.Allocate([](MessageBuilder& b) { Add(b, AdditionalAddressFamily{}); }).code(), 0);
  }
  bool PeerReaches(std::string_view peer) {
    const auto address = *SocketAddress::Parse(peer);
    const std::array<uint8_t, 3> data{1, 2, 3};
    return !s_.FromPeer(address.ip.is_v4() ? client_.relayed : client_.relayed_v6, address, data).empty();
  }
  uint16_t PermitAll(const std::vector<std::string_view>& peers) {
    return client_
        .Ask(Method::kCreatePermission,
             [&](MessageBuilder& b) {
               for (const auto peer : peers) b.AddAddress(AttributeType::kXorPeerAddress, *SocketAddress::Parse(peer));
             })
        .code();
  }

  TestServer s_;
  TestClient client_{s_, "203.0.113.9:4000"};
};

TEST_F(ServerRequestsTest, WithoutAnAllocationIs437) {  // RFC 8656 §5
  EXPECT_EQ(client_.Refresh(600), 437);
  EXPECT_EQ(client_.Permit("198.51.100.5:1"), 437);
  EXPECT_EQ(client_.Bind(kChannel, "198.51.100.5:1"), 437);
  EXPECT_EQ(client_.Ask(Method::kConnect).code(), 437);  // RFC 6062 §5.2
}

TEST_F(ServerRequestsTest, ARelayIsReadFromItsFirstPermissionOn) {  // RFC 8656 §9
  AllocateBoth();
  EXPECT_TRUE(s_.read.empty());
  EXPECT_EQ(client_.Permit("10.0.0.1:1"), 403);
  EXPECT_TRUE(s_.read.empty());
  const RelayHandle v4 = s_.HandleOf(client_.relayed), v6 = s_.HandleOf(client_.relayed_v6);
  EXPECT_EQ(client_.Permit("198.51.100.5:1"), 0);
  EXPECT_EQ(s_.read, std::vector{v4});
  EXPECT_EQ(client_.Permit("198.51.100.6:1"), 0);
  EXPECT_EQ(client_.Bind(kChannel, "198.51.100.5:1"), 0);
  EXPECT_EQ(s_.read, std::vector{v4}) << "once is enough";
  EXPECT_EQ(client_.Bind(ChannelNumber{0x4001}, "[2001:db8:1::5]:1"), 0);
  EXPECT_EQ(s_.read, (std::vector{v4, v6}));
}

TEST_F(ServerRequestsTest, ARelayThatIsLostEndsItsPartOfTheAllocation) {  // as RFC 8656 §8.1 of one family
  AllocateBoth();
  s_.server.HandleRelayFailed(s_.now, s_.HandleOf(client_.relayed));
  EXPECT_EQ(client_.Permit("198.51.100.5:1"), 443);
  EXPECT_EQ(client_.Permit("[2001:db8:1::5]:1"), 0);
  s_.server.HandleRelayFailed(s_.now, s_.HandleOf(client_.relayed_v6));
  EXPECT_EQ(client_.Permit("[2001:db8:1::5]:1"), 437);
  EXPECT_EQ(s_.server.allocations(), 0u);
  EXPECT_TRUE(s_.open.empty());
}

TEST_F(ServerRequestsTest, ADtlsHandshakeIsDroppedAndCounted) {  // RFC 8656 §5 declined: docs/turn.md#refusals
  const std::array<uint8_t, 14> client_hello{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1};  // RFC 6347 §4.1
  s_.FromClient(client_.path, client_hello);
  EXPECT_EQ(s_.server.dropped(ServerDrop::kUnparsable), 1u);
  EXPECT_FALSE(s_.Poll());
}

TEST_F(ServerRequestsTest, T8_AnotherUserIs441) {  // RFC 8656 §5
  client_.Allocate();
  TestClient other(s_, "203.0.113.9:4000", TestServer::kUdp, "other", "word");
  EXPECT_EQ(other.Refresh(0), 441);
  EXPECT_EQ(other.Permit("198.51.100.5:1"), 441);
  EXPECT_EQ(other.Bind(kChannel, "198.51.100.5:1"), 441);
  EXPECT_EQ(s_.server.allocations(), 1u);
  TestClient stranger(s_, "203.0.113.9:4000", TestServer::kUdp, "user", "guess");
  EXPECT_EQ(stranger.Refresh(0), 401);
  EXPECT_EQ(client_.Refresh(0), 0);
}

TEST_F(ServerRequestsTest, AStaleNonceIs438AndTheNextIsGood) {  // RFC 8656 §5, RFC 8489 §9.2.4
  client_.Allocate([](MessageBuilder& b) { Add(b, Lifetime{3600}); });
  s_.Advance(3599s);
  const auto generation = client_.credentials.generation();
  EXPECT_EQ(client_.Refresh(3600), 0);
  EXPECT_EQ(client_.credentials.generation(), generation);
  s_.Advance(2s);
  EXPECT_EQ(client_.Refresh(3600), 0);
  EXPECT_EQ(client_.credentials.generation(), generation + 1);  // one 438
}

TEST_F(ServerRequestsTest, ARefreshSetsWhatItSays) {  // RFC 8656 §8.2
  client_.Allocate();
  const auto given = [&](uint32_t wish) {
    const auto response = client_.Ask(Method::kRefresh, [&](MessageBuilder& b) { Add(b, Lifetime{wish}); });
    return Find<Lifetime>(response.view())->seconds;
  };
  EXPECT_EQ(given(300), 600u);
  EXPECT_EQ(given(1000), 1000u);
  EXPECT_EQ(given(100000), 3600u);
  s_.Advance(3599s);
  EXPECT_EQ(s_.server.allocations(), 1u);
  EXPECT_EQ(given(600), 600u);  // may be shorter than what was left before
  s_.Advance(600s);
  EXPECT_EQ(s_.server.allocations(), 0u);
}

TEST_F(ServerRequestsTest, ManyRefreshesDoNotLetTheDeadlinesGrow) {
  client_.Allocate();
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(client_.Refresh(3600), 0);
    EXPECT_EQ(client_.Refresh(600), 0);
  }
  s_.Advance(600s);
  EXPECT_EQ(s_.server.allocations(), 0u);
  EXPECT_EQ(s_.server.NextTimeout(), Timestamp::Never());
}

TEST_F(ServerRequestsTest, ZeroDeletesAtOnce) {  // RFC 8656 §8.2
  client_.Allocate();
  ASSERT_EQ(client_.Permit("198.51.100.5:1"), 0);
  EXPECT_EQ(client_.Refresh(0), 0);
  EXPECT_TRUE(s_.open.empty());
  EXPECT_FALSE(PeerReaches("198.51.100.5:1"));
  EXPECT_EQ(client_.Permit("198.51.100.5:1"), 437);
  EXPECT_EQ(client_.Refresh(0), 437);  // RFC 8656 §8.3: as good to a client
  EXPECT_EQ(s_.server.metrics().allocations_deleted, 1u);
}

TEST_F(ServerRequestsTest, OneFamilyGoesAndTheOtherStays) {  // RFC 8656 §8.1
  AllocateBoth();
  ASSERT_EQ(client_.Permit("198.51.100.5:1"), 0);
  ASSERT_EQ(client_.Permit("[2001:db8:1::5]:1"), 0);
  ASSERT_EQ(client_.Bind(kChannel, "198.51.100.5:1"), 0);
  EXPECT_TRUE(PeerReaches("198.51.100.5:1"));
  EXPECT_TRUE(PeerReaches("[2001:db8:1::5]:1"));
  const auto refresh = [&](AddressFamily family, uint32_t seconds) {
    return client_
        .Ask(Method::kRefresh,
             [&](MessageBuilder& b) {
               Add(b, RequestedAddressFamily{family});
               Add(b, Lifetime{seconds});
             })
        .code();
  };
  EXPECT_EQ(refresh(AddressFamily::kV6, 0), 0);
  EXPECT_TRUE(PeerReaches("198.51.100.5:1"));
  EXPECT_FALSE(PeerReaches("[2001:db8:1::5]:1"));
  EXPECT_EQ(refresh(AddressFamily::kV6, 600), 443);  // RFC 8656 §8.2
  EXPECT_EQ(client_.Permit("[2001:db8:1::5]:1"), 443);
  EXPECT_EQ(refresh(AddressFamily::kV4, 0), 0);
  EXPECT_EQ(s_.server.allocations(), 0u);
}

TEST_F(ServerRequestsTest, EachFamilyHasItsOwnTime) {  // RFC 8656 §6, §8.1
  AllocateBoth();
  s_.Advance(300s);
  EXPECT_EQ(client_.Ask(Method::kRefresh, [](MessageBuilder& b) { Add(b, RequestedAddressFamily{}); }).code(), 0);
  s_.Advance(300s);
  EXPECT_EQ(s_.open.size(), 1u);  // IPv6 has expired
  EXPECT_EQ(s_.open[0].first, client_.relayed);
  s_.Advance(300s);
  EXPECT_EQ(s_.server.allocations(), 0u);
}

TEST_F(ServerRequestsTest, AFamilyThatIsNoneIs443) {  // RFC 8656 §8.2
  client_.Allocate();
  for (const uint8_t family : {uint8_t{0}, uint8_t{2}, uint8_t{9}}) {
    const auto response = client_.Ask(Method::kRefresh, [&](MessageBuilder& b) {
      Add(b, RequestedAddressFamily{static_cast<AddressFamily>(family)});
    });
    EXPECT_EQ(response.code(), 443) << int{family};
  }
}

TEST_F(ServerRequestsTest, T4_APermissionIsForAnAddressWhateverThePort) {  // RFC 8656 §9
  client_.Allocate();
  EXPECT_FALSE(PeerReaches("198.51.100.5:1"));
  ASSERT_EQ(client_.Permit("198.51.100.5:7"), 0);
  EXPECT_TRUE(PeerReaches("198.51.100.5:7"));
  EXPECT_TRUE(PeerReaches("198.51.100.5:65535"));
  EXPECT_FALSE(PeerReaches("198.51.100.6:7"));
  s_.Advance(299s);
  EXPECT_TRUE(PeerReaches("198.51.100.5:7"));
  s_.Advance(1s);
  EXPECT_FALSE(PeerReaches("198.51.100.5:7"));
}

TEST_F(ServerRequestsTest, PermissionsGoWithTheirAllocation) {  // RFC 8656 §9
  ServerOptions options = TestServer::DefaultOptions();
  options.relay_ports = {50000, 50000};
  TestServer s(options);
  TestClient client(s, "203.0.113.9:1");
  client.Allocate();
  ASSERT_EQ(client.Permit("198.51.100.5:1"), 0);
  ASSERT_EQ(client.Refresh(0), 0);
  client.Allocate();  // the same port
  EXPECT_EQ(client.relayed.port, 50000);
  EXPECT_TRUE(s.FromPeer(client.relayed, *SocketAddress::Parse("198.51.100.5:1"), std::array<uint8_t, 1>{}).empty());
}

TEST_F(ServerRequestsTest, SeveralPermissionsAtOnceOrNone) {  // RFC 8656 §10.2
  client_.Allocate();
  EXPECT_EQ(PermitAll({"198.51.100.5:1", "198.51.100.6:1", "198.51.100.5:2"}), 0);
  EXPECT_TRUE(PeerReaches("198.51.100.5:1"));
  EXPECT_TRUE(PeerReaches("198.51.100.6:1"));
  EXPECT_EQ(PermitAll({"198.51.100.7:1", "127.0.0.1:1"}), 403);
  EXPECT_FALSE(PeerReaches("198.51.100.7:1"));
  EXPECT_EQ(PermitAll({"198.51.100.7:1", "[2001:db8:1::5]:1"}), 443);
  EXPECT_FALSE(PeerReaches("198.51.100.7:1"));
  EXPECT_EQ(PermitAll({}), 400);
  const auto broken = client_.Ask(Method::kCreatePermission, [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorPeerAddress, *SocketAddress::Parse("198.51.100.7:1"));
    b.Add(AttributeType::kXorPeerAddress, std::array<uint8_t, 7>{});
  });
  EXPECT_EQ(broken.code(), 400);  // S2
}

TEST_F(ServerRequestsTest, PermissionsAreBounded) {  // RFC 8656 §10.2: 508
  ServerOptions options = TestServer::DefaultOptions();
  options.limits.permissions = 2;
  TestServer s(options);
  TestClient client(s, "203.0.113.9:1");
  client.Allocate();
  EXPECT_EQ(client.Permit("198.51.100.5:1"), 0);
  EXPECT_EQ(client.Permit("198.51.100.6:1"), 0);
  EXPECT_EQ(client.Permit("198.51.100.7:1"), 508);
  EXPECT_EQ(client.Permit("198.51.100.6:1"), 0);  // refreshes
  EXPECT_EQ(client.Bind(kChannel, "198.51.100.7:1"), 508);
  s.Advance(300s);
  EXPECT_EQ(client.Permit("198.51.100.7:1"), 0);  // expired ones make room
}

TEST_F(ServerRequestsTest, BindsChannels) {  // RFC 8656 §12.2
  client_.Allocate();
  EXPECT_EQ(client_.Bind(kChannel, "198.51.100.5:1"), 0);
  EXPECT_EQ(client_.Bind(kChannel, "198.51.100.5:1"), 0);    // refreshed
  EXPECT_EQ(client_.Bind(kChannel, "198.51.100.5:2"), 400);  // another peer
  EXPECT_EQ(client_.Bind({0x4001}, "198.51.100.5:1"), 400);  // another number
  EXPECT_EQ(client_.Bind({0x4fff}, "198.51.100.5:2"), 0);
  EXPECT_EQ(client_.Bind({0x4001}, "[2001:db8:1::5]:1"), 443);
  EXPECT_EQ(client_.Bind({0x4001}, "10.0.0.1:1"), 403);
}

TEST_F(ServerRequestsTest, T5_ChannelNumbersHaveTheirRange) {  // RFC 8656 §12.2
  client_.Allocate();
  for (const unsigned number : {0u, 0x3fffu, 0x5000u, 0x7fffu, 0x8000u, 0xffffu}) {
    EXPECT_EQ(client_.Bind({static_cast<uint16_t>(number)}, "198.51.100.5:1"), 400) << number;
  }
  EXPECT_EQ(client_.Ask(Method::kChannelBind, [](MessageBuilder& b) { Add(b, kChannel); }).code(), 400);
  EXPECT_EQ(client_
                .Ask(Method::kChannelBind,
                     [](MessageBuilder& b) {
                       b.AddAddress(AttributeType::kXorPeerAddress, *SocketAddress::Parse("198.51.100.5:1"));
                     })
                .code(),
            400);
}

TEST_F(ServerRequestsTest, ABindingIsAPermissionButOutlivesIt) {  // RFC 8656 §12.2
  client_.Allocate();
  ASSERT_EQ(client_.Bind(kChannel, "198.51.100.5:1"), 0);
  EXPECT_TRUE(PeerReaches("198.51.100.5:1"));
  EXPECT_TRUE(PeerReaches("198.51.100.5:2"));
  s_.Advance(310s);
  EXPECT_FALSE(PeerReaches("198.51.100.5:1"));
  EXPECT_EQ(client_.Bind(kChannel, "198.51.100.6:1"), 400);  // still bound
  ASSERT_EQ(client_.Refresh(600), 0);
  s_.Advance(290s);
  EXPECT_EQ(client_.Bind(kChannel, "198.51.100.6:1"), 0);  // RFC 8656 §12: unbound after ten minutes
}

TEST_F(ServerRequestsTest, LegacyChannelsForLegacyClientsOnly) {  // docs/turn.md
  ServerOptions options = TestServer::DefaultOptions();
  options.channels = ChannelRange::kLegacy;
  TestServer s(options);
  TestClient modern(s, "203.0.113.9:1");
  modern.Allocate();
  EXPECT_EQ(modern.Bind({0x5000}, "198.51.100.5:1"), 400);
  options.features.password_algorithms = false;  // a client that is offered nothing answers nothing
  TestServer old(options);
  TestClient legacy(old, "203.0.113.9:1");
  legacy.Allocate();
  EXPECT_EQ(legacy.Bind({0x7fff}, "198.51.100.5:1"), 0);
  EXPECT_EQ(legacy.Bind({0x8000}, "198.51.100.6:1"), 400);
  const std::array<uint8_t, 6> message{0x7f, 0xff, 0, 2, 1, 2};
  EXPECT_EQ(old.FromClient(legacy.path, message).size(), 1u);
}

TEST_F(ServerRequestsTest, UnknownRequiredAttributesAre420ForUsersOnly) {  // RFC 8489 §6.3.1; S4
  const auto flood = [](MessageBuilder& b) {
    for (uint16_t i = 0; i < 200; ++i) b.AddFlag(static_cast<AttributeType>(0x7000 + i));
  };
  const auto stranger = client_.Exchange(client_.Build(Method::kRefresh, flood));
  EXPECT_EQ(stranger->code(), 401);
  client_.Allocate();
  const auto response = client_.Ask(Method::kRefresh, flood);
  EXPECT_EQ(response.code(), 420);
  EXPECT_EQ(response.view().Find(AttributeType::kUnknownAttributes)->size(), 32u);  // S4: 16 of them
}

TEST_F(ServerRequestsTest, EveryAnswerToAUserIsAuthentic) {  // RFC 8489 §9.2.4
  client_.Allocate();
  const auto peer = [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorPeerAddress, *SocketAddress::Parse("198.51.100.5:1"));
  };
  for (const auto& response : {client_.Ask(Method::kRefresh), client_.Ask(Method::kCreatePermission, peer),
                               client_.Ask(Method::kCreatePermission), client_.Ask(Method::kChannelBind, peer)}) {
    EXPECT_EQ(client_.credentials.Verify(response.view()), stun::IntegrityStatus::kValid);
  }
}

TEST_F(ServerRequestsTest, EveryErrorSaysItsCodeAndNoOtherReason) {  // RFC 8489 §6.3.1.1, §14.8
  const auto expect = [](const TestServer::Message& message, uint16_t code, std::string_view reason) {
    EXPECT_EQ(message.view().message_class(), stun::MessageClass::kErrorResponse);
    const auto error = message.view().FindError();
    ASSERT_TRUE(error) << code;
    EXPECT_EQ(error->code, code);
    EXPECT_EQ(error->reason, reason);
  };
  expect(*client_.Exchange(client_.Build(Method::kAllocate)), 401, "");  // strangers get no phrase: S8
  expect(client_.Ask(Method::kRefresh), 437, stun::ReasonPhrase(437));
  client_.Allocate();
  expect(client_.Ask(Method::kChannelBind), 400, stun::ReasonPhrase(400));
  const auto unknown = [](MessageBuilder& b) { b.AddFlag(static_cast<AttributeType>(0x7000)); };
  expect(client_.Ask(Method::kRefresh, unknown), 420, "");
  const auto late = client_.Build(Method::kRefresh);
  s_.Advance(1h);
  expect(*client_.Exchange(late), 438, "");
}

TEST_F(ServerRequestsTest, AnUnknownUserIsChallengedAgain) {  // RFC 8489 §9.2.4
  TestClient nobody(s_, "203.0.113.9:4002", TestServer::kUdp, "nobody", "pass");
  const auto response = nobody.Ask(Method::kAllocate, [](MessageBuilder& b) { Add(b, RequestedTransport{}); });
  ASSERT_TRUE(nobody.credentials.has_challenge());  // the request that this answers had a good nonce
  EXPECT_EQ(response.code(), 401);
  const auto view = response.view();
  EXPECT_EQ(view.FindText(AttributeType::kRealm), "example.org");
  EXPECT_TRUE(view.Has(AttributeType::kNonce));
  EXPECT_TRUE(view.Has(AttributeType::kPasswordAlgorithms));
  EXPECT_FALSE(view.Has(AttributeType::kUsername));
  EXPECT_FALSE(view.Has(AttributeType::kUserhash));
  EXPECT_EQ(s_.server.allocations(), 0u);
}

TEST_F(ServerRequestsTest, AnswersWithAFingerprintWhoSendsOne) {
  const auto request = client_.Build(Method::kRefresh);
  EXPECT_EQ(client_.Exchange(request)->view().VerifyFingerprint(), stun::IntegrityStatus::kAbsent);
  std::array<uint8_t, 40> out;
  MessageBuilder b(out, {Method::kAllocate, stun::MessageClass::kRequest}, {});
  const auto response = client_.Exchange(b.AddFingerprint().Finish());
  EXPECT_EQ(response->view().VerifyFingerprint(), stun::IntegrityStatus::kValid);
}

}  // namespace
}  // namespace jsp::turn
