#include "transport/memory_share.h"

#include <gtest/gtest.h>
namespace jsp::transport {
namespace {

struct Pot {
  size_t left = 0;
  size_t asked = 0;
  MemorySource source() {
    return {.owner = std::shared_ptr<void>(std::shared_ptr<void>(), this),
            .take =
                [](void* owner, size_t octets) {
                  auto& pot = *static_cast<Pot*>(owner);
                  ++pot.asked;
                  if (octets > pot.left) return false;
                  pot.left -= octets;
                  return true;
                },
            .give = [](void* owner, size_t octets) { static_cast<Pot*>(owner)->left += octets; }};
  }
};

TEST(MemoryShareTest, TakesInStepsAndGivesBackWhatIsMuchTooMuch) {
  constexpr size_t kPot = 4 * 1024 * 1024;
  Pot pot{kPot};
  const MemorySource source = pot.source();
  {
    MemoryShare share(source);
    EXPECT_TRUE(share.is_limited());
    for (size_t octets = 0; octets <= 10 * MemoryShare::kStep; octets += 100) ASSERT_TRUE(share.Cover(octets));
    EXPECT_EQ(pot.asked, 10u);
    EXPECT_EQ(pot.left, kPot - share.held());
    ASSERT_TRUE(share.Cover(1024 * 1024));
    ASSERT_TRUE(share.Cover(1024 * 1024 - MemoryShare::kSlack));
    EXPECT_EQ(share.held(), 1024u * 1024) << "a connection in use keeps a little";
    ASSERT_TRUE(share.Cover(1));
    EXPECT_EQ(share.held(), MemoryShare::kStep);
  }
  EXPECT_EQ(pot.left, kPot);
}

TEST(MemoryShareTest, GivesAllBackThatAConnectionAtRestDoesNotNeed) {
  constexpr size_t kPot = 1024 * 1024;
  Pot pot{kPot};
  const MemorySource source = pot.source();
  MemoryShare share(source);
  ASSERT_TRUE(share.Cover(6 * MemoryShare::kStep));
  share.Settle(MemoryShare::kStep - 1);
  EXPECT_EQ(share.held(), MemoryShare::kStep);
  EXPECT_EQ(pot.left, kPot - MemoryShare::kStep);
  share.Settle(3 * MemoryShare::kStep);
  EXPECT_EQ(share.held(), MemoryShare::kStep) << "it takes nothing";
}

TEST(MemoryShareTest, KeepsWhatItHasWhenThereIsNoMore) {
  Pot pot{3 * MemoryShare::kStep};
  const MemorySource source = pot.source();
  MemoryShare share(source);
  ASSERT_TRUE(share.Cover(2 * MemoryShare::kStep));
  EXPECT_FALSE(share.Cover(4 * MemoryShare::kStep));
  EXPECT_EQ(share.held(), 2 * MemoryShare::kStep);
  EXPECT_TRUE(share.Cover(3 * MemoryShare::kStep));
  EXPECT_EQ(pot.left, 0u);
}

TEST(MemoryShareTest, WithoutASourceThereIsNoLimit) {
  const MemorySource none;
  MemoryShare share(none);
  EXPECT_FALSE(share.is_limited());
  EXPECT_TRUE(share.Cover(size_t{1} << 60));
  EXPECT_EQ(share.held(), 0u);
}

}  // namespace
}  // namespace jsp::transport
