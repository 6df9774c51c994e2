#include "ice/prediction.h"

#include <gtest/gtest.h>

#include "base/rng.h"
namespace jsp::ice {
namespace {

const IpAddress kOutside = IpAddress::V4(203, 0, 113, 1);

std::vector<Observation> Seen(std::initializer_list<int> ports) {
  std::vector<Observation> seen;
  for (const int port : ports) {
    const auto server = static_cast<uint8_t>(seen.size() + 1);
    seen.push_back({{IpAddress::V4(198, 51, 100, server), 3478}, {kOutside, static_cast<uint16_t>(port)}});
  }
  return seen;
}
std::vector<int> Ports(const std::vector<Observation>& seen, const PredictionOptions& options = {}) {
  std::vector<int> ports;
  for (const auto& address : PredictMappings(seen, options)) {
    EXPECT_EQ(address.ip, kOutside);
    ports.push_back(address.port);
  }
  return ports;
}

TEST(PredictionTest, GoesOnFromTheLastOfTwoMappings) {
  EXPECT_EQ(Ports(Seen({40000, 40001})), (std::vector{40002, 40003, 40004, 40005, 40006, 40007, 40008, 40009}));
}

TEST(PredictionTest, KnowsOtherStepsAndDownwards) {
  EXPECT_EQ(Ports(Seen({40000, 40002}), {.max_candidates = 3}), (std::vector{40004, 40006, 40008}));
  EXPECT_EQ(Ports(Seen({40000, 39999}), {.max_candidates = 3}), (std::vector{39998, 39997, 39996}));
}

TEST(PredictionTest, SeesTheStepThroughWhatOthersTook) {
  EXPECT_EQ(Ports(Seen({40000, 40003, 40005}), {.max_candidates = 2}), (std::vector{40006, 40007}));
  EXPECT_EQ(Ports(Seen({40000, 40004, 40010}), {.max_candidates = 2}), (std::vector{40012, 40014}));
}

TEST(PredictionTest, SaysNothingOfANatThatMapsIndependently) {  // RFC 4787 §4.1
  EXPECT_TRUE(Ports(Seen({40000, 40000})).empty());
  EXPECT_TRUE(Ports(Seen({40000})).empty());
  EXPECT_TRUE(Ports(Seen({})).empty());
}

TEST(PredictionTest, TwoPortsOfOneServerMayShareAMapping) {  // RFC 4787 §4.1: address-dependent
  EXPECT_EQ(Ports(Seen({40000, 40000, 40001}), {.max_candidates = 1}), (std::vector{40002}));
}

TEST(PredictionTest, SaysNothingOfPortsInNoOrder) {
  EXPECT_TRUE(Ports(Seen({40000, 51234})).empty());
  EXPECT_TRUE(Ports(Seen({40000, 40001, 40000})).empty());
  EXPECT_TRUE(Ports(Seen({40000, 40017})).empty());
  EXPECT_EQ(Ports(Seen({40000, 40017}), {.max_step = 17}).size(), 8u);
}

TEST(PredictionTest, SaysNothingOfANatWithSeveralAddresses) {  // RFC 4787 §4.1 REQ-2
  auto seen = Seen({40000, 40001});
  seen[1].mapped.ip = IpAddress::V4(203, 0, 113, 2);
  EXPECT_TRUE(PredictMappings(seen, {}).empty());
}

TEST(PredictionTest, StaysAmongThePortsThatNatsGive) {  // RFC 4787 §4.2.1
  EXPECT_EQ(Ports(Seen({65532, 65533})), (std::vector{65534, 65535}));
  EXPECT_EQ(Ports(Seen({1026, 1025})), (std::vector{1024}));
}

TEST(PredictionTest, MayBeSwitchedOff) {
  EXPECT_TRUE(Ports(Seen({40000, 40001}), {.is_enabled = false}).empty());
  EXPECT_TRUE(Ports(Seen({40000, 40001}), {.max_candidates = 0}).empty());
}

TEST(PredictionTest, IsSeldomDeceivedByRandomPorts) {
  Rng rng = Rng::FromNumber(3);
  int deceived = 0;
  const auto port = [&] { return static_cast<int>(1024 + rng.Below(64512)); };
  for (int i = 0; i < 100000; ++i) deceived += Ports(Seen({port(), port()})).empty() ? 0 : 1;
  // 32 of 64,512 neighbours: 49.6 of 100,000; ± 5 standard deviations.
  EXPECT_GE(deceived, 15);
  EXPECT_LE(deceived, 85);
}

}  // namespace
}  // namespace jsp::ice
