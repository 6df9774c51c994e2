// Random commands on a whole sender, looking at IsConsistent() after each.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "sctp/tx/tx_test_support.h"
namespace jsp::sctp {
namespace {

using std::chrono::milliseconds;

SendOptions RandomOptions(Rng& rng) {
  SendOptions options;
  options.unordered = rng.Below(3) == 0;
  options.control = rng.Below(8) == 0;
  options.sack_immediately = rng.Below(8) == 0;
  options.priority = static_cast<uint16_t>(128u << rng.Below(4));
  switch (rng.Below(6)) {
    case 0:
      options.max_retransmits = static_cast<uint16_t>(rng.Below(3));
      break;
    case 1:
      options.lifetime = milliseconds(rng.Below(300));
      break;
    case 2:
      options.buffer_priority = static_cast<uint32_t>(rng.Below(4));
      break;
    case 3:
      options.replaceable = true;
      break;
    default:
      break;
  }
  return options;
}

// A receiver that loses TSNs, tells about some of what it has, and reports duplicates.
struct Receiver {
  void Receive(uint32_t tsn) {
    if (tsn < cumulative || std::ranges::count(above, tsn) > 0) {
      duplicates.push_back(tsn);
    } else {
      above.push_back(tsn);
    }
    Advance();
  }
  void ForwardTo(uint32_t tsn) {
    cumulative = std::max(cumulative, tsn + 1);
    Advance();
  }
  void Advance() {
    std::ranges::sort(above);
    std::erase_if(above, [&](uint32_t tsn) { return tsn < cumulative; });
    while (!above.empty() && above.front() == cumulative) {
      above.erase(above.begin());
      ++cumulative;
    }
  }
  SackVerdict Answer(Sender& s, uint32_t a_rwnd) {
    std::vector<GapAckBlock> gaps;
    for (const uint32_t tsn : above) {
      const auto at = static_cast<uint16_t>(tsn - cumulative + 1);
      if (!gaps.empty() && gaps.back().end + 1 == at) {
        gaps.back().end = at;
      } else {
        gaps.push_back({at, at});
      }
    }
    std::vector<Tsn> repeated;
    for (const uint32_t tsn : duplicates) repeated.push_back(Tsn(s.config.initial_tsn + tsn));
    duplicates.clear();
    SackChunk sack;
    sack.cumulative_tsn_ack = Tsn(s.config.initial_tsn + cumulative - 1);
    sack.a_rwnd = a_rwnd;
    sack.gap_ack_blocks = std::span<const GapAckBlock>(gaps);
    sack.duplicate_tsns = std::span<const Tsn>(repeated);
    return s.queue.HandleSack(s.now, sack).verdict;
  }

  uint32_t cumulative = 0;  // TSNs below were received
  std::vector<uint32_t> above;
  std::vector<uint32_t> duplicates;
};

Sender::Config RandomConfig(Rng& rng) {
  Sender::Config config;
  config.options = rng.Below(2) == 0 ? Options::Rfc9260() : Options{};
  config.options.congestion_control = static_cast<CongestionAlgorithm>(rng.Below(3));
  config.options.max_send_buffer = 20000;
  config.reliability = rng.Below(4) == 0 ? Reliability::kFull : Reliability::kPartial;
  config.framing = rng.Below(2) == 0 ? Framing::kIData : Framing::kData;
  return config;
}

// As Association::Send does: a message, a piece of one, or the word that what is open gets no end.
void SendSomething(Sender& s, Rng& rng) {
  using Open = SendQueue::Open;
  SendOptions options = RandomOptions(rng);
  const size_t size = 1 + rng.Below(rng.Below(4) == 0 ? 6000 : 300);
  const auto stream = static_cast<uint16_t>(rng.Below(4));
  const StreamId id(stream);
  if (s.messages.is_resetting(id)) return;
  Part part = Part::kWhole;
  if (s.messages.open(id) == Open::kAbandoned) s.messages.ForgetOpen(id);
  if (s.messages.open(id) == Open::kOpen) {
    if (rng.Below(6) == 0 && s.config.reliability == Reliability::kPartial) {
      return s.queue.AbandonOpenMessage(s.now, id);
    }
    part = rng.Below(3) == 0 ? Part::kEnd : Part::kMiddle;
    options = {};
  } else if (s.config.framing == Framing::kIData && !options.buffer_priority && !options.replaceable) {
    part = rng.Below(3) == 0 ? Part::kBegin : Part::kWhole;
  }
  if (!s.queue.MakeRoom(s.now, size, options)) return;
  ASSERT_LE(size, s.messages.room());
  s.Send(size, options, stream, part);
}

// The point to which a FORWARD TSN of either kind moves the receiver, counted from 0.
std::optional<uint32_t> TakeForward(Sender& s) {
  std::optional<Tsn> point;
  if (s.config.framing == Framing::kIData) {
    if (const auto forward = s.queue.TakeIForwardTsn(s.now, 200)) point = forward->new_cumulative_tsn;
  } else if (const auto forward = s.queue.TakeForwardTsn(s.now, 200)) {
    point = forward->new_cumulative_tsn;
  }
  return point ? std::optional(point->value - s.config.initial_tsn) : std::nullopt;
}

void RunCommands(uint64_t seed) {
  Rng rng = Rng::FromNumber(seed);
  Sender s(RandomConfig(rng));
  Receiver receiver;
  for (int step = 0; step < 400; ++step) {
    switch (rng.Below(8)) {
      case 0:
      case 1:
        SendSomething(s, rng);
        break;
      case 2:
      case 3:
        for (const uint32_t tsn : s.DrainTsns()) {
          if (rng.Below(5) != 0) receiver.Receive(tsn);
        }
        if (const auto forward = TakeForward(s); forward && rng.Below(4) != 0) receiver.ForwardTo(*forward);
        break;
      case 4:
        ASSERT_EQ(receiver.Answer(s, static_cast<uint32_t>(rng.Below(5) == 0 ? rng.Below(3000) : 1 << 20)),
                  SackVerdict::kValid);
        break;
      case 5:
        s.now = s.now + milliseconds(rng.Below(60));
        (void)s.queue.HandleTimeout(s.now);
        break;
      case 6:
        if (s.queue.NextTimeout() != Timestamp::Never()) s.now = std::max(s.now, s.queue.NextTimeout());
        (void)s.queue.HandleTimeout(s.now);
        break;
      case 7:
        if (rng.Below(8) == 0) s.messages.BeginReset(StreamId(static_cast<uint16_t>(rng.Below(4))));
        while (const auto drained = s.messages.PopDrained()) {
          s.messages.EndReset(*drained, SendQueue::ResetResult::kPerformed);
        }
        break;
    }
    ASSERT_TRUE(s.queue.IsConsistent()) << "step " << step;
    // Whatever was given up had a policy, and counts once, in however many pieces it was.
    ASSERT_EQ(s.metrics.messages_abandoned, s.metrics.abandoned.total()) << "step " << step;
  }
}

TEST(SenderCommandsTest, StaysConsistentUnderRandomCommandsAcrossTheWrap) {  // C19: from TSN 2^32 − 2
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RunCommands(seed);
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace jsp::sctp
