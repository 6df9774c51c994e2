#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
namespace jsp::dtls {

// RFC 6347 §4.1.2.6: which sequence numbers of one epoch were received. "A window size of 64 is preferred and SHOULD be
// employed as the default. Another window size (larger than the minimum) MAY be chosen": a batch of the sender's is
// reordered as a whole by paths with more than one queue. Owned by RecordLayer, which marks only what is authentic.
// O(1) but for the words that a jump ahead clears, at most all of them.
class ReplayWindow {
 public:
  static constexpr uint64_t kSize = 1024;

  // Not received before, nor so old that nobody knows.
  bool IsNew(uint64_t sequence) const {
    if (sequence >= end_) return true;
    return end_ - sequence <= kSize && (words_[WordOf(sequence)] & BitOf(sequence)) == 0;
  }
  // Only after the record has proved authentic: "The receive window is updated only if the MAC verification succeeds."
  void Mark(uint64_t sequence) {
    if (sequence >= end_) Advance(sequence);
    if (end_ - sequence <= kSize) words_[WordOf(sequence)] |= BitOf(sequence);
  }

 private:
  static constexpr size_t kWords = kSize / 64;
  static size_t WordOf(uint64_t sequence) { return sequence / 64 % kWords; }
  static uint64_t BitOf(uint64_t sequence) { return uint64_t{1} << sequence % 64; }

  void Advance(uint64_t sequence) {
    // The bits of what is new stand for what was `kSize` before.
    if (sequence - end_ >= kSize) {
      words_ = {};
    } else {
      for (uint64_t next = end_; next <= sequence; ++next) words_[WordOf(next)] &= ~BitOf(next);
    }
    end_ = sequence + 1;
  }

  std::array<uint64_t, kWords> words_{};
  uint64_t end_ = 0;  // one above the highest
};

}  // namespace jsp::dtls
