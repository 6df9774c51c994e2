#include "bench/natlab/merge.h"

#include <gtest/gtest.h>

#include <string>

#include "bench/natlab/matrix.h"

namespace jsp::natlab {
namespace {

using netsim::NatType;

MatrixOptions NineCells() {
  MatrixOptions options;
  options.types = {NatType::kSymmetric, NatType::kPublic, NatType::kPort};
  options.families = {IpAddress::Family::kV4, IpAddress::Family::kV6};
  options.seed = 5;
  return options;
}

Report RunShard(size_t index, size_t count) {
  MatrixOptions options = NineCells();
  options.shard = {index, count};
  return RunMatrix(options);
}

TEST(MergeTest, ShardsTogetherAreTheWholeToTheOctet) {
  const std::string whole = ToJson(RunMatrix(NineCells()));
  for (const size_t count : {1u, 4u, 18u, 25u}) {
    std::vector<Report> parts;
    for (size_t i = count; i-- > 0;) parts.push_back(RunShard(i, count));
    const auto merged = Merge(parts);
    ASSERT_TRUE(merged) << merged.error();
    EXPECT_EQ(ToJson(*merged), whole) << count;
  }
}

TEST(MergeTest, NamesTheCellThatIsThereTwice) {
  const auto merged = Merge({RunShard(0, 18), RunShard(1, 18), RunShard(0, 18)});
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error(), "two reports have the cell sym - sym over ipv4");
}

TEST(MergeTest, RefusesWhatDoesNotGoTogether) {
  const Report one = RunShard(0, 18);
  Report other = RunShard(1, 18);
  other.seed = 6;
  EXPECT_EQ(Merge({one, other}).error(), "the seeds '5' and '6' do not go together");
  other = one;
  other.engine = "netns";
  EXPECT_EQ(Merge({one, other}).error(), "the engines 'sim' and 'netns' do not go together");
  other = one;
  other.ways = "--prediction";
  EXPECT_EQ(Merge({one, other}).error(), "the options '' and '--prediction' do not go together");
  EXPECT_FALSE(Merge({}));
}

TEST(MergeTest, WeighsMixesAnew) {
  MatrixOptions options;
  options.types = {NatType::kPort,      NatType::kFullCone, NatType::kAddress,
                   NatType::kSymmetric, NatType::kFirewall, NatType::kUdpBlocked};
  std::vector<Report> parts;
  for (size_t i = 0; i < 2; ++i) {
    options.shard = {i, 2};
    parts.push_back(RunMatrix(options));
    EXPECT_TRUE(parts.back().mixes.empty());
  }
  const auto merged = Merge(parts);
  ASSERT_TRUE(merged) << merged.error();
  EXPECT_EQ(merged->mixes.size(), 3u);
  EXPECT_NEAR(merged->mixes[0].direct + merged->mixes[0].relay + merged->mixes[0].none, 1, 1e-9);
}

}  // namespace
}  // namespace jsp::natlab
