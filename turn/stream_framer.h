#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/expected.h"
#include "turn/channel_data.h"
namespace jsp::turn {

// A stream that cannot be cut any further: whoever reads it closes the connection.
enum class FrameError : uint8_t { kNotTurn, kBadLength };

// Octets of the message that `stream` begins with, padding included; 0 while fewer than four octets are there
// (RFC 8489 §6.2.2, RFC 8656 §12.5). At most kMaxFrame.
Expected<size_t, FrameError> FrameSize(std::span<const uint8_t> stream, ChannelRange range = ChannelRange::kRfc8656);
constexpr size_t kMaxFrame = 20 + 0xfffc;

// Cuts what arrives over TCP or TLS into STUN and ChannelData messages. Messages that lie whole in the octets that came
// are returned as views of them, without a copy; only a message in pieces is kept, at most kMaxFrame octets of it.
// Owned by the driver, one for each connection; how long a message may stay incomplete is the driver's affair.
class StreamFramer {
 public:
  explicit StreamFramer(ChannelRange range = ChannelRange::kRfc8656) : range_(range) {}
  // The next whole message: call it until it returns nullopt, with `input` as the octets that arrived; it is advanced
  // past what was taken. A message is valid until the next call.
  std::optional<std::span<const uint8_t>> Next(std::span<const uint8_t>& input);
  // Set for good once the stream is none of ours; Next() takes nothing any more.
  std::optional<FrameError> error() const { return error_; }
  // Whether the last message that was returned came in pieces: it is a view of what is kept here, not of the input.
  bool was_partial() const { return partial_done_; }
  // Octets of a message that is not complete yet.
  size_t pending() const { return partial_done_ ? 0 : partial_.size(); }

 private:
  // Moves octets until the partial message has `size`; false when the input ran out.
  bool FillTo(size_t size, std::span<const uint8_t>& input);

  ChannelRange range_;
  std::vector<uint8_t> partial_;
  bool partial_done_ = false;  // the last message that was returned is partial_
  std::optional<FrameError> error_;
};

}  // namespace jsp::turn
