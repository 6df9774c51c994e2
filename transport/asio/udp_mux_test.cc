#include "transport/asio/udp_mux.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>

#include "transport/asio/loop_test_support.h"

namespace jsp::transport::io {
namespace {

// A Binding message with a USERNAME, without integrity: routing does not authenticate, peers do.
std::vector<uint8_t> Binding(uint8_t class_high, const std::string& username, uint8_t id = 1) {
  std::vector<uint8_t> m{class_high, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
  m.resize(20, id);
  if (username.empty()) return m;
  m.insert(m.end(), {0, 6, 0, static_cast<uint8_t>(username.size())});
  m.insert(m.end(), username.begin(), username.end());
  m.resize((m.size() + 3) / 4 * 4);
  m[3] = static_cast<uint8_t>(m.size() - 20);
  return m;
}

class UdpMuxTest : public ::testing::Test {
 protected:
  std::unique_ptr<UdpMux> Open(const UdpMux::Options& options = {}, size_t sockets = 1) {
    std::vector<LocalAddress> addresses;
    for (size_t i = 0; i < sockets; ++i) {
      addresses.push_back({.address = {IpAddress::V4(127, 0, 0, static_cast<uint8_t>(i + 1)), 0}});
    }
    auto opened = UdpMux::Open(io_.get_executor(), addresses, options);
    EXPECT_TRUE(opened) << opened.error().message();
    return std::move(*opened);
  }
  UdpMux::Key Key(int& peer) { return &peer; }

  boost::asio::io_context io_;
  int p_ = 0;
  int q_ = 0;
  const SocketAddress remote_{IpAddress::V4(192, 0, 2, 7), 700};
  const std::vector<uint8_t> data_{22, 0xfe, 0xfd, 0};
};

TEST_F(UdpMuxTest, AllAddressesShareOnePortWhereItIsFree) {
  const auto mux = Open({}, 3);
  ASSERT_EQ(mux->local_addresses().size(), 3u);
  EXPECT_EQ(mux->local_addresses()[0].address.port, mux->local_addresses()[2].address.port);
  EXPECT_EQ(mux->FindSocket(mux->local_addresses()[1].address), 1u);
  EXPECT_EQ(mux->FindSocket(remote_), std::nullopt);
}

TEST_F(UdpMuxTest, PortRangeTakesTheFirstFreePortAndFailsWhenAllAreTaken) {
  const auto probe = Open();
  const uint16_t port = probe->local_addresses()[0].address.port;
  if (port == 65535) GTEST_SKIP() << "the kernel chose the last port";
  UdpMux::Options options;
  options.ports = {port, port};
  const std::vector<LocalAddress> addresses{{.address = {IpAddress::V4(127, 0, 0, 1), 0}}};
  EXPECT_FALSE(UdpMux::Open(io_.get_executor(), addresses, options));
  options.ports = {port, 65535};
  const auto next = UdpMux::Open(io_.get_executor(), addresses, options);
  ASSERT_TRUE(next);
  EXPECT_GT((*next)->local_addresses()[0].address.port, port);
}

TEST_F(UdpMuxTest, RoutesAFirstRequestByItsUfragAndLaterDatagramsByAddress) {
  const auto mux = Open();
  ASSERT_TRUE(mux->AddPeer(Key(p_), "abcd"));
  ASSERT_TRUE(mux->AddPeer(Key(q_), "efgh"));
  EXPECT_FALSE(mux->AddPeer(Key(q_), "abcd"));
  const auto first = mux->Find(0, remote_, Binding(0, "abcd:zz"));
  EXPECT_EQ(first.peer, Key(p_));
  EXPECT_TRUE(first.is_new);
  EXPECT_EQ(mux->Find(0, remote_, data_).peer, nullptr);  // no route before authentication
  mux->AddRoute(Key(p_), 0, remote_);
  EXPECT_EQ(mux->Find(0, remote_, data_).peer, Key(p_));
  EXPECT_FALSE(mux->Find(0, remote_, Binding(0, "abcd:zz")).is_new);
  EXPECT_EQ(mux->stats().unknown_source, 1u);
}

TEST_F(UdpMuxTest, ANewSessionOfAKnownAddressIsFoundByItsUfrag) {
  const auto mux = Open();
  mux->AddPeer(Key(p_), "abcd");
  mux->AddPeer(Key(q_), "efgh");
  mux->AddRoute(Key(p_), 0, remote_);
  const auto match = mux->Find(0, remote_, Binding(0, "efgh:zz"));
  EXPECT_EQ(match.peer, Key(q_));
  EXPECT_EQ(match.holder, Key(p_));
  EXPECT_TRUE(match.is_new);
}

TEST_F(UdpMuxTest, I1_UnknownUfragsAreCountedAndRoutedNowhere) {
  const auto mux = Open();
  mux->AddPeer(Key(p_), "abcd");
  for (const char* name : {"nobody:abcd", "abcde:x", "abc", ":abcd", ""}) {
    EXPECT_EQ(mux->Find(0, remote_, Binding(0, name)).peer, nullptr) << name;
  }
  EXPECT_EQ(mux->stats().unknown_ufrag, 5u);
}

TEST_F(UdpMuxTest, SocketsComeAndGoAndTakeTheirRoutesWithThem) {
  const auto mux = Open({}, 2);
  const SocketAddress first = mux->local_addresses()[0].address;
  mux->AddPeer(Key(p_), "abcd");
  mux->AddRoute(Key(p_), 0, remote_);
  mux->AddRoute(Key(p_), 1, remote_);
  mux->RemoveSocket(0);
  EXPECT_FALSE(mux->IsOpen(0));
  EXPECT_EQ(mux->route_count(), 1u);
  EXPECT_EQ(mux->FindSocket(first), std::nullopt);
  EXPECT_EQ(mux->Find(1, remote_, data_).peer, Key(p_)) << "the other socket's are not touched";
  const uint16_t port = mux->local_addresses()[1].address.port;
  const auto added = mux->AddSocket(io_.get_executor(), {.address = {IpAddress::V4(127, 0, 0, 9), port}});
  ASSERT_TRUE(added);
  EXPECT_EQ(*added, 0u) << "the free place is taken";
  EXPECT_TRUE(mux->IsOpen(0));
  EXPECT_EQ(mux->local_addresses()[0].address.port, port);
  const auto taken = mux->AddSocket(io_.get_executor(), {.address = {IpAddress::V4(127, 0, 0, 9), port}});
  ASSERT_TRUE(taken);
  EXPECT_NE(mux->local_addresses()[*taken].address.port, port) << "the port that was asked for is taken";
  EXPECT_EQ(mux->Find(0, remote_, data_).peer, nullptr);
  size_t peers = 0;
  mux->ForEachPeer([&](UdpMux::Key) { ++peers; });
  EXPECT_EQ(peers, 1u);
  mux->RemovePeer(Key(p_));
  EXPECT_EQ(mux->route_count(), 0u);
}

TEST_F(UdpMuxTest, ASocketThatComesLaterStaysInThePortRange) {
  UdpMux::Options options;
  options.ports = {47810, 47812};
  const auto mux = Open(options, 1);
  const LocalAddress address{.address = {mux->local_addresses()[0].address.ip, 0}};
  while (const auto added = mux->AddSocket(io_.get_executor(), address)) {
    EXPECT_TRUE(options.ports.Contains(mux->local_addresses()[*added].address.port));
    ASSERT_LE(mux->socket_count(), 3u);
  }
}

TEST_F(UdpMuxTest, I14_ARestartedPeerIsFoundByItsLastUfragsOnly) {  // RFC 8445 §9
  const auto mux = Open();
  EXPECT_FALSE(mux->AddUfrag(Key(p_), "gen0")) << "not a peer";
  mux->AddPeer(Key(p_), "gen0");
  mux->AddPeer(Key(q_), "other");
  EXPECT_FALSE(mux->AddUfrag(Key(p_), "other"));
  for (int i = 1; i <= 100; ++i) ASSERT_TRUE(mux->AddUfrag(Key(p_), "gen" + std::to_string(i)));
  const auto finds = [&](int i) {
    return mux->Find(0, remote_, Binding(0, "gen" + std::to_string(i) + ":zz")).peer == Key(p_);
  };
  EXPECT_TRUE(finds(100) && finds(99) && finds(98));
  EXPECT_FALSE(finds(97) || finds(0));
  mux->RemovePeer(Key(p_));
  EXPECT_FALSE(finds(100));
}

TEST_F(UdpMuxTest, AResponseFindsItsRequestAndOnlyIt) {
  const auto mux = Open();
  mux->AddPeer(Key(p_), "abcd");
  mux->NoteSent(Key(p_), 0, remote_, Binding(0, "", 5));
  EXPECT_EQ(mux->Find(0, remote_, Binding(1, "", 5)).peer, Key(p_));
  EXPECT_EQ(mux->Find(0, remote_, Binding(1, "", 6)).peer, nullptr);
  mux->RemovePeer(Key(p_));
  EXPECT_EQ(mux->Find(0, remote_, Binding(1, "", 5)).peer, nullptr);
}

TEST_F(UdpMuxTest, RemovingAPeerRemovesItsRoutesOnly) {
  const auto mux = Open();
  const SocketAddress other{IpAddress::V4(192, 0, 2, 8), 700};
  mux->AddPeer(Key(p_), "abcd");
  mux->AddPeer(Key(q_), "efgh");
  mux->AddRoute(Key(p_), 0, remote_);
  mux->AddRoute(Key(p_), 0, other);
  mux->AddRoute(Key(q_), 0, other);  // took it over
  EXPECT_EQ(mux->route_count(), 2u);
  mux->RemovePeer(Key(p_));
  EXPECT_EQ(mux->route_count(), 1u);
  EXPECT_EQ(mux->Find(0, remote_, data_).peer, nullptr);
  EXPECT_EQ(mux->Find(0, other, data_).peer, Key(q_));
  EXPECT_TRUE(mux->AddPeer(Key(p_), "abcd"));
}

TEST_F(UdpMuxTest, RoutesAndPendingRequestsAreBounded) {
  UdpMux::Options options;
  options.max_routes_per_peer = 2;
  options.max_pending_requests = 2;
  const auto mux = Open(options);
  mux->AddPeer(Key(p_), "abcd");
  for (uint8_t i = 1; i <= 4; ++i) {
    mux->AddRoute(Key(p_), 0, {IpAddress::V4(192, 0, 2, i), 1});
    mux->NoteSent(Key(p_), 0, {IpAddress::V4(198, 51, 100, 1), 1}, Binding(0, "", i));
  }
  EXPECT_EQ(mux->route_count(), 2u);
  EXPECT_EQ(mux->stats().routes_refused, 2u);
  EXPECT_EQ(mux->Find(0, remote_, Binding(1, "", 1)).peer, nullptr);  // forgotten
  EXPECT_EQ(mux->Find(0, remote_, Binding(1, "", 4)).peer, Key(p_));
}

TEST_F(UdpMuxTest, ShortAndBrokenDatagramsAreRoutedNowhere) {
  const auto mux = Open();
  mux->AddPeer(Key(p_), "abcd");
  const auto whole = Binding(0, "abcd:zz");
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(mux->Find(0, remote_, std::span(whole).first(size)).peer, nullptr) << size;
  }
}

}  // namespace
}  // namespace jsp::transport::io
