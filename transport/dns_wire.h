#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "base/wire_layout.h"
namespace jsp {
namespace transport::dns {

// The parts of DNS messages (RFC 1035) that multicast DNS and SRV look-ups share. Not part of the interface.

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

inline constexpr uint16_t kClassInternet = 1;
inline constexpr uint16_t kResponseFlag = 0x8000;
inline constexpr size_t kMaxName = 255;
inline constexpr size_t kMaxLabel = 63;

// A possibly compressed name at the reader's place, in lower case, without a final dot; octets that no host name has
// are
// "?". Each pointer must lead before the place where the labels that end in it begin, so that no pointers go round in a
// circle. nullopt when malformed.
std::optional<std::string> ReadName(std::span<const uint8_t> message, ByteReader& reader);

// False when it is no name: an empty label, or one that is too long.
[[nodiscard]] bool WriteName(std::string_view name, ByteWriter& writer);

}  // namespace transport::dns

template <>
struct wire::Layout<transport::dns::Header> {
  using T = transport::dns::Header;
  static constexpr std::tuple kFields{&T::id, &T::flags, &T::questions, &T::answers, &T::authorities, &T::additionals};
};
template <>
struct wire::Layout<transport::dns::QuestionFixed> {
  using T = transport::dns::QuestionFixed;
  static constexpr std::tuple kFields{&T::type, &T::question_class};
};
template <>
struct wire::Layout<transport::dns::RecordFixed> {
  using T = transport::dns::RecordFixed;
  static constexpr std::tuple kFields{&T::type, &T::record_class, &T::ttl, &T::length};
};

}  // namespace jsp
