#include "dtls/datagram_bio.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"
namespace jsp::dtls {
namespace {

// OpenSSL asks, but SSL_OP_NO_QUERY_MTU makes it keep to SSL_set_mtu(): IPv6 and UDP headers (RFC 8085 §3.2).
constexpr long kMtuOverhead = 40 + 8;

// RFC 5246 §7.1, in DTLS 1.2's record; the only one that the filter admits, but for its sequence number.
constexpr std::array<uint8_t, kRecordHeaderSize + 1> kChangeCipherSpec = {20, 0xFE, 0xFD, 0, 0, 0, 0,
                                                                          0,  0,    0,    0, 0, 1, 1};

constexpr size_t kEpochOffset = 3;
constexpr size_t kSequenceHighOffset = 5;
constexpr size_t kSequenceLowOffset = 7;

#ifdef DTLS1_3_VERSION
constexpr bool kHasUnifiedHeader = true;
#else
constexpr bool kHasUnifiedHeader = false;
#endif

}  // namespace

BioMethodPtr DatagramBio::CreateMethod() {
  BioMethodPtr method(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "jsp datagrams"));
  JSP_CHECK(method != nullptr);
  BIO_meth_set_read(method.get(), &Read);
  BIO_meth_set_write(method.get(), &Write);
  BIO_meth_set_ctrl(method.get(), &Control);
  return method;
}

DatagramBio::DatagramBio(const BIO_METHOD* method, Surroundings surroundings)
    : bio_(BIO_new(method)), session_(surroundings), inbound_(kInboundLimits) {
  JSP_CHECK(bio_ != nullptr);
  BIO_set_data(bio_.get(), this);
  BIO_set_init(bio_.get(), 1);
}

DatagramBio::~DatagramBio() { BIO_set_data(bio_.get(), nullptr); }

void DatagramBio::AttachTo(SSL* ssl) {
  JSP_CHECK(BIO_up_ref(bio_.get()) == 1);
  SSL_set_bio(ssl, bio_.get(), bio_.get());  // takes one reference, as both are the same
  ssl_ = ssl;
  has_early_change_cipher_spec_ = false;
  plaintext_sequence_number_ = 0;
}

void DatagramBio::Present(std::span<const uint8_t> datagram) {
  JSP_CHECK(!has_inbound());
  cursor_ = datagram;
  is_cursor_queued_ = false;
}

void DatagramBio::KeepUnread() {
  if (is_cursor_queued_ || cursor_.empty()) return;
  const auto unread = std::exchange(cursor_, {});
  if (!Enqueue(unread)) Drop(DropReason::kQueueFull);
}

bool DatagramBio::Enqueue(std::span<const uint8_t> datagram) { return inbound_.Push(datagram); }

void DatagramBio::DropInbound() {
  cursor_ = {};
  is_cursor_queued_ = false;
  inbound_.Release();
}

std::optional<DatagramBio::Objection> DatagramBio::TakeObjection() { return std::exchange(objection_, std::nullopt); }

void DatagramBio::LendOutput(std::span<uint8_t> out) {
  output_ = out;
  output_size_ = 0;
}

size_t DatagramBio::TakeOutput() {
  output_ = {};
  return std::exchange(output_size_, 0);
}

DatagramBio& DatagramBio::From(BIO* bio) {
  auto* self = static_cast<DatagramBio*>(BIO_get_data(bio));
  JSP_CHECK(self != nullptr);
  return *self;
}

// RFC 6347 §4.1.1: records do not span datagrams, so one read never gives more than one record's octets.
int DatagramBio::Read(BIO* bio, char* out, int size) {
  BIO_clear_retry_flags(bio);
  DatagramBio& self = From(bio);
  while (true) {
    const auto record = self.NextRecord();
    if (record.empty()) break;
    if (record.size() > static_cast<size_t>(std::max(size, 0))) {
      self.Drop(DropReason::kTooLarge);
      continue;
    }
    std::memcpy(out, record.data(), record.size());
    self.Renumber(std::span(reinterpret_cast<uint8_t*>(out), record.size()));
    self.longest_record_ = std::max(self.longest_record_, record.size());
    return static_cast<int>(record.size());
  }
  BIO_set_retry_read(bio);
  return -1;
}

// RFC 6347 §4.1.2.6: "The receive window is updated only if the MAC verification succeeds." A record in plaintext has
// no MAC, so its number must not move the window. Repeated messages are recognised by their message_seq.
void DatagramBio::Renumber(std::span<uint8_t> record) {
  if (IsUnifiedHeader(record) || wire::Codec<uint16_t>::Load(&record[kEpochOffset]) != 0) return;
  wire::Codec<uint16_t>::Store(&record[kSequenceHighOffset], static_cast<uint16_t>(plaintext_sequence_number_ >> 32));
  wire::Codec<uint32_t>::Store(&record[kSequenceLowOffset], static_cast<uint32_t>(plaintext_sequence_number_));
  ++plaintext_sequence_number_;
}

int DatagramBio::Write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  if (size <= 0) return size;
  DatagramBio& self = From(bio);
  const std::span datagram(reinterpret_cast<const uint8_t*>(data), static_cast<size_t>(size));
  if (datagram[0] == static_cast<uint8_t>(ContentType::kApplicationData) && datagram.size() <= self.output_.size()) {
    std::memcpy(self.output_.data(), datagram.data(), datagram.size());
    self.output_size_ = datagram.size();
  } else if (!self.session_.outbound.Push(datagram)) {
    self.Drop(DropReason::kQueueFull);  // as if the network had lost it; the flight will be sent again
  }
  return size;
}

long DatagramBio::Control(BIO*, int command, long number, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:                   // a write is complete when it returns
    case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT:  // nothing blocks in here
      return 1;
    case BIO_CTRL_DGRAM_SET_MTU:
      return number;
    case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
      return kMtuOverhead;
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
    case BIO_CTRL_DGRAM_QUERY_MTU:
      return static_cast<long>(Options::kMinMaxDatagram);
    default:  // among them PENDING and WPENDING: what was written is gone, and what is unread stands in the queue
      return 0;
  }
}

bool DatagramBio::NextDatagram() {
  if (is_cursor_queued_) inbound_.Pop();
  is_cursor_queued_ = !inbound_.empty();
  cursor_ = is_cursor_queued_ ? inbound_.front() : std::span<const uint8_t>{};
  return is_cursor_queued_;
}

// RFC 6347 §4.2.5: ChangeCipherSpec has no message_seq, so nothing but the order says where it belongs: a server reads
// it after the client's CertificateVerify, and a client after its own Finished.
bool DatagramBio::IsReadyForChangeCipherSpec() const {
  const auto last_message = SSL_get_state(ssl_);
  return last_message == TLS_ST_SR_CERT_VRFY || last_message == TLS_ST_CW_FINISHED;
}

std::span<const uint8_t> DatagramBio::NextRecord() {
  if (has_early_change_cipher_spec_ && IsReadyForChangeCipherSpec()) {
    has_early_change_cipher_spec_ = false;
    return kChangeCipherSpec;
  }
  while (!cursor_.empty() || NextDatagram()) {
    if (kHasUnifiedHeader && IsUnifiedHeader(cursor_)) return std::exchange(cursor_, {});
    const auto record = ParseRecord(cursor_);
    if (!record) {  // nothing after it can be found either
      Drop(DropReason::kBadRecord);
      cursor_ = {};
      continue;
    }
    cursor_ = cursor_.subspan(record->bytes.size());
    if (!IsAdmitted(*record)) continue;
    if (diverted_ != nullptr && record->header.type == ContentType::kApplicationData) {
      if (!diverted_->Push(record->bytes)) Drop(DropReason::kQueueFull);
      continue;
    }
    const bool is_change_cipher_spec = record->header.type == ContentType::kChangeCipherSpec;
    if (!is_change_cipher_spec || IsReadyForChangeCipherSpec()) return record->bytes;
    has_early_change_cipher_spec_ = true;
  }
  return {};
}

bool DatagramBio::IsAdmitted(const Record& record) {
  const auto verdict = session_.filter.Judge(record);
  switch (verdict) {
    case RecordFilter::Verdict::kAdmit:
      return true;
    case RecordFilter::Verdict::kOldEpoch:
      Drop(DropReason::kOldEpoch);
      return false;
    case RecordFilter::Verdict::kPlaintextAlert:
      objection_ = Objection{verdict, record.fragment[1]};
      return false;
    case RecordFilter::Verdict::kOversizedMessage:
      objection_ = Objection{verdict, 0};
      break;
    case RecordFilter::Verdict::kBadRecord:
      break;
  }
  Drop(DropReason::kBadRecord);
  return false;
}

void DatagramBio::Drop(DropReason reason) { ++session_.metrics.dropped[static_cast<size_t>(reason)]; }

}  // namespace jsp::dtls
