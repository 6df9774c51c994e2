#include "turn/allocation.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "stun/message_builder.h"
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
using stun::AttributeType;
using stun::MessageBuilder;
const SocketAddress kRelayedV4 = *SocketAddress::Parse("192.0.2.1:50000");
const SocketAddress kRelayedV6 = *SocketAddress::Parse("[2001:db8::1]:50001");
const SocketAddress kMapped = *SocketAddress::Parse("203.0.113.9:1234");

class AllocateResultTest : public ::testing::Test {
 protected:
  AllocateResultTest() { options_.server = *SocketAddress::Parse("192.0.2.1:3478"); }
  Expected<AllocateResult, AllocateResultError> Parse(const std::function<void(MessageBuilder&)>& compose) {
    MessageBuilder b(octets_, {stun::Method::kAllocate, stun::MessageClass::kSuccessResponse}, {{1, 2, 3}});
    compose(b);
    return ParseAllocateResult(*stun::MessageView::Parse(b.Finish()), options_);
  }
  static void AddRest(MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorMappedAddress, kMapped);
    Add(b, Lifetime{600});
  }

  ClientOptions options_;
  std::array<uint8_t, 800> octets_;
};

TEST_F(AllocateResultTest, ReadsOneAddressOfEachFamily) {  // RFC 8656 §7.2, §7.3
  options_.families = RelayFamilies::kBoth;
  const auto result = Parse([](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorRelayedAddress, kRelayedV4);
    b.AddAddress(AttributeType::kXorRelayedAddress, kRelayedV6);
    b.AddAddress(AttributeType::kXorRelayedAddress, {kRelayedV4.ip, 1});  // one too many: the first counts
    AddRest(b);
    Add(b, ReservationToken{{1, 2, 3}});
    Add(b, MobilityTicket{std::array<uint8_t, 2>{5, 6}});
  });
  ASSERT_TRUE(result);
  EXPECT_EQ(result->relayed_v4, kRelayedV4);
  EXPECT_EQ(result->relayed_v6, kRelayedV6);
  EXPECT_EQ(result->mapped, kMapped);
  EXPECT_EQ(result->lifetime_seconds, 600u);
  EXPECT_EQ(result->reservation->octets[2], 3);
  EXPECT_EQ(result->ticket.size(), 2u);
  EXPECT_EQ(result->missing_family_code, 0);
}

TEST_F(AllocateResultTest, TheFamilyMustHaveBeenAskedFor) {  // RFC 8656 §7.3
  const auto of = [&](RelayFamilies families, const SocketAddress& relayed) {
    options_.families = families;
    return Parse([&](MessageBuilder& b) {
             b.AddAddress(AttributeType::kXorRelayedAddress, relayed);
             AddRest(b);
           })
        .has_value();
  };
  EXPECT_TRUE(of(RelayFamilies::kDefault, kRelayedV4));
  EXPECT_FALSE(of(RelayFamilies::kDefault, kRelayedV6));
  EXPECT_TRUE(of(RelayFamilies::kV4, kRelayedV4));
  EXPECT_TRUE(of(RelayFamilies::kV6, kRelayedV6));
  EXPECT_FALSE(of(RelayFamilies::kV6, kRelayedV4));
  EXPECT_TRUE(of(RelayFamilies::kBoth, kRelayedV6));
}

TEST_F(AllocateResultTest, AReservedAddressHasWhateverFamilyItHas) {  // RFC 8656 §7.1
  options_.reservation.emplace();
  EXPECT_TRUE(Parse([](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorRelayedAddress, kRelayedV6);
    AddRest(b);
  }));
}

TEST_F(AllocateResultTest, T11_LoopbackIsForServersOnLoopback) {
  const auto loopback = [&] {
    return Parse([](MessageBuilder& b) {
             b.AddAddress(AttributeType::kXorRelayedAddress, *SocketAddress::Parse("127.0.0.1:50000"));
             AddRest(b);
           })
        .has_value();
  };
  EXPECT_FALSE(loopback());
  options_.server = *SocketAddress::Parse("127.0.0.1:3478");
  EXPECT_TRUE(loopback());
}

TEST_F(AllocateResultTest, S2_ABrokenAddressIsMalformed) {
  const std::array<uint8_t, 5> broken{0, 1, 2, 3, 4};
  const auto result = Parse([&](MessageBuilder& b) {
    b.Add(AttributeType::kXorRelayedAddress, broken);
    AddRest(b);
  });
  EXPECT_EQ(result.error(), AllocateResultError::kMalformed);
}

class AllocationTest : public ::testing::Test {
 protected:
  Timestamp now_ = Timestamp::FromEpoch(100s);
  AllocateResult result_{.relayed_v4 = kRelayedV4,
                         .relayed_v6 = std::nullopt,
                         .mapped = kMapped,
                         .lifetime_seconds = 600,
                         .reservation = std::nullopt,
                         .missing_family_code = 0,
                         .ticket = {}};
};

TEST_F(AllocationTest, IsRefreshedAMinuteAhead) {  // RFC 8656 §8
  Allocation allocation(now_, result_);
  EXPECT_EQ(allocation.NextTimeout(), now_ + 540s);
  EXPECT_FALSE(allocation.PopRefreshDue(now_ + 539s));
  EXPECT_TRUE(allocation.PopRefreshDue(now_ + 540s));
  EXPECT_FALSE(allocation.PopRefreshDue(now_ + 541s));
  EXPECT_EQ(allocation.NextTimeout(), now_ + 600s);
  EXPECT_FALSE(allocation.IsExpired(now_ + 599s));
  EXPECT_TRUE(allocation.IsExpired(now_ + 600s));
}

TEST_F(AllocationTest, AFailedRefreshIsTriedAgain) {
  Allocation allocation(now_, result_);
  EXPECT_TRUE(allocation.PopRefreshDue(now_ + 540s));
  allocation.HandleRefreshFailed(now_ + 580s);
  EXPECT_TRUE(allocation.PopRefreshDue(now_ + 580s));
}

TEST_F(AllocationTest, AShortLifetimeIsRefreshedAtHalf) {  // the row TURN-8656-8-01: of 120 s, before 110
  result_.lifetime_seconds = 120;
  EXPECT_EQ(Allocation(now_, result_).NextTimeout(), now_ + 60s);
  result_.lifetime_seconds = 30;
  EXPECT_EQ(Allocation(now_, result_).NextTimeout(), now_ + 15s);
}

TEST_F(AllocationTest, T11_LifetimesAreClamped) {
  result_.lifetime_seconds = 1;
  EXPECT_EQ(Allocation(now_, result_).NextTimeout(), now_ + 5s);
  result_.lifetime_seconds = 0xffffffff;
  EXPECT_EQ(Allocation(now_, result_).NextTimeout(), now_ + 59min);
  Allocation allocation(now_, result_);
  allocation.HandleRefreshed(now_, 0);
  EXPECT_EQ(allocation.NextTimeout(), now_ + 5s);
}

TEST_F(AllocationTest, KnowsItsFamilies) {
  const Allocation allocation(now_, result_);
  EXPECT_TRUE(allocation.HasFamily(kRelayedV4.ip));
  EXPECT_FALSE(allocation.HasFamily(kRelayedV6.ip));
}

}  // namespace
}  // namespace jsp::turn
