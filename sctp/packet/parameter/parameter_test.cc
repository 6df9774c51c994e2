// Every parameter of this directory: what the handshake negotiates, and what re-configures streams.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "sctp/packet/parameter/add_incoming_streams.h"
#include "sctp/packet/parameter/add_outgoing_streams.h"
#include "sctp/packet/parameter/cookie_preservative.h"
#include "sctp/packet/parameter/ecn_capable.h"
#include "sctp/packet/parameter/forward_tsn_supported.h"
#include "sctp/packet/parameter/heartbeat_info.h"
#include "sctp/packet/parameter/incoming_ssn_reset_request.h"
#include "sctp/packet/parameter/outgoing_ssn_reset_request.h"
#include "sctp/packet/parameter/reconfig_response.h"
#include "sctp/packet/parameter/ssn_tsn_reset_request.h"
#include "sctp/packet/parameter/state_cookie.h"
#include "sctp/packet/parameter/supported_extensions.h"
#include "sctp/packet/parameter/unrecognized_parameter.h"
#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

template <class T>
Expected<T, ParseError> ParseParameter(std::span<const uint8_t> octets) {
  return ParseOctets<T, ParameterView>(octets);
}

template <class T>
struct Format;  // an example on the wire, and how much of it is fixed
template <>
struct Format<HeartbeatInfo> {
  static constexpr char kExample[] = "0001 000c 0011223344556677";
  static constexpr size_t kFixed = 4;
};
template <>
struct Format<StateCookieParameter> {
  static constexpr char kExample[] = "0007 0008 aabbccdd";
  static constexpr size_t kFixed = 4;
};
template <>
struct Format<UnrecognizedParameter> {
  static constexpr char kExample[] = "0008 000a c00a 0006 abcd";
  static constexpr size_t kFixed = 4;
};
template <>
struct Format<SupportedExtensions> {
  static constexpr char kExample[] = "8008 0006 82c0";
  static constexpr size_t kFixed = 4;
};
template <>
struct Format<ForwardTsnSupported> {
  static constexpr char kExample[] = "c000 0004";
  static constexpr size_t kFixed = 4;
};
template <>
struct Format<OutgoingSsnResetRequest> {
  static constexpr char kExample[] = "000d 0014 fffffffe fffffffd fffffffc 0001 fffe";
  static constexpr size_t kFixed = 16;
};
template <>
struct Format<IncomingSsnResetRequest> {
  static constexpr char kExample[] = "000e 000c fffffffe 0001 fffe";
  static constexpr size_t kFixed = 8;
};
template <>
struct Format<SsnTsnResetRequest> {
  static constexpr char kExample[] = "000f 0008 fffffffe";
  static constexpr size_t kFixed = 8;
};
template <>
struct Format<ReconfigResponse> {
  static constexpr char kExample[] = "0010 0014 00000007 00000001 fffffffe 00000002";
  static constexpr size_t kFixed = 12;
};
template <>
struct Format<AddOutgoingStreams> {
  static constexpr char kExample[] = "0011 000c 00000007 0100 0000";
  static constexpr size_t kFixed = 12;
};
template <>
struct Format<AddIncomingStreams> {
  static constexpr char kExample[] = "0012 000c 00000007 0100 0000";
  static constexpr size_t kFixed = 12;
};

template <>
struct Format<CookiePreservative> {
  static constexpr char kExample[] = "0009 0008 000003e8";
  static constexpr size_t kFixed = 8;
};

template <>
struct Format<EcnCapable> {
  static constexpr char kExample[] = "8000 0004";
  static constexpr size_t kFixed = 4;
};

template <class T>
class ParameterTest : public testing::Test {};
using Parameters =
    testing::Types<HeartbeatInfo, StateCookieParameter, UnrecognizedParameter, SupportedExtensions, ForwardTsnSupported,
                   OutgoingSsnResetRequest, IncomingSsnResetRequest, SsnTsnResetRequest, ReconfigResponse,
                   AddOutgoingStreams, AddIncomingStreams, CookiePreservative, EcnCapable>;
TYPED_TEST_SUITE(ParameterTest, Parameters);

TYPED_TEST(ParameterTest, RoundTrips) {
  const auto octets = Hex(Format<TypeParam>::kExample);
  const auto parsed = ParseParameter<TypeParam>(octets);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->Size(), octets.size());
  EXPECT_EQ(Written(*parsed), octets);
}

TYPED_TEST(ParameterTest, C2_RejectsEveryTruncation) {
  const auto octets = Hex(Format<TypeParam>::kExample);
  ExpectEveryTruncationRefused<TypeParam, ParameterView>(octets, Format<TypeParam>::kFixed);
}

TYPED_TEST(ParameterTest, RejectsAnotherType) {
  ExpectOtherTypeRefused<TypeParam, ParameterView>(Hex(Format<TypeParam>::kExample));
}

TYPED_TEST(ParameterTest, DoesNotWriteBeyondABufferThatIsTooSmall) {
  const auto octets = Hex(Format<TypeParam>::kExample);
  const auto parsed = ParseParameter<TypeParam>(octets);
  ASSERT_TRUE(parsed);
  std::vector<uint8_t> buffer(octets.size() - 1);
  ByteWriter writer(buffer);
  parsed->Write(writer);
  EXPECT_FALSE(writer.ok());
}

TEST(OutgoingSsnResetRequestTest, ParsesEveryField) {  // RFC 6525 §4.1
  const auto octets = Hex(Format<OutgoingSsnResetRequest>::kExample);
  const auto request = ParseParameter<OutgoingSsnResetRequest>(octets);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->request_sn, ReconfigSn(0xfffffffe));
  EXPECT_EQ(request->response_sn, ReconfigSn(0xfffffffd));
  EXPECT_EQ(request->last_assigned_tsn, Tsn(0xfffffffc));
  ASSERT_EQ(request->streams.size(), 2u);
  EXPECT_EQ(request->streams[1], StreamId(65534));
}

TEST(OutgoingSsnResetRequestTest, RejectsBadLength) {  // RFC 6525 §4.1: 16 + 2 * N
  const auto octets = Hex(Format<OutgoingSsnResetRequest>::kExample);
  for (size_t size = 16; size <= octets.size(); ++size) {
    EXPECT_EQ(ParseParameter<OutgoingSsnResetRequest>(CutTo(octets, size)).has_value(), size % 2 == 0) << size;
  }
}

TEST(IncomingSsnResetRequestTest, RejectsBadLength) {  // RFC 6525 §4.2: 8 + 2 * N
  const auto octets = Hex(Format<IncomingSsnResetRequest>::kExample);
  for (size_t size = 8; size <= octets.size(); ++size) {
    const auto request = ParseParameter<IncomingSsnResetRequest>(CutTo(octets, size));
    EXPECT_EQ(request.has_value(), size % 2 == 0) << size;
    if (request) {
      EXPECT_EQ(request->streams.size(), (size - 8) / 2);
    }
  }
}

TEST(IncomingSsnResetRequestTest, C11_ListsAllStreams) {
  std::vector<StreamId> streams;
  for (int id = 0; id < 32763; ++id) streams.push_back(StreamId(static_cast<uint16_t>(id)));
  IncomingSsnResetRequest request;
  request.streams = WireList<StreamId>(streams);
  const auto octets = Written(request);
  const auto parsed = ParseParameter<IncomingSsnResetRequest>(octets);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->streams.size(), streams.size());
  EXPECT_EQ(parsed->streams[32762], StreamId(32762));
}

TEST(SsnTsnResetRequestTest, RejectsBadLength) {  // RFC 6525 §4.3
  EXPECT_FALSE(ParseParameter<SsnTsnResetRequest>(Hex("000f 000a 00000001 0000")));
}

TEST(AddStreamsTest, RejectsBadLength) {  // RFC 6525 §4.5, §4.6
  EXPECT_FALSE(ParseParameter<AddOutgoingStreams>(Hex("0011 000e 00000007 0100 0000 0000")));
  EXPECT_FALSE(ParseParameter<AddIncomingStreams>(Hex("0012 000e 00000007 0100 0000 0000")));
  const auto octets = Hex(Format<AddOutgoingStreams>::kExample);
  EXPECT_EQ(ParseParameter<AddOutgoingStreams>(octets)->new_streams, 256);
}

TEST(ReconfigResponseTest, BothNextTsnsOrNone) {  // RFC 6525 §4.4
  const auto octets = Hex(Format<ReconfigResponse>::kExample);
  for (size_t size = 12; size <= octets.size(); ++size) {
    const auto response = ParseParameter<ReconfigResponse>(CutTo(octets, size));
    EXPECT_EQ(response.has_value(), size == 12 || size == 20) << size;
    if (response) {
      EXPECT_EQ(response->next_tsns.has_value(), size == 20);
    }
  }
  EXPECT_EQ(ParseParameter<ReconfigResponse>(octets)->next_tsns, (NextTsns{Tsn(0xfffffffe), Tsn(2)}));
}

TEST(ReconfigResponseTest, KeepsAResultThatItDoesNotKnow) {
  const auto response = ParseParameter<ReconfigResponse>(Hex("0010 000c 00000007 000000ff"));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->result_code, 255u);
  EXPECT_NE(response->result(), ReconfigResult::kPerformed);
}

TEST(ForwardTsnSupportedTest, RejectsBadLength) {  // RFC 3758 §3.1
  EXPECT_FALSE(ParseParameter<ForwardTsnSupported>(Hex("c000 0008 00000000")));
}

TEST(UnrecognizedParameterTest, CarriesTheWholeParameter) {  // RFC 9260 §3.2.2
  const auto unknown = Hex("c00a 0006 abcd");
  const auto octets = Written(UnrecognizedParameter{ViewOf<ParameterView>(unknown).octets});
  EXPECT_EQ(octets, Hex(Format<UnrecognizedParameter>::kExample));
}

}  // namespace
}  // namespace jsp::sctp
