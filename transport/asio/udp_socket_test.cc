#include "transport/asio/udp_socket.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <vector>
#if defined(__linux__)
#include <netinet/in.h>
#include <sys/socket.h>
#endif

#include "transport/asio/endpoint.h"
#include "transport/asio/loop_test_support.h"

namespace jsp::transport::io {
namespace {

using testing::RunUntil;

const SocketAddress kLoopback{IpAddress::V4(127, 0, 0, 1), 0};

class UdpSocketTest : public ::testing::Test {
 protected:
  std::unique_ptr<UdpSocket> Open(UdpSocketOptions options = {}, const SocketAddress& at = kLoopback) {
    auto opened = UdpSocket::Open(io_.get_executor(), at, options);
    EXPECT_TRUE(opened) << opened.error().message();
    return std::move(*opened);
  }
  // What arrives at `socket` until `count` datagrams are there.
  std::vector<std::vector<uint8_t>> Collect(UdpSocket& socket, size_t count) {
    std::vector<std::vector<uint8_t>> all;
    std::function<void()> wait = [&] {
      socket.socket().async_wait(UdpSocket::Native::wait_read, [&](boost::system::error_code error) {
        if (error) return;
        while (socket.Receive([&](const ReceivedTrain& train) {
          last_from_ = train.remote;
          train.ForEach([&](std::span<const uint8_t> datagram) {
            marks_.push_back(train.mark);
            all.emplace_back(datagram.begin(), datagram.end());
          });
        }) > 0) {
        }
        if (all.size() < count) wait();
      });
    };
    wait();
    RunUntil(io_, [&] { return all.size() >= count; });
    return all;
  }
  // Datagrams of the given sizes in one buffer; each octet is its datagram's number.
  void Send(UdpSocket& from, const SocketAddress& to, const std::vector<size_t>& sizes) {
    std::vector<uint8_t> buffer;
    std::vector<OutgoingDatagram> datagrams;
    for (size_t i = 0; i < sizes.size(); ++i) {
      datagrams.push_back({to, static_cast<uint32_t>(buffer.size()), static_cast<uint32_t>(sizes[i])});
      buffer.insert(buffer.end(), sizes[i], static_cast<uint8_t>(i));
    }
    from.Send(buffer, datagrams);
  }
  void ExpectSizes(const std::vector<std::vector<uint8_t>>& got, const std::vector<size_t>& sizes) {
    ASSERT_EQ(got.size(), sizes.size());
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i], std::vector<uint8_t>(sizes[i], static_cast<uint8_t>(i))) << i;
    }
  }

  boost::asio::io_context io_;
  SocketAddress last_from_;
  std::vector<EcnMark> marks_;
};

TEST_F(UdpSocketTest, SendsARunOfEqualSizesInOneCallAndKeepsItsBoundaries) {
  auto a = Open();
  auto z = Open();
  std::vector<size_t> sizes(40, 1200);
  sizes.push_back(300);  // the last of a run may be shorter
  Send(*a, z->local(), sizes);
  ExpectSizes(Collect(*z, sizes.size()), sizes);
  EXPECT_EQ(last_from_, a->local());
  EXPECT_EQ(a->stats().datagrams_sent, sizes.size());
#if defined(__linux__)
  if (a->stats().gso_refused == 0) {
    EXPECT_EQ(a->stats().send_calls, 1u);
  }
#endif
}

TEST_F(UdpSocketTest, RunsToManyAddressesLeaveInOneCall) {
  auto a = Open();
  const std::vector<size_t> sizes{1200, 1200, 1200, 1200, 300};
  std::vector<std::unique_ptr<UdpSocket>> others;
  std::vector<uint8_t> buffer;
  std::vector<OutgoingDatagram> datagrams;
  for (size_t peer = 0; peer < 20; ++peer) {
    others.push_back(Open());
    for (size_t i = 0; i < sizes.size(); ++i) {
      datagrams.push_back(
          {others.back()->local(), static_cast<uint32_t>(buffer.size()), static_cast<uint32_t>(sizes[i])});
      buffer.insert(buffer.end(), sizes[i], static_cast<uint8_t>(i));
    }
  }
  a->Send(buffer, datagrams);
  for (const auto& other : others) ExpectSizes(Collect(*other, sizes.size()), sizes);
  EXPECT_EQ(a->stats().datagrams_sent, datagrams.size());
#if defined(__linux__)
  if (a->stats().gso_refused == 0) {
    EXPECT_EQ(a->stats().send_calls, 1u);
  }
#endif
}

TEST_F(UdpSocketTest, SendsMixedSizesInOrder) {
  auto a = Open();
  auto z = Open();
  const std::vector<size_t> sizes{1, 1200, 1200, 40, 1200, 0, 7, 7, 7, 900};
  Send(*a, z->local(), sizes);
  ExpectSizes(Collect(*z, sizes.size()), sizes);
}

TEST_F(UdpSocketTest, SendsWithoutSegmentationWhenItIsSwitchedOff) {
  UdpSocketOptions plain;
  plain.use_gso = false;
  plain.use_gro = false;
  auto a = Open(plain);
  auto z = Open(plain);
  const std::vector<size_t> sizes(100, 1000);
  Send(*a, z->local(), sizes);
  ExpectSizes(Collect(*z, sizes.size()), sizes);
  EXPECT_EQ(a->stats().gso_refused, 0u);
}

TEST_F(UdpSocketTest, FallsBackToPlainSendsWhereSegmentsDoNotFitThePath) {
  auto a = Open();
  auto z = Open();
  // Segments above the loopback's largest packet cannot exist; above 1500 they do, so the path's refusal is provoked by
  // a run whose segment is larger than a device without segmentation would take.
  const std::vector<size_t> sizes(4, 16000);
  Send(*a, z->local(), sizes);
  ExpectSizes(Collect(*z, sizes.size()), sizes);
  EXPECT_EQ(a->stats().datagrams_sent, 4u);
}

TEST_F(UdpSocketTest, X1_RefusedAndOversizeDatagramsAreCountedAndNotFatal) {
  auto a = Open();
  SocketAddress nobody;
  {
    auto gone = Open();
    nobody = gone->local();
  }
  Send(*a, nobody, {10});                                  // answered by ICMP port unreachable
  Send(*a, nobody, {70000});                               // EMSGSIZE
  Send(*a, {IpAddress::V4(255, 255, 255, 255), 9}, {10});  // EACCES: broadcast is not allowed
  EXPECT_GE(a->stats().send_errors, 2u);
  auto z = Open();
  Send(*a, z->local(), {10});
  ExpectSizes(Collect(*z, 1), {10});
}

#if defined(__linux__)

int OptionOf(UdpSocket& socket, int level, int option) {
  int value = -1;
  socklen_t size = sizeof(value);
  (void)::getsockopt(socket.socket().native_handle(), level, option, &value, &size);
  return value;
}

TEST_F(UdpSocketTest, SendsWithDfExceptWhatIpMayCut) {  // RFC 8899 §3 item 2, RFC 8899 §4.5
  auto a = Open();
  auto z = Open();
  ASSERT_TRUE(a->controls_fragmentation());
  EXPECT_EQ(OptionOf(*a, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_PROBE);
  const std::vector<uint8_t> buffer(4000);
  const std::vector<OutgoingDatagram> datagrams{{z->local(), 0, 1000},
                                                {z->local(), 1000, 1000, IpFragmentation::kAllowed},
                                                {z->local(), 2000, 1000},
                                                {z->local(), 3000, 1000}};
  a->Send(buffer, datagrams);
  EXPECT_EQ(Collect(*z, 4).size(), 4u);
  EXPECT_EQ(a->stats().fragmentable, 1u);
  EXPECT_EQ(OptionOf(*a, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_PROBE);
}

// RFC 3168 §5: of datagrams alone and of segments of a run, which breaks where the field changes.
TEST_F(UdpSocketTest, CarriesTheEcnFieldOfEachDatagram) {
  using enum EcnMark;
  const std::vector<EcnMark> marks{kEct0, kEct0, kEct0, kCe, kCe, kNotEct, kNotEct, kEct1, kNotEct, kEct0};
  UdpSocketOptions plain;
  plain.use_gso = plain.use_gro = false;
  for (const UdpSocketOptions& options : {UdpSocketOptions{}, plain}) {
    for (const IpAddress& ip : {IpAddress::V4(127, 0, 0, 1), *IpAddress::Parse("::1")}) {
      auto a = Open(options, {ip, 0});
      auto z = Open(options, {ip, 0});
      ASSERT_TRUE(a->carries_ecn());
      const std::vector<uint8_t> buffer(marks.size() * 1000);
      std::vector<OutgoingDatagram> datagrams;
      for (const EcnMark mark : marks) {
        datagrams.push_back(
            {z->local(), static_cast<uint32_t>(datagrams.size()) * 1000, 1000, IpFragmentation::kForbidden, mark});
      }
      datagrams[8].fragmentation = IpFragmentation::kAllowed;
      marks_.clear();
      a->Send(buffer, datagrams);
      EXPECT_EQ(Collect(*z, marks.size()).size(), marks.size());
      EXPECT_EQ(marks_, marks);
      EXPECT_EQ(a->stats().send_errors, 0u);
    }
  }
}

TEST_F(UdpSocketTest, TellsWhichDatagramMetNobodyAndLosesNoOther) {
  auto a = Open();
  auto z = Open();
  SocketAddress nobody;
  {
    auto gone = Open();
    nobody = gone->local();
  }
  // Each refusal comes back by the call that follows, which is for somebody else.
  for (int i = 0; i < 20; ++i) {
    Send(*a, nobody, {10});
    Send(*a, z->local(), {20});
    Send(*a, nobody, {10});
    Send(*a, z->local(), {30, 30, 30});
  }
  EXPECT_EQ(Collect(*z, 80).size(), 80u);
  size_t told = 0;
  a->ReceiveErrors([&](const NetworkError& error) {
    ++told;
    EXPECT_EQ(error.kind, NetworkError::Kind::kUnreachable);
    EXPECT_EQ(error.remote, nobody);
    EXPECT_EQ(error.datagram.size(), 10u);
  });
  EXPECT_GT(told, 0u);
  EXPECT_EQ(a->stats().network_errors, told);
}

#endif

TEST_F(UdpSocketTest, ReportsTheBuffersThatTheKernelGranted) {
  auto a = Open();
  EXPECT_GT(a->stats().receive_buffer, 0);
  EXPECT_GT(a->stats().send_buffer, 0);
}

TEST_F(UdpSocketTest, BindingATakenPortIsAnError) {
  auto a = Open();
  const auto second = UdpSocket::Open(io_.get_executor(), a->local());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), boost::asio::error::address_in_use);
}

TEST_F(UdpSocketTest, I5_MappedAddressesBecomeIpv4) {
  const auto mapped = boost::asio::ip::make_address("::ffff:192.0.2.1");
  EXPECT_EQ(FromEndpoint({mapped, 5}), SocketAddress::Parse("192.0.2.1:5"));
  const auto v6 = *SocketAddress::Parse("[2001:db8::1]:7");
  EXPECT_EQ(FromEndpoint(ToEndpoint(v6)), v6);
}

}  // namespace
}  // namespace jsp::transport::io
