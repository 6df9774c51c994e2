#include "dtls/record.h"

#include "base/byte_reader.h"
namespace jsp::dtls {
namespace {

static_assert(wire::kSize<RecordHeader> == kRecordHeaderSize);

// RFC 6347 §4.1: versions are the ones' complement of TLS's, so all of DTLS 1.x has this first octet.
constexpr uint16_t kMajorVersion = 0xFE;

uint32_t ReadUint24(ByteReader& reader) {
  const auto high = reader.Read<uint8_t>();
  return uint32_t{high} << 16 | reader.Read<uint16_t>();
}

}  // namespace

std::optional<Record> ParseRecord(std::span<const uint8_t> datagram) {
  const auto header = wire::Read<RecordHeader>(datagram);
  if (!header || header->version >> 8 != kMajorVersion) return std::nullopt;
  // RFC 6347 §4.1.1: "Each DTLS record MUST fit within a single datagram."
  if (header->length > kMaxCiphertext || header->length > datagram.size() - kRecordHeaderSize) return std::nullopt;
  const auto bytes = datagram.first(kRecordHeaderSize + header->length);
  return Record{*header, bytes, bytes.subspan(kRecordHeaderSize)};
}

std::optional<HandshakeFragment> ParseHandshakeFragment(std::span<const uint8_t> bytes) {
  ByteReader reader(bytes);
  HandshakeFragment fragment;
  fragment.type = static_cast<HandshakeType>(reader.Read<uint8_t>());
  fragment.length = ReadUint24(reader);
  fragment.message_seq = reader.Read<uint16_t>();
  fragment.fragment_offset = ReadUint24(reader);
  const uint32_t fragment_length = ReadUint24(reader);
  fragment.body = reader.ReadBytes(fragment_length);
  if (!reader.ok() || fragment.fragment_offset + fragment_length > fragment.length) return std::nullopt;
  if (fragment_length == 0 && fragment.length != 0) return std::nullopt;
  return fragment;
}

}  // namespace jsp::dtls
