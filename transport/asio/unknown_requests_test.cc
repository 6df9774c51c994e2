#include "transport/asio/unknown_requests.h"

#include <gtest/gtest.h>

#include "ice/credentials.h"
#include "ice/stun_attributes.h"
#include "test/support/allocations.h"
#include "transport/asio/loop_test_support.h"

namespace jsp::transport::io {
namespace {

using namespace std::chrono_literals;
using testing::LoopbackOptions;
using testing::RunUntil;
using testing::TestPeer;
using testing::TestPeerOptions;

const Timestamp kNow = Timestamp::FromEpoch(100s);
const SocketAddress kLocal{IpAddress::V4(192, 0, 2, 1), 5000};

SocketAddress Source(uint32_t host) { return {IpAddress::V4(0x0a000000 + host), 700}; }

std::vector<uint8_t> Check(const std::string& username, const std::string& pwd = "0123456789012345678901") {
  std::vector<uint8_t> out(ice::kMaxMessageSize);
  const ice::CheckContent content{{}, username, 1234, {ice::Role::kControlling, 99}, true};
  out.resize(ice::WriteCheck(out, content, crypto::HmacSha1Key(crypto::AsBytes(pwd))));
  return out;
}

class UnknownRequestsTest : public ::testing::Test {
 protected:
  Rng rng_ = Rng::FromNumber(5);
};

TEST_F(UnknownRequestsTest, TellsWhoAsksForWhomAndHow) {  // RFC 8445 §7.2.2
  UnknownRequests requests({}, rng_);
  const auto check = Check("wanted:asking");
  requests.Handle(kNow, kLocal, Source(1), check);
  ASSERT_TRUE(requests.HasWaiting());
  const auto request = requests.Poll();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->local, kLocal);
  EXPECT_EQ(request->remote, Source(1));
  EXPECT_EQ(request->ufrag, "wanted");
  EXPECT_EQ(request->remote_ufrag, "asking");
  EXPECT_EQ(request->priority, 1234u);
  EXPECT_EQ(request->remote_role, ice::Role::kControlling);
  EXPECT_TRUE(request->use_candidate);
  EXPECT_EQ(request->datagram, check);
  EXPECT_FALSE(requests.Poll());
}

TEST_F(UnknownRequestsTest, I1_WhatIsNoWholeCheckIsNotTold) {  // RFC 8445 §7.1, RFC 8839 §5.4
  UnknownRequests requests({}, rng_);
  const auto good = Check("wanted:asking");
  size_t bad = 0;
  const auto expect_refused = [&](std::span<const uint8_t> octets) {
    requests.Handle(kNow, kLocal, Source(1), octets);
    EXPECT_EQ(requests.stats().not_a_check, ++bad);
  };
  for (size_t size = 0; size < good.size(); ++size) expect_refused(std::span(good).first(size));
  for (size_t at = 0; at < good.size(); ++at) {  // FINGERPRINT
    auto broken = good;
    broken[at] ^= 0x40;
    expect_refused(broken);
  }
  for (const char* name :
       {"wanted", ":asking", "wanted:", "abc:asking", "wanted:abc", "wan ted:asking", "wänted:asking"}) {
    expect_refused(Check(name));
  }
  expect_refused(Check(std::string(257, 'a') + ":asking"));
  std::vector<uint8_t> response(ice::kMaxMessageSize);
  response.resize(ice::WriteSuccess(response, {}, kLocal, crypto::HmacSha1Key(crypto::AsBytes(std::string_view("k")))));
  expect_refused(response);
  EXPECT_FALSE(requests.HasWaiting());
  requests.Handle(kNow, kLocal, Source(1), good);
  EXPECT_TRUE(requests.HasWaiting()) << "garbage took nothing of the limits";
}

TEST_F(UnknownRequestsTest, P20_ASourceThatAsksTooOftenTakesNothingFromOthers) {
  UnknownRequests requests({.per_source_per_second = 2, .per_second = 1000, .max_waiting = 1000}, rng_);
  const auto check = Check("wanted:asking");
  for (int i = 0; i < 5000; ++i) requests.Handle(kNow, kLocal, Source(1), check);
  EXPECT_EQ(requests.stats().admitted, 20u);
  EXPECT_EQ(requests.stats().source_limited, 4980u);
  requests.Handle(kNow, kLocal, Source(2), check);
  EXPECT_EQ(requests.stats().admitted, 21u);
  requests.Handle(kNow + 500ms, kLocal, Source(1), check);
  EXPECT_EQ(requests.stats().admitted, 22u);
  const auto v6 = [](const char* ip) { return SocketAddress{*IpAddress::Parse(ip), 7}; };
  for (int i = 0; i < 100; ++i) requests.Handle(kNow, kLocal, v6(i % 2 ? "2001:db8::1" : "2001:db8::2"), check);
  EXPECT_EQ(requests.stats().admitted, 42u) << "one /64 is one source";
}

TEST_F(UnknownRequestsTest, P20_ForgersOfManySourcesAreLimitedInAllAndTakeNoMemory) {
  UnknownRequests requests({.per_source_per_second = 5, .per_second = 100, .max_waiting = 64}, rng_);
  const auto check = Check(std::string(200, 'w') + ":" + std::string(200, 'a'));
  for (uint32_t i = 0; i < 1000; ++i) requests.Handle(kNow, kLocal, Source(i), check);
  EXPECT_EQ(requests.stats().admitted, 64u);
  EXPECT_EQ(requests.stats().no_room, 936u);
  while (requests.Poll()) {
  }
  for (uint32_t i = 0; i < 36; ++i) requests.Handle(kNow, kLocal, Source(2000 + i), check);
  while (requests.Poll()) {
  }
  const auto before = CountAllocations();
  for (uint32_t i = 0; i < 100000; ++i) requests.Handle(kNow, kLocal, Source(5000 + i), check);
  EXPECT_EQ(CountAllocations().count, before.count);
  EXPECT_EQ(requests.stats().limited, 100000u);
  requests.Handle(kNow + 10ms, kLocal, Source(1), check);
  EXPECT_EQ(requests.stats().admitted, 101u);
}

class DriverUnknownRequestsTest : public ::testing::Test {
 protected:
  std::shared_ptr<Driver> OpenDriver(const DriverOptions& options = LoopbackOptions()) {
    auto opened = Driver::Open(io_.get_executor(), options);
    EXPECT_TRUE(opened) << opened.error().message();
    return *opened;
  }
  boost::asio::io_context io_;
};

// A service that names its sessions before they exist: the peer is made when its first check comes.
TEST_F(DriverUnknownRequestsTest, APeerIsAddedForARequestAndAnswersThatOne) {
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  const ice::Credentials promised{"promised", "a/password/of/22/chars/"};
  std::string answer_sdp;
  {  // what the service would say of a peer that it has not made yet
    PeerOptions options = TestPeerOptions();
    options.local_credentials = std::make_shared<ice::Credentials>(promised);
    const auto elsewhere = OpenDriver();
    TestPeer model(*elsewhere, options);
    EXPECT_EQ(model.handle.peer().local_ufrag(), "promised");
    const auto offer = TestPeer(*left).handle.Call([](Peer& p, Timestamp now) { return p.CreateOffer(now); });
    ASSERT_TRUE(model.handle.Call(
        [&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kOffer, *offer); }));
    answer_sdp = *model.handle.Call([](Peer& p, Timestamp now) { return p.CreateAnswer(now); });
    const auto port = [](const Driver& d) { return std::to_string(d.local_addresses()[0].address.port); };
    for (size_t at = 0; (at = answer_sdp.find(port(*elsewhere), at)) != std::string::npos;) {
      answer_sdp.replace(at, port(*elsewhere).size(), port(*right));
      at += port(*right).size();
    }
  }
  TestPeer a(*left);
  const auto channel = a.Open();
  const auto offer = a.handle.Call([](Peer& p, Timestamp now) { return p.CreateOffer(now); });
  std::unique_ptr<TestPeer> z;
  size_t told = 0;
  right->SetUnknownRequestHandler([&](const UnknownRequest& request) {
    ++told;
    ASSERT_EQ(request.ufrag, "promised");
    EXPECT_EQ(request.remote_ufrag, a.handle.peer().local_ufrag());
    EXPECT_FALSE(right->HandleRequest(request)) << "still nobody's";
    if (z) return;
    PeerOptions options = TestPeerOptions();
    options.local_credentials = std::make_shared<ice::Credentials>(promised);
    z = std::make_unique<TestPeer>(*right, options);
    ASSERT_TRUE(
        z->handle.Call([&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kOffer, *offer); }));
    ASSERT_TRUE(z->handle.Call([](Peer& p, Timestamp now) { return p.CreateAnswer(now); }));
    EXPECT_TRUE(right->HandleRequest(request));
  });
  ASSERT_TRUE(
      a.handle.Call([&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kAnswer, answer_sdp); }));
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value(); }));
  ASSERT_TRUE(a.Send(channel, {1, 2, 3}));
  ASSERT_TRUE(RunUntil(io_, [&] { return z && !z->messages.empty(); }));
  EXPECT_EQ(told, 1u);
  EXPECT_EQ(right->stats().unknown_requests.admitted, 1u);
}

TEST_F(DriverUnknownRequestsTest, R9_TheHandlerMayDestroyItsDriver) {
  auto driver = OpenDriver();
  boost::asio::ip::udp::socket stranger(io_, boost::asio::ip::udp::endpoint(boost::asio::ip::udp::v4(), 0));
  const boost::asio::ip::udp::endpoint to(boost::asio::ip::address_v4::loopback(),
                                          driver->local_addresses()[0].address.port);
  bool told = false;
  driver->SetUnknownRequestHandler([&](const UnknownRequest&) {
    told = true;
    driver.reset();
  });
  for (int i = 0; i < 3; ++i) stranger.send_to(boost::asio::buffer(Check("wanted:asking")), to);
  ASSERT_TRUE(RunUntil(io_, [&] { return told; }));
}

TEST_F(DriverUnknownRequestsTest, P20_AStormIsToldOfWithinItsLimitsAndCostsNoMessage) {
  DriverOptions options = LoopbackOptions();
  options.unknown_requests = {.per_source_per_second = 1, .per_second = 100, .max_waiting = 4};
  const auto left = OpenDriver();
  const auto right = OpenDriver(options);
  TestPeer a(*left), z(*right);
  const auto channel = a.Open();
  Signal(a, z);
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value(); }));
  size_t told = 0;
  right->SetUnknownRequestHandler([&](const UnknownRequest&) { ++told; });
  boost::asio::ip::udp::socket stranger(io_, boost::asio::ip::udp::endpoint(boost::asio::ip::udp::v4(), 0));
  const boost::asio::ip::udp::endpoint to(boost::asio::ip::address_v4::loopback(),
                                          right->local_addresses()[0].address.port);
  constexpr uint8_t kRounds = 40, kStrangers = 50;
  for (uint8_t round = 0; round < kRounds; ++round) {
    for (uint8_t i = 0; i < kStrangers; ++i)
      stranger.send_to(boost::asio::buffer(Check("nobody:asking" + std::to_string(i))), to);
    ASSERT_TRUE(a.Send(channel, {round}));
    ASSERT_TRUE(RunUntil(io_, [&] { return z.messages.size() > round; }));
  }
  const UnknownRequestStats stats = right->stats().unknown_requests;
  EXPECT_EQ(stats.admitted + stats.no_room + stats.source_limited + stats.limited, uint64_t{kRounds} * kStrangers);
  EXPECT_GT(told, 0u);
  EXPECT_EQ(told, stats.admitted);
  EXPECT_LT(told, 50u);
  EXPECT_EQ(right->stats().mux.unknown_ufrag, uint64_t{kRounds} * kStrangers);
  EXPECT_EQ(stranger.available(), 0u);
}

}  // namespace
}  // namespace jsp::transport::io
