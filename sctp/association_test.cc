// The core as its owner sees it: what Send, ResetStreams and the events promise.
#include "sctp/association.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sctp/packet/chunk/forward_tsn.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

SendOptions MaxRetransmits(uint16_t n) {
  SendOptions options;
  options.max_retransmits = n;
  return options;
}
SendOptions Lifetime(Duration lifetime) {
  SendOptions options;
  options.lifetime = lifetime;
  return options;
}

TEST(AssociationTest, RefusesWhatTheCallerDidWrong) {
  EstablishedPeer peer;
  const auto send = [&](Message message, const SendOptions& options = {}) {
    return peer.core.Send(peer.now, std::move(message), options).error();
  };
  EXPECT_EQ(send(MakeMessage(0, 0)), SendError::kEmptyMessage);
  EXPECT_EQ(send(MakeMessage(0, 256 * 1024 + 1)), SendError::kMessageTooLarge);
  EXPECT_EQ(send(MakeMessage(65535, 1)), SendError::kUnknownStream);
  SendOptions both = MaxRetransmits(1);
  both.lifetime = 1s;
  EXPECT_EQ(send(MakeMessage(0, 1), both), SendError::kBadOptions);
}

TEST(AssociationTest, P4_PushesBackWhenTheSendBufferIsFull) {
  ScriptedPeer::Config config;
  config.options.max_send_buffer = 10000;
  EstablishedPeer peer(config);
  EXPECT_EQ(peer.core.send_buffer_room(), 10000u);
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 9000)));
  EXPECT_EQ(peer.core.send_buffer_room(), 1000u);
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(0, 1001)).error(), SendError::kQueueFull);
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 1000)));
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(0, 10001)).error(), SendError::kMessageTooLarge);
  // Room comes back with acknowledgements, not with transmission.
  peer.Drain();
  EXPECT_EQ(peer.core.send_buffer_room(), 0u);
  peer.Deliver(peer.SackUpTo(Tsn(peer.core_initial_tsn.value + 9)));
  EXPECT_EQ(peer.core.send_buffer_room(), 10000u);
}

TEST(AssociationTest, RespectsTheRemoteLimitThatComesLater) {  // RFC 8841 §6
  ScriptedPeer peer;
  peer.core.SetRemoteLimits(5000, 1000);
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(0, 1001)).error(), SendError::kMessageTooLarge);
  EXPECT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 1000)));
  peer.core.SetRemoteLimits(5000, 0);
  EXPECT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 1 << 20)));
}

TEST(AssociationTest, CountsBufferedAmountsUntilTheFirstTransmission) {
  EstablishedPeer peer;
  SendOptions control;
  control.control = true;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 500)));
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 70), control));
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(2, 30)));
  EXPECT_EQ(peer.core.buffered_amount(StreamId(1)), 500u);
  EXPECT_EQ(peer.core.total_buffered_amount(), 530u);
  peer.Drain();
  EXPECT_EQ(peer.core.total_buffered_amount(), 0u);
}

TEST(AssociationTest, TellsWhenTheBufferedAmountIsLow) {
  EstablishedPeer peer;
  while (peer.core.PollEvent()) continue;
  peer.core.SetBufferedAmountLowThreshold(StreamId(1), 20000);
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(1, 60000)));
  peer.Drain();
  EXPECT_FALSE(peer.core.PollEvent());
  Tsn acknowledged = Tsn(peer.core_initial_tsn.value + 19);
  peer.Deliver(peer.SackUpTo(acknowledged));
  const auto low = peer.NextEvent<event::BufferedAmountLow>();
  ASSERT_TRUE(low);
  EXPECT_EQ(low->stream, StreamId(1));
  EXPECT_LE(peer.core.buffered_amount(StreamId(1)), 20000u);
  EXPECT_FALSE(peer.NextEvent<event::BufferedAmountLow>());
}

TEST(AssociationTest, TimeNeverGoesBack) {
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 10)));
  peer.Drain();
  const Timestamp next = peer.core.NextTimeout();
  peer.core.HandleTimeout(Timestamp::FromEpoch(0us));
  peer.core.HandlePacket(Timestamp::FromEpoch(0us), {});
  EXPECT_EQ(peer.core.NextTimeout(), next);
  EXPECT_EQ(peer.core.metrics().t3_expiries, 0u);
}

TEST(AssociationTest, IsMovable) {
  Rng rng = Rng::FromNumber(1);
  const Timestamp now = Timestamp::FromEpoch(1s);
  Association first(Options{}, rng, now);
  first.Connect(now);
  Association second(std::move(first));
  std::array<uint8_t, 1200> buffer;
  EXPECT_TRUE(second.PollTransmit(now, buffer));
  EXPECT_EQ(second.state(), State::kCookieWait);
}

TEST(AssociationTest, NamesItsStatesCausesAndDropReasons) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(State::kShutdownAckSent); ++i) names.insert(ToString(State(i)));
  EXPECT_EQ(names.size(), 8u);
  names.clear();
  for (int i = 0; i <= static_cast<int>(AbortCause::kLocalClose); ++i) names.insert(ToString(AbortCause(i)));
  EXPECT_EQ(names.size(), 5u);
  names.clear();
  for (int i = 0; i < static_cast<int>(DropReason::kCount); ++i) names.insert(ToString(DropReason(i)));
  EXPECT_EQ(names.size(), static_cast<size_t>(DropReason::kCount));
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(AssociationTest, CarriesMessagesOfEverySizeBothWays) {  // RFC 9260 §6.9
  AssociationPair pair;
  ASSERT_TRUE(pair.Connect());
  std::vector<size_t> sizes{1,    2,    3,    4,    5,    1159,  1160,  1161,   1175,   1176,
                            1177, 2319, 2320, 2321, 4096, 65535, 65536, 100001, 262143, 262144};
  for (size_t size = 1; size < 70; ++size) sizes.push_back(size);
  for (const size_t size : sizes) {
    ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, size)));
    ASSERT_TRUE(pair.z().Send(pair.now(), MakeMessage(2, size)));
  }
  pair.RunUntil(
      [&] { return pair.received(Side::kA).size() == sizes.size() && pair.received(Side::kZ).size() == sizes.size(); },
      60s);
  for (const Side side : {Side::kA, Side::kZ}) {
    ASSERT_EQ(pair.received(side).size(), sizes.size());
    for (size_t i = 0; i < sizes.size(); ++i) {
      EXPECT_EQ(pair.received(side)[i].message.payload, MakeMessage(0, sizes[i]).payload);
      EXPECT_EQ(pair.received(side)[i].message.ppid, Ppid(53));
    }
  }
  EXPECT_EQ(pair.a().metrics().retransmitted_chunks, 0u);
  EXPECT_EQ(pair.a().metrics().messages_sent, sizes.size());
  EXPECT_EQ(pair.z().metrics().messages_received, sizes.size());
}

TEST(AssociationTest, C19_SendsAcrossTheWrapOfTsnAndSsn) {  // RFC 9260 §1.6
  ScriptedPeer::Config config;
  config.options.initial_window_packets = 100;
  EstablishedPeer peer(config);
  ASSERT_EQ(peer.core_initial_tsn, Tsn(0xfffffffe));
  Tsn expected = peer.core_initial_tsn;
  uint32_t messages = 0;
  while (messages < 70000) {
    for (int i = 0; i < 40; ++i, ++messages) ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(3, 20)));
    for (const DataChunk& data : ChunksOf<DataChunk>(peer.Drain())) {
      ASSERT_EQ(data.tsn, expected);
      ASSERT_EQ(data.ssn.value, static_cast<uint16_t>(expected.value - peer.core_initial_tsn.value));
      expected = Tsn(expected.value + 1);
    }
    peer.Deliver(peer.SackUpTo(Tsn(expected.value - 1)));
  }
  EXPECT_LT(expected.value, 70000u);  // it wrapped
  EXPECT_EQ(peer.core.metrics().outstanding_bytes, 0u);
}

TEST(AssociationTest, AbandonsWhatMaxRetransmitsZeroLosesAndDeliversTheRest) {  // RFC 3758 §3.5, RFC 8831 §6.1
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    AssociationPair pair({.link = {.loss = 0.1, .reorder = 0.2}, .seed = seed});
    ASSERT_TRUE(pair.Connect());
    for (uint8_t i = 0; i < 100; ++i) {
      ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 1 + i * 37u, i), MaxRetransmits(0)));
    }
    ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 7, 200)));
    ASSERT_TRUE(pair.RunUntil(
        [&] {
          return !pair.received(Side::kZ).empty() && pair.received(Side::kZ).back().message.payload.size() == 7 &&
                 pair.received(Side::kZ).back().message.payload[0] == 200;
        },
        60s));
    pair.Run(20s);
    // In order, whole, none twice.
    size_t last = 0;
    for (const auto& received : pair.received(Side::kZ)) {
      const auto& payload = received.message.payload;
      if (payload.size() == 7 && payload[0] == 200) continue;
      EXPECT_GT(payload.size(), last);
      last = payload.size();
      EXPECT_EQ(payload, MakeMessage(1, payload.size(), static_cast<uint8_t>((payload.size() - 1) / 37)).payload);
    }
    EXPECT_EQ(pair.received(Side::kZ).size() + pair.a().metrics().messages_abandoned >= 101, true);
    EXPECT_EQ(pair.a().send_buffer_room(), Options{}.max_send_buffer);
    EXPECT_EQ(pair.a().state(), State::kEstablished);
  }
}

TEST(AssociationTest, P34_StaleMessagesAreNeverSent) {  // RFC 3758 §4.1
  AssociationPair pair({.link = {.delay = 50ms, .bits_per_s = 1e6}});
  ASSERT_TRUE(pair.Connect());
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 1000), Lifetime(300ms)));
  ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 5)));
  pair.Run(10s);
  // Three round trips of slow start within the lifetime: 10, 20 and 40 messages at most.
  EXPECT_LE(pair.received(Side::kZ).size(), 71u);
  EXPECT_GT(pair.received(Side::kZ).size(), 10u);
  EXPECT_EQ(pair.received(Side::kZ).back().message.payload.size(), 5u);
  EXPECT_LE(pair.a().metrics().bytes_sent, 70 * 1000u + 5);
  EXPECT_EQ(pair.a().total_buffered_amount(), 0u);
}

TEST(AssociationTest, UnreliableMessagesAreReliableWhenThePeerLacksForwardTsn) {  // RFC 3758 §3.3.2
  EstablishedPeer peer(ScriptedPeer::Config{});
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 10), MaxRetransmits(0)));
  const auto sent = peer.Wait(5s);
  EXPECT_GT(ChunksOf<DataChunk>(sent).size(), 3u);
  EXPECT_TRUE(ChunksOf<ForwardTsnChunk>(sent).empty());
}

TEST(AssociationTest, LimitedRetransmissionsAreCounted) {  // RFC 3758 §4.1
  for (const uint16_t n : std::initializer_list<uint16_t>{0, 1, 3}) {
    EstablishedPeer peer;
    ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 10), MaxRetransmits(n)));
    const auto sent = peer.Wait(20s);
    EXPECT_EQ(ChunksOf<DataChunk>(sent).size(), n + 1u);
    const auto forwards = ChunksOf<ForwardTsnChunk>(sent);
    ASSERT_FALSE(forwards.empty());
    EXPECT_EQ(forwards[0].new_cumulative_tsn, peer.core_initial_tsn);
  }
}

TEST(AssociationTest, ABlackHoleEndsTheAssociation) {  // RFC 9260 §8.1
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 10)));
  const auto sent = peer.Wait(3600s);
  EXPECT_EQ(ChunksOf<DataChunk>(sent).size(), Options{}.association_max_retransmits + 1);
  EXPECT_EQ(peer.NextEvent<event::Aborted>()->cause, AbortCause::kTooManyRetransmissions);
  EXPECT_EQ(peer.core.NextTimeout(), Timestamp::Never());
}

TEST(AssociationTest, SurvivesAClosedWindowForLong) {  // RFC 9260 §6.1 A
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 10)));
  peer.Drain();
  SackChunk closed = peer.SackUpTo(peer.core_initial_tsn);
  closed.a_rwnd = 0;
  peer.Deliver(closed);
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 10000)));
  size_t probes = 0;
  for (int i = 0; i < 3000; ++i) {
    const auto data = ChunksOf<DataChunk>(peer.Wait(100ms));
    ASSERT_LE(data.size(), 1u);
    probes += data.size();
    if (!data.empty()) peer.Deliver(closed);
  }
  EXPECT_EQ(peer.core.state(), State::kEstablished);
  EXPECT_GT(probes, 10u);
  EXPECT_LT(probes, 60u);
  EXPECT_FALSE(ChunksOf<DataChunk>(peer.Deliver(peer.SackUpTo(peer.core_initial_tsn))).empty());
}

TEST(AssociationTest, R6_AnApplicationThatDoesNotReadStopsTheSender) {
  AssociationPair::Config config;
  config.z.receive_window = 300000;
  config.z.max_message_size = 100000;
  config.consume = 0;
  AssociationPair pair(config);
  ASSERT_TRUE(pair.Connect());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 10000)));
  pair.Run(60s);
  EXPECT_LE(pair.z().metrics().bytes_received, 300000u);
  EXPECT_EQ(pair.a().state(), State::kEstablished);
  // It reads at last: everything arrives.
  for (int i = 0; i < 200 && pair.received(Side::kZ).size() < 100; ++i) {
    pair.z().HandleConsumed(pair.now(), 100000);
    pair.Run(100ms);
  }
  EXPECT_EQ(pair.received(Side::kZ).size(), 100u);
}

TEST(AssociationTest, P37_EitherRoleSendsAsFast) {
  for (const Side side : {Side::kA, Side::kZ}) {
    AssociationPair pair({.link = {.delay = 20ms}});
    pair.a().Connect(pair.now());  // `a` is the client, `z` never sends INIT
    ASSERT_TRUE(pair.RunUntil(
        [&] {
          return pair.CountEvents<event::Connected>(Side::kZ) == 1 && pair.CountEvents<event::Connected>(Side::kA) == 1;
        },
        5s));
    const Association& sender = pair.core(side);
    EXPECT_EQ(sender.metrics().cwnd, Options{}.initial_window_packets * 1176);
    EXPECT_GE(sender.metrics().ssthresh, Options{}.receive_window);
    for (int i = 0; i < 32; ++i) ASSERT_TRUE(pair.core(side).Send(pair.now(), MakeMessage(1, 256 * 1024)));
    const Timestamp start = pair.now();
    const Side other = side == Side::kA ? Side::kZ : Side::kA;
    ASSERT_TRUE(pair.RunUntil([&] { return pair.received(other).size() == 32; }, 60s));
    // 8 MiB over 40 ms: slow start doubles from 10 packets to the receive window of 4 MiB in nine round trips, two more
    // windows follow.
    const Duration elapsed = pair.now() - start;
    EXPECT_GE(elapsed, 8 * 40ms);
    EXPECT_LE(elapsed, 13 * 40ms);
    EXPECT_EQ(pair.core(side).metrics().retransmitted_chunks, 0u);
  }
}

TEST(AssociationTest, RecoversFromOneLossWithoutATimeout) {  // RFC 9260 §7.2.4
  for (const Side side : {Side::kA, Side::kZ}) {
    AssociationPair pair;
    ASSERT_TRUE(pair.Connect());
    int countdown = 30;
    pair.set_filter([&](Side from, std::span<const uint8_t> packet) {
      return from == side && HasUserData(packet) && --countdown == 0;
    });
    ASSERT_TRUE(pair.core(side).Send(pair.now(), MakeMessage(1, 200000)));
    const Side other = side == Side::kA ? Side::kZ : Side::kA;
    ASSERT_TRUE(pair.RunUntil([&] { return pair.received(other).size() == 1; }, 10s));
    const Metrics& metrics = pair.core(side).metrics();
    EXPECT_EQ(metrics.retransmitted_chunks, 1u);
    EXPECT_EQ(metrics.fast_retransmits, 1u);
    EXPECT_EQ(metrics.t3_expiries, 0u);
    EXPECT_LT(metrics.ssthresh, Options{}.receive_window);
  }
}

TEST(AssociationTest, RecoversFromALostSackWithoutRetransmitting) {  // RFC 9260 §6.2
  AssociationPair pair;
  ASSERT_TRUE(pair.Connect());
  int countdown = 5;
  pair.set_filter([&](Side from, std::span<const uint8_t> packet) {
    return from == Side::kZ && HasChunk(packet, ChunkType::kSack) && --countdown == 0;
  });
  ASSERT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 100000)));
  pair.Run(5s);
  EXPECT_EQ(pair.received(Side::kZ).size(), 1u);
  EXPECT_EQ(pair.a().metrics().retransmitted_chunks, 0u);
}

TEST(AssociationTest, FillsALongFatPipe) {  // P1
  AssociationPair::Config config;
  config.link = {.delay = 50ms, .bits_per_s = 200e6};
  AssociationPair pair(config);
  ASSERT_TRUE(pair.Connect());
  const Timestamp start = pair.now();
  size_t sent = 0;
  const auto done = [&] {
    while (sent < 400 && pair.a().total_buffered_amount() < (1 << 20)) {
      EXPECT_TRUE(pair.a().Send(pair.now(), MakeMessage(1, 64 * 1024)));
      ++sent;
    }
    return pair.received(Side::kZ).size() == 400;
  };
  ASSERT_TRUE(pair.RunUntil(done, 60s));
  // 26 MB at 200 Mbit/s take 1.1 s. The window of 4 MiB carries 335 Mbit/s at 100 ms, the queue of the link drops a
  // little of slow start's overshoot; anything within four times the ideal has no stall in it.
  EXPECT_LE(pair.now() - start, 4400ms);
}

}  // namespace
}  // namespace jsp::sctp
