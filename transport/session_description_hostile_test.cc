#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "transport/sdp_line_reader.h"
#include "transport/sdp_section.h"
#include "transport/session_description.h"

namespace jsp::transport {
namespace {

// The shortest description that is accepted: eleven lines.
const std::vector<std::string>& Minimal() {
  static const std::vector<std::string> lines = {
      "v=0",
      "o=- 1 1 IN IP4 0.0.0.0",
      "s=-",
      "t=0 0",
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
      "a=ice-ufrag:EsAw",
      "a=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y",
      "a=setup:actpass",
      "a=sctp-port:5000",
      "a=fingerprint:sha-1 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33",
      "a=candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host",
  };
  return lines;
}

std::string Join(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) out += line + "\r\n";
  return out;
}

// The minimal description with line `number` (from 1) replaced.
std::string With(size_t number, std::string line) {
  auto lines = Minimal();
  lines[number - 1] = std::move(line);
  return Join(lines);
}

SdpError ErrorOf(std::string_view sdp) {
  auto parsed = ParseSessionDescription(sdp);
  EXPECT_FALSE(parsed.has_value()) << sdp.substr(0, 400);
  return parsed ? SdpError{} : parsed.error();
}

TEST(SdpHostileTest, AcceptsTheDescriptionThatTheOtherTestsDamage) {
  EXPECT_TRUE(ParseSessionDescription(Join(Minimal())).has_value());
}

TEST(SdpHostileTest, I19_NamesNumberAndTextOfTheOffendingLineInOneLine) {
  const auto error = ErrorOf(With(11, "a=candidate:1 1 udp 2122260223 192.0.2.7 70000 typ host"));
  EXPECT_EQ(error.line, 11u);
  EXPECT_EQ(error.text, "a=candidate:1 1 udp 2122260223 192.0.2.7 70000 typ host");
  EXPECT_TRUE(error.ToString().starts_with("line 11: \"a=candidate:1 1 udp 2122260223 192.0.2.7 70000 typ host\": "));
  EXPECT_EQ(error.ToString().find('\n'), std::string::npos);
  EXPECT_EQ((SdpError{0, {}, "no o= line"}.ToString()), "no o= line");
}

TEST(SdpHostileTest, I19_RefusesEveryMalformedKnownLine) {
  const std::pair<size_t, const char*> cases[] = {
      {1, "v=1"},
      {1, "s=-"},
      {2, "o=- 1 1 IN IP4"},
      {2, "o=- one 1 IN IP4 0.0.0.0"},
      {2, "o=- 1  IN IP4 0.0.0.0"},
      {2, "o=- 99999999999999999999999 1 IN IP4 0.0.0.0"},
      {5, "m=application"},
      {5, "m=application 9 UDP/DTLS/SCTP"},
      {5, "m=application 70000 UDP/DTLS/SCTP webrtc-datachannel"},
      {5, "m=application -1 UDP/DTLS/SCTP webrtc-datachannel"},
      {5, "m=application x UDP/DTLS/SCTP webrtc-datachannel"},
      {6, "a=ice-ufrag:abc"},
      {6, "a=ice-ufrag:"},
      {6, "a=ice-ufrag"},
      {6, "a=ice-ufrag:with space"},
      {6, "a=ice-ufrag:with-dash"},
      {7, "a=ice-pwd:tooshort"},
      {7, "a=ice-pwd:bP+XJMM09aR8AiX1jdukz\xC3\xA9"},
      {8, "a=setup:everything"},
      {8, "a=setup"},
      {9, "a=sctp-port:65536"},
      {9, "a=sctp-port:05000"},
      {9, "a=sctp-port:+5000"},
      {9, "a=sctp-port:5000 "},
      {9, "a=sctp-port"},
      {9, "a=max-message-size:0100"},
      {9, "a=max-message-size:99999999999999999999"},
      {10, "a=fingerprint:sha-1 00:11"},
      {10, "a=fingerprint:SHA-256 00:11"},
      {10, "a=fingerprint:sha-1"},
      {10, "a=fingerprint:"},
      {11, "a=candidate:"},
      {11, "a=candidate:1 1 udp"},
      {11, "a=candidate:1 1 udp 0 192.0.2.7 5000 typ host"},
      {11, "a=candidate:1 0 udp 100 192.0.2.7 5000 typ host"},
      {11, "a=mid:"},
      {11, "a=mid:two words"},
      {11, "A=mid:0"},
      {11, "a"},
      {11, "a:mid=0"},
      {11, "=x"},
  };
  for (const auto& [number, line] : cases) {
    const auto error = ErrorOf(With(number, line));
    EXPECT_EQ(error.line, number) << line;
    EXPECT_FALSE(error.reason.empty());
  }
}

TEST(SdpHostileTest, I19_RefusesAUfragOf257Characters) {  // RFC 8839 §5.4
  EXPECT_TRUE(ParseSessionDescription(With(6, "a=ice-ufrag:" + std::string(256, 'u'))).has_value());
  EXPECT_EQ(ErrorOf(With(6, "a=ice-ufrag:" + std::string(257, 'u'))).line, 6u);
  EXPECT_TRUE(ParseSessionDescription(With(7, "a=ice-pwd:" + std::string(256, 'p'))).has_value());
  EXPECT_EQ(ErrorOf(With(7, "a=ice-pwd:" + std::string(257, 'p'))).line, 7u);
}

TEST(SdpHostileTest, RefusesADescriptionThatLacksAnyOfItsNecessaryLines) {
  for (size_t missing : {1u, 2u, 5u, 6u, 7u, 8u, 9u}) {
    auto lines = Minimal();
    lines.erase(lines.begin() + static_cast<long>(missing) - 1);
    EXPECT_FALSE(ErrorOf(Join(lines)).reason.empty()) << "without " << Minimal()[missing - 1];
  }
  EXPECT_EQ(ErrorOf("").reason, "empty description");
  EXPECT_EQ(ErrorOf("\r\n\r\n").reason, "empty description");
}

TEST(SdpHostileTest, RefusesASectionWithoutSctpPort) {  // RFC 8841 §5.1
  const auto error = ErrorOf(With(9, "a=sctpmap:5000 webrtc-datachannel 1024"));
  EXPECT_EQ(error.line, 5u) << "the section, because the line is not there";
  EXPECT_EQ(error.reason, "no a=sctp-port in this section");
}

TEST(SdpHostileTest, UnderstandsEveryWayOfSayingNo) {  // RFC 8841 §10.3, RFC 8839 §5.3
  EXPECT_NE(ErrorOf(With(5, "m=application 0 UDP/DTLS/SCTP webrtc-datachannel")).reason.find("rejected"),
            std::string::npos);
  EXPECT_NE(ErrorOf(With(9, "a=sctp-port:0")).reason.find("rejected"), std::string::npos);
  EXPECT_NE(ErrorOf(With(11, "a=ice-mismatch")).reason.find("ICE"), std::string::npos);
}

TEST(SdpHostileTest, RefusesDescriptionsWithoutOurKindOfSection) {  // RFC 8841 §4.3
  for (const char* line : {"m=audio 9 UDP/TLS/RTP/SAVPF 0", "m=application 9 DTLS/SCTP 5000",
                           "m=application 9 TCP/DTLS/SCTP webrtc-datachannel", "m=application 9 UDP/DTLS/SCTP other",
                           "m=application 9 UDP/DTLS/SCTP webrtc-datachannel second"}) {
    EXPECT_EQ(ErrorOf(With(5, line)).reason, "no section m=application ... UDP/DTLS/SCTP webrtc-datachannel") << line;
  }
}

TEST(SdpHostileTest, TreatsASecondSectionOfOurKindAsOneToReject) {
  auto lines = Minimal();
  lines.push_back("m=application 9 UDP/DTLS/SCTP webrtc-datachannel");
  lines.push_back("a=ice-ufrag:!!!");
  const auto parsed = ParseSessionDescription(Join(lines));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->media_index, 0u);
  ASSERT_EQ(parsed->rejected.size(), 1u);
  EXPECT_EQ(parsed->rejected[0].index, 1u);
}

TEST(SdpHostileTest, I19_RefusesControlCharactersAndShowsThemHarmlessly) {
  for (char c : {'\0', '\x01', '\x08', '\x0B', '\x1B', '\x7F', '\r'}) {
    const auto error = ErrorOf(With(3, std::string("s=a") + c + "b"));
    EXPECT_EQ(error.line, 3u) << static_cast<int>(c);
    EXPECT_EQ(error.text, "s=a?b");
  }
  EXPECT_TRUE(ParseSessionDescription(With(3, "s=caf\xC3\xA9\t!")).has_value()) << "text may be UTF-8";
}

TEST(SdpHostileTest, I19_ShortensAnEndlessLineInItsError) {
  const auto error = ErrorOf(With(8, "a=setup:" + std::string(50'000, 'x')));
  EXPECT_EQ(error.line, 8u);
  EXPECT_LT(error.ToString().size(), 200u);
}

TEST(SdpHostileTest, I19_Refuses10MegabytesWithoutReadingThem) {
  std::string sdp = Join(Minimal());
  sdp.resize(10'000'000, 'x');
  const auto error = ErrorOf(sdp);
  EXPECT_EQ(error.line, 0u);
  EXPECT_EQ(error.reason, "longer than 65536 octets");
  EXPECT_FALSE(ParseTrickleFragment(sdp).has_value());
  std::string most = Join(Minimal());
  most += "a=";
  most.resize(kMaxSdpSize, 'x');
  EXPECT_TRUE(ParseSessionDescription(most).has_value()) << "exactly the limit";
}

TEST(SdpHostileTest, I19_RefusesTooManyLines) {
  std::string sdp = Join(Minimal());
  for (int i = 0; i < 20'000; ++i) sdp += "a=\n";
  EXPECT_EQ(ErrorOf(sdp).line, kMaxSdpLines + 1);
  EXPECT_EQ(ErrorOf(std::string(60'000, '\n') + Join(Minimal())).line, kMaxSdpLines + 1);
}

TEST(SdpHostileTest, I8_BoundsCandidatesFingerprintsMidsAndSections) {
  const auto with_many = [](const std::string& line, size_t count) {
    auto lines = Minimal();
    for (size_t i = 0; i < count; ++i) lines.push_back(line);
    return Join(lines);
  };
  const std::string candidate = Minimal()[10];
  EXPECT_TRUE(ParseSessionDescription(with_many(candidate, kMaxCandidates - 1)).has_value());
  EXPECT_EQ(ErrorOf(with_many(candidate, kMaxCandidates)).reason, "too many candidates");
  EXPECT_EQ(ErrorOf(with_many(Minimal()[9], kMaxFingerprints)).reason, "too many fingerprints");
  EXPECT_TRUE(ParseSessionDescription(with_many("m=audio 9 X 0", kMaxMediaSections - 1)).has_value());
  EXPECT_EQ(ErrorOf(with_many("m=audio 9 X 0", kMaxMediaSections)).reason, "too many media descriptions");
  std::string group = "a=group:BUNDLE";
  for (size_t i = 0; i <= kMaxMediaSections; ++i) group += " m";
  EXPECT_EQ(ErrorOf(With(4, group)).reason, "too many mids in a group");
  EXPECT_EQ(ErrorOf(With(11, "a=mid:" + std::string(kMaxMidSize + 1, 'm'))).line, 11u);
}

TEST(SdpHostileTest, TakesTheFirstOfAttributesThatCameTwice) {
  auto lines = Minimal();
  lines.push_back("a=ice-ufrag:Second");
  lines.push_back("a=sctp-port:1");
  lines.push_back("a=setup:passive");
  const auto parsed = ParseSessionDescription(Join(lines));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->ice.ufrag, "EsAw");
  EXPECT_EQ(parsed->sctp_port, 5000);
  EXPECT_EQ(parsed->setup, transport::Setup::kActpass);
}

TEST(SdpHostileTest, I19_SurvivesEveryTruncationAndRandomDamage) {
  const std::string sdp = Join(Minimal());
  for (size_t length = 0; length < sdp.size(); ++length) {
    (void)ParseSessionDescription(std::string_view(sdp).substr(0, length));
    (void)ParseTrickleFragment(std::string_view(sdp).substr(length));
  }
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng = Rng::FromNumber(seed);
    std::string damaged = sdp;
    for (uint64_t i = rng.Below(6) + 1; i > 0; --i) {
      const size_t at = rng.Below(damaged.size());
      switch (rng.Below(3)) {
        case 0:
          damaged[at] = static_cast<char>(rng.Below(256));
          break;
        case 1:
          damaged.erase(at, rng.Below(20));
          break;
        default:
          damaged.insert(at, damaged.substr(rng.Below(damaged.size()), rng.Below(60)));
      }
    }
    const auto parsed = ParseSessionDescription(damaged);
    if (!parsed) {
      EXPECT_FALSE(parsed.error().reason.empty());
      EXPECT_EQ(parsed.error().ToString().find('\n'), std::string::npos);
      continue;
    }
    // What was accepted is written in a form that reads the same.
    const std::string written = WriteSessionDescription(*parsed);
    const auto again = ParseSessionDescription(written);
    ASSERT_TRUE(again.has_value()) << again.error().ToString() << '\n' << written;
    EXPECT_EQ(WriteSessionDescription(*again), written);
  }
}

}  // namespace
}  // namespace jsp::transport
