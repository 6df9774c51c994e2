// Hostile clients and peers, an erratic owner and a jumping clock, from a seed: nothing may crash, loop, relay what no
// permission allows, or stay behind.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/rng.h"
#include "turn/server/testing/test_server.h"
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

constexpr std::array kMethods{Method::kAllocate,    Method::kRefresh, Method::kCreatePermission,
                              Method::kChannelBind, Method::kConnect, Method::kConnectionBind};

class Fuzzer {
 public:
  explicit Fuzzer(uint64_t seed) : rng_(Rng::FromNumber(seed)), s_(Options(rng_), seed) {
    for (uint16_t i = 0; i < 4; ++i) {
      const bool second = i % 2 != 0;
      clients_.emplace_back(s_, "203.0.113.9:" + std::to_string(4000 + i / 2 * 10 + (second ? 1 : 0)),
                            i < 2 ? TestServer::kUdp : TestServer::kTcp, second ? "other" : "user",
                            second ? "word" : "pass");
    }
  }

  void Step() {
    const auto pause = rng_.Below(20) == 0 ? rng_.Below(400'000'000) : rng_.Below(200'000);
    s_.Advance(Duration(static_cast<Duration::rep>(pause)));
    s_.fail_next = rng_.Below(30) == 0 ? rng_.Below(20) : 0;
    switch (rng_.Below(6)) {
      case 0:
        FromPeer();
        break;
      case 1:
        Owner();
        break;
      default:
        FromClient();
    }
    s_.Pump();
    while (const auto message = s_.Poll()) {
      ASSERT_LE(message->octets.size(), Server::kMaxResponse);
      Learn(message->view());
    }
    ASSERT_LE(s_.server.allocations(), clients_.size());
  }

  // After hours without anybody nothing is left.
  void Finish() {
    s_.fail_next = 0;
    s_.Advance(3h);
    while (s_.Poll()) {
    }
    EXPECT_EQ(s_.server.allocations(), 0u);
    EXPECT_TRUE(s_.open.empty());
    EXPECT_EQ(s_.server.NextTimeout(), Timestamp::Never());
  }
  uint64_t relayed() const { return relayed_; }

 private:
  static ServerOptions Options(Rng& rng) {
    auto options = TestServer::DefaultOptions();
    options.mobility = rng.Below(2) == 0 ? Mobility::kAllowed : Mobility::kForbidden;
    options.limits.permissions = options.limits.channels = 4;
    options.limits.connections = 3;
    options.limits.port_tries = 3;
    options.limits.unauthenticated_per_second = 0;
    options.relay_ports = {50000, 50020};
    options.channels = rng.Below(2) == 0 ? ChannelRange::kLegacy : ChannelRange::kRfc8656;
    return options;
  }

  SocketAddress RandomPeer() {
    constexpr std::array kIps{"198.51.100.1", "198.51.100.2", "2001:db8:1::1", "192.0.2.1", "127.0.0.1", "::1"};
    return {*IpAddress::Parse(kIps[rng_.Below(rng_.Below(4) == 0 ? kIps.size() : 2)]),
            static_cast<uint16_t>(rng_.Below(3))};
  }

  void AddRandom(MessageBuilder& b) {
    switch (rng_.Below(12)) {
      case 0:
        Add(b, Lifetime{static_cast<uint32_t>(rng_.Below(3) * rng_.Below(2000))});
        break;
      case 1:
        Add(b, RequestedAddressFamily{static_cast<AddressFamily>(rng_.Below(4))});
        break;
      case 2:
        Add(b, AdditionalAddressFamily{static_cast<AddressFamily>(1 + rng_.Below(2))});
        break;
      case 3:
        Add(b, EvenPort{rng_.Below(2) == 0});
        break;
      case 4:
        Add(b, token_);
        break;
      case 5:
        Add(b, MobilityTicket{std::span<const uint8_t>(ticket_).first(rng_.Below(2) == 0 ? 0 : ticket_.size())});
        break;
      case 6:
        Add(b, connection_);
        break;
      case 7: {
        std::array<uint8_t, 30> value;
        rng_.Fill(value);
        b.Add(static_cast<AttributeType>(rng_.Below(0x30)), std::span(value).first(rng_.Below(value.size())));
        break;
      }
      default:
        b.AddAddress(AttributeType::kXorPeerAddress, RandomPeer());
    }
  }

  void Learn(const stun::MessageView& message) {
    if (const auto token = Find<ReservationToken>(message)) token_ = *token;
    if (const auto id = Find<ConnectionId>(message)) connection_ = *id;
    if (const auto ticket = Find<MobilityTicket>(message)) {
      ticket_.assign(ticket->octets.begin(), ticket->octets.end());
    }
  }

  void Request(TestClient& client) {
    const Method method = kMethods[rng_.Below(kMethods.size())];
    const auto compose = [&](MessageBuilder& b) {
      if (method == Method::kAllocate) {
        const bool tcp = rng_.Below(3) == 0;
        Add(b, RequestedTransport{tcp ? RelayProtocol::kTcp : RelayProtocol::kUdp});
      }
      if (method == Method::kChannelBind) Add(b, ChannelNumber{static_cast<uint16_t>(0x4000 + rng_.Below(6))});
      for (uint64_t i = rng_.Below(4); i > 0; --i) AddRandom(b);
    };
    auto request = client.Build(method, compose);
    if (rng_.Below(8) == 0) request[rng_.Below(request.size())] ^= static_cast<uint8_t>(1 + rng_.Below(255));
    if (rng_.Below(16) == 0) request.resize(rng_.Below(request.size()));
    const uint32_t generation = client.credentials.generation();
    for (uint64_t times = 1 + rng_.Below(2); times > 0; --times) {
      const auto response = client.Exchange(request);
      if (!response) continue;
      Learn(response->view());
      const uint16_t code = response->code();
      if (code == 401 || code == 438) (void)client.credentials.HandleChallenge(response->view(), code, generation);
    }
  }

  void FromClient() {
    TestClient& client = clients_[rng_.Below(clients_.size())];
    switch (rng_.Below(5)) {
      case 0: {  // a train of something like ChannelData
        std::vector<uint8_t> train(rng_.Below(400));
        rng_.Fill(train);
        const size_t segment = 1 + rng_.Below(60);
        for (size_t at = 0; at + 4 <= train.size(); at += segment) {
          WriteChannelDataHeader({static_cast<uint16_t>(0x4000 + rng_.Below(3))}, rng_.Below(60),
                                 std::span(train).subspan(at).first<4>());
        }
        Check(s_.FromClient(client.path, train, rng_.Below(4) == 0 ? 0 : segment));
        break;
      }
      case 1:
        Check(client.SendTo(RandomPeer().ToString(), ticket_));
        break;
      default:
        Request(client);
    }
  }

  // T1: whatever the clients say, only what the policy or our relays allow is ever sent to.
  void Check(const std::vector<TestServer::Relayed>& runs) {
    for (const auto& run : runs) {
      relayed_ += run.datagrams.size();
      const bool own = s_.HandleOf(run.to.peer).is_set();
      const auto options = TestServer::DefaultOptions();
      EXPECT_TRUE(own || options.policy.IsAllowed(run.to.peer.ip)) << run.to.peer.ToString();
    }
  }

  void FromPeer() {
    if (s_.open.empty()) return;
    const SocketAddress relay = s_.open[rng_.Below(s_.open.size())].first;
    std::vector<uint8_t> train(rng_.Below(300));
    const size_t segment = rng_.Below(50);
    if (rng_.Below(4) == 0) {
      s_.server.HandleIcmp(s_.now, s_.HandleOf(relay), RandomPeer(), {3, 4, 1000});
      (void)s_.server.HandlePeerAccepted(s_.now, s_.HandleOf(relay), RandomPeer());
      return;
    }
    for (const auto& run : s_.FromPeer(relay, RandomPeer(), train, segment)) relayed_ += run.messages.size();
  }

  void Owner() {
    switch (rng_.Below(5)) {
      case 0:
        if (!s_.connects.empty()) s_.server.HandlePeerConnected(s_.now, s_.connects.back().connection);
        break;
      case 1:
        if (!s_.connects.empty()) s_.server.HandlePeerFailed(s_.now, s_.connects.back().connection);
        break;
      case 2:
        s_.server.HandlePeerClosed(s_.now, connection_);
        break;
      case 3:
        s_.server.HandleClientClosed(s_.now, clients_[rng_.Below(clients_.size())].path);
        break;
      default:  // an owner that is late, and confused
        s_.server.HandleRelayOpened(s_.now,
                                    {static_cast<uint32_t>(rng_.Below(5)), static_cast<uint32_t>(rng_.Below(5))});
        s_.server.HandleRelayFailed(s_.now,
                                    {static_cast<uint32_t>(rng_.Below(5)), static_cast<uint32_t>(rng_.Below(5))});
    }
  }

  Rng rng_;
  TestServer s_;
  std::vector<TestClient> clients_;
  ReservationToken token_{};
  ConnectionId connection_{};
  std::vector<uint8_t> ticket_ = std::vector<uint8_t>(28);
  uint64_t relayed_ = 0;
};

TEST(ServerFuzzTest, SurvivesHostileClientsPeersAndOwners) {
  uint64_t relayed = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Fuzzer fuzzer(seed);
    for (int step = 0; step < 300; ++step) fuzzer.Step();
    fuzzer.Finish();
    relayed += fuzzer.relayed();
    if (HasFailure()) return;
  }
  EXPECT_GT(relayed, 100u);  // the script gets through now and then
}

}  // namespace
}  // namespace jsp::turn
