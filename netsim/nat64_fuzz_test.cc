// Packets of anybody, right ones that were bent among them, from a seed: nothing may crash, go uncounted, leave with an
// address that is not the translator's to give, or be more than the link of the inside takes.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "netsim/nat64.h"
#include "netsim/nat64_translator.h"
#include "netsim/nat_type.h"

namespace jsp::netsim {
namespace {

using Octets = std::vector<uint8_t>;

constexpr size_t kInsideMtu = 1400;
const IpAddress kPrefix = WellKnownNat64Prefix();
const IpAddress kOutside = IpAddress::V4(203, 0, 113, 1);

void Put16(std::span<uint8_t> octets, size_t at, uint16_t value) {
  octets[at] = static_cast<uint8_t>(value >> 8);
  octets[at + 1] = static_cast<uint8_t>(value);
}

// Of ICMP, TCP and UDP in a packet with a header of the usual size; whatever they are, where there is no room.
void MakeChecksumsRight(Octets& packet) {
  if (!packet.empty() && packet[0] == 0x45 && packet.size() >= kIpv4Octets) {
    Put16(packet, 10, 0);
    InternetChecksum header;
    header.Add(std::span(packet).first(kIpv4Octets));
    Put16(packet, 10, header.Value());
  }
  const auto parsed = ParseIp(packet);
  if (!parsed) return;
  const uint8_t protocol = parsed->header.protocol;
  const size_t at = protocol == kProtocolUdp ? 6 : protocol == kProtocolTcp ? 16 : 2;
  if (parsed->payload.size() < at + 2) return;
  const auto payload = std::span(packet).subspan(static_cast<size_t>(parsed->payload.data() - packet.data()));
  Put16(payload, at, 0);
  InternetChecksum checksum;
  if (protocol != kProtocolIcmp) AddPseudoHeader(parsed->header, parsed->payload.size(), checksum);
  checksum.Add(parsed->payload);
  Put16(payload, at, checksum.Value());
}

class Nat64Fuzzer {
 public:
  explicit Nat64Fuzzer(uint64_t seed)
      : rng_(Rng::FromNumber(seed)), nat64_(Options(rng_.Below(2) == 0), kOutside, Rng::FromNumber(seed), kInsideMtu) {}

  void Step() {
    now_ = now_ + Duration(static_cast<Duration::rep>(rng_.Below(rng_.Below(20) == 0 ? 400'000'000 : 100'000)));
    Octets packet = rng_.Below(3) == 0 ? MakeError() : MakeTransport();
    if (rng_.Below(2) == 0) Bend(packet);
    if (rng_.Below(4) != 0) MakeChecksumsRight(packet);
    Translate(packet);
  }
  const Nat64Stats& stats() const { return nat64_.stats(); }

 private:
  static NatOptions Options(bool hairpin) {
    NatOptions options = OptionsFor(NatType::kNat64);
    options.hairpin = hairpin;
    return options;
  }
  SocketAddress Host() { return {*IpAddress::Parse("2001:db8:64::" + std::to_string(1 + rng_.Below(3))), Port()}; }
  SocketAddress Server() { return {IpAddress::V4(198, 51, 100, static_cast<uint8_t>(rng_.Below(3))), Port()}; }
  uint16_t Port() { return static_cast<uint16_t>(5000 + rng_.Below(3)); }
  PacketEnds Ends(bool is_v6) {
    if (!is_v6) return {Server(), {kOutside, Port()}};
    const SocketAddress to = rng_.Below(8) == 0 ? SocketAddress{kOutside, Port()} : Server();
    return {Host(), {EmbedIpv4(kPrefix, to.ip), to.port}};
  }

  Octets MakeTransport() {
    const bool is_v6 = rng_.Below(2) == 0;
    const PacketEnds ends = Ends(is_v6);
    IpHeader header{.source = ends.from.ip, .destination = ends.to.ip};
    header.protocol = rng_.Below(2) == 0 ? kProtocolUdp : kProtocolTcp;
    header.hop_limit = static_cast<uint8_t>(rng_.Below(10) == 0 ? rng_.Below(3) : 64);
    if (rng_.Below(2) == 0) header.fragmentation = IpFragmentation::kAllowed;
    constexpr std::array<size_t, 4> kMost{1, 60, 2000, 65600};
    const size_t size = 20 + rng_.Below(kMost[rng_.Below(kMost.size())]);
    Octets payload(std::min<size_t>(size, is_v6 ? 65535 : 65515));
    Put16(payload, 0, ends.from.port);
    Put16(payload, 2, ends.to.port);
    payload[12] = 0x50;
    payload[13] = static_cast<uint8_t>(rng_.Below(32));
    return Join(header, payload);
  }
  // About a packet that came out here before, or about anything.
  Octets MakeError() {
    const Octets about = sent_.empty() || rng_.Below(4) == 0 ? MakeTransport() : sent_[rng_.Below(sent_.size())];
    const auto quoted = ParseIp(about);
    if (!quoted) return about;
    const bool is_v6 = quoted->header.source.is_v6();
    IpHeader header{.source = is_v6 ? Host().ip : Server().ip, .destination = quoted->header.source};
    header.protocol = is_v6 ? kProtocolIcmpV6 : kProtocolIcmp;
    Octets payload(8);
    payload[0] = static_cast<uint8_t>(rng_.Below(13));
    payload[1] = static_cast<uint8_t>(rng_.Below(16));
    Put16(payload, 6, static_cast<uint16_t>(rng_.Below(65536)));
    const size_t size = std::min<size_t>(about.size(), rng_.Below(1300));
    payload.insert(payload.end(), about.begin(), about.begin() + static_cast<std::ptrdiff_t>(size));
    return Join(header, payload);
  }
  static Octets Join(const IpHeader& header, const Octets& payload) {
    Octets packet;
    AppendIpHeader(header, payload.size(), packet);
    packet.insert(packet.end(), payload.begin(), payload.end());
    return packet;
  }
  void Bend(Octets& packet) {
    for (size_t i = rng_.Below(4); i > 0 && !packet.empty(); --i) {
      // Most of what is decided by is at the front.
      const size_t at = rng_.Below(std::min<size_t>(packet.size(), rng_.Below(2) == 0 ? 100 : SIZE_MAX));
      packet[at] = static_cast<uint8_t>(rng_.Below(256));
    }
    if (rng_.Below(4) == 0) packet.resize(rng_.Below(packet.size() + 1));
    if (rng_.Below(8) == 0) packet.resize(packet.size() + rng_.Below(64));
  }

  void Translate(const Octets& packet) {
    const uint64_t before = Counted();
    const auto out = nat64_.Translate(now_, packet);
    EXPECT_EQ(Counted(), before + 1);
    for (const Octets& octets : out) Check(octets);
    if (out.empty()) return;
    if (sent_.size() >= 16) sent_.erase(sent_.begin());
    sent_.push_back(out[0]);
  }
  void Check(const Octets& octets) {
    const auto packet = ParseIp(octets);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->payload.size(), packet->payload_octets);
    const auto& [source, destination] = std::pair(packet->header.source, packet->header.destination);
    if (source.is_v4()) {
      EXPECT_EQ(source, kOutside);
      return;
    }
    EXPECT_LE(octets.size(), kInsideMtu);
    EXPECT_TRUE(ExtractIpv4(kPrefix, source));
    EXPECT_FALSE(ExtractIpv4(kPrefix, destination));
  }
  uint64_t Counted() const {
    const Nat64Stats& stats = nat64_.stats();
    return std::accumulate(stats.dropped.begin(), stats.dropped.end(), stats.to_v4 + stats.to_v6 + stats.errors);
  }

  Rng rng_;
  Timestamp now_;
  Nat64Translator nat64_;
  std::vector<Octets> sent_;  // the latest
};

TEST(Nat64FuzzTest, NoPacketGetsThroughThatShouldNotAndNoneGoesUncounted) {
  Nat64Stats sum;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Nat64Fuzzer fuzzer(seed);
    for (int step = 0; step < 300 && !testing::Test::HasFailure(); ++step) fuzzer.Step();
    sum.to_v4 += fuzzer.stats().to_v4;
    sum.to_v6 += fuzzer.stats().to_v6;
    sum.errors += fuzzer.stats().errors;
    sum.fragmented += fuzzer.stats().fragmented;
    for (size_t i = 0; i < kNat64Drops; ++i) sum.dropped[i] += fuzzer.stats().dropped[i];
  }
  // It gets everywhere.
  EXPECT_GT(sum.to_v4, 1000u);
  EXPECT_GT(sum.to_v6, 500u);
  EXPECT_GT(sum.errors, 50u);
  EXPECT_GT(sum.fragmented, 10u);
  for (const uint64_t dropped : sum.dropped) EXPECT_GT(dropped, 10u);
}

}  // namespace
}  // namespace jsp::netsim
