#include "turn/attributes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "base/rng.h"
namespace jsp::turn {
namespace {

template <class T>
std::string Hex(const T& attribute) {
  std::array<uint8_t, T::kMaxSize> out;
  out.fill(0xee);
  return crypto::Hex(attribute.Write(out));
}

template <class T>
void ExpectOnlySize(size_t size) {
  const std::vector<uint8_t> octets(T::kMaxSize + 8, 0);
  for (size_t n = 0; n <= octets.size(); ++n) {
    EXPECT_EQ(T::Parse(std::span(octets).first(n)).has_value(), n == size) << n;
  }
}

template <class T>
void ExpectRoundTrip(const T& attribute) {
  std::array<uint8_t, T::kMaxSize> out;
  EXPECT_EQ(T::Parse(attribute.Write(out)), attribute);
}

TEST(TurnAttributesTest, WritesChannelNumber) {  // RFC 8656 §18.1
  EXPECT_EQ(Hex(ChannelNumber{0x4001}), "40010000");
  ExpectRoundTrip(ChannelNumber{0x4fff});
  ExpectOnlySize<ChannelNumber>(4);
}

TEST(TurnAttributesTest, OnlyTheChannelsOfRfc8656AreUsable) {  // RFC 8656 §12
  EXPECT_FALSE(ChannelNumber{0x3fff}.IsUsable());
  EXPECT_TRUE(ChannelNumber{0x4000}.IsUsable());
  EXPECT_TRUE(ChannelNumber{0x4fff}.IsUsable());
  EXPECT_FALSE(ChannelNumber{0x5000}.IsUsable());
  EXPECT_FALSE(ChannelNumber{0x7fff}.IsUsable());
  EXPECT_EQ(kFirstChannel.value + kChannelCount - 1, 0x4fffu);
}

TEST(TurnAttributesTest, ReservedBitsAreZeroWhenSentAndIgnoredWhenRead) {  // RFC 8656 §18.1, §18.6, §18.7, §18.8
  EXPECT_EQ(ChannelNumber::Parse(std::array<uint8_t, 4>{0x40, 0x02, 0xff, 0xff}), ChannelNumber{0x4002});
  EXPECT_EQ(RequestedTransport::Parse(std::array<uint8_t, 4>{17, 0xff, 0xff, 0xff}), RequestedTransport{});
  EXPECT_EQ(RequestedAddressFamily::Parse(std::array<uint8_t, 4>{2, 1, 2, 3}),
            RequestedAddressFamily{AddressFamily::kV6});
  EXPECT_EQ(EvenPort::Parse(std::array<uint8_t, 1>{0x7f}), EvenPort{});
  EXPECT_EQ(EvenPort::Parse(std::array<uint8_t, 1>{0xff}), EvenPort{true});
  EXPECT_EQ(Icmp::Parse(std::array<uint8_t, 8>{0xff, 0xff, 3, 1, 0, 0, 0, 0}), (Icmp{3, 1, 0}));
  EXPECT_EQ(Hex(RequestedTransport{}), "11000000");
}

TEST(TurnAttributesTest, WritesLifetime) {  // RFC 8656 §18.2
  EXPECT_EQ(Hex(Lifetime{600}), "00000258");
  ExpectRoundTrip(Lifetime{0xffffffff});
  ExpectOnlySize<Lifetime>(4);
}

TEST(TurnAttributesTest, WritesTheFamilies) {  // RFC 8656 §18.6, §18.11
  EXPECT_EQ(Hex(RequestedAddressFamily{AddressFamily::kV4}), "01000000");
  EXPECT_EQ(Hex(AdditionalAddressFamily{}), "02000000");
  ExpectRoundTrip(RequestedAddressFamily{AddressFamily::kV6});
  ExpectRoundTrip(AdditionalAddressFamily{AddressFamily::kV4});
  ExpectOnlySize<RequestedAddressFamily>(4);
  ExpectOnlySize<AdditionalAddressFamily>(4);
}

TEST(TurnAttributesTest, AnUnknownFamilyIsKept) {  // RFC 8656 §7.2: whoever reads it answers 440
  EXPECT_EQ(static_cast<int>(RequestedAddressFamily::Parse(std::array<uint8_t, 4>{9, 0, 0, 0})->family), 9);
  EXPECT_EQ(static_cast<int>(RequestedTransport::Parse(std::array<uint8_t, 4>{132, 0, 0, 0})->protocol), 132);
}

TEST(TurnAttributesTest, FamiliesOfAddresses) {
  EXPECT_EQ(FamilyOf(*IpAddress::Parse("192.0.2.1")), AddressFamily::kV4);
  EXPECT_EQ(FamilyOf(*IpAddress::Parse("2001:db8::1")), AddressFamily::kV6);
  EXPECT_EQ(FamilyOf(*IpAddress::Parse("::ffff:192.0.2.1")), AddressFamily::kV4);
}

TEST(TurnAttributesTest, WritesEvenPortAndDontFragment) {  // RFC 8656 §18.7, §18.9
  EXPECT_EQ(Hex(EvenPort{false}), "00");
  EXPECT_EQ(Hex(EvenPort{true}), "80");
  EXPECT_EQ(Hex(DontFragment{}), "");
  ExpectOnlySize<EvenPort>(1);
  ExpectOnlySize<DontFragment>(0);
}

TEST(TurnAttributesTest, WritesTheTransport) {  // RFC 8656 §18.8, RFC 6062 §4.1
  EXPECT_EQ(Hex(RequestedTransport{RelayProtocol::kUdp}), "11000000");
  EXPECT_EQ(Hex(RequestedTransport{RelayProtocol::kTcp}), "06000000");
  ExpectRoundTrip(RequestedTransport{RelayProtocol::kTcp});
  ExpectOnlySize<RequestedTransport>(4);
}

TEST(TurnAttributesTest, WritesTheToken) {  // RFC 8656 §18.10
  const ReservationToken token{{1, 2, 3, 4, 5, 6, 7, 8}};
  EXPECT_EQ(Hex(token), "0102030405060708");
  ExpectRoundTrip(token);
  ExpectOnlySize<ReservationToken>(8);
}

TEST(TurnAttributesTest, WritesAddressErrorCode) {  // RFC 8656 §18.12
  EXPECT_EQ(Hex(AddressErrorCode{AddressFamily::kV6, 440, ""}), "02000428");
  EXPECT_EQ(Hex(AddressErrorCode{AddressFamily::kV4, 508, "no"}), "010005086e6f");
  ExpectRoundTrip(AddressErrorCode{AddressFamily::kV6, 508, "Insufficient Capacity"});
}

TEST(TurnAttributesTest, AddressErrorCodeIgnoresItsReservedBits) {  // RFC 8656 §18.12
  const std::array<uint8_t, 4> value{2, 0xff, 0xfc, 40};
  EXPECT_EQ(AddressErrorCode::Parse(value), (AddressErrorCode{AddressFamily::kV6, 440, ""}));
}

TEST(TurnAttributesTest, AddressErrorCodeRejectsWhatIsNoError) {  // RFC 8656 §18.12, RFC 8489 §14.8
  const std::array<uint8_t, 4> good{1, 0, 4, 40};
  for (size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(AddressErrorCode::Parse(std::span(good).first(n))) << n;
  EXPECT_FALSE(AddressErrorCode::Parse(std::array<uint8_t, 4>{1, 0, 2, 40}));
  EXPECT_FALSE(AddressErrorCode::Parse(std::array<uint8_t, 4>{1, 0, 4, 100}));
}

TEST(TurnAttributesTest, AnOverlongReasonIsLeftOut) {  // RFC 8656 §18.12: fewer than 128 characters
  const std::string reason(128, 'x');
  EXPECT_EQ(Hex(AddressErrorCode{AddressFamily::kV4, 508, reason}), "01000508");
  const std::string longest(127, 'x');
  ExpectRoundTrip(AddressErrorCode{AddressFamily::kV4, 508, longest});
}

TEST(TurnAttributesTest, WritesIcmp) {  // RFC 8656 §18.13
  EXPECT_EQ(Hex(Icmp{3, 4, 1280}), "0000030400000500");
  ExpectRoundTrip(Icmp{2, 0, 0xffffffff});
  ExpectOnlySize<Icmp>(8);
}

TEST(TurnAttributesTest, WritesConnectionId) {  // RFC 6062 §6.2
  EXPECT_EQ(Hex(ConnectionId{0xdeadbeef}), "deadbeef");
  ExpectRoundTrip(ConnectionId{1});
  ExpectOnlySize<ConnectionId>(4);
}

TEST(TurnAttributesTest, ATicketIsOpaqueAndBounded) {  // RFC 8016 §3.1.2, §3.3
  const std::vector<uint8_t> octets(MobilityTicket::kMaxSize + 1, 7);
  EXPECT_TRUE(MobilityTicket::Parse({})->octets.empty());
  EXPECT_EQ(MobilityTicket::Parse(std::span(octets).first(100))->octets.size(), 100u);
  EXPECT_TRUE(MobilityTicket::Parse(std::span(octets).first(MobilityTicket::kMaxSize)));
  EXPECT_FALSE(MobilityTicket::Parse(octets));
  std::array<uint8_t, MobilityTicket::kMaxSize> out;
  EXPECT_TRUE(MobilityTicket{octets}.Write(out).empty());
  EXPECT_EQ(MobilityTicket{std::span(octets).first(3)}.Write(out).size(), 3u);
}

// An Allocate request as coturn 4.6's turnutils_uclient begins with, and its answer's shape.
TEST(TurnAttributesTest, ReadsAndWritesWholeMessages) {  // RFC 8656 §7.1
  std::array<uint8_t, 300> buffer;
  stun::MessageBuilder builder(buffer, {stun::Method::kAllocate, stun::MessageClass::kRequest}, {});
  Add(builder, RequestedTransport{});
  Add(builder, Lifetime{800});
  Add(builder, EvenPort{true});
  Add(builder, DontFragment{});
  builder.AddAddress(stun::AttributeType::kXorPeerAddress, *SocketAddress::Parse("192.0.2.7:9"));
  const auto datagram = builder.Finish();
  EXPECT_EQ(crypto::Hex(datagram.subspan(0, 28)),
            "000300282112a442000000000000000000000000"
            "0019000411000000");
  const auto message = stun::MessageView::Parse(datagram);
  ASSERT_TRUE(message);
  EXPECT_EQ(Find<RequestedTransport>(*message), RequestedTransport{});
  EXPECT_EQ(Find<Lifetime>(*message), Lifetime{800});
  EXPECT_EQ(Find<EvenPort>(*message), EvenPort{true});
  EXPECT_TRUE(Find<DontFragment>(*message));
  EXPECT_FALSE(Find<ReservationToken>(*message));
  std::array<stun::AttributeType, 4> unknown;
  EXPECT_EQ(message->UnknownAttributes(kKnownAttributes, unknown), 0u);
}

TEST(TurnAttributesTest,
     TheFirstOfDuplicatesCounts) {  // RFC 8489 §14: "only the first occurrence needs to be processed"
  std::array<uint8_t, 100> buffer;
  stun::MessageBuilder builder(buffer, {stun::Method::kRefresh, stun::MessageClass::kRequest}, {});
  Add(builder, Lifetime{1});
  Add(builder, Lifetime{2});
  const auto message = stun::MessageView::Parse(builder.Finish());
  ASSERT_TRUE(message);
  EXPECT_EQ(Find<Lifetime>(*message), Lifetime{1});
}

TEST(TurnAttributesTest, S2_AValueOfAnImpossibleSizeReadsAsAbsent) {
  std::array<uint8_t, 100> buffer;
  stun::MessageBuilder builder(buffer, {stun::Method::kAllocate, stun::MessageClass::kRequest}, {});
  const std::array<uint8_t, 2> two{};
  builder.Add(stun::AttributeType::kRequestedTransport, two).Add(stun::AttributeType::kDontFragment, two);
  const auto message = stun::MessageView::Parse(builder.Finish());
  ASSERT_TRUE(message);
  EXPECT_FALSE(Find<RequestedTransport>(*message));
  EXPECT_FALSE(Find<DontFragment>(*message));
}

TEST(TurnAttributesTest, EveryKnownAttributeMustBeUnderstood) {
  for (const auto type : kKnownAttributes) EXPECT_TRUE(stun::IsComprehensionRequired(type));
  EXPECT_NE(std::ranges::find(kKnownAttributes, stun::AttributeType::kConnectionId), kKnownAttributes.end());
}

TEST(TurnAttributesTest, SurvivesRandomValues) {
  Rng rng = Rng::FromNumber(11);
  std::array<uint8_t, 600> octets;
  for (int i = 0; i < 20000; ++i) {
    rng.Fill(octets);
    const auto value = std::span<const uint8_t>(octets).first(rng.Below(octets.size() + 1));
    const auto error = AddressErrorCode::Parse(value);
    EXPECT_LE(error ? error->reason.size() + 4 : 0, value.size());
    (void)ChannelNumber::Parse(value);
    (void)Icmp::Parse(value);
    (void)EvenPort::Parse(value);
    (void)MobilityTicket::Parse(value);
  }
}

}  // namespace
}  // namespace jsp::turn
