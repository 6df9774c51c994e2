// The many sockets of ice/prediction_probes.h: opened once, shared, and of no concern to anybody else.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/udp.hpp>
#include <string>

#include "stun/server.h"
#include "transport/asio/driver.h"
#include "transport/asio/endpoint.h"
#include "transport/asio/loop_test_support.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {
namespace {

using boost::asio::ip::udp;
using testing::LoopbackOptions;
using testing::RunUntil;
using testing::TestPeer;
using testing::TestPeerOptions;

// A STUN server that sees everybody come from one address: as if a NAT stood between.
class BehindNat {
 public:
  BehindNat(boost::asio::io_context& io, const SocketAddress& seen)
      : socket_(io, udp::endpoint(boost::asio::ip::address_v4::loopback(), 0)), seen_(seen) {
    Read();
  }
  SocketAddress address() const { return FromEndpoint(socket_.local_endpoint()); }

 private:
  void Read() {
    socket_.async_receive_from(boost::asio::buffer(in_), from_, [this](boost::system::error_code error, size_t size) {
      if (error) return;
      server_.HandleDatagram(Now(), address(), seen_, std::span(in_).first(size));
      std::array<uint8_t, 512> out;
      while (const auto answer = server_.PollTransmit(Now(), out)) {
        socket_.send_to(boost::asio::buffer(out.data(), answer->size), from_);
      }
      Read();
    });
  }
  udp::socket socket_;
  SocketAddress seen_;
  stun::Server server_{stun::ServerOptions{}};
  std::array<uint8_t, 1500> in_{};
  udp::endpoint from_;
};

// An own peer behind a port-restricted NAT, which never answers.
std::string SilentAnswer(const std::string& offer) {
  const auto line = [&](const std::string& name) {
    const size_t at = offer.find(name);
    return offer.substr(at, offer.find("\r\n", at) + 2 - at);
  };
  return "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
         "c=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n"
         "a=ice-options:trickle ice2 renomination port-probes\r\n" +
         line("a=fingerprint:") +
         "a=setup:active\r\na=sctp-port:5000\r\na=candidate:1 1 UDP 1694498815 203.0.113.2 6000 typ srflx raddr "
         "0.0.0.0 rport 0\r\na=end-of-candidates\r\n";
}

TEST(DriverProbesTest, SocketsOfProbesAreSharedByThoseWhoProbeAndSeenByNobodyElse) {
  boost::asio::io_context io;
  BehindNat first(io, {IpAddress::V4(203, 0, 113, 1), 40001});
  BehindNat second(io, {IpAddress::V4(203, 0, 113, 1), 51234});
  const auto driver = *Driver::Open(io.get_executor(), LoopbackOptions());
  PeerOptions options = TestPeerOptions();
  options.stun_servers = {first.address(), second.address()};
  options.probing.delay = Duration::zero();
  options.probing.max_sockets = 40;  // more than a peer takes local addresses
  const auto open_sockets = [&] {
    return std::ranges::count_if(driver->local_addresses(), [](const LocalAddress& l) { return l.address.port != 0; });
  };
  for (int i = 0; i < 2; ++i) {
    TestPeer hard(*driver, options);
    ASSERT_TRUE(RunUntil(io, [&] { return hard.handle.peer().stats().local_candidates.size() >= 3; }));
    const auto offer = hard.handle.Call([](Peer& p, Timestamp now) { return p.CreateOffer(now); });
    ASSERT_TRUE(offer);
    const std::string answer = SilentAnswer(*offer);
    ASSERT_TRUE(hard.handle.Call(
        [&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kAnswer, answer); }));
    ASSERT_TRUE(RunUntil(io, [&] { return open_sockets() == 1 + 40; }));
  }
  EXPECT_EQ(open_sockets(), 1 + 40) << "the second peer took those of the first";

  const auto candidates_of_another = [&] { return TestPeer(*driver).handle.peer().stats().local_candidates.size(); };
  EXPECT_EQ(candidates_of_another(), 1u);
  const SocketAddress moved{IpAddress::V4(127, 0, 0, 41), 0};
  driver->SetAddresses({{.address = moved}});
  EXPECT_EQ(open_sockets(), 1) << "they went with their address";
  EXPECT_EQ(candidates_of_another(), 1u);
}

}  // namespace
}  // namespace jsp::transport::io
