#include "dtls/datagram_bio.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "dtls/certificate_native.h"
#include "dtls/openssl_error.h"
#include "dtls/session_test_support.h"
namespace jsp::dtls {
namespace {

using testing::Bytes;
using testing::MakeFragment;
using testing::MakeRecord;

class DatagramBioTest : public ::testing::Test {
 protected:
  DatagramBioTest() {
    bio_.AttachTo(ssl_.get());
    filter_.BeginAsClient();
  }

  BIO* native() { return SSL_get_rbio(ssl_.get()); }
  std::optional<Bytes> Read(int size = 20000) {
    Bytes out(static_cast<size_t>(size));
    const int result = BIO_read(native(), out.data(), size);
    if (result < 0) return std::nullopt;
    out.resize(static_cast<size_t>(result));
    return out;
  }
  uint64_t Dropped(DropReason reason) const { return metrics_.dropped[static_cast<size_t>(reason)]; }

  Metrics metrics_;
  std::shared_ptr<const Certificate> certificate_ = testing::CertificateA();
  RecordFilter filter_;
  DatagramQueue outbound_{kOutboundLimits};
  DatagramBio bio_{certificate_->native().bio_method.get(), {filter_, outbound_, metrics_}};
  SslPtr ssl_{SSL_new(certificate_->native().context.get())};
};

const Bytes kData = MakeRecord(23, 1, 5, Bytes(30, 7));

TEST_F(DatagramBioTest, ReadsRecordByRecordAndThenAsksForMore) {
  Bytes datagram = kData;
  const Bytes second = MakeRecord(23, 1, 6, Bytes(40, 8));
  datagram.insert(datagram.end(), second.begin(), second.end());
  bio_.Present(datagram);
  EXPECT_EQ(Read(), kData);
  EXPECT_EQ(Read(), second);
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_TRUE(BIO_should_read(native()));
  EXPECT_FALSE(bio_.has_inbound());
  EXPECT_EQ(bio_.longest_record(), second.size());
}

TEST_F(DatagramBioTest, KeepsWhatWasNotReadOfALoan) {
  Bytes datagram = kData;
  datagram.insert(datagram.end(), kData.begin(), kData.end());
  bio_.Present(datagram);
  EXPECT_EQ(Read(), kData);
  bio_.KeepUnread();
  std::fill(datagram.begin(), datagram.end(), uint8_t{0});
  EXPECT_EQ(Read(), kData);
  EXPECT_EQ(Read(), std::nullopt);
}

TEST_F(DatagramBioTest, ReadsQueuedDatagramsInOrderAndDropsTheRestOfAMalformedOne) {
  EXPECT_TRUE(bio_.Enqueue(kData));
  Bytes malformed = kData;
  malformed.insert(malformed.end(), {23, 0, 0});
  EXPECT_TRUE(bio_.Enqueue(malformed));
  EXPECT_TRUE(bio_.Enqueue(kData));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Read(), kData);
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_EQ(Dropped(DropReason::kBadRecord), 1u);
}

TEST_F(DatagramBioTest, DropsARecordThatDoesNotFitTheReader) {
  bio_.Present(kData);
  EXPECT_EQ(Read(20), std::nullopt);
  EXPECT_EQ(Dropped(DropReason::kTooLarge), 1u);
}

TEST_F(DatagramBioTest, NumbersPlaintextRecordsAnewAndLeavesProtectedOnes) {  // RFC 6347 §4.1.2.6
  const Bytes content = MakeFragment({2, 3, 0, 0, 3}, Bytes(3, 1));
  EXPECT_TRUE(bio_.Enqueue(MakeRecord(22, 0, (uint64_t{1} << 48) - 1, content)));
  EXPECT_TRUE(bio_.Enqueue(MakeRecord(22, 0, 4, content)));
  EXPECT_TRUE(bio_.Enqueue(kData));
  EXPECT_EQ(Read(), MakeRecord(22, 0, 0, content));
  EXPECT_EQ(Read(), MakeRecord(22, 0, 1, content));
  EXPECT_EQ(Read(), kData);
}

TEST_F(DatagramBioTest, RemembersAnObjectionUntilItIsTaken) {
  const Bytes alert = MakeRecord(21, 0, 3, Bytes{2, 42});
  bio_.Present(alert);
  EXPECT_EQ(Read(), std::nullopt);
  const auto objection = bio_.TakeObjection();
  ASSERT_TRUE(objection);
  EXPECT_EQ(objection->verdict, RecordFilter::Verdict::kPlaintextAlert);
  EXPECT_EQ(objection->alert, 42);
  EXPECT_FALSE(bio_.TakeObjection());
}

TEST_F(DatagramBioTest, HoldsAChangeCipherSpecThatIsNotDue) {  // RFC 6347 §4.2.5
  const Bytes change_cipher_spec = MakeRecord(20, 0, 3, Bytes{1});
  bio_.Present(change_cipher_spec);
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_EQ(Dropped(DropReason::kBadRecord), 0u);
}

TEST_F(DatagramBioTest, KeepsEveryWriteAsADatagram) {
  EXPECT_EQ(BIO_write(native(), kData.data(), 20), 20);
  EXPECT_EQ(BIO_write(native(), kData.data(), 30), 30);
  ASSERT_EQ(outbound_.size(), 2u);
  EXPECT_EQ(outbound_.front().size(), 20u);
  outbound_.Pop();
  EXPECT_EQ(outbound_.front().size(), 30u);
}

TEST_F(DatagramBioTest, WritesApplicationDataIntoTheLoanAndNothingElse) {
  Bytes out(100);
  bio_.LendOutput(out);
  const Bytes alert = MakeRecord(21, 1, 1, Bytes(30));
  EXPECT_EQ(BIO_write(native(), alert.data(), static_cast<int>(alert.size())), static_cast<int>(alert.size()));
  EXPECT_EQ(BIO_write(native(), kData.data(), static_cast<int>(kData.size())), static_cast<int>(kData.size()));
  EXPECT_EQ(bio_.TakeOutput(), kData.size());
  EXPECT_EQ(Bytes(out.begin(), out.begin() + static_cast<long>(kData.size())), kData);
  EXPECT_EQ(outbound_.size(), 1u);
  EXPECT_EQ(bio_.TakeOutput(), 0u);
}

TEST_F(DatagramBioTest, BoundsBothQueues) {
  const Bytes datagram(1000, 23);
  int queued = 0;
  while (bio_.Enqueue(datagram)) ++queued;
  EXPECT_GE(queued, 100);
  EXPECT_LE(queued, 200);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(BIO_write(native(), datagram.data(), 1000), 1000);
  EXPECT_EQ(outbound_.size() + Dropped(DropReason::kQueueFull), 500u);
  EXPECT_GE(Dropped(DropReason::kQueueFull), 400u);
  bio_.DropInbound();
  EXPECT_FALSE(bio_.has_inbound());
}

TEST_F(DatagramBioTest, AnswersWhatOpenSslAsks) {
  EXPECT_EQ(BIO_flush(native()), 1);
  EXPECT_EQ(BIO_pending(native()), 0);
  EXPECT_EQ(BIO_wpending(native()), 0);
  EXPECT_EQ(BIO_ctrl(native(), BIO_CTRL_DGRAM_GET_MTU_OVERHEAD, 0, nullptr), 48);
  EXPECT_EQ(BIO_ctrl(native(), BIO_CTRL_DGRAM_GET_FALLBACK_MTU, 0, nullptr), 256);
  EXPECT_EQ(BIO_ctrl(native(), BIO_CTRL_DGRAM_SET_MTU, 900, nullptr), 900);
  EXPECT_EQ(BIO_ctrl(native(), BIO_CTRL_DGRAM_MTU_EXCEEDED, 0, nullptr), 0);
}

TEST(OpenSslErrorTest, TakesTheFirstErrorAndEmptiesTheQueue) {
  ERR_clear_error();
  EXPECT_EQ(TakeOpenSslError().text, "no OpenSSL error");
  ERR_raise(ERR_LIB_SSL, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE);
  ERR_raise(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER);
  const auto error = TakeOpenSslError();
  EXPECT_TRUE(error.is_ssl);
  EXPECT_EQ(error.reason, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE);
  EXPECT_EQ(error.peer_alert, std::nullopt);
  EXPECT_EQ(error.text, "peer did not return a certificate; no shared cipher");
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST(OpenSslErrorTest, KnowsThePeersAlertFromOurOwnErrors) {  // RFC 5246 §7.2
  ERR_raise(ERR_LIB_SSL, SSL_AD_REASON_OFFSET + SSL_AD_BAD_CERTIFICATE);
  EXPECT_EQ(TakeOpenSslError().peer_alert, SSL_AD_BAD_CERTIFICATE);
  ERR_raise(ERR_LIB_X509, SSL_AD_REASON_OFFSET + SSL_AD_BAD_CERTIFICATE);
  EXPECT_EQ(TakeOpenSslError().peer_alert, std::nullopt);
}

}  // namespace
}  // namespace jsp::dtls
