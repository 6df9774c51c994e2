#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/byte_writer.h"
#include "sctp/packet/common_header.h"
#include "sctp/packet/tlv.h"
namespace jsp::sctp {

enum class SentChecksum : uint8_t {
  kCrc32c,  // RFC 9260 §6.8
  kZero,    // RFC 9653 §5.2: the peer takes it
};

// Composes one packet in the caller's buffer: common header, then chunks with their padding, then the checksum. Owns
// nothing and allocates nothing. Whoever answers PollTransmit makes one per packet.
class PacketBuilder {
 public:
  // `out` is as large as the packet may become. When it has no room for the header, nothing fits and Finish gives 0.
  PacketBuilder(std::span<uint8_t> out, const CommonHeader& header);

  // Adds a chunk (any struct of packet/chunk/). False, and the packet unchanged, when it does not fit.
  template <class Chunk>
  bool Add(const Chunk& chunk) {
    const size_t size = chunk.Size();
    if (size > bytes_remaining() || size > kMaxTlvSize) return false;
    chunk.Write(writer_);
    // RFC 9260 §3.2: "The sender MUST NOT pad with more than 3 bytes."
    writer_.Pad4();
    return true;
  }
  // Octets of the largest chunk that still fits, its header included: a multiple of four, as padding must fit too.
  size_t bytes_remaining() const { return writer_.ok() ? writer_.remaining() & ~size_t{3} : 0; }
  // No chunk yet.
  bool empty() const { return writer_.size() <= kCommonHeaderSize; }
  // Octets so far, the common header included.
  size_t size() const { return writer_.size(); }
  // Writes the checksum and gives the packet's octets; 0 when it has no chunk.
  size_t Finish(SentChecksum checksum = SentChecksum::kCrc32c);

 private:
  ByteWriter writer_;
};

}  // namespace jsp::sctp
