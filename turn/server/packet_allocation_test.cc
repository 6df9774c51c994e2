// No allocation per packet in the steady state, and at most 2 KiB of memory for an allocation: this binary counts every
// operator new.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "test/support/allocations.h"
#include "turn/server/testing/test_server.h"

namespace jsp::turn {
namespace {

const SocketAddress kPeer = *SocketAddress::Parse("198.51.100.5:7000");
const SocketAddress kOther = *SocketAddress::Parse("198.51.100.6:7000");

TEST(PacketAllocationTest, TheServerRelaysWithoutAllocating) {
  TestServer s;
  TestClient client(s, "203.0.113.9:4000");
  client.Allocate();
  ASSERT_EQ(client.Bind({0x4000}, "198.51.100.5:7000"), 0);
  ASSERT_EQ(client.Permit("198.51.100.6:1"), 0);
  std::vector<uint8_t> train(20 * 104);
  for (size_t i = 0; i < 20; ++i) WriteChannelDataHeader({0x4000}, 100, std::span(train).subspan(i * 104).first<4>());
  const std::vector<uint8_t> from_peer(20 * 100);
  std::vector<uint8_t> send(200);
  const auto indication = stun::MessageBuilder(send, {stun::Method::kSend, stun::MessageClass::kIndication}, {})
                              .AddAddress(stun::AttributeType::kXorPeerAddress, kOther)
                              .Add(stun::AttributeType::kData, std::span(from_peer).first(100))
                              .Finish();
  const auto binding = client.Build(stun::Method::kRefresh);
  std::array<Segment, 64> segments;
  std::array<uint8_t, Server::kMaxResponse> out;
  const RelayHandle relay = s.HandleOf(client.relayed);
  size_t relayed = 0;
  size_t answered = 0;
  const auto burst = [&] {
    for (int i = 0; i < 50; ++i) {
      relayed += s.server.HandleFromClient(s.now, client.path, {train, 104}, segments).segments;
      relayed += s.server.HandleFromClient(s.now, client.path, {indication, 0}, segments).segments;
      relayed += s.server.HandleFromPeer(s.now, relay, kPeer, {from_peer, 100}, segments).segments;
      relayed += s.server.HandleFromPeer(s.now, relay, kOther, {from_peer, 100}, segments).segments;
    }
  };
  burst();
  const size_t before = CountAllocations().count;
  burst();
  EXPECT_EQ(CountAllocations().count, before);
  EXPECT_EQ(relayed, 2u * 50 * 61);
  // Nor do requests that change nothing in size: a refresh.
  s.server.HandleFromClient(s.now, client.path, {binding, 0}, segments);
  answered += s.server.PollTransmit(s.now, out).has_value();
  const size_t before_refresh = CountAllocations().count;
  s.server.HandleFromClient(s.now, client.path, {binding, 0}, segments);
  answered += s.server.PollTransmit(s.now, out).has_value();
  EXPECT_EQ(CountAllocations().count, before_refresh);
  EXPECT_EQ(answered, 2u);
}

TEST(PacketAllocationTest, AnAllocationCostsAtMostTwoKibibytes) {
  constexpr size_t kCount = 2000;
  auto s = std::make_unique<TestServer>();
  const auto allocate = [&](size_t i) {
    const std::string address = IpAddress::V4(static_cast<uint32_t>(0x0b000000 + i)).ToString() + ":4000";
    TestClient client(*s, address);
    const bool good = client.Allocate().code() == 0 && client.Bind({0x4000}, "198.51.100.5:7000") == 0 &&
                      client.Permit("198.51.100.6:1") == 0;
    return good;
  };
  ASSERT_TRUE(allocate(0));
  s->open.reserve(kCount + 1);  // the owner's, not the server's
  const size_t before = CountAllocations().octets;
  for (size_t i = 1; i <= kCount; ++i) ASSERT_TRUE(allocate(i)) << i;
  const size_t each = (CountAllocations().octets - before) / kCount;
  EXPECT_LE(each, 2048u);
  RecordProperty("octets_per_allocation", static_cast<int>(each));
}

}  // namespace
}  // namespace jsp::turn
