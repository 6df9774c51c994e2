// The system refuses to send, in each of the ways that it has, for a while: peers go on (ATTACKS X1). This program's
// own sendmsg and sendmmsg stand before those of the system.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "transport/asio/driver.h"
#include "transport/asio/loop_test_support.h"

namespace {

struct Refusal {
  int error = 0;  // 0: none
  uint64_t count = 0;
};
Refusal refusal;

bool IsRefused() {
  if (refusal.error == 0) return false;
  ++refusal.count;
  errno = refusal.error;
  return true;
}

}  // namespace

extern "C" int sendmmsg(int socket, mmsghdr* messages, unsigned count, int flags) {
  return IsRefused() ? -1 : static_cast<int>(syscall(SYS_sendmmsg, socket, messages, count, flags));
}
extern "C" ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  return IsRefused() ? -1 : syscall(SYS_sendmsg, socket, message, flags);
}

namespace jsp::transport::io {
namespace {

using testing::RunUntil;
using testing::Signal;
using testing::TestPeer;

class SocketErrorsTest : public ::testing::TestWithParam<int> {
 protected:
  ~SocketErrorsTest() override { refusal = {}; }
  // What is refused for good is given up. Only a queue that is full (ENOBUFS) is tried until it has room.
  static void ExpectFew() {
    if (GetParam() != ENOBUFS) {
      EXPECT_LT(refusal.count, 2000u);
    }
  }
  boost::asio::io_context io_;
};

TEST_P(SocketErrorsTest, APeerOutlivesThem) {
  const auto left = *Driver::Open(io_.get_executor(), testing::LoopbackOptions());
  const auto right = *Driver::Open(io_.get_executor(), testing::LoopbackOptions());
  TestPeer a(*left);
  TestPeer z(*right);
  refusal.error = GetParam();  // while it connects, too
  const auto channel = a.Open("hello");
  Signal(a, z);
  io_.run_for(std::chrono::milliseconds(200));
  EXPECT_GT(refusal.count, 0u);
  ExpectFew();
  refusal = {};
  ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel.has_value() && z.remote_channel.has_value(); }));

  refusal.error = GetParam();
  ASSERT_TRUE(a.Send(channel, {1, 2, 3}));
  io_.restart();
  io_.run_for(std::chrono::milliseconds(200));
  EXPECT_GT(refusal.count, 0u);
  ExpectFew();
  refusal = {};
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
