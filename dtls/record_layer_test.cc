#include "dtls/record_layer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "dtls/certificate_native.h"
#include "dtls/session_test_support.h"
namespace jsp::dtls {
namespace {

using testing::Bytes;
using testing::CertificateA;
using testing::RawPeer;

constexpr Timestamp kNow = Timestamp::FromEpoch(std::chrono::seconds(1000));

constexpr const char* kSuites[] = {
    "ECDHE-ECDSA-AES128-GCM-SHA256",  // with the keys of the library's generator
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
};

Bytes Content(size_t size, uint8_t seed) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(seed + i * 7);
  return bytes;
}

// OpenSSL's own shape of a configuration, with an ECDSA certificate.
std::function<void(SSL_CTX*)> Configuration(const char* suites, bool has_extended_master_secret = true) {
  return [=](SSL_CTX* context) {
    const auto& native = CertificateA()->native();
    RawPeer::UseCertificate(context, native.key.get(), native.certificate.get());
    EXPECT_EQ(SSL_CTX_set_cipher_list(context, suites), 1);
    if (!has_extended_master_secret) SSL_CTX_set_options(context, SSL_OP_NO_EXTENDED_MASTER_SECRET);
  };
}

// A handshake of two of them in memory, without loss.
void Handshake(RawPeer& client, RawPeer& server) {
  // One datagram a step, as a memory BIO would glue two together.
  const auto carry = [](RawPeer& from, RawPeer& to) {
    from.Step(kNow);
    for (const Bytes& record : from.TakeRecords()) {
      to.Give(record);
      to.Step(kNow);
    }
  };
  for (int i = 0; i < 10; ++i) {
    carry(client, server);
    carry(server, client);
  }
  ASSERT_TRUE(client.is_connected() && server.is_connected());
}

// Two plain OpenSSL ends after a handshake, and a layer of ours beside each.
class RecordLayerTest : public ::testing::TestWithParam<const char*> {
 protected:
  explicit RecordLayerTest(bool has_extended_master_secret = true)
      : client_(Role::kClient, Configuration(GetParam(), has_extended_master_secret)),
        server_(Role::kServer, Configuration(GetParam(), has_extended_master_secret)) {
    Handshake(client_, server_);
    EXPECT_EQ(SSL_get_extms_support(client_.ssl()), has_extended_master_secret ? 1 : 0);
    client_layer_.emplace(*RecordLayer::Create(client_.ssl(), Role::kClient));
    server_layer_.emplace(*RecordLayer::Create(server_.ssl(), Role::kServer));
  }
  static Bytes Seal(RecordLayer& layer, const Bytes& content, ContentType type = ContentType::kApplicationData) {
    Bytes record(content.size() + layer.overhead());
    const auto size = layer.Seal(type, content, record);
    EXPECT_EQ(size, record.size());
    return record;
  }
  static Expected<Bytes, RecordLayer::OpenError> Open(RecordLayer& layer, const Bytes& datagram) {
    const auto record = ParseRecord(datagram);
    if (!record) return Unexpected(RecordLayer::OpenError::kBadRecord);
    Bytes content(kMaxPlaintext);
    const auto size = layer.Open(*record, content);
    if (!size) return Unexpected(size.error());
    content.resize(*size);
    return content;
  }
  static Bytes WriteWithOpenSsl(RawPeer& peer, const Bytes& content) {
    EXPECT_EQ(SSL_write(peer.ssl(), content.data(), static_cast<int>(content.size())),
              static_cast<int>(content.size()));
    auto records = peer.TakeRecords();
    EXPECT_EQ(records.size(), 1u);
    return records[0];
  }
  static std::optional<Bytes> ReadWithOpenSsl(RawPeer& peer, const Bytes& record) {
    const size_t before = peer.data().size();
    peer.Give(record);
    peer.Step(kNow);
    if (peer.data().size() == before) return std::nullopt;
    return Bytes(peer.data().begin() + static_cast<std::ptrdiff_t>(before), peer.data().end());
  }

  RawPeer client_;
  RawPeer server_;
  std::optional<RecordLayer> client_layer_;
  std::optional<RecordLayer> server_layer_;
};

TEST_P(RecordLayerTest, OpensWhatOpenSslWroteInBothDirections) {
  for (const size_t size : {size_t{1}, size_t{15}, size_t{16}, size_t{17}, size_t{1191}, kMaxPlaintext}) {
    EXPECT_EQ(Open(*server_layer_, WriteWithOpenSsl(client_, Content(size, 1))), Content(size, 1));
    EXPECT_EQ(Open(*client_layer_, WriteWithOpenSsl(server_, Content(size, 2))), Content(size, 2));
  }
}

TEST_P(RecordLayerTest, WritesWhatOpenSslOpensInBothDirections) {
  for (const size_t size : {size_t{1}, size_t{15}, size_t{16}, size_t{17}, size_t{1191}, kMaxPlaintext}) {
    EXPECT_EQ(ReadWithOpenSsl(server_, Seal(*client_layer_, Content(size, 1))), Content(size, 1));
    EXPECT_EQ(ReadWithOpenSsl(client_, Seal(*server_layer_, Content(size, 2))), Content(size, 2));
  }
}

TEST_P(RecordLayerTest, EncryptsAndDecryptsInPlace) {
  Bytes record(100 + client_layer_->overhead());
  const auto content = std::span(record).subspan(client_layer_->content_offset(), 100);
  std::ranges::copy(Content(100, 3), content.begin());
  ASSERT_EQ(client_layer_->Seal(ContentType::kApplicationData, content, record), record.size());
  const auto parsed = *ParseRecord(record);
  ASSERT_EQ(server_layer_->Open(parsed, content), 100u);
  EXPECT_TRUE(std::ranges::equal(content, Content(100, 3)));
}

TEST_P(RecordLayerTest, ItsNumbersBeginFarAboveTheLibrarysAndAscend) {  // RFC 6347 §4.1, RFC 5288 §3
  uint64_t expected = uint64_t{1} << 16;
  for (int i = 0; i < 3; ++i) {
    const auto header = ParseRecord(Seal(*client_layer_, Content(10, 1)))->header;
    EXPECT_EQ(header.epoch, 1);
    EXPECT_EQ(header.sequence_number(), expected++);
  }
}

TEST_P(RecordLayerTest, AReplayIsRefusedAndALateRecordTaken) {  // RFC 6347 §4.1.2.6
  std::vector<Bytes> records;
  for (int i = 0; i < 1100; ++i) records.push_back(Seal(*client_layer_, Content(10, static_cast<uint8_t>(i))));
  EXPECT_TRUE(Open(*server_layer_, records[1050]).has_value());
  EXPECT_EQ(Open(*server_layer_, records[1050]).error(), RecordLayer::OpenError::kReplayed);
  EXPECT_TRUE(Open(*server_layer_, records[1050 - 1023]).has_value());
  EXPECT_EQ(Open(*server_layer_, records[1050 - 1023]).error(), RecordLayer::OpenError::kReplayed);
  EXPECT_EQ(Open(*server_layer_, records[1050 - 1024]).error(), RecordLayer::OpenError::kReplayed);
  EXPECT_TRUE(Open(*server_layer_, records[1099]).has_value());
}

TEST_P(RecordLayerTest, D9_AForgedNumberDoesNotMoveTheWindow) {  // RFC 6347 §4.1.2.6
  const Bytes record = Seal(*client_layer_, Content(20, 1));
  Bytes forged = record;
  forged[5] = 0xFF;  // 2^48 − 2^40 and more
  EXPECT_EQ(Open(*server_layer_, forged).error(), RecordLayer::OpenError::kForged);
  EXPECT_EQ(Open(*server_layer_, record), Content(20, 1));
}

TEST_P(RecordLayerTest, AFlippedBitAnywhereIsRefused) {  // RFC 6347 §4.1.2.1
  const Bytes record = Seal(*client_layer_, Content(20, 1));
  for (size_t bit = 0; bit < record.size() * 8; ++bit) {
    Bytes forged = record;
    forged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(Open(*server_layer_, forged).has_value()) << bit;
  }
  EXPECT_EQ(Open(*server_layer_, record), Content(20, 1));
}

TEST_P(RecordLayerTest, EveryTruncationIsRefused) {
  const Bytes record = Seal(*client_layer_, Content(20, 1));
  for (size_t size = 0; size < record.size(); ++size) {
    const Bytes cut(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(Open(*server_layer_, cut).has_value()) << size;
    if (size <= kRecordHeaderSize) continue;
    // With a length that agrees.
    Bytes shorter = cut;
    wire::Codec<uint16_t>::Store(&shorter[11], static_cast<uint16_t>(size - kRecordHeaderSize));
    EXPECT_FALSE(Open(*server_layer_, shorter).has_value()) << size;
  }
  EXPECT_EQ(Open(*server_layer_, record), Content(20, 1));
}

TEST_P(RecordLayerTest, WhatIsNotAuthenticLeavesNoPlaintextBehind) {
  Bytes record = Seal(*client_layer_, Content(40, 1));
  record.back() ^= 1;
  Bytes content(40, 0xEE);
  ASSERT_EQ(server_layer_->Open(*ParseRecord(record), content).error(), RecordLayer::OpenError::kForged);
  EXPECT_EQ(content, Bytes(40, 0));
}

TEST_P(RecordLayerTest, D19_RefusesToSealBeforeANonceWouldRepeat) {  // RFC 6347 §4.1, RFC 5288 §3
  client_layer_->SkipTo((uint64_t{1} << 48) - 1);
  EXPECT_EQ(Open(*server_layer_, Seal(*client_layer_, Content(5, 1))), Content(5, 1));
  Bytes out(200);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(client_layer_->Seal(ContentType::kApplicationData, Content(5, 1), out).error(),
              RecordLayer::SealError::kExhausted);
  }
}

TEST_P(RecordLayerTest, NeedsRoomForTheWholeRecord) {
  Bytes out(10 + client_layer_->overhead() - 1);
  EXPECT_EQ(client_layer_->Seal(ContentType::kApplicationData, Content(10, 1), out).error(),
            RecordLayer::SealError::kNoRoom);
  Bytes large(kMaxPlaintext + 100);
  EXPECT_EQ(client_layer_->Seal(ContentType::kApplicationData, Bytes(kMaxPlaintext + 1), large).error(),
            RecordLayer::SealError::kNoRoom);
  const Bytes record = Seal(*client_layer_, Content(10, 1));
  Bytes little(9);
  EXPECT_EQ(server_layer_->Open(*ParseRecord(record), little).error(), RecordLayer::OpenError::kNoRoom);
  EXPECT_EQ(Open(*server_layer_, record), Content(10, 1));
}

// The oracle: the same records, lost, reordered, repeated and damaged, go to OpenSSL and to the layer. Within 64
// numbers, which is OpenSSL's window, both give the same plaintexts.
TEST_P(RecordLayerTest, GivesTheSamePlaintextsAsOpenSsl) {
  for (const unsigned seed : {1u, 2u, 3u, 4u, 5u}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    std::vector<Bytes> recent;
    uint64_t highest = client_layer_->next_sequence_number();
    for (int i = 0; i < 400; ++i) {
      if (below(20) == 0) client_layer_->SkipTo(client_layer_->next_sequence_number() + below(100));
      recent.push_back(Seal(*client_layer_, Content(1 + below(300), static_cast<uint8_t>(below(256)))));
      if (recent.size() > 20) recent.erase(recent.begin());
      if (below(4) == 0) continue;  // lost, for now
      Bytes record = recent[below(static_cast<unsigned>(recent.size()))];
      if (below(5) == 0) record[below(static_cast<unsigned>(record.size()))] ^= static_cast<uint8_t>(1 + below(255));
      if (below(10) == 0) record.resize(below(static_cast<unsigned>(record.size())));
      const auto ours = Open(*server_layer_, record);
      // What is no record at all is not for OpenSSL's eyes, see RecordFilter; and its window is shorter.
      const auto parsed = ParseRecord(record);
      const bool is_record = parsed && parsed->header.epoch == 1 && record[0] == 23;
      if (is_record && parsed->header.sequence_number() + 64 <= highest) continue;
      if (ours) highest = std::max(highest, parsed->header.sequence_number());
      const auto theirs = is_record ? ReadWithOpenSsl(server_, record) : std::nullopt;
      ASSERT_EQ(ours ? std::optional(*ours) : std::nullopt, theirs) << i;
    }
  }
}

class RecordLayerWithoutExtendedMasterSecretTest : public RecordLayerTest {
 protected:
  RecordLayerWithoutExtendedMasterSecretTest() : RecordLayerTest(false) {}
};

TEST_P(RecordLayerWithoutExtendedMasterSecretTest, HasTheSameKeysAsOpenSsl) {  // RFC 5246 §8.1
  EXPECT_EQ(Open(*server_layer_, WriteWithOpenSsl(client_, Content(100, 1))), Content(100, 1));
  EXPECT_EQ(ReadWithOpenSsl(client_, Seal(*server_layer_, Content(100, 2))), Content(100, 2));
}

std::string NameOf(const ::testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  std::erase(name, '-');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Suites, RecordLayerTest, ::testing::ValuesIn(kSuites), NameOf);
INSTANTIATE_TEST_SUITE_P(Suites, RecordLayerWithoutExtendedMasterSecretTest, ::testing::ValuesIn(kSuites), NameOf);

TEST(RecordLayerSuiteTest, RefusesASuiteThatIsNotOurs) {
  RawPeer client(Role::kClient, Configuration("ECDHE-ECDSA-AES128-SHA256"));
  RawPeer server(Role::kServer, Configuration("ECDHE-ECDSA-AES128-SHA256"));
  Handshake(client, server);
  EXPECT_FALSE(RecordLayer::Create(client.ssl(), Role::kClient));
}

TEST(ReplayWindowTest, KnowsTheLastThousandAndTwentyFour) {  // RFC 6347 §4.1.2.6
  ReplayWindow window;
  EXPECT_TRUE(window.IsNew(0));
  window.Mark(5000);
  EXPECT_FALSE(window.IsNew(5000));
  EXPECT_TRUE(window.IsNew(5001));
  EXPECT_TRUE(window.IsNew(5000 - 1023));
  EXPECT_FALSE(window.IsNew(5000 - 1024));
}

TEST(ReplayWindowTest, AgreesWithASetOfAllNumbers) {
  for (const unsigned seed : {1u, 2u, 3u}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    ReplayWindow window;
    std::vector<bool> seen(200'000);
    uint64_t highest = 0;
    for (int i = 0; i < 50'000; ++i) {
      const uint64_t jump = random() % 1000 == 0 ? random() % 3000 : random() % 8;
      const uint64_t back = random() % 1500;
      const uint64_t sequence = std::min<uint64_t>(highest + jump > back ? highest + jump - back : 0, seen.size() - 1);
      const bool is_new = !seen[sequence] && sequence + 1024 > highest;
      ASSERT_EQ(window.IsNew(sequence), is_new) << i;
      if (!is_new) continue;
      window.Mark(sequence);
      seen[sequence] = true;
      highest = std::max(highest, sequence);
    }
  }
}

}  // namespace
}  // namespace jsp::dtls
