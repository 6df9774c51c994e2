// The system refuses to send, in each of the ways that it has, for a while: peers go on (ATTACKS X1).
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include "transport/asio/driver.h"
#include "transport/asio/loop_test_support.h"
#include "transport/asio/scripted_system.h"

namespace jsp::transport::io {
namespace {

using testing::RunUntil;
using testing::Signal;
using testing::TestPeer;
using testing::TheSystem;

class SocketErrorsTest : public ::testing::TestWithParam<int> {
 protected:
  ~SocketErrorsTest() override { TheSystem() = {}; }
  void Refuse() {
    TheSystem() = {};
    TheSystem().refuse = [](const msghdr&) { return GetParam(); };
  }
  // What is refused for good is given up. A queue that is full (ENOBUFS) is tried until it has room, by each of the two
  // drivers after pauses of up to 32 ms: nine times in 200 ms.
  static void ExpectFew() {
    EXPECT_GT(TheSystem().refused, 0u);
    EXPECT_LT(TheSystem().refused, GetParam() == ENOBUFS ? 40u : 2000u);
  }
  boost::asio::io_context io_;
};

TEST_P(SocketErrorsTest, APeerOutlivesThem) {
  const auto left = *Driver::Open(io_.get_executor(), testing::LoopbackOptions());
  const auto right = *Driver::Open(io_.get_executor(), testing::LoopbackOptions());
  TestPeer a(*left);
  TestPeer z(*right);
  Refuse();  // while it connects, too
  const auto channel = a.Open("hello");
  Signal(a, z);
  io_.run_for(std::chrono::milliseconds(200));
  ExpectFew();
  TheSystem() = {};
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value() && z.remote_channel.has_value(); }));

  Refuse();
  ASSERT_TRUE(a.Send(channel, {1, 2, 3}));
  io_.restart();
  io_.run_for(std::chrono::milliseconds(200));
  ExpectFew();
  TheSystem() = {};
  const uint64_t put_off = left->stats().sockets.no_buffer_space + right->stats().sockets.no_buffer_space;
  EXPECT_EQ(put_off > 0, GetParam() == ENOBUFS) << put_off;
  ASSERT_TRUE(RunUntil(io_, [&] { return !z.messages.empty(); }));
  EXPECT_EQ(z.messages[0].payload, (std::vector<uint8_t>{1, 2, 3}));
  EXPECT_TRUE(a.IsUp() && z.IsUp());
}

INSTANTIATE_TEST_SUITE_P(Errors, SocketErrorsTest,
                         ::testing::Values(ENOBUFS, EPERM, EACCES, ENETUNREACH, EHOSTUNREACH, ENETDOWN, EMSGSIZE,
                                           ECONNREFUSED, ENOMEM),
                         [](const auto& error) { return std::string(strerrorname_np(error.param)); });

}  // namespace
}  // namespace jsp::transport::io
