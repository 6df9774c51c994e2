#include "stun/uri.h"

#include <gtest/gtest.h>

#include <string>

#include "base/rng.h"
namespace jsp::stun {
namespace {

struct Good {
  const char* text;
  const char* canonical;
};

TEST(UriTest, ParsesEveryForm) {  // RFC 7064 §A, RFC 7065 §A
  for (const auto& [text, canonical] : {
           Good{"stun:example.org", "stun:example.org:3478"},
           Good{"stuns:example.org", "stuns:example.org:5349"},
           Good{"stun:example.org:8000", "stun:example.org:8000"},
           Good{"stun:example.org:", "stun:example.org:3478"},
           Good{"STUN:Example.Org", "stun:Example.Org:3478"},
           Good{"stun:192.0.2.1", "stun:192.0.2.1:3478"},
           Good{"stun:[2001:db8::1]", "stun:[2001:db8::1]:3478"},
           Good{"stun:[2001:db8::1]:1", "stun:[2001:db8::1]:1"},
           Good{"turn:example.org", "turn:example.org:3478?transport=udp"},
           Good{"turns:example.org", "turns:example.org:5349?transport=tcp"},
           Good{"turn:example.org:8000", "turn:example.org:8000?transport=udp"},
           Good{"turn:example.org?transport=udp", "turn:example.org:3478?transport=udp"},
           Good{"turn:example.org?transport=tcp", "turn:example.org:3478?transport=tcp"},
           Good{"turns:example.org?transport=tcp", "turns:example.org:5349?transport=tcp"},
           Good{"turns:example.org:443?transport=TCP", "turns:example.org:443?transport=tcp"},
           Good{"turns:example.org?transport=udp", "turns:example.org:5349?transport=udp"},
           Good{"turn:[::1]:65535?transport=tcp", "turn:[::1]:65535?transport=tcp"},
           Good{"turns:127.0.0.1:5349", "turns:127.0.0.1:5349?transport=tcp"},
           Good{"stun:localhost", "stun:localhost:3478"},
           Good{"stun:my_host-1.internal.", "stun:my_host-1.internal.:3478"},
       }) {
    const auto uri = ParseUri(text);
    ASSERT_TRUE(uri) << text << ": " << Describe(uri.error().code);
    EXPECT_EQ(uri->ToString(), canonical);
    EXPECT_EQ(ParseUri(uri->ToString()), uri) << text;
  }
}

TEST(UriTest, TellsItsParts) {
  const auto uri = ParseUri("turns:[2001:db8::7]:444?transport=udp");
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri->scheme, UriScheme::kTurns);
  EXPECT_TRUE(uri->IsSecure());
  EXPECT_TRUE(uri->IsTurn());
  EXPECT_EQ(uri->host, "2001:db8::7");
  EXPECT_EQ(uri->ip, IpAddress::Parse("2001:db8::7"));
  EXPECT_EQ(uri->port, 444);
  EXPECT_EQ(uri->transport, UriTransport::kUdp);
  EXPECT_FALSE(ParseUri("stun:example.org")->ip);
  EXPECT_FALSE(ParseUri("stun:example.org")->IsTurn());
  EXPECT_FALSE(ParseUri("turn:example.org")->IsSecure());
}

TEST(UriTest, TellsTheServiceNameWhereTheUriSaysNoPort) {  // RFC 8489 §8.1, RFC 5928 §3
  EXPECT_EQ(ParseUri("stun:example.org")->ServiceName(), "_stun._udp.example.org");
  EXPECT_EQ(ParseUri("stuns:example.org.")->ServiceName(), "_stuns._tcp.example.org");
  EXPECT_EQ(ParseUri("turn:example.org")->ServiceName(), "_turn._udp.example.org");
  EXPECT_EQ(ParseUri("turn:example.org?transport=tcp")->ServiceName(), "_turn._tcp.example.org");
  EXPECT_EQ(ParseUri("turns:example.org")->ServiceName(), "_turns._tcp.example.org");
  for (const char* direct : {"turn:example.org:3478", "turn:192.0.2.1", "turn:[::1]", "stun:localhost"}) {
    EXPECT_FALSE(ParseUri(direct)->ServiceName()) << direct;
  }
}

TEST(UriTest, AWrittenDefaultPortNamesTheSameServerButNoService) {
  const auto written = ParseUri("turns:example.org:5349");
  const auto implied = ParseUri("turns:example.org");
  EXPECT_EQ(written, implied);
  EXPECT_TRUE(written->has_port);
  EXPECT_FALSE(implied->has_port);
}

struct Bad {
  std::string text;
  UriErrc code;
  size_t offset;
};

TEST(UriTest, SaysWhatIsWrongAndWhere) {
  for (const auto& [text, code, offset] : {
           Bad{"", UriErrc::kUnknownScheme, 0},
           Bad{"example.org", UriErrc::kUnknownScheme, 0},
           Bad{"http:example.org", UriErrc::kUnknownScheme, 0},
           Bad{"stunt:example.org", UriErrc::kUnknownScheme, 0},
           Bad{" stun:example.org", UriErrc::kUnknownScheme, 0},
           Bad{"stun://example.org", UriErrc::kHierarchical, 5},
           Bad{"stun:", UriErrc::kEmptyHost, 5},
           Bad{"stun::3478", UriErrc::kEmptyHost, 5},
           Bad{"turn:?transport=udp", UriErrc::kEmptyHost, 5},
           Bad{"stun:exa mple.org", UriErrc::kBadHost, 5},
           Bad{"stun:example..org", UriErrc::kBadHost, 5},
           Bad{"stun:ex%61mple.org", UriErrc::kBadHost, 5},
           Bad{"stun:1.2.3", UriErrc::kBadHost, 5},
           Bad{"stun:1.2.3.256", UriErrc::kBadHost, 5},
           Bad{"stun:example.org/path", UriErrc::kBadHost, 5},
           Bad{"stun:" + std::string(300, 'a'), UriErrc::kBadHost, 5},
           Bad{"turn:user:pass@example.org", UriErrc::kUserInfo, 14},
           Bad{"turn:user@example.org", UriErrc::kUserInfo, 9},
           Bad{"stun:[2001:db8::1", UriErrc::kUnclosedBracket, 5},
           Bad{"stun:[2001:db8::1]x", UriErrc::kBadHost, 18},
           Bad{"stun:[]", UriErrc::kBadIpv6, 6},
           Bad{"stun:[192.0.2.1]", UriErrc::kBadIpv6, 6},
           Bad{"stun:[2001:db8::zz]", UriErrc::kBadIpv6, 6},
           Bad{"stun:2001:db8::1", UriErrc::kBareIpv6, 5},
           Bad{"stun:::1", UriErrc::kBareIpv6, 5},
           Bad{"stun:example.org:0", UriErrc::kBadPort, 17},
           Bad{"stun:example.org:65536", UriErrc::kBadPort, 17},
           Bad{"stun:example.org:-1", UriErrc::kBadPort, 17},
           Bad{"stun:example.org:80x", UriErrc::kBadPort, 17},
           Bad{"stun:example.org:80:90", UriErrc::kBadPort, 17},
           Bad{"stun:example.org:99999999999999999999", UriErrc::kBadPort, 17},
           Bad{"stun:example.org?transport=udp", UriErrc::kQueryOnStun, 16},
           Bad{"turn:example.org?", UriErrc::kBadQuery, 16},
           Bad{"turn:example.org?proto=udp", UriErrc::kBadQuery, 16},
           Bad{"turn:example.org?transport=", UriErrc::kUnknownTransport, 27},
           Bad{"turn:example.org?transport=sctp", UriErrc::kUnknownTransport, 27},
           Bad{"turn:example.org?transport=udp&x=1", UriErrc::kUnknownTransport, 27},
           Bad{"stuns:192.0.2.1", UriErrc::kSecureIpAddress, 6},
           Bad{"stuns:[2001:db8::1]:5349", UriErrc::kSecureIpAddress, 6},
       }) {
    const auto uri = ParseUri(text);
    ASSERT_FALSE(uri) << text;
    EXPECT_EQ(uri.error().code, code) << text << ": " << Describe(uri.error().code);
    EXPECT_EQ(uri.error().offset, offset) << text;
    EXPECT_FALSE(Describe(uri.error().code).empty());
  }
}

TEST(UriTest, RandomEditsOfAUriNeverCrashAndRoundTripWhenAccepted) {
  constexpr uint64_t kSeed = 7065;
  constexpr std::string_view kAlphabet = "stunr:[]?@/.=%12aZ\xc3 ";
  Rng rng = Rng::FromNumber(kSeed);
  for (int round = 0; round < 20000; ++round) {
    std::string text = round % 2 == 0 ? "turns:[2001:db8::1]:443?transport=tcp" : "stun:a.example:1";
    for (uint64_t edits = rng.Below(4); edits > 0 && !text.empty(); --edits) {
      const auto at = static_cast<std::ptrdiff_t>(rng.Below(text.size()));
      const char c = kAlphabet[rng.Below(kAlphabet.size())];
      rng.Below(2) == 0 ? void(text.erase(text.begin() + at)) : void(text.insert(text.begin() + at, c));
    }
    const auto uri = ParseUri(text);
    if (uri) {
      EXPECT_EQ(ParseUri(uri->ToString()), uri) << "seed " << kSeed << " round " << round << " " << text;
    } else {
      EXPECT_LE(uri.error().offset, text.size()) << "seed " << kSeed << " round " << round << " " << text;
    }
  }
}

}  // namespace
}  // namespace jsp::stun
