// What a session does with records, whoever protects them: each test runs with the layer of ours on both ends, with
// OpenSSL's on both, and with one of each.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "dtls/certificate_native.h"
#include "dtls/record.h"
#include "dtls/record_layer.h"
#include "dtls/session_test_support.h"
namespace jsp::dtls {
namespace {

using namespace std::chrono_literals;
using testing::Bytes;
using testing::CertificateA;
using testing::Exchange;
using testing::FailureOf;
using testing::HasClosed;
using testing::MakeRecord;
using testing::OptionsA;
using testing::OptionsZ;
using testing::RawPeer;
using testing::SessionPair;

using Arrivals = std::vector<SessionPair::Arrival>;
using Sent = SessionPair::Sent;

enum class Layer : uint8_t { kOurs, kOpenSsl };

Options With(Options options, Layer layer) {
  options.own_record_layer = layer == Layer::kOurs;
  return options;
}
uint64_t Dropped(const Session& session, DropReason reason) {
  return session.metrics().dropped[static_cast<size_t>(reason)];
}
uint64_t NumberOf(const Bytes& datagram) { return ParseRecord(datagram)->header.sequence_number(); }

// The octets before the first record of epoch 1, which is Finished in a flight of the handshake; all when there is
// none.
size_t BeforeFinished(std::span<const uint8_t> datagram) {
  size_t size = 0;
  while (const auto record = ParseRecord(datagram.subspan(size))) {
    if (record->header.epoch == 1) break;
    size += record->bytes.size();
  }
  return size;
}
Bytes First(const Bytes& datagram, size_t size) {
  return Bytes(datagram.begin(), datagram.begin() + static_cast<std::ptrdiff_t>(size));
}

class SessionRecordsTest : public ::testing::TestWithParam<std::tuple<Layer, Layer>> {
 protected:
  static Layer a() { return std::get<0>(GetParam()); }
  static Layer z() { return std::get<1>(GetParam()); }
  static Options A() { return With(OptionsA(), a()); }
  static Options Z() { return With(OptionsZ(), z()); }
};

void ExpectDataFlows(SessionPair& pair) {
  for (uint8_t i = 1; i <= 3; ++i) {
    pair.z().HandleDatagram(pair.now(), pair.SealA(Bytes(100, i)));
    EXPECT_EQ(pair.ReadZ(), Bytes(100, i));
    pair.a().HandleDatagram(pair.now(), pair.SealZ(Bytes(1191, i)));
    EXPECT_EQ(pair.ReadA(), Bytes(1191, i));
  }
}

TEST_P(SessionRecordsTest, DataFlowsBothWays) {
  SessionPair pair(A(), Z());
  pair.MustConnect();
  ExpectDataFlows(pair);
}

TEST_P(SessionRecordsTest, LostReorderedRepeatedAndDamagedRecordsGiveEachPlaintextOnce) {
  for (const unsigned seed : {1u, 2u, 3u}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    SessionPair pair(A(), Z());
    pair.MustConnect();
    std::vector<Bytes> waiting;
    std::vector<int> received(600);
    for (size_t i = 0; i < received.size(); ++i) {
      Bytes content(8 + random() % 1000, static_cast<uint8_t>(i));
      wire::Codec<uint32_t>::Store(content.data(), static_cast<uint32_t>(i));
      if (random() % 10 != 0) waiting.push_back(pair.SealA(content));
      if (waiting.size() < 16) continue;
      std::shuffle(waiting.begin(), waiting.end(), random);
      for (Bytes& datagram : waiting) {
        pair.z().HandleDatagram(pair.now(), datagram);
        if (random() % 3 == 0) pair.z().HandleDatagram(pair.now(), datagram);
        datagram[random() % datagram.size()] ^= 1;
        pair.z().HandleDatagram(pair.now(), datagram);
        datagram.resize(random() % datagram.size());
        pair.z().HandleDatagram(pair.now(), datagram);
        while (const auto got = pair.ReadZ()) {
          ASSERT_GE(got->size(), 8u);
          const auto number = wire::Codec<uint32_t>::Load(got->data());
          ASSERT_LT(number, received.size());
          ++received[number];
          EXPECT_EQ(got->back(), static_cast<uint8_t>(number));
        }
      }
      waiting.clear();
    }
    EXPECT_EQ(std::ranges::max(received), 1);
    EXPECT_GE(std::ranges::count(received, 1), 500);
    EXPECT_TRUE(pair.z().is_connected());
  }
}

TEST_P(SessionRecordsTest, D9_ForgedSequenceNumbersDoNotMoveTheReplayWindow) {  // RFC 6347 §4.1.2.6
  SessionPair pair(A(), Z());
  pair.MustConnect();
  for (const uint64_t sequence : {uint64_t{5}, uint64_t{1} << 32, (uint64_t{1} << 48) - 1}) {
    for (const int epoch : {0, 1, 2, 65535}) {
      for (const auto type : {uint8_t{21}, uint8_t{22}, uint8_t{23}}) {
        const Bytes forged = MakeRecord(type, static_cast<uint16_t>(epoch), sequence, Bytes(60, 9));
        pair.a().HandleDatagram(pair.now(), forged);
        pair.z().HandleDatagram(pair.now(), forged);
      }
    }
  }
  EXPECT_EQ(pair.ReadZ(), std::nullopt);
  EXPECT_EQ(pair.ReadA(), std::nullopt);
  ExpectDataFlows(pair);
}

TEST_P(SessionRecordsTest, D10_PlaintextAfterKeysIsIgnored) {
  SessionPair pair(A(), Z());
  pair.MustConnect();
  for (Session* session : {&pair.a(), &pair.z()}) {
    session->HandleDatagram(pair.now(), MakeRecord(21, 0, 100, Bytes{2, 40}));
    session->HandleDatagram(pair.now(), MakeRecord(21, 0, 101, Bytes{1, 0}));
    session->HandleDatagram(pair.now(), MakeRecord(23, 0, 102, Bytes(30, 3)));
    session->HandleDatagram(pair.now(), MakeRecord(20, 0, 103, Bytes{1}));
  }
  EXPECT_EQ(pair.ReadA(), std::nullopt);
  EXPECT_EQ(pair.ReadZ(), std::nullopt);
  EXPECT_EQ(Dropped(pair.a(), DropReason::kOldEpoch), 4u);
  EXPECT_EQ(Dropped(pair.z(), DropReason::kOldEpoch), 4u);
  ExpectDataFlows(pair);
}

TEST_P(SessionRecordsTest, D15_GetsThroughAPathThatSwallowsLargeDatagrams) {  // RFC 6347 §4.1.1.1
  SessionPair pair(A(), Z());
  pair.set_network([](const Sent& sent) { return sent.bytes.size() > 550 ? Arrivals{} : SessionPair::Deliver(sent); });
  pair.MustConnect();
  ExpectDataFlows(pair);
}

TEST_P(SessionRecordsTest, D19_EndsBeforeTheSequenceNumbersWrap) {  // RFC 6347 §4.1
  auto options = A();
  options.max_records = 3;
  SessionPair pair(options, Z());
  pair.MustConnect();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(pair.SealA(Bytes(5)).empty());
  Bytes out(200);
  EXPECT_EQ(pair.a().Seal(pair.now(), Bytes(5), out).error(), SealError::kClosed);
  pair.RunFor(1s);
  EXPECT_EQ(FailureOf(pair.events_a()), FailureReason::kProtocolError);
  EXPECT_TRUE(HasClosed(pair.events_z()));
}

TEST_P(SessionRecordsTest, ACloseArrivesBehindTheDataBeforeIt) {  // RFC 5246 §7.2.1
  for (const bool is_a : {true, false}) {
    SessionPair pair(A(), Z());
    pair.MustConnect();
    ExpectDataFlows(pair);
    Session& closes = is_a ? pair.a() : pair.z();
    Session& hears = is_a ? pair.z() : pair.a();
    hears.HandleDatagram(pair.now(), is_a ? pair.SealA(Bytes(10, 1)) : pair.SealZ(Bytes(10, 1)));
    closes.Close(pair.now());
    Bytes datagram(200);
    const auto sent = closes.PollTransmit(pair.now(), datagram);
    ASSERT_TRUE(sent);
    hears.HandleDatagram(pair.now(), std::span(datagram).first(sent->size));
    EXPECT_TRUE(hears.is_connected());
    EXPECT_EQ(is_a ? pair.ReadZ() : pair.ReadA(), Bytes(10, 1));
    EXPECT_EQ(is_a ? pair.ReadZ() : pair.ReadA(), std::nullopt);
    EXPECT_FALSE(hears.is_connected());
    pair.RunFor(1s);
    EXPECT_TRUE(HasClosed(is_a ? pair.events_z() : pair.events_a()));
  }
}

TEST_P(SessionRecordsTest, SeveralRecordsInOneDatagramAreAllRead) {  // RFC 6347 §4.1.1
  SessionPair pair(A(), Z());
  pair.MustConnect();
  Bytes datagram = pair.SealA(Bytes(10, 1));
  for (const auto i : {uint8_t{2}, uint8_t{3}}) {
    const Bytes next = pair.SealA(Bytes(20, i));
    datagram.insert(datagram.end(), next.begin(), next.end());
  }
  pair.z().HandleDatagram(pair.now(), datagram);
  EXPECT_EQ(pair.ReadZ(), Bytes(10, 1));
  EXPECT_EQ(pair.ReadZ(), Bytes(20, 2));
  EXPECT_EQ(pair.ReadZ(), Bytes(20, 3));
  EXPECT_EQ(pair.ReadZ(), std::nullopt);
}

TEST_P(SessionRecordsTest, AServerWhoseFinishedIsLostRepeatsItAlsoAfterItSentData) {  // RFC 6347 §4.2.4
  SessionPair pair(A(), Z());
  // Of the server's last flight ChangeCipherSpec arrives, so that data can be opened, and Finished does not.
  bool has_lost = false;
  pair.set_network([&](const Sent& sent) {
    const size_t before = BeforeFinished(sent.bytes);
    if (sent.from != Role::kServer || before == sent.bytes.size() || has_lost) return SessionPair::Deliver(sent);
    has_lost = true;
    return Arrivals{{10ms, First(sent.bytes, before)}};
  });
  pair.Start();
  ASSERT_TRUE(pair.RunUntil([&] { return pair.z().is_connected(); }));
  ASSERT_TRUE(has_lost);
  pair.RunFor(20ms);
  for (int i = 0; i < 5; ++i) pair.a().HandleDatagram(pair.now(), pair.SealZ(Bytes(10, 7)));
  EXPECT_TRUE(pair.Connect());
  EXPECT_LE(pair.now() - Timestamp::FromEpoch(1000s), 2s);
  while (pair.ReadA()) {
  }
  ExpectDataFlows(pair);
}

std::string NameOf(const ::testing::TestParamInfo<std::tuple<Layer, Layer>>& info) {
  const auto name = [](Layer layer) { return layer == Layer::kOurs ? "Ours" : "OpenSsl"; };
  return std::string(name(std::get<0>(info.param))) + "And" + name(std::get<1>(info.param));
}
INSTANTIATE_TEST_SUITE_P(Layers, SessionRecordsTest,
                         ::testing::Combine(::testing::Values(Layer::kOurs, Layer::kOpenSsl),
                                            ::testing::Values(Layer::kOurs, Layer::kOpenSsl)),
                         NameOf);

// ---- the layer of ours alone.

void UseCertificateA(SSL_CTX* context) {
  const auto& native = CertificateA()->native();
  RawPeer::UseCertificate(context, native.key.get(), native.certificate.get());
}

TEST(SessionOwnRecordsTest, CountsReplaysAndForgeries) {
  SessionPair pair;
  pair.MustConnect();
  const Bytes datagram = pair.SealA(Bytes(10, 1));
  Bytes forged = datagram;
  forged.back() ^= 1;
  for (const Bytes& bytes : {forged, datagram, datagram, datagram}) pair.z().HandleDatagram(pair.now(), bytes);
  EXPECT_EQ(pair.ReadZ(), Bytes(10, 1));
  EXPECT_EQ(pair.ReadZ(), std::nullopt);
  EXPECT_EQ(Dropped(pair.z(), DropReason::kNotAuthentic), 1u);
  EXPECT_EQ(Dropped(pair.z(), DropReason::kReplayed), 2u);
  EXPECT_EQ(pair.z().metrics().records_opened, 1u);
}

TEST(SessionOwnRecordsTest, AServerSealsWithHighNumbersOnceTheClientShowedThatItIsDone) {  // RFC 6347 §4.2.4
  SessionPair pair;
  pair.MustConnect();
  EXPECT_GE(NumberOf(pair.SealA(Bytes(10, 1))), RecordLayer::kFirstSequenceNumber);
  const Bytes early = pair.SealZ(Bytes(10, 2));
  EXPECT_LT(NumberOf(early), 64u);
  pair.z().HandleDatagram(pair.now(), pair.SealA(Bytes(10, 3)));
  EXPECT_EQ(pair.ReadZ(), Bytes(10, 3));
  const Bytes later = pair.SealZ(Bytes(10, 4));
  EXPECT_GE(NumberOf(later), RecordLayer::kFirstSequenceNumber);
  pair.a().HandleDatagram(pair.now(), early);
  pair.a().HandleDatagram(pair.now(), later);
  EXPECT_EQ(pair.ReadA(), Bytes(10, 2));
  EXPECT_EQ(pair.ReadA(), Bytes(10, 4));
}

TEST(SessionOwnRecordsTest, DataThatOvertookFinishedIsDeliveredOnce) {  // RFC 6347 §4.2.4
  SessionPair pair;
  std::vector<Bytes> held;
  pair.set_network([&](const Sent& sent) {
    if (sent.from != Role::kServer || BeforeFinished(sent.bytes) == sent.bytes.size()) {
      return SessionPair::Deliver(sent);
    }
    held.push_back(sent.bytes);
    return Arrivals{};
  });
  pair.Start();
  ASSERT_TRUE(pair.RunUntil([&] { return pair.z().is_connected(); }));
  pair.RunFor(20ms);
  ASSERT_FALSE(pair.a().is_connected());
  const Bytes early = pair.SealZ(Bytes(10, 7));
  pair.a().HandleDatagram(pair.now(), early);
  EXPECT_EQ(pair.ReadA(), std::nullopt);
  pair.a().HandleDatagram(pair.now(), held.front());
  ASSERT_TRUE(pair.a().is_connected());
  pair.a().HandleDatagram(pair.now(), early);
  EXPECT_EQ(pair.ReadA(), Bytes(10, 7));
  EXPECT_EQ(pair.ReadA(), std::nullopt);
  EXPECT_EQ(Dropped(pair.a(), DropReason::kReplayed), 1u);
}

TEST(SessionOwnRecordsTest, APlainOpenSslClientThatMissedFinishedStillConnects) {  // RFC 6347 §4.2.4
  auto options = OptionsZ();
  options.remote_fingerprints = {CertificateA()->fingerprint()};
  Timestamp now = Timestamp::FromEpoch(1000s);
  Session server(options, now);
  RawPeer client(Role::kClient, UseCertificateA);
  server.Start(now);
  Bytes buffer(2000);
  const auto seal = [&] {
    const auto size = server.Seal(now, Bytes(10, 7), buffer);
    return Bytes(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size.value_or(0)));
  };
  bool has_lost = false;
  for (int i = 0; i < 6 && !has_lost; ++i) {
    client.Step(now);
    for (const auto& record : client.TakeRecords()) server.HandleDatagram(now, record);
    while (const auto transmit = server.PollTransmit(now, buffer)) {
      // ChangeCipherSpec arrives, and Finished does not.
      const auto datagram = std::span(buffer).first(transmit->size);
      const size_t before = BeforeFinished(datagram);
      has_lost = has_lost || before < datagram.size();
      if (before == 0) continue;
      client.Give(datagram.first(before));
      client.Step(now);
    }
  }
  ASSERT_TRUE(has_lost && server.is_connected());
  for (int i = 0; i < 5; ++i) {
    client.Give(seal());
    client.Step(now);
  }
  ASSERT_FALSE(client.is_connected());
  now = now + 2s;
  Exchange(server, client, now);
  EXPECT_TRUE(client.is_connected());
}

TEST(SessionOwnRecordsTest, AlertsOfThePeerCountWhenTheyAreAuthentic) {  // RFC 5246 §7.2.2, RFC 6347 §4.1.2.7
  auto options = OptionsZ();
  options.remote_fingerprints = {CertificateA()->fingerprint()};
  Timestamp now = Timestamp::FromEpoch(1000s);
  Session server(options, now);
  RawPeer client(Role::kClient, UseCertificateA);
  server.Start(now);
  Exchange(server, client, now);
  ASSERT_TRUE(server.is_connected());
  auto layer = *RecordLayer::Create(client.ssl(), Role::kClient);
  Bytes record(2 + layer.overhead());
  const auto give = [&](std::vector<uint8_t> alert) {
    ASSERT_TRUE(layer.Seal(ContentType::kAlert, alert, record).has_value());
    record.back() ^= 1;
    server.HandleDatagram(now, record);
    record.back() ^= 1;
    server.HandleDatagram(now, record);
  };
  give({1, 90});  // user_canceled, a warning
  EXPECT_TRUE(server.is_connected());
  give({2, 80});
  EXPECT_FALSE(server.is_connected());
  EXPECT_EQ(Dropped(server, DropReason::kNotAuthentic), 2u);
  std::vector<Session::Event> events;
  while (auto event = server.PollEvent()) events.push_back(std::move(*event));
  EXPECT_EQ(FailureOf(events), FailureReason::kPeerAlert);
  EXPECT_EQ(testing::DetailOf(events), "alert from the peer: internal error");
}

TEST(SessionOwnRecordsTest, OpenGivesOneRecordAndLeavesTheRestToPollPlaintext) {
  SessionPair pair;
  pair.MustConnect();
  Bytes out(200);
  const Bytes one = pair.SealA(Bytes(10, 1));
  EXPECT_EQ(pair.z().Open(pair.now(), one, out), 10u);
  EXPECT_EQ(out[9], 1);
  EXPECT_EQ(pair.z().Open(pair.now(), one, out), std::nullopt);
  EXPECT_EQ(Dropped(pair.z(), DropReason::kReplayed), 1u);
  Bytes two = pair.SealA(Bytes(20, 2));
  const Bytes third = pair.SealA(Bytes(30, 3));
  two.insert(two.end(), third.begin(), third.end());
  EXPECT_EQ(pair.z().Open(pair.now(), two, out), 20u);
  // What came before is given first.
  EXPECT_EQ(pair.z().Open(pair.now(), pair.SealA(Bytes(40, 4)), out), 30u);
  EXPECT_EQ(pair.z().PollPlaintext(pair.now(), out), 40u);
  EXPECT_EQ(pair.z().PollPlaintext(pair.now(), out), std::nullopt);
  Bytes forged = pair.SealA(Bytes(50, 5));
  forged.back() ^= 1;
  EXPECT_EQ(pair.z().Open(pair.now(), forged, out), std::nullopt);
  EXPECT_EQ(Dropped(pair.z(), DropReason::kNotAuthentic), 1u);
  EXPECT_EQ(pair.z().Open(pair.now(), Bytes(9, 23), out), std::nullopt);
  EXPECT_EQ(pair.z().metrics().records_opened, 4u);
  pair.a().Close(pair.now());
  const auto sent = pair.a().PollTransmit(pair.now(), out);
  ASSERT_TRUE(sent);
  Bytes plaintext(200);
  EXPECT_EQ(pair.z().Open(pair.now(), std::span(out).first(sent->size), plaintext), std::nullopt);
  EXPECT_FALSE(pair.z().is_connected());
}

// Connected, each has heard the other, and both have forgotten how it came about.
void LetHandshakesBeShed(SessionPair& pair) {
  ExpectDataFlows(pair);
  EXPECT_TRUE(pair.a().holds_handshake() && pair.z().holds_handshake());
  pair.RunFor(200ms);
  EXPECT_TRUE(pair.a().holds_handshake() && pair.z().holds_handshake());
  pair.RunFor(100ms);
  EXPECT_FALSE(pair.a().holds_handshake() || pair.z().holds_handshake());
  EXPECT_EQ(pair.a().NextTimeout(), Timestamp::Never());
}

TEST(SessionOwnRecordsTest, WhatTheHandshakeNeededIsGivenBackOnceThePeerHasFinished) {
  SessionPair pair;
  pair.MustConnect();
  pair.RunFor(60s);  // nothing was heard of the peer: it may still have to be answered
  EXPECT_TRUE(pair.a().holds_handshake() && pair.z().holds_handshake());
  LetHandshakesBeShed(pair);
  ExpectDataFlows(pair);
  const auto events = pair.events_z().size();
  for (const auto& sent : pair.sent()) {  // the whole handshake again
    (sent.from == Role::kClient ? pair.z() : pair.a()).HandleDatagram(pair.now(), sent.bytes);
  }
  pair.RunFor(10s);
  EXPECT_EQ(pair.events_z().size(), events);
  ExpectDataFlows(pair);
  pair.a().Close(pair.now());
  pair.RunFor(1s);
  EXPECT_TRUE(HasClosed(pair.events_z()));
}

TEST(SessionOwnRecordsTest, RecordsGoOnAfterTheirContextsWereGivenBack) {
  SessionPair pair;
  pair.MustConnect();
  pair.a().Trim();
  pair.z().Trim();
  ExpectDataFlows(pair);
  const Bytes datagram = pair.SealA(Bytes(10, 1));
  pair.z().HandleDatagram(pair.now(), datagram);
  EXPECT_EQ(pair.ReadZ(), Bytes(10, 1));
  pair.z().Trim();
  pair.z().HandleDatagram(pair.now(), datagram);
  EXPECT_EQ(pair.ReadZ(), std::nullopt);
  EXPECT_EQ(Dropped(pair.z(), DropReason::kReplayed), 1u) << "the window stays";
  ExpectDataFlows(pair);
}

TEST(SessionOwnRecordsTest, OtherFingerprintsCountAlsoAfterTheHandshakeWasGivenBack) {  // RFC 8842 §5.2
  SessionPair pair;
  pair.MustConnect();
  LetHandshakesBeShed(pair);
  pair.a().SetRemoteFingerprints(pair.now(), {testing::CertificateZ()->fingerprint()});
  EXPECT_TRUE(pair.a().is_connected());
  pair.a().SetRemoteFingerprints(pair.now(), {CertificateA()->fingerprint()});
  pair.RunFor(1s);
  EXPECT_EQ(FailureOf(pair.events_a()), FailureReason::kFingerprintMismatch);
  EXPECT_TRUE(HasClosed(pair.events_z()));
}

TEST(SessionOwnRecordsTest, ARenegotiationIsRefusedAlsoAfterTheHandshakeWasGivenBack) {  // RFC 8827 §6.5
  auto options = OptionsZ();
  options.remote_fingerprints = {CertificateA()->fingerprint()};
  Timestamp now = Timestamp::FromEpoch(1000s);
  Session server(options, now);
  RawPeer client(Role::kClient, UseCertificateA);
  server.Start(now);
  Exchange(server, client, now);
  ASSERT_TRUE(server.is_connected());
  auto layer = *RecordLayer::Create(client.ssl(), Role::kClient);
  Bytes out(200);
  const auto seal = [&](ContentType type, const Bytes& content) {
    const auto size = layer.Seal(type, content, out);
    return Bytes(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size.value_or(0)));
  };
  EXPECT_EQ(server.Open(now, seal(ContentType::kApplicationData, Bytes(10, 1)), out), 10u);
  now = now + 1s;
  server.HandleTimeout(now);
  ASSERT_FALSE(server.holds_handshake());
  server.HandleDatagram(now, seal(ContentType::kHandshake, Bytes{20, 0, 0, 12}));  // a Finished
  EXPECT_FALSE(server.PollTransmit(now, out));
  server.HandleDatagram(now, seal(ContentType::kHandshake, Bytes{1, 0, 0, 38}));  // a ClientHello
  const auto sent = server.PollTransmit(now, out);
  ASSERT_TRUE(sent);
  Bytes alert(2);
  EXPECT_EQ(layer.Open(*ParseRecord(std::span(out).first(sent->size)), alert), 2u);
  EXPECT_EQ(alert, (Bytes{kWarning, kNoRenegotiation}));
  EXPECT_TRUE(server.is_connected());
}

}  // namespace
}  // namespace jsp::dtls
