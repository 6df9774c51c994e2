#include "transport/asio/port_mapper.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/udp.hpp>

#include "transport/asio/endpoint.h"
#include "transport/asio/ipv4_gateway.h"
#include "transport/asio/loop_test_support.h"

namespace jsp::transport::io {
namespace {

using boost::asio::ip::udp;
using testing::LoopbackOptions;
using testing::RunUntil;
using testing::TestPeer;

TEST(Ipv4GatewayTest, ReadsTheDefaultRouteOfLinux) {
  const char* routes =
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
      "eth0\t0000A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
      "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
      "eth0\t00000000\tFE00A8C0\t0003\t0\t0\t200\t00000000\t0\t0\t0\n"
      "eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
      "tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0\n"
      "ppp0\t00000000\t0102A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n"
      "half\t00000000\t01";
  EXPECT_EQ(FindGatewayIn(routes, "eth0"), IpAddress::V4(192, 168, 0, 1));  // the lower metric
  EXPECT_EQ(FindGatewayIn(routes, "wlan0"), IpAddress::V4(192, 168, 1, 1));
  for (const char* other : {"tun0", "ppp0", "half", "eth", "", "Iface"}) EXPECT_FALSE(FindGatewayIn(routes, other));
  EXPECT_FALSE(FindGatewayIn("", "eth0"));
}

// A gateway on loopback that grants whatever PCP asks for (RFC 6887 §11.3), when told to.
class LoopbackGateway {
 public:
  explicit LoopbackGateway(boost::asio::io_context& io) : socket_(io, udp::endpoint(udp::v4(), 0)) { Receive(); }
  SocketAddress address() const { return {IpAddress::V4(127, 0, 0, 1), socket_.local_endpoint().port()}; }
  std::vector<std::vector<uint8_t>> requests;
  bool answers = true;

 private:
  void Receive() {
    socket_.async_receive_from(boost::asio::buffer(buffer_), from_, [this](boost::system::error_code error, size_t n) {
      if (error) return;
      requests.emplace_back(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(n));
      if (answers) Answer(requests.back());
      Receive();
    });
  }
  void Answer(const std::vector<uint8_t>& request) {
    std::vector<uint8_t> out{2, 0x81, 0, 0, request[4], request[5], request[6], request[7]};
    out.resize(24);
    out.insert(out.end(), request.begin() + 24, request.begin() + 42);
    const std::array<uint8_t, 18> external{0xc3, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 9};
    out.insert(out.end(), external.begin(), external.end());
    socket_.send_to(boost::asio::buffer(out), from_);
  }

  udp::socket socket_;
  udp::endpoint from_;
  std::array<uint8_t, 1500> buffer_{};
};

class PortMapperTest : public ::testing::Test {
 protected:
  DriverOptions Options() {
    DriverOptions options = LoopbackOptions();
    options.port_mapping = {.is_enabled = true, .gateway = gateway_.address()};
    return options;
  }
  static bool HasMapped(const TestPeer& peer) {
    for (const auto& candidate : peer.handle.peer().stats().local_candidates) {
      if (candidate.address == SocketAddress{IpAddress::V4(203, 0, 113, 9), 50000}) return true;
    }
    return false;
  }
  boost::asio::io_context io_;
  LoopbackGateway gateway_{io_};
};

TEST_F(PortMapperTest, APeerWaitsForTheMappingAndTheNextOneHasItAtOnce) {  // RFC 6887 §11.4
  const auto driver = *Driver::Open(io_.get_executor(), Options());
  TestPeer first(*driver);
  EXPECT_TRUE(first.handle.peer().is_gathering());
  ASSERT_TRUE(RunUntil(io_, [&] { return !first.handle.peer().is_gathering(); }));
  EXPECT_TRUE(HasMapped(first));
  TestPeer second(*driver);
  EXPECT_FALSE(second.handle.peer().is_gathering());
  EXPECT_TRUE(HasMapped(second));
  EXPECT_EQ(gateway_.requests.size(), 1u);
}

TEST_F(PortMapperTest, ASilentGatewayHoldsGatheringUpForHalfASecond) {
  gateway_.answers = false;
  const auto driver = *Driver::Open(io_.get_executor(), Options());
  TestPeer peer(*driver);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(RunUntil(io_, [&] { return !peer.handle.peer().is_gathering(); }));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(2500));
  EXPECT_FALSE(HasMapped(peer));
}

TEST_F(PortMapperTest, APortWhereNobodyListensHoldsNothingUp) {
  DriverOptions options = LoopbackOptions();
  options.port_mapping.is_enabled = true;
  {
    udp::socket closed(io_, udp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    options.port_mapping.gateway = SocketAddress{IpAddress::V4(127, 0, 0, 1), closed.local_endpoint().port()};
  }
  const auto driver = *Driver::Open(io_.get_executor(), options);
  TestPeer peer(*driver);
  EXPECT_TRUE(RunUntil(io_, [&] { return !peer.handle.peer().is_gathering(); }));
}

TEST_F(PortMapperTest, TheMappingGoesWithTheDriver) {  // RFC 6887 §15
  {
    const auto driver = *Driver::Open(io_.get_executor(), Options());
    TestPeer peer(*driver);
    ASSERT_TRUE(RunUntil(io_, [&] { return !peer.handle.peer().is_gathering(); }));
  }
  ASSERT_TRUE(RunUntil(io_, [&] { return gateway_.requests.size() == 2; }));
  const auto& last = gateway_.requests.back();
  EXPECT_EQ(std::vector<uint8_t>(last.begin() + 4, last.begin() + 8), std::vector<uint8_t>(4));  // lifetime 0
}

TEST_F(PortMapperTest, NothingIsAskedForUnlessItIsWanted) {
  const auto driver = *Driver::Open(io_.get_executor(), LoopbackOptions());
  TestPeer peer(*driver);
  EXPECT_FALSE(peer.handle.peer().is_gathering());
  io_.run_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(gateway_.requests.empty());
}

}  // namespace
}  // namespace jsp::transport::io
