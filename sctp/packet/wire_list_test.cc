#include "sctp/packet/wire_list.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "sctp/packet/chunk/sack.h"
#include "sctp/packet/wire_test_support.h"
#include "sctp/types.h"
namespace jsp::sctp {
namespace {

template <class T>
std::vector<uint8_t> ListOctets(const WireList<T>& list) {
  std::vector<uint8_t> buffer(list.size() * WireList<T>::ItemSize());
  ByteWriter writer(buffer);
  list.Write(writer);
  EXPECT_TRUE(writer.ok());
  EXPECT_EQ(writer.remaining(), 0u);
  return buffer;
}

TEST(WireListTest, ReadsScalarsOffTheWireByIndex) {
  const auto octets = Hex("00000001 fffffffe 7fffffff");
  const auto list = WireList<Tsn>::FromWire(octets);
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0], Tsn(1));
  EXPECT_EQ(list[1], Tsn(0xfffffffe));
  EXPECT_EQ(list[2], Tsn(0x7fffffff));
}

TEST(WireListTest, ReadsStructsOffTheWireByIndex) {
  const auto octets = Hex("0002 0003 0005 0005");
  const auto list = WireList<GapAckBlock>::FromWire(octets);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0], (GapAckBlock{2, 3}));
  EXPECT_EQ(list[1], (GapAckBlock{5, 5}));
}

TEST(WireListTest, OctetsThatMakeNoItemAreNotInTheList) {
  EXPECT_EQ(WireList<StreamId>::FromWire(Hex("0001 00")).size(), 1u);
  EXPECT_TRUE(WireList<StreamId>::FromWire(Hex("00")).empty());
}

TEST(WireListTest, OwnArrayAndItsOctetsAreTheSameList) {
  const std::array<GapAckBlock, 3> items{{{1, 2}, {4, 65535}, {7, 7}}};
  const WireList<GapAckBlock> own{items};
  const auto octets = ListOctets(own);
  EXPECT_EQ(octets, Hex("0001 0002 0004 ffff 0007 0007"));
  const auto wire = WireList<GapAckBlock>::FromWire(octets);
  ASSERT_EQ(wire.size(), own.size());
  for (size_t i = 0; i < own.size(); ++i) EXPECT_EQ(wire[i], own[i]);
  EXPECT_EQ(ListOctets(wire), octets);
}

TEST(WireListTest, IteratesFrontToBack) {
  const std::array<StreamId, 3> items{StreamId(9), StreamId(0), StreamId(65535)};
  std::vector<StreamId> seen;
  for (StreamId id : WireList<StreamId>(items)) seen.push_back(id);
  EXPECT_EQ(seen, std::vector<StreamId>(items.begin(), items.end()));
}

TEST(WireListTest, DefaultIsEmpty) {
  const WireList<Tsn> list;
  EXPECT_TRUE(list.empty());
  EXPECT_TRUE(list.begin() == list.end());
  EXPECT_TRUE(ListOctets(list).empty());
}

}  // namespace
}  // namespace jsp::sctp
