#include "bench/natlab/mixes.h"

#include <gtest/gtest.h>

#include "bench/natlab/matrix.h"
#include "bench/natlab/oracle.h"

namespace jsp::natlab {
namespace {

// What the oracle alone says, without running anything.
Report Ideal(RelayService relay) {
  Report report;
  for (const auto a : netsim::AllNatTypes()) {
    for (const auto b : netsim::AllNatTypes()) {
      CellReport cell;
      cell.a = a;
      cell.b = b;
      cell.expected = ExpectedOutcome(a, b, relay);
      cell.direct = cell.expected == Outcome::kDirect;
      cell.relayed = cell.expected == Outcome::kRelay;
      cell.none = cell.expected == Outcome::kNone;
      report.cells.push_back(cell);
    }
  }
  return report;
}

const Mix& Named(std::string_view name) {
  for (const Mix& mix : BuiltInMixes()) {
    if (mix.name == name) return mix;
  }
  ADD_FAILURE() << name;
  return BuiltInMixes().front();
}

TEST(MixesTest, TheBuiltInOnesGiveTheTotalsThatTheyWereCalibratedTo) {
  const auto home = Weigh(Named("home"), Ideal(RelayService::kPresent));
  ASSERT_TRUE(home);
  EXPECT_NEAR(home->direct, 0.77, 0.02) << "callstats.io: 78 %";
  EXPECT_EQ(home->none, 0);
  EXPECT_NEAR(Weigh(Named("mobile"), Ideal(RelayService::kPresent))->direct, 0.50, 0.02);
  EXPECT_NEAR(Weigh(Named("home"), Ideal(RelayService::kNone))->none, 0.23, 0.02);
}

TEST(MixesTest, EveryBuiltInOneNamesItsSourcesAndAddsUp) {
  EXPECT_EQ(BuiltInMixes().size(), 3u);
  for (const Mix& mix : BuiltInMixes()) {
    EXPECT_FALSE(mix.sources.empty()) << mix.name;
    const auto weighed = Weigh(mix, Ideal(RelayService::kPresent));
    EXPECT_NEAR(weighed->direct + weighed->relay + weighed->none, 1, 0.001) << mix.name;
  }
}

TEST(MixesTest, AReportThatLacksACellCannotBeWeighed) {
  Report report = Ideal(RelayService::kPresent);
  report.cells.pop_back();
  EXPECT_TRUE(Weigh(Named("enterprise"), Report{}) == std::nullopt);
  const Mix blocked{.name = "blocked", .about = {}, .sources = {}, .weights = {{netsim::NatType::kUdpBlocked, 1.0}}};
  EXPECT_TRUE(Weigh(blocked, report) == std::nullopt);
}

TEST(MixesTest, SayWhatIsWrongWithAFile) {
  const auto error = [](std::string_view weights) {
    const auto mixes =
        ParseMixes(R"({"version":1,"mixes":{"mine":{"sources":["me"],"weights":)" + std::string(weights) + "}}}");
    return mixes ? std::string() : mixes.error();
  };
  EXPECT_EQ(error(R"({"port":1})"), "");
  EXPECT_EQ(error(R"({"cone":1})"), "mix 'mine': unknown NAT type 'cone'; it is one of " + netsim::NatTypeNames());
  EXPECT_EQ(error(R"({"port":0.5})"), "mix 'mine': its weights add up to 0.500000, not to 1");
  EXPECT_EQ(error(R"({"port":1.5,"sym":-0.5})"), "mix 'mine': the weight of 'sym' is negative");
  EXPECT_EQ(error(R"({"port":"1"})"), "mix 'mine': not a number");
  EXPECT_EQ(ParseMixes("{\n\"version\": 1,\n").error(), "line 3: incomplete JSON");
  for (const char* text : {R"({"version":2,"mixes":{}})", R"({"version":"1"})", R"({"mixes":{}})"}) {
    EXPECT_EQ(ParseMixes(text).error(), "key 'version' has to be there; this program reads version 1");
  }
  EXPECT_EQ(ParseMixes(R"({"version":1})").error(), "key 'mixes' is missing");
  EXPECT_EQ(ParseMixes(R"({"version":1,"mixes":{"mine":{}}})").error(), "mix 'mine': key 'sources' is missing");
}

}  // namespace
}  // namespace jsp::natlab
