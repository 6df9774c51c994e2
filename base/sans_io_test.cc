#include "base/sans_io.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/overloaded.h"
#include "base/timer_table.h"

namespace jsp {
namespace {

using std::chrono_literals::operator""ms;

struct Ticked {
  int count;
};
struct Finished {};

enum class Timer : uint8_t { kTick, kFinish, kCount };

// Sends one octet and reports an event on every tick, three times.
class Metronome {
 public:
  struct Transmit {
    size_t size;
  };
  using Event = std::variant<Ticked, Finished>;

  explicit Metronome(Timestamp now) { timers_.Arm(Timer::kTick, now + 10ms); }

  void HandleTimeout(Timestamp now) {
    while (auto timer = timers_.PopExpired(now)) {
      if (*timer == Timer::kFinish) {
        events_.Push(Finished{});
        continue;
      }
      ++ticks_;
      ++unsent_;
      events_.Push(Ticked{ticks_});
      timers_.Arm(ticks_ < 3 ? Timer::kTick : Timer::kFinish, now + 10ms);
    }
  }
  std::optional<Transmit> PollTransmit(Timestamp, std::span<uint8_t> out) {
    if (unsent_ == 0) return std::nullopt;
    --unsent_;
    out[0] = static_cast<uint8_t>(ticks_);
    return Transmit{1};
  }
  std::optional<Event> PollEvent() { return events_.Pop(); }
  Timestamp NextTimeout() const { return timers_.Next(); }

 private:
  TimerTable<Timer> timers_;
  EventQueue<Event> events_;
  int ticks_ = 0;
  int unsent_ = 0;
};
static_assert(SansIoCore<Metronome>);

struct NoClock {
  void HandleTimeout();
};
static_assert(!SansIoCore<NoClock>);

TEST(SansIoTest, DrainGivesTransmitsThenEventsAndTheNextDeadline) {
  const Timestamp start = Timestamp::FromEpoch(0ms);
  Metronome core(start);
  std::array<uint8_t, 8> scratch{};
  std::vector<std::string> seen;
  const auto drain = [&](Timestamp now) {
    return Drain(
        core, now, scratch,
        [&](const Metronome::Transmit& t, std::span<const uint8_t> bytes) {
          ASSERT_EQ(t.size, 1u);
          seen.push_back("sent " + std::to_string(bytes[0]));
        },
        [&](Metronome::Event event) {
          std::visit(Overloaded{[&](Ticked e) { seen.push_back("tick " + std::to_string(e.count)); },
                                [&](Finished) { seen.push_back("finished"); }},
                     event);
        });
  };
  Timestamp now = drain(start);
  while (now != Timestamp::Never()) {
    core.HandleTimeout(now);
    now = drain(now);
  }
  EXPECT_THAT(seen, ::testing::ElementsAre("sent 1", "tick 1", "sent 2", "tick 2", "sent 3", "tick 3", "finished"));
}

TEST(SansIoTest, LosesNothingWhenItIsDrainedLate) {
  Metronome core(Timestamp::FromEpoch(0ms));
  core.HandleTimeout(Timestamp::FromEpoch(10ms));
  core.HandleTimeout(Timestamp::FromEpoch(20ms));
  std::array<uint8_t, 8> scratch{};
  int sent = 0;
  int events = 0;
  const Timestamp next = Drain(
      core, Timestamp::FromEpoch(25ms), scratch, [&](const auto&, auto) { ++sent; }, [&](const auto&) { ++events; });
  EXPECT_EQ(sent, 2);
  EXPECT_EQ(events, 2);
  EXPECT_EQ(next, Timestamp::FromEpoch(30ms));
}

TEST(SansIoTest, HandleTimeoutBeforeTheDeadlineDoesNothing) {
  Metronome core(Timestamp::FromEpoch(0ms));
  core.HandleTimeout(Timestamp::FromEpoch(9ms));
  EXPECT_FALSE(core.PollEvent().has_value());
  EXPECT_EQ(core.NextTimeout(), Timestamp::FromEpoch(10ms));
}

}  // namespace
}  // namespace jsp
