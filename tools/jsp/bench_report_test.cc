#include "tools/jsp/bench_report.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <vector>

#include "tools/jsp/bench_allocations.h"
#include "tools/jsp/bench_polls.h"

namespace jsp::tool {
namespace {

TEST(BenchReportTest, CrossesTheLinkUnchanged) {
  const BenchReport sent{{.seconds = 1.5, .allocations = 7, .messages = 3}, {1, 2, 1'000'000'000'000}};
  const BenchReport received = DecodeReport(EncodeReport(sent));
  EXPECT_EQ(received.seconds, 1.5);
  EXPECT_EQ(received.allocations, 7u);
  EXPECT_EQ(received.messages, 3u);
  EXPECT_EQ(received.octets, sent.octets);
}

TEST(BenchReportTest, ATruncatedOneIsEmpty) {
  const std::string body = EncodeReport({{.messages = 3}, {}});
  EXPECT_EQ(DecodeReport(std::string_view(body).substr(1)).messages, 0u);
}

TEST(BenchReportTest, JainIndexIsOneForEqualsAndAnNthForAMonopoly) {
  EXPECT_DOUBLE_EQ(JainIndex({5, 5, 5, 5}), 1);
  EXPECT_DOUBLE_EQ(JainIndex({0, 0, 0, 9}), 0.25);
  EXPECT_DOUBLE_EQ(JainIndex({}), 0);
}

TEST(BenchReportTest, QuantilesAreValuesOfTheSample) {
  std::vector<double> values;
  for (int i = 0; i < 200; ++i) values.push_back(i);
  EXPECT_EQ(Quantile(values, 0.5), 100);
  EXPECT_EQ(Quantile(values, 0.99), 198);
  EXPECT_EQ(Quantile({}, 0.5), 0);
}

TEST(BenchReportTest, CountsAllocationsAndHeapOfTheProcess) {
  BenchCounters before, after;
  MeasureProcess(before);
  const auto block = std::make_unique<std::vector<char>>(100'000);
  MeasureProcess(after);
  EXPECT_EQ(after.allocations - before.allocations, 2u) << block->size();
  EXPECT_GE(after.heap_bytes - before.heap_bytes, 100'000u);
  EXPECT_GT(after.rss_bytes, 0u);
  EXPECT_GE(after.cpu_seconds, before.cpu_seconds);
}

TEST(BenchReportTest, CountsHowOftenTheKernelIsAskedWhatIsReady) {
  boost::asio::io_context io;
  boost::asio::post(io, [] {});
  const uint64_t before = CountedPolls();
  io.run();
  const uint64_t once = CountedPolls();
  EXPECT_GE(once, before);
  boost::asio::steady_timer timer(io, std::chrono::milliseconds(1));
  timer.async_wait([](boost::system::error_code) {});
  io.restart();
  io.run();
  EXPECT_GT(CountedPolls(), once);
}

TEST(BenchReportTest, LeavesOutWhatTheBenchmarkTakesForItself) {
  BenchCounters before, after;
  MeasureProcess(before);
  {
    const UncountedAllocations outer;
    { const UncountedAllocations inner; }
    const auto not_counted = std::make_unique<int>(1);
    EXPECT_EQ(*not_counted, 1);
  }
  const auto block = std::make_unique<int>(2);
  MeasureProcess(after);
  EXPECT_EQ(after.allocations - before.allocations, 1u) << *block;
}

}  // namespace
}  // namespace jsp::tool
