// RFC 9260 §6 and RFC 3758 §3.6 from the receiver's side: what is accepted, acknowledged, and when.
#include "sctp/association/data_transfer.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <vector>

#include "sctp/packet/chunk/abort.h"
#include "sctp/packet/chunk/forward_tsn.h"
#include "sctp/packet/chunk/sack.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Types = std::vector<ChunkType>;

Tsn Plus(Tsn tsn, uint32_t n) { return Tsn(tsn.value + n); }

std::vector<GapAckBlock> BlocksOf(const SackChunk& sack) {
  return {sack.gap_ack_blocks.begin(), sack.gap_ack_blocks.end()};
}

std::vector<std::vector<uint8_t>> Messages(ScriptedPeer& peer) {
  std::vector<std::vector<uint8_t>> result;
  while (auto event = peer.core.PollEvent()) {
    if (auto* message = std::get_if<event::MessageReceived>(&*event)) {
      result.push_back(std::move(message->message.payload).IntoVector());
    }
  }
  return result;
}

DataChunk Unordered(DataChunk data) {
  data.unordered = true;
  return data;
}

TEST(DataTransferTest, AcknowledgesTheFirstDataAtOnceAndThenEverySecondPacket) {  // RFC 9260 §5.1, §6.2
  EstablishedPeer peer;
  EXPECT_EQ(ChunksOf<SackChunk>(peer.Deliver(peer.NextData(0, 0, kHello))).size(), 1u);
  for (uint16_t ssn = 1; ssn < 20; ssn += 2) {
    EXPECT_TRUE(peer.Deliver(peer.NextData(0, ssn, kHello)).empty());
    const auto sent = peer.Deliver(peer.NextData(0, static_cast<uint16_t>(ssn + 1), kHello));
    ASSERT_EQ(ChunksOf<SackChunk>(sent).size(), 1u);
    EXPECT_EQ(ChunksOf<SackChunk>(sent)[0].cumulative_tsn_ack, Plus(peer.next_tsn, ~0u));
  }
}

TEST(DataTransferTest, AcknowledgesALonePacketWithinTheDelay) {  // RFC 9260 §6.2
  EstablishedPeer peer;
  peer.Deliver(peer.NextData(0, 0, kHello));
  const Timestamp arrival = peer.now;
  EXPECT_TRUE(peer.Deliver(peer.NextData(0, 1, kHello)).empty());
  const auto sent = peer.Wait(500ms);
  ASSERT_EQ(ChunksOf<SackChunk>(sent).size(), 1u);
  EXPECT_EQ(sent[0].at - arrival, Options{}.delayed_ack);
}

TEST(DataTransferTest, NeverDelaysAcknowledgementsBeyondHalfASecond) {  // RFC 9260 §6.2
  ScriptedPeer::Config config;
  config.options.delayed_ack = 10s;
  EstablishedPeer peer(config);
  peer.Deliver(peer.NextData(0, 0, kHello));
  peer.Deliver(peer.NextData(0, 1, kHello));
  const auto sent = peer.Wait(500ms);
  EXPECT_EQ(ChunksOf<SackChunk>(sent).size(), 1u);
}

TEST(DataTransferTest, HonoursTheImmediateBit) {  // RFC 9260 §6.2
  EstablishedPeer peer;
  peer.Deliver(peer.NextData(0, 0, kHello));
  DataChunk data = peer.NextData(0, 1, kHello);
  data.immediate = true;
  EXPECT_EQ(ChunksOf<SackChunk>(peer.Deliver(data)).size(), 1u);
}

TEST(DataTransferTest, SendsOneSackForTenChunksOfOnePacket) {  // RFC 9260 §6.2
  EstablishedPeer peer;
  peer.Deliver(peer.NextData(0, 0, kHello));
  std::vector<uint8_t> packet(1200);
  PacketBuilder builder(packet, {5000, 5000, peer.core_tag});
  for (uint16_t ssn = 1; ssn <= 10; ++ssn) builder.Add(peer.NextData(0, ssn, kHello));
  packet.resize(builder.Finish());
  peer.HandOver(packet);
  EXPECT_TRUE(peer.Drain().empty());
  EXPECT_EQ(ChunksOf<SackChunk>(peer.Wait(1s)).size(), 1u);
  EXPECT_EQ(Messages(peer).size(), 11u);
}

TEST(DataTransferTest, ReportsGapsAtOnceAndUntilTheyAreFilled) {  // RFC 9260 §6.7, §3.3.4
  EstablishedPeer peer;
  peer.Deliver(peer.NextData(0, 0, kHello));
  const DataChunk missing = Unordered(peer.NextData(0, 0, kHello));
  for (int i = 0; i < 3; ++i) {
    const auto sent = peer.Deliver(Unordered(peer.NextData(0, 0, kHello)));
    ASSERT_EQ(ChunksOf<SackChunk>(sent).size(), 1u);
    EXPECT_EQ(BlocksOf(ChunksOf<SackChunk>(sent)[0]), (std::vector<GapAckBlock>{{2, static_cast<uint16_t>(2 + i)}}));
  }
  const auto sent = peer.Deliver(missing);
  ASSERT_EQ(ChunksOf<SackChunk>(sent).size(), 1u);
  EXPECT_TRUE(BlocksOf(ChunksOf<SackChunk>(sent)[0]).empty());
  EXPECT_EQ(ChunksOf<SackChunk>(sent)[0].cumulative_tsn_ack, Plus(peer.next_tsn, ~0u));
}

TEST(DataTransferTest, ReportsDuplicatesAtOnce) {  // RFC 9260 §6.2
  EstablishedPeer peer;
  const DataChunk data = peer.NextData(0, 0, kHello);
  peer.Deliver(data);
  const auto sent = peer.Deliver(data);
  ASSERT_EQ(ChunksOf<SackChunk>(sent).size(), 1u);
  const auto duplicates = ChunksOf<SackChunk>(sent)[0].duplicate_tsns;
  ASSERT_EQ(duplicates.size(), 1u);
  EXPECT_EQ(duplicates[0], data.tsn);
  EXPECT_EQ(Messages(peer).size(), 1u);
  EXPECT_EQ(peer.dropped(DropReason::kDuplicateData), 1u);
}

TEST(DataTransferTest, LimitsGapBlocksToOnePacketLowestFirst) {  // RFC 9260 §6.7
  EstablishedPeer peer;
  std::vector<SentPacket> sent;
  for (int i = 0; i < 1000; ++i) {
    peer.next_tsn = Plus(peer.next_tsn, 1);
    sent = peer.Deliver(Unordered(peer.NextData(0, 0, kHello)));
  }
  ASSERT_EQ(sent.size(), 1u);
  const auto blocks = BlocksOf(ChunksOf<SackChunk>(sent)[0]);
  EXPECT_GT(blocks.size(), 280u);
  EXPECT_EQ(blocks.front(), (GapAckBlock{2, 2}));
  EXPECT_LE(sent[0].octets.size(), Options{}.max_packet_size);
}

TEST(DataTransferTest, BundlesThePendingSackWithOutgoingData) {  // RFC 9260 §6.1
  EstablishedPeer peer;
  peer.Deliver(peer.NextData(0, 0, kHello));
  peer.Deliver(peer.NextData(0, 1, kHello));
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 10)));
  const auto sent = peer.Drain();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].types(), (Types{ChunkType::kSack, ChunkType::kData}));
  EXPECT_TRUE(ChunksOf<SackChunk>(peer.Wait(300ms)).empty());
}

TEST(DataTransferTest, AbortsOnDataWithoutUserData) {  // RFC 9260 §6.2
  EstablishedPeer peer;
  const auto sent = peer.Deliver(peer.NextData(0, 0, {}));
  ASSERT_EQ(ChunksOf<AbortChunk>(sent).size(), 1u);
  EXPECT_EQ(CausesOf(ChunksOf<AbortChunk>(sent)[0]), std::vector<CauseCode>{CauseCode::kNoUserData});
}

TEST(DataTransferTest, AcknowledgesAndReportsAnInvalidStream) {  // RFC 9260 §6.5
  ScriptedPeer::Config config;
  config.options.max_incoming_streams = 10;
  EstablishedPeer peer(config);
  const auto sent = peer.Deliver(peer.NextData(60000, 0, kHello));
  EXPECT_EQ(ChunksOf<SackChunk>(sent).size(), 1u);
  ASSERT_EQ(ChunksOf<ErrorChunk>(sent).size(), 1u);
  EXPECT_EQ(CausesOf(ChunksOf<ErrorChunk>(sent)[0]), std::vector<CauseCode>{CauseCode::kInvalidStreamIdentifier});
  EXPECT_TRUE(Messages(peer).empty());
}

TEST(DataTransferTest, DeliversOtherStreamsWhileOneIsBlocked) {  // RFC 9260 §6.6
  EstablishedPeer peer;
  const DataChunk missing = peer.NextData(0, 0, kHello);
  peer.Deliver(peer.NextData(0, 1, kHello));
  peer.Deliver(peer.NextData(1, 0, kHello));
  peer.Deliver(Unordered(peer.NextData(0, 77, kHello)));
  EXPECT_EQ(Messages(peer).size(), 2u);
  peer.Deliver(missing);
  EXPECT_EQ(Messages(peer).size(), 2u);
}

TEST(DataTransferTest, AcceptsDataWithNonZeroPaddingAndLargeBundles) {  // RFC 9260 §3.2, §6
  EstablishedPeer peer;
  const std::vector<uint8_t> odd{1};
  auto packet = peer.Compose(peer.core_tag, peer.NextData(0, 0, odd));
  packet[packet.size() - 1] = packet[packet.size() - 2] = 0xff;
  const uint32_t crc = PacketChecksum(packet);
  for (size_t i = 0; i < 4; ++i) packet[8 + i] = static_cast<uint8_t>(crc >> (8 * i));
  peer.HandOver(packet);
  EXPECT_EQ(Messages(peer), std::vector<std::vector<uint8_t>>{odd});
}

TEST(DataTransferTest, AbortsOnFragmentsThatDoNotFitTogether) {  // RFC 9260 §6.9
  EstablishedPeer peer;
  DataChunk first = peer.NextData(0, 0, kHello);
  first.end = false;
  DataChunk again = peer.NextData(0, 1, kHello);
  again.end = false;
  peer.Deliver(first);
  const auto sent = peer.Deliver(again);
  ASSERT_EQ(ChunksOf<AbortChunk>(sent).size(), 1u);
  EXPECT_EQ(CausesOf(ChunksOf<AbortChunk>(sent)[0]), std::vector<CauseCode>{CauseCode::kProtocolViolation});
  EXPECT_EQ(peer.NextEvent<event::Aborted>()->cause, AbortCause::kProtocolViolation);
}

TEST(DataTransferTest, R5_AbortsWhenAMessageExceedsOurLimit) {
  ScriptedPeer::Config config;
  config.options.max_message_size = 5000;
  EstablishedPeer peer(config);
  const auto payload = MakeMessage(0, 1000).payload;
  for (int i = 0; i < 6 && peer.core.state() == State::kEstablished; ++i) {
    DataChunk data = peer.NextData(0, 0, payload);
    data.beginning = i == 0;
    data.end = false;
    peer.Deliver(data);
  }
  EXPECT_EQ(peer.core.state(), State::kClosed);
}

TEST(DataTransferTest, C6_EnforcesTheReceiveWindow) {  // RFC 9260 §6.2
  ScriptedPeer::Config config;
  config.options.receive_window = 200000;
  config.options.max_message_size = 10000;
  EstablishedPeer peer(config);
  const auto payload = MakeMessage(0, 1000).payload;
  std::vector<SentPacket> sent;
  for (int i = 0; i < 20000; ++i) sent = peer.Deliver(peer.NextData(0, static_cast<uint16_t>(i), payload));
  EXPECT_LE(peer.core.metrics().bytes_received, 200000u);
  EXPECT_GT(peer.dropped(DropReason::kReceiveWindowFull), 19000u);
  // Dropped DATA is not acknowledged, and the SACK says so at once.
  ASSERT_EQ(ChunksOf<SackChunk>(sent).size(), 1u);
  EXPECT_EQ(ChunksOf<SackChunk>(sent)[0].a_rwnd, 0u);
  EXPECT_NE(ChunksOf<SackChunk>(sent)[0].cumulative_tsn_ack, Plus(peer.next_tsn, ~0u));
}

TEST(DataTransferTest, TheOwnersAllowanceEndsTheWindowUntilItIsRaised) {  // RFC 9260 §6.2
  ScriptedPeer::Config config;
  config.options.receive_window = 200000;
  config.options.max_message_size = 10000;
  EstablishedPeer peer(config);
  const auto payload = MakeMessage(0, 1000).payload;
  for (uint16_t i = 0; i < 20; ++i) peer.Deliver(peer.NextData(0, i, payload));
  EXPECT_GE(peer.core.received_octets(), 20000u);
  peer.core.SetReceiveAllowance(peer.now, peer.core.received_octets());
  const DataChunk refused = peer.NextData(0, 20, payload);
  std::vector<SentPacket> sent = peer.Deliver(refused);
  EXPECT_EQ(peer.core.metrics().bytes_received, 20000u);
  EXPECT_EQ(ChunksOf<SackChunk>(sent)[0].a_rwnd, 0u);
  EXPECT_EQ(ChunksOf<SackChunk>(sent)[0].cumulative_tsn_ack, Plus(refused.tsn, ~0u));
  EXPECT_EQ(peer.dropped(DropReason::kReceiveWindowFull), 1u);
  peer.core.SetReceiveAllowance(peer.now, 1000000);
  sent = peer.Drain();
  ASSERT_FALSE(ChunksOf<SackChunk>(sent).empty()) << "the peer is told";
  EXPECT_GT(ChunksOf<SackChunk>(sent)[0].a_rwnd, 150000u);
  peer.Deliver(refused);
  EXPECT_EQ(peer.core.metrics().bytes_received, 21000u);
  for (const auto& message : Messages(peer)) peer.core.HandleConsumed(peer.now, message.size());
  EXPECT_EQ(peer.core.received_octets(), 0u);
}

TEST(DataTransferTest, C6_SmallMessagesPayForTheirBookkeeping) {
  ScriptedPeer::Config config;
  config.options.receive_window = 100000;
  config.options.max_message_size = 1000;
  EstablishedPeer peer(config);
  const std::vector<uint8_t> one{1};
  for (int i = 0; i < 20000; ++i) peer.Deliver(peer.NextData(0, static_cast<uint16_t>(i), one));
  EXPECT_LT(peer.core.metrics().messages_received, 1000u);
}

TEST(DataTransferTest, C7_TakesTheMissingTsnWhenTheWindowIsFullOfLaterOnes) {  // RFC 9260 §6.2
  ScriptedPeer::Config config;
  config.options.receive_window = 80000;
  config.options.max_message_size = 10000;
  EstablishedPeer peer(config);
  const auto payload = MakeMessage(0, 1000).payload;
  const DataChunk missing = peer.NextData(0, 0, payload);
  std::vector<SentPacket> sent;
  for (uint16_t ssn = 1; ssn < 200; ++ssn) sent = peer.Deliver(peer.NextData(0, ssn, payload));
  EXPECT_EQ(ChunksOf<SackChunk>(sent)[0].a_rwnd, 0u);
  sent = peer.Deliver(missing);
  EXPECT_GT(Messages(peer).size(), 50u);
  EXPECT_NE(ChunksOf<SackChunk>(sent)[0].cumulative_tsn_ack, Plus(missing.tsn, ~0u));
}

TEST(DataTransferTest, C8_AHeadThatNeverEndsIsBounded) {
  ScriptedPeer::Config config;
  config.options.receive_window = 100000;
  config.options.max_message_size = 0;  // no limit but the window
  EstablishedPeer peer(config);
  const std::vector<uint8_t> one{1};
  for (int i = 0; i < 300000 && peer.core.state() == State::kEstablished; ++i) {
    DataChunk data = peer.NextData(0, 0, one);
    data.beginning = i == 0;
    data.end = false;
    peer.Deliver(data);
  }
  EXPECT_TRUE(peer.core.state() == State::kClosed || peer.dropped(DropReason::kReceiveWindowFull) > 0);
}

TEST(DataTransferTest, ShrinksAndReopensTheWindowAsTheApplicationReads) {  // RFC 9260 §6.2
  ScriptedPeer::Config config;
  config.options.receive_window = 100000;
  config.options.max_message_size = 30000;
  EstablishedPeer peer(config);
  const auto payload = MakeMessage(0, 1000).payload;
  std::vector<SentPacket> sent;
  for (uint16_t ssn = 0; ssn < 60; ++ssn) {
    sent = peer.Deliver(peer.NextData(0, ssn, payload));
    Messages(peer);
  }
  const auto last = ChunksOf<SackChunk>(sent).empty() ? peer.Wait(100ms) : std::move(sent);
  const uint32_t small = ChunksOf<SackChunk>(last).back().a_rwnd;
  EXPECT_LE(small, 41000u);
  // A little is no update, a quarter of the window is.
  peer.core.HandleConsumed(peer.now, 10000);
  EXPECT_TRUE(peer.Drain().empty());
  peer.core.HandleConsumed(peer.now, 30000);
  const auto update = peer.Drain();
  ASSERT_EQ(ChunksOf<SackChunk>(update).size(), 1u);
  EXPECT_EQ(ChunksOf<SackChunk>(update)[0].a_rwnd, 80000u);
  EXPECT_TRUE(peer.Wait(1s).empty());
}

TEST(DataTransferTest, ConsumingMoreThanThereIsIsHarmless) {
  EstablishedPeer peer;
  peer.Deliver(peer.NextData(0, 0, kHello));
  peer.core.HandleConsumed(peer.now, SIZE_MAX);
  peer.Deliver(peer.NextData(0, 1, kHello));
  const auto sent = peer.Deliver(peer.NextData(0, 2, kHello));
  EXPECT_LE(ChunksOf<SackChunk>(sent)[0].a_rwnd, Options{}.receive_window);
}

TEST(DataTransferTest, C5_AbortsOnASackOfWhatWasNeverSent) {  // RFC 9260 §12.4
  for (const uint32_t beyond : {0u, 1000u, 0x7ffffffeu}) {
    EstablishedPeer peer;
    ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 10)));
    peer.Drain();
    const size_t cwnd = peer.core.metrics().cwnd;
    const auto sent = peer.Deliver(peer.SackUpTo(Plus(peer.core_initial_tsn, 1 + beyond)));
    ASSERT_EQ(ChunksOf<AbortChunk>(sent).size(), 1u);
    EXPECT_EQ(CausesOf(ChunksOf<AbortChunk>(sent)[0]), std::vector<CauseCode>{CauseCode::kProtocolViolation});
    EXPECT_EQ(peer.core.metrics().cwnd, cwnd);
  }
}

TEST(DataTransferTest, C4_IgnoresTheWholeOfASackWithSenselessBlocks) {  // RFC 9260 §3.3.4
  const std::vector<std::vector<GapAckBlock>> lists{
      {{0, 1}}, {{2, 1}}, {{2, 3}, {3, 4}}, {{4, 5}, {2, 3}}, {{2, 2}, {0, 0}}, {{2, 3}, {2, 3}},
  };
  for (const auto& blocks : lists) {
    EstablishedPeer peer;
    ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 9000)));
    peer.Drain();
    const size_t outstanding = peer.core.metrics().outstanding_bytes;
    SackChunk sack = peer.SackUpTo(peer.core_initial_tsn);  // would acknowledge the first chunk
    sack.gap_ack_blocks = std::span<const GapAckBlock>(blocks);
    peer.Deliver(sack);
    EXPECT_EQ(peer.core.metrics().outstanding_bytes, outstanding);
    EXPECT_EQ(peer.dropped(DropReason::kBadSack), 1u);
    EXPECT_EQ(peer.core.state(), State::kEstablished);
  }
}

TEST(DataTransferTest, IgnoresAnOldSack) {  // RFC 9260 §6.2.1 D i
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 3000)));
  peer.Drain();
  peer.Deliver(peer.SackUpTo(Plus(peer.core_initial_tsn, 1)));
  const size_t rwnd = peer.core.metrics().peer_rwnd;
  SackChunk old = peer.SackUpTo(peer.core_initial_tsn);
  old.a_rwnd = 0;
  peer.Deliver(old);
  EXPECT_EQ(peer.core.metrics().peer_rwnd, rwnd);
}

TEST(DataTransferTest, C9_ForwardTsnMovesOnOverWhatItReceived) {  // RFC 3758 §3.6
  EstablishedPeer peer;
  peer.Deliver(peer.NextData(0, 0, kHello));
  const Tsn skipped = peer.next_tsn;
  peer.next_tsn = Plus(skipped, 1);
  peer.Deliver(peer.NextData(0, 2, kHello));
  peer.Deliver(peer.NextData(0, 3, kHello));
  EXPECT_EQ(Messages(peer).size(), 1u);
  const std::array<SkippedStream, 1> streams{SkippedStream{StreamId(0), Ssn(1)}};
  const auto sent = peer.Deliver(ForwardTsnChunk{skipped, std::span<const SkippedStream>(streams)});
  ASSERT_EQ(ChunksOf<SackChunk>(sent).size(), 1u);
  EXPECT_EQ(ChunksOf<SackChunk>(sent)[0].cumulative_tsn_ack, Plus(skipped, 2));
  EXPECT_EQ(Messages(peer).size(), 2u);
  // What was skipped and comes late is a duplicate.
  DataChunk late = peer.NextData(0, 1, kHello);
  late.tsn = skipped;
  EXPECT_EQ(ChunksOf<SackChunk>(peer.Deliver(late))[0].duplicate_tsns.size(), 1u);
  EXPECT_TRUE(Messages(peer).empty());
}

TEST(DataTransferTest, C9_AcknowledgesOldForwardTsnsAndSurvivesFarOnes) {  // RFC 3758 §3.6
  EstablishedPeer peer;
  peer.Deliver(peer.NextData(0, 0, kHello));
  const Tsn cumulative = Plus(peer.next_tsn, ~0u);
  const auto old = peer.Deliver(ForwardTsnChunk{cumulative, {}});
  ASSERT_EQ(ChunksOf<SackChunk>(old).size(), 1u);
  EXPECT_EQ(ChunksOf<SackChunk>(old)[0].cumulative_tsn_ack, cumulative);
  for (const uint32_t distance : {70000u, 0x7fffffffu, 0x80000000u, 0x80000001u}) {
    peer.Deliver(ForwardTsnChunk{Plus(cumulative, distance), {}});
    EXPECT_EQ(peer.core.state(), State::kEstablished);
  }
  peer.Deliver(peer.NextData(0, 1, kHello));
  EXPECT_EQ(Messages(peer).size(), 2u);
}

TEST(DataTransferTest, C9_SurvivesUnknownStreamsAndHugeLists) {  // RFC 3758 §3.6
  ScriptedPeer::Config config{.parameters = ScriptedPeer::AllExtensions()};
  config.options.max_incoming_streams = 10;
  EstablishedPeer peer(config);
  std::vector<SkippedStream> streams;
  for (int i = 0; i < 10000; ++i) streams.push_back({StreamId(static_cast<uint16_t>(i * 7)), Ssn(60000)});
  peer.Deliver(ForwardTsnChunk{peer.next_tsn, std::span<const SkippedStream>(streams)});
  peer.Wait(1s);
  SUCCEED();
}

TEST(DataTransferTest, C9_ForwardTsnDropsHalfAMessage) {  // RFC 3758 §3.6
  EstablishedPeer peer;
  DataChunk head = peer.NextData(0, 0, kHello);
  head.end = false;
  peer.Deliver(head);
  const std::array<SkippedStream, 1> streams{SkippedStream{StreamId(0), Ssn(0)}};
  peer.Deliver(ForwardTsnChunk{peer.next_tsn, std::span<const SkippedStream>(streams)});
  peer.next_tsn = Plus(peer.next_tsn, 1);
  peer.Deliver(peer.NextData(0, 1, kHello));
  EXPECT_EQ(Messages(peer), std::vector<std::vector<uint8_t>>{kHello});
  const auto sent = peer.Wait(100ms);
  EXPECT_EQ(peer.dropped(DropReason::kUnexpectedForwardTsn), 0u);
}

TEST(DataTransferTest, C19_ReceivesAcrossTheWrapOfTsnAndSsn) {  // RFC 9260 §1.6
  EstablishedPeer peer({.initial_tsn = Tsn(0xfffffffe)});
  for (int i = 0; i < 70000; ++i) {
    DataChunk data = peer.NextData(0, static_cast<uint16_t>(i), kHello);
    if (i == 3) {
      // One out of order exactly there.
      const DataChunk next = peer.NextData(0, static_cast<uint16_t>(++i), kHello);
      peer.Deliver(next);
    }
    peer.Deliver(data);
    peer.core.HandleConsumed(peer.now, kHello.size());
    while (peer.core.PollEvent()) continue;
  }
  EXPECT_EQ(peer.core.metrics().messages_received, 70000u);
  EXPECT_EQ(ChunksOf<AbortChunk>(peer.Drain()).size(), 0u);
}

TEST(DataTransferTest, DiscardsDataBeforeCookieAck) {  // RFC 9260 §6
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  const auto init = ChunksOf<InitChunk>(peer.Drain())[0];
  const auto parameters = peer.WithCookie("c");
  peer.DeliverWithTag(init.initiate_tag, peer.OwnInitAck(parameters));
  const DataChunk data = peer.NextData(0, 0, kHello);
  EXPECT_TRUE(peer.DeliverWithTag(init.initiate_tag, data).empty());
  EXPECT_EQ(peer.dropped(DropReason::kOutOfState), 1u);
  const auto sent = peer.DeliverWithTag(init.initiate_tag, CookieAckChunk{}, data);
  EXPECT_EQ(ChunksOf<SackChunk>(sent).size(), 1u);
  EXPECT_EQ(Messages(peer).size(), 1u);
}

// The largest a_rwnd that `z` advertised while it received `messages` of 100 kB and took each at once, or none.
uint32_t LargestWindow(const Options& options, size_t messages, size_t consume) {
  AssociationPair::Config config;
  config.a = config.z = options;
  config.consume = consume;
  AssociationPair pair(config);
  uint32_t largest = 0;
  pair.set_filter([&](AssociationPair::Side from, std::span<const uint8_t> packet) {
    const auto view = PacketView::Parse(packet, ChecksumPolicy::kAcceptZero);
    for (const ChunkView chunk : view->chunks) {
      const auto sack = SackChunk::Parse(chunk);
      if (sack && from == AssociationPair::Side::kZ) largest = std::max(largest, sack->a_rwnd);
    }
    return false;
  });
  EXPECT_TRUE(pair.Connect());
  for (size_t i = 0; i < messages; ++i) {
    EXPECT_TRUE(pair.a().Send(pair.now(), {StreamId(1), Ppid(53), std::vector<uint8_t>(100'000)}));
    pair.Run(std::chrono::milliseconds(100));
  }
  return largest;
}

TEST(DataTransferTest, TheReceiveWindowGrowsWhileTheApplicationKeepsUp) {
  Options options;
  options.receive_window = 1'000'000;
  options.max_message_size = 200'000;
  options.max_receive_window = 3'000'000;
  EXPECT_EQ(LargestWindow(options, 8, 1), 1'000'000u);
  EXPECT_EQ(LargestWindow(options, 15, 1), 2'000'000u);
  EXPECT_EQ(LargestWindow(options, 80, 1), 3'000'000u);
}

TEST(DataTransferTest, TheReceiveWindowStaysWhereNothingIsConsumed) {
  Options options;
  options.receive_window = 1'000'000;
  options.max_message_size = 200'000;
  EXPECT_LE(LargestWindow(options, 8, 0), 1'000'000u);
}

}  // namespace
}  // namespace jsp::sctp
