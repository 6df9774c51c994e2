#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dtls/datagram_queue.h"
#include "dtls/openssl_ptr.h"
#include "dtls/record_filter.h"
#include "dtls/session.h"
namespace jsp::dtls {

// Undelivered datagrams: a burst of SCTP's default receive window (128 KiB) while the owner does not poll.
inline constexpr DatagramQueue::Limits kInboundLimits{.datagrams = 128, .octets = 192 * 1024};
// Handshake flights: 16 KiB of certificate in the smallest datagrams, twice, for an owner that polls late.
inline constexpr DatagramQueue::Limits kOutboundLimits{.datagrams = 160, .octets = 40 * 1024};

// What OpenSSL reads from and writes to: a BIO that keeps every datagram whole (a memory BIO would glue a flight
// together). One write of OpenSSL is one datagram; one read gives one record, because the filter looks at each. A
// ChangeCipherSpec that overtakes its flight waits here for its turn, and plaintext records are numbered anew, because
// nothing authenticates their numbers, and one forgery would move the replay window past every genuine record.
// Owns what is received and one reference to the BIO; its Session owns it, and it must outlive the SSL object.
class DatagramBio {
 public:
  // Something that arrived in plaintext and that, if it is genuine, ends the handshake.
  struct Objection {
    RecordFilter::Verdict verdict;
    uint8_t alert;  // with kPlaintextAlert: RFC 5246 §7.2, AlertDescription
  };

  // The functions of the BIO; shared by any number of sessions.
  static BioMethodPtr CreateMethod();

  // What the Session has beyond the handshake, too: what may come in, what goes out, and what was dropped.
  struct Surroundings {
    RecordFilter& filter;
    DatagramQueue& outbound;
    Metrics& metrics;
  };
  DatagramBio(const BIO_METHOD* method, Surroundings surroundings);
  ~DatagramBio();
  DatagramBio(const DatagramBio&) = delete;
  DatagramBio& operator=(const DatagramBio&) = delete;

  // Makes this the source and the sink of `ssl`.
  void AttachTo(SSL* ssl);

  // Received datagrams. Present() lends a view that OpenSSL reads from directly, when nothing is queued before it;
  // KeepUnread() ends the loan and copies what was not read. Enqueue() copies; false when the queue is full.
  void Present(std::span<const uint8_t> datagram);
  void KeepUnread();
  [[nodiscard]] bool Enqueue(std::span<const uint8_t> datagram);
  // From now on records with application data go there instead of to OpenSSL, whole and still protected, also those
  // that come before the keys. nullptr: to OpenSSL again.
  void DivertData(DatagramQueue* queue) { diverted_ = queue; }
  bool has_inbound() const { return !cursor_.empty() || !inbound_.empty(); }
  void DropInbound();
  std::optional<Objection> TakeObjection();
  // The longest record that was read so far, header included: an upper bound of any plaintext.
  size_t longest_record() const { return longest_record_; }

  // Sent datagrams. While `out` is lent, an application data record is written into it and not into the queue.
  void LendOutput(std::span<uint8_t> out);
  // The size of the record that was written into the loan, 0 when none was; ends the loan.
  size_t TakeOutput();

 private:
  static int Read(BIO* bio, char* out, int size);
  static int Write(BIO* bio, const char* data, int size);
  static long Control(BIO* bio, int command, long number, void* pointer);
  static DatagramBio& From(BIO* bio);

  bool NextDatagram();
  std::span<const uint8_t> NextRecord();
  bool IsReadyForChangeCipherSpec() const;
  bool IsAdmitted(const Record& record);
  void Renumber(std::span<uint8_t> record);
  void Drop(DropReason reason);

  BioPtr bio_;
  const SSL* ssl_ = nullptr;
  Surroundings session_;
  DatagramQueue inbound_;
  std::span<const uint8_t> cursor_;  // what is unread of the presented datagram, or of the inbound queue's front
  bool is_cursor_queued_ = false;
  bool has_early_change_cipher_spec_ = false;
  uint64_t plaintext_sequence_number_ = 0;  // of the next record in plaintext that OpenSSL reads
  std::optional<Objection> objection_;
  size_t longest_record_ = 0;
  DatagramQueue* diverted_ = nullptr;
  std::span<uint8_t> output_;
  size_t output_size_ = 0;
};

}  // namespace jsp::dtls
