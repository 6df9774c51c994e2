#include "turn/transaction_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
const SocketAddress kLocal = *SocketAddress::Parse("10.0.0.2:40000");
const SocketAddress kPeer = *SocketAddress::Parse("198.51.100.5:7000");

class TransactionTableTest : public ::testing::Test {
 protected:
  Transaction& Send(RequestKind kind) {
    Transaction& t = table_.Start(kind, kPeer, 0, kLocal);
    table_.HandleSent(now_, t);
    return t;
  }
  Timestamp now_ = Timestamp::FromEpoch(100s);
  Rng rng_ = Rng::FromNumber(3);
  TransactionTable table_{stun::RetransmitOptions{}, rng_};
};

TEST_F(TransactionTableTest, RequestsLeaveInTheOrderOfTheirStart) {
  table_.Start(RequestKind::kChannelBind, kPeer, 0x4000, kLocal);
  table_.Start(RequestKind::kRefresh, {}, 0, kLocal);
  Transaction* first = table_.NextToSend();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->kind, RequestKind::kChannelBind);
  EXPECT_EQ(first->number, 0x4000u);
  table_.HandleSent(now_, *first);
  EXPECT_EQ(table_.NextToSend()->kind, RequestKind::kRefresh);
  table_.HandleSent(now_, *table_.NextToSend());
  EXPECT_EQ(table_.NextToSend(), nullptr);
}

TEST_F(TransactionTableTest, AnAnswerToWhatWasNotSentMatchesNothing) {
  Transaction& t = table_.Start(RequestKind::kRefresh, {}, 0, kLocal);
  EXPECT_EQ(table_.FindSent(t.id), nullptr);
  table_.HandleSent(now_, t);
  EXPECT_EQ(table_.FindSent(t.id), &t);
  EXPECT_EQ(table_.FindSent({}), nullptr);
}

TEST_F(TransactionTableTest, RetransmitsOnScheduleAndGivesUp) {  // RFC 8489 §6.2.1
  Send(RequestKind::kCreatePermission);
  std::vector<Duration> sent_at;
  std::optional<Transaction> expired;
  const Timestamp start = now_;
  while (!expired) {
    now_ = table_.NextTimeout();
    ASSERT_NE(now_, Timestamp::Never());
    expired = table_.PopTimedOut(now_);
    if (Transaction* t = table_.NextToSend()) {
      sent_at.push_back(now_ - start);
      table_.HandleSent(now_, *t);
    }
  }
  EXPECT_EQ(sent_at, (std::vector<Duration>{500ms, 1500ms, 3500ms, 7500ms, 15500ms, 31500ms}));
  EXPECT_EQ(now_ - start, Duration(39500ms));
  EXPECT_EQ(expired->peer, kPeer);
  EXPECT_EQ(table_.size(), 0u);
  EXPECT_EQ(table_.NextTimeout(), Timestamp::Never());
}

TEST_F(TransactionTableTest, ARenewedRequestIsAnotherTransaction) {  // RFC 8489 §9.2.5
  Transaction& t = Send(RequestKind::kAllocate);
  t.bad_integrity = true;
  const stun::TransactionId old = t.id;
  table_.Renew(t);
  EXPECT_NE(t.id, old);
  EXPECT_FALSE(t.bad_integrity);
  EXPECT_TRUE(t.to_send);
  EXPECT_EQ(t.schedule.sent(), 0u);
  EXPECT_EQ(table_.FindSent(old), nullptr);
}

TEST_F(TransactionTableTest, FindsByKindAndPeer) {
  Send(RequestKind::kChannelBind);
  EXPECT_NE(table_.Find(RequestKind::kChannelBind, kPeer), nullptr);
  EXPECT_EQ(table_.Find(RequestKind::kChannelBind, kLocal), nullptr);
  EXPECT_EQ(table_.Find(RequestKind::kConnect, kPeer), nullptr);
  EXPECT_TRUE(table_.Has(RequestKind::kChannelBind));
  EXPECT_FALSE(table_.Has(RequestKind::kMove));
  table_.Remove(stun::TransactionId(table_.Find(RequestKind::kChannelBind, kPeer)->id));
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(TransactionTableTest, X5_IdsNeverRepeat) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const auto& octets = table_.Start(RequestKind::kRefresh, {}, 0, kLocal).id.octets;
    ids.emplace(octets.begin(), octets.end());
  }
  EXPECT_EQ(ids.size(), 1000u);
  table_.Clear();
  EXPECT_EQ(table_.size(), 0u);
}

}  // namespace
}  // namespace jsp::turn
