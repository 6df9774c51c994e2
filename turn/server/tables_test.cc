// The slabs of the server: relays, peers, allocations, connections.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "base/rng.h"
#include "turn/server/allocation_table.h"
#include "turn/server/connection_table.h"
#include "turn/server/peer_table.h"
#include "turn/server/relay_table.h"
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
using Parity = RelayTable::Parity;
const Timestamp kNow = Timestamp::FromEpoch(100s);
const IpAddress kIp = *IpAddress::Parse("192.0.2.1");

TEST(RelayTableTest, PicksPortsOfTheRangeAtRandom) {  // RFC 8656 §7.2
  Rng rng = Rng::FromNumber(1);
  RelayTable table({50000, 50099}, rng);
  std::set<uint16_t> ports;
  for (int i = 0; i < 100; ++i) {
    const auto port = table.PickPort(kIp, RelayProtocol::kUdp, Parity::kAny);
    ASSERT_TRUE(port);
    EXPECT_TRUE(ports.insert(*port).second);
    table.Open({kIp, *port}, RelayProtocol::kUdp, 0);
  }
  EXPECT_EQ(*ports.begin(), 50000);
  EXPECT_EQ(*ports.rbegin(), 50099);
  EXPECT_FALSE(table.PickPort(kIp, RelayProtocol::kUdp, Parity::kAny));  // T7
  EXPECT_TRUE(table.PickPort(kIp, RelayProtocol::kTcp, Parity::kAny));   // another space
  EXPECT_TRUE(table.PickPort(*IpAddress::Parse("192.0.2.2"), RelayProtocol::kUdp, Parity::kAny));
}

TEST(RelayTableTest, EvenPortsAndPairs) {  // RFC 8656 §7.2
  Rng rng = Rng::FromNumber(2);
  RelayTable table({50001, 50006}, rng);
  table.Open({kIp, 50003}, RelayProtocol::kUdp, 0);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(*table.PickPort(kIp, RelayProtocol::kUdp, Parity::kEven) % 2, 0);
    EXPECT_EQ(table.PickPort(kIp, RelayProtocol::kUdp, Parity::kEvenPair), 50004);  // 50006 has no next in the range
  }
}

TEST(RelayTableTest, NeverPicksAWellKnownPort) {  // RFC 8656 §7.2
  Rng rng = Rng::FromNumber(3);
  RelayTable table({1, 1030}, rng);
  for (int i = 0; i < 200; ++i) EXPECT_GE(*table.PickPort(kIp, RelayProtocol::kUdp, Parity::kAny), 1024);
  EXPECT_FALSE(RelayTable({1, 1000}, rng).PickPort(kIp, RelayProtocol::kUdp, Parity::kAny));
}

TEST(RelayTableTest, AHandleIsOfOneTenant) {
  Rng rng = Rng::FromNumber(4);
  RelayTable table({}, rng);
  const SocketAddress address{kIp, 50000};
  const RelayHandle first = table.Open(address, RelayProtocol::kUdp, 7);
  EXPECT_EQ(table.Find(first)->allocation, 7u);
  table.Close(first);
  table.Close(first);
  const RelayHandle second = table.Open(address, RelayProtocol::kUdp, 8);
  EXPECT_EQ(second.index, first.index);
  EXPECT_EQ(table.Find(first), nullptr);
  EXPECT_NE(table.Find(second), nullptr);
  EXPECT_EQ(table.Find({}), nullptr);
  EXPECT_EQ(table.size(), 1u);
}

TEST(PeerTableTest, AgreesWithAModel) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng = Rng::FromNumber(seed);
    PeerTable table;
    Timestamp now = kNow;
    std::map<IpAddress, Timestamp> permissions;
    std::map<uint16_t, std::pair<SocketAddress, Timestamp>> channels;
    for (int i = 0; i < 500; ++i) {
      now = now + std::chrono::seconds(rng.Below(60));
      const SocketAddress peer{IpAddress::V4(198, 51, 100, static_cast<uint8_t>(rng.Below(8))),
                               static_cast<uint16_t>(rng.Below(2))};
      const ChannelNumber number{static_cast<uint16_t>(0x4000 + rng.Below(8))};
      std::erase_if(channels, [&](const auto& item) { return item.second.second <= now; });
      if (rng.Below(2) == 0) {
        EXPECT_TRUE(table.Permit(now, peer.ip, 300s, 100));
        permissions[peer.ip] = now + 300s;
      } else {
        const auto known = channels.find(number.value);
        bool conflict = known != channels.end() && known->second.first != peer;
        for (const auto& [other, binding] : channels) {
          conflict = conflict || (binding.first == peer && other != number.value);
        }
        const auto result = table.Bind(now, number, peer, 600s, 100);
        ASSERT_EQ(result == PeerTable::BindResult::kConflict, conflict);
        if (!conflict) channels[number.value] = {peer, now + 600s};
      }
      ASSERT_TRUE(table.IsConsistent());
      for (uint8_t k = 0; k < 8; ++k) {
        const IpAddress ip = IpAddress::V4(198, 51, 100, k);
        const bool permitted = permissions.contains(ip) && permissions[ip] > now;
        ASSERT_EQ(table.IsPermitted(now, ip), permitted);
        const ChannelNumber n{static_cast<uint16_t>(0x4000 + k)};
        const auto bound = channels.find(n.value);
        ASSERT_EQ(table.PeerOf(now, n).has_value(), bound != channels.end());
        ASSERT_TRUE(bound == channels.end() || table.ChannelOf(now, bound->second.first) == n);
      }
    }
  }
}

TEST(PeerTableTest, BothAreBounded) {
  PeerTable table;
  for (uint8_t i = 0; i < 5; ++i) {
    EXPECT_EQ(table.Permit(kNow, IpAddress::V4(10, 0, 0, i), 300s, 3), i < 3);
    const auto bound = table.Bind(kNow, {static_cast<uint16_t>(0x4000 + i)}, {IpAddress::V4(10, 0, 0, i), 1}, 600s, 3);
    EXPECT_EQ(bound == PeerTable::BindResult::kFull, i >= 3);
  }
  EXPECT_EQ(table.PermissionRoom(kNow, 3), 0u);
  EXPECT_EQ(table.PermissionRoom(kNow + 300s, 3), 3u);
  EXPECT_EQ(table.permissions(), 0u);
}

TEST(PeerTableTest, AFamilyGoesAlone) {  // RFC 8656 §8.1
  PeerTable table;
  const SocketAddress v4{IpAddress::V4(10, 0, 0, 1), 1};
  const SocketAddress v6 = *SocketAddress::Parse("[2001:db8::1]:1");
  for (const auto& peer : {v4, v6}) table.Permit(kNow, peer.ip, 300s, 9);
  table.Bind(kNow, {0x4000}, v6, 600s, 9);
  table.Bind(kNow, {0x4001}, v4, 600s, 9);
  table.RemoveFamily(IpAddress::Family::kV6);
  EXPECT_FALSE(table.IsPermitted(kNow, v6.ip));
  EXPECT_FALSE(table.PeerOf(kNow, {0x4000}));
  EXPECT_TRUE(table.IsPermitted(kNow, v4.ip));
  EXPECT_EQ(table.PeerOf(kNow, {0x4001}), v4);
  EXPECT_TRUE(table.IsConsistent());
}

ClientPath Path(uint16_t port) { return {{IpAddress::V4(203, 0, 113, 9), port}, {1}}; }

TEST(AllocationTableTest, FindsByPathAndKeepsPlaces) {
  AllocationTable table(2);
  const auto a = table.Create(Path(1));
  const auto b = table.Create(Path(2));
  ASSERT_TRUE(a && b);
  EXPECT_FALSE(table.Create(Path(1)));  // taken
  EXPECT_FALSE(table.Create(Path(3)));  // full
  EXPECT_EQ(table.Find(Path(2)), b);
  EXPECT_FALSE(table.Find({Path(2).client, {2}}));  // another listener
  const uint32_t generation = table.at(*a).slot.generation;
  EXPECT_TRUE(table.IsLive(*a, generation));
  table.Remove(*a);
  EXPECT_FALSE(table.IsLive(*a, generation));
  EXPECT_FALSE(table.Find(Path(1)));
  EXPECT_EQ(table.Create(Path(3)), a);
  EXPECT_FALSE(table.IsLive(*a, generation));  // another tenant
  EXPECT_EQ(table.size(), 2u);
}

TEST(AllocationTableTest, AMoveHasTwoPathsForAWhile) {  // RFC 8016 §3.2.2
  AllocationTable table(2);
  const uint32_t a = *table.Create(Path(1));
  table.SetNextPath(a, Path(2));
  table.SetNextPath(a, Path(3));
  EXPECT_EQ(table.Find(Path(1)), a);
  EXPECT_FALSE(table.Find(Path(2)));
  EXPECT_EQ(table.Find(Path(3)), a);
  table.CommitNextPath(a);
  EXPECT_FALSE(table.Find(Path(1)));
  EXPECT_EQ(table.at(a).path, Path(3));
  table.CommitNextPath(a);  // nothing to do
  table.SetNextPath(a, Path(4));
  table.Remove(a);
  EXPECT_FALSE(table.Find(Path(3)));
  EXPECT_FALSE(table.Find(Path(4)));
}

TEST(AllocationTableTest, DeadlinesComeInOrderAndOnce) {
  AllocationTable table(10);
  for (uint16_t i = 0; i < 5; ++i) table.ArmDeadline(*table.Create(Path(i)), kNow + std::chrono::seconds(10 - i));
  EXPECT_EQ(table.NextTimeout(), kNow + 6s);
  EXPECT_FALSE(table.PopDue(kNow + 5s));
  EXPECT_EQ(table.PopDue(kNow + 7s), table.Find(Path(4)));
  EXPECT_EQ(table.PopDue(kNow + 7s), table.Find(Path(3)));
  EXPECT_FALSE(table.PopDue(kNow + 7s));
  table.Remove(*table.Find(Path(2)));
  EXPECT_EQ(table.PopDue(kNow + 9s), table.Find(Path(1)));  // the removed one is skipped
}

TEST(AllocationTableTest, LaterDeadlinesAddNothing) {
  AllocationTable table(10);
  const uint32_t a = *table.Create(Path(1));
  table.ArmDeadline(a, kNow + 10s);
  for (int i = 0; i < 100; ++i) table.ArmDeadline(a, kNow + 20s);
  EXPECT_EQ(table.PopDue(kNow + 30s), a);
  EXPECT_FALSE(table.PopDue(kNow + 30s));
  EXPECT_EQ(table.NextTimeout(), Timestamp::Never());
}

TEST(ConnectionTableTest, FindsByIdAndByClient) {  // RFC 6062 §5.2
  Rng rng = Rng::FromNumber(5);
  ConnectionTable table(rng);
  const ConnectionId id = table.Add({.allocation = 3, .peer = {kIp, 1}, .until = kNow + 30s});
  EXPECT_EQ(table.Find(id)->allocation, 3u);
  EXPECT_FALSE(table.FindByClient(Path(1)));
  table.SetClient(id, Path(1));
  EXPECT_EQ(table.FindByClient(Path(1)), id);
  table.SetDeadline(id, Timestamp::Never());
  EXPECT_FALSE(table.FindDue(kNow + 1h));
  table.Remove(id);
  EXPECT_FALSE(table.FindByClient(Path(1)));
  EXPECT_EQ(table.Find(id), nullptr);
  table.Remove(id);
  table.SetClient(id, Path(1));
  EXPECT_EQ(table.size(), 0u);
}

TEST(ConnectionTableTest, IsDueInTime) {
  Rng rng = Rng::FromNumber(6);
  ConnectionTable table(rng);
  const ConnectionId late = table.Add({.until = kNow + 40s});
  const ConnectionId early = table.Add({.until = kNow + 30s});
  EXPECT_EQ(table.NextTimeout(), kNow + 30s);
  EXPECT_FALSE(table.FindDue(kNow + 29s));
  EXPECT_EQ(table.FindDue(kNow + 30s), early);
  table.Remove(early);
  EXPECT_FALSE(table.FindDue(kNow + 39s));
  EXPECT_EQ(table.FindDue(kNow + 40s), late);
  table.Remove(late);
  EXPECT_FALSE(table.FindDue(kNow + 50s));
  EXPECT_EQ(table.NextTimeout(), Timestamp::Never());
}

}  // namespace
}  // namespace jsp::turn
