#include "transport/asio/interface_list.h"

#include <gtest/gtest.h>

#include "transport/asio/error_category.h"
#include "transport/asio/steady_clock.h"
#include "transport/asio/system_rng.h"

namespace jsp::transport::io {
namespace {

InterfaceAddress Interface(const char* name, const char* ip, bool is_up = true) {
  return {.name = name, .index = 3, .ip = *IpAddress::Parse(ip), .is_up = is_up, .cost = CostOfInterface(name)};
}

std::vector<std::string> Select(const std::vector<InterfaceAddress>& interfaces, const InterfaceFilter& filter = {}) {
  std::vector<std::string> texts;
  for (const auto& local : SelectAddresses(interfaces, filter)) texts.push_back(local.address.ip.ToString());
  return texts;
}

using Texts = std::vector<std::string>;

const std::vector<InterfaceAddress> kHost{Interface("lo", "127.0.0.1"),         Interface("lo", "::1"),
                                          Interface("eth0", "192.0.2.1"),       Interface("eth0", "2001:db8::1"),
                                          Interface("eth0", "fe80::1"),         Interface("eth0", "169.254.1.1"),
                                          Interface("docker0", "172.17.0.1"),   Interface("veth12", "172.17.0.2"),
                                          Interface("br-1234", "172.18.0.1"),   Interface("wlan0", "198.51.100.1"),
                                          Interface("eth1", "192.0.2.9", false)};

TEST(InterfaceListTest, TakesAddressesThatPeersCanReach) {
  EXPECT_EQ(Select(kHost), (Texts{"192.0.2.1", "2001:db8::1", "198.51.100.1"}));
}

TEST(InterfaceListTest, TakesLoopbackWhenAskedAndLast) {
  EXPECT_EQ(Select(kHost, {.names = {}, .include_loopback = true}),
            (Texts{"192.0.2.1", "2001:db8::1", "198.51.100.1", "127.0.0.1", "::1"}));
}

TEST(InterfaceListTest, OpensNothingAtAddressesThatAreFilteredOut) {
  InterfaceFilter filter;
  filter.addresses.without = {*IpPrefix::Parse("198.51.100.0/24"), *IpPrefix::Parse("2001:db8::/32")};
  EXPECT_EQ(Select(kHost, filter), (Texts{"192.0.2.1"}));
  filter.addresses = {.only = {*IpPrefix::Parse("198.51.100.0/24")}};
  EXPECT_EQ(Select(kHost, filter), (Texts{"198.51.100.1"}));
  filter.addresses = {.link_local = true};
  EXPECT_EQ(Select(kHost, filter), (Texts{"192.0.2.1", "2001:db8::1", "fe80::1", "169.254.1.1", "198.51.100.1"}));
}

TEST(InterfaceListTest, I10_TakesLoopbackAndLinkLocalNeverUnasked) {  // RFC 8445 §5.1.1.1
  EXPECT_EQ(Select({kHost[0], kHost[4], kHost[6]}), Texts{});
}

TEST(InterfaceListTest, ATemporaryAddressHidesTheStableOnesOfItsPrefix) {  // RFC 8445 §5.1.1.1
  auto temporary = Interface("eth0", "2001:db8::aaaa");
  temporary.is_temporary = true;
  auto elsewhere = Interface("eth1", "2001:db8::5");
  elsewhere.index = 4;
  const std::vector<InterfaceAddress> host{Interface("eth0", "2001:db8::1"), temporary,
                                           Interface("eth0", "2001:db8:0:1::1"), elsewhere,
                                           Interface("eth0", "192.0.2.1")};
  EXPECT_EQ(Select(host), (Texts{"2001:db8::aaaa", "2001:db8:0:1::1", "2001:db8::5", "192.0.2.1"}));
  auto old = temporary;
  old.is_fading = true;
  EXPECT_EQ(Select({host[0], old}), (Texts{"2001:db8::1"})) << "a deprecated one hides nothing";
}

TEST(InterfaceListTest, TakesNoIpv6AddressThatIsDeprecatedOrNotYetUnique) {  // RFC 4862 §5.4, RFC 6724 §5
  auto fading = Interface("eth0", "2001:db8::1");
  fading.is_fading = true;
  EXPECT_EQ(Select({fading, Interface("eth0", "2001:db8::2")}), (Texts{"2001:db8::2"}));
}

TEST(InterfaceListTest, TellsTheCostOfANetworkAndLeavesOutDearOnes) {
  EXPECT_EQ(CostOfInterface("eth0"), 0);
  EXPECT_EQ(CostOfInterface("wlp2s0"), 10);
  EXPECT_EQ(CostOfInterface("wwan0"), 900);
  EXPECT_EQ(CostOfInterface("wg0"), 50);
  const std::vector<InterfaceAddress> host{Interface("wwan0", "192.0.2.1"), Interface("wlan0", "198.51.100.1")};
  const auto selected = SelectAddresses(host, {});
  ASSERT_EQ(selected.size(), 2u);
  EXPECT_GT(selected[0].network_cost, selected[1].network_cost);
  EXPECT_EQ(Select(host, {.max_cost = 100}), (Texts{"198.51.100.1"}));
}

TEST(InterfaceListTest, TheDefaultRouteChoosesInterfacesWithAllTheirAddresses) {  // RFC 8828 §5.2, mode 2
  auto private_v6 = Interface("eth0", "fd00::1");
  auto other = Interface("eth1", "198.51.100.1");
  other.index = 4;
  const std::vector<InterfaceAddress> host{Interface("eth0", "192.0.2.1"), private_v6, other};
  const auto texts = [&](const std::vector<IpAddress>& sources) {
    std::vector<std::string> found;
    for (const auto& local : SelectAddresses(host, {.default_route_only = true}, sources)) {
      found.push_back(local.address.ip.ToString());
    }
    return found;
  };
  EXPECT_EQ(texts({IpAddress::V4(192, 0, 2, 1)}), (Texts{"192.0.2.1", "fd00::1"}));
  EXPECT_EQ(texts({IpAddress::V4(198, 51, 100, 1)}), (Texts{"198.51.100.1"}));
  EXPECT_EQ(texts({}), Texts{}) << "no route, no address";
}

TEST(InterfaceListTest, ExcludesNamesByTheirBeginning) {
  EXPECT_EQ(Select(kHost, {.excluded = {"eth", "wlan"}}), (Texts{"172.17.0.1", "172.17.0.2", "172.18.0.1"}));
}

TEST(InterfaceListTest, NamesChooseInterfacesEvenVirtualOnes) {
  EXPECT_EQ(Select(kHost, {.names = {"docker0"}}), (Texts{"172.17.0.1"}));
  EXPECT_EQ(Select(kHost, {.names = {"lo"}}), (Texts{"127.0.0.1", "::1"}));
  EXPECT_EQ(Select(kHost, {.names = {"none"}}), Texts{});
}

TEST(InterfaceListTest, Ipv6CanBeLeftOut) {
  EXPECT_EQ(Select(kHost, {.names = {}, .include_loopback = false, .ipv6 = false}),
            (Texts{"192.0.2.1", "198.51.100.1"}));
}

TEST(InterfaceListTest, ThisHostHasAtLeastOneUsableAddress) {
  EXPECT_FALSE(SelectAddresses(ListInterfaces(), {.include_loopback = true}).empty());
}

TEST(SteadyClockTest, RunsForwardAndMapsToAsiosClock) {
  const Timestamp first = Now();
  const Timestamp second = Now();
  EXPECT_LE(first, second);
  const auto point = ToTimePoint(first);
  EXPECT_LT(std::chrono::steady_clock::now() - point, std::chrono::seconds(60));
  EXPECT_EQ(ToTimePoint(Timestamp::Never()), std::chrono::steady_clock::time_point::max());
}

TEST(SystemRngTest, TwoGeneratorsDiffer) {
  Rng a = SystemRng();
  Rng z = SystemRng();
  EXPECT_NE(a.Random<uint64_t>(), z.Random<uint64_t>());
}

TEST(ErrorCategoryTest, EveryErrorHasItsOwnText) {
  std::vector<std::string> texts;
  for (int code = 1; code <= static_cast<int>(TransportErrc::kBadChannelOption); ++code) {
    const boost::system::error_code error = static_cast<TransportErrc>(code);
    EXPECT_STREQ(error.category().name(), "jsp.transport");
    EXPECT_EQ(std::ranges::count(texts, error.message()), 0) << error.message();
    texts.push_back(error.message());
  }
  EXPECT_EQ(ToErrorCode(datachannel::SendError::kTooLarge), TransportErrc::kMessageTooLarge);
  EXPECT_EQ(ToErrorCode(datachannel::SendError::kNotOpen), TransportErrc::kChannelClosed);
  EXPECT_EQ(ToErrorCode(datachannel::OpenError::kBothReliabilityLimits), TransportErrc::kBadChannelOption);
}

}  // namespace
}  // namespace jsp::transport::io
