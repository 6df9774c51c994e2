#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/byte_writer.h"
#include "sctp/packet/tlv.h"
namespace jsp::sctp {

// Control chunks that wait for the next packet, already written. At most one packet's worth: what one received packet
// or several may cause in answers is bounded (RFC 9260 §12.4), and an answer that would not fit a packet is never sent.
// Its octets are one "chunk" to PacketBuilder::Add.
class ControlQueue {
 public:
  // `capacity`: octets of chunks that one packet can hold.
  explicit ControlQueue(size_t capacity) : capacity_(capacity & ~size_t{3}) {}

  // False, and nothing queued, when it does not fit.
  template <class Chunk>
  bool Add(const Chunk& chunk) {
    const size_t size = chunk.Size();
    if (size > kMaxTlvSize || PaddedSize(size) > capacity_ - octets_.size()) return false;
    const size_t offset = octets_.size();
    octets_.resize(offset + PaddedSize(size));
    ByteWriter writer(std::span<uint8_t>(octets_).subspan(offset));
    chunk.Write(writer);
    writer.Pad4();
    return true;
  }
  bool empty() const { return octets_.empty(); }
  void Clear() { octets_.clear(); }

  size_t Size() const { return octets_.size(); }
  void Write(ByteWriter& writer) const { writer.WriteBytes(octets_); }

 private:
  size_t capacity_;
  std::vector<uint8_t> octets_;
};

}  // namespace jsp::sctp
