// From a relay to the direct path and back, in virtual time: the NAT lab's peers, and a firewall that changes its mind.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bench/natlab/lab.h"

namespace jsp {
namespace {

using natlab::Lab;
using natlab::LabOptions;
using natlab::LabSide;
using netsim::NatType;
using netsim::OutboundPolicy;
using std::chrono::milliseconds;
using std::chrono::seconds;
using turn::ControlTransport;

// a sends a number every 20 ms; z takes them.
struct Ticker {
  explicit Ticker(Lab& l) : lab(l), channel(*lab.a->peer.OpenChannel(lab.world.now(), {.label = "ticks"})) {}

  void Tick() {
    const std::string text = std::to_string(sent++);
    const std::vector<uint8_t> octets(text.begin(), text.end());
    EXPECT_TRUE(lab.a->peer.Send(lab.world.now(), channel, datachannel::MessageKind::kString, octets));
    lab.a->driver.Kick();
    next = lab.world.now() + milliseconds(20);
  }
  void Take() {
    while (const auto message = lab.z->peer.PollAnyMessage(lab.world.now())) {
      const std::string text(message->payload.data(), message->payload.data() + message->payload.size());
      EXPECT_EQ(text, std::to_string(received)) << "in order, and nothing is lost";
      ++received;
    }
  }
  // Until done(), ticking; what was sent has arrived when it ends without a timeout.
  template <class Done>
  bool RunUntil(Done&& done, Duration limit) {
    const Timestamp end = lab.world.now() + limit;
    while (!done() && lab.world.now() < end) {
      Tick();
      lab.world.RunFor(milliseconds(20));
      Take();
    }
    return done();
  }
  bool Settle() {
    return lab.world.RunUntil(
        [&] {
          Take();
          return received == sent;
        },
        seconds(10));
  }

  Lab& lab;
  datachannel::ChannelId channel;
  int sent = 0;
  int received = 0;
  Timestamp next;
};

LabOptions Options(NatType a, NatType z) {
  LabOptions options;
  options.layout = {.a = a, .z = z};
  options.a.relays = {ControlTransport::kUdp, ControlTransport::kTcp};
  options.z.relays = options.a.relays;
  return options;
}

TEST(RelayPathsTest, DataBeginsOverTheRelayAndMovesWhenTheDirectPathOpens) {  // RFC 8445 §8.1.1, §12.1
  Lab lab(Options(NatType::kUdpBlocked, NatType::kPublic));
  ASSERT_EQ(lab.error(), "");
  Ticker ticker(lab);
  ASSERT_TRUE(lab.Signal()) << lab.error();
  ASSERT_TRUE(ticker.RunUntil([&] { return ticker.received > 0; }, seconds(5)));
  EXPECT_TRUE(lab.a->IsRelayed());
  EXPECT_FALSE(lab.a->IsNominated()) << "a better pair may still answer";
  EXPECT_NE(lab.a->peer.stats().relay_reason.find("no direct path has answered"), std::string::npos)
      << lab.a->peer.stats().relay_reason;

  lab.world.nat(*lab.sides.a_nat).SetOutboundPolicy(OutboundPolicy::kAll);
  ASSERT_TRUE(ticker.RunUntil([&] { return lab.a->IsNominated() && lab.z->IsNominated(); }, seconds(10)));
  EXPECT_FALSE(lab.a->IsRelayed());
  EXPECT_FALSE(lab.z->IsRelayed());
  const int before = ticker.received;
  ASSERT_TRUE(ticker.RunUntil([&] { return ticker.received > before + 50; }, seconds(5)));
  ASSERT_TRUE(ticker.Settle());
  const auto stats = lab.a->peer.stats();
  EXPECT_EQ(stats.relay_reason, "");
  EXPECT_FALSE(stats.selected_relay);
  EXPECT_GT(stats.paths.relay_tcp.bytes_sent, 1000u);
  EXPECT_GT(stats.paths.direct.bytes_sent, 1000u);
  EXPECT_EQ(stats.paths.relay_udp.bytes_sent, 0u);
  ASSERT_GE(lab.a->selections.size(), 2u);
  EXPECT_TRUE(lab.a->selections.front().is_relayed());
  EXPECT_FALSE(lab.a->selections.back().is_relayed());
}

TEST(RelayPathsTest, FallsBackToTheRelayWhenNoDirectPathAnswers) {
  Lab lab(Options(NatType::kSymmetric, NatType::kSymmetric));
  Ticker ticker(lab);
  ASSERT_TRUE(lab.Signal()) << lab.error();
  ASSERT_TRUE(ticker.RunUntil([&] { return lab.a->IsNominated() && lab.z->IsNominated(); }, seconds(10)));
  ASSERT_TRUE(ticker.Settle());
  EXPECT_TRUE(lab.a->IsRelayed());
  EXPECT_NE(lab.a->peer.stats().relay_reason, "");
  EXPECT_NE(lab.z->peer.stats().relay_reason, "");
  const auto traffic = [](const LabSide& side) {
    const auto stats = side.peer.stats();
    return stats.paths.relay_udp.bytes_received + stats.paths.direct.bytes_received;
  };
  EXPECT_GT(traffic(*lab.z), 1000u);
}

// The pairs of a relay over TCP wait for nothing that the same relay over UDP has under way, at either end.
TEST(RelayPathsTest, ARestartReachesTheRelayOverTcpWhenUdpIsCut) {  // RFC 8445 §5.1.1.3, §6.1.4.2
  for (const bool cuts_a : {true, false}) {
    LabOptions setup = Options(NatType::kPort, NatType::kPort);
    (cuts_a ? setup.z : setup.a).relays = {ControlTransport::kUdp};
    Lab lab(setup);
    Ticker ticker(lab);
    ASSERT_TRUE(lab.Signal()) << lab.error();
    ASSERT_TRUE(ticker.RunUntil([&] { return lab.a->IsNominated() && lab.z->IsNominated(); }, seconds(5)));
    ASSERT_FALSE(lab.a->IsRelayed());
    lab.world.nat(cuts_a ? *lab.sides.a_nat : *lab.sides.z_nat).SetOutboundPolicy(OutboundPolicy::kNoUdp);
    const auto is_silent = [&] { return lab.a->peer.state() == transport::ConnectionState::kDisconnected; };
    ASSERT_TRUE(ticker.RunUntil(is_silent, seconds(15)));
    ASSERT_TRUE(lab.a->peer.RestartIce(lab.world.now()));
    lab.a->driver.Kick();
    ASSERT_TRUE(lab.Signal()) << lab.error();
    const Timestamp start = lab.world.now();
    const LabSide& cut = cuts_a ? *lab.a : *lab.z;
    const auto has_reached = [&] {
      return cut.relay() == ControlTransport::kTcp && lab.a->IsNominated() && lab.z->IsNominated();
    };
    ASSERT_TRUE(ticker.RunUntil(has_reached, seconds(60))) << cuts_a;
    EXPECT_LE(lab.world.now() - start, seconds(3)) << "nomination.patience_relayed is 2 s";
    EXPECT_TRUE(lab.a->IsRelayed() && lab.z->IsRelayed());
    ASSERT_TRUE(lab.world.RunUntil(
        [&] {
          ticker.Take();
          return ticker.received == ticker.sent;
        },
        seconds(61)))
        << "SCTP may have backed off that far (RFC 9260 §6.3.1)";
  }
}

}  // namespace
}  // namespace jsp
