#include "dtls/session.h"

#include <gtest/gtest.h>

#include <numeric>

#include "dtls/clock_shim.h"
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
using testing::HasClosed;
using testing::HasConnected;
using testing::OptionsA;
using testing::OptionsZ;
using testing::SessionPair;

uint64_t Dropped(const Session& session, DropReason reason) {
  return session.metrics().dropped[static_cast<size_t>(reason)];
}

TEST(SessionTest, ConnectsWithDtls12AndTheMandatorySuite) {  // RFC 8827 §6.5
  SessionPair pair;
  pair.MustConnect();
  ASSERT_EQ(pair.events_a().size(), 1u);
  const auto& connected = std::get<event::Connected>(pair.events_a()[0]);
  EXPECT_EQ(connected.protocol, "DTLSv1.2");
  EXPECT_EQ(connected.cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
  ASSERT_EQ(pair.events_z().size(), 1u);
  EXPECT_EQ(std::get<event::Connected>(pair.events_z()[0]).cipher, connected.cipher);
  EXPECT_EQ(pair.a().NextTimeout(), Timestamp::Never());
  EXPECT_EQ(pair.z().NextTimeout(), Timestamp::Never());
  EXPECT_EQ(pair.a().metrics().retransmissions, 0u);
  EXPECT_LE(pair.now() - Timestamp::FromEpoch(1000s), 45ms);  // two round trips of 20 ms: no cookie exchange
}

TEST(SessionTest, SealsAndOpensRecordsOfManySizes) {
  SessionPair pair;
  pair.MustConnect();
  for (const size_t size : {size_t{1}, size_t{2}, size_t{100}, size_t{1200}, size_t{9000}, kMaxPlaintext}) {
    Bytes plaintext(size);
    std::iota(plaintext.begin(), plaintext.end(), uint8_t{7});
    const Bytes from_a = pair.SealA(plaintext);
    ASSERT_GT(from_a.size(), size);
    ASSERT_LE(from_a.size(), size + Session::kMaxRecordOverhead);
    EXPECT_EQ(from_a[0], 23);
    pair.z().HandleDatagram(pair.now(), from_a);
    EXPECT_EQ(pair.ReadZ(), plaintext);
    EXPECT_EQ(pair.ReadZ(), std::nullopt);
    pair.a().HandleDatagram(pair.now(), pair.SealZ(plaintext));
    EXPECT_EQ(pair.ReadA(), plaintext);
  }
  EXPECT_EQ(pair.a().metrics().records_sealed, 6u);
  EXPECT_EQ(pair.z().metrics().records_opened, 6u);
}

TEST(SessionTest, RefusesToSealWhatDoesNotFitARecord) {
  SessionPair pair;
  pair.MustConnect();
  Bytes out(kMaxPlaintext + 1000);
  EXPECT_EQ(pair.a().Seal(pair.now(), Bytes{}, out).error(), SealError::kEmpty);
  EXPECT_EQ(pair.a().Seal(pair.now(), Bytes(kMaxPlaintext + 1), out).error(), SealError::kTooLarge);
  const std::span short_out(out.data(), 100 + Session::kMaxRecordOverhead - 1);
  EXPECT_EQ(pair.a().Seal(pair.now(), Bytes(100), short_out).error(), SealError::kTooLarge);
  EXPECT_TRUE(pair.a().Seal(pair.now(), Bytes(100), std::span(out).first(100 + Session::kMaxRecordOverhead)));
}

TEST(SessionTest, NeitherSealsNorDeliversBeforeConnected) {
  SessionPair pair;
  Bytes out(2000);
  EXPECT_EQ(pair.a().Seal(pair.now(), Bytes(5), out).error(), SealError::kNotConnected);
  pair.Start();
  EXPECT_EQ(pair.a().Seal(pair.now(), Bytes(5), out).error(), SealError::kNotConnected);
  EXPECT_EQ(pair.a().PollPlaintext(pair.now(), out), std::nullopt);
}

TEST(SessionTest, KeepsTheOrderOfRecordsThatArePolledLate) {
  SessionPair pair;
  pair.MustConnect();
  for (uint8_t i = 1; i <= 50; ++i) pair.z().HandleDatagram(pair.now(), pair.SealA(Bytes(i, i)));
  for (uint8_t i = 1; i <= 50; ++i) EXPECT_EQ(pair.ReadZ(), Bytes(i, i));
  EXPECT_EQ(pair.ReadZ(), std::nullopt);
}

TEST(SessionTest, CountsWhatItCannotQueue) {
  SessionPair pair;
  pair.MustConnect();
  for (int i = 0; i < 300; ++i) pair.z().HandleDatagram(pair.now(), pair.SealA(Bytes(10)));
  uint64_t read = 0;
  while (pair.ReadZ()) ++read;
  EXPECT_GE(read, 100u);
  EXPECT_GT(Dropped(pair.z(), DropReason::kQueueFull), 0u);
  EXPECT_EQ(read + Dropped(pair.z(), DropReason::kQueueFull), 300u);
}

TEST(SessionTest, OpensSeveralRecordsOfOneDatagram) {  // RFC 6347 §4.1.1
  SessionPair pair;
  pair.MustConnect();
  Bytes datagram;
  for (uint8_t i = 1; i <= 3; ++i) {
    const Bytes record = pair.SealA(Bytes(i, i));
    datagram.insert(datagram.end(), record.begin(), record.end());
  }
  pair.z().HandleDatagram(pair.now(), datagram);
  for (uint8_t i = 1; i <= 3; ++i) EXPECT_EQ(pair.ReadZ(), Bytes(i, i));
  EXPECT_EQ(pair.ReadZ(), std::nullopt);
}

TEST(SessionTest, DropsARecordThatDoesNotFitTheCallersBuffer) {
  SessionPair pair;
  pair.MustConnect();
  pair.z().HandleDatagram(pair.now(), pair.SealA(Bytes(500, 1)));
  pair.z().HandleDatagram(pair.now(), pair.SealA(Bytes(100, 2)));
  Bytes small(100);
  EXPECT_EQ(pair.z().PollPlaintext(pair.now(), small), 100u);
  EXPECT_EQ(small, Bytes(100, 2));
  EXPECT_EQ(Dropped(pair.z(), DropReason::kTooLarge), 1u);
}

TEST(SessionTest, DropsAReplayedRecord) {  // RFC 6347 §4.1.2.6
  SessionPair pair;
  pair.MustConnect();
  const Bytes record = pair.SealA(Bytes(5, 5));
  pair.z().HandleDatagram(pair.now(), record);
  pair.z().HandleDatagram(pair.now(), record);
  EXPECT_TRUE(pair.ReadZ());
  EXPECT_EQ(pair.ReadZ(), std::nullopt);
  pair.z().HandleDatagram(pair.now(), record);
  EXPECT_EQ(pair.ReadZ(), std::nullopt);
}

TEST(SessionTest, AcceptsRecordsThatArriveInReverseWithinTheWindow) {  // RFC 6347 §4.1.2.6
  SessionPair pair;
  pair.MustConnect();
  std::vector<Bytes> records;
  for (uint8_t i = 0; i < 60; ++i) records.push_back(pair.SealA(Bytes(1, i)));
  for (size_t i = 60; i-- > 0;) {
    pair.z().HandleDatagram(pair.now(), records[i]);
    EXPECT_EQ(pair.ReadZ(), Bytes(1, static_cast<uint8_t>(i)));
  }
}

TEST(SessionTest, D17_CloseNotifyClosesBothEndsOnceWithoutASpin) {  // RFC 5246 §7.2.1
  SessionPair pair;
  pair.MustConnect();
  pair.a().Close(pair.now());
  pair.RunFor(10s);
  EXPECT_TRUE(HasClosed(pair.events_z()));
  EXPECT_EQ(pair.events_z().size(), 2u);
  EXPECT_EQ(pair.events_a().size(), 1u);  // whoever closes knows
  EXPECT_EQ(pair.a().NextTimeout(), Timestamp::Never());
  EXPECT_EQ(pair.z().NextTimeout(), Timestamp::Never());
  EXPECT_TRUE(pair.SealZ(Bytes(5)).empty());
  EXPECT_FALSE(pair.z().is_connected());
  EXPECT_EQ(Dropped(pair.a(), DropReason::kAfterClose), 1u);  // z's close_notify
  const size_t sent = pair.sent().size();
  pair.a().Close(pair.now());
  pair.z().Close(pair.now());
  pair.RunFor(10s);
  EXPECT_EQ(pair.sent().size(), sent);
}

TEST(SessionTest, DeliversWhatCameBeforeCloseNotify) {
  SessionPair pair;
  pair.MustConnect();
  pair.z().HandleDatagram(pair.now(), pair.SealA(Bytes(5, 5)));
  pair.a().Close(pair.now());
  pair.RunFor(1s);
  EXPECT_FALSE(HasClosed(pair.events_z()));
  EXPECT_EQ(pair.ReadZ(), Bytes(5, 5));
  EXPECT_EQ(pair.ReadZ(), std::nullopt);
  pair.RunFor(1s);
  EXPECT_TRUE(HasClosed(pair.events_z()));
}

TEST(SessionTest, CloseBeforeAndDuringTheHandshakeIsQuiet) {
  SessionPair idle;
  idle.a().Close(idle.now());
  idle.Start();
  idle.RunFor(60s);
  EXPECT_TRUE(idle.events_a().empty());
  SessionPair pair;
  pair.Start();
  pair.a().Close(pair.now());
  EXPECT_EQ(pair.a().NextTimeout(), Timestamp::Never());
  pair.RunFor(60s);
  EXPECT_TRUE(pair.events_a().empty());
}

TEST(SessionTest, KeepsDatagramsThatComeBeforeStart) {
  SessionPair pair;
  pair.a().Start(pair.now());
  pair.RunFor(20ms);
  EXPECT_FALSE(pair.z().is_connected());
  pair.z().Start(pair.now());
  EXPECT_TRUE(pair.RunUntil([&] { return pair.a().is_connected() && pair.z().is_connected(); }));
  EXPECT_EQ(pair.a().metrics().retransmissions, 0u);
}

TEST(SessionTest, BoundsTheDatagramsThatComeBeforeStart) {
  SessionPair pair;
  for (int i = 0; i < 1000; ++i) pair.z().HandleDatagram(pair.now(), Bytes(1200, 22));
  EXPECT_GT(Dropped(pair.z(), DropReason::kBeforeStart), 800u);
  pair.MustConnect();
}

TEST(SessionTest, D20_DropsWhatIsNotDtls) {  // RFC 7983 §7
  SessionPair pair;
  pair.MustConnect();
  pair.z().HandleDatagram(pair.now(), Bytes{});
  for (const int first : {0, 3, 4, 15, 16, 19, 64, 79, 80, 127, 128, 191, 192, 255}) {
    pair.z().HandleDatagram(pair.now(), Bytes(100, static_cast<uint8_t>(first)));
  }
  EXPECT_EQ(Dropped(pair.z(), DropReason::kNotDtls), 15u);
  for (const int first : {20, 21, 22, 23, 24, 32, 63})
    pair.z().HandleDatagram(pair.now(), Bytes(100, static_cast<uint8_t>(first)));
  EXPECT_EQ(pair.ReadZ(), std::nullopt);
  EXPECT_EQ(Dropped(pair.z(), DropReason::kBadRecord), 7u);
  pair.z().HandleDatagram(pair.now(), Bytes(65000, 23));
  EXPECT_EQ(Dropped(pair.z(), DropReason::kTooLarge), 1u);
  pair.z().HandleDatagram(pair.now(), pair.SealA(Bytes(5, 5)));
  EXPECT_EQ(pair.ReadZ(), Bytes(5, 5));
}

TEST(SessionTest, D11_ServerRefusesAClientOfAnotherFingerprint) {  // RFC 8122 §6.2
  auto z = OptionsZ();
  z.remote_fingerprints = {CertificateZ()->fingerprint()};
  SessionPair pair(OptionsA(), z);
  EXPECT_FALSE(pair.Connect(29s));
  EXPECT_EQ(FailureOf(pair.events_z()), FailureReason::kFingerprintMismatch) << DetailOf(pair.events_z());
  EXPECT_EQ(FailureOf(pair.events_a()), FailureReason::kPeerAlert);
  EXPECT_NE(DetailOf(pair.events_a()).find("bad certificate"), std::string::npos) << DetailOf(pair.events_a());
  EXPECT_FALSE(HasConnected(pair.events_z()));
  EXPECT_EQ(pair.z().NextTimeout(), Timestamp::Never());
}

TEST(SessionTest, D11_ClientRefusesAServerOfAnotherFingerprint) {  // RFC 8122 §6.2
  auto a = OptionsA();
  a.remote_fingerprints = {CertificateA()->fingerprint()};
  SessionPair pair(a, OptionsZ());
  EXPECT_FALSE(pair.Connect(29s));
  EXPECT_EQ(FailureOf(pair.events_a()), FailureReason::kFingerprintMismatch);
  EXPECT_EQ(FailureOf(pair.events_z()), FailureReason::kPeerAlert);
  EXPECT_EQ(pair.events_a().size(), 1u);
}

TEST(SessionTest, D11_OnlyTheMostPreferredHashCounts) {  // RFC 8122 §5.1
  const auto wrong_sha256 = CertificateA()->fingerprint();
  auto a = OptionsA();
  a.remote_fingerprints = {wrong_sha256, ComputeFingerprint(HashFunction::kSha1, CertificateZ()->der())};
  SessionPair refused(a, OptionsZ());
  EXPECT_FALSE(refused.Connect(29s));
  EXPECT_EQ(FailureOf(refused.events_a()), FailureReason::kFingerprintMismatch);
  a.remote_fingerprints = {wrong_sha256, CertificateZ()->fingerprint()};
  SessionPair accepted(a, OptionsZ());
  accepted.MustConnect();
}

TEST(SessionTest, D11_WithholdsDataUntilTheFingerprintIsKnown) {  // RFC 8842 §5.2
  auto z = OptionsZ();
  z.remote_fingerprints.clear();
  SessionPair pair(OptionsA(), z);
  pair.Start();
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a().is_connected(); }));
  for (uint8_t i = 1; i < 9; ++i) pair.z().HandleDatagram(pair.now(), pair.SealA(Bytes(i, i)));
  EXPECT_EQ(pair.ReadZ(), std::nullopt);
  EXPECT_TRUE(pair.SealZ(Bytes(5)).empty());
  EXPECT_FALSE(pair.z().is_connected());
  pair.z().SetRemoteFingerprints(pair.now(), {CertificateA()->fingerprint()});
  EXPECT_TRUE(pair.z().is_connected());
  for (uint8_t i = 1; i < 9; ++i) EXPECT_EQ(pair.ReadZ(), Bytes(i, i));
  pair.RunFor(1s);
  EXPECT_TRUE(HasConnected(pair.events_z()));
}

TEST(SessionTest, D11_DropsTheDataWhenTheLateFingerprintIsAnother) {
  auto z = OptionsZ();
  z.remote_fingerprints.clear();
  SessionPair pair(OptionsA(), z);
  pair.Start();
  ASSERT_TRUE(pair.RunUntil([&] { return pair.a().is_connected(); }));
  pair.z().HandleDatagram(pair.now(), pair.SealA(Bytes(5, 5)));
  pair.z().SetRemoteFingerprints(pair.now(), {CertificateZ()->fingerprint()});
  EXPECT_EQ(pair.ReadZ(), std::nullopt);
  pair.RunFor(1s);
  EXPECT_EQ(FailureOf(pair.events_z()), FailureReason::kFingerprintMismatch);
  EXPECT_FALSE(HasConnected(pair.events_z()));
  EXPECT_TRUE(HasClosed(pair.events_a()));
}

TEST(SessionTest, D11_VerifiesAFingerprintThatComesInTheMiddleOfTheHandshake) {
  for (const bool is_right : {true, false}) {
    auto a = OptionsA();
    a.remote_fingerprints.clear();
    SessionPair pair(a, OptionsZ());
    pair.Start();
    // a has answered z's flight, so its verifier ran already.
    ASSERT_TRUE(pair.RunUntil([&] { return pair.a().metrics().datagrams_sent >= 2; }));
    pair.a().SetRemoteFingerprints(pair.now(), {(is_right ? CertificateZ() : CertificateA())->fingerprint()});
    pair.RunFor(5s);
    EXPECT_EQ(HasConnected(pair.events_a()), is_right);
    EXPECT_EQ(FailureOf(pair.events_a()).has_value(), !is_right);
  }
}

TEST(SessionTest, D11_VerifiesAgainWhenTheFingerprintsOfAConnectedPeerChange) {  // RFC 8842 §5.1
  SessionPair pair;
  pair.MustConnect();
  pair.a().SetRemoteFingerprints(pair.now(), {CertificateZ()->fingerprint(), CertificateA()->fingerprint()});
  pair.RunFor(1s);
  EXPECT_TRUE(pair.a().is_connected());
  EXPECT_EQ(pair.events_a().size(), 1u);
  pair.a().SetRemoteFingerprints(pair.now(), {CertificateA()->fingerprint()});
  EXPECT_FALSE(pair.a().is_connected());
  pair.RunFor(1s);
  EXPECT_EQ(FailureOf(pair.events_a()), FailureReason::kFingerprintMismatch);
  EXPECT_TRUE(HasClosed(pair.events_z()));
}

TEST(SessionTest, D11_EmptyListOfFingerprintsMatchesNobody) {
  auto a = OptionsA();
  a.remote_fingerprints.clear();
  SessionPair pair(a, OptionsZ());
  pair.a().SetRemoteFingerprints(pair.now(), {});
  EXPECT_FALSE(pair.Connect(29s));
  EXPECT_EQ(FailureOf(pair.events_a()), FailureReason::kFingerprintMismatch);
}

TEST(SessionTest, FailsWhenTheFingerprintNeverComes) {
  auto z = OptionsZ();
  z.remote_fingerprints.clear();
  SessionPair pair(OptionsA(), z);
  EXPECT_FALSE(pair.Connect(40s));
  EXPECT_EQ(FailureOf(pair.events_z()), FailureReason::kHandshakeTimeout);
  EXPECT_TRUE(HasClosed(pair.events_a()));
}

TEST(SessionTest, D19_EndsBeforeTheSequenceNumbersWrap) {  // RFC 6347 §4.1
  auto a = OptionsA();
  a.max_records = 3;
  SessionPair pair(a, OptionsZ());
  pair.MustConnect();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(pair.SealA(Bytes(5)).empty());
  Bytes out(200);
  EXPECT_EQ(pair.a().Seal(pair.now(), Bytes(5), out).error(), SealError::kClosed);
  pair.RunFor(1s);
  EXPECT_EQ(FailureOf(pair.events_a()), FailureReason::kProtocolError);
  EXPECT_TRUE(HasClosed(pair.events_z()));
}

TEST(SessionTest, CollectsAKeyLogOnlyWhenAsked) {
  auto a = OptionsA();
  a.collect_keylog = true;
  SessionPair pair(a, OptionsZ());
  pair.MustConnect();
  const std::string log = pair.a().TakeKeyLog();
  EXPECT_EQ(log.rfind("CLIENT_RANDOM ", 0), 0u) << log;
  EXPECT_EQ(log.back(), '\n');
  EXPECT_TRUE(pair.a().TakeKeyLog().empty());
  EXPECT_TRUE(pair.z().TakeKeyLog().empty());
}

TEST(SessionTest, IgnoresATimeBeforeTheLastOne) {
  SessionPair pair;
  pair.Start();
  pair.a().HandleTimeout(Timestamp::FromEpoch(1s));
  EXPECT_GT(pair.a().NextTimeout(), pair.now());
  EXPECT_TRUE(pair.RunUntil([&] { return pair.a().is_connected() && pair.z().is_connected(); }));
}

// The whole transcript of a handshake, certificates included.
std::vector<Bytes> Transcript(uint64_t seed) {
  EXPECT_TRUE(SeedOpenSslRandomForSimulation(seed));
  Options a;
  a.certificate = *Certificate::Generate();
  Options z;
  z.role = Role::kServer;
  z.certificate = *Certificate::Generate();
  a.remote_fingerprints = {z.certificate->fingerprint()};
  z.remote_fingerprints = {a.certificate->fingerprint()};
  SessionPair pair(a, z);
  pair.MustConnect();
  std::vector<Bytes> transcript;
  for (const auto& sent : pair.sent()) transcript.push_back(sent.bytes);
  transcript.push_back(pair.SealA(Bytes(100, 1)));
  return transcript;
}

TEST(SessionTest, SimulationsReplayToTheOctetFromOneSeed) {
  const auto first = Transcript(1);
  EXPECT_EQ(first, Transcript(1));
  EXPECT_NE(first, Transcript(2));
}

}  // namespace
}  // namespace jsp::dtls
