// No allocation per packet in the steady state: this binary counts every operator new.
#include <gtest/gtest.h>

#include <array>

#include "test/support/allocations.h"
#include "turn/testing/scripted_server.h"

namespace jsp::turn {
namespace {

using stun::AttributeType;
const SocketAddress kPeer = *SocketAddress::Parse("198.51.100.5:7000");
const SocketAddress kOther = *SocketAddress::Parse("198.51.100.6:7000");

TEST(PacketAllocationTest, AClientRelaysWithoutAllocating) {
  ScriptedServer s;
  s.Allocate();
  ASSERT_TRUE(s.client.BindChannel(s.now, kPeer));
  const auto bind = s.OnlySent();
  s.Succeed(bind);
  ASSERT_TRUE(s.client.AddPermission(s.now, kOther.ip));
  s.Succeed(s.OnlySent());
  while (s.client.PollEvent()) {
  }
  const std::array<uint8_t, 100> data{};
  std::array<uint8_t, 300> out;
  std::array<uint8_t, 300> channel_data;
  std::array<uint8_t, 300> data_indication;
  const auto in_channel = WriteChannelData(Framing::kDatagram, {*Find<ChannelNumber>(bind.view()), data}, channel_data);
  const auto in_indication =
      stun::MessageBuilder(data_indication, {stun::Method::kData, stun::MessageClass::kIndication}, {})
          .AddAddress(AttributeType::kXorPeerAddress, kOther)
          .Add(AttributeType::kData, data)
          .Finish();
  (void)s.client.Send(s.now, kOther, data, out);  // asks for its channel, which is never answered
  (void)s.Sent();
  bool good = true;
  const auto burst = [&] {
    for (int i = 0; i < 50; ++i) {
      good = good && s.client.Send(s.now, kPeer, data, out).value_or(0) == 104;
      good = good && s.client.Send(s.now, kOther, data, out).value_or(0) > 104;
      good = good && s.Deliver(in_channel).data && s.Deliver(in_indication).data;
      good = good && !s.client.PollTransmit(s.now, out) && !s.client.PollEvent();
    }
  };
  burst();
  const size_t before = CountAllocations().count;
  burst();
  EXPECT_EQ(CountAllocations().count, before);
  EXPECT_TRUE(good);
  EXPECT_EQ(s.client.metrics().data_received, 200u);
}

}  // namespace
}  // namespace jsp::turn
