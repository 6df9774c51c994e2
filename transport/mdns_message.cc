#include "transport/mdns_message.h"

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

}  // namespace

const char* ToString(MdnsParseErrc errc) {
  switch (errc) {
    case MdnsParseErrc::kTooLong:
      return "too long";
    case MdnsParseErrc::kNotAResponse:
      return "not a response";
    case MdnsParseErrc::kMalformed:
      return "malformed";
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
