// What a handshake begins with, and what it may not begin before its end.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "dtls/record.h"
#include "dtls/session_test_support.h"
namespace jsp::dtls {
namespace {

using namespace std::chrono_literals;
using testing::Bytes;
using testing::CertificateA;
using testing::CertificateZ;
using testing::MakeFragment;
using testing::MakeRecord;
using testing::OptionsA;
using testing::OptionsZ;
using testing::SessionPair;

using Arrivals = std::vector<SessionPair::Arrival>;
using Sent = SessionPair::Sent;

constexpr uint8_t kHandshake = 22;
constexpr uint8_t kChangeCipherSpec = 20;
constexpr uint8_t kHelloVerifyRequest = 3;
constexpr Timestamp kStart = Timestamp::FromEpoch(1000s);

// RFC 6347 §4.2.1: a HelloVerifyRequest, whose version is that of DTLS 1.0 whatever is negotiated later.
Bytes HelloVerifyRequest(const Bytes& cookie, uint64_t sequence = 0) {
  Bytes body{254, 255, static_cast<uint8_t>(cookie.size())};
  body.insert(body.end(), cookie.begin(), cookie.end());
  const auto length = static_cast<uint32_t>(body.size());
  return MakeRecord(kHandshake, 0, sequence, MakeFragment({kHelloVerifyRequest, length, 0, 0, length}, body));
}

std::vector<Bytes> Drain(Session& session, Timestamp now) {
  std::vector<Bytes> sent;
  std::array<uint8_t, 2000> out;
  while (const auto transmit = session.PollTransmit(now, out))
    sent.emplace_back(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(transmit->size));
  return sent;
}

// The cookie of the ClientHello that `datagram` is (RFC 6347 §4.2.1): behind record and fragment header, version,
// random and session id.
Bytes CookieOf(const Bytes& datagram) {
  constexpr size_t kSessionId = 13 + 12 + 2 + 32;
  if (datagram.size() <= kSessionId) return {};
  const size_t at = kSessionId + 1 + datagram[kSessionId];
  if (datagram.size() <= at || datagram.size() < at + 1 + datagram[at]) return {};
  const auto begin = datagram.begin() + static_cast<std::ptrdiff_t>(at) + 1;
  return {begin, begin + datagram[at]};
}

TEST(SessionHelloTest, ACookieOfAnySizeComesBack) {  // RFC 6347 §4.2.1
  for (const size_t size : {size_t{255}, size_t{32}, size_t{1}, size_t{0}}) {
    Session client(OptionsA(), kStart);
    client.Start(kStart);
    ASSERT_EQ(Drain(client, kStart).size(), 1u);
    const Bytes cookie(size, 0xC0);
    client.HandleDatagram(kStart, HelloVerifyRequest(cookie));
    const auto sent = Drain(client, kStart);
    ASSERT_EQ(sent.size(), 1u) << size;
    EXPECT_EQ(CookieOf(sent[0]), cookie) << size;
    EXPECT_FALSE(client.PollEvent()) << size;
  }
}

// OpenSSL takes it for a repeat of the first, which has the same message_seq (docs/dtls.md#refusals).
TEST(SessionHelloTest, ASecondCookieIsPassedOverAndHarmsNothing) {  // RFC 6347 §4.2.1
  Session client(OptionsA(), kStart);
  client.Start(kStart);
  ASSERT_EQ(Drain(client, kStart).size(), 1u);
  const Bytes cookie(20, 0xC0);
  client.HandleDatagram(kStart, HelloVerifyRequest(cookie, 0));
  ASSERT_EQ(Drain(client, kStart).size(), 1u);
  client.HandleDatagram(kStart, HelloVerifyRequest(Bytes(20, 0xC1), 1));
  EXPECT_TRUE(Drain(client, kStart).empty());
  EXPECT_FALSE(client.PollEvent());
  const Timestamp later = client.NextTimeout();
  client.HandleTimeout(later);
  const auto again = Drain(client, later);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(CookieOf(again[0]), cookie);
}

TEST(SessionHelloTest, ARecordOfTheFirstHelloMayHaveEitherVersion) {  // RFC 6347 §4.1
  for (const uint8_t minor : {uint8_t{255}, uint8_t{253}}) {
    SessionPair pair;
    pair.set_network([&](const Sent& sent) {
      Bytes bytes = sent.bytes;
      if (sent.from == Role::kClient && sent.index == 1) {
        EXPECT_EQ(bytes[1], 254);
        EXPECT_TRUE(bytes[2] == 255 || bytes[2] == 253) << int{bytes[2]};
        bytes[2] = minor;
      }
      return Arrivals{{10ms, bytes}};
    });
    pair.MustConnect();
    EXPECT_EQ(pair.a().metrics().retransmissions, 0u) << int{minor};
  }
}

TEST(SessionHelloTest, AClientSendsNothingBeforeTheServersFinished) {  // RFC 8827 §6.5: no False Start
  SessionPair pair;
  bool client_is_done = false;
  pair.set_network([&](const Sent& sent) {
    if (sent.from == Role::kServer && client_is_done) return Arrivals{};
    for (auto rest = std::span<const uint8_t>(sent.bytes); rest.size() >= 13;) {
      client_is_done = client_is_done || (sent.from == Role::kClient && rest[0] == kChangeCipherSpec);
      const size_t size = 13 + (size_t{rest[11]} << 8 | rest[12]);
      rest = rest.subspan(std::min(size, rest.size()));
    }
    return SessionPair::Deliver(sent);
  });
  pair.Start();
  pair.RunFor(300ms);
  ASSERT_TRUE(client_is_done);
  EXPECT_TRUE(pair.z().is_connected());
  EXPECT_FALSE(pair.a().is_connected());
  Bytes out(2000);
  EXPECT_EQ(pair.a().Seal(pair.now(), Bytes(5), out).error(), SealError::kNotConnected);
}

TEST(SessionHelloTest, ACertificateThatExpiredIsAsGoodAsItsFingerprint) {  // RFC 8122 §6.1
  const auto expired =
      Certificate::Generate({.common_name = "CN of nobody", .not_before_unix = 1, .not_after_unix = 2});
  ASSERT_TRUE(expired);
  Options a = OptionsA();
  Options z = OptionsZ();
  z.certificate = *expired;
  a.remote_fingerprints = {(*expired)->fingerprint()};
  SessionPair pair(a, z);
  pair.MustConnect();
}

}  // namespace
}  // namespace jsp::dtls
