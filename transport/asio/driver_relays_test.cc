#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/write.hpp>
#include <string_view>
#include <vector>

#include "dtls/stream_session.h"
#include "dtls/stream_test_support.h"
#include "transport/asio/driver_core.h"
#include "transport/asio/endpoint.h"
#include "transport/asio/loop_test_support.h"
#include "transport/asio/relay_connection.h"
#include "transport/asio/steady_clock.h"

namespace jsp::transport::io {
namespace {

using boost::asio::ip::tcp;
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
        driven_(std::make_shared<DrivenPeer>(std::make_shared<const SettledPeerOptions>(testing::TestPeerOptions()),
                                             core_->rng, Now(), observer_)),
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

// The other end of a TLS connection: what came, and in how many records (RFC 8446 §5.1).
class TlsEnd {
 public:
  TlsEnd(boost::asio::io_context& io, const dtls::testing::Issued& certificate)
      : acceptor_(io, {boost::asio::ip::address_v4::loopback(), 0}),
        socket_(io),
        session_({.context = *dtls::StreamContext::ForServer(certificate.chain_pem, certificate.key_pem)}, Now()) {
    acceptor_.async_accept(socket_, [this](boost::system::error_code error) {
      if (!error) Read();
    });
  }
  SocketAddress address() const { return {IpAddress::V4(127, 0, 0, 1), acceptor_.local_endpoint().port()}; }
  bool is_connected() const { return session_.is_connected(); }

  std::vector<uint8_t> received;
  size_t records = 0;  // that came since it was connected

 private:
  void Read() {
    socket_.async_read_some(boost::asio::buffer(input_), [this](boost::system::error_code error, size_t size) {
      if (error) return;
      if (is_connected()) CountRecords(std::span(input_).first(size));
      Take(std::span(input_).first(size));
      Read();
    });
  }
  void CountRecords(std::span<const uint8_t> octets) {
    constexpr size_t kHeader = 5;
    partial_.insert(partial_.end(), octets.begin(), octets.end());
    while (partial_.size() >= kHeader) {
      const size_t size = kHeader + (size_t{partial_[3]} << 8 | partial_[4]);
      if (partial_.size() < size) return;
      ++records;
      partial_.erase(partial_.begin(), partial_.begin() + static_cast<ptrdiff_t>(size));
    }
  }
  void Take(std::span<const uint8_t> octets) {
    std::array<uint8_t, 17 * 1024> out;
    do {
      octets = octets.subspan(session_.HandleReceived(Now(), octets));
      while (const auto size = session_.PollPlaintext(Now(), out)) {
        received.insert(received.end(), out.begin(), out.begin() + static_cast<ptrdiff_t>(*size));
      }
      while (const auto transmit = session_.PollTransmit(Now(), out)) {
        boost::asio::write(socket_, boost::asio::buffer(out.data(), transmit->size));
      }
    } while (!octets.empty());
  }

  tcp::acceptor acceptor_;
  tcp::socket socket_;
  dtls::StreamSession session_;
  std::array<uint8_t, 64 * 1024> input_;
  std::vector<uint8_t> partial_;
};

TEST_F(DriverRelaysTest, WhatATurnSendsOverTlsIsInFewRecords) {
  const dtls::testing::TestAuthority authority;
  TlsEnd end(io_, authority.Issue({.names = {"IP:127.0.0.1"}}));
  const RelayServer server{.address = end.address(),
                           .transport = turn::ControlTransport::kTls,
                           .host = "127.0.0.1",
                           .tls = *dtls::StreamContext::ForClient({.ca_pem = authority.pem()})};
  const auto relay = RelayConnection::Open(core_, driven_, RelayId(1), server);
  ASSERT_TRUE(relay);
  ASSERT_TRUE(RunUntil(io_, [&] { return end.is_connected(); }));
  constexpr size_t kMessages = 40, kSize = 1200;
  for (size_t i = 0; i < kMessages; ++i) {
    std::ranges::fill(core_->batch.room().first(kSize), static_cast<uint8_t>(i));
    relay->Send(core_->batch, {.size = kSize, .local = {}, .remote = end.address()});
  }
  relay->HandleFlushed();
  ASSERT_TRUE(RunUntil(io_, [&] { return end.received.size() == kMessages * kSize; }));
  for (size_t i = 0; i < end.received.size(); ++i) ASSERT_EQ(end.received[i], i / kSize);
  EXPECT_EQ(end.records, (kMessages * kSize + (1 << 14) - 1) / (1 << 14)) << "of 2^14 octets, but the last";
  // What was sent last leaves with the connection's end, flushed or not.
  std::ranges::copy(kLastWords, core_->batch.room().begin());
  relay->Send(core_->batch, {.size = kLastWords.size(), .local = {}, .remote = end.address()});
  relay->Close();
  ASSERT_TRUE(RunUntil(io_, [&] { return end.received.size() == kMessages * kSize + kLastWords.size(); }));
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
