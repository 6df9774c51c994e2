// Data: Send and Data indications, ChannelData, trains, ICMP, bandwidth (RFC 8656 §9, §11, §12).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "turn/server/testing/test_server.h"
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
using stun::AttributeType;
using stun::MessageBuilder;
using stun::MessageClass;
using stun::Method;
using Bytes = std::vector<uint8_t>;

constexpr ChannelNumber kChannel{0x4000};
const SocketAddress kPeer = *SocketAddress::Parse("198.51.100.5:7000");
const SocketAddress kOther = *SocketAddress::Parse("198.51.100.6:7000");
const Bytes kData{1, 2, 3, 4, 5};

Bytes InChannel(ChannelNumber channel, const Bytes& data, Framing framing = Framing::kDatagram) {
  Bytes out(data.size() + 8);
  out.resize(WriteChannelData(framing, {channel, data}, out).size());
  return out;
}

void Append(Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); }

class ServerDataTest : public ::testing::Test {
 protected:
  ServerDataTest() {
    client_.Allocate();
    EXPECT_EQ(client_.Bind(kChannel, "198.51.100.5:7000"), 0);
    EXPECT_EQ(client_.Permit("198.51.100.6:1"), 0);
  }
  TestServer s_;
  TestClient client_{s_, "203.0.113.9:4000"};
};

TEST_F(ServerDataTest, RelaysASendIndication) {  // RFC 8656 §11.2
  const auto relayed = client_.SendTo("198.51.100.6:9", kData);
  ASSERT_EQ(relayed.size(), 1u);
  EXPECT_EQ(relayed[0].to.peer.ToString(), "198.51.100.6:9");
  EXPECT_EQ(relayed[0].to.relay, s_.HandleOf(client_.relayed));
  EXPECT_FALSE(relayed[0].to.dont_fragment);
  EXPECT_EQ(relayed[0].datagrams, std::vector<Bytes>{kData});
  EXPECT_EQ(client_.SendTo("198.51.100.6:9", {}).at(0).datagrams, std::vector<Bytes>{Bytes{}});  // an empty datagram
}

TEST_F(ServerDataTest, DontFragmentIsPassedOnOrTheDataIsDropped) {  // RFC 8656 §11.2, §14
  const auto send = [](TestServer& s, const TestClient& client) {
    Bytes out(200);
    MessageBuilder b(out, {Method::kSend, MessageClass::kIndication}, {});
    b.AddAddress(AttributeType::kXorPeerAddress, kOther).AddFlag(AttributeType::kDontFragment);
    b.Add(AttributeType::kData, kData);
    return s.FromClient(client.path, b.Finish());
  };
  EXPECT_TRUE(send(s_, client_).at(0).to.dont_fragment);
  auto options = TestServer::DefaultOptions();
  options.dont_fragment = DontFragmentSupport::kNone;
  TestServer cannot(options);
  TestClient client(cannot, "203.0.113.9:1");
  client.Allocate();
  ASSERT_EQ(client.Permit("198.51.100.6:1"), 0);
  EXPECT_TRUE(send(cannot, client).empty());
}

TEST_F(ServerDataTest, T3_SendingNeedsAPermission) {  // RFC 8656 §11.2
  EXPECT_TRUE(client_.SendTo("198.51.100.7:9", kData).empty());
  EXPECT_EQ(s_.server.dropped(ServerDrop::kNoPermission), 1u);
  s_.Advance(200s);
  EXPECT_FALSE(client_.SendTo("198.51.100.6:9", kData).empty());
  s_.Advance(200s);  // "a Send indication never causes the server to refresh the permission"
  EXPECT_TRUE(client_.SendTo("198.51.100.6:9", kData).empty());
}

TEST_F(ServerDataTest, IncompleteIndicationsAreDropped) {  // RFC 8656 §11.2
  for (int missing = 0; missing < 3; ++missing) {
    Bytes out(200);
    MessageBuilder b(out, {Method::kSend, MessageClass::kIndication}, {});
    if (missing != 0) b.AddAddress(AttributeType::kXorPeerAddress, kOther);
    if (missing != 1) b.Add(AttributeType::kData, kData);
    if (missing == 2) b.AddFlag(static_cast<AttributeType>(0x7777));
    EXPECT_TRUE(s_.FromClient(client_.path, b.Finish()).empty());
  }
  EXPECT_EQ(s_.server.dropped(ServerDrop::kMalformed), 3u);
  EXPECT_FALSE(s_.Poll());  // silently
  EXPECT_TRUE(client_.SendTo("[2001:db8:1::5]:1", kData).empty());
  EXPECT_EQ(s_.server.dropped(ServerDrop::kWrongFamily), 1u);
}

TEST_F(ServerDataTest, WithoutAnAllocationThereIsSilence) {  // RFC 8656 §5
  TestClient nobody(s_, "203.0.113.10:1");
  EXPECT_TRUE(nobody.SendTo("198.51.100.6:9", kData).empty());
  EXPECT_TRUE(s_.FromClient(nobody.path, InChannel(kChannel, kData)).empty());
  EXPECT_EQ(s_.server.dropped(ServerDrop::kNoAllocation), 2u);
  EXPECT_FALSE(s_.Poll());
}

TEST_F(ServerDataTest, RelaysChannelData) {  // RFC 8656 §12.6
  auto message = InChannel(kChannel, kData);
  const auto relayed = s_.FromClient(client_.path, message);
  ASSERT_EQ(relayed.size(), 1u);
  EXPECT_EQ(relayed[0].to.peer, kPeer);
  EXPECT_EQ(relayed[0].datagrams, std::vector<Bytes>{kData});
  Append(message, {9, 9, 9});  // padding
  EXPECT_EQ(s_.FromClient(client_.path, message).at(0).datagrams, std::vector<Bytes>{kData});
  EXPECT_EQ(s_.FromClient(client_.path, InChannel(kChannel, {})).at(0).datagrams, std::vector<Bytes>{Bytes{}});
}

TEST_F(ServerDataTest, T5_BadChannelDataIsSilentlyDropped) {  // RFC 8656 §12.6
  auto message = InChannel(kChannel, kData);
  message.pop_back();
  EXPECT_TRUE(s_.FromClient(client_.path, message).empty());
  EXPECT_TRUE(s_.FromClient(client_.path, InChannel({0x4001}, kData)).empty());
  EXPECT_TRUE(s_.FromClient(client_.path, InChannel({0x5000}, kData)).empty());
  EXPECT_TRUE(s_.FromClient(client_.path, {}).empty());
  EXPECT_TRUE(s_.FromClient(client_.path, Bytes{0x80, 0, 0, 0}).empty());
  EXPECT_EQ(s_.server.dropped(ServerDrop::kUnboundChannel), 1u);
  EXPECT_EQ(s_.server.dropped(ServerDrop::kUnparsable), 4u);
  EXPECT_FALSE(s_.Poll());
}

TEST_F(ServerDataTest, T3_ChannelDataRefreshesNothing) {  // RFC 8656 §12.6
  for (int i = 0; i < 30; ++i) {
    EXPECT_FALSE(s_.FromClient(client_.path, InChannel(kChannel, kData)).empty());
    s_.Advance(10s);
  }
  EXPECT_TRUE(s_.FromClient(client_.path, InChannel(kChannel, kData)).empty());
  EXPECT_EQ(s_.server.dropped(ServerDrop::kNoPermission), 1u);
}

TEST_F(ServerDataTest, DeliversToTheClient) {  // RFC 8656 §11.3, §12.5
  const auto bound = s_.FromPeer(client_.relayed, kPeer, kData);
  ASSERT_EQ(bound.size(), 1u);
  EXPECT_EQ(bound[0].path, client_.path);
  EXPECT_EQ(bound[0].messages, std::vector<Bytes>{InChannel(kChannel, kData)});  // "MUST use the ChannelData message"
  const auto unbound = s_.FromPeer(client_.relayed, kOther, kData);
  ASSERT_EQ(unbound.size(), 1u);
  const auto indication = stun::MessageView::Parse(unbound[0].messages.at(0));
  ASSERT_TRUE(indication);
  EXPECT_TRUE(indication->Is(Method::kData, MessageClass::kIndication));
  EXPECT_EQ(indication->FindAddress(AttributeType::kXorPeerAddress), kOther);
  EXPECT_TRUE(std::ranges::equal(*indication->Find(AttributeType::kData), kData));
  EXPECT_EQ(s_.FromPeer(client_.relayed, kPeer, {}).at(0).messages, std::vector<Bytes>{InChannel(kChannel, {})});
}

TEST_F(ServerDataTest, IndicationsOfEveryLengthAreWellFormed) {  // RFC 8656 §11.3, RFC 8489 §14
  TestClient v6(s_, "203.0.113.9:4001");
  v6.Allocate([](MessageBuilder& b) { Add(b, RequestedAddressFamily{AddressFamily::kV6}); });
  ASSERT_EQ(v6.Permit("[2001:db8:1::5]:1"), 0);
  const auto peer = *SocketAddress::Parse("[2001:db8:1::5]:99");
  for (size_t n : {0u, 1u, 2u, 3u, 4u, 5u, 1400u, 65000u}) {
    const Bytes data(n, 0x5a);
    const auto delivered = s_.FromPeer(v6.relayed_v6, peer, data);
    const auto message = stun::MessageView::Parse(delivered.at(0).messages.at(0));
    ASSERT_TRUE(message) << n;
    EXPECT_EQ(message->FindAddress(AttributeType::kXorPeerAddress), peer);
    EXPECT_TRUE(std::ranges::equal(*message->Find(AttributeType::kData), data)) << n;
  }
  s_.FromPeer(v6.relayed_v6, peer, Bytes(65500));
  EXPECT_EQ(s_.server.dropped(ServerDrop::kTooLong), 1u);
}

TEST_F(ServerDataTest, PadsInStreams) {  // RFC 8656 §12.5
  TestClient stream(s_, "203.0.113.9:1", TestServer::kTcp);
  stream.Allocate();
  ASSERT_EQ(stream.Bind(kChannel, "198.51.100.5:7000"), 0);
  EXPECT_EQ(s_.FromPeer(stream.relayed, kPeer, kData).at(0).messages,
            std::vector<Bytes>{InChannel(kChannel, kData, Framing::kStream)});
  EXPECT_EQ(s_.FromClient(stream.path, InChannel(kChannel, kData, Framing::kStream)).at(0).datagrams,
            std::vector<Bytes>{kData});
}

TEST_F(ServerDataTest, ATrainIsOneRun) {  // one look-up, no copy
  Bytes train;
  std::vector<Bytes> payloads;
  for (uint8_t i = 0; i < 20; ++i) {
    payloads.emplace_back(100, i);
    Append(train, InChannel(kChannel, payloads.back()));
  }
  payloads.emplace_back(30, uint8_t{99});  // a shorter last one
  Append(train, InChannel(kChannel, payloads.back()));
  const auto relayed = s_.FromClient(client_.path, train, 104);
  ASSERT_EQ(relayed.size(), 1u);
  EXPECT_EQ(relayed[0].datagrams, payloads);
  std::array<Segment, 64> segments;
  const auto run = s_.server.HandleFromClient(s_.now, client_.path, {train, 104}, segments);
  EXPECT_EQ(segments[3].payload.data(), train.data() + 3 * 104 + 4);  // views of the train
  EXPECT_EQ(run.consumed, train.size());
  EXPECT_EQ(s_.server.metrics().packets_to_peers, 42u);
  EXPECT_EQ(s_.server.metrics().octets_to_peers, 2u * 2030u);
}

TEST_F(ServerDataTest, ARunEndsWhereTheDestinationOrTheLengthChanges) {
  ASSERT_EQ(client_.Bind({0x4001}, "198.51.100.6:7000"), 0);
  Bytes train;
  for (const unsigned channel : {0x4000u, 0x4000u, 0x4001u, 0x4001u, 0x4001u, 0x4000u}) {
    Append(train, InChannel({static_cast<uint16_t>(channel)}, Bytes(40, 1)));
  }
  Bytes padded = InChannel(kChannel, Bytes(37, 2));  // shorter inside a datagram of the same length
  padded.resize(44);
  Append(train, padded);
  Append(train, InChannel(kChannel, Bytes(40, 3)));
  const auto relayed = s_.FromClient(client_.path, train, 44);
  std::vector<size_t> sizes;
  for (const auto& run : relayed) sizes.push_back(run.datagrams.size());
  EXPECT_EQ(sizes, (std::vector<size_t>{2, 3, 2, 1}));
  EXPECT_EQ(relayed[1].to.peer, kOther);
  EXPECT_EQ(relayed[2].datagrams[1].size(), 37u);
}

TEST_F(ServerDataTest, RequestsAndGarbageInATrainAreTakenOneByOne) {
  const auto request = client_.Build(Method::kRefresh);
  Bytes train = InChannel(kChannel, Bytes(request.size() - 4));
  Append(train, request);
  Append(train, Bytes(request.size(), 0xff));
  Append(train, InChannel(kChannel, Bytes(request.size() - 4)));
  EXPECT_EQ(s_.FromClient(client_.path, train, request.size()).size(), 2u);
  EXPECT_EQ(s_.Poll()->code(), 0);
  EXPECT_EQ(s_.server.dropped(ServerDrop::kUnparsable), 1u);
}

TEST_F(ServerDataTest, ATrainFromAPeerIsOneRun) {
  Bytes train(64 * 50 + 10, 7);  // 65 datagrams: more than fit into one run
  const auto delivered = s_.FromPeer(client_.relayed, kPeer, train, 50);
  ASSERT_EQ(delivered.size(), 2u);
  EXPECT_EQ(delivered[0].messages.size(), 64u);
  EXPECT_EQ(delivered[0].messages[63], InChannel(kChannel, Bytes(50, 7)));
  EXPECT_EQ(delivered[1].messages, std::vector<Bytes>{InChannel(kChannel, Bytes(10, 7))});
  EXPECT_EQ(s_.FromPeer(client_.relayed, kOther, Bytes(100, 1), 50).at(0).messages.size(), 2u);
  EXPECT_TRUE(s_.FromPeer(client_.relayed, *SocketAddress::Parse("198.51.100.7:1"), train, 50).empty());
  EXPECT_EQ(s_.server.dropped(ServerDrop::kNoPermission), 65u);
}

TEST_F(ServerDataTest, ALateRelayReachesNobody) {
  const RelayHandle handle = s_.HandleOf(client_.relayed);
  ASSERT_EQ(client_.Refresh(0), 0);
  client_.Allocate();  // another tenant of the same place
  std::array<Segment, 4> segments;
  EXPECT_FALSE(s_.server.HandleFromPeer(s_.now, handle, kPeer, {kData, 0}, segments).to_client);
  EXPECT_FALSE(s_.server.HandleFromPeer(s_.now, {}, kPeer, {kData, 0}, segments).to_client);
  EXPECT_EQ(s_.server.dropped(ServerDrop::kLateRelay), 2u);
}

TEST_F(ServerDataTest, ReportsIcmp) {  // RFC 8656 §11.5, §18.13
  const RelayHandle relay = s_.HandleOf(client_.relayed);
  s_.server.HandleIcmp(s_.now, relay, kPeer, {3, 4, 1280});
  const auto message = s_.Poll();
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->view().Is(Method::kData, MessageClass::kIndication));  // also where a channel is bound
  EXPECT_EQ(message->view().FindAddress(AttributeType::kXorPeerAddress), kPeer);
  EXPECT_EQ(Find<Icmp>(message->view()), (Icmp{3, 4, 1280}));
  s_.server.HandleIcmp(s_.now, relay, {kOther.ip, 0}, {3, 3, 99});
  EXPECT_EQ(Find<Icmp>(s_.Poll()->view()), (Icmp{3, 3, 0}));  // "MUST be set to zero"
  s_.server.HandleIcmp(s_.now, relay, *SocketAddress::Parse("198.51.100.7:1"), {3, 3, 0});
  s_.server.HandleIcmp(s_.now, relay, kPeer, {8, 0, 0});  // an echo request
  s_.server.HandleIcmp(s_.now, {}, kPeer, {3, 3, 0});
  EXPECT_FALSE(s_.Poll());
}

TEST_F(ServerDataTest, BandwidthIsBoundedInBothDirections) {  // RFC 8656 §5
  auto options = TestServer::DefaultOptions();
  options.quotas.bandwidth_per_user = 1000;
  TestServer s(options);
  TestClient client(s, "203.0.113.9:1");
  client.Allocate();
  ASSERT_EQ(client.Bind(kChannel, "198.51.100.5:7000"), 0);
  const auto up = [&] { return !s.FromClient(client.path, InChannel(kChannel, Bytes(400))).empty(); };
  const auto down = [&] { return !s.FromPeer(client.relayed, kPeer, Bytes(400)).empty(); };
  EXPECT_TRUE(up() && down() && up());
  EXPECT_FALSE(down());
  EXPECT_FALSE(up());
  EXPECT_EQ(s.server.dropped(ServerDrop::kBandwidth), 2u);
  s.Advance(300ms);  // the debt of 200 octets is paid
  EXPECT_TRUE(up());
}

TEST_F(ServerDataTest, BindingMessagesAreSomebodyElses) {
  std::array<uint8_t, 20> out;
  std::array<Segment, 4> segments;
  const auto request = MessageBuilder(out, {Method::kBinding, MessageClass::kRequest}, {}).Finish();
  EXPECT_TRUE(s_.server.HandleFromClient(s_.now, client_.path, {request, 0}, segments).is_binding);
  EXPECT_FALSE(s_.Poll());
}

}  // namespace
}  // namespace jsp::turn
