// What two associations allocate in steady state: nothing, of any size, order and framing, with and without loss.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/circular_buffer.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/payload.h"
#include "base/rng.h"
#include "base/time.h"
#include "sctp/association.h"
#include "test/support/allocations.h"

namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;

constexpr size_t kUnderWay = 256 * 1024;  // octets of messages queued and outstanding

// Two associations and a wire with delay and loss that does not allocate itself.
class SteadyPair {
 public:
  struct Traffic {
    Framing framing = Framing::kIData;
    double loss = 0;
    bool unordered = false;
    std::optional<uint16_t> max_retransmits = {};
    std::optional<uint32_t> buffer_priority = {};
  };

  explicit SteadyPair(const Traffic& traffic)
      : send_options_(SendOptionsOf(traffic)), a_(OptionsOf(traffic), rng_, now_), z_(OptionsOf(traffic), rng_, now_) {
    a_.Connect(now_);
    z_.Connect(now_);
    while (a_.state() != State::kEstablished || z_.state() != State::kEstablished) Step();
    loss_ = traffic.loss;
  }

  // Sends messages of `octets` until `total` octets were accepted.
  void Transfer(size_t octets, size_t total) {
    const size_t window = std::max(kUnderWay, octets);
    for (size_t sent = 0; sent < total; Step()) {
      while (sent < total && room_ - a_.send_buffer_room() + octets <= window) {
        Payload payload(a_.pool());
        payload.resize(octets);
        const StreamId stream(static_cast<uint16_t>(sent / octets % 4));
        ASSERT_TRUE(a_.Send(now_, {stream, Ppid(53), std::move(payload)}, send_options_));
        sent += octets;
      }
    }
  }
  // All that was sent is acknowledged.
  void Drain() {
    while (a_.send_buffer_room() < room_) Step();
  }
  void Wait(Duration duration) {
    for (const Timestamp end = now_ + duration; now_ < end;) Step();
  }
  Association& a() { return a_; }
  Association& z() { return z_; }
  uint64_t received() const { return received_; }

 private:
  struct Packet {
    Timestamp at;
    size_t size;
    std::array<uint8_t, 1200> octets;
  };
  using Wire = boost::circular_buffer<Packet>;

  static Options OptionsOf(const Traffic& traffic) {
    Options options;
    options.interleaving = traffic.framing == Framing::kIData;
    options.initial_tsn = Tsn(0xfffff000);  // wraps
    return options;
  }
  static SendOptions SendOptionsOf(const Traffic& traffic) {
    SendOptions options;
    options.unordered = traffic.unordered;
    options.max_retransmits = traffic.max_retransmits;
    options.buffer_priority = traffic.buffer_priority;
    return options;
  }
  void Step() {
    Collect(a_, to_z_);
    Collect(z_, to_a_);
    Timestamp next = std::min(a_.NextTimeout(), z_.NextTimeout());
    if (!to_a_.empty()) next = std::min(next, to_a_.front().at);
    if (!to_z_.empty()) next = std::min(next, to_z_.front().at);
    now_ = std::max(now_, next);
    Deliver(a_, to_a_);
    Deliver(z_, to_z_);
    if (a_.NextTimeout() <= now_) a_.HandleTimeout(now_);
    if (z_.NextTimeout() <= now_) z_.HandleTimeout(now_);
  }
  void Collect(Association& from, Wire& wire) {
    Packet packet;
    while (const auto transmit = from.PollTransmit(now_, packet.octets)) {
      if (rng_.Uniform() < loss_ || wire.full()) continue;
      packet.at = now_ + 5ms;
      packet.size = transmit->size;
      wire.push_back(packet);
    }
  }
  void Deliver(Association& to, Wire& wire) {
    for (; !wire.empty() && wire.front().at <= now_; wire.pop_front()) {
      to.HandlePacket(now_, std::span<const uint8_t>(wire.front().octets).first(wire.front().size));
    }
    while (const auto event = to.PollEvent()) {
      const auto* message = std::get_if<event::MessageReceived>(&*event);
      if (message == nullptr) continue;
      ++received_;
      to.HandleConsumed(now_, message->message.payload.size());
    }
  }

  const SendOptions send_options_;
  double loss_ = 0;
  Timestamp now_ = Timestamp::FromEpoch(100s);
  Rng rng_ = Rng::FromNumber(7);
  Association a_;
  Association z_;
  Wire to_a_{1024};
  Wire to_z_{1024};
  size_t room_ = a_.send_buffer_room();
  uint64_t received_ = 0;
};

struct Case {
  size_t octets;
  bool unordered;
  Framing framing;
  double loss;
};

std::string NameOf(const testing::TestParamInfo<Case>& info) {
  return std::to_string(info.param.octets) + (info.param.unordered ? "Unordered" : "Ordered") +
         (info.param.framing == Framing::kData ? "Data" : "IData") + (info.param.loss > 0 ? "Lossy" : "");
}

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  for (const size_t octets : {size_t{100}, size_t{1024}, size_t{65536}}) {
    for (const bool unordered : {false, true}) {
      for (const Framing framing : {Framing::kData, Framing::kIData}) {
        for (const double loss : {0.0, 0.01}) cases.push_back({octets, unordered, framing, loss});
      }
    }
  }
  return cases;
}

class AssociationAllocationTest : public testing::TestWithParam<Case> {};

// The associations, the pool and what came from it.
TEST(AssociationAllocationTest, NothingStaysOfAssociationsThatAreGone) {
  for (const Framing framing : {Framing::kData, Framing::kIData}) {
    const uint64_t before = CountAllocations().live;
    {
      // Fragments come out of order, and messages that have begun could give way (RFC 7496 §3.2).
      SteadyPair pair({.framing = framing, .loss = 0.05, .buffer_priority = 1});
      pair.Transfer(3000, size_t{1} << 20);
      EXPECT_GT(pair.a().metrics().retransmitted_chunks, 5u);
    }
    EXPECT_EQ(CountAllocations().live - before, 0u);
  }
}

// Per message and per packet, at both ends, the application's payloads included.
TEST_P(AssociationAllocationTest, ASteadyStateAllocatesNothing) {
  const Case& is = GetParam();
  SteadyPair pair({.framing = is.framing, .loss = is.loss, .unordered = is.unordered});
  // What is kept has its largest size after some recoveries with a full window.
  const size_t total = is.octets == 100 ? size_t{2} << 20 : size_t{12} << 20;
  pair.Transfer(is.octets, is.loss > 0 ? 16 * total : total);
  const uint64_t before = CountAllocations().count;
  const uint64_t received = pair.received();
  pair.Transfer(is.octets, total / 2);
  EXPECT_EQ(CountAllocations().count - before, 0u);
  EXPECT_GT(pair.received() - received, total / 2 / is.octets * 9 / 10);
  if (is.loss > 0) {
    EXPECT_GT(pair.a().metrics().retransmitted_chunks, 20u);
  }
}

INSTANTIATE_TEST_SUITE_P(All, AssociationAllocationTest, testing::ValuesIn(AllCases()), NameOf);

// RFC 3758: messages that are given up, and the FORWARD TSN for them.
TEST(AssociationAllocationTest, AbandonedMessagesAllocateNothing) {
  for (const Framing framing : {Framing::kData, Framing::kIData}) {
    SteadyPair pair({.framing = framing, .loss = 0.02, .max_retransmits = 0});
    pair.Transfer(3000, size_t{60} << 20);
    // What is kept may yet grow with a rarer run of losses, but not for long.
    uint64_t before = 0;
    for (int i = 0; i < 10 && before != CountAllocations().count; ++i) {
      before = CountAllocations().count;
      pair.Transfer(3000, size_t{12} << 20);
    }
    before = CountAllocations().count;
    const uint64_t abandoned = pair.a().metrics().messages_abandoned;
    pair.Transfer(3000, size_t{6} << 20);
    EXPECT_EQ(CountAllocations().count - before, 0u);
    EXPECT_GT(pair.a().metrics().messages_abandoned, abandoned + 20);
  }
}

// Bursts with silence between them, each larger than what the slab of messages once kept.
TEST(AssociationAllocationTest, BurstsAllocateNothing) {
  SteadyPair pair({});
  const auto burst = [&] {
    pair.Transfer(100, 100 * 2000);
    pair.Drain();
  };
  for (int i = 0; i < 30; ++i) burst();  // until the window holds one
  const uint64_t before = CountAllocations().count;
  for (int i = 0; i < 5; ++i) burst();
  EXPECT_EQ(CountAllocations().count - before, 0u);
}

TEST(AssociationAllocationTest, GivesBackWhatItKeptOnceBothDirectionsAreIdle) {  // with RFC 9260 §8.3's idle timer
  SteadyPair pair({});
  pair.Transfer(65536, size_t{4} << 20);
  pair.Drain();
  EXPECT_GT(pair.a().pool().kept_octets(), 64u * 1024);
  EXPECT_GT(pair.z().pool().kept_octets(), 64u * 1024);
  pair.Wait(70s);
  EXPECT_EQ(pair.a().pool().kept_octets(), 0u);
  EXPECT_EQ(pair.z().pool().kept_octets(), 0u);
}

TEST(AssociationAllocationTest, GivesBackAtOnceWhatItsOwnerDoesNotNeed) {
  SteadyPair pair({});
  const uint64_t before = CountAllocations().octets;
  pair.Transfer(65536, size_t{4} << 20);
  pair.Drain();
  pair.a().Trim();
  pair.z().Trim();
  EXPECT_EQ(pair.a().pool().kept_octets(), 0u);
  EXPECT_EQ(pair.z().pool().kept_octets(), 0u);
  EXPECT_LT(CountAllocations().octets - before, 4096u);
  pair.Transfer(65536, size_t{1} << 20);  // and goes on
}

// The receiver of a transfer sends no DATA, and yet is not idle.
TEST(AssociationAllocationTest, AReceiverKeepsItsMemoryWhileMessagesCome) {
  SteadyPair pair({});
  const auto trickle = [&] {
    for (int second = 0; second < 100; ++second) {
      pair.Transfer(65536, 65536);
      pair.Wait(1s);
    }
  };
  trickle();
  const uint64_t before = CountAllocations().count;
  trickle();
  EXPECT_EQ(CountAllocations().count - before, 0u);
  EXPECT_GT(pair.z().pool().kept_octets(), 0u);
}

}  // namespace
}  // namespace jsp::sctp
