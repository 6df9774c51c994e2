// Every parser against mutated and random octets: what it accepts lies within its input and is written back the same.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "sctp/packet/chunk/abort.h"
#include "sctp/packet/chunk/cookie_echo.h"
#include "sctp/packet/chunk/cwr.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/packet/chunk/error.h"
#include "sctp/packet/chunk/forward_tsn.h"
#include "sctp/packet/chunk/heartbeat.h"
#include "sctp/packet/chunk/heartbeat_ack.h"
#include "sctp/packet/chunk/init.h"
#include "sctp/packet/chunk/init_ack.h"
#include "sctp/packet/chunk/reconfig.h"
#include "sctp/packet/chunk/sack.h"
#include "sctp/packet/chunk/shutdown.h"
#include "sctp/packet/error_cause/missing_mandatory_parameter.h"
#include "sctp/packet/error_cause/no_user_data.h"
#include "sctp/packet/parameter/incoming_ssn_reset_request.h"
#include "sctp/packet/parameter/outgoing_ssn_reset_request.h"
#include "sctp/packet/parameter/reconfig_response.h"
#include "sctp/packet/wire_test_support.h"
namespace jsp::sctp {
namespace {

constexpr int kRounds = 4000;

// Formats whose every octet but the flags is kept by Parse, so that Write must give the input back.
template <class T, class V>
struct Case {
  using Type = T;
  using View = V;
};

template <class T>
std::vector<uint8_t> Seed(Rng& rng) {
  std::vector<uint8_t> octets(4 + rng.Below(48));
  rng.Fill(octets);
  const auto type = static_cast<unsigned>(T::kType);
  if constexpr (sizeof(T::kType) == 1) {
    octets[0] = static_cast<uint8_t>(type);
    octets[1] = 0;
  } else {
    octets[0] = static_cast<uint8_t>(type >> 8);
    octets[1] = static_cast<uint8_t>(type);
  }
  // Plausible lengths and counts inside, so that parsers get past their first test.
  for (size_t i = 4; i + 3 < octets.size(); i += 4) {
    if (rng.Below(3) == 0) continue;
    octets[i] = 0;
    octets[i + 1] = static_cast<uint8_t>(rng.Below(20));
    octets[i + 2] = 0;
    octets[i + 3] = static_cast<uint8_t>(rng.Below(20));
  }
  return CutTo(octets, octets.size());
}

template <class C>
class ParserMutationTest : public testing::Test {};
using Cases = testing::Types<Case<DataChunk, ChunkView>, Case<InitChunk, ChunkView>, Case<InitAckChunk, ChunkView>,
                             Case<SackChunk, ChunkView>, Case<AbortChunk, ChunkView>, Case<ErrorChunk, ChunkView>,
                             Case<CookieEchoChunk, ChunkView>, Case<ShutdownChunk, ChunkView>,
                             Case<CwrChunk, ChunkView>, Case<ForwardTsnChunk, ChunkView>,
                             Case<ReconfigChunk, ChunkView>, Case<OutgoingSsnResetRequest, ParameterView>,
                             Case<IncomingSsnResetRequest, ParameterView>, Case<ReconfigResponse, ParameterView>,
                             Case<MissingMandatoryParameterCause, CauseView>, Case<NoUserDataCause, CauseView>>;
TYPED_TEST_SUITE(ParserMutationTest, Cases);

TYPED_TEST(ParserMutationTest, WhatIsAcceptedIsWrittenBackTheSame) {
  using T = typename TypeParam::Type;
  Rng rng = Rng::FromNumber(31);
  int accepted = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto octets = Seed<T>(rng);
    const auto parsed = ParseOctets<T, typename TypeParam::View>(octets);
    if (!parsed) {
      ASSERT_LT(parsed.error().offset, octets.size() + 20) << "round " << round;
      continue;
    }
    ++accepted;
    ASSERT_EQ(parsed->Size(), octets.size()) << "round " << round;
    ASSERT_EQ(Written(*parsed), octets) << "round " << round;
  }
  EXPECT_GT(accepted, 0);
}

TEST(HeartbeatMutationTest, InfoLiesWithinTheChunk) {
  Rng rng = Rng::FromNumber(37);
  int accepted = 0;
  for (int round = 0; round < kRounds; ++round) {
    auto octets = Seed<HeartbeatChunk>(rng);
    if (octets.size() >= 8) octets[4] = 0, octets[5] = 1;
    const auto heartbeat = ParseOctets<HeartbeatChunk, ChunkView>(octets);
    if (!heartbeat) continue;
    ++accepted;
    ASSERT_EQ(heartbeat->info.value.data(), octets.data() + 8) << "round " << round;
    ASSERT_LE(heartbeat->info.value.size(), octets.size() - 8) << "round " << round;
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace jsp::sctp
