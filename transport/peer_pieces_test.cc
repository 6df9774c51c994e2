// Messages in pieces, buffered amounts and per-channel statistics through all layers.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "transport/peer.h"
#include "transport/testing/peer_pair.h"

namespace jsp::transport {
namespace {

using datachannel::ChannelId;
using datachannel::MessageKind;
using sctp::Delivery;
using sctp::Part;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::PeerPair;

constexpr size_t kBuffer = 64 * 1024;

PeerOptions Small() {
  PeerOptions options;
  options.sctp.max_message_size = 0;
  options.sctp.max_send_buffer = kBuffer;
  options.sctp.receive_window = options.sctp.max_receive_window = 2 * kBuffer;
  return options;
}

class PeerPiecesTest : public ::testing::Test {
 protected:
  // A channel of a, open at both sides.
  void Open(const datachannel::ChannelOptions& options = {}, const PeerOptions& peers = Small()) {
    pair_ = std::make_unique<PeerPair>(1, peers, peers);
    channel_ = *a().OpenChannel(pair_->now, options);
    ASSERT_TRUE(pair_->Connect());
    ASSERT_TRUE(pair_->RunUntil([&] { return PeerPair::Count<datachannel::event::ChannelOpen>(pair_->a) == 1; }));
    for (const auto& event : pair_->z.events) {
      if (const auto* opened = std::get_if<datachannel::event::ChannelOpenedByPeer>(&event)) at_z_ = opened->channel;
    }
  }
  Peer& a() { return *pair_->a.peer; }
  Peer& z() { return *pair_->z.peer; }
  bool Send(size_t size, Part part = Part::kWhole, MessageKind kind = MessageKind::kBinary) {
    return a().Send(pair_->now, channel_, kind, std::vector<uint8_t>(size, 'x'), part).has_value();
  }
  size_t CountLow() const { return PeerPair::Count<datachannel::event::BufferedAmountLow>(pair_->a); }

  std::unique_ptr<PeerPair> pair_ = std::make_unique<PeerPair>();
  ChannelId channel_;
  ChannelId at_z_;
};

TEST_F(PeerPiecesTest, AMessageLargerThanEveryBufferCrosses) {  // RFC 9260 §6.9
  Open();
  z().SetDelivery(pair_->now, at_z_, Delivery::kPieces);
  constexpr size_t kSize = 4 * 1024 * 1024;
  constexpr size_t kPiece = 16 * 1024;
  for (size_t sent = 0; sent < kSize; sent += kPiece) {
    ASSERT_TRUE(pair_->RunUntil([&] { return a().send_buffer_room() >= kPiece; }, minutes(1)));
    ASSERT_TRUE(Send(kPiece, sent == 0 ? Part::kBegin : sent + kPiece == kSize ? Part::kEnd : Part::kMiddle));
    pair_->Settle();
  }
  ASSERT_TRUE(pair_->RunUntil([&] { return z().stats().channels[0].messages_received == 1; }, minutes(1)));
  size_t received = 0;
  for (const auto& piece : pair_->z.messages) received += piece.payload.size();
  EXPECT_EQ(received, kSize);
  EXPECT_EQ(pair_->z.messages.front().part, Part::kBegin);
  EXPECT_EQ(pair_->z.messages.back().part, Part::kEnd);
  EXPECT_EQ(z().stats().channels[0].bytes_received, kSize);
  EXPECT_EQ(a().stats().channels[0].messages_sent, 1u);
  EXPECT_EQ(a().stats().channels[0].bytes_sent, kSize);
}

TEST_F(PeerPiecesTest, ARequestBeforeTheChannelIsOpenHolds) {
  pair_ = std::make_unique<PeerPair>(1, Small(), Small());
  channel_ = *a().OpenChannel(pair_->now, {.label = "early", .negotiated_id = 3});
  at_z_ = *z().OpenChannel(pair_->now, {.label = "early", .negotiated_id = 3});
  z().SetDelivery(pair_->now, at_z_, Delivery::kPieces);
  ASSERT_TRUE(pair_->Connect());
  ASSERT_TRUE(Send(10, Part::kBegin));
  ASSERT_TRUE(pair_->RunUntil([&] { return !pair_->z.messages.empty(); }));
  EXPECT_EQ(pair_->z.messages[0].part, Part::kBegin);
}

TEST_F(PeerPiecesTest, R6_WhoDoesNotReadPiecesStopsTheSender) {
  Open();
  z().SetDelivery(pair_->now, at_z_, Delivery::kPieces);
  pair_->z.read = false;
  size_t sent = 0;
  for (int i = 0; i < 1000; ++i) {
    if (Send(4096, sent == 0 ? Part::kBegin : Part::kMiddle)) sent += 4096;
    (void)pair_->RunUntil([] { return false; }, milliseconds(30));
  }
  EXPECT_LE(sent, 3 * kBuffer + 4096);
  EXPECT_FALSE(Send(kBuffer, Part::kMiddle));
  pair_->z.read = true;
  pair_->Settle();
  ASSERT_TRUE(pair_->RunUntil([&] { return a().buffered_amount(channel_) == 0; }, seconds(30)));
  ASSERT_TRUE(Send(1, Part::kEnd));
  ASSERT_TRUE(pair_->RunUntil([&] { return z().stats().channels[0].messages_received == 1; }, seconds(30)));
  EXPECT_EQ(z().stats().channels[0].bytes_received, sent + 1);
}

TEST_F(PeerPiecesTest, BufferedAmountIsExactForEveryKindOfMessage) {
  Open();
  EXPECT_EQ(a().buffered_amount(channel_), 0u) << "DCEP does not count";
  const struct {
    size_t size;
    Part part;
    MessageKind kind;
  } kSent[] = {{0, Part::kWhole, MessageKind::kString},    {0, Part::kWhole, MessageKind::kBinary},
               {5, Part::kWhole, MessageKind::kString},    {3000, Part::kWhole, MessageKind::kBinary},
               {1, Part::kBegin, MessageKind::kBinary},    {2000, Part::kMiddle, MessageKind::kBinary},
               {20'000, Part::kEnd, MessageKind::kBinary}, {30'000, Part::kBegin, MessageKind::kString}};
  const uint64_t before = a().stats().sctp.bytes_sent;
  size_t given = 0;
  for (const auto& sent : kSent) {
    ASSERT_TRUE(Send(sent.size, sent.part, sent.kind));
    given += sent.size;
    EXPECT_EQ(a().buffered_amount(channel_), given);
    EXPECT_EQ(a().stats().channels[0].buffered_amount, given);
  }
  // Packet by packet: what was not transmitted for the first time. The two empty messages are an octet each in SCTP.
  std::vector<uint8_t> out(1500);
  size_t steps = 0;
  while (a().PollTransmit(pair_->now, out)) {
    const uint64_t transmitted = a().stats().sctp.bytes_sent - before;
    if (transmitted < 2) continue;
    EXPECT_EQ(a().buffered_amount(channel_), given - (transmitted - 2));
    ++steps;
  }
  EXPECT_GE(steps, 2u);
  const size_t left = a().buffered_amount(channel_);
  EXPECT_GT(left, 0u);
  // Giving up the message that is open takes its octets away and no others, though it has not begun to leave.
  ASSERT_GT(left, 30'000u);
  ASSERT_TRUE(Send(0, Part::kAborted));
  EXPECT_EQ(a().buffered_amount(channel_), left - 30'000);
  ASSERT_TRUE(pair_->RunUntil([&] { return a().buffered_amount(channel_) == 0; }, seconds(10)));
}

TEST_F(PeerPiecesTest, TheLowEventComesOnceForEachFallToTheThreshold) {
  Open();
  a().SetBufferedAmountLowThreshold(channel_, 1000);
  for (const Part part : {Part::kWhole, Part::kBegin, Part::kMiddle, Part::kEnd}) {
    const size_t before = CountLow();
    ASSERT_TRUE(Send(1000, part));
    ASSERT_TRUE(pair_->RunUntil([&] { return a().buffered_amount(channel_) == 0; }));
    EXPECT_EQ(CountLow(), before) << "it was never above";
    ASSERT_TRUE(Send(1001, part == Part::kBegin || part == Part::kMiddle ? Part::kMiddle : Part::kWhole));
    ASSERT_TRUE(pair_->RunUntil([&] { return a().buffered_amount(channel_) == 0; }));
    EXPECT_EQ(CountLow(), before + 1);
  }
  // Giving up a message is a fall, too.
  ASSERT_TRUE(pair_->RunUntil([&] { return a().send_buffer_room() >= 60'000; }));
  ASSERT_TRUE(Send(60'000, Part::kBegin));
  const size_t before = CountLow();
  ASSERT_TRUE(Send(0, Part::kAborted));
  (void)pair_->RunUntil([] { return false; }, seconds(1));
  EXPECT_EQ(CountLow(), before + 1);
}

TEST_F(PeerPiecesTest, ThresholdAndDeliveryAreOfTheChannelNotOfItsStream) {  // RFC 8831 §6.7
  Open();
  a().SetBufferedAmountLowThreshold(channel_, 500);
  const auto stream = a().stats().channels[0].stream;
  z().SetDelivery(pair_->now, at_z_, Delivery::kPieces);
  a().CloseChannel(pair_->now, channel_);
  ASSERT_TRUE(pair_->RunUntil([&] {
    return a().channel_state(channel_) == datachannel::ChannelState::kClosed &&
           z().channel_state(at_z_) == datachannel::ChannelState::kClosed;
  }));
  channel_ = *a().OpenChannel(pair_->now, {.label = "next"});
  ASSERT_TRUE(pair_->RunUntil([&] { return PeerPair::Count<datachannel::event::ChannelOpen>(pair_->a) == 2; }));
  EXPECT_EQ(a().stats().channels.back().stream, stream) << "the same stream";
  pair_->z.messages.clear();
  const size_t before = CountLow();
  ASSERT_TRUE(Send(600, Part::kBegin));
  ASSERT_TRUE(Send(1, Part::kEnd));
  ASSERT_TRUE(pair_->RunUntil([&] { return !pair_->z.messages.empty(); }));
  EXPECT_EQ(pair_->z.messages[0].part, Part::kWhole);
  EXPECT_EQ(CountLow(), before + 1) << "at 0, not at 500 as well";
}

TEST_F(PeerPiecesTest, R8_ClosingInTheMiddleOfAMessageIsSeenByTheReader) {  // RFC 8831 §6.7, RFC 3758 §3.5 A3
  Open();
  z().SetDelivery(pair_->now, at_z_, Delivery::kPieces);
  ASSERT_TRUE(Send(30'000, Part::kBegin));
  ASSERT_TRUE(pair_->RunUntil([&] { return !pair_->z.messages.empty(); }));
  a().CloseChannel(pair_->now, channel_);
  ASSERT_TRUE(pair_->RunUntil([&] {
    return a().channel_state(channel_) == datachannel::ChannelState::kClosed &&
           z().channel_state(at_z_) == datachannel::ChannelState::kClosed;
  }));
  ASSERT_FALSE(pair_->z.messages.empty());
  EXPECT_EQ(pair_->z.messages.back().part, Part::kAborted);
  EXPECT_EQ(a().state(), ConnectionState::kCompleted);
}

TEST_F(PeerPiecesTest, StatsCountAbandonedMessagesPerChannel) {  // RFC 3758 §3.5 A3
  Open({.label = "timed", .max_lifetime = milliseconds(50)});
  z().SetDelivery(pair_->now, at_z_, Delivery::kPieces);
  const auto other = *a().OpenChannel(pair_->now, {.label = "other"});
  ASSERT_TRUE(Send(1000, Part::kBegin));
  (void)pair_->RunUntil([] { return false; }, milliseconds(200));
  ASSERT_TRUE(Send(1000, Part::kMiddle));
  (void)pair_->RunUntil([] { return false; }, seconds(2));
  ASSERT_TRUE(Send(1000, Part::kMiddle)) << "only SCTP knows";
  EXPECT_EQ(a().Send(pair_->now, channel_, MessageKind::kBinary, {1}, Part::kEnd).error(),
            datachannel::SendError::kMessageAbandoned);
  for (const auto& channel : a().stats().channels) {
    EXPECT_EQ(channel.messages_abandoned, channel.id == other ? 0u : 1u);
  }
  EXPECT_EQ(z().stats().channels[0].messages_aborted, 1u);
  EXPECT_EQ(z().stats().channels[0].messages_received, 0u);
  ASSERT_TRUE(Send(10));
  ASSERT_TRUE(pair_->RunUntil([&] { return z().stats().channels[0].messages_received == 1; }, seconds(2)));
}

TEST_F(PeerPiecesTest, WithoutInterleavingMessagesAreSentWhole) {  // RFC 8260 §1
  PeerOptions options = Small();
  options.sctp.interleaving = false;
  Open({}, options);
  EXPECT_EQ(a().Send(pair_->now, channel_, MessageKind::kBinary, {1}, Part::kBegin).error(),
            datachannel::SendError::kNoStreaming);
  // They can be read in pieces all the same, also when they are larger than the reader's window allows.
  z().SetDelivery(pair_->now, at_z_, Delivery::kPieces);
  ASSERT_TRUE(Send(kBuffer));
  ASSERT_TRUE(pair_->RunUntil([&] { return z().stats().channels[0].messages_received == 1; }, seconds(30)));
  EXPECT_GT(pair_->z.messages.size(), 1u);
}

TEST_F(PeerPiecesTest, R5_AMaxMessageSizeOfZeroIsAnnouncedAndBelieved) {  // RFC 8841 §6.1
  Open();
  ASSERT_TRUE(Send(300'000 % kBuffer, Part::kBegin));
  PeerOptions limited = Small();
  limited.sctp.max_message_size = 40'000;
  Open({}, limited);
  ASSERT_TRUE(Send(30'000, Part::kBegin));
  EXPECT_EQ(a().Send(pair_->now, channel_, MessageKind::kBinary, std::vector<uint8_t>(10'001), Part::kMiddle).error(),
            datachannel::SendError::kTooLarge);
  ASSERT_TRUE(Send(10'000, Part::kEnd));
  ASSERT_TRUE(pair_->RunUntil([&] { return z().stats().channels[0].messages_received == 1; }, seconds(30)));
  EXPECT_EQ(pair_->z.messages.back().payload.size(), 40'000u);
}

TEST_F(PeerPiecesTest, R9_PeersMayBeDestroyedInTheMiddleOfAMessage) {
  for (int i = 0; i < 3; ++i) {
    Open();
    z().SetDelivery(pair_->now, at_z_, Delivery::kPieces);
    ASSERT_TRUE(Send(50'000, Part::kBegin));
    (void)pair_->RunUntil([] { return false; }, milliseconds(5 * i));
    if (i == 1) a().Close(pair_->now);
    if (i == 2) z().Close(pair_->now);
    pair_->Settle();
    pair_.reset();
  }
}

}  // namespace
}  // namespace jsp::transport
