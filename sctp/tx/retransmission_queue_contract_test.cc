#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "sctp/packet/common_header.h"
#include "sctp/tx/retransmission_queue.h"
#include "sctp/tx/sack_test_support.h"
namespace jsp::sctp {
namespace {

using std::chrono::milliseconds;
using Expiry = RetransmissionQueue::Expiry;

// With the default options: a packet of 1191 octets holds one chunk of 1176, with 1160 of user data.
constexpr size_t kFull = 1160;
constexpr size_t kFullChunk = 1176;
constexpr size_t kInitialCwnd = 10 * kFullChunk;
constexpr uint32_t kWindow = 1 << 20;

struct SentChunk {
  int64_t tsn;  // offset from kFirstTsn
  bool begins;
  bool ends;
  std::vector<uint8_t> payload;
};
using SentPacket = std::vector<SentChunk>;

// The sending half with the packets it makes, driven as the association does.
class Sender {
 public:
  explicit Sender(uint32_t a_rwnd = kWindow, const Options& options = Options::Rfc9260())
      : options_(options), messages_(1 << 24, StreamScheduler::Policy::kFirstComeFirstServed, metrics_) {
    queue_.emplace(options_,
                   RetransmissionQueue::Start{
                       .initial_tsn = kFirstTsn, .peer_a_rwnd = a_rwnd, .reliability = Reliability::kPartial},
                   messages_, metrics_);
  }
  void Queue(int64_t at, int count, size_t octets = kFull, const SendOptions& options = {}) {
    for (int i = 0; i < count; ++i) messages_.Add(At(at), MakeMessage(1, octets, ++fill_), options);
  }
  // All packets that may go out now.
  std::vector<SentPacket> Poll(int64_t at) {
    std::vector<SentPacket> packets;
    while (queue_->BeginPacket(At(at))) {
      SentPacket packet;
      size_t room = options_.max_packet_size - kCommonHeaderSize;
      while (const auto chunk = queue_->NextChunk(At(at), room)) {
        EXPECT_LE(chunk->Size(), room);
        room -= std::min(room, PaddedSize(chunk->Size()));
        packet.push_back({static_cast<int32_t>(chunk->tsn.value - kFirstTsn.value), chunk->beginning, chunk->end,
                          std::vector<uint8_t>(chunk->payload.begin(), chunk->payload.end())});
      }
      queue_->EndPacket(At(at));
      if (packet.empty()) break;
      packets.push_back(std::move(packet));
    }
    return packets;
  }
  // The TSNs of the same.
  std::vector<int64_t> PollTsns(int64_t at) {
    std::vector<int64_t> tsns;
    for (const SentPacket& packet : Poll(at)) {
      for (const SentChunk& chunk : packet) tsns.push_back(chunk.tsn);
    }
    return tsns;
  }
  RetransmissionQueue::SackOutcome Receive(int64_t at, const Sack& sack) {
    return queue_->HandleSack(At(at), sack.chunk());
  }
  size_t cwnd() const { return queue_->congestion().cwnd(); }
  size_t ssthresh() const { return queue_->congestion().ssthresh(); }
  size_t flight() const { return queue_->outstanding().flight_octets(); }
  RetransmissionQueue& operator*() { return *queue_; }
  RetransmissionQueue* operator->() { return &*queue_; }
  const Metrics& metrics() const { return metrics_; }
  SendQueue& messages() { return messages_; }

 private:
  Options options_;
  Metrics metrics_;
  SendQueue messages_;
  std::optional<RetransmissionQueue> queue_;
  uint8_t fill_ = 0;
};

using Tsns = std::vector<int64_t>;

TEST(RetransmissionQueueContractTest, HasNothingToSendAndNoTimerAtFirst) {
  Sender sender;
  EXPECT_TRUE(sender->is_idle());
  EXPECT_TRUE(sender.Poll(0).empty());
  EXPECT_EQ(sender->NextTimeout(), Timestamp::Never());
  EXPECT_EQ(sender->HandleTimeout(At(1000000)), Expiry::kNone);
}

TEST(RetransmissionQueueContractTest, SendsTheInitialWindowAtOnce) {
  Sender sender;
  sender.Queue(0, 50);
  EXPECT_EQ(sender.Poll(0).size(), 10u);
  EXPECT_EQ(sender.flight(), kInitialCwnd);
  EXPECT_EQ(sender.metrics().chunks_sent, 10u);
  EXPECT_EQ(sender.metrics().outstanding_bytes, 10 * kFull);
}

TEST(RetransmissionQueueContractTest, BundlesSmallMessages) {
  Sender sender;
  sender.Queue(0, 20, 10);
  const auto packets = sender.Poll(0);
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0].size(), 20u);
  EXPECT_EQ(sender.metrics().messages_sent, 20u);
}

// RFC 9260 §6.9.
TEST(RetransmissionQueueContractTest, CutsALongMessageOverPackets) {
  Sender sender;
  sender.Queue(0, 1, 2 * kFull + 7);
  const auto packets = sender.Poll(0);
  ASSERT_EQ(packets.size(), 3u);
  EXPECT_TRUE(packets[0][0].begins && !packets[0][0].ends);
  EXPECT_TRUE(!packets[1][0].begins && !packets[1][0].ends);
  EXPECT_TRUE(!packets[2][0].begins && packets[2][0].ends);
  EXPECT_EQ(packets[2][0].payload.size(), 7u);
}

// RFC 9260 §6.1 B: begins a packet below cwnd, and exceeds it by less than that packet.
TEST(RetransmissionQueueContractTest, OverbooksTheWindowByLessThanAPacket) {
  Options options = Options::Rfc9260();
  options.max_burst_packets = 20;
  Sender sender(kWindow, options);
  sender.Queue(0, 1, 1000);
  sender.Queue(0, 50);
  sender.Poll(0);
  EXPECT_GE(sender.flight(), sender.cwnd());
  EXPECT_LT(sender.flight(), sender.cwnd() + kFullChunk);
}

// Both roles make the same queue from what the peer advertised.
TEST(RetransmissionQueueContractTest, P37_SlowStartIsSeededByThePeersWindow) {
  Sender sender(kWindow);
  EXPECT_EQ(sender.ssthresh(), kWindow);
  EXPECT_EQ(sender.cwnd(), kInitialCwnd);
  EXPECT_EQ(Sender(1500).ssthresh(), kInitialCwnd);
  sender.Queue(0, 100);
  sender.Poll(0);
  sender.Receive(100, Sack(1));
  EXPECT_EQ(sender.cwnd(), kInitialCwnd + 2 * kFullChunk);
  EXPECT_EQ(sender.Poll(100).size(), 4u);
}

// ---- SACK

TEST(RetransmissionQueueContractTest, C5_ASackForAnUnsentTsnChangesNothing) {
  Sender sender;
  sender.Queue(0, 10);
  sender.Poll(0);
  for (const Sack& bad : {Sack(10, {}, 5), Sack(0, {{2, 300}}, 5), Sack(3, {{2, 3}, {9, 9}}, 5)}) {
    const auto outcome = sender.Receive(100, bad);
    EXPECT_EQ(outcome.verdict, SackVerdict::kAcksUnsent);
    EXPECT_FALSE(outcome.progress);
  }
  EXPECT_EQ(sender.cwnd(), kInitialCwnd);
  EXPECT_EQ(sender.flight(), kInitialCwnd);
  EXPECT_EQ(sender->NextTimeout(), At(500));
  EXPECT_EQ(sender.metrics().peer_rwnd, kWindow - 10 * kFull);
}

TEST(RetransmissionQueueContractTest, C4_AnOldSackDoesNotTouchTheWindow) {
  Sender sender;
  sender.Queue(0, 10);
  sender.Poll(0);
  sender.Receive(100, Sack(4));
  EXPECT_EQ(sender.Receive(110, Sack(2, {}, 0)).verdict, SackVerdict::kOutOfOrder);
  EXPECT_EQ(sender.Receive(110, Sack(4, {{3, 2}}, 0)).verdict, SackVerdict::kMalformed);
  EXPECT_EQ(sender.metrics().peer_rwnd, kWindow - 5 * kFull);
}

TEST(RetransmissionQueueContractTest, ProgressIsWhatAcknowledgesSomething) {
  Sender sender;
  sender.Queue(0, 10);
  sender.Poll(0);
  EXPECT_FALSE(sender.Receive(100, Sack(-1)).progress);
  EXPECT_TRUE(sender.Receive(100, Sack(-1, {{2, 2}})).progress);
  EXPECT_FALSE(sender.Receive(100, Sack(-1, {{2, 2}})).progress);
  EXPECT_TRUE(sender.Receive(100, Sack(0, {{1, 1}})).progress);
}

// RFC 9260 §9.2.
TEST(RetransmissionQueueContractTest, AShutdownAcknowledges) {
  Sender sender;
  sender.Queue(0, 10);
  sender.Poll(0);
  EXPECT_TRUE(sender->HandleCumulativeAck(At(100), TsnAt(9).Wrap()).progress);
  EXPECT_TRUE(sender->is_idle());
  EXPECT_EQ(sender->NextTimeout(), Timestamp::Never());
  EXPECT_EQ(sender->HandleCumulativeAck(At(100), TsnAt(10).Wrap()).verdict, SackVerdict::kAcksUnsent);
}

// ---- T3-rtx, RFC 9260 §6.3.2

TEST(RetransmissionQueueContractTest, T3RunsFromTheFirstPacketUntilAllIsAcknowledged) {
  Sender sender;
  sender.Queue(0, 4);
  sender.Poll(0);
  EXPECT_EQ(sender->NextTimeout(), At(500));
  // R3: from the SACK that moves the cumulative TSN. The RTO is now 100 + 4 × 50.
  sender.Receive(100, Sack(0));
  EXPECT_EQ(sender->rto(), milliseconds(300));
  EXPECT_EQ(sender->NextTimeout(), At(400));
  // A SACK with a gap only does not restart it.
  sender.Receive(150, Sack(0, {{2, 2}}));
  EXPECT_EQ(sender->NextTimeout(), At(400));
  sender.Receive(200, Sack(3));
  EXPECT_EQ(sender->NextTimeout(), Timestamp::Never());
}

TEST(RetransmissionQueueContractTest, AnExpiryLeavesOnePacketInFlight) {
  Sender sender;
  sender.Queue(0, 30);
  sender.Poll(0);
  EXPECT_EQ(sender->HandleTimeout(At(499)), Expiry::kNone);
  EXPECT_EQ(sender->HandleTimeout(At(500)), Expiry::kLoss);
  EXPECT_EQ(sender.cwnd(), kFullChunk);
  EXPECT_EQ(sender.ssthresh(), kInitialCwnd / 2);
  EXPECT_EQ(sender.flight(), 0u);
  EXPECT_EQ(sender.PollTsns(500), Tsns{0});
  sender->AllowBurst();
  EXPECT_EQ(sender.PollTsns(510), Tsns{});
  // E2: doubled.
  EXPECT_EQ(sender->NextTimeout(), At(1500));
  EXPECT_EQ(sender.metrics().t3_expiries, 1u);
  EXPECT_EQ(sender.metrics().retransmitted_chunks, 1u);
}

// Also when the only packet is smaller than cwnd (RFC 9260 §7.2.3).
TEST(RetransmissionQueueContractTest, AfterAnExpirySmallChunksShareTheOnePacket) {
  Sender sender;
  sender.Queue(0, 1);
  sender.Queue(0, 2, 10);
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  EXPECT_EQ(sender.Poll(500).size(), 1u);
  EXPECT_EQ(sender.PollTsns(500), Tsns{});
  sender.Receive(600, Sack(0));
  EXPECT_EQ(sender.PollTsns(600), (Tsns{1, 2}));
}

TEST(RetransmissionQueueContractTest, WhatIsLostIsSentAgainAsTheWindowOpens) {
  Sender sender;
  sender.Queue(0, 30);
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  sender.Poll(500);
  sender.Receive(600, Sack(0));
  EXPECT_EQ(sender.cwnd(), 2 * kFullChunk);
  EXPECT_EQ(sender.PollTsns(600), (Tsns{1, 2}));
  sender.Receive(700, Sack(2));
  EXPECT_EQ(sender.PollTsns(700), (Tsns{3, 4, 5}));
}

TEST(RetransmissionQueueContractTest, ASpuriousExpiryEndsWhenTheAckOfAllArrives) {
  Sender sender;
  sender.Queue(0, 10);
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  sender.Poll(500);
  sender.Receive(510, Sack(9));
  EXPECT_TRUE(sender->is_idle());
  EXPECT_EQ(sender.PollTsns(510), Tsns{});
}

TEST(RetransmissionQueueContractTest, ExpiriesBackOff) {
  Sender sender;
  sender.Queue(0, 1);
  sender.Poll(0);
  int64_t now = 500;
  for (const int64_t interval : {1000, 2000, 4000, 8000, 10000, 10000}) {
    ASSERT_EQ(sender->NextTimeout(), At(now));
    EXPECT_EQ(sender->HandleTimeout(At(now)), Expiry::kLoss);
    EXPECT_EQ(sender.PollTsns(now), Tsns{0});
    now += interval;
  }
}

// RFC 8261 §6.1: what a dead path cost is not waited for on the next one.
TEST(RetransmissionQueueContractTest, AnotherPathUndoesTheBackOff) {
  Sender sender;
  sender.Queue(0, 1);
  sender.Poll(0);
  for (const int64_t now : {500, 1500, 3500}) {
    sender->HandleTimeout(At(now));
    sender.Poll(now);
  }
  ASSERT_EQ(sender->NextTimeout(), At(7500));
  sender->ResetPath(At(3600));
  EXPECT_EQ(sender->NextTimeout(), At(4100));
  EXPECT_EQ(sender->rto(), milliseconds(500));
}

// RFC 9260 §6.3.1 C5, Karn: an acknowledgement of what was sent twice measures nothing.
TEST(RetransmissionQueueContractTest, ARetransmittedChunkIsNotTimed) {
  Sender sender;
  sender.Queue(0, 1);
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  sender.Poll(500);
  sender.Receive(505, Sack(0));
  EXPECT_EQ(sender.metrics().srtt_us, 0u);
  EXPECT_EQ(sender->rto(), milliseconds(1000));
  sender.Queue(600, 1);
  sender->AllowBurst();
  sender.Poll(600);
  sender.Receive(640, Sack(1));
  EXPECT_EQ(sender.metrics().srtt_us, 40000u);
}

TEST(RetransmissionQueueContractTest, OneChunkIsTimedPerRoundTrip) {
  Sender sender;
  sender.Queue(0, 10);
  sender.Poll(0);
  sender.Receive(100, Sack(0));
  // The others were sent together with the one that was timed; they do not measure again.
  sender.Receive(400, Sack(9));
  EXPECT_EQ(sender.metrics().srtt_us, 100000u);
}

TEST(RetransmissionQueueContractTest, AHeartbeatMeasuresToo) {
  Sender sender;
  sender->MeasureRoundTrip(milliseconds(200));
  EXPECT_EQ(sender->rto(), milliseconds(600));
  EXPECT_EQ(sender.metrics().rto_us, 600000u);
}

// ---- Fast Retransmit, RFC 9260 §7.2.4

void LoseTheFirst(Sender& sender) {
  sender.Queue(0, 30);
  sender.Poll(0);
  for (uint16_t i = 2; i <= 4; ++i) sender.Receive(100, Sack(-1, {{2, i}}));
}

TEST(RetransmissionQueueContractTest, AFastRetransmitIgnoresAFullWindow) {
  Sender sender;
  LoseTheFirst(sender);
  EXPECT_TRUE(sender->congestion().in_fast_recovery());
  // Grew by the three chunks acknowledged, as the flight had filled the window when it was sent; then halved.
  EXPECT_EQ(sender.cwnd(), 13 * kFullChunk / 2);
  EXPECT_EQ(sender.flight(), 6 * kFullChunk);
  EXPECT_EQ(sender.PollTsns(100), Tsns{0});
  EXPECT_EQ(sender.metrics().fast_retransmits, 1u);
}

// Item 4: the earliest outstanding TSN restarts T3.
TEST(RetransmissionQueueContractTest, AFastRetransmitOfTheFirstRestartsT3) {
  Sender sender;
  LoseTheFirst(sender);
  EXPECT_EQ(sender->NextTimeout(), At(500));
  sender.Poll(100);
  EXPECT_EQ(sender->NextTimeout(), At(100) + sender->rto());
}

TEST(RetransmissionQueueContractTest, AFastRetransmitIsOnePacket) {
  Sender sender;
  sender.Queue(0, 30);
  sender.Poll(0);
  for (uint16_t i = 8; i <= 10; ++i) sender.Receive(100, Sack(-1, {{8, i}}));
  EXPECT_EQ(sender.metrics().fast_retransmits, 1u);
  // Seven are lost and nothing is in flight: the packet out of turn, then what the window of six and a half allows.
  const Tsns sent = sender.PollTsns(100);
  EXPECT_EQ(sent, (Tsns{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_LT(sender.flight(), sender.cwnd() + kFullChunk);
}

TEST(RetransmissionQueueContractTest, FurtherLossesInRecoveryHalveNothing) {
  Sender sender;
  LoseTheFirst(sender);
  sender.Poll(100);
  const size_t cwnd = sender.cwnd();
  for (uint16_t i = 8; i <= 10; ++i) sender.Receive(110, Sack(-1, {{2, 4}, {7, i}}));
  EXPECT_EQ(sender.cwnd(), cwnd);
  EXPECT_EQ(sender.metrics().fast_retransmits, 1u);
}

TEST(RetransmissionQueueContractTest, RecoveryEndsWhenAllThatWasOutstandingIsAcknowledged) {
  Sender sender;
  LoseTheFirst(sender);
  sender.Poll(100);
  sender.Receive(150, Sack(8));
  EXPECT_TRUE(sender->congestion().in_fast_recovery());
  sender.Receive(150, Sack(9));
  EXPECT_FALSE(sender->congestion().in_fast_recovery());
}

// ---- the peer's window, RFC 9260 §6.1 A, RFC 9260 §6.2.1

TEST(RetransmissionQueueContractTest, SendsNoMoreThanThePeersWindow) {
  Sender sender(3 * kFull + 100);
  sender.Queue(0, 30);
  EXPECT_EQ(sender.PollTsns(0), (Tsns{0, 1, 2}));
  EXPECT_EQ(sender.metrics().peer_rwnd, 100u);
  sender.Receive(50, Sack(0, {}, 3 * kFull));
  EXPECT_EQ(sender.PollTsns(50), Tsns{3});
}

TEST(RetransmissionQueueContractTest, ProbesAClosedWindowAfterOneRto) {
  Sender sender(0);
  sender.Queue(0, 3);
  EXPECT_EQ(sender.PollTsns(0), Tsns{});
  EXPECT_EQ(sender->NextTimeout(), At(500));
  EXPECT_EQ(sender->HandleTimeout(At(500)), Expiry::kWindowProbe);
  EXPECT_EQ(sender.PollTsns(500), Tsns{0});
  EXPECT_EQ(sender.PollTsns(500), Tsns{});
}

// "Zero window probing does not affect the calculation of cwnd", nor the count of errors, while the peer answers.
TEST(RetransmissionQueueContractTest, AnAnsweredProbeIsRepeatedWithoutPenalty) {
  Sender sender(0);
  sender.Queue(0, 3);
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  sender.Poll(500);
  int64_t now = 1500;
  for (const int64_t interval : {2000, 4000, 8000, 10000, 10000}) {
    sender.Receive(now - 100, Sack(-1, {}, 0));
    ASSERT_EQ(sender->NextTimeout(), At(now));
    EXPECT_EQ(sender->HandleTimeout(At(now)), Expiry::kWindowProbe);
    EXPECT_EQ(sender.PollTsns(now), Tsns{0});
    now += interval;
  }
  EXPECT_EQ(sender.cwnd(), kInitialCwnd);
}

TEST(RetransmissionQueueContractTest, AProbeWithoutAnyAnswerIsALoss) {
  Sender sender(0);
  sender.Queue(0, 3);
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  sender.Poll(500);
  EXPECT_EQ(sender->HandleTimeout(At(1500)), Expiry::kLoss);
  EXPECT_EQ(sender.cwnd(), kFullChunk);
}

// C7: no permanent zero window.
TEST(RetransmissionQueueContractTest, C7_AProbeThatWasDroppedGoesOutWhenTheWindowOpens) {
  Sender sender(0);
  sender.Queue(0, 3);
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  sender.Poll(500);
  sender.Receive(600, Sack(-1, {}, kWindow));
  EXPECT_EQ(sender.PollTsns(600), (Tsns{0, 1, 2}));
  EXPECT_EQ(sender.cwnd(), kInitialCwnd);
}

TEST(RetransmissionQueueContractTest, C7_AProbeThatWasTakenOpensTheWay) {
  Sender sender(0);
  sender.Queue(0, 3);
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  sender.Poll(500);
  sender.Receive(600, Sack(0, {}, kWindow));
  EXPECT_EQ(sender.PollTsns(600), (Tsns{1, 2}));
}

TEST(RetransmissionQueueContractTest, AnotherHandshakePacketUpdatesTheWindow) {
  Sender sender(0);
  sender.Queue(0, 1);
  EXPECT_EQ(sender.PollTsns(0), Tsns{});
  sender->UpdatePeer(kWindow, Reliability::kFull);
  EXPECT_EQ(sender.PollTsns(0), Tsns{0});
}

// ---- bursts, RFC 9260 §6.1 D, and idling

TEST(RetransmissionQueueContractTest, AnOpportunityAllowsMaxBurstPackets) {
  Options options = Options::Rfc9260();
  options.initial_window_packets = 20;
  Sender sender(kWindow, options);
  sender.Queue(0, 3);
  EXPECT_EQ(sender.Poll(0).size(), 3u);
  sender.Queue(0, 40);
  EXPECT_EQ(sender.Poll(0).size(), 0u);
  sender->AllowBurst();
  sender->AllowBurst();
  EXPECT_EQ(sender.Poll(0).size(), 4u);
  // A SACK: what it acknowledged, and Max.Burst.
  sender.Receive(100, Sack(1));
  EXPECT_EQ(sender.Poll(100).size(), 6u);
}

// RFC 9260 §7.2.1.
TEST(RetransmissionQueueContractTest, TheWindowDecaysWhileNothingIsSent) {
  Sender sender;
  sender.Queue(0, 10);
  sender.Poll(0);
  sender.Receive(100, Sack(9));
  ASSERT_EQ(sender.cwnd(), 18 * kFullChunk);
  ASSERT_EQ(sender->rto(), milliseconds(300));
  sender.Queue(650, 1);
  sender->AllowBurst();
  sender.Poll(650);
  EXPECT_EQ(sender.cwnd(), 18 * kFullChunk / 4);
  EXPECT_EQ(sender.ssthresh(), 18 * kFullChunk);
}

// ---- partial reliability, RFC 3758

TEST(RetransmissionQueueContractTest, ALossThatAbandonsIsForwarded) {
  Sender sender;
  sender.Queue(0, 2, 10, Retransmits(0));
  sender.Poll(0);
  EXPECT_FALSE(sender->TakeForwardTsn(At(0), 1000));
  sender->HandleTimeout(At(500));
  EXPECT_EQ(sender.PollTsns(500), Tsns{});
  const auto forward = sender->TakeForwardTsn(At(500), 1000);
  ASSERT_TRUE(forward);
  EXPECT_EQ(forward->new_cumulative_tsn, TsnAt(1).Wrap());
  ASSERT_EQ(forward->skipped.size(), 1u);
  EXPECT_EQ(forward->skipped[0], (SkippedStream{StreamId(1), Ssn(1)}));
  // C5: T3 runs until the peer confirms.
  EXPECT_EQ(sender->NextTimeout(), At(1500));
  EXPECT_FALSE(sender->TakeForwardTsn(At(500), 1000));
  sender.Receive(600, Sack(1));
  EXPECT_FALSE(sender->TakeForwardTsn(At(600), 1000));
  EXPECT_TRUE(sender->is_idle());
  EXPECT_EQ(sender->NextTimeout(), Timestamp::Never());
}

TEST(RetransmissionQueueContractTest, AForwardTsnThatGotLostIsRepeatedAtT3) {
  Sender sender;
  sender.Queue(0, 1, 10, Retransmits(0));
  sender.Poll(0);
  for (const int64_t at : {500, 1500, 3500}) {
    ASSERT_EQ(sender->NextTimeout(), At(at));
    sender->HandleTimeout(At(at));
    ASSERT_TRUE(sender->TakeForwardTsn(At(at), 1000));
  }
}

TEST(RetransmissionQueueContractTest, AForwardTsnWaitsForRoom) {
  Sender sender;
  sender.Queue(0, 1, 10, Retransmits(0));
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  EXPECT_FALSE(sender->TakeForwardTsn(At(500), ForwardTsnChunk::kHeaderSize + ForwardTsnChunk::kItemSize - 1));
  EXPECT_TRUE(sender->TakeForwardTsn(At(500), ForwardTsnChunk::kHeaderSize + ForwardTsnChunk::kItemSize));
}

// RFC 3758 §3.5 F2: a duplicate waits a round trip.
TEST(RetransmissionQueueContractTest, SacksThatDoNotConfirmRepeatAForwardTsnOncePerRoundTrip) {
  Sender sender;
  sender->MeasureRoundTrip(milliseconds(100));
  sender.Queue(0, 1, 10, Retransmits(0));
  sender.Queue(0, 5);
  sender.Poll(0);
  for (uint16_t i = 2; i <= 4; ++i) sender.Receive(50, Sack(-1, {{2, i}}));
  EXPECT_TRUE(sender->TakeForwardTsn(At(50), 1000));
  sender.Receive(149, Sack(-1, {{2, 4}}));
  EXPECT_FALSE(sender->TakeForwardTsn(At(149), 1000));
  sender.Receive(150, Sack(-1, {{2, 4}}));
  EXPECT_TRUE(sender->TakeForwardTsn(At(150), 1000));
}

// What waits to be sent again may expire before its turn; the peer hears of it at once and not at the next T3.
TEST(RetransmissionQueueContractTest, ALifetimeThatEndsBeforeARetransmissionIsForwardedAtOnce) {
  Sender sender;
  sender.Queue(0, 3, kFull, Lifetime(600));
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  EXPECT_EQ(sender.PollTsns(500), Tsns{0});
  sender.Receive(550, Sack(0));
  EXPECT_EQ(sender.PollTsns(700), Tsns{});
  const auto forward = sender->TakeForwardTsn(At(700), 1000);
  ASSERT_TRUE(forward);
  EXPECT_EQ(forward->new_cumulative_tsn, TsnAt(2).Wrap());
}

// The same when nothing else is left that could start T3: it must not wait for ever.
TEST(RetransmissionQueueContractTest, AllThatIsLostMayExpireAndTheTimerGoesOn) {
  Sender sender;
  sender.Queue(0, 3, kFull, Lifetime(505));
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  EXPECT_EQ(sender.PollTsns(510), Tsns{});
  EXPECT_TRUE(sender->TakeForwardTsn(At(510), 1000));
  EXPECT_NE(sender->NextTimeout(), Timestamp::Never());
}

// RFC 3758 §3.5 A3: what is not sent yet of a message past its lifetime never will be.
TEST(RetransmissionQueueContractTest, TheRestOfAMessagePastItsLifetimeIsNotSent) {
  Sender sender;
  sender.Queue(0, 1, 30 * kFull, Lifetime(100));
  EXPECT_EQ(sender.PollTsns(0).size(), 10u);
  sender.Receive(150, Sack(4));
  EXPECT_EQ(sender.PollTsns(150), Tsns{});
  const auto forward = sender->TakeForwardTsn(At(150), 1000);
  ASSERT_TRUE(forward);
  // One TSN beyond what was sent stands for the rest.
  EXPECT_EQ(forward->new_cumulative_tsn, TsnAt(10).Wrap());
  EXPECT_EQ(sender.messages().total_buffered_amount(), 0u);
  sender.Receive(200, Sack(10));
  EXPECT_TRUE(sender->is_idle());
  EXPECT_TRUE(sender.messages().is_idle());
}

// ---- all of it together

// A peer over a path that loses and reorders; keeps what it got by TSN.
class LossyTransfer {
 public:
  explicit LossyTransfer(uint64_t seed) : rng_(Rng::FromNumber(seed)) {}

  void Run() {
    size_t total = 0;
    for (int i = 0; i < 60; ++i) {
      const size_t octets = 1 + rng_.Below(8000);
      sender_.Queue(0, 1, octets);
      expected_.insert(expected_.end(), octets, static_cast<uint8_t>(i + 1));
      total += octets;
    }
    for (int round = 0; round < 5000 && !sender_->is_idle(); ++round) Round();
    ASSERT_TRUE(sender_->is_idle());
    ASSERT_TRUE(sender_.messages().is_idle());
    ASSERT_EQ(sender_.flight(), 0u);
    std::vector<uint8_t> received;
    for (const auto& [tsn, payload] : received_) received.insert(received.end(), payload.begin(), payload.end());
    ASSERT_EQ(received, expected_);
    ASSERT_EQ(sender_.metrics().bytes_sent, total);
  }

 private:
  void Round() {
    auto packets = sender_.Poll(now_);
    ASSERT_LT(sender_.flight(), sender_.cwnd() + kFullChunk + in_flight_bound_);
    in_flight_bound_ = sender_.flight();
    now_ += 50;
    for (size_t i = 1; i < packets.size(); ++i) {
      if (rng_.Below(10) == 0) std::swap(packets[i - 1], packets[i]);
    }
    for (const SentPacket& packet : packets) {
      if (rng_.Below(12) == 0) continue;
      for (const SentChunk& chunk : packet) {
        const auto [it, is_new] = received_.emplace(chunk.tsn, chunk.payload);
        ASSERT_EQ(it->second, chunk.payload) << "a retransmission differs";
      }
      while (received_.contains(cumulative_ + 1)) ++cumulative_;
      if (rng_.Below(12) > 0) Acknowledge();
    }
    if (!packets.empty()) return;
    const Timestamp due = sender_->NextTimeout();
    ASSERT_NE(due, Timestamp::Never()) << "nothing to send, nothing to wait for";
    now_ = std::max(now_, std::chrono::duration_cast<milliseconds>(due - At(0)).count() + 1);
    sender_->HandleTimeout(At(now_));
  }
  void Acknowledge() {
    std::vector<GapAckBlock> blocks;
    for (auto it = received_.upper_bound(cumulative_); it != received_.end(); ++it) {
      const auto offset = static_cast<uint16_t>(it->first - cumulative_);
      if (!blocks.empty() && blocks.back().end + 1 == offset) {
        blocks.back().end = offset;
      } else {
        blocks.push_back({offset, offset});
      }
    }
    ASSERT_EQ(sender_.Receive(now_, Sack(cumulative_, blocks)).verdict, SackVerdict::kValid);
  }

  Rng rng_;
  Sender sender_;
  std::map<int64_t, std::vector<uint8_t>> received_;
  std::vector<uint8_t> expected_;
  int64_t cumulative_ = -1;
  int64_t now_ = 0;
  size_t in_flight_bound_ = 0;
};

TEST(RetransmissionQueueContractTest, C19_DeliversEverythingOverALossyPathAcrossTheWrap) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    LossyTransfer(seed).Run();
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace jsp::sctp
