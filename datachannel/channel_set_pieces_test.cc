// Messages in pieces, between two sets over a perfect association.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "datachannel/channel_set.h"
#include "datachannel/ppid.h"
namespace jsp::datachannel {
namespace {

using namespace std::chrono_literals;
using sctp::Delivery;
using sctp::Part;
using sctp::StreamId;

constexpr Timestamp kNow = Timestamp::FromEpoch(1s);

std::vector<uint8_t> Octets(std::string_view text) { return {text.begin(), text.end()}; }

class ChannelSetPiecesTest : public testing::Test {
 protected:
  explicit ChannelSetPiecesTest(const Options& options = {}) : a_(options), z_(options) {
    a_.HandleConnected(kNow, DtlsRole::kClient, 100);
    z_.HandleConnected(kNow, DtlsRole::kServer, 100);
    Open({});
  }
  void Open(ChannelOptions options) {
    at_a_ = *a_.OpenChannel(kNow, std::move(options));
    Exchange();
    while (auto event = z_.PollEvent()) {
      if (const auto* opened = std::get_if<event::ChannelOpenedByPeer>(&*event)) at_z_ = opened->channel;
    }
    while (a_.PollEvent()) {
    }
  }
  void Exchange() {
    for (bool busy = true; busy;) {
      busy = false;
      for (auto [from, to] : {std::pair(&a_, &z_), std::pair(&z_, &a_)}) {
        while (auto transmit = from->PollTransmit(kNow, {})) {
          if (from == &a_) sent_.push_back(transmit->message.part);
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
  std::optional<SendError> Send(Part part, std::string_view text, MessageKind kind = MessageKind::kString) {
    const auto sent = a_.Send(kNow, at_a_, kind, Octets(text), part);
    return sent ? std::optional<SendError>() : sent.error();
  }
  // All that can be read at z, as "begin:text ".
  std::string Read() {
    constexpr const char* kParts[] = {"whole:", "begin:", "middle:", "end:", "aborted:"};
    std::string all;
    while (auto message = z_.PollMessage(at_z_)) {
      all += kParts[static_cast<size_t>(message->part)];
      all += std::string(message->payload.begin(), message->payload.end()) + " ";
    }
    return all;
  }

  ChannelSet a_;
  ChannelSet z_;
  ChannelId at_a_;
  ChannelId at_z_;
  std::vector<Part> sent_;
};

TEST_F(ChannelSetPiecesTest, PiecesTravelInOrderAndAreGivenOutOnRequest) {
  z_.SetDelivery(at_z_, Delivery::kPieces);
  EXPECT_EQ(z_.delivery(at_z_), Delivery::kPieces);
  EXPECT_EQ(Send(Part::kBegin, "one "), std::nullopt);
  Exchange();
  EXPECT_EQ(Read(), "begin:one  ");
  EXPECT_EQ(Send(Part::kMiddle, "two "), std::nullopt);
  EXPECT_EQ(Send(Part::kEnd, "three"), std::nullopt);
  EXPECT_EQ(Send(Part::kWhole, "next"), std::nullopt);
  Exchange();
  EXPECT_EQ(Read(), "middle:two  end:three whole:next ");
  EXPECT_EQ(a_.stats().front().messages_sent, 2u);
  EXPECT_EQ(z_.stats().front().messages_received, 2u);
  EXPECT_EQ(z_.stats().front().bytes_received, 17u);
  EXPECT_EQ(z_.TakeConsumedBytes(), 17u + 12) << "and DCEP";
}

TEST_F(ChannelSetPiecesTest, WithoutTheRequestPiecesAreJoined) {
  EXPECT_EQ(Send(Part::kBegin, "one "), std::nullopt);
  EXPECT_EQ(Send(Part::kEnd, "two"), std::nullopt);
  Exchange();
  EXPECT_EQ(Read(), "whole:one two ");
}

TEST_F(ChannelSetPiecesTest, MisplacedPiecesAreRefused) {
  EXPECT_EQ(Send(Part::kMiddle, "x"), SendError::kNoOpenMessage);
  EXPECT_EQ(Send(Part::kEnd, "x"), SendError::kNoOpenMessage);
  EXPECT_EQ(Send(Part::kAborted, ""), SendError::kNoOpenMessage);
  EXPECT_EQ(Send(Part::kBegin, ""), SendError::kEmptyPiece);
  EXPECT_EQ(Send(Part::kBegin, "x"), std::nullopt);
  EXPECT_EQ(Send(Part::kWhole, "x"), SendError::kMessageOpen);
  EXPECT_EQ(Send(Part::kBegin, "x"), SendError::kMessageOpen);
  EXPECT_EQ(Send(Part::kEnd, ""), SendError::kEmptyPiece);
  EXPECT_EQ(Send(Part::kMiddle, "x", MessageKind::kBinary), SendError::kNoOpenMessage);
  EXPECT_EQ(Send(Part::kEnd, "y"), std::nullopt);
  EXPECT_EQ(Send(Part::kWhole, "z"), std::nullopt);
  Exchange();
  EXPECT_EQ(Read(), "whole:xy whole:z ");
}

TEST_F(ChannelSetPiecesTest, R4_AStringInPiecesIsCheckedAcrossThem) {  // RFC 8831 §6.6
  EXPECT_EQ(Send(Part::kBegin, "\xC3"), std::nullopt);
  EXPECT_EQ(Send(Part::kMiddle, "("), SendError::kInvalidUtf8);
  EXPECT_EQ(Send(Part::kMiddle, "\xA9\xC3"), std::nullopt) << "the refused piece left no trace";
  EXPECT_EQ(Send(Part::kEnd, "\xA9\xC3"), SendError::kInvalidUtf8);
  EXPECT_EQ(Send(Part::kEnd, "\xA9"), std::nullopt);
  Exchange();
  EXPECT_EQ(Read(), "whole:\xC3\xA9\xC3\xA9 ");
}

TEST_F(ChannelSetPiecesTest, R5_ThePeersLimitHoldsForTheWholeMessage) {  // RFC 8841 §6.1
  a_.SetRemoteMaxMessageSize(10);
  EXPECT_EQ(Send(Part::kBegin, "12345678"), std::nullopt);
  EXPECT_EQ(Send(Part::kMiddle, "901"), SendError::kTooLarge);
  EXPECT_EQ(Send(Part::kEnd, "90"), std::nullopt);
  EXPECT_EQ(Send(Part::kBegin, "12345678"), std::nullopt);
  Exchange();
  EXPECT_EQ(Read(), "whole:1234567890 ");
}

TEST_F(ChannelSetPiecesTest, NothingIsSentInPiecesWithoutAConnectionThatInterleaves) {  // RFC 8260 §1
  ChannelSet set({});
  const auto channel = *set.OpenChannel(kNow, {});
  EXPECT_EQ(set.Send(kNow, channel, MessageKind::kBinary, {1}, Part::kBegin).error(), SendError::kNoStreaming);
  set.HandleConnected(kNow, DtlsRole::kClient, 100, Streaming::kImpossible);
  EXPECT_EQ(set.Send(kNow, channel, MessageKind::kBinary, {1}, Part::kBegin).error(), SendError::kNoStreaming);
  EXPECT_TRUE(set.Send(kNow, channel, MessageKind::kBinary, {1}));
}

TEST_F(ChannelSetPiecesTest, AMessageCanBeGivenUp) {  // RFC 3758 §3.5 A3
  z_.SetDelivery(at_z_, Delivery::kPieces);
  EXPECT_EQ(Send(Part::kBegin, "x"), std::nullopt);
  EXPECT_EQ(Send(Part::kAborted, ""), std::nullopt);
  EXPECT_EQ(Send(Part::kWhole, "y"), std::nullopt);
  Exchange();
  EXPECT_EQ(Read(), "begin:x aborted: whole:y ");
  EXPECT_EQ(z_.stats().front().messages_aborted, 1u);
  EXPECT_EQ(a_.stats().front().messages_sent, 1u);
}

TEST_F(ChannelSetPiecesTest, R8_ClosingGivesUpTheOpenMessage) {  // RFC 8831 §6.7, RFC 3758 §3.5 A3
  z_.SetDelivery(at_z_, Delivery::kPieces);
  EXPECT_EQ(Send(Part::kWhole, "before"), std::nullopt);
  EXPECT_EQ(Send(Part::kBegin, "x"), std::nullopt);
  a_.CloseChannel(kNow, at_a_);
  Exchange();
  EXPECT_EQ(sent_.back(), Part::kAborted);
  EXPECT_EQ(Read(), "whole:before begin:x aborted: ");
  EXPECT_EQ(a_.state(at_a_), ChannelState::kClosed);
  EXPECT_EQ(z_.state(at_z_), ChannelState::kClosed);
}

TEST_F(ChannelSetPiecesTest, R8_ThePeersCloseEndsWhatWasReadInPart) {  // RFC 8831 §6.7
  z_.SetDelivery(at_z_, Delivery::kPieces);
  EXPECT_EQ(Send(Part::kBegin, "x"), std::nullopt);
  Exchange();
  const StreamId stream = *z_.stream(at_z_);
  z_.HandleIncomingReset(kNow, std::span(&stream, 1));
  EXPECT_EQ(Read(), "begin:x aborted: ");
  EXPECT_EQ(z_.stats().front().state, ChannelState::kClosing);
}

TEST_F(ChannelSetPiecesTest, R8_ADiscardedEndIsMadeUpForByGivingUpTheMessage) {
  EXPECT_EQ(Send(Part::kBegin, "x"), std::nullopt);
  ASSERT_TRUE(a_.PollTransmit(kNow, {}));
  EXPECT_EQ(Send(Part::kEnd, "y"), std::nullopt);
  const StreamId stream = *a_.stream(at_a_);
  a_.HandleIncomingReset(kNow, std::span(&stream, 1));  // the peer reads no more
  const auto last = a_.PollTransmit(kNow, {});
  ASSERT_TRUE(last);
  EXPECT_EQ(last->message.part, Part::kAborted);
  EXPECT_FALSE(a_.PollTransmit(kNow, {}));
  EXPECT_EQ(a_.TakeStreamsToReset(), std::vector{stream});
}

TEST_F(ChannelSetPiecesTest, AnEndOfTheAssociationEndsWhatWasReadInPart) {
  z_.SetDelivery(at_z_, Delivery::kPieces);
  EXPECT_EQ(Send(Part::kBegin, "x"), std::nullopt);
  Exchange();
  z_.HandleDisconnected(kNow);
  EXPECT_EQ(Read(), "begin:x aborted: ");
}

TEST_F(ChannelSetPiecesTest, WhatTheAssociationGaveUpIsForgottenAndReported) {  // RFC 3758 §4.1
  EXPECT_EQ(Send(Part::kBegin, "x"), std::nullopt);
  Exchange();
  EXPECT_EQ(Send(Part::kMiddle, "yy"), std::nullopt);
  EXPECT_EQ(Send(Part::kMiddle, "zz"), std::nullopt);
  ASSERT_TRUE(a_.PollTransmit(kNow, {}));  // refused by the association
  a_.HandleAbandoned(kNow, at_a_);
  EXPECT_EQ(a_.queued_bytes(at_a_), 0u);
  EXPECT_EQ(a_.total_queued_bytes(), 0u);
  EXPECT_EQ(Send(Part::kMiddle, "x"), SendError::kMessageAbandoned);
  EXPECT_EQ(Send(Part::kEnd, "x"), SendError::kMessageAbandoned);
  EXPECT_EQ(Send(Part::kWhole, "x"), std::nullopt);
}

TEST_F(ChannelSetPiecesTest, AMessageThatExpiresBeforeItLeavesIsForgottenInAllPieces) {  // RFC 8832 §5.1
  ChannelOptions options;
  options.max_lifetime = 100ms;
  Open(std::move(options));
  const auto send = [&](Timestamp at, Part part) { return a_.Send(at, at_a_, MessageKind::kBinary, {1, 2}, part); };
  ASSERT_TRUE(send(kNow, Part::kBegin));
  ASSERT_TRUE(send(kNow + 150ms, Part::kMiddle));
  EXPECT_EQ(a_.NextTransmitSize(kNow + 200ms), 0u);
  EXPECT_EQ(a_.total_queued_bytes(), 0u);
  EXPECT_EQ(send(kNow + 200ms, Part::kEnd).error(), SendError::kMessageAbandoned);
  ASSERT_TRUE(send(kNow + 200ms, Part::kBegin));
  ASSERT_TRUE(send(kNow + 200ms, Part::kEnd));
  ASSERT_TRUE(send(kNow + 200ms, Part::kWhole));
  // The first has expired, the second has ended in the queue: neither takes the third with it.
  EXPECT_EQ(a_.NextTransmitSize(kNow + 400ms), 0u);
  EXPECT_EQ(a_.stats().back().messages_expired, 3u);
  ASSERT_TRUE(send(kNow + 400ms, Part::kWhole));
  EXPECT_EQ(a_.NextTransmitSize(kNow + 400ms), 2u);
}

TEST_F(ChannelSetPiecesTest, UnorderedChannelsAreReadWhole) {
  ChannelOptions options;
  options.ordered = false;
  Open(std::move(options));
  z_.SetDelivery(at_z_, Delivery::kPieces);
  EXPECT_EQ(z_.delivery(at_z_), Delivery::kWhole);
}

TEST_F(ChannelSetPiecesTest, R4_DcepInPiecesClosesItsStream) {  // RFC 8832 §7
  z_.SetDelivery(at_z_, Delivery::kPieces);
  z_.HandleMessage(kNow, {*z_.stream(at_z_), kPpidDcep, {3}, Part::kBegin});
  EXPECT_EQ(z_.state(at_z_), ChannelState::kClosing);
  EXPECT_EQ(z_.metrics().dropped[static_cast<size_t>(DropReason::kBadDcep)], 1u);
}

TEST_F(ChannelSetPiecesTest, R4_BadPiecesCloseTheChannelAndAreConsumed) {
  z_.SetDelivery(at_z_, Delivery::kPieces);
  EXPECT_EQ(z_.TakeConsumedBytes(), 12u);
  z_.HandleMessage(kNow, {*z_.stream(at_z_), kPpidString, Octets("ab"), Part::kBegin});
  z_.HandleMessage(kNow, {*z_.stream(at_z_), kPpidString, Octets("\xFF"), Part::kMiddle});
  EXPECT_EQ(z_.state(at_z_), ChannelState::kClosing);
  z_.HandleMessage(kNow, {*z_.stream(at_z_), kPpidString, Octets("x"), Part::kEnd});
  EXPECT_EQ(Read(), "begin:ab aborted: ");
  EXPECT_EQ(z_.TakeConsumedBytes(), 4u);
}

class ChannelSetFewUnreadTest : public ChannelSetPiecesTest {
 protected:
  ChannelSetFewUnreadTest() : ChannelSetPiecesTest(Few()) {}
  static Options Few() {
    Options options;
    options.max_unread_messages = 100;
    return options;
  }
};

TEST_F(ChannelSetFewUnreadTest, C8_OnePieceAfterTheOtherWithoutAnEndIsBounded) {
  z_.SetDelivery(at_z_, Delivery::kPieces);
  const StreamId stream = *z_.stream(at_z_);
  z_.HandleMessage(kNow, {stream, kPpidBinary, {1}, Part::kBegin});
  for (int i = 0; i < 1000; ++i) z_.HandleMessage(kNow, {stream, kPpidBinary, {1}, Part::kMiddle});
  EXPECT_EQ(z_.state(at_z_), ChannelState::kClosing);
  size_t unread = 0;
  while (z_.PollMessage(at_z_)) ++unread;
  EXPECT_EQ(unread, 101u) << "and the mark";
  EXPECT_EQ(z_.TakeConsumedBytes(), 12u + 1001);
}

}  // namespace
}  // namespace jsp::datachannel
