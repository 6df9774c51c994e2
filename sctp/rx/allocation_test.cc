// What the receiver allocates in steady state.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <new>
#include <vector>

#include "sctp/packet/chunk/data.h"
#include "sctp/packet/packet_builder.h"
#include "sctp/packet/sctp_packet.h"
#include "sctp/rx/data_tracker.h"
#include "sctp/rx/reassembly_queue.h"
#include "sctp/rx/rx_test_support.h"

namespace {
uint64_t allocations = 0;
}  // namespace

// Not inlined, as GCC would take new and free for a mismatch.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace jsp::sctp {
namespace {

class AllocationTest : public testing::Test {
 protected:
  static constexpr size_t kPacketSize = 1191;
  static constexpr size_t kPayload = 1160;

  // Receives one packet of one fragment, as Association does.
  void Receive(UnwrappedTsn tsn, bool beginning, bool end) {
    DataChunk data;
    data.tsn = tsn.Wrap();
    data.ppid = Ppid(53);
    data.ssn = Ssn(ssn_);
    data.beginning = beginning;
    data.end = end;
    data.payload = std::span(payload_);
    PacketBuilder builder(buffer_, {5000, 5000, VerificationTag(1)});
    ASSERT_TRUE(builder.Add(data));
    const auto packet = PacketView::Parse(std::span(buffer_).first(builder.Finish()), ChecksumPolicy::kRequireCrc32c);
    ASSERT_TRUE(packet);
    for (const ChunkView& view : packet->chunks) {
      const auto chunk = DataChunk::Parse(view);
      ASSERT_TRUE(chunk);
      const UnwrappedTsn at = tracker_.Unwrap(chunk->tsn);
      ASSERT_NE(tracker_.Classify(at), Arrival::kDuplicate);
      ASSERT_EQ(queue_.Add(at, *chunk), ReassemblyQueue::AddResult::kAccepted);
      tracker_.Observe(at);
    }
    if (tracker_.HandlePacketEnd() == SackDecision::kNow) {
      (void)tracker_.MakeSack(1000, kPacketSize);
      tracker_.HandleSackSent();
    }
    if (end) ++ssn_;
  }
  void ReceiveMessage(int fragments) {
    for (int i = 0; i < fragments; ++i) Receive(TsnAt(next_++), i == 0, i == fragments - 1);
    const auto message = queue_.PopMessage();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->payload.size(), kPayload * static_cast<size_t>(fragments));
  }

  std::array<uint8_t, kPacketSize> buffer_{};
  std::array<uint8_t, kPayload> payload_{};
  DataTracker tracker_{kInitialTsn};
  ReassemblyQueue queue_{ReassemblyQueue::Limits{}};
  int64_t next_ = 0;
  uint16_t ssn_ = 0;
};

TEST_F(AllocationTest, AMessageOfOnePacketAllocatesNothing) {
  ReceiveMessage(1);
  const uint64_t before = allocations;
  for (int i = 0; i < 100; ++i) ReceiveMessage(1);
  EXPECT_EQ(allocations - before, 0u);
}

TEST_F(AllocationTest, AMessageOfManyPacketsAllocatesNothing) {
  ReceiveMessage(220);
  const uint64_t before = allocations;
  for (int i = 0; i < 20; ++i) ReceiveMessage(220);
  EXPECT_EQ(allocations - before, 0u);
}

TEST_F(AllocationTest, PacketsBehindALossAllocateOnlyWhereTheirPayloadGrows) {
  ReceiveMessage(100);
  ReceiveMessage(100);
  const uint64_t before = allocations;
  // Of every message the tenth fragment comes last.
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 100; ++i) {
      if (i != 10) Receive(TsnAt(next_ + i), i == 0, i == 99);
      if (i == 99) --ssn_;
    }
    Receive(TsnAt(next_ + 10), false, false);
    ++ssn_;
    next_ += 100;
    ASSERT_TRUE(queue_.PopMessage());
  }
  // Per message of 100 packets: a run behind the loss and its pieces, each twice as large as the one before.
  EXPECT_LT(allocations - before, 10u * 25);
}

TEST_F(AllocationTest, AnIdleReceiverHoldsNothing) {
  const BufferPool pool;
  const uint64_t before = allocations;
  DataTracker tracker(kInitialTsn);
  ReassemblyQueue queue(ReassemblyQueue::Limits{}, pool);
  EXPECT_EQ(allocations - before, 0u);
  EXPECT_EQ(queue.buffered_bytes(), 0u);
  EXPECT_FALSE(tracker.has_unacknowledged());
}

}  // namespace
}  // namespace jsp::sctp
