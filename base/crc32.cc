#include "base/crc32.h"

#include "base/crc_tables.h"

namespace jsp {
namespace {

// 0x04c11db7, reflected: the ITU V.42 polynomial that RFC 8489 §14.7 names.
constexpr crc::Tables kTables = crc::MakeTables(0xedb88320u);

}  // namespace

uint32_t Crc32(std::span<const uint8_t> data) { return Crc32(data, 0); }

uint32_t Crc32(std::span<const uint8_t> data, uint32_t previous) { return ~crc::Update(kTables, ~previous, data); }

}  // namespace jsp
