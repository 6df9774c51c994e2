#include "ice/candidate_sdp.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/rng.h"
#include "ice/agent_test_support.h"
namespace jsp::ice {
namespace {

using Errc = CandidateParseErrc;

Errc ErrorOf(std::string_view line) {
  const auto parsed = ParseCandidate(line);
  EXPECT_FALSE(parsed) << line;
  return parsed ? Errc{} : parsed.error();
}

TEST(CandidateSdpTest, ParsesTheExamplesOfRfc8839) {  // RFC 8839 §5.1
  const auto host = ParseCandidate("a=candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host");
  ASSERT_TRUE(host);
  EXPECT_EQ(host->candidate.foundation, "1");
  EXPECT_EQ(host->candidate.component, 1);
  EXPECT_EQ(host->candidate.protocol, TransportProtocol::kUdp);
  EXPECT_EQ(host->candidate.priority, 2130706431u);
  EXPECT_EQ(host->candidate.address, Address("203.0.113.141:8998"));
  EXPECT_EQ(host->candidate.type, CandidateType::kHost);
  EXPECT_FALSE(host->candidate.related);
  const auto srflx =
      ParseCandidate("a=candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998");
  ASSERT_TRUE(srflx);
  EXPECT_EQ(srflx->candidate.type, CandidateType::kServerReflexive);
  EXPECT_EQ(srflx->candidate.related, Address("203.0.113.141:8998"));
}

TEST(CandidateSdpTest, ParsesWhatBrowsersSend) {
  const auto chrome = ParseCandidate(
      "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0 ufrag Ab+/ "
      "network-id 3 network-cost 10");
  ASSERT_TRUE(chrome);
  EXPECT_EQ(chrome->ufrag, "Ab+/");
  EXPECT_EQ(chrome->candidate.network_id, 3);
  EXPECT_EQ(chrome->candidate.network_cost, 10);
  EXPECT_EQ(chrome->candidate.related, (SocketAddress{IpAddress(), 0}));
  const auto mdns =
      ParseCandidate("candidate:0 1 UDP 2122252543 3d5c4c24-9a2b-4b3f-8c1e-1234567890ab.local 51472 typ host\r\n");
  ASSERT_TRUE(mdns);
  EXPECT_EQ(mdns->mdns_name, "3d5c4c24-9a2b-4b3f-8c1e-1234567890ab.local");
  EXPECT_EQ(mdns->candidate.address.port, 51472);
  const auto tcp = ParseCandidate("candidate:4 1 tcp 1518280447 192.0.2.5 9 typ host tcptype active");
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->candidate.protocol, TransportProtocol::kTcpActive);
  const auto v6 = ParseCandidate("candidate:5 1 udp 2122262783 2001:db8::1 50000 typ host");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->candidate.address, Address("[2001:db8::1]:50000"));
}

TEST(CandidateSdpTest, RoundTrips) {
  for (const char* line : {
           "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host",
           "candidate:a+/Z 256 udp 1 2001:db8::1 65535 typ host",
           "candidate:2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 10.0.0.1 rport 8998",
           "candidate:2 1 udp 1694498815 192.0.2.3 45664 typ prflx raddr 10.0.0.1 rport 8998",
           "candidate:3 1 udp 16777215 2001:db8::9 1 typ relay raddr :: rport 9",
           "candidate:4 1 tcp 1518280447 192.0.2.5 9 typ host tcptype active",
           "candidate:4 1 tcp 1518280447 192.0.2.5 99 typ host tcptype passive",
           "candidate:4 1 tcp 1518280447 192.0.2.5 99 typ srflx raddr 10.0.0.1 rport 9 tcptype so",
       }) {
    const auto parsed = ParseCandidate(line);
    ASSERT_TRUE(parsed) << line;
    EXPECT_EQ(WriteCandidate(parsed->candidate), line);
  }
}

TEST(CandidateSdpTest, HidesARelatedAddressThatIsNotGiven) {  // RFC 8839 §5.1
  Candidate candidate = Reflexive("203.0.113.1:7", "10.0.0.1:1");
  candidate.foundation = "1";
  candidate.priority = 5;
  candidate.related.reset();
  EXPECT_EQ(WriteCandidate(candidate), "candidate:1 1 udp 5 203.0.113.1 7 typ srflx raddr 0.0.0.0 rport 9");
  candidate.address = Address("[2001:db8::1]:7");
  EXPECT_EQ(WriteCandidate(candidate), "candidate:1 1 udp 5 2001:db8::1 7 typ srflx raddr :: rport 9");
}

TEST(CandidateSdpTest, WritesNoScopeAndNoRelatedAddressOfAHost) {
  Candidate candidate = Host("[fe80::1%3]:7");
  candidate.foundation = "1";
  candidate.priority = 5;
  candidate.related = Address("10.0.0.1:1");
  EXPECT_EQ(WriteCandidate(candidate), "candidate:1 1 udp 5 fe80::1 7 typ host");
}

TEST(CandidateSdpTest, RejectsEveryTruncation) {
  const std::string line = "candidate:2 1 udp 1694498815 192.0.2.3 45664 typ srflx";
  for (size_t size = 0; size < line.size(); ++size) {
    EXPECT_FALSE(ParseCandidate(std::string_view(line).substr(0, size))) << size;
  }
  EXPECT_TRUE(ParseCandidate(line));
}

TEST(CandidateSdpTest, NamesTheFieldThatIsBad) {
  EXPECT_EQ(ErrorOf(""), Errc::kTooFewFields);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 192.0.2.1"), Errc::kTooFewFields);
  EXPECT_EQ(ErrorOf("candidate: 1 udp 5 192.0.2.1 1 typ host"), Errc::kBadFoundation);
  EXPECT_EQ(ErrorOf("candidate:a-b 1 udp 5 192.0.2.1 1 typ host"), Errc::kBadFoundation);
  EXPECT_EQ(ErrorOf("candidate:123456789012345678901234567890123 1 udp 5 192.0.2.1 1 typ host"), Errc::kBadFoundation);
  EXPECT_EQ(ErrorOf("candidate:1 0 udp 5 192.0.2.1 1 typ host"), Errc::kBadComponent);
  EXPECT_EQ(ErrorOf("candidate:1 257 udp 5 192.0.2.1 1 typ host"), Errc::kBadComponent);
  EXPECT_EQ(ErrorOf("candidate:1 0001 udp 5 192.0.2.1 1 typ host"), Errc::kBadComponent);
  EXPECT_EQ(ErrorOf("candidate:1 1 sctp 5 192.0.2.1 1 typ host"), Errc::kUnknownTransport);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 0 192.0.2.1 1 typ host"), Errc::kBadPriority);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 2147483648 192.0.2.1 1 typ host"), Errc::kBadPriority);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 00000000005 192.0.2.1 1 typ host"), Errc::kBadPriority);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp +5 192.0.2.1 1 typ host"), Errc::kBadPriority);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 192.0.2.256 1 typ host"), Errc::kBadAddress);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 192.0.2.1 70000 typ host"), Errc::kBadPort);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 192.0.2.1 1 foo host"), Errc::kBadType);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 192.0.2.1 1 typ foo"), Errc::kBadType);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 192.0.2.1 1 typ host generation"), Errc::kBadExtension);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 192.0.2.1 1 typ srflx raddr nonsense rport 1"), Errc::kBadAddress);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 192.0.2.1 1 typ srflx raddr 10.0.0.1 rport x"), Errc::kBadPort);
  EXPECT_EQ(ErrorOf("candidate:1 1 tcp 5 192.0.2.1 1 typ host"), Errc::kBadExtension);
  EXPECT_EQ(ErrorOf("candidate:1 1 tcp 5 192.0.2.1 1 typ host tcptype maybe"), Errc::kBadExtension);
  EXPECT_EQ(ErrorOf("candidate:1 1  udp 5 192.0.2.1 1 typ host"), Errc::kUnknownTransport);  // two spaces
}

TEST(CandidateSdpTest, RefusesNamesThatAreNotMulticastDns) {  // RFC 8839 §5.1
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 example.com 1 typ host"), Errc::kBadAddress);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 a.b.local 1 typ host"), Errc::kBadAddress);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 .local 1 typ host"), Errc::kBadAddress);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 " + std::string(250, 'a') + ".local 1 typ host"), Errc::kBadAddress);
  EXPECT_TRUE(ParseCandidate("candidate:1 1 udp 5 A-1.LOCAL 1 typ host"));
}

TEST(CandidateSdpTest, IgnoresExtensionsItDoesNotKnow) {  // RFC 8839 §5.1
  const auto parsed = ParseCandidate("candidate:1 1 udp 5 192.0.2.1 1 typ host foo bar network-cost many x y");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->candidate.network_cost, 0);
}

TEST(CandidateSdpTest, TakesAnyCaseOfTheTransport) {
  for (const char* transport : {"udp", "UDP", "Udp"}) {
    EXPECT_TRUE(ParseCandidate(std::string("candidate:1 1 ") + transport + " 5 192.0.2.1 1 typ host"));
  }
}

TEST(CandidateSdpTest, I19_RejectsGiantLinesAndControlCharacters) {
  const std::string good = "candidate:1 1 udp 5 192.0.2.1 1 typ host";
  EXPECT_EQ(ErrorOf(good + " x " + std::string(10'000'000, 'y')), Errc::kTooLong);
  EXPECT_EQ(ErrorOf(std::string("candidate:1 1 udp 5 192.0.2.1 1 typ ho\0st", 41)), Errc::kBadExtension);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 192.0.2.1 1 typ host x \x1b[2J"), Errc::kBadExtension);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 192.0.2.1 1 typ host x a\r\na=b"), Errc::kBadExtension);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 192.0.2.1 1 typ host ufrag " + std::string(257, 'a')), Errc::kBadExtension);
  EXPECT_EQ(ErrorOf("candidate:1 1 udp 5 192.0.2.1 1 typ host ufrag a:b"), Errc::kBadExtension);
  EXPECT_TRUE(ParseCandidate(good + " ufrag " + std::string(256, 'a')));
}

TEST(CandidateSdpTest, I19_SurvivesMutatedLines) {
  const std::string good =
      "candidate:2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 10.0.0.1 rport 8998 ufrag abcd";
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    Rng rng = Rng::FromNumber(seed);
    std::string line = good;
    for (uint64_t i = 0; i <= rng.Below(4) && !line.empty(); ++i) {
      const size_t at = rng.Below(line.size());
      switch (rng.Below(3)) {
        case 0:
          line[at] = static_cast<char>(rng.Random<uint8_t>());
          break;
        case 1:
          line.erase(at, 1 + rng.Below(5));
          break;
        default:
          line.insert(at, line.substr(rng.Below(line.size()), rng.Below(9)));
      }
    }
    const auto parsed = ParseCandidate(line);
    if (!parsed) continue;
    // What is accepted is legal, so that it can be written and read again.
    const Candidate& candidate = parsed->candidate;
    EXPECT_TRUE(!candidate.foundation.empty() && candidate.priority > 0) << "seed " << seed;
    const bool is_readable = !parsed->mdns_name.empty() || ParseCandidate(WriteCandidate(candidate)).has_value();
    EXPECT_TRUE(is_readable) << "seed " << seed;
  }
}

TEST(CandidateSdpTest, NamesEveryError) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(Errc::kTooLong); ++i) names.insert(ToString(static_cast<Errc>(i)));
  EXPECT_EQ(names.size(), static_cast<size_t>(Errc::kTooLong) + 1);
}

}  // namespace
}  // namespace jsp::ice
