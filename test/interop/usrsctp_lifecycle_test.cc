#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "sctp/packet/common_header.h"
#include "test/interop/usrsctp_pair.h"
namespace jsp::interop {
namespace {

using namespace std::chrono_literals;
using sctp::ChunkType;
using sctp::Ppid;
using sctp::StreamId;
namespace event = sctp::event;
using Begins = UsrsctpPair::Begins;

UsrsctpPair::Config WithInterleaving(bool interleaving) {
  UsrsctpPair::Config config;
  config.usrsctp.interleaving = interleaving;
  return config;
}

bool HasFeature(const UsrsctpPeer::AssociationChange& change, uint8_t feature) {
  return std::ranges::count(change.features, feature) == 1;
}

bool EchoesOnce(UsrsctpPair& pair) {
  const size_t theirs = pair.usrsctp().received.size();
  const size_t ours = pair.received.size();
  EXPECT_TRUE(pair.ours().Send(pair.now(), {StreamId(3), Ppid(51), Payload(5000, 1)}));
  EXPECT_TRUE(pair.usrsctp().Send(4, 53, Payload(6000, 2)));
  return pair.RunUntil([&] { return pair.usrsctp().received.size() == theirs + 1 && pair.received.size() == ours + 1; },
                       60s) &&
         pair.usrsctp().received.back().payload == Payload(5000, 1) && pair.received.back().payload == Payload(6000, 2);
}

class UsrsctpBeginsTest : public testing::TestWithParam<Begins> {};

TEST_P(UsrsctpBeginsTest, ConnectsAndTalksBothWays) {  // RFC 9260 §5.1, §5.2.1
  UsrsctpPair pair;
  ASSERT_TRUE(pair.Connect(GetParam()));
  EXPECT_TRUE(EchoesOnce(pair));
  EXPECT_EQ(pair.usrsctp().received[0].stream, 3);
  EXPECT_EQ(pair.usrsctp().received[0].ppid, 51u);
  EXPECT_EQ(pair.received[0].stream, StreamId(4));
  EXPECT_EQ(pair.received[0].ppid, Ppid(53));
}

TEST_P(UsrsctpBeginsTest, ConnectsAlthoughEveryThirdPacketIsLost) {  // RFC 9260 §5.1.6
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    UsrsctpPair pair({.link = {.loss = 0.33, .reorder = 0.3}, .seed = seed});
    ASSERT_TRUE(pair.Connect(GetParam())) << "seed " << seed;
    pair.set_link({});
    EXPECT_TRUE(EchoesOnce(pair)) << "seed " << seed;
  }
}

TEST_P(UsrsctpBeginsTest, NegotiatesStreamsAndExtensions) {  // RFC 9260 §5.1.1, RFC 3758 §3.1, RFC 6525 §3.1
  for (const bool interleaving : {false, true}) {
    UsrsctpPair pair(WithInterleaving(interleaving));
    ASSERT_TRUE(pair.Connect(GetParam()));
    const auto connected = *pair.Event<event::Connected>();
    EXPECT_EQ(connected.incoming_streams, 1024);
    EXPECT_EQ(connected.outgoing_streams, 2048);
    EXPECT_TRUE(connected.partial_reliability);
    EXPECT_TRUE(connected.stream_reset);
    EXPECT_EQ(connected.interleaving, interleaving);
    const auto up = *pair.usrsctp().Change(SCTP_COMM_UP);
    EXPECT_EQ(up.outgoing_streams, 1024);
    EXPECT_EQ(up.incoming_streams, 2048);
    EXPECT_TRUE(HasFeature(up, SCTP_ASSOC_SUPPORTS_PR));
    EXPECT_TRUE(HasFeature(up, SCTP_ASSOC_SUPPORTS_RE_CONFIG));
    EXPECT_EQ(HasFeature(up, SCTP_ASSOC_SUPPORTS_INTERLEAVING), interleaving);
  }
}

INSTANTIATE_TEST_SUITE_P(Roles, UsrsctpBeginsTest, testing::Values(Begins::kOurs, Begins::kUsrsctp, Begins::kBoth),
                         [](const auto& tested) {
                           return std::string(tested.param == Begins::kOurs      ? "WeBegin"
                                              : tested.param == Begins::kUsrsctp ? "UsrsctpBegins"
                                                                                 : "BothBegin");
                         });

// What every other test relies on: the library lives in virtual time too.
TEST(UsrsctpTest, SeesTheRoundTripOfThePipe) {  // RFC 9260 §6.3.1
  UsrsctpPair pair({.link = {.delay = 50ms}});
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(EchoesOnce(pair));
  EXPECT_NEAR(pair.usrsctp().Status().sstat_primary.spinfo_srtt, 100, 25);  // and up to one delayed SACK
}

// This usrsctp does not know RFC 9653. Switching its CRC off (usrsctp_enable_crc32c_offload) would be no zero checksum:
// that leaves the checksum to a network card.
TEST(UsrsctpTest, GetsCrcsBecauseItDoesNotAcceptZeroChecksums) {  // RFC 9653 §5.2
#ifdef SCTP_ACCEPT_ZERO_CHECKSUM
  GTEST_FAIL() << "this usrsctp knows zero checksums: negotiate them here";
#endif
  UsrsctpPair pair;
  size_t packets = 0;
  pair.set_filter([&](Sender from, std::span<const uint8_t> packet) {
    packets += from == Sender::kOurs;
    EXPECT_TRUE(sctp::PacketView::Parse(packet, sctp::ChecksumPolicy::kRequireCrc32c));
    return false;
  });
  const uint32_t bad = UsrsctpStack::Get().Statistics().sctps_checksumerrors;
  ASSERT_TRUE(pair.Connect());
  EXPECT_TRUE(EchoesOnce(pair));
  EXPECT_GT(packets, 5u);
  EXPECT_EQ(UsrsctpStack::Get().Statistics().sctps_checksumerrors, bad);
}

TEST(UsrsctpTest, AnswersOurHeartbeats) {  // RFC 9260 §8.3
  UsrsctpPair pair;
  ASSERT_TRUE(pair.Connect());
  pair.Run(5min);
  EXPECT_GE(pair.chunks(Sender::kOurs, ChunkType::kHeartbeat), 5u);
  EXPECT_GE(pair.chunks(Sender::kUsrsctp, ChunkType::kHeartbeatAck), 5u);
  EXPECT_EQ(pair.ours().state(), sctp::State::kEstablished);
}

TEST(UsrsctpTest, TakesOurHeartbeatAcks) {  // RFC 9260 §8.3
  UsrsctpPair::Config config;
  config.usrsctp.heartbeat_ms = 5000;
  UsrsctpPair pair(config);
  ASSERT_TRUE(pair.Connect());
  const uint32_t before = UsrsctpStack::Get().Statistics().sctps_recvheartbeatack;
  pair.Run(1min);
  EXPECT_GE(pair.chunks(Sender::kUsrsctp, ChunkType::kHeartbeat), 5u);
  EXPECT_GE(UsrsctpStack::Get().Statistics().sctps_recvheartbeatack, before + 5);
  EXPECT_EQ(pair.usrsctp().Status().sstat_primary.spinfo_state, SCTP_ACTIVE);
}

TEST(UsrsctpTest, FindsUsDeadWhenWeFallSilentAndWeFindItDead) {  // RFC 9260 §8.1
  UsrsctpPair pair;
  ASSERT_TRUE(pair.Connect());
  pair.set_filter([](Sender, std::span<const uint8_t>) { return true; });
  ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(0), Ppid(53), Payload(10, 0)}));
  ASSERT_TRUE(pair.usrsctp().Send(0, 53, Payload(10, 0)));
  pair.Run(20min);
  ASSERT_TRUE(pair.Event<event::Aborted>());
  EXPECT_EQ(pair.Event<event::Aborted>()->cause, sctp::AbortCause::kTooManyRetransmissions);
  EXPECT_TRUE(pair.usrsctp().Saw(SCTP_COMM_LOST));
}

TEST(UsrsctpTest, OurShutdownDeliversWhatIsUnderWay) {  // RFC 9260 §9.2
  UsrsctpPair pair({.link = {.loss = 0.05}, .seed = 5});
  ASSERT_TRUE(pair.Connect());
  for (size_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(1), Ppid(53), Payload(20000, i)}));
    ASSERT_TRUE(pair.usrsctp().Send(1, 53, Payload(20000, i)));
  }
  pair.ours().Shutdown(pair.now());
  ASSERT_TRUE(
      pair.RunUntil([&] { return pair.Event<event::Closed>() && pair.usrsctp().Saw(SCTP_SHUTDOWN_COMP); }, 10min));
  ASSERT_EQ(pair.usrsctp().received.size(), 20u);
  ASSERT_EQ(pair.received.size(), 20u);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(pair.usrsctp().received[i].payload, Payload(20000, i));
  EXPECT_FALSE(pair.Event<event::Aborted>());
}

TEST(UsrsctpTest, ItsShutdownDeliversWhatIsUnderWay) {  // RFC 9260 §9.2
  UsrsctpPair pair({.link = {.loss = 0.05}, .seed = 6});
  ASSERT_TRUE(pair.Connect());
  for (size_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(pair.ours().Send(pair.now(), {StreamId(1), Ppid(53), Payload(20000, i)}));
    ASSERT_TRUE(pair.usrsctp().Send(1, 53, Payload(20000, i)));
  }
  ASSERT_TRUE(pair.usrsctp().Shutdown());
  ASSERT_TRUE(
      pair.RunUntil([&] { return pair.Event<event::Closed>() && pair.usrsctp().Saw(SCTP_SHUTDOWN_COMP); }, 10min));
  EXPECT_EQ(pair.usrsctp().received.size(), 20u);
  ASSERT_EQ(pair.received.size(), 20u);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(pair.received[i].payload, Payload(20000, i));
  EXPECT_FALSE(pair.Event<event::Aborted>());
}

TEST(UsrsctpTest, ShutdownsOfBothCross) {  // RFC 9260 §9.2: SHUTDOWN in SHUTDOWN-SENT
  UsrsctpPair pair;
  ASSERT_TRUE(pair.Connect());
  pair.ours().Shutdown(pair.now());
  ASSERT_TRUE(pair.usrsctp().Shutdown());
  EXPECT_TRUE(
      pair.RunUntil([&] { return pair.Event<event::Closed>() && pair.usrsctp().Saw(SCTP_SHUTDOWN_COMP); }, 1min));
}

TEST(UsrsctpTest, OurAbortArrivesWithItsReason) {  // RFC 9260 §9.1, §3.3.10.12
  UsrsctpPair pair;
  ASSERT_TRUE(pair.Connect());
  pair.ours().Abort(pair.now(), "no more of this");
  ASSERT_TRUE(pair.RunUntil([&] { return pair.usrsctp().Saw(SCTP_COMM_LOST); }, 1s));
  const auto lost = *pair.usrsctp().Change(SCTP_COMM_LOST);
  const std::string chunk(lost.features.begin(), lost.features.end());
  EXPECT_NE(chunk.find("no more of this"), std::string::npos);
}

TEST(UsrsctpTest, ItsAbortArrivesWithItsReason) {  // RFC 9260 §9.1, §3.3.10.12
  UsrsctpPair pair;
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(pair.usrsctp().Abort("enough"));
  ASSERT_TRUE(pair.RunUntil([&] { return pair.Event<event::Aborted>().has_value(); }, 1s));
  EXPECT_EQ(pair.Event<event::Aborted>()->cause, sctp::AbortCause::kPeerAborted);
  EXPECT_NE(pair.Event<event::Aborted>()->detail.find("enough"), std::string::npos)
      << pair.Event<event::Aborted>()->detail;
}

TEST(UsrsctpTest, SeesARestartOfOurs) {  // RFC 9260 §5.2.4 A
  UsrsctpPair pair;
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(EchoesOnce(pair));
  pair.ReplaceOurs();
  pair.ours().Connect(pair.now());
  ASSERT_TRUE(pair.RunUntil([&] { return pair.CountEvents<event::Connected>() == 2; }, 10s));
  EXPECT_TRUE(pair.usrsctp().Saw(SCTP_RESTART));
  EXPECT_TRUE(EchoesOnce(pair));
}

TEST(UsrsctpTest, WeSeeItsRestart) {  // RFC 9260 §5.2.4 A
  UsrsctpPair pair;
  ASSERT_TRUE(pair.Connect());
  ASSERT_TRUE(EchoesOnce(pair));
  pair.ReplaceUsrsctp();
  pair.usrsctp().Connect(5000);
  ASSERT_TRUE(pair.RunUntil([&] { return pair.usrsctp().Saw(SCTP_COMM_UP); }, 10s));
  EXPECT_EQ(pair.CountEvents<event::Restarted>(), 1u);
  EXPECT_TRUE(EchoesOnce(pair));
}

}  // namespace
}  // namespace jsp::interop
