// Whole peers over TCP connections of their own (RFC 6544), in virtual time: where UDP is blocked, and what breaks.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bench/natlab/lab.h"

namespace jsp {
namespace {

using natlab::Lab;
using natlab::LabOptions;
using netsim::NatType;
using std::chrono::milliseconds;
using std::chrono::seconds;
using transport::ConnectionState;
using transport::IceTcp;

// a's network blocks UDP unless told otherwise, z is in the open.
LabOptions Blocked(NatType a = NatType::kUdpBlocked, double loss = 0) {
  LabOptions options;
  options.layout = {.a = a, .z = NatType::kPublic};
  for (auto* link : {&options.layout.a_access, &options.layout.z_access}) {
    link->delay = milliseconds(10);
    link->bytes_per_second = 12'500'000;
    if (loss > 0) link->loss = netsim::UniformLoss{loss};
  }
  return options;
}

struct TcpLab {
  explicit TcpLab(IceTcp a_mode = IceTcp::kActive, IceTcp z_mode = IceTcp::kPassive, LabOptions options = Blocked()) {
    options.a.ice_tcp = a_mode;
    options.z.ice_tcp = z_mode;
    lab.emplace(options);
    channel = *lab->a->peer.OpenChannel(lab->world.now(), {.label = "data"});
    signalled = lab->Signal();
  }
  bool Connect() {
    return signalled && lab->world.RunUntil(
                            [&] {
                              return lab->a->peer.state() == ConnectionState::kCompleted &&
                                     lab->z->peer.state() == ConnectionState::kCompleted;
                            },
                            seconds(30));
  }
  // z has what a sends, whole and in order; the octets say where they belong.
  bool Transfer(size_t octets, Duration limit) {
    size_t sent = 0;
    size_t arrived = 0;
    constexpr size_t kMessage = 16 * 1024;
    return lab->world.RunUntil(
        [&] {
          const Timestamp now = lab->world.now();
          while (sent < octets && lab->a->peer.send_buffer_room() >= kMessage) {
            std::vector<uint8_t> message(kMessage, static_cast<uint8_t>(sent / kMessage));
            if (!lab->a->peer.Send(now, channel, datachannel::MessageKind::kBinary, std::move(message))) break;
            sent += kMessage;
            lab->a->driver.Kick();
          }
          bool took = false;
          while (const auto message = lab->z->peer.PollAnyMessage(now)) {
            took = true;
            EXPECT_EQ(message->payload.size(), kMessage);
            EXPECT_EQ(message->payload.data()[0], static_cast<uint8_t>(arrived / kMessage));
            arrived += message->payload.size();
          }
          if (took) lab->z->driver.Kick();
          return arrived >= octets;
        },
        limit);
  }

  std::optional<Lab> lab;
  datachannel::ChannelId channel;
  bool signalled = false;
};

TEST(IceTcpTest, ConnectsDirectlyWhereUdpIsBlocked) {  // RFC 6544 §1
  TcpLab tcp;
  ASSERT_TRUE(tcp.Connect()) << tcp.lab->a->peer.stats().state_reason;
  const auto a = tcp.lab->a->peer.stats();
  const auto z = tcp.lab->z->peer.stats();
  EXPECT_EQ(a.selected_pair->local.protocol, ice::TransportProtocol::kTcpActive);
  EXPECT_EQ(a.selected_pair->remote.address.port, natlab::kIceTcpPort);
  EXPECT_EQ(z.selected_pair->local.protocol, ice::TransportProtocol::kTcpPassive);
  EXPECT_EQ(z.selected_pair->local.address.port, natlab::kIceTcpPort);
  EXPECT_EQ(z.selected_pair->remote.type, ice::CandidateType::kPeerReflexive);
  EXPECT_GT(a.paths.tcp.bytes_sent, 1000u);
  EXPECT_EQ(a.paths.direct.bytes_received, 0u);
  EXPECT_EQ(a.ice_tcp.connects, 1u);
  EXPECT_TRUE(tcp.Transfer(1024 * 1024, seconds(10)));
}

TEST(IceTcpTest, EitherSideMayBeTheOneThatListens) {
  for (const bool offerer_is_blocked : {true, false}) {
    LabOptions options = Blocked();
    if (!offerer_is_blocked) std::swap(options.layout.a, options.layout.z);
    TcpLab tcp(IceTcp::kBoth, IceTcp::kBoth, options);
    ASSERT_TRUE(tcp.Connect()) << offerer_is_blocked;
    EXPECT_TRUE(tcp.Transfer(1024 * 1024, seconds(10)));
  }
}

TEST(IceTcpTest, DoesNotConnectWithoutIt) {
  TcpLab tcp(IceTcp::kOff, IceTcp::kPassive);
  EXPECT_FALSE(tcp.Connect());
  TcpLab deaf(IceTcp::kActive, IceTcp::kActive);
  EXPECT_FALSE(deaf.Connect());
}

TEST(IceTcpTest, UdpIsPreferredWhereItWorks) {  // RFC 6544 §4.2
  TcpLab tcp(IceTcp::kBoth, IceTcp::kBoth, Blocked(NatType::kPort));
  ASSERT_TRUE(tcp.Connect());
  EXPECT_EQ(tcp.lab->a->peer.stats().selected_pair->local.protocol, ice::TransportProtocol::kUdp);
  tcp.lab->world.RunFor(seconds(5));
  EXPECT_EQ(tcp.lab->a->tcp.connections(), 0u);  // RFC 6544 §8
  EXPECT_EQ(tcp.lab->z->tcp.connections(), 0u);
}

// TCP repairs what the links lose; SCTP must not send it a second time.
TEST(IceTcpTest, CarriesSixteenMebibytesWithoutNeedlessRetransmissions) {
  for (const double loss : {0.0, 0.001}) {
    TcpLab tcp(IceTcp::kActive, IceTcp::kPassive, Blocked(NatType::kUdpBlocked, loss));
    ASSERT_TRUE(tcp.Connect());
    const Timestamp begin = tcp.lab->world.now();
    ASSERT_TRUE(tcp.Transfer(16 * 1024 * 1024, seconds(300))) << loss;
    const Duration took = tcp.lab->world.now() - begin;
    const auto a = tcp.lab->a->peer.stats();
    EXPECT_LE(a.sctp.retransmitted_chunks * 1000, a.sctp.packets_sent) << loss;
    // 100 Mbit/s carry it in 1.4 s; TCP's and SCTP's slow starts and headers take the rest. With loss NewReno at 40 ms
    // has 1.22 × MSS / (RTT × √p), 1.4 MB/s, of two links.
    EXPECT_LT(took, loss == 0.0 ? Duration(seconds(4)) : Duration(seconds(40))) << loss;
  }
}

TEST(IceTcpTest, ABrokenConnectionIsReopenedByTheActiveSideAndNothingIsLost) {  // RFC 6544 §11.1
  TcpLab tcp;
  ASSERT_TRUE(tcp.Connect());
  ASSERT_TRUE(tcp.Transfer(256 * 1024, seconds(10)));
  for (int i = 0; i < 3; ++i) {
    const Timestamp begin = tcp.lab->world.now();
    tcp.lab->z->tcp.AbortAll();
    ASSERT_TRUE(tcp.Transfer(256 * 1024, seconds(10))) << i;
    EXPECT_LT(tcp.lab->world.now() - begin, seconds(4)) << i;
    ASSERT_TRUE(tcp.Connect()) << tcp.lab->z->peer.stats().state_reason;
    EXPECT_EQ(tcp.lab->a->peer.stats().ice_tcp.reopened, static_cast<uint64_t>(i) + 1);
    tcp.lab->world.RunFor(seconds(40));
    EXPECT_EQ(tcp.lab->a->tcp.connections(), 1u);
    EXPECT_EQ(tcp.lab->z->tcp.connections(), 1u);
  }
}

// A NAT that forgets the connection tells nobody.
TEST(IceTcpTest, AConnectionThatDiesSilentlyIsReplaced) {
  TcpLab tcp;
  ASSERT_TRUE(tcp.Connect());
  tcp.lab->a->tcp.ForgetAll();
  ASSERT_TRUE(tcp.Transfer(256 * 1024, seconds(30)));
  ASSERT_TRUE(tcp.Connect());
}

TEST(IceTcpTest, ARestartUsesTheConnectionAgain) {  // RFC 6544 §9.2
  TcpLab tcp;
  ASSERT_TRUE(tcp.Connect());
  Lab& lab = *tcp.lab;
  ASSERT_TRUE(lab.a->peer.RestartIce(lab.world.now()));
  ASSERT_TRUE(lab.Signal());
  lab.world.RunFor(seconds(10));
  ASSERT_TRUE(tcp.Connect());
  EXPECT_EQ(lab.a->peer.stats().ice_tcp.connects, 1u);
  EXPECT_EQ(lab.z->peer.stats().ice_tcp.accepts, 1u);
  EXPECT_TRUE(tcp.Transfer(256 * 1024, seconds(10)));
}

TEST(IceTcpTest, AGoodbyeArrivesBeforeTheEndOfTheConnection) {
  TcpLab tcp;
  ASSERT_TRUE(tcp.Connect());
  tcp.lab->a->peer.Close(tcp.lab->world.now());
  tcp.lab->a->driver.Kick();
  tcp.lab->world.RunFor(seconds(1));
  EXPECT_EQ(tcp.lab->z->peer.state(), ConnectionState::kClosed);
  EXPECT_EQ(tcp.lab->z->peer.stats().state_reason, "the peer closed the connection");
  EXPECT_EQ(tcp.lab->a->tcp.connections(), 0u);
  EXPECT_EQ(tcp.lab->z->tcp.connections(), 0u);
}

TEST(IceTcpTest, TheConnectionToTheSelectedRelayStaysForAsLongAsTheSession) {  // RFC 6544 §11.2
  LabOptions options = Blocked();
  options.a.relays = {turn::ControlTransport::kTcp};
  TcpLab tcp(IceTcp::kOff, IceTcp::kOff, options);
  ASSERT_TRUE(tcp.Connect());
  const size_t connections = tcp.lab->a->tcp.connections();
  tcp.lab->world.RunFor(seconds(3600));
  EXPECT_EQ(tcp.lab->a->peer.state(), ConnectionState::kCompleted);
  EXPECT_EQ(connections, 1u);
  EXPECT_EQ(tcp.lab->a->tcp.connections(), 1u);
  EXPECT_TRUE(tcp.Transfer(64 * 1024, seconds(5)));
}

TEST(IceTcpTest, IdleConnectionsStayForAsLongAsTheSession) {  // RFC 6544 §11.1
  TcpLab tcp;
  ASSERT_TRUE(tcp.Connect());
  tcp.lab->world.RunFor(seconds(7200));
  EXPECT_EQ(tcp.lab->a->peer.state(), ConnectionState::kCompleted);
  EXPECT_EQ(tcp.lab->a->peer.stats().ice_tcp.connects, 1u);
  EXPECT_TRUE(tcp.Transfer(64 * 1024, seconds(5)));
}

}  // namespace
}  // namespace jsp
