// Associations over a pipe that loses, delays, doubles and reorders: whatever happens to packets, messages arrive
// exactly once, in order where order was asked for, and everything terminates.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/rng.h"
#include "sctp/association.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

// A message whose payload says what it is: its number on its stream, then octets that follow from it.
Message Numbered(uint16_t stream, uint32_t number, size_t size) {
  Message message = MakeMessage(stream, std::max<size_t>(size, 4), static_cast<uint8_t>(number));
  for (size_t i = 0; i < 4; ++i) message.payload[i] = static_cast<uint8_t>(number >> (24 - 8 * i));
  return message;
}

uint32_t NumberOf(const Message& message) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) number = number << 8 | message.payload[i];
  return number;
}

bool IsWhole(const Message& message) {
  return message.payload == Numbered(message.stream.value, NumberOf(message), message.payload.size()).payload;
}

enum class Order : uint8_t { kOrdered, kUnordered };

// Sends `count` messages of random sizes over `streams` streams, from both sides at once.
struct Traffic {
  uint16_t streams = 4;
  uint32_t count = 40;
  size_t max_size = 8000;
  SendOptions options = {};
};

SendOptions Unordered() {
  SendOptions options;
  options.unordered = true;
  return options;
}

void SendAll(AssociationPair& pair, Side side, const Traffic& traffic, Rng& rng) {
  for (uint32_t i = 0; i < traffic.count; ++i) {
    const size_t size = 1 + rng.Below(traffic.max_size);
    const auto stream = static_cast<uint16_t>(i % traffic.streams);
    ASSERT_TRUE(pair.core(side).Send(pair.now(), Numbered(stream, i / traffic.streams, size), traffic.options));
  }
}

// Every message once and whole; in order on each stream when ordered.
void ExpectExactlyOnce(const AssociationPair& pair, Side at, const Traffic& traffic, Order order) {
  std::map<uint16_t, std::vector<uint32_t>> numbers;
  for (const auto& received : pair.received(at)) {
    EXPECT_TRUE(IsWhole(received.message));
    numbers[received.message.stream.value].push_back(NumberOf(received.message));
  }
  EXPECT_EQ(pair.received(at).size(), traffic.count);
  for (auto& [stream, list] : numbers) {
    if (order == Order::kUnordered) std::ranges::sort(list);
    for (uint32_t i = 0; i < list.size(); ++i) ASSERT_EQ(list[i], i) << "stream " << stream;
  }
}

// One loss in five each way makes ten timeouts in a row likely enough to fail one of many seeds.
Options Patient() {
  Options options;
  options.association_max_retransmits = 30;
  options.rto_max = 6s;
  return options;
}

struct Impairment {
  const char* name;
  AssociationPair::Link link;
};

class ImpairedPathTest : public testing::TestWithParam<Impairment> {};

TEST_P(ImpairedPathTest, DeliversEverythingExactlyOnceAndInOrderBothWays) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng = Rng::FromNumber(seed);
    AssociationPair pair({.a = Patient(), .z = Patient(), .link = GetParam().link, .seed = seed});
    ASSERT_TRUE(pair.Connect());
    const Traffic traffic{.streams = static_cast<uint16_t>(1 + seed % 5)};
    SendAll(pair, Side::kA, traffic, rng);
    SendAll(pair, Side::kZ, traffic, rng);
    const auto done = [&] {
      return pair.received(Side::kA).size() >= traffic.count && pair.received(Side::kZ).size() >= traffic.count;
    };
    ASSERT_TRUE(pair.RunUntil(done, 300s));
    pair.Run(30s);
    ExpectExactlyOnce(pair, Side::kA, traffic, Order::kOrdered);
    ExpectExactlyOnce(pair, Side::kZ, traffic, Order::kOrdered);
    EXPECT_EQ(pair.a().metrics().outstanding_bytes, 0u);
    EXPECT_EQ(pair.a().send_buffer_room(), Options{}.max_send_buffer);
  }
}

TEST_P(ImpairedPathTest, DeliversUnorderedMessagesExactlyOnce) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng = Rng::FromNumber(seed);
    AssociationPair pair({.a = Patient(), .z = Patient(), .link = GetParam().link, .seed = seed});
    ASSERT_TRUE(pair.Connect());
    const Traffic traffic{.options = Unordered()};
    SendAll(pair, Side::kA, traffic, rng);
    ASSERT_TRUE(pair.RunUntil([&] { return pair.received(Side::kZ).size() >= traffic.count; }, 300s));
    pair.Run(30s);
    ExpectExactlyOnce(pair, Side::kZ, traffic, Order::kUnordered);
  }
}

TEST_P(ImpairedPathTest, ShutsDownGracefullyAfterAllDataIsDelivered) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng = Rng::FromNumber(seed);
    AssociationPair pair({.a = Patient(), .z = Patient(), .link = GetParam().link, .seed = seed});
    ASSERT_TRUE(pair.Connect());
    const Traffic traffic{.count = 20};
    SendAll(pair, Side::kA, traffic, rng);
    SendAll(pair, Side::kZ, traffic, rng);
    pair.a().Shutdown(pair.now());
    if (seed % 2 == 0) pair.z().Shutdown(pair.now());
    ASSERT_TRUE(
        pair.RunUntil([&] { return pair.a().state() == State::kClosed && pair.z().state() == State::kClosed; }, 300s));
    ExpectExactlyOnce(pair, Side::kA, traffic, Order::kOrdered);
    ExpectExactlyOnce(pair, Side::kZ, traffic, Order::kOrdered);
    EXPECT_EQ(pair.CountEvents<event::Closed>(Side::kA), 1u);
    EXPECT_EQ(pair.CountEvents<event::Closed>(Side::kZ), 1u);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Paths, ImpairedPathTest,
    testing::Values(Impairment{"Clean", {}}, Impairment{"Loss5", {.loss = 0.05}}, Impairment{"Loss20", {.loss = 0.2}},
                    Impairment{"Duplicates", {.duplicate = 0.3}}, Impairment{"Reorders", {.reorder = 0.5}},
                    Impairment{"Corrupts", {.corrupt = 0.1}},
                    Impairment{"Everything", {.loss = 0.1, .duplicate = 0.1, .reorder = 0.3, .corrupt = 0.02}}),
    [](const auto& path) { return std::string(path.param.name); });

}  // namespace
}  // namespace jsp::sctp
