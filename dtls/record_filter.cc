#include "dtls/record_filter.h"
namespace jsp::dtls {
namespace {

using Verdict = RecordFilter::Verdict;

// RFC 7905 §2: the shortest protection that we negotiate is a Poly1305 tag; GCM adds a nonce (RFC 5288 §3).
constexpr size_t kMinProtection = 16;

}  // namespace

Verdict RecordFilter::Judge(const Record& record) {
  const RecordHeader& header = record.header;
  if (header.type < ContentType::kChangeCipherSpec || header.type > ContentType::kApplicationData) {
    return Verdict::kBadRecord;
  }
  if (header.epoch == 0) return phase_ == Phase::kFinished ? Verdict::kOldEpoch : JudgePlaintext(record);
  // Without renegotiation there is one change of keys (RFC 8827 §6.5), so epoch 2 is nobody's.
  if (header.epoch > 1 || record.fragment.size() < kMinProtection) return Verdict::kBadRecord;
  if (header.type == ContentType::kChangeCipherSpec || phase_ == Phase::kClientHello) return Verdict::kBadRecord;
  return Verdict::kAdmit;
}

Verdict RecordFilter::JudgePlaintext(const Record& record) {
  const auto content = record.fragment;
  if (record.header.type == ContentType::kHandshake) return JudgeHandshake(content);
  if (phase_ == Phase::kClientHello) return Verdict::kBadRecord;
  switch (record.header.type) {
    case ContentType::kChangeCipherSpec:  // RFC 5246 §7.1: "a single byte of value 1"
      return content.size() == 1 && content[0] == 1 ? Verdict::kAdmit : Verdict::kBadRecord;
    case ContentType::kAlert:
      if (content.size() != 2 || content[0] == 0 || content[0] > kFatal) return Verdict::kBadRecord;
      // Warnings other than close_notify say nothing that changes what we do.
      return content[0] == kFatal || content[1] == kCloseNotify ? Verdict::kPlaintextAlert : Verdict::kBadRecord;
    default:  // RFC 6347 §4.1: application data is never sent before the handshake gave keys
      return Verdict::kBadRecord;
  }
}

Verdict RecordFilter::JudgeHandshake(std::span<const uint8_t> content) {
  if (content.empty()) return Verdict::kBadRecord;
  // RFC 6347 §4.2.3: several handshake messages may share a record.
  while (!content.empty()) {
    const auto fragment = ParseHandshakeFragment(content);
    if (!fragment) return Verdict::kBadRecord;
    if (fragment->length > kMaxHandshakeMessage) return Verdict::kOversizedMessage;
    if (!IsPossible(*fragment) || !IsConsistent(*fragment)) return Verdict::kBadRecord;
    content = content.subspan(kHandshakeHeaderSize + fragment->body.size());
  }
  return Verdict::kAdmit;
}

// RFC 6347 §4.2.4, figure 1: who sends what in plaintext. Finished is not among it, because it follows
// ChangeCipherSpec; a HelloRequest would ask for the handshake that is going on. The first message is always a hello
// (RFC 6347 §4.2.2).
bool RecordFilter::IsPossible(const HandshakeFragment& fragment) const {
  const bool is_first = fragment.message_seq == 0;
  switch (fragment.type) {
    case HandshakeType::kClientHello:
      return role_ == Role::kServer && is_first;
    case HandshakeType::kServerHello:  // number 1 when a HelloVerifyRequest came before
      return role_ == Role::kClient && fragment.message_seq <= 1;
    case HandshakeType::kHelloVerifyRequest:
      return role_ == Role::kClient && is_first;
    case HandshakeType::kServerKeyExchange:
    case HandshakeType::kCertificateRequest:
    case HandshakeType::kServerHelloDone:
      return role_ == Role::kClient && !is_first;
    case HandshakeType::kCertificate:
      return phase_ == Phase::kHandshake && !is_first;
    case HandshakeType::kCertificateVerify:
    case HandshakeType::kClientKeyExchange:
      return role_ == Role::kServer && phase_ == Phase::kHandshake && !is_first;
    default:
      return false;
  }
}

// RFC 6347 §4.2.3: "The length field in all messages is the same as the length field of the original message." OpenSSL
// is stuck in the middle of a record when it is not. Complete messages need no reassembly and are taken as they are.
bool RecordFilter::IsConsistent(const HandshakeFragment& fragment) {
  if (fragment.is_complete()) return true;
  if (announced_.empty()) announced_.resize(kAnnounced);
  auto& slot = announced_[fragment.message_seq % announced_.size()];
  if (!slot || slot->message_seq != fragment.message_seq) slot = Announced{fragment.message_seq, fragment.length};
  return slot->length == fragment.length;
}

}  // namespace jsp::dtls
