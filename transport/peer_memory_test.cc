// What a connection holds, and what a limit of one or of all refuses.
#include <gtest/gtest.h>

#include "transport/testing/peer_pair.h"
namespace jsp::transport {
namespace {

using namespace std::chrono_literals;
using datachannel::MessageKind;
using datachannel::OpenError;
using datachannel::SendError;
using testing::PeerPair;

// A budget of one thread.
struct Budget {
  size_t limit = 0;
  size_t used = 0;
  size_t refusals = 0;
  MemorySource source() {
    return {.owner = std::shared_ptr<void>(std::shared_ptr<void>(), this),
            .take =
                [](void* owner, size_t octets) {
                  auto& budget = *static_cast<Budget*>(owner);
                  if (octets <= budget.limit && budget.used <= budget.limit - octets) {
                    budget.used += octets;
                    return true;
                  }
                  ++budget.refusals;
                  return false;
                },
            .give = [](void* owner, size_t octets) { static_cast<Budget*>(owner)->used -= octets; }};
  }
  PeerOptions options() {
    PeerOptions options;
    options.memory.source = source();
    return options;
  }
};

std::vector<uint8_t> Numbered(size_t number, size_t size) {
  std::vector<uint8_t> payload(size, static_cast<uint8_t>(number));
  payload[0] = static_cast<uint8_t>(number >> 8);
  return payload;
}

// nullopt: it was taken.
std::optional<SendError> Send(PeerPair& pair, datachannel::ChannelId channel, size_t number, size_t size) {
  const auto sent = pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, Numbered(number, size));
  return sent ? std::nullopt : std::optional(sent.error());
}

TEST(PeerMemoryTest, StatsSayWhatIsHeldToTheOctet) {
  PeerPair pair;
  pair.z.read = false;
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "x"});
  ASSERT_TRUE(pair.Connect());
  const auto held = [](const PeerPair::Side& side) { return side.peer->stats().memory; };
  ASSERT_TRUE(pair.RunUntil([&] { return held(pair.a).sending == 0; }));
  EXPECT_EQ(held(pair.a).channels, Peer::kChannelOctets);
  EXPECT_EQ(held(pair.z).received, 0u);
  for (size_t i = 0; i < 3; ++i) ASSERT_EQ(Send(pair, channel, i, 1000), std::nullopt);
  EXPECT_EQ(held(pair.a).sending, 3000u);
  ASSERT_TRUE(pair.RunUntil([&] { return held(pair.a).sending == 0; }));
  EXPECT_EQ(held(pair.z).received, 3000u);
  const MemoryStats now = held(pair.z);
  EXPECT_EQ(now.total(), now.fixed + now.handshake + now.working + now.paths + now.channels + 3000 + now.pooled);
  ASSERT_TRUE(pair.z.peer->PollAnyMessage(pair.now));
  EXPECT_EQ(held(pair.z).received, 2000u);
  while (pair.z.peer->PollAnyMessage(pair.now)) {
  }
  EXPECT_EQ(held(pair.z).received, 0u);
}

TEST(PeerMemoryTest, R7_OneConnectionStaysBelowItsLimitWhicheverSideStops) {
  constexpr size_t kLimit = 512 * 1024, kSize = 8 * 1024;
  PeerOptions limited;
  limited.memory.limit = kLimit;
  PeerPair pair(7, limited, limited);
  pair.z.read = false;
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "x"});
  ASSERT_TRUE(pair.Connect());
  size_t accepted = 0;
  std::optional<SendError> refusal;
  (void)pair.RunUntil(
      [&] {
        while (!(refusal = Send(pair, channel, accepted, kSize))) ++accepted;
        pair.Settle();
        return pair.z.peer->stats().memory.received > kLimit / 3 && pair.a.peer->stats().sctp.peer_rwnd < kSize;
      },
      30s);
  EXPECT_EQ(refusal, SendError::kQueueFull);
  EXPECT_GT(accepted * kSize, kLimit / 3);
  for (const auto* side : {&pair.a, &pair.z}) EXPECT_LE(side->peer->stats().memory.total(), kLimit);
  EXPECT_EQ(pair.a.peer->Send(pair.now, channel, MessageKind::kBinary, Numbered(0, kLimit / 4)).error(),
            SendError::kTooLarge);
  pair.z.read = true;
  ASSERT_TRUE(pair.RunUntil([&] { return pair.z.messages.size() == accepted; }));
  for (size_t i = 0; i < accepted; ++i) ASSERT_EQ(pair.z.messages[i].payload, Numbered(i, kSize)) << i;
}

TEST(PeerMemoryTest, ABudgetWithoutRoomRefusesAnotherConnectionAndSaysSo) {
  Budget budget{2 * (Peer::kBirthOctets + MemoryShare::kStep)};
  auto pair = std::make_unique<PeerPair>(1, budget.options(), budget.options());
  ASSERT_TRUE(pair->Connect());
  Rng rng = Rng::FromNumber(3);
  PeerOptions options = budget.options();
  options.certificate = *dtls::Certificate::Generate();
  Peer third(options, rng, pair->now);
  EXPECT_EQ(third.state(), ConnectionState::kFailed);
  EXPECT_NE(third.stats().state_reason.find("out of memory"), std::string::npos);
  const auto event = third.PollEvent();
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<event::StateChanged>(*event).state, ConnectionState::kFailed);
  third.AddLocalAddress(pair->now, {*SocketAddress::Parse("192.0.2.9:7")});
  third.EndOfLocalAddresses(pair->now);
  EXPECT_NE(third.CreateOffer(pair->now).error().message.find("out of memory"), std::string::npos);
  EXPECT_EQ(third.OpenChannel(pair->now, {}).error(), OpenError::kClosed);
  EXPECT_EQ(third.NextTimeout(), Timestamp::Never());
  EXPECT_GT(budget.used, 2 * Peer::kBirthOctets);
  pair.reset();
  EXPECT_EQ(budget.used, 0u);
  EXPECT_EQ(Peer(options, rng, Timestamp::FromEpoch(1s)).state(), ConnectionState::kNew);
}

TEST(PeerMemoryTest, IdleConnectionsLeaveRoomForOthers) {
  constexpr size_t kPairs = 20;
  Budget budget{kPairs * 6 * MemoryShare::kStep + 2 * (Peer::kBirthOctets + MemoryShare::kStep)};
  std::vector<std::unique_ptr<PeerPair>> pairs;
  for (size_t i = 0; i < kPairs; ++i) {
    pairs.push_back(std::make_unique<PeerPair>(i, budget.options(), budget.options()));
    ASSERT_TRUE(pairs.back()->Connect()) << i;
    (void)pairs.back()->RunUntil([] { return false; }, 12s);
  }
  EXPECT_EQ(budget.refusals, 0u);
  size_t held = 0;
  for (const auto& pair : pairs) held += pair->a.peer->stats().memory.total() + pair->z.peer->stats().memory.total();
  EXPECT_GE(budget.used, held);
  EXPECT_LE(budget.used, held + pairs.size() * 6 * MemoryShare::kStep);
}

// However near what it holds is to the next step of the budget.
TEST(PeerMemoryTest, AnIdleConnectionGoesOnWhenOthersHaveTakenTheRest) {
  for (size_t others = 0; others < 20; ++others) {
    Budget budget{.limit = 256 * 1024};
    PeerPair pair(1, {}, budget.options());
    const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "x"});
    for (size_t i = 0; i < others; ++i) ASSERT_TRUE(pair.a.peer->OpenChannel(pair.now, {.label = "other"}));
    ASSERT_TRUE(pair.Connect());
    (void)pair.RunUntil([] { return false; }, 10s);  // it rests
    budget.used = budget.limit;
    for (size_t i = 0; i < 64; ++i) ASSERT_EQ(Send(pair, channel, i, 16 * 1024), std::nullopt);
    EXPECT_TRUE(pair.RunUntil([&] { return pair.z.messages.size() == 64; }, 60s)) << others;
  }
}

TEST(PeerMemoryTest, ABudgetWithoutRoomRefusesChannelsAndMessagesUntilSomethingLeft) {
  Budget budget{4 * 1024 * 1024};
  PeerPair pair(5, budget.options());
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "x"});
  ASSERT_TRUE(pair.Connect());
  budget.limit = 512 * 1024;
  size_t accepted = 0;
  constexpr size_t kSize = 10000;
  std::optional<SendError> refusal;
  while (!(refusal = Send(pair, channel, accepted, kSize))) ++accepted;
  EXPECT_EQ(refusal, SendError::kOutOfMemory);
  EXPECT_LE(budget.used, budget.limit);
  EXPECT_GT(accepted * kSize, budget.limit / 2);
  size_t channels = 0;
  while (pair.a.peer->OpenChannel(pair.now, {.label = "more"})) ++channels;
  EXPECT_LT(channels, 20u);
  EXPECT_EQ(pair.a.peer->OpenChannel(pair.now, {}).error(), OpenError::kOutOfMemory);
  ASSERT_TRUE(pair.RunUntil([&] { return pair.z.messages.size() == accepted; }));
  for (size_t i = 0; i < accepted; ++i) ASSERT_EQ(pair.z.messages[i].payload, Numbered(i, kSize)) << i;
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a.peer->stats().memory.sending == 0; }));
  EXPECT_EQ(Send(pair, channel, accepted, kSize), std::nullopt);
  EXPECT_TRUE(pair.a.peer->OpenChannel(pair.now, {.label = "again"}));
}

// RFC 9260 §6.2: what is not taken is not acknowledged.
TEST(PeerMemoryTest, ABudgetWithoutRoomHoldsBackWhatComesAndLosesNothing) {
  Budget budget{4 * 1024 * 1024};
  PeerPair pair(6, {}, budget.options());
  pair.z.read = false;
  const auto channel = *pair.a.peer->OpenChannel(pair.now, {.label = "x"});
  ASSERT_TRUE(pair.Connect());
  budget.limit = 256 * 1024;
  constexpr size_t kSize = 8 * 1024, kMessages = 200;
  for (size_t i = 0; i < kMessages; ++i) ASSERT_EQ(Send(pair, channel, i, kSize), std::nullopt);
  (void)pair.RunUntil([] { return false; }, 5s);
  EXPECT_GT(budget.refusals, 0u);
  EXPECT_LE(budget.used, budget.limit);
  EXPECT_LE(pair.z.peer->stats().memory.total(), budget.limit + 2048);  // one packet more
  EXPECT_GT(pair.z.peer->stats().memory.received, budget.limit / 4);
  EXPECT_EQ(pair.z.peer->state(), ConnectionState::kCompleted);
  pair.z.read = true;
  ASSERT_TRUE(pair.RunUntil([&] { return pair.z.messages.size() == kMessages; }));
  for (size_t i = 0; i < kMessages; ++i) ASSERT_EQ(pair.z.messages[i].payload, Numbered(i, kSize)) << i;
}

}  // namespace
}  // namespace jsp::transport
