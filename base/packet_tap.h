#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
namespace jsp {

// What of a TCP header is to be shown (RFC 9293 §3.1); urgent pointer and options are not.
struct TapSegment {
  uint32_t sequence = 0;
  uint32_t acknowledgment = 0;
  uint16_t window = 0;
  bool syn = false;
  bool ack = false;
  bool fin = false;
  bool rst = false;
};

// Writes datagrams and segments as a pcapng byte stream (link type RAW, synthesised IP, UDP and TCP headers with valid
// checksums), to be opened by tshark. Owns its buffer; the driver or the simulator calls it and writes the file. What
// is recorded while the buffer is full is counted and left out, so that a forgotten Take() cannot eat the memory.
class PacketTap {
 public:
  static constexpr size_t kMaxBufferedOctets = size_t{64} << 20;

  PacketTap();  // section header and interface description
  // `now` becomes the packet's time, in microseconds since the owner's epoch. A datagram of more than 65,507 octets,
  // which UDP over IPv4 cannot carry (RFC 768), is cut there. If either address is IPv6, the other is shown mapped.
  void Record(Timestamp now, const SocketAddress& from, const SocketAddress& to, std::span<const uint8_t> datagram);
  // A segment of TCP; what is cut, and how addresses are shown, is as above.
  void RecordSegment(Timestamp now, const SocketAddress& from, const SocketAddress& to, const TapSegment& segment,
                     std::span<const uint8_t> payload);
  // A whole IP packet as it was.
  void RecordPacket(Timestamp now, std::span<const uint8_t> packet);
  // A decryption-secrets block with NSS key log lines, so that dissectors can look into DTLS. Put before the packets.
  void RecordKeyLog(std::string_view lines);
  // The octets so far; leaves the tap empty, ready to continue the same stream.
  std::vector<uint8_t> Take();
  // Blocks left out because the buffer was full.
  uint64_t dropped() const { return dropped_; }

 private:
  // Claims a block with room for `body` octets and writes its frame; empty when the buffer is full.
  std::span<uint8_t> AppendBlock(uint32_t type, size_t body);
  // Likewise for the octets of a packet, of which there were `original`.
  std::span<uint8_t> AppendPacket(Timestamp now, size_t captured, size_t original);

  std::vector<uint8_t> bytes_;
  uint64_t dropped_ = 0;
};

}  // namespace jsp
