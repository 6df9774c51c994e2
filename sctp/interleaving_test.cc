#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "sctp/packet/chunk/abort.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/packet/chunk/forward_tsn.h"
#include "sctp/packet/chunk/i_data.h"
#include "sctp/packet/chunk/i_forward_tsn.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

// RE-CONFIG, FORWARD TSN, I-DATA, I-FORWARD-TSN.
const std::vector<uint8_t> kWithInterleaving{0xc0, 0, 0, 4, 0x80, 0x08, 0, 8, 130, 192, 64, 194};

Message MessageOf(uint16_t stream, size_t size) {
  return {StreamId(stream), Ppid(53), std::vector<uint8_t>(size, static_cast<uint8_t>(stream))};
}

struct Interleaved : ScriptedPeer {
  Interleaved() : ScriptedPeer({.parameters = kWithInterleaving}) {
    EstablishAsServer();
    while (core.PollEvent()) continue;
  }
  IDataChunk Data(uint16_t stream, uint32_t mid, uint32_t fsn, bool beginning, bool end) {
    IDataChunk chunk;
    chunk.data.tsn = Tsn(config.initial_tsn.value + next_tsn++);
    chunk.data.stream = StreamId(stream);
    chunk.data.mid = Mid(mid);
    chunk.data.fsn = fsn;
    chunk.data.ppid = Ppid(53);
    chunk.data.beginning = beginning;
    chunk.data.end = end;
    chunk.data.payload = payload;
    return chunk;
  }
  std::vector<uint8_t> payload{1, 2, 3};
  uint32_t next_tsn = 0;
};

TEST(InterleavingTest, ALargeMessageLetsASmallOnePass) {  // RFC 8260 §2.2.2
  Interleaved peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MessageOf(1, 10000)));
  ASSERT_TRUE(peer.core.Send(peer.now, MessageOf(2, 100)));
  const auto chunks = ChunksOf<IDataChunk>(peer.Drain());
  ASSERT_GE(chunks.size(), 10u);
  const auto small = std::ranges::find_if(chunks, [](const IDataChunk& c) { return c.data.stream == StreamId(2); });
  ASSERT_NE(small, chunks.end());
  EXPECT_LE(small - chunks.begin(), 1);
  // RFC 8260 §2.1: numbered from 0, the first with B and the last with E, all with consecutive TSNs whatever stream.
  uint32_t fsn = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    EXPECT_EQ(chunks[i].data.tsn, Tsn(chunks[0].data.tsn.value + static_cast<uint32_t>(i)));
    if (chunks[i].data.stream != StreamId(1)) continue;
    EXPECT_EQ(chunks[i].data.fsn, fsn);
    EXPECT_EQ(chunks[i].data.beginning, fsn == 0);
    EXPECT_EQ(chunks[i].data.ppid, fsn == 0 ? Ppid(53) : Ppid(0));
    ++fsn;
  }
  EXPECT_TRUE(chunks.back().data.end);
}

TEST(InterleavingTest, OrderedAndUnorderedMessagesAreCountedApart) {  // RFC 8260 §2.1
  Interleaved peer;
  for (const bool unordered : {false, true, true, false}) {
    SendOptions options;
    options.unordered = unordered;
    ASSERT_TRUE(peer.core.Send(peer.now, MessageOf(1, 10), options));
  }
  std::vector<std::pair<bool, uint32_t>> mids;
  for (const auto& chunk : ChunksOf<IDataChunk>(peer.Drain())) {
    mids.emplace_back(chunk.data.unordered, chunk.data.mid.value);
  }
  EXPECT_EQ(mids, (std::vector<std::pair<bool, uint32_t>>{{false, 0}, {true, 0}, {true, 1}, {false, 1}}));
}

TEST(InterleavingTest, DeliversWhatInterleaves) {  // RFC 8260 §2.2.3
  Interleaved peer;
  peer.Deliver(peer.Data(1, 0, 0, true, false), peer.Data(2, 0, 0, true, true), peer.Data(1, 0, 1, false, true));
  const auto first = peer.NextEvent<event::MessageReceived>();
  const auto second = peer.NextEvent<event::MessageReceived>();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->message.stream, StreamId(2));
  EXPECT_EQ(second->message.payload, (std::vector<uint8_t>{1, 2, 3, 1, 2, 3}));
}

TEST(InterleavingTest, DataIsAViolationOnceIDataWasNegotiated) {  // RFC 8260 §2.2.3
  Interleaved peer;
  DataChunk data;
  data.tsn = peer.config.initial_tsn;
  data.beginning = data.end = true;
  data.payload = peer.payload;
  const auto sent = peer.Deliver(data);
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].types(), std::vector<ChunkType>{ChunkType::kAbort});
  EXPECT_TRUE(peer.NextEvent<event::Aborted>());
}

TEST(InterleavingTest, IDataIsAViolationWithoutNegotiation) {  // RFC 8260 §2.2.3
  ScriptedPeer peer;
  peer.EstablishAsServer();
  IDataChunk chunk;
  chunk.data.tsn = peer.config.initial_tsn;
  chunk.data.beginning = chunk.data.end = true;
  const std::vector<uint8_t> payload{1};
  chunk.data.payload = payload;
  const auto sent = peer.Deliver(chunk);
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].types(), std::vector<ChunkType>{ChunkType::kAbort});
}

TEST(InterleavingTest, ForwardTsnIsAViolationOnceIDataWasNegotiated) {  // RFC 8260 §2.3.1
  Interleaved peer;
  const auto sent = peer.Deliver(ForwardTsnChunk{peer.config.initial_tsn, {}});
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].types(), std::vector<ChunkType>{ChunkType::kAbort});
}

TEST(InterleavingTest, AFragmentTwiceEndsTheAssociation) {  // RFC 8260 §2.2.3
  Interleaved peer;
  peer.Deliver(peer.Data(1, 0, 0, true, false));
  const auto sent = peer.Deliver(peer.Data(1, 0, 0, true, false));
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].types(), std::vector<ChunkType>{ChunkType::kAbort});
}

TEST(InterleavingTest, IForwardTsnNamesUnorderedMessagesToo) {  // RFC 8260 §2.3.1
  Interleaved peer;
  SendOptions once;
  once.unordered = true;
  once.max_retransmits = 0;
  ASSERT_TRUE(peer.core.Send(peer.now, MessageOf(3, 100), once));
  ASSERT_EQ(ChunksOf<IDataChunk>(peer.Drain()).size(), 1u);
  const auto sent = peer.Wait(1s);
  const auto forwards = ChunksOf<IForwardTsnChunk>(sent);
  ASSERT_FALSE(forwards.empty());
  ASSERT_EQ(forwards[0].skipped.size(), 1u);
  EXPECT_EQ(forwards[0].skipped[0], (SkippedMessages{StreamId(3), SkippedMessages::kUnordered, Mid(0)}));
}

TEST(InterleavingTest, IForwardTsnReleasesWhatWaited) {  // RFC 8260 §2.3.1
  Interleaved peer;
  ++peer.next_tsn;  // message 0 is never sent
  peer.Deliver(peer.Data(1, 1, 0, true, true));
  EXPECT_FALSE(peer.NextEvent<event::MessageReceived>());
  const std::vector<SkippedMessages> skipped{{StreamId(1), 0, Mid(0)}};
  peer.Deliver(IForwardTsnChunk{peer.config.initial_tsn, std::span<const SkippedMessages>(skipped)});
  EXPECT_TRUE(peer.NextEvent<event::MessageReceived>());
}

AssociationPair::Config PairConfig(double loss, uint64_t seed) {
  AssociationPair::Config config;
  config.link.loss = loss;
  config.seed = seed;
  return config;
}

TEST(InterleavingTest, OwnPeersNegotiateItAndDataNeverAppears) {  // RFC 8260 §2.2.1
  AssociationPair pair;
  bool has_data = false;
  bool has_i_data = false;
  pair.set_filter([&](Side, std::span<const uint8_t> packet) {
    has_data = has_data || HasChunk(packet, ChunkType::kData);
    has_i_data = has_i_data || HasChunk(packet, ChunkType::kIData);
    return false;
  });
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a().Send(pair.now(), MessageOf(1, 50000)));
  EXPECT_TRUE(pair.RunUntil([&] { return pair.received(Side::kZ).size() == 1; }, 10s));
  EXPECT_TRUE(has_i_data);
  EXPECT_FALSE(has_data);
  EXPECT_TRUE(pair.FindEvent<event::Connected>(Side::kA)->interleaving);
}

TEST(InterleavingTest, WorksWithAPeerThatDoesNotOfferIt) {  // RFC 8260 §2
  AssociationPair::Config config;
  config.z.interleaving = false;
  AssociationPair pair(config);
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a().Send(pair.now(), MessageOf(1, 50000)));
  EXPECT_TRUE(pair.RunUntil([&] { return pair.received(Side::kZ).size() == 1; }, 10s));
  EXPECT_FALSE(pair.FindEvent<event::Connected>(Side::kA)->interleaving);
}

TEST(InterleavingTest, C19_DeliversEverythingOverALossyPath) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    AssociationPair::Config config = PairConfig(0.1, seed);
    config.link.reorder = 0.1;
    config.link.duplicate = 0.05;
    AssociationPair pair(config);
    ASSERT_TRUE(pair.Connect());
    for (size_t i = 0; i < 30; ++i) {
      for (const uint16_t stream : std::initializer_list<uint16_t>{0, 1, 2}) {
        ASSERT_TRUE(pair.a().Send(pair.now(), MessageOf(stream, 1 + i * 700)));
      }
    }
    ASSERT_TRUE(pair.RunUntil([&] { return pair.received(Side::kZ).size() == 90; }, 60s));
    std::array<size_t, 3> next{};
    for (const auto& received : pair.received(Side::kZ)) {
      const uint16_t stream = received.message.stream.value;
      EXPECT_EQ(received.message.payload, MessageOf(stream, 1 + next[stream]++ * 700).payload);
    }
  }
}

TEST(InterleavingTest, AbandonedMessagesNeverHoldUpTheOthers) {  // RFC 8260 §2.3.1, RFC 3758 §3.5
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    AssociationPair pair(PairConfig(0.2, seed));
    ASSERT_TRUE(pair.Connect());
    SendOptions once;
    once.max_retransmits = 0;
    for (size_t i = 0; i < 40; ++i) {
      ASSERT_TRUE(pair.a().Send(pair.now(), MessageOf(1, 5000), once));
      ASSERT_TRUE(pair.a().Send(pair.now(), MessageOf(2, 3000)));
    }
    const auto reliable = [&] {
      return std::ranges::count_if(pair.received(Side::kZ),
                                   [](const auto& r) { return r.message.stream == StreamId(2); });
    };
    ASSERT_TRUE(pair.RunUntil([&] { return reliable() == 40; }, 60s));
    ASSERT_TRUE(pair.RunUntil([&] { return pair.a().total_buffered_amount() == 0; }, 60s));
    for (const auto& received : pair.received(Side::kZ)) {
      EXPECT_EQ(received.message.payload.size(), received.message.stream == StreamId(1) ? 5000u : 3000u);
    }
  }
}

TEST(InterleavingTest, PrioritiesShareALink) {  // RFC 8260 §3.6, RFC 8831 §6.4
  AssociationPair::Config config;
  config.link.bits_per_s = 8e6;
  AssociationPair pair(config);
  ASSERT_TRUE(pair.Connect());
  // Messages of unequal sizes, so that turns would favour the large ones.
  SendOptions high;
  high.priority = 512;
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(pair.a().Send(pair.now(), MessageOf(1, 50000)));
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(pair.a().Send(pair.now(), MessageOf(2, 5000), high));
  pair.Run(2s);
  const double low_left = static_cast<double>(pair.a().buffered_amount(StreamId(1)));
  const double high_left = static_cast<double>(pair.a().buffered_amount(StreamId(2)));
  ASSERT_GT(high_left, 0);
  EXPECT_NEAR((2e6 - high_left) / (2e6 - low_left), 2, 0.1);
}

TEST(InterleavingTest, AResetStreamBeginsAtZeroAgain) {  // RFC 8260 §2.3.2
  AssociationPair pair;
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a().Send(pair.now(), MessageOf(1, 3000)));
  pair.Run(1s);
  const std::vector<StreamId> streams{StreamId(1)};
  ASSERT_TRUE(pair.a().ResetStreams(pair.now(), streams));
  pair.Run(1s);
  ASSERT_TRUE(pair.FindEvent<event::OutgoingStreamsReset>(Side::kA));
  std::optional<uint32_t> mid;
  pair.set_filter([&](Side, std::span<const uint8_t> packet) {
    const auto view = PacketView::Parse(packet, ChecksumPolicy::kAcceptZero);
    for (const ChunkView chunk : view->chunks) {
      if (const auto data = IDataChunk::Parse(chunk)) mid = data->data.mid.value;
    }
    return false;
  });
  ASSERT_TRUE(pair.a().Send(pair.now(), MessageOf(1, 10)));
  pair.Run(1s);
  EXPECT_EQ(mid, 0u);
  EXPECT_EQ(pair.received(Side::kZ).size(), 2u);
}

}  // namespace
}  // namespace jsp::sctp
