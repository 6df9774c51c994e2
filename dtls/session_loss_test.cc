#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/rng.h"
#include "dtls/record.h"
#include "dtls/session_test_support.h"
namespace jsp::dtls {
namespace {

using namespace std::chrono_literals;
using testing::Bytes;
using testing::CertificateA;
using testing::CertificateZ;
using testing::DetailOf;
using testing::FailureOf;
using testing::HasConnected;
using testing::OptionsA;
using testing::OptionsZ;
using testing::SessionPair;

using Arrivals = std::vector<SessionPair::Arrival>;
using Sent = SessionPair::Sent;

constexpr Role kBothRoles[] = {Role::kClient, Role::kServer};

void ExpectDataFlows(SessionPair& pair) {
  pair.z().HandleDatagram(pair.now(), pair.SealA(Bytes(100, 1)));
  EXPECT_EQ(pair.ReadZ(), Bytes(100, 1));
  pair.a().HandleDatagram(pair.now(), pair.SealZ(Bytes(100, 2)));
  EXPECT_EQ(pair.ReadA(), Bytes(100, 2));
}

Options WithDatagrams(Options options, size_t max_datagram) {
  options.max_datagram = max_datagram;
  return options;
}

Options WithTimeout(Options options, Duration timeout) {
  options.handshake_timeout = timeout;
  return options;
}

TEST(SessionLossTest, RecoversFromTheLossOfAnyOneDatagram) {  // RFC 6347 §4.2.4
  // In datagrams of 256 octets a flight has several.
  for (const Role from : kBothRoles) {
    for (int n = 1; n <= 12; ++n) {
      SCOPED_TRACE(n);
      SessionPair pair(WithDatagrams(OptionsA(), 256), WithDatagrams(OptionsZ(), 256));
      pair.set_network([&](const Sent& sent) {
        return sent.from == from && sent.index == n ? Arrivals{} : SessionPair::Deliver(sent);
      });
      pair.MustConnect();
      EXPECT_LE(pair.now() - Timestamp::FromEpoch(1000s), 1500ms);
      ExpectDataFlows(pair);
    }
  }
}

TEST(SessionLossTest, RecoversFromTheLossOfWholeFlights) {
  for (int lost = 1; lost <= 3; ++lost) {
    for (const Role from : kBothRoles) {
      SessionPair pair;
      pair.set_network([&](const Sent& sent) {
        return sent.from == from && sent.index <= lost ? Arrivals{} : SessionPair::Deliver(sent);
      });
      pair.MustConnect();
      ExpectDataFlows(pair);
    }
  }
}

TEST(SessionLossTest, ConnectedServerRepeatsItsLostLastFlight) {  // RFC 6347 §4.2.4
  SessionPair pair;
  pair.set_network([&](const Sent& sent) {
    const bool is_finished = sent.from == Role::kServer && pair.z().is_connected();
    return is_finished && pair.now() < Timestamp::FromEpoch(1000s) + 1s ? Arrivals{} : SessionPair::Deliver(sent);
  });
  pair.MustConnect();
  EXPECT_GE(pair.a().metrics().retransmissions, 2u);
  EXPECT_EQ(pair.z().metrics().retransmissions, 0u);  // it has no timer any more: the client asks
  ExpectDataFlows(pair);
}

TEST(SessionLossTest, RecoversFromRandomLossOfManySeeds) {
  int completed = 0;
  for (const int percent : {1, 5, 10, 20, 30}) {
    for (uint64_t seed = 1; seed <= 60; ++seed) {
      Rng rng = Rng::FromNumber(seed * 100 + static_cast<uint64_t>(percent));
      SessionPair pair;
      pair.set_network([&](const Sent& sent) {
        return rng.Below(100) < static_cast<uint64_t>(percent) ? Arrivals{} : SessionPair::Deliver(sent);
      });
      const bool is_connected = pair.Connect(31s);
      EXPECT_TRUE(is_connected) << percent << " %, seed " << seed << ": " << DetailOf(pair.events_a()) << " / "
                                << DetailOf(pair.events_z());
      if (!is_connected) continue;
      ExpectDataFlows(pair);
      ++completed;
    }
  }
  EXPECT_EQ(completed, 300);
}

TEST(SessionLossTest, SurvivesReorderingOfManySeeds) {  // RFC 6347 §4.2.2
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Rng rng = Rng::FromNumber(seed);
    SessionPair pair(WithDatagrams(OptionsA(), 256), WithDatagrams(OptionsZ(), 256));
    pair.set_network([&](const Sent& sent) {
      return Arrivals{{std::chrono::milliseconds(1 + rng.Below(50)), sent.bytes}};
    });
    pair.MustConnect();
    EXPECT_LE(pair.now() - Timestamp::FromEpoch(1000s), 2s) << "seed " << seed;
    ExpectDataFlows(pair);
  }
}

TEST(SessionLossTest, CompletesAFlightInReverseOrderWithoutRetransmission) {  // RFC 6347 §4.2.2
  SessionPair pair(WithDatagrams(OptionsA(), 256), WithDatagrams(OptionsZ(), 256));
  pair.set_network([&](const Sent& sent) {
    // The later sent, the earlier it arrives.
    return Arrivals{{100ms - std::chrono::milliseconds(sent.index), sent.bytes}};
  });
  pair.MustConnect();
  EXPECT_EQ(pair.a().metrics().retransmissions + pair.z().metrics().retransmissions, 0u);
}

TEST(SessionLossTest, SurvivesDuplicationOfEveryDatagram) {
  SessionPair pair;
  pair.set_network([](const Sent& sent) {
    return Arrivals{{10ms, sent.bytes}, {10ms, sent.bytes}, {35ms, sent.bytes}, {700ms, sent.bytes}};
  });
  pair.MustConnect();
  pair.RunFor(5s);
  EXPECT_TRUE(pair.a().is_connected());
  EXPECT_TRUE(pair.z().is_connected());
  ExpectDataFlows(pair);
}

// A flipped bit in a plaintext message may well end the handshake, as nothing authenticates it before Finished. What
// must hold is that both ends come to an end, that nobody is connected to somebody who is not, and that no memory is
// touched that should not be (under the sanitizers).
TEST(SessionLossTest, CorruptionOfAnyOctetEndsInSuccessOrFailureButNotInBetween) {
  size_t length = 2;  // of the present datagram; found out on the first round
  for (const Role from : kBothRoles) {
    for (int n = 1; n <= 3; ++n) {
      for (size_t position = 0; position < length; position += 7) {
        SessionPair pair;
        length = 0;
        pair.set_network([&](const Sent& sent) {
          Bytes bytes = sent.bytes;
          if (sent.from == from && sent.index == n) {
            length = bytes.size();
            bytes[position % length] ^= 0x10;
          }
          return Arrivals{{10ms, bytes}};
        });
        const bool is_connected = pair.Connect(70s);
        EXPECT_TRUE(is_connected || FailureOf(pair.events_a()) || FailureOf(pair.events_z())) << n << " " << position;
        if (is_connected) {
          ExpectDataFlows(pair);
        } else {
          EXPECT_FALSE(pair.a().is_connected() && pair.z().is_connected());
          pair.RunFor(60s);
          EXPECT_EQ(pair.z().NextTimeout(), Timestamp::Never());
        }
      }
      length = 2;
    }
  }
}

TEST(SessionLossTest, CorruptedFinishedIsRepeated) {  // RFC 6347 §4.1.2.1
  for (const Role from : kBothRoles) {
    bool is_corrupted = false;
    SessionPair pair;
    pair.set_network([&](const Sent& sent) {
      Bytes bytes = sent.bytes;
      // Finished is the first protected record, and the last of its datagram.
      std::span<const uint8_t> rest = bytes;
      while (const auto record = ParseRecord(rest)) {
        if (sent.from == from && record->header.epoch == 1 && !is_corrupted) {
          is_corrupted = true;
          bytes.back() ^= 1;
        }
        rest = rest.subspan(record->bytes.size());
      }
      return Arrivals{{10ms, bytes}};
    });
    pair.MustConnect();
    EXPECT_TRUE(is_corrupted);
    ExpectDataFlows(pair);
  }
}

TEST(SessionLossTest, P12_NoDatagramOfAnRsa4096FlightExceedsTheLimit) {
  const auto rsa = testing::MakeCertificate(testing::Rsa4096Key());
  const auto certificate = Certificate::FromPem(rsa.CertificatePem(), rsa.KeyPem());
  ASSERT_TRUE(certificate) << certificate.error();
  for (const size_t limit : {size_t{256}, size_t{300}, size_t{507}, size_t{1200}, size_t{1400}, size_t{4000}}) {
    auto a = WithDatagrams(OptionsA(), limit);
    auto z = WithDatagrams(OptionsZ(), limit);
    a.certificate = z.certificate = *certificate;
    a.remote_fingerprints = z.remote_fingerprints = {(*certificate)->fingerprint()};
    SessionPair pair(a, z);
    pair.MustConnect();
    size_t largest = 0;
    for (const auto& sent : pair.sent()) largest = std::max(largest, sent.bytes.size());
    EXPECT_LE(largest, limit);
    EXPECT_GE(largest, std::min(limit - 60, size_t{1000}));  // and it uses what it has
    ExpectDataFlows(pair);
  }
}

TEST(SessionLossTest, ClampsTheDatagramLimit) {
  for (const size_t limit : {size_t{0}, size_t{100}, size_t{1000000}}) {
    SessionPair pair(WithDatagrams(OptionsA(), limit), WithDatagrams(OptionsZ(), limit));
    pair.MustConnect();
    for (const auto& sent : pair.sent()) {
      EXPECT_LE(sent.bytes.size(),
                limit < Options::kMinMaxDatagram ? Options::kMinMaxDatagram : Options::kMaxMaxDatagram);
    }
  }
}

TEST(SessionLossTest, D15_GetsThroughAPathThatSwallowsLargeDatagrams) {  // RFC 6347 §4.1.1.1
  SessionPair pair;
  pair.set_network([](const Sent& sent) { return sent.bytes.size() > 550 ? Arrivals{} : SessionPair::Deliver(sent); });
  const auto largest = [&](Timestamp from) {
    size_t size = 0;
    for (const auto& sent : pair.sent()) size = sent.at >= from ? std::max(size, sent.bytes.size()) : size;
    return size;
  };
  pair.MustConnect();
  EXPECT_GT(largest(Timestamp::FromEpoch(0s)), 550u);
  // The third repetition of a flight is in smaller datagrams: 0.4 + 0.8 + 1.6 s for each of two flights.
  EXPECT_LE(pair.now() - Timestamp::FromEpoch(1000s), 7s);
  ExpectDataFlows(pair);
}

TEST(SessionLossTest, D7_FragmentedClientHelloInSeveralDatagramsIsAccepted) {  // RFC 6347 §4.2.3
  // A ClientHello of the size that post-quantum key shares give: OpenSSL's, with protocols that nobody speaks.
  testing::RawPeer peer(Role::kClient, [](SSL_CTX* context) {
    testing::KeyAndCertificate made = testing::MakeCertificate(PkeyPtr(EVP_EC_gen("P-256")));
    testing::RawPeer::UseCertificate(context, made.key.get(), made.certificate.get());
    Bytes protocols;
    for (int i = 0; i < 8; ++i) {
      protocols.push_back(200);
      protocols.insert(protocols.end(), 200, static_cast<uint8_t>('a' + i));
    }
    SSL_CTX_set_alpn_protos(context, protocols.data(), static_cast<unsigned>(protocols.size()));
  });
  auto z = OptionsZ();
  z.remote_fingerprints.clear();
  Timestamp now = Timestamp::FromEpoch(1000s);
  Session session(z, now);
  session.Start(now);
  peer.Step(now);
  const auto hello = peer.TakeRecords();
  ASSERT_GE(hello.size(), 2u);
  Bytes buffer(2000);
  for (size_t i = hello.size(); i-- > 0;) {
    EXPECT_FALSE(session.PollTransmit(now, buffer)) << "answered before the ClientHello was complete";
    session.HandleDatagram(now, hello[i]);
  }
  testing::Exchange(session, peer, now);
  EXPECT_TRUE(peer.is_connected());
}

TEST(SessionLossTest, D14_RetransmitsInVirtualTimeAndGivesUpAtTheDeadline) {  // RFC 6347 §4.2.4.1
  SessionPair pair;
  pair.set_network([](const Sent&) { return Arrivals{}; });
  EXPECT_FALSE(pair.Connect(100s));
  std::vector<Duration> times;
  for (const auto& sent : pair.sent()) times.push_back(sent.at - Timestamp::FromEpoch(1000s));
  ASSERT_GE(times.size(), 4u);
  EXPECT_EQ((std::vector<Duration>(times.begin(), times.begin() + 4)),
            (std::vector<Duration>{0ms, 400ms, 1200ms, 2800ms}));
  for (size_t i = 4; i < times.size(); ++i) EXPECT_EQ(times[i] - times[i - 1], 3s);  // docs/dtls.md: not up to 60 s
  EXPECT_EQ(times.back(), 29800ms);
  EXPECT_EQ(pair.a().metrics().retransmissions, 12u);
  EXPECT_EQ(FailureOf(pair.events_a()), FailureReason::kHandshakeTimeout);
  EXPECT_EQ(FailureOf(pair.events_z()), FailureReason::kHandshakeTimeout);
  EXPECT_EQ(pair.events_a().size(), 1u);
  EXPECT_EQ(pair.a().NextTimeout(), Timestamp::Never());
}

TEST(SessionLossTest, RepeatsAFlightWithNewRecordNumbersAndTheSameMessage) {  // RFC 6347 §4.2.4
  SessionPair pair;
  pair.set_network([](const Sent&) { return Arrivals{}; });
  pair.Start();
  pair.RunFor(3s);
  ASSERT_EQ(pair.sent().size(), 4u);
  std::set<uint64_t> numbers;
  for (const auto& sent : pair.sent()) {
    const auto record = ParseRecord(sent.bytes);
    ASSERT_TRUE(record);
    numbers.insert(record->header.sequence_number());
  }
  EXPECT_EQ(numbers, (std::set<uint64_t>{0, 1, 2, 3}));
  const Bytes& first = pair.sent()[0].bytes;
  const Bytes& second = pair.sent()[1].bytes;
  EXPECT_TRUE(
      std::equal(first.begin() + kRecordHeaderSize, first.end(), second.begin() + kRecordHeaderSize, second.end()));
}

// OpenSSL's own limit: a handshake_timeout above 33 s changes nothing for a client that nobody answers.
TEST(SessionLossTest, GivesUpAfterTheTwelfthRepetitionWhateverTheDeadline) {
  auto a = WithTimeout(OptionsA(), 24h);
  a.initial_retransmission_timeout = 10ms;
  SessionPair pair(a, OptionsZ());
  pair.set_network([](const Sent&) { return Arrivals{}; });
  EXPECT_FALSE(pair.Connect(24h));
  EXPECT_EQ(FailureOf(pair.events_a()), FailureReason::kHandshakeTimeout);
  EXPECT_LE(pair.sent().size(), 14u);
}

TEST(SessionLossTest, LateDrainingLosesNothing) {
  const Timestamp start = Timestamp::FromEpoch(5s);
  Timestamp now = start;
  Session a(OptionsA(), now);
  Session z(OptionsZ(), now);
  a.Start(now);
  z.Start(now);
  Bytes buffer(2000);
  // Each side is polled once a second only, whatever its timers say.
  for (int i = 0; i < 20 && !(a.is_connected() && z.is_connected()); ++i) {
    now = now + 1s;
    a.HandleTimeout(now);
    z.HandleTimeout(now);
    std::vector<Bytes> to_z;
    while (const auto transmit = a.PollTransmit(now, buffer))
      to_z.emplace_back(buffer.begin(), buffer.begin() + static_cast<long>(transmit->size));
    std::vector<Bytes> to_a;
    while (const auto transmit = z.PollTransmit(now, buffer))
      to_a.emplace_back(buffer.begin(), buffer.begin() + static_cast<long>(transmit->size));
    for (const auto& datagram : to_z) z.HandleDatagram(now, datagram);
    for (const auto& datagram : to_a) a.HandleDatagram(now, datagram);
  }
  EXPECT_TRUE(a.is_connected());
  EXPECT_TRUE(z.is_connected());
}

}  // namespace
}  // namespace jsp::dtls
