#include "transport/demux.h"

#include <gtest/gtest.h>

#include <array>
#include <utility>

namespace jsp::transport {
namespace {

PacketKind KindOf(unsigned first) {
  const std::array datagram{static_cast<uint8_t>(first), uint8_t{0}};
  return ClassifyPacket(datagram);
}

TEST(DemuxTest, D20_DropsAnEmptyDatagram) { EXPECT_EQ(ClassifyPacket({}), PacketKind::kUnknown); }

TEST(DemuxTest, D20_PutsTheEdgesOfEveryRangeIntoTheRightBin) {  // RFC 7983 §7
  const std::pair<unsigned, PacketKind> edges[] = {
      {0, PacketKind::kStun},         {3, PacketKind::kStun},     {4, PacketKind::kUnknown},
      {15, PacketKind::kUnknown},     {16, PacketKind::kZrtp},    {19, PacketKind::kZrtp},
      {20, PacketKind::kDtls},        {63, PacketKind::kDtls},    {64, PacketKind::kTurnChannel},
      {79, PacketKind::kTurnChannel}, {80, PacketKind::kUnknown}, {127, PacketKind::kUnknown},
      {128, PacketKind::kRtp},        {191, PacketKind::kRtp},    {192, PacketKind::kUnknown},
      {255, PacketKind::kUnknown},
  };
  for (const auto& [first, kind] : edges) EXPECT_EQ(KindOf(first), kind) << first;
}

TEST(DemuxTest, GivesEveryFirstOctetExactlyTheSharesOfTheFigure) {  // RFC 7983 §7, figure 3
  std::array<int, 6> counts{};
  for (unsigned first = 0; first < 256; ++first) ++counts[static_cast<size_t>(KindOf(first))];
  EXPECT_EQ(counts[static_cast<size_t>(PacketKind::kStun)], 4);
  EXPECT_EQ(counts[static_cast<size_t>(PacketKind::kZrtp)], 4);
  EXPECT_EQ(counts[static_cast<size_t>(PacketKind::kDtls)], 44);
  EXPECT_EQ(counts[static_cast<size_t>(PacketKind::kTurnChannel)], 16);
  EXPECT_EQ(counts[static_cast<size_t>(PacketKind::kRtp)], 64);
  EXPECT_EQ(counts[static_cast<size_t>(PacketKind::kUnknown)], 124);
}

}  // namespace
}  // namespace jsp::transport
