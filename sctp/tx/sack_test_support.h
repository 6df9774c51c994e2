#pragma once
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include "base/time.h"
#include "sctp/message.h"
#include "sctp/packet/chunk/sack.h"
#include "sctp/types.h"
namespace jsp::sctp {

// C19: the TSNs of tests begin just before they wrap.
inline constexpr Tsn kFirstTsn{0xfffffffe};

// The TSN that is `offset` after kFirstTsn, lifted as OutstandingData lifts it.
inline UnwrappedTsn TsnAt(int64_t offset) { return UnwrappedTsn((int64_t{1} << 32) + kFirstTsn.value + offset); }

// Virtual time: milliseconds since the test began.
inline Timestamp At(int64_t milliseconds) {
  return Timestamp::FromEpoch(std::chrono::seconds(1000) + std::chrono::milliseconds(milliseconds));
}

inline Message MakeMessage(uint16_t stream, size_t octets, uint8_t fill = 0) {
  return {StreamId(stream), Ppid(53), std::vector<uint8_t>(octets, fill)};
}

inline SendOptions Unordered() {
  SendOptions options;
  options.unordered = true;
  return options;
}
inline SendOptions Control() {
  SendOptions options;
  options.control = true;
  return options;
}
inline SendOptions Retransmits(uint16_t count) {
  SendOptions options;
  options.max_retransmits = count;
  return options;
}
inline SendOptions Lifetime(int64_t milliseconds) {
  SendOptions options;
  options.lifetime = std::chrono::milliseconds(milliseconds);
  return options;
}

// A SACK that keeps its gap blocks: cumulative up to `offset` after kFirstTsn, blocks as offsets from that.
class Sack {
 public:
  using Blocks = std::initializer_list<std::pair<uint16_t, uint16_t>>;
  explicit Sack(int64_t offset, Blocks blocks = {}, uint32_t a_rwnd = 1 << 20) : Sack(offset, a_rwnd) {
    for (const auto& [start, end] : blocks) blocks_.push_back({start, end});
  }
  // For blocks that a loop makes.
  Sack(int64_t offset, std::vector<GapAckBlock> blocks) : Sack(offset, 1 << 20) { blocks_ = std::move(blocks); }

  // Lives as long as this.
  SackChunk chunk() const {
    SackChunk sack;
    sack.cumulative_tsn_ack = TsnAt(offset_).Wrap();
    sack.a_rwnd = a_rwnd_;
    sack.gap_ack_blocks = std::span<const GapAckBlock>(blocks_);
    return sack;
  }

 private:
  Sack(int64_t offset, uint32_t a_rwnd) : offset_(offset), a_rwnd_(a_rwnd) {}

  int64_t offset_;
  uint32_t a_rwnd_;
  std::vector<GapAckBlock> blocks_;
};

}  // namespace jsp::sctp
