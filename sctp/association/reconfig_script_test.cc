// RFC 6525 with everything at once: random requests, answers and commands, from a seed.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "base/rng.h"
#include "sctp/association/reconfig_test_support.h"
#include "sctp/testing/association_pair.h"
#include "sctp/testing/scripted_peer.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

// Ten streams of each kind, at most twenty, and a small window.
ScriptedPeer::Config SmallPeer() {
  ScriptedPeer::Config config{.streams = 10, .parameters = ScriptedPeer::AllExtensions()};
  config.options.max_incoming_streams = config.options.max_outgoing_streams = 20;
  config.options.receive_window = 100000;
  config.options.max_message_size = 10000;
  config.options.max_send_buffer = 100000;
  return config;
}

std::vector<StreamId> SomeStreams(Rng& rng) {
  std::vector<StreamId> streams(rng.Below(4));
  for (StreamId& stream : streams) stream = StreamId(static_cast<uint16_t>(rng.Below(12)));
  return streams;
}

template <class Core>
void Command(Core& core, Timestamp now, Rng& rng) {
  const auto streams = SomeStreams(rng);
  switch (rng.Below(6)) {
    case 0:
      (void)core.ResetStreams(now, streams);
      break;
    case 1:
      (void)core.RequestPeerReset(now, streams);
      break;
    case 2:
      (void)core.ResetAssociation(now);
      break;
    case 3:
      (void)core.AddOutgoingStreams(now, static_cast<uint16_t>(rng.Below(3)));
      break;
    case 4:
      (void)core.AddIncomingStreams(now, static_cast<uint16_t>(rng.Below(3)));
      break;
    default:
      (void)core.Send(now, MakeMessage(static_cast<uint16_t>(rng.Below(12)), 1 + rng.Below(3000)));
  }
}

TEST(ReconfigScriptTest, C11_NoRequestOrAnswerOfThePeerBreaksIt) {  // RFC 6525 §5.2
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng = Rng::FromNumber(seed);
    EstablishedPeer peer(SmallPeer());
    uint32_t next = 0;
    const auto near = [&](uint32_t base) { return base + static_cast<uint32_t>(rng.Below(4)) - 1; };
    for (int step = 0; step < 150 && peer.core.state() == State::kEstablished; ++step) {
      const auto streams = SomeStreams(rng);
      const ReconfigSn sn(rng.Below(4) == 0 ? near(PeerSn(peer, next).value) : PeerSn(peer, next++).value);
      switch (rng.Below(8)) {
        case 0:
          peer.Deliver(
              Reconfig<OutgoingSsnResetRequest>{{sn, CoreSn(peer, static_cast<uint32_t>(rng.Below(9))),
                                                 Tsn(near(peer.next_tsn.value)), std::span<const StreamId>(streams)}});
          break;
        case 1:
          peer.Deliver(Reconfig<IncomingSsnResetRequest>{{sn, std::span<const StreamId>(streams)}});
          break;
        case 2:
          peer.Deliver(Reconfig<SsnTsnResetRequest>{{sn}});
          break;
        case 3:
          peer.Deliver(Reconfig<AddOutgoingStreams>{{sn, static_cast<uint16_t>(rng.Below(4)), 0}});
          break;
        case 4:
          peer.Deliver(Reconfig<AddIncomingStreams>{{sn, static_cast<uint16_t>(rng.Below(4)), 0}});
          break;
        case 5:
          peer.Deliver(Respond(CoreSn(peer, static_cast<uint32_t>(rng.Below(20))), ReconfigResult(rng.Below(8))));
          break;
        case 6:
          peer.Deliver(peer.NextData(static_cast<uint16_t>(rng.Below(10)), 0, kHello));
          break;
        default:
          peer.Wait(Duration(static_cast<Duration::rep>(rng.Below(2000000))));
      }
      Command(peer.core, peer.now, rng);
      ASSERT_LE(peer.core.metrics().outstanding_bytes, 100000u);
    }
    size_t ends = 0;
    while (auto event = peer.core.PollEvent()) {
      ends += std::holds_alternative<event::Aborted>(*event);
      if (const auto* added = std::get_if<event::StreamsAdded>(&*event)) {
        ASSERT_LE(added->incoming_streams, 20u);
        ASSERT_LE(added->outgoing_streams, 20u);
      }
    }
    EXPECT_EQ(ends, peer.core.state() == State::kEstablished ? 0u : 1u);
  }
}

TEST(ReconfigScriptTest, C11_TwoEndsAgreeWhateverIsAskedAndLoseNothing) {  // RFC 6525 §5.1, §5.2
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng = Rng::FromNumber(seed);
    AssociationPair::Config config{.link = {.loss = 0.05, .reorder = 0.3}, .seed = seed};
    config.a.outgoing_streams = config.z.outgoing_streams = 10;
    config.a.interleaving = config.z.interleaving = seed % 2 == 0;
    AssociationPair pair(config);
    ASSERT_TRUE(pair.Connect());
    std::array<size_t, 2> sent{};
    for (int step = 0; step < 60; ++step) {
      const Side side = rng.Below(2) == 0 ? Side::kA : Side::kZ;
      if (rng.Below(3) == 0) {
        Command(pair.core(side), pair.now(), rng);
      }
      const auto stream = static_cast<uint16_t>(rng.Below(12));
      if (pair.core(side).Send(pair.now(), MakeMessage(stream, 1 + rng.Below(4000)))) ++sent[static_cast<size_t>(side)];
      pair.Run(Duration(static_cast<Duration::rep>(rng.Below(200000))));
    }
    pair.Run(60s);
    for (const Side side : {Side::kA, Side::kZ}) {
      const auto aborted = pair.FindEvent<event::Aborted>(side);
      ASSERT_FALSE(aborted) << aborted->detail;
    }
    // Commands send as well.
    EXPECT_GE(pair.received(Side::kZ).size(), sent[0]);
    EXPECT_GE(pair.received(Side::kA).size(), sent[1]);
    EXPECT_EQ(pair.a().metrics().messages_sent, pair.received(Side::kZ).size());
    EXPECT_EQ(pair.z().metrics().messages_sent, pair.received(Side::kA).size());
  }
}

}  // namespace
}  // namespace jsp::sctp
