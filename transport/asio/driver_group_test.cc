// Several loops, each on a thread of its own, that are one host to their clients (docs/asio.md#several-loops).
#include "transport/asio/driver_group.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <thread>

#include "ice/stun_attributes.h"
#include "transport/asio/loop_test_support.h"
namespace jsp::transport::io {
namespace {

using boost::asio::ip::udp;
using testing::LoopbackOptions;
using testing::RunUntil;
using testing::TestPeer;
using testing::TestPeerOptions;

// An io_context and the thread that runs it.
class Loop {
 public:
  Loop() : thread_([this] { io_.run(); }) {}
  ~Loop() { Stop(); }
  void Stop() {
    guard_.reset();
    if (thread_.joinable()) thread_.join();
  }
  boost::asio::any_io_executor executor() { return io_.get_executor(); }
  bool IsHere() { return io_.get_executor().running_in_this_thread(); }
  // What `call` returns, there.
  template <class Call>
  auto Run(Call call) -> decltype(call()) {
    std::promise<decltype(call())> promise;
    boost::asio::post(io_, [&] {
      if constexpr (std::is_void_v<decltype(call())>) {
        call();
        promise.set_value();
      } else {
        promise.set_value(call());
      }
    });
    return promise.get_future().get();
  }

 private:
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_ = boost::asio::make_work_guard(io_);
  std::thread thread_;
};

// A client on the test's thread, with a port of its own, and its peer on a loop.
struct Pair {
  std::shared_ptr<Driver> driver;
  std::unique_ptr<TestPeer> client;
  size_t loop = 0;
  std::unique_ptr<TestPeer> peer;  // touched on its loop only
  std::atomic<size_t> received{0};
  std::atomic<size_t> events_elsewhere{0};
  datachannel::ChannelId channel;

  SocketAddress address() const { return driver->local_addresses()[0].address; }
};

std::vector<uint8_t> Check(const std::string& username) {
  std::vector<uint8_t> out(ice::kMaxMessageSize);
  const ice::CheckContent content{{}, username, 1234, {ice::Role::kControlling, 99}, true};
  out.resize(ice::WriteCheck(out, content, crypto::HmacSha1Key(crypto::AsBytes(std::string_view("password")))));
  return out;
}

class DriverGroupTest : public ::testing::Test {
 protected:
  static constexpr size_t kMessages = 20;

  void Open(size_t loops, DriverOptions options = LoopbackOptions(), Steering steering = Steering::kBySource) {
    std::vector<boost::asio::any_io_executor> executors;
    for (size_t i = 0; i < loops; ++i) executors.push_back(loops_.emplace_back(std::make_unique<Loop>())->executor());
    auto opened = DriverGroup::Open(executors, options, steering);
    ASSERT_TRUE(opened) << opened.error().message();
    group_ = std::move(*opened);
  }
  void TearDown() override {
    for (auto& pair : pairs_) Drop(*pair);
    group_.reset();
    for (auto& loop : loops_) loop->Stop();
  }

  Pair& AddClient() {
    Pair& pair = *pairs_.emplace_back(std::make_unique<Pair>());
    auto driver = Driver::Open(io_.get_executor(), LoopbackOptions());
    EXPECT_TRUE(driver);
    pair.driver = std::move(*driver);
    pair.client = std::make_unique<TestPeer>(*pair.driver);
    return pair;
  }
  // Makes the peer that gives every message back.
  void MakePeer(Pair& pair, size_t loop, const PeerOptions& options = TestPeerOptions()) {
    pair.loop = loop;
    pair.peer = std::make_unique<TestPeer>(*group_->driver(loop), options);
    pair.peer->on_event = [&pair, own = loops_[loop].get()](PeerEvent&) {
      if (!own->IsHere()) ++pair.events_elsewhere;
      TestPeer& peer = *pair.peer;
      for (auto& message : peer.messages) {
        ++pair.received;
        peer.Send(message.channel, {message.payload.begin(), message.payload.end()});
      }
      peer.messages.clear();
    };
  }
  std::string Offer(Pair& pair) {
    pair.channel = pair.client->Open();
    return *pair.client->handle.Call([](Peer& p, Timestamp now) { return p.CreateOffer(now); });
  }
  static std::string Answer(TestPeer& peer, const std::string& offer) {
    EXPECT_TRUE(
        peer.handle.Call([&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kOffer, offer); }));
    return *peer.handle.Call([](Peer& p, Timestamp now) { return p.CreateAnswer(now); });
  }
  static void SetAnswer(TestPeer& client, const std::string& answer) {
    ASSERT_TRUE(client.handle.Call(
        [&](Peer& p, Timestamp now) { return p.SetRemoteDescription(now, SdpType::kAnswer, answer); }));
  }
  void Connect(Pair& pair, size_t loop) {
    const std::string offer = Offer(pair);
    SetAnswer(*pair.client, loops_[loop]->Run([&] {
      MakePeer(pair, loop);
      return Answer(*pair.peer, offer);
    }));
  }
  size_t LoopOf(const Pair& pair) const { return group_->LoopOf(pair.address()); }
  size_t Misplaced(const Pair& pair) const { return (LoopOf(pair) + 1) % group_->size(); }
  void ConnectMisplaced() {
    Pair& pair = AddClient();
    Connect(pair, Misplaced(pair));
  }
  bool AwaitOpen() {
    return RunUntil(
        io_, [&] { return std::ranges::all_of(pairs_, [](auto& p) { return p->client->open_channel.has_value(); }); });
  }
  // Messages to the peer, and all of them back.
  void Exchange(Pair& pair) {
    const size_t before = pair.client->messages.size();
    for (size_t i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(pair.client->Send(pair.channel, std::vector<uint8_t>(1000, static_cast<uint8_t>(i))));
    }
    ASSERT_TRUE(RunUntil(io_, [&] { return pair.client->messages.size() == before + kMessages; }));
    for (size_t i = 0; i < kMessages; ++i) EXPECT_EQ(pair.client->messages[before + i].payload[0], i);
  }
  void Drop(Pair& pair) {
    if (pair.peer) loops_[pair.loop]->Run([&] { pair.peer.reset(); });
  }
  size_t received() const {
    size_t sum = 0;
    for (const auto& pair : pairs_) sum += pair->received;
    return sum;
  }
  void ExpectEventsOnTheirThreads() const {
    for (const auto& pair : pairs_) {
      EXPECT_EQ(pair->events_elsewhere, 0u);
      EXPECT_GE(pair->received, kMessages);
    }
  }
  SocketAddress server() {
    return loops_[0]->Run([&] { return group_->driver(0)->local_addresses()[0].address; });
  }

  boost::asio::io_context io_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::shared_ptr<DriverGroup> group_;
  std::vector<std::unique_ptr<Pair>> pairs_;
};

TEST_F(DriverGroupTest, PeersOnTheLoopOfTheirRemoteNeedNoOther) {
  Open(2);
  std::array<size_t, 2> counts{};
  for (int i = 0; i < 16; ++i) {
    Pair& pair = AddClient();
    Connect(pair, LoopOf(pair));
    ++counts[LoopOf(pair)];
  }
  ASSERT_TRUE(AwaitOpen());
  for (auto& pair : pairs_) Exchange(*pair);
  ExpectEventsOnTheirThreads();
  const DriverGroupStats stats = group_->stats();
  EXPECT_TRUE(stats.is_steered);
  EXPECT_EQ(stats.handover.sent, 0u);
  EXPECT_EQ(stats.handover.received, 0u);
  EXPECT_GT(counts[0], 0u);  // both but once in 2^15 runs
  EXPECT_GT(counts[1], 0u);
}

TEST_F(DriverGroupTest, MisplacedPeersAreReachedAllTheSame) {
  Open(2);
  for (size_t i = 0; i < 24; ++i) {
    Pair& pair = AddClient();
    Connect(pair, i % 2 == 0 ? LoopOf(pair) : Misplaced(pair));
  }
  ASSERT_TRUE(AwaitOpen());
  for (auto& pair : pairs_) Exchange(*pair);
  ExpectEventsOnTheirThreads();
  const DriverGroupStats stats = group_->stats();
  EXPECT_GE(stats.handover.sent, 12 * kMessages / 2);
  EXPECT_LT(stats.handover.letters, stats.handover.sent) << "what comes together goes together";
  EXPECT_EQ(stats.handover.full + stats.handover.gone + stats.handover.astray, 0u);
  EXPECT_GT(stats.directory, 24u) << "ufrags and routes";
  for (auto& pair : pairs_) Drop(*pair);
  const auto requests = group_->stats().directory;
  EXPECT_LT(requests, stats.directory) << "ufrags and routes go with their peers";
  for (size_t loop = 0; loop < 2; ++loop) loops_[loop]->Run([&] { group_->Close(loop); });
  EXPECT_EQ(group_->stats().directory, 0u);
}

// What a rush took is not kept for the next one.
TEST_F(DriverGroupTest, ALoopGivesBackWhatItsMailTook) {
  Open(2);
  Pair& pair = AddClient();
  Connect(pair, Misplaced(pair));
  ASSERT_TRUE(AwaitOpen());
  const udp::endpoint to(boost::asio::ip::address_v4::loopback(), server().port);
  const std::string ufrag = loops_[pair.loop]->Run([&] { return pair.peer->handle.peer().local_ufrag(); });
  std::vector<udp::socket> strangers;
  do {
    strangers.emplace_back(io_, udp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  } while (group_->LoopOf({IpAddress::V4(127, 0, 0, 1), strangers.back().local_endpoint().port()}) == pair.loop);
  std::promise<void> held;
  boost::asio::post(loops_[pair.loop]->executor(), [wait = held.get_future().share()] { wait.wait(); });
  for (int i = 0; i < 2000; ++i) strangers.back().send_to(boost::asio::buffer(Check(ufrag + ":theirs")), to);
  const auto mail_room = [&] { return group_->stats(pair.loop).mail_room; };
  const auto is_there = [&](bool wanted) {
    return RunUntil(io_, [&] {
      boost::asio::post(io_, [] {});
      return (mail_room() > MailRest::kKept) == wanted;
    });
  };
  EXPECT_TRUE(is_there(true));
  held.set_value();
  EXPECT_TRUE(is_there(false)) << mail_room();
  Exchange(pair);
}

TEST_F(DriverGroupTest, TheSystemsOwnChoiceIsEnough) {
  Open(3, LoopbackOptions(), Steering::kBySystem);
  for (size_t i = 0; i < 12; ++i) Connect(AddClient(), i % 3);
  ASSERT_TRUE(AwaitOpen());
  for (auto& pair : pairs_) Exchange(*pair);
  ExpectEventsOnTheirThreads();
  EXPECT_FALSE(group_->stats().is_steered);
  EXPECT_GT(group_->stats().handover.sent, 0u);  // none but once in 3^12 runs
  EXPECT_EQ(group_->stats().handover.astray, 0u);
}

TEST_F(DriverGroupTest, IPv6IsTheSame) {
  DriverOptions options;
  options.bind = {{*IpAddress::Parse("::1"), 0}};
  Open(2, options);
  for (size_t i = 0; i < 8; ++i) {
    Pair& pair = *pairs_.emplace_back(std::make_unique<Pair>());
    pair.driver = *Driver::Open(io_.get_executor(), options);
    pair.client = std::make_unique<TestPeer>(*pair.driver);
    Connect(pair, LoopOf(pair));
  }
  ASSERT_TRUE(AwaitOpen());
  for (auto& pair : pairs_) Exchange(*pair);
  EXPECT_EQ(group_->stats().handover.sent, 0u);
}

// A service that makes its peers when their first check comes: that is on the right loop already.
TEST_F(DriverGroupTest, APeerThatIsAddedForARequestIsOnItsLoop) {
  Open(2);
  const std::string port = std::to_string(server().port);
  for (size_t i = 0; i < 8; ++i) {
    Pair& pair = AddClient();
    const std::string offer = Offer(pair);
    PeerOptions options = TestPeerOptions();
    options.local_credentials =
        std::make_shared<ice::Credentials>(ice::Credentials{"promised" + std::to_string(i), "a/password/of/22/chars/"});
    // What the service says of a peer that it has not made yet, at the group's port.
    const auto elsewhere = *Driver::Open(io_.get_executor(), LoopbackOptions());
    TestPeer model(*elsewhere, options);
    std::string answer = Answer(model, offer);
    const std::string other = std::to_string(elsewhere->local_addresses()[0].address.port);
    for (size_t at = 0; (at = answer.find(other, at)) != std::string::npos; at += port.size()) {
      answer.replace(at, other.size(), port);
    }
    for (size_t loop = 0; loop < 2; ++loop) {
      loops_[loop]->Run([&, loop] {
        group_->driver(loop)->SetUnknownRequestHandler(
            [this, &pair, loop, offer, options](const UnknownRequest& request) {
              if (pair.peer || request.ufrag != options.local_credentials->ufrag) return;
              MakePeer(pair, loop, options);
              (void)Answer(*pair.peer, offer);
              EXPECT_TRUE(group_->driver(loop)->HandleRequest(request));
            });
      });
    }
    SetAnswer(*pair.client, answer);
    ASSERT_TRUE(AwaitOpen());
    Exchange(pair);
    EXPECT_EQ(pair.loop, LoopOf(pair));
  }
  ExpectEventsOnTheirThreads();
  EXPECT_EQ(group_->stats().handover.sent, 0u);
}

// One that spreads its sessions by other reasons hands the request on.
TEST_F(DriverGroupTest, ARequestIsAnsweredByThePeerThatAnotherLoopAddedForIt) {
  Open(2);
  Pair& pair = AddClient();
  const size_t asked = LoopOf(pair);
  const size_t wanted = Misplaced(pair);
  const std::string offer = Offer(pair);
  UnknownRequest request{server(), pair.address(), "nobody", "asking", 0, {}, false, Check("nobody:asking")};
  const auto handle = [&] { return loops_[asked]->Run([&] { return group_->driver(asked)->HandleRequest(request); }); };
  EXPECT_FALSE(handle());
  const std::string answer = loops_[wanted]->Run([&] {
    MakePeer(pair, wanted);
    return Answer(*pair.peer, offer);
  });
  const std::string ufrag = loops_[wanted]->Run([&] { return std::string(pair.peer->handle.peer().local_ufrag()); });
  request.datagram = Check(ufrag + ":asking");
  EXPECT_TRUE(handle());
  EXPECT_EQ(group_->stats().handover.sent, 1u);
  SetAnswer(*pair.client, answer);
  ASSERT_TRUE(AwaitOpen());
  Exchange(pair);
}

// P20, R7: what strangers send takes nothing of what the loops share, and is told of as by one driver.
TEST_F(DriverGroupTest, StrangersGrowNothingAndHaveOneLimitForAllLoops) {
  constexpr size_t kSources = 20;
  constexpr size_t kEach = 3;
  DriverOptions options = LoopbackOptions();
  options.unknown_requests = {.per_source_per_second = 2, .per_second = 500, .max_waiting = 1000};
  Open(2, options);
  std::atomic<size_t> told{0};
  for (size_t loop = 0; loop < 2; ++loop) {
    loops_[loop]->Run(
        [&, loop] { group_->driver(loop)->SetUnknownRequestHandler([&](const UnknownRequest&) { ++told; }); });
  }
  Pair& pair = AddClient();
  Connect(pair, LoopOf(pair));
  ASSERT_TRUE(AwaitOpen());
  const size_t before = group_->stats().directory;
  const udp::endpoint to(boost::asio::ip::address_v4::loopback(), server().port);
  std::vector<std::unique_ptr<udp::socket>> sources;
  for (size_t i = 0; i < kSources; ++i) {
    sources.push_back(std::make_unique<udp::socket>(io_, udp::endpoint(boost::asio::ip::address_v4::loopback(), 0)));
    for (size_t n = 0; n < kEach; ++n) {
      sources.back()->send_to(boost::asio::buffer(Check("forged" + std::to_string(i * kEach + n) + ":asking")), to);
      sources.back()->send_to(boost::asio::buffer(std::vector<uint8_t>{22, 1, 2, 3}), to);
    }
  }
  const auto sum = [&] {
    UnknownRequestStats all;
    uint64_t unknown_source = 0;
    for (size_t loop = 0; loop < 2; ++loop) {
      const DriverStats stats = loops_[loop]->Run([&] { return group_->driver(loop)->stats(); });
      all.admitted += stats.unknown_requests.admitted;
      all.source_limited += stats.unknown_requests.source_limited;
      unknown_source += stats.mux.unknown_source;
    }
    return std::pair(all, unknown_source);
  };
  ASSERT_TRUE(RunUntil(io_, [&] {
    boost::asio::post(io_, [] {});
    const auto [all, unknown_source] = sum();
    return all.admitted + all.source_limited == kSources * kEach && unknown_source == kSources * kEach;
  }));
  const UnknownRequestStats all = sum().first;
  // One address: ten seconds' worth, and as much as the test takes. Twice that would be a limit for each loop.
  EXPECT_GE(all.admitted, 20u);
  EXPECT_LT(all.admitted, 40u);
  EXPECT_EQ(told, all.admitted);
  EXPECT_EQ(group_->stats().directory, before);
  EXPECT_EQ(group_->stats().handover.sent, 0u) << "nobody's is nobody's everywhere";
}

TEST_F(DriverGroupTest, ALoopThatClosesTakesNothingFromTheOthers) {
  Open(3);
  for (size_t i = 0; i < 18; ++i) Connect(AddClient(), i % 3);
  ASSERT_TRUE(AwaitOpen());
  for (auto& pair : pairs_) Exchange(*pair);
  loops_[1]->Run([&] {
    for (auto& pair : pairs_) {
      if (pair->loop == 1) pair->peer.reset();
    }
    group_->Close(1);
  });
  loops_[1]->Stop();
  for (auto& pair : pairs_) {
    if (pair->loop != 1) Exchange(*pair);
  }
  EXPECT_TRUE(group_->stats().is_steered);
  for (auto& pair : pairs_) Drop(*pair);
  pairs_.clear();
  const uint64_t before = group_->stats().handover.sent;
  for (size_t i = 0; i < 9; ++i) {
    Pair& pair = AddClient();
    ASSERT_NE(LoopOf(pair), 1u);
    Connect(pair, LoopOf(pair));
  }
  ASSERT_TRUE(AwaitOpen());
  for (auto& pair : pairs_) Exchange(*pair);
  // Answers to those that are gone may still have been under way.
  EXPECT_LT(group_->stats().handover.sent - before, kMessages) << "new peers are where the kernel delivers";
}

TEST_F(DriverGroupTest, LoopsMayCloseInAnyOrderWhilePeersTalk) {
  Open(3);
  for (size_t i = 0; i < 12; ++i) ConnectMisplaced();
  ASSERT_TRUE(AwaitOpen());
  for (const size_t loop : {size_t{0}, size_t{2}, size_t{1}}) {
    for (auto& pair : pairs_) (void)pair->client->Send(pair->channel, std::vector<uint8_t>(50'000, 1));
    const size_t before = received();
    ASSERT_TRUE(RunUntil(io_, [&] {
      boost::asio::post(io_, [] {});
      return received() > before;  // in the middle of it
    }));
    loops_[loop]->Run([&] {
      for (auto& pair : pairs_) {
        if (pair->loop == loop) pair->peer.reset();
      }
      group_->Close(loop);
    });
  }
  EXPECT_EQ(group_->stats().directory, 0u);
}

TEST_F(DriverGroupTest, AddressesThatComeAndGoHaveTheSamePortsEverywhere) {
  Open(3);
  const IpAddress first = IpAddress::V4(127, 0, 0, 1);
  const IpAddress second = IpAddress::V4(127, 0, 0, 2);
  const auto expect_everywhere = [&](const std::vector<SocketAddress>& wanted) {
    for (size_t loop = 0; loop < 3; ++loop) {
      EXPECT_EQ(loops_[loop]->Run([&] {
        std::vector<SocketAddress> open;
        for (const LocalAddress& local : group_->driver(loop)->local_addresses()) {
          if (local.address.port != 0) open.push_back(local.address);
        }
        return open;
      }),
                wanted);
    }
  };
  const uint16_t port = server().port;
  expect_everywhere({{first, port}});
  group_->SetAddresses({{.address = {first, 0}}, {.address = {second, 0}}});
  expect_everywhere({{first, port}, {second, port}});
  for (size_t i = 0; i < 6; ++i) ConnectMisplaced();
  ASSERT_TRUE(AwaitOpen());
  for (auto& pair : pairs_) Exchange(*pair);
  group_->SetAddresses({{.address = {second, 0}}});
  expect_everywhere({{second, port}});
  group_->SetAddresses({{.address = {first, 0}}, {.address = {second, 0}}});
  expect_everywhere({{first, port}, {second, port}});
}

// Two sessions of one remote port: the address is the second one's once the first has left it.
TEST_F(DriverGroupTest, AnAddressPassesToAnotherLoopsPeerWhenItsPeerIsGone) {
  Open(2);
  Pair& old = AddClient();
  Connect(old, 0);
  ASSERT_TRUE(AwaitOpen());
  Exchange(old);
  loops_[0]->Run([&] { old.peer->handle.Call([](Peer& p, Timestamp now) { p.Close(now); }); });
  old.client.reset();
  Pair& fresh = *pairs_.emplace_back(std::make_unique<Pair>());
  fresh.driver = old.driver;
  fresh.client = std::make_unique<TestPeer>(*fresh.driver);
  Connect(fresh, 1);
  ASSERT_TRUE(RunUntil(io_, [&] { return fresh.client->open_channel.has_value(); }));
  Exchange(fresh);
  EXPECT_GT(group_->stats().handover.routes_contested, 0u);
}

TEST_F(DriverGroupTest, WhatAGroupCannotDoIsRefused) {
  boost::asio::io_context io;
  const boost::asio::any_io_executor any = io.get_executor();
  const std::vector<boost::asio::any_io_executor> executors(2, any);
  DriverOptions options = LoopbackOptions();
  EXPECT_EQ(DriverGroup::Open({}, options).error(), boost::asio::error::invalid_argument);
  const std::vector<boost::asio::any_io_executor> many(DriverGroup::kMaxLoops + 1, any);
  EXPECT_EQ(DriverGroup::Open(many, options).error(), boost::asio::error::invalid_argument);
  const auto first = DriverGroup::Open(executors, options);
  ASSERT_TRUE(first);
  options.bind[0].port = (*first)->driver(0)->local_addresses()[0].address.port;
  EXPECT_EQ(DriverGroup::Open(executors, options).error(), boost::asio::error::address_in_use);
  options = LoopbackOptions();
  options.port_mapping.is_enabled = true;
  EXPECT_EQ(DriverGroup::Open(executors, options).error(), boost::asio::error::operation_not_supported);
}

}  // namespace
}  // namespace jsp::transport::io
