#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>
#include "base/socket_address.h"
#include "base/time.h"
namespace jsp {

// Writes datagrams as a pcapng byte stream (link type RAW, synthesised IP and UDP headers), to be opened by tshark.
// Owns its buffer; the caller takes the octets and writes the file.
class PacketTap {
 public:
  PacketTap();  // section header and interface description
  void Record(Timestamp now, const SocketAddress& from, const SocketAddress& to, std::span<const uint8_t> datagram);
  // A decryption-secrets block with NSS key log lines, so that dissectors can look into DTLS.
  void RecordKeyLog(std::string_view lines);
  // The octets so far; leaves the tap empty, ready to continue the same stream.
  std::vector<uint8_t> Take();

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace jsp
