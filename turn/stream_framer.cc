#include "turn/stream_framer.h"

#include <algorithm>

#include "base/wire_layout.h"
#include "stun/message_view.h"
namespace jsp::turn {

Expected<size_t, FrameError> FrameSize(std::span<const uint8_t> stream, ChannelRange range) {
  constexpr size_t kLengthEnd = 4;  // both messages have a length in octets 2 and 3
  if (stream.empty()) return 0;
  const MessageKind kind = KindOf(stream[0], range);
  if (kind == MessageKind::kOther) return Unexpected<FrameError>(FrameError::kNotTurn);
  if (stream.size() < kLengthEnd) return 0;
  const size_t length = wire::Codec<uint16_t>::Load(stream.data() + 2);
  if (kind == MessageKind::kChannelData) return ChannelDataSize(Framing::kStream, length);
  // RFC 8489 §5: attributes are padded, so "the last 2 bits of this field are always zero".
  if (length % 4 != 0) return Unexpected<FrameError>(FrameError::kBadLength);
  return stun::kHeaderSize + length;
}

bool StreamFramer::FillTo(size_t size, std::span<const uint8_t>& input) {
  const size_t missing = size - std::min(size, partial_.size());
  const size_t taken = std::min(missing, input.size());
  partial_.insert(partial_.end(), input.begin(), input.begin() + static_cast<std::ptrdiff_t>(taken));
  input = input.subspan(taken);
  return taken == missing;
}

std::optional<std::span<const uint8_t>> StreamFramer::Next(std::span<const uint8_t>& input) {
  if (partial_done_) partial_.clear();
  partial_done_ = false;
  if (error_) return std::nullopt;
  if (partial_.empty()) {
    const auto size = FrameSize(input, range_);
    if (!size) {
      error_ = size.error();
      return std::nullopt;
    }
    if (*size != 0 && *size <= input.size()) {
      const auto message = input.first(*size);
      input = input.subspan(*size);
      return message;
    }
  }
  // Four octets say how many there are; FrameSize is asked again for them.
  if (!FillTo(4, input)) {
    if (const auto size = FrameSize(partial_, range_); !size) error_ = size.error();
    return std::nullopt;
  }
  const auto size = FrameSize(partial_, range_);
  if (!size) {
    error_ = size.error();
    return std::nullopt;
  }
  if (!FillTo(*size, input)) return std::nullopt;
  partial_done_ = true;
  return std::span<const uint8_t>(partial_);
}

}  // namespace jsp::turn
