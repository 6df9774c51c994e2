#include "transport/session_description.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transport/sdp_line_reader.h"

namespace jsp::transport {
namespace {

constexpr std::string_view kFingerprint =
    "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

// In the form of Chromium's offers of a page that only opens a data channel.
std::string ChromiumOffer() {
  return "v=0\r\n"
         "o=- 4611731400430051336 2 IN IP4 127.0.0.1\r\n"
         "s=-\r\n"
         "t=0 0\r\n"
         "a=group:BUNDLE 0\r\n"
         "a=extmap-allow-mixed\r\n"
         "a=msid-semantic: WMS\r\n"
         "m=application 50000 UDP/DTLS/SCTP webrtc-datachannel\r\n"
         "c=IN IP4 192.0.2.7\r\n"
         "a=candidate:1467250027 1 udp 2122260223 192.0.2.7 50000 typ host generation 0 network-id 1 network-cost "
         "10\r\n"
         "a=candidate:264834012 1 udp 2113937151 6b2b1d6b-33d5-4fba-8a8c-5d5d2cb2c111.local 50001 typ host "
         "generation 0 network-cost 999\r\n"
         "a=candidate:842163049 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active generation 0 network-id 1\r\n"
         "a=ice-ufrag:EsAw\r\n"
         "a=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y\r\n"
         "a=ice-options:trickle\r\n"
         "a=fingerprint:" +
         std::string(kFingerprint) +
         "\r\n"
         "a=setup:actpass\r\n"
         "a=mid:0\r\n"
         "a=sctp-port:5000\r\n"
         "a=max-message-size:262144\r\n";
}

// In the form of Firefox's: transport attributes partly at session level, lower priority lines in between.
std::string FirefoxOffer() {
  return "v=0\r\n"
         "o=mozilla...THIS_IS_SDPARTA-99.0 5213371437245621389 0 IN IP4 0.0.0.0\r\n"
         "s=-\r\n"
         "t=0 0\r\n"
         "a=sendrecv\r\n"
         "a=fingerprint:" +
         std::string(kFingerprint) +
         "\r\n"
         "a=group:BUNDLE 0\r\n"
         "a=ice-options:trickle\r\n"
         "a=msid-semantic:WMS *\r\n"
         "m=application 45678 UDP/DTLS/SCTP webrtc-datachannel\r\n"
         "c=IN IP4 192.0.2.9\r\n"
         "a=candidate:0 1 UDP 2122252543 192.0.2.9 45678 typ host\r\n"
         "a=candidate:2 1 TCP 2105524479 192.0.2.9 9 typ host tcptype active\r\n"
         "a=sendrecv\r\n"
         "a=end-of-candidates\r\n"
         "a=ice-pwd:d3f4c6d8d4b5c57a5e6a7a8a9a0a1a2a\r\n"
         "a=ice-ufrag:8b6c5d4e\r\n"
         "a=mid:0\r\n"
         "a=setup:actpass\r\n"
         "a=sctp-port:5000\r\n"
         "a=max-message-size:1073741823\r\n";
}

std::string Replace(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

std::string WithoutCarriageReturns(std::string text) {
  std::erase(text, '\r');
  return text;
}

SessionDescription MustParse(std::string_view sdp) {
  auto parsed = ParseSessionDescription(sdp);
  EXPECT_TRUE(parsed.has_value()) << parsed.error().ToString();
  return parsed.value_or(SessionDescription{});
}

SdpError MustRefuse(std::string_view sdp) {
  auto parsed = ParseSessionDescription(sdp);
  EXPECT_FALSE(parsed.has_value()) << sdp.substr(0, 200);
  return parsed ? SdpError{} : parsed.error();
}

ice::ParsedCandidate Candidate(std::string_view address, ice::CandidateType type) {
  ice::ParsedCandidate parsed;
  parsed.candidate.address = *SocketAddress::Parse(address);
  parsed.candidate.type = type;
  parsed.candidate.priority = 100;
  parsed.candidate.foundation = "1";
  if (type != ice::CandidateType::kHost) parsed.candidate.related = *SocketAddress::Parse("0.0.0.0:9");
  return parsed;
}

SessionDescription Ours() {
  SessionDescription description;
  description.origin = {1234, 1};
  description.ice = {"abcdefgh", "0123456789abcdefghijklmn"};
  description.fingerprints = {*dtls::Fingerprint::Parse(kFingerprint)};
  description.max_message_size = 262144;
  return description;
}

TEST(SessionDescriptionTest, ReadsWhatChromiumOffers) {
  const SessionDescription offer = MustParse(ChromiumOffer());
  EXPECT_EQ(offer.origin.session_id, 4611731400430051336u);
  EXPECT_EQ(offer.origin.session_version, 2u);
  EXPECT_EQ(offer.mid, "0");
  EXPECT_TRUE(offer.bundle);
  EXPECT_EQ(offer.media_index, 0u);
  EXPECT_TRUE(offer.rejected.empty());
  EXPECT_EQ(offer.ice.ufrag, "EsAw");
  EXPECT_EQ(offer.ice.pwd, "bP+XJMM09aR8AiX1jdukzR6Y");
  EXPECT_TRUE(offer.ice_options.trickle);
  EXPECT_FALSE(offer.ice_options.ice2) << "not sent, and no error";
  EXPECT_FALSE(offer.ice_lite);
  ASSERT_EQ(offer.fingerprints.size(), 1u);
  EXPECT_EQ(offer.fingerprints[0].ToString(), kFingerprint);
  EXPECT_EQ(offer.setup, transport::Setup::kActpass);
  EXPECT_EQ(offer.sctp_port, 5000);
  EXPECT_EQ(offer.max_message_size, 262144u);
  ASSERT_EQ(offer.candidates.size(), 3u);
  EXPECT_EQ(offer.candidates[0].candidate.address.ToString(), "192.0.2.7:50000");
  EXPECT_EQ(offer.candidates[1].mdns_name, "6b2b1d6b-33d5-4fba-8a8c-5d5d2cb2c111.local");
  EXPECT_EQ(offer.candidates[2].candidate.protocol, ice::TransportProtocol::kTcpActive);
  EXPECT_FALSE(offer.end_of_candidates);
}

TEST(SessionDescriptionTest, ReadsWhatFirefoxOffers) {
  const SessionDescription offer = MustParse(FirefoxOffer());
  EXPECT_EQ(offer.ice.ufrag, "8b6c5d4e");
  EXPECT_EQ(offer.fingerprints.size(), 1u) << "inherited from the session level";
  EXPECT_TRUE(offer.ice_options.trickle) << "likewise";
  EXPECT_EQ(offer.max_message_size, 1073741823u);
  EXPECT_EQ(offer.candidates.size(), 2u);
  EXPECT_TRUE(offer.end_of_candidates);
}

TEST(SessionDescriptionTest, ReadsBothLineEndingsAndBlankLines) {
  EXPECT_EQ(MustParse(WithoutCarriageReturns(ChromiumOffer())).candidates.size(), 3u);
  EXPECT_EQ(MustParse(ChromiumOffer() + "\r\n\n").candidates.size(), 3u);
  std::string unterminated = ChromiumOffer();
  unterminated.resize(unterminated.size() - 2);
  EXPECT_EQ(MustParse(unterminated).max_message_size, 262144u);
}

TEST(SessionDescriptionTest, PassesOverUnknownLinesAndAttributes) {  // RFC 8866 §5
  const auto sdp =
      Replace(ChromiumOffer(), "a=mid:0", "b=AS:30\r\nk=clear:x\r\na=tls-id:abc\r\na=x-unknown\r\na=mid:0");
  EXPECT_EQ(MustParse(sdp).mid, "0");
}

TEST(SessionDescriptionTest, ReadsIceOptionsWithCommasAndUnknownTags) {  // RFC 8839 §5.6
  for (const char* tags : {"ice2,trickle", "trickle ice2", "foo trickle rtp+ecn ice2", "trickle, ice2"}) {
    const auto offer = MustParse(Replace(ChromiumOffer(), "ice-options:trickle", std::string("ice-options:") + tags));
    EXPECT_TRUE(offer.ice_options.trickle) << tags;
    EXPECT_TRUE(offer.ice_options.ice2) << tags;
  }
  const auto without = MustParse(Replace(ChromiumOffer(), "a=ice-options:trickle\r\n", ""));
  EXPECT_FALSE(without.ice_options.trickle);
  EXPECT_FALSE(without.ice_options.ice2);
}

TEST(SessionDescriptionTest, ReadsAndWritesThePacing) {  // RFC 8839 §5.5
  const auto with = [](const std::string& value) {
    return ParseSessionDescription(Replace(ChromiumOffer(), "t=0 0\r\n", "t=0 0\r\na=ice-pacing:" + value + "\r\n"));
  };
  EXPECT_FALSE(MustParse(ChromiumOffer()).ice_pacing) << "absent is 50 ms";
  EXPECT_EQ(with("20")->ice_pacing, std::chrono::milliseconds(20));
  EXPECT_EQ(with("0000000100")->ice_pacing, std::chrono::milliseconds(100));
  EXPECT_EQ(with("9999999999")->ice_pacing, std::chrono::minutes(1)) << "no session waits longer for its next check";
  for (const char* bad : {"", "-1", "5ms", "12345678901", "x"}) EXPECT_FALSE(with(bad)) << bad;
  SessionDescription ours = MustParse(ChromiumOffer());
  ours.ice_pacing = std::chrono::milliseconds(20);
  EXPECT_NE(WriteSessionDescription(ours).find("a=ice-pacing:20\r\n"), std::string::npos);
  ours.ice_lite = true;  // RFC 8839 §4.3.1: a lite agent paces nothing
  EXPECT_EQ(WriteSessionDescription(ours).find("a=ice-pacing"), std::string::npos);
}

TEST(SessionDescriptionTest, OneUfragHasOnePassword) {  // RFC 8839 §5.4
  const std::string offer = ChromiumOffer();
  const SessionDescription good = MustParse(offer);
  const auto second = [&](const std::string& pwd) {
    return offer + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:9\r\na=ice-ufrag:" + good.ice.ufrag +
           "\r\na=ice-pwd:" + pwd + "\r\n";
  };
  EXPECT_TRUE(ParseSessionDescription(second(good.ice.pwd)));
  EXPECT_FALSE(ParseSessionDescription(second("anotherPasswordOfTwentyFour")));
}

TEST(SessionDescriptionTest, TakesTransportAttributesFromTheSessionLevel) {  // RFC 8839 §5.4
  auto sdp = ChromiumOffer();
  std::string moved;
  for (std::string line : {"a=ice-ufrag:EsAw\r\n", "a=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y\r\n", "a=setup:actpass\r\n"}) {
    sdp = Replace(sdp, line, "");
    moved += line;
  }
  sdp = Replace(sdp, "a=extmap-allow-mixed\r\n", moved);
  const auto offer = MustParse(sdp);
  EXPECT_EQ(offer.ice.ufrag, "EsAw");
  EXPECT_EQ(offer.setup, transport::Setup::kActpass);
}

TEST(SessionDescriptionTest, PrefersTheMediaLevelToTheSessionLevel) {  // RFC 8839 §5.4, RFC 8122 §5
  std::string other(kFingerprint);
  other[8] = 'F';
  const auto sdp = Replace(ChromiumOffer(), "a=extmap-allow-mixed",
                           "a=ice-ufrag:session\r\na=setup:passive\r\na=fingerprint:" + other);
  const auto offer = MustParse(sdp);
  EXPECT_EQ(offer.ice.ufrag, "EsAw");
  EXPECT_EQ(offer.setup, transport::Setup::kActpass);
  ASSERT_EQ(offer.fingerprints.size(), 1u);
  EXPECT_EQ(offer.fingerprints[0].ToString(), kFingerprint);
}

TEST(SessionDescriptionTest, KeepsEveryFingerprintOfAKnownHashAndPassesOverOthers) {  // RFC 8122 §5.1
  const auto sdp = Replace(ChromiumOffer(), "a=setup",
                           "a=fingerprint:sha-1 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33\r\n"
                           "a=fingerprint:sha3-256 00:11\r\na=setup");
  EXPECT_EQ(MustParse(sdp).fingerprints.size(), 2u);
  const auto lower = Replace(ChromiumOffer(), "AA:BB", "aa:bb");
  EXPECT_EQ(MustParse(lower).fingerprints.size(), 1u);
  const auto none = Replace(ChromiumOffer(), "fingerprint:sha-256", "fingerprint:sha-999");
  EXPECT_TRUE(MustParse(none).fingerprints.empty()) << "the caller decides";
}

TEST(SessionDescriptionTest, TellsAbsentFromUnlimitedMessageSizes) {  // RFC 8841 §6.1
  EXPECT_FALSE(MustParse(Replace(ChromiumOffer(), "a=max-message-size:262144\r\n", "")).max_message_size.has_value());
  EXPECT_EQ(MustParse(Replace(ChromiumOffer(), "262144", "0")).max_message_size, 0u);
  EXPECT_EQ(MustParse(Replace(ChromiumOffer(), "262144", "4294967296")).max_message_size, 4294967296u);
}

TEST(SessionDescriptionTest, D16_ReadsEverySetupRole) {  // RFC 8842 §5.3
  const std::pair<const char*, transport::Setup> roles[] = {{"active", transport::Setup::kActive},
                                                            {"passive", transport::Setup::kPassive},
                                                            {"holdconn", transport::Setup::kHoldconn}};
  for (const auto& [text, role] : roles) {
    EXPECT_EQ(MustParse(Replace(ChromiumOffer(), "setup:actpass", std::string("setup:") + text)).setup, role);
  }
}

TEST(SessionDescriptionTest, IgnoresCandidatesItCannotUseAndKeepsTheOthers) {  // RFC 8839 §5.1
  const auto sdp = Replace(ChromiumOffer(), "a=ice-ufrag",
                           "a=candidate:1 1 udp 100 host.example.com 5000 typ host\r\n"
                           "a=candidate:1 1 sctp 100 192.0.2.1 5000 typ host\r\n"
                           "a=candidate:1 1 udp 100 192.0.2.1 5000 typ future\r\n"
                           "a=candidate:1 2 udp 100 192.0.2.1 5001 typ host\r\n"
                           "a=ice-ufrag");
  EXPECT_EQ(MustParse(sdp).candidates.size(), 3u);
}

TEST(SessionDescriptionTest, RemembersTheMediaItWillReject) {  // RFC 9429 §5.3.1
  const std::string audio =
      "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=ice-ufrag:AAAA\r\n"
      "a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=candidate:broken\r\na=rtpmap:111 opus/48000/2\r\n";
  const std::string video = "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=bundle-only\r\na=mid:v\r\n";
  auto sdp = Replace(ChromiumOffer(), "a=group:BUNDLE 0", "a=group:BUNDLE a 0 v");
  sdp = Replace(sdp, "m=application", audio + "m=application") + video;
  const auto offer = MustParse(sdp);
  EXPECT_EQ(offer.media_index, 1u);
  EXPECT_EQ(offer.ice.ufrag, "EsAw") << "its own";
  EXPECT_EQ(offer.candidates.size(), 3u);
  ASSERT_EQ(offer.rejected.size(), 2u);
  EXPECT_EQ(offer.rejected[0].index, 0u);
  EXPECT_EQ(offer.rejected[0].media, "audio");
  EXPECT_EQ(offer.rejected[0].proto, "UDP/TLS/RTP/SAVPF");
  EXPECT_EQ(offer.rejected[0].format, "111 63");
  EXPECT_EQ(offer.rejected[0].mid, "a");
  EXPECT_EQ(offer.rejected[1].index, 2u);
  EXPECT_EQ(offer.rejected[1].mid, "v");
}

TEST(SessionDescriptionTest, TakesTheTransportOfABundleFromItsTaggedSection) {  // RFC 9429 §5.2.1
  const std::string head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE a d\r\n";
  const std::string audio =
      "m=audio 5000 UDP/TLS/RTP/SAVPF 0\r\na=mid:a\r\na=ice-ufrag:AAAA\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\n"
      "a=setup:actpass\r\na=fingerprint:" +
      std::string(kFingerprint) + "\r\na=candidate:1 1 udp 100 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n";
  const std::string data =
      "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=bundle-only\r\na=mid:d\r\na=sctp-port:5000\r\n";
  const auto offer = MustParse(head + audio + data);
  EXPECT_EQ(offer.mid, "d");
  EXPECT_EQ(offer.ice.ufrag, "AAAA");
  EXPECT_EQ(offer.fingerprints.size(), 1u);
  EXPECT_EQ(offer.candidates.size(), 1u);
  EXPECT_TRUE(offer.end_of_candidates);
  EXPECT_EQ(MustRefuse(Replace(head + audio + data, "BUNDLE a d", "BUNDLE a")).reason,
            "no a=ice-ufrag for this section");
}

TEST(SessionDescriptionTest, WritesAnOfferThatBrowsersRead) {  // RFC 9429 §5.2.1
  SessionDescription ours = Ours();
  EXPECT_EQ(WriteSessionDescription(ours),
            "v=0\r\n"
            "o=- 1234 1 IN IP4 127.0.0.1\r\n"
            "s=-\r\n"
            "t=0 0\r\n"
            "a=group:BUNDLE 0\r\n"
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
            "c=IN IP4 0.0.0.0\r\n"
            "a=ice-ufrag:abcdefgh\r\n"
            "a=ice-pwd:0123456789abcdefghijklmn\r\n"
            "a=ice-options:trickle ice2\r\n"
            "a=fingerprint:" +
                std::string(kFingerprint) +
                "\r\n"
                "a=setup:actpass\r\n"
                "a=mid:0\r\n"
                "a=sctp-port:5000\r\n"
                "a=max-message-size:262144\r\n");
}

TEST(SessionDescriptionTest, WritesTheDefaultCandidateIntoTheMediaLine) {  // RFC 8839 §4.2.1.2
  SessionDescription ours = Ours();
  ours.candidates.push_back(Candidate("[2001:db8::1]:4000", ice::CandidateType::kHost));
  auto sdp = WriteSessionDescription(ours);
  EXPECT_NE(sdp.find("m=application 4000 "), std::string::npos);
  EXPECT_NE(sdp.find("c=IN IP6 2001:db8::1\r\n"), std::string::npos);
  ours.candidates.push_back(Candidate("198.51.100.1:4001", ice::CandidateType::kServerReflexive));
  ours.candidates.push_back(Candidate("203.0.113.1:4002", ice::CandidateType::kRelayed));
  sdp = WriteSessionDescription(ours);
  EXPECT_NE(sdp.find("m=application 4002 "), std::string::npos);
  EXPECT_NE(sdp.find("c=IN IP4 203.0.113.1\r\n"), std::string::npos);
}

TEST(SessionDescriptionTest, I17_NeverMakesAHiddenOrTcpCandidateTheDefault) {
  SessionDescription ours = Ours();
  ours.candidates.push_back(Candidate("192.0.2.1:4000", ice::CandidateType::kHost));
  ours.candidates[0].mdns_name = "0a1b2c3d-0000-4000-8000-000000000000.local";
  ours.candidates.push_back(Candidate("192.0.2.2:9", ice::CandidateType::kHost));
  ours.candidates[1].candidate.protocol = ice::TransportProtocol::kTcpActive;
  const auto sdp = WriteSessionDescription(ours);
  EXPECT_NE(sdp.find("m=application 9 "), std::string::npos);
  EXPECT_EQ(sdp.find("192.0.2.1"), std::string::npos) << "the name stands for the address";
  EXPECT_EQ(MustParse(sdp).candidates[0].mdns_name, ours.candidates[0].mdns_name);
}

TEST(SessionDescriptionTest, RoundTripsEverything) {
  SessionDescription ours = Ours();
  ours.mid = "data";
  ours.ice_lite = true;
  ours.ice_options.trickle = false;
  ours.setup = transport::Setup::kActive;
  ours.sctp_port = 1;
  ours.candidates.push_back(Candidate("192.0.2.1:4000", ice::CandidateType::kHost));
  ours.candidates.push_back(Candidate("203.0.113.1:4002", ice::CandidateType::kRelayed));
  ours.end_of_candidates = true;
  ours.media_index = 1;
  ours.rejected = {{0, "audio", "UDP/TLS/RTP/SAVPF", "111", "a"}, {2, "video", "UDP/TLS/RTP/SAVPF", "96 97", ""}};
  const auto sdp = WriteSessionDescription(ours);
  const auto again = MustParse(sdp);
  EXPECT_EQ(WriteSessionDescription(again), sdp);
  EXPECT_EQ(again.mid, "data");
  EXPECT_TRUE(again.ice_lite);
  EXPECT_FALSE(again.ice_options.trickle);
  EXPECT_TRUE(again.ice_options.ice2);
  EXPECT_EQ(again.setup, transport::Setup::kActive);
  EXPECT_EQ(again.sctp_port, 1);
  EXPECT_EQ(again.candidates.size(), 2u);
  EXPECT_TRUE(again.end_of_candidates);
  EXPECT_EQ(again.rejected[1].index, 2u);
  EXPECT_EQ(again.rejected[1].format, "96 97");
}

TEST(SessionDescriptionTest, AnswersRejectedMediaWithPortZeroInTheirPlaces) {  // RFC 9429 §5.3.1
  const std::string audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:a\r\n";
  auto offer = Replace(ChromiumOffer(), "a=group:BUNDLE 0", "a=group:BUNDLE a 0");
  offer = Replace(offer, "m=application", audio + "m=application") + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\n";
  const auto theirs = MustParse(offer);
  SessionDescription answer = Ours();
  answer.mid = theirs.mid;
  answer.bundle = theirs.bundle;
  answer.media_index = theirs.media_index;
  answer.rejected = theirs.rejected;
  answer.setup = transport::Setup::kActive;
  const auto sdp = WriteSessionDescription(answer);
  EXPECT_NE(sdp.find("a=group:BUNDLE 0\r\n"), std::string::npos) << "only with ours";
  const size_t first = sdp.find("m=audio 0 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=inactive\r\n");
  const size_t second = sdp.find("m=application 9 ");
  const size_t third = sdp.find("m=video 0 UDP/TLS/RTP/SAVPF 96\r\n");
  EXPECT_TRUE(first < second && second < third && third != std::string::npos) << sdp;
}

TEST(SessionDescriptionTest, LeavesOutTheGroupWhenTheOfferHadNone) {
  auto offer = MustParse(Replace(Replace(ChromiumOffer(), "a=group:BUNDLE 0\r\n", ""), "a=mid:0\r\n", ""));
  EXPECT_FALSE(offer.bundle);
  EXPECT_TRUE(offer.mid.empty());
  const auto sdp = WriteSessionDescription(offer);
  EXPECT_EQ(sdp.find("a=group"), std::string::npos);
  EXPECT_EQ(sdp.find("a=mid"), std::string::npos);
}

TEST(TrickleFragmentTest, ReadsTheFragmentOfABrowser) {  // RFC 8840 §9.2
  const auto parsed = ParseTrickleFragment(
      "a=ice-ufrag:EsAw\r\na=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y\r\na=group:BUNDLE 0\r\n"
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n"
      "a=candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host ufrag EsAw\r\n"
      "a=end-of-candidates\r\n");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().ToString();
  ASSERT_TRUE(parsed->ice.has_value());
  EXPECT_EQ(parsed->ice->ufrag, "EsAw");
  EXPECT_EQ(parsed->ice->pwd, "bP+XJMM09aR8AiX1jdukzR6Y");
  EXPECT_EQ(parsed->mid, "0");
  ASSERT_EQ(parsed->candidates.size(), 1u);
  EXPECT_EQ(parsed->candidates[0].ufrag, "EsAw");
  EXPECT_TRUE(parsed->end_of_candidates);
}

TEST(TrickleFragmentTest, ReadsTheExampleOfTheRfcUpToItsFirstSection) {  // RFC 8840 §4.4, figure 7
  const auto parsed = ParseTrickleFragment(
      "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=ice-ufrag:8hhY\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\n"
      "a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5000 typ host\r\n"
      "a=candidate:1 2 UDP 2130706432 2001:db8:a0b:12f0::1 5001 typ host\r\n"
      "a=candidate:2 1 UDP 1694498815 192.0.2.3 5010 typ srflx raddr 192.0.2.1 rport 8998\r\n"
      "m=audio 9 RTP/AVP 0\r\na=mid:2\r\n"
      "a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 6000 typ host\r\na=end-of-candidates\r\n");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().ToString();
  EXPECT_EQ(parsed->ice->ufrag, "8hhY");
  EXPECT_EQ(parsed->mid, "1");
  EXPECT_EQ(parsed->candidates.size(), 2u) << "component 1 only";
  EXPECT_FALSE(parsed->end_of_candidates) << "that was the other section's";
}

TEST(TrickleFragmentTest, ReadsFragmentsWithoutSectionsOrCredentials) {
  const auto end = ParseTrickleFragment("a=end-of-candidates\n");
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(end->end_of_candidates);
  EXPECT_FALSE(end->ice.has_value());
  EXPECT_TRUE(end->mid.empty());
  const auto bare = ParseTrickleFragment("a=ice-ufrag:EsAw\na=candidate:1 1 udp 100 192.0.2.7 50000 typ host\n");
  ASSERT_TRUE(bare.has_value());
  EXPECT_EQ(bare->candidates.size(), 1u);
  EXPECT_EQ(bare->ice->ufrag, "EsAw");
  EXPECT_TRUE(bare->ice->pwd.empty());
  EXPECT_TRUE(ParseTrickleFragment("").has_value());
}

TEST(TrickleFragmentTest, RoundTrips) {
  TrickleFragment fragment;
  fragment.ice = ice::Credentials{"abcdefgh", "0123456789abcdefghijklmn"};
  fragment.mid = "0";
  fragment.candidates.push_back(Candidate("192.0.2.1:4000", ice::CandidateType::kHost));
  fragment.end_of_candidates = true;
  const auto text = WriteTrickleFragment(fragment);
  const auto again = ParseTrickleFragment(text);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(WriteTrickleFragment(*again), text);
  EXPECT_LT(text.find("a=mid:0"), text.find("a=candidate")) << "RFC 8840 §4.4: immediately before";
}

TEST(TrickleFragmentTest, I19_NamesTheBadLine) {
  const auto parsed = ParseTrickleFragment("a=mid:0\r\na=candidate:1 1 udp 100 192.0.2.7 70000 typ host\r\n");
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().line, 2u);
}

}  // namespace
}  // namespace jsp::transport
