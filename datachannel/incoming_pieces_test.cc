#include "datachannel/incoming_pieces.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "datachannel/ppid.h"
namespace jsp::datachannel {
namespace {

using sctp::Delivery;
using sctp::Part;

constexpr sctp::StreamId kStream{6};
constexpr size_t kLimit = 100;

std::vector<uint8_t> Octets(std::string_view text) { return {text.begin(), text.end()}; }

// What came of one user message, as text: the piece with its part and kind, what went wrong, or "" when it was kept.
class IncomingPiecesTest : public testing::Test {
 protected:
  std::string Add(sctp::Ppid ppid, std::string_view text, Part part = Part::kWhole) {
    auto added = pieces_.Add({kStream, ppid, Octets(text), part}, kLimit);
    dropped_ += pieces_.TakeDropped();
    if (!added) {
      pieces_.Abort();
      dropped_ += pieces_.TakeDropped();
      constexpr const char* kNames[] = {"unknown", "utf8", "large", "order"};
      return kNames[static_cast<size_t>(added.error())];
    }
    if (!*added) return "";
    DecodedPiece& piece = **added;
    octets_ += piece.octets;
    constexpr const char* kParts[] = {"whole", "begin", "middle", "end", "aborted"};
    return std::string(kParts[static_cast<size_t>(piece.part)]) + (piece.kind == MessageKind::kString ? " s " : " b ") +
           std::string(piece.payload.begin(), piece.payload.end());
  }

  IncomingPieces pieces_{PpidFragments::kAccepted};
  size_t octets_ = 0;
  size_t dropped_ = 0;
};

TEST_F(IncomingPiecesTest, WholeMessagesPassWithoutACopy) {
  std::vector<uint8_t> payload(100'000, 'x');
  const uint8_t* data = payload.data();
  auto piece = pieces_.Add({kStream, kPpidBinary, std::move(payload)}, 0);
  ASSERT_TRUE(piece && *piece);
  EXPECT_EQ((*piece)->payload.data(), data);
  EXPECT_EQ((*piece)->octets, 100'000u);
  EXPECT_EQ(Add(kPpidString, "hi"), "whole s hi");
}

TEST_F(IncomingPiecesTest, R4_IgnoresThePayloadUnderAnEmptyIdentifier) {  // RFC 8831 §6.6
  for (sctp::Ppid ppid : {kPpidStringEmpty, kPpidBinaryEmpty}) {
    auto piece = pieces_.Add({kStream, ppid, Octets("five!")}, kLimit);
    ASSERT_TRUE(piece && *piece);
    EXPECT_TRUE((*piece)->payload.empty());
    EXPECT_TRUE((*piece)->ignored_payload);
    EXPECT_EQ((*piece)->octets, 5u);
    EXPECT_FALSE((*pieces_.Add({kStream, ppid, {0}}, kLimit))->ignored_payload);
  }
}

TEST_F(IncomingPiecesTest, R4_RejectsUnknownIdentifiersAndBadText) {  // RFC 8831 §6.6
  for (uint32_t ppid : {0u, 49u, 55u, 58u, 99u, 0xFFFFFFFFu}) EXPECT_EQ(Add(sctp::Ppid(ppid), "x"), "unknown") << ppid;
  EXPECT_EQ(Add(kPpidString, "\xFF"), "utf8");
  EXPECT_EQ(Add(kPpidBinary, "\xFF"), "whole b \xFF");
}

TEST_F(IncomingPiecesTest, DeprecatedFragmentsAreJoined) {  // RFC 8831 §6.6, RFC 8831 §8
  EXPECT_EQ(Add(kPpidBinaryPartial, "ab"), "");
  EXPECT_EQ(Add(kPpidBinaryPartial, "cd"), "");
  EXPECT_EQ(Add(kPpidBinary, "e"), "whole b abcde");
  EXPECT_EQ(Add(kPpidStringPartial, "\xC3"), "");
  EXPECT_EQ(Add(kPpidString, "\xA9"), "whole s \xC3\xA9");
  EXPECT_EQ(octets_, 7u) << "all of them count against the window until they are read";
  EXPECT_EQ(dropped_, 0u);
}

TEST_F(IncomingPiecesTest, DeprecatedFragmentsAreGivenOutAsPiecesOnRequest) {
  pieces_.SetDelivery(Delivery::kPieces);
  EXPECT_EQ(Add(kPpidStringPartial, "a\xC3"), "begin s a\xC3");
  EXPECT_EQ(Add(kPpidStringPartial, "\xA9"), "middle s \xA9");
  EXPECT_EQ(Add(kPpidString, "z"), "end s z");
  EXPECT_EQ(Add(kPpidString, "z"), "whole s z");
}

TEST_F(IncomingPiecesTest, FragmentsBelongToReliableAndOrderedChannels) {  // RFC 8831 §6.6
  pieces_ = IncomingPieces(PpidFragments::kRefused);
  EXPECT_EQ(Add(kPpidBinaryPartial, "x"), "unknown");
  EXPECT_EQ(Add(kPpidStringPartial, "x"), "unknown");
  EXPECT_EQ(Add(kPpidBinary, "x"), "whole b x");
}

TEST_F(IncomingPiecesTest, R5_JoinedFragmentsEndAtOurMaxMessageSize) {  // RFC 8841 §6.1
  EXPECT_EQ(Add(kPpidBinaryPartial, std::string(60, 'x')), "");
  EXPECT_EQ(Add(kPpidBinaryPartial, std::string(40, 'x')), "");
  EXPECT_EQ(Add(kPpidBinaryPartial, "x"), "large");
  EXPECT_EQ(dropped_, 100u);
  // Without a limit there is one for what is joined, and none for what is given out.
  const std::vector<uint8_t> half(IncomingPieces::kMaxJoined / 2);
  ASSERT_TRUE(pieces_.Add({kStream, kPpidBinaryPartial, half}, 0));
  ASSERT_TRUE(pieces_.Add({kStream, kPpidBinaryPartial, half}, 0));
  EXPECT_EQ(pieces_.Add({kStream, kPpidBinaryPartial, {1}}, 0).error(), PieceError::kTooLarge);
  pieces_.Abort();
  pieces_.SetDelivery(Delivery::kPieces);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(pieces_.Add({kStream, kPpidBinaryPartial, half}, 0));
}

TEST_F(IncomingPiecesTest, R4_FragmentsOfAnotherKindAreAnError) {
  EXPECT_EQ(Add(kPpidBinaryPartial, "ab"), "");
  EXPECT_EQ(Add(kPpidString, "c"), "order");
  EXPECT_EQ(dropped_, 2u);
  EXPECT_EQ(Add(kPpidStringPartial, "ab"), "");
  EXPECT_EQ(Add(kPpidStringEmpty, "\0"), "order");
  EXPECT_EQ(Add(kPpidBinary, "x", Part::kMiddle), "order");
  EXPECT_EQ(Add(kPpidBinary, "x", Part::kEnd), "order");
}

TEST_F(IncomingPiecesTest, R4_BadTextIsFoundInTheMiddleAndAtTheEnd) {
  EXPECT_EQ(Add(kPpidStringPartial, "a"), "");
  EXPECT_EQ(Add(kPpidStringPartial, "\xC3("), "utf8");
  EXPECT_EQ(dropped_, 1u);
  EXPECT_EQ(Add(kPpidStringPartial, "a"), "");
  EXPECT_EQ(Add(kPpidString, "\xC3"), "utf8");
  pieces_.SetDelivery(Delivery::kPieces);
  EXPECT_EQ(Add(kPpidString, "\xC3", Part::kBegin), "begin s \xC3");
  EXPECT_EQ(Add(kPpidString, "(", Part::kMiddle), "utf8");
}

TEST_F(IncomingPiecesTest, PiecesOfTheAssociationPassOn) {
  pieces_.SetDelivery(Delivery::kPieces);
  EXPECT_EQ(Add(kPpidBinary, "a", Part::kBegin), "begin b a");
  EXPECT_EQ(Add(kPpidBinary, "b", Part::kMiddle), "middle b b");
  EXPECT_EQ(Add(kPpidBinary, "c", Part::kEnd), "end b c");
  EXPECT_EQ(Add(kPpidBinary, "d", Part::kBegin), "begin b d");
  EXPECT_EQ(Add({}, "", Part::kAborted), "aborted b ");
  EXPECT_EQ(Add({}, "", Part::kAborted), "") << "nothing had begun";
  EXPECT_EQ(Add(kPpidBinary, "e"), "whole b e");
}

TEST_F(IncomingPiecesTest, AMessageThatIsSplitTwiceIsOneMessage) {
  pieces_.SetDelivery(Delivery::kPieces);
  EXPECT_EQ(Add(kPpidBinaryPartial, "a", Part::kBegin), "begin b a");
  EXPECT_EQ(Add(kPpidBinaryPartial, "b", Part::kEnd), "middle b b");
  EXPECT_EQ(Add(kPpidBinary, "c", Part::kBegin), "middle b c");
  EXPECT_EQ(Add(kPpidBinary, "d", Part::kEnd), "end b d");
}

TEST_F(IncomingPiecesTest, TheWayOfDeliveryMayChangeInTheMiddle) {
  EXPECT_EQ(Add(kPpidBinaryPartial, "a"), "");
  pieces_.SetDelivery(Delivery::kPieces);
  EXPECT_EQ(Add(kPpidBinaryPartial, "b"), "begin b ab");
  pieces_.SetDelivery(Delivery::kWhole);
  EXPECT_EQ(Add(kPpidBinaryPartial, "c"), "middle b c");
  EXPECT_EQ(Add(kPpidBinary, "d"), "end b d");
  EXPECT_EQ(Add(kPpidBinaryPartial, "e"), "");
  EXPECT_EQ(Add({}, "", Part::kAborted), "") << "the reader had nothing of it";
  EXPECT_EQ(dropped_, 1u);
}

}  // namespace
}  // namespace jsp::datachannel
