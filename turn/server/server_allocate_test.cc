// Allocations: RFC 8656 §5 to §8 at the server.
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "turn/server/testing/test_server.h"
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

uint32_t LifetimeOf(const TestServer::Message& message) {
  return Find<Lifetime>(message.view()).value_or(Lifetime{0}).seconds;
}

class ServerAllocateTest : public ::testing::Test {
 protected:
  ServerOptions options_ = TestServer::DefaultOptions();
  TestServer s_;
  TestClient client_{s_, "203.0.113.9:4000"};
};

TEST_F(ServerAllocateTest, ChallengesFirst) {  // RFC 8656 §7.2, RFC 8489 §9.2.4
  const auto response =
      client_.Exchange(client_.Build(Method::kAllocate, [](MessageBuilder& b) { Add(b, RequestedTransport{}); }));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->code(), 401);
  EXPECT_EQ(response->view().FindText(AttributeType::kRealm), "example.org");
  EXPECT_TRUE(response->view().Has(AttributeType::kNonce));
  EXPECT_TRUE(response->view().Has(AttributeType::kPasswordAlgorithms));
  EXPECT_EQ(s_.server.allocations(), 0u);
}

TEST_F(ServerAllocateTest, AnswersWithEverythingThatAClientNeeds) {  // RFC 8656 §7.2
  const auto response = client_.Allocate();
  EXPECT_EQ(response.code(), 0);
  EXPECT_EQ(response.path, client_.path);
  EXPECT_EQ(client_.relayed.ip.ToString(), "192.0.2.1");
  EXPECT_EQ(response.view().FindAddress(AttributeType::kXorMappedAddress), client_.path.client);
  EXPECT_EQ(LifetimeOf(response), 600u);
  EXPECT_EQ(client_.credentials.Verify(response.view()), stun::IntegrityStatus::kValid);
  EXPECT_FALSE(response.view().Has(AttributeType::kReservationToken));
  EXPECT_EQ(s_.server.allocations(), 1u);
  EXPECT_EQ(s_.open.size(), 1u);
  EXPECT_EQ(s_.server.metrics().allocations_created, 1u);
}

TEST_F(ServerAllocateTest, RelayedAddressesAreUniqueRandomAndInRange) {  // RFC 8656 §6, §7.2
  std::set<uint16_t> ports;
  size_t ascending = 0;
  uint16_t before = 0;
  for (uint16_t i = 1; i <= 200; ++i) {
    TestClient client(s_, "203.0.113.9:" + std::to_string(4000 + i));
    ASSERT_EQ(client.Allocate().code(), 0);
    EXPECT_GE(client.relayed.port, 49152);
    ports.insert(client.relayed.port);
    ascending += client.relayed.port > before ? 1 : 0;
    before = client.relayed.port;
  }
  EXPECT_EQ(ports.size(), 200u);
  // Half of 200, and a deviation of 4 (sqrt(n / 12)): beyond 8 of them only a pattern explains it.
  EXPECT_GT(ascending, 68u);
  EXPECT_LT(ascending, 132u);
}

TEST_F(ServerAllocateTest, ARetransmissionGetsTheSameAllocation) {  // RFC 8656 §7.2
  client_.Allocate();
  (void)client_.Refresh(0);
  const auto request = client_.Build(Method::kAllocate, [](MessageBuilder& b) { Add(b, RequestedTransport{}); });
  const auto first = client_.Exchange(request);
  s_.Advance(5s);
  const auto second = client_.Exchange(request);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->view().FindAddress(AttributeType::kXorRelayedAddress),
            second->view().FindAddress(AttributeType::kXorRelayedAddress));
  EXPECT_EQ(LifetimeOf(*second), 595u);
  EXPECT_EQ(s_.server.allocations(), 1u);
}

TEST_F(ServerAllocateTest, ABusyFiveTupleIs437) {  // RFC 8656 §7.2
  client_.Allocate();
  EXPECT_EQ(client_.Allocate().code(), 437);
  TestClient other(s_, "203.0.113.9:4000", TestServer::kUdp, "other", "word");
  EXPECT_EQ(other.Allocate().code(), 437);
  TestClient over_tcp(s_, "203.0.113.9:4000", TestServer::kTcp);
  EXPECT_EQ(over_tcp.Allocate().code(), 0);  // another 5-tuple
}

TEST_F(ServerAllocateTest, JudgesTheTransport) {  // RFC 8656 §7.2
  const auto with = [&](std::vector<uint8_t> value) {
    return client_
        .Ask(Method::kAllocate,
             [&](MessageBuilder& b) {
               if (!value.empty()) b.Add(AttributeType::kRequestedTransport, value);
             })
        .code();
  };
  EXPECT_EQ(with({}), 400);
  EXPECT_EQ(with({17, 0}), 400);
  EXPECT_EQ(with({132, 0, 0, 0}), 442);
  EXPECT_EQ(with({17, 1, 2, 3}), 0);  // RFC 8656 §18.8: RFFU is ignored
}

TEST_F(ServerAllocateTest, ChoosesTheLifetime) {  // RFC 8656 §7.2
  for (const auto& [wish, given] : {std::pair{0u, 600u}, {100u, 600u}, {1200u, 1200u}, {999999u, 3600u}}) {
    TestClient client(s_, "203.0.113.9:" + std::to_string(5000 + wish % 10000));
    const uint32_t seconds = wish;
    const auto response = client.Allocate([&](MessageBuilder& b) { Add(b, Lifetime{seconds}); });
    EXPECT_EQ(LifetimeOf(response), given) << wish;
  }
  EXPECT_EQ(
      client_.Allocate([](MessageBuilder& b) { b.Add(AttributeType::kLifetime, std::array<uint8_t, 2>{}); }).code(),
      400);
}

TEST_F(ServerAllocateTest, JudgesTheFamily) {  // RFC 8656 §7.2
  const auto with = [](TestServer& s, AddressFamily family, uint16_t port) {
    TestClient client(s, "203.0.113.9:" + std::to_string(port));
    const uint16_t code = client.Allocate([&](MessageBuilder& b) { Add(b, RequestedAddressFamily{family}); }).code();
    return std::pair(code, client.relayed_v6.port != 0);
  };
  EXPECT_EQ(with(s_, AddressFamily::kV6, 1), std::pair(uint16_t{0}, true));
  EXPECT_EQ(with(s_, AddressFamily::kV4, 2), std::pair(uint16_t{0}, false));
  EXPECT_EQ(with(s_, static_cast<AddressFamily>(9), 3).first, 440);
  options_.relay_addresses = {*IpAddress::Parse("192.0.2.1")};
  TestServer v4_only(options_);
  EXPECT_EQ(with(v4_only, AddressFamily::kV6, 1).first, 440);
  options_.relay_addresses = {*IpAddress::Parse("2001:db8::1")};
  TestServer v6_only(options_);
  TestClient client(v6_only, "203.0.113.9:1");
  EXPECT_EQ(client.Allocate().code(), 440);  // absent: IPv4
}

TEST_F(ServerAllocateTest, AllocatesBothFamilies) {  // RFC 8656 §7.2
  const auto both = [](MessageBuilder& b) { Add(b, AdditionalAddressFamily{}); };
  EXPECT_EQ(client_.Allocate(both).code(), 0);
  EXPECT_NE(client_.relayed.port, 0);
  EXPECT_NE(client_.relayed_v6.port, 0);
  EXPECT_EQ(s_.open.size(), 2u);
  options_.relay_addresses = {*IpAddress::Parse("192.0.2.1")};
  TestServer v4_only(options_);
  TestClient client(v4_only, "203.0.113.9:1");
  const auto response = client.Allocate(both);
  EXPECT_EQ(response.code(), 0);
  EXPECT_EQ(Find<AddressErrorCode>(response.view()), (AddressErrorCode{AddressFamily::kV6, 440, ""}));
}

TEST_F(ServerAllocateTest, AttributesThatExcludeEachOtherAre400) {  // RFC 8656 §7.2
  const auto code = [&](const TestClient::Compose& compose) { return client_.Allocate(compose).code(); };
  const ReservationToken token{};
  EXPECT_EQ(code([&](MessageBuilder& b) { Add(b, token), Add(b, EvenPort{}); }), 400);
  EXPECT_EQ(code([&](MessageBuilder& b) { Add(b, token), Add(b, RequestedAddressFamily{}); }), 400);
  EXPECT_EQ(code([&](MessageBuilder& b) { Add(b, token), Add(b, AdditionalAddressFamily{}); }), 400);
  EXPECT_EQ(code([&](MessageBuilder& b) { Add(b, RequestedAddressFamily{}), Add(b, AdditionalAddressFamily{}); }), 400);
  EXPECT_EQ(code([&](MessageBuilder& b) { Add(b, EvenPort{true}), Add(b, AdditionalAddressFamily{}); }), 400);
  EXPECT_EQ(code([&](MessageBuilder& b) { Add(b, AdditionalAddressFamily{AddressFamily::kV4}); }), 400);
  EXPECT_EQ(code([&](MessageBuilder& b) { b.Add(AttributeType::kEvenPort, std::array<uint8_t, 3>{}); }), 400);
  EXPECT_EQ(s_.server.allocations(), 0u);
}

TEST_F(ServerAllocateTest, DontFragmentIsUnknownWhereItCannotBeDone) {  // RFC 8656 §7.2
  const auto ask = [](MessageBuilder& b) { Add(b, DontFragment{}); };
  EXPECT_EQ(client_.Allocate(ask).code(), 0);
  options_.dont_fragment = DontFragmentSupport::kNone;
  TestServer cannot(options_);
  TestClient client(cannot, "203.0.113.9:1");
  const auto response = client.Allocate(ask);
  EXPECT_EQ(response.code(), 420);
  EXPECT_TRUE(
      std::ranges::equal(*response.view().Find(AttributeType::kUnknownAttributes), std::array<uint8_t, 2>{0x00, 0x1a}));
}

TEST_F(ServerAllocateTest, EvenPortsAndReservations) {  // RFC 8656 §7.2
  const auto even = client_.Allocate([](MessageBuilder& b) { Add(b, EvenPort{false}); });
  EXPECT_EQ(client_.relayed.port % 2, 0);
  EXPECT_FALSE(even.view().Has(AttributeType::kReservationToken));
  TestClient pair(s_, "203.0.113.9:4001");
  const auto reserved = pair.Allocate([](MessageBuilder& b) { Add(b, EvenPort{true}); });
  EXPECT_EQ(pair.relayed.port % 2, 0);
  const auto token = Find<ReservationToken>(reserved.view());
  ASSERT_TRUE(token);
  s_.Advance(29s);
  TestClient next(s_, "203.0.113.77:1", TestServer::kTcp, "other", "word");  // any 5-tuple and user
  EXPECT_EQ(next.Allocate([&](MessageBuilder& b) { Add(b, *token); }).code(), 0);
  EXPECT_EQ(next.relayed.port, pair.relayed.port + 1);
  TestClient again(s_, "203.0.113.9:4003");
  EXPECT_EQ(again.Allocate([&](MessageBuilder& b) { Add(b, *token); }).code(), 508);  // once
}

TEST_F(ServerAllocateTest, T7_ReservationsExpireAndAreBounded) {
  const auto reserve = [](MessageBuilder& b) { Add(b, EvenPort{true}); };
  const auto token = Find<ReservationToken>(client_.Allocate(reserve).view());
  s_.Advance(31s);
  TestClient late(s_, "203.0.113.9:4001");
  EXPECT_EQ(late.Allocate([&](MessageBuilder& b) { Add(b, *token); }).code(), 508);
  EXPECT_EQ(s_.open.size(), 1u);  // the reserved socket is closed
  EXPECT_EQ(late.Allocate([](MessageBuilder& b) { Add(b, ReservationToken{{1}}); }).code(), 508);
  uint16_t code = 0;
  size_t made = 0;
  for (; made < 1000 && code == 0; ++made) {  // reserve, delete, reserve …
    TestClient client(s_, "203.0.113.10:" + std::to_string(1000 + made));
    code = client.Allocate(reserve).code();
    (void)client.Refresh(0);
  }
  EXPECT_EQ(code, 508);
  EXPECT_EQ(made, 257u);
}

TEST_F(ServerAllocateTest, T7_ExhaustedPortsAre508) {
  options_.relay_ports = {50001, 50004};
  TestServer s(options_);
  const auto allocate = [&](uint16_t i, const TestClient::Compose& compose = {}) {
    TestClient client(s, "203.0.113.9:" + std::to_string(i));
    return client.Allocate(compose).code();
  };
  EXPECT_EQ(allocate(1, [](MessageBuilder& b) { Add(b, EvenPort{true}); }), 0);  // 50002 and 50003
  EXPECT_EQ(allocate(2, [](MessageBuilder& b) { Add(b, EvenPort{true}); }), 508);
  EXPECT_EQ(allocate(3, [](MessageBuilder& b) { Add(b, EvenPort{}); }), 0);  // 50004
  EXPECT_EQ(allocate(4), 0);                                                 // 50001
  EXPECT_EQ(allocate(5), 508);
  EXPECT_EQ(s.server.metrics().error(508), 2u);
}

TEST_F(ServerAllocateTest, TriesOtherPortsWhenTheOwnerCannotOpenOne) {
  s_.fail_next = 15;
  EXPECT_EQ(client_.Allocate().code(), 0);
  EXPECT_EQ(client_.Refresh(0), 0);
  s_.fail_next = 16;  // ServerLimits::port_tries
  EXPECT_EQ(client_.Allocate().code(), 508);
  EXPECT_EQ(s_.server.allocations(), 0u);
  EXPECT_EQ(s_.open.size(), 0u);
}

TEST_F(ServerAllocateTest, APairIsOpenedWholeOrNotAtAll) {
  s_.fail_next = 3;
  EXPECT_EQ(client_.Allocate([](MessageBuilder& b) { Add(b, EvenPort{true}); }).code(), 0);
  EXPECT_EQ(s_.open.size(), 2u);
  EXPECT_EQ(s_.open[0].first.port + 1, s_.open[1].first.port);
}

TEST_F(ServerAllocateTest, OneOfTwoFamiliesWillDo) {  // RFC 8656 §7.2
  s_.answers_opening = false;
  TestClient& c = client_;
  (void)c.Ask(Method::kRefresh);  // takes the challenge
  s_.FromClient(c.path, c.Build(Method::kAllocate, [](MessageBuilder& b) {
    Add(b, RequestedTransport{});
    Add(b, AdditionalAddressFamily{});
  }));
  ASSERT_EQ(s_.opening.size(), 2u);
  s_.server.HandleRelayOpened(s_.now, s_.opening[0].relay);
  EXPECT_FALSE(s_.Poll());
  for (int i = 0; i < 16; ++i) s_.server.HandleRelayFailed(s_.now, s_.opening.back().relay), s_.Pump();
  const auto response = s_.Poll();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->code(), 0);
  EXPECT_EQ(Find<AddressErrorCode>(response->view()), (AddressErrorCode{AddressFamily::kV6, 508, ""}));
}

TEST_F(ServerAllocateTest, WhileOpeningNothingElseHappens) {
  s_.answers_opening = false;
  (void)client_.Ask(Method::kRefresh);
  const auto request = client_.Build(Method::kAllocate, [](MessageBuilder& b) { Add(b, RequestedTransport{}); });
  EXPECT_FALSE(client_.Exchange(request));
  EXPECT_FALSE(client_.Exchange(request));  // retransmitted
  EXPECT_EQ(s_.opening.size(), 1u);
  EXPECT_EQ(s_.server.dropped(ServerDrop::kOpening), 1u);
  s_.Advance(10s);  // the owner never answers
  EXPECT_EQ(s_.Poll()->code(), 508);
  EXPECT_EQ(s_.server.allocations(), 0u);
  s_.server.HandleRelayOpened(s_.now, s_.opening[0].relay);  // too late
  EXPECT_FALSE(s_.Poll());
}

TEST_F(ServerAllocateTest, QuotasAreOfUsers) {  // RFC 8656 §7.2
  options_.quotas.allocations_per_user = 2;
  options_.quotas.total_allocations = 3;
  TestServer s(options_);
  const auto allocate = [&](std::string_view address, std::string_view user, std::string_view password) {
    TestClient client(s, address, TestServer::kUdp, user, password);
    return client.Allocate().code();
  };
  EXPECT_EQ(allocate("203.0.113.1:1", "user", "pass"), 0);
  EXPECT_EQ(allocate("203.0.113.2:1", "user", "pass"), 0);
  EXPECT_EQ(allocate("203.0.113.3:1", "user", "pass"), 486);  // whatever the address
  EXPECT_EQ(allocate("203.0.113.3:1", "other", "word"), 0);
  EXPECT_EQ(allocate("203.0.113.4:1", "other", "word"), 508);
  s.Advance(601s);
  EXPECT_EQ(allocate("203.0.113.5:1", "user", "pass"), 0);
}

TEST_F(ServerAllocateTest, T6_AllocationsOfASourceAreBounded) {
  options_.quotas.allocations_per_source = 2;
  TestServer s(options_);
  const auto allocate = [&](std::string_view address, std::string_view user, std::string_view password) {
    TestClient client(s, address, TestServer::kUdp, user, password);
    return client.Allocate().code();
  };
  EXPECT_EQ(allocate("203.0.113.1:1", "user", "pass"), 0);
  EXPECT_EQ(allocate("203.0.113.1:2", "other", "word"), 0);
  EXPECT_EQ(allocate("203.0.113.1:3", "other", "word"), 486);  // whoever it is
  EXPECT_EQ(allocate("203.0.113.2:1", "other", "word"), 0);
  // A /64 is one source.
  EXPECT_EQ(allocate("[2001:db8::1]:1", "user", "pass"), 0);
  EXPECT_EQ(allocate("[2001:db8::ffff:1]:1", "user", "pass"), 0);
  EXPECT_EQ(allocate("[2001:db8::2]:1", "user", "pass"), 486);
  EXPECT_EQ(allocate("[2001:db8:0:1::2]:1", "user", "pass"), 0);
  s.Advance(601s);
  EXPECT_EQ(allocate("203.0.113.1:3", "user", "pass"), 0);
}

TEST_F(ServerAllocateTest, ReservationsCanBeForbidden) {  // docs/turn.md: workers that share a port
  options_.limits.reservations = 0;
  TestServer s(options_);
  TestClient client(s, "203.0.113.1:1");
  EXPECT_EQ(client.Allocate([](MessageBuilder& b) { Add(b, EvenPort{true}); }).code(), 508);
  EXPECT_EQ(client.Allocate([](MessageBuilder& b) { Add(b, EvenPort{false}); }).code(), 0);
}

TEST_F(ServerAllocateTest, ExpiresWithoutARefresh) {  // RFC 8656 §6
  client_.Allocate();
  s_.Advance(599s);
  EXPECT_EQ(s_.server.allocations(), 1u);
  s_.Advance(1s);
  EXPECT_EQ(s_.server.allocations(), 0u);
  EXPECT_TRUE(s_.open.empty());
  EXPECT_EQ(s_.server.metrics().allocations_expired, 1u);
  EXPECT_EQ(s_.server.NextTimeout(), Timestamp::Never());
}

TEST_F(ServerAllocateTest, ADrainSendsClientsElsewhere) {  // RFC 8489 §10
  s_.server.StopAllocating({*SocketAddress::Parse("192.0.2.99:3478")});
  EXPECT_EQ(client_.Exchange(client_.Build(Method::kAllocate))->code(), 401);  // RFC 8489 §14.8
  const auto response = client_.Allocate();
  EXPECT_EQ(response.code(), 300);
  EXPECT_EQ(response.view().FindAddress(AttributeType::kAlternateServer)->ToString(), "192.0.2.99:3478");
  EXPECT_EQ(client_.credentials.Verify(response.view()), stun::IntegrityStatus::kValid);  // RFC 8489 §14.8
  TestClient v6(s_, "[2001:db8::9]:1");
  EXPECT_EQ(v6.Allocate().code(), 508);
}

TEST_F(ServerAllocateTest, SaysItsSoftwareToUsersOnly) {  // RFC 8656 §5; S8
  options_.software = "jsp";
  TestServer s(options_);
  TestClient client(s, "203.0.113.9:1");
  const auto challenge = client.Exchange(client.Build(Method::kAllocate));
  EXPECT_FALSE(challenge->view().Has(AttributeType::kSoftware));
  EXPECT_EQ(client.Allocate().view().FindText(AttributeType::kSoftware), "jsp");
}

TEST_F(ServerAllocateTest, AClosedStreamEndsItsAllocation) {
  TestClient client(s_, "203.0.113.9:1", TestServer::kTcp);
  client.Allocate();
  s_.server.HandleClientClosed(s_.now, client.path);
  s_.Pump();
  EXPECT_EQ(s_.server.allocations(), 0u);
  EXPECT_TRUE(s_.open.empty());
  s_.server.HandleClientClosed(s_.now, client.path);  // unknown: nothing
}

TEST_F(ServerAllocateTest, EphemeralCredentials) {
  options_.credentials.AddSharedSecret("old secret");
  options_.credentials.AddSharedSecret("secret");
  options_.quotas.allocations_per_user = 1;
  TestServer s(options_);
  s.server.SetUnixTime(s.now, 1'700'000'000);
  const auto allocate = [&](std::string_view address, const std::string& name, std::string_view secret) {
    TestClient client(s, address, TestServer::kUdp, name, EphemeralPassword(secret, name));
    return client.Allocate().code();
  };
  EXPECT_EQ(allocate("203.0.113.1:1", "1700000100:alice", "secret"), 0);
  EXPECT_EQ(allocate("203.0.113.2:1", "1700000200:bob", "old secret"), 0);  // while the secret changes
  EXPECT_EQ(allocate("203.0.113.3:1", "1700000100:carol", "guess"), 401);
  EXPECT_EQ(allocate("203.0.113.4:1", "1699999999:carol", "secret"), 401);  // expired
  EXPECT_EQ(allocate("203.0.113.5:1", "1700000300:alice", "secret"), 486);  // one quota, whatever the expiry
  s.Advance(101s);
  EXPECT_EQ(allocate("203.0.113.6:1", "1700000100:carol", "secret"), 401);
}

}  // namespace
}  // namespace jsp::turn
