#include "netsim/nat64_translator.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_reader.h"
#include "netsim/nat64.h"
#include "netsim/nat_type.h"

namespace jsp::netsim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Octets = std::vector<uint8_t>;

const IpAddress kPrefix = WellKnownNat64Prefix();
const IpAddress kOutside = IpAddress::V4(203, 0, 113, 1);
const SocketAddress kInside{*IpAddress::Parse("2001:db8:64::1"), 5000};
const SocketAddress kServer{IpAddress::V4(198, 51, 100, 1), 3478};
const SocketAddress kServerSeen{EmbedIpv4(kPrefix, kServer.ip), kServer.port};
const SocketAddress kMapped{kOutside, 5000};

void Put16(Octets& octets, size_t at, uint16_t value) {
  octets[at] = static_cast<uint8_t>(value >> 8);
  octets[at + 1] = static_cast<uint8_t>(value);
}
uint16_t Get16(std::span<const uint8_t> octets, size_t at) {
  return static_cast<uint16_t>(octets[at] << 8 | octets[at + 1]);
}

// Of UDP and TCP, and ICMP of either family: what is right gives 0.
uint16_t ChecksumOf(const IpPacket& packet) {
  InternetChecksum checksum;
  if (packet.header.protocol != kProtocolIcmp) AddPseudoHeader(packet.header, packet.payload.size(), checksum);
  checksum.Add(packet.payload);
  return checksum.Value();
}

// A packet with this payload, whose checksum, at `checksum_at` in it, is made right.
Octets MakePacket(IpHeader header, Octets payload, size_t checksum_at) {
  InternetChecksum checksum;
  if (header.protocol != kProtocolIcmp) AddPseudoHeader(header, payload.size(), checksum);
  checksum.Add(payload);
  Put16(payload, checksum_at, checksum.Value());
  Octets packet;
  AppendIpHeader(header, payload.size(), packet);
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

IpHeader HeaderOf(const SocketAddress& from, const SocketAddress& to, uint8_t protocol) {
  IpHeader header{.source = from.ip, .destination = to.ip, .protocol = protocol};
  header.traffic_class = 2;  // ECT(0), RFC 3168 §5
  return header;
}

Octets Udp(const SocketAddress& from, const SocketAddress& to, const std::string& text,
           IpFragmentation fragmentation = IpFragmentation::kForbidden) {
  Octets payload(8);
  Put16(payload, 0, from.port);
  Put16(payload, 2, to.port);
  Put16(payload, 4, static_cast<uint16_t>(8 + text.size()));
  payload.insert(payload.end(), text.begin(), text.end());
  IpHeader header = HeaderOf(from, to, kProtocolUdp);
  header.fragmentation = fragmentation;
  return MakePacket(header, std::move(payload), 6);
}

Octets Tcp(const SocketAddress& from, const SocketAddress& to, uint8_t flags) {
  Octets payload(20);
  Put16(payload, 0, from.port);
  Put16(payload, 2, to.port);
  payload[12] = 0x50;
  payload[13] = flags;
  return MakePacket(HeaderOf(from, to, kProtocolTcp), std::move(payload), 16);
}

// An ICMP error from `router` to the sender of `about`.
Octets Error(const IpAddress& router, const IcmpError& error, const Octets& about, size_t quoted = SIZE_MAX) {
  const auto packet = ParseIp(about);
  Octets payload{error.type,
                 error.code,
                 0,
                 0,
                 static_cast<uint8_t>(error.rest >> 24),
                 static_cast<uint8_t>(error.rest >> 16),
                 static_cast<uint8_t>(error.rest >> 8),
                 static_cast<uint8_t>(error.rest)};
  payload.insert(payload.end(), about.begin(), about.begin() + static_cast<long>(std::min(quoted, about.size())));
  const uint8_t protocol = router.is_v4() ? kProtocolIcmp : kProtocolIcmpV6;
  return MakePacket(HeaderOf({router, 0}, {packet->header.source, 0}, protocol), std::move(payload), 2);
}

std::string TextOf(const IpPacket& packet) { return {packet.payload.begin() + 8, packet.payload.end()}; }

class Nat64TranslatorTest : public testing::Test {
 protected:
  static NatOptions Options() { return OptionsFor(NatType::kNat64); }
  // The only packet that comes of one; nullopt: none.
  std::optional<IpPacket> Pass(const Octets& octets) {
    const auto out = nat64.Translate(now, octets);
    EXPECT_LE(out.size(), 1u);
    if (out.empty()) return std::nullopt;
    last = out[0];
    return ParseIp(last);
  }
  static PacketEnds EndsOf(const IpPacket& packet) {
    return {{packet.header.source, Get16(packet.payload, 0)}, {packet.header.destination, Get16(packet.payload, 2)}};
  }
  void ExpectEnds(const std::optional<IpPacket>& packet, const SocketAddress& from, const SocketAddress& to) {
    ASSERT_TRUE(packet);
    EXPECT_EQ(EndsOf(*packet).from, from);
    EXPECT_EQ(EndsOf(*packet).to, to);
    EXPECT_EQ(ChecksumOf(*packet), 0);
  }

  Timestamp now = Timestamp::FromEpoch(seconds(1));
  Nat64Translator nat64{Options(), kOutside, Rng::FromNumber(1)};
  Octets last;
};

TEST_F(Nat64TranslatorTest, ADatagramGoesOutAndItsAnswerComesIn) {  // RFC 6146 §3.5
  const auto out = Pass(Udp(kInside, kServerSeen, "question"));
  ExpectEnds(out, kMapped, kServer);
  EXPECT_EQ(TextOf(*out), "question");
  EXPECT_EQ(out->header.hop_limit, 63);
  EXPECT_EQ(out->header.traffic_class, 2) << "with its ECN mark, RFC 3168 §5";
  const auto in = Pass(Udp(kServer, kMapped, "answer"));
  ExpectEnds(in, kServerSeen, kInside);
  EXPECT_EQ(TextOf(*in), "answer");
  EXPECT_EQ(in->header.hop_limit, 63);
  EXPECT_EQ(nat64.stats().to_v4, 1u);
  EXPECT_EQ(nat64.stats().to_v6, 1u);
}

TEST_F(Nat64TranslatorTest, AConnectionGoesOutAndItsAnswerComesIn) {
  ExpectEnds(Pass(Tcp(kInside, kServerSeen, 2)), kMapped, kServer);
  ExpectEnds(Pass(Tcp(kServer, kMapped, 18)), kServerSeen, kInside);
  now = now + minutes(100);
  ExpectEnds(Pass(Tcp(kServer, kMapped, 16)), kServerSeen, kInside);  // RFC 5382 §5 REQ-5
  now = now + minutes(100);
  EXPECT_FALSE(Pass(Tcp(kServer, kMapped, 16))) << "nothing went out for more than two hours";
}

TEST_F(Nat64TranslatorTest, FiltersByAddressAndForgetsAsTheNatOfTheSimulation) {  // RFC 6146 §3.5.1
  const SocketAddress stranger{IpAddress::V4(198, 51, 100, 9), 3478};
  EXPECT_FALSE(Pass(Udp(kServer, kMapped, "too early")));
  (void)Pass(Udp(kInside, kServerSeen, "question"));
  EXPECT_FALSE(Pass(Udp(stranger, kMapped, "from elsewhere")));
  EXPECT_TRUE(Pass(Udp({kServer.ip, 9}, kMapped, "from another port")));
  EXPECT_EQ(nat64.dropped(Nat64Drop::kNat), 2u);
  EXPECT_EQ(nat64.nat().stats().filtered, 1u);
  EXPECT_EQ(nat64.nat().stats().no_mapping, 1u);
  now = now + minutes(3);
  EXPECT_FALSE(Pass(Udp(kServer, kMapped, "too late")));
}

TEST_F(Nat64TranslatorTest, WhatIsCorruptedStaysCorrupted) {
  Octets question = Udp(kInside, kServerSeen, "question");
  question.back() ^= 1;
  const auto out = Pass(question);
  ASSERT_TRUE(out);
  EXPECT_NE(ChecksumOf(*out), 0);
}

TEST_F(Nat64TranslatorTest, ADatagramWithoutAChecksumGetsOneAndFromIpv6ThereIsNone) {  // RFC 8200 §8.1
  (void)Pass(Udp(kInside, kServerSeen, "question"));
  Octets answer = Udp(kServer, kMapped, "odd");
  Put16(answer, kIpv4Octets + 6, 0);
  ExpectEnds(Pass(answer), kServerSeen, kInside);
  Octets question = Udp(kInside, kServerSeen, "question");
  Put16(question, kIpv6Octets + 6, 0);
  EXPECT_FALSE(Pass(question));
  EXPECT_EQ(nat64.dropped(Nat64Drop::kMalformed), 1u);
}

// RFC 768: a checksum that comes to 0 is sent as all ones. Some text out of 65,536 has it.
TEST_F(Nat64TranslatorTest, AChecksumOfZeroIsNeverSent) {
  bool had_zero = false;
  for (int i = 0; i < 65536 && !had_zero; ++i) {
    const auto out = Pass(Udp(kInside, kServerSeen, {static_cast<char>(i >> 8), static_cast<char>(i)}));
    ASSERT_TRUE(out);
    ASSERT_NE(Get16(out->payload, 6), 0);
    had_zero = Get16(out->payload, 6) == 0xffff;
    if (had_zero) {
      EXPECT_EQ(ChecksumOf(*out), 0);
    }
  }
  EXPECT_TRUE(had_zero);
}

TEST_F(Nat64TranslatorTest, WhatIsNotForItGoesNowhere) {
  EXPECT_FALSE(Pass(Udp(kInside, {*IpAddress::Parse("2001:db8::9"), 1}, "IPv6 alone")));
  EXPECT_FALSE(Pass(Udp(kServer, {IpAddress::V4(203, 0, 113, 9), 5000}, "to another")));
  EXPECT_EQ(nat64.dropped(Nat64Drop::kNotForUs), 2u);
  EXPECT_FALSE(Pass(Udp({EmbedIpv4(kPrefix, kOutside), 1}, kServerSeen, "in circles")));
  EXPECT_EQ(nat64.dropped(Nat64Drop::kMalformed), 1u);
  EXPECT_EQ(nat64.nat().stats().mappings, 0u);
}

TEST_F(Nat64TranslatorTest, AtItsLastHopAPacketEnds) {
  Octets question = Udp(kInside, kServerSeen, "question");
  question[7] = 1;
  EXPECT_FALSE(Pass(question));
  EXPECT_EQ(nat64.dropped(Nat64Drop::kHopLimit), 1u);
}

TEST_F(Nat64TranslatorTest, FragmentsAndOtherProtocolsEndHere) {
  (void)Pass(Udp(kInside, kServerSeen, "question"));
  Octets fragment;
  IpHeader header = HeaderOf(kInside, kServerSeen, kProtocolIpv6Fragment);
  AppendIpHeader(header, 16, fragment);
  fragment.resize(fragment.size() + 16);
  EXPECT_FALSE(Pass(fragment));
  EXPECT_EQ(nat64.dropped(Nat64Drop::kFragment), 1u);
  for (const uint8_t protocol : {uint8_t{0}, uint8_t{132}, kProtocolIcmp}) {
    Octets other;
    header.protocol = protocol;
    AppendIpHeader(header, 16, other);
    other.resize(other.size() + 16);
    EXPECT_FALSE(Pass(other));
  }
  // An echo request (RFC 4443 §4.1): there is no mapping of identifiers.
  Octets echo(16);
  echo[0] = 128;
  EXPECT_FALSE(Pass(MakePacket(HeaderOf(kInside, kServerSeen, kProtocolIcmpV6), echo, 2)));
  EXPECT_EQ(nat64.dropped(Nat64Drop::kNoProtocol), 4u);
}

TEST_F(Nat64TranslatorTest, HairpinsIfItIsOneThatDoes) {  // RFC 6146 §3.8
  const SocketAddress other{*IpAddress::Parse("2001:db8:64::2"), 6000};
  const SocketAddress other_seen{EmbedIpv4(kPrefix, kOutside), 6000};
  EXPECT_FALSE(Pass(Udp(kInside, other_seen, "in again")));
  EXPECT_EQ(nat64.dropped(Nat64Drop::kNat), 1u);
  NatOptions options = Options();
  options.hairpin = true;
  Nat64Translator hairpinning(options, kOutside, Rng::FromNumber(1));
  (void)hairpinning.Translate(now, Udp(other, {EmbedIpv4(kPrefix, kOutside), 5000}, "opens the way"));
  const auto out = hairpinning.Translate(now, Udp(kInside, other_seen, "in again"));
  ASSERT_EQ(out.size(), 1u);
  ExpectEnds(ParseIp(out[0]), {EmbedIpv4(kPrefix, kOutside), 5000}, other);
}

TEST_F(Nat64TranslatorTest, WhatIsTooBigForTheInsideIsReported) {  // RFC 1191 §4
  (void)Pass(Udp(kInside, kServerSeen, "question"));
  EXPECT_TRUE(Pass(Udp(kServer, kMapped, std::string(1452, 'x')))) << "1500 octets of IPv6";
  const Octets large = Udp(kServer, kMapped, std::string(1453, 'x'));
  const auto report = Pass(large);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->header.source, kOutside);
  EXPECT_EQ(report->header.destination, kServer.ip);
  EXPECT_EQ(ChecksumOf(*report), 0);
  EXPECT_EQ(report->payload[0], 3);
  EXPECT_EQ(report->payload[1], 4);
  EXPECT_EQ(Get16(report->payload, 6), 1480);
  EXPECT_TRUE(std::ranges::equal(report->payload.subspan(8, 28), std::span(large).first(28)));
  EXPECT_EQ(nat64.dropped(Nat64Drop::kTooBig), 1u);
}

TEST_F(Nat64TranslatorTest, WhatMayBeCutIs) {  // RFC 8200 §4.5
  (void)Pass(Udp(kInside, kServerSeen, "question"));
  const Octets large = Udp(kServer, kMapped, std::string(1460, 'x'), IpFragmentation::kAllowed);
  const auto out = nat64.Translate(now, large);
  ASSERT_EQ(out.size(), 2u);
  Octets whole;
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_LE(out[i].size(), kLeastIpv6Mtu);
    const auto fragment = ParseIp(out[i]);
    ASSERT_TRUE(fragment);
    EXPECT_TRUE(fragment->header.is_fragment);
    EXPECT_EQ(fragment->payload[0], kProtocolUdp);
    EXPECT_EQ(Get16(fragment->payload, 2), i == 0 ? 1 : whole.size()) << "offset and whether there are more";
    whole.insert(whole.end(), fragment->payload.begin() + 8, fragment->payload.end());
  }
  Octets joined;
  AppendIpHeader(HeaderOf(kServerSeen, kInside, kProtocolUdp), whole.size(), joined);
  joined.insert(joined.end(), whole.begin(), whole.end());
  ExpectEnds(ParseIp(joined), kServerSeen, kInside);
  EXPECT_EQ(nat64.stats().fragmented, 1u);
}

TEST_F(Nat64TranslatorTest, SmallPacketsMayBeCutBehindItAndLargeOnesAreReported) {
  const auto small = Pass(Udp(kInside, kServerSeen, std::string(1232, 'x')));
  ASSERT_TRUE(small);
  EXPECT_EQ(small->header.fragmentation, IpFragmentation::kAllowed);
  EXPECT_NE(small->header.identification, 0);
  const auto large = Pass(Udp(kInside, kServerSeen, std::string(1233, 'x')));
  ASSERT_TRUE(large);
  EXPECT_EQ(large->header.fragmentation, IpFragmentation::kForbidden);
}

TEST_F(Nat64TranslatorTest, AnErrorFromOutsideReachesWhoeverSentWhatItIsAbout) {  // RFC 5508 §4.2
  const Octets original = Udp(kInside, kServerSeen, std::string(1400, 'x'));
  ASSERT_TRUE(Pass(original));
  const Octets sent = last;
  const IpAddress router = IpAddress::V4(192, 0, 2, 1);
  for (const size_t quoted : {size_t{28}, size_t{548}}) {
    const auto error = Pass(Error(router, {.type = 3, .code = 4, .rest = 1400}, sent, quoted));
    ASSERT_TRUE(error);
    EXPECT_EQ(error->header.source, EmbedIpv4(kPrefix, router));
    EXPECT_EQ(error->header.destination, kInside.ip);
    EXPECT_EQ(error->header.protocol, kProtocolIcmpV6);
    EXPECT_EQ(ChecksumOf(*error), 0);
    EXPECT_EQ(error->payload[0], 2);
    EXPECT_EQ(Get16(error->payload, 6), 1420);
    const auto quote = ParseIp(error->payload.subspan(8), Extent::kQuote);
    ASSERT_TRUE(quote);
    EXPECT_EQ(EndsOf(*quote).from, kInside);
    EXPECT_EQ(EndsOf(*quote).to, kServerSeen);
    EXPECT_EQ(quote->payload_octets, 1408u);
    EXPECT_EQ(Get16(quote->payload, 6), Get16(original, kIpv6Octets + 6));
  }
  EXPECT_EQ(nat64.stats().errors, 2u);
}

TEST_F(Nat64TranslatorTest, AnErrorFromInsideReachesWhoeverSentWhatItIsAbout) {  // RFC 5508 §4.2
  (void)Pass(Udp(kInside, kServerSeen, "question"));
  const Octets original = Udp(kServer, kMapped, std::string(1000, 'x'));
  ASSERT_TRUE(Pass(original));
  const auto error = Pass(Error(kInside.ip, {.type = 1, .code = 4}, last));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->header.source, kOutside);
  EXPECT_EQ(error->header.destination, kServer.ip);
  EXPECT_EQ(ChecksumOf(*error), 0);
  EXPECT_EQ(error->payload[0], 3);
  EXPECT_EQ(error->payload[1], 3);
  EXPECT_EQ(error->payload.size(), 576 - kIpv4Octets) << "no ICMP error is larger, RFC 1812 §4.3.2.3";
  const auto quote = ParseIp(error->payload.subspan(8), Extent::kQuote);
  ASSERT_TRUE(quote);
  EXPECT_EQ(EndsOf(*quote).from, kServer);
  EXPECT_EQ(EndsOf(*quote).to, kMapped);
  EXPECT_EQ(Get16(quote->payload, 6), Get16(original, kIpv4Octets + 6));
}

TEST_F(Nat64TranslatorTest, AnErrorAboutAConnectionPassesToo) {
  ASSERT_TRUE(Pass(Tcp(kInside, kServerSeen, 2)));
  const auto error = Pass(Error(kServer.ip, {.type = 3, .code = 1}, last, 28));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->payload[0], 1);
  EXPECT_EQ(error->payload[1], 0);
  ExpectEnds(Pass(Tcp(kServer, kMapped, 18)), kServerSeen, kInside);
}

TEST_F(Nat64TranslatorTest, ErrorsThatAreForgedOrAboutNothingEndHere) {  // RFC 5508 §4.1 REQ-3
  (void)Pass(Udp(kInside, kServerSeen, "question"));
  const Octets sent = last;
  const IcmpError unreachable{.type = 3, .code = 3};
  Octets wrong = Error(kServer.ip, unreachable, sent);
  wrong.back() ^= 1;
  EXPECT_FALSE(Pass(wrong)) << "its checksum";
  EXPECT_FALSE(Pass(Error(kServer.ip, unreachable, sent, 20))) << "without ports";
  EXPECT_FALSE(Pass(Error(kServer.ip, unreachable, Udp({kOutside, 5001}, kServer, "never sent"))));
  EXPECT_FALSE(Pass(Error(kServer.ip, unreachable, Udp(kMapped, {IpAddress::V4(198, 51, 100, 9), 1}, "nor to there"))));
  EXPECT_FALSE(Pass(Error(kServer.ip, {.type = 4}, sent))) << "source quench";
  // About a packet whose sender is somebody else than who is told.
  Octets payload(8);
  payload[0] = 3;
  payload[1] = 3;
  const Octets about = Udp(kServer, kMapped, "from the server");
  payload.insert(payload.end(), about.begin(), about.end());
  EXPECT_FALSE(Pass(MakePacket(HeaderOf(kServer, kMapped, kProtocolIcmp), payload, 2)));
  EXPECT_EQ(nat64.stats().errors, 0u);
  EXPECT_EQ(nat64.dropped(Nat64Drop::kMalformed), 2u);
  EXPECT_EQ(nat64.dropped(Nat64Drop::kNat), 2u);
  EXPECT_EQ(nat64.dropped(Nat64Drop::kNoProtocol), 2u);
}

TEST_F(Nat64TranslatorTest, EveryTruncationAndEveryFlippedBitOfAHeaderIsHandled) {
  (void)Pass(Udp(kInside, kServerSeen, "question"));
  const Octets sent = last;
  const std::vector<Octets> samples = {Udp(kInside, kServerSeen, "question"), Tcp(kInside, kServerSeen, 2),
                                       Udp(kServer, kMapped, "answer"),
                                       Error(kServer.ip, {.type = 3, .code = 3}, sent)};
  for (const Octets& sample : samples) {
    for (size_t size = 0; size < sample.size(); ++size) {
      EXPECT_TRUE(nat64.Translate(now, std::span(sample).first(size)).empty()) << size;
    }
    for (size_t bit = 0; bit < 8 * sample.size(); ++bit) {
      Octets flipped = sample;
      flipped[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      for (const Octets& out : nat64.Translate(now, flipped)) EXPECT_TRUE(ParseIp(out)) << bit;
    }
  }
}

TEST(Nat64IcmpTest, KnowsWhatErrorsMeanInTheOtherFamily) {
  EXPECT_EQ(ToIcmpV6({3, 2, 0}), (IcmpError{4, 1, 6}));
  EXPECT_EQ(ToIcmpV6({3, 13, 0}), (IcmpError{1, 1, 0}));
  EXPECT_EQ(ToIcmpV6({11, 0, 0}), (IcmpError{3, 0, 0}));
  EXPECT_EQ(ToIcmpV6({3, 4, 576}), (IcmpError{2, 0, 1280})) << "RFC 8200 §5";
  EXPECT_FALSE(ToIcmpV6({3, 14, 0}));
  EXPECT_FALSE(ToIcmpV6({8, 0, 0}));
  EXPECT_EQ(ToIcmpV4({4, 1, 40}), (IcmpError{3, 2, 0}));
  EXPECT_EQ(ToIcmpV4({1, 1, 0}), (IcmpError{3, 10, 0}));
  EXPECT_EQ(ToIcmpV4({1, 0, 0}), (IcmpError{3, 1, 0}));
  EXPECT_EQ(ToIcmpV4({3, 0, 0}), (IcmpError{11, 0, 0}));
  EXPECT_EQ(ToIcmpV4({2, 0, 0xffffffff}), (IcmpError{3, 4, 65515}));
  EXPECT_EQ(ToIcmpV4({2, 0, 68}), (IcmpError{3, 4, 1260})) << "nobody's IPv6 has less";
  EXPECT_FALSE(ToIcmpV4({1, 7, 0}));
  EXPECT_FALSE(ToIcmpV4({4, 0, 0}));
  EXPECT_FALSE(ToIcmpV4({128, 0, 0}));
}

// RFC 1071 §3's own example.
TEST(InternetChecksumTest, IsTheOnesComplementOfTheSum) {
  const Octets octets{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  InternetChecksum checksum;
  checksum.Add(octets);
  EXPECT_EQ(checksum.Value(), 0xffff - 0xddf2);
  checksum.Remove(octets);
  EXPECT_EQ(checksum.Value() % 0xffff, 0);
}

TEST(IpPacketTest, ReadsAHeaderWithOptionsAndOneThatQuotes) {  // RFC 791 §3.1
  IpHeader header = HeaderOf(kServer, kMapped, kProtocolUdp);
  header.identification = 77;
  Octets packet;
  AppendIpHeader(header, 8, packet);
  packet.insert(packet.begin() + 20, {1, 1, 1, 0});  // three of "no operation", and the end
  packet[0] = 0x46;
  packet.resize(packet.size() + 9);  // one more than its length says
  Put16(packet, 2, 32);
  Put16(packet, 10, 0);
  InternetChecksum checksum;
  checksum.Add(std::span(packet).first(24));
  Put16(packet, 10, checksum.Value());
  const auto parsed = ParseIp(packet);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->header, header);
  EXPECT_EQ(parsed->payload.size(), 8u);
  packet.resize(28);
  EXPECT_FALSE(ParseIp(packet));
  ASSERT_TRUE(ParseIp(packet, Extent::kQuote));
  EXPECT_EQ(ParseIp(packet, Extent::kQuote)->payload.size(), 4u);
  EXPECT_EQ(ParseIp(packet, Extent::kQuote)->payload_octets, 8u);
}

// RFC 8200 §3: an IPv6 payload may have 65535 octets; RFC 791 §3.1: an IPv4 packet has no more with its header.
TEST_F(Nat64TranslatorTest, AnIpv6PacketThatNoIpv4PacketHoldsIsDropped) {
  EXPECT_TRUE(Pass(Udp(kInside, kServerSeen, std::string(65515 - 8, 'x'))));
  EXPECT_FALSE(Pass(Udp(kInside, kServerSeen, std::string(65515 - 7, 'x'))));
  EXPECT_EQ(nat64.dropped(Nat64Drop::kMalformed), 1u);
}

}  // namespace
}  // namespace jsp::netsim
