// What TurnServerOptions say, and what sockets of a server do beside relaying.
#include <netinet/in.h>
#include <sys/socket.h>

#include "stun/change_request.h"
#include "stun/message_builder.h"
#include "stun/message_view.h"
#include "transport/asio/turn_server_test_fixture.h"
namespace jsp::transport::io {
namespace {

using stun::AttributeType;
using testing::kLocalhost;
using testing::LoopbackServer;
using testing::RunUntil;
using testing::TestDatagram;
using testing::TestPeerSocket;
using testing::TestTurnClient;

const IpAddress kOtherLocalhost = IpAddress::V4(127, 0, 0, 2);

class TurnServerOptionsTest : public testing::TurnServerFixture {
 protected:
  // The answer to a Binding request with CHANGE-REQUEST.
  TestDatagram Bind(TestPeerSocket& socket, const SocketAddress& server, std::optional<uint32_t> change = {}) {
    std::array<uint8_t, 64> buffer;
    const stun::TransactionId id{{++number_}};
    stun::MessageBuilder request(buffer, {stun::Method::kBinding, stun::MessageClass::kRequest}, id);
    if (change) {
      std::array<uint8_t, 4> flags{0, 0, 0, static_cast<uint8_t>(*change)};
      request.Add(AttributeType::kChangeRequest, flags);
    }
    const auto octets = request.Finish();
    const size_t before = socket.received.size();
    socket.Send(server, {octets.begin(), octets.end()});
    EXPECT_TRUE(RunUntil(io_, [&] { return socket.received.size() > before; }));
    return socket.received.back();
  }
  static stun::MessageView View(const TestDatagram& datagram) { return *stun::MessageView::Parse(datagram.data); }

  uint8_t number_ = 0;
};

TEST_F(TurnServerOptionsTest, AnswersBindingOverUdp) {  // RFC 8489 §12
  Open();
  TestPeerSocket socket(io_);
  const auto answer = Bind(socket, udp().address);
  EXPECT_EQ(answer.from, udp().address);
  EXPECT_EQ(View(answer).FindAddress(AttributeType::kXorMappedAddress), socket.local());
  EXPECT_FALSE(View(answer).Has(AttributeType::kOtherAddress));
}

TEST_F(TurnServerOptionsTest, DiscoversNatsFromTwoAddresses) {  // RFC 5780 §6.1, Table 1
  TurnServerOptions options = LoopbackServer();
  options.alternate_address = kOtherLocalhost;
  Open(options);
  ASSERT_EQ(server_->listening().size(), 5u);
  TestPeerSocket socket(io_);
  const auto plain = Bind(socket, udp().address);
  EXPECT_EQ(plain.from, udp().address);
  const auto other = View(plain).FindAddress(AttributeType::kOtherAddress);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->ip, kOtherLocalhost);
  EXPECT_NE(other->port, udp().address.port);
  for (const SocketAddress& server : {udp().address, *other}) {
    const SocketAddress opposite = server == *other ? udp().address : *other;
    EXPECT_EQ(Bind(socket, server, stun::kChangeIp | stun::kChangePort).from, opposite);
    EXPECT_EQ(Bind(socket, server, stun::kChangeIp).from, (SocketAddress{opposite.ip, server.port}));
    EXPECT_EQ(Bind(socket, server, stun::kChangePort).from, (SocketAddress{server.ip, opposite.port}));
  }
}

TEST_F(TurnServerOptionsTest, ARedirectHasNothingOfDiscovery) {  // RFC 5780 §6.1: never with ALTERNATE-SERVER
  TurnServerOptions options = LoopbackServer();
  options.alternate_address = kOtherLocalhost;
  Open(options);
  server_->Drain({{kLocalhost, 9}});
  TestPeerSocket socket(io_);
  EXPECT_FALSE(View(Bind(socket, udp().address)).Has(AttributeType::kAlternateServer));
  TestTurnClient client(io_, udp());
  client.Start();
  // It follows to where nobody answers; until then it has seen the redirect.
  ASSERT_TRUE(RunUntil(io_, [&] { return server_->metrics().error(300) == 1; }));
  ASSERT_TRUE(RunUntil(io_, [&] { return client.client().server().port == 9; }));
  EXPECT_FALSE(View(client.last_message).Has(AttributeType::kOtherAddress));
  EXPECT_FALSE(View(client.last_message).Has(AttributeType::kResponseOrigin));
}

TEST_F(TurnServerOptionsTest, SaysWhichAddressIsTaken) {
  Open();
  TurnServerOptions options = LoopbackServer();
  options.listen = {udp()};
  const auto second = TurnServer::Open(io_.get_executor(), options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), "cannot listen on UDP " + udp().address.ToString() + ": Address already in use");
  options.listen = {tcp()};
  EXPECT_FALSE(TurnServer::Open(io_.get_executor(), options));
}

TEST_F(TurnServerOptionsTest, TheWildcardListensOnEachAddress) {
  TurnServerOptions options = LoopbackServer();
  options.listen = {{turn::ControlTransport::kUdp, {IpAddress(), 0}}};
  Open(options);
  bool any_loopback = false;
  for (const TurnListen& each : server_->listening()) {
    EXPECT_FALSE(each.address.ip.IsUnspecified());
    any_loopback = any_loopback || each.address.ip == kLocalhost;
  }
  EXPECT_TRUE(any_loopback);
}

TEST_F(TurnServerOptionsTest, RelaysWithoutSegmentationToo) {
  TurnServerOptions options = LoopbackServer();
  options.segmentation = false;
  Open(options);
  const auto client = Allocate(udp());
  TestPeerSocket peer(io_);
  TurnServerFixture::Bind(*client, peer.local());
  const std::vector<size_t> sizes(150, 900);
  client->SendTrain(peer.local(), sizes);
  ASSERT_TRUE(RunUntil(io_, [&] { return peer.received.size() == sizes.size(); }));
  testing::ExpectNumbered(peer.received, sizes);
  peer.SendTrain(client->relayed(), sizes);
  ASSERT_TRUE(RunUntil(io_, [&] { return client->received.size() == sizes.size(); }));
  testing::ExpectNumbered(client->received, sizes);
  EXPECT_EQ(server_->stats().datagrams.trains_sent, server_->stats().datagrams.datagrams_sent);
}

TEST_F(TurnServerOptionsTest, AdvertisesTheAddressOutsideAStaticNat) {
  TurnServerOptions options = LoopbackServer();
  const IpAddress outside = IpAddress::V4(198, 51, 100, 1);
  options.core.relay_addresses = {outside};
  options.relay_mappings = {{outside, kOtherLocalhost}};
  Open(options);
  const auto client = Allocate(udp());
  EXPECT_EQ(client->relayed().ip, outside);
  Permit(*client, kLocalhost);
  TestPeerSocket peer(io_);
  peer.Send({kOtherLocalhost, client->relayed().port}, {1});
  ASSERT_TRUE(RunUntil(io_, [&] { return client->received.size() == 1; }));
}

TEST_F(TurnServerOptionsTest, EvenPortsHaveTheNextOneReserved) {  // RFC 8656 §7.2
  Open();
  const auto first = Allocate(udp(), {.even_port = turn::EvenPort{true}});
  EXPECT_EQ(first->relayed().port % 2, 0);
  EXPECT_EQ(server_->stats().relays_open, 2u);
  const auto token = first->Find<turn::event::Allocated>()->reservation;
  ASSERT_TRUE(token);
  const auto second = Allocate(udp(), {.reservation = token});
  EXPECT_EQ(second->relayed().port, first->relayed().port + 1);
  EXPECT_EQ(server_->stats().relays_open, 2u);
}

TEST_F(TurnServerOptionsTest, PortsThatOthersHaveArePassedOver) {  // RFC 8656 §7.2
  TestPeerSocket taken(io_);
  TurnServerOptions options = LoopbackServer();
  const uint16_t port = taken.local().port;
  options.core.relay_ports = {port, static_cast<uint16_t>(port + 7)};
  Open(options);
  std::vector<std::unique_ptr<TestTurnClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(Allocate(udp()));
    EXPECT_NE(clients.back()->relayed().port, port);
  }
}

TEST_F(TurnServerOptionsTest, TellsTheClientWhatIcmpSays) {  // RFC 8656 §11.5
  Open();
  const auto client = Allocate(udp());
  SocketAddress nobody;
  nobody = TestPeerSocket(io_).local();
  Permit(*client, kLocalhost);
  client->Send(nobody, 10);
  ASSERT_TRUE(RunUntil(io_, [&] { return client->Find<turn::event::PeerUnreachable>() != nullptr; }));
  EXPECT_EQ(client->Find<turn::event::PeerUnreachable>()->peer, nobody);
  EXPECT_EQ(client->Find<turn::event::PeerUnreachable>()->icmp, (turn::Icmp{3, 3, 0}));
  EXPECT_EQ(server_->stats().network_errors, 1u);
  // The relay goes on.
  TestPeerSocket peer(io_);
  client->Send(peer.local(), 11);
  ASSERT_TRUE(RunUntil(io_, [&] { return peer.received.size() == 1; }));
}

// The DF bit that a datagram arrived with, from a raw view of it: nullopt without the right to look.
class DfProbe {
 public:
  DfProbe() : raw_(::socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_UDP)) {}
  ~DfProbe() {
    if (raw_ >= 0) ::close(raw_);
  }
  bool works() const { return raw_ >= 0; }
  // Of the packet to that port of which `size` is the payload.
  std::optional<bool> Find(uint16_t port, size_t size) {
    std::array<uint8_t, 2048> packet;
    while (true) {
      const ssize_t got = ::recv(raw_, packet.data(), packet.size(), 0);
      if (got < 0) return std::nullopt;
      const size_t header = (packet[0] & 0x0fu) * 4;
      const uint16_t to = static_cast<uint16_t>(packet[header + 2] << 8 | packet[header + 3]);
      if (to == port && static_cast<size_t>(got) == header + 8 + size) return (packet[6] & 0x40) != 0;
    }
  }

 private:
  int raw_;
};

TEST_F(TurnServerOptionsTest, ForbidsFragmentsOnlyWhereTheClientSays) {  // RFC 8656 §14, §15
  DfProbe probe;
  if (!probe.works()) GTEST_SKIP() << "JSP-SKIPPED: no raw sockets here";
  Open();
  const auto client = Allocate(udp(), {.dont_fragment = true, .first_data = turn::FirstData::kAfterPermission});
  const auto other = Allocate(udp());
  TestPeerSocket peer(io_);
  Permit(*client, kLocalhost);
  TurnServerFixture::Bind(*other, peer.local());
  client->Send(peer.local(), 33);  // a Send indication with DONT-FRAGMENT
  other->Send(peer.local(), 44);   // a ChannelData message
  ASSERT_TRUE(RunUntil(io_, [&] { return peer.received.size() == 2; }));
  EXPECT_EQ(probe.Find(peer.local().port, 33), true);
  EXPECT_EQ(probe.Find(peer.local().port, 44), false);
}

}  // namespace
}  // namespace jsp::transport::io
