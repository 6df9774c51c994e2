#include "transport/mdns_message.h"

#include <tuple>
#include <utility>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "base/wire_layout.h"
namespace jsp {
namespace transport {
namespace {

struct Header {
  uint16_t id = 0;
  uint16_t flags = 0;
  uint16_t questions = 0;
  uint16_t answers = 0;
  uint16_t authorities = 0;
  uint16_t additionals = 0;
};

struct QuestionFixed {
  uint16_t type = 0;
  uint16_t question_class = 0;
};

struct RecordFixed {
  uint16_t type = 0;
  uint16_t record_class = 0;
  uint32_t ttl = 0;
  uint16_t length = 0;
};

}  // namespace
}  // namespace transport

template <>
struct wire::Layout<transport::Header> {
  using T = transport::Header;
  static constexpr std::tuple kFields{&T::id, &T::flags, &T::questions, &T::answers, &T::authorities, &T::additionals};
};
template <>
struct wire::Layout<transport::QuestionFixed> {
  using T = transport::QuestionFixed;
  static constexpr std::tuple kFields{&T::type, &T::question_class};
};
template <>
struct wire::Layout<transport::RecordFixed> {
  using T = transport::RecordFixed;
  static constexpr std::tuple kFields{&T::type, &T::record_class, &T::ttl, &T::length};
};

namespace transport {
namespace {

constexpr uint16_t kClassInternet = 1;
// RFC 6762 §18.12, §18.13: unicast-response in a question, cache-flush in a record.
constexpr uint16_t kTopBit = 0x8000;
constexpr uint16_t kResponseFlag = 0x8000;    // RFC 6762 §18.2
constexpr uint16_t kOpcodeAndRcode = 0x780F;  // RFC 6762 §18.3, §18.11: zero, else the message is ignored
constexpr size_t kMaxName = 255;
constexpr size_t kMaxLabel = 63;
// Sixteen suffixes are more than any name of 255 octets needs; it keeps the parser linear.
constexpr int kMaxJumps = 16;

char HostNameChar(uint8_t octet) {
  const char c = static_cast<char>(octet);
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  const bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  return is_plain ? c : '?';
}

// Reads labels from `reader` up to the root or a pointer. True at the root; false with `target` at a pointer; nullopt
// when malformed.
std::optional<bool> ReadLabels(ByteReader& reader, std::string& name, size_t& target) {
  while (true) {
    const uint8_t length = reader.Read<uint8_t>();
    if (!reader.ok()) return std::nullopt;
    if (length == 0) return true;
    if ((length & 0xC0) == 0xC0) {
      target = static_cast<size_t>(length & 0x3F) << 8 | reader.Read<uint8_t>();
      return reader.ok() ? std::optional(false) : std::nullopt;
    }
    if (length > kMaxLabel || name.size() + 1 + length > kMaxName) return std::nullopt;
    if (!name.empty()) name += '.';
    for (const uint8_t octet : reader.ReadBytes(length)) name += HostNameChar(octet);
    if (!reader.ok()) return std::nullopt;
  }
}

// A possibly compressed name at the reader's place. Each pointer must lead before the place where the labels that end
// in it begin, so that no pointers go round in a circle.
std::optional<std::string> ReadName(std::span<const uint8_t> message, ByteReader& reader) {
  std::string name;
  size_t start = reader.offset();
  size_t target = 0;
  auto at_root = ReadLabels(reader, name, target);
  for (int jumps = 0; at_root == false; ++jumps) {
    if (jumps == kMaxJumps || target >= start) return std::nullopt;
    start = target;
    ByteReader suffix(message);
    suffix.Skip(target);
    at_root = ReadLabels(suffix, name, target);
  }
  return at_root ? std::optional(std::move(name)) : std::nullopt;
}

std::optional<IpAddress> ReadAddress(const RecordFixed& record, std::span<const uint8_t> data) {
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
  Header header;
  header.id = question.id;
  header.questions = 1;
  writer.WriteStruct(header);
  std::string_view rest = question.name;
  if (rest.size() > kMaxName) return std::nullopt;
  while (!rest.empty()) {
    const std::string_view label = rest.substr(0, rest.find('.'));
    if (label.empty() || label.size() > kMaxLabel) return std::nullopt;
    writer.Write(static_cast<uint8_t>(label.size()));
    writer.WriteText(label);
    rest.remove_prefix(label.size() == rest.size() ? rest.size() : label.size() + 1);
  }
  writer.Write(uint8_t{0});
  const bool is_unicast = question.kind == MdnsQuestionKind::kUnicast;
  writer.WriteStruct(QuestionFixed{static_cast<uint16_t>(question.type),
                                   static_cast<uint16_t>(kClassInternet | (is_unicast ? kTopBit : 0))});
  return writer.ok() ? std::optional(writer.size()) : std::nullopt;
}

Expected<std::vector<MdnsAddress>, MdnsParseErrc> ParseMdnsResponse(std::span<const uint8_t> message) {
  if (message.size() > kMaxMdnsMessage) return Unexpected(MdnsParseErrc::kTooLong);
  ByteReader reader(message);
  const auto header = reader.ReadStruct<Header>();
  if (!reader.ok()) return Unexpected(MdnsParseErrc::kMalformed);
  const bool is_response = (header.flags & kResponseFlag) != 0 && (header.flags & kOpcodeAndRcode) == 0;
  if (!is_response) return Unexpected(MdnsParseErrc::kNotAResponse);

  for (int i = 0; i < header.questions; ++i) {  // a unicast answer repeats the question (RFC 6762 §6.7)
    if (!ReadName(message, reader)) return Unexpected(MdnsParseErrc::kMalformed);
    reader.Skip(wire::kSize<QuestionFixed>);
  }
  std::vector<MdnsAddress> addresses;
  const uint32_t records = uint32_t{header.answers} + header.authorities + header.additionals;
  for (uint32_t i = 0; i < records; ++i) {
    auto name = ReadName(message, reader);
    const auto record = reader.ReadStruct<RecordFixed>();
    const auto data = reader.ReadBytes(record.length);
    if (!name || !reader.ok()) return Unexpected(MdnsParseErrc::kMalformed);
    const bool is_authority = i >= header.answers && i < uint32_t{header.answers} + header.authorities;
    const auto address = ReadAddress(record, data);
    if (address && !is_authority) addresses.push_back({std::move(*name), *address});
  }
  if (!reader.ok() || reader.remaining() != 0) return Unexpected(MdnsParseErrc::kMalformed);
  return addresses;
}

}  // namespace transport
}  // namespace jsp
