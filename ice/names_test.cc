// Every enumerator that people read has a name of its own.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "ice/candidate_pair.h"
#include "ice/events.h"
#include "ice/metrics.h"
namespace jsp::ice {
namespace {

template <class Enum>
size_t CountNames(Enum last) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(last); ++i) names.insert(ToString(static_cast<Enum>(i)));
  names.erase("unknown");
  return names.size();
}

TEST(NamesTest, NamesEveryStateReasonAndDrop) {
  EXPECT_EQ(CountNames(State::kClosed), 7u);
  EXPECT_EQ(CountNames(StateReason::kRestartUnanswered), 16u);
  EXPECT_EQ(CountNames(DropReason::kFiltered), static_cast<size_t>(DropReason::kCount));
  EXPECT_EQ(CountNames(PairState::kFailed), static_cast<size_t>(PairState::kCount));
}

TEST(NamesTest, NamesPairStatesAsTheRfcDoes) {  // RFC 8445 §6.1.2.6
  EXPECT_STREQ(ToString(PairState::kFrozen), "frozen");
  EXPECT_STREQ(ToString(PairState::kWaiting), "waiting");
  EXPECT_STREQ(ToString(PairState::kInProgress), "in-progress");
  EXPECT_STREQ(ToString(PairState::kSucceeded), "succeeded");
  EXPECT_STREQ(ToString(PairState::kFailed), "failed");
}

}  // namespace
}  // namespace jsp::ice
