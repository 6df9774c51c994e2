#include "transport/srv_message.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "transport/dns_wire.h"
namespace jsp {
namespace transport {
namespace {

// What an SRV record has before its target, RFC 2782:
//    Priority   2 octets
//    Weight     2 octets
//    Port       2 octets
struct SrvFixed {
  uint16_t priority = 0;
  uint16_t weight = 0;
  uint16_t port = 0;
};

}  // namespace
}  // namespace transport

template <>
struct wire::Layout<transport::SrvFixed> {
  using T = transport::SrvFixed;
  static constexpr std::tuple kFields{&T::priority, &T::weight, &T::port};
};

namespace transport {
namespace {

constexpr uint16_t kTypeSrv = 33;
constexpr uint16_t kTypeOpt = 41;  // RFC 6891: the class of this record is the size that its sender takes
constexpr uint16_t kRecursionDesired = 0x0100;
constexpr uint16_t kOpcode = 0x7800;
constexpr uint16_t kTruncated = 0x0200;
constexpr uint16_t kResponseCode = 0x000F;

// nullopt: malformed, or cut off.
std::optional<SrvRecord> ReadSrv(std::span<const uint8_t> message, size_t begin, size_t length) {
  ByteReader reader(message.first(begin + length));
  reader.Skip(begin);
  const auto fixed = reader.ReadStruct<SrvFixed>();
  auto target = dns::ReadName(message.first(begin + length), reader);
  if (!target || !reader.ok() || reader.remaining() != 0) return std::nullopt;
  return SrvRecord{fixed.priority, fixed.weight, fixed.port, std::move(*target)};
}

}  // namespace

std::optional<size_t> WriteSrvQuery(uint16_t id, std::string_view name, std::span<uint8_t> out) {
  ByteWriter writer(out);
  dns::Header header;
  header.id = id;
  header.flags = kRecursionDesired;
  header.questions = 1;
  header.additionals = 1;
  writer.WriteStruct(header);
  if (name.empty() || !dns::WriteName(name, writer)) return std::nullopt;
  writer.WriteStruct(dns::QuestionFixed{kTypeSrv, dns::kClassInternet});
  writer.Write(uint8_t{0});  // the root
  writer.WriteStruct(dns::RecordFixed{kTypeOpt, kMaxDnsMessage, 0, 0});
  return writer.ok() ? std::optional(writer.size()) : std::nullopt;
}

Expected<SrvResponse, DnsParseErrc> ParseSrvResponse(std::span<const uint8_t> message) {
  ByteReader reader(message);
  const auto header = reader.ReadStruct<dns::Header>();
  if (!reader.ok()) return Unexpected(DnsParseErrc::kMalformed);
  const bool is_response = (header.flags & dns::kResponseFlag) != 0 && (header.flags & kOpcode) == 0;
  if (!is_response || header.questions != 1) return Unexpected(DnsParseErrc::kNotAResponse);
  SrvResponse response{header.id, static_cast<uint8_t>(header.flags & kResponseCode)};
  auto question = dns::ReadName(message, reader);
  const auto asked = reader.ReadStruct<dns::QuestionFixed>();
  if (!question || !reader.ok()) return Unexpected(DnsParseErrc::kMalformed);
  if (asked.type != kTypeSrv) return Unexpected(DnsParseErrc::kNotAResponse);
  response.question = std::move(*question);
  for (int i = 0; i < header.answers; ++i) {
    const auto name = dns::ReadName(message, reader);
    const auto record = reader.ReadStruct<dns::RecordFixed>();
    const size_t begin = reader.offset();
    (void)reader.ReadBytes(record.length);
    if (!name || !reader.ok()) {
      if ((header.flags & kTruncated) != 0) break;
      return Unexpected(DnsParseErrc::kMalformed);
    }
    if (record.type != kTypeSrv || record.record_class != dns::kClassInternet) continue;  // an alias on the way, say
    auto srv = ReadSrv(message, begin, record.length);
    if (!srv) return Unexpected(DnsParseErrc::kMalformed);
    response.records.push_back(std::move(*srv));
  }
  return response;
}

}  // namespace transport
}  // namespace jsp
