#include "transport/mdns_message.h"

#include <array>
#include <utility>

#include "transport/dns_wire.h"
namespace jsp::transport {
namespace {

using dns::kClassInternet;
using dns::kResponseFlag;

// RFC 6762 §18.12, §18.13: unicast-response in a question, cache-flush in a record.
constexpr uint16_t kTopBit = 0x8000;
constexpr uint16_t kOpcodeAndRcode = 0x780F;  // RFC 6762 §18.3, §18.11: zero, else the message is ignored

std::optional<IpAddress> ReadAddress(const dns::RecordFixed& record, std::span<const uint8_t> data) {
  if ((record.record_class & ~kTopBit) != kClassInternet || record.ttl == 0) return std::nullopt;  // 0: goodbye
  if (record.type == static_cast<uint16_t>(MdnsRecordType::kA) && data.size() == 4) {
    return IpAddress::V4(data[0], data[1], data[2], data[3]);
  }
  if (record.type == static_cast<uint16_t>(MdnsRecordType::kAaaa) && data.size() == 16) {
    return IpAddress::V6(data.first<16>());
  }
  return std::nullopt;
}

// RFC 6762 §6.1: an NSEC record whose "next" name is the name itself, and whose bit map has the one type that exists.
void WriteNsec(std::string_view name, MdnsRecordType existing, ByteWriter& writer) {
  const auto bit = static_cast<uint16_t>(existing);
  const size_t octets = bit / 8 + 1;
  if (!dns::WriteName(name, writer)) return;
  writer.Write<uint8_t>(0);  // window block
  writer.Write(static_cast<uint8_t>(octets));
  writer.WriteZeros(octets - 1);
  writer.Write(static_cast<uint8_t>(0x80 >> (bit % 8)));
}

}  // namespace

const char* ToString(MdnsParseErrc errc) {
  switch (errc) {
    case MdnsParseErrc::kTooLong:
      return "too long";
    case MdnsParseErrc::kNotAResponse:
      return "not a response";
    case MdnsParseErrc::kMalformed:
      return "malformed";
    case MdnsParseErrc::kNotAQuery:
      return "not a query";
  }
  return "unknown";
}

// RFC 6762 §18: header, then
//    QNAME     a length octet and that many octets for each label, then 0
//    QTYPE     2 octets
//    QCLASS    2 octets, the top bit asks for unicast
std::optional<size_t> WriteMdnsQuery(const MdnsQuestion& question, std::span<uint8_t> out) {
  ByteWriter writer(out);
  dns::Header header;
  header.id = question.id;
  header.questions = 1;
  writer.WriteStruct(header);
  if (!dns::WriteName(question.name, writer)) return std::nullopt;
  const bool is_unicast = question.kind == MdnsQuestionKind::kUnicast;
  writer.WriteStruct(dns::QuestionFixed{static_cast<uint16_t>(question.type),
                                        static_cast<uint16_t>(kClassInternet | (is_unicast ? kTopBit : 0))});
  return writer.ok() ? std::optional(writer.size()) : std::nullopt;
}

bool MdnsAsked::WantsAddress(MdnsRecordType own) const {
  constexpr uint16_t kAny = 255;
  return type == static_cast<uint16_t>(own) || type == kAny;
}

std::optional<size_t> WriteMdnsResponse(const MdnsResponse& response, std::span<uint8_t> out) {
  constexpr uint16_t kAuthoritative = 0x0400;  // RFC 6762 §18.4
  constexpr uint16_t kNsec = 47;
  ByteWriter writer(out);
  dns::Header header;
  header.flags = dns::kResponseFlag | kAuthoritative;
  header.answers = 1;
  if (response.legacy) {
    header.id = response.legacy->id;
    header.questions = 1;
  }
  writer.WriteStruct(header);
  if (response.legacy) {
    if (!dns::WriteName(response.name, writer)) return std::nullopt;
    writer.WriteStruct(dns::QuestionFixed{response.legacy->type, kClassInternet});
  }
  if (!dns::WriteName(response.name, writer)) return std::nullopt;
  const auto type = response.address.is_v4() ? MdnsRecordType::kA : MdnsRecordType::kAaaa;
  std::array<uint8_t, 300> data;
  ByteWriter record(data);
  response.is_negative ? WriteNsec(response.name, type, record) : record.WriteBytes(response.address.octets());
  // RFC 6762 §10.2: the only record of that name.
  const auto record_class = static_cast<uint16_t>(kClassInternet | (response.legacy ? 0 : kTopBit));
  writer.WriteStruct(dns::RecordFixed{response.is_negative ? kNsec : static_cast<uint16_t>(type), record_class,
                                      response.ttl, static_cast<uint16_t>(record.size())});
  writer.WriteBytes(std::span<const uint8_t>(data).first(record.size()));
  return writer.ok() && record.ok() ? std::optional(writer.size()) : std::nullopt;
}

Expected<MdnsQuery, MdnsParseErrc> ParseMdnsQuery(std::span<const uint8_t> message) {
  if (message.size() > kMaxMdnsMessage) return Unexpected(MdnsParseErrc::kTooLong);
  ByteReader reader(message);
  const auto header = reader.ReadStruct<dns::Header>();
  if (!reader.ok()) return Unexpected(MdnsParseErrc::kMalformed);
  if ((header.flags & (kResponseFlag | kOpcodeAndRcode)) != 0) return Unexpected(MdnsParseErrc::kNotAQuery);
  MdnsQuery query{.id = header.id, .questions = {}};
  for (int i = 0; i < header.questions; ++i) {
    auto name = dns::ReadName(message, reader);
    const auto fixed = reader.ReadStruct<dns::QuestionFixed>();
    if (!name || !reader.ok()) return Unexpected(MdnsParseErrc::kMalformed);
    const bool is_unicast = (fixed.question_class & kTopBit) != 0;
    query.questions.push_back({.name = std::move(*name),
                               .type = fixed.type,
                               .kind = is_unicast ? MdnsQuestionKind::kUnicast : MdnsQuestionKind::kMulticast});
  }
  return query;
}

Expected<std::vector<MdnsAddress>, MdnsParseErrc> ParseMdnsResponse(std::span<const uint8_t> message) {
  if (message.size() > kMaxMdnsMessage) return Unexpected(MdnsParseErrc::kTooLong);
  ByteReader reader(message);
  const auto header = reader.ReadStruct<dns::Header>();
  if (!reader.ok()) return Unexpected(MdnsParseErrc::kMalformed);
  const bool is_response = (header.flags & kResponseFlag) != 0 && (header.flags & kOpcodeAndRcode) == 0;
  if (!is_response) return Unexpected(MdnsParseErrc::kNotAResponse);

  for (int i = 0; i < header.questions; ++i) {  // a unicast answer repeats the question (RFC 6762 §6.7)
    if (!dns::ReadName(message, reader)) return Unexpected(MdnsParseErrc::kMalformed);
    reader.Skip(wire::kSize<dns::QuestionFixed>);
  }
  std::vector<MdnsAddress> addresses;
  const uint32_t records = uint32_t{header.answers} + header.authorities + header.additionals;
  for (uint32_t i = 0; i < records; ++i) {
    auto name = dns::ReadName(message, reader);
    const auto record = reader.ReadStruct<dns::RecordFixed>();
    const auto data = reader.ReadBytes(record.length);
    if (!name || !reader.ok()) return Unexpected(MdnsParseErrc::kMalformed);
    const bool is_authority = i >= header.answers && i < uint32_t{header.answers} + header.authorities;
    const auto address = ReadAddress(record, data);
    if (address && !is_authority) addresses.push_back({std::move(*name), *address});
  }
  if (!reader.ok() || reader.remaining() != 0) return Unexpected(MdnsParseErrc::kMalformed);
  return addresses;
}

}  // namespace jsp::transport
