#include "tools/jsp/turn_server_fleet.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace jsp::tool {
namespace {

using transport::io::InterfaceAddress;
using turn::ControlTransport;

InterfaceAddress Own(const std::string& ip) { return {.name = "n", .index = 1, .ip = *IpAddress::Parse(ip)}; }

std::vector<std::string> Relays(const std::vector<std::string>& listen, const std::vector<InterfaceAddress>& own) {
  std::vector<TurnListenAddress> addresses;
  for (const auto& each : listen) addresses.push_back({ControlTransport::kUdp, *SocketAddress::Parse(each)});
  std::vector<std::string> relays;
  for (const auto& ip : DefaultRelayAddresses(addresses, own)) relays.push_back(ip.ToString());
  return relays;
}

using Texts = std::vector<std::string>;

TEST(DefaultRelayAddressesTest, AreThoseThatAreListenedOn) {
  EXPECT_EQ(Relays({"192.0.2.1:1", "192.0.2.1:2", "[2001:db8::1]:1"}, {}), (Texts{"192.0.2.1", "2001:db8::1"}));
  EXPECT_EQ(Relays({"127.0.0.1:1"}, {}), Texts{"127.0.0.1"});
}

TEST(DefaultRelayAddressesTest, AnUnspecifiedAddressIsEveryOneOfTheMachineButLoopback) {
  const std::vector<InterfaceAddress> own{Own("127.0.0.1"), Own("10.0.0.5"), Own("192.0.2.1"),
                                          Own("::1"),       Own("fe80::1"),  Own("2001:db8::1")};
  EXPECT_EQ(Relays({"0.0.0.0:1"}, own), (Texts{"10.0.0.5", "192.0.2.1"}));
  EXPECT_EQ(Relays({"[::]:1"}, own), Texts{"2001:db8::1"});
  EXPECT_EQ(Relays({"0.0.0.0:1"}, {Own("127.0.0.1")}), Texts{"127.0.0.1"});
  auto down = own;
  for (auto& each : down) each.is_up = each.ip.IsLoopback();
  EXPECT_EQ(Relays({"0.0.0.0:1"}, down), Texts{"127.0.0.1"});
}

TurnServerConfig OnLoopback(size_t workers) {
  TurnServerConfig config;
  config.listen = {{ControlTransport::kUdp, {IpAddress::V4(127, 0, 0, 1), 0}}};
  config.operation.workers = workers;
  return config;
}

TEST(TurnFleetTest, WorkersListenOnOneAddressThatNobodyElseCanTake) {
  auto fleet = TurnFleet::Open(OnLoopback(3), std::nullopt);
  ASSERT_TRUE(fleet) << fleet.error();
  ASSERT_EQ((*fleet)->listening().size(), 1u);
  const auto address = (*fleet)->listening().front();
  EXPECT_NE(address.address.port, 0);
  (*fleet)->Start();
  EXPECT_EQ((*fleet)->totals().workers, 3u);
  auto other = OnLoopback(1);
  other.listen = {address};
  const auto taken = TurnFleet::Open(other, std::nullopt);
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().find(address.address.ToString()), std::string::npos) << taken.error();
}

TEST(TurnFleetTest, EndsWithoutHavingBeenStarted) {
  auto fleet = TurnFleet::Open(OnLoopback(2), std::nullopt);
  ASSERT_TRUE(fleet) << fleet.error();
  fleet->reset();
}

}  // namespace
}  // namespace jsp::tool
