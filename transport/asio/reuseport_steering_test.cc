#include "transport/asio/reuseport_steering.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "transport/asio/loop_test_support.h"
#include "transport/asio/shared_ports.h"
namespace jsp::transport::io {
namespace {

using boost::asio::io_context;
using testing::RunUntil;

constexpr size_t kLoops = 4;
constexpr uint32_t kSeed = 0x5eed1234;

const IpAddress kV4 = IpAddress::V4(127, 0, 0, 1);
const IpAddress kV6 = *IpAddress::Parse("::1");

// The sockets of one address, one for each loop, and sources that send to it.
class SteeringTest : public ::testing::TestWithParam<IpAddress> {
 protected:
  void SetUp() override {
    SocketAddress address{GetParam(), 0};
    for (size_t loop = 0; loop < kLoops; ++loop) {
      auto opened = SharedPorts::Open(ports_, loop, io_.get_executor(), address, {});
      ASSERT_TRUE(opened) << opened.error().message();
      address = (*opened)->local();
      sockets_.push_back(std::move(*opened));
    }
  }
  std::unique_ptr<UdpSocket> Source() {
    auto opened = UdpSocket::Open(io_.get_executor(), {GetParam(), 0});
    EXPECT_TRUE(opened);
    return std::move(*opened);
  }
  // Which loop's socket gets what `source` sends.
  size_t Receiver(UdpSocket& source) {
    const std::array<uint8_t, 3> hello = {1, 2, 3};
    const OutgoingDatagram datagram{sockets_.back()->local(), 0, hello.size()};
    source.Send(hello, std::span(&datagram, 1));
    size_t receiver = kLoops;
    const bool came = RunUntil(io_, [&] {
      for (size_t loop = 0; loop < kLoops; ++loop) {
        if (!sockets_[loop]) continue;
        sockets_[loop]->Receive([&](const SocketAddress& remote, std::span<const uint8_t> octets) {
          EXPECT_EQ(remote, source.local());
          EXPECT_EQ(octets.size(), hello.size());
          receiver = loop;
        });
      }
      boost::asio::post(io_, [] {});
      return receiver < kLoops;
    });
    EXPECT_TRUE(came);
    return receiver;
  }
  void Close(size_t loop) { sockets_[loop].reset(); }
  void ExpectFormulaEqualsKernel() {
    std::array<size_t, kLoops> counts{};
    for (int i = 0; i < 200; ++i) {
      const auto source = Source();
      const size_t receiver = Receiver(*source);
      ASSERT_EQ(receiver, ports_->LoopOf(source->local())) << source->local().ToString();
      ++counts[receiver];
    }
    for (size_t loop = 0; loop < kLoops; ++loop) {
      // 200 sources, a quarter each: fewer than 10 are but once in 10^14 runs.
      if (sockets_[loop]) {
        EXPECT_GE(counts[loop], 10u) << loop;
      }
    }
  }

  io_context io_;
  std::shared_ptr<SharedPorts> ports_ =
      std::make_shared<SharedPorts>(SharedPorts::Options{kLoops, kSeed, Steering::kBySource});
  std::vector<SharedPorts::Socket> sockets_;
};

TEST_P(SteeringTest, TheKernelComputesTheSameAsWe) {
  ASSERT_TRUE(ports_->is_steered());
  ExpectFormulaEqualsKernel();
}

// The kernel puts the last socket into the place of one that is closed.
TEST_P(SteeringTest, WhoIsClosedIsStoodInForByTheNextAndNobodyElseMoves) {
  std::vector<std::unique_ptr<UdpSocket>> sources;
  std::vector<size_t> owners;
  for (int i = 0; i < 40; ++i) {
    sources.push_back(Source());
    owners.push_back(ports_->LoopOf(sources.back()->local()));
  }
  for (const size_t closed : {size_t{1}, size_t{0}}) {
    ports_->CloseLoop(closed);
    Close(closed);
    ExpectFormulaEqualsKernel();
    for (size_t i = 0; i < sources.size(); ++i) {
      const size_t now = ports_->LoopOf(sources[i]->local());
      EXPECT_EQ(now, owners[i] == closed ? 2u : std::max<size_t>(owners[i], closed == 1 ? 0 : 2));
      EXPECT_EQ(Receiver(*sources[i]), now);
    }
  }
  for (const size_t closed : {size_t{2}, size_t{3}}) {
    ports_->CloseLoop(closed);
    Close(closed);
  }
}

TEST_P(SteeringTest, AReopenedSocketIsFoundAgain) {
  Close(1);
  auto again = SharedPorts::Open(ports_, 1, io_.get_executor(), {GetParam(), 0}, {});  // the port is the group's
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->local(), sockets_.back()->local());
  sockets_[1] = std::move(*again);
  ExpectFormulaEqualsKernel();
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, SteeringTest, ::testing::Values(kV4, kV6),
                         [](const auto& tested) { return tested.param.is_v4() ? "IPv4" : "IPv6"; });

TEST(SharedPortsTest, APortOfAnotherGroupIsNotTaken) {
  io_context io;
  const SharedPorts::Options options{2, kSeed, Steering::kBySource};
  const auto ours = std::make_shared<SharedPorts>(options);
  const auto theirs = std::make_shared<SharedPorts>(options);
  const auto first = SharedPorts::Open(ours, 0, io.get_executor(), {kV4, 0}, {});
  ASSERT_TRUE(first);
  const SocketAddress address = (*first)->local();
  const auto taken = SharedPorts::Open(theirs, 0, io.get_executor(), address, {});
  ASSERT_FALSE(taken) << "its datagrams would be shared with strangers";
  EXPECT_EQ(taken.error(), boost::asio::error::address_in_use);
  EXPECT_FALSE(UdpSocket::Open(io.get_executor(), address));
  EXPECT_TRUE(SharedPorts::Open(ours, 1, io.get_executor(), address, {}));
}

TEST(SharedPortsTest, TheSystemsOwnChoiceIsSaid) {
  io_context io;
  const auto ports = std::make_shared<SharedPorts>(SharedPorts::Options{2, kSeed, Steering::kBySystem});
  const auto first = SharedPorts::Open(ports, 0, io.get_executor(), {kV4, 0}, {});
  ASSERT_TRUE(first);
  EXPECT_TRUE(SharedPorts::Open(ports, 1, io.get_executor(), (*first)->local(), {}));
  EXPECT_FALSE(ports->is_steered());
}

TEST(SteeringHashTest, SpreadsPortsOfOneAddressAndDependsOnTheSeed) {
  size_t same = 0;
  std::array<size_t, 3> counts{};
  for (uint16_t port = 1; port <= 3000; ++port) {
    const SocketAddress source{IpAddress::V4(192, 0, 2, 1), port};
    ++counts[SteeringHash(kSeed, source) % counts.size()];
    same += SteeringHash(kSeed, source) % 3 == SteeringHash(kSeed + 1, source) % 3;
  }
  for (const size_t count : counts) EXPECT_NEAR(static_cast<double>(count), 1000, 150);  // six standard deviations
  EXPECT_NEAR(static_cast<double>(same), 1000, 150);
}

}  // namespace
}  // namespace jsp::transport::io
