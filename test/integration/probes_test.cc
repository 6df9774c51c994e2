// Random symmetric NATs against port-restricted ones: data over the relay, then directly (ice/prediction_probes.h).
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "bench/natlab/lab.h"
namespace jsp {
namespace {

using natlab::Lab;
using natlab::LabOptions;
using netsim::NatType;
using std::chrono::milliseconds;
using std::chrono::seconds;

LabOptions Between(NatType a, NatType z, uint64_t seed = 1) {
  LabOptions options;
  options.layout = {.a = a, .z = z};
  options.a.relays = options.z.relays = {turn::ControlTransport::kUdp};
  options.seed = seed;
  options.crosses_hard_nats = true;
  return options;
}

bool IsDirect(const natlab::LabSide& side) { return side.IsNominated() && !side.IsRelayed(); }

struct Crossing {
  explicit Crossing(const LabOptions& options) : lab(options) {
    const auto channel = lab.a->peer.OpenChannel(lab.world.now(), {.label = "ticks"});
    EXPECT_TRUE(channel && lab.Signal()) << lab.error();
    const Timestamp start = lab.world.now();
    while (lab.world.now() < start + seconds(14) && !upgraded) {
      const std::vector<uint8_t> tick{static_cast<uint8_t>(sent++)};
      EXPECT_TRUE(lab.a->peer.Send(lab.world.now(), *channel, datachannel::MessageKind::kBinary, tick));
      lab.a->driver.Kick();
      lab.world.RunFor(milliseconds(20));
      while (const auto message = lab.z->peer.PollAnyMessage(lab.world.now())) {
        if (!first_data) first_data = lab.world.now() - start;
        EXPECT_EQ(static_cast<uint8_t>(message->payload.data()[0]), static_cast<uint8_t>(received++)) << "none is lost";
      }
      if (IsDirect(*lab.a) && IsDirect(*lab.z)) upgraded = lab.world.now() - start;
    }
    lab.world.RunFor(seconds(2));
    while (lab.z->peer.PollAnyMessage(lab.world.now())) ++received;
    EXPECT_EQ(received, sent);
  }
  Lab lab;
  int sent = 0;
  int received = 0;
  std::optional<Duration> first_data;
  std::optional<Duration> upgraded;
};

TEST(ProbesTest, ARandomSymmetricNatIsCrossedWithinEightSecondsInNinetyFiveOfAHundred) {
  int crossed = 0;
  constexpr int kSeeds = 300;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const bool offers = seed % 2 == 0;  // either side of either role
    Crossing run(offers ? Between(NatType::kSymmetric, NatType::kPort, seed)
                        : Between(NatType::kPort, NatType::kSymmetric, seed));
    ASSERT_TRUE(run.first_data && *run.first_data <= seconds(1)) << "data waits for nothing, seed " << seed;
    crossed += run.upgraded && *run.upgraded <= seconds(8) ? 1 : 0;
  }
  EXPECT_GE(crossed * 100, kSeeds * 95);
}

TEST(ProbesTest, UnusedSocketsAreClosedAndTheOneInUseStays) {
  Crossing run(Between(NatType::kSymmetric, NatType::kPortRandom));
  ASSERT_TRUE(run.upgraded);
  EXPECT_LE(run.lab.a->driver.sockets(), 2 + 1 + 4u) << "its own, the relay's, and at most four that were met";
  run.lab.world.RunFor(seconds(120));
  EXPECT_TRUE(IsDirect(*run.lab.a) && IsDirect(*run.lab.z)) << "consent keeps the mapping alive (RFC 7675 §5.1)";
}

TEST(ProbesTest, WhatIsHopelessIsGivenUpWithinItsBudget) {
  Crossing run(Between(NatType::kSymmetric, NatType::kSymmetric));
  EXPECT_FALSE(run.upgraded);
  EXPECT_TRUE(run.lab.a->IsRelayed());
  Crossing rejected(Between(NatType::kPortReject, NatType::kSymmetric));
  EXPECT_FALSE(rejected.upgraded) << "what opens the mapping is rejected, and remembered";
  rejected.lab.world.RunFor(seconds(5));
  EXPECT_LE(rejected.lab.z->driver.sockets(), 3u);
}

TEST(ProbesTest, AnEasyNetworkIsNotProbed) {
  for (const NatType type : {NatType::kPublic, NatType::kPort, NatType::kSymmetricOpen}) {
    Lab lab(Between(type, NatType::kPort));
    ASSERT_TRUE(lab.Signal());
    const auto sent = [&] {
      return lab.a->peer.stats().demux.datagrams_sent + lab.z->peer.stats().demux.datagrams_sent;
    };
    lab.world.RunFor(seconds(3));
    const auto before = sent();
    lab.world.RunFor(seconds(3));
    EXPECT_LE(sent() - before, 40u);
  }
}

}  // namespace
}  // namespace jsp
