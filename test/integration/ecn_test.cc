// Explicit Congestion Notification of whole peers (RFC 3168), DTLS included; docs/transport.md#ecn.
#include <gtest/gtest.h>

#include "test/integration/whole_peers.h"

namespace jsp::integration {
namespace {

using netsim::EcnTreatment;
using netsim::LinkOptions;
using sctp::CongestionAlgorithm;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr uint32_t kMessages = 128;
constexpr size_t kMessageSize = 65536;  // 8 MiB in all

// z's access carries 20 Mbit/s; with a's it takes 40 ms there and back, 100 KB. Its queue holds 256 KiB.
WholePeers::Setup Over(EcnTreatment ecn, bool z_offers = true) {
  WholePeers::Setup setup;
  setup.layout.z_access.bytes_per_second = 2'500'000;
  setup.layout.z_access.mark_above_bytes = 48 * 1024;
  setup.layout.a_access.ecn = ecn;
  // What looks at losses alone fills the queue; it is the one whose losses are to be compared.
  setup.options.sctp.congestion_control = CongestionAlgorithm::kNewReno;
  setup.z_offers_ecn = z_offers;
  return setup;
}

sctp::Metrics SctpOf(const WholePeers::Side& side) { return side.peer->stats().sctp; }

// 3.4 s at the link's rate, headers aside.
void Transfer(WholePeers& peers, Duration limit = milliseconds(4500)) {
  ASSERT_TRUE(peers.Connect());
  const auto channel = *peers.a.peer->OpenChannel(peers.world.now(), {.label = "bulk"});
  const Timestamp start = peers.world.now();
  for (uint32_t i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(peers.Send(peers.a, channel, std::vector<uint8_t>(kMessageSize, static_cast<uint8_t>(i))));
  }
  ASSERT_TRUE(peers.RunUntilRead(kMessages, minutes(2)));
  for (uint32_t i = 0; i < kMessages; ++i) {
    ASSERT_EQ(peers.z.messages[i].payload, std::vector<uint8_t>(kMessageSize, static_cast<uint8_t>(i))) << i;
  }
  EXPECT_LT(peers.world.now() - start, limit);
}

TEST(EcnTest, MarksReduceTheWindowAndNothingIsLost) {  // RFC 3168 §5
  WholePeers peers(Over(EcnTreatment::kKeep));
  Transfer(peers);
  EXPECT_EQ(peers.downlink().overflowed, 0u);
  EXPECT_GT(peers.downlink().marked, 0u);
  EXPECT_EQ(SctpOf(peers.z).ce_received, peers.downlink().marked);
  EXPECT_GT(SctpOf(peers.a).ecn_reductions, 0u);
  EXPECT_EQ(SctpOf(peers.a).retransmitted_chunks, 0u);
}

TEST(EcnTest, WithoutThePeersConsentTheQueueOverflows) {  // RFC 3168 §6.1.1
  WholePeers peers(Over(EcnTreatment::kKeep, false));
  Transfer(peers);
  EXPECT_EQ(peers.downlink().marked, 0u);
  EXPECT_GT(peers.downlink().overflowed, 0u);
  EXPECT_EQ(SctpOf(peers.a).ecn_reductions, 0u);
}

// No mark comes back then, but losses do, and mean what they always meant.
TEST(EcnTest, OverAPathThatClearsTheFieldLossesAreObeyedAsBefore) {  // RFC 3168 §19.1
  WholePeers peers(Over(EcnTreatment::kClear));
  Transfer(peers);
  EXPECT_EQ(SctpOf(peers.z).ce_received, 0u);
  EXPECT_GT(peers.downlink().overflowed, 0u);
  EXPECT_GT(SctpOf(peers.a).fast_retransmits, 0u);
}

// Checks, the handshake, and acknowledgements get through; data does as soon as it is not markable any more.
TEST(EcnTest, APathThatDropsWhatIsMarkableIsGivenUp) {  // RFC 3168 §6.1.1.1
  WholePeers peers(Over(EcnTreatment::kDrop));
  Transfer(peers, milliseconds(7000));  // the first window is lost
  const uint64_t dropped = peers.uplink().markable_dropped;
  EXPECT_GE(dropped, 4u);
  EXPECT_LE(dropped, 64u) << "the first window, and tail probes";
  EXPECT_EQ(peers.a.peer->state(), transport::ConnectionState::kCompleted);
}

}  // namespace
}  // namespace jsp::integration
