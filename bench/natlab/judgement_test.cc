#include "bench/natlab/judgement.h"

#include <gtest/gtest.h>

namespace jsp::natlab {
namespace {

PathEnd End(const char* local, const char* remote, const char* relay_protocol = "") {
  return {.local = local, .remote = remote, .relay_protocol = relay_protocol};
}

TEST(JudgementTest, IsDirectWhereNeitherEndIsARelay) {
  const Judgement judgement = Judge(End("srflx", "prflx"), End("prflx", "srflx"));
  EXPECT_EQ(judgement.outcome, Outcome::kDirect);
  EXPECT_EQ(judgement.pair_type, "srflx-prflx");
  EXPECT_EQ(judgement.relay_protocol, "");
}

TEST(JudgementTest, IsRelayedOverTheRelayOfEitherSide) {
  for (const char* protocol : {"udp", "tcp", "tls"}) {
    const Judgement of_a = Judge(End("relay", "srflx", protocol), End("srflx", "relay"));
    EXPECT_EQ(of_a.outcome, Outcome::kRelay);
    EXPECT_EQ(of_a.pair_type, "relay-srflx");
    EXPECT_EQ(of_a.relay_protocol, protocol);
    const Judgement of_b = Judge(End("srflx", "relay"), End("relay", "srflx", protocol));
    EXPECT_EQ(of_b.outcome, Outcome::kRelay);
    EXPECT_EQ(of_b.pair_type, "srflx-relay");
    EXPECT_EQ(of_b.relay_protocol, protocol);
  }
}

// RFC 8445 §7.3.1.3: heard before it was signalled, or from another port than was signalled.
TEST(JudgementTest, TheRelayOfBIsOneThoughItIsPeerReflexiveToA) {
  for (const char* own : {"relay", "prflx"}) {
    const Judgement judgement = Judge(End("srflx", "prflx"), End(own, "srflx", "udp"));
    EXPECT_EQ(judgement.outcome, Outcome::kRelay) << own;
    EXPECT_EQ(judgement.pair_type, "srflx-relay") << own;
    EXPECT_EQ(judgement.relay_protocol, "udp") << own;
  }
}

TEST(JudgementTest, TheOwnRelayIsOneThoughItIsSeenFromElsewhere) {
  const Judgement judgement = Judge(End("prflx", "host", "tls"), End("host", "prflx"));
  EXPECT_EQ(judgement.outcome, Outcome::kRelay);
  EXPECT_EQ(judgement.pair_type, "relay-host");
  EXPECT_EQ(judgement.relay_protocol, "tls");
}

TEST(JudgementTest, TakesTheWordOfOneSideWhereTheOtherSaysNothing) {
  EXPECT_EQ(Judge(End("host", "prflx"), {}).outcome, Outcome::kDirect);
  EXPECT_EQ(Judge({}, End("relay", "host", "tcp")).outcome, Outcome::kRelay);
  EXPECT_EQ(Judge({}, {}).pair_type, "");
  EXPECT_EQ(Judge(End("relay", "host"), {}).relay_protocol, "udp");
}

TEST(JudgementTest, SaysThatAPairIsOverTcp) {
  EXPECT_EQ(Judge({.local = "host", .remote = "prflx", .protocol = "tcp"}, {}).pair_type, "host-prflx-tcp");
}

}  // namespace
}  // namespace jsp::natlab
