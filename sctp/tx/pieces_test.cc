// Messages that the application sends in pieces (RFC 8260 §2.1, RFC 3758 §3.5).
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include "base/rng.h"
#include "sctp/tx/outstanding_data.h"
#include "sctp/tx/send_queue.h"
#include "sctp/tx/tx_test_support.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;

constexpr size_t kMax = 1 << 20;
constexpr StreamId kStream{1};

struct Rig {
  explicit Rig(StreamScheduler::Policy policy = StreamScheduler::Policy::kRoundRobin) : queue(kMax, policy, metrics) {
    queue.SetFraming(Framing::kIData);
    outstanding.SetFraming(Framing::kIData);
    outstanding.SetReliability(Reliability::kPartial);
  }
  void Add(uint16_t stream, Part part, size_t size, const SendOptions& options = {}) {
    Message message = MessageOf(stream, size);
    message.part = part;
    queue.Add(now, std::move(message), options);
  }
  // The next fragment, with a TSN.
  std::optional<Fragment> Take(size_t length) {
    const auto front = queue.Front(now, Reliability::kPartial);
    if (!front) return std::nullopt;
    const OutgoingMessage& message = queue.message(*front);
    const Fragment fragment = queue.Take(std::min(length, message.size() - message.fragmented));
    outstanding.Add(fragment);
    return fragment;
  }
  void AcknowledgeUpTo(UnwrappedTsn tsn) { outstanding.ApplyCumulative(tsn.Wrap()); }
  void AcknowledgeAll() { AcknowledgeUpTo(UnwrappedTsn(outstanding.next_tsn().DistanceFrom(UnwrappedTsn(1)))); }
  void Abandon(StreamId stream) {
    if (const auto piece = queue.CloseOpen(stream)) outstanding.AbandonMessage(*piece);
  }

  Metrics metrics;
  SendQueue queue;
  OutstandingData outstanding{Tsn(0xfffffff0), queue};
  Timestamp now = At(0ms);
};

std::string Describe(const std::optional<Fragment>& fragment) {
  if (!fragment) return "none";
  return std::to_string(fragment->fsn) + ":" + std::to_string(fragment->length) + (fragment->begins ? "B" : "") +
         (fragment->ends ? "E" : "");
}

TEST(PiecesTest, FragmentsOfAllPiecesAreNumberedAsOneMessage) {  // RFC 8260 §2.1
  Rig rig;
  rig.Add(1, Part::kBegin, 15);
  EXPECT_EQ(rig.queue.open(kStream), SendQueue::Open::kOpen);
  EXPECT_EQ(Describe(rig.Take(10)), "0:10B");
  EXPECT_EQ(Describe(rig.Take(10)), "1:5");
  EXPECT_EQ(Describe(rig.Take(10)), "none") << "open, and nothing to send";
  rig.Add(1, Part::kMiddle, 3);
  rig.Add(1, Part::kEnd, 12);
  EXPECT_EQ(rig.queue.open(kStream), SendQueue::Open::kNone);
  rig.Add(1, Part::kWhole, 4);
  EXPECT_EQ(Describe(rig.Take(10)), "2:3");
  EXPECT_EQ(Describe(rig.Take(10)), "3:10");
  EXPECT_EQ(Describe(rig.Take(10)), "4:2E");
  EXPECT_EQ(Describe(rig.Take(10)), "0:4BE");
  Mid first = rig.queue.message(rig.outstanding.at(rig.outstanding.first_tsn()).message).mid;
  EXPECT_EQ(first, Mid(0));
  rig.AcknowledgeAll();
  EXPECT_TRUE(rig.queue.is_idle());
}

TEST(PiecesTest, AnOpenMessageWithNothingToSendLetsOthersPass) {  // RFC 8260 §3
  Rig rig;
  rig.Add(1, Part::kBegin, 5);
  rig.Add(2, Part::kWhole, 7);
  EXPECT_EQ(Describe(rig.Take(10)), "0:5B");
  EXPECT_EQ(Describe(rig.Take(10)), "0:7BE");
  rig.Add(1, Part::kMiddle, 5);
  rig.Add(2, Part::kWhole, 15);
  EXPECT_EQ(Describe(rig.Take(10)), "1:5");
  EXPECT_EQ(Describe(rig.Take(10)), "0:10B");
}

TEST(PiecesTest, WhatIsAcknowledgedMakesRoomBeforeTheMessageEnds) {
  Rig rig;
  rig.Add(1, Part::kBegin, 1000);
  rig.Add(1, Part::kMiddle, 500);
  EXPECT_EQ(rig.queue.room(), kMax - 1500);
  EXPECT_EQ(rig.queue.open_octets(kStream), 1500u);
  while (rig.Take(1000)) continue;
  EXPECT_EQ(rig.queue.room(), kMax - 1500);
  rig.AcknowledgeUpTo(rig.outstanding.first_tsn());
  EXPECT_EQ(rig.queue.room(), kMax - 500);
  rig.AcknowledgeAll();
  EXPECT_EQ(rig.queue.room(), kMax);
  EXPECT_EQ(rig.queue.open_octets(kStream), 1500u) << "for the peer's limit";
}

TEST(PiecesTest, PiecesTravelWithTheOptionsOfTheFirst) {  // RFC 3758 §4
  Rig rig;
  SendOptions options;
  options.unordered = true;
  options.max_retransmits = 3;
  rig.Add(1, Part::kBegin, 10, options);
  rig.Add(1, Part::kEnd, 10);
  while (rig.Take(10)) continue;
  for (UnwrappedTsn tsn = rig.outstanding.first_tsn(); tsn < rig.outstanding.next_tsn(); tsn = tsn.Next()) {
    const OutgoingMessage& piece = rig.queue.message(rig.outstanding.at(tsn).message);
    EXPECT_TRUE(piece.unordered);
    EXPECT_EQ(piece.abandonment.max_retransmits, 3);
    EXPECT_EQ(piece.mid, Mid(0));
  }
}

TEST(PiecesTest, AbandoningReachesPiecesBeforeAndBehind) {  // RFC 3758 §3.5 A3
  Rig rig;
  rig.Add(1, Part::kBegin, 10, MaxRetransmits(0));
  for (int i = 0; i < 5; ++i) rig.Add(1, Part::kMiddle, 10);
  for (int i = 0; i < 4; ++i) rig.Take(10);
  // The second one is lost for good.
  const UnwrappedTsn second = rig.outstanding.first_tsn().Next();
  rig.outstanding.AbandonMessage(rig.outstanding.at(second).message);
  EXPECT_TRUE(rig.outstanding.IsConsistent());
  EXPECT_EQ(rig.outstanding.size(), 5u) << "and a TSN for the rest";
  EXPECT_EQ(rig.outstanding.flight_payload(), 0u);
  EXPECT_EQ(rig.queue.buffered_amount(kStream), 0u);
  EXPECT_EQ(rig.queue.open(kStream), SendQueue::Open::kAbandoned);
  EXPECT_EQ(rig.queue.abandoned(kStream).total(), 1u);
  EXPECT_EQ(rig.metrics.messages_abandoned, 1u);
  EXPECT_EQ(rig.queue.room(), kMax) << "no payload of it is kept";
  EXPECT_FALSE(rig.Take(10));
  ASSERT_TRUE(rig.outstanding.AdvancePeerAckPoint());
  const auto forward = rig.outstanding.BuildIForwardTsn(1000);
  size_t items = 0;
  for (const SkippedMessages& skipped : forward.skipped) {
    ++items;
    EXPECT_EQ(skipped.stream, kStream);
    EXPECT_EQ(skipped.mid, Mid(0));
  }
  EXPECT_EQ(items, 1u);
  rig.AcknowledgeAll();
  EXPECT_EQ(rig.queue.room(), kMax);
  rig.queue.ForgetOpen(kStream);
  rig.Add(1, Part::kWhole, 5);
  EXPECT_EQ(Describe(rig.Take(10)), "0:5BE");
}

TEST(PiecesTest, AMessageWithNothingLeftHereIsAbandonedByItsNumber) {  // RFC 8260 §2.3.1
  Rig rig;
  rig.Add(1, Part::kWhole, 5);
  rig.Add(1, Part::kBegin, 10);
  while (rig.Take(10)) continue;
  rig.AcknowledgeAll();
  rig.Abandon(kStream);
  EXPECT_TRUE(rig.outstanding.IsConsistent());
  ASSERT_EQ(rig.outstanding.size(), 1u);
  ASSERT_TRUE(rig.outstanding.AdvancePeerAckPoint());
  const auto forward = rig.outstanding.BuildIForwardTsn(1000);
  EXPECT_EQ((*forward.skipped.begin()).mid, Mid(1));
  rig.AcknowledgeAll();
  EXPECT_TRUE(rig.queue.is_idle());
}

TEST(PiecesTest, AMessageInPiecesCountsOnceByItsPolicyOrByWhoGaveItUp) {  // RFC 7496 §4.3
  Rig rig;
  SendOptions options;
  options.max_retransmits = 0;
  rig.Add(1, Part::kBegin, 10, options);
  rig.Add(1, Part::kMiddle, 10);
  while (rig.Take(10)) continue;
  rig.outstanding.MarkAllLost(rig.now);
  rig.queue.ForgetOpen(kStream);
  EXPECT_EQ(rig.queue.abandoned(kStream)[AbandonPolicy::kRetransmissions].sent, 1u);
  for (const bool is_sent : {true, false}) {
    rig.Add(1, Part::kBegin, 10, options);
    rig.Add(1, Part::kMiddle, 10);
    if (is_sent) rig.Take(10);
    rig.Abandon(kStream);
  }
  const AbandonedByPolicy abandoned = rig.queue.abandoned(kStream);
  EXPECT_EQ(abandoned[AbandonPolicy::kApplication].sent, 1u);
  EXPECT_EQ(abandoned[AbandonPolicy::kApplication].unsent, 1u);
  EXPECT_EQ(abandoned.total(), 3u);
  EXPECT_EQ(rig.metrics.messages_abandoned, 3u);
}

TEST(PiecesTest, AMessageOfWhichNothingWasSentIsJustDropped) {
  Rig rig;
  rig.Add(1, Part::kBegin, 10);
  rig.Add(1, Part::kMiddle, 10);
  rig.Abandon(kStream);
  EXPECT_TRUE(rig.outstanding.empty());
  EXPECT_TRUE(rig.queue.is_idle());
  EXPECT_EQ(rig.queue.total_buffered_amount(), 0u);
  EXPECT_EQ(rig.queue.abandoned(kStream).total(), 1u);
}

TEST(PiecesTest, GivingUpAMessageThatHasNotBegunLeavesTheOneBeforeIt) {
  Rig rig;
  rig.Add(1, Part::kWhole, 30);
  EXPECT_EQ(Describe(rig.Take(10)), "0:10B");
  rig.Add(1, Part::kBegin, 7);
  rig.Add(1, Part::kMiddle, 7);
  rig.Abandon(kStream);
  rig.Add(1, Part::kBegin, 5);
  EXPECT_EQ(rig.queue.buffered_amount(kStream), 25u);
  EXPECT_EQ(Describe(rig.Take(20)), "1:20E");
  EXPECT_EQ(Describe(rig.Take(20)), "0:5B");
  EXPECT_EQ(rig.queue.open(kStream), SendQueue::Open::kOpen);
  EXPECT_EQ(rig.queue.abandoned(kStream).total(), 1u);
  rig.Add(1, Part::kEnd, 1);
  while (rig.Take(20)) continue;
  rig.AcknowledgeAll();
  EXPECT_TRUE(rig.queue.is_idle());
  EXPECT_EQ(rig.queue.room(), kMax);
}

TEST(PiecesTest, P34_AnExpiredMessageIsDroppedWithAllPiecesThatAreHere) {  // RFC 3758 §4.1
  Rig rig;
  SendOptions options;
  options.lifetime = 10ms;
  rig.Add(1, Part::kBegin, 10, options);
  rig.Add(1, Part::kEnd, 10);
  rig.Add(1, Part::kBegin, 10, options);
  rig.Add(2, Part::kWhole, 3);
  rig.now = rig.now + 20ms;
  EXPECT_EQ(Describe(rig.Take(10)), "0:3BE");
  EXPECT_EQ(Describe(rig.Take(10)), "none");
  EXPECT_EQ(rig.metrics.messages_abandoned, 2u);
  EXPECT_EQ(rig.queue.open(kStream), SendQueue::Open::kAbandoned);
  EXPECT_EQ(rig.queue.room(), kMax - 3);
}

TEST(PiecesTest, AResetForgetsTheOpenMessageAndAFailedOneDoesNot) {  // RFC 6525 §5.1.2, RFC 6525 §5.2.7 H4
  Rig rig;
  rig.Add(1, Part::kBegin, 10);
  rig.Take(10);
  rig.queue.BeginReset(kStream);
  EXPECT_EQ(rig.queue.PopDrained(), std::nullopt);
  rig.AcknowledgeAll();
  EXPECT_EQ(rig.queue.PopDrained(), kStream);
  rig.queue.EndReset(kStream, SendQueue::ResetResult::kFailed);
  EXPECT_EQ(rig.queue.open(kStream), SendQueue::Open::kOpen) << "the peer waits for its end";
  rig.Add(1, Part::kMiddle, 10);
  EXPECT_EQ(Describe(rig.Take(10)), "1:10");
  rig.AcknowledgeAll();
  rig.queue.BeginReset(kStream);
  EXPECT_EQ(rig.queue.PopDrained(), kStream);
  rig.queue.EndReset(kStream, SendQueue::ResetResult::kPerformed);
  EXPECT_EQ(rig.queue.open(kStream), SendQueue::Open::kNone);
  rig.Add(1, Part::kWhole, 5);
  EXPECT_EQ(Describe(rig.Take(10)), "0:5BE");
}

// Any order of commands, losses and acknowledgements leaves the counters right, and nothing behind in the end.
TEST(PiecesTest, KeepsItsAccountsUnderRandomCommands) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng = Rng::FromNumber(seed);
    Rig rig(static_cast<StreamScheduler::Policy>(seed % 4));
    for (int step = 0; step < 400; ++step) {
      const auto stream = static_cast<uint16_t>(rng.Below(3));
      const StreamId id(stream);
      const bool is_open = rig.queue.open(id) != SendQueue::Open::kNone;
      switch (rng.Below(7)) {
        case 0:
        case 1:
          if (rig.queue.open(id) == SendQueue::Open::kAbandoned) {
            rig.queue.ForgetOpen(id);
          } else if (is_open) {
            rig.Add(stream, rng.Below(3) == 0 ? Part::kEnd : Part::kMiddle, 1 + rng.Below(40));
          } else {
            rig.Add(stream, rng.Below(2) == 0 ? Part::kWhole : Part::kBegin, 1 + rng.Below(40));
          }
          break;
        case 2:
        case 3:
          for (size_t n = rng.Below(6); n > 0; --n) rig.Take(1 + rng.Below(15));
          break;
        case 4:
          if (!rig.outstanding.empty()) {
            const auto ahead = static_cast<int64_t>(rng.Below(rig.outstanding.size()));
            rig.AcknowledgeUpTo(UnwrappedTsn(rig.outstanding.first_tsn().DistanceFrom(UnwrappedTsn(0)) + ahead));
          }
          break;
        case 5:
          if (is_open) rig.Abandon(id);
          break;
        default:
          if (!rig.outstanding.empty())
            rig.outstanding.AbandonMessage(rig.outstanding.at(rig.outstanding.first_tsn()).message);
      }
      rig.outstanding.AdvancePeerAckPoint();
      ASSERT_TRUE(rig.outstanding.IsConsistent()) << "step " << step;
      ASSERT_TRUE(rig.queue.IsConsistent()) << "step " << step;
    }
    for (uint16_t stream = 0; stream < 3; ++stream) {
      if (rig.queue.open(StreamId(stream)) == SendQueue::Open::kOpen) rig.Add(stream, Part::kEnd, 1);
    }
    while (rig.Take(100)) continue;
    if (!rig.outstanding.empty()) rig.AcknowledgeAll();
    EXPECT_TRUE(rig.queue.is_idle());
    EXPECT_EQ(rig.queue.room(), kMax);
    EXPECT_EQ(rig.queue.total_buffered_amount(), 0u);
  }
}

}  // namespace
}  // namespace jsp::sctp
