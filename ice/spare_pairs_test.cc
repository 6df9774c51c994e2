#include "ice/spare_pairs.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

class SparePairsTest : public testing::Test {
 protected:
  void SetUp() override {
    pairing_.KeepPairing();
    for (const char* local : {"10.0.0.1:1", "10.0.1.1:1", "10.0.2.1:1"}) {
      ASSERT_TRUE(pairing_.AddLocal(Host(local)));
    }
    for (const char* remote : {"192.0.2.1:9", "192.0.2.2:9"}) ASSERT_TRUE(pairing_.AddRemote(Host(remote)));
    pairing_.Start(Role::kControlling);
    pairing_.checklist().ForEach(
        [&](CandidatePair& pair) { (void)pairing_.SetValid(pair, pair.addresses.local, 1ms, At(0s)); });
    ASSERT_EQ(pairing_.checklist().size(), 6u);
    Get("10.0.0.1:1", "192.0.2.1:9").is_selected = true;
  }
  static AddressPair Path(const char* local, const char* remote) { return {Address(local), Address(remote)}; }
  CandidatePair& Get(const char* local, const char* remote) { return *pairing_.checklist().Find(Path(local, remote)); }
  std::vector<AddressPair> Restored(Timestamp now) {
    std::vector<AddressPair> restored;
    spares_.Restore(now, [&](CandidatePair& pair) { restored.push_back(pair.addresses); });
    return restored;
  }

  static constexpr SparePairs::Use kContent{true, 1};
  Metrics metrics_;
  Options options_;
  Pairing pairing_{options_, metrics_};
  SparePairs spares_{options_, pairing_};
};

TEST_F(SparePairsTest, CountsFromTheMomentThatTheSessionIsContent) {
  EXPECT_FALSE(spares_.MaybeDrop(At(0s), {}));
  EXPECT_EQ(spares_.NextTimeout(), Timestamp::Never());
  EXPECT_FALSE(spares_.MaybeDrop(At(5s), kContent));
  EXPECT_EQ(spares_.NextTimeout(), At(35s));
  EXPECT_FALSE(spares_.MaybeDrop(At(34s), kContent));
  EXPECT_TRUE(spares_.MaybeDrop(At(35s), kContent));
  EXPECT_EQ(pairing_.checklist().size(), 1u);
  EXPECT_EQ(spares_.NextTimeout(), Timestamp::Never());
  EXPECT_FALSE(spares_.MaybeDrop(At(100s), kContent)) << "told once";
}

TEST_F(SparePairsTest, BeginsAnewWhenAnotherPairIsSelectedOrTheSessionWasNot) {
  EXPECT_FALSE(spares_.MaybeDrop(At(0s), kContent));
  EXPECT_FALSE(spares_.MaybeDrop(At(20s), {true, 2}));
  EXPECT_EQ(spares_.NextTimeout(), At(50s));
  EXPECT_FALSE(spares_.MaybeDrop(At(40s), {false, 2}));
  EXPECT_EQ(spares_.NextTimeout(), Timestamp::Never());
  EXPECT_FALSE(spares_.MaybeDrop(At(41s), {true, 2}));
  EXPECT_TRUE(spares_.MaybeDrop(At(71s), {true, 2}));
  EXPECT_FALSE(spares_.MaybeDrop(At(72s), {false, 2}));
  EXPECT_FALSE(spares_.MaybeDrop(At(73s), {true, 2}));
  EXPECT_TRUE(spares_.MaybeDrop(At(103s), {true, 2})) << "the owner may have begun anew meanwhile";
}

TEST_F(SparePairsTest, KeepsWhatIsUsedForThirtySecondsMore) {
  Get("10.0.1.1:1", "192.0.2.1:9").checks.heard_at = At(10s);
  Get("10.0.1.1:1", "192.0.2.2:9").checks.last_at = At(20s);
  Get("10.0.2.1:1", "192.0.2.1:9").nominate_on_success = true;
  EXPECT_FALSE(spares_.MaybeDrop(At(0s), kContent));
  EXPECT_TRUE(spares_.MaybeDrop(At(30s), kContent));
  EXPECT_EQ(pairing_.checklist().size(), 4u);
  EXPECT_EQ(spares_.NextTimeout(), At(40s));
  EXPECT_TRUE(spares_.MaybeDrop(At(40s), kContent));
  EXPECT_EQ(pairing_.checklist().size(), 3u);
  Get("10.0.2.1:1", "192.0.2.1:9").nominate_on_success = false;
  EXPECT_TRUE(spares_.MaybeDrop(At(50s), kContent));
  EXPECT_EQ(pairing_.checklist().size(), 1u);
}

TEST_F(SparePairsTest, LeavesWhatIsBeingChecked) {
  CandidatePair& pair = Get("10.0.1.1:1", "192.0.2.1:9");
  pairing_.checklist().Fail(pair);
  pairing_.checklist().SetState(pair, PairState::kInProgress);
  EXPECT_FALSE(spares_.MaybeDrop(At(0s), kContent));
  EXPECT_TRUE(spares_.MaybeDrop(At(30s), kContent));
  EXPECT_EQ(pairing_.checklist().size(), 2u);
  EXPECT_EQ(spares_.NextTimeout(), At(60s)) << "looked at again, not all the time";
  EXPECT_TRUE(pairing_.checklist().IsConsistent());
}

TEST_F(SparePairsTest, MakesThemAgainTheBestFirst) {
  (void)spares_.MaybeDrop(At(0s), kContent);
  ASSERT_TRUE(spares_.MaybeDrop(At(30s), kContent));
  EXPECT_EQ(spares_.size(), 5u);
  const auto restored = Restored(At(90s));
  ASSERT_EQ(restored.size(), 5u);
  EXPECT_EQ(restored[0], Path("10.0.0.1:1", "192.0.2.2:9"));
  EXPECT_EQ(pairing_.checklist().size(), 6u);
  EXPECT_FALSE(Get("10.0.2.1:1", "192.0.2.2:9").valid) << "nothing is known of it any more";
  EXPECT_TRUE(Restored(At(91s)).empty());
  EXPECT_FALSE(spares_.MaybeDrop(At(91s), kContent));
  EXPECT_EQ(spares_.NextTimeout(), At(121s)) << "and they are given up again when they are not used";
}

TEST_F(SparePairsTest, ForgetsThoseOfAnInterfaceThatIsGone) {
  (void)spares_.MaybeDrop(At(0s), kContent);
  ASSERT_TRUE(spares_.MaybeDrop(At(30s), kContent));
  for (const uint16_t removed : pairing_.RemoveBase(Address("10.0.1.1:1"))) spares_.HandleRemoved(removed);
  const auto restored = Restored(At(60s));
  ASSERT_EQ(restored.size(), 3u);
  for (const AddressPair& path : restored) EXPECT_NE(path.local, Address("10.0.1.1:1"));
  EXPECT_NE(pairing_.checklist().Find(Path("10.0.2.1:1", "192.0.2.1:9")), nullptr);
}

TEST_F(SparePairsTest, RemembersNothingWhereTheSessionCannotMove) {
  Pairing fixed(options_, metrics_);
  SparePairs spares(options_, fixed);
  ASSERT_TRUE(fixed.AddLocal(Host("10.0.0.1:1")));
  ASSERT_TRUE(fixed.AddRemote(Host("192.0.2.1:9")));
  fixed.Start(Role::kControlling);
  fixed.checklist().ForEach(
      [&](CandidatePair& pair) { (void)fixed.SetValid(pair, pair.addresses.local, 1ms, At(0s)); });
  (void)spares.MaybeDrop(At(0s), kContent);
  EXPECT_TRUE(spares.MaybeDrop(At(30s), kContent));
  EXPECT_EQ(fixed.checklist().size(), 0u);
  EXPECT_EQ(spares.size(), 0u);
}

// A peer that shows itself at ever new addresses, as one behind a NAT that forgets does.
TEST_F(SparePairsTest, HoldsNoMoreThanAChecklistHoweverLongThePeerMoves) {
  Timestamp now = At(0s);
  (void)spares_.MaybeDrop(now, kContent);
  for (int i = 0; i < 1000; ++i) {
    const std::string from = "198.51.100.7:" + std::to_string(10000 + i);
    const auto made = pairing_.FindOrAdd({Address("10.0.0.1:1"), Address(from)}, 1);
    ASSERT_NE(made.pair, nullptr) << i;
    made.pair->checks.heard_at = now;
    (void)pairing_.SetValid(*made.pair, Address("10.0.0.1:1"), 1ms, now);
    now = now + 31s;
    (void)spares_.MaybeDrop(now, kContent);
    ASSERT_LE(pairing_.checklist().size(), 2u);
    ASSERT_LE(spares_.size(), options_.max_pairs);
    ASSERT_LE(pairing_.remote().size(), options_.max_remote_candidates);
  }
  EXPECT_EQ(spares_.size(), options_.max_pairs);
  EXPECT_LE(Restored(now).size(), options_.max_pairs - 1);
  EXPECT_TRUE(pairing_.checklist().IsConsistent());
  EXPECT_NE(pairing_.checklist().Find(Path("10.0.0.1:1", "192.0.2.1:9")), nullptr) << "the selected one";
}

}  // namespace
}  // namespace jsp::ice
