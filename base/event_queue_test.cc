#include "base/event_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <variant>

namespace jsp {
namespace {

TEST(EventQueueTest, GivesEventsBackInOrderAcrossGrowth) {
  EventQueue<int> queue;
  EXPECT_TRUE(queue.empty());
  int next = 0;
  for (int i = 0; i < 1000; ++i) {
    queue.Push(i);
    if (i % 3 == 0) {
      EXPECT_EQ(queue.Pop(), next++);  // keeps the ring rotated while it grows
    }
  }
  EXPECT_EQ(queue.size(), static_cast<size_t>(1000 - next));
  while (auto event = queue.Pop()) EXPECT_EQ(*event, next++);
  EXPECT_EQ(next, 1000);
  EXPECT_TRUE(queue.empty());
}

TEST(EventQueueTest, ReturnsNothingWhenEmpty) {
  EventQueue<std::string> queue;
  EXPECT_EQ(queue.Pop(), std::nullopt);
  queue.Push("once");
  EXPECT_EQ(queue.Pop(), "once");
  EXPECT_EQ(queue.Pop(), std::nullopt);
}

TEST(EventQueueTest, HoldsMoveOnlyVariants) {
  EventQueue<std::variant<int, std::unique_ptr<int>>> queue;
  queue.Push(std::make_unique<int>(7));
  queue.Push(8);
  auto first = queue.Pop();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(*std::get<std::unique_ptr<int>>(*first), 7);
  EXPECT_EQ(std::get<int>(queue.Pop().value()), 8);
}

TEST(EventQueueTest, DropsNothingWhenDestroyedFull) {
  auto alive = std::make_shared<int>(1);
  {
    EventQueue<std::shared_ptr<int>> queue;
    for (int i = 0; i < 20; ++i) queue.Push(alive);
    queue.Pop();
    EXPECT_EQ(alive.use_count(), 20);
  }
  EXPECT_EQ(alive.use_count(), 1);
}

}  // namespace
}  // namespace jsp
