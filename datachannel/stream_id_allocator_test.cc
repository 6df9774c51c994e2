#include "datachannel/stream_id_allocator.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "base/rng.h"
namespace jsp::datachannel {
namespace {

using sctp::StreamId;

void ResetBoth(StreamIdAllocator& ids, StreamId id) {
  ids.RequestOutgoingReset(id);
  ids.MarkReset(id, Direction::kOutgoing);
  ids.MarkReset(id, Direction::kIncoming);
}

TEST(StreamIdAllocatorTest, GivesTheClientEvenAndTheServerOddIds) {  // RFC 8832 §6
  StreamIdAllocator client;
  client.SetRole(DtlsRole::kClient, 65535);
  StreamIdAllocator server;
  server.SetRole(DtlsRole::kServer, 65535);
  for (uint16_t i = 0; i < 10; ++i) {
    EXPECT_EQ(client.Allocate(), StreamId(static_cast<uint16_t>(2 * i)));
    EXPECT_EQ(server.Allocate(), StreamId(static_cast<uint16_t>(2 * i + 1)));
  }
  EXPECT_TRUE(client.HasPeerParity(StreamId(1)));
  EXPECT_FALSE(client.HasPeerParity(StreamId(2)));
  EXPECT_TRUE(server.HasPeerParity(StreamId(2)));
  EXPECT_FALSE(server.HasPeerParity(StreamId(1)));
}

TEST(StreamIdAllocatorTest, AllocatesNothingBeforeTheRoleIsKnown) {
  StreamIdAllocator ids;
  EXPECT_FALSE(ids.Allocate().has_value());
  EXPECT_FALSE(ids.HasPeerParity(StreamId(0)));
  EXPECT_FALSE(ids.HasPeerParity(StreamId(1)));
}

TEST(StreamIdAllocatorTest, NeverGives65535AndStopsAtTheNegotiatedStreams) {  // RFC 8831 §6.2
  StreamIdAllocator all;
  all.SetRole(DtlsRole::kServer, 65535);
  size_t given = 0;
  while (auto id = all.Allocate()) {
    EXPECT_LT(id->value, 65535);
    ++given;
  }
  EXPECT_EQ(given, 32767u);
  EXPECT_FALSE(all.Take(StreamId(65535)));

  StreamIdAllocator few;
  few.SetRole(DtlsRole::kClient, 3);
  EXPECT_EQ(few.Allocate(), StreamId(0));
  EXPECT_EQ(few.Allocate(), StreamId(2));
  EXPECT_FALSE(few.Allocate().has_value());
  EXPECT_FALSE(few.Take(StreamId(3)));
  EXPECT_FALSE(few.Exists(StreamId(3)));
}

TEST(StreamIdAllocatorTest, SkipsIdsThatWereTakenBeforeTheRoleWasKnown) {
  StreamIdAllocator ids;
  EXPECT_TRUE(ids.Take(StreamId(0)));
  EXPECT_TRUE(ids.Take(StreamId(4)));
  EXPECT_FALSE(ids.Take(StreamId(4)));
  ids.SetRole(DtlsRole::kClient, 100);
  EXPECT_EQ(ids.Allocate(), StreamId(2));
  EXPECT_EQ(ids.Allocate(), StreamId(6));
}

TEST(StreamIdAllocatorTest, P29_FreesAnIdOnlyWhenBothDirectionsAreReset) {  // RFC 8831 §6.7
  for (bool incoming_first : {true, false}) {
    StreamIdAllocator ids;
    ids.SetRole(DtlsRole::kClient, 100);
    const StreamId id = *ids.Allocate();
    EXPECT_TRUE(ids.RequestOutgoingReset(id));
    const auto first = incoming_first ? Direction::kIncoming : Direction::kOutgoing;
    const auto second = incoming_first ? Direction::kOutgoing : Direction::kIncoming;
    EXPECT_FALSE(ids.MarkReset(id, first));
    EXPECT_TRUE(ids.IsInUse(id));
    EXPECT_FALSE(ids.Take(id));
    EXPECT_EQ(ids.IsAwaitingOutgoingReset(id), incoming_first);
    EXPECT_TRUE(ids.MarkReset(id, second));
    EXPECT_FALSE(ids.IsInUse(id));
    EXPECT_EQ(ids.Allocate(), id);
    EXPECT_FALSE(ids.IsIncomingReset(id)) << "the new use begins afresh";
  }
}

TEST(StreamIdAllocatorTest, IgnoresAnOutgoingResetThatWasNotRequested) {
  StreamIdAllocator ids;
  ids.SetRole(DtlsRole::kClient, 100);
  const StreamId id = *ids.Allocate();
  EXPECT_FALSE(ids.MarkReset(id, Direction::kOutgoing));
  EXPECT_FALSE(ids.MarkReset(id, Direction::kIncoming));
  EXPECT_TRUE(ids.IsInUse(id));
}

TEST(StreamIdAllocatorTest, AsksForAResetOnce) {
  StreamIdAllocator ids;
  ids.SetRole(DtlsRole::kClient, 100);
  const StreamId id = *ids.Allocate();
  EXPECT_FALSE(ids.IsOutgoingResetPending(id));
  EXPECT_TRUE(ids.RequestOutgoingReset(id));
  EXPECT_TRUE(ids.IsOutgoingResetPending(id));
  EXPECT_FALSE(ids.RequestOutgoingReset(id));
  EXPECT_FALSE(ids.RequestOutgoingReset(StreamId(50))) << "not in use";
}

TEST(StreamIdAllocatorTest, KeepsARetiredIdForEver) {
  StreamIdAllocator ids;
  ids.SetRole(DtlsRole::kClient, 100);
  const StreamId id = *ids.Allocate();
  ids.RequestOutgoingReset(id);
  ids.Retire(id);
  EXPECT_FALSE(ids.IsOutgoingResetPending(id));
  EXPECT_FALSE(ids.MarkReset(id, Direction::kIncoming));
  EXPECT_FALSE(ids.MarkReset(id, Direction::kOutgoing));
  EXPECT_FALSE(ids.IsAwaitingOutgoingReset(id));
  EXPECT_TRUE(ids.IsInUse(id));
  EXPECT_NE(ids.Allocate(), id);
}

TEST(StreamIdAllocatorTest, GivesTheSmallestFreedIdFirst) {
  StreamIdAllocator ids;
  ids.SetRole(DtlsRole::kServer, 100);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(ids.Allocate().has_value());
  ResetBoth(ids, StreamId(7));
  ResetBoth(ids, StreamId(3));
  EXPECT_TRUE(ids.Take(StreamId(7))) << "negotiated in between";
  EXPECT_EQ(ids.Allocate(), StreamId(3));
  EXPECT_EQ(ids.Allocate(), StreamId(11));
}

TEST(StreamIdAllocatorTest, ReleasesAnUnusedIdAtOnceAndForgetsAllOnClear) {
  StreamIdAllocator ids;
  ids.SetRole(DtlsRole::kClient, 100);
  const StreamId id = *ids.Allocate();
  ids.ReleaseUnused(id);
  EXPECT_FALSE(ids.IsInUse(id));
  EXPECT_EQ(ids.Allocate(), id);
  ids.Clear();
  EXPECT_EQ(ids.size(), 0u);
  EXPECT_FALSE(ids.Allocate().has_value());
}

TEST(StreamIdAllocatorTest, NeverGivesAnIdTwiceUnderRandomCommands) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng = Rng::FromNumber(seed);
    StreamIdAllocator ids;
    ids.SetRole(seed % 2 == 0 ? DtlsRole::kClient : DtlsRole::kServer, 64);
    std::set<uint16_t> in_use;
    for (int step = 0; step < 2000; ++step) {
      if (rng.Below(2) == 0) {
        if (auto id = ids.Allocate()) {
          ASSERT_TRUE(in_use.insert(id->value).second);
        }
      } else if (rng.Below(3) == 0) {
        const StreamId id(static_cast<uint16_t>(rng.Below(70)));
        ASSERT_EQ(ids.Take(id), id.value < 64 && !in_use.contains(id.value));
        if (id.value < 64) in_use.insert(id.value);
      } else if (!in_use.empty()) {
        const auto victim = std::next(in_use.begin(), static_cast<long>(rng.Below(in_use.size())));
        ResetBoth(ids, StreamId(*victim));
        in_use.erase(victim);
      }
      ASSERT_EQ(ids.size(), in_use.size());
    }
  }
}

TEST(StreamIdAllocatorTest, HasMoreIdentifiersOnceStreamsWereAdded) {  // RFC 6525 §5.1.5
  StreamIdAllocator ids;
  ids.SetRole(DtlsRole::kClient, 2);
  EXPECT_EQ(ids.Allocate(), StreamId(0));
  EXPECT_FALSE(ids.Allocate());
  EXPECT_FALSE(ids.Take(StreamId(3)));
  ids.AddStreams(4);
  EXPECT_TRUE(ids.Take(StreamId(3)));
  EXPECT_EQ(ids.Allocate(), StreamId(2));
  EXPECT_FALSE(ids.Allocate());
  EXPECT_TRUE(ids.IsInUse(StreamId(0)));
}

}  // namespace
}  // namespace jsp::datachannel
