#include "datachannel/channel.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace jsp::datachannel {
namespace {

using namespace std::chrono_literals;

constexpr Timestamp kStart = Timestamp::FromEpoch(1s);
constexpr ChannelId kId{3};
constexpr sctp::StreamId kStream{4};

std::vector<uint8_t> Octets(std::string_view text) { return {text.begin(), text.end()}; }

ChannelOptions Unordered() {
  ChannelOptions options;
  options.label = "u";
  options.ordered = false;
  return options;
}

TEST(ChannelTest, SendsItsOpenBeforeAnyMessageAndReliably) {  // RFC 8832 §6
  ChannelOptions options = Unordered();
  options.max_retransmits = 0;
  Channel channel(kId, options, Channel::Opener::kLocal);
  channel.Queue(kStart, MessageKind::kString, Octets("first"));
  channel.Attach(kStream);
  EXPECT_EQ(channel.state(), ChannelState::kConnecting);
  EXPECT_TRUE(channel.IsUnannounced());
  EXPECT_EQ(channel.NextOutputSize(), 13u);

  auto open = channel.TakeOutput(kStart);
  EXPECT_EQ(open.message.ppid, kPpidDcep);
  EXPECT_EQ(open.message.stream, kStream);
  EXPECT_EQ(open.message.payload.size(), 13u);
  EXPECT_FALSE(open.options.unordered);
  EXPECT_FALSE(open.options.max_retransmits.has_value());
  EXPECT_TRUE(open.options.control);
  EXPECT_FALSE(channel.IsUnannounced());

  auto first = channel.TakeOutput(kStart);
  EXPECT_EQ(first.message.ppid, kPpidString);
  EXPECT_EQ(first.options.max_retransmits, 0);
  EXPECT_FALSE(first.options.control);
  EXPECT_FALSE(channel.HasOutput());
}

TEST(ChannelTest, R4_SendsOrderedUntilItWasAnsweredThenUnordered) {  // RFC 8832 §6
  Channel channel(kId, Unordered(), Channel::Opener::kLocal);
  channel.Attach(kStream);
  (void)channel.TakeOutput(kStart);
  channel.Queue(kStart, MessageKind::kBinary, Octets("early"));
  EXPECT_FALSE(channel.TakeOutput(kStart).options.unordered);
  EXPECT_TRUE(channel.MarkAnswered());
  EXPECT_EQ(channel.state(), ChannelState::kOpen);
  EXPECT_FALSE(channel.MarkAnswered()) << "once";
  channel.Queue(kStart, MessageKind::kBinary, Octets("late"));
  EXPECT_TRUE(channel.TakeOutput(kStart).options.unordered);
}

TEST(ChannelTest, TakesNothingForAnAnswerBeforeItsOpenLeft) {
  Channel channel(kId, Unordered(), Channel::Opener::kLocal);
  channel.Attach(kStream);
  EXPECT_FALSE(channel.MarkAnswered());
  EXPECT_EQ(channel.state(), ChannelState::kConnecting);
}

TEST(ChannelTest, ExpectsOneAckAndOnlyForAChannelThatItAnnounced) {  // RFC 8832 §5.2
  Channel ours(kId, {}, Channel::Opener::kLocal);
  ours.Attach(kStream);
  EXPECT_FALSE(ours.TakeAck()) << "the OPEN has not left";
  (void)ours.TakeOutput(kStart);
  EXPECT_TRUE(ours.TakeAck());
  EXPECT_FALSE(ours.TakeAck());
  Channel theirs(kId, {}, Channel::Opener::kPeer);
  theirs.Attach(kStream);
  (void)theirs.TakeOutput(kStart);
  EXPECT_FALSE(theirs.TakeAck());
}

TEST(ChannelTest, AcknowledgesAChannelOfThePeerAndMaySendUnorderedAtOnce) {  // RFC 8832 §6
  Channel channel(kId, Unordered(), Channel::Opener::kPeer);
  channel.Attach(kStream);
  EXPECT_EQ(channel.state(), ChannelState::kOpen);
  channel.Queue(kStart, MessageKind::kBinary, Octets("x"));
  EXPECT_EQ(channel.NextOutputSize(), 1u);
  auto ack = channel.TakeOutput(kStart);
  EXPECT_EQ(ack.message.ppid, kPpidDcep);
  EXPECT_EQ(ack.message.payload, std::vector<uint8_t>{2});
  EXPECT_FALSE(ack.options.unordered);
  EXPECT_TRUE(channel.TakeOutput(kStart).options.unordered);
}

TEST(ChannelTest, OpensANegotiatedChannelWithoutDcep) {  // RFC 8831 §6.5
  Channel channel(kId, Unordered(), Channel::Opener::kNegotiated);
  EXPECT_FALSE(channel.HasOutput());
  channel.Attach(kStream);
  EXPECT_EQ(channel.state(), ChannelState::kOpen);
  EXPECT_FALSE(channel.HasOutput());
}

TEST(ChannelTest, ItsPriorityGoesWithItsMessages) {  // RFC 8831 §6.4
  ChannelOptions options;
  options.priority = 1024;
  Channel channel(kId, options, Channel::Opener::kNegotiated);
  channel.Attach(kStream);
  channel.Queue(kStart, MessageKind::kString, Octets("x"));
  EXPECT_EQ(channel.TakeOutput(kStart).options.priority, 1024);
}

TEST(ChannelTest, KeepsTheOrderOfMessagesAndCountsTheirOctets) {
  Channel channel(kId, {}, Channel::Opener::kNegotiated);
  channel.Attach(kStream);
  for (int i = 0; i < 100; ++i) channel.Queue(kStart, MessageKind::kString, Octets(std::to_string(i)));
  EXPECT_EQ(channel.queued_bytes(), 190u);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(channel.TakeOutput(kStart).message.payload, Octets(std::to_string(i)));
  }
  EXPECT_EQ(channel.queued_bytes(), 0u);
  EXPECT_EQ(channel.stats().messages_sent, 100u);
  EXPECT_EQ(channel.stats().bytes_sent, 190u);
}

TEST(ChannelTest, SendsAnEmptyMessageAsControlPlaceholder) {
  Channel channel(kId, {}, Channel::Opener::kNegotiated);
  channel.Attach(kStream);
  channel.Queue(kStart, MessageKind::kString, {});
  EXPECT_TRUE(channel.HasUserOutput());
  EXPECT_EQ(channel.NextOutputSize(), 1u);
  auto output = channel.TakeOutput(kStart);
  EXPECT_EQ(output.message.ppid, kPpidStringEmpty);
  EXPECT_TRUE(output.options.control);
  EXPECT_EQ(channel.stats().bytes_sent, 0u);
}

TEST(ChannelTest, P34_DropsMessagesPastTheirLifetimeBeforeTheirFirstTransmission) {  // RFC 8832 §5.1
  ChannelOptions options;
  options.max_lifetime = 100ms;
  Channel channel(kId, options, Channel::Opener::kNegotiated);
  channel.Attach(kStream);
  channel.Queue(kStart, MessageKind::kBinary, Octets("stale"));
  channel.Queue(kStart + 80ms, MessageKind::kBinary, Octets("fresh"));
  EXPECT_EQ(channel.DiscardExpired(kStart + 100ms), 0u) << "not past it yet";
  EXPECT_EQ(channel.DiscardExpired(kStart + 101ms), 5u);
  EXPECT_EQ(channel.stats().messages_expired, 1u);
  auto output = channel.TakeOutput(kStart + 130ms);
  EXPECT_EQ(output.message.payload, Octets("fresh"));
  EXPECT_EQ(output.options.lifetime, 50ms) << "what is left of it";
}

TEST(ChannelTest, ForgetsWhatItStillOwesWhenItsOutputIsDiscarded) {
  Channel channel(kId, {}, Channel::Opener::kPeer);
  channel.Attach(kStream);
  channel.Queue(kStart, MessageKind::kBinary, Octets("abc"));
  EXPECT_EQ(channel.DiscardOutput(), 3u);
  EXPECT_FALSE(channel.HasOutput());
  EXPECT_EQ(channel.queued_bytes(), 0u);
}

TEST(ChannelTest, P28_KeepsReceivedMessagesUntilTheyAreTaken) {
  Channel channel(kId, {}, Channel::Opener::kPeer);
  channel.Attach(kStream);
  channel.Receive({MessageKind::kString, Octets("one"), sctp::Part::kWhole, 3});
  channel.Receive({MessageKind::kBinary, {}, sctp::Part::kWhole, 1});
  EXPECT_EQ(channel.unread_messages(), 2u);
  auto one = channel.TakeUnread();
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->message.channel, kId);
  EXPECT_EQ(one->message.kind, MessageKind::kString);
  EXPECT_EQ(one->message.payload, Octets("one"));
  auto empty = channel.TakeUnread();
  ASSERT_TRUE(empty.has_value());
  EXPECT_EQ(empty->octets, 1u) << "the placeholder octet counts in the receive window";
  EXPECT_FALSE(channel.TakeUnread().has_value());
  EXPECT_EQ(channel.stats().messages_received, 2u);
  EXPECT_EQ(channel.stats().bytes_received, 3u);
}

TEST(ChannelTest, NamesItsStates) {
  EXPECT_STREQ(ToString(ChannelState::kConnecting), "connecting");
  EXPECT_STREQ(ToString(ChannelState::kOpen), "open");
  EXPECT_STREQ(ToString(ChannelState::kClosing), "closing");
  EXPECT_STREQ(ToString(ChannelState::kClosed), "closed");
}

}  // namespace
}  // namespace jsp::datachannel
