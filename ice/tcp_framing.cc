#include "ice/tcp_framing.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
namespace jsp::ice {
namespace {

size_t LengthOf(std::span<const uint8_t> header) { return static_cast<size_t>(header[0]) << 8 | header[1]; }

}  // namespace

std::array<uint8_t, kTcpFrameHeader> TcpFrameHeader(size_t size) {
  JSP_CHECK(size <= kMaxTcpFrame);
  return {static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)};
}

std::optional<std::span<const uint8_t>> TcpFrameReader::Next(std::span<const uint8_t>& input) {
  if (std::exchange(is_delivered_, false)) partial_.clear();
  const auto take = [&](size_t wanted) {
    const size_t size = std::min(wanted - partial_.size(), input.size());
    partial_.insert(partial_.end(), input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size));
    input = input.subspan(size);
    return partial_.size() == wanted;
  };
  const auto fits = [&](size_t length) {
    is_broken_ = length > max_frame_;
    return !is_broken_;
  };
  while (!input.empty() && !is_broken_) {
    if (partial_.empty() && input.size() >= kTcpFrameHeader) {
      const size_t length = LengthOf(input);
      if (!fits(length)) break;
      if (input.size() >= kTcpFrameHeader + length) {  // whole: nothing is copied
        const auto frame = input.subspan(kTcpFrameHeader, length);
        input = input.subspan(kTcpFrameHeader + length);
        if (length == 0) continue;
        return frame;
      }
    }
    if (partial_.size() < kTcpFrameHeader && !take(kTcpFrameHeader)) return std::nullopt;
    const size_t length = LengthOf(partial_);
    if (!fits(length)) break;
    if (length == 0) {
      partial_.clear();
      continue;
    }
    if (!take(kTcpFrameHeader + length)) return std::nullopt;
    is_delivered_ = true;
    return std::span<const uint8_t>(partial_).subspan(kTcpFrameHeader);
  }
  input = {};
  return std::nullopt;
}

}  // namespace jsp::ice
