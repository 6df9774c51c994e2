// Explicit Congestion Notification over a bottleneck that marks (RFC 3168 §5); docs/sctp.md#ecn.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <tuple>
#include <vector>

#include "sctp/packet/chunk/ecne.h"
#include "sctp/testing/association_pair.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;
using Side = AssociationPair::Side;

constexpr size_t kTransfer = 8 * 1024 * 1024;

// 20 Mbit/s and 40 ms: 84 packets of 1191 octets; the queue holds 256.
AssociationPair::Config Config(CongestionAlgorithm algorithm, bool a_offers, bool z_offers) {
  AssociationPair::Config config;
  config.a.congestion_control = config.z.congestion_control = algorithm;
  config.a.ecn = a_offers;
  config.z.ecn = z_offers;
  config.link = {.delay = 20ms, .bits_per_s = 20e6, .mark_above = 40};
  return config;
}

// Seconds, or nullopt when it did not arrive.
std::optional<double> Transfer(AssociationPair& pair) {
  if (!pair.Connect()) return std::nullopt;
  const Timestamp start = pair.now();
  for (size_t sent = 0; sent < kTransfer; sent += 65536) {
    EXPECT_TRUE(pair.a().Send(pair.now(), {StreamId(1), Ppid(53), std::vector<uint8_t>(65536)}));
  }
  const auto done = [&] { return pair.z().metrics().bytes_received >= kTransfer; };
  if (!pair.RunUntil(done, 1min)) return std::nullopt;
  return static_cast<double>((pair.now() - start).count()) / 1e6;
}

class EcnTransferTest : public testing::TestWithParam<CongestionAlgorithm> {};

TEST_P(EcnTransferTest, NothingIsLostAndTheQueueStaysShort) {  // RFC 3168 §5
  AssociationPair pair(Config(GetParam(), true, true));
  const auto seconds = Transfer(pair);
  ASSERT_TRUE(seconds);
  EXPECT_EQ(pair.overflowed(), 0u);
  EXPECT_EQ(pair.a().metrics().retransmitted_chunks, 0u);
  EXPECT_GT(pair.marked(), 0u);
  EXPECT_EQ(pair.z().metrics().ce_received, pair.marked());
  EXPECT_GT(pair.a().metrics().ecn_reductions, 0u);
  EXPECT_LE(pair.longest_queue(), 85ms);  // of the 122 ms that it holds
  EXPECT_LT(*seconds, 4.0);               // 3.4 s at the link's rate
}

TEST_P(EcnTransferTest, WithoutBothEndsConsentNothingIsMarked) {
  for (const auto& [a, z] : {std::tuple(true, false), std::tuple(false, true), std::tuple(false, false)}) {
    AssociationPair pair(Config(GetParam(), a, z));
    pair.set_filter([](Side, std::span<const uint8_t> packet) {
      EXPECT_FALSE(HasChunk(packet, ChunkType::kEcne) || HasChunk(packet, ChunkType::kCwr));
      return false;
    });
    ASSERT_TRUE(Transfer(pair));
    EXPECT_EQ(pair.marked(), 0u);
    EXPECT_EQ(pair.a().metrics().ecn_reductions, 0u);
    // What looks at losses alone finds the end of the queue.
    if (GetParam() == CongestionAlgorithm::kNewReno) {
      EXPECT_GT(pair.overflowed(), 0u);
    }
  }
}

TEST_P(EcnTransferTest, MarksAndLossesTogetherLoseNoData) {
  auto config = Config(GetParam(), true, true);
  config.link.loss = 0.01;
  config.link.reorder = 0.02;
  config.link.duplicate = 0.01;
  AssociationPair pair(config);
  ASSERT_TRUE(Transfer(pair));
  EXPECT_EQ(pair.z().metrics().messages_received, kTransfer / 65536);
  EXPECT_LE(pair.z().metrics().ce_received, pair.marked());
}

// The echo is repeated until it is answered, so that the loss of some SACKs does not matter (RFC 3168 §6.1.3).
TEST_P(EcnTransferTest, EchoesThatAreLostAreRepeated) {
  AssociationPair pair(Config(GetParam(), true, true));
  int lost = 0;
  pair.set_filter([&](Side from, std::span<const uint8_t> packet) {
    return from == Side::kZ && HasChunk(packet, ChunkType::kEcne) && lost++ % 4 != 3;
  });
  ASSERT_TRUE(Transfer(pair));
  EXPECT_GT(lost, 4);
  EXPECT_GT(pair.a().metrics().ecn_reductions, 0u);
  EXPECT_EQ(pair.overflowed(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Controllers, EcnTransferTest,
                         testing::Values(CongestionAlgorithm::kNewReno, CongestionAlgorithm::kCubic,
                                         CongestionAlgorithm::kModelBased),
                         [](const auto& tested) {
                           switch (tested.param) {
                             case CongestionAlgorithm::kNewReno:
                               return "NewReno";
                             case CongestionAlgorithm::kCubic:
                               return "Cubic";
                             case CongestionAlgorithm::kModelBased:
                               break;
                           }
                           return "ModelBased";
                         });

}  // namespace
}  // namespace jsp::sctp
