// Peers over real sockets when something is short or broken: the kernel's buffers, its segmentation, a reader, the
// octets themselves. What was accepted arrives, once and in order.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <cerrno>

#include "transport/asio/driver.h"
#include "transport/asio/loop_test_support.h"
#include "transport/asio/native_socket.h"
#include "transport/asio/scripted_system.h"

namespace jsp::transport::io {
namespace {

using testing::LoopbackOptions;
using testing::RunUntil;
using testing::Signal;
using testing::TestPeer;
using testing::TestPeerOptions;
using testing::TheSystem;

std::vector<uint8_t> Numbered(size_t number, size_t size) {
  std::vector<uint8_t> payload(size, static_cast<uint8_t>(number));
  payload[0] = static_cast<uint8_t>(number >> 8);
  return payload;
}

void ExpectAllInOrder(const TestPeer& z, size_t count, size_t size) {
  ASSERT_EQ(z.messages.size(), count);
  for (size_t i = 0; i < count; ++i) ASSERT_EQ(z.messages[i].payload, Numbered(i, size)) << i;
}

bool IsSegmented(const msghdr& message) {
  msghdr& header = const_cast<msghdr&>(message);  // CMSG_NXTHDR takes no const one
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT) return true;
  }
  return false;
}

uint16_t PortOf(const msghdr& message) { return ntohs(static_cast<const sockaddr_in*>(message.msg_name)->sin_port); }

class DriverBadDaysTest : public ::testing::Test {
 protected:
  ~DriverBadDaysTest() override { TheSystem() = {}; }
  std::shared_ptr<Driver> OpenDriver(const DriverOptions& options = LoopbackOptions()) {
    auto opened = Driver::Open(io_.get_executor(), options);
    EXPECT_TRUE(opened) << opened.error().message();
    return *opened;
  }
  void Connect(TestPeer& a, TestPeer& z) {
    a.Open();
    Signal(a, z);
    ASSERT_TRUE(RunUntil(io_, [&] { return a.open_channel && z.remote_channel; }));
  }
  // So many messages more, and waits until the last is there.
  void Transfer(TestPeer& a, TestPeer& z, size_t count, size_t size) {
    const size_t first = z.messages.size();
    for (size_t i = first; i < first + count; ++i) ASSERT_TRUE(a.Send(*a.open_channel, Numbered(i, size)));
    ASSERT_TRUE(RunUntil(io_, [&] { return z.messages.size() >= first + count; })) << z.messages.size();
  }
  boost::asio::io_context io_;
  Rng rng_ = Rng::FromNumber(7);
};

// EIO: the interface that leads there cannot segment (docs/asio.md). Others go on in trains.
TEST_F(DriverBadDaysTest, WhereSegmentationIsRefusedDatagramsGoOneByOneAndElsewhereInTrains) {
  for (const int error : {EIO, EINVAL}) {
    const auto left = OpenDriver();
    const auto refused = OpenDriver();
    const auto taken = OpenDriver();
    TestPeer a(*left), z(*refused), b(*left), y(*taken);
    Connect(a, z);
    Connect(b, y);
    const uint16_t refused_port = refused->local_addresses()[0].address.port;
    const uint16_t taken_port = taken->local_addresses()[0].address.port;
    size_t refusals = 0, trains = 0;
    TheSystem().refuse = [&](const msghdr& message) {
      if (!IsSegmented(message)) return 0;
      if (PortOf(message) == taken_port) ++trains;
      if (PortOf(message) != refused_port) return 0;
      ++refusals;
      return error;
    };
    constexpr size_t kMessages = 32, kSize = 32 * 1024;
    Transfer(a, z, kMessages, kSize);
    Transfer(b, y, kMessages, kSize);
    ExpectAllInOrder(z, kMessages, kSize);
    ExpectAllInOrder(y, kMessages, kSize);
    EXPECT_LE(refusals, 2u) << "remembered";
    EXPECT_GT(trains, 0u);
    EXPECT_EQ(left->stats().sockets.gso_refused, 1u);
    EXPECT_EQ(left->stats().sockets.send_errors, 0u);
    // What was refused left at once all the same: a tail probe or two is not a train.
    EXPECT_LT(a.handle.peer().stats().sctp.retransmitted_chunks, 5u);
    TheSystem() = {};
  }
}

// In one batch: what was refused leaves one by one, in its place, and nothing else is held up or sent twice.
TEST_F(DriverBadDaysTest, ARunThatIsRefusedAmongOthersKeepsItsPlace) {
  const auto open = [&] { return *UdpSocket::Open(io_.get_executor(), {IpAddress::V4(127, 0, 0, 1), 0}); };
  const auto a = open(), refused = open(), taken = open();
  size_t refusals = 0;
  TheSystem().refuse = [&](const msghdr& message) {
    if (!IsSegmented(message) || PortOf(message) != refused->local().port) return 0;
    ++refusals;
    return EIO;
  };
  constexpr size_t kRuns = 10, kSegments = 4, kSize = 500;
  std::vector<uint8_t> buffer;
  std::vector<OutgoingDatagram> datagrams;
  for (size_t run = 0; run < kRuns; ++run) {
    for (size_t i = 0; i < kSegments; ++i) {
      const auto& to = run % 2 == 0 ? taken : refused;
      datagrams.push_back({to->local(), static_cast<uint32_t>(buffer.size()), kSize});
      buffer.insert(buffer.end(), kSize, static_cast<uint8_t>(run * kSegments + i));
    }
  }
  a->Send(buffer, datagrams);
  for (const size_t first : {size_t{0}, kSegments}) {
    const auto& socket = first == 0 ? taken : refused;
    std::vector<uint8_t> numbers;
    while (socket->Receive([&](const SocketAddress&, std::span<const uint8_t> d) { numbers.push_back(d[0]); }) > 0) {
    }
    std::vector<uint8_t> expected;
    for (size_t run = 0; run < kRuns / 2; ++run) {
      for (size_t i = 0; i < kSegments; ++i) expected.push_back(static_cast<uint8_t>(first + run * 2 * kSegments + i));
    }
    EXPECT_EQ(numbers, expected);
  }
  EXPECT_LE(refusals, 2u) << "by the batch that ends before it, and by the call that begins with it";
  EXPECT_EQ(a->stats().gso_refused, 1u);
  EXPECT_EQ(a->stats().send_errors, 0u);
  EXPECT_EQ(a->stats().datagrams_sent, kRuns * kSegments);
}

// EAGAIN at random: batches are taken in part, and wait for the socket to be writable.
TEST_F(DriverBadDaysTest, ASendBufferThatIsFullDelaysAndLosesNothing) {
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left), z(*right);
  Connect(a, z);
  TheSystem().refuse = [&](const msghdr&) { return rng_.Uniform() < 0.3 ? EAGAIN : 0; };
  constexpr size_t kMessages = 64, kSize = 16 * 1024;
  Transfer(a, z, kMessages, kSize);
  ExpectAllInOrder(z, kMessages, kSize);
  EXPECT_GT(TheSystem().refused, 10u);
  EXPECT_EQ(left->stats().sockets.send_errors, 0u);
  EXPECT_EQ(left->stats().sockets.backlog_dropped, 0u);
}

// A batch is several times what the receiver's socket holds: most of it is lost, again and again.
TEST_F(DriverBadDaysTest, ATransferOutlivesAReceiveBufferThatIsFull) {
  DriverOptions small = LoopbackOptions();
  small.mux.socket.buffer_bytes = 8 * 1024;
  const auto left = OpenDriver();
  const auto right = OpenDriver(small);
  TestPeer a(*left), z(*right);
  Connect(a, z);
  constexpr size_t kMessages = 64, kSize = 8 * 1024;
  Transfer(a, z, kMessages, kSize);
  ExpectAllInOrder(z, kMessages, kSize);
  EXPECT_GT(a.handle.peer().stats().sctp.retransmitted_chunks, 0u);
  EXPECT_GT(right->stats().sockets.receive_dropped, 0u);
  EXPECT_EQ(left->stats().sockets.receive_dropped, 0u);
}

// docs/transport.md#memory: those that are there go on.
TEST_F(DriverBadDaysTest, AProcessWithoutMemoryRefusesConnectionsAndKeepsThoseThatItHas) {
  DriverOptions options = LoopbackOptions();
  options.memory = std::make_shared<MemoryBudget>(2 * 1024 * 1024);  // for 21 that begin
  const auto left = OpenDriver();
  const auto right = OpenDriver(options);
  TestPeer a(*left), z(*right);
  Connect(a, z);
  std::vector<std::unique_ptr<TestPeer>> more;
  const auto is_refused = [](const TestPeer& p) { return p.handle.peer().state() == ConnectionState::kFailed; };
  while (more.empty() || !is_refused(*more.back())) more.push_back(std::make_unique<TestPeer>(*right));
  EXPECT_GT(more.size(), 10u);
  EXPECT_LT(more.size(), 30u);
  EXPECT_GT(options.memory->refusals(), 0u);
  ASSERT_TRUE(RunUntil(io_, [&] { return !more.back()->states.empty(); }));
  EXPECT_EQ(more.back()->states.back(), ConnectionState::kFailed);
  constexpr size_t kMessages = 64, kSize = 16 * 1024;
  Transfer(a, z, kMessages, kSize);
  ExpectAllInOrder(z, kMessages, kSize);
  more.clear();
  TestPeer late(*right);
  EXPECT_FALSE(is_refused(late));
  EXPECT_LE(options.memory->used(), options.memory->limit());
}

// RFC 9260 §6.2.1: the window closes; what the sender may queue is bounded besides.
TEST_F(DriverBadDaysTest, APeerThatStopsReadingHoldsItsSenderBackAndLosesNothing) {
  constexpr size_t kSize = 16 * 1024, kSendBuffer = 256 * 1024, kWindow = 512 * 1024;
  PeerOptions options = TestPeerOptions();
  options.sctp.max_send_buffer = kSendBuffer;
  options.sctp.receive_window = options.sctp.max_receive_window = kWindow;
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left, options), z(*right, options);
  z.read = false;
  Connect(a, z);
  size_t accepted = 0;
  const auto is_held_back = [&] {
    while (a.Send(*a.open_channel, Numbered(accepted, kSize))) ++accepted;
    return a.handle.peer().stats().sctp.peer_rwnd < kSize;
  };
  ASSERT_TRUE(RunUntil(io_, is_held_back)) << accepted;
  EXPECT_TRUE(z.messages.empty());
  EXPECT_GT(accepted * kSize, kWindow / 2);
  EXPECT_LE(accepted * kSize, kWindow + kSendBuffer + kSize);
  z.read = true;
  z.Read();
  ASSERT_TRUE(RunUntil(io_, [&] { return z.messages.size() >= accepted; })) << z.messages.size();
  ExpectAllInOrder(z, accepted, kSize);
}

// Beyond UDP's checksum: in the segments of a train, each for itself. Not in a handshake, which that
// may end (ATTACKS D11).
TEST_F(DriverBadDaysTest, X4_RecoversFromThirtyPercentOfCorruptedDatagrams) {
  const auto left = OpenDriver();
  const auto right = OpenDriver();
  TestPeer a(*left), z(*right);
  Connect(a, z);
  size_t corrupted = 0;
  TheSystem().touch = [&](msghdr& message, size_t size) {
    auto* octets = static_cast<uint8_t*>(message.msg_iov->iov_base);
    const size_t gro = GroSegmentSize(message);
    const size_t segment = gro > 0 ? gro : std::max<size_t>(size, 1);
    for (size_t at = 0; at < size; at += segment) {
      if (rng_.Uniform() >= 0.3) continue;
      octets[at + rng_.Below(std::min(segment, size - at))] ^= static_cast<uint8_t>(1 + rng_.Below(255));
      ++corrupted;
    }
  };
  constexpr size_t kBad = 40, kGood = 400, kSize = 8 * 1024;
  for (size_t i = 0; i < kBad; ++i) ASSERT_TRUE(a.Send(*a.open_channel, Numbered(i, kSize)));
  io_.restart();
  io_.run_for(std::chrono::seconds(2));
  EXPECT_GT(corrupted, 20u);
  TheSystem() = {};
  ASSERT_TRUE(RunUntil(io_, [&] { return z.messages.size() == kBad; })) << z.messages.size();
  const uint64_t repeated = a.handle.peer().stats().sctp.retransmitted_chunks;
  Transfer(a, z, kGood, kSize);
  ExpectAllInOrder(z, kBad + kGood, kSize);
  // As fast as a path without losses is: nothing of it had to be sent twice.
  EXPECT_LT(a.handle.peer().stats().sctp.retransmitted_chunks - repeated, 20u);
  EXPECT_GT(a.handle.peer().stats().sctp.cwnd, size_t{64} * 1024);
}

}  // namespace
}  // namespace jsp::transport::io
