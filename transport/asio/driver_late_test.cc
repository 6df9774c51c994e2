// A loop that was held up: by a handler that took its time, or a processor that others had. What arrived meanwhile is
// heard before anything is given up for lost.
#include <gtest/gtest.h>

#include "transport/asio/driver.h"
#include "transport/asio/driver_core.h"
#include "transport/asio/loop_test_support.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {
namespace {

using testing::LoopbackOptions;
using testing::RunUntil;
using testing::Signal;
using testing::TestPeer;
using testing::TestPeerOptions;

class DriverLateTest : public ::testing::Test {
 protected:
  using Clock = std::chrono::steady_clock;

  static std::shared_ptr<DriverCore> OpenCore(boost::asio::io_context& io) {
    const std::vector<LocalAddress> loopback{{.address = {IpAddress::V4(127, 0, 0, 1), 0}}};
    auto core = DriverCore::Open(io.get_executor(), LoopbackOptions(), loopback);
    EXPECT_TRUE(core);
    (*core)->Start();
    return *core;
  }
  static PeerOptions QuickToRepeat() {
    PeerOptions options = TestPeerOptions();
    options.sctp.rto_min = options.sctp.rto_initial = std::chrono::milliseconds(50);
    return options;
  }
  template <class Done>
  bool RunBoth(Done&& done) {
    const auto end = Clock::now() + std::chrono::seconds(20);
    while (!done() && Clock::now() < end) {
      for (auto* io : {&io_, &other_io_}) {
        io->restart();
        io->run_one_for(std::chrono::milliseconds(1));
      }
    }
    return done();
  }

  boost::asio::io_context io_;  // of the loop that is held up
  boost::asio::io_context other_io_;
  std::shared_ptr<DriverCore> core_ = OpenCore(io_);
  std::shared_ptr<DriverCore> other_core_ = OpenCore(other_io_);
  Driver driver_{core_};
  Driver other_{other_core_};
};

// RFC 9260 §6.3.3: T3-rtx would find everything lost.
TEST_F(DriverLateTest, WhatHasArrivedIsHeardBeforeTimersThatAreLate) {
  TestPeer a(driver_, QuickToRepeat()), z(other_);
  a.Open();
  Signal(a, z);
  ASSERT_TRUE(RunBoth([&] { return a.open_channel && z.remote_channel && a.IsUp(); }));
  (void)RunBoth([end = Clock::now() + std::chrono::milliseconds(300)] { return Clock::now() > end; });
  const auto before = a.handle.peer().stats().sctp;
  ASSERT_TRUE(a.Send(*a.open_channel, std::vector<uint8_t>(5000, 7)));
  a.handle.Flush();
  const auto held_until = Clock::now() + std::chrono::milliseconds(400);
  (void)RunUntil(other_io_, [&] { return Clock::now() > held_until; });
  ASSERT_EQ(z.messages.size(), 1u);
  core_->HandleTimer();
  const auto after = a.handle.peer().stats().sctp;
  EXPECT_EQ(after.retransmitted_chunks, before.retransmitted_chunks);
  EXPECT_GE(driver_.stats().latest, std::chrono::milliseconds(100));
}

}  // namespace
}  // namespace jsp::transport::io
