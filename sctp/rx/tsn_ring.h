#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sctp/types.h"
namespace jsp::sctp {

// Numbers of things by the TSNs where they are found: a ring with a slot for each TSN from the lowest one in use on,
// and a bitmap of two levels over it. Look-ups are O(1), the next TSN in use costs at most kMaxSpan / 4096 steps, and
// growth is O(1) amortised. Owns no things. MessageAssembler uses it.
class TsnRing {
 public:
  using Id = uint16_t;
  // From the lowest TSN in use to the highest. DataTracker takes none further than 2^16 above the cumulative TSN ack;
  // an end of what began earlier may be that much below.
  static constexpr size_t kMaxSpan = size_t{1} << 17;  // 256 KiB of slots, if a peer leaves such a gap
  static constexpr size_t kMinCapacity = 64;

  // False when the span would become too large; nothing changes then.
  [[nodiscard]] bool MakeRoom(UnwrappedTsn tsn);
  // There is room, and `tsn` has no number yet.
  void Insert(UnwrappedTsn tsn, Id id);
  // `tsn` has a number.
  void Erase(UnwrappedTsn tsn);
  std::optional<Id> Find(UnwrappedTsn tsn) const;
  // The lowest TSN in use at or above `from`.
  std::optional<UnwrappedTsn> Next(UnwrappedTsn from) const;
  std::optional<UnwrappedTsn> Lowest() const { return count_ == 0 ? std::nullopt : Next(low_); }

  size_t size() const { return count_; }
  size_t capacity() const { return slots_.size(); }
  // Gives the storage back when nothing is in use.
  void Trim();
  // For tests and fuzzing. O(capacity).
  bool IsConsistent() const;

 private:
  static constexpr size_t kBits = 64;

  void Resize(size_t capacity);
  size_t IndexOf(UnwrappedTsn tsn) const;
  bool IsSet(size_t index) const { return (used_[index / kBits] >> (index % kBits) & 1) != 0; }
  void SetBit(size_t index);
  std::optional<size_t> NextIndex(size_t from) const;

  // All TSNs in use are in [low_, high_], which is shorter than the ring.
  UnwrappedTsn low_{0};
  UnwrappedTsn high_{0};
  size_t count_ = 0;
  std::vector<Id> slots_;
  std::vector<uint64_t> used_;     // a bit for each slot
  std::vector<uint64_t> summary_;  // a bit for each word of used_ that is not 0
};

}  // namespace jsp::sctp
