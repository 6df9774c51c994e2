#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/udp.hpp>
#include <string_view>

#include "transport/asio/driver_core.h"
#include "transport/asio/endpoint.h"
#include "transport/asio/loop_test_support.h"
#include "transport/asio/relay_connection.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {
namespace {

using boost::asio::ip::udp;
using testing::RunUntil;

constexpr std::string_view kLastWords = "last words of a relay";

struct Silent : PeerObserver {
  void HandlePeerEvent(PeerEvent&) override {}
};

// A relay over a UDP socket of its own, as UdpRelayConnection is one, that tells when it is gone.
class TestRelay final : public RelayConnection {
 public:
  TestRelay(const std::shared_ptr<DriverCore>& core, const std::shared_ptr<DrivenPeer>& driven, RelayId id, bool& gone)
      : RelayConnection(core, driven, id),
        socket_(*UdpSocket::Open(core->executor, {IpAddress::V4(127, 0, 0, 1), 0}, {})),
        gone_(&gone) {}
  ~TestRelay() override { *gone_ = true; }
  void Send(SendBatch& batch, const Peer::Transmit& transmit) override { batch.Append(*socket_, transmit); }
  void HandleFlushed() override {}
  bool is_blocked() const override { return false; }
  void Close() override { socket_->socket().close(); }

 private:
  std::unique_ptr<UdpSocket> socket_;
  bool* gone_;
};

class DriverRelaysTest : public ::testing::Test {
 protected:
  DriverRelaysTest()
      : core_(std::make_shared<DriverCore>(io_.get_executor(), testing::LoopbackOptions(), OpenMux())),
        driven_(std::make_shared<DrivenPeer>(testing::TestPeerOptions(), core_->rng, Now(), observer_)),
        server_(io_, {boost::asio::ip::address_v4::loopback(), 0}) {}

  std::unique_ptr<UdpMux> OpenMux() {
    const std::array<LocalAddress, 1> loopback{{{.address = SocketAddress{IpAddress::V4(127, 0, 0, 1), 0}}}};
    return std::move(*UdpMux::Open(io_.get_executor(), loopback, {}));
  }
  void AddRelay(RelayId id, bool& gone) {
    driven_->relays.push_back(std::make_shared<TestRelay>(core_, driven_, id, gone));
  }
  // As TakeOutput does: the datagram is in the batch, and not sent yet.
  void SendLastWords(RelayId id) {
    std::ranges::copy(kLastWords, core_->batch.room().begin());
    driven_->FindRelay(id)->Send(
        core_->batch, {.size = kLastWords.size(), .local = {}, .remote = FromEndpoint(server_.local_endpoint())});
  }
  // What the server has heard, a datagram after the other.
  std::string Heard() {
    std::string heard;
    std::array<char, 100> datagram;
    server_.non_blocking(true);
    boost::system::error_code error;
    while (const size_t size = server_.receive(boost::asio::buffer(datagram), 0, error)) {
      heard.append(datagram.data(), size);
    }
    return heard;
  }

  boost::asio::io_context io_;
  Silent observer_;
  std::shared_ptr<DriverCore> core_;
  std::shared_ptr<DrivenPeer> driven_;
  udp::socket server_;
};

// A relay that fails in the flush in which it sends: what is batched for its socket leaves before the socket goes.
TEST_F(DriverRelaysTest, ARelayThatFailsWhileItSendsLeavesNothingInTheBatch) {
  bool gone = false;
  AddRelay(RelayId(1), gone);
  SendLastWords(RelayId(1));
  EXPECT_EQ(Heard(), "");
  core_->CloseRelay(*driven_, RelayId(1));
  EXPECT_TRUE(gone);
  EXPECT_EQ(Heard(), kLastWords);
  core_->batch.Send();  // the end of the flush: of a batch that pointed at the socket
  EXPECT_EQ(Heard(), "");
}

TEST_F(DriverRelaysTest, TheOtherRelaysOfThePeerStay) {
  bool first_gone = false;
  bool second_gone = false;
  AddRelay(RelayId(1), first_gone);
  AddRelay(RelayId(2), second_gone);
  SendLastWords(RelayId(2));
  core_->CloseRelay(*driven_, RelayId(1));
  EXPECT_TRUE(first_gone);
  EXPECT_FALSE(second_gone);
  EXPECT_EQ(driven_->FindRelay(RelayId(1)), nullptr);
  SendLastWords(RelayId(2));
  core_->batch.Send();
  EXPECT_EQ(Heard(), std::string(kLastWords) + std::string(kLastWords));
  driven_->CloseRelays();
  EXPECT_TRUE(second_gone);
}

}  // namespace
}  // namespace jsp::transport::io
