#include "sctp/association/state_cookie.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "sctp/association/capabilities.h"
#include "sctp/association/control_queue.h"
#include "sctp/packet/chunk/cookie_ack.h"
#include "sctp/packet/chunk/cookie_echo.h"
#include "sctp/packet/packet_builder.h"
namespace jsp::sctp {
namespace {

using namespace std::chrono_literals;

StateCookie Sample() {
  StateCookie cookie;
  cookie.created = Timestamp::FromEpoch(123456789us);
  cookie.lifetime = 61s;
  cookie.local_port = 5000;
  cookie.remote_port = 5001;
  cookie.tie_tags = {.local = 0x01020304, .peer = 0x05060708};
  cookie.agreement = {.my_tag = VerificationTag(0x11111111),
                      .peer_tag = VerificationTag(0x22222222),
                      .my_initial_tsn = Tsn(0xfffffffe),
                      .peer_initial_tsn = Tsn(0x33333333),
                      .peer_a_rwnd = 1 << 20,
                      .outgoing_streams = 100,
                      .incoming_streams = 200,
                      .capabilities = {.partial_reliability = true, .stream_reset = false}};
  return cookie;
}

TEST(StateCookieTest, OpensWhatItSealed) {  // RFC 9260 §5.1.3
  Rng rng = Rng::FromNumber(1);
  const CookieJar jar(rng);
  const auto opened = jar.Open(jar.Seal(Sample()));
  ASSERT_TRUE(opened);
  EXPECT_EQ(*opened, Sample());
  StateCookie other = Sample();
  other.agreement.capabilities = {.partial_reliability = false, .stream_reset = true};
  EXPECT_EQ(*jar.Open(jar.Seal(other)), other);
}

TEST(StateCookieTest, C13_RefusesEveryChangedBitAndEverySize) {  // RFC 9260 §5.1.5
  Rng rng = Rng::FromNumber(1);
  const CookieJar jar(rng);
  const auto sealed = jar.Seal(Sample());
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    auto forged = sealed;
    forged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    const auto opened = jar.Open(forged);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error(), CookieError::kWrongMac);
  }
  std::vector<uint8_t> longer(sealed.begin(), sealed.end());
  longer.push_back(0);
  EXPECT_EQ(jar.Open(longer).error(), CookieError::kWrongSize);
  for (size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_EQ(jar.Open(std::span(sealed).first(size)).error(), CookieError::kWrongSize);
  }
}

TEST(StateCookieTest, C13_EveryJarHasItsOwnKey) {
  Rng rng = Rng::FromNumber(1);
  const CookieJar first(rng);
  const CookieJar second(rng);
  EXPECT_FALSE(second.Open(first.Seal(Sample())));
}

TEST(StateCookieTest, C23_HoldsNoAddressOfThisProcess) {
  Rng rng = Rng::FromNumber(1);
  const CookieJar jar(rng);
  const StateCookie cookie = Sample();
  const auto sealed = jar.Seal(cookie);
  // Every octet before the MAC is explained by a field that the peer knows or that is random; so equal fields give
  // equal octets, wherever objects lie.
  const auto again = std::make_unique<StateCookie>(Sample());
  Rng same = Rng::FromNumber(1);
  const auto other_jar = std::make_unique<CookieJar>(same);
  EXPECT_EQ(sealed, other_jar->Seal(*again));
  // And none of the addresses that are around is in it.
  for (const void* pointer : {static_cast<const void*>(&jar), static_cast<const void*>(&cookie),
                              static_cast<const void*>(&rng), static_cast<const void*>(again.get())}) {
    uint8_t octets[6];
    std::memcpy(octets, &pointer, sizeof(octets));
    EXPECT_EQ(std::search(sealed.begin(), sealed.begin() + CookieJar::kPlainSize, octets, octets + 6),
              sealed.begin() + CookieJar::kPlainSize);
  }
}

TEST(CapabilitiesTest, AgreesOnTheLesserNumberOfStreams) {  // RFC 9260 §5.1.1
  Options options;
  options.outgoing_streams = 50;
  options.max_incoming_streams = 60;
  const Announcement mine = Announce(options, VerificationTag(1), Tsn(10));
  const Announcement peer{
      .tag = VerificationTag(2), .initial_tsn = Tsn(20), .a_rwnd = 3000, .outbound_streams = 70, .inbound_streams = 40};
  const Agreement agreement =
      Agree(options, mine, peer, {.capabilities = {.partial_reliability = true, .stream_reset = true}});
  EXPECT_EQ(agreement.outgoing_streams, 40);
  EXPECT_EQ(agreement.incoming_streams, 60);
  EXPECT_EQ(agreement.my_tag, VerificationTag(1));
  EXPECT_EQ(agreement.peer_tag, VerificationTag(2));
  EXPECT_EQ(agreement.my_initial_tsn, Tsn(10));
  EXPECT_EQ(agreement.peer_initial_tsn, Tsn(20));
  EXPECT_EQ(agreement.peer_a_rwnd, 3000u);
}

TEST(CapabilitiesTest, AnnouncesWhatItReads) {
  const auto own = OwnParameters(Options{});
  const InitParameters parameters = ReadParameters(ParameterRange(own));
  EXPECT_EQ(
      parameters.capabilities,
      (Capabilities{.partial_reliability = true, .stream_reset = true, .interleaving = true, .zero_checksum = true}));
  EXPECT_TRUE(parameters.has_i_forward_tsn);
  EXPECT_TRUE(parameters.unrecognized.empty());
  EXPECT_FALSE(parameters.cookie);
}

TEST(CapabilitiesTest, InterleavingNeedsBothEnds) {  // RFC 8260 §2.2.1
  Options options;
  const Announcement end{
      .tag = VerificationTag(2), .initial_tsn = Tsn(20), .outbound_streams = 1, .inbound_streams = 1};
  const auto agree = [&](const std::vector<uint8_t>& peer) {
    return Agree(options, end, end, ReadParameters(ParameterRange(peer)));
  };
  EXPECT_EQ(agree(OwnParameters(options)).framing(), Framing::kIData);
  Options without;
  without.interleaving = false;
  const auto plain = OwnParameters(without);
  EXPECT_EQ(agree(plain).framing(), Framing::kData);
  const auto full = OwnParameters(options);
  options.interleaving = false;
  EXPECT_EQ(agree(full).framing(), Framing::kData);
}

TEST(CapabilitiesTest, PartialReliabilityWithInterleavingNeedsIForwardTsn) {  // RFC 8260 §2.3.1
  const Announcement end{
      .tag = VerificationTag(2), .initial_tsn = Tsn(20), .outbound_streams = 1, .inbound_streams = 1};
  // RE-CONFIG, FORWARD TSN and I-DATA, without I-FORWARD-TSN.
  const std::vector<uint8_t> peer{0x80, 0x08, 0, 7, 130, 192, 64, 0};
  const Agreement agreement = Agree(Options{}, end, end, ReadParameters(ParameterRange(peer)));
  EXPECT_EQ(agreement.framing(), Framing::kIData);
  EXPECT_FALSE(agreement.capabilities.partial_reliability);
}

TEST(CapabilitiesTest, TakesForwardTsnFromEitherParameter) {  // RFC 3758 §3.1
  const std::vector<uint8_t> listed{0x80, 0x08, 0, 5, 192, 0, 0, 0};
  EXPECT_TRUE(ReadParameters(ParameterRange(listed)).capabilities.partial_reliability);
  const std::vector<uint8_t> alone{0xc0, 0x00, 0, 4};
  EXPECT_TRUE(ReadParameters(ParameterRange(alone)).capabilities.partial_reliability);
}

TEST(CapabilitiesTest, TheReceiveWindowHoldsTheLargestMessage) {
  Options options;
  options.receive_window = 1000;
  options.max_message_size = 100000;
  EXPECT_GT(ReceiveWindowSize(options), 100000u);
  EXPECT_EQ(ReceiveMessageLimit(options), 100000u);
  options.max_message_size = 0;
  options.receive_window = 1 << 20;
  EXPECT_EQ(ReceiveWindowSize(options), 1u << 20);
  EXPECT_LT(ReceiveMessageLimit(options), 1u << 20);
  options.receive_window = SIZE_MAX;
  EXPECT_EQ(ReceiveWindowSize(options), 0xffffffffu);  // a_rwnd has 32 bits
}

TEST(ControlQueueTest, HoldsAtMostOnePacketOfWholeChunks) {  // RFC 9260 §12.4
  ControlQueue queue(100);
  const std::vector<uint8_t> cookie(37);
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.Add(CookieEchoChunk{cookie}));  // 41, padded to 44
  EXPECT_EQ(queue.Size(), 44u);
  EXPECT_TRUE(queue.Add(CookieEchoChunk{cookie}));
  EXPECT_FALSE(queue.Add(CookieEchoChunk{cookie}));
  EXPECT_TRUE(queue.Add(CookieAckChunk{}));
  EXPECT_EQ(queue.Size(), 92u);
  std::vector<uint8_t> packet(200);
  PacketBuilder builder(packet, {});
  EXPECT_TRUE(builder.Add(queue));
  EXPECT_EQ(builder.size(), 12u + 92u);
  queue.Clear();
  EXPECT_TRUE(queue.empty());
}

TEST(CookieJarTest, C22_TheHashKeyIsOfOneJar) {
  Rng rng = Rng::FromNumber(1);
  const CookieJar jar(rng);
  const CookieJar other(rng);
  EXPECT_EQ(jar.hash_key(), jar.hash_key());
  EXPECT_NE(jar.hash_key(), other.hash_key());
}

TEST(ControlQueueTest, NeverHoldsWhatExceedsAPacket) {
  ControlQueue queue(1000);
  const std::vector<uint8_t> huge(70000);
  EXPECT_FALSE(queue.Add(CookieEchoChunk{huge}));
  EXPECT_FALSE(queue.Add(CookieEchoChunk{std::span(huge).first(997)}));
  EXPECT_TRUE(queue.Add(CookieEchoChunk{std::span(huge).first(996)}));
}

}  // namespace
}  // namespace jsp::sctp
