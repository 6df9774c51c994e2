// Peers over TCP connections of their own (RFC 6544), on real sockets, and strangers at their door.
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <list>
#include <sstream>
#include <string>
#include <vector>

#include "ice/stun_attributes.h"
#include "ice/tcp_framing.h"
#include "transport/asio/driver.h"
#include "transport/asio/endpoint.h"
#include "transport/asio/loop_test_support.h"

namespace jsp::transport::io {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::LoopbackOptions;
using testing::RunUntil;
using testing::TestPeer;
using testing::TestPeerOptions;
using Bytes = std::vector<uint8_t>;

tcp::endpoint Loopback(uint16_t port) { return {boost::asio::ip::address_v4::loopback(), port}; }

// The SDP without candidates over UDP, and the passive one at another port where there is a way in between.
std::string OnlyTcp(const std::string& sdp, uint16_t port = 0) {
  std::istringstream lines(sdp);
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    const bool is_candidate = line.starts_with("a=candidate:");
    if (is_candidate && line.find("tcptype") == std::string::npos) continue;
    if (is_candidate && port != 0 && line.find("tcptype passive") != std::string::npos) {
      const size_t at = line.find("127.0.0.1 ") + 10;
      line.replace(at, line.find(' ', at) - at, std::to_string(port));
    }
    kept += line + "\n";
  }
  return kept;
}

uint16_t PassivePort(const Peer& peer) {
  for (const auto& candidate : peer.stats().local_candidates) {
    if (candidate.protocol == ice::TransportProtocol::kTcpPassive) return candidate.address.port;
  }
  return 0;
}

PeerOptions With(IceTcp mode) {
  PeerOptions options = TestPeerOptions();
  options.ice_tcp.mode = mode;
  return options;
}

void SignalTcp(TestPeer& a, TestPeer& z, uint16_t z_port = 0) {
  const auto offer = a.handle.Call([](Peer& p, Timestamp now) { return p.CreateOffer(now); });
  ASSERT_TRUE(offer);
  ASSERT_TRUE(z.handle.Call(
      [&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kOffer, OnlyTcp(*offer)); }));
  const auto answer = z.handle.Call([](Peer& p, Timestamp now) { return p.CreateAnswer(now); });
  ASSERT_TRUE(answer);
  ASSERT_TRUE(a.handle.Call(
      [&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kAnswer, OnlyTcp(*answer, z_port)); }));
}

// Carries octets between two connections until it is told to cut all of them.
class Middlebox {
 public:
  Middlebox(boost::asio::io_context& io, uint16_t to) : io_(io), acceptor_(io, Loopback(0)), to_(to) { Accept(); }
  uint16_t port() const { return acceptor_.local_endpoint().port(); }
  size_t accepted() const { return accepted_; }
  void Cut() {
    for (auto& way : ways_) {
      error_code ignored;
      way.from.close(ignored);
      way.to.close(ignored);
    }
  }

 private:
  struct Way {
    tcp::socket from;
    tcp::socket to;
    std::array<uint8_t, 16384> forth{};
    std::array<uint8_t, 16384> back{};
  };
  void Accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error) return;
      ++accepted_;
      Way& way = ways_.emplace_back(Way{std::move(socket), tcp::socket(io_)});
      error_code refused;
      way.to.connect(Loopback(to_), refused);
      Carry(way.from, way.to, way.forth);
      Carry(way.to, way.from, way.back);
      Accept();
    });
  }
  void Carry(tcp::socket& from, tcp::socket& to, std::array<uint8_t, 16384>& buffer) {
    from.async_read_some(boost::asio::buffer(buffer), [&, this](error_code error, size_t size) {
      if (error) return;
      boost::asio::async_write(to, boost::asio::buffer(buffer, size), [&, this](error_code failed, size_t) {
        if (!failed) Carry(from, to, buffer);
      });
    });
  }

  boost::asio::io_context& io_;
  tcp::acceptor acceptor_;
  uint16_t to_;
  std::list<Way> ways_;
  size_t accepted_ = 0;
};

class IceTcpDriverTest : public ::testing::Test {
 protected:
  std::shared_ptr<Driver> OpenDriver(DriverOptions options = LoopbackOptions()) {
    auto opened = Driver::Open(io_.get_executor(), options);
    EXPECT_TRUE(opened) << opened.error().message();
    return *opened;
  }
  // Whoever is not a peer.
  tcp::socket Stranger(uint16_t port) {
    tcp::socket socket(io_);
    socket.connect(Loopback(port));
    return socket;
  }
  bool IsClosed(tcp::socket& socket, seconds limit = seconds(20)) {
    bool closed = false;
    std::array<uint8_t, 256> buffer;
    socket.async_read_some(boost::asio::buffer(buffer), [&](error_code error, size_t) { closed = error.failed(); });
    const bool in_time = RunUntil(
        io_, [&] { return closed; }, limit);
    error_code ignored;
    if (!in_time) socket.cancel(ignored);
    io_.restart();
    io_.poll();
    return in_time;
  }
  static Bytes Framed(const Bytes& body) {
    const auto header = ice::TcpFrameHeader(body.size());
    Bytes out(header.begin(), header.end());
    out.insert(out.end(), body.begin(), body.end());
    return out;
  }
  static Bytes Check(const std::string& ufrag, const std::string& password) {
    Rng rng = Rng::FromNumber(1);
    Bytes out(640);
    const std::string username = ufrag + ":them";
    const ice::CheckContent content{stun::TransactionId::Random(rng), username, 1, {ice::Role::kControlled, 5}, false};
    out.resize(ice::WriteCheck(out, content, crypto::HmacSha1Key(crypto::AsBytes(password))));
    return Framed(out);
  }
  boost::asio::io_context io_;
};

TEST_F(IceTcpDriverTest, ConnectsAndCarriesABulkBothWays) {  // RFC 6544 §7, §10.1
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left, With(IceTcp::kActive));
  TestPeer z(*right, With(IceTcp::kPassive));
  const auto channel = a.Open();
  SignalTcp(a, z);
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel && z.remote_channel; }));
  const auto stats = a.handle.peer().stats();
  EXPECT_EQ(stats.selected_pair->local.protocol, ice::TransportProtocol::kTcpActive);
  EXPECT_EQ(stats.selected_pair->remote.address.port, PassivePort(z.handle.peer()));
  EXPECT_EQ(right->stats().tcp_door.checks, 1u);
  constexpr size_t kOctets = 16 * 1024 * 1024;
  constexpr size_t kMessage = 64 * 1024;
  size_t sent = 0;
  const auto fill = [&](TestPeer& from, datachannel::ChannelId to) {
    while (sent < kOctets && from.handle.peer().send_buffer_room() >= kMessage && from.Send(to, Bytes(kMessage, 7))) {
      sent += kMessage;
    }
    if (sent < kOctets) from.handle.WaitForRoom(kMessage);
  };
  a.on_room = [&] { fill(a, channel); };
  fill(a, channel);
  ASSERT_TRUE(RunUntil(
      io_, [&] { return z.octets == kOctets; }, seconds(60)));
  sent = 0;
  z.on_room = [&] { fill(z, *z.remote_channel); };
  fill(z, *z.remote_channel);
  ASSERT_TRUE(RunUntil(
      io_, [&] { return a.octets == kOctets; }, seconds(60)));
  // TCP loses nothing: what is sent twice is what a busy machine delayed beyond SCTP's timer.
  const auto after = a.handle.peer().stats();
  EXPECT_LE(after.sctp.retransmitted_chunks * 50, after.sctp.packets_sent);
  EXPECT_GT(after.paths.tcp.bytes_sent, kOctets);
  EXPECT_EQ(after.paths.direct.bytes_received, 0u);
}

TEST_F(IceTcpDriverTest, ServesManyPeersAtOneListener) {
  constexpr size_t kPeers = 12;
  const auto server = OpenDriver();
  const auto client = OpenDriver();
  std::vector<std::unique_ptr<TestPeer>> a;
  std::vector<std::unique_ptr<TestPeer>> z;
  for (size_t i = 0; i < kPeers; ++i) {
    a.push_back(std::make_unique<TestPeer>(*client, With(IceTcp::kActive)));
    z.push_back(std::make_unique<TestPeer>(*server, With(IceTcp::kPassive)));
    a[i]->Open();
    SignalTcp(*a[i], *z[i]);
  }
  ASSERT_TRUE(RunUntil(
      io_, [&] { return std::ranges::all_of(a, [](const auto& peer) { return peer->open_channel.has_value(); }); }));
  for (size_t i = 1; i < kPeers; ++i) {
    EXPECT_EQ(PassivePort(z[i]->handle.peer()), PassivePort(z[0]->handle.peer()));
  }
  for (size_t i = 0; i < kPeers; ++i) ASSERT_TRUE(a[i]->Send(*a[i]->open_channel, {static_cast<uint8_t>(i)}));
  ASSERT_TRUE(
      RunUntil(io_, [&] { return std::ranges::all_of(z, [](const auto& peer) { return !peer->messages.empty(); }); }));
  for (size_t i = 0; i < kPeers; ++i) EXPECT_EQ(z[i]->messages[0].payload[0], i);
}

TEST_F(IceTcpDriverTest, ABrokenConnectionIsOpenedAgainAndNothingIsLost) {  // RFC 6544 §11.1
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left, With(IceTcp::kActive));
  TestPeer z(*right, With(IceTcp::kPassive));
  const auto channel = a.Open();
  Middlebox between(io_, PassivePort(z.handle.peer()));
  SignalTcp(a, z, between.port());
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel && z.remote_channel; }));
  for (uint8_t i = 1; i <= 3; ++i) {
    between.Cut();
    ASSERT_TRUE(a.Send(channel, Bytes(100'000, i)));
    ASSERT_TRUE(z.Send(*z.remote_channel, Bytes(100'000, i)));
    ASSERT_TRUE(RunUntil(io_, [&] { return z.octets == i * 100'000u && a.octets == i * 100'000u; })) << int{i};
    EXPECT_EQ(between.accepted(), i + 1u);
    ASSERT_TRUE(RunUntil(io_, [&] { return z.IsUp() && a.IsUp(); }));
  }
}

TEST_F(IceTcpDriverTest, R9_AHandleThatDiesInItsHandlerSaysGoodbyeOverTcp) {
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left, With(IceTcp::kActive));
  auto z = std::make_unique<TestPeer>(*right, With(IceTcp::kPassive));
  a.Open();
  z->on_event = [&](PeerEvent& event) {
    if (std::holds_alternative<datachannel::event::ChannelOpenedByPeer>(event)) z->handle = {};
  };
  SignalTcp(a, *z);
  ASSERT_TRUE(RunUntil(io_, [&] { return !a.states.empty() && a.states.back() == ConnectionState::kClosed; }));
  EXPECT_EQ(right->peer_count(), 0u);
}

TEST_F(IceTcpDriverTest, I15_StrangersAreClosedForWhatTheySay) {
  const auto driver = OpenDriver();
  TestPeer peer(*driver, With(IceTcp::kPassive));
  const uint16_t port = PassivePort(peer.handle.peer());
  const std::string ufrag = peer.handle.peer().local_ufrag();
  const std::vector<Bytes> wrong = {
      Bytes{0xff, 0xff},                                           // a giant frame
      Framed({'G', 'E', 'T', ' ', '/', ' ', 'H', 'T', 'T', 'P'}),  // not STUN
      Bytes{'S', 'S', 'H', '-', '2', '.', '0', '-'},               // nor a frame
      Check("nobody", "a password of 22 chars"),                   // an unknown ufrag
      Check(ufrag, "a password of 22 chars"),                      // a known one, and a wrong password
  };
  for (const Bytes& octets : wrong) {
    tcp::socket stranger = Stranger(port);
    boost::asio::write(stranger, boost::asio::buffer(octets));
    EXPECT_TRUE(IsClosed(stranger)) << int{octets[2]};
  }
  EXPECT_EQ(driver->stats().tcp_door.checks, 2u);
  EXPECT_EQ(driver->stats().mux.unknown_ufrag, 1u);
  EXPECT_EQ(peer.handle.peer().stats().ice_tcp.accepts, 0u);
}

TEST_F(IceTcpDriverTest, I15_ASlowlorisIsClosedAndKeepsNobodyOut) {
  DriverOptions options = LoopbackOptions();
  options.ice_tcp.door.timeout = milliseconds(500);
  options.ice_tcp.door.max_visitors = 8;
  const auto left = OpenDriver();
  const auto right = OpenDriver(options);
  TestPeer a(*left, With(IceTcp::kActive));
  TestPeer z(*right, With(IceTcp::kPassive));
  a.Open();
  std::vector<tcp::socket> slow;
  for (int i = 0; i < 8; ++i) {
    slow.push_back(Stranger(PassivePort(z.handle.peer())));
    boost::asio::write(slow.back(), boost::asio::buffer(Bytes{0, 100, 0, 1}));
  }
  SignalTcp(a, z);
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value(); }));
  for (auto& socket : slow) EXPECT_TRUE(IsClosed(socket));
  EXPECT_TRUE(a.IsUp());
}

TEST_F(IceTcpDriverTest, I15_OneSourceHasAFewPlaces) {
  DriverOptions options = LoopbackOptions();
  options.ice_tcp.door.max_per_source = 3;
  const auto driver = OpenDriver(options);
  TestPeer peer(*driver, With(IceTcp::kPassive));
  std::vector<tcp::socket> silent;
  for (int i = 0; i < 3; ++i) silent.push_back(Stranger(PassivePort(peer.handle.peer())));
  ASSERT_TRUE(RunUntil(io_, [&] { return driver->stats().tcp_door.visitors == 3; }));
  tcp::socket fourth = Stranger(PassivePort(peer.handle.peer()));
  EXPECT_TRUE(IsClosed(fourth));
  silent.clear();  // they go, and make room
  ASSERT_TRUE(RunUntil(
      io_, [&] { return driver->stats().tcp_door.refused[static_cast<size_t>(ice::TcpRefusal::kGone)] == 3; }));
  const tcp::socket next = Stranger(PassivePort(peer.handle.peer()));
  EXPECT_TRUE(RunUntil(io_, [&] { return driver->stats().tcp_door.visitors == 4; }));
}

TEST_F(IceTcpDriverTest, I15_AStormOfResetsIsSurvived) {
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left, With(IceTcp::kActive));
  TestPeer z(*right, With(IceTcp::kPassive));
  a.Open();
  const uint16_t port = PassivePort(z.handle.peer());
  for (int i = 0; i < 300; ++i) {
    tcp::socket stranger = Stranger(port);
    stranger.set_option(boost::asio::socket_base::linger(true, 0));
    if (i % 3 == 0) boost::asio::write(stranger, boost::asio::buffer(Bytes{0, 100, 0}));
    if (i % 3 == 1) boost::asio::write(stranger, boost::asio::buffer(Check(z.handle.peer().local_ufrag(), "wrong")));
    stranger.close();
    io_.restart();
    if (i % 2 == 0) io_.poll();
  }
  SignalTcp(a, z);
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value(); }));
}

// A peer that names our own listener, or a port of ours that nobody listens at, has us speak to ourselves.
TEST_F(IceTcpDriverTest, I15_AConnectionToAnOwnPortComesToNothing) {
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left, With(IceTcp::kBoth));
  TestPeer z(*right, With(IceTcp::kOff));
  a.Open();
  const auto offer = a.handle.Call([](Peer& p, Timestamp now) { return p.CreateOffer(now); });
  ASSERT_TRUE(z.handle.Call(
      [&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kOffer, OnlyTcp(*offer)); }));
  std::string answer = OnlyTcp(*z.handle.Call([](Peer& p, Timestamp now) { return p.CreateAnswer(now); }));
  for (const uint16_t port : {PassivePort(a.handle.peer()), right->local_addresses()[0].address.port}) {
    answer.insert(answer.find("a=end-of-candidates"),
                  "a=candidate:1 1 TCP 1518280447 127.0.0.1 " + std::to_string(port) + " typ host tcptype passive\r\n");
  }
  ASSERT_TRUE(
      a.handle.Call([&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kAnswer, answer); }));
  ASSERT_TRUE(RunUntil(io_, [&] {
    const auto pairs = a.handle.peer().stats().pairs;
    return pairs.size() == 2 &&
           std::ranges::all_of(pairs, [](const auto& pair) { return pair.state == std::string_view("failed"); });
  }));
  EXPECT_EQ(a.handle.peer().stats().ice_tcp.accepts, 0u);
  EXPECT_FALSE(a.IsUp());
}

TEST_F(IceTcpDriverTest, ListenersFollowTheAddressesOfTheHost) {
  const auto driver = OpenDriver();
  TestPeer peer(*driver, With(IceTcp::kPassive));
  const auto listeners = [](const Peer& of) {
    std::vector<SocketAddress> found;
    for (const ice::Candidate& candidate : of.stats().local_candidates) {
      if (candidate.protocol == ice::TransportProtocol::kTcpPassive) found.push_back(candidate.address);
    }
    return found;
  };
  const auto before = listeners(peer.handle.peer());
  ASSERT_EQ(before.size(), 1u);
  TestPeer told(*driver, With(IceTcp::kPassive));
  ASSERT_TRUE(told.handle.Call([](Peer& p, Timestamp now) { return p.CreateOffer(now); }));
  const IpAddress moved = IpAddress::V4(127, 0, 0, 41);
  driver->SetAddresses({{.address = {moved, 0}}});
  // Who has told its candidates has the new one from its next restart on (RFC 8838 §8), the others at once.
  EXPECT_TRUE(listeners(told.handle.peer()).empty());
  const auto own = listeners(peer.handle.peer());
  ASSERT_EQ(own.size(), 1u);
  EXPECT_EQ(own[0].ip, moved);
  TestPeer next(*driver, With(IceTcp::kPassive));
  const auto after = listeners(next.handle.peer());
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(after[0].ip, moved);
  tcp::socket visitor(io_);
  error_code error;
  visitor.connect({ToAsioAddress(moved), after[0].port}, error);
  EXPECT_FALSE(error) << error.message();
  tcp::socket refused(io_);
  refused.connect({ToAsioAddress(before[0].ip), before[0].port}, error);
  EXPECT_TRUE(error);  // nobody listens there any more
  // Back again: one for each.
  driver->SetAddresses({{.address = {before[0].ip, 0}}, {.address = {moved, 0}}});
  EXPECT_EQ(listeners(TestPeer(*driver, With(IceTcp::kPassive)).handle.peer()).size(), 2u);
}

TEST_F(IceTcpDriverTest, ListensWhereItIsTold) {
  DriverOptions options = LoopbackOptions();
  const auto any = OpenDriver();
  TestPeer first(*any, With(IceTcp::kPassive));
  EXPECT_EQ(PassivePort(first.handle.peer()), any->local_addresses()[0].address.port);  // UDP's
  const uint16_t taken = PassivePort(first.handle.peer());
  options.ice_tcp.ports = {taken, static_cast<uint16_t>(taken + 20)};
  const auto next = OpenDriver(options);
  TestPeer second(*next, With(IceTcp::kPassive));
  EXPECT_GT(PassivePort(second.handle.peer()), taken);
  EXPECT_LE(PassivePort(second.handle.peer()), taken + 20);
  TestPeer third(*next, With(IceTcp::kActive));
  EXPECT_EQ(PassivePort(third.handle.peer()), 0u);
}

}  // namespace
}  // namespace jsp::transport::io
