#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include <algorithm>

#include "dtls/context.h"
#include "dtls/record.h"
#include "dtls/session_test_support.h"
namespace jsp::dtls {
namespace {

using namespace std::chrono_literals;
using testing::Bytes;
using testing::CertificateA;
using testing::CertificateZ;
using testing::DetailOf;
using testing::Exchange;
using testing::FailureOf;
using testing::FragmentFields;
using testing::HasConnected;
using testing::MakeFragment;
using testing::MakeRecord;
using testing::OptionsA;
using testing::OptionsZ;
using testing::RawPeer;
using testing::SessionPair;

using Arrivals = std::vector<SessionPair::Arrival>;
using Sent = SessionPair::Sent;

uint64_t Dropped(const Session& session, DropReason reason) {
  return session.metrics().dropped[static_cast<size_t>(reason)];
}

void ExpectDataFlows(SessionPair& pair) {
  pair.z().HandleDatagram(pair.now(), pair.SealA(Bytes(100, 1)));
  EXPECT_EQ(pair.ReadZ(), Bytes(100, 1));
  pair.a().HandleDatagram(pair.now(), pair.SealZ(Bytes(100, 2)));
  EXPECT_EQ(pair.ReadA(), Bytes(100, 2));
}

// Every genuine datagram arrives after `forged` did.
SessionPair::Network Precede(std::vector<Bytes> forged) {
  return [forged = std::move(forged)](const Sent& sent) {
    Arrivals arrivals;
    for (const auto& bytes : forged) arrivals.push_back({5ms, bytes});
    arrivals.push_back({10ms, sent.bytes});
    return arrivals;
  };
}

const Bytes kFatalAlert = {2, 40};
constexpr Timestamp kStart = Timestamp::FromEpoch(1000s);

// A handshake through such forgeries has to complete without a retransmission, or it would be the timer's merit.
void ExpectUnmoved(std::vector<Bytes> forged) {
  SessionPair pair;
  pair.set_network(Precede(std::move(forged)));
  pair.MustConnect();
  EXPECT_LE(pair.now() - kStart, 100ms);
  ExpectDataFlows(pair);
}

TEST(SessionAttackTest, D2_SurvivesABurstOfTheSameClientHello) {
  SessionPair pair;
  pair.set_network([](const Sent& sent) {
    const bool is_hello = sent.from == Role::kClient && sent.index == 1;
    return Arrivals(is_hello ? 100 : 1, {10ms, sent.bytes});
  });
  pair.MustConnect();
  ExpectDataFlows(pair);
  EXPECT_LE(pair.z().metrics().datagrams_sent, 10u);  // not an amplifier
}

// A ClientHello that OpenSSL answers with handshake_failure: it offers no suite of ours.
Bytes UnacceptableClientHello() {
  RawPeer peer(Role::kClient, [](SSL_CTX* context) {
    SSL_CTX_set_security_level(context, 0);
    EXPECT_EQ(SSL_CTX_set_cipher_list(context, "AES128-SHA"), 1);
  });
  peer.Step(kStart);
  const auto records = peer.TakeRecords();
  EXPECT_EQ(records.size(), 1u);
  return records.at(0);
}

TEST(SessionAttackTest, D3_UnacceptableClientHelloDoesNotSpoilTheRealOne) {
  const Bytes unacceptable = UnacceptableClientHello();
  Bytes garbage = MakeRecord(22, 0, 0, MakeFragment({.type = 1, .length = 60, .fragment_length = 60}, Bytes(60, 0xEE)));
  ExpectUnmoved({unacceptable, garbage, unacceptable, Bytes(40, 22), MakeRecord(22, 0, 9, Bytes(80, 1))});
}

TEST(SessionAttackTest, D3_UnacceptablePeerGetsItsAlertAfterTheGrace) {
  for (const bool is_repeated : {false, true}) {
    Timestamp now = kStart;
    Session session(OptionsZ(), now);
    session.Start(now);
    const Bytes hello = UnacceptableClientHello();
    session.HandleDatagram(now, hello);
    Bytes buffer(2000);
    EXPECT_FALSE(session.PollTransmit(now, buffer));
    EXPECT_EQ(session.NextTimeout(), now + 1s);
    now = now + 900ms;
    if (is_repeated) session.HandleDatagram(now, hello);
    EXPECT_EQ(session.NextTimeout(), kStart + 1s);
    now = session.NextTimeout();
    session.HandleTimeout(now);
    const auto transmit = session.PollTransmit(now, buffer);
    ASSERT_TRUE(transmit);
    const auto record = ParseRecord(std::span(buffer).first(transmit->size));
    ASSERT_TRUE(record);
    EXPECT_EQ(record->header.type, ContentType::kAlert);
    EXPECT_EQ(Bytes(record->fragment.begin(), record->fragment.end()), kFatalAlert);  // handshake_failure
    const auto event = session.PollEvent();
    ASSERT_TRUE(event);
    EXPECT_EQ(std::get<event::Failed>(*event).reason, FailureReason::kProtocolError);
    EXPECT_EQ(session.NextTimeout(), Timestamp::Never());
  }
}

TEST(SessionAttackTest, D3_ForgedAlertBeforeKeysDoesNotEndAHandshakeThatGoesOn) {
  ExpectUnmoved({MakeRecord(21, 0, 7, kFatalAlert), MakeRecord(21, 0, 8, Bytes{1, 0})});
}

TEST(SessionAttackTest, D3_AlertBeforeKeysEndsAHandshakeThatStandsStill) {
  for (const Bytes& alert : {kFatalAlert, Bytes{1, 0}}) {
    SessionPair pair;
    pair.set_network([](const Sent&) { return Arrivals{}; });
    pair.Start();
    pair.a().HandleDatagram(pair.now(), MakeRecord(21, 0, 7, alert));
    pair.RunFor(5s);
    EXPECT_EQ(FailureOf(pair.events_a()), FailureReason::kPeerAlert);
    EXPECT_EQ(pair.events_a().size(), 1u);
    EXPECT_LE(pair.sent().size(), 3u);
  }
}

TEST(SessionAttackTest, D3_AlertToAServerThatWaitsIsIgnored) {
  SessionPair pair;
  pair.z().Start(pair.now());
  pair.z().HandleDatagram(pair.now(), MakeRecord(21, 0, 7, kFatalAlert));
  EXPECT_EQ(pair.z().NextTimeout(), pair.now() + 30s);
  pair.MustConnect();
}

TEST(SessionAttackTest, D4_ZeroLengthFragmentMakesNoDifference) {
  const FragmentFields empty_part{.type = 2, .length = 50, .message_seq = 0, .offset = 10, .fragment_length = 0};
  FragmentFields hello_part = empty_part;
  hello_part.type = 1;
  ExpectUnmoved({MakeRecord(22, 0, 5, MakeFragment(empty_part, {})), MakeRecord(22, 0, 6, MakeFragment(hello_part, {})),
                 MakeRecord(22, 0, 7, Bytes{})});
}

TEST(SessionAttackTest, D5_FragmentsThatContradictThemselvesAreDropped) {
  std::vector<Bytes> forged;
  for (const uint8_t type : {uint8_t{1}, uint8_t{2}, uint8_t{11}}) {
    for (const FragmentFields& fields : {
             FragmentFields{type, 100, 0, 90, 20},        // ends beyond the message
             FragmentFields{type, 100, 0, 0xFFFFFF, 20},  // offset + length overflows 24 bits
             FragmentFields{type, 10, 0, 0, 20},          // more than the message
             FragmentFields{type, 40, 0, 0, 40},          // more than the record
         }) {
      forged.push_back(MakeRecord(22, 0, 5, MakeFragment(fields, Bytes(20, 7))));
    }
  }
  ExpectUnmoved(forged);
}

TEST(SessionAttackTest, D5_SixteenMegabytesClaimedReserveNothingAndDoNotEndTheHandshake) {
  ExpectUnmoved({MakeRecord(22, 0, 5, MakeFragment({1, 0xFFFFFF, 0, 0, 20}, Bytes(20, 7))),
                 MakeRecord(22, 0, 6, MakeFragment({11, 0xFFFFFF, 1, 1000000, 20}, Bytes(20, 7)))});
}

TEST(SessionAttackTest, D5_FragmentsOfChangingLengthDoNotStopTheServer) {
  // The first claims a ClientHello of 500 octets, the second one of 300; then the genuine one comes whole.
  ExpectUnmoved({MakeRecord(22, 0, 5, MakeFragment({1, 500, 0, 0, 20}, Bytes(20, 7))),
                 MakeRecord(22, 0, 6, MakeFragment({1, 300, 0, 20, 20}, Bytes(20, 8))),
                 MakeRecord(22, 0, 7, MakeFragment({1, 500, 0, 10, 20}, Bytes(20, 9)))});
}

TEST(SessionAttackTest, D5_OverlappingFragmentsWithOtherOctetsAreRetriedAndNotFatal) {
  // Forged fragments make up a whole ClientHello of nonsense; the server forgets it and takes the next.
  SessionPair pair;
  pair.z().Start(pair.now());
  for (uint32_t offset = 0; offset < 110; offset += 10) {
    pair.z().HandleDatagram(pair.now(),
                            MakeRecord(22, 0, 5 + offset, MakeFragment({1, 120, 0, offset, 20}, Bytes(20, 7))));
  }
  EXPECT_LE(pair.z().NextTimeout(), pair.now() + 1s);  // it was complete, and it was refused
  pair.MustConnect();
  ExpectDataFlows(pair);
}

TEST(SessionAttackTest, D6_OneRecordWithFragmentsOfSeveralMessagesDoesNotFreeze) {
  Bytes content = MakeFragment({11, 200, 9, 0, 20}, Bytes(20, 1));
  const Bytes second = MakeFragment({12, 300, 8, 50, 20}, Bytes(20, 2));
  content.insert(content.end(), second.begin(), second.end());
  ExpectUnmoved({MakeRecord(22, 0, 5, content)});
}

TEST(SessionAttackTest, D8_RecordsOfTheFutureAreBoundedAndHarmless) {
  SessionPair pair;
  pair.set_network([](const Sent& sent) {
    Arrivals arrivals;
    for (uint64_t i = 0; i < 300; ++i) {
      const Bytes noise(100, static_cast<uint8_t>(i));
      arrivals.push_back({5ms, MakeRecord(23, 1, i, noise)});         // data before Finished
      arrivals.push_back({5ms, MakeRecord(22, 1, 1000 + i, noise)});  // handshake of the next epoch
      arrivals.push_back({5ms, MakeRecord(23, 2, i, noise)});         // an epoch that never comes
      arrivals.push_back({5ms, MakeRecord(23, 0, 500 + i, noise)});   // data in plaintext
      const auto seq = static_cast<uint16_t>(8 + i % 50);
      arrivals.push_back({5ms, MakeRecord(22, 0, 500 + i, MakeFragment({11, 16000, seq, 100, 100}, noise))});
    }
    arrivals.push_back({10ms, sent.bytes});
    return arrivals;
  });
  pair.MustConnect();
  ExpectDataFlows(pair);
}

TEST(SessionAttackTest, D9_ForgedSequenceNumbersDoNotMoveTheReplayWindow) {  // RFC 6347 §4.1.2.6
  SessionPair pair;
  pair.MustConnect();
  for (const uint64_t sequence : {uint64_t{5}, uint64_t{1} << 32, (uint64_t{1} << 48) - 1}) {
    for (const int epoch : {0, 1, 2, 65535}) {
      pair.z().HandleDatagram(pair.now(), MakeRecord(23, static_cast<uint16_t>(epoch), sequence, Bytes(60, 9)));
    }
  }
  EXPECT_EQ(pair.ReadZ(), std::nullopt);
  ExpectDataFlows(pair);
}

TEST(SessionAttackTest, D9_FlippedBitAnywhereInARecordIsDroppedSilently) {  // RFC 6347 §4.1.2.1
  SessionPair pair;
  pair.MustConnect();
  const size_t sent = pair.sent().size();
  const Bytes record = pair.SealA(Bytes(20, 1));
  for (size_t position = 0; position < record.size(); ++position) {
    Bytes forged = record;
    forged[position] ^= 1;
    pair.z().HandleDatagram(pair.now(), forged);
    EXPECT_EQ(pair.ReadZ(), std::nullopt) << position;
  }
  pair.z().HandleDatagram(pair.now(), record);
  EXPECT_EQ(pair.ReadZ(), Bytes(20, 1));
  pair.RunFor(1s);
  EXPECT_EQ(pair.sent().size(), sent);  // RFC 6347 §4.1.2.7: no alerts
}

TEST(SessionAttackTest, D10_PlaintextAfterKeysIsIgnored) {
  SessionPair pair;
  pair.MustConnect();
  for (Session* session : {&pair.a(), &pair.z()}) {
    session->HandleDatagram(pair.now(), MakeRecord(21, 0, 100, kFatalAlert));
    session->HandleDatagram(pair.now(), MakeRecord(21, 0, 101, Bytes{1, 0}));
    session->HandleDatagram(pair.now(), MakeRecord(23, 0, 102, Bytes(30, 3)));
    session->HandleDatagram(pair.now(), MakeRecord(20, 0, 103, Bytes{1}));
    session->HandleDatagram(pair.now(), MakeRecord(22, 0, 104, MakeFragment({0, 0, 0, 0, 0}, {})));
    Bytes buffer(kMaxPlaintext);
    EXPECT_EQ(session->PollPlaintext(pair.now(), buffer), std::nullopt);
    EXPECT_EQ(Dropped(*session, DropReason::kOldEpoch), 5u);
    EXPECT_EQ(session->NextTimeout(), Timestamp::Never());
  }
  pair.RunFor(5s);
  EXPECT_EQ(pair.events_a().size(), 1u);
  EXPECT_EQ(pair.events_z().size(), 1u);
  ExpectDataFlows(pair);
}

TEST(SessionAttackTest, D18_NewClientHelloOnALiveAssociationChangesNothing) {  // RFC 6347 §4.2.8
  SessionPair pair;
  pair.MustConnect();
  const size_t sent = pair.sent().size();
  SessionPair other;
  other.Start();
  other.RunFor(1ms);
  ASSERT_FALSE(other.sent().empty());
  pair.z().HandleDatagram(pair.now(), other.sent()[0].bytes);
  pair.z().HandleDatagram(pair.now(), pair.sent()[0].bytes);
  pair.RunFor(1s);
  EXPECT_EQ(pair.sent().size(), sent);
  ExpectDataFlows(pair);
}

TEST(SessionAttackTest, EveryTruncationOfEveryHandshakeDatagramIsHarmless) {
  SessionPair source;
  source.MustConnect();
  for (const auto& sent : source.sent()) {
    for (size_t size = 0; size < sent.bytes.size(); ++size) {
      SessionPair pair;
      pair.Start();
      auto& target = sent.from == Role::kClient ? pair.z() : pair.a();
      target.HandleDatagram(pair.now(), std::span(sent.bytes).first(size));
      target.HandleDatagram(pair.now(), std::span(sent.bytes).first(size));
      EXPECT_FALSE(target.is_connected());
    }
  }
}

// ---- Peers that are genuine and do not do as we do ----

std::function<void(SSL_CTX*)> WithCertificate(std::function<void(SSL_CTX*)> configure = {}) {
  return [configure = std::move(configure)](SSL_CTX* context) {
    static const auto made = testing::MakeCertificate(PkeyPtr(EVP_EC_gen("P-256")));
    SSL_CTX_set_security_level(context, 0);
    RawPeer::UseCertificate(context, made.key.get(), made.certificate.get());
    if (configure) configure(context);
  };
}

struct RawPair {
  RawPair(Role peer_role, const std::function<void(SSL_CTX*)>& configure)
      : peer(peer_role, configure), session(SessionOptions(peer_role, peer), now) {
    session.Start(now);
    Exchange(session, peer, now);
  }
  static Options SessionOptions(Role peer_role, RawPeer& peer) {
    auto options = peer_role == Role::kClient ? OptionsZ() : OptionsA();
    options.remote_fingerprints.clear();
    if (X509* certificate = SSL_get_certificate(peer.ssl())) {
      Bytes der(static_cast<size_t>(i2d_X509(certificate, nullptr)));
      uint8_t* end = der.data();
      i2d_X509(certificate, &end);
      options.remote_fingerprints = {ComputeFingerprint(HashFunction::kSha256, der)};
    } else {
      options.remote_fingerprints = {CertificateA()->fingerprint()};
    }
    return options;
  }
  std::optional<event::Failed> Failure() {
    while (auto event = session.PollEvent()) {
      if (auto* failed = std::get_if<event::Failed>(&*event)) return *failed;
    }
    return std::nullopt;
  }

  Timestamp now = kStart;
  RawPeer peer;
  Session session;
};

TEST(SessionPeerTest, ConnectsWithPlainOpenSslInBothRoles) {
  for (const Role role : {Role::kClient, Role::kServer}) {
    RawPair pair(role, WithCertificate());
    EXPECT_TRUE(pair.session.is_connected());
    EXPECT_TRUE(pair.peer.is_connected());
    EXPECT_EQ(SSL_get_extms_support(pair.peer.ssl()), 1);                 // RFC 7627 §5.2
    EXPECT_EQ(SSL_get_secure_renegotiation_support(pair.peer.ssl()), 1);  // RFC 5746 §3.4
    EXPECT_EQ(SSL_get_current_compression(pair.peer.ssl()), nullptr);     // RFC 8261 §5
    Bytes out(200);
    const auto size = pair.session.Seal(pair.now, Bytes(9, 9), out);
    ASSERT_TRUE(size);
    pair.peer.Give(std::span(out).first(*size));
    pair.peer.Step(pair.now);
    EXPECT_EQ(pair.peer.data(), Bytes(9, 9));
  }
}

TEST(SessionPeerTest, ConnectsWithThePeersWhoHaveTheLeast) {
  const std::vector<std::function<void(SSL_CTX*)>> peers = {
      [](SSL_CTX* c) {
        SSL_CTX_set_cipher_list(c, "ECDHE-ECDSA-AES128-GCM-SHA256");  // RFC 8827 §6.5
        SSL_CTX_set1_groups_list(c, "P-256");
      },
      [](SSL_CTX* c) { SSL_CTX_set_cipher_list(c, "ECDHE-ECDSA-CHACHA20-POLY1305"); },
      [](SSL_CTX* c) { SSL_CTX_set_cipher_list(c, "ECDHE-ECDSA-AES256-GCM-SHA384"); },
      [](SSL_CTX* c) { SSL_CTX_set_options(c, SSL_OP_NO_EXTENDED_MASTER_SECRET); },  // RFC 7627 §5.2
      [](SSL_CTX* c) { SSL_CTX_set_tlsext_use_srtp(c, "SRTP_AES128_CM_SHA1_80"); },  // RFC 5764 §4.1.1
  };
  for (size_t i = 0; i < peers.size(); ++i) {
    for (const Role role : {Role::kClient, Role::kServer}) {
      RawPair pair(role, WithCertificate(peers[i]));
      EXPECT_TRUE(pair.session.is_connected()) << i;
      EXPECT_TRUE(pair.peer.is_connected()) << i;
    }
  }
}

TEST(SessionPeerTest, RefusesDtls10AndSuitesWithoutForwardSecrecyOrEncryption) {
  struct Case {
    std::function<void(SSL_CTX*)> configure;
    int alert;  // RFC 5246 §7.2
  };
  const std::vector<Case> cases = {
      {[](SSL_CTX* c) { SSL_CTX_set_max_proto_version(c, DTLS1_VERSION); }, SSL_AD_PROTOCOL_VERSION},
      {[](SSL_CTX* c) { SSL_CTX_set_cipher_list(c, "eNULL:aNULL"); }, SSL_AD_HANDSHAKE_FAILURE},
      {[](SSL_CTX* c) { SSL_CTX_set_cipher_list(c, "ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256"); },
       SSL_AD_HANDSHAKE_FAILURE},
  };
  for (const auto& [configure, alert] : cases) {
    RawPair pair(Role::kClient, WithCertificate(configure));
    EXPECT_FALSE(pair.session.is_connected());
    EXPECT_EQ(pair.peer.alert(), alert);
    const auto failed = pair.Failure();
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->reason, FailureReason::kProtocolError) << failed->detail;
  }
  RawPair old_server(Role::kServer, WithCertificate(cases[0].configure));
  EXPECT_FALSE(old_server.session.is_connected());
  EXPECT_TRUE(old_server.Failure());
}

TEST(SessionPeerTest, D12_ClientWithoutACertificateIsRefused) {  // RFC 8122 §6.2
  RawPair pair(Role::kClient, [](SSL_CTX*) {});
  EXPECT_FALSE(pair.session.is_connected());
  EXPECT_FALSE(pair.peer.is_connected());
  EXPECT_NE(pair.peer.alert(), -1);
  const auto failed = pair.Failure();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->reason, FailureReason::kNoPeerCertificate) << failed->detail;
}

TEST(SessionPeerTest, D12_MismatchIsToldToThePeerAsBadCertificate) {  // RFC 8122 §6.2
  for (const Role role : {Role::kClient, Role::kServer}) {
    RawPeer peer(role, WithCertificate());
    Timestamp now = kStart;
    auto options = role == Role::kClient ? OptionsZ() : OptionsA();
    Session session(options, now);
    session.Start(now);
    Exchange(session, peer, now);
    EXPECT_EQ(peer.alert(), SSL_AD_BAD_CERTIFICATE);
    EXPECT_FALSE(session.is_connected());
    EXPECT_EQ(std::get<event::Failed>(*session.PollEvent()).reason, FailureReason::kFingerprintMismatch);
  }
}

// The peer shows `made`, and `chain` certificates more.
std::function<void(SSL_CTX*)> Showing(const testing::KeyAndCertificate& made, int chain = 0) {
  return [&made, chain](SSL_CTX* context) {
    SSL_CTX_set_security_level(context, 0);
    RawPeer::UseCertificate(context, made.key.get(), made.certificate.get());
    for (int i = 0; i < chain; ++i) SSL_CTX_add1_chain_cert(context, made.certificate.get());
  };
}

TEST(SessionPeerTest, D13_CertificatesAboveTheLimitsAreRefused) {
  const auto plain = testing::MakeCertificate(PkeyPtr(EVP_EC_gen("P-256")));
  const auto extended = testing::MakeCertificate(PkeyPtr(EVP_EC_gen("P-256")), kMaxCertificateExtensions + 1);
  const auto large = testing::MakeCertificate(PkeyPtr(EVP_EC_gen("P-256")), 400);
  const auto weak = testing::MakeCertificate(PkeyPtr(EVP_RSA_gen(1024)));
  const std::vector<std::function<void(SSL_CTX*)>> peers = {
      Showing(plain, kMaxCertificateChain + 1), Showing(plain, 300), Showing(extended), Showing(large), Showing(weak)};
  for (size_t i = 0; i < peers.size(); ++i) {
    for (const Role role : {Role::kClient, Role::kServer}) {
      RawPair pair(role, peers[i]);
      EXPECT_FALSE(pair.session.is_connected()) << i;
      const auto failed = pair.Failure();
      ASSERT_TRUE(failed) << i;
      EXPECT_EQ(failed->reason, FailureReason::kUnacceptableCertificate) << i << ": " << failed->detail;
    }
  }
}

TEST(SessionPeerTest, D13_CertificatesAtTheLimitsAreAccepted) {
  const auto extended = testing::MakeCertificate(PkeyPtr(EVP_EC_gen("P-256")), kMaxCertificateExtensions);
  const auto rsa = testing::MakeCertificate(testing::Rsa4096Key());
  for (const Role role : {Role::kClient, Role::kServer}) {
    RawPair with_extensions(role, Showing(extended, kMaxCertificateChain - 1));
    EXPECT_TRUE(with_extensions.session.is_connected());
    RawPair with_rsa(role, Showing(rsa));
    EXPECT_TRUE(with_rsa.session.is_connected());
  }
}

TEST(SessionPeerTest, RenegotiationIsRejectedAndTheAssociationKept) {  // RFC 8827 §6.5
  for (const Role role : {Role::kClient, Role::kServer}) {
    RawPair pair(role, WithCertificate());
    ASSERT_TRUE(pair.session.is_connected());
    ASSERT_EQ(SSL_renegotiate(pair.peer.ssl()), 1);
    SSL_do_handshake(pair.peer.ssl());
    for (const auto& record : pair.peer.TakeRecords()) pair.session.HandleDatagram(pair.now, record);
    EXPECT_TRUE(pair.session.is_connected());
    EXPECT_FALSE(pair.Failure());
    Bytes buffer(2000);
    const auto transmit = pair.session.PollTransmit(pair.now, buffer);
    ASSERT_TRUE(transmit);
    pair.peer.Give(std::span(buffer).first(transmit->size));
    pair.peer.Step(pair.now);
    EXPECT_EQ(SSL_read(pair.peer.ssl(), buffer.data(), 1), -1);
    EXPECT_EQ(pair.peer.alert(), SSL_AD_NO_RENEGOTIATION);
    // OpenSSL as the peer takes offence; its fatal alert is authentic and ends the session at once.
    for (const auto& record : pair.peer.TakeRecords()) pair.session.HandleDatagram(pair.now, record);
    const auto failed = pair.Failure();
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->reason, FailureReason::kPeerAlert);
    EXPECT_NE(failed->detail.find("handshake failure"), std::string::npos) << failed->detail;
  }
}

// An application data record of our own making, as the client of `ssl` would protect it with AES-128-GCM: the keys are
// those of RFC 5246 §6.3, the nonce and the tag those of RFC 5288 §3.
Bytes ProtectAsClient(SSL* ssl, uint64_t sequence, std::span<const uint8_t> plaintext) {
  Bytes seed(64);
  SSL_get_server_random(ssl, seed.data(), 32);
  SSL_get_client_random(ssl, seed.data() + 32, 32);
  Bytes secret(48);
  SSL_SESSION_get_master_key(SSL_get_session(ssl), secret.data(), secret.size());
  Bytes keys(40);  // client key, server key, client salt, server salt
  EVP_KDF* kdf = EVP_KDF_fetch(nullptr, "TLS1-PRF", nullptr);
  EVP_KDF_CTX* kdf_context = EVP_KDF_CTX_new(kdf);
  char digest[] = "SHA256";
  char label[] = "key expansion";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                                   OSSL_PARAM_construct_octet_string("secret", secret.data(), secret.size()),
                                   OSSL_PARAM_construct_octet_string("seed", label, sizeof(label) - 1),
                                   OSSL_PARAM_construct_octet_string("seed", seed.data(), seed.size()),
                                   OSSL_PARAM_construct_end()};
  EXPECT_EQ(EVP_KDF_derive(kdf_context, keys.data(), keys.size(), parameters), 1);
  EVP_KDF_CTX_free(kdf_context);
  EVP_KDF_free(kdf);

  const Bytes header = MakeRecord(23, 1, sequence, plaintext);
  Bytes nonce(keys.begin() + 32, keys.begin() + 36);
  nonce.insert(nonce.end(), header.begin() + 3, header.begin() + 11);
  Bytes additional(header.begin() + 3, header.begin() + 11);
  additional.insert(additional.end(), header.begin(), header.begin() + 3);
  additional.insert(additional.end(), header.begin() + 11, header.begin() + 13);
  Bytes content(nonce.begin() + 4, nonce.end());
  content.resize(8 + plaintext.size() + 16);
  EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
  int size = 0;
  EXPECT_EQ(EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), nullptr, keys.data(), nonce.data()), 1);
  EXPECT_EQ(EVP_EncryptUpdate(cipher, nullptr, &size, additional.data(), static_cast<int>(additional.size())), 1);
  EXPECT_EQ(EVP_EncryptUpdate(cipher, &content[8], &size, plaintext.data(), static_cast<int>(plaintext.size())), 1);
  EXPECT_EQ(EVP_EncryptFinal_ex(cipher, &content[8 + plaintext.size()], &size), 1);
  EXPECT_EQ(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, 16, &content[8 + plaintext.size()]), 1);
  EVP_CIPHER_CTX_free(cipher);
  return MakeRecord(23, 1, sequence, content);
}

TEST(SessionPeerTest, RecordsWithoutContentArePassedOver) {  // RFC 5246 §6.2.1
  RawPair pair(Role::kClient, WithCertificate([](SSL_CTX* context) {
                 SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256");
               }));
  ASSERT_TRUE(pair.session.is_connected());
  SSL* ssl = pair.peer.ssl();
  Bytes buffer(kMaxPlaintext);
  pair.session.HandleDatagram(pair.now, ProtectAsClient(ssl, 100, Bytes(5, 5)));
  EXPECT_EQ(pair.session.PollPlaintext(pair.now, buffer), 5u);  // so the records of this test are right
  for (uint64_t i = 1; i <= 40; ++i) pair.session.HandleDatagram(pair.now, ProtectAsClient(ssl, 100 + i, {}));
  pair.session.HandleDatagram(pair.now, ProtectAsClient(ssl, 200, Bytes(6, 6)));
  EXPECT_EQ(pair.session.PollPlaintext(pair.now, buffer), 6u);
  EXPECT_EQ(pair.session.PollPlaintext(pair.now, buffer), std::nullopt);
  // Behind a record that is not data, OpenSSL reads it inside HandleDatagram.
  Bytes datagram = MakeRecord(22, 1, 300, Bytes(50));
  const Bytes empty = ProtectAsClient(ssl, 301, {});
  datagram.insert(datagram.end(), empty.begin(), empty.end());
  pair.session.HandleDatagram(pair.now, datagram);
  EXPECT_EQ(pair.session.PollPlaintext(pair.now, buffer), std::nullopt);
  pair.session.HandleDatagram(pair.now, ProtectAsClient(ssl, 302, Bytes(7, 7)));
  EXPECT_EQ(pair.session.PollPlaintext(pair.now, buffer), 7u);
  EXPECT_TRUE(pair.session.is_connected());
  EXPECT_FALSE(pair.Failure());
}

TEST(SessionPeerTest, AnswersTheCookieOfAServerThatAsksForOne) {  // RFC 6347 §4.2.1
  RawPair pair(Role::kServer, WithCertificate([](SSL_CTX* context) {
                 SSL_CTX_set_options(context, SSL_OP_COOKIE_EXCHANGE);
                 SSL_CTX_set_cookie_generate_cb(context, [](SSL*, unsigned char* cookie, unsigned* size) {
                   std::fill_n(cookie, 32, uint8_t{0xC0});
                   *size = 32;
                   return 1;
                 });
                 SSL_CTX_set_cookie_verify_cb(context, [](SSL*, const unsigned char* cookie, unsigned size) {
                   return size == 32 && cookie[31] == 0xC0 ? 1 : 0;
                 });
               }));
  EXPECT_TRUE(pair.session.is_connected());
  EXPECT_EQ(pair.session.metrics().retransmissions, 0u);
}

}  // namespace
}  // namespace jsp::dtls
