#include "sctp/tx/message_pool.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/rng.h"
namespace jsp::sctp {
namespace {

OutgoingMessage Sized(size_t octets, uint8_t fill = 0) {
  OutgoingMessage message;
  message.message.payload.assign(octets, fill);
  return message;
}

TEST(MessagePoolTest, BeginsEmpty) {
  const MessagePool pool;
  EXPECT_EQ(pool.size(), 0u);
  EXPECT_EQ(pool.octets(), 0u);
}

TEST(MessagePoolTest, KeepsEachMessageUnderItsHandle) {
  MessagePool pool;
  const MessageHandle a = pool.Add(Sized(3, 'a'));
  const MessageHandle b = pool.Add(Sized(5, 'b'));
  EXPECT_NE(a, b);
  EXPECT_EQ(pool[a].message.payload, std::vector<uint8_t>(3, 'a'));
  EXPECT_EQ(pool[b].message.payload, std::vector<uint8_t>(5, 'b'));
  EXPECT_EQ(std::as_const(pool)[b].size(), 5u);
  EXPECT_EQ(pool.size(), 2u);
  EXPECT_EQ(pool.octets(), 8u);
}

TEST(MessagePoolTest, MovesThePayloadAndDoesNotCopyIt) {
  MessagePool pool;
  OutgoingMessage message = Sized(100);
  const uint8_t* const octets = message.message.payload.data();
  const MessageHandle handle = pool.Add(std::move(message));
  EXPECT_EQ(pool[handle].message.payload.data(), octets);
  // The slab grows; what it holds stays where it is.
  for (int i = 0; i < 1000; ++i) pool.Add(Sized(1));
  EXPECT_EQ(pool[handle].message.payload.data(), octets);
}

TEST(MessagePoolTest, ReleasingGivesThePayloadBack) {
  MessagePool pool;
  const MessageHandle handle = pool.Add(Sized(100));
  pool.Add(Sized(1));
  pool.Release(handle);
  EXPECT_EQ(pool.size(), 1u);
  EXPECT_EQ(pool.octets(), 1u);
  EXPECT_EQ(pool[handle].message.payload.capacity(), 0u);
}

TEST(MessagePoolTest, ReusesTheSlotThatWasReleasedLast) {
  MessagePool pool;
  const MessageHandle a = pool.Add(Sized(1));
  const MessageHandle b = pool.Add(Sized(1));
  pool.Add(Sized(1));
  pool.Release(a);
  pool.Release(b);
  EXPECT_EQ(pool.Add(Sized(2)), b);
  EXPECT_EQ(pool.Add(Sized(3)), a);
  EXPECT_EQ(pool.octets(), 6u);
}

// Nothing of the message that had the slot before may be seen in the next one.
TEST(MessagePoolTest, AReusedSlotBeginsAnew) {
  MessagePool pool;
  const MessageHandle handle = pool.Add(Sized(10));
  OutgoingMessage& message = pool[handle];
  message.abandoned = true;
  message.fragmented = 10;
  message.fragments = 2;
  message.unacknowledged = 1;
  pool.Release(handle);
  ASSERT_EQ(pool.Add(Sized(10)), handle);
  EXPECT_FALSE(pool[handle].abandoned);
  EXPECT_EQ(pool[handle].fragmented, 0u);
  EXPECT_EQ(pool[handle].fragments, 0u);
  EXPECT_EQ(pool[handle].unacknowledged, 0u);
  EXPECT_EQ(pool[handle].next, kNoMessage);
  EXPECT_FALSE(pool[handle].IsFragmentedWhole());
}

// A steady state needs no slot beyond those of its largest moment.
TEST(MessagePoolTest, HandlesStayWithinTheLargestNumberHeldAtOnce) {
  MessagePool pool;
  std::vector<MessageHandle> held;
  for (int i = 0; i < 50; ++i) held.push_back(pool.Add(Sized(1)));
  for (size_t round = 0; round < 1000; ++round) {
    pool.Release(held[round % 50]);
    held[round % 50] = pool.Add(Sized(2));
    EXPECT_LT(held[round % 50].value, 50u);
  }
}

TEST(MessagePoolTest, BeginsAnewWhenTrimmedAfterAPeakHasDrained) {
  MessagePool pool;
  std::vector<MessageHandle> held;
  for (int i = 0; i < 5000; ++i) held.push_back(pool.Add(Sized(7)));
  EXPECT_EQ(pool.octets(), 35000u);
  for (const MessageHandle handle : held) {
    pool.Trim();  // nothing, while there are messages
    pool.Release(handle);
  }
  EXPECT_EQ(pool.size(), 0u);
  EXPECT_EQ(pool.octets(), 0u);
  EXPECT_LT(pool.Add(Sized(1)).value, 5000u);
  EXPECT_NE(pool.Add(Sized(1)), MessageHandle(1));
  pool.Release(MessageHandle(4999));
  pool.Release(MessageHandle(4998));
  pool.Trim();
  // The slab was given back, with its free list: handles count from the beginning again.
  EXPECT_EQ(pool.Add(Sized(1)), MessageHandle(0));
  EXPECT_EQ(pool.Add(Sized(1)), MessageHandle(1));
}

TEST(MessagePoolTest, AMessageIsWholeWhenAllIsInFragmentsOrNothingMoreWillBe) {
  OutgoingMessage message = Sized(10);
  EXPECT_FALSE(message.IsFragmentedWhole());
  message.fragmented = 9;
  EXPECT_FALSE(message.IsFragmentedWhole());
  message.abandoned = true;
  EXPECT_TRUE(message.IsFragmentedWhole());
  message.abandoned = false;
  message.fragmented = 10;
  EXPECT_TRUE(message.IsFragmentedWhole());
}

TEST(MessagePoolTest, AgreesWithAMapUnderRandomCommands) {
  Rng rng = Rng::FromNumber(5);
  MessagePool pool;
  std::map<uint32_t, std::pair<size_t, uint8_t>> held;
  size_t octets = 0;
  for (int step = 0; step < 30000; ++step) {
    // Grows for a while, then drains; the slab is given back whenever it is empty.
    const bool adds = rng.Below(100) < ((step / 3000) % 2 == 0 ? 65u : 35u);
    if (adds || held.empty()) {
      const auto size = static_cast<size_t>(1 + rng.Below(20));
      const auto fill = rng.Random<uint8_t>();
      const MessageHandle handle = pool.Add(Sized(size, fill));
      ASSERT_TRUE(held.emplace(handle.value, std::pair(size, fill)).second);
      octets += size;
    } else {
      auto it = held.lower_bound(static_cast<uint32_t>(rng.Below(2000)));
      if (it == held.end()) it = held.begin();
      const auto& [size, fill] = it->second;
      ASSERT_EQ(pool[MessageHandle(it->first)].message.payload, std::vector<uint8_t>(size, fill));
      octets -= size;
      pool.Release(MessageHandle(it->first));
      held.erase(it);
      pool.Trim();
    }
    ASSERT_EQ(pool.size(), held.size());
    ASSERT_EQ(pool.octets(), octets);
  }
}

}  // namespace
}  // namespace jsp::sctp
