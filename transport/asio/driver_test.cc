#include "transport/asio/driver.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/ip/udp.hpp>

#include "transport/asio/endpoint.h"
#include "transport/asio/loop_test_support.h"
#include "transport/asio/nat64_lookup.h"

namespace jsp::transport::io {
namespace {

using testing::LoopbackOptions;
using testing::RunUntil;
using testing::Signal;
using testing::TestPeer;

class DriverTest : public ::testing::Test {
 protected:
  std::shared_ptr<Driver> OpenDriver(Duration busy_poll = {}) {
    DriverOptions options = LoopbackOptions();
    options.busy_poll = busy_poll;
    auto opened = Driver::Open(io_.get_executor(), options);
    EXPECT_TRUE(opened) << opened.error().message();
    return *opened;
  }
  boost::asio::io_context io_;
};

TEST_F(DriverTest, ConnectsTwoPeersOverLoopbackAndCarriesAMessage) {
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left);
  TestPeer z(*right);
  const auto channel = a.Open("hello");
  Signal(a, z);
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value() && z.remote_channel.has_value(); }));
  ASSERT_TRUE(a.Send(channel, {1, 2, 3}));
  ASSERT_TRUE(RunUntil(io_, [&] { return !z.messages.empty(); }));
  EXPECT_EQ(z.messages[0].payload, (std::vector<uint8_t>{1, 2, 3}));
  EXPECT_EQ(left->stats().sockets.send_errors, 0u);
}

TEST_F(DriverTest, PeersGoOnWhenTheirHostIsRenumbered) {
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left);
  TestPeer z(*right);
  const auto channel = a.Open("hello");
  Signal(a, z);
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value() && z.remote_channel.has_value(); }));
  ASSERT_TRUE(RunUntil(io_, [&] { return a.handle.peer().state() == ConnectionState::kCompleted; }));
  size_t expected = 0;
  for (const auto& driver : {left, right, left}) {
    const IpAddress fresh = IpAddress::V4(127, 0, 0, static_cast<uint8_t>(10 + expected));
    driver->SetAddresses({{.address = {fresh, 0}}});
    EXPECT_EQ(driver->stats().network_changes % 2, 0u) << "one socket came, one went";
    ASSERT_TRUE(a.Send(channel, {1}));
    ++expected;
    ASSERT_TRUE(RunUntil(io_, [&] { return z.messages.size() == expected; })) << expected;
    TestPeer& moved = driver == left ? a : z;
    EXPECT_EQ(moved.handle.peer().stats().selected_pair->local.base.ip, fresh);
  }
  left->SetAddresses({{.address = {IpAddress::V4(127, 0, 0, 12), 0}}});
  EXPECT_EQ(left->stats().network_changes, 4u) << "nothing new, nothing done";
}

TEST_F(DriverTest, FreshSocketsGoWithTheirAddressAndAreNeverShared) {
  const auto driver = OpenDriver();
  const auto open_sockets = [&] {
    return std::ranges::count_if(driver->local_addresses(), [](const LocalAddress& l) { return l.address.port != 0; });
  };
  const auto candidates_of_another = [&] { return TestPeer(*driver).handle.peer().stats().local_candidates.size(); };
  TestPeer fresh(*driver);
  ASSERT_TRUE(fresh.handle.AddFreshSockets());
  EXPECT_EQ(open_sockets(), 2);
  const IpAddress moved = IpAddress::V4(127, 0, 0, 21);
  driver->SetAddresses({{.address = {IpAddress::V4(127, 0, 0, 1), 0}}, {.address = {moved, 0}}});
  EXPECT_EQ(open_sockets(), 3);
  EXPECT_EQ(candidates_of_another(), 2u);
  driver->SetAddresses({{.address = {moved, 0}}});
  EXPECT_EQ(open_sockets(), 1);
  EXPECT_EQ(candidates_of_another(), 1u);
  TestPeer next(*driver);
  EXPECT_TRUE(next.handle.AddFreshSockets()) << "the set that lost its sockets is opened anew";
  EXPECT_EQ(open_sockets(), 2);
}

TEST_F(DriverTest, ASocketMayGoInsideAHandler) {
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left);
  TestPeer z(*right);
  const auto channel = a.Open("hello");
  z.on_event = [&](PeerEvent& event) {
    if (!std::holds_alternative<datachannel::event::ChannelOpenedByPeer>(event)) return;
    right->SetAddresses({{.address = {IpAddress::V4(127, 0, 0, 31), 0}}});
  };
  Signal(a, z);
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value() && z.remote_channel.has_value(); }));
  ASSERT_TRUE(a.Send(channel, {1}));
  ASSERT_TRUE(RunUntil(io_, [&] { return !z.messages.empty(); }));
}

TEST_F(DriverTest, APeerIsFoundByTheNamesOfItsHost) {  // RFC 6762 §6
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  PeerOptions hidden = testing::TestPeerOptions();
  hidden.hosts = HostExposure::kNames;
  // One side's candidates are names, the other's check comes first: it needs the name.
  TestPeer a(*left, hidden);
  TestPeer z(*right, hidden);
  const auto channel = a.Open("hello");
  Signal(a, z);
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value() && z.remote_channel.has_value(); }));
  ASSERT_TRUE(a.Send(channel, {1}));
  ASSERT_TRUE(RunUntil(io_, [&] { return !z.messages.empty(); }));
}

TEST_F(DriverTest, TheWatchOpensAndEndsWithItsDriver) {
  DriverOptions options;
  options.interfaces.include_loopback = true;
  auto driver = Driver::Open(io_.get_executor(), options);
  ASSERT_TRUE(driver);
  io_.poll();
  driver->reset();
  io_.restart();
  io_.poll();
  EXPECT_TRUE(io_.stopped()) << "nothing keeps the loop alive";
}

TEST_F(DriverTest, ConnectsFastBecauseNothingWaitsForAFixedTime) {
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left);
  TestPeer z(*right);
  a.Open();
  Signal(a, z);
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value(); }));
  const auto timings = a.handle.peer().stats().timings;
  ASSERT_TRUE(timings.sctp_connected);
  // Handshakes take a few milliseconds; one protocol timer (50 ms or more) in the way would show even on a busy
  // machine.
  EXPECT_LT(*timings.sctp_connected, std::chrono::seconds(2));
}

TEST_F(DriverTest, ServesManyPeersOnOnePort) {
  constexpr size_t kPeers = 12;
  const auto server = OpenDriver();
  ASSERT_EQ(server->local_addresses().size(), 1u);
  std::vector<std::shared_ptr<Driver>> drivers;
  std::vector<std::unique_ptr<TestPeer>> clients;
  std::vector<std::unique_ptr<TestPeer>> served;
  for (size_t i = 0; i < kPeers; ++i) {
    drivers.push_back(OpenDriver());
    clients.push_back(std::make_unique<TestPeer>(*drivers.back()));
    served.push_back(std::make_unique<TestPeer>(*server));
    clients[i]->Open();
    Signal(*clients[i], *served[i]);
  }
  EXPECT_EQ(server->peer_count(), kPeers);
  ASSERT_TRUE(RunUntil(
      io_, [&] { return std::ranges::all_of(clients, [](const auto& c) { return c->open_channel.has_value(); }); }));
  for (size_t i = 0; i < kPeers; ++i) {
    ASSERT_TRUE(clients[i]->Send(*clients[i]->open_channel, {static_cast<uint8_t>(i)}));
  }
  ASSERT_TRUE(
      RunUntil(io_, [&] { return std::ranges::all_of(served, [](const auto& s) { return !s->messages.empty(); }); }));
  for (size_t i = 0; i < kPeers; ++i) EXPECT_EQ(served[i]->messages[0].payload[0], i);
  served.clear();
  EXPECT_EQ(server->peer_count(), 0u);
}

TEST_F(DriverTest, R9_DestroyingAHandleInsideItsOwnHandlerIsSafeAndTellsTheOtherSide) {
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left);
  auto z = std::make_unique<TestPeer>(*right);
  a.Open();
  z->on_event = [&](PeerEvent& event) {
    if (!std::holds_alternative<datachannel::event::ChannelOpenedByPeer>(event)) return;
    z->handle = {};
  };
  Signal(a, *z);
  ASSERT_TRUE(RunUntil(io_, [&] { return !a.states.empty() && a.states.back() == ConnectionState::kClosed; }));
  EXPECT_EQ(right->peer_count(), 0u);
}

TEST_F(DriverTest, R9_DestroyingTheObserverAndTheDriverInsideAHandlerIsSafe) {
  const auto left = OpenDriver();
  auto right = OpenDriver();
  TestPeer a(*left);
  auto z = std::make_unique<TestPeer>(*right);
  bool destroyed = false;
  a.Open();
  z->on_event = [&](PeerEvent& event) {
    if (!std::holds_alternative<event::StateChanged>(event) || !z->IsUp()) return;
    destroyed = true;
    right.reset();
    auto doomed = std::move(z);
    auto handler = std::move(doomed->on_event);  // the closure itself must outlive its own call
    doomed.reset();
  };
  Signal(a, *z);
  ASSERT_TRUE(RunUntil(io_, [&] { return !a.states.empty() && a.states.back() == ConnectionState::kClosed; }));
  EXPECT_TRUE(destroyed);
}

TEST_F(DriverTest, R9_APeerDestroyedWhileItsEventsWaitHearsNothingMore) {
  const auto driver = OpenDriver();
  auto a = std::make_unique<TestPeer>(*driver);  // its candidates are reported in a turn to come
  a.reset();
  io_.poll();
  EXPECT_EQ(driver->peer_count(), 0u);
}

TEST_F(DriverTest, WaitForRoomTellsWhenTheQueueHasDrained) {
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  PeerOptions small = testing::TestPeerOptions();
  small.sctp.max_send_buffer = 128 * 1024;
  TestPeer a(*left, small);
  TestPeer z(*right);
  const auto channel = a.Open();
  Signal(a, z);
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value(); }));
  constexpr size_t kMessage = 16 * 1024;
  constexpr size_t kTotal = 4 * 1024 * 1024;
  size_t sent = 0;
  size_t waits = 0;
  const auto fill = [&] {
    while (sent < kTotal && a.handle.peer().send_buffer_room() >= kMessage) {
      ASSERT_TRUE(a.Send(channel, std::vector<uint8_t>(kMessage, 7)));
      sent += kMessage;
    }
    if (sent < kTotal) {
      ++waits;
      a.handle.WaitForRoom(kMessage);
    }
  };
  a.on_room = fill;
  fill();
  ASSERT_TRUE(RunUntil(io_, [&] { return z.octets == kTotal; }));
  EXPECT_GT(waits, 1u);
}

// What comes while the loop still polls is read without a sleep; however long it may poll, others of the loop get their
// turn.
TEST_F(DriverTest, BusyPollingReadsWhatComesSoonWithoutASleep) {
  const auto left = OpenDriver();
  const auto right = OpenDriver(std::chrono::hours(1));
  TestPeer a(*left);
  TestPeer z(*right);
  const auto channel = a.Open();
  Signal(a, z);
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value() && z.remote_channel.has_value(); }));
  boost::asio::ip::udp::socket stranger(io_, boost::asio::ip::udp::endpoint(boost::asio::ip::udp::v4(), 0));
  const uint16_t port = right->local_addresses()[0].address.port;
  const std::array<uint8_t, 14> record{22, 0xfe, 0xfd};
  z.on_event = [&](PeerEvent& event) {
    if (!std::holds_alternative<datachannel::event::MessagesWaiting>(event)) return;
    stranger.send_to(boost::asio::buffer(record), {boost::asio::ip::address_v4::loopback(), port});
  };
  constexpr uint64_t kMessages = 20;
  const DriverStats before = right->stats();
  for (uint64_t i = 1; i <= kMessages; ++i) {
    ASSERT_TRUE(a.Send(channel, {1}));
    ASSERT_TRUE(RunUntil(io_, [&] { return right->stats().mux.unknown_source == i; }));
  }
  const DriverStats after = right->stats();
  EXPECT_GE(after.sockets.datagrams_received - before.sockets.datagrams_received, 2 * kMessages);
  EXPECT_LE(after.waits - before.waits, kMessages + kMessages / 4);
}

TEST_F(DriverTest, StrangersAreCountedAndAnsweredWithNothing) {
  const auto driver = OpenDriver();
  TestPeer a(*driver);
  boost::asio::ip::udp::socket stranger(io_, boost::asio::ip::udp::endpoint(boost::asio::ip::udp::v4(), 0));
  const auto target = driver->local_addresses()[0].address;
  const boost::asio::ip::udp::endpoint to(boost::asio::ip::address_v4::loopback(), target.port);
  const std::array<uint8_t, 20> binding{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3};  // without USERNAME
  const std::array<uint8_t, 14> record{22, 0xfe, 0xfd};
  stranger.send_to(boost::asio::buffer(binding), to);
  stranger.send_to(boost::asio::buffer(record), to);
  ASSERT_TRUE(RunUntil(io_, [&] { return driver->stats().sockets.datagrams_received == 2; }));
  EXPECT_EQ(driver->stats().mux.unknown_ufrag, 1u);
  EXPECT_EQ(driver->stats().mux.unknown_source, 1u);
  EXPECT_EQ(driver->stats().sockets.datagrams_sent, 0u);
}

TEST_F(DriverTest, P20_AStormOfUnknownUfragsCostsNoMessageAndGetsNoAnswer) {
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left);
  TestPeer z(*right);
  const auto channel = a.Open();
  Signal(a, z);
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value(); }));
  boost::asio::ip::udp::socket stranger(io_, boost::asio::ip::udp::endpoint(boost::asio::ip::udp::v4(), 0));
  const boost::asio::ip::udp::endpoint to(boost::asio::ip::address_v4::loopback(),
                                          right->local_addresses()[0].address.port);
  std::array<uint8_t, 36> binding{0, 1, 0, 16, 0x21, 0x12, 0xa4, 0x42};
  const std::array<uint8_t, 13> username{0, 6, 0, 9, 'n', 'o', 'b', 'o', ':', 'a', 'b', 'c', 'd'};
  std::ranges::copy(username, binding.begin() + 20);
  constexpr uint8_t kRounds = 100, kStrangers = 50;
  for (uint8_t round = 0; round < kRounds; ++round) {
    for (uint8_t i = 0; i < kStrangers; ++i) {
      binding[8] = round;
      binding[24] = i;
      stranger.send_to(boost::asio::buffer(binding), to);
    }
    ASSERT_TRUE(a.Send(channel, {round}));
    ASSERT_TRUE(RunUntil(io_, [&] { return z.messages.size() > round; }));
  }
  EXPECT_EQ(right->stats().mux.unknown_ufrag, uint64_t{kRounds} * kStrangers);
  EXPECT_EQ(stranger.available(), 0u);
}

TEST_F(DriverTest, GathersReflexiveCandidatesThroughASharedPort) {
  // A STUN server that answers with an address that nobody has, so that the candidate is not redundant.
  boost::asio::ip::udp::socket server(io_, boost::asio::ip::udp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  std::array<uint8_t, 1500> request;
  boost::asio::ip::udp::endpoint from;
  std::array<uint8_t, 32> response{1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42};
  std::function<void()> serve = [&] {
    server.async_receive_from(boost::asio::buffer(request), from, [&](boost::system::error_code error, size_t size) {
      if (error || size < 20) return;
      std::copy_n(request.begin() + 8, 12, response.begin() + 8);
      const std::array<uint8_t, 12> mapped{0,           0x20,        0,          8,    0,        1,
                                           0x21 ^ 0x12, 0x12 ^ 0x34, 0x21 ^ 192, 0x12, 0xa4 ^ 2, 0x42 ^ 9};
      std::ranges::copy(mapped, response.begin() + 20);
      server.send_to(boost::asio::buffer(response), from);
      serve();
    });
  };
  serve();
  const auto driver = OpenDriver();
  PeerOptions options = testing::TestPeerOptions();
  options.stun_servers = {{IpAddress::V4(127, 0, 0, 1), server.local_endpoint().port()}};
  TestPeer a(*driver, options);
  TestPeer b(*driver, options);
  ASSERT_TRUE(RunUntil(io_, [&] { return !a.handle.peer().is_gathering() && !b.handle.peer().is_gathering(); }));
  for (const TestPeer* peer : {&a, &b}) {
    const auto candidates = peer->handle.peer().stats().local_candidates;
    ASSERT_EQ(candidates.size(), 2u);
    EXPECT_EQ(candidates[1].address.ToString(), "192.0.2.9:4660");
  }
}

TEST_F(DriverTest, P16_AStunServerThatRefusesDoesNotDelayTheEndOfGathering) {  // RFC 8489 §6.3.4
  SocketAddress closed;
  {
    boost::asio::ip::udp::socket gone(io_, boost::asio::ip::udp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    closed = FromEndpoint(gone.local_endpoint());
  }
  const auto driver = OpenDriver();
  PeerOptions options = testing::TestPeerOptions();
  options.stun_servers = {closed};
  options.stun_retransmit.rto = std::chrono::seconds(60);  // neither timer ends it within the test's patience
  options.gathering_timeout = std::chrono::seconds(60);
  TestPeer a(*driver, options);
  EXPECT_TRUE(RunUntil(io_, [&] { return !a.handle.peer().is_gathering(); }));
  EXPECT_GT(driver->stats().sockets.network_errors, 0u);
}

TEST_F(DriverTest, FindsThePathMtuOverRealSockets) {  // RFC 8899 §6.2.3
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  PeerOptions options = testing::TestPeerOptions();
  options.sctp.max_path_mtu = 9000;
  TestPeer a(*left, options);
  TestPeer z(*right);
  const auto channel = a.Open();
  Signal(a, z);
  const auto sctp = [](const TestPeer& peer) { return peer.handle.peer().stats().sctp; };
  ASSERT_TRUE(RunUntil(io_, [&] {
    return sctp(a).path_mtu_state == sctp::PathMtuState::kSearchComplete &&
           sctp(z).path_mtu_state == sctp::PathMtuState::kSearchComplete && a.open_channel.has_value();
  }));
  EXPECT_EQ(sctp(a).packet_size, (9000u - 65) & ~3u);
  EXPECT_EQ(sctp(z).packet_size, (1500u - 65) & ~3u);
  ASSERT_TRUE(a.Send(channel, std::vector<uint8_t>(200000, 7)));
  ASSERT_TRUE(RunUntil(io_, [&] { return z.octets == 200000; }));
}

TEST_F(DriverTest, LooksForANat64OnlyWhereThereIsIpv6Alone) {  // RFC 7050 §3
  const auto at = [](const char* ip) { return LocalAddress{.address = {*IpAddress::Parse(ip), 5000}}; };
  EXPECT_TRUE(HasOnlyIpv6(std::vector{at("2001:db8::1")}));
  EXPECT_TRUE(HasOnlyIpv6(std::vector{at("2001:db8::1"), at("127.0.0.1"), at("169.254.0.1")}));
  EXPECT_FALSE(HasOnlyIpv6(std::vector{at("2001:db8::1"), at("192.0.2.1")}));
  EXPECT_FALSE(HasOnlyIpv6(std::vector{at("::1"), at("fe80::1")}));
  EXPECT_FALSE(HasOnlyIpv6({}));

  bool is_done = false;
  OpenDriver()->FindNat64(std::chrono::seconds(3), [&](std::optional<Nat64Prefix> prefix) { is_done = !prefix; });
  EXPECT_TRUE(is_done);  // without a look-up
}

TEST_F(DriverTest, ARestartBringsFreshSocketsIntoPlay) {  // RFC 8445 §9
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left);
  TestPeer z(*right);
  const auto channel = a.Open("hello");
  Signal(a, z);
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value() && z.remote_channel.has_value(); }));
  ASSERT_TRUE(a.handle.AddFreshSockets());
  ASSERT_TRUE(a.handle.Call([](Peer& p, Timestamp now) { return p.RestartIce(now); }));
  const auto hosts = a.handle.peer().stats().local_candidates;
  ASSERT_EQ(hosts.size(), 2u);
  EXPECT_EQ(hosts[0].address.ip, hosts[1].address.ip);
  EXPECT_NE(hosts[0].address.port, hosts[1].address.port);
  Signal(a, z);
  ASSERT_TRUE(a.Send(channel, {1, 2, 3}));
  ASSERT_TRUE(RunUntil(io_, [&] { return !z.messages.empty() && a.IsUp() && z.IsUp(); }));

  TestPeer other(*left);  // the others go on with what is shared
  EXPECT_EQ(other.handle.peer().stats().local_candidates.size(), 1u);
  for (int set = 1; set < 4; ++set) EXPECT_TRUE(a.handle.AddFreshSockets());
  EXPECT_FALSE(a.handle.AddFreshSockets());
  EXPECT_TRUE(other.handle.AddFreshSockets());
  EXPECT_EQ(left->local_addresses().size(), 1u + 4u);  // which they share
}

TEST_F(DriverTest, HearsOfNoNat64OnceAndInTime) {
  // Whatever this machine's resolver says; the answer comes once, at the deadline at the latest.
  int answers = 0;
  LookUpNat64(io_.get_executor(), std::chrono::milliseconds(200), [&](std::optional<Nat64Prefix>) { ++answers; });
  EXPECT_TRUE(RunUntil(
      io_, [&] { return answers > 0; }, std::chrono::seconds(5)));
  io_.restart();
  io_.run_for(std::chrono::milliseconds(300));
  EXPECT_EQ(answers, 1);
}

}  // namespace
}  // namespace jsp::transport::io
