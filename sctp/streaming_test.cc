// Messages in pieces: larger than every buffer on their way (RFC 9260 §6.9, RFC 8260 §1).
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "sctp/packet/chunk/i_data.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"

namespace jsp::sctp {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Side = AssociationPair::Side;

constexpr size_t kBuffer = 64 * 1024;

AssociationPair::Config Small() {
  AssociationPair::Config config;
  for (Options* options : {&config.a, &config.z}) {
    options->max_message_size = options->remote_max_message_size = 0;
    options->receive_window = options->max_receive_window = 2 * kBuffer;
    options->max_send_buffer = kBuffer;
  }
  config.z.delivery = Delivery::kPieces;
  return config;
}

uint8_t OctetAt(uint64_t offset) { return static_cast<uint8_t>(offset * 7 % 251); }

Message Piece(uint16_t stream, Part part, uint64_t offset, size_t size) {
  Message piece{StreamId(stream), Ppid(53), {}, part};
  std::vector<uint8_t> octets(size);
  for (size_t i = 0; i < size; ++i) octets[i] = OctetAt(offset + i);
  piece.payload = std::move(octets);
  return piece;
}

Message Whole(uint16_t stream, size_t size) { return Piece(stream, Part::kWhole, 0, size); }

// Sends one message of `size` octets in pieces, as room allows.
void Stream(AssociationPair& pair, uint16_t stream, uint64_t size, const SendOptions& options = {}) {
  constexpr size_t kPiece = 10'007;
  for (uint64_t sent = 0; sent < size;) {
    const auto next = static_cast<size_t>(std::min<uint64_t>(kPiece, size - sent));
    ASSERT_TRUE(pair.RunUntil([&] { return pair.a().send_buffer_room() >= next; }, minutes(5)));
    const Part part = sent == 0 ? Part::kBegin : sent + next == size ? Part::kEnd : Part::kMiddle;
    ASSERT_TRUE(pair.a().Send(pair.now(), Piece(stream, part, sent, next), options));
    sent += next;
  }
}

// What arrived on a stream, as one message: sizes and order of pieces do not matter, their parts and octets do.
struct Read {
  uint64_t octets = 0;
  size_t begun = 0;
  size_t ended = 0;
  size_t aborted = 0;
  bool is_right = true;
};
Read ReadStream(const AssociationPair& pair, uint16_t stream) {
  Read read;
  bool in_message = false;
  for (const auto& received : pair.received(Side::kZ)) {
    const Message& message = received.message;
    if (message.stream != StreamId(stream)) continue;
    if (Begins(message.part)) {
      read.is_right = read.is_right && !in_message;
      read.octets = 0;
      ++read.begun;
    } else {
      read.is_right = read.is_right && in_message;
    }
    for (const uint8_t octet : message.payload) read.is_right = read.is_right && octet == OctetAt(read.octets++);
    in_message = !Ends(message.part);
    if (message.part == Part::kAborted) ++read.aborted;
    if (message.part == Part::kEnd || message.part == Part::kWhole) ++read.ended;
  }
  return read;
}

TEST(StreamingTest, AMessageOfAnySizePassesThroughSmallBuffers) {  // RFC 9260 §6.9
  constexpr uint64_t kSize = 8 * 1024 * 1024 + 13;
  for (const double loss : {0.0, 0.02}) {
    auto config = Small();
    config.link.loss = loss;
    AssociationPair pair(config);
    ASSERT_TRUE(pair.Connect());
    Stream(pair, 0, kSize);
    ASSERT_TRUE(pair.RunUntil([&] { return pair.z().metrics().messages_received == 1; }, minutes(5)));
    const Read read = ReadStream(pair, 0);
    EXPECT_EQ(read.octets, kSize);
    EXPECT_EQ(read.begun, 1u);
    EXPECT_EQ(read.ended, 1u);
    EXPECT_TRUE(read.is_right);
    EXPECT_EQ(pair.a().metrics().messages_sent, 1u);
    EXPECT_EQ(pair.a().buffered_amount(StreamId(0)), 0u);
  }
}

TEST(StreamingTest, MessagesOfOtherStreamsPassBetweenThePieces) {  // RFC 8260 §1
  AssociationPair pair(Small());
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a().Send(pair.now(), Piece(0, Part::kBegin, 0, 20'000)));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(pair.a().Send(pair.now(), Whole(1, 100)));
  pair.Run(seconds(2));
  EXPECT_EQ(ReadStream(pair, 1).ended, 20u);
  EXPECT_EQ(ReadStream(pair, 0).octets, 20'000u);
  EXPECT_EQ(ReadStream(pair, 0).ended, 0u);
  // An hour later it goes on.
  pair.Run(minutes(60));
  ASSERT_TRUE(pair.a().Send(pair.now(), Piece(0, Part::kEnd, 20'000, 1)));
  pair.Run(seconds(2));
  EXPECT_EQ(ReadStream(pair, 0).ended, 1u);
}

TEST(StreamingTest, WithoutTheRequestMessagesAreWhole) {
  auto config = Small();
  config.z.delivery = Delivery::kWhole;
  AssociationPair pair(config);
  ASSERT_TRUE(pair.Connect());
  Stream(pair, 0, 50'000);
  pair.Run(seconds(5));
  ASSERT_EQ(pair.received(Side::kZ).size(), 1u);
  EXPECT_EQ(pair.received(Side::kZ).front().message.part, Part::kWhole);
  EXPECT_EQ(ReadStream(pair, 0).octets, 50'000u);
}

TEST(StreamingTest, ARequestThatComesLateGivesOutWhatIsHere) {
  auto config = Small();
  config.z.delivery = Delivery::kWhole;
  AssociationPair pair(config);
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a().Send(pair.now(), Piece(3, Part::kBegin, 0, 5000)));
  pair.Run(seconds(1));
  EXPECT_TRUE(pair.received(Side::kZ).empty());
  pair.z().SetDelivery(pair.now(), StreamId(3), Delivery::kPieces);
  pair.Run(milliseconds(1));
  EXPECT_EQ(ReadStream(pair, 3).octets, 5000u);
  // Taking it back does not put together what was begun in pieces.
  pair.z().SetDelivery(pair.now(), StreamId(3), Delivery::kWhole);
  ASSERT_TRUE(pair.a().Send(pair.now(), Piece(3, Part::kEnd, 5000, 5000)));
  pair.Run(seconds(1));
  EXPECT_EQ(ReadStream(pair, 3).octets, 10'000u);
  EXPECT_EQ(ReadStream(pair, 3).begun, 1u);
  EXPECT_TRUE(ReadStream(pair, 3).is_right);
}

TEST(StreamingTest, WholeMessagesOfDataChunksAreReadInPiecesToo) {  // RFC 9260 §6.9
  for (const double loss : {0.0, 0.05}) {
    auto config = Small();
    config.link.loss = loss;
    config.z.interleaving = false;
    config.a.max_send_buffer = 1 << 20;
    AssociationPair pair(config);
    ASSERT_TRUE(pair.Connect());
    // More than the window of 128 KiB: whole it could never arrive.
    ASSERT_TRUE(pair.a().Send(pair.now(), Whole(0, 700'000)));
    ASSERT_TRUE(pair.a().Send(pair.now(), Whole(1, 10)));
    ASSERT_TRUE(pair.RunUntil([&] { return pair.z().metrics().messages_received == 2; }, minutes(5)));
    EXPECT_EQ(ReadStream(pair, 0).octets, 700'000u);
    EXPECT_TRUE(ReadStream(pair, 0).is_right);
    EXPECT_GT(pair.received(Side::kZ).size(), 10u);
    EXPECT_EQ(ReadStream(pair, 1).ended, 1u);
  }
}

TEST(StreamingTest, WithoutInterleavingNothingIsSentInPieces) {  // RFC 8260 §1
  auto config = Small();
  config.z.interleaving = false;
  AssociationPair pair(config);
  EXPECT_EQ(pair.a().Send(pair.now(), Piece(0, Part::kBegin, 0, 10)).error(), SendError::kNoInterleaving);
  ASSERT_TRUE(pair.Connect());
  EXPECT_EQ(pair.a().Send(pair.now(), Piece(0, Part::kBegin, 0, 10)).error(), SendError::kNoInterleaving);
  EXPECT_TRUE(pair.a().Send(pair.now(), Whole(0, 10)));
}

TEST(StreamingTest, PiecesThatDoNotFitTogetherAreRefused) {
  auto config = Small();
  config.a.remote_max_message_size = 1000;
  AssociationPair pair(config);
  ASSERT_TRUE(pair.Connect());
  const auto send = [&](Part part, size_t size, const SendOptions& options = {}) {
    const auto sent = pair.a().Send(pair.now(), Piece(0, part, 0, size), options);
    return sent ? std::optional<SendError>() : sent.error();
  };
  EXPECT_EQ(send(Part::kMiddle, 10), SendError::kNoOpenMessage);
  EXPECT_EQ(send(Part::kEnd, 10), SendError::kNoOpenMessage);
  EXPECT_EQ(send(Part::kAborted, 0), SendError::kNoOpenMessage);
  EXPECT_EQ(send(Part::kBegin, 0), SendError::kEmptyMessage);
  EXPECT_EQ(send(Part::kBegin, 600), std::nullopt);
  EXPECT_EQ(send(Part::kBegin, 10), SendError::kMessageOpen);
  EXPECT_EQ(send(Part::kWhole, 10), SendError::kMessageOpen);
  EXPECT_EQ(send(Part::kMiddle, 0), SendError::kEmptyMessage);
  EXPECT_EQ(send(Part::kMiddle, 401), SendError::kMessageTooLarge);  // RFC 8841 §6.1: of the whole message
  EXPECT_EQ(send(Part::kEnd, 400), std::nullopt);
  EXPECT_EQ(send(Part::kEnd, 10), SendError::kNoOpenMessage);
  EXPECT_EQ(send(Part::kWhole, 1000), std::nullopt);
  pair.Run(seconds(1));
  EXPECT_EQ(ReadStream(pair, 0).ended, 2u);
}

TEST(StreamingTest, PiecesWaitForRoomInTheSendBuffer) {
  AssociationPair pair(Small());
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a().Send(pair.now(), Piece(0, Part::kBegin, 0, kBuffer)));
  EXPECT_EQ(pair.a().Send(pair.now(), Piece(0, Part::kMiddle, 0, 1)).error(), SendError::kQueueFull);
  EXPECT_EQ(pair.a().buffered_amount(StreamId(0)), kBuffer);
  pair.Run(seconds(5));
  EXPECT_EQ(pair.a().buffered_amount(StreamId(0)), 0u);
  EXPECT_EQ(pair.a().send_buffer_room(), kBuffer);  // what is acknowledged is not kept for the message's end
  EXPECT_TRUE(pair.a().Send(pair.now(), Piece(0, Part::kEnd, kBuffer, 1)));
}

TEST(StreamingTest, AnAbandonedMessageEndsWithAMarkAndTheNextOneFollows) {  // RFC 3758 §3.5 A3
  // Cut off while much is queued, when everything sent is acknowledged, and before anything was sent.
  for (const Duration wait : {Duration(milliseconds(45)), Duration(seconds(3)), Duration::zero()}) {
    AssociationPair pair(Small());
    ASSERT_TRUE(pair.Connect());
    ASSERT_TRUE(pair.a().Send(pair.now(), Piece(0, Part::kBegin, 0, 60'000)));
    if (wait > Duration::zero()) pair.Run(wait);
    ASSERT_TRUE(pair.a().Send(pair.now(), Piece(0, Part::kAborted, 0, 0)));
    EXPECT_EQ(pair.a().buffered_amount(StreamId(0)), 0u);
    EXPECT_EQ(pair.a().abandoned(StreamId(0)).total(), 1u);
    EXPECT_EQ(pair.a().Send(pair.now(), Piece(0, Part::kEnd, 0, 1)).error(), SendError::kNoOpenMessage);
    ASSERT_TRUE(pair.a().Send(pair.now(), Whole(0, 3000)));
    ASSERT_TRUE(pair.RunUntil([&] { return pair.z().metrics().messages_received == 1; }, seconds(10)));
    pair.Run(seconds(2));
    const Read read = ReadStream(pair, 0);
    EXPECT_TRUE(read.is_right);
    EXPECT_EQ(read.aborted, wait > Duration::zero() ? 1u : 0u);
    EXPECT_EQ(pair.z().metrics().messages_aborted, read.aborted);
    EXPECT_EQ(read.octets, 3000u);
    EXPECT_EQ(pair.a().send_buffer_room(), kBuffer);
  }
}

TEST(StreamingTest, AMessageOfManyPiecesIsAbandonedInAllOfThem) {  // RFC 3758 §3.5 A3
  auto config = Small();
  config.link.bits_per_s = 4e6;
  AssociationPair pair(config);
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a().Send(pair.now(), Piece(0, Part::kBegin, 0, 500)));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(pair.a().Send(pair.now(), Piece(0, Part::kMiddle, 500 + 500 * static_cast<uint64_t>(i), 500)));
  }
  pair.Run(milliseconds(60));
  ASSERT_TRUE(pair.a().Send(pair.now(), Piece(0, Part::kAborted, 0, 0)));
  pair.Run(seconds(5));
  EXPECT_EQ(ReadStream(pair, 0).aborted, 1u);
  EXPECT_TRUE(ReadStream(pair, 0).is_right);
  EXPECT_EQ(pair.a().send_buffer_room(), kBuffer);
  EXPECT_EQ(pair.a().metrics().messages_abandoned, 1u);
}

TEST(StreamingTest, TheLifetimeOfAnOpenMessageCountsFromItsBeginning) {  // RFC 3758 §4.1
  AssociationPair pair(Small());
  ASSERT_TRUE(pair.Connect());
  SendOptions options;
  options.lifetime = seconds(2);
  ASSERT_TRUE(pair.a().Send(pair.now(), Piece(0, Part::kBegin, 0, 5000), options));
  pair.Run(seconds(1));
  ASSERT_TRUE(pair.a().Send(pair.now(), Piece(0, Part::kMiddle, 5000, 5000)));
  pair.Run(seconds(2));
  EXPECT_EQ(ReadStream(pair, 0).octets, 10'000u);
  ASSERT_TRUE(pair.a().Send(pair.now(), Piece(0, Part::kMiddle, 10'000, 5000)));
  pair.Run(seconds(1));
  EXPECT_EQ(ReadStream(pair, 0).aborted, 1u);
  EXPECT_EQ(pair.a().Send(pair.now(), Piece(0, Part::kMiddle, 0, 1)).error(), SendError::kMessageAbandoned);
  EXPECT_EQ(pair.a().Send(pair.now(), Piece(0, Part::kEnd, 0, 1)).error(), SendError::kMessageAbandoned);
  EXPECT_EQ(pair.a().abandoned(StreamId(0)).total(), 1u);
  EXPECT_TRUE(pair.a().Send(pair.now(), Whole(0, 10), options));
  pair.Run(seconds(1));
  EXPECT_EQ(ReadStream(pair, 0).ended, 1u);
}

TEST(StreamingTest, AResetInTheMiddleEndsTheMessageWithAMark) {  // RFC 6525 §5.2.2, RFC 8260 §2.3.2
  AssociationPair pair(Small());
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a().Send(pair.now(), Piece(4, Part::kBegin, 0, 5000)));
  const StreamId stream(4);
  ASSERT_TRUE(pair.a().ResetStreams(pair.now(), {&stream, 1}));
  EXPECT_EQ(pair.a().Send(pair.now(), Piece(4, Part::kEnd, 5000, 1)).error(), SendError::kUnknownStream);
  pair.Run(seconds(5));
  EXPECT_EQ(pair.CountEvents<event::OutgoingStreamsReset>(Side::kA), 1u);
  EXPECT_EQ(pair.CountEvents<event::IncomingStreamsReset>(Side::kZ), 1u);
  EXPECT_EQ(ReadStream(pair, 4).octets, 5000u);
  EXPECT_EQ(ReadStream(pair, 4).aborted, 1u);
  // The next user of the stream starts anew.
  ASSERT_TRUE(pair.a().Send(pair.now(), Whole(4, 5000)));
  pair.Run(seconds(5));
  EXPECT_EQ(ReadStream(pair, 4).ended, 1u);
}

TEST(StreamingTest, OthersGiveWayToAPieceThatGivesWayToNothing) {  // RFC 7496 §3.2
  AssociationPair pair(Small());
  ASSERT_TRUE(pair.Connect());
  const auto send = [&](Message message, const SendOptions& options = {}) {
    return pair.a().Send(pair.now(), std::move(message), options);
  };
  SendOptions yielding;
  yielding.buffer_priority = 5;
  SendOptions replaceable;
  replaceable.replaceable = true;
  EXPECT_EQ(send(Piece(0, Part::kBegin, 0, 1000), yielding).error(), SendError::kBadOptions);
  EXPECT_EQ(send(Piece(0, Part::kBegin, 0, 1000), replaceable).error(), SendError::kBadOptions);
  ASSERT_TRUE(send(Piece(0, Part::kBegin, 0, 1000)));
  while (pair.a().send_buffer_room() >= 1000) ASSERT_TRUE(send(Whole(1, 1000), yielding));
  // Nothing is displaced for what is refused.
  EXPECT_EQ(send(Piece(0, Part::kBegin, 0, 1000)).error(), SendError::kMessageOpen);
  EXPECT_EQ(send(Piece(2, Part::kMiddle, 0, 1000)).error(), SendError::kNoOpenMessage);
  EXPECT_EQ(send(Piece(0, Part::kMiddle, 1000, 1000), yielding).error(), SendError::kBadOptions);
  EXPECT_EQ(pair.a().metrics().messages_abandoned, 0u);
  ASSERT_TRUE(send(Piece(0, Part::kEnd, 1000, 1000)));
  EXPECT_EQ(pair.a().abandoned(StreamId(1))[AbandonPolicy::kPriority].unsent, 1u);
  EXPECT_EQ(pair.a().metrics().messages_abandoned, 1u);
  pair.Run(seconds(5));
  EXPECT_EQ(ReadStream(pair, 0).octets, 2000u);
  EXPECT_EQ(ReadStream(pair, 0).ended, 1u);
}

TEST(StreamingTest, R6_WhoDoesNotReadHoldsTheSender) {
  auto config = Small();
  config.consume = 0;
  AssociationPair pair(config);
  ASSERT_TRUE(pair.Connect());
  uint64_t sent = 0;
  for (int i = 0; i < 2000; ++i) {
    const Part part = sent == 0 ? Part::kBegin : Part::kMiddle;
    if (pair.a().Send(pair.now(), Piece(0, part, sent, 4096))) sent += 4096;
    pair.Run(milliseconds(20));
  }
  const Read read = ReadStream(pair, 0);
  EXPECT_LE(read.octets, 2 * kBuffer);
  EXPECT_LE(sent, 3 * kBuffer + 4096);
  pair.z().HandleConsumed(pair.now(), read.octets);
  pair.Run(seconds(30));
  EXPECT_GT(ReadStream(pair, 0).octets, read.octets);
}

TEST(StreamingTest, AShutdownDoesNotWaitForAnEndThatNobodySends) {  // RFC 9260 §9.2
  AssociationPair pair(Small());
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.a().Send(pair.now(), Piece(0, Part::kBegin, 0, 5000)));
  pair.a().Shutdown(pair.now());
  EXPECT_EQ(pair.a().Send(pair.now(), Piece(0, Part::kEnd, 5000, 1)).error(), SendError::kShuttingDown);
  pair.Run(seconds(5));
  EXPECT_EQ(ReadStream(pair, 0).octets, 5000u);
  EXPECT_EQ(pair.CountEvents<event::Closed>(Side::kA), 1u);
  EXPECT_EQ(pair.CountEvents<event::Closed>(Side::kZ), 1u);
}

enum class Reader : uint8_t { kConsumes, kForgets };

// A beginning and then one octet after the other, without an end, as long as the association lets it.
struct Endless : ScriptedPeer {
  static Config With(Framing framing, size_t max_message_size) {
    Config config;
    config.options.receive_window = config.options.max_receive_window = 100'000;
    config.options.max_message_size = max_message_size;
    config.options.delivery = Delivery::kPieces;
    config.options.interleaving = framing == Framing::kIData;
    // RE-CONFIG, FORWARD TSN, I-DATA, I-FORWARD-TSN.
    config.parameters = {0xc0, 0, 0, 4, 0x80, 0x08, 0, 8, 130, 192, 64, 194};
    return config;
  }
  Endless(Framing with, size_t max_message_size) : ScriptedPeer(With(with, max_message_size)), framing(with) {
    EstablishAsServer();
  }
  // Octets that were handed up of so many sent, and in the reader's hands at most.
  size_t Run(int count, Reader reader) {
    const std::vector<uint8_t> one{1};
    size_t received = 0;
    for (int i = 0; i < count && core.state() == State::kEstablished; ++i) {
      DataChunk data = NextData(0, 0, one);
      data.fsn = static_cast<uint32_t>(i);
      data.beginning = i == 0;
      data.end = false;
      if (framing == Framing::kIData) {
        Deliver(IDataChunk{data});
      } else {
        Deliver(data);
      }
      while (auto event = core.PollEvent()) {
        const auto* piece = std::get_if<event::MessageReceived>(&*event);
        if (piece == nullptr) continue;
        received += piece->message.payload.size();
        if (reader == Reader::kConsumes) core.HandleConsumed(now, piece->message.payload.size());
      }
    }
    return received;
  }

  Framing framing;
};

TEST(StreamingTest, C8_ABeginningWithoutAnEndIsBoundedByTheWindow) {  // RFC 9260 §6.2
  for (const Framing framing : {Framing::kData, Framing::kIData}) {
    Endless unread(framing, 0);
    EXPECT_LE(unread.Run(150'000, Reader::kForgets), 100'000u);
    EXPECT_GT(unread.dropped(DropReason::kReceiveWindowFull), 40'000u);
    // Who reads may read for ever.
    Endless read(framing, 0);
    EXPECT_EQ(read.Run(150'000, Reader::kConsumes), 150'000u);
    EXPECT_EQ(read.dropped(DropReason::kReceiveWindowFull), 0u);
  }
}

TEST(StreamingTest, C8_ABeginningWithoutAnEndIsBoundedByOurLimit) {  // RFC 8841 §6.1
  for (const Framing framing : {Framing::kData, Framing::kIData}) {
    Endless peer(framing, 5000);
    EXPECT_EQ(peer.Run(10'000, Reader::kConsumes), 5000u);
    EXPECT_EQ(peer.core.state(), State::kClosed);
  }
}

TEST(StreamingTest, C6_PiecesThatNobodyPollsPayForTheirBookkeeping) {  // RFC 9260 §6.2
  for (const Framing framing : {Framing::kData, Framing::kIData}) {
    Endless peer(framing, 0);
    const std::vector<uint8_t> one{1};
    for (int i = 0; i < 20'000; ++i) {
      DataChunk data = peer.NextData(0, 0, one);
      data.fsn = static_cast<uint32_t>(i);
      data.beginning = i == 0;
      data.end = false;
      if (framing == Framing::kIData) {
        peer.Deliver(IDataChunk{data});
      } else {
        peer.Deliver(data);
      }
    }
    EXPECT_LT(peer.core.metrics().bytes_received, 1000u);
  }
}

}  // namespace
}  // namespace jsp::sctp
