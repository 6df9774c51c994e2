// Cells that are won by chance: how often they may be lost, and that more than that is blamed.
#include "bench/natlab/chance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "bench/natlab/matrix.h"

namespace jsp::natlab {
namespace {

using netsim::NatType;

// An engine whose first so many runs of a cell miss: they end with `missed`.
struct Luck {
  size_t misses = 0;
  Outcome missed = Outcome::kRelay;
  Outcome usual = Outcome::kDirect;  // of the others
  mutable size_t runs = 0;
};

Engine EngineOf(const Luck& luck) {
  return {"luck",
          [](const void* context, const CellOptions&) {
            const auto& given = *static_cast<const Luck*>(context);
            RunResult result;
            result.outcome = given.runs++ < given.misses ? given.missed : given.usual;
            return result;
          },
          &luck};
}

CellReport RunWith(const Luck& luck, size_t runs, NatType a = NatType::kSymmetric, NatType b = NatType::kPortRandom) {
  MatrixOptions options;
  options.types = {a, b};
  options.runs = runs;
  options.network.hard = HardNats::kCrossed;
  options.engine = EngineOf(luck);
  return RunPlan(options, {a, b, IpAddress::Family::kV4});
}

TEST(ChanceTest, MissesAsTheBirthdayProblemSays) {
  // (1 - n / 64512)^256, where 57 of 2048 probes may be early, as (29 + 256) / 5 says.
  EXPECT_NEAR(MissChance({}), std::pow(1 - (2048 - 57) / 64512.0, 256), 1e-9);
  EXPECT_GT(MissChance({}), 2.6e-4);  // all of them
  EXPECT_LT(MissChance({}), 4e-4);
}

TEST(ChanceTest, MissesMoreOftenWhereLinksLoseProbes) {
  Network network;
  network.a_access.emplace().loss = netsim::UniformLoss{0.1};
  network.b_access.emplace().loss = netsim::UniformLoss{0.5};
  EXPECT_NEAR(MissChance(network), std::pow(1 - (2048 - 56.2) * 0.9 * 0.5 / 64512, 256), 1e-9);
}

// P(more than `most` of `runs` miss), run by run.
double TailOf(size_t runs, double chance, size_t most) {
  std::vector<double> of_misses(runs + 1);
  of_misses[0] = 1;
  for (size_t run = 0; run < runs; ++run) {
    for (size_t k = run + 1; k > 0; --k) of_misses[k] = of_misses[k] * (1 - chance) + of_misses[k - 1] * chance;
    of_misses[0] *= 1 - chance;
  }
  double tail = 0;
  for (size_t k = runs; k > most; --k) tail += of_misses[k];
  return tail;
}

TEST(ChanceTest, BlamesLessThanOnceInAMillion) {
  for (const double chance : {1e-5, 3.5e-4, 0.02, 0.5}) {
    for (const size_t runs : {1u, 5u, 20u, 300u}) {
      const size_t most = MostMisses(runs, chance);
      EXPECT_LT(TailOf(runs, chance, most), kBlame) << runs << " runs of " << chance;
      if (most == 0) continue;
      EXPECT_GE(TailOf(runs, chance, most - 1), kBlame) << runs << " runs of " << chance;
    }
  }
}

TEST(ChanceTest, TakesNothingForLuckThatCannotBe) {
  EXPECT_EQ(MostMisses(20, 0), 0u);
  EXPECT_EQ(MostMisses(20, 1), 20u);
  EXPECT_EQ(MostMisses(1, 1e-7), 0u);
  EXPECT_EQ(MostMisses(100000, 3.5e-4), MostMisses(100000, 3.5e-4));
  EXPECT_NEAR(static_cast<double>(MostMisses(100000, 3.5e-4)), 35 + 4.9 * std::sqrt(35), 6);  // 1e-6 is 4.75 sigma
}

TEST(ChanceTest, WhatMayBeBadLuckIsNoMismatchAndWhatIsMoreIs) {
  const size_t most = MostMisses(20, MissChance({}));
  ASSERT_EQ(most, 2u);
  for (size_t misses = 0; misses <= 20; ++misses) {
    const CellReport cell = RunWith({.misses = misses}, 20);
    EXPECT_EQ(cell.expected, Outcome::kDirect);
    EXPECT_TRUE(cell.won);
    EXPECT_NEAR(cell.miss_chance.value_or(0), MissChance({}), 1e-12);
    EXPECT_EQ(cell.relayed, misses);
    EXPECT_EQ(cell.mismatches, misses > most ? misses : 0) << misses;
    if (misses <= most) continue;
    EXPECT_NE(cell.why.find("at most 2 of 20"), std::string::npos) << cell.why;
  }
}

// Also while one side has left its relay and the other is yet to hear of that.
TEST(ChanceTest, TheStackIsNotBlamed) {
  MatrixOptions options;
  options.runs = 20;
  options.network.hard = HardNats::kCrossed;
  for (const NatType easy : {NatType::kPort, NatType::kPortRandom}) {
    const CellReport cell = RunPlan(options, {NatType::kSymmetric, easy, IpAddress::Family::kV4});
    EXPECT_EQ(cell.mismatches, 0u) << cell.why;
    EXPECT_GE(cell.direct, 19u);
  }
}

TEST(ChanceTest, AReportKeepsTheChance) {
  const auto cell = ParseCell(ToJson(RunWith({}, 1)));
  ASSERT_TRUE(cell) << cell.error();
  ASSERT_TRUE(cell->miss_chance);
  EXPECT_NEAR(*cell->miss_chance, MissChance({}), 1e-9);
  EXPECT_EQ(ParseCell(ToJson(RunWith({}, 1, NatType::kPort, NatType::kPort)))->miss_chance, std::nullopt);
}

TEST(ChanceTest, OnlyTheRelayThatThereWouldBeElseIsBadLuck) {
  EXPECT_EQ(RunWith({.misses = 1, .missed = Outcome::kNone}, 20).mismatches, 1u);
}

TEST(ChanceTest, WhatIsPredictedOrDirectAnywayIsNotLeftToChance) {
  EXPECT_EQ(RunWith({.misses = 1}, 20, NatType::kSymmetricSequential, NatType::kPort).mismatches, 1u);
  EXPECT_EQ(RunWith({.misses = 1}, 20, NatType::kPort, NatType::kPort).mismatches, 1u);
  EXPECT_EQ(RunWith({.misses = 1}, 20, NatType::kPortReject, NatType::kPort).mismatches, 1u);  // fresh sockets
  EXPECT_EQ(RunWith({}, 20, NatType::kPort, NatType::kPort).miss_chance, std::nullopt);
}

// Where b's early check takes a's mapping away, unless a link loses it: of 20 runs over links that lose one in a
// hundred, at most so many.
TEST(ChanceTest, ALostEarlyCheckIsLuckAndMoreThanLinksLoseIsAMismatch) {
  Luck luck{.missed = Outcome::kDirect, .usual = Outcome::kRelay};
  MatrixOptions options;
  options.runs = 20;
  options.network.a_access.emplace().loss = netsim::UniformLoss{0.01};
  options.engine = EngineOf(luck);
  const CellPlan early{NatType::kPortReject, NatType::kPort, IpAddress::Family::kV4};
  const size_t most = MostMisses(20, 0.01);
  ASSERT_EQ(most, 5u);
  for (luck.misses = 0; luck.misses <= 20; ++luck.misses) {
    luck.runs = 0;
    const CellReport cell = RunPlan(options, early);
    EXPECT_EQ(cell.expected, Outcome::kRelay);
    EXPECT_EQ(cell.mismatches, luck.misses > most ? luck.misses : 0);
  }
  luck = {.misses = 1, .missed = Outcome::kDirect, .usual = Outcome::kRelay};
  EXPECT_EQ(RunPlan(options, {NatType::kSymmetric, NatType::kPort, IpAddress::Family::kV4}).mismatches, 1u);
  luck.runs = 0;
  options.network.a_access->loss = netsim::UniformLoss{};
  EXPECT_EQ(RunPlan(options, early).mismatches, 1u);
}

// Signalling is as slow as both links get: whatever they are, b's early check is there first.
TEST(ChanceTest, WhoFiresFirstDoesNotDependOnTheLinks) {
  using std::chrono::milliseconds;
  MatrixOptions options;
  options.runs = 10;
  for (const bool a_is_slow : {false, true}) {
    netsim::LinkOptions quick{.delay = milliseconds(5), .jitter = milliseconds(2), .bytes_per_second = 6'000'000};
    netsim::LinkOptions slow{.delay = milliseconds(60), .jitter = milliseconds(30), .bytes_per_second = 32'000};
    slow.loss = netsim::UniformLoss{0.02};
    options.network.a_access = a_is_slow ? slow : quick;
    options.network.b_access = a_is_slow ? quick : slow;
    for (const NatType b : {NatType::kPort, NatType::kPortReject, NatType::kPortRandom, NatType::kSymmetric}) {
      const CellReport cell = RunPlan(options, {NatType::kPortReject, b, IpAddress::Family::kV4});
      EXPECT_EQ(cell.mismatches, 0u) << netsim::ToString(b) << ": " << cell.why;
      EXPECT_GE(cell.relayed, 8u) << netsim::ToString(b);
    }
  }
}

}  // namespace
}  // namespace jsp::natlab
