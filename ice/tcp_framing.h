#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>
namespace jsp::ice {

// The shim of RFC 4571 §2, which every TCP connection of ICE uses for its whole life (RFC 6544 §7.1):
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   ---------------------------------------------------------------
//   |             LENGTH            |  STUN message or data ...     |
//   ---------------------------------------------------------------
inline constexpr size_t kTcpFrameHeader = 2;
inline constexpr size_t kMaxTcpFrame = 65535;

// `size` is at most kMaxTcpFrame.
std::array<uint8_t, kTcpFrameHeader> TcpFrameHeader(size_t size);

// Cuts what arrives over one connection into frames. Only a frame that comes in pieces is kept, as far as it has come,
// and never more of it than the limit.
class TcpFrameReader {
 public:
  explicit TcpFrameReader(size_t max_frame = kMaxTcpFrame) : max_frame_(max_frame) {}
  // The next whole frame in `input`, from whose front it takes what it read; nullopt when all was taken. A view into
  // `input` or into the reader, good until the next call. Empty frames are passed over (RFC 6544 §10.2). After a frame
  // that is too large nothing comes any more.
  std::optional<std::span<const uint8_t>> Next(std::span<const uint8_t>& input);
  bool is_broken() const { return is_broken_; }

 private:
  size_t max_frame_;
  std::vector<uint8_t> partial_;  // header and body so far
  bool is_delivered_ = false;     // `partial_` is the frame that Next gave last
  bool is_broken_ = false;        // a length above max_frame_ was announced
};

}  // namespace jsp::ice
