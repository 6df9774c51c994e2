// Permissions, channels and data: RFC 8656 §9 to §12.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "turn/client.h"
#include "turn/testing/scripted_server.h"
namespace jsp::turn {
namespace {

using namespace std::chrono_literals;
using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

const SocketAddress kPeer = *SocketAddress::Parse("198.51.100.5:7000");
const SocketAddress kOther = *SocketAddress::Parse("198.51.100.6:7000");
const std::array<uint8_t, 5> kData{1, 2, 3, 4, 5};

class ClientDataTest : public ::testing::Test {
 protected:
  void Use(FirstData first_data, ControlTransport transport = ControlTransport::kUdp) {
    auto options = ScriptedServer::DefaultOptions();
    options.first_data = first_data;
    options.transport = transport;
    options.limits.max_permissions = 4;
    options.limits.max_channels = 4;
    options.limits.max_queued = 3;
    s_.emplace(options);
    s_->Allocate();
  }
  ScriptedServer& s() {
    if (!s_) Use(FirstData::kOnNewChannel);
    return *s_;
  }
  Client& client() { return s().client; }
  Expected<size_t, SendError> Send(const SocketAddress& peer) { return client().Send(s().now, peer, kData, out_); }
  std::span<const uint8_t> Out(size_t size) { return std::span(out_).first(size); }
  // The peer's permission, granted.
  void Permit(const SocketAddress& peer) {
    ASSERT_TRUE(client().AddPermission(s().now, peer.ip));
    s().Succeed(s().OnlySent());
    s().Expect<event::PermissionGranted>();
  }
  ChannelNumber Bind(const SocketAddress& peer) {
    EXPECT_TRUE(client().BindChannel(s().now, peer));
    const auto request = s().OnlySent();
    s().Succeed(request);
    s().Expect<event::ChannelBound>();
    return *Find<ChannelNumber>(request.view());
  }
  Client::Handled FromChannel(ChannelNumber channel) {
    return s().Deliver(WriteChannelData(Framing::kDatagram, {channel, kData}, in_));
  }
  Client::Handled FromPeer(const SocketAddress& peer) {
    return s().Indicate(Method::kData, [&](MessageBuilder& b) {
      b.AddAddress(AttributeType::kXorPeerAddress, peer).Add(AttributeType::kData, kData);
    });
  }

  std::optional<ScriptedServer> s_;
  std::array<uint8_t, 2000> out_;
  std::array<uint8_t, 100> in_;
};

TEST_F(ClientDataTest, FirstDataFollowsItsChannelBindAtOnce) {  // RFC 8656 §12
  const auto sent = Send(kPeer);
  ASSERT_TRUE(sent);
  EXPECT_EQ(*sent, 0u);  // behind the request
  const auto messages = s().Sent();
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].method(), Method::kChannelBind);
  EXPECT_EQ(messages[0].view().FindAddress(AttributeType::kXorPeerAddress), kPeer);
  const auto channel = Find<ChannelNumber>(messages[0].view());
  EXPECT_TRUE(channel->IsUsable());  // RFC 8656 §12
  const auto data = ParseChannelData(messages[1].octets);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->channel, *channel);
  EXPECT_TRUE(std::ranges::equal(data->data, kData));
  // More data goes at once, before the answer and after it.
  EXPECT_EQ(*Send(kPeer), 9u);
  s().Succeed(messages[0]);
  EXPECT_EQ(s().Expect<event::ChannelBound>().channel, *channel);
  EXPECT_EQ(*Send(kPeer), 9u);
  EXPECT_TRUE(s().Sent().empty());
}

TEST_F(ClientDataTest, OrWaitsForThePermission) {  // RFC 8656 §11.1
  Use(FirstData::kAfterPermission);
  EXPECT_EQ(*Send(kPeer), 0u);
  const auto request = s().OnlySent();
  EXPECT_EQ(request.method(), Method::kCreatePermission);
  s().Succeed(request);
  const auto messages = s().Sent();
  ASSERT_EQ(messages.size(), 2u);
  // The data, and the request for a channel that the data to come may use.
  const auto indication =
      std::ranges::find_if(messages, [](const auto& m) { return m.is_stun() && m.method() == Method::kSend; });
  ASSERT_NE(indication, messages.end());
  EXPECT_EQ(indication->view().FindAddress(AttributeType::kXorPeerAddress), kPeer);
  EXPECT_TRUE(std::ranges::equal(*indication->view().Find(AttributeType::kData), kData));
}

TEST_F(ClientDataTest, SendIndicationsUntilTheChannelIsBound) {  // RFC 8656 §11.1, §12.5
  Permit(kPeer);
  const auto first = Send(kPeer);
  ASSERT_TRUE(first);
  EXPECT_EQ(stun::MessageView::Parse(Out(*first))->method(), Method::kSend);
  const auto bind = s().OnlySent();
  EXPECT_EQ(bind.method(), Method::kChannelBind);
  const auto second = Send(kPeer);
  EXPECT_EQ(stun::MessageView::Parse(Out(*second))->method(), Method::kSend);
  s().Succeed(bind);
  EXPECT_TRUE(ParseChannelData(Out(*Send(kPeer))));
}

TEST_F(ClientDataTest, PadsChannelDataInAStream) {  // RFC 8656 §12.5
  Use(FirstData::kOnNewChannel, ControlTransport::kTcp);
  Bind(kPeer);
  EXPECT_EQ(*Send(kPeer), 12u);
}

TEST_F(ClientDataTest, SetsDontFragmentInIndications) {  // RFC 8656 §11.1
  auto options = ScriptedServer::DefaultOptions();
  options.dont_fragment = true;
  s_.emplace(options);
  s().Allocate();
  Permit(kPeer);
  EXPECT_TRUE(Find<DontFragment>(*stun::MessageView::Parse(Out(*Send(kPeer)))));
}

TEST_F(ClientDataTest, ReceivesFromAChannelAndInIndications) {  // RFC 8656 §11.4, §12.6
  const ChannelNumber channel = Bind(kPeer);
  const auto data = FromChannel(channel).data;
  ASSERT_TRUE(data);
  EXPECT_EQ(data->peer, kPeer);
  EXPECT_TRUE(std::ranges::equal(data->data, kData));
  Permit(kOther);
  const SocketAddress other_port{kOther.ip, 1};
  EXPECT_EQ(FromPeer(other_port).data->peer, other_port);  // T4: a permission is for every port
  EXPECT_EQ(client().metrics().data_received, 2u);
}

TEST_F(ClientDataTest, AcceptsChannelDataBeforeTheAnswer) {  // RFC 8656 §12
  ASSERT_TRUE(client().BindChannel(s().now, kPeer));
  const auto channel = *Find<ChannelNumber>(s().OnlySent().view());
  EXPECT_TRUE(FromChannel(channel).data);
}

TEST_F(ClientDataTest, T11_DataWithoutPermissionIsDropped) {  // RFC 8656 §11.4
  Permit(kPeer);
  EXPECT_FALSE(FromPeer(kOther).data);
  EXPECT_EQ(client().dropped(ClientDrop::kNoPermission), 1u);
  s().Run(301s);  // no answers to the refreshing: it expires
  EXPECT_FALSE(FromPeer(kPeer).data);
}

TEST_F(ClientDataTest, T11_DataOfAChannelThatIsNotOursIsDropped) {  // RFC 8656 §12.6
  Bind(kPeer);
  EXPECT_FALSE(FromChannel({0x4001}).data);
  EXPECT_FALSE(FromChannel({0x4fff}).data);
  EXPECT_EQ(client().dropped(ClientDrop::kUnknownChannel), 2u);
  EXPECT_FALSE(FromChannel({0x5000}).data);
  EXPECT_EQ(client().dropped(ClientDrop::kUnparsable), 1u);
}

TEST_F(ClientDataTest, T11_IndicationsWithoutTheirAttributesAreDropped) {  // RFC 8656 §11.4
  Permit(kPeer);
  s().Indicate(Method::kData, [](MessageBuilder& b) { b.Add(AttributeType::kData, kData); });
  s().Indicate(Method::kData, [](MessageBuilder& b) { b.AddAddress(AttributeType::kXorPeerAddress, kPeer); });
  EXPECT_EQ(client().dropped(ClientDrop::kMalformed), 2u);
  s().Indicate(Method::kSend, [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorPeerAddress, kPeer).Add(AttributeType::kData, kData);
  });
  s().Indicate(Method::kData, [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorPeerAddress, kPeer).Add(AttributeType::kData, kData);
    b.AddFlag(static_cast<AttributeType>(0x7777));  // RFC 8489 §6.3.2
  });
  EXPECT_EQ(client().dropped(ClientDrop::kUnexpected), 2u);
}

TEST_F(ClientDataTest, AnEmptyDatagramIsData) {  // RFC 8656 §11.4: "allowed to contain zero bytes"
  Permit(kPeer);
  const auto handled = s().Indicate(Method::kData, [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorPeerAddress, kPeer).Add(AttributeType::kData, {});
  });
  ASSERT_TRUE(handled.data);
  EXPECT_TRUE(handled.data->data.empty());
  EXPECT_TRUE(client().Send(s().now, kPeer, {}, out_));
}

TEST_F(ClientDataTest, ReportsIcmp) {  // RFC 8656 §11.6
  Permit(kPeer);
  const auto handled = s().Indicate(Method::kData, [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorPeerAddress, kPeer);
    Add(b, Icmp{3, 4, 1280});
  });
  EXPECT_FALSE(handled.data);
  const auto unreachable = s().Expect<event::PeerUnreachable>();
  EXPECT_EQ(unreachable.peer, kPeer);
  EXPECT_EQ(unreachable.icmp, (Icmp{3, 4, 1280}));
  s().Indicate(Method::kData, [](MessageBuilder& b) {
    b.AddAddress(AttributeType::kXorPeerAddress, kOther);
    Add(b, Icmp{3, 3, 0});
  });
  EXPECT_FALSE(client().PollEvent());
}

TEST_F(ClientDataTest, T12_OneRefusedPermissionNeverHarmsAnother) {
  Use(FirstData::kAfterPermission);
  ASSERT_TRUE(client().AddPermission(s().now, kPeer.ip));
  ASSERT_TRUE(client().AddPermission(s().now, kOther.ip));
  EXPECT_EQ(*Send(kPeer), 0u);
  EXPECT_EQ(*Send(kOther), 0u);
  const auto requests = s().Sent();
  ASSERT_EQ(requests.size(), 2u);  // one each
  s().Refuse(requests[0], 403);
  s().Succeed(requests[1]);
  EXPECT_EQ(s().Expect<event::PermissionRefused>().peer, kPeer.ip);
  EXPECT_EQ(s().Expect<event::PermissionGranted>().peer, kOther.ip);
  EXPECT_EQ(Send(kPeer).error(), SendError::kRefused);
  EXPECT_GT(*Send(kOther), 0u);
  (void)s().Sent();
  EXPECT_EQ(client().dropped(ClientDrop::kQueuedDataDropped), 1u);
  EXPECT_TRUE(client().is_allocated());
}

TEST_F(ClientDataTest, T12_ARefusedChannelHarmsNobodyElse) {
  const ChannelNumber good = Bind(kOther);
  EXPECT_EQ(*Send(kPeer), 0u);
  const auto messages = s().Sent();
  s().Refuse(messages[0], 403);
  EXPECT_EQ(s().Expect<event::ChannelRefused>().error_code, 403);
  EXPECT_EQ(Send(kPeer).error(), SendError::kRefused);
  EXPECT_TRUE(FromChannel(good).data);
  EXPECT_GT(*Send(kOther), 0u);
  s().now = s().now + 31s;  // and may be asked for again, in another way
  EXPECT_EQ(*Send(kPeer), 0u);
  EXPECT_EQ(s().OnlySent().method(), Method::kCreatePermission);
}

TEST_F(ClientDataTest, RefreshesPermissionsInTime) {  // RFC 8656 §9: 300 seconds
  Permit(kPeer);
  EXPECT_TRUE(s().Run(249s).empty());
  const auto sent = s().Run(2s);
  ASSERT_EQ(sent.size(), 2u);  // retransmitted after 0.5 s
  EXPECT_EQ(sent[0].method(), Method::kCreatePermission);
  s().Succeed(sent[0]);
  EXPECT_TRUE(s().Run(240s).empty());
}

TEST_F(ClientDataTest, OneRefreshOfAChannelKeepsItsPermissionToo) {  // RFC 8656 §12.1
  const ChannelNumber channel = Bind(kPeer);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(s().Run(239s).empty());
    const auto sent = s().Run(1s);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].method(), Method::kChannelBind);
    EXPECT_EQ(Find<ChannelNumber>(sent[0].view()), channel);
    s().Succeed(sent[0]);
    s().Expect<event::ChannelBound>();
  }
  EXPECT_TRUE(FromChannel(channel).data);
}

TEST_F(ClientDataTest, WhatIsForgottenIsNotRefreshed) {
  Bind(kPeer);
  client().Forget(s().now, kPeer);
  EXPECT_TRUE(s().Run(400s).empty());
}

TEST_F(ClientDataTest, AChannelOutOfSyncEndsTheAllocation) {  // RFC 8656 §12.3
  Bind(kPeer);
  s().Run(239s);
  s().Refuse(s().Run(1s).front(), 400);
  EXPECT_EQ(s().Expect<event::AllocationLost>().reason, AllocationFailure::kOutOfSync);
  EXPECT_EQ(Find<Lifetime>(s().OnlySent().view()), Lifetime{0});
}

TEST_F(ClientDataTest, A437ToAPermissionEndsTheAllocation) {  // RFC 8656 §5
  ASSERT_TRUE(client().AddPermission(s().now, kPeer.ip));
  s().Refuse(s().OnlySent(), 437);
  EXPECT_EQ(s().Expect<event::AllocationLost>().reason, AllocationFailure::kMismatch);
  EXPECT_EQ(Send(kPeer).error(), SendError::kNotAllocated);
  EXPECT_TRUE(s().Run(300s).empty());
}

TEST_F(ClientDataTest, RequestsUnderWayShareOneNewNonce) {  // RFC 8489 §9.2.5
  ASSERT_TRUE(client().AddPermission(s().now, kPeer.ip));
  ASSERT_TRUE(client().AddPermission(s().now, kOther.ip));
  const auto requests = s().Sent();
  s().Challenge(requests[0], 438, "new");
  s().Challenge(requests[1], 438, "newer");  // built with the old nonce: tried again with the one that we have
  const auto again = s().Sent();
  ASSERT_EQ(again.size(), 2u);
  for (const auto& request : again) EXPECT_EQ(request.view().FindText(AttributeType::kNonce), "new");
}

TEST_F(ClientDataTest, APermissionThatNobodyAnswersIsRefusedWithoutACode) {
  ASSERT_TRUE(client().AddPermission(s().now, kPeer.ip));
  s().Run(40s);
  const auto refused = s().Expect<event::PermissionRefused>();
  EXPECT_EQ(refused.peer, kPeer.ip);
  EXPECT_EQ(refused.error_code, 0);
}

TEST_F(ClientDataTest, OnlyPeersOfTheRelayedFamily) {  // RFC 8656 §10.1, §12.1
  const auto v6 = *SocketAddress::Parse("[2001:db8::5]:7000");
  EXPECT_EQ(Send(v6).error(), SendError::kWrongFamily);
  EXPECT_EQ(client().AddPermission(s().now, v6.ip).error(), SendError::kWrongFamily);
  EXPECT_EQ(client().BindChannel(s().now, v6).error(), SendError::kWrongFamily);
  EXPECT_TRUE(s().Sent().empty());
}

TEST_F(ClientDataTest, EverythingIsBounded) {
  Use(FirstData::kAfterPermission);
  for (uint8_t i = 1; i <= 3; ++i) EXPECT_EQ(*Send(kPeer), 0u) << int{i};
  EXPECT_EQ(Send(kPeer).error(), SendError::kQueueFull);
  for (uint8_t i = 1; i <= 3; ++i) EXPECT_TRUE(client().AddPermission(s().now, IpAddress::V4(198, 51, 100, 100 + i)));
  EXPECT_EQ(client().AddPermission(s().now, kOther.ip).error(), SendError::kTooManyPeers);
  EXPECT_EQ(Send(kOther).error(), SendError::kTooManyPeers);
  const std::vector<uint8_t> huge(65530);
  EXPECT_EQ(client().Send(s().now, kPeer, huge, out_).error(), SendError::kTooLong);
}

TEST_F(ClientDataTest, ATooSmallBufferIsAnError) {
  Bind(kPeer);
  EXPECT_EQ(client().Send(s().now, kPeer, kData, std::span(out_).first(8)).error(), SendError::kSmallBuffer);
  EXPECT_TRUE(client().Send(s().now, kPeer, kData, std::span(out_).first(9)));
}

TEST_F(ClientDataTest, GarbageIsCounted) {
  EXPECT_TRUE(s().Deliver({}).mine);
  EXPECT_TRUE(s().Deliver(kData).mine);
  const std::array<uint8_t, 1> other{0x80};
  s().Deliver(other);
  EXPECT_EQ(client().dropped(ClientDrop::kUnparsable), 3u);
  std::array<uint8_t, 40> out;
  s().Deliver(MessageBuilder(out, {Method::kBinding, stun::MessageClass::kRequest}, {}).Finish());
  EXPECT_EQ(client().dropped(ClientDrop::kUnexpected), 1u);
  s().Deliver(MessageBuilder(out, {Method::kBinding, stun::MessageClass::kSuccessResponse}, {}).Finish());
  EXPECT_EQ(client().dropped(ClientDrop::kUnknownTransaction), 1u);
}

}  // namespace
}  // namespace jsp::turn
