#include "dtls/record.h"

#include <gtest/gtest.h>

#include "dtls/datagram_queue.h"
#include "dtls/record_filter.h"
#include "dtls/session_test_support.h"
namespace jsp::dtls {
namespace {

using testing::Bytes;
using testing::FragmentFields;
using testing::MakeFragment;
using testing::MakeRecord;
using Verdict = RecordFilter::Verdict;

TEST(RecordTest, ParsesARecord) {  // RFC 6347 §4.1
  const Bytes bytes = {22, 0xFE, 0xFF, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x00, 0x02, 0xAA, 0xBB, 0xCC};
  const auto record = ParseRecord(bytes);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->header.type, ContentType::kHandshake);
  EXPECT_EQ(record->header.version, 0xFEFF);
  EXPECT_EQ(record->header.epoch, 0x0102);
  EXPECT_EQ(record->header.sequence_number(), 0x030405060708u);
  EXPECT_EQ(record->bytes.size(), 15u);
  EXPECT_EQ(Bytes(record->fragment.begin(), record->fragment.end()), (Bytes{0xAA, 0xBB}));
}

TEST(RecordTest, RoundTrips) {
  const Bytes bytes = MakeRecord(23, 7, 0xABCDEF012345, Bytes(9, 1));
  const auto record = ParseRecord(bytes);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->header.sequence_number(), 0xABCDEF012345u);
  Bytes copy(kRecordHeaderSize);
  wire::Write<RecordHeader>(std::span<uint8_t, kRecordHeaderSize>(copy), record->header);
  EXPECT_EQ(copy, Bytes(bytes.begin(), bytes.begin() + kRecordHeaderSize));
}

TEST(RecordTest, RejectsEveryTruncation) {
  const Bytes bytes = MakeRecord(22, 0, 1, Bytes(20, 5));
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(ParseRecord(std::span(bytes).first(size))) << size;
  EXPECT_TRUE(ParseRecord(bytes));
}

TEST(RecordTest, RejectsBadLengthAndVersion) {
  Bytes bytes = MakeRecord(22, 0, 1, Bytes(20000, 5));
  EXPECT_FALSE(ParseRecord(bytes));
  bytes = MakeRecord(22, 0, 1, Bytes(kMaxCiphertext, 5));
  EXPECT_TRUE(ParseRecord(bytes));
  bytes[1] = 3;  // TLS
  EXPECT_FALSE(ParseRecord(bytes));
}

TEST(RecordTest, D20_KnowsDtlsByItsFirstOctet) {  // RFC 7983 §7
  EXPECT_FALSE(IsDtls({}));
  for (int first = 0; first < 256; ++first) {
    EXPECT_EQ(IsDtls(Bytes{static_cast<uint8_t>(first)}), first >= 20 && first <= 63) << first;
    EXPECT_EQ(IsUnifiedHeader(Bytes{static_cast<uint8_t>(first)}), first >= 32 && first <= 63) << first;
  }
}

TEST(HandshakeFragmentTest, ParsesAFragment) {  // RFC 6347 §4.2.2
  const Bytes bytes = {11, 0x01, 0x02, 0x03, 0x04, 0x05, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02, 0xAA, 0xBB, 0xCC};
  const auto fragment = ParseHandshakeFragment(bytes);
  ASSERT_TRUE(fragment);
  EXPECT_EQ(fragment->type, HandshakeType::kCertificate);
  EXPECT_EQ(fragment->length, 0x010203u);
  EXPECT_EQ(fragment->message_seq, 0x0405);
  EXPECT_EQ(fragment->fragment_offset, 256u);
  EXPECT_EQ(Bytes(fragment->body.begin(), fragment->body.end()), (Bytes{0xAA, 0xBB}));
  EXPECT_FALSE(fragment->is_complete());
}

TEST(HandshakeFragmentTest, RejectsEveryTruncation) {
  const Bytes bytes = MakeFragment({1, 10, 0, 0, 10}, Bytes(10, 1));
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(ParseHandshakeFragment(std::span(bytes).first(size)));
  EXPECT_TRUE(ParseHandshakeFragment(bytes)->is_complete());
}

TEST(HandshakeFragmentTest, D5_RejectsRangesOutsideTheMessage) {  // RFC 6347 §4.2.3
  const Bytes body(10, 1);
  EXPECT_FALSE(ParseHandshakeFragment(MakeFragment({1, 10, 0, 1, 10}, body)));
  EXPECT_FALSE(ParseHandshakeFragment(MakeFragment({1, 9, 0, 0, 10}, body)));
  EXPECT_FALSE(ParseHandshakeFragment(MakeFragment({1, 0xFFFFFF, 0, 0xFFFFFF, 10}, body)));
  EXPECT_FALSE(ParseHandshakeFragment(MakeFragment({1, 10, 0, 0, 11}, body)));
  EXPECT_TRUE(ParseHandshakeFragment(MakeFragment({1, 20, 0, 10, 10}, body)));
}

TEST(HandshakeFragmentTest, D4_RejectsAnEmptyPartOfAMessageWithContent) {
  EXPECT_FALSE(ParseHandshakeFragment(MakeFragment({1, 10, 0, 5, 0}, {})));
  EXPECT_TRUE(ParseHandshakeFragment(MakeFragment({14, 0, 4, 0, 0}, {})));  // ServerHelloDone has none
}

Verdict Judge(RecordFilter& filter, const Bytes& bytes) {
  const auto record = ParseRecord(bytes);
  return record ? filter.Judge(*record) : Verdict::kBadRecord;
}

Bytes Handshake(const FragmentFields& fields) {
  return MakeRecord(22, 0, 1, MakeFragment(fields, Bytes(fields.fragment_length, 1)));
}

TEST(RecordFilterTest, ServerAdmitsOnlyAClientHelloAtFirst) {
  RecordFilter filter;
  filter.BeginAsServer();
  EXPECT_TRUE(filter.expects_client_hello());
  EXPECT_EQ(Judge(filter, Handshake({1, 50, 0, 0, 50})), Verdict::kAdmit);
  EXPECT_EQ(Judge(filter, Handshake({1, 50, 0, 10, 20})), Verdict::kAdmit);
  EXPECT_EQ(Judge(filter, Handshake({1, 50, 1, 0, 50})), Verdict::kBadRecord);
  EXPECT_EQ(Judge(filter, Handshake({11, 50, 1, 0, 50})), Verdict::kBadRecord);
  EXPECT_EQ(Judge(filter, MakeRecord(21, 0, 1, Bytes{2, 40})), Verdict::kBadRecord);
  EXPECT_EQ(Judge(filter, MakeRecord(20, 0, 1, Bytes{1})), Verdict::kBadRecord);
  EXPECT_EQ(Judge(filter, MakeRecord(22, 1, 1, Bytes(50))), Verdict::kBadRecord);
  filter.ClientHelloAccepted();
  EXPECT_EQ(Judge(filter, Handshake({11, 50, 1, 0, 50})), Verdict::kAdmit);
  EXPECT_EQ(Judge(filter, MakeRecord(22, 1, 1, Bytes(50))), Verdict::kAdmit);
}

TEST(RecordFilterTest, AdmitsEachMessageToItsRoleOnly) {  // RFC 6347 §4.2.4
  RecordFilter client;
  client.BeginAsClient();
  RecordFilter server;
  server.BeginAsServer();
  server.ClientHelloAccepted();
  struct Case {
    uint8_t type;
    uint16_t message_seq;
    bool to_client;
    bool to_server;
  };
  for (const auto& [type, seq, to_client, to_server] :
       {Case{0, 0, false, false}, Case{1, 0, false, true}, Case{2, 0, true, false}, Case{2, 1, true, false},
        Case{2, 2, false, false}, Case{3, 0, true, false}, Case{4, 5, false, false}, Case{11, 1, true, true},
        Case{11, 0, false, false}, Case{12, 2, true, false}, Case{13, 3, true, false}, Case{14, 4, true, false},
        Case{15, 3, false, true}, Case{16, 2, false, true}, Case{20, 4, false, false}, Case{77, 4, false, false}}) {
    const Bytes record = Handshake({type, 30, seq, 0, 30});
    EXPECT_EQ(Judge(client, record) == Verdict::kAdmit, to_client) << int{type} << " " << seq;
    EXPECT_EQ(Judge(server, record) == Verdict::kAdmit, to_server) << int{type} << " " << seq;
  }
}

TEST(RecordFilterTest, D8_AdmitsOneEpochOfProtectedRecords) {
  RecordFilter filter;
  filter.BeginAsClient();
  EXPECT_EQ(Judge(filter, MakeRecord(23, 1, 1, Bytes(16))), Verdict::kAdmit);
  EXPECT_EQ(Judge(filter, MakeRecord(23, 1, 1, Bytes(15))), Verdict::kBadRecord);
  EXPECT_EQ(Judge(filter, MakeRecord(20, 1, 1, Bytes(30))), Verdict::kBadRecord);
  EXPECT_EQ(Judge(filter, MakeRecord(23, 2, 1, Bytes(30))), Verdict::kBadRecord);
  EXPECT_EQ(Judge(filter, MakeRecord(23, 0, 1, Bytes(30))), Verdict::kBadRecord);
  EXPECT_EQ(Judge(filter, MakeRecord(24, 1, 1, Bytes(30))), Verdict::kBadRecord);
  EXPECT_EQ(Judge(filter, MakeRecord(19, 1, 1, Bytes(30))), Verdict::kBadRecord);
}

TEST(RecordFilterTest, D10_HasNoPlaintextAfterTheHandshake) {
  RecordFilter filter;
  filter.BeginAsClient();
  filter.HandshakeFinished();
  EXPECT_EQ(Judge(filter, MakeRecord(21, 0, 1, Bytes{2, 40})), Verdict::kOldEpoch);
  EXPECT_EQ(Judge(filter, Handshake({2, 50, 0, 0, 50})), Verdict::kOldEpoch);
  EXPECT_EQ(Judge(filter, MakeRecord(23, 1, 1, Bytes(30))), Verdict::kAdmit);
}

TEST(RecordFilterTest, JudgesPlaintextAlertsByWhatTheySay) {  // RFC 5246 §7.2
  RecordFilter filter;
  filter.BeginAsClient();
  EXPECT_EQ(Judge(filter, MakeRecord(21, 0, 1, Bytes{2, 40})), Verdict::kPlaintextAlert);
  EXPECT_EQ(Judge(filter, MakeRecord(21, 0, 1, Bytes{1, 0})), Verdict::kPlaintextAlert);
  for (const Bytes& content : {Bytes{}, Bytes{2}, Bytes{1, 90}, Bytes{3, 40}, Bytes{0, 0}, Bytes{2, 40, 1}}) {
    EXPECT_EQ(Judge(filter, MakeRecord(21, 0, 1, content)), Verdict::kBadRecord);
  }
}

TEST(RecordFilterTest, AdmitsOneFormOfChangeCipherSpec) {  // RFC 5246 §7.1
  RecordFilter filter;
  filter.BeginAsClient();
  EXPECT_EQ(Judge(filter, MakeRecord(20, 0, 1, Bytes{1})), Verdict::kAdmit);
  for (const Bytes& content : {Bytes{}, Bytes{0}, Bytes{2}, Bytes{1, 1}}) {
    EXPECT_EQ(Judge(filter, MakeRecord(20, 0, 1, content)), Verdict::kBadRecord);
  }
}

TEST(RecordFilterTest, D5_HoldsFragmentsToTheLengthFirstAnnounced) {  // RFC 6347 §4.2.3
  RecordFilter filter;
  filter.BeginAsClient();
  EXPECT_EQ(Judge(filter, Handshake({11, 500, 1, 0, 20})), Verdict::kAdmit);
  EXPECT_EQ(Judge(filter, Handshake({11, 400, 1, 20, 20})), Verdict::kBadRecord);
  EXPECT_EQ(Judge(filter, Handshake({11, 500, 1, 20, 20})), Verdict::kAdmit);
  EXPECT_EQ(Judge(filter, Handshake({12, 400, 2, 20, 20})), Verdict::kAdmit);
  EXPECT_EQ(Judge(filter, Handshake({11, 100, 1, 0, 100})), Verdict::kAdmit) << "whole messages are not reassembled";
  filter.BeginAsClient();
  EXPECT_EQ(Judge(filter, Handshake({11, 400, 1, 20, 20})), Verdict::kAdmit);
}

TEST(RecordFilterTest, D13_NoticesMessagesAboveTheLimit) {
  RecordFilter filter;
  filter.BeginAsClient();
  EXPECT_EQ(Judge(filter, Handshake({11, kMaxHandshakeMessage + 1, 1, 0, 20})), Verdict::kOversizedMessage);
  EXPECT_EQ(Judge(filter, Handshake({11, kMaxHandshakeMessage, 1, 0, 20})), Verdict::kAdmit);
}

TEST(RecordFilterTest, D6_LooksAtEveryMessageOfARecord) {  // RFC 6347 §4.2.3
  RecordFilter filter;
  filter.BeginAsClient();
  Bytes content = MakeFragment({13, 10, 3, 0, 10}, Bytes(10, 1));
  const Bytes done = MakeFragment({14, 0, 4, 0, 0}, {});
  content.insert(content.end(), done.begin(), done.end());
  EXPECT_EQ(Judge(filter, MakeRecord(22, 0, 1, content)), Verdict::kAdmit);
  content.push_back(0);
  EXPECT_EQ(Judge(filter, MakeRecord(22, 0, 1, content)), Verdict::kBadRecord);
  EXPECT_EQ(Judge(filter, MakeRecord(22, 0, 1, Bytes{})), Verdict::kBadRecord);
}

TEST(DatagramQueueTest, IsFirstInFirstOutAcrossTheEndOfItsRing) {
  DatagramQueue queue({.datagrams = 3, .octets = 100});
  for (uint8_t i = 0; i < 20; ++i) {
    EXPECT_TRUE(queue.Push(Bytes(3, i)));
    EXPECT_TRUE(queue.Push(Bytes(2, i)));
    EXPECT_EQ(queue.front().size(), 3u);
    EXPECT_EQ(queue.front()[0], i);
    queue.Pop();
    EXPECT_EQ(queue.front().size(), 2u);
    queue.Pop();
    EXPECT_TRUE(queue.empty());
  }
}

TEST(DatagramQueueTest, KeepsToBothLimits) {
  DatagramQueue queue({.datagrams = 3, .octets = 100});
  EXPECT_FALSE(queue.Push(Bytes(101)));
  EXPECT_TRUE(queue.Push(Bytes(60)));
  EXPECT_FALSE(queue.Push(Bytes(41)));
  EXPECT_TRUE(queue.Push(Bytes(40)));
  EXPECT_TRUE(queue.Push(Bytes(0)));
  EXPECT_FALSE(queue.Push(Bytes(0)));
  queue.Pop();
  EXPECT_TRUE(queue.Push(Bytes(60)));
  queue.Clear();
  EXPECT_TRUE(queue.Push(Bytes(100)));
  queue.Release();
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_TRUE(queue.Push(Bytes(100)));
}

}  // namespace
}  // namespace jsp::dtls
