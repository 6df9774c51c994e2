#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sctp/packet/chunk/init.h"
#include "test/interop/usrsctp_pair.h"
namespace jsp::interop {
namespace {

using namespace std::chrono_literals;
using sctp::ChunkType;
using sctp::Framing;
using sctp::Ppid;
using sctp::StreamId;
namespace event = sctp::event;

UsrsctpPair::Config ConfigOf(Framing framing, const UsrsctpPair::Link& link = {}, uint64_t seed = 1) {
  UsrsctpPair::Config config;
  config.usrsctp.interleaving = framing == Framing::kIData;
  config.link = link;
  config.seed = seed;
  return config;
}

sctp::SendOptions Reliable(bool unordered) {
  sctp::SendOptions options;
  options.unordered = unordered;
  return options;
}
sctp::SendOptions SentOnce(bool unordered = false) {
  sctp::SendOptions options = Reliable(unordered);
  options.max_retransmits = 0;
  return options;
}
sctp::SendOptions LivingFor(Duration lifetime) {
  sctp::SendOptions options;
  options.lifetime = lifetime;
  return options;
}

// Everything once with DATA and once with I-DATA.
class UsrsctpDataTest : public testing::TestWithParam<Framing> {
 protected:
  ChunkType data() const { return GetParam() == Framing::kIData ? ChunkType::kIData : ChunkType::kData; }
  ChunkType forward() const { return GetParam() == Framing::kIData ? ChunkType::kIForwardTsn : ChunkType::kForwardTsn; }
  ChunkType other_data() const { return GetParam() == Framing::kIData ? ChunkType::kData : ChunkType::kIData; }
};

TEST_P(UsrsctpDataTest, MessagesOfEverySizeArriveThroughLossReorderingAndDuplication) {  // RFC 9260 §6, RFC 8260 §2
  const std::vector<size_t> sizes{1, 2, 3, 4, 1000, 1143, 1144, 1159, 1160, 1200, 5000, 16384, 65536, 262144};
  for (const bool unordered : {false, true}) {
    UsrsctpPair pair(ConfigOf(GetParam(), {.loss = 0.02, .duplicate = 0.02, .reorder = 0.1}, unordered ? 11 : 12));
    ASSERT_TRUE(pair.Connect());
    std::multiset<std::vector<uint8_t>> sent;
    for (size_t i = 0; i < sizes.size(); ++i) {
      const auto payload = Payload(sizes[i], i);
      sent.insert(payload);
      ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(1), Ppid(53), payload}, Reliable(unordered)));
      ASSERT_TRUE(pair.usrsctp().Send(2, 53, payload, {.unordered = unordered}));
    }
    ASSERT_TRUE(pair.RunUntil(
        [&] { return pair.received.size() == sizes.size() && pair.usrsctp().received.size() == sizes.size(); }, 10min));
    std::multiset<std::vector<uint8_t>> ours;
    std::multiset<std::vector<uint8_t>> theirs;
    for (size_t i = 0; i < sizes.size(); ++i) {
      ours.emplace(pair.received[i].payload.begin(), pair.received[i].payload.end());
      theirs.insert(pair.usrsctp().received[i].payload);
      EXPECT_EQ(pair.usrsctp().received[i].unordered, unordered);
      if (unordered) continue;
      EXPECT_EQ(pair.received[i].payload.size(), sizes[i]);
      EXPECT_EQ(pair.usrsctp().received[i].payload.size(), sizes[i]);
    }
    EXPECT_EQ(ours, sent);
    EXPECT_EQ(theirs, sent);
    for (const Sender from : {Sender::kOurs, Sender::kUsrsctp}) {
      EXPECT_GT(pair.chunks(from, data()), 300u);
      EXPECT_EQ(pair.chunks(from, other_data()), 0u);
    }
  }
}

TEST_P(UsrsctpDataTest, ManyStreamsKeepTheirOrderEach) {  // RFC 9260 §6.5
  constexpr uint16_t kStreams = 500;
  constexpr size_t kEach = 8;
  UsrsctpPair pair(ConfigOf(GetParam(), {.loss = 0.03, .reorder = 0.2}, 21));
  ASSERT_TRUE(pair.Connect());
  for (size_t i = 0; i < kEach; ++i) {
    for (uint16_t stream = 0; stream < kStreams; ++stream) {
      const auto payload = Payload(40 + i, i);
      ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(stream), Ppid(53), payload}));
      ASSERT_TRUE(pair.usrsctp().Send(stream, 53, payload));
    }
  }
  const size_t all = kStreams * kEach;
  ASSERT_TRUE(
      pair.RunUntil([&] { return pair.received.size() == all && pair.usrsctp().received.size() == all; }, 10min));
  std::map<uint16_t, size_t> ours;
  std::map<uint16_t, size_t> theirs;
  for (const auto& message : pair.received) {
    const size_t i = ours[message.stream.value]++;
    ASSERT_EQ(message.payload, Payload(40 + i, i)) << "stream " << message.stream.value;
  }
  for (const auto& message : pair.usrsctp().received) {
    const size_t i = theirs[message.stream]++;
    ASSERT_EQ(message.payload, Payload(40 + i, i)) << "stream " << message.stream;
  }
}

TEST_P(UsrsctpDataTest, WhatWeSendOnceArrivesOnceOrNever) {  // RFC 3758 §3.5, RFC 7496 §3.1
  for (const bool unordered : {false, true}) {
    UsrsctpPair pair(ConfigOf(GetParam(), {.loss = 0.1}, 31));
    ASSERT_TRUE(pair.Connect());
    for (size_t i = 0; i < 300; ++i) {
      ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(1), Ppid(53), Payload(900, i)}, SentOnce(unordered)));
    }
    // On another stream: usrsctp takes the MID of a skipped unordered message for one of ordered messages as well, and
    // aborts at the next ordered message of the stream.
    ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(2), Ppid(51), Payload(3, 0)}));
    ASSERT_TRUE(pair.RunUntil(
        [&] {
          const auto& got = pair.usrsctp().received;
          return std::ranges::count(got, 51u, &UsrsctpPeer::Received::ppid) == 1;
        },
        5min));
    pair.Run(1min);
    const size_t arrived = pair.usrsctp().received.size() - 1;
    EXPECT_LT(arrived, 300u);
    EXPECT_GT(arrived, 200u);
    EXPECT_EQ(pair.ours().metrics().messages_abandoned, 300 - arrived);
    EXPECT_GT(pair.chunks(Sender::kOurs, forward()), 0u);
    EXPECT_EQ(pair.ours().metrics().outstanding_bytes, 0u);
  }
}

TEST_P(UsrsctpDataTest, WhatItSendsOnceArrivesOnceOrNever) {  // RFC 3758 §3.6, RFC 7496 §3.1
  for (const bool unordered : {false, true}) {
    UsrsctpPair pair(ConfigOf(GetParam(), {.loss = 0.1}, 32));
    ASSERT_TRUE(pair.Connect());
    for (size_t i = 0; i < 300; ++i) {
      ASSERT_TRUE(pair.usrsctp().Send(1, 53, Payload(900, i), {unordered, SCTP_PR_SCTP_RTX, 0}));
    }
    ASSERT_TRUE(pair.usrsctp().Send(1, 51, Payload(3, 0)));
    ASSERT_TRUE(
        pair.RunUntil([&] { return std::ranges::count(pair.received, Ppid(51), &sctp::Message::ppid) == 1; }, 5min));
    pair.Run(1min);
    EXPECT_LT(pair.received.size() - 1, 300u);
    EXPECT_GT(pair.received.size() - 1, 200u);
    EXPECT_GT(pair.chunks(Sender::kUsrsctp, forward()), 0u);
    EXPECT_TRUE(pair.usrsctp().Send(1, 51, Payload(4, 0)));
    EXPECT_TRUE(pair.RunUntil([&] { return pair.received.back().payload.size() == 4; }, 1min));
  }
}

TEST_P(UsrsctpDataTest, LargeUnreliableMessagesAreWholeOrAbsent) {  // RFC 3758 §3.5 A, RFC 8260 §2.3.1
  UsrsctpPair pair(ConfigOf(GetParam(), {.loss = 0.02}, 33));
  ASSERT_TRUE(pair.Connect());
  std::set<std::vector<uint8_t>> sent;
  for (size_t i = 0; i < 60; ++i) {
    const auto payload = Payload(20000 + i, i);
    sent.insert(payload);
    const auto stream = static_cast<uint16_t>(i % 3);
    ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(stream), Ppid(53), payload}, SentOnce()));
    ASSERT_TRUE(pair.usrsctp().Send(stream, 53, payload, {false, SCTP_PR_SCTP_RTX, 0}));
  }
  pair.Run(2min);
  ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(0), Ppid(51), Payload(7, 0)}));
  ASSERT_TRUE(pair.usrsctp().Send(0, 51, Payload(7, 0)));
  pair.Run(1min);
  ASSERT_FALSE(pair.received.empty());
  ASSERT_FALSE(pair.usrsctp().received.empty());
  EXPECT_EQ(pair.received.back().payload, Payload(7, 0));
  EXPECT_EQ(pair.usrsctp().received.back().payload, Payload(7, 0));
  EXPECT_GT(pair.received.size(), 10u);
  EXPECT_GT(pair.usrsctp().received.size(), 10u);
  pair.received.pop_back();
  pair.usrsctp().received.pop_back();
  for (auto& message : pair.received) EXPECT_TRUE(sent.contains(std::move(message.payload).IntoVector()));
  for (const auto& message : pair.usrsctp().received) EXPECT_TRUE(sent.contains(message.payload));
}

TEST_P(UsrsctpDataTest, MessagesPastTheirLifetimeAreSkippedBothWays) {  // RFC 3758 §3.5, RFC 8831 §6.6
  UsrsctpPair pair(ConfigOf(GetParam()));
  ASSERT_TRUE(pair.Connect());
  pair.Run(1s);
  pair.set_filter([](Sender, std::span<const uint8_t>) { return true; });  // nothing passes for a while
  for (size_t i = 0; i < 30; ++i) {
    ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(1), Ppid(53), Payload(900, i)}, LivingFor(500ms)));
    ASSERT_TRUE(pair.usrsctp().Send(1, 53, Payload(900, i), {false, SCTP_PR_SCTP_TTL, 500}));
  }
  pair.Run(3s);
  pair.set_filter({});
  ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(1), Ppid(51), Payload(5, 0)}));
  ASSERT_TRUE(pair.usrsctp().Send(1, 51, Payload(5, 0)));
  ASSERT_TRUE(pair.RunUntil([&] { return !pair.received.empty() && !pair.usrsctp().received.empty(); }, 5min));
  EXPECT_EQ(pair.usrsctp().received[0].payload, Payload(5, 0));
  EXPECT_EQ(pair.ours().metrics().messages_abandoned, 30u);
  // usrsctp drops by age what it has sent once; what was never sent goes out however old it is.
  ASSERT_TRUE(pair.RunUntil([&] { return pair.received.back().payload == Payload(5, 0); }, 5min));
  EXPECT_LT(pair.received.size(), 31u);
  EXPECT_GT(pair.chunks(Sender::kUsrsctp, forward()), 0u);
}

TEST_P(UsrsctpDataTest, OurResetFreesTheStreamForNewMessages) {  // RFC 6525 §5.1.2, §5.2.2
  UsrsctpPair pair(ConfigOf(GetParam(), {.loss = 0.1, .reorder = 0.2}, 41));
  ASSERT_TRUE(pair.Connect());
  const StreamId stream(7);
  for (size_t round = 0; round < 10; ++round) {
    for (size_t i = 0; i < 5; ++i) {
      ASSERT_TRUE(pair.ours().Send(pair.now(), {stream, Ppid(53), Payload(3000, round * 5 + i)}));
    }
    ASSERT_TRUE(pair.ours().ResetStreams(pair.now(), std::vector{stream}));
    ASSERT_TRUE(pair.RunUntil([&] { return pair.CountEvents<event::OutgoingStreamsReset>() == round + 1; }, 5min));
    ASSERT_TRUE(pair.RunUntil([&] { return pair.usrsctp().resets.size() == round + 1; }, 1min));
    EXPECT_EQ(pair.usrsctp().resets.back().flags, SCTP_STREAM_RESET_INCOMING_SSN);
    EXPECT_EQ(pair.usrsctp().resets.back().streams, std::vector<uint16_t>{7});
    ASSERT_EQ(pair.usrsctp().received.size(), (round + 1) * 5);
  }
  for (size_t i = 0; i < 50; ++i) EXPECT_EQ(pair.usrsctp().received[i].payload, Payload(3000, i));
}

TEST_P(UsrsctpDataTest, ItsResetFreesTheStreamForNewMessages) {  // RFC 6525 §5.2.2
  UsrsctpPair pair(ConfigOf(GetParam(), {.loss = 0.1, .reorder = 0.2}, 42));
  ASSERT_TRUE(pair.Connect());
  for (size_t round = 0; round < 10; ++round) {
    for (size_t i = 0; i < 5; ++i) ASSERT_TRUE(pair.usrsctp().Send(7, 53, Payload(3000, round * 5 + i)));
    ASSERT_TRUE(pair.usrsctp().ResetStreams(SCTP_STREAM_RESET_OUTGOING, {7}));
    ASSERT_TRUE(pair.RunUntil([&] { return pair.usrsctp().resets.size() == round + 1; }, 5min));
    EXPECT_EQ(pair.usrsctp().resets.back().flags, SCTP_STREAM_RESET_OUTGOING_SSN);
    ASSERT_TRUE(pair.RunUntil([&] { return pair.CountEvents<event::IncomingStreamsReset>() == round + 1; }, 5min));
    ASSERT_EQ(pair.received.size(), (round + 1) * 5);
  }
  EXPECT_EQ(pair.Event<event::IncomingStreamsReset>()->streams, std::vector{StreamId(7)});
  for (size_t i = 0; i < 50; ++i) EXPECT_EQ(pair.received[i].payload, Payload(3000, i));
}

TEST_P(UsrsctpDataTest, ResetsOfBothSidesCross) {  // RFC 6525 §5.1.1: at most one request of ours at a time
  UsrsctpPair pair(ConfigOf(GetParam(), {.loss = 0.05}, 43));
  ASSERT_TRUE(pair.Connect());
  const std::vector<StreamId> ours{StreamId(1), StreamId(2), StreamId(900)};
  for (size_t round = 0; round < 5; ++round) {
    ASSERT_TRUE(pair.ours().Send(pair.now(), {ours[0], Ppid(53), Payload(50000, round)}));
    ASSERT_TRUE(pair.usrsctp().Send(1, 53, Payload(50000, round)));
    ASSERT_TRUE(pair.ours().ResetStreams(pair.now(), ours));
    ASSERT_TRUE(pair.usrsctp().ResetStreams(SCTP_STREAM_RESET_OUTGOING, {1, 2, 900}));
    ASSERT_TRUE(pair.RunUntil(
        [&] {
          return pair.OutgoingResets() == 3 * (round + 1) && pair.IncomingResets() == 3 * (round + 1) &&
                 pair.usrsctp().reset_streams() == 6 * (round + 1);
        },
        5min))
        << "round " << round;
  }
  EXPECT_EQ(pair.received.size(), 5u);
  EXPECT_EQ(pair.usrsctp().received.size(), 5u);
}

// The initial TSN follows from the seed of our random numbers.
uint32_t InitialTsn(uint64_t seed) {
  Rng rng = Rng::FromNumber(seed).Fork();
  const Timestamp now = Timestamp::FromEpoch(1s);
  sctp::Association association(sctp::Options{}, rng, now);
  association.Connect(now);
  std::vector<uint8_t> packet(2048);
  const auto size = association.PollTransmit(now, packet);
  const auto view = sctp::PacketView::Parse(std::span(packet).first(size->size), sctp::ChecksumPolicy::kRequireCrc32c);
  return sctp::InitChunk::Parse(*view->chunks.begin())->initial_tsn.value;
}

TEST_P(UsrsctpDataTest, OurTsnsWrapAround) {  // RFC 9260 §1.6, §5.1
  constexpr uint32_t kNearTheEnd = 0xffff0000;
  uint64_t seed = 1;
  while (InitialTsn(seed) < kNearTheEnd) ++seed;
  UsrsctpPair pair(ConfigOf(GetParam(), {.delay = 1ms, .loss = 0.001, .reorder = 0.01}, seed));
  uint32_t first = 0;
  pair.set_filter([&](Sender from, std::span<const uint8_t> packet) {
    const auto view = sctp::PacketView::Parse(packet, sctp::ChecksumPolicy::kAcceptZero);
    const sctp::ChunkView chunk = *view->chunks.begin();
    if (from == Sender::kOurs && chunk.type == ChunkType::kInit)
      first = sctp::InitChunk::Parse(chunk)->initial_tsn.value;
    return false;
  });
  ASSERT_TRUE(pair.Connect());
  ASSERT_EQ(first, InitialTsn(seed));
  const auto payload = Payload(200000, 1);
  const uint64_t to_go = uint64_t{0x100000000} - first + 1000;
  size_t sent = 0;
  while (pair.chunks(Sender::kOurs, data()) < to_go) {
    while (pair.ours().Send(pair.now(), {StreamId(1), Ppid(53), payload})) ++sent;
    ASSERT_TRUE(pair.RunUntil([&] { return pair.ours().total_buffered_amount() < 1'000'000; }, 10min));
  }
  ASSERT_TRUE(pair.RunUntil([&] { return pair.usrsctp().received.size() == sent; }, 10min));
  for (const auto& message : pair.usrsctp().received) ASSERT_EQ(message.payload, payload);
}

INSTANTIATE_TEST_SUITE_P(Framings, UsrsctpDataTest, testing::Values(Framing::kData, Framing::kIData),
                         [](const auto& tested) {
                           return std::string(tested.param == Framing::kIData ? "IData" : "Data");
                         });

TEST(UsrsctpInterleavingTest, OurSmallMessagePassesALargeOne) {  // RFC 8260 §2.1
  UsrsctpPair pair(ConfigOf(Framing::kIData));
  ASSERT_TRUE(pair.Connect());
  pair.Run(1s);
  ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(1), Ppid(53), Payload(250000, 1)}));
  ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(2), Ppid(53), Payload(10, 2)}));
  ASSERT_TRUE(pair.RunUntil([&] { return pair.usrsctp().received.size() == 2; }, 1min));
  EXPECT_EQ(pair.usrsctp().received[0].stream, 2);
  EXPECT_EQ(pair.usrsctp().received[1].payload, Payload(250000, 1));
}

TEST(UsrsctpInterleavingTest, ItsSmallMessagePassesALargeOneWithEveryScheduler) {  // RFC 8260 §2.1, §3
  for (const uint32_t scheduler :
       {SCTP_SS_DEFAULT, SCTP_SS_ROUND_ROBIN, SCTP_SS_ROUND_ROBIN_PACKET, SCTP_SS_FAIR_BANDWITH}) {
    UsrsctpPair::Config config = ConfigOf(Framing::kIData, {.loss = 0.01}, 51 + scheduler);
    config.usrsctp.scheduler = scheduler;
    UsrsctpPair pair(config);
    ASSERT_TRUE(pair.Connect());
    pair.Run(1s);
    for (uint16_t stream = 1; stream <= 5; ++stream) {
      ASSERT_TRUE(pair.usrsctp().Send(stream, 53, Payload(250000, stream)));
    }
    ASSERT_TRUE(pair.usrsctp().Send(9, 53, Payload(10, 2)));
    ASSERT_TRUE(pair.RunUntil([&] { return pair.received.size() == 6; }, 5min)) << "scheduler " << scheduler;
    EXPECT_EQ(pair.received[0].stream, StreamId(9)) << "scheduler " << scheduler;
    for (size_t i = 1; i < 6; ++i) {
      EXPECT_EQ(pair.received[i].payload, Payload(250000, pair.received[i].stream.value));
    }
  }
}

}  // namespace
}  // namespace jsp::interop
