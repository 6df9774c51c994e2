// Every error cause of RFC 9260 §3.3.10.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "sctp/packet/error_cause/cookie_received_while_shutting_down.h"
#include "sctp/packet/error_cause/invalid_mandatory_parameter.h"
#include "sctp/packet/error_cause/invalid_stream_identifier.h"
#include "sctp/packet/error_cause/missing_mandatory_parameter.h"
#include "sctp/packet/error_cause/no_user_data.h"
#include "sctp/packet/error_cause/out_of_resource.h"
#include "sctp/packet/error_cause/protocol_violation.h"
#include "sctp/packet/error_cause/restart_with_new_addresses.h"
#include "sctp/packet/error_cause/stale_cookie.h"
#include "sctp/packet/error_cause/unrecognized_chunk_type.h"
#include "sctp/packet/error_cause/unrecognized_parameters.h"
#include "sctp/packet/error_cause/unresolvable_address.h"
#include "sctp/packet/error_cause/user_initiated_abort.h"
#include "sctp/packet/parameter_header.h"
#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

template <class T>
Expected<T, ParseError> ParseCause(std::span<const uint8_t> octets) {
  return ParseOctets<T, CauseView>(octets);
}

template <class T>
struct Format;  // an example on the wire, and how much of it is fixed
template <>
struct Format<InvalidStreamIdentifierCause> {
  static constexpr char kExample[] = "0001 0008 fffe 0000";
  static constexpr size_t kFixed = 8;
};
template <>
struct Format<MissingMandatoryParameterCause> {
  static constexpr char kExample[] = "0002 000c 00000002 0007 c000";
  static constexpr size_t kFixed = 12;
};
template <>
struct Format<StaleCookieCause> {
  static constexpr char kExample[] = "0003 0008 000f4240";
  static constexpr size_t kFixed = 8;
};
template <>
struct Format<OutOfResourceCause> {
  static constexpr char kExample[] = "0004 0004";
  static constexpr size_t kFixed = 4;
};
template <>
struct Format<UnresolvableAddressCause> {
  static constexpr char kExample[] = "0005 000c 000b 0008 61620000";
  static constexpr size_t kFixed = 4;
};
template <>
struct Format<UnrecognizedChunkTypeCause> {
  static constexpr char kExample[] = "0006 0009 7f00 0005 aa";
  static constexpr size_t kFixed = 4;
};
template <>
struct Format<InvalidMandatoryParameterCause> {
  static constexpr char kExample[] = "0007 0004";
  static constexpr size_t kFixed = 4;
};
template <>
struct Format<UnrecognizedParametersCause> {
  static constexpr char kExample[] = "0008 0008 c00a 0004";
  static constexpr size_t kFixed = 4;
};
template <>
struct Format<NoUserDataCause> {
  static constexpr char kExample[] = "0009 0008 fffffffe";
  static constexpr size_t kFixed = 8;
};
template <>
struct Format<CookieReceivedWhileShuttingDownCause> {
  static constexpr char kExample[] = "000a 0004";
  static constexpr size_t kFixed = 4;
};
template <>
struct Format<RestartWithNewAddressesCause> {
  static constexpr char kExample[] = "000b 000c 0005 0008 c0000201";
  static constexpr size_t kFixed = 4;
};
template <>
struct Format<UserInitiatedAbortCause> {
  static constexpr char kExample[] = "000c 0007 627965";
  static constexpr size_t kFixed = 4;
};
template <>
struct Format<ProtocolViolationCause> {
  static constexpr char kExample[] = "000d 0007 626164";
  static constexpr size_t kFixed = 4;
};

template <class T>
class ErrorCauseTest : public testing::Test {};
using Causes =
    testing::Types<InvalidStreamIdentifierCause, MissingMandatoryParameterCause, StaleCookieCause, OutOfResourceCause,
                   UnresolvableAddressCause, UnrecognizedChunkTypeCause, InvalidMandatoryParameterCause,
                   UnrecognizedParametersCause, NoUserDataCause, CookieReceivedWhileShuttingDownCause,
                   RestartWithNewAddressesCause, UserInitiatedAbortCause, ProtocolViolationCause>;
TYPED_TEST_SUITE(ErrorCauseTest, Causes);

TYPED_TEST(ErrorCauseTest, RoundTrips) {
  const auto octets = Hex(Format<TypeParam>::kExample);
  const auto parsed = ParseCause<TypeParam>(octets);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->Size(), octets.size());
  EXPECT_EQ(Written(*parsed), octets);
}

TYPED_TEST(ErrorCauseTest, RejectsEveryTruncation) {
  ExpectEveryTruncationRefused<TypeParam, CauseView>(Hex(Format<TypeParam>::kExample), Format<TypeParam>::kFixed);
}

TYPED_TEST(ErrorCauseTest, RejectsAnotherCode) {
  ExpectOtherTypeRefused<TypeParam, CauseView>(Hex(Format<TypeParam>::kExample));
}

TYPED_TEST(ErrorCauseTest, HasTheCodeOfTheTable) {  // RFC 9260 §3.3.10 table 11
  const auto octets = Hex(Format<TypeParam>::kExample);
  EXPECT_EQ(static_cast<unsigned>(TypeParam::kType), octets[1]);
}

template <class T>
class FixedSizeCauseTest : public testing::Test {};
using FixedSizeCauses =
    testing::Types<InvalidStreamIdentifierCause, StaleCookieCause, OutOfResourceCause, InvalidMandatoryParameterCause,
                   NoUserDataCause, CookieReceivedWhileShuttingDownCause, MissingMandatoryParameterCause>;
TYPED_TEST_SUITE(FixedSizeCauseTest, FixedSizeCauses);

TYPED_TEST(FixedSizeCauseTest, RejectsBadLength) {
  auto octets = Hex(Format<TypeParam>::kExample);
  octets.insert(octets.end(), 2, uint8_t{0});
  octets[3] = static_cast<uint8_t>(octets.size());
  const auto parsed = ParseCause<TypeParam>(octets);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ParseErrc::kBadLength);
}

TEST(MissingMandatoryParameterCauseTest, ListsParameterTypes) {  // RFC 9260 §3.3.10.2
  const auto octets = Hex(Format<MissingMandatoryParameterCause>::kExample);
  const auto cause = ParseCause<MissingMandatoryParameterCause>(octets);
  ASSERT_TRUE(cause);
  ASSERT_EQ(cause->missing.size(), 2u);
  EXPECT_EQ(cause->missing[0], static_cast<uint16_t>(ParameterType::kStateCookie));
}

TEST(MissingMandatoryParameterCauseTest, RejectsACountThatWrapsWhenDoubled) {
  auto octets = Hex(Format<MissingMandatoryParameterCause>::kExample);
  octets[4] = 0x80;  // 0x80000002 * 2 is 4 in 32 bits
  EXPECT_FALSE(ParseCause<MissingMandatoryParameterCause>(octets));
}

TEST(StaleCookieCauseTest, IsInMicroseconds) {  // RFC 9260 §3.3.10.3
  EXPECT_EQ(ParseCause<StaleCookieCause>(Hex(Format<StaleCookieCause>::kExample))->staleness_us, 1000000u);
}

TEST(NoUserDataCauseTest, NamesTheTsn) {  // RFC 9260 §3.3.10.9
  EXPECT_EQ(Written(NoUserDataCause{Tsn(0xfffffffe)}), Hex(Format<NoUserDataCause>::kExample));
}

TEST(InvalidStreamIdentifierCauseTest, IgnoresTheReservedField) {  // RFC 9260 §3.3.10.1
  const auto cause = ParseCause<InvalidStreamIdentifierCause>(Hex("0001 0008 fffe abcd"));
  ASSERT_TRUE(cause);
  EXPECT_EQ(cause->stream, StreamId(65534));
}

}  // namespace
}  // namespace jsp::sctp
