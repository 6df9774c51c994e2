#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sctp/message.h"
#include "sctp/packet/chunk/data.h"
#include "sctp/types.h"
namespace jsp::sctp {

// C19: numbers of tests begin just before they wrap.
inline constexpr Tsn kInitialTsn{0xfffffffe};
inline constexpr uint16_t kInitialSsn = 65534;
// A stream begins with SSN 0. Skips up to these bring it to kInitialSsn; one skip goes half the number space at most.
inline constexpr Ssn kSkipsToInitialSsn[] = {Ssn(32767), Ssn(kInitialSsn - 1)};

// The TSN that is `offset` after kInitialTsn, lifted as DataTracker lifts it.
inline UnwrappedTsn TsnAt(int64_t offset) { return UnwrappedTsn((int64_t{1} << 32) + kInitialTsn.value + offset); }

// A whole message in one chunk unless told otherwise; `text` must outlive the chunk.
struct ChunkOptions {
  uint16_t stream = 0;
  uint16_t ssn = 0;
  uint32_t ppid = 51;
  std::string_view flags = "BE";  // of U, B, E
};
inline DataChunk Chunk(UnwrappedTsn tsn, std::string_view text, const ChunkOptions& options = {}) {
  DataChunk chunk;
  chunk.tsn = tsn.Wrap();
  chunk.stream = StreamId(options.stream);
  chunk.ssn = Ssn(options.ssn);
  chunk.ppid = Ppid(options.ppid);
  chunk.unordered = options.flags.find('U') != std::string_view::npos;
  chunk.beginning = options.flags.find('B') != std::string_view::npos;
  chunk.end = options.flags.find('E') != std::string_view::npos;
  chunk.payload = {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  return chunk;
}

inline std::string Text(const Message& message) { return {message.payload.begin(), message.payload.end()}; }

}  // namespace jsp::sctp
