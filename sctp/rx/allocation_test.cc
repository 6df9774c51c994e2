// What the receiver allocates in steady state.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "sctp/packet/chunk/data.h"
#include "sctp/packet/packet_builder.h"
#include "sctp/packet/sctp_packet.h"
#include "sctp/rx/data_tracker.h"
#include "sctp/rx/interleaved_streams.h"
#include "sctp/rx/reassembly_queue.h"
#include "sctp/rx/rx_test_support.h"
#include "test/support/allocations.h"

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
  const uint64_t before = CountAllocations().count;
  for (int i = 0; i < 100; ++i) ReceiveMessage(1);
  EXPECT_EQ(CountAllocations().count - before, 0u);
}

TEST_F(AllocationTest, AMessageOfManyPacketsAllocatesNothing) {
  ReceiveMessage(220);
  const uint64_t before = CountAllocations().count;
  for (int i = 0; i < 20; ++i) ReceiveMessage(220);
  EXPECT_EQ(CountAllocations().count - before, 0u);
}

TEST_F(AllocationTest, PacketsBehindALossAllocateNothing) {
  // Of every message the tenth fragment comes last.
  const auto receive = [&] {
    for (int i = 0; i < 100; ++i) {
      if (i != 10) Receive(TsnAt(next_ + i), i == 0, i == 99);
      if (i == 99) --ssn_;
    }
    Receive(TsnAt(next_ + 10), false, false);
    ++ssn_;
    next_ += 100;
    ASSERT_TRUE(queue_.PopMessage());
  };
  for (int round = 0; round < 2; ++round) receive();
  const uint64_t before = CountAllocations().count;
  for (int round = 0; round < 10; ++round) receive();
  EXPECT_EQ(CountAllocations().count - before, 0u);
}

TEST_F(AllocationTest, MessagesBehindALostOneAllocateNothing) {
  const auto receive = [&] {
    for (int i = 1; i < 50; ++i) {
      ++ssn_;
      Receive(TsnAt(next_ + i), true, true);
      --ssn_;
    }
    ssn_ = static_cast<uint16_t>(ssn_ - 49);
    Receive(TsnAt(next_), true, true);
    ssn_ = static_cast<uint16_t>(ssn_ + 49);
    next_ += 50;
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(queue_.PopMessage());
  };
  for (int round = 0; round < 2; ++round) receive();
  const uint64_t before = CountAllocations().count;
  for (int round = 0; round < 10; ++round) receive();
  EXPECT_EQ(CountAllocations().count - before, 0u);
}

// Four messages of I-DATA at a time, a fragment of each in turn; the third of each comes last.
TEST_F(AllocationTest, InterleavedMessagesAllocateNothing) {
  InterleavedStreams streams{BufferPool()};
  uint32_t mid = 0;
  const auto add = [&](uint16_t stream, uint32_t fsn) {
    DataChunk data;
    data.stream = StreamId(stream);
    data.mid = Mid(mid);
    data.fsn = fsn;
    data.unordered = stream % 2 == 1;
    data.beginning = fsn == 0;
    data.end = fsn == 55;
    data.payload = std::span(payload_);
    ASSERT_EQ(streams.Add(data, 0), InterleavedStreams::Result::kAccepted);
  };
  const auto receive = [&] {
    for (uint32_t fsn = 0; fsn < 56; ++fsn) {
      for (uint16_t stream = 0; stream < 4 && fsn != 2; ++stream) add(stream, fsn);
    }
    for (uint16_t stream = 0; stream < 4; ++stream) {
      add(stream, 2);
      const auto message = streams.Pop();
      ASSERT_TRUE(message);
      ASSERT_EQ(message->payload.size(), 56 * kPayload);
    }
    ++mid;
  };
  for (int round = 0; round < 2; ++round) receive();
  const uint64_t before = CountAllocations().count;
  for (int round = 0; round < 10; ++round) receive();
  EXPECT_EQ(CountAllocations().count - before, 0u);
}

// RFC 8260 §2.3.1: what waited behind a skipped message is put into its order.
TEST_F(AllocationTest, SkippingInterleavedMessagesAllocatesNothing) {
  InterleavedStreams streams{BufferPool()};
  uint32_t mid = 0;
  const auto skip = [&] {
    DataChunk data;
    data.beginning = true;
    data.payload = std::span(payload_);
    for (uint32_t i = 0; i < 10; ++i) {
      data.mid = Mid(mid + i);
      data.end = i % 2 == 1;
      ASSERT_EQ(streams.Add(data, 0), InterleavedStreams::Result::kAccepted);
    }
    mid += 10;
    streams.Skip(StreamId(0), InterleavedStreams::Order::kOrdered, Mid(mid - 1));
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(streams.Pop());
    ASSERT_TRUE(streams.empty());
  };
  for (int round = 0; round < 2; ++round) skip();
  const uint64_t before = CountAllocations().count;
  for (int round = 0; round < 10; ++round) skip();
  EXPECT_EQ(CountAllocations().count - before, 0u);
}

// Of the two framings that it knows it holds the machinery of one.
TEST_F(AllocationTest, AnIdleReceiverHoldsWhatItsFramingNeedsAndNothingElse) {
  const BufferPool pool;
  for (const Framing framing : {Framing::kData, Framing::kIData}) {
    const Allocations before = CountAllocations();
    DataTracker tracker(kInitialTsn);
    ReassemblyQueue queue(ReassemblyQueue::Limits{.framing = framing}, pool);
    EXPECT_EQ(CountAllocations().count - before.count, 1u);
    EXPECT_LE(sizeof(queue) + CountAllocations().octets - before.octets, 608u);
    EXPECT_EQ(queue.buffered_bytes(), 0u);
    EXPECT_FALSE(tracker.has_unacknowledged());
  }
}

}  // namespace
}  // namespace jsp::sctp
