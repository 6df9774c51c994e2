#include "stun/nat_discovery.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "stun/change_request.h"
#include "stun/error_code.h"
#include "stun/message_builder.h"
namespace jsp::stun {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const SocketAddress kMapping = *SocketAddress::Parse("10.0.0.2:50000");
const SocketAddress kFiltering = *SocketAddress::Parse("10.0.0.2:50001");
const SocketAddress kProbe = *SocketAddress::Parse("10.0.0.2:51000");
const SocketAddress kServer = *SocketAddress::Parse("192.0.2.1:3478");
const SocketAddress kOther = *SocketAddress::Parse("192.0.2.2:3479");
const IpAddress kPublic = IpAddress::V4(203, 0, 113, 7);

// A request as the network saw it.
struct Sent {
  SocketAddress from;
  SocketAddress to;
  TransactionId id;
  uint32_t change = 0;
  uint16_t response_port = 0;
};

// What a scripted server and NAT do with a request: the answer, how it is composed, from where and to where.
struct Reply {
  SocketAddress from;
  SocketAddress to;
  uint16_t error = 0;
  SocketAddress mapped{};
  std::optional<SocketAddress> other{};
};

// Runs a discovery in virtual time against a script: a function from a request to a reply, or silence. Tests of whole
// NATs are in test/integration.
class NatDiscoveryTest : public ::testing::Test {
 protected:
  static NatDiscoveryOptions Options() {
    NatDiscoveryOptions options;
    options.mapping_socket = kMapping;
    options.filtering_socket = kFiltering;
    options.server = kServer;
    options.hairpin = false;
    return options;
  }
  static Reply Plain(const Sent& sent) {
    return {.from = sent.to, .to = sent.from, .mapped = {kPublic, sent.from.port}, .other = kOther};
  }

  template <class Script>
  NatReport Run(const NatDiscoveryOptions& options, Script&& script) {
    NatDiscovery discovery(options, rng_, now_);
    for (int turns = 0; turns < 10000; ++turns) {
      std::array<uint8_t, 1500> out;
      while (const auto transmit = discovery.PollTransmit(now_, out)) {
        const Sent sent = Read(*transmit, std::span(out).first(transmit->size));
        sent_.push_back(sent);
        if (const std::optional<Reply> reply = script(sent)) Deliver(discovery, sent.id, *reply);
      }
      if (auto event = discovery.PollEvent()) return std::get<event::NatDiscovered>(*event).report;
      const Timestamp next = discovery.NextTimeout();
      EXPECT_NE(next, Timestamp::Never());
      if (next == Timestamp::Never()) break;
      now_ = std::max(now_, next);
      discovery.HandleTimeout(now_);
    }
    ADD_FAILURE() << "no report";
    return {};
  }
  static Sent Read(const NatDiscovery::Transmit& transmit, std::span<const uint8_t> datagram) {
    const auto view = MessageView::Parse(datagram);
    Sent sent{transmit.local, transmit.remote, view->transaction_id()};
    sent.change = view->FindU32(AttributeType::kChangeRequest).value_or(0);
    sent.response_port = static_cast<uint16_t>(view->FindU32(AttributeType::kResponsePort).value_or(0) >> 16);
    return sent;
  }
  void Deliver(NatDiscovery& discovery, const TransactionId& id, const Reply& reply) {
    std::array<uint8_t, 1500> out;
    const MessageClass message_class = reply.error != 0 ? MessageClass::kErrorResponse : MessageClass::kSuccessResponse;
    MessageBuilder builder(out, {Method::kBinding, message_class}, id);
    if (reply.error != 0) {
      builder.AddError(reply.error, "");
    } else {
      builder.AddAddress(AttributeType::kXorMappedAddress, reply.mapped);
    }
    if (reply.other) builder.AddAddress(AttributeType::kOtherAddress, *reply.other);
    taken_ = discovery.HandleDatagram(now_, reply.to, reply.from, builder.Finish());
  }

  Rng rng_ = Rng::FromNumber(7);
  Timestamp now_ = Timestamp::FromEpoch(seconds(1));
  std::vector<Sent> sent_;
  bool taken_ = false;
};

TEST_F(NatDiscoveryTest, WithoutANatNothingOfTheMappingIsAsked) {  // RFC 5780 §4.3
  const NatReport report = Run(Options(), [](const Sent& sent) -> std::optional<Reply> {
    Reply reply = Plain(sent);
    reply.mapped = sent.from;
    if (sent.change != 0) reply.from = kOther;
    return reply;
  });
  EXPECT_FALSE(report.translated);
  EXPECT_EQ(report.mapping, NatBehavior::kEndpointIndependent);
  EXPECT_EQ(report.filtering, NatBehavior::kEndpointIndependent);
  EXPECT_FALSE(report.hairpin);
  EXPECT_EQ(sent_.size(), 3u);
}

TEST_F(NatDiscoveryTest, AServerThatIgnoresChangeRequestLeavesFilteringUnknown) {  // RFC 5780 §6.1; PITFALLS P35
  const NatReport report = Run(Options(), [](const Sent& sent) -> std::optional<Reply> { return Plain(sent); });
  EXPECT_EQ(report.filtering, NatBehavior::kUnknown);
  EXPECT_NE(report.filtering_reason.find("ignores"), std::string::npos) << report.filtering_reason;
  EXPECT_EQ(report.mapping, NatBehavior::kEndpointIndependent);
}

TEST_F(NatDiscoveryTest, A420ToChangeRequestLeavesFilteringUnknown) {  // RFC 5780 §5
  const NatReport report = Run(Options(), [](const Sent& sent) -> std::optional<Reply> {
    Reply reply = Plain(sent);
    if (sent.change != 0) reply.error = error_code::kUnknownAttribute;
    return reply;
  });
  EXPECT_EQ(report.filtering, NatBehavior::kUnknown);
  EXPECT_NE(report.filtering_reason.find("420"), std::string::npos) << report.filtering_reason;
}

TEST_F(NatDiscoveryTest, TheFirstOtherAddressHolds) {  // RFC 5780 §6.1: OTHER-ADDRESS depends on where was asked
  const NatReport report = Run(Options(), [](const Sent& sent) -> std::optional<Reply> {
    Reply reply = Plain(sent);
    if (sent.to.ip == kOther.ip) reply.other = SocketAddress{kServer.ip, kOther.port};
    if (sent.to.ip != kServer.ip) reply.mapped.port = 60000;  // another mapping there, of the address
    if (sent.change != 0) return std::nullopt;
    return reply;
  });
  EXPECT_EQ(report.other_address, kOther);
  EXPECT_EQ(report.mapping, NatBehavior::kAddressDependent);
  EXPECT_EQ(report.filtering, NatBehavior::kAddressAndPortDependent);
}

TEST_F(NatDiscoveryTest, AnOtherAddressThatIsNoneIsNotAsked) {  // hostile: requests go where the server says
  for (const char* other : {"192.0.2.1:3479", "192.0.2.9:3478", "224.0.0.1:3479", "255.255.255.255:3479",
                            "127.0.0.1:3479", "0.0.0.0:3479", "192.0.2.9:0", "[2001:db8::1]:3479"}) {
    sent_.clear();
    const NatReport report = Run(Options(), [&](const Sent& sent) -> std::optional<Reply> {
      Reply reply = Plain(sent);
      reply.other = SocketAddress::Parse(other);
      return reply;
    });
    EXPECT_FALSE(report.other_address) << other;
    EXPECT_EQ(report.mapping, NatBehavior::kUnknown);
    for (const Sent& sent : sent_) EXPECT_EQ(sent.to, kServer) << other;
  }
}

TEST_F(NatDiscoveryTest, ForgedAnswersFromElsewhereChangeNothing) {
  const NatReport report = Run(Options(), [&](const Sent& sent) -> std::optional<Reply> {
    Reply reply = Plain(sent);
    if (sent.change == 0) return reply;
    reply.from = *SocketAddress::Parse("192.0.2.66:3479");  // neither the server nor where it was told to answer from
    return reply;
  });
  EXPECT_EQ(report.filtering, NatBehavior::kAddressAndPortDependent);
}

TEST_F(NatDiscoveryTest, StartsAtMostTenTransactionsASecond) {  // RFC 5780 §5
  NatDiscoveryOptions options = Options();
  for (uint16_t i = 0; i < 20; ++i) {
    options.lifetime.push_back({{kProbe.ip, static_cast<uint16_t>(kProbe.port + i)}, seconds(5)});
  }
  std::vector<Timestamp> starts;
  (void)Run(options, [&](const Sent& sent) -> std::optional<Reply> {
    starts.push_back(now_);
    return Plain(sent);
  });
  for (size_t i = 10; i < starts.size(); ++i) EXPECT_GE(starts[i] - starts[i - 10], seconds(1)) << i;
}

TEST_F(NatDiscoveryTest, ABindingIsAliveWhenTheAnswerComesToIt) {  // RFC 5780 §4.6
  NatDiscoveryOptions options = Options();
  options.lifetime = {{kProbe, seconds(10)}, {{kProbe.ip, 51001}, seconds(20)}};
  const NatReport report = Run(options, [&](const Sent& sent) -> std::optional<Reply> {
    Reply reply = Plain(sent);
    if (sent.response_port == 0) return reply;
    if (now_ > Timestamp::FromEpoch(seconds(16))) return std::nullopt;
    reply.to = {kProbe.ip, sent.response_port};
    return reply;
  });
  EXPECT_EQ(report.lifetime_at_least, seconds(10));
  EXPECT_EQ(report.lifetime_below, seconds(20));
}

TEST_F(NatDiscoveryTest, APortThatTheNatGaveAgainIsAnExpiredBinding) {  // RFC 5780 §4.6: "on port Y"
  NatDiscoveryOptions options = Options();
  options.lifetime = {{kProbe, seconds(10)}};
  const NatReport report = Run(options, [&](const Sent& sent) -> std::optional<Reply> {
    Reply reply = Plain(sent);
    if (sent.response_port != 0) reply.mapped.port = sent.response_port;
    return reply;
  });
  EXPECT_FALSE(report.lifetime_at_least);
  EXPECT_EQ(report.lifetime_below, seconds(10));
}

TEST_F(NatDiscoveryTest, AServerWithoutResponsePortLeavesTheLifetimeUnknown) {  // RFC 5780 §5
  NatDiscoveryOptions options = Options();
  options.lifetime = {{kProbe, seconds(10)}};
  for (const bool refuses : {true, false}) {
    const NatReport report = Run(options, [&](const Sent& sent) -> std::optional<Reply> {
      Reply reply = Plain(sent);
      if (sent.response_port != 0 && refuses) reply.error = error_code::kUnknownAttribute;
      return reply;
    });
    EXPECT_FALSE(report.lifetime_at_least);
    EXPECT_FALSE(report.lifetime_below);
    EXPECT_NE(report.lifetime_reason, "") << refuses;
  }
}

TEST_F(NatDiscoveryTest, AnUnreachableServerEndsAtOnce) {  // RFC 8489 §6.2.1: a hard ICMP error
  NatDiscovery discovery(Options(), rng_, now_);
  std::array<uint8_t, 1500> out;
  while (discovery.PollTransmit(now_, out)) {
  }
  discovery.HandleUnreachable(now_, kMapping, kServer);
  const auto event = discovery.PollEvent();
  ASSERT_TRUE(event);
  EXPECT_TRUE(std::get<event::NatDiscovered>(*event).report.udp_blocked);
  EXPECT_EQ(discovery.NextTimeout(), Timestamp::Never());
}

TEST_F(NatDiscoveryTest, GarbageIsNotOurs) {
  NatDiscovery discovery(Options(), rng_, now_);
  for (size_t size = 0; size < 64; ++size) {
    EXPECT_FALSE(discovery.HandleDatagram(now_, kMapping, kServer, std::vector<uint8_t>(size, 0x01)));
  }
  std::array<uint8_t, 64> out;
  MessageBuilder request(out, {Method::kBinding, MessageClass::kRequest}, TransactionId::Random(rng_));
  EXPECT_FALSE(discovery.HandleDatagram(now_, kMapping, kServer, request.Finish()));
}

TEST_F(NatDiscoveryTest, NamesItsResults) {
  EXPECT_STREQ(ToString(NatBehavior::kUnknown), "unknown");
  EXPECT_STREQ(ToString(NatBehavior::kEndpointIndependent), "endpoint-independent");
  EXPECT_STREQ(ToString(NatBehavior::kAddressDependent), "address-dependent");
  EXPECT_STREQ(ToString(NatBehavior::kAddressAndPortDependent), "address-and-port-dependent");
}

}  // namespace
}  // namespace jsp::stun
