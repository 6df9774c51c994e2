// RetransmissionQueue over paths that lose, reorder and delay.
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
  explicit Sender(uint32_t a_rwnd = kWindow, const Options& options = {})
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

TEST(LossyPathTest, SendsTheInitialWindowAtOnce) {
  Sender sender;
  sender.Queue(0, 50);
  EXPECT_EQ(sender.Poll(0).size(), 10u);
  EXPECT_EQ(sender.flight(), kInitialCwnd);
  EXPECT_EQ(sender.metrics().chunks_sent, 10u);
  EXPECT_EQ(sender.metrics().outstanding_bytes, 10 * kFull);
}

TEST(LossyPathTest, C7_AProbeThatWasTakenOpensTheWay) {
  Sender sender(0);
  sender.Queue(0, 3);
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  sender.Poll(500);
  sender.Receive(600, Sack(0, {}, kWindow));
  EXPECT_EQ(sender.PollTsns(600), (Tsns{1, 2}));
}

// "Zero window probing does not affect the calculation of cwnd", nor the count of errors, while the peer answers.
TEST(LossyPathTest, AnAnsweredProbeIsRepeatedWithoutPenalty) {
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

TEST(LossyPathTest, ASpuriousExpiryEndsWhenTheAckOfAllArrives) {
  Sender sender;
  sender.Queue(0, 10);
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  sender.Poll(500);
  sender.Receive(510, Sack(9));
  EXPECT_TRUE(sender->is_idle());
  EXPECT_EQ(sender.PollTsns(510), Tsns{});
}

TEST(LossyPathTest, AForwardTsnWaitsForRoom) {
  Sender sender;
  sender.Queue(0, 1, 10, Retransmits(0));
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  EXPECT_FALSE(sender->TakeForwardTsn(At(500), ForwardTsnChunk::kHeaderSize + ForwardTsnChunk::kItemSize - 1));
  EXPECT_TRUE(sender->TakeForwardTsn(At(500), ForwardTsnChunk::kHeaderSize + ForwardTsnChunk::kItemSize));
}

// What waits to be sent again may expire before its turn; the peer hears of it at once and not at the next T3.
TEST(LossyPathTest, ALifetimeThatEndsBeforeARetransmissionIsForwardedAtOnce) {
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
TEST(LossyPathTest, AllThatIsLostMayExpireAndTheTimerGoesOn) {
  Sender sender;
  sender.Queue(0, 3, kFull, Lifetime(505));
  sender.Poll(0);
  sender->HandleTimeout(At(500));
  EXPECT_EQ(sender.PollTsns(510), Tsns{});
  EXPECT_TRUE(sender->TakeForwardTsn(At(510), 1000));
  EXPECT_NE(sender->NextTimeout(), Timestamp::Never());
}

TEST(LossyPathTest, C5_ASackForAnUnsentTsnChangesNothing) {
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

TEST(LossyPathTest, C19_DeliversEverythingOverALossyPathAcrossTheWrap) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    LossyTransfer(seed).Run();
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace jsp::sctp
