#include "transport/dns_wire.h"

#include <utility>
namespace jsp::transport::dns {
namespace {

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

}  // namespace

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

bool WriteName(std::string_view name, ByteWriter& writer) {
  if (name.size() > kMaxName) return false;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    if (label.empty() || label.size() > kMaxLabel) return false;
    writer.Write(static_cast<uint8_t>(label.size()));
    writer.WriteText(label);
    name.remove_prefix(label.size() == name.size() ? name.size() : label.size() + 1);
  }
  writer.Write(uint8_t{0});
  return true;
}

}  // namespace jsp::transport::dns
