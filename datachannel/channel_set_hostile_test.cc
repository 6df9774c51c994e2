#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "datachannel/channel_set.h"
#include "datachannel/dcep_message.h"
#include "datachannel/ppid.h"
namespace jsp::datachannel {
namespace {

using namespace std::chrono_literals;
using sctp::StreamId;

constexpr Timestamp kNow = Timestamp::FromEpoch(1s);

std::vector<uint8_t> Octets(std::string_view text) { return {text.begin(), text.end()}; }

std::vector<uint8_t> Open(std::string_view label = "") {
  OpenMessage open;
  open.label = label;
  return WriteOpen(open);
}

// A set that plays the DTLS client against a peer whose every message the test forges. The peer owns the odd ids.
struct Victim {
  explicit Victim(const Options& options = {}, uint16_t max_streams = 65535) : set(options) {
    set.HandleConnected(kNow, DtlsRole::kClient, max_streams);
  }
  void Receive(uint16_t stream, sctp::Ppid ppid, std::vector<uint8_t> payload) {
    received += payload.size();
    set.HandleMessage(kNow, {StreamId(stream), ppid, std::move(payload)});
  }
  void ReceiveReset(uint16_t stream) {
    const StreamId id(stream);
    set.HandleIncomingReset(kNow, std::span(&id, 1));
  }
  void ConfirmReset(uint16_t stream) {
    const StreamId id(stream);
    set.HandleOutgoingReset(kNow, std::span(&id, 1));
  }
  void FailReset(uint16_t stream) {
    const StreamId id(stream);
    set.HandleOutgoingResetFailed(kNow, std::span(&id, 1));
  }
  // True when the set asked for exactly this reset and sent nothing, no ACK above all.
  bool RefusedWithoutAck(uint16_t stream) {
    return !set.PollTransmit(kNow, {}).has_value() && set.TakeStreamsToReset() == std::vector{StreamId(stream)};
  }
  bool SentNothing() { return !set.PollTransmit(kNow, {}).has_value() && set.TakeStreamsToReset().empty(); }
  uint64_t dropped(DropReason reason) const { return set.metrics().dropped[static_cast<size_t>(reason)]; }
  // The channel that the peer has just opened.
  ChannelId PollOpened() {
    while (auto event = set.PollEvent()) {
      if (auto* opened = std::get_if<event::ChannelOpenedByPeer>(&*event)) return opened->channel;
    }
    ADD_FAILURE() << "no channel was opened";
    return {};
  }
  bool PollClosed(ChannelId channel) {
    while (auto event = set.PollEvent()) {
      if (auto* closed = std::get_if<event::ChannelClosed>(&*event)) return closed->channel == channel;
    }
    return false;
  }

  ChannelSet set;
  size_t received = 0;
};

TEST(ChannelSetHostileTest, R1_RefusesAnOpenWhoseLabelEndsBeyondTheMessage) {  // RFC 8832 §7
  Victim victim;
  auto open = Open("label");
  open[9] = 200;
  victim.Receive(1, kPpidDcep, open);
  EXPECT_TRUE(victim.RefusedWithoutAck(1));
  EXPECT_EQ(victim.dropped(DropReason::kBadDcep), 1u);
  EXPECT_TRUE(victim.set.stats().empty());
  EXPECT_EQ(victim.set.TakeConsumedBytes(), victim.received);
}

TEST(ChannelSetHostileTest, R2_RefusesAnOpenOfOurOwnParity) {  // RFC 8832 §6
  Victim victim;
  victim.Receive(2, kPpidDcep, Open());
  EXPECT_TRUE(victim.RefusedWithoutAck(2));
  EXPECT_EQ(victim.dropped(DropReason::kWrongParity), 1u);
  EXPECT_FALSE(victim.set.PollEvent().has_value());
}

TEST(ChannelSetHostileTest, R2_ClosesAnOpenStreamThatIsOpenedAgain) {  // RFC 8832 §6
  Victim victim;
  victim.Receive(1, kPpidDcep, Open("x"));
  const ChannelId channel = victim.PollOpened();
  EXPECT_EQ(victim.set.PollTransmit(kNow, {})->message.payload, WriteAck());
  victim.Receive(1, kPpidDcep, Open("x"));
  EXPECT_TRUE(victim.RefusedWithoutAck(1));
  EXPECT_EQ(victim.set.state(channel), ChannelState::kClosing);
  EXPECT_EQ(victim.dropped(DropReason::kStreamInUse), 1u);
}

TEST(ChannelSetHostileTest, R2_ClosesOurOwnChannelWhenThePeerOpensItsStream) {
  Victim victim;
  const ChannelId ours = *victim.set.OpenChannel(kNow, {});
  (void)victim.set.PollTransmit(kNow, {});
  victim.Receive(0, kPpidDcep, Open());
  EXPECT_EQ(victim.set.state(ours), ChannelState::kClosing);
  EXPECT_TRUE(victim.RefusedWithoutAck(0));
}

TEST(ChannelSetHostileTest, R2_ClosesANegotiatedChannelThatIsOpenedInBand) {
  Victim victim;
  ChannelOptions options;
  options.negotiated_id = 3;
  const ChannelId ours = *victim.set.OpenChannel(kNow, options);
  victim.Receive(3, kPpidDcep, Open());
  EXPECT_EQ(victim.set.state(ours), ChannelState::kClosing);
  EXPECT_TRUE(victim.RefusedWithoutAck(3));
}

TEST(ChannelSetHostileTest, R2_DropsAnOpenBeyondTheNegotiatedStreams) {
  Victim victim({}, 100);
  for (uint16_t stream : {uint16_t{101}, uint16_t{65535}}) {
    victim.Receive(stream, kPpidDcep, Open());
    victim.Receive(stream, kPpidString, Octets("x"));
    EXPECT_TRUE(victim.SentNothing()) << "there is no outgoing stream to reset";
  }
  EXPECT_EQ(victim.dropped(DropReason::kBadStreamId), 4u);
  EXPECT_TRUE(victim.set.stats().empty());
}

TEST(ChannelSetHostileTest, R3_RefusesChannelsBeyondTheCap) {
  Options options;
  options.max_channels = 10;
  Victim victim(options);
  for (uint16_t i = 0; i < 20; ++i) victim.Receive(static_cast<uint16_t>(2 * i + 1), kPpidDcep, Open("flood"));
  EXPECT_EQ(victim.set.stats().size(), 10u);
  EXPECT_EQ(victim.dropped(DropReason::kTooManyChannels), 10u);
  EXPECT_EQ(victim.set.TakeStreamsToReset().size(), 10u);
  EXPECT_EQ(victim.set.OpenChannel(kNow, {}).error(), OpenError::kTooManyChannels);
}

TEST(ChannelSetHostileTest, R3_SurvivesAnOpenOnEveryStream) {
  Victim victim;
  for (uint32_t stream = 0; stream <= 65535; ++stream) {
    victim.Receive(static_cast<uint16_t>(stream), kPpidDcep, Open());
  }
  EXPECT_EQ(victim.set.stats().size(), Options{}.max_channels);
  EXPECT_EQ(victim.dropped(DropReason::kWrongParity), 32768u);
  EXPECT_EQ(victim.dropped(DropReason::kBadStreamId), 1u);
  EXPECT_EQ(victim.set.TakeStreamsToReset().size(), 65535u - Options{}.max_channels);
  EXPECT_EQ(victim.set.TakeConsumedBytes(), victim.received);
}

TEST(ChannelSetHostileTest, R3_KeepsNothingOfAMillionChannelsOpenedAndClosed) {
  Victim victim;
  for (int round = 0; round < 1'000'000; ++round) {
    victim.Receive(1, kPpidDcep, Open());
    victim.ReceiveReset(1);
    while (victim.set.PollTransmit(kNow, {})) continue;
    ASSERT_EQ(victim.set.TakeStreamsToReset().size(), 1u) << round;
    victim.ConfirmReset(1);
    while (victim.set.PollEvent()) continue;
  }
  EXPECT_LE(victim.set.stats().size(), 1u) << "the last one, whose event was just polled";
  EXPECT_EQ(victim.set.metrics().channels_opened, 1'000'000u);
  EXPECT_EQ(victim.set.metrics().channels_closed, 1'000'000u);
}

TEST(ChannelSetHostileTest, R3_CountsClosedChannelsWithUnreadMessagesAgainstTheCap) {
  Options options;
  options.max_channels = 5;
  Victim victim(options);
  for (int round = 0; round < 20; ++round) {
    victim.Receive(1, kPpidDcep, Open());
    victim.Receive(1, kPpidString, Octets("never read"));
    victim.ReceiveReset(1);
    while (victim.set.PollTransmit(kNow, {})) continue;
    (void)victim.set.TakeStreamsToReset();
    victim.ConfirmReset(1);
    while (victim.set.PollEvent()) continue;
  }
  EXPECT_EQ(victim.set.stats().size(), 5u);
  EXPECT_EQ(victim.dropped(DropReason::kTooManyChannels), 15u);
  int read = 0;
  while (victim.set.PollAnyMessage()) ++read;
  EXPECT_EQ(read, 5);
  victim.Receive(1, kPpidDcep, Open());
  EXPECT_EQ(victim.set.stats().size(), 1u) << "room again";
}

TEST(ChannelSetHostileTest, R4_ClosesAnUnusedStreamThatCarriesUserData) {  // RFC 8832 §6
  Victim victim;
  victim.Receive(1, kPpidString, Octets("who are you"));
  EXPECT_TRUE(victim.RefusedWithoutAck(1));
  victim.Receive(1, kPpidString, Octets("still here"));
  victim.Receive(1, kPpidDcep, Open());
  EXPECT_TRUE(victim.SentNothing()) << "one reset is enough";
  EXPECT_EQ(victim.dropped(DropReason::kNoSuchChannel), 1u);
  EXPECT_EQ(victim.dropped(DropReason::kClosedChannel), 1u);
  EXPECT_EQ(victim.dropped(DropReason::kStreamInUse), 1u);
  victim.ConfirmReset(1);
  victim.ReceiveReset(1);
  victim.Receive(1, kPpidDcep, Open("properly"));
  EXPECT_EQ(victim.set.options(victim.PollOpened())->label, "properly") << "the stream may be used again";
}

TEST(ChannelSetHostileTest, R4_ClosesAChannelThatCarriesUnknownIdentifiers) {  // RFC 8831 §6.6
  uint16_t stream = 1;
  Victim victim;
  for (sctp::Ppid ppid : {sctp::Ppid(0), sctp::Ppid(49), sctp::Ppid(55), sctp::Ppid(99)}) {
    victim.Receive(stream, kPpidDcep, Open());
    const ChannelId channel = victim.PollOpened();
    (void)victim.set.PollTransmit(kNow, {});
    victim.Receive(stream, ppid, Octets("?"));
    EXPECT_EQ(victim.set.state(channel), ChannelState::kClosing);
    EXPECT_TRUE(victim.RefusedWithoutAck(stream));
    EXPECT_FALSE(victim.set.PollAnyMessage().has_value());
    stream = static_cast<uint16_t>(stream + 2);
  }
  EXPECT_EQ(victim.dropped(DropReason::kUnknownPpid), 4u);
  EXPECT_EQ(victim.set.TakeConsumedBytes(), victim.received);
}

TEST(ChannelSetHostileTest, R4_ClosesAChannelThatCarriesInvalidUtf8) {
  Victim victim;
  victim.Receive(1, kPpidDcep, Open());
  const ChannelId channel = victim.PollOpened();
  victim.Receive(1, kPpidString, {0xC3, 0x28});
  EXPECT_EQ(victim.set.state(channel), ChannelState::kClosing);
  EXPECT_EQ(victim.dropped(DropReason::kBadUtf8), 1u);
  victim.Receive(3, kPpidDcep, Open("\xFF"));
  EXPECT_EQ(victim.dropped(DropReason::kBadUtf8), 2u);
  EXPECT_EQ(victim.set.stats().size(), 1u);
}

TEST(ChannelSetHostileTest, R4_DeliversAnEmptyMessageWhateverCameWithIt) {  // RFC 8831 §6.6
  Victim victim;
  victim.Receive(1, kPpidDcep, Open());
  const ChannelId channel = victim.PollOpened();
  victim.Receive(1, kPpidStringEmpty, Octets("five!"));
  auto message = victim.set.PollMessage(channel);
  ASSERT_TRUE(message.has_value());
  EXPECT_TRUE(message->payload.empty());
  EXPECT_EQ(victim.dropped(DropReason::kEmptyPpidWithPayload), 1u);
  EXPECT_EQ(victim.set.TakeConsumedBytes(), victim.received);
}

TEST(ChannelSetHostileTest, R4_PassesOverAcksThatNobodyWaitsFor) {
  Victim victim;
  victim.Receive(1, kPpidDcep, WriteAck());
  EXPECT_TRUE(victim.SentNothing());
  victim.Receive(1, kPpidDcep, Open());
  const ChannelId theirs = victim.PollOpened();
  victim.Receive(1, kPpidDcep, WriteAck());
  EXPECT_EQ(victim.set.state(theirs), ChannelState::kOpen);
  const ChannelId ours = *victim.set.OpenChannel(kNow, {});
  victim.Receive(0, kPpidDcep, WriteAck());
  EXPECT_EQ(victim.set.state(ours), ChannelState::kConnecting) << "our OPEN has not even left";
  EXPECT_EQ(victim.dropped(DropReason::kBadDcep), 3u);
}

TEST(ChannelSetHostileTest, R4_ClosesAChannelThatCarriesAnUnknownDcepMessage) {  // RFC 8832 §7
  Victim victim;
  victim.Receive(1, kPpidDcep, Open());
  const ChannelId channel = victim.PollOpened();
  victim.Receive(1, kPpidDcep, {0x07});
  EXPECT_EQ(victim.set.state(channel), ChannelState::kClosing);
  victim.Receive(3, kPpidDcep, {0x00});
  victim.Receive(5, kPpidDcep, {});
  EXPECT_EQ(victim.dropped(DropReason::kBadDcep), 3u);
}

TEST(ChannelSetHostileTest, R4_DropsWhatComesBeforeTheConnectionOrAfterIt) {
  ChannelSet set{Options{}};
  set.HandleMessage(kNow, {StreamId(1), kPpidDcep, Open()});
  set.HandleConnected(kNow, DtlsRole::kClient, 65535);
  set.HandleDisconnected(kNow);
  set.HandleMessage(kNow, {StreamId(1), kPpidDcep, Open()});
  EXPECT_EQ(set.metrics().dropped[static_cast<size_t>(DropReason::kClosedChannel)], 2u);
  EXPECT_FALSE(set.PollEvent().has_value());
  EXPECT_EQ(set.TakeConsumedBytes(), 24u);
}

TEST(ChannelSetHostileTest, R6_ClosesAChannelThatFloodsUnreadMessages) {
  Options options;
  options.max_unread_messages = 100;
  Victim victim(options);
  victim.Receive(1, kPpidDcep, Open());
  const ChannelId channel = victim.PollOpened();
  for (int i = 0; i < 200; ++i) victim.Receive(1, kPpidBinary, {1});
  EXPECT_EQ(victim.set.state(channel), ChannelState::kClosing);
  EXPECT_EQ(victim.dropped(DropReason::kTooManyUnread), 1u);
  EXPECT_EQ(victim.dropped(DropReason::kClosedChannel), 99u);
  int read = 0;
  while (victim.set.PollMessage(channel)) ++read;
  EXPECT_EQ(read, 100);
  EXPECT_EQ(victim.set.TakeConsumedBytes(), victim.received);
}

TEST(ChannelSetHostileTest, R8_KeepsAnOpenThatCameBeforeOurResetWasConfirmed) {  // RFC 8831 §6.7
  Victim victim;
  victim.Receive(1, kPpidDcep, Open("old"));
  const ChannelId old = victim.PollOpened();
  (void)victim.set.PollTransmit(kNow, {});
  victim.ReceiveReset(1);
  EXPECT_TRUE(victim.RefusedWithoutAck(1));
  // The peer has our reset and its own; its answer to ours is late, the new channel is not.
  victim.Receive(1, kPpidDcep, Open("new"));
  victim.Receive(1, kPpidString, Octets("hello"));
  EXPECT_TRUE(victim.SentNothing());
  EXPECT_EQ(victim.set.state(old), ChannelState::kClosing);
  victim.ConfirmReset(1);
  EXPECT_EQ(victim.set.state(old), ChannelState::kClosed);
  const ChannelId renewed = victim.PollOpened();
  EXPECT_EQ(victim.set.options(renewed)->label, "new");
  EXPECT_EQ(victim.set.PollTransmit(kNow, {})->message.payload, WriteAck());
  EXPECT_EQ(victim.set.PollMessage(renewed)->payload, Octets("hello"));
  EXPECT_FALSE(victim.set.PollMessage(old).has_value());
  EXPECT_EQ(victim.set.TakeConsumedBytes(), victim.received);
}

TEST(ChannelSetHostileTest, R8_ClosesAChannelWhoseStreamThePeerWantsReset) {  // RFC 6525 §5.2.3, RFC 8831 §6.7
  Victim victim;
  victim.Receive(1, kPpidDcep, Open("old"));
  const ChannelId old = victim.PollOpened();
  (void)victim.set.PollTransmit(kNow, {});
  ASSERT_TRUE(victim.set.Send(kNow, old, MessageKind::kString, Octets("too late")));
  const StreamId stream(1);
  victim.set.HandleOutgoingResetRequested(kNow, std::span(&stream, 1));
  EXPECT_EQ(victim.set.state(old), ChannelState::kClosing);
  EXPECT_TRUE(victim.RefusedWithoutAck(1));
  victim.set.HandleOutgoingResetRequested(kNow, std::span(&stream, 1));
  EXPECT_TRUE(victim.SentNothing());
  // Its own half decides when the id is free.
  victim.ConfirmReset(1);
  EXPECT_EQ(victim.set.state(old), ChannelState::kClosing);
  victim.ReceiveReset(1);
  EXPECT_EQ(victim.set.state(old), ChannelState::kClosed);
}

TEST(ChannelSetHostileTest, R8_AResetOfAllStreamsClosesAllChannels) {  // RFC 6525 §5.2.2 E3, RFC 6525 §5.2.3
  for (const bool asked_first : {false, true}) {
    Victim victim;
    victim.Receive(1, kPpidDcep, Open("one"));
    victim.Receive(3, kPpidDcep, Open("three"));
    while (victim.set.PollTransmit(kNow, {})) {
    }
    if (asked_first) victim.set.HandleOutgoingResetRequested(kNow, {});
    victim.set.HandleIncomingReset(kNow, {});
    EXPECT_EQ(victim.set.TakeStreamsToReset(), (std::vector{StreamId(1), StreamId(3)}));
    victim.ConfirmReset(1);
    victim.ConfirmReset(3);
    for (const auto& channel : victim.set.stats()) EXPECT_EQ(channel.state, ChannelState::kClosed);
  }
}

TEST(ChannelSetHostileTest, R8_KeepsAlsoTheCloseOfAChannelThatCameEarly) {
  Victim victim;
  victim.Receive(1, kPpidDcep, Open("old"));
  victim.ReceiveReset(1);
  (void)victim.set.TakeStreamsToReset();
  victim.Receive(1, kPpidDcep, Open("new"));
  victim.Receive(1, kPpidString, Octets("hello"));
  for (int i = 0; i < 1000; ++i) victim.ReceiveReset(1);  // repeated, it takes no memory
  victim.ConfirmReset(1);
  EXPECT_EQ(victim.set.stats()[1].state, ChannelState::kClosing);
  EXPECT_EQ(victim.set.TakeStreamsToReset(), std::vector{StreamId(1)});
  victim.ConfirmReset(1);
  EXPECT_EQ(victim.set.stats()[1].state, ChannelState::kClosed);
  EXPECT_EQ(victim.set.PollAnyMessage()->payload, Octets("hello"));
}

TEST(ChannelSetHostileTest, R8_BoundsWhatComesBeforeOurResetIsConfirmed) {
  Options options;
  options.max_unread_messages = 10;
  Victim victim(options);
  victim.Receive(1, kPpidDcep, Open("old"));
  victim.ReceiveReset(1);
  (void)victim.set.TakeStreamsToReset();
  victim.Receive(1, kPpidDcep, Open("new"));
  for (int i = 0; i < 50; ++i) victim.Receive(1, kPpidString, Octets("x"));
  EXPECT_GT(victim.dropped(DropReason::kTooManyUnread), 0u);
  victim.ConfirmReset(1);
  EXPECT_TRUE(victim.RefusedWithoutAck(1)) << "its beginning is lost, so it cannot be opened";
  EXPECT_EQ(victim.set.TakeConsumedBytes(), victim.received);
}

TEST(ChannelSetHostileTest, R8_RetiresAnIdWhoseResetThePeerRefused) {  // RFC 6525 §5.2.7
  Victim victim;
  victim.Receive(1, kPpidDcep, Open());
  const ChannelId channel = victim.PollOpened();
  victim.set.CloseChannel(kNow, channel);
  while (victim.set.PollTransmit(kNow, {})) continue;
  (void)victim.set.TakeStreamsToReset();
  victim.FailReset(1);
  EXPECT_TRUE(victim.PollClosed(channel));
  victim.Receive(1, kPpidDcep, Open());
  victim.Receive(1, kPpidString, Octets("x"));
  victim.ReceiveReset(1);
  victim.Receive(1, kPpidString, Octets("x"));
  victim.ConfirmReset(1);
  EXPECT_TRUE(victim.SentNothing());
  EXPECT_EQ(victim.set.TakeConsumedBytes(), victim.received) << "dropped, not kept";
}

TEST(ChannelSetHostileTest, R8_PassesOverResetsOfUnusedStreamsAndUnaskedConfirmations) {
  Victim victim;
  for (uint16_t stream : {uint16_t{0}, uint16_t{1}, uint16_t{65535}}) {
    victim.ReceiveReset(stream);
    victim.ConfirmReset(stream);
    victim.FailReset(stream);
  }
  EXPECT_TRUE(victim.SentNothing());
  victim.Receive(1, kPpidDcep, Open());
  const ChannelId channel = victim.PollOpened();
  victim.ConfirmReset(1);
  victim.FailReset(1);
  EXPECT_EQ(victim.set.state(channel), ChannelState::kOpen);
}

TEST(ChannelSetHostileTest, R4_KeepsItsAccountsUnderRandomInput) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng = Rng::FromNumber(seed);
    Options options;
    options.max_channels = 8;
    options.max_unread_messages = 32;
    Victim victim(options, 12);
    size_t consumed = 0;
    for (int step = 0; step < 3000; ++step) {
      const auto stream = static_cast<uint16_t>(rng.Below(13));
      switch (rng.Below(9)) {
        case 0:
          victim.Receive(stream, kPpidDcep, Open("l"));
          break;
        case 1: {
          auto open = Open("label");
          open.resize(rng.Below(open.size() + 1));
          if (!open.empty()) open[rng.Below(open.size())] = static_cast<uint8_t>(rng.Below(256));
          victim.Receive(stream, kPpidDcep, std::move(open));
          break;
        }
        case 2:
          victim.Receive(stream, sctp::Ppid(static_cast<uint32_t>(50 + rng.Below(9))), Octets("payload"));
          break;
        case 3:
          victim.ReceiveReset(stream);
          break;
        case 4:
          victim.ConfirmReset(stream);
          break;
        case 5:
          if (rng.Below(10) == 0) victim.FailReset(stream);
          break;
        case 6:
          if (auto opened = victim.set.OpenChannel(kNow, {})) {
            (void)victim.set.Send(kNow, *opened, MessageKind::kBinary, Octets("ours"));
          }
          break;
        case 7:
          victim.set.CloseChannel(kNow, ChannelId(static_cast<uint32_t>(rng.Below(40))));
          break;
        default:
          while (victim.set.PollTransmit(kNow, {})) continue;
          (void)victim.set.TakeStreamsToReset();
          while (victim.set.PollEvent()) continue;
          if (rng.Below(4) == 0) (void)victim.set.PollAnyMessage();
      }
      consumed += victim.set.TakeConsumedBytes();
      ASSERT_LE(consumed, victim.received);
      ASSERT_LE(victim.set.stats().size(), 8u);
    }
    victim.set.HandleDisconnected(kNow);
    while (victim.set.PollAnyMessage()) continue;
    consumed += victim.set.TakeConsumedBytes();
    EXPECT_EQ(consumed, victim.received) << "every octet was given back to the receive window";
  }
}

}  // namespace
}  // namespace jsp::datachannel
