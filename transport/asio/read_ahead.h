#pragma once
#include <algorithm>
#include <cstdint>
namespace jsp::transport::io {

// Whether to read a socket once more behind a turn instead of waiting for it at once. Something found saves two calls
// of the kernel, to wait and to be woken; nothing found costs one. So it is worth it where more than one in three finds
// something, which is learnt from what the latest ones found.
class ReadAhead {
 public:
  // Asked once for each such read.
  bool ShouldTry() { return balance_ >= 0 || ++declined_ % kProbeEvery == 0; }
  void HandleResult(bool has_found) { balance_ = std::clamp(balance_ + (has_found ? 2 : -1), kLeast, kMost); }

 private:
  static constexpr int kLeast = -4;
  static constexpr int kMost = 8;
  static constexpr uint32_t kProbeEvery = 64;  // times change

  int balance_ = -1;
  uint32_t declined_ = 0;
};

}  // namespace jsp::transport::io
