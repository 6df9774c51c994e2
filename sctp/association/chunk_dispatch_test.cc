// RFC 9260 §8.4, §8.5, §3.2: which packets reach an association at all, and what unknown chunks do.
#include "sctp/association/chunk_dispatch.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "sctp/packet/chunk/abort.h"
#include "sctp/packet/chunk/heartbeat.h"
#include "sctp/packet/chunk/shutdown.h"
#include "sctp/packet/chunk/shutdown_ack.h"
#include "sctp/packet/chunk/shutdown_complete.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Types = std::vector<ChunkType>;

VerificationTag WrongTag(const ScriptedPeer& peer) { return VerificationTag(peer.core_tag.value + 1); }

TEST(ChunkDispatchTest, C1_SurvivesChunkLengthsBelowFourAndBeyondThePacket) {  // RFC 9260 §3.2
  for (const int length : {0, 1, 2, 3, 0xffff}) {
    ScriptedPeer peer;
    peer.EstablishAsServer();
    std::vector<uint8_t> packet = peer.Compose(peer.core_tag, peer.NextData(0, 0, kHello), RawChunk{0xbe, 0, {}});
    const size_t last = packet.size() - 4;
    packet[last + 2] = static_cast<uint8_t>(length >> 8);
    packet[last + 3] = static_cast<uint8_t>(length);
    const uint32_t crc = PacketChecksum(packet);
    for (size_t i = 0; i < 4; ++i) packet[8 + i] = static_cast<uint8_t>(crc >> (8 * i));
    peer.HandOver(packet);
    // RFC 9260 §6.10: whole chunks before it count.
    EXPECT_EQ(peer.core.metrics().messages_received, 1u) << length;
    EXPECT_EQ(peer.core.state(), State::kEstablished);
  }
}

TEST(ChunkDispatchTest, DropsShortPacketsWrongChecksumsAndWrongPorts) {  // RFC 9260 §6.8, §3.1
  EstablishedPeer peer;
  const auto packet = peer.Compose(peer.core_tag, peer.NextData(0, 0, kHello));
  for (size_t size = 0; size < 16; ++size) peer.HandOver(std::span(packet).first(size));
  EXPECT_EQ(peer.dropped(DropReason::kTooShort), 16u);
  for (size_t i = 0; i < packet.size(); ++i) {
    auto broken = packet;
    broken[i] ^= 0x10;
    peer.HandOver(broken);
  }
  EXPECT_EQ(peer.dropped(DropReason::kBadChecksum), packet.size());
  for (const auto& [from, to] : {std::pair<uint16_t, uint16_t>{5001, 5000}, {5000, 5001}, {0, 5000}, {5000, 0}}) {
    std::vector<uint8_t> other(100);
    PacketBuilder builder(other, {from, to, peer.core_tag});
    builder.Add(CookieAckChunk{});
    other.resize(builder.Finish());
    peer.HandOver(other);
  }
  EXPECT_EQ(peer.dropped(DropReason::kBadPort), 4u);
  EXPECT_TRUE(peer.Drain().empty());
  EXPECT_EQ(peer.core.metrics().messages_received, 0u);
}

TEST(ChunkDispatchTest, C15_DropsAnyChunkUnderAWrongTag) {  // RFC 9260 §8.5
  EstablishedPeer peer;
  const std::vector<uint8_t> info{0, 1, 0, 8, 1, 2, 3, 4};
  for (const uint8_t type : std::initializer_list<uint8_t>{0, 3, 4, 5, 7, 8, 9, 11, 130, 192}) {
    EXPECT_TRUE(peer.DeliverWithTag(WrongTag(peer), RawChunk{type, 3, info}).empty()) << int{type};
    EXPECT_TRUE(peer.DeliverWithTag(VerificationTag(0), RawChunk{type, 3, info}).empty()) << int{type};
    EXPECT_TRUE(peer.DeliverWithTag(peer.config.tag, RawChunk{type, 3, info}).empty()) << int{type};
  }
  EXPECT_EQ(peer.dropped(DropReason::kBadVerificationTag), 30u);
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(ChunkDispatchTest, C15_AcceptsAbortOnlyUnderTheTagThatItsTBitNames) {  // RFC 9260 §8.5.1 B
  struct Case {
    bool own_tag;
    TagMode mode;
    bool accepted;
  };
  for (const Case& c : {Case{true, TagMode::kExpected, true}, Case{true, TagMode::kReflected, false},
                        Case{false, TagMode::kExpected, false}, Case{false, TagMode::kReflected, true}}) {
    EstablishedPeer peer;
    const auto sent =
        peer.DeliverWithTag(c.own_tag ? peer.core_tag : peer.config.tag, AbortChunk{.tag = c.mode, .causes = {}});
    EXPECT_TRUE(sent.empty());  // RFC 9260 §3.3.7: no ABORT answers an ABORT
    EXPECT_EQ(peer.core.state() == State::kClosed, c.accepted);
    EXPECT_EQ(peer.NextEvent<event::Aborted>().has_value(), c.accepted);
  }
}

TEST(ChunkDispatchTest, TellsWhyThePeerAborted) {  // RFC 9260 §9.1
  EstablishedPeer peer;
  peer.Deliver(RawChunk{6, 0, {0, 12, 0, 5, 'x', 0, 0, 0}});
  const auto aborted = peer.NextEvent<event::Aborted>();
  ASSERT_TRUE(aborted);
  EXPECT_EQ(aborted->cause, AbortCause::kPeerAborted);
  EXPECT_EQ(aborted->detail, "User-Initiated Abort: x");
  EXPECT_FALSE(peer.core.PollEvent());
  EXPECT_EQ(peer.core.NextTimeout(), Timestamp::Never());
}

TEST(ChunkDispatchTest, ThePeersWordsAreCutAndHarmless) {  // RFC 9260 §3.3.10.13
  EstablishedPeer peer;
  std::vector<uint8_t> cause{0, 13, 0x04, 0x04};  // Protocol Violation with 1,024 octets
  cause.resize(4 + 1024, 0x1b);
  peer.Deliver(RawChunk{6, 0, cause});
  const auto aborted = peer.NextEvent<event::Aborted>();
  ASSERT_TRUE(aborted);
  EXPECT_EQ(aborted->detail, "Protocol Violation: " + std::string(200, '.'));
}

TEST(ChunkDispatchTest, AnUnknownCauseIsNotTakenForText) {  // RFC 9260 §3.3.10
  EstablishedPeer peer;
  peer.Deliver(RawChunk{6, 0, {0, 4, 0, 8, 'a', 'b', 'c', 'd'}});  // Out of Resource has no value
  EXPECT_EQ(peer.NextEvent<event::Aborted>()->detail, ToString(CauseCode::kOutOfResource));
}

TEST(ChunkDispatchTest, C17_AcceptsAbortWithAnUnknownCauseButNotWithABrokenOne) {  // RFC 9260 §3.3.7
  EstablishedPeer broken;
  broken.Deliver(RawChunk{6, 0, {0, 12, 0, 99}});
  EXPECT_EQ(broken.core.state(), State::kEstablished);
  EstablishedPeer unknown;
  unknown.Deliver(RawChunk{6, 0, {0x77, 0x77, 0, 4}});
  EXPECT_EQ(unknown.core.state(), State::kClosed);
}

TEST(ChunkDispatchTest, C15_IgnoresShutdownCompleteUnlessItWaitsForOne) {  // RFC 9260 §8.5.1 C
  EstablishedPeer peer;
  peer.Deliver(ShutdownCompleteChunk{});
  peer.DeliverWithTag(peer.config.tag, ShutdownCompleteChunk{.tag = TagMode::kReflected});
  EXPECT_EQ(peer.core.state(), State::kEstablished);
  EXPECT_EQ(peer.dropped(DropReason::kOutOfState), 2u);
  peer.DeliverWithTag(WrongTag(peer), ShutdownCompleteChunk{});
  EXPECT_EQ(peer.dropped(DropReason::kBadVerificationTag), 1u);
}

TEST(ChunkDispatchTest, C17_HandlesUnknownChunksByTheirHighBits) {  // RFC 9260 §3.2
  struct Case {
    uint8_t type;
    bool continues;
    bool reports;
  };
  for (const Case& c :
       {Case{0x3e, false, false}, Case{0x7e, false, true}, Case{0xbe, true, false}, Case{0xfe, true, true}}) {
    EstablishedPeer peer;
    const RawChunk unknown{c.type, 9, {1, 2, 3}};
    const auto sent = peer.Deliver(unknown, peer.NextData(0, 0, kHello));
    EXPECT_EQ(ChunksOf<SackChunk>(sent).size(), c.continues ? 1u : 0u) << int{c.type};
    const auto errors = ChunksOf<ErrorChunk>(sent);
    ASSERT_EQ(errors.size(), c.reports ? 1u : 0u) << int{c.type};
    if (!c.reports) continue;
    const CauseView cause = *errors[0].causes.begin();
    EXPECT_EQ(cause.type, CauseCode::kUnrecognizedChunkType);
    EXPECT_EQ(std::vector<uint8_t>(cause.value.begin(), cause.value.end()),
              (std::vector<uint8_t>{c.type, 9, 0, 7, 1, 2, 3}));
  }
}

TEST(ChunkDispatchTest, C17_AnErrorStormIsAnsweredByAtMostOnePacket) {  // RFC 9260 §12.4
  EstablishedPeer peer;
  std::vector<uint8_t> packet(30000);
  PacketBuilder builder(packet, {5000, 5000, peer.core_tag});
  for (int i = 0; i < 1000; ++i) builder.Add(RawChunk{0xfe, 0, {1, 2, 3, 4}});
  packet.resize(builder.Finish());
  peer.HandOver(packet);
  peer.HandOver(packet);
  EXPECT_EQ(peer.Drain().size(), 1u);
  // And errors are never answered.
  EXPECT_TRUE(peer.Deliver(RawChunk{9, 0, {0x12, 0x34, 0, 4}}).empty());
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(ChunkDispatchTest, C21_TreatsAuthAsconfAndPktdropAsUnknown) {  // RFC 9260 §3.2
  for (const uint8_t type : std::initializer_list<uint8_t>{0x0f, 0x80, 0x81, 0xc1, 0x10}) {
    EstablishedPeer peer;
    peer.Deliver(RawChunk{type, 0, {0, 0, 0, 1}});
    EXPECT_EQ(peer.dropped(DropReason::kUnknownChunk), 1u) << int{type};
    EXPECT_EQ(peer.core.state(), State::kEstablished);
  }
}

TEST(ChunkDispatchTest, TreatsExtensionsThatWereNotNegotiatedAsUnknown) {  // RFC 3758 §3.3.1, RFC 6525 §5.1.1
  ScriptedPeer peer;
  peer.EstablishAsServer();
  const auto sent = peer.Deliver(RawChunk{192, 0, {0, 0, 0, 1}});
  ASSERT_EQ(ChunksOf<ErrorChunk>(sent).size(), 1u);
  EXPECT_TRUE(peer.Deliver(RawChunk{130, 0, {0, 13, 0, 16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}}).empty());
  EXPECT_EQ(peer.dropped(DropReason::kUnknownChunk), 2u);
}

TEST(ChunkDispatchTest, C15_AnswersOutOfTheBluePacketsByTheBook) {  // RFC 9260 §8.4
  ScriptedPeer peer;
  const VerificationTag tag(77);
  // 8: anything else gets an ABORT with the tag reflected.
  const auto data = peer.DeliverWithTag(tag, peer.NextData(0, 0, kHello));
  ASSERT_EQ(data.size(), 1u);
  EXPECT_EQ(data[0].header().verification_tag, tag);
  ASSERT_EQ(ChunksOf<AbortChunk>(data).size(), 1u);
  EXPECT_EQ(ChunksOf<AbortChunk>(data)[0].tag, TagMode::kReflected);
  // 5: SHUTDOWN ACK gets SHUTDOWN COMPLETE.
  const auto ack = peer.DeliverWithTag(tag, ShutdownAckChunk{});
  ASSERT_EQ(ack.size(), 1u);
  EXPECT_EQ(ack[0].types(), Types{ChunkType::kShutdownComplete});
  EXPECT_EQ(ChunksOf<ShutdownCompleteChunk>(ack)[0].tag, TagMode::kReflected);
  EXPECT_EQ(ack[0].header().verification_tag, tag);
  // 2, 6, 7, and the second half of 2: silence.
  EXPECT_TRUE(peer.DeliverWithTag(tag, AbortChunk{}).empty());
  EXPECT_TRUE(peer.DeliverWithTag(tag, peer.NextData(0, 0, kHello), AbortChunk{}).empty());
  EXPECT_TRUE(peer.DeliverWithTag(tag, ShutdownCompleteChunk{}).empty());
  EXPECT_TRUE(peer.DeliverWithTag(tag, CookieAckChunk{}).empty());
  EXPECT_TRUE(peer.DeliverWithTag(tag, RawChunk{9, 0, {0, 3, 0, 8, 0, 0, 0, 1}}).empty());
  EXPECT_TRUE(peer.DeliverWithTag(VerificationTag(0), peer.NextData(0, 0, kHello)).empty());
}

TEST(ChunkDispatchTest, BoundsTheQueueOfRepliesWhenNobodyPolls) {  // RFC 9260 §12.4
  ScriptedPeer peer;
  for (int i = 0; i < 100; ++i) peer.HandOver(peer.Compose(VerificationTag(5), peer.NextData(0, 0, kHello)));
  EXPECT_EQ(peer.Drain().size(), Context::kMaxReplies);
}

TEST(ChunkDispatchTest, AnswersShutdownAckDuringTheHandshakeAsOutOfTheBlue) {  // RFC 9260 §8.5.1 E
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  peer.Drain();
  const auto sent = peer.DeliverWithTag(VerificationTag(99), ShutdownAckChunk{});
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].types(), Types{ChunkType::kShutdownComplete});
  EXPECT_EQ(sent[0].header().verification_tag, VerificationTag(99));
  EXPECT_EQ(peer.core.state(), State::kCookieWait);
}

TEST(ChunkDispatchTest, DropsEverythingButHandshakesWhileCookieWait) {
  ScriptedPeer peer;
  peer.core.Connect(peer.now);
  const auto init = ChunksOf<InitChunk>(peer.Drain())[0];
  EXPECT_TRUE(peer.DeliverWithTag(init.initiate_tag, peer.NextData(0, 0, kHello)).empty());
  EXPECT_TRUE(peer.DeliverWithTag(init.initiate_tag, ShutdownChunk{Tsn(1)}).empty());
  EXPECT_EQ(peer.core.state(), State::kCookieWait);
  EXPECT_EQ(peer.dropped(DropReason::kOutOfState), 2u);
}

TEST(ChunkDispatchTest, CountsWhatComesAfterTheEnd) {
  EstablishedPeer peer;
  peer.core.Abort(peer.now, "enough");
  peer.Drain();
  EXPECT_TRUE(peer.DeliverWithTag(VerificationTag(0), peer.OwnInit()).empty());
  EXPECT_EQ(peer.dropped(DropReason::kClosed), 1u);
  EXPECT_EQ(ChunksOf<AbortChunk>(peer.Deliver(peer.NextData(0, 0, kHello))).size(), 1u);
  EXPECT_EQ(peer.dropped(DropReason::kOutOfBlue), 1u);
}

TEST(ChunkDispatchTest, HandshakeChunksInTheMiddleOfAPacketAreNotFollowed) {  // RFC 9260 §3
  EstablishedPeer peer;
  peer.Deliver(peer.NextData(0, 0, kHello), peer.OwnInit(), peer.NextData(0, 1, kHello));
  EXPECT_EQ(peer.core.metrics().messages_received, 1u);
  EXPECT_EQ(peer.core.state(), State::kEstablished);
}

TEST(ChunkDispatchTest, AbortsAtOnceWithTheCallersReason) {  // RFC 9260 §9.1
  EstablishedPeer peer;
  ASSERT_TRUE(peer.core.Send(peer.now, MakeMessage(0, 5000)));
  peer.core.Abort(peer.now, "tired");
  const auto sent = peer.Drain();
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(sent[0].types(), Types{ChunkType::kAbort});
  const CauseView cause = *ChunksOf<AbortChunk>(sent)[0].causes.begin();
  EXPECT_EQ(cause.type, CauseCode::kUserInitiatedAbort);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(cause.value.data()), cause.value.size()), "tired");
  EXPECT_EQ(peer.NextEvent<event::Aborted>()->cause, AbortCause::kLocalClose);
  EXPECT_EQ(peer.core.Send(peer.now, MakeMessage(0, 10)).error(), SendError::kShuttingDown);
  EXPECT_EQ(peer.core.NextTimeout(), Timestamp::Never());
}

}  // namespace
}  // namespace jsp::sctp
