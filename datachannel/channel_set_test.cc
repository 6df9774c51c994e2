#include "datachannel/channel_set.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "datachannel/dcep_message.h"
#include "datachannel/ppid.h"
namespace jsp::datachannel {
namespace {

using namespace std::chrono_literals;
using sctp::StreamId;

constexpr Timestamp kNow = Timestamp::FromEpoch(1s);
constexpr uint16_t kStreams = 65535;

std::vector<uint8_t> Octets(std::string_view text) { return {text.begin(), text.end()}; }
std::string Text(const ReceivedMessage& message) { return {message.payload.begin(), message.payload.end()}; }

ChannelOptions Labelled(std::string label) {
  ChannelOptions options;
  options.label = std::move(label);
  return options;
}

ChannelOptions Negotiated(uint16_t id) {
  ChannelOptions options;
  options.negotiated_id = id;
  return options;
}

template <class E>
std::optional<E> Next(ChannelSet& set) {
  auto event = set.PollEvent();
  if (!event || !std::holds_alternative<E>(*event)) return std::nullopt;
  return std::get<E>(*event);
}

// A perfect, ordered association between two sets: hands over everything at once, resets included.
void Exchange(ChannelSet& a, ChannelSet& z) {
  for (bool busy = true; busy;) {
    busy = false;
    for (auto [from, to] : {std::pair(&a, &z), std::pair(&z, &a)}) {
      while (auto transmit = from->PollTransmit(kNow, {})) {
        to->HandleMessage(kNow, std::move(transmit->message));
        busy = true;
      }
      const auto streams = from->TakeStreamsToReset();
      if (streams.empty()) continue;
      to->HandleIncomingReset(kNow, streams);
      from->HandleOutgoingReset(kNow, streams);
      busy = true;
    }
  }
}

// Two connected sets; a is the DTLS client.
struct Pair {
  explicit Pair(const Options& options = {}) : a(options), z(options) {}
  void Connect() {
    a.HandleConnected(kNow, DtlsRole::kClient, kStreams);
    z.HandleConnected(kNow, DtlsRole::kServer, kStreams);
    Exchange(a, z);
  }
  ChannelSet a;
  ChannelSet z;
};

// A channel open on both sides, with all events of its opening polled: its ids at a and at z.
std::pair<ChannelId, ChannelId> OpenOne(Pair& pair, ChannelOptions options = {}) {
  const ChannelId at_a = *pair.a.OpenChannel(kNow, std::move(options));
  Exchange(pair.a, pair.z);
  EXPECT_TRUE(Next<event::ChannelOpen>(pair.a).has_value());
  const auto opened = Next<event::ChannelOpenedByPeer>(pair.z);
  EXPECT_TRUE(opened.has_value());
  return {at_a, opened ? opened->channel : ChannelId()};
}

TEST(ChannelSetTest, OpensAChannelWithTheSameOptionsOnBothSides) {  // RFC 8832 §6
  Pair pair;
  pair.Connect();
  ChannelOptions options = Labelled("chat");
  options.protocol = "p";
  options.ordered = false;
  options.max_lifetime = 250ms;
  options.priority = 512;
  const auto [at_a, at_z] = OpenOne(pair, options);
  EXPECT_EQ(pair.a.state(at_a), ChannelState::kOpen);
  EXPECT_EQ(pair.z.state(at_z), ChannelState::kOpen);
  const ChannelOptions* theirs = pair.z.options(at_z);
  ASSERT_NE(theirs, nullptr);
  EXPECT_EQ(theirs->label, "chat");
  EXPECT_EQ(theirs->protocol, "p");
  EXPECT_FALSE(theirs->ordered);
  EXPECT_EQ(theirs->max_lifetime, 250ms);
  EXPECT_EQ(theirs->priority, 512);
  EXPECT_EQ(pair.a.stream(at_a), StreamId(0));
  EXPECT_EQ(pair.z.stream(at_z), StreamId(0));
  EXPECT_EQ(pair.a.metrics().channels_opened, 1u);
  EXPECT_EQ(pair.z.metrics().channels_opened, 1u);
}

TEST(ChannelSetTest, AssignsIdsWhenTheRoleIsKnownInTheOrderOfOpening) {
  Pair pair;
  std::vector<ChannelId> channels;
  for (int i = 0; i < 5; ++i) channels.push_back(*pair.z.OpenChannel(kNow, Labelled(std::to_string(i))));
  EXPECT_FALSE(pair.z.stream(channels[0]).has_value());
  EXPECT_FALSE(pair.z.PollTransmit(kNow, {}).has_value());
  pair.Connect();
  for (uint16_t i = 0; i < 5; ++i) {
    EXPECT_EQ(pair.z.stream(channels[i]), StreamId(static_cast<uint16_t>(2 * i + 1)));
    EXPECT_EQ(pair.z.state(channels[i]), ChannelState::kOpen);
  }
}

TEST(ChannelSetTest, LetsBothSidesOpenTheSameLabelAtOnce) {  // RFC 8832 §4
  Pair pair;
  const ChannelId at_a = *pair.a.OpenChannel(kNow, Labelled("x"));
  const ChannelId at_z = *pair.z.OpenChannel(kNow, Labelled("x"));
  pair.Connect();
  EXPECT_EQ(pair.a.state(at_a), ChannelState::kOpen);
  EXPECT_EQ(pair.z.state(at_z), ChannelState::kOpen);
  EXPECT_EQ(pair.a.stats().size(), 2u);
  EXPECT_EQ(pair.z.stats().size(), 2u);
}

TEST(ChannelSetTest, P28_KeepsMessagesThatCameRightAfterTheOpenUntilTheyAreRead) {  // RFC 8832 §6
  Pair pair;
  const ChannelId at_a = *pair.a.OpenChannel(kNow, Labelled("early"));
  for (int i = 0; i < 26; ++i) {
    ASSERT_TRUE(pair.a.Send(kNow, at_a, MessageKind::kString, Octets(std::to_string(i))).has_value());
  }
  EXPECT_EQ(pair.a.queued_bytes(at_a), 42u);
  pair.Connect();
  EXPECT_EQ(pair.a.queued_bytes(at_a), 0u);
  const auto opened = Next<event::ChannelOpenedByPeer>(pair.z);
  ASSERT_TRUE(opened.has_value());
  EXPECT_TRUE(Next<event::MessagesWaiting>(pair.z).has_value());
  EXPECT_FALSE(pair.z.PollEvent().has_value()) << "edge triggered: one event for all";
  for (int i = 0; i < 26; ++i) {
    auto message = pair.z.PollMessage(opened->channel);
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(Text(*message), std::to_string(i));
  }
  EXPECT_FALSE(pair.z.PollMessage(opened->channel).has_value());
}

TEST(ChannelSetTest, AnnouncesWaitingMessagesAgainOnceTheQueueRanEmpty) {
  Pair pair;
  pair.Connect();
  const auto [at_a, at_z] = OpenOne(pair);
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(pair.a.Send(kNow, at_a, MessageKind::kBinary, Octets("x")).has_value());
    Exchange(pair.a, pair.z);
    EXPECT_EQ(Next<event::MessagesWaiting>(pair.z)->channel, at_z);
    EXPECT_TRUE(pair.z.PollMessage(at_z).has_value());
  }
}

TEST(ChannelSetTest, DeliversEmptyMessagesOfBothKinds) {  // RFC 8831 §6.6
  Pair pair;
  pair.Connect();
  const auto [at_a, at_z] = OpenOne(pair);
  ASSERT_TRUE(pair.a.Send(kNow, at_a, MessageKind::kString, {}).has_value());
  ASSERT_TRUE(pair.a.Send(kNow, at_a, MessageKind::kBinary, {}).has_value());
  Exchange(pair.a, pair.z);
  auto text = pair.z.PollMessage(at_z);
  auto binary = pair.z.PollMessage(at_z);
  ASSERT_TRUE(text && binary);
  EXPECT_EQ(text->kind, MessageKind::kString);
  EXPECT_EQ(binary->kind, MessageKind::kBinary);
  EXPECT_TRUE(text->payload.empty() && binary->payload.empty());
}

TEST(ChannelSetTest, CountsOctetsAsConsumedWhenTheyAreReadAndDcepAtOnce) {
  Pair pair;
  pair.Connect();
  const auto [at_a, at_z] = OpenOne(pair, Labelled("abc"));
  EXPECT_EQ(pair.z.TakeConsumedBytes(), 15u) << "the OPEN";
  EXPECT_EQ(pair.a.TakeConsumedBytes(), 1u) << "the ACK";
  ASSERT_TRUE(pair.a.Send(kNow, at_a, MessageKind::kBinary, Octets("12345")).has_value());
  ASSERT_TRUE(pair.a.Send(kNow, at_a, MessageKind::kBinary, {}).has_value());
  Exchange(pair.a, pair.z);
  EXPECT_EQ(pair.z.TakeConsumedBytes(), 0u) << "R6: nobody has read";
  ASSERT_TRUE(pair.z.PollMessage(at_z).has_value());
  EXPECT_EQ(pair.z.TakeConsumedBytes(), 5u);
  ASSERT_TRUE(pair.z.PollMessage(at_z).has_value());
  EXPECT_EQ(pair.z.TakeConsumedBytes(), 1u) << "the placeholder of the empty message";
}

TEST(ChannelSetTest, PollsMessagesOfAnyChannelInTurn) {
  Pair pair;
  pair.Connect();
  const auto first = OpenOne(pair).first;
  const auto second = OpenOne(pair).first;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(pair.a.Send(kNow, first, MessageKind::kString, Octets("f" + std::to_string(i))).has_value());
    ASSERT_TRUE(pair.a.Send(kNow, second, MessageKind::kString, Octets("s" + std::to_string(i))).has_value());
  }
  Exchange(pair.a, pair.z);
  std::string order;
  while (auto message = pair.z.PollAnyMessage()) order += Text(*message) + ' ';
  EXPECT_EQ(order, "f0 s0 f1 s1 f2 s2 ");
}

TEST(ChannelSetTest, LetsChannelsSendInTurn) {
  Pair pair;
  pair.Connect();
  const auto bulk = OpenOne(pair).first;
  const auto ping = OpenOne(pair).first;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(pair.a.Send(kNow, bulk, MessageKind::kBinary, Octets("bulk")).has_value());
  ASSERT_TRUE(pair.a.Send(kNow, ping, MessageKind::kBinary, Octets("p")).has_value());
  EXPECT_EQ(pair.a.PollTransmit(kNow, {})->channel, bulk);
  EXPECT_EQ(pair.a.PollTransmit(kNow, {})->channel, ping) << "P3: not behind the bulk";
}

TEST(ChannelSetTest, TellsTheSizeOfTheNextTransmitWithoutTakingIt) {
  Pair pair;
  pair.Connect();
  EXPECT_EQ(pair.a.NextTransmitSize(kNow), 0u);
  const ChannelId channel = *pair.a.OpenChannel(kNow, Labelled("four"));
  ASSERT_TRUE(pair.a.Send(kNow, channel, MessageKind::kBinary, Octets("123")).has_value());
  EXPECT_EQ(pair.a.NextTransmitSize(kNow), 16u);
  EXPECT_EQ(pair.a.NextTransmitSize(kNow), 16u);
  EXPECT_EQ(pair.a.PollTransmit(kNow, {})->message.payload.size(), 16u);
  EXPECT_EQ(pair.a.NextTransmitSize(kNow), 3u);
}

TEST(ChannelSetTest, RefusesToOpenWhatTheCallerGotWrong) {
  ChannelSet set{Options{}};
  const auto error_of = [&](ChannelOptions options) { return set.OpenChannel(kNow, std::move(options)).error(); };
  EXPECT_EQ(error_of(Labelled(std::string(65536, 'l'))), OpenError::kLabelTooLong);
  ChannelOptions options;
  options.protocol.assign(65536, 'p');
  EXPECT_EQ(error_of(options), OpenError::kProtocolTooLong);
  EXPECT_EQ(error_of(Labelled("\xFF")), OpenError::kInvalidUtf8);
  options = {};
  options.max_retransmits = 1;
  options.max_lifetime = 1ms;
  EXPECT_EQ(error_of(options), OpenError::kBothReliabilityLimits);
  options = {};
  options.max_lifetime = -1ms;
  EXPECT_EQ(error_of(options), OpenError::kBadLifetime);
  options.max_lifetime = std::chrono::hours(24 * 50);
  EXPECT_EQ(error_of(options), OpenError::kBadLifetime) << "more than 2^32 milliseconds";
  EXPECT_EQ(error_of(Negotiated(65535)), OpenError::kBadNegotiatedId);
  EXPECT_TRUE(set.OpenChannel(kNow, Negotiated(7)).has_value());
  EXPECT_EQ(error_of(Negotiated(7)), OpenError::kIdInUse);
  set.SetRemoteMaxMessageSize(20);
  EXPECT_EQ(error_of(Labelled("nine chars")), OpenError::kLabelTooLong) << "the OPEN exceeds what the peer takes";
}

TEST(ChannelSetTest, RefusesToSendWhatTheCallerGotWrong) {
  Pair pair;
  pair.Connect();
  const auto channel = OpenOne(pair).first;
  const auto send = [&](ChannelId id, MessageKind kind, std::vector<uint8_t> payload) {
    return pair.a.Send(kNow, id, kind, std::move(payload)).error();
  };
  EXPECT_EQ(send(ChannelId(99), MessageKind::kBinary, Octets("x")), SendError::kUnknownChannel);
  EXPECT_EQ(send(channel, MessageKind::kString, Octets("\xC3")), SendError::kInvalidUtf8);
  pair.a.CloseChannel(kNow, channel);
  EXPECT_EQ(send(channel, MessageKind::kBinary, Octets("x")), SendError::kNotOpen);
  Exchange(pair.a, pair.z);
  EXPECT_EQ(send(channel, MessageKind::kBinary, Octets("x")), SendError::kClosed);
  EXPECT_TRUE(Next<event::ChannelClosed>(pair.a).has_value());
  (void)pair.a.PollEvent();
  EXPECT_EQ(send(channel, MessageKind::kBinary, Octets("x")), SendError::kClosed) << "also once it is forgotten";
}

TEST(ChannelSetTest, R5_NeverSendsMoreThanThePeerTakes) {  // RFC 8841 §6.1
  Pair pair;
  pair.Connect();
  const auto channel = OpenOne(pair).first;
  pair.a.SetRemoteMaxMessageSize(1000);
  EXPECT_TRUE(pair.a.Send(kNow, channel, MessageKind::kBinary, std::vector<uint8_t>(1000)).has_value());
  EXPECT_EQ(pair.a.Send(kNow, channel, MessageKind::kBinary, std::vector<uint8_t>(1001)).error(), SendError::kTooLarge);
  pair.a.SetRemoteMaxMessageSize(0);
  EXPECT_TRUE(pair.a.Send(kNow, channel, MessageKind::kBinary, std::vector<uint8_t>(1'000'000)).has_value());
}

TEST(ChannelSetTest, R5_ClosesAChannelWhoseQueuedMessageTurnsOutTooLarge) {
  Pair pair;
  const ChannelId channel = *pair.a.OpenChannel(kNow, Labelled("x"));
  ASSERT_TRUE(pair.a.Send(kNow, channel, MessageKind::kBinary, std::vector<uint8_t>(2000)).has_value());
  pair.a.SetRemoteMaxMessageSize(1000);
  pair.Connect();
  EXPECT_EQ(pair.a.state(channel), ChannelState::kClosed);
  EXPECT_FALSE(pair.z.PollAnyMessage().has_value());
}

TEST(ChannelSetTest, R7_BoundsWhatIsQueuedBeforeTheAssociationTakesIt) {
  Options options;
  options.max_queued_bytes = 100;
  Pair pair(options);
  const ChannelId channel = *pair.a.OpenChannel(kNow, Labelled("x"));
  const auto send = [&](size_t size) {
    return pair.a.Send(kNow, channel, MessageKind::kBinary, std::vector<uint8_t>(size));
  };
  EXPECT_TRUE(send(60).has_value());
  EXPECT_EQ(send(41).error(), SendError::kQueueFull);
  EXPECT_TRUE(send(40).has_value());
  EXPECT_EQ(send(1).error(), SendError::kQueueFull);
  EXPECT_EQ(send(101).error(), SendError::kTooLarge) << "it can never fit";
  pair.Connect();
  EXPECT_TRUE(send(100).has_value()) << "room again once SCTP has it";
}

TEST(ChannelSetTest, ClosesBothSidesAfterEverythingSentBeforeWasDelivered) {  // RFC 8831 §6.7
  Pair pair;
  pair.Connect();
  const auto [at_a, at_z] = OpenOne(pair);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(pair.a.Send(kNow, at_a, MessageKind::kString, Octets("m")).has_value());
  pair.a.CloseChannel(kNow, at_a);
  EXPECT_EQ(pair.a.state(at_a), ChannelState::kClosing);
  EXPECT_TRUE(pair.a.TakeStreamsToReset().empty()) << "not before the messages left";
  Exchange(pair.a, pair.z);
  EXPECT_EQ(pair.a.state(at_a), ChannelState::kClosed);
  EXPECT_EQ(pair.z.state(at_z), ChannelState::kClosed);
  EXPECT_EQ(Next<event::ChannelClosed>(pair.a)->channel, at_a);
  EXPECT_TRUE(Next<event::MessagesWaiting>(pair.z).has_value());
  EXPECT_EQ(Next<event::ChannelClosed>(pair.z)->channel, at_z);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(pair.z.PollMessage(at_z).has_value()) << "readable after the close";
  EXPECT_EQ(pair.z.metrics().channels_closed, 1u);
}

TEST(ChannelSetTest, ReusesAnIdAfterBothResetsAndForgetsTheOldChannel) {  // RFC 8831 §6.7
  Pair pair;
  pair.Connect();
  const auto old = OpenOne(pair, Labelled("old"));
  pair.a.CloseChannel(kNow, old.first);
  Exchange(pair.a, pair.z);
  EXPECT_TRUE(Next<event::ChannelClosed>(pair.a).has_value());
  EXPECT_TRUE(Next<event::ChannelClosed>(pair.z).has_value());
  EXPECT_NE(pair.z.options(old.second), nullptr) << "the handler of the event may still look";
  const auto renewed = OpenOne(pair, Labelled("new"));
  EXPECT_EQ(pair.a.stream(renewed.first), StreamId(0));
  EXPECT_NE(renewed.first, old.first) << "channel ids are never reused";
  EXPECT_EQ(pair.z.options(renewed.second)->label, "new");
  EXPECT_EQ(pair.z.options(old.second), nullptr);
}

TEST(ChannelSetTest, R8_EndsASimultaneousCloseOnBothSides) {  // RFC 8831 §6.7
  Pair pair;
  pair.Connect();
  const auto [at_a, at_z] = OpenOne(pair);
  pair.a.CloseChannel(kNow, at_a);
  pair.z.CloseChannel(kNow, at_z);
  pair.a.CloseChannel(kNow, at_a);  // twice is once
  const auto from_a = pair.a.TakeStreamsToReset();
  const auto from_z = pair.z.TakeStreamsToReset();
  EXPECT_EQ(from_a.size(), 1u);
  EXPECT_EQ(from_z.size(), 1u);
  pair.a.HandleIncomingReset(kNow, from_z);
  pair.z.HandleIncomingReset(kNow, from_a);
  EXPECT_EQ(pair.a.state(at_a), ChannelState::kClosing);
  EXPECT_TRUE(pair.a.TakeStreamsToReset().empty()) << "it was asked for";
  pair.a.HandleOutgoingReset(kNow, from_a);
  pair.z.HandleOutgoingReset(kNow, from_z);
  EXPECT_EQ(pair.a.state(at_a), ChannelState::kClosed);
  EXPECT_EQ(pair.z.state(at_z), ChannelState::kClosed);
  for (ChannelSet* set : {&pair.a, &pair.z}) EXPECT_TRUE(Next<event::ChannelClosed>(*set).has_value());
  EXPECT_EQ(pair.a.stream(OpenOne(pair).first), StreamId(0));
}

TEST(ChannelSetTest, R8_DropsWhatThePeerSendsOnAChannelThatWeAreClosing) {
  Pair pair;
  pair.Connect();
  const auto [at_a, at_z] = OpenOne(pair);
  ASSERT_TRUE(pair.z.Send(kNow, at_z, MessageKind::kString, Octets("late")).has_value());
  pair.a.CloseChannel(kNow, at_a);
  (void)pair.a.TakeConsumedBytes();
  pair.a.HandleMessage(kNow, std::move(pair.z.PollTransmit(kNow, {})->message));
  EXPECT_FALSE(pair.a.PollAnyMessage().has_value());
  EXPECT_EQ(pair.a.metrics().dropped[static_cast<size_t>(DropReason::kClosedChannel)], 1u);
  EXPECT_EQ(pair.a.TakeConsumedBytes(), 4u) << "dropped octets open the window";
}

TEST(ChannelSetTest, R8_DoesNotSendTheRestOnceThePeerClosed) {
  Pair pair;
  pair.Connect();
  const auto [at_a, at_z] = OpenOne(pair);
  ASSERT_TRUE(pair.a.Send(kNow, at_a, MessageKind::kString, Octets("useless")).has_value());
  const StreamId stream = *pair.a.stream(at_a);
  pair.a.HandleIncomingReset(kNow, std::span(&stream, 1));
  EXPECT_EQ(pair.a.state(at_a), ChannelState::kClosing);
  EXPECT_EQ(pair.a.queued_bytes(at_a), 0u);
  EXPECT_FALSE(pair.a.PollTransmit(kNow, {}).has_value());
  EXPECT_EQ(pair.a.TakeStreamsToReset(), std::vector{stream});
}

TEST(ChannelSetTest, TakesAResetBeforeTheAckForARefusal) {  // RFC 8832 §6
  ChannelSet set{Options{}};
  set.HandleConnected(kNow, DtlsRole::kClient, kStreams);
  const ChannelId channel = *set.OpenChannel(kNow, Labelled("unwanted"));
  const StreamId stream = set.PollTransmit(kNow, {})->message.stream;
  set.HandleIncomingReset(kNow, std::span(&stream, 1));
  EXPECT_EQ(set.TakeStreamsToReset(), std::vector{stream});
  set.HandleOutgoingReset(kNow, std::span(&stream, 1));
  EXPECT_EQ(set.state(channel), ChannelState::kClosed);
  EXPECT_TRUE(Next<event::ChannelClosed>(set).has_value()) << "and never ChannelOpen";
  EXPECT_EQ(set.metrics().channels_opened, 0u);
}

TEST(ChannelSetTest, TakesAMessageOfThePeerForTheMissingAck) {  // RFC 8832 §6
  ChannelSet set{Options{}};
  set.HandleConnected(kNow, DtlsRole::kClient, kStreams);
  const ChannelId channel = *set.OpenChannel(kNow, {});
  (void)set.PollTransmit(kNow, {});
  set.HandleMessage(kNow, {StreamId(0), kPpidString, Octets("first")});
  EXPECT_EQ(Next<event::ChannelOpen>(set)->channel, channel);
  set.HandleMessage(kNow, {StreamId(0), kPpidDcep, WriteAck()});
  EXPECT_TRUE(Next<event::MessagesWaiting>(set).has_value());
  EXPECT_FALSE(set.PollEvent().has_value()) << "the ACK opens nothing again";
  EXPECT_EQ(set.metrics().channels_opened, 1u);
}

TEST(ChannelSetTest, OpensNegotiatedChannelsOnBothSidesWithoutDcep) {  // RFC 8831 §6.5
  Pair pair;
  const ChannelId at_a = *pair.a.OpenChannel(kNow, Negotiated(4));
  const ChannelId at_z = *pair.z.OpenChannel(kNow, Negotiated(4));
  ASSERT_TRUE(pair.a.Send(kNow, at_a, MessageKind::kString, Octets("hello")).has_value());
  pair.Connect();
  EXPECT_TRUE(Next<event::ChannelOpen>(pair.a).has_value());
  EXPECT_TRUE(Next<event::ChannelOpen>(pair.z).has_value());
  EXPECT_EQ(Text(*pair.z.PollMessage(at_z)), "hello");
  EXPECT_EQ(pair.z.TakeConsumedBytes(), 5u) << "no DCEP message came";
  EXPECT_EQ(*pair.a.OpenChannel(kNow, Labelled("other")), ChannelId(2));
  EXPECT_EQ(pair.a.stream(ChannelId(2)), StreamId(0));
}

TEST(ChannelSetTest, ClosesChannelsThatTheNegotiatedStreamsCannotCarry) {
  ChannelSet set{Options{}};
  const ChannelId far = *set.OpenChannel(kNow, Negotiated(10));
  const ChannelId first = *set.OpenChannel(kNow, {});
  const ChannelId second = *set.OpenChannel(kNow, {});
  set.HandleConnected(kNow, DtlsRole::kClient, 2);
  EXPECT_EQ(set.state(far), ChannelState::kClosed);
  EXPECT_EQ(set.stream(first), StreamId(0));
  EXPECT_EQ(set.state(second), ChannelState::kClosed);
  EXPECT_EQ(set.OpenChannel(kNow, {}).error(), OpenError::kTooManyChannels);
  EXPECT_EQ(set.OpenChannel(kNow, Negotiated(2)).error(), OpenError::kBadNegotiatedId);
}

TEST(ChannelSetTest, ClosesAtOnceWhatThePeerNeverHeardOf) {
  Pair pair;
  const ChannelId in_band = *pair.a.OpenChannel(kNow, {});
  const ChannelId negotiated = *pair.a.OpenChannel(kNow, Negotiated(0));
  pair.a.CloseChannel(kNow, in_band);
  pair.a.CloseChannel(kNow, negotiated);
  EXPECT_EQ(pair.a.state(in_band), ChannelState::kClosed);
  EXPECT_EQ(pair.a.state(negotiated), ChannelState::kClosed);
  pair.Connect();
  const ChannelId unannounced = *pair.a.OpenChannel(kNow, {});
  EXPECT_EQ(pair.a.stream(unannounced), StreamId(0)) << "the negotiated id is free again";
  pair.a.CloseChannel(kNow, unannounced);
  EXPECT_EQ(pair.a.state(unannounced), ChannelState::kClosed);
  EXPECT_FALSE(pair.a.PollTransmit(kNow, {}).has_value());
  EXPECT_TRUE(pair.a.TakeStreamsToReset().empty());
}

TEST(ChannelSetTest, DeliversWhatWasSentAndClosedBeforeTheConnection) {
  Pair pair;
  const ChannelId channel = *pair.a.OpenChannel(kNow, Labelled("short"));
  ASSERT_TRUE(pair.a.Send(kNow, channel, MessageKind::kString, Octets("all I have")).has_value());
  pair.a.CloseChannel(kNow, channel);
  EXPECT_EQ(pair.a.state(channel), ChannelState::kClosing);
  pair.Connect();
  EXPECT_EQ(pair.a.state(channel), ChannelState::kClosed);
  EXPECT_EQ(Text(*pair.z.PollAnyMessage()), "all I have");
}

TEST(ChannelSetTest, ClosesEveryChannelWhenTheAssociationEnds) {  // RFC 8831 §6.2
  Pair pair;
  pair.Connect();
  const auto [first, at_z] = OpenOne(pair);
  ASSERT_TRUE(pair.z.Send(kNow, at_z, MessageKind::kString, Octets("unread")).has_value());
  Exchange(pair.a, pair.z);
  const ChannelId second = *pair.a.OpenChannel(kNow, {});
  pair.a.HandleDisconnected(kNow);
  EXPECT_EQ(pair.a.state(first), ChannelState::kClosed);
  EXPECT_EQ(pair.a.state(second), ChannelState::kClosed);
  EXPECT_EQ(pair.a.OpenChannel(kNow, {}).error(), OpenError::kClosed);
  EXPECT_EQ(pair.a.Send(kNow, first, MessageKind::kBinary, Octets("x")).error(), SendError::kClosed);
  EXPECT_FALSE(pair.a.PollTransmit(kNow, {}).has_value());
  EXPECT_EQ(Text(*pair.a.PollMessage(first)), "unread");
  pair.a.HandleDisconnected(kNow);
  EXPECT_EQ(pair.a.metrics().channels_closed, 2u) << "closed once";
}

TEST(ChannelSetTest, StartsAnewAfterARestartOfTheAssociation) {  // RFC 9260 §5.2.4
  Pair pair;
  pair.Connect();
  OpenOne(pair);
  for (ChannelSet* set : {&pair.a, &pair.z}) {
    set->HandleDisconnected(kNow);
    while (set->PollEvent()) continue;
  }
  pair.Connect();
  const auto renewed = OpenOne(pair, Labelled("after"));
  EXPECT_EQ(pair.a.stream(renewed.first), StreamId(0));
}

TEST(ChannelSetTest, P34_DropsStaleMessagesThatWaitedForTheConnection) {
  Pair pair;
  ChannelOptions options;
  options.max_lifetime = 100ms;
  const ChannelId channel = *pair.a.OpenChannel(kNow, options);
  ASSERT_TRUE(pair.a.Send(kNow, channel, MessageKind::kString, Octets("stale")).has_value());
  ASSERT_TRUE(pair.a.Send(kNow + 1s, channel, MessageKind::kString, Octets("fresh")).has_value());
  pair.a.HandleConnected(kNow + 1s, DtlsRole::kClient, kStreams);
  EXPECT_EQ(pair.a.PollTransmit(kNow + 1s, {})->message.ppid, kPpidDcep);
  EXPECT_EQ(pair.a.PollTransmit(kNow + 1s, {})->message.payload, Octets("fresh"));
  EXPECT_EQ(pair.a.stats()[0].messages_expired, 1u);
  EXPECT_EQ(pair.a.queued_bytes(channel), 0u);
}

TEST(ChannelSetTest, PassesOnLowBufferedAmountsOncePerPoll) {
  Pair pair;
  pair.Connect();
  const auto channel = OpenOne(pair).first;
  pair.a.HandleBufferedAmountLow(kNow, StreamId(0));
  pair.a.HandleBufferedAmountLow(kNow, StreamId(0));
  pair.a.HandleBufferedAmountLow(kNow, StreamId(77));
  EXPECT_EQ(Next<event::BufferedAmountLow>(pair.a)->channel, channel);
  EXPECT_FALSE(pair.a.PollEvent().has_value());
  pair.a.HandleBufferedAmountLow(kNow, StreamId(0));
  EXPECT_TRUE(Next<event::BufferedAmountLow>(pair.a).has_value());
}

TEST(ChannelSetTest, ReportsStatsOfEveryChannel) {
  Pair pair;
  pair.Connect();
  const auto [at_a, at_z] = OpenOne(pair, Labelled("s"));
  ASSERT_TRUE(pair.a.Send(kNow, at_a, MessageKind::kBinary, Octets("1234")).has_value());
  Exchange(pair.a, pair.z);
  const auto stats = pair.z.stats();
  ASSERT_EQ(stats.size(), 1u);
  EXPECT_EQ(stats[0].id, at_z);
  EXPECT_EQ(stats[0].stream, StreamId(0));
  EXPECT_EQ(stats[0].options.label, "s");
  EXPECT_EQ(stats[0].state, ChannelState::kOpen);
  EXPECT_EQ(stats[0].messages_received, 1u);
  EXPECT_EQ(stats[0].bytes_received, 4u);
  EXPECT_EQ(pair.a.stats()[0].bytes_sent, 4u);
}

TEST(ChannelSetTest, R9_IsMovedAndDestroyedInTheMiddleOfEverything) {
  Pair pair;
  pair.Connect();
  const auto channel = OpenOne(pair).first;
  ASSERT_TRUE(pair.a.Send(kNow, channel, MessageKind::kBinary, Octets("x")).has_value());
  ChannelSet moved = std::move(pair.a);
  pair.a = ChannelSet(Options{});
  EXPECT_EQ(moved.PollTransmit(kNow, {})->message.payload, Octets("x"));
  EXPECT_EQ(moved.NextTimeout(), Timestamp::Never());
  moved.HandleTimeout(kNow);
}

}  // namespace
}  // namespace jsp::datachannel
