#include "ice/tcp_door.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/rng.h"
namespace jsp::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Bytes = std::vector<uint8_t>;
using Verdict = TcpDoor::Verdict;

// RFC 8489 §5: an empty Binding request.
const Bytes kCheck{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

Bytes Framed(const Bytes& datagram) {
  const auto header = TcpFrameHeader(datagram.size());
  Bytes out(header.begin(), header.end());
  out.insert(out.end(), datagram.begin(), datagram.end());
  return out;
}

IpAddress Source(uint32_t number) {
  return IpAddress::V4(10, static_cast<uint8_t>(number >> 16), static_cast<uint8_t>(number >> 8),
                       static_cast<uint8_t>(number));
}

class TcpDoorTest : public ::testing::Test {
 protected:
  Verdict Say(TcpVisitorId id, const Bytes& octets) {
    std::span<const uint8_t> input(octets);
    const auto heard = door_.HandleOctets(id, input);
    check_.assign(heard.check.begin(), heard.check.end());
    rest_.assign(input.begin(), input.end());
    return heard.verdict;
  }
  void Pass(Duration duration) {
    now_ = now_ + duration;
    door_.HandleTimeout(now_);
  }
  uint64_t refused(TcpRefusal reason) const { return door_.metrics().refused[static_cast<size_t>(reason)]; }

  Timestamp now_ = Timestamp::FromEpoch(seconds(1));
  TcpDoor door_{TcpDoorOptions{}};
  Bytes check_;
  Bytes rest_;
};

TEST_F(TcpDoorTest, LetsSeeTheFirstCheckAndLeavesTheRest) {  // RFC 6544 §7.2
  const auto id = door_.HandleAccepted(now_, Source(1));
  ASSERT_TRUE(id);
  Bytes stream = Framed(kCheck);
  const Bytes more{0, 3, 1, 2, 3};
  stream.insert(stream.end(), more.begin(), more.end());
  EXPECT_EQ(Say(*id, stream), Verdict::kCheck);
  EXPECT_EQ(check_, kCheck);
  EXPECT_EQ(rest_, more);
  door_.HandleLeft(*id);
  EXPECT_EQ(door_.size(), 0u);
  EXPECT_EQ(door_.NextTimeout(), Timestamp::Never());
}

TEST_F(TcpDoorTest, WaitsForACheckThatComesInPieces) {
  const auto id = door_.HandleAccepted(now_, Source(1));
  const Bytes stream = Framed(kCheck);
  for (size_t i = 0; i + 1 < stream.size(); ++i) ASSERT_EQ(Say(*id, {stream[i]}), Verdict::kWait) << i;
  EXPECT_EQ(Say(*id, {stream.back()}), Verdict::kCheck);
  EXPECT_EQ(check_, kCheck);
}

TEST_F(TcpDoorTest, I15_ASlowlorisHasFiveSecondsForAllOfItsCheck) {
  const auto id = door_.HandleAccepted(now_, Source(1));
  const Bytes stream = Framed(kCheck);
  for (size_t i = 0; i < 4; ++i) {  // an octet a second prolongs nothing
    EXPECT_EQ(Say(*id, {stream[i]}), Verdict::kWait);
    Pass(seconds(1));
    EXPECT_FALSE(door_.PollRefused());
  }
  EXPECT_EQ(door_.NextTimeout(), now_ + seconds(1));
  Pass(seconds(1));
  EXPECT_EQ(door_.PollRefused(), id);
  EXPECT_EQ(Say(*id, {stream[5]}), Verdict::kRefuse);
  EXPECT_EQ(refused(TcpRefusal::kTooSlow), 1u);
  EXPECT_EQ(door_.size(), 0u);
}

TEST_F(TcpDoorTest, I15_EmptyFramesProlongNothing) {
  const auto id = door_.HandleAccepted(now_, Source(1));
  EXPECT_EQ(Say(*id, Bytes(100'000, 0)), Verdict::kWait);
  Pass(seconds(5));
  EXPECT_EQ(door_.PollRefused(), id);
}

TEST_F(TcpDoorTest, I15_AGiantFrameIsRefusedByItsLength) {
  const auto id = door_.HandleAccepted(now_, Source(1));
  EXPECT_EQ(Say(*id, {0xff, 0xff}), Verdict::kRefuse);
  EXPECT_EQ(refused(TcpRefusal::kTooLong), 1u);
  EXPECT_EQ(door_.size(), 0u);
  const auto largest = door_.HandleAccepted(now_, Source(1));
  EXPECT_EQ(Say(*largest, {0x04, 0x00}), Verdict::kWait);
}

TEST_F(TcpDoorTest, RefusesWhatIsNoRequest) {
  Bytes response = kCheck;
  response[0] = 1;
  Bytes indication = kCheck;
  indication[1] = 0x11;
  Bytes torn = kCheck;
  torn[3] = 8;  // announces attributes that are not there
  for (const Bytes& wrong : {response, indication, torn, Bytes{'G', 'E', 'T', ' ', '/'}, Bytes{22, 254, 253}}) {
    const auto id = door_.HandleAccepted(now_, Source(1));
    EXPECT_EQ(Say(*id, Framed(wrong)), Verdict::kRefuse);
  }
  EXPECT_EQ(refused(TcpRefusal::kNotStun), 5u);
  EXPECT_EQ(door_.size(), 0u);
}

TEST_F(TcpDoorTest, I15_OneSourceHasAFewPlacesOnly) {
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(door_.HandleAccepted(now_, Source(1)));
  EXPECT_FALSE(door_.HandleAccepted(now_, Source(1)));
  EXPECT_TRUE(door_.HandleAccepted(now_, Source(2)));
  EXPECT_EQ(refused(TcpRefusal::kTooManyOfSource), 1u);
  Pass(seconds(5));
  EXPECT_TRUE(door_.HandleAccepted(now_, Source(1)));
}

TEST_F(TcpDoorTest, I15_AnIpv6SourceIsItsPrefix) {
  for (int i = 0; i < 16; ++i) {
    ASSERT_TRUE(door_.HandleAccepted(now_, *IpAddress::Parse("2001:db8:0:1::" + std::to_string(i + 1))));
  }
  EXPECT_FALSE(door_.HandleAccepted(now_, *IpAddress::Parse("2001:db8:0:1:ffff::1")));
  EXPECT_TRUE(door_.HandleAccepted(now_, *IpAddress::Parse("2001:db8:0:2::1")));
}

TEST_F(TcpDoorTest, I15_AFloodOfSilentOnesKeepsNobodyOut) {
  const auto first = door_.HandleAccepted(now_, Source(1));
  for (uint32_t i = 2; i <= 256; ++i) ASSERT_TRUE(door_.HandleAccepted(now_, Source(i)));
  EXPECT_FALSE(door_.PollRefused());
  const auto honest = door_.HandleAccepted(now_, Source(1000));
  ASSERT_TRUE(honest);
  EXPECT_EQ(door_.PollRefused(), first);
  EXPECT_EQ(door_.size(), 256u);
  for (uint32_t i = 2000; i < 2200; ++i) ASSERT_TRUE(door_.HandleAccepted(now_, Source(i)));
  EXPECT_EQ(Say(*honest, Framed(kCheck)), Verdict::kCheck);
}

TEST_F(TcpDoorTest, I15_EofInAFrameFreesThePlace) {
  const auto id = door_.HandleAccepted(now_, Source(1));
  EXPECT_EQ(Say(*id, {0, 20, 0, 1}), Verdict::kWait);
  door_.HandleGone(*id);
  EXPECT_EQ(door_.size(), 0u);
  EXPECT_EQ(refused(TcpRefusal::kGone), 1u);
  door_.HandleGone(*id);  // again: nothing
  EXPECT_EQ(refused(TcpRefusal::kGone), 1u);
}

TEST_F(TcpDoorTest, I15_SurvivesAnyOrderOfWhatCanHappen) {
  constexpr uint64_t kSeed = 4571;
  Rng rng = Rng::FromNumber(kSeed);
  std::vector<TcpVisitorId> ids{TcpVisitorId(1)};
  for (int i = 0; i < 20'000; ++i) {
    const TcpVisitorId id = ids[rng.Below(ids.size())];
    switch (rng.Below(5)) {
      case 0:
      case 1:
        if (const auto in = door_.HandleAccepted(now_, Source(static_cast<uint32_t>(rng.Below(60)))))
          ids.push_back(*in);
        break;
      case 2: {
        Bytes noise(rng.Below(40));
        rng.Fill(noise);
        if (Say(id, rng.Below(2) == 0 ? Framed(kCheck) : noise) == Verdict::kCheck) door_.HandleLeft(id);
        break;
      }
      case 3:
        door_.HandleGone(id);
        break;
      default:
        Pass(milliseconds(rng.Below(200)));
    }
    while (door_.PollRefused()) continue;
    ASSERT_LE(door_.size(), 256u) << "seed " << kSeed << " step " << i;
    ASSERT_TRUE(door_.size() > 0 || door_.NextTimeout() == Timestamp::Never());
    if (ids.size() > 300) ids.erase(ids.begin());
  }
  Pass(seconds(5));
  EXPECT_EQ(door_.size(), 0u);
}

}  // namespace
}  // namespace jsp::ice
